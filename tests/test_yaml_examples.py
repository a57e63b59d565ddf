"""The YAML examples: each is built and run with the tool that reads its dialect."""

from __future__ import annotations

import importlib.util
import inspect
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.policy import default
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jsonschema
import pytest
import yaml

from airflow.providers.common.compat.sdk import BaseOperator, ParamValidationError

from airflow_provider_learning360.simulator import Simulator
from native_yaml import NATIVE, build_dag, find_operator, read_documents, read_tasks
from smtp_server import SmtpServer
from test_examples import EXAMPLES, results

BLUEPRINTS = ("blueprint", "blueprint_reminders")
# With the workflows, which have tests of their own.
FOLDERS = (*BLUEPRINTS, "workflows")
BLUEPRINT_FILES = sorted(path for folder in FOLDERS for path in (EXAMPLES / folder).glob("*.dag.yaml"))
DAG_FACTORY = EXAMPLES / "dag_factory"
IMPORTER = "airflow.sdk.importers.yaml_importer.YamlDagImporter"
SCENARIOS = ("fetch_session", "react_to_changes", "reminders")
WITHOUT_END: dict[str, Any] = {"endDate": ...}


@pytest.fixture
def smtp(monkeypatch: pytest.MonkeyPatch) -> Iterator[SmtpServer]:
    """A mail server, and the connection to it."""
    with SmtpServer() as server:
        connection = {**server.connection, "extra": {**server.connection["extra"], "from_email": "a@example.com"}}
        monkeypatch.setenv("AIRFLOW_CONN_SMTP_DEFAULT", json.dumps(connection))
        yield server


def load_dags(loader: Path) -> dict[str, Any]:
    """Run a loader, as Airflow does, and return its DAGs by their ID."""
    from airflow.sdk import DAG

    spec = importlib.util.spec_from_file_location(f"loaded_{loader.parent.name}_{loader.stem}", loader)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return {one.dag_id: one for one in vars(module).values() if isinstance(one, DAG)}


def states_of(run: Any) -> dict[str, str]:
    return {one.task_id: one.state for one in run.get_task_instances()}


def hours_ahead(hours: float) -> str:
    return (datetime.now(tz=UTC) + timedelta(hours=hours)).strftime("%Y-%m-%dT%H:%M:%S.000Z")


def at_any_hour(policy: str) -> str:
    """Return the policy of an example without quiet hours and working days: the test runs at any time."""
    text = policy if "\n" in policy else Path(policy).read_text("utf-8")
    changed, times = re.subn(r"^(quiet_hours|working_days): .*\n", "", text, flags=re.MULTILINE)
    assert times == 2
    return changed


def runs_of(dag_id: str) -> dict[str, Any]:
    """Return the `conf` of a DAG's runs, by their ID."""
    from airflow.models import DagRun
    from airflow.utils.session import create_session

    with create_session() as session:
        return {run.run_id: run.conf for run in session.query(DagRun).filter(DagRun.dag_id == dag_id)}


def fetch(dag: Any, simulator: Simulator, field: str = "session_id") -> Any:
    """Run a DAG that fetches a session; return the run and the document, which has no people in it."""
    session_id = simulator.session_ids[0]
    run = dag.test(run_conf={field: session_id})
    assert run.state == "success"
    (document,) = results(run, "get_session")
    assert document["_id"] == session_id
    assert not {"users", "tutors", "author"} & set(document)
    return run, document


def fetch_and_show(dag: Any, simulator: Simulator) -> None:
    """Run a DAG that fetches a session with an end and without; the next task gets the session."""
    session_id = simulator.session_ids[0]
    simulator.edit(session_id, name='Safety "first"; echo {{ 7 * 7 }} $HOME')
    for fields in ({}, WITHOUT_END):
        sent = simulator.edit(session_id, **fields)
        run, document = fetch(dag, simulator)
        assert document.get("endDate") == sent.get("endDate")
        assert results(run, "show_dates") == [f"{sent['name']}: {sent['startDate']} to {sent.get('endDate')}"]


