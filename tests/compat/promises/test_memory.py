"""What a task remembers from one of its processes to the next, in Airflow's database."""

from __future__ import annotations

import json
from importlib.metadata import version
from typing import Any

import pytest

from airflow_provider_learning360.memory.task_store import ProcessStore, find_task_store
from airflow_provider_learning360.sensors.program_session import ProgramSessionModifiedSensor

AIRFLOW = tuple(int(part) for part in version("apache-airflow").split(".")[:2])
MOVED = {"startDate": "2027-03-01T09:00:00.000Z"}


def variables() -> dict[str, dict[str, Any]]:
    """Return the variables of this provider, by name."""
    from airflow.models import Variable
    from airflow.utils.session import create_session

    with create_session() as session:
        rows = session.query(Variable).filter(Variable.key.startswith("learning360_memory__")).all()
        return {row.key: json.loads(row.val) for row in rows}


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What the store wrote while a DAG ran; nothing from Airflow 3.3 on, which has a store of its own."""
    from airflow_provider_learning360.memory import variables as module

    values: list[dict[str, Any]] = []
    write = module.write_variable

    def spy(name: str, text: str, description: str) -> None:
        write(name, text, description)
        values.append(json.loads(text))

    monkeypatch.setattr(module, "write_variable", spy)
    return values


@pytest.mark.promise("wait: reschedule without since")
@pytest.mark.promise("memory")
def test_rescheduled_sensor_remembers_the_first_poll(learning360_simulator: Any, written: list[Any]) -> None:
    import remember

    session_id = learning360_simulator.session_ids[0]
    before = learning360_simulator.session(session_id)["startDate"]
    when = {"path": f"/{session_id}/", "after_requests": 2}
    learning360_simulator.play({"when": when, "do": {"edit": {"session": session_id, "fields": MOVED}}})

    run = remember.dag.test(run_conf={"session_id": session_id})

    assert run.state == "success"
    changes = run.get_task_instance("wait").xcom_pull(task_ids="wait", key="changes")
    assert changes["startDate"] == {"from": before, "to": MOVED["startDate"]}
    if AIRFLOW < (3, 3):
        owner = {"dag_id": "remember", "run_id": run.run_id, "task_id": "wait", "map_index": -1}
        assert written
        assert all(one["owner"] == owner for one in written)
    else:
        assert not written
    assert variables() == {}  # deleted when the wait was over


def test_second_process_finds_what_the_first_one_stored(learning360_simulator: Any, written: list[Any]) -> None:
    import remember

    session_id = learning360_simulator.session_ids[1]
    when = {"path": f"/{session_id}/", "after_requests": 1}
    learning360_simulator.play({"when": when, "do": {"edit": {"session": session_id, "fields": MOVED}}})

    run = remember.two_processes.test(run_conf={"session_id": session_id})

    assert run.state == "success"
    assert run.get_task_instance("wait").xcom_pull(task_ids="wait") == [False, True]
    assert bool(written) == (AIRFLOW < (3, 3))
    assert variables() == {}


@pytest.mark.promise("clean up")
def test_clean_deletes_what_no_run_needs(learning360_simulator: Any, capsys: pytest.CaptureFixture[str]) -> None:
    import remember

    from airflow.models import Variable

    from airflow_provider_learning360.cli.__main__ import main
    from airflow_provider_learning360.memory.variables import build_name, build_stored

    run = remember.two_processes.test(run_conf={"session_id": learning360_simulator.session_ids[2]})
    owner: Any = {"dag_id": "two_processes", "run_id": run.run_id, "task_id": "wait", "map_index": -1}
    gone = {**owner, "run_id": "deleted"}
    for name in variables():
        Variable.delete(name)  # that of the wait, which did not end
    for one in (owner, gone, {"asset": "nothing"}):
        Variable.set(build_name(one, "learning360_x"), build_stored(one, 1))

    main(["clean", "--dry-run"])
    assert "Would delete 1 variable; 2 variables kept." in capsys.readouterr().out
    assert len(variables()) == 3
    main(["clean"])
    assert "1 of DAG runs that do not exist any more" in capsys.readouterr().out
    assert set(variables()) == {build_name(owner, "learning360_x"), build_name({"asset": "nothing"}, "x")}
    for name in variables():
        Variable.delete(name)


@pytest.mark.promise("memory")
def test_announced_dates_survive_an_upgrade_and_a_failure_between_two_writes(
    learning360_simulator: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import announce

    from airflow.models import Variable

    from airflow_provider_learning360.cli.__main__ import main
    from airflow_provider_learning360.memory import variables as module
    from airflow_provider_learning360.reminders.announced_dates import AnnouncedDatesStore
    from airflow_provider_learning360.reminders.policy import ReminderPolicy

    def plan() -> list[str] | None:
        run = announce.dag.test()
        found = run.get_task_instance("plan").xcom_pull(task_ids="plan") if run.state == "success" else None
        return None if found is None else sorted(one["conf"]["session_id"] for one in found)

    def write_once(name: str, text: str, description: str) -> None:
        if variables():
            raise OSError("the database does not respond")
        write(name, text, description)

    ids, write = learning360_simulator.session_ids, module.write_variable
    assert len(ids) > 1
    records = {
        one: {"announced": {date: learning360_simulator.session(one)[date] for date in ("startDate", "endDate")}}
        for one in ids
    }
    (name, _) = AnnouncedDatesStore(ReminderPolicy.read(announce.POLICY), "learning360_default").earlier_names
    Variable.set(name, json.dumps({one: {**record, "change": None} for one, record in records.items()}))
    for one in ids:
        learning360_simulator.edit(one, startDate="2027-03-01T09:00:00.000Z", endDate="2027-04-01T09:00:00.000Z")

    with monkeypatch.context() as patch:
        patch.setattr(module, "write_variable", write_once)
        assert plan() is None
    assert len(variables()) == 1
    assert plan() == sorted(ids)
    assert plan() == sorted(ids)  # the same keys, which Airflow's database refuses
    owner = {"policy": "Compat", "connection": "learning360_default"}
    assert all(one["owner"] == owner for one in variables().values())
    count = len(variables())
    main(["clean"])
    assert f"Deleted 0 variables; {count} variables kept." in capsys.readouterr().out
    for one in (name, *variables()):
        Variable.delete(one)


@pytest.mark.promise("wait: reschedule without since")
def test_every_mode_may_start_from_the_first_poll() -> None:
    assert ProgramSessionModifiedSensor(task_id="wait", session_id="0" * 24, mode="reschedule").since is None


def test_without_a_task_values_end_with_the_process() -> None:
    assert isinstance(find_task_store({}), ProcessStore)
