"""
What it costs to watch many sessions: the time until a DAG run, requests, memory, and stalls of the event loop.

Where no figures are wanted, the tests on a real Airflow are skipped: they would take minutes, and
`tests/e2e/test_watching.py` tests the same.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from typing import Any, Self

import pytest

from airflow.providers.http.triggers.http import HttpEventTrigger

from airflow_provider_learning360.api.watch_state import shard_of
from airflow_provider_learning360.assets.program_session import watched_program_sessions
from airflow_provider_learning360.hooks.learning_async import LearningAsyncHook
from real_airflow import Airflow, rss
from simulator_process import SimulatorProcess
from small_triggerer import Store, remove_waiting_times, running
from versions import connect

LIST = "/api/v1/programs/sessions"
INTERVAL = 2.0  # seconds between polls of the list
EDITS = 12
PEERS = 5

takes_minutes = pytest.mark.skipif(
    "not config.getoption('benchmark_only', default=False)", reason="a real Airflow, only for figures: make bench"
)

DAG = """
import json
import os

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG, AssetAny

from airflow_provider_learning360.assets.program_session import watched_program_session

IDS = json.loads(os.environ["WATCHED_SESSIONS"])
assets = [watched_program_session(one, poll="list", poll_interval=float(os.environ["INTERVAL"])) for one in IDS]
with DAG("watching", schedule=AssetAny(*assets), catchup=False, is_paused_upon_creation=False) as dag:
    EmptyOperator(task_id="react")
"""


@contextlib.contextmanager
def idle_airflow(folder: Path, simulator: SimulatorProcess) -> Iterator[Airflow]:
    """An Airflow without DAGs."""
    extra = {
        "WATCHED_SESSIONS": json.dumps(simulator.session_ids),
        "INTERVAL": str(INTERVAL),
        "AIRFLOW__TRIGGERER__CAPACITY": "2000",
        # Otherwise two CPUs would parse DAGs all the time.
        "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "15",
    }
    home, dags = folder / "airflow", folder / "dags"
    home.mkdir()
    dags.mkdir()
    with Airflow.running(home, {"learning360_default": simulator.connection}, dags, extra) as airflow:
        try:
            yield airflow
        except Exception as error:
            error.add_note(airflow.logs())
            raise


def watch_all(airflow: Airflow, simulator: SimulatorProcess) -> None:
    """Watch all sessions, an asset each; wait until a watermark of every one is stored."""
    stored = "select count(distinct asset_id) from asset_state_store where key like 'learning360_watermarks_%'"
    airflow.put_dag("watching.py", DAG)
    everyone = [(len(simulator.session_ids),)]
    airflow.wait_until(lambda: airflow.query(stored) == everyone, "all sessions are watched", patience=900)


def runs(airflow: Airflow) -> tuple[int, int]:
    """How many DAG runs there are, and how many of them have ended."""
    ((all_of_them, ended),) = airflow.query("select count(*), count(end_date) from dag_run")
    return all_of_them, ended


def until(condition: Callable[[], Any]) -> float:
    """Return the time at which a condition became true, to a twentieth of a second."""
    deadline = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < deadline, "never happened"
        time.sleep(0.05)
    return time.monotonic()


def seconds_to_a_run(airflow: Airflow, simulator: SimulatorProcess, number: int) -> float:
    """Edit a session; return the seconds until its DAG run exists."""
    before, _ = runs(airflow)
    until(lambda: runs(airflow) == (before, before))
    time.sleep(INTERVAL * number / EDITS)  # spreads the edits over the interval
    simulator.edit(simulator.session_ids[number], name=f"Edit {number}")
    edited = time.monotonic()
    return until(lambda: runs(airflow)[0] > before) - edited


@takes_minutes
def test_time_to_a_run_and_requests(
    benchmark: Any,
    figure: Callable[..., None],
    tmp_path: Path,
    learning360_simulator: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    delays: list[float] = []
    with SimulatorProcess(sessions=200, learners=3) as simulator, idle_airflow(tmp_path, simulator) as airflow:
        watch_all(airflow, simulator)
        benchmark.pedantic(
            lambda: delays.append(seconds_to_a_run(airflow, simulator, len(delays))), rounds=EDITS, iterations=1
        )
        simulator.forget()
        until(lambda: len(simulator.requests) >= 10)
        seen = simulator.requests

    measured = f"{median(delays):.1f} s (worst of {len(delays)}: {max(delays):.1f} s)"
    figure("edit to DAG run, 200 watched sessions, interval 2 s", measured, f"<= {INTERVAL + 2:.0f} s")
    intervals = (seen[-1]["at"] - seen[0]["at"]) / INTERVAL
    ours = (len(seen) - 1) / intervals
    theirs = requests_of_peers(learning360_simulator, tmp_path, monkeypatch)
    peer = f"HttpEventTrigger {theirs:.0f} for {PEERS} sessions"
    figure("requests an interval, for all 200", f"{ours:.2f}", "<= 1", peer)
    assert {one["path"] for one in seen} == {LIST}
    assert ours <= 1


def requests_of_peers(simulator: Any, folder: Path, monkeypatch: pytest.MonkeyPatch) -> float:
    """Return the number of requests of the HTTP provider's triggers per interval, if each watches one session."""
    # A module of its own, because the trigger imports it again at every poll.
    (folder / "never_fires.py").write_text("async def check(response):\n    return False\n")
    monkeypatch.syspath_prepend(folder)
    monkeypatch.setenv("AIRFLOW_CONN_HTTP_DEFAULT", json.dumps({"conn_type": "http", "host": simulator.url}))
    keys = {"X-company-id": simulator.company_id, "X-apiKey": simulator.api_key}
    paths = [f"{LIST}/{one}/" for one in simulator.session_ids[:PEERS]]
    triggers = [HttpEventTrigger("never_fires.check", endpoint=one, headers=keys, poll_interval=0.2) for one in paths]
    simulator.forget()

    async def watch() -> None:
        looking = [asyncio.ensure_future(anext(one.run())) for one in triggers]
        await asyncio.to_thread(simulator.wait_for, lambda one: len(one.requests) >= 10 * PEERS, 60)
        for one in looking:
            one.cancel()
        await asyncio.gather(*looking, return_exceptions=True)

    asyncio.run(watch())
    seen = [one.path for one in simulator.requests]
    return len(seen) / seen.count(paths[0])


