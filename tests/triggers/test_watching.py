"""Watchers on Airflow's shared streams, over real sockets: no change is lost, no person named, one poll for all."""

from __future__ import annotations

import asyncio
import re
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_provider_learning360.api.watch_state import WatchState
from airflow_provider_learning360.assets.program_session import watched_program_session, watched_program_sessions
from airflow_provider_learning360.triggers.watch_index import WatchIndex
from versions import ONE_IN_THE_LOOP, connect

pytestmark = pytest.mark.learning360_simulator(sessions=4, learners=2, extra={"requests_per_second": 1000})

QUICK: dict[str, Any] = {"poll_interval": 0.05}


@pytest.fixture(params=ONE_IN_THE_LOOP)
def version(request: pytest.FixtureRequest, learning360_simulator: Any, monkeypatch: pytest.MonkeyPatch) -> str:
    """The version of the API that the connection speaks."""
    version: str = request.param
    connect(monkeypatch, learning360_simulator, version, requests_per_second=1000)
    return version


def polled(simulator: Any, at_least: int) -> Any:
    return lambda: len(simulator.requests) >= at_least


@pytest.mark.usefixtures("version")
def test_edit_sends_an_event_and_no_edit_sends_none(learning360_simulator: Any, triggerer: Any, store: Any) -> None:
    simulator = learning360_simulator
    session_id = simulator.session_ids[0]
    asset = watched_program_session(session_id, **QUICK)

    async def scenario() -> None:
        before = simulator.session(session_id)["modifiedAt"]
        async with triggerer(asset) as one:
            await one.until(polled(simulator, 3))
            assert one.events == []
            assert store.watermarks(asset.name) == {session_id: before}

            first = simulator.edit(session_id, name="Moved")["modifiedAt"]
            await one.until(lambda: one.events)
            await one.until(lambda: store.watermarks(asset.name) == {session_id: first})
            second = simulator.edit(session_id, name="Moved again")["modifiedAt"]
            await one.until(lambda: len(one.events) == 2)
            assert one.changes(session_id) == [(before, first), (first, second)]

    asyncio.run(scenario())


@pytest.mark.usefixtures("version")
def test_change_during_downtime_is_found_from_the_stored_watermark(
    learning360_simulator: Any, triggerer: Any, store: Any
) -> None:
    simulator = learning360_simulator
    session_id = simulator.session_ids[0]
    asset = watched_program_session(session_id, **QUICK)

    async def scenario() -> None:
        before = simulator.session(session_id)["modifiedAt"]
        async with triggerer(asset) as one:
            await one.until(lambda: store.watermarks(asset.name))
        after = simulator.edit(session_id, name="Moved during downtime")["modifiedAt"]
        async with triggerer(asset) as two:
            await two.until(lambda: two.events)
            await two.until(lambda: store.watermarks(asset.name) == {session_id: after})
            assert two.changes(session_id) == [(before, after)]
        async with triggerer(asset) as three:
            seen = len(simulator.requests)
            await three.until(polled(simulator, seen + 3))
            assert three.events == []

    asyncio.run(scenario())


@pytest.mark.usefixtures("version")
def test_watermark_moves_only_when_airflow_has_stored_the_event(
    learning360_simulator: Any, triggerer: Any, store: Any
) -> None:
    simulator = learning360_simulator
    session_id = simulator.session_ids[0]
    asset = watched_program_session(session_id, **QUICK)

    async def scenario() -> None:
        before = simulator.session(session_id)["modifiedAt"]
        async with triggerer(asset, acknowledging=False) as dying:
            await dying.until(lambda: store.watermarks(asset.name))
            after = simulator.edit(session_id, name="Moved")["modifiedAt"]
            await dying.until(lambda: dying.events)
            seen = len(simulator.requests)
            await dying.until(polled(simulator, seen + 3))
            assert len(dying.events) == 1  # sent once, although it is not acknowledged
        assert store.watermarks(asset.name) == {session_id: before}
        async with triggerer(asset) as two:
            await two.until(lambda: two.events)
            assert two.changes(session_id) == [(before, after)]

    asyncio.run(scenario())


