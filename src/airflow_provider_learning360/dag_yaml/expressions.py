"""
Jinja templates that steps in YAML need.

They are not in `blueprints/`: airflow-blueprint shows the source of its templates in Airflow, as a Jinja template.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_learning360.rendering import is_template

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow.providers.common.compat.sdk import BaseOperator

APPROVAL_SUBJECT = "Send {{ dag_run.conf['rule'] }} of session {{ dag_run.conf['session_id'] }}?"
APPROVAL_BODY = "Due since {{ dag_run.conf['due'] }}."


def is_expression(value: Any) -> bool:
    """
    Return whether a value is a text that only a run can render.

    :param value: A value of a YAML file.
    """
    return isinstance(value, str) and is_template(value)


def build_param_expression(param: str) -> str:
    """
    Return a Jinja template for a field of the trigger form.

    :param param: Name of the field.
    """
    return "{{ params[PARAM] }}".replace("PARAM", repr(param))


def set_at_run_time(task: BaseOperator, values: Mapping[str, Any]) -> None:
    """
    Set arguments of a task to values that are known only when it runs.

    :param task: The task, created with arguments that can be checked now.
    :param values: Jinja templates, or outputs of other tasks; the task then runs after these.
    """
    task.template_fields = tuple(dict.fromkeys([*task.template_fields, *values]))
    for name, value in values.items():
        setattr(task, name, value)
