"""
Each run returns its own changes, and nothing is lost, on a real Airflow: after a burst, a pause, and a failed run.

Airflow 3.3 starts one run for the events of a burst and drops some, and earlier versions leave some to the next run;
Airflow 3.4 starts one for each, unless a DAG asks for one for all.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from real_airflow import Airflow

AIRFLOW = tuple(int(part) for part in version("apache-airflow").split(".")[:2])
ONE_RUN_PER_EVENT = AIRFLOW >= (3, 4)
EDITS = 4

DAGS = '''
import json
import os
from pathlib import Path

from airflow.sdk import DAG

from airflow_provider_learning360.assets.program_session import watched_program_session
from airflow_provider_learning360.operators.changes import ChangedProgramSessionsOperator

HOME = Path(os.environ["AIRFLOW_HOME"])


def fail(context):
    if (HOME / "fail").exists():
        raise RuntimeError("This run fails before it has returned its changes.")


def note(context, result):
    """Write what a run returned: Airflow stores XComs in other tables in each version."""
    (HOME / f"{context['dag'].dag_id} {context['dag_run'].run_id}.json").write_text(json.dumps(result))


def react(dag_id, schedule):
    with DAG(dag_id, schedule=schedule, catchup=False, is_paused_upon_creation=False, max_active_runs=1) as dag:
        ChangedProgramSessionsOperator(task_id="changed", pre_execute=fail, post_execute=note)
    globals()[dag_id] = dag


watched = {
    name: watched_program_session(session_id, name=name, poll="single", poll_interval=0.5)
    for name, session_id in json.loads(os.environ["WATCHED_SESSIONS"]).items()
}
react("one_each", [watched["one_each"]])
try:
    from airflow.sdk import AssetTriggeredTimetable
except ImportError:  # Airflow below 3.4
    pass
else:
    react("one_for_all", AssetTriggeredTimetable(assets=watched["one_for_all"], batch_asset_events=True))
react("awake", [watched["shared"]])
react("asleep", [watched["shared"]])
react("failing", [watched["failing"]])
'''

pytestmark = [
    pytest.mark.promise("watch"),
    pytest.mark.skipif(AIRFLOW < (3, 0), reason="there are no watched assets"),
]


class Returned(NamedTuple):
    """What a run returned: the new `modifiedAt` of each change."""

    run_id: str
    state: str
    moments: list[str]


class Site(NamedTuple):
    """An Airflow that watches one session for each asset."""

    airflow: Airflow
    simulator: Any
    sessions: dict[str, str]

    def edit(self, asset: str) -> str:
        """Edit the session of an asset; return when its event is stored."""
        stored = len(self.airflow.events(asset))
        moment = str(self.simulator.edit(self.sessions[asset], name=f"Edit {stored}")["modifiedAt"])
        self.airflow.wait_until(lambda: len(self.airflow.events(asset)) > stored, f"an event of {asset}")
        return moment

    def until_watched(self, asset: str) -> None:
        """Wait until the triggerer knows the session of an asset."""
        marks = (
            "select value from asset_state_store join asset on asset.id = asset_id"
            " where asset.name = ? and key like 'learning360_watermarks_%'"
        )
        if AIRFLOW < (3, 3):
            marks = (
                "select val from variable"
                " where key like 'learning360_memory_%_watermarks_%' and val like '%\"asset\": \"' || ? || '\"%'"
            )
        session_id = self.sessions[asset]
        self.airflow.wait_until(
            lambda: any(session_id in str(value) for (value,) in self.airflow.query(marks, asset)),
            f"{asset} is watched",
        )

    def until_ended(self, dag_id: str, runs: int) -> list[Returned]:
        """Wait until at least so many runs have ended, and no event waits for one; return them, oldest first."""

        def ended() -> list[Any] | None:
            found = self.airflow.runs(dag_id)
            waiting = self.airflow.query("select 1 from asset_dag_run_queue where target_dag_id = ?", dag_id)
            is_idle = not waiting and all(run.state in ("success", "failed") for run in found)
            return found if is_idle and len(found) >= runs else None

        found = self.airflow.wait_until(ended, f"{runs} runs of {dag_id} have ended")
        return [Returned(run.run_id, run.state, self.returned(dag_id, run.run_id)) for run in found]

    def returned(self, dag_id: str, run_id: str) -> list[str]:
        """Return the moments of the changes that a run returned."""
        with contextlib.suppress(FileNotFoundError):
            changes = json.loads((self.airflow.home / f"{dag_id} {run_id}.json").read_text())
            return [change["modifiedAt"]["to"] for change in changes]
        return []


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A running Airflow, and a simulator that its connection leads to."""
    from airflow_provider_learning360.simulator import Simulator

    folder = tmp_path_factory.mktemp("changes")
    (folder / "source").mkdir()
    (folder / "source" / "changes.py").write_text(DAGS)
    with Simulator(sessions=5, learners=2) as simulator:
        assets = ("one_each", "one_for_all", "shared", "failing")
        sessions = dict(zip(assets, simulator.session_ids, strict=False))
        connection = {
            "conn_type": "learning360",
            "host": simulator.url,
            "login": simulator.company_id,
            "password": simulator.api_key,
            "extra": {"requests_per_second": 100},
        }
        extra = {
            "WATCHED_SESSIONS": json.dumps(sessions),
            "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
            "AIRFLOW__CORE__FERNET_KEY": "",  # so that the values of variables can be read here
        }
        connections = {"learning360_default": connection}
        with Airflow.running(folder / "home", connections, Path(folder / "source"), extra) as airflow:
            yield Site(airflow, simulator, sessions)


