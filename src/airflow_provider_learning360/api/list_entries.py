"""The entries of the list of program sessions: which can be read, and which are left out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from airflow_provider_learning360.api.arrays import MAX_ITEM_LENGTH, ArrayReader, Unreadable
from airflow_provider_learning360.api.bodies import error_from_size
from airflow_provider_learning360.api.counts import count_of
from airflow_provider_learning360.api.decoder import MAX_ESCAPE_LENGTH, SafeDecoder, has_risky_escape
from airflow_provider_learning360.api.errors import ContractError, redact
from airflow_provider_learning360.api.messages import DEFAULT_LIMITS
from airflow_provider_learning360.api.models import (
    START,
    ProgramSession,
    build_contract_error,
    describe_problem,
    find_page_problem,
    problem_of_fields,
)
from airflow_provider_learning360.api.session_ids import is_session_id

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_provider_learning360.api.contract import ContractPolicy
    from airflow_provider_learning360.api.messages import Response

# Makes a session document of an entry.
Convert = Callable[[dict[str, Any]], dict[str, Any]]

_LIST = "The list of program sessions"
_WHAT = "a list of program sessions"
NO_ID = "its _id is not an ID"
CHUNK_SIZE = 64 * 1024  # bytes of a body that are read at once
# Bytes of the limit that one session uses up: it takes more memory than that, even if it has an `_id` only.
BYTES_PER_SESSION = 1024


def parse_entry(item: dict[str, Any]) -> ProgramSession:
    """
    Parse an entry of the list.

    :param item: The entry.
    :returns: The program session.
    :raises ContractError: The entry is not a program session.
    """
    problem = problem_of_id(item)
    if problem is None:
        try:
            return ProgramSession.model_validate(item)
        except ValidationError as error:
            problem = problem_of_fields(error)
    raise ContractError(
        f"{_LIST} has an entry that is not a program session: {problem}. The API may have changed: please report it."
    )


def problem_of_id(item: dict[str, Any]) -> str | None:
    """
    Return what is wrong with the ID of an entry, or None.

    :param item: The entry.
    :returns: The problem, for an error.
    """
    return None if is_session_id(item.get("_id")) else NO_ID


@dataclass
class UnreadableItems:
    """
    The entries of a list that are left out, since they cannot be read.

    :param count: How many there are; default 0.
    :param first: Position of the first, from 1, and its ID if it has one; default none.
    :param problem: What is wrong with the first; default nothing.
    :param what: What the list is, for the message; default the list of program sessions.
    """

    count: int = 0
    first: str = ""
    problem: str = ""
    what: str = _LIST

    def add(self, position: int, item: Any, problem: str) -> None:
        """
        Count one more.

        :param position: Its number in the list, from 1.
        :param item: The entry.
        :param problem: What is wrong with it.
        """
        self.count += 1
        if self.count == 1:
            entry_id = item.get("_id") if isinstance(item, dict) else None
            self.first = f"number {position}{f' ({redact(entry_id)})' if isinstance(entry_id, str) else ''}"
            self.problem = problem

    def merge(self, later: UnreadableItems) -> None:
        """
        Add those of a later page.

        :param later: The entries of the page that are left out.
        """
        if not self.count:
            self.first, self.problem, self.what = later.first, later.problem, later.what
        self.count += later.count

    def __str__(self) -> str:
        entries = count_of(self.count, "entry", "entries")
        return f"{self.what} has {entries} that cannot be read. The first is {self.first}: {self.problem}."

    def report(self, policy: ContractPolicy) -> str | None:
        """
        Return the warning about entries that were left out, or None if there are none.

        :param policy: What to do about a response that differs from the documentation.
        :returns: The warning.
        :raises ContractError: Entries were left out, and the policy is `strict`.
        """
        if not self.count:
            return None
        if policy == "strict":
            raise ContractError(f"{self} Report it to 360Learning, or set contract='warn' to continue without.")
        return f"{self} Continuing without."


@dataclass
class SessionList:
    """
    The list of program sessions.

    :param sessions: The sessions that can be read; default none.
    :param unreadable: The entries that cannot; default none.
    """

    sessions: list[ProgramSession] = field(default_factory=list)
    unreadable: UnreadableItems = field(default_factory=UnreadableItems)

    def add(self, page: SessionList) -> None:
        """
        Add the entries of another page.

        :param page: The page.
        """
        self.sessions += page.sessions
        self.unreadable.merge(page.unreadable)


def split_body(body: bytes) -> Iterator[bytes]:
    """
    Yield a body in chunks, so that no step of parsing takes long.

    :param body: The body.
    """
    for start in range(0, len(body), CHUNK_SIZE):
        yield body[start : start + CHUNK_SIZE]


def parse_session_list(
    response: Response,
    convert: Convert | None = None,
    *,
    what: str = _WHAT,
    may_be_unreadable: bool = False,
) -> SessionList:
    """
    Parse the list of program sessions; entries that cannot be read are left out and counted.

    It parses entry by entry: a list of several megabytes is never one long step that blocks other threads.

    :param response: The response.
    :param convert: Makes a document of an entry; default the entry is one.
    :param what: What the response should be, for errors; default a list of program sessions.
    :param may_be_unreadable: Whether all entries may be unreadable, as on the last page of a list; default False.
    :returns: The list.
    :raises ContractError: It is not a list, or no entry is a program session.
    :raises TooLargeError: It has more sessions than the limits allow.
    """
    sessions: list[ProgramSession] = []
    reader = SessionListReader(response, sessions.append, convert, what=what, may_be_unreadable=may_be_unreadable)
    for chunk in split_body(response.body):
        reader.feed(chunk)
    return SessionList(sessions, reader.close())


class SessionListReader:
    """
    Reads the list of program sessions from a body in chunks; entries that cannot be read are left out and counted.

    :param response: The response.
    :param take: Gets each session.
    :param convert: Makes a document of an entry; default the entry is one.
    :param what: What the response should be, for errors; default a list of program sessions.
    :param may_be_unreadable: Whether all entries may be unreadable, as on the last page of a list; default False.
    """

    def __init__(
        self,
        response: Response,
        take: Callable[[ProgramSession], None],
        convert: Convert | None = None,
        *,
        what: str = _WHAT,
        may_be_unreadable: bool = False,
    ) -> None:
        self._response = response
        self._what = what
        self._take = take
        self._may_be_unreadable = may_be_unreadable
        self._limits = response.limits or DEFAULT_LIMITS["list"]
        self._most = max(self._limits.max_bytes, CHUNK_SIZE) // BYTES_PER_SESSION
        self._stream = StreamedObjects(what, response, convert, may_be_unreadable=may_be_unreadable)
        self._unreadable = UnreadableItems()
        self._count = 0

    def feed(self, chunk: bytes) -> None:
        """
        Read the sessions that became complete.

        :param chunk: The next bytes of the body.
        :raises ContractError: The body is not a JSON array.
        :raises TooLargeError: It has more sessions than the limits allow.
        """
        for entry in self._stream.entries(chunk):
            session = _build_session(entry)
            if isinstance(session, str):
                self._unreadable.add(entry.position, entry.item, session)
                continue
            self._count += 1
            if self._count > self._most:
                raise error_from_size(self._response.request, self._response.status, self._limits)
            self._take(session)

    def close(self) -> UnreadableItems:
        """
        Check that the list is complete, and that it has a session if it has entries.

        :returns: The entries that were left out.
        :raises ContractError: It is not complete, or no entry is a program session.
        """
        self._stream.close()
        if self._unreadable.count and not (self._count or self._may_be_unreadable):
            raise build_contract_error(self._what, self._response, self._unreadable.problem)
        return self._unreadable


class SessionCollector(SessionListReader):
    """
    Reads the list of program sessions from a body in chunks, and keeps all that can be read.

    :param response: The response.
    """

    def __init__(self, response: Response) -> None:
        self._sessions: list[ProgramSession] = []
        super().__init__(response, self._sessions.append)

    def collect(self) -> SessionList:
        """
        Check that the list is complete.

        :returns: The list.
        :raises ContractError: It is not complete, or no entry is a program session.
        """
        return SessionList(self._sessions, self.close())


def _sanitize_entry(decoder: SafeDecoder, raw: Any, *, is_risky: bool) -> tuple[dict[str, Any], str | None]:
    """Return an entry, sanitized, and what is wrong with it; of an unusable entry only its ID, if it has one."""
    if isinstance(raw, Unreadable):
        return {}, raw.problem
    if not isinstance(raw, dict):
        return {}, "it is not an object"
    if decoder.was_number(raw.get("_id")):  # a number with as many digits as an ID is not an ID
        return {}, NO_ID
    try:
        item: dict[str, Any] = decoder.finish(raw, is_risky=is_risky)
    except (ValueError, RecursionError) as error:
        only_id = {"_id": raw.get("_id")}
        return {} if problem_of_id(only_id) else only_id, describe_problem(error)
    return item, None


def _build_session(entry: Entry) -> ProgramSession | str:
    """Return the session of an entry, or what is wrong with the entry."""
    if problem := entry.problem or problem_of_id(entry.item):
        return problem
    try:
        return ProgramSession.from_json(entry.item, was_sanitized=entry.was_sanitized)
    except ValidationError as error:
        return problem_of_fields(error)


@dataclass(frozen=True)
class Entry:
    """
    One entry of the list.

    :param position: Its number, from 1.
    :param item: Its fields, sanitized; of one that cannot be read, its `_id` at most.
    :param problem: Why it cannot be read, or None. The values of its fields are not checked.
    :param was_sanitized: Whether something in it may have been replaced.
    """

    position: int
    item: dict[str, Any]
    problem: str | None
    was_sanitized: bool


def _unchanged(item: dict[str, Any]) -> dict[str, Any]:
    return item


class StreamedObjects:
    """
    Reads an array of objects from a response whose body arrives in chunks.

    :param what: What the array should be, for errors.
    :param response: The response, without its body.
    :param convert: Makes a document of an entry; default the entry is one.
    :param may_be_unreadable: Whether all entries may be unreadable, as on the last page of a list; default False.
    """

    def __init__(
        self, what: str, response: Response, convert: Convert | None = None, *, may_be_unreadable: bool = False
    ) -> None:
        self.response = response
        self.unreadable = UnreadableItems()
        self._what = what
        self._convert = convert or _unchanged
        self._may_be_unreadable = may_be_unreadable
        self._decoder = SafeDecoder()
        self._reader = ArrayReader(self._decoder.raw_decode, MAX_ITEM_LENGTH, skip_damaged=True)
        self._start = b""
        self._count = 0
        self._held_back = 0  # unreadable entries before the first readable one
        self._is_risky = False  # the text since the last complete entry may contain what cannot be stored
        self._end_of_last = b""

    def feed(self, chunk: bytes) -> Iterator[dict[str, Any]]:
        """
        Yield the objects that became complete, as they were sent.

        An entry that cannot be read yields an empty object, or one with its `_id` only.

        :param chunk: The next bytes of the body.
        :raises ContractError: The body is not a JSON array.
        """
        for entry in self.entries(chunk):
            if entry.problem:
                self.unreadable.add(entry.position, entry.item, entry.problem)
            # Nothing is yielded before the first readable entry: the body may not be a list of sessions at all.
            if self._may_be_unreadable or self.unreadable.count < entry.position:
                yield from ({} for _ in range(self._held_back))
                self._held_back = 0
                yield entry.item
            else:
                self._held_back += 1

    def entries(self, chunk: bytes) -> Iterator[Entry]:
        """
        Yield the entries that became complete, also those that cannot be read.

        :param chunk: The next bytes of the body.
        :raises ContractError: The body is not a JSON array.
        """
        if len(self._start) < START:
            self._start = (self._start + chunk)[:START]
        # An escape may begin in the chunk before.
        text = self._end_of_last + chunk
        is_risky = has_risky_escape(text.decode("latin-1"))
        self._end_of_last = text[1 - MAX_ESCAPE_LENGTH :]
        self._is_risky = self._is_risky or is_risky
        try:
            for raw in self._reader.feed(chunk):
                self._count += 1
                item, problem = _sanitize_entry(self._decoder, raw, is_risky=self._is_risky)
                document = item if problem else self._convert(item)
                yield Entry(self._count, document, problem, self._decoder.has_changed)
                self._decoder.start()
                self._is_risky = is_risky
            return
        except (ValueError, RecursionError) as error:
            problem = describe_problem(error)
        raise self._error(problem)

    def close(self) -> None:
        """
        Check that the array is complete, and that at least one of its entries could be read.

        :raises ContractError: It is not, or none could.
        """
        try:
            self._reader.close()
        except (ValueError, RecursionError) as error:
            problem = describe_problem(error)
        else:
            if self._may_be_unreadable or self.unreadable.count < (self._count or 1):
                return
            problem = self.unreadable.problem
        raise self._error(problem)

    def _error(self, problem: str) -> ContractError:
        return build_contract_error(self._what, self.response, find_page_problem(self._start) or problem)
