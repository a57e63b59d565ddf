"""Airflow's own application with the page, and users of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import IO, Any, Self

import pytest
from fastapi.testclient import TestClient

from airflow_provider_learning360.simulator import Simulator

USERS = {"ada": ("ADMIN", None), "otto": ("OP", ["blue"]), "olga": ("OP", ["red"]), "vera": ("VIEWER", ["blue"])}


@pytest.fixture(scope="session")
def airflow_app(airflow_db: None) -> Any:
    """Airflow's application, as the API server makes it."""
    from airflow.api_fastapi.app import create_app

    return create_app(apps="core")


@pytest.fixture(autouse=True)
def _connections_may_use_any_host(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stored connection to a simulator needs this setting."""
    monkeypatch.setenv("AIRFLOW__CORE__TEST_CONNECTION", "Enabled")


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    """A running simulator that no connection points to yet."""
    with Simulator() as one:
        yield one


@pytest.fixture
def login(airflow_app: Any) -> Callable[[str | None], TestClient]:
    """Log a user in: the client sends the cookie and the headers that a browser sends. None for no login."""
    from airflow.api_fastapi.app import get_auth_manager
    from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser

    def log_in(name: str | None) -> TestClient:
        client = TestClient(airflow_app, base_url="http://airflow.example.com", raise_server_exceptions=False)
        client.headers["Sec-Fetch-Site"] = "same-origin"
        if name is not None:
            role, teams = USERS[name]
            user = SimpleAuthManagerUser(username=name, role=role, teams=teams)
            client.cookies.set("_token", get_auth_manager().generate_jwt(user))
        return client

    return log_in


@pytest.fixture
def stored(airflow_db: None) -> Iterator[Callable[..., str]]:
    """Store a connection in Airflow's database, and delete it after the test."""
    from airflow.models import Connection
    from airflow.utils.session import create_session

    names: list[str] = []

    def store(conn_id: str = "stored", conn_type: str = "learning360", **fields: Any) -> str:
        with create_session() as session:
            session.add(Connection(conn_id=conn_id, conn_type=conn_type, **fields))
        names.append(conn_id)
        return conn_id

    yield store
    with create_session() as session:
        session.query(Connection).filter(Connection.conn_id.in_(names)).delete()


@pytest.fixture
def teams(airflow_db: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An Airflow with the teams blue and red."""
    from airflow.models.team import Team
    from airflow.utils.session import create_session

    monkeypatch.setenv("AIRFLOW__CORE__MULTI_TEAM", "True")
    with create_session() as session:
        session.add_all([Team(name="blue"), Team(name="red")])
    yield
    with create_session() as session:
        session.query(Team).delete()


class FixedServer:
    """A server on loopback that sends the same response to every request, valid or not."""

    def __init__(self) -> None:
        self.body = b"[]"
        self.drips = False  # whether blanks follow the body, one by one, without an end
        self._stopped = Event()
        self.paths: list[str] = []
        fixed = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                fixed.paths.append(self.path)
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(10**9 if fixed.drips else len(fixed.body)))
                self.end_headers()
                self.wfile.write(fixed.body)
                if fixed.drips:
                    fixed._drip(self.wfile)

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def _drip(self, wire: IO[bytes]) -> None:
        with suppress(OSError):  # the client has gone
            for _ in range(1200):
                if self._stopped.wait(0.05):
                    return
                wire.write(b" ")
                wire.flush()

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def fixed_server() -> Iterator[FixedServer]:
    """A server whose response the test chooses."""
    with FixedServer() as one:
        yield one
