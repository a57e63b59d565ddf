"""The planner, compared with a slow and simple reading of the same rules, in many zones and courses of events."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_learning360.api.errors import FixArgumentError
from airflow_provider_learning360.api.models import ProgramSession, SessionStatistics, format_date
from airflow_provider_learning360.reminders.candidates import CandidateFilter, PreviewFilter, StoredSessions
from airflow_provider_learning360.reminders.compose import find_changed_dates, find_template
from airflow_provider_learning360.reminders.duration import Duration
from airflow_provider_learning360.reminders.outcomes import SessionOutcomes
from airflow_provider_learning360.reminders.planner import DueReminder, Plan, plan
from airflow_provider_learning360.reminders.policy import DAYS, ReminderPolicy, ReminderRule
from airflow_provider_learning360.reminders.reminder import MAX_KEY_LENGTH, format_compact_text
from airflow_provider_learning360.reminders.validity import find_cancel_reason

ID = "60b8d2956e20ae1a0f8e44f1"
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
STEADY = ["UTC", "Asia/Kolkata", "Pacific/Kiritimati", "Pacific/Pago_Pago", "Asia/Tokyo"]
# Clocks that change by an hour, by half an hour, at midnight, in the southern hemisphere.
CHANGING = ["Europe/Paris", "America/New_York", "Australia/Lord_Howe", "America/Santiago", "Pacific/Chatham"]


def session(**fields: Any) -> ProgramSession:
    moments = {key: format_date(value) if isinstance(value, datetime) else value for key, value in fields.items()}
    return ProgramSession.model_validate({"_id": ID, **moments})


def build_policy(*rules: dict[str, Any], **fields: Any) -> ReminderPolicy:
    complete = [{"name": f"rule{place}", "audience": "learners", **rule} for place, rule in enumerate(rules)]
    for rule in complete:
        if rule.get("anchor") == "startDate" and "after" in rule:
            rule.setdefault("template", "own")  # there is no built-in template for that
    return ReminderPolicy.read({"name": "test", "rules": complete, **fields})


def due(found: Plan) -> list[str]:
    return [one.rule for one in found.due]


def reasons(found: Plan) -> dict[str, str]:
    return {one.rule: one.reason for one in found.skipped}


def at(text: str, zone: str = "UTC") -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)


# A slow and simple reading of the rules, to compare with.


def find_instants(wall: datetime, zone: ZoneInfo) -> list[datetime]:
    """Return all instants at which the clock shows a time; if it never does, those that the offsets around it give."""
    offsets = {(wall + hours * HOUR).replace(tzinfo=UTC).astimezone(zone).utcoffset() for hours in range(-40, 41, 8)}
    candidates = [(wall - (offset or timedelta())).replace(tzinfo=UTC) for offset in offsets]
    shown = [one for one in candidates if one.astimezone(zone).replace(tzinfo=None) == wall]
    return shown or candidates


def reference_due(policy: ReminderPolicy, rule: ReminderRule, anchor: datetime, number: int) -> datetime:
    zone, before = ZoneInfo(policy.time_zone), rule.before is not None
    every = rule.every or Duration()
    days = rule.schedule.distance.days + number * every.days
    elapsed = HOUR * (rule.schedule.distance.hours + number * every.hours) + MINUTE * (
        rule.schedule.distance.minutes + number * every.minutes
    )
    sign, away = (-1, min) if before else (1, max)
    moment = anchor
    if days:
        moment = away(find_instants(anchor.astimezone(zone).replace(tzinfo=None) + sign * days * DAY, zone))
    moment += sign * elapsed
    wanted = policy.shift or ("earlier" if before else "later")
    shifted = reference_shift(policy, moment, wanted)
    if before and shifted >= anchor:
        return reference_shift(policy, moment, "earlier")
    return reference_shift(policy, moment, "later") if not before and shifted < anchor else shifted


def reference_shift(policy: ReminderPolicy, moment: datetime, direction: str) -> datetime:
    zone = ZoneInfo(policy.time_zone)
    wall = start = moment.astimezone(zone).replace(tzinfo=None)
    step = 1 if direction == "later" else -1
    if policy.quiet_hours and is_quiet(policy, wall.time()):
        wall = wall.replace(second=0, microsecond=0)
        while is_quiet(policy, wall.time()):
            wall += step * MINUTE
        if direction == "earlier":
            wall += MINUTE - 15 * MINUTE
    while DAYS[wall.weekday()] not in policy.working_days:
        wall += step * DAY
    if wall == start:
        return moment
    return (max if direction == "later" else min)(find_instants(wall, zone))


def is_quiet(policy: ReminderPolicy, moment: time) -> bool:
    quiet = policy.quiet_hours
    assert quiet
    if quiet.start < quiet.end:
        return quiet.start <= moment < quiet.end
    return not quiet.end <= moment < quiet.start


def reference_rules(
    policy: ReminderPolicy, current: ProgramSession, now: datetime, times_of: dict[Any, list[datetime]]
) -> dict[str, int]:
    """Return the rules that are due, each with the number of its repetition."""
    expected = {}
    for rule in policy.rules:
        anchor = current.start_date if rule.anchor == "startDate" else current.end_date
        assert anchor
        if (rule.name, anchor) not in times_of:  # slow as it is
            numbers = range(rule.at_most or 1)
            times_of[rule.name, anchor] = [reference_due(policy, rule, anchor, number) for number in numbers]
        times = times_of[rule.name, anchor]
        begun = [number for number, moment in enumerate(times) if moment <= now]
        before = None if rule.before is None else anchor
        if begun and reference_goes_out(policy, times[begun[-1]], now, before):
            expected[rule.name] = begun[-1]
    return expected


def reference_goes_out(policy: ReminderPolicy, due: datetime, now: datetime, before: datetime | None) -> bool:
    """Whether a due reminder goes out now: not in quiet hours, if it can wait for their end."""
    last = due + policy.max_lateness.total
    if now > last or (before is not None and now >= before):
        return False
    open_at = reference_open(policy, now)
    can_wait = open_at <= last and (before is None or open_at < before)
    sends = policy.quiet_hours is not None and policy.quiet_hours.when_late == "send"
    return open_at == now or (not can_wait and sends)


def reference_open(policy: ReminderPolicy, moment: datetime) -> datetime:
    """Return the first minute from a moment on that is neither quiet nor on a day off."""

    def is_closed(wall: datetime) -> bool:
        quiet = policy.quiet_hours is not None and is_quiet(policy, wall.time())
        return quiet or DAYS[wall.weekday()] not in policy.working_days

    zone = ZoneInfo(policy.time_zone)
    wall = moment.astimezone(zone).replace(tzinfo=None)
    if not is_closed(wall):
        return moment
    wall = wall.replace(second=0, microsecond=0)
    while is_closed(wall):
        wall += MINUTE
    return max(find_instants(wall, zone))


DURATIONS = st.fixed_dictionaries(
    {}, optional={"days": st.integers(0, 4), "hours": st.integers(0, 30), "minutes": st.integers(0, 90)}
)
LONGER = DURATIONS.filter(lambda one: any(one.values()))
BEFORE = st.fixed_dictionaries({"before": LONGER})
AFTER = st.fixed_dictionaries({"after": DURATIONS})
REPEATED = st.fixed_dictionaries({"after": DURATIONS, "every": LONGER, "at_most": st.integers(1, 6)})
RULE = st.builds(
    lambda time_of_it, anchor, audience: {**time_of_it, "anchor": anchor, "audience": audience},
    BEFORE | AFTER | REPEATED,
    st.sampled_from(["startDate", "endDate"]),
    st.lists(st.sampled_from(["learners", "not_completed", "tutors"]), min_size=1, unique=True),
)
TIMES = st.times().map(lambda one: f"{one:%H:%M}")
QUIET = st.none() | st.builds(
    lambda hours, when_late: {**hours, "when_late": when_late},
    st.sampled_from(
        [{"from": "20:00", "to": "08:00"}, {"from": "00:10", "to": "07:30"}, {"from": "12:00", "to": "13:59"}]
    ),
    st.sampled_from(["skip", "send"]),
)
FIELDS = st.fixed_dictionaries(
    {},
    optional={
        "quiet_hours": QUIET,
        "working_days": st.lists(st.sampled_from(DAYS), min_size=1, unique=True),
        "shift": st.sampled_from([None, "earlier", "later"]),
        "max_lateness": st.sampled_from([{"minutes": 30}, {"hours": 6}, {"days": 3}]),
    },
)


def policies(zones: list[str] = STEADY + CHANGING, several: str = "all") -> st.SearchStrategy[ReminderPolicy]:
    return st.builds(
        lambda rules, fields, zone: build_policy(*rules, **fields, time_zone=zone, when_several_are_due=several),
        st.lists(RULE, min_size=1, max_size=4),
        FIELDS,
        st.sampled_from(zones),
    )


# Around the changes of clocks in both hemispheres, to the second.
MOMENTS = st.builds(
    lambda day, seconds: datetime.combine(day, time(), UTC) + timedelta(seconds=seconds),
    st.sampled_from([date(2026, 3, 8), date(2026, 3, 29), date(2026, 4, 5), date(2026, 9, 6), date(2026, 10, 25)]),
    st.integers(-2 * 86400, 3 * 86400) | st.integers(-48, 72).map(lambda hours: hours * 3600),
)


@st.composite
def courses(draw: st.DrawFn) -> tuple[ReminderPolicy, list[tuple[datetime, ProgramSession]]]:
    """A policy, and sweeps in order, each with the session as it was then: rescheduled back and forth."""
    policy = draw(policies())
    start = draw(MOMENTS)
    other = start + draw(st.integers(-5 * 24 * 60, 5 * 24 * 60).filter(bool)) * MINUTE
    offsets = draw(st.lists(st.integers(-8 * 24 * 12, 12 * 24 * 12), min_size=1, max_size=8, unique=True))
    sweeps = []
    for offset in sorted(offsets):
        begin = draw(st.sampled_from([start, other]))
        current = session(startDate=begin, endDate=begin + 2 * DAY)
        sweeps.append((start + offset * 5 * MINUTE, current))
        for rule in policy.rules if draw(st.booleans()) else ():
            # Random times rarely fall into a window of a quarter of an hour.
            anchor = current.start_date if rule.anchor == "startDate" else current.end_date
            assert anchor
            moment = reference_due(policy, rule, anchor, draw(st.integers(0, (rule.at_most or 1) - 1)))
            edge = draw(st.sampled_from([timedelta(), policy.max_lateness.total]))
            sweeps.append((moment + edge + draw(st.sampled_from([-1, 0, 1])) * timedelta(seconds=1), current))
    return policy, sweeps


@settings(max_examples=150, deadline=None)
@given(courses())
def test_sweep_plans_exactly_what_is_due(
    course: tuple[ReminderPolicy, list[tuple[datetime, ProgramSession]]],
) -> None:
    policy, sweeps = course
    seen: dict[str, DueReminder] = {}
    times_of: dict[Any, list[datetime]] = {}
    for now, current in sweeps:
        found = plan([current], policy, now)
        assert {one.rule: one.occurrence or 0 for one in found.due} == reference_rules(policy, current, now, times_of)
        assert [*due(found), *reasons(found)] == [*dict.fromkeys([*due(found), *reasons(found)])]
        assert {*due(found), *reasons(found)} == {rule.name for rule in policy.rules}
        for one in found.due:
            anchor = current.start_date if one.anchor == "startDate" else current.end_date
            assert anchor
            assert one.anchor_at == format_date(anchor)
            assert one.due <= now <= one.due + policy.max_lateness.total
            assert now < anchor if policy.find_rule(one.rule).before else one.due >= anchor
            assert seen.setdefault(one.key, one) == one
        for skipped in found.skipped:
            # A reminder announced for later is due then.
            assert skipped.due is None or skipped.rule in due(plan([current], policy, skipped.due))


@settings(max_examples=150, deadline=None)
@given(policies(STEADY), MOMENTS)
def test_reminder_never_becomes_due_in_quiet_hours_or_on_days_off(policy: ReminderPolicy, start: datetime) -> None:
    current = session(startDate=start, endDate=start + 2 * DAY)
    for skipped in plan([current], policy, start - 30 * DAY).skipped:
        assert skipped.due
        wall = skipped.due.astimezone(policy.zone)
        assert DAYS[wall.weekday()] in policy.working_days
        assert policy.quiet_hours is None or not is_quiet(policy, wall.time())


@settings(max_examples=150, deadline=None)
@given(policies(several="closest"), MOMENTS, st.integers(-6 * 24, 8 * 24))
def test_closest_reminder_supersedes_its_overlaps(policy: ReminderPolicy, start: datetime, hours: int) -> None:
    current, now = session(startDate=start, endDate=start + 2 * DAY), start + hours * HOUR
    everything = plan([current], policy.model_copy(update={"when_several_are_due": "all"}), now)
    found = plan([current], policy, now)
    kept = {one.rule: one for one in found.due}
    assert [one for one in everything.due if one.rule in kept] == found.due
    dropped = {one.rule: reasons(found)[one.rule] for one in everything.due if one.rule not in kept}

    def overlap(one: ReminderRule, other: ReminderRule) -> bool:
        people = [
            {*rule.audience, *(["not_completed"] if "learners" in rule.audience else [])} for rule in (one, other)
        ]
        same = one.anchor == other.anchor and (one.before is None) == (other.before is None)
        return same and bool(people[0] & people[1])

    for name, reason in dropped.items():
        superseded, closest = (
            policy.find_rule(name),
            policy.find_rule(reason.removeprefix("a closer reminder is due: ")),
        )
        assert closest.name in kept
        assert overlap(superseded, closest)
        if superseded.before:
            assert closest.schedule.distance.total <= superseded.schedule.distance.total
    for one, other in pairwise(kept):
        assert not overlap(policy.find_rule(one), policy.find_rule(other))


# Changes of clocks, by example.


@pytest.mark.parametrize(
    ("zone", "anchor", "before", "expected"),
    [
        ("Europe/Paris", "2026-03-29T10:00", {"days": 1}, "2026-03-28T09:00:00+00:00"),
        ("Europe/Paris", "2026-03-29T10:00", {"hours": 24}, "2026-03-28T08:00:00+00:00"),
        ("Europe/Paris", "2026-10-25T10:00", {"days": 1}, "2026-10-24T08:00:00+00:00"),
        ("Europe/Paris", "2026-10-25T10:00", {"hours": 24}, "2026-10-24T09:00:00+00:00"),
        # 02:30 does not exist on the 29th and exists twice on the 25th. It resolves away from the anchor.
        ("Europe/Paris", "2026-03-30T02:30", {"days": 1}, "2026-03-29T00:30:00+00:00"),
        ("Europe/Paris", "2026-10-26T02:30", {"days": 1}, "2026-10-25T00:30:00+00:00"),
        # Samoa skipped the 30th. The day before the 31st is the 29th in UTC.
        ("Pacific/Apia", "2011-12-31T10:00", {"days": 1}, "2011-12-29T20:00:00+00:00"),
        ("Australia/Lord_Howe", "2026-04-05T10:00", {"days": 1}, "2026-04-03T23:00:00+00:00"),
        ("Pacific/Kiritimati", "2026-03-01T09:00", {"days": 1, "hours": 2}, "2026-02-27T17:00:00+00:00"),
        ("Pacific/Pago_Pago", "2026-03-01T09:00", {"days": 1, "minutes": 30}, "2026-02-28T19:30:00+00:00"),
    ],
)
def test_days_count_on_the_wall_clock(zone: str, anchor: str, before: dict[str, int], expected: str) -> None:
    policy = build_policy({"anchor": "startDate", "before": before}, time_zone=zone)
    current, moment = session(startDate=at(anchor, zone)), datetime.fromisoformat(expected)
    assert plan([current], policy, moment - MINUTE).skipped[0].due == moment
    (found,) = plan([current], policy, moment).due
    assert found.due == moment


@pytest.mark.parametrize(
    ("start", "shift", "expected"),
    [
        # Sunday evening: to Friday, or to Monday morning, which would be too late for the second.
        ("2026-03-23T20:00", "later", "2026-03-23T08:00"),
        ("2026-03-23T20:00", None, "2026-03-20T19:45"),
        ("2026-03-23T08:00", "later", "2026-03-20T08:00"),
        # Monday 03:00 is in the quiet of Sunday.
        ("2026-03-24T03:00", "earlier", "2026-03-20T19:45"),
        ("2026-03-24T03:00", "later", "2026-03-23T08:00"),
        # Saturday at noon: the time of day stays.
        ("2026-03-22T12:00", None, "2026-03-20T12:00"),
    ],
)
def test_shift_moves_out_of_quiet_hours_and_days_off(start: str, shift: str | None, expected: str) -> None:
    policy = build_policy(
        {"anchor": "startDate", "before": {"days": 1}},
        time_zone="Europe/Paris",
        quiet_hours={"from": "20:00", "to": "08:00"},
        working_days=["mon", "tue", "wed", "thu", "fri"],
        shift=shift,
    )
    (found,) = plan([session(startDate=at(start, "Europe/Paris"))], policy, at("2026-03-01T00:00")).skipped
    assert found.due == at(expected, "Europe/Paris")


def test_overdue_reminder_never_precedes_its_date() -> None:
    rule = {"anchor": "endDate", "after": {"hours": 1}}
    policy = build_policy(rule, quiet_hours={"from": "20:00", "to": "08:00"}, shift="earlier")
    (found,) = plan([session(endDate=at("2026-03-02T20:30"))], policy, at("2026-03-01T00:00")).skipped
    assert found.due == at("2026-03-03T08:00")


# Reminders that are due, and found in quiet hours or on a day off.

NIGHT: dict[str, Any] = {"from": "20:00", "to": "08:00"}
WEEK = {"working_days": ["mon", "tue", "wed", "thu", "fri"]}
# 1 March 2026 is a Sunday. On Monday at 23:00 the session was rescheduled to start soon.
RESCHEDULED_AT = at("2026-03-02T23:05")


@pytest.mark.parametrize(
    ("start", "fields", "held", "sent"),
    [
        # It can wait until 8.
        ("2026-03-03T14:00", {"max_lateness": {"hours": 24}}, "2026-03-03T08:00", False),
        ("2026-03-03T14:00", {"max_lateness": {"hours": 24}, "late": "send"}, "2026-03-03T08:00", False),
        # Its date comes first, or the end of its lateness.
        ("2026-03-03T07:30", {"max_lateness": {"days": 2}}, None, False),
        ("2026-03-03T07:30", {"max_lateness": {"days": 2}, "late": "send"}, None, True),
        ("2026-03-03T08:00", {"max_lateness": {"days": 2}}, None, False),
        ("2026-03-03T17:00", {"max_lateness": {"hours": 7}}, None, False),
        ("2026-03-03T17:00", {"max_lateness": {"hours": 7}, "late": "send"}, None, True),
    ],
)
def test_session_rescheduled_to_soon_is_reminded_of_after_quiet_hours(
    start: str, fields: dict[str, Any], held: str | None, sent: bool
) -> None:
    rest = {name: value for name, value in fields.items() if name != "late"}
    policy = build_policy(
        {"anchor": "startDate", "before": {"days": 1}},
        quiet_hours={**NIGHT, "when_late": fields.get("late", "skip")},
        **rest,
    )
    current = session(startDate=at(start))
    found = plan([current], policy, RESCHEDULED_AT)
    assert (len(found.due) == 1) is sent
    if held:
        (skipped,) = found.skipped
        assert skipped.due == at(held)
        assert "held until" in skipped.reason
        (later,) = plan([current], policy, at(held)).due
        assert later.due < RESCHEDULED_AT
    elif not sent:
        (skipped,) = found.skipped
        assert skipped.due is None
        assert "when_late: skip" in skipped.reason


def test_days_off_hold_a_reminder() -> None:
    policy = build_policy({"anchor": "startDate", "before": {"days": 3}}, max_lateness={"days": 3}, **WEEK)
    current = session(startDate=at("2026-03-10T09:00"))  # a Tuesday, so that it is due on Friday
    (skipped,) = plan([current], policy, at("2026-03-07T10:00")).skipped
    assert skipped.due == at("2026-03-09T00:00")
    (found,) = plan([current], policy, at("2026-03-09T00:00")).due
    assert found.due == at("2026-03-06T09:00")
    soon = build_policy({"anchor": "startDate", "before": {"days": 3}}, max_lateness={"days": 2}, **WEEK)
    (skipped,) = plan([current], soon, at("2026-03-07T10:00")).skipped
    assert skipped.reason.startswith("skipped, because quiet hours and days off last until 2026-03-09T00:00")
    assert "when_late" not in skipped.reason  # there are no quiet hours, which would have it


@settings(max_examples=150, deadline=None)
@given(policies(), MOMENTS, st.integers(-8 * 24 * 12, 12 * 24 * 12))
def test_quiet_hours_let_out_only_what_cannot_wait(policy: ReminderPolicy, start: datetime, minutes: int) -> None:
    now = start + minutes * 5 * MINUTE
    found = plan([session(startDate=start, endDate=start + 2 * DAY)], policy, now)
    if reference_open(policy, now) != now:
        assert not found.due or (policy.quiet_hours is not None and policy.quiet_hours.when_late == "send")


def test_notice_of_changed_dates_waits_for_the_end_of_quiet_hours() -> None:
    planner = Planner(build_policy(MOVED, quiet_hours=NIGHT, max_lateness={"hours": 24}))
    evening = at("2026-03-01T19:30")
    planner.sweep(evening - HOUR, **A, modifiedAt=evening - DAY)
    # The planner did not run until 22:00.
    assert planner.sweep(at("2026-03-01T22:00"), **B, modifiedAt=evening) == []
    assert planner.found.skipped[0].due == at("2026-03-02T08:00")
    # Changed back in the night: nothing was announced, so there is nothing to announce.
    back = {**A, "modifiedAt": at("2026-03-02T01:00")}
    assert planner.sweep(at("2026-03-02T02:00"), **back) == []
    assert planner.sweep(at("2026-03-02T08:00"), **back) == []
    planner.sweep(at("2026-03-02T22:00"), **B, modifiedAt=at("2026-03-02T19:30"))
    (notice,) = planner.sweep(at("2026-03-03T08:00"), **B, modifiedAt=at("2026-03-02T19:30"))
    assert notice.due == at("2026-03-02T19:40")
    assert planner.sweep(at("2026-03-03T08:15"), **B, modifiedAt=at("2026-03-02T19:30")) == [notice]


def test_date_changed_while_its_notice_waits_settles_again() -> None:
    planner = Planner(build_policy(MOVED, quiet_hours={"from": "13:00", "to": "14:00"}))
    planner.sweep(at("2026-03-01T12:45"), **A, modifiedAt=T0 - DAY)
    there = {**B, "modifiedAt": at("2026-03-01T12:50")}
    for moment in ("2026-03-01T13:05", "2026-03-01T13:50"):
        assert planner.sweep(at(moment), **there) == []
    # Changed back at 13:51, and again at 13:52. The sweeps see only the second change.
    again = {**B, "modifiedAt": at("2026-03-01T13:52")}
    for moment in ("2026-03-01T13:55", "2026-03-01T14:00", "2026-03-01T14:01"):
        assert planner.sweep(at(moment), **again) == []
    (notice,) = planner.sweep(at("2026-03-01T14:02"), **again)
    assert notice.due == at("2026-03-01T14:02")
    assert planner.sweep(at("2026-03-01T14:15"), **again) == [notice]


# Sessions that a sweep need not keep.

DUE_DATE_RULE = st.builds(lambda rule: {**rule, "anchor": "dueDate", "audience": "not_completed"}, BEFORE | REPEATED)
NEAR = st.none() | st.integers(-40 * 24, 40 * 24) | st.integers(-3 * 24 * 60, 3 * 24 * 60).map(lambda one: one / 60)
HOURS = st.tuples(NEAR, NEAR, NEAR)  # of start, end and modification, from the time of the sweep


def session_near(number: int, now: datetime, hours: tuple[float | None, ...]) -> ProgramSession:
    dates = [None if one is None else now + one * HOUR for one in hours]
    start, end, modified = dates
    if start and end and end < start:
        start, end = end, start
    names = dict(zip(("startDate", "endDate", "modifiedAt"), (start, end, modified), strict=True))
    return session(**{**names, "_id": f"{number:024x}", "automatedReminders": number % 3 == 0})


def statistics_near(current: ProgramSession, now: datetime, hours: float) -> SessionStatistics:
    due_date = now + hours * HOUR
    due_date = max(due_date, current.start_date or due_date)
    due_date = min(due_date, current.end_date or due_date)
    users = [{"mail": "a@example.com", "dueDate": format_date(due_date), "status": "onTime"}]
    return SessionStatistics.from_json({"registered": 1, "usersStats": users})


@pytest.mark.slow
@settings(max_examples=300, deadline=None)
@given(
    st.lists(RULE | DUE_DATE_RULE, min_size=1, max_size=4),
    st.booleans(),
    FIELDS,
    st.sampled_from(STEADY + CHANGING),
    st.booleans(),
    st.lists(st.tuples(HOURS, HOURS, st.integers(-100, 100)), min_size=1, max_size=8),
    MOMENTS,
)
def test_plan_of_candidates_is_the_plan_of_all(
    rules: list[Any],
    has_notices: bool,
    fields: dict[str, Any],
    zone: str,
    skips: bool,
    drawn: list[tuple[tuple[float | None, ...], tuple[float | None, ...], int]],
    now: datetime,
) -> None:
    more = {"time_zone": zone, "skip_if_automated_reminders": skips}
    policy = build_policy(*rules, *([MOVED] if has_notices else []), **fields, **more)
    before = [session_near(number, now - 2 * DAY, one[0]) for number, one in enumerate(drawn[1:])]
    known = json.loads(json.dumps(plan(before, policy, now - 2 * DAY).announced))
    sessions = [session_near(number, now, one[1]) for number, one in enumerate(drawn)]
    read = {one.id: statistics_near(one, now, hours) for one, (_, _, hours) in zip(sessions, drawn, strict=True)}
    candidates = CandidateFilter(policy, now, known)
    kept = [one.document(candidates.fields) for one in sessions if candidates.matches(one)]
    every = plan(sessions, policy, now, announced=known, statistics=read)
    found = plan(StoredSessions(kept), policy, now, announced=known, statistics=read)
    assert (found.due, found.announced) == (every.due, every.announced)
    assert candidates.missing == {*known} - {one.id for one in sessions}


class Statistics:
    """Reads the progress of one session."""

    def __init__(self, statistics: SessionStatistics) -> None:
        self._statistics = statistics

    def get_program_session_stats(self, *_: Any) -> SessionStatistics:
        return self._statistics


@pytest.mark.slow
@settings(max_examples=300, deadline=None)
@given(
    st.lists(RULE | DUE_DATE_RULE, min_size=1, max_size=4),
    FIELDS,
    st.sampled_from(STEADY + CHANGING),
    st.booleans(),
    HOURS,
    st.integers(-100, 100),
    st.integers(0, 60),
    MOMENTS,
)
def test_preview_leaves_out_no_session_with_a_reminder(
    rules: list[Any],
    fields: dict[str, Any],
    zone: str,
    skips: bool,
    hours: tuple[float | None, ...],
    due_date: int,
    horizon: int,
    now: datetime,
) -> None:
    policy = build_policy(*rules, MOVED, **fields, time_zone=zone, skip_if_automated_reminders=skips)
    until, current = now + horizon * DAY, session_near(1, now, hours)
    reader: Any = Statistics(statistics_near(current, now, due_date))
    every = SessionOutcomes(policy, reader, current, now, until)
    choice = PreviewFilter(policy, now, until).choice
    assert choice.matches(current) or not every.reminders
    (kept,) = StoredSessions([choice.build_document(current)])
    found = SessionOutcomes(policy, reader, kept, now, until)
    assert (found.all, found.releases) == (every.all, every.releases)


def test_preview_leaves_out_sessions_far_from_its_window() -> None:
    policy = build_policy({"anchor": "startDate", "before": {"days": 7}}, MOVED)
    for days, expected in ((7, True), (8, True), (45, True), (60, False), (-30, False)):
        preview = PreviewFilter(policy, T0, T0 + 30 * DAY)
        assert preview.choice.matches(session(startDate=T0 + days * DAY)) == expected
    limited = PreviewFilter(policy, T0, T0 + 30 * DAY, limit=1)
    assert [limited.choice.matches(session(startDate=T0 + 7 * DAY)) for _ in range(3)] == [True, False, False]
    assert (limited.kept, limited.beyond_limit) == (1, 2)


def test_session_far_from_all_dates_is_no_candidate() -> None:
    policy = build_policy({"anchor": "startDate", "before": {"days": 7}}, {"anchor": "endDate", "after": {"days": 1}})
    candidates = CandidateFilter(policy, T0, {})
    assert candidates.matches(session(startDate=T0 + 7 * DAY))
    for days in (1, 8, 16, 99):
        assert not candidates.matches(session(startDate=T0 + days * DAY, endDate=T0 + 100 * DAY))
        assert not candidates.matches(session(startDate=T0 - 200 * DAY, endDate=T0 - (days + 1) * DAY))
    assert not candidates.matches(session())


def test_reminder_that_days_off_move_far_is_found() -> None:
    policy = build_policy({"anchor": "startDate", "before": {"days": 1}}, working_days=["mon"])
    current = session(startDate=at("2026-03-07T09:00"))  # a Saturday
    monday = at("2026-03-02T09:00")
    assert due(plan([current], policy, monday)) == ["rule0"]
    assert CandidateFilter(policy, monday, {}).matches(current)


def test_session_whose_dates_are_stored_already_is_no_candidate() -> None:
    policy = build_policy(MOVED)
    current = session(**A, modifiedAt=T0)
    known = plan([current], policy, T0).announced
    assert CandidateFilter(policy, T0, {}).matches(current)
    assert not CandidateFilter(policy, T0, known).matches(current)
    assert CandidateFilter(policy, T0, known).matches(session(**B, modifiedAt=T0 - DAY))


# The ends of the calendar.

ENDS = ["0001-01-01T00:00:00.000Z", "0001-01-02T03:00:00.000Z", "9999-12-31T23:59:59.999Z", "9999-12-30T12:00:00.000Z"]
EXTREME = st.none() | st.sampled_from(ENDS) | st.datetimes(timezones=st.just(UTC)).map(format_date)
ZONES = st.sampled_from([*STEADY, *CHANGING, "Etc/GMT+12", "Etc/GMT-14", "Africa/Monrovia", "America/St_Johns"])


@pytest.mark.slow
@settings(max_examples=300, deadline=None)
@given(st.lists(RULE, min_size=1, max_size=4), FIELDS, ZONES, st.lists(EXTREME, min_size=3, max_size=3), MOMENTS)
def test_any_date_can_be_planned_in_any_zone(
    rules: list[Any], fields: dict[str, Any], zone: str, dates: list[str | None], now: datetime
) -> None:
    policy = build_policy(MOVED, *rules, **fields, time_zone=zone)
    start, end, modified = dates
    for known in ({ID: {"announced": {"startDate": None, "endDate": None}, "change": None}}, {}):
        current = session(startDate=start, endDate=end, modifiedAt=modified)
        found = plan([current], policy, now, announced=known)
        assert {*due(found), *reasons(found)} == {rule.name for rule in policy.rules}
        again = plan([current], policy, now, announced=json.loads(json.dumps(found.announced)))
        assert [one.key for one in again.due] == [one.key for one in found.due]


def test_open_end_equals_no_end() -> None:
    planner = Planner(build_policy(MOVED))
    planner.sweep(T0, startDate=START, endDate=None, modifiedAt=T0 - DAY)
    assert planner.sweep(T0 + HOUR, startDate=START, endDate=ENDS[2], modifiedAt=T0) == []
    assert len(planner.sweep(T0 + 3 * HOUR, startDate=START, endDate=START, modifiedAt=T0 + 2 * HOUR)) == 1


# Repetition and escalation.

OVERDUE = {
    "anchor": "endDate", "after": {"days": 1}, "every": {"days": 2}, "at_most": 4, "escalate_to_tutors_after": 2,
    "audience": "not_completed",
}  # fmt: skip


def test_repetitions_escalate_and_end() -> None:
    policy, end = build_policy(OVERDUE), at("2026-03-02T09:00")
    found = [plan([session(endDate=end)], policy, end + hours * HOUR) for hours in range(24 * 20)]
    sent = {one.key: one for each in found for one in each.due}
    assert [(one.due - end).days for one in sent.values()] == [1, 3, 5, 7]
    assert [one.occurrence for one in sent.values()] == [0, 1, 2, 3]
    assert [one.audience[-1] for one in sent.values()] == ["not_completed", "not_completed", "tutors", "tutors"]
    assert reasons(found[24 * 4]) == {"rule0": "not due before 2026-03-07T09:00+00:00"}
    assert reasons(found[-1]) == {"rule0": "too late since 2026-03-09T15:00+00:00"}


def test_next_repetition_is_reported_however_far_it_is() -> None:
    policy, end = build_policy({**OVERDUE, "every": {"days": 30}}), at("2026-03-02T09:00")
    (skipped,) = plan([session(endDate=end)], policy, end + 3 * DAY).skipped
    assert skipped.due == end + 31 * DAY


def test_latest_repetition_replaces_those_of_the_weekend() -> None:
    policy = build_policy({**OVERDUE, "every": {"days": 1}}, working_days=["mon", "tue", "wed", "thu", "fri"])
    (found,) = plan([session(endDate=at("2026-03-06T09:00"))], policy, at("2026-03-09T09:00")).due
    assert found.occurrence == 2
    assert found.key.endswith("__20260306T090000Z__2")


# Other reasons why a reminder is not due.

START = at("2026-03-10T09:00")
BEFORE_START = {"anchor": "startDate", "before": {"days": 1}}
REPEATED_START = {"anchor": "startDate", "after": {}, "every": {"days": 1}, "at_most": 3}


@pytest.mark.parametrize(
    ("fields", "now", "reason"),
    [
        ({"startDate": START}, START - 2 * DAY, "not due before 2026-03-09T09:00+00:00"),
        ({"startDate": START}, START - 17 * HOUR, "too late since 2026-03-09T15:00+00:00"),
        ({"startDate": START}, START, "its startDate was 2026-03-10T09:00+00:00"),
        ({"startDate": None}, START, "it has no startDate"),
        ({}, START, "it has no startDate"),
        (
            {"startDate": START, "automatedReminders": True},
            START - DAY,
            "360Learning sends its own reminders for it (automatedReminders)",
        ),
        ({"startDate": "0001-01-01T00:00:00Z"}, START, "its startDate is not set"),
        ({"startDate": "9999-12-31T23:59:59.999Z"}, START, "its startDate is not set"),
        ({"_id": "x/../y", "startDate": START}, START - DAY, "its ID is not an ID of 360Learning"),
        (
            {"_id": ID.upper(), "startDate": START},
            START - DAY,
            "its ID is not in lower case, as 360Learning writes IDs",
        ),
    ],
)
def test_skipped_reminder_says_why(fields: dict[str, Any], now: datetime, reason: str) -> None:
    found = plan([session(**fields)], build_policy(BEFORE_START, skip_if_automated_reminders=True), now)
    assert (due(found), reasons(found)) == ([], {"rule0": reason})


def test_open_end_does_not_block_other_rules() -> None:
    rules = [BEFORE_START, {"anchor": "endDate", "after": {"days": 1}}, {"anchor": "endDate", "before": {"days": 1}}]
    never = session(startDate=START, endDate="9999-12-31T23:59:59.999Z")
    for zone in ("UTC", "Pacific/Kiritimati", "Pacific/Pago_Pago"):
        found = plan([never], build_policy(*rules, time_zone=zone), START - DAY)
        assert due(found) == ["rule0"]


def test_automated_reminders_do_not_matter_by_default() -> None:
    current = session(startDate=START, automatedReminders=True)
    assert due(plan([current], build_policy(BEFORE_START), START - DAY)) == ["rule0"]


@pytest.mark.parametrize(
    ("users", "is_due"),
    [([{"mail": "a@example.com", "progress": 100}], False), ([{"mail": "a@example.com"}], True), ([], False)],
)
def test_reminder_is_skipped_if_everybody_has_finished(users: list[Any], is_due: bool) -> None:
    statistics = {ID: SessionStatistics.model_validate({"usersStats": users})}
    rules = [{**BEFORE_START, "audience": ["not_completed", "tutors"]}, {**BEFORE_START, "audience": "tutors"}]
    policy = build_policy(*rules, when_several_are_due="all")
    found = plan([session(startDate=START)], policy, START - DAY, statistics=statistics)
    assert due(found) == (["rule0", "rule1"] if is_due else ["rule1"])
    assert is_due or reasons(found) == {"rule0": "all learners have finished"}
    assert due(plan([session(startDate=START)], policy, START - DAY)) == ["rule0", "rule1"]


def test_time_without_zone_is_refused() -> None:
    with pytest.raises(FixArgumentError, match="time zone"):
        plan([], build_policy(BEFORE_START), datetime(2026, 3, 1))


def test_closer_reminder_supersedes_the_others() -> None:
    rules = [{**BEFORE_START, "before": {"days": days}, "audience": one} for days in (7, 2, 1) for one in ("learners",)]
    policy = build_policy(
        *rules, {**BEFORE_START, "before": {"days": 7}, "audience": "tutors"}, max_lateness={"days": 8}
    )
    found = plan([session(startDate=START)], policy, START - HOUR)
    assert due(found) == ["rule2", "rule3"]
    assert reasons(found) == dict.fromkeys(["rule0", "rule1"], "a closer reminder is due: rule2")


def test_latest_reminder_after_a_date_is_the_closest() -> None:
    rules = [{"anchor": "endDate", "after": {"days": days}} for days in (1, 3)]
    policy, end = build_policy(*rules, max_lateness={"days": 4}), at("2026-03-02T09:00")
    assert due(plan([session(endDate=end)], policy, end + 2 * DAY)) == ["rule0"]
    assert due(plan([session(endDate=end)], policy, end + 4 * DAY)) == ["rule1"]
    assert due(plan([session(endDate=end)], policy, end + 6 * DAY)) == ["rule1"]


def test_same_fixed_address_overlaps() -> None:
    rules = [{**BEFORE_START, "before": {"days": days}, "audience": [], "to": to} for days, to in
             ((2, "Ops@example.com"), (1, ["ops@example.com", "b@example.com"]), (2, "c@example.com"))]  # fmt: skip
    policy = build_policy(*rules, max_lateness={"days": 2})
    assert due(plan([session(startDate=START)], policy, START - HOUR)) == ["rule1", "rule2"]


# Keys.


def test_keys_have_the_documented_form() -> None:
    policy = build_policy(
        {**BEFORE_START, "name": "day-before"},
        {**OVERDUE, "name": "over_due"},
        MOVED,
        max_lateness={"days": 9},
    )
    known = {"announced": {"startDate": None, "endDate": None}, "change": None}
    modified = START - 2 * DAY + timedelta(milliseconds=5)
    current = session(startDate=START, endDate=START - 2 * DAY, modifiedAt=modified)
    found = plan([current], policy, START - HOUR, announced={ID: known})
    assert [one.key for one in found.due] == [
        f"reminder__test__day___before__{ID}__20260310T090000Z",
        f"reminder__test__over_due__{ID}__20260308T090000Z__0",
        f"reminder__test__moved__{ID}__20260310T090000Z_20260308T090000Z__20260308T090000005Z",
    ]


NAMES = st.from_regex(r"[A-Za-z0-9]+([_-][A-Za-z0-9]+)*", fullmatch=True).filter(lambda name: len(name) <= 32)
FEW_SIGNS = st.from_regex(r"[ab]([_-][ab]){0,3}", fullmatch=True)


@pytest.mark.slow
@settings(max_examples=150, deadline=None)
@given(st.tuples(NAMES | FEW_SIGNS, NAMES | FEW_SIGNS), st.tuples(NAMES | FEW_SIGNS, NAMES | FEW_SIGNS))
def test_different_names_give_different_keys(one: tuple[str, str], other: tuple[str, str]) -> None:
    keys = []
    for policy_name, rule_name in (one, other):
        policy = build_policy({**BEFORE_START, "name": rule_name}, name=policy_name)
        keys.append(plan([session(startDate=START)], policy, START - DAY).due[0].key)
    assert (keys[0] == keys[1]) == (one == other)
    assert all(re.fullmatch(r"[A-Za-z0-9_]+", key) for key in keys)


def test_longest_key_fits_into_a_run_id() -> None:
    name = "-".join(["aa"] + ["a"] * 15)
    assert len(name) == 32
    policy = build_policy({"name": name, "on": "date_changed"}, name=name)
    odd = timedelta(microseconds=1)
    known = {ID: {"announced": {"startDate": None, "endDate": None}, "change": None}}
    current = session(startDate=START + odd, endDate=START + DAY + odd, modifiedAt=START - DAY + odd)
    (found,) = plan([current], policy, START - DAY + HOUR, announced=known).due
    assert len(found.key) <= MAX_KEY_LENGTH


# Changed dates.

MOVED: dict[str, Any] = {"name": "moved", "on": "date_changed"}
A, B, C = ({"startDate": START + days * DAY, "endDate": START + (days + 9) * DAY} for days in (0, 30, 60))
T0 = at("2026-03-01T12:00")


class Planner:
    """Sweeps whose announced dates are stored as JSON in between."""

    def __init__(self, policy: ReminderPolicy) -> None:
        self.policy = policy
        self.announced: dict[str, Any] = {}
        self.found = Plan()

    def sweep(self, now: datetime, **fields: Any) -> list[DueReminder]:
        self.found = plan([session(**fields)], self.policy, now, announced=self.announced)
        self.announced = json.loads(json.dumps(self.found.announced))
        return self.found.due


def test_changed_dates_are_announced_once() -> None:
    planner = Planner(build_policy(MOVED))
    assert planner.sweep(T0, **A, modifiedAt=T0 - DAY) == []
    assert planner.found.skipped[0].reason == "its dates are seen for the first time"
    assert planner.sweep(T0 + 5 * MINUTE, **A, modifiedAt=T0) == []
    assert planner.found.skipped[0].reason == "its dates have not changed"
    moved = T0 + HOUR
    assert planner.sweep(moved + 9 * MINUTE, **B, modifiedAt=moved) == []
    assert "stay unmodified for 10 minutes" in planner.found.skipped[0].reason
    (first,) = planner.sweep(moved + 10 * MINUTE, **B, modifiedAt=moved)
    assert first.change == {side: {key: format_date(one) for key, one in dates.items()}
                            for side, dates in (("from", A), ("to", B))}  # fmt: skip
    assert (first.anchor, first.anchor_at, first.due) == (None, None, moved + 10 * MINUTE)
    # The same key in every sweep while it is due, even if something else was edited.
    assert planner.sweep(moved + 5 * HOUR, **B, modifiedAt=moved + 4 * HOUR) == [first]
    assert planner.sweep(moved + 7 * HOUR, **B, modifiedAt=moved + 4 * HOUR) == []


def test_dates_changed_back_are_announced_under_another_key() -> None:
    planner = Planner(build_policy(MOVED))
    planner.sweep(T0, **A, modifiedAt=T0 - DAY)
    (there,) = planner.sweep(T0 + 10 * MINUTE, **B, modifiedAt=T0)
    (back,) = planner.sweep(T0 + 2 * HOUR, **A, modifiedAt=T0 + HOUR)
    (again,) = planner.sweep(T0 + 4 * HOUR, **B, modifiedAt=T0 + 3 * HOUR)
    assert len({there.key, back.key, again.key}) == 3
    assert back.change
    assert there.change
    assert (back.change["from"], back.change["to"]) == (there.change["to"], there.change["from"])


def test_change_undone_before_it_settled_is_not_announced() -> None:
    planner = Planner(build_policy(MOVED))
    planner.sweep(T0, **A, modifiedAt=T0 - DAY)
    assert planner.sweep(T0 + 5 * MINUTE, **B, modifiedAt=T0) == []
    assert planner.sweep(T0 + 20 * MINUTE, **A, modifiedAt=T0 + 6 * MINUTE) == []


def test_change_undone_in_quiet_hours_is_not_announced() -> None:
    planner = Planner(build_policy(MOVED, quiet_hours={"from": "20:00", "to": "08:00"}))
    night = at("2026-03-01T22:00")
    planner.sweep(night, **A, modifiedAt=night - DAY)
    assert planner.sweep(night + 20 * MINUTE, **B, modifiedAt=night) == []
    assert planner.found.skipped[0].due == at("2026-03-02T08:00")
    assert planner.sweep(night + 2 * HOUR, **A, modifiedAt=night + HOUR) == []
    assert planner.announced[ID]["change"] is None
    assert planner.sweep(at("2026-03-02T08:00"), **A, modifiedAt=night + HOUR) == []
    # Changed again in the night: one notice, with the dates that people know.
    planner.sweep(night + DAY + 20 * MINUTE, **B, modifiedAt=night + DAY)
    planner.sweep(night + DAY + 2 * HOUR, **C, modifiedAt=night + DAY + HOUR)
    (found,) = planner.sweep(at("2026-03-03T08:00"), **C, modifiedAt=night + DAY + HOUR)
    assert found.change
    assert found.change["from"] == {key: format_date(one) for key, one in A.items()}


def test_past_session_announces_nothing() -> None:
    planner = Planner(build_policy(MOVED))
    planner.sweep(T0, **A, modifiedAt=T0 - DAY)
    past = {"startDate": T0 - 9 * DAY, "endDate": T0 - DAY}
    assert planner.sweep(T0 + HOUR, **past, modifiedAt=T0) == []
    assert planner.found.skipped[0].reason == "it is over"
    assert planner.announced[ID]["announced"] == {key: format_date(one) for key, one in past.items()}
    # A session that began and has no end is not over.
    begun = {"startDate": T0 - DAY, "endDate": None}
    assert len(planner.sweep(T0 + 3 * HOUR, **begun, modifiedAt=T0 + 2 * HOUR)) == 1


def test_removed_or_added_dates_are_changes() -> None:
    planner = Planner(build_policy(MOVED))
    planner.sweep(T0, modifiedAt=T0 - DAY)
    (found,) = planner.sweep(T0 + HOUR, **A, modifiedAt=T0)
    (taken,) = planner.sweep(T0 + 3 * HOUR, startDate=None, endDate=None, modifiedAt=T0 + 2 * HOUR)
    assert taken.change
    assert found.change
    assert taken.change["to"] == found.change["from"] == {"startDate": None, "endDate": None}
    assert "__none_none__" in taken.key


@pytest.mark.parametrize(
    "memory",
    [
        None,
        5,
        {},
        {"announced": 3, "change": None},
        {"announced": {"startDate": "x", "endDate": None}, "change": None},
        {"announced": {"startDate": None, "endDate": None}, "change": {"at": 1}},
    ],
)
def test_lost_announced_dates_cause_no_notice(memory: Any) -> None:
    found = plan([session(**A, modifiedAt=T0 - DAY)], build_policy(MOVED), T0, announced={ID: memory})
    assert found.due == []
    assert found.announced[ID]["announced"] == {key: format_date(one) for key, one in A.items()}


def test_change_without_modified_at_never_settles() -> None:
    planner = Planner(build_policy(MOVED))
    planner.sweep(T0, **A)
    assert planner.sweep(T0 + DAY, **B) == []
    assert "has no modifiedAt" in planner.found.skipped[0].reason


def test_announced_dates_of_other_sessions_are_kept() -> None:
    memory = {"other": {"announced": {}, "change": None}}
    found = plan([session(**A, modifiedAt=T0)], build_policy(MOVED), T0, announced=memory)
    assert set(found.announced) == {"other", ID}
    assert set(memory) == {"other"}
    assert plan([session(**A)], build_policy(BEFORE_START), T0, announced=memory).announced == memory


def test_notice_of_changed_dates_overlaps_nothing() -> None:
    planner = Planner(build_policy(MOVED, BEFORE_START, max_lateness={"days": 40}))
    planner.sweep(T0, **B, modifiedAt=T0 - DAY)
    planner.sweep(START - DAY, **A, modifiedAt=START - DAY - HOUR)
    assert due(planner.found) == ["moved", "rule1"]


EVENTS = st.lists(
    st.tuples(st.integers(1, 90), st.sampled_from(["A", "B", "C", "edit", "forget"])), min_size=1, max_size=8
)


def timeline(events: list[tuple[int, str]], forgets: bool) -> Iterator[tuple[datetime, dict[str, Any], datetime, bool]]:
    """Yield sweeps every five minutes: the session, when its dates changed, whether the store was just lost."""
    changes, moment = [], T0
    for minutes, event in events:
        moment += minutes * MINUTE
        changes.append((moment, event))
    dates, modified, moved, now = A, T0 - DAY, T0 - DAY, T0
    while now < moment + 3 * HOUR:
        lost = False
        while changes and changes[0][0] <= now:
            when, event = changes.pop(0)
            if event == "forget":
                lost = forgets
                continue
            before, dates, modified = dates, {"A": A, "B": B, "C": C}.get(event, dates), when
            moved = moved if dates is before else when
        yield now, {**dates, "modifiedAt": modified}, moved, lost
        now += 5 * MINUTE


@pytest.mark.slow
@settings(max_examples=150, deadline=None)
@given(EVENTS, st.booleans(), st.booleans())
def test_people_know_the_dates_in_the_end(events: list[tuple[int, str]], forgets: bool, quiet: bool) -> None:
    hours = {"quiet_hours": {"from": "13:00", "to": "14:00"}} if quiet else {}
    planner = Planner(build_policy(MOVED, **hours))
    sent: dict[str, DueReminder] = {}
    known = {key: format_date(one) for key, one in A.items()}
    for now, fields, moved, lost in timeline(events, forgets):
        current = {key: format_date(fields[key]) for key in ("startDate", "endDate")}
        if lost:
            planner.announced = {}
        found = planner.sweep(now, **fields)
        if lost:
            assert found == []
            known = current
        for one in found:
            assert one.change
            assert one.due <= now <= one.due + 6 * HOUR
            assert one.change["to"] == current
            if one.key not in sent:
                assert now >= moved + 10 * MINUTE
                assert one.change["from"] == known != current
                known = current
            assert sent.setdefault(one.key, one) == one
    assert known == current
    assert len(sent) <= len([event for _, event in events if event in "ABC"])


# What a delivery checks.


def plan_one(policy: ReminderPolicy, now: datetime, **fields: Any) -> DueReminder:
    """Return the one reminder that is due, as it arrives in a delivery run."""
    (found,) = plan([session(**fields)], policy, now).due
    text = json.dumps(found.to_conf())
    assert "@" not in text
    arrived = DueReminder.from_conf(json.loads(text) | {"more": "fields"})
    assert arrived == replace(found, to=())
    return arrived


def test_reminder_is_valid_as_long_as_its_date_is() -> None:
    policy = build_policy({**BEFORE_START, "to": "ops@example.com"}, skip_if_automated_reminders=True)
    reminder = plan_one(policy, START - DAY, startDate=START)
    assert find_cancel_reason(reminder, session(startDate=START, name="new"), policy) is None
    assert find_cancel_reason(reminder, session(startDate=START), policy, now=START - MINUTE) is None
    for reason, fields, other in [
        ("startDate is 2026-03-10T09:01:00.000Z now", {"startDate": START + MINUTE}, policy),
        ("startDate is not set now", {}, policy),
        ("automatedReminders", {"startDate": START, "automatedReminders": True}, policy),
        ("no rule 'rule0' any more", {"startDate": START}, build_policy({**BEFORE_START, "name": "other"})),
        ("and this task has policy 'other'", {"startDate": START}, build_policy(BEFORE_START, name="other")),
        ("about session", {"_id": "0" * 24, "startDate": START}, policy),
        ("rule 'rule0' changed", {"startDate": START}, build_policy(REPEATED_START)),
    ]:
        assert reason in (find_cancel_reason(reminder, session(**fields), other) or "")
    assert "too late" in (find_cancel_reason(reminder, session(startDate=START), policy, now=START) or "")


def test_notice_is_valid_as_long_as_the_dates_are_the_new_ones() -> None:
    planner = Planner(build_policy(MOVED))
    planner.sweep(T0, **A, modifiedAt=T0 - DAY)
    (found,) = planner.sweep(T0 + HOUR, **B, modifiedAt=T0)
    reminder = DueReminder.from_conf(json.loads(json.dumps(found.to_conf())))
    assert reminder == found
    assert find_cancel_reason(reminder, session(**B, modifiedAt=T0 + HOUR), planner.policy) is None
    assert find_cancel_reason(reminder, session(**A), planner.policy) == "its dates changed again"


CONF = {
    "key": "reminder__a__b__60b8d2956e20ae1a0f8e44f1__x", "policy": "a", "rule": "b", "session_id": ID,
    "due": "2026-03-01T08:00:00.000Z", "audience": ["learners"], "anchor": "startDate",
    "anchor_at": "2026-03-02T08:00:00.000Z", "occurrence": None, "change": None, "message": "each",
    "delivery": "at_least_once", "template": None,
}  # fmt: skip
CHANGE = {side: {"startDate": None, "endDate": CONF["due"]} for side in ("from", "to")}
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9) | EXTREME | st.just(CONF["due"][:-1]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["from", "to", "x"]), inner, max_size=3)
    ),
    max_leaves=5,
)


@pytest.mark.parametrize(
    "conf",
    [
        *({}, {"key": "x"}, {"due": 5}, [], "text", None, 5),
        *(CONF | {"due": "2026-03-01T08:00:00"}, CONF | {"due": "0001-01-01T00:00:00+14:00"}, CONF | {"due": 5}),
        *(CONF | {"change": one, "anchor": None, "anchor_at": None} for one in ("x", [], {}, {"from": {}}, {"to": 1})),
        *(CONF | {"anchor_at": None}, CONF | {"anchor": None}, CONF | {"change": CHANGE}, CONF | {"anchor": "start"}),
        *(
            CONF | {"occurrence": True},
            CONF | {"occurrence": -1},
            CONF | {"audience": "learners"},
            CONF | {"rule": None},
        ),
        *(CONF | {"session_id": "../x"}, CONF | {"key": "a\nb"}, CONF | {"template": 5}, CONF | {"delivery": "never"}),
    ],
)
def test_invalid_conf_is_refused(conf: Any) -> None:
    with pytest.raises(FixArgumentError, match="is not a reminder"):
        DueReminder.from_conf(conf)


@pytest.mark.parametrize(
    ("once", "delivery"), [("record_after", "at_least_once"), ("claim_before", "at_most_once"), ("never", None)]
)
def test_stored_conf_with_once_is_still_read(once: str, delivery: str | None) -> None:
    stored = {**{name: value for name, value in CONF.items() if name != "delivery"}, "once": once}
    if delivery is None:
        with pytest.raises(FixArgumentError, match="see 'delivery'"):
            DueReminder.from_conf(stored)
        return
    reminder = DueReminder.from_conf(stored)
    assert reminder.delivery == delivery
    assert reminder.to_conf() == CONF | {"delivery": delivery}


@settings(max_examples=400, deadline=None)
@given(st.dictionaries(st.sampled_from([*CONF, "more"]), ANYTHING, max_size=3), st.booleans(), ANYTHING)
def test_any_json_is_a_reminder_or_a_typed_error(changed: dict[str, Any], is_change: bool, anything: Any) -> None:
    whole = CONF | ({"change": CHANGE, "anchor": None, "anchor_at": None} if is_change else {})
    for conf in (whole | changed, anything):
        try:
            reminder = DueReminder.from_conf(conf)
        except FixArgumentError:
            continue
        assert reminder.due.tzinfo is not None
        assert DueReminder.from_conf(json.loads(json.dumps(reminder.to_conf()))) == reminder
        # What the delivery does with it.
        assert isinstance(find_changed_dates(reminder), dict)
        assert find_template(reminder, "learner")
        find_cancel_reason(reminder, session(startDate=START), build_policy(BEFORE_START))
        assert key_parts(reminder)


def key_parts(reminder: DueReminder) -> list[str]:
    return [
        format_compact_text(date) for dates in (reminder.change or {"at": {}}).values() for date in dates.values()
    ] or ["x"]
