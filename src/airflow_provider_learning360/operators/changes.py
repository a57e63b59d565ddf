"""The operator that says which program sessions a DAG run is about."""

from __future__ import annotations

__all__ = ["ChangedProgramSessionsOperator"]

import hashlib
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal, get_args

from airflow.providers.common.compat.sdk import BaseOperator, conf

from airflow_provider_learning360.api.endpoints import require_session_id
from airflow_provider_learning360.api.errors import FixArgumentError, InvalidIdError, redact
from airflow_provider_learning360.api.sanitizer import printable
from airflow_provider_learning360.api.watch_state import shard_of
from airflow_provider_learning360.policies.retry import with_retry_policy
from airflow_provider_learning360.rendering import SafeRendering

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from airflow.providers.common.compat.sdk import Context

Kind = Literal["modified", "missing", "any"]

# How much later than its time an event may appear in the database, with several triggerers writing at once.
LATE = timedelta(minutes=5)
# So many events are known, by ID and by time, to have been read; a run may wait for long while later ones are read.
RECENT = 1000
CHOSEN = "learning360_chosen"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class ChangedProgramSessionsOperator(SafeRendering, BaseOperator):
    """
    Return the changes of program sessions that this DAG run is about, each once, ready for `.expand(session_id=...)`.

    Each is a document: `_id`, `kind` (`modified` or `missing`), `modifiedAt` and `changes`, with values `from` and
    `to`. On Airflow 3.3 and later it reads, after the run's own events, those that earlier runs of this DAG did not
    get: Airflow 3.3 leaves events behind that come in a burst. What was returned to an earlier run is not returned
    again, also if the triggerer repeated an event after a crash. It returns no more than Airflow can map over
    (`[core] max_map_length`); the rest is for the next run. Let one run of the DAG be active at a time
    (`max_active_runs=1`): two at once may both return the same change. Below Airflow 3.3 it reads the run's own events.
    If Airflow cannot list the events of an asset, it returns the run's own changes; a later run returns the others.

    :param assets: The watched assets to read, or their names; default those whose events started this run.
    :param kind: Which to return: `modified` (default), `missing` (of assets with `on_missing="event"`) or `any`.
    :returns: The changes, in the order in which they were found.

    Source: Airflow's `triggering_asset_events`, `inlet_events` and `asset_state_store`.
    """

    template_fields: Sequence[str] = ("assets",)
    ui_color = "#e8f3f1"

    def __init__(self, *, assets: list[Any] | str | None = None, kind: Kind = "modified", **kwargs: Any) -> None:
        super().__init__(**with_retry_policy(kwargs))
        self.assets = assets
        self.kind = kind
        if kind not in get_args(Kind):
            raise FixArgumentError(f"kind: {kind!r} is not one of {', '.join(get_args(Kind))}.")

    def execute(self, context: Context) -> list[dict[str, Any]]:
        """Choose the changes, remember that they were chosen, and return them."""
        own = _own_events(context)
        memory = context.get("task_state_store")
        if memory is None:
            entries = _once(entry for events in own.values() for event in events for entry in _entries(event))
        else:
            entries = self._chosen(memory, own)
        wanted = [entry for entry in entries if self.kind in ("any", entry["kind"])]
        first = ", ".join(entry["_id"] for entry in wanted[:5])
        self.log.info("%d changes to act on: %s%s", len(wanted), first or "none", ", …" * (len(wanted) > 5))
        return wanted

    def _chosen(self, memory: Any, own: dict[str, list[Any]]) -> list[dict[str, Any]]:
        """Return what was chosen for this run before, or choose: a retry, or a cleared task, acts on the same."""
        chosen = memory.get(CHOSEN)
        names = sorted(own) if self.assets is None else _names(self.assets)
        ledgers = [Ledger(name, f"{self.dag_id}.{self.task_id}") for name in names]
        if chosen is None:
            chosen = {}
            left = conf.getint("core", "max_map_length", fallback=1024)
            for ledger in ledgers:
                chosen[ledger.asset_name] = self._unread(ledger, own.get(ledger.asset_name, []), left)
                left -= len(chosen[ledger.asset_name]["entries"])
            if left == 0:
                self.log.warning("There may be more changes: no more fit into one run, the next one returns them.")
            # Before the ledgers move: if this task dies in between, its retry finds its choice here.
            memory.set(CHOSEN, chosen)
        for ledger in ledgers:
            ledger.take(chosen.get(ledger.asset_name) or {})
        return _once(entry for one in chosen.values() for entry in one["entries"])

    def _unread(self, ledger: Ledger, own: list[Any], most: int) -> dict[str, Any]:
        try:
            return ledger.unread(own, most)
        except EventsNotListed as error:
            chosen = ledger.own(own, most)
            self.log.warning(
                "Airflow could not list the events of asset %s (%s). This run acts on %d changes of its own events; "
                "a later run reads the other events.",
                *(printable(ledger.asset_name), error, len(chosen["entries"])),
            )
            return chosen


