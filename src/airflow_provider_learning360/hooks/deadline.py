"""
A deadline and a limit for all that one answer sends, on the sockets of `requests`.

A time-out of `requests` counts from one piece to the next, so that an answer which drips never ends. What `urllib3` and
`http.client` read by themselves, such as interim answers, chunk extensions and trailers, has no limit at all.
"""

from __future__ import annotations

import http.client
import io
import time
from contextlib import closing, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import requests
from urllib3.exceptions import HTTPError, ReadTimeoutError

from airflow_provider_learning360.api.bodies import CHUNK_SIZE, error_from_size
from airflow_provider_learning360.api.error_mapping import error_from_timeout, error_from_transport

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from airflow_provider_learning360.api.bodies import BodyReader
    from airflow_provider_learning360.api.errors import LearningError
    from airflow_provider_learning360.api.messages import Limits, Request

# Bytes beside the body: headers, interim answers, chunk sizes, trailers.
OVERHEAD = 1024 * 1024


@dataclass
class Attempt:
    """
    What one attempt may take.

    :param max_bytes: Bytes that may come over the socket in all.
    :param max_seconds: Seconds until the last of them.
    """

    max_bytes: int
    max_seconds: float
    begun: float = field(default_factory=lambda: time.monotonic())
    bytes: int = 0

    @property
    def seconds_left(self) -> float:
        """Seconds that are left."""
        return self.begun + self.max_seconds - time.monotonic()

    @property
    def took_too_long(self) -> bool:
        """Whether the time is over."""
        return self.seconds_left <= 0

    @property
    def was_too_large(self) -> bool:
        """Whether more came than may come."""
        return self.bytes > self.max_bytes


_ATTEMPT: ContextVar[Attempt | None] = ContextVar("learning360_attempt", default=None)


@contextmanager
def limit_sockets(attempt: Attempt) -> Iterator[Attempt]:
    """
    Hold the answers to what is sent in a block to the limits of an attempt, also where they are read later.

    :param attempt: The attempt.
    """
    token = _ATTEMPT.set(attempt)
    try:
        yield attempt
    finally:
        _ATTEMPT.reset(token)


def enforce_limits(adapter: Any) -> None:
    """
    Let an adapter of `requests` open connections whose answers are held to the limits of their attempt.

    :param adapter: The adapter. One that opens no connections, such as that of a test, is left as it is.
    """
    manager = getattr(adapter, "poolmanager", None)
    if manager is None or getattr(adapter, "_learning360_is_limited", False):
        return
    _limit_pools(manager)
    open_proxy = adapter.proxy_manager_for

    def proxy_manager_for(*args: Any, **kwargs: Any) -> Any:
        return _limit_pools(open_proxy(*args, **kwargs))

    adapter.proxy_manager_for = proxy_manager_for
    adapter._learning360_is_limited = True


def _limit_pools(manager: Any) -> Any:
    pools = manager.pool_classes_by_scheme
    manager.pool_classes_by_scheme = {scheme: _limited_pool(pool) for scheme, pool in pools.items()}
    return manager


@lru_cache(maxsize=16)
def _limited_pool(pool: Any) -> Any:
    """Return a class of pools whose connections read answers within limits."""
    if issubclass(pool.ConnectionCls, _LimitedConnection):
        return pool
    connection = type(f"Limited{pool.ConnectionCls.__name__}", (_LimitedConnection, pool.ConnectionCls), {})
    return type(f"Limited{pool.__name__}", (pool,), {"ConnectionCls": connection})


def read_content(
    request: Request, raw: Any, reader: BodyReader, limits: Limits, attempt: Attempt
) -> Generator[bytes, None, None]:
    """Yield the content of an answer of `urllib3`, decompressed, within its limits."""
    with closing(raw):
        while piece := _next_piece(request, raw, limits, attempt):
            yield from reader.feed(piece)
            if reader.is_cut:
                return
        reader.close()


def _next_piece(request: Request, raw: Any, limits: Limits, attempt: Attempt) -> bytes:
    """Return the next bytes of an answer as they came, none at its end."""
    try:
        piece: bytes = raw.read1(CHUNK_SIZE, decode_content=False)
    except (requests.RequestException, HTTPError, OSError, http.client.HTTPException, ValueError) as error:
        trouble: Exception = error
    else:
        return piece
    # Outside of the handler: nothing may drag the transport's exception, with its URL, into a log.
    raise error_from_requests(request, trouble, limits, attempt)


def error_from_requests(request: Request, error: Exception, limits: Limits, attempt: Attempt) -> LearningError:
    """Return the error for an attempt that `requests` gave up; nothing of the exception's text is used."""
    if attempt.was_too_large:
        return error_from_size(request, None, limits)
    if attempt.took_too_long:
        return error_from_timeout(request, limits)
    return error_from_transport(request, error, timed_out=_timed_out(error), connection=limits.connection)


def _timed_out(error: Exception) -> bool:
    # Inside of a body, `requests` hides a time-out in an error of the connection.
    kinds = (requests.Timeout, ReadTimeoutError, TimeoutError)
    return isinstance(error, kinds) or any(isinstance(one, kinds) for one in error.args)


class LimitedBody:
    """
    The content of an answer as the file that `requests` reads it from.

    :param content: The content, decompressed and within its limits.
    """

    def __init__(self, content: Generator[bytes, None, None]) -> None:
        self._content = content
        self._left = b""

    def read(self, size: int | None = None) -> bytes:
        """Return the next bytes, all of them without a size."""
        pieces, length = [self._left], len(self._left)
        while size is None or size < 0 or length < size:
            piece = next(self._content, b"")
            if not piece:
                break
            pieces.append(piece)
            length += len(piece)
        read = b"".join(pieces)
        if size is None or size < 0:
            self._left = b""
            return read
        self._left = read[size:]
        return read[:size]

    def close(self) -> None:
        """Read no more of it."""
        self._content.close()


class LimitedResponse(http.client.HTTPResponse):
    """An answer that is read within the limits of its attempt."""

    def __init__(self, sock: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        attempt = _ATTEMPT.get()
        if attempt is not None:
            raw = self.fp.detach()
            self.fp = io.BufferedReader(_LimitedFile(raw, sock, attempt), CHUNK_SIZE)

    def _read_status(self) -> tuple[str, int, str]:
        # Interim answers, such as 103. `http.client` itself passes over 100 only.
        while True:
            version, status, reason = super()._read_status()  # type: ignore[misc]
            if not 101 < status < 200:
                return version, status, reason
            http.client.parse_headers(self.fp)


class _LimitedConnection:
    response_class = LimitedResponse


class _LimitedFile(io.RawIOBase):
    """The bytes of a socket, as long as the limits of an attempt allow."""

    def __init__(self, raw: Any, sock: Any, attempt: Attempt) -> None:
        self._raw = raw
        self._sock = sock
        self._attempt = attempt
        self._timeout: float | None = sock.gettimeout()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        attempt = self._attempt
        left = attempt.seconds_left
        if left <= 0:
            raise TimeoutError("the attempt takes too long")
        self._sock.settimeout(left if self._timeout is None else min(left, self._timeout))
        count: int | None = self._raw.readinto(buffer)
        attempt.bytes += count or 0
        if attempt.was_too_large:
            raise ConnectionAbortedError("the answer is too large")
        return count

    def close(self) -> None:
        if not self.closed:
            self._raw.close()
        super().close()
