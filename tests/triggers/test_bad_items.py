"""A bad session is left out and named once; all others are watched as before."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from airflow_provider_learning360.assets.program_session import watched_program_session, watched_program_sessions
from airflow_provider_learning360.hooks.learning_async import LearningAsyncHook

pytestmark = pytest.mark.learning360_simulator(sessions=4, learners=1, extra={"requests_per_second": 1000})

QUICK: dict[str, Any] = {"poll_interval": 0.05}
OTHER = "f" * 24

BAD_FIELDS: dict[str, dict[str, Any]] = {
    "modifiedAt a text": {"modifiedAt": "yesterday"},
    "modifiedAt a number": {"modifiedAt": 5},
    "modifiedAt a list": {"modifiedAt": [[]]},
    "name a number": {"name": 5},
    "tutors a text": {"tutors": "me"},
    "startDate a mapping": {"startDate": {"at": "noon"}},
    "users a number": {"users": 7},
}
BAD_IDS: dict[str, dict[str, Any]] = {
    "no ID": {"_id": None},
    "ID a number": {"_id": 12},
    "ID a mapping": {"_id": {"$oid": "x"}},
    "ID a list": {"_id": []},
    "ID a word": {"_id": "session"},
    "ID too long": {"_id": "a" * 25},
    "ID with a line end": {"_id": "\x1b[2J" + "a" * 20},
}


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What the poller warned of."""
    return [one.getMessage() for one in caplog.records if "triggers.poller" in one.name and one.levelno >= 30]


@pytest.fixture
def spoil(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, dict[str, Any]], None]:
    """Replace fields of a session in the list."""
    real = LearningAsyncHook.stream_plan
    changes: dict[str, dict[str, Any]] = {}

    async def spoiled(self: Any, plan: Any) -> Any:
        async for item in real(self, plan):
            yield {**item, **changes.get(item["_id"], {})}

    monkeypatch.setattr(LearningAsyncHook, "stream_plan", spoiled)
    return changes.__setitem__


@pytest.mark.parametrize("change", [*BAD_FIELDS, *BAD_IDS])
def test_list_with_a_bad_item(
    change: str, spoil: Any, learning360_simulator: Any, triggerer: Any, store: Any, caplog: pytest.LogCaptureFixture
) -> None:
    simulator = learning360_simulator
    bad, *others = simulator.session_ids
    asset = watched_program_sessions("all", None, on_missing="event", **QUICK)

    async def scenario() -> None:
        async with triggerer(asset) as one:
            spoil(bad, {**BAD_FIELDS, **BAD_IDS}[change])
            await one.until(lambda: set(store.watermarks("all")) >= set(others))
            for number, session_id in enumerate(others):
                simulator.edit(session_id, name=f"Moved {number}")
                await one.until(lambda: one.changes(session_id))  # noqa: B023
            seen = len(simulator.requests)
            await one.until(lambda: len(simulator.requests) >= seen + 5)
            assert one.failed == []
            assert all(entry["kind"] == "modified" for _, payload in one.events for entry in payload["sessions"])
            # Readable again: watched as before.
            spoil(bad, {})
            await one.until(lambda: bad in store.watermarks("all"))
            simulator.edit(bad, name="Moved too")
            await one.until(lambda: one.changes(bad))

    asyncio.run(scenario())
    warnings = [line for line in lines(caplog) if "Not readable" in line]
    assert len(warnings) == 1
    assert (bad in warnings[0]) if change in BAD_FIELDS else ("1 items of the list" in warnings[0])
    assert not any("Could not poll" in line for line in lines(caplog))
    assert "\x1b" not in caplog.text