@pytest.mark.usefixtures("version")
def test_unacknowledged_event_is_sent_again(learning360_simulator: Any, triggerer: Any, store: Any) -> None:
    simulator = learning360_simulator
    session_id = simulator.session_ids[0]
    asset = watched_program_session(session_id, **QUICK)

    async def scenario() -> None:
        async with triggerer(asset, acknowledging=False, ack_timeout=0.1) as one:
            await one.until(lambda: store.watermarks(asset.name))
            before = simulator.session(session_id)["modifiedAt"]
            first = simulator.edit(session_id, name="Moved")["modifiedAt"]
            await one.until(lambda: one.failed)  # the triggerer restarts it from the stored watermark
            one.acknowledging = True
            one.start(asset)
            await one.until(lambda: store.watermarks(asset.name) == {session_id: first})
            assert one.changes(session_id) == [(before, first)] * 2

    asyncio.run(scenario())


def test_many_watchers_send_one_request_a_poll(learning360_simulator: Any, triggerer: Any) -> None:
    simulator = learning360_simulator
    assets = [watched_program_session(one, poll="list", **QUICK) for one in simulator.session_ids]

    async def scenario() -> None:
        async with triggerer(*assets) as one:
            await one.until(polled(simulator, 5))
            edited = simulator.session_ids[2]
            simulator.edit(edited, name="Moved")
            await one.until(lambda: one.events)
            assert [name for name, _ in one.events] == [assets[2].name]

    asyncio.run(scenario())
    assert {request.path for request in simulator.requests} == {"/api/v1/programs/sessions"}
    assert simulator.connections == 1


@pytest.mark.learning360_simulator(sessions=12, learners=1)
@pytest.mark.parametrize(("watched", "route"), [(10, "each"), (11, "list"), (None, "list")])
def test_auto_takes_the_list_for_many(
    watched: int | None, route: str, learning360_simulator: Any, triggerer: Any
) -> None:
    simulator = learning360_simulator
    ids = None if watched is None else simulator.session_ids[:watched]
    asset = watched_program_sessions("many", ids, **QUICK)

    async def scenario() -> None:
        async with triggerer(asset) as one:
            await one.until(polled(simulator, 12))

    asyncio.run(scenario())
    paths = {request.path for request in simulator.requests}
    assert paths == (
        {"/api/v1/programs/sessions"} if route == "list" else {f"/api/v1/programs/sessions/{one}/" for one in ids or ()}
    )


@pytest.mark.usefixtures("version")
def test_changes_of_one_poll_are_one_event(learning360_simulator: Any, triggerer: Any) -> None:
    simulator = learning360_simulator
    asset = watched_program_sessions("all", None, **QUICK)

    async def scenario() -> None:
        async with triggerer(asset) as one:
            await one.until(polled(simulator, 2))
            simulator.play({"when": {"times": 1}, "do": {"delay": 0.2}})  # so that one poll finds all edits
            for session_id in simulator.session_ids:
                simulator.edit(session_id, name="Moved")
            await one.until(lambda: sum(len(payload["sessions"]) for _, payload in one.events) == 4)
            assert len(one.events) <= 2

    asyncio.run(scenario())


def test_event_names_fields_and_never_people(learning360_simulator: Any, triggerer: Any, store: Any) -> None:
    simulator = learning360_simulator
    session_id = simulator.session_ids[0]
    asset = watched_program_session(session_id, watch=["startDate", "tutors", "users", "description"], **QUICK)

    async def scenario() -> dict[str, Any]:
        async with triggerer(asset) as one:
            await one.until(lambda: store.watermarks(asset.name))
            simulator.edit(session_id, name="Not watched")
            seen = len(simulator.requests)
            await one.until(polled(simulator, seen + 3))
            assert one.events == []
            simulator.edit(
                session_id,
                startDate="2031-05-05T08:00:00.000Z",
                tutors=["new@example.com"],
                users=[],
                description="long " * 200,
            )
            await one.until(lambda: one.events)
            return one.events[0][1]  # type: ignore[no-any-return]

    before = simulator.session(session_id)
    payload = asyncio.run(scenario())
    (change,) = payload["sessions"]
    assert change["changes"] == {
        "startDate": {"from": before["startDate"], "to": "2031-05-05T08:00:00.000Z"},
        "tutors": {},
        "users": {},
        "description": {},
    }
    for text in (str(payload), *store.rows.values()):
        assert "@" not in text
        assert all(user["mail"] not in text for user in before["users"])


