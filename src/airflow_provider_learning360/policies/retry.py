"""Decide from an error whether Airflow retries a task, and when."""

from __future__ import annotations

__all__ = ["LearningRetryPolicy"]

from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypedDict

from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_learning360.api.errors import LearningError
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


# A retry policy as Airflow stores it with a DAG.
SerializedPolicy = TypedDict("SerializedPolicy", {"__type": str})


class LearningRetryPolicy(RetryPolicy):
    """
    Fail at once if a retry would not help; wait as long as 360Learning asks to wait.

    It is the default of this provider's operators and sensors on Airflow 3.3 and later. A `retry_policy` of the task
    replaces it.

    Source: Airflow's `RetryPolicy`.
    """

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
        if exception.retry_after is not None:
            limit = max_task_wait()
            delay = timedelta(seconds=cap_wait(exception.retry_after, limit))
            own = getattr((context or {}).get("task"), "retry_delay", None)
            if own is not None and own >= delay:
                return RetryDecision.default()  # the task already waits longer than asked
            reason = f"360Learning asked to wait {exception.retry_after:g} s"
            if not exception.retry_after <= limit:
                reason += f"; waiting {limit:g} s ([learning360] max_task_wait)"
            return RetryDecision.retry(delay, reason)
        return RetryDecision.default()

    def serialize(self) -> SerializedPolicy:  # type: ignore[override]
        """
        Return the policy as JSON; it has no settings.

        :returns: What `deserialize` reads.
        """
        return {"__type": "LearningRetryPolicy"}

    @classmethod
    def deserialize(cls, data: dict[str, Any]) -> LearningRetryPolicy:
        """
        Return the policy that `serialize` wrote.

        :param data: The policy as JSON.
        :returns: The policy.
        """
        return cls()


def cap_wait(asked: float, limit: float) -> float:
    """
    Limit the seconds that a server asked to wait.

    :param asked: The seconds; NaN counts as the limit.
    :param limit: The limit, in seconds.
    :returns: Seconds from 0 to the limit.
    """
    return max(0.0, asked) if asked <= limit else limit


def with_retry_policy(arguments: dict[str, Any]) -> dict[str, Any]:
    """
    Add this provider's retry policy to the arguments of an operator, if Airflow has policies and none is given.

    :param arguments: Keyword arguments of `BaseOperator`.
    :returns: The arguments.
    """
    inherited = arguments.get("default_args") or {}
    given = arguments.get("retry_policy") or inherited.get("retry_policy")
    if HAS_RETRY_POLICIES and given is None:
        return {**arguments, "retry_policy": LearningRetryPolicy()}
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
