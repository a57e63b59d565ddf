"""A simulator with a connection for either version of the API, over the same data."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from airflow_provider_learning360.simulator import Simulator

QUICK = {"retry_attempts": 1, "timeout": 5, "requests_per_second": 1000}
VERSIONS = ("v1", "v2")
SESSION = "5f" * 12


@contextmanager
def simulated(monkeypatch: pytest.MonkeyPatch, version: str, **options: Any) -> Iterator[Simulator]:
    """Run a simulator; the default connection speaks a version of the API to it."""
    with Simulator(**options) as simulator:
        keys = (simulator.company_id, simulator.api_key)
        if version == "v2":
            keys = (simulator.client_id, simulator.client_secret)
        extra = {**QUICK, "api_version": version}
        connection = {"conn_type": "learning360", "host": simulator.url, "login": keys[0], "password": keys[1]}
        monkeypatch.setenv("AIRFLOW_CONN_LEARNING360_DEFAULT", json.dumps({**connection, "extra": extra}))
        yield simulator


def add_session(simulator: Simulator, session_id: str = SESSION, learners: int = 3) -> list[str]:
    """Add a session that nobody has completed; return the mails of its learners."""
    document = simulator.session(simulator.session_ids[0])
    simulator.add({**document, "_id": session_id, "users": document["users"][:learners]})
    return [one["mail"] for one in document["users"][:learners]]


def paths_of(simulator: Simulator) -> list[str]:
    """Return the paths of the requests so far, without those for tokens."""
    return [one.path for one in simulator.requests if "token" not in one.path]
