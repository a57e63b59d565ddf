"""Fixtures that run each test with both hooks."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import re
import socketserver
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from airflow_provider_learning360.simulator import Simulator


class SyncCaller:
    """Calls a `LearningHook`."""

    kind = "sync"

    def __init__(self, conn_id: str) -> None:
        from airflow_provider_learning360.hooks.learning import LearningHook

        self.hook = LearningHook(conn_id)

    def __call__(self, name: str, *args: Any) -> Any:
        return getattr(self.hook, name)(*args)

    def many(self, count: int, name: str, *args: Any) -> list[Any]:
        """Call this many times at once, each in a thread."""
        from concurrent.futures import ThreadPoolExecutor

        with ThreadPoolExecutor(count) as pool:
            return list(pool.map(lambda _: self(name, *args), range(count)))

    def close(self) -> None:
        vars(self.hook).pop("_session", None)


class AsyncCaller:
    """Calls a `LearningAsyncHook`, in an event loop of its own."""

    kind = "async"

    def __init__(self, conn_id: str) -> None:
        from airflow_provider_learning360.hooks.learning_async import LearningAsyncHook

        self.hook = LearningAsyncHook(conn_id)
        self._loop = asyncio.Runner()

    def __call__(self, name: str, *args: Any) -> Any:
        return self._loop.run(getattr(self.hook, name)(*args))

    def many(self, count: int, name: str, *args: Any) -> list[Any]:
        """Call this many times at once, each in a task."""

        async def all_of_them() -> list[Any]:
            return list(await asyncio.gather(*(getattr(self.hook, name)(*args) for _ in range(count))))

        return self._loop.run(all_of_them())

    def close(self) -> None:
        self._loop.run(self.hook.close())
        self._loop.close()


Caller = SyncCaller | AsyncCaller


class PatchedModule:
    """Replaces names of a module for one other module only."""

    def __init__(self, module: Any, **instead: Any) -> None:
        self.__dict__.update(instead)
        self._module = module

    def __getattr__(self, name: str) -> Any:
        return getattr(self._module, name)


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds that the hooks would have waited before retries; nothing really waits."""
    from airflow_provider_learning360.hooks import learning, learning_async, rate_limits

    recorded: list[float] = []

    async def sleep(seconds: float) -> None:
        recorded.append(seconds)

    async def skip(seconds: float) -> None:
        """Skip the waits for the rate limit too; they are not retries."""

    monkeypatch.setattr(learning, "time", PatchedModule(time, sleep=recorded.append))
    monkeypatch.setattr(learning_async, "asyncio", PatchedModule(asyncio, sleep=sleep))
    monkeypatch.setattr(rate_limits, "time", PatchedModule(time, monotonic=lambda: time.monotonic() + sum(recorded)))
    monkeypatch.setattr(rate_limits, "asyncio", PatchedModule(asyncio, sleep=skip))
    return recorded


@pytest.fixture
def connect(monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Define a connection in the environment and return its ID."""

    def define(*, host: str | None = None, extra: dict[str, Any] | None = None, **fields: Any) -> str:
        document = {"conn_type": "learning360", "login": "demo-company", "password": "demo-key", "host": host}
        monkeypatch.setenv("AIRFLOW_CONN_HERE", json.dumps({**document, "extra": extra or {}, **fields}))
        return "here"

    return define


@pytest.fixture(params=[SyncCaller, AsyncCaller], ids=["sync", "async"])
def hook_to(request: pytest.FixtureRequest, connect: Callable[..., str]) -> Iterator[Callable[..., Caller]]:
    """Open a hook to a simulator or a URL; keyword arguments are settings of the extra."""
    opened: list[Caller] = []

    def open_hook(target: Simulator | str | None, **extra: Any) -> Caller:
        url = getattr(target, "url", target)
        is_v2 = extra.get("api_version") == "v2"
        login = getattr(target, "client_id" if is_v2 else "company_id", "demo-company")
        password = getattr(target, "client_secret" if is_v2 else "api_key", "demo-key")
        opened.append(request.param(connect(host=url, login=login, password=password, extra=extra)))
        return opened[-1]

    yield open_hook
    for one in opened:
        one.close()


@pytest.fixture
def simulator(learning360_simulator: Simulator) -> Simulator:
    return learning360_simulator


@pytest.fixture
def session_id(simulator: Simulator) -> str:
    return simulator.session_ids[0]


@pytest.fixture(scope="session")
def other_host() -> Iterator[Simulator]:
    from airflow_provider_learning360.simulator import Simulator

    with Simulator(sessions=1) as simulator:
        yield simulator


@pytest.fixture
def other(other_host: Simulator) -> Iterator[Simulator]:
    """Another host, which must not get any request."""
    other_host.forget()
    yield other_host
    other_host.stop_scenarios()


@pytest.fixture
def closed_port() -> int:
    """A port of this machine without a listener."""
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def logged(caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]) -> Callable[[], str]:
    """Return all that was logged, at any level, or printed: Airflow's own logs go to the terminal directly."""
    caplog.set_level(logging.DEBUG)

    def everything() -> str:
        printed = capfd.readouterr()
        records = [f"{one.getMessage()} {one.args} {one.exc_text}" for one in caplog.records]
        return "\n".join([*records, printed.out, printed.err])

    return everything


class RawServer:
    """
    A server that answers with any bytes, also such as are no HTTP.

    :param answer: What to answer to a request; it gets the request as it came.
    """

    def __init__(self) -> None:
        self.answer: Callable[[bytes], bytes] = lambda _: b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]"
        self.requests: list[bytes] = []
        server = self

        class Handler(socketserver.StreamRequestHandler):
            timeout = 10

            def handle(self) -> None:
                request = b""
                while line := self.rfile.readline(65_537):
                    request += line
                    if line in (b"\r\n", b"\n"):
                        break
                length = re.search(rb"(?i)content-length: (\d+)", request)
                request += self.rfile.read(int(length[1])) if length else b""
                server.requests.append(request)
                with contextlib.suppress(OSError):
                    self.wfile.write(server.answer(request))

        class Server(socketserver.ThreadingTCPServer):
            daemon_threads = True
            request_queue_size = 100

        self._server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def raw_server() -> Iterator[RawServer]:
    server = RawServer()
    yield server
    server.close()
