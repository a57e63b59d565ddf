"""Sample answers of API v1, made of the sessions that the simulator has: the vendor documents no schemas."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_learning360.simulator.memberships import make_user
from airflow_provider_learning360.simulator.people import derive_id

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from airflow_provider_learning360.simulator.path_sessions import PathSessions
    from airflow_provider_learning360.simulator.paths import Path
    from airflow_provider_learning360.simulator.sample_data import Document
    from airflow_provider_learning360.simulator.sessions import Record, Sessions

_MANY = 3  # courses of a user, learners of a course
# The shapes are those of recorded answers and of the documentation; where neither has a field, it is left out.
_PATH = ("_id", "name", "authorId", "groupId", "description", "createdAt", "modifiedAt", "defaultLang", "sourceLang")


class SamplesV1:
    """The answers of API v1, by the name of the operation. For an unknown ID, the answer is that of another one.

    :param sessions: the company's sessions.
    :param path_sessions: the same sessions as API v2 has them.
    """

    def __init__(self, sessions: Sessions, path_sessions: PathSessions) -> None:
        self._sessions = sessions
        self._path_sessions = path_sessions
        self.reads: dict[str, Callable[..., Any]] = {
            "list-program-templates-v1": lambda: [_view_template(one) for one in sessions.paths],
            "get-program-template-v1": lambda template_id: _view_template(self._path(template_id)),
            "list-program-template-users-v1": lambda template_id: self._learners_of(template_id),
            "list-group-program-sessions-v1": lambda group_id: self._list_invitations("groups", group_id),
            "list-user-program-sessions-v1": lambda user: self._list_invitations("users", user),
            "list-user-courses-v1": lambda user: [_view_attempt(user, place) for place in range(_MANY)],
            "list-course-stats-v1": lambda: [_view_course(derive_id("course", place)) for place in range(_MANY)],
            "get-course-stats-v1": lambda course_id: _view_course(course_id),
            "get-course-learner-stats-v1": lambda course_id, user: _view_attempt(user, 0, course_id),
            "list-paths-v1": lambda: [self._view_path(one.path_id) for one in sessions.paths],
            "get-path-v1": self._view_path,
            "list-path-users-v1": lambda path_id: self._learners_of(path_id),
            "list-path-sessions-v1": lambda: [self._view_session(one) for one in sessions.records()],
            "get-path-session-v1": lambda session_id: self._view_session(self._record(session_id), session_id),
            "list-path-session-users-v1": lambda session_id: _list_people(self._record(session_id).learners),
            "get-path-session-statuses-v1": self._count_statuses,
            "list-path-session-user-stats-v1": lambda session_id: {"usersStats": self._list_rows(session_id)},
            "get-path-session-learner-stats-v1": self._get_learner_row,
        }
        """The answers of reads; each takes the values in the path, in order."""

    def write(self, name: str, number: int) -> Document:
        """Return the answer of a write.

        :param name: name of the operation.
        :param number: how often it was called before: what it creates has another ID each time.
        """
        if name == "delete-path-session-v1":
            return {"status": "path_session_deleted"}
        if not name.startswith("create-"):
            return {}
        return {"sessionId" if "path-session" in name else "_id": derive_id(name, number)}

    def _record(self, session_id: str) -> Record:
        """Return a session; the first one for an ID that no session has.

        :raises KeyError: the company has no session.
        """
        known = self._path_sessions.find(session_id.lower())
        return known or self._sessions.record(next(iter(self._sessions.ids()), session_id))

    def _path(self, path_id: str) -> Path:
        known = self._sessions.paths.get(path_id.lower()) or next(iter(self._sessions.paths), None)
        if known is None:
            raise KeyError(f"no path {path_id!r} in the simulator")
        return known

    def _learners_of(self, path_id: str) -> list[Document]:
        path = self._path(path_id)
        records = [one for one in self._sessions.records() if one.document.get("programTemplate") == path.path_id]
        return _list_people({user["mail"]: user for one in records for user in one.learners}.values())

    def _list_invitations(self, key: str, value: str) -> list[Document]:
        """Return the sessions that a group or a user is in; without modules, as recorded."""
        documents = [one.document for one in self._sessions.records()]
        found = [one for one in documents if _includes(one.get(key), value)] or documents[:1]
        return [{name: one[name] for name in one if name != "modules"} for one in found]

    def _view_path(self, path_id: str) -> Document:
        view = self._path_sessions.path_view(self._path(path_id).path_id)
        sessions = [one for one in self._sessions.records() if self._path_sessions.is_in_path(one, view["_id"])]
        steps = [{name: one[name] for name in ("_id", "title", "type") if name in one} for one in view["steps"]]
        return {
            **{name: view[name] for name in _PATH if name in view},
            "_id": path_id,
            "sessionIds": [one.document["_id"] for one in sessions],
            "steps": steps,
        }

    def _view_session(self, record: Record, session_id: str | None = None) -> Document:
        content = self._path_sessions.view(record).content
        view = {"sessionId": session_id or content["_id"], "sessionName": content.get("name")}
        view |= {"sessionOwnerGroup": content["groupId"], "pathId": content.get("pathId")}
        view |= {name: content[name] for name in ("startDate", "endDate") if name in content}
        mails = record.document.get("tutors", [])
        return view | {
            "instructorsMails": mails,
            "sessionAdditionalInformation": record.document.get("sessionCustom", ""),
        }

    def _count_statuses(self, session_id: str) -> Document:
        return {"usersStatus": self._path_sessions.counts(self._record(session_id))}

    def _list_rows(self, session_id: str) -> list[Document]:
        record = self._record(session_id)
        items = self._sessions.statistics(record.document["_id"])["usersStats"]
        people = {one.get("mail"): one["_id"] for one in self._sessions.people.all()}
        return [_view_row(item, people.get(item["mail"])) for item in items]

    def _get_learner_row(self, session_id: str, mail_or_id: str) -> Document:
        rows = self._list_rows(session_id)
        row = next((one for one in rows if mail_or_id in (one["_id"], one["mail"])), rows[0])
        names = ("progress", "score", "completedAt", "detailedStatus")
        status, time = row["detailedStatus"]["type"], int(row["totalTimeSpentInSeconds"] * 1000)
        return {name: row[name] for name in names if name in row} | {"globalTime": time, "status": status}


def _list_people(people: Iterable[Document]) -> list[Document]:
    return [make_user(one) for one in people]


def _includes(listed: Any, value: str) -> bool:
    """Return whether the groups or users of a session include a value: an ID or a mail."""
    items = listed if isinstance(listed, list) else []
    return any(value == one or (isinstance(one, dict) and value in one.values()) for one in items)


def _view_template(path: Path) -> Document:
    modules = path.keys.get("modules") or []
    elements = [{**one, "title": f"Step {place}"} for place, one in enumerate(modules, 1)]
    view = {"_id": path.path_id, "name": path.name, "description": path.keys.get("description", "")}
    return view | {"author": path.keys.get("author", ""), "elements": elements, "skills": []}


def _view_attempt(user: str, place: int, course_id: str | None = None) -> Document:
    progress = (100, 40, 0)[place % 3]
    attempt: Document = {"_id": course_id or derive_id("course", place), "name": f"Sample course {place + 1}"}
    attempt |= {"progress": progress, "score": progress, "globalTime": 60_000 * (place + 1)}
    if progress:
        attempt |= {"firstActivity": "2026-05-04T08:00:00.000Z", "lastActivity": "2026-05-06T09:30:00.000Z"}
    return attempt | ({"completedAt": "2026-05-06T09:30:00.000Z"} if progress == 100 else {})


def _view_course(course_id: str) -> Document:
    attempts = [_view_attempt("", place, course_id) for place in range(_MANY)]
    users = [{"_id": derive_id("learner", place), "attempts": [one]} for place, one in enumerate(attempts)]
    return {"_id": course_id, "name": "Sample course", "usersStats": users}


def _view_row(item: Document, user_id: str | None) -> Document:
    names = ("deleted", "firstName", "lastName", "mail", "progress", "score")
    row = {"_id": user_id} | {name: item[name] for name in names if name in item}
    row |= {"totalTimeSpentInSeconds": float(item.get("totalTimeSpentInSeconds") or 0)}
    if item.get("endTime"):
        return row | {"completedAt": item["endTime"], "detailedStatus": {"type": "successful"}}
    return row | {"detailedStatus": {"type": "onTime" if item.get("startTime") else "notYetStarted"}}
