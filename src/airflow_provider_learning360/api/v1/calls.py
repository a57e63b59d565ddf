"""One function for each call of API v1: the request, and how to read its response."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import quote

from airflow_provider_learning360.api.messages import Call, Request
from airflow_provider_learning360.api.session_ids import require_session_id

if TYPE_CHECKING:
    from airflow_provider_learning360.api.document_list import DocumentChoice, DocumentList
    from airflow_provider_learning360.api.list_entries import SessionList, StreamedObjects
    from airflow_provider_learning360.api.messages import Response
    from airflow_provider_learning360.api.models import Coverage, Learner, ProgramSession, SessionStatistics

SESSIONS = "/api/v1/programs/sessions"
_LIST = "a list of program sessions"


def build_coverage() -> Coverage:
    """Return what a document covers: all fields but those of API v2."""
    from airflow_provider_learning360.api.fields import PATH_FIELDS_V2, SESSION_FIELDS_V2
    from airflow_provider_learning360.api.models import Coverage

    return Coverage(absent=frozenset({*SESSION_FIELDS_V2, *PATH_FIELDS_V2}))


def build_session_path(session_id: str, *parts: str) -> str:
    """
    Return the path of a program session, or of a part of it.

    :param session_id: ID of the session: 24 hexadecimal characters.
    :param parts: Further parts of the path, not yet percent-encoded; default none.
    :returns: The path, percent-encoded.
    :raises InvalidIdError: `session_id` is not an ID.
    """
    checked = require_session_id(session_id)
    # The documentation writes the session itself with a trailing slash, and its parts without.
    return "/".join([SESSIONS, checked, *(quote(part, safe="") for part in parts)]) + ("" if parts else "/")


def get_program_session(session_id: str) -> Call[ProgramSession]:
    """
    Build the call that reads one program session.

    :param session_id: ID of the session.
    :returns: The call.
    :raises InvalidIdError: `session_id` is not an ID.

    Source: 360Learning API v1, `GET /api/v1/programs/sessions/{session_id}/`.
    """
    from airflow_provider_learning360.api.models import parse_session

    return Call(Request("GET", build_session_path(session_id)), parse_session(require_session_id(session_id)))


def list_program_sessions() -> Call[SessionList]:
    """
    Build the call that reads all program sessions of the company; the API sends them in one response, without pages.

    :returns: The call.

    Source: 360Learning API v1, `GET /api/v1/programs/sessions`.
    """
    from airflow_provider_learning360.api.list_entries import SessionCollector

    return Call(Request("GET", SESSIONS), _parse_list, kind="entries", build_reader=SessionCollector)


def _parse_list(response: Response) -> SessionList:
    from airflow_provider_learning360.api.list_entries import parse_session_list

    if response.reader is None:
        return parse_session_list(response)
    listed: SessionList = response.reader.collect()
    return listed


def list_documents(choice: DocumentChoice) -> Call[DocumentList]:
    """
    Build the call that reads the same list, and keeps the wanted fields of the sessions that match only.

    :param choice: Which sessions are wanted, and which of their fields.
    :returns: The call.

    Source: 360Learning API v1, `GET /api/v1/programs/sessions`.
    """
    from airflow_provider_learning360.api.document_list import DocumentReader

    return Call(
        Request("GET", SESSIONS),
        partial(_parse_documents, choice),
        kind="entries",
        build_reader=partial(DocumentReader, choice, coverage=build_coverage()),
    )


def _parse_documents(choice: DocumentChoice, response: Response) -> DocumentList:
    from airflow_provider_learning360.api.document_list import DocumentReader

    if response.reader is None:
        reader = DocumentReader(choice, response, coverage=build_coverage()).read(response.body)
    else:
        reader = response.reader
        reader.close()
    listed = reader.result
    listed.session_count = reader.count
    listed.documents = [document for _, document in reader.found if document is not None]
    return listed


def stream_program_sessions() -> Call[StreamedObjects]:
    """
    Build the call that reads the same list while it arrives, for a list that is too long to be held in memory.

    :returns: The call.

    Source: 360Learning API v1, `GET /api/v1/programs/sessions`.
    """
    from airflow_provider_learning360.api.list_entries import StreamedObjects

    return Call(Request("GET", SESSIONS), partial(StreamedObjects, _LIST), kind="entries", streamed=True)


def get_program_session_users(session_id: str) -> Call[list[Learner]]:
    """
    Build the call that reads the learners of a program session, with their names.

    :param session_id: ID of the session.
    :returns: The call.
    :raises InvalidIdError: `session_id` is not an ID.

    Source: 360Learning API v1, `GET /api/v1/programs/sessions/{session_id}/users`.
    """
    from airflow_provider_learning360.api.models import parse_learners

    return Call(Request("GET", build_session_path(session_id, "users")), parse_learners, kind="list")


def get_program_session_stats(session_id: str) -> Call[SessionStatistics]:
    """
    Build the call that reads the progress of the learners of a program session.

    :param session_id: ID of the session.
    :returns: The call.
    :raises InvalidIdError: `session_id` is not an ID.

    Source: 360Learning API v1, `GET /api/v1/programs/sessions/{session_id}/stats`.
    """
    from airflow_provider_learning360.api.models import SessionStatistics, parse_object

    read = parse_object(SessionStatistics, "session statistics")
    return Call(Request("GET", build_session_path(session_id, "stats")), read, kind="list")
