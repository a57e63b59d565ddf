from __future__ import annotations

import json
import os
from datetime import UTC, datetime, timedelta, timezone
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from airflow_provider_learning360.api.arrays import ArrayReader
from airflow_provider_learning360.api.errors import ContractError, FixArgumentError
from airflow_provider_learning360.api.fields import require_field_names
from airflow_provider_learning360.api.list_entries import parse_session_list
from airflow_provider_learning360.api.messages import Request, Response
from airflow_provider_learning360.api.models import (
    ProgramSession,
    SessionStatistics,
    format_date,
    parse_date,
    parse_learners,
    parse_object,
    parse_session,
)
from airflow_provider_learning360.api.sanitizer import LARGEST_INTEGER, SMALLEST_INTEGER

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ID = "60b8d2956e20ae1a0f8e44f1"
RECORDED: dict[str, Any] = {
    "_id": ID,
    "author": "jane#acme@example.com",
    "description": "",
    "endDate": "2021-01-31T08:44:12.470Z",
    "hasUserLimit": False,
    "name": "\n Safety  101\n",
    "programDuration": None,
    "programTemplate": "5f0000000000000000000002",
    "skills": [],
    "startDate": "2021-01-06T08:44:00.000Z",
    "tutors": ["bob@example.com"],
    "sessionCustom": "",
    "templateCustom": "",
    "validateRegistrations": False,
    "modules": [{"type": "course", "_id": "5f0000000000000000000003"}],
}
DOCUMENTED: dict[str, Any] = {
    **RECORDED,
    "lang": "en",
    "modifiedAt": "2021-07-01T10:00:00.000Z",
    "automatedReminders": True,
    "groups": ["5f0000000000000000000004"],
    "customFields": [{"customFieldId": "5f0000000000000000000005", "value": "x"}, {"_id": "5f05", "value": None}],
    "requirements": {"courses": [], "programs": ["5f06"], "paths": None},
    "users": [{"_id": "5f0000000000000000000006", "mail": "ann.login"}, {"mail": None}],
    "programDuration": 1.5,
    "programDurationType": "hour",
    "userLimit": 20,
}


def parsed(document: Any) -> ProgramSession:
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    response = Response(Request("GET", "/api/v1/thing"), 200, {}, body)
    return parse_object(ProgramSession, "a program session")(response)


def in_list(document: Any) -> ProgramSession:
    response = Response(Request("GET", "/api/v1/things"), 200, {}, json.dumps([document]).encode())
    (session,) = parse_session_list(response).sessions
    return session


BOTH_WAYS = pytest.mark.parametrize("read", [parsed, in_list], ids=["alone", "in a list"])

