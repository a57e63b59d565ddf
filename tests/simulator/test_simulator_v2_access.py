"""Keys, tokens, scopes and errors of API v2."""

from __future__ import annotations

import pytest
import requests

from airflow_provider_learning360.simulator import Simulator

pytestmark = pytest.mark.breaks_contract("wrong requests get errors")

TOKEN = "/api/v2/oauth2/token"
SESSIONS = "/api/v2/paths/sessions"
GRANT = {"grant_type": "client_credentials"}
V1 = GRANT | {"client_id": "demo-company", "client_secret": "demo-key"}
V2 = GRANT | {"client_id": "3600" * 8, "client_secret": "demo-secret"}


def _bearer(client, keys):
    return {"Authorization": f"Bearer {client.post(TOKEN, json=keys).json()['access_token']}"}


def test_a_token_says_how_long_it_lives_as_a_number(v2):
    token = v2.post(TOKEN, json=V2).json()
    assert (token["token_type"], token["expires_in"]) == ("Bearer", 3600)
    assert v2.post(TOKEN, json=V1).json()["expires_in"] == "3600"


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"scope": "paths:read"}, 400, "invalid_request"),
        ({"client_id": "f" * 32}, 400, "invalid_request"),
        ({"client_id": ["demo-company"]}, 400, "invalid_request"),
        ({"grant_type": "password"}, 400, "unsupported_grant_type"),
        ({"client_secret": "demo-key"}, 401, "invalid_client"),
        ({"client_id": "demo-company"}, 401, "invalid_client"),
        ({"company_id": "f" * 24}, 200, None),
    ],
)
def test_token_errors(v2, change, status, code):
    response = v2.post(TOKEN, json=V2 | change)
    assert (response.status_code, response.json().get("error")) == (status, code)


def test_no_token_is_invalid(simulator, connect):
    with connect(simulator) as client:
        keys = {"company": "demo-company", "apiKey": "demo-key"}
        version = {"360-api-version": "v2.0"}
        for headers in (version, {"Authorization": "Bearer x"} | version, {"Authorization": "Bearer"}, {}):
            response = client.get(SESSIONS, headers=headers, params=keys)
            assert (response.status_code, response.json()) == (401, {"error": "invalid_token"})


def test_tokens_expire_and_are_revoked(simulator, v2):
    assert v2.get(SESSIONS).status_code == 200
    simulator.revoke_tokens()
    assert v2.get(SESSIONS).json() == {"error": "invalid_token"}
    simulator.play({"do": {"expire_tokens": True}})
    assert v2.get(SESSIONS, headers=_bearer(v2, V2)).status_code == 200


def test_a_token_for_the_keys_of_one_version_is_refused_by_the_other(simulator, v2, connect, path):
    refused = v2.get(SESSIONS, headers=_bearer(v2, V1))
    assert refused.status_code == 403
    assert refused.json()["error"]["code"] == "invalid_scope"
    with connect(simulator) as client:
        del client.headers["X-apiKey"]
        refused = client.get(path, headers=_bearer(client, V2))
        assert (refused.status_code, refused.json()) == (401, {"error": "unauthorized"})
        assert client.get(path, headers=_bearer(client, V1)).status_code == 200


@pytest.mark.parametrize("version", [None, "", "v1.0", "2"])
def test_a_request_without_the_version_is_an_error(version, v2):
    response = v2.get(SESSIONS, headers={"360-api-version": version})
    assert response.status_code == 400
    assert response.json()["error"]["code"] == "invalidApiVersion"
    assert v2.post(TOKEN, json=V2, headers={"360-api-version": version}).status_code == 200


@pytest.mark.parametrize(
    ("address", "scope"),
    [
        (SESSIONS, "paths:read"),
        ("/api/v2/paths", "paths:read"),
        ("/api/v2/paths/stats", "pathStats:read"),
        ("/api/v2/paths/PATH", "paths:read"),
        ("/api/v2/paths/PATH/sessions", "paths:read"),
        ("/api/v2/paths/PATH/enrollments", "paths:read"),
        ("/api/v2/paths/PATH/sessions/SESSION", "paths:read"),
        ("/api/v2/paths/PATH/sessions/SESSION/user-statuses", "pathStats:read"),
        ("/api/v2/paths/PATH/sessions/SESSION/user-stats", "pathStats:read"),
        ("/api/v2/paths/PATH/sessions/SESSION/audiences", "paths:read"),
        ("/api/v2/paths/PATH/sessions/SESSION/custom-fields/values", "paths:read"),
        ("/api/v2/custom-fields", "customFields:read"),
        ("/api/v2/users", "users:read"),
        ("/api/v2/users/USER", "users:read"),
    ],
)
def test_each_route_has_its_scope(address, scope, connect_v2):
    every = {"paths:read", "pathStats:read", "users:read", "customFields:read"}
    for scopes, status in (({scope}, 200), (every - {scope}, 403), ((), 403)):
        with Simulator(scopes=scopes) as simulator, connect_v2(simulator) as client:
            session = simulator.session(simulator.session_ids[0])
            ids = {"PATH": session["programTemplate"], "SESSION": session["_id"], "USER": session["users"][0]["_id"]}
            for name, one in ids.items():
                address = address.replace(name, one)
            response = client.get(address)
            assert response.status_code == status
            if status == 403:
                assert response.json()["error"]["code"] == "invalid_scope"
                assert scope not in response.text


