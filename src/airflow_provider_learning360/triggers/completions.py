"""The trigger of an asset of `watched_completions`: it sends Airflow an event when learners have completed."""

from __future__ import annotations

__all__ = ["CompletionsWatchTrigger"]

import asyncio
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.providers.common.compat.triggers import BaseEventTrigger
from airflow.triggers.base import TriggerEvent

from airflow_provider_learning360.api.completions import CompletionsWatch
from airflow_provider_learning360.memory.asset_store import find_asset_store
from airflow_provider_learning360.triggers.outage import INTERRUPTED
from airflow_provider_learning360.triggers.sent_events import SentEvents

try:
    from airflow.triggers.shared_stream import SharedStreamProducer
except ImportError:  # Airflow below 3.3 calls `run` instead
    SharedStreamProducer = object  # type: ignore[assignment,misc]

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from airflow.triggers.shared_stream import AdvanceItem

    from airflow_provider_learning360.api.completions import CompletionsBatch
    from airflow_provider_learning360.triggers.completions_poller import CompletionsPoller
    from airflow_provider_learning360.triggers.completions_state import CompletionsState

StreamKey = tuple[str, str, str, float, tuple[str, ...] | None]


@dataclass(eq=False)
class Watcher:
    """
    The watcher of one asset.

    :param watch: What it watches, and what is known.
    :param state: Where that is stored; None (default): in memory only.
    :param sent: Its events, where Airflow acknowledges none.
    """

    watch: CompletionsWatch
    state: CompletionsState | None = None
    sent: SentEvents[CompletionsBatch] = field(default_factory=SentEvents)

    async def save(self) -> None:
        """Store what changed, where there is a store."""
        for batch in self.sent.take_stored():
            self.watch.acknowledge(batch)
        if self.state is not None:
            await self.state.save(self.watch)


@dataclass(eq=False)
class WatcherSlot:
    """
    Where a trigger leaves its watcher for the producer of its stream, which Airflow creates separately.

    :param watcher: The watcher; None (default) as long as there is none.
    :param joined: Whether there is one.
    """

    watcher: Watcher | None = None
    joined: asyncio.Event = field(default_factory=asyncio.Event)

    def join(self, watcher: Watcher) -> None:
        """
        Add the watcher of a trigger that has started.

        :param watcher: The watcher.
        """
        self.watcher = watcher
        self.joined.set()

    def leave(self, watcher: Watcher) -> None:
        """
        Forget the watcher of a trigger that has ended, unless another one has joined meanwhile.

        :param watcher: The watcher.
        """
        if self.watcher is watcher:
            self.watcher = None
            self.joined.clear()

    async def wait(self) -> Watcher:
        """Return the watcher as soon as there is one."""
        while self.watcher is None:
            await self.joined.wait()
        return self.watcher


@dataclass(frozen=True)
class FoundCompletions:
    """
    A poll that found completions.

    :param watcher: The watcher that they are for.
    :param batch: The completions.
    """

    watcher: Watcher
    batch: CompletionsBatch


class CompletionsProducer(SharedStreamProducer):
    """
    The poller of one asset as a stream of Airflow: one poll is one raw event, acknowledged when it is stored.

    :param slot: Where the trigger leaves its watcher.
    :param kwargs: The arguments of the trigger.

    Source: Airflow's `SharedStreamProducer`, ack mode.
    """

    def __init__(self, slot: WatcherSlot, kwargs: dict[str, Any]) -> None:
        self._slot = slot
        self._kwargs = kwargs

    async def open_stream(self) -> AsyncIterator[tuple[FoundCompletions, FoundCompletions]]:
        """Yield each poll that found something, for the trigger and for `advance`."""
        try:
            watcher = await self._slot.wait()
            poller = _poller(watcher.watch, self._kwargs)
            async for batch in poller.poll():
                if batch is not None:
                    found = FoundCompletions(watcher, batch)
                    yield found, found
                await watcher.save()
                await poller.record.save(() if watcher.state is None else (watcher.state,))
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            # An interrupted response also arrives as a CancelledError. Airflow would treat it as the end of the
            # stream, and its watcher would wait forever. After an error, Airflow restarts it.
            raise RuntimeError(INTERRUPTED) from None

    async def advance(self, batch: Sequence[AdvanceItem]) -> None:
        """
        Move what is stored: Airflow has the events of these polls in its database.

        :param batch: The polls, and whether the trigger took them.
        """
        for item in batch:
            found: FoundCompletions = item.broker_payload
            # A trigger that failed restarts from what is stored, so that its event is sent again.
            if item.outcome.failed:
                continue
            found.watcher.watch.acknowledge(found.batch)
            await found.watcher.save()


