"""The delivery ledger: what was recorded of each recipient of one reminder."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Literal, Protocol

from airflow.providers.common.compat.sdk import conf

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from airflow_provider_learning360.memory.store import Store

log = logging.getLogger(__name__)

# What is recorded of a recipient.
DeliveryState = Literal["sent", "claimed", "refused"]
# Keys in the store: segments, numbered from 0.
SEGMENT_PREFIX = "learning360_mails_"
# Recipients in a segment: each write stores a whole one, about 44 bytes for each recipient.
SEGMENT_SIZE = 250
# Earlier versions stored one entry for each recipient.
BEGUN_KEY = "learning360_mails_begun"
ENTRY_PREFIX = "learning360_mail_"


class DeliveryLedger(Protocol):
    """The states of the recipients of one reminder. An entry outlives the process."""

    def find_state(self, key: str) -> str | None:
        """Return the recorded state of a recipient, or None."""

    def record(self, entries: Mapping[str, DeliveryState]) -> None:
        """Record the states of some recipients. They are stored when this returns."""


class TaskDeliveryLedger:
    """
    The ledger in the store of a task: segments of many recipients, which never expire by age.

    The store belongs to one task of one DAG run, and so to one reminder. It survives retries, the death of the worker,
    a cleared task and a broken DAG file. Each try adds segments of its own: a worker that was believed dead must not
    overwrite entries of the try after it.

    :param store: The store of the task.
    """

    def __init__(self, store: Store) -> None:
        if conf.getboolean("state_store", "clear_on_success", fallback=False):
            log.warning(
                "[state_store] clear_on_success is on: Airflow deletes the delivery ledger when the task succeeds. "
                "If the task is then cleared, all recipients get the mail again. Turn the setting off."
            )
        self._store = store
        self._states: dict[str, str] = {}
        self._next_segment = 0
        for segment in self._read_segments():
            self._states.update(segment)
        self._has_old_entries = store.get(BEGUN_KEY) is not None
        self._segments: dict[int, dict[str, str]] = {}  # those of this try, by number
        self._places: dict[str, int] = {}

    @property
    def has_begun(self) -> bool:
        """Whether an earlier try recorded anything."""
        return self._next_segment > 0 or self._has_old_entries

    def find_state(self, key: str) -> str | None:
        """
        Return the recorded state of a recipient, or None.

        :param key: Key of the recipient.
        """
        if key in self._states or not self._has_old_entries:
            return self._states.get(key)
        state = self._store.get(ENTRY_PREFIX + key)
        return None if state is None else str(state)

    def record(self, entries: Mapping[str, DeliveryState]) -> None:
        """
        Record the states of some recipients. They are stored when this returns.

        :param entries: The states, by key of the recipient.
        """
        changed = {self._put(key, state) for key, state in entries.items()}
        for number in sorted(changed):
            self._write(number)

    def _read_segments(self) -> Iterator[dict[str, str]]:
        while (segment := self._store.get(f"{SEGMENT_PREFIX}{self._next_segment}")) is not None:
            yield segment
            self._next_segment += 1

    def _put(self, key: str, state: DeliveryState) -> int:
        """Change a state in memory, and return the number of its segment."""
        number = self._places.get(key)
        if number is None:
            number = self._places[key] = self._find_segment()
        self._segments[number][key] = self._states[key] = state
        return number

    def _find_segment(self) -> int:
        """Return the number of a segment that has room."""
        number = max(self._segments, default=None)
        if number is not None and len(self._segments[number]) < SEGMENT_SIZE:
            return number
        while self._store.get(f"{SEGMENT_PREFIX}{self._next_segment}") is not None:
            self._next_segment += 1  # another try is at work
        self._segments[self._next_segment] = {}
        self._next_segment += 1
        return self._next_segment - 1

    def _write(self, number: int) -> None:
        self._store.set(f"{SEGMENT_PREFIX}{number}", dict(self._segments[number]), forever=True)
