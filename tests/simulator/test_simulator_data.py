"""The sample data: it has the oddities of real data, depends on seed and day, and can be edited."""

from __future__ import annotations

import json
import re
from datetime import UTC, date, datetime, timedelta

import pytest

from airflow_provider_learning360.simulator import Simulator
from airflow_provider_learning360.simulator.sample_data import MODERN_FIELDS

DATE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
IDENTIFIER = re.compile(r"[0-9a-f]{24}")
DOCUMENTED = {
    *(
        "_id",
        "author",
        "name",
        "description",
        "startDate",
        "endDate",
        "programDuration",
        "programDurationType",
    ),
    *("programTemplate", "tutors", "sessionCustom", "templateCustom", "modules", "skills", "hasUserLimit"),
    *("validateRegistrations", *MODERN_FIELDS),
}


def _all(**options: object) -> list[dict[str, object]]:
    simulator = Simulator(**options)
    return [simulator.session(session_id) for session_id in simulator.session_ids]


def test_seed_decides_the_data():
    assert _all(seed=1) == _all(seed=1) != _all(seed=2)


@pytest.mark.parametrize(
    "options",
    [{}, {"seed": 1}, {"sessions": 1}, {"legacy": 12}, {"today": date(2020, 2, 29)}, {"learners": 0}],
    ids=str,
)
def test_the_first_session_is_that_of_the_examples(options):
    ids = [document["_id"] for document in _all(**options)]
    assert ids[0] == "60b8d2956e20ae1a0f8e44f1"
    assert ids == sorted(set(ids))


@pytest.mark.parametrize("now", ["2026-01-01T00:00:00", "2026-11-26T12:34:56", "2031-05-05T23:59:59"])
def test_sessions_lie_around_today(now):
    moment = datetime.fromisoformat(now).replace(tzinfo=UTC)
    text = moment.isoformat()
    documents = _all(clock=lambda: moment)
    assert len([one for one in documents if one["endDate"] < text]) >= 2
    assert len([one for one in documents if one["startDate"] <= text <= one["endDate"]]) >= 2
    soon = (moment + timedelta(days=7)).isoformat()
    assert len([one for one in documents if text < one["startDate"] <= soon]) >= 2
    assert all(one["modifiedAt"] < text for one in documents)


def test_another_day_moves_the_dates_of_the_same_sessions():
    today, later = (_all(today=date(2026, 6, day)) for day in (1, 4))
    for one, other in zip(today, later, strict=True):
        for key in ("startDate", "endDate"):
            moved = datetime.fromisoformat(other.pop(key)) - datetime.fromisoformat(one.pop(key))
            assert moved == timedelta(days=3)
        del one["modifiedAt"], other["modifiedAt"]
    assert today == later


def test_statistics_have_no_times_in_the_future():
    now = "2026-06-01T12:00:00.000Z"
    simulator = Simulator(clock=lambda: datetime.fromisoformat(now))
    for document in map(simulator.session, simulator.session_ids):
        statistics = simulator.statistics(document["_id"])
        times = [item[key] for item in statistics["usersStats"] for key in ("startTime", "endTime") if item.get(key)]
        assert all(document["startDate"] <= one <= now for one in times)
        assert bool(times) == (document["startDate"] < now)


def test_a_session_does_not_depend_on_how_many_there_are():
    assert _all(sessions=3) == _all(sessions=12)[:3]


@pytest.mark.parametrize("seed", [1, 360, 99])
def test_twelve_sessions_show_what_real_ones_show(seed):
    documents = _all(seed=seed)
    starts, ends = ([document[key] for document in documents] for key in ("startDate", "endDate"))
    assert all(DATE.fullmatch(date) for date in starts + ends)
    assert all(start.endswith(":00.000Z") for start in starts)
    assert any(not end.endswith(".000Z") for end in ends)
    assert all(start <= end for start, end in zip(starts, ends, strict=True))
    assert any(start == end for start, end in zip(starts, ends, strict=True))
    names = [document["name"] for document in documents]
    assert any(name.endswith("\n") for name in names)
    assert any(name.startswith(" ") for name in names)
    assert any(document["description"] == "" for document in documents)
    assert any("<p>" in document["description"] for document in documents)
    assert {type(document["programDuration"]) for document in documents} == {int, float, type(None)}
    for document in documents:
        assert (document["programDuration"] is None) == ("programDurationType" not in document)
        assert document["hasUserLimit"] == ("userLimit" in document)
    modules = [module for document in documents for module in document["modules"]]
    assert {module["type"] for module in modules} == {"course", "webinar", "classroom"}
    custom_keys = {key for document in documents for field in document["customFields"] for key in field}
    assert {"_id", "customFieldId", "value"} <= custom_keys
    assert any(document["skills"] == [] for document in documents)
    assert len({document["programTemplate"] for document in documents}) < len(documents)


def test_the_first_session_is_complete_and_plain():
    first = _all()[0]
    assert first.keys() == DOCUMENTED
    assert first["name"] == first["name"].strip()
    assert None not in first.values()


def test_identifiers_and_mails():
    documents = _all(learners=1500)
    assert all(IDENTIFIER.fullmatch(document["_id"]) for document in documents)
    users = documents[0]["users"]
    mails = [user["mail"] for user in users]
    assert len(set(mails)) == len({user["_id"] for user in users}) == 1500
    assert all(mail.endswith("@example.com") for mail in mails)
    assert all(any(sign in mail for mail in mails) for sign in "#+ü")


def test_legacy_sessions_are_the_oldest_and_lack_what_came_later():
    documents = _all(legacy=2)
    for document in documents[:2]:
        assert not MODERN_FIELDS & document.keys()
        assert document["hasUserLimit"] is False
    assert "modifiedAt" in documents[2]
    simulator = Simulator(legacy=1)
    assert "modifiedAt" not in simulator.edit(simulator.session_ids[0], name="Still old")


