"""The "Test request": read one program session, and tell what came back."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from airflow_provider_learning360.api import endpoints
from airflow_provider_learning360.api.errors import (
    FixArgumentError,
    FixConnectionError,
    FixIdError,
    LearningError,
    RateLimitedError,
    TryAgainError,
)
from airflow_provider_learning360.api.messages import Response
from airflow_provider_learning360.ui.document import inspected
from airflow_provider_learning360.ui.text import readable_name, readable_text, redacted_name

if TYPE_CHECKING:
    from airflow_provider_learning360.hooks.learning import LearningHook

# What to do about which error; the tree of errors is made by this question.
_ACTIONS: tuple[tuple[type[LearningError], str], ...] = (
    (FixConnectionError, "Fix the connection"),
    (FixIdError, "Fix the ID"),
    (FixArgumentError, "Fix the ID"),
    (RateLimitedError, "Wait"),
    (TryAgainError, "Try again"),
)


def tried(hook: LearningHook, session_id: str, *, reveal: bool) -> dict[str, Any]:
    """
    Return what a request for a session gives: the document with its documentation, or what is wrong.

    :param hook: The hook of the connection.
    :param session_id: ID of the session.
    :param reveal: Whether to show what is about people.
    """
    started = time.monotonic()
    try:
        call = endpoints.get_program_session(session_id)
        native = hook.run(call.request.path)
        session = call.parse(Response(call.request, native.status_code, body=native.content))
    except LearningError as error:
        return {"ok": False, **_about(error), "milliseconds": _since(started)}
    return {
        "ok": True,
        "request": str(call.request),
        "status": native.status_code,
        "milliseconds": _since(started),
        "bytes": len(native.content),
        "title": readable_name(session.title) if reveal else redacted_name(session.title),
        **inspected(session, reveal=reveal),
    }


def _about(error: LearningError) -> dict[str, Any]:
    action = next((words for kind, words in _ACTIONS if isinstance(error, kind)), "Report a change")
    request = f"{error.method} {error.path}" if error.method else None
    return {"request": request, "status": error.status, "error": readable_text(str(error)), "action": action}


def _since(started: float) -> int:
    return round((time.monotonic() - started) * 1000)
