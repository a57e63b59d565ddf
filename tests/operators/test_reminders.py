"""Plan and send reminders: over a real SMTP server and the simulator, nobody twice, nobody named."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from airflow.providers.common.compat.sdk import AirflowSkipException
from airflow.sdk.exceptions import AirflowRescheduleException

from airflow_provider_learning360.api.errors import (
    FixArgumentError,
    FixConnectionError,
    SettingsError,
    TryAgainError,
)
from airflow_provider_learning360.operators.reminders import PlanSessionRemindersOperator, SendSessionReminderOperator
from airflow_provider_learning360.reminders import announced
from airflow_provider_learning360.simulator import Simulator
from smtp_server import SmtpServer

POLICY: dict[str, Any] = {
    "name": "academy",
    "max_lateness": {"hours": 6},
    "rules": [
        {"name": "day_before", "anchor": "startDate", "before": {"days": 1}, "audience": "learners"},
        {"name": "ending", "anchor": "endDate", "before": {"days": 1}, "audience": "not_completed"},
        {
            "name": "digest",
            "anchor": "startDate",
            "before": {"days": 2},
            "audience": "tutors",
            "to": "office@example.com",
            "message": "digest",
        },
        {"name": "moved", "on": "date_changed", "settle": {}, "audience": ["learners", "tutors"]},
    ],
}

pytestmark = pytest.mark.learning360_simulator(sessions=2, learners=3)


class Store(dict[str, Any]):
    """The task state store of one run."""

    def set(self, key: str, value: Any, *, retention: Any = None) -> None:
        self[key] = json.loads(json.dumps(value))


@pytest.fixture(autouse=True)
def variables(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Airflow's variables."""
    stored: dict[str, str] = {}

    class Variable:
        @staticmethod
        def get(key: str, default: Any = None) -> Any:
            return stored.get(key, default)

        @staticmethod
        def set(key: str, value: str) -> None:
            stored[key] = value

    monkeypatch.setattr("airflow.providers.common.compat.sdk.Variable", Variable, raising=False)
    return stored


@pytest.fixture
def smtp(monkeypatch: pytest.MonkeyPatch) -> Iterator[SmtpServer]:
    with SmtpServer() as server:
        connection = server.connection
        connection["extra"]["from_email"] = "Academy <academy@example.com>"
        monkeypatch.setenv("AIRFLOW_CONN_SMTP_DEFAULT", json.dumps(connection))
        yield server


def soon(**lead: int) -> str:
    """A date for which a reminder with that lead became due a minute ago."""
    moment = datetime.now(tz=UTC) + timedelta(**lead) - timedelta(minutes=1)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.000Z")


@pytest.fixture
def simulator(learning360_simulator: Simulator) -> Simulator:
    """Sessions of which nothing is due, with learners who have addresses."""
    far = (datetime.now(tz=UTC) + timedelta(days=90)).strftime("%Y-%m-%dT%H:%M:%S.000Z")
    users = [{"_id": f"{number:024x}", "mail": f"learner{number}@example.com"} for number in range(3)]
    for session_id in learning360_simulator.session_ids:
        learning360_simulator.edit(session_id, startDate=far, endDate=far, users=users, tutors=["tutor@example.com"])
    return learning360_simulator


def plan(**arguments: Any) -> list[dict[str, Any]]:
    operator = PlanSessionRemindersOperator(task_id="plan", policy=POLICY, **arguments)
    return operator.execute({})  # type: ignore[arg-type]


class Delivery:
    """A delivery run; it may be tried again, and cleared."""

    def __init__(self, conf: dict[str, Any], **arguments: Any) -> None:
        run = SimpleNamespace(conf=conf, run_id=conf.get("key"))
        self.context: Any = {"dag_run": run, "task_state_store": Store()}
        self.arguments = {"policy": POLICY, **arguments}

    def execute(self) -> dict[str, Any]:
        return SendSessionReminderOperator(task_id="send", **self.arguments).execute(self.context)


def only(items: list[dict[str, Any]], rule: str) -> dict[str, Any]:
    (item,) = [one for one in items if one["conf"]["rule"] == rule]
    return item["conf"]  # type: ignore[no-any-return]


