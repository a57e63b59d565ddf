"""The three ways into the API: keys in headers, keys in the query, and a bearer token bought with them."""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from airflow_provider_learning360.simulator.answers import Answer, answer, refused

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_learning360.simulator.traffic import SeenRequest


@dataclass
class Keys:
    """Who may come in.

    :param company_id: the one company that exists.
    :param api_key: its one key.
    :param token_life: seconds that a token lives.
    :param expires_in_as: type of ``expires_in`` in the answer, ``str`` or ``int``.
    :param now: the clock.
    """

    company_id: str
    api_key: str
    token_life: float
    expires_in_as: type[str | int]
    now: Callable[[], datetime]
    _tokens: dict[str, datetime] = field(default_factory=dict, init=False)

    def admit(self, seen: SeenRequest) -> bool:
        """Whether a request carries a valid credential of any kind."""
        scheme, _, token = seen.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and self._alive(token.strip()):
            return True
        pair = (self.company_id, self.api_key)
        in_headers = (seen.headers.get("x-company-id"), seen.headers.get("x-apikey"))
        in_query = (seen.query.get("company"), seen.query.get("apiKey"))
        return pair in (in_headers, in_query)

    def _alive(self, token: str) -> bool:
        end = self._tokens.get(token)
        return end is not None and self.now() < end

    def exchange(self, seen: SeenRequest) -> Answer:
        """The token route: company ID and API key in, a bearer token out."""
        try:
            body = json.loads(seen.body)
        except ValueError:
            body = None
        if "application/json" not in seen.headers.get("content-type", "") or not isinstance(body, dict):
            return refused(400, "invalid_request")
        known = body.get("client_id") == self.company_id
        if not known or not body.get("client_secret") or not body.get("grant_type"):
            return refused(400, "invalid_request")
        if body["grant_type"] != "client_credentials":
            return refused(400, "unsupported_grant_type")
        if body["client_secret"] != self.api_key:
            return refused(401, "invalid_client")
        token = secrets.token_urlsafe(32)
        self._tokens[token] = self.now() + timedelta(seconds=self.token_life)
        life = self.expires_in_as(int(self.token_life))
        return answer({"token_type": "Bearer", "access_token": token, "expires_in": life})

    def revoke(self) -> None:
        """Ends every token at once."""
        self._tokens.clear()
