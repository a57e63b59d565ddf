"""Deferred sensors of one connection share one client, one token and one poller, and disturb nobody."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from airflow_provider_learning360.api.changes import Watermark
from airflow_provider_learning360.api.v2 import floor
from airflow_provider_learning360.api.v2.platform import PlatformV2
from airflow_provider_learning360.api.waiting import UNCHANGED
from airflow_provider_learning360.assets.program_session import watched_program_sessions
from airflow_provider_learning360.hooks import learning_async, shared_hook
from airflow_provider_learning360.simulator import Simulator
from airflow_provider_learning360.triggers import polling, sensor_poller, session_list
from airflow_provider_learning360.triggers.operation import LearningOperationTrigger
from airflow_provider_learning360.triggers.program_session import ProgramSessionModifiedTrigger
from airflow_provider_learning360.triggers.session_completed import SessionCompletedTrigger
from airflow_provider_learning360.triggers.session_date import SessionDateTrigger
from airflow_provider_learning360.triggers.waiting_poll import WaitingPoll
from small_triggerer import Store, remove_waiting_times, running
from versions import ONE_IN_THE_LOOP, QUICK, VERSIONS, connect

VARIABLE = "AIRFLOW_CONN_LEARNING360_DEFAULT"
LISTS = {"v1": "/api/v1/programs/sessions", "v2": "/api/v2/paths/sessions"}
OAUTH2 = {"v1": {"auth": "oauth2"}, "v2": {}}
INTERVAL = 0.5
MANY = 30
NEW_START, LATER_START = "2031-05-05T08:00:00.000Z", "2031-05-06T08:00:00.000Z"


@pytest.fixture(autouse=True)
def _no_limiter(monkeypatch: pytest.MonkeyPatch) -> None:
    remove_waiting_times(monkeypatch)


@pytest.fixture(params=ONE_IN_THE_LOOP)
def version(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def simulator(version: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Simulator]:
    with Simulator(sessions=MANY, learners=2) as one:
        connect(monkeypatch, one, version, **QUICK, **OAUTH2[version])
        yield one


@pytest.fixture
def lookups(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The look-ups of connections."""
    seen: list[str] = []
    real = learning_async.get_async_connection

    async def look_up(conn_id: str, **arguments: Any) -> Any:
        seen.append(conn_id)
        return await real(conn_id, **arguments)

    monkeypatch.setattr(learning_async, "get_async_connection", look_up)
    return seen


