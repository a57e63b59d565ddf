"""The simulator in another process: killed and started again, it has the same data."""

from __future__ import annotations

import pytest
import requests

from airflow_provider_learning360.testing import session_document
from far_simulator import FarSimulator


@pytest.fixture
def far_simulator():
    with FarSimulator(sessions=4, learners=2, seed=7) as far_simulator:
        yield far_simulator


def test_simulator_has_the_same_data_after_a_kill(far_simulator):
    edited, deleted, moved, untouched = far_simulator.session_ids
    far_simulator.edit(edited, name="Edited", modifiedAt="2031-01-01T00:00:00.000Z")
    document = far_simulator.session(moved)
    for one in (deleted, moved):
        far_simulator.delete(one)
    new = far_simulator.add(session_document(name="New"))
    assert far_simulator.add(document) == moved
    before = {one: far_simulator.session(one) for one in far_simulator.session_ids}
    url, process = far_simulator.url, far_simulator.pid

    far_simulator.kill()
    with pytest.raises(requests.ConnectionError):
        far_simulator.session(edited)
    far_simulator.start()

    assert far_simulator.url == url
    assert far_simulator.pid != process
    assert far_simulator.session_ids == [edited, untouched, new, moved]
    assert {one: far_simulator.session(one) for one in far_simulator.session_ids} == before
    assert far_simulator.edit(edited, name="Later")["modifiedAt"] > "2031"


def test_far_simulator_lists_requests_and_plays_scenarios(far_simulator):
    session_id = far_simulator.session_ids[0]
    keys = {"X-company-id": far_simulator.company_id, "X-apiKey": far_simulator.api_key}
    address = f"{far_simulator.url}/api/v1/programs/sessions/{session_id}/"

    far_simulator.play({"do": {"status": 503}})
    assert requests.get(address, headers=keys, timeout=10).status_code == 503
    far_simulator.stop_scenarios()
    assert requests.get(address, headers=keys, timeout=10).json() == far_simulator.session(session_id)

    assert [seen["status"] for seen in far_simulator.requests] == [503, 200]
    assert far_simulator.requests_since(1) == far_simulator.requests[1:]
    far_simulator.forget()
    assert far_simulator.requests == []
