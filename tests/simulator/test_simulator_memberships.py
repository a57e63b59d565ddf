"""Who comes into a session of v1 and leaves it, and the users of the company."""

from __future__ import annotations

import pytest

NOBODY, GROUP = "0" * 24, "a" * 24


@pytest.fixture
def users(path):
    return f"{path}users"


@pytest.fixture
def outsider(simulator, client, session_id):
    inside = {one["_id"] for one in simulator.session(session_id)["users"]}
    return next(one for one in client.get("/api/v1/users").json() if one["_id"] not in inside and "mail" in one)


@pytest.mark.parametrize("key", ["_id", "mail"])
def test_a_user_comes_and_goes(simulator, client, users, session_id, outsider, key):
    before = simulator.session(session_id)
    for _ in range(2):
        response = client.put(f"{users}/{outsider[key]}")
        assert (response.status_code, response.json()) == (200, {})
        assert [one["_id"] for one in client.get(users).json()].count(outsider["_id"]) == 1
    assert simulator.session(session_id)["modifiedAt"] > before["modifiedAt"]
    response = client.delete(f"{users}/{outsider[key]}")
    assert (response.status_code, response.content) == (204, b"")
    assert simulator.session(session_id)["users"] == before["users"]


def test_who_is_not_there_does_not_leave(simulator, client, users, session_id, outsider):
    before = simulator.session(session_id)
    for mail_or_id, code in ((outsider["mail"], "user_not_enrolled"), ("no@example.com", "user_not_found")):
        response = client.delete(f"{users}/{mail_or_id}")
        assert (response.status_code, response.json()) == (404, {"error": code})
    assert client.put(f"{users}/{NOBODY}").json() == {"error": "user_not_found"}
    assert simulator.session(session_id) == before


def test_a_group_comes_and_goes(simulator, client, path, session_id):
    before = simulator.session(session_id)["groups"]
    for _ in range(2):
        assert client.put(f"{path}groups/{GROUP}").json() == {}
        assert simulator.session(session_id)["groups"] == [*before, GROUP]
    assert client.delete(f"{path}groups/{GROUP}").json() == {}
    assert simulator.session(session_id)["groups"] == before
    assert client.delete(f"{path}groups/{GROUP}").status_code == 404


def test_an_unknown_session_has_no_members(client, outsider):
    response = client.put(f"/api/v1/programs/sessions/{NOBODY}/users/{outsider['_id']}")
    assert (response.status_code, response.json()) == (404, {"error": "program_session_not_found"})


def test_a_user_is_found_by_mail_and_id(client, outsider):
    for key in (outsider["_id"], outsider["mail"]):
        assert client.get(f"/api/v1/users/{key}").json() == outsider
    response = client.get("/api/v1/users/no@example.com")
    assert (response.status_code, response.json()) == (400, {"error": "user_not_found"})


def test_a_deleted_user_is_not_listed(client):
    mails = {one.get("mail") for one in client.get("/api/v1/users").json()}
    assert "former.learner1@example.com" not in mails
    assert client.get("/api/v1/users/former.learner1@example.com").status_code == 400
