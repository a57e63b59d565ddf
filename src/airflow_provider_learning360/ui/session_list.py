"""Find a program session by name: the list that the API gives only as a whole, read once a minute at most."""

from __future__ import annotations

import logging
import threading
import time
from contextlib import closing
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from heapq import nsmallest
from math import inf
from sys import getsizeof
from typing import TYPE_CHECKING, Any

from airflow_provider_learning360.api.errors import InvalidIdError, LearningError
from airflow_provider_learning360.api.models import format_date, parse_date
from airflow_provider_learning360.api.session_ids import require_session_id
from airflow_provider_learning360.ui.text import readable_name, readable_text, redacted_name
from airflow_provider_learning360.ui.unexpected import log_unexpected

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Hashable, Iterable

log = logging.getLogger(__name__)

FRESH = 60.0  # seconds for which a list is used
FAILED = 2.0  # seconds before a list that could not be read is asked for again
LONGEST = 120.0  # seconds that reading a list may take
MOST = 100_000  # sessions of one list
MOST_BYTES = 96 * 2**20  # of one list
MOST_LISTS = 8  # that are kept
MOST_BYTES_OF_ALL = 192 * 2**20  # of the lists that are read to their end
READERS = 4  # lists that are read at the same time
SHOWN = 50
NAME = 300  # characters of the name of a session, and of its template
SEARCH = 200  # characters of what is searched for
WORDS = 20

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_OF_A_ROW = 300  # bytes of a session beside its texts


class BusyError(Exception):
    """As many lists as may be are being read."""


@dataclass(frozen=True, slots=True)
class Found:
    """
    What the page shows of a session in a list.

    :param id: Its ID.
    :param name: Its name, on one line, without mail addresses.
    :param template: ID of its program template.
    :param start: `startDate`, UTC.
    :param end: `endDate`, UTC.
    :param modified: `modifiedAt`, UTC.
    """

    id: str
    name: str
    template: str | None
    start: str | None
    end: str | None
    modified: str | None

    @classmethod
    def of(cls, item: Any) -> Found | None:
        """Return it out of an item of the API's list, or None if a field that is shown cannot be read."""
        # An ID without any field stands for an entry that the hook could not read.
        if not isinstance(item, dict) or item.keys() <= {"_id"}:
            return None
        name, template = item.get("name"), item.get("programTemplate")
        if not (isinstance(name, str | None) and isinstance(template, str | None)):
            return None
        try:
            return cls(
                _id(item.get("_id")),
                redacted_name(name or "", NAME),
                template if template is None else readable_name(template, NAME),
                *(_date(item.get(one)) for one in ("startDate", "endDate", "modifiedAt")),
            )
        except (InvalidIdError, ValueError):
            return None

    @property
    def size(self) -> int:
        """How many bytes of memory it takes."""
        return sum(map(getsizeof, (self.id, self.name, self.template, self.start, self.end, self.modified)))


@dataclass
class SessionList:
    """
    The sessions of one connection, while they are read and afterwards.

    :param sessions: Those read so far.
    :param unreadable: Entries so far that could not be read and were left out.
    :param begun: When reading began, on the monotonic clock.
    :param finished: When reading ended, on the monotonic clock; None before.
    :param error: Why it could not be read to its end.
    :param lasts: Seconds for which it is used once it is read.
    :param size: Bytes of memory that it takes.
    """

    sessions: list[Found] = field(default_factory=list)
    unreadable: int = 0
    begun: float = field(default_factory=lambda: time.monotonic())
    finished: float | None = None
    error: str | None = None
    lasts: float = FRESH
    size: int = 0
    _texts: list[str] = field(default_factory=list)  # what is searched in
    _starts: list[float] = field(default_factory=list)  # in seconds; the last of the three lists that grows

    def read(self, items: Callable[[], Generator[dict[str, Any], None, None]]) -> None:
        """
        Read the list; what goes wrong is kept for who asks.

        :param items: Opens the list.
        """
        try:
            with closing(items()) as listed:
                self._read(listed)
        except LearningError as error:
            self.error, self.lasts = readable_text(str(error)), FAILED
        except Exception as error:  # noqa: BLE001 - logged, and told to the user
            self._fail()
            log_unexpected(log, "reading a list of program sessions for the page", error)
        except BaseException:
            self._fail()
            raise
        finally:
            self.finished = time.monotonic()

    def is_usable(self, now: float) -> bool:
        """Whether nobody needs to ask for it again."""
        if self.finished is None:
            return now - self.begun < LONGEST
        return now - self.finished < self.lasts

    def given_up(self, now: float) -> SessionList:
        """
        Return a list that ends with what this one has read so far, as its reader still waits for more.

        :param now: Time on the monotonic clock.
        """
        read = len(self._starts)
        return SessionList(
            sessions=self.sessions[:read],
            unreadable=self.unreadable,
            begun=self.begun,
            finished=now,
            error=f"360Learning did not send the whole list within {LONGEST:.0f} seconds. Try again later.",
            size=self.size,
            _texts=self._texts[:read],
            _starts=self._starts[:read],
        )

    def _read(self, listed: Iterable[Any]) -> None:
        for item in listed:
            if found := Found.of(item):
                self._add(found)
            else:
                self.unreadable += 1
            too_long = len(self.sessions) + self.unreadable >= MOST or self.size >= MOST_BYTES
            if too_long or time.monotonic() - self.begun > LONGEST:
                self.error = f"The list is too long for this page, which read {len(self.sessions):,} sessions."
                return

    def _add(self, found: Found) -> None:
        text = f"{found.name} {found.id}".casefold()
        self.size += _OF_A_ROW + found.size + getsizeof(text)
        self.sessions.append(found)
        self._texts.append(text)
        self._starts.append(_seconds(found.start))

    def _fail(self) -> None:
        self.lasts = FAILED
        self.error = "The list of program sessions could not be read; the log of the API server says why."

    def search(self, text: str, now: datetime) -> dict[str, Any]:
        """
        Return the sessions whose name or ID has all words of a text; those that start or started nearest to now first.

        :param text: The words, in any case; none for all sessions.
        :param now: Time to sort by.
        """
        finished, read = self.finished, len(self._starts)
        words = list(dict.fromkeys(text[:SEARCH].casefold().split()))[:WORDS]
        matching = list(range(read))
        for word in words:
            matching = [row for row in matching if word in self._texts[row]]
        at = (now - _EPOCH).total_seconds()
        nearest = nsmallest(SHOWN, matching, key=lambda row: abs(self._starts[row] - at))
        return {
            "sessions": [asdict(self.sessions[row]) for row in nearest],
            "matches": len(matching),
            "read": read,
            "unreadable": self.unreadable,
            "complete": finished is not None,
            "age": None if finished is None else round(time.monotonic() - finished, 1),
            "error": self.error,
        }


