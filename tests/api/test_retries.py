from __future__ import annotations

import math
import sys
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_learning360.api.errors import (
    ContractError,
    FixConnectionError,
    ForbiddenError,
    LearningError,
    NotFoundError,
    RateLimitedError,
    TimedOutError,
    UnauthorizedError,
    UnavailableError,
    UnreachableError,
)
from airflow_provider_learning360.api.retries import (
    RetryBudget,
    compute_poll_wait,
    compute_wait,
    compute_watch_wait,
    parse_retry_after,
)

NOW = datetime(2026, 3, 1, 8, 0, tzinfo=UTC)
PATIENT = RetryBudget(attempts=100, total=1e9, max_rate_limit_wait=1e9)
JITTER = st.floats(0, 1)


def wait(
    error: LearningError, attempt: int = 1, elapsed: float = 0.0, budget: RetryBudget = PATIENT, jitter: float = 0.0
) -> float:
    return compute_wait(error, attempt, elapsed, budget, lambda: jitter)


@pytest.mark.parametrize("kind", [UnauthorizedError, ForbiddenError, NotFoundError, ContractError, FixConnectionError])
def test_lasting_error_is_raised_unchanged(kind: type[LearningError]) -> None:
    error = kind("no")
    with pytest.raises(kind) as caught:
        wait(error)
    assert caught.value is error


@pytest.mark.parametrize("kind", [UnreachableError, TimedOutError, UnavailableError, RateLimitedError])
def test_passing_error_is_waited_for(kind: type[LearningError]) -> None:
    assert wait(kind("later")) > 0


def test_backoff_doubles_up_to_a_limit() -> None:
    waits = [wait(UnavailableError("later"), attempt, jitter=1) for attempt in range(1, 9)]
    assert waits == [1, 2, 4, 8, 16, 30, 30, 30]


@given(st.integers(1, 99), JITTER)
def test_rate_limit_without_a_delay_is_waited_out_for_a_second_at_least(attempt: int, jitter: float) -> None:
    waited = wait(RateLimitedError("later"), attempt, jitter=jitter)
    assert 1 <= waited <= 45
    assert waited >= wait(UnavailableError("later"), attempt, jitter=1)


def test_backoff_stays_finite() -> None:
    assert wait(UnavailableError("later"), 2000, budget=RetryBudget(5000, 1e9), jitter=1) == 30


@given(st.integers(1, 99), JITTER, JITTER)
def test_jitter_spreads_the_waits(attempt: int, one: float, other: float) -> None:
    error = UnavailableError("later")
    longest = wait(error, attempt, jitter=1)
    assert longest / 2 <= wait(error, attempt, jitter=one) <= longest
    assert (wait(error, attempt, jitter=one) < wait(error, attempt, jitter=other)) <= (one < other)


@given(st.floats(0, 1e6), st.integers(1, 99), JITTER)
def test_retry_after_wins_over_backoff(asked: float, attempt: int, jitter: float) -> None:
    waited = wait(RateLimitedError("later", retry_after=asked), attempt, jitter=jitter)
    assert asked <= waited <= asked + 1


@given(
    st.sampled_from([UnavailableError, RateLimitedError]),
    st.none() | st.floats(0, 500),
    st.integers(1, 10),
    st.floats(0, 300),
    st.builds(RetryBudget, st.integers(1, 10), st.floats(0, 300), st.floats(0, 300)),
    JITTER,
)
def test_wait_fits_into_the_retry_budget_or_the_error_is_raised(
    kind: type[LearningError],
    asked: float | None,
    attempt: int,
    elapsed: float,
    budget: RetryBudget,
    jitter: float,
) -> None:
    error = kind("later", retry_after=asked)
    try:
        waited = wait(error, attempt, elapsed, budget, jitter)
    except LearningError:
        return
    assert attempt < budget.attempts
    assert elapsed + waited <= budget.total
    assert asked is None or asked <= budget.max_rate_limit_wait


@pytest.mark.parametrize(
    ("attempt", "elapsed", "retry_after", "words"),
    [
        (5, 0.0, None, ["later", "5 attempts"]),
        (2, 119.9, None, ["later", "2 attempts", "retry_budget", "120"]),
        (1, 0.0, 61.0, ["later", "max_rate_limit_wait", "60"]),
    ],
    ids=["attempts", "time", "rate limit"],
)
def test_giving_up_names_the_reason(attempt: int, elapsed: float, retry_after: float | None, words: list[str]) -> None:
    with pytest.raises(RateLimitedError) as caught:
        wait(RateLimitedError("later", retry_after=retry_after), attempt, elapsed, RetryBudget())
    assert all(word in str(caught.value) for word in words)


def test_limits_are_inclusive() -> None:
    budget = RetryBudget(attempts=2, total=61, max_rate_limit_wait=60)
    assert wait(RateLimitedError("later", retry_after=60), 1, 1, budget) == 60


