"""
The surroundings of the watchers: 360Learning, a triggerer that crashes, a store that fails, Airflow's database.

Trigger, producer, poller, subscriptions, cursor, watch and the operator with its ledger are the real ones. Each await
that leaves their process waits until the model opens a gate. In between, anything may happen.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from airflow.sdk import Asset
from airflow.sdk.api.datamodels._generated import AssetEventResponse, AssetResponse
from airflow.sdk.exceptions import AirflowRuntimeError, ErrorType
from airflow.sdk.execution_time import comms, task_runner
from airflow.triggers.shared_stream import AdvanceItem, AdvanceOutcome

from airflow_provider_learning360.api.errors import NotFoundError, UnavailableError
from airflow_provider_learning360.api.list_entries import parse_entry
from airflow_provider_learning360.api.models import ProgramSession, format_date
from airflow_provider_learning360.api.watch_state import POLLING_KEY, SHARD_KEY_PREFIX
from airflow_provider_learning360.operators.changes import ChangedProgramSessionsOperator
from airflow_provider_learning360.triggers import cursor, poller, time_slice
from airflow_provider_learning360.triggers.watching import ProgramSessionsWatchTrigger

START = datetime(2026, 3, 1, 8, 0, tzinfo=UTC)
NUMBERS = (1, 2, 3)
PLAIN, FIELDS = "plain", "fields"


def session_id(number: int) -> str:
    return f"{number:024x}"


def moment(minute: int) -> str:
    return format_date(START + timedelta(minutes=minute))


def minute_of(text: str) -> int:
    return int((datetime.fromisoformat(text) - START).total_seconds() // 60)


@contextlib.contextmanager
def patched() -> Iterator[None]:
    """Let no time pass; the poller sleeps until the model wakes it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(poller, "JOIN_DEBOUNCE", 0.0)
        patch.setattr(time_slice, "TIME_SLICE", float("inf"))
        patch.setattr(cursor, "PAUSE", 0.0)
        patch.setattr(poller, "HookUser", User)
        patch.setattr(poller.Poller, "_sleep", _sleep)
        patch.setattr(ProgramSessionsWatchTrigger, "_streams", {})
        patch.setattr(ProgramSessionsWatchTrigger, "_cursors", {})
        patch.setattr(task_runner, "SUPERVISOR_COMMS", None, raising=False)
        # Thousands of runs would write thousands of lines each.
        for name in ("airflow_provider_learning360", "airflow.task"):
            patch.setattr(logging.getLogger(name), "disabled", True)
        patch.setattr(poller.log, "disabled", True)
        patch.setattr(cursor.log, "disabled", True)
        yield


class User:
    """The user of a hook that nobody shares."""

    def __init__(self, conn_id: str, budget: Any) -> None:
        self._hook = Hook(World.current)

    async def __aenter__(self) -> Any:
        return self

    async def __aexit__(self, *_: object) -> None:
        pass

    @contextlib.asynccontextmanager
    async def use(self) -> Any:
        yield self._hook

    def note_refused(self) -> None:
        pass

    def look_up_again(self) -> None:
        self._hook = Hook(World.current)


async def _sleep(self: Any, started: float, seconds: float) -> None:
    await World.current.gate("sleep", lambda _: None)


class Platform:
    """A version of the API: its lists have all sessions, or those that were modified."""

    single_poll_limit = 10

    def __init__(self, world: World) -> None:
        self.world = world

    def new_poll(self) -> Any:
        return ModifiedPoll(self.world) if self.world.poll == "modified" else ListPoll(self.world)

    def forget(self) -> None:
        pass


