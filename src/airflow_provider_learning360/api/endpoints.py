"""One function for each API call: a request out, and how to read its answer."""

from __future__ import annotations

import json
import math
import re
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

from airflow_provider_learning360.api.credentials import Credentials, Token
from airflow_provider_learning360.api.errors import ContractError, InvalidIdError, redact
from airflow_provider_learning360.api.messages import Call, Request, Response
from airflow_provider_learning360.api.sanitizer import sanitize

if TYPE_CHECKING:
    from airflow_provider_learning360.api.list_entries import SessionList, StreamedObjects
    from airflow_provider_learning360.api.models import Learner, ProgramSession, SessionStatistics

SESSIONS = "/api/v1/programs/sessions"
_ID = re.compile(r"[0-9a-fA-F]{24}")
# Integers with as many digits as an ID has characters.
_SMALLEST_ID, _LARGEST_ID = 10**23, 10**24 - 1
_LIST = "a list of program sessions"
# What a header can carry, without blanks.
_TOKEN = re.compile(r"[\x21-\x7e]+")
DEFAULT_TOKEN_LIFETIME = 3600.0  # seconds; what 360Learning documents
# A lifetime below the first would cause a token call for every request; nobody holds a token longer than the second.
SHORTEST_TOKEN_LIFETIME, LONGEST_TOKEN_LIFETIME = 60.0, 86_400.0


def build_session_path(session_id: str, *parts: str) -> str:
    """
    Return the path of a program session, or of a part of it.

    :param session_id: ID of the session: 24 hexadecimal characters.
    :param parts: Further parts of the path; percent-encoded here.
    :raises InvalidIdError: `session_id` is no ID.
    """
    checked = require_session_id(session_id)
    # The documentation writes the session itself with a trailing slash, and its parts without.
    return "/".join([SESSIONS, checked, *(quote(part, safe="") for part in parts)]) + ("" if parts else "/")


def is_session_id(value: Any) -> bool:
    """Whether a value of an answer is exactly an ID of a program session, as a text without blanks."""
    return isinstance(value, str) and _ID.fullmatch(value) is not None


def require_session_id(session_id: Any) -> str:
    """
    Return a program session's ID, if it is one.

    :raises InvalidIdError: It is not; names the value.
    """
    text = format_id(session_id, "the ID of a program session")
    if isinstance(text, str) and _ID.fullmatch(text.strip()):
        # The API writes IDs in small letters; comparing them must not depend on how somebody typed one.
        return text.strip().lower()
    shown = "an empty text" if session_id == "" else redact(repr(session_id))
    raise InvalidIdError(
        f"{shown} is no ID of a program session: IDs have 24 characters of 0-9 and a-f, "
        "such as 60b8d2956e20ae1a0f8e44f1. Take it from the session's address in 360Learning."
    )


