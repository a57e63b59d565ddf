"""Bulk operations: started once, waited for on the worker or in the triggerer, and by a retry of the task."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest

from airflow.providers.common.compat.sdk import TaskDeferred

from airflow_provider_learning360.api.catalogue.catalogue import find_operation
from airflow_provider_learning360.api.catalogue.differences import resolve
from airflow_provider_learning360.api.errors import (
    ContractError,
    NotFoundError,
    TimedOutError,
    UnavailableError,
)
from airflow_provider_learning360.operators.operation import LearningOperationOperator
from airflow_provider_learning360.operators.sent_request import KEY
from airflow_provider_learning360.triggers.bulk_operation import BulkOperationTrigger
from operation_server import OperationServer, Reply, Store
from versions import connect

ID, BULK = "60b8d2956e20ae1a0f8e44f1", "60b8d2956e20ae1a0f8e4400"
SEND = "POST /api/v2/bulk/groups/memberships"
STATUS = f"GET /api/v2/bulk/operations/{BULK}"
RESULTS = f"GET /api/v2/bulk/operations/{BULK}/results"
ACCEPTED = Reply(b"", 202, {"Location": f"/api/v2/bulk/operations/{BULK}"})
SUCCESS = {"input": {"userId": ID}, "status": "success", "resourceId": ID}
FAILURE = {"input": {"userId": ID}, "status": "error", "errorMessage": "userNotFound"}


def status(word: str, **more: Any) -> Reply:
    return Reply({"_id": BULK, "type": "addUsersToGroups", "status": word, **more})


DONE = {SEND: [ACCEPTED], STATUS: [status("completed")], RESULTS: [Reply([SUCCESS])]}
WAITS = {**DONE, STATUS: [status("pending"), status("queued"), status("running"), status("completed")]}


def serve(monkeypatch: pytest.MonkeyPatch, replies: dict[str, list[Reply]]) -> OperationServer:
    server = OperationServer(replies)
    connect(monkeypatch, server, "v2", retry_attempts=1, timeout=5, requests_per_second=1000)
    return server


def build(name: str = "bulk-add-users-to-groups", **arguments: Any) -> LearningOperationOperator:
    given = {"wait_for": True, "poke_interval": 0.01, **arguments}
    return LearningOperationOperator(task_id="one", operation=name, body=_body(name), **given)


def _body(name: str) -> Any:
    operation = find_operation(name)
    assert operation.body is not None
    return _sample(operation.body["schema"], operation.schemas)


def _sample(schema: Any, schemas: Any) -> Any:
    whole = resolve(schema, schemas)
    if whole.get("type") == "array":
        return [_sample(whole["items"], schemas)]
    if "enum" in whole:
        return whole["enum"][0]
    if whole.get("type") == "string":
        return ID
    return {name: _sample(whole["properties"][name], schemas) for name in whole["required"]}


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.INFO)
    monkeypatch.setattr(LearningOperationOperator, "log", logging.getLogger("task"))
    return caplog


def test_without_wait_for_its_id_is_pushed(monkeypatch: pytest.MonkeyPatch) -> None:
    with serve(monkeypatch, DONE) as server:
        assert build(wait_for=False).execute({}) == {"bulkOperationId": BULK}
    assert server.calls == [SEND]


def test_result_has_counts_and_failed_items_first(
    monkeypatch: pytest.MonkeyPatch, log: pytest.LogCaptureFixture
) -> None:
    store = Store()
    with serve(monkeypatch, {**WAITS, RESULTS: [Reply([SUCCESS, FAILURE])]}) as server:
        result = build().execute({"task_state_store": store})  # type: ignore[typeddict-item]
    assert server.calls == [SEND, *[STATUS] * 5, RESULTS]
    assert (result["status"], result["succeeded"], result["failed"]) == ("completed", 1, 1)
    assert result["results"] == [FAILURE, SUCCESS]
    assert "1 of 2 items failed" in log.text
    assert store.rows == {}
    assert ID not in log.text


def test_results_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    with serve(monkeypatch, {**DONE, RESULTS: [Reply([SUCCESS] * 1500)]}):
        result = build().execute({})
    assert (result["succeeded"], len(result["results"])) == (1500, 1000)


def test_failed_operation_fails_the_task(monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store()
    failed = status("error", errorMessage="No such group for ada@example.com")
    with serve(monkeypatch, {**DONE, STATUS: [failed]}), pytest.raises(ContractError) as caught:
        build().execute({"task_state_store": store})  # type: ignore[typeddict-item]
    assert f"Bulk operation {BULK} of bulk-add-users-to-groups ended with the status error: No such" in str(
        caught.value
    )
    assert "ada" not in str(caught.value)
    assert store.rows == {}


def test_retry_continues_to_wait_and_does_not_send_again(monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store()
    context: Any = {"task_state_store": store}
    with serve(monkeypatch, {**DONE, STATUS: [status("running")]}) as server:
        with pytest.raises(TimedOutError, match=r"has not ended within 0\.05 s. It continues in 360Learning"):
            build(timeout=0.05).execute(context)
        assert store.rows == {KEY: {"bulk_operation_id": BULK}}
        server.replies[STATUS] = [Reply({"error": "oops"}, 503)]
        with pytest.raises(UnavailableError):
            build().execute(context)
        server.replies[STATUS] = [status("completed")]
        assert build().execute(context)["succeeded"] == 1
        assert server.calls.count(SEND) == 1
    assert store.rows == {}


@pytest.mark.parametrize("headers", [{}, {"Location": "http://[/x"}, {"Location": "/bulk/operations/$(id)"}])
def test_answer_without_an_operation_is_pushed_with_a_warning(
    monkeypatch: pytest.MonkeyPatch, log: pytest.LogCaptureFixture, headers: dict[str, str]
) -> None:
    with serve(monkeypatch, {SEND: [Reply(b"", 202, headers)]}):
        assert build().execute({}) is None
    assert "The response has no ID of a bulk operation" in log.text


def test_wait_in_the_triggerer(monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store()
    context: Any = {"task_state_store": store}
    with serve(monkeypatch, WAITS) as server:
        operator = build(deferrable=True, timeout={"minutes": 1})
        with pytest.raises(TaskDeferred) as deferral:
            operator.execute(context)
        assert server.calls == [SEND]
        event = run_trigger(deferral.value.trigger)
        assert event == {"bulk_operation_id": BULK, "kind": "ended"}
        assert getattr(operator, deferral.value.method_name)(context, event)["succeeded"] == 1
        assert server.calls == [SEND, *[STATUS] * 5, RESULTS]
    assert store.rows == {}


def run_trigger(trigger: Any) -> Any:
    """Return the event of a trigger, as it comes back from the database."""
    path, arguments = trigger.serialize()
    assert path.endswith("triggers.bulk_operation.BulkOperationTrigger")

    async def run() -> Any:
        (event,) = [one async for one in BulkOperationTrigger(**arguments).run()]
        return event.payload

    return asyncio.run(run())


def test_trigger_rides_out_failures_and_ends_with_errors(monkeypatch: pytest.MonkeyPatch) -> None:
    later, past = "2999-01-01T00:00:00+00:00", "2020-01-01T00:00:00+00:00"
    replies = [Reply({"error": "oops"}, 503), Reply(end="close"), status("completed")]
    with serve(monkeypatch, {STATUS: replies}) as server:
        trigger = BulkOperationTrigger(BULK, "learning360_default", later, 0.01)
        assert run_trigger(trigger)["kind"] == "ended"
        server.replies[STATUS] = [Reply({"error": "notFound"}, 404)]
        event = run_trigger(trigger)
        assert (event["kind"], event["error"]["type"]) == ("error", "NotFoundError")
        assert run_trigger(BulkOperationTrigger(BULK, "learning360_default", past))["kind"] == "timeout"
        monkeypatch.setattr("airflow_provider_learning360.hooks.learning_async.LearningAsyncHook.run_plan", _explode)
        event = run_trigger(trigger)
        assert event["error"]["type"] == "TryAgainError"
        assert "canary" not in str(event)


async def _explode(*_: Any, **__: Any) -> None:
    raise RuntimeError("canary")


@pytest.mark.parametrize(
    ("event", "error"),
    [
        ({"kind": "timeout"}, TimedOutError),
        ({"kind": "error", "error": NotFoundError("x").to_dict()}, NotFoundError),
        ({"kind": "error", "error": UnavailableError("x").to_dict()}, UnavailableError),
    ],
)
def test_end_of_the_trigger_is_raised_on_the_worker(
    event: Any, error: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store()
    store.set(KEY, {"bulk_operation_id": BULK})
    context: Any = {"task_state_store": store}
    with pytest.raises(error):
        build().execute_complete(context, {"bulk_operation_id": BULK, **event})
    # What a retry may still wait for is kept.
    assert bool(store.rows) == (error is not NotFoundError)
