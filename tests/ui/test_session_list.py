"""The list behind "find a session"."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from airflow_provider_learning360.api.errors import UnavailableError
from airflow_provider_learning360.simulator import Simulator
from airflow_provider_learning360.ui import session_list
from airflow_provider_learning360.ui.session_list import SHOWN, Found, SessionList, SessionLists

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
    """A list that is opened by somebody else, and goes on when it is told to."""

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
    """The monotonic clock of the module, to be moved by hand."""
    at = [1000.0]

    class Clock:
        monotonic = staticmethod(lambda: at[0])

    monkeypatch.setattr(session_list, "time", Clock)
    return at


def test_all_words_in_any_case_in_name_or_id() -> None:
    one = read(item(1, "Sales  Onboarding\n"), item(2, "Safety <b>training</b>"), item(0xABC, "Sales advanced"))
    assert names(one, "sales") == ["Sales Onboarding", "Sales advanced"]
    assert names(one, "ONBOARDING sal") == ["Sales Onboarding"]
    assert names(one, f"{0xABC:024x}") == ["Sales advanced"]
    assert names(one, "<b>") == ["Safety <b>training</b>"]
    assert names(one, "nothing like it") == []
    assert len(names(one, "")) == 3


def test_the_nearest_start_comes_first_and_none_last() -> None:
    one = read(
        item(1, "undated"),
        item(2, "last year", "2025-03-01T00:00:00Z"),
        item(3, "yesterday", "2026-02-28T00:00:00.000Z"),
        item(4, "next week", "2026-03-08T00:00:00+01:00"),
    )
    assert names(one, "") == ["yesterday", "next week", "last year", "undated"]


def test_it_shows_so_many_and_counts_all() -> None:
    answer = read(*(item(number) for number in range(SHOWN + 7))).search("on", NOW)
    assert len(answer["sessions"]) == SHOWN
    assert answer["matches"] == answer["read"] == SHOWN + 7
    assert answer["complete"] is True
    assert answer["error"] is None


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
        ({"_id": ID}, Found(ID, "", None, None, None, None)),
        (dict.fromkeys(("name", "programTemplate", "startDate", "endDate", "modifiedAt")) | {"_id": ID},
         Found(ID, "", None, None, None, None)),
        ({"_id": ID, "startDate": "0001-01-01T00:00:00.000Z", "endDate": "9999-12-31T23:59:59.999Z"},
         Found(ID, "", None, "0001-01-01T00:00:00.000Z", "9999-12-31T23:59:59.999Z", None)),
        ({"_id": ID, "name": "ca\ud83d\x1b[31m \u202eevil\u202c\x00", "programTemplate": "\udc80\u2066"},
         Found(ID, "ca\ufffd\\x1b[31m \\u202eevil\\u202c\ufffd", "\ufffd\\u2066", None, None, None)),
        ({"_id": ID, "name": "é" * 100_000}, Found(ID, "é" * 300 + "…", None, None, None, None)),
        ({"_id": ID, "name": " n ", "startDate": "2026-03-01T10:00:00+01:00", "programTemplate": "t", "endDate": ""},
         Found(ID, "n", "t", "2026-03-01T09:00:00.000Z", None, None)),
        ({"_id": ID, "name": "Coaching of ann@example.com"}, Found(ID, "Coaching of …@…", None, None, None, None)),
    ],
)  # fmt: skip
def test_what_is_taken_from_an_item(sent: Any, shown: Found | None) -> None:
    assert Found.of(sent) == shown


def test_what_was_read_so_far_can_be_searched() -> None:
    lists, source = SessionLists(), Source(item(1), item(2))
    until(lambda: len(lists.of("here", source).sessions) == 2)
    answer = lists.of("here", source).search("", NOW)
    assert (answer["complete"], answer["age"], answer["read"]) == (False, None, 2)
    source.go.set()
    until(lambda: lists.of("here", source).search("", NOW)["complete"])
    assert source.opened == 1


def test_it_is_read_once_a_minute(clock: list[float]) -> None:
    lists, source = SessionLists(), Source(item(1))
    source.go.set()
    until(lambda: lists.of("here", source).finished is not None)
    clock[0] += 59
    assert lists.of("here", source).search("", NOW)["age"] == 59
    assert source.opened == 1
    clock[0] += 2
    source.go.clear()
    # Never an old list as if it were the list: the fresh one, as far as it has come.
    assert lists.of("here", source).search("", NOW)["complete"] is False
    source.go.set()
    until(lambda: lists.of("here", source).search("", NOW)["complete"])
    assert source.opened == 2


def test_a_list_that_does_not_end_is_given_up(clock: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    lists, dripping = SessionLists(), Source(item(1))
    first = lists.of("here", dripping)
    clock[0] += 121
    dripping.go.set()
    assert lists.of("here", dripping) is not first

    monkeypatch.setattr(session_list, "MOST", 3)
    one = read(*(item(number) for number in range(10)))
    assert len(one.sessions) == 3
    assert one.error == "The list is too long for this page, which read 3 sessions."

    def slow() -> Iterator[dict[str, Any]]:
        for number in range(10):
            clock[0] += 50
            yield item(number)

    late = SessionList()
    late.read(slow)  # type: ignore[arg-type]
    assert len(late.sessions) == 3
    assert late.error is not None
    # It would be no shorter a moment later.
    assert late.is_usable(clock[0] + 59)
    assert not late.is_usable(clock[0] + 61)


def test_connections_have_lists_of_their_own_and_old_ones_are_let_go(clock: list[float]) -> None:
    lists, here, there = SessionLists(), Source(item(1)), Source(item(2, "There"))
    here.go.set()
    there.go.set()
    until(lambda: lists.of("here", here).finished is not None)
    until(lambda: lists.of("there", there).finished is not None)
    assert names(lists.of("there", there), "") == ["There"]
    assert names(lists.of("here", here), "") == ["Onboarding"]
    clock[0] += 120
    lists.of("there", there)
    assert set(lists._lists) == {"there"}


def test_trouble_is_told_and_tried_again_after_a_while(clock: list[float]) -> None:
    lists, source = SessionLists(), Source(item(1), error=UnavailableError("503 it is."))
    source.go.set()
    until(lambda: lists.of("here", source).finished is not None)
    answer = lists.of("here", source).search("", NOW)
    assert (answer["complete"], answer["error"], answer["read"]) == (True, "503 it is.", 1)
    assert source.opened == 1
    clock[0] += 3
    source.error = None
    until(lambda: lists.of("here", source).search("", NOW)["error"] is None)
    assert source.opened == 2


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_fault_of_ours_ends_the_reading_too() -> None:
    lists, source = SessionLists(), Source(error=ZeroDivisionError())
    source.go.set()
    until(lambda: lists.of("here", source).search("", NOW)["complete"])
    assert "log of the API server" in lists.of("here", source).error


def test_a_list_over_the_wire(learning360_simulator: Simulator) -> None:
    from airflow_provider_learning360.hooks.learning import LearningHook

    lists, hook = SessionLists(), LearningHook()
    until(lambda: lists.of("here", hook.stream_program_sessions).finished is not None)
    found = lists.of("here", hook.stream_program_sessions).search(learning360_simulator.session_ids[0], NOW)
    sent = learning360_simulator.session(learning360_simulator.session_ids[0])
    (one,) = found["sessions"]
    assert one["id"] == sent["_id"]
    assert one["modified"] == sent["modifiedAt"]
    assert one["template"] == sent["programTemplate"]
