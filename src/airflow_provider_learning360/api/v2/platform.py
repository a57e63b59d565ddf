"""API v2 as the rest of the provider asks for it: which calls a question takes."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

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
from airflow_provider_learning360.api.v2.completions import read_pages
from airflow_provider_learning360.api.v2.floor import format_filter_date
from airflow_provider_learning360.api.v2.links import PagedList
from airflow_provider_learning360.api.v2.poll import ModifiedPoll, stream_pages
from airflow_provider_learning360.api.v2.recently_read import RecentlyRead
from airflow_provider_learning360.api.v2.scopes import NEEDED_FOR, describe_loss, needing
from airflow_provider_learning360.api.v2.users import UserDirectory, find_login, find_mail

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    from airflow_provider_learning360.api.completions import Completion
    from airflow_provider_learning360.api.messages import Response
    from airflow_provider_learning360.api.models import Learner, SessionStatistics
    from airflow_provider_learning360.api.platform import Keys, Plan, SessionFilter, StreamPlan
    from airflow_provider_learning360.api.v2.scopes import Scope
    from airflow_provider_learning360.api.v2.users import User

T = TypeVar("T")

# Seconds for which a path is not read again: once in a run. Each poll begins with `forget`.
PATH_AGE = 600.0
MAX_PATHS = 5000
NAMES_AGE = 600.0  # seconds for which the names of custom fields are remembered
# Codes of a session whose learners are not chosen by an audience.
_NO_AUDIENCE = frozenset({"sessionIsNotAudienceBuilder", "unsupportedAudienceFilter"})


class PlatformV2(Platform):
    """
    Program sessions through API v2, where they are called path sessions.

    :param host: Base URL of the connection.
    :param monotonic: Monotonic clock, in seconds.
    :param full_interval: Seconds between complete lists of a poll.
    """

    version = "v2"
    # A list of what was modified is one request, whatever the number of sessions.
    single_poll_limit = 1

    def __init__(self, host: str, monotonic: Callable[[], float], full_interval: float) -> None:
        self._host = host
        self._monotonic = monotonic
        self._full_interval = full_interval
        self._users = UserDirectory(host, monotonic)
        self._paths: RecentlyRead[dict[str, Any]] = RecentlyRead(monotonic, PATH_AGE, MAX_PATHS)
        # A session never changes its path.
        self._path_of: dict[str, str] = {}
        self._field_names: RecentlyRead[dict[str, str]] = RecentlyRead(monotonic, NAMES_AGE, 1)

    def get_session(self, session_id: str, keys: Keys = None) -> Plan[ProgramSession]:
        """Plan one call for the session, and those that its keys need."""
        return self._get_session(require_session_id(session_id), keys)

    def _get_session(self, session_id: str, keys: Keys) -> Plan[ProgramSession]:
        session: ProgramSession = yield from needing("paths:read", _one(self._read_base(session_id)))
        if (path_id := _path_id_of(session)) is not None:
            self._path_of[session_id] = path_id
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
        if not missing:
            return session
        part = yield from self._read_parts(session, _require_path_id(session), missing)
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
        path = self._paths.find(path_id)
        if path is None:
            call = calls.read_object("the requested path", calls.build_path("paths", path_id), path_id)
            path = yield from needing("paths:read", _one(call))
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
        read = self._read_list("values of custom fields", path, documents.pick_custom_value)
        values = yield from needing("paths:read", read, keys=("customFields",))
        names = (yield from self._read_field_names()) if values else {}
        return documents.build_custom_fields(values, names)

    def _read_field_names(self) -> Plan[dict[str, str]]:
        names = self._field_names.find("")
        if names is None:
            fields = self._read_list("a list of custom fields", calls.CUSTOM_FIELDS, documents.pick_field_name)
            names = dict((yield from needing("customFields:read", fields, keys=("customFields",))))
            self._field_names.keep("", names)
        return names

    def _read_people(
        self, session: ProgramSession, path: Mapping[str, Any], path_id: str, missing: frozenset[str]
    ) -> Plan[dict[str, Any]]:
        """Plan to read author, tutors and learners; one search for the mails of all."""
        author = path.get("authorId")
        authors = [author] if "author" in missing and calls.is_id(author) else []
        tutors = _tutor_ids(session) if "tutors" in missing else []
        learners = (yield from self._read_enrolled(path_id, session.id)) if "users" in missing else []
        keys = tuple(sorted(missing & documents.MAIL_KEYS))
        users = yield from self._users.find([*authors, *tutors, *learners], keys)
        part: dict[str, Any] = yield Work(partial(_build_people, users, authors, tutors, learners))
        return part

    def _read_enrolled(self, path_id: str, session_id: str) -> Plan[list[str]]:
        path = calls.build_path("paths", path_id, "enrollments")
        query = calls.build_filter(sessionId={"eq": session_id}, status={"eq": "published"})
        enrolled = self._read_list("a list of enrolments", path, _pick_user_id, query)
        return list(dict.fromkeys((yield from needing("paths:read", enrolled, keys=("users",)))))

    def _read_list(
        self, what: str, path: str, pick: calls.Pick[T], query: tuple[tuple[str, str], ...] = ()
    ) -> Plan[list[T]]:
        return calls.read_list(what, PagedList(path, query, host=self._host), pick)

    def _find_path(self, session_id: str) -> Plan[str]:
        """Plan to find the path of a session, which most routes need."""
        if session_id not in self._path_of:
            return _require_path_id((yield from self._get_session(session_id, SESSION_KEYS_ONLY)))
        return self._path_of[session_id]

    def list_sessions(self, where: SessionFilter = EVERYTHING, keys: Keys = SESSION_KEYS_ONLY) -> Plan[SessionList]:
        """Plan one call for each page of 500 sessions, and for more keys those of each session."""
        listed: SessionList = yield from needing("paths:read", self._list(where))
        wanted = documents.ALL_KEYS if keys is None else keys & documents.ALL_KEYS
        if wanted - documents.SESSION_KEYS:
            yield from self._complete_all(listed, keys)
        return listed

    def _complete_all(self, listed: SessionList, keys: Keys) -> Plan[None]:
        """Plan to complete each session; one that cannot be, or is gone meanwhile, is left out and counted."""
        sessions, listed.sessions = listed.sessions, []
        for position, session in enumerate(sessions, 1):
            try:
                listed.sessions.append((yield from self.complete_session(session, keys)))
            except (ContractError, NotFoundError) as error:
                failure: LearningError = error
                listed.unreadable.add(position, {"_id": session.id}, str(error).rstrip("."))
        if sessions and not listed.sessions:
            raise failure

    def _list(self, where: SessionFilter) -> Plan[SessionList]:
        pages, listed = PagedList(calls.SESSIONS, _query(where), host=self._host), SessionList()
        while (request := pages.request) is not None:
            parse = partial(_parse_list_page, is_first=not pages.page_count)
            page: SessionList = yield pages.read_page(request, parse)
            listed.add(page)
            self._path_of |= {one.id: path_id for one in page.sessions if (path_id := _path_id_of(one)) is not None}
        # A session that is modified while the pages are read may be on two of them.
        listed.sessions = list({one.id: one for one in listed.sessions}.values())
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
        users = yield from self._users.find(enrolled)
        names = ("_id", "mail", "firstName", "lastName", "status")
        learners: list[Learner] = yield Work(partial(_build_learners, users, enrolled, names))
        return learners

    def get_statistics(self, session_id: str, *, with_people: bool = True) -> Plan[SessionStatistics]:
        """Plan to read the statistics of the enrolled learners, and who they are."""
        return self._get_statistics(require_session_id(session_id), with_people)

    def _get_statistics(self, session_id: str, with_people: bool) -> Plan[SessionStatistics]:
        name = (yield from self._get_session(session_id, SESSION_KEYS_ONLY)).name if with_people else None
        path_id = yield from self._find_path(session_id)
        path = calls.build_path("paths", path_id, "sessions", session_id, "user-stats")
        rows = yield from needing("pathStats:read", self._read_list("statistics of users", path, progress.pick_row))
        enrolled: dict[str, progress.Row] = yield Work(partial(progress.find_enrolled, rows))
        users = (yield from self._users.find(enrolled)) if with_people else {}
        statistics: SessionStatistics = yield Work(partial(progress.build_statistics, name, enrolled.values(), users))
        return statistics

    def count_completions(self, session_id: str) -> Plan[CompletionCount]:
        """Plan one call, to the counts of a session by status."""
        return self._count_completions(require_session_id(session_id))

    def _count_completions(self, session_id: str) -> Plan[CompletionCount]:
        path_id = yield from self._find_path(session_id)
        path = calls.build_path("paths", path_id, "sessions", session_id, "user-statuses")
        counts = yield from needing("pathStats:read", _one(calls.read_object("counts by status", path)))
        by_status = counts.get("usersCountByStatus")
        if not isinstance(by_status, dict) or not all(map(_is_count, by_status.values())):
            raise ContractError(
                f"GET {path} returned no counts by status. The API may have changed: please report it.",
                method="GET",
                path=path,
            )
        return CompletionCount(sum(by_status.values()), by_status.get(progress.COMPLETED, 0))

    def read_completions(
        self,
        session_ids: Sequence[str] | None,
        since: datetime,
        take: Callable[[list[Completion]], None],
        note_missing: Callable[[str], None],
    ) -> Plan[datetime | None]:
        """Plan one call for each page of 2,000 completions, of whichever sessions."""
        return needing("pathStats:read", read_pages(self._host, since, take))

    def test(self) -> Plan[None]:
        """Plan the question for a session that does not exist: a few bytes."""
        request = Request("GET", calls.SESSIONS, calls.build_filter(sessionId={"eq": calls.NO_ID}))
        yield from needing("paths:read", _one(Call(request, parse_session_list)))

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
            except LearningError as error:
                checks.append(_describe_refusal(scope, error))
                continue
            checks.append(AccessCheck(scope, True, f"is granted, for {purpose}"))
        return checks

    def require_due_dates(self) -> None:
        """Accept: learners have due dates."""


def _one(call: Call[Any]) -> Plan[Any]:
    """Plan one call."""
    return (yield call)


def _describe_refusal(scope: Scope, error: LearningError) -> AccessCheck:
    if isinstance(error, ForbiddenError) and error.code == "invalid_scope":
        return AccessCheck(scope, False, describe_loss(scope))
    return AccessCheck(scope, None, f"could not be tested: {error}")


def _ignore(response: Response) -> None:
    """Read nothing: only the status counts."""


def _parse_base(session_id: str, response: Response) -> ProgramSession:
    """Parse the list of at most one session; an empty list means that there is no such session."""
    listed = parse_session_list(response, convert=documents.build_session)
    for session in listed.sessions:
        if session.id.lower() == session_id:
            return session.with_coverage(documents.build_coverage(documents.SESSION_KEYS))
    if listed.sessions:
        raise build_contract_error("the requested path session", response, "it has another _id")
    request = response.request
    raise NotFoundError(
        f"{request}?sessionId[eq]={session_id} found no path session. "
        "Check the ID, and that it belongs to the company of the connection.",
        method=request.method,
        path=request.path,
        status=response.status,
        code="sessionNotFound",
    )


def _parse_list_page(response: Response, *, is_first: bool) -> SessionList:
    listed = parse_session_list(response, documents.build_session, may_be_unreadable=not is_first)
    coverage = documents.build_coverage(documents.SESSION_KEYS)
    for session in listed.sessions:
        session.with_coverage(coverage)
    return listed


def _path_id_of(session: ProgramSession) -> str | None:
    path_id = (session.model_extra or {}).get("pathId")
    return path_id if calls.is_id(path_id) else None


def _require_path_id(session: ProgramSession) -> str:
    path_id = _path_id_of(session)
    if path_id is None:
        raise ContractError(
            f"Path session {session.id} has no ID of a path as pathId. The API may have changed: please report it."
        )
    return path_id


def _pick_user_id(item: Mapping[str, Any]) -> str | None:
    user_id = item.get("userId")
    return user_id if calls.is_id(user_id) else None


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _complete(session: ProgramSession, part: Mapping[str, Any], keys: frozenset[str]) -> ProgramSession:
    from airflow_provider_learning360.api.models import parse_part

    known = session.coverage.expected or frozenset()
    return parse_part(session, part).with_coverage(documents.build_coverage(known | keys))


def _tutor_ids(session: ProgramSession) -> list[str]:
    own = session.model_extra or {}
    others = own.get("instructorIds")
    ids = [own.get("mainInstructorId"), *(others if isinstance(others, list) else [])]
    return list(dict.fromkeys(one for one in ids if calls.is_id(one)))


def _build_people(
    users: Mapping[str, User], authors: list[str], tutors: list[str], learners: list[str]
) -> dict[str, Any]:
    part = {
        "tutors": [find_login(users[one]) for one in tutors],
        "users": _build_learners(users, learners, ("_id", "mail", "status")),
    }
    return {**part, "author": find_login(users[authors[0]])} if authors else part


def _build_learners(users: Mapping[str, User], enrolled: list[str], names: tuple[str, ...]) -> list[Any]:
    return [_build_learner(users[one], names) for one in enrolled]


def _build_learner(user: User, names: tuple[str, ...]) -> dict[str, str]:
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

    if moment is None or not moment.microsecond:
        return _date(moment)
    try:
        return _date(moment + timedelta(seconds=1))
    except OverflowError:  # the last second that there is
        return None
