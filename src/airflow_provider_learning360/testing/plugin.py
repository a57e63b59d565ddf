"""The pytest plugin: a fixture that starts the simulator and points an Airflow connection at it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_provider_learning360.simulator import Simulator

_NAME = "learning360_simulator"


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker."""
    config.addinivalue_line(
        "markers",
        f"{_NAME}(auth=None, api_version='v1', conn_id='learning360_default', extra=None, **simulator): "
        "the connection and the Simulator of the fixture with the same name",
    )


@pytest.fixture
def learning360_simulator(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Simulator]:
    """A running simulator, and a connection to it in the environment while the test runs.

    The marker ``@pytest.mark.learning360_simulator(...)``, on the test, its class or its module, takes:
    ``conn_id``, the ID of the connection (``learning360_default``); ``api_version``, ``v1`` or ``v2``; ``auth``, how
    the API key is sent; ``extra``, its further extras; and every argument of ``Simulator``.

    The sessions are the same in every run: their dates are around 2026-06-01, unless the marker has ``today`` or
    ``clock``. With ``today=None`` they are around the day of the run.
    """
    from airflow_provider_learning360.simulator import Simulator
    from airflow_provider_learning360.simulator.sample_data import FIXED_DAY

    options = _options(request)
    if "clock" not in options:
        options.setdefault("today", FIXED_DAY)
    conn_id = options.pop("conn_id", "learning360_default")
    extra = dict(options.pop("extra", None) or {})
    if auth := options.pop("auth", None):
        extra["auth"] = auth
    version = options.pop("api_version", "v1")
    if version != "v1":
        extra["api_version"] = version
    with Simulator(**options) as simulator:
        login, password = _keys_of(simulator, version)
        connection = {
            "conn_type": "learning360",
            "host": simulator.url,
            "login": login,
            "password": password,
            "extra": extra,
        }
        monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", json.dumps(connection))
        yield simulator


def _keys_of(simulator: Simulator, version: str) -> tuple[str, str]:
    if version == "v2":
        return simulator.client_id, simulator.client_secret
    return simulator.company_id, simulator.api_key


def _options(request: pytest.FixtureRequest) -> dict[str, Any]:
    options: dict[str, Any] = {}
    for marker in reversed(list(request.node.iter_markers(_NAME))):  # the marker closest to the test wins
        if marker.args:
            raise pytest.UsageError(f"the marker {_NAME} takes keyword arguments only")
        options |= marker.kwargs
    return options