# Without unstorable characters, which are replaced; see test_decoder.py.
TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))
INTEGERS = st.integers(SMALLEST_INTEGER, LARGEST_INTEGER)
SCALARS = st.none() | st.booleans() | INTEGERS | st.floats(allow_nan=False, allow_infinity=False) | TEXT
JSON = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3))
# Also names with a meaning in Python or in the model.
PYTHONIC = ["title", "document", "self", "__dict__", "model_extra"]
NAMES = TEXT | st.sampled_from(PYTHONIC)
TAKEN = {*ProgramSession.field_names(), *ProgramSession.model_fields}
EXTRAS = st.dictionaries(NAMES.filter(lambda name: name not in TAKEN), JSON, max_size=4)
ZONES = st.integers(-23 * 60, 23 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
MOMENTS = st.datetimes(datetime(2, 1, 1), datetime(9998, 1, 1), timezones=ZONES)
DATES = st.none() | MOMENTS.map(format_date)
TEXTS = st.none() | TEXT
SESSIONS = st.fixed_dictionaries(
    {"_id": st.integers(0, 2**64).map("{:024x}".format)},
    optional={
        "name": TEXTS,
        "startDate": DATES,
        "endDate": DATES,
        "modifiedAt": DATES,
        "programDuration": st.none() | INTEGERS | st.floats(allow_nan=False, allow_infinity=False),
        "hasUserLimit": st.none() | st.booleans(),
        "tutors": st.none() | st.lists(TEXT, max_size=3),
        "modules": st.none() | st.lists(EXTRAS.filter(lambda it: not {"_id", "type"} & set(it)), max_size=2),
        "users": st.none() | st.lists(st.fixed_dictionaries({"_id": TEXT}, optional={"mail": TEXTS}), max_size=2),
        "customFields": st.none() | st.lists(st.fixed_dictionaries({"value": JSON}), max_size=2),
        "requirements": st.none() | st.fixed_dictionaries({}, optional={"courses": st.lists(JSON, max_size=2)}),
    },
)


@BOTH_WAYS
@given(document=SESSIONS, extras=EXTRAS)
def test_document_loses_and_adds_nothing(
    read: Callable[[Any], ProgramSession], document: dict[str, Any], extras: dict[str, Any]
) -> None:
    sent = {**document, **extras}
    assert json.dumps(read(sent).document(), sort_keys=True) == json.dumps(sent, sort_keys=True)


@BOTH_WAYS
@pytest.mark.parametrize("sent", [{"_id": ID}, RECORDED, DOCUMENTED], ids=["least", "recorded", "documented"])
def test_session_document_equals_what_was_sent(read: Callable[[Any], ProgramSession], sent: dict[str, Any]) -> None:
    assert json.dumps(read(sent).document(), sort_keys=True) == json.dumps(sent, sort_keys=True)


@pytest.mark.parametrize("name", ["start_date", "id", "has_user_limit"])
def test_unknown_field_replaces_no_other_field(name: str) -> None:
    assert parsed({"_id": ID, name: "x"}).document() == {"_id": ID, name: "x"}


@pytest.mark.parametrize("name", [name for name in ProgramSession.field_names() if name != "_id"])
def test_missing_and_null_fields_stay_different(name: str) -> None:
    without = {key: value for key, value in DOCUMENTED.items() if key != name}
    assert name not in parsed(without).document()
    assert parsed({**DOCUMENTED, name: None}).document()[name] is None


def test_attributes_are_typed() -> None:
    session = parsed(DOCUMENTED)
    assert session.id == ID
    assert session.start_date == datetime(2021, 1, 6, 8, 44, tzinfo=UTC)
    assert session.modified_at == datetime(2021, 7, 1, 10, tzinfo=UTC)
    assert (session.program_duration, session.program_duration_type, session.user_limit) == (1.5, "hour", 20)
    assert session.modules == [{"type": "course", "_id": "5f0000000000000000000003"}]
    assert parsed({"_id": ID}).modified_at is None


@pytest.mark.parametrize("duration", [1, 1.0, 1.5, 0])
def test_number_keeps_its_type(duration: float) -> None:
    assert repr(parsed({"_id": ID, "programDuration": duration}).document()["programDuration"]) == repr(duration)


@pytest.mark.parametrize(
    ("name", "title"),
    [("\n Safety  101\n", f"Safety 101 ({ID})"), ("  ", f"program session {ID}"), (None, f"program session {ID}")],
)
def test_title_is_one_line_with_the_id(name: str | None, title: str) -> None:
    assert parsed({"_id": ID, "name": name}).title == title


@pytest.mark.parametrize(
    ("fields", "exclude", "left"),
    [
        (None, None, {"_id", "name", "users", "color"}),
        (["name", "color", "lang"], None, {"name", "color"}),
        (None, ["users", "color", "lang"], {"_id", "name"}),
        (["_id", "users"], ["users"], {"_id"}),
        ([], None, set()),
    ],
)
def test_document_has_the_chosen_fields(fields: list[str] | None, exclude: list[str] | None, left: set[str]) -> None:
    session = parsed({"_id": ID, "name": "x", "users": [{"mail": "ann@example.com"}], "color": 1})
    assert set(session.document(fields=fields, exclude=exclude)) == left


@given(MOMENTS)
def test_date_survives_the_round_trip(moment: datetime) -> None:
    written = format_date(moment)
    assert written.endswith("Z")
    assert parse_date(written) == moment
    assert parse_date(written).utcoffset() == timedelta(0)
    assert format_date(parse_date(written)) == written


@pytest.mark.parametrize(
    ("sent", "written"),
    [
        ("2021-01-31T08:44:12.470Z", "2021-01-31T08:44:12.470Z"),
        ("2021-01-31T08:44:12Z", "2021-01-31T08:44:12.000Z"),
        ("2021-01-31T08:44:12", "2021-01-31T08:44:12.000Z"),
        ("2021-01-31T08:44:12.470+02:00", "2021-01-31T06:44:12.470Z"),
        ("2021-01-31T08:44:12.123456Z", "2021-01-31T08:44:12.123456Z"),
        ("2021-01-31", "2021-01-31T00:00:00.000Z"),
        ("", None),
        (None, None),
    ],
)
@BOTH_WAYS
def test_dates_have_one_form(read: Callable[[Any], ProgramSession], sent: str | None, written: str | None) -> None:
    assert read({"_id": ID, "endDate": sent}).document() == {"_id": ID, "endDate": written}


def test_date_without_a_zone_is_utc_in_every_time_zone() -> None:
    assert parse_date("2021-01-31T08:44:12") == datetime(2021, 1, 31, 8, 44, 12, tzinfo=UTC)


def test_datetime_in_a_document_is_a_date() -> None:
    session = ProgramSession.model_validate({"_id": ID, "endDate": datetime(2021, 1, 1, tzinfo=UTC)})
    assert session.document()["endDate"] == "2021-01-01T00:00:00.000Z"


@pytest.mark.parametrize("bad", ["tomorrow", "2021-13-01", "0001-01-01T00:00:00+25:00", 1612082652, True, []], ids=repr)
@BOTH_WAYS
def test_invalid_date_breaks_the_contract(read: Callable[[Any], ProgramSession], bad: Any) -> None:
    with pytest.raises(ContractError, match="endDate") as caught:
        read({"_id": ID, "endDate": bad})
    assert "tomorrow" not in str(caught.value)


CANARY = "canary@example.com"


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", ["empty"]),
        (b" \n", ["empty"]),
        (b"<!DOCTYPE html><p>canary@example.com", ["HTML"]),
        (b"\n<HTML><p>canary@example.com", ["HTML"]),
        (b'{"_id": "canary@example.com"', ["not valid JSON"]),
        (b"canary@example.com", ["not valid JSON"]),
        (b'{"_id": "\xff"}', ["not valid JSON"]),
        (b'[{"_id": "canary@example.com"}]', ["not an object"]),
        (b'"canary@example.com"', ["not an object"]),
        (b"null", ["not an object"]),
        (b"{}", ["_id", "required"]),
        (b'{"_id": null}', ["_id", "string"]),
        (b'{"_id": 1, "name": 2}', ["_id", "1 more"]),
        (b'{"_id": "1", "name": {"a": "canary@example.com"}}', ["name", "string"]),
        (b'{"_id": "1", "users": ["canary@example.com"]}', ["users.0"]),
        (b'{"_id": "1", "users": [{}, {"mail": ["canary@example.com"]}]}', ["users.1.mail"]),
        (b'{"_id": "1", "hasUserLimit": "canary@example.com"}', ["hasUserLimit"]),
    ],
    ids=lambda value: value.decode("latin-1") if isinstance(value, bytes) else None,
)
def test_invalid_session_names_its_problem_and_shows_nothing_of_it(body: bytes, words: list[str]) -> None:
    with pytest.raises(ContractError) as caught:
        parsed(body)
    error, message = caught.value, str(caught.value)
    expected = [*words, "GET /api/v1/thing", "200", "a program session", "host of the connection"]
    assert [word for word in expected if word not in message] == []
    assert "canary" not in message
    assert len(message.splitlines()) == 1
    assert (error.method, error.path, error.status) == ("GET", "/api/v1/thing", 200)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", ["empty"]),
        (b"<html>", ["HTML"]),
        (b'{"_id": "1"}', ["not an array"]),
        (b'[{"_id": "1"}', ["not complete"]),
        (b'[{"_id": "1"},', ["not valid JSON"]),
        (b"[", ["not valid JSON"]),
        (b'[{"_id": "\xff"}]', ["not valid JSON"]),
        (b'[{"_id": "1"}] <p>', ["follows"]),
        (b'[{"_id": "1"}, {"name": "canary"}]', ["its _id is not an ID"]),
        (b"[1]", ["not an object"]),
        (b"[" * 100_000, ["a list of program sessions"]),
    ],
    ids=lambda value: value.decode("latin-1") if isinstance(value, bytes) and len(value) < 100 else None,
)
def test_invalid_list_of_sessions_names_its_problem(
    body: bytes, words: list[str], answer: Callable[..., Response]
) -> None:
    with pytest.raises(ContractError) as caught:
        parse_session_list(answer(body))
    expected = [*words, "a list of program sessions"]
    assert [word for word in expected if word not in str(caught.value)] == []
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize("body", [b"{}", b"null", b"[1]", b"[{}", b"<html>", b"", b'[{"mail": 1}]'], ids=repr)
def test_invalid_list_of_learners_is_an_error(body: bytes, answer: Callable[..., Response]) -> None:
    with pytest.raises(ContractError, match="a list of learners"):
        parse_learners(answer(body))


