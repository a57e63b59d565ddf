"""Reminders on a real Airflow of this version: a killed delivery repeats or loses one mail for each connection."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

import real_airflow
from real_airflow import Airflow, command_line
from smtp_server import Behaviour, SmtpServerProcess

AIRFLOW = tuple(int(part) for part in version("apache-airflow").split(".")[:2])
SERVICES = ("api-server", "scheduler", "dag-processor") if AIRFLOW >= (3, 0) else ("scheduler",)
TASK = re.compile(rb"airflow worker -- [0-9a-f]{8}-" if AIRFLOW >= (3, 0) else rb"airflow task runner: deliver send ")
RECIPIENTS, CONNECTIONS = 60, 4
KILLED_AFTER = 25  # mails, so that each connection is at work
PATIENCE = 240  # seconds

DAGS = """
from datetime import datetime, timedelta, timezone
from airflow.providers.common.compat.sdk import DAG
from airflow_provider_learning360.operators.reminders import PlanSessionRemindersOperator, SendSessionReminderOperator
try:
    from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator
except ImportError:
    from airflow.operators.trigger_dagrun import TriggerDagRunOperator

DAY = {{"days": 1}}
RULES = [
    {{"name": "recorded", "anchor": "startDate", "before": DAY, "audience": "learners"}},
    {{"name": "claimed", "anchor": "endDate", "before": DAY, "audience": "learners", "delivery": "at_most_once"}},
]
POLICY = {{"name": "compat", "max_lateness": DAY, "rules": RULES}}
COMMON = {{
    "schedule": None, "start_date": datetime(2026, 1, 1, tzinfo=timezone.utc), "is_paused_upon_creation": False
}}

with DAG("plan", max_active_runs=1, **COMMON) as plan:
    planned = PlanSessionRemindersOperator(
        task_id="plan", policy=POLICY, sessions={sessions!r}, delivery_dag_id={delivery_dag_id!r}
    )
    TriggerDagRunOperator.partial(
        task_id="start", trigger_dag_id="deliver", skip_when_already_exists=True
    ).expand_kwargs(planned.output)

with DAG("deliver", **COMMON) as deliver:
    SendSessionReminderOperator(
        task_id="send", policy=POLICY, connections={connections}, retries=3, retry_delay=timedelta(seconds=1)
    )
