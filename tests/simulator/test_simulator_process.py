"""The simulator in another process: killed and started again, it has the same data."""

from __future__ import annotations

import pytest
import requests

from airflow_provider_learning360.testing import session_document
from simulator_process import SimulatorProcess


@pytest.fixture
def simulator_process():
    with SimulatorProcess(sessions=4, learners=2, seed=7) as simulator_process:
        yield simulator_process


def test_simulator_has_the_same_data_after_a_kill(simulator_process):
    edited, deleted, moved, untouched = simulator_process.session_ids
    simulator_process.edit(edited, name="Edited", modifiedAt="2031-01-01T00:00:00.000Z")
    document = simulator_process.session(moved)
    for one in (deleted, moved):
        simulator_process.delete(one)
    new = simulator_process.add(session_document(name="New"))
    assert simulator_process.add(document) == moved
    before = {one: simulator_process.session(one) for one in simulator_process.session_ids}
    url, process = simulator_process.url, simulator_process.pid

    simulator_process.kill()
    with pytest.raises(requests.ConnectionError):
        simulator_process.session(edited)
    simulator_process.start()

    assert simulator_process.url == url
    assert simulator_process.pid != process
    assert simulator_process.session_ids == [edited, untouched, new, moved]
    assert {one: simulator_process.session(one) for one in simulator_process.session_ids} == before
    assert simulator_process.edit(edited, name="Later")["modifiedAt"] > "2031"


def test_simulator_process_lists_requests_and_plays_scenarios(simulator_process):
    session_id = simulator_process.session_ids[0]
    keys = {"X-company-id": simulator_process.company_id, "X-apiKey": simulator_process.api_key}
    address = f"{simulator_process.url}/api/v1/programs/sessions/{session_id}/"

    simulator_process.play({"do": {"status": 503}})
    assert requests.get(address, headers=keys, timeout=10).status_code == 503
    simulator_process.stop_scenarios()
    assert requests.get(address, headers=keys, timeout=10).json() == simulator_process.session(session_id)

    assert [seen["status"] for seen in simulator_process.requests] == [503, 200]
    assert simulator_process.requests_since(1) == simulator_process.requests[1:]
    simulator_process.forget()
    assert simulator_process.requests == []