class ListPoll:
    """A list of all sessions at each poll."""

    listed_keys = None
    is_exact = True
    is_full = True

    def __init__(self, world: World) -> None:
        self.world = world

    def find_outdated(self, watched: Any) -> Any:
        assert watched == {}
        return set()
        yield

    parse = staticmethod(parse_entry)

    def complete_listed(self, session_id: str, keys: Any) -> Any:
        return None
        yield

    def note_read(self, session: ProgramSession) -> None:
        pass

    def stream(self, *, full: bool = False) -> Any:
        return self

    def list(self, outcome: str) -> list[dict[str, Any]]:
        if outcome != "ok":
            raise UnavailableError("in trouble")
        return [dict(one) for one in self.world.documents.values()]

    def end(self) -> None:
        pass


class ModifiedPoll(ListPoll):
    """Mostly a list of what was modified; a complete list may lack one session."""

    is_exact = False

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.floor = -1
        self.number = 0

    def stream(self, *, full: bool = False) -> Any:
        # Complete lists are rare: nothing but deletions and returns may depend on them.
        self.is_full = full or self.floor < 0 or self.world.is_list_due
        self.number += 1
        return self

    def list(self, outcome: str) -> list[dict[str, Any]]:
        listed = super().list(outcome)
        self.next_floor, self.next_due = self.world.minute, self.world.is_list_due
        if not self.is_full:
            return [one for one in listed if minute_of(one["modifiedAt"]) >= self.floor]
        slips = self.number % (len(NUMBERS) + 1)
        kept = [one for one in listed if one["_id"] != session_id(slips)]
        # A session that was gone, came back and slips is found by the complete list after that one.
        self.next_due = len(kept) < len(listed)
        return kept

    def end(self) -> None:
        self.floor = self.next_floor
        self.world.is_list_due = self.next_due


class Hook:
    """The asynchronous hook, with 360Learning behind it."""

    def __init__(self, world: World) -> None:
        self.world = world

    async def get_platform(self) -> Platform:
        return Platform(self.world)

    async def run_plan(self, plan: Any) -> Any:
        try:
            next(plan)
        except StopIteration as end:
            return end.value
        raise AssertionError("a plan without calls was expected")

    async def get_program_session(self, session_id: str, keys: Any = None) -> ProgramSession:
        return await self.world.gate("response", lambda outcome: self._one(session_id, outcome))

    def _one(self, session_id: str, outcome: str) -> ProgramSession:
        if outcome != "ok" or self.world.failures_of_single_reads:
            self.world.failures_of_single_reads -= outcome == "ok"
            raise UnavailableError("in trouble")
        if session_id not in self.world.documents:
            raise NotFoundError("gone")
        return ProgramSession.model_validate(self.world.documents[session_id])

    async def stream_plan(self, poll: Any) -> Any:
        items = await self.world.gate("response", poll.list)
        for item in items:
            yield item
        poll.end()

    async def close(self) -> None:
        pass


class Accessor:
    """The asset state store of one asset."""

    def __init__(self, world: World, name: str) -> None:
        self.world, self.name = world, name

    async def aget(self, key: str, default: Any = None) -> Any:
        def respond(outcome: str) -> Any:
            self._fail_unless(outcome == "ok")
            return json.loads(self.world.store.get((self.name, key), json.dumps(default)))

        return await self.world.gate("get", respond)

    async def aset(self, key: str, value: Any) -> None:
        def respond(outcome: str) -> None:
            if outcome != "refused":
                self.world.write(self.name, key, value)
            self._fail_unless(outcome == "ok")

        await self.world.gate("set", respond)

    def _fail_unless(self, well: bool) -> None:
        if not well:
            raise AirflowRuntimeError(comms.ErrorResponse(error=ErrorType.API_SERVER_ERROR, detail={}))


class Watcher:
    """One trigger in the triggerer, with its queue of Airflow's shared stream."""

    def __init__(self, process: Process, name: str) -> None:
        self.process, self.name = process, name
        self.queue: asyncio.Queue[Any] = asyncio.Queue()
        self.window: Entry | None = None
        self.has_failed = False
        self.trigger = ProgramSessionsWatchTrigger(**process.world.arguments(name))
        self.trigger.asset_state_store = process.world  # type: ignore[assignment]
        process.run(self._run())

    async def _run(self) -> None:
        # Airflow does not start it at once.
        await self.process.world.gate("start", lambda _: None)
        with contextlib.suppress(TimeoutError):
            async for event in self.trigger.filter_shared_stream(self._stream()):
                assert self.window is not None
                self.process.emit(self, self.window, json.loads(json.dumps(event.payload)))

    async def _stream(self) -> Any:
        while True:
            item = await self.queue.get()
            if item is None:
                raise TimeoutError("AckTimeout")
            self.window = item
            yield item.result
            item.open.discard(self)
            self.window = None


