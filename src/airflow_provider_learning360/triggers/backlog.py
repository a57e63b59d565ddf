"""The sessions that a poller has to read beside the list of those that were modified."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

    from airflow_provider_learning360.api.watch_state import WatchState
    from airflow_provider_learning360.triggers.watch_index import WatchIndex

# Up to this many sessions are read one by one in addition to a list; for more, all sessions are listed.
MAX_SINGLE_READS = 50


class Backlog:
    """What a list of modified sessions does not show, from poll to poll."""

    def __init__(self) -> None:
        # Their present state is not known: they may have changed, and no later list need show it.
        self._outdated: set[str] = set()
        # They could not be read, or no list has them although they existed.
        self._doubtful: set[str] = set()
        # The watchers whose sessions were compared since they joined.
        self._caught_up: set[WatchState] = set()

    def begin(self, index: WatchIndex, outdated: Iterable[str]) -> bool:
        """
        Begin a poll by list.

        :param index: The present watchers.
        :param outdated: IDs of sessions that may have changed.
        :returns: Whether all sessions must be listed.
        """
        self._outdated.update(outdated)
        has_new_one_of_everything = False
        for watch in index.watchers:
            if watch not in self._caught_up:
                self._outdated |= watch.session_ids or frozenset()
                has_new_one_of_everything = has_new_one_of_everything or watch.session_ids is None
        self._outdated &= index.ids
        self._doubtful &= index.ids
        return has_new_one_of_everything or len(self._outdated) > MAX_SINGLE_READS

    def is_outdated(self, session_id: str) -> bool:
        """
        Whether a session has to be compared, even if its `modifiedAt` is known.

        :param session_id: ID of the session.
        """
        return session_id in self._outdated

    def note_read(self, session_id: str) -> None:
        """
        Note that a session was compared, or is about to be read.

        :param session_id: ID of the session.
        """
        self._outdated.discard(session_id)
        self._doubtful.discard(session_id)

    def note_unread(self, session_ids: Iterable[str]) -> None:
        """
        Note that sessions were not read, although they may have changed.

        :param session_ids: Their IDs.
        """
        self._outdated.update(session_ids)

    def note_doubtful(self, session_ids: Iterable[str]) -> None:
        """
        Note that sessions could not be read, or that a list lacks them.

        :param session_ids: Their IDs.
        """
        self._doubtful.update(session_ids)
        self._outdated.difference_update(self._doubtful)

    def note_listed(self, index: WatchIndex) -> None:
        """
        Note that a list was complete.

        :param index: The watchers at that time.
        """
        self._caught_up = set(index.watchers)

    def take(self, order: Callable[[str], Any]) -> set[str]:
        """
        Take the sessions that this poll reads one by one.

        :param order: Sort key: which of the doubtful ones come first.
        :returns: Their IDs.
        """
        doubtful = sorted(self._doubtful, key=order)[:MAX_SINGLE_READS]
        taken = self._outdated.union(doubtful)
        self._outdated = set()
        self._doubtful.difference_update(doubtful)
        return taken

    def clear(self) -> None:
        """Forget all sessions: this poll reads every one."""
        self._outdated.clear()
        self._doubtful.clear()
