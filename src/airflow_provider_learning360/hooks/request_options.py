"""The options and headers of one request of `LearningHook.run`, checked before `requests` reads them."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from typing import Any, TypeGuard

from urllib3.util import Timeout

from airflow_provider_learning360.api.errors import FixArgumentError, redact
from airflow_provider_learning360.api.settings import character_name
from airflow_provider_learning360.hooks.tls import build_ssl_context

MAX_TIMEOUT = 1e9  # seconds; a socket takes hardly more
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


def check_options(options: Mapping[str, Any]) -> None:
    """
    Check `timeout`, `verify`, `cert` and `proxies`: with a wrong type, `requests` raises unclear errors.

    :param options: The options of the request; others are not checked.
    :raises FixArgumentError: An option has a wrong type, or a file is missing, or not a PEM file.
    """
    for name, (is_right, expected) in _OPTIONS.items():
        value = options.get(name)
        if value is not None and not is_right(value):
            # Without the value: a proxy may hold a password.
            raise FixArgumentError(f"{name} of extra_options is not valid. Give {expected}.")
    _check_files(options)


def check_headers(headers: Mapping[Any, Any]) -> None:
    """
    Check the headers of one request: the error of `http.client` would show the whole header.

    :param headers: Names and values.
    :raises FixArgumentError: A header contains a character that HTTP cannot carry, or is not a text.
    """
    for name, value in headers.items():
        if not isinstance(name, str) or not _HEADER_NAME.fullmatch(name):
            raise FixArgumentError(f"header {redact(repr(name))} has a name that HTTP does not allow.")
        text = value.decode("latin-1") if isinstance(value, bytes) else value
        if not isinstance(text, str):
            raise FixArgumentError(f"header {name!r} has a value of type {type(value).__name__}. Give a text.")
        wrong = next((one for one in text if one > "\xff" or one in "\r\n\0"), None)
        if wrong is not None:
            raise FixArgumentError(
                f"header {name!r} contains {character_name(wrong)}. Headers carry Latin-1 characters of one line only."
            )


def _check_files(options: Mapping[str, Any]) -> None:
    """Read `verify` and `cert`: `requests` would report a wrong path as a broken network."""
    verify, cert = options.get("verify"), options.get("cert")
    if cert or _is_path(verify):
        build_ssl_context(os.fspath(verify) if _is_path(verify) else False, cert)


def _is_timeout(value: Any) -> bool:
    if isinstance(value, tuple):
        return len(value) == 2 and all(one is None or _is_seconds(one) for one in value)
    return isinstance(value, Timeout) or _is_seconds(value)


def _is_seconds(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 < value <= MAX_TIMEOUT


def _is_path(value: Any) -> TypeGuard[str | os.PathLike[str]]:
    return isinstance(value, str | os.PathLike)


def _is_verify(value: Any) -> bool:
    return isinstance(value, bool) or _is_path(value)


def _is_cert(value: Any) -> bool:
    if value and isinstance(value, tuple | list):
        return len(value) == 2 and _is_path(value[0]) and (value[1] is None or _is_path(value[1]))
    return not value or isinstance(value, str)


def _is_proxies(value: Any) -> bool:
    if not isinstance(value, Mapping):
        return not value
    return all(isinstance(scheme, str) and (url is None or isinstance(url, str)) for scheme, url in value.items())


# What `requests` takes for one request, by name, and what to give instead of something else.
_OPTIONS: dict[str, tuple[Callable[[Any], bool], str]] = {
    "timeout": (_is_timeout, "a number of seconds above 0, or a pair of them"),
    "verify": (_is_verify, "true, false, or the path of a CA bundle"),
    "cert": (_is_cert, "the path of a PEM file, or a pair of paths"),
    "proxies": (_is_proxies, 'a mapping such as {"https": "http://proxy.example.com:3128"}'),
}
