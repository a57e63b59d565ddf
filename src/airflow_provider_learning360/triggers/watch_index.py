"""Who watches which session, for one poll."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from airflow_provider_learning360.api.errors import LearningError
from airflow_provider_learning360.triggers.session_names import name_sessions
from airflow_provider_learning360.triggers.time_slice import TimeSlice
from airflow_provider_learning360.triggers.tracebacks import UnexpectedError
from airflow_provider_learning360.waiting_log import shown_time

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable
    from datetime import datetime

    from airflow_provider_learning360.api.models import ProgramSession
    from airflow_provider_learning360.api.platform import Keys
    from airflow_provider_learning360.api.watch_state import WatchState
    from airflow_provider_learning360.triggers.subscriptions import Subscriptions


class WatchIndex:
    """The watches by session, for one poll; remembers what the log has to say of the poll."""

    def __init__(self) -> None:
        # Sessions with the same watchers share a tuple: thousands of lists in each poll would let the garbage collector
        # hold up the event loop.
        self._by_id: dict[str, tuple[WatchState, ...]] = {}
        self._of_everything: list[WatchState] = []
        self._fields_of_everything: frozenset[str] = frozenset()
        self._fields: frozenset[str] = frozenset()
        self.watchers: list[WatchState] = []
        self.ids: set[str] = set()
        self._first_read: list[str] = []
        self._gone: list[str] = []

    @classmethod
    async def of(cls, subscriptions: Subscriptions) -> Self:
        """
        Return the index of the present watchers.

        :param subscriptions: The watchers.
        """
        index, time_slice = cls(), TimeSlice()
        for subscription in subscriptions:
            index._add(subscription.watch)
            await time_slice.let_others_run()
        return index

    def _add(self, watch: WatchState) -> None:
        self.watchers.append(watch)
        self._fields |= frozenset(watch.watch)
        if watch.session_ids is None:
            self._of_everything.append(watch)
            self._fields_of_everything |= frozenset(watch.watch)
            self.ids.update(watch.observed)
            return
        self.ids |= watch.session_ids
        extended: dict[tuple[WatchState, ...], tuple[WatchState, ...]] = {}
        for session_id in watch.session_ids:
            before = self._by_id.get(session_id, ())
            if before not in extended:
                extended[before] = (*before, watch)
            self._by_id[session_id] = extended[before]

    @property
    def has_everything(self) -> bool:
        """Whether any watcher watches all sessions of the platform."""
        return bool(self._of_everything)

    def watches(self, session_id: str) -> bool:
        """
        Whether any watcher watches a session.

        :param session_id: ID of the session.
        """
        return self.has_everything or session_id in self._by_id

    def keys_of(self, session_id: str) -> frozenset[str]:
        """
        Return the watched fields of a session.

        :param session_id: ID of the session.
        """
        return self._fields_of_everything.union(*(watch.watch for watch in self._by_id.get(session_id, ())))

    def lacks(self, session_id: str, listed: Keys) -> bool:
        """
        Whether an entry of the list lacks watched fields of a session.

        :param session_id: ID of the session.
        :param listed: The keys that the entry has; None for all.
        """
        return not (listed is None or self._fields <= listed or self.keys_of(session_id) <= listed)

    async def find_lacking(self, listed: Keys) -> dict[str, frozenset[str]]:
        """
        Return the watched fields of the sessions whose entries in the list lack some.

        :param listed: The keys that the entries have; None for all.
        """
        if listed is None or self._fields <= listed:
            return {}
        lacking, time_slice = {}, TimeSlice()
        for session_id in self.ids:
            await time_slice.let_others_run()
            if self.lacks(session_id, listed):
                lacking[session_id] = self.keys_of(session_id)
        return lacking

    def may_have_changed(self, session_id: str, sent: Any) -> bool:
        """
        Whether comparing a session may find news.

        :param session_id: ID of the session.
        :param sent: Its `modifiedAt` as the API sent it.
        """
        return any(watch.may_have_changed(session_id, sent) for watch in self._watches_of(session_id))

    def is_there(self, session_id: str) -> bool:
        """
        Whether a session existed when it was last polled, or has not been polled yet.

        :param session_id: ID of the session.
        """
        return any(watch.is_there(session_id) for watch in self._watches_of(session_id))

    def observe(
        self, session_id: str, item: dict[str, Any], parse: Callable[[dict[str, Any]], ProgramSession]
    ) -> LearningError | None:
        """
        Pass an item of the list on to all who watch the session.

        :param session_id: ID of the session.
        :param item: The item.
        :param parse: Returns the session of an item.
        :returns: What is wrong with the item, or None.
        """
        try:
            # The ID in lower case, as IDs are compared everywhere.
            session = parse({**item, "_id": session_id})
        except LearningError as error:
            return error
        except Exception as error:  # noqa: BLE001 - a bad item must not end the poll of all others
            return UnexpectedError(error)
        return self.observe_session(session_id, session, item["modifiedAt"])

    def observe_session(self, session_id: str, session: ProgramSession, sent: Any = None) -> LearningError | None:
        """
        Pass a session on to all who watch it.

        :param session_id: ID of the session.
        :param session: The session.
        :param sent: Its `modifiedAt` as the API sent it; default not known.
        :returns: What is wrong with the session, or None.
        """
        if session.id != session_id:
            session = session.model_copy(update={"id": session_id})
        is_first = False
        try:
            for watch in self._watches_of(session_id):
                is_first = watch.observe(session, sent) or is_first
        except LearningError as error:
            return error
        except Exception as error:  # noqa: BLE001 - a bad session must not end the poll of all others
            return UnexpectedError(error)
        if is_first:
            self._first_read.append(session_id)
        return None

    def observe_missing(self, session_id: str) -> None:
        """
        Report to all watchers of a session that it does not exist.

        :param session_id: ID of the session.
        """
        news = [
            watch.observe_missing(session_id) for watch in self._watches_of(session_id)
        ]  # no short circuit: every watcher observes it
        if any(news):
            self._gone.append(session_id)

    def log_news(self, log: logging.Logger, last_read: Callable[[str], datetime | None]) -> None:
        """
        Log which sessions were read for the first time, and which no longer exist.

        :param log: Where to write it.
        :param last_read: Returns when a session was last read, or None if that is not known.
        """
        if self._first_read:
            log.info("Watching %s from now on: no watermark was stored.", name_sessions(self._first_read))
        if self._gone:
            moment = last_read(self._gone[0])
            state = (
                f"was last read at {shown_time(moment)}, and does not exist any more"
                if moment
                else "does not exist, or this connection has no access to it"
            )
            log.warning("%s: %s.", name_sessions(self._gone), state)

    def _watches_of(self, session_id: str) -> list[WatchState]:
        return [*self._by_id.get(session_id, ()), *self._of_everything]
