"""What an earlier step of a DAG in YAML hands on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_provider_learning360.reminders.problems import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Collection

    from blueprint import ConfigurationError

    from airflow.providers.common.compat.sdk import BaseOperator, XComArg


@dataclass(frozen=True)
class EarlierStep:
    """
    A step above another one, which takes what it pushes.

    :param name: Name of the earlier step.
    :param field: The field that names it, for messages.
    :param taker: Name of the step that has this field, for messages.
    """

    name: str
    field: str
    taker: str

    def output(self, task: BaseOperator, kinds: tuple[type[BaseOperator], ...], needs: Collection[str]) -> XComArg:
        """
        Return what the earlier step pushes. Whoever takes it as an argument comes after that step.

        :param task: The task that takes it, of the same DAG.
        :param kinds: What tasks the earlier step may be.
        :param needs: Names of the fields that a document must have.
        :raises ConfigurationError: There is no such step above this one, or it leaves fields out.
        """
        known = {one.task_id: one for one in task.dag.tasks if isinstance(one, kinds) and one is not task}
        if self.name not in known:
            raise self._refusal(
                f"{self.name!r} is no step above it that it can take. "
                f"There are: {', '.join(known) or 'none'}{did_you_mean(self.name, known)}"
            )
        missing = [one for one in needs if not _pushes(known[self.name], one)]
        if missing:
            raise self._refusal(
                f"step {self.name!r} leaves out {', '.join(missing)}, needed here. "
                "Change the fields that it keeps, or those that it excludes"
            )
        return known[self.name].output

    def _refusal(self, text: str) -> ConfigurationError:
        from blueprint import ConfigurationError

        return ConfigurationError(f"Step {self.taker!r}, {self.field!r}: {text}")


def _pushes(task: BaseOperator, field: str) -> bool:
    kept, left_out = getattr(task, "fields", None), getattr(task, "exclude", None)
    return (not kept or field in kept) and field not in (left_out or ())
