"""Kill a trigger whose watermarks are in variables, at random moments while sessions are edited: no change is lost."""

from __future__ import annotations

import json
import os
import random
import socketserver
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from stored_times import with_milliseconds

CHILD = Path(__file__).resolve().parent.parent / "killed_trigger.py"
KILLS = int(os.environ.get("LEARNING360_TRIGGER_KILLS", "4"))
PATIENCE = 60


class Span(NamedTuple):
    """A change as an event reports it."""

    session_id: str
    since: str
    until: str


class Parent(socketserver.ThreadingUnixStreamServer):
    """The parent process and the database: it outlives the triggers."""

    daemon_threads = True

    def __init__(self, path: Path) -> None:
        super().__init__(str(path), Connection)
        self.rows: dict[str, str] = {}
        self.spans: list[Span] = []
        self.life = 0
        self.lock = threading.Lock()

    def respond(self, message: dict[str, Any]) -> Any:
        with self.lock:
            if "get" in message:
                return self.rows.get(message["get"])
            if "put" in message:
                self.rows[message["put"]] = message["value"]
            for event in message.get("events", ()):
                changed = [(one["_id"], one["modifiedAt"]) for one in event["sessions"]]
                self.spans += [Span(session_id, moved["from"], moved["to"]) for session_id, moved in changed]
        return None

    def watermarks(self) -> dict[str, str]:
        with self.lock:
            shards = [json.loads(row)["value"] for row in self.rows.values()]
        return {one: with_milliseconds(known["modified_at"]) for shard in shards for one, known in shard.items()}


class Connection(socketserver.StreamRequestHandler):
    """The messages of one trigger."""

    def handle(self) -> None:
        assert isinstance(self.server, Parent)
        self.server.life += 1
        for line in self.rfile:
            self.wfile.write(json.dumps(self.server.respond(json.loads(line))).encode() + b"\n")


@contextmanager
def serving(path: Path) -> Iterator[Parent]:
    with Parent(path) as parent:
        threading.Thread(target=parent.serve_forever, daemon=True).start()
        yield parent
        parent.shutdown()


def until(condition: Any) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def count_repeated(spans: list[Span]) -> int:
    """Return how many changes cover a moment that an earlier one of the session had covered."""
    until: dict[str, str] = {}
    count = 0
    for one in spans:
        count += one.since < until.get(one.session_id, "")
        until[one.session_id] = max(one.until, until.get(one.session_id, ""))
    return count


@pytest.mark.slow
@pytest.mark.learning360_simulator(sessions=5, learners=1, extra={"requests_per_second": 1000})
def test_no_change_is_lost_over_kills(learning360_simulator: Any, tmp_path: Path) -> None:
    simulator, chosen = learning360_simulator, random.Random(360)
    arguments = {"asset_name": "all", "learning_conn_id": "learning360_default", "poll_interval": 0.3}
    arguments |= {"session_ids": simulator.session_ids, "poll": "list"}
    environment = {**os.environ, "AIRFLOW__LEARNING360__MIN_POLL_INTERVAL": "0.1"}
    edits: list[tuple[str, str]] = []

    def edit() -> None:
        session_id = chosen.choice(simulator.session_ids)
        edits.append((session_id, simulator.edit(session_id, name=f"Edit {len(edits)}")["modifiedAt"]))

    def start() -> subprocess.Popen[bytes]:
        life = parent.life
        command = [sys.executable, str(CHILD), str(tmp_path / "parent"), json.dumps(arguments)]
        process = subprocess.Popen(command, env=environment)
        until(lambda: parent.life > life or process.poll() is not None)
        return process

    with serving(tmp_path / "parent") as parent:
        trigger = start()
        try:
            until(lambda: len(parent.watermarks()) == len(simulator.session_ids))
            for _ in range(KILLS):
                end = time.monotonic() + chosen.uniform(0, 8)
                while time.monotonic() < end:
                    edit()
                    time.sleep(chosen.uniform(0, 0.5))
                trigger.kill()
                trigger.wait()
                edit()
                trigger = start()
            last = dict(edits)
            until(lambda: last.items() <= parent.watermarks().items())
        finally:
            trigger.kill()
            trigger.wait()
    lost = [
        (session_id, moment)
        for session_id, moment in edits
        if not any(one.session_id == session_id and one.since < moment <= one.until for one in parent.spans)
    ]
    repeated = count_repeated(parent.spans)
    print(f"{KILLS} kills, {len(edits)} edits, {len(parent.spans)} changes in events, {repeated} repeated")
    assert lost == []
