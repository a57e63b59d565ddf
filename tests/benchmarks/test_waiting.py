"""The cost of a waiting trigger for the server, the network and other triggers."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator, Callable
from datetime import datetime
from typing import Any

import pytest

from airflow.providers.http.triggers.http import HttpSensorTrigger

from airflow_provider_learning360.api.changes import Watermark
from airflow_provider_learning360.api.errors import FixConnectionError
from airflow_provider_learning360.hooks.learning import LearningHook
from airflow_provider_learning360.hooks.learning_async import LearningAsyncHook
from airflow_provider_learning360.triggers.program_session import ProgramSessionModifiedTrigger

RATE_LIMITED = {"do": {"status": 429, "headers": {"Retry-After": "30"}}}


def trigger_for(simulator: Any, poke_interval: float) -> ProgramSessionModifiedTrigger:
    """Return a trigger with the watermark of the session as it is now."""
    session_id = simulator.session_ids[0]
    seen = Watermark(session_id, datetime.fromisoformat(simulator.session(session_id)["modifiedAt"]))
    return ProgramSessionModifiedTrigger(session_id, "learning360_default", seen.to_dict(), poke_interval=poke_interval)


async def first_event(trigger: Any) -> Any:
    events: AsyncIterator[Any] = trigger.run()
    return await anext(events)


def run_for(seconds: float, trigger: Any) -> None:
    """Run a trigger that yields no event."""

    async def run() -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(first_event(trigger), seconds)

    asyncio.run(run())


class EnoughError(BaseException):
    """Ends the measurement; no error handler of the trigger catches it."""


def test_requests_while_rate_limited(
    benchmark: Any,
    measuring: bool,
    figure: Callable[..., None],
    learning360_simulator: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    simulator = learning360_simulator
    simulator.play(RATE_LIMITED)
    real_sleep, slept, first_request = asyncio.sleep, [0.0], [0.0]

    async def sleep(seconds: float) -> None:
        """Let time pass without waiting, up to six seconds after the first request."""
        first_request[0] = first_request[0] or (slept[0] if simulator.requests else 0.0)
        slept[0] += seconds
        if simulator.requests and slept[0] >= first_request[0] + 6:
            raise EnoughError
        await real_sleep(0)

    def by_the_clock() -> None:
        # With this interval, a poller that ignores `Retry-After` sends six more requests.
        run_for(7, trigger_for(simulator, poke_interval=1))

    def at_once() -> None:
        monkeypatch.setattr(asyncio, "sleep", sleep)
        with pytest.raises(EnoughError):
            asyncio.run(first_event(trigger_for(simulator, poke_interval=5)))
        monkeypatch.undo()

    benchmark.pedantic(by_the_clock if measuring else at_once, rounds=1)

    requests = len(simulator.requests)
    assert requests == 1
    figure(
        "requests in 6 s of 429, Retry-After: 30",
        str(requests),
        "1",
        f"HttpSensorTrigger {requests_of_the_peer(simulator, monkeypatch):,} in 2 s" if measuring else "",
    )


def requests_of_the_peer(simulator: Any, monkeypatch: pytest.MonkeyPatch) -> int:
    """Count the requests of the HTTP provider's trigger in two seconds, in the same situation."""
    monkeypatch.setenv("AIRFLOW_CONN_HTTP_DEFAULT", json.dumps({"conn_type": "http", "host": simulator.url}))
    simulator.forget()
    keys = {"X-company-id": simulator.company_id, "X-apiKey": simulator.api_key}
    path = f"/api/v1/programs/sessions/{simulator.session_ids[0]}/"
    run_for(2, HttpSensorTrigger(endpoint=path, headers=keys, poke_interval=5))
    return len(simulator.requests)


