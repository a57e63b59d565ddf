"""The checks of `make cluster` find what is lost, repeated and doubled; the seed determines the script."""

from __future__ import annotations

import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "soak")]

from cluster_results import Delivery, Results, Wait, count_mails  # noqa: E402
from script import write_script  # noqa: E402
from sessions import RECIPIENTS  # noqa: E402
from verdict import Edit, Report, Span  # noqa: E402

NOW = datetime(2026, 6, 1, tzinfo=UTC)
LATER = NOW + timedelta(minutes=1)
EVERYBODY = {f"r{number}": 1 for number in range(RECIPIENTS)}
EDIT = Edit("a", LATER, LATER)
GOOD = Results(
    edits=[EDIT],
    waits=[Wait("poke", "a", "success", LATER.isoformat(), 0)],
    events={"asset": Report([EDIT], [[Span("a", NOW, LATER)]])},
    runs={"asset": Report([EDIT], [[Span("a", NOW, LATER)]])},
    deliveries=[
        Delivery("at_least_once", "b", "success", 1, {**EVERYBODY, "r0": 2}),
        Delivery("at_most_once", "c", "success", 1, {name: 1 for name in EVERYBODY if name != "r0"}),
    ],
)


def test_kept_promises_have_no_fault() -> None:
    assert list(GOOD.find_faults()) == []


@pytest.mark.parametrize(
    "broken",
    [
        {"waits": [Wait("poke", "a", "success", NOW.isoformat(), 0)]},
        {"waits": [Wait("poke", "a", "failed", None, 3)]},
        {"waits": [Wait("poke", "a", "deferred", None, 0)]},
        {"events": {"asset": Report([EDIT], [])}},
        {"runs": {"asset": Report([EDIT], [])}},
        {"runs": {"asset": Report([EDIT], [[Span("a", NOW, LATER)], [Span("a", NOW, LATER)]])}},
        {"deliveries": [Delivery("at_least_once", "b", "success", 0, {**EVERYBODY, "r0": 2})]},
        {"deliveries": [Delivery("at_least_once", "b", "success", 1, {"r0": 1})]},
        {"deliveries": [Delivery("at_most_once", "c", "success", 1, {**EVERYBODY, "r0": 2})]},
        {"deliveries": [Delivery("at_most_once", "c", "success", 0, {"r0": 1})]},
        {"deliveries": [Delivery("at_most_once", "c", "failed", 3, EVERYBODY)]},
        {"deliveries": [Delivery("at_most_once", "c", "0 runs", 0, {})]},
    ],
)
def test_broken_promise_is_one_fault(broken: dict[str, Any]) -> None:
    assert len(list(replace(GOOD, **broken).find_faults())) == 1


def test_mails_are_counted_by_session_and_recipient() -> None:
    mails = [{"recipients": ["s7.r1@example.com"]}, {"recipients": ["s7.r1@example.com"]}]
    assert count_mails(mails) == {7: {"s7.r1@example.com": 2}}


def test_seed_determines_the_script() -> None:
    once, often = [[f"once {number}" for number in range(10)]], ["often 1", "often 2"]
    first, second, other = (write_script(Random(seed), 7, once, often, 2) for seed in (1, 1, 2))
    assert first == second != other
    edited = [edit.session_id for step in first for edit in step.edits]
    assert sorted(one for one in edited if one in once[0]) == sorted(once[0])
    assert len(edited) == 10 + 7 * 2
