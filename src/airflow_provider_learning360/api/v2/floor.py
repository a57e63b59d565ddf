"""The time from which the next poll asks for modifications, by the clock of the server."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from airflow_provider_learning360.api.platform import StreamPlan

# How much later than its `modifiedAt` a modification may become visible: commits take time, and servers have clocks of
# their own. What comes even later is found by the next complete list.
COMMIT_LAG = timedelta(seconds=10)
# How much the clock of the server may deviate from that of this machine between two polls. `Date` has whole seconds.
CLOCK_TOLERANCE = timedelta(seconds=5)


def format_filter_date(moment: datetime) -> str:
    """
    Write a date for a filter: API v2 takes whole seconds only.

    :param moment: The date, with its zone.
    :returns: The date, rounded down.
    """
    try:
        utc = moment.astimezone(UTC)
    except OverflowError:  # the first and the last day that there are, in another zone
        utc = datetime.min if moment.year == 1 else datetime.max
    # Not `strftime`, which writes the year 1 as `1`.
    return f"{utc.replace(microsecond=0, tzinfo=None).isoformat()}.000Z"


class Floor:
    """
    The earliest `modifiedAt` that the next poll asks for. It moves only once a poll is complete.

    :param monotonic: Monotonic clock, in seconds.
    """

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self.moment: datetime | None = None
        self._last_sent: datetime | None = None
        self._last_noted = 0.0
        self._unsure_until = float("-inf")
        self._asked = 0.0
        # Of the poll that is under way: the `Date` of its first page, and when that was there.
        self._sent: datetime | None = None
        self._noted = 0.0
        self._has_page = False

    def query(self) -> str | None:
        """Return the floor for a filter; None to ask for everything."""
        return None if self.moment is None else format_filter_date(self.moment)

    def begin(self) -> None:
        """Begin a poll."""
        self._asked, self._sent, self._has_page = self._monotonic(), None, False

    def note(self, headers: Mapping[str, str]) -> None:
        """
        Note that a page of the poll has arrived.

        :param headers: The headers of its response.
        """
        # Only the first: what is modified while the others are read belongs to the next poll.
        if not self._has_page:
            self._has_page = True
            self._sent, self._noted = _read_date(headers), self._monotonic()

    def end(self) -> None:
        """Move the floor, after the last page of the poll. Without a date it stays."""
        sent, before = self._sent, self._last_sent
        if sent is None:
            return
        if before is not None and abs(sent - before - self._seconds(self._noted - self._last_noted)) > CLOCK_TOLERANCE:
            # The clock of the server was set. Modifications with the old time may still become visible.
            self._unsure_until = self._noted + COMMIT_LAG.total_seconds()
        self._last_sent, self._last_noted = sent, self._noted
        # A server may write the date after it has made the list.
        age = self._seconds(self._noted - self._asked)
        self.moment = None if self._asked < self._unsure_until else sent - COMMIT_LAG - age

    @staticmethod
    def _seconds(seconds: float) -> timedelta:
        return timedelta(seconds=max(0.0, seconds))

    def follow(self, pages: StreamPlan) -> StreamPlan:
        """
        Plan the pages of one poll, and move the floor after the last one.

        :param pages: The plan of the pages.
        :returns: The same plan.
        """
        self.begin()
        page = None
        while True:
            try:
                call = next(pages) if page is None else pages.send(page)
            except StopIteration:
                break
            page = yield call
            self.note(page.response.headers)
        self.end()


def _read_date(headers: Mapping[str, str]) -> datetime | None:
    """Return when a response was sent, by the clock of the server."""
    try:
        moment = parsedate_to_datetime(headers.get("date", ""))
        # The first second of the calendar has none before it.
        return moment if moment.tzinfo is not None and moment.year > 1 else None
    except (ValueError, OverflowError, TypeError):
        return None