"""


def after(**lead: float) -> str:
    return (datetime.now(tz=UTC) + timedelta(**lead)).strftime("%Y-%m-%dT%H:%M:%S.000Z")


def add_session(simulator: Any, name: str, **dates: str) -> str:
    """Add a session with learners of its own."""
    session_id = simulator.session_ids[len(name) % 2]
    users = [{"_id": f"{one:024x}", "mail": f"{name}.r{one}@example.com"} for one in range(RECIPIENTS)]
    dates = {"startDate": after(days=60), "endDate": after(days=90), **dates}
    simulator.edit(session_id, users=users, groups=[], modifiedAt=after(days=-1), **dates)
    return str(session_id)


class Reminding:
    """An Airflow with two DAGs, and its mail server."""

    def __init__(self, airflow: Airflow, smtp: SmtpServerProcess) -> None:
        self.airflow, self.smtp = airflow, smtp
        self.plans = 0

    def plan(self) -> None:
        """Plan, and wait for the end of the plan."""
        self.plans += 1
        self.until(lambda: self._trigger(f"plan-{self.plans}"), "Airflow knows the DAG")
        self.until(lambda: self.has_ended("plan", self.plans), "the plan has been made")

    def _trigger(self, run_id: str) -> bool:
        with contextlib.suppress(AssertionError):  # not parsed yet
            self.airflow.command("dags", "trigger", "plan", "--run-id", run_id)
            return True
        return False

    def has_ended(self, dag_id: str, runs: int) -> bool:
        states = [run.state for run in self.airflow.runs(dag_id)]
        assert "failed" not in states, self.airflow.logs()
        return states.count("success") >= runs

    def mails(self, name: str) -> Counter[str]:
        """How often each mail of a reminder was accepted, by recipient."""
        found = [mail["recipients"][0] for mail in self.smtp.mails]
        return Counter(one for one in found if one.startswith(name))

    def kill_next_delivery(self, names: set[str]) -> str:
        """Kill the process of the task that sends one of some reminders, in the middle; return which."""

        def find() -> list[str]:
            return [one for one in names if self.mails(one).total() >= KILLED_AFTER]

        self.until(find, f"one of {names} is being delivered", pause=0.005)
        (name,) = find()
        killed = [one for one in self.airflow.processes("scheduler") if TASK.match(command_line(one))]
        for process in killed:
            os.kill(process, signal.SIGKILL)
        assert len(killed) == 1
        assert self.mails(name).total() < RECIPIENTS, "it ended before it was killed"
        return name

    def until(self, condition: Any, what: str, pause: float = 0.5) -> None:
        deadline = time.monotonic() + PATIENCE
        while not condition():
            if time.monotonic() > deadline:
                raise TimeoutError(f"{what}: no\n{self.airflow.logs()}")
            time.sleep(pause)


@pytest.fixture
def reminding(learning360_simulator: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Reminding]:
    sessions = [
        add_session(learning360_simulator, "recorded", startDate=after(hours=12)),
        add_session(learning360_simulator, "claimed", endDate=after(hours=12)),
    ]
    dags = tmp_path / "dags"
    dags.mkdir()
    source = DAGS.format(sessions=sessions, delivery_dag_id="deliver", connections=CONNECTIONS)
    (dags / "remind.py").write_text(source)
    simulator = learning360_simulator
    learning = {
        "conn_type": "learning360",
        "host": simulator.url,
        "login": simulator.company_id,
        "password": simulator.api_key,
        "extra": {"requests_per_second": 100},
    }
    monkeypatch.setattr(real_airflow, "PATIENCE", PATIENCE)
    monkeypatch.delenv("AIRFLOW__CORE__DAGS_FOLDER", raising=False)
    one_at_a_time = {"AIRFLOW__CORE__PARALLELISM": "1", "AIRFLOW__SCHEDULER__DAG_DIR_LIST_INTERVAL": "2"}
    with SmtpServerProcess(tmp_path / "mails", Behaviour(delay=0.05)) as smtp:
        extra = {**smtp.connection["extra"], "from_email": "academy@example.com"}
        connections = {"learning360_default": learning, "smtp_default": {**smtp.connection, "extra": extra}}
        airflow = Airflow(tmp_path / "airflow", connections, dags, one_at_a_time)
        airflow.command("db", "migrate")
        try:
            for service in SERVICES:
                airflow.start(service)
            yield Reminding(airflow, smtp)
        finally:
            airflow.end()


def test_killed_deliveries_keep_their_promises(reminding: Reminding) -> None:
    names = ("recorded", "claimed")
    reminding.plan()
    first = reminding.kill_next_delivery({*names})
    reminding.kill_next_delivery({*names} - {first})
    reminding.until(lambda: reminding.has_ended("deliver", 2), "both are delivered")

    recorded, claimed = map(reminding.mails, names)
    assert len(recorded) == RECIPIENTS, "a mail was lost"
    assert recorded.total() - RECIPIENTS <= CONNECTIONS
    assert claimed.total() == len(claimed), "a mail was doubled"
    assert RECIPIENTS - len(claimed) <= CONNECTIONS
    print(
        f"Airflow {version('apache-airflow')}: {recorded.total() - RECIPIENTS} repeated (at_least_once), "
        f"{RECIPIENTS - len(claimed)} lost (at_most_once), {CONNECTIONS} connections, each delivery killed once"
    )

    count = len(reminding.smtp.mails)
    reminding.airflow.command("tasks", "clear", "deliver", "--yes")
    reminding.until(lambda: reminding.has_ended("deliver", 2), "both have run again")
    reminding.plan()
    assert len(reminding.airflow.runs("deliver")) == 2
    assert len(reminding.smtp.mails) == count
