"""The errors, in a tree by what to do next."""

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
    "UnknownOutcomeError",
    "UnreachableError",
]

import math
import re
from typing import TYPE_CHECKING, Any, NotRequired, TypedDict

from airflow_provider_learning360.api.redaction import hide_secrets
from airflow_provider_learning360.api.sanitizer import printable, sanitize_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

# The scope of an error whose cause is known to be another one than a missing scope.
NO_SCOPE = ""
MAX_EXCERPT = 300  # characters of a text of 360Learning that an error may carry
# Characters of a text that are searched for secrets. Searching more takes long, and only the beginning is shown.
MAX_SEARCHED = 8 * 1024
# Characters at the end of these that are not shown: a secret may be cut in two there.
MARGIN = 1024

_MAIL = re.compile(r"(?<![^\s\"'<>@,;:/=])[^\s\"'<>@,;:/=]*?(?:@|%40)[^\s\"'<>@,;:(){}\[\]/]+", re.IGNORECASE)


def redact(text: str, secrets: tuple[str, ...] = ()) -> str:
    """
    Make a text fit for an error: without secrets and mail addresses, printable, on one line, cut to `MAX_EXCERPT`.

    :param text: The text.
    :param secrets: The secrets; default none.
    :returns: The text.
    """
    searched = " ".join(_MAIL.sub("…@…", hide_secrets(text[:MAX_SEARCHED], secrets)).split())
    shown = printable(searched[:-MARGIN] + "…" if len(text) > MAX_SEARCHED else searched)
    return shown if len(shown) <= MAX_EXCERPT else shown[:MAX_EXCERPT] + "…"


def hide_mail_addresses(text: str) -> str:
    """
    Replace mail addresses in a text of several lines, also where they are a part of a URL.

    :param text: The text.
    :returns: The text; a line with an address that is longer than `MAX_SEARCHED` is cut.
    """
    if "@" not in text and "%40" not in text:
        return text
    return "\n".join(
        _MAIL.sub("…@…", one if len(one) <= MAX_SEARCHED else one[:MAX_SEARCHED] + "…") for one in text.split("\n")
    )


def contains_mail_address(text: str) -> bool:
    """
    Whether a text contains a mail address.

    :param text: The text.
    """
    return _MAIL.search(text) is not None


class ErrorDetails(TypedDict):
    """What an error knows besides its message; each may be None."""

    method: str | None
    path: str | None
    status: int | None
    code: str | None
    retry_after: float | None
    scope: NotRequired[str]
    keys: NotRequired[list[str]]


class ErrorDict(ErrorDetails):
    """An error as JSON: in the event of a trigger, and where Airflow pickles exceptions."""

    type: str
    message: str


