"""Which events of a watched asset the runs of a DAG have acted on."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, NotRequired, TypedDict, TypeGuard

from airflow_provider_learning360.api.errors import InvalidIdError
from airflow_provider_learning360.api.session_ids import require_session_id
from airflow_provider_learning360.api.watch_state import shard_of
from airflow_provider_learning360.memory.asset_store import find_reader_store
from airflow_provider_learning360.operators.asset_events import AssetEvents, EventsNotListed

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from airflow_provider_learning360.api.watch_state import ChangeEntry
    from airflow_provider_learning360.operators.run_events import RunEvents

# How long after its timestamp an event may appear in the database, if several triggerers write at once.
MAX_EVENT_DELAY = timedelta(minutes=5)
# Number of events that are stored by ID and by time: a run may be queued while later events are read.
MAX_RECENT_EVENTS = 1000
# Below Airflow 3.2, an asset's events can only be listed all at once. Of an asset with more than that, only each run
# with such a number lists them.
MAX_LISTED_EVENTS = 5000
RARE_LISTING = 50
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class RecentEvents(TypedDict):
    """The events that were read last."""

    recent: list[int]  # their IDs
    recent_times: NotRequired[list[int]]  # their times, in microseconds; earlier versions wrote none


class Position(RecentEvents):
    """How far a ledger has read."""

    turn: int  # how often the position was written
    since: str  # time of the first event that counts
    until: str  # time of the last event that was read
    aside: NotRequired[list[str]]  # shards with changes that were recorded ahead of the position
    sent: NotRequired[int]  # how many events Airflow sent for it, where it can only send all


class Choice(TypedDict):
    """What a run acts on, and what to record about it; in the store of the task."""

    entries: list[ChangeEntry]
    position: NotRequired[Position]  # absent if there was nothing to read
    is_aside: NotRequired[bool]  # whether the changes are recorded ahead of the position


class EventLedger:
    """
    The events of an asset that a task has acted on, over all runs of its DAG; kept in the store of the asset.

    :param asset_name: Name of the asset.
    :param reader: DAG and task that read it, as `dag_id.task_id`.
    :param run: The events of the run that reads it.

    Source: Airflow's `asset_state_store` (AIP-103); Airflow's `Variable` below Airflow 3.3.
    """

    def __init__(self, asset_name: str, reader: str, run: RunEvents) -> None:
        self.asset_name = asset_name
        self._run, self._own = run, run.own.get(asset_name, [])
        self._key = f"learning360_read_{hashlib.sha256(reader.encode()).hexdigest()[:16]}"
        self._store = find_reader_store(asset_name, reader)
        self._events = AssetEvents(asset_name)
        self._last_keys: dict[str, dict[str, str]] = {}
        self._keys_aside: dict[str, dict[str, list[str]]] = {}

    def choose_unread(self, limit: int) -> Choice:
        """
        Choose changes that no run has acted on, and that no other run will act on.

        :param limit: How many changes may be chosen; the others stay unread.
        :returns: The changes, and what to record.
        :raises EventsNotListed: Airflow could not list the events.
        """
        position: Position | None = self._store.get(self._key)
        since = _time(position["since"]) if position else _first_time(self._own)
        if since is None:
            return {"entries": []}  # no earlier run, so no event was left behind
        floor = max(since, _time(position["until"]) - MAX_EVENT_DELAY) if position else since
        unread = self._unread_events(position, floor)
        events = [event for event in unread if not self._run.is_left(event)]
        aside = position.get("aside", []) if position else []
        entries, complete = self._choose_from(events, limit, aside)
        until = max([event.timestamp for event in complete], default=floor)
        # Not after an event that is left to another run: if that run fails, a later one must still find the event.
        until = min([until, *(event.timestamp for event in unread if self._run.is_left(event))])
        recent, forgotten = _append_recent(position, complete)
        # Not in the future: a triggerer whose clock is ahead must not hide the events of the others.
        until = min(until, datetime.now(tz=UTC))
        after: Position = {
            "turn": position["turn"] + 1 if position else 1,
            "since": since.isoformat(),
            # But after the events that are not stored any more: they would be returned again.
            "until": until.isoformat() if forgotten is None else max(until, forgotten + MAX_EVENT_DELAY).isoformat(),
            **recent,
            "aside": aside if len(complete) < len(unread) else [],
            "sent": self._events.sent,
        }
        return {"entries": entries, "position": after}

    def choose_own(self, limit: int) -> Choice:
        """
        Choose changes of the run's own events; used if Airflow cannot list the others.

        The position stays, so that a later run reads all events after it. These changes are recorded one by one, so
        that it does not return them again. While this run was queued, an earlier run may have read its events.

        :param limit: How many changes may be chosen; the others stay unread.
        :returns: The changes, and what to record.
        """
        stored: Position | None = self._store.get(self._key)
        first = _first_time(self._own)
        if first is None:
            return {"entries": []}
        position = stored or Position(turn=0, since=first.isoformat(), until=first.isoformat(), recent=[])
        aside, read = position.get("aside", []), set(position.get("recent_times", ()))
        unread = unique(
            entry for event in self._own if _microseconds(event.timestamp) not in read for entry in entries_of(event)
        )
        entries = self._not_recorded(unread, aside)[:limit]
        shards = sorted({*aside, *(shard_of(entry["_id"]) for entry in entries)})
        return {
            "entries": entries,
            "position": {**position, "turn": position["turn"] + 1, "aside": shards},
            "is_aside": True,
        }

    def record(self, choice: Choice) -> None:
        """
        Record the chosen changes. A second call with the same choice does nothing.

        :param choice: What `choose_unread` or `choose_own` returned.
        """
        after = choice.get("position")
        before: Position | None = self._store.get(self._key)
        if after is None or (before is not None and before["turn"] >= after["turn"]):
            return
        if choice.get("is_aside"):
            self._record_aside(choice["entries"])
        for shard, latest in _last_keys_by_shard(choice["entries"]).items():
            store_key = f"{self._key}_{shard}"
            known = self._store.get(store_key, {})
            self._store.set(
                store_key, {**known, **{name: _later(known.get(name), key) for name, key in latest.items()}}
            )
        self._store.set(self._key, after)
        for shard in set(before.get("aside", ()) if before else ()) - set(after.get("aside", ())):
            self._store.delete(self._aside_key(shard))

    def _unread_events(self, position: Position | None, floor: datetime) -> list[Any]:
        """Return the events from a time on, and the run's own, without those that were read before."""
        own_times = {event.timestamp for event in self._own}
        read = set(position["recent"]) if position else set()
        return [
            event
            for event in self._list_events(position, min({floor, *own_times}))
            if event.id not in read and (event.timestamp >= floor or event.timestamp in own_times)
        ]

    def _list_events(self, position: Position | None, after: datetime) -> list[Any]:
        """Return the events of the asset since a time, up to the last one that the run may act on."""
        if position and position.get("sent", 0) > MAX_LISTED_EVENTS and (position["turn"] + 1) % RARE_LISTING:
            raise EventsNotListed(
                f"Airflow below 3.2 can only list all events of an asset, and this has {position['sent']:,}; one run "
                f"in {RARE_LISTING} lists them. Delete old ones: `airflow db clean --tables asset_event`"
            )
        return self._events.list_since(after, self._run.last)

    def _record_aside(self, entries: list[ChangeEntry]) -> None:
        """Record each change, not only the last of its session: earlier ones may still be unread."""
        shards: dict[str, dict[str, list[str]]] = {}
        for entry in entries:
            shards.setdefault(shard_of(entry["_id"]), {}).setdefault(entry["_id"], []).append(_change_key(entry))
        for shard, keys in shards.items():
            store_key = self._aside_key(shard)
            known = self._store.get(store_key, {})
            merged = {one: list(dict.fromkeys([*known.get(one, ()), *new])) for one, new in keys.items()}
            self._store.set(store_key, {**known, **merged})

    def _aside_key(self, shard: str) -> str:
        return f"{self._key}_{shard}_aside"

    def _choose_from(
        self, events: list[Any], limit: int, aside: Collection[str]
    ) -> tuple[list[ChangeEntry], list[Any]]:
        """Return the first changes that are not recorded, and the events whose changes are all returned."""
        entries: list[ChangeEntry] = []
        complete = []
        for event in events:
            fresh = self._not_recorded(unique([*entries, *entries_of(event)])[len(entries) :], aside)
            entries += fresh[: limit - len(entries)]
            if len(fresh) and entries[-1:] != fresh[-1:]:
                break  # the next run returns the other changes of this event
            complete.append(event)
        return entries, complete

    def _not_recorded(self, entries: Iterable[ChangeEntry], aside: Collection[str]) -> list[ChangeEntry]:
        return [
            entry
            for entry in entries
            if self._last_key(entry) != _change_key(entry)
            and _change_key(entry) not in self._keys_recorded_aside(entry, aside).get(entry["_id"], ())
        ]

    def _last_key(self, entry: ChangeEntry) -> str | None:
        """Return the last recorded change of a session; for a modification, its last modification."""
        keys = self._last_keys_of_shard(entry)
        last = keys.get(entry["_id"])
        # After a crash, a modification may be repeated although the session has disappeared meanwhile.
        return keys.get(_modified_name(entry["_id"]), last) if entry["kind"] == "modified" else last

    def _keys_recorded_aside(self, entry: ChangeEntry, aside: Collection[str]) -> dict[str, list[str]]:
        """Return the changes that were recorded ahead of the position, in the shard of a session."""
        shard = shard_of(entry["_id"])
        if shard not in aside:
            return {}
        if shard not in self._keys_aside:
            self._keys_aside[shard] = self._store.get(self._aside_key(shard), {})
        return self._keys_aside[shard]

    def _last_keys_of_shard(self, entry: ChangeEntry) -> dict[str, str]:
        """Return the last recorded changes in the shard of a session."""
        shard = shard_of(entry["_id"])
        if shard not in self._last_keys:
            self._last_keys[shard] = self._store.get(f"{self._key}_{shard}", {})
        return self._last_keys[shard]


