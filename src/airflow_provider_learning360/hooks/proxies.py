"""The proxy between this machine and 360Learning."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from urllib.request import getproxies, getproxies_environment, proxy_bypass

from airflow_provider_learning360.api.errors import SettingsError
from airflow_provider_learning360.api.settings import proxy_problem

if TYPE_CHECKING:
    from airflow_provider_learning360.api.settings import LearningSettings


def find_proxy(settings: LearningSettings) -> str | None:
    """
    Return the proxy to the host of a connection: that of the connection, else that of the environment.

    It is the one that `requests` chooses. Not with `requests.utils`, which loads all of `requests`: a triggerer does
    not need it.

    :param settings: The settings of the connection.
    :returns: The URL of the proxy, or None for a direct connection.
    :raises SettingsError: The environment names a proxy that cannot be used.

    Source: `requests.Session.merge_environment_settings`.
    """
    proxies = {scheme: proxy for scheme in ("http", "https") if (proxy := settings.proxy_for(scheme))}
    if settings.trust_env and not _bypasses_proxy(settings.host):
        proxies = {**getproxies(), **proxies}
    proxy = _select_proxy(settings.host, proxies)
    if not proxy:
        return None
    problem = proxy_problem(proxy)
    if problem:
        # Without the address, which may hold a password.
        raise SettingsError(
            f"{settings.connection} is not usable: the environment names a proxy (such as HTTPS_PROXY), but {problem}. "
            "Correct the variable, or set `proxies` or `trust_env: false` in the connection."
        )
    # As `requests` reads it: a proxy without a scheme speaks HTTP.
    return proxy if "://" in proxy else f"http://{proxy}"


def _select_proxy(host: str, proxies: dict[str, str]) -> str | None:
    parts = urlsplit(host)
    keys = (f"{parts.scheme}://{parts.hostname}", parts.scheme, f"all://{parts.hostname}", "all")
    return next((proxies[key] for key in keys if key in proxies), None)


def _bypasses_proxy(host: str) -> bool:
    """Whether `NO_PROXY` names the host: its name, a domain above it, or a network such as 10.0.0.0/8."""
    parts = urlsplit(host)
    name = parts.hostname or ""
    try:
        address = IPv4Address(name)
    except ValueError:
        return bool(proxy_bypass(f"{name}:{parts.port}" if parts.port else name))
    return bool(proxy_bypass(name)) or any(address in network for network in _direct_networks())


def _direct_networks() -> list[IPv4Network]:
    """Return the networks that `NO_PROXY` names; `urllib` knows names and single addresses only."""
    networks = []
    for text in getproxies_environment().get("no", "").split(","):
        try:
            network = IPv4Network(text.strip(), strict=False)
        except ValueError:
            continue
        if network.prefixlen:  # `requests` does not take /0 for all addresses
            networks.append(network)
    return networks
