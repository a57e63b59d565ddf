"""The store of a task: what it finds again after a reschedule, a retry, or the death of its worker."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.version_compat import AIRFLOW_V_3_3_PLUS

from airflow_provider_learning360.memory.store import ProcessStore

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_provider_learning360.memory.store import Store
    from airflow_provider_learning360.memory.variables import TaskOwner

# Airflow's own stores, of tasks and of assets (AIP-103). Below, there are variables.
HAS_STATE_STORE = AIRFLOW_V_3_3_PLUS


class TaskStateStore:
    """
    Airflow's own store of a task.

    :param accessor: The accessor in the context of the task.
    :param earlier: What the task stored before Airflow was upgraded to 3.3; default nothing.

    Source: Airflow's `task_state_store` (AIP-103).
    """

    def __init__(self, accessor: Any, earlier: Store | None = None) -> None:
        self._accessor = accessor
        self._earlier = earlier

    def get(self, key: str, default: Any = None) -> Any:
        """
        Return the value of a key.

        :param key: The key.
        :param default: What to return if there is none.
        """
        found = self._accessor.get(key)
        if found is None and self._earlier is not None:
            found = self._earlier.get(key)
        return default if found is None else found

    def set(self, key: str, value: Any, *, forever: bool = False) -> None:
        """
        Store a value.

        :param key: The key.
        :param value: Plain JSON; not None.
        :param forever: Whether Airflow may not delete it by age; default False: after `[state_store]
            default_retention_days`.
        """
        if not forever:
            self._accessor.set(key, value)
            return
        from airflow.sdk.execution_time.context import NEVER_EXPIRE

        self._accessor.set(key, value, retention=NEVER_EXPIRE)

    def delete(self, key: str) -> None:
        """
        Delete a value, if there is one.

        :param key: The key.
        """
        self._accessor.delete(key)
        if self._earlier is not None:
            self._earlier.delete(key)


def find_task_store(context: Mapping[str, Any]) -> Store:
    """
    Return the store of the task that runs.

    It belongs to one task, and map index, of one DAG run. It survives retries, reschedules, deferral, the death of a
    worker, success and clearing.

    :param context: Airflow's task context.
    :returns: Airflow's own store; below Airflow 3.3 one of variables. Without a task, one that ends with the process.
    """
    accessor = context.get("task_state_store")
    if accessor is not None:
        return TaskStateStore(accessor, _find_earlier(context.get("ti")))
    if HAS_STATE_STORE or context.get("ti") is None:
        return ProcessStore()
    from airflow_provider_learning360.memory.variables import VariableStore

    return VariableStore(_owner(context["ti"]))


def _find_earlier(task_instance: Any) -> Store | None:
    """Return the variables of the task, in which an earlier try below Airflow 3.3 may have stored something."""
    try_number = getattr(task_instance, "try_number", None)
    # Without them, a retry after an upgrade of Airflow would send mails, or a request, a second time.
    if not isinstance(try_number, int) or try_number < 2:
        return None
    from airflow_provider_learning360.memory.variables import VariableStore

    return VariableStore(_owner(task_instance))


def _owner(task_instance: Any) -> TaskOwner:
    return {
        "dag_id": task_instance.dag_id,
        "run_id": task_instance.run_id,
        "task_id": task_instance.task_id,
        "map_index": getattr(task_instance, "map_index", -1),
    }
