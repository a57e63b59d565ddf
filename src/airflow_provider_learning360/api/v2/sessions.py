"""One session of API v2, with the parts of its document that are wanted: path, people, audience, custom fields."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from airflow_provider_learning360.api.errors import ContractError, NotFoundError
from airflow_provider_learning360.api.list_entries import parse_session_list
from airflow_provider_learning360.api.messages import Call, Request
from airflow_provider_learning360.api.models import ProgramSession, build_contract_error
from airflow_provider_learning360.api.platform import SESSION_KEYS_ONLY, Work
from airflow_provider_learning360.api.v2 import calls, documents
from airflow_provider_learning360.api.v2.links import PagedList
from airflow_provider_learning360.api.v2.recently_read import RecentlyRead
from airflow_provider_learning360.api.v2.scopes import needing
from airflow_provider_learning360.api.v2.users import UserDirectory, find_login, find_mail

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from airflow_provider_learning360.api.messages import Response
    from airflow_provider_learning360.api.platform import Keys, Plan
    from airflow_provider_learning360.api.v2.users import User

T = TypeVar("T")

# Seconds for which a path is not read again: once in a run. Each poll begins with `forget`.
PATH_AGE = 600.0
MAX_PATHS = 5000
NAMES_AGE = 600.0  # seconds for which the names of custom fields are remembered
# Codes of a session whose learners are not chosen by an audience.
_NO_AUDIENCE = frozenset({"sessionIsNotAudienceBuilder", "unsupportedAudienceFilter"})


class SessionReader:
    """
    Reads sessions; remembers their paths, and the people and names of custom fields that it has read.

    :param host: Base URL of the connection.
    :param monotonic: Monotonic clock, in seconds.
    """

    def __init__(self, host: str, monotonic: Callable[[], float]) -> None:
        self._host = host
        self.users = UserDirectory(host, monotonic)
        self.paths: RecentlyRead[dict[str, Any]] = RecentlyRead(monotonic, PATH_AGE, MAX_PATHS)
        # A session never changes its path.
        self.path_of: dict[str, str] = {}
        self._field_names: RecentlyRead[dict[str, str]] = RecentlyRead(monotonic, NAMES_AGE, 1)

    def read(self, session_id: str, keys: Keys) -> Plan[ProgramSession]:
        """
        Plan one call for the session, and those that its keys need.

        :param session_id: ID of the session.
        :param keys: Which keys of the document are wanted.
        :returns: The plan of the session.
        """
        session: ProgramSession = yield from needing("paths:read", read_once(self._read_base(session_id)))
        self.note_path(session)
        return (yield from self.complete(session, keys))

    def _read_base(self, session_id: str) -> Call[ProgramSession]:
        # By a filter: the route of one session needs its path, and sends its translations.
        query = calls.build_filter(sessionId={"eq": session_id})
        return Call(Request("GET", calls.SESSIONS, query), partial(_parse_base, session_id))

    def note_path(self, session: ProgramSession) -> None:
        """
        Remember the path of a session.

        :param session: The session.
        """
        if (path_id := _path_id_of(session)) is not None:
            self.path_of[session.id.lower()] = path_id

    def complete(self, session: ProgramSession, keys: Keys) -> Plan[ProgramSession]:
        """
        Plan the calls that the wanted keys need beside that of the session.

        :param session: The session.
        :param keys: Which keys of the document are wanted.
        :returns: The plan of the session with them.
        """
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
        path = self.paths.find(path_id)
        if path is None:
            call = calls.read_object("the requested path", calls.build_path("paths", path_id), path_id)
            path = yield from needing("paths:read", read_once(call))
            self.paths.keep(path_id, path)
        return path

    def _read_groups(self, path_id: str, session_id: str) -> Plan[dict[str, Any]]:
        path = calls.build_path("paths", path_id, "sessions", session_id, "audiences")
        try:
            audience = yield from needing(
                "paths:read", read_once(calls.read_object("an audience", path)), keys=("groups",)
            )
        except ContractError as error:
            if error.code in _NO_AUDIENCE:
                return {}
            raise
        return {"groups": documents.find_groups(audience)}

    def _read_custom_fields(self, path_id: str, session_id: str) -> Plan[list[dict[str, Any]]]:
        path = calls.build_path("paths", path_id, "sessions", session_id, "custom-fields", "values")
        read = self.read_list("values of custom fields", path, documents.pick_custom_value)
        values = yield from needing("paths:read", read, keys=("customFields",))
        names = (yield from self._read_field_names()) if values else {}
        return documents.build_custom_fields(values, names)

    def _read_field_names(self) -> Plan[dict[str, str]]:
        names = self._field_names.find("")
        if names is None:
            fields = self.read_list("a list of custom fields", calls.CUSTOM_FIELDS, documents.pick_field_name)
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
        learners = (yield from self.read_enrolled(path_id, session.id)) if "users" in missing else []
        keys = tuple(sorted(missing & documents.MAIL_KEYS))
        users = yield from self.users.find([*authors, *tutors, *learners], keys)
        part: dict[str, Any] = yield Work(partial(_build_people, users, authors, tutors, learners))
        return part

    def read_enrolled(self, path_id: str, session_id: str) -> Plan[list[str]]:
        """
        Plan to read the learners of a session: its published enrolments.

        :param path_id: ID of its path.
        :param session_id: ID of the session.
        :returns: The plan of the IDs of users, in order: API v2 documents none.
        """
        path = calls.build_path("paths", path_id, "enrollments")
        query = calls.build_filter(sessionId={"eq": session_id}, status={"eq": "published"})
        enrolled = self.read_list("a list of enrolments", path, _pick_user_id, query)
        return sorted(set((yield from needing("paths:read", enrolled, keys=("users",)))))

    def read_list(
        self, what: str, path: str, pick: calls.Pick[T], query: tuple[tuple[str, str], ...] = ()
    ) -> Plan[list[T]]:
        """
        Plan to read all pages of a list.

        :param what: What it is, for errors.
        :param path: Its path.
        :param pick: Returns what is kept of an item; None if the item cannot be read.
        :param query: Its filters; default none.
        :returns: The plan of what was kept.
        """
        return calls.read_list(what, PagedList(path, query, host=self._host), pick)

    def find_path(self, session_id: str) -> Plan[str]:
        """
        Plan to find the path of a session, which most routes need.

        :param session_id: ID of the session.
        :returns: The plan of the ID of the path.
        """
        if session_id not in self.path_of:
            return _require_path_id((yield from self.read(session_id, SESSION_KEYS_ONLY)))
        return self.path_of[session_id]


def read_once(call: Call[Any]) -> Plan[Any]:
    """
    Plan one call.

    :param call: The call.
    :returns: The plan of its result.
    """
    return (yield call)


def _parse_base(session_id: str, response: Response) -> ProgramSession:
    """Parse the list of at most one session; an empty list means that there is no such session."""
    listed = parse_session_list(response, documents.build_session, what="the requested program session")
    for session in listed.sessions:
        if session.id.lower() == session_id:
            return session.with_coverage(documents.build_coverage(documents.SESSION_KEYS))
    if listed.sessions:
        raise build_contract_error("the requested program session", response, "it has another _id")
    request = response.request
    raise NotFoundError(
        f"{request}?sessionId[eq]={session_id} found no program session. "
        "Check the ID, and that it belongs to the company of the connection.",
        method=request.method,
        path=request.path,
        status=response.status,
        code="sessionNotFound",
    )


def _path_id_of(session: ProgramSession) -> str | None:
    path_id = (session.model_extra or {}).get("pathId")
    return path_id if calls.is_id(path_id) else None


def _require_path_id(session: ProgramSession) -> str:
    path_id = _path_id_of(session)
    if path_id is None:
        raise ContractError(
            f"Program session {session.id} has no ID of a path as pathId. The API may have changed: please report it."
        )
    return path_id


def _pick_user_id(item: Mapping[str, Any]) -> str | None:
    user_id = item.get("userId")
    return user_id if calls.is_id(user_id) else None


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
        "users": build_learners(users, learners, ("_id", "mail", "status")),
    }
    return {**part, "author": find_login(users[authors[0]])} if authors else part


def build_learners(users: Mapping[str, User], enrolled: list[str], names: tuple[str, ...]) -> list[Any]:
    """
    Build the learners of a document.

    :param users: The users by ID.
    :param enrolled: IDs of the learners.
    :param names: Names of the fields to keep.
    :returns: The learners.
    """
    return [_build_learner(users[one], names) for one in enrolled]


def _build_learner(user: User, names: tuple[str, ...]) -> dict[str, str]:
    """Return a learner. One who is invited or deleted has no mail here, so that no reminder goes there."""
    learner = {name: user[name] for name in names if name in user}
    if find_mail(user) is None:
        learner.pop("mail", None)
    if learner.get("status") == "active":
        del learner["status"]
    return learner
