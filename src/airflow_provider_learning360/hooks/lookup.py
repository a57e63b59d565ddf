"""Tell a connection that is missing from an Airflow that does not answer."""

from __future__ import annotations

from typing import Any

from airflow.providers.common.compat.sdk import AirflowNotFoundException

from airflow_provider_learning360.api.errors import SettingsError, TryAgainError

try:
    from airflow.sdk.exceptions import AirflowRuntimeError
except ImportError:  # Airflow below 3.0
    AirflowRuntimeError = None  # type: ignore[assignment,misc]

NOT_FOUND, DENIED = "CONNECTION_NOT_FOUND", "PERMISSION_DENIED"
# What a broken way to Airflow, or to its database, raises in whatever version of Airflow.
_BROKEN = (OSError, EOFError)
_LIBRARIES = frozenset({"httpx", "httpcore", "sqlalchemy"})


async def require_missing(conn_id: str, error: Exception) -> None:
    """
    Return if Airflow has no such connection; otherwise raise what the failed look-up means.

    :param conn_id: ID of the connection.
    :param error: What the look-up raised.
    :raises TryAgainError: Airflow did not answer.
    :raises SettingsError: Airflow denies access to the connection.
    """
    code = _code(error)
    if isinstance(error, AirflowNotFoundException):
        code = await _ask_again(conn_id)
    if code is None:
        raise error
    if code == NOT_FOUND:
        return
    if code == DENIED:
        raise SettingsError(
            f"connection {conn_id!r} is not open to this process: Airflow denies access. Check its team and its roles."
        ) from None
    raise TryAgainError(f"Airflow cannot say what connection {conn_id!r} is ({code}).") from None


def _code(error: Exception) -> str | None:
    """Return what Airflow calls the error, or the name of its type; None if it is no trouble of Airflow's."""
    if AirflowRuntimeError is not None and isinstance(error, AirflowRuntimeError):
        return str(error.error.error.value)
    if isinstance(error, PermissionError):
        return DENIED
    if isinstance(error, _BROKEN) or type(error).__module__.split(".")[0] in _LIBRARIES:
        return type(error).__name__
    return None


async def _ask_again(conn_id: str) -> str:
    """Ask Airflow itself: its secrets backends call a connection undefined whenever they get no answer."""
    try:
        from airflow.sdk.execution_time import task_runner
        from airflow.sdk.execution_time.comms import ErrorResponse, GetConnection
    except ImportError:
        return NOT_FOUND
    comms: Any = getattr(task_runner, "SUPERVISOR_COMMS", None)
    if not hasattr(comms, "asend"):
        return NOT_FOUND  # no Airflow process stands behind this one
    try:
        answer = await comms.asend(GetConnection(conn_id=conn_id))
    except Exception as error:  # noqa: BLE001 - whatever it is, Airflow did not answer
        return _code(error) or type(error).__name__
    return str(answer.error.value) if isinstance(answer, ErrorResponse) else "it was not found at first"
