"""What one poll means for a wait: found, poll again, or give up."""

from __future__ import annotations

from abc import ABC, abstractmethod
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Literal, TypeVar

from airflow_provider_learning360.api.changes import Change, Watermark, add_unknown, carry_over, find_change
from airflow_provider_learning360.api.errors import LearningError, NotFoundError
from airflow_provider_learning360.api.platform import SESSION_KEYS_ONLY
from airflow_provider_learning360.api.retries import MAX_TRIGGERER_WAIT

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_learning360.api.completion_target import CompletionTarget
    from airflow_provider_learning360.api.models import ProgramSession
    from airflow_provider_learning360.api.platform import CompletionCount, Keys

OnMissing = Literal["fail", "skip", "wait"]
Polled = TypeVar("Polled")
Found = TypeVar("Found")


class Unchanged:
    """The outcome of a poll: the state is the one that the wait has evaluated last."""


UNCHANGED = Unchanged()


class Wait(ABC, Generic[Polled, Found]):
    """
    One wait of a sensor or trigger, from poll to poll.

    :param on_missing: What to do while what is polled does not exist: `fail` (default), `skip` (by the caller) or
        `wait`.
    :param max_failures: Failed polls in a row before the wait fails; default 10.
    :param failures: How many polls in a row have failed already; default 0.
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
        self.requested_wait = 0.0
        self.error: LearningError | None = None

    @abstractmethod
    def find(self, polled: Polled) -> Found | None:
        """
        Evaluate one state.

        :param polled: What the poll read.
        :returns: The result of the wait, or None to poll again.
        """

    def find_again(self) -> Found | None:
        """
        Evaluate the last state once more, because time has passed; by default there is no result.

        :returns: The result of the wait, or None to poll again.
        """
        return None

    def evaluate(self, outcome: Polled | LearningError | Unchanged) -> Found | None:
        """
        Evaluate one poll.

        Afterwards, `requested_wait` is the number of seconds that the server asked to wait, `retry_after` the same
        limited to `longest_wait`, and `error` the error of the poll, or None.

        :param outcome: What the poll read, or its error.
        :returns: The result of the wait, or None to poll again.
        :raises LearningError: Another poll would not help, or too many failed.
        """
        self.requested_wait, self.retry_after, self.error = 0.0, 0.0, None
        if not isinstance(outcome, LearningError):
            self.failures = 0
            return self.find_again() if isinstance(outcome, Unchanged) else self.find(outcome)
        self.error = outcome
        if isinstance(outcome, NotFoundError) and self.on_missing == "wait":
            self.failures = 0
            return None
        if not outcome.retryable:
            raise outcome
        self.failures += 1
        self.requested_wait = outcome.retry_after or 0.0
        self.retry_after = min(self.requested_wait, self.longest_wait)
        if self.failures > self.max_failures:
            raise outcome.with_note(f"Failed polls in a row: {self.failures} (max_failures is {self.max_failures}).")
        return None


class SessionWait(Wait[Polled, Found]):
    """
    A wait for a program session. A poll reads the session itself, unless a subclass says otherwise.

    :param patience: As in `Wait`: `on_missing`, `max_failures`, `failures`, `longest_wait`.
    """

    # Whether a poll reads the session; if not, its document is read when the wait is over.
    polls_session: ClassVar[bool] = True

    @property
    def keys(self) -> Keys:
        """Which keys of the document a poll needs; default those of the session itself."""
        return SESSION_KEYS_ONLY

    def poll(self, hook: Any, session_id: str) -> Any:
        """
        Read what `find` evaluates.

        :param hook: The hook of a task or of a trigger.
        :param session_id: ID of the session.
        :returns: What the hook returns: the session as it is now, or its coroutine.
        """
        return hook.get_program_session(session_id, self.keys)


class ModificationWait(SessionWait["ProgramSession", Change]):
    """
    A wait until a session is modified.

    :param watermark: The state to compare with; None to take that of the first poll.
    :param watch: Names of the fields to watch; default all of the session.
    :param patience: As in `Wait`: `on_missing`, `max_failures`, `failures`, `longest_wait`.
    """

    def __init__(self, watermark: Watermark | None, *, watch: tuple[str, ...] = (), **patience: Any) -> None:
        super().__init__(**patience)
        self.watermark = watermark
        self.watch = watch
        # Whether the last poll gave it values that later polls need.
        self.has_new_watermark = False

    @property
    def keys(self) -> Keys:
        """Which keys of the document a poll needs: the watched fields."""
        return frozenset(self.watch)

    def find(self, polled: ProgramSession) -> Change | None:
        """
        Compare the session with the watermark.

        :param polled: The session as it is now.
        :returns: The modification, or None if there is none.
        """
        before = self.watermark
        if before is None:
            self.watermark = Watermark.of(polled, self.watch)
        else:
            self.watermark = add_unknown(carry_over(before, polled), polled)
        self.has_new_watermark = self.watermark is not before
        return find_change(polled, self.watermark)

    def find_again(self) -> Change | None:
        """Return None: a change of this state would have ended the wait."""
        self.has_new_watermark = False
        return None


class DateWait(SessionWait["ProgramSession", datetime]):
    """
    A wait until a time before or after a date of a session. When the date moves, that time moves with it.

    :param due_of: Returns that time for a session, or None while the date is not set.
    :param now: The wall clock, with its time zone.
    :param patience: As in `Wait`: `on_missing`, `max_failures`, `failures`, `longest_wait`.
    """

    def __init__(
        self, due_of: Callable[[ProgramSession], datetime | None], now: Callable[[], datetime], **patience: Any
    ) -> None:
        super().__init__(**patience)
        self._due_of = due_of
        self._now = now
        self.due: datetime | None = None

    def find(self, polled: ProgramSession) -> datetime | None:
        """
        Compare the time with the clock.

        :param polled: The session as it is now.
        :returns: The time if it has come, else None.
        """
        self.due = self._due_of(polled)
        return self.find_again()

    def find_again(self) -> datetime | None:
        """Compare the time of the last poll with the clock."""
        return self.due if self.due is not None and self.due <= self._now() else None


class CompletionWait(SessionWait["CompletionCount", "CompletionCount"]):
    """
    A wait until enough learners have completed a session. A poll reads the counts only, and no person.

    :param target: How many are enough.
    :param patience: As in `Wait`: `on_missing`, `max_failures`, `failures`, `longest_wait`.
    """

    polls_session: ClassVar[bool] = False

    def __init__(self, target: CompletionTarget, **patience: Any) -> None:
        super().__init__(**patience)
        self.target = target

    def poll(self, hook: Any, session_id: str) -> Any:
        """
        Read the counts.

        :param hook: The hook of a task or of a trigger.
        :param session_id: ID of the session.
        :returns: What the hook returns: the counts, or their coroutine.
        """
        return hook.count_completions(session_id, self.target.is_reached)

    def find(self, polled: CompletionCount) -> CompletionCount | None:
        """
        Compare the counts with the target.

        :param polled: The counts as they are now.
        :returns: The counts if the target is reached, else None.
        """
        return polled if self.target.is_reached(polled) else None


def seconds_until(due: datetime | None, now: datetime, *, has_failed: bool) -> float:
    """
    Return the seconds until the next poll must run; infinite if that is not known.

    :param due: The time that the last poll found, with its zone; None if it is not known.
    :param now: The present time, with its zone.
    :param has_failed: Whether the last poll failed.
    """
    if due is None:
        return float("inf")
    left = (due - now).total_seconds()
    if left > 0:
        return left
    # The time has come since the last poll: poll now. After a failed poll, keep the usual interval.
    return float("inf") if has_failed else 0.0
