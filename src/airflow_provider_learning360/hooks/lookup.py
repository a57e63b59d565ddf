"""Tell a connection that is missing from an Airflow that does not answer."""

from __future__ import annotations

from typing import Any

from airflow.providers.common.compat.sdk import AirflowNotFoundException

from airflow_provider_learning360.api.errors import FixArgumentError, SettingsError, TryAgainError

try:
    from airflow.sdk.exceptions import AirflowRuntimeError
except ImportError:  # Airflow below 3.0
    AirflowRuntimeError = None  # type: ignore[assignment,misc]

NOT_FOUND, DENIED = "CONNECTION_NOT_FOUND", "PERMISSION_DENIED"
_FOUND_NOW = "it was not found at first"


def check_conn_id(conn_id: Any) -> None:
    """
    Refuse what is no ID of a connection; a template may give `None`.

    :param conn_id: What was given as ID.
    :raises FixArgumentError: It is no text, or an empty one.
    """
    if not (isinstance(conn_id, str) and conn_id.strip()):
        given = (
            "nothing" if conn_id is None or isinstance(conn_id, str) else f"a value of type {type(conn_id).__name__}"
        )
        raise FixArgumentError(f"learning_conn_id: expected the ID of a connection, got {given}.")


def require_missing(conn_id: str, error: Exception) -> None:
    """
    Return if Airflow has no such connection; otherwise raise what the failed look-up means.

    Whatever else the look-up raised, Airflow did not answer: neither its type nor its place is known beforehand.

    :param conn_id: ID of the connection.
    :param error: What the look-up raised.
    :raises TryAgainError: Airflow did not answer.
    :raises SettingsError: Airflow denies access to the connection.
    """
    _judge(conn_id, _ask_again(conn_id) if isinstance(error, AirflowNotFoundException) else _code(error))


async def require_missing_async(conn_id: str, error: Exception) -> None:
    """
    Do the same without holding the event loop.

    :param conn_id: ID of the connection.
    :param error: What the look-up raised.
    :raises TryAgainError: Airflow did not answer.
    :raises SettingsError: Airflow denies access to the connection.
    """
    _judge(conn_id, await _ask_again_async(conn_id) if isinstance(error, AirflowNotFoundException) else _code(error))


def _judge(conn_id: str, code: str) -> None:
    if code == NOT_FOUND:
        return
    if code == DENIED:
        raise SettingsError(
            f"connection {conn_id!r} is not open to this process: Airflow denies access. Check its team and its roles."
        )
    raise TryAgainError(f"Airflow cannot say what connection {conn_id!r} is ({code}).")


def _code(error: Exception) -> str:
    """Return what Airflow calls the error, or the name of its type."""
    if AirflowRuntimeError is not None and isinstance(error, AirflowRuntimeError):
        return str(error.error.error.value)
    return DENIED if isinstance(error, PermissionError) else type(error).__name__


def _ask_again(conn_id: str) -> str:
    """Ask Airflow itself: its secrets backends call a connection undefined whenever they get no answer."""
    ask, question = _question(conn_id, "send")
    if ask is None:
        return NOT_FOUND
    try:
        return _code_of_answer(ask(question))
    except Exception as error:  # noqa: BLE001 - whatever it is, Airflow did not answer
        return _code(error)


async def _ask_again_async(conn_id: str) -> str:
    ask, question = _question(conn_id, "asend")
    if ask is None:
        return NOT_FOUND
    try:
        return _code_of_answer(await ask(question))
    except Exception as error:  # noqa: BLE001 - as above
        return _code(error)


def _question(conn_id: str, way: str) -> tuple[Any, Any]:
    """Return what asks Airflow, and the question; None and None if no Airflow process stands behind this one."""
    try:
        from airflow.sdk.execution_time import task_runner
        from airflow.sdk.execution_time.comms import GetConnection
    except ImportError:
        return None, None
    ask = getattr(getattr(task_runner, "SUPERVISOR_COMMS", None), way, None)
    return (None, None) if ask is None else (ask, GetConnection(conn_id=conn_id))


def _code_of_answer(answer: Any) -> str:
    from airflow.sdk.execution_time.comms import ErrorResponse

    return str(answer.error.value) if isinstance(answer, ErrorResponse) else _FOUND_NOW
