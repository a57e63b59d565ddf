"""Read and write an Airflow variable in a triggerer, through the pipe to its parent process. A failure is an error."""

from __future__ import annotations

import asyncio
from typing import Any

# Requests that a cancelled trigger left behind. The event loop alone would not keep them alive.
_REQUESTS: set[asyncio.Future[Any]] = set()


def can_store() -> bool:
    """Whether this process is the runner of a triggerer that can store variables: Airflow 3.0.6 and later."""
    return hasattr(_find_comms(), "asend")


async def read_variable(name: str) -> str | None:
    """
    Return the text of a variable; None if it does not exist.

    :param name: Its name.
    :raises AirflowException: Airflow could not say.
    """
    text = await _receive(name)
    if text is None:
        # If its database fails, Airflow also says that a variable is missing. A watcher would start from the beginning,
        # and lose changes. This request is an error then, and shows otherwise that the database responds.
        await _require_database()
        text = await _receive(name)
    return text


async def write_variable(name: str, text: str, description: str) -> None:
    """
    Store the text of a variable.

    :param name: Its name.
    :param text: Its text.
    :param description: What Airflow's list of variables says about it.
    :raises AirflowException: It could not be stored.
    """
    from airflow.sdk.execution_time.comms import PutVariable

    _require_success(await _send(PutVariable(key=name, value=text, description=description)))


async def _receive(name: str) -> str | None:
    from airflow.sdk.exceptions import ErrorType
    from airflow.sdk.execution_time.comms import ErrorResponse, GetVariable

    response = await _send(GetVariable(key=name))
    if isinstance(response, ErrorResponse) and response.error == ErrorType.VARIABLE_NOT_FOUND:
        return None
    _require_success(response)
    text: str | None = response.value
    return text


async def _require_database() -> None:
    from airflow.sdk.execution_time.comms import GetDRCount

    _require_success(await _send(GetDRCount(dag_id="learning360")))


def _require_success(response: Any) -> None:
    from airflow.sdk.exceptions import AirflowRuntimeError
    from airflow.sdk.execution_time.comms import ErrorResponse

    if isinstance(response, ErrorResponse):
        raise AirflowRuntimeError(response)


async def _send(message: Any) -> Any:
    """
    Send a message to the parent process, and return the response.

    The response is read even if the trigger is cancelled: Airflow 3.0 and 3.1 would take it for that of the next
    message, and the triggerer would end.
    """
    request = asyncio.ensure_future(_find_comms().asend(message))
    _REQUESTS.add(request)
    request.add_done_callback(_forget)
    return await asyncio.shield(request)


def _forget(request: asyncio.Future[Any]) -> None:
    _REQUESTS.discard(request)
    if not request.cancelled():
        request.exception()  # asyncio would log an error that nobody waits for any more


def _find_comms() -> Any:
    from airflow.sdk.execution_time import task_runner

    return getattr(task_runner, "SUPERVISOR_COMMS", None)
