"""The simulator in a process of its own. A test can kill it, and start it again with the same data."""

from __future__ import annotations

import select
import subprocess
import sys
import tempfile
import threading
from typing import Any, Self

import requests

from ports import free_port

PATIENCE = 60  # seconds until a simulator that does not start, respond or end fails a test


class SimulatorProcess:
    """
    The simulator in another process. Use it as a context manager.

    It keeps edits, additions and deletions after `kill` and `start`, but neither scenarios nor the list of requests.

    :param sessions: How many program sessions there are.
    :param learners: How many learners each of them has.
    :param seed: The same seed and day give the same data.
    :param today: The day around which the sessions start and end.
    """

    company_id = "demo-company"
    api_key = "demo-key"
    client_id = "3600" * 8
    client_secret = "demo-secret"

    def __init__(self, sessions: int = 12, learners: int = 20, seed: int = 360, today: str = "2026-06-01") -> None:
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        # On a day of its own, so that it comes back with the same dates after midnight.
        sizes = {"port": port, "sessions": sessions, "learners": learners, "seed": seed, "today": today}
        self._command = [sys.executable, "-m", "airflow_provider_learning360.simulator"]
        self._command += [f"--{name}={value}" for name, value in sizes.items()]
        self._process: subprocess.Popen[str] | None = None
        # Changes are stored before the simulator can be killed: a client may have seen them.
        self._changing = threading.RLock()
        self._documents: dict[str, dict[str, Any]] = {}
        self._deleted: set[str] = set()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self._end(subprocess.Popen.terminate)

    def start(self) -> Self:
        """Start; after `kill`, on the same port and with the same data."""
        with self._changing, tempfile.TemporaryFile("w+") as errors:
            assert self._process is None, "it runs"
            self._process = subprocess.Popen(self._command, stdout=subprocess.PIPE, stderr=errors, text=True)
            try:
                if self.url not in self._first_line():
                    errors.seek(0)
                    raise RuntimeError(f"the simulator did not start: {errors.read()[-3000:]}")
                self._restore()
            except BaseException:
                self.kill()
                raise
        return self

    def kill(self) -> None:
        """End it with SIGKILL: it does not respond any more, and closes nothing properly."""
        self._end(subprocess.Popen.kill)

    @property
    def pid(self) -> int:
        """The ID of its process."""
        assert self._process, "it does not run"
        return self._process.pid

    @property
    def connection(self) -> dict[str, str]:
        """An Airflow connection to it."""
        return {"conn_type": "learning360", "host": self.url, "login": self.company_id, "password": self.api_key}

    @property
    def session_ids(self) -> list[str]:
        """The IDs of all sessions, in order."""
        ids: list[str] = self._request("GET", "sessions")
        return ids

    def session(self, session_id: str) -> dict[str, Any]:
        """Return a session as it is now."""
        document: dict[str, Any] = self._request("GET", f"sessions/{session_id}")
        return document

    def edit(self, session_id: str, /, **fields: Any) -> dict[str, Any]:
        """Edit a session and return it, with a later `modifiedAt` unless that is among the fields."""
        with self._changing:
            document: dict[str, Any] = self._request("POST", f"sessions/{session_id}", fields)
            self._documents[session_id] = document
        return document

    def add(self, document: dict[str, Any]) -> str:
        """Add a session as it is, or replace the one with its `_id`; return the ID."""
        session_id: str = document["_id"]
        with self._changing:
            self._documents[session_id] = self._request("PUT", f"sessions/{session_id}", document)
        return session_id

    def delete(self, session_id: str) -> None:
        """Delete a session."""
        with self._changing:
            self._request("DELETE", f"sessions/{session_id}")
            self._documents.pop(session_id, None)
            self._deleted.add(session_id)

    def play(self, scenario: dict[str, Any] | list[dict[str, Any]]) -> None:
        """Add a scenario, or each of a list."""
        self._request("POST", "scenario", scenario)

    def stop_scenarios(self) -> None:
        """Stop all scenarios."""
        self._request("DELETE", "scenario")

    @property
    def requests(self) -> list[dict[str, Any]]:
        """The requests since it was started, or since the last `forget`."""
        return self.requests_since(0)

    def requests_since(self, count: int) -> list[dict[str, Any]]:
        """Return the requests after the first `count`: reading a long list again and again is slow."""
        seen: list[dict[str, Any]] = self._request("GET", f"requests?since={count}")
        return seen

    def forget(self) -> None:
        """Clear the list of requests."""
        self._request("DELETE", "requests")

    def _request(self, method: str, path: str, body: Any = None) -> Any:
        with requests.Session() as client:
            client.trust_env = False
            response = client.request(method, f"{self.url}/_simulator/{path}", json=body, timeout=PATIENCE)
        assert response.ok, f"{method} {path}: {response.text}"
        return response.json()

    def _first_line(self) -> str:
        """Return the line that it prints when it listens; nothing if it does not start."""
        assert self._process
        assert self._process.stdout
        ready, _, _ = select.select([self._process.stdout], [], [], PATIENCE)
        return self._process.stdout.readline() if ready else ""

    def _restore(self) -> None:
        for session_id in self._deleted.intersection(self.session_ids):
            self._request("DELETE", f"sessions/{session_id}")
        for session_id, document in self._documents.items():
            self._request("PUT", f"sessions/{session_id}", document)

    def _end(self, how: Any) -> None:
        with self._changing:
            process, self._process = self._process, None
            if process is None:
                return
            how(process)
            try:
                process.wait(PATIENCE)
            finally:
                process.kill()
                process.communicate()
