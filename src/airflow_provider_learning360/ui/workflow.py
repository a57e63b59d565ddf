"""Workflows for one program session, as source that is ready to paste, in each of the languages there are."""

from __future__ import annotations

import json
import re
import unicodedata
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import Any

from airflow_provider_learning360.api.errors import FixArgumentError
from airflow_provider_learning360.api.session_ids import require_session_id
from airflow_provider_learning360.api.settings import EU_HOST

SOURCES = Path(__file__).with_name("workflows")
# As Airflow allows them; none of these signs ends a text, begins a template, or stands for a variable.
_CONN_ID = re.compile(r"[\w#!()\-.:/\\]+")
_LONGEST_TITLE = 60
_SMTP = "an SMTP connection smtp_default with from_email in its extra"


@dataclass(frozen=True)
class Language:
    """
    A language that workflows are written in.

    :param name: Its name, in the API and in the names of the sources.
    :param label: Its name for people.
    :param file: Where its files go, from the folder that the DAGs are in.
    :param needs: What has to be there for it, for people; None for nothing but the provider.
    """

    name: str
    label: str
    file: str
    needs: str | None = None


@dataclass(frozen=True)
class Workflow:
    """
    A workflow that is offered for a session.

    :param kind: What it does, in one word.
    :param title: The same for people.
    :param text: The same in one line.
    :param verb: How the ID of its DAG begins.
    :param needs: What has to be there for it, in every language; None for nothing.
    """

    kind: str
    title: str
    text: str
    verb: str
    needs: str | None = None


LANGUAGES = (
    Language("python", "Python", "dags/{name}.py"),
    Language(
        "blueprint",
        "Blueprint YAML",
        "dags/{folder}/{name}.dag.yaml",
        "the extra [blueprint] of this provider, and the files in the comments at the end",
    ),
    Language(
        "dag_factory",
        "dag-factory YAML",
        "dags/{name}.yaml",
        "dag-factory, with AIRFLOW__DAG_FACTORY__ENABLE_TELEMETRY=False unless its makers may know of your runs, "
        "and the loader in the comment at the end",
    ),
)

WORKFLOWS = (
    Workflow("fetch", "Fetch it on demand", "A form asks for the session, and the run pushes its document.", "fetch"),
    Workflow(
        "wait",
        "Wait until it changes",
        "A run waits up to a week, without a worker slot, until a date of the session changes.",
        "wait_for",
        "a running triggerer",
    ),
    Workflow(
        "events",
        "Run when it changes",
        "No run waits: Airflow starts one whenever a date of the session has changed.",
        "on_change_of",
        "Airflow 3.0 and a running triggerer (3.3: nothing is lost while Airflow is down)",
    ),
    Workflow(
        "reminders",
        "Remind its people",
        "Mails a day before the start, and when a date has moved; nobody gets one twice.",
        "plan_reminders_of",
        f"Airflow 3.3, the extra [reminders] of this provider, {_SMTP}, and both DAGs switched on",
    ),
)


def workflows(session_id: str, learning_conn_id: str, host: str | None = None, title: str = "") -> list[dict[str, Any]]:
    """
    Return the workflows for a session.

    :param session_id: ID of the session.
    :param learning_conn_id: ID of the Airflow connection.
    :param host: Address of 360Learning that the connection points to; default the EU one.
    :param title: Name of the session, for comments; default none.
    :returns: For each its kind, title, text, and a snippet in each language: complete files, further ones in comments.
    :raises InvalidIdError: The ID of the session is none.
    :raises FixArgumentError: The ID of the connection is none.
    """
    session_id = require_session_id(session_id)
    if not _CONN_ID.fullmatch(learning_conn_id):
        raise FixArgumentError("The connection has an ID that Airflow does not allow. Rename it.")
    about = " ".join(filter(None, (_plain(title), f"({session_id})" if _plain(title) else session_id)))
    values = {
        "about": about,
        "session_id": _quoted(session_id),
        "conn_id": _quoted(learning_conn_id),
        "host": _quoted(host or EU_HOST),
        "policy": f"session_{session_id}",
    }
    return [
        {
            "kind": one.kind,
            "title": one.title,
            "text": one.text,
            "snippets": [_snippet(one, language, session_id, values) for language in LANGUAGES],
        }
        for one in WORKFLOWS
    ]


def _snippet(workflow: Workflow, language: Language, session_id: str, values: dict[str, str]) -> dict[str, Any]:
    name, delivery = f"{workflow.verb}_{session_id}", f"deliver_reminders_of_{session_id}"
    # One mistake stops all that a loader of blueprint builds: reminders must not hang on the file of somebody else.
    folder = "learning360_reminders" if workflow.kind == "reminders" else "learning360"
    names = {
        "name": name,
        "dag_id": _quoted(name),
        "delivery_name": delivery,
        "delivery_dag_id": _quoted(delivery),
        "folder": folder,
    }
    source = (SOURCES / f"{workflow.kind}.{language.name}.txt").read_text(encoding="utf-8")
    needs = "; ".join(filter(None, (language.needs, workflow.needs)))
    return {
        "language": language.name,
        "label": language.label,
        "file": language.file.format(**names),
        "text": Template(source).substitute(values, **names),
        "note": f"Needs {needs}." if needs else None,
    }


def _quoted(text: str) -> str:
    """Return a text as Python, YAML and JSON all read it."""
    return json.dumps(text, ensure_ascii=False)


def _plain(title: str) -> str:
    """Return a name as words that mean nothing to Python, YAML, Jinja, or an editor that reads comments."""
    kept = "".join(sign if unicodedata.category(sign)[0] in "LMN" or sign in "-.," else " " for sign in title)
    words = " ".join(kept.split())
    return words if len(words) <= _LONGEST_TITLE else f"{words[: _LONGEST_TITLE - 1]}…"