@pytest.fixture
def polled(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The outcomes that triggers got."""
    outcomes: list[Any] = []
    real = WaitingPoll.deliver

    def deliver(self: WaitingPoll, value: Any) -> None:
        outcomes.append(value)
        real(self, value)

    monkeypatch.setattr(WaitingPoll, "deliver", deliver)
    return outcomes


def modified(simulator: Any, number: int, **arguments: Any) -> ProgramSessionModifiedTrigger:
    """A trigger with the watermark of the session as it is now."""
    session_id = simulator.session_ids[number]
    seen = Watermark(session_id, datetime.fromisoformat(simulator.session(session_id)["modifiedAt"]))
    options = {"poke_interval": INTERVAL, **arguments}
    return ProgramSessionModifiedTrigger(session_id, "learning360_default", seen.to_dict(), **options)


def in_seconds(seconds: float) -> str:
    return (datetime.now(tz=UTC) + timedelta(seconds=seconds)).isoformat()


async def first_event(trigger: Any) -> dict[str, Any]:
    async for event in trigger.run():
        return event.payload  # type: ignore[no-any-return]
    raise AssertionError("the trigger ended without an event")


@contextlib.asynccontextmanager
async def waiting(triggers: list[Any]) -> AsyncIterator[list[asyncio.Task[dict[str, Any]]]]:
    """Run triggers while the block runs."""
    tasks = [asyncio.ensure_future(first_event(one)) for one in triggers]
    try:
        async with asyncio.timeout(90):
            yield tasks
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def until(condition: Callable[[], Any]) -> None:
    async with asyncio.timeout(60):
        while not condition():
            await asyncio.sleep(0.01)


def data_requests(simulator: Any) -> list[str]:
    return [one.path for one in simulator.requests if "token" not in one.path]


def tokens(simulator: Any) -> int:
    return sum("token" in one.path for one in simulator.requests)


def all_left() -> bool:
    """Whether nobody holds a hook or a poller in this event loop."""
    loop = asyncio.get_running_loop()
    return not shared_hook._SHARED.get(loop) and not sensor_poller._POLLERS.get(loop)


def test_many_sensors_send_one_request_an_interval(simulator: Any, version: str, lookups: list[str]) -> None:
    async def scenario() -> None:
        simulator.forget()
        async with waiting([modified(simulator, number) for number in range(MANY)]) as tasks:
            await until(lambda: len(data_requests(simulator)) >= 6)
            assert not any(task.done() for task in tasks)
        assert all_left()

    asyncio.run(scenario())
    assert set(data_requests(simulator)) == {LISTS[version]}
    assert (tokens(simulator), simulator.connections, len(lookups)) == (1, 1, 1)


def test_sensor_of_a_list_ends_when_its_session_is_modified(simulator: Any, version: str) -> None:
    async def scenario() -> list[int]:
        async with waiting([modified(simulator, number) for number in range(MANY)]) as tasks:
            await until(lambda: len(data_requests(simulator)) >= 3)
            for number in (3, 7):
                simulator.edit(simulator.session_ids[number], startDate=NEW_START)
            await until(lambda: tasks[3].done() and tasks[7].done())
            assert tasks[3].result()["kind"] == tasks[7].result()["kind"] == "poll"
            sent = len(simulator.requests)
            await until(lambda: len(simulator.requests) >= sent + 2)
            return [number for number, task in enumerate(tasks) if task.done()]

    assert asyncio.run(scenario()) == [3, 7]
    assert set(data_requests(simulator)) == {LISTS[version]}


def test_few_sensors_of_one_session_share_a_request(simulator: Any, polled: list[Any]) -> None:
    async def scenario() -> None:
        async with waiting([modified(simulator, 0) for _ in range(5)]):
            await until(lambda: len(data_requests(simulator)) >= 4)

    asyncio.run(scenario())
    assert simulator.connections == 1
    # Five polls each, and not five requests for them.
    assert len(polled) >= 5 * (len(data_requests(simulator)) - 1)


def test_sensors_that_join_over_time_share_a_poll(simulator: Any, version: str, polled: list[Any]) -> None:
    """Their polls align: at the end each request serves all of them."""

    async def scenario() -> None:
        async with waiting([]) as tasks:
            for number in range(MANY):
                tasks.append(asyncio.ensure_future(first_event(modified(simulator, number))))
                await asyncio.sleep(INTERVAL / 10)
            await until(lambda: len(polled) >= 4 * MANY)
            simulator.forget()
            polled.clear()
            await until(lambda: len(data_requests(simulator)) >= 5)

    asyncio.run(scenario())
    assert set(data_requests(simulator)) == {LISTS[version]}
    assert len(polled) >= 4 * MANY


def test_more_sessions_than_can_be_chosen_are_read_by_what_was_modified(
    simulator: Any, version: str, monkeypatch: pytest.MonkeyPatch, polled: list[Any]
) -> None:
    """On API v2: the first list is complete, the later ones show what was modified."""
    monkeypatch.setattr(PlatformV2, "choice_limit", 10)

    async def scenario() -> None:
        async with waiting([modified(simulator, number) for number in range(MANY)]) as tasks:
            await until(lambda: len(polled) >= 3 * MANY)
            simulator.edit(simulator.session_ids[5], startDate=NEW_START)
            await until(lambda: tasks[5].done())
            assert tasks[5].result()["kind"] == "poll"
            # One that joins later is read singly, and from then on by the list as well.
            tasks.append(asyncio.ensure_future(first_event(modified(simulator, 5))))
            polled.clear()
            await until(lambda: len(polled) >= 3 * MANY)
            simulator.edit(simulator.session_ids[5], startDate=LATER_START)
            await until(lambda: tasks[-1].done())
            assert sum(task.done() for task in tasks) == 2

    asyncio.run(scenario())
    if version == "v2":
        lists = [set(one.query) for one in simulator.requests if one.path == LISTS["v2"]]
        assert lists.count(set()) == 1  # the page size of the simulator holds all sessions
        assert lists.count({"modifiedAt[gte]"}) >= 4


def test_list_of_a_large_platform_is_read_once_only(
    simulator: Any, version: str, monkeypatch: pytest.MonkeyPatch, polled: list[Any]
) -> None:
    """If few of its sessions are waited for, single reads are less work."""
    monkeypatch.setattr(session_list, "MAX_ENTRIES_PER_SESSION", 2)

    async def scenario() -> None:
        async with waiting([modified(simulator, number) for number in range(12)]):
            await until(lambda: len(polled) >= 4 * 12)

    asyncio.run(scenario())
    lists = data_requests(simulator).count(LISTS[version])
    assert lists == 1 if version == "v1" else lists >= 3


@pytest.mark.slow
def test_sensor_with_a_longer_interval_finds_what_only_lists_for_others_showed(
    simulator: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It does not take part in each list, and the next one shows only what was modified since the one before."""
    monkeypatch.setattr(PlatformV2, "choice_limit", 0)
    monkeypatch.setattr(floor, "COMMIT_LAG", timedelta(0))

    def polls() -> list[WaitingPoll]:
        pollers = sensor_poller._POLLERS.get(asyncio.get_running_loop(), {})
        return [one for poller in pollers.values() for one in poller._waiting]

    def has_polled(one: WaitingPoll) -> bool:
        return one.target.is_known and one.target.session_id == simulator.session_ids[0]

    async def scenario() -> None:
        others = [modified(simulator, number) for number in range(1, MANY)]
        async with waiting([modified(simulator, 0, poke_interval=16 * INTERVAL), *others]) as tasks:
            await until(lambda: any(has_polled(one) for one in polls()))
            simulator.edit(simulator.session_ids[0], name="Moved")
            await until(lambda: tasks[0].done())
            assert tasks[0].result()["kind"] == "poll"
            assert not any(task.done() for task in tasks[1:])

    asyncio.run(scenario())


@pytest.mark.parametrize("choice_limit", [100, 0])
def test_deleted_session_ends_its_sensor_only(
    choice_limit: int, simulator: Any, version: str, monkeypatch: pytest.MonkeyPatch, polled: list[Any]
) -> None:
    """By the same error as without others. By what was modified, a deletion is seen with the next complete list."""
    monkeypatch.setattr(PlatformV2, "choice_limit", choice_limit)
    connect(monkeypatch, simulator, version, **QUICK, missing_poll_interval=1)

    async def scenario() -> None:
        async with waiting([modified(simulator, number) for number in range(MANY)]) as tasks:
            await until(lambda: len(polled) >= MANY)
            simulator.delete(simulator.session_ids[4])
            await until(lambda: tasks[4].done())
            assert tasks[4].result()["error"]["type"] == "NotFoundError"
            polled.clear()
            await until(lambda: len(polled) >= 2 * MANY)
            assert sum(task.done() for task in tasks) == 1

    asyncio.run(scenario())


def test_missing_session_is_waited_for_and_found(simulator: Any, polled: list[Any]) -> None:
    gone = simulator.session(simulator.session_ids[4])

    async def scenario() -> None:
        triggers = [modified(simulator, number, on_missing="wait") for number in range(MANY)]
        simulator.delete(gone["_id"])
        async with waiting(triggers) as tasks:
            await until(lambda: len(polled) >= 3 * MANY)
            assert not any(task.done() for task in tasks)
            simulator.add({**gone, "modifiedAt": NEW_START})
            await until(lambda: tasks[4].done())
            assert tasks[4].result()["kind"] == "poll"

    asyncio.run(scenario())


def test_sensor_that_is_cancelled_disturbs_nobody(simulator: Any, polled: list[Any]) -> None:
    """Not even while the request for it is under way, which others wait for."""

    async def scenario() -> None:
        simulator.play({"do": {"delay": 0.2}})
        async with waiting([modified(simulator, number) for number in range(MANY)]) as tasks:
            await until(lambda: data_requests(simulator))
            for task in tasks[:5]:
                task.cancel()
            await asyncio.gather(*tasks[:5], return_exceptions=True)
            await until(lambda: len(polled) >= 2 * (MANY - 5))
            assert all(task.cancelled() for task in tasks[:5])
            assert not any(task.done() for task in tasks[5:])
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            assert all_left()

    asyncio.run(scenario())


def test_request_is_not_sent_if_its_triggers_have_left_before(simulator: Any) -> None:
    async def scenario() -> None:
        poller = sensor_poller.SensorPoller("learning360_default")
        trigger = modified(simulator, 0)
        one = WaitingPoll(trigger.build_target(trigger.build_wait()), 0, 0, 0)
        one.give_up()
        await poller._read_single([one], asyncio.Semaphore(1))
        assert not data_requests(simulator)
        await poller.close()

    asyncio.run(scenario())


def test_request_that_nobody_waits_for_is_cancelled(simulator: Any) -> None:
    async def scenario() -> None:
        simulator.play({"do": {"delay": 60}})
        async with waiting([modified(simulator, 0), modified(simulator, 0)]) as tasks:
            await until(lambda: simulator.connections)
            for task in tasks:
                task.cancel()
        assert all_left()

    asyncio.run(scenario())


def test_deadline_of_one_sensor_ends_no_request_of_others(
    simulator: Any, monkeypatch: pytest.MonkeyPatch, polled: list[Any]
) -> None:
    monkeypatch.setattr(polling, "LAST_POLL_SECONDS", 0.05)

    async def scenario() -> None:
        simulator.play({"when": {"times": 1, "path": "/api/v"}, "do": {"delay": 2}})
        triggers = [modified(simulator, 0, deadline=in_seconds(INTERVAL * 1.2)), modified(simulator, 0)]
        async with waiting(triggers) as tasks:
            await until(lambda: tasks[0].done())
            assert tasks[0].result()["kind"] == "timeout"
            await until(lambda: polled)
            assert not tasks[1].done()

    asyncio.run(scenario())


def test_slow_session_delays_nobody(simulator: Any, version: str, polled: list[Any]) -> None:
    """Few sensors are polled one by one, all at once."""
    slow = simulator.session_ids[0]

    async def scenario() -> None:
        simulator.play({"when": {"path": slow}, "do": {"delay": 60}})
        async with waiting([modified(simulator, number) for number in range(3)]):
            await until(lambda: len(polled) >= 6)

    if version == "v1":  # on v2, one request reads all three
        asyncio.run(scenario())


def test_errors_are_those_of_each_sensor(simulator: Any) -> None:
    """Each counts its own failures, and ends or goes on as it was configured."""

    async def scenario() -> None:
        triggers = [modified(simulator, number, max_failures=99) for number in range(MANY)]
        triggers[0] = modified(simulator, 0, max_failures=1)
        triggers[1] = modified(simulator, 1, failures=2, max_failures=2)
        async with waiting(triggers) as tasks:
            await until(lambda: data_requests(simulator))
            simulator.play({"do": {"status": 503}})
            await until(lambda: tasks[0].done() and tasks[1].done())
            simulator.stop_scenarios()
            for number in (0, 1):
                error = tasks[number].result()["error"]
                assert error["type"] == "UnavailableError"
                assert f"max_failures is {triggers[number].max_failures}" in error["message"]
            sent = len(data_requests(simulator))
            await until(lambda: len(data_requests(simulator)) > sent + 2)
            assert sum(task.done() for task in tasks) == 2

    asyncio.run(scenario())


def test_list_that_may_not_be_read_is_replaced_by_single_reads(simulator: Any, version: str, polled: list[Any]) -> None:
    if version == "v2":
        pytest.skip("the list and a single session have the same address there")

    async def scenario() -> None:
        simulator.play({"when": {"path": "/api/v1/programs/sessions$"}, "do": {"status": 403}})
        async with waiting([modified(simulator, number) for number in range(MANY)]) as tasks:
            await until(lambda: len(polled) >= 2 * MANY)
            simulator.edit(simulator.session_ids[2], startDate=NEW_START)
            await until(lambda: tasks[2].done())
            assert tasks[2].result()["kind"] == "poll"
            assert sum(task.done() for task in tasks) == 1

    asyncio.run(scenario())


def test_outage_takes_few_requests(simulator: Any, version: str) -> None:
    """After three failed requests in a row, the others are not tried."""

    async def scenario() -> None:
        simulator.play({"when": {"path": LISTS[version]}, "do": {"status": 503}})
        triggers = [modified(simulator, number, max_failures=0) for number in range(MANY)]
        async with waiting(triggers) as tasks:
            await until(lambda: all(task.done() for task in tasks))
            assert {task.result()["error"]["type"] for task in tasks} == {"UnavailableError"}

    asyncio.run(scenario())
    assert len(data_requests(simulator)) < MANY


def test_refused_key_ends_all_and_the_next_sensor_looks_up_the_connection(
    simulator: Any, version: str, monkeypatch: pytest.MonkeyPatch, lookups: list[str], polled: list[Any]
) -> None:
    async def scenario() -> None:
        connection = json.loads(os.environ[VARIABLE])
        monkeypatch.setenv(VARIABLE, json.dumps({**connection, "password": "wrong" * 8}))
        async with waiting([modified(simulator, 0, silent_fail=True)]) as staying:
            async with waiting([modified(simulator, number) for number in range(1, MANY)]) as tasks:
                await until(lambda: all(task.done() for task in tasks))
                assert {task.result()["error"]["type"] for task in tasks} == {"UnauthorizedError"}
            assert len(lookups) == 1
            connect(monkeypatch, simulator, version, **QUICK)
            async with waiting([modified(simulator, 1)]):
                # The one that stayed goes on with the new key.
                await until(lambda: len(polled) >= 4)
            assert len(lookups) == 2
            assert not staying[0].done()

    asyncio.run(scenario())


def test_edited_connection_is_used_by_all_once_a_sensor_joins_later(
    simulator: Any, version: str, monkeypatch: pytest.MonkeyPatch, lookups: list[str], polled: list[Any]
) -> None:
    async def scenario(other: Simulator) -> None:
        async with waiting([modified(simulator, number) for number in range(MANY)]):
            await until(lambda: len(polled) >= MANY)
            for document in map(simulator.session, simulator.session_ids):
                other.add(document)
            connect(monkeypatch, other, version, **QUICK)
            async with waiting([modified(simulator, 0)]):
                polled.clear()
                await until(lambda: len(polled) >= 2 * MANY)
                assert len(lookups) == 1  # it joined within a minute of the look-up
                assert not data_requests(other)
            monkeypatch.setattr(shared_hook, "LOOKUP_AGE", 0.0)
            async with waiting([modified(simulator, 0)]):
                await until(lambda: data_requests(other))
                simulator.forget()
                polled.clear()
                await until(lambda: len(polled) >= 2 * MANY)
                assert not data_requests(simulator)

    with Simulator(sessions=0, learners=0) as other:
        asyncio.run(scenario(other))
    assert len(lookups) == 2


def test_connection_that_is_deleted_ends_the_new_sensor_only(
    simulator: Any, monkeypatch: pytest.MonkeyPatch, polled: list[Any]
) -> None:
    async def scenario() -> None:
        async with waiting([modified(simulator, 0)]) as tasks:
            await until(lambda: polled)
            monkeypatch.delenv(VARIABLE)
            monkeypatch.setattr(shared_hook, "LOOKUP_AGE", 0.0)
            async with waiting([modified(simulator, 0)]) as new:
                await until(lambda: new[0].done())
                assert new[0].result()["error"]["type"] == "SettingsError"
            polled.clear()
            await until(lambda: len(polled) >= 2)
            assert not tasks[0].done()

    asyncio.run(scenario())


def test_event_loops_share_nothing(simulator: Any, lookups: list[str]) -> None:
    async def scenario() -> None:
        async with waiting([modified(simulator, 0)]):
            sent = len(data_requests(simulator))
            await until(lambda: len(data_requests(simulator)) > sent)

    asyncio.run(scenario())
    asyncio.run(scenario())
    assert (len(lookups), simulator.connections) == (2, 2)


def test_date_sensors_are_served_by_the_list_and_wake_in_time(simulator: Any, version: str) -> None:
    """The clock counts also for a session that no list shows again."""
    for session_id in simulator.session_ids:
        simulator.edit(session_id, startDate=in_seconds(3600))
    simulator.edit(simulator.session_ids[9], startDate=in_seconds(4 * INTERVAL))

    async def scenario() -> None:
        triggers = [
            SessionDateTrigger(
                anchor="startDate", session_id=one, learning_conn_id="learning360_default", poke_interval=INTERVAL
            )
            for one in simulator.session_ids
        ]
        async with waiting(triggers) as tasks:
            await until(lambda: tasks[9].done())
            assert tasks[9].result()["kind"] == "poll"
            assert sum(task.done() for task in tasks) == 1
            # The date moves to the past: the next poll finds it.
            simulator.edit(simulator.session_ids[8], startDate=in_seconds(-60))
            await until(lambda: tasks[8].done())

    asyncio.run(scenario())


def test_date_sensors_that_are_due_at_once_share_a_poll(simulator: Any, version: str, polled: list[Any]) -> None:
    due = in_seconds(1.5)
    for session_id in simulator.session_ids:
        simulator.edit(session_id, startDate=due)

    async def scenario() -> None:
        triggers = [
            SessionDateTrigger(
                anchor="startDate",
                due=due,
                session_id=one,
                learning_conn_id="learning360_default",
                poke_interval=600,
            )
            for one in simulator.session_ids
        ]
        async with waiting(triggers) as tasks:
            await until(lambda: all(task.done() for task in tasks))

    asyncio.run(scenario())
    assert len(data_requests(simulator)) <= 3


def test_date_that_comes_wakes_sensors_of_unchanged_sessions(simulator: Any, polled: list[Any]) -> None:
    """The list shows no change then, or not even the session."""
    due = in_seconds(8 * INTERVAL)
    for session_id in simulator.session_ids:
        simulator.edit(session_id, startDate=due)
    arguments = {"anchor": "startDate", "learning_conn_id": "learning360_default", "poke_interval": INTERVAL}

    async def scenario() -> None:
        triggers = [SessionDateTrigger(session_id=one, **arguments) for one in simulator.session_ids]
        async with waiting(triggers) as tasks:
            await until(lambda: all(task.done() for task in tasks))
            assert {task.result()["kind"] for task in tasks} == {"poll"}

    asyncio.run(scenario())
    assert polled[-MANY:] == [UNCHANGED] * MANY


def test_completions_of_a_session_are_read_once_for_all(simulator: Any, polled: list[Any]) -> None:
    session_id = simulator.session_ids[0]

    async def scenario() -> None:
        counts = [SessionCompletedTrigger(count=number, **arguments) for number in range(100, 105)]
        async with waiting(counts):
            await until(lambda: len(polled) >= 15)

    arguments = {"session_id": session_id, "learning_conn_id": "learning360_default", "poke_interval": INTERVAL}
    asyncio.run(scenario())
    by_path = [one for one in data_requests(simulator) if one.count("/") > 4]
    assert len(by_path) <= len(polled) / 5 + 1


def test_identical_calls_are_sent_once(simulator: Any, version: str, polled: list[Any]) -> None:
    """Also if their conditions differ; another call is sent for itself."""
    session_id = simulator.session_ids[0]
    path_id = simulator.session(session_id)["programTemplate"]
    operation, parameters = {
        "v1": ("get-program-session-v1", {"session_id": session_id}),
        "v2": ("get-path-session", {"pathId": path_id, "sessionId": session_id}),
    }[version]

    def trigger(name: str) -> LearningOperationTrigger:
        return LearningOperationTrigger(
            operation=operation,
            parameters=parameters,
            until=[{"path": "$.name", "equals": name}],
            learning_conn_id="learning360_default",
            poke_interval=INTERVAL,
        )

    async def scenario() -> None:
        async with waiting([trigger(f"Never {number}") for number in range(5)]) as tasks:
            await until(lambda: len(polled) >= 15)
            assert not any(task.done() for task in tasks)

    asyncio.run(scenario())
    assert len(data_requests(simulator)) <= len(polled) / 5 + 1


def test_sensors_and_watched_assets_share_a_client(simulator: Any, polled: list[Any], lookups: list[str]) -> None:
    store = Store()
    asset = watched_program_sessions("all", poll_interval=INTERVAL)

    async def scenario() -> None:
        async with running(store, asset) as triggerer, waiting([modified(simulator, 0)]):
            await triggerer.until(lambda: len(store.watermarks("all")) == MANY)
            await until(lambda: polled)
        assert all_left()

    asyncio.run(scenario())
    assert (tokens(simulator), len(lookups)) == (1, 1)
    assert simulator.connections <= 2  # where both poll at the same moment


@pytest.mark.slow
@pytest.mark.parametrize("version", VERSIONS)
def test_thousand_sensors_take_one_connection_one_token_and_one_lookup(
    version: str, monkeypatch: pytest.MonkeyPatch, polled: list[Any], lookups: list[str]
) -> None:
    count = 1000
    with Simulator(sessions=count, learners=2) as simulator:
        connect(monkeypatch, simulator, version, **QUICK, **OAUTH2[version])

        async def scenario() -> int:
            triggers = [modified(simulator, number, poke_interval=8) for number in range(count)]
            async with waiting(triggers) as tasks:
                await until(lambda: len(polled) >= count)
                first = len(data_requests(simulator))
                await until(lambda: len(polled) >= 3 * count)
                assert not any(task.done() for task in tasks)
                return len(data_requests(simulator)) - first

        assert asyncio.run(scenario()) == 2
        assert set(data_requests(simulator)) == {LISTS[version]}
        assert (tokens(simulator), simulator.connections, len(lookups)) == (1, 1, 1)
