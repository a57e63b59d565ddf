"""The templates of `blueprints/`: found by their entry point, they build and run what the YAML says."""

from __future__ import annotations

import ast
import importlib.metadata
import json
import re
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import BaseModel

import airflow_provider_learning360

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from airflow_provider_learning360.simulator import Simulator

PACKAGE = Path(airflow_provider_learning360.__file__).parent
MODULES = sorted((PACKAGE / "blueprints").glob("*.py"))
SESSION_ID = "60b8d2956e20ae1a0f8e44f1"
NAMES = [
    "learning360_ask_before_sending",
    "learning360_changed_sessions",
    "learning360_deliver_reminders",
    "learning360_enrol",
    "learning360_get_progress",
    "learning360_get_session",
    "learning360_list_sessions",
    "learning360_mail",
    "learning360_message",
    "learning360_operation",
    "learning360_plan_reminders",
    "learning360_unenrol",
    "learning360_update_session",
    "learning360_wait_for_change",
    "learning360_wait_for_completion",
    "learning360_wait_until",
    "learning360_webhook",
]
POLICY = "{name: academy, rules: [{name: day_before, anchor: startDate, before: {days: 1}, audience: learners}]}"

WATCH = "watch: {name: all}\n"
NOTIFIER = "airflow.providers.smtp.notifications.smtp.SmtpNotifier"
DAG_ARGS = Path(__file__).resolve().parent / "broken" / "dag_args.py"


@pytest.fixture(scope="module")
def registry() -> Any:
    from blueprint import BlueprintRegistry

    found = BlueprintRegistry(template_dirs=[])
    found.discover()
    return found


@pytest.fixture
def build(tmp_path: Path, registry: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Any]:
    """Build a DAG of steps in YAML, in a DAG bundle."""
    how = {"classpath": "airflow.dag_processing.bundles.local.LocalDagBundle", "kwargs": {"path": str(tmp_path)}}
    bundles = json.dumps([{"name": "yaml", **how}])
    monkeypatch.setenv("AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST", bundles)
    monkeypatch.setenv("AIRFLOW__CORE__DAGS_FOLDER", str(tmp_path))
    (tmp_path / "policy.yaml").write_text(POLICY)
    (tmp_path / "loader.py").write_text(
        "from airflow_provider_learning360.dag_yaml.loader import build_airflow_dags\n\nbuild_airflow_dags(globals())\n"
    )

    def built(steps: str) -> Any:
        from blueprint import BlueprintRegistry, Builder

        path, theirs = tmp_path / "dag.dag.yaml", registry
        path.write_text(f"dag_id: in_yaml\nsteps:\n{steps}")
        if WATCH in steps:
            (tmp_path / "args").mkdir()
            (tmp_path / "args" / "dag_args.py").write_text(DAG_ARGS.read_text())
            theirs = BlueprintRegistry(template_dirs=[tmp_path / "args"])
        return Builder(theirs).build_from_yaml(path)

    return built


def forms_in(form: type[BaseModel]) -> Iterator[type[BaseModel]]:
    yield form
    for field in form.model_fields.values():
        kind = field.annotation
        for one in (kind, *getattr(kind, "__args__", ())):
            if isinstance(one, type) and issubclass(one, BaseModel):
                yield from forms_in(one)


def all_forms(registry: Any) -> list[type[BaseModel]]:
    from airflow_provider_learning360.dag_yaml.arguments import LearningDagArgsConfig

    tops = [registry.get(name).get_config_type() for name in NAMES]
    return [form for top in [*tops, LearningDagArgsConfig] for form in forms_in(top)]


def results(run: Any, task_id: str, key: str = "return_value") -> list[Any]:
    from airflow.models.xcom import XComModel
    from airflow.utils.session import create_session

    query = XComModel.get_many(run_id=run.run_id, dag_ids=run.dag_id, task_ids=task_id, key=key)
    with create_session() as session:
        return [XComModel.deserialize_value(row) for row in session.scalars(query)]


def test_templates_are_found_by_the_entry_point(registry: Any) -> None:
    (entry,) = importlib.metadata.entry_points(group="airflow_blueprint.blueprints", name="learning360")
    assert entry.value == "airflow_provider_learning360.blueprints"
    ours = [one for one in registry.list_blueprints() if "airflow_provider_learning360" in str(one["locations"])]
    assert [one["name"] for one in ours] == NAMES
    assert all(one["versions"] == [1] for one in ours)