UNREADABLE_LEARNERS = [None, 1, "canary", [], {"mail": 5}, {"mail": ["canary"]}, {"firstName": {"a": "canary"}}]


@given(st.lists(st.sampled_from([{"_id": "1", "mail": "a@example.com", "badge": 1}, {}, *UNREADABLE_LEARNERS])))
def test_unreadable_learner_is_left_out(sent: list[Any]) -> None:
    readable = [one for one in sent if one not in UNREADABLE_LEARNERS]
    response = Response(Request("GET", "/x"), 200, {}, json.dumps(sent).encode())
    statistics = Response(Request("GET", "/x"), 200, {}, json.dumps({"name": "n", "usersStats": sent}).encode())
    reads: list[Callable[[], Any]] = [
        lambda: parse_learners(response),
        lambda: parse_object(SessionStatistics, "statistics")(statistics).users_stats,
    ]
    for read in reads:
        if sent and not readable:
            with pytest.raises(ContractError) as caught:
                read()
            assert "canary" not in str(caught.value)
        else:
            assert [one for one in read() if one in readable] == readable


def test_unreadable_learners_are_counted_in_one_warning(
    answer: Callable[..., Response], caplog: pytest.LogCaptureFixture
) -> None:
    sent = [None, {"mail": "a"}, {"mail": ["canary"]}]
    assert parse_learners(answer(json.dumps(sent).encode())) == [{"mail": "a"}]
    parse_object(SessionStatistics, "statistics")(answer(json.dumps({"usersStats": sent}).encode()))
    first, second = [record.getMessage() for record in caplog.records]
    assert "2 learners that cannot be read. The first is number 1: " in first
    assert "2 learners that cannot be read. The first is number 1: " in second
    assert "canary" not in caplog.text


