"""The repeated question what was modified: everything at first and from time to time, else since the last poll."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_learning360.api.errors import LearningError, UnavailableError
from airflow_provider_learning360.api.messages import Request, Response
from airflow_provider_learning360.api.platform import SessionPoll
from path_platform import SESSION, SESSIONS, PathPlatform

if TYPE_CHECKING:
    from collections.abc import Callable

NOON = datetime(2026, 11, 5, 12, tzinfo=UTC)
FULL_INTERVAL = 3600.0


class Polled:
    """A poll, and the filters of its requests. The server's clock shows noon when that of the platform shows 0."""

    def __init__(self) -> None:
        self.platform = PathPlatform()
        self.poll: SessionPoll = self.platform.platform.new_poll()
        self.date: Callable[[], str | None] = self.true_date
        build = self.platform.build_response

        def with_date(request: Request) -> Response:
            response = build(request)
            date = self.date()
            headers = {**response.headers, **({} if date is None else {"date": date})}
            return Response(request, response.status, headers, response.body)

        self.platform.build_response = with_date  # type: ignore[method-assign]

    def true_date(self) -> str:
        return format_datetime(NOON + timedelta(seconds=self.platform.time), usegmt=True)

    def __call__(self, now: float) -> tuple[bool, dict[str, str]]:
        """Poll; return whether everything was listed, and the filters of the first request."""
        self.platform.requests.clear()
        self.platform.time = now
        self.platform.stream(self.poll.stream())
        return self.poll.is_full, dict(self.platform.requests[0].query)


def test_first_poll_lists_everything_and_the_next_what_was_modified_since() -> None:
    polled = Polled()
    assert polled(0.0) == (True, {})
    # Ten seconds earlier than the server's clock: a commit may take that long.
    assert polled(60.0) == (False, {"modifiedAt[gte]": "2026-11-05T11:59:50.000Z"})


def test_floor_moves_with_the_clock_of_the_server() -> None:
    polled = Polled()
    polled(0.0)
    polled(600.0)
    assert polled(660.0) == (False, {"modifiedAt[gte]": "2026-11-05T12:09:50.000Z"})


def test_everything_is_listed_again_after_the_interval() -> None:
    polled = Polled()
    polled(0.0)
    assert polled(FULL_INTERVAL - 1)[0] is False
    assert polled(FULL_INTERVAL) == (True, {})
    assert polled(FULL_INTERVAL + 60)[0] is False


@pytest.mark.parametrize(
    "date",
    [None, "", "now", "Thu, 05 Nov 2026 12:00:00", "Fri, 31 Dec 9999 23:59:59 -1200", "Mon, 01 Jan 0001 00:00:00 +1400",
     "5 Nov 99999 12:00:00 GMT", "Thu, 05 Nov 2026 99:99:99 GMT", "Thu, 05 Nov 2026 12:00:00 +9999",
     "\ud800", "x" * 9000],
)  # fmt: skip
def test_date_of_any_form_is_a_floor_or_another_complete_list(date: str | None) -> None:
    polled = Polled()
    polled.date = lambda: date
    polled(0.0)
    is_full, query = polled(60.0)
    assert is_full is (query == {})


def test_failed_poll_moves_nothing() -> None:
    polled = Polled()
    polled(0.0)
    polled.platform.instead[SESSIONS] = (503, "down")
    with pytest.raises(UnavailableError):
        polled(60.0)
    polled.platform.instead.clear()
    assert polled(120.0) == (False, {"modifiedAt[gte]": "2026-11-05T11:59:50.000Z"})


def test_failed_complete_list_is_listed_again() -> None:
    polled = Polled()
    polled.platform.instead[SESSIONS] = (503, "down")
    with pytest.raises(LearningError):
        polled(0.0)
    polled.platform.instead.clear()
    assert polled(60.0) == (True, {})


def test_floor_is_the_time_of_the_first_page() -> None:
    polled = Polled()
    build = polled.platform.build_response

    def two_pages(request: Request) -> Response:
        if request.query:
            polled.platform.time += 1800.0  # the second page takes that long
        response = build(request)
        link = {} if request.query else {"link": f'<{SESSIONS}?next=1>; rel="next"'}
        return Response(request, 200, {**response.headers, **link}, response.body)

    polled.platform.build_response = two_pages  # type: ignore[method-assign]
    polled(0.0)
    polled.platform.build_response = build  # type: ignore[method-assign]
    assert polled(1860.0)[1] == {"modifiedAt[gte]": "2026-11-05T11:59:50.000Z"}


def test_entries_have_the_keys_of_v1() -> None:
    polled = Polled()
    entries: list[dict[str, Any]] = polled.platform.stream(polled.poll.stream())
    assert entries[0]["programTemplate"] == SESSION["pathId"]
    assert entries[0]["hasUserLimit"] is True


def test_quiet_poll_is_one_small_request() -> None:
    polled = Polled()
    polled(0.0)
    polled.platform.instead[SESSIONS] = b"[]"
    polled(60.0)
    assert len(polled.platform.requests) == 1
    assert len(json.dumps(polled.platform.requests[0].query)) < 100
