"""Caches the listed fields of sessions that are read at each poll, so that only the other fields are requested."""

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

# More sessions are not kept: their list is complete at each poll.
MAX_SESSIONS = 100
MAX_TEXT = 100_000  # characters of one session; a longer one is read again


class ListedSessions:
    """
    The session keys of some sessions, as the lists had them last.

    They are up to date after each list of what was modified, because `modifiedAt` covers them. Such a list shows
    no deletions, such as that of a tutor. So every change is confirmed by reading all fields again.

    :param reader: Reads what is not known.
    """

    def __init__(self, reader: SessionReader) -> None:
        self._reader = reader
        self._followed: AbstractSet[str] = frozenset()
        # As text: the garbage collector visits each object of a document.
        self._documents: dict[str, str] = {}
        self._fingerprints: dict[str, str] = {}  # of the fields that no list has

    def follow(self, session_ids: AbstractSet[str]) -> None:
        """
        Set which sessions are kept.

        :param session_ids: Their IDs; those of others are forgotten, since no list keeps them up to date.
        """
        self._followed = session_ids if len(session_ids) <= MAX_SESSIONS else frozenset()
        for gone in self._documents.keys() - self._followed:
            self._documents.pop(gone)
        for gone in self._fingerprints.keys() - self._followed:
            self._fingerprints.pop(gone)

    def clear(self) -> None:
        """Forget what the lists had, such as before a complete list, which lacks deleted sessions."""
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
            self._fingerprints[session_id] = _fingerprint(session)

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
        if session is not None and _fingerprint(session) == self._fingerprints.get(session_id):
            return session
        self._documents.pop(session_id, None)
        return None


def _fingerprint(session: ProgramSession) -> str:
    """Return the fingerprint of what no list has."""
    text = json.dumps(session.document(exclude=SESSION_KEYS), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()
