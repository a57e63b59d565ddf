"""The routes of 360Learning: the token route, and those of both versions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_learning360.simulator.responses import TOKEN_PATH, Response, route_not_found

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_learning360.simulator.credentials import Credentials
    from airflow_provider_learning360.simulator.request_log import SeenRequest


class Routes:
    """The API of one company.

    :param credentials: the valid keys and tokens.
    :param respond_v1: responds to requests under ``/api/v1/``.
    :param respond_v2: responds to requests under ``/api/v2/``.
    """

    def __init__(
        self,
        credentials: Credentials,
        respond_v1: Callable[[SeenRequest], Response],
        respond_v2: Callable[[SeenRequest], Response],
    ) -> None:
        self._credentials = credentials
        self._versions = {"/api/v1/": respond_v1, "/api/v2/": respond_v2}

    def respond(self, seen: SeenRequest) -> Response:
        """Return the response to a request."""
        if (seen.method, seen.path) == ("POST", TOKEN_PATH):
            return self._credentials.issue_token(seen)
        respond = self._versions.get(seen.path[:8])
        return respond(seen) if respond else route_not_found()