def test_no_dag_args_class_is_found_by_the_entry_point(registry: Any) -> None:
    assert registry.list_dag_args() == []
    bases = [
        getattr(base, "id", getattr(getattr(base, "value", None), "id", None))
        for module in MODULES
        for node in ast.walk(ast.parse(module.read_text()))
        if isinstance(node, ast.ClassDef)
        for base in node.bases
    ]
    assert "Blueprint" in bases
    assert "BlueprintDagArgs" not in bases


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.stem)
def test_source_contains_no_jinja(module: Path) -> None:
    assert not [sign for sign in ("{{", "{%", "{#") if sign in module.read_text()]


def test_every_field_is_described(registry: Any) -> None:
    for form in all_forms(registry):
        assert form.model_config["extra"] == ("allow" if form.__name__ == "Values" else "forbid")
        assert not [name for name, field in form.model_fields.items() if not field.description], form


def test_examples_are_valid(registry: Any) -> None:
    from pydantic import create_model

    from airflow_provider_learning360.dag_yaml.forms import Form

    tried = 0
    for form in all_forms(registry):
        for name, field in form.model_fields.items():
            if name in ("fields", "exclude", "watch", "policy", "templates") or not field.examples:
                continue  # a choice for Airflow's form, what needs others beside it, and files
            alone = create_model("alone", __base__=Form, **{name: (field.annotation, field)})  # type: ignore[call-overload]
            for example in field.examples:
                alone(**{name: example})
                tried += 1
    assert tried > 30


