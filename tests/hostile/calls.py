"""All calls of both hooks, and what must be true of every outcome."""

from __future__ import annotations

import asyncio
import json
import pickle
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from airflow.sdk.execution_time.comms import _new_encoder

from airflow_provider_learning360.api.errors import LearningError, SettingsError
from hostile.catalogue import Attack
from hostile.responses import SESSION_ID, Bounds, Route
from hostile.server import HostileServer

ROUTES: dict[str, Route] = {
    "get": "session",
    "list": "list",
    "stream": "list",
    "users": "users",
    "stats": "stats",
    "token": "token",
}
HOOKS = ("sync", "async")
LONGEST_ERROR = 2000  # characters
BOUNDS = Bounds(document=1024 * 1024, listing=4 * 1024 * 1024, error=64 * 1024)
# Seconds that a test waits for a client which has no bound of its own.
PATIENCE = 10.0
# Only attacks on time get little time; the others get enough for a busy machine.
ENOUGH_TIME = {"timeout": 10.0, "max_document_seconds": 30.0, "max_list_seconds": 30.0}
LITTLE_TIME = {"timeout": 0.2, "max_document_seconds": 0.3, "max_list_seconds": 0.3}


def bounded(attack: Attack) -> dict[str, Any]:
    """Return the settings of a connection for an attack."""
    attempts, budget = (2, 0.1) if attack.kind == "wait" else (1, 0.1)
    if attack.kind == "connection" and attack.must_succeed:
        attempts, budget = 3, 30.0  # the server may close while the next request is being sent
    return {
        "retry_attempts": attempts,
        "retry_budget": budget,
        "requests_per_second": 1000,
        "max_rate_limit_wait": 0.05,
        "max_document_bytes": BOUNDS.document,
        "max_list_bytes": BOUNDS.listing,
        "max_error_bytes": BOUNDS.error,
        **(LITTLE_TIME if attack.kind == "time" else ENOUGH_TIME),
    }


@dataclass
class Outcome:
    """
    How a call ended.

    :param documents: What it returned.
    :param error: The typed error that it raised instead.
    """

    documents: list[dict[str, Any]] | None = None
    error: LearningError | None = None

    @property
    def ids(self) -> set[Any]:
        """IDs of the sessions that were returned."""
        return {one.get("_id") for one in self.documents or []}


class SyncCalls:
    """The calls of a `LearningHook`."""

    def __init__(self, conn_id: str) -> None:
        from airflow_provider_learning360.hooks.learning import LearningHook

        self.hook = LearningHook(conn_id)

    def call(self, name: str) -> list[dict[str, Any]]:
        """Carry out one of `ROUTES`."""
        match name:
            case "list":
                return [one.document() for one in self.hook.list_program_sessions()]
            case "stream":
                return list(self.hook.stream_program_sessions())
            case "users":
                return [dict(one) for one in self.hook.get_program_session_users(SESSION_ID)]
            case "stats":
                return [self.hook.get_program_session_stats(SESSION_ID).document()]
            case _:
                return [self.hook.get_program_session(SESSION_ID).document()]

    def count_streamed(self) -> int:
        """Read the stream and keep nothing."""
        return sum(1 for _ in self.hook.stream_program_sessions())

    def close(self) -> None:
        """Close the connections."""
        if (session := vars(self.hook).pop("_session", None)) is not None:
            session.close()


class AsyncCalls:
    """The calls of a `LearningAsyncHook`, in an event loop of its own."""

    def __init__(self, conn_id: str) -> None:
        from airflow_provider_learning360.hooks.learning_async import LearningAsyncHook

        self.hook = LearningAsyncHook(conn_id)
        self._loop = asyncio.Runner()

    def call(self, name: str) -> list[dict[str, Any]]:
        """Carry out one of `ROUTES`."""
        return self._loop.run(self._call(name))

    async def _call(self, name: str) -> list[dict[str, Any]]:
        match name:
            case "list":
                return [one.document() for one in await self.hook.list_program_sessions()]
            case "stream":
                return [one async for one in self.hook.stream_program_sessions()]
            case "users":
                return [dict(one) for one in await self.hook.get_program_session_users(SESSION_ID)]
            case "stats":
                return [(await self.hook.get_program_session_stats(SESSION_ID)).document()]
            case _:
                return [(await self.hook.get_program_session(SESSION_ID)).document()]

    def count_streamed(self) -> int:
        """Read the stream and keep nothing."""

        async def count() -> int:
            return len([None async for _ in self.hook.stream_program_sessions()])

        return self._loop.run(count())

    def close(self) -> None:
        """Close the connections and the loop."""
        self._loop.run(self.hook.close())
        self._loop.close()


Calls = SyncCalls | AsyncCalls


@contextmanager
def open_calls(hook: str, conn_id: str) -> Iterator[Calls]:
    """Open a hook, `sync` or `async`, while the block runs."""
    calls = (SyncCalls if hook == "sync" else AsyncCalls)(conn_id)
    try:
        yield calls
    finally:
        calls.close()


def run_call(calls: Calls, name: str, server: HostileServer) -> Outcome:
    """Carry out a call; check its outcome, and that the client did not need the server to end the response."""
    try:
        outcome = Outcome(documents=calls.call(name))
    except SettingsError:
        raise  # the hook sent no request, so that the test would show nothing
    except LearningError as error:
        outcome = Outcome(error=error)
    assert not server.ended_by_server
    assert_usable(outcome)
    return outcome


def assert_usable(outcome: Outcome) -> None:
    """Require that every process and store of Airflow accepts an outcome."""
    if outcome.error is not None:
        assert_error_crosses_processes(outcome.error)
    for document in outcome.documents or []:
        assert_storable(document)


def assert_error_crosses_processes(error: LearningError) -> None:
    """Require one or two printable lines, and that the error survives pickle, msgpack and JSON."""
    text = str(error)
    assert 0 < len(text) <= LONGEST_ERROR
    assert text.count("\n") <= 1
    assert_printable(text.replace("\n", " "))
    assert_storable(error.to_dict())
    copy = pickle.loads(pickle.dumps(error))
    assert (type(copy), copy.to_dict()) == (type(error), error.to_dict())
    assert LearningError.from_dict(json.loads(json.dumps(error.to_dict()))).to_dict() == error.to_dict()


def assert_storable(value: Any) -> None:
    """Require that a value can be sent as msgpack, and stored as JSON by PostgreSQL."""
    _new_encoder().encode(value)
    text = json.dumps(value, allow_nan=False, ensure_ascii=False)
    text.encode()
    assert "\\u0000" not in text


def assert_printable(text: str) -> None:
    """Require that a text contains no character that controls a terminal."""
    assert [hex(ord(one)) for one in text if is_control(one)] == []


def is_control(character: str) -> bool:
    """Whether a character controls a terminal or the direction of writing."""
    kind = unicodedata.category(character)
    return kind in ("Cc", "Cs", "Zl", "Zp") or unicodedata.bidirectional(character) in (
        "LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI",
    )  # fmt: skip
