"""An answer before it becomes bytes on a wire, and the vendor's ways to refuse."""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

JSON = "application/json; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Answer:
    """What the simulator is about to send.

    :param status: HTTP status; 0 when nothing is sent.
    :param body: the bytes before compression.
    :param headers: headers beside the usual ones.
    :param content_type: media type of the body.
    :param holds_sessions: whether the body is a session or a list of sessions, which is what drift changes.
    :param delay: seconds to wait before sending.
    :param delivery: ``whole``, ``half`` (half of the announced body, then the connection closes) or
        ``none`` (the connection closes without an answer).
    :param note: the scenarios that shaped it, for the log.
    """

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    content_type: str = JSON
    holds_sessions: bool = False
    delay: float = 0.0
    delivery: Literal["whole", "half", "none"] = "whole"
    note: str = ""


def encoded(payload: Any) -> bytes:
    """Compact JSON."""
    return json.dumps(payload, ensure_ascii=False, separators=(",", ":")).encode()


def answer(payload: Any, status: int = 200) -> Answer:
    """A JSON answer."""
    return Answer(status, encoded(payload))


def redirect(location: str, status: int = 302) -> Answer:
    """A redirect without a body: the address may carry keys, and a body would print them."""
    return Answer(status, headers={"Location": location})


def refused(status: int, code: str) -> Answer:
    """The most common shape of an error: a code under ``error``."""
    return answer({"error": code}, status)


def unauthorized() -> Answer:
    """A key or token that is missing or wrong."""
    return refused(401, "unauthorized")


def session_not_found() -> Answer:
    """A well-formed ID that no session has."""
    return refused(404, "program_session_not_found")


def route_not_found() -> Answer:
    """An unknown route, or an ID that is no identifier."""
    return answer({"message": "Not Found", "documentation_url": "https://docs.example.com/api"}, 404)


def invalid(reason: str) -> Answer:
    """A body that the vendor's validation refuses."""
    return refused(400, f"Request validation failed: {reason}")


def failure(status: int) -> Answer:
    """The body that fits a status when nobody said which: a code, or an opaque incident for 5xx."""
    codes = {400: "bad_request", 403: "forbidden", 404: "program_session_not_found", 429: "too_many_requests"}
    if status == 401:
        return unauthorized()
    if status >= 500:
        return refused(status, f"an error occurred: {secrets.token_hex(16)}")
    if status >= 400:
        return refused(status, codes.get(status, "bad_request"))
    return Answer(status) if status in (204, 304) else answer({}, status)
