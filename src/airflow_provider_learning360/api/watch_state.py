"""What an event-driven watch knows of its sessions, and what each look at them means for it."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal, NotRequired, TypedDict

from airflow_provider_learning360.api.changes import PEOPLE_FIELDS, Change, StoredWatermark, Watermark, find_change

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from airflow_provider_learning360.api.models import ProgramSession

OnGone = Literal["ignore", "event"]
PollKind = Literal["auto", "single", "list"]


class StoredKnown(StoredWatermark):
    """What is stored of one session: its watermark, whether it is gone, and how often it was found missing."""

    gone: bool
    times_gone: int


class ChangeEntry(TypedDict):
    """
    One session in an event.

    `kind` is `modified` or `missing`. A modified session has `modifiedAt`, with `from` and `to`, and `changes`: the
    watched fields that differ, each with `from` and `to`, or empty where the values name people or are long. A missing
    session has `times`: how often it was found missing.
    """

    _id: str
    kind: Literal["modified", "missing"]
    modifiedAt: NotRequired[dict[str, str]]
    changes: NotRequired[dict[str, dict[str, Any]]]
    times: NotRequired[int]


class EventPayload(TypedDict):
    """The payload of the event of a watched asset, as Airflow stores it."""

    sessions: list[ChangeEntry]


# Sessions in one event; more of them wait for the next look. An event is one row of Airflow's database.
MAX_CHANGES_PER_EVENT = 500
# What is known of sessions is stored in so many pieces: 10,000 sessions make no value that a database would mind, and
# one change writes one small piece.
SHARD_KEY_PREFIX = "learning360_watermarks_"  # how the keys begin under which they are stored
SHARDS = 64


def shard_of(session_id: str) -> str:
    """Return the name of the piece that holds what is known of a session."""
    # The end of an ID counts up, so that the pieces grow alike.
    return f"{int(session_id[-2:], 16) % SHARDS:02d}"


@dataclass(frozen=True)
class SessionState:
    """
    What is known of one session.

    :param watermark: What it was when it was last reported, or first seen.
    :param gone: Whether it was found missing since.
    :param times_gone: How often it was found missing, ever.
    """

    watermark: Watermark
    gone: bool = False
    times_gone: int = 0

    def to_dict(self) -> StoredKnown:
        """Return it as JSON."""
        return {**self.watermark.to_dict(), "gone": self.gone, "times_gone": self.times_gone}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> SessionState:
        """
        Return what `to_dict` wrote.

        :raises ValueError: It is something else.
        """
        try:
            return cls(Watermark.from_dict(data), bool(data["gone"]), int(data["times_gone"]))
        except (KeyError, TypeError) as error:
            raise ValueError(f"no watermark: {error}") from None


@dataclass(eq=False)
class ChangeBatch:
    """
    What one look found out for one watch: the content of one event.

    :param sessions: One entry for each session that was modified, or is gone.
    :param confirmed: Whether the event is in Airflow's database.
    """

    sessions: list[ChangeEntry] = field(default_factory=list)
    is_stored: bool = False

    def payload(self) -> EventPayload:
        """Return the payload of the event: IDs, times and values, and no people."""
        return {"sessions": self.sessions}


class WatchState:
    """
    The watch over the sessions of one asset.

    `observed` runs ahead of `acknowledged`. A change is reported from `observed`. It moves to `acknowledged`, which is
    what gets stored, when Airflow has confirmed that the event is in its database. In between, each session has a queue
    of states. A state leaves the queue when it needs no confirmation any more and all before it have left. So nothing
    is ever stored that was made of an unconfirmed state, in whatever order the confirmations come.

    :param session_ids: IDs of the sessions, or None for all of the platform.
    :param watch: Names of the fields of which one must differ; empty for any modification.
    :param on_missing: What a session that disappears means: `ignore` or `event`.
    :param kept: What was stored before.
    """

    def __init__(
        self,
        session_ids: Iterable[str] | None,
        watch: Sequence[str] = (),
        on_missing: OnGone = "ignore",
        acknowledged: Mapping[str, SessionState] | None = None,
    ) -> None:
        self.session_ids = None if session_ids is None else frozenset(session_ids)
        self.watch = tuple(watch)
        self.on_missing = on_missing
        self.observed: dict[str, SessionState] = {}
        self.acknowledged: dict[str, dict[str, SessionState]] = {}  # by piece: one of them is written at a time
        self.dirty_shards: set[str] = set()
        self.batch = ChangeBatch()
        self._unconfirmed: dict[str, deque[tuple[ChangeBatch | None, SessionState]]] = {}
        # The `modifiedAt` that was looked at last, as it was sent: the same again can be nothing new.
        self._looked_at: dict[str, Any] = {}
        self._never_seen: set[str] = set()
        for session_id, known in (acknowledged or {}).items():
            if self.wants(session_id):
                self.observed[session_id] = known
                self._shard_of(session_id)[session_id] = known

    def wants(self, session_id: str) -> bool:
        """Whether this watch is about that session."""
        return self.session_ids is None or session_id in self.session_ids

    def is_there(self, session_id: str) -> bool:
        """Whether the session was there at the last look, or has not been looked at."""
        known = self.observed.get(session_id)
        return session_id not in self._never_seen if known is None else not known.gone

    def is_news(self, session_id: str, sent: Any) -> bool:
        """
        Whether a look at the session may find anything.

        :param session_id: ID of the session.
        :param sent: Its `modifiedAt` as the API sent it.
        """
        known = self.observed.get(session_id)
        return known is None or known.gone or self._looked_at.get(session_id) != sent

    def observe(self, session: ProgramSession, sent: Any) -> bool:
        """
        Take in a session; return whether this was the first sight of it, which is no change.

        :param session: The session as it is now.
        :param sent: Its `modifiedAt` as the API sent it.
        :raises ContractError: The session has no `modifiedAt`.
        """
        known = self.observed.get(session.id)
        if known is None:
            self._keep(SessionState(Watermark.of(session, self.watch)))
        elif len(self.batch.sessions) >= MAX_CHANGES_PER_EVENT:
            return False  # the next look finds it again
        else:
            self._compare(session, known)
        self._looked_at[session.id] = sent
        return known is None

    def observe_missing(self, session_id: str) -> bool:
        """
        Take in that there is no such session; return whether that is news.

        :param session_id: ID of the session.
        """
        known = self.observed.get(session_id)
        if known is None:
            is_news = session_id not in self._never_seen
            self._never_seen.add(session_id)
            return is_news
        if known.gone or len(self.batch.sessions) >= MAX_CHANGES_PER_EVENT:
            return False
        gone = replace(known, gone=True, times_gone=known.times_gone + 1)
        if self.on_missing == "event":
            # Counted, so that a second disappearance is told from a repeated event of the first.
            self._report({"_id": session_id, "kind": "missing", "times": gone.times_gone}, gone)
        else:
            self._keep(gone)
        return True

    def take_pending(self) -> ChangeBatch | None:
        """Return what was found since the last report, or None."""
        found, self.batch = self.batch, ChangeBatch()
        return found if found.sessions else None

    def acknowledge(self, found: ChangeBatch) -> None:
        """
        Take in that the event of these findings is in Airflow's database.

        :param found: What `take_pending` returned.
        """
        found.is_stored = True
        for session_id in {entry["_id"] for entry in found.sessions}:
            self._settle(session_id)

    def shard(self, name: str) -> dict[str, StoredKnown]:
        """Return a piece of what is to be stored, as JSON."""
        return {session_id: known.to_dict() for session_id, known in self.acknowledged.get(name, {}).items()}

    def _compare(self, session: ProgramSession, known: SessionState) -> None:
        mark = known.watermark
        if mark.watch != self.watch:
            # Stored when other fields were watched. What was not watched then counts as changed, rather than lose a
            # change; if the session was not modified since, there is none to lose.
            mark = replace(mark, watch=self.watch)
            fresh = Watermark.of(session, self.watch)
            if fresh.modified_at == mark.modified_at:
                mark = fresh
                self._keep(replace(known, watermark=mark))
        change = find_change(session, mark)
        if change is not None:
            self._report(
                build_change_entry(change), replace(known, watermark=Watermark.of(session, self.watch), gone=False)
            )
        elif known.gone:
            self._keep(replace(known, watermark=mark, gone=False))

    def _report(self, entry: ChangeEntry, known: SessionState) -> None:
        self.batch.sessions.append(entry)
        self._queue(known, self.batch)

    def _keep(self, known: SessionState) -> None:
        """Take in a state that is in no event."""
        self._queue(known, None)

    def _queue(self, known: SessionState, found: ChangeBatch | None) -> None:
        session_id = known.watermark.session_id
        self.observed[session_id] = known
        states = self._unconfirmed.setdefault(session_id, deque())
        if states and found is None and states[-1][0] is None:
            states.pop()  # a session that comes and goes while Airflow is silent makes no long queue
        states.append((found, known))
        self._settle(session_id)

    def _settle(self, session_id: str) -> None:
        """Move the states of a session to what is kept, up to the first that is in an unconfirmed event."""
        states = self._unconfirmed.get(session_id)
        while states:
            found, known = states[0]
            if found is not None and not found.is_stored:
                return
            states.popleft()
            self._shard_of(session_id)[session_id] = known
            self.dirty_shards.add(shard_of(session_id))
        self._unconfirmed.pop(session_id, None)

    def _shard_of(self, session_id: str) -> dict[str, SessionState]:
        return self.acknowledged.setdefault(shard_of(session_id), {})


def build_change_entry(change: Change) -> ChangeEntry:
    """
    Return what an event says of a change: names of fields, and their values where those are not people or long.

    :param change: The change.
    """
    fields = change.to_dict()
    moved = fields.pop("modifiedAt")
    shown = {name: {} if _withheld(name, values) else values for name, values in fields.items()}
    return {"_id": change.session_id, "kind": "modified", "modifiedAt": moved, "changes": shown}


def _withheld(name: str, values: Mapping[str, Any]) -> bool:
    # A fingerprint of a few mail addresses can be guessed back, so not even that leaves the watermark.
    return name in PEOPLE_FIELDS or any(isinstance(value, dict) and "sha256" in value for value in values.values())


def read_session_states(stored: Mapping[str, Any]) -> tuple[dict[str, SessionState], list[str]]:
    """
    Return what a stored piece says, and the sessions of which it says nothing that is readable.

    :param stored: The piece: for each session what `SessionState.to_dict` wrote.
    """
    known: dict[str, SessionState] = {}
    unreadable = []
    for session_id, data in stored.items():
        try:
            known[session_id] = SessionState.from_dict(data)
        except ValueError:
            unreadable.append(session_id)
    return known, unreadable
