"""Each key of API v1: where API v2 has it, what stands for an empty one, and which have no counterpart."""

from __future__ import annotations

import json
from typing import Any

import pytest

from airflow_provider_learning360.api.contract import find_drift
from airflow_provider_learning360.api.errors import ContractError
from airflow_provider_learning360.api.models import ProgramSession
from airflow_provider_learning360.api.v2 import documents
from path_platform import AUDIENCE, SESSION_ID, PathPlatform, user

WITHOUT_COUNTERPART = {"requirements", "skills", "validateRegistrations"}
EXPECTED = {
    "_id": SESSION_ID,
    "name": "Introduction to Accounting",
    "author": "user1@example.com",
    "description": "From bookings to balance sheets",
    "startDate": "2026-11-02T08:00:00.000Z",
    "endDate": "2026-12-18T17:00:00.000Z",
    "modifiedAt": "2026-10-05T09:00:00.000Z",
    "lang": "en",
    "hasUserLimit": True,
    "userLimit": 30,
    "programDuration": 3,
    "programDurationType": "hour",
    "programTemplate": "5f0000000000000000000001",
    "automatedReminders": True,
    "sessionCustom": "Room 4",
    "templateCustom": "Bring a calculator",
    "tutors": ["user2@example.com", "user3@example.com"],
    "modules": [
        {"_id": "5f00000000000000000000b1", "type": "course"},
        {"_id": "5f00000000000000000000b3", "type": "classroom"},
    ],
    "groups": ["g1", "g2"],
    "customFields": [{"customFieldId": "5f00000000000000000000c1", "value": "Paris", "name": "City"}],
    "users": [
        {"_id": "000000000000000000000004", "mail": "user4@example.com"},
        {"_id": "000000000000000000000005", "mail": "user5@example.com"},
    ],
}


@pytest.mark.parametrize("key", EXPECTED)
def test_key_of_v1_has_its_value(key: str) -> None:
    assert PathPlatform().document()[key] == EXPECTED[key]


def test_every_key_of_v1_is_there_or_has_no_counterpart() -> None:
    assert set(ProgramSession.field_names()) == EXPECTED.keys() | WITHOUT_COUNTERPART
    assert set(EXPECTED) <= documents.ALL_KEYS
    assert WITHOUT_COUNTERPART.isdisjoint(PathPlatform().document())


@pytest.mark.parametrize("key", EXPECTED)
def test_key_that_is_asked_for_alone_has_the_same_value(key: str) -> None:
    assert PathPlatform().document(frozenset({key}))[key] == EXPECTED[key]


def test_fields_of_v2_stay_under_their_own_names() -> None:
    platform = PathPlatform()
    document = platform.document()
    for name in ("pathId", "groupId", "mainInstructorId", "instructorIds", "isAudienceBuilder", "createdAt"):
        assert document[name] == platform.session[name]
    for name in ("steps", "options", "estimatedDuration", "authorId", "status", "translations"):
        assert document[name] == platform.path[name]
    assert document["additionalInformation"] == "Room 4"  # that of the session, not that of the path


@pytest.mark.parametrize("value", [None, "absent"])
@pytest.mark.parametrize(
    ("part", "source", "key"),
    [
        ("session", "additionalInformation", "sessionCustom"),
        ("path", "additionalInformation", "templateCustom"),
        ("path", "description", "description"),
    ],
)
def test_text_that_v2_leaves_out_is_empty(part: str, source: str, key: str, value: str | None) -> None:
    platform = PathPlatform()
    place: dict[str, Any] = getattr(platform, part)
    del place[source]
    if value is None:
        place[source] = None
    assert platform.document()[key] == ""


def test_session_without_limit_or_end() -> None:
    platform = PathPlatform()
    del platform.session["userLimit"], platform.session["endDate"]
    document = platform.document()
    assert document["hasUserLimit"] is False
    assert {"userLimit", "endDate"}.isdisjoint(document)


def test_every_field_of_the_session_but_the_id_is_optional() -> None:
    platform = PathPlatform(session={"_id": SESSION_ID})
    assert platform.document(frozenset()) == {"_id": SESSION_ID, "hasUserLimit": False, "sessionCustom": ""}


def test_every_field_of_the_path_but_the_id_is_optional() -> None:
    platform = PathPlatform()
    platform.path = {"_id": platform.path["_id"]}
    document = platform.document()
    assert (document["description"], document["templateCustom"]) == ("", "")
    assert {"lang", "programDuration", "automatedReminders", "modules", "author"}.isdisjoint(document)


