"""From typed API errors to Airflow's decision: retry, retry after the server's own delay, or fail at once."""

from __future__ import annotations

__all__ = ["LearningRetryPolicy"]

from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any

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


class LearningRetryPolicy(RetryPolicy):
    """
    Fail at once where no repetition helps; wait as long as 360Learning asks where it asks.

    It is the default of this provider's operators and sensors on Airflow 3.3 and later; a `retry_policy` of your
    own wins.

    Source: Airflow's `RetryPolicy`.
    """

    def evaluate(
        self, exception: BaseException, try_number: int, max_tries: int, context: Context | None = None
    ) -> RetryDecision:
        """
        Return whether and when to retry.

        :param exception: What the task ended in.
        :param try_number: Number of the try, from 1.
        :param max_tries: Number of tries that the task has.
        :param context: Airflow's task context.
        """
        if not isinstance(exception, LearningError):
            return RetryDecision.default()
        if not exception.retryable:
            return RetryDecision.fail(f"{type(exception).__name__}: no repetition will help")
        if exception.retry_after is not None:
            limit = max_task_wait()
            delay = timedelta(seconds=at_most(exception.retry_after, limit))
            own = getattr((context or {}).get("task"), "retry_delay", None)
            if own is not None and own >= delay:
                return RetryDecision.default()  # the task waits longer than it was asked to
            asked = f"360Learning asked to wait {exception.retry_after:g} s"
            if not exception.retry_after <= limit:
                asked += f"; the wait is {limit:g} s, by [learning360] max_task_wait"
            return RetryDecision.retry(delay, asked)
        return RetryDecision.default()

    def serialize(self) -> dict[str, Any]:
        """Return the policy as JSON; it has no settings."""
        return {"__type": "LearningRetryPolicy"}

    @classmethod
    def deserialize(cls, data: dict[str, Any]) -> LearningRetryPolicy:
        """Return the policy that `serialize` wrote."""
        return cls()


def at_most(asked: float, limit: float) -> float:
    """
    Return the seconds to wait: those that a server asked for, from 0 to a limit.

    :param asked: The seconds; what is no number counts as the limit.
    :param limit: The limit.
    """
    return max(0.0, asked) if asked <= limit else limit


def with_retry_policy(arguments: dict[str, Any]) -> dict[str, Any]:
    """
    Return the arguments of an operator, with this provider's retry policy where Airflow has policies and none is given.

    :param arguments: Keyword arguments for `BaseOperator`.
    """
    inherited = arguments.get("default_args") or {}
    given = arguments.get("retry_policy") or inherited.get("retry_policy")
    if HAS_RETRY_POLICIES and given is None:
        return {**arguments, "retry_policy": LearningRetryPolicy()}
    return arguments


@contextmanager
def failing_fast(convert: bool = not HAS_RETRY_POLICIES) -> Iterator[None]:
    """
    Let errors that no repetition will help fail the task at once, on Airflow below 3.3 too.

    :param convert: Whether to raise Airflow's own exception instead; default only where there are no retry policies.
    :raises AirflowFailException: Instead of such an error, where Airflow has no retry policies.
    """
    try:
        yield
    except LearningError as error:
        if not convert or error.retryable:
            raise
        raise AirflowFailException(f"{type(error).__name__}: {error}") from error
