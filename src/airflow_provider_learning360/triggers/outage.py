"""Whether the polls of a connection fail, and when the log says so."""

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING

from airflow_provider_learning360.api.errors import FixConnectionError, LearningError
from airflow_provider_learning360.api.retries import compute_watch_wait
from airflow_provider_learning360.hooks.limits import max_triggerer_wait
from airflow_provider_learning360.triggers.tracebacks import UnexpectedError
from airflow_provider_learning360.waiting_log import failed_polls, one_line, shown_seconds

if TYPE_CHECKING:
    import logging

# An interrupted response arrives as a `CancelledError`, like the end of a trigger. It must not end the trigger.
INTERRUPTED = "The response of 360Learning was interrupted (CancelledError, but not from the triggerer)."


class Outage:
    """
    The failed polls in a row. One line in the log when an outage begins or its kind changes, and one when it ends.

    :param log: Where to write it.
    :param learning_conn_id: ID of the Airflow connection.
    :param polled: What is polled, for the log; default program sessions.
    """

    def __init__(self, log: logging.Logger, learning_conn_id: str, polled: str = "program sessions") -> None:
        self.failures = 0  # in a row
        self.error: LearningError | None = None
        self._log = log
        self._learning_conn_id = learning_conn_id
        self._polled = polled
        self._since = 0.0
        self._is_news = False

    def note_poll(self, error: LearningError | None) -> None:
        """
        Note how a poll ended; write that the outage is over.

        :param error: What kept the poll from reading, or None.
        """
        before, self.error = self.error, error
        if error is None:
            if before is not None:
                self._log_end()
            self.failures, self._is_news = 0, False
            return
        self.failures += 1
        if before is None:
            self._since = time.monotonic()
        self._is_news = before is None or _kind(before) != _kind(error)

    def log_news(self, next_poll: float) -> None:
        """
        Write that an outage has begun, or that its kind has changed.

        :param next_poll: Seconds until the next poll.
        """
        if not self._is_news or self.error is None:
            return
        if isinstance(self.error, UnexpectedError):
            self._log.error("Traceback without values:\n%s", self.error.frames)
        self._log.warning(
            "Could not poll %s through connection %r (%d failure%s in a row): %s Next poll in %s.",
            self._polled,
            self._learning_conn_id,
            self.failures,
            "s" * (self.failures != 1),
            one_line(self.error),
            shown_seconds(next_poll),
        )

    def compute_wait(self, poll_interval: float, *, has_read: bool) -> float:
        """
        Return the seconds until the next poll; errors of single sessions do not slow down the others.

        :param poll_interval: Seconds between polls that succeed.
        :param has_read: Whether the last poll read anything.
        """
        error, longest = self.error, max_triggerer_wait()
        asked = None if error is None else error.retry_after
        if asked is not None and asked > longest:
            self._log.warning(
                "360Learning asked to wait %g s (connection %r). Next poll in %g s, the longest wait allowed "
                "([learning360] max_triggerer_wait).",
                asked,
                self._learning_conn_id,
                longest,
            )
        if has_read and asked is None:
            return compute_watch_wait(poll_interval, None, 0, random.random)
        return compute_watch_wait(poll_interval, error, self.failures, random.random, longest)

    def _log_end(self) -> None:
        self._log.info(
            "Polling %s through connection %r works again, after %s in %s.",
            self._polled,
            self._learning_conn_id,
            failed_polls(self.failures),
            shown_seconds(time.monotonic() - self._since),
        )


def _kind(error: LearningError) -> str:
    """Return the kind of an error by what to do about it: fix something, or wait."""
    if isinstance(error, UnexpectedError):
        return error.kind
    if isinstance(error, FixConnectionError):
        return "refused"
    return "wait" if error.retryable else "contract"