def entries_of(event: Any) -> list[ChangeEntry]:
    """
    Return the changes of an event.

    :param event: An event of Airflow.
    :returns: The changes; none if the event is not from a watcher of this provider.
    """
    payload = (event.extra or {}).get("payload")
    sessions = payload.get("sessions") if isinstance(payload, dict) else None
    return [entry for entry in sessions if _is_change(entry)] if isinstance(sessions, list) else []


def unique(entries: Iterable[ChangeEntry]) -> list[ChangeEntry]:
    """
    Remove repetitions of a change.

    :param entries: The changes.
    :returns: The first entry of each change.
    """
    kept: dict[tuple[str, str], ChangeEntry] = {}
    for entry in entries:
        kept.setdefault((entry["_id"], _change_key(entry)), entry)
    return list(kept.values())


def _is_change(entry: Any) -> TypeGuard[ChangeEntry]:
    try:
        require_session_id(entry["_id"])
        if not isinstance(entry.get("times", 1), int):
            return False
        return entry["kind"] == "missing" or (entry["kind"] == "modified" and "to" in entry["modifiedAt"])
    except (KeyError, TypeError, InvalidIdError):
        return False


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _microseconds(time: datetime) -> int:
    return (time - EPOCH) // timedelta(microseconds=1)


def _append_recent(position: Position | None, events: list[Any]) -> tuple[RecentEvents, datetime | None]:
    """Return the events that were read last, with the new ones; and a time after all that had to make room for them."""
    ids = [*(position["recent"] if position else []), *(event.id for event in events)]
    # By time as well: Airflow does not tell a run the IDs of its own events.
    times = [*(position.get("recent_times", []) if position else []), *(_microseconds(one.timestamp) for one in events)]
    last = max(times[:-MAX_RECENT_EVENTS], default=None)
    forgotten = None if last is None else EPOCH + timedelta(microseconds=last + 1)
    return {"recent": ids[-MAX_RECENT_EVENTS:], "recent_times": times[-MAX_RECENT_EVENTS:]}, forgotten


