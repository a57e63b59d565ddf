"""
A process that runs the trigger of a watched asset as a triggerer below Airflow 3.3 does, to be killed by a test.

`python killed_trigger.py SOCKET ARGUMENTS`: the socket is that of the test, which plays the parent process and the
database; the arguments of the trigger are JSON.
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

from airflow.sdk.exceptions import ErrorType
from airflow.sdk.execution_time import task_runner
from airflow.sdk.execution_time.comms import (
    DRCount,
    ErrorResponse,
    GetDRCount,
    OKResponse,
    PutVariable,
    VariableResult,
)

from airflow_provider_learning360.memory import asset_store
from airflow_provider_learning360.triggers import sent_events
from airflow_provider_learning360.triggers.watching import ProgramSessionsWatchTrigger

ROUND = 0.5  # seconds between two rounds of the triggerer, in which it hands its events over; Airflow takes 1


class Pipe:
    """The way to the parent process: one message at a time."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer, self._lock = reader, writer, asyncio.Lock()

    async def ask(self, message: dict[str, Any]) -> Any:
        """Send a message, and return the response."""
        async with self._lock:
            self._writer.write(json.dumps(message).encode() + b"\n")
            return json.loads(await self._reader.readline())

    def send(self, message: Any) -> None:
        """Take in a secret to hide, which Airflow 3.0 sends when it looks up a connection."""

    async def asend(self, message: Any) -> Any:
        """Send a message of a trigger, as Airflow's own pipe does."""
        if isinstance(message, GetDRCount):
            return DRCount(count=0)
        if isinstance(message, PutVariable):
            await self.ask({"put": message.key, "value": message.value})
            return OKResponse(ok=True)
        value = await self.ask({"get": message.key})
        missing = ErrorResponse(error=ErrorType.VARIABLE_NOT_FOUND)
        return missing if value is None else VariableResult(key=message.key, value=value)


async def main(path: str, arguments: dict[str, Any]) -> None:
    """Run the trigger, and hand its events over in rounds."""
    pipe = Pipe(*await asyncio.open_unix_connection(path, limit=2**20))
    task_runner.SUPERVISOR_COMMS = pipe  # type: ignore[assignment]
    asset_store.HAS_STATE_STORE = False
    sent_events.STORED_AFTER = 4 * ROUND
    events: list[Any] = []

    async def watch() -> None:
        async for event in ProgramSessionsWatchTrigger(**arguments).run():
            events.append(event.payload)  # noqa: PERF401 - others take them out meanwhile

    watching = asyncio.ensure_future(watch())
    while not watching.done():
        if events:
            await pipe.ask({"events": [events.pop(0) for _ in list(events)]})
        await asyncio.sleep(ROUND)
    watching.result()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], json.loads(sys.argv[2])))
