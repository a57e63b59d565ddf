"""A missing connection is a settings error; an Airflow that does not respond is not."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from pydantic import TypeAdapter, ValidationError
from sqlalchemy.exc import OperationalError

from airflow.sdk.exceptions import AirflowException, AirflowNotFoundException, AirflowRuntimeError, ErrorType
from airflow.sdk.execution_time import comms, task_runner

from airflow_provider_learning360.api.errors import FixArgumentError, LearningError, SettingsError, TryAgainError
from airflow_provider_learning360.hooks import learning_async
from airflow_provider_learning360.hooks.learning import LearningHook
from airflow_provider_learning360.hooks.learning_async import LearningAsyncHook

ID = "60b8d2956e20ae1a0f8e44f1"


def answered(error: ErrorType) -> comms.ErrorResponse:
    return comms.ErrorResponse(error=error, detail={"secret": "hunter2"})


class Supervisor:
    """Airflow's supervisor, which tasks and triggers ask for a connection."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer

    async def asend(self, message: Any) -> Any:
        return self.send(message)

    def send(self, message: Any) -> Any:
        assert isinstance(message, comms.GetConnection)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def call_sync() -> Any:
    return LearningHook("mine").get_program_session(ID)


def call_async() -> Any:
    async def call() -> Any:
        async with LearningAsyncHook("mine") as hook:
            return await hook.get_program_session(ID)

    return asyncio.run(call())


@pytest.fixture(params=[call_sync, call_async], ids=["sync", "async"])
def failed(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Callable[[Exception], LearningError]:
    """Return the error of a call whose look-up of the connection raises an exception."""

    def end(error: Exception) -> LearningError:
        def look_up(*_: Any, **__: Any) -> Any:
            raise error

        async def look_up_async(*_: Any, **__: Any) -> Any:
            raise error

        monkeypatch.setattr(LearningHook, "get_connection", look_up)
        monkeypatch.setattr(learning_async, "get_async_connection", look_up_async)
        with pytest.raises(LearningError) as caught:
            request.param()
        assert caught.value.__context__ is None  # the exception may contain the connection
        return caught.value

    return end


Failed = Callable[[Exception], LearningError]


class OddError(Exception):
    """An unexpected error of a library."""


@pytest.mark.parametrize(
    ("error", "word"),
    [
        (AirflowRuntimeError(answered(ErrorType.API_SERVER_ERROR)), "API_SERVER_ERROR"),
        (AirflowRuntimeError(answered(ErrorType.GENERIC_ERROR)), "GENERIC_ERROR"),
        (ConnectionResetError("hunter2"), "ConnectionResetError"),
        (TimeoutError("hunter2"), "TimeoutError"),
        (asyncio.IncompleteReadError(b"", 4), "IncompleteReadError"),
        (OperationalError("SELECT", {"password": "hunter2"}, Exception("hunter2")), "OperationalError"),
        (AirflowException("hunter2"), "AirflowException"),
        (RuntimeError("Response read out of order: hunter2"), "RuntimeError"),
        (msgspec.DecodeError("hunter2"), "DecodeError"),
        (KeyError("hunter2"), "KeyError"),
        (ValueError("hunter2"), "ValueError"),
        (OddError("hunter2"), "OddError"),
    ],
    ids=lambda one: type(one).__name__ if isinstance(one, Exception) else one,
)
def test_silent_airflow_is_retried(error: Exception, word: str, failed: Failed) -> None:
    raised = failed(error)
    assert isinstance(raised, TryAgainError)
    assert raised.retryable
    assert "'mine'" in str(raised)
    assert word in str(raised)
    assert "hunter2" not in str(raised)


def test_unreadable_response_of_airflow_is_retried(failed: Failed) -> None:
    with pytest.raises(ValidationError) as caught:
        TypeAdapter(int).validate_python("hunter2")
    raised = failed(caught.value)
    assert isinstance(raised, TryAgainError)
    assert "ValidationError" in str(raised)
    assert "hunter2" not in str(raised)


@pytest.mark.parametrize("conn_id", [None, "", "  ", 5])
@pytest.mark.parametrize("hook", [LearningHook, LearningAsyncHook])
def test_invalid_connection_id_is_an_argument_error(hook: Any, conn_id: Any) -> None:
    async def call() -> None:
        found = hook(conn_id).get_program_session(ID)
        await found

    with pytest.raises(FixArgumentError, match="learning_conn_id"):
        asyncio.run(call())


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
def test_missing_or_denied_connection_is_a_settings_error(error: Exception, words: str, failed: Failed) -> None:
    raised = failed(error)
    assert isinstance(raised, SettingsError)
    assert words in str(raised)


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
def test_missing_connection_is_believed_only_from_airflow_itself(
    answer: Any, kind: type[LearningError], failed: Failed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Airflow's secrets backends report a missing connection also when they get no response."""
    monkeypatch.setattr(task_runner, "SUPERVISOR_COMMS", Supervisor(answer), raising=False)
    assert isinstance(failed(AirflowNotFoundException("not defined")), kind)


def test_hook_looks_up_the_connection_again_after_a_failure(
    connect: Callable[..., str], learning360_simulator: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, failures = LearningHook.get_connection, [RuntimeError(), TimeoutError()]

    def look_up(_: Any, conn_id: str) -> Any:
        if failures:
            raise failures.pop()
        return real(conn_id)

    monkeypatch.setattr(LearningHook, "get_connection", look_up)
    (first, *_) = learning360_simulator.session_ids
    hook = LearningHook("learning360_default")
    for _ in range(2):
        with pytest.raises(TryAgainError):
            hook.get_program_session(first)
    assert hook.get_program_session(first).id == first


def test_failed_look_up_is_repeated(
    connect: Callable[..., str], learning360_simulator: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, failures = learning_async.get_async_connection, [ConnectionResetError(), TimeoutError()]

    async def look_up(*args: Any, **kwargs: Any) -> Any:
        if failures:
            raise failures.pop()
        return await real(*args, **kwargs)

    monkeypatch.setattr(learning_async, "get_async_connection", look_up)
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
