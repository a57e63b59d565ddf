"""What one look means for somebody who waits: found, look again, or give up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from airflow_provider_learning360.api.changes import Change, Watermark, find_change
from airflow_provider_learning360.api.errors import LearningError, NotFoundError

if TYPE_CHECKING:
    from airflow_provider_learning360.api.models import ProgramSession

OnMissing = Literal["fail", "skip", "wait"]


class Wait:
    """
    One wait for a modification, from look to look.

    :param watermark: What was last known, or None: then the first look sets it.
    :param watch: Names of the fields to watch.
    :param on_missing: What to do while there is no such session; to skip is for the caller.
    :param max_failures: Looks in a row that may get no answer.
    :param failures: How many already got none.
    """

    def __init__(
        self,
        watermark: Watermark | None,
        *,
        watch: tuple[str, ...] = (),
        on_missing: OnMissing = "fail",
        max_failures: int = 10,
        failures: int = 0,
    ) -> None:
        self.watermark = watermark
        self.watch = watch
        self.on_missing = on_missing
        self.max_failures = max_failures
        self.failures = failures
        self.retry_after = 0.0
        self.trouble: LearningError | None = None

    def judge(self, outcome: ProgramSession | LearningError) -> Change | None:
        """
        Return the modification that a look found, or None to look again.

        Afterwards `retry_after` holds the seconds that the server asked to wait, and `trouble` what kept the look from
        finding the session, if anything did.

        :param outcome: The session, or the error of the look.
        :raises LearningError: There is no point in looking again.
        """
        self.retry_after, self.trouble = 0.0, None
        if not isinstance(outcome, LearningError):
            self.failures = 0
            if self.watermark is None:
                self.watermark = Watermark.of(outcome, self.watch)
            return find_change(outcome, self.watermark)
        self.trouble = outcome
        if isinstance(outcome, NotFoundError) and self.on_missing == "wait":
            self.failures = 0
            return None
        if not outcome.retryable:
            raise outcome
        self.failures += 1
        self.retry_after = outcome.retry_after or 0.0
        if self.failures > self.max_failures:
            raise outcome.with_note(
                f"Looks without an answer in a row: {self.failures} (max_failures is {self.max_failures})."
            )
        return None
