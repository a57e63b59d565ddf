"""Find a program session by name. The API returns only the whole list; it is read once a minute at most."""

from __future__ import annotations

import logging
import threading
import time
from array import array
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from heapq import nsmallest
from math import inf
from sys import getsizeof
from typing import TYPE_CHECKING, Any

from airflow_provider_learning360.api.errors import LearningError
from airflow_provider_learning360.ui.error_log import log_unexpected
from airflow_provider_learning360.ui.failure import build_failure, failure_from_error
from airflow_provider_learning360.ui.session_rows import SessionRow, SessionRows

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Hashable, Iterable

    from airflow_provider_learning360.ui.responses import Failure, SessionSearch

log = logging.getLogger(__name__)

CACHE_SECONDS = 60.0  # for which a list is used
FAILURE_CACHE_SECONDS = 2.0  # for which a list that could not be read is not requested again
MAX_READ_SECONDS = 120.0  # that reading a list may take
MAX_SESSIONS = 200_000  # of one list
MAX_LIST_BYTES = 96 * 2**20  # of one list
MAX_LISTS = 8  # in memory
MAX_TOTAL_BYTES = 192 * 2**20  # of the lists that are read completely
MAX_READERS = 4  # lists that are read at the same time
MAX_RESULTS = 50  # of one search
MAX_QUERY_CHARACTERS = 200
MAX_QUERY_WORDS = 20

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_PLACES_BYTES = 20  # of the places of a text and a start in lists, which grow ahead


class BusyError(Exception):
    """Too many lists are being read."""


@dataclass
class SessionList:
    """
    The sessions of one connection, while they are read and afterwards.

    :param sessions: The sessions read so far.
    :param unreadable: How many entries so far could not be read.
    :param started: When reading began, on the monotonic clock.
    :param finished: When reading ended, on the monotonic clock; None before.
    :param error: Why it could not be read to its end.
    :param cache_seconds: Seconds for which it is used after reading.
    """

    sessions: SessionRows = field(default_factory=SessionRows)
    unreadable: int = 0
    started: float = field(default_factory=lambda: time.monotonic())
    finished: float | None = None
    error: Failure | None = None
    cache_seconds: float = CACHE_SECONDS
    _texts: list[str] = field(default_factory=list)  # the texts to search
    _text_size: int = 0
    # In seconds; appended last, so its length is safe to use.
    _starts: array[float] = field(default_factory=lambda: array("d"))

    def read(self, open_list: Callable[[], Generator[dict[str, Any], None, None]]) -> None:
        """
        Read the list. Errors are kept in `error`.

        :param open_list: Opens the list.
        """
        try:
            with closing(open_list()) as entries:
                self._read_entries(entries)
        except LearningError as error:
            self._fail(failure_from_error(error))
        except Exception as error:  # noqa: BLE001 - logged, and shown to the user
            self._fail(build_failure("list_failed"))
            log_unexpected(log, "reading a list of program sessions for the page", error)
        except BaseException:
            self._fail(build_failure("list_failed"))
            raise
        finally:
            self.finished = time.monotonic()

    def is_usable(self, now: float) -> bool:
        """
        Return whether the list need not be read again.

        :param now: Time on the monotonic clock.
        """
        if self.finished is None:
            return now - self.started < MAX_READ_SECONDS
        return now - self.finished < self.cache_seconds

    @property
    def size(self) -> int:
        """Bytes of memory that it occupies."""
        return self.sessions.size + self._text_size

    def as_incomplete(self, now: float) -> SessionList:
        """
        Return a finished copy of what is read so far, for a list whose reader still waits.

        :param now: Time on the monotonic clock.
        """
        read = len(self._starts)
        return SessionList(
            sessions=self.sessions,
            unreadable=self.unreadable,
            started=self.started,
            finished=now,
            error=build_failure("list_incomplete", seconds=round(MAX_READ_SECONDS)),
            _text_size=self._text_size,
            _texts=self._texts[:read],
            _starts=self._starts[:read],
        )

    def _read_entries(self, entries: Iterable[Any]) -> None:
        for entry in entries:
            if row := SessionRow.from_entry(entry):
                self._append(row)
            else:
                self.unreadable += 1
            is_too_long = len(self.sessions) + self.unreadable >= MAX_SESSIONS or self.size >= MAX_LIST_BYTES
            if is_too_long or time.monotonic() - self.started > MAX_READ_SECONDS:
                self.error = build_failure("list_too_long", read=len(self.sessions))
                return

    def _append(self, row: SessionRow) -> None:
        text = f"{row.name} {row.id}".casefold()
        self._text_size += _PLACES_BYTES + getsizeof(text)
        self.sessions.append(row)
        self._texts.append(text)
        self._starts.append(_seconds_since_epoch(row.start))

    def _fail(self, failure: Failure) -> None:
        self.error, self.cache_seconds = failure, FAILURE_CACHE_SECONDS

    def search(self, query: str, now: datetime) -> SessionSearch:
        """
        Return the sessions whose name or ID contains all words of a query; sorted by how close the start is to `now`.

        :param query: The words, in any case; empty for all sessions.
        :param now: Time to sort by.
        """
        finished, read = self.finished, len(self._starts)
        matching = list(range(read))
        for word in list(dict.fromkeys(query[:MAX_QUERY_CHARACTERS].casefold().split()))[:MAX_QUERY_WORDS]:
            matching = [row for row in matching if word in self._texts[row]]
        at = (now - _EPOCH).total_seconds()
        nearest = nsmallest(MAX_RESULTS, matching, key=lambda row: abs(self._starts[row] - at))
        return {
            "sessions": [self.sessions[row].to_item() for row in nearest],
            "matches": len(matching),
            "read": read,
            "unreadable": self.unreadable,
            "complete": finished is not None,
            "age": None if finished is None else round(time.monotonic() - finished, 1),
            "error": self.error,
        }


