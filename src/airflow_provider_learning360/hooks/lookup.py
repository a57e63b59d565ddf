"""Distinguish a missing connection from an Airflow that does not respond."""

from __future__ import annotations

from typing import Any

from airflow.providers.common.compat.sdk import AirflowNotFoundException

from airflow_provider_learning360.api.errors import FixArgumentError, SettingsError, TryAgainError

try:
    from airflow.sdk.exceptions import AirflowRuntimeError
except ImportError:  # Airflow below 3.0
    AirflowRuntimeError = None  # type: ignore[assignment,misc]

NOT_FOUND, DENIED = "CONNECTION_NOT_FOUND", "PERMISSION_DENIED"
_FOUND_NOW = "it was found at the second attempt only"


def check_conn_id(conn_id: Any) -> None:
    """
    Check the ID of a connection; a template may give `None`.

    :param conn_id: The ID.
    :raises FixArgumentError: It is not a text, or an empty one.
    """
    if not (isinstance(conn_id, str) and conn_id.strip()):
        given = (
            "nothing" if conn_id is None or isinstance(conn_id, str) else f"a value of type {type(conn_id).__name__}"
        )
        raise FixArgumentError(f"learning_conn_id: expected the ID of a connection, got {given}.")


def require_missing(conn_id: str, error: Exception) -> None:
    """
    Return if the look-up failed because Airflow has no such connection; otherwise raise what the failure means.

    Airflow raises many types of exceptions when it does not respond. So every type that is not known counts as that.

    :param conn_id: ID of the connection.
    :param error: The exception of the look-up.
    :raises TryAgainError: Airflow did not respond.
    :raises SettingsError: Airflow denies access to the connection.
    """
    _raise_unless_missing(conn_id, _ask_again(conn_id) if isinstance(error, AirflowNotFoundException) else _code(error))


async def require_missing_async(conn_id: str, error: Exception) -> None:
    """
    Do the same without blocking the event loop.

    :param conn_id: ID of the connection.
    :param error: The exception of the look-up.
    :raises TryAgainError: Airflow did not respond.
    :raises SettingsError: Airflow denies access to the connection.
    """
    _raise_unless_missing(
        conn_id, await _ask_again_async(conn_id) if isinstance(error, AirflowNotFoundException) else _code(error)
    )


def _raise_unless_missing(conn_id: str, code: str) -> None:
    if code == NOT_FOUND:
        return
    if code == DENIED:
        raise SettingsError(
            f"connection {conn_id!r} cannot be read: Airflow denies access to it. Check its team and its roles."
        )
    raise TryAgainError(f"Airflow could not look up connection {conn_id!r} ({code}).")


def _code(error: Exception) -> str:
    """Return Airflow's code of the error, or the name of its type."""
    if AirflowRuntimeError is not None and isinstance(error, AirflowRuntimeError):
        return str(error.error.error.value)
    return DENIED if isinstance(error, PermissionError) else type(error).__name__


def _ask_again(conn_id: str) -> str:
    """Ask Airflow again: its secrets backends report a missing connection also when they get no response."""
    send, message = _build_question(conn_id, "send")
    if send is None:
        return NOT_FOUND
    try:
        return _code_of_response(send(message))
    except Exception as error:  # noqa: BLE001 - any error means that Airflow did not respond
        return _code(error)


async def _ask_again_async(conn_id: str) -> str:
    send, message = _build_question(conn_id, "asend")
    if send is None:
        return NOT_FOUND
    try:
        return _code_of_response(await send(message))
    except Exception as error:  # noqa: BLE001 - as above
        return _code(error)


def _build_question(conn_id: str, method: str) -> tuple[Any, Any]:
    """Return the function that asks Airflow's supervisor, and the message; None and None without a supervisor."""
    try:
        from airflow.sdk.execution_time import task_runner
        from airflow.sdk.execution_time.comms import GetConnection
    except ImportError:
        return None, None
    send = getattr(getattr(task_runner, "SUPERVISOR_COMMS", None), method, None)
    return (None, None) if send is None else (send, GetConnection(conn_id=conn_id))


def _code_of_response(response: Any) -> str:
    from airflow.sdk.execution_time.comms import ErrorResponse

    return str(response.error.value) if isinstance(response, ErrorResponse) else _FOUND_NOW
