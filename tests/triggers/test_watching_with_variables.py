"""Watchers below Airflow 3.3: watermarks in variables, stored when a later poll shows that events had time to be."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from airflow.sdk.execution_time import task_runner
from airflow.sdk.execution_time.comms import GetVariable, PutVariable

from airflow_provider_learning360.assets.completions import watched_completions
from airflow_provider_learning360.assets.program_session import watched_program_session
from airflow_provider_learning360.memory import asset_store, triggerer_variables
from airflow_provider_learning360.triggers import cursor, sent_events
from airflow_provider_learning360.triggers.watching import ProgramSessionsWatchTrigger
from variable_triggerer import RunningTrigger, Variables
from versions import SESSION, VERSIONS, add_session, simulated

pytestmark = pytest.mark.learning360_simulator(sessions=4, learners=2, extra={"requests_per_second": 1000})

QUICK: dict[str, Any] = {"poll_interval": 0.05}


@pytest.fixture
def variables(monkeypatch: pytest.MonkeyPatch) -> Variables:
    """The parent process of a triggerer of Airflow below 3.3."""
    one = Variables()
    monkeypatch.setattr(asset_store, "HAS_STATE_STORE", False)
    monkeypatch.setattr(task_runner, "SUPERVISOR_COMMS", one, raising=False)
    monkeypatch.setattr(cursor, "PAUSE", 0.01)
    monkeypatch.setattr(sent_events, "STORED_AFTER", 0.0)
    monkeypatch.setattr(ProgramSessionsWatchTrigger, "_cursors", {})
    return one


def polled(simulator: Any, more: int) -> Any:
    """Return whether there were so many more requests since now."""
    seen = len(simulator.requests)
    return lambda: len(simulator.requests) >= seen + more


def test_change_during_downtime_is_found_from_the_stored_watermark(
    learning360_simulator: Any, variables: Variables
) -> None:
    simulator = learning360_simulator
    session_id = simulator.session_ids[0]
    asset = watched_program_session(session_id, **QUICK)

    async def scenario() -> None:
        before = simulator.session(session_id)["modifiedAt"]
        async with RunningTrigger(asset) as one:
            await one.until(lambda: variables.watermarks(asset.name))
        after = simulator.edit(session_id, name="Moved during downtime")["modifiedAt"]
        async with RunningTrigger(asset) as two:
            await two.until(lambda: variables.watermarks(asset.name) == {session_id: after})
            assert two.changes(session_id) == [(before, after)]
        async with RunningTrigger(asset) as three:
            await three.until(polled(simulator, 3))
            assert three.events == []

    asyncio.run(scenario())


def test_kill_before_the_next_poll_repeats_the_event(
    learning360_simulator: Any, variables: Variables, monkeypatch: pytest.MonkeyPatch
) -> None:
    simulator = learning360_simulator
    session_id = simulator.session_ids[0]
    asset = watched_program_session(session_id, **QUICK)

    async def scenario() -> None:
        before = simulator.session(session_id)["modifiedAt"]
        monkeypatch.setattr(sent_events, "STORED_AFTER", 3600.0)
        async with RunningTrigger(asset) as one:
            await one.until(lambda: variables.watermarks(asset.name))
            after = simulator.edit(session_id, name="Moved")["modifiedAt"]
            await one.until(lambda: one.events)
            await one.until(polled(simulator, 3))  # too early for its event to be stored
            assert len(one.events) == 1
        assert variables.watermarks(asset.name) == {session_id: before}
        monkeypatch.setattr(sent_events, "STORED_AFTER", 0.0)
        async with RunningTrigger(asset) as two:
            await two.until(lambda: variables.watermarks(asset.name) == {session_id: after})
            assert two.changes(session_id) == [(before, after)]

    asyncio.run(scenario())


def test_database_that_fails_loses_no_change(learning360_simulator: Any, variables: Variables) -> None:
    simulator = learning360_simulator
    session_id = simulator.session_ids[0]
    asset = watched_program_session(session_id, **QUICK)

    async def scenario() -> None:
        before = simulator.session(session_id)["modifiedAt"]
        async with RunningTrigger(asset) as one:
            await one.until(lambda: variables.watermarks(asset.name))
        after = simulator.edit(session_id, name="Moved")["modifiedAt"]
        variables.is_down = True  # Airflow says that the variable is missing
        seen = len(variables.messages)
        async with RunningTrigger(asset) as two:
            await two.until(lambda: len(variables.messages) > seen + 4)
            variables.is_down = False
            await two.until(lambda: two.events)
            assert two.changes(session_id) == [(before, after)]
            variables.is_down = True
            last = simulator.edit(session_id, name="Again")["modifiedAt"]
            await two.until(lambda: len(two.events) == 2)
            variables.is_down = False
            await two.until(lambda: variables.watermarks(asset.name) == {session_id: last})

    asyncio.run(scenario())


def test_poll_that_finds_nothing_stores_nothing(learning360_simulator: Any, variables: Variables) -> None:
    simulator = learning360_simulator
    asset = watched_program_session(simulator.session_ids[0], **QUICK)

    async def scenario() -> None:
        async with RunningTrigger(asset) as one:
            await one.until(lambda: variables.rows)
            messages = len(variables.messages)
            await one.until(polled(simulator, 5))
            assert len(variables.messages) == messages

    asyncio.run(scenario())
    ((row,),) = [list(map(json.loads, variables.rows.values()))]
    assert row["owner"] == {"asset": asset.name}


@pytest.mark.parametrize("version", VERSIONS)
def test_completions_during_downtime_are_found(
    version: str, variables: Variables, monkeypatch: pytest.MonkeyPatch
) -> None:
    asset = watched_completions("completions", [SESSION], **QUICK)

    async def scenario(simulator: Any) -> None:
        mails = add_session(simulator)
        async with RunningTrigger(asset) as one:
            await one.until(lambda: variables.values(asset.name, "completions"))
            simulator.finish(SESSION, mails[0])
            await one.until(lambda: variables.values(asset.name, "completions")[0]["seen"])
            assert len(one.events) == 1
        simulator.finish(SESSION, mails[1])
        async with RunningTrigger(asset) as two:
            await two.until(lambda: two.events)
            await two.until(polled(simulator, 4))
            assert [one["completions"][0]["completed"] for one in two.events] == [1]

    with simulated(monkeypatch, version, sessions=1, learners=5) as simulator:
        asyncio.run(scenario(simulator))


def test_cancelled_request_is_read_to_its_end(variables: Variables) -> None:
    async def scenario() -> None:
        await variables.asend(PutVariable(key="one", value="1", description=None))
        reading = asyncio.ensure_future(triggerer_variables.read_variable("two"))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading
        assert await triggerer_variables.read_variable("one") == "1"

    asyncio.run(scenario())


def test_missing_variable_is_asked_for_twice_with_proof_of_the_database_in_between(variables: Variables) -> None:
    assert asyncio.run(triggerer_variables.read_variable("none")) is None
    kinds = [type(message).__name__ for message in variables.messages]
    assert kinds == [GetVariable.__name__, "GetDRCount", GetVariable.__name__]


def test_triggerer_before_airflow_3_0_6_keeps_watermarks_in_memory(
    learning360_simulator: Any, variables: Variables, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(task_runner, "SUPERVISOR_COMMS", object())
    simulator = learning360_simulator
    asset = watched_program_session(simulator.session_ids[0], **QUICK)

    async def scenario() -> None:
        async with RunningTrigger(asset) as one:
            await one.until(polled(simulator, 3))

    asyncio.run(scenario())
    assert variables.rows == {}
    assert "Use a triggerer of Airflow 3.0.6 or later" in caplog.text


@pytest.mark.parametrize("edited", ["", "[]", "null", '{"value": null}', '{"value": 5}', '{"value": {"a": 5}}'])
def test_edited_variable_stops_no_watcher(learning360_simulator: Any, variables: Variables, edited: str) -> None:
    """What a person left there is replaced; the sessions are watched from now on."""
    simulator = learning360_simulator
    session_id = simulator.session_ids[0]
    asset = watched_program_session(session_id, **QUICK)

    async def scenario() -> None:
        async with RunningTrigger(asset) as one:
            await one.until(lambda: variables.watermarks(asset.name))
        ((name, row),) = [(name, row) for name, row in variables.rows.items() if "__watermarks_" in name]
        is_value = "value" in edited
        variables.rows[name] = json.dumps(json.loads(row) | json.loads(edited)) if is_value else edited
        async with RunningTrigger(asset) as two:
            await two.until(polled(simulator, 2))
            before, after = simulator.session(session_id)["modifiedAt"], simulator.edit(session_id, name="A")
            await two.until(lambda: two.changes(session_id) == [(before, after["modifiedAt"])])

    asyncio.run(scenario())
