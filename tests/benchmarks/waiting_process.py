"""
Waiting and watching triggers in a process of their own, as in a triggerer: their memory and event-loop stalls.

    python tests/benchmarks/waiting_process.py KIND INTERVAL SECONDS FILE

The seconds are how long to measure, in whole intervals. The file maps IDs of sessions to their `modifiedAt`. There is a
trigger for each of them. It prints one JSON object. The server counts connections and requests.
"""

from __future__ import annotations

import asyncio
import gc
import json
import math
import os
import sys
import time
from collections.abc import AsyncIterator, Callable
from datetime import datetime
from pathlib import Path
from typing import Any

MIB = 1024 * 1024
LEAST_SETTLE = 4.0  # seconds until a trigger has imported what it needs, and has polled
SESSIONS = "/api/v1/programs/sessions"
KEYS = {"X-company-id": "demo-company", "X-apiKey": "demo-key"}


def resident() -> float:
    """Return the resident memory of this process, in MiB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / MIB


def build_sensor(session_id: str, modified_at: str, interval: float) -> Any:
    from airflow_provider_learning360.api.changes import Watermark
    from airflow_provider_learning360.triggers.program_session import ProgramSessionModifiedTrigger

    seen = Watermark(session_id, datetime.fromisoformat(modified_at))
    return ProgramSessionModifiedTrigger(session_id, "learning360_default", seen.to_dict(), poke_interval=interval)


class WatchedAsset:
    """A watched asset, polled through Airflow's own shared streams."""

    manager: Any = None
    count = 0

    def __init__(self, session_id: str, interval: float) -> None:
        from airflow_provider_learning360.assets.program_session import watched_program_session
        from small_triggerer import Store

        # The first of all is started twice: before the measurement, and with the others.
        type(self).count += 1
        self.number = self.count
        asset = watched_program_session(session_id, name=f"asset {self.number}", poll_interval=interval)
        (watcher,) = asset.watchers
        self.trigger: Any = watcher.trigger
        self.trigger.asset_state_store = Store()

    async def run(self) -> AsyncIterator[Any]:
        """Yield the events of the asset."""
        from airflow.triggers.shared_stream import SharedStreamManager

        if WatchedAsset.manager is None:
            WatchedAsset.manager = SharedStreamManager()
        key = self.trigger.shared_stream_key()
        changes = self.manager.subscribe(trigger_id=self.number, trigger=self.trigger, key=key)
        try:
            async for event in self.trigger.filter_shared_stream(changes):
                yield event
        finally:
            await self.manager.unsubscribe(self.number, key)


def build_asset(session_id: str, modified_at: str, interval: float) -> Any:
    return WatchedAsset(session_id, interval)


def build_http_sensor(session_id: str, modified_at: str, interval: float) -> Any:
    from airflow.providers.http.triggers.http import HttpSensorTrigger

    # The trigger ends with the first status that is no error: an ID that does not exist keeps it waiting.
    return HttpSensorTrigger(endpoint=f"{SESSIONS}/{'0' * 24}/", headers=KEYS, poke_interval=interval)


async def never(response: Any) -> bool:
    """Find no change in any response."""
    return False


def build_http_event(session_id: str, modified_at: str, interval: float) -> Any:
    from airflow.providers.http.triggers.http import HttpEventTrigger

    return HttpEventTrigger(
        "waiting_process.never", endpoint=f"{SESSIONS}/{session_id}/", headers=KEYS, poll_interval=interval
    )


def build_dbt(session_id: str, modified_at: str, interval: float) -> Any:
    from airflow.providers.dbt.cloud.hooks.dbt import DbtCloudHook
    from airflow.providers.dbt.cloud.triggers.dbt import DbtCloudRunJobTrigger

    original = DbtCloudHook.get_request_url_params

    def without_tls(tenant: str, *arguments: Any, **options: Any) -> tuple[str, dict[str, Any]]:
        url, data = original(tenant, *arguments, **options)
        return url.replace("https://", "http://"), data

    # The hook speaks HTTPS only, and the server of this measurement HTTP.
    DbtCloudHook.get_request_url_params = staticmethod(without_tls)
    return DbtCloudRunJobTrigger("dbt_cloud_default", 1, time.time() + 3600, interval, account_id=1)


