"""The ways to authenticate: v1's keys in headers or in the query, and bearer tokens issued for v1's or v2's keys."""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, TypedDict

from airflow_provider_learning360.simulator.responses import (
    Response,
    error_response,
    invalid_scope,
    invalid_token,
    json_response,
    v2_error,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_learning360.simulator.request_log import SeenRequest


VERSION_HEADER, VERSION = "360-api-version", "v2.0"


class TokenResponse(TypedDict):
    """The response of the token route."""

    token_type: str
    access_token: str
    expires_in: str | int


@dataclass(frozen=True)
class _Token:
    end: datetime
    version: str  # of the keys that it was issued for


_TOKEN_PROPERTIES = {"grant_type", "client_id", "client_secret", "user_id", "company_id"}


@dataclass
class Credentials:
    """The valid keys and tokens.

    :param company_id: the ID of the only company, for v1.
    :param api_key: its only key for v1.
    :param token_life: seconds that a token is valid.
    :param expires_in_as: type of ``expires_in`` in the token response, ``str`` or ``int``. Default: ``str`` for v1's
        keys, ``int`` for v2's.
    :param now: the clock.
    :param client_id: the ID of the only client for v2.
    :param client_secret: its secret.
    :param scopes: the scopes that this client has.
    """

    company_id: str
    api_key: str
    token_life: float
    expires_in_as: type[str | int] | None
    now: Callable[[], datetime]
    client_id: str = ""
    client_secret: str = ""
    scopes: frozenset[str] = frozenset()
    _tokens: dict[str, _Token] = field(default_factory=dict, init=False)

    def is_authorized(self, seen: SeenRequest) -> bool:
        """Return whether a request has a valid credential for v1. A token for v2's keys is none."""
        token = self._read_token(seen)
        if token is not None and token.version == "v1":
            return True
        pair = (self.company_id, self.api_key)
        in_headers = (seen.headers.get("x-company-id"), seen.headers.get("x-apikey"))
        in_query = (seen.query.get("company"), seen.query.get("apiKey"))
        return pair in (in_headers, in_query)

    def refuse(self, seen: SeenRequest, scope: str) -> Response | None:
        """Return v2's response to a request that may not do this, or has no version; None for one that may.

        v1's keys get a token as well, but v2 grants them no scope.
        """
        token = self._read_token(seen)
        if token is None:
            return invalid_token()
        if token.version != "v2" or scope not in self.scopes:
            return invalid_scope()
        if seen.headers.get(VERSION_HEADER) != VERSION:
            # What the vendor sends is not documented.
            return v2_error(400, "invalidApiVersion", f"The header {VERSION_HEADER}: {VERSION} is missing.")
        return None

    def _read_token(self, seen: SeenRequest) -> _Token | None:
        scheme, _, text = seen.headers.get("authorization", "").partition(" ")
        token = self._tokens.get(text.strip()) if scheme.lower() == "bearer" else None
        return token if token is not None and self.now() < token.end else None

    def issue_token(self, seen: SeenRequest) -> Response:
        """Return the response of the token route: a bearer token, or what is wrong with the request."""
        try:
            body = json.loads(seen.body)
        except ValueError:
            body = None
        if "application/json" not in seen.headers.get("content-type", "") or not isinstance(body, dict):
            return error_response(400, "invalid_request")
        secrets_by_id: dict[Any, tuple[str, str]] = {
            self.client_id: (self.client_secret, "v2"),
            self.company_id: (self.api_key, "v1"),
        }
        known = secrets_by_id.get(str(body.get("client_id")))
        is_complete = bool(known and body.get("client_secret") and body.get("grant_type"))
        if known is None or not is_complete or body.keys() - _TOKEN_PROPERTIES:
            return error_response(400, "invalid_request")
        if body["grant_type"] != "client_credentials":
            return error_response(400, "unsupported_grant_type")
        if body["client_secret"] != known[0]:
            return error_response(401, "invalid_client")
        return json_response(self._new_token(known[1]))

    def _new_token(self, version: str) -> TokenResponse:
        token = secrets.token_urlsafe(32)
        self._tokens[token] = _Token(self.now() + timedelta(seconds=self.token_life), version)
        expires_in = (self.expires_in_as or (int if version == "v2" else str))(int(self.token_life))
        return {"token_type": "Bearer", "access_token": token, "expires_in": expires_in}

    def revoke_tokens(self) -> None:
        """Make every token invalid at once."""
        self._tokens.clear()
