"""The changes of a DAG run: each once, none lost, and the same ones on a retry."""

from __future__ import annotations

import itertools
import json
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow.sdk import Asset
from airflow.sdk.api.datamodels._generated import AssetEventResponse, AssetResponse, DagRunAssetReference
from airflow.sdk.exceptions import ErrorType
from airflow.sdk.execution_time import comms, task_runner

from airflow_provider_learning360.api.errors import FixArgumentError
from airflow_provider_learning360.memory import asset_store, task_store
from airflow_provider_learning360.operators import event_ledger
from airflow_provider_learning360.operators.asset_events import AssetEvents
from airflow_provider_learning360.operators.changes import ChangedProgramSessionsOperator

NAME = "learning360://app.360learning.com/programs/sessions?name=all"
START = datetime(2026, 3, 1, 8, 0, tzinfo=UTC)


def entry(number: int, minute: int, kind: str = "modified") -> dict[str, Any]:
    if kind == "missing":
        return {"_id": f"{number:024x}", "kind": kind, "times": minute}
    moved = {"from": "2026-01-01T00:00:00.000Z", "to": f"2026-03-01T08:{minute:02d}:00.000Z"}
    return {"_id": f"{number:024x}", "kind": kind, "modifiedAt": moved, "changes": {}}


class Airflow:
    """The part of Airflow that a task uses: events of an asset, and its state store."""

    def __init__(self) -> None:
        self.events: list[AssetEventResponse] = []
        self.store: dict[str, str] = {}
        self.writes_until_death = -1
        self.listing: Any = None
        self.store_error: Exception | None = None

    def event(self, seconds: float, *entries: dict[str, Any], extra: Any = None) -> AssetEventResponse:
        """Add an event, this many seconds after the start."""
        payload = {"sessions": list(entries)}
        one = AssetEventResponse(
            id=len(self.events) + 1,
            timestamp=START + timedelta(seconds=seconds),
            extra=extra or {"from_trigger": True, "payload": payload},
            asset=AssetResponse(name=NAME, uri=NAME, group="asset"),
            created_dagruns=[],
        )
        self.events.append(one)
        return one

    def send(self, message: Any) -> Any:
        match message:
            case comms.GetAssetByName():
                return comms.AssetResult(name=NAME, uri=NAME, group="asset")
            case comms.GetAssetEventByAsset() if self.listing is not None:
                return self.listing(message)
            case comms.GetAssetEventByAsset(after=after, before=before):
                found = [
                    one
                    for one in self.events
                    if (after is None or one.timestamp >= after) and (before is None or one.timestamp <= before)
                ]
                return comms.AssetEventsResult(asset_events=sorted(found, key=lambda one: one.timestamp))
            case comms.GetAssetStateStoreByName() if self.store_error is not None:
                raise self.store_error
            case comms.DeleteAssetStateStoreByName(key=key):
                self.store.pop(key, None)
                return None
            case comms.GetAssetStateStoreByName(key=key):
                return comms.AssetStateStoreResult(value=json.loads(self.store[key])) if key in self.store else None
            case comms.SetAssetStateStoreByName(key=key, value=value):
                if self.writes_until_death == 0:
                    raise KeyboardInterrupt("killed")
                self.writes_until_death -= 1
                self.store[key] = json.dumps(value)
                return None
        raise AssertionError(f"unexpected: {message}")


@pytest.fixture
def airflow(monkeypatch: pytest.MonkeyPatch) -> Airflow:
    one = Airflow()
    monkeypatch.setattr(task_runner, "SUPERVISOR_COMMS", one, raising=False)
    return one


class TaskStore(dict[str, Any]):
    """The task state store of one run: it survives a retry and a clear."""

    def set(self, key: str, value: Any) -> None:
        self[key] = json.loads(json.dumps(value))


def as_passed_to_a_run(event: AssetEventResponse) -> Any:
    """Return an event as Airflow passes it to a run: without its ID."""
    reference = {
        **event.model_dump(include={"extra", "timestamp", "source_task_id", "source_dag_id", "source_run_id"}),
        "asset": {"name": NAME, "uri": NAME, "extra": {}},
        "source_map_index": None,
        "source_aliases": [],
    }
    return comms.AssetEventDagRunReferenceResult.model_validate(reference)