# For each template: fields of the YAML, none with its default, and the arguments of the tasks.
PUSHED: dict[str, Any] = {"learning_conn_id": "here", "fields": ["_id", "name"], "contract": "strict"}
WAITED: dict[str, Any] = {
    **PUSHED,
    "exclude": ["users"],
    "watch": ["startDate"],
    "soft_fail": True,
    "on_missing": "skip",
    "max_failures": 3,
    "deferrable": False,
}
COMPLETED: dict[str, Any] = {name: value for name, value in WAITED.items() if name != "watch"}
MAILED: dict[str, Any] = {
    "learning_conn_id": "here",
    "smtp_conn_id": "mails",
    "sender": "Academy <academy@example.com>",
    "reply_to": "help@example.com",
    "rate": None,
    "batch_size": 7,
    "connections": 3,
    "retries": 2,
}
LISTED: dict[str, Any] = {
    **PUSHED,
    "template_id": "5f9a1c2d3e4b5a6978801234",
    "name_pattern": "On*",
    "starts_after": "2026-01-01",
    "starts_before": "2026-02-01",
    "ends_after": "2026-03-01",
    "ends_before": "2026-04-01",
    "modified_since": "2026-05-01",
}
ASKED: dict[str, Any] = {"subject": "Today's, at {{ context.ds }}?", "body": "Look.", "defaults": "Reject"}
ACTED: dict[str, Any] = {"time_zone": "Europe/Paris", "retries": 3}
ENROLLED: dict[str, Any] = {
    "session_id": SESSION_ID,
    "people": ["ann@example.com", "ben@example.com"],
    "groups": ["5e9a1c2d3e4b5a6978801234"],
    "learning_conn_id": "here",
}
CALLED: dict[str, Any] = {
    "operation": "replace-path-tags",
    "parameters": {"pathId": SESSION_ID},
    "body": {"tagIds": [SESSION_ID]},
    "fields": ["tagIds"],
    "replace": True,
    "contract": "strict",
    "deferrable": False,
    "learning_conn_id": "here",
}
POLLED: dict[str, Any] = {
    "operation": "list-path-sessions",
    "parameters": {"modifiedAt[gte]": "2026-03-01T08:00:00Z"},
    "pages": 2,
    **{name: value for name, value in COMPLETED.items() if name != "exclude"},
}
OF_FIELDS: dict[str, tuple[dict[str, Any], dict[str, dict[str, Any]]]] = {
    "learning360_enrol": ({**ENROLLED, "dry_run": True}, {"it": {**ENROLLED, "_dry_run": True}}),
    "learning360_unenrol": ({**ENROLLED, "dry_run": True}, {"it": {**ENROLLED, "_dry_run": True}}),
    "learning360_update_session": (
        {"session_id": SESSION_ID, "set": {"userLimit": 5}, "dry_run": True, "learning_conn_id": "here"},
        {"it": {"session_id": SESSION_ID, "set": {"userLimit": 5}, "_dry_run": True, "learning_conn_id": "here"}},
    ),
    "learning360_operation": (
        {**CALLED, "dry_run": True, "poke_interval": {"minutes": 2}, "timeout": {"hours": 3}},
        {"it": {**CALLED, "_dry_run": True, "poke_interval": 120, "timeout": 10800}},
    ),
    "learning360_wait_until": (
        {**POLLED, "until": {"path": "$[0].name", "equals": 1}, "poke_interval": {"hours": 1}, "timeout": {"days": 2}},
        {"it": {**POLLED, "until": [{"path": "$[0].name", "equals": 1}], "poke_interval": 3600, "timeout": 172800}},
    ),
    "learning360_mail": (
        {
            **ACTED,
            "to": "hr@example.com",
            "subject": "About {{ context.ds }}",
            "text": "Look.",
            "table": "first",
            "columns": {"name": "Name"},
            "empty": "skip",
            "sender": "Academy <academy@example.com>",
            "smtp_conn_id": "mails",
        },
        {"it": {**ACTED, "to": ["hr@example.com"], "subject": "About {{ ds }}", "table": "{{ steps.first }}"}},
    ),
    "learning360_message": (
        {**ACTED, "notifier": NOTIFIER, "arguments": {"to": "hr@example.com", "subject": "{{ context.ds }}"}},
        {"it": {**ACTED, "notifier": NOTIFIER, "arguments": {"to": "hr@example.com", "subject": "{{ ds }}"}}},
    ),
    "learning360_webhook": (
        {
            **ACTED,
            "http_conn_id": "rooms",
            "endpoint": "/x",
            "method": "PUT",
            "body": {"a": [1]},
            "headers": {"X": "y"},
        },
        {
            "it": {
                **ACTED,
                "http_conn_id": "rooms",
                "endpoint": "/x",
                "method": "PUT",
                "body": {"a": [1]},
                "headers": {"X": "y"},
            }
        },
    ),
    "learning360_get_session": (
        {"session_id": SESSION_ID, "exclude": ["users"], **PUSHED},
        {"it": {"session_id": "{{ params['it__session_id'] }}", "exclude": ["users"], **PUSHED}},
    ),
    "learning360_get_progress": (
        {"session_id": SESSION_ID, "who": "late", "learning_conn_id": "here"},
        {"it": {"session_id": SESSION_ID, "who": "late", "learning_conn_id": "here"}},
    ),
    "learning360_list_sessions": (LISTED, {"it": LISTED}),
    "learning360_wait_for_change": (
        {"session_id": SESSION_ID, "poke_interval": {"hours": 1}, "timeout": {"days": 2, "seconds": 1}, **WAITED},
        {"it": {"session_id": SESSION_ID, "poke_interval": 3600, "timeout": 172801, **WAITED}},
    ),
    "learning360_wait_for_completion": (
        {"session_id": SESSION_ID, "share": 0.8, "poke_interval": {"hours": 1}, "timeout": {"days": 2}, **COMPLETED},
        {"it": {"session_id": SESSION_ID, "share": 0.8, "poke_interval": 3600, "timeout": 172800, **COMPLETED}},
    ),
    "learning360_changed_sessions": (
        {"exclude": ["users"], **PUSHED},
        {"it.changed": {}, "it.get_session": {"exclude": ["users"], **PUSHED}},
    ),
    "learning360_plan_reminders": (
        {"policy": "policy.yaml", "delivery_dag_id": "other", "sessions": [SESSION_ID], "learning_conn_id": "here"},
        {
            "it.plan": {"delivery_dag_id": "other", "sessions": [SESSION_ID], "learning_conn_id": "here"},
            "it.start_delivery": {"trigger_dag_id": "other"},
        },
    ),
    "learning360_deliver_reminders": (
        {"policy": "policy.yaml", "templates": "mails", "retry_delay": {"seconds": 9}, **MAILED},
        {"it": {"retry_delay": timedelta(seconds=9), **MAILED}},
    ),
    "learning360_ask_before_sending": (
        {**ASKED, "response_timeout": {"hours": 1}},
        {
            "it": {
                "subject": "Today's, at {{ ds }}?",
                "body": "Look.",
                "defaults": ["Reject"],
                "response_timeout": timedelta(hours=1),
            }
        },
    ),
}
# Fields that exclude others have tests of their own.
INSTEAD = {
    "since",
    "since_step",
    "sessions_step",
    "count",
    "people_file",
    "people_column",
    "for_each",
    "pages",
    "wait_for",
}


