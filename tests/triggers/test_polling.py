"""A deferred sensor: its deadline ends a poll, `Retry-After` is capped, unresponsive Airflow is a failed poll."""

from __future__ import annotations

import asyncio
import logging
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from airflow.sdk.exceptions import AirflowException, AirflowRuntimeError, ErrorType
from airflow.sdk.execution_time.comms import ErrorResponse

from airflow_provider_learning360.api.errors import LearningError, RateLimitedError, TryAgainError
from airflow_provider_learning360.hooks import learning_async
from airflow_provider_learning360.hooks.learning_async import LearningAsyncHook
from airflow_provider_learning360.triggers import polling
from airflow_provider_learning360.triggers.program_session import ProgramSessionModifiedTrigger

pytestmark = pytest.mark.learning360_simulator(sessions=1, learners=1)


def run(simulator: Any, seconds: float | None = None, **arguments: Any) -> dict[str, Any]:
    """The event of a trigger whose sensor has so many seconds left."""
    deadline = None if seconds is None else (datetime.now(tz=UTC) + timedelta(seconds=seconds)).isoformat()
    trigger = ProgramSessionModifiedTrigger(
        simulator.session_ids[0],
        "learning360_default",
        **{"watermark": None, "poke_interval": 0.01, "deadline": deadline, **arguments},
    )

    async def first() -> dict[str, Any]:
        async with asyncio.timeout(30):
            async for event in trigger.run():
                return event.payload  # type: ignore[no-any-return]
        raise AssertionError("the trigger ended without an event")

    return asyncio.run(first())


def test_deadline_ends_a_poll_that_hangs(learning360_simulator: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(polling, "LAST_POLL_SECONDS", 0.05)

    async def hang(self: Any, session_id: str, keys: Any = None) -> Any:
        await asyncio.Event().wait()

    monkeypatch.setattr(LearningAsyncHook, "get_program_session", hang)
    assert run(learning360_simulator, 0.2)["kind"] == "timeout"


def test_deadline_ends_a_request_that_hangs(learning360_simulator: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(polling, "LAST_POLL_SECONDS", 0.05)
    learning360_simulator.play({"do": {"delay": 20}})
    assert run(learning360_simulator, 0.2)["kind"] == "timeout"


def test_last_poll_at_the_deadline_may_succeed(learning360_simulator: Any) -> None:
    assert run(learning360_simulator, 0.05, poke_interval=600.0)["kind"] == "poll"


@pytest.mark.parametrize(
    "error", [TimeoutError, KeyError, RuntimeError, AirflowException], ids=lambda one: one.__name__
)
@pytest.mark.parametrize("where", ["get_program_session", "close"])
def test_unexpected_error_is_sent_to_the_worker(
    where: str,
    error: type[Exception],
    learning360_simulator: Any,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Also a time-out other than the deadline: with `soft_fail`, Airflow would skip the task."""

    async def broken(self: Any, *_: Any) -> Any:
        raise error("hunter2")

    monkeypatch.setattr(LearningAsyncHook, where, broken)
    monkeypatch.setattr(ProgramSessionModifiedTrigger, "log", logging.getLogger("trigger"), raising=False)
    event = run(learning360_simulator, 60)
    assert event["kind"] == "error"
    assert event["deadline"]
    sent = LearningError.from_dict(event["error"])
    assert isinstance(sent, TryAgainError)
    assert f"Unexpected {error.__name__}" in str(sent)
    (traceback,) = [one.getMessage() for one in caplog.records if "Traceback" in one.getMessage()]
    assert "in broken" in traceback
    assert "hunter2" not in traceback + str(event)


@pytest.mark.parametrize("failures", [3, 4])
def test_unresponsive_airflow_counts_as_a_failed_poll(
    failures: int, learning360_simulator: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, left = learning_async.get_async_connection, [failures]

    async def look_up(*args: Any, **kwargs: Any) -> Any:
        if left[0]:
            left[0] -= 1
            raise AirflowRuntimeError(ErrorResponse(error=ErrorType.API_SERVER_ERROR, detail={}))
        return await real(*args, **kwargs)

    monkeypatch.setattr(learning_async, "get_async_connection", look_up)
    event = run(learning360_simulator, max_failures=3)
    if failures <= 3:
        assert event["kind"] == "poll"
    else:
        assert event["error"]["type"] == "TryAgainError"
        assert "max_failures is 3" in event["error"]["message"]


@pytest.mark.parametrize("where", ["answer", "first_wait"])
def test_retry_after_is_capped_and_logged(
    where: str, learning360_simulator: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("AIRFLOW__LEARNING360__MAX_TRIGGERER_WAIT", "0.1")
    real, left = LearningAsyncHook.get_program_session, [1 if where == "answer" else 0]

    async def limited(self: Any, session_id: str, keys: Any = None) -> Any:
        if left[0]:
            left[0] -= 1
            raise RateLimitedError("too many", retry_after=1e12)
        return await real(self, session_id, keys)

    monkeypatch.setattr(LearningAsyncHook, "get_program_session", limited)
    monkeypatch.setattr(ProgramSessionModifiedTrigger, "log", logging.getLogger("trigger"), raising=False)
    event = run(learning360_simulator, **({"first_wait": 1e12} if where == "first_wait" else {}))
    assert event["kind"] == "poll"
    (line,) = [one.getMessage() for one in caplog.records if "max_triggerer_wait" in one.getMessage()]
    assert "1e+12 s" in line
    assert "0.1 s" in line
