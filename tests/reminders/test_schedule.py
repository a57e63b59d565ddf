"""Durations and schedules: the arithmetic that policies and sensors share."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from airflow_provider_learning360.api.errors import FixArgumentError
from airflow_provider_learning360.api.models import ProgramSession
from airflow_provider_learning360.reminders.calendar import Calendar
from airflow_provider_learning360.reminders.dates import EARLIEST, LATEST
from airflow_provider_learning360.reminders.duration import Duration
from airflow_provider_learning360.reminders.policy import ReminderPolicy
from airflow_provider_learning360.reminders.schedule import Schedule, SessionSchedule

# Clocks in Paris went forward on 29 March 2026 at 02:00.
DATE = datetime(2026, 3, 29, 8, tzinfo=UTC)


def build_session(**dates: Any) -> ProgramSession:
    return ProgramSession.model_validate({"_id": "0" * 24, **dates})


@pytest.mark.parametrize(
    ("given", "fields"),
    [
        (timedelta(days=1), {"days": 1, "hours": 0, "minutes": 0}),
        (timedelta(hours=26, minutes=5), {"days": 1, "hours": 2, "minutes": 5}),
        (timedelta(), {"days": 0, "hours": 0, "minutes": 0}),
        ({"days": 1}, {"days": 1}),
    ],
)
def test_policy_takes_a_timedelta_for_a_duration(given: Any, fields: Any) -> None:
    assert Duration.model_validate(given) == Duration(**fields)


@pytest.mark.parametrize("given", [timedelta(seconds=1), timedelta(microseconds=1), timedelta(days=-1)])
def test_timedelta_needs_whole_minutes(given: timedelta) -> None:
    with pytest.raises(ValueError, match="0 or more, in whole minutes"):
        Duration.model_validate(given)


@pytest.mark.parametrize(
    ("arguments", "due"),
    [
        ({"before": {"days": 1}}, datetime(2026, 3, 28, 9, tzinfo=UTC)),
        ({"before": {"hours": 24}}, datetime(2026, 3, 28, 8, tzinfo=UTC)),
        ({"before": {"days": 1, "hours": 2}}, datetime(2026, 3, 28, 7, tzinfo=UTC)),
        ({"after": {"days": 1}}, datetime(2026, 3, 30, 8, tzinfo=UTC)),
        ({"after": timedelta(hours=2)}, datetime(2026, 3, 29, 10, tzinfo=UTC)),
        ({}, DATE),
        ({"before": {}, "after": {}}, DATE),
    ],
)
def test_policy_and_sensor_share_the_arithmetic(arguments: dict[str, Any], due: datetime) -> None:
    sensor = SessionSchedule.read(
        "startDate", arguments.get("before"), arguments.get("after"), time_zone="Europe/Paris"
    )
    assert sensor.find_due(build_session(startDate=DATE)) == due
    offset = {name: value for name, value in arguments.items() if value} or {"after": {}}
    rule = {"name": "x", "anchor": "startDate", **offset, "audience": "tutors", "template": "own"}
    policy = ReminderPolicy.read({"name": "x", "time_zone": "Europe/Paris", "rules": [rule]})
    assert Calendar(policy).find_due(policy.rules[0].schedule, DATE) == due


def test_repetitions_are_counted_from_the_first() -> None:
    schedule = Schedule(anchor="endDate", after=Duration(days=1), every=Duration(hours=12))
    moments = [schedule.apply(DATE, ZoneInfo("Europe/Paris"), number) - DATE for number in range(3)]
    assert moments == [timedelta(days=1), timedelta(days=1, hours=12), timedelta(days=2)]


def test_date_that_is_not_set_has_no_time() -> None:
    schedule = SessionSchedule.read("endDate", {"days": 1}, None, "UTC")
    assert schedule.find_due(build_session(startDate=DATE)) is None


def test_open_end_is_due_at_the_end_of_the_calendar() -> None:
    before, after = (
        SessionSchedule.read("endDate", one, other, "UTC") for one, other in (({"days": 1}, None), (None, {"days": 1}))
    )
    assert before.find_due(build_session(endDate=EARLIEST)) == EARLIEST
    assert after.find_due(build_session(endDate=LATEST)) == LATEST


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (("start", None, None, "UTC"), "anchor: 'start' is not one of startDate, endDate"),
        (("dueDate", None, None, "UTC"), "anchor: 'dueDate': each learner has a due date of their own"),
        (("startDate", "1 day", None, "UTC"), "before: '1 day' is not a duration; write {days: 1}"),
        (("startDate", None, {"day": 1}, "UTC"), "after.day: there is no such field"),
        (("startDate", {"minutes": 0}, None, "UTC"), "before: must be longer than 0"),
        (("startDate", None, None, "Europe/Pari"), "time_zone: 'Europe/Pari': it is not an IANA time zone"),
    ],
)
def test_invalid_arguments_name_the_field(arguments: Any, error: str) -> None:
    with pytest.raises(FixArgumentError) as caught:
        SessionSchedule.read(*arguments)
    assert str(caught.value).startswith(error)
