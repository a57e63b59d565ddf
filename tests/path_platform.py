"""A platform of paths without a socket: it responds to the calls of a plan, with pages, scopes and errors."""

from __future__ import annotations

import json
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from airflow_provider_learning360.api.error_mapping import error_from_response
from airflow_provider_learning360.api.errors import LearningError
from airflow_provider_learning360.api.messages import Call, Request, Response
from airflow_provider_learning360.api.platform import Work, advance
from airflow_provider_learning360.api.v2.platform import PlatformV2

HOST = "https://example.360learning.com"
SESSION_ID, PATH_ID = "60b8d2956e20ae1a0f8e44f1", "5f0000000000000000000001"
SESSIONS, PATH, USERS = "/api/v2/paths/sessions", f"/api/v2/paths/{PATH_ID}", "/api/v2/users"
ENROLMENTS = f"{PATH}/enrollments"
ONE_SESSION = f"{PATH}/sessions/{SESSION_ID}"
AUDIENCE, VALUES = f"{ONE_SESSION}/audiences", f"{ONE_SESSION}/custom-fields/values"
ROWS, COUNTS = f"{ONE_SESSION}/user-stats", f"{ONE_SESSION}/user-statuses"
CUSTOM_FIELDS = "/api/v2/custom-fields"
ALL_ROUTES = (SESSIONS, PATH, USERS, ENROLMENTS, AUDIENCE, VALUES, ROWS, COUNTS, CUSTOM_FIELDS)
PATH_STATS = "/api/v2/paths/stats"
SCOPES = {
    **dict.fromkeys((ROWS, COUNTS, PATH_STATS), "pathStats:read"),
    USERS: "users:read",
    CUSTOM_FIELDS: "customFields:read",
}


def user_id(number: int) -> str:
    """Return the ID of a user."""
    return f"{number:024x}"


def user(number: int, **more: Any) -> dict[str, Any]:
    """Return a user."""
    return {"_id": user_id(number), "mail": f"user{number}@example.com", "status": "active", "lang": "en"} | more


AUTHOR, TUTOR, CO_TUTOR = user_id(1), user_id(2), user_id(3)
SESSION = {
    "_id": SESSION_ID,
    "pathId": PATH_ID,
    "name": "Introduction to Accounting",
    "startDate": "2026-11-02T08:00:00.000Z",
    "endDate": "2026-12-18T17:00:00.000Z",
    "userLimit": 30,
    "createdAt": "2026-09-01T08:00:00.000Z",
    "modifiedAt": "2026-10-05T09:00:00.000Z",
    "groupId": "5f00000000000000000000aa",
    "mainInstructorId": TUTOR,
    "instructorIds": [CO_TUTOR],
    "isAudienceBuilder": True,
    "registrationRequestValidation": "none",
    "additionalInformation": "Room 4",
}
PATH_DOCUMENT = {
    "_id": PATH_ID,
    "name": "Accounting",
    "authorId": AUTHOR,
    "coAuthorIds": [],
    "groupId": "5f00000000000000000000aa",
    "createdAt": "2026-01-01T08:00:00.000Z",
    "modifiedAt": "2026-02-01T08:00:00.000Z",
    "description": "From bookings to balance sheets",
    "additionalInformation": "Bring a calculator",
    "defaultLang": "en",
    "sourceLang": "fr",
    "estimatedDuration": {"unit": "hour", "value": 3},
    "options": {"automatedReminders": True},
    "status": "published",
    "steps": [
        {"_id": "5f00000000000000000000b1", "type": "course", "options": {}},
        {"_id": "5f00000000000000000000b2", "type": "email", "options": {}},
        {"_id": "5f00000000000000000000b3", "type": "classroom", "options": {}},
    ],
    "translations": [],
}
FIELD_ID = "5f00000000000000000000c1"


