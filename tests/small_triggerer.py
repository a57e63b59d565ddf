"""The part of a triggerer that watchers use: Airflow's own shared streams, and an asset state store for tests."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from airflow.sdk.exceptions import AirflowRuntimeError, ErrorType
from airflow.sdk.execution_time.comms import ErrorResponse
from airflow.triggers.shared_stream import SharedStreamManager

from airflow_provider_learning360.api.changes import Watermark
from airflow_provider_learning360.api.watch_state import (
    POLLING_KEY,
    SHARD_KEY_PREFIX,
    SessionState,
    StoredPolling,
    WatchState,
    shard_of,
)
from airflow_provider_learning360.hooks import rate_limits
from airflow_provider_learning360.triggers import poller
from airflow_provider_learning360.triggers.completions import CompletionsWatchTrigger
from airflow_provider_learning360.triggers.cursor import Cursor
from airflow_provider_learning360.triggers.watching import ProgramSessionsWatchTrigger
from stored_times import with_milliseconds

PATIENCE = 20


class Store:
    """The asset state store of all assets; like Airflow's, it outlives the triggerer."""

    def __init__(self) -> None:
        self.rows: dict[tuple[str, str], str] = {}
        self.broken = False
        self.writes = 0

    def __getitem__(self, asset: Any) -> _Accessor:
        return _Accessor(self, asset.name)

    def watermarks(self, asset_name: str) -> dict[str, str]:
        """Return the stored `modifiedAt` by session ID, as text."""
        found: dict[str, str] = {}
        for (name, key), row in self.rows.items():
            if name == asset_name and key.startswith(SHARD_KEY_PREFIX):
                found |= {one: with_milliseconds(known["modified_at"]) for one, known in json.loads(row).items()}
        return found

    def pollings(self) -> list[StoredPolling]:
        """Return what pollers have stored about their polls, by the time of storing."""
        return [json.loads(row) for (_, key), row in self.rows.items() if key == POLLING_KEY]

    async def store_watermark(self, asset: Any, watermark: Watermark) -> None:
        """Store a watermark, as if an earlier watcher had stored it."""
        session_id = watermark.session_id
        watch = WatchState([session_id], watermark.watch, acknowledged={session_id: SessionState(watermark)})
        watch.dirty_shards.add(shard_of(session_id))
        await Cursor(self[asset]).save(watch)


class _Accessor:
    def __init__(self, store: Store, name: str) -> None:
        self._store, self._name = store, name

    async def aget(self, key: str, default: Any = None) -> Any:
        await self._respond()
        row = self._store.rows.get((self._name, key))
        return default if row is None else json.loads(row)

    async def aset(self, key: str, value: Any) -> None:
        await self._respond()
        self._store.writes += 1
        self._store.rows[self._name, key] = json.dumps(value)

    async def _respond(self) -> None:
        await asyncio.sleep(0)  # Airflow responds through a pipe, so that other tasks run meanwhile
        if self._store.broken:
            raise AirflowRuntimeError(ErrorResponse(error=ErrorType.API_SERVER_ERROR, detail={}))


class Triggerer:
    """
    Runs watch triggers as Airflow's triggerer does.

    :param store: The asset state store.
    :param acknowledging: Whether Airflow stores the events, and acknowledges them.
    """

    def __init__(self, store: Store, acknowledging: bool = True, **options: Any) -> None:
        self.store = store
        self.acknowledging = acknowledging
        self.manager = SharedStreamManager(**options)
        self.events: list[tuple[str, dict[str, Any]]] = []
        self.failed: list[BaseException] = []
        self._tasks: list[asyncio.Task[None]] = []

    def start(self, *assets: Any) -> None:
        """Start the watchers of these assets."""
        for asset in assets:
            (watcher,) = asset.watchers
            _, stored = watcher.trigger.serialize()
            trigger = type(watcher.trigger)(**json.loads(json.dumps(stored)))
            trigger.asset_state_store = self.store
            number = len(self._tasks)
            self._tasks.append(asyncio.ensure_future(self._run(number, asset.name, trigger)))

    async def _run(self, number: int, name: str, trigger: Any) -> None:
        key = trigger.shared_stream_key()
        raw = self.manager.subscribe(trigger_id=number, trigger=trigger, key=key)
        try:
            async for event in trigger.filter_shared_stream(raw):
                sequence = self.manager.bind_pending_event(trigger_id=number, key=key)
                self.events.append((name, json.loads(json.dumps(event.payload))))
                if self.acknowledging:
                    asyncio.get_running_loop().call_soon(self.manager.confirm_persisted, [sequence])
        except Exception as error:  # noqa: BLE001 - kept for the test
            self.failed.append(error)
        finally:
            await self.manager.unsubscribe(number, key)

    async def until(self, condition: Callable[[], Any], patience: float = PATIENCE) -> Any:
        """Wait until a condition is true; return its value."""
        async with asyncio.timeout(patience):
            while not (result := condition()):
                await asyncio.sleep(0.01)
        return result

    async def stop(self) -> None:
        """Stop as after `kill -9`: nothing more is acknowledged or stored."""
        for task in self._tasks:
            task.cancel()
        for task in self._tasks:
            with contextlib.suppress(asyncio.CancelledError):
                await task
        await self.manager.stop_all()
        self._tasks.clear()

    def changes(self, session_id: str) -> list[tuple[str, str]]:
        """Return `from` and `to` of each reported modification of a session."""
        return [
            (one["modifiedAt"]["from"], one["modifiedAt"]["to"])
            for _, payload in self.events
            for one in payload["sessions"]
            if one["_id"] == session_id and one["kind"] == "modified"
        ]


@contextlib.asynccontextmanager
async def running(store: Store, *assets: Any, acknowledging: bool = True, **options: Any) -> AsyncIterator[Triggerer]:
    """Watch assets while the block runs."""
    one = Triggerer(store, acknowledging, **options)
    one.start(*assets)
    try:
        yield one
    finally:
        await one.stop()


def remove_waiting_times(monkeypatch: pytest.MonkeyPatch) -> None:
    """Remove the waiting times and the shortest interval, and reset what other tests left in this process."""
    monkeypatch.setattr(poller, "JOIN_DEBOUNCE", 0.02)
    monkeypatch.setenv("AIRFLOW__LEARNING360__MIN_POLL_INTERVAL", "0.01")
    # Each test has its own event loop, so that streams of an earlier test must not be used.
    monkeypatch.setattr(ProgramSessionsWatchTrigger, "_streams", {})
    monkeypatch.setattr(CompletionsWatchTrigger, "_slots", {})
    monkeypatch.setattr(CompletionsWatchTrigger, "_states", {})
    # A simulator of another test may have asked for a pause on the same port.
    monkeypatch.setattr(rate_limits, "_LIMITERS", {})