@pytest.mark.parametrize(
    ("sent", "read"),
    [
        ("9999-12-31T23:59:59.999-05:00", "9999-12-31T23:59:59.999999Z"),
        ("9999-12-31T23:59:59.999+05:00", "9999-12-31T18:59:59.999Z"),
        ("0001-01-01T00:00:00+05:00", "0001-01-01T00:00:00.000Z"),
        ("0001-01-01T00:00:00-05:00", "0001-01-01T05:00:00.000Z"),
    ],
)
def test_first_and_last_dates_of_the_calendar_are_read_in_every_zone(
    sent: str, read: str, answer: Callable[..., Response]
) -> None:
    session_id = "60b8d2956e20ae1a0f8e44f1"
    body = json.dumps({"_id": session_id, "endDate": sent}).encode()
    assert parse_session(session_id)(answer(body)).document() == {"_id": session_id, "endDate": read}


def test_learners_equal_what_was_sent(answer: Callable[..., Response]) -> None:
    sent = [{"_id": "1", "mail": "ann#acme@example.com", "firstName": None, "badge": {"a": 1}}, {}]
    assert parse_learners(answer(json.dumps(sent).encode())) == sent


@pytest.mark.parametrize(
    "learner", [{}, {"mail": None}, {"_id": "a", "teams": ["x"]}, {"mail": "m", "rank": 1}, {"firstName": "", "é": ""}]
)
def test_learner_of_a_session_equals_what_was_sent(learner: dict[str, Any]) -> None:
    sent = [{"_id": ID, "mail": "ann@example.com"}, learner]
    session = ProgramSession.from_json({"_id": ID, "users": sent})
    assert session.users == session.document()["users"] == sent


