"""
A hostile server: it responds to requests of the 360Learning API with an attack, or as a healthy platform.

It runs in the test's process (`HostileServer`), or in another process with one port for each attack (`FarServers`).
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

from hostile.catalogue import CATALOGUE, EVERYWHERE, Attack, attack_named
from hostile.responses import SESSION_ID, Bounds, Pause, Request, Reset, Route, Step, healthy_body, whole

PATIENCE = 30.0  # seconds after which the server ends an attack
LONGEST_START = 120.0  # seconds until a process that does not start, respond or end fails a test
MAX_REQUEST = 2 * 1024 * 1024  # bytes of a request that are read
TESTS = Path(__file__).resolve().parents[1]
LIST_PATH = "/api/v1/programs/sessions"
TOKEN_PATH = "/api/v2/oauth2/token"
CALM = "calm"  # name of the server in `FarServers` that does not attack


@dataclass
class Served:
    """
    One request, and how its response ended.

    :param route: What was requested.
    :param headers: Headers of the request, with lower-case names.
    :param sent: Bytes of the response that were sent.
    :param ended: `whole`; `client left`; `patience over`: the client would have waited for ever.
    """

    route: Route
    headers: dict[str, str] = field(repr=False)
    sent: int = 0
    ended: str = "running"


class HostileServer:
    """
    A server on one port of loopback. Use it as a context manager.

    :param attack: The attack; by default, the session ID in the path selects it.
    :param routes: Routes that are attacked; default all. The other responses are those of a healthy platform.
    :param bounds: Bounds of the client; the size of an attack depends on them.
    :param echo: Text that the `echo` attacks send back.
    :param armed: Whether to attack from the start.
    :param patience: Seconds after which the server ends an attack.
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
        self.served: list[Served] = []
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
        """Attack from now on. The session is modified, so that every watcher finds a change."""
        self.edit()
        self.armed = True

    def edit(self, name: str | None = None) -> str:
        """Modify the session; return its new `modifiedAt`."""
        self.name = name or self.name
        self.modified_at += timedelta(minutes=1)
        return self._modified_at()

    def count(self, route: Route) -> int:
        """Return the number of requests of a route."""
        return sum(one.route == route for one in self.served)

    @property
    def ended_by_server(self) -> list[Served]:
        """Responses that the server had to end because the client was still waiting."""
        return [one for one in self.served if one.ended == "patience over"]

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
            if (read := read_request(client)) is not None:
                path, headers = read
                request = self._request(path)
                served = Served(request.route, headers)
                self.served.append(served)
                self._send(client, self._respond(request), served)
        with self._lock:
            self._open.discard(client)
        client.close()

    def _request(self, path: str) -> Request:
        route, session_id = route_of(path)
        return Request(route, session_id, self._modified_at(), self.bounds, self.echo, path)

    def _respond(self, request: Request) -> Iterable[Step]:
        attack = self.attack or self._ids.get(request.session_id)
        if attack and self.armed and request.route in self.routes and request.route in attack.routes:
            return attack.respond(request)
        # Before the attack, tokens expire at once, so that the client requests another one during the attack.
        expires_in = {} if self.armed or request.route != "token" else {"expires_in": "1"}
        named = {"name": json.dumps(self.name)} if request.route in ("session", "list") else {}
        return [whole(healthy_body(request, {**expires_in, **named}).encode())]

    def _send(self, client: socket.socket, steps: Iterable[Step], served: Served) -> None:
        deadline = time.monotonic() + self.patience
        try:
            for step in steps:
                if time.monotonic() > deadline:
                    served.ended = "patience over"
                    return
                match step:
                    case Pause(seconds):
                        if has_left(client, seconds) or self._stopping.is_set():
                            raise ConnectionError
                    case Reset():
                        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    case _:
                        client.sendall(step)
                        served.sent += len(step)
        except TimeoutError:
            served.ended = "patience over"
        except OSError:
            served.ended = "client left"
        else:
            served.ended = "whole"


def route_of(path: str) -> tuple[Route, str]:
    """Return the route of a path, and the session ID in it; an unknown path is the route of a session."""
    path = path.partition("?")[0].rstrip("/")
    if path == TOKEN_PATH:
        return "token", SESSION_ID
    if path == LIST_PATH:
        return "list", SESSION_ID
    session_id, _, part = path.removeprefix(LIST_PATH + "/").partition("/")
    routes: dict[str, Route] = {"users": "users", "stats": "stats"}
    return routes.get(part, "session"), session_id


