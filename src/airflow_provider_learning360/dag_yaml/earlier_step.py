"""The output of an earlier step of a DAG in YAML."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_learning360.api.input_errors import did_you_mean

try:
    from airflow.sdk.definitions._internal.contextmanager import DagContext
except ImportError:  # Airflow below 3.0
    from airflow.models.dag import DagContext  # type: ignore[no-redef]

if TYPE_CHECKING:
    from collections.abc import Collection

    from blueprint import ConfigurationError

    from airflow.providers.common.compat.sdk import BaseOperator, XComArg


def current_dag() -> Any:
    """Return the DAG that is being built."""
    return DagContext.get_current_dag()


@dataclass(frozen=True)
class EarlierStep:
    """
    A step that another step names, to use its output.

    :param name: Name of the earlier step.
    :param field: The field of the later step that names it, for errors.
    :param step: Name of the later step, for errors.
    """

    name: str
    field: str
    step: str

    def output(self, task: BaseOperator, types: tuple[type[BaseOperator], ...], needs: Collection[str]) -> XComArg:
        """
        Return the output of the earlier step. A task that has it as an argument runs after that step.

        :param task: The task of the later step, in the same DAG.
        :param types: Classes that the task of the earlier step may have.
        :param needs: Names of the fields that the document must contain.
        :raises ConfigurationError: No earlier step has this name and type, or it leaves fields out.
        """
        return self._find_output(task.dag, types, needs, task)

    def find_output(self, types: tuple[type[BaseOperator], ...], needs: Collection[str]) -> XComArg:
        """
        Return the same, for a task that is not created yet, in the DAG that is being built.

        :param types: Classes that the task of the earlier step may have.
        :param needs: Names of the fields that the document must contain.
        :raises ConfigurationError: No earlier step has this name and type, or it leaves fields out.
        """
        return self._find_output(current_dag(), types, needs, None)

    def _find_output(
        self, dag: Any, types: tuple[type[BaseOperator], ...], needs: Collection[str], task: BaseOperator | None
    ) -> XComArg:
        known = {one.task_id: one for one in dag.tasks if isinstance(one, types) and one is not task}
        if self.name not in known:
            raise self._error(
                f"{self.name!r} is not an earlier step of the right kind. "
                f"There are: {', '.join(known) or 'none'}{did_you_mean(self.name, known)}"
            )
        missing = [one for one in needs if not _keeps(known[self.name], one)]
        if missing:
            raise self._error(
                f"step {self.name!r} leaves out {', '.join(missing)}, which this step needs. "
                "Change its fields: or exclude:"
            )
        output: XComArg = known[self.name].output
        return output

    def _error(self, problem: str) -> ConfigurationError:
        from blueprint import ConfigurationError

        return ConfigurationError(f"Step {self.step!r}, {self.field!r}: {problem}")


def _keeps(task: BaseOperator, field: str) -> bool:
    fields, exclude = getattr(task, "fields", None), getattr(task, "exclude", None)
    return (not fields or field in fields) and field not in (exclude or ())
