"""On a real Airflow: each recipient gets each mail once, whatever is killed, cleared, planned again or broken."""

from __future__ import annotations

import contextlib
import os
import random
import re
import signal
import threading
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

pytestmark = pytest.mark.slow

# 200 in the run that docs/guarantees.md reports; fewer here, because each takes two starts of a process.
REMINDERS = int(os.environ.get("LEARNING360_REMINDERS", "12"))
RECIPIENTS = 5
SEED = 360
PATIENCE = 120 + 20 * REMINDERS  # seconds until a condition that does not come true fails a test

DAGS = """
from datetime import timedelta
from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator
from airflow.sdk import DAG
from airflow_provider_learning360.operators.reminders import PlanSessionRemindersOperator, SendSessionReminderOperator

POLICY = {policy!r}
COMMON = {{"schedule": None, "catchup": False, "is_paused_upon_creation": False}}

with DAG("plan_{name}", max_active_runs=1, **COMMON) as plan:
    planned = PlanSessionRemindersOperator(
        task_id="plan", policy=POLICY, sessions={sessions!r}, delivery_dag_id={delivery_dag_id!r}
    )
    TriggerDagRunOperator.partial(
        task_id="start", trigger_dag_id="deliver_{name}", skip_when_already_exists=True
    ).expand_kwargs(planned.output)

with DAG("deliver_{name}", **COMMON) as deliver:
    SendSessionReminderOperator(task_id="send", policy=POLICY, retries=3, retry_delay=timedelta(seconds=1))
"""


def policy(name: str) -> dict[str, Any]:
    day = {"days": 1}
    return {
        "name": name,
        "max_lateness": day,
        "rules": [
            {"name": "recorded", "anchor": "startDate", "before": day, "audience": "learners"},
            {"name": "claimed", "anchor": "endDate", "before": day, "audience": "learners", "once": "claim_before"},
            {"name": "moved", "on": "date_changed", "settle": {}, "audience": "learners"},
        ],
    }


def after(**lead: float) -> str:
    return (datetime.now(tz=UTC) + timedelta(**lead)).strftime("%Y-%m-%dT%H:%M:%S.000Z")


def session(number: int, **dates: str) -> dict[str, Any]:
    """Return a session with learners of its own."""
    users = [
        {"_id": f"{number * 100 + one:024x}", "mail": f"s{number}.r{one}@example.com"} for one in range(RECIPIENTS)
    ]
    dates = {"startDate": after(days=60), "endDate": after(days=90), **dates}
    modified = after(days=-1)
    return {"_id": f"ffff{number:020x}", "name": f"Session {number}", "modifiedAt": modified, "users": users, **dates}


class Reminding:
    """The DAGs of one policy, and the mails that they sent."""

    def __init__(self, airflow: Any, smtp: Any, name: str) -> None:
        self.airflow, self.smtp, self.name = airflow, smtp, name
        self.plans = 0

    def plan(self) -> None:
        """Plan, and wait for the end."""
        self.airflow.trigger(f"plan_{self.name}")
        self.plans += 1
        self.airflow.wait_until(lambda: self._succeeded("plan", self.plans), "the plan ends", PATIENCE)

    def until_delivered(self, runs: int) -> None:
        self.airflow.wait_until(lambda: self._succeeded("deliver", runs), f"{runs} reminders are delivered", PATIENCE)
        assert len(self.airflow.runs(f"deliver_{self.name}")) == runs

    def _succeeded(self, what: str, runs: int) -> bool:
        states = [run.state for run in self.airflow.runs(f"{what}_{self.name}")]
        assert "failed" not in states
        return states.count("success") >= runs

    def mails(self) -> list[dict[str, Any]]:
        return [mail for mail in self.smtp.mails if mail["recipients"][0].startswith("s")]


class Killer(threading.Thread):
    """Kills the task of each delivery once, after a random number of its mails."""

    def __init__(self, reminding: Reminding, numbers: range) -> None:
        super().__init__(daemon=True)
        self.reminding = reminding
        generator = random.Random(SEED)
        self.left = {number: generator.randint(1, RECIPIENTS - 1) for number in numbers}
        self.killed: set[int] = set()
        self.done = threading.Event()

    def run(self) -> None:
        while self.left and not self.done.wait(0.02):
            mails = Counter(number_of(mail) for mail in self.reminding.mails())
            for number in [one for one, least in self.left.items() if mails[one] >= least]:
                del self.left[number]
                if self._kill(number):
                    self.killed.add(number)

    def _kill(self, number: int) -> bool:
        airflow = self.reminding.airflow
        ids = airflow.query(
            "select id from task_instance where dag_id = ? and run_id like ?",
            f"deliver_{self.reminding.name}",
            f"%ffff{number:020x}%",
        )
        for process in airflow.task_processes():
            title = command_line(process)
            if any(str(one).replace("-", "") in title.replace("-", "") for (one,) in ids):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(process, signal.SIGKILL)
                    return True
        return False


