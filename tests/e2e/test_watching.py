"""On a real Airflow: a DAG runs when a session was modified; no crash, outage or broken file loses a change."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterator
from datetime import datetime
from itertools import islice, pairwise
from pathlib import Path
from typing import Any

import pytest
import requests

from simulator_process import names, reads

EXAMPLES = Path(__file__).resolve().parents[2] / "dags_examples"
ASSETS = 200

BREAKING = """
from airflow.sdk import DAG
from airflow_provider_learning360.assets.program_session import watched_program_session
from airflow_provider_learning360.operators.changes import ChangedProgramSessionsOperator

asset = watched_program_session("{session_id}", name="breaking", poll="single", poll_interval=1.3)
with DAG("breaking", schedule=[asset], catchup=False, is_paused_upon_creation=False, max_active_runs=1) as dag:
    ChangedProgramSessionsOperator(task_id="changed")
"""

COUNTED = """
from airflow.sdk import DAG, AssetAny
from airflow_provider_learning360.assets.program_session import watched_program_session
from airflow_provider_learning360.operators.changes import ChangedProgramSessionsOperator

assets = [
    watched_program_session(one, name=f"counted {{one}}", poll="list", poll_interval=2) for one in {session_ids}
]
with DAG(
    "counted", schedule=AssetAny(*assets), catchup=False, is_paused_upon_creation=False, max_active_runs=1
) as dag:
    ChangedProgramSessionsOperator(task_id="changed", retries=3, retry_delay=1)