@pytest.mark.parametrize("name", NAMES)
def test_every_field_reaches_its_task(build: Callable[[str], Any], registry: Any, tmp_path: Path, name: str) -> None:
    (tmp_path / "mails").mkdir()
    fields, arguments_of_tasks = OF_FIELDS[name]
    form = registry.get(name).get_config_type()
    assert set(fields) | INSTEAD == set(form.model_fields) | INSTEAD
    assert not [field for field, value in fields.items() if form.model_fields[field].default == value]
    first = "  first: {blueprint: learning360_list_sessions}\n" if fields.get("table") else ""
    dag = build(f"{first}  it: {json.dumps({'blueprint': name, **fields})}\n{WATCH}")
    paths = {"policy": str(tmp_path / "policy.yaml"), "templates": str(tmp_path / "mails")}
    assert {task.task_id for task in dag.tasks} - {"first"} == set(arguments_of_tasks)
    for task_id, arguments in arguments_of_tasks.items():
        task = dag.get_task(task_id)
        has = getattr(task, "partial_kwargs", None) or vars(task)
        expected = arguments | {field: path for field, path in paths.items() if field in fields and field in has}
        assert {field: has.get(field, "nothing") for field in expected} == expected


def test_operation_reads_pages_and_waits_for_bulk_work(build: Callable[[str], Any]) -> None:
    dag = build(
        """
  listed: {blueprint: learning360_operation, operation: list-groups, pages: 2}
  deleted:
    blueprint: learning360_operation
    operation: bulk-delete-groups
    body: {input: [{groupId: "{{ context.steps.listed[0]._id }}"}]}
    wait_for: true
"""
    )
    assert dag.get_task("listed").pages == 2
    assert dag.get_task("deleted").wait_for is True
    assert dag.get_task("deleted").upstream_task_ids == {"listed"}


@pytest.mark.parametrize(
    ("step", "problem"),
    [
        ("{blueprint: learning360_operation, operation: list-grups}", "did you mean list-groups"),
        ("{blueprint: learning360_operation, operation: list-groups, parameters: {nme: x}}", "no such parameter"),
        ("{blueprint: learning360_wait_until, operation: list-groups, until: {path: x, equls: 1}}", "equals"),
        (
            "{blueprint: learning360_mail, to: [a@example.com], subject: s, text: t, table: lat}",
            "'lat' is not an earlier",
        ),
        (
            "{blueprint: learning360_mail, to: [a@example.com], subject: s, text: 'x {{ context.steps.lat.count }}'}",
            "'lat'",
        ),
        (
            "{blueprint: learning360_mail, to: [a@example.com], for_each: x, subject: s, text: t}",
            "'x' is not an earlier step",
        ),
        ("{blueprint: learning360_mail, to: [a@example.com], time_zone: Pari, subject: s, text: t}", "not a time zone"),
        ("{blueprint: learning360_message, notifier: airflow.nothing.No}", "Install the provider"),
        ("{blueprint: learning360_enrol, session_id: 60b8d2956e20ae1a0f8e44f1}", "nobody is named"),
        (
            "{blueprint: learning360_enrol, session_id: 60b8d2956e20ae1a0f8e44f1, people_file: no.csv}",
            "there is no file",
        ),
        ("{blueprint: learning360_update_session, session_id: 60b8d2956e20ae1a0f8e44f1, set: {nam: x}}", "name"),
        ("{blueprint: learning360_get_progress}", "'session_id': it is missing"),
    ],
)
def test_mistake_names_what_to_write(build: Callable[[str], Any], step: str, problem: str) -> None:
    from blueprint import ConfigurationError

    with pytest.raises(ConfigurationError, match=re.escape(problem)):
        build(f"  it: {step}\n")


def test_wait_for_change_since_a_time(build: Callable[[str], Any]) -> None:
    dag = build(f"  it: {{blueprint: learning360_wait_for_change, session_id: {SESSION_ID}, since: 2026-03-01}}\n")
    assert dag.get_task("it").since == "2026-03-01"