def remind(
    plan: Any, deliver: Any, simulator: Simulator, smtp: SmtpServer, *, group: str = "", at_once: int | None = None
) -> None:
    """Plan what is due and deliver it: each recipient gets one mail, and nothing is planned again."""
    learners = make_reminders_due(simulator)
    planning, sending = plan.get_task(f"{group}plan"), deliver.get_task("send")
    assert planning.policy == sending.policy
    planning.policy = sending.policy = at_any_hour(planning.policy)
    sessions = len(simulator.session_ids)
    planned: dict[str, Any] = {}
    for _ in range(0, sessions, at_once or sessions):
        run = plan.test()
        assert run.state == "success"
        (items,) = results(run, f"{group}plan")
        planned |= {item["trigger_run_id"]: item["conf"] for item in items}
    assert len(planned) == sessions
    assert runs_of(deliver.dag_id) == planned

    for conf in planned.values():
        # Not as the configuration of the run: that has to be the one whose ID is the reminder's key.
        sending.reminder = conf
        assert deliver.test().state == "success"
    assert sorted(smtp.recipients) == sorted(learners)

    run = plan.test()
    assert run.state == "success"
    assert results(run, f"{group}plan") == [[]]
    assert states_of(run)[f"{group}start_delivery"] == "skipped"


def make_reminders_due(simulator: Simulator) -> list[str]:
    """Make a reminder due for every session, and return its recipients."""
    learners = []
    for number, session_id in enumerate(simulator.session_ids):
        users = [{"_id": f"{number * 100 + one:024x}", "mail": f"s{number}.r{one}@example.com"} for one in range(2)]
        simulator.edit(session_id, startDate=hours_ahead(23), endDate=hours_ahead(2000), users=users)
        learners += [user["mail"] for user in users]
    return learners


# --- dag-factory ---


@pytest.fixture
def _dag_factory(monkeypatch: pytest.MonkeyPatch) -> None:
    """dag-factory without its telemetry."""
    from dagfactory import settings

    monkeypatch.setattr(settings, "enable_telemetry", False)


def dag_factory(stem: str) -> dict[str, Any]:
    return load_dags(DAG_FACTORY / f"{stem}.py")


def make_changes(*session_ids: str) -> list[dict[str, Any]]:
    """Return changes as the operator returns them."""
    return [{"_id": one, "kind": "modified", "modifiedAt": {"from": None, "to": "2026"}} for one in session_ids]


