"""The vendor's routes: from a request to an answer, with no socket in sight."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlencode

from airflow_provider_learning360.simulator import answers, patches
from airflow_provider_learning360.simulator.answers import Answer

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_learning360.simulator.keys import Keys
    from airflow_provider_learning360.simulator.sessions import Sessions
    from airflow_provider_learning360.simulator.traffic import SeenRequest

_IDENTIFIER = re.compile(r"[0-9a-fA-F]{24}")
_SESSIONS = "/api/v1/programs/sessions"


class Routes:
    """The API of one company.

    :param sessions: what it holds.
    :param keys: who may come in.
    """

    def __init__(self, sessions: Sessions, keys: Keys) -> None:
        self._sessions = sessions
        self._keys = keys
        one = f"{_SESSIONS}/([^/]+)"
        table: tuple[tuple[str, str, Callable[..., Answer]], ...] = (
            ("GET", f"{_SESSIONS}/?", self._all),
            ("GET", f"{one}/?", self._one),
            ("PATCH", f"{one}/?", self._patch),
            ("GET", f"{one}/users/?", self._users),
            ("GET", f"{one}/stats/?", self._statistics),
            ("GET", f"{one}/stats/([^/]+)/?", self._learner),
            ("GET", r"/api/v1/programs/?", self._old_list),
            ("GET", r"/api/v1/programs/([0-9a-fA-F]{24})/?", self._old_one),
        )
        self._table = [(method, re.compile(pattern), route) for method, pattern, route in table]

    def answer(self, seen: SeenRequest) -> Answer:
        """The answer to one request."""
        if (seen.method, seen.path) == ("POST", "/api/v2/oauth2/token"):
            return self._keys.exchange(seen)
        if not seen.path.startswith("/api/v1/"):
            return answers.route_not_found()
        if not self._keys.admit(seen):
            return answers.unauthorized()
        method = "GET" if seen.method == "HEAD" else seen.method
        for known_method, pattern, route in self._table:
            match = pattern.fullmatch(seen.path)
            if match and method == known_method:
                return self._checked(route, seen, [unquote(part) for part in match.groups()])
        return answers.route_not_found()

    def _checked(self, route: Callable[..., Answer], seen: SeenRequest, parts: list[str]) -> Answer:
        if not parts or route == self._old_one:
            return route(seen, *parts)
        if not _IDENTIFIER.fullmatch(parts[0]):
            return answers.route_not_found()
        parts[0] = parts[0].lower()
        return route(seen, *parts) if parts[0] in self._sessions else answers.session_not_found()

    def _all(self, seen: SeenRequest) -> Answer:
        return Answer(body=self._sessions.bodies(), holds_sessions=True)

    def _one(self, seen: SeenRequest, session_id: str) -> Answer:
        return Answer(body=self._sessions.body(session_id), holds_sessions=True)

    def _patch(self, seen: SeenRequest, session_id: str) -> Answer:
        try:
            fields = patches.read(seen, self._sessions.document(session_id))
        except ValueError as error:
            return answers.invalid(str(error))
        self._sessions.edit(session_id, fields)
        return answers.answer({})

    def _users(self, seen: SeenRequest, session_id: str) -> Answer:
        return answers.answer(self._sessions.learners(session_id))

    def _statistics(self, seen: SeenRequest, session_id: str) -> Answer:
        return answers.answer(self._sessions.statistics(session_id))

    def _learner(self, seen: SeenRequest, session_id: str, mail_or_id: str) -> Answer:
        item = self._sessions.learner_statistics(session_id, mail_or_id)
        if item is None:
            return answers.refused(404, "user_not_enrolled" if self._sessions.knows(mail_or_id) else "user_not_found")
        return answers.answer(item)

    def _old_list(self, seen: SeenRequest) -> Answer:
        return _moved(_SESSIONS, seen)

    def _old_one(self, seen: SeenRequest, session_id: str) -> Answer:
        return _moved(f"{_SESSIONS}/{session_id}/", seen)


def _moved(path: str, seen: SeenRequest) -> Answer:
    # Keys in the query have to survive the redirect, or the client would arrive as a stranger.
    return answers.redirect(f"{path}?{urlencode(seen.query)}" if seen.query else path)
