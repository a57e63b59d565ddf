"""A response before it is sent, and the errors of 360Learning."""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

JSON = "application/json; charset=utf-8"
TOKEN_PATH = "/api/v2/oauth2/token"


@dataclass(frozen=True, slots=True)
class Response:
    """What the simulator is about to send.

    :param status: HTTP status; 0 when nothing is sent.
    :param body: the bytes before compression.
    :param headers: headers beside the usual ones.
    :param content_type: media type of the body.
    :param holds_sessions: whether the body is a session or a list of sessions, which is what drift changes.
    :param delay: seconds to wait before sending.
    :param sent_part: ``all``, ``half`` (half of the announced body, then the connection closes) or ``none`` (the
        connection closes without a response).
    :param note: the scenarios that shaped it, for the log.
    """

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    content_type: str = JSON
    holds_sessions: bool = False
    delay: float = 0.0
    sent_part: Literal["all", "half", "none"] = "all"
    note: str = ""


def to_json(payload: Any) -> bytes:
    """Return a value as compact JSON."""
    return json.dumps(payload, ensure_ascii=False, separators=(",", ":")).encode()


def json_response(payload: Any, status: int = 200) -> Response:
    """Return a JSON response."""
    return Response(status, to_json(payload))


def redirect(location: str, status: int = 302) -> Response:
    """Return a redirect without a body: the address may hold keys, and a body would print them."""
    return Response(status, headers={"Location": location})


def error_response(status: int, code: str) -> Response:
    """Return an error in its most common shape: a code under ``error``."""
    return json_response({"error": code}, status)


def unauthorized() -> Response:
    """Return the response to a key or token that is missing or wrong."""
    return error_response(401, "unauthorized")


def session_not_found() -> Response:
    """Return the response to a well-formed ID that no session has."""
    return error_response(404, "program_session_not_found")


def route_not_found() -> Response:
    """Return the response to an unknown route, or to a malformed ID."""
    return json_response({"message": "Not Found", "documentation_url": "https://docs.example.com/api"}, 404)


def invalid_request(reason: str) -> Response:
    """Return the response to a body that is not valid."""
    return error_response(400, f"Request validation failed: {reason}")


def v2_error(status: int, code: str, message: str) -> Response:
    """Return an error of API v2: an object with a code and a sentence."""
    return json_response({"error": {"code": code, "message": message}}, status)


def invalid_token() -> Response:
    """Return v2's response to a token that is missing, unknown or expired."""
    return error_response(401, "invalid_token")


def invalid_scope() -> Response:
    """Return v2's response to a token without the scope of the route. It does not name the scope."""
    return v2_error(403, "invalid_scope", "The access token does not have the required scope.")


def not_found(what: str) -> Response:
    """Return v2's response to an ID that nothing has.

    :param what: ``path``, ``session`` or ``user``.
    """
    return v2_error(404, f"{what}NotFound", f"The {what} was not found.")


def invalid_query(reason: str) -> Response:
    """Return v2's response to a query that is not valid. What the vendor sends is not documented."""
    return v2_error(400, "invalidQuery", reason)


def _default_v2_response(status: int, path: str) -> Response:
    if status == 400:
        return v2_error(400, "badRequest", "The request is not valid.")
    if status == 401:
        return invalid_token()
    if status == 403:
        return invalid_scope()
    if status == 404:
        is_session = "/sessions/" in path
        return not_found("user" if path.startswith("/api/v2/users") else "session" if is_session else "path")
    return error_response(429, "tooManyRequests")


def default_response(status: int, path: str = "") -> Response:
    """Return the usual response with a status: a code, or an incident number for 5xx.

    :param status: HTTP status.
    :param path: the path of the request; v2's have other shapes than v1's, but for that of the token route.
    """
    if status in (400, 401, 403, 404, 429) and path.startswith("/api/v2/") and path != TOKEN_PATH:
        return _default_v2_response(status, path)
    codes = {400: "bad_request", 403: "forbidden", 404: "program_session_not_found", 429: "too_many_requests"}
    if status == 401:
        return unauthorized()
    if status >= 500:
        return error_response(status, f"an error occurred: {secrets.token_hex(16)}")
    if status >= 400:
        return error_response(status, codes.get(status, "bad_request"))
    return Response(status) if status in (204, 304) else json_response({}, status)
