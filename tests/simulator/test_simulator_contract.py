"""Each response of API v2 is held against the vendor's contract."""

from __future__ import annotations

import pytest

from airflow_provider_learning360.simulator import Simulator
from contract.contract import require_valid

NOBODY = "0" * 24


def _addresses(simulator: Simulator) -> list[str]:
    session = simulator.session(simulator.session_ids[0])
    path = f"/api/v2/paths/{session['programTemplate']}"
    one = f"{path}/sessions/{session['_id']}"
    return [
        "/api/v2/paths/sessions",
        "/api/v2/paths",
        "/api/v2/paths/stats",
        path,
        f"{path}/sessions",
        f"{path}/enrollments",
        one,
        *(f"{one}/{tail}" for tail in ("user-statuses", "user-stats", "audiences", "custom-fields/values")),
        "/api/v2/custom-fields",
        "/api/v2/users",
        f"/api/v2/users/{session['users'][0]['_id']}",
    ]


@pytest.mark.parametrize("number", range(14))
def test_each_response_is_valid(simulator, v2, number):
    address = _addresses(simulator)[number]
    response = v2.get(address)
    assert response.json()
    require_valid("GET", address, response.status_code, response.json())


@pytest.mark.parametrize("options", [{"legacy": 12}, {"learners": 0}, {"seed": 1}], ids=str)
def test_each_response_for_other_data_is_valid(options, connect_v2):
    with Simulator(**options) as simulator, connect_v2(simulator) as client:
        for session in map(simulator.session, simulator.session_ids):
            path = f"/api/v2/paths/{session['programTemplate']}"
            one = f"{path}/sessions/{session['_id']}"
            tails = ("", "/user-statuses", "/user-stats", "/audiences", "/custom-fields/values")
            for address in (path, *(one + tail for tail in tails)):
                response = client.get(address)
                require_valid("GET", address, response.status_code, response.json())


@pytest.mark.parametrize("number", range(14))
@pytest.mark.parametrize("status", [401, 403, 429])
def test_each_error_is_valid(simulator, v2, number, status):
    address = _addresses(simulator)[number]
    simulator.play({"do": {"status": status}})
    response = v2.get(address)
    assert response.status_code == status
    require_valid("GET", address, status, response.json())


@pytest.mark.breaks_contract("a wrong token request")
def test_tokens_are_valid(simulator, v2):
    body = {"client_id": simulator.client_id, "client_secret": "wrong", "grant_type": "client_credentials"}
    for change in ({"client_secret": simulator.client_secret}, {}, {"client_id": "x"}, {"grant_type": "x"}):
        response = v2.post("/api/v2/oauth2/token", json=body | change)
        require_valid("POST", "/api/v2/oauth2/token", response.status_code, response.json())


def test_what_does_not_exist_is_valid(simulator, v2):
    session = simulator.session(simulator.session_ids[0])
    path, other = session["programTemplate"], simulator.session(simulator.session_ids[1])["_id"]
    for tail in ("", "/user-statuses", "/user-stats", "/audiences", "/custom-fields/values"):
        for address, status in (
            (f"/api/v2/paths/{NOBODY}/sessions/{session['_id']}{tail}", 404),
            (f"/api/v2/paths/{path}/sessions/{NOBODY}{tail}", 404),
            (f"/api/v2/paths/{path}/sessions/{other}{tail}", 400),
        ):
            response = v2.get(address)
            assert response.status_code == status
            require_valid("GET", address, status, response.json())
    for address in (f"/api/v2/paths/{NOBODY}", f"/api/v2/paths/{NOBODY}/sessions", f"/api/v2/users/{NOBODY}"):
        require_valid("GET", address, 404, v2.get(address).json())


def test_what_writes_respond_is_valid(simulator, v2):
    session = simulator.session(simulator.session_ids[0])
    one = f"/api/v2/paths/{session['programTemplate']}/sessions/{session['_id']}"
    for body in ({"name": "x", "endDate": None}, {"mainInstructorId": NOBODY}, {"startDate": "2099-01-01T00:00:00Z"}):
        response = v2.patch(one, json=body)
        require_valid("PATCH", one, response.status_code, response.json())
    address = f"{one}/audiences"
    for filters in ([{"type": "groups", "ids": []}], [{"type": "users", "ids": [NOBODY]}]):
        response = v2.put(address, json={"mode": "manual", "filters": filters})
        require_valid("PUT", address, response.status_code, response.json())


def test_what_is_not_valid_is_found(simulator, v2):
    address = "/api/v2/paths/sessions"
    simulator.play({"do": {"drift": {"remove": ["pathId"]}}})
    with pytest.raises(AssertionError, match="pathId"):
        require_valid("GET", address, 200, v2.get(address).json())
