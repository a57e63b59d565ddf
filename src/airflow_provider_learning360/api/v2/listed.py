"""What lists said of sessions that are read at each poll, so that only what no list has is requested again."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from airflow_provider_learning360.api.errors import ContractError, NotFoundError
from airflow_provider_learning360.api.list_entries import parse_entry
from airflow_provider_learning360.api.v2.documents import SESSION_KEYS, build_coverage

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet

    from airflow_provider_learning360.api.models import ProgramSession
    from airflow_provider_learning360.api.platform import Plan
    from airflow_provider_learning360.api.v2.sessions import SessionReader

# Of more sessions than a poll reads one by one, nothing is kept: their list is complete at each poll.
MAX_SESSIONS = 100
MAX_TEXT = 100_000  # characters of one session; a longer one is read again


class ListedSessions:
    """
    The session keys of some sessions, as the lists had them last.

    They are up to date after each list of what was modified, because `modifiedAt` covers them. Not so after a deletion,
    which no such list shows, and whose traces look like a change. So every change is confirmed by reading all again.

    :param reader: Reads what is not known.
    """

    def __init__(self, reader: SessionReader) -> None:
        self._reader = reader
        self._followed: AbstractSet[str] = frozenset()
        # As text: the garbage collector visits each object of a document.
        self._documents: dict[str, str] = {}
        self._last_parts: dict[str, str] = {}  # fingerprints

    def follow(self, session_ids: AbstractSet[str]) -> None:
        """
        Set which sessions are kept.

        :param session_ids: Their IDs; those of others are forgotten, since no list keeps them up to date.
        """
        self._followed = session_ids if len(session_ids) <= MAX_SESSIONS else frozenset()
        for gone in self._documents.keys() - self._followed:
            self._documents.pop(gone)
        for gone in self._last_parts.keys() - self._followed:
            self._last_parts.pop(gone)

    def clear(self) -> None:
        """Forget all sessions, such as before a complete list, which lacks those that were deleted."""
        self._documents.clear()

    def keep(self, session_id: str, document: dict[str, Any]) -> None:
        """
        Keep a session, if it is one of those that are followed.

        :param session_id: Its ID.
        :param document: Its session keys.
        """
        if session_id not in self._followed:
            return
        text = json.dumps({**document, "_id": session_id})
        self._documents.pop(session_id, None)
        if len(text) <= MAX_TEXT:
            self._documents[session_id] = text

    def note_read(self, session: ProgramSession) -> None:
        """
        Keep a session that was read singly.

        :param session: The session.
        """
        session_id = session.id.lower()
        if session_id in self._followed:
            self.keep(session_id, session.document(SESSION_KEYS))
            self._last_parts[session_id] = _fingerprint(session)

    def complete(self, session_id: str, keys: frozenset[str]) -> Plan[ProgramSession | None]:
        """
        Plan to read what the lists do not say of a session.

        :param session_id: ID of the session.
        :param keys: Which keys are wanted.
        :returns: The plan of the session; None if it has to be read singly.
        """
        text = self._documents.get(session_id)
        if text is None:
            return None
        try:
            listed = parse_entry(json.loads(text)).with_coverage(build_coverage(SESSION_KEYS))
            session = yield from self._reader.complete(listed, keys)
        except (ContractError, NotFoundError):
            session = None
        if session is not None and _fingerprint(session) == self._last_parts.get(session_id):
            return session
        self._documents.pop(session_id, None)
        return None


def _fingerprint(session: ProgramSession) -> str:
    """Return the fingerprint of what no list has."""
    text = json.dumps(session.document(exclude=SESSION_KEYS), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()
