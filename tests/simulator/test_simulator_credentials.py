"""The three ways to authenticate, and the token route."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from airflow_provider_learning360.simulator import Simulator

TOKEN = "/api/v2/oauth2/token"
GOOD = {"client_id": "demo-company", "client_secret": "demo-key", "grant_type": "client_credentials"}


def _token(client) -> dict[str, object]:
    response = client.post(TOKEN, json=GOOD)
    assert response.status_code == 200
    return response.json()


def _with_token(client, path: str, token: object) -> int:
    return client.get(path, headers={"X-apiKey": None, "Authorization": f"Bearer {token}"}).status_code


def test_keys_in_headers(client, path):
    assert client.get(path).status_code == 200


def test_keys_in_the_query(client, path):
    client.headers.clear()
    assert client.get(path, params={"company": "demo-company", "apiKey": "demo-key"}).status_code == 200


def test_a_token(client, path):
    token = _token(client)
    assert token["token_type"] == "Bearer"
    assert token["expires_in"] == "3600"
    assert _with_token(client, path, token["access_token"]) == 200


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"X-company-id": "demo-company"},
        {"X-company-id": "demo-company", "X-apiKey": "wrong"},
        {"X-company-id": "wrong", "X-apiKey": "demo-key"},
        {"Authorization": "Bearer unknown"},
        {"Authorization": "Bearer"},
        {"Authorization": "Basic ZGVtbw=="},
    ],
)
def test_other_credentials_are_unauthorized(client, path, headers):
    client.headers.clear()
    for address in (path, "/api/v1/nothing"):
        response = client.get(address, headers=headers)
        assert (response.status_code, response.json()) == (401, {"error": "unauthorized"})


def test_keys_are_not_combined_from_headers_and_query(client, path):
    client.headers.pop("X-apiKey")
    assert client.get(path, params={"apiKey": "demo-key"}).status_code == 401


@pytest.mark.breaks_contract("wrong token requests")
@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"client_id": None}, 400, "invalid_request"),
        ({"client_id": "somebody"}, 400, "invalid_request"),
        ({"client_secret": None}, 400, "invalid_request"),
        ({"grant_type": None}, 400, "invalid_request"),
        ({"grant_type": "password"}, 400, "unsupported_grant_type"),
        ({"client_secret": "wrong"}, 401, "invalid_client"),
    ],
)
def test_token_errors(client, change, status, code):
    body = {key: value for key, value in (GOOD | change).items() if value is not None}
    response = client.post(TOKEN, json=body)
    assert (response.status_code, response.json()) == (status, {"error": code})


@pytest.mark.breaks_contract("token requests without an object of JSON")
@pytest.mark.parametrize(
    "body", [{"data": GOOD}, {"json": []}, {"data": b"{", "headers": {"Content-Type": "application/json"}}]
)
def test_a_token_request_has_to_be_a_json_object(client, body):
    response = client.post(TOKEN, **body)
    assert (response.status_code, response.json()) == (400, {"error": "invalid_request"})


def test_token_expires(connect):
    now = datetime(2026, 1, 1, tzinfo=UTC)
    with (
        Simulator(token_life=60, clock=lambda: now, expires_in_as=int) as simulator,
        connect(simulator) as client,
    ):
        path = f"/api/v1/programs/sessions/{simulator.session_ids[0]}/"
        token = _token(client)
        assert token["expires_in"] == 60
        now += timedelta(seconds=59)
        assert _with_token(client, path, token["access_token"]) == 200
        now += timedelta(seconds=1)
        assert _with_token(client, path, token["access_token"]) == 401
        assert _with_token(client, path, _token(client)["access_token"]) == 200


def test_tokens_can_be_revoked(simulator, client, path):
    token = _token(client)["access_token"]
    simulator.revoke_tokens()
    assert _with_token(client, path, token) == 401
    assert _with_token(client, path, _token(client)["access_token"]) == 200


def test_other_keys_can_be_chosen(connect):
    with Simulator(company_id="acme", api_key="canary") as simulator, connect(simulator) as client:
        assert client.get("/api/v1/programs/sessions").status_code == 200
        assert client.get("/api/v1/programs/sessions", headers={"X-apiKey": "demo-key"}).status_code == 401
