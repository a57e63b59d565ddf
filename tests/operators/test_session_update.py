"""The operator that changes fields of a session, against the simulator, through both versions of the API."""

from __future__ import annotations

import json
import logging
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pytest

from airflow_provider_learning360.api.errors import (
    ContractError,
    FixArgumentError,
    ForbiddenError,
    NotFoundError,
    TryAgainError,
)
from airflow_provider_learning360.operators.session_update import UpdateProgramSessionOperator
from airflow_provider_learning360.simulator import Simulator
from versions import VERSIONS, connect, simulated

pytestmark = pytest.mark.learning360_simulator(sessions=3, learners=12)

START, END = "2020-01-01T08:00:00.000Z", "2999-01-01T08:00:00.000Z"
MOVED = "2999-06-01T06:30:00.000Z"
NOBODY = "0" * 24
DAY = date(2026, 3, 1)


class _TaskInstance:
    map_index = -1


CONTEXT: Any = {"ti": _TaskInstance()}


def build(session_id: Any, wanted: Any, **arguments: Any) -> UpdateProgramSessionOperator:
    return UpdateProgramSessionOperator(task_id="change", session_id=session_id, set=wanted, **arguments)


def change(session_id: Any, wanted: Any, **arguments: Any) -> Any:
    return build(session_id, wanted, **arguments).execute(CONTEXT)


def writes(simulator: Simulator) -> list[str]:
    return [one.method for one in simulator.requests if one.method != "GET" and "token" not in one.path]


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
    """A session that runs."""
    found = learning360_simulator.session_ids[0]
    learning360_simulator.edit(found, name=" Safety\n", startDate=START, endDate=END, hasUserLimit=True, userLimit=20)
    return found


@pytest.fixture
def people(learning360_simulator: Simulator, session_id: str) -> list[dict[str, Any]]:
    """People who can be tutors."""
    return [one for one in learning360_simulator.session(session_id)["users"] if one.get("mail")]


def test_only_what_differs_is_written(version: str, learning360_simulator: Simulator, session_id: str) -> None:
    diff = change(session_id, {"startDate": START, "endDate": MOVED, "userLimit": "25", "name": "Safety"})
    assert diff == {
        "session_id": session_id,
        "changed": ["endDate", "userLimit"],
        "before": {"endDate": END, "userLimit": 20},
        "after": {"endDate": MOVED, "userLimit": 25},
        "dryRun": False,
    }
    assert writes(learning360_simulator) == ["PATCH"]
    body = next(one.body for one in learning360_simulator.requests if one.method == "PATCH")
    assert b"startDate" not in body
    assert b"name" not in body
    session = learning360_simulator.session(session_id)
    assert (session["endDate"], session["userLimit"], session["name"]) == (MOVED, 25, " Safety\n")


def test_all_fields(version: str, learning360_simulator: Simulator, session_id: str, people: list[Any]) -> None:
    before = learning360_simulator.session(session_id)
    field = before["customFields"][0]
    field_id = field.get("customFieldId") or field["_id"]
    wanted = {
        "name": "Safety & health",
        "startDate": "2020-02-01T09:00:00+01:00",
        "endDate": datetime(2999, 6, 1, 6, 30, tzinfo=UTC),
        "tutors": [people[1]["mail"], people[0]["_id"]],
        "userLimit": 7,
        "sessionCustom": "Room 4, zweiter Stock: größer",
        "customFields": {field_id: "4711"},
    }
    diff = change(session_id, wanted)
    assert diff["changed"] == list(wanted)
    assert diff["after"] == {"startDate": "2020-02-01T08:00:00.000Z", "endDate": MOVED, "userLimit": 7}
    session = learning360_simulator.session(session_id)
    assert (session["name"], session["sessionCustom"]) == (wanted["name"], wanted["sessionCustom"])
    assert set(session["tutors"]) == {people[0]["mail"], people[1]["mail"]}
    assert session["customFields"] == [{**field, "value": "4711"}, *before["customFields"][1:]]
    learning360_simulator.forget()
    again = change(session_id, wanted)
    assert (again["changed"], again["before"], again["after"]) == ([], {}, {})
    assert writes(learning360_simulator) == []


