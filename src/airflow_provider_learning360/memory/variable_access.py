"""
Read, write and delete an Airflow variable. A failure is an error.

Airflow's own `Variable` hides failures: a database that does not respond reads like a missing variable, and a variable
that could not be stored is one line in the log. A task that remembers who has a mail must not go on then.
"""

from __future__ import annotations

from typing import Any

from airflow.providers.common.compat.version_compat import AIRFLOW_V_3_0_PLUS

from airflow_provider_learning360.api.errors import FixArgumentError


def read_variable(name: str) -> str | None:
    """
    Return the text of a variable; None if it does not exist.

    :param name: Its name.
    :raises AirflowException: Airflow could not say.
    """
    if not AIRFLOW_V_3_0_PLUS:
        return _select(name)
    text = _receive(name)
    if text is None:
        # The API server also says that a variable is missing if its database fails. This request is an error then.
        _require_database()
        text = _receive(name)
    return text


def write_variable(name: str, text: str, description: str) -> None:
    """
    Store the text of a variable.

    :param name: Its name.
    :param text: Its text.
    :param description: What Airflow's list of variables says about it.
    :raises AirflowException: It could not be stored.
    """
    if not AIRFLOW_V_3_0_PLUS:
        from airflow.models import Variable

        Variable.set(name, text, description)
        return
    from airflow.sdk.execution_time.comms import PutVariable

    send(PutVariable(key=name, value=text, description=description))


def delete_variable(name: str) -> None:
    """
    Delete a variable, if it exists.

    :param name: Its name.
    """
    if not AIRFLOW_V_3_0_PLUS:
        from airflow.models import Variable

        Variable.delete(name)
        return
    from airflow.sdk.execution_time.comms import DeleteVariable

    send(DeleteVariable(key=name))


def send(message: Any) -> Any:
    """
    Send a message of a task to Airflow, and return the response.

    :param message: The message.
    :raises AirflowException: Airflow refused it, or did not respond.
    :raises FixArgumentError: This version of Airflow 3.0 has another way to send messages.
    """
    from airflow.sdk.execution_time import task_runner

    messages = task_runner.SUPERVISOR_COMMS
    if not hasattr(messages, "send"):
        raise FixArgumentError(
            "This task must remember something in an Airflow variable. The provider can do that from Airflow 3.0.6 on. "
            "Upgrade Airflow."
        )
    return messages.send(message)


def _select(name: str) -> str | None:
    from airflow.models import Variable
    from airflow.utils.session import create_session

    with create_session() as session:
        found = session.query(Variable).filter(Variable.key == name).first()
        if found is None:
            return None
        text: str | None = found.val
    if text is None:
        raise FixArgumentError(f"Airflow could not decrypt its variable {name}. Check `[core] fernet_key`.")
    return text


def _require_database() -> None:
    from airflow.sdk.exceptions import AirflowRuntimeError
    from airflow.sdk.execution_time.comms import ErrorResponse, GetDRCount

    response = send(GetDRCount(dag_id="learning360"))
    if isinstance(response, ErrorResponse):
        raise AirflowRuntimeError(response)


def _receive(name: str) -> str | None:
    from airflow.sdk.exceptions import AirflowRuntimeError, ErrorType
    from airflow.sdk.execution_time.comms import ErrorResponse, GetVariable

    response: Any = send(GetVariable(key=name))
    if isinstance(response, ErrorResponse):
        if response.error == ErrorType.VARIABLE_NOT_FOUND:
            return None
        raise AirflowRuntimeError(response)
    text: str | None = response.value
    return text