class EventsNotListed(Exception):
    """Airflow could not list the events of an asset; the text says why."""


class Ledger:
    """
    Which events of an asset a task has acted on, over all runs of its DAG; kept in the asset state store.

    :param asset_name: Name of the asset.
    :param reader: DAG and task that read it.

    Source: Airflow's `asset_state_store` (AIP-103).
    """

    def __init__(self, asset_name: str, reader: str) -> None:
        from airflow.sdk import Asset
        from airflow.sdk.execution_time.context import AssetStateStoreAccessors, InletEventsAccessors

        self.asset_name = asset_name
        self._key = f"learning360_read_{hashlib.sha256(reader.encode()).hexdigest()[:16]}"
        asset = Asset.ref(name=asset_name)
        # The run's context gives both for declared inlets only; an author need not repeat the schedule there.
        self._store: Any = AssetStateStoreAccessors(inlets=[asset])[asset]
        self._inlets, self._asset = InletEventsAccessors, asset
        self._read: dict[str, dict[str, Any]] = {}
        self._read_aside: dict[str, dict[str, list[str]]] = {}

    def unread(self, own: list[Any], most: int) -> dict[str, Any]:
        """
        Return the changes that nobody has read yet, and what to note about them.

        :param own: The events that started this run.
        :param most: How many changes may be returned; the rest stays unread.
        :raises EventsNotListed: Airflow could not list the events.
        """
        position = self._store.get(self._key)
        since = _moment(position["since"]) if position else _first(own)
        if since is None:
            return {"entries": []}  # nothing was read before, so that nothing can have been left behind
        floor = max(since, _moment(position["until"]) - LATE) if position else since
        own_times = {event.timestamp for event in own}
        read = set(position["recent"]) if position else set()
        events = [
            event
            for event in self._listed(min({floor, *own_times}))
            if event.id not in read and (event.timestamp >= floor or event.timestamp in own_times)
        ]
        aside = position.get("aside", []) if position else []
        entries, taken = self._first_of(events, most, aside)
        until = max([event.timestamp for event in taken], default=floor)
        return {
            "entries": entries,
            "position": {
                "turn": position["turn"] + 1 if position else 1,
                "since": since.isoformat(),
                # A triggerer whose clock is ahead must not hide what the others write.
                "until": min(until, datetime.now(tz=UTC)).isoformat(),
                "recent": _recent(position, "recent", [event.id for event in taken]),
                # Airflow does not tell a run the IDs of its own events.
                "recent_times": _recent(position, "recent_times", [_microseconds(event.timestamp) for event in taken]),
                "aside": aside if len(taken) < len(events) else [],
            },
        }

    def own(self, own: list[Any], most: int) -> dict[str, Any]:
        """
        Return the changes of a run's own events, and what to note about them, where the others cannot be listed.

        The position stays where it is: a later run reads all events after it. These changes are noted one by one, so
        that it does not return them again. An earlier run may have read an own event, while this run was queued.

        :param own: The events that started this run.
        :param most: How many changes may be returned; the rest stays unread.
        """
        position, first = self._store.get(self._key), _first(own)
        if first is None:
            return {"entries": []}
        start: dict[str, Any] = {"turn": 0, "since": first.isoformat(), "until": first.isoformat(), "recent": []}
        position = position or start
        aside, read = position.get("aside", []), set(position.get("recent_times", ()))
        unread = _once(
            entry for event in own if _microseconds(event.timestamp) not in read for entry in _entries(event)
        )
        entries = self._not_acted_on(unread, aside)[:most]
        pieces = sorted({*aside, *(shard_of(entry["_id"]) for entry in entries)})
        return {
            "entries": entries,
            "position": {**position, "turn": position["turn"] + 1, "aside": pieces},
            "is_aside": True,
        }

    def take(self, chosen: dict[str, Any]) -> None:
        """
        Note that changes have been chosen; does nothing the second time.

        :param chosen: What `unread` returned.
        """
        after, before = chosen.get("position"), self._store.get(self._key)
        if after is None or (before is not None and before["turn"] >= after["turn"]):
            return
        if chosen.get("is_aside"):
            self._set_aside(chosen["entries"])
        for piece, latest in _by_piece(chosen["entries"]).items():
            key = f"{self._key}_{piece}"
            known = self._store.get(key, {})
            self._store.set(key, {**known, **{one: _later(known.get(one), mark) for one, mark in latest.items()}})
        self._store.set(self._key, after)
        for piece in set((before or {}).get("aside", ())) - set(after["aside"]):
            self._store.delete(self._aside_key(piece))

    def _listed(self, after: datetime) -> list[Any]:
        """
        Return the events of the asset since a time.

        Airflow answers 500 while a run that came of one of them waits to be started (apache/airflow #71360), and
        released Task SDKs refuse the answer of a later server (#71862).
        """
        try:
            return list(self._inlets([self._asset])[self._asset].after(after.isoformat()))
        except Exception as error:
            raise EventsNotListed(f"{type(error).__name__}: {redact(printable(str(error)))[:300]}") from error

    def _set_aside(self, entries: list[dict[str, Any]]) -> None:
        """Note each change, and not only the last of its session: earlier ones may still be unread."""
        pieces: dict[str, dict[str, list[str]]] = {}
        for entry in entries:
            pieces.setdefault(shard_of(entry["_id"]), {}).setdefault(entry["_id"], []).append(_mark(entry))
        for piece, marks in pieces.items():
            key = self._aside_key(piece)
            known = self._store.get(key, {})
            merged = {one: list(dict.fromkeys([*known.get(one, ()), *new])) for one, new in marks.items()}
            self._store.set(key, {**known, **merged})

    def _aside_key(self, piece: str) -> str:
        return f"{self._key}_{piece}_aside"

    def _first_of(self, events: list[Any], most: int, aside: Collection[str]) -> tuple[list[dict[str, Any]], list[Any]]:
        """Return the first changes that were not acted on, and the events of which all is returned."""
        entries: list[dict[str, Any]] = []
        taken = []
        for event in events:
            fresh = self._not_acted_on(_once([*entries, *_entries(event)])[len(entries) :], aside)
            entries += fresh[: most - len(entries)]
            if len(fresh) and entries[-1:] != fresh[-1:]:
                break  # the rest of this event is for the next run
            taken.append(event)
        return entries, taken

    def _not_acted_on(self, entries: Iterable[dict[str, Any]], aside: Collection[str]) -> list[dict[str, Any]]:
        return [
            entry
            for entry in entries
            if self._last_mark(entry) != _mark(entry)
            and _mark(entry) not in self._marks_aside(entry, aside).get(entry["_id"], ())
        ]

    def _last_mark(self, entry: dict[str, Any]) -> str | None:
        """Return what the session was last acted on for; for a modification, its last modification."""
        marks = self._marks(entry)
        last: str | None = marks.get(entry["_id"])
        # After a crash, a modification may be repeated although the session has disappeared meanwhile.
        return marks.get(_modified(entry["_id"]), last) if entry["kind"] == "modified" else last

    def _marks_aside(self, entry: dict[str, Any], aside: Collection[str]) -> dict[str, list[str]]:
        """Return what runs acted on ahead of the position, of the sessions that are stored with this one."""
        piece = shard_of(entry["_id"])
        if piece not in aside:
            return {}
        if piece not in self._read_aside:
            self._read_aside[piece] = self._store.get(self._aside_key(piece), {})
        return self._read_aside[piece]

    def _marks(self, entry: dict[str, Any]) -> dict[str, Any]:
        """Return the last marks of the sessions that are stored with this one."""
        piece = shard_of(entry["_id"])
        if piece not in self._read:
            self._read[piece] = self._store.get(f"{self._key}_{piece}", {})
        return self._read[piece]


