"""The `aiohttp` client of a connection: its timeouts, TLS and proxy."""

from __future__ import annotations

import asyncio
import os
import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from airflow_provider_learning360.api.errors import SettingsError
from airflow_provider_learning360.api.refusals import no_answer, took_too_long

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Mapping

    import aiohttp

    from airflow_provider_learning360.api.bodies import BodyReader
    from airflow_provider_learning360.api.errors import LearningError
    from airflow_provider_learning360.api.messages import Limits, Request
    from airflow_provider_learning360.api.settings import LearningSettings

T = TypeVar("T")

PIECE = 64 * 1024  # bytes of a body that are read at once: a step of a millisecond or two
KEEP_ALIVE = 15.0  # seconds for which an idle connection is kept


@dataclass
class Flight:
    """
    The time that one request has, from sending it to the last byte of its answer.

    :param deadline: Time of the event loop at which it must be over.
    :param timeout: Seconds to wait for the headers of the answer once the request is sent, and for each piece of it.
    :param timer: The time-out that runs until the headers are there.
    :param is_reused: Whether it uses a connection that was used before.
    """

    deadline: float
    timeout: float
    timer: asyncio.Timeout | None = None
    is_reused: bool = False

    def next_deadline(self) -> float:
        """Return the time of the event loop until which to wait for what comes next."""
        return min(self.deadline, asyncio.get_running_loop().time() + self.timeout)

    @property
    def is_over(self) -> bool:
        """Whether its time is over."""
        return asyncio.get_running_loop().time() >= self.deadline


def _tracing() -> aiohttp.TraceConfig:
    """Return what tells a `Flight` how far its request is."""
    import aiohttp

    tracing = aiohttp.TraceConfig()

    async def note_reuse(_: Any, context: Any, __: Any) -> None:
        context.trace_request_ctx.is_reused = True

    async def start_timer(_: Any, context: Any, __: Any) -> None:
        flight: Flight = context.trace_request_ctx
        if flight.timer is not None:
            flight.timer.reschedule(flight.next_deadline())

    tracing.on_connection_reuseconn.append(note_reuse)
    tracing.on_request_headers_sent.append(start_timer)
    return tracing


async def open_client(settings: LearningSettings, headers: Mapping[str, str]) -> aiohttp.ClientSession:
    """
    Return the client for a connection.

    :param settings: The settings of the connection.
    :param headers: Headers for all requests.
    """
    import aiohttp

    # Reading certificates takes tens of milliseconds, so only where the default will not do, and in a thread.
    default = settings.verify is True and settings.cert is None
    trust = True if default else await asyncio.to_thread(tls, settings)
    client = aiohttp.ClientSession(
        headers=headers,
        # No `sock_read`: aiohttp may give a connection back to its pool with that timer running, which then ends the
        # next request. `Flight` keeps the time instead.
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=settings.timeout),
        # Servers and firewalls drop connections that nobody uses, often without a word. A poll that comes later opens
        # a new one.
        connector=aiohttp.TCPConnector(ssl=trust, keepalive_timeout=KEEP_ALIVE),
        # Bodies are decompressed within their limits, by `BodyReader`.
        auto_decompress=False,
        trace_configs=[_tracing()],
        cookie_jar=aiohttp.DummyCookieJar(),
        # Not trust_env: with it, aiohttp would add passwords from ~/.netrc. See proxy_of for the proxies.
        trust_env=False,
    )
    # By itself it would send a request twice where the connection breaks, past the budget and unseen.
    client._retry_connection = False
    return client


async def read_content_async(
    request: Request, native: aiohttp.ClientResponse, reader: BodyReader, limits: Limits, flight: Flight
) -> AsyncGenerator[bytes, None]:
    """Yield the content of an answer, decompressed, within its limits."""
    try:
        while piece := await _next_piece(request, native, limits, flight):
            for content in reader.feed(piece):
                yield content
                # What has arrived already is read without waiting, so that nobody else would get a turn.
                await asyncio.sleep(0)
            if reader.is_cut:
                return
        reader.close()
        native.release()
    finally:
        # Does nothing to a connection that was given back. One with something left to read cannot be used again.
        native.close()


async def _next_piece(request: Request, native: aiohttp.ClientResponse, limits: Limits, flight: Flight) -> bytes:
    """Return the next bytes of an answer as they came, none at its end."""
    try:
        async with asyncio.timeout_at(flight.next_deadline()):
            piece: bytes = await native.content.read(PIECE)
    except Exception as error:
        if not is_transport_trouble(error):
            raise
        trouble: Exception = error
    else:
        return piece
    # Outside of the handler: nothing may drag the transport's exception, with its URL, into a log.
    raise error_from_aiohttp(request, trouble, limits, flight)


def is_transport_trouble(error: Exception) -> bool:
    """Whether an exception is one of the transport, and not a mistake of ours."""
    import aiohttp

    # Also of a host name that cannot be one, and of a hook that was closed meanwhile.
    return isinstance(error, aiohttp.ClientError | OSError | UnicodeError | RuntimeError)


def is_disconnect(error: Exception) -> bool:
    """Whether the server closed the connection instead of an answer."""
    import aiohttp

    return isinstance(error, aiohttp.ServerDisconnectedError | ConnectionError | aiohttp.ClientOSError)


def error_from_aiohttp(request: Request, error: Exception, limits: Limits, flight: Flight) -> LearningError:
    """Return the error for an attempt that `aiohttp` gave up; nothing of the exception's text is used."""
    if flight.is_over:
        return took_too_long(request, limits)
    return no_answer(request, error, timed_out=isinstance(error, TimeoutError), connection=limits.connection)


def tls(settings: LearningSettings) -> ssl.SSLContext:
    """
    Return whom to trust, and who we are, in TLS. Reads files.

    :param settings: The settings of the connection.
    :raises SettingsError: A file that `verify` or `cert` names is missing, or holds something else.
    """
    context = _read("verify", settings, lambda: _trusting(settings.verify))
    if settings.cert:
        cert = settings.cert
        _read("cert", settings, lambda: context.load_cert_chain(cert))
    return context


def _trusting(verify: bool | str) -> ssl.SSLContext:
    bundle = verify if isinstance(verify, str) else None
    is_folder = bundle is not None and os.path.isdir(bundle)
    context = ssl.create_default_context(cafile=None if is_folder else bundle, capath=bundle if is_folder else None)
    if verify is False:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _read(name: str, settings: LearningSettings, read: Callable[[], T]) -> T:
    try:
        return read()
    except OSError as error:
        problem = "there is no such file" if isinstance(error, FileNotFoundError) else "it is no usable PEM file"
    raise SettingsError(f"{settings.connection} is not usable: {name} is {getattr(settings, name)!r}, but {problem}.")


def proxy_of(settings: LearningSettings) -> str | None:
    """
    Return the URL of the proxy to the host, of the connection or of the environment, or None.

    :param settings: The settings of the connection.
    """
    parts = urlsplit(settings.host)
    proxy = settings.proxy_for(parts.scheme)
    if not proxy and settings.trust_env and not proxy_bypass(parts.hostname or ""):
        named = getproxies()
        proxy = named.get(parts.scheme) or named.get("all")
    # As `requests` reads it: a proxy without a scheme speaks HTTP.
    return f"http://{proxy}" if proxy and "://" not in proxy else proxy
