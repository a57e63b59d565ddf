"""The `aiohttp` client of a connection: its timeouts, TLS and proxy."""

from __future__ import annotations

import asyncio
import os
import re
import ssl
import stat
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeGuard, TypeVar

from requests.utils import DEFAULT_CA_BUNDLE_PATH, get_environ_proxies, select_proxy
from urllib3.util import Timeout

from airflow_provider_learning360.api.error_mapping import error_from_timeout, error_from_transport
from airflow_provider_learning360.api.errors import FixArgumentError, SettingsError, redact
from airflow_provider_learning360.api.settings import character_name, proxy_problem

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    import aiohttp

    from airflow_provider_learning360.api.bodies import BodyReader
    from airflow_provider_learning360.api.errors import LearningError
    from airflow_provider_learning360.api.messages import Limits, Request
    from airflow_provider_learning360.api.settings import LearningSettings

T = TypeVar("T")

CHUNK_SIZE = 64 * 1024  # bytes of a body that are read at once: a step of a millisecond or two
MAX_LINE = 64 * 1024  # bytes of a status line or of a header
KEEP_ALIVE = 15.0  # seconds for which an idle connection is kept
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
LONGEST_TIMEOUT = 1e9  # seconds; a socket takes hardly more
# Environment variables that name a CA bundle; the first that is set counts.
BUNDLE_VARIABLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")


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

    # Reading certificates takes tens of milliseconds.
    trust = await asyncio.to_thread(tls, settings)
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
        # As much as `http.client` takes.
        max_line_size=MAX_LINE,
        max_field_size=MAX_LINE,
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
            piece: bytes = await native.content.read(CHUNK_SIZE)
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

    # Also of a host name or header that cannot be one, and of a hook that was closed meanwhile.
    return isinstance(error, aiohttp.ClientError | OSError | ValueError | RuntimeError)


def is_disconnect(error: Exception) -> bool:
    """Whether the server closed the connection instead of an answer."""
    import aiohttp

    return isinstance(error, aiohttp.ServerDisconnectedError | ConnectionError | aiohttp.ClientOSError)


def error_from_aiohttp(request: Request, error: Exception, limits: Limits, flight: Flight) -> LearningError:
    """Return the error for an attempt that `aiohttp` gave up; nothing of the exception's text is used."""
    if flight.is_over:
        return error_from_timeout(request, limits)
    return error_from_transport(request, error, timed_out=isinstance(error, TimeoutError), connection=limits.connection)


def tls(settings: LearningSettings) -> ssl.SSLContext:
    """
    Build the SSL context from `verify` and `cert`. Reads files.

    :param settings: The settings of the connection.
    :raises SettingsError: A file that `verify`, `cert` or the environment names is missing, or holds something else.
    """
    try:
        return build_ssl_context(find_ca_bundle(settings), settings.cert, name=_bundle_variable(settings) or "verify")
    except FixArgumentError as error:
        problem = str(error)
    raise SettingsError(f"{settings.connection} is not usable: {problem}")


def find_ca_bundle(settings: LearningSettings) -> bool | str:
    """
    Return which CA bundle to trust: a path, True for that of certifi, or False to trust everybody.

    By themselves, `requests` reads two of the variables and `aiohttp` the third.

    :param settings: The settings of the connection.
    """
    variable = _bundle_variable(settings)
    return os.environ[variable] if variable else settings.verify


def _bundle_variable(settings: LearningSettings) -> str | None:
    if not (settings.trust_env and settings.verify is True and settings.host.startswith("https:")):
        return None
    return next((one for one in BUNDLE_VARIABLES if os.environ.get(one)), None)


def build_ssl_context(verify: bool | str, cert: Any, *, name: str = "verify") -> ssl.SSLContext:
    """
    Build an SSL context. Reads files.

    :param verify: Path of a CA bundle, True for that of certifi, or False to trust everybody.
    :param cert: Path of a PEM file with certificate and key, a pair of paths, or None.
    :param name: Where `verify` was set, for the error; default `verify`.
    :raises FixArgumentError: A file is missing, or holds something else.
    """
    bundle = DEFAULT_CA_BUNDLE_PATH if verify is True else verify
    if not cert:
        return _read(name, verify, lambda: _cached_context(bundle, _modified(bundle)))
    context = _read(name, verify, lambda: _trusting(bundle))
    _read("cert", cert, lambda: _show(context, *((cert,) if isinstance(cert, str) else cert)))
    return context


@lru_cache(maxsize=8)
def _cached_context(bundle: bool | str, modified: int) -> ssl.SSLContext:
    """Return one context for all clients that trust the same file, until it is replaced."""
    return _trusting(bundle)


def _modified(path: bool | str) -> int:
    """Return when a file or folder was modified; refuse what is neither, since reading it may never end."""
    if path is False:
        return 0
    found = os.stat(path)
    if not (stat.S_ISREG(found.st_mode) or stat.S_ISDIR(found.st_mode)):
        raise OSError
    return found.st_mtime_ns


