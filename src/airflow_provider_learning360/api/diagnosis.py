"""What a failed connection test most likely means, in one sentence for the person at the form."""

from __future__ import annotations

from airflow_provider_learning360.api.errors import (
    FixConnectionError,
    LearningError,
    RateLimitedError,
    RedirectError,
    SettingsError,
    TimedOutError,
    UnauthorizedError,
    UnavailableError,
    UnreachableError,
)


def diagnose(error: LearningError) -> str:
    """
    Return what is probably wrong, followed by what was observed.

    :param error: What the exchange of the keys for a token ended in.
    """
    return str(error) if isinstance(error, SettingsError) else f"{_suspect(error)} {error}"


def _suspect(error: LearningError) -> str:
    if isinstance(error, UnauthorizedError):
        if error.code == "invalid_request":
            return "Wrong company ID."
        return "Wrong API key, or a key of another company."
    if isinstance(error, RedirectError):
        return "Wrong host."
    if isinstance(error, TimedOutError):
        return "Time-out: the host is slow, or something between here and there swallows the request."
    if isinstance(error, UnreachableError):
        return "No network path to the host, or no such host."
    if isinstance(error, RateLimitedError | UnavailableError):
        return "The host is right, but cannot answer now."
    if isinstance(error, FixConnectionError):
        return "The host answers, but the connection is not usable."
    # An answer that 360Learning does not give: another server, or a login page in between.
    return "Wrong host: this does not look like 360Learning."
