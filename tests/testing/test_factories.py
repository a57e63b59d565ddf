"""Documents for tests: complete, new in each call, with fields that can be set, and the same in each run."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

import airflow_provider_learning360.testing as kit
from airflow_provider_learning360.testing import learners, session_document, session_statistics


def test_public_names_can_be_imported():
    assert all(getattr(kit, name) for name in kit.__all__)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        kit.nothing  # noqa: B018


def test_a_session_is_complete_and_has_an_id_of_its_own():
    first, second = session_document(), session_document()
    assert first["_id"] != second["_id"]
    assert len(first["_id"]) == 24
    assert {key: first[key] for key in first if key != "_id"} == {key: second[key] for key in second if key != "_id"}
    assert {"modifiedAt", "userLimit", "programDurationType", "customFields", "users"} <= first.keys()
    assert len(first["users"]) == 3
    assert json.loads(json.dumps(first)) == first


def test_fields_are_overridden_and_removed():
    document = session_document(_id="x", name="Mine", endDate=None, lang=..., extra=1)
    assert (document["_id"], document["name"], document["endDate"], document["extra"]) == (
        "x",
        "Mine",
        None,
        1,
    )
    assert "lang" not in document


def test_documents_share_nothing():
    first = session_document()
    first["users"].clear()
    first["modules"][0]["type"] = "quiz"
    assert session_document()["users"]
    assert session_document()["modules"][0]["type"] == "course"


def test_the_same_calls_give_the_same_documents():
    code = (
        "import json; from airflow_provider_learning360.testing import *\n"
        "print(json.dumps([session_document(), session_document(), learners(5), session_statistics()]))"
    )
    first, second = (subprocess.check_output([sys.executable, "-c", code], text=True) for _ in range(2))
    assert first == second


def test_learners():
    assert learners(2) == learners(5)[:2]
    assert [learner.keys() for learner in learners(1)] == [{"_id", "mail"}]
    assert learners(1, names=True)[0].keys() == {"_id", "mail", "firstName", "lastName"}
    assert len({learner["mail"] for learner in learners(2000)}) == 2000


def test_statistics_say_who_finished():
    users = learners(4)
    statistics = session_statistics(users, finished=1, started=2, name="Mine")
    assert [statistics[key] for key in ("name", "registered", "attendees", "completed")] == ["Mine", 4, 3, 1]
    assert [item["mail"] for item in statistics["usersStats"]] == [user["mail"] for user in users]
    assert [bool(item.get("endTime")) for item in statistics["usersStats"]] == [True, False, False, False]
    assert "usersStats" not in session_statistics(usersStats=...)
    assert session_statistics()["usersStats"][0]["firstName"]


def test_a_document_can_be_served(learning360_simulator):
    document = session_document(name="Served")
    learning360_simulator.add(document)
    assert learning360_simulator.session(document["_id"]) == document
