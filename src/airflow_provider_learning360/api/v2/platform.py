"""API v2 as the rest of the house asks for it: which calls a question takes."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from airflow_provider_learning360.api.errors import ContractError, ForbiddenError, LearningError, NotFoundError
from airflow_provider_learning360.api.list_entries import SessionList, parse_session_list
from airflow_provider_learning360.api.messages import Call, Request
from airflow_provider_learning360.api.models import ProgramSession, build_contract_error
from airflow_provider_learning360.api.platform import (
    EVERYTHING,
    SESSION_KEYS_ONLY,
    AccessCheck,
    CompletionCount,
    Platform,
    SessionPoll,
    Work,
)
from airflow_provider_learning360.api.session_ids import require_session_id
from airflow_provider_learning360.api.v2 import calls, documents, progress
from airflow_provider_learning360.api.v2.floor import format_filter_date
from airflow_provider_learning360.api.v2.links import find_next
from airflow_provider_learning360.api.v2.path_memory import PathMemory
from airflow_provider_learning360.api.v2.poll import ModifiedPoll, stream_pages
from airflow_provider_learning360.api.v2.scopes import NEEDED_FOR, describe_missing, needing
from airflow_provider_learning360.api.v2.users import UserDirectory, find_login, find_mail

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from datetime import datetime

    from airflow_provider_learning360.api.messages import Response
    from airflow_provider_learning360.api.models import Learner, SessionStatistics
    from airflow_provider_learning360.api.platform import Keys, Plan, SessionFilter, StreamPlan
    from airflow_provider_learning360.api.v2.users import User

# Codes of a session whose learners are not chosen by an audience.
_NO_AUDIENCE = frozenset({"sessionIsNotAudienceBuilder", "unsupportedAudienceFilter"})


class PlatformV2(Platform):
    """
    Program sessions through API v2, where they are called path sessions.

    :param host: Base URL of the connection.
    :param monotonic: Monotonic clock, in seconds.
    :param full_interval: Seconds between complete lists of a poll.
    """

    # A list of what was modified is one request, whatever the number of sessions.
    single_poll_limit = 1

    def __init__(self, host: str, monotonic: Callable[[], float], full_interval: float) -> None:
        self._host = host
        self._monotonic = monotonic
        self._full_interval = full_interval
        self._users = UserDirectory(host, monotonic)
        self._paths = PathMemory(monotonic)
        # A session never changes its path.
        self._path_of: dict[str, str] = {}
        self._field_names: dict[str, Any] | None = None

    def get_session(self, session_id: str, keys: Keys = None) -> Plan[ProgramSession]:
        """Plan one call for the session, and those that its keys need."""
        return self._get_session(require_session_id(session_id), keys)

    def _get_session(self, session_id: str, keys: Keys) -> Plan[ProgramSession]:
        session: ProgramSession = yield from needing("paths:read", _one(self._read_base(session_id)))
        self._remember_path(session)
        return (yield from self.complete_session(session, keys))

    def _read_base(self, session_id: str) -> Call[ProgramSession]:
        # By a filter: the route of one session needs its path, and sends its translations.
        query = calls.build_filter(sessionId={"eq": session_id})
        return Call(Request("GET", calls.SESSIONS, query), partial(_parse_base, session_id))

    def complete_session(self, session: ProgramSession, keys: Keys = None) -> Plan[ProgramSession]:
        """Plan the calls that the wanted keys need beside that of the session."""
        wanted = documents.ALL_KEYS if keys is None else keys & documents.ALL_KEYS
        known = session.coverage.expected or frozenset()
        missing = frozenset(wanted - documents.SESSION_KEYS - known)
        path_id = (session.model_extra or {}).get("pathId")
        if not missing or not isinstance(path_id, str):
            return session
        part = yield from self._read_parts(session, path_id, missing)
        completed: ProgramSession = yield Work(partial(_complete, session, part, missing))
        return completed

    def _read_parts(self, session: ProgramSession, path_id: str, missing: frozenset[str]) -> Plan[dict[str, Any]]:
        part: dict[str, Any] = {}
        path: dict[str, Any] = {}
        if missing & (documents.PATH_KEYS | {"author"}):
            path = yield from self._read_path(path_id)
            part |= documents.build_path_part(path)
        if "groups" in missing:
            part |= yield from self._read_groups(path_id, session.id)
        if "customFields" in missing:
            part["customFields"] = yield from self._read_custom_fields(path_id, session.id)
        if missing & documents.MAIL_KEYS:
            part |= yield from self._read_people(session, path, path_id, missing)
        return {name: value for name, value in part.items() if name in missing}

    def _read_path(self, path_id: str) -> Plan[dict[str, Any]]:
        known = self._paths.get(path_id)
        if known is not None:
            return known
        call = calls.read_object("a path", calls.build_path("paths", path_id))
        path: dict[str, Any] = yield from needing("paths:read", _one(call))
        self._paths.keep(path_id, path)
        return path

    def _read_groups(self, path_id: str, session_id: str) -> Plan[dict[str, Any]]:
        path = calls.build_path("paths", path_id, "sessions", session_id, "audiences")
        try:
            audience = yield from needing("paths:read", _one(calls.read_object("an audience", path)), keys=("groups",))
        except ContractError as error:
            if error.code in _NO_AUDIENCE:
                return {}
            raise
        return {"groups": documents.find_groups(audience)}

    def _read_custom_fields(self, path_id: str, session_id: str) -> Plan[list[dict[str, Any]]]:
        path = calls.build_path("paths", path_id, "sessions", session_id, "custom-fields", "values")
        values = yield from needing("paths:read", self._pages("values of custom fields", path), keys=("customFields",))
        if not values:
            return []
        if self._field_names is None:
            fields = self._pages("a list of custom fields", calls.CUSTOM_FIELDS)
            found = yield from needing("customFields:read", fields, keys=("customFields",))
            self._field_names = {one["_id"]: one["name"] for one in found if "_id" in one and "name" in one}
        return documents.build_custom_fields(values, self._field_names)

    def _read_people(
        self, session: ProgramSession, path: Mapping[str, Any], path_id: str, missing: frozenset[str]
    ) -> Plan[dict[str, Any]]:
        """Plan to read author, tutors and learners; one search for the mails of all."""
        authors = [author] if isinstance(author := path.get("authorId"), str) and "author" in missing else []
        tutors = _tutor_ids(session) if "tutors" in missing else []
        learners = (yield from self._read_enrolled(path_id, session.id)) if "users" in missing else []
        keys = tuple(sorted(missing & documents.MAIL_KEYS))
        users = yield from self._users.find([*authors, *tutors, *learners], keys)
        part: dict[str, Any] = {
            "tutors": [find_login(users[one]) for one in tutors],
            "users": [_learner(users[one], ("_id", "mail", "status")) for one in learners],
        }
        return part | {"author": find_login(users[authors[0]])} if authors else part

    def _read_enrolled(self, path_id: str, session_id: str) -> Plan[list[str]]:
        query = calls.build_filter(sessionId={"eq": session_id}, status={"eq": "published"})
        rows = self._pages("a list of enrolments", calls.build_path("paths", path_id, "enrollments"), query)
        found = yield from needing("paths:read", rows, keys=("users",))
        return list(dict.fromkeys(row["userId"] for row in found if isinstance(row.get("userId"), str)))

    def _pages(self, what: str, path: str, query: tuple[tuple[str, str], ...] = ()) -> Plan[list[dict[str, Any]]]:
        return calls.read_list(what, path, query, host=self._host)

    def _find_path(self, session_id: str) -> Plan[str]:
        """Plan to find the path of a session, which most routes need."""
        if session_id not in self._path_of:
            yield from self._get_session(session_id, SESSION_KEYS_ONLY)
        return self._path_of[session_id]

    def _remember_path(self, session: ProgramSession) -> None:
        path_id = (session.model_extra or {}).get("pathId")
        if not isinstance(path_id, str):
            raise ContractError(f"Path session {session.id} has no pathId. The API may have changed: please report it.")
        self._path_of[session.id] = path_id

    def list_sessions(self, where: SessionFilter = EVERYTHING, keys: Keys = SESSION_KEYS_ONLY) -> Plan[SessionList]:
        """Plan one call for each page of 500 sessions, and for more keys those of each session."""
        listed = yield from needing("paths:read", self._list(where))
        wanted = documents.ALL_KEYS if keys is None else keys & documents.ALL_KEYS
        if wanted - documents.SESSION_KEYS:
            for place, session in enumerate(listed.sessions):
                listed.sessions[place] = yield from self.complete_session(session, keys)
        return listed

    def _list(self, where: SessionFilter) -> Plan[SessionList]:
        request: Request | None = Request("GET", calls.SESSIONS, _query(where))
        listed, seen = SessionList(), set[Any]()
        while request is not None:
            page, link = yield Call(request, _parse_list_page, kind="list")
            listed.add(page)
            request = find_next(link, request, seen, self._host)
        return listed

    def stream_sessions(self, where: SessionFilter = EVERYTHING) -> StreamPlan:
        """Plan one call for each page."""
        return needing("paths:read", stream_pages(_query(where), self._host))

    def new_poll(self) -> SessionPoll:
        """Return a poll of what was modified."""
        return ModifiedPoll(self._host, self._full_interval, self._monotonic, self._paths, self._path_of)

    def forget(self) -> None:
        """Forget the paths, so that the next document has their present state."""
        self._paths.clear()

    def get_learners(self, session_id: str) -> Plan[list[Learner]]:
        """Plan to read the published enrolments of a session, and who they are."""
        return self._get_learners(require_session_id(session_id))

    def _get_learners(self, session_id: str) -> Plan[list[Learner]]:
        path_id = yield from self._find_path(session_id)
        enrolled = yield from self._read_enrolled(path_id, session_id)
        users = yield from self._users.find(enrolled, ())
        return [_learner(users[one], ("_id", "mail", "firstName", "lastName", "status")) for one in enrolled]

    def get_statistics(self, session_id: str) -> Plan[SessionStatistics]:
        """Plan to read the statistics of the enrolled learners, and who they are."""
        return self._get_statistics(require_session_id(session_id))

    def _get_statistics(self, session_id: str) -> Plan[SessionStatistics]:
        session = yield from self._get_session(session_id, SESSION_KEYS_ONLY)
        path = calls.build_path("paths", self._path_of[session_id], "sessions", session_id, "user-stats")
        rows = yield from needing("pathStats:read", self._pages("statistics of users", path))
        enrolled = progress.find_enrolled(rows)
        users = yield from self._users.find(row["userId"] for row in enrolled)
        statistics: SessionStatistics = yield Work(partial(progress.build_statistics, session.name, enrolled, users))
        return statistics

    def count_completions(self, session_id: str) -> Plan[CompletionCount]:
        """Plan one call, to the counts of a session by status."""
        return self._count_completions(require_session_id(session_id))

    def _count_completions(self, session_id: str) -> Plan[CompletionCount]:
        path_id = yield from self._find_path(session_id)
        path = calls.build_path("paths", path_id, "sessions", session_id, "user-statuses")
        counts = yield from needing("pathStats:read", _one(calls.read_object("counts by status", path)))
        by_status = counts.get("usersCountByStatus")
        if not isinstance(by_status, dict) or not all(isinstance(one, int) for one in by_status.values()):
            raise ContractError(
                f"GET {path} returned no counts by status. The API may have changed: please report it.",
                method="GET",
                path=path,
            )
        return CompletionCount(sum(by_status.values()), by_status.get(progress.COMPLETED, 0))

    def test(self) -> Plan[None]:
        """Plan the question for a session that does not exist: a few bytes."""
        request = Request("GET", calls.SESSIONS, calls.build_filter(sessionId={"eq": calls.NO_ID}))
        yield from needing("paths:read", _one(calls.read_page("a list of path sessions", request)))

    def check_access(self) -> Plan[list[AccessCheck]]:
        """Plan one cheap call for each scope."""
        probes = {
            "paths:read": (calls.SESSIONS, calls.build_filter(sessionId={"eq": calls.NO_ID})),
            "pathStats:read": (calls.PATH_STATS, calls.build_filter(pathId={"eq": calls.NO_ID})),
            "users:read": (calls.build_path("users", calls.NO_ID), ()),
            "customFields:read": (calls.CUSTOM_FIELDS, calls.build_filter(name={"eq": "none"})),
        }
        checks = []
        for scope, purpose in NEEDED_FOR.items():
            path, query = probes[scope]
            try:
                yield Call(Request("GET", path, query), _ignore)
            except NotFoundError:
                pass
            except ForbiddenError:
                checks.append(AccessCheck(scope, False, describe_missing(scope)))
                continue
            except LearningError as error:
                checks.append(AccessCheck(scope, None, str(error)))
                continue
            checks.append(AccessCheck(scope, True, purpose))
        return checks

    def require_due_dates(self) -> None:
        """Accept: learners have due dates."""


def _one(call: Call[Any]) -> Plan[Any]:
    """Plan one call."""
    return (yield call)


def _ignore(response: Response) -> None:
    """Read nothing: only the status counts."""


def _parse_base(session_id: str, response: Response) -> ProgramSession:
    """Parse the list of at most one session; an empty list means that there is no such session."""
    listed = parse_session_list(response, convert=documents.build_session)
    request = response.request
    if listed.unreadable.count:
        raise build_contract_error("a path session", response, listed.unreadable.problem)
    if not listed.sessions:
        raise NotFoundError(
            f"{request}?sessionId[eq]={session_id} found no path session. "
            "Check the ID, and that it belongs to the company of the connection.",
            method=request.method,
            path=request.path,
            status=response.status,
            code="sessionNotFound",
        )
    session = listed.sessions[0]
    if session.id.lower() != session_id:
        raise build_contract_error("the requested path session", response, "it has another _id")
    return session.with_coverage(documents.build_coverage(documents.SESSION_KEYS))


def _parse_list_page(response: Response) -> tuple[SessionList, str]:
    listed = parse_session_list(response, convert=documents.build_session)
    coverage = documents.build_coverage(documents.SESSION_KEYS)
    for session in listed.sessions:
        session.with_coverage(coverage)
    return listed, response.headers.get("link", "")


def _complete(session: ProgramSession, part: Mapping[str, Any], keys: frozenset[str]) -> ProgramSession:
    from airflow_provider_learning360.api.models import parse_part

    known = session.coverage.expected or frozenset()
    return parse_part(session, part).with_coverage(documents.build_coverage(known | keys))


def _tutor_ids(session: ProgramSession) -> list[str]:
    own = session.model_extra or {}
    others = own.get("instructorIds")
    ids = [own.get("mainInstructorId"), *(others if isinstance(others, list) else [])]
    return list(dict.fromkeys(one for one in ids if isinstance(one, str)))


def _learner(user: User, names: Iterable[str]) -> Any:
    """Return a learner. One who is invited or deleted has no mail here, so that no reminder goes there."""
    learner = {name: user[name] for name in names if name in user}
    if find_mail(user) is None:
        learner.pop("mail", None)
    if learner.get("status") == "active":
        del learner["status"]
    return learner


def _query(where: SessionFilter) -> tuple[tuple[str, str], ...]:
    return calls.build_filter(
        pathId={"eq": where.template_id},
        startDate={"gte": _date(where.starts_after), "lt": _date_after(where.starts_before)},
        endDate={"gte": _date(where.ends_after), "lt": _date_after(where.ends_before)},
        modifiedAt={"gte": _date(where.modified_since)},
    )


def _date(moment: datetime | None) -> str | None:
    return None if moment is None else format_filter_date(moment)


def _date_after(moment: datetime | None) -> str | None:
    """Return the whole second at or after a time: the filter may find more than is wanted, never less."""
    from datetime import timedelta

    if moment is None:
        return None
    return format_filter_date(moment + timedelta(seconds=1) if moment.microsecond else moment)
