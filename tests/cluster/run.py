"""
Kill and pause processes of an Airflow cluster, while sessions are edited; count what is lost, repeated or doubled.

`make cluster [SEED=1] [EVENTS=25]`; the exit code is 1 if a promise was broken. The seed determines who dies when and
how, and which session is edited when, but not the timing of the processes.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE.parent / "soak")]  # for modules that the tests share

from cluster_results import ENDED, Delivery, Results, Wait, count_mails, decoded, spans_for  # noqa: E402
from processes import Cluster  # noqa: E402
from script import PlannedEdit, Step, write_script  # noqa: E402
from servers import Postgres, Redis  # noqa: E402
from sessions import (  # noqa: E402
    CONNECTIONS,
    KINDS,
    RECIPIENTS,
    REMINDED,
    WAITED,
    WATCHED,
    after,
    assets,
    kind_of,
    policy,
    sensors,
    session,
)
from verdict import Edit, Report  # noqa: E402

from simulator_process import SimulatorProcess  # noqa: E402
from smtp_server import Behaviour, SmtpServerProcess  # noqa: E402

EDITS_A_STEP = 5  # of watched sessions
SECONDS_A_MAIL = 0.25  # so that a delivery lasts long enough to be interrupted
SWEEP = 30  # seconds between two plans of reminders
# Far longer than needed: a condition that is not met by then will not be met.
STARTING = 420  # seconds until all sensors wait and all assets are watched
MOMENT = 45  # seconds to wait for a moment that may not come
SETTLING = 420  # seconds until everything has been acted on


class Stopped(Exception):
    """A service does not start again, or a condition is not met."""


@dataclass
class Run:
    """
    The cluster under the script.

    :param cluster: Airflow.
    :param simulator: The simulator.
    :param smtp: The mail server.
    """

    cluster: Cluster
    simulator: SimulatorProcess
    smtp: SmtpServerProcess
    edits: list[Edit] = field(default_factory=list)
    events: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)

    # --- the script ---

    def until_ready(self) -> None:
        """Wait until every sensor has its watermark, and every watched session, too. Later edits may not be lost."""
        waiting = "select count(*) from task_state_store where key = 'learning360_watermark'"
        watched = "select value from asset_state_store where key like 'learning360_watermarks_%%'"
        self._wait(lambda: self.cluster.query(waiting)[0][0] >= len(WAITED), "all sensors have a watermark", STARTING)
        self._wait(
            lambda: len({one for (value,) in self.cluster.query(watched) for one in decoded(value)}) >= len(WATCHED),
            "all sessions are watched",
            STARTING,
        )

    def follow(self, steps: list[Step]) -> None:
        """Follow the script, step by step."""
        for number, step in enumerate(steps, start=1):
            began = time.monotonic()
            editor = threading.Thread(target=self._edit_all, args=(step.edits,), daemon=True)
            editor.start()
            self._await_moment(step)
            what = self._act(step)
            editor.join()
            self._restart_ended_services()
            log(f"{number:>3}/{len(steps)} {what}", f"{step.moment}, {time.monotonic() - began:.0f} s in all")

    def settle(self) -> None:
        """Wait until everything has been acted on, and one more sweep could have repeated a mail."""
        self._wait(self._is_settled, "everything is acted on", SETTLING)
        time.sleep(SWEEP + 15)
        self._wait(self._is_settled, "everything is acted on", SETTLING)

    def _edit_all(self, edits: tuple[PlannedEdit, ...]) -> None:
        began = time.monotonic()
        for planned in edits:
            time.sleep(max(0.0, began + planned.seconds - time.monotonic()))
            self._edit(planned.session_id)

    def _edit(self, one: str) -> None:
        if one in REMINDED:
            anchor = "startDate" if kind_of(one) == KINDS[0] else "endDate"
            self.simulator.edit(one, **{anchor: after(hours=12)})
            return
        document = self.simulator.edit(one, name=f"Edit {len(self.edits)}")
        self.edits.append(Edit(one, datetime.fromisoformat(document["modifiedAt"]), datetime.now(UTC)))

    def _await_moment(self, step: Step) -> None:
        if step.moment == "at any time":
            time.sleep(step.chance * 10)
        elif step.moment == "after an edit":
            edits = len(self.edits)
            self._wait_if_it_comes(lambda: len(self.edits) > edits)
            time.sleep(step.chance * 4)
        else:
            mails = len(self.smtp.mails)
            self._wait_if_it_comes(lambda: len(self.smtp.mails) > mails)

    def _act(self, step: Step) -> str:
        (first, *_) = step.victims
        what = " and ".join(step.victims)
        if first == "database":
            self.events["database paused"] += 1
            self.cluster.postgres.pause(step.seconds)
            return f"{what} paused for {step.seconds:.0f} s"
        if first == "task":
            killed = self._kill_task(step)
            self.events["task killed"] += bool(killed)
            return f"task of {killed or 'no DAG'} killed"
        for service in step.victims:
            self.events[f"{service.split()[0]} {step.way}"] += 1
            if step.way == "SIGKILL of the first process":
                os.kill(self.cluster.services[service].pid, signal.SIGKILL)
            else:
                self.cluster.kill(service, signal.Signals[step.way])
        time.sleep(step.seconds)
        for service in step.victims:
            if service in self.cluster.services:
                self.cluster.kill(service)
            self._start(service)
        return f"{what}: {step.way}, down for {step.seconds:.0f} s"

    def _kill_task(self, step: Step) -> str | None:
        """Kill the process of a task, of a delivery if mails are being sent; return its DAG."""

        def find() -> list[tuple[int, str]]:
            tasks = self.cluster.tasks()
            rows = self.cluster.query(
                "select id::text, dag_id from task_instance where id::text = any(%s)", list(tasks.values())
            )
            dags = dict(rows)
            found = sorted((process, dags[one]) for process, one in tasks.items() if one in dags)
            sending = [one for one in found if one[1] == "deliver"]
            return sending if sending and step.moment == "while mails are sent" else found

        found = self._wait_if_it_comes(find)
        if not found:
            return None
        process, dag_id = found[int(step.chance * len(found))]
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)
            return str(dag_id)
        return None

    def _start(self, service: str) -> None:
        self.cluster.start(service)
        try:
            self.cluster.until_alive(service)
        except (ChildProcessError, TimeoutError) as error:
            raise Stopped(f"{service} did not start again: {error}") from error

    def _restart_ended_services(self) -> None:
        """Note every service that ended without being killed, and start it again."""
        for service, process in list(self.cluster.services.items()):
            if process.poll() is not None:
                self.problems.append(f"{service} ended by itself: {self.cluster.logs_of(service)[-1500:]}")
                self.cluster.kill(service)
                self._start(service)

    # --- waiting ---

    def _is_settled(self) -> bool:
        self._restart_ended_services()
        if self.cluster.query("select 1 from asset_dag_run_queue"):
            return False
        if self.cluster.query("select 1 from dag_run where dag_id <> 'plan' and state not in ('success', 'failed')"):
            return False
        results = self.results()
        return all(one.state in ENDED for one in results.deliveries) and all(
            one.latest_is_reported() for one in results.runs.values()
        )

    def _wait(self, condition: Callable[[], Any], what: str, patience: float) -> Any:
        try:
            return self.cluster.wait_until(condition, what, patience)
        except TimeoutError as error:
            raise Stopped(str(error)) from None

    def _wait_if_it_comes(self, condition: Callable[[], Any]) -> Any:
        with contextlib.suppress(TimeoutError):
            return self.cluster.wait_until(condition, "the moment comes", MOMENT)
        return None

    # --- counting ---

    def results(self) -> Results:
        """Count what there is so far."""
        events, runs = {}, {}
        for dag_id, watched in assets().items():
            acted_on = [decoded(value) for (value,) in self.cluster.query(ACTED_ON, dag_id)]
            for asset, one in watched.items():
                edits = [edit for edit in self.edits if edit.session_id == one]
                extras = [decoded(extra) for (extra,) in self.cluster.query(EVENTS, asset)]
                payloads = [extra["payload"]["sessions"] for extra in extras]
                events[asset] = Report(edits, spans_for(payloads, [one]))
                runs[asset] = Report(edits, spans_for(acted_on, [one]))
        return Results(list(self.edits), list(self._waits()), events, runs, list(self._deliveries()))

    def _waits(self) -> Iterator[Wait]:
        rows = {(task, index): rest for task, index, *rest in self.cluster.query(WAITS)}
        for mode, ids in sensors().items():
            for index, one in enumerate(ids):
                state, tries, value = rows.get((mode, index), ("none", 1, None))
                yield Wait(mode, one, state or "none", decoded(value)["modifiedAt"] if value else None, tries - 1)

    def _deliveries(self) -> Iterator[Delivery]:
        mails = count_mails(self.smtp.mails)
        rows = self.cluster.query(DELIVERED)
        for one in REMINDED:
            found = [(state, tries) for conf, state, tries in rows if one in json.dumps(decoded(conf))]
            state, tries = found[0] if len(found) == 1 else (f"{len(found)} runs", 1)
            yield Delivery(kind_of(one), one, state, tries - 1, mails.get(int(one, 16), Counter()))


# What the successful runs returned, in order.
ACTED_ON = (
    "select value from xcom join dag_run using (dag_id, run_id) where dag_id = %s and dag_run.state = 'success'"
    " and task_id = 'changed' and key = 'return_value' order by dag_run.id"
)
EVENTS = (
    "select asset_event.extra from asset_event join asset on asset.id = asset_id where asset.name = %s"
    " order by asset_event.id"
)
WAITS = (
    "select one.task_id, one.map_index, one.state, one.try_number, xcom.value from task_instance one"
    " left join xcom on xcom.dag_id = one.dag_id and xcom.run_id = one.run_id and xcom.task_id = one.task_id"
    " and xcom.map_index = one.map_index and xcom.key = 'return_value' where one.dag_id = 'wait'"
)
DELIVERED = (
    "select dag_run.conf, dag_run.state, one.try_number from dag_run join task_instance one using (dag_id, run_id)"
    " where dag_id = 'deliver'"
)


def log(what: str, details: str = "") -> None:
    """Print a line."""
    print(f"{datetime.now():%H:%M:%S}  {what:<60} {details}".rstrip(), flush=True)


def evaluate(run: Run) -> bool:
    """Print what became of everything; return whether all promises were kept."""
    results = run.results()
    events = ", ".join(f"{what} {count}" for what, count in sorted(run.events.items()))
    print(f"\nevents  {run.events.total()} ({events})")
    print(f"edits   {len(run.edits)} of waited-for and watched sessions, {len(REMINDED)} that make a reminder due\n")
    print(results.table(), "\n")
    faults = [*results.find_faults(), *(f"PROBLEM: {one}" for one in run.problems)]
    print("\n".join(faults) or "No promise was broken.")
    return not faults


def follow_script(run: Run, steps: list[Step]) -> bool:
    """Start, follow the script and settle; return whether all promises were kept."""
    try:
        run.until_ready()
        log("waiting", f"{len(WAITED)} sensors, {len(WATCHED)} watched assets")
        run.follow(steps)
        log("settling")
        run.settle()
        log("settled")
    except Stopped as stopped:
        run.problems.append(str(stopped))
    except KeyboardInterrupt:
        run.problems.append("interrupted")
    return evaluate(run)


def with_extra(connection: dict[str, Any], **extra: Any) -> dict[str, Any]:
    """Return a connection with more fields in its extra."""
    return {**connection, "extra": {**connection["extra"], **extra}}


@contextlib.contextmanager
def running(home: Path) -> Iterator[Run]:
    """Run all processes while the block runs; then end them."""
    with contextlib.ExitStack() as stack:
        simulator = stack.enter_context(SimulatorProcess(sessions=1, learners=1))
        smtp = stack.enter_context(SmtpServerProcess(home / "mails.jsonl", Behaviour(delay=SECONDS_A_MAIL)))
        postgres = stack.enter_context(Postgres(home))
        redis = stack.enter_context(Redis(home))
        for one in (*WAITED, *WATCHED):
            simulator.add(session(one, learners=1))
        for one in REMINDED:
            simulator.add(session(one, learners=RECIPIENTS))
        connections = {
            "learning360_default": with_extra(simulator.connection, requests_per_second=100),
            "smtp_default": with_extra(smtp.connection, from_email="academy@example.com"),
        }
        plan = {"waiting": sensors(), "watched": assets(), "policy": policy(), "connections": CONNECTIONS}
        (home / "airflow").mkdir()
        cluster = Cluster(
            home / "airflow", postgres, redis, connections, HERE / "dags", {"CLUSTER_PLAN": json.dumps(plan)}
        )
        stack.callback(cluster.end)
        log("database", "is made")
        cluster.command("db", "migrate")
        log("services", "start")
        cluster.start_all()
        log("services", "run")
        yield Run(cluster, simulator, smtp)


def interrupt(*_: object) -> None:
    """End as with Ctrl-C; another signal does not cut off the end of the processes."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


