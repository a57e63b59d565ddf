"""The list of sessions, and the search in it."""

from __future__ import annotations

import itertools
import threading
import time
import tracemalloc
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from airflow_provider_learning360.api.errors import UnavailableError
from airflow_provider_learning360.simulator import Simulator
from airflow_provider_learning360.ui import session_list
from airflow_provider_learning360.ui.session_list import (
    MAX_QUERY_WORDS,
    MAX_READERS,
    MAX_RESULTS,
    MAX_SESSIONS,
    BusyError,
    SessionList,
    SessionLists,
)
from airflow_provider_learning360.ui.session_rows import SessionRow, SessionRows

ID = "60b8d2956e20ae1a0f8e44f1"
NOW = datetime(2026, 3, 1, tzinfo=UTC)


def item(number: int, name: str = "Onboarding", start: str | None = None) -> dict[str, Any]:
    return {"_id": f"{number:024x}", "name": name, "startDate": start}


def read(*items: Any) -> SessionList:
    one = SessionList()
    one.read(lambda: (item for item in items))
    return one


def names(one: SessionList, text: str) -> list[str]:
    return [found["name"] for found in one.search(text, NOW)["sessions"]]


class Source:
    """A list that pauses after its items until `go` is set."""

    def __init__(self, *items: dict[str, Any], error: Exception | None = None) -> None:
        self.items, self.error = items, error
        self.opened = 0
        self.go = threading.Event()

    def __call__(self) -> Iterator[dict[str, Any]]:
        self.opened += 1
        yield from self.items
        assert self.go.wait(10)
        if self.error:
            raise self.error


