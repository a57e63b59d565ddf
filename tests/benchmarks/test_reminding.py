"""Mails per second through the ledger of a real Airflow, with one connection to the mail server and with several."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_learning360.reminders import DEFAULT_CONNECTIONS
from airflow_provider_learning360.reminders.reminder import DeliveryGuarantee
from real_airflow import Airflow
from simulator_process import SimulatorProcess
from smtp_server import SmtpServerProcess

LEARNERS = 1_500
FEW = 150  # for one connection, which is slow
KINDS: tuple[DeliveryGuarantee, ...] = ("at_least_once", "at_most_once")

DAGS = """
from airflow.sdk import DAG
from airflow_provider_learning360.operators.reminders import PlanSessionRemindersOperator, SendSessionReminderOperator
from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator

for delivery in ("at_least_once", "at_most_once"):
    for connections, session_id in {sessions!r}:
        name = f"{{delivery}}_{{connections}}"
        rule = {{"name": "day", "anchor": "startDate", "before": {{"days": 1}}, "audience": "learners"}}
        policy = {{"name": f"p{{name.replace('_', '')}}", "max_lateness": {{"days": 1}}}}
        policy["rules"] = [{{**rule, "delivery": delivery}}]
        with DAG(f"plan_{{name}}", schedule=None, is_paused_upon_creation=False) as plan:
            planned = PlanSessionRemindersOperator(task_id="plan", policy=policy, sessions=[session_id])
            TriggerDagRunOperator.partial(task_id="start", trigger_dag_id=f"deliver_{{name}}").expand_kwargs(
                planned.output
            )
        globals()[f"plan_{{name}}"] = plan
        with DAG(f"deliver_{{name}}", schedule=None, is_paused_upon_creation=False) as deliver:
            SendSessionReminderOperator(task_id="send", policy=policy, connections=connections)
        globals()[f"deliver_{{name}}"] = deliver
"""


def build_session(number: int, learners: int) -> dict[str, Any]:
    """Return a session that starts in half a day."""
    now = datetime.now(tz=UTC)
    start, end = (f"{now + timedelta(days=days):%Y-%m-%dT%H:%M:%S}.000Z" for days in (0.5, 60))
    users = [{"_id": f"{one:024x}", "mail": f"s{number}.r{one}@example.com"} for one in range(learners)]
    return {
        "_id": f"ffff{number:020x}",
        "name": f"Session {number}",
        "programTemplate": f"eeee{number:020x}",
        "modifiedAt": f"{now:%Y-%m-%dT%H:%M:%S}.000Z",
        "users": users,
        "startDate": start,
        "endDate": end,
    }


def test_reminding(benchmark: Any, measuring: bool, figure: Callable[..., None], tmp_path: Path) -> None:
    if not measuring:
        pytest.skip("it starts a whole Airflow")
    benchmark.pedantic(lambda: None, rounds=1)  # the rates below are counted at the mail server
    others = [int(one) for one in os.environ.get("LEARNING360_CONNECTIONS", str(DEFAULT_CONNECTIONS)).split(",")]
    sizes = {1: FEW, **dict.fromkeys(others, LEARNERS)}
    with SimulatorProcess(sessions=1, learners=1) as simulator, SmtpServerProcess(tmp_path / "mails") as smtp:
        sessions = [(one, simulator.add(build_session(one, count))) for one, count in sizes.items()]
        dags = tmp_path / "dags"
        dags.mkdir()
        (dags / "reminding.py").write_text(DAGS.format(sessions=sessions))
        extra = {**smtp.connection["extra"], "from_email": "academy@example.com"}
        connections = {"learning360_default": simulator.connection, "smtp_default": {**smtp.connection, "extra": extra}}
        (tmp_path / "airflow").mkdir()
        with Airflow.running(tmp_path / "airflow", connections, dags, {}) as airflow:
            for kind in KINDS:
                for number, count in sizes.items():
                    rate = measure(airflow, smtp, f"{kind}_{number}", count)
                    bar = "> 200" if number == DEFAULT_CONNECTIONS else ""
                    figure(f"{kind}: mails a second, {number} connections, real ledger", f"{rate:.0f}", bar)


def measure(airflow: Airflow, smtp: SmtpServerProcess, name: str, count: int) -> float:
    """Return the mails per second of one delivery."""
    before = len(smtp.mails)
    airflow.trigger(f"plan_{name}")
    airflow.wait_until(lambda: len(smtp.mails) == before + count, f"{name} is delivered")
    airflow.wait_until(
        lambda: [one.state for one in airflow.runs(f"deliver_{name}")] == ["success"], f"{name} has ended"
    )
    times = [one["at"] for one in smtp.mails[before:]]
    return (count - 1) / (max(times) - min(times))