def test_dates_count_from_the_clock():
    now = datetime(2031, 5, 5, 12, tzinfo=UTC)
    first = _all(clock=lambda: now)[0]
    assert timedelta() < now - datetime.fromisoformat(first["startDate"]) < timedelta(days=8)
    assert datetime.fromisoformat(first["modifiedAt"]) < now


@pytest.mark.slow
def test_large_companies_can_be_made():
    assert len(Simulator(sessions=10_000).session_ids) == 10_000
    simulator = Simulator(sessions=1, learners=20_000)
    assert len(simulator.session(simulator.session_ids[0])["users"]) == 20_000


def test_an_edit_moves_modified_at_strictly_ahead_whatever_the_clock_says():
    simulator = Simulator(clock=lambda: datetime(2026, 1, 1, tzinfo=UTC))
    session_id = simulator.session_ids[0]
    seen = [simulator.session(session_id)["modifiedAt"]]
    seen += [simulator.edit(session_id, name=str(number))["modifiedAt"] for number in range(3)]
    assert seen == sorted(set(seen))
    future = simulator.edit(session_id, modifiedAt="2040-01-01T01:00:00.5+01:00")["modifiedAt"]
    assert future == "2040-01-01T01:00:00.5+01:00"
    assert simulator.edit(session_id)["modifiedAt"] == "2040-01-01T00:00:00.501Z"


@pytest.mark.parametrize("value", [None, "soon", 3, "2020-01-01T00:00:00"])
def test_an_edit_after_a_strange_modified_at_gives_a_date(value):
    simulator = Simulator()
    session_id = simulator.session_ids[0]
    simulator.edit(session_id, modifiedAt=value)
    assert DATE.fullmatch(simulator.edit(session_id, name="x")["modifiedAt"])


def test_an_edit_sets_given_values_and_removes_with_an_ellipsis():
    simulator = Simulator()
    session_id = simulator.session_ids[0]
    after = simulator.edit(session_id, name="x", endDate=None, lang=..., modifiedAt="2020-01-01T00:00:00.000Z")
    assert (after["name"], after["endDate"], after["modifiedAt"]) == ("x", None, "2020-01-01T00:00:00.000Z")
    assert "lang" not in after
    assert "modifiedAt" not in simulator.edit(session_id, modifiedAt=...)


def test_edit_with_a_value_that_is_not_json_changes_nothing():
    simulator = Simulator()
    session_id = simulator.session_ids[0]
    before = simulator.session(session_id)
    with pytest.raises(TypeError):
        simulator.edit(session_id, name="x", endDate=datetime.now(UTC))
    assert simulator.session(session_id) == before


def test_documents_are_copies():
    simulator = Simulator()
    session_id = simulator.session_ids[0]
    simulator.session(session_id)["users"].clear()
    simulator.edit(session_id)["users"].clear()
    assert simulator.session(session_id)["users"]


def test_sessions_are_added_and_deleted(client, simulator):
    document = {"_id": "f" * 24, "name": "New", "users": [{"_id": "e" * 24, "mail": "ann@example.com"}]}
    assert simulator.add(document) == "f" * 24
    document["name"] = "changed by the caller"
    address = f"/api/v1/programs/sessions/{'f' * 24}/"
    assert client.get(address).json()["name"] == "New"
    assert simulator.session_ids[-1] == "f" * 24
    with pytest.raises(ValueError, match="an _id of its own"):
        simulator.add(document)
    with pytest.raises(ValueError, match="an _id of its own"):
        simulator.add({"name": "nameless"})
    simulator.delete("f" * 24)
    assert client.get(address).json() == {"error": "program_session_not_found"}
    for act in (simulator.delete, simulator.session, simulator.edit, simulator.statistics):
        with pytest.raises(KeyError, match="no program session"):
            act("f" * 24)


def test_learners_finish(client, simulator, session_id):
    mail = "ann@example.com"
    users = [{"_id": "e" * 24, "mail": mail}, {"_id": "d" * 24, "mail": "bob@example.com"}]
    added = simulator.add({"_id": "f" * 24, "name": "New", "users": users})
    assert [simulator.statistics(added)[key] for key in ("registered", "attendees", "completed")] == [2, 0, 0]
    simulator.finish(added, mail)
    statistics = client.get(f"/api/v1/programs/sessions/{added}/stats").json()
    assert [statistics[key] for key in ("registered", "attendees", "completed")] == [2, 1, 1]
    item = client.get(f"/api/v1/programs/sessions/{added}/stats/{mail}").json()
    assert item["progress"] == 100
    assert DATE.fullmatch(item["endTime"])
    with pytest.raises(KeyError, match="nobody"):
        simulator.finish(added, "nobody@example.com")


def test_statistics_follow_the_learners_of_the_session(simulator, session_id):
    kept, *_ = simulator.session(session_id)["users"]
    simulator.finish(session_id, kept["mail"])
    new = {"_id": "e" * 24, "mail": "new@example.com"}
    simulator.edit(session_id, users=[kept, new, "nonsense", {"_id": "x"}])
    statistics = simulator.statistics(session_id)
    assert (statistics["registered"], statistics["completed"]) == (2, 1)
    simulator.edit(session_id, users="nonsense")
    assert simulator.statistics(session_id)["registered"] == 0


@pytest.mark.parametrize("start", [None, "soon", ...])
def test_statistics_survive_a_strange_start(simulator, session_id, start):
    simulator.edit(session_id, startDate=start)
    assert json.dumps(simulator.statistics(session_id))