def _trusting(bundle: bool | str) -> ssl.SSLContext:
    if isinstance(bundle, bool):
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return context
    _modified(bundle)
    is_folder = os.path.isdir(bundle)
    return ssl.create_default_context(cafile=None if is_folder else bundle, capath=bundle if is_folder else None)


def _show(context: ssl.SSLContext, cert: str, key: str | None = None) -> None:
    for path in filter(None, (cert, key)):
        _modified(path)
    # The empty password: otherwise OpenSSL would ask for one at the terminal, and wait.
    context.load_cert_chain(cert, key, password="")


def _read(name: str, value: Any, read: Callable[[], T]) -> T:
    try:
        return read()
    except (OSError, ValueError) as error:  # the latter for a path that cannot be one
        problem = "there is no such file" if isinstance(error, FileNotFoundError) else "it is no usable PEM file"
    raise FixArgumentError(f"{name} is {value!r}, but {problem}.")


def check_options(options: Mapping[str, Any]) -> None:
    """
    Check the options of one request: `requests` would raise whatever a wrong type leads to.

    :param options: The options of the request.
    :raises FixArgumentError: An option is of a wrong type, or a file is missing, or holds something else.
    """
    for name, (is_right, expected) in _OPTIONS.items():
        value = options.get(name)
        if value is not None and not is_right(value):
            # Without the value: a proxy may hold a password.
            raise FixArgumentError(f"{name} of extra_options is no {expected}.")
    check_tls_options(options)


def _is_timeout(value: Any) -> bool:
    if isinstance(value, tuple):
        return len(value) == 2 and all(one is None or _is_time(one) for one in value)
    return isinstance(value, Timeout) or _is_time(value)


def _is_time(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 < value <= LONGEST_TIMEOUT


def _is_path(value: Any) -> TypeGuard[str | os.PathLike[str]]:
    return isinstance(value, str | os.PathLike)


def _is_cert(value: Any) -> bool:
    if value and isinstance(value, tuple | list):
        return len(value) == 2 and _is_path(value[0]) and (value[1] is None or _is_path(value[1]))
    return not value or isinstance(value, str)


def _is_proxies(value: Any) -> bool:
    if not isinstance(value, Mapping):
        return not value
    return all(isinstance(scheme, str) and (url is None or isinstance(url, str)) for scheme, url in value.items())


# What `requests` takes for one request, by name, and how to say so.
_OPTIONS: dict[str, tuple[Callable[[Any], bool], str]] = {
    "timeout": (_is_timeout, "number of seconds above 0, nor a pair of them"),
    "verify": (lambda value: isinstance(value, bool) or _is_path(value), "path of a CA bundle, nor true or false"),
    "cert": (_is_cert, "path of a PEM file, nor a pair of paths"),
    "proxies": (_is_proxies, 'mapping such as {"https": "http://proxy.example.com:3128"}'),
}


def check_tls_options(options: Mapping[str, Any]) -> None:
    """
    Check `verify` and `cert` of one request: `requests` would report a wrong path as a broken network.

    :param options: The options of the request.
    :raises FixArgumentError: A file is missing, or holds something else.
    """
    verify, cert = options.get("verify"), options.get("cert")
    if cert or _is_path(verify):
        build_ssl_context(os.fspath(verify) if _is_path(verify) else False, cert)


def check_headers(headers: Mapping[Any, Any]) -> None:
    """
    Check the headers of one request: the error of `http.client` would hold the whole header.

    :param headers: The headers.
    :raises FixArgumentError: A header holds a character that HTTP cannot carry.
    """
    for name, value in headers.items():
        if not isinstance(name, str) or not _HEADER_NAME.fullmatch(name):
            raise FixArgumentError(f"header {redact(repr(name))}: this is not the name of a header.")
        text = value.decode("latin-1") if isinstance(value, bytes) else value
        if not isinstance(text, str):
            raise FixArgumentError(f"header {name!r} is a {type(value).__name__}. Give a text.")
        wrong = next((one for one in text if one > "\xff" or one in "\r\n\0"), None)
        if wrong is not None:
            raise FixArgumentError(
                f"header {name!r} contains {character_name(wrong)}. Headers carry Latin-1 characters of one line only."
            )


def find_proxy(settings: LearningSettings) -> str | None:
    """
    Return the URL of the proxy to the host, of the connection or of the environment, or None.

    :param settings: The settings of the connection.
    :raises SettingsError: The environment names a proxy that cannot be used.

    Source: `requests.Session.merge_environment_settings`, so that both hooks take the same proxy.
    """
    proxies = {scheme: proxy for scheme in ("http", "https") if (proxy := settings.proxy_for(scheme))}
    if settings.trust_env:
        proxies = {**get_environ_proxies(settings.host), **proxies}
    proxy = select_proxy(settings.host, proxies)
    if not proxy:
        return None
    problem = proxy_problem(proxy)
    if problem:
        # Without the address, which may hold a password.
        raise SettingsError(
            f"{settings.connection} is not usable: the environment names a proxy (such as HTTPS_PROXY), but {problem}. "
            "Mend the variable, or set proxies or `trust_env: false` in the connection."
        )
    # As `requests` reads it: a proxy without a scheme speaks HTTP.
    return proxy if "://" in proxy else f"http://{proxy}"
