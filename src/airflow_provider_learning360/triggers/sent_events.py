"""Events of a trigger below Airflow 3.3, which stores them without saying so."""

from __future__ import annotations

import time
from collections import deque
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterator

# Seconds from an event until it counts as stored. A triggerer hands its events over about every second; while it starts
# its triggers, later.
STORED_AFTER = 15.0

Batch = TypeVar("Batch")


class SentEvents(Generic[Batch]):
    """What the events of a trigger report, until Airflow has had the time to store them."""

    def __init__(self) -> None:
        self._sent: deque[tuple[float, Batch]] = deque()

    def add(self, batch: Batch) -> None:
        """
        Note that Airflow has taken an event from the trigger.

        :param batch: What the event reports.
        """
        self._sent.append((time.monotonic(), batch))

    def take_stored(self) -> Iterator[Batch]:
        """
        Take out what counts as stored. Call it with each poll, so that at least one poll interval has passed, too.

        :returns: What those events report, the oldest first.
        """
        while self._sent and time.monotonic() - self._sent[0][0] >= STORED_AFTER:
            yield self._sent.popleft()[1]
