"""The routes of API v1: from a request to a response, without sockets."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlencode

from airflow_provider_learning360.simulator import memberships, patches, responses
from airflow_provider_learning360.simulator.responses import Response

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_learning360.simulator.credentials import Credentials
    from airflow_provider_learning360.simulator.request_log import SeenRequest
    from airflow_provider_learning360.simulator.sessions import Sessions

_IDENTIFIER = re.compile(r"[0-9a-fA-F]{24}")
_SESSIONS = "/api/v1/programs/sessions"


class RoutesV1:
    """API v1 of one company.

    :param sessions: the company's sessions.
    :param credentials: the valid keys and tokens.
    :param respond_otherwise: responds to requests with valid keys that have no route here.
    """

    def __init__(
        self, sessions: Sessions, credentials: Credentials, respond_otherwise: Callable[[SeenRequest], Response]
    ) -> None:
        self._sessions = sessions
        self._credentials = credentials
        self._respond_otherwise = respond_otherwise
        one = f"{_SESSIONS}/([^/]+)"
        table: tuple[tuple[str, str, Callable[..., Response]], ...] = (
            ("GET", f"{_SESSIONS}/?", self._list_sessions),
            ("GET", f"{one}/?", self._get_session),
            ("PATCH", f"{one}/?", self._patch_session),
            ("GET", f"{one}/users/?", self._get_users),
            ("PUT", f"{one}/users/([^/]+)/?", self._act(memberships.enrol_user)),
            ("DELETE", f"{one}/users/([^/]+)/?", self._act(memberships.unenrol_user)),
            ("PUT", f"{one}/groups/([0-9a-fA-F]{{24}})/?", self._act(memberships.add_group)),
            ("DELETE", f"{one}/groups/([0-9a-fA-F]{{24}})/?", self._act(memberships.remove_group)),
            ("GET", r"/api/v1/users/?", self._list_users),
            ("GET", r"/api/v1/users/([^/]+)/?", self._get_user),
            ("GET", f"{one}/stats/?", self._get_statistics),
            ("GET", f"{one}/stats/([^/]+)/?", self._get_user_statistics),
            ("GET", r"/api/v1/programs/?", self._redirect_old_list),
            ("GET", r"/api/v1/programs/([0-9a-fA-F]{24})/?", self._redirect_old_session),
        )
        self._table = [(method, re.compile(pattern), route) for method, pattern, route in table]

    def respond(self, seen: SeenRequest) -> Response:
        """Return the response to a request."""
        if not self._credentials.is_authorized(seen):
            return responses.unauthorized()
        method = "GET" if seen.method == "HEAD" else seen.method
        for known_method, pattern, route in self._table:
            match = pattern.fullmatch(seen.path)
            if match and method == known_method:
                return self._call(route, seen, [unquote(part) for part in match.groups()])
        return self._respond_otherwise(seen)

    def _call(self, route: Callable[..., Response], seen: SeenRequest, parts: list[str]) -> Response:
        """Call a route, if the session in its path exists."""
        if not parts or route in (self._redirect_old_session, self._get_user):
            return route(seen, *parts)
        if not _IDENTIFIER.fullmatch(parts[0]):
            return responses.route_not_found()
        parts[0] = parts[0].lower()
        return route(seen, *parts) if parts[0] in self._sessions else responses.session_not_found()

    def _list_sessions(self, seen: SeenRequest) -> Response:
        return Response(body=self._sessions.list_body(), holds_sessions=True)

    def _get_session(self, seen: SeenRequest, session_id: str) -> Response:
        return Response(body=self._sessions.body(session_id), holds_sessions=True)

    def _patch_session(self, seen: SeenRequest, session_id: str) -> Response:
        try:
            fields = patches.read_changes(seen, self._sessions.document(session_id))
        except ValueError as error:
            return responses.invalid_request(str(error))
        self._sessions.edit(session_id, fields)
        return responses.json_response({})

    def _get_users(self, seen: SeenRequest, session_id: str) -> Response:
        return responses.json_response(self._sessions.learners(session_id))

    def _act(self, act: Callable[[Sessions, str, str], Response]) -> Callable[..., Response]:
        return lambda seen, session_id, name: act(self._sessions, session_id, name)

    def _list_users(self, seen: SeenRequest) -> Response:
        wants_deleted = seen.query.get("deleted") == "true"
        people = [one for one in self._sessions.people.all() if (one.get("status") == "deleted") == wants_deleted]
        return responses.json_response([memberships.make_user(one) for one in people])

    def _get_user(self, seen: SeenRequest, mail_or_id: str) -> Response:
        person = memberships.find_person(self._sessions.people, mail_or_id)
        if person is None:
            return responses.error_response(400, "user_not_found")
        return responses.json_response(memberships.make_user(person))

    def _get_statistics(self, seen: SeenRequest, session_id: str) -> Response:
        return responses.json_response(self._sessions.statistics(session_id))

    def _get_user_statistics(self, seen: SeenRequest, session_id: str, mail_or_id: str) -> Response:
        item = self._sessions.user_statistics(session_id, mail_or_id)
        if item is None:
            is_known = self._sessions.has_person(mail_or_id)
            return responses.error_response(404, "user_not_enrolled" if is_known else "user_not_found")
        return responses.json_response(item)

    def _redirect_old_list(self, seen: SeenRequest) -> Response:
        return _redirect_to(_SESSIONS, seen)

    def _redirect_old_session(self, seen: SeenRequest, session_id: str) -> Response:
        return _redirect_to(f"{_SESSIONS}/{session_id}/", seen)


def _redirect_to(path: str, seen: SeenRequest) -> Response:
    # With the query, which may hold the keys: without them, the client would get 401.
    return responses.redirect(f"{path}?{urlencode(seen.query_pairs)}" if seen.query_pairs else path)
