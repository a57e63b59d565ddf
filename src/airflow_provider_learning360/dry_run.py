"""The argument `dry_run` of operators that write: log what would be sent, and send nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_learning360.api.errors import FixArgumentError

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_learning360.rendering import SafeRendering

_WORDS = {"true": True, "false": False}


def check_dry_run(value: Any) -> None:
    """
    Refuse a value that is neither true nor false, nor a text to be rendered.

    :param value: The argument, as the author wrote it.
    :raises FixArgumentError: The value is not valid.
    """
    if isinstance(value, bool) or (isinstance(value, str) and ("{{" in value or value.lower() in _WORDS)):
        return
    raise FixArgumentError("dry_run: it is neither true nor false, nor a template in a text.")


def render_dry_run(task: SafeRendering, value: Any, context: Context) -> bool:
    """
    Return whether nothing may be sent.

    Airflow's operators have a method `dry_run`, so the argument cannot be one of the template fields: Airflow would
    need an attribute of this name.

    :param task: The task.
    :param value: The argument, as the author wrote it.
    :param context: Airflow's task context.
    :raises FixArgumentError: The template gave neither true nor false.
    """
    check_dry_run(value)
    if isinstance(value, bool):
        return value
    given = value if task.comes_from_run("dry_run", value, context) else task.render_template(value, context)
    rendered = str(given).strip().lower()
    if rendered not in _WORDS:
        # Without the rendered text: it may come from anywhere.
        raise FixArgumentError("dry_run: the template gave neither true nor false.")
    return _WORDS[rendered]
