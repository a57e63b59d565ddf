"""The routes of 360Learning, over HTTP."""

from __future__ import annotations

from datetime import datetime
from urllib.parse import quote

import pytest

SESSIONS = "/api/v1/programs/sessions"
UNKNOWN = "0" * 24


def test_a_session_is_served_with_and_without_the_trailing_slash(simulator, client, path, session_id):
    expected = simulator.session(session_id)
    for address in (path, path.rstrip("/")):
        response = client.get(address)
        assert response.status_code == 200
        assert response.json() == expected


def test_an_id_in_capitals_is_the_same_id(client, session_id):
    assert client.get(f"{SESSIONS}/{session_id.upper()}/").json()["_id"] == session_id


def test_the_list_holds_every_session_in_ascending_order(simulator, client):
    documents = client.get(SESSIONS).json()
    assert [document["_id"] for document in documents] == simulator.session_ids == sorted(simulator.session_ids)
    assert documents == [simulator.session(session_id) for session_id in simulator.session_ids]
    assert len(documents) == 12


def test_headers_are_those_of_360learning(client, path):
    response = client.get(path)
    assert response.headers["Content-Type"] == "application/json; charset=utf-8"
    assert response.headers["Cache-Control"] == "no-cache, no-store, private"
    assert response.headers["ETag"].startswith('W/"')


def test_etag_follows_the_content(simulator, client, path, session_id):
    first, second = client.get(path).headers["ETag"], client.get(path).headers["ETag"]
    simulator.edit(session_id, name="Other")
    assert first == second != client.get(path).headers["ETag"]


def test_large_bodies_are_compressed_on_request(client, path):
    compressed = client.get(path)
    plain = client.get(path, headers={"Accept-Encoding": "identity"})
    refused = client.get(path, headers={"Accept-Encoding": "br, gzip;q=0"})
    assert compressed.headers["Content-Encoding"] == "gzip"
    assert "Content-Encoding" not in plain.headers
    assert "Content-Encoding" not in refused.headers
    assert int(compressed.headers["Content-Length"]) < int(plain.headers["Content-Length"])
    assert compressed.json() == plain.json()


def test_small_bodies_are_not_compressed(client):
    assert "Content-Encoding" not in client.get(f"{SESSIONS}/{UNKNOWN}").headers


def test_json_is_compact(client, path):
    assert '", "' not in client.get(path).text
    assert b'":"' in client.get(path).content


@pytest.mark.parametrize("tail", ["", "/", "/users", "/stats", "/stats/ann@example.com"])
def test_unknown_session(client, tail):
    response = client.get(f"{SESSIONS}/{UNKNOWN}{tail}")
    assert response.status_code == 404
    assert response.json() == {"error": "program_session_not_found"}


@pytest.mark.breaks_contract("a route that API v2 does not have")
@pytest.mark.parametrize(
    "address", [f"{SESSIONS}/template/", f"{SESSIONS}/12/users", "/api/v1/nothing", "/", "/api/v2/nothing"]
)
def test_malformed_id_and_unknown_route(client, address):
    response = client.get(address)
    assert response.status_code == 404
    assert response.json().keys() == {"message", "documentation_url"}
    assert response.json()["message"] == "Not Found"


def test_unknown_method_is_an_unknown_route(client, path):
    assert client.put(path).json()["message"] == "Not Found"


def test_head_has_the_headers_and_no_body(client, path):
    response = client.head(path)
    assert response.status_code == 200
    assert int(response.headers["Content-Length"]) > 0
    assert response.content == b""
    assert client.get(path).status_code == 200  # the connection is still in step


def test_old_addresses_redirect_on_the_same_host_and_keep_the_query(simulator, client, session_id):
    keys = {"company": simulator.company_id, "apiKey": simulator.api_key}
    client.headers.clear()
    one = client.get(f"/api/v1/programs/{session_id}/", params=keys, allow_redirects=False)
    assert one.status_code == 302
    assert one.headers["Location"].startswith(f"{SESSIONS}/{session_id}/?company=")
    followed = client.get(f"/api/v1/programs/{session_id}/", params=keys)
    assert followed.json() == simulator.session(session_id)
    everything = client.get("/api/v1/programs", params=keys)
    assert len(everything.json()) == 12


def test_users_of_a_session_have_names(simulator, client, path, session_id):
    users = client.get(f"{path}users").json()
    assert [user.keys() for user in users] == [{"_id", "mail", "firstName", "lastName"}] * 20
    shown = [{"_id": user["_id"], "mail": user["mail"]} for user in users]
    assert shown == simulator.session(session_id)["users"]