def mails_of(simulator: Simulator, session_id: str) -> set[str]:
    return {user["mail"] for user in simulator.session(session_id)["users"]}


def test_what_is_due_is_planned_under_the_same_key_in_every_sweep(simulator: Simulator) -> None:
    session_id = simulator.session_ids[0]
    simulator.edit(session_id, startDate=soon(days=1))
    (item,) = plan()
    assert item["trigger_run_id"].startswith(f"reminder__academy__day_before__{session_id}__")
    assert plan() == plan(sessions=[session_id]) == plan(sessions=[{"_id": session_id}]) == [item]
    assert plan(sessions=[simulator.session_ids[1]]) == []
    assert "@" not in json.dumps(item)


def test_a_session_that_is_gone_is_left_out(simulator: Simulator) -> None:
    assert plan(sessions=["60b8d2956e20ae1a0f8e44f1"]) == []


def test_who_has_finished_is_asked_only_where_it_matters(simulator: Simulator) -> None:
    first, second = simulator.session_ids
    simulator.edit(first, startDate=soon(days=1))
    simulator.forget()
    plan()
    assert not any("/stats" in one.path for one in simulator.requests)
    simulator.edit(second, endDate=soon(days=1))
    for learner in simulator.statistics(second)["usersStats"]:
        simulator.finish(second, learner["mail"])
    assert "ending" not in [one["conf"]["rule"] for one in plan()]
    assert [one.path for one in simulator.requests if "/stats" in one.path] == [
        f"/api/v1/programs/sessions/{second}/stats"
    ]


def test_learners_get_it_once(simulator: Simulator, smtp: SmtpServer) -> None:
    session_id = simulator.session_ids[0]
    simulator.edit(session_id, startDate=soon(days=1), lang="fr")
    delivery = Delivery(only(plan(), "day_before"))
    result = delivery.execute()
    assert result == {**result, "sent": 3, "already": 0, "refused": [], "unknown": [], "unmailable": []}
    assert set(smtp.recipients) == mails_of(simulator, session_id)
    assert delivery.execute()["already"] == 3  # cleared
    assert len(smtp.mails) == 3
    assert len({mail.message_id for mail in smtp.mails}) == 3
    assert all(mail.sender == "academy@example.com" for mail in smtp.mails)


def test_a_moved_session_drops_the_old_reminder_and_gets_a_new_one(simulator: Simulator, smtp: SmtpServer) -> None:
    session_id = simulator.session_ids[0]
    simulator.edit(session_id, startDate=soon(days=1))
    old = only(plan(), "day_before")
    simulator.edit(session_id, startDate=soon(days=31))
    with pytest.raises(AirflowSkipException, match="startDate is .* by now"):
        Delivery(old).execute()
    (moved,) = plan()
    assert moved["conf"]["rule"] == "moved"
    assert plan() == [moved]  # still the same, for a while
    result = Delivery(moved["conf"]).execute()
    tutors = set(simulator.session(session_id)["tutors"])
    assert set(smtp.recipients) == mails_of(simulator, session_id) | tutors
    assert result["sent"] == len(set(smtp.recipients))
    simulator.edit(session_id, startDate=soon(days=1, minutes=1))
    keys = {one["trigger_run_id"] for one in plan()}
    assert old["key"] not in keys
    assert len(keys) == 2  # the reminder of the new date, and that it was moved again


def test_only_who_has_not_finished_is_reminded(simulator: Simulator, smtp: SmtpServer) -> None:
    session_id = simulator.session_ids[0]
    simulator.edit(session_id, endDate=soon(days=1))
    conf = only(plan(), "ending")
    left = {one["mail"] for one in simulator.statistics(session_id)["usersStats"] if not one["deleted"]}
    left -= {one["mail"] for one in simulator.statistics(session_id)["usersStats"] if one.get("endTime")}
    finished = left.pop()
    simulator.finish(session_id, finished)  # after it was planned
    if left:
        Delivery(conf).execute()
    assert set(smtp.recipients) == left
    for mail in left:
        simulator.finish(session_id, mail)
    with pytest.raises(AirflowSkipException, match="Nobody is left"):
        Delivery(conf).execute()


