"""The entries of the list of program sessions: those that can be read, and those that are left out."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from airflow_provider_learning360.api.arrays import MAX_ITEM_LENGTH, ArrayReader, Unreadable
from airflow_provider_learning360.api.bodies import error_from_size
from airflow_provider_learning360.api.decoder import MAX_ESCAPE_LENGTH, SafeDecoder, has_risky_escape
from airflow_provider_learning360.api.endpoints import is_session_id
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

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_provider_learning360.api.contract import ContractPolicy
    from airflow_provider_learning360.api.messages import Response

_LIST = "The list of program sessions"
CHUNK_SIZE = 64 * 1024  # bytes of a body that are read at once
BYTES_PER_SESSION = 1024  # of the bound: a session takes more memory than that, even if it has an `_id` only


def parse_entry(item: dict[str, Any]) -> ProgramSession:
    """
    Return the program session that an item of the list is.

    :param item: The item.
    :raises ContractError: It is none.
    """
    problem = problem_of_id(item)
    if problem is None:
        try:
            return ProgramSession.model_validate(item)
        except ValidationError as error:
            problem = problem_of_fields(error)
    raise ContractError(
        f"{_LIST} holds something that is not a program session: {problem}. Report a change of the API."
    )


def problem_of_id(item: dict[str, Any]) -> str | None:
    """Return what is wrong with the ID of an entry, or None."""
    return None if is_session_id(item.get("_id")) else "its _id is no ID"


@dataclass
class UnreadableItems:
    """
    The items of a list that are left out, since they cannot be read.

    :param count: How many there are.
    :param first: The position of the first of them, from 1, and its ID if it has one.
    :param problem: What is wrong with the first.
    """

    count: int = 0
    first: str = ""
    problem: str = ""

    def add(self, position: int, item: Any, problem: str) -> None:
        """Take in one more; `position` counts from 1."""
        self.count += 1
        if self.count == 1:
            named = item.get("_id") if isinstance(item, dict) else None
            self.first = f"number {position}{f' ({redact(named)})' if isinstance(named, str) else ''}"
            self.problem = problem

    def __str__(self) -> str:
        entries = "1 entry" if self.count == 1 else f"{self.count} entries"
        return f"{_LIST} has {entries} that cannot be read. The first is {self.first}: {self.problem}."

    def report(self, policy: ContractPolicy) -> str | None:
        """
        Return the sentence to warn with, or None if nothing was left out.

        :param policy: What the author wants done about an answer that differs from the documentation.
        :raises ContractError: Something was left out, and the policy is `strict`.
        """
        if not self.count:
            return None
        if policy == "strict":
            raise ContractError(f"{self} Report it, or choose contract='warn' to go on without.")
        return f"{self} Going on without."


@dataclass
class SessionList:
    """
    The list of program sessions.

    :param sessions: Those that can be read.
    :param unreadable: Those that cannot.
    """

    sessions: list[ProgramSession] = field(default_factory=list)
    unreadable: UnreadableItems = field(default_factory=UnreadableItems)


def parse_session_list(response: Response) -> SessionList:
    """
    Return the program sessions out of an answer; what cannot be read of them is left out and counted.

    It goes from item to item: a list of several megabytes is never one long step that holds up other threads.

    :param response: The answer.
    :raises ContractError: It is no list, or nothing in it is a program session.
    :raises TooLargeError: It has more sessions than the memory may hold.
    """
    limits = response.limits or DEFAULT_LIMITS["list"]
    most = max(limits.max_bytes, CHUNK_SIZE) // BYTES_PER_SESSION
    what, found = "a list of program sessions", SessionList()
    stream = StreamedObjects(what, response)
    for place in range(0, len(response.body), CHUNK_SIZE):
        for entry in stream.entries(response.body[place : place + CHUNK_SIZE]):
            problem = entry.problem or _add_session(found.sessions, entry)
            if problem:
                found.unreadable.add(entry.position, entry.item, problem)
            if len(found.sessions) > most:
                raise error_from_size(response.request, response.status, limits)
    stream.close()
    if found.unreadable.count and not found.sessions:
        raise build_contract_error(what, response, found.unreadable.problem)
    return found


def _finished(decoder: SafeDecoder, raw: Any, *, is_risky: bool) -> tuple[dict[str, Any], str | None]:
    """Return an entry, sanitized, and what is wrong with it; of one that is no usable object its ID, if it has one."""
    if isinstance(raw, Unreadable):
        return {}, raw.problem
    if not isinstance(raw, dict):
        return {}, "it is no object"
    if decoder.was_number(raw.get("_id")):  # as many digits as an ID has make no ID
        return {}, "its _id is no ID"
    try:
        item: dict[str, Any] = decoder.finish(raw, is_risky=is_risky)
    except (ValueError, RecursionError) as error:
        named = {"_id": raw.get("_id")}
        return {} if problem_of_id(named) else named, describe_problem(error)
    return item, None


def _add_session(sessions: list[ProgramSession], entry: Entry) -> str | None:
    """Add the session that an entry is; return what is wrong with it, if it is none."""
    if problem := problem_of_id(entry.item):
        return problem
    try:
        sessions.append(ProgramSession.from_json(entry.item, was_sanitized=entry.was_sanitized))
    except ValidationError as error:
        return problem_of_fields(error)
    return None


@dataclass(frozen=True)
class Entry:
    """
    One entry of the list.

    :param position: Its number, from 1.
    :param item: What it holds, sanitized; of one that cannot be read, its `_id` at most.
    :param problem: Why it cannot be read, or None. Its fields are not looked at.
    :param was_sanitized: Whether something in it may have been replaced.
    """

    position: int
    item: dict[str, Any]
    problem: str | None
    was_sanitized: bool


class StreamedObjects:
    """
    Reads an array of objects from an answer whose body comes piece by piece.

    :param what: What was asked for.
    :param response: The answer, without its body.
    """

    def __init__(self, what: str, response: Response) -> None:
        self.response = response
        self.unreadable = UnreadableItems()
        self._what = what
        self._decoder = SafeDecoder()
        self._reader = ArrayReader(self._decoder.raw_decode, MAX_ITEM_LENGTH, skip_damaged=True)
        self._start = b""
        self._count = 0
        self._held_back = 0  # entries that could not be read, before the first that can
        self._is_risky = False  # the text since the last complete item may hold what cannot be stored
        self._end_of_last = b""

    def feed(self, piece: bytes) -> Iterator[dict[str, Any]]:
        """
        Yield the objects that became complete, as they were sent.

        In place of an entry that cannot be read, an empty object is yielded, or one with an `_id` only.

        :param piece: The next bytes of the body.
        :raises ContractError: The body is no JSON array.
        """
        for entry in self.entries(piece):
            if entry.problem:
                self.unreadable.add(entry.position, entry.item, entry.problem)
            # Nothing is yielded of what may turn out to be no list of sessions at all.
            if self.unreadable.count < entry.position:
                yield from ({} for _ in range(self._held_back))
                self._held_back = 0
                yield entry.item
            else:
                self._held_back += 1

    def entries(self, piece: bytes) -> Iterator[Entry]:
        """
        Yield the entries that became complete, also those that cannot be read.

        :param piece: The next bytes of the body.
        :raises ContractError: The body is no JSON array.
        """
        if len(self._start) < START:
            self._start = (self._start + piece)[:START]
        # An escape may be cut in two.
        text = self._end_of_last + piece
        is_risky = has_risky_escape(text.decode("latin-1"))
        self._end_of_last = text[1 - MAX_ESCAPE_LENGTH :]
        self._is_risky = self._is_risky or is_risky
        try:
            for raw in self._reader.feed(piece):
                self._count += 1
                item, problem = _finished(self._decoder, raw, is_risky=self._is_risky)
                yield Entry(self._count, item, problem, self._decoder.has_changed)
                self._decoder.start()
                self._is_risky = is_risky
            return
        except (ValueError, RecursionError) as error:
            problem = describe_problem(error)
        raise self._error(problem)

    def close(self) -> None:
        """
        Check that the array is complete, and that at least something in it could be read.

        :raises ContractError: It is not.
        """
        try:
            self._reader.close()
        except (ValueError, RecursionError) as error:
            problem = describe_problem(error)
        else:
            if not self._count or self.unreadable.count < self._count:
                return
            problem = self.unreadable.problem
        raise self._error(problem)

    def _error(self, problem: str) -> ContractError:
        return build_contract_error(self._what, self.response, find_page_problem(self._start) or problem)
