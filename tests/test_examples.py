"""Every example DAG runs with `dag.test()` against the simulator."""

from __future__ import annotations

import importlib.util
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_learning360.simulator import Simulator
from simulator_process import API_VERSION

pytestmark = pytest.mark.both_versions

EXAMPLES = Path(__file__).resolve().parent.parent / "dags_examples"
NAMES = sorted(path.stem for path in EXAMPLES.glob("*.py"))


# API v2 has no webinars, and no counterpart of the others.
NOT_THE_SAME_IN_V2 = {"modules", "requirements", "skills", "validateRegistrations"}

# Files that hold other DAGs than one of their own name.
DAGS = {
    "one_run_per_change": ("dispatch_changes", "react_to_one_session"),
    "reminders": ("plan_reminders", "deliver_reminder"),
    "reminders_with_approval": ("dag",),
}


def example(name: str, file: str | None = None) -> Any:
    """Load an example file, and return a DAG of it."""
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{file or name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    found = getattr(module, name)
    return found() if callable(found) else found


def results(run: Any, task_id: str, key: str = "return_value") -> list[Any]:
    from airflow.models.xcom import XComModel
    from airflow.utils.session import create_session

    query = XComModel.get_many(run_id=run.run_id, dag_ids=run.dag_id, task_ids=task_id, key=key)
    with create_session() as session:
        rows = sorted(session.scalars(query), key=lambda row: row.map_index)
        return [XComModel.deserialize_value(row) for row in rows]


def test_there_are_examples() -> None:
    assert NAMES == [
        "any_route",
        "fetch_session",
        "many_sessions",
        "one_reminder",
        "one_run_per_change",
        "react_to_changes",
        "react_to_completions",
        "reminders",
        "reminders_with_approval",
        "wait_then_act",
    ]


@pytest.mark.parametrize("file", NAMES)
def test_example_has_a_description(file: str) -> None:
    for name in DAGS.get(file, (file,)):
        assert example(name, file).doc_md.strip().startswith("### ")


@pytest.mark.usefixtures("airflow_db")
def test_fetch_session(learning360_simulator: Simulator) -> None:
    session_id = learning360_simulator.session_ids[0]
    run = example("fetch_session").test(run_conf={"session_id": session_id})
    assert run.state == "success"
    (document,) = results(run, "get_session")
    expected = learning360_simulator.session(session_id)
    excluded = {"users", "tutors", "author"}
    assert not excluded & document.keys()
    different = {name for name, value in expected.items() if document.get(name, ...) != value} - excluded
    assert different == (
        {"modules", "requirements", "skills", "validateRegistrations"} if API_VERSION == "v2" else set()
    )


@pytest.mark.usefixtures("airflow_db")
@pytest.mark.parametrize("deferrable", [True, False], ids=["deferred", "poke"])
def test_wait_then_act(deferrable: bool, learning360_simulator: Simulator) -> None:
    session_id = learning360_simulator.session_ids[0]
    tutors = ["one@example.com", "two@example.com"]
    learning360_simulator.edit(session_id, tutors=tutors)
    moved = {"startDate": "2031-05-05T08:00:00.000Z"}
    learning360_simulator.play(
        {"when": {"path": session_id, "after_requests": 3}, "do": {"edit": {"session": session_id, "fields": moved}}}
    )
    dag = example("wait_then_act")
    sensor = dag.get_task("wait_for_change")
    sensor.poke_interval, sensor.deferrable = 0.1, deferrable
    run = dag.test(run_conf={"session_id": session_id})
    assert run.state == "success"
    (changes,) = results(run, "wait_for_change", "changes")
    assert list(changes) == ["modifiedAt", "startDate"]
    assert len(results(run, "remind")) == len(tutors)


@pytest.mark.usefixtures("airflow_db")
@pytest.mark.learning360_simulator(sessions=3)
def test_many_sessions(learning360_simulator: Simulator) -> None:

    for days, session_id in zip((1, 10, 100), learning360_simulator.session_ids, strict=True):
        start = datetime.now(tz=UTC) + timedelta(days=days)
        learning360_simulator.edit(session_id, startDate=start.strftime("%Y-%m-%dT%H:%M:%S.000Z"))
    run = example("many_sessions").test()
    assert run.state == "success"
    assert [one["_id"] for one in results(run, "get_session")] == list(learning360_simulator.session_ids[:2])
    labels = {one.rendered_map_index for one in run.get_task_instances() if one.task_id == "get_session"}
    assert all(label and label.endswith(")") for label in labels)


@pytest.mark.skipif(API_VERSION == "v2", reason="the example names a route of API v1")
@pytest.mark.usefixtures("airflow_db")
def test_any_route(learning360_simulator: Simulator) -> None:
    run = example("any_route").test()
    assert run.state == "success"
    assert results(run, "count_sessions") == [len(learning360_simulator.session_ids)]


# With events, both run on a real Airflow: tests/e2e/test_watching.py.
@pytest.mark.usefixtures("airflow_db", "learning360_simulator")
@pytest.mark.parametrize(
    ("name", "file"), [("react_to_changes", None), ("dispatch_changes", "one_run_per_change")], ids=str
)
def test_run_without_a_change_does_nothing(name: str, file: str | None) -> None:
    run = example(name, file).test()
    assert run.state == "success"
    assert results(run, "changed") == [[]]
    assert all(one.state == "skipped" for one in run.get_task_instances() if one.task_id != "changed")


# With events, it runs on a real Airflow: tests/e2e/test_completions.py.
@pytest.mark.usefixtures("airflow_db", "learning360_simulator")
def test_run_without_a_completion_does_nothing() -> None:
    run = example("react_to_completions").test()
    assert run.state == "success"
    assert results(run, "count") == [[]]
    assert {one.state for one in run.get_task_instances() if one.task_id != "count"} == {"skipped"}


@pytest.mark.usefixtures("airflow_db")
def test_one_reminder(learning360_simulator: Simulator) -> None:
    session_id = learning360_simulator.session_ids[0]
    start = datetime.now(tz=UTC) + timedelta(hours=2, seconds=2)
    learning360_simulator.edit(session_id, startDate=start.strftime("%Y-%m-%dT%H:%M:%S.000Z"))
    run = example("one_reminder").test(run_conf={"session_id": session_id})
    assert run.state == "success"
    assert len(results(run, "open_the_room")) == 1


# With mails, they run in the demo, which is a test too, and in tests/e2e/test_reminding.py.
@pytest.mark.usefixtures("airflow_db")
def test_plan_without_due_reminders_starts_no_delivery(learning360_simulator: Simulator) -> None:
    for session_id in learning360_simulator.session_ids:
        learning360_simulator.edit(session_id, startDate="2020-01-01T08:00:00.000Z", endDate="2020-02-01T08:00:00.000Z")
    run = example("plan_reminders", "reminders").test()
    assert run.state == "success"
    assert results(run, "plan") == [[]]


def test_an_approval_comes_before_the_mails() -> None:
    dag = example("dag", "reminders_with_approval")
    assert dag.get_task("approve").downstream_task_ids == {"send"}
    (notifier,) = dag.get_task("send").on_success_callback
    assert notifier.to == "training@example.com"


@pytest.mark.usefixtures("airflow_db", "learning360_simulator")
def test_delivery_without_a_reminder_is_skipped() -> None:
    run = example("deliver_reminder", "reminders").test()
    assert run.state == "success"
    assert [one.state for one in run.get_task_instances()] == ["skipped"]


@pytest.mark.parametrize("hour", [0, 7, 12, 21])
@pytest.mark.parametrize("day", range(1, 8))  # a Monday to a Sunday
def test_every_rule_reminds_of_a_session_of_the_simulator(day: int, hour: int) -> None:
    from airflow_provider_learning360.api.models import ProgramSession
    from airflow_provider_learning360.reminders.planner import plan
    from airflow_provider_learning360.reminders.policy import ReminderPolicy

    now = datetime(2026, 6, day, hour, 30, tzinfo=UTC)
    policy = ReminderPolicy.read(str(EXAMPLES / "reminders.yaml"))
    simulator = Simulator(clock=lambda: now)
    sessions = [ProgramSession.model_validate(simulator.session(one)) for one in simulator.session_ids]
    planned = plan(sessions, policy, now)
    coming = [one for one in planned.skipped if one.due and one.due < now + timedelta(days=7)]
    # Nobody has moved a date yet.
    assert {one.rule for one in [*planned.due, *coming]} == {rule.name for rule in policy.rules} - {"moved"}