def test_tutors_get_a_digest(simulator: Simulator, smtp: SmtpServer) -> None:
    session_id = simulator.session_ids[0]
    simulator.edit(session_id, startDate=soon(days=2), tutors=["first@example.com", "second@example.com"])
    Delivery(only(plan(), "digest")).execute()
    assert set(smtp.recipients) == {"first@example.com", "second@example.com", "office@example.com"}


def test_a_refused_recipient_stops_nobody_and_is_named_by_a_hash(
    simulator: Simulator, smtp: SmtpServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    session_id = simulator.session_ids[0]
    simulator.edit(session_id, startDate=soon(days=1))
    refused, *others = sorted(mails_of(simulator, session_id))
    smtp.behaviour.refuse[refused] = 550
    result = Delivery(only(plan(), "day_before")).execute()
    assert result["sent"] == 2
    assert len(result["refused"]) == 1
    assert set(smtp.recipients) == set(others)
    written = json.dumps(result) + caplog.text
    assert not [mail for mail in (refused, *others) if mail in written or mail.partition("@")[0] in written]


def test_a_mail_that_is_refused_for_now_fails_the_task_and_is_sent_by_the_retry(
    simulator: Simulator, smtp: SmtpServer
) -> None:
    session_id = simulator.session_ids[0]
    simulator.edit(session_id, startDate=soon(days=1))
    later, *_ = sorted(mails_of(simulator, session_id))
    smtp.behaviour.refuse[later] = 450
    delivery = Delivery(only(plan(), "day_before"))
    with pytest.raises(TryAgainError, match="1 mails for now"):
        delivery.execute()
    smtp.behaviour.refuse.clear()
    assert delivery.execute()["sent"] == 1
    assert sorted(smtp.recipients) == sorted(mails_of(simulator, session_id))


def test_a_mail_server_that_is_down_is_tried_again(simulator: Simulator, smtp: SmtpServer) -> None:
    simulator.edit(simulator.session_ids[0], startDate=soon(days=1))
    delivery = Delivery(only(plan(), "day_before"))
    smtp.stop()
    with pytest.raises(TryAgainError):
        delivery.execute()
    smtp.start()
    assert delivery.execute()["sent"] == 3


def test_a_login_that_is_no_address_is_counted_and_not_guessed(simulator: Simulator, smtp: SmtpServer) -> None:
    session_id = simulator.session_ids[0]
    simulator.edit(session_id, startDate=soon(days=2), tutors=["jane#acme@example.com", "bob@example.com"])
    result = Delivery(only(plan(), "digest")).execute()
    assert set(smtp.recipients) == {"bob@example.com", "office@example.com"}
    assert len(result["unmailable"]) == 1


def test_too_late_is_too_late(simulator: Simulator, smtp: SmtpServer) -> None:
    simulator.edit(simulator.session_ids[0], startDate=soon(days=1))
    conf = only(plan(), "day_before")
    conf["due"] = "2026-01-01T08:00:00.000Z"
    with pytest.raises(AirflowSkipException, match="too late"):
        Delivery(conf).execute()
    assert smtp.mails == []


def test_a_session_that_is_gone_is_no_failure(simulator: Simulator, smtp: SmtpServer) -> None:
    simulator.edit(simulator.session_ids[0], startDate=soon(days=1))
    conf = only(plan(), "day_before")
    simulator.delete(simulator.session_ids[0])
    with pytest.raises(AirflowSkipException, match="gone"):
        Delivery(conf).execute()


def test_a_run_that_a_person_started_is_skipped_and_says_what_to_do(simulator: Simulator, smtp: SmtpServer) -> None:
    with pytest.raises(AirflowSkipException, match="this run has no reminder. Start the DAG that plans reminders"):
        Delivery({}).execute()
    with pytest.raises(FixArgumentError, match="Let the planner start the delivery"):
        Delivery({"rule": "day_before"}).execute()


def test_below_airflow_3_3_it_is_refused(simulator: Simulator, smtp: SmtpServer) -> None:
    simulator.edit(simulator.session_ids[0], startDate=soon(days=1))
    delivery = Delivery(only(plan(), "day_before"))
    del delivery.context["task_state_store"]
    with pytest.raises(FixArgumentError, match="3.3"):
        delivery.execute()


def test_without_a_sender_nothing_is_sent(
    simulator: Simulator, smtp: SmtpServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_SMTP_DEFAULT", json.dumps(smtp.connection))
    simulator.edit(simulator.session_ids[0], startDate=soon(days=1))
    conf = only(plan(), "day_before")
    with pytest.raises(FixArgumentError, match="from_email"):
        Delivery(conf).execute()
    assert Delivery(conf, sender="me@example.com").execute()["sent"] == 3


@pytest.mark.parametrize("kind", [PlanSessionRemindersOperator, SendSessionReminderOperator])
def test_a_wrong_policy_is_refused_when_the_dag_is_parsed(kind: Any) -> None:
    with pytest.raises(FixArgumentError, match="startDate"):
        kind(task_id="x", policy={"name": "x", "rules": [{"name": "y", "anchor": "start", "before": {"days": 1}}]})


def test_what_was_announced_is_kept_for_sessions_that_there_are(variables: dict[str, str]) -> None:
    from airflow_provider_learning360.reminders.policy import ReminderPolicy

    memory = announced.AnnouncedDates(ReminderPolicy.read(POLICY), "here")
    assert memory.load() == {}
    memory.save({"a": {"announced": {}}, "b": {}}, {"b"})
    assert memory.load() == {"a": {"announced": {}}}
    variables[memory.name] = "spoiled"
    assert memory.load() == {}
    without = announced.AnnouncedDates(ReminderPolicy.read({**POLICY, "rules": POLICY["rules"][:1]}), "here")
    without.save({"a": {}}, ())
    assert variables == {memory.name: "spoiled"}


def test_a_plan_of_some_sessions_forgets_nothing_of_the_others(simulator: Simulator) -> None:
    first, second = simulator.session_ids
    plan()
    plan(sessions=[first])
    simulator.edit(second, startDate=soon(days=60))
    (item,) = plan()
    assert (item["conf"]["rule"], item["conf"]["session_id"]) == ("moved", second)


@pytest.mark.parametrize("status", [403, 404])
def test_a_session_whose_statistics_fail_stops_no_other(simulator: Simulator, status: int) -> None:
    first, second = simulator.session_ids
    simulator.edit(first, endDate=soon(days=1))
    simulator.edit(second, startDate=soon(days=1))
    simulator.play({"when": {"path": f"{first}/stats"}, "do": {"status": status}})
    assert {one["conf"]["rule"] for one in plan()} == {"ending", "day_before"}


def test_no_more_than_airflow_can_map_over_and_none_that_is_delivered(
    simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__CORE__MAX_MAP_LENGTH", "1")
    first, second = simulator.session_ids
    simulator.edit(first, startDate=soon(days=1, minutes=-5))
    simulator.edit(second, startDate=soon(days=1))
    (item,) = plan()
    assert item["conf"]["session_id"] == first
    delivered = {item["trigger_run_id"]}

    class TaskInstance:
        def get_dr_count(self, dag_id: str, run_ids: list[str]) -> int:
            assert dag_id == "deliver"
            return len(delivered.intersection(run_ids))

    operator = PlanSessionRemindersOperator(task_id="plan", policy=POLICY, delivery_dag_id="deliver")
    (item,) = operator.execute({"ti": TaskInstance()})  # type: ignore[typeddict-item]
    assert item["conf"]["session_id"] == second


def test_a_second_run_with_the_same_reminder_is_refused(simulator: Simulator, smtp: SmtpServer) -> None:
    simulator.edit(simulator.session_ids[0], startDate=soon(days=1))
    delivery = Delivery(only(plan(), "day_before"))
    delivery.context["dag_run"].run_id = "manual__2026-03-01"
    with pytest.raises(FixArgumentError, match="its ID has to be that key"):
        delivery.execute()
    assert smtp.mails == []


def test_a_server_that_refuses_everybody_is_a_failure(simulator: Simulator, smtp: SmtpServer) -> None:
    session_id = simulator.session_ids[0]
    simulator.edit(session_id, startDate=soon(days=1))
    smtp.behaviour.refuse.update(dict.fromkeys(mails_of(simulator, session_id), 550))
    with pytest.raises(FixConnectionError, match="refused all of 3"):
        Delivery(only(plan(), "day_before")).execute()


def test_who_is_left_of_a_delivery_that_had_begun_gets_it_however_late(simulator: Simulator, smtp: SmtpServer) -> None:
    session_id = simulator.session_ids[0]
    simulator.edit(session_id, startDate=soon(days=1))
    later, *_ = sorted(mails_of(simulator, session_id))
    smtp.behaviour.refuse[later] = 450
    conf = only(plan(), "day_before")
    delivery = Delivery(conf)
    with pytest.raises(TryAgainError):
        delivery.execute()
    conf["due"] = "2026-01-01T08:00:00.000Z"
    smtp.behaviour.refuse.clear()
    assert delivery.execute()["sent"] == 1


def test_tutors_are_not_told_that_they_have_not_finished(simulator: Simulator, smtp: SmtpServer) -> None:
    session_id = simulator.session_ids[0]
    overdue = {
        "name": "overdue",
        "anchor": "endDate",
        "after": {"hours": 1},
        "every": {"days": 1},
        "at_most": 3,
        "escalate_to_tutors_after": 1,
        "audience": "not_completed",
    }
    policy = {"name": "late", "rules": [overdue]}
    simulator.edit(session_id, endDate=soon(days=-1, hours=-1))
    operator = PlanSessionRemindersOperator(task_id="plan", policy=policy)
    (item,) = operator.execute({})  # type: ignore[typeddict-item]
    Delivery(item["conf"], policy=policy).execute()
    subjects = {mail.recipients[0]: mail.subject for mail in smtp.mails}
    assert "tutor@example.com" in subjects
    assert len({subject for to, subject in subjects.items() if to != "tutor@example.com"}) == 1
    assert subjects["tutor@example.com"] != subjects["learner0@example.com"]


def test_what_the_policy_says_at_delivery_counts(simulator: Simulator, smtp: SmtpServer) -> None:
    simulator.edit(simulator.session_ids[0], startDate=soon(days=1))
    conf = only(plan(), "day_before")
    rule = {"name": "day_before", "anchor": "startDate", "before": {"days": 1}, "audience": "tutors"}
    Delivery(conf, policy={**POLICY, "rules": [rule]}).execute()
    assert smtp.recipients == ["tutor@example.com"]
    other = {"name": "day_before", "anchor": "endDate", "before": {"days": 1}, "audience": "learners"}
    with pytest.raises(AirflowSkipException, match="another one"):
        Delivery(conf, policy={**POLICY, "rules": [other]}).execute()


def test_a_name_is_no_way_into_a_header(simulator: Simulator, smtp: SmtpServer) -> None:
    session_id = simulator.session_ids[0]
    trick = "=?utf-8?q?x=0D=0ABcc:_evil@example.com=0D=0A=0D=0AInjected?="
    users = [{"_id": "f" * 24, "mail": "ann@example.com", "firstName": trick, "lastName": trick}]
    simulator.edit(session_id, startDate=soon(days=1), users=users, name=trick)
    Delivery(only(plan(), "day_before")).execute()
    (mail,) = smtp.mails
    head = mail.raw.split(b"\r\n\r\n")[0].lower()
    assert b"\nbcc:" not in head
    assert mail.recipients == ["ann@example.com"]


def test_who_is_not_in_the_statistics_has_not_finished(simulator: Simulator, smtp: SmtpServer) -> None:
    session_id = simulator.session_ids[0]
    simulator.edit(session_id, endDate=soon(days=1))
    known = {"mail": "learner0@example.com", "progress": 100, "endTime": "2026-03-01T08:00:00.000Z"}
    gone = {"mail": "gone@example.com", "progress": 5}
    body = {"registered": 3, "completed": 1, "usersStats": [known, gone]}
    simulator.play({"when": {"path": "/stats"}, "do": {"status": 200, "body": body}})
    Delivery(only(plan(), "ending")).execute()
    assert set(smtp.recipients) == {"learner1@example.com", "learner2@example.com"}


def test_without_an_smtp_connection_it_says_so(simulator: Simulator) -> None:
    simulator.edit(simulator.session_ids[0], startDate=soon(days=1))
    with pytest.raises(SettingsError, match="smtp_default"):
        Delivery(only(plan(), "day_before")).execute()


def test_a_template_that_is_not_there_is_refused_when_the_dag_is_parsed(tmp_path: Any) -> None:
    rule = {**POLICY["rules"][0], "template": "tomorrow"}
    policy = {**POLICY, "rules": [rule]}
    with pytest.raises(FixArgumentError, match="no mail template 'tomorrow'. Known: before_end"):
        SendSessionReminderOperator(task_id="send", policy=policy)
    with pytest.raises(FixArgumentError, match="no folder"):
        SendSessionReminderOperator(task_id="send", policy=policy, templates="nowhere")
    (tmp_path / "en").mkdir()
    (tmp_path / "en" / "tomorrow.txt").write_text("Tomorrow.")
    with pytest.raises(FixArgumentError, match=r"en/tomorrow\.subject\.txt is missing"):
        SendSessionReminderOperator(task_id="send", policy=policy, templates=str(tmp_path))
    (tmp_path / "en" / "tomorrow.subject.txt").write_text("Tomorrow")
    SendSessionReminderOperator(task_id="send", policy=policy, templates=str(tmp_path))
    SendSessionReminderOperator(task_id="send", policy=policy, templates="{{ params.mails }}")


# Quiet hours at delivery.


def quiet(when_late: str = "skip", **fields: Any) -> dict[str, Any]:
    """A policy that became quiet a minute ago, for some hours."""
    now = datetime.now(tz=UTC)
    begin, end = now - timedelta(minutes=1), now + timedelta(hours=5)
    hours = {"from": f"{begin:%H:%M}", "to": f"{end:%H:%M}", "when_late": when_late}
    return {**POLICY, "quiet_hours": hours, **fields}


def planned_before(simulator: Simulator, **lead: int) -> dict[str, Any]:
    """A reminder that was planned before the quiet hours."""
    simulator.edit(simulator.session_ids[0], startDate=soon(**(lead or {"days": 1})))
    return only(plan(), "day_before")


def test_what_is_delivered_late_waits_for_the_end_of_quiet_hours(simulator: Simulator, smtp: SmtpServer) -> None:
    from airflow.sdk.exceptions import AirflowRescheduleException

    delivery = Delivery(planned_before(simulator), policy=quiet())
    with pytest.raises(AirflowRescheduleException) as held:
        delivery.execute()
    wait = held.value.reschedule_date - datetime.now(tz=UTC)
    assert timedelta(hours=4) < wait <= timedelta(hours=5)
    assert smtp.mails == []
    delivery.arguments["policy"] = POLICY  # the quiet hours are over
    assert delivery.execute()["sent"] == 3


@pytest.mark.parametrize("when_late", ["skip", "send"])
def test_what_cannot_wait_is_decided_by_the_policy(simulator: Simulator, smtp: SmtpServer, when_late: str) -> None:
    delivery = Delivery(planned_before(simulator), policy=quiet(when_late, max_lateness={"hours": 2}))
    if when_late == "send":
        assert delivery.execute()["sent"] == 3
    else:
        with pytest.raises(AirflowSkipException, match="when_late: skip"):
            delivery.execute()
        assert smtp.mails == []


def test_a_delivery_that_has_begun_goes_on_in_quiet_hours(simulator: Simulator, smtp: SmtpServer) -> None:
    conf = planned_before(simulator)
    later, *_ = sorted(mails_of(simulator, simulator.session_ids[0]))
    smtp.behaviour.refuse[later] = 450
    delivery = Delivery(conf)
    with pytest.raises(TryAgainError):
        delivery.execute()
    smtp.behaviour.refuse.clear()
    delivery.arguments["policy"] = quiet()
    assert delivery.execute()["sent"] == 1


def test_the_planner_hands_nothing_out_in_quiet_hours(simulator: Simulator) -> None:
    planned_before(simulator)
    operator = PlanSessionRemindersOperator(task_id="plan", policy=quiet())
    assert operator.execute({}) == []  # type: ignore[typeddict-item]


# The memory of moved dates.


def test_names_of_variables_are_never_the_same() -> None:
    from airflow_provider_learning360.reminders.policy import ReminderPolicy

    def name(policy: str, conn: str) -> str:
        return announced.AnnouncedDates(ReminderPolicy.read({**POLICY, "name": policy}), conn).name

    pairs = [("onboarding", "eu_learning"), ("onboarding_eu", "learning"), ("a", "_b"), ("a", "b"), ("a", "__b_c")]
    # Some databases take a capital letter for the small one.
    pairs += [("A", "b"), ("a", "B"), ("a", ".b"), ("a", "..b"), ("a", ".B"), ("aB", "b"), ("Ab", "b"), ("a-b", "b")]
    assert len({name(*pair).lower() for pair in pairs}) == len(pairs)
    assert name("onboarding", "learning360_default") == "learning360_announced__onboarding__learning360_default"


def test_the_old_variable_is_read_until_there_is_a_new_one(variables: dict[str, str]) -> None:
    from airflow_provider_learning360.reminders.policy import ReminderPolicy

    policy = ReminderPolicy.read(POLICY)
    memory = announced.AnnouncedDates(policy, "here")
    variables[memory.old_name] = json.dumps({"a": {"announced": {}}})
    assert memory.load() == {"a": {"announced": {}}}
    memory.save(memory.load(), ())
    assert set(variables) == {memory.name, memory.old_name}
    variables[memory.old_name] = json.dumps({"b": {}})
    assert announced.AnnouncedDates(policy, "here").load() == {"a": {"announced": {}}}
    memory.save({}, ())
    assert announced.AnnouncedDates(policy, "here").load() == {}


def test_a_session_that_the_list_lacks_is_forgotten_only_if_it_is_gone(
    simulator: Simulator, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str]
) -> None:
    first, second = simulator.session_ids
    plan()
    everything = PlanSessionRemindersOperator(task_id="plan", policy=POLICY)
    listed = [one for one in everything.hook.list_program_sessions() if one.id != second]
    monkeypatch.setattr(type(everything.hook), "list_program_sessions", lambda self: listed)
    (name,) = variables
    plan()
    assert set(json.loads(variables[name])) == {first, second}
    simulator.delete(second)
    plan()
    assert set(json.loads(variables[name])) == {first}


def test_a_session_that_cannot_be_read_stops_no_other(simulator: Simulator) -> None:
    first, second = simulator.session_ids
    simulator.edit(second, startDate=soon(days=1))
    simulator.play({"when": {"path": f"{first}/"}, "do": {"status": 200, "body": [1]}})
    assert [one["conf"]["session_id"] for one in plan(sessions=[first, second])] == [second]


@pytest.mark.parametrize("registered", ["Infinity", "1180591620717411303424", None])
def test_numbers_that_are_none_to_count_with_are_not_counted(registered: Any) -> None:
    from airflow_provider_learning360.api.models import ProgramSession, SessionStatistics
    from airflow_provider_learning360.reminders.messages import render, values_of
    from airflow_provider_learning360.reminders.planner import plan as planned
    from airflow_provider_learning360.reminders.policy import ReminderPolicy

    statistics = SessionStatistics.model_construct(
        registered=registered, completed=registered, users_stats=[{"mail": "a@example.com", "progress": 100}]
    )
    session = ProgramSession.model_validate({"_id": "f" * 24, "endDate": soon(days=1)})
    found = planned([session], ReminderPolicy.read(POLICY), datetime.now(tz=UTC), statistics={session.id: statistics})
    assert [one.rule for one in found.due] == ([] if registered is None else ["ending"])
    values = values_of(session, UTC, rule="digest", statistics=statistics)
    assert values["digest"]["registered"] is None
    assert "None" not in "".join(render("tutors_digest", "en", values))


@pytest.mark.parametrize("year", ["0001", "9999"])
@pytest.mark.parametrize("field", ["due", "anchor_at"])
@pytest.mark.parametrize("time", ["12-31T23:59:59.999Z", "12-31T23:59:59.999-14:00", "01-01T00:00:00.000+14:00"])
def test_a_conf_at_the_ends_of_the_calendar_ends_with_a_sentence(
    simulator: Simulator, year: str, field: str, time: str
) -> None:
    simulator.edit(simulator.session_ids[0], startDate=soon(days=1))
    conf = only(plan(), "day_before") | {field: f"{year}-{time}"}
    with pytest.raises((AirflowSkipException, AirflowRescheduleException, FixArgumentError)):
        Delivery(conf).execute()
