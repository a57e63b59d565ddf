"""A poller remembers which unreadable sessions the log has named, in little memory."""

from __future__ import annotations

import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_learning360.api.errors import ContractError
from airflow_provider_learning360.triggers.session_names import MAX_NAMED
from airflow_provider_learning360.triggers.unreadable import MARK_BYTES, UnreadableSessions


def session_id(number: int) -> str:
    return f"{number:024x}"


@given(st.lists(st.lists(st.integers(0, 9), max_size=12), max_size=8))
def test_session_is_named_once_until_all_are_readable_again(polls: list[list[int]]) -> None:
    named: set[int] = set()
    bad = UnreadableSessions(None)
    for poll in polls:
        bad = UnreadableSessions(bad)
        for number in poll:
            bad.add(session_id(number), ContractError(f"{number}"))
        new = [number for number in dict.fromkeys(poll) if number not in named]
        assert bad.new == len(new)
        assert bad.first == [session_id(number) for number in new[:MAX_NAMED]]
        assert str(bad.reason) == (str(new[0]) if new else "None")
        assert bad.has_any == bool(poll)
        named = named | set(poll) if poll else set()


@pytest.mark.slow
def test_many_unreadable_sessions_take_little_memory() -> None:
    tracemalloc.start()
    try:
        bad = UnreadableSessions(UnreadableSessions(None))
        for number in range(100_000):
            bad.add(session_id(number), ContractError(f"{number}" * 10))
        taken = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert bad.count == 100_000
    assert taken < 4 * MARK_BYTES