def test_session_id_replaces_one_left_out_by_the_earlier_step(build: Callable[[str], Any]) -> None:
    dag = build(
        f"""
  session: {{blueprint: learning360_get_session, session_id: {SESSION_ID}, fields: [modifiedAt]}}
  changed: {{blueprint: learning360_wait_for_change, since_step: session, session_id: {SESSION_ID}}}
"""
    )
    assert dag.get_task("changed").session_id == SESSION_ID


def test_get_session(build: Callable[[str], Any]) -> None:
    dag = build(f"  session: {{blueprint: learning360_get_session, session_id: {SESSION_ID}, exclude: [users]}}\n")
    task = dag.get_task("session")
    assert type(task).__name__ == "GetProgramSessionOperator"
    assert dag.params.dump() == {"session__session_id": SESSION_ID}
    assert task.exclude == ["users"]


@pytest.mark.parametrize("given", [None, "", "42", SESSION_ID + "0", "{{ conn.smtp_default.password }}"])
def test_trigger_form_refuses_invalid_ids(build: Callable[[str], Any], given: str) -> None:
    from airflow.sdk.exceptions import ParamValidationError

    dag = build(f"  session: {{blueprint: learning360_get_session, session_id: {SESSION_ID}}}\n")
    with pytest.raises(ParamValidationError, match="ID of a program session: 24 characters of 0-9 and a-f"):
        dag.params["session__session_id"] = given


@pytest.mark.slow
@pytest.mark.usefixtures("airflow_db")
@pytest.mark.parametrize("step", ["session", "read-it"])
def test_trigger_form_chooses_the_session(
    build: Callable[[str], Any], learning360_simulator: Simulator, step: str
) -> None:
    ours, theirs = learning360_simulator.session_ids[:2]
    dag = build(f"  {step}: {{blueprint: learning360_get_session, session_id: {ours}, fields: [_id, name]}}\n")
    run = dag.test()
    assert run.state == "success"
    assert results(run, step) == [{name: learning360_simulator.session(ours)[name] for name in ("_id", "name")}]
    others = {f"{step}__fields": None, f"{step}__learning_conn_id": "another"}
    run = dag.test(run_conf={f"{step}__session_id": f" {theirs.upper()} ", **others})
    assert results(run, step) == [{name: learning360_simulator.session(theirs)[name] for name in ("_id", "name")}]


@pytest.mark.slow
@pytest.mark.usefixtures("airflow_db")
def test_session_id_can_be_a_jinja_template(build: Callable[[str], Any], learning360_simulator: Simulator) -> None:
    expression = "{{ context.dag_run.conf.id }}"
    dag = build(f'  session: {{blueprint: learning360_get_session, session_id: "{expression}", fields: [_id]}}\n')
    assert dag.params.dump() == {}
    session_id = learning360_simulator.session_ids[1]
    run = dag.test(run_conf={"id": session_id})
    assert run.state == "success"
    assert results(run, "session") == [{"_id": session_id}]


def test_list_sessions(build: Callable[[str], Any]) -> None:
    steps = "  list: {blueprint: learning360_list_sessions, name_pattern: 'On*', starts_after: 2026-03-01}\n"
    task = build(steps).get_task("list")
    assert type(task).__name__ == "ListProgramSessionsOperator"
    assert (task.name_pattern, task.starts_after, task.ends_after) == ("On*", "2026-03-01", None)


def test_wait_for_change(build: Callable[[str], Any]) -> None:
    dag = build(
        f"""
  changed:
    blueprint: learning360_wait_for_change
    session_id: {SESSION_ID.upper()}
    watch: [startDate]
    poke_interval: {{minutes: 2, seconds: 30}}
    timeout: {{hours: 1}}
    on_missing: skip
"""
    )
    task = dag.get_task("changed")
    assert type(task).__name__ == "ProgramSessionModifiedSensor"
    assert (task.session_id, task.since, task.watch) == (SESSION_ID, None, ["startDate"])
    assert (task.poke_interval, task.timeout, task.on_missing, task.deferrable) == (150, 3600, "skip", True)


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        ("PT5M", 300),
        ("P1D", 86400),
        ("P1W", 7 * 86400),
        ("P1DT2H3M4S", 86400 + 2 * 3600 + 3 * 60 + 4),
        ("{hours: 2}", 7200),
    ],
)
def test_duration_is_a_mapping_or_iso_8601(build: Callable[[str], Any], written: str, seconds: int) -> None:
    step = f"{{blueprint: learning360_wait_for_change, session_id: {SESSION_ID}, timeout: {written}}}"
    assert build(f"  it: {step}\n").get_task("it").timeout == seconds


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("1 day", "{days: 1}"),
        ("30minutes", "{minutes: 30}"),
        ("P1M", "{days: 1}"),
        ("P1Y", "{days: 1}"),
        (5, "{days: 1}"),
    ],
)
def test_other_text_is_not_a_duration(written: Any, meant: str) -> None:
    from airflow_provider_learning360.dag_yaml.forms import Period

    with pytest.raises(ValueError, match=re.escape(f"{written!r} is not a duration; write {meant}")):
        Period.model_validate(written)


