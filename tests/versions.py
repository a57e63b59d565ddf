"""Both versions of the API, for tests that must pass on either."""

from __future__ import annotations

import json
from typing import Any

import pytest

VERSIONS = ("v1", "v2")


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
