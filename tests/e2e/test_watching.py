"""On a real Airflow: a DAG runs because a session was modified, and nothing that dies or breaks loses a change."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterator
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import requests

EXAMPLES = Path(__file__).resolve().parents[2] / "dags_examples"

DAG = """
from airflow.sdk import DAG
from airflow_provider_learning360.assets.program_session import watched_program_session
from airflow_provider_learning360.operators.changes import ChangedProgramSessionsOperator

asset = watched_program_session("{session_id}", name="breaking", poll="single", poll_interval=1.3)
with DAG("breaking", schedule=[asset], catchup=False, is_paused_upon_creation=False, max_active_runs=1) as dag:
    ChangedProgramSessionsOperator(task_id="changed")
"""


def watermark(airflow: Any, asset: str, session_id: str) -> datetime | None:
    """The `modifiedAt` of a session that Airflow keeps for an asset."""
    rows = airflow.query(
        "select value from asset_state_store join asset on asset.id = asset_id"
        " where asset.name = ? and key like 'learning360_watermarks_%'",
        asset,
    )
    known = {one: mark for (row,) in rows for one, mark in decoded(row).items()}
    return datetime.fromisoformat(known[session_id]["modified_at"]) if session_id in known else None


def decoded(row: Any) -> Any:
    while isinstance(row, str):
        row = json.loads(row)
    return row


def until_watched(airflow: Any, simulator: Any, asset: str, *session_ids: str) -> None:
    """The watch has begun: what the sessions are now is stored."""
    for session_id in session_ids:
        now = datetime.fromisoformat(simulator.session(session_id)["modifiedAt"])
        airflow.wait_until(lambda: watermark(airflow, asset, session_id) == now, f"{asset} knows {session_id}")  # noqa: B023


def acted_on(airflow: Any, dag_id: str) -> list[list[dict[str, Any]]]:
    """What each run of a DAG acted on, once all of them have ended."""
    airflow.wait_until(
        lambda: all(run.state in ("success", "failed") for run in airflow.runs(dag_id)), f"the runs of {dag_id} end"
    )
    assert {run.state for run in airflow.runs(dag_id)} <= {"success"}
    return [airflow.task_xcom(dag_id, run.run_id, "changed") for run in airflow.runs(dag_id)]


def until_acted_on(airflow: Any, dag_id: str, session_id: str, moment: str) -> list[list[dict[str, Any]]]:
    """What each run acted on, as soon as one has acted on the session as it was modified at that moment."""
    found: list[list[list[dict[str, Any]]]] = []

    def done() -> bool:
        with contextlib.suppress(LookupError):
            found.append(acted_on(airflow, dag_id))
            return any(
                (one["_id"], one["modifiedAt"]["to"]) == (session_id, moment) for run in found[-1] for one in run
            )
        return False

    airflow.wait_until(done, f"{dag_id} acts on {session_id} as of {moment}")
    return found[-1]


@pytest.fixture(scope="module")
def outage(airflow: Any, simulator: Any, watched: dict[str, list[str]]) -> str:
    """From the first test on that asks for this, one session cannot be had for a minute, and is modified meanwhile."""
    (session_id,) = watched["outage"]
    until_watched(airflow, simulator, "outage", session_id)
    simulator.play({"when": {"path": session_id, "for_seconds": 60}, "do": {"status": 503}})
    return str(simulator.edit(session_id, name="Moved during an outage")["modifiedAt"])


def test_an_edit_starts_a_run_that_sees_it_and_no_edit_starts_none(
    airflow: Any, simulator: Any, watched: dict[str, list[str]]
) -> None:
    (session_id,) = watched["edited"]
    before = simulator.session(session_id)
    until_watched(airflow, simulator, "edited", session_id)
    simulator.edit(session_id, description="Not a watched field")
    seen = len(simulator.requests)
    airflow.wait_until(lambda: sum(session_id in one["path"] for one in simulator.requests[seen:]) >= 3, "three looks")
    assert airflow.runs("edited") == []

    first = simulator.edit(session_id, startDate="2031-05-05T08:00:00.000Z", tutors=["new@example.com"])["modifiedAt"]
    (run,) = until_acted_on(airflow, "edited", session_id, first)
    moved = {"from": before["startDate"], "to": "2031-05-05T08:00:00.000Z"}
    change = {
        "_id": session_id,
        "kind": "modified",
        "modifiedAt": {"from": before["modifiedAt"], "to": first},
        "changes": {"startDate": moved, "tutors": {}},
    }
    assert run == [change]
    (event,) = airflow.events("edited")
    assert event.extra == {"from_trigger": True, "payload": {"sessions": [change]}}

    second = simulator.edit(session_id, name="Second")["modifiedAt"]
    runs = until_acted_on(airflow, "edited", session_id, second)
    assert [len(run) for run in runs] == [1, 1]
    assert runs[1][0]["modifiedAt"] == {"from": first, "to": second}


def test_the_page_shows_what_was_seen(airflow: Any, simulator: Any, watched: dict[str, list[str]]) -> None:
    (session_id,) = watched["edited"]
    moved = simulator.edit(session_id, name="Third")["modifiedAt"]
    until_acted_on(airflow, "edited", session_id, moved)
    until_watched(airflow, simulator, "edited", session_id)
    with requests.Session() as client:
        client.trust_env = False
        answer = client.get(f"http://127.0.0.1:{airflow.port}/learning360/api/watched", timeout=10)
    (row,) = [one for one in answer.json()["watched"] if one["name"] == "edited"]
    assert (row["last_seen"], row["last_change"]) == (moved, "name")
    assert datetime.fromisoformat(row["last_event"]) == airflow.events("edited")[-1].at
    assert (row["sessions"], row["active"]) == (1, True)
    assert row["dags"] == [{"id": "edited", "url": "dags/edited"}]
    assert "Third" not in answer.text


def test_a_change_while_the_dag_is_paused_arrives_when_it_goes_on(
    airflow: Any, simulator: Any, watched: dict[str, list[str]]
) -> None:
    (session_id,) = watched["edited"]
    until_watched(airflow, simulator, "edited", session_id)
    airflow.command("dags", "pause", "edited", "--yes")
    airflow.wait_until(lambda: not watchers(airflow, "edited"), "nobody watches for a paused DAG")
    moved = simulator.edit(session_id, name="Moved while the DAG was paused")["modifiedAt"]
    airflow.command("dags", "unpause", "edited", "--yes")
    runs = until_acted_on(airflow, "edited", session_id, moved)
    assert len(runs[-1]) == 1


def test_a_change_while_the_triggerer_is_dead_arrives(
    airflow: Any, simulator: Any, watched: dict[str, list[str]]
) -> None:
    (session_id,) = watched["killed"]
    until_watched(airflow, simulator, "killed", session_id)
    airflow.kill("triggerer")
    moved = simulator.edit(session_id, name="Moved while nobody looked")["modifiedAt"]
    airflow.start("triggerer")
    runs = until_acted_on(airflow, "killed", session_id, moved)
    assert sum(len(run) for run in runs) == 1
    assert len(airflow.events("killed")) == 1


def test_a_change_that_the_triggerer_dies_of_is_acted_on_once(
    airflow: Any, simulator: Any, watched: dict[str, list[str]]
) -> None:
    (session_id,) = watched["killed"]
    until_watched(airflow, simulator, "killed", session_id)
    told, acted = len(airflow.events("killed")), sum(len(run) for run in acted_on(airflow, "killed"))
    simulator.edit(session_id, name="Moved as the triggerer dies")
    # The event is stored, its watermark most likely not yet.
    airflow.wait_until(lambda: len(airflow.events("killed")) > told, "the event is stored")
    airflow.kill("triggerer")
    airflow.start("triggerer")
    until_watched(airflow, simulator, "killed", session_id)
    last = simulator.edit(session_id, name="Moved once more")["modifiedAt"]
    runs = until_acted_on(airflow, "killed", session_id, last)
    assert sum(len(run) for run in runs) == acted + 2
    assert told + 2 <= len(airflow.events("killed")) <= told + 3


@pytest.mark.usefixtures("outage")
def test_edits_of_one_session_in_a_burst_are_not_stranded(
    airflow: Any, simulator: Any, watched: dict[str, list[str]]
) -> None:
    until_watched(airflow, simulator, "burst", *watched["burst"])
    session_id = watched["burst"][0]
    before = simulator.session(session_id)["modifiedAt"]
    moments = [before]
    for number in range(8):
        looks = len(simulator.requests)
        moments.append(simulator.edit(session_id, name=f"Edit {number}")["modifiedAt"])
        airflow.wait_until(
            lambda: any(session_id in one["path"] for one in simulator.requests[looks:]),  # noqa: B023
            "the next look",
        )
    runs = until_acted_on(airflow, "burst", session_id, moments[-1])
    spans = [one["modifiedAt"] for run in runs for one in run if one["_id"] == session_id]
    # One change begins where the one before ended: no edit is in none of them, and none in two.
    assert [span["from"] for span in spans] == [before, *(span["to"] for span in spans[:-1])]
    assert {span["to"] for span in spans} <= set(moments)


def test_edits_of_five_sessions_at_once_are_not_stranded(
    airflow: Any, simulator: Any, watched: dict[str, list[str]]
) -> None:
    until_watched(airflow, simulator, "burst", *watched["burst"])
    acted = sum(len(run) for run in acted_on(airflow, "burst"))
    moments = {one: simulator.edit(one, name="All at once")["modifiedAt"] for one in watched["burst"]}
    for session_id, moment in moments.items():
        runs = until_acted_on(airflow, "burst", session_id, moment)
    assert sum(len(run) for run in runs) == acted + 5


def test_two_hundred_watched_assets_make_one_request_an_interval(
    airflow: Any, simulator: Any, watched: dict[str, list[str]]
) -> None:
    for session_id in (watched["counted"][0], watched["counted"][-1]):
        until_watched(airflow, simulator, f"counted {session_id}", session_id)
    airflow.wait_until(lambda: stored_assets(airflow) == 200, "all 200 are watched")
    simulator.forget()

    def lists() -> list[float]:
        return [one["at"] for one in simulator.requests if one["path"] == "/api/v1/programs/sessions"]

    session_id = watched["counted"][77]
    moved = simulator.edit(session_id, name="One of two hundred")["modifiedAt"]
    (run,) = until_acted_on(airflow, "counted", session_id, moved)
    assert [one["_id"] for one in run] == [session_id]
    times = airflow.wait_until(lambda: len(lists()) >= 5 and lists(), "five looks")
    # Never sooner than the interval, whoever waits for the answer.
    assert min(later - earlier for earlier, later in pairwise(times)) >= 1.9
    assert not any(one in request["path"] for request in simulator.requests for one in watched["counted"])


def stored_assets(airflow: Any) -> int:
    ((count,),) = airflow.query(
        "select count(distinct asset_id) from asset_state_store join asset on asset.id = asset_id"
        " where asset.name like 'counted %' and key like 'learning360_watermarks_%'"
    )
    return int(count)


@contextlib.contextmanager
def extra_dag(airflow: Any, name: str, source: str) -> Iterator[None]:
    """A DAG file for as long as a test takes."""
    airflow.put_dag(name, source)
    try:
        yield
    finally:
        (airflow.dags / name).unlink()


def test_a_broken_dag_file_forgets_the_watermark_and_says_so(airflow: Any, simulator: Any, session_id: str) -> None:
    source = DAG.format(session_id=session_id)
    with extra_dag(airflow, "breaking.py", source):
        until_watched(airflow, simulator, "breaking", session_id)
        (trigger,) = watchers(airflow, "breaking")
        airflow.put_dag("breaking.py", "import no_such_module")
        # Not ours to keep: Airflow deletes what it stored for an asset that no DAG refers to, and ends its watcher.
        airflow.wait_until(lambda: watermark(airflow, "breaking", session_id) is None, "Airflow deletes the watermark")
        ended = re.compile(rf"trigger completed .*name='ID {trigger}'")
        airflow.wait_until(lambda: ended.search(airflow.logs_of("triggerer")), "the watcher ends")
        simulator.edit(session_id, name="Moved while the file was broken")
        airflow.put_dag("breaking.py", source)
        until_watched(airflow, simulator, "breaking", session_id)
        assert airflow.logs_of("triggerer").count(f"Watching 1 program session ({session_id}) from now on") == 2
        assert airflow.events("breaking") == []

        moved = simulator.edit(session_id, name="Moved after it was mended")["modifiedAt"]
        (run,) = until_acted_on(airflow, "breaking", session_id, moved)
        assert [one["_id"] for one in run] == [session_id]


def watchers(airflow: Any, asset: str) -> list[int]:
    """The IDs of the triggers that watch for an asset."""
    rows = airflow.query(
        "select trigger_id from asset_watcher join asset on asset.id = asset_id where asset.name = ?", asset
    )
    return [row[0] for row in rows]


def test_an_outage_and_a_rate_limit_are_waited_out(
    airflow: Any, simulator: Any, watched: dict[str, list[str]], outage: str
) -> None:
    (session_id,) = watched["outage"]
    until_acted_on(airflow, "outage", session_id, outage)

    simulator.forget()
    simulator.play({"when": {"path": session_id, "times": 3}, "do": {"status": 429, "headers": {"Retry-After": "4"}}})
    moved = simulator.edit(session_id, name="Moved during a rate limit")["modifiedAt"]
    runs = until_acted_on(airflow, "outage", session_id, moved)
    assert [len(run) for run in runs] == [1, 1]

    looks = [one for one in simulator.requests if session_id in one["path"]]
    refused = [number for number, one in enumerate(looks) if one["status"] == 429]
    assert len(refused) == 3
    assert all(looks[number + 1]["at"] - looks[number]["at"] >= 4 for number in refused)
    lines = [line for line in airflow.logs_of("triggerer").splitlines() if "connection 'outage'" in line]
    assert sum("Could not poll" in line for line in lines) == 2
    assert sum("works again" in line for line in lines) == 2
    assert len(lines) == 4
    assert "Traceback" not in airflow.logs_of("triggerer")


def example(name: str) -> str:
    """The source of an example, with a watch that looks more often."""
    source = (EXAMPLES / f"{name}.py").read_text()
    assert source.count("poll_interval=60") == 1
    return source.replace("poll_interval=60", "poll_interval=1")


def test_the_example_with_one_run_for_all(airflow: Any, simulator: Any, session_id: str) -> None:
    with extra_dag(airflow, "react_to_changes.py", example("react_to_changes")):
        until_watched(airflow, simulator, "program_sessions_with_new_dates", session_id)
        simulator.edit(session_id, name="Not a date")
        moved = simulator.edit(session_id, startDate="2031-05-05T08:00:00.000Z")["modifiedAt"]
        (run,) = until_acted_on(airflow, "react_to_changes", session_id, moved)
        assert [list(one["changes"]) for one in run] == [["startDate"]]
        (dag_run,) = airflow.runs("react_to_changes")
        told = airflow.task_xcom("react_to_changes", dag_run.run_id, "tell", map_index=0)
        assert "now starts 2031-05-05T08:00:00.000Z" in told


def test_the_example_with_one_run_for_each(airflow: Any, simulator: Any, unused: Iterator[str]) -> None:
    first, second = next(unused), next(unused)
    with extra_dag(airflow, "one_run_per_change.py", example("one_run_per_change")):
        until_watched(airflow, simulator, "all_program_sessions", first, second)
        for session_id in (first, second):
            simulator.edit(session_id, name="Moved")
        ended = "select partition_key from dag_run where dag_id = 'react_to_one_session' and state = 'success'"
        keys = airflow.wait_until(
            lambda: len(airflow.query(ended)) == 2 and airflow.query(ended), "a run for each of the two"
        )
        assert {key for (key,) in keys} == {first, second}
