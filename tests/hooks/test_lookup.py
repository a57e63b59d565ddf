"""A connection that is missing is a wrong setting; an Airflow that does not answer is not."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy.exc import OperationalError

from airflow.sdk.exceptions import AirflowNotFoundException, AirflowRuntimeError, ErrorType
from airflow.sdk.execution_time import comms, task_runner

from airflow_provider_learning360.api.errors import LearningError, SettingsError, TryAgainError
from airflow_provider_learning360.hooks import learning
from airflow_provider_learning360.hooks.learning import LearningAsyncHook

ID = "60b8d2956e20ae1a0f8e44f1"


def answered(error: ErrorType) -> comms.ErrorResponse:
    return comms.ErrorResponse(error=error, detail={"secret": "hunter2"})


class Supervisor:
    """What a task or trigger asks for a connection."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer

    async def asend(self, message: Any) -> Any:
        assert isinstance(message, comms.GetConnection)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def failed(monkeypatch: pytest.MonkeyPatch, error: Exception) -> LearningError:
    """How a call ends whose look-up of the connection raises this."""

    async def look_up(*_: Any, **__: Any) -> Any:
        raise error

    monkeypatch.setattr(learning, "get_async_connection", look_up)

    async def call() -> Any:
        async with LearningAsyncHook("mine") as hook:
            return await hook.get_program_session(ID)

    with pytest.raises(LearningError) as caught:
        asyncio.run(call())
    return caught.value


@pytest.mark.parametrize(
    ("error", "word"),
    [
        (AirflowRuntimeError(answered(ErrorType.API_SERVER_ERROR)), "API_SERVER_ERROR"),
        (AirflowRuntimeError(answered(ErrorType.GENERIC_ERROR)), "GENERIC_ERROR"),
        (ConnectionResetError("hunter2"), "ConnectionResetError"),
        (TimeoutError("hunter2"), "TimeoutError"),
        (asyncio.IncompleteReadError(b"", 4), "IncompleteReadError"),
        (OperationalError("SELECT", {"password": "hunter2"}, Exception("hunter2")), "OperationalError"),
    ],
    ids=lambda one: type(one).__name__ if isinstance(one, Exception) else one,
)
def test_airflow_that_does_not_answer_is_tried_again(
    error: Exception, word: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = failed(monkeypatch, error)
    assert isinstance(told, TryAgainError)
    assert told.retryable
    assert "'mine'" in str(told)
    assert word in str(told)
    assert "hunter2" not in str(told)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (AirflowNotFoundException("not defined"), "not defined"),
        (AirflowRuntimeError(answered(ErrorType.CONNECTION_NOT_FOUND)), "not defined"),
        (AirflowRuntimeError(answered(ErrorType.PERMISSION_DENIED)), "denies access"),
        (PermissionError("no"), "denies access"),
    ],
    ids=str,
)
def test_a_missing_or_refused_connection_is_a_setting(
    error: Exception, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = failed(monkeypatch, error)
    assert isinstance(told, SettingsError)
    assert words in str(told)


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (answered(ErrorType.CONNECTION_NOT_FOUND), SettingsError),
        (AirflowRuntimeError(answered(ErrorType.CONNECTION_NOT_FOUND)), SettingsError),
        (answered(ErrorType.PERMISSION_DENIED), SettingsError),
        (answered(ErrorType.API_SERVER_ERROR), TryAgainError),
        (AirflowRuntimeError(answered(ErrorType.API_SERVER_ERROR)), TryAgainError),
        (ConnectionResetError("gone"), TryAgainError),
        (comms.ConnectionResult.model_construct(conn_id="mine"), TryAgainError),
    ],
    ids=lambda one: type(one).__name__ if not isinstance(one, type) else one.__name__,
)
def test_not_defined_is_believed_only_if_airflow_itself_says_so(
    answer: Any, kind: type[LearningError], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Airflow's secrets backends take an answer that did not come for a connection that does not exist."""
    monkeypatch.setattr(task_runner, "SUPERVISOR_COMMS", Supervisor(answer), raising=False)
    assert isinstance(failed(monkeypatch, AirflowNotFoundException("not defined")), kind)


def test_a_look_up_that_failed_is_made_again(
    connect: Callable[..., str], learning360_simulator: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, failures = learning.get_async_connection, [ConnectionResetError(), TimeoutError()]

    async def look_up(*args: Any, **kwargs: Any) -> Any:
        if failures:
            raise failures.pop()
        return await real(*args, **kwargs)

    monkeypatch.setattr(learning, "get_async_connection", look_up)
    (first, *_) = learning360_simulator.session_ids

    async def call() -> list[str]:
        ended = []
        async with LearningAsyncHook("learning360_default") as hook:
            for _ in range(3):
                try:
                    ended.append((await hook.get_program_session(first)).id)
                except TryAgainError:
                    ended.append("again")
        return ended

    assert asyncio.run(call()) == ["again", "again", first]
