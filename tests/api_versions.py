"""Tests that run on both versions of the API: the same simulator behind a connection of each version."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from airflow_provider_learning360.simulator import Simulator

VERSIONS = ("v1", "v2")


def connect(
    simulator: Simulator, monkeypatch: pytest.MonkeyPatch, version: str, conn_id: str = "learning360_default"
) -> None:
    """Point an Airflow connection at a simulator, with the keys of a version."""
    keys = (simulator.company_id, simulator.api_key) if version == "v1" else (simulator.client_id, "demo-secret")
    connection: dict[str, Any] = {
        "conn_type": "learning360",
        "host": simulator.url,
        "login": keys[0],
        "password": keys[1],
        "extra": {"api_version": version, "retry_attempts": 1},
    }
    monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", json.dumps(connection))