def test_each_run_of_a_burst_returns_its_own_change(site: Site) -> None:
    site.until_watched("one_each")
    moments = [site.edit("one_each") for _ in range(EDITS)]
    runs = site.until_ended("one_each", EDITS if ONE_RUN_PER_EVENT else 1)
    if ONE_RUN_PER_EVENT:
        assert [run.moments for run in runs] == [[one] for one in moments]
        return
    # Airflow may have left the last events behind: the next run returns them.
    moments.append(site.edit("one_each"))
    runs = site.until_ended("one_each", len(runs) + 1)
    assert [one for run in runs for one in run.moments] == moments


@pytest.mark.skipif(not ONE_RUN_PER_EVENT, reason="all runs may have several events")
def test_runs_for_all_events_of_a_burst_return_each_change_once(site: Site) -> None:
    site.until_watched("one_for_all")
    moments = [site.edit("one_for_all") for _ in range(EDITS)]
    runs = site.until_ended("one_for_all", 1)
    assert len(runs) < EDITS
    assert all(run.moments for run in runs)
    assert [one for run in runs for one in run.moments] == moments


def test_changes_while_one_of_two_dags_was_paused_are_returned_by_its_next_run(site: Site) -> None:
    site.until_watched("shared")
    first = site.edit("shared")
    for dag_id in ("awake", "asleep"):
        site.until_ended(dag_id, 1)
    site.airflow.command("dags", "pause", "asleep", "--yes")
    paused = [site.edit("shared"), site.edit("shared")]
    site.until_ended("awake", 2)
    site.airflow.command("dags", "unpause", "asleep", "--yes")
    last = site.edit("shared")
    runs = site.until_ended("asleep", 2)
    assert [run.moments for run in runs] == [[first], [*paused, last]]
    awake = [one for run in site.until_ended("awake", 3) for one in run.moments]
    assert awake == [first, *paused, last]


def test_changes_of_a_failed_run_are_returned_once(site: Site) -> None:
    site.until_watched("failing")
    first = site.edit("failing")
    site.until_ended("failing", 1)
    (site.airflow.home / "fail").touch()
    failed = site.edit("failing")
    assert [run.state for run in site.until_ended("failing", 2)] == ["success", "failed"]
    (site.airflow.home / "fail").unlink()
    last = site.edit("failing")
    runs = site.until_ended("failing", 3)
    assert [run.moments for run in runs] == [[first], [], [failed, last]]

    site.airflow.command("tasks", "clear", "failing", "--only-failed", "--yes")
    site.airflow.wait_until(lambda: site.airflow.runs("failing")[1].state == "success", "the cleared run has ended")
    assert site.returned("failing", runs[1].run_id) == []
