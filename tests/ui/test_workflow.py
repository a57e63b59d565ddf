"""The workflows that the page offers, built with the tools that read them."""

from __future__ import annotations

import ast
import json
import os
import re
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

import airflow_provider_learning360
from airflow_provider_learning360.api.errors import InvalidIdError
from airflow_provider_learning360.operators.changes import ChangedProgramSessionsOperator
from airflow_provider_learning360.simulator import Simulator
from airflow_provider_learning360.ui.failure import ArgumentsRefusedError, ConnectionRefusedByPageError
from airflow_provider_learning360.ui.session_options import SessionOptions
from airflow_provider_learning360.ui.workflow import WORKFLOWS, build_workflows
from case_samples import one_in
from test_examples import results
from test_yaml_examples import make_changes, store_dags

ID = "60b8d2956e20ae1a0f8e44f1"
ONLY_DIGITS = "123456789012345678901234"  # which YAML takes for a number, unless it is quoted
CONN_ID = r"training.#1:(eu)\x"
HOST = "https://app.us.360learning.com"
NASTY = '''""" ' # coding: latin-1 {{ 1/0 }} {% raw %} {# $HOME ${HOME} $$ <b> --- 한글''' + "\n\r\u2028\x85\x00\\ "
KINDS = [one.kind for one in WORKFLOWS]
DIALECTS = ["python", "blueprint", "dag_factory"]
SCHEMA = Path(airflow_provider_learning360.__file__).with_name("dag_yaml") / "dag.schema.json"
POLICY = f"""
name: session_{ID}
time_zone: Europe/Paris
quiet_hours: {{from: "20:00", to: "08:00"}}
rules:
  - {{name: day_before, anchor: startDate, before: {{days: 1}}, audience: learners}}
  - {{name: moved, on: date_changed, settle: {{minutes: 10}}, audience: [learners, tutors]}}
"""
COMPANION = re.compile(r"^# --- Also save(?: once)? as: (\S+) ---\n((?:#.*\n)+)", re.MULTILINE)

every_snippet = pytest.mark.parametrize(
    ("kind", "dialect"), [(kind, dialect) for kind in KINDS for dialect in DIALECTS]
)
some_snippets = pytest.mark.parametrize(("kind", "dialect"), one_in(5, product(KINDS, DIALECTS)))


def snippet(kind: str, dialect: str, session_id: str = ID, **arguments: Any) -> dict[str, Any]:
    offered = build_workflows(session_id, **{"learning_conn_id": CONN_ID, "host": HOST, "title": NASTY} | arguments)
    (workflow,) = [one for one in offered if one["kind"] == kind]
    (found,) = [one for one in workflow["snippets"] if one["dialect"] == dialect]
    return found  # type: ignore[no-any-return]


