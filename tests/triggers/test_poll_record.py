"""What pollers store about their polls: at once if an outage begins or ends, and otherwise every few minutes."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from airflow_provider_learning360.api.errors import UnavailableError
from airflow_provider_learning360.api.watch_state import POLLING_KEY
from airflow_provider_learning360.triggers import poll_record
from airflow_provider_learning360.triggers.cursor import AssetState
from airflow_provider_learning360.triggers.poll_record import RENEWAL, PollRecord

FAILURE = UnavailableError("It failed.")


class Accessor:
    """The asset state store of one asset."""

    def __init__(self) -> None:
        self.values: list[dict[str, Any]] = []
        self.broken = False

    async def aset(self, key: str, value: Any) -> None:
        if self.broken:
            raise OSError
        assert key == POLLING_KEY
        self.values.append(value)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The monotonic clock of the record."""
    now = [1000.0]
    monkeypatch.setattr(poll_record.time, "monotonic", lambda: now[0])
    return now


def poll(record: PollRecord, *stores: Accessor, error: Any = None) -> None:
    record.note_poll(error)
    asyncio.run(record.save([AssetState(one) for one in stores]))


def test_success_is_stored_once_in_a_while_and_for_one_asset(clock: list[float]) -> None:
    record, first, second = PollRecord(), Accessor(), Accessor()
    for _ in range(10):
        poll(record, first, second)
    assert (len(first.values), len(second.values)) == (1, 0)
    clock[0] += RENEWAL
    poll(record, first, second)
    assert len(first.values) == 2
    assert first.values[-1]["polled_at"]


def test_outage_is_stored_when_it_begins_and_when_it_ends(clock: list[float]) -> None:
    record, store = PollRecord(), Accessor()
    poll(record, store)
    for _ in range(10):
        clock[0] += RENEWAL
        poll(record, store, error=FAILURE)
    poll(record, store)
    well, failing, again = store.values
    assert (well["failing_since"], again["failing_since"]) == (None, None)
    assert failing["polled_at"] == well["polled_at"]
    assert failing["failing_since"]


def test_outage_from_the_first_poll_on_is_stored(clock: list[float]) -> None:
    record, store = PollRecord(), Accessor()
    poll(record, store, error=FAILURE)
    (stored,) = store.values
    assert (stored["polled_at"], bool(stored["failing_since"])) == (None, True)


def test_store_that_fails_is_tried_again_with_the_next_poll(clock: list[float]) -> None:
    record, store = PollRecord(), Accessor()
    store.broken = True
    poll(record, store, error=FAILURE)
    store.broken = False
    poll(record, store, error=FAILURE)
    assert len(store.values) == 1


def test_watcher_that_has_ended_stores_nothing(clock: list[float]) -> None:
    record, store = PollRecord(), Accessor()
    state = AssetState(store)
    state.retire()
    record.note_poll(None)
    asyncio.run(record.save([state]))
    assert store.values == []


def test_no_watcher_stores_nothing(clock: list[float]) -> None:
    record, store = PollRecord(), Accessor()
    poll(record)
    poll(record, store)
    assert len(store.values) == 1
