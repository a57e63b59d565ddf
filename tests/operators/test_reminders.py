"""Plan and send reminders, with a real SMTP server and the simulator: no duplicates, no personal data."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.policy import default
from types import SimpleNamespace
from typing import Any

import pytest

from airflow.providers.common.compat.sdk import AirflowSkipException, TaskDeferred
from airflow.sdk.exceptions import AirflowRescheduleException

from airflow_provider_learning360.api.document_list import DocumentChoice, DocumentList
from airflow_provider_learning360.api.errors import (
    FixArgumentError,
    FixConnectionError,
    SettingsError,
    TryAgainError,
)
from airflow_provider_learning360.hooks.learning import LearningHook
from airflow_provider_learning360.memory import variables as memory_variables
from airflow_provider_learning360.operators.reminders import PlanSessionRemindersOperator, SendSessionReminderOperator
from airflow_provider_learning360.reminders import announced_dates
from airflow_provider_learning360.simulator import Simulator
from smtp_server import Accepted, SmtpServer
from versions import ONE_IN_THE_LOOP, connect

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
    """Airflow's variables, in store."""
    stored: dict[str, str] = {}
    monkeypatch.setattr(announced_dates, "read_variable", stored.get)
    monkeypatch.setattr(memory_variables, "read_variable", stored.get)
    monkeypatch.setattr(memory_variables, "write_variable", lambda name, text, _: stored.update({name: text}))
    return stored


@pytest.fixture
def smtp(monkeypatch: pytest.MonkeyPatch) -> Iterator[SmtpServer]:
    with SmtpServer() as server:
        connection = server.connection
        connection["extra"]["from_email"] = "Academy <academy@example.com>"
        monkeypatch.setenv("AIRFLOW_CONN_SMTP_DEFAULT", json.dumps(connection))
        yield server


def soon(**lead: int) -> str:
    """Return a date whose reminder with that lead became due a minute ago."""
    moment = datetime.now(tz=UTC) + timedelta(**lead) - timedelta(minutes=1)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.000Z")


