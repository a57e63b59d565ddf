"""No poll is affected by what an earlier one left in the pool of connections, also if polls are rare."""

from __future__ import annotations

import asyncio
import gzip
import json
import random
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from airflow_provider_learning360.api.errors import LearningError, UnreachableError
from airflow_provider_learning360.api.retries import RetryBudget
from airflow_provider_learning360.hooks.learning_async import LearningAsyncHook

TIMEOUT = 0.5  # seconds
GAP = 2 * TIMEOUT  # between two polls: longer than the time-out, as in most connections


def sessions(count: int) -> list[dict[str, Any]]:
    noise = random.Random(1)
    return [{"_id": f"{number:024x}", "description": noise.randbytes(1500).hex()} for number in range(count)]


class Host(ThreadingHTTPServer):
    """Sends a list, and keeps its connections; closes one silently after `hang_up_after` responses."""

    daemon_threads = True

    def __init__(self, count: int, hang_up_after: int = 10**9) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.body = gzip.compress(json.dumps(sessions(count)).encode())
        self.hang_up_after = hang_up_after
        self.connections = 0
        self.requests = 0


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Host

    def setup(self) -> None:
        super().setup()
        self.server.connections += 1
        self.answers = 0

    def do_GET(self) -> None:
        self.server.requests += 1
        if self.answers >= self.server.hang_up_after:
            self.close_connection = True
            return
        self.answers += 1
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Length", str(len(self.server.body)))
        self.end_headers()
        self.wfile.write(self.server.body)

    do_POST = do_GET

    def log_message(self, *_: Any) -> None:
        """Log nothing."""


@contextmanager
def running(count: int, **behaviour: Any) -> Iterator[Host]:
    with Host(count, **behaviour) as host:
        thread = threading.Thread(target=host.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield host
        finally:
            host.shutdown()
            thread.join()


async def poll(hook: LearningAsyncHook) -> int:
    count = 0
    async for _ in hook.stream_program_sessions():
        count += 1
        await asyncio.sleep(0)  # as the poller does: arriving data has to wait meanwhile
    return count


@pytest.mark.slow
def test_long_list_is_read_at_every_poll_although_the_pause_exceeds_the_timeout(
    connect: Callable[..., str],
) -> None:
    async def scenario(url: str) -> list[int]:
        counts = []
        conn_id = connect(host=url, extra={"timeout": TIMEOUT})
        async with LearningAsyncHook(conn_id, budget=RetryBudget(attempts=1)) as hook:
            for _ in range(4):
                counts.append(await poll(hook))
                await asyncio.sleep(GAP)  # the interval of a poller, not a wait for an event
        return counts

    with running(200) as host:
        url = f"http://127.0.0.1:{host.server_port}"
        assert asyncio.run(scenario(url)) == [200] * 4
        assert host.requests == 4


def test_request_on_a_closed_pooled_connection_is_sent_again_at_once(connect: Callable[..., str]) -> None:
    async def scenario(url: str) -> list[int]:
        async with LearningAsyncHook(connect(host=url), budget=RetryBudget(attempts=1)) as hook:
            return [await poll(hook) for _ in range(4)]

    with running(1, hang_up_after=1) as host:
        assert asyncio.run(scenario(f"http://127.0.0.1:{host.server_port}")) == [1] * 4
        assert host.connections == 4


def test_closed_new_connection_is_a_failure(connect: Callable[..., str]) -> None:
    async def scenario(url: str) -> LearningError:
        async with LearningAsyncHook(connect(host=url), budget=RetryBudget(attempts=1)) as hook:
            with pytest.raises(UnreachableError) as caught:
                await poll(hook)
            return caught.value

    with running(1, hang_up_after=0) as host:
        asyncio.run(scenario(f"http://127.0.0.1:{host.server_port}"))
        assert host.requests == 1