def until(condition: Any) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The monotonic clock of the module; the test moves it."""
    at = [1000.0]

    class Clock:
        monotonic = staticmethod(lambda: at[0])

    monkeypatch.setattr(session_list, "time", Clock)
    return at


def test_search_matches_all_words_in_name_or_id() -> None:
    one = read(item(1, "Sales  Onboarding\n"), item(2, "Safety <b>training</b>"), item(0xABC, "Sales advanced"))
    assert names(one, "sales") == ["Sales Onboarding", "Sales advanced"]
    assert names(one, "ONBOARDING sal") == ["Sales Onboarding"]
    assert names(one, f"{0xABC:024x}") == ["Sales advanced"]
    assert names(one, "<b>") == ["Safety <b>training</b>"]
    assert names(one, "nothing like it") == []
    assert len(names(one, "")) == 3


def test_search_sorts_by_nearest_start() -> None:
    one = read(
        item(1, "undated"),
        item(2, "last year", "2025-03-01T00:00:00Z"),
        item(3, "yesterday", "2026-02-28T00:00:00.000Z"),
        item(4, "next week", "2026-03-08T00:00:00+01:00"),
    )
    assert names(one, "") == ["yesterday", "next week", "last year", "undated"]


def test_search_limits_results_and_counts_all() -> None:
    result = read(*(item(number) for number in range(MAX_RESULTS + 7))).search("on", NOW)
    assert len(result["sessions"]) == MAX_RESULTS
    assert result["matches"] == result["read"] == MAX_RESULTS + 7
    assert result["complete"] is True
    assert result["error"] is None


@pytest.mark.parametrize(
    ("sent", "shown"),
    [
        ({"_id": 5}, None),
        ({"name": "no ID"}, None),
        ({"_id": "a" * 10_000}, None),
        ({"_id": [[ID]]}, None),
        ({"_id": ID, "name": 3}, None),
        ({"_id": ID, "programTemplate": []}, None),
        ({"_id": ID, "startDate": 7}, None),
        ({"_id": ID, "modifiedAt": "soon"}, None),
        ({"_id": ID, "endDate": True}, None),
        ([ID], None),
        (None, None),
        ({"_id": ID}, None),
        ({}, None),
        (dict.fromkeys(("name", "programTemplate", "startDate", "endDate", "modifiedAt")) | {"_id": ID},
         SessionRow(ID, "", None, None, None, None)),
        ({"_id": ID, "startDate": "0001-01-01T00:00:00.000Z", "endDate": "9999-12-31T23:59:59.999Z"},
         SessionRow(ID, "", None, "0001-01-01T00:00:00.000Z", "9999-12-31T23:59:59.999Z", None)),
        ({"_id": ID, "name": "ca\ud83d\x1b[31m \u202eevil\u202c\x00", "programTemplate": "\udc80\u2066"},
         SessionRow(ID, "ca\ufffd\\x1b[31m \\u202eevil\\u202c\ufffd", "\ufffd\\u2066", None, None, None)),
        ({"_id": ID, "name": "é" * 100_000}, SessionRow(ID, "é" * 300 + "…", None, None, None, None)),
        ({"_id": ID, "name": " n ", "startDate": "2026-03-01T10:00:00+01:00", "programTemplate": "t", "endDate": ""},
         SessionRow(ID, "n", "t", "2026-03-01T09:00:00.000Z", None, None)),
        ({"_id": ID, "name": "Coaching of ann@example.com"}, SessionRow(ID, "Coaching of …@…", None, None, None, None)),
    ],
)  # fmt: skip
def test_row_of_an_entry(sent: Any, shown: SessionRow | None) -> None:
    assert SessionRow.from_entry(sent) == shown


@pytest.mark.parametrize(
    "dates",
    [
        (None, "0001-01-01T00:00:00.000Z", "9999-12-31T23:59:59.999999Z"),
        ("1969-12-31T23:59:59.999Z", None, "2026-03-01T09:00:00.000001Z"),
    ],
)
def test_row_is_the_same_after_it_was_kept(dates: tuple[str | None, ...]) -> None:
    kept, rows = SessionRows(), [SessionRow("ab" * 12, "n", None, *dates), SessionRow(ID, "é", "t", *dates[::-1])]
    for row in rows:
        kept.append(row)
    assert [kept[index] for index in range(len(kept))] == rows


def test_unfinished_list_can_be_searched() -> None:
    lists, source = SessionLists(), Source(item(1), item(2))
    until(lambda: len(lists.get("here", source).sessions) == 2)
    result = lists.get("here", source).search("", NOW)
    assert (result["complete"], result["age"], result["read"]) == (False, None, 2)
    source.go.set()
    until(lambda: lists.get("here", source).search("", NOW)["complete"])
    assert source.opened == 1


def test_list_is_read_once_a_minute(clock: list[float]) -> None:
    lists, source = SessionLists(), Source(item(1))
    source.go.set()
    until(lambda: lists.get("here", source).finished is not None)
    clock[0] += 59
    assert lists.get("here", source).search("", NOW)["age"] == 59
    assert source.opened == 1
    clock[0] += 2
    source.go.clear()
    # Never an old list as if it were the list: the fresh one, as far as it has come.
    assert lists.get("here", source).search("", NOW)["complete"] is False
    source.go.set()
    until(lambda: lists.get("here", source).search("", NOW)["complete"])
    assert source.opened == 2


def test_endless_list_is_abandoned(clock: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    lists, dripping = SessionLists(), Source(item(1))
    first = lists.get("here", dripping)
    clock[0] += 121
    dripping.go.set()
    assert lists.get("here", dripping) is not first

    monkeypatch.setattr(session_list, "MAX_SESSIONS", 3)
    one = read(*(item(number) for number in range(10)))
    assert len(one.sessions) == 3
    assert one.error is not None
    assert (one.error["code"], one.error["values"]) == ("list_too_long", {"read": 3})

    def slow() -> Iterator[dict[str, Any]]:
        for number in range(10):
            clock[0] += 50
            yield item(number)

    late = SessionList()
    late.read(slow)  # type: ignore[arg-type]
    assert len(late.sessions) == 3
    assert late.error is not None
    # A second attempt would not find a shorter list.
    assert late.is_usable(clock[0] + 59)
    assert not late.is_usable(clock[0] + 61)


def test_connections_have_separate_lists_and_old_ones_are_dropped(clock: list[float]) -> None:
    lists, here, there = SessionLists(), Source(item(1)), Source(item(2, "There"))
    here.go.set()
    there.go.set()
    until(lambda: lists.get("here", here).finished is not None)
    until(lambda: lists.get("there", there).finished is not None)
    assert names(lists.get("there", there), "") == ["There"]
    assert names(lists.get("here", here), "") == ["Onboarding"]
    clock[0] += 120
    lists.get("there", there)
    assert set(lists._lists) == {"there"}


def test_error_is_reported_and_retried_later(clock: list[float]) -> None:
    lists, source = SessionLists(), Source(item(1), error=UnavailableError("503 it is."))
    source.go.set()
    until(lambda: lists.get("here", source).finished is not None)
    result = lists.get("here", source).search("", NOW)
    assert result["error"] is not None
    assert (result["complete"], result["error"]["detail"], result["read"]) == (True, "503 it is.", 1)
    assert source.opened == 1
    clock[0] += 3
    source.error = None
    until(lambda: lists.get("here", source).search("", NOW)["error"] is None)
    assert source.opened == 2


def test_unexpected_error_ends_the_reading(caplog: pytest.LogCaptureFixture) -> None:
    lists, source = SessionLists(), Source(error=ZeroDivisionError("canary"))
    source.go.set()
    until(lambda: lists.get("here", source).search("", NOW)["complete"])
    error = lists.get("here", source).error
    assert error is not None
    assert error["code"] == "list_failed"
    assert caplog.text.count("Unexpected ZeroDivisionError while reading a list of program sessions") == 1
    assert "canary" not in caplog.text


def test_list_of_the_simulator_is_searched(learning360_simulator: Simulator) -> None:
    from airflow_provider_learning360.hooks.learning import LearningHook

    lists, hook = SessionLists(), LearningHook()
    until(lambda: lists.get("here", hook.stream_program_sessions).finished is not None)
    found = lists.get("here", hook.stream_program_sessions).search(learning360_simulator.session_ids[0], NOW)
    sent = learning360_simulator.session(learning360_simulator.session_ids[0])
    (one,) = found["sessions"]
    assert one["id"] == sent["_id"]
    assert one["modified"] == sent["modifiedAt"]
    assert one["template"] == sent["programTemplate"]


# --- limits ---


def test_hanging_list_ends_for_the_user_and_occupies_one_thread(clock: list[float]) -> None:
    lists, hanging = SessionLists(), Source(item(1))
    until(lambda: len(lists.get("here", hanging).sessions) == 1)
    clock[0] += 121
    for _ in range(5):
        result = lists.get("here", hanging).search("", NOW)
        assert (result["complete"], result["read"]) == (True, 1)
        assert result["error"] is not None
        assert (result["error"]["code"], result["error"]["values"]) == ("list_incomplete", {"seconds": 120})
        clock[0] += 61
    assert hanging.opened == 1
    reader = lists._reading["here"]
    hanging.go.set()
    until(lambda: reader.finished is not None)
    clock[0] += 61
    until(lambda: lists.get("here", hanging).search("", NOW)["error"] is None)
    assert hanging.opened == 2


def test_hanging_reader_prevents_a_second_one(clock: list[float]) -> None:
    lists, hanging, other = SessionLists(), Source(item(1)), Source(item(2))
    other.go.set()
    lists.get("here", hanging)
    clock[0] += 1000
    until(lambda: lists.get("there", other).finished is not None)
    assert set(lists._lists) == {"there"}
    with pytest.raises(BusyError):
        lists.get("here", hanging)
    hanging.go.set()


def test_late_reader_ends_at_the_next_session(clock: list[float]) -> None:
    def slow() -> Iterator[dict[str, Any]]:
        yield item(1)
        clock[0] += 1000
        yield item(2)
        pytest.fail("it went on")

    one = SessionList()
    one.read(slow)  # type: ignore[arg-type]
    assert one.finished is not None
    assert len(one.sessions) == 2


def test_concurrent_readers_are_limited() -> None:
    lists, hanging = SessionLists(), [Source(item(1)) for _ in range(MAX_READERS)]
    for number, source in enumerate(hanging):
        lists.get(number, source)
    late = Source(item(1))
    with pytest.raises(BusyError):
        lists.get("late", late)
    assert late.opened == 0
    # A list that is already there can still be used.
    assert lists.get(0, hanging[0]).finished is None
    for source in hanging:
        source.go.set()
    until(lambda: all(one.finished is not None for one in lists._reading.values()))
    late.go.set()
    until(lambda: lists.get("late", late).finished is not None)


def test_machine_without_threads_raises_busy_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def start(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    lists = SessionLists()
    monkeypatch.setattr(threading.Thread, "start", start)
    with pytest.raises(BusyError):
        lists.get("here", Source())
    assert lists._reading == {}


def test_least_recently_used_lists_are_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session_list, "MAX_LISTS", 3)
    lists, sources = SessionLists(), [Source(item(number)) for number in range(4)]
    for source in sources:
        source.go.set()

    def use(number: int) -> None:
        until(lambda: lists.get(number, sources[number]).finished is not None)

    for number in (0, 1, 2, 0, 3):
        use(number)
    assert list(lists._lists) == [2, 0, 3]
    use(0)
    assert [source.opened for source in sources] == [1, 1, 1, 1]
    use(1)
    assert [source.opened for source in sources] == [1, 2, 1, 1]


def test_total_memory_is_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    lists, sources = SessionLists(), [Source(*map(item, range(100))) for _ in range(4)]
    for number, source in enumerate(sources):
        source.go.set()
        until(lambda number=number, source=source: lists.get(number, source).finished is not None)
    size = lists.get(3, sources[3]).size
    monkeypatch.setattr(session_list, "MAX_TOTAL_BYTES", 2 * size + 1)
    lists.get(3, sources[3])
    assert list(lists._lists) == [2, 3]


def test_unfinished_list_is_never_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session_list, "MAX_LISTS", 1)
    lists, reading, other = SessionLists(), Source(item(1)), Source(item(2))
    first = lists.get("reading", reading)
    lists.get("other", other)
    assert lists.get("reading", reading) is first
    reading.go.set()
    other.go.set()


def test_memory_of_one_list_is_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session_list, "MAX_LIST_BYTES", 1_000_000)
    endless = (item(number, "\U0001f600" * 10_000) for number in range(10_000))
    one = SessionList()
    tracemalloc.start()
    try:
        one.read(lambda: endless)  # type: ignore[arg-type,return-value]
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert 100 < len(one.sessions) < 1000
    assert one.error is not None
    # The counted size is close to the real one.
    assert one.size * 0.5 < held < one.size * 1.5


def test_list_of_unreadable_entries_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session_list, "MAX_SESSIONS", 10)
    one = SessionList()
    one.read(lambda: ({"_id": 1} for _ in itertools.count()))
    result = one.search("", NOW)
    assert (result["read"], result["unreadable"]) == (0, 10)
    assert result["error"]


def test_search_limits_the_words_of_a_query() -> None:
    class Text(str):
        """Counts how often something is looked for in it."""

        searches = 0

        def __contains__(self, word: str) -> bool:
            Text.searches += 1
            return super().__contains__(word)

        def casefold(self) -> str:
            pytest.fail("texts are folded when they are read")

    one = read(item(1))
    one._texts = [Text("abcdefghijklmnopqrstuvwxyz0123456789")]
    assert one.search(" ".join("aAaAaA" + "bb"), NOW)["matches"] == 1
    Text.searches = 0
    one.search(" ".join("abcdefghijklmnopqrstuvwxyz0123456789" * 100), NOW)
    assert Text.searches == MAX_QUERY_WORDS


@pytest.mark.slow
def test_long_list_is_searched() -> None:
    one = read(
        *(item(number, f"Session {number} of many", "2026-03-01T00:00:00.000Z") for number in range(MAX_SESSIONS))
    )
    assert one.error is not None
    assert one.size < 80e6
    result = one.search("session of many 0 1 2 3 4", NOW)
    assert 0 < result["matches"] < MAX_SESSIONS
    assert len(result["sessions"]) == MAX_RESULTS


@pytest.mark.parametrize("now", [datetime.min, datetime.max, NOW.replace(tzinfo=None)])
def test_any_date_can_be_sorted(now: datetime) -> None:
    one = read(
        item(1, "first", "0001-01-01T00:00:00.000Z"),
        item(2, "last", "9999-12-31T23:59:59.999Z"),
        item(3, "none"),
        item(4, "further west", "0001-01-01T00:00:00+14:00"),
        item(5, "further east", "9999-12-31T23:59:59.999-14:00"),
    )
    found = {session["name"] for session in one.search("", now.replace(tzinfo=UTC))["sessions"]}
    assert found >= {"first", "last", "none"}
    assert len(one.sessions) + one.unreadable == 5