class LearningError(Exception):
    """
    An error between Airflow and 360Learning; its subclass says what to do next.

    Its texts are printable and its numbers finite, so that every log, store and encoder of Airflow takes them.

    :param message: What happened, to what; why; and what to do. One or two lines.
    :param method: HTTP method of the request; default none was sent.
    :param path: Path of the request, without its query; default none.
    :param status: HTTP status of the response; default none arrived.
    :param code: The API's own error code or message; default none.
    :param retry_after: Seconds that the server asked to wait; default none.
    :param scope: The scope of API v2 that is missing; default none, and `NO_SCOPE` if another cause is known.
    :param keys: The keys of a document that need the scope; default none.
    """

    retryable = False
    # Whether the transport is sure that nothing was sent. Only the call that sends asks for it; no copy has it.
    is_unsent = False

    def __init__(
        self,
        message: str,
        *,
        method: str | None = None,
        path: str | None = None,
        status: int | None = None,
        code: str | None = None,
        retry_after: float | None = None,
        scope: str | None = None,
        keys: Sequence[str] = (),
    ) -> None:
        self.message = "\n".join(map(printable, message.splitlines()))
        super().__init__(self.message)
        self.method = method and sanitize_text(method)
        self.path = path and sanitize_text(path)
        self.status = status
        self.code = code and sanitize_text(code)
        self.retry_after = _seconds(retry_after)
        self.scope = scope
        self.keys = tuple(keys)

    def with_note(self, note: str, *, scope: str | None = None, keys: Sequence[str] = ()) -> LearningError:
        """
        Return the same error with a sentence added to its message.

        :param note: The sentence.
        :param scope: The scope of API v2 that is missing; default that of this error.
        :param keys: The keys of a document that need the scope; default those of this error.
        :returns: The new error.
        """
        details = self._details()
        if scope is not None:
            details["scope"] = scope
        if keys:
            details["keys"] = list(keys)
        return type(self)(f"{self.message} {note}", **details)

    def to_dict(self) -> ErrorDict:
        """
        Return the error as JSON, for the way from the triggerer to a worker.

        :returns: What `from_dict` reads.
        """
        return {"type": type(self).__name__, "message": self.message, **self._details()}

    @staticmethod
    def from_dict(data: Mapping[str, Any]) -> LearningError:
        """
        Return the error that `to_dict` wrote.

        :param data: The error as JSON.
        :returns: The error; a `LearningError` if this version does not know its type.
        """
        details: dict[str, Any] = dict(data)
        kind = _KINDS.get(details.pop("type"), LearningError)
        return kind(details.pop("message"), **details)

    def as_unknown_outcome(self) -> UnknownOutcomeError:
        """Return the same error as one that leaves open whether the request was carried out."""
        return UnknownOutcomeError(
            f"{self.message} The request may or may not have been carried out, so it is not sent again.",
            **self._details(),
        )

    def _details(self) -> ErrorDetails:
        details: ErrorDetails = {
            "method": self.method,
            "path": self.path,
            "status": self.status,
            "code": self.code,
            "retry_after": self.retry_after,
        }
        # Only where they are known: readers of an earlier version do not take them.
        if self.scope is not None:
            details["scope"] = self.scope
        if self.keys:
            details["keys"] = list(self.keys)
        return details

    def __reduce__(self) -> tuple[Any, ...]:
        # Airflow pickles exceptions between processes; the default would lose the details.
        return LearningError.from_dict, (self.to_dict(),)


class FixArgumentError(LearningError, ValueError):
    """Fix an argument of the operator or sensor: a retry will not help."""


class FixConnectionError(LearningError):
    """Fix the Airflow connection: a retry will not help."""


class SettingsError(FixConnectionError):
    """The connection is missing or incomplete, or has a setting that is not valid."""


class UnauthorizedError(FixConnectionError):
    """The API refused the company ID, the API key or the token (401)."""


class ForbiddenError(FixConnectionError):
    """The credentials are valid but may not do this (403)."""


class RedirectError(FixConnectionError):
    """The host redirects to another origin, where credentials are never sent."""


class FixIdError(LearningError):
    """Fix the ID: a retry will not help."""


class InvalidIdError(FixIdError):
    """The value is not an ID of 360Learning; nothing was sent."""


class NotFoundError(FixIdError):
    """Nothing with this ID exists in this company, or no longer."""


class RateLimitedError(LearningError):
    """The API refused the request because there were too many (429). Wait `retry_after` seconds, if it is known."""

    retryable = True


class TryAgainError(LearningError):
    """Try again later: the problem is expected to pass."""

    retryable = True


class UnreachableError(TryAgainError):
    """No response: name not found, no route, connection refused, reset or broken off."""


class TimedOutError(TryAgainError):
    """No response in time."""


class UnavailableError(TryAgainError):
    """The API reported a failure of its own (5xx)."""


class UnknownOutcomeError(LearningError):
    """A request that must not be sent twice was sent, and no response says whether it was carried out: look first."""

    def as_refusal(self) -> UnavailableError:
        """Return the error of a request that was not carried out, since the response is documented as a refusal."""
        refusal = f"{self.method} {self.path} returned {self.status}: {self.code}. It was not carried out."
        return UnavailableError(refusal, **self._details())


class ContractError(LearningError):
    """The response differs from the API's documentation, or the API refused a request that it documents."""


class TooLargeError(ContractError):
    """The response is larger than a setting of the connection allows: raise the setting, or ask for less."""


def _seconds(value: float | None) -> float | None:
    """Return seconds that every encoder takes. Callers decide how many of them they wait."""
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
        UnknownOutcomeError,
        ContractError,
        TooLargeError,
    )
}
