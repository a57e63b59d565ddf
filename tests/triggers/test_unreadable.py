"""What a poller remembers of sessions that it cannot read: what is new, and no more than a little."""

from __future__ import annotations

import tracemalloc

from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_learning360.api.errors import ContractError
from airflow_provider_learning360.triggers.poller import MARKS, NAMED, _Unreadable


def session_id(number: int) -> str:
    return f"{number:024x}"


@given(st.lists(st.lists(st.integers(0, 9), max_size=12), max_size=8))
def test_what_is_new_since_all_was_well_is_told(looks: list[list[int]]) -> None:
    told: set[int] = set()
    bad = _Unreadable(None)
    for result in looks:
        bad = _Unreadable(bad)
        for number in result:
            bad.add(session_id(number), ContractError(f"{number}"))
        new = [number for number in dict.fromkeys(result) if number not in told]
        assert bad.new == len(new)
        assert bad.first == [session_id(number) for number in new[:NAMED]]
        assert str(bad.reason) == (str(new[0]) if new else "None")
        assert bad.has_any == bool(result)
        told = told | set(result) if result else set()


def test_many_take_little_memory() -> None:
    tracemalloc.start()
    try:
        bad = _Unreadable(_Unreadable(None))
        for number in range(100_000):
            bad.add(session_id(number), ContractError(f"{number}" * 10))
        taken = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert bad.count == 100_000
    assert taken < 4 * MARKS
