"""Watchers that poll what was modified: few requests, and nothing is lost that such a list does not show."""

from __future__ import annotations

import asyncio
import io
import json
import re
import time
import tracemalloc
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest

from airflow_provider_learning360.api.versions import build_platform
from airflow_provider_learning360.api.watch_state import SHARD_KEY_PREFIX
from airflow_provider_learning360.assets.program_session import watched_program_session, watched_program_sessions
from airflow_provider_learning360.hooks import learning_async
from airflow_provider_learning360.simulator import Simulator
from case_samples import one_in
from versions import connect

QUICK: dict[str, Any] = {"poll_interval": 0.05}
SESSIONS = "/api/v2/paths/sessions"
PATHS = "/api/v2/paths"
HOUR = 3600.0


class Clock:
    """The clocks of simulator and triggerer, which a test sets forward."""

    def __init__(self) -> None:
        self.skipped = 0.0

    def now(self) -> datetime:
        return datetime.now(tz=UTC) + timedelta(seconds=self.skipped)

    def monotonic(self) -> float:
        return time.monotonic() + self.skipped

    def skip(self, seconds: float) -> None:
        self.skipped += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(learning_async, "build_platform", lambda settings, _: build_platform(settings, clock.monotonic))
    return clock


@pytest.fixture
def simulator(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> Iterator[Simulator]:
    with Simulator(sessions=6, learners=2, clock=clock.now) as simulator:
        connect(monkeypatch, simulator, "v2", requests_per_second=1000)
        yield simulator


def polls(simulator: Simulator) -> list[Any]:
    """The first requests of the lists of modified sessions."""
    modified = [one for one in simulator.requests if "modifiedAt[gte]" in one.query and one.path == SESSIONS]
    return [one for one in modified if "next" not in one.query]


def complete_lists(simulator: Simulator) -> int:
    return sum(one.path == SESSIONS and one.query == {} for one in simulator.requests)


async def memory_of_a_stream() -> int:
    """Return how many bytes a stream of all sessions takes at most."""
    async with learning_async.LearningAsyncHook() as hook:
        tracemalloc.start()
        try:
            async for _ in hook.stream_program_sessions():
                pass
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()


def body_bytes(line: str) -> int:
    """Return the size of a response, from a line of the simulator's log."""
    (size,) = re.findall(r" (\d+) bytes", line)
    return int(size)


async def poll_more(one: Any, simulator: Simulator, number: int = 3) -> None:
    """Wait until some more polls are over."""
    seen = len(polls(simulator)) + number + 1
    await one.until(lambda: len(polls(simulator)) >= seen)


def entries(one: Any) -> list[dict[str, Any]]:
    return [entry for _, payload in one.events for entry in payload["sessions"]]


def test_nothing_modified_takes_one_request(simulator: Simulator, triggerer: Any, store: Any) -> None:
    asset = watched_program_sessions("all", None, watch=["name", "startDate"], **QUICK)

    async def scenario() -> None:
        async with triggerer(asset) as one:
            await one.until(lambda: len(store.watermarks("all")) == 6)
            await poll_more(one, simulator)
            assert one.events == []

    asyncio.run(scenario())
    token, first, *later = simulator.requests
    assert (token.path, first.path, first.query) == ("/api/v2/oauth2/token", SESSIONS, {})
    assert {(one.path, *one.query) for one in later} == {(SESSIONS, "modifiedAt[gte]")}


@pytest.mark.slow
def test_many_changes_of_one_poll_are_several_events(
    clock: Clock, triggerer: Any, store: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Simulator(sessions=600, learners=1, clock=clock.now) as simulator:
        connect(monkeypatch, simulator, "v2", requests_per_second=1000)
        ids = simulator.session_ids
        asset = watched_program_sessions("all", None, **QUICK)
        polled_once = watched_program_sessions("all", None, poll_interval=300)

        async def scenario() -> None:
            async with triggerer(asset) as one:
                await one.until(lambda: len(store.watermarks("all")) == 600)
            for session_id in ids:
                simulator.edit(session_id, name="Moved")
            simulator.forget()
            async with triggerer(polled_once) as one:
                await one.until(lambda: len(entries(one)) == 600)
                assert [len(payload["sessions"]) for _, payload in one.events] == [500, 100]
                moved = {one: simulator.session(one)["modifiedAt"] for one in ids}
                await one.until(lambda: store.watermarks("all") == moved)

        asyncio.run(scenario())
        assert sum(one.path == SESSIONS and "modifiedAt[gte]" not in one.query for one in simulator.requests) == 2


@pytest.mark.slow
def test_ten_thousand_sessions_take_one_small_request(
    clock: Clock, triggerer: Any, store: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = io.StringIO()
    with Simulator(sessions=10_000, learners=1, clock=clock.now, log=log) as simulator:
        connect(monkeypatch, simulator, "v2", requests_per_second=1000)
        ids = simulator.session_ids
        asset = watched_program_sessions("all", ids, watch=["name", "startDate"], poll_interval=0.5)

        async def scenario() -> None:
            async with triggerer(asset) as one:
                await one.until(lambda: store.writes >= 64, patience=120)
                pages = [
                    one for one in simulator.requests if one.path == SESSIONS and "modifiedAt[gte]" not in one.query
                ]
                assert len(pages) == 20
                simulator.forget()
                assert await memory_of_a_stream() < 16e6
                assert sum("modifiedAt[gte]" not in one.query for one in simulator.requests) == 21  # and a token
                clock.skip(60)
                await poll_more(one, simulator)
                await require_small_polls(one)
                for session_id in ids[::2]:
                    simulator.edit(session_id, name="Moved")
                await one.until(lambda: len(entries(one)) >= 5000, patience=120)
                clock.skip(15)
                await poll_more(one, simulator, 2)
                await require_small_polls(one)
                assert sorted(entry["_id"] for entry in entries(one)) == sorted(ids[::2])
                assert one.failed == []

        async def require_small_polls(one: Any) -> None:
            simulator.forget()
            begin = log.tell()
            await poll_more(one, simulator)
            assert {(one.path, *one.query) for one in simulator.requests} == {(SESSIONS, "modifiedAt[gte]")}
            lines = [line for line in log.getvalue()[begin:].splitlines() if SESSIONS in line]
            assert len(lines) >= 3
            assert all(body_bytes(line) < 10_000 for line in lines)

        asyncio.run(scenario())


def test_field_of_the_path_is_found_with_one_more_request(simulator: Simulator, triggerer: Any, store: Any) -> None:
    session_id = simulator.session_ids[0]
    asset = watched_program_sessions("all", None, watch=["lang", "name"], **QUICK)

    async def scenario() -> None:
        before = simulator.session(session_id)
        async with triggerer(asset) as one:

            def own() -> list[dict[str, Any]]:
                return [entry for entry in entries(one) if entry["_id"] == session_id]

            await one.until(lambda: len(store.watermarks("all")) == 6)
            await poll_more(one, simulator)
            simulator.forget()
            await poll_more(one, simulator)
            assert {(one.path, *one.query) for one in simulator.requests} == {
                (PATHS, "modifiedAt[gte]"),
                (SESSIONS, "modifiedAt[gte]"),
            }
            for number, lang in enumerate(("it", "es"), 1):
                simulator.edit(session_id, lang=lang)
                await one.until(lambda: len(own()) == number)  # noqa: B023
            await poll_more(one, simulator)
            first, second = own()
            assert first["modifiedAt"] == {"from": before["modifiedAt"], "to": before["modifiedAt"]}
            assert first["changes"] == {"lang": {"from": before["lang"], "to": "it"}}
            assert second["changes"] == {"lang": {"from": "it", "to": "es"}}
            assert (first["times"], second["times"]) == (1, 2)
            assert first["state"] != second["state"]
            simulator.edit(session_id, name="Moved")
            await one.until(lambda: len(own()) == 3)
            assert "times" not in own()[-1]

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("fields", "watched"),
    [({"users": []}, "users"), ({"groups": ["60b8d2956e20ae1a0f8e4400"]}, "groups"), ({"lang": "it"}, "lang")],
)
def test_untimed_change_during_downtime_is_found_from_the_stored_watermark(
    fields: dict[str, Any], watched: str, simulator: Simulator, triggerer: Any, store: Any
) -> None:
    session_id = simulator.session_ids[0]
    asset = watched_program_sessions("some", [session_id, simulator.session_ids[1]], watch=[watched], **QUICK)

    async def scenario() -> None:
        async with triggerer(asset) as one:
            await one.until(lambda: len(store.watermarks("some")) == 2)
        simulator.edit(session_id, **fields)
        async with triggerer(asset, acknowledging=False) as two:
            await two.until(lambda: two.events)
            await poll_more(two, simulator)
            (unconfirmed,) = [entry for entry in entries(two) if entry["_id"] == session_id]
        async with triggerer(asset) as three:
            await three.until(lambda: three.events)
            (again,) = [entry for entry in entries(three) if entry["_id"] == session_id]
            assert again == unconfirmed  # so that a ledger takes it for the same change
            await poll_more(three, simulator)
            assert len([entry for entry in entries(three) if entry["_id"] == session_id]) == 1

    asyncio.run(scenario())


def test_missing_session_is_found_by_the_next_complete_list(
    clock: Clock, simulator: Simulator, triggerer: Any, store: Any
) -> None:
    session_id = simulator.session_ids[0]
    asset = watched_program_sessions("all", None, on_missing="event", **QUICK)

    async def scenario() -> None:
        async with triggerer(asset) as one:
            await one.until(lambda: len(store.watermarks("all")) == 6)
            document = simulator.session(session_id)
            simulator.delete(session_id)
            await poll_more(one, simulator)
            assert one.events == []
            clock.skip(HOUR)
            await one.until(lambda: one.events)
            assert entries(one) == [{"_id": session_id, "kind": "missing", "times": 1}]
            simulator.add(document)  # back as it was
            clock.skip(HOUR)
            await poll_more(one, simulator)
            assert len(one.events) == 1
            simulator.delete(session_id)
            clock.skip(HOUR)
            await one.until(lambda: len(one.events) == 2)
            assert entries(one)[-1] == {"_id": session_id, "kind": "missing", "times": 2}

    asyncio.run(scenario())


def test_session_that_a_complete_list_lacks_is_read_before_it_is_missing(
    clock: Clock, simulator: Simulator, triggerer: Any, store: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    slipped, edited = simulator.session_ids[:2]
    real = learning_async.LearningAsyncHook.stream_plan

    async def without_one(self: Any, plan: Any) -> Any:
        async for item in real(self, plan):
            if item["_id"] != slipped:
                yield item

    monkeypatch.setattr(learning_async.LearningAsyncHook, "stream_plan", without_one)
    asset = watched_program_sessions("all", simulator.session_ids, on_missing="event", **QUICK)

    async def scenario() -> None:
        async with triggerer(asset) as one:
            await one.until(lambda: len(store.watermarks("all")) == 6)
            simulator.edit(slipped, name="Moved")
            clock.skip(HOUR)
            await one.until(lambda: one.events)
            simulator.edit(edited, name="Moved")
            await one.until(lambda: len(one.events) == 2)
            assert [(entry["_id"], entry["kind"]) for entry in entries(one)] == [
                (slipped, "modified"),
                (edited, "modified"),
            ]

    asyncio.run(scenario())


def test_new_watcher_gets_the_present_state_of_its_sessions_by_single_requests(
    clock: Clock, simulator: Simulator, triggerer: Any, store: Any
) -> None:
    first, second, third, *_ = simulator.session_ids
    early = watched_program_sessions("early", [first, second], **QUICK)
    late = watched_program_sessions("late", [second, third], **QUICK)

    async def scenario() -> None:
        async with triggerer(early, late) as one:
            await one.until(lambda: len(store.watermarks("late")) == len(store.watermarks("early")) == 2)
        simulator.edit(third, name="Moved during downtime")
        clock.skip(60)
        async with triggerer(early) as one:
            await poll_more(one, simulator)
            simulator.forget()
            one.start(late)
            await one.until(lambda: one.events)
            assert [(name, entry["_id"]) for name, payload in one.events for entry in payload["sessions"]] == [
                ("late", third)
            ]
            await poll_more(one, simulator)

    asyncio.run(scenario())
    single = [one.query["sessionId[eq]"] for one in simulator.requests if "sessionId[eq]" in one.query]
    assert sorted(single) == sorted([second, third])
    assert complete_lists(simulator) == 0


def test_new_watcher_of_many_sessions_gets_a_complete_list(
    simulator: Simulator, triggerer: Any, store: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from airflow_provider_learning360.triggers import backlog

    monkeypatch.setattr(backlog, "MAX_SINGLE_READS", 3)
    early = watched_program_sessions("early", simulator.session_ids[:2], **QUICK)
    late = watched_program_sessions("late", simulator.session_ids, **QUICK)

    async def scenario() -> None:
        async with triggerer(early) as one:
            await poll_more(one, simulator)
            simulator.forget()
            one.start(late)
            await one.until(lambda: len(store.watermarks("late")) == 6)
            await poll_more(one, simulator)

    asyncio.run(scenario())
    assert complete_lists(simulator) == 1
    assert not any("sessionId[eq]" in one.query for one in simulator.requests)


@pytest.mark.parametrize("trouble", [{"status": 503}, {"drop": True}, {"truncate": True}])
def test_change_that_could_not_be_completed_is_read_again(
    trouble: Any, simulator: Simulator, triggerer: Any, store: Any
) -> None:
    """The list that showed the change is not repeated."""
    session_id = simulator.session_ids[0]
    asset = watched_program_sessions("all", None, watch=["groups", "name"], **QUICK)

    async def scenario() -> None:
        async with triggerer(asset) as one:
            await one.until(lambda: len(store.watermarks("all")) == 6)
            simulator.play({"when": {"path": f"{session_id}/audiences", "times": 4}, "do": trouble})
            simulator.edit(session_id, name="Moved")
            await one.until(lambda: one.changes(session_id))
            assert len(one.changes(session_id)) == 1
            assert one.failed == []

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("watched", "part", "fields"),
    one_in(
        3,
        [
            ("users", "/enrollments", {"users": []}),
            ("groups", "/audiences", {"groups": ["60b8d2956e20ae1a0f8e4400"]}),
            ("customFields", "/custom-fields/values", {"customFields": []}),
        ],
    ),
)
def test_field_that_no_list_has_takes_one_request_for_each_session(
    watched: str,
    part: str,
    fields: dict[str, Any],
    clock: Clock,
    simulator: Simulator,
    triggerer: Any,
    store: Any,
) -> None:
    """Modifications and deletions are found as before: the session itself is known from the lists."""
    ids = simulator.session_ids[:3]
    asset = watched_program_sessions("some", ids, watch=[watched, "name"], on_missing="event", **QUICK)

    async def poll_cheaply(one: Any) -> None:
        await poll_more(one, simulator, 5)
        simulator.forget()
        await poll_more(one, simulator, 3)
        seen = list(simulator.requests)
        lists = [place for place, sent in enumerate(seen) if sent.path == SESSIONS]
        assert all("modifiedAt[gte]" in seen[place].query for place in lists)
        for begin, end in pairwise(lists):
            assert [sent.path.endswith(part) for sent in seen[begin + 1 : end]] == [True] * len(ids)

    async def scenario() -> None:
        async with triggerer(asset) as one:
            await one.until(lambda: len(store.watermarks("some")) == 3)
            clock.skip(60)
            await poll_cheaply(one)
            simulator.edit(ids[0], name="Moved")
            await one.until(lambda: len(entries(one)) == 1)
            clock.skip(60)
            simulator.edit(ids[1], **fields)
            await one.until(lambda: len(entries(one)) == 2)
            assert [(entry["_id"], *entry["changes"]) for entry in entries(one)] == [
                (ids[0], "name"),
                (ids[1], watched),
            ]
            await poll_cheaply(one)
            simulator.edit(ids[1], name="Moved too")
            await one.until(lambda: len(entries(one)) == 3)
            assert entries(one)[-1]["changes"].keys() == {"name"}
            simulator.delete(ids[2])
            clock.skip(HOUR)  # learners of one that has none do not change with it
            await one.until(lambda: len(entries(one)) == 4)
            assert entries(one)[-1] == {"_id": ids[2], "kind": "missing", "times": 1}
            await poll_more(one, simulator)
            assert len(entries(one)) == 4

    asyncio.run(scenario())


def test_deleted_session_is_missing_and_has_not_lost_its_learners(
    simulator: Simulator, triggerer: Any, store: Any
) -> None:
    ids = simulator.session_ids[:2]
    asset = watched_program_sessions("some", ids, watch=["users"], on_missing="event", **QUICK)

    async def scenario() -> None:
        async with triggerer(asset) as one:
            await one.until(lambda: len(store.watermarks("some")) == 2)
            await poll_more(one, simulator)
            simulator.delete(ids[0])
            await one.until(lambda: one.events)
            assert entries(one) == [{"_id": ids[0], "kind": "missing", "times": 1}]

    asyncio.run(scenario())


EVERY_KIND = [
    *("name", "startDate", "endDate", "userLimit", "sessionCustom", "programTemplate", "tutors", "author", "users"),
    *("groups", "customFields", "modules", "description", "lang", "programDuration", "skills", "requirements"),
]


@pytest.mark.parametrize("versions", [("v1", "v2", "v1"), ("v2", "v1", "v2")], ids="-".join)
@pytest.mark.parametrize("watch", [[], EVERY_KIND], ids=["any", "every_field"])
@pytest.mark.parametrize("number", one_in(2, [None, 2, 1]))
def test_other_version_of_the_api_is_no_change(
    versions: tuple[str, ...],
    watch: list[str],
    number: int | None,
    simulator: Simulator,
    triggerer: Any,
    store: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ids = simulator.session_ids
    asset = watched_program_sessions("some", None if number is None else ids[:number], watch=watch, **QUICK)

    def versions_stored() -> set[str]:
        rows = [json.loads(row) for (_, key), row in store.rows.items() if key.startswith(SHARD_KEY_PREFIX)]
        return {known.get("version", "v1") for row in rows for known in row.values()}

    async def scenario() -> None:
        for place, version in enumerate(versions):
            connect(monkeypatch, simulator, version, requests_per_second=1000)
            async with triggerer(asset) as one:
                await one.until(lambda: len(store.watermarks("some")) == (number or 6))
                if watch:
                    await one.until(lambda: versions_stored() == {version})  # noqa: B023
                simulator.forget()
                await one.until(lambda: len(simulator.requests) > 4)
                assert one.events == []
                simulator.edit(ids[0], name=f"Moved {place}")
                await one.until(lambda: one.events)
                (entry,) = entries(one)
                assert entry["_id"] == ids[0]
                assert entry["changes"].keys() == ({"name"} if watch else set())
                moved = entry["modifiedAt"]["to"]
                await one.until(lambda: store.watermarks("some")[ids[0]] == moved)  # noqa: B023

    asyncio.run(scenario())


def test_one_session_is_asked_for_by_its_id(simulator: Simulator, triggerer: Any, store: Any) -> None:
    session_id = simulator.session_ids[0]
    asset = watched_program_session(session_id, watch=["name"], on_missing="event", **QUICK)

    async def scenario() -> None:
        async with triggerer(asset) as one:
            await one.until(lambda: store.watermarks(asset.name))
            simulator.edit(session_id, name="Moved")
            await one.until(lambda: one.events)
            simulator.delete(session_id)
            await one.until(lambda: len(one.events) == 2)
            assert entries(one)[-1] == {"_id": session_id, "kind": "missing", "times": 1}

    asyncio.run(scenario())
    assert {(one.path, *one.query) for one in simulator.requests[1:]} == {(SESSIONS, "sessionId[eq]")}
