"""Reminders about the due dates of learners, and to learners who are late."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_learning360.api.errors import FixArgumentError
from airflow_provider_learning360.api.models import ProgramSession, SessionStatistics, format_date
from airflow_provider_learning360.reminders.compose import find_template
from airflow_provider_learning360.reminders.due_dates import may_remind_of_due_date
from airflow_provider_learning360.reminders.mail_templates import build_values, check_templates, render
from airflow_provider_learning360.reminders.planner import Plan, plan
from airflow_provider_learning360.reminders.policy import ReminderPolicy
from airflow_provider_learning360.reminders.recipients import Recipients, find_recipients
from airflow_provider_learning360.reminders.reminder import DueReminder, format_compact
from airflow_provider_learning360.reminders.validity import find_cancel_reason

ID = "60b8d2956e20ae1a0f8e44f1"
NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
SOON, LATER, OVER = NOW + DAY, NOW + DAY - HOUR, NOW - DAY


def build_policy(*rules: dict[str, Any], **fields: Any) -> ReminderPolicy:
    complete = [
        {"name": f"rule{place}", "anchor": "dueDate", "audience": "not_completed", **rule}
        for place, rule in enumerate(rules)
    ]
    return ReminderPolicy.read({"name": "test", "rules": complete, **fields})


BEFORE: dict[str, Any] = {"before": {"days": 1}}
AFTER: dict[str, Any] = {"after": {"days": 1}}


def session(**fields: Any) -> ProgramSession:
    dates = {key: format_date(value) if isinstance(value, datetime) else value for key, value in fields.items()}
    return ProgramSession.model_validate({"_id": ID, **dates})


def learner(number: int, due: datetime | None = None, status: str = "onTime", **fields: Any) -> dict[str, Any]:
    date = {} if due is None else {"dueDate": format_date(due)}
    return {"userId": str(number), "mail": f"u{number}@example.com", "status": status, **date, **fields}


def statistics(*learners: dict[str, Any]) -> SessionStatistics:
    return SessionStatistics.from_json({"registered": len(learners), "usersStats": list(learners)})


def plan_due(policy: ReminderPolicy, *learners: dict[str, Any], now: datetime = NOW, **fields: Any) -> Plan:
    return plan([session(**fields)], policy, now, statistics={ID: statistics(*learners)})


def recipients(policy: ReminderPolicy, *learners: dict[str, Any], users: Any = None, **options: Any) -> Recipients:
    listed = users or [{"_id": one["userId"], "mail": one.get("mail")} for one in learners]
    return find_recipients(policy.rules[0], session(), statistics(*learners), listed, **options)


def test_each_due_date_is_one_reminder() -> None:
    known = [learner(1, SOON), learner(2, LATER), learner(3, SOON), learner(4, NOW + 9 * DAY), learner(5)]
    found = plan_due(build_policy(BEFORE), *known)
    assert [one.anchor_at for one in found.due] == [format_date(LATER), format_date(SOON)]
    assert [one.key for one in found.due] == [
        f"reminder__test__rule0__{ID}__{format_compact(date)}" for date in (LATER, SOON)
    ]
    (skipped,) = found.skipped
    assert skipped.anchor_at == format_date(NOW + 9 * DAY)
    assert skipped.due == NOW + 8 * DAY


@pytest.mark.parametrize(
    "one",
    [
        learner(1, SOON, "successful"),
        learner(1, SOON, deleted=True),
        learner(1),
        learner(1, datetime(9999, 12, 31, tzinfo=UTC)),
        learner(1) | {"dueDate": "soon"},
        learner(1, OVER),
    ],
)
def test_no_reminder_without_an_open_due_date(one: dict[str, Any]) -> None:
    assert plan_due(build_policy(BEFORE), one).due == []


def test_due_dates_that_were_not_read_are_skipped() -> None:
    found = plan([session()], build_policy(BEFORE), NOW)
    assert [one.reason for one in found.skipped] == ["the due dates of its learners were not read"]
    found = plan_due(build_policy(BEFORE), learner(1))
    assert [one.reason for one in found.skipped] == ["no unfinished learner has a due date"]


def test_overdue_reminders_repeat_and_escalate() -> None:
    rule = {**AFTER, "every": {"days": 2}, "at_most": 3, "escalate_to_tutors_after": 1}
    policy = build_policy(rule)
    (first,) = plan_due(policy, learner(1, NOW - DAY)).due
    (second,) = plan_due(policy, learner(1, NOW - 3 * DAY)).due
    assert (first.occurrence, first.audience) == (0, ("not_completed",))
    assert (second.occurrence, second.audience) == (1, ("not_completed", "tutors"))
    assert second.key.endswith(f"__{format_compact(NOW - 3 * DAY)}__1")


def test_closest_reminder_of_each_due_date_goes_out() -> None:
    policy = build_policy(BEFORE, {"before": {"hours": 23}}, max_lateness={"hours": 3})
    found = plan_due(policy, learner(1, SOON), learner(2, SOON - 2 * HOUR))
    assert {(one.rule, one.anchor_at) for one in found.due} == {
        ("rule0", format_date(SOON)),
        ("rule1", format_date(SOON - 2 * HOUR)),
    }
    (superseded,) = [one for one in found.skipped if "closer" in one.reason]
    assert (superseded.rule, superseded.anchor_at) == ("rule0", format_date(SOON - 2 * HOUR))
    assert (
        len(plan_due(policy.model_copy(update={"when_several_are_due": "all"}), learner(2, SOON - 2 * HOUR)).due) == 2
    )


@pytest.mark.parametrize("wide", ["learners", "not_completed"])
def test_late_learners_are_among_the_others(wide: str) -> None:
    rules = [
        {"anchor": "endDate", "after": {"days": 1}, "audience": "late"},
        {"anchor": "endDate", "after": {"hours": 23}, "audience": wide},
    ]
    found = plan_due(build_policy(*rules), learner(1, OVER), endDate=NOW - DAY)
    assert [one.rule for one in found.due] == ["rule0"]


def test_reminder_to_late_learners_needs_one() -> None:
    policy = build_policy({"anchor": "endDate", "before": {"days": 1}, "audience": "late"})
    punctual = plan_due(policy, learner(1, LATER), endDate=SOON)
    assert [one.reason for one in punctual.skipped] == ["no learner is late"]
    assert len(plan_due(policy, learner(1, OVER), endDate=SOON).due) == 1
    incomplete = SessionStatistics.from_json({"registered": 2, "usersStats": [learner(1, LATER)]})
    assert len(plan([session(endDate=SOON)], policy, NOW, statistics={ID: incomplete}).due) == 1


def test_conf_keeps_the_due_date() -> None:
    (reminder,) = plan_due(build_policy(BEFORE), learner(1, SOON)).due
    read = DueReminder.from_conf(json.loads(json.dumps(reminder.to_conf())))
    assert read.due_date == SOON
    assert read == reminder


def test_reminder_of_a_due_date_is_cancelled_when_it_is_over_or_the_rule_changed() -> None:
    policy = build_policy(BEFORE)
    (reminder,) = plan_due(policy, learner(1, SOON)).due
    assert find_cancel_reason(reminder, session(endDate=OVER), policy, now=NOW) is None
    assert "it is too late" in (find_cancel_reason(reminder, session(), policy, now=SOON) or "")
    other = build_policy({**BEFORE, "anchor": "endDate"})
    assert "changed since it was planned" in (find_cancel_reason(reminder, session(), other, now=NOW) or "")


def test_cancel_reason_names_the_policy_or_the_rule() -> None:
    policy = build_policy(BEFORE)
    (reminder,) = plan_due(policy, learner(1, SOON)).due
    renamed = policy.model_copy(update={"name": "other"})
    assert find_cancel_reason(reminder, session(), renamed) == (
        f"it was planned with policy {policy.name!r}, and this task has policy 'other'"
    )
    without = policy.model_copy(update={"rules": []})
    assert find_cancel_reason(reminder, session(), without) == (
        f"policy {policy.name!r} has no rule {reminder.rule!r} any more"
    )


def test_recipients_share_the_due_date_and_have_not_finished() -> None:
    known = [
        learner(1, SOON),
        learner(2, LATER),
        learner(3, SOON, "successful"),
        learner(4),
        learner(5, SOON, deleted=True),
    ]
    for audience in ("learners", "not_completed"):
        found = recipients(build_policy({**BEFORE, "audience": audience}), *known, due_date=SOON)
        assert [one.mail for one in found.mailable] == ["u1@example.com"]
    # One whom the statistics lack has no known due date.
    stranger = [{"_id": "9", "mail": "u9@example.com"}]
    assert recipients(build_policy(BEFORE), *known, users=stranger, due_date=SOON).mailable == ()


def test_late_recipients_are_those_after_their_due_date() -> None:
    policy = build_policy({**AFTER, "audience": "late"})
    known = [learner(1, OVER), learner(2, SOON), learner(3, OVER, "successful"), learner(4, status="late")]
    found = recipients(policy, *known, now=NOW)
    assert [one.mail for one in found.mailable] == ["u1@example.com", "u4@example.com"]
    with pytest.raises(FixArgumentError, match=r"now: it is missing"):
        recipients(policy, *known)


def test_learners_are_matched_by_id_before_mail() -> None:
    policy = build_policy(BEFORE)
    # The second has the first one's old address, and the third has no ID in the statistics.
    known = [
        learner(1, SOON, "successful", mail="new@example.com"),
        learner(2, SOON, mail="old@example.com"),
        {"mail": "third@example.com", "status": "successful"},
    ]
    users = [
        {"_id": "1", "mail": "old@example.com"},
        {"_id": "2", "mail": "two@example.com"},
        {"_id": "3", "mail": "Third@example.com"},
        {"mail": "old@example.com"},
    ]
    found = recipients(policy, *known, users=users)
    assert [(one.user_id, one.mail) for one in found.mailable] == [("2", "two@example.com"), (None, "old@example.com")]


def test_people_without_a_mail_stay_apart() -> None:
    policy = build_policy({**BEFORE, "audience": ["learners", "not_completed"], "anchor": "endDate"})
    known = [{"userId": "1", "status": "successful"}, {"userId": "2", "status": "onTime"}, {"status": "successful"}]
    users = [{"_id": "1"}, {"_id": "2"}, {}, {}]
    found = recipients(policy, *known, users=users)
    assert [one.user_id for one in found.unmailable] == ["1", "2", None, None, None, None]
    only_left = build_policy({**BEFORE, "anchor": "endDate"})
    assert [one.user_id for one in recipients(only_left, *known, users=users[:2]).unmailable] == ["2"]


@pytest.mark.parametrize("language", ["en", "fr"])
@pytest.mark.parametrize(("rule", "role"), [(BEFORE, "learner"), (AFTER, "learner"), (AFTER, "tutor")])
def test_mail_shows_the_due_date_and_not_the_end(language: str, rule: dict[str, Any], role: str) -> None:
    date = SOON if rule is BEFORE else OVER
    (reminder,) = plan_due(build_policy(rule), learner(1, date), endDate=NOW + 99 * DAY).due
    values = build_values(session(endDate=NOW + 99 * DAY), UTC, rule="x", due_date=reminder.due_date)
    text = render(find_template(reminder, role), language, values)
    day = {SOON: "2 ", OVER: "31 "}[date]
    for part in (text.text, text.html):
        assert f"{day}{'juin' if language == 'fr' and date is SOON else 'mai' if language == 'fr' else ''}" in part
        assert ("September" in part or "septembre" in part) == (role == "tutor")


@pytest.mark.parametrize(
    ("rule", "problem"),
    [
        ({**BEFORE, "audience": "late"}, "audience: nobody is late before their dueDate"),
        ({**BEFORE, "anchor": "duedate"}, "did you mean dueDate"),
        ({"audience": "learners"}, "startDate, endDate or dueDate"),
    ],
)
def test_policy_explains_mistakes(rule: dict[str, Any], problem: str) -> None:
    with pytest.raises(FixArgumentError, match=problem):
        build_policy(rule)


def test_own_template_may_rely_on_the_due_date(tmp_path: Any) -> None:
    (tmp_path / "en").mkdir()
    (tmp_path / "en" / "own.subject.txt").write_text("{{ due_date.year }}")
    (tmp_path / "en" / "own.txt").write_text("Until {{ due_date | when }}, {{ digest.not_completed + 1 }}")
    (rule,) = build_policy({**BEFORE, "template": "own"}).rules
    check_templates(rule, str(tmp_path))
    (other,) = build_policy({**BEFORE, "anchor": "endDate", "template": "own"}).rules
    with pytest.raises(FixArgumentError, match="cannot be rendered"):
        check_templates(other, str(tmp_path))


def test_schema_offers_the_due_date() -> None:
    schema = json.dumps(ReminderPolicy.json_schema())
    assert '"dueDate"' in schema
    assert '"late"' in schema


moments = st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1)).map(lambda one: one.replace(tzinfo=UTC))
# Start, due date and end of a session; two of them may be the same.
periods = st.tuples(moments, moments, moments, st.sampled_from([(0, 1, 2), (0, 0, 2), (0, 2, 2)])).map(
    lambda drawn: [sorted(drawn[:3])[place] for place in drawn[3]]
)
lengths = st.fixed_dictionaries({"days": st.integers(0, 60), "hours": st.integers(1, 23)})
rules = st.one_of(
    st.fixed_dictionaries({"before": lengths}),
    st.fixed_dictionaries({"after": lengths}),
    st.fixed_dictionaries({"after": lengths, "every": lengths, "at_most": st.integers(1, 9)}),
)


@settings(deadline=None, max_examples=300)
@given(rules, periods, st.sampled_from([["mon"], ["mon", "fri"]]), st.data())
def test_every_due_reminder_is_in_a_session_that_is_read(
    rule: dict[str, Any], dates: list[datetime], days: list[str], data: st.DataObject
) -> None:
    start, due, end = dates
    policy = build_policy(rule, working_days=days, time_zone="Europe/Paris", max_lateness={"days": 20})
    later = plan_due(policy, learner(1, due), now=start - 99 * DAY, startDate=start, endDate=end)
    planned = next((one.due for one in later.skipped if one.due), start)
    now = planned + data.draw(st.sampled_from([0, 5, 14 * 24])) * HOUR  # two weeks later is a working day again
    known = session(startDate=start, endDate=end)
    if plan_due(policy, learner(1, due), now=now, startDate=start, endDate=end).due:
        assert may_remind_of_due_date(policy, known, now)
        assert may_remind_of_due_date(policy, known, now - 90 * DAY, now + DAY)


@pytest.mark.parametrize("rule", [BEFORE, AFTER, {**AFTER, "every": {"days": 5}, "at_most": 3}])
def test_sessions_long_over_or_far_ahead_are_not_read(rule: dict[str, Any]) -> None:
    policy = build_policy(rule)
    assert may_remind_of_due_date(policy, session(), NOW)
    assert not may_remind_of_due_date(policy, session(startDate=NOW - 99 * DAY, endDate=NOW - 40 * DAY), NOW)
    assert not may_remind_of_due_date(policy, session(startDate=NOW + 40 * DAY), NOW)
    assert may_remind_of_due_date(policy, session(startDate=NOW + 40 * DAY), NOW, NOW + 40 * DAY)
    assert may_remind_of_due_date(policy, session(endDate="9999-12-31T00:00:00.000Z"), NOW)
    assert not may_remind_of_due_date(build_policy({**rule, "anchor": "endDate"}), session(), NOW)
    own = build_policy(rule, skip_if_automated_reminders=True)
    assert not may_remind_of_due_date(own, session(automatedReminders=True), NOW)