@pytest.mark.parametrize("written", ["P", "PT", "PT0S", "P0D"])
def test_duration_of_zero_is_refused(written: str) -> None:
    from airflow_provider_learning360.dag_yaml.forms import Period

    with pytest.raises(ValueError, match="a duration must be longer than zero"):
        Period.model_validate(written)


def test_earlier_step_sets_the_watermark(build: Callable[[str], Any]) -> None:
    dag = build(
        f"""
  session: {{blueprint: learning360_get_session, session_id: {SESSION_ID}}}
  first: {{blueprint: learning360_wait_for_change, since_step: session}}
  second: {{blueprint: learning360_wait_for_change, since_step: first, session_id: {SESSION_ID}}}
"""
    )
    first, second = dag.get_task("first"), dag.get_task("second")
    assert first.upstream_task_ids == {"session"}
    assert first.since == first.session_id == dag.get_task("session").output
    assert second.upstream_task_ids == {"first"}
    assert (second.since, second.session_id) == (first.output, SESSION_ID)


@pytest.mark.slow
@pytest.mark.usefixtures("airflow_db")
def test_wait_for_change_succeeds_after_a_change(build: Callable[[str], Any], learning360_simulator: Simulator) -> None:
    session_id = learning360_simulator.session_ids[0]
    moved = {"startDate": "2031-05-05T08:00:00.000Z"}
    learning360_simulator.play(
        {"when": {"path": session_id, "after_requests": 3}, "do": {"edit": {"session": session_id, "fields": moved}}}
    )
    dag = build(
        f"""
  session: {{blueprint: learning360_get_session, session_id: {session_id}}}
  changed:
    blueprint: learning360_wait_for_change
    since_step: session
    watch: [startDate, endDate]
    poke_interval: {{seconds: 1}}
"""
    )
    run = dag.test()
    assert run.state == "success"
    (changes,) = results(run, "changed", "changes")
    assert list(changes) == ["modifiedAt", "startDate"]
    (document,) = results(run, "changed")
    assert document["startDate"] == moved["startDate"]


def test_changed_sessions(build: Callable[[str], Any]) -> None:
    dag = build(f"  new: {{blueprint: learning360_changed_sessions, fields: [_id, name]}}\n{WATCH}")
    changed, mapped = dag.get_task("new.changed"), dag.get_task("new.get_session")
    assert type(changed).__name__ == "ChangedProgramSessionsOperator"
    assert mapped.operator_class.__name__ == "GetProgramSessionOperator"
    assert mapped.partial_kwargs["fields"] == ["_id", "name"]
    assert mapped.expand_input.value == {"session_id": changed.output}


@pytest.mark.usefixtures("airflow_db", "learning360_simulator")
def test_run_without_a_change_does_nothing(build: Callable[[str], Any]) -> None:
    run = build(f"  new: {{blueprint: learning360_changed_sessions}}\n{WATCH}").test()
    assert run.state == "success"
    assert results(run, "new.changed") == [[]]


def test_plan_reminders(build: Callable[[str], Any], tmp_path: Path) -> None:
    dag = build(
        f"""
  plan:
    blueprint: learning360_plan_reminders
    policy: policy.yaml
    delivery_dag_id: deliver
    sessions: [{SESSION_ID}]
"""
    )
    plan, mapped = dag.get_task("plan.plan"), dag.get_task("plan.start_delivery")
    assert (plan.policy, plan.delivery_dag_id) == (str(tmp_path / "policy.yaml"), "deliver")
    assert plan.sessions == [SESSION_ID]
    assert mapped.operator_class.__name__ == "TriggerDagRunOperator"
    assert mapped.partial_kwargs["trigger_dag_id"] == "deliver"
    assert mapped.partial_kwargs["skip_when_already_exists"] is True
    assert mapped.upstream_task_ids == {"plan.plan"}


