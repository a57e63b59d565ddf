"""A simulator for each test, and a client with valid keys."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import requests

from airflow_provider_learning360.simulator import Simulator

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class Client(requests.Session):
    """A client that needs only a path."""

    def __init__(self, simulator: Simulator) -> None:
        super().__init__()
        self.trust_env = False
        self._url = simulator.url
        self.headers.update({"X-company-id": simulator.company_id, "X-apiKey": simulator.api_key})

    def request(self, method: str, url: str, **options: object) -> requests.Response:
        options = {"timeout": 10} | options
        return super().request(method, url if "://" in url else self._url + url, **options)


class V2Client(Client):
    """A client of API v2, with a token."""

    def __init__(self, simulator: Simulator) -> None:
        super().__init__(simulator)
        self.headers.clear()
        self.headers["360-api-version"] = "v2.0"
        keys = {"client_id": simulator.client_id, "client_secret": simulator.client_secret}
        token = self.post("/api/v2/oauth2/token", json=keys | {"grant_type": "client_credentials"}).json()
        self.headers["Authorization"] = f"Bearer {token['access_token']}"


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    with Simulator() as simulator:
        yield simulator


@pytest.fixture
def client(simulator: Simulator) -> Iterator[Client]:
    with Client(simulator) as client:
        yield client


@pytest.fixture
def connect() -> Callable[[Simulator], Client]:
    """Makes a client of its own for any simulator."""
    return Client


@pytest.fixture
def v2(simulator: Simulator) -> Iterator[V2Client]:
    with V2Client(simulator) as client:
        yield client


@pytest.fixture
def connect_v2() -> Callable[[Simulator], V2Client]:
    """Makes a client of API v2 for any simulator."""
    return V2Client


@pytest.fixture
def session_id(simulator: Simulator) -> str:
    return simulator.session_ids[0]


@pytest.fixture
def path(session_id: str) -> str:
    """The path of the first session."""
    return f"/api/v1/programs/sessions/{session_id}/"
