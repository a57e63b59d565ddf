"""One function for each API call: the request, and how to read its response."""

from __future__ import annotations

import json
import math
import re
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

from airflow_provider_learning360.api.credentials import Credentials, Token
from airflow_provider_learning360.api.errors import ContractError
from airflow_provider_learning360.api.messages import Call, Request, Response
from airflow_provider_learning360.api.nesting import decode_text
from airflow_provider_learning360.api.session_ids import require_session_id

if TYPE_CHECKING:
    from airflow_provider_learning360.api.list_entries import SessionList, StreamedObjects
    from airflow_provider_learning360.api.models import Learner, ProgramSession, SessionStatistics

SESSIONS = "/api/v1/programs/sessions"
_LIST = "a list of program sessions"
# Characters that a header can carry, without blanks.
_TOKEN = re.compile(r"[\x21-\x7e]+")
DEFAULT_TOKEN_LIFETIME = 3600.0  # seconds; what 360Learning documents
# Seconds. A shorter lifetime would cause a token call for every request. A longer one is cut.
MIN_TOKEN_LIFETIME, MAX_TOKEN_LIFETIME = 60.0, 86_400.0


def build_session_path(session_id: str, *parts: str) -> str:
    """
    Return the path of a program session, or of a part of it.

    :param session_id: ID of the session: 24 hexadecimal characters.
    :param parts: Further parts of the path, not yet percent-encoded; default none.
    :returns: The path, percent-encoded.
    :raises InvalidIdError: `session_id` is not an ID.
    """
    checked = require_session_id(session_id)
    # The documentation writes the session itself with a trailing slash, and its parts without.
    return "/".join([SESSIONS, checked, *(quote(part, safe="") for part in parts)]) + ("" if parts else "/")


def build_session_uri(host: str, session_id: str = "") -> str:
    """
    Return the asset URI of a program session, or of all sessions.

    :param host: Base URL of the connection.
    :param session_id: ID of the session; default all sessions of that host.
    :returns: The URI.
    """
    return f"learning360://{urlsplit(host).netloc}/programs/sessions" + (f"/{session_id}" if session_id else "")


def get_program_session(session_id: str) -> Call[ProgramSession]:
    """
    Build the call that reads one program session.

    :param session_id: ID of the session.
    :returns: The call.
    :raises InvalidIdError: `session_id` is not an ID.

    Source: 360Learning API v1, `GET /api/v1/programs/sessions/{session_id}/`.
    """
    from airflow_provider_learning360.api.models import parse_session

    return Call(Request("GET", build_session_path(session_id)), parse_session(require_session_id(session_id)))


def list_program_sessions() -> Call[SessionList]:
    """
    Build the call that reads all program sessions of the company; the API sends them in one response, without pages.

    :returns: The call.

    Source: 360Learning API v1, `GET /api/v1/programs/sessions`.
    """
    from airflow_provider_learning360.api.list_entries import parse_session_list

    return Call(Request("GET", SESSIONS), parse_session_list, kind="entries")


def stream_program_sessions() -> Call[StreamedObjects]:
    """
    Build the call that reads the same list while it arrives, for a list that is too long to be held in memory.

    :returns: The call.

    Source: 360Learning API v1, `GET /api/v1/programs/sessions`.
    """
    from airflow_provider_learning360.api.list_entries import StreamedObjects

    return Call(Request("GET", SESSIONS), partial(StreamedObjects, _LIST), kind="entries", streamed=True)


def get_program_session_users(session_id: str) -> Call[list[Learner]]:
    """
    Build the call that reads the learners of a program session, with their names.

    :param session_id: ID of the session.
    :returns: The call.
    :raises InvalidIdError: `session_id` is not an ID.

    Source: 360Learning API v1, `GET /api/v1/programs/sessions/{session_id}/users`.
    """
    from airflow_provider_learning360.api.models import parse_learners

    return Call(Request("GET", build_session_path(session_id, "users")), parse_learners, kind="list")


def get_program_session_stats(session_id: str) -> Call[SessionStatistics]:
    """
    Build the call that reads the progress of the learners of a program session.

    :param session_id: ID of the session.
    :returns: The call.
    :raises InvalidIdError: `session_id` is not an ID.

    Source: 360Learning API v1, `GET /api/v1/programs/sessions/{session_id}/stats`.
    """
    from airflow_provider_learning360.api.models import SessionStatistics, parse_object

    read = parse_object(SessionStatistics, "session statistics")
    return Call(Request("GET", build_session_path(session_id, "stats")), read, kind="list")


def get_token(credentials: Credentials) -> Call[Token]:
    """
    Build the call that exchanges company ID and API key for an OAuth2 token.

    :param credentials: The keys.
    :returns: The call.

    Source: 360Learning API, `POST /api/v2/oauth2/token`; it serves v1 keys too.
    """
    body = {
        "client_id": credentials.company_id,
        "client_secret": credentials.api_key,
        "grant_type": "client_credentials",
    }
    # Repeatable: a second token is as good as the first.
    request = Request(
        "POST",
        "/api/v2/oauth2/token",
        headers={"Content-Type": "application/json"},
        body=json.dumps(body).encode(),
        repeatable=True,
    )
    return Call(request, _parse_token, signed=False, kind="token")


def _parse_token(response: Response) -> Token:
    try:
        # Integers as floats: Python refuses integers of more than 4,300 digits.
        document = json.loads(decode_text(response.body), parse_int=float)
        value = document["access_token"]
        if isinstance(value, str) and _TOKEN.fullmatch(value):
            return _build_token(value, document.get("expires_in"))
    except (ValueError, KeyError, TypeError, AttributeError):
        pass
    raise ContractError(
        f"{response.request} returned {response.status}, but no OAuth2 token. "
        "Check the host of the connection. If it is right, the API may have changed: please report it.",
        method=response.request.method,
        path=response.request.path,
        status=response.status,
    )


def _build_token(value: str, expires_in: Any) -> Token:
    """Return the token with a plausible lifetime, whatever `expires_in` says."""
    given = _lifetime_of(expires_in)
    if MIN_TOKEN_LIFETIME <= given <= MAX_TOKEN_LIFETIME:
        return Token(value, given)
    if not given > 0:  # also if it is NaN
        lifetime, shown = DEFAULT_TOKEN_LIFETIME, "no usable lifetime"
    else:
        lifetime = min(max(given, MIN_TOKEN_LIFETIME), MAX_TOKEN_LIFETIME)
        shown = f"a lifetime of {given:g} s"
    return Token(
        value,
        lifetime,
        note=f"360Learning gave an OAuth2 token with {shown} (`expires_in`). It is used for {lifetime:g} s, "
        "and renewed earlier if 360Learning refuses it.",
    )


def _lifetime_of(expires_in: Any) -> float:
    """Return the seconds: the vendor's pages show them as a text, its specification as a number."""
    try:
        return math.nan if isinstance(expires_in, bool) else float(expires_in)
    except (ValueError, TypeError):
        return math.nan
