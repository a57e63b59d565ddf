"""
The hostile server: it answers the routes of 360Learning with an attack of the catalogue, or as a healthy platform.

It runs in the test's process (`HostileServer`), or as a process of its own with one port an attack (`FarServers`).
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import select
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Self

from hostile.answers import SESSION_ID, Asked, Bounds, Pause, Reset, Route, Step, normal, whole
from hostile.catalogue import CATALOGUE, EVERYWHERE, Attack, attack_named

PATIENCE = 30.0  # seconds after which an attack ends by itself
MAX_REQUEST = 2 * 1024 * 1024  # bytes of a request that are read
TESTS = Path(__file__).resolve().parents[1]
LIST_PATH = "/api/v1/programs/sessions"
TOKEN_PATH = "/api/v2/oauth2/token"
CALM = "calm"  # name of the server in `FarServers` that attacks nobody


@dataclass
class Answered:
    """
    One request, and how its answer ended.

    :param route: What was asked for.
    :param headers: Headers of the request, with names in small letters.
    :param sent: Bytes of the answer that were sent.
    :param ended: `whole`; `client left`; `patience over`: the client would have waited for ever.
    """

    route: Route
    headers: dict[str, str] = field(repr=False)
    sent: int = 0
    ended: str = "running"


class HostileServer:
    """
    One port of loopback. Use it as a context manager.

    :param attack: The attack; default none: each session ID that is an attack's gets that attack.
    :param routes: Routes that are attacked; default all. The others answer as a healthy platform does.
    :param bounds: Bounds of the client, which size the attacks.
    :param echo: Text that the `echo` attacks send back.
    :param armed: Whether to attack from the beginning.
    :param patience: Seconds after which an attack ends by itself.
    """

    def __init__(
        self,
        attack: Attack | None = None,
        routes: Collection[Route] = EVERYWHERE,
        bounds: Bounds | None = None,
        echo: str = "echo",
        armed: bool = True,
        patience: float = PATIENCE,
    ) -> None:
        self.attack, self.routes, self.bounds = attack, routes, bounds or Bounds()
        self.echo, self.armed, self.patience = echo, armed, patience
        self.answered: list[Answered] = []
        self.modified_at = datetime(2026, 10, 5, 9, tzinfo=UTC)
        self.name = "Introduction to Accounting"
        self._ids = {one.session_id: one for one in CATALOGUE}
        self._stopping = threading.Event()
        self._threads: list[threading.Thread] = []
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        self._listening = socket.create_server(("127.0.0.1", 0), backlog=64)
        self._start(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        with contextlib.suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)  # wakes the thread that waits in `accept`
        self._listening.close()
        with self._lock:
            still_open = list(self._open)
        for one in still_open:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(10)
        assert not [one for one in self._threads if one.is_alive()], "the hostile server still runs"

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self._listening.getsockname()[1]}"

    def arm(self) -> None:
        """Attack from now on. The session counts as modified, so that all who watch it have news."""
        self.edit()
        self.armed = True

    def edit(self, name: str | None = None) -> str:
        """Modify the session; return its new `modifiedAt`."""
        self.name = name or self.name
        self.modified_at += timedelta(minutes=1)
        return self._modified_at()

    def count(self, route: Route) -> int:
        """Return how many requests a route got."""
        return sum(one.route == route for one in self.answered)

    @property
    def outlasted(self) -> list[Answered]:
        """Answers of which the client did not see the end before the server's patience was over."""
        return [one for one in self.answered if one.ended == "patience over"]

    # --- details ---

    def _modified_at(self) -> str:
        return self.modified_at.isoformat(timespec="milliseconds").replace("+00:00", "Z")

    def _start(self, target: Any, *arguments: Any) -> None:
        thread = threading.Thread(target=target, args=arguments, daemon=True)
        self._threads = [one for one in self._threads if one.is_alive() or one.ident is None]
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while not self._stopping.is_set():
            try:
                client, _ = self._listening.accept()
            except OSError:
                return
            with self._lock:
                self._open.add(client)
            self._start(self._serve, client)

    def _serve(self, client: socket.socket) -> None:
        client.settimeout(self.patience)
        with contextlib.suppress(OSError):
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if (request := read_request(client)) is not None:
                path, headers = request
                asked = self._asked(path)
                answered = Answered(asked.route, headers)
                self.answered.append(answered)
                self._send(client, self._answer(asked), answered)
        with self._lock:
            self._open.discard(client)
        client.close()

    def _asked(self, path: str) -> Asked:
        route, session_id = route_of(path)
        return Asked(route, session_id, self._modified_at(), self.bounds, self.echo, path)

    def _answer(self, asked: Asked) -> Iterable[Step]:
        attack = self.attack or self._ids.get(asked.session_id)
        if attack and self.armed and asked.route in self.routes and asked.route in attack.routes:
            return attack.answer(asked)
        # While nobody is attacked, tokens are renewed all the time: so that an attack on them is met.
        expires_in = {} if self.armed or asked.route != "token" else {"expires_in": "1"}
        named = {"name": json.dumps(self.name)} if asked.route in ("session", "list") else {}
        return [whole(normal(asked, {**expires_in, **named}).encode())]

    def _send(self, client: socket.socket, steps: Iterable[Step], answered: Answered) -> None:
        deadline = time.monotonic() + self.patience
        try:
            for step in steps:
                if time.monotonic() > deadline:
                    answered.ended = "patience over"
                    return
                match step:
                    case Pause(seconds):
                        if has_left(client, seconds) or self._stopping.is_set():
                            raise ConnectionError
                    case Reset():
                        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    case _:
                        client.sendall(step)
                        answered.sent += len(step)
        except TimeoutError:
            answered.ended = "patience over"
        except OSError:
            answered.ended = "client left"
        else:
            answered.ended = "whole"


