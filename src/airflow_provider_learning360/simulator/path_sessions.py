"""The sessions, paths and learners of the company as API v2 lists them: filtered, in order, one position each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_learning360.simulator.enrolments import (
    LONGEST_COURSE,
    Period,
    count_statuses,
    make_enrolment_view,
    make_row,
)
from airflow_provider_learning360.simulator.filters import accepts_all, read_moment
from airflow_provider_learning360.simulator.path_patches import Refusal, require_running
from airflow_provider_learning360.simulator.path_views import (
    PathSession,
    make_path_view,
    make_session_view,
    make_user_view,
)
from airflow_provider_learning360.simulator.responses import to_json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import datetime

    from airflow_provider_learning360.simulator.filters import Condition
    from airflow_provider_learning360.simulator.pages import Position
    from airflow_provider_learning360.simulator.people import People
    from airflow_provider_learning360.simulator.request_log import SeenRequest
    from airflow_provider_learning360.simulator.sample_data import Document
    from airflow_provider_learning360.simulator.sessions import Record, Sessions

    Change = Callable[[SeenRequest, Document, People, datetime], dict[str, Any]]
    Items = Iterator[tuple[Position, bytes]]


class PathSessions:
    """What the routes of v2 list.

    :param sessions: the sessions of v1: the same data.
    :param now: the clock.
    """

    def __init__(self, sessions: Sessions, now: Callable[[], datetime]) -> None:
        self._sessions = sessions
        self._now = now

    def view(self, record: Record) -> PathSession:
        """Return a session as v2 shows it."""
        if record.view is None:
            content = make_session_view(record.document, record.modified_at, record.created_at, self._sessions.people)
            values = {key: read_moment(content.get(key)) for key in ("createdAt", "modifiedAt", "startDate", "endDate")}
            values |= {"sessionId": _lower(content["_id"]), "pathId": _lower(content.get("pathId"))}
            record.view = PathSession(content, to_json(content), values, Period.of(record.document))
        return record.view

    def find(self, session_id: str) -> Record | None:
        """Return a session."""
        return self._sessions.record(session_id) if session_id in self._sessions else None

    def change(self, record: Record, seen: SeenRequest, read: Change) -> None:
        """Edit a session as a request says.

        :param record: the session.
        :param seen: the request.
        :param read: reads the fields to edit.
        """
        fields = read(seen, record.document, self._sessions.people, self._now())
        self._sessions.edit(record.document["_id"], fields)

    def end_self_enrolment(self, record: Record, user_id: str) -> None:
        """Unenrol a learner who enrolled without being invited.

        :param record: the session.
        :param user_id: the learner.
        :raises Refusal: the learner is not enrolled, or somebody else enrolled them.
        """
        enrolment = self._sessions.enrolments(record).get(user_id)
        if enrolment is None or enrolment.unenrolled_at:
            raise Refusal(404, "learnerNotEnrolled", "The learner is not enrolled.")
        if not enrolment.self_enrolled:
            raise Refusal(400, "learnerNotSelfEnrolled", "The learner is not self-enrolled.")
        require_running(record.document, self._now())
        users = [one for one in record.document.get("users") or [] if one.get("_id") != user_id]
        self._sessions.edit(record.document["_id"], {"users": users})

    @property
    def custom_field_definitions(self) -> dict[str, Document]:
        """The definitions of the custom fields, by ID."""
        return self._sessions.custom_fields

    def is_in_path(self, record: Record, path_id: str) -> bool:
        """Return whether a session belongs to a path."""
        return bool(self.view(record).values["pathId"] == path_id)

    def has_path(self, path_id: str) -> bool:
        """Return whether there is a path with an ID."""
        return self._sessions.paths.get(path_id) is not None

    def sessions(self, conditions: Sequence[Condition], after: Position | None) -> Items:
        """Yield sessions, without translations."""
        for record in self._records(after):
            view = self.view(record)
            if accepts_all(conditions, view.values):
                yield (record.number,), view.body

    def sessions_of(self, path_id: str, conditions: Sequence[Condition], after: Position | None) -> Items:
        """Yield the sessions of a path, with translations."""
        for record in self._records(after):
            if self.is_in_path(record, path_id) and accepts_all(conditions, self.view(record).values):
                yield (record.number,), self.full_body(record)

    def _records(self, after: Position | None) -> Iterator[Record]:
        first = -1 if after is None else after[0]
        return (record for record in self._sessions.records() if record.number > first)

    def full_body(self, record: Record) -> bytes:
        """Return a session with translations as JSON."""
        return to_json(self.view(record).content | {"translations": []})

    def paths(self, conditions: Sequence[Condition], after: Position | None) -> Items:
        """Yield paths."""
        for path in self._sessions.paths:
            values = {"createdAt": read_moment(path.created_at), "modifiedAt": read_moment(path.modified_at)}
            if (after is None or path.number > after[0]) and accepts_all(conditions, values | {"status": path.status}):
                yield (path.number,), self.path_body(path.path_id)

    def path_view(self, path_id: str) -> Document:
        """Return a path as v2 shows it."""
        path = self._sessions.paths.get(path_id)
        assert path is not None
        return make_path_view(path, self._sessions.people)

    def path_body(self, path_id: str) -> bytes:
        """Return a path as JSON."""
        return to_json(self.path_view(path_id))

    def enrolments_of(self, path_id: str, conditions: Sequence[Condition], after: Position | None) -> Items:
        """Yield the enrolments in all sessions of a path."""
        for record in self._records_from(after):
            if not self.is_in_path(record, path_id) or not _may_hold(record, conditions):
                continue
            for place, enrolment in self._enrolments(record, after):
                view = make_enrolment_view(record.document["_id"], enrolment)
                values = view | {key: read_moment(view[key]) for key in ("createdAt", "modifiedAt")}
                if accepts_all(conditions, values):
                    yield (record.number, place), to_json(view)

    def _records_from(self, after: Position | None) -> Iterator[Record]:
        first = -1 if after is None else after[0]
        return (record for record in self._sessions.records() if record.number >= first)

    def _enrolments(self, record: Record, after: Position | None) -> Iterator[tuple[int, Any]]:
        for place, enrolment in enumerate(self._sessions.enrolments(record).values()):
            if after is None or (record.number, place) > after:
                yield place, enrolment

    def rows_of(self, record: Record, conditions: Sequence[Condition], after: Position | None) -> Items:
        """Yield the progress of the learners of a session; positions count the learners."""
        start = None if after is None else (record.number, *after)
        for (_, place), row in self._rows(record, conditions, start):
            yield (place,), to_json(row)

    def rows(self, conditions: Sequence[Condition], after: Position | None) -> Items:
        """Yield the progress of the learners of all sessions."""
        for record in self._records_from(after):
            if self._may_hold_rows(record, conditions):
                names = {"pathId": self.view(record).content.get("pathId"), "sessionId": record.document["_id"]}
                for position, row in self._rows(record, conditions, after):
                    yield position, to_json(row | names)

    def _rows(
        self, record: Record, conditions: Sequence[Condition], after: Position | None
    ) -> Iterator[tuple[tuple[int, int], Document]]:
        now, period = self._now().timestamp(), self.view(record).period
        path_id, is_filtered = self.view(record).values["pathId"], bool(conditions)
        for place, enrolment in self._enrolments(record, after):
            values = is_filtered and {
                "completedAt": read_moment(enrolment.completed_at),
                "userId": enrolment.user_id,
                "pathId": path_id,
                "status": "archived" if enrolment.unenrolled_at else "published",
            }
            if not values or accepts_all(conditions, values):
                yield (record.number, place), make_row(record.document["_id"], enrolment, period, now)

    def _may_hold_rows(self, record: Record, conditions: Sequence[Condition]) -> bool:
        """Return whether a session can have such rows. To make the learners of 10,000 sessions takes seconds."""
        values = {"pathId": self.view(record).values["pathId"]}
        if not accepts_all([one for one in conditions if one.name == "pathId"], values):
            return False
        floors = [one.operand for one in conditions if (one.name, one.operator) == ("completedAt", "gte")]
        return not floors or self._last_completion(record) >= floors[0]

    def _last_completion(self, record: Record) -> float:
        start, now = self.view(record).period.start, self._now().timestamp()
        if record.items is None and start is not None and not start <= now <= start + LONGEST_COURSE:
            return min(start + LONGEST_COURSE, now) if start < now else 0
        return self._sessions.latest_completion(record)

    def counts(self, record: Record) -> dict[str, int]:
        """Return how many learners of a session have each status."""
        now, enrolments = self._now().timestamp(), self._sessions.enrolments(record)
        return count_statuses(enrolments.values(), self.view(record).period, now)

    def users(self, conditions: Sequence[Condition], after: Position | None) -> Items:
        """Yield all users of the platform."""
        first = 0 if after is None else after[0] + 1
        for place, person in enumerate(self._sessions.people.all()[first:], first):
            values = {"status": "active"} | person
            if accepts_all(conditions, values):
                yield (place,), to_json(make_user_view(person))

    def user_body(self, user_id: str) -> bytes | None:
        """Return a user as JSON, or None."""
        person = self._sessions.people.get(user_id)
        return None if person is None else to_json(make_user_view(person))

    def custom_fields(self, conditions: Sequence[Condition], after: Position | None) -> Items:
        """Yield the definitions of the custom fields."""
        for place, definition in enumerate(self._sessions.custom_fields.values()):
            if (after is None or place > after[0]) and accepts_all(conditions, definition):
                yield (place,), to_json(definition)


def _lower(value: Any) -> Any:
    return value.lower() if isinstance(value, str) else value


def _may_hold(record: Record, conditions: Sequence[Condition]) -> bool:
    named = [one for one in conditions if one.name == "sessionId"]
    return accepts_all(named, {"sessionId": _lower(record.document["_id"])})