def test_dry_run_writes_nothing(
    version: str, learning360_simulator: Simulator, session_id: str, people: list[Any]
) -> None:
    wanted = {"endDate": MOVED, "tutors": [people[0]["mail"]], "sessionCustom": "x"}
    dry = change(session_id, wanted, dry_run=True)
    assert writes(learning360_simulator) == []
    assert dry["changed"] == ["endDate", "tutors", "sessionCustom"]
    assert change(session_id, wanted) == dry | {"dryRun": False}


def test_null_clears(version: str, learning360_simulator: Simulator, session_id: str) -> None:
    learning360_simulator.edit(session_id, sessionCustom="Room 4")
    diff = change(session_id, {"userLimit": None, "sessionCustom": None})
    assert (diff["changed"], diff["after"]) == (["userLimit", "sessionCustom"], {"userLimit": None})
    session = learning360_simulator.session(session_id)
    assert (session["hasUserLimit"], session["sessionCustom"]) == (False, "")
    learning360_simulator.forget()
    assert change(session_id, {"userLimit": None, "sessionCustom": ""})["changed"] == []


def test_v2_clears_the_end(v2: None, learning360_simulator: Simulator, session_id: str) -> None:
    assert change(session_id, {"endDate": None})["after"] == {"endDate": None}
    assert "endDate" not in learning360_simulator.session(session_id)


def test_v1_refuses_to_clear_the_end(v1: None, learning360_simulator: Simulator, session_id: str) -> None:
    with pytest.raises(FixArgumentError, match="set.endDate: API v1 cannot clear the end.*or use API v2"):
        change(session_id, {"endDate": None, "name": "x"})
    assert writes(learning360_simulator) == []


def test_unknown_tutor_is_refused_before_anything_is_written(
    version: str, learning360_simulator: Simulator, session_id: str, people: list[Any]
) -> None:
    wanted = {"endDate": MOVED, "tutors": [people[0]["mail"], "nobody.here@example.com", NOBODY]}
    with pytest.raises(FixArgumentError, match=r"set.tutors: 2 of 3 people are unknown .*\(items 2 and 3\)") as failed:
        change(session_id, wanted)
    assert "@" not in str(failed.value)
    assert writes(learning360_simulator) == []


def test_v2_first_tutor_is_the_main_instructor(
    v2: None, learning360_simulator: Simulator, session_id: str, people: list[Any]
) -> None:
    one, other, third = people[:3]
    change(session_id, {"tutors": [one["mail"], other["mail"], third["mail"]]})
    learning360_simulator.forget()
    assert change(session_id, {"tutors": [one["mail"], third["mail"], other["mail"]]})["changed"] == []
    assert change(session_id, {"tutors": [third["mail"], one["mail"]]})["changed"] == ["tutors"]
    assert learning360_simulator.session(session_id)["tutors"] == [third["mail"], one["mail"]]


def test_custom_fields_keep_the_others(version: str, learning360_simulator: Simulator, session_id: str) -> None:
    ids = [one["_id"] for one in _definitions(learning360_simulator)]
    kept = [{"customFieldId": ids[0], "value": "A"}, {"_id": ids[1], "value": "B"}]
    learning360_simulator.edit(session_id, customFields=kept)
    diff = change(
        session_id, {"customFields": [{"customFieldId": ids[1], "value": None}, {"_id": ids[2], "value": DAY}]}
    )
    assert (diff["changed"], diff["before"], diff["after"]) == (["customFields"], {}, {})
    values = {one.get("customFieldId") or one["_id"]: one["value"] for one in _custom_fields(learning360_simulator)}
    assert values == {ids[0]: "A", ids[1]: "", ids[2]: "2026-03-01"}
    assert len(writes(learning360_simulator)) == 1
    # Whether API v1 replaces all values is not documented, so all are sent.
    body = next(one.body for one in learning360_simulator.requests if one.method in ("PATCH", "PUT"))
    assert ids[0].encode() in body


