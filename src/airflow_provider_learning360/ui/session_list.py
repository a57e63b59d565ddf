"""Find a program session by name: the list that the API gives only as a whole, read once a minute at most."""

from __future__ import annotations

import threading
import time
from contextlib import closing
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from airflow_provider_learning360.api.endpoints import checked_session_id
from airflow_provider_learning360.api.errors import InvalidIdError, LearningError, redact
from airflow_provider_learning360.api.models import read_date, write_date

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Hashable

FRESH = 60.0  # seconds for which a list is used
FAILED = 2.0  # seconds before a list that could not be read is asked for again
LONGEST = 120.0  # seconds that reading a list may take
MOST = 100_000  # sessions
SHOWN = 50


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
    def of(cls, item: dict[str, Any]) -> Found | None:
        """Return it out of an item of the API's list, or None if that is no session."""
        name, template = item.get("name"), item.get("programTemplate")
        try:
            session_id = checked_session_id(item.get("_id"))
        except InvalidIdError:
            return None
        return cls(
            session_id,
            redact(name) if isinstance(name, str) else "",
            template if isinstance(template, str) else None,
            *(_date(item.get(one)) for one in ("startDate", "endDate", "modifiedAt")),
        )


@dataclass
class SessionList:
    """
    The sessions of one connection, while they are read and afterwards.

    :param sessions: Those read so far.
    :param begun: When reading began, on the monotonic clock.
    :param finished: When reading ended, on the monotonic clock; None before.
    :param error: Why it could not be read to its end.
    :param lasts: Seconds for which it is used once it is read.
    """

    sessions: list[Found] = field(default_factory=list)
    begun: float = field(default_factory=lambda: time.monotonic())
    finished: float | None = None
    error: str | None = None
    lasts: float = FRESH

    def read(self, items: Callable[[], Generator[dict[str, Any], None, None]]) -> None:
        """
        Read the list; what goes wrong is kept for who asks.

        :param items: Opens the list.
        """
        try:
            with closing(items()) as listed:
                for item in listed:
                    if found := Found.of(item):
                        self.sessions.append(found)
                    if len(self.sessions) >= MOST or self._takes_too_long():
                        self.error = f"The list is too long for this page, which read {len(self.sessions):,} sessions."
                        break
        except LearningError as error:
            self.error, self.lasts = str(error), FAILED
        except BaseException:
            self.lasts = FAILED
            self.error = "The list of program sessions could not be read; the log of the API server says why."
            raise
        finally:
            self.finished = time.monotonic()

    def is_usable(self, now: float) -> bool:
        """Whether nobody needs to ask for it again."""
        if self.finished is None:
            return now - self.begun < LONGEST
        return now - self.finished < self.lasts

    def _takes_too_long(self) -> bool:
        return time.monotonic() - self.begun > LONGEST

    def search(self, text: str, now: datetime) -> dict[str, Any]:
        """
        Return the sessions whose name or ID has all words of a text; those that start or started nearest to now first.

        :param text: The words, in any case; none for all sessions.
        :param now: Time to sort by.
        """
        finished, read, words = self.finished, list(self.sessions), text.casefold().split()
        matching = [one for one in read if all(word in f"{one.name} {one.id}".casefold() for word in words)]
        matching.sort(key=lambda one: _distance(one.start, now))
        return {
            "sessions": [asdict(one) for one in matching[:SHOWN]],
            "matches": len(matching),
            "read": len(read),
            "complete": finished is not None,
            "age": None if finished is None else round(time.monotonic() - finished, 1),
            "error": self.error,
        }


class SessionLists:
    """The lists of all connections, each read in a thread of its own."""

    def __init__(self) -> None:
        self._lists: dict[Hashable, SessionList] = {}
        self._guard = threading.Lock()

    def of(self, connection: Hashable, items: Callable[[], Generator[dict[str, Any], None, None]]) -> SessionList:
        """
        Return the list of a connection: that of the last minute, or a fresh one that begins to be read.

        :param connection: What tells this platform, and who asks it, from others.
        :param items: Opens the list.
        """
        now = time.monotonic()
        with self._guard:
            # What nobody looks at any more is not kept.
            self._lists = {key: one for key, one in self._lists.items() if one.is_usable(now)}
            if connection not in self._lists:
                self._lists[connection] = _begun(items)
            return self._lists[connection]


def _begun(items: Callable[[], Generator[dict[str, Any], None, None]]) -> SessionList:
    one = SessionList()
    threading.Thread(target=one.read, args=(items,), name="learning360-sessions", daemon=True).start()
    return one


def _date(value: Any) -> str | None:
    try:
        moment = read_date(value)
        return write_date(moment) if isinstance(moment, datetime) else None
    except ValueError:
        return None


def _distance(start: str | None, now: datetime) -> float:
    return abs((datetime.fromisoformat(start) - now).total_seconds()) if start else float("inf")


def now() -> datetime:
    """Return the time."""
    return datetime.now(tz=UTC)
