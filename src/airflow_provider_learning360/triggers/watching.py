"""The trigger of a watched asset: it sends Airflow an event when watched program sessions were modified."""

from __future__ import annotations

__all__ = ["ProgramSessionsWatchTrigger"]

import asyncio
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.providers.common.compat.triggers import BaseEventTrigger
from airflow.triggers.base import TriggerEvent

from airflow_provider_learning360.api.watch_state import WatchOnMissing, WatchState
from airflow_provider_learning360.memory.asset_store import find_asset_store
from airflow_provider_learning360.triggers.outage import INTERRUPTED
from airflow_provider_learning360.triggers.subscriptions import Subscription, Subscriptions

try:
    from airflow.triggers.shared_stream import SharedStreamProducer
except ImportError:  # Airflow below 3.3 calls `run` instead
    SharedStreamProducer = object  # type: ignore[assignment,misc]

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from airflow.triggers.shared_stream import AdvanceItem

    from airflow_provider_learning360.api.watch_state import PollKind
    from airflow_provider_learning360.triggers.cursor import Cursor
    from airflow_provider_learning360.triggers.poller import Poller
    from airflow_provider_learning360.triggers.subscriptions import PollResult

StreamKey = tuple[str, str, float, str]


class WatchedSessionsProducer(SharedStreamProducer):
    """
    The poller as a shared stream of Airflow: one poll is one raw event, acknowledged when it is stored.

    :param poller: The poller.

    Source: Airflow's `SharedStreamProducer`, ack mode.
    """

    def __init__(self, poller: Poller) -> None:
        self.poller = poller

    async def open_stream(self) -> AsyncIterator[tuple[PollResult, PollResult]]:
        """Yield each poll that found something, for the watchers and for `advance`."""
        try:
            async for result in self.poller.poll():
                yield result, result
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            # An interrupted response also arrives as a CancelledError. Airflow would treat it as the end of the
            # stream, and its watchers would wait forever. After an error, Airflow restarts them.
            raise RuntimeError(INTERRUPTED) from None

    async def advance(self, batch: Sequence[AdvanceItem]) -> None:
        """
        Move the watermarks: Airflow has the events of these polls in its database.

        :param batch: The polls, and how many watchers took them.
        """
        for item in batch:
            result: PollResult = item.broker_payload
            # Airflow does not say which watcher failed. That one restarts from its stored watermark. The others are
            # acknowledged by the next poll that reaches them; if the triggerer dies before, their events are repeated.
            result.acknowledge(in_doubt=bool(item.outcome.failed))
            for subscription in result.found:
                await subscription.save()