def test_single_attempt_gives_no_explanation() -> None:
    with pytest.raises(UnavailableError, match=r"^later$"):
        wait(UnavailableError("later"), 1, budget=RetryBudget(attempts=1))


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("30", 30.0),
        ("0", 0.0),
        ("1.5", 1.5),
        (" 7 ", 7.0),
        ("-3", 0.0),
        ("Sun, 01 Mar 2026 08:00:20 GMT", 20.0),
        ("Sun, 01 Mar 2026 09:00:20 +0100", 20.0),
        ("Sun, 01 Mar 2026 08:00:20 -0000", 20.0),
        ("Sun, 01 Mar 2026 07:00:00 GMT", 0.0),
        ("", None),
        ("soon", None),
        ("nan", None),
        ("inf", None),
        ("-inf", None),
        ("1e999", None),
        ("Mon, 01 Jan 99999 00:00:00 GMT", None),
        ("Sun, 01 Mar 2026 08:00:20 +999999999999999999", None),
        ("5, 10", 10.0),
        ("10,5", 10.0),
        ("soon, 5", 5.0),
        ("nan, 5, inf", 5.0),
        ("soon, later", None),
        (", ,", None),
        ("Sun, 01 Mar 2026 08:00:20 GMT, 5", 20.0),
        ("5, Sun, 01 Mar 2026 08:00:20 GMT", 20.0),
        ("Sun, 01 Mar 2026 08:00:20 GMT, Sun, 01 Mar 2026 08:00:30 GMT", 30.0),
        ("Sunday, 01-Mar-26 08:00:20 GMT, 5", 20.0),
    ],
)
def test_retry_after_is_seconds_or_a_date(header: str | None, seconds: float | None) -> None:
    assert parse_retry_after(header, NOW) == seconds


HEADERS = (
    st.text()
    | st.lists(st.sampled_from(["5", "Sun", " 01 Mar 2026 08:00:20 GMT", "", "x"])).map(",".join)
    | st.floats().map(str)
    | st.from_regex(r"\w{3}, \d\d \w{3} \d{4,5} [\d:]{8} .{0,5}")
)


@given(HEADERS)
def test_retry_after_is_never_negative_or_infinite(header: str) -> None:
    seconds = parse_retry_after(header, NOW)
    assert seconds is None or (seconds >= 0 and math.isfinite(seconds))


@given(st.integers(-(10**7), 10**7))
def test_retry_after_as_a_date_is_counted_from_now(seconds: int) -> None:
    header = format_datetime(NOW + timedelta(seconds=seconds), usegmt=True)
    assert parse_retry_after(header, NOW) == max(0, seconds)


def test_polls_have_equal_intervals() -> None:
    waits = [compute_poll_wait(60, polls, exponential=False, longest=10, jitter=lambda: 1.0) for polls in range(1, 5)]
    assert waits == [60] * 4


@pytest.mark.parametrize(
    ("jitter", "longest", "waits"),
    [
        (0.0, None, [30, 60, 120, 240]),
        (1.0, None, [60, 120, 240, 480]),
        (1.0, 100.0, [60, 100, 100, 100]),
    ],
)
def test_polls_become_less_frequent(jitter: float, longest: float | None, waits: list[float]) -> None:
    polls = range(1, 5)
    assert [compute_poll_wait(60, n, exponential=True, longest=longest, jitter=lambda: jitter) for n in polls] == waits


@given(st.floats(0, 1e5), st.integers(1, sys.maxsize), JITTER)
def test_polls_never_form_a_busy_loop(interval: float, polls: int, jitter: float) -> None:
    waited = compute_poll_wait(interval, polls, exponential=True, longest=None, jitter=lambda: jitter)
    assert waited >= 1
    assert math.isfinite(waited)


def test_default_retry_budget_is_that_of_the_settings() -> None:
    from airflow_provider_learning360.api.settings import LearningSettings

    settings = LearningSettings.from_connection("c", login="company", password="key")
    assert settings.budget == RetryBudget()


def test_poller_keeps_its_interval_without_errors() -> None:
    assert compute_watch_wait(300, None, 0, lambda: 0.0) == 300
    assert compute_watch_wait(300, None, 0, lambda: 1.0) == 315


@pytest.mark.parametrize(
    ("error", "longest"), [(UnavailableError("x"), 30), (UnauthorizedError("x"), 300), (ContractError("x"), 300)]
)
def test_poller_backs_off_after_errors_and_never_gives_up(error: LearningError, longest: float) -> None:
    waits = [compute_watch_wait(10, error, failures, lambda: 0.0) for failures in range(1, 100)]
    assert waits[:2] == [10, 20]
    assert waits == sorted(waits)
    assert waits[-1] == longest
    assert compute_watch_wait(900, error, 50, lambda: 0.0) == 900


def test_poller_obeys_retry_after() -> None:
    assert compute_watch_wait(10, RateLimitedError("x", retry_after=600), 1, lambda: 0.0) == 600
    assert compute_watch_wait(10, RateLimitedError("x", retry_after=600), 1, lambda: 1.0) > 600


@pytest.mark.parametrize("error", [RateLimitedError, UnavailableError])
@given(asked=st.floats(0, 1e300), longest=st.floats(1, 1e5), jitter=JITTER)
def test_poller_limits_retry_after(error: type[LearningError], asked: float, longest: float, jitter: float) -> None:
    wait = compute_watch_wait(10, error("x", retry_after=asked), 1, lambda: jitter, longest)
    assert min(asked, longest) <= wait <= max(longest + 1, 10 * 1.25)
    assert compute_watch_wait(10, error("x", retry_after=asked), 1, lambda: jitter) <= 3601
