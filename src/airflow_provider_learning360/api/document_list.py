"""The list of program sessions as small documents: each entry is chosen and made smaller while the list arrives."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from airflow_provider_learning360.api.contract import Drift, find_drift
from airflow_provider_learning360.api.list_entries import SessionListReader, UnreadableItems, split_body

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_learning360.api.list_entries import Convert
    from airflow_provider_learning360.api.messages import Response
    from airflow_provider_learning360.api.models import Coverage, ProgramSession

Item = dict[str, Any]


@dataclass(frozen=True)
class DocumentChoice:
    """
    Which sessions of a list are wanted, and which of their fields.

    :param fields: Names of the fields.
    :param matches: Whether a session is wanted.
    :param with_drift: Whether to compare the sessions with the documentation; default True.
    :param may_be_gone: Whether all sessions that match may be gone before they are completed; default False: an error.
    :param extras: Names of further fields, which are kept where the list has them. No request is sent for them. Default
        none.
    """

    fields: frozenset[str]
    matches: Callable[[ProgramSession], bool]
    with_drift: bool = True
    may_be_gone: bool = False
    extras: frozenset[str] = frozenset()

    def build_document(self, session: ProgramSession) -> Item:
        """
        Return what is kept of a session.

        :param session: The session.
        """
        return session.document(self.fields | self.extras)


@dataclass
class DocumentList:
    """
    The documents of the sessions that match.

    :param documents: The documents; default none.
    :param session_count: How many sessions were read; default 0.
    :param unreadable: The entries that cannot be read; default none.
    :param drift: How all sessions together differ from the documentation; default not at all.
    :param coverage: What the API was asked for; None if it sent no session.
    """

    documents: list[Item] = field(default_factory=list)
    session_count: int = 0
    unreadable: UnreadableItems = field(default_factory=UnreadableItems)
    drift: Drift = field(default_factory=Drift)
    coverage: Coverage | None = None

    def add(self, page: DocumentList) -> None:
        """
        Add what is known of another page; its documents are added elsewhere.

        :param page: The page.
        """
        self.unreadable.merge(page.unreadable)
        self.drift |= page.drift
        self.coverage = self.coverage or page.coverage

    def note_drift(self, session: ProgramSession) -> None:
        """
        Add the drift of a session.

        :param session: The session.
        """
        one = find_drift(session)
        # The documentation does not promise all fields in the list, so missing fields are not drift.
        self.drift |= Drift(one.unknown, (), one.new_values, one.replaced)


class DocumentReader:
    """
    Reads the documents of one response in chunks. It holds no session longer than it takes to choose its document.

    :param choice: Which sessions are wanted, and which of their fields.
    :param response: The response.
    :param convert: Makes a document of an entry; default the entry is one.
    :param coverage: What the API was asked for; default all.
    :param may_be_unreadable: Whether all entries may be unreadable, as on the last page of a list; default False.
    :param may_repeat: Whether a later page may have the same sessions; then `found` has those that are not wanted too.
        Default False.
    """

    def __init__(
        self,
        choice: DocumentChoice,
        response: Response,
        convert: Convert | None = None,
        coverage: Coverage | None = None,
        *,
        may_be_unreadable: bool = False,
        may_repeat: bool = False,
    ) -> None:
        # ID and document of each session; None for the document of one that is not wanted.
        self.found: list[tuple[str, Item | None]] = []
        self.count = 0  # of all sessions
        self._may_repeat = may_repeat
        self.result = DocumentList()
        self._choice = choice
        self._coverage = coverage
        self._reader = SessionListReader(response, self._take, convert, may_be_unreadable=may_be_unreadable)
        # Also by a transport that passes the body on while it arrives.
        self.feed = self._reader.feed

    def read(self, body: bytes) -> DocumentReader:
        """
        Read a whole body.

        :param body: The body.
        :returns: This reader.
        """
        for chunk in split_body(body):
            self.feed(chunk)
        self.close()
        return self

    def close(self) -> None:
        """
        Check that the list is complete.

        :raises ContractError: It is not, or no entry is a program session.
        """
        self.result.unreadable = self._reader.close()

    def _take(self, session: ProgramSession) -> None:
        if self._coverage is not None:
            session.with_coverage(self._coverage)
        self.result.coverage = session.coverage
        if self._choice.with_drift:
            self.result.note_drift(session)
        self.count += 1
        wanted = self._choice.matches(session)
        if wanted or self._may_repeat:
            self.found.append((session.id, self._choice.build_document(session) if wanted else None))
