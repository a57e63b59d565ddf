"""API v1 as the rest of the provider asks for it: each question is one call, and a session arrives with all keys."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, TypeVar

from airflow_provider_learning360.api.catalogue.plan import send_once
from airflow_provider_learning360.api.errors import FixArgumentError, LearningError, NotFoundError
from airflow_provider_learning360.api.platform import (
    EVERYTHING,
    SESSION_KEYS_ONLY,
    AccessCheck,
    CompletionCount,
    Platform,
    SessionPoll,
)
from airflow_provider_learning360.api.v1 import calls
from airflow_provider_learning360.api.v1.completions import read_sessions
from airflow_provider_learning360.api.v1.enrolment import change_enrolment
from airflow_provider_learning360.api.v1.session_update import update_session

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    from airflow_provider_learning360.api.catalogue.answers import Answer
    from airflow_provider_learning360.api.catalogue.calls import OperationCall
    from airflow_provider_learning360.api.completions import Completion
    from airflow_provider_learning360.api.document_list import DocumentChoice, DocumentList
    from airflow_provider_learning360.api.enrolment import EnrolmentChange, EnrolmentResult
    from airflow_provider_learning360.api.list_entries import SessionList
    from airflow_provider_learning360.api.messages import Call
    from airflow_provider_learning360.api.models import Learner, ProgramSession, SessionStatistics
    from airflow_provider_learning360.api.platform import Keys, Plan, SessionFilter, StreamPlan
    from airflow_provider_learning360.api.session_update import SessionUpdate, UpdateResult

# A well-formed ID that belongs to nothing: a question about it costs a few bytes.
NO_ID = "0" * 24
T = TypeVar("T")

MOVED = (
    "If this platform works with paths, its sessions are read through API v2: "
    "set `api_version` to v2 in the extra of the connection."
)


class PlatformV1(Platform):
    """
    Program sessions through API v1.

    :param are_keys_suspicious: Whether the keys look like those of API v2, so that a token proves nothing; default
        False.
    """

    version = "v1"

    def __init__(self, *, are_keys_suspicious: bool = False) -> None:
        self._are_keys_suspicious = are_keys_suspicious

    def get_session(self, session_id: str, keys: Keys = None) -> Plan[ProgramSession]:
        """Plan one call."""
        return _cover(_with_hint(calls.get_program_session(session_id)))

    def complete_session(self, session: ProgramSession, keys: Keys = None) -> Plan[ProgramSession]:
        """Plan no call: the session is complete."""
        return session.with_coverage(calls.build_coverage())
        yield

    def list_sessions(self, where: SessionFilter = EVERYTHING, keys: Keys = SESSION_KEYS_ONLY) -> Plan[SessionList]:
        """Plan one call; API v1 has no filters."""
        listed: SessionList = yield calls.list_program_sessions()
        return listed

    def list_documents(self, choice: DocumentChoice, where: SessionFilter = EVERYTHING) -> Plan[DocumentList]:
        """Plan one call; API v1 has no filters, and a session of its list has all keys."""
        listed: DocumentList = yield calls.list_documents(choice)
        return listed

    def stream_sessions(self, where: SessionFilter = EVERYTHING) -> StreamPlan:
        """Plan one call; API v1 has no filters and no pages."""
        yield calls.stream_program_sessions()

    def new_poll(self) -> SessionPoll:
        """Return a poll that lists all sessions each time."""
        return _ListPoll()

    def forget(self) -> None:
        """Do nothing: nothing is remembered."""

    def get_learners(self, session_id: str) -> Plan[list[Learner]]:
        """Plan one call."""
        learners: list[Learner] = yield calls.get_program_session_users(session_id)
        return learners

    def get_statistics(
        self, session_id: str, *, with_people: bool = True, session: ProgramSession | None = None
    ) -> Plan[SessionStatistics]:
        """Plan one call."""
        statistics: SessionStatistics = yield calls.get_program_session_stats(session_id)
        return statistics

    def count_completions(
        self, session_id: str, is_enough: Callable[[CompletionCount], int] | None = None
    ) -> Plan[CompletionCount]:
        """Plan one call, to the statistics of the session, which show who is deleted."""
        return _count(calls.get_program_session_stats(session_id))

    def read_completions(
        self,
        session_ids: Sequence[str] | None,
        since: datetime,
        take: Callable[[list[Completion]], None],
        note_missing: Callable[[str], None],
    ) -> Plan[datetime | None]:
        """Plan one call for each session; API v1 has no list of completions."""
        return read_sessions(session_ids, since, take, note_missing)

    def test(self) -> Plan[None]:
        """Plan no call: the exchange of the keys for a token is the test. Suspicious keys have to read something."""
        if self._are_keys_suspicious:
            with suppress(NotFoundError):
                yield calls.get_program_session(NO_ID)

    def check_access(self) -> Plan[list[AccessCheck]]:
        """Plan to read each route that the provider reads, on the first session of the list."""
        try:
            listed: DocumentList = yield calls.list_documents(_choose_ids())
        except LearningError as error:
            return [AccessCheck("sessions", False, f"cannot be read: {error}")]
        checks = [AccessCheck("sessions", True, f"can be read: {listed.session_count} program sessions")]
        for session in listed.documents[:1]:
            checks += yield from _check_session(session["_id"])
        return checks

    def change_enrolment(self, session: ProgramSession, change: EnrolmentChange) -> Plan[EnrolmentResult]:
        """Plan one call for each person and group, after those that find out who is enrolled."""
        return change_enrolment(session, change)

    def update_session(self, session: ProgramSession, update: SessionUpdate) -> Plan[UpdateResult]:
        """Plan one call with the fields that differ."""
        return update_session(session, update)

    def call_operation(self, call: OperationCall) -> Plan[Answer]:
        """Plan one call: API v1 has no pages."""
        self.require_operation(call.operation)
        return send_once(call)

    def require_due_dates(self) -> None:
        """Refuse: API v1 has no due dates."""
        raise FixArgumentError(
            "Learners have no due dates in API v1, so `anchor: dueDate` cannot be used. Use `endDate`, or API v2 "
            "(`api_version: v2` in the extra of the connection)."
        )


class _ListPoll(SessionPoll):
    def find_outdated(self, watched: Mapping[str, frozenset[str]]) -> Plan[set[str]]:
        # `modifiedAt` covers all fields.
        return set()
        yield

    def stream(self, *, full: bool = False) -> StreamPlan:
        yield calls.stream_program_sessions()


def _with_hint(call: Call[T]) -> Plan[T]:
    """Plan a call; say where the sessions of migrated platforms are, if there is no such session."""
    try:
        result: T = yield call
    except NotFoundError as error:
        raise error.with_note(MOVED) from None
    return result


def _cover(plan: Plan[ProgramSession]) -> Plan[ProgramSession]:
    session = yield from plan
    return session.with_coverage(calls.build_coverage())


def _count(call: Call[SessionStatistics]) -> Plan[CompletionCount]:
    """Plan to count the learners who are not deleted, and who of them have completed."""
    statistics = yield from _with_hint(call)
    present = [one for one in statistics.users_stats or [] if not one.get("deleted")]
    return CompletionCount(len(present), len(present) - len(statistics.not_completed()))


def _choose_ids() -> DocumentChoice:
    """Return the choice of nothing but the IDs: the list may be long."""
    from airflow_provider_learning360.api.document_list import DocumentChoice

    return DocumentChoice(frozenset({"_id"}), lambda session: True, with_drift=False)


def _check_session(session_id: str) -> Plan[list[AccessCheck]]:
    checks = []
    for name, call in (
        ("one session", calls.get_program_session(session_id)),
        ("learners", calls.get_program_session_users(session_id)),
        ("statistics", calls.get_program_session_stats(session_id)),
    ):
        try:
            result = yield call
        except LearningError as error:
            checks.append(AccessCheck(name, False, f"cannot be read: {error}"))
        else:
            checks.append(
                AccessCheck(
                    name, True, f"can be read: {len(result)} {name}" if isinstance(result, list) else "can be read"
                )
            )
    return checks