@pytest.mark.usefixtures("airflow_db")
def test_plan_reminders_of_listed_sessions(build: Callable[[str], Any], learning360_simulator: Simulator) -> None:
    for session_id in learning360_simulator.session_ids:
        learning360_simulator.edit(session_id, startDate="2020-01-01T08:00:00.000Z", endDate="2020-02-01T08:00:00.000Z")
    dag = build(
        """
  old: {blueprint: learning360_list_sessions, starts_before: "2021-01-01T00:00:00Z"}
  plan:
    {blueprint: learning360_plan_reminders, policy: policy.yaml, delivery_dag_id: deliver, sessions_step: old}
"""
    )
    assert dag.get_task("plan.plan").upstream_task_ids == {"old"}
    run = dag.test()
    assert run.state == "success"
    assert len(results(run, "old")[0]) == len(learning360_simulator.session_ids)
    assert results(run, "plan.plan") == [[]]


def test_deliver_reminders_after_an_approval(build: Callable[[str], Any], tmp_path: Path) -> None:
    (tmp_path / "mails").mkdir()
    dag = build(
        """
  ask: {blueprint: learning360_ask_before_sending, defaults: Reject, response_timeout: {hours: 1}}
  send:
    blueprint: learning360_deliver_reminders
    depends_on: [ask]
    policy: policy.yaml
    templates: mails
    sender: Academy <academy@example.com>
"""
    )
    ask, send = dag.get_task("ask"), dag.get_task("send")
    assert type(ask).__name__ == "ApprovalOperator"
    assert (ask.defaults, ask.response_timeout) == (["Reject"], timedelta(hours=1))
    assert "dag_run.conf" in ask.subject
    assert type(send).__name__ == "SendSessionReminderOperator"
    assert send.upstream_task_ids == {"ask"}
    assert (send.policy, send.templates) == (str(tmp_path / "policy.yaml"), str(tmp_path / "mails"))
    assert (send.rate, send.batch_size, send.connections, send.retries) == (20, 100, 8, 5)
    assert (send.retry_delay, send.retry_exponential_backoff) == (timedelta(minutes=1), True)


def test_policy_is_found_in_a_bundle(
    build: Callable[[str], Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = tmp_path / "bundle"
    bundle.mkdir()
    (bundle / "theirs.yaml").write_text(POLICY)
    monkeypatch.syspath_prepend(str(bundle))
    dag = build("  send: {blueprint: learning360_deliver_reminders, policy: theirs.yaml}\n")
    assert dag.get_task("send").policy == str(bundle / "theirs.yaml")


def test_blueprint_cli_lints_and_describes(tmp_path: Path) -> None:
    from blueprint.cli import cli
    from click.testing import CliRunner

    good = tmp_path / "good.dag.yaml"
    good.write_text(f"dag_id: good\nsteps:\n  one: {{blueprint: learning360_get_session, session_id: {SESSION_ID}}}\n")
    result = CliRunner().invoke(cli, ["lint", str(good), "--template-dir", str(tmp_path)])
    assert result.exit_code == 0
    assert "PASS" in result.output
    listed = CliRunner().invoke(cli, ["list", "--template-dir", str(tmp_path)]).output
    assert not [name for name in NAMES if name not in listed]
    for name in NAMES:
        described = CliRunner().invoke(cli, ["describe", name, "--template-dir", str(tmp_path)])
        assert described.exit_code == 0
        assert "Parameters" in described.output


@pytest.mark.slow
def test_only_templates_need_airflow_blueprint() -> None:
    program = """
import importlib, pkgutil, sys
sys.modules["blueprint"] = None
import airflow_provider_learning360 as ours
from airflow_provider_learning360.cli.__main__ import main
need = ("airflow_provider_learning360.blueprints", "airflow_provider_learning360.dag_yaml.arguments")
for found in pkgutil.walk_packages(ours.__path__, "airflow_provider_learning360."):
    if not found.name.startswith((*need, "airflow_provider_learning360.testing.")) and "__main__" not in found.name:
        importlib.import_module(found.name)
main(["schema"])
from airflow_provider_learning360.dag_yaml.loader import build_airflow_dags
for use in (lambda: build_airflow_dags({}), lambda: importlib.import_module(need[1])):
    try:
        use()
    except ImportError as error:
        print(error)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert '"learning360_get_session"' in done.stdout
    assert done.stdout.count('pip install "airflow-provider-learning360[blueprint]"') == 2
