"""TLS of a connection: which certificates to trust, and which one to present."""

from __future__ import annotations

import os
import ssl
import stat
from functools import lru_cache
from typing import TYPE_CHECKING, TypeVar

import certifi

from airflow_provider_learning360.api.errors import FixArgumentError, SettingsError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from airflow_provider_learning360.api.settings import LearningSettings

T = TypeVar("T")

# Environment variables that name a CA bundle; the first that is set counts.
BUNDLE_VARIABLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")


def build_connection_ssl_context(settings: LearningSettings) -> ssl.SSLContext:
    """
    Build the SSL context from `verify` and `cert` of a connection. Reads files.

    :param settings: The settings of the connection.
    :returns: The context; connections without `cert` that trust the same file share one.
    :raises SettingsError: A file that `verify`, `cert` or the environment names is missing, or not a PEM file.
    """
    try:
        return build_ssl_context(find_ca_bundle(settings), settings.cert, name=_bundle_variable(settings) or "verify")
    except FixArgumentError as error:
        problem = str(error)
    raise SettingsError(f"{settings.connection} is not usable: {problem}")


def find_ca_bundle(settings: LearningSettings) -> bool | str:
    """
    Return which CA bundle to trust.

    On their own, `requests` reads two of the variables and `aiohttp` reads the third.

    :param settings: The settings of the connection.
    :returns: The path of a CA bundle, True for the bundle of certifi, or False to verify nothing.
    """
    variable = _bundle_variable(settings)
    return os.environ[variable] if variable else settings.verify


def build_ssl_context(
    verify: bool | str, cert: str | Sequence[str | None] | None, *, name: str = "verify"
) -> ssl.SSLContext:
    """
    Build an SSL context. Reads files.

    :param verify: Path of a CA bundle, True for the bundle of certifi, or False to verify nothing.
    :param cert: Path of a PEM file with certificate and key, a pair of paths, or None.
    :param name: Name of the setting or variable that gave `verify`, for the error; default `verify`.
    :returns: The context.
    :raises FixArgumentError: A file is missing, or not a PEM file.
    """
    bundle = certifi.where() if verify is True else verify
    if not cert:
        return _read_file(name, verify, lambda: _shared_context(bundle, _modification_time(bundle)))
    context = _read_file(name, verify, lambda: _new_context(bundle))
    paths = (cert,) if isinstance(cert, str) else tuple(cert)
    _read_file("cert", cert, lambda: _load_client_certificate(context, *paths))
    return context


def _bundle_variable(settings: LearningSettings) -> str | None:
    """Return the name of the environment variable that names the CA bundle, if one counts."""
    if not (settings.trust_env and settings.verify is True and settings.host.startswith("https:")):
        return None
    return next((name for name in BUNDLE_VARIABLES if os.environ.get(name)), None)


@lru_cache(maxsize=8)
def _shared_context(bundle: bool | str, modified: int) -> ssl.SSLContext:
    """Return the context of all clients that trust this file; a replaced file (`modified`) gets a new one."""
    return _new_context(bundle)


def _new_context(bundle: bool | str) -> ssl.SSLContext:
    if isinstance(bundle, bool):
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return context
    _modification_time(bundle)
    is_folder = os.path.isdir(bundle)
    return ssl.create_default_context(cafile=None if is_folder else bundle, capath=bundle if is_folder else None)


def _modification_time(path: bool | str) -> int:
    """Return when a file or folder was modified; refuse everything else, since reading a FIFO may never end."""
    if path is False:
        return 0
    status = os.stat(path)
    if not (stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode)):
        raise OSError
    return status.st_mtime_ns


def _load_client_certificate(context: ssl.SSLContext, cert: str | None, key: str | None = None) -> None:
    for path in filter(None, (cert, key)):
        _modification_time(path)
    # The empty password: otherwise OpenSSL would ask for one at the terminal, and wait.
    context.load_cert_chain(cert, key, password="")  # type: ignore[arg-type] # None is refused with a TypeError


def _read_file(name: str, value: object, read: Callable[[], T]) -> T:
    """Return what `read` returns; name the setting and its value where it cannot read the file."""
    try:
        return read()
    except (OSError, ValueError) as error:  # ValueError: the text cannot be a path
        problem = "the file does not exist" if isinstance(error, FileNotFoundError) else "it is not a usable PEM file"
    raise FixArgumentError(f"{name} is {value!r}, but {problem}.")
