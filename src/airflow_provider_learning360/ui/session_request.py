"""The "Test request": read one program session and describe the response."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from airflow_provider_learning360.api import endpoints
from airflow_provider_learning360.api.errors import LearningError, NotFoundError
from airflow_provider_learning360.api.messages import Response
from airflow_provider_learning360.ui.document import describe_session
from airflow_provider_learning360.ui.failure import build_failure, failure_from_error
from airflow_provider_learning360.ui.responses import PeopleRights
from airflow_provider_learning360.ui.text import readable_name, redacted_name

if TYPE_CHECKING:
    from airflow_provider_learning360.hooks.learning import LearningHook
    from airflow_provider_learning360.ui.responses import RequestFailure, RequestTest


def try_request(hook: LearningHook, session_id: str, *, reveal: bool, may_reveal: bool) -> RequestTest:
    """
    Request a session and return the result for the page.

    :param hook: The hook of the connection.
    :param session_id: ID of the session.
    :param reveal: Whether to show people's data.
    :param may_reveal: Whether the user may see it.
    :returns: The document with its documentation, or what failed.
    """
    started, people = time.monotonic(), PeopleRights(hidden=not reveal, may_reveal=may_reveal)
    try:
        call = endpoints.get_program_session(session_id)
        native = hook.run(call.request.path)
        session = call.parse(Response(call.request, native.status_code, body=native.content))
    except LearningError as error:
        return _describe_failure(error, started, people)
    return {
        "ok": True,
        "request": str(call.request),
        "status": native.status_code,
        "milliseconds": _milliseconds_since(started),
        "bytes": len(native.content),
        "title": readable_name(session.title) if reveal else redacted_name(session.title),
        "people": people,
        **describe_session(session, reveal=reveal),
    }


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