def main() -> int:
    """Run once; return 1 if a promise was broken."""
    options = argparse.ArgumentParser(description=__doc__.strip().splitlines()[0])
    options.add_argument("--events", type=int, default=25, help="number of kills and pauses (default 25)")
    options.add_argument("--seed", type=int, default=1, help="of the random generator (default 1)")
    options.add_argument("--keep", action="store_true", help="keep the folder of the run even if all went well")
    chosen = options.parse_args()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, interrupt)
    began = time.monotonic()
    home = Path(tempfile.mkdtemp(prefix="learning360-cluster-"))
    home.chmod(0o711)  # PostgreSQL runs as another user, with a folder of its own in it
    log("starting", f"{chosen.events} events, seed {chosen.seed}, folder {home}")
    random = Random(chosen.seed)
    # A sensor in mode poke has its change in the first half: each death of its worker costs it a retry.
    waited = sorted(WAITED, key=lambda one: random.random() * (0.5 if one in sensors()["poke"] else 1))
    reminded = random.sample(REMINDED, len(REMINDED))
    steps = write_script(random, chosen.events, [waited, reminded], WATCHED, EDITS_A_STEP)
    with running(home) as run:
        fine = follow_script(run, steps)
    if fine and not chosen.keep:
        shutil.rmtree(home, ignore_errors=True)
    else:
        print(f"kept    {home}")
    print(f"{'All promises were kept' if fine else 'FAILED'} in {(time.monotonic() - began) / 60:.1f} minutes")
    return 0 if fine else 1


if __name__ == "__main__":
    sys.exit(main())
