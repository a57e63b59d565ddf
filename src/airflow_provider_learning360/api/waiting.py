"""What one look means for somebody who waits: found, look again, or give up."""

from __future__ import annotations

from abc import ABC, abstractmethod
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar

from airflow_provider_learning360.api.changes import Change, Watermark, find_change
from airflow_provider_learning360.api.errors import LearningError, NotFoundError
from airflow_provider_learning360.api.retries import MAX_TRIGGERER_WAIT

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_learning360.api.models import ProgramSession

OnMissing = Literal["fail", "skip", "wait"]
Found = TypeVar("Found")


class Wait(ABC, Generic[Found]):
    """
    One wait, from look to look.

    :param on_missing: What to do while there is no such session; to skip is for the caller.
    :param max_failures: Looks in a row that may get no answer.
    :param failures: How many already got none.
    :param longest_wait: Longest `Retry-After`, in seconds, that is waited for; default one hour.
    """

    def __init__(
        self,
        *,
        on_missing: OnMissing = "fail",
        max_failures: int = 10,
        failures: int = 0,
        longest_wait: float = MAX_TRIGGERER_WAIT,
    ) -> None:
        self.on_missing = on_missing
        self.max_failures = max_failures
        self.failures = failures
        self.longest_wait = longest_wait
        self.retry_after = 0.0
        self.asked = 0.0
        self.trouble: LearningError | None = None

    @abstractmethod
    def find(self, session: ProgramSession) -> Found | None:
        """
        Return what is waited for, if it is there.

        :param session: The session as it is now.
        """

    def evaluate(self, outcome: ProgramSession | LearningError) -> Found | None:
        """
        Return what a look found, or None to look again.

        Afterwards `asked` holds the seconds that the server asked to wait, `retry_after` the same capped by
        `longest_wait`, and `trouble` what kept the look from finding the session, if anything did.

        :param outcome: The session, or the error of the look.
        :raises LearningError: There is no point in looking again.
        """
        self.asked, self.retry_after, self.trouble = 0.0, 0.0, None
        if not isinstance(outcome, LearningError):
            self.failures = 0
            return self.find(outcome)
        self.trouble = outcome
        if isinstance(outcome, NotFoundError) and self.on_missing == "wait":
            self.failures = 0
            return None
        if not outcome.retryable:
            raise outcome
        self.failures += 1
        self.asked = outcome.retry_after or 0.0
        self.retry_after = min(self.asked, self.longest_wait)
        if self.failures > self.max_failures:
            raise outcome.with_note(
                f"Looks without an answer in a row: {self.failures} (max_failures is {self.max_failures})."
            )
        return None


class ModificationWait(Wait[Change]):
    """
    A wait until a session is modified.

    :param watermark: What was last known, or None: then the first look sets it.
    :param watch: Names of the fields to watch.
    :param patience: As in `Wait`: `on_missing`, `max_failures`, `failures`, `longest_wait`.
    """

    def __init__(self, watermark: Watermark | None, *, watch: tuple[str, ...] = (), **patience: Any) -> None:
        super().__init__(**patience)
        self.watermark = watermark
        self.watch = watch

    def find(self, session: ProgramSession) -> Change | None:
        """Return how the session was modified since the watermark, if it was."""
        if self.watermark is None:
            self.watermark = Watermark.of(session, self.watch)
        return find_change(session, self.watermark)


class DateWait(Wait[datetime]):
    """
    A wait until a time before or after a date of a session, wherever that date moves.

    :param due_of: Returns that time, or None as long as the date is not set.
    :param now: The clock, with its zone.
    :param patience: As in `Wait`: `on_missing`, `max_failures`, `failures`, `longest_wait`.
    """

    def __init__(
        self, due_of: Callable[[ProgramSession], datetime | None], now: Callable[[], datetime], **patience: Any
    ) -> None:
        super().__init__(**patience)
        self._due_of = due_of
        self._now = now
        self.due: datetime | None = None

    def find(self, session: ProgramSession) -> datetime | None:
        """Return the time, if it has come."""
        self.due = self._due_of(session)
        return self.due if self.due is not None and self.due <= self._now() else None


def seconds_until(due: datetime | None) -> float:
    """
    Return the seconds until a time comes; endless if there is none, or if it is over.

    :param due: The time, with its zone.
    """
    left = 0.0 if due is None else (due - datetime.now(tz=UTC)).total_seconds()
    # Once it is over, the session could not be read at that moment: back to the usual interval.
    return left if left > 0 else float("inf")
