"""How the tasks that are mapped over sessions are named in Airflow's UI: by the session."""

from __future__ import annotations

from ast import literal_eval
from typing import TYPE_CHECKING, Any

from airflow_provider_learning360.api.sanitizer import printable

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_learning360.api.models import ProgramSession

# Characters. Airflow keeps labels in a column of this size; PostgreSQL refuses a longer one.
MAX_LABEL = 250
LABEL = "learning360_session"  # name of the label in the task context


def name_mapped_task(context: Context, session: ProgramSession) -> None:
    """
    Show the session's name instead of a number, where a task is mapped and its author chose no label.

    :param context: Airflow's task context.
    :param session: The session.
    """
    mapped = getattr(context["ti"], "map_index", -1) >= 0
    if mapped and not context.get("map_index_template"):
        context["map_index_template"] = f"{{{{ {LABEL} }}}}"
    if context.get("map_index_template") == f"{{{{ {LABEL} }}}}":
        context[LABEL] = format_label(session)  # type: ignore[literal-required]


def send_label(context: Context) -> None:
    """
    Show the label of a mapped task that is about to be deferred. Airflow itself sends it only when a task ends.

    :param context: Airflow's task context, after `name_mapped_task`.
    """
    label: Any = context.get(LABEL)
    if label is None:
        return
    try:
        from airflow.sdk.execution_time import task_runner
        from airflow.sdk.execution_time.comms import SetRenderedMapIndex
    except ImportError:  # Airflow below 3.2
        return
    supervisor = getattr(task_runner, "SUPERVISOR_COMMS", None)
    if supervisor is not None:
        supervisor.send(SetRenderedMapIndex(rendered_map_index=label))


def format_label(session: ProgramSession) -> str:
    """
    Return the label of the mapped task of a session: its name and ID, as short as Airflow's database takes it.

    :param session: The session.
    """
    title, end = printable(session.title), f"… ({session.id})"
    if _is_literal(title):
        title = f"session {title}"
    return title if len(title) <= MAX_LABEL else title[: MAX_LABEL - len(end)] + end


def _is_literal(text: str) -> bool:
    # With native rendering, Jinja makes a number of a label such as "1 # one (...)", and Airflow needs a text.
    try:
        literal_eval(text)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return False
    return True
