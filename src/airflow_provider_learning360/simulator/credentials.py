"""The three ways to authenticate: keys in headers, keys in the query, and a bearer token issued for keys."""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, TypedDict

from airflow_provider_learning360.simulator.responses import Response, error_response, json_response

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_learning360.simulator.request_log import SeenRequest


class TokenResponse(TypedDict):
    """The response of the token route."""

    token_type: str
    access_token: str
    expires_in: str | int


@dataclass
class Credentials:
    """The valid keys and tokens.

    :param company_id: the ID of the only company.
    :param api_key: its only key.
    :param token_life: seconds that a token is valid.
    :param expires_in_as: type of ``expires_in`` in the token response, ``str`` or ``int``.
    :param now: the clock.
    """

    company_id: str
    api_key: str
    token_life: float
    expires_in_as: type[str | int]
    now: Callable[[], datetime]
    _tokens: dict[str, datetime] = field(default_factory=dict, init=False)

    def is_authorized(self, seen: SeenRequest) -> bool:
        """Return whether a request has a valid credential of any kind."""
        scheme, _, token = seen.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and self._is_valid(token.strip()):
            return True
        pair = (self.company_id, self.api_key)
        in_headers = (seen.headers.get("x-company-id"), seen.headers.get("x-apikey"))
        in_query = (seen.query.get("company"), seen.query.get("apiKey"))
        return pair in (in_headers, in_query)

    def _is_valid(self, token: str) -> bool:
        end = self._tokens.get(token)
        return end is not None and self.now() < end

    def issue_token(self, seen: SeenRequest) -> Response:
        """Return the response of the token route: a bearer token, or what is wrong with the request."""
        try:
            body = json.loads(seen.body)
        except ValueError:
            body = None
        if "application/json" not in seen.headers.get("content-type", "") or not isinstance(body, dict):
            return error_response(400, "invalid_request")
        known = body.get("client_id") == self.company_id
        if not known or not body.get("client_secret") or not body.get("grant_type"):
            return error_response(400, "invalid_request")
        if body["grant_type"] != "client_credentials":
            return error_response(400, "unsupported_grant_type")
        if body["client_secret"] != self.api_key:
            return error_response(401, "invalid_client")
        return json_response(self._new_token())

    def _new_token(self) -> TokenResponse:
        token = secrets.token_urlsafe(32)
        self._tokens[token] = self.now() + timedelta(seconds=self.token_life)
        expires_in = self.expires_in_as(int(self.token_life))
        return {"token_type": "Bearer", "access_token": token, "expires_in": expires_in}

    def revoke_tokens(self) -> None:
        """Make every token invalid at once."""
        self._tokens.clear()
