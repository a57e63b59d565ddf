"""The simulator has the filters of the contract, on each of its routes: all of them, and no other."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import requests

from airflow_provider_learning360.simulator import Simulator
from case_samples import one_in
from contract.contract import require_valid
from contract.vendor import MISSING, find_contract, load_contract

FILE = find_contract()
CONTRACT = load_contract(FILE) if FILE else {"paths": {}}
pytestmark = pytest.mark.skipif(FILE is None, reason=MISSING)

ROUTES = [
    "/api/v2/paths/sessions",
    "/api/v2/paths/stats",
    "/api/v2/paths",
    "/api/v2/paths/{pathId}",
    "/api/v2/paths/{pathId}/sessions",
    "/api/v2/paths/{pathId}/enrollments",
    "/api/v2/paths/{pathId}/sessions/{sessionId}",
    "/api/v2/paths/{pathId}/sessions/{sessionId}/user-statuses",
    "/api/v2/paths/{pathId}/sessions/{sessionId}/user-stats",
    "/api/v2/paths/{pathId}/sessions/{sessionId}/audiences",
    "/api/v2/paths/{pathId}/sessions/{sessionId}/custom-fields/values",
    "/api/v2/custom-fields",
    "/api/v2/users",
    "/api/v2/users/{userId}",
]


def filters_of(route: str) -> dict[tuple[str, str], dict[str, Any]]:
    """Return the schema of each filter and operator of a route."""
    parameters = CONTRACT["paths"].get(route, {}).get("get", {}).get("parameters", ())
    return {
        (one["name"], operator): schema
        for one in parameters
        if one["in"] == "query"
        for operator, schema in one["schema"]["properties"].items()
    }


ALL_FILTERS = {key: schema for route in ROUTES for key, schema in filters_of(route).items()}


def queries(name: str, operator: str, schema: dict[str, Any]) -> list[str]:
    """Return a valid filter, in each notation that there is for it."""
    one = schema.get("items", schema)
    if "pattern" in one:
        value = "60b8d2956e20ae1a0f8e44f1"
    else:
        value = "2026-06-01T08:00:00.000Z" if one.get("format") == "date-time" else one.get("enum", ["x"])[0]
    key = f"{name}[{operator}]"
    if schema.get("type") == "array":
        return [f"{key}[0]={value}&{key}[1]={value}", f"{key}[]={value}&{key}[]={value}", f"{key}={value}"]
    return [f"{key}={value}", f"{name}%5B{operator}%5D={value}"]


@pytest.fixture(scope="module")
def simulator() -> Iterator[Simulator]:
    with Simulator(sessions=3, learners=2) as simulator:
        yield simulator


@contextmanager
def connect(simulator: Simulator) -> Iterator[requests.Session]:
    keys = {"client_id": simulator.client_id, "client_secret": simulator.client_secret}
    with requests.Session() as client:
        client.trust_env = False
        body = {"grant_type": "client_credentials", **keys}
        token = client.post(f"{simulator.url}/api/v2/oauth2/token", json=body, timeout=10).json()["access_token"]
        client.headers.update({"Authorization": f"Bearer {token}", "360-api-version": "v2.0"})
        yield client


@pytest.fixture(scope="module")
def client(simulator: Simulator) -> Iterator[requests.Session]:
    with connect(simulator) as client:
        yield client


def address_of(route: str, simulator: Simulator) -> str:
    session = simulator.session(simulator.session_ids[0])
    ids = {"pathId": session["programTemplate"], "sessionId": session["_id"], "userId": session["users"][0]["_id"]}
    return route.format(**ids)


@pytest.mark.breaks_contract("filters of other routes")
@pytest.mark.parametrize("route", one_in(4, ROUTES))
def test_route_has_the_filters_of_the_contract(simulator: Simulator, client: requests.Session, route: str) -> None:
    address, known = address_of(route, simulator), filters_of(route)
    wrong = {}
    for key, schema in ALL_FILTERS.items():
        for query in queries(*key, known.get(key, schema)):
            response = client.get(f"{simulator.url}{address}?{query}", timeout=10)
            if response.status_code != (200 if key in known else 400):
                wrong[query] = response.status_code
    assert wrong == {}


@pytest.mark.parametrize("route", ROUTES)
def test_every_item_is_valid(simulator: Simulator, client: requests.Session, route: str) -> None:
    address = address_of(route, simulator)
    response = client.get(simulator.url + address, timeout=10)
    assert response.status_code == 200
    assert response.json()
    require_valid("GET", address, 200, response.json())


@pytest.mark.parametrize("query", ["", "modifiedAt[gte]=2020-01-01T00:00:00.000Z", "pathId%5Bnin%5D%5B%5D=" + "0" * 24])
def test_address_of_the_next_page_is_valid(query: str) -> None:
    with Simulator(sessions=3, page_size=1) as simulator, connect(simulator) as client:
        response = client.get(f"{simulator.url}/api/v2/paths/sessions?{query}", timeout=10)
        pages = 1
        while "next" in response.links:
            response = client.get(response.links["next"]["url"], timeout=10)
            pages += 1
    assert (response.status_code, pages) == (200, 3)
