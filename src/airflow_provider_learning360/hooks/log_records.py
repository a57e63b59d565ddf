"""Log records of HTTP libraries: keys, tokens and mail addresses are hidden in them."""

from __future__ import annotations

import logging
import re
import threading
from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary

from airflow_provider_learning360.api.credentials import QUERY_KEY, Credentials
from airflow_provider_learning360.api.errors import hide_mail_addresses
from airflow_provider_learning360.api.redaction import HIDDEN, hide_secrets

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

# First parts of the names of loggers that may show our URLs and headers. `asyncio` and `py.warnings` log for `aiohttp`:
# they show responses and connections that nobody closed.
GUARDED = frozenset({"urllib3", "requests", "aiohttp", "asyncio", "py", "airflow_provider_learning360"})

_IN_USE: WeakValueDictionary[int, Credentials] = WeakValueDictionary()
_INSTALLING = threading.Lock()
# Finds keys by their place in a text, so also those of credentials that are no longer in use.
_SHOWN_KEY = re.compile(
    rf"""((?:{QUERY_KEY}(?:=|%3D)|(?:X-{QUERY_KEY}|Authorization)['"]?[:,] ?['"]?(?:Bearer |Basic )?))"""
    r"""(?!\*\*\*)[^\s&'"#]+""",
    re.IGNORECASE,
)


class GuardedRecords:
    """
    A factory of log records that hides keys and tokens in the records of HTTP libraries.

    A factory sees the records of every logger, also of one that is made later. A filter sees those of one logger only.

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
    """The message of a record that only tests whether records are guarded."""

    is_guarded = False


def guard_logs(credentials: Credentials) -> None:
    """
    Keep keys and tokens out of what HTTP libraries log, as long as the credentials are in use.

    :param credentials: The credentials; tokens that they get later are hidden too.
    """
    _IN_USE[id(credentials)] = credentials
    with _INSTALLING:
        make, probe = logging.getLogRecordFactory(), _Probe()
        # Another library may have wrapped or replaced our factory.
        make(next(iter(GUARDED)), logging.DEBUG, "", 0, probe, (), None)
        if not probe.is_guarded:
            logging.setLogRecordFactory(GuardedRecords(make))


def _hide_in_record(record: logging.LogRecord) -> None:
    """Turn a record that shows a secret or an address into text without it; leave any other record as it is."""
    # Not an iteration over the mapping: another thread may add to it meanwhile.
    in_use = [one for reference in _IN_USE.valuerefs() if (one := reference()) is not None]
    secrets = tuple(secret for one in in_use for secret in one.secrets)
    message = _message(record)
    trace = logging.Formatter().formatException(record.exc_info) if record.exc_info else record.exc_text
    shown = (message, _repr(record.args), trace or "", record.stack_info or "")
    # An address of a person may be in a URL: API v1 finds users by it.
    hidden = tuple(hide_mail_addresses(without_secrets(one, secrets)) for one in shown)
    if hidden == shown:
        return
    record.msg, record.args = hidden[0], ()
    # The exception itself goes: other formatters would show it, and the variables of its frames.
    record.exc_info, record.exc_text, record.stack_info = None, hidden[2] or None, hidden[3] or None


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except Exception:  # noqa: BLE001 - logging would print message and arguments as they are
        return f"{_repr(record.msg)} {_repr(record.args)}"


def _repr(value: object) -> str:
    try:
        return repr(value)
    except Exception:  # noqa: BLE001 - it has no text, so nothing is shown
        return ""


def without_secrets(text: str, secrets: Iterable[str]) -> str:
    """
    Hide secrets in a text of an HTTP library, which may contain URLs and headers.

    :param text: The text.
    :param secrets: The secrets in use.
    :returns: The text, with `***` in place of each secret.
    """
    return _SHOWN_KEY.sub(rf"\1{HIDDEN}", hide_secrets(text, secrets))