@pytest.mark.usefixtures("version")
@pytest.mark.parametrize("poll", ["single", "list"])
def test_outage_ends_no_watch(
    poll: Any, learning360_simulator: Any, triggerer: Any, store: Any, caplog: pytest.LogCaptureFixture
) -> None:
    simulator = learning360_simulator
    session_id = simulator.session_ids[0]
    asset = watched_program_session(session_id, poll=poll, **QUICK)
    troubles = ({"status": 503}, {"status": 401}, {"drop": True}, {"html": True}, {"empty": True})

    async def scenario() -> None:
        async with triggerer(asset) as one:
            await one.until(lambda: store.watermarks(asset.name))
            for trouble in troubles:
                simulator.play({"when": {"times": 3}, "do": trouble})
                seen = len(simulator.requests)
                simulator.edit(session_id, name=f"Moved during {trouble}")
                sent = len(one.events)
                await one.until(lambda: len(one.events) > sent)  # noqa: B023
                assert len(simulator.requests) >= seen + 3
            assert one.failed == []

    asyncio.run(scenario())
    lines = [record.getMessage() for record in caplog.records if "triggers.poller" in record.name]
    begins = [line for line in lines if "Could not poll" in line]
    assert len(begins) == len(troubles)
    assert all(re.search(r"\(1 failure in a row\): .* Next poll in [\d.]+ s\.$", line) for line in begins)
    ends = [line for line in lines if "works again" in line]
    assert len(ends) == len(troubles)
    assert all(re.search(r"after [23] failed polls in [\d.]+ s\.$", line) for line in ends)  # one may be sent again


@pytest.mark.usefixtures("version")
def test_truncated_list_reports_no_session_as_missing(
    learning360_simulator: Any, triggerer: Any, store: Any, caplog: pytest.LogCaptureFixture
) -> None:
    simulator = learning360_simulator
    asset = watched_program_sessions("all", None, on_missing="event", **QUICK)

    async def scenario() -> None:
        async with triggerer(asset) as one:
            await one.until(lambda: len(store.watermarks("all")) == 4)
            simulator.play({"when": {"times": 2}, "do": {"truncate": True}})
            simulator.play({"when": {"times": 2}, "do": {"body_cut": True}})
            seen = len(simulator.requests)
            await one.until(polled(simulator, seen + 5))
            assert one.events == []

    asyncio.run(scenario())
    assert not any("does not exist any more" in record.getMessage() for record in caplog.records)


@pytest.mark.usefixtures("version")
def test_no_request_is_sent_before_retry_after_is_over(learning360_simulator: Any, triggerer: Any, store: Any) -> None:
    simulator = learning360_simulator
    assets = [watched_program_session(one, poll="single", **QUICK) for one in simulator.session_ids]
    other = watched_program_session(simulator.session_ids[0], poll="list", poll_interval=0.06, name="other stream")

    async def scenario() -> None:
        async with triggerer(*assets, other) as one:
            await one.until(lambda: len({name for name, _ in store.rows}) == 5)
            simulator.play({"when": {"times": 1}, "do": {"status": 429, "headers": {"Retry-After": "0.6"}}})
            await one.until(lambda: any(request.status == 429 for request in simulator.requests))
            simulator.edit(simulator.session_ids[3], name="Moved")
            await one.until(lambda: one.events)

    asyncio.run(scenario())
    (refused,) = [number for number, request in enumerate(simulator.requests) if request.status == 429]
    # One more may have been on its way when the answer came.
    later = [request.at - simulator.requests[refused].at for request in simulator.requests[refused + 1 :]]
    assert [gap for gap in later if gap < 0.6][1:] == []


