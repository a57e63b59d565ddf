"""Guards of the `requests` transport: where credentials may go, and what may be logged."""

from __future__ import annotations

import logging
import re
import threading
from http.cookiejar import DefaultCookiePolicy
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from weakref import WeakValueDictionary

import requests

from airflow_provider_learning360.api.credentials import (
    QUERY_KEY,
    REPEATED_CREDENTIAL,
    Credentials,
    is_same_origin,
    repeats_credential,
)
from airflow_provider_learning360.api.errors import RedirectError, redact
from airflow_provider_learning360.api.redaction import HIDDEN, hide_secrets

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

# Roots of the loggers that may show our URLs and headers. `asyncio` and `py.warnings` speak for `aiohttp`:
# they show responses and connections that nobody closed.
GUARDED = frozenset({"urllib3", "requests", "aiohttp", "asyncio", "py", "airflow_provider_learning360"})

_IN_USE: WeakValueDictionary[int, Credentials] = WeakValueDictionary()
_INSTALLING = threading.Lock()
# Also of credentials that are no longer in use.
_SHOWN_KEY = re.compile(
    rf"""((?:{QUERY_KEY}(?:=|%3D)|(?:X-{QUERY_KEY}|Authorization)['"]?[:,] ?['"]?(?:Bearer |Basic )?))"""
    r"""(?!\*\*\*)[^\s&'"#]+""",
    re.IGNORECASE,
)


class OneOriginSession(requests.Session):
    """A session whose redirects stay on one origin: `requests` would carry the key headers to any host."""

    def __init__(self, host: str, credentials: Credentials) -> None:
        super().__init__()
        self._host = host
        self._credentials = credentials
        # It keeps no cookie that an answer sets: no request of the hook sends one.
        self.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))

    def send(self, request: requests.PreparedRequest, **kwargs: Any) -> requests.Response:
        try:
            response = super().send(request, **kwargs)
        except requests.RequestException as error:
            kind, text = type(error), _text_of(error)
            hidden = without_secrets(text, self._credentials.secrets)
            if hidden == str(error) and self._credentials.mode != "query":
                raise
        else:
            # What `raise_for_status` shows.
            response.url = without_secrets(response.url or "", self._credentials.secrets)
            response.reason = without_secrets(response.reason or "", self._credentials.secrets)
            return response
        # Outside of the handler: the transport's own exception shows the URL, with the keys in it.
        raise kind(hidden)

    def merge_environment_settings(self, url: Any, proxies: Any, stream: Any, verify: Any, cert: Any) -> Any:
        # Named: otherwise a CA bundle of the environment would win over `verify: false`.
        named = self.verify if verify is None else verify
        return super().merge_environment_settings(url, proxies, stream, named, cert)

    def resolve_redirects(self, *args: Any, yield_requests: bool = False, **kwargs: Any) -> Iterator[Any]:
        if yield_requests:
            # Nobody follows: `requests` would only prepare `Response.next`. The exchange looks at the answer itself.
            return iter(())
        followed: Iterator[Any] = super().resolve_redirects(*args, **kwargs)
        return followed

    def get_redirect_target(self, resp: requests.Response) -> str | None:
        target = super().get_redirect_target(resp)
        if target and repeats_credential(target, self._credentials.secrets):
            raise RedirectError(f"{resp.request.method} {REPEATED_CREDENTIAL}", status=resp.status_code)
        return target

    def rebuild_auth(self, prepared_request: requests.PreparedRequest, response: requests.Response) -> None:
        parts = urlsplit(prepared_request.url or "")
        if not is_same_origin(parts.geturl(), self._host):
            pointed = redact(f"{parts.scheme}://{parts.hostname}", self._credentials.secrets)
            raise RedirectError(
                f"{self._host} redirects to {pointed}, where no credential goes. "
                "If that is the right address, set it as the host of the connection.",
                status=response.status_code,
            )
        # Keys in the query do not survive a redirect by themselves.
        prepared_request.prepare_auth(self.auth)


def _text_of(error: requests.RequestException) -> str:
    if isinstance(error, requests.exceptions.ChunkedEncodingError):
        # Its own text quotes a part of the answer, which may be a part of a secret that nobody recognizes.
        return "The answer broke off, or its chunks cannot be read."
    return str(error)


class GuardedRecords:
    """
    Make log records, and hide keys and tokens in those of HTTP libraries.

    A factory of records sees every logger, also one that is made later. A filter sees the records of one logger only.

    :param make: The factory that makes the records.
    """

    def __init__(self, make: Callable[..., logging.LogRecord]) -> None:
        self._make = make

    def __call__(self, *args: Any, **kwargs: Any) -> logging.LogRecord:
        record = self._make(*args, **kwargs)
        if isinstance(record.msg, _Probe):
            record.msg.is_guarded = True
        elif isinstance(record.name, str) and record.name.partition(".")[0] in GUARDED:
            _hide_in_record(record)
        return record


class _Probe:
    """The message of a record that is made to see whether records are guarded."""

    is_guarded = False


def guard_logs(credentials: Credentials) -> None:
    """
    Keep keys and tokens out of what HTTP libraries log, as long as the credentials are in use.

    :param credentials: The credentials; tokens that they get later are hidden too.
    """
    _IN_USE[id(credentials)] = credentials
    with _INSTALLING:
        make, probe = logging.getLogRecordFactory(), _Probe()
        # Another library may have put a factory of its own around ours, or in its place.
        make(next(iter(GUARDED)), logging.DEBUG, "", 0, probe, (), None)
        if not probe.is_guarded:
            logging.setLogRecordFactory(GuardedRecords(make))


def _hide_in_record(record: logging.LogRecord) -> None:
    """Turn a record that shows a secret into text without it; leave any other record as it is."""
    # Not an iteration over the mapping: it may grow meanwhile in another thread.
    in_use = [one for reference in _IN_USE.valuerefs() if (one := reference()) is not None]
    secrets = tuple(secret for one in in_use for secret in one.secrets)
    message = _message(record)
    trace = logging.Formatter().formatException(record.exc_info) if record.exc_info else record.exc_text
    shown = (message, _repr(record.args), trace or "", record.stack_info or "")
    hidden = tuple(without_secrets(one, secrets) for one in shown)
    if hidden == shown:
        return
    record.msg, record.args = hidden[0], ()
    # The exception itself goes: formatters of others would show it, and the variables of its frames.
    record.exc_info, record.exc_text, record.stack_info = None, hidden[2] or None, hidden[3] or None


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except Exception:  # noqa: BLE001 - logging would print message and arguments as they are
        return f"{_repr(record.msg)} {_repr(record.args)}"


def _repr(value: object) -> str:
    try:
        return repr(value)
    except Exception:  # noqa: BLE001 - nobody can show it, so nothing is shown
        return ""


def without_secrets(text: str, secrets: Iterable[str]) -> str:
    """
    Return a text of an HTTP library, which may hold URLs and headers, without secrets.

    :param text: The text.
    :param secrets: The secrets in use.
    """
    return _SHOWN_KEY.sub(rf"\1{HIDDEN}", hide_secrets(text, secrets))