@pytest.mark.parametrize("answer", [*BAD_FIELDS, "another session"])
def test_single_read_of_a_bad_session(
    answer: str,
    learning360_simulator: Any,
    triggerer: Any,
    store: Any,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    simulator = learning360_simulator
    bad, *others = simulator.session_ids
    if answer in BAD_FIELDS:
        simulator.edit(bad, **BAD_FIELDS[answer])
    else:
        real = LearningAsyncHook.get_program_session

        async def swapped(self: Any, session_id: str, keys: Any = None) -> Any:
            return await real(self, others[0] if session_id == bad else session_id, keys)

        monkeypatch.setattr(LearningAsyncHook, "get_program_session", swapped)
    asset = watched_program_sessions("some", simulator.session_ids, poll="single", on_missing="event", **QUICK)

    async def scenario() -> None:
        async with triggerer(asset) as one:
            await one.until(lambda: set(store.watermarks("some")) == set(others))
            for number, session_id in enumerate(others):
                simulator.edit(session_id, name=f"Moved {number}")
                await one.until(lambda: one.changes(session_id))  # noqa: B023
            assert one.failed == []
            assert {entry["_id"] for _, payload in one.events for entry in payload["sessions"]} == set(others)
            assert all(len(one.changes(session_id)) == 1 for session_id in others)

    asyncio.run(scenario())
    warnings = [line for line in lines(caplog) if "Not readable" in line]
    assert len(warnings) == 1
    assert bad in warnings[0]
    assert simulator.connections == 1


def test_id_in_capitals_is_the_same_session(spoil: Any, learning360_simulator: Any, triggerer: Any, store: Any) -> None:
    simulator = learning360_simulator
    (first, *_) = simulator.session_ids
    spoil(first, {"_id": first.upper()})
    asset = watched_program_session(first, poll="list", **QUICK)

    async def scenario() -> None:
        async with triggerer(asset) as one:
            await one.until(lambda: set(store.watermarks(asset.name)) == {first})
            simulator.edit(first, name="Moved")
            await one.until(lambda: one.changes(first))

    asyncio.run(scenario())


def test_list_with_an_item_without_id_still_finds_missing_sessions(
    spoil: Any, learning360_simulator: Any, triggerer: Any, store: Any
) -> None:
    """Any watched session may be that item, so that each absent one is asked for by itself."""
    simulator = learning360_simulator
    nameless, deleted, *_ = simulator.session_ids
    asset = watched_program_sessions("all", None, on_missing="event", **QUICK)

    async def scenario() -> None:
        async with triggerer(asset) as one:
            await one.until(lambda: len(store.watermarks("all")) == 4)
            spoil(nameless, {"_id": 5})
            simulator.edit(nameless, name="Moved")
            simulator.delete(deleted)
            await one.until(lambda: len([e for _, p in one.events for e in p["sessions"]]) == 2)
            kinds = {e["_id"]: e["kind"] for _, p in one.events for e in p["sessions"]}
            assert kinds == {nameless: "modified", deleted: "missing"}

    asyncio.run(scenario())


@pytest.mark.parametrize("bad_count", [1, 3])
@pytest.mark.parametrize("trouble", [{"status": 403}, {"status": 500}, {"html": True}])
def test_trouble_with_single_sessions_keeps_client_and_interval(
    bad_count: int,
    trouble: Any,
    learning360_simulator: Any,
    triggerer: Any,
    store: Any,
    caplog: pytest.LogCaptureFixture,
) -> None:
    simulator = learning360_simulator
    bad, others = simulator.session_ids[:bad_count], simulator.session_ids[bad_count:]
    for session_id in bad:
        simulator.play({"when": {"path": session_id}, "do": trouble})
    asset = watched_program_sessions("some", simulator.session_ids, poll="single", **QUICK)

    async def scenario() -> None:
        async with triggerer(asset) as one:
            await one.until(lambda: sum(others[-1] in seen.path for seen in simulator.requests) >= 10)
            assert one.failed == []

    asyncio.run(scenario())
    assert simulator.connections == 1
    logged = [line for line in lines(caplog) if "Not readable" in line or "Could not poll" in line]
    assert len(logged) <= 2
    # In a row, they are asked for after the others, so that they delay none but themselves.
    asked = [seen.path for seen in simulator.requests]
    good, failed = (sum(one in path for path in asked) for one in (others[-1], bad[0]))
    assert good >= failed - 2


def test_single_forbidden_session_keeps_the_client(learning360_simulator: Any, triggerer: Any) -> None:
    simulator = learning360_simulator
    (first, *_) = simulator.session_ids
    simulator.play({"when": {"path": first}, "do": {"status": 403}})
    asset = watched_program_session(first, poll="single", **QUICK)

    async def scenario() -> None:
        async with triggerer(asset) as one:
            await one.until(lambda: len(simulator.requests) >= 4)

    asyncio.run(scenario())
    assert simulator.connections == 1


def test_refused_key_opens_a_new_client(learning360_simulator: Any, triggerer: Any) -> None:
    simulator = learning360_simulator
    asset = watched_program_session(simulator.session_ids[0], poll="single", **QUICK)
    simulator.play({"do": {"status": 401}})

    async def scenario() -> None:
        async with triggerer(asset) as one:
            await one.until(lambda: simulator.connections >= 3)

    asyncio.run(scenario())


def test_unexpected_error_is_logged_once_with_its_frames_and_without_values(
    learning360_simulator: Any,
    triggerer: Any,
    store: Any,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    asset = watched_program_session(learning360_simulator.session_ids[0], **QUICK)
    left = [4]
    real = LearningAsyncHook.get_program_session

    async def broken_by_mistake(self: Any, session_id: str, keys: Any = None) -> Any:
        if left[0]:
            left[0] -= 1
            raise ZeroDivisionError("hunter2")
        return await real(self, session_id, keys)

    monkeypatch.setattr(LearningAsyncHook, "get_program_session", broken_by_mistake)

    async def scenario() -> None:
        async with triggerer(asset) as one:
            await one.until(lambda: store.watermarks(asset.name))

    asyncio.run(scenario())
    assert caplog.text.count("Unexpected ZeroDivisionError while polling") == 1
    assert caplog.text.count("in broken_by_mistake") == 1
    assert "hunter2" not in caplog.text


def test_hanging_poll_is_logged_once(
    learning360_simulator: Any, triggerer: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from airflow_provider_learning360.triggers import poller

    monkeypatch.setattr(poller, "HANG_WARNING", 0.01)
    simulator = learning360_simulator
    simulator.play({"when": {"times": 1}, "do": {"delay": 0.5}})
    asset = watched_program_session(simulator.session_ids[0], poll_interval=300, poll="single")

    async def scenario() -> None:
        async with triggerer(asset) as one:
            await one.until(lambda: any("has been waiting" in line for line in lines(caplog)))
            await one.until(lambda: simulator.requests)

    asyncio.run(scenario())
    assert sum("has been waiting" in line for line in lines(caplog)) == 1


def test_retry_after_of_a_poll_is_capped_and_logged(
    learning360_simulator: Any,
    triggerer: Any,
    store: Any,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setenv("AIRFLOW__LEARNING360__MAX_TRIGGERER_WAIT", "0.1")
    real, left = LearningAsyncHook.get_program_session, [1]

    async def limited(self: Any, session_id: str, keys: Any = None) -> Any:
        from airflow_provider_learning360.api.errors import RateLimitedError

        if left[0]:
            left[0] -= 1
            raise RateLimitedError("too many", retry_after=1e12)
        return await real(self, session_id, keys)

    monkeypatch.setattr(LearningAsyncHook, "get_program_session", limited)
    asset = watched_program_session(learning360_simulator.session_ids[0], poll="single", **QUICK)

    async def scenario() -> None:
        async with triggerer(asset) as one:
            await one.until(lambda: store.watermarks(asset.name))

    asyncio.run(scenario())
    (line,) = [one for one in lines(caplog) if "max_triggerer_wait" in one]
    assert "1e+12 s" in line
    assert "0.1 s" in line