@pytest.mark.parametrize("learner", [{"mail": 1}, {"_id": True}, {"lastName": ["a"]}, "ann", None, ["_id"], 7])
def test_invalid_learner_of_a_session_is_refused(learner: Any) -> None:
    with pytest.raises(ValidationError):
        ProgramSession.from_json({"_id": ID, "users": [{"_id": ID, "mail": "ann@example.com"}, learner]})


def test_statistics_name_who_has_not_completed(answer: Callable[..., Response]) -> None:
    stats = [
        {"mail": "finished", "endTime": "2021-01-01T00:00:00.000Z"},
        {"mail": "complete", "progress": 100},
        {"mail": "deleted", "deleted": True, "progress": 3.5},
        {"mail": "half", "progress": 50, "endTime": "", "startTime": None},
        {"mail": "new", "deleted": False, "endTime": None, "progress": None},
        {},
    ]
    sent = {"name": "x", "registered": 4, "attendees": 5, "completed": 2, "usersStats": stats, "more": 1}
    read = parse_object(SessionStatistics, "session statistics")(answer(json.dumps(sent).encode()))
    assert read.document() == sent
    assert (read.registered, read.attendees, read.completed) == (4, 5, 2)
    assert [learner.get("mail") for learner in read.not_completed()] == ["half", "new", None]


def test_statistics_without_learners_name_nobody(answer: Callable[..., Response]) -> None:
    assert parse_object(SessionStatistics, "session statistics")(answer(b"{}")).not_completed() == []


BLANKS = st.text(" \t\r\n", max_size=3)


def array_items(text: str) -> Iterator[Any]:
    reader = ArrayReader()
    yield from reader.feed(text.encode())
    reader.close()


@given(st.lists(JSON, max_size=5), st.none() | st.integers(0, 4), BLANKS, BLANKS)
def test_items_of_an_array_equal_those_of_json(items: list[Any], indent: int, before: str, after: str) -> None:
    text = before + json.dumps(items, indent=indent, ensure_ascii=False) + after
    assert list(array_items(text)) == json.loads(text)


@given(st.lists(JSON, max_size=3).map(json.dumps), st.data())
def test_damaged_array_is_refused_where_json_refuses_it(text: str, data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(text)))
    put = data.draw(st.sampled_from(["", ",", "]", "[", " ", "1", '"']))
    damaged = text[:place] + put + text[place + data.draw(st.integers(0, 2)) :]
    assert outcome(lambda: list(array_items(damaged))) == outcome(lambda: json.loads(damaged))


