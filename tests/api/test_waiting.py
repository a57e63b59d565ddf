from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from airflow_provider_learning360.api.changes import Watermark
from airflow_provider_learning360.api.errors import (
    ContractError,
    LearningError,
    NotFoundError,
    RateLimitedError,
    TimedOutError,
    UnauthorizedError,
    UnavailableError,
    UnreachableError,
)
from airflow_provider_learning360.api.models import ProgramSession, format_date
from airflow_provider_learning360.api.waiting import ModificationWait

ID = "60b8d2956e20ae1a0f8e44f1"
T0 = datetime(2026, 3, 1, 8, 0, tzinfo=UTC)


def session_at(seconds: float, **fields: Any) -> ProgramSession:
    """Return the session, modified this many seconds after the start."""
    moment = format_date(T0 + timedelta(seconds=seconds))
    return ProgramSession.model_validate({"_id": ID, "modifiedAt": moment, **fields})


DOWN = UnavailableError("in trouble")
GONE = NotFoundError("gone")

TIMELINES: dict[str, tuple[Watermark | None, tuple[str, ...], list[Any], int | None]] = {
    "change at once": (Watermark(ID, T0), (), [session_at(1)], 1),
    "change later": (Watermark(ID, T0), (), [session_at(0), session_at(0), session_at(1)], 3),
    "first poll is the watermark": (None, (), [session_at(5), session_at(5), session_at(6)], 3),
    "equal timestamps": (Watermark(ID, T0), (), [session_at(0), session_at(0)], None),
    "clock goes back": (Watermark(ID, T0), (), [session_at(-5), session_at(0), session_at(1)], 3),
    "outage in between": (
        None,
        (),
        [session_at(0), DOWN, TimedOutError("late"), UnreachableError("none"), session_at(1)],
        5,
    ),
    "outage before the first poll": (None, (), [DOWN, session_at(1), session_at(2)], 3),
    "unrelated edit": (
        None,
        ("startDate",),
        [session_at(0, lang="en"), session_at(1, lang="fr"), session_at(2, startDate=None)],
        3,
    ),
    "only unrelated edits": (None, ("startDate",), [session_at(0, lang="en"), session_at(1, lang="fr")], None),
    "moved there and back": (
        None,
        ("startDate",),
        [session_at(0, startDate="2026-04-01"), session_at(2, startDate="2026-04-01T00:00:00Z")],
        None,
    ),
}


@pytest.mark.parametrize(("watermark", "watch", "outcomes", "found_at"), TIMELINES.values(), ids=TIMELINES)
def test_change_is_found_by_the_poll_that_shows_it(
    watermark: Watermark | None, watch: tuple[str, ...], outcomes: list[Any], found_at: int | None
) -> None:
    wait = ModificationWait(watermark, watch=watch)
    found = [wait.evaluate(outcome) is not None for outcome in outcomes]
    assert found == [number == found_at for number in range(1, len(outcomes) + 1)]


def test_watermark_is_that_of_the_first_poll() -> None:
    wait = ModificationWait(None, watch=("lang",))
    wait.evaluate(session_at(0, lang="en"))
    wait.evaluate(session_at(1, lang="en"))
    assert wait.watermark == Watermark(ID, T0, {"lang": "en"}, ("lang",))


@pytest.mark.parametrize("error", [UnauthorizedError("no"), ContractError("what"), GONE])
@pytest.mark.parametrize("on_missing", ["fail", "skip"])
def test_lasting_error_ends_the_wait_unchanged(error: LearningError, on_missing: Any) -> None:
    with pytest.raises(type(error)) as caught:
        ModificationWait(None, on_missing=on_missing).evaluate(error)
    assert caught.value is error


def test_missing_session_can_be_waited_for() -> None:
    wait = ModificationWait(None, on_missing="wait", max_failures=0)
    for _ in range(100):
        assert wait.evaluate(GONE) is None
        assert wait.error is GONE
    wait.evaluate(session_at(0))
    assert wait.error is None
    assert wait.evaluate(session_at(1)) is not None


def test_waiting_for_a_missing_session_excuses_no_other_error() -> None:
    with pytest.raises(UnauthorizedError):
        ModificationWait(None, on_missing="wait").evaluate(UnauthorizedError("no"))


@pytest.mark.parametrize("max_failures", [0, 1, 3])
def test_polls_may_fail_up_to_the_limit(max_failures: int) -> None:
    wait = ModificationWait(Watermark(ID, T0), max_failures=max_failures)
    for _ in range(max_failures):
        assert wait.evaluate(DOWN) is None
    with pytest.raises(UnavailableError) as caught:
        wait.evaluate(DOWN)
    words = ["in trouble", "in a row", str(max_failures + 1), f"max_failures is {max_failures}"]
    assert [word for word in words if word not in str(caught.value)] == []


@pytest.mark.parametrize("answer", [session_at(0), GONE], ids=["session", "gone"])
def test_success_resets_the_count_of_failures(answer: Any) -> None:
    wait = ModificationWait(Watermark(ID, T0), on_missing="wait", max_failures=1)
    for _ in range(3):
        wait.evaluate(DOWN)
        assert wait.failures == 1
        wait.evaluate(answer)
        assert wait.failures == 0


def test_count_of_failures_survives_the_process() -> None:
    wait = ModificationWait(Watermark(ID, T0), max_failures=3, failures=2)
    wait.evaluate(DOWN)
    with pytest.raises(UnavailableError):
        wait.evaluate(DOWN)


def test_retry_after_is_kept_until_the_next_poll() -> None:
    wait = ModificationWait(Watermark(ID, T0))
    limit_sockets = RateLimitedError("later", retry_after=30.0)
    wait.evaluate(limit_sockets)
    assert (wait.retry_after, wait.error) == (30.0, limit_sockets)
    wait.evaluate(DOWN)
    assert (wait.retry_after, wait.error) == (0.0, DOWN)
    wait.evaluate(session_at(0))
    assert (wait.retry_after, wait.error) == (0.0, None)


def test_session_without_modified_at_cannot_be_waited_for() -> None:
    with pytest.raises(ContractError, match="modifiedAt"):
        ModificationWait(None).evaluate(ProgramSession.model_validate({"_id": ID}))


@pytest.mark.parametrize(("asked", "longest", "waits"), [(30.0, 60.0, 30.0), (1e12, 60.0, 60.0), (1e12, None, 3600.0)])
def test_retry_after_is_limited_and_both_values_are_known(asked: float, longest: float | None, waits: float) -> None:
    wait = ModificationWait(Watermark(ID, T0), **({} if longest is None else {"longest_wait": longest}))
    wait.evaluate(RateLimitedError("later", retry_after=asked))
    assert (wait.requested_wait, wait.retry_after) == (asked, waits)
    wait.evaluate(session_at(0))
    assert (wait.requested_wait, wait.retry_after) == (0.0, 0.0)