def test_statistics_are_sparse_and_their_counters_count(simulator, client):
    everything = [client.get(f"{SESSIONS}/{session_id}/stats").json() for session_id in simulator.session_ids]
    items = [item for statistics in everything for item in statistics["usersStats"]]
    assert all({"mail", "score", "deleted"} <= item.keys() for item in items)
    for key in ("progress", "startTime", "endTime"):
        assert any(key in item for item in items)
        assert any(key not in item for item in items)
    assert any(item["deleted"] for item in items)
    assert any(statistics["attendees"] > statistics["registered"] for statistics in everything)
    for statistics in everything:
        present = [item for item in statistics["usersStats"] if not item["deleted"]]
        assert statistics["registered"] == len(present) == 20
        assert statistics["completed"] == sum(bool(item.get("endTime")) for item in present)


def test_statistics_of_one_learner_by_mail_and_by_id(simulator, client, path):
    for user in client.get(f"{path}users").json():
        by_mail = client.get(f"{path}stats/{quote(user['mail'], safe='')}")
        assert by_mail.json()["mail"] == user["mail"]
        assert client.get(f"{path}stats/{user['_id']}").json() == by_mail.json()


def test_statistics_of_somebody_else(simulator, client, path, session_id):
    enrolled = {user["mail"] for user in simulator.session(session_id)["users"]}
    others = [user["mail"] for one in simulator.session_ids for user in simulator.session(one)["users"]]
    stranger = next(mail for mail in others if mail not in enrolled)
    not_enrolled = client.get(f"{path}stats/{quote(stranger, safe='')}")
    assert (not_enrolled.status_code, not_enrolled.json()) == (404, {"error": "user_not_enrolled"})
    unknown = client.get(f"{path}stats/nobody@example.com")
    assert (unknown.status_code, unknown.json()) == (404, {"error": "user_not_found"})


PATCH = {
    "name": "Moved",
    "startDate": "2026-06-02T10:00:00+02:00",
    "endDate": "2026-06-03T10:00:00Z",
    "tutors": ["a@example.com", "b@example.com"],
    "userLimit": 7,
    "sessionCustom": "Room 4",
}
PATCHED = PATCH | {
    "startDate": "2026-06-02T08:00:00.000Z",
    "endDate": "2026-06-03T10:00:00.000Z",
    "hasUserLimit": True,
}


@pytest.mark.parametrize("kind", ["json", "data"])
def test_a_patch_changes_the_session_as_json_and_as_a_form(simulator, client, path, session_id, kind):
    before = simulator.session(session_id)
    response = client.patch(path.rstrip("/"), **{kind: PATCH})
    assert (response.status_code, response.json()) == (200, {})
    after = simulator.session(session_id)
    assert {key: after[key] for key in PATCHED} == PATCHED
    assert datetime.fromisoformat(after["modifiedAt"]) > datetime.fromisoformat(before["modifiedAt"])


def test_custom_fields_are_changed_by_their_id_as_json_and_as_a_form(simulator, client, path, session_id):
    known = simulator.session(session_id)["customFields"][0]["customFieldId"]
    form = {"customFields[0][_id]": known, "customFields[0][value]": "x", "tutors[]": "c@example.com"}
    assert client.patch(path, data=form).status_code == 200
    assert simulator.session(session_id)["customFields"][0]["value"] == "x"
    assert simulator.session(session_id)["tutors"] == ["c@example.com"]
    fields = {
        "customFields": [{"_id": UNKNOWN, "value": "y"}],
        "email": [{"position": 1, "sendingDate": "2026-06-02"}],
    }
    assert client.patch(path, json=fields).status_code == 200
    assert simulator.session(session_id)["customFields"][-1] == {"_id": UNKNOWN, "value": "y"}
    assert "email" not in simulator.session(session_id)


def test_a_limit_is_lifted_with_null(simulator, client, path, session_id):
    assert client.patch(path, json={"userLimit": None}).status_code == 200
    after = simulator.session(session_id)
    assert after["hasUserLimit"] is False
    assert "userLimit" not in after


@pytest.mark.parametrize(
    "body",
    [
        {"automatedReminders": True},
        {"name": 3},
        {"tutors": "ann@example.com"},
        {"tutors": [1]},
        {"startDate": "tomorrow"},
        {"startDate": "2026-06-02T10:00:00"},
        {"startDate": "2027-06-02T10:00:00Z", "endDate": "2026-06-02T10:00:00Z"},
        {"userLimit": -1},
        {"userLimit": True},
        {"customFields": ["x"]},
        {"customFields": {"_id": "x"}},
        {"email": [{"position": 1}]},
        ["name"],
    ],
)
def test_invalid_patch_changes_nothing(simulator, client, path, session_id, body):
    before = simulator.session(session_id)
    response = client.patch(path, json=body)
    assert response.status_code == 400
    assert response.json()["error"].startswith("Request validation failed: ")
    assert simulator.session(session_id) == before


def test_patch_without_json_is_invalid(client, path):
    response = client.patch(path, data=b"{", headers={"Content-Type": "application/json"})
    assert response.status_code == 400