def react(dag: Any, simulator: Simulator, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Run a DAG as if a change of every session had started it."""
    for number, session_id in enumerate(simulator.session_ids):
        simulator.edit(session_id, name=f"Session {number}")
    changes = make_changes(*simulator.session_ids)
    kind = "airflow_provider_learning360.operators.changes.ChangedProgramSessionsOperator"
    monkeypatch.setattr(f"{kind}.execute", lambda *_, **__: changes)
    run = dag.test()
    assert run.state == "success"
    return run


def test_dag_factory_has_one_loader_for_each_file() -> None:
    assert sorted(path.stem for path in DAG_FACTORY.glob("*.yaml")) == list(SCENARIOS)
    assert sorted(path.stem for path in DAG_FACTORY.glob("*.py")) == list(SCENARIOS)


@pytest.mark.usefixtures("_dag_factory")
@pytest.mark.parametrize("stem", SCENARIOS)
def test_dag_factory_shows_a_mistake_as_an_import_error(stem: str, tmp_path: Path) -> None:
    loader, text = DAG_FACTORY / f"{stem}.py", (DAG_FACTORY / f"{stem}.yaml").read_text("utf-8")
    shutil.copy(loader, tmp_path)
    (tmp_path / f"{stem}.yaml").write_text(re.sub(r"(?m)^(\s+operator: .*)Operator$", r"\1Operatr", text), "utf-8")
    with pytest.raises(ImportError, match="Operatr"):
        load_dags(tmp_path / loader.name)


@pytest.mark.usefixtures("_dag_factory")
@pytest.mark.parametrize("stem", SCENARIOS)
def test_dag_factory_takes_every_key_of_the_dag(stem: str) -> None:
    # It ignores unknown keys silently.
    from dagfactory import dagbuilder

    known = set(re.findall(r'dag_params(?:\.get\(\s*|\[)"(\w+)"', inspect.getsource(dagbuilder))) | {"schedule"}
    text = re.sub(r"__type__: \S+", "", (DAG_FACTORY / f"{stem}.yaml").read_text("utf-8"))
    for document in yaml.safe_load(text).values():
        assert set(document) <= known


@pytest.mark.slow
@pytest.mark.usefixtures("_dag_factory", "airflow_db")
def test_dag_factory_fetch(learning360_simulator: Simulator) -> None:
    dag = dag_factory("fetch_session")["dag_factory_fetch_session"]
    fetch_and_show(dag, learning360_simulator)
    with pytest.raises(ParamValidationError):
        dag.test(run_conf={"session_id": "no ID"})


@pytest.mark.slow
@pytest.mark.usefixtures("_dag_factory", "airflow_db")
@pytest.mark.learning360_simulator(sessions=2)
def test_dag_factory_reaction(learning360_simulator: Simulator, monkeypatch: pytest.MonkeyPatch) -> None:
    dag = dag_factory("react_to_changes")["dag_factory_react_to_changes"]
    trigger = dag.timetable.asset_condition.objects[0].watchers[0].trigger
    assert (trigger.watch, trigger.poll_interval, trigger.session_ids) == (["startDate", "endDate"], 60.0, None)
    assert dag.max_active_runs == 1

    run = dag.test()
    assert run.state == "success"
    assert states_of(run) == {"changed": "success", "get_session": "skipped", "tell": "skipped"}

    learning360_simulator.edit(learning360_simulator.session_ids[0], **WITHOUT_END)
    run = react(dag, learning360_simulator, monkeypatch)
    sent = [learning360_simulator.session(one) for one in learning360_simulator.session_ids]
    texts = [f"{one['name']} now starts {one['startDate']} and ends {one.get('endDate')}" for one in sent]
    assert results(run, "tell") == texts


@pytest.mark.slow
@pytest.mark.usefixtures("_dag_factory", "airflow_db")
@pytest.mark.learning360_simulator(sessions=3)
def test_dag_factory_reminders(learning360_simulator: Simulator, smtp: SmtpServer) -> None:
    dags = dag_factory("reminders")
    plan, deliver = dags["dag_factory_plan_reminders"], dags["dag_factory_deliver_reminder"]
    remind(plan, deliver, learning360_simulator, smtp)


# --- Airflow's own YAML, from 3.4 on ---


def native_tasks() -> list[Any]:
    return [
        pytest.param(task, id=f"{name}:{document['dag_id']}.{task['id']}")
        for name, document in read_documents()
        for task in read_tasks(document)
    ]


def parameter_names(kind: type) -> set[str]:
    """Return the names of the parameters of a class, with those of its base classes."""
    inits = [vars(one)["__init__"] for one in kind.__mro__ if "__init__" in vars(one)]
    named = [one for init in inits for one in inspect.signature(init).parameters.values()]
    return {one.name for one in named if one.kind is one.KEYWORD_ONLY or one.kind is one.POSITIONAL_OR_KEYWORD}


def is_marked(value: Any) -> bool:
    """Return whether a value, or a part of it, is a template or a reference."""
    if isinstance(value, dict):
        return bool({"$t", "$x", "$f"} & set(value)) or any(map(is_marked, value.values()))
    return isinstance(value, list) and any(map(is_marked, value))


def test_native_examples_are_there() -> None:
    assert [path.stem for path in NATIVE] == list(SCENARIOS)
    assert {document["$schema"] for _, document in read_documents()} == {
        "https://airflow.apache.org/schemas/dag/2026-10-30.json"
    }


@pytest.mark.parametrize("task", native_tasks())
def test_native_tasks_give_operators_what_they_take(task: dict[str, Any]) -> None:
    kind = find_operator(task)
    base = parameter_names(BaseOperator)
    given = set(task["with"])
    assert given <= parameter_names(kind) - base
    assert set(task) - {"id", "uses", "with", "needs", "extends"} <= base - {"task_id", "dag", "default_args"}
    assert {name for name, value in task["with"].items() if is_marked(value)} <= set(kind.template_fields)
    # Without a mark, a text that looks like a template is not rendered.
    assert not [one for one in task["with"].values() if isinstance(one, str) and "{{" in one]


def store_dags(*dags: Any) -> dict[str, Any]:
    """Store DAGs in Airflow's database, which does not run others; return them by their ID."""
    from airflow.dag_processing.bundles.manager import DagBundlesManager
    from airflow.dag_processing.dagbag import DagBag, sync_bag_to_db

    bag = DagBag(collect_dags=False)
    for dag in dags:
        bag.bag_dag(dag)
    DagBundlesManager().sync_bundles_to_db()
    sync_bag_to_db(bag, "dags-folder", None)
    return bag.dags


def test_native_reminders_have_one_policy() -> None:
    tasks = [task for name, one in read_documents() if name == "reminders.yaml" for task in one["tasks"]]
    policies = [task["with"]["policy"] for task in tasks if "policy" in task["with"]]
    assert len(policies) == 2
    assert policies[0] == policies[1]


@pytest.mark.parametrize("document", [one for _, one in read_documents()], ids=lambda one: one["dag_id"])
def test_native_tasks_refer_to_tasks_that_are_there(document: dict[str, Any]) -> None:
    ids = [task["id"] for task in document["tasks"]]
    assert len(ids) == len(set(ids))
    for task in document["tasks"]:
        assert set(task.get("needs", ())) <= set(ids)


def import_file(path: Path) -> list[Any]:
    """Return the DAGs that Airflow's own importer builds from a file."""
    from airflow.sdk.importers import yaml_importer as importers
    from airflow.sdk.importers.base import FilesystemDagDefinition

    definition = FilesystemDagDefinition(path=path)
    importer = importers.YamlDagImporter()
    assert importer.might_contain_dag(definition, safe_mode=True)
    result = importer.import_definition(definition, SimpleNamespace(name="examples", path=path.parent))
    assert result.errors == []
    return list(result.dags)


@pytest.fixture(params=["imported", "built"])
def native(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], dict[str, Any]]:
    """Return a function that builds the DAGs of an example: with Airflow's importer, or with ours where it has none."""
    if request.param == "imported":
        pytest.importorskip("airflow.sdk.importers.yaml_importer", reason="Airflow reads YAML by itself from 3.4 on")
        monkeypatch.setenv("AIRFLOW__DAG_PROCESSOR__DAG_IMPORTER_CONFIGS", json.dumps([{"classpath": IMPORTER}]))
    elif importlib.util.find_spec("airflow.sdk.importers"):
        pytest.skip("this Airflow imports them itself, and both would be the same DAGs of one database")

    def dags(stem: str) -> dict[str, Any]:
        path = EXAMPLES / "native_yaml" / f"{stem}.yaml"
        documents = [document for name, document in read_documents() if name == path.name]
        if request.param == "imported":
            return {dag.dag_id: dag for dag in import_file(path)}
        return store_dags(*map(build_dag, documents))

    return dags


