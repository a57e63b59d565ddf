"""Which sessions were modified since the last poll: one request, if nothing was."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from airflow_provider_learning360.api.list_entries import StreamedObjects
from airflow_provider_learning360.api.platform import SessionPoll
from airflow_provider_learning360.api.v2.calls import SESSIONS, build_filter
from airflow_provider_learning360.api.v2.documents import build_session
from airflow_provider_learning360.api.v2.links import PagedList
from airflow_provider_learning360.api.v2.scopes import needing

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_provider_learning360.api.messages import Response
    from airflow_provider_learning360.api.platform import StreamPlan

# How much later than its `modifiedAt` a modification may become visible: commits take time, and servers have clocks of
# their own. What comes even later is found by the next complete list.
COMMIT_LAG = timedelta(seconds=10)
_LIST = "a list of path sessions"


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


def stream_pages(query: tuple[tuple[str, str], ...], host: str) -> StreamPlan:
    """
    Plan to read the pages of the list of sessions, with the keys of API v1.

    :param query: The filters.
    :param host: Base URL of the connection.
    :returns: The plan of the pages.
    """
    pages = PagedList(SESSIONS, query, host=host)

    def parse(response: Response) -> StreamedObjects:
        # A later page without any readable entry is a page of a list nevertheless.
        return StreamedObjects(_LIST, response, build_session, may_be_unreadable=pages.page_count > 0)

    while (request := pages.request) is not None:
        yield pages.read_page(request, parse, "entries")


class ModifiedPoll(SessionPoll):
    """
    Polls for modified sessions, and for all of them from time to time.

    :param host: Base URL of the connection.
    :param full_interval: Seconds between complete lists.
    """

    def __init__(self, host: str, full_interval: float) -> None:
        self._host = host
        self._full_interval = full_interval
        self._floor: datetime | None = None
        self._last_full: float | None = None

    def stream(self, watched: Mapping[str, frozenset[str]] | None, *, now: float) -> StreamPlan:
        """Plan one poll: what was modified since the floor, or everything."""
        return needing("paths:read", self._poll(now))

    def _poll(self, now: float) -> StreamPlan:
        self.is_full = self._last_full is None or self._floor is None or now - self._last_full >= self._full_interval
        floor = None if self.is_full or self._floor is None else format_filter_date(self._floor)
        query = build_filter(modifiedAt={"gte": floor})
        started: datetime | None = None
        pages = stream_pages(query, self._host)
        page: StreamedObjects | None = None
        while True:
            try:
                call = next(pages) if page is None else pages.send(page)
            except StopIteration:
                break
            page = yield call
            # The time of the first page: what is modified while the others are read belongs to the next poll.
            started = started or _date_of(page)
        if self.is_full:
            self._last_full = now
        if started is not None:
            self._floor = started - COMMIT_LAG


def _date_of(page: StreamedObjects) -> datetime | None:
    """Return when a page was sent, by the clock of the server."""
    try:
        moment = parsedate_to_datetime(page.response.headers.get("date", ""))
        return moment.astimezone(UTC) if moment.tzinfo is not None else None
    except (ValueError, OverflowError, TypeError):
        return None
