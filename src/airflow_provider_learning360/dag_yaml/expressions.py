"""
Templates of Jinja that YAML needs.

They are here and not in `blueprints/`: airflow-blueprint shows the source of its templates in Airflow, as a template.
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
    Return whether a value is known only when a task runs.

    :param value: What somebody wrote.
    """
    return isinstance(value, str) and is_template(value)


def of_form(param: str) -> str:
    """
    Return a template of what the trigger form holds.

    :param param: Name of the field in the form.
    """
    return "{{ params[PARAM] }}".replace("PARAM", repr(param))


def left_to_the_run(task: BaseOperator, values: Mapping[str, Any]) -> None:
    """
    Set arguments of a task that are known only when it runs.

    :param task: The task, made with arguments that can be checked now.
    :param values: Templates, or what other tasks push; the task then comes after those.
    """
    task.template_fields = tuple(dict.fromkeys([*task.template_fields, *values]))
    for name, value in values.items():
        setattr(task, name, value)
