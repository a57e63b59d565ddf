"""Which learners have completed since a time, on the whole platform: one request, if there are few."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_learning360.api.completions import Completion, server_time
from airflow_provider_learning360.api.decoder import decode_json
from airflow_provider_learning360.api.session_ids import is_session_id
from airflow_provider_learning360.api.v2.calls import PATH_STATS, build_filter
from airflow_provider_learning360.api.v2.floor import format_filter_date
from airflow_provider_learning360.api.v2.links import PagedList
from airflow_provider_learning360.api.v2.progress import COMPLETED, find_status

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from airflow_provider_learning360.api.messages import Response
    from airflow_provider_learning360.api.platform import Plan


@dataclass(frozen=True)
class CompletionsPage:
    """
    One page of completions.

    :param completions: Those of learners who are still enrolled.
    :param sent_at: When it was sent, by the clock of the server; None if that is not known.
    """

    completions: list[Completion]
    sent_at: datetime | None


def read_pages(host: str, since: datetime, take: Callable[[list[Completion]], None]) -> Plan[datetime | None]:
    """
    Plan to read the completions of the platform.

    :param host: Base URL of the connection.
    :param since: The time from which on they are read.
    :param take: Gets the completions of each page.
    :returns: The plan of the time at which the first page was sent, or None.

    Source: 360Learning API v2, `GET /api/v2/paths/stats`.
    """
    query = build_filter(completedAt={"gte": format_filter_date(since)})
    pages = PagedList(PATH_STATS, query, host=host)
    started: datetime | None = None
    while (request := pages.request) is not None:
        is_first = not pages.page_count
        page: CompletionsPage = yield pages.read_page(request, _parse_page)
        take(page.completions)
        # The time of the first page: what is completed while the others are read belongs to the next poll.
        started = page.sent_at if is_first else started
    return started


def _parse_page(response: Response) -> CompletionsPage:
    from airflow_provider_learning360.api.models import parse_response

    def read() -> CompletionsPage:
        rows = decode_json(response.body)
        if not isinstance(rows, list):
            raise ValueError("it is not an array")  # noqa: TRY004 - becomes the text of a ContractError
        found = [_read_row(row) for row in rows if isinstance(row, dict) and _is_completed(row)]
        readable = [one for one in found if one is not None]
        if found and not readable:
            raise ValueError("its entries lack _id, sessionId or completedAt")
        return CompletionsPage(readable, server_time(response))

    return parse_response("a list of statistics", response, read)


def _is_completed(row: Mapping[str, Any]) -> bool:
    return find_status(row) == COMPLETED and not row.get("unenrolledAt")


def _read_row(row: Mapping[str, Any]) -> Completion | None:
    from airflow_provider_learning360.api.models import parse_date

    session_id, enrolment_id, sent = row.get("sessionId"), row.get("_id"), row.get("completedAt")
    if not (is_session_id(session_id) and is_session_id(enrolment_id) and isinstance(sent, str) and sent):
        return None
    try:
        return Completion(str(session_id).lower(), str(enrolment_id).lower(), parse_date(sent))
    except ValueError:
        return None