class SessionLists:
    """A cache of the lists of all connections. A thread reads each list; the number of both is limited."""

    def __init__(self) -> None:
        self._lists: dict[Hashable, SessionList] = {}
        self._reading: dict[Hashable, SessionList] = {}  # includes those whose reader hangs
        self._lock = threading.Lock()

    def get(self, key: Hashable, open_list: Callable[[], Generator[dict[str, Any], None, None]]) -> SessionList:
        """
        Return the cached list of a connection, or a new one that a thread begins to read.

        :param key: Identifies the connection, its platform and its API key.
        :param open_list: Opens the list.
        :raises BusyError: The list would have to be read, and too many lists are being read.
        """
        now = time.monotonic()
        with self._lock:
            sessions = self._usable_list(key, now)
            self._lists = {other: kept for other, kept in self._lists.items() if other != key and kept.is_usable(now)}
            self._evict(sessions)
            if sessions is None:
                sessions = self._start_reading(key, open_list)
            self._lists[key] = sessions  # at the end: the most recently used one
            return sessions

    def _usable_list(self, key: Hashable, now: float) -> SessionList | None:
        sessions = self._lists.get(key)
        if sessions is None or sessions.is_usable(now):
            return sessions
        # While a reader hangs, no second one is started.
        return sessions.as_incomplete(now) if self._is_reading(key) else None

    def _evict(self, current: SessionList | None) -> None:
        """Drop the least recently used lists, but never one that is being read."""
        size = current.size if current else 0
        for number, key in enumerate(reversed(list(self._lists)), 2):
            size += self._lists[key].size
            if self._lists[key].finished is not None and (number > MAX_LISTS or size > MAX_TOTAL_BYTES):
                del self._lists[key]

    def _start_reading(
        self, key: Hashable, open_list: Callable[[], Generator[dict[str, Any], None, None]]
    ) -> SessionList:
        self._reading = {other: one for other, one in self._reading.items() if one.finished is None}
        if key in self._reading or len(self._reading) >= MAX_READERS:
            raise BusyError
        sessions = SessionList()
        try:
            threading.Thread(target=sessions.read, args=(open_list,), name="learning360-sessions", daemon=True).start()
        except RuntimeError:  # the machine has no thread left
            raise BusyError from None
        self._reading[key] = sessions
        return sessions

    def _is_reading(self, key: Hashable) -> bool:
        return key in self._reading and self._reading[key].finished is None


def _seconds_since_epoch(start: str | None) -> float:
    return (datetime.fromisoformat(start) - _EPOCH).total_seconds() if start else inf


def utc_now() -> datetime:
    """Return the current time in UTC."""
    return datetime.now(tz=UTC)
