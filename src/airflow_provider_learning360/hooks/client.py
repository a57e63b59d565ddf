"""The `aiohttp` client of a connection: its timeouts, TLS and proxy."""

from __future__ import annotations

import asyncio
import os
import ssl
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from airflow_provider_learning360.api.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import aiohttp

    from airflow_provider_learning360.api.settings import LearningSettings

T = TypeVar("T")


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
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=settings.timeout, sock_read=settings.timeout),
        # A poller keeps its one connection from look to look, however far they are apart.
        connector=aiohttp.TCPConnector(ssl=trust, keepalive_timeout=3600),
        cookie_jar=aiohttp.DummyCookieJar(),
        # Not trust_env: with it, aiohttp would add passwords from ~/.netrc. See proxy_of for the proxies.
        trust_env=False,
    )
    # By itself it would send a request twice where the connection breaks, past the budget and unseen.
    client._retry_connection = False
    return client


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
