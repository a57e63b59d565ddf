"""Scenarios: each effect, and when it applies."""

from __future__ import annotations

import http.client
import re
import threading
from datetime import UTC, datetime, timedelta

import pytest
import requests

from airflow_provider_learning360.simulator import Simulator


def _statuses(client, path: str, count: int) -> list[int]:
    return [client.get(path).status_code for _ in range(count)]


def test_status_with_headers_and_body(simulator, client, path):
    simulator.play({"do": {"status": 429, "headers": {"Retry-After": 30}, "body": {"error": "slow down"}}})
    response = client.get(path)
    assert (response.status_code, response.json()) == (429, {"error": "slow down"})
    assert response.headers["Retry-After"] == "30"


@pytest.mark.parametrize(
    ("status", "pattern"),
    [
        (400, "^bad_request$"),
        (401, "^unauthorized$"),
        (403, "^forbidden$"),
        (404, "^program_session_not_found$"),
        (409, "^bad_request$"),
        (429, "^too_many_requests$"),
        (500, "^an error occurred: [0-9a-f]{32}$"),
        (503, "^an error occurred: [0-9a-f]{32}$"),
    ],
)
def test_status_has_the_body_of_360learning_by_default(simulator, client, path, status, pattern):
    simulator.play({"do": {"status": status}})
    response = client.get(path)
    assert response.status_code == status
    assert re.search(pattern, response.json()["error"])


def test_status_with_text_and_without_content(simulator, client, path):
    simulator.play({"when": {"times": 1}, "do": {"status": 502, "body": "<h1>Bad gateway</h1>"}})
    assert client.get(path).text == "<h1>Bad gateway</h1>"
    simulator.play({"when": {"times": 1}, "do": {"status": 204}})
    assert client.get(path).content == b""
    simulator.play({"when": {"times": 1}, "do": {"status": 200}})
    assert client.get(path).json() == {}
    assert client.get(path).json()["_id"]  # the connection is still in step


def test_edit_after_reads_happens_once(simulator, client, path, session_id):
    edit = {"session": session_id, "fields": {"name": "Edited", "lang": ...}}
    simulator.play({"when": {"after_requests": 2}, "do": {"edit": edit}})
    seen = [client.get(path).json() for _ in range(5)]
    assert [document["name"] == "Edited" for document in seen] == [False, False, True, True, True]
    assert len({document["modifiedAt"] for document in seen}) == 2
    assert "lang" not in seen[-1]


def test_edit_several_times(simulator, client, path, session_id):
    simulator.play({"when": {"times": 3}, "do": {"edit": {"session": session_id, "fields": {}}}})
    assert len({client.get(path).json()["modifiedAt"] for _ in range(5)}) == 3


def test_delete(simulator, client, path, session_id):
    edit = {"edit": {"session": session_id, "fields": {"name": "too late"}}}
    simulator.play(
        [
            {"when": {"after_requests": 1}, "do": {"delete": session_id}},
            {"when": {"after_requests": 2}, "do": edit},
        ]
    )
    assert _statuses(client, path, 3) == [200, 404, 404]
    with pytest.raises(ValueError, match="no program session"):
        simulator.play({"do": {"delete": session_id}})


def test_expire_tokens(simulator, client, path):
    body = {"client_id": "demo-company", "client_secret": "demo-key", "grant_type": "client_credentials"}
    token = client.post("/api/v2/oauth2/token", json=body).json()["access_token"]
    client.headers.clear()
    client.headers["Authorization"] = f"Bearer {token}"
    simulator.play({"when": {"path": "/programs/", "after_requests": 1}, "do": {"expire_tokens": True}})
    assert _statuses(client, path, 3) == [200, 401, 401]


def test_delay_holds_the_response_back_but_not_the_request(simulator, client, path):
    simulator.play({"do": {"delay": 600}})
    failures = []

    def ask() -> None:
        try:
            client.get(path, timeout=600)
        except requests.RequestException as error:
            failures.append(error)

    asking = threading.Thread(target=ask)
    asking.start()
    simulator.wait_for(lambda simulator: simulator.requests)
    assert asking.is_alive()
    simulator.stop()  # and a stop does not wait for it
    asking.join(10)
    assert failures


