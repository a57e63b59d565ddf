"""The `aiohttp` client of a connection, and the time limits of its requests."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

from airflow_provider_learning360.api.error_mapping import error_from_timeout, error_from_transport
from airflow_provider_learning360.hooks.tls import build_connection_ssl_context

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping

    import aiohttp

    from airflow_provider_learning360.api.bodies import BodyReader
    from airflow_provider_learning360.api.errors import LearningError
    from airflow_provider_learning360.api.messages import Limits, Request
    from airflow_provider_learning360.api.settings import LearningSettings

CHUNK_SIZE = 64 * 1024  # bytes of a body that are read at once: a step of a millisecond or two
MAX_LINE = 64 * 1024  # bytes of a status line or of a header; the limit of `http.client`
KEEP_ALIVE = 15.0  # seconds for which an idle connection is kept


@dataclass
class AsyncAttempt:
    """
    The time limits of one request, from sending it to the last byte of its response.

    :param deadline: Time of the event loop, in seconds, at which the request must be over.
    :param timeout: Seconds to wait for the headers once the request is sent, and for each chunk of the body.
    :param timer: The time-out that runs until the headers have arrived; default none.
    :param is_reused: Whether the request uses a pooled connection; default False.
    """

    deadline: float
    timeout: float
    timer: asyncio.Timeout | None = None
    is_reused: bool = False

    def next_deadline(self) -> float:
        """
        Return until when to wait for the next bytes.

        :returns: Time of the event loop, in seconds.
        """
        return min(self.deadline, asyncio.get_running_loop().time() + self.timeout)

    @property
    def is_over(self) -> bool:
        """Whether the deadline has passed."""
        return asyncio.get_running_loop().time() >= self.deadline


async def open_client(settings: LearningSettings, headers: Mapping[str, str]) -> aiohttp.ClientSession:
    """
    Open the client of a connection.

    :param settings: The settings of the connection.
    :param headers: Headers of all requests.
    :returns: The client; the caller closes it.
    :raises SettingsError: `verify`, `cert` or the environment names a file that cannot be used.
    """
    # Reading certificates takes tens of milliseconds, and importing `aiohttp` takes longer.
    context = await asyncio.to_thread(build_connection_ssl_context, settings)
    await asyncio.to_thread(import_module, "aiohttp")
    import aiohttp

    client = aiohttp.ClientSession(
        headers=headers,
        # No `sock_read`: aiohttp may return a connection to its pool with that timer running, and the timer then ends
        # the next request. `AsyncAttempt` keeps the time instead.
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=settings.timeout),
        # Servers and firewalls drop idle connections, often without closing them. A later poll opens a new one.
        connector=aiohttp.TCPConnector(ssl=context, keepalive_timeout=KEEP_ALIVE),
        # `BodyReader` decompresses bodies within their limits.
        auto_decompress=False,
        max_line_size=MAX_LINE,
        max_field_size=MAX_LINE,
        trace_configs=[_build_tracing()],
        cookie_jar=aiohttp.DummyCookieJar(),
        # Not trust_env: with it, aiohttp would add passwords from ~/.netrc. `find_proxy` reads the proxies.
        trust_env=False,
    )
    # On its own, aiohttp repeats a request when the connection breaks, outside the retry budget and without a log line.
    client._retry_connection = False
    return client


def _build_tracing() -> aiohttp.TraceConfig:
    """Return the callbacks of aiohttp that tell an `AsyncAttempt` how far its request is."""
    import aiohttp

    tracing = aiohttp.TraceConfig()

    async def note_reuse(_: Any, context: Any, __: Any) -> None:
        context.trace_request_ctx.is_reused = True

    async def start_timer(_: Any, context: Any, __: Any) -> None:
        attempt: AsyncAttempt = context.trace_request_ctx
        if attempt.timer is not None:
            attempt.timer.reschedule(attempt.next_deadline())

    tracing.on_connection_reuseconn.append(note_reuse)
    tracing.on_request_headers_sent.append(start_timer)
    return tracing


async def read_content_async(
    request: Request, native: aiohttp.ClientResponse, reader: BodyReader, limits: Limits, attempt: AsyncAttempt
) -> AsyncGenerator[bytes, None]:
    """
    Yield the body of a response, decompressed, within its limits.

    :param request: The request.
    :param native: The response of `aiohttp`, of which the headers have arrived.
    :param reader: Decompresses and counts the body.
    :param limits: How much may be read, and for how long.
    :param flight: The time limits of the request.
    :raises LearningError: The body broke off, or a limit was passed.
    """
    try:
        while chunk := await _read_chunk(request, native, limits, attempt):
            for content in reader.feed(chunk):
                yield content
                # Bytes that have arrived are read without waiting. Without this pause no other coroutine would run.
                await asyncio.sleep(0)
            if reader.is_cut:
                return
        reader.close()
        native.release()
    finally:
        # Does nothing to a released connection. One with unread bytes cannot be used again.
        native.close()


async def _read_chunk(request: Request, native: aiohttp.ClientResponse, limits: Limits, attempt: AsyncAttempt) -> bytes:
    """Return the next bytes of a response, still compressed; none at its end."""
    try:
        async with asyncio.timeout_at(attempt.next_deadline()):
            chunk: bytes = await native.content.read(CHUNK_SIZE)
    except Exception as error:
        if not is_transport_error(error):
            raise
        cause: Exception = error
    else:
        return chunk
    # Outside the handler: the transport's exception holds the URL and must not be chained.
    raise error_from_aiohttp(request, cause, limits, attempt)


def is_transport_error(error: Exception) -> bool:
    """
    Whether an exception comes from the transport, and not from a bug of this provider.

    :param error: The exception.
    """
    import aiohttp

    # ValueError: a host name or header that is not valid. RuntimeError: the hook was closed meanwhile.
    return isinstance(error, aiohttp.ClientError | OSError | ValueError | RuntimeError)


def is_disconnect(error: Exception) -> bool:
    """
    Whether the server closed the connection before it sent a response.

    :param error: The exception of the transport.
    """
    import aiohttp

    return isinstance(error, aiohttp.ServerDisconnectedError | ConnectionError | aiohttp.ClientOSError)


def error_from_aiohttp(request: Request, error: Exception, limits: Limits, attempt: AsyncAttempt) -> LearningError:
    """
    Map an exception of `aiohttp` to an error; nothing of the exception's text is used.

    :param request: The request.
    :param error: The exception.
    :param limits: The limits of the response.
    :param flight: The time limits of the request.
    :returns: The error; its class says what to do next.
    """
    if attempt.is_over:
        return error_from_timeout(request, limits)
    return error_from_transport(request, error, timed_out=isinstance(error, TimeoutError), connection=limits.connection)
