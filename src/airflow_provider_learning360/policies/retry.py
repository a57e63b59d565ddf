"""Decide from an error whether Airflow retries a task, and when."""

from __future__ import annotations

__all__ = ["LearningRetryPolicy"]

from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, NotRequired, TypedDict

from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_learning360.api.errors import (
    LearningError,
    RateLimitedError,
    TimedOutError,
    UnavailableError,
    UnreachableError,
)
from airflow_provider_learning360.hooks.limits import max_task_wait

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow.sdk import Context
    from airflow.sdk.definitions.retry_policy import RetryDecision, RetryPolicy

try:
    from airflow.providers.common.compat.sdk import RetryDecision, RetryPolicy
except (ImportError, AttributeError):  # Airflow below 3.3
    RetryPolicy = object  # type: ignore[assignment,misc]
    HAS_RETRY_POLICIES = False
else:
    HAS_RETRY_POLICIES = True
# Whether Airflow can run a task again without using one of its retries (Airflow 3.4).
HAS_RESCHEDULE = HAS_RETRY_POLICIES and hasattr(RetryDecision, "reschedule")

OUTAGES = (RateLimitedError, TimedOutError, UnavailableError, UnreachableError)
# Limits of one try: an outage that does not end must become a failure, after the retries that the author set.
MAX_RESCHEDULES = 12
MAX_RESCHEDULE_TIME = timedelta(hours=1)

# A retry policy as Airflow stores it with a DAG.
SerializedPolicy = TypedDict("SerializedPolicy", {"__type": str, "max_reschedules": NotRequired[int]})


class LearningRetryPolicy(RetryPolicy):
    """
    Fail at once if a retry would not help; wait as long as 360Learning asks to wait.

    It is the default of this provider's operators and sensors on Airflow 3.3 and later. A `retry_policy` of the task
    replaces it.

    On Airflow 3.4 and later, a task that 360Learning does not respond to, or that it asks to wait, runs again without
    using a retry. This happens `max_reschedules` times for each try, for one hour. A task with `retries=0` runs once.

    :param max_reschedules: How often a try may run again without using a retry; default 12, and 0 for sensors: they
        wait for the end of an outage themselves.

    Source: Airflow's `RetryPolicy`.
    """

    def __init__(self, max_reschedules: int = MAX_RESCHEDULES) -> None:
        self.max_reschedules = max_reschedules

    def evaluate(
        self, exception: BaseException, try_number: int, max_tries: int, context: Context | None = None
    ) -> RetryDecision:
        """
        Decide whether and when to retry.

        :param exception: The exception of the task.
        :param try_number: Number of the try, from 1.
        :param max_tries: Number of tries that the task has.
        :param context: Airflow's task context; default none.
        :returns: Airflow's decision.
        """
        if not isinstance(exception, LearningError):
            return RetryDecision.default()
        if not exception.retryable:
            return RetryDecision.fail(f"{type(exception).__name__}: a retry would not help")
        own: timedelta | None = getattr((context or {}).get("task"), "retry_delay", None)
        asked, reason = _wait_asked_for(exception)
        if self._may_reschedule(exception, context):
            return RetryDecision.reschedule(  # type: ignore[attr-defined,no-any-return]  # Airflow 3.4
                max((delay for delay in (own, asked) if delay is not None), default=None),
                max_reschedules=self.max_reschedules,
                reschedule_timeout=MAX_RESCHEDULE_TIME,
                reason=f"{reason}; no retry is used",
            )
        if asked is None or (own is not None and own >= asked):
            return RetryDecision.default()  # the task already waits longer than asked
        return RetryDecision.retry(asked, reason)

    def _may_reschedule(self, exception: LearningError, context: Context | None) -> bool:
        """
        Whether the task may run again without using a retry.

        Airflow checks the limits too, but then it would not wait as long as 360Learning asked.
        """
        if not HAS_RESCHEDULE or not _is_outage(exception):
            return False
        count = (context or {}).get("task_reschedule_count") or 0
        # An author who allows no retry expects that the task runs once.
        if count >= self.max_reschedules or getattr((context or {}).get("task"), "retries", None) == 0:
            return False
        first = context["ti"].get_first_reschedule_date(context) if context and count else None
        return first is None or datetime.now(tz=UTC) - first < MAX_RESCHEDULE_TIME

    def serialize(self) -> SerializedPolicy:  # type: ignore[override]
        """
        Return the policy as JSON.

        :returns: What `deserialize` reads.
        """
        return {"__type": "LearningRetryPolicy", "max_reschedules": self.max_reschedules}

    @classmethod
    def deserialize(cls, data: dict[str, Any]) -> LearningRetryPolicy:
        """
        Return the policy that `serialize` wrote.

        :param data: The policy as JSON.
        :returns: The policy.
        """
        return cls(data.get("max_reschedules", MAX_RESCHEDULES))


def _is_outage(exception: LearningError) -> bool:
    """Whether a request to 360Learning failed; a limit of the task itself, such as its `timeout`, is no outage."""
    return isinstance(exception, OUTAGES) and exception.method is not None


def _wait_asked_for(exception: LearningError) -> tuple[timedelta | None, str]:
    """Return how long 360Learning asks to wait, up to the limit, and the reason of a wait for the log."""
    if exception.retry_after is None:
        return None, f"{type(exception).__name__}: 360Learning does not respond as expected"
    limit = max_task_wait()
    reason = f"360Learning asked to wait {exception.retry_after:g} s"
    if not exception.retry_after <= limit:
        reason += f"; waiting {limit:g} s ([learning360] max_task_wait)"
    return timedelta(seconds=cap_wait(exception.retry_after, limit)), reason


def cap_wait(asked: float, limit: float) -> float:
    """
    Limit the seconds that a server asked to wait.

    :param asked: The seconds; NaN counts as the limit.
    :param limit: The limit, in seconds.
    :returns: Seconds from 0 to the limit.
    """
    return max(0.0, asked) if asked <= limit else limit


def with_retry_policy(arguments: dict[str, Any], max_reschedules: int = MAX_RESCHEDULES) -> dict[str, Any]:
    """
    Add this provider's retry policy to the arguments of an operator, if Airflow has policies and none is given.

    :param arguments: Keyword arguments of `BaseOperator`.
    :param max_reschedules: As in `LearningRetryPolicy`.
    :returns: The arguments.
    """
    inherited = arguments.get("default_args") or {}
    given = arguments.get("retry_policy") or inherited.get("retry_policy")
    if HAS_RETRY_POLICIES and given is None:
        return {**arguments, "retry_policy": LearningRetryPolicy(max_reschedules)}
    return arguments


@contextmanager
def fail_fast(convert: bool = not HAS_RETRY_POLICIES) -> Iterator[None]:
    """
    Let a task fail at once after an error that a retry would not fix, also on Airflow below 3.3.

    :param convert: Whether to raise `AirflowFailException` instead of such an error; default True if Airflow has no
        retry policies.
    :returns: A context manager.
    :raises AirflowFailException: Instead of such an error, if `convert` is True.
    """
    try:
        yield
    except LearningError as error:
        if not convert or error.retryable:
            raise
        raise AirflowFailException(f"{type(error).__name__}: {error}") from error
