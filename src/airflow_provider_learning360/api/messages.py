"""Requests and responses as plain data, and the limits of a response."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Generic, Literal, Protocol, TypeVar

from airflow_provider_learning360.api.errors import redact

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

T = TypeVar("T")

# The kind of a call decides how large its response may be, and how long it may take.
Kind = Literal["document", "list", "entries", "token"]

REPEATABLE_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE"})


@dataclass(frozen=True)
class Request:
    """
    One HTTP request to 360Learning's own origin.

    :param method: HTTP method, in capitals.
    :param path: Path from the root of the host, percent-encoded, without a query.
    :param query: Query parameters, in order; the transport encodes them. Default none.
    :param headers: Headers, without credentials; default none.
    :param body: Body as the transport takes it; default none.
    :param repeatable: Whether it may be sent twice; default whether its method is idempotent in HTTP.
    """

    method: str
    path: str
    query: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: Any = field(default=None, repr=False)
    repeatable: bool | None = None

    @property
    def may_repeat(self) -> bool:
        """Whether the request may be sent again, even if the server may have processed the first."""
        return self.method in REPEATABLE_METHODS if self.repeatable is None else self.repeatable

    @property
    def is_once(self) -> bool:
        """Whether the request may be sent again only if it is certain that the first one did nothing."""
        return self.repeatable is False

    def with_headers(self, headers: Mapping[str, str]) -> Request:
        """
        Set headers.

        :param headers: Names and values.
        :returns: A new request.
        """
        return replace(self, headers={**self.headers, **headers})

    def __str__(self) -> str:
        # Without the query, which may contain company ID and API key.
        return f"{self.method} {redact(self.path)}"


@dataclass(frozen=True)
class Response:
    """
    One HTTP response.

    :param request: The request.
    :param status: HTTP status.
    :param headers: Headers, with lower-case names; default none.
    :param body: The body, decompressed; default empty, as it is if the caller streams the body.
    :param native: The response of `requests` or `aiohttp`; still open if the caller streams the body. Default none.
    :param content: Only if the caller streams the body: its chunks, decompressed and within the limits. An iterator or
        an asynchronous one, depending on the transport; the caller closes it. Default none.
    :param is_cut: Whether the body of an error is only the beginning of a longer one; default False.
    :param limits: How much may be read; default `DEFAULT_LIMITS` of the kind of call.
    :param reader: What the body was fed to while it arrived; `body` is then empty. Default none.
    :param is_shallow: Whether it is known that the body is not nested too deeply to be parsed; default False.
    """

    request: Request
    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = field(default=b"", repr=False)
    native: Any = field(default=None, repr=False)
    content: Any = field(default=None, repr=False)
    is_cut: bool = False
    limits: Limits | None = field(default=None, repr=False)
    reader: Any = field(default=None, repr=False)
    is_shallow: bool = field(default=False, repr=False)

    @property
    def is_success(self) -> bool:
        """Whether the status is 2xx."""
        return 200 <= self.status < 300

    @property
    def location(self) -> str | None:
        """Where the response redirects to, or None."""
        return self.headers.get("location") if self.status in (301, 302, 303, 307, 308) else None


def join_headers(headers: Iterable[tuple[str, str]]) -> dict[str, str]:
    """
    Return the headers of a response with lower-case names; the values of a repeated header are joined by commas.

    :param headers: Names and values, in order.
    :returns: Values by name.

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
    How much of one response is read, and for how long.

    :param max_bytes: Bytes of the body of a success, after decompression.
    :param max_error_bytes: Bytes of the body of an error that are read, after decompression.
    :param max_seconds: Seconds from sending the request to the last byte of the response.
    :param bytes_setting: Name of the setting behind `max_bytes`.
    :param seconds_setting: Name of the setting behind `max_seconds`; empty if the deadline of the call comes earlier.
    :param connection: Name of the connection in errors; default `the connection`.
    :param is_weighed: Whether the memory of the parsed values counts too; default True.
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
    # The list of sessions, of which one entry is held in memory at a time.
    "entries": Limits(1024 * MIB, MIB, 600.0, "max_list_bytes", "max_list_seconds", is_weighed=False),
    "token": Limits(MIB, MIB, 120.0, "max_error_bytes", "max_document_seconds"),
}


class ChunkReader(Protocol):
    """Reads a body in chunks."""

    def feed(self, chunk: bytes) -> None:
        """
        Read the next chunk.

        :param chunk: The next bytes of the body.
        :raises LearningError: The body cannot be read.
        """


@dataclass(frozen=True)
class Call(Generic[T]):
    """
    One API call: the request, and how to read its response.

    :param request: The request.
    :param parse: Makes the result from a successful response; raises `ContractError` if it cannot.
    :param signed: Whether the request carries credentials; default True.
    :param any_status: Whether `parse` gets unsuccessful responses too; default False: they are errors.
    :param streamed: Whether the caller reads the body of a success from `Response.content`; default False.
    :param kind: The kind of response, which decides its limits; default `document`.
    :param build_reader: Builds a reader for each attempt. A transport may feed it the body of a successful response
        while the body arrives. `parse` then finds it as `Response.reader`. Default none.
    """

    request: Request
    parse: Callable[[Response], T]
    signed: bool = True
    any_status: bool = False
    streamed: bool = False
    kind: Kind = "document"
    build_reader: Callable[[Response], ChunkReader] | None = None
