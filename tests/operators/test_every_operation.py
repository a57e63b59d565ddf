"""The operator calls every documented operation of either version, with arguments made from their schemas."""

from __future__ import annotations

import json
from typing import Any

import pytest

from airflow_provider_learning360.api.catalogue.catalogue import load_operations
from airflow_provider_learning360.api.errors import LearningError
from airflow_provider_learning360.operators.operation import LearningOperationOperator
from airflow_provider_learning360.simulator import Simulator
from operation_calls import make_body, make_parameters
from operation_server import Store
from versions import ONE_IN_THE_LOOP, QUICK, VERSIONS, connect

COUNTS = {"v1": 42, "v2": 159}
# What the simulator rightly refuses.
REFUSED = {"unenrol-self-enrolled-learner": "learnerNotSelfEnrolled"}


@pytest.mark.parametrize("version", ONE_IN_THE_LOOP)
def test_every_operation_is_called(version: str, monkeypatch: pytest.MonkeyPatch) -> None:
    operations = [one for one in load_operations().values() if one.version == version]
    assert len(operations) == COUNTS[version]
    with Simulator(sessions=3, learners=3) as simulator:
        connect(monkeypatch, simulator, version, **QUICK)
        for operation in operations:
            store = Store()
            context: Any = {"task_state_store": store}
            call = LearningOperationOperator(
                task_id="call",
                operation=operation.name,
                parameters=make_parameters(operation, simulator),
                body=make_body(operation),
                replace=True,
                wait_for=operation.is_asynchronous,
                poke_interval=0.01,
                contract="strict",
            )
            if operation.name in REFUSED:
                with pytest.raises(LearningError, match=REFUSED[operation.name]):
                    call.execute(context)
                continue
            pushed = call.execute(context)
            json.dumps(pushed)
            assert store.rows == {}, operation.name
            if operation.is_asynchronous:
                assert pushed["status"] == "completed", operation.name


@pytest.mark.parametrize("version", VERSIONS)
def test_dry_run_of_every_operation_sends_nothing(version: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with Simulator(sessions=3, learners=3) as simulator:
        connect(monkeypatch, simulator, version, **QUICK)
        before = len(simulator.requests)
        for operation in load_operations().values():
            if operation.version == version:
                parameters, body = make_parameters(operation, simulator), make_body(operation)
                LearningOperationOperator(
                    task_id="call",
                    operation=operation.name,
                    parameters=parameters,
                    body=body,
                    replace=True,
                    dry_run=True,
                ).execute({})
        assert len(simulator.requests) == before
