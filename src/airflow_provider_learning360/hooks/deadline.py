"""
A time limit and a size limit for everything that one response sends, on the sockets of `requests`.

A time-out of `requests` restarts with each chunk, so that a slow response never ends. Interim responses, chunk
extensions and trailers, which `urllib3` and `http.client` read on their own, have no limit at all.
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

# Bytes besides the body: headers, interim responses, chunk sizes, trailers.
OVERHEAD = 1024 * 1024


@dataclass
class Attempt:
    """
    The limits of one attempt, and what it has used up.

    :param max_bytes: Bytes that may arrive over the socket.
    :param max_seconds: Seconds until the last of them.
    :param begun: Reading of the monotonic clock, in seconds, at the beginning; default now.
    :param bytes: Bytes that have arrived; default 0.
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
        """Whether the time limit has passed."""
        return self.seconds_left <= 0

    @property
    def was_too_large(self) -> bool:
        """Whether more bytes arrived than allowed."""
        return self.bytes > self.max_bytes


_ATTEMPT: ContextVar[Attempt | None] = ContextVar("learning360_attempt", default=None)


@contextmanager
def limit_sockets(attempt: Attempt) -> Iterator[Attempt]:
    """
    Apply the limits of an attempt to responses of requests that are sent in the block, also if they are read later.

    :param attempt: The attempt.
    :returns: A context manager.
    """
    token = _ATTEMPT.set(attempt)
    try:
        yield attempt
    finally:
        _ATTEMPT.reset(token)


def enforce_limits(adapter: Any) -> None:
    """
    Make an adapter of `requests` apply the limits of attempts to its responses.

    :param adapter: The adapter; one that opens no connections, such as that of a test, is left unchanged.
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
    """Return a class of pools whose connections read responses within limits."""
    if issubclass(pool.ConnectionCls, _LimitedConnection):
        return pool
    connection = type(f"Limited{pool.ConnectionCls.__name__}", (_LimitedConnection, pool.ConnectionCls), {})
    return type(f"Limited{pool.__name__}", (pool,), {"ConnectionCls": connection})


def read_content(
    request: Request, raw: Any, reader: BodyReader, limits: Limits, attempt: Attempt
) -> Generator[bytes, None, None]:
    """
    Yield the body of a response, decompressed, within its limits.

    :param request: The request.
    :param raw: The response of `urllib3`.
    :param reader: Decompresses and counts the body.
    :param limits: How much may be read, and for how long.
    :param attempt: The attempt.
    :raises LearningError: The body broke off, or a limit was passed.
    """
    with closing(raw):
        while chunk := _read_chunk(request, raw, limits, attempt):
            yield from reader.feed(chunk)
            if reader.is_cut:
                return
        reader.close()


def _read_chunk(request: Request, raw: Any, limits: Limits, attempt: Attempt) -> bytes:
    """Return the next bytes of a response, still compressed; none at its end."""
    try:
        chunk: bytes = raw.read1(CHUNK_SIZE, decode_content=False)
    except (requests.RequestException, HTTPError, OSError, http.client.HTTPException, ValueError) as error:
        cause: Exception = error
    else:
        return chunk
    # Outside the handler: the transport's exception holds the URL and must not be chained.
    raise error_from_requests(request, cause, limits, attempt)


def error_from_requests(request: Request, error: Exception, limits: Limits, attempt: Attempt) -> LearningError:
    """
    Map an exception of `requests` to an error; nothing of the exception's text is used.

    :param request: The request.
    :param error: The exception.
    :param limits: The limits of the response.
    :param attempt: The attempt.
    :returns: The error; its class says what to do next.
    """
    if attempt.was_too_large:
        return error_from_size(request, None, limits)
    if attempt.took_too_long:
        return error_from_timeout(request, limits)
    return error_from_transport(request, error, timed_out=_timed_out(error), connection=limits.connection)


def _timed_out(error: Exception) -> bool:
    # While the body is read, `requests` wraps a time-out in a connection error.
    kinds = (requests.Timeout, ReadTimeoutError, TimeoutError)
    return isinstance(error, kinds) or any(isinstance(one, kinds) for one in error.args)


class LimitedBody:
    """
    The body of a response as a file, from which `requests` reads it.

    :param content: Its chunks, decompressed and within their limits.
    """

    def __init__(self, content: Generator[bytes, None, None]) -> None:
        self._content = content
        self._left = b""

    def read(self, size: int | None = None) -> bytes:
        """
        Return the next bytes.

        :param size: How many; default all.
        :returns: The bytes; fewer at the end of the body.
        """
        chunks, length = [self._left], len(self._left)
        while size is None or size < 0 or length < size:
            chunk = next(self._content, b"")
            if not chunk:
                break
            chunks.append(chunk)
            length += len(chunk)
        read = b"".join(chunks)
        if size is None or size < 0:
            self._left = b""
            return read
        self._left = read[size:]
        return read[:size]

    def close(self) -> None:
        """Close the connection without reading the rest."""
        self._content.close()


class LimitedResponse(http.client.HTTPResponse):
    """
    A response that is read within the limits of its attempt.

    :param sock: The socket that it arrives on.
    """

    def __init__(self, sock: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        attempt = _ATTEMPT.get()
        if attempt is not None:
            raw = self.fp.detach()
            self.fp = io.BufferedReader(_LimitedFile(raw, sock, attempt), CHUNK_SIZE)

    def _read_status(self) -> tuple[str, int, str]:
        # Skips interim responses such as 103; `http.client` itself skips 100 only.
        while True:
            version, status, reason = super()._read_status()  # type: ignore[misc]
            if not 101 < status < 200:
                return version, status, reason
            http.client.parse_headers(self.fp)


class _LimitedConnection:
    response_class = LimitedResponse


class _LimitedFile(io.RawIOBase):
    """The bytes of a socket, within the limits of an attempt."""

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
            raise ConnectionAbortedError("the response is too large")
        return count

    def close(self) -> None:
        if not self.closed:
            self._raw.close()
        super().close()
