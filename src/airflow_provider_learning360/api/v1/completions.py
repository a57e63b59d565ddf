"""Which learners of chosen sessions have completed since a time: one request a session."""

from __future__ import annotations

from collections import Counter
from functools import partial
from typing import TYPE_CHECKING, Any

from airflow_provider_learning360.api.completions import Completion, server_time
from airflow_provider_learning360.api.errors import (
    ContractError,
    FixArgumentError,
    ForbiddenError,
    LearningError,
    NotFoundError,
)
from airflow_provider_learning360.api.platform import Work, observe_responses
from airflow_provider_learning360.api.v1.calls import get_program_session_stats

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from datetime import datetime

    from airflow_provider_learning360.api.messages import Response
    from airflow_provider_learning360.api.models import SessionStatistics
    from airflow_provider_learning360.api.platform import Plan

# Errors in a row after which the rest of the sessions is left for the next poll.
MAX_ERRORS_IN_A_ROW = 3


def read_sessions(
    session_ids: Sequence[str] | None,
    since: datetime,
    take: Callable[[list[Completion]], None],
    note_missing: Callable[[str], None],
) -> Plan[datetime | None]:
    """
    Plan to read the completions of sessions. One that cannot be read, or does not exist, does not stop the others.

    :param session_ids: IDs of the sessions.
    :param since: The time from which on they are wanted.
    :param take: Gets the completions of each session.
    :param note_missing: Gets the ID of each session that does not exist.
    :returns: The plan of the time at which the first response was sent, or None.
    :raises FixArgumentError: No sessions are named.

    Source: 360Learning API v1, `GET /api/v1/programs/sessions/{session_id}/stats`.
    """
    if session_ids is None:
        raise FixArgumentError(
            "session_ids: API v1 cannot list the completions of the whole platform. Name the sessions to watch, or use "
            "API v2 (`api_version: v2` in the extra of the connection)."
        )
    times: list[datetime | None] = []
    first_error: LearningError | None = None
    errors_in_a_row = 0
    for session_id in session_ids:
        try:
            take((yield from _read_session(session_id, since, times)))
        except NotFoundError:
            note_missing(session_id)
        except LearningError as error:
            first_error, errors_in_a_row = first_error or error, errors_in_a_row + 1
            if _affects_all_sessions(error) or errors_in_a_row >= MAX_ERRORS_IN_A_ROW:
                raise
            continue
        errors_in_a_row = 0
    if first_error is not None:
        raise first_error
    return times[0] if times else None


def _read_session(session_id: str, since: datetime, times: list[datetime | None]) -> Plan[list[Completion]]:
    """Plan to read one session, and to note when its response was sent."""

    def note_time(response: Response) -> None:
        times.append(server_time(response))

    statistics = yield observe_responses(get_program_session_stats(session_id), note_time)
    # In a thread: a session may have thousands of learners.
    completions: list[Completion] = yield Work(partial(_find_completions, session_id, statistics, since))
    return completions


def _find_completions(session_id: str, statistics: SessionStatistics, since: datetime) -> list[Completion]:
    """
    Return the completions of a session.

    Rows have only mails, which are not kept. Two completions at the same time are told apart by number.
    """
    moments = (_find_time(row) for row in statistics.users_stats or ())
    counts = Counter(moment for moment in moments if moment is not None and moment >= since)
    return list(_number(session_id, counts))


def _number(session_id: str, counts: Mapping[datetime, int]) -> Iterable[Completion]:
    for moment, count in sorted(counts.items()):
        for number in range(count):
            yield Completion(session_id, f"{session_id} {moment.isoformat()} {number}", moment)


def _find_time(row: Mapping[str, Any]) -> datetime | None:
    """Return when a learner has completed; None if they have not, if that is not known, or if they are deleted."""
    from airflow_provider_learning360.api.models import parse_date

    sent = row.get("endTime")
    if row.get("deleted") or not isinstance(sent, str):
        return None
    try:
        moment: datetime | None = parse_date(sent)
    except ValueError:
        return None
    return moment


def _affects_all_sessions(error: LearningError) -> bool:
    """Whether other sessions would meet the same error; otherwise it may affect only this one."""
    affects_one_session = isinstance(error, ContractError | ForbiddenError) or error.status in range(500, 600)
    return not affects_one_session