def _own_events(context: Context) -> dict[str, list[Any]]:
    """Return the events that started this run, by name of the asset."""
    triggering = context.get("triggering_asset_events") or {}
    return {asset.name: list(events) for asset, events in triggering.items() if hasattr(asset, "uri")}


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _microseconds(moment: datetime) -> int:
    return (moment - EPOCH) // timedelta(microseconds=1)


def _recent(position: dict[str, Any] | None, name: str, new: list[int]) -> list[int]:
    """Return what is known of the events that were read last, with the new ones."""
    return [*(position or {}).get(name, ()), *new][-RECENT:]


def _first(events: list[Any]) -> datetime | None:
    return min((event.timestamp for event in events), default=None)


def _entries(event: Any) -> list[dict[str, Any]]:
    """Return the changes that an event tells of; none if it is not one of our watchers'."""
    payload = (event.extra or {}).get("payload")
    sessions = payload.get("sessions") if isinstance(payload, dict) else None
    return [one for one in sessions if _is_change(one)] if isinstance(sessions, list) else []


def _is_change(one: Any) -> bool:
    try:
        require_session_id(one["_id"])
        return one["kind"] == "missing" or (one["kind"] == "modified" and "to" in one["modifiedAt"])
    except (KeyError, TypeError, InvalidIdError):
        return False


