"""Watched assets, from Airflow 3.0 on. Older versions can use the rest of the provider, and say what is missing."""

from __future__ import annotations

import asyncio
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
