"""
Many deferred sensors in a process of their own, as in a triggerer: what they cost in memory and in event-loop stalls.

    python tests/benchmarks/waiting_process.py ours|peer COUNT INTERVAL SECONDS URL SESSION_ID...

It prints one JSON object. The connections and requests are counted by the simulator.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import sys
import time
from datetime import datetime
from pathlib import Path
from typing import Any

MIB = 1024 * 1024


def resident() -> float:
    """Return the resident memory of this process, in MiB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / MIB


def build_ours(session_id: str, modified_at: str, interval: float) -> Any:
    from airflow_provider_learning360.api.changes import Watermark
    from airflow_provider_learning360.triggers.program_session import ProgramSessionModifiedTrigger

    seen = Watermark(session_id, datetime.fromisoformat(modified_at))
    return ProgramSessionModifiedTrigger(session_id, "learning360_default", seen.to_dict(), poke_interval=interval)


def build_peer(session_id: str, modified_at: str, interval: float) -> Any:
    from airflow.providers.http.triggers.http import HttpSensorTrigger

    # The trigger ends with the first status that is no error: an ID that does not exist keeps it waiting.
    path = f"/api/v1/programs/sessions/{'0' * 24}/"
    headers = {"X-company-id": "demo-company", "X-apiKey": "demo-key"}
    return HttpSensorTrigger(endpoint=path, headers=headers, poke_interval=interval)


async def first_event(trigger: Any) -> Any:
    async for event in trigger.run():
        return event
    return None


class Heart:
    """Measures the longest stall of the event loop."""

    def __init__(self) -> None:
        self.longest = 0.0

    async def beat(self) -> None:
        """Measure until cancelled."""
        last = time.perf_counter()
        while True:
            await asyncio.sleep(0.001)
            now = time.perf_counter()
            self.longest, last = max(self.longest, now - last), now


async def measure(triggers: list[Any], warm: Any, seconds: float) -> dict[str, Any]:
    """Run the triggers; measure from the time when all have polled."""
    # One trigger has run before: what a triggerer imports once counts for no trigger.
    first = asyncio.ensure_future(first_event(warm))
    await asyncio.sleep(seconds / 4)
    gc.collect()
    before = resident()
    heart = Heart()
    beating = asyncio.ensure_future(heart.beat())
    tasks = []
    for trigger in triggers:
        tasks.append(asyncio.ensure_future(first_event(trigger)))
        await asyncio.sleep(0)  # as Airflow's triggerer starts them
    await asyncio.sleep(seconds / 4)
    starting, heart.longest = heart.longest, 0.0
    await asyncio.sleep(seconds * 3 / 4)
    stall, after = heart.longest, resident()
    ended = sum(task.done() for task in tasks)
    for task in (*tasks, first, beating):
        task.cancel()
    await asyncio.gather(*tasks, first, beating, return_exceptions=True)
    return {"before": before, "after": after, "start_stall": starting, "stall": stall, "ended": ended}


def main() -> None:
    """Measure, and print the figures."""
    kind, interval, seconds = sys.argv[1], float(sys.argv[2]), float(sys.argv[3])
    sessions: dict[str, str] = json.loads(Path(sys.argv[4]).read_text())
    build = {"ours": build_ours, "peer": build_peer}[kind]
    triggers = [build(session_id, modified_at, interval) for session_id, modified_at in sessions.items()]
    session_id, modified_at = next(iter(sessions.items()))
    found = asyncio.run(measure(triggers, build(session_id, modified_at, interval), seconds))
    print(json.dumps(found))


if __name__ == "__main__":
    main()