"""


def watermark(airflow: Any, asset: str, session_id: str) -> datetime | None:
    """Return the stored watermark of a session: its `modifiedAt`."""
    rows = airflow.query(
        "select value from asset_state_store join asset on asset.id = asset_id"
        " where asset.name = ? and key like 'learning360_watermarks_%'",
        asset,
    )
    stored = {one: mark for (row,) in rows for one, mark in decoded(row).items()}
    return datetime.fromisoformat(stored[session_id]["modified_at"]) if session_id in stored else None


def decoded(row: Any) -> Any:
    while isinstance(row, str):
        row = json.loads(row)
    return row


def until_watched(airflow: Any, simulator: Any, asset: str, *session_ids: str) -> None:
    """Wait until the stored watermarks are those of the sessions as they are now."""
    for session_id in session_ids:
        now = datetime.fromisoformat(simulator.session(session_id)["modifiedAt"])
        airflow.wait_until(lambda: watermark(airflow, asset, session_id) == now, f"{asset} knows {session_id}")  # noqa: B023


def acted_on(airflow: Any, dag_id: str) -> list[list[dict[str, Any]]]:
    """Wait until all runs of a DAG have ended; return what each run acted on."""

    def ended() -> tuple[list[Any]] | None:
        runs = airflow.runs(dag_id)  # read once, because another run may start at any moment
        return (runs,) if all(run.state in ("success", "failed") for run in runs) else None

    (runs,) = airflow.wait_until(ended, f"the runs of {dag_id} end")
    assert {run.state for run in runs} <= {"success"}
    return [airflow.task_xcom(dag_id, run.run_id, "changed") for run in runs]


def until_acted_on(airflow: Any, dag_id: str, session_id: str, moment: str) -> list[list[dict[str, Any]]]:
    """Wait until a run has acted on the session as modified at that moment; return what each run acted on."""
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
    """Begin an outage of one session for a minute, modify the session, and return when it was modified."""
    (session_id,) = watched["outage"]
    until_watched(airflow, simulator, "outage", session_id)
    simulator.play({"when": {"path": session_id, "for_seconds": 60}, "do": {"status": 503}})
    return str(simulator.edit(session_id, name="Moved during an outage")["modifiedAt"])


@pytest.mark.both_versions
def test_edit_of_a_watched_field_starts_one_run(airflow: Any, simulator: Any, watched: dict[str, list[str]]) -> None:
    (session_id,) = watched["edited"]
    before = simulator.session(session_id)
    until_watched(airflow, simulator, "edited", session_id)
    simulator.edit(session_id, description="Not a watched field")
    seen = len(simulator.requests)
    airflow.wait_until(lambda: sum(reads(one, session_id) for one in simulator.requests[seen:]) >= 3, "three polls")
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


def test_page_shows_the_last_poll_and_the_last_event(
    airflow: Any, simulator: Any, watched: dict[str, list[str]]
) -> None:
    (session_id,) = watched["shown"]
    until_watched(airflow, simulator, "shown", session_id)
    moved = simulator.edit(session_id, name="Moved")["modifiedAt"]
    until_acted_on(airflow, "shown", session_id, moved)
    until_watched(airflow, simulator, "shown", session_id)
    with requests.Session() as client:
        client.trust_env = False
        response = client.get(f"http://127.0.0.1:{airflow.port}/learning360/api/watched", timeout=10)
    (row,) = [one for one in response.json()["watched"] if one["name"] == "shown"]
    assert (row["last_seen"], row["last_change"]) == (moved, "name")
    assert datetime.fromisoformat(row["last_event"]) == airflow.events("shown")[-1].at
    assert (row["sessions"], row["active"]) == (1, True)
    assert row["dags"] == [{"id": "shown", "url": "dags/shown"}]
    assert "Moved" not in response.text


@pytest.mark.slow
def test_change_while_the_dag_is_paused_is_reported_after_unpause(
    airflow: Any, simulator: Any, watched: dict[str, list[str]]
) -> None:
    (session_id,) = watched["paused"]
    until_watched(airflow, simulator, "paused", session_id)
    (trigger_id,) = watchers(airflow, "paused")
    airflow.command("dags", "pause", "paused", "--yes")
    airflow.wait_until(lambda: not watchers(airflow, "paused"), "a paused DAG has no watcher")
    # Airflow ends the trigger about a second later. It drops an event of that second, and calls it stored.
    ended = re.compile(rf"Trigger cancelled by user action.*name='?ID {trigger_id}\b")
    airflow.wait_until(lambda: ended.search(airflow.logs_of("triggerer")), "the triggerer has ended the watcher")
    moved = simulator.edit(session_id, name="Moved while the DAG was paused")["modifiedAt"]
    airflow.command("dags", "unpause", "paused", "--yes")
    runs = until_acted_on(airflow, "paused", session_id, moved)
    assert len(runs[-1]) == 1


@pytest.mark.both_versions
@pytest.mark.slow
def test_change_while_the_triggerer_is_dead_is_reported(
    airflow: Any, simulator: Any, watched: dict[str, list[str]]
) -> None:
    (session_id,) = watched["killed"]
    until_watched(airflow, simulator, "killed", session_id)
    airflow.kill("triggerer")
    moved = simulator.edit(session_id, name="Moved while the triggerer was dead")["modifiedAt"]
    airflow.start("triggerer")
    runs = until_acted_on(airflow, "killed", session_id, moved)
    assert sum(len(run) for run in runs) == 1
    assert len(airflow.events("killed")) == 1


@pytest.mark.both_versions
@pytest.mark.slow
def test_event_stored_just_before_the_triggerer_dies_is_acted_on_once(
    airflow: Any, simulator: Any, watched: dict[str, list[str]]
) -> None:
    (session_id,) = watched["crashed"]
    until_watched(airflow, simulator, "crashed", session_id)
    simulator.edit(session_id, name="Moved as the triggerer dies")
    # The event is stored, its watermark most likely not yet.
    airflow.wait_until(lambda: airflow.events("crashed"), "the event is stored")
    airflow.kill("triggerer")
    airflow.start("triggerer")
    until_watched(airflow, simulator, "crashed", session_id)
    last = simulator.edit(session_id, name="Moved once more")["modifiedAt"]
    runs = until_acted_on(airflow, "crashed", session_id, last)
    assert sum(len(run) for run in runs) == 2
    assert 2 <= len(airflow.events("crashed")) <= 3


@pytest.mark.slow
@pytest.mark.usefixtures("outage")  # begins its minute
def test_burst_of_edits_of_one_session_is_reported_without_gaps(
    airflow: Any, simulator: Any, watched: dict[str, list[str]]
) -> None:
    until_watched(airflow, simulator, "burst", *watched["burst"])
    session_id = watched["burst"][0]
    before = simulator.session(session_id)["modifiedAt"]
    moments = [before]
    for number in range(8):
        seen = len(simulator.requests)
        moments.append(simulator.edit(session_id, name=f"Edit {number}")["modifiedAt"])
        airflow.wait_until(
            lambda: any(reads(one, session_id) for one in simulator.requests[seen:]),  # noqa: B023
            "the next poll",
        )
    runs = until_acted_on(airflow, "burst", session_id, moments[-1])
    spans = [one["modifiedAt"] for run in runs for one in run if one["_id"] == session_id]
    spans = [span for span in spans if span["to"] > before]
    # Each change begins where the previous one ended, so that each edit is in exactly one of them.
    assert [span["from"] for span in spans] == [before, *(span["to"] for span in spans[:-1])]
    assert {span["to"] for span in spans} <= set(moments)


@pytest.mark.both_versions
@pytest.mark.slow
def test_edits_of_five_sessions_at_once_are_all_reported(
    airflow: Any, simulator: Any, watched: dict[str, list[str]]
) -> None:
    until_watched(airflow, simulator, "burst", *watched["burst"])
    acted = sum(len(run) for run in acted_on(airflow, "burst"))
    moments = {one: simulator.edit(one, name="All at once")["modifiedAt"] for one in watched["burst"]}
    for session_id, moment in moments.items():
        runs = until_acted_on(airflow, "burst", session_id, moment)
    assert sum(len(run) for run in runs) == acted + 5


@pytest.mark.slow
def test_two_hundred_watched_assets_make_one_request_per_interval(
    airflow: Any, simulator: Any, unused: Iterator[str]
) -> None:
    counted = list(islice(unused, ASSETS))
    with extra_dag(airflow, "counted.py", COUNTED.format(session_ids=counted)):
        for session_id in (counted[0], counted[-1]):
            until_watched(airflow, simulator, f"counted {session_id}", session_id)
        airflow.wait_until(lambda: stored_assets(airflow) == ASSETS, f"all {ASSETS} are watched")
        simulator.forget()

        def times_of_polls() -> list[float]:
            return [one["at"] for one in simulator.requests if one["path"] == "/api/v1/programs/sessions"]

        session_id = counted[77]
        moved = simulator.edit(session_id, name="One of two hundred")["modifiedAt"]
        (run,) = until_acted_on(airflow, "counted", session_id, moved)
        assert [one["_id"] for one in run] == [session_id]
        times = airflow.wait_until(lambda: len(times_of_polls()) >= 5 and times_of_polls(), "five polls")
        # Never sooner than the interval, however many watchers wait for the response.
        assert min(later - earlier for earlier, later in pairwise(times)) >= 1.9
        assert not any(one in request["path"] for request in simulator.requests for one in counted)


def stored_assets(airflow: Any) -> int:
    ((count,),) = airflow.query(
        "select count(distinct asset_id) from asset_state_store join asset on asset.id = asset_id"
        " where asset.name like 'counted %' and key like 'learning360_watermarks_%'"
    )
    return int(count)


@contextlib.contextmanager
def extra_dag(airflow: Any, name: str, source: str) -> Iterator[None]:
    """Keep a DAG file in the DAGs folder while the block runs."""
    airflow.put_dag(name, source)
    try:
        yield
    finally:
        (airflow.dags / name).unlink()


@pytest.mark.slow
def test_broken_dag_file_loses_the_watermark_and_says_so(airflow: Any, simulator: Any, session_id: str) -> None:
    source = BREAKING.format(session_id=session_id)
    with extra_dag(airflow, "breaking.py", source):
        until_watched(airflow, simulator, "breaking", session_id)
        (trigger,) = watchers(airflow, "breaking")
        airflow.put_dag("breaking.py", "import no_such_module")
        # Airflow deletes what it stored for an asset that no DAG refers to, and ends the watcher.
        airflow.wait_until(lambda: watermark(airflow, "breaking", session_id) is None, "Airflow deletes the watermark")
        ended = re.compile(rf"trigger completed .*name='ID {trigger}'")
        airflow.wait_until(lambda: ended.search(airflow.logs_of("triggerer")), "the watcher ends")
        simulator.edit(session_id, name="Moved while the file was broken")
        airflow.put_dag("breaking.py", source)
        until_watched(airflow, simulator, "breaking", session_id)
        assert airflow.logs_of("triggerer").count(f"Watching 1 program session ({session_id}) from now on") == 2
        assert airflow.events("breaking") == []

        moved = simulator.edit(session_id, name="Moved after the file was mended")["modifiedAt"]
        (run,) = until_acted_on(airflow, "breaking", session_id, moved)
        assert [one["_id"] for one in run] == [session_id]


def watchers(airflow: Any, asset: str) -> list[int]:
    """Return the IDs of the triggers that watch for an asset."""
    rows = airflow.query(
        "select trigger_id from asset_watcher join asset on asset.id = asset_id where asset.name = ?", asset
    )
    return [row[0] for row in rows]


@pytest.mark.both_versions
@pytest.mark.slow
def test_outage_and_rate_limit_lose_no_change(
    airflow: Any, simulator: Any, watched: dict[str, list[str]], outage: str
) -> None:
    (session_id,) = watched["outage"]
    until_acted_on(airflow, "outage", session_id, outage)

    simulator.forget()
    simulator.play({"when": {"path": session_id, "times": 3}, "do": {"status": 429, "headers": {"Retry-After": "4"}}})
    moved = simulator.edit(session_id, name="Moved during a rate limit")["modifiedAt"]
    runs = until_acted_on(airflow, "outage", session_id, moved)
    assert [len(run) for run in runs] == [1, 1]

    polls = [one for one in simulator.requests if names(one, session_id)]
    refused = [number for number, one in enumerate(polls) if one["status"] == 429]
    assert len(refused) == 3
    assert all(polls[number + 1]["at"] - polls[number]["at"] >= 4 for number in refused)
    lines = [line for line in airflow.logs_of("triggerer").splitlines() if "connection 'outage'" in line]
    assert sum("Could not poll" in line for line in lines) == 2
    assert sum("works again" in line for line in lines) == 2
    assert len(lines) == 4
    assert "Traceback" not in airflow.logs_of("triggerer")


def example(name: str) -> str:
    """Return the source of an example that polls more often."""
    source = (EXAMPLES / f"{name}.py").read_text()
    assert source.count("poll_interval=60") == 1
    return source.replace("poll_interval=60", "poll_interval=1")


@pytest.mark.slow
def test_example_with_one_run_for_all_changes(airflow: Any, simulator: Any, session_id: str) -> None:
    with extra_dag(airflow, "react_to_changes.py", example("react_to_changes")):
        until_watched(airflow, simulator, "program_sessions_with_new_dates", session_id)
        simulator.edit(session_id, name="Not a date")
        moved = simulator.edit(session_id, startDate="2031-05-05T08:00:00.000Z")["modifiedAt"]
        (run,) = until_acted_on(airflow, "react_to_changes", session_id, moved)
        assert [list(one["changes"]) for one in run] == [["startDate"]]
        (dag_run,) = airflow.runs("react_to_changes")
        line = airflow.task_xcom("react_to_changes", dag_run.run_id, "tell", map_index=0)
        assert "now starts 2031-05-05T08:00:00.000Z" in line


@pytest.mark.slow
def test_example_with_one_run_for_each_change(airflow: Any, simulator: Any, unused: Iterator[str]) -> None:
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
