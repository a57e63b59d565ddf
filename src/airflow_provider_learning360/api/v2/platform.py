"""API v2 as the rest of the provider asks for it: which calls a question takes."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from airflow_provider_learning360.api.document_list import DocumentList, DocumentReader
from airflow_provider_learning360.api.error_mapping import INVALID_SCOPE
from airflow_provider_learning360.api.errors import ContractError, ForbiddenError, LearningError, NotFoundError
from airflow_provider_learning360.api.list_entries import SessionList, parse_session_list
from airflow_provider_learning360.api.messages import Call, Request
from airflow_provider_learning360.api.models import ProgramSession
from airflow_provider_learning360.api.platform import (
    EVERYTHING,
    SESSION_KEYS_ONLY,
    AccessCheck,
    Platform,
    SessionPoll,
    Work,
)
from airflow_provider_learning360.api.session_ids import require_session_id
from airflow_provider_learning360.api.v2 import calls, documents, progress
from airflow_provider_learning360.api.v2.completion_count import CompletionCounter
from airflow_provider_learning360.api.v2.completions import read_pages
from airflow_provider_learning360.api.v2.enrolment import change_enrolment
from airflow_provider_learning360.api.v2.filters import build_query
from airflow_provider_learning360.api.v2.links import PagedList
from airflow_provider_learning360.api.v2.operations import read_pages_of
from airflow_provider_learning360.api.v2.poll import ModifiedPoll, stream_pages
from airflow_provider_learning360.api.v2.scopes import NEEDED_FOR, describe_loss, needing
from airflow_provider_learning360.api.v2.session_update import update_session
from airflow_provider_learning360.api.v2.sessions import SessionReader, build_learners, read_once

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from airflow_provider_learning360.api.catalogue.answers import Answer
    from airflow_provider_learning360.api.catalogue.calls import OperationCall
    from airflow_provider_learning360.api.completions import Completion
    from airflow_provider_learning360.api.document_list import DocumentChoice
    from airflow_provider_learning360.api.enrolment import EnrolmentChange, EnrolmentResult
    from airflow_provider_learning360.api.messages import Response
    from airflow_provider_learning360.api.models import Learner, SessionStatistics
    from airflow_provider_learning360.api.platform import CompletionCount, Keys, Plan, SessionFilter, StreamPlan
    from airflow_provider_learning360.api.session_update import SessionUpdate, UpdateResult


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
    # 100 IDs make an address of 5 kB. 360Learning documents no maximum.
    choice_limit = 100

    def __init__(self, host: str, monotonic: Callable[[], float], full_interval: float) -> None:
        self._host = host
        self._monotonic = monotonic
        self._full_interval = full_interval
        self._reader = SessionReader(host, monotonic)
        self._counter = CompletionCounter(self._reader)

    def get_session(self, session_id: str, keys: Keys = None) -> Plan[ProgramSession]:
        """Plan one call for the session, and those that its keys need."""
        return self._reader.read(require_session_id(session_id), keys)

    def complete_session(self, session: ProgramSession, keys: Keys = None) -> Plan[ProgramSession]:
        """Plan the calls that the wanted keys need beside that of the session."""
        return self._reader.complete(session, keys)

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
        pages, listed = PagedList(calls.SESSIONS, build_query(where), host=self._host), SessionList()
        while (request := pages.request) is not None:
            parse = partial(_parse_list_page, is_first=not pages.page_count)
            page: SessionList = yield pages.read_page(request, parse)
            listed.add(page)
            for session in page.sessions:
                self._reader.note_path(session)
        # A session that is modified while the pages are read may be on two of them.
        listed.sessions = list({one.id: one for one in listed.sessions}.values())
        return listed

    def list_documents(self, choice: DocumentChoice, where: SessionFilter = EVERYTHING) -> Plan[DocumentList]:
        """Plan one call for each page of 500 sessions, and for more keys those of each session that matches."""
        needed = choice.fields & documents.ALL_KEYS - documents.SESSION_KEYS
        fields = choice.fields | documents.KEYS_TO_COMPLETE if needed else choice.fields
        listed = yield from needing("paths:read", self._list_documents(replace(choice, fields=fields), where))
        if needed:
            yield from self._complete_documents(listed, choice)
        return listed

    def _list_documents(self, choice: DocumentChoice, where: SessionFilter) -> Plan[DocumentList]:
        pages, listed = PagedList(calls.SESSIONS, build_query(where), host=self._host), DocumentList()
        found: dict[str, Any] = {}
        while (request := pages.request) is not None:
            parse = partial(_parse_documents, choice, is_first=not pages.page_count)
            page: DocumentReader = yield pages.read_page(request, parse)
            listed.add(page.result)
            # A session that is modified while the pages are read may be on two of them.
            found.update(page.found)
        listed.session_count = len(found)
        listed.documents = [document for document in found.values() if document is not None]
        return listed

    def _complete_documents(self, listed: DocumentList, choice: DocumentChoice) -> Plan[None]:
        """Plan to complete each document; one that cannot be, or is gone meanwhile, is left out and counted."""
        shrunk, listed.documents = listed.documents, []
        coverage = documents.build_coverage(documents.SESSION_KEYS)
        for position, document in enumerate(shrunk, 1):
            session = ProgramSession.from_json(document).with_coverage(coverage)
            try:
                completed = yield from self.complete_session(session, choice.fields)
            except (ContractError, NotFoundError) as error:
                failure: LearningError = error
                listed.unreadable.add(position, document, str(error).rstrip("."))
                continue
            if choice.with_drift:
                listed.note_drift(completed)
            listed.documents.append(choice.build_document(completed))
        if shrunk and not listed.documents and not (choice.may_be_gone and isinstance(failure, NotFoundError)):
            raise failure

    def stream_sessions(self, where: SessionFilter = EVERYTHING) -> StreamPlan:
        """Plan one call for each page."""
        return needing("paths:read", stream_pages(build_query(where), self._host))

    def stream_chosen(self, session_ids: Sequence[str]) -> StreamPlan:
        """Plan one call, with the IDs as a filter."""
        query = tuple((f"sessionId[in][{number}]", one) for number, one in enumerate(session_ids))
        return needing("paths:read", stream_pages(query, self._host))

    def new_poll(self) -> SessionPoll:
        """Return a poll of what was modified."""
        return ModifiedPoll(self._host, self._full_interval, self._monotonic, self._reader)

    def forget(self) -> None:
        """Forget the paths, so that the next document has their present state."""
        self._reader.paths.clear()

    def get_learners(self, session_id: str) -> Plan[list[Learner]]:
        """Plan to read the published enrolments of a session, and who they are."""
        return self._get_learners(require_session_id(session_id))

    def _get_learners(self, session_id: str) -> Plan[list[Learner]]:
        path_id = yield from self._reader.find_path(session_id)
        enrolled = yield from self._reader.read_enrolled(path_id, session_id)
        users = yield from self._reader.users.find(enrolled)
        names = ("_id", "mail", "firstName", "lastName", "status")
        learners: list[Learner] = yield Work(partial(build_learners, users, enrolled, names))
        return learners

    def get_statistics(
        self, session_id: str, *, with_people: bool = True, session: ProgramSession | None = None
    ) -> Plan[SessionStatistics]:
        """Plan to read the statistics of the enrolled learners, and who they are."""
        return self._get_statistics(require_session_id(session_id), with_people, session)

    def _get_statistics(
        self, session_id: str, with_people: bool, session: ProgramSession | None
    ) -> Plan[SessionStatistics]:
        if session is None and with_people:
            session = yield from self._reader.read(session_id, SESSION_KEYS_ONLY)
        elif session is not None:
            self._reader.note_path(session)
        name = session.name if session is not None and with_people else None
        path_id = yield from self._reader.find_path(session_id)
        path = calls.build_path("paths", path_id, "sessions", session_id, "user-stats")
        rows = yield from needing(
            "pathStats:read", self._reader.read_list("statistics of users", path, progress.pick_row)
        )
        enrolled: dict[str, progress.Row] = yield Work(partial(progress.find_enrolled, rows))
        users = (yield from self._reader.users.find(enrolled)) if with_people else {}
        statistics: SessionStatistics = yield Work(partial(progress.build_statistics, name, enrolled.values(), users))
        return statistics

    def count_completions(
        self, session_id: str, is_enough: Callable[[CompletionCount], int] | None = None
    ) -> Plan[CompletionCount]:
        """Plan one call, to the counts of a session by status; more, if deleted learners may block a wait."""
        return self._counter.count(require_session_id(session_id), is_enough)

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
        yield from needing("paths:read", read_once(Call(request, parse_session_list)))

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
            checks.append(AccessCheck(scope, True, f"is granted for {purpose}"))
        return checks

    def change_enrolment(self, session: ProgramSession, change: EnrolmentChange) -> Plan[EnrolmentResult]:
        """Plan to replace the audience of the session, after the calls that find out what is in it."""
        return change_enrolment(self._reader, session, change)

    def update_session(self, session: ProgramSession, update: SessionUpdate) -> Plan[UpdateResult]:
        """Plan one call with the fields that differ, and one more for custom fields."""
        return update_session(self._reader, session, update)

    def call_operation(self, call: OperationCall) -> Plan[Answer]:
        """Plan one call, or one for each wanted page of a list."""
        self.require_operation(call.operation)
        scope = call.operation.data.get("scope")
        plan = read_pages_of(call, self._host)
        return needing(scope, plan, purpose=call.operation.name) if scope else plan

    def require_due_dates(self) -> None:
        """Accept: learners have due dates."""


def _describe_refusal(scope: str, error: LearningError) -> AccessCheck:
    if isinstance(error, ForbiddenError) and error.code == INVALID_SCOPE:
        return AccessCheck(scope, False, describe_loss(scope))
    return AccessCheck(scope, None, f"could not be tested: {error}")


def _ignore(response: Response) -> None:
    """Read nothing: only the status counts."""


def _parse_list_page(response: Response, *, is_first: bool) -> SessionList:
    listed = parse_session_list(response, documents.build_session, may_be_unreadable=not is_first)
    coverage = documents.build_coverage(documents.SESSION_KEYS)
    for session in listed.sessions:
        session.with_coverage(coverage)
    return listed


def _parse_documents(choice: DocumentChoice, response: Response, *, is_first: bool) -> DocumentReader:
    coverage = documents.build_coverage(documents.SESSION_KEYS)
    reader = DocumentReader(
        choice, response, documents.build_session, coverage, may_be_unreadable=not is_first, may_repeat=True
    )
    return reader.read(response.body)
