"""
Kill triggerer, scheduler and simulator at random moments, and require that no change is lost.

`python tests/soak/run.py [--kills 50] [--seed 360] [--sessions 8] [--victims triggerer ...] [--keep]`; the exit code is
1 if a change was lost. The seed determines moments and victims, but not the timing of the processes. The Airflow is
that of the Python that runs this: any from 3.0 on.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import signal
import sqlite3
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from pathlib import Path
from random import Random
from typing import Any

import requests

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))  # for modules that the tests share

from verdict import Edit, Report, Span, moment_of, spans_of  # noqa: E402

from real_airflow import Airflow, command_line, stored  # noqa: E402
from simulator_process import SimulatorProcess  # noqa: E402

INTERVAL = 1.0  # poll interval of the DAGs in seconds
LONGEST_GAP = 3.0  # seconds until a kill
LONGEST_DOWNTIME = 4.0  # seconds until a killed service is started again
# Far longer than needed: a condition that is not met by then will not be met.
WORKING = 90  # seconds until an edit is an event, while all services run
SETTLING = 240  # seconds until the last edits are acted on and all runs have ended
SHOWN = 5  # lost edits that are printed with their log lines

# Share of the kills, out of ten.
VICTIMS = {"triggerer": 4, "scheduler": 3, "simulator": 3}
# Below Airflow 3.3, watermarks are in variables.
HAS_STATE_STORE = tuple(int(part) for part in version("apache-airflow").split(".")[:2]) >= (3, 3)
MOMENTS = ("at any time", "after an edit", "after an event")

EXTRA = {
    # How soon Airflow repeats a task that was killed with its scheduler.
    "AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_THRESHOLD": "6",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "20",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "3",
    "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL": "2",
    "AIRFLOW__CORE__FERNET_KEY": "",  # so that the values of variables can be read here
}


class Stopped(Exception):
    """A service, or the editor, no longer works."""


class Editor(threading.Thread):
    """Edits random sessions at random moments, and records every edit."""

    def __init__(self, simulator: SimulatorProcess, session_ids: list[str], random: Random) -> None:
        super().__init__(daemon=True)
        self.edits: list[Edit] = []
        self._simulator, self._session_ids, self._random = simulator, session_ids, random
        self._stopping = threading.Event()
        self.lock = threading.RLock()

    def run(self) -> None:
        while not self._stopping.wait(self._random.uniform(0.05, 1.8)):
            for _ in range(self._random.choice((1, 1, 1, 2, 5))):
                self.edit(self._random.choice(self._session_ids))

    def edit(self, session_id: str) -> Edit | None:
        """Edit a session; return None if the simulator is not running."""
        with self.lock, suppress(requests.ConnectionError):
            document = self._simulator.edit(session_id, name=f"Edit {len(self.edits)}")
            self.edits.append(Edit(session_id, moment_of(document["modifiedAt"]), datetime.now(UTC)))
            return self.edits[-1]
        return None

    def stop(self) -> None:
        """Stop editing."""
        self._stopping.set()
        if self.is_alive():
            self.join(WORKING)

    @property
    def stopped(self) -> bool:
        """Whether `stop` was called."""
        return self._stopping.is_set()


@dataclass
class Soak:
    """
    An Airflow and a simulator, the kills, and what is expected.

    :param airflow: The Airflow.
    :param simulator: The simulator.
    :param assets: Session IDs by the name of the asset that watches them.
    :param dags: Asset names by the ID of the DAG that is scheduled on them.
    :param random: Source of moments and victims.
    """

    airflow: Airflow
    simulator: SimulatorProcess
    assets: dict[str, list[str]]
    dags: dict[str, list[str]]
    random: Random
    editor: Editor = field(init=False)
    kills: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        session_ids = sorted({one for ids in self.assets.values() for one in ids})
        self.editor = Editor(self.simulator, session_ids, Random(self.random.random()))

    # --- killing ---

    def kill_all(self, victims: list[str]) -> None:
        """Kill the victims one after the other; sometimes wait until everything works again."""
        for number, victim in enumerate(victims, start=1):
            moment = self._await_a_moment()
            began = time.monotonic()
            self.kills[victim] += 1
            # Without edits during a kill, an unconfirmed event is repeated unchanged.
            calm = self.random.random() < 0.5
            with self.editor.lock if calm else nullcontext():
                down = self._kill_and_start(victim)
            works = f", an edit is an event after {self._until_it_works():4.1f} s" if self.random.random() < 0.5 else ""
            self._restart_ended_services()
            took = time.monotonic() - began
            log(f"{number:>3}/{len(victims)} {victim}", f"{moment}, down for {down:.1f} s, {took:4.1f} s in all{works}")

    def _await_a_moment(self) -> str:
        moment = self.random.choice(MOMENTS)
        if moment == "at any time":
            time.sleep(self.random.uniform(0, LONGEST_GAP))
        elif moment == "after an edit":
            self.editor.edit(self.random.choice(list(self.assets["many"])))
            # Between "not polled yet" and "the watermark is stored".
            time.sleep(self.random.uniform(0, 2.5 * INTERVAL))
        else:
            before = self._last_event()
            self._wait(lambda: self._last_event() > before, "an event is stored")
            # The watermark is stored about a second after its event; the run begins and ends a little later.
            time.sleep(self.random.choice((0.0, self.random.uniform(0, LONGEST_GAP))))
        return moment

    def _kill_and_start(self, victim: str) -> float:
        down = self.random.uniform(0, LONGEST_DOWNTIME)
        with_its_children = self.random.random() < 0.5
        if victim == "simulator":
            self.simulator.kill()
            time.sleep(down)
            self.simulator.start()
            return down
        if not with_its_children:
            # Its child processes continue for a while: tasks of a dead scheduler, triggers of a dead triggerer.
            os.kill(self.airflow.services[victim].pid, signal.SIGKILL)
            time.sleep(down)
        self.airflow.kill(victim)
        if with_its_children:
            time.sleep(down)
        self._start(victim)
        return down

    def _start(self, service: str) -> None:
        self.airflow.start(service)
        try:
            self._retry(lambda: self.airflow.until_alive(service))
        except (ChildProcessError, TimeoutError) as error:
            raise Stopped(f"{service} did not start again: {error}") from error

    def _restart_ended_services(self) -> None:
        """Note every service that ended without being killed, and start it again."""
        for service, process in list(self.airflow.services.items()):
            if process.poll() is not None:
                self.problems.append(f"{service} ended by itself: {self.airflow.logs_of(service)[-1500:]}")
                self.airflow.kill(service)
                self._start(service)
        if not command_line(self.simulator.pid):
            self.problems.append("the simulator ended by itself")
            self.simulator.kill()
            self.simulator.start()
        if not self.editor.is_alive() and not self.editor.stopped:
            raise Stopped("the editor ended by itself")

    # --- waiting ---

    def until_watched(self) -> None:
        """Wait until a watermark is stored for every session of every asset. Later edits may not be lost."""
        now = {one: moment_of(self.simulator.session(one)["modifiedAt"]) for one in self.assets["many"]}
        wanted = {(asset, one): now[one] for asset, ids in self.assets.items() for one in ids}
        self._wait(lambda: self._watermarks() == wanted, "all sessions are watched")

    def _until_it_works(self) -> float:
        """Wait until a new edit is an event of a random asset of each DAG; return the seconds that took."""
        began = time.monotonic()
        for assets in self.dags.values():
            asset = self.random.choice(assets)
            edit = self.editor.edit(self.random.choice(self.assets[asset]))
            if edit is not None:
                self._wait(
                    lambda asset=asset, edit=edit: not Report([edit], self._events(asset)).lost,
                    f"{asset} gets an event of the edit of {edit.session_id} at {edit.at:%H:%M:%S}",
                )
        return time.monotonic() - began

    def settle(self) -> None:
        """Stop editing, and wait until every edit has been acted on."""
        self.editor.stop()
        self._restart_ended_services()
        self._wait(self._is_settled, "the last edits are acted on, and all runs have ended", SETTLING)

    def _is_settled(self) -> bool:
        for dag_id, assets in self.dags.items():
            acted_on = self._acted_on(dag_id)
            ended = all(run.state in ("success", "failed") for run in self._retry(lambda: self.airflow.runs(dag_id)))  # noqa: B023
            if not ended or not all(Report(self._edits_of(one), acted_on).latest_is_reported() for one in assets):
                return False
        return not self._query("select 1 from asset_dag_run_queue")

    def _wait(self, condition: Callable[[], Any], what: str, patience: float = WORKING) -> None:
        try:
            self.airflow.wait_until(condition, what, patience)
        except TimeoutError as error:
            raise Stopped(f"{error} (for {patience} s)") from None

    # --- state ---

    def reports(self) -> Iterator[tuple[str, str, Report, Report]]:
        """Yield each DAG and each of its assets, with the edits that its events and its runs report."""
        for dag_id, assets in self.dags.items():
            acted_on = self._acted_on(dag_id)
            for asset in assets:
                ids = self.assets[asset]
                of_asset = [[span for span in spans if span.session_id in ids] for spans in acted_on]
                edits = self._edits_of(asset)
                yield dag_id, asset, Report(edits, self._events(asset)), Report(edits, of_asset)

    def states(self, dag_id: str) -> Counter[str]:
        """Return the number of runs of a DAG by state."""
        return Counter(run.state for run in self._retry(lambda: self.airflow.runs(dag_id)))

    def log_lines(self, edit: Edit) -> str:
        """Return the log lines after the edit that name the session, or are warnings or errors."""
        return "\n".join(
            f"      {path.stem}: {line[:300]}"
            for path in sorted(self.airflow.home.glob("*.log"))
            for line in path.read_text(errors="replace").splitlines()
            if self._may_explain(line, edit)
        )

    def _may_explain(self, line: str, edit: Edit) -> bool:
        stamp = re.match(r"\d{4}-\d\d-\d\dT[\d:.]+Z?", line)
        if not stamp:
            return False
        since = datetime.fromisoformat(stamp[0]).replace(tzinfo=UTC) - edit.at
        relevant = any(word in line for word in ("[warning", "[error", "[critical", edit.session_id))
        return relevant and -timedelta(seconds=2) < since < timedelta(seconds=30)

    def _edits_of(self, asset: str) -> list[Edit]:
        return [edit for edit in self.editor.edits if edit.session_id in self.assets[asset]]

    def _events(self, asset: str) -> list[list[Span]]:
        events = self._retry(lambda: self.airflow.events(asset))
        return [spans_of(event.extra["payload"]["sessions"]) for event in events]

    def _acted_on(self, dag_id: str) -> list[list[Span]]:
        """Return the result of each successful run, in order."""
        rows = self._query(
            "select value from xcom join dag_run using (dag_id, run_id)"
            " where dag_id = ? and state = 'success' and task_id = 'changed' and key = 'return_value'"
            " order by dag_run.id",
            dag_id,
        )
        return [spans_of(stored([row])) for row in rows]

    def _watermarks(self) -> dict[tuple[str, str], datetime]:
        rows = self._stored_watermarks() if HAS_STATE_STORE else self._watermarks_in_variables()
        return {
            (asset, one): moment_of(mark["modified_at"])
            for asset, value in rows
            for one, mark in decoded(value).items()
        }

    def _stored_watermarks(self) -> list[tuple[Any, ...]]:
        return self._query(
            "select asset.name, value from asset_state_store join asset on asset.id = asset_id"
            " where key like 'learning360_watermarks_%'"
        )

    def _watermarks_in_variables(self) -> list[tuple[Any, ...]]:
        rows = self._query("select val from variable where key like 'learning360_memory_%_watermarks_%'")
        values = [json.loads(text) for (text,) in rows]
        return [(one["owner"]["asset"], one["value"]) for one in values]

    def _last_event(self) -> int:
        ((last,),) = self._query("select coalesce(max(id), 0) from asset_event")
        return int(last)

    def _query(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        return self._retry(lambda: self.airflow.query(statement, *values))

    def _retry(self, question: Callable[[], Any]) -> Any:
        """Query the database; try again while it is locked, because a process was killed while writing."""
        for _ in range(50):
            try:
                return question()
            except sqlite3.OperationalError as error:
                last = error
                time.sleep(0.2)
        raise Stopped(f"the database stays locked: {last}")


def decoded(value: Any) -> Any:
    """Return a value of the state store, which SQLite stores as JSON in JSON."""
    while isinstance(value, str):
        value = json.loads(value)
    return value


def log(what: str, details: str = "") -> None:
    """Print a line."""
    print(f"{datetime.now():%H:%M:%S}  {what:<18} {details}".rstrip(), flush=True)


def evaluate(soak: Soak) -> bool:
    """Print what became of the edits; return whether no change was lost."""
    reports = list(soak.reports())
    print_table(soak, reports)
    events, runs = [one for *_, one, _ in reports], [one for *_, one in reports]
    allowed = soak.kills["triggerer"]
    print(
        f"\nlost events {sum(len(one.lost) for one in events)}, lost changes {sum(len(one.lost) for one in runs)}, "
        f"repeated events {sum(one.repeating for one in events)} (allowed: {allowed} an asset), "
        f"repeated changes {sum(one.repeated for one in runs)}"
    )
    lost = [(edit, f"event of {asset}") for _, asset, report, _ in reports for edit in report.lost]
    lost += [(edit, f"run of {dag_id} for {asset}") for dag_id, asset, _, report in reports for edit in report.lost]
    for edit, what in lost[:SHOWN]:
        print(f"LOST: no {what} reports {edit.session_id} as of {edit.moment.isoformat()}, edited {edit.at:%H:%M:%S}")
        print(soak.log_lines(edit))
    if lost[SHOWN:]:
        print(f"LOST: {len(lost) - SHOWN} more")
    for problem in soak.problems:
        print(f"PROBLEM: {problem}")
    too_often = any(one.overlapping > allowed for one in events) or any(one.repeated for one in runs)
    return not (lost or soak.problems or too_often)


def print_table(soak: Soak, reports: list[tuple[str, str, Report, Report]]) -> None:
    """Print the numbers, in all and by asset."""
    kills = ", ".join(f"{victim} {count}" for victim, count in sorted(soak.kills.items()))
    print(f"\nkills    {soak.kills.total()} ({kills})")
    print(f"edits    {len(soak.editor.edits)} of {len(soak.assets['many'])} sessions")
    for dag_id in soak.dags:
        states = soak.states(dag_id)
        print(
            f"runs     {states.total()} of DAG {dag_id} ({', '.join(f'{state} {states[state]}' for state in states)})"
        )
    print("\n                -------- in events ---------   --------- in runs ----------")
    print("asset    edits  events lost repeated overlap   changes lost repeated overlap")
    for _, asset, events, runs in reports:
        print(
            f"{asset:<8}{len(events.edits):>6}"
            f"{len(events.reported):>8}{len(events.lost):>5}{events.repeating:>9}{events.overlapping:>8}"
            f"{sum(map(len, runs.reported)):>10}{len(runs.lost):>5}{runs.repeated:>9}{runs.overlapping:>8}"
        )


def run_soak(soak: Soak, kills: int, names: list[str]) -> bool:
    """Watch, edit and kill; return whether no change was lost."""
    try:
        soak.until_watched()
        log("watching", ", ".join(f"{asset} ({len(ids)})" for asset, ids in soak.assets.items()))
        soak.editor.start()
        soak.kill_all(choose_victims(kills, names, soak.random))
        log("settling")
        soak.settle()
        log("settled")
    except Stopped as stopped:
        soak.problems.append(str(stopped))
    finally:
        soak.editor.stop()
    return evaluate(soak)


def choose_victims(kills: int, names: list[str], random: Random) -> list[str]:
    """Return the services to kill, in random order, each in its share."""
    shares = [victim for victim in names for _ in range(VICTIMS[victim])]
    chosen = [
        shares[number * len(shares) // kills] if kills < len(shares) else shares[number % len(shares)]
        for number in range(kills)
    ]
    random.shuffle(chosen)
    return chosen


def main() -> int:
    """Run once; return 1 if a change was lost, or a service stopped."""
    options = argparse.ArgumentParser(description=__doc__.strip().splitlines()[0])
    options.add_argument("--kills", type=int, default=50, help="number of kills (default 50)")
    options.add_argument("--seed", type=int, default=360, help="of the random generator (default 360)")
    options.add_argument("--sessions", type=int, default=8, help="number of watched sessions (default 8)")
    options.add_argument(
        "--victims", nargs="+", choices=VICTIMS, default=list(VICTIMS), help="services to kill (default: all of these)"
    )
    options.add_argument("--keep", action="store_true", help="keep the home of Airflow even if nothing was lost")
    chosen = options.parse_args()
    began = time.monotonic()
    home = Path(tempfile.mkdtemp(prefix="learning360-soak-"))
    log("starting", f"Airflow {version('apache-airflow')}, {chosen.kills} kills, seed {chosen.seed}, home {home}")
    with SimulatorProcess(sessions=chosen.sessions + 4, learners=3, seed=chosen.seed) as simulator:
        ids = simulator.session_ids[: chosen.sessions]
        one = {f"one {number}": session_id for number, session_id in enumerate(ids[: max(1, len(ids) // 2)], start=1)}
        extra = {**EXTRA, "SOAK_MANY": json.dumps({"many": ids}), "SOAK_ONE": json.dumps(one)}
        connection = {**simulator.connection, "extra": {"requests_per_second": 100}}
        with Airflow.running(home, {"learning360_default": connection}, HERE / "dags", extra) as airflow:
            assets = {"many": ids, **{name: [session_id] for name, session_id in one.items()}}
            soak = Soak(airflow, simulator, assets, {"many": ["many"], "one": list(one)}, Random(chosen.seed))
            fine = run_soak(soak, chosen.kills, chosen.victims)
    if fine and not chosen.keep:
        shutil.rmtree(home, ignore_errors=True)
    else:
        print(f"kept    {home}")
    print(f"{'Nothing was lost' if fine else 'FAILED'} in {(time.monotonic() - began) / 60:.1f} minutes")
    return 0 if fine else 1


if __name__ == "__main__":
    sys.exit(main())
