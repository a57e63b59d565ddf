"""The watchers of one poller, and what a poll found for them."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from airflow_provider_learning360.triggers.sent_events import SentEvents

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from airflow_provider_learning360.api.watch_state import ChangeBatch, WatchState
    from airflow_provider_learning360.triggers.cursor import Cursor


@dataclass(eq=False)
class Subscription:
    """
    One watcher of the poller.

    :param watch: What it watches.
    :param cursor: Where its watermarks are kept, or None: in memory only.
    :param delivered: Number of the last result that its trigger made an event of.
    :param sent: Its events, where Airflow acknowledges none.
    """

    watch: WatchState
    cursor: Cursor | None = None
    delivered: int = 0
    sent: SentEvents[ChangeBatch] = field(default_factory=SentEvents)
    _unsure: list[ChangeBatch] = field(default_factory=list, init=False)

    def take(self, result: PollResult) -> ChangeBatch | None:
        """
        Note a poll that Airflow has brought to this watcher's trigger.

        :param result: The poll.
        :returns: What to make an event of, or None.
        """
        # Airflow brings nothing more to a watcher that failed. So it was another one.
        for batch in self._unsure:
            self.watch.acknowledge(batch)
        self._unsure.clear()
        found = result.found.get(self)
        if found is not None:
            self.delivered = result.number
        return found

    def doubt(self, batch: ChangeBatch) -> None:
        """
        Note that some watcher failed at a poll, and that it may have been this one.

        :param batch: What the poll found for this watcher.
        """
        self._unsure.append(batch)

    async def save(self) -> None:
        """Store the watermarks that changed, where there is a store."""
        for batch in self.sent.take_stored():
            self.watch.acknowledge(batch)
        if self.cursor is not None and self.watch.dirty_shards:
            await self.cursor.save(self.watch)


class Subscriptions:
    """All watchers of one poller. They join and leave while it runs, in the same event loop."""

    def __init__(self) -> None:
        self._all: list[Subscription] = []
        self.joined_at = 0.0
        self.joined = asyncio.Event()

    def __iter__(self) -> Iterator[Subscription]:
        return iter(list(self._all))

    def join(self, subscription: Subscription) -> None:
        """
        Add a watcher, and wake the poller.

        :param subscription: The watcher.
        """
        self._all.append(subscription)
        self.joined_at = time.monotonic()
        self.joined.set()

    def leave(self, subscription: Subscription) -> None:
        """
        Remove a watcher.

        :param subscription: The watcher.
        """
        if subscription in self._all:
            self._all.remove(subscription)


@dataclass(frozen=True)
class PollResult:
    """
    What one poll found; one of several results, if that is more than an event may have.

    :param number: Its number, from 1, over all polls.
    :param found: What it has for each watcher.
    """

    number: int
    found: Mapping[Subscription, ChangeBatch]

    def acknowledge(self, *, in_doubt: bool = False) -> None:
        """
        Note that Airflow has stored the events of this poll.

        :param in_doubt: Whether that failed for some watcher; Airflow does not say for which one.
        """
        for subscription, batch in self.found.items():
            # A watcher whose trigger failed meanwhile got no event. It restarts from its stored watermark.
            if subscription.delivered < self.number:
                continue
            if in_doubt:
                subscription.doubt(batch)
            else:
                subscription.watch.acknowledge(batch)
