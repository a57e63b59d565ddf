"""
The demo: a real DAG on a real Airflow fetches a session, waits, notices its change and hands it to reminder jobs; then
mails tell the tutors of the new dates.

With SESSION_ID, LEARNING360_COMPANY_ID and LEARNING360_API_KEY in the environment it talks to the real service (and
LEARNING360_HOST, if that is not the EU one); without them, to the simulator on this machine.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import tempfile
import threading
import time
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import reminding

if TYPE_CHECKING:
    from collections.abc import Iterator

EXAMPLES = Path(__file__).resolve().parent.parent / "dags_examples"
REAL = ("SESSION_ID", "LEARNING360_COMPANY_ID", "LEARNING360_API_KEY")


def say(text: str = "") -> None:
    print(text, flush=True)


@contextlib.contextmanager
def simulated() -> Iterator[tuple[dict[str, str], str]]:
    """The simulator, in which somebody moves the session after it was read three times."""
    from airflow_provider_learning360.simulator import Simulator

    with Simulator(sessions=12, learners=20) as simulator:
        session_id = next(one for one in simulator.session_ids if len(simulator.session(one)["tutors"]) > 1)
        say(f"  simulator     {simulator.url}, standing in for 360Learning")
        moved = {"startDate": "2027-03-01T09:00:00.000Z", "endDate": "2027-03-19T16:00:00.000Z"}
        simulator.play(
            {
                # One to plan reminders, one to fetch, two to wait.
                "when": {"path": f"/{session_id}/$", "after_requests": 4},
                "do": {"edit": {"session": session_id, "fields": moved}},
            }
        )
        watcher = threading.Thread(target=tell_requests, args=(simulator, session_id), daemon=True)
        watcher.start()
        yield (
            {"host": simulator.url, "login": simulator.company_id, "password": simulator.api_key},
            session_id,
        )


def tell_requests(simulator: Any, session_id: str) -> None:
    """Print what happens at the simulator, as it happens."""
    told: list[Any] = []
    modified = simulator.session(session_id)["modifiedAt"]
    while True:
        with contextlib.suppress(TimeoutError):
            simulator.wait_for(lambda one: len(one.requests) > len(told), 60)
        for seen in simulator.requests[len(told) :]:
            told.append(seen)
            session = simulator.session(session_id)
            if session["modifiedAt"] != modified:
                modified = session["modifiedAt"]
                say(f"   ... meanwhile, somebody moves the session in 360Learning, to start {session['startDate']} ...")
            say(f"   360Learning got {seen.method} {seen.path} -> {seen.status}")


@contextlib.contextmanager
def real() -> Iterator[tuple[dict[str, str], str]]:
    """The real service; somebody has to edit the session in 360Learning."""
    session_id, company_id, api_key = (os.environ[name] for name in REAL)
    host = os.environ.get("LEARNING360_HOST", "https://app.360learning.com")
    say(f"  service       {host}")
    say(f"  now           move a date of session {session_id} in 360Learning; this waits for an hour")
    yield {"host": host, "login": company_id, "password": api_key}, session_id


def set_up(home: str) -> None:
    """Make an Airflow in a fresh home."""
    os.environ.update(
        AIRFLOW_HOME=home,
        AIRFLOW__CORE__DAGS_FOLDER=str(EXAMPLES),
        AIRFLOW__CORE__LOAD_EXAMPLES="False",
        AIRFLOW__LOGGING__LOGGING_LEVEL="ERROR",
        AIRFLOW__DATABASE__SQL_ALCHEMY_CONN=f"sqlite:///{home}/airflow.db",
    )
    # What Airflow's own dependencies have to say to each other is not for the reader of a demo.
    warnings.simplefilter("ignore")
    from airflow import __version__
    from airflow.utils.db import initdb

    initdb()
    say(f"  Airflow       {__version__}, in a fresh home")
    say("  DAGs          dags_examples/wait_then_act.py, dags_examples/reminders.py")
    say()
    sys.path.insert(0, str(EXAMPLES))


def run_dag(session_id: str, poke_interval: float) -> Any:
    from wait_then_act import wait_then_act

    dag = wait_then_act()
    sensor = dag.get_task("wait_for_change")
    # A demo has no minute to wait.
    sensor.poke_interval, sensor.timeout = poke_interval, 3600
    return dag.test(run_conf={"session_id": session_id})


def pulled(run: Any, task_id: str, key: str = "return_value") -> list[Any]:
    """What a task pushed to XCom; one value for each of its mapped instances."""
    from airflow.models.xcom import XComModel
    from airflow.utils.session import create_session

    query = XComModel.get_many(run_id=run.run_id, dag_ids=run.dag_id, task_ids=task_id, key=key)
    with create_session() as session:
        rows = sorted(session.scalars(query), key=lambda row: row.map_index)
        return [XComModel.deserialize_value(row) for row in rows]


def tell(run: Any) -> bool:
    """Print what each task handed on; true if all of them did."""
    sessions, changes = pulled(run, "get_session"), pulled(run, "wait_for_change", "changes")
    reminders = pulled(run, "remind")
    say()
    for session in sessions:
        say(f"  get_session      {session['name'].strip()}: {session['startDate']} to {session['endDate']}")
    for change in changes:
        for field, values in change.items():
            say(f"  wait_for_change  {field}: {values['from']} -> {values['to']}")
    for index, reminder in enumerate(reminders):
        say(f"  remind [{index}]       {reminder}")
    return run.state == "success" and bool(sessions and changes and reminders)


def tell_mails(inbox: reminding.Inbox) -> bool:
    """Print the mails that arrived; true if there are any."""
    for mail in inbox.mails:
        say()
        say(f"  mail to {mail['To']}: {mail['Subject']}")
        for line in mail.get_body(("plain",)).get_content().strip().splitlines():
            say(f"    {line}".rstrip())
    return bool(inbox.mails)


def main() -> int:
    started = time.monotonic()
    is_real = all(os.environ.get(name) for name in REAL)
    say("360Learning provider for Apache Airflow: wait for a change, then act")
    say()
    with (
        real() if is_real else simulated() as (connection, session_id),
        reminding.mail_server() as inbox,
        tempfile.TemporaryDirectory() as home,
    ):
        os.environ["AIRFLOW_CONN_LEARNING360_DEFAULT"] = json.dumps({"conn_type": "learning360", **connection})
        set_up(home)
        reminding.plan(session_id)
        run = run_dag(session_id, poke_interval=30 if is_real else 1)
        done = tell(run)
        if not is_real:  # nobody's tutors get mails from a demo
            reminding.deliver(reminding.plan(session_id))
            done = tell_mails(inbox) and done
    say()
    say(f"{'Done' if done else 'FAILED'} in {time.monotonic() - started:.1f} s: the DAG run ended in {run.state}.")
    return 0 if done else 1


if __name__ == "__main__":
    sys.exit(main())
