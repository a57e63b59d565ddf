"""The error tree, named by what the caller should do next."""

from __future__ import annotations

__all__ = [
    "ContractError",
    "FixArgumentError",
    "FixConnectionError",
    "FixIdError",
    "ForbiddenError",
    "InvalidIdError",
    "LearningError",
    "NotFoundError",
    "RateLimitedError",
    "RedirectError",
    "SettingsError",
    "TimedOutError",
    "TooLargeError",
    "TryAgainError",
    "UnauthorizedError",
    "UnavailableError",
    "UnreachableError",
]

import math
import re
from typing import Any

from airflow_provider_learning360.api.redaction import hide_secrets
from airflow_provider_learning360.api.sanitizer import printable, sanitize_text

MAX_EXCERPT = 300  # characters of an answer's body that an error may carry
# Characters of a text that are searched for secrets. To search more takes long, and so little of it is shown.
MAX_SEARCHED = 8 * 1024
# At the end of what is searched, a secret may be cut in two.
MARGIN = 1024

_MAIL = re.compile(r"(?<![^\s\"'<>@,;:/=])[^\s\"'<>@,;:/=]*?(?:@|%40)[^\s\"'<>@,;:(){}\[\]/]+", re.IGNORECASE)


def redact(text: str, secrets: tuple[str, ...] = ()) -> str:
    """Return `text` without secrets and mail addresses, printable, on one line, of `MAX_EXCERPT` characters at most."""
    searched = " ".join(_MAIL.sub("…@…", hide_secrets(text[:MAX_SEARCHED], secrets)).split())
    shown = printable(searched[:-MARGIN] + "…" if len(text) > MAX_SEARCHED else searched)
    return shown if len(shown) <= MAX_EXCERPT else shown[:MAX_EXCERPT] + "…"


def contains_mail_address(text: str) -> bool:
    """Whether a mail address is in a text."""
    return _MAIL.search(text) is not None


class LearningError(Exception):
    """
    Anything that went wrong between Airflow and 360Learning.

    Its texts are printable and its numbers finite, so that every log, store and encoder of Airflow takes them.

    :param message: What happened, to what, and what to do, in one or two lines.
    :param method: HTTP method of the request, if one was sent.
    :param path: Path of the request, without its query.
    :param status: HTTP status of the answer, if one came.
    :param code: The API's own error code or message, if it gave one.
    :param retry_after: Seconds that the server asked to wait, if it did.
    """

    retryable = False

    def __init__(
        self,
        message: str,
        *,
        method: str | None = None,
        path: str | None = None,
        status: int | None = None,
        code: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        self.message = "\n".join(map(printable, message.splitlines()))
        super().__init__(self.message)
        self.method = method and sanitize_text(method)
        self.path = path and sanitize_text(path)
        self.status = status
        self.code = code and sanitize_text(code)
        self.retry_after = _seconds(retry_after)

    def with_note(self, note: str) -> LearningError:
        """Return the same error with a sentence added to its message."""
        return type(self)(f"{self.message} {note}", **self._details())

    def to_dict(self) -> dict[str, Any]:
        """Return the error as JSON, to cross from the triggerer to a worker."""
        return {"type": type(self).__name__, "message": self.message, **self._details()}

    @staticmethod
    def from_dict(data: dict[str, Any]) -> LearningError:
        """Return the error that `to_dict` wrote; a type that this version does not know is a `LearningError`."""
        details = dict(data)
        kind = _KINDS.get(details.pop("type"), LearningError)
        return kind(details.pop("message"), **details)

    def _details(self) -> dict[str, Any]:
        return {
            "method": self.method,
            "path": self.path,
            "status": self.status,
            "code": self.code,
            "retry_after": self.retry_after,
        }

    def __reduce__(self) -> tuple[Any, ...]:
        # Airflow hands exceptions from process to process; the default would lose the details.
        return LearningError.from_dict, (self.to_dict(),)


class FixArgumentError(LearningError, ValueError):
    """Fix an argument of the operator or sensor: no repetition will help."""


class FixConnectionError(LearningError):
    """Fix the Airflow connection: no repetition will help."""


class SettingsError(FixConnectionError):
    """The connection is missing, incomplete or holds a setting that is not valid."""


class UnauthorizedError(FixConnectionError):
    """The API refused the company ID, the API key or the token (401)."""


class ForbiddenError(FixConnectionError):
    """The credentials are valid but may not do this (403)."""


class RedirectError(FixConnectionError):
    """The host redirects to another origin, where no credential is ever sent."""


class FixIdError(LearningError):
    """Fix the ID: no repetition will help."""


class InvalidIdError(FixIdError):
    """The value is no ID of 360Learning; nothing was sent."""


class NotFoundError(FixIdError):
    """360Learning knows no such thing, or no longer, or not for this company."""


class RateLimitedError(LearningError):
    """Wait `retry_after` seconds: the API refused the request because there were too many (429)."""

    retryable = True


class TryAgainError(LearningError):
    """Try again later: the trouble is expected to pass."""

    retryable = True


class UnreachableError(TryAgainError):
    """No answer: no name, no route, refused, reset, or broken off."""


class TimedOutError(TryAgainError):
    """No answer in time."""


class UnavailableError(TryAgainError):
    """The API answered that it is in trouble (5xx)."""


class ContractError(LearningError):
    """The API answered something that its contract does not allow, or refused a request that it documents."""


class TooLargeError(ContractError):
    """The answer is larger than a bound of the connection allows: raise the bound, or ask for less."""


def _seconds(value: float | None) -> float | None:
    """Return seconds that every encoder takes. How many of them anybody waits is decided by who waits."""
    return None if value is None or not math.isfinite(value) else max(value, 0.0)


_KINDS: dict[str, type[LearningError]] = {
    kind.__name__: kind
    for kind in (
        LearningError,
        FixArgumentError,
        FixConnectionError,
        SettingsError,
        UnauthorizedError,
        ForbiddenError,
        RedirectError,
        FixIdError,
        InvalidIdError,
        NotFoundError,
        RateLimitedError,
        TryAgainError,
        UnreachableError,
        TimedOutError,
        UnavailableError,
        ContractError,
        TooLargeError,
    )
}