def test_short_delay_ends_with_the_response(simulator, client, path):
    simulator.play([{"do": {"delay": 0.01}}, {"do": {"delay": 0.01}}])
    assert client.get(path).json()["_id"]


def test_drop(simulator, client, path):
    simulator.play({"when": {"times": 1}, "do": {"drop": True}})
    with pytest.raises(requests.ConnectionError):
        client.get(path)
    assert [seen.status for seen in simulator.requests] == [0]
    assert client.get(path).status_code == 200


def test_truncate_announces_more_than_it_sends(simulator, path):
    simulator.play({"do": {"truncate": True}})
    connection = http.client.HTTPConnection(simulator.url.removeprefix("http://"))
    connection.request("GET", path, headers={"X-company-id": "demo-company", "X-apiKey": "demo-key"})
    response = connection.getresponse()
    length = int(response.headers["Content-Length"])
    with pytest.raises(http.client.IncompleteRead) as caught:
        response.read()
    assert len(caught.value.partial) == length // 2
    connection.close()


def test_body_cut_is_valid_http_with_half_the_json(simulator, client, path):
    whole = client.get(path).content
    simulator.play({"do": {"body_cut": True}})
    response = client.get(path)
    assert response.status_code == 200
    assert response.content == whole[: len(whole) // 2]


def test_html(simulator, client, path):
    simulator.play({"do": {"html": True}})
    response = client.get(path)
    assert response.status_code == 200
    assert response.headers["Content-Type"].startswith("text/html")
    assert "Log in" in response.text


def test_empty(simulator, client, path):
    simulator.play({"do": {"empty": True}})
    response = client.get(path)
    assert (response.status_code, response.content) == (200, b"")


def test_list(simulator, client, path, session_id):
    simulator.play({"do": {"list": True}})
    assert client.get(path).json() == [simulator.session(session_id)]


def test_drift_changes_the_sessions_in_responses(simulator, client, path, session_id):
    drift = {"add": {"colour": "red"}, "remove": ["lang", "nothing"], "module_type": "quiz"}
    simulator.play({"do": {"drift": drift}})
    for document in (client.get(path).json(), *client.get("/api/v1/programs/sessions").json()):
        assert document["colour"] == "red"
        assert "lang" not in document
        assert document["modules"][0]["type"] == "quiz"
    assert "colour" not in client.get(f"{path}stats").json()
    assert "colour" not in simulator.session(session_id)
    simulator.stop_scenarios()
    assert client.get(path).json() == simulator.session(session_id)
    simulator.play({"do": {"drift": {"add": {"modules": []}}}})
    assert client.get(path).json()["modules"] == []


def test_redirect(simulator, client, path):
    simulator.play({"do": {"redirect": "http://other.example.com/x", "status": 307}})
    response = client.get(path, allow_redirects=False)
    assert response.status_code == 307
    assert response.headers["Location"] == "http://other.example.com/x"
    simulator.stop_scenarios()
    simulator.play({"do": {"redirect": "/x"}})
    assert client.get(path, allow_redirects=False).status_code == 302


def test_failed_patch_changes_nothing(simulator, client, path, session_id):
    before = simulator.session(session_id)
    simulator.play({"do": {"status": 503}})
    assert client.patch(path, json={"name": "x"}).status_code == 503
    assert simulator.session(session_id) == before


def test_path_and_method_narrow_a_scenario(simulator, client, path):
    simulator.play({"when": {"path": "/stats$", "method": "get"}, "do": {"status": 500}})
    assert client.get(path).status_code == 200
    assert client.get(f"{path}stats").status_code == 500
    assert client.patch(f"{path}stats").status_code == 404


def test_after_requests_counts_only_requests_that_match(simulator, client, path):
    simulator.play({"when": {"path": "/stats$", "after_requests": 1}, "do": {"status": 500}})
    assert _statuses(client, path, 3) == [200] * 3
    assert _statuses(client, f"{path}stats", 2) == [200, 500]


@pytest.mark.breaks_contract("a token request without a body")
def test_the_default_path_is_the_api_and_nothing_else(simulator, client, path):
    simulator.play({"do": {"status": 500}})
    assert client.get("/elsewhere").status_code == 404
    assert client.post("/api/v2/oauth2/token").status_code == 500


def test_replacements_apply_one_after_the_other(simulator, client, path):
    simulator.play([{"when": {"times": 2}, "do": {"status": 503}}, {"when": {"times": 1}, "do": {"status": 429}}])
    assert _statuses(client, path, 4) == [503, 503, 429, 200]


def test_equal_scenarios_count_twice(simulator, client, path):
    simulator.play([{"when": {"times": 1}, "do": {"status": 503}}] * 2)
    assert _statuses(client, path, 3) == [503, 503, 200]


def test_old_name_of_stop_scenarios_still_works(simulator, client, path):
    simulator.play({"do": {"status": 503}})
    with pytest.warns(DeprecationWarning, match="use stop_scenarios"):
        simulator.calm()
    assert client.get(path).status_code == 200


def test_scenarios_are_stopped(simulator, client, path):
    simulator.play({"do": {"status": 503}})
    assert _statuses(client, path, 1) == [503]
    simulator.stop_scenarios()
    assert _statuses(client, path, 1) == [200]


def test_scenarios_use_the_clock(connect):
    now = datetime(2026, 1, 1, tzinfo=UTC)
    with Simulator(clock=lambda: now) as simulator, connect(simulator) as client:
        path = f"/api/v1/programs/sessions/{simulator.session_ids[0]}/"
        simulator.play({"when": {"after_seconds": 5, "for_seconds": 6}, "do": {"status": 429}})
        seen = {}
        for second in (0, 4.9, 8, 13.9, 14, 100):
            now = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=second)
            seen[second] = client.get(path).status_code
    assert seen == {0: 200, 4.9: 200, 8: 429, 13.9: 429, 14: 200, 100: 200}


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ("x", "must be an object"),
        ({"do": "x"}, "must be an object"),
        ({"do": {"drop": True}, "when": 3}, "must be an object"),
        ({"do": {"drop": True}, "if": {}}, "unknown key 'if' in a scenario; allowed: when, do"),
        ({"when": {}}, "a scenario needs 'do'"),
        ({"do": {}}, "exactly one of edit, delete, expire_tokens, status"),
        ({"do": {"drop": True, "html": True}}, "exactly one of"),
        ({"do": {"status": 500, "delay": 3}}, "exactly one of"),
        ({"do": {"status": 500, "retry": 3}}, "unknown key 'retry' in 'do'; allowed: status, headers, body"),
        ({"do": {"drop": True, "body": 3}}, "unknown key 'body' in 'do'; allowed: drop"),
        ({"do": {"status": "500"}}, "'status' in 'do' cannot be '500'"),
        ({"do": {"status": True}}, "cannot be True"),
        ({"do": {"status": 700}}, "from 200 to 599"),
        ({"do": {"redirect": "/", "status": 99}}, "from 200 to 599"),
        ({"do": {"drop": 1}}, "cannot be 1"),
        ({"do": {"drop": False}}, "takes true"),
        ({"do": {"delay": "1"}}, "cannot be '1'"),
        ({"do": {"delay": -1}}, "below zero"),
        ({"do": {"edit": {"session": "x"}}}, "'edit' needs 'fields'"),
        ({"do": {"edit": {"session": "x", "fields": {}}}}, "no program session 'x'"),
        ({"do": {"edit": {"id": "x"}}}, "unknown key 'id' in 'edit'; allowed: session, fields"),
        (
            {"do": {"drift": {"change": {}}}},
            "unknown key 'change' in 'drift'; allowed: add, remove, module_type",
        ),
        (
            {"do": {"drop": True}, "when": {"after": 3}},
            "unknown key 'after' in 'when'; allowed: path, method",
        ),
        ({"do": {"drop": True}, "when": {"path": "("}}, "not a regular expression"),
        ({"do": {"status": 500, "body": {1, 2}}}, "must be JSON"),
    ],
)
def test_invalid_scenario_is_not_added(simulator, client, path, wrong, message):
    with pytest.raises(ValueError, match=message):
        simulator.play([{"do": {"status": 503}}, wrong])
    assert client.get(path).status_code == 200