@pytest.fixture(params=ONE_IN_THE_LOOP)
def simulator(
    request: pytest.FixtureRequest, learning360_simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> Simulator:
    """Sessions without a due reminder, with learners who have addresses; behind a connection of each version."""
    connect(monkeypatch, learning360_simulator, request.param, retry_attempts=1)
    far = (datetime.now(tz=UTC) + timedelta(days=90)).strftime("%Y-%m-%dT%H:%M:%S.000Z")
    users = [{"_id": f"{number:024x}", "mail": f"learner{number}@example.com"} for number in range(3)]
    for session_id in learning360_simulator.session_ids:
        learning360_simulator.edit(session_id, startDate=far, endDate=far, users=users, tutors=["tutor@example.com"])
    return learning360_simulator


def plan(**arguments: Any) -> list[dict[str, Any]]:
    operator = PlanSessionRemindersOperator(task_id="plan", **{"policy": POLICY, **arguments})
    return operator.execute({})  # type: ignore[arg-type]


class Delivery:
    """A delivery run, which can be retried and cleared."""

    def __init__(self, conf: dict[str, Any], **arguments: Any) -> None:
        run = SimpleNamespace(conf=conf, run_id=conf.get("key"))
        self.context: Any = {"dag_run": run, "task_state_store": Store()}
        self.arguments = {"policy": POLICY, **arguments}

    def execute(self) -> dict[str, Any]:
        return SendSessionReminderOperator(task_id="send", **self.arguments).execute(self.context)


def find_conf(items: list[dict[str, Any]], rule: str) -> dict[str, Any]:
    (item,) = [one for one in items if one["conf"]["rule"] == rule]
    return item["conf"]  # type: ignore[no-any-return]


def find_addresses(simulator: Simulator, session_id: str) -> set[str]:
    return {user["mail"] for user in simulator.session(session_id)["users"]}


def test_reminder_keeps_its_key_from_sweep_to_sweep(simulator: Simulator) -> None:
    session_id = simulator.session_ids[0]
    simulator.edit(session_id, startDate=soon(days=1))
    (item,) = plan()
    assert item["trigger_run_id"].startswith(f"reminder__academy__day_before__{session_id}__")
    assert plan() == plan(sessions=[session_id]) == plan(sessions=[{"_id": session_id}]) == [item]
    assert plan(sessions=[simulator.session_ids[1]]) == []
    assert "@" not in json.dumps(item)


def test_deleted_session_is_left_out(simulator: Simulator) -> None:
    assert plan(sessions=["60b8d2956e20ae1a0f8e44f1"]) == []


def test_statistics_are_read_only_where_they_matter(simulator: Simulator) -> None:
    first, second = simulator.session_ids
    simulator.edit(first, startDate=soon(days=1))
    simulator.forget()
    plan()
    assert not any(one.path.endswith("stats") for one in simulator.requests)
    simulator.edit(second, endDate=soon(days=1))
    for learner in simulator.statistics(second)["usersStats"]:
        simulator.finish(second, learner["mail"])
    assert "ending" not in [one["conf"]["rule"] for one in plan()]
    (statistics,) = [one.path for one in simulator.requests if one.path.endswith("stats")]
    assert f"/{second}/" in statistics


def test_listed_sessions_are_not_read_again(simulator: Simulator) -> None:
    for session_id in simulator.session_ids:
        simulator.edit(session_id, endDate=soon(days=1))
    simulator.forget()
    assert [one["conf"]["rule"] for one in plan()] == ["ending", "ending"]
    paths = [one.path for one in simulator.requests]
    assert sum(path in ("/api/v1/programs/sessions", "/api/v2/paths/sessions") for path in paths) == 1
    assert sum(path.endswith("stats") for path in paths) == 2
    assert not [path for path in paths if path.endswith("/") and "sessions" in path]


def test_learners_get_one_mail(simulator: Simulator, smtp: SmtpServer) -> None:
    session_id = simulator.session_ids[0]
    simulator.edit(session_id, startDate=soon(days=1), lang="fr")
    delivery = Delivery(find_conf(plan(), "day_before"))
    result = delivery.execute()
    assert result == {**result, "sent": 3, "already": 0, "refused": [], "unknown": [], "unmailable": []}
    assert set(smtp.recipients) == find_addresses(simulator, session_id)
    assert delivery.execute()["already"] == 3  # cleared
    assert len(smtp.mails) == 3
    assert len({mail.message_id for mail in smtp.mails}) == 3
    assert all(mail.sender == "academy@example.com" for mail in smtp.mails)


def test_rescheduled_session_cancels_the_old_reminder_and_gets_a_new_one(
    simulator: Simulator, smtp: SmtpServer
) -> None:
    session_id = simulator.session_ids[0]
    simulator.edit(session_id, startDate=soon(days=1))
    old = find_conf(plan(), "day_before")
    simulator.edit(session_id, startDate=soon(days=31))
    with pytest.raises(AirflowSkipException, match="startDate is .* now"):
        Delivery(old).execute()
    (moved,) = plan()
    assert moved["conf"]["rule"] == "moved"
    assert plan() == [moved]  # still the same, for a while
    result = Delivery(moved["conf"]).execute()
    tutors = set(simulator.session(session_id)["tutors"])
    assert set(smtp.recipients) == find_addresses(simulator, session_id) | tutors
    assert result["sent"] == len(set(smtp.recipients))
    simulator.edit(session_id, startDate=soon(days=1, minutes=1))
    keys = {one["trigger_run_id"] for one in plan()}
    assert old["key"] not in keys
    assert len(keys) == 2  # the reminder of the new date, and that it was moved again


def test_finished_learners_are_not_reminded(simulator: Simulator, smtp: SmtpServer) -> None:
    session_id = simulator.session_ids[0]
    simulator.edit(session_id, endDate=soon(days=1))
    conf = find_conf(plan(), "ending")
    left = {one["mail"] for one in simulator.statistics(session_id)["usersStats"] if not one["deleted"]}
    left -= {one["mail"] for one in simulator.statistics(session_id)["usersStats"] if one.get("endTime")}
    finished = left.pop()
    simulator.finish(session_id, finished)  # after it was planned
    if left:
        Delivery(conf).execute()
    assert set(smtp.recipients) == left
    for mail in left:
        simulator.finish(session_id, mail)
    with pytest.raises(AirflowSkipException, match="nobody is left"):
        Delivery(conf).execute()


def test_tutors_get_a_digest(simulator: Simulator, smtp: SmtpServer) -> None:
    session_id = simulator.session_ids[0]
    simulator.edit(session_id, startDate=soon(days=2), tutors=["first@example.com", "second@example.com"])
    Delivery(find_conf(plan(), "digest")).execute()
    assert set(smtp.recipients) == {"first@example.com", "second@example.com", "office@example.com"}


def test_refused_recipient_is_reported_as_a_hash(
    simulator: Simulator, smtp: SmtpServer, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.DEBUG)
    monkeypatch.setattr(SendSessionReminderOperator, "log", logging.getLogger("send"), raising=False)
    session_id = simulator.session_ids[0]
    simulator.edit(session_id, startDate=soon(days=1))
    refused, *others = sorted(find_addresses(simulator, session_id))
    smtp.behaviour.refuse[refused] = 550
    result = Delivery(find_conf(plan(), "day_before")).execute()
    assert result["sent"] == 2
    assert len(result["refused"]) == 1
    assert set(smtp.recipients) == set(others)
    assert "2 mails sent now, 0 before; 1 refused" in caplog.text
    written = json.dumps(result) + caplog.text
    assert not [mail for mail in (refused, *others) if mail in written or mail.partition("@")[0] in written]


def test_temporary_refusal_fails_the_task_and_the_retry_sends_the_mail(simulator: Simulator, smtp: SmtpServer) -> None:
    session_id = simulator.session_ids[0]
    simulator.edit(session_id, startDate=soon(days=1))
    later, *_ = sorted(find_addresses(simulator, session_id))
    smtp.behaviour.refuse[later] = 450
    delivery = Delivery(find_conf(plan(), "day_before"))
    with pytest.raises(TryAgainError, match="1 mail for now"):
        delivery.execute()
    smtp.behaviour.refuse.clear()
    assert delivery.execute()["sent"] == 1
    assert sorted(smtp.recipients) == sorted(find_addresses(simulator, session_id))


def test_unavailable_mail_server_is_retried(simulator: Simulator, smtp: SmtpServer) -> None:
    simulator.edit(simulator.session_ids[0], startDate=soon(days=1))
    delivery = Delivery(find_conf(plan(), "day_before"))
    smtp.stop()
    with pytest.raises(TryAgainError):
        delivery.execute()
    smtp.start()
    assert delivery.execute()["sent"] == 3


def test_login_without_an_address_is_counted(simulator: Simulator, smtp: SmtpServer) -> None:
    session_id = simulator.session_ids[0]
    simulator.edit(session_id, startDate=soon(days=2), tutors=["jane#acme@example.com", "bob@example.com"])
    result = Delivery(find_conf(plan(), "digest")).execute()
    assert set(smtp.recipients) == {"bob@example.com", "office@example.com"}
    assert len(result["unmailable"]) == 1


def test_late_reminder_is_skipped(simulator: Simulator, smtp: SmtpServer) -> None:
    simulator.edit(simulator.session_ids[0], startDate=soon(days=1))
    conf = find_conf(plan(), "day_before")
    conf["due"] = "2026-01-01T08:00:00.000Z"
    with pytest.raises(AirflowSkipException, match="longer ago than max_lateness of the policy"):
        Delivery(conf).execute()
    assert smtp.mails == []


def test_deleted_session_skips_the_delivery(simulator: Simulator, smtp: SmtpServer) -> None:
    simulator.edit(simulator.session_ids[0], startDate=soon(days=1))
    conf = find_conf(plan(), "day_before")
    simulator.delete(simulator.session_ids[0])
    with pytest.raises(AirflowSkipException, match="does not exist any more"):
        Delivery(conf).execute()


def test_run_started_by_hand_is_skipped_and_says_what_to_do(simulator: Simulator, smtp: SmtpServer) -> None:
    with pytest.raises(AirflowSkipException, match="this run has no reminder. Start the DAG that plans reminders"):
        Delivery({}).execute()
    with pytest.raises(FixArgumentError, match="Let the planning DAG start the delivery"):
        Delivery({"rule": "day_before"}).execute()


def test_missing_sender_is_named(simulator: Simulator, smtp: SmtpServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_SMTP_DEFAULT", json.dumps(smtp.connection))
    simulator.edit(simulator.session_ids[0], startDate=soon(days=1))
    conf = find_conf(plan(), "day_before")
    with pytest.raises(FixArgumentError, match="from_email"):
        Delivery(conf).execute()
    assert Delivery(conf, sender="me@example.com").execute()["sent"] == 3


@pytest.mark.parametrize("kind", [PlanSessionRemindersOperator, SendSessionReminderOperator])
def test_invalid_policy_is_refused_when_the_dag_is_parsed(kind: Any) -> None:
    with pytest.raises(FixArgumentError, match="startDate"):
        kind(task_id="x", policy={"name": "x", "rules": [{"name": "y", "anchor": "start", "before": {"days": 1}}]})


@pytest.mark.parametrize(
    ("kind", "arguments", "says"),
    [
        (PlanSessionRemindersOperator, {"conn_id": "x"}, "conn_id: .* Write learning_conn_id"),
        (
            SendSessionReminderOperator,
            {"conn_id": "x"},
            "conn_id: .* learning_conn_id for 360Learning, or smtp",
        ),
        (SendSessionReminderOperator, {"rate": 0}, "rate=0: it must be a number above 0"),
        (SendSessionReminderOperator, {"batch_size": 0}, "batch_size=0: it must be a whole number above 0"),
        (SendSessionReminderOperator, {"batch_size": True}, "batch_size=True: it must be a whole number"),
        (SendSessionReminderOperator, {"connections": "x"}, "connections='x': it must be a whole number"),
        (SendSessionReminderOperator, {"connections": 1.5}, "connections=1.5: it must be a whole number"),
        (SendSessionReminderOperator, {"rate": "fast"}, "rate='fast': it must be a number above 0"),
        (SendSessionReminderOperator, {"connections": 0}, "connections=0: it must be a whole number above 0"),
        (SendSessionReminderOperator, {"sender": "academy"}, "sender: the value is not a mail address"),
        (
            SendSessionReminderOperator,
            {"reply_to": "academy at example.com"},
            "reply_to: the value is not a mail",
        ),
    ],
)
def test_mistakes_are_found_when_the_dag_is_parsed(kind: Any, arguments: dict[str, Any], says: str) -> None:
    with pytest.raises(FixArgumentError, match=says):
        kind(task_id="x", policy=POLICY, **arguments)


def test_templates_of_addresses_are_left_to_the_run() -> None:
    SendSessionReminderOperator(task_id="x", policy=POLICY, sender="{{ var.value.sender }}", reply_to="{{ params.to }}")


def test_missing_smtp_provider_is_found_when_the_dag_is_parsed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("airflow_provider_learning360.operators.reminders.find_spec", lambda name: None)
    with pytest.raises(FixArgumentError, match=r'pip install "airflow-provider-learning360\[reminders\]"'):
        SendSessionReminderOperator(task_id="x", policy=POLICY)


def test_plan_logs_each_new_reminder_without_people(
    simulator: Simulator, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.INFO)
    monkeypatch.setattr(PlanSessionRemindersOperator, "log", logging.getLogger("plan"), raising=False)
    first, second = simulator.session_ids
    start = soon(days=1)
    simulator.edit(first, startDate=start, name="Safety\x1b[31m")
    plan()
    due_at = (datetime.fromisoformat(start) - timedelta(days=1)).isoformat(timespec="minutes")
    assert "Reminders due: 1, of these new: 1. Sessions: 2." in caplog.text
    assert f"Reminder day_before for Safety\\x1b[31m ({first}), due since {due_at}" in caplog.text
    assert "example.com" not in caplog.text
    simulator.edit(second, startDate=soon(days=1))
    monkeypatch.setattr("airflow_provider_learning360.operators.reminders.MAX_LOGGED", 1)
    plan()
    assert "And 2 more." in caplog.text


def test_announced_dates_are_kept_for_existing_sessions(variables: dict[str, str]) -> None:
    from airflow_provider_learning360.reminders.policy import ReminderPolicy

    store = announced_dates.AnnouncedDatesStore(ReminderPolicy.read(POLICY), "here")
    assert store.load() == {}
    store.save({"a": {"announced": {}}, "b": {}}, {"b"})
    assert store.load() == {"a": {"announced": {}}}
    stored = dict(variables)
    for name in stored:
        variables.update({one: "spoiled" if one == name else text for one, text in stored.items()})
        assert store.load() == {}
    without = announced_dates.AnnouncedDatesStore(ReminderPolicy.read({**POLICY, "rules": POLICY["rules"][:1]}), "here")
    without.save({"a": {}}, ())
    assert set(variables) == set(stored)


def test_plan_of_some_sessions_keeps_the_announced_dates_of_the_others(simulator: Simulator) -> None:
    first, second = simulator.session_ids
    plan()
    plan(sessions=[first])
    simulator.edit(second, startDate=soon(days=60))
    (item,) = plan()
    assert (item["conf"]["rule"], item["conf"]["session_id"]) == ("moved", second)


@pytest.mark.parametrize("status", [403, 404])
def test_unreadable_statistics_do_not_stop_other_sessions(simulator: Simulator, status: int) -> None:
    first, second = simulator.session_ids
    simulator.edit(first, endDate=soon(days=1))
    simulator.edit(second, startDate=soon(days=1))
    simulator.play({"when": {"path": f"{first}/(user-)?stats"}, "do": {"status": status}})
    assert {one["conf"]["rule"] for one in plan()} == {"ending", "day_before"}


def test_plan_is_bounded_and_leaves_out_delivered_reminders(
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


def test_second_run_of_a_reminder_is_refused(simulator: Simulator, smtp: SmtpServer) -> None:
    simulator.edit(simulator.session_ids[0], startDate=soon(days=1))
    delivery = Delivery(find_conf(plan(), "day_before"))
    delivery.context["dag_run"].run_id = "manual__2026-03-01"
    with pytest.raises(FixArgumentError, match="the run ID must be the key"):
        delivery.execute()
    assert smtp.mails == []


def test_delivery_fails_if_all_mails_are_refused(simulator: Simulator, smtp: SmtpServer) -> None:
    session_id = simulator.session_ids[0]
    simulator.edit(session_id, startDate=soon(days=1))
    smtp.behaviour.refuse.update(dict.fromkeys(find_addresses(simulator, session_id), 550))
    with pytest.raises(FixConnectionError, match=r"refused all mails \(3\)"):
        Delivery(find_conf(plan(), "day_before")).execute()


def test_mails_refused_for_now_are_retried_whatever_became_of_the_others(
    simulator: Simulator, smtp: SmtpServer
) -> None:
    session_id = simulator.session_ids[0]
    simulator.edit(session_id, startDate=soon(days=1))
    first, *others = sorted(find_addresses(simulator, session_id))
    smtp.behaviour.refuse.update({first: 550, **dict.fromkeys(others, 450)})
    with pytest.raises(TryAgainError, match="2 mails for now"):
        Delivery(find_conf(plan(), "day_before")).execute()


def test_begun_delivery_continues_however_late(simulator: Simulator, smtp: SmtpServer) -> None:
    session_id = simulator.session_ids[0]
    simulator.edit(session_id, startDate=soon(days=1))
    later, *_ = sorted(find_addresses(simulator, session_id))
    smtp.behaviour.refuse[later] = 450
    conf = find_conf(plan(), "day_before")
    delivery = Delivery(conf)
    with pytest.raises(TryAgainError):
        delivery.execute()
    conf["due"] = "2026-01-01T08:00:00.000Z"
    smtp.behaviour.refuse.clear()
    assert delivery.execute()["sent"] == 1


def test_tutors_get_another_mail_than_overdue_learners(simulator: Simulator, smtp: SmtpServer) -> None:
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


def test_policy_at_delivery_counts(simulator: Simulator, smtp: SmtpServer) -> None:
    simulator.edit(simulator.session_ids[0], startDate=soon(days=1))
    conf = find_conf(plan(), "day_before")
    rule = {"name": "day_before", "anchor": "startDate", "before": {"days": 1}, "audience": "tutors"}
    Delivery(conf, policy={**POLICY, "rules": [rule]}).execute()
    assert smtp.recipients == ["tutor@example.com"]
    other = {"name": "day_before", "anchor": "endDate", "before": {"days": 1}, "audience": "learners"}
    with pytest.raises(AirflowSkipException, match="changed since it was planned"):
        Delivery(conf, policy={**POLICY, "rules": [other]}).execute()


def test_hostile_name_adds_no_header(simulator: Simulator, smtp: SmtpServer) -> None:
    session_id = simulator.session_ids[0]
    trick = "=?utf-8?q?x=0D=0ABcc:_evil@example.com=0D=0A=0D=0AInjected?="
    users = [{"_id": "f" * 24, "mail": "ann@example.com", "firstName": trick, "lastName": trick}]
    simulator.edit(session_id, startDate=soon(days=1), users=users, name=trick)
    Delivery(find_conf(plan(), "day_before")).execute()
    (mail,) = smtp.mails
    head = mail.raw.split(b"\r\n\r\n")[0].lower()
    assert b"\nbcc:" not in head
    assert mail.recipients == ["ann@example.com"]


@pytest.mark.parametrize("simulator", ["v1"], indirect=True)  # the response is written for it
def test_learner_missing_in_the_statistics_is_reminded(simulator: Simulator, smtp: SmtpServer) -> None:
    session_id = simulator.session_ids[0]
    simulator.edit(session_id, endDate=soon(days=1))
    known = {"mail": "learner0@example.com", "progress": 100, "endTime": "2026-03-01T08:00:00.000Z"}
    gone = {"mail": "gone@example.com", "progress": 5}
    body = {"registered": 3, "completed": 1, "usersStats": [known, gone]}
    simulator.play({"when": {"path": "/stats"}, "do": {"status": 200, "body": body}})
    Delivery(find_conf(plan(), "ending")).execute()
    assert set(smtp.recipients) == {"learner1@example.com", "learner2@example.com"}


def test_missing_smtp_connection_is_named(simulator: Simulator) -> None:
    simulator.edit(simulator.session_ids[0], startDate=soon(days=1))
    with pytest.raises(SettingsError, match="smtp_default"):
        Delivery(find_conf(plan(), "day_before")).execute()


def test_unknown_template_is_refused_when_the_dag_is_parsed(tmp_path: Any) -> None:
    rule = {**POLICY["rules"][0], "template": "tomorrow"}
    policy = {**POLICY, "rules": [rule]}
    with pytest.raises(FixArgumentError, match="mail template 'tomorrow' does not exist. Available: before_end"):
        SendSessionReminderOperator(task_id="send", policy=policy)
    with pytest.raises(FixArgumentError, match="folder nowhere"):
        SendSessionReminderOperator(task_id="send", policy=policy, templates="nowhere")
    (tmp_path / "en").mkdir()
    (tmp_path / "en" / "tomorrow.txt").write_text("Tomorrow.")
    with pytest.raises(FixArgumentError, match=r"en/tomorrow\.subject\.txt is missing"):
        SendSessionReminderOperator(task_id="send", policy=policy, templates=str(tmp_path))
    (tmp_path / "en" / "tomorrow.subject.txt").write_text("Tomorrow")
    SendSessionReminderOperator(task_id="send", policy=policy, templates=str(tmp_path))
    SendSessionReminderOperator(task_id="send", policy=policy, templates="{{ params.mails }}")


# Quiet hours at delivery.


def build_quiet_policy(when_late: str = "skip", **fields: Any) -> dict[str, Any]:
    """Return a policy whose quiet hours began a minute ago and last some hours."""
    now = datetime.now(tz=UTC)
    begin, end = now - timedelta(minutes=1), now + timedelta(hours=5)
    hours = {"from": f"{begin:%H:%M}", "to": f"{end:%H:%M}", "when_late": when_late}
    return {**POLICY, "quiet_hours": hours, **fields}


def plan_before_quiet_hours(simulator: Simulator, **lead: int) -> dict[str, Any]:
    """Return a reminder that was planned before the quiet hours."""
    simulator.edit(simulator.session_ids[0], startDate=soon(**(lead or {"days": 1})))
    return find_conf(plan(), "day_before")


def test_late_delivery_waits_for_the_end_of_quiet_hours(simulator: Simulator, smtp: SmtpServer) -> None:
    from airflow.sdk.exceptions import AirflowRescheduleException

    delivery = Delivery(plan_before_quiet_hours(simulator), policy=build_quiet_policy())
    with pytest.raises(AirflowRescheduleException) as held:
        delivery.execute()
    wait = held.value.reschedule_date - datetime.now(tz=UTC)
    assert timedelta(hours=4) < wait <= timedelta(hours=5)
    assert smtp.mails == []
    delivery.arguments["policy"] = POLICY  # the quiet hours are over
    assert delivery.execute()["sent"] == 3


def test_delivery_is_deferred_where_airflow_reschedules_sensors_only(
    simulator: Simulator, smtp: SmtpServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("airflow_provider_learning360.operators.later_start.AIRFLOW_V_3_1_PLUS", False)
    delivery = Delivery(plan_before_quiet_hours(simulator), policy=build_quiet_policy())
    with pytest.raises(TaskDeferred) as held:
        delivery.execute()
    wait = held.value.trigger.moment - datetime.now(tz=UTC)  # type: ignore[attr-defined]
    assert timedelta(hours=4) < wait <= timedelta(hours=5)
    assert smtp.mails == []
    delivery.arguments["policy"] = POLICY  # the quiet hours are over
    operator = SendSessionReminderOperator(task_id="send", **delivery.arguments)
    assert getattr(operator, held.value.method_name)(delivery.context, None)["sent"] == 3


@pytest.mark.parametrize("when_late", ["skip", "send"])
def test_when_late_decides_about_what_cannot_wait(simulator: Simulator, smtp: SmtpServer, when_late: str) -> None:
    delivery = Delivery(
        plan_before_quiet_hours(simulator), policy=build_quiet_policy(when_late, max_lateness={"hours": 2})
    )
    if when_late == "send":
        assert delivery.execute()["sent"] == 3
    else:
        with pytest.raises(AirflowSkipException, match="when_late: skip"):
            delivery.execute()
        assert smtp.mails == []


def test_begun_delivery_continues_in_quiet_hours(simulator: Simulator, smtp: SmtpServer) -> None:
    conf = plan_before_quiet_hours(simulator)
    later, *_ = sorted(find_addresses(simulator, simulator.session_ids[0]))
    smtp.behaviour.refuse[later] = 450
    delivery = Delivery(conf)
    with pytest.raises(TryAgainError):
        delivery.execute()
    smtp.behaviour.refuse.clear()
    delivery.arguments["policy"] = build_quiet_policy()
    assert delivery.execute()["sent"] == 1


def test_plan_is_empty_in_quiet_hours(simulator: Simulator) -> None:
    plan_before_quiet_hours(simulator)
    operator = PlanSessionRemindersOperator(task_id="plan", policy=build_quiet_policy())
    assert operator.execute({}) == []  # type: ignore[typeddict-item]


# The announced dates.


def test_variable_names_never_collide() -> None:
    from airflow_provider_learning360.memory.variables import build_name
    from airflow_provider_learning360.reminders.policy import ReminderPolicy

    def names(policy: str, conn: str) -> tuple[str, str]:
        """Return the name of a variable, and that of an earlier version."""
        store = announced_dates.AnnouncedDatesStore(ReminderPolicy.read({**POLICY, "name": policy}), conn)
        return build_name(store.owner, announced_dates.SHARDS_KEY), store.earlier_names[0]

    pairs = [("onboarding", "eu_learning"), ("onboarding_eu", "learning"), ("a", "_b"), ("a", "b"), ("a", "__b_c")]
    # Some databases ignore case.
    pairs += [("A", "b"), ("a", "B"), ("a", ".b"), ("a", "..b"), ("a", ".B"), ("aB", "b"), ("Ab", "b"), ("a-b", "b")]
    for version in range(2):
        assert len({names(*pair)[version].lower() for pair in pairs}) == len(pairs)
    assert names("onboarding", "learning360_default")[1] == "learning360_announced__onboarding__learning360_default"


@pytest.mark.parametrize("version", range(2))
def test_old_variable_is_read_until_the_new_ones_exist(variables: dict[str, str], version: int) -> None:
    from airflow_provider_learning360.reminders.policy import ReminderPolicy

    policy = ReminderPolicy.read(POLICY)
    store = announced_dates.AnnouncedDatesStore(policy, "here")
    old_name = store.earlier_names[version]
    variables[old_name] = json.dumps({"a": {"announced": {}}})
    assert store.load() == {"a": {"announced": {}}}
    store.save(store.load(), ())
    assert variables[old_name] == json.dumps({"a": {"announced": {}}})
    variables[old_name] = json.dumps({"b": {}})
    assert announced_dates.AnnouncedDatesStore(policy, "here").load() == {"a": {"announced": {}}}
    store.save({}, ())
    assert announced_dates.AnnouncedDatesStore(policy, "here").load() == {}


def test_latest_of_the_old_variables_is_read(variables: dict[str, str]) -> None:
    from airflow_provider_learning360.reminders.policy import ReminderPolicy

    store = announced_dates.AnnouncedDatesStore(ReminderPolicy.read(POLICY), "here")
    variables.update({name: json.dumps({name: {}}) for name in store.earlier_names})
    assert list(store.load()) == [store.earlier_names[0]]


def test_session_missing_in_the_list_is_dropped_only_if_deleted(
    simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    from airflow_provider_learning360.reminders.policy import ReminderPolicy

    first, second = simulator.session_ids
    plan()
    list_documents = LearningHook.list_documents

    def lack_second(hook: LearningHook, choice: DocumentChoice, **options: Any) -> DocumentList:
        return list_documents(hook, replace(choice, matches=lambda one: one.id != second and choice.matches(one)))

    monkeypatch.setattr(LearningHook, "list_documents", lack_second)
    store = announced_dates.AnnouncedDatesStore(ReminderPolicy.read(POLICY), "learning360_default")
    plan()
    assert set(store.load()) == {first, second}
    simulator.delete(second)
    plan()
    assert set(store.load()) == {first}


@pytest.mark.parametrize("simulator", ["v2"], indirect=True)  # API v1 sends all at once
def test_only_session_that_matters_may_be_gone_meanwhile(simulator: Simulator) -> None:
    first, _ = simulator.session_ids
    simulator.edit(first, startDate=soon(days=1), automatedReminders=False)
    policy = {**POLICY, "rules": POLICY["rules"][:1], "skip_if_automated_reminders": True}
    assert [one["conf"]["session_id"] for one in plan(policy=policy)] == [first]
    simulator.play({"when": {"path": "/api/v2/paths/[0-9a-f]+$"}, "do": {"status": 404}})
    assert plan(policy=policy) == []


@pytest.mark.parametrize("simulator", ["v1"], indirect=True)  # API v2 reads a session by a filter
def test_unreadable_session_does_not_stop_the_others(simulator: Simulator) -> None:
    first, second = simulator.session_ids
    simulator.edit(second, startDate=soon(days=1))
    simulator.play({"when": {"path": f"{first}/"}, "do": {"status": 200, "body": [1]}})
    assert [one["conf"]["session_id"] for one in plan(sessions=[first, second])] == [second]


@pytest.mark.parametrize("registered", ["Infinity", "1180591620717411303424", None])
def test_numbers_out_of_range_are_not_counted(registered: Any) -> None:
    from airflow_provider_learning360.api.models import ProgramSession, SessionStatistics
    from airflow_provider_learning360.reminders.mail_templates import build_values, render
    from airflow_provider_learning360.reminders.planner import plan as planned
    from airflow_provider_learning360.reminders.policy import ReminderPolicy

    statistics = SessionStatistics.model_construct(
        registered=registered, completed=registered, users_stats=[{"mail": "a@example.com", "progress": 100}]
    )
    session = ProgramSession.model_validate({"_id": "f" * 24, "endDate": soon(days=1)})
    found = planned([session], ReminderPolicy.read(POLICY), datetime.now(tz=UTC), statistics={session.id: statistics})
    assert [one.rule for one in found.due] == ([] if registered is None else ["ending"])
    values = build_values(session, UTC, rule="digest", statistics=statistics)
    assert values["digest"]["registered"] is None
    assert "None" not in "".join(render("tutors_digest", "en", values))


@pytest.mark.parametrize("year", ["0001", "9999"])
@pytest.mark.parametrize("field", ["due", "anchor_at"])
@pytest.mark.parametrize("time", ["12-31T23:59:59.999Z", "12-31T23:59:59.999-14:00", "01-01T00:00:00.000+14:00"])
def test_conf_at_the_ends_of_the_calendar_is_a_typed_error(
    simulator: Simulator, year: str, field: str, time: str
) -> None:
    simulator.edit(simulator.session_ids[0], startDate=soon(days=1))
    conf = find_conf(plan(), "day_before") | {field: f"{year}-{time}"}
    with pytest.raises((AirflowSkipException, AirflowRescheduleException, FixArgumentError)):
        Delivery(conf).execute()


# The due dates of learners.

only_v2 = pytest.mark.parametrize("simulator", ["v2"], indirect=True)


def due_policy(**rule: Any) -> dict[str, Any]:
    rules = [{"name": "due", "anchor": "dueDate", "before": {"days": 1}, "audience": "not_completed", **rule}]
    return {**POLICY, "rules": [{key: value for key, value in one.items() if value is not None} for one in rules]}


def set_due_dates(simulator: Simulator, session_id: str, *dates: str | None, **fields: Any) -> None:
    """Give the learners of a session, whom nobody knows to have finished, due dates of their own."""
    users = [
        {"_id": f"{number + 100:024x}", "mail": f"due{number}@example.com"} | ({"dueDate": date} if date else {})
        for number, date in enumerate(dates)
    ]
    started = (datetime.now(tz=UTC) - timedelta(days=30)).strftime("%Y-%m-%dT%H:%M:%S.000Z")
    simulator.edit(session_id, users=users, startDate=started, lang="en", **fields)


def read_text(mail: Accepted) -> str:
    body = message_from_bytes(mail.raw, policy=default).get_body(("plain",))
    assert body is not None
    return str(body.get_content())


def plan_due(**rule: Any) -> list[dict[str, Any]]:
    operator = PlanSessionRemindersOperator(task_id="plan", policy=due_policy(**rule))
    return operator.execute({})  # type: ignore[typeddict-item]


@only_v2
def test_learners_with_one_due_date_share_a_reminder(simulator: Simulator, smtp: SmtpServer) -> None:
    session_id = simulator.session_ids[0]
    first, second, far = soon(days=1), soon(days=1, minutes=-5), soon(days=9)
    set_due_dates(simulator, session_id, first, second, first, far)
    items = plan_due()
    assert items == plan_due()
    assert [one["conf"]["anchor_at"] for one in items] == [second, first]
    assert len({one["trigger_run_id"] for one in items}) == 2
    assert "@" not in json.dumps(items)
    assert Delivery(items[1]["conf"], policy=due_policy()).execute()["sent"] == 2
    assert set(smtp.recipients) == {"due0@example.com", "due2@example.com"}
    assert all("is due on" in mail.subject for mail in smtp.mails)


@only_v2
def test_moved_due_date_gets_the_learner_a_new_reminder(simulator: Simulator, smtp: SmtpServer) -> None:
    session_id = simulator.session_ids[0]
    old, new = soon(days=1), soon(days=1, minutes=-5)
    set_due_dates(simulator, session_id, old, old)
    (before,) = plan_due()
    set_due_dates(simulator, session_id, old, new)
    after = next(one for one in plan_due() if one["conf"]["anchor_at"] == new)
    for conf in (before["conf"], after["conf"]):
        Delivery(conf, policy=due_policy()).execute()
    assert smtp.recipients == ["due0@example.com", "due1@example.com"]
    set_due_dates(simulator, session_id, new, new)
    with pytest.raises(
        AirflowSkipException, match=f"all learners with the due date {old} have finished, or have another due date now"
    ):
        Delivery(before["conf"], policy=due_policy(audience=["not_completed", "tutors"])).execute()


@only_v2
def test_who_finished_is_not_reminded_of_a_due_date(simulator: Simulator, smtp: SmtpServer) -> None:
    session_id = simulator.session_ids[0]
    set_due_dates(simulator, session_id, soon(days=1), soon(days=1, minutes=-5), soon(days=1, minutes=-5))
    simulator.finish(session_id, "due0@example.com")
    (item,) = plan_due(audience="learners")
    simulator.finish(session_id, "due1@example.com")  # after it was planned
    Delivery(item["conf"], policy=due_policy(audience="learners")).execute()
    assert smtp.recipients == ["due2@example.com"]


@only_v2
def test_digest_of_a_due_date_counts_its_learners_only(simulator: Simulator, smtp: SmtpServer) -> None:
    session_id, due = simulator.session_ids[0], soon(days=-1)
    set_due_dates(simulator, session_id, due, due, soon(days=5), endDate=soon(days=30))
    simulator.finish(session_id, "due0@example.com")
    rule = {"before": None, "after": {"days": 1}, "audience": ["late", "tutors"]}
    (item,) = plan_due(**rule)
    Delivery(item["conf"], policy=due_policy(**rule)).execute()
    assert set(smtp.recipients) == {"due1@example.com", "tutor@example.com"}
    (digest,) = [read_text(mail) for mail in smtp.mails if mail.subject.startswith("Overview")]
    assert "With this due date: 2" in digest
    assert "Not finished yet: 1" in digest


@only_v2
def test_due_dates_are_read_without_people_and_only_where_they_may_count(simulator: Simulator) -> None:
    over, running = simulator.session_ids
    set_due_dates(simulator, running, soon(days=1))
    set_due_dates(simulator, over, soon(days=1), endDate=soon(days=-20))
    simulator.forget()
    plan_due()
    read = [one.path.rpartition("/")[2] for one in simulator.requests if "oauth2" not in one.path]
    assert read == ["sessions", "user-stats"]
    assert f"/{running}/" in simulator.requests[-1].path


@only_v2
def test_unreadable_due_dates_do_not_stop_the_others(simulator: Simulator) -> None:
    first, second = simulator.session_ids
    for session_id in (first, second):
        set_due_dates(simulator, session_id, soon(days=1))
    simulator.play({"when": {"path": f"{first}/user-stats", "times": 1}, "do": {"status": 500}})
    assert [one["conf"]["session_id"] for one in plan_due()] == [second]
    assert {one["conf"]["session_id"] for one in plan_due()} == {first, second}  # in the next sweep


@only_v2
@pytest.mark.learning360_simulator(scopes=["paths:read"])
def test_missing_scope_for_due_dates_fails_the_task(simulator: Simulator) -> None:
    set_due_dates(simulator, simulator.session_ids[0], soon(days=1))
    with pytest.raises(FixConnectionError, match="pathStats:read"):
        plan_due()


@pytest.mark.parametrize("simulator", ["v1"], indirect=True)
def test_due_dates_are_refused_where_the_api_has_none(simulator: Simulator, smtp: SmtpServer) -> None:
    with pytest.raises(FixArgumentError, match="Learners have no due dates in API v1"):
        plan_due()
    simulator.edit(simulator.session_ids[0], startDate=soon(days=1))
    conf = find_conf(plan(), "day_before")
    conf |= {"rule": "due", "anchor": "dueDate"}
    with pytest.raises(FixArgumentError, match="Learners have no due dates in API v1"):
        Delivery(conf, policy=due_policy()).execute()
    assert smtp.mails == []


# Who is late, and who cannot be reached.


def late_policy() -> dict[str, Any]:
    rule = {"name": "late", "anchor": "endDate", "after": {"days": 1}, "audience": "late"}
    return {**POLICY, "rules": [rule]}


def test_late_learners_are_reminded_after_the_end(simulator: Simulator, smtp: SmtpServer) -> None:
    session_id = simulator.session_ids[0]
    end = soon(days=-1)
    set_due_dates(simulator, session_id, end, end, endDate=end)
    simulator.finish(session_id, "due0@example.com")
    operator = PlanSessionRemindersOperator(task_id="plan", policy=late_policy())
    (item,) = operator.execute({})  # type: ignore[typeddict-item]
    Delivery(item["conf"], policy=late_policy()).execute()
    assert smtp.recipients == ["due1@example.com"]
    simulator.finish(session_id, "due1@example.com")
    assert operator.execute({}) == []  # type: ignore[typeddict-item]


@only_v2
def test_people_without_a_mail_are_counted_one_by_one(
    simulator: Simulator, smtp: SmtpServer, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.INFO)
    monkeypatch.setattr(SendSessionReminderOperator, "log", logging.getLogger("send"), raising=False)
    session_id = simulator.session_ids[0]
    users = [
        {"_id": f"{200:024x}"},
        {"_id": f"{201:024x}"},
        {"_id": f"{202:024x}", "mail": "invited@example.com", "status": "invited"},
        {"_id": f"{203:024x}", "mail": "here@example.com"},
    ]
    simulator.edit(session_id, users=users, endDate=soon(days=1))
    result = Delivery(find_conf(plan(), "ending")).execute()
    assert smtp.recipients == ["here@example.com"]
    assert result["counts"]["unmailable"] == len(set(result["unmailable"])) == 3
    assert "1 mail sent now, 0 before; 0 refused, 3 without a mail address" in caplog.text


def test_reminders_of_360learning_replace_ours_if_wanted(simulator: Simulator) -> None:
    simulator.edit(simulator.session_ids[0], startDate=soon(days=1), automatedReminders=True)
    assert [one["conf"]["rule"] for one in plan()] == ["day_before"]
    policy = {**POLICY, "skip_if_automated_reminders": True}
    operator = PlanSessionRemindersOperator(task_id="plan", policy=policy)
    assert operator.execute({}) == []  # type: ignore[typeddict-item]


@only_v2
def test_delivery_reads_only_what_its_mails_show(simulator: Simulator, smtp: SmtpServer) -> None:
    simulator.edit(simulator.session_ids[0], startDate=soon(days=1))
    conf = find_conf(plan(), "day_before")
    simulator.forget()
    Delivery(conf).execute()
    read = [re.sub("/[0-9a-f]{24}", "", one.path) for one in simulator.requests if "oauth2" not in one.path]
    assert read == ["/api/v2/paths/sessions", "/api/v2/paths", "/api/v2/paths/enrollments", "/api/v2/users"]