def test_language_is_that_of_the_source_if_there_is_no_default() -> None:
    platform = PathPlatform()
    del platform.path["defaultLang"]
    assert platform.document()["lang"] == "fr"


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"unit": "minute", "value": 90}, 1.5),
        ({"unit": "minute", "value": 420}, 7),
        ({"unit": "hour", "value": 0.5}, 0.5),
        ({"unit": "day", "value": 2}, None),
        ({"unit": "week", "value": 2}, None),
        ({"unit": "month", "value": 2}, None),
        ({"unit": ["hour"], "value": 2}, None),
        ({"unit": "hour", "value": "2"}, None),
        ({"unit": "hour", "value": True}, None),
        ({"unit": "hour"}, None),
        ("3 hours", None),
        (None, None),
    ],
)
def test_duration_is_in_hours_where_hours_are_defined(given: Any, expected: float | None) -> None:
    platform = PathPlatform()
    platform.path["estimatedDuration"] = given
    document = platform.document()
    assert document.get("programDuration") == expected
    assert document.get("programDurationType") == (None if expected is None else "hour")
    assert isinstance(document.get("programDuration"), type(expected))


def test_huge_duration_stays_a_number_that_every_store_takes() -> None:
    part = documents.build_path_part({"estimatedDuration": {"unit": "hour", "value": 1e300}})
    assert isinstance(part["programDuration"], float)


def test_steps_of_odd_shapes_are_no_modules() -> None:
    steps = [1, None, {"type": ["course"]}, {"type": None}, {"type": "course"}]
    assert documents.build_path_part({"steps": steps})["modules"] == [{"type": "course"}]


@pytest.mark.parametrize("filters", [None, 5, "groups", {"ids": ["g"]}, [1], [{"type": "groups", "ids": 5}], [{}]])
def test_audience_of_an_odd_shape_has_no_groups(filters: Any) -> None:
    assert documents.find_groups({"filters": filters}) == []


def test_groups_are_texts_and_named_once() -> None:
    filters = [{"type": "groups", "ids": ["a", 1, ["b"], None, "a"]}, {"type": "users", "ids": ["u"]}]
    assert documents.find_groups({"filters": filters}) == ["a"]


@pytest.mark.parametrize("code", ["sessionIsNotAudienceBuilder", "unsupportedAudienceFilter"])
def test_session_without_audience_has_no_groups_and_no_drift(code: str) -> None:
    platform = PathPlatform(instead={AUDIENCE: (400, code)})
    session = platform.run(platform.platform.get_session(SESSION_ID))
    assert "groups" not in session.document()
    assert not find_drift(session)


def test_other_error_about_the_audience_is_not_hidden() -> None:
    with pytest.raises(ContractError, match="sessionNotBelongToPath"):
        PathPlatform(instead={AUDIENCE: (400, "sessionNotBelongToPath")}).document()


def test_custom_field_without_a_known_name_keeps_its_value() -> None:
    platform = PathPlatform(fields=[{"_id": "another", "name": "Country"}])
    assert platform.document()["customFields"] == [{"customFieldId": "5f00000000000000000000c1", "value": "Paris"}]


def test_bad_custom_fields_cost_themselves(caplog: pytest.LogCaptureFixture) -> None:
    platform = PathPlatform()
    platform.values += [1, {"customFieldId": ["x"], "value": 1}, {"value": 2}]
    platform.fields += [{"_id": ["x"], "name": "X"}, {"_id": "y", "name": 5}]
    assert platform.document()["customFields"] == EXPECTED["customFields"]
    assert [one for one in caplog.messages if "3 items that cannot be read" in one]


def test_full_document_has_no_drift() -> None:
    platform = PathPlatform(learners=[4, 5, 6])
    platform.users.append(user(6, status="invited"))
    session = platform.run(platform.platform.get_session(SESSION_ID))
    assert session.document()["users"][2] == {"_id": "000000000000000000000006", "status": "invited"}
    assert not find_drift(session)


@pytest.mark.parametrize(
    ("part", "name", "drift"),
    [("session", "startDate", "missing: startDate"), ("path", "authorId", "missing: author")],
)
def test_documented_field_that_is_missing_is_drift(part: str, name: str, drift: str) -> None:
    platform = PathPlatform()
    del getattr(platform, part)[name]
    assert str(find_drift(platform.run(platform.platform.get_session(SESSION_ID)))) == drift


def test_unknown_field_of_the_session_is_drift() -> None:
    platform = PathPlatform()
    platform.session["color"] = "red"
    assert str(find_drift(platform.run(platform.platform.get_session(SESSION_ID)))) == "unknown: color"


def test_keys_that_were_not_asked_for_are_no_drift() -> None:
    platform = PathPlatform()
    session = platform.run(platform.platform.get_session(SESSION_ID, frozenset({"description"})))
    assert not find_drift(session)
    assert session.coverage.expected == documents.SESSION_KEYS | {"description"}


def test_document_is_json() -> None:
    document = PathPlatform().document()
    assert json.loads(json.dumps(document)) == document
