"""How long to wait before a retry or the next poll, and when to give up."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from itertools import pairwise
from typing import TYPE_CHECKING

from airflow_provider_learning360.api.errors import RateLimitedError

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_learning360.api.errors import LearningError

MIN_BACKOFF = 1.0  # seconds before the first retry
MAX_BACKOFF = 30.0  # seconds at which the backoff stops doubling
MAX_RETRY_AFTERS = 20  # values of one `Retry-After` header that are read

# Seconds; a longer `Retry-After` is cut to these.
MAX_TRIGGERER_WAIT = 3600.0
MAX_TASK_WAIT = 86400.0

# Seconds at which the backoff of a poller stops growing after an error that a retry does not fix.
MAX_ERROR_WAIT = 300.0


@dataclass(frozen=True)
class RetryBudget:
    """
    How often, and for how long, one call is retried.

    :param attempts: Requests that may be sent for the call, the first included; default 5.
    :param total: Seconds from the beginning of the call after which no retry begins; default 120.
    :param max_rate_limit_wait: Longest `Retry-After`, in seconds, that the call waits for; default 60.
    """

    attempts: int = 5
    total: float = 120.0
    max_rate_limit_wait: float = 60.0


def compute_wait(
    error: LearningError, attempt: int, elapsed: float, budget: RetryBudget, jitter: Callable[[], float]
) -> float:
    """
    Return the seconds to wait before the next attempt.

    :param error: The error of the last attempt.
    :param attempt: Number of the last attempt, from 1.
    :param elapsed: Seconds since the call began.
    :param budget: The retry budget of the call.
    :param jitter: Returns a random number from 0 to 1, so that many clients do not retry at the same moment.
    :returns: The seconds.
    :raises LearningError: `error` itself, with the reason for giving up if a retry was possible.
    """
    if not error.retryable:
        raise error
    if attempt >= budget.attempts:
        raise error if budget.attempts == 1 else error.with_note(f"Gave up after {attempt} attempts.")
    wait = _backoff(error, attempt, jitter)
    if error.retry_after is not None and error.retry_after > budget.max_rate_limit_wait:
        raise error.with_note(
            f"That is longer than max_rate_limit_wait ({budget.max_rate_limit_wait:g} s) of the connection."
        )
    if elapsed + wait > budget.total:
        raise error.with_note(
            f"Gave up after {attempt} attempts: a wait of {wait:.1f} s would exceed the "
            f"retry_budget of the connection ({budget.total:g} s)."
        )
    return wait


def _backoff(error: LearningError, attempt: int, jitter: Callable[[], float]) -> float:
    if error.retry_after is not None:
        # Never earlier than asked; a little later, so that refused clients do not all return at once.
        return error.retry_after + jitter() * min(1.0, MIN_BACKOFF)
    grown: float = min(MAX_BACKOFF, MIN_BACKOFF * 2.0 ** min(attempt - 1, 30))
    if isinstance(error, RateLimitedError):
        # API v2 does not say how long to wait: its limits count seconds, so a shorter wait would be refused again.
        return grown * (1 + jitter() / 2)
    return grown * (0.5 + jitter() / 2)


def parse_retry_after(value: str | None, now: datetime) -> float | None:
    """
    Parse a `Retry-After` header.

    :param value: The header: seconds, also fractional, or an HTTP date; of several values, the longest counts.
    :param now: The present time, with its zone.
    :returns: Seconds to wait, or None if the header is missing or not valid.
    """
    if value is None or not value.isascii():
        return None
    # A date contains a comma.
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
    # NaN and infinity are not valid.
    return max(0.0, seconds) if abs(seconds) < float("inf") else None


def compute_poll_wait(
    interval: float, polls: int, *, exponential: bool, longest: float | None, jitter: Callable[[], float]
) -> float:
    """
    Return the seconds until the next poll of a sensor, as Airflow's own sensors count them.

    :param interval: Seconds between polls.
    :param polls: Number of polls so far, from 1.
    :param exponential: Whether the waits grow.
    :param longest: Longest wait, in seconds, if they grow; None for no limit.
    :param jitter: Returns a random number from 0 to 1.
    :returns: The seconds.

    Source: Airflow's `BaseSensorOperator`, `exponential_backoff` and `max_wait`.
    """
    if not exponential:
        return interval
    lowest = max(int(interval * 2.0 ** min(polls - 2, 30)), 1)
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
    Return the seconds until the next poll of a poller, which never gives up.

    :param interval: Seconds between successful polls.
    :param error: The error of the last poll, or None.
    :param failures: Number of failed polls in a row.
    :param jitter: Returns a random number from 0 to 1, so that many pollers do not poll at the same moment.
    :param longest_wait: Longest `Retry-After`, in seconds, that is waited for; default one hour.
    :returns: The seconds.
    """
    if error is None:
        return interval * (1 + jitter() / 20)
    longest = max(interval, MAX_BACKOFF if error.retryable else MAX_ERROR_WAIT)
    grown = min(longest, interval * 2.0 ** min(failures - 1, 30)) * (1 + jitter() / 4)
    asked = 0.0 if error.retry_after is None else min(error.retry_after, longest_wait) + jitter() * MIN_BACKOFF
    return max(grown, asked)