def command_line(process: int) -> str:
    with contextlib.suppress(OSError), open(f"/proc/{process}/cmdline", "rb") as file:
        return file.read().replace(b"\0", b" ").decode()
    return ""


def number_of(mail: dict[str, Any]) -> int:
    match = re.match(r"s(\d+)\.", mail["recipients"][0])
    assert match
    return int(match[1])


@pytest.fixture
def reminding(airflow: Any, simulator: Any, smtp: Any, request: pytest.FixtureRequest) -> Iterator[Any]:
    """Make DAGs for sessions; they are deleted when the test ends."""
    files = []

    def make(name: str, sessions: list[dict[str, Any]], delivery_dag_id: str | None = None) -> Reminding:
        ids = [simulator.add(one) for one in sessions]
        files.append(f"{name}.py")
        source = DAGS.format(name=name, policy=policy(name), sessions=ids, delivery_dag_id=delivery_dag_id)
        airflow.put_dag(files[-1], source)
        return Reminding(airflow, smtp, name)

    yield make
    for file in files:
        (airflow.dags / file).unlink(missing_ok=True)


def test_each_recipient_has_each_mail_once(airflow: Any, simulator: Any, reminding: Any) -> None:
    half = REMINDERS // 2
    recorded, claimed = range(half), range(half, REMINDERS)
    sessions = [session(number, startDate=after(hours=12)) for number in recorded]
    sessions += [session(number, endDate=after(hours=12)) for number in claimed]
    reminders = reminding("once", sessions)
    killer = Killer(reminders, range(REMINDERS))
    killer.start()
    reminders.plan()
    reminders.until_delivered(REMINDERS)
    killer.done.set()
    killer.join()
    assert killer.killed == set(range(REMINDERS)), "every delivery was killed between two mails"

    sent = Counter(mail["message_id"] for mail in reminders.mails())
    numbers = {mail["message_id"]: number_of(mail) for mail in reminders.mails()}
    repeats = Counter(dict.fromkeys(range(REMINDERS), 0))
    for message_id, times in sent.items():
        repeats[numbers[message_id]] += times - 1
    got = Counter(numbers.values())
    # `record_after`: every recipient has it, and a kill repeats one mail at most.
    assert all(got[number] == RECIPIENTS and repeats[number] <= 1 for number in recorded)
    # `claim_before`: no recipient has it twice, and a kill loses one mail at most.
    assert all(got[number] >= RECIPIENTS - 1 and repeats[number] == 0 for number in claimed)
    print(
        f"{REMINDERS} reminders x {RECIPIENTS}, {len(killer.killed)} killed: {len(reminders.mails())} mails, "
        f"{sum(repeats[one] for one in recorded)} repeated (record_after), "
        f"{sum(RECIPIENTS - got[one] for one in claimed)} lost (claim_before)"
    )

    count = len(reminders.mails())
    reminders.plan()  # a second plan
    airflow.command("tasks", "clear", "deliver_once", "--yes")
    reminders.until_delivered(REMINDERS)
    source = (airflow.dags / "once.py").read_text()
    airflow.put_dag("once.py", "import no_such_module")
    stale = "select 1 from dag where dag_id = 'deliver_once' and is_stale"
    airflow.wait_until(lambda: airflow.query(stale), "the DAG is stale", 300)
    airflow.put_dag("once.py", source)
    reminders.plan()
    airflow.restart("scheduler")
    reminders.plan()
    reminders.until_delivered(REMINDERS)
    assert len(reminders.mails()) == count


def test_reminders_move_with_a_rescheduled_session(airflow: Any, simulator: Any, reminding: Any) -> None:
    delayed, advanced = session(9001, startDate=after(hours=23.5)), session(9002, startDate=after(days=30))
    reminders = reminding("moved", [delayed, advanced], delivery_dag_id="deliver_moved")
    # The first plan stores the dates. Delivery is paused: the due reminder must not be sent before the session moves.
    airflow.until_parsed("deliver_moved")
    airflow.command("dags", "pause", "deliver_moved", "--yes")
    reminders.plan()
    simulator.edit(delayed["_id"], startDate=after(days=30))
    simulator.edit(advanced["_id"], startDate=after(hours=23.5))
    airflow.command("dags", "unpause", "deliver_moved", "--yes")
    reminders.until_delivered(1)
    reminders.plan()
    # One notice for each session, and the reminder of the advanced one.
    reminders.until_delivered(4)
    reminders.plan()
    reminders.until_delivered(4)
    subjects = {
        number: Counter(m["subject"] for m in reminders.mails() if number_of(m) == number) for number in (9001, 9002)
    }
    assert list(subjects[9001].values()) == [RECIPIENTS]
    assert sorted(subjects[9002].values()) == [RECIPIENTS, RECIPIENTS]
