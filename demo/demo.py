"""
The demo: on a real Airflow, a DAG reads a session, waits until its dates change, and starts reminder jobs. Then mails
tell the tutors the new dates.

With SESSION_ID, LEARNING360_COMPANY_ID and LEARNING360_API_KEY in the environment it uses the real 360Learning (and
LEARNING360_HOST, if that is not the EU one). Without them it uses the simulator on this machine.

API_VERSION=v2 uses API v2, with the same DAGs. Its keys are LEARNING360_CLIENT_ID and LEARNING360_CLIENT_SECRET.
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
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import reminder_dags
from mail_server import MailServer
from xcom import read_xcom

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_provider_learning360.simulator import Simulator

EXAMPLES = Path(__file__).resolve().parent.parent / "dags_examples"
CREDENTIALS = {
    "v1": ("SESSION_ID", "LEARNING360_COMPANY_ID", "LEARNING360_API_KEY"),
    "v2": ("SESSION_ID", "LEARNING360_CLIENT_ID", "LEARNING360_CLIENT_SECRET"),
}
# Requests for the session before somebody moves it: one plans reminders, one reads the session, two wait.
REQUESTS_BEFORE_THE_CHANGE = 4


def say(text: str = "") -> None:
    print(text, flush=True)


@contextlib.contextmanager
def simulated_service(version: str) -> Iterator[tuple[dict[str, str], str]]:
    """Start the simulator, in which somebody moves the session by a week; yield the connection and the session's ID."""
    from airflow_provider_learning360.simulator import Simulator

    with Simulator() as simulator:
        session_id = next(one for one in simulator.session_ids if len(simulator.session(one)["tutors"]) > 1)
        say(f"  simulator     {simulator.url} stands in for 360Learning")
        move_later(simulator, session_id)
        threading.Thread(target=print_requests, args=(simulator, session_id), daemon=True).start()
        keys = {
            "v1": (simulator.company_id, simulator.api_key),
            "v2": (simulator.client_id, simulator.client_secret),
        }
        login, password = keys[version]
        yield {"host": simulator.url, "login": login, "password": password}, session_id


def move_later(simulator: Simulator, session_id: str) -> None:
    """Let the session move to a week later, once it has been read several times."""
    session = simulator.session(session_id)
    dates = {
        name: (datetime.fromisoformat(session[name]) + timedelta(weeks=1)).strftime("%Y-%m-%dT%H:%M:00.000Z")
        for name in ("startDate", "endDate")
    }
    simulator.play(
        {
            # The route of one session in API v1, and in API v2.
            "when": {"path": f"/{session_id}/$|/paths/sessions$", "after_requests": REQUESTS_BEFORE_THE_CHANGE},
            "do": {"edit": {"session": session_id, "fields": dates}},
        }
    )


def print_requests(simulator: Simulator, session_id: str) -> None:
    """Print the requests to the simulator, and the change of the session, as they come."""
    printed = 0
    modified = simulator.session(session_id)["modifiedAt"]
    while True:
        with contextlib.suppress(TimeoutError):
            simulator.wait_for(lambda one: len(one.requests) > printed, 60)  # noqa: B023
        for request in simulator.requests[printed:]:
            printed += 1
            session = simulator.session(session_id)
            if session["modifiedAt"] != modified:
                modified = session["modifiedAt"]
                say(f"   ... somebody moves the session in 360Learning: it now starts {session['startDate']} ...")
            say(f"   request to 360Learning: {request.method} {request.path} -> {request.status}")


@contextlib.contextmanager
def real_service(version: str) -> Iterator[tuple[dict[str, str], str]]:
    """Yield the connection to the real 360Learning, and the session's ID; somebody has to move the session there."""
    session_id, login, password = (os.environ[name] for name in CREDENTIALS[version])
    host = os.environ.get("LEARNING360_HOST", "https://app.360learning.com")
    say(f"  360Learning   {host}")
    say(f"  to do         move a date of session {session_id} in 360Learning; the demo waits for an hour")
    yield {"host": host, "login": login, "password": password}, session_id