class SessionLists:
    """The lists of all connections, each read in a thread of its own; there are never many of either."""

    def __init__(self) -> None:
        self._lists: dict[Hashable, SessionList] = {}
        self._reading: dict[Hashable, SessionList] = {}  # also those whose reader hangs
        self._guard = threading.Lock()

    def of(self, connection: Hashable, items: Callable[[], Generator[dict[str, Any], None, None]]) -> SessionList:
        """
        Return the list of a connection: that of the last minute, or a fresh one that begins to be read.

        :param connection: What tells this platform, and who asks it, from others.
        :param items: Opens the list.
        :raises BusyError: It would have to be read, and as many as may be are being read.
        """
        now = time.monotonic()
        with self._guard:
            one = self._current(connection, now)
            # What nobody looks at any more is not kept.
            self._lists = {key: kept for key, kept in self._lists.items() if key != connection and kept.is_usable(now)}
            self._make_room(one)
            if one is None:
                one = self._begin(connection, items)
            self._lists[connection] = one  # the last one is the one that was used last
            return one

    def _current(self, connection: Hashable, now: float) -> SessionList | None:
        """Return the list that is there, if it is still to be used."""
        one = self._lists.get(connection)
        if one is None or one.is_usable(now):
            return one
        # One reader that hangs is enough.
        return one.given_up(now) if self._is_reading(connection) else None

    def _make_room(self, one: SessionList | None) -> None:
        """Drop the lists that were not used for longest, never one that is being read."""
        size = one.size if one else 0
        for number, key in enumerate(reversed(list(self._lists)), 2):
            size += self._lists[key].size
            if self._lists[key].finished is not None and (number > MOST_LISTS or size > MOST_BYTES_OF_ALL):
                del self._lists[key]

    def _begin(self, connection: Hashable, items: Callable[[], Generator[dict[str, Any], None, None]]) -> SessionList:
        self._reading = {key: one for key, one in self._reading.items() if one.finished is None}
        if connection in self._reading or len(self._reading) >= READERS:
            raise BusyError
        one = SessionList()
        try:
            threading.Thread(target=one.read, args=(items,), name="learning360-sessions", daemon=True).start()
        except RuntimeError:  # the machine has no thread left
            raise BusyError from None
        self._reading[connection] = one
        return one

    def _is_reading(self, connection: Hashable) -> bool:
        return connection in self._reading and self._reading[connection].finished is None


def _id(value: Any) -> str:
    if not isinstance(value, str):
        raise InvalidIdError("The entry has no ID.")
    return require_session_id(value)


def _date(value: Any) -> str | None:
    if value is None or value == "":
        return None
    moment = parse_date(value)
    if not isinstance(moment, datetime):
        raise ValueError("it is no date")  # noqa: TRY004 - one kind of error for all that is no date
    return format_date(moment)


def _seconds(start: str | None) -> float:
    return (datetime.fromisoformat(start) - _EPOCH).total_seconds() if start else inf


def now() -> datetime:
    """Return the time."""
    return datetime.now(tz=UTC)
