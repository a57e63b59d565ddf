"""The sessions that a poll could not read, and when the log says so."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

from airflow_provider_learning360.triggers.session_names import MAX_NAMED, name_sessions
from airflow_provider_learning360.triggers.tracebacks import UnexpectedError

if TYPE_CHECKING:
    import logging

    from airflow_provider_learning360.api.errors import LearningError

# Bytes. One bit for each session that the log has named; two sessions seldom share a bit.
MARK_BYTES = 128 * 1024


class UnreadableSessions:
    """
    The sessions that could not be read in one poll. It takes little memory, however many they are.

    :param before: Those of the poll before: the log has named them already. None for the first poll.
    """

    def __init__(self, before: UnreadableSessions | None) -> None:
        self.count = 0
        self.unidentified = 0  # items of the list without a valid ID
        # Of those that the log has not named yet:
        self.new = 0
        self.first: list[str] = []
        self.reason: LearningError | None = None
        # What the log has named since all sessions were readable.
        goes_on = before is not None and before.has_any
        self._named: bytearray | None = before._named if before is not None and goes_on else None
        self._is_shared = True
        self._unidentified_before = before.has_logged_unidentified if before is not None and goes_on else False

    @property
    def has_any(self) -> bool:
        """Whether anything could not be read."""
        return bool(self.count or self.unidentified)

    @property
    def has_logged_unidentified(self) -> bool:
        """Whether the log has counted items without a valid ID since all sessions were readable."""
        return bool(self.unidentified) or self._unidentified_before

    def add(self, session_id: str, problem: LearningError) -> None:
        """
        Note one more.

        :param session_id: ID of the session.
        :param problem: Why it could not be read.
        """
        self.count += 1
        place, bit = divmod(zlib.crc32(session_id.encode()) % (8 * MARK_BYTES), 8)
        if self._named is not None and self._named[place] >> bit & 1:
            return
        if self._named is None or self._is_shared:
            self._named, self._is_shared = bytearray(self._named or MARK_BYTES), False
        self._named[place] |= 1 << bit
        self.new += 1
        if len(self.first) < MAX_NAMED:
            self.first.append(session_id)
        if self.reason is None:
            # With its traceback, it would hold all that was read.
            self.reason = problem.with_traceback(None)

    def log_changes(self, before: UnreadableSessions, log: logging.Logger, learning_conn_id: str) -> None:
        """
        Write which sessions became unreadable, or that all are readable again; nothing if neither is so.

        :param before: Those of the poll before.
        :param log: Where to write it.
        :param learning_conn_id: ID of the Airflow connection.
        """
        has_new_items = bool(self.unidentified and not before.has_logged_unidentified)
        if self.new or has_new_items:
            self._log_new(has_new_items, log, learning_conn_id)
        elif before.has_any and not self.has_any:
            log.info("All program sessions of connection %r are readable again.", learning_conn_id)

    def _log_new(self, has_new_items: bool, log: logging.Logger, learning_conn_id: str) -> None:
        reason = self.reason or "an `_id` has 24 characters of 0-9 and a-f."
        if isinstance(reason, UnexpectedError):
            log.error("Traceback without values:\n%s", reason.frames)
        parts = [name_sessions(self.first, self.new)] if self.new else []
        parts += [f"{self.unidentified} items of the list without a valid `_id`"] if has_new_items else []
        log.warning(
            "Not readable through connection %r: %s. These are left out, all others are watched. Reason: %s",
            learning_conn_id,
            ", ".join(parts),
            reason,
        )