class Run:
    """A DAG run that these events started."""

    def __init__(self, *events: AssetEventResponse, **arguments: Any) -> None:
        own = [as_passed_to_a_run(event) for event in events]
        triggering = {Asset(name=NAME, uri="learning360://x/programs/sessions"): own} if own else {}
        self.context: Any = {"triggering_asset_events": triggering, "task_state_store": TaskStore()}
        self.operator = ChangedProgramSessionsOperator(task_id="changed", **arguments)

    def execute(self) -> list[dict[str, Any]]:
        return self.operator.execute(self.context)


def test_changes_are_returned_once_and_in_order(airflow: Airflow) -> None:
    first = airflow.event(0, entry(1, 1), entry(2, 1))
    second = airflow.event(1, entry(1, 1), entry(1, 2))
    assert Run(first, second).execute() == [entry(1, 1), entry(2, 1), entry(1, 2)]


def untimed(number: int, times: int, state: str = "a", minute: int = 1) -> dict[str, Any]:
    return {**entry(number, minute), "times": times, "state": state}


def test_changes_with_the_same_modified_at_are_told_apart_and_each_is_returned_once(airflow: Airflow) -> None:
    run = Run(airflow.event(0, entry(1, 1), untimed(1, 1)))
    assert run.execute() == [entry(1, 1), untimed(1, 1)]
    assert Run(airflow.event(60, untimed(1, 1))).execute() == []  # repeated after a crash
    for times in (2, 9, 10):
        event = airflow.event(60 * times + 60, untimed(1, times))
        assert Run(event).execute() == [untimed(1, times)]
        assert Run(airflow.event(60 * times + 90, untimed(1, times))).execute() == []
    assert Run(airflow.event(900, entry(1, 2))).execute() == [entry(1, 2)]


def test_change_repeated_together_with_a_further_one_is_returned(airflow: Airflow) -> None:
    """The triggerer died before the first was acknowledged, so that the second has the same number."""
    assert Run(airflow.event(0, untimed(1, 1, "b"))).execute() == [untimed(1, 1, "b")]
    assert Run(airflow.event(60, untimed(1, 1, "a"))).execute() == [untimed(1, 1, "a")]
    assert Run(airflow.event(120, untimed(1, 1, "a"))).execute() == []


@pytest.mark.parametrize("times", ["1", None, [], 1.5])
def test_entry_with_a_number_that_is_none_is_left_out(times: Any, airflow: Airflow) -> None:
    assert Run(airflow.event(0, {**entry(1, 1), "times": times}, entry(2, 1))).execute() == [entry(2, 1)]


def test_events_left_behind_by_a_burst_are_read_once_by_the_next_run(airflow: Airflow) -> None:
    first = airflow.event(0, entry(1, 1))
    run = Run(first)
    assert run.execute() == [entry(1, 1)]
    airflow.event(0.005, entry(1, 2))  # no run was made for this one
    third = airflow.event(60, entry(1, 3))
    assert Run(third).execute() == [entry(1, 2), entry(1, 3)]
    assert Run(third).execute() == []


def test_event_of_a_queued_run_is_not_repeated_by_its_own_run(airflow: Airflow) -> None:
    first = airflow.event(0, entry(1, 1))
    second = airflow.event(1, entry(2, 1))
    assert Run(first).execute() == [entry(1, 1), entry(2, 1)]
    assert Run(second).execute() == []


def test_event_repeated_after_a_crash_is_ignored_however_late(airflow: Airflow) -> None:
    assert Run(airflow.event(0, entry(1, 1))).execute() == [entry(1, 1)]
    assert Run(airflow.event(7200, entry(1, 1))).execute() == []
    assert Run(airflow.event(7300, entry(1, 2))).execute() == [entry(1, 2)]


def test_event_that_another_triggerer_stored_late_is_not_lost(airflow: Airflow) -> None:
    assert Run(airflow.event(0, entry(1, 0))).execute() == [entry(1, 0)]
    assert Run(airflow.event(30, entry(1, 1))).execute() == [entry(1, 1)]
    airflow.event(10, entry(2, 1))
    assert Run(airflow.event(60, entry(3, 1))).execute() == [entry(2, 1), entry(3, 1)]


def test_events_before_the_first_run_are_not_read(airflow: Airflow) -> None:
    airflow.event(-60, entry(1, 1))
    assert Run(airflow.event(0, entry(2, 1))).execute() == [entry(2, 1)]
    assert Run(airflow.event(60, entry(3, 1))).execute() == [entry(3, 1)]


