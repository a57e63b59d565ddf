"""What an earlier step of a DAG in YAML hands on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from blueprint.errors import ConfigurationError

from airflow_provider_learning360.reminders.problems import did_you_mean

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import BaseOperator, XComArg


def output_of(step: str, field: str, task: BaseOperator, *kinds: type[BaseOperator]) -> XComArg:
    """
    Return what an earlier step pushes. Whoever takes it as an argument comes after that step.

    :param step: Name of the earlier step.
    :param field: The field that names it, for the message.
    :param task: The task that takes it, of the same DAG.
    :param kinds: What tasks the earlier step may be.
    :raises ConfigurationError: There is no such step above this one.
    """
    known = {one.task_id: one for one in task.dag.tasks if isinstance(one, kinds) and one is not task}
    if step in known:
        return known[step].output
    raise ConfigurationError(
        f"Step '{task.label}', '{field}': {step!r} is no step above it that it can take. "
        f"There are: {', '.join(known) or 'none'}{did_you_mean(step, known)}"
    )
