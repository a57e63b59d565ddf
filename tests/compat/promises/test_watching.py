"""Watched assets, from Airflow 3.0 on. Older versions can use the rest of the provider, and say what is missing."""

from __future__ import annotations

import asyncio
import json
from datetime import datetime
from importlib import import_module
from importlib.metadata import version
from typing import Any

import pytest

from airflow.providers.common.compat.sdk import conf
from airflow.providers_manager import ProvidersManager

from airflow_provider_learning360.operators.changes import ChangedProgramSessionsOperator

AIRFLOW = tuple(int(part) for part in version("apache-airflow").split(".")[:2])
ASSETS = "airflow_provider_learning360.assets.program_session"
SESSION_ID = "60b8d2956e20ae1a0f8e44f1"
URI = f"learning360://app.360learning.com/programs/sessions/{SESSION_ID}"


@pytest.mark.promise("provider found")
def test_changes_operator_can_be_built() -> None:
    assert ChangedProgramSessionsOperator(task_id="changed").kind == "modified"


@pytest.mark.promise("provider found")
def test_airflow_knows_the_shortest_interval() -> None:
    ProvidersManager().initialize_providers_configuration()  # as Airflow's commands do

    assert conf.getfloat("learning360", "min_poll_interval") == 10


if AIRFLOW < (3, 0):

    def test_watched_assets_say_which_airflow_they_need(refused: Any) -> None:
        with refused(ImportError, match="Airflow 3.0"):
            import_module(ASSETS)

else:

    def test_asset_uri_has_one_form() -> None:
        from airflow.sdk import Asset

        unusual = f"learning360://App.360Learning.com//programs/sessions/{SESSION_ID.upper()}/"
        assert Asset(unusual).uri == URI
        assert import_module(ASSETS).program_session_asset(SESSION_ID.upper()).uri == URI

    def test_trigger_of_a_watched_asset_survives_serialization() -> None:
        asset = import_module(ASSETS).watched_program_session(SESSION_ID)
        (watcher,) = asset.watchers
        classpath, arguments = watcher.trigger.serialize()

        module, _, name = classpath.rpartition(".")
        again = getattr(import_module(module), name)(**arguments)

        assert asset.uri == URI
        assert again.serialize() == (classpath, arguments)

    def test_shorter_interval_is_refused() -> None:
        with pytest.raises(ValueError, match="min_poll_interval"):
            import_module(ASSETS).watched_program_session(SESSION_ID, poll_interval=9)

    def test_watcher_reports_an_edit(learning360_simulator: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("AIRFLOW__LEARNING360__MIN_POLL_INTERVAL", "0.1")
        simulator = learning360_simulator
        session_id = simulator.session_ids[0]
        before = simulator.session(session_id)
        asset = import_module(ASSETS).watched_program_session(session_id, poll_interval=0.1, watch=["startDate"])
        (watcher,) = asset.watchers

        async def first_event() -> Any:
            # Airflow below 3.3 runs each trigger alone; newer versions can do so as well.
            events = watcher.trigger.run()
            waiting = asyncio.ensure_future(anext(events))
            await asyncio.to_thread(simulator.wait_for, lambda one: len(one.requests) >= 2)
            simulator.edit(session_id, startDate="2027-03-01T09:00:00.000Z")
            event = await asyncio.wait_for(waiting, 30)
            await events.aclose()
            return event.payload

        (entry,) = asyncio.run(first_event())["sessions"]
        assert entry["_id"] == session_id
        assert entry["changes"] == {"startDate": {"from": before["startDate"], "to": "2027-03-01T09:00:00.000Z"}}

    @pytest.mark.promise("memory")
    @pytest.mark.skipif(AIRFLOW >= (3, 3), reason="Airflow has a store for watermarks")
    def test_watermarks_outlive_the_triggerer(learning360_simulator: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        from airflow.sdk.execution_time import comms, task_runner

        from airflow_provider_learning360.triggers import sent_events

        class ParentProcess:
            """What a triggerer answers to its triggers."""

            def __init__(self) -> None:
                self.rows: dict[str, str] = {}

            def send(self, message: Any) -> None:
                """Take in a secret to hide, which Airflow 3.0 sends when it looks up a connection."""

            async def asend(self, message: Any) -> Any:
                if isinstance(message, comms.PutVariable):
                    assert message.value is not None
                    self.rows[message.key] = message.value
                    return comms.OKResponse(ok=True)
                if isinstance(message, comms.GetDRCount):
                    return comms.DRCount(count=0)
                value = self.rows.get(message.key)
                if value is None:
                    return comms.ErrorResponse(error=comms.ErrorType.VARIABLE_NOT_FOUND)
                return comms.VariableResult(key=message.key, value=value)

            def dates(self) -> list[datetime]:
                shards = [json.loads(row)["value"] for row in self.rows.values()]
                return [datetime.fromisoformat(known["modified_at"]) for shard in shards for known in shard.values()]

        parent = ParentProcess()
        monkeypatch.setattr(task_runner, "SUPERVISOR_COMMS", parent, raising=False)
        monkeypatch.setattr(sent_events, "STORED_AFTER", 0.0)
        monkeypatch.setenv("AIRFLOW__LEARNING360__MIN_POLL_INTERVAL", "0.1")
        simulator = learning360_simulator
        session_id = simulator.session_ids[0]
        (watcher,) = import_module(ASSETS).watched_program_session(session_id, poll_interval=0.1).watchers

        async def run_until(condition: Any) -> list[Any]:
            """Run the watcher until a condition is true, then kill it; return its events."""
            events = []

            async def collect() -> None:
                async for event in watcher.trigger.run():
                    events.append(event.payload)  # noqa: PERF401 - what came until the kill

            task = asyncio.ensure_future(collect())
            async with asyncio.timeout(30):
                while not condition():
                    await asyncio.sleep(0.02)
            task.cancel()
            await asyncio.wait([task])
            return events

        assert asyncio.run(run_until(parent.dates)) == []
        before = simulator.session(session_id)["modifiedAt"]
        after = simulator.edit(session_id, name="Moved while the triggerer was down")["modifiedAt"]
        (event,) = asyncio.run(run_until(lambda: parent.dates() == [datetime.fromisoformat(after)]))
        assert event["sessions"][0]["modifiedAt"] == {"from": before, "to": after}
        polls = len(simulator.requests) + 3
        assert asyncio.run(run_until(lambda: len(simulator.requests) > polls)) == []