class Entry:
    """The result of one poll that Airflow sent to all watchers, until all of them have resolved it."""

    def __init__(self, result: Any, watchers: list[Watcher]) -> None:
        self.result = result
        self.open = set(watchers)
        self.events: list[dict[str, Any]] = []
        self.acked, self.failed = len(watchers), 0

    def is_resolved(self) -> bool:
        return not self.open and not any(one["state"] == "sent" for one in self.events)


class Process:
    """One process of the triggerer, until it crashes."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.tasks: list[asyncio.Task[None]] = []
        self.gates: list[tuple[str, Callable[[str], Any], asyncio.Future[Any]]] = []
        self.entries: list[Entry] = []
        self.watchers: dict[str, Watcher] = {}
        ProgramSessionsWatchTrigger._streams.clear()
        ProgramSessionsWatchTrigger._cursors.clear()

    def start(self) -> None:
        self.watchers = {name: Watcher(self, name) for name in (PLAIN, FIELDS)}
        trigger = self.watchers[PLAIN].trigger
        self.producer = trigger.create_shared_stream_producer(trigger.serialize()[1])
        self.run(self._poll())

    def run(self, work: Any) -> None:
        self.tasks.append(self.world.loop.create_task(work))

    async def _poll(self) -> None:
        async for result, _ in self.producer.open_stream():
            watchers = [one for one in self.watchers.values() if not one.has_failed]
            entry = Entry(result, watchers)
            self.entries.append(entry)
            for one in watchers:
                one.queue.put_nowait(entry)

    def emit(self, watcher: Watcher, entry: Entry, payload: dict[str, Any]) -> None:
        event = {"asset": watcher.name, "watcher": watcher, "payload": payload, "state": "sent"}
        entry.events.append(event)
        self.world.sent.append(event)

    def fail(self, name: str) -> None:
        """Let a watcher miss its time to confirm: Airflow fails it everywhere, and starts it again."""
        watcher = self.watchers[name]
        watcher.has_failed = True
        for entry in self.entries:
            unresolved = watcher in entry.open
            entry.open.discard(watcher)
            for event in entry.events:
                if event["watcher"] is watcher and event["state"] == "sent":
                    event["state"], unresolved = "lost", True
            if unresolved:
                entry.acked, entry.failed = entry.acked - 1, entry.failed + 1
        while not watcher.queue.empty():
            watcher.queue.get_nowait()
        watcher.queue.put_nowait(None)
        self.watchers[name] = Watcher(self, name)

    def acknowledge(self, entry: Entry) -> None:
        self.entries.remove(entry)
        self.run(self.producer.advance([AdvanceItem(entry.result, AdvanceOutcome(entry.acked, entry.failed))]))

    def die(self) -> None:
        self.gates.clear()
        for task in self.tasks:
            task.cancel()
        self.world.settle()
        for task in self.tasks:
            if not task.cancelled() and task.exception() is not None:
                raise AssertionError("a task of the triggerer failed") from task.exception()


class TaskStore(dict[str, Any]):
    """The task state store of one run."""

    def set(self, key: str, value: Any) -> None:
        self[key] = json.loads(json.dumps(value))


class World:
    """The whole model, and the record of what has happened."""

    current: World

    def __init__(self, poll: str) -> None:
        World.current = self
        self.poll = poll
        self.loop = asyncio.new_event_loop()
        self.minute = 0
        self.is_list_due = False
        self.failures_of_single_reads = 0
        self.fields = ["lang"]
        self.documents: dict[str, dict[str, Any]] = {}
        self.deleted: dict[str, dict[str, Any]] = {}
        self.edits: dict[str, list[int]] = {session_id(one): [] for one in NUMBERS}
        self.lang_edits: dict[str, list[int]] = {session_id(one): [] for one in NUMBERS}
        self.deletions = dict.fromkeys(self.edits, 0)
        self.store: dict[tuple[str, str], str] = {}
        self.first_stored: dict[tuple[str, str], int] = {}
        self.sent: list[dict[str, Any]] = []
        self.events: list[AssetEventResponse] = []
        self.reported: dict[str, list[dict[str, Any]]] = {PLAIN: [], FIELDS: []}
        self.is_calm = True
        self.has_failed_watcher = False
        self.ledger: dict[str, str] = {}
        self.consumed = 0
        self.acted: list[dict[str, Any]] = []
        self.unfinished_run: tuple[Any, Any] | None = None
        self.writes_until_death = -1
        for number in NUMBERS:
            one = session_id(number)
            self.documents[one] = {"_id": one, "modifiedAt": moment(0), "lang": "l0", "name": "n0"}
        self.process = Process(self)
        self.process.start()
        self.settle()
        task_runner.SUPERVISOR_COMMS = self

    def arguments(self, name: str) -> dict[str, Any]:
        """Return the arguments of an asset in the DAG file."""
        everything = [session_id(one) for one in NUMBERS]
        common = {
            "asset_name": name,
            "learning_conn_id": "x",
            "poll_interval": 60.0,
            "poll": "single" if self.poll == "single" else "list",
        }
        if name == PLAIN:
            return {**common, "session_ids": everything[:2], "on_missing": "event"}
        return {**common, "session_ids": everything if self.poll == "single" else None, "watch": self.fields}

    def __getitem__(self, asset: Any) -> Accessor:
        return Accessor(self, asset.name)

    # The loop and its gates

    async def gate(self, kind: str, respond: Callable[[str], Any]) -> Any:
        future: asyncio.Future[Any] = self.loop.create_future()
        self.process.gates.append((kind, respond, future))
        return await future

    def open(self, index: int, outcome: str = "ok") -> None:
        gates = self.process.gates
        if not gates:
            return
        _, respond, future = gates.pop(index % len(gates))
        if not future.done():
            try:
                future.set_result(respond(outcome))
            except (AirflowRuntimeError, NotFoundError, UnavailableError) as error:
                future.set_exception(error)
        self.settle()

    def poll_now(self) -> None:
        """Run the triggerer until it has polled once more."""
        for _ in range(2):
            for _ in range(60):
                index = next((i for i, gate in enumerate(self.process.gates) if gate[0] != "sleep"), None)
                if index is None:
                    break
                self.open(index)
            self.open(0)  # wakes the poller
        while any(gate[0] == "response" for gate in self.process.gates):
            self.open(next(i for i, gate in enumerate(self.process.gates) if gate[0] == "response"))

    def settle(self) -> None:
        self.loop.run_until_complete(self._settle())

    async def _settle(self) -> None:
        for _ in range(1000):
            if not self.loop._ready:  # type: ignore[attr-defined]
                return
            await asyncio.sleep(0)
        raise AssertionError("the triggerer never becomes idle")

    def close(self) -> None:
        self.process.die()
        self.loop.close()

    # What happens at 360Learning

    def edit(self, one: str, field: str) -> None:
        if one in self.documents:
            self.minute += 1
            self.documents[one] |= {"modifiedAt": moment(self.minute), field: f"{field}{self.minute}"}
            self.edits[one].append(self.minute)
            if field == "lang":
                self.lang_edits[one].append(self.minute)

    def delete(self, one: str) -> None:
        if one in self.documents:
            self.deleted[one] = self.documents.pop(one)
            self.deletions[one] += 1
            self.is_list_due = True

    def restore(self, one: str) -> None:
        if one in self.deleted:
            self.documents[one] = self.deleted.pop(one)
            self.is_list_due = True

    # What happens in Airflow

    def store_event(self, index: int) -> None:
        """Let the supervisor store an event; those of one watcher in the order in which they were sent."""
        first: dict[Any, dict[str, Any]] = {}
        for event in self.sent:
            if event["state"] == "sent":
                first.setdefault(event["watcher"], event)
        if not first:
            return
        event = list(first.values())[index % len(first)]
        event["state"] = "stored"
        self.reported[event["asset"]] += event["payload"]["sessions"]
        if event["asset"] == PLAIN:
            self.events.append(
                AssetEventResponse(
                    id=len(self.events) + 1,
                    timestamp=START + timedelta(seconds=len(self.events)),
                    extra={"from_trigger": True, "payload": event["payload"]},
                    asset=AssetResponse(name=PLAIN, uri=PLAIN, group="asset"),
                    created_dagruns=[],
                )
            )

    def acknowledge(self, index: int) -> None:
        """Let Airflow confirm that the events of any poll are stored, late and out of order."""
        resolved = [one for one in self.process.entries if one.is_resolved()]
        if resolved:
            self.process.acknowledge(resolved[index % len(resolved)])
            self.settle()

    def fail_watcher(self, name: str) -> None:
        self.is_calm = False
        self.has_failed_watcher = True
        self.process.fail(name)
        self.settle()

    def crash(self) -> None:
        self.is_calm = False
        self.process.die()
        for event in self.sent:
            if event["state"] == "sent":
                event["state"] = "lost"
        self.process = Process(self)
        self.process.start()
        self.settle()

    def write(self, name: str, key: str, value: Any) -> None:
        self.store[name, key] = json.dumps(value)
        if not key.startswith(SHARD_KEY_PREFIX):
            return
        for one, known in value.items():
            self.first_stored.setdefault((name, one), minute_of(known["modified_at"]))
            self.check_stored(name, one, known)

    def check_stored(self, name: str, one: str, known: dict[str, Any]) -> None:
        """Require that everything in a stored watermark was reported to Airflow."""
        until = minute_of(known["modified_at"])
        assert self.unreported(name, one, until) == [], "a watermark was stored before the event of its change"
        if name == PLAIN:
            times = [
                entry["times"] for entry in self.reported[name] if (entry["_id"], entry["kind"]) == (one, "missing")
            ]
            assert known["times_gone"] <= max(times, default=0), "a disappearance was stored before its event"

    def unreported(self, name: str, one: str, until: int) -> list[int]:
        """Return the edits since the first stored watermark that are in no event."""
        edits = (self.edits if name == PLAIN else self.lang_edits)[one]
        ranges = [
            (minute_of(entry["modifiedAt"]["from"]), minute_of(entry["modifiedAt"]["to"]))
            for entry in self.reported[name]
            if entry["_id"] == one and entry["kind"] == "modified"
        ]
        first = self.first_stored.get((name, one), until)
        return [edit for edit in edits if first < edit <= until and not any(a < edit <= b for a, b in ranges)]

    # What a DAG does

    def run_dag(self, dies_after: int, only_last: bool) -> None:
        """Run the DAG for new events, or retry the run that was killed."""
        if self.unfinished_run is None:
            # The next run reads the events that Airflow gave to no run; before the first run, there are none.
            own = self.events[self.consumed :][-1:] if only_last and self.ledger else self.events[self.consumed :]
            if not own:
                return
            self.consumed = len(self.events)
            operator = ChangedProgramSessionsOperator(task_id="changed", kind="any")
            triggering = {Asset(name=PLAIN, uri="learning360://x/programs/sessions"): own}
            self.unfinished_run = operator, {"triggering_asset_events": triggering, "task_state_store": TaskStore()}
        operator, context = self.unfinished_run
        self.writes_until_death = dies_after
        try:
            self.acted += operator.execute(context)
            self.unfinished_run = None
        except KeyboardInterrupt:
            pass
        finally:
            self.writes_until_death = -1

    def send(self, message: Any) -> Any:
        """Respond to a request of the task, as Airflow does."""
        match message:
            case comms.GetAssetByName():
                return comms.AssetResult(name=PLAIN, uri=PLAIN, group="asset")
            case comms.GetAssetEventByAsset(after=after):
                return comms.AssetEventsResult(asset_events=[one for one in self.events if one.timestamp >= after])
            case comms.GetAssetStateStoreByName(key=key):
                return comms.AssetStateStoreResult(value=json.loads(self.ledger[key])) if key in self.ledger else None
            case comms.SetAssetStateStoreByName(key=key, value=value):
                if self.writes_until_death == 0:
                    raise KeyboardInterrupt("killed")
                self.writes_until_death -= 1
                self.ledger[key] = json.dumps(value)
                return None
        raise AssertionError(f"unexpected: {message}")

    # The end

    def run_until_idle(self) -> None:
        """Let everything respond, store and confirm until nothing is left to do."""
        for _ in range(6):
            while any(kind != "sleep" for kind, _, _ in self.process.gates):
                self.open(next(i for i, (kind, _, _) in enumerate(self.process.gates) if kind != "sleep"))
            while any(event["state"] == "sent" for event in self.sent):
                self.store_event(0)
            while any(one.is_resolved() for one in self.process.entries):
                self.acknowledge(0)
            self.open(0)

    def check_every_change_is_reported(self) -> None:
        self.run_until_idle()
        for one in self.deleted:
            if (PLAIN, one) in self.first_stored:
                assert [entry["kind"] for entry in self.reported[PLAIN] if entry["_id"] == one][-1:] == ["missing"]
        for one in list(self.deleted):
            self.restore(one)
        self.run_until_idle()
        for name, one in self.first_stored:
            assert self.unreported(name, one, self.minute) == [], "an edit is in no event"
        assert not self.process.entries
        if self.has_failed_watcher:
            # Airflow does not say which one failed. The next poll that finds something acknowledges the others.
            self.edit(self.arguments(PLAIN)["session_ids"][0], "name")
            self.run_until_idle()
        for one in self.arguments(PLAIN)["session_ids"]:
            rows = [json.loads(row) for (name, key), row in self.store.items() if name == PLAIN and key != POLLING_KEY]
            acknowledged = [row[one]["modified_at"] for row in rows if one in row]
            assert [minute_of(at) for at in acknowledged] == [minute_of(self.documents[one]["modifiedAt"])], (
                "not stored"
            )

    def check_no_change_is_reported_twice(self) -> None:
        for name, entries in self.reported.items():
            for one in self.edits:
                moved = [
                    entry["modifiedAt"] for entry in entries if entry["_id"] == one and entry["kind"] == "modified"
                ]
                assert [two["from"] for two in moved[1:]] == [two["to"] for two in moved[:-1]], name
                times = [entry["times"] for entry in entries if entry["_id"] == one and entry["kind"] == "missing"]
                assert times == list(range(1, len(times) + 1)), name

    def check_every_change_is_acted_on_once(self) -> None:
        while self.unfinished_run is not None or self.consumed < len(self.events):
            self.run_dag(-1, only_last=False)
        reported = {(one["_id"], one["modifiedAt"]["to"]) for one in self.reported[PLAIN] if one["kind"] == "modified"}
        acted = [(one["_id"], one["modifiedAt"]["to"]) for one in self.acted if one["kind"] == "modified"]
        assert set(acted) == reported
        assert len(acted) == len(set(acted)), "a change was acted on twice"
        for one, deletions in self.deletions.items():
            gone = [entry["times"] for entry in self.acted if entry["_id"] == one and entry["kind"] == "missing"]
            assert len(gone) <= deletions, "a disappearance was acted on twice"
            if any((entry["_id"], entry["kind"]) == (one, "missing") for entry in self.reported[PLAIN]):
                assert gone
