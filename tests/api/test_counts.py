"""Numbers with their noun."""

from __future__ import annotations

import pytest

from airflow_provider_learning360.api.counts import count_of


@pytest.mark.parametrize(
    ("number", "text"), [(0, "0 people"), (1, "1 person"), (2, "2 people"), (1000, "1,000 people")]
)
def test_noun_fits_the_number(number: int, text: str) -> None:
    assert count_of(number, "person", "people") == text


def test_plural_ends_with_s() -> None:
    assert [count_of(one, "item") for one in (1, 2)] == ["1 item", "2 items"]
