"""A trigger that waits until enough learners have completed a program session."""

from __future__ import annotations

__all__ = ["SessionCompletedTrigger"]

from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_learning360.api.completion_target import CompletionTarget
from airflow_provider_learning360.api.waiting import CompletionWait, Wait
from airflow_provider_learning360.triggers.poll_target import CompletionsTarget
from airflow_provider_learning360.triggers.session_polling import SessionPollingTrigger

if TYPE_CHECKING:
    from airflow_provider_learning360.api.platform import CompletionCount


class SessionCompletedTrigger(SessionPollingTrigger):
    """
    Wake the sensor when enough learners have completed a program session.

    :param share: The share of the learners, above 0 and up to 1; used if `count` is None. Default 1: all.
    :param count: The number of learners instead, 1 or more; default None.
    :param polling_arguments: The other arguments of `SessionPollingTrigger`.

    Source: Airflow's `BaseTrigger`.
    """

    own_arguments: ClassVar[tuple[str, ...]] = ("share", "count")

    def __init__(self, share: float = 1.0, count: int | None = None, **polling_arguments: Any) -> None:
        super().__init__(**polling_arguments)
        self.share = share
        self.count = count

    def build_wait(self) -> CompletionWait:
        """Return the wait at its beginning."""
        return CompletionWait(
            self._target, on_missing=self.on_missing, max_failures=self.max_failures, failures=self.failures
        )

    def build_target(self, wait: Any) -> CompletionsTarget:
        """
        Return the completions of the session.

        :param wait: The wait.
        """
        return CompletionsTarget(self.session_id, self._target.is_reached)

    def describe_wait(self, wait: Wait[Any, Any]) -> str:
        """
        Return how many learners are to complete the session.

        :param wait: The wait.
        """
        return str(self._target)

    def describe_state(self, polled: CompletionCount, wait: Wait[Any, Any]) -> str:
        """
        Return how many learners have completed the session.

        :param polled: The counts as they are now.
        :param wait: The wait after the poll.
        """
        return self._target.describe_counts(polled)

    @property
    def _target(self) -> CompletionTarget:
        return CompletionTarget(self.share, self.count)
