"""How many learners have completed a session: one request, and more only where deleted learners may block a wait."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from airflow_provider_learning360.api.errors import ContractError, ForbiddenError
from airflow_provider_learning360.api.platform import CompletionCount
from airflow_provider_learning360.api.v2 import calls, progress
from airflow_provider_learning360.api.v2.scopes import needing
from airflow_provider_learning360.api.v2.sessions import read_once

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_learning360.api.platform import Plan
    from airflow_provider_learning360.api.v2.sessions import SessionReader

log = logging.getLogger(__name__)

# Up to this many learners who have not completed are looked up: some of them may be deleted, and never will.
MAX_LOOKED_UP = 20


class CompletionCounter:
    """
    Counts who has completed a session.

    :param reader: Finds paths and users.
    """

    def __init__(self, reader: SessionReader) -> None:
        self._reader = reader
        self._has_logged_missing_scope = False

    def count(self, session_id: str, is_enough: Callable[[CompletionCount], int] | None) -> Plan[CompletionCount]:
        """
        Plan to count. API v2 does not document whether its counts include deleted learners.

        :param session_id: ID of the session.
        :param is_enough: Whether counts end a wait, or how many waits they end. If more waits would end without the
            deleted learners, and few have not completed, the deleted ones are left out, because they never will; None
            for never.
        :returns: The plan of the counts.
        """
        path_id = yield from self._reader.find_path(session_id)
        session = calls.build_path("paths", path_id, "sessions", session_id)
        counts = yield from _read_counts(f"{session}/user-statuses")
        if is_enough is None or not _may_deleted_ones_matter(counts, is_enough):
            return counts
        deleted = yield from self._count_deleted(f"{session}/user-stats")
        return replace(counts, learners=max(counts.completed, counts.learners - deleted))

    def _count_deleted(self, path: str) -> Plan[int]:
        """Plan to count the deleted learners among those who have not completed."""
        read = self._reader.read_list("statistics of users", path, progress.pick_row)
        rows = progress.find_enrolled((yield from needing("pathStats:read", read)))
        unfinished = [one for one, row in rows.items() if row.get("status") != progress.COMPLETED]
        try:
            users = yield from self._reader.users.find(unfinished)
        except ForbiddenError as error:
            if error.scope != "users:read":
                raise
            self._log_missing_scope()
            return 0
        return sum(users[one].get("status") == "deleted" for one in unfinished)

    def _log_missing_scope(self) -> None:
        if not self._has_logged_missing_scope:
            log.warning(
                "Deleted learners may be counted as learners who have not completed: the client lacks the scope "
                "users:read. Grant it to the client in 360Learning (Settings > API)."
            )
        self._has_logged_missing_scope = True


def _may_deleted_ones_matter(counts: CompletionCount, is_enough: Callable[[CompletionCount], int]) -> bool:
    """Whether few have not completed, and the wait would end if all of them were deleted."""
    is_few = 0 < counts.learners - counts.completed <= MAX_LOOKED_UP
    return is_few and is_enough(replace(counts, learners=counts.completed)) > is_enough(counts)


def _read_counts(path: str) -> Plan[CompletionCount]:
    counts = yield from needing("pathStats:read", read_once(calls.read_object("counts by status", path)))
    by_status = counts.get("usersCountByStatus")
    if not isinstance(by_status, dict) or not all(map(_is_count, by_status.values())):
        raise ContractError(
            f"GET {path} returned no counts by status. The API may have changed: please report it.",
            method="GET",
            path=path,
        )
    return CompletionCount(sum(by_status.values()), by_status.get(progress.COMPLETED, 0))


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0
