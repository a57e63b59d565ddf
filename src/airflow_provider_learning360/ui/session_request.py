"""The "Test request": read one program session and describe the response."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from airflow_provider_learning360.api.errors import LearningError, NotFoundError
from airflow_provider_learning360.ui.document import describe_session
from airflow_provider_learning360.ui.failure import build_failure, failure_from_error
from airflow_provider_learning360.ui.responses import PeopleRights
from airflow_provider_learning360.ui.text import readable_name, redacted_name

if TYPE_CHECKING:
    from airflow_provider_learning360.api.messages import Response
    from airflow_provider_learning360.hooks.learning import LearningHook
    from airflow_provider_learning360.ui.responses import RequestFailure, RequestTest

# That all requests for one session may take.
MAX_SECONDS = 60.0


def try_request(hook: LearningHook, session_id: str, *, reveal: bool, may_reveal: bool) -> RequestTest:
    """
    Request a session and return the result for the page.

    :param hook: The hook of the connection.
    :param session_id: ID of the session.
    :param reveal: Whether to show people's data.
    :param may_reveal: Whether the user may see it.
    :returns: The document with its documentation, or what failed.
    """
    responses: list[Response] = []
    hook.time_limit = MAX_SECONDS
    started, people = time.monotonic(), PeopleRights(hidden=not reveal, may_reveal=may_reveal)
    try:
        session = hook.run_plan(hook.platform.get_session(session_id), observe=responses.append)
    except LearningError as error:
        return _describe_failure(error, started, people)
    return {
        "ok": True,
        "request": _name_requests(responses),
        "status": responses[0].status,
        "milliseconds": _milliseconds_since(started),
        "bytes": sum(len(response.body) for response in responses),
        "title": readable_name(session.title) if reveal else redacted_name(session.title),
        "people": people,
        **describe_session(session, reveal=reveal),
    }


def _name_requests(responses: list[Response]) -> str:
    """Return the first request, and how many followed it."""
    first, more = str(responses[0].request), len(responses) - 1
    return f"{first} (+{more})" if more else first


def _describe_failure(error: LearningError, started: float, people: PeopleRights) -> RequestFailure:
    is_missing = isinstance(error, NotFoundError)
    return {
        "ok": False,
        "request": f"{error.method} {error.path}" if error.method else None,
        "status": error.status,
        "milliseconds": _milliseconds_since(started),
        "failure": build_failure("session_not_found", detail=str(error)) if is_missing else failure_from_error(error),
        "people": people,
    }


def _milliseconds_since(started: float) -> int:
    return round((time.monotonic() - started) * 1000)