Native = Callable[[str], dict[str, Any]]


@pytest.mark.slow
@pytest.mark.usefixtures("airflow_db")
def test_native_fetch(learning360_simulator: Simulator, native: Native) -> None:
    fetch_and_show(native("fetch_session")["native_fetch_session"], learning360_simulator)


@pytest.mark.slow
@pytest.mark.usefixtures("airflow_db")
@pytest.mark.parametrize("fields", [{}, WITHOUT_END], ids=["with an end", "without"])
def test_native_wait(fields: dict[str, Any], learning360_simulator: Simulator, native: Native) -> None:
    session_id = learning360_simulator.session_ids[0]
    sent = learning360_simulator.edit(session_id, **fields)
    moved = {"startDate": "2031-05-05T08:00:00.000Z"}
    learning360_simulator.play(
        {"when": {"path": session_id, "after_requests": 3}, "do": {"edit": {"session": session_id, "fields": moved}}}
    )
    dag = native("react_to_changes")["native_react_to_changes"]
    dag.get_task("wait_for_change").poke_interval = 0.1
    run = dag.test(run_conf={"session_id": session_id})
    assert run.state == "success"
    assert results(run, "tell") == [
        f"{sent['name'].strip()} now starts {moved['startDate']} and ends {sent.get('endDate')}"
    ]
    for task_id in ("get_session", "wait_for_change"):
        (document,) = results(run, task_id)
        assert not {"users", "tutors", "author"} & set(document)