@takes_minutes
def test_memory_of_the_triggerer(benchmark: Any, figure: Callable[..., None], tmp_path: Path) -> None:
    with SimulatorProcess(sessions=1_000, learners=3) as simulator, idle_airflow(tmp_path, simulator) as airflow:
        runner = airflow.runner()
        before = rss(runner)
        benchmark.pedantic(lambda: watch_all(airflow, simulator), rounds=1)
        simulator.forget()
        until(lambda: len(simulator.requests) >= 3)
        assert airflow.runner() == runner
        after = rss(runner)

    figure("triggerer's memory, 1,000 watched sessions", f"{after:.0f} MB ({before:.0f} MB without)", "<= 200 MB")


class Heart:
    """Measures stalls of the event loop while a block runs."""

    async def __aenter__(self) -> Self:
        self.longest_gap()
        self._beating = asyncio.ensure_future(self._beat())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._beating.cancel()
        await asyncio.gather(self._beating, return_exceptions=True)

    def __init__(self) -> None:
        self._last, self._longest = time.perf_counter(), 0.0

    def longest_gap(self) -> float:
        """Return the longest stall since the last call in seconds, and reset it."""
        self._note()
        longest, self._longest = self._longest, 0.0
        return longest

    def _note(self) -> None:
        now = time.perf_counter()
        self._longest, self._last = max(self._longest, now - self._last), now

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(0.001)
            self._note()


async def warm() -> None:
    """Import and open everything once, and collect garbage, before the measurement."""
    async with LearningAsyncHook() as hook, contextlib.aclosing(hook.stream_program_sessions()) as stream:
        await anext(stream)
    gc.collect()


async def stalls(simulator: SimulatorProcess, watch: list[str] | None, number: int) -> tuple[float, float, float]:
    """
    Watch all sessions; return the longest stall of: first poll, poll with changes, start from watermarks.

    :param number: Of the round, so that each round gives sessions another name.
    """
    first, *_, last = simulator.session_ids
    shards = len({shard_of(one) for one in simulator.session_ids})
    store = Store()
    asset = watched_program_sessions("all", poll_interval=1, watch=watch)
    await warm()
    async with running(store, asset) as one, Heart() as heart:
        await one.until(lambda: store.writes >= shards, patience=120)
        first_look = heart.longest_gap()
        await asyncio.to_thread(simulator.edit, first, name=f"Moved {number}")
        await one.until(lambda: one.events and store.writes > shards, patience=120)
        later_look = heart.longest_gap()
    assert len(store.watermarks("all")) == len(simulator.session_ids)
    simulator.edit(last, name=f"Moved between two polls {number}")
    async with Heart() as heart, running(store, asset) as one:
        await one.until(lambda: one.events, patience=120)
        return first_look, later_look, heart.longest_gap()


@pytest.mark.parametrize(
    ("version", "watch"),
    [("v1", None), ("v2", None), ("v2", ["name", "lang"])],
    ids=["v1", "v2", "v2, with a field of the path"],
)
def test_event_loop(
    version: str,
    watch: list[str] | None,
    benchmark: Any,
    measuring: bool,
    figure: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found: list[tuple[float, float, float]] = []

    def once() -> None:
        remove_waiting_times(monkeypatch)
        found.append(asyncio.run(stalls(simulator, watch, len(found))))

    with SimulatorProcess(sessions=10_000 if measuring else 100, learners=96) as simulator:
        connect(monkeypatch, simulator, version, requests_per_second=1000)
        benchmark.pedantic(once, rounds=3 if measuring else 1)

    whats = (
        f"event-loop stall, watch of 10,000 sessions through {version}, {watch or 'any change'}, first poll",
        "the same, a poll that finds an edit",
        "the same, start with 10,000 stored watermarks",
    )
    for what, gaps in zip(whats, zip(*found, strict=True), strict=True):
        figure(what, f"{median(gaps) * 1000:.0f} ms (worst of {len(gaps)}: {max(gaps) * 1000:.0f} ms)", "< 50 ms")
