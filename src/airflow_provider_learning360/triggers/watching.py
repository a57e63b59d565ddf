"""The trigger behind an asset: it tells Airflow that watched program sessions were modified."""

from __future__ import annotations

__all__ = ["ProgramSessionsWatchTrigger"]

import asyncio
import logging
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.providers.common.compat.triggers import BaseEventTrigger
from airflow.triggers.base import TriggerEvent

from airflow_provider_learning360.api.errors import FixArgumentError
from airflow_provider_learning360.api.watch_state import OnGone, WatchState
from airflow_provider_learning360.triggers.subscriptions import Subscription, Subscriptions

try:
    from airflow.triggers.shared_stream import SharedStreamProducer
except ImportError:  # Airflow below 3.3 calls `run` instead
    SharedStreamProducer = object  # type: ignore[assignment,misc]

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from airflow.triggers.shared_stream import AdvanceItem

    from airflow_provider_learning360.triggers.cursor import Cursor
    from airflow_provider_learning360.triggers.poller import Poller, PollKind
    from airflow_provider_learning360.triggers.subscriptions import PollResult

log = logging.getLogger(__name__)

StreamKey = tuple[str, str, float, str]


class WatchedSessionsProducer(SharedStreamProducer):
    """
    The poller as Airflow's shared streams want it: one look is one raw event, confirmed when its events are stored.

    :param poller: The poller.

    Source: Airflow's `SharedStreamProducer`, ack mode.
    """

    def __init__(self, poller: Poller) -> None:
        self.poller = poller

    async def open_stream(self) -> AsyncIterator[tuple[PollResult, PollResult]]:
        """Yield each look that found something, for the watchers and for `advance`."""
        try:
            async for result in self.poller.poll():
                yield result, result
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            # A broken-off answer of Airflow's comes as this too. Airflow would take it for the end of the stream, and
            # leave its watchers waiting for ever; as an error, it starts them anew.
            raise RuntimeError("the poller was cancelled by nobody") from None

    async def advance(self, batch: Sequence[AdvanceItem]) -> None:
        """
        Move the watermarks: Airflow has the events of these looks in its database.

        :param batch: The looks, and how many watchers took them.
        """
        for item in batch:
            result: PollResult = item.broker_payload
            # Airflow does not say which watcher failed. That one restarts from its stored watermark. The others are
            # confirmed by the next look that reaches them; if the triggerer dies before, they repeat themselves.
            result.acknowledge(in_doubt=bool(item.outcome.failed))
            for subscription in result.found:
                await subscription.save()


class ProgramSessionsWatchTrigger(BaseEventTrigger):
    """
    Watch program sessions, and fire an event whenever a look finds some of them modified.

    On Airflow 3.3 and later, all triggers of the same connection, interval and kind of polling share one poller, and
    watermarks are kept in the asset state store. Below, each has its own, and they are kept in memory.

    :param asset_name: Name of the asset; what is stored belongs to it.
    :param session_ids: IDs of the sessions, or None for all of the platform.
    :param learning_conn_id: ID of the Airflow connection.
    :param poll_interval: Seconds between looks; default 300.
    :param poll: `single` (one request a session), `list` (one for all) or `auto` (what takes less, counted over the
        sessions that this triggerer watches).
    :param watch: Names of the fields of which one must differ; default any modification.
    :param on_missing: What a session that disappears means: `ignore` (default) or `event`.

    Source: Airflow's `BaseEventTrigger`.
    """

    _streams: ClassVar[dict[StreamKey, Subscriptions]] = {}
    _cursors: ClassVar[dict[str, set[Cursor]]] = {}  # by asset: those of watchers that have ended

    def __init__(
        self,
        asset_name: str,
        session_ids: list[str] | None,
        learning_conn_id: str,
        poll_interval: float = 300.0,
        poll: PollKind = "auto",
        watch: list[str] | None = None,
        on_missing: OnGone = "ignore",
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
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
        """Return what triggers have in common that share a poller."""
        return _stream_key(self.serialize()[1])

    @classmethod
    def create_shared_stream_producer(cls, kwargs: dict[str, Any]) -> WatchedSessionsProducer:
        """Return the poller of a stream. Airflow passes the arguments of any one of its triggers."""
        return WatchedSessionsProducer(_poller(kwargs, cls._subscriptions(_stream_key(kwargs))))

    async def filter_shared_stream(self, shared_stream: AsyncIterator[PollResult]) -> AsyncIterator[TriggerEvent]:
        """
        Yield an event for each look that found something for this trigger.

        :param shared_stream: The looks of the shared poller.
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
            if subscription.cursor is not None:
                self._cursors.setdefault(self.asset_name, set()).add(subscription.cursor)

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Yield the same events with a poller of its own, for Airflow below 3.3."""
        subscriptions = Subscriptions()
        subscriptions.join(subscription := await self._subscription())
        async for result in _poller(self.serialize()[1], subscriptions).poll():
            batch = result.found[subscription]
            yield TriggerEvent(batch.payload())
            subscription.watch.acknowledge(batch)  # this Airflow confirms nothing

    async def _subscription(self) -> Subscription:
        stores = getattr(self, "asset_state_store", None)
        if stores is None:
            log.warning(
                "Watching for asset %r with the watermarks in memory: Airflow has no place for them, which it has from "
                "3.3 on. A change while the triggerer is down or restarts is not noticed.",
                self.asset_name,
            )
            return Subscription(WatchState(self.session_ids, self.watch or (), self.on_missing))
        from airflow.sdk import Asset

        from airflow_provider_learning360.triggers.cursor import Cursor

        try:
            # By name: with several assets the short form of the store does not know which one is meant.
            cursor = Cursor(stores[Asset.ref(name=self.asset_name)])
        except KeyError:
            raise FixArgumentError(
                f"asset_name: {self.asset_name!r} is not the name of the asset that this trigger watches for. "
                "Build the asset with watched_program_session or watched_program_sessions."
            ) from None
        # An ended watcher may still be writing. It must not overwrite what its successor begins with.
        for earlier in self._cursors.pop(self.asset_name, ()):
            earlier.retire()
        acknowledged = await cursor.load(self.session_ids)
        return Subscription(WatchState(self.session_ids, self.watch or (), self.on_missing, acknowledged), cursor)

    @classmethod
    def _subscriptions(cls, key: StreamKey) -> Subscriptions:
        # One process, one event loop: whoever comes first makes it.
        return cls._streams.setdefault(key, Subscriptions())


def _stream_key(kwargs: dict[str, Any]) -> StreamKey:
    return ("learning360", kwargs["learning_conn_id"], kwargs["poll_interval"], kwargs["poll"])


def _poller(kwargs: dict[str, Any], subscriptions: Subscriptions) -> Poller:
    from airflow_provider_learning360.triggers.poller import Poller

    return Poller(subscriptions, kwargs["learning_conn_id"], kwargs["poll_interval"], kwargs["poll"])