@dataclass
class PathPlatform:
    """
    A platform with one session.

    :param learners: Numbers of the users who are enrolled.
    :param users: All users of the platform.
    :param page_size: Items of each page.
    """

    learners: list[int] = field(default_factory=lambda: [4, 5])
    users: list[dict[str, Any]] = field(default_factory=lambda: [user(one) for one in range(1, 6)])
    page_size: int = 500
    session: dict[str, Any] = field(default_factory=lambda: dict(SESSION))
    path: dict[str, Any] = field(default_factory=lambda: dict(PATH_DOCUMENT))
    audience: dict[str, Any] = field(default_factory=lambda: {"filters": [{"type": "groups", "ids": ["g1", "g2"]}]})
    values: list[Any] = field(default_factory=lambda: [{"customFieldId": FIELD_ID, "type": "string", "value": "Paris"}])
    fields: list[Any] = field(default_factory=lambda: [{"_id": FIELD_ID, "name": "City"}])
    rows: list[Any] | None = None
    counts: Any = field(default_factory=lambda: {"usersCountByStatus": {"successful": 1, "onTime": 2}})
    missing_scopes: frozenset[str] = frozenset()
    # By path: what is sent instead, a body or an error's status and code.
    instead: dict[str, bytes | tuple[int, str]] = field(default_factory=dict)
    link: Callable[[Request], str] | None = None
    requests: list[Request] = field(default_factory=list)
    time: float = 0.0
    host: str = HOST

    def __post_init__(self) -> None:
        self.platform = PlatformV2(self.host, lambda: self.time, 3600.0)

    @property
    def paths(self) -> list[str]:
        """Paths of the requests so far; a single user is `/api/v2/users/...`."""
        single = f"{USERS}/"
        return [f"{single}..." if one.path.startswith(single) else one.path for one in self.requests]

    def run(self, plan: Generator[Any, Any, Any]) -> Any:
        """Carry out a plan and return its result."""
        outcome: Any = None
        while True:
            try:
                step = advance(plan, outcome)
            except StopIteration as end:
                return end.value
            try:
                outcome = step.run() if isinstance(step, Work) else self.respond(step)
            except LearningError as error:
                outcome = error

    def stream(self, plan: Generator[Any, Any, None]) -> list[dict[str, Any]]:
        """Carry out the plan of a list and return its entries."""
        entries: list[dict[str, Any]] = []
        outcome: Any = None
        while True:
            try:
                call = advance(plan, outcome)
            except StopIteration:
                return entries
            outcome = self.respond(call)
            if not isinstance(outcome, LearningError):
                entries += outcome.feed(outcome.response.body)
                outcome.close()

    def document(self, keys: frozenset[str] | None = None) -> dict[str, Any]:
        """Read the document of the session."""
        document: dict[str, Any] = self.run(self.platform.get_session(SESSION_ID, keys)).document()
        return document

    def respond(self, call: Call[Any]) -> Any:
        """Return the result of a call, or its error."""
        self.requests.append(call.request)
        response = self.build_response(call.request)
        error = error_from_response(
            call.request, response, connection="the connection", secrets=(), now=datetime(2026, 11, 1, tzinfo=UTC)
        )
        if error is not None:
            return error
        try:
            return call.parse(response)
        except LearningError as error:
            return error

    def build_response(self, request: Request) -> Response:
        """Return the response to a request."""
        route = USERS if request.path.startswith(USERS) else request.path
        if SCOPES.get(route, "paths:read") in self.missing_scopes:
            return _error(request, 403, "invalid_scope")
        given = self.instead.get(request.path)
        if isinstance(given, bytes):
            return Response(request, 200, self._headers(request), given)
        if given is not None:
            return _error(request, *given)
        found = self._find(request)
        return _error(request, 404, "notFound") if found is None else self._build_success(request, found)

    def find_user(self, wanted: str) -> Any:
        """Return the user with an ID, or None."""
        return next((one for one in self.users if one["_id"] == wanted), None)

    def _find(self, request: Request) -> Any:
        if request.path.startswith(f"{USERS}/"):
            return self.find_user(request.path.rpartition("/")[2])
        enrolled = [{"userId": user_id(one), "status": "published"} for one in self.learners]
        rows = [{"userId": user_id(one), "progress": 0, "status": {"type": "onTime"}} for one in self.learners]
        return {
            SESSIONS: [self.session] if dict(request.query).get("sessionId[eq]") in (SESSION_ID, None) else [],
            PATH: self.path,
            USERS: self.users,
            ENROLMENTS: enrolled,
            AUDIENCE: self.audience,
            VALUES: self.values,
            CUSTOM_FIELDS: self.fields,
            ROWS: rows if self.rows is None else self.rows,
            COUNTS: self.counts,
            PATH_STATS: rows,
        }.get(request.path)

    def _build_success(self, request: Request, found: Any) -> Response:
        headers = self._headers(request)
        if isinstance(found, list) and not headers:
            start = int(dict(request.query).get("next", 0))
            end = start + self.page_size
            if end < len(found):
                headers = {"link": f'<{self.host}{request.path}?next={end}>; rel="next"'}
            found = found[start:end]
        return Response(request, 200, headers, json.dumps(found).encode())

    def _headers(self, request: Request) -> dict[str, str]:
        return {"link": self.link(request)} if self.link else {}


def _error(request: Request, status: int, code: str) -> Response:
    body = {"error": {"code": code, "message": "Details"}} if status != 401 else {"error": code}
    return Response(request, status, {}, json.dumps(body).encode())
