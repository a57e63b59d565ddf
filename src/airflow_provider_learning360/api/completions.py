"""Which completions of sessions are new, and what is stored to know that."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, Literal, TypedDict

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from airflow_provider_learning360.api.messages import Response

# How much later than its time a completion may become visible: commits take time, and servers have clocks of their own.
COMMIT_LAG = timedelta(seconds=10)
# Most sessions in one event, which is one row of Airflow's database. The next poll reports the others.
MAX_SESSIONS_PER_EVENT = 500
# Most completions that are stored to tell them from new ones: about 50 kB, and Airflow advises against values above 64.
# Of more, the oldest may be repeated if the triggerer restarts before the next poll.
MAX_STORED_KEYS = 500
# A time that moves without a completion is stored this often: it only saves reading after a restart.
FLOOR_STEP = timedelta(hours=1)


class CompletionEntry(TypedDict):
    """One session in an event: how many learners have completed it since the event before, and when the last did."""

    _id: str
    kind: Literal["completed"]
    completed: int
    latest: str


class CompletionsPayload(TypedDict):
    """The payload of the event of `watched_completions`, as Airflow stores it."""

    completions: list[CompletionEntry]


class StoredCompletions(TypedDict):
    """
    What is stored of the watched completions of an asset.

    `floor` is the ISO time from which completions are read again, and `seen` has those at or after it that were
    reported: the ISO time by key.
    """

    floor: str
    seen: dict[str, str]


@dataclass(frozen=True, slots=True)
class Completion:
    """
    A learner has completed a session. Who it is, is not kept.

    :param session_id: ID of the session.
    :param key: What distinguishes it from all others, without naming a person.
    :param completed_at: When.
    """

    session_id: str
    key: str
    completed_at: datetime


@dataclass(eq=False)
class CompletionsBatch:
    """
    The completions of one event of a watcher.

    :param entries: One entry for each session.
    :param is_stored: Whether the event is in Airflow's database; default False.
    """

    entries: list[CompletionEntry]
    is_stored: bool = False

    def payload(self) -> CompletionsPayload:
        """
        Return the payload of the event.

        :returns: Sessions and counts, without people.
        """
        return {"completions": self.entries}


@dataclass
class _Step:
    """What a poll found, until Airflow has stored its event."""

    batch: CompletionsBatch | None
    floor: datetime
    keys: dict[str, datetime]


@dataclass(eq=False)
class CompletionsWatch:
    """
    The watcher of the completions of one asset.

    `seen` and `floor` are ahead of what is stored. A poll is stored once Airflow has acknowledged its event and those
    of all polls before it. So no completion is lost in a crash; at most, its event is repeated.

    :param session_ids: IDs of the sessions, or None for all of the platform.
    :param floor: Completions are read from this time on; None (default) before the first poll, which reports nothing.
    :param seen: The completions at or after it that are known, by key; default none.
    """

    session_ids: frozenset[str] | None
    floor: datetime | None = None
    seen: dict[str, datetime] = field(default_factory=dict)
    dirty: bool = field(default=False, init=False)
    _stored_floor: datetime | None = field(default=None, init=False)
    _stored_seen: dict[str, datetime] = field(default_factory=dict, init=False)
    _steps: deque[_Step] = field(default_factory=deque, init=False)
    # Of the poll that goes on: completions by session, the latest of each, their keys, and whether some are left over.
    _counts: Counter[str] = field(default_factory=Counter, init=False)
    _latest: dict[str, datetime] = field(default_factory=dict, init=False)
    _keys: dict[str, datetime] = field(default_factory=dict, init=False)
    _is_full: bool = field(default=False, init=False)
    _asked_at: datetime | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        self._stored_floor, self._stored_seen = self.floor, dict(self.seen)

    @classmethod
    def from_stored(cls, session_ids: Iterable[str] | None, stored: Mapping[str, Any] | None) -> CompletionsWatch:
        """
        Continue a watch.

        :param session_ids: IDs of the sessions, or None for all of the platform.
        :param stored: What `to_stored` returned; None if nothing is stored.
        :returns: The watch.
        :raises ValueError: It is not readable.
        """
        ids = None if session_ids is None else frozenset(session_ids)
        if stored is None:
            return cls(ids)
        try:
            seen = {key: _read_moment(moment) for key, moment in stored["seen"].items()}
            return cls(ids, _read_moment(stored["floor"]), seen)
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise ValueError(f"{type(error).__name__}: {error}") from None

    def since(self, now: datetime) -> datetime:
        """
        Return the time from which completions are to be read.

        :param now: The present time, by the clock of this machine.
        """
        self._asked_at = now
        return (self.floor or now - COMMIT_LAG).replace(microsecond=0)

    def observe(self, completions: Iterable[Completion]) -> None:
        """
        Add a page of completions; those that are known, or of other sessions, are left out.

        :param completions: The completions.
        """
        for one in completions:
            is_known = one.key in self.seen or (self.floor is not None and one.completed_at < self.floor)
            if not is_known and (self.session_ids is None or one.session_id in self.session_ids):
                self._add(one)

    def _add(self, one: Completion) -> None:
        is_first_poll, latest = self.floor is None, self._latest.get(one.session_id)
        if not is_first_poll and latest is None and len(self._latest) >= MAX_SESSIONS_PER_EVENT:
            self._is_full = True  # the next poll finds it again
            return
        self.seen[one.key] = self._keys[one.key] = one.completed_at
        if not is_first_poll:
            self._counts[one.session_id] += 1
            self._latest[one.session_id] = max(latest or one.completed_at, one.completed_at)

    def close_poll(
        self, server_time: datetime | None, *, is_complete: bool, took: timedelta = timedelta(0)
    ) -> CompletionsBatch | None:
        """
        End a poll.

        :param server_time: When the first response was sent, by the clock of the server; None if that is not known.
        :param is_complete: Whether everything could be read. If not, the next poll reads the rest.
        :param took: How long it took; default no time.
        :returns: What to make an event of, or None.
        """
        batch = CompletionsBatch(self._build_entries()) if self._counts else None
        floor = self._next_floor(server_time, took) if is_complete and not self._is_full else self.floor
        if floor is not None:
            self.floor = floor
            self.seen = _from(self.seen, floor)
            self._queue(_Step(batch, floor, self._keys))
            self._keys = {}
        self._counts, self._latest, self._is_full = Counter(), {}, False
        return batch

    def _build_entries(self) -> list[CompletionEntry]:
        from airflow_provider_learning360.api.models import format_date

        return [
            {
                "_id": session_id,
                "kind": "completed",
                "completed": count,
                "latest": format_date(self._latest[session_id]),
            }
            for session_id, count in self._counts.items()
        ]

    def _next_floor(self, server_time: datetime | None, took: timedelta) -> datetime | None:
        # A server may write its time after it has made the list. And a time in the future would hide what comes until
        # then, so the clock of this machine limits it.
        times = [server_time and server_time - took, self._asked_at]
        reached = min([one for one in times if one is not None], default=None)
        moved = reached and (reached - COMMIT_LAG).replace(microsecond=0)
        return max([one for one in (self.floor, moved) if one is not None], default=None)

    def acknowledge(self, batch: CompletionsBatch) -> None:
        """
        Note that the event of a poll is in Airflow's database.

        :param batch: What `close_poll` returned.
        """
        batch.is_stored = True
        self._move_acknowledged()

    def _queue(self, step: _Step) -> None:
        last = self._steps[-1] if self._steps else None
        if last is not None and last.batch is None and step.batch is None:
            # Keeps the queue short while Airflow acknowledges nothing.
            last.floor, last.keys = step.floor, last.keys | step.keys
        else:
            self._steps.append(step)
        self._move_acknowledged()

    def _move_acknowledged(self) -> None:
        """Move polls to what is stored, up to the first whose event is not acknowledged."""
        while self._steps and (self._steps[0].batch is None or self._steps[0].batch.is_stored):
            step = self._steps.popleft()
            is_late = self._stored_floor is None or step.floor - self._stored_floor >= FLOOR_STEP
            if step.keys or is_late:
                self._stored_floor = step.floor
                self._stored_seen = _from(self._stored_seen | step.keys, step.floor)
                self.dirty = True

    def to_stored(self) -> StoredCompletions | None:
        """Return what is stored, as JSON: no more than `MAX_STORED_KEYS` completions. None before the first poll."""
        if self._stored_floor is None:
            return None
        newest = sorted(self._stored_seen.items(), key=lambda item: item[1])[-MAX_STORED_KEYS:]
        return {"floor": self._stored_floor.isoformat(), "seen": {key: moment.isoformat() for key, moment in newest}}


def _read_moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("a time has no zone")
    return moment


def _from(seen: Mapping[str, datetime], floor: datetime) -> dict[str, datetime]:
    return {key: moment for key, moment in seen.items() if moment >= floor}


def server_time(response: Response) -> datetime | None:
    """
    Return when a response was sent, by the clock of the server.

    :param response: The response.
    :returns: The time, or None if it has no readable `Date`.
    """
    try:
        moment = parsedate_to_datetime(response.headers.get("date", ""))
    except (ValueError, OverflowError, TypeError):
        return None
    return moment if moment.tzinfo is not None else None
