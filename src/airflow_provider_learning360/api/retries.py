"""One decision: given this error and this budget, wait how long, or give up and say why."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_learning360.api.errors import LearningError

FIRST_WAIT = 1.0  # seconds before the first repetition
LONGEST_WAIT = 30.0  # seconds; where doubling stops
MAX_RETRY_AFTERS = 20  # values of one `Retry-After` header that are read

# Seconds; the longest wait that a server may ask for, however much longer it asks.
MAX_TRIGGERER_WAIT = 3600.0
MAX_TASK_WAIT = 86400.0

MAX_ERROR_WAIT = 300.0  # seconds; the same for a poller that waits until somebody mends what is wrong


@dataclass(frozen=True)
class RetryBudget:
    """
    How much patience one call has.

    :param attempts: Requests that may be sent for the call, the first included.
    :param total: Seconds that the call may take in all before no repetition is begun.
    :param max_rate_limit_wait: Longest `Retry-After`, in seconds, that is waited for inside the call.
    """

    attempts: int = 5
    total: float = 120.0
    max_rate_limit_wait: float = 60.0


def compute_wait(
    error: LearningError, attempt: int, elapsed: float, budget: RetryBudget, jitter: Callable[[], float]
) -> float:
    """
    Return the seconds to wait before the next attempt.

    :param error: What the last attempt ended in.
    :param attempt: Number of the last attempt, from 1.
    :param elapsed: Seconds since the call began.
    :param budget: The patience of the call.
    :param jitter: Returns a number from 0 to 1, so that many clients do not come back at the same moment.
    :raises LearningError: `error` itself, with the reason for giving up where there was a choice.
    """
    if not error.retryable:
        raise error
    if attempt >= budget.attempts:
        raise error if budget.attempts == 1 else error.with_note(f"Gave up after {attempt} attempts.")
    wait = _wanted_wait(error, attempt, jitter)
    if error.retry_after is not None and error.retry_after > budget.max_rate_limit_wait:
        raise error.with_note(
            f"That is longer than max_rate_limit_wait ({budget.max_rate_limit_wait:g} s) of the connection."
        )
    if elapsed + wait > budget.total:
        raise error.with_note(
            f"Gave up after {attempt} attempts: a wait of {wait:.1f} s would pass the "
            f"retry_budget of the connection ({budget.total:g} s)."
        )
    return wait


def _wanted_wait(error: LearningError, attempt: int, jitter: Callable[[], float]) -> float:
    if error.retry_after is not None:
        # Never earlier than asked; a little later, so that all who were refused do not return at once.
        return error.retry_after + jitter() * min(1.0, FIRST_WAIT)
    grown: float = min(LONGEST_WAIT, FIRST_WAIT * 2.0 ** min(attempt - 1, 30))
    return grown * (0.5 + jitter() / 2)


def parse_retry_after(value: str | None, now: datetime) -> float | None:
    """
    Return the seconds that a `Retry-After` header asks for, or None if it says nothing usable.

    :param value: The header: seconds, also fractional, or an HTTP date; if it was given twice, the longest wait counts.
    :param now: The present time, with its zone.
    """
    if value is None or not value.isascii():
        return None
    # A date holds a comma of its own.
    parts = value.split(",")[:MAX_RETRY_AFTERS]
    given = [*parts, *map(",".join, pairwise(parts))]
    return max((seconds for one in given if (seconds := _seconds_of(one, now)) is not None), default=None)


def _seconds_of(value: str, now: datetime) -> float | None:
    try:
        seconds = float(value)
    except ValueError:
        try:
            moment = parsedate_to_datetime(value)
        except (ValueError, OverflowError):
            return None
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        seconds = (moment - now).total_seconds()
    # A NaN or an infinity is no time to wait.
    return max(0.0, seconds) if abs(seconds) < float("inf") else None


def compute_poll_wait(
    interval: float, looks: int, *, exponential: bool, longest: float | None, jitter: Callable[[], float]
) -> float:
    """
    Return the seconds until the next look, as Airflow's sensors count them.

    :param interval: Seconds between looks.
    :param looks: Looks so far, from 1.
    :param exponential: Whether the waits grow.
    :param longest: Longest wait, in seconds, or None for no limit; only where they grow.
    :param jitter: Returns a number from 0 to 1.

    Source: Airflow's `BaseSensorOperator`, `exponential_backoff` and `max_wait`.
    """
    if not exponential:
        return interval
    lowest = max(int(interval * 2.0 ** min(looks - 2, 30)), 1)
    wait = lowest * (1 + jitter())
    return wait if longest is None else min(wait, longest)


def compute_watch_wait(
    interval: float,
    error: LearningError | None,
    failures: int,
    jitter: Callable[[], float],
    longest_wait: float = MAX_TRIGGERER_WAIT,
) -> float:
    """
    Return the seconds from one look to the next of a poller that never gives up.

    :param interval: Seconds between looks that got an answer.
    :param error: What the last look ended in, or None.
    :param failures: How many looks in a row ended in an error.
    :param jitter: Returns a number from 0 to 1, so that many pollers do not look at the same moment.
    :param longest_wait: Longest `Retry-After`, in seconds, that is waited for; default one hour.
    """
    if error is None:
        return interval * (1 + jitter() / 20)
    longest = max(interval, LONGEST_WAIT if error.retryable else MAX_ERROR_WAIT)
    grown = min(longest, interval * 2.0 ** min(failures - 1, 30)) * (1 + jitter() / 4)
    asked = 0.0 if error.retry_after is None else min(error.retry_after, longest_wait) + jitter() * FIRST_WAIT
    return max(grown, asked)