def _first_time(events: list[Any]) -> datetime | None:
    return min((event.timestamp for event in events), default=None)


def _change_key(entry: ChangeEntry) -> str:
    """
    Return what distinguishes the changes of a session: its new `modifiedAt`, or how often it disappeared.

    Several changes may have the same `modifiedAt`. They are counted, and have the state that they led to.
    """
    times = entry.get("times")
    if entry["kind"] == "missing":
        return f"missing {1 if times is None else times}"
    modified = str(entry["modifiedAt"]["to"])
    # As many digits as sort like the numbers.
    return modified if times is None else f"{modified} {times:09d} {entry.get('state', '')}"


def _modified_name(session_id: str) -> str:
    """Return the name under which the last modification of a session is stored."""
    return f"{session_id} modified"


def _later(known: str | None, key: str) -> str:
    """Return the later of two changes of a session. An event that arrives late must not replace a newer one."""
    if known is None or known.startswith("missing") or key.startswith("missing"):
        return key
    return known if _order_of(key) < _order_of(known) else key


def _order_of(key: str) -> list[str]:
    """Return time and number of a modification."""
    return key.split(" ")[:2]


def _last_keys_by_shard(entries: Iterable[ChangeEntry]) -> dict[str, dict[str, str]]:
    """Return the last change of each session, and its last modification, by shard."""
    shards: dict[str, dict[str, str]] = {}
    for entry in entries:
        shard = shards.setdefault(shard_of(entry["_id"]), {})
        shard[entry["_id"]] = _change_key(entry)
        if entry["kind"] == "modified":
            shard[_modified_name(entry["_id"])] = _change_key(entry)
    return shards
