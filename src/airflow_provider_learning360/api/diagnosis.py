"""The result of a connection test, in one sentence for the person who fills in the form."""

from __future__ import annotations

from airflow_provider_learning360.api.credentials import COMPANY_KEYS, KeyNames
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


def diagnose(error: LearningError, names: KeyNames = COMPANY_KEYS) -> str:
    """
    Say what is probably wrong, then what was observed.

    :param error: The error of the test, which exchanges the keys for a token and uses them.
    :param names: What 360Learning calls the keys; default company ID and API key.
    :returns: Two sentences, or the error itself where that already says what to do.
    """
    return str(error) if isinstance(error, SettingsError) else f"{_suspect(error, names)} {error}"


def accepted(host: str, seconds: float, names: KeyNames = COMPANY_KEYS) -> str:
    """
    Say that the test succeeded.

    :param host: Base URL of the connection.
    :param seconds: How long the test took.
    :param names: What 360Learning calls the keys; default company ID and API key.
    :returns: One sentence.
    """
    return f"{host} accepted {names.id} and {names.secret} in {seconds * 1000:.0f} ms."


def _suspect(error: LearningError, names: KeyNames) -> str:
    if isinstance(error, UnauthorizedError):
        if error.code == "invalid_request":
            return f"Wrong {names.id}."
        return f"Wrong {names.secret}, or a key of another company."
    if isinstance(error, RedirectError):
        return "Wrong host."
    if isinstance(error, TimedOutError):
        return "Time-out: the host is slow, or something between here and there swallows the request."
    if isinstance(error, UnreachableError):
        return "No network path to the host, or no such host."
    if isinstance(error, RateLimitedError | UnavailableError):
        return "The host is right, but not available now."
    if isinstance(error, FixConnectionError):
        return "The host responds, but the connection is not usable."
    # 360Learning sends no such response: it is another server, or a login page in between.
    return "Wrong host: this does not look like 360Learning."
