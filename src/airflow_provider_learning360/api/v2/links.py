"""The pages of a list, by the `Link` header. Only the same route of the same host is followed, and not for ever."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import parse_qsl, unquote, urljoin, urlsplit

from airflow_provider_learning360.api.bodies import error_from_size
from airflow_provider_learning360.api.credentials import is_same_origin, remove_keys
from airflow_provider_learning360.api.errors import ContractError, redact
from airflow_provider_learning360.api.messages import Call, Request, Response
from airflow_provider_learning360.api.sanitizer import sanitize_text

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_learning360.api.messages import Kind

T = TypeVar("T")
Query = tuple[tuple[str, str], ...]

MAX_LINK = 16 * 1024  # characters of the header; servers refuse longer addresses
# Pages of one list. A server that always names one more page is stopped here; 10 million sessions are less.
MAX_PAGES = 20_000
_LINK = re.compile(r"<([^<>]*)>([^<>]*)")
_NEXT = re.compile(r";\s*rel\s*=\s*(?:\"(?:[^\"]*\s)?next(?:\s[^\"]*)?\"|next(?=\s*(?:[;,]|$)))", re.IGNORECASE)


class PagedList:
    """
    Reads one list page by page.

    :param path: Path of the list.
    :param query: Its filters; default none.
    :param host: Base URL of the connection.
    """

    def __init__(self, path: str, query: Query = (), *, host: str) -> None:
        # The request of the next page; None after the last one.
        self.request: Request | None = Request("GET", path, query)
        self.page_count = 0
        self._host = host
        self._byte_count = 0
        self._read_before: set[int] = set()  # hashes of the queries

    def read_page(self, request: Request, parse: Callable[[Response], T], kind: Kind = "list") -> Call[T]:
        """
        Build the call that reads the next page; once it is parsed, `request` is that of the page after it.

        :param request: The request of the page.
        :param parse: Reads the page.
        :param kind: The kind of response; default `list`.
        :returns: The call.
        """

        def parse_and_advance(response: Response) -> T:
            page = parse(response)
            self._advance(request, response)
            return page

        return Call(request, parse_and_advance, kind=kind)

    def _advance(self, request: Request, response: Response) -> None:
        """
        Find the next page.

        :raises ContractError: It is elsewhere, or the list does not end.
        :raises TooLargeError: The pages so far are larger than one list may be.
        """
        self.page_count += 1
        self._read_before.add(hash(request.query))
        self._byte_count += len(response.body)
        limits = response.limits
        if limits is not None and self._byte_count > limits.max_bytes:
            raise error_from_size(request, response.status, limits)
        self.request = self._find_next(request, response.headers.get("link", ""))

    def _find_next(self, request: Request, link: str) -> Request | None:
        """Return the request of the next page. Source: RFC 8288; 360Learning API v2, pagination."""
        if len(link) > MAX_LINK:
            raise _error(request, "has an address that is too long")
        address = _find_address(link)
        if address is None:
            if _NEXT.search(link):  # a list that ends here would lack entries
                raise _error(request, "has no address")
            return None
        query = self._read_query(request, address)
        if hash(query) in self._read_before:
            raise _error(request, "was read before")
        if self.page_count >= MAX_PAGES:
            raise _error(request, f"would be number {MAX_PAGES + 1:,}")
        return replace(request, query=query)

    def _read_query(self, request: Request, address: str) -> Query:
        try:
            target = urljoin(self._host + request.path, address)
            parts = urlsplit(target)
        except ValueError:
            raise _error(request, "has an address that is not valid") from None
        if not is_same_origin(target, self._host):
            raise _error(request, "is on another host")
        if unquote(parts.path).rstrip("/") != unquote(request.path).rstrip("/"):
            raise _error(request, "is on another route")
        try:
            given = parse_qsl(parts.query, keep_blank_values=True)
        except ValueError:  # more parameters than Python reads
            raise _error(request, "has an address that is not valid") from None
        return remove_keys(tuple((sanitize_text(name), sanitize_text(value)) for name, value in given))


def _find_address(link: str) -> str | None:
    return next((found[1] for found in _LINK.finditer(link) if _NEXT.search(found[2])), None)


def _error(request: Request, problem: str) -> ContractError:
    # The address is not shown: it may repeat a secret.
    return ContractError(
        f"{request} names a next page that {problem}. It is not followed. "
        "Check the host of the connection. If it is right, the API may have changed: please report it.",
        method=request.method,
        path=redact(request.path),
        status=200,
    )