def _names(assets: Any) -> list[str]:
    """Return the names of the assets that an argument names."""
    listed = [assets] if isinstance(assets, str) or hasattr(assets, "uri") else assets
    names = [getattr(one, "name", one) for one in listed]
    if not all(isinstance(name, str) and name for name in names):
        raise FixArgumentError("assets: give watched assets, or their names.")
    return sorted(set(names))


def _once(entries: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the entries without those that tell of a change that one before told of."""
    kept: dict[tuple[str, str], dict[str, Any]] = {}
    for entry in entries:
        kept.setdefault((entry["_id"], _mark(entry)), entry)
    return list(kept.values())


def _mark(entry: dict[str, Any]) -> str:
    """Return what tells two changes of a session apart: until when, or how often it is gone."""
    return str(entry["modifiedAt"]["to"]) if entry["kind"] == "modified" else f"missing {entry.get('times', 1)}"


def _modified(session_id: str) -> str:
    """Return the key under which the last modification of a session is stored."""
    return f"{session_id} modified"


def _later(known: str | None, mark: str) -> str:
    """Return the mark to keep: a change that was left behind does not hide that a later one was acted on."""
    both_times = known is not None and not known.startswith("missing") and not mark.startswith("missing")
    return max(known or "", mark) if both_times else mark


def _by_piece(entries: Iterable[dict[str, Any]]) -> dict[str, dict[str, str]]:
    """Return the last mark of each session, and of its modifications, by the piece it is stored in."""
    pieces: dict[str, dict[str, str]] = {}
    for entry in entries:
        piece = pieces.setdefault(shard_of(entry["_id"]), {})
        piece[entry["_id"]] = _mark(entry)
        if entry["kind"] == "modified":
            piece[_modified(entry["_id"])] = _mark(entry)
    return pieces
