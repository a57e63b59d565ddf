"""On a real Airflow: whatever is killed, cleared, planned again or broken, each recipient has each mail once."""

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

# 200 in the run that docs/guarantees.md reports; fewer here, since each takes two starts of a process.
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
    """A session with learners that no other one has."""
    users = [
        {"_id": f"{number * 100 + one:024x}", "mail": f"s{number}.r{one}@example.com"} for one in range(RECIPIENTS)
    ]
    dates = {"startDate": after(days=60), "endDate": after(days=90), **dates}
    modified = after(days=-1)
    return {"_id": f"ffff{number:020x}", "name": f"Session {number}", "modifiedAt": modified, "users": users, **dates}


class Reminding:
    """The DAGs of one policy, and what becomes of its reminders."""

    def __init__(self, airflow: Any, smtp: Any, name: str) -> None:
        self.airflow, self.smtp, self.name = airflow, smtp, name
        self.plans = 0

    def plan(self) -> None:
        """Plan, and wait until that is done."""
        self.airflow.trigger(f"plan_{self.name}")
        self.plans += 1
        self.airflow.wait_until(lambda: self._ended("plan", self.plans), "the plan has been made", PATIENCE)

    def until_delivered(self, runs: int) -> None:
        self.airflow.wait_until(lambda: self._ended("deliver", runs), f"{runs} reminders are delivered", PATIENCE)
        assert len(self.airflow.runs(f"deliver_{self.name}")) == runs

    def _ended(self, what: str, runs: int) -> bool:
        states = [run.state for run in self.airflow.runs(f"{what}_{self.name}")]
        assert "failed" not in states
        return states.count("success") >= runs

    def mails(self) -> list[dict[str, Any]]:
        return [mail for mail in self.smtp.mails if mail["recipients"][0].startswith("s")]


class Assassin(threading.Thread):
    """Kills the task of each delivery once, after a random number of its mails."""

    def __init__(self, reminding: Reminding, numbers: range) -> None:
        super().__init__(daemon=True)
        self.reminding = reminding
        chance = random.Random(SEED)
        self.left = {number: chance.randint(1, RECIPIENTS - 1) for number in numbers}
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
    """Make DAGs for sessions, for as long as the test takes."""
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
    it = reminding("once", sessions)
    assassin = Assassin(it, range(REMINDERS))
    assassin.start()
    it.plan()
    it.until_delivered(REMINDERS)
    assassin.done.set()
    assassin.join()
    assert assassin.killed == set(range(REMINDERS)), "every delivery was killed in the middle"

    sent = Counter(mail["message_id"] for mail in it.mails())
    numbers = {mail["message_id"]: number_of(mail) for mail in it.mails()}
    repeats = Counter(dict.fromkeys(range(REMINDERS), 0))
    for message_id, times in sent.items():
        repeats[numbers[message_id]] += times - 1
    got = Counter(numbers.values())
    # Recorded after: everybody has it, and a kill repeats one mail at most.
    assert all(got[number] == RECIPIENTS and repeats[number] <= 1 for number in recorded)
    # Claimed before: nobody has it twice, and a kill loses one mail at most.
    assert all(got[number] >= RECIPIENTS - 1 and repeats[number] == 0 for number in claimed)
    print(
        f"{REMINDERS} reminders x {RECIPIENTS}, {len(assassin.killed)} killed: {len(it.mails())} mails, "
        f"{sum(repeats[one] for one in recorded)} repeated (record_after), "
        f"{sum(RECIPIENTS - got[one] for one in claimed)} lost (claim_before)"
    )

    count = len(it.mails())
    it.plan()  # a second plan
    airflow.command("tasks", "clear", "deliver_once", "--yes")
    it.until_delivered(REMINDERS)
    source = (airflow.dags / "once.py").read_text()
    airflow.put_dag("once.py", "import no_such_module")
    stale = "select 1 from dag where dag_id = 'deliver_once' and is_stale"
    airflow.wait_until(lambda: airflow.query(stale), "Airflow has given the DAG up", 300)
    airflow.put_dag("once.py", source)
    it.plan()
    airflow.restart("scheduler")
    it.plan()
    it.until_delivered(REMINDERS)
    assert len(it.mails()) == count


def test_a_session_that_moves_takes_its_reminder_along(airflow: Any, simulator: Any, reminding: Any) -> None:
    leaving, coming = session(9001, startDate=after(hours=23.5)), session(9002, startDate=after(days=30))
    it = reminding("moved", [leaving, coming], delivery_dag_id="deliver_moved")
    # Dates that are known, and not announced as changed; what is due of the first is not delivered before it moves.
    airflow.until_parsed("deliver_moved")
    airflow.command("dags", "pause", "deliver_moved", "--yes")
    it.plan()
    simulator.edit(leaving["_id"], startDate=after(days=30))
    simulator.edit(coming["_id"], startDate=after(hours=23.5))
    airflow.command("dags", "unpause", "deliver_moved", "--yes")
    it.until_delivered(1)
    it.plan()
    # One notice for each, and the reminder of the session that came near.
    it.until_delivered(4)
    it.plan()
    it.until_delivered(4)
    subjects = {number: Counter(m["subject"] for m in it.mails() if number_of(m) == number) for number in (9001, 9002)}
    assert list(subjects[9001].values()) == [RECIPIENTS]
    assert sorted(subjects[9002].values()) == [RECIPIENTS, RECIPIENTS]
