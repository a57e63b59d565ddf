"""The requests that reached the simulator, and the line that the log has for each."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode

if TYPE_CHECKING:
    from collections.abc import Iterable

_SECRET = re.compile("key|secret|token|company|password", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class SeenRequest:
    """A request as it arrived. Secrets are kept, because tests check them.

    :param method: HTTP method.
    :param path: the path as sent, still percent-encoded, without the query.
    :param query: the query, decoded; of a repeated name the last value.
    :param headers: the headers, names in lower case.
    :param body: the body's bytes.
    :param at: when it arrived, ``time.monotonic()``.
    :param status: the status of the response; 0 when the connection was closed without one.
    :param connection: the number of the TCP connection, counted from 1.
    :param query_pairs: the query, decoded, in order, with every value of a repeated name.
    """

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes
    at: float
    status: int
    connection: int
    query_pairs: tuple[tuple[str, str], ...] = ()


def mask_secrets(query: dict[str, str]) -> dict[str, str]:
    """Return the query with every secret replaced."""
    return dict(mask_pairs(query.items()))


def mask_pairs(pairs: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return the pairs of a query with every secret replaced."""
    return [(name, "***" if _SECRET.search(name) else value) for name, value in pairs]


def log_line(seen: SeenRequest, status: int, size: int, note: str) -> str:
    """Return the line of a request: time, method, path without secrets, status, bytes, scenarios.

    :param seen: the request.
    :param status: the status that was sent; 0 for none.
    :param size: bytes of the body that were sent.
    :param note: the scenarios that shaped the response, or nothing.
    """
    path = quote(seen.path, safe="/%:@!$&'()*+,;=~")  # a terminal would obey control characters
    query = f"?{urlencode(mask_pairs(seen.query_pairs), safe='*')}" if seen.query_pairs else ""
    time = datetime.now().strftime("%H:%M:%S")
    outcome = f"{status or 'dropped'}  {size} bytes"
    return f"{time}  {seen.method} {path}{query}  {outcome}" + (f"  [{note}]" if note else "")