def test_fixed_connection_is_read_again(
    learning360_simulator: Any, triggerer: Any, store: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    simulator = learning360_simulator
    session_id = simulator.session_ids[0]
    asset = watched_program_session(session_id, learning_conn_id="fixed", **QUICK)

    async def scenario() -> None:
        import os

        async with triggerer(asset) as one:
            for _ in range(20):  # the connection does not exist: no request, and nothing fails
                await asyncio.sleep(0)
            monkeypatch.setenv("AIRFLOW_CONN_FIXED", os.environ["AIRFLOW_CONN_LEARNING360_DEFAULT"])
            await one.until(lambda: store.watermarks(asset.name))
            assert one.failed == []

    asyncio.run(scenario())


def test_disappearance_is_reported_once(
    learning360_simulator: Any, triggerer: Any, caplog: pytest.LogCaptureFixture
) -> None:
    simulator = learning360_simulator
    first, second = simulator.session_ids[:2]
    reporting = watched_program_sessions("reporting", [first, second], on_missing="event", poll="list", **QUICK)
    ignoring = watched_program_sessions("ignoring", [first, second], poll="list", **QUICK)

    async def scenario() -> None:
        async with triggerer(reporting, ignoring) as one:
            await one.until(polled(simulator, 2))
            document = simulator.session(first)
            simulator.delete(first)
            await one.until(lambda: one.events)
            assert one.events == [("reporting", {"sessions": [{"_id": first, "kind": "missing", "times": 1}]})]
            simulator.add(document)  # back as it was: no change
            seen = len(simulator.requests)
            await one.until(polled(simulator, seen + 3))
            assert len(one.events) == 1
            after = simulator.edit(first, name="Back and moved")["modifiedAt"]
            await one.until(lambda: len(one.events) == 3)
            assert one.changes(first) == [(document["modifiedAt"], after)] * 2

    asyncio.run(scenario())
    (line,) = [record.getMessage() for record in caplog.records if "does not exist any more" in record.getMessage()]
    assert re.fullmatch(
        rf"1 program session \({first}\): was last read at [-\d]+ [\d:]+ UTC, and does not exist any more\.", line
    )


@pytest.mark.usefixtures("version")
def test_second_disappearance_is_reported_again(learning360_simulator: Any, triggerer: Any) -> None:
    simulator = learning360_simulator
    session_id = simulator.session_ids[0]
    asset = watched_program_session(session_id, on_missing="event", **QUICK)

    async def scenario() -> None:
        async with triggerer(asset) as one:
            for times in (1, 2):
                await one.until(polled(simulator, len(simulator.requests) + 3))
                document = simulator.session(session_id)
                simulator.delete(session_id)
                await one.until(lambda: len(one.events) == times)  # noqa: B023
                assert one.events[-1][1]["sessions"] == [{"_id": session_id, "kind": "missing", "times": times}]
                simulator.add(document)

    asyncio.run(scenario())


def test_list_without_dates_falls_back_to_single_requests_and_logs_it_once(
    learning360_simulator: Any, triggerer: Any, store: Any, caplog: pytest.LogCaptureFixture
) -> None:
    simulator = learning360_simulator
    simulator.play({"when": {"path": "/programs/sessions$"}, "do": {"drift": {"remove": ["modifiedAt"]}}})
    asset = watched_program_sessions("all", None, **QUICK)

    async def scenario() -> None:
        async with triggerer(asset) as one:
            await one.until(lambda: len(store.watermarks("all")) == 4)
            session_id = simulator.session_ids[1]
            simulator.edit(session_id, name="Moved")
            await one.until(lambda: one.events)
            assert [entry["_id"] for entry in one.events[0][1]["sessions"]] == [session_id]

    asyncio.run(scenario())
    assert sum("read one by one" in record.getMessage() for record in caplog.records) == 1


@pytest.mark.learning360_simulator(sessions=12, learners=1)
def test_list_is_read_again_when_the_connection_has_moved_to_another_version(
    learning360_simulator: Any, triggerer: Any, store: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    simulator = learning360_simulator
    simulator.play({"when": {"path": "/programs/sessions$"}, "do": {"drift": {"remove": ["modifiedAt"]}}})
    asset = watched_program_sessions("some", simulator.session_ids, **QUICK)

    async def scenario() -> None:
        async with triggerer(asset) as one:
            await one.until(lambda: len(store.watermarks("some")) == 12)
            connect(monkeypatch, simulator, "v2")
            simulator.play({"when": {"path": "^/api/v1/"}, "do": {"status": 401}})  # so that it is looked up again
            # A list of what was modified, not one session after the other.
            await one.until(lambda: any("modifiedAt[gte]" in request.query for request in simulator.requests))
            assert one.failed == []

    asyncio.run(scenario())


@pytest.mark.usefixtures("version")
def test_unresponsive_store_loses_no_change(
    learning360_simulator: Any, triggerer: Any, store: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from airflow_provider_learning360.triggers import cursor

    monkeypatch.setattr(cursor, "PAUSE", 0.01)
    simulator = learning360_simulator
    session_id = simulator.session_ids[0]
    asset = watched_program_session(session_id, **QUICK)

    async def scenario() -> None:
        before = simulator.session(session_id)["modifiedAt"]
        async with triggerer(asset) as one:
            await one.until(lambda: store.watermarks(asset.name))
        after = simulator.edit(session_id, name="Moved")["modifiedAt"]
        store.broken = True
        async with triggerer(asset) as two:
            for _ in range(50):
                await asyncio.sleep(0)
            store.broken = False
            await two.until(lambda: two.events)
            assert two.changes(session_id) == [(before, after)]  # the stored watermark is still in use
            store.broken = True
            simulator.edit(session_id, name="Again")
            await two.until(lambda: len(two.events) == 2)
            store.broken = False
            last = simulator.session(session_id)["modifiedAt"]
            await two.until(lambda: store.watermarks(asset.name) == {session_id: last})
            assert two.failed == []

    asyncio.run(scenario())


def test_failing_session_does_not_hide_the_others(learning360_simulator: Any, triggerer: Any, store: Any) -> None:
    simulator = learning360_simulator
    broken, *others = simulator.session_ids
    simulator.play({"when": {"path": broken}, "do": {"status": 500}})
    asset = watched_program_sessions("some", simulator.session_ids, poll="single", **QUICK)

    async def scenario() -> None:
        async with triggerer(asset) as one:
            await one.until(lambda: set(store.watermarks("some")) == set(others))
            simulator.edit(others[-1], name="Moved")
            await one.until(lambda: one.events)

    asyncio.run(scenario())


def test_watcher_has_a_poller_of_its_own_below_airflow_3_3(
    learning360_simulator: Any, caplog: pytest.LogCaptureFixture
) -> None:
    simulator = learning360_simulator
    session_id = simulator.session_ids[0]
    (watcher,) = watched_program_session(session_id, **QUICK).watchers

    async def scenario() -> Any:
        events = watcher.trigger.run()
        waiting = asyncio.ensure_future(anext(events))
        await asyncio.to_thread(simulator.wait_for, lambda one: len(one.requests) >= 2)
        simulator.edit(session_id, name="Moved")
        event = await waiting
        await events.aclose()
        return event.payload

    payload = asyncio.run(scenario())
    assert [entry["_id"] for entry in payload["sessions"]] == [session_id]
    assert sum("are kept in memory" in record.getMessage() for record in caplog.records) == 1


def test_unreadable_watermarks_are_logged_once(
    learning360_simulator: Any, triggerer: Any, store: Any, caplog: pytest.LogCaptureFixture
) -> None:
    asset = watched_program_sessions("all", None, **QUICK)

    async def scenario() -> None:
        async with triggerer(asset) as one:
            await one.until(lambda: len(store.watermarks("all")) == 4)
        store.rows = {key: row.replace('"watch"', '"spoiled"') for key, row in store.rows.items()}
        async with triggerer(asset) as two:
            await two.until(lambda: not any("spoiled" in row for row in store.rows.values()))
            assert two.events == []

    asyncio.run(scenario())
    assert sum("4 stored watermarks are not readable" in record.getMessage() for record in caplog.records) == 1


@pytest.mark.usefixtures("version")
def test_watchers_of_one_asset_keep_each_others_watermarks(
    learning360_simulator: Any, triggerer: Any, store: Any
) -> None:
    simulator = learning360_simulator
    # In the same part of the store.
    first, second = "60b8d2956e20ae1a0f8e4401", "70b8d2956e20ae1a0f8e4401"
    for session_id in (first, second):
        simulator.add({**simulator.session(simulator.session_ids[0]), "_id": session_id})
    assets = [
        watched_program_sessions("same", [first], poll_interval=0.05),
        watched_program_sessions("same", [second], poll_interval=0.06),
    ]

    async def scenario() -> None:
        async with triggerer(*assets) as one:
            await one.until(lambda: set(store.watermarks("same")) == {first, second})
        for session_id in (first, second):
            simulator.edit(session_id, name="Moved during downtime")
        async with triggerer(*assets) as two:
            await two.until(lambda: two.changes(first) and two.changes(second))

    asyncio.run(scenario())


@pytest.mark.parametrize("name", ["learning360://mine", "airflow://mine", "s3://bucket/key", "a name"])
def test_name_of_an_asset_may_look_like_anything(
    name: str, learning360_simulator: Any, triggerer: Any, store: Any
) -> None:
    asset = watched_program_session(learning360_simulator.session_ids[0], name=name, **QUICK)

    async def scenario() -> None:
        async with triggerer(asset) as one:
            await one.until(lambda: store.watermarks(name))
            assert one.failed == []

    asyncio.run(scenario())


@pytest.mark.usefixtures("version")
def test_mail_address_in_a_watched_value_is_neither_sent_nor_stored(
    learning360_simulator: Any, triggerer: Any, store: Any
) -> None:
    simulator = learning360_simulator
    session_id = simulator.session_ids[0]
    asset = watched_program_session(session_id, watch=["name", "sessionCustom"], **QUICK)

    async def scenario() -> None:
        simulator.edit(session_id, sessionCustom="ask before@example.com")
        async with triggerer(asset) as one:
            await one.until(lambda: store.watermarks(asset.name))
            simulator.edit(session_id, name="Onboarding of jane.doe@example.com", sessionCustom="nobody")
            await one.until(lambda: one.events)
            (change,) = one.events[0][1]["sessions"]
            assert change["changes"] == {"name": {}, "sessionCustom": {}}
            assert "@" not in str(one.events) + str(store.rows)

    asyncio.run(scenario())


@pytest.mark.parametrize("trouble", [{"status": 500}, {"status": 403}])
def test_failing_session_does_not_slow_down_the_others(
    trouble: Any, learning360_simulator: Any, triggerer: Any, store: Any
) -> None:
    simulator = learning360_simulator
    broken, *others = simulator.session_ids
    simulator.play({"when": {"path": broken}, "do": trouble})
    asset = watched_program_sessions("some", simulator.session_ids, poll="single", **QUICK)

    async def scenario() -> None:
        async with triggerer(asset) as one:
            # Slowed down, the waits would have grown to some 26 s by then.
            await one.until(lambda: sum(others[-1] in seen.path for seen in simulator.requests) >= 10)

    asyncio.run(scenario())


def test_session_without_a_date_does_not_end_the_list_for_all(learning360_simulator: Any, triggerer: Any) -> None:
    simulator = learning360_simulator
    simulator.edit(simulator.session_ids[0], modifiedAt=...)
    asset = watched_program_sessions("all", None, **QUICK)
    some = watched_program_sessions("some", simulator.session_ids, poll_interval=0.06, poll="auto")

    async def scenario() -> None:
        async with triggerer(asset, some) as one:
            await one.until(lambda: sum(seen.path.endswith("/sessions") for seen in simulator.requests) >= 5)

    asyncio.run(scenario())
    asked = {seen.path for seen in simulator.requests if not seen.path.endswith("/sessions")}
    assert f"/api/v1/programs/sessions/{simulator.session_ids[0]}/" in asked


@pytest.mark.usefixtures("version")
def test_unexpected_error_ends_no_watch(
    learning360_simulator: Any, triggerer: Any, store: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from airflow_provider_learning360.hooks.learning_async import LearningAsyncHook

    simulator = learning360_simulator
    session_id = simulator.session_ids[0]
    asset = watched_program_session(session_id, **QUICK)
    real, left = LearningAsyncHook.get_program_session, [3]

    async def broken(self: Any, session_id: str, keys: Any = None) -> Any:
        if left[0]:
            left[0] -= 1
            raise ZeroDivisionError("a mistake in the provider")
        return await real(self, session_id, keys)

    monkeypatch.setattr(LearningAsyncHook, "get_program_session", broken)

    async def scenario() -> None:
        async with triggerer(asset) as one:
            await one.until(lambda: store.watermarks(asset.name))
            assert one.failed == []

    asyncio.run(scenario())
    assert left == [0]


def test_cancellation_from_elsewhere_restarts_the_watchers(
    learning360_simulator: Any, triggerer: Any, store: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from airflow_provider_learning360.triggers.poller import Poller

    asset = watched_program_session(learning360_simulator.session_ids[0], **QUICK)

    async def broken_off(self: Any, hook: Any) -> Any:
        raise asyncio.CancelledError("Reader loop exited")

    async def scenario() -> None:
        with monkeypatch.context() as patch:
            patch.setattr(Poller, "_poll_once", broken_off)
            async with triggerer(asset) as one:
                await one.until(lambda: one.failed)  # Airflow restarts it
        async with triggerer(asset) as two:
            await two.until(lambda: store.watermarks(asset.name))

    asyncio.run(scenario())


def test_sessions_with_the_same_watchers_share_one_object() -> None:
    first, second = WatchState(["a", "b", "c"]), WatchState(["b", "c", "d"])
    index = asyncio.run(WatchIndex.of([SimpleNamespace(watch=one) for one in (first, second)]))  # type: ignore[arg-type]
    assert index._by_id == {"a": (first,), "b": (first, second), "c": (first, second), "d": (second,)}
    # Otherwise each poll of 10,000 sessions makes so many objects that the garbage collector holds up the event loop.
    assert index._by_id["b"] is index._by_id["c"]
