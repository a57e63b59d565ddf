"""Which completions are new: none is lost, and none repeated unless the triggerer crashes."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_learning360.api.completions import (
    COMMIT_LAG,
    MAX_SESSIONS_PER_EVENT,
    MAX_STORED_KEYS,
    Completion,
    CompletionsBatch,
    CompletionsWatch,
)

START = datetime(2026, 3, 1, 8, 0, tzinfo=UTC)
A, B = "aa" * 12, "bb" * 12


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def completion(key: str, seconds: float, session_id: str = A) -> Completion:
    return Completion(session_id, key, at(seconds))


class Watcher:
    """A watch, and the platform that it polls: all completions from the floor on."""

    def __init__(self, session_ids: list[str] | None = None, *, own_skew: int = 0, server_skew: int = 0) -> None:
        self.session_ids = session_ids
        self.own_skew, self.server_skew = own_skew, server_skew  # seconds by which a clock is ahead
        self.watch = CompletionsWatch.from_stored(session_ids, None)
        self.platform: list[Completion] = []
        self.stored: Any = None

    def poll(self, seconds: float, *, readable: int | None = None) -> CompletionsBatch | None:
        """Poll at a time; `readable` is how many completions can be read before an error."""
        since = self.watch.since(at(seconds + self.own_skew))
        rows = [one for one in self.platform if since <= one.completed_at]
        self.watch.observe(rows if readable is None else rows[:readable])
        sent_at = at(seconds + self.server_skew) if readable is None else None
        batch = self.watch.close_poll(sent_at, is_complete=readable is None)
        self.save()
        return batch

    def save(self) -> None:
        if self.watch.dirty:
            self.stored, self.watch.dirty = json.loads(json.dumps(self.watch.to_stored())), False

    def restart(self) -> None:
        self.watch = CompletionsWatch.from_stored(self.session_ids, self.stored)

    def store_event(self, batch: CompletionsBatch | None) -> None:
        assert batch is not None
        self.watch.acknowledge(batch)
        self.save()


def counts(batch: CompletionsBatch | None) -> dict[str, int]:
    assert batch is not None
    return {entry["_id"]: entry["completed"] for entry in batch.payload()["completions"]}


def test_first_poll_reports_nothing_and_later_ones_what_is_new() -> None:
    one = Watcher()
    one.platform = [completion("old", -5)]
    assert one.poll(0) is None
    assert one.poll(60) is None
    one.platform += [completion("1", 70), completion("2", 80.5), completion("3", 75, B)]
    batch = one.poll(120)
    assert batch is not None
    assert batch.payload() == {
        "completions": [
            {"_id": A, "kind": "completed", "completed": 2, "latest": "2026-03-01T08:01:20.500Z"},
            {"_id": B, "kind": "completed", "completed": 1, "latest": "2026-03-01T08:01:15.000Z"},
        ]
    }
    assert one.poll(180) is None


def test_completion_within_the_lag_is_reported_once() -> None:
    one = Watcher()
    one.poll(0)
    one.platform = [completion("1", 59)]
    assert counts(one.poll(60)) == {A: 1}
    one.platform.append(completion("2", 58))  # committed late
    assert counts(one.poll(61)) == {A: 1}
    assert one.poll(62) is None


def test_only_chosen_sessions_are_reported() -> None:
    one = Watcher([B])
    one.poll(0)
    one.platform = [completion("1", 10), completion("2", 10, B)]
    assert counts(one.poll(60)) == {B: 1}


def test_floor_follows_the_server_and_never_goes_back() -> None:
    one = Watcher()
    one.poll(100)
    assert one.watch.floor == at(100) - COMMIT_LAG
    one.poll(50)
    assert one.watch.floor == at(100) - COMMIT_LAG


def test_incomplete_poll_reports_what_was_read_and_leaves_the_rest() -> None:
    one = Watcher()
    one.poll(0)
    one.platform = [completion(str(number), 10) for number in range(5)]
    assert counts(one.poll(60, readable=2)) == {A: 2}
    assert one.watch.floor == at(0) - COMMIT_LAG
    assert counts(one.poll(120)) == {A: 3}


def test_incomplete_first_poll_starts_nothing() -> None:
    one = Watcher()
    one.poll(0, readable=0)
    assert (one.watch.floor, one.stored) == (None, None)


def test_more_sessions_than_an_event_takes_are_reported_by_the_next_poll() -> None:
    one = Watcher()
    one.poll(0)
    sessions = [f"{number:024x}" for number in range(MAX_SESSIONS_PER_EVENT + 3)]
    one.platform = [completion(f"{place} {session}", 10, session) for place in range(2) for session in sessions]
    assert counts(one.poll(60)) == dict.fromkeys(sessions[:MAX_SESSIONS_PER_EVENT], 2)
    assert counts(one.poll(120)) == dict.fromkeys(sessions[MAX_SESSIONS_PER_EVENT:], 2)
    assert one.poll(180) is None


def test_event_that_was_not_stored_is_sent_again_after_a_restart() -> None:
    one = Watcher()
    one.poll(0)
    one.platform = [completion("1", 50)]
    one.store_event(one.poll(60))
    one.platform += [completion("2", 58), completion("3", 110)]
    assert counts(one.poll(120)) == {A: 2}
    assert one.poll(180) is None
    one.restart()
    assert counts(one.poll(240)) == {A: 2}  # neither lost, nor together with the stored one


def test_acknowledgements_in_another_order_lose_nothing() -> None:
    one = Watcher()
    one.poll(0)
    one.platform = [completion("1", 50)]
    one.poll(60)
    one.platform.append(completion("2", 110))
    second = one.poll(120)
    one.store_event(second)  # that of the first is never stored
    one.restart()
    assert counts(one.poll(180)) == {A: 2}


def test_what_is_stored_is_bounded_and_has_no_more_than_keys_and_times() -> None:
    one = Watcher()
    one.poll(0)
    one.platform = [completion(f"{number:024x}", 59) for number in range(3 * MAX_STORED_KEYS)]
    one.store_event(one.poll(60))
    assert len(one.stored["seen"]) == MAX_STORED_KEYS
    assert len(json.dumps(one.stored)) < 64 * 1024
    one.platform.append(completion("new", 110))
    one.store_event(one.poll(120))
    assert set(one.stored["seen"]) == {"new"}
    assert set(one.watch.seen) == {"new"}


def test_quiet_polls_are_seldom_stored() -> None:
    one = Watcher()
    floors = set()
    for minute in range(180):
        one.poll(60 * minute)
        floors.add(one.stored["floor"])
    assert len(floors) == 3


def test_platform_without_dates_is_watched_by_the_own_clock() -> None:
    watch = CompletionsWatch.from_stored(None, None)
    watch.since(at(0))
    watch.close_poll(None, is_complete=True)
    watch.since(at(60))
    watch.observe([completion("1", 20)])
    assert counts(watch.close_poll(None, is_complete=True)) == {A: 1}
    assert watch.floor == at(60) - COMMIT_LAG


def test_time_in_the_future_hides_nothing() -> None:
    one = Watcher(server_skew=86400)
    one.poll(0)
    assert one.watch.floor == at(0) - COMMIT_LAG
    one.platform = [completion("1", 20)]
    assert counts(one.poll(60)) == {A: 1}


def test_time_that_a_poll_took_is_read_again() -> None:
    watch = CompletionsWatch.from_stored(None, None)
    watch.since(at(3600))  # this clock is ahead
    watch.close_poll(at(30), is_complete=True, took=timedelta(seconds=25))
    assert watch.floor == at(5) - COMMIT_LAG


@pytest.mark.parametrize(
    "stored",
    [
        {"floor": "soon", "seen": {}},
        {"seen": {}},
        {"floor": "2026-03-01T08:00:00", "seen": {}},
        {"floor": "x", "seen": 3},
    ],
)
def test_unreadable_state_is_an_error(stored: Any) -> None:
    with pytest.raises(ValueError, match="."):
        CompletionsWatch.from_stored(None, stored)


steps = st.lists(
    st.tuples(
        st.sampled_from(["complete", "poll", "poll", "fail", "store", "crash"]), st.integers(1, 30), st.integers(0, 9)
    ),
    max_size=60,
)


skews = st.sampled_from([(0, 0), (100, 0), (-100, 0), (0, 100), (0, -100)])


@given(steps, skews)
def test_nothing_is_lost_and_nothing_repeated_without_a_crash(
    steps: list[tuple[str, int, int]], skew: tuple[int, int]
) -> None:
    one = Watcher(own_skew=skew[0], server_skew=skew[1])
    now, unstored, reported = 0.0, [], Counter[str]()
    has_crashed = False
    one.poll(now)
    for what, seconds, age in steps:
        now += seconds
        if what == "complete":  # visible a little later than its time
            one.platform.append(completion(str(len(one.platform)), max(0, now - age), (A, B)[age % 2]))
        elif what == "store":
            while unstored:
                one.store_event(unstored.pop(0))
        elif what == "crash":
            one.restart()
            unstored, has_crashed = [], True
        elif batch := one.poll(now, readable=age if what == "fail" else None):
            unstored.append(batch)
            reported.update(counts(batch))
    if batch := one.poll(now + 60):
        reported.update(counts(batch))
    there = Counter(completion.session_id for completion in one.platform)
    assert reported >= there if has_crashed else reported == there
