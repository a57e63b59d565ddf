"""What crosses the wire: a request and its answer, as plain data."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar

from airflow_provider_learning360.api.errors import redact

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

T = TypeVar("T")

# What is asked for decides how much of an answer, and how much time, is allowed.
Kind = Literal["document", "list", "entries", "token"]

REPEATABLE_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE"})


@dataclass(frozen=True)
class Request:
    """
    One HTTP request to 360Learning's own origin.

    :param method: HTTP method, in capitals.
    :param path: Path from the root of the host, percent-encoded, without a query.
    :param query: Query parameters, in order; the transport encodes them.
    :param headers: Headers; credentials are added later.
    :param body: Body as the transport takes it, or None.
    :param repeatable: Whether sending it twice does no harm; by default what HTTP says of the method.
    """

    method: str
    path: str
    query: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: Any = field(default=None, repr=False)
    repeatable: bool | None = None

    @property
    def may_repeat(self) -> bool:
        """Whether the request may be sent again although the first may have been carried out."""
        return self.method in REPEATABLE_METHODS if self.repeatable is None else self.repeatable

    def with_headers(self, headers: Mapping[str, str]) -> Request:
        """Return the request with these headers set."""
        return replace(self, headers={**self.headers, **headers})

    def __str__(self) -> str:
        # The query stays out: it may hold the company ID and the API key.
        return f"{self.method} {redact(self.path)}"


@dataclass(frozen=True)
class Response:
    """
    One HTTP answer.

    :param request: What was asked.
    :param status: HTTP status.
    :param headers: Headers, with lower-case names.
    :param body: The body, decompressed; empty where the answer is streamed.
    :param native: The transport's own answer object, for callers that want it; still open where it is streamed.
    :param content: Where the answer is streamed: its body, piece by piece, decompressed and within its limits. An
        iterator, or an asynchronous one, as the transport is; it has to be closed.
    :param is_cut: Whether the body is the beginning of one that was longer than allowed; only of errors.
    :param limits: How much was allowed; default None: what is allowed by default.
    """

    request: Request
    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = field(default=b"", repr=False)
    native: Any = field(default=None, repr=False)
    content: Any = field(default=None, repr=False)
    is_cut: bool = False
    limits: Limits | None = field(default=None, repr=False)

    @property
    def is_success(self) -> bool:
        """Whether the status says that the request was carried out."""
        return 200 <= self.status < 300

    @property
    def location(self) -> str | None:
        """Where the answer redirects to, if it does."""
        return self.headers.get("location") if self.status in (301, 302, 303, 307, 308) else None


def join_headers(headers: Iterable[tuple[str, str]]) -> dict[str, str]:
    """
    Return the headers of an answer with lower-case names; values of a header that is given twice are joined.

    :param headers: Names and values, in order.

    Source: RFC 9110, section 5.3.
    """
    joined: dict[str, str] = {}
    for name, value in headers:
        lower = name.lower()
        joined[lower] = f"{joined[lower]}, {value}" if lower in joined else value
    return joined


@dataclass(frozen=True)
class Limits:
    """
    How much of one answer is read, and for how long.

    :param max_bytes: Bytes of the body of a success, after decompression.
    :param max_error_bytes: Bytes of the body of an error that are read, after decompression.
    :param max_seconds: Seconds that one attempt may take, from sending the request to the last byte of the answer.
    :param bytes_setting: Name of the setting behind `max_bytes`.
    :param seconds_setting: Name of the setting behind `max_seconds`; empty if it is what was left of the call's time.
    :param connection: How to name the connection to the reader of an error.
    :param is_weighed: Whether all of the answer is held as values, so that what these take counts too; default True.
    """

    max_bytes: int
    max_error_bytes: int
    max_seconds: float
    bytes_setting: str
    seconds_setting: str
    connection: str = "the connection"
    is_weighed: bool = True


MIB = 1024 * 1024
DEFAULT_LIMITS: dict[Kind, Limits] = {
    "document": Limits(64 * MIB, MIB, 120.0, "max_document_bytes", "max_document_seconds"),
    "list": Limits(1024 * MIB, MIB, 600.0, "max_list_bytes", "max_list_seconds"),
    # The same list, of which one entry is held at a time.
    "entries": Limits(1024 * MIB, MIB, 600.0, "max_list_bytes", "max_list_seconds", is_weighed=False),
    "token": Limits(MIB, MIB, 120.0, "max_error_bytes", "max_document_seconds"),
}


@dataclass(frozen=True)
class Call(Generic[T]):
    """
    One API call: what to send, and how to read the answer.

    :param request: The request.
    :param parse: Makes the result from a successful answer; raises `ContractError` where it cannot.
    :param signed: Whether the request carries credentials.
    :param any_status: Whether an answer that is no success is handed to `parse` too, instead of being an error.
    :param streamed: Whether the body of a success stays unread, for the caller to read from `native` piece by piece.
        A transport that cannot do so reads it as usual; default False.
    :param kind: What is asked for, which decides the limits; default one document.
    """

    request: Request
    parse: Callable[[Response], T]
    signed: bool = True
    any_status: bool = False
    streamed: bool = False
    kind: Kind = "document"