def test_retry_and_cleared_task_return_the_same_changes(airflow: Airflow) -> None:
    run = Run(airflow.event(0, entry(1, 1)))
    assert run.execute() == [entry(1, 1)]
    airflow.event(1, entry(2, 1))
    assert run.execute() == [entry(1, 1)]


@pytest.mark.parametrize("writes", [0, 1])
def test_killed_task_loses_and_repeats_nothing(airflow: Airflow, writes: int) -> None:
    run = Run(airflow.event(0, entry(1, 1)))
    airflow.writes_until_death = writes
    with pytest.raises(KeyboardInterrupt):
        run.execute()
    airflow.writes_until_death = -1
    assert run.execute() == [entry(1, 1)]
    assert Run(airflow.event(60, entry(1, 2))).execute() == [entry(1, 2)]


def test_failed_run_leaves_its_changes_to_the_next(airflow: Airflow) -> None:
    airflow.writes_until_death = 0
    with pytest.raises(KeyboardInterrupt):
        Run(airflow.event(0, entry(1, 1))).execute()
    airflow.writes_until_death = -1
    assert Run(airflow.event(-1, entry(9, 1)), airflow.event(60, entry(1, 2))).execute() == [
        entry(9, 1),
        entry(1, 1),
        entry(1, 2),
    ]


def test_two_tasks_have_separate_ledgers(airflow: Airflow) -> None:
    event = airflow.event(0, entry(1, 1), entry(2, 0, "missing"))
    modified, missing = Run(event), Run(event, kind="missing")
    missing.operator.task_id = "gone"
    assert modified.execute() == [entry(1, 1)]
    assert missing.execute() == [entry(2, 0, "missing")]
    assert Run(event, kind="any").execute() == []  # of the same task as the first


def test_manual_run_reads_named_assets(airflow: Airflow) -> None:
    assert Run(assets=[NAME]).execute() == []  # there is no earlier run, so no event can have been left behind
    assert Run(airflow.event(0, entry(1, 1))).execute() == [entry(1, 1)]
    airflow.event(1, entry(1, 2))
    assert Run().execute() == []
    assert Run(assets=[NAME]).execute() == [entry(1, 2)]


@pytest.mark.parametrize(
    "extra",
    [{}, {"from_trigger": True}, {"payload": "text"}, {"payload": {"sessions": "x"}}, {"payload": {"sessions": [1]}}],
)
def test_foreign_events_are_ignored(airflow: Airflow, extra: Any) -> None:
    assert Run(airflow.event(0, extra=extra)).execute() == []


def test_only_own_events_are_read_without_a_task(airflow: Airflow) -> None:
    run = Run(airflow.event(0, entry(1, 1)), airflow.event(1, entry(1, 1)))
    airflow.event(2, entry(2, 1))
    del run.context["task_state_store"]
    assert run.execute() == [entry(1, 1)]


def test_unknown_kind_is_refused_when_the_dag_is_parsed() -> None:
    with pytest.raises(FixArgumentError, match="modified, missing, any"):
        ChangedProgramSessionsOperator(task_id="changed", kind="moved")  # type: ignore[arg-type]


