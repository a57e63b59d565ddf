"""The `aiohttp` client of a connection: its timeouts, TLS and proxy."""

from __future__ import annotations

import asyncio
import ssl
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

if TYPE_CHECKING:
    from collections.abc import Mapping

    import aiohttp

    from airflow_provider_learning360.api.settings import LearningSettings


async def open_client(settings: LearningSettings, headers: Mapping[str, str]) -> aiohttp.ClientSession:
    """
    Return the client for a connection.

    :param settings: The settings of the connection.
    :param headers: Headers for all requests.
    """
    import aiohttp

    # Reading certificates takes tens of milliseconds, so only where the default will not do, and in a thread.
    default = settings.verify is True and settings.cert is None
    trust = True if default else await asyncio.to_thread(_tls, settings)
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


def _tls(settings: LearningSettings) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=settings.verify if isinstance(settings.verify, str) else None)
    if settings.verify is False:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if settings.cert:
        context.load_cert_chain(settings.cert)
    return context


def proxy_of(settings: LearningSettings) -> str | None:
    """
    Return the URL of the proxy to the host, of the connection or of the environment, or None.

    :param settings: The settings of the connection.
    """
    parts = urlsplit(settings.host)
    own = settings.proxy_for(parts.scheme)
    if own or not settings.trust_env or proxy_bypass(parts.hostname or ""):
        return own
    return getproxies().get(parts.scheme)