def read_request(client: socket.socket) -> tuple[str, dict[str, str]] | None:
    """Return path and headers of a request; None if the client sends none."""
    data = b""
    while b"\r\n\r\n" not in data:
        chunk = client.recv(65536)
        if not chunk or len(data) > MAX_REQUEST:
            return None
        data += chunk
    top, _, body = data.partition(b"\r\n\r\n")
    first, *lines = top.decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    missing = int(headers.get("content-length", "0")) - len(body)
    while missing > 0 and (chunk := client.recv(65536)):
        missing -= len(chunk)
    return first.split(" ")[1], headers


def has_left(client: socket.socket, seconds: float) -> bool:
    """Wait; return whether the client has closed the connection."""
    ready, _, _ = select.select([client], [], [], seconds)
    if not ready:
        return False
    if client.recv(65536, socket.MSG_PEEK):
        time.sleep(seconds)  # the client sends something that this server does not read
        return False
    return True


# --- in another process ---


class FarServers:
    """
    Hostile servers in another process: one for each attack, and `calm`, which does not attack.

    Use it as a context manager.

    :param attacks: Names of the attacks.
    :param armed: Names of the attacks that start at once; the others start with `arm`.
    :param bounds: Bounds of the client.
    """

    def __init__(self, attacks: Iterable[str], armed: Iterable[str] = (), bounds: Bounds | None = None) -> None:
        self._attacks, self._armed, self._bounds = list(attacks), list(armed), bounds or Bounds()
        self.urls: dict[str, str] = {}

    def __enter__(self) -> Self:
        sizes = f"{self._bounds.document},{self._bounds.listing},{self._bounds.error}"
        program = [sys.executable, "-m", "hostile.server", "--bounds", sizes]
        program += ["--armed", *self._armed, "--attacks", *self._attacks]
        self._process = subprocess.Popen(
            program,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join([str(TESTS), os.environ.get("PYTHONPATH", "")])},
        )
        self.urls = self._read()
        return self

    def __exit__(self, *_: object) -> None:
        # The process ends when its input ends.
        self._process.communicate(timeout=LONGEST_START)

    def arm(self) -> None:
        """Start all attacks."""
        self._execute({"do": "arm"})

    def edit(self, server: str = CALM, name: str | None = None) -> str:
        """Modify the session of one server; return its new `modifiedAt`."""
        return str(self._execute({"do": "edit", "server": server, "name": name}))

    def counts(self) -> dict[str, int]:
        """Return the number of requests of each server since `arm`, or since its start."""
        counts: dict[str, int] = self._execute({"do": "counts"})
        return counts

    def _execute(self, command: dict[str, Any]) -> Any:
        assert self._process.stdin
        self._process.stdin.write(json.dumps(command) + "\n")
        self._process.stdin.flush()
        return self._read()

    def _read(self) -> Any:
        assert self._process.stdout
        ready, _, _ = select.select([self._process.stdout], [], [], LONGEST_START)
        line = self._process.stdout.readline() if ready else ""
        assert line, "the hostile servers do not respond"
        return json.loads(line)


def main() -> None:
    """Serve until the input ends; each input line is a command, and gets one output line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--attacks", nargs="*", default=[], metavar="NAME")
    parser.add_argument("--armed", nargs="*", default=[], metavar="NAME")
    parser.add_argument("--bounds", type=lambda text: Bounds(*map(int, text.split(","))), default=Bounds())
    options = parser.parse_args()
    with contextlib.ExitStack() as stack:
        servers = {CALM: stack.enter_context(HostileServer(replace(CATALOGUE[0], routes=()), bounds=options.bounds))}
        for name in options.attacks:
            server = HostileServer(attack_named(name), bounds=options.bounds, armed=name in options.armed)
            servers[name] = stack.enter_context(server)
        for result in execute_commands(servers):
            print(json.dumps(result), flush=True)


def execute_commands(servers: dict[str, HostileServer]) -> Iterator[Any]:
    """Execute the commands of the input; yield the addresses first, then one result for each command."""
    before = dict.fromkeys(servers, 0)
    yield {name: server.url for name, server in servers.items()}
    for line in sys.stdin:
        command = json.loads(line)
        if command["do"] == "arm":
            before = {name: len(server.served) for name, server in servers.items()}
            for name, server in servers.items():
                if name != CALM:
                    server.arm()
            yield "armed"
        elif command["do"] == "edit":
            yield servers[command["server"]].edit(command["name"])
        else:
            yield {name: len(server.served) - before[name] for name, server in servers.items()}


if __name__ == "__main__":
    main()
