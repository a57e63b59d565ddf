"""What a watcher stores and reports: no change is lost, whenever it crashes."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from airflow_provider_learning360.api.models import Coverage, ProgramSession, format_date
from airflow_provider_learning360.api.watch_state import (
    MAX_CHANGES_PER_EVENT,
    SHARDS,
    SessionState,
    WatchState,
    read_session_states,
    shard_of,
)

START = datetime(2026, 3, 1, tzinfo=UTC)


def session_id(number: int) -> str:
    return f"{number:024x}"


def session(number: int, minute: int, **fields: Any) -> ProgramSession:
    document = {"_id": session_id(number), "modifiedAt": format_date(START + timedelta(minutes=minute)), **fields}
    return ProgramSession.model_validate(document)


def seen(watch: WatchState, one: ProgramSession) -> list[dict[str, Any]]:
    watch.observe(one, format_date(one.modified_at) if one.modified_at else None)
    found = watch.take_pending()
    return found.sessions if found else []


def stored(watch: WatchState) -> dict[str, SessionState]:
    """Return the stored states: through JSON, shard by shard."""
    shards = [watch.shard(f"{number:02d}") for number in range(SHARDS)]
    known, unreadable = read_session_states(
        json.loads(json.dumps({one: data for shard in shards for one, data in shard.items()}))
    )
    assert unreadable == []
    return known


def test_first_observation_is_not_a_change() -> None:
    watch = WatchState([session_id(1)])
    assert watch.observe(session(1, 0), "x")
    assert watch.take_pending() is None
    assert watch.dirty_shards == {shard_of(session_id(1))}


def test_same_modified_at_is_not_compared() -> None:
    watch = WatchState(None)
    sent = format_date(START)
    assert watch.may_have_changed(session_id(1), sent)
    watch.observe(session(1, 0), sent)
    assert not watch.may_have_changed(session_id(1), sent)


def test_unwatched_edit_is_not_a_change_and_keeps_the_watermark() -> None:
    watch = WatchState([session_id(1)], ["lang"])
    seen(watch, session(1, 0, lang="en"))
    assert seen(watch, session(1, 1, lang="en")) == []
    (entry,) = seen(watch, session(1, 2, lang="fr"))
    assert entry == {
        "_id": session_id(1),
        "kind": "modified",
        "modifiedAt": {"from": "2026-03-01T00:00:00.000Z", "to": "2026-03-01T00:02:00.000Z"},
        "changes": {"lang": {"from": "en", "to": "fr"}},
    }


UNTIMED = Coverage(untimed=frozenset({"lang", "users"}))


def partly_timed(number: int, minute: int, **fields: Any) -> ProgramSession:
    """A session whose `modifiedAt` does not cover some fields."""
    return session(number, minute, **fields).with_coverage(UNTIMED)


def test_change_without_a_later_modified_at_is_counted() -> None:
    watch = WatchState([session_id(1)], ["lang", "name"])
    seen(watch, partly_timed(1, 0, lang="en", name="Old"))
    assert seen(watch, partly_timed(1, 0, lang="en", name="Ignored: it is timed")) == []
    (first,) = seen(watch, partly_timed(1, 0, lang="fr", name="Old"))
    (second,) = seen(watch, partly_timed(1, 0, lang="en", name="Old"))
    (third,) = seen(watch, partly_timed(1, 0, lang="fr", name="Old"))
    assert [one["times"] for one in (first, second, third)] == [1, 2, 3]
    assert first["modifiedAt"]["from"] == first["modifiedAt"]["to"]
    assert first["changes"] == {"lang": {"from": "en", "to": "fr"}}
    assert first["state"] == third["state"] != second["state"]
    (later,) = seen(watch, partly_timed(1, 1, lang="en", name="Old"))
    assert {"times", "state"}.isdisjoint(later)


def test_unacknowledged_untimed_change_is_found_again_as_the_same_one_unless_more_has_changed() -> None:
    watch = WatchState([session_id(1)], ["users"])
    seen(watch, partly_timed(1, 0, users=[]))
    (before,) = seen(watch, partly_timed(1, 0, users=[{"mail": "ann@example.com"}]))
    again, differs = (WatchState([session_id(1)], ["users"], acknowledged=stored(watch)) for _ in range(2))
    assert seen(again, partly_timed(1, 0, users=[{"mail": "ann@example.com"}])) == [before]
    (other,) = seen(differs, partly_timed(1, 0, users=[{"mail": "bob@example.com"}]))
    assert other["times"] == before["times"]
    assert other["state"] != before["state"]


def test_state_of_an_entry_cannot_be_guessed_from_values() -> None:
    states = set()
    for _ in range(2):
        watch = WatchState([session_id(1)], ["users"])
        seen(watch, partly_timed(1, 0, users=[]))
        (entry,) = seen(watch, partly_timed(1, 0, users=[{"mail": "ann@example.com"}]))
        states.add(entry["state"])
    assert len(states) == 2


def test_count_survives_a_restart_and_earlier_stored_states_have_none() -> None:
    watch = WatchState([session_id(1)], ["lang"])
    seen(watch, partly_timed(1, 0, lang="en"))
    watch.observe(partly_timed(1, 0, lang="fr"), None)
    found = watch.take_pending()
    assert found
    watch.acknowledge(found)
    again = WatchState([session_id(1)], ["lang"], acknowledged=stored(watch))
    (entry,) = seen(again, partly_timed(1, 0, lang="en"))
    assert entry["times"] == 2
    old = {name: value for name, value in stored(watch)[session_id(1)].to_dict().items() if name in OLD_NAMES}
    known = SessionState.from_dict(old)
    (entry,) = seen(
        WatchState([session_id(1)], ["lang"], acknowledged={session_id(1): known}), partly_timed(1, 0, lang="en")
    )
    assert entry["times"] == 1


OLD_NAMES = {"session_id", "modified_at", "watched", "watch", "gone", "times_gone"}


def test_stored_state_is_as_before_where_no_field_is_untimed() -> None:
    watch = WatchState([session_id(1)], ["lang"])
    seen(watch, session(1, 0, lang="en"))
    assert set(watch.shard(shard_of(session_id(1)))[session_id(1)]) == OLD_NAMES


def test_other_watched_fields_keep_the_earlier_values_of_untimed_ones() -> None:
    watch = WatchState([session_id(1)], ["lang"])
    seen(watch, partly_timed(1, 0, lang="en", name="Old"))
    more = WatchState([session_id(1)], ["lang", "name"], acknowledged=stored(watch))
    (entry,) = seen(more, partly_timed(1, 0, lang="fr", name="Old"))
    assert entry["changes"] == {"lang": {"from": "en", "to": "fr"}}
    users_too = WatchState([session_id(1)], ["lang", "users"], acknowledged=stored(watch))
    assert seen(users_too, partly_timed(1, 0, lang="en", users=[])) == []
    (entry,) = seen(users_too, partly_timed(1, 0, lang="en"))
    assert entry["changes"] == {"users": {}}


def test_watching_other_fields_loses_no_change() -> None:
    watch = WatchState([session_id(1)], ["lang"])
    seen(watch, session(1, 0, lang="en", name="Old"))

    not_modified = WatchState([session_id(1)], ["lang", "name"], acknowledged=stored(watch))
    assert seen(not_modified, session(1, 0, lang="en", name="Old")) == []
    (entry,) = seen(not_modified, session(1, 1, lang="en", name="New"))
    assert entry["changes"] == {"name": {"from": "Old", "to": "New"}}

    modified_meanwhile = WatchState([session_id(1)], ["lang", "name"], acknowledged=stored(watch))
    (entry,) = seen(modified_meanwhile, session(1, 1, lang="en", name="New"))
    assert entry["changes"] == {"name": {"from": None, "to": "New"}}


def test_changes_beyond_one_event_come_with_the_next() -> None:
    watch = WatchState(None)
    count = MAX_CHANGES_PER_EVENT + 3
    for number in range(count):
        seen(watch, session(number, 0))
    sizes = []
    for _ in range(3):
        for number in range(count):
            if watch.may_have_changed(session_id(number), "later"):
                watch.observe(session(number, 1), "later")
        found = watch.take_pending()
        sizes.append(len(found.sessions) if found else 0)
    assert sizes == [MAX_CHANGES_PER_EVENT, 3, 0]


def test_disappearance_is_reported_once_also_after_a_restart() -> None:
    watch = WatchState([session_id(1)], on_missing="event")
    seen(watch, session(1, 0))
    assert watch.observe_missing(session_id(1))
    found = watch.take_pending()
    assert found
    assert found.payload() == {"sessions": [{"_id": session_id(1), "kind": "missing", "times": 1}]}
    assert not watch.observe_missing(session_id(1))
    watch.acknowledge(found)
    again = WatchState([session_id(1)], on_missing="event", acknowledged=stored(watch))
    assert not again.observe_missing(session_id(1))
    assert again.take_pending() is None


def test_state_after_an_unacknowledged_change_is_not_stored() -> None:
    """Poll, edit, poll, missing, back again, crash: the change is found again."""
    for on_missing in ("ignore", "event"):
        watch = WatchState([session_id(1)], on_missing=on_missing)  # type: ignore[arg-type]
        seen(watch, session(1, 0))
        first = stored(watch)
        assert seen(watch, session(1, 1)) != []
        for _ in range(2):
            watch.observe_missing(session_id(1))
            watch.take_pending()
            assert stored(watch) == first
            seen(watch, session(1, 1))
            assert stored(watch) == first


def test_other_watched_fields_store_no_unacknowledged_disappearance() -> None:
    old = WatchState([session_id(1)], ["lang"], "event")
    seen(old, session(1, 0, lang="en", name="Old"))
    watch = WatchState([session_id(1)], ["lang", "name"], "event", stored(old))
    watch.observe_missing(session_id(1))
    watch.take_pending()
    seen(watch, session(1, 0, lang="en", name="Old"))
    assert stored(watch)[session_id(1)].times_gone == 0


@pytest.mark.parametrize("order", [[0, 1, 2], [2, 1, 0], [1, 2, 0], [2, 0, 1]])
def test_acknowledgements_in_any_order_store_the_last_state(order: list[int]) -> None:
    watch = WatchState([session_id(1)], on_missing="event")
    seen(watch, session(1, 0))
    events = []
    for minute in (1, 2):
        watch.observe(session(1, minute), str(minute))
        events.append(watch.take_pending())
    watch.observe_missing(session_id(1))
    events.append(watch.take_pending())
    is_stored: set[int] = set()
    for number in order:
        found = events[number]
        assert found
        watch.acknowledge(found)
        is_stored.add(number)
        in_row = next((one for one in range(3) if one not in is_stored), 3)
        known = stored(watch)[session_id(1)]
        assert known.watermark.modified_at == START + timedelta(minutes=min(in_row, 2))
        assert known.gone == (in_row == 3)


def test_queue_stays_short_while_nothing_is_acknowledged() -> None:
    watch = WatchState([session_id(1)])
    seen(watch, session(1, 0))
    seen(watch, session(1, 1))
    for _ in range(100):
        watch.observe_missing(session_id(1))
        seen(watch, session(1, 1))
    assert len(watch._unacknowledged[session_id(1)]) == 2


def test_unknown_id_is_reported_once() -> None:
    watch = WatchState([session_id(1)], on_missing="event")
    assert watch.observe_missing(session_id(1))
    assert not watch.observe_missing(session_id(1))
    assert watch.take_pending() is None


@pytest.mark.parametrize("row", [{}, {"modified_at": 5}, None, [], {"modified_at": "x", "gone": False}, "text"])
def test_unreadable_state_is_left_out(row: Any) -> None:
    known = WatchState([session_id(2)])
    seen(known, session(2, 0))
    rows = {session_id(1): row, session_id(2): known.shard(shard_of(session_id(2)))[session_id(2)]}
    readable, unreadable = read_session_states(rows)
    assert set(readable) == {session_id(2)}
    assert unreadable == [session_id(1)]


@pytest.mark.slow
def test_ten_thousand_sessions_make_small_shards() -> None:
    watch = WatchState(None, ["startDate", "endDate"])
    for number in range(10_000):
        one = session(number, 0, startDate="2026-05-05T08:00:00.000Z", endDate="2026-06-05T08:00:00.000Z")
        watch.observe(one, "x")
    largest = max(len(json.dumps(watch.shard(f"{number:02d}"))) for number in range(SHARDS))
    assert largest < 64 * 1024  # above it, Airflow warns