def files_of(one: dict[str, Any]) -> dict[str, str]:
    """The file, and the files in its comments, as a reader would save them."""
    files = {path: re.sub(r"(?m)^# ?", "", text) for path, text in COMPANION.findall(one["text"])}
    return {one["file"]: one["text"], **files}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder with an empty DAGs folder."""
    (tmp_path / "dags").mkdir()
    monkeypatch.setenv("AIRFLOW__CORE__DAGS_FOLDER", str(tmp_path / "dags"))
    return tmp_path


def build(one: dict[str, Any], home: Path) -> dict[str, Any]:
    """Save a snippet where it says, let Airflow parse it, and return its DAGs by ID."""
    from airflow.dag_processing.dagbag import DagBag

    for path, text in files_of(one).items():
        (home / path).parent.mkdir(parents=True, exist_ok=True)
        (home / path).write_text(text, encoding="utf-8")
    found = DagBag(home / "dags", safe_mode=True)
    assert found.import_errors == {}
    return dict(found.dags)


def argument_of(task: Any, name: str) -> Any:
    """The argument of a task, mapped or not; the default of the form if it comes from the form."""
    value = getattr(task, "partial_kwargs", {}).get(name, getattr(task, name, None))
    asked = re.match(r"\{\{ params(?:\.|\[')(\w+)", value) if isinstance(value, str) else None
    return task.dag.params[asked[1]] if asked else value


def readers_of(dags: dict[str, Any]) -> list[Any]:
    """The tasks that push documents of sessions."""
    kinds = {"GetProgramSessionOperator", "ProgramSessionModifiedSensor"}
    return [task for dag in dags.values() for task in dag.tasks if task.task_type in kinds]


def test_four_workflows_in_three_dialects() -> None:
    offered = build_workflows(ID, CONN_ID)
    assert [one["kind"] for one in offered] == ["fetch", "wait", "events", "reminders"]
    for workflow in offered:
        assert set(workflow) == {"kind", "snippets"}
        assert [one["dialect"] for one in workflow["snippets"]] == DIALECTS
        for one in workflow["snippets"]:
            assert set(one) == {"dialect", "label", "file", "text", "needs"}
            assert one["file"].startswith("dags/")
    assert json.loads(json.dumps(offered)) == offered


@every_snippet
@pytest.mark.parametrize("session_id", [ID, ONLY_DIGITS])
def test_snippet_builds_dags(kind: str, dialect: str, session_id: str, home: Path) -> None:
    dags = build(snippet(kind, dialect, session_id), home)
    assert len(dags) == (2 if kind == "reminders" else 1)
    tasks = [task for dag in dags.values() for task in dag.tasks]
    ours = [task for task in tasks if argument_of(task, "learning_conn_id") is not None]
    assert ours
    assert {argument_of(task, "learning_conn_id") for task in ours} == {CONN_ID}
    if kind in ("fetch", "wait"):
        # One step may get it from another.
        assert {one for task in ours if isinstance(one := argument_of(task, "session_id"), str)} == {session_id}
    assert all(session_id in dag_id for dag_id in dags)
    assert {"360learning"} <= set.union(*(set(dag.tags) for dag in dags.values()))


@pytest.mark.parametrize("dialect", DIALECTS)
def test_fetch_has_a_form_for_the_session(dialect: str, home: Path) -> None:
    (dag,) = build(snippet("fetch", dialect), home).values()
    (name,) = dag.params
    assert name.endswith("session_id")
    assert dag.params[name] == ID
    assert dag.params.get_param(name).schema["type"] == "string"


@pytest.mark.parametrize("dialect", DIALECTS)
def test_wait_watches_the_dates(dialect: str, home: Path) -> None:
    (dag,) = build(snippet("wait", dialect), home).values()
    sensor = dag.get_task("wait_for_change")
    assert sensor.deferrable
    assert (sensor.watch, sensor.poke_interval, sensor.timeout) == (["startDate", "endDate"], 60, 604800)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_events_start_the_dag_when_the_session_changes(dialect: str, home: Path) -> None:
    (dag,) = build(snippet("events", dialect), home).values()
    (asset,) = dag.timetable.asset_condition.objects
    (watcher,) = asset.watchers
    assert watcher.trigger.session_ids == [ID]
    assert watcher.trigger.learning_conn_id == CONN_ID
    assert (watcher.trigger.watch, watcher.trigger.poll_interval) == (["startDate", "endDate"], 300.0)
    assert asset.uri.startswith("learning360://app.us.360learning.com/programs/sessions/" + ID)
    assert dag.max_active_runs == 1


def test_mail_step_in_the_comments_works(home: Path) -> None:
    one = snippet("events", "blueprint")
    explanation, step = re.findall(r"(?m)^  # (To mail .*)$((?:\n  # .*)+)", one["text"])[0]
    assert 'delete "# " in the next lines' in explanation
    text = one["text"].replace(step, step.replace("  # ", "  ", step.count("\n")))
    (dag,) = build({**one, "text": text}, home).values()
    mail = dag.get_task("mail")
    assert mail.upstream_task_ids == {"session.get_session"}
    assert [*mail.columns] == ["name", "startDate", "endDate"]


@pytest.mark.parametrize("dialect", DIALECTS)
def test_reminders_use_one_policy_for_both_dags(dialect: str, home: Path) -> None:
    from airflow_provider_learning360.reminders.policy import ReminderPolicy

    dags = build(snippet("reminders", dialect), home)
    plan, deliver = dags[f"plan_reminders_of_{ID}"], dags[f"deliver_reminders_of_{ID}"]
    (planning,) = [task for task in plan.tasks if argument_of(task, "sessions")]
    (starting,) = [task for task in plan.tasks if argument_of(task, "trigger_dag_id")]
    (sending,) = [task for task in deliver.tasks if argument_of(task, "policy")]
    assert planning.sessions == [ID]
    assert planning.delivery_dag_id == argument_of(starting, "trigger_dag_id") == deliver.dag_id
    assert argument_of(starting, "skip_when_already_exists") is True
    assert ReminderPolicy.read(planning.policy) == ReminderPolicy.read(sending.policy) == ReminderPolicy.read(POLICY)
    assert plan.max_active_runs == 1
    assert sending.retries == 5


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize(
    ("kind", "exclude", "fields"),
    [
        ("fetch", ["users", "tutors", "author"], None),
        ("wait", ["users", "tutors", "author", "description"], None),
        ("events", None, ["_id", "name", "startDate", "endDate"]),
    ],
)
def test_all_dialects_read_the_same_fields_without_people(
    kind: str, exclude: list[str] | None, fields: list[str] | None, dialect: str, home: Path
) -> None:
    readers = readers_of(build(snippet(kind, dialect), home))
    assert readers
    for task in readers:
        assert (argument_of(task, "exclude") or None, argument_of(task, "fields") or None) == (exclude, fields)


@pytest.mark.usefixtures("airflow_db")
@pytest.mark.parametrize("dialect", one_in(3, DIALECTS))
@pytest.mark.parametrize("kind", ["fetch", "wait", "events"])
def test_snippet_runs_for_a_session_without_an_end(
    kind: str, dialect: str, home: Path, learning360_simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    session_id = learning360_simulator.session_ids[0]
    learning360_simulator.edit(session_id, endDate=...)
    moved = {"startDate": "2031-05-05T08:00:00.000Z"}
    learning360_simulator.play(
        {"when": {"path": session_id, "after_requests": 3}, "do": {"edit": {"session": session_id, "fields": moved}}}
    )
    monkeypatch.setattr(ChangedProgramSessionsOperator, "execute", lambda *_, **__: make_changes(session_id))
    dags = store_dags(*build(snippet(kind, dialect, session_id, learning_conn_id="learning360_default"), home).values())
    for task in readers_of(dags):
        if kind == "wait" and task.task_id == "wait_for_change":
            task.poke_interval = 0.1

    (dag,) = dags.values()
    run = dag.test()

    assert run.state == "success"
    read = [document for task in readers_of(dags) for document in results(run, task.task_id)]
    assert {document["_id"] for document in read} == {session_id}
    assert not {"users", "tutors", "author", "endDate"} & set().union(*read)


@pytest.mark.parametrize("kind", KINDS)
def test_blueprints_match_the_schema(kind: str) -> None:
    for path, text in files_of(snippet(kind, "blueprint")).items():
        if path.endswith(".dag.yaml"):
            jsonschema.validate(yaml.safe_load(text), json.loads(SCHEMA.read_text("utf-8")))


@pytest.mark.parametrize("kind", KINDS)
def test_blueprint_names_the_schema_that_the_command_writes(kind: str) -> None:
    one = snippet(kind, "blueprint")
    command = r"airflow learning360 schema --output (\S+)"
    named = re.match(rf"# yaml-language-server: \$schema=(\S+)\n# .*: {command}\n", one["text"])
    assert named
    assert Path(one["file"]).parent / named[1] == Path(named[2])


def meaning(text: str, dialect: str) -> Any:
    """The content of a file for the tool that reads it, without comments."""
    if dialect == "python":
        tree = ast.parse(text.encode("utf-8"))  # bytes: a comment may name another encoding
        assert ast.get_docstring(tree)
        return ast.dump(ast.Module(tree.body[1:], []))
    if dialect == "dag_factory":
        text = os.path.expandvars(text)
    else:
        assert not {"{{", "{%", "{#"} & {text[i : i + 2] for i in range(len(text))}  # blueprint renders its files
    return yaml.safe_load(text)


@some_snippets
@settings(deadline=None, max_examples=50)
@given(title=st.text())
@example(NASTY)
def test_session_name_changes_comments_only(kind: str, dialect: str, title: str) -> None:
    named, plain = snippet(kind, dialect, title=title), snippet(kind, dialect, title="")
    assert meaning(named["text"], dialect) == meaning(plain["text"], dialect)
    assert len(named["text"].splitlines()) == len(plain["text"].splitlines())
    assert {path: text for path, text in files_of(named).items() if path != named["file"]} == {
        path: text for path, text in files_of(plain).items() if path != plain["file"]
    }


def test_session_name_stays_readable() -> None:
    assert "Sécurité - 한글 हिन्दी, 2." in snippet("fetch", "python", title=" Sécurité - 한글\n हिन्दी, 2. ")["text"]
    assert f"{'x' * 59}… ({ID})" in snippet("fetch", "python", title="x" * 500)["text"]


@some_snippets
@settings(deadline=None, max_examples=50)
@given(conn_id=st.from_regex(r"[\w#!()\-.:/\\]{1,50}", fullmatch=True))
@example("\\")
@example("#")
def test_every_allowed_connection_id_is_quoted(kind: str, dialect: str, conn_id: str) -> None:
    text = snippet(kind, dialect, learning_conn_id=conn_id)["text"]
    found = re.findall(r'(?:learning_conn_id"?(?:=|: ))("(?:[^"\\]|\\.)*")', text)
    assert found
    for quoted in found:
        assert ast.literal_eval(quoted) == yaml.safe_load(quoted) == conn_id


@pytest.mark.parametrize("conn_id", ["", "a\n", 'a"', "a b", "{{ x }}", "$HOME"])
def test_invalid_connection_id_is_refused(conn_id: str) -> None:
    with pytest.raises(ConnectionRefusedByPageError, match="connection_id_not_allowed"):
        build_workflows(ID, conn_id)


def test_invalid_session_id_is_refused() -> None:
    with pytest.raises(InvalidIdError):
        build_workflows("../../etc/passwd", CONN_ID)


# --- options ---

GIVEN = {"fields": ["name", "startDate"], "contract": "strict", "watch": ["startDate", "tutors"], "interval": 90}


def build_with(kind: str, dialect: str, home: Path, options: dict[str, Any]) -> dict[str, Any]:
    return build(snippet(kind, dialect, options=SessionOptions.read(options)), home)


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("kind", ["fetch", "wait", "events"])
def test_options_reach_the_operators(kind: str, dialect: str, home: Path) -> None:
    dags = build_with(kind, dialect, home, GIVEN)
    readers = readers_of(dags)
    assert readers
    for task in readers:
        fields = argument_of(task, "fields")
        assert fields == (["_id", "modifiedAt", "startDate", "tutors", "name"] if kind == "wait" else GIVEN["fields"])
        assert argument_of(task, "contract") == "strict"
        assert not argument_of(task, "exclude")
    if kind == "wait":
        sensor = next(iter(dags.values())).get_task("wait_for_change")
        assert (sensor.watch, sensor.poke_interval) == (["startDate", "tutors"], 90)
    if kind == "events":
        (asset,) = next(iter(dags.values())).timetable.asset_condition.objects
        trigger = asset.watchers[0].trigger
        assert (trigger.watch, trigger.poll_interval) == (["startDate", "tutors"], 90.0)


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("kind", ["fetch", "wait", "events"])
def test_excluded_fields_reach_the_operators(kind: str, dialect: str, home: Path) -> None:
    for task in readers_of(build_with(kind, dialect, home, {"exclude": ["users"]})):
        assert argument_of(task, "exclude") == ["users"]
        assert not argument_of(task, "fields")


def test_empty_options_are_the_default() -> None:
    empty = {"fields": [], "exclude": [], "contract": "", "watch": [], "interval": None}
    assert SessionOptions.read(empty) == SessionOptions() == SessionOptions.read({})


@pytest.mark.parametrize(
    ("options", "place"),
    [
        ({"fields": ["starDate"]}, "options.fields"),
        ({"fields": "name"}, "options.fields"),
        ({"fields": [3]}, "options.fields"),
        ({"watch": ["colour"]}, "options.watch"),
        ({"contract": "loud"}, "options.contract"),
        ({"contract": ["strict"]}, "options.contract"),
        ({"interval": 1}, "options.interval"),
        ({"interval": "60"}, "options.interval"),
        ({"interval": True}, "options.interval"),
        ({"exclude": ["startDate"]}, "options.exclude"),
        ({"exclude": ["tutors"], "watch": ["tutors"]}, "options.exclude"),
        ({"task_id": "x"}, "options.task_id"),
    ],
)
def test_option_that_is_not_valid_is_refused(options: dict[str, Any], place: str) -> None:
    with pytest.raises(ArgumentsRefusedError) as caught:
        SessionOptions.read(options)
    assert [one["place"] for one in caught.value.problems] == [place]
    assert all(one["text"] for one in caught.value.problems)
