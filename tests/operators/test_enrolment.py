"""The operators that enrol and unenrol, against the simulator, through both versions of the API."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from typing import Any
from urllib.parse import quote

import pytest

from airflow_provider_learning360.api import enrolment
from airflow_provider_learning360.api.errors import (
    FixArgumentError,
    ForbiddenError,
    InvalidIdError,
    LearningError,
    NotFoundError,
    TryAgainError,
    UnavailableError,
)
from airflow_provider_learning360.api.v1 import enrolment as enrolment_v1
from airflow_provider_learning360.api.v2 import audience as audience_v2
from airflow_provider_learning360.api.v2 import enrolment as enrolment_v2
from airflow_provider_learning360.operators.enrolment import EnrolLearnersOperator, UnenrolLearnersOperator
from airflow_provider_learning360.simulator import Simulator
from versions import VERSIONS, connect, simulated

pytestmark = pytest.mark.learning360_simulator(sessions=3, learners=12)

GROUP, OTHER_GROUP = "6f" * 12, "7f" * 12
NOBODY = "0" * 24


class _TaskInstance:
    map_index = -1


CONTEXT: Any = {"ti": _TaskInstance()}


def run(kind: Any, session_id: Any, **arguments: Any) -> Any:
    return kind(task_id="change", session_id=session_id, **arguments).execute(CONTEXT)


def enrol(session_id: Any, **arguments: Any) -> Any:
    return run(EnrolLearnersOperator, session_id, **arguments)


def unenrol(session_id: Any, **arguments: Any) -> Any:
    return run(UnenrolLearnersOperator, session_id, **arguments)


def writes(simulator: Simulator) -> list[str]:
    """Methods and paths of the requests that change something, without those for tokens."""
    return [f"{one.method} {one.path}" for one in simulator.requests if one.method != "GET" and "token" not in one.path]


def learner_ids(simulator: Simulator, session_id: str) -> set[str]:
    return {one["_id"] for one in simulator.session(session_id)["users"]}


def audience_of(simulator: Simulator, session_id: str) -> dict[str, set[str]]:
    stored = simulator.session(session_id).get("audience") or {"filters": []}
    found = {one["type"]: set(one["ids"]) for one in stored["filters"]}
    return found | {"groups": set(simulator.session(session_id).get("groups") or ())}


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (enrolment_v1, enrolment_v2):
        monkeypatch.setattr(module, "WRITE_INTERVAL", 0.0)


@pytest.fixture(params=VERSIONS)
def version(request: pytest.FixtureRequest, learning360_simulator: Simulator, monkeypatch: pytest.MonkeyPatch) -> Any:
    connect(monkeypatch, learning360_simulator, request.param, retry_attempts=1)
    return request.param


@pytest.fixture
def v1(learning360_simulator: Simulator, monkeypatch: pytest.MonkeyPatch) -> None:
    connect(monkeypatch, learning360_simulator, "v1", retry_attempts=1)


@pytest.fixture
def v2(learning360_simulator: Simulator, monkeypatch: pytest.MonkeyPatch) -> None:
    connect(monkeypatch, learning360_simulator, "v2", retry_attempts=1)


@pytest.fixture
def session_id(learning360_simulator: Simulator) -> str:
    """A session that runs, and has one group."""
    found = learning360_simulator.session_ids[0]
    dates = {"startDate": "2020-01-01T00:00:00.000Z", "endDate": "2999-01-01T00:00:00.000Z"}
    learning360_simulator.edit(found, groups=[GROUP], **dates)
    return found


@pytest.fixture
def outsiders(learning360_simulator: Simulator, session_id: str) -> list[dict[str, Any]]:
    """People of the company who are not in the session."""
    inside = learner_ids(learning360_simulator, session_id)
    others = [
        one for key in learning360_simulator.session_ids[1:] for one in learning360_simulator.session(key)["users"]
    ]
    found = {one["_id"]: one for one in others if one["_id"] not in inside and one.get("mail") and "status" not in one}
    assert len(found) >= 4
    return list(found.values())


def test_people_and_groups_are_enrolled(
    version: str, learning360_simulator: Simulator, session_id: str, outsiders: list[Any]
) -> None:
    one, other = outsiders[:2]
    diff = enrol(session_id, people=[one["mail"].upper(), other["_id"]], groups=[GROUP, OTHER_GROUP])
    assert diff == {
        "session_id": session_id,
        "added": [one["_id"], other["_id"]],
        "removed": [],
        "unchanged": 1,
        "groupsAdded": [OTHER_GROUP],
        "groupsRemoved": [],
        "dryRun": False,
    }
    assert {one["_id"], other["_id"]} <= learner_ids(learning360_simulator, session_id)
    assert learning360_simulator.session(session_id)["groups"] == [GROUP, OTHER_GROUP]
    json.dumps(diff)


def test_people_and_groups_are_unenrolled(
    version: str, learning360_simulator: Simulator, session_id: str, outsiders: list[Any]
) -> None:
    learners = learning360_simulator.session(session_id)["users"]
    diff = unenrol(session_id, people=[learners[0]["mail"], learners[1]["_id"], outsiders[0]["mail"]], groups=[GROUP])
    gone = {learners[0]["_id"], learners[1]["_id"]}
    assert (set(diff["removed"]), diff["added"], diff["groupsRemoved"]) == (gone, [], [GROUP])
    assert diff["unchanged"] == 1
    assert not gone & learner_ids(learning360_simulator, session_id)
    assert learning360_simulator.session(session_id)["groups"] == []


@pytest.mark.parametrize("kind", [EnrolLearnersOperator, UnenrolLearnersOperator])
def test_second_run_writes_nothing(
    version: str, kind: Any, learning360_simulator: Simulator, session_id: str, outsiders: list[Any]
) -> None:
    learner = learning360_simulator.session(session_id)["users"][0]
    arguments = {"people": [outsiders[0]["mail"], learner["_id"]], "groups": [GROUP]}
    run(kind, session_id, **arguments)
    before = learning360_simulator.session(session_id)
    learning360_simulator.forget()
    diff = run(kind, session_id, **arguments)
    assert writes(learning360_simulator) == []
    assert diff["added"] + diff["removed"] + diff["groupsAdded"] + diff["groupsRemoved"] == []
    assert diff["unchanged"] == 3
    assert learning360_simulator.session(session_id) == before


@pytest.mark.parametrize("kind", [EnrolLearnersOperator, UnenrolLearnersOperator])
def test_dry_run_writes_nothing(
    version: str, kind: Any, learning360_simulator: Simulator, session_id: str, outsiders: list[Any]
) -> None:
    learners = learning360_simulator.session(session_id)["users"]
    arguments: Any = {"people": [outsiders[0]["mail"], learners[0]["_id"]], "groups": [GROUP, OTHER_GROUP]}
    dry = run(kind, session_id, **arguments, dry_run=True)
    assert writes(learning360_simulator) == []
    assert dry["dryRun"] is True
    assert run(kind, session_id, **arguments) == dry | {"dryRun": False}


@pytest.mark.parametrize("kind", [EnrolLearnersOperator, UnenrolLearnersOperator])
def test_unknown_people_fail_before_anything_is_written(
    version: str,
    kind: Any,
    learning360_simulator: Simulator,
    session_id: str,
    outsiders: list[Any],
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    people = [outsiders[0]["mail"], "nobody.here@example.com", outsiders[1]["_id"], "no.one@example.com"]
    with pytest.raises(FixArgumentError) as failed:
        run(kind, session_id, people=people, groups=[OTHER_GROUP])
    assert "people: 2 of 4 people are unknown to the company of the connection (items 2 and 4)" in str(failed.value)
    assert "Nothing was written" in str(failed.value)
    assert "@" not in str(failed.value)
    assert writes(learning360_simulator) == []


def test_unknown_id_is_refused(version: str, learning360_simulator: Simulator, session_id: str) -> None:
    with pytest.raises(FixArgumentError, match=r"1 of 1 people is unknown .*\(item 1\)"):
        enrol(session_id, people=[NOBODY])
    assert unenrol(session_id, people=[NOBODY])["unchanged"] == 1
    assert writes(learning360_simulator) == []


def test_deleted_person_is_not_enrolled(version: str, session_id: str) -> None:
    with pytest.raises(FixArgumentError, match="1 of 1 people is unknown"):
        enrol(session_id, people=["former.learner1@example.com"])


def test_many_people_take_one_look_up(
    version: str, learning360_simulator: Simulator, session_id: str, outsiders: list[Any]
) -> None:
    mails = [one["mail"] for one in outsiders]
    extra = [f"extra{number}@example.com" for number in range(15)]
    learning360_simulator.edit(learning360_simulator.session_ids[2], users=[{"mail": one} for one in extra])
    learning360_simulator.forget()
    diff = enrol(session_id, people=[*mails, *extra])
    assert len(diff["added"]) == len(mails) + 15
    users = [one for one in learning360_simulator.requests if one.path.rstrip("/").endswith("/users")]
    assert sum("sessions" not in one.path for one in users) == 1


def test_earlier_tasks_give_documents(
    version: str, learning360_simulator: Simulator, session_id: str, outsiders: list[Any]
) -> None:
    one, other, third, fourth = outsiders[:4]
    items = [
        {"userId": one["_id"], "mail": one["mail"], "isLate": True},
        {"userId": None, "mail": other["mail"]},
        {"_id": third["_id"], "mail": third["mail"]},
        fourth["mail"],
        {"userId": one["_id"]},
    ]
    diff = enrol({"_id": session_id}, people=items, groups=[{"_id": OTHER_GROUP}])
    assert diff["added"] == [person["_id"] for person in (one, other, third, fourth)]
    assert diff["groupsAdded"] == [OTHER_GROUP]


@pytest.mark.parametrize("write", [json.dumps, str, ", ".join, "\n".join])
def test_rendered_text_is_a_list(version: str, write: Any, session_id: str, outsiders: list[Any]) -> None:
    people = [one["mail"] for one in outsiders[:3]]
    task = EnrolLearnersOperator(task_id="change", session_id=session_id, people="{{ people }}", groups="{{ groups }}")
    task.render_template_fields({**CONTEXT, "people": write(people), "groups": write([OTHER_GROUP])})
    diff = task.execute(CONTEXT)
    assert (len(diff["added"]), diff["groupsAdded"]) == (3, [OTHER_GROUP])


def test_rendered_people_are_not_shown(session_id: str, outsiders: list[Any], v1: None) -> None:
    from airflow.sdk.execution_time.task_runner import _serialize_rendered_fields

    people = [one["mail"] for one in outsiders[:3]]
    task = EnrolLearnersOperator(task_id="change", session_id=session_id, people=[*people[:2], "{{ third }}"])
    context: Any = {**CONTEXT, "third": people[2]}
    task.render_template_fields(context)
    assert _serialize_rendered_fields(task)["people"] == "3 people (not shown)"
    task.render_template_fields(context)
    assert len(task.execute(CONTEXT)["added"]) == 3


def test_rendered_people_are_rendered_once(session_id: str) -> None:
    task = EnrolLearnersOperator(task_id="change", session_id=session_id, people="{{ people }}")
    context: Any = {**CONTEXT, "people": "<{{ secret }}>", "secret": "someone@example.com"}
    task.render_template_fields(context)
    task.render_template_fields(context)
    with pytest.raises(FixArgumentError, match="names? nobody"):
        task.execute(CONTEXT)


def test_template_without_a_value_is_refused(session_id: str) -> None:
    task = EnrolLearnersOperator(task_id="change", session_id=session_id, people="{{ none }}")
    task.render_template_fields(CONTEXT)
    with pytest.raises(FixArgumentError, match="people: the template {{ none }} gave None"):
        task.execute(CONTEXT)


def test_dry_run_may_be_a_template(
    version: str, learning360_simulator: Simulator, session_id: str, outsiders: list[Any]
) -> None:
    task = EnrolLearnersOperator(
        task_id="change", session_id=session_id, people=[outsiders[0]["_id"]], dry_run="{{ is_test }}"
    )
    assert task.execute({**CONTEXT, "is_test": True})["dryRun"] is True
    assert writes(learning360_simulator) == []


def test_nobody_is_nothing_to_do(version: str, learning360_simulator: Simulator, session_id: str) -> None:
    assert enrol(session_id, people=[])["added"] == []
    assert writes(learning360_simulator) == []


def test_log_and_result_hold_no_mail_address(
    version: str,
    learning360_simulator: Simulator,
    session_id: str,
    outsiders: list[Any],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    caplog.set_level(logging.DEBUG)
    for kind in (EnrolLearnersOperator, UnenrolLearnersOperator):
        monkeypatch.setattr(kind, "log", logging.getLogger("task"))
    people = [one["mail"] for one in outsiders[:3]]
    results = [enrol(session_id, people=people), unenrol(session_id, people=people)]
    assert "enrolled 3 people and 0 groups; 0 as wanted already" in caplog.text
    assert "unenrolled 3 people" in caplog.text
    assert "/users" in caplog.text  # the HTTP library logs URLs
    shown = caplog.text + json.dumps(results)
    assert not [one for one in people for form in (one, quote(one, safe="")) if form in shown]
    assert not [name for one in people if (name := one.partition("@")[0]) in shown]


def test_missing_session_is_an_error(version: str) -> None:
    with pytest.raises(NotFoundError):
        enrol(NOBODY, groups=[GROUP])


# When the DAG is parsed


@pytest.mark.parametrize(
    ("arguments", "error", "text"),
    [
        ({}, FixArgumentError, "EnrolLearnersOperator got neither people nor groups"),
        ({"people": ["ann@example.com", "ann"]}, FixArgumentError, "people: item 2 names nobody"),
        ({"people": [1, {"name": "Ann"}]}, FixArgumentError, "people: items 1 and 2 name nobody"),
        ({"people": 5}, FixArgumentError, "people: a value of type int is not a list"),
        ({"people": "[ann@example.com"}, FixArgumentError, "people: the text that begins with \\["),
        ({"groups": ["sales"]}, FixArgumentError, "groups: item 1, 'sales', is not the ID of a group"),
        ({"groups": [GROUP], "dry_run": "yes"}, FixArgumentError, "dry_run: it is neither true nor false"),
        ({"groups": [GROUP], "session_id": "x"}, InvalidIdError, "session_id: 'x' is not the ID"),
    ],
)
def test_mistake_is_found_when_the_dag_is_parsed(arguments: Any, error: Any, text: str) -> None:
    with pytest.raises(error, match=text) as failed:
        EnrolLearnersOperator(task_id="change", **{"session_id": "5f" * 12, **arguments})
    assert "ann" not in str(failed.value)


def test_mapped_people_are_checked_when_the_dag_is_parsed() -> None:
    partial = EnrolLearnersOperator.partial(task_id="change", session_id="5f" * 12)
    with pytest.raises(FixArgumentError, match="people: item 1 names nobody"):
        partial.expand(people=[["ann@example.com"], ["ann"]])


# Failures between


def test_v1_retry_completes_what_was_begun(
    v1: None, learning360_simulator: Simulator, session_id: str, outsiders: list[Any]
) -> None:
    people = [one["_id"] for one in outsiders[:4]]
    learning360_simulator.play({"when": {"method": "PUT", "after_requests": 2}, "do": {"status": 503}})
    with pytest.raises(UnavailableError, match="Before that, 2 of 4 people and groups were written. A retry"):
        enrol(session_id, people=people)
    assert len(learner_ids(learning360_simulator, session_id) & set(people)) == 2
    learning360_simulator.stop_scenarios()
    learning360_simulator.forget()
    diff = enrol(session_id, people=people)
    assert (diff["added"], diff["unchanged"]) == (people[2:], 2)
    assert len(writes(learning360_simulator)) == 2
    assert set(people) <= learner_ids(learning360_simulator, session_id)


def test_killed_task_completes_in_its_retry(
    version: str,
    learning360_simulator: Simulator,
    session_id: str,
    outsiders: list[Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    people = [one["_id"] for one in outsiders[:3]]
    task = EnrolLearnersOperator(task_id="change", session_id=session_id, people=people)
    send, sent = task.hook._send, []

    def send_and_die(request: Any, *args: Any) -> Any:
        response = send(request, *args)
        if request.method == "PUT":
            sent.append(request.path)
            raise KeyboardInterrupt
        return response

    monkeypatch.setattr(task.hook, "_send", send_and_die)
    with pytest.raises(KeyboardInterrupt):
        task.execute(CONTEXT)
    assert len(sent) == 1
    diff = enrol(session_id, people=people)
    assert len(diff["added"]) + diff["unchanged"] == 3
    assert diff["unchanged"] >= 1
    assert set(people) <= learner_ids(learning360_simulator, session_id)


@pytest.mark.parametrize("status", [503, 429])
def test_failed_write_is_repeated(
    status: int,
    learning360_simulator: Simulator,
    monkeypatch: pytest.MonkeyPatch,
    session_id: str,
    outsiders: list[Any],
) -> None:
    for api_version in VERSIONS:
        connect(monkeypatch, learning360_simulator, api_version, retry_attempts=2)
        monkeypatch.setattr("time.sleep", lambda _: None)
        learning360_simulator.play({"when": {"method": "PUT", "times": 1}, "do": {"status": status}})
        assert enrol(session_id, people=[outsiders[VERSIONS.index(api_version)]["_id"]])["added"]


def test_v1_learner_who_left_meanwhile_is_done(v1: None, learning360_simulator: Simulator, session_id: str) -> None:
    learner = learning360_simulator.session(session_id)["users"][0]
    gone = {"status": 404, "body": {"error": "user_not_enrolled"}}
    learning360_simulator.play({"when": {"method": "DELETE", "times": 1}, "do": gone})
    assert unenrol(session_id, people=[learner["mail"]])["removed"] == [learner["_id"]]


def test_v1_other_404_is_an_error(v1: None, learning360_simulator: Simulator, session_id: str) -> None:
    learner = learning360_simulator.session(session_id)["users"][0]
    learning360_simulator.play({"when": {"method": "DELETE"}, "do": {"status": 404}})
    with pytest.raises(NotFoundError):
        unenrol(session_id, people=[learner["mail"]])


def test_v1_says_who_stays_because_of_a_group(
    v1: None,
    learning360_simulator: Simulator,
    session_id: str,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(UnenrolLearnersOperator, "log", logging.getLogger("task"))
    learner = learning360_simulator.session(session_id)["users"][0]
    learning360_simulator.play({"when": {"method": "DELETE"}, "do": {"status": 204}})
    unenrol(session_id, people=[learner["mail"]])
    assert "1 of the people are still learners: they are probably in a group of the session" in caplog.text


def test_v1_paths_hold_ids_only(
    v1: None, learning360_simulator: Simulator, session_id: str, outsiders: list[Any]
) -> None:
    enrol(session_id, people=[one["mail"] for one in outsiders[:2]])
    assert [one.rpartition("/")[2] for one in writes(learning360_simulator)] == [one["_id"] for one in outsiders[:2]]


def test_v1_writes_are_paced(v1: None, session_id: str, outsiders: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []
    monkeypatch.setattr(enrolment_v1, "WRITE_INTERVAL", enrolment.WRITE_INTERVAL)
    monkeypatch.setattr("time.sleep", waits.append)
    enrol(session_id, people=[one["mail"] for one in outsiders[:3]])
    assert waits == [enrolment.WRITE_INTERVAL] * 2


# The audience of API v2


def put_audience(simulator: Simulator, session_id: str, mode: str = "dynamic", **ids: list[str]) -> None:
    filters = [{"type": kind, "ids": listed} for kind, listed in ids.items()]
    simulator.edit(session_id, audience={"mode": mode, "filters": filters}, groups=ids.get("groups", []))


def test_v2_audience_keeps_all_else(
    v2: None, learning360_simulator: Simulator, session_id: str, outsiders: list[Any]
) -> None:
    one, other, third = (person["_id"] for person in outsiders[:3])
    put_audience(
        learning360_simulator, session_id, "dynamicEnrollment", users=[one], excludedLearners=[third], groups=[GROUP]
    )
    learning360_simulator.forget()
    assert enrol(session_id, people=[other])["added"] == [other]
    assert learning360_simulator.session(session_id)["audience"]["mode"] == "dynamicEnrollment"
    assert audience_of(learning360_simulator, session_id) == {
        "users": {one, other},
        "groups": {GROUP},
        "excludedLearners": {third},
    }
    assert len(writes(learning360_simulator)) == 1


def test_v2_requests(v2: None, learning360_simulator: Simulator, session_id: str, outsiders: list[Any]) -> None:
    arguments = {"people": [one["mail"] for one in outsiders[:3]], "groups": [OTHER_GROUP]}
    for expected in (
        "GET sessions, GET audiences, GET users, PUT audiences, GET audiences, GET enrollments",
        "GET sessions, GET audiences, GET users",
    ):
        learning360_simulator.forget()
        enrol(session_id, **arguments)
        seen = [f"{one.method} {one.path.rpartition('/')[2]}" for one in learning360_simulator.requests]
        assert ", ".join(one for one in seen if "token" not in one) == expected


def test_v2_enrolling_ends_an_exclusion(
    v2: None, learning360_simulator: Simulator, session_id: str, outsiders: list[Any]
) -> None:
    one = outsiders[0]["_id"]
    put_audience(learning360_simulator, session_id, users=[one], excludedLearners=[one])
    assert enrol(session_id, people=[one])["added"] == [one]
    assert audience_of(learning360_simulator, session_id) == {"users": {one}, "groups": set()}


def test_v2_learner_of_a_group_is_excluded(
    v2: None,
    learning360_simulator: Simulator,
    session_id: str,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(UnenrolLearnersOperator, "log", logging.getLogger("task"))
    learner = learning360_simulator.session(session_id)["users"][0]
    assert unenrol(session_id, people=[learner["mail"]])["removed"] == [learner["_id"]]
    assert audience_of(learning360_simulator, session_id)["excludedLearners"] == {learner["_id"]}
    assert "1 of the people are excluded from now on, so that no group enrols them again" in caplog.text


def test_v2_learner_of_no_group_is_not_excluded(
    v2: None, learning360_simulator: Simulator, session_id: str, outsiders: list[Any]
) -> None:
    one, other = outsiders[0]["_id"], outsiders[1]["_id"]
    put_audience(learning360_simulator, session_id)
    enrol(session_id, people=[one, other])
    assert unenrol(session_id, people=[one])["removed"] == [one]
    assert audience_of(learning360_simulator, session_id) == {"users": {other}, "groups": set()}
    assert one not in learner_ids(learning360_simulator, session_id)


def test_v2_named_learner_of_a_session_with_groups_is_excluded(
    v2: None, learning360_simulator: Simulator, session_id: str, outsiders: list[Any]
) -> None:
    one = outsiders[0]["_id"]
    enrol(session_id, people=[one])
    assert unenrol(session_id, people=[one])["removed"] == [one]
    assert audience_of(learning360_simulator, session_id) == {"groups": {GROUP}, "excludedLearners": {one}}


def test_v2_unknown_keys_of_a_filter_are_kept() -> None:
    one, other = "a" * 24, "b" * 24
    before = {
        "mode": "manual",
        "filters": [{"type": "new", "ids": [one]}, {"type": "users", "ids": [one.upper()], "x": 1}],
    }
    after = audience_v2.parse_audience(before).change("users", added=[one, other])
    assert json.loads(after.body)["filters"] == [
        before["filters"][0],
        {"type": "users", "ids": [one.upper(), other], "x": 1},
    ]
    assert json.loads(after.change("users", removed=[one, other]).body)["filters"] == [before["filters"][0]]
    assert after.change("users", added=[one], removed=["c" * 24]) is after


def test_v2_self_enrolled_learner_is_unenrolled(v2: None, learning360_simulator: Simulator, session_id: str) -> None:
    learner = learning360_simulator.session(session_id)["users"][8]
    assert unenrol(session_id, people=[learner["_id"]])["removed"] == [learner["_id"]]
    assert [one.partition("/self-")[2] for one in writes(learning360_simulator)] == [f"enrollments/{learner['_id']}"]
    assert learner["_id"] not in learner_ids(learning360_simulator, session_id)


def test_v2_two_users_of_one_mail_are_refused(
    v2: None, learning360_simulator: Simulator, session_id: str, outsiders: list[Any]
) -> None:
    shared = {"mail": outsiders[0]["mail"]}
    learning360_simulator.edit(learning360_simulator.session_ids[2], users=[{"_id": "9a" * 12} | shared])
    with pytest.raises(FixArgumentError, match=r"1 of 2 people is named by a mail .* write their IDs \(item 2\)"):
        enrol(session_id, people=[outsiders[1]["mail"], outsiders[0]["mail"]])
    assert writes(learning360_simulator) == []


@pytest.mark.parametrize(
    ("code", "advice"),
    [
        ("sessionIsNotAudienceBuilder", "not made with the Audience Builder. Add the people to a group of the session"),
        ("unsupportedAudienceFilter", "has a filter that API v2 does not support. Add the people to a group"),
    ],
)
def test_v2_session_without_audience_is_refused_with_the_way_out(
    v2: None, learning360_simulator: Simulator, session_id: str, outsiders: list[Any], code: str, advice: str
) -> None:
    if code == "unsupportedAudienceFilter":
        body = {"error": {"code": code, "message": "No."}}
        learning360_simulator.play({"when": {"path": "/audiences"}, "do": {"status": 400, "body": body}})
    else:
        learning360_simulator.edit(session_id, groups=...)
    with pytest.raises(FixArgumentError) as failed:
        enrol(session_id, people=[outsiders[0]["mail"]])
    assert f"returned 400: {code}. " in str(failed.value)
    assert advice in str(failed.value)
    assert "add-user-to-group" in str(failed.value)
    assert writes(learning360_simulator) == []


def test_v2_ended_session_is_refused(
    v2: None, learning360_simulator: Simulator, session_id: str, outsiders: list[Any]
) -> None:
    learning360_simulator.edit(session_id, endDate="2020-01-02T00:00:00.000Z")
    with pytest.raises(FixArgumentError, match="sessionEnded. The session has ended.* Create a new session"):
        enrol(session_id, people=[outsiders[0]["mail"]])


@pytest.mark.parametrize(("kind", "limit"), [("users", 20_000), ("groups", 5_000)])
def test_v2_limits_are_checked_before_writing(
    v2: None, learning360_simulator: Simulator, session_id: str, outsiders: list[Any], kind: str, limit: int
) -> None:
    assert audience_v2.MAX_IDS[kind] == limit
    put_audience(learning360_simulator, session_id, **{kind: [f"{number:024x}" for number in range(1, limit + 1)]})
    arguments: Any = {"people": [outsiders[0]["_id"]]} if kind == "users" else {"groups": ["e" * 24]}
    learning360_simulator.forget()
    with pytest.raises(FixArgumentError, match=f"would have {limit + 1:,} IDs in {kind}, and API v2 takes {limit:,}"):
        enrol(session_id, **arguments)
    with pytest.raises(FixArgumentError, match="API v2 takes"):
        enrol(session_id, **arguments, dry_run=True)
    assert writes(learning360_simulator) == []


def _race(monkeypatch: pytest.MonkeyPatch, simulator: Simulator, session_id: str, times: int, other: str) -> list[int]:
    """Let another writer replace the audience after each of our writes, so many times."""
    write, count = enrolment_v2.write_audience, [0]

    def write_and_lose(path: str, audience: Any) -> Any:
        yield from write(path, audience)
        count[0] += 1
        if count[0] <= times:
            put_audience(simulator, session_id, users=[other], groups=[GROUP])

    monkeypatch.setattr(enrolment_v2, "write_audience", write_and_lose)
    return count


def test_v2_lost_write_is_written_again(
    v2: None, learning360_simulator: Simulator, session_id: str, outsiders: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, other = outsiders[0]["_id"], outsiders[1]["_id"]
    count = _race(monkeypatch, learning360_simulator, session_id, 1, other)
    assert enrol(session_id, people=[ours])["added"] == [ours]
    assert count == [2]
    assert audience_of(learning360_simulator, session_id)["users"] == {ours, other}


def test_v2_write_that_is_lost_twice_is_an_error(
    v2: None, learning360_simulator: Simulator, session_id: str, outsiders: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    count = _race(monkeypatch, learning360_simulator, session_id, 9, outsiders[1]["_id"])
    with pytest.raises(TryAgainError, match="was accepted 2 times, but the audience does not have all") as failed:
        enrol(session_id, people=[outsiders[0]["_id"]])
    assert count == [2]
    assert failed.value.retryable


@pytest.mark.breaks_contract("an audience that cannot be read", responses=True)
def test_v2_unreadable_audience_is_not_written(
    v2: None, learning360_simulator: Simulator, session_id: str, outsiders: list[Any]
) -> None:
    body = {"mode": "dynamic", "filters": [{"type": "users", "ids": [{"id": 1}]}]}
    learning360_simulator.play({"when": {"path": "/audiences"}, "do": {"status": 200, "body": body}})
    with pytest.raises(LearningError, match="so nothing was written"):
        enrol(session_id, people=[outsiders[0]["_id"]])
    assert writes(learning360_simulator) == []


@pytest.mark.parametrize("missing", ["paths:write", "users:read"])
def test_v2_missing_scope_is_named(monkeypatch: pytest.MonkeyPatch, missing: str) -> None:
    scopes = {"paths:read", "paths:write", "users:read"} - {missing}
    with simulated(monkeypatch, "v2", sessions=2, learners=3, scopes=scopes) as simulator:
        session = simulator.session_ids[0]
        simulator.edit(session, endDate="2999-01-01T00:00:00.000Z", groups=[GROUP])
        mail = simulator.session(simulator.session_ids[1])["users"][0]["mail"]
        with pytest.raises(ForbiddenError, match=f"lacks the scope {missing}, which is needed for"):
            enrol(session, people=[mail], groups=[OTHER_GROUP])


@pytest.mark.slow
def test_v1_process_that_is_killed_completes_in_its_retry(
    v1: None, learning360_simulator: Simulator, session_id: str, outsiders: list[Any]
) -> None:
    people = [one["_id"] for one in outsiders[:4]]
    code = (
        "import sys\n"
        "from airflow_provider_learning360.operators.enrolment import EnrolLearnersOperator\n"
        "task = EnrolLearnersOperator(task_id='change', session_id=sys.argv[1], people=sys.argv[2:])\n"
        "task.execute({'ti': None})\n"
    )
    # The third person gets no response before the process is killed.
    learning360_simulator.play({"when": {"method": "PUT", "after_requests": 2, "times": 1}, "do": {"delay": 60}})
    child = subprocess.Popen([sys.executable, "-c", code, session_id, *people], stderr=subprocess.DEVNULL)
    try:
        learning360_simulator.wait_for(lambda simulator: len(writes(simulator)) >= 3, timeout=60)
    finally:
        child.kill()
        child.wait()
    learning360_simulator.stop_scenarios()
    assert len(learner_ids(learning360_simulator, session_id) & set(people)) < 4
    diff = enrol(session_id, people=people)
    assert set(people) <= learner_ids(learning360_simulator, session_id)
    assert len(diff["added"]) + diff["unchanged"] == 4
    assert diff["unchanged"] >= 2