@pytest.mark.parametrize(
    "text", ["[1]\x0b", "[1]\u00a0", "\ufeff[1]", "[1,]", "[,1]", "[1 2]", "[]]", "[", "{}", "1", ""]
)
def test_text_that_is_not_an_array_is_refused(text: str) -> None:
    assert outcome(lambda: list(array_items(text))) is None


def outcome(read: Callable[[], Any]) -> str | None:
    """Return the list, or None if it is not one or cannot be read."""
    try:
        value = read()
    except ValueError:
        return None
    return repr(value) if isinstance(value, list) else None


@pytest.mark.parametrize(
    ("names", "checked"),
    [
        (None, None),
        ("", None),
        ([], None),
        (["startDate", "_id"], ["startDate", "_id"]),
        (("name",), ["name"]),
        ("startDate, endDate", ["startDate", "endDate"]),
    ],
)
def test_fields_are_given_as_a_list_or_a_text(names: Any, checked: list[str] | None) -> None:
    assert require_field_names(names, "fields") == checked


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (["start_date"], ["'start_date'", "Did you mean startDate?", "Known are startDate, "]),
        (["startdate"], ["Did you mean startDate?"]),
        ("name, zzz", ["'zzz'", "Known are _id, name,"]),
        (["name", ""], ["''"]),
        (["dates"], ["endDate", "startDate"]),
    ],
    ids=str,
)
def test_unknown_field_is_refused_with_the_nearest_ones(names: Any, words: list[str]) -> None:
    with pytest.raises(FixArgumentError) as caught:
        require_field_names(names, "watch")
    text = str(caught.value)
    expected = ["watch: ", *words, "docs/reference/models.md lists all"]
    assert [word for word in expected if word not in text] == []
    assert len(text) < 240  # two lines


def recorded_responses() -> list[tuple[str, Any]]:
    """Return path and body of recorded responses, if the environment names a file of them."""
    path = Path(os.environ.get("LEARNING360_RECORDED", ""))
    exchanges = json.loads(path.read_text()) if path.is_file() else []
    return [(it["path"], it["body"]) for it in exchanges if it["method"] == "get" and it["status"] == 200]


SESSION_LISTS = [body for path, body in recorded_responses() if path.endswith(("/programs/sessions", "/programs"))]
LEARNER_LISTS = [body for path, body in recorded_responses() if path.endswith("/users")]

if SESSION_LISTS:

    @BOTH_WAYS
    @pytest.mark.parametrize("recorded", list(chain(*SESSION_LISTS)), ids=lambda it: it["_id"])
    def test_recorded_session_equals_what_was_sent(
        read: Callable[[Any], ProgramSession], recorded: dict[str, Any]
    ) -> None:
        assert json.dumps(read(recorded).document(), sort_keys=True) == json.dumps(recorded, sort_keys=True)


if LEARNER_LISTS:

    @pytest.mark.parametrize("recorded", LEARNER_LISTS)
    def test_recorded_learners_equal_what_was_sent(recorded: list[Any], answer: Callable[..., Response]) -> None:
        assert parse_learners(answer(json.dumps(recorded).encode())) == recorded


@pytest.mark.parametrize("body", [b'{"_id": 1}', b"[]", b'{"_id": "a"', b'{"_id": "a", "users": [5]}'])
def test_large_body_follows_the_same_rules(body: bytes, answer: Callable[..., Response]) -> None:
    read_session = parse_object(ProgramSession, "a program session")
    large = {"_id": "a", "startDate": "2026-03-01T08:00:00.000Z", "description": "x" * 2 * 1024 * 1024}
    assert read_session(answer(json.dumps(large).encode())).document() == large
    with pytest.raises(ContractError) as small:
        read_session(answer(body))
    with pytest.raises(ContractError) as padded:
        read_session(answer(body + b" " * 2 * 1024 * 1024))
    assert str(padded.value) == str(small.value)
