"""
What the rest of the provider may ask of 360Learning, whichever version of its API a connection speaks.

A version responds with a plan: a generator of calls. A hook carries out each call and sends its result into the plan,
or throws its error in. So a plan decides what to request, and needs neither a socket nor a clock.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Generator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar

from airflow_provider_learning360.api.errors import FixArgumentError, LearningError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from airflow_provider_learning360.api.api_version import ApiVersion
    from airflow_provider_learning360.api.catalogue.answers import Answer
    from airflow_provider_learning360.api.catalogue.calls import OperationCall
    from airflow_provider_learning360.api.catalogue.operation import Operation
    from airflow_provider_learning360.api.completions import Completion
    from airflow_provider_learning360.api.document_list import DocumentChoice, DocumentList
    from airflow_provider_learning360.api.enrolment import EnrolmentChange, EnrolmentResult
    from airflow_provider_learning360.api.list_entries import SessionList, StreamedObjects
    from airflow_provider_learning360.api.messages import Call, Response
    from airflow_provider_learning360.api.models import Learner, ProgramSession, SessionStatistics
    from airflow_provider_learning360.api.session_update import SessionUpdate, UpdateResult

T = TypeVar("T")


@dataclass(frozen=True)
class Work:
    """
    Step of a plan: compute something that may take long; an asynchronous hook does it in a thread.

    :param run: Returns the result of the step.
    """

    run: Callable[[], Any]


@dataclass(frozen=True)
class Pause:
    """
    Step of a plan: wait before the next call, so that writes stay below the rate limit; the result is None.

    :param seconds: How long to wait.
    """

    seconds: float


# Yields calls, work and pauses, gets their results, and returns the result of all.
Plan = Generator["Call[Any] | Work | Pause", Any, T]
# Yields one call for each page of a list. The hook passes the entries of the page on before it asks for the next page.
StreamPlan = Generator["Call[StreamedObjects]", "StreamedObjects", None]

# Which keys of a document are wanted: those of the session itself and these; None for all that there are.
Keys = frozenset[str] | None
SESSION_KEYS_ONLY: Keys = frozenset()


def choose_keys(fields: Collection[str] | None, exclude: Collection[str] | None = None) -> Keys:
    """
    Return which keys a document needs.

    :param fields: Names of the fields to keep; None for all.
    :param exclude: Names of the fields to leave out; default none.
    :returns: The keys; None for all.
    """
    if fields is None and not exclude:
        return None
    from airflow_provider_learning360.api.fields import known_fields

    return frozenset(known_fields() if fields is None else fields) - frozenset(exclude or ())


@dataclass(frozen=True)
class SessionFilter:
    """
    Which program sessions of the platform are wanted. What a version cannot filter, the caller filters itself.

    :param template_id: ID of their program template, or path; default any.
    :param starts_after: Earliest `startDate`, inclusive; default any.
    :param starts_before: `startDate` must be earlier; default any.
    :param ends_after: Earliest `endDate`, inclusive; default any.
    :param ends_before: `endDate` must be earlier; default any.
    :param modified_since: Earliest `modifiedAt`, inclusive; default any.
    """

    template_id: str | None = None
    starts_after: datetime | None = None
    starts_before: datetime | None = None
    ends_after: datetime | None = None
    ends_before: datetime | None = None
    modified_since: datetime | None = None


EVERYTHING = SessionFilter()


@dataclass(frozen=True)
class CompletionCount:
    """
    How many learners of a session have completed it.

    :param learners: How many are enrolled.
    :param completed: How many of them have completed.
    """

    learners: int
    completed: int


@dataclass(frozen=True)
class AccessCheck:
    """
    Whether a connection may read what a feature needs.

    :param name: What is read, such as `paths:read`.
    :param granted: Whether it may be read; None if that could not be found out.
    :param detail: The rest of the sentence that begins with the name: what was read, or what is lost.
    """

    name: str
    granted: bool | None
    detail: str


class SessionPoll(ABC):
    """
    The repeated question which sessions were modified; one for each poller, which remembers what it has seen.

    :param listed_keys: Which keys the entries have; None for all that there are.
    :param is_exact: Whether a session that a full list lacks does not exist. A list of several pages may lack one that
        moved from page to page meanwhile.
    :param is_full: Whether the last poll listed all sessions, and not only those that were modified.
    """

    listed_keys: Keys = None
    is_exact: bool = True
    is_full: bool = True

    @abstractmethod
    def find_outdated(self, watched: Mapping[str, frozenset[str]]) -> Plan[set[str]]:
        """
        Plan to find the sessions of which something may have changed that no list of modified sessions shows.

        :param watched: By ID of each session, the watched fields.
        :returns: The plan of their IDs.
        """

    def parse(self, item: dict[str, Any]) -> ProgramSession:
        """
        Parse an entry of the list.

        :param item: The entry.
        :returns: The session, with what the entries cover.
        :raises ContractError: The entry is not a program session.
        """
        from airflow_provider_learning360.api.list_entries import parse_entry

        return parse_entry(item)

    def complete_listed(self, session_id: str, keys: frozenset[str]) -> Plan[ProgramSession | None]:
        """
        Plan to read what the lists so far do not say of a session; in this class, nothing is remembered of a list.

        :param session_id: ID of the session.
        :param keys: Which keys are wanted.
        :returns: The plan of the session; None if it has to be read singly.
        """
        return None
        yield

    def note_read(self, session: ProgramSession) -> None:  # noqa: B027 - most polls remember nothing
        """
        Note a session that was read singly; in this class, do nothing.

        :param session: The session.
        """

    @abstractmethod
    def stream(self, *, full: bool = False) -> StreamPlan:
        """
        Plan one poll. Its entries are documents with the keys of v1; some may not have been modified.

        :param full: Whether all sessions must be listed; default only where that is due.
        :returns: The plan.
        """


class Platform(ABC):
    """One version of 360Learning's API, with the settings of one connection and what was read through it so far."""

    # For people, and for the command that compares the versions; nothing else asks for it.
    version: ApiVersion
    # Up to this many watched sessions are polled one by one; for more, one request asks for all.
    single_poll_limit: int = 10
    # Up to this many sessions can be chosen by their IDs in one request; 0 if none can.
    choice_limit: int = 0

    @abstractmethod
    def get_session(self, session_id: str, keys: Keys = None) -> Plan[ProgramSession]:
        """
        Plan to read one program session.

        :param session_id: ID of the session.
        :param keys: Which keys of the document are wanted; default all.
        :returns: The plan of the session.
        :raises InvalidIdError: `session_id` is not an ID.
        """

    @abstractmethod
    def complete_session(self, session: ProgramSession, keys: Keys = None) -> Plan[ProgramSession]:
        """
        Plan to add to a session of a list or poll what it lacks.

        :param session: The session.
        :param keys: Which keys of the document are wanted; default all.
        :returns: The plan of the session with them.
        """

    @abstractmethod
    def list_sessions(self, where: SessionFilter = EVERYTHING, keys: Keys = SESSION_KEYS_ONLY) -> Plan[SessionList]:
        """
        Plan to read all program sessions.

        :param where: Which are wanted; more may be returned. Default all.
        :param keys: Which keys are wanted beside those of the session itself; default none.
        :returns: The plan of the list.
        """

    @abstractmethod
    def list_documents(self, choice: DocumentChoice, where: SessionFilter = EVERYTHING) -> Plan[DocumentList]:
        """
        Plan to read all program sessions, and to keep the wanted fields of those that match only.

        :param choice: Which sessions are wanted, and which of their fields. Requests that a field needs are sent for
            the sessions that match only.
        :param where: What the API is asked for; it may send more. Default all.
        :returns: The plan of the documents.
        """

    @abstractmethod
    def stream_sessions(self, where: SessionFilter = EVERYTHING) -> StreamPlan:
        """
        Plan to read the same list while it arrives, with the keys of the session itself.

        :param where: Which are wanted; more may be returned. Default all.
        :returns: The plan of the pages.
        """

    def stream_chosen(self, session_ids: Sequence[str]) -> StreamPlan:
        """
        Plan to read some sessions, with the keys of a poll; one that does not exist is left out.

        Only where `choice_limit` is above 0; callers ask for that first.

        :param session_ids: Their IDs, at most `choice_limit`.
        :returns: The plan of the pages.
        :raises NotImplementedError: This version of the API reads no chosen sessions in one request.
        """
        raise NotImplementedError

    @abstractmethod
    def new_poll(self) -> SessionPoll:
        """Return a new poll of all sessions, for one poller."""

    @abstractmethod
    def forget(self) -> None:
        """Forget what may have changed since it was read: another poll begins."""

    @abstractmethod
    def get_learners(self, session_id: str) -> Plan[list[Learner]]:
        """
        Plan to read the learners of a program session, with their names.

        :param session_id: ID of the session.
        :returns: The plan of the learners.
        :raises InvalidIdError: `session_id` is not an ID.
        """

    @abstractmethod
    def get_statistics(
        self, session_id: str, *, with_people: bool = True, session: ProgramSession | None = None
    ) -> Plan[SessionStatistics]:
        """
        Plan to read the progress of the learners of a program session.

        :param session_id: ID of the session.
        :param with_people: Whether names and mails of the learners, and which of them are deleted, are needed; default
            True. Without them, it may take fewer requests.
        :param session: The session, if it was read just now: then it is not read again. Default none.
        :returns: The plan of the statistics.
        :raises InvalidIdError: `session_id` is not an ID.
        """

    @abstractmethod
    def count_completions(
        self, session_id: str, is_enough: Callable[[CompletionCount], int] | None = None
    ) -> Plan[CompletionCount]:
        """
        Plan to count who has completed a program session, without reading who that is, unless it takes too long.

        :param session_id: ID of the session.
        :param is_enough: Whether counts end a wait, or how many waits they end. If more waits would end without the
            deleted learners, and few have not completed, the deleted ones are left out, because they never will.
            Default: they may be counted.
        :returns: The plan of the counts.
        :raises InvalidIdError: `session_id` is not an ID.
        """

    @abstractmethod
    def read_completions(
        self,
        session_ids: Sequence[str] | None,
        since: datetime,
        take: Callable[[list[Completion]], None],
        note_missing: Callable[[str], None],
    ) -> Plan[datetime | None]:
        """
        Plan to read which completions there are since a time, without reading who they are of.

        :param session_ids: IDs of the sessions, in the order in which they may be read; None for all of the platform.
            Completions of other sessions may be read as well.
        :param since: The time, inclusive.
        :param take: Gets the completions of each page, or session, also if a later one cannot be read.
        :param note_missing: Gets the ID of each session that is found not to exist.
        :returns: The plan of the time at which the first response was sent, or None.
        :raises FixArgumentError: This version of the API cannot read all of the platform.
        """

    @abstractmethod
    def change_enrolment(self, session: ProgramSession, change: EnrolmentChange) -> Plan[EnrolmentResult]:
        """
        Plan to enrol or unenrol people and groups. What is as wanted already is not written again.

        :param session: The session, as it was read just now.
        :param change: What is wanted.
        :returns: The plan of what it changed.
        :raises FixArgumentError: A person is unknown, or the session does not allow it; nothing was written.
        """

    @abstractmethod
    def update_session(self, session: ProgramSession, update: SessionUpdate) -> Plan[UpdateResult]:
        """
        Plan to change fields of a session. Only what differs is written.

        :param session: The session, as it was read just now.
        :param update: The fields and their new values.
        :returns: The plan of what it changed.
        :raises FixArgumentError: This version of the API, or the session, does not allow it; nothing was written.
        """

    def require_operation(self, operation: Operation) -> None:
        """
        Check that this version of the API has an operation.

        :param operation: The operation.
        :raises FixArgumentError: It is one of the other version; the error names its counterpart, if it has one.
        """
        if operation.version == self.version:
            return
        counterpart = operation.data.get("counterpart")
        way = f"Use {counterpart} instead" if counterpart else f"API {self.version} has no such operation: use another"
        raise FixArgumentError(
            f"operation: {operation.name} is an operation of API {operation.version}, and the connection uses API "
            f"{self.version}. {way}, or a connection with `api_version` {operation.version}."
        )

    @abstractmethod
    def call_operation(self, call: OperationCall) -> Plan[Answer]:
        """
        Plan to call an operation of the catalogue.

        :param call: The call.
        :returns: The plan of the answer; of a list, all wanted pages together.
        :raises FixArgumentError: The operation is one of the other version of the API.
        """

    @abstractmethod
    def test(self) -> Plan[None]:
        """Plan the cheapest request that shows whether the keys are accepted."""

    @abstractmethod
    def check_access(self) -> Plan[list[AccessCheck]]:
        """Plan to find out what the credentials may read, and what is lost without it."""

    @abstractmethod
    def require_due_dates(self) -> None:
        """
        Check that learners have due dates of their own.

        :raises FixArgumentError: This version of the API has none.
        """


def advance(plan: Generator[T, Any, Any], outcome: Any) -> T:
    """
    Send the outcome of a step into a plan.

    :param plan: The plan.
    :param outcome: The result of the last step, or its `LearningError`; None at the beginning.
    :returns: The next step.
    :raises StopIteration: The plan is complete; the value is its result.
    :raises LearningError: The plan does not handle the error.
    """
    return plan.throw(outcome) if isinstance(outcome, LearningError) else plan.send(outcome)


def observe_responses(call: Call[T], observe: Callable[[Response], None]) -> Call[T]:
    """
    Return a call that also passes its response on.

    :param call: The call.
    :param observe: Gets the response before it is parsed.
    :returns: The call.
    """

    def parse(response: Response) -> T:
        observe(response)
        return call.parse(response)

    return replace(call, parse=parse)