class ProgramSessionsWatchTrigger(BaseEventTrigger):
    """
    Watch program sessions, and send an event whenever a poll finds some of them modified.

    On Airflow 3.3 and later, all triggers with the same connection, interval and `poll` share one poller, and the
    asset state store keeps the watermarks. Below, each trigger has its own poller, and Airflow variables keep them.

    :param asset_name: Name of the asset; the stored watermarks belong to it.
    :param session_ids: IDs of the sessions, or None for all of the platform.
    :param learning_conn_id: ID of the Airflow connection.
    :param poll_interval: Seconds between polls; default 300.
    :param poll: `single` (one request for each session), `list` (one request for all) or `auto` (default: what takes
        fewer requests, counted over the sessions that this triggerer watches).
    :param watch: Fields to watch: there is an event when at least one of them changed. Default: any modification.
    :param on_missing: What to do if a session disappears: `ignore` (default) or `event`.
    :param queue: The queue of triggers, from Airflow 3.4 on; default none.

    Source: Airflow's `BaseEventTrigger`.
    """

    _streams: ClassVar[dict[StreamKey, Subscriptions]] = {}
    _cursors: ClassVar[dict[str, set[Cursor]]] = {}  # by asset: the cursors of watchers that have ended

    def __init__(
        self,
        asset_name: str,
        session_ids: list[str] | None,
        learning_conn_id: str,
        poll_interval: float = 300.0,
        poll: PollKind = "auto",
        watch: list[str] | None = None,
        on_missing: WatchOnMissing = "ignore",
        *,
        queue: str | None = None,
    ) -> None:
        # Airflow stores the queue beside the arguments; the trigger that runs does not get it. None below Airflow 3.4.
        super().__init__(**({"queue": queue} if queue is not None else {}))  # type: ignore[no-untyped-call]
        self.asset_name = asset_name
        self.session_ids = session_ids
        self.learning_conn_id = learning_conn_id
        self.poll_interval = poll_interval
        self.poll = poll
        self.watch = watch
        self.on_missing = on_missing

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the class path and the arguments, for the database."""
        names = ("asset_name", "session_ids", "learning_conn_id", "poll_interval", "poll", "watch", "on_missing")
        return f"{type(self).__module__}.{type(self).__qualname__}", {name: getattr(self, name) for name in names}

    def shared_stream_key(self) -> StreamKey:
        """Return the key of the poller; triggers with the same key share it."""
        return _stream_key(self.serialize()[1])

    @classmethod
    def create_shared_stream_producer(cls, kwargs: dict[str, Any]) -> WatchedSessionsProducer:
        """
        Return the poller of a shared stream.

        :param kwargs: The arguments of any one of its triggers.
        """
        return WatchedSessionsProducer(_poller(kwargs, cls._subscriptions(_stream_key(kwargs))))

    async def filter_shared_stream(self, shared_stream: AsyncIterator[PollResult]) -> AsyncIterator[TriggerEvent]:
        """
        Yield an event for each poll that found something for this trigger.

        :param shared_stream: The polls of the shared poller.
        """
        subscription = await self._subscription()
        subscriptions = self._subscriptions(self.shared_stream_key())
        subscriptions.join(subscription)
        try:
            async for result in shared_stream:
                batch = subscription.take(result)
                if batch is not None:
                    yield TriggerEvent(batch.payload())
        finally:
            subscriptions.leave(subscription)
            self._note_end(subscription)

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """
        Yield the same events with a poller of this trigger alone, for Airflow below 3.3.

        That Airflow acknowledges no event. The watermarks of a poll are stored after a later poll, when its events have
        long been stored.
        """
        subscriptions = Subscriptions()
        subscriptions.join(subscription := await self._subscription())
        try:
            async with aclosing(_poller(self.serialize()[1], subscriptions).poll()) as results:
                async for result in results:
                    batch = result.found[subscription]
                    yield TriggerEvent(batch.payload())
                    subscription.sent.add(batch)
        finally:
            self._note_end(subscription)

    async def _subscription(self) -> Subscription:
        store = find_asset_store(self, self.asset_name, "watched_program_session or watched_program_sessions")
        if store is None:
            return Subscription(WatchState(self.session_ids, self.watch or (), self.on_missing))
        from airflow_provider_learning360.triggers.cursor import Cursor

        cursor = Cursor(store)
        # A watcher that has ended may still be writing. It must not overwrite the watermarks of its successor.
        for earlier in self._cursors.pop(self.asset_name, ()):
            earlier.retire()
        acknowledged = await cursor.load(self.session_ids)
        return Subscription(WatchState(self.session_ids, self.watch or (), self.on_missing, acknowledged), cursor)

    def _note_end(self, subscription: Subscription) -> None:
        if subscription.cursor is not None:
            self._cursors.setdefault(self.asset_name, set()).add(subscription.cursor)

    @classmethod
    def _subscriptions(cls, key: StreamKey) -> Subscriptions:
        # One process, one event loop: no lock is needed.
        return cls._streams.setdefault(key, Subscriptions())


def _stream_key(kwargs: dict[str, Any]) -> StreamKey:
    return ("learning360", kwargs["learning_conn_id"], kwargs["poll_interval"], kwargs["poll"])


def _poller(kwargs: dict[str, Any], subscriptions: Subscriptions) -> Poller:
    from airflow_provider_learning360.triggers.poller import Poller

    return Poller(subscriptions, kwargs["learning_conn_id"], kwargs["poll_interval"], kwargs["poll"])