def route_of(path: str) -> tuple[Route, str]:
    """Return what a path asks for, and the session in it; a path that is not known asks for a session."""
    path = path.partition("?")[0].rstrip("/")
    if path == TOKEN_PATH:
        return "token", SESSION_ID
    if path == LIST_PATH:
        return "list", SESSION_ID
    session_id, _, part = path.removeprefix(LIST_PATH + "/").partition("/")
    routes: dict[str, Route] = {"users": "users", "stats": "stats"}
    return routes.get(part, "session"), session_id


def read_request(client: socket.socket) -> tuple[str, dict[str, str]] | None:
    """Return path and headers of a request; None if none comes."""
    data = b""
    while b"\r\n\r\n" not in data:
        piece = client.recv(65536)
        if not piece or len(data) > MAX_REQUEST:
            return None
        data += piece
    top, _, body = data.partition(b"\r\n\r\n")
    first, *lines = top.decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    missing = int(headers.get("content-length", "0")) - len(body)
    while missing > 0 and (piece := client.recv(65536)):
        missing -= len(piece)
    return first.split(" ")[1], headers


def has_left(client: socket.socket, seconds: float) -> bool:
    """Wait; return whether the client has closed its end."""
    ready, _, _ = select.select([client], [], [], seconds)
    if not ready:
        return False
    if client.recv(65536, socket.MSG_PEEK):
        time.sleep(seconds)  # it sends something that nobody reads
        return False
    return True


# --- as a process of its own ---


class FarServers:
    """
    Hostile servers in a process of their own, one port an attack, and `calm` without one. Use it as a context manager.

    :param attacks: Names of the attacks.
    :param at_once: Names of those that attack before `arm`.
    :param bounds: Bounds of the client.
    """

    def __init__(self, attacks: Iterable[str], at_once: Iterable[str] = (), bounds: Bounds | None = None) -> None:
        self._attacks, self._at_once, self._bounds = list(attacks), list(at_once), bounds or Bounds()
        self.urls: dict[str, str] = {}

    def __enter__(self) -> Self:
        sizes = f"{self._bounds.document},{self._bounds.listing},{self._bounds.error}"
        command = [sys.executable, "-m", "hostile.server", "--bounds", sizes]
        command += ["--at-once", *self._at_once, "--attacks", *self._attacks]
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join([str(TESTS), os.environ.get("PYTHONPATH", "")])},
        )
        self.urls = self._read()
        return self

    def __exit__(self, *_: object) -> None:
        # The end of its input ends it.
        self._process.communicate(timeout=PATIENCE)

    def arm(self) -> None:
        """Let all attacks begin."""
        self._ask({"do": "arm"})

    def edit(self, server: str = CALM, name: str | None = None) -> str:
        """Modify the session of one server; return its new `modifiedAt`."""
        return str(self._ask({"do": "edit", "server": server, "name": name}))

    def counts(self) -> dict[str, int]:
        """Return how many requests each server has got since it was armed, or else since its start."""
        counts: dict[str, int] = self._ask({"do": "counts"})
        return counts

    def _ask(self, order: dict[str, Any]) -> Any:
        assert self._process.stdin
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        return self._read()

    def _read(self) -> Any:
        assert self._process.stdout
        ready, _, _ = select.select([self._process.stdout], [], [], PATIENCE)
        line = self._process.stdout.readline() if ready else ""
        assert line, "the hostile servers do not answer"
        return json.loads(line)


def main() -> None:
    """Serve until the input ends; each line of it is an order, and each gets a line as its answer."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--attacks", nargs="*", default=[], metavar="NAME")
    parser.add_argument("--at-once", nargs="*", default=[], metavar="NAME")
    parser.add_argument("--bounds", type=lambda text: Bounds(*map(int, text.split(","))), default=Bounds())
    given = parser.parse_args()
    with contextlib.ExitStack() as stack:
        servers = {CALM: stack.enter_context(HostileServer(replace(CATALOGUE[0], routes=()), bounds=given.bounds))}
        for name in given.attacks:
            server = HostileServer(attack_named(name), bounds=given.bounds, armed=name in given.at_once)
            servers[name] = stack.enter_context(server)
        for answer in answers(servers):
            print(json.dumps(answer), flush=True)


def answers(servers: dict[str, HostileServer]) -> Iterator[Any]:
    """Carry out the orders that come in."""
    before = dict.fromkeys(servers, 0)
    yield {name: server.url for name, server in servers.items()}
    for line in sys.stdin:
        order = json.loads(line)
        if order["do"] == "arm":
            before = {name: len(server.answered) for name, server in servers.items()}
            for name, server in servers.items():
                if name != CALM:
                    server.arm()
            yield "armed"
        elif order["do"] == "edit":
            yield servers[order["server"]].edit(order["name"])
        else:
            yield {name: len(server.answered) - before[name] for name, server in servers.items()}


if __name__ == "__main__":
    main()
