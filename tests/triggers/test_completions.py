"""Watched completions on Airflow's shared streams, over real sockets and both versions of the API."""

from __future__ import annotations

import asyncio
import json
import logging
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from airflow_provider_learning360.api.completions import CompletionsWatch
from airflow_provider_learning360.api.watch_state import POLLING_KEY
from airflow_provider_learning360.assets.completions import watched_completions
from airflow_provider_learning360.simulator import Simulator
from airflow_provider_learning360.triggers.completions import CompletionsWatchTrigger
from versions import SESSION, VERSIONS, add_session, paths_of, simulated

OTHER = "6e" * 12
INTERVAL = 0.03


@pytest.fixture(params=VERSIONS)
def version(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def simulator(version: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Simulator]:
    with simulated(monkeypatch, version, sessions=1, learners=5) as one:
        yield one


@pytest.fixture
def v2(monkeypatch: pytest.MonkeyPatch) -> Iterator[Simulator]:
    with simulated(monkeypatch, "v2", sessions=1, learners=5, page_size=2) as one:
        yield one


def watched(*session_ids: str, name: str = "completions") -> Any:
    return watched_completions(name, session_ids or None, poll_interval=INTERVAL)


def counts(one: Any) -> dict[str, int]:
    """Return how many completions the events so far have reported, by session."""
    total: Counter[str] = Counter()
    for _, payload in one.events:
        assert set(payload) == {"completions"}
        for entry in payload["completions"]:
            assert set(entry) == {"_id", "kind", "completed", "latest"}
            total[entry["_id"]] += entry["completed"]
    return dict(total)


def more_polls(simulator: Simulator, count: int = 3) -> Callable[[], bool]:
    seen = len(simulator.requests)
    return lambda: len(simulator.requests) >= seen + count


def stored(store: Any, name: str = "completions") -> Any:
    rows = {key: json.loads(row) for (asset, key), row in store.rows.items() if asset == name}
    assert set(rows) <= {"learning360_completions", POLLING_KEY}
    return rows.get("learning360_completions")


def test_completions_send_an_event_with_counts(simulator: Simulator, triggerer: Any, store: Any) -> None:
    mails, others = add_session(simulator), add_session(simulator, OTHER)
    asset = watched(SESSION)

    async def scenario() -> None:
        async with triggerer(asset) as one:
            await one.until(lambda: stored(store))
            await one.until(more_polls(simulator))
            assert one.events == []
            for mail in mails[:2]:
                simulator.finish(SESSION, mail)
            simulator.finish(OTHER, others[0])
            await one.until(lambda: counts(one) == {SESSION: 2})
            simulator.finish(SESSION, mails[2])
            await one.until(lambda: counts(one) == {SESSION: 3})
            await one.until(lambda: len(stored(store)["seen"]) == 3)
            await one.until(more_polls(simulator))
            assert counts(one) == {SESSION: 3}
            latest = simulator.statistics(SESSION)["usersStats"][2]["endTime"]
            assert one.events[-1][1]["completions"][0]["latest"] == latest
            assert one.failed == []

    asyncio.run(scenario())
    text = json.dumps(list(store.rows.values()))
    assert not [mail for mail in mails if mail in text]


def test_completions_while_the_triggerer_is_down_are_found(simulator: Simulator, triggerer: Any, store: Any) -> None:
    mails = add_session(simulator)
    asset = watched(SESSION)

    async def scenario() -> None:
        async with triggerer(asset) as one:
            await one.until(lambda: stored(store))
            simulator.finish(SESSION, mails[0])
            await one.until(lambda: len(stored(store)["seen"]) == 1)
        simulator.finish(SESSION, mails[1])
        async with triggerer(asset) as two:
            await two.until(lambda: counts(two) == {SESSION: 1})
            await two.until(lambda: len(stored(store)["seen"]) == 2)
        async with triggerer(asset) as three:
            await three.until(more_polls(simulator))
            assert three.events == []

    asyncio.run(scenario())


def test_watcher_that_has_ended_writes_nothing_any_more(simulator: Simulator, triggerer: Any, store: Any) -> None:
    add_session(simulator)
    asset = watched(SESSION)

    async def scenario() -> None:
        async with triggerer(asset) as one:
            await one.until(lambda: stored(store))
        (ended,) = CompletionsWatchTrigger._states[asset.name]
        async with triggerer(asset) as two:
            await two.until(more_polls(simulator))
            before = stored(store)
            late = CompletionsWatch.from_stored([SESSION], before)
            late.dirty, late._stored_seen = True, {"late": datetime.now(tz=UTC)}
            await ended.save(late)
            assert stored(store) == before

    asyncio.run(scenario())


@pytest.mark.slow
def test_event_that_airflow_did_not_store_is_sent_again(simulator: Simulator, triggerer: Any, store: Any) -> None:
    mails = add_session(simulator)
    asset = watched(SESSION)

    async def scenario() -> None:
        async with triggerer(asset, acknowledging=False) as dying:
            await dying.until(lambda: stored(store))
            simulator.finish(SESSION, mails[0])
            await dying.until(lambda: dying.events)
            await dying.until(more_polls(simulator))
            assert len(dying.events) == 1
            assert stored(store)["seen"] == {}
        async with triggerer(asset, acknowledging=False, ack_timeout=0.1) as two:
            await two.until(lambda: two.failed)  # Airflow restarts it
            two.acknowledging = True
            two.start(asset)
            await two.until(lambda: len(stored(store)["seen"]) == 1)
            assert counts(two) == {SESSION: 2}  # twice the same one

    asyncio.run(scenario())


def test_outage_loses_nothing_and_is_logged_once(
    simulator: Simulator, triggerer: Any, store: Any, caplog: pytest.LogCaptureFixture
) -> None:
    mails = add_session(simulator)

    async def scenario() -> None:
        async with triggerer(watched(SESSION)) as one:
            await one.until(lambda: stored(store))
            simulator.play({"when": {"times": 4}, "do": {"status": 503}})
            simulator.finish(SESSION, mails[0])
            await one.until(lambda: counts(one) == {SESSION: 1})
            assert one.failed == []

    with caplog.at_level(logging.INFO):
        asyncio.run(scenario())
    assert caplog.text.count("Could not poll completions through connection") == 1
    assert caplog.text.count("works again") == 1


def test_store_that_fails_loses_nothing(simulator: Simulator, triggerer: Any, store: Any) -> None:
    mails = add_session(simulator)

    async def scenario() -> None:
        async with triggerer(watched(SESSION)) as one:
            await one.until(lambda: stored(store))
            store.broken = True
            simulator.finish(SESSION, mails[0])
            await one.until(lambda: counts(one) == {SESSION: 1})
            await one.until(more_polls(simulator))
            assert stored(store)["seen"] == {}
            store.broken = False
            await one.until(lambda: len(stored(store)["seen"]) == 1)
            assert counts(one) == {SESSION: 1}

    asyncio.run(scenario())


def test_whole_platform_is_one_request_a_poll(v2: Simulator, triggerer: Any, store: Any) -> None:
    first, second = add_session(v2), add_session(v2, OTHER)

    async def scenario() -> None:
        async with triggerer(watched()) as one:
            await one.until(lambda: stored(store))
            v2.forget()
            await one.until(more_polls(v2, 5))
            assert set(paths_of(v2)) == {"/api/v2/paths/stats"}
            assert {len(request.query_pairs) for request in v2.requests} == {1}
            v2.finish(SESSION, first[0])
            v2.finish(OTHER, second[0])
            await one.until(lambda: counts(one) == {SESSION: 1, OTHER: 1})

    asyncio.run(scenario())


def test_bulk_of_completions_is_read_page_by_page_and_reported_once(v2: Simulator, triggerer: Any, store: Any) -> None:
    mails = {one: add_session(v2, one) for one in (SESSION, OTHER)}

    async def scenario() -> None:
        async with triggerer(watched()) as one:
            await one.until(lambda: stored(store))
            for session_id, learners in mails.items():
                for mail in learners:
                    v2.finish(session_id, mail)
            await one.until(lambda: counts(one) == {SESSION: 3, OTHER: 3})
            await one.until(lambda: len(stored(store)["seen"]) == 6)
            await one.until(more_polls(v2, 10))
            assert counts(one) == {SESSION: 3, OTHER: 3}

    asyncio.run(scenario())


def test_page_that_cannot_be_read_leaves_the_rest_for_later(v2: Simulator, triggerer: Any, store: Any) -> None:
    mails = add_session(v2)

    async def scenario() -> None:
        async with triggerer(watched()) as one:
            await one.until(lambda: stored(store))
            v2.play({"when": {"path": "stats"}, "do": {"status": 503}})
            await one.until(more_polls(v2, 1))
            floor = stored(store)["floor"]
            for mail in mails:
                v2.finish(SESSION, mail)
            v2.stop_scenarios()
            # Of the two pages of each poll, the second fails.
            for poll in range(20):
                v2.play({"when": {"path": "stats", "after_requests": 1 + poll, "times": 1}, "do": {"status": 503}})
            await one.until(lambda: counts(one) == {SESSION: 2})
            assert stored(store)["floor"] == floor
            v2.stop_scenarios()
            await one.until(lambda: counts(one) == {SESSION: 3})
            await one.until(lambda: len(stored(store)["seen"]) == 3)

    asyncio.run(scenario())


def test_rows_that_do_not_count_are_left_out(v2: Simulator, triggerer: Any, store: Any) -> None:
    mails = add_session(v2)

    async def scenario() -> None:
        async with triggerer(watched()) as one:
            await one.until(lambda: stored(store))
            v2.play({"when": {"path": "stats"}, "do": {"status": 503}})
            v2.finish(SESSION, mails[0])
            v2.finish(SESSION, mails[1])
            users = v2.session(SESSION)["users"]
            v2.edit(SESSION, users=[user for user in users if user["mail"] != mails[0]])  # unenrolled
            v2.stop_scenarios()
            await one.until(lambda: counts(one) == {SESSION: 1})
            await one.until(more_polls(v2, 4))
            assert counts(one) == {SESSION: 1}

    asyncio.run(scenario())


def test_missing_scope_is_named(
    monkeypatch: pytest.MonkeyPatch, triggerer: Any, caplog: pytest.LogCaptureFixture
) -> None:
    with simulated(monkeypatch, "v2", sessions=1, scopes=["paths:read"]):

        async def scenario() -> None:
            async with triggerer(watched()) as one:
                await one.until(lambda: "pathStats:read" in caplog.text)

        asyncio.run(scenario())


def test_whole_platform_is_refused_where_it_cannot_be_listed(
    monkeypatch: pytest.MonkeyPatch, triggerer: Any, caplog: pytest.LogCaptureFixture
) -> None:
    with simulated(monkeypatch, "v1", sessions=1) as simulator:

        async def scenario() -> None:
            async with triggerer(watched()) as one:
                await one.until(lambda: "Name the sessions to watch, or use API v2" in caplog.text)
                assert one.failed == []

        asyncio.run(scenario())
        assert simulator.requests == []


def test_one_session_that_cannot_be_read_does_not_stop_the_others(
    monkeypatch: pytest.MonkeyPatch, triggerer: Any, store: Any, caplog: pytest.LogCaptureFixture
) -> None:
    missing = "0f" * 12
    with simulated(monkeypatch, "v1", sessions=1, learners=5) as simulator:
        mails = {one: add_session(simulator, one) for one in (SESSION, OTHER)}

        async def scenario() -> None:
            async with triggerer(watched(SESSION, OTHER, missing)) as one:
                await one.until(lambda: stored(store))
                simulator.play({"when": {"path": OTHER}, "do": {"status": 500}})
                await one.until(more_polls(simulator, 6))
                for session_id, learners in mails.items():
                    simulator.finish(session_id, learners[0])
                await one.until(lambda: counts(one) == {SESSION: 1})
                simulator.stop_scenarios()
                await one.until(lambda: counts(one) == {SESSION: 1, OTHER: 1})

        asyncio.run(scenario())
    assert caplog.text.count(f"Program session {missing}, whose completions are watched, does not exist") == 1


def test_each_asset_has_its_own_counts(v2: Simulator, triggerer: Any, store: Any) -> None:
    mails = add_session(v2)
    assets = [watched(name="one"), watched(SESSION, name="two"), watched(OTHER, name="three")]

    async def scenario() -> None:
        async with triggerer(*assets) as one:
            await one.until(lambda: all(stored(store, asset.name) for asset in assets))
            v2.finish(SESSION, mails[0])
            await one.until(lambda: len(one.events) == 2)
            assert {name for name, _ in one.events} == {"one", "two"}

    asyncio.run(scenario())


def test_below_airflow_3_3_the_trigger_polls_itself(simulator: Simulator, caplog: pytest.LogCaptureFixture) -> None:
    mails = add_session(simulator)
    (watcher,) = watched(SESSION).watchers
    trigger: CompletionsWatchTrigger = watcher.trigger

    async def scenario() -> Any:
        events = trigger.run()
        finishing = asyncio.ensure_future(finish())
        try:
            async with asyncio.timeout(20):
                return (await anext(events)).payload
        finally:
            await finishing
            await events.aclose()

    async def finish() -> None:
        async with asyncio.timeout(20):
            while not any(path.endswith("stats") for path in paths_of(simulator)[:-1]):
                await asyncio.sleep(0.01)
        simulator.finish(SESSION, mails[0])

    payload = asyncio.run(scenario())
    assert [(one["_id"], one["completed"]) for one in payload["completions"]] == [(SESSION, 1)]
    assert "kept in memory only: this process cannot store Airflow variables" in caplog.text
