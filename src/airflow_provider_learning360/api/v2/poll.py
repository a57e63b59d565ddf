"""Which sessions were modified since the last poll: one request, if nothing was; one more for keys of their paths."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_learning360.api.list_entries import StreamedObjects
from airflow_provider_learning360.api.platform import SessionPoll
from airflow_provider_learning360.api.session_ids import is_session_id
from airflow_provider_learning360.api.v2.calls import PATHS, SESSIONS, build_filter, build_parser, is_id
from airflow_provider_learning360.api.v2.documents import PATH_KEYS, SESSION_KEYS, build_coverage, build_session
from airflow_provider_learning360.api.v2.floor import Floor
from airflow_provider_learning360.api.v2.links import PagedList
from airflow_provider_learning360.api.v2.listed import ListedSessions
from airflow_provider_learning360.api.v2.scopes import needing

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from airflow_provider_learning360.api.messages import Response
    from airflow_provider_learning360.api.models import ProgramSession
    from airflow_provider_learning360.api.platform import Plan, StreamPlan
    from airflow_provider_learning360.api.v2.sessions import SessionReader

_LIST = "a list of program sessions"
# No list shows the sessions in which these changed.
READ_EACH_KEYS = frozenset({"author", "groups", "customFields", "users"})
# Paths of up to this many sessions are read one by one; for more, the list of all paths takes fewer requests.
FEW_SESSIONS = 20


def stream_pages(
    query: tuple[tuple[str, str], ...],
    host: str,
    convert: Callable[[dict[str, Any]], dict[str, Any]] = build_session,
) -> StreamPlan:
    """
    Plan to read the pages of the list of sessions, with the keys of API v1.

    :param query: The filters.
    :param host: Base URL of the connection.
    :param convert: Makes a document of an entry; default with the keys of API v1.
    :returns: The plan of the pages.
    """
    pages = PagedList(SESSIONS, query, host=host)

    def parse(response: Response) -> StreamedObjects:
        # A later page without any readable entry is a page of a list nevertheless.
        return StreamedObjects(_LIST, response, convert, may_be_unreadable=pages.page_count > 0)

    while (request := pages.request) is not None:
        yield pages.read_page(request, parse, "entries")


class ModifiedPoll(SessionPoll):
    """
    Polls for modified sessions and paths, and for all of them from time to time.

    :param host: Base URL of the connection.
    :param full_interval: Seconds between complete lists.
    :param monotonic: Monotonic clock, in seconds.
    :param reader: Remembers paths, and the path of each session; this poll keeps them up to date.
    """

    listed_keys = SESSION_KEYS
    # A session that is edited or deleted meanwhile may move others from page to page.
    is_exact = False

    def __init__(self, host: str, full_interval: float, monotonic: Callable[[], float], reader: SessionReader) -> None:
        self._host = host
        self._full_interval = full_interval
        self._monotonic = monotonic
        self._paths = reader.paths
        self._path_of = reader.path_of
        self._listed = ListedSessions(reader)
        self._session_floor, self._path_floor = Floor(monotonic), Floor(monotonic)
        self._last_full = self._last_paths = float("-inf")
        self._follows_paths = False
        # The `modifiedAt` of the paths in the last list: the next one may repeat them.
        self._last_modified: dict[str, Any] = {}

    def find_outdated(self, watched: Mapping[str, frozenset[str]]) -> Plan[set[str]]:
        """Plan to find the sessions whose path was modified, and those with keys that have no such list."""
        outdated = {one for one, keys in watched.items() if keys & READ_EACH_KEYS}
        self._listed.follow(outdated.copy())
        on_path = {one for one, keys in watched.items() if keys & PATH_KEYS}
        self._follows_paths = bool(on_path)
        if not on_path:
            self._path_floor.moment = None
            return outdated
        if self._path_floor.moment is None or self._is_due(self._last_paths):
            yield from self._read_all_paths(len(on_path))
            return outdated | on_path
        modified = yield from self._read_paths()
        return outdated | {one for one in on_path if self._path_of.get(one) in modified}

    def _read_all_paths(self, session_count: int) -> Plan[None]:
        """Plan to begin again. Paths of a few sessions are read later, one by one."""
        self._paths.clear()
        now = self._monotonic()
        self._path_floor.moment = self._session_floor.moment if session_count <= FEW_SESSIONS else None
        if session_count > FEW_SESSIONS:
            yield from self._read_paths()
        self._last_paths = now

    def _read_paths(self) -> Plan[set[str]]:
        """Plan to read the paths that were modified since the floor; return the IDs of those that are news."""
        return (yield from needing("paths:read", self._read_path_pages()))

    def _read_path_pages(self) -> Plan[set[str]]:
        found: dict[str, Any] = {}
        pages = PagedList(PATHS, build_filter(modifiedAt={"gte": self._path_floor.query()}), host=self._host)
        read = build_parser("a list of paths", pages, _pick_path)

        def parse(response: Response) -> list[dict[str, Any]]:
            self._path_floor.note(response.headers)
            return read(response)

        self._path_floor.begin()
        while (request := pages.request) is not None:
            for path in (yield pages.read_page(request, parse)):
                self._paths.keep(path["_id"], path)
                found[path["_id"]] = path.get("modifiedAt")
        self._path_floor.end()
        before, self._last_modified = self._last_modified, found
        return {one for one, moment in found.items() if moment is None or before.get(one) != moment}

    def stream(self, *, full: bool = False) -> StreamPlan:
        """Plan one poll: what was modified since the floor, or everything."""
        self.is_full = full or self._session_floor.moment is None or self._is_due(self._last_full)
        if self.is_full:
            self._listed.clear()
        now, floor = self._monotonic(), None if self.is_full else self._session_floor.query()
        pages = stream_pages(build_filter(modifiedAt={"gte": floor}), self._host, self._convert)
        yield from needing("paths:read", self._session_floor.follow(pages))
        if self._follows_paths and self._path_floor.moment is None:
            # No path was read before this poll that is still remembered.
            self._path_floor.moment = self._session_floor.moment
        if self.is_full:
            self._last_full = now

    def parse(self, item: dict[str, Any]) -> ProgramSession:
        """Parse an entry, which has the keys of the session itself."""
        return super().parse(item).with_coverage(build_coverage(SESSION_KEYS))

    def complete_listed(self, session_id: str, keys: frozenset[str]) -> Plan[ProgramSession | None]:
        """Plan to read what the lists do not say of a session; the others are up to date."""
        return self._listed.complete(session_id, keys)

    def note_read(self, session: ProgramSession) -> None:
        """Note a session that was read singly, so that the next poll need not."""
        self._listed.note_read(session)

    def _is_due(self, last: float) -> bool:
        return self._monotonic() - last >= self._full_interval

    def _convert(self, item: dict[str, Any]) -> dict[str, Any]:
        session_id, path_id = item.get("_id"), item.get("pathId")
        if isinstance(session_id, str) and is_session_id(session_id) and is_id(path_id):
            self._path_of[session_id.lower()] = path_id
        document = build_session(item)
        if isinstance(session_id, str):
            self._listed.keep(session_id.lower(), document)
        return document


def _pick_path(item: dict[str, Any]) -> dict[str, Any] | None:
    return item if is_id(item.get("_id")) else None
