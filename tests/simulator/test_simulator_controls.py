"""The control routes, which need no key."""

from __future__ import annotations

import pytest


@pytest.fixture
def stranger(client):
    """A client without keys."""
    client.headers.clear()
    return client


def test_scenarios(simulator, stranger, path):
    scenario = {"when": {"times": 1}, "do": {"status": 503}}
    assert stranger.post("/_simulator/scenario", json=[scenario, scenario]).status_code == 200
    assert [stranger.get(path).status_code for _ in range(3)] == [503, 503, 401]
    stranger.post("/_simulator/scenario", json={"do": {"status": 503}})
    assert stranger.delete("/_simulator/scenario").status_code == 200
    assert stranger.get(path).status_code == 401


def test_sessions(simulator, stranger, session_id):
    before = simulator.session(session_id)
    edited = stranger.post(f"/_simulator/sessions/{session_id}", json={"name": "Edited"}).json()
    assert edited == simulator.session(session_id)
    assert edited["name"] == "Edited"
    assert edited["modifiedAt"] > before["modifiedAt"]
    assert stranger.delete(f"/_simulator/sessions/{session_id}").status_code == 200
    assert session_id not in simulator.session_ids


def test_controls_return_sessions_as_they_are_now(simulator, stranger, session_id):
    simulator.edit(session_id, name="Edited")
    simulator.delete(simulator.session_ids[-1])
    assert stranger.get("/_simulator/sessions").json() == simulator.session_ids
    assert stranger.get(f"/_simulator/sessions/{session_id}").json() == simulator.session(session_id)


def test_controls_replace_a_session(simulator, stranger):
    ids = simulator.session_ids
    before, progress = simulator.session(ids[1]), simulator.statistics(ids[1])
    simulator.edit(ids[1], name="Edited")
    assert stranger.put(f"/_simulator/sessions/{ids[1]}", json=before).json() == before
    assert simulator.session(ids[1]) == before
    assert simulator.statistics(ids[1]) == progress
    assert simulator.session_ids == ids


def test_controls_add_a_session(simulator, stranger, session_id):
    before = simulator.session(session_id)
    simulator.delete(session_id)
    without_id = {key: value for key, value in before.items() if key != "_id"}
    assert stranger.put(f"/_simulator/sessions/{session_id}", json=without_id).json() == before
    assert simulator.session(session_id) == before
    assert simulator.session_ids[-1] == session_id
    assert simulator.statistics(session_id)["completed"] == 0


def test_tokens(simulator, stranger, path):
    body = {"client_id": "demo-company", "client_secret": "demo-key", "grant_type": "client_credentials"}
    token = stranger.post("/api/v2/oauth2/token", json=body).json()["access_token"]
    stranger.headers["Authorization"] = f"Bearer {token}"
    assert stranger.get(path).status_code == 200
    assert stranger.post("/_simulator/tokens/revoke").status_code == 200
    assert stranger.get(path).status_code == 401


def test_list_of_requests_has_no_secrets_and_no_control_requests(simulator, stranger, path):
    stranger.get(path, params={"company": "demo-company", "apiKey": "demo-key", "a": "b"})
    response = stranger.get("/_simulator/requests")
    (shown,) = response.json()
    assert shown["query"] == {"company": "***", "apiKey": "***", "a": "b"}
    assert (shown["method"], shown["path"], shown["status"], shown["connection"]) == ("GET", path, 200, 1)
    assert "demo-key" not in response.text
    assert len(simulator.requests) == 1


def test_list_of_requests_starts_where_it_is_told(simulator, stranger, path):
    for _ in range(3):
        stranger.get(path)
    everything = stranger.get("/_simulator/requests").json()
    since = [stranger.get("/_simulator/requests", params={"since": one}).json() for one in (-1, 0, 2, 3, 9)]
    assert since == [everything, everything, everything[2:], [], []]
    assert stranger.delete("/_simulator/requests").status_code == 200
    assert simulator.requests == stranger.get("/_simulator/requests").json() == []


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "message"),
    [
        ("POST", "scenario", {"do": {"explode": True}}, 400, "exactly one of"),
        ("POST", "scenario", "nonsense", 400, "must be an object"),
        ("POST", "sessions/x", {"name": "y"}, 404, "no program session 'x'"),
        ("POST", "sessions/x", ["name"], 400, "an object of fields"),
        ("PUT", "sessions/x", ["name"], 400, "a session is an object"),
        ("PUT", "sessions/x", {"_id": "y"}, 400, "a session with the _id 'y' cannot be put at 'x'"),
        ("GET", "sessions/x", None, 404, "no program session 'x'"),
        ("GET", "requests?since=x", None, 400, "invalid literal for int"),
        ("DELETE", "sessions/x", None, 404, "no program session 'x'"),
        ("GET", "nothing", None, 404, "the simulator has no route GET /_simulator/nothing"),
    ],
)
def test_controls_say_what_is_not_possible(stranger, method, path, body, status, message):
    response = stranger.request(method, f"/_simulator/{path}", json=body)
    assert response.status_code == status
    assert message in response.json()["error"]


def test_controls_ignore_scenarios(simulator, stranger):
    simulator.play({"when": {"path": ".*"}, "do": {"status": 503}})
    assert stranger.delete("/_simulator/scenario").status_code == 200
