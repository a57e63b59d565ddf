"""Who watches what through one poller, and what a look found for them."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

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
    :param delivered: Number of the last look that its trigger made an event of.
    """

    watch: WatchState
    cursor: Cursor | None = None
    delivered: int = 0
    _doubtful: list[ChangeBatch] = field(default_factory=list, init=False)

    def take(self, result: PollResult) -> ChangeBatch | None:
        """
        Take in a look that Airflow has brought to this watcher's trigger; return what to make an event of.

        :param look: The look.
        """
        # Airflow brings nothing more to a watcher that failed. So it was another one.
        for doubtful in self._doubtful:
            self.watch.acknowledge(doubtful)
        self._doubtful.clear()
        batch = result.found.get(self)
        if batch is not None:
            self.delivered = result.number
        return batch

    def doubt(self, batch: ChangeBatch) -> None:
        """
        Take in that a watcher has failed at this look, and that it may have been this one.

        :param findings: What the look found for this watcher.
        """
        self._doubtful.append(batch)

    async def save(self) -> None:
        """Write what is to be kept, if there is a place for it."""
        if self.cursor is not None and self.watch.dirty_shards:
            await self.cursor.save(self.watch)


class Subscriptions:
    """All watchers of one poller; they come and go while it runs, in the same event loop."""

    def __init__(self) -> None:
        self._all: list[Subscription] = []
        self.joined_at = 0.0
        self.joined = asyncio.Event()

    def __iter__(self) -> Iterator[Subscription]:
        return iter(list(self._all))

    def join(self, subscription: Subscription) -> None:
        """Take in a watcher, and wake the poller."""
        self._all.append(subscription)
        self.joined_at = time.monotonic()
        self.joined.set()

    def leave(self, subscription: Subscription) -> None:
        """Let a watcher go."""
        if subscription in self._all:
            self._all.remove(subscription)


@dataclass(frozen=True)
class PollResult:
    """
    One look that found something.

    :param number: Its number, from 1.
    :param found: What it found for whom.
    """

    number: int
    found: Mapping[Subscription, ChangeBatch]

    def acknowledge(self, *, in_doubt: bool = False) -> None:
        """
        Take in that Airflow has stored the events of this look.

        :param in_doubt: Whether that failed for some watcher; Airflow does not say for which one.
        """
        for subscription, batch in self.found.items():
            # A watcher that got no event of it (its trigger failed meanwhile) restarts from its stored watermark.
            if subscription.delivered < self.number:
                continue
            if in_doubt:
                subscription.doubt(batch)
            else:
                subscription.watch.acknowledge(batch)