def test_changes_are_limited_to_what_airflow_can_map_over(airflow: Airflow, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__CORE__MAX_MAP_LENGTH", "3")
    first = airflow.event(0, *(entry(number, 1) for number in range(4)))
    second = airflow.event(1, entry(7, 1), entry(0, 1))
    assert Run(first).execute() == [entry(number, 1) for number in range(3)]
    assert Run(second).execute() == [entry(3, 1), entry(7, 1)]
    assert Run(second).execute() == []


def test_second_disappearance_is_returned(airflow: Airflow) -> None:
    assert Run(airflow.event(0, entry(1, 1, "missing")), kind="missing").execute() == [entry(1, 1, "missing")]
    repeated = airflow.event(1, entry(1, 1, "missing"))
    assert Run(repeated, kind="missing").execute() == []
    assert Run(airflow.event(2, entry(1, 2, "missing")), kind="missing").execute() == [entry(1, 2, "missing")]


def test_triggerer_with_a_fast_clock_hides_no_event(airflow: Airflow) -> None:
    ahead = airflow.event((datetime.now(tz=UTC) - START).total_seconds() + 3600, entry(1, 1))
    assert Run(ahead).execute() == [entry(1, 1)]
    airflow.events[0].timestamp = ahead.timestamp
    now = airflow.event((datetime.now(tz=UTC) - START).total_seconds(), entry(2, 1))
    assert Run(now).execute() == [entry(2, 1)]


def test_long_queued_run_repeats_and_misses_nothing(airflow: Airflow) -> None:
    waiting = airflow.event(0, entry(1, 1))
    late = airflow.event(3600, entry(1, 2))
    assert Run(waiting).execute() == [entry(1, 1), entry(1, 2)]
    assert Run(airflow.event(7200, entry(1, 3))).execute() == [entry(1, 3)]
    assert Run(late).execute() == []
    behind = airflow.event(1800, entry(5, 1))  # stored by a triggerer whose clock is an hour behind
    assert Run(behind).execute() == [entry(5, 1)]


def test_clearing_an_old_run_makes_no_later_run_repeat(airflow: Airflow) -> None:
    old = Run(airflow.event(0, entry(1, 1)))
    assert old.execute() == [entry(1, 1)]
    assert Run(airflow.event(1, entry(1, 2))).execute() == [entry(1, 2)]
    assert old.execute() == [entry(1, 1)]
    assert Run(airflow.event(2, entry(1, 2))).execute() == []


@pytest.mark.parametrize("assets", ["other", ["other"]])
def test_only_named_assets_are_read(airflow: Airflow, assets: Any) -> None:
    assert Run(airflow.event(0, entry(1, 1)), assets=assets).execute() == []


def test_assets_may_be_given_as_objects(airflow: Airflow) -> None:
    asset = Asset(name=NAME, uri="learning360://x/programs/sessions")
    assert Run(airflow.event(0, entry(1, 1)), assets=[asset]).execute() == [entry(1, 1)]


def test_invalid_asset_is_refused(airflow: Airflow) -> None:
    with pytest.raises(FixArgumentError, match="assets"):
        Run(assets=[5]).execute()


@pytest.mark.parametrize("change", [{"_id": "x", "kind": "missing"}, {"_id": "0" * 24, "kind": "modified"}])
def test_invalid_change_is_ignored(airflow: Airflow, change: Any) -> None:
    assert Run(airflow.event(0, change)).execute() == []


def queued(_: Any) -> Any:
    """Airflow's response while a run that an event started is queued (apache/airflow #71360)."""
    from airflow.sdk.exceptions import AirflowRuntimeError, ErrorType

    raise AirflowRuntimeError(comms.ErrorResponse(error=ErrorType.API_SERVER_ERROR, detail={"status_code": 500}))


def newer_server(_: Any) -> Any:
    """The response of a later server in a released Task SDK (apache/airflow #71862)."""
    comms.AssetEventsResult.model_validate({"asset_events": [{"timestamp": None}]})


def broken_pipe(_: Any) -> Any:
    raise OSError("[Errno 32] Broken pipe")


def error_response(_: Any) -> Any:
    from airflow.sdk.exceptions import ErrorType

    return comms.ErrorResponse(error=ErrorType.GENERIC_ERROR, detail={"message": "no \x1b[31m list"})


@pytest.fixture(params=[queued, newer_server, broken_pipe, error_response], ids=lambda one: one.__name__)
def unlisted(request: pytest.FixtureRequest) -> Any:
    """A failure of listing events."""
    return request.param


def test_own_events_are_read_if_airflow_cannot_list_the_others(
    airflow: Airflow, unlisted: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    own = airflow.event(0, entry(1, 1), entry(2, 1))
    airflow.event(0.005, entry(3, 1))  # left behind: no run was made for it
    airflow.listing = unlisted
    run = Run(own)
    assert run.execute() == [entry(1, 1), entry(2, 1)]
    (line,) = [one for one in capfd.readouterr().out.splitlines() if "could not list" in one]
    assert NAME in line
    assert "2 changes" in line
    assert "\x1b[31m " not in line
    airflow.listing = None
    assert run.execute() == [entry(1, 1), entry(2, 1)]  # cleared: the same again
    assert Run(airflow.event(60, entry(1, 2))).execute() == [entry(3, 1), entry(1, 2)]
    assert Run(airflow.event(61, entry(1, 2))).execute() == []


def test_changes_recorded_aside_are_never_repeated(airflow: Airflow) -> None:
    assert Run(airflow.event(0, entry(9, 1))).execute() == [entry(9, 1)]
    airflow.event(1, entry(1, 1))  # left behind
    airflow.listing = queued
    assert Run(airflow.event(2, entry(1, 2))).execute() == [entry(1, 2)]
    assert Run(airflow.event(3, entry(1, 3), entry(2, 1))).execute() == [entry(1, 3), entry(2, 1)]
    assert Run(airflow.event(4, entry(1, 3), entry(1, 4))).execute() == [entry(1, 4)]
    airflow.listing = None
    assert Run(airflow.event(5, entry(1, 5))).execute() == [entry(1, 1), entry(1, 5)]
    assert Run(airflow.event(6, entry(1, 5), entry(1, 6))).execute() == [entry(1, 6)]
    assert not [key for key in airflow.store if key.endswith("_aside")]


def test_changes_beyond_the_limit_are_returned_later(airflow: Airflow, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__CORE__MAX_MAP_LENGTH", "2")
    airflow.listing = queued
    own = airflow.event(0, *(entry(number, 1) for number in range(5)))
    assert Run(own).execute() == [entry(0, 1), entry(1, 1)]
    airflow.listing = None
    assert Run(airflow.event(60, entry(7, 1))).execute() == [entry(2, 1), entry(3, 1)]
    assert Run(airflow.event(61)).execute() == [entry(4, 1), entry(7, 1)]
    assert Run(airflow.event(62)).execute() == []


@pytest.mark.parametrize("writes", range(5))
def test_task_killed_while_recording_aside_loses_and_repeats_nothing(airflow: Airflow, writes: int) -> None:
    airflow.listing = queued
    run = Run(airflow.event(0, entry(1, 1)))
    airflow.event(0.005, entry(1, 2))
    airflow.writes_until_death = writes
    try:
        run.execute()
    except KeyboardInterrupt:
        airflow.writes_until_death = -1
        assert run.execute() == [entry(1, 1)]
    airflow.writes_until_death, airflow.listing = -1, None
    assert Run(airflow.event(60, entry(1, 3))).execute() == [entry(1, 2), entry(1, 3)]


def test_lost_store_is_an_error(airflow: Airflow) -> None:
    own = airflow.event(0, entry(1, 1))
    airflow.store_error = RuntimeError("the store is gone")
    with pytest.raises(RuntimeError, match="the store is gone"):
        Run(own).execute()


def test_changes_of_an_earlier_run_are_not_repeated_by_queued_runs(airflow: Airflow) -> None:
    events = [airflow.event(0, entry(9, 1)), airflow.event(60, entry(1, 1)), airflow.event(120, entry(1, 2))]
    first, *queued_runs = [Run(event) for event in events]
    assert first.execute() == [entry(9, 1), entry(1, 1), entry(1, 2)]
    airflow.listing = queued
    assert [run.execute() for run in queued_runs] == [[], []]
    assert Run(airflow.event(180, entry(1, 3))).execute() == [entry(1, 3)]
    airflow.listing = None
    assert Run(airflow.event(240, entry(1, 4))).execute() == [entry(1, 4)]


def test_position_of_an_earlier_version_is_understood(airflow: Airflow) -> None:
    assert Run(airflow.event(0, entry(1, 1))).execute() == [entry(1, 1)]
    for key, text in airflow.store.items():
        airflow.store[key] = json.dumps({name: one for name, one in json.loads(text).items() if name != "recent_times"})
    airflow.listing = queued
    assert Run(airflow.event(60, entry(1, 2))).execute() == [entry(1, 2)]
    airflow.listing = None
    assert Run(airflow.event(120, entry(1, 3))).execute() == [entry(1, 3)]


class Queue:
    """Queued runs that events started, and what they return."""

    def __init__(self, airflow: Airflow) -> None:
        self.airflow = airflow
        self.received: list[dict[str, Any]] = []
        self.sent: list[dict[str, Any]] = []
        self._seconds = 0.0
        self._waiting: list[list[AssetEventResponse]] = []

    def event(self, number: int, gap: float, kind: str, run: str) -> None:
        """Add a change; its event starts a run, joins the last queued run, or is left behind."""
        self._seconds += gap
        self.sent.append(entry(number, len(self.sent) + 1, kind))
        event = self.airflow.event(self._seconds, self.sent[-1])
        # Events before the first run do not count.
        if run == "new" or len(self.sent) == 1:
            self._waiting.append([event])
        elif run == "joins" and self._waiting:
            self._waiting[-1].append(event)

    def execute(self, *, is_listed: bool) -> None:
        """Execute the first of the queued runs."""
        self.airflow.listing = None if is_listed else queued
        if self._waiting:
            self.received += Run(*self._waiting.pop(0), kind="any").execute()

    def finish(self) -> None:
        """Execute all, and one more run whose events Airflow lists."""
        self.event(0, 60, "modified", "new")
        while self._waiting:
            self.execute(is_listed=True)


GAPS = st.sampled_from([60.0, 0.005, 400.0, 4000.0])
EVENTS = st.tuples(
    st.integers(0, 1), GAPS, st.sampled_from(["modified", "modified", "missing"]), st.sampled_from(["new", "joins", ""])
)
# Events, and then executed runs: for each, whether Airflow lists the events.
ROUNDS = st.tuples(st.lists(EVENTS, min_size=1, max_size=4), st.lists(st.booleans(), max_size=4))


@pytest.mark.slow
@given(st.lists(ROUNDS, max_size=6))
@settings(deadline=None, max_examples=300)
def test_changes_are_returned_once_whatever_cannot_be_listed(rounds: list[tuple[list[Any], list[bool]]]) -> None:
    airflow = Airflow()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(task_runner, "SUPERVISOR_COMMS", airflow, raising=False)
        queue = Queue(airflow)
        for events, runs in rounds:
            for event in events:
                queue.event(*event)
            for is_listed in runs:
                queue.execute(is_listed=is_listed)
        queue.finish()
    assert sorted(map(json.dumps, queue.received)) == sorted(map(json.dumps, queue.sent))


class RunOfItsOwn(Run):
    """A run on Airflow 3.4 and later, which gives each event to a run."""

    def __init__(self, *events: AssetEventResponse, batch_asset_events: bool = False) -> None:
        super().__init__(*events)
        timetable = SimpleNamespace(batch_asset_events=batch_asset_events)
        self.reference = DagRunAssetReference(
            run_id=f"run of {[event.id for event in events]}",
            dag_id="dag",
            state="queued",
            start_date=START,
            **dict.fromkeys(["logical_date", "end_date", "data_interval_start", "data_interval_end", "partition_key"]),
        )
        self.context.update(dag=SimpleNamespace(dag_id="dag", timetable=timetable), run_id=self.reference.run_id)
        for event in events:
            event.created_dagruns.append(self.reference)

    def execute(self) -> list[dict[str, Any]]:
        returned = super().execute()
        self.reference.state = "success"
        return returned

    def fail(self) -> None:
        """Fail before the operator has chosen anything."""
        self.reference.state = "failed"


@pytest.mark.parametrize("batch", [False, True])
def test_each_run_returns_its_own_changes_if_each_event_gets_a_run(airflow: Airflow, batch: bool) -> None:
    events = [airflow.event(number, entry(number, 1)) for number in range(3)]
    first = RunOfItsOwn(events[0], batch_asset_events=batch)
    assert first.execute() == [entry(0, 1)]  # the others have no run yet
    assert [RunOfItsOwn(event, batch_asset_events=batch).execute() for event in events[1:]] == [
        [entry(1, 1)],
        [entry(2, 1)],
    ]


def test_events_while_the_dag_was_paused_are_returned_by_the_next_run(airflow: Airflow) -> None:
    assert RunOfItsOwn(airflow.event(0, entry(1, 1))).execute() == [entry(1, 1)]
    airflow.event(60, entry(1, 2))
    airflow.event(3600, entry(2, 1))
    assert RunOfItsOwn(airflow.event(7200, entry(1, 3))).execute() == [entry(1, 2), entry(2, 1), entry(1, 3)]


def test_events_of_a_failed_run_are_returned_by_the_next_run_and_not_again(
    airflow: Airflow, capfd: pytest.CaptureFixture[str]
) -> None:
    failed = RunOfItsOwn(airflow.event(0, entry(1, 1)))
    assert RunOfItsOwn(airflow.event(-1, entry(9, 1))).execute() == [entry(9, 1)]
    failed.fail()
    assert RunOfItsOwn(airflow.event(60, entry(2, 1))).execute() == [entry(1, 1), entry(2, 1)]
    assert "Earlier runs" not in capfd.readouterr().out
    assert failed.execute() == []
    assert "Earlier runs of this DAG have returned the changes" in capfd.readouterr().out


def test_failed_first_run_returns_its_changes_after_it_was_cleared(airflow: Airflow) -> None:
    failed = RunOfItsOwn(airflow.event(0, entry(1, 1)))
    failed.fail()
    assert RunOfItsOwn(airflow.event(60, entry(2, 1))).execute() == [entry(2, 1)]
    assert failed.execute() == [entry(1, 1)]
    assert RunOfItsOwn(airflow.event(120, entry(3, 1))).execute() == [entry(3, 1)]


def test_events_of_an_unfinished_run_are_left_to_it_and_found_after_it_failed(airflow: Airflow) -> None:
    slow = RunOfItsOwn(airflow.event(0, entry(1, 1)))
    assert RunOfItsOwn(airflow.event(-1, entry(9, 1))).execute() == [entry(9, 1)]
    slow.reference.state = "running"
    for hour in (1, 2):  # later than an event may be delayed
        assert RunOfItsOwn(airflow.event(3600 * hour, entry(2, hour))).execute() == [entry(2, hour)]
    slow.fail()
    assert RunOfItsOwn(airflow.event(3600 * 3, entry(2, 3))).execute() == [entry(1, 1), entry(2, 3)]


def test_run_by_hand_leaves_events_to_runs_that_have_not_ended(airflow: Airflow) -> None:
    assert RunOfItsOwn(airflow.event(0, entry(1, 1))).execute() == [entry(1, 1)]
    waiting = RunOfItsOwn(airflow.event(60, entry(2, 1)))
    airflow.event(61, entry(3, 1))
    by_hand = RunOfItsOwn()
    by_hand.operator.assets = [NAME]
    assert by_hand.execute() == [entry(3, 1)]
    assert waiting.execute() == [entry(2, 1)]


EVENTS_IN_ORDER = st.lists(
    st.tuples(
        st.integers(0, 1),
        GAPS,
        st.sampled_from(["modified", "modified", "missing"]),
        st.sampled_from(["new", "new", "paused"]),
        st.sampled_from(["ends", "ends", "fails", "is cleared", "is not listed"]),
    ),
    max_size=8,
)


@pytest.mark.slow
@given(EVENTS_IN_ORDER, st.booleans())
@settings(deadline=None, max_examples=300)
def test_changes_are_returned_once_if_each_event_gets_a_run(events: list[Any], runs_are_late: bool) -> None:
    airflow, returned, sent, runs = Airflow(), [], [], []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(task_runner, "SUPERVISOR_COMMS", airflow, raising=False)
        seconds = 0.0
        # Events before the first run that ended do not count.
        ends = (0, 60.0, "modified", "new", "ends")
        for number, (session, gap, kind, start, end) in enumerate([ends, *events, ends], 1):
            seconds += gap
            sent.append(entry(session, number, kind))
            event = airflow.event(seconds, sent[-1])
            if start == "new":
                run = RunOfItsOwn(event)
                run.operator.kind = "any"
                runs.append((run, sent[-1], end))
            if not runs_are_late:
                returned += execute_in_order(airflow, runs)
        returned += execute_in_order(airflow, runs) + execute_in_order(airflow, runs)
    assert sorted(map(json.dumps, returned)) == sorted(map(json.dumps, sent))


def execute_in_order(airflow: Airflow, runs: list[tuple[RunOfItsOwn, dict[str, Any], str]]) -> list[dict[str, Any]]:
    """Execute the queued runs; return the changes. A run returns its own, unless it was cleared after a failure."""
    returned = []
    waiting, runs[:] = list(runs), []
    for run, own, end in waiting:
        if end in ("fails", "is cleared"):
            run.fail()
            if end == "is cleared":
                runs.append((run, own, "ends late"))
            continue
        airflow.listing = queued if end == "is not listed" else None
        changes = run.execute()
        assert own in changes or end == "ends late"
        returned += changes
    airflow.listing = None
    return returned


class AirflowWithVariables(Airflow):
    """Airflow 3.2, or 3.1, which can only list all events of an asset."""

    def __init__(self) -> None:
        super().__init__()
        self.listings = 0

    def send(self, message: Any) -> Any:
        match message:
            case comms.GetAssetEventByAsset():
                self.listings += 1
            case comms.GetDRCount():
                return comms.DRCount(count=0)
            case comms.GetVariable(key=key):
                missing = comms.ErrorResponse(error=ErrorType.VARIABLE_NOT_FOUND)
                return comms.VariableResult(key=key, value=self.store[key]) if key in self.store else missing
            case comms.DeleteVariable(key=key):
                self.store.pop(key, None)
                return None
            case comms.PutVariable(key=key, value=value):
                if self.writes_until_death == 0:
                    raise KeyboardInterrupt("killed")
                self.writes_until_death -= 1
                assert value is not None
                self.store[key] = value
                return None
            case comms.GetAssetStateStoreByName() | comms.SetAssetStateStoreByName():
                raise AssertionError("there is no state store")
        return super().send(message)


@pytest.fixture(params=["3.2", "3.1"])
def older(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> AirflowWithVariables:
    one = AirflowWithVariables()
    monkeypatch.setattr(task_runner, "SUPERVISOR_COMMS", one, raising=False)
    monkeypatch.setattr(asset_store, "HAS_STATE_STORE", False)
    monkeypatch.setattr(task_store, "HAS_STATE_STORE", False)
    if request.param == "3.1":
        find = AssetEvents._find_accessor
        monkeypatch.setattr(AssetEvents, "_find_accessor", lambda self: list(find(self)))
    return one


def run_of(*events: Any, number: itertools.count[int] = itertools.count(1)) -> Run:  # noqa: B008 - counts all runs
    """Return a DAG run that these events started, as Airflow below 3.3 runs it."""
    run = Run(*events)
    del run.context["task_state_store"]
    run.context["ti"] = SimpleNamespace(dag_id="react", run_id=f"r{next(number)}", task_id="changed", map_index=-1)
    return run


def test_changes_are_returned_once_below_airflow_3_3(older: AirflowWithVariables) -> None:
    first = older.event(0, entry(1, 1), entry(2, 1))
    assert run_of(first).execute() == [entry(1, 1), entry(2, 1)]
    repeated = older.event(60, entry(1, 1), entry(2, 2))  # the triggerer died before the watermark was stored
    assert run_of(repeated).execute() == [entry(2, 2)]
    owners = [json.loads(row)["owner"] for name, row in older.store.items() if "__read_" in name]
    assert owners == [{"asset": NAME, "reader": "adhoc_airflow.changed"}] * len(owners)
    assert owners


def test_events_that_no_run_got_are_read_by_the_next_run_below_airflow_3_3(older: AirflowWithVariables) -> None:
    assert run_of(older.event(0, entry(1, 1))).execute() == [entry(1, 1)]
    older.event(1, entry(2, 1))
    own = older.event(2, entry(3, 1))
    older.event(3, entry(4, 1))
    assert run_of(own).execute() == [entry(2, 1), entry(3, 1), entry(4, 1)]


@pytest.mark.parametrize("writes", range(4))
def test_killed_task_returns_the_same_changes_below_airflow_3_3(older: AirflowWithVariables, writes: int) -> None:
    run = run_of(older.event(0, entry(1, 1)))
    older.writes_until_death = writes
    if writes < 3:
        with pytest.raises(KeyboardInterrupt):
            run.execute()
    older.writes_until_death = -1
    assert run.execute() == [entry(1, 1)]
    assert run_of(older.event(1, entry(1, 1), entry(2, 1))).execute() == [entry(2, 1)]


@pytest.mark.parametrize("older", ["3.1"], indirect=True)
def test_asset_with_very_many_events_is_listed_rarely_and_loses_none(
    older: AirflowWithVariables, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(event_ledger, "MAX_LISTED_EVENTS", 3)
    monkeypatch.setattr(event_ledger, "RARE_LISTING", 5)
    returned = []
    for number in range(16):
        older.event(2 * number, entry(number, 1))  # given to no run
        returned += run_of(older.event(2 * number + 1, entry(number, 2))).execute()
    assert older.listings == 5  # of the first two runs, which found few events, and of every fifth
    assert "airflow db clean --tables asset_event" in capsys.readouterr().out
    acted_on = [(one["_id"], one["modifiedAt"]["to"]) for one in returned]
    assert len(acted_on) == len(set(acted_on))
    # The first event came before the ledger began; the last runs list nothing.
    expected = {
        (f"{number:024x}", entry(number, minute)["modifiedAt"]["to"]) for number in range(15) for minute in (1, 2)
    }
    assert expected - set(acted_on) == {(f"{0:024x}", entry(0, 1)["modifiedAt"]["to"])}
