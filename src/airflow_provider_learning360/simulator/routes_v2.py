"""The routes of API v2: from a request to a response, without sockets."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from airflow_provider_learning360.simulator import responses
from airflow_provider_learning360.simulator.filters import DATE, IDENTIFIER, TEXT, Condition, Kind, one_of, read_filters
from airflow_provider_learning360.simulator.pages import Position, next_link, read_position, take_page
from airflow_provider_learning360.simulator.path_patches import (
    Refusal,
    read_audience,
    read_custom_values,
    read_path_changes,
)
from airflow_provider_learning360.simulator.path_views import make_audience_view, make_custom_values
from airflow_provider_learning360.simulator.responses import Response

if TYPE_CHECKING:
    from airflow_provider_learning360.simulator.credentials import Credentials
    from airflow_provider_learning360.simulator.path_sessions import PathSessions
    from airflow_provider_learning360.simulator.request_log import SeenRequest
    from airflow_provider_learning360.simulator.sessions import Record

_DATES = {"createdAt": DATE, "modifiedAt": DATE}
_SESSION_DATES = _DATES | {"startDate": DATE, "endDate": DATE}
_ALL = ("eq", "ne", "in", "nin")
_STATUS = {"status": one_of("archived", "published")}
_PATH = "/api/v2/paths/([^/]+)"
_SESSION = f"{_PATH}/sessions/([^/]+)"

Lister = Callable[..., Iterable[tuple[Position, bytes]]]


@dataclass(frozen=True)
class Route:
    """A route of v2.

    :param method: HTTP method.
    :param path: regular expression of its path; groups are IDs.
    :param scope: the scope that it needs.
    :param act: what returns the response; it gets the request and what the IDs name.
    :param filters: the filters that it has.
    :param page_size: how many items a page has; 0 for a route that is no list.
    :param holds_sessions: whether drift changes the response.
    """

    method: str
    path: str
    scope: str
    act: Callable[..., Response] | Lister
    filters: Mapping[str, Kind] | None = None
    page_size: int = 0
    holds_sessions: bool = False


class RoutesV2:
    """API v2 of one company.

    :param sessions: what it lists.
    :param credentials: the valid tokens.
    :param respond_otherwise: responds to requests that have no route here.
    :param page_size: items in a page of every list; default: as documented for each.
    """

    def __init__(
        self,
        sessions: PathSessions,
        credentials: Credentials,
        respond_otherwise: Callable[[SeenRequest], Response],
        page_size: int | None = None,
    ) -> None:
        self._sessions = sessions
        self._credentials = credentials
        self._respond_otherwise = respond_otherwise
        self._page_size = page_size
        self._table = [(route, re.compile(f"{route.path}/?")) for route in self._routes()]

    def _routes(self) -> list[Route]:
        sessions, read = self._sessions, "paths:read"
        session_filters = _SESSION_DATES | {"sessionId": IDENTIFIER, "pathId": IDENTIFIER}
        enrolment_filters = _STATUS | _DATES | {"sessionId": IDENTIFIER}
        row_filters = {"completedAt": DATE, "userId": IDENTIFIER}
        all_row_filters = _STATUS | row_filters | {"pathId": IDENTIFIER}
        user_filters = {
            "mail": TEXT,
            "username": TEXT,
            "status": one_of("active", "invited", "deleted", operators=("eq", "ne")),
        }
        field_filters = {
            "name": TEXT,
            "targetType": one_of("users", "contents", operators=_ALL),
            "type": one_of("string", "date", operators=_ALL),
        }
        return [
            Route("GET", "/api/v2/paths/sessions", read, sessions.sessions, session_filters, 500, True),
            Route("GET", "/api/v2/paths/stats", "pathStats:read", sessions.rows, all_row_filters, 2000),
            Route("GET", "/api/v2/paths", read, sessions.paths, _DATES | _STATUS, 200, True),
            Route("GET", _PATH, read, self._get_path, holds_sessions=True),
            Route("GET", f"{_PATH}/sessions", read, sessions.sessions_of, _SESSION_DATES, 100, True),
            Route("GET", f"{_PATH}/enrollments", read, sessions.enrolments_of, enrolment_filters, 5000),
            Route("GET", _SESSION, read, self._get_session, holds_sessions=True),
            Route("PATCH", _SESSION, "paths:write", self._patch_session, holds_sessions=True),
            Route("PUT", f"{_SESSION}/audiences", "paths:write", self._put_audience),
            Route("DELETE", f"{_SESSION}/self-enrollments/([^/]+)", "paths:write", self._end_self_enrolment),
            Route("PUT", f"{_SESSION}/custom-fields/values", "paths:write", self._put_custom_values),
            Route("GET", f"{_SESSION}/user-statuses", "pathStats:read", self._get_statuses),
            Route("GET", f"{_SESSION}/user-stats", "pathStats:read", sessions.rows_of, row_filters, 2000),
            Route("GET", f"{_SESSION}/audiences", read, self._get_audience),
            Route("GET", f"{_SESSION}/custom-fields/values", read, self._get_custom_values),
            Route("GET", "/api/v2/custom-fields", "customFields:read", sessions.custom_fields, field_filters, 1000),
            Route("GET", "/api/v2/users", "users:read", sessions.users, user_filters, 500),
            Route("GET", "/api/v2/users/([^/]+)", "users:read", self._get_user),
        ]

    def respond(self, seen: SeenRequest) -> Response:
        """Return the response to a request."""
        method = "GET" if seen.method == "HEAD" else seen.method
        for route, pattern in self._table:
            match = pattern.fullmatch(seen.path)
            if match and method == route.method:
                return self._call(route, seen, [part.lower() for part in match.groups()])
        return self._respond_otherwise(seen)

    def _call(self, route: Route, seen: SeenRequest, ids: list[str]) -> Response:
        refused = self._credentials.refuse(seen, route.scope)
        if refused is not None:
            return refused
        named = ids if "users" in route.path else self._find(ids)
        if isinstance(named, Response):
            return named
        try:
            conditions = read_filters(seen.query_pairs, route.filters or {})
            response = self._list(route, seen, named, conditions) if route.page_size else route.act(seen, *named)
        except Refusal as error:
            return responses.v2_error(error.status, error.code, str(error))
        except ValueError as error:
            return responses.invalid_query(str(error))
        assert isinstance(response, Response)
        return response

    def _find(self, ids: list[str]) -> list[Any] | Response:
        """Return what IDs of a path and a session name: the path's ID, or the session; or an error."""
        if ids and not self._sessions.has_path(ids[0]):
            return responses.not_found("path")
        if len(ids) < 2:
            return ids
        record = self._sessions.find(ids[1])
        if record is None:
            return responses.not_found("session")
        if not self._sessions.is_in_path(record, ids[0]):
            return responses.v2_error(400, "sessionNotBelongToPath", "The session does not belong to the path.")
        return [record, *ids[2:]]

    def _list(self, route: Route, seen: SeenRequest, named: list[Any], conditions: tuple[Condition, ...]) -> Response:
        after = read_position(seen, conditions)
        items: Iterable[tuple[Position, bytes]] = route.act(*named, conditions, after)  # type: ignore[assignment]
        page, last = take_page(items, self._page_size or route.page_size)
        headers = {} if last is None else {"Link": next_link(seen, conditions, last)}
        body = b"[" + b",".join(page) + b"]"
        return Response(body=body, headers=headers, holds_sessions=route.holds_sessions)

    def _get_path(self, seen: SeenRequest, path_id: str) -> Response:
        return Response(body=self._sessions.path_body(path_id), holds_sessions=True)

    def _get_session(self, seen: SeenRequest, record: Record) -> Response:
        return Response(body=self._sessions.full_body(record), holds_sessions=True)

    def _get_statuses(self, seen: SeenRequest, record: Record) -> Response:
        return responses.json_response({"certificates": 0, "usersCountByStatus": self._sessions.counts(record)})

    def _get_audience(self, seen: SeenRequest, record: Record) -> Response:
        if not self._sessions.view(record).content.get("isAudienceBuilder"):
            reason = "The session was not made with the Audience Builder."
            return responses.v2_error(400, "sessionIsNotAudienceBuilder", reason)
        return responses.json_response(make_audience_view(record.document))

    def _patch_session(self, seen: SeenRequest, record: Record) -> Response:
        self._sessions.change(record, seen, read_path_changes)
        return self._get_session(seen, record)

    def _put_audience(self, seen: SeenRequest, record: Record) -> Response:
        response = self._get_audience(seen, record)
        if response.status == 200:
            self._sessions.change(record, seen, read_audience)
            response = self._get_audience(seen, record)
        return response

    def _get_custom_values(self, seen: SeenRequest, record: Record) -> Response:
        types = {key: one["type"] for key, one in self._sessions.custom_field_definitions.items()}
        return responses.json_response(make_custom_values(record.document, types))

    def _put_custom_values(self, seen: SeenRequest, record: Record) -> Response:
        definitions = self._sessions.custom_field_definitions
        self._sessions.change(record, seen, partial(read_custom_values, definitions))
        return self._get_custom_values(seen, record)

    def _end_self_enrolment(self, seen: SeenRequest, record: Record, user_id: str) -> Response:
        self._sessions.end_self_enrolment(record, user_id)
        return Response(204)

    def _get_user(self, seen: SeenRequest, user_id: str) -> Response:
        body = self._sessions.user_body(user_id)
        return responses.not_found("user") if body is None else Response(body=body)
