"""The test request of any operation: reads are sent and masked, writes never leave."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from fastapi.testclient import TestClient

from airflow_provider_learning360.api.catalogue.catalogue import load_operations
from airflow_provider_learning360.simulator import Simulator
from airflow_provider_learning360.ui import operation_request
from airflow_provider_learning360.ui.access import MAX_LARGE_BODY_BYTES
from airflow_provider_learning360.ui.operations import build_example_call
from case_samples import each_name

Login = Callable[[str | None], TestClient]

API = "/learning360/api"
KEY = "key-5d1f-canary"
ID = "60b8d2956e20ae1a0f8e44f1"
OPERATIONS = load_operations()
READS = [one.name for one in OPERATIONS.values() if one.is_read]
WRITES = [one.name for one in OPERATIONS.values() if not one.is_read]
LIST = {"v1": "list-program-sessions-v1", "v2": "list-path-sessions"}


@pytest.fixture
def connections(stored: Callable[..., str], simulator: Simulator) -> dict[str, str]:
    """A stored connection to the simulator, by version of the API."""
    one = simulator
    extra = json.dumps({"api_version": "v2"})
    return {
        "v1": stored("of_v1", host=one.url, login=one.company_id, password=one.api_key),
        "v2": stored("of_v2", host=one.url, login=one.client_id, password=one.client_secret, extra=extra),
    }


def call(client: TestClient, connections: dict[str, str], name: str, **body: Any) -> Any:
    connection = connections[OPERATIONS[name].version if name in OPERATIONS else "v2"]
    return client.post(f"{API}/connections/{connection}/operation", json={"name": name} | body)


def call_example(client: TestClient, connections: dict[str, str], simulator: Simulator, name: str) -> Any:
    """Call an operation with arguments that name what exists in the simulator."""
    example = build_example_call(OPERATIONS[name])
    known = find_ids(simulator)
    given = example["parameters"]
    parameters = {key: known.get(key.partition("[")[0], value) for key, value in given.items()}
    return call(client, connections, name, parameters=parameters, body=example["body"])


def find_ids(simulator: Simulator) -> dict[str, str]:
    """IDs of a session, its path and its learner, by the names of parameters."""
    session = simulator.session(simulator.session_ids[0])
    user = session["users"][0]
    return {
        **dict.fromkeys(("sessionId", "session_id"), session["_id"]),
        **dict.fromkeys(("pathId", "template_id"), session["programTemplate"]),
        **dict.fromkeys(("userId", "user_id", "user_email_or_id"), user["_id"]),
    }


def people_of(simulator: Simulator) -> set[str]:
    """Mails and names of everybody in the sessions of the simulator."""
    found: set[str] = set()
    for session in map(simulator.session, simulator.session_ids):
        found |= {session["author"], *session["tutors"]}
        found |= {str(user[name]) for user in session["users"] for name in ("mail", "firstName", "lastName")
                  if user.get(name)}  # fmt: skip
    return found


# --- reads ---


def test_reads_are_sent_with_get_only() -> None:
    assert {OPERATIONS[name].method for name in READS} == {"GET"}
    assert len(READS) + len(WRITES) >= 195


@each_name(READS)
def test_read_is_sent_and_people_are_masked(
    login: Login, connections: dict[str, str], simulator: Simulator, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    response = call_example(login("otto"), connections, simulator, name)
    assert response.status_code == 200
    result = response.json()
    assert result["ok"], result
    assert [one.method for one in simulator.requests if "oauth2" not in one.path] in (["GET"], ["GET"] * 2)
    assert [one for one in people_of(simulator) if f'"{one}"' in response.text] == []
    for secret in (simulator.api_key, simulator.client_secret):
        assert secret not in response.text
        assert secret not in caplog.text


@pytest.mark.parametrize("version", LIST)
def test_read_returns_the_tree_of_its_answer(
    login: Login, connections: dict[str, str], simulator: Simulator, version: str
) -> None:
    result = call(login("otto"), connections, LIST[version]).json()
    assert result["ok"] is True
    assert result["status"] == 200
    assert result["bytes"] > 100
    assert result["items"] == len(simulator.session_ids) == len(result["fields"]) == len(result["document"])
    assert result["more"] is False
    assert result["fields"][0]["items"][0]["name"] == "_id"
    assert result["sent"]["method"] == "GET"
    assert result["request"] == f"GET {OPERATIONS[LIST[version]].path}"


def test_people_are_shown_on_request(login: Login, connections: dict[str, str], simulator: Simulator) -> None:
    name, arguments = "get-program-session-v1", {"session_id": simulator.session_ids[0]}
    session = simulator.session(simulator.session_ids[0])
    masked = call(login("otto"), connections, name, parameters=arguments)
    shown = call(login("otto"), connections, name, parameters=arguments, reveal=True)
    assert session["author"] not in masked.text
    assert session["author"] in shown.text
    assert (masked.json()["people"]["hidden"], shown.json()["people"]["hidden"]) == (True, False)


def test_people_are_shown_to_editors_of_the_connection_only(
    login: Login, connections: dict[str, str], simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    from airflow.api_fastapi.auth.managers.simple.simple_auth_manager import SimpleAuthManager

    allowed = SimpleAuthManager.is_authorized_connection

    def reading_only(self: Any, *, method: str, **rest: Any) -> bool:
        return method == "GET" and allowed(self, method=method, **rest)

    monkeypatch.setattr(SimpleAuthManager, "is_authorized_connection", reading_only)
    assert call(login("otto"), connections, "list-path-sessions").json()["people"]["may_reveal"] is False
    simulator.forget()
    refused = call(login("otto"), connections, "list-path-sessions", reveal=True)
    assert refused.status_code == 403
    assert refused.json()["error"]["code"] == "people_not_permitted"
    assert simulator.requests == []


def test_pages_of_a_list_are_limited(login: Login, connections: dict[str, str], simulator: Simulator) -> None:
    assert call(login("otto"), connections, "list-path-sessions", pages=6).status_code == 422
    assert call(login("otto"), connections, "list-path-sessions", pages=0).status_code == 422
    assert simulator.requests == []


def test_large_answer_is_refused(login: Login, connections: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(operation_request, "MAX_BYTES", 1000)
    result = call(login("otto"), connections, "list-program-sessions-v1").json()
    assert result["failure"]["code"] == "too_large"


def test_slow_answer_is_given_up(
    login: Login, connections: dict[str, str], simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(operation_request, "MAX_SECONDS", 0.3)
    simulator.play({"do": {"delay": 5}})
    result = call(login("otto"), connections, "list-program-sessions-v1").json()
    assert result["failure"]["code"] == "timed_out"


@pytest.mark.parametrize(
    ("do", "code"),
    [
        ({"status": 401}, "unauthorized"),
        ({"status": 403}, "forbidden"),
        ({"status": 404}, "object_not_found"),
        ({"status": 429}, "rate_limited"),
        ({"status": 503}, "unavailable"),
        ({"html": True}, "contract"),
    ],
)
def test_failed_read_says_what_to_do(
    login: Login, connections: dict[str, str], simulator: Simulator, do: dict[str, Any], code: str
) -> None:
    simulator.play({"do": do})
    result = call(login("otto"), connections, "list-program-sessions-v1").json()
    assert (result["ok"], result["failure"]["code"]) == (False, code)
    assert len(simulator.requests) == 1


# --- writes ---


@each_name(WRITES)
def test_write_is_described_and_never_sent(
    login: Login, connections: dict[str, str], simulator: Simulator, name: str
) -> None:
    response = call_example(login("otto"), connections, simulator, name)
    operation = OPERATIONS[name]
    assert simulator.requests == []
    assert response.status_code == 200, response.text
    result = response.json()
    assert (result["ok"], result["sent"], result["reason"], result["repeat"]) == (True, None, "write", operation.repeat)
    assert result["would_send"]["method"] == operation.method
    assert "{" not in result["would_send"]["path"]
    assert (result["would_send"]["body"] is None) is (operation.body is None)
    for secret in (simulator.api_key, simulator.client_secret):
        assert secret not in response.text


def test_write_cannot_be_passed_to_the_function_that_sends(simulator: Simulator) -> None:
    with pytest.raises(ValueError, match="changes something"):
        operation_request.test_operation(
            None, OPERATIONS[WRITES[0]], {}, pages=1, reveal=False, may_reveal=False  # type: ignore[arg-type]
        )  # fmt: skip


# --- refusals ---


def test_problems_of_arguments_are_named(login: Login, connections: dict[str, str], simulator: Simulator) -> None:
    response = call(
        login("otto"), connections, "list-path-sessions", parameters={"modifiedAt[gte]": "soon", "colour": "red"}
    )
    assert response.status_code == 422
    body = response.json()
    assert body["error"]["code"] == "arguments"
    assert [one["place"] for one in body["problems"]] == ["parameters.modifiedAt[gte]", "parameters.colour"]
    assert all(one["text"] for one in body["problems"])
    assert simulator.requests == []


def test_unknown_operation_is_not_found(login: Login, connections: dict[str, str]) -> None:
    response = call(login("otto"), connections, "list-everything")
    assert (response.status_code, response.json()["error"]["code"]) == (404, "no_operation")


@pytest.mark.parametrize("name", ["list-users", "create-user"])
def test_operation_of_the_other_version_is_refused(
    login: Login, connections: dict[str, str], simulator: Simulator, name: str
) -> None:
    example = build_example_call(OPERATIONS[name])
    response = call(login("otto"), {"v2": connections["v1"]}, name, **example)
    assert response.status_code == 422
    failure = response.json()["error"]
    assert (failure["code"], failure["values"]) == ("other_version", {"operation": name, "version": "v2"})
    assert simulator.requests == []


@pytest.mark.parametrize("user", ["vera", None])
def test_operation_needs_the_right_to_the_connection(
    login: Login, connections: dict[str, str], simulator: Simulator, user: str | None
) -> None:
    assert call(login(user), connections, "list-path-sessions").status_code == (401 if user is None else 403)
    assert simulator.requests == []


def test_operation_from_another_site_is_refused(
    login: Login, connections: dict[str, str], simulator: Simulator
) -> None:
    client = login("otto")
    client.headers["Sec-Fetch-Site"] = "cross-site"
    for name in ("list-path-sessions", "create-user"):
        response = call(client, connections, name)
        assert (response.status_code, response.json()["error"]["code"]) == (403, "other_site")
    assert simulator.requests == []


def test_body_may_be_larger_than_that_of_other_routes_but_is_limited(login: Login, connections: dict[str, str]) -> None:
    too_large = call(login("otto"), connections, "list-path-sessions", body="x" * MAX_LARGE_BODY_BYTES)
    assert (too_large.status_code, too_large.json()["error"]["code"]) == (413, "body_too_large")
    large = call(login("otto"), connections, "list-path-sessions", body="x" * (MAX_LARGE_BODY_BYTES - 1000))
    assert large.json()["error"]["code"] == "arguments"


# --- audit log ---


def test_audit_log_has_the_call_without_people(login: Login, connections: dict[str, str], simulator: Simulator) -> None:
    from airflow.models.log import Log
    from airflow.utils.session import create_session

    parameters = {"pathId[in]": ["zoe.canary@example.com"], "modifiedAt[gte]": "2026-03-01T00:00:00Z", "zoe": "Canary"}
    call(login("otto"), connections, "list-path-sessions", parameters=parameters, body={"zoe": "Canary"}, reveal=True)
    with create_session() as session:
        row = session.query(Log).filter(Log.event == "learning360_test_operation").order_by(Log.id.desc()).first()
        assert row is not None
        assert row.owner == "otto"
        stored = json.loads(row.extra)
    assert "anary" not in row.extra
    assert (stored["name"], stored["reveal"], stored["connection_id"]) == ("list-path-sessions", True, "of_v2")
    assert stored["parameters"] == {"pathId[in]": ["•••"], "modifiedAt[gte]": "2026-03-01T00:00:00Z"}


@pytest.mark.parametrize("content", ["", "[]", "null", "{", '{"name": 3}', '{"name": [], "parameters": []}'])
def test_body_that_is_no_call_is_refused(login: Login, connections: dict[str, str], content: str) -> None:
    response = login("otto").post(
        f"{API}/connections/of_v2/operation", content=content, headers={"Content-Type": "application/json"}
    )
    assert response.status_code == 422
    assert response.json()["error"]["code"] == "unknown_request"
