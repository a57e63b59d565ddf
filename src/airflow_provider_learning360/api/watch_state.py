"""What a watcher knows about its sessions, and what each poll means for it."""

from __future__ import annotations

import hashlib
import json
import secrets
from collections import deque
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal, NotRequired, TypedDict

from airflow_provider_learning360.api.changes import (
    PEOPLE_FIELDS,
    Change,
    FieldChange,
    StoredWatermark,
    Watermark,
    add_unknown,
    carry_over,
    find_change,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from airflow_provider_learning360.api.models import ProgramSession

WatchOnMissing = Literal["ignore", "event"]
PollKind = Literal["auto", "single", "list"]


class StoredSessionState(StoredWatermark):
    """What is stored of one session: its watermark, and what `SessionState` keeps beside it."""

    gone: bool
    times_gone: int
    times_untimed: NotRequired[int]  # absent where it is 0; earlier versions wrote none
    salt: NotRequired[str]


class ChangeEntry(TypedDict):
    """
    One session in an event.

    `kind` is `modified` or `missing`. A modified session has `modifiedAt`, with `from` and `to`, and `changes`: the
    watched fields that differ, each with `from` and `to`, or empty where the values name people or are long. A missing
    session has `times`: how often it was found missing.

    A change that did not move `modifiedAt` has `times`: the number of such changes of the session. Its `state` is a
    hash of the watched fields: it is the same in a repeated event, and another one after a further change.
    """

    _id: str
    kind: Literal["modified", "missing"]
    modifiedAt: NotRequired[FieldChange]
    changes: NotRequired[dict[str, FieldChange]]
    times: NotRequired[int]
    state: NotRequired[str]


class EventPayload(TypedDict):
    """The payload of the event of a watched asset, as Airflow stores it."""

    sessions: list[ChangeEntry]


# Most changes in one event, which is one row of Airflow's database. Further events report the others.
MAX_CHANGES_PER_EVENT = 500
# Number of shards for the watermarks of an asset. 10,000 sessions would be too large for one stored value. A change
# writes one small shard.
SHARD_KEY_PREFIX = "learning360_watermarks_"
SHARDS = 64


def shard_of(session_id: str) -> str:
    """
    Return the shard of a session.

    :param session_id: ID of the session.
    :returns: Two digits.
    """
    # The end of an ID is a counter, so that the shards grow evenly.
    return f"{int(session_id[-2:], 16) % SHARDS:02d}"


# Under which a poller stores how its polls went.
POLLING_KEY = "learning360_polling"


class StoredPolling(TypedDict):
    """How the polls of a poller went: ISO times of the last that succeeded, and of the first of those that failed."""

    polled_at: str | None
    failing_since: str | None


@dataclass(frozen=True)
class SessionState:
    """
    The state of one session.

    :param watermark: The session when it was last reported, or first observed.
    :param gone: Whether it was missing at the last poll; default False.
    :param times_gone: How often it has disappeared; default 0.
    :param times_untimed: How often it has changed without a later `modifiedAt`; default 0.
    :param salt: Random text in the `state` of such changes, so that nobody can guess values from it; default none yet.
    """

    watermark: Watermark
    gone: bool = False
    times_gone: int = 0
    times_untimed: int = 0
    salt: str = ""

    def to_dict(self) -> StoredSessionState:
        """
        Return the state as JSON.

        :returns: What `from_dict` reads.
        """
        mark = self.watermark.to_dict()
        stored = StoredSessionState(
            session_id=mark["session_id"],
            modified_at=mark["modified_at"],
            watched=mark["watched"],
            watch=mark["watch"],
            gone=self.gone,
            times_gone=self.times_gone,
        )
        if "version" in mark:
            stored["version"] = mark["version"]
        if self.times_untimed:
            stored["times_untimed"] = self.times_untimed
        if self.salt:
            stored["salt"] = self.salt
        return stored

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> SessionState:
        """
        Return the state that `to_dict` wrote.

        :param data: The state as JSON.
        :returns: The state.
        :raises ValueError: The data is not such a state.
        """
        try:
            return cls(
                Watermark.from_dict(data),
                bool(data["gone"]),
                int(data["times_gone"]),
                int(data.get("times_untimed", 0)),
                str(data.get("salt", "")),
            )
        except (KeyError, TypeError) as error:
            raise ValueError(f"the stored state is not readable: {error}") from None


@dataclass(eq=False)
class ChangeBatch:
    """
    The changes of one event of a watcher.

    :param sessions: One entry for each session that was modified or has disappeared; default none.
    :param is_stored: Whether the event is in Airflow's database; default False.
    """

    sessions: list[ChangeEntry] = field(default_factory=list)
    is_stored: bool = False

    def payload(self) -> EventPayload:
        """
        Return the payload of the event.

        :returns: IDs, times and values, without people.
        """
        return {"sessions": self.sessions}


class WatchState:
    """
    The watcher of the sessions of one asset.

    `observed` is ahead of `acknowledged`. A change is reported from `observed`. It moves to `acknowledged`, which is
    stored, once Airflow has acknowledged the event. In between, each session has a queue of states. A state leaves the
    queue when it needs no acknowledgement and all states before it have left. So no state is stored that depends on an
    event that Airflow has not acknowledged, in whatever order the acknowledgements arrive.

    :param session_ids: IDs of the sessions, or None for all of the platform.
    :param watch: Names of the fields to watch: a change is reported if at least one of them differs. Default any
        modification.
    :param on_missing: What happens when a session disappears: `ignore` (default) or `event`.
    :param acknowledged: The stored states, by ID of the session; default none.
    """

    def __init__(
        self,
        session_ids: Iterable[str] | None,
        watch: Sequence[str] = (),
        on_missing: WatchOnMissing = "ignore",
        acknowledged: Mapping[str, SessionState] | None = None,
    ) -> None:
        self.session_ids = None if session_ids is None else frozenset(session_ids)
        self.watch = tuple(watch)
        self.on_missing = on_missing
        self.observed: dict[str, SessionState] = {}
        self.acknowledged: dict[str, dict[str, SessionState]] = {}  # by shard: shards are written one at a time
        self.dirty_shards: set[str] = set()
        self._batches: deque[ChangeBatch] = deque()
        self._unacknowledged: dict[str, deque[tuple[ChangeBatch | None, SessionState]]] = {}
        # The `modifiedAt` of the last poll as it was sent: the same text cannot be a change.
        self._last_sent: dict[str, Any] = {}
        self._never_observed: set[str] = set()
        for session_id, known in (acknowledged or {}).items():
            if self.wants(session_id):
                self.observed[session_id] = known
                self._shard_of(session_id)[session_id] = known

    def wants(self, session_id: str) -> bool:
        """
        Whether the watcher is interested in a session.

        :param session_id: ID of the session.
        """
        return self.session_ids is None or session_id in self.session_ids

    def is_there(self, session_id: str) -> bool:
        """
        Whether the session existed at the last poll, or was not polled yet.

        :param session_id: ID of the session.
        """
        known = self.observed.get(session_id)
        return session_id not in self._never_observed if known is None else not known.gone

    def may_have_changed(self, session_id: str, sent: Any) -> bool:
        """
        Whether comparing the session may find a change.

        :param session_id: ID of the session.
        :param sent: Its `modifiedAt` as the API sent it.
        """
        known = self.observed.get(session_id)
        return known is None or known.gone or self._last_sent.get(session_id) != sent

    def forget_sent(self) -> None:
        """Compare all sessions at the next poll: the connection may speak another version of the API now."""
        self._last_sent.clear()

    def observe(self, session: ProgramSession, sent: Any) -> bool:
        """
        Observe a session.

        :param session: The session as it is now.
        :param sent: Its `modifiedAt` as the API sent it.
        :returns: Whether it was observed for the first time, which is not a change.
        :raises ContractError: The session has no `modifiedAt`.
        """
        known = self.observed.get(session.id)
        if known is None:
            salt = _new_salt() if self._has_untimed(session) else ""
            self._queue_without_event(SessionState(Watermark.of(session, self.watch), salt=salt))
        else:
            self._compare(session, known)
        self._last_sent[session.id] = sent
        return known is None

    def observe_missing(self, session_id: str) -> bool:
        """
        Observe that a session does not exist.

        :param session_id: ID of the session.
        :returns: Whether this is new to the watcher.
        """
        known = self.observed.get(session_id)
        if known is None:
            is_new = session_id not in self._never_observed
            self._never_observed.add(session_id)
            return is_new
        if known.gone:
            return False
        gone = replace(known, gone=True, times_gone=known.times_gone + 1)
        if self.on_missing == "event":
            # Counted, so that a second disappearance differs from a repeated event of the first.
            self._report({"_id": session_id, "kind": "missing", "times": gone.times_gone}, gone)
        else:
            self._queue_without_event(gone)
        return True

    def take_pending(self) -> ChangeBatch | None:
        """
        Take the changes that were not taken yet, at most as many as an event may have.

        :returns: The changes, or None if there are no more.
        """
        return self._batches.popleft() if self._batches else None

    def acknowledge(self, found: ChangeBatch) -> None:
        """
        Acknowledge that the event of these changes is in Airflow's database.

        :param found: What `take_pending` returned.
        """
        found.is_stored = True
        for session_id in {entry["_id"] for entry in found.sessions}:
            self._move_acknowledged(session_id)

    def shard(self, name: str) -> dict[str, StoredSessionState]:
        """
        Return a shard as it is stored.

        :param name: Name of the shard.
        :returns: The states as JSON, by ID of the session.
        """
        return {session_id: known.to_dict() for session_id, known in self.acknowledged.get(name, {}).items()}

    def _compare(self, session: ProgramSession, known: SessionState) -> None:
        if self._has_untimed(session) and not known.salt:
            # Stored without an event: the events that have it come later.
            known = replace(known, salt=_new_salt())
            self._queue_without_event(known)
        mark = carry_over(known.watermark, session)
        if mark is not known.watermark:
            known = replace(known, watermark=mark)
            self._queue_without_event(known)
        if mark.watch != self.watch:
            # This watermark was stored when other fields were watched. If the session was modified since, the newly
            # watched fields count as changed. So no change is lost.
            mark = _watch_also(mark, Watermark.of(session, self.watch))
            if mark.modified_at == session.modified_at:
                known = replace(known, watermark=mark)
                self._queue_without_event(known)
        if (extended := add_unknown(mark, session)) is not mark:
            mark, known = extended, replace(known, watermark=extended)
            self._queue_without_event(known)
        change = find_change(session, mark)
        if change is not None:
            self._report_change(change, session, known)
        elif known.gone:
            self._queue_without_event(replace(known, watermark=mark, gone=False))

    def _report_change(self, change: Change, session: ProgramSession, known: SessionState) -> None:
        entry, after = build_change_entry(change), Watermark.of(session, self.watch)
        times = known.times_untimed
        if change.is_untimed:
            times += 1
            entry["times"], entry["state"] = times, _state_of(after, known.salt)
        self._report(entry, replace(known, watermark=after, gone=False, times_untimed=times))

    def _has_untimed(self, session: ProgramSession) -> bool:
        return not session.coverage.untimed.isdisjoint(self.watch)

    def _report(self, entry: ChangeEntry, known: SessionState) -> None:
        if not self._batches or len(self._batches[-1].sessions) >= MAX_CHANGES_PER_EVENT:
            self._batches.append(ChangeBatch())
        self._batches[-1].sessions.append(entry)
        self._queue(known, self._batches[-1])

    def _queue_without_event(self, known: SessionState) -> None:
        """Queue a state that belongs to no event."""
        self._queue(known, None)

    def _queue(self, known: SessionState, found: ChangeBatch | None) -> None:
        session_id = known.watermark.session_id
        self.observed[session_id] = known
        states = self._unacknowledged.setdefault(session_id, deque())
        if states and found is None and states[-1][0] is None:
            # Keeps the queue short if a session disappears and reappears while Airflow acknowledges nothing.
            states.pop()
        states.append((found, known))
        self._move_acknowledged(session_id)

    def _move_acknowledged(self, session_id: str) -> None:
        """Move states of a session to `acknowledged`, up to the first whose event is not acknowledged."""
        states = self._unacknowledged.get(session_id)
        while states:
            found, known = states[0]
            if found is not None and not found.is_stored:
                return
            states.popleft()
            self._shard_of(session_id)[session_id] = known
            self.dirty_shards.add(shard_of(session_id))
        self._unacknowledged.pop(session_id, None)

    def _shard_of(self, session_id: str) -> dict[str, SessionState]:
        return self.acknowledged.setdefault(shard_of(session_id), {})


def _watch_also(mark: Watermark, present: Watermark) -> Watermark:
    """Return a watermark that has the present watched fields, with the earlier values of those watched before."""
    if present.modified_at != mark.modified_at:
        return replace(mark, watch=present.watch)
    values = {name: value for name, value in present.watched.items() if name not in mark.watch}
    values |= {name: value for name, value in mark.watched.items() if name in present.watch}
    return replace(present, watched=values)


def _new_salt() -> str:
    return secrets.token_hex(8)


def _state_of(watermark: Watermark, salt: str) -> str:
    text = salt + json.dumps(watermark.watched, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def build_change_entry(change: Change) -> ChangeEntry:
    """
    Build the entry of an event for a change: the changed fields, with values unless these are long or name people.

    :param change: The change.
    :returns: The entry.
    """
    fields = change.to_dict()
    moved = fields.pop("modifiedAt")
    shown: dict[str, FieldChange] = {
        name: {} if _is_withheld(name, values) else values for name, values in fields.items()
    }
    return {"_id": change.session_id, "kind": "modified", "modifiedAt": moved, "changes": shown}


def _is_withheld(name: str, values: Mapping[str, Any]) -> bool:
    # Mail addresses can be guessed from a fingerprint of a few, so fingerprints stay in the watermark.
    return name in PEOPLE_FIELDS or any(isinstance(value, dict) and "sha256" in value for value in values.values())


def read_session_states(stored: Mapping[str, Any]) -> tuple[dict[str, SessionState], list[str]]:
    """
    Read a stored shard.

    :param stored: The shard: for each session what `SessionState.to_dict` wrote.
    :returns: The states by ID, and the IDs of sessions whose state cannot be read.
    """
    known: dict[str, SessionState] = {}
    unreadable = []
    for session_id, data in stored.items():
        try:
            known[session_id] = SessionState.from_dict(data)
        except ValueError:
            unreadable.append(session_id)
    return known, unreadable
