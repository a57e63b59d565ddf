"""Airflow variables as a store: one for each key of an owner. For policies, and for all below Airflow 3.3."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from typing import Any, NotRequired, TypedDict

from airflow_provider_learning360.memory.variable_access import delete_variable, read_variable, write_variable

PREFIX = "learning360_memory__"
OWN_PREFIX = "learning360_"  # of our keys; the name of the variable has it already
DESCRIPTION = "Kept by the 360Learning provider; do not edit. Its command `clean` deletes what nothing needs any more."


class TaskOwner(TypedDict):
    """A task of a DAG run, as the owner of values."""

    dag_id: str
    run_id: str
    task_id: str
    map_index: int


class AssetOwner(TypedDict):
    """A watched asset, as the owner of values; `reader` is the task that reads its events, as `dag_id.task_id`."""

    asset: str
    reader: NotRequired[str]


class PolicyOwner(TypedDict):
    """A reminder policy and the connection that it is used with, as the owner of values. They are never deleted."""

    policy: str
    connection: str


Owner = TaskOwner | AssetOwner | PolicyOwner


class StoredValue(TypedDict):
    """What a variable contains: IDs, times, keyed hashes, watched values; never names or addresses of people."""

    owner: Owner
    written: str  # the time, in ISO format
    forever: NotRequired[bool]  # whether it is needed as long as its owner exists
    value: Any


class VariableStore:
    """
    The values of one owner, in variables.

    :param owner: To whom they belong.

    Source: Airflow's `Variable`.
    """

    def __init__(self, owner: Owner) -> None:
        self._owner = owner

    def get(self, key: str, default: Any = None) -> Any:
        """
        Return the value of a key.

        :param key: The key.
        :param default: What to return if there is none.
        :raises AirflowException: Airflow could not say whether there is one.
        :raises ValueError: The variable was edited.
        """
        name = build_name(self._owner, key)
        text = read_variable(name)
        if text is None:
            return default
        try:
            return parse_stored(text)["value"]
        except (ValueError, RecursionError):
            problem = ValueError(
                f"Airflow variable {name} was not written by this provider, or was edited. Undo the edit. If nobody "
                "can, delete the variable: the task then starts from the beginning, and may repeat what it did."
            )
        # Raised outside the handler: the chained exception would only say where the JSON breaks.
        raise problem

    def set(self, key: str, value: Any, *, forever: bool = False) -> None:
        """
        Store a value.

        :param key: The key.
        :param value: Plain JSON.
        :param forever: Whether `clean` deletes it only with its owner; default False: also by age.
        :raises AirflowException: It could not be stored.
        """
        write_variable(build_name(self._owner, key), build_stored(self._owner, value, forever=forever), DESCRIPTION)

    def delete(self, key: str) -> None:
        """
        Delete a value, if there is one.

        :param key: The key.
        """
        delete_variable(build_name(self._owner, key))


def build_name(owner: Owner, key: str) -> str:
    """
    Return the name of the variable of a key.

    :param owner: The owner.
    :param key: The key.
    :returns: A name of at most 250 characters, as Airflow demands, whatever the IDs of the owner.
    """
    hashed = hashlib.sha256(json.dumps(owner, sort_keys=True).encode()).hexdigest()[:32]
    return f"{PREFIX}{hashed}__{key.removeprefix(OWN_PREFIX)}"


def build_stored(owner: Owner, value: Any, *, forever: bool = False) -> str:
    """
    Return what a variable contains.

    :param owner: The owner.
    :param value: Plain JSON.
    :param forever: Whether it is needed as long as its owner exists.
    :returns: A `StoredValue`, as JSON.
    """
    stored: StoredValue = {"owner": owner, "written": datetime.now(tz=UTC).isoformat(), "value": value}
    if forever:
        stored["forever"] = True
    return json.dumps(stored)


def parse_stored(text: str) -> StoredValue:
    """
    Return what a variable contains.

    :param text: Its text.
    :raises ValueError: It is not what this provider writes.
    """
    stored: StoredValue = json.loads(text)
    if not isinstance(stored, dict) or not {"owner", "written", "value"} <= stored.keys():
        raise ValueError("The variable was not written by this provider, or was edited.")
    return stored
