"""Workflows for one program session, as source that is ready to paste, in each dialect."""

from __future__ import annotations

import json
import re
import unicodedata
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING

from airflow_provider_learning360.api.session_ids import require_session_id
from airflow_provider_learning360.api.settings import EU_HOST
from airflow_provider_learning360.ui.failure import ConnectionRefusedByPageError
from airflow_provider_learning360.ui.session_options import SessionOptions

if TYPE_CHECKING:
    from airflow_provider_learning360.ui.responses import DialectName, Need, Snippet, WorkflowItem, WorkflowKind

SOURCES = Path(__file__).with_name("workflows")
# As Airflow allows them. None of these characters ends a text, begins a template, or stands for a variable.
_CONN_ID = re.compile(r"[\w#!()\-.:/\\]+")
_MAX_TITLE_CHARACTERS = 60
DEFAULT_OPTIONS = SessionOptions()


@dataclass(frozen=True)
class Dialect:
    """
    A way to write workflows.

    :param name: Its name, in the API and in the names of the sources.
    :param label: Its name for people.
    :param file: Where its files go, relative to the parent of the DAGs folder.
    :param needs: What must be installed or configured, besides the provider.
    """

    name: DialectName
    label: str
    file: str
    needs: tuple[Need, ...] = ()


@dataclass(frozen=True)
class Workflow:
    """
    A workflow that the page offers for a session.

    :param kind: What the workflow does.
    :param verb: How the ID of its DAG begins.
    :param needs: What must be installed or configured, in every dialect.
    """

    kind: WorkflowKind
    verb: str
    needs: tuple[Need, ...] = ()


DIALECTS = (
    Dialect("python", "Python", "dags/{name}.py"),
    Dialect("blueprint", "Blueprint YAML", "dags/{folder}/{name}.dag.yaml", ("blueprint_extra", "blueprint_files")),
    Dialect(
        "dag_factory",
        "dag-factory YAML",
        "dags/{name}.yaml",
        ("dag_factory", "dag_factory_telemetry", "dag_factory_loader"),
    ),
)

WORKFLOWS = (
    Workflow("fetch", "fetch"),
    Workflow("wait", "wait_for", ("triggerer",)),
    Workflow("events", "on_change_of", ("airflow_3_0", "triggerer")),
    Workflow("reminders", "plan_reminders_of", ("reminders_extra", "smtp", "both_dags")),
)


def build_workflows(
    session_id: str,
    learning_conn_id: str,
    host: str | None = None,
    title: str = "",
    options: SessionOptions = DEFAULT_OPTIONS,
) -> list[WorkflowItem]:
    """
    Return the workflows for a session, each in every dialect. Further files are in comments of the first one.

    :param session_id: ID of the session.
    :param learning_conn_id: ID of the Airflow connection.
    :param host: Address of 360Learning that the connection leads to; default the EU one.
    :param title: Name of the session, for comments; default none.
    :param options: What is pushed and watched; default as each workflow has it.
    :raises InvalidIdError: The ID of the session is not valid.
    :raises ConnectionRefusedByPageError: Airflow does not allow the ID of the connection.
    """
    session_id = require_session_id(session_id)
    require_conn_id(learning_conn_id)
    about = " ".join(filter(None, (_plain_words(title), f"({session_id})" if _plain_words(title) else session_id)))
    values = {
        "about": about,
        "session_id": _quote(session_id),
        "conn_id": _quote(learning_conn_id),
        "host": _quote(host or EU_HOST),
        "policy": f"session_{session_id}",
    }
    return [
        {
            "kind": workflow.kind,
            "snippets": [_build_snippet(workflow, dialect, session_id, values, options) for dialect in DIALECTS],
        }
        for workflow in WORKFLOWS
    ]


def require_conn_id(learning_conn_id: str) -> None:
    """
    Check that the ID of a connection can stand in a source.

    :param learning_conn_id: ID of the Airflow connection.
    :raises ConnectionRefusedByPageError: Airflow does not allow the ID.
    """
    if not _CONN_ID.fullmatch(learning_conn_id):
        raise ConnectionRefusedByPageError("connection_id_not_allowed")


def _build_snippet(
    workflow: Workflow, dialect: Dialect, session_id: str, values: dict[str, str], options: SessionOptions
) -> Snippet:
    name, delivery = f"{workflow.verb}_{session_id}", f"deliver_reminders_of_{session_id}"
    # A blueprint loader builds nothing of a folder with one mistake in it: reminders get a folder of their own.
    folder = "learning360_reminders" if workflow.kind == "reminders" else "learning360"
    names = {
        "name": name,
        "dag_id": _quote(name),
        "delivery_name": delivery,
        "delivery_dag_id": _quote(delivery),
        "folder": folder,
    }
    source = (SOURCES / f"{workflow.kind}.{dialect.name}.txt").read_text(encoding="utf-8")
    return {
        "dialect": dialect.name,
        "label": dialect.label,
        "file": dialect.file.format(**names),
        "text": Template(source).substitute(values, **names, **options.to_lines(workflow.kind, dialect.name)),
        "needs": [*dialect.needs, *workflow.needs],
    }


def _quote(text: str) -> str:
    """Return a text as a literal that Python, YAML and JSON read alike."""
    return json.dumps(text, ensure_ascii=False)


def _plain_words(title: str) -> str:
    """Return a name without characters that mean something to Python, YAML, Jinja, or an editor."""
    kept = "".join(sign if unicodedata.category(sign)[0] in "LMN" or sign in "-.," else " " for sign in title)
    words = " ".join(kept.split())
    return words if len(words) <= _MAX_TITLE_CHARACTERS else f"{words[: _MAX_TITLE_CHARACTERS - 1]}…"