class CompletionsWatchTrigger(BaseEventTrigger):
    """
    Watch who completes program sessions, and send an event whenever a poll finds new completions; it names no person.

    Each asset has its own poller. The asset state store keeps which completions were reported; below Airflow 3.3, an
    Airflow variable does.

    :param asset_name: Name of the asset; what is stored belongs to it.
    :param session_ids: IDs of the sessions, or None for all of the platform.
    :param learning_conn_id: ID of the Airflow connection.
    :param poll_interval: Seconds between polls; default 300.
    :param queue: The queue of triggers, from Airflow 3.4 on; default none.

    Source: Airflow's `BaseEventTrigger`.
    """

    _slots: ClassVar[dict[StreamKey, WatcherSlot]] = {}
    _states: ClassVar[dict[str, set[CompletionsState]]] = {}  # by asset: those of watchers that have ended

    def __init__(
        self,
        asset_name: str,
        session_ids: list[str] | None,
        learning_conn_id: str,
        poll_interval: float = 300.0,
        *,
        queue: str | None = None,
    ) -> None:
        # Airflow stores the queue beside the arguments; the trigger that runs does not get it. None below Airflow 3.4.
        super().__init__(**({"queue": queue} if queue is not None else {}))  # type: ignore[no-untyped-call]
        self.asset_name = asset_name
        self.session_ids = session_ids
        self.learning_conn_id = learning_conn_id
        self.poll_interval = poll_interval

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the class path and the arguments, for the database."""
        names = ("asset_name", "session_ids", "learning_conn_id", "poll_interval")
        return f"{type(self).__module__}.{type(self).__qualname__}", {name: getattr(self, name) for name in names}

    def shared_stream_key(self) -> StreamKey:
        """Return the key of the poller: each asset has its own, in Airflow's mode that acknowledges events."""
        return _stream_key(self.serialize()[1])

    @classmethod
    def create_shared_stream_producer(cls, kwargs: dict[str, Any]) -> CompletionsProducer:
        """
        Return the poller of a stream.

        :param kwargs: The arguments of its trigger.
        """
        return CompletionsProducer(cls._slot(_stream_key(kwargs)), kwargs)

    async def filter_shared_stream(self, shared_stream: AsyncIterator[FoundCompletions]) -> AsyncIterator[TriggerEvent]:
        """
        Yield an event for each poll that found something.

        :param shared_stream: The polls of the poller.
        """
        watcher = await self._load_watcher()
        slot = self._slot(self.shared_stream_key())
        slot.join(watcher)
        try:
            async for found in shared_stream:
                if found.watcher is watcher:
                    yield TriggerEvent(found.batch.payload())
        finally:
            slot.leave(watcher)
            self._note_end(watcher)

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """
        Yield the same events for Airflow below 3.3.

        That Airflow acknowledges no event. What a poll found is stored after a later poll, when its event has long been
        stored.
        """
        watcher = await self._load_watcher()
        try:
            async with aclosing(_poller(watcher.watch, self.serialize()[1]).poll()) as batches:
                async for batch in batches:
                    if batch is not None:
                        yield TriggerEvent(batch.payload())
                        watcher.sent.add(batch)
                    await watcher.save()
        finally:
            self._note_end(watcher)

    async def _load_watcher(self) -> Watcher:
        store = find_asset_store(self, self.asset_name, "watched_completions")
        if store is None:
            return Watcher(CompletionsWatch.from_stored(self.session_ids, None))
        from airflow_provider_learning360.triggers.completions_state import CompletionsState

        state = CompletionsState(store)
        # A watcher that has ended may still be writing. It must not overwrite what its successor stores.
        for earlier in self._states.pop(self.asset_name, ()):
            earlier.retire()
        return Watcher(await state.load(self.session_ids), state)

    def _note_end(self, watcher: Watcher) -> None:
        if watcher.state is not None:
            self._states.setdefault(self.asset_name, set()).add(watcher.state)

    @classmethod
    def _slot(cls, key: StreamKey) -> WatcherSlot:
        # One process, one event loop: no lock is needed.
        return cls._slots.setdefault(key, WatcherSlot())


def _stream_key(kwargs: dict[str, Any]) -> StreamKey:
    ids = kwargs["session_ids"]
    chosen = None if ids is None else tuple(ids)
    return (
        "learning360 completions",
        kwargs["asset_name"],
        kwargs["learning_conn_id"],
        kwargs["poll_interval"],
        chosen,
    )


def _poller(watch: CompletionsWatch, kwargs: dict[str, Any]) -> CompletionsPoller:
    from airflow_provider_learning360.triggers.completions_poller import CompletionsPoller

    return CompletionsPoller(watch, kwargs["learning_conn_id"], kwargs["poll_interval"])