def set_up_airflow(home: str) -> None:
    """Create an Airflow in an empty folder."""
    os.environ.update(
        AIRFLOW_HOME=home,
        AIRFLOW__CORE__DAGS_FOLDER=str(EXAMPLES),
        AIRFLOW__CORE__LOAD_EXAMPLES="False",
        AIRFLOW__LOGGING__LOGGING_LEVEL="ERROR",
        AIRFLOW__DATABASE__SQL_ALCHEMY_CONN=f"sqlite:///{home}/airflow.db",
    )
    warnings.simplefilter("ignore")  # Airflow and its dependencies warn about each other
    from airflow import __version__
    from airflow.utils.db import initdb

    initdb()
    say(f"  Airflow       {__version__}, in a temporary folder")
    say("  DAGs          dags_examples/wait_then_act.py, dags_examples/reminders.py")
    say()
    sys.path.insert(0, str(EXAMPLES))


def run_dag(session_id: str, poke_interval: float) -> Any:
    """Run the DAG that waits, with another time between two polls; return its run."""
    from wait_then_act import wait_then_act

    dag = wait_then_act()
    sensor = dag.get_task("wait_for_change")
    sensor.poke_interval, sensor.timeout = poke_interval, 3600
    return dag.test(run_conf={"session_id": session_id})


def print_results(run: Any) -> bool:
    """Print what each task returned; true if all of them did."""
    sessions, changes = read_xcom(run, "get_session"), read_xcom(run, "wait_for_change", "changes")
    reminders = read_xcom(run, "remind")
    say()
    for session in sessions:
        say(f"  get_session      {session['name'].strip()}: {session['startDate']} to {session['endDate']}")
    for change in changes:
        for field, values in change.items():
            say(f"  wait_for_change  {field}: {values['from']} -> {values['to']}")
    for index, reminder in enumerate(reminders):
        say(f"  remind [{index}]       {reminder}")
    return run.state == "success" and bool(sessions and changes and reminders)


def print_mails(server: MailServer) -> bool:
    """Print the mails that arrived; true if there are any."""
    for mail in server.mails:
        say()
        say(f"  mail to {mail['To']}: {mail['Subject']}")
        body: Any = mail.get_body(("plain",))
        for line in body.get_content().strip().splitlines():
            say(f"    {line}".rstrip())
    return bool(server.mails)


def main() -> int:
    started = time.monotonic()
    version = os.environ.get("API_VERSION") or "v1"
    if version not in CREDENTIALS:
        say(f"API_VERSION is {version!r}. Use v1 or v2.")
        return 1
    is_real = all(os.environ.get(name) for name in CREDENTIALS[version])
    say("360Learning provider for Apache Airflow: wait for a change, then act")
    say()
    with (
        real_service(version) if is_real else simulated_service(version) as (connection, session_id),
        MailServer() as mail_server,
        tempfile.TemporaryDirectory() as home,
    ):
        extra = {"api_version": version}
        os.environ["AIRFLOW_CONN_LEARNING360_DEFAULT"] = json.dumps(
            {"conn_type": "learning360", "extra": extra, **connection}
        )
        os.environ["AIRFLOW_CONN_SMTP_DEFAULT"] = json.dumps(mail_server.connection)
        set_up_airflow(home)
        reminder_dags.plan(session_id)
        run = run_dag(session_id, poke_interval=30 if is_real else 1)
        is_done = print_results(run)
        if not is_real:  # a demo writes no mails about real sessions
            reminder_dags.deliver(reminder_dags.plan(session_id))
            is_done = print_mails(mail_server) and is_done
    say()
    seconds = time.monotonic() - started
    say(f"{'Done' if is_done else 'FAILED'} in {seconds:.1f} s: the DAG run ended with state {run.state}.")
    return 0 if is_done else 1


if __name__ == "__main__":
    sys.exit(main())
