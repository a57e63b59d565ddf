"""The cost of streaming the list of all sessions: stalls of the event loop, and memory."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from pathlib import Path
from statistics import median
from typing import Any

import pytest

from airflow_provider_learning360.hooks.learning_async import LearningAsyncHook
from versions import VERSIONS

STATM = Path("/proc/self/statm")


def memory() -> int:
    """Return the memory of this process in bytes."""
    return int(STATM.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


async def watch(stop: asyncio.Event) -> tuple[float, int]:
    """Return the longest stall of the event loop in seconds, and the most memory in bytes."""
    longest, most, last = 0.0, 0, time.perf_counter()
    while not stop.is_set():
        await asyncio.sleep(0.001)
        now = time.perf_counter()
        longest, most, last = max(longest, now - last), max(most, memory()), now
    return longest, most


async def watched(reading: Awaitable[int]) -> tuple[int, float, int]:
    """Return the number of sessions, the longest stall, and the additional memory."""
    before, stop = memory(), asyncio.Event()
    watching = asyncio.ensure_future(watch(stop))
    count = await reading
    stop.set()
    stall, most = await watching
    return count, stall, most - before


async def streamed(hook: LearningAsyncHook) -> int:
    count = 0
    async for _ in hook.stream_program_sessions():
        count += 1
    return count


async def listed(hook: LearningAsyncHook) -> int:
    return len(await hook.list_program_sessions())


async def read(way: Callable[[LearningAsyncHook], Awaitable[int]]) -> tuple[int, float, int]:
    async with LearningAsyncHook() as hook:
        async with aclosing(hook.stream_program_sessions()) as stream:
            await anext(stream)  # imports and opens once, before the measurement
        return await watched(way(hook))


@pytest.mark.parametrize("version", VERSIONS)
def test_streaming(
    version: str, benchmark: Any, measuring: bool, figure: Callable[..., None], simulator_process: Any
) -> None:
    sessions = 10_000 if measuring else 100
    reads: list[tuple[int, float, int]] = []
    peer = ("", "")

    with simulator_process(learners=96, sessions=sessions, version=version):
        benchmark.pedantic(lambda: reads.append(asyncio.run(read(streamed))), rounds=5 if measuring else 1)
        if measuring:
            _, stall, extra = asyncio.run(read(listed))
            peer = (f"list_program_sessions {stall * 1000:.0f} ms", f"list_program_sessions {extra / 1e6:.0f} MB")

    counts, stalls, extras = zip(*reads, strict=True)
    measured = f"{median(stalls) * 1000:.0f} ms (worst of {len(stalls)}: {max(stalls) * 1000:.0f} ms)"
    size = {"v1": "80 MB", "v2": "20 requests"}[version]
    figure(f"event-loop stall, 10,000 sessions as a stream through {version}, {size}", measured, "< 50 ms", peer[0])
    figure("the same, memory beside what was there", f"{max(extras) / 1e6:.1f} MB", "< 16 MB", peer[1])
    assert set(counts) == {sessions}
    assert max(extras) < 16e6
