"""The list of sessions as a stream: the same sessions and errors, without blocking the event loop."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from contextlib import aclosing, asynccontextmanager, closing
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_learning360.api.errors import (
    ContractError,
    ForbiddenError,
    LearningError,
    NotFoundError,
    RateLimitedError,
    RedirectError,
    TimedOutError,
    UnauthorizedError,
    UnavailableError,
    UnreachableError,
)
from airflow_provider_learning360.api.list_entries import StreamedObjects
from airflow_provider_learning360.api.v1 import calls
from airflow_provider_learning360.hooks import client, learning_async
from airflow_provider_learning360.hooks.learning import LearningHook
from airflow_provider_learning360.hooks.learning_async import LearningAsyncHook
from simulator_process import SimulatorProcess

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

    from airflow_provider_learning360.simulator import Simulator

    Responding = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

pytestmark = pytest.mark.learning360_simulator(sessions=400, learners=20)

BAR = 0.050  # seconds
LIST = "/api/v1/programs/sessions"
TOKEN = "/api/v2/oauth2/token"
MODES = ("headers", "query", "oauth2")
CANARY = "canary-5d1f"


class Stream:
    """Reads the stream of one hook, in an event loop of its own."""

    def __init__(self, conn_id: str) -> None:
        self.hook = LearningAsyncHook(conn_id)
        self.seen: list[dict[str, Any]] = []
        self._loop = asyncio.Runner()

    def __call__(self) -> list[dict[str, Any]]:
        self.seen = []
        self.run(self._read())
        return self.seen

    def run(self, coroutine: Any) -> Any:
        return self._loop.run(coroutine)

    def close(self) -> None:
        self.run(self.hook.close())
        self._loop.close()

    def first(self) -> dict[str, Any]:
        async def first() -> dict[str, Any]:
            async with aclosing(self.hook.stream_program_sessions()) as sessions:
                return await anext(sessions)

        return self.run(first())

    async def _read(self) -> None:
        async for session in self.hook.stream_program_sessions():
            self.seen.append(session)


class SyncStream:
    """The same for the sync hook."""

    def __init__(self, conn_id: str) -> None:
        self.hook = LearningHook(conn_id)
        self.seen: list[dict[str, Any]] = []

    def __call__(self) -> list[dict[str, Any]]:
        self.seen = []
        for session in self.hook.stream_program_sessions():
            self.seen.append(session)
        return self.seen

    def run(self, result: Any) -> Any:
        return result

    def first(self) -> dict[str, Any]:
        with closing(self.hook.stream_program_sessions()) as sessions:
            return next(sessions)

    def close(self) -> None:
        self.hook._session.close()


@pytest.fixture(params=[Stream, SyncStream], ids=["async", "sync"])
def stream(connect: Callable[..., str], request: pytest.FixtureRequest) -> Iterator[Callable[..., Stream]]:
    """Open a stream to a simulator or a URL; keyword arguments are settings of the extra."""
    opened: list[Stream] = []

    def open_stream(target: Simulator | str, *, password: str = "demo-key", **extra: Any) -> Stream:
        opened.append(request.param(connect(host=getattr(target, "url", target), password=password, extra=extra)))
        return opened[-1]

    yield open_stream
    for one in opened:
        one.close()


def expected(simulator: Simulator) -> list[dict[str, Any]]:
    return [simulator.session(session_id) for session_id in simulator.session_ids]


def counted(simulator: Simulator) -> tuple[int, int]:
    """Return the number of token calls, and of other calls."""
    token_calls = sum(one.path == TOKEN for one in simulator.requests)
    return token_calls, len(simulator.requests) - token_calls


def assert_shows_nothing_else(error: LearningError) -> None:
    """Check that the error chains no exception, and shows no address and no key."""
    assert error.__cause__ is error.__context__ is None
    assert [word for word in (CANARY, "http:", "127.0.0.1", "aiohttp", "@") if word in f"{error!r} {error}"] == []


@pytest.mark.parametrize("auth", MODES)
def test_stream_yields_the_sessions_of_the_list(stream: Callable[..., Stream], simulator: Simulator, auth: str) -> None:
    opened = stream(simulator, auth=auth)
    assert opened() == expected(simulator)
    listed = opened.run(opened.hook.list_program_sessions())
    assert [session.document() for session in listed] == opened.seen
    assert simulator.connections == 1


@pytest.mark.learning360_simulator(sessions=2, learners=3)
@pytest.mark.parametrize("size", [1, 7, 1000])
def test_chunk_size_makes_no_difference(
    stream: Callable[..., Stream], simulator: Simulator, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    for module in (client, learning_async):
        monkeypatch.setattr(module, "CHUNK_SIZE", size)
    assert stream(simulator)() == expected(simulator)


@pytest.mark.learning360_simulator(sessions=0)
def test_empty_list_yields_nothing(stream: Callable[..., Stream], simulator: Simulator) -> None:
    assert stream(simulator)() == []


def test_every_chunk_is_small(
    stream: Callable[..., Stream], simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []
    real = StreamedObjects.feed

    def noting(self: StreamedObjects, chunk: bytes) -> Iterator[dict[str, Any]]:
        sizes.append(len(chunk))
        return real(self, chunk)

    monkeypatch.setattr(StreamedObjects, "feed", noting)
    stream(simulator)()
    assert sum(sizes) > 1_000_000
    assert max(sizes) <= 64 * 1024


@pytest.mark.parametrize(
    ("status", "kind"),
    [(400, ContractError), (401, UnauthorizedError), (403, ForbiddenError), (404, NotFoundError)],
)
def test_refused_request_has_the_servers_text_and_is_not_retried(
    stream: Callable[..., Stream], simulator: Simulator, waits: list[float], status: int, kind: type[LearningError]
) -> None:
    simulator.play({"do": {"status": status, "body": {"error": "the_code"}}})
    opened = stream(simulator)
    with pytest.raises(kind, match="the_code") as caught:
        opened()
    assert (caught.value.status, caught.value.code) == (status, "the_code")
    assert opened.seen == []
    assert len(simulator.requests) == 1
    assert_shows_nothing_else(caught.value)


PASSING = [
    pytest.param({"status": 503}, UnavailableError, id="503"),
    pytest.param({"status": 429}, RateLimitedError, id="429"),
    pytest.param({"drop": True}, UnreachableError, id="dropped"),
]


@pytest.mark.parametrize(("do", "kind"), PASSING)
def test_error_before_the_body_is_retried(
    stream: Callable[..., Stream], simulator: Simulator, waits: list[float], do: Any, kind: type[LearningError]
) -> None:
    simulator.play({"when": {"times": 2}, "do": do})
    assert stream(simulator)() == expected(simulator)
    assert len(simulator.requests) == 3
    assert len([seconds for seconds in waits if seconds >= 0.5]) == 2


@pytest.mark.parametrize(("do", "kind"), PASSING)
def test_repeated_error_is_raised_after_the_attempts(
    stream: Callable[..., Stream], simulator: Simulator, waits: list[float], do: Any, kind: type[LearningError]
) -> None:
    simulator.play({"do": do})
    with pytest.raises(kind, match="3 attempts") as caught:
        stream(simulator, retry_attempts=3)()
    assert len(simulator.requests) == 3
    assert_shows_nothing_else(caught.value)


@pytest.mark.parametrize("auth", MODES)
def test_redirect_on_the_same_origin_is_followed(
    stream: Callable[..., Stream], simulator: Simulator, auth: str
) -> None:
    simulator.play({"when": {"path": f"{LIST}$"}, "do": {"redirect": f"{LIST}/?page=1"}})
    assert stream(simulator, auth=auth)() == expected(simulator)
    assert [one.path for one in simulator.requests if one.path != TOKEN] == [LIST, f"{LIST}/"]


@pytest.mark.parametrize("auth", MODES)
def test_redirect_to_another_origin_is_refused(
    stream: Callable[..., Stream], simulator: Simulator, other: Simulator, auth: str
) -> None:
    simulator.play({"when": {"path": f"{LIST}$"}, "do": {"redirect": f"{other.url}/login"}})
    with pytest.raises(RedirectError):
        stream(simulator, auth=auth)()
    assert other.connections == 0


def test_expired_token_is_renewed_once(stream: Callable[..., Stream], simulator: Simulator) -> None:
    opened = stream(simulator, auth="oauth2")
    opened()
    simulator.revoke_tokens()
    simulator.forget()
    assert opened() == expected(simulator)
    assert counted(simulator) == (1, 2)


def test_refused_token_that_worked_before_is_renewed(stream: Callable[..., Stream], simulator: Simulator) -> None:
    opened = stream(simulator, auth="oauth2")
    opened()
    simulator.forget()
    simulator.play({"when": {"path": "/api/v1/"}, "do": {"status": 401}})
    with pytest.raises(UnauthorizedError):
        opened()
    assert counted(simulator) == (1, 2)


@pytest.mark.learning360_simulator(api_key=CANARY)
@pytest.mark.parametrize("auth", MODES)
@pytest.mark.parametrize(
    ("do", "kind", "words"),
    [
        ({"truncate": True}, UnreachableError, "got no response"),
        ({"body_cut": True}, ContractError, "it is not valid JSON"),
    ],
    ids=["truncated", "cut"],
)
def test_incomplete_body_is_an_error_after_the_complete_sessions(
    stream: Callable[..., Stream],
    simulator: Simulator,
    waits: list[float],
    auth: str,
    do: dict[str, Any],
    kind: type[LearningError],
    words: str,
) -> None:
    simulator.play({"when": {"path": LIST}, "do": do})
    opened = stream(simulator, password=CANARY, auth=auth)
    with pytest.raises(kind, match=words) as caught:
        opened()
    assert 0 < len(opened.seen) < 400
    assert opened.seen == expected(simulator)[: len(opened.seen)]
    assert (caught.value.method, caught.value.path) == ("GET", LIST)
    # Sessions were yielded already, so the hook cannot retry: the caller may.
    assert counted(simulator)[1] == 1
    assert_shows_nothing_else(caught.value)


@pytest.mark.parametrize(
    ("do", "problem"),
    [
        ({"html": True}, "it is an HTML page"),
        ({"empty": True}, "the body is empty"),
        ({"status": 200, "body": {}}, "it is not an array"),
        ({"status": 200, "body": [1]}, "it is not an object"),
        ({"status": 204}, "the body is empty"),
        ({"list": True}, "it is not an object"),
    ],
    ids=["HTML", "empty", "object", "number", "204", "list of lists"],
)
@pytest.mark.learning360_simulator(sessions=3, learners=3)
def test_invalid_success_is_an_error(
    stream: Callable[..., Stream], simulator: Simulator, do: dict[str, Any], problem: str
) -> None:
    simulator.play({"do": do})
    opened = stream(simulator)
    with pytest.raises(ContractError, match=f"a list of program sessions: {problem}") as caught:
        opened()
    assert opened.seen == []
    assert caught.value.status == do.get("status", 200)
    assert len(simulator.requests) == 1
    assert_shows_nothing_else(caught.value)
    # The connection was returned to the pool, or closed.
    simulator.stop_scenarios()
    assert opened() == expected(simulator)


def test_hook_works_after_an_early_stop(stream: Callable[..., Stream], simulator: Simulator) -> None:
    opened = stream(simulator)
    for _ in range(3):
        assert opened.first() == expected(simulator)[0]
    assert opened() == expected(simulator)
    # The rest was not read only to keep the connection.
    assert simulator.connections == 4


# The simulator cannot do this: break off, stall or send damaged data in the middle of a body.

HEAD = b"HTTP/1.1 200 OK\r\n"
ONE = b'[{"_id": "1", "name": "canary@example.com"},'


@asynccontextmanager
async def host(answering: Responding) -> AsyncIterator[str]:
    """A host whose response a coroutine writes, in this event loop."""

    async def answered(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        await answering(reader, writer)
        writer.close()

    server = await asyncio.start_server(answered, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()


def sending(raw: bytes) -> Responding:
    async def answering(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(raw)
        await writer.drain()

    return answering


async def read_from(
    answering: Responding, connect: Callable[..., str], *, coroutines: bool = True, **extra: Any
) -> list[dict[str, Any]]:
    async with host(answering) as url:
        if not coroutines:
            conn_id = connect(host=url, password=CANARY, extra={"auth": "query", **extra})
            return await asyncio.to_thread(lambda: list(LearningHook(conn_id).stream_program_sessions()))
        hook = LearningAsyncHook(connect(host=url, password=CANARY, extra={"auth": "query", **extra}))
        async with hook, aclosing(hook.stream_program_sessions()) as sessions:
            return [session async for session in sessions]


GZIP = HEAD + b"Content-Encoding: gzip\r\nContent-Length: 1000\r\n\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n2c\r\n" + ONE + b"\r\n"


@pytest.mark.parametrize(
    ("raw", "kind"),
    [
        (CHUNKED, UnreachableError),
        (HEAD + b"Content-Length: 1000\r\n\r\n" + ONE, UnreachableError),
        (HEAD + b"\r\n" + ONE, ContractError),
        (HEAD + b"\r\n" + ONE[:-1], ContractError),
        (GZIP + b"no gzip, canary@example.com" * 50, UnreachableError),
    ],
    ids=["chunks", "length", "no length", "no length, whole item", "no gzip"],
)
@pytest.mark.parametrize("coroutines", [True, False], ids=["async", "sync"])
def test_body_that_breaks_off_is_an_error(
    connect: Callable[..., str], waits: list[float], raw: bytes, kind: type[LearningError], coroutines: bool
) -> None:
    with pytest.raises(kind) as caught:
        asyncio.run(read_from(sending(raw), connect, coroutines=coroutines))
    assert caught.value.path == LIST
    assert_shows_nothing_else(caught.value)


@pytest.mark.parametrize("coroutines", [True, False], ids=["async", "sync"])
def test_stalled_body_is_a_time_out(connect: Callable[..., str], waits: list[float], coroutines: bool) -> None:
    stop = asyncio.Event()

    async def halting(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(CHUNKED)
        await stop.wait()

    with pytest.raises(TimedOutError, match=r"raise `timeout` of connection 'here'") as caught:
        asyncio.run(read_from(halting, connect, coroutines=coroutines, timeout=0.2))
    assert_shows_nothing_else(caught.value)


def test_session_is_yielded_before_the_rest_arrives(connect: Callable[..., str]) -> None:
    async def run() -> list[str]:
        got_it = asyncio.Event()

        async def answering(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(CHUNKED)
            await asyncio.wait_for(got_it.wait(), 10)
            writer.write(b'c\r\n{"_id": "2"}\r\n1\r\n]\r\n0\r\n\r\n')

        seen = []
        async with host(answering) as url, LearningAsyncHook(connect(host=url)) as hook:
            async for session in hook.stream_program_sessions():
                seen.append(session["_id"])
                got_it.set()
        return seen

    assert asyncio.run(run()) == ["1", "2"]


@pytest.mark.parametrize("ending", ["aclose", "error of the consumer", "cancelled"])
def test_connection_is_closed_when_the_consumer_stops(connect: Callable[..., str], ending: str) -> None:
    async def run() -> None:
        gone = asyncio.Event()

        async def answering(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(CHUNKED)
            await reader.read()  # until the client closes
            gone.set()

        async with host(answering) as url, LearningAsyncHook(connect(host=url)) as hook:
            sessions = hook.stream_program_sessions()
            await anext(sessions)
            if ending == "aclose":
                await sessions.aclose()
            elif ending == "cancelled":
                waiting = asyncio.ensure_future(anext(sessions))
                await asyncio.sleep(0.05)
                waiting.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await waiting
            else:
                with pytest.raises(ZeroDivisionError):
                    await sessions.athrow(ZeroDivisionError())
            await asyncio.wait_for(gone.wait(), 10)

    asyncio.run(run())


def test_hook_closed_meanwhile_is_an_error(connect: Callable[..., str]) -> None:
    async def run() -> LearningError:
        async def answering(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(CHUNKED)
            await reader.read()

        async with host(answering) as url, LearningAsyncHook(connect(host=url)) as hook:
            sessions = hook.stream_program_sessions()
            await anext(sessions)
            await hook.close()
            with pytest.raises(UnreachableError) as caught:
                await anext(sessions)
            return caught.value

    assert_shows_nothing_else(asyncio.run(run()))


async def longest_gap(stop: asyncio.Event) -> float:
    longest, last = 0.0, time.perf_counter()
    while not stop.is_set():
        await asyncio.sleep(0.001)
        now = time.perf_counter()
        longest, last = max(longest, now - last), now
    return longest


def best_of_some(conn_id: str, count: int) -> float:
    """Return the longest gap of the event loop during a read; the best of several runs."""

    async def longest() -> float:
        async with LearningAsyncHook(conn_id) as hook:
            async with aclosing(hook.stream_program_sessions()) as sessions:
                if count:
                    await anext(sessions)
            stop = asyncio.Event()
            heart = asyncio.ensure_future(longest_gap(stop))
            read = [None async for _ in hook.stream_program_sessions()]
            stop.set()
            assert len(read) == count
            return await heart

    gaps: list[float] = []
    while len(gaps) < 8 and (not gaps or min(gaps) >= BAR):
        gaps.append(asyncio.run(longest()))
    return min(gaps)


@pytest.fixture(scope="module")
def far_host() -> Iterator[str]:
    """A simulator in a process of its own, so that it does not block this loop; 2,000 sessions of 16 MB."""
    with SimulatorProcess(sessions=2000, learners=96) as simulator:
        yield simulator.url


@pytest.mark.slow
def test_long_list_does_not_block_the_loop(far_host: str, connect: Callable[..., str]) -> None:
    assert best_of_some(connect(host=far_host), 2000) < BAR


# A hundred megabytes in a hundred kilobytes: a single packet could be decompressed to all of it at once.
PACKED = """
import gzip, http.server
body = gzip.compress(b"[" + b" " * 100_000_000 + b"]", 9)
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_): pass
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(server.server_port, flush=True)
server.serve_forever()
"""


@pytest.mark.slow
def test_compressed_body_does_not_block_the_loop(connect: Callable[..., str]) -> None:
    with subprocess.Popen([sys.executable, "-c", PACKED], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        port = process.stdout.readline().strip()
        try:
            assert best_of_some(connect(host=f"http://127.0.0.1:{port}"), 0) < BAR
        finally:
            process.terminate()


def test_sync_hook_reads_a_streamed_call_as_any_other(simulator: Simulator, connect: Callable[..., str]) -> None:
    stream = LearningHook(connect(host=simulator.url))._carry_out(calls.stream_program_sessions())
    assert list(stream.feed(stream.response.body)) == expected(simulator)
    stream.close()
