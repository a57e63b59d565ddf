"""The announced dates in Airflow variables: small, written where they changed, and safe from a killed planner."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_learning360.api.models import ProgramSession
from airflow_provider_learning360.memory import variables as memory_variables
from airflow_provider_learning360.reminders import announced_dates
from airflow_provider_learning360.reminders.announced_dates import SHARDS, AnnouncedDatesStore
from airflow_provider_learning360.reminders.planner import plan
from airflow_provider_learning360.reminders.policy import ReminderPolicy

if TYPE_CHECKING:
    from airflow_provider_learning360.reminders.moves import AnnouncedRecord

NOW = datetime(2026, 5, 4, 9, tzinfo=UTC)
QUARTER = timedelta(minutes=15)
POLICY = ReminderPolicy.read({
    "name": "academy",
    "rules": [{"name": "moved", "on": "date_changed", "settle": {"minutes": 10}, "audience": "learners"}],
})  # fmt: skip
SESSIONS = 12


class KilledError(BaseException):
    """The planner was killed."""


class Variables(dict[str, str]):
    """Airflow's variables, which a planner may write some times before it is killed."""

    def __init__(self) -> None:
        self.written: list[str] = []
        self.writes_left = 10**6

    def write(self, name: str, text: str, _: str) -> None:
        if not self.writes_left:
            raise KilledError
        self.writes_left -= 1
        self.written.append(name)
        self[name] = text


@pytest.fixture
def variables(monkeypatch: pytest.MonkeyPatch) -> Variables:
    stored = Variables()
    monkeypatch.setattr(announced_dates, "read_variable", stored.get)
    monkeypatch.setattr(memory_variables, "read_variable", stored.get)
    monkeypatch.setattr(memory_variables, "write_variable", stored.write)
    return stored


def build_sessions(now: datetime, days: int) -> list[ProgramSession]:
    """Return sessions that were modified at a time; each starts some days after `NOW`."""
    return [
        ProgramSession.model_validate({
            "_id": f"{number:024x}",
            "startDate": (NOW + timedelta(days=days, minutes=number)).isoformat(),
            "modifiedAt": now.isoformat(),
        })
        for number in range(SESSIONS)
    ]  # fmt: skip


def sweep(sessions: list[ProgramSession], now: datetime) -> list[str]:
    """Plan once, and return the keys of the notices that are due."""
    store = AnnouncedDatesStore(POLICY, "here")
    planned = plan(sessions, POLICY, now, announced=store.load())
    store.save(planned.announced, ())
    return sorted(one.key for one in planned.due)


def build_record(number: int, *, moved: bool = False) -> AnnouncedRecord:
    dates: Any = {"startDate": f"2026-05-04T09:00:00.{number % 1000:03d}Z", "endDate": "2026-06-04T09:00:00.000Z"}
    time = "2026-05-01T09:00:00.000Z"
    return {"announced": dates, "change": {"from": dates, "to": dates, "at": time, "due": time} if moved else None}


@pytest.mark.parametrize("moved", [False, True])
def test_shards_of_thousands_of_sessions_are_small(variables: Variables, moved: bool) -> None:
    store = AnnouncedDatesStore(POLICY, "here")
    store.save({f"{number:024x}": build_record(number, moved=moved) for number in range(5000)}, ())
    assert len(variables) == SHARDS + 1
    assert max(map(len, variables.values())) < 2**16 * (0.75 if moved else 0.25)


def test_only_changed_shards_are_written(variables: Variables) -> None:
    records = {f"{number:024x}": build_record(number) for number in range(5000)}
    AnnouncedDatesStore(POLICY, "here").save(records, ())
    del variables.written[:]
    store = AnnouncedDatesStore(POLICY, "here")
    assert store.load() == records
    store.save(records, ())
    assert variables.written == []
    changed = f"{7:024x}"
    store.save({**records, changed: build_record(7, moved=True)}, ())
    (name,) = variables.written
    assert changed in json.loads(variables[name])["value"]


def test_few_sessions_take_few_variables(variables: Variables, monkeypatch: pytest.MonkeyPatch) -> None:
    assert sweep(build_sessions(NOW, 30)[:2], NOW) == []
    asked: list[str] = []
    monkeypatch.setattr(memory_variables, "read_variable", lambda name: asked.append(name) or variables.get(name))
    assert len(AnnouncedDatesStore(POLICY, "here").load()) == 2
    assert set(asked) == set(variables)
    assert len(asked) <= 3


def test_variables_name_policy_and_connection(variables: Variables) -> None:
    sweep(build_sessions(NOW, 30), NOW)
    owners = [json.loads(text)["owner"] for text in variables.values()]
    assert all(one == {"policy": "academy", "connection": "here"} for one in owners)


def test_session_without_a_usual_id_has_a_shard(variables: Variables) -> None:
    records = {name: build_record(1) for name in ("", "not hexadecimal", "\ud800", "60B8D2956E20AE1A0F8E44F1")}
    AnnouncedDatesStore(POLICY, "here").save(records, ())
    assert AnnouncedDatesStore(POLICY, "here").load() == records


@pytest.mark.parametrize("is_upgrade", [False, True])
@pytest.mark.parametrize("writes", range(SESSIONS + 1))
def test_killed_planner_loses_no_notice_and_adds_none(variables: Variables, writes: int, is_upgrade: bool) -> None:
    """The sweep that finds the moved dates is killed after some writes; another one follows."""
    store = AnnouncedDatesStore(POLICY, "here")
    first = plan(build_sessions(NOW, 30), POLICY, NOW).announced
    if is_upgrade:
        variables[store.earlier_names[0]] = json.dumps(first)
    else:
        store.save(first, ())
    moved, now = build_sessions(NOW, 40), NOW + QUARTER
    expected = sorted(one.key for one in plan(moved, POLICY, now, announced=first).due)
    assert len(expected) == SESSIONS

    variables.writes_left = writes
    try:
        keys = sweep(moved, now)
    except KilledError:
        keys = []  # nothing is triggered before all is stored
    variables.writes_left = 10**6
    assert sweep(moved, now + QUARTER) == expected
    assert keys in ([], expected)
    # The same keys, which Airflow's database refuses, and in the end none.
    assert set(sweep(moved, now + 2 * QUARTER)) <= set(expected)
    assert sweep(moved, now + timedelta(days=30)) == []


@pytest.mark.parametrize("writes", range(SESSIONS + 1))
def test_killed_first_sweep_announces_nothing(variables: Variables, writes: int) -> None:
    variables.writes_left = writes
    sessions = build_sessions(NOW, 30)
    try:
        sweep(sessions, NOW)
    except KilledError:
        variables.writes_left = 10**6
    assert sweep(sessions, NOW + QUARTER) == []
    moved = build_sessions(NOW + QUARTER, 40)
    assert len(sweep(moved, NOW + 2 * QUARTER)) == SESSIONS