def build_airbyte(session_id: str, modified_at: str, interval: float) -> Any:
    from airflow.providers.airbyte.triggers.airbyte import AirbyteSyncTrigger

    return AirbyteSyncTrigger(1, "airbyte_default", time.time() + 3600, interval)


KINDS: dict[str, Callable[[str, str, float], Any]] = {
    "sensor": build_sensor,
    "asset": build_asset,
    "HttpSensorTrigger": build_http_sensor,
    "HttpEventTrigger": build_http_event,
    "DbtCloudRunJobTrigger": build_dbt,
    "AirbyteSyncTrigger": build_airbyte,
}


async def first_event(trigger: Any) -> Any:
    async for event in trigger.run():
        return event
    return None


class Heart:
    """
    Measures the longest stall of the event loop.

    `longest_work` leaves out Python's garbage collections: they visit all objects of the process, most of which are
    Airflow's.
    """

    def __init__(self) -> None:
        self._collecting = self._collection_began = 0.0
        gc.callbacks.append(self._note_collection)
        self.forget()

    def forget(self) -> None:
        """Begin a new measurement."""
        self.longest = self.longest_work = 0.0

    async def beat(self) -> None:
        """Measure until cancelled."""
        last, collecting = time.perf_counter(), self._collecting
        while True:
            await asyncio.sleep(0.001)
            stall = time.perf_counter() - last
            self.longest = max(self.longest, stall)
            self.longest_work = max(self.longest_work, stall - (self._collecting - collecting))
            last, collecting = last + stall, self._collecting

    def _note_collection(self, phase: str, info: dict[str, int]) -> None:
        if phase == "start":
            self._collection_began = time.perf_counter()
        else:
            self._collecting += time.perf_counter() - self._collection_began


async def measure(triggers: list[Any], warm: Any, interval: float, seconds: float) -> dict[str, Any]:
    """Run the triggers; measure for whole intervals, from the middle of one in which all have polled."""
    # One trigger has run before: what a triggerer imports once counts for no trigger.
    first = asyncio.ensure_future(first_event(warm))
    await asyncio.sleep(LEAST_SETTLE)
    collecting = time.perf_counter()
    gc.collect()
    collection = time.perf_counter() - collecting
    before = resident()
    heart = Heart()
    beating = asyncio.ensure_future(heart.beat())
    tasks = []
    for trigger in triggers:
        tasks.append(asyncio.ensure_future(first_event(trigger)))
        await asyncio.sleep(0)  # as Airflow's triggerer starts them
    # Polls are an interval apart: a boundary near a poll would count one more or less.
    await asyncio.sleep((max(1, math.ceil(LEAST_SETTLE / interval)) + 0.5) * interval)
    starting, began = {"start_stall": heart.longest, "start_work_stall": heart.longest_work}, time.monotonic()
    heart.forget()
    await asyncio.sleep(math.ceil(seconds / interval) * interval)
    stalls, after, ended_at = {"stall": heart.longest, "work_stall": heart.longest_work}, resident(), time.monotonic()
    ended = [repr(task.exception()) for task in tasks if task.done()]
    for task in (*tasks, first, beating):
        task.cancel()
    await asyncio.gather(*tasks, first, beating, return_exceptions=True)
    memory = {"before": before, "after": after}
    times = {**starting, **stalls, "collection": collection}
    return {**memory, **times, "ended": ended, "from": began, "until": ended_at}


def main() -> None:
    """Measure, and print the figures."""
    kind, interval, seconds = sys.argv[1], float(sys.argv[2]), float(sys.argv[3])
    sessions: dict[str, str] = json.loads(Path(sys.argv[4]).read_text())
    build = KINDS[kind]
    triggers = [build(session_id, modified_at, interval) for session_id, modified_at in sessions.items()]
    session_id, modified_at = next(iter(sessions.items()))
    found = asyncio.run(measure(triggers, build(session_id, modified_at, interval), interval, seconds))
    print(json.dumps(found))


if __name__ == "__main__":
    main()