def format_id(value: Any, what: str) -> Any:
    """
    Return an ID as text where it came as a number: native rendering makes numbers of digits.

    :param value: The ID; what is no number is returned as it is.
    :param what: What it is the ID of, for the message.
    :raises InvalidIdError: The digits of the number are not those of the ID.
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        return value
    if isinstance(value, int) and _SMALLEST_ID <= value <= _LARGEST_ID:
        return str(value)
    raise InvalidIdError(
        f"{what}: it arrived as the number {sanitize(value)}, so its 24 characters of 0-9 and a-f are not known. "
        "Native rendering makes numbers of digits; put quotes around the template: \"'{{ params.session_id }}'\". "
        "Or take the ID from the session's address in 360Learning."
    )


def build_session_uri(host: str, session_id: str = "") -> str:
    """
    Return the asset URI of a program session, or of all sessions.

    :param host: Base URL of the connection.
    :param session_id: ID of the session; default none: all sessions of that host.
    """
    return f"learning360://{urlsplit(host).netloc}/programs/sessions" + (f"/{session_id}" if session_id else "")


def find_session_id(value: Any) -> str:
    """
    Return the ID of a session that is given as its ID or as a document of it.

    :raises InvalidIdError: It is neither.
    """
    return require_session_id(value.get("_id") if isinstance(value, dict) else value)


def get_program_session(session_id: str) -> Call[ProgramSession]:
    """
    Return the call that reads one program session.

    :param session_id: ID of the session.
    :raises InvalidIdError: `session_id` is no ID.
    """
    from airflow_provider_learning360.api.models import parse_session

    return Call(Request("GET", build_session_path(session_id)), parse_session(require_session_id(session_id)))


def list_program_sessions() -> Call[SessionList]:
    """Return the call that reads all program sessions of the company; the API has no pages here."""
    from airflow_provider_learning360.api.list_entries import parse_session_list

    return Call(Request("GET", SESSIONS), parse_session_list, kind="entries")


def stream_program_sessions() -> Call[StreamedObjects]:
    """Return the call that reads the same list piece by piece, for one that is too long to be held whole."""
    from airflow_provider_learning360.api.list_entries import StreamedObjects

    return Call(Request("GET", SESSIONS), partial(StreamedObjects, _LIST), kind="entries", streamed=True)


def get_program_session_users(session_id: str) -> Call[list[Learner]]:
    """
    Return the call that reads the learners of a program session, with their names.

    :param session_id: ID of the session.
    :raises InvalidIdError: `session_id` is no ID.
    """
    from airflow_provider_learning360.api.models import parse_learners

    return Call(Request("GET", build_session_path(session_id, "users")), parse_learners, kind="list")


def get_program_session_stats(session_id: str) -> Call[SessionStatistics]:
    """
    Return the call that reads how far the learners of a program session are.

    :param session_id: ID of the session.
    :raises InvalidIdError: `session_id` is no ID.
    """
    from airflow_provider_learning360.api.models import SessionStatistics, parse_object

    read = parse_object(SessionStatistics, "session statistics")
    return Call(Request("GET", build_session_path(session_id, "stats")), read, kind="list")


def get_token(credentials: Credentials) -> Call[Token]:
    """
    Return the call that exchanges company ID and API key for an OAuth2 token.

    :param credentials: The keys.

    Source: 360Learning API, `POST /api/v2/oauth2/token`; it serves v1 keys too.
    """
    body = {
        "client_id": credentials.company_id,
        "client_secret": credentials.api_key,
        "grant_type": "client_credentials",
    }
    # Asking twice does no harm: the second token is as good as the first.
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
        # Integers as floats: Python refuses to read integers of more than 4,300 digits.
        answer = json.loads(response.body, parse_int=float)
        value = answer["access_token"]
        if isinstance(value, str) and _TOKEN.fullmatch(value):
            return _token(value, answer.get("expires_in"))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        pass
    raise ContractError(
        f"{response.request} was answered {response.status} with something that is not an OAuth2 token. "
        "Check the host of the connection, or report a change of the API.",
        method=response.request.method,
        path=response.request.path,
        status=response.status,
    )


def _token(value: str, expires_in: Any) -> Token:
    """Return the token with a lifetime that makes sense, whatever 360Learning says of it."""
    # The vendor's pages show the lifetime as a text, its specification as a number.
    try:
        named = math.nan if isinstance(expires_in, bool) else float(expires_in)
    except (ValueError, TypeError):
        named = math.nan
    if SHORTEST_TOKEN_LIFETIME <= named <= LONGEST_TOKEN_LIFETIME:
        return Token(value, named)
    if not named > 0:  # also where it is no number
        lifetime, said = DEFAULT_TOKEN_LIFETIME, "no usable lifetime"
    else:
        lifetime = min(max(named, SHORTEST_TOKEN_LIFETIME), LONGEST_TOKEN_LIFETIME)
        said = f"a lifetime of {named:g} s"
    return Token(
        value,
        lifetime,
        note=f"360Learning gave an OAuth2 token with {said} (`expires_in`). It is used for {lifetime:g} s, "
        "and renewed earlier if 360Learning refuses it.",
    )
