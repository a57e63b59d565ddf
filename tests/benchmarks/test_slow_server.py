"""
Whether a trigger stops the event loop while a slow server responds, and how many TCP connections its polls take.

Each trigger polls the same server, in a process of its own. Triggers of providers that are not installed are left out.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Self

import pytest

from benchmark_results import beside
from benchmark_waiting import run_triggers
from versions import connect

SESSION = "5f" * 12
MODIFIED = "2026-03-01T08:00:00.000Z"
# One response for all: a session, a run of dbt Cloud that goes on, a job of Airbyte that goes on, and a token.
RESPONSE = {
    "_id": SESSION,
    "name": "Workplace safety",
    "modifiedAt": MODIFIED,
    "data": {"id": 1, "status": 3},
    "jobId": 1,
    "jobType": "sync",
    "connectionId": "1",
    "startTime": "2026-03-01T08:00:00Z",
    "status": "running",
    "access_token": "token",
    "expires_in": 3600,
}
PEERS = {
    "HttpSensorTrigger": "airflow.providers.http",
    "HttpEventTrigger": "airflow.providers.http",
    "DbtCloudRunJobTrigger": "airflow.providers.dbt",
    "AirbyteSyncTrigger": "airflow.providers.airbyte",
}


class SlowServer(ThreadingHTTPServer):
    """
    Responds late, and counts requests and connections.

    :param delay: Seconds until a response.
    """

    daemon_threads = True
    company_id = "demo-company"
    api_key = "demo-key"

    def __init__(self, delay: float) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.delay = delay
        self.paths: list[str] = []
        self.connections = 0
        self.url = f"http://127.0.0.1:{self.server_port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()


class Handler(BaseHTTPRequestHandler):
    """Keeps connections open, as 360Learning does; a missing session is 404."""

    protocol_version = "HTTP/1.1"
    server: SlowServer

    def do_GET(self) -> None:
        self.server.paths.append(self.path)
        length = int(self.headers.get("Content-Length", 0))
        self.rfile.read(length)
        time.sleep(self.server.delay)
        body = json.dumps(RESPONSE).encode()
        self.send_response(404 if "0" * 24 in self.path else 200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET

    def setup(self) -> None:
        self.server.connections += 1
        super().setup()

    def handle(self) -> None:
        try:
            super().handle()
        except ConnectionError:
            return  # the process has ended

    def log_message(self, *_: object) -> None:
        """Print nothing."""


def poll(kind: str, delay: float, seconds: float, folder: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Let a trigger poll a slow server; return its longest stall, and how many connections and requests it took."""
    with SlowServer(delay) as server:
        connect(monkeypatch, server, "v1", requests_per_second=1000)
        host, port = server.url, server.server_port
        others: dict[str, dict[str, Any]] = {
            "http_default": {"conn_type": "http", "host": host},
            "dbt_cloud_default": {"conn_type": "dbt_cloud", "host": f"127.0.0.1:{port}", "password": "token"},
            "airbyte_default": {"conn_type": "airbyte", "host": host},
        }
        for name, connection in others.items():
            monkeypatch.setenv(f"AIRFLOW_CONN_{name.upper()}", json.dumps(connection))
        found = run_triggers(kind, {SESSION: MODIFIED}, folder, 0.2, seconds)
        return {"stall": found["stall"] * 1000, "connections": server.connections, "requests": len(server.paths)}


def is_installed(package: str) -> bool:
    try:
        return find_spec(package) is not None
    except ModuleNotFoundError:
        return False


def test_slow_server(
    benchmark: Any,
    measuring: bool,
    figure: Callable[..., None],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    delay, seconds = (2.0, 8.0) if measuring else (0.05, 2.0)
    ours = benchmark.pedantic(poll, args=("sensor", delay, seconds, tmp_path, monkeypatch), rounds=1)
    peers = {
        name: poll(name, delay, seconds, tmp_path, monkeypatch) if is_installed(package) else None
        for name, package in PEERS.items()
        if measuring
    }

    # The second trigger may start while the request of the first is under way.
    assert ours["connections"] <= 2
    stalls = [beside(name, one and one["stall"], ours["stall"], " ms") for name, one in peers.items()]
    figure("event-loop stall", f"{ours['stall']:.0f} ms", "< 50 ms", "; ".join(stalls))
    counts = [f"{name} {count(one)}" if one else beside(name, None, 1, "") for name, one in peers.items()]
    figure("TCP connections of two triggers with one URL", count(ours), "<= 2", "; ".join(counts))


def count(polled: dict[str, Any]) -> str:
    return f"{polled['connections']} for {polled['requests']} requests"