def test_an_unknown_scope_is_refused():
    with pytest.raises(ValueError, match=r"unknown scopes \['path:read'\]; known: attendanceSheets:read"):
        Simulator(scopes=["path:read"])


@pytest.mark.parametrize(
    ("status", "address", "body"),
    [
        (400, SESSIONS, {"code": "badRequest", "message": "The request is not valid."}),
        (401, SESSIONS, "invalid_token"),
        (429, SESSIONS, "tooManyRequests"),
        (403, SESSIONS, {"code": "invalid_scope", "message": "The access token does not have the required scope."}),
        (404, "/api/v2/paths/x", {"code": "pathNotFound", "message": "The path was not found."}),
        (404, "/api/v2/paths/x/sessions/y", {"code": "sessionNotFound", "message": "The session was not found."}),
        (404, "/api/v2/users/x", {"code": "userNotFound", "message": "The user was not found."}),
        (401, "/api/v1/programs/sessions", "unauthorized"),
        (429, "/api/v1/programs/sessions", "too_many_requests"),
        (429, TOKEN, "too_many_requests"),
    ],
)
def test_a_status_has_the_body_of_its_version(simulator, v2, status, address, body):
    simulator.play({"do": {"status": status}})
    response = v2.get(address)
    assert (response.status_code, response.json()) == (status, {"error": body})
    assert "Retry-After" not in response.headers


def test_ids_that_do_not_exist_or_do_not_belong_together(simulator, v2, session_id):
    path, nothing = simulator.session(session_id)["programTemplate"], "0" * 24
    other = simulator.session_ids[1]
    for address, status, code in (
        (f"/api/v2/paths/{nothing}", 404, "pathNotFound"),
        ("/api/v2/paths/12/enrollments", 404, "pathNotFound"),
        (f"/api/v2/paths/{nothing}/sessions/{session_id}", 404, "pathNotFound"),
        (f"/api/v2/paths/{path}/sessions/{nothing}", 404, "sessionNotFound"),
        (f"/api/v2/paths/{path}/sessions/{nothing}/user-stats", 404, "sessionNotFound"),
        (f"/api/v2/paths/{path}/sessions/{other}", 400, "sessionNotBelongToPath"),
        (f"/api/v2/paths/{path}/sessions/{other}/user-stats", 400, "sessionNotBelongToPath"),
        (f"/api/v2/users/{nothing}", 404, "userNotFound"),
    ):
        response = v2.get(address)
        assert (response.status_code, response.json()["error"]["code"]) == (status, code)


def test_scenarios_work_on_v2(simulator, v2, session_id):
    session = simulator.session(session_id)
    path = f"/api/v2/paths/{session['programTemplate']}"
    drift = {"add": {"extra": 1}, "remove": ["modifiedAt"], "module_type": "podcast"}
    simulator.play({"when": {"path": "/api/v2/"}, "do": {"drift": drift}})
    for address in (SESSIONS, f"{path}/sessions", f"{path}/sessions/{session_id}", path, "/api/v2/paths"):
        content = v2.get(address).json()
        for document in content if isinstance(content, list) else [content]:
            assert document["extra"] == 1
            assert "modifiedAt" not in document
    assert v2.get(path).json()["steps"][0]["type"] == "podcast"
    assert "extra" not in v2.get("/api/v2/users").json()[0]
    simulator.stop_scenarios()
    simulator.play({"do": {"edit": {"session": session_id, "fields": {"name": "Edited"}}}})
    assert v2.get(f"{path}/sessions/{session_id}").json()["name"] == "Edited"
    simulator.play({"do": {"body_cut": True}})
    with pytest.raises(requests.JSONDecodeError):
        v2.get(SESSIONS).json()


@pytest.mark.parametrize("address", [f"{SESSIONS}/", "/api/v2/paths/"])
@pytest.mark.breaks_contract("the contract knows no slash at the end", responses=True)
def test_a_slash_at_the_end_changes_nothing(address, v2):
    assert v2.get(address).json() == v2.get(address.rstrip("/")).json()


def test_other_methods_are_unknown_routes(v2):
    for method in ("POST", "PUT"):
        assert v2.request(method, SESSIONS).json()["message"] == "Not Found"
    assert v2.head(SESSIONS).status_code == 200