def test_connections_of_one_trigger(
    benchmark: Any, measuring: bool, figure: Callable[..., None], learning360_simulator: Any
) -> None:
    simulator = learning360_simulator

    async def poll(times: int) -> None:
        waiting = asyncio.ensure_future(first_event(trigger_for(simulator, poke_interval=0.02)))
        await asyncio.to_thread(simulator.wait_for, lambda one: len(one.requests) >= times, 30)
        waiting.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await waiting

    benchmark.pedantic(lambda: asyncio.run(poll(50 if measuring else 5)), rounds=1)

    assert simulator.connections == 1
    figure("TCP connections of one waiting trigger", f"{simulator.connections} in 50 polls", "1")


async def longest_gap(stop: asyncio.Event) -> float:
    """Return the longest stall of the event loop in seconds."""
    longest, last = 0.0, time.perf_counter()
    while not stop.is_set():
        await asyncio.sleep(0.001)
        now = time.perf_counter()
        longest, last = max(longest, now - last), now
    return longest


def test_event_loop(benchmark: Any, measuring: bool, figure: Callable[..., None], simulator_process: Any) -> None:
    learners = 43_000 if measuring else 1_000
    slow = {"do": {"delay": 2 if measuring else 0.05}}
    sizes: list[int] = []

    async def poll(session_id: str) -> float:
        async with LearningAsyncHook() as hook:
            stop = asyncio.Event()
            heart = asyncio.ensure_future(longest_gap(stop))
            session = await hook.get_program_session(session_id)
            stop.set()
            gap = await heart
        sizes.append(len(json.dumps(session.document())))
        assert len(session.users or ()) == learners
        return gap

    with simulator_process(learners, slow) as (_, session_id):
        gaps: list[float] = []
        benchmark.pedantic(lambda: gaps.append(asyncio.run(poll(session_id))), rounds=5 if measuring else 1)

    measured = f"{sorted(gaps)[len(gaps) // 2] * 1000:.0f} ms (worst of {len(gaps)}: {max(gaps) * 1000:.0f} ms)"
    figure(f"event-loop stall, answer in 2 s, {sizes[0] / 1e6:.1f} MB", measured, "< 50 ms")


REFUSED = [
    pytest.param("API key", (1, 0), id="key", marks=pytest.mark.learning360_simulator(auth="headers")),
    pytest.param("OAuth2", (2, 1), id="oauth2", marks=pytest.mark.learning360_simulator(auth="oauth2")),
]


@pytest.mark.parametrize(("auth", "most"), REFUSED)
def test_requests_on_401(
    auth: str, most: tuple[int, int], benchmark: Any, figure: Callable[..., None], learning360_simulator: Any
) -> None:
    simulator = learning360_simulator
    session_id = simulator.session_ids[0]
    counted: list[tuple[int, int]] = []

    def refuse() -> None:
        """From now on, keys and tokens that were accepted before are refused."""
        simulator.forget()
        simulator.play({"when": {"path": "/api/v1/"}, "do": {"status": 401}})

    def tally() -> None:
        tokens = sum("oauth2" in one.path for one in simulator.requests)
        counted.append((len(simulator.requests) - tokens, tokens))
        simulator.stop_scenarios()

    async def by_coroutine() -> None:
        async with LearningAsyncHook() as hook:
            await hook.get_program_session(session_id)
            refuse()
            with pytest.raises(FixConnectionError):
                await hook.get_program_session(session_id)
        tally()

    def refused() -> None:
        hook = LearningHook()
        hook.get_program_session(session_id)
        refuse()
        with pytest.raises(FixConnectionError):
            hook.get_program_session(session_id)
        tally()
        asyncio.run(by_coroutine())

    benchmark.pedantic(refused, rounds=1)

    both = ", ".join(f"{requests} + {tokens}" for requests, tokens in counted)
    figure(f"requests + token calls on 401, {auth}", f"{both} (both hooks)", f"{most[0]} + {most[1]}")
    assert all(requests <= most[0] and tokens <= most[1] for requests, tokens in counted)