@pytest.mark.slow
@pytest.mark.usefixtures("airflow_db")
@pytest.mark.learning360_simulator(sessions=2)
def test_native_reminders(learning360_simulator: Simulator, smtp: SmtpServer, native: Native) -> None:
    dags = native("reminders")
    plan, deliver = dags["native_plan_reminders"], dags["native_deliver_reminder"]
    remind(plan, deliver, learning360_simulator, smtp, at_once=1)


# --- blueprint ---


def blueprint(folder: str, dag_id: str) -> Any:
    return load_dags(EXAMPLES / folder / "loader.py")[dag_id]


def test_blueprint_has_every_example() -> None:
    names = [path.name for folder in BLUEPRINTS for path in sorted((EXAMPLES / folder).glob("*.dag.yaml"))]
    assert names == [
        *("fetch_session.dag.yaml", "react_to_changes.dag.yaml"),
        *("deliver_reminder.dag.yaml", "plan_reminders.dag.yaml"),
    ]


@pytest.mark.parametrize("path", BLUEPRINT_FILES, ids=lambda path: path.name)
def test_blueprint_files_are_those_of_the_schema_that_they_name(path: Path) -> None:
    text = path.read_text("utf-8")
    named = re.match(r"# yaml-language-server: \$schema=(\S+)\n", text)
    assert named
    schema = json.loads((path.parent / named[1]).read_text("utf-8"))
    jsonschema.validate(yaml.safe_load(text), schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(yaml.safe_load(text.replace("    blueprint:", "    typo: 1\n    blueprint:", 1)), schema)


@pytest.mark.slow
@pytest.mark.parametrize("folder", FOLDERS)
def test_blueprint_lint_finds_nothing(folder: str) -> None:
    tool = [sys.executable, "-m", "blueprint.cli", "lint", "--template-dir", "."]
    done = subprocess.run(tool, cwd=EXAMPLES / folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_new_file_is_there_without_a_restart(tmp_path: Path) -> None:
    folder = shutil.copytree(EXAMPLES / "blueprint", tmp_path / "blueprint")
    before = load_dags(folder / "loader.py")
    text = (folder / "fetch_session.dag.yaml").read_text("utf-8")
    text = text.replace("blueprint_fetch_session", "one_more")
    (folder / "one_more.dag.yaml").write_text(text, "utf-8")
    assert set(load_dags(folder / "loader.py")) == {*before, "one_more"}

    (folder / "one_more.dag.yaml").write_text(text.replace("get_session\n", "get_sessoin\n"), "utf-8")
    broken = load_dags(folder / "loader.py")
    assert set(broken) == {*before, "learning360_broken_file_1"}
    with pytest.raises(Exception, match="get_sessoin"):
        broken["learning360_broken_file_1"].validate()
    assert len(load_dags(EXAMPLES / "blueprint_reminders" / "loader.py")) == 2


@pytest.mark.usefixtures("airflow_db")
def test_blueprint_fetch(learning360_simulator: Simulator) -> None:
    dag = blueprint("blueprint", "blueprint_fetch_session")
    for fields in ({}, WITHOUT_END):
        sent = learning360_simulator.edit(learning360_simulator.session_ids[0], **fields)
        _, document = fetch(dag, learning360_simulator, "get_session__session_id")
        assert document.get("endDate") == sent.get("endDate")
    with pytest.raises(ParamValidationError):
        dag.test(run_conf={"get_session__session_id": "no ID"})


@pytest.mark.usefixtures("airflow_db")
@pytest.mark.learning360_simulator(sessions=2)
def test_blueprint_reaction(learning360_simulator: Simulator, monkeypatch: pytest.MonkeyPatch) -> None:
    dag = blueprint("blueprint", "blueprint_react_to_changes")
    trigger = dag.timetable.asset_condition.objects[0].watchers[0].trigger
    assert (trigger.watch, trigger.poll_interval, trigger.session_ids) == (["startDate", "endDate"], 60.0, None)
    assert dag.max_active_runs == 1
    run = react(dag, learning360_simulator, monkeypatch)
    read = [one["_id"] for one in results(run, "session.get_session")]
    assert read == list(learning360_simulator.session_ids)


@pytest.mark.slow
@pytest.mark.usefixtures("airflow_db")
@pytest.mark.learning360_simulator(sessions=3)
def test_blueprint_reminders(learning360_simulator: Simulator, smtp: SmtpServer) -> None:
    plan = blueprint("blueprint_reminders", "blueprint_plan_reminders")
    deliver = blueprint("blueprint_reminders", "blueprint_deliver_reminder")
    assert plan.max_active_runs == 1
    remind(plan, deliver, learning360_simulator, smtp, group="reminders.")


# --- three workflows without a line of Python ---


def workflow(dag_id: str) -> Any:
    return load_dags(EXAMPLES / "workflows" / "loader.py")[dag_id]


def mail_of(smtp: SmtpServer, recipient: str) -> tuple[str, str]:
    """The subject and the text of the only mail to somebody."""
    (mail,) = (one for one in smtp.mails if one.recipients == [recipient])
    body = message_from_bytes(mail.raw, policy=default).get_body(("plain",))
    assert body is not None
    return mail.subject, body.get_content()


def test_workflows_are_those_of_the_documentation() -> None:
    names = [path.name for path in sorted((EXAMPLES / "workflows").glob("*.dag.yaml"))]
    page = (EXAMPLES.parent / "docs" / "how-to" / "yaml.md").read_text("utf-8")
    assert names == ["enrol_group.dag.yaml", "late_digest.dag.yaml", "tell_tutors.dag.yaml"]
    assert all(f"dags_examples/workflows/{name}" in page for name in names)


@pytest.mark.slow
@pytest.mark.both_versions
@pytest.mark.usefixtures("airflow_db")
@pytest.mark.learning360_simulator(sessions=1)
def test_tutors_are_told_when_dates_move(
    learning360_simulator: Simulator, smtp: SmtpServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    (session_id,) = learning360_simulator.session_ids
    tutors = learning360_simulator.session(session_id)["tutors"]
    learning360_simulator.edit(session_id, startDate="2031-05-05T08:00:00.000Z")
    run = react(workflow("tell_tutors"), learning360_simulator, monkeypatch)
    assert set(states_of(run).values()) == {"success"}
    assert sorted(smtp.recipients) == sorted(set(tutors))
    for tutor in set(tutors):
        subject, text = mail_of(smtp, tutor)
        assert subject == "New dates: Session 0"
        assert "Start: 2031-05-05 10:00 (Europe/Paris)" in text


@pytest.mark.slow
@pytest.mark.both_versions
@pytest.mark.usefixtures("airflow_db")
def test_group_is_enrolled_once_and_reported(learning360_simulator: Simulator, smtp: SmtpServer) -> None:
    session_id = learning360_simulator.session_ids[0]
    people = learning360_simulator.session(session_id)["users"]
    learning360_simulator.edit(session_id, users=people[:2], endDate=hours_ahead(900))
    dag = workflow("enrol_group")
    run = dag.test()
    assert set(states_of(run).values()) == {"success"}
    (diff,) = results(run, "enrol")
    assert len(diff["added"]) + diff["unchanged"] == 3
    subject, text = mail_of(smtp, "hr@example.com")
    assert subject == f"People enrolled: {len(diff['added'])}"
    assert "Last name | First name | Completed" in text
    enrolled = learning360_simulator.session(session_id)["users"]
    assert {"ann.lambert@example.com", "farid.rossi@example.com", "ugo.garcia@example.com"} <= {
        one["mail"] for one in enrolled
    }
    run = dag.test()
    (again,) = results(run, "enrol")
    assert (again["added"], again["unchanged"]) == ([], 3)


@pytest.mark.slow
@pytest.mark.both_versions
@pytest.mark.usefixtures("airflow_db")
@pytest.mark.learning360_simulator(sessions=3)
def test_digest_lists_who_is_late(learning360_simulator: Simulator, smtp: SmtpServer) -> None:
    late, future, _ = learning360_simulator.session_ids
    learning360_simulator.edit(
        late, name="Over", startDate="2020-01-01T00:00:00.000Z", endDate="2020-02-01T00:00:00.000Z"
    )
    learning360_simulator.edit(future, name="Later", startDate=hours_ahead(500), endDate=hours_ahead(900))
    run = workflow("late_digest").test()
    assert set(states_of(run).values()) == {"success"}
    subject, text = mail_of(smtp, "hr@example.com")
    rows = [line for line in text.splitlines() if line.startswith("Over |")]
    assert rows
    assert not [line for line in text.splitlines() if line.startswith("Later |")]
    assert subject == f"Late learners: {text.count(' | ') // 3 - 1}"


# --- all of them side by side ---


@pytest.mark.usefixtures("_dag_factory")
def test_examples_have_names_of_their_own() -> None:
    from airflow.dag_processing.dagbag import DagBag

    found = DagBag(EXAMPLES)
    assert found.import_errors == {}
    ids = sorted(found.dags) + [document["dag_id"] for _, document in read_documents()]
    assert len(ids) == len(set(ids))
    for dialect in ("dag_factory", "blueprint", "native"):
        assert len([one for one in ids if one.startswith(f"{dialect}_")]) == 4
    watched = [
        asset.name
        for dag in found.dags.values()
        for asset in getattr(getattr(dag.timetable, "asset_condition", None), "objects", ())
        if asset.watchers
    ]
    assert sorted(watched) == [
        "all_program_sessions",
        "completions",
        "new_dates_for_blueprint",
        "new_dates_for_dag_factory",
        "new_dates_for_tutors",
        "program_sessions_with_new_dates",
    ]


def test_no_code_page_names_the_tested_versions() -> None:
    page = (EXAMPLES.parent / "docs" / "no-code.md").read_text("utf-8")
    for tool in ("airflow-blueprint", "dag-factory"):
        assert f"{tool} {version(tool)}, Airflow 3.3" in page
    assert "airflow-provider-learning360[" not in page  # it is on no index, where the name may be somebody else's
    assert f"DAG_IMPORTER_CONFIGS='{json.dumps([{'classpath': IMPORTER}])}'" in page


def test_dag_factory_reads_a_policy_as_text_only(tmp_path: Path) -> None:
    from dagfactory._yaml import load_yaml_file

    (tmp_path / "file.yaml").write_text("as_values: {on: 20:00}\nas_text: |\n  on: 20:00\n", "utf-8")
    read = load_yaml_file(str(tmp_path / "file.yaml"))
    assert read == {"as_values": {True: 1200}, "as_text": "on: 20:00\n"}
