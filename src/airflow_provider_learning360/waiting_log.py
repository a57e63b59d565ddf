"""What a waiting task logs: what it waits for, outages, and that what it polls no longer exists."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from airflow_provider_learning360.api.errors import LearningError, NotFoundError, redact
from airflow_provider_learning360.api.sanitizer import sanitize_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from airflow_provider_learning360.api.models import ProgramSession
    from airflow_provider_learning360.api.waiting import Wait

MAX_NAME = 80  # characters of a session's name


class WaitingLog:
    """
    Write a line when what a task waits for changes, and when an outage begins and ends; nothing at all other polls.

    :param subject: What is polled, such as "program session 60b8d2956e20ae1a0f8e44f1".
    :param info: Writes a line about the wait.
    :param warn: Writes a line about an outage, or that the subject does not exist.
    """

    def __init__(self, subject: str, info: Callable[..., Any], warn: Callable[..., Any]) -> None:
        self._subject = subject
        self._info = info
        self._warn = warn
        self._waiting = ""
        self._is_missing = False
        self._pending: tuple[Callable[..., Any], str] | None = None
        self.last_read: datetime | None = None

    def note_read(self, name: str, failures_before: int) -> None:
        """
        Note that a poll succeeded, and log the end of an outage.

        :param name: How the line names what was polled, such as "'Safety' (60b8…)".
        :param failures_before: Failed polls in a row before this one.
        """
        self.last_read = datetime.now(tz=UTC)
        self._pending = None
        if failures_before:
            self._info("%s was read again after %s.", capitalize(name), failed_polls(failures_before))
        if self._is_missing:
            self._info("%s exists again.", capitalize(name))
        self._is_missing = False

    def note_wait(self, name: str, waiting_for: str, details: str) -> None:
        """
        Note that the wait continues.

        :param name: How the line names what was polled.
        :param waiting_for: What is waited for, such as "startDate or endDate to change".
        :param details: A sentence about the present state.
        """
        line = f"Waiting for {name}: {waiting_for}. {details}"
        if line != self._waiting:
            self._waiting, self._pending = line, (self._info, line)

    def note_error(self, error: LearningError, wait: Wait[Any, Any], failures_before: int) -> None:
        """
        Note that a poll failed, and that the wait continues.

        :param error: What failed.
        :param wait: The wait after the poll.
        :param failures_before: Failed polls in a row before this one.
        """
        self._pending = None
        if isinstance(error, NotFoundError):
            if not self._is_missing:
                self._is_missing = True
                gone = gone_text(self._subject, self.last_read)
                self._pending = self._warn, f"{gone} Waiting for it (on_missing is 'wait')."
        elif not failures_before:
            in_row = f"1 failure in a row, {wait.max_failures} allowed"
            line = f"Could not read {self._subject} ({in_row}): {one_line(error)}"
            self._pending = self._warn, line

    def note_next_poll(self, seconds: float, deadline: datetime | None) -> None:
        """
        Note when the next poll is, and log the pending line, if there is one.

        :param seconds: Seconds until the next poll.
        :param deadline: When the wait ends, or None if that is not known.
        """
        pending, self._pending = self._pending, None
        if pending is None:
            return
        write, line = pending
        until = f", until {shown_time(deadline)}" if deadline is not None else ""
        write("%s Next poll in %s%s.", line, shown_seconds(seconds), until)


def label(session: ProgramSession) -> str:
    """
    Return how a log line names a session: its name, on one line and without mail addresses, and its ID.

    :param session: The session.
    """
    # Cut first: redacting megabytes takes seconds.
    name = redact(" ".join(sanitize_text((session.name or "")[:1000]).split()))
    if not name:
        return session_subject(session.id)
    return f"'{name if len(name) <= MAX_NAME else name[:MAX_NAME] + '…'}' ({session.id})"


def gone_text(subject: str, last_read: datetime | None) -> str:
    """
    Return the sentence about something that no longer exists.

    :param subject: What it is, such as "program session 60b8d2956e20ae1a0f8e44f1".
    :param last_read: When it was last read, or None if it never was.
    """
    subject = capitalize(subject)
    if last_read is None:
        return f"{subject} does not exist, or you have no access to it."
    return f"{subject} was last read at {shown_time(last_read)}, and does not exist any more."


def session_subject(session_id: str) -> str:
    """
    Return how a log line names a session of which only the ID is known.

    :param session_id: ID of the session.
    """
    return f"program session {session_id}"


def change_text(watch: Iterable[str]) -> str:
    """
    Return what a wait for a change waits for.

    :param watch: Names of the watched fields; empty for any modification.
    """
    return f"{_either(list(watch)) or 'any field'} to change"


def date_text(anchor: str, before: Mapping[str, Any] | None, after: Mapping[str, Any] | None) -> str:
    """
    Return what a wait for a date waits for, such as "1 day before startDate".

    :param anchor: The date: `startDate` or `endDate`.
    :param before: How long before it; None for not at all.
    :param after: How long after it; None for not at all.
    """
    side, parts = ("before", before) if before else ("after", after or {})
    length = " ".join(f"{count} {name.rstrip('s') if count == 1 else name}" for name, count in parts.items() if count)
    return f"{length} {side} {anchor}" if length else anchor


def modified_text(session: ProgramSession) -> str:
    """
    Return the sentence that says when a session was last modified.

    :param session: The session.
    """
    return "" if session.modified_at is None else f"Last modified {shown_time(session.modified_at)}."


def due_text(due: datetime | None, anchor: str, deadline: datetime | None = None) -> str:
    """
    Return the sentence that says when the time comes, and whether the wait ends before it.

    :param due: The time, or None as long as the date is not set.
    :param anchor: The date: `startDate` or `endDate`.
    :param deadline: When the wait ends; None (default) if that is not known.
    """
    if due is None:
        return f"{anchor} is not set."
    is_too_late = deadline is not None and due > deadline
    advice = " The wait ends before that time: raise `timeout`." if is_too_late else ""
    return f"That is at {shown_time(due, 'seconds')}.{advice}"


def shown_time(moment: datetime, precision: str = "minutes") -> str:
    """
    Return a time as logs show it, in UTC.

    :param moment: The time.
    :param precision: `minutes` (default) or `seconds`.
    """
    try:
        moment = moment.astimezone(UTC)
    except OverflowError:  # at the ends of the calendar
        moment = moment.replace(tzinfo=UTC)
    return f"{moment.replace(tzinfo=None).isoformat(' ', precision)} UTC"


def one_line(error: LearningError) -> str:
    """
    Return the message of an error on one line.

    :param error: The error.
    """
    return " ".join(str(error).splitlines())


def shown_seconds(seconds: float) -> str:
    """
    Return a number of seconds as logs show it.

    :param seconds: The number; a negative one counts as 0.
    """
    return f"{max(seconds, 0.0):.3g} s" if seconds < 100 else f"{round(seconds)} s"


def _either(names: list[str]) -> str:
    return " or ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def failed_polls(count: int) -> str:
    """
    Return how many polls failed, as text.

    :param count: The number.
    """
    return f"{count} failed poll{'s' * (count != 1)}"


def capitalize(text: str) -> str:
    """
    Return a text that begins a sentence.

    :param text: The text.
    """
    return text[:1].upper() + text[1:]
