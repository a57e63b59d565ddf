"""The call that exchanges the keys of a connection for an OAuth2 token; both versions of the API have it."""

from __future__ import annotations

import json
import math
import re
from typing import Any

from airflow_provider_learning360.api.credentials import Credentials, Token
from airflow_provider_learning360.api.errors import ContractError
from airflow_provider_learning360.api.messages import Call, Request, Response
from airflow_provider_learning360.api.nesting import decode_text

# Characters that a header can carry, without blanks.
_TOKEN = re.compile(r"[\x21-\x7e]+")
DEFAULT_TOKEN_LIFETIME = 3600.0  # seconds; what 360Learning documents
# Seconds. A shorter lifetime would cause a token call for every request. A longer one is cut.
MIN_TOKEN_LIFETIME, MAX_TOKEN_LIFETIME = 60.0, 86_400.0


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