def _definitions(simulator: Simulator) -> list[dict[str, Any]]:
    return list(simulator._sessions.custom_fields.values())


def _custom_fields(simulator: Simulator) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = simulator.session(simulator.session_ids[0])["customFields"]
    return found


def test_v2_unknown_custom_field_is_refused(v2: None, learning360_simulator: Simulator, session_id: str) -> None:
    with pytest.raises(FixArgumentError, match="set.customFields: 5f5f.* is not among the custom fields"):
        change(session_id, {"customFields": {"5f" * 12: "x"}, "name": "x"})
    assert writes(learning360_simulator) == []


@pytest.mark.breaks_contract("a value without a type", responses=True)
def test_v2_unreadable_custom_value_is_not_lost(v2: None, learning360_simulator: Simulator, session_id: str) -> None:
    field_id = _definitions(learning360_simulator)[0]["_id"]
    body = [{"customFieldId": field_id, "type": "string", "value": "A"}, {"customFieldId": field_id, "value": 1}]
    learning360_simulator.play({"when": {"path": "custom-fields/values"}, "do": {"status": 200, "body": body}})
    with pytest.raises(ContractError, match="writing the others would lose it"):
        change(session_id, {"customFields": {field_id: "x"}})
    assert writes(learning360_simulator) == []


@pytest.mark.parametrize(
    ("code", "advice"),
    [
        ("sessionEnded", "The session has ended, and 360Learning does not change it any more. Create a new session."),
        ("childPathSession", "part of a session of another path. Change that session instead."),
        ("unsupportedEndDateUpdate", "does not let `endDate` of this session change. Leave it out of `set`."),
        ("invalidStartOrEndDate", "`startDate` must be before `endDate`."),
    ],
)
def test_v2_refusal_says_what_to_do(
    v2: None, learning360_simulator: Simulator, session_id: str, code: str, advice: str
) -> None:
    body = {"error": {"code": code, "message": "No."}}
    learning360_simulator.play({"when": {"method": "PATCH"}, "do": {"status": 400, "body": body}})
    with pytest.raises(FixArgumentError) as failed:
        change(session_id, {"endDate": MOVED})
    assert f"returned 400: {code}. " in str(failed.value)
    assert advice in str(failed.value)


@pytest.mark.parametrize("is_dry", [False, True])
@pytest.mark.parametrize("wanted", [{"startDate": END}, {"endDate": START}, {"endDate": "2000-01-01"}])
def test_start_after_the_end_is_refused_before_anything_is_written(
    version: str, learning360_simulator: Simulator, session_id: str, wanted: Any, is_dry: bool
) -> None:
    with pytest.raises(
        FixArgumentError, match=r"set: startDate .* would not be before endDate .*Nothing was written\."
    ):
        change(session_id, wanted, dry_run=is_dry)
    assert writes(learning360_simulator) == []


def test_write_without_effect_is_an_error(version: str, learning360_simulator: Simulator, session_id: str) -> None:
    body = {} if version == "v1" else json.loads(_path_session(learning360_simulator, session_id))
    learning360_simulator.play({"when": {"method": "PATCH"}, "do": {"status": 200, "body": body}})
    with pytest.raises(TryAgainError, match="accepted the change .* but endDate did not take the new value"):
        change(session_id, {"endDate": MOVED})


def _path_session(simulator: Simulator, session_id: str) -> bytes:
    from airflow_provider_learning360.simulator.path_sessions import PathSessions

    sessions = PathSessions(simulator._sessions, simulator._now)
    return sessions.full_body(simulator._sessions.record(session_id))


