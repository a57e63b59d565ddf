"""How the tasks that are mapped over sessions are named in Airflow's UI: by the session."""

from __future__ import annotations

from ast import literal_eval
from typing import TYPE_CHECKING

from airflow_provider_learning360.api.sanitizer import printable

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_learning360.api.models import ProgramSession

# Characters. Airflow keeps labels in a column of this size; PostgreSQL refuses a longer one.
MAX_LABEL = 250


def name_mapped_task(context: Context, session: ProgramSession) -> None:
    """
    Show the session's name instead of a number, where a task is mapped and its author chose no label.

    :param context: Airflow's task context.
    :param session: The session.
    """
    mapped = getattr(context["ti"], "map_index", -1) >= 0
    if mapped and not context.get("map_index_template"):
        context["map_index_template"] = "{{ learning360_session }}"
        context["learning360_session"] = format_label(session)  # type: ignore[typeddict-unknown-key]


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
