"""Requests that reached the simulator, and how they look in a log."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import quote, urlencode

_SECRET = re.compile("key|secret|token|company|password", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class SeenRequest:
    """One request as it came in. Secrets are kept, because tests look for them.

    :param method: HTTP method.
    :param path: the path as sent, still percent-encoded, without the query.
    :param query: the query, decoded; of a repeated name the last value.
    :param headers: the headers, names in lower case.
    :param body: the body's bytes.
    :param at: when it arrived, ``time.monotonic()``.
    :param status: the answer's status; 0 when the connection was closed without one.
    :param connection: the number of the TCP connection, counted from 1.
    """

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes
    at: float
    status: int
    connection: int


def masked(query: dict[str, str]) -> dict[str, str]:
    """The query with every secret blotted out."""
    return {name: "***" if _SECRET.search(name) else value for name, value in query.items()}


def line(seen: SeenRequest, status: int, size: int, note: str) -> str:
    """One line for the log: time, method, path without secrets, status, bytes, scenarios in play.

    :param seen: the request.
    :param status: the status that was sent; 0 for none.
    :param size: bytes of body that were sent.
    :param note: the scenarios in play, or nothing.
    """
    path = quote(seen.path, safe="/%:@!$&'()*+,;=~")  # no control character reaches a terminal
    query = f"?{urlencode(masked(seen.query), safe='*')}" if seen.query else ""
    time = datetime.now().strftime("%H:%M:%S")
    outcome = f"{status or 'dropped'}  {size} bytes"
    return f"{time}  {seen.method} {path}{query}  {outcome}" + (f"  [{note}]" if note else "")