def test_failed_write_is_repeated(
    learning360_simulator: Simulator, monkeypatch: pytest.MonkeyPatch, session_id: str
) -> None:
    monkeypatch.setattr("time.sleep", lambda _: None)
    for number, api_version in enumerate(VERSIONS):
        connect(monkeypatch, learning360_simulator, api_version, retry_attempts=2)
        learning360_simulator.play({"when": {"method": "PATCH", "times": 1}, "do": {"drop": True}})
        assert change(session_id, {"userLimit": 30 + number})["changed"] == ["userLimit"]


def test_killed_task_completes_in_its_retry(
    version: str, learning360_simulator: Simulator, session_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    field_id = _definitions(learning360_simulator)[0]["_id"]
    wanted = {"endDate": MOVED, "customFields": {field_id: "new"}}
    task = build(session_id, wanted)
    send = task.hook._send

    def send_and_die(request: Any, *args: Any) -> Any:
        response = send(request, *args)
        if request.method == "PATCH":
            raise KeyboardInterrupt
        return response

    monkeypatch.setattr(task.hook, "_send", send_and_die)
    with pytest.raises(KeyboardInterrupt):
        task.execute(CONTEXT)
    change(session_id, wanted)
    assert learning360_simulator.session(session_id)["endDate"] == MOVED
    assert "new" in [one["value"] for one in _custom_fields(learning360_simulator)]


def test_log_and_result_hold_no_people_and_no_texts(
    version: str,
    learning360_simulator: Simulator,
    session_id: str,
    people: list[Any],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    caplog.set_level(logging.INFO)
    monkeypatch.setattr(UpdateProgramSessionOperator, "log", logging.getLogger("task"))
    diff = change(
        session_id,
        {"endDate": MOVED, "userLimit": None, "tutors": [people[0]["mail"]], "sessionCustom": "Ask Ann on 555-0100"},
    )
    assert "changed endDate, userLimit, tutors, sessionCustom." in caplog.text
    assert f"endDate: {END} -> {MOVED}" in caplog.text
    assert "userLimit: 20 -> none" in caplog.text
    assert " -> 1 person" in caplog.text
    assert "sessionCustom: the text differs" in caplog.text
    assert not [one for one in ("@", "555-0100") if one in caplog.text + json.dumps(diff)]


def test_templates_are_rendered_and_tutors_are_not_shown(
    version: str, learning360_simulator: Simulator, session_id: str, people: list[Any]
) -> None:
    from airflow.sdk.execution_time.task_runner import _serialize_rendered_fields

    wanted = {"endDate": "{{ moved }}", "userLimit": "{{ seats }}", "tutors": "{{ tutors }}"}
    task = build("{{ session }}", wanted)
    context = {"session": session_id, "moved": MOVED, "seats": 5, "tutors": [one["mail"] for one in people[:2]]}
    task.render_template_fields({**CONTEXT, **context})
    shown = _serialize_rendered_fields(task)
    assert shown["set"] == {"endDate": MOVED, "userLimit": "5", "tutors": "people (not shown)"}
    diff = task.execute(CONTEXT)
    assert diff["changed"] == ["endDate", "userLimit", "tutors"]
    assert learning360_simulator.session(session_id)["userLimit"] == 5


def test_rendered_values_are_rendered_once(version: str, learning360_simulator: Simulator, session_id: str) -> None:
    task = build(session_id, {"sessionCustom": "{{ text }}"})
    for _ in range(2):
        task.render_template_fields({**CONTEXT, "text": "{{ 7*7 }}"})
    task.execute(CONTEXT)
    assert learning360_simulator.session(session_id)["sessionCustom"] == "{{ 7*7 }}"


def test_whole_mapping_may_be_a_template(version: str, session_id: str) -> None:
    task = build(session_id, "{{ wanted }}")
    task.render_template_fields({**CONTEXT, "wanted": json.dumps({"userLimit": 3})})
    assert task.execute(CONTEXT)["after"] == {"userLimit": 3}


def test_missing_session_is_an_error(version: str) -> None:
    with pytest.raises(NotFoundError):
        change(NOBODY, {"userLimit": 3})


@pytest.mark.parametrize("missing", ["paths:write", "customFields:read"])
def test_v2_missing_scope_is_named(monkeypatch: pytest.MonkeyPatch, missing: str) -> None:
    scopes = {"paths:read", "paths:write", "customFields:read"} - {missing}
    with simulated(monkeypatch, "v2", sessions=1, learners=3, scopes=scopes) as simulator:
        session = simulator.session_ids[0]
        field_id = _definitions(simulator)[0]["_id"]
        simulator.edit(session, endDate=END, customFields=[])
        with pytest.raises(ForbiddenError, match=f"lacks the scope {missing}, which is needed for"):
            change(session, {"userLimit": 3, "customFields": {field_id: "x"}})


@pytest.mark.parametrize(
    ("wanted", "text"),
    [
        ({}, "set: it names no field"),
        ([], "set: it is not a mapping of names and values"),
        ({"endDte": END}, r"set: 'endDte' cannot be changed; did you mean endDate\?"),
        ({"modifiedAt": END}, r"set: 'modifiedAt' cannot be changed\. Fields that can be are name, startDate"),
        ({"additionalInformation": "x"}, "set: 'additionalInformation' cannot be changed; use sessionCustom. Fields"),
        ({"startDate": None}, "set.startDate: None is not a time"),
        ({"startDate": "tomorrow", "name": "{{ x }}"}, "set.startDate: 'tomorrow' is not a time"),
        (
            {"startDate": MOVED, "endDate": "2020-01-01"},
            "startDate .* would not be before endDate 2020-01-01T00:00:00.000Z",
        ),
        ({"name": " "}, "set.name: ' ' is not a text with a character in it"),
        ({"tutors": []}, "set.tutors: a session has 1 to 101 tutors; 0 were given"),
        ({"tutors": ["ann"]}, "set.tutors: item 1 names nobody"),
        ({"userLimit": 0}, "set.userLimit: 0 is not a number of seats"),
        ({"userLimit": True}, "set.userLimit: True is not a number of seats"),
        ({"sessionCustom": 5}, "set.sessionCustom: a value of type int is not a text"),
        ({"customFields": {"Cost centre": "5"}}, "set.customFields: 'Cost centre' is not the ID of a custom field"),
        ({"customFields": {"5f" * 12: ["5"]}}, "set.customFields.5f5f.*: a value of type list is not a text"),
    ],
)
def test_mistake_is_found_when_the_dag_is_parsed(wanted: Any, text: str) -> None:
    with pytest.raises(FixArgumentError, match=text):
        build("5f" * 12, wanted)


def test_mapped_values_are_checked_when_the_dag_is_parsed() -> None:
    partial = UpdateProgramSessionOperator.partial(task_id="change", session_id="5f" * 12)
    with pytest.raises(FixArgumentError, match="set: 'end' cannot be changed"):
        partial.expand(set=[{"endDate": END}, {"end": END}])


@pytest.mark.parametrize(
    "moment",
    [
        "2999-06-01T06:30:00Z",
        "2999-06-01T08:30:00+02:00",
        "2999-06-01T06:30",
        datetime(2999, 6, 1, 6, 30),
        datetime(2999, 6, 1, 8, 30, 0, 999, tzinfo=timezone(timedelta(hours=2))),
    ],
)
def test_same_moment_is_no_change(version: str, learning360_simulator: Simulator, session_id: str, moment: Any) -> None:
    learning360_simulator.edit(session_id, endDate=MOVED)
    assert change(session_id, {"endDate": moment})["changed"] == []
