"""Both versions of the API, for tests that must pass on either: a simulator, and a connection to it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from airflow_provider_learning360.simulator import Simulator

VERSIONS = ("v1", "v2")
# Where a test takes long: `make test` runs it through the first, `make test-rest` through the second.
ONE_IN_THE_LOOP = ("v1", pytest.param("v2", marks=pytest.mark.slow))
QUICK = {"retry_attempts": 1, "timeout": 5, "requests_per_second": 1000}
SESSION = "5f" * 12


def connect(
    monkeypatch: pytest.MonkeyPatch, simulator: Any, version: str, conn_id: str = "learning360_default", **extra: Any
) -> None:
    """Point a connection at a simulator, through one version of the API."""
    login, password = (
        (simulator.company_id, simulator.api_key) if version == "v1" else (simulator.client_id, simulator.client_secret)
    )
    connection = {
        "conn_type": "learning360",
        "host": simulator.url,
        "login": login,
        "password": password,
        "extra": {"api_version": version, **extra},
    }
    monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", json.dumps(connection))


@contextmanager
def simulated(monkeypatch: pytest.MonkeyPatch, version: str, **options: Any) -> Iterator[Simulator]:
    """Run a simulator; the default connection speaks a version of the API to it."""
    with Simulator(**options) as simulator:
        connect(monkeypatch, simulator, version, **QUICK)
        yield simulator


def add_session(simulator: Simulator, session_id: str = SESSION, learners: int = 3) -> list[str]:
    """Add a session that nobody has completed; return the mails of its learners."""
    document = simulator.session(simulator.session_ids[0])
    simulator.add({**document, "_id": session_id, "users": document["users"][:learners]})
    return [one["mail"] for one in document["users"][:learners]]


def paths_of(simulator: Simulator) -> list[str]:
    """Return the paths of the requests so far, without those for tokens."""
    return [one.path for one in simulator.requests if "token" not in one.path]
