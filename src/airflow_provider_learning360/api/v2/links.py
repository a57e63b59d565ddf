"""The `Link` header of a list: where its next page is. Only the same route of the same host is followed."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, unquote, urlsplit

from airflow_provider_learning360.api.credentials import is_same_origin, remove_keys
from airflow_provider_learning360.api.errors import ContractError, redact
from airflow_provider_learning360.api.sanitizer import sanitize_text

if TYPE_CHECKING:
    from airflow_provider_learning360.api.messages import Request

MAX_LINK = 64 * 1024  # characters of a header
_LINK = re.compile(r"<([^<>]*)>([^<>]*)")
_NEXT = re.compile(r";\s*rel\s*=\s*(?:\"(?:[^\"]*\s)?next(?:\s[^\"]*)?\"|next(?=\s*(?:[;,]|$)))", re.IGNORECASE)


def find_next(link: str, request: Request, seen: set[Any], host: str) -> Request | None:
    """
    Return the request of the next page.

    :param link: The `Link` header of a page; empty if it has none.
    :param request: The request of that page.
    :param seen: The queries of the pages so far, to which this one is added.
    :param host: Base URL of the connection.
    :returns: The request; None if that was the last page.
    :raises ContractError: The address is on another host or route, or was read before.

    Source: RFC 8288; 360Learning API v2, pagination.
    """
    seen.add(request.query)
    address = _find_address(link[:MAX_LINK])
    if address is None:
        return None
    problem = _problem_of(address, request, host)
    following = request if problem else replace(request, query=_read_query(address))
    if problem is None and following.query in seen:
        problem = "was read before"
    if problem is None:
        return following
    raise ContractError(
        f"{request} names a next page that {problem}. It is not followed. "
        "Check the host of the connection. If it is right, the API may have changed: please report it.",
        method=request.method,
        path=redact(request.path),
        status=200,
    )


def _read_query(address: str) -> tuple[tuple[str, str], ...]:
    given = parse_qsl(urlsplit(address).query, keep_blank_values=True)
    return remove_keys(tuple((sanitize_text(name), sanitize_text(value)) for name, value in given))


def _find_address(link: str) -> str | None:
    return next((found[1] for found in _LINK.finditer(link) if _NEXT.search(found[2])), None)


def _problem_of(address: str, request: Request, host: str) -> str | None:
    """Return why an address must not be followed, or None. The address itself is not shown: it may repeat a secret."""
    try:
        parts = urlsplit(address)
    except ValueError:
        return "is not an address"
    if (parts.scheme or parts.netloc) and not is_same_origin(address, host):
        return "is on another host"
    if unquote(parts.path) != unquote(request.path):
        return "is on another route"
    return None
