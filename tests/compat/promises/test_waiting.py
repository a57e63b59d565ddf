"""Fetch and wait, run by `dag.test()` against the simulator."""

from __future__ import annotations

from typing import Any

import pytest

MOVED = {"startDate": "2027-03-01T09:00:00.000Z"}


def move_after(simulator: Any, session_id: str, requests: int) -> None:
    """Move the session after so many requests."""
    when = {"path": f"/{session_id}/", "after_requests": requests}
    simulator.play({"when": when, "do": {"edit": {"session": session_id, "fields": MOVED}}})


def pulled(run: Any, task_id: str, key: str = "return_value") -> Any:
    """Return what the task pushed to XCom."""
    return run.get_task_instance(task_id).xcom_pull(task_ids=task_id, key=key)


@pytest.mark.promise("fetch")
@pytest.mark.parametrize(
    "where",
    [
        pytest.param("on_worker", marks=pytest.mark.promise("wait: poke")),
        pytest.param("in_triggerer", marks=pytest.mark.promise("wait: deferred")),
        pytest.param("rescheduled", marks=pytest.mark.promise("wait: reschedule")),
        pytest.param("rescheduled_without_since", marks=pytest.mark.promise("wait: reschedule without since")),
    ],
)
def test_fetch_then_wait(where: str, learning360_simulator: Any) -> None:
    import fetch_then_wait

    session_id = learning360_simulator.session_ids[0]
    before = learning360_simulator.session(session_id)
    move_after(learning360_simulator, session_id, requests=4)

    run = getattr(fetch_then_wait, where).test(run_conf={"session_id": session_id})

    assert run.state == "success"
    assert pulled(run, "get_session") == before
    assert pulled(run, "wait_for_change") == learning360_simulator.session(session_id)
    change = pulled(run, "wait_for_change", "changes")["startDate"]
    assert change == {"from": before["startDate"], "to": MOVED["startDate"]}


@pytest.mark.promise("wait: deferred")
def test_example_wait_then_act(learning360_simulator: Any) -> None:
    from wait_then_act import wait_then_act

    session_id = next(
        one for one in learning360_simulator.session_ids if len(learning360_simulator.session(one)["tutors"]) > 1
    )
    move_after(learning360_simulator, session_id, requests=3)
    dag = wait_then_act()
    dag.get_task("wait_for_change").poke_interval = 0.1

    run = dag.test(run_conf={"session_id": session_id})

    assert run.state == "success"
    reminders = [one for one in run.get_task_instances() if one.task_id == "remind"]
    assert len(reminders) == len(learning360_simulator.session(session_id)["tutors"])


@pytest.mark.promise("fetch")
def test_wrong_key_fails_at_once(learning360_simulator: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    import fetch_then_wait

    learning360_simulator.play({"do": {"status": 401}})

    run = fetch_then_wait.on_worker.test(run_conf={"session_id": learning360_simulator.session_ids[0]})

    assert run.state == "failed"
    states = {one.task_id: one.state for one in run.get_task_instances()}
    assert states == {"get_session": "failed", "wait_for_change": "upstream_failed"}
    assert len(learning360_simulator.requests) == 1
