"""How many learners are enough."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_learning360.api.completion_target import CompletionTarget
from airflow_provider_learning360.api.platform import CompletionCount


@pytest.mark.parametrize(
    ("target", "learners", "needed"),
    [
        (CompletionTarget(), 20, 20),
        (CompletionTarget(0.1), 30, 3),  # 0.1 * 30 is a little more than 3
        (CompletionTarget(0.29), 100, 29),
        (CompletionTarget(0.5), 3, 2),
        (CompletionTarget(0.01), 3, 1),
        (CompletionTarget(count=5), 3, 5),
    ],
)
def test_needed_is_the_next_whole_number(target: CompletionTarget, learners: int, needed: int) -> None:
    assert target.needed(learners) == needed
    assert not target.is_reached(CompletionCount(learners, needed - 1))
    assert target.is_reached(CompletionCount(learners, needed))


@pytest.mark.parametrize("target", [CompletionTarget(), CompletionTarget(0.5), CompletionTarget(count=1)])
def test_no_target_is_reached_without_learners(target: CompletionTarget) -> None:
    assert not target.is_reached(CompletionCount(0, 0))
    assert target.describe_counts(CompletionCount(0, 0)) == "It has no learners, so the wait continues."


@given(st.integers(1, 100), st.integers(1, 100_000))
def test_percentages_are_exact(percent: int, learners: int) -> None:
    assert CompletionTarget(percent / 100).needed(learners) == math.ceil(Fraction(percent, 100) * learners)


@pytest.mark.parametrize(
    ("target", "text"),
    [
        (CompletionTarget(), "all learners to complete it"),
        (CompletionTarget(0.8), "80 % of the learners to complete it"),
        (CompletionTarget(count=1), "1 learner to complete it"),
        (CompletionTarget(count=12), "12 learners to complete it"),
    ],
)
def test_target_is_described(target: CompletionTarget, text: str) -> None:
    assert str(target) == text


@pytest.mark.parametrize(
    ("given", "target"),
    [
        ((None, None), CompletionTarget()),
        ((1, None), CompletionTarget(1.0)),
        (("0.8", None), CompletionTarget(0.8)),
        ((None, " 12 "), CompletionTarget(count=12)),
    ],
)
def test_arguments_may_be_texts_of_a_template(given: tuple[Any, Any], target: CompletionTarget) -> None:
    assert CompletionTarget.read(*given) == target
