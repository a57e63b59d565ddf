"""A triggerer of Airflow below 3.3: one poller for each trigger, and variables that outlive the process."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Callable
from typing import Any, Self

from airflow.sdk.exceptions import AirflowRuntimeError, ErrorType
from airflow.sdk.execution_time.comms import (
    DRCount,
    ErrorResponse,
    GetDRCount,
    GetVariable,
    OKResponse,
    PutVariable,
    VariableResult,
)

from stored_times import with_milliseconds

PATIENCE = 20


class Variables:
    """The triggerer's parent process, as its triggers see it: Airflow's variables in a database that may fail."""

    def __init__(self) -> None:
        self.rows: dict[str, str] = {}
        self.is_down = False
        self.messages: list[Any] = []
        self._lock = asyncio.Lock()
        self._unread: list[Any] = []

    async def asend(self, message: Any) -> Any:
        """Respond in order, as Airflow 3.0 and 3.1 do: a response that nobody read belongs to the next message."""
        async with self._lock:
            self.messages.append(message)
            self._unread.append(self._respond(message))
            await asyncio.sleep(0.001)
            response = self._unread.pop(0)
            if isinstance(response, ErrorResponse) and response.error == ErrorType.API_SERVER_ERROR:
                raise AirflowRuntimeError(response)
            return response

    def _respond(self, message: Any) -> Any:
        if isinstance(message, GetVariable):
            # Airflow hides a failure of its database.
            found = None if self.is_down else self.rows.get(message.key)
            missing = ErrorResponse(error=ErrorType.VARIABLE_NOT_FOUND)
            return missing if found is None else VariableResult(key=message.key, value=found)
        if self.is_down:
            return ErrorResponse(error=ErrorType.API_SERVER_ERROR)
        if isinstance(message, GetDRCount):
            return DRCount(count=0)
        if isinstance(message, PutVariable):
            assert message.value is not None
            self.rows[message.key] = message.value
            return OKResponse(ok=True)
        raise AssertionError(f"unexpected: {message}")

    def values(self, asset: str, key: str) -> list[Any]:
        """Return what is stored of an asset under keys that begin like this."""
        rows = [json.loads(row) for name, row in self.rows.items() if f"__{key}" in name]
        return [row["value"] for row in rows if row["owner"] == {"asset": asset}]

    def watermarks(self, asset: str) -> dict[str, str]:
        """Return the stored `modifiedAt` by session ID, as text."""
        shards = self.values(asset, "watermarks_")
        return {one: with_milliseconds(known["modified_at"]) for shard in shards for one, known in shard.items()}


class RunningTrigger:
    """
    A trigger as a triggerer below 3.3 runs it, until the block ends as after `kill -9`: nothing more is stored.

    :param asset: The watched asset.
    """

    def __init__(self, asset: Any) -> None:
        (watcher,) = asset.watchers
        _, stored = watcher.trigger.serialize()
        self._trigger = type(watcher.trigger)(**json.loads(json.dumps(stored)))
        self.events: list[Any] = []

    async def __aenter__(self) -> Self:
        self._task = asyncio.ensure_future(self._run())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task

    async def _run(self) -> None:
        async with contextlib.aclosing(self._trigger.run()) as events:
            async for event in events:
                self.events.append(json.loads(json.dumps(event.payload)))

    async def until(self, condition: Callable[[], Any]) -> None:
        """Wait until a condition is true."""
        async with asyncio.timeout(PATIENCE):
            while not condition():
                if self._task.done():
                    self._task.result()
                await asyncio.sleep(0.01)

    def changes(self, session_id: str) -> list[tuple[str, str]]:
        """Return `from` and `to` of each reported modification of a session."""
        return [
            (one["modifiedAt"]["from"], one["modifiedAt"]["to"])
            for payload in self.events
            for one in payload["sessions"]
            if one["_id"] == session_id
        ]
