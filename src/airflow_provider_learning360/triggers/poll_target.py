"""What a waiting trigger polls: a session, the completions of one, or the answer of an operation."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Sequence

    from airflow_provider_learning360.api.platform import CompletionCount, Keys
    from airflow_provider_learning360.hooks.learning_async import LearningAsyncHook

# What an entry of a list says about when the session was modified, and its dates.
EntryState = tuple[Any, ...]


class PollTarget(ABC):
    """What one trigger polls. Targets with the same key are read by one request."""

    # The session that a list may show in place of a request of its own; None if no list does.
    session_id: str | None = None

    def __init__(self) -> None:
        # Whether the trigger has evaluated the present state, and the entry of a list that showed it.
        self.is_known = False
        self.entry_state: EntryState | None = None
        # When the request began that showed the state, on the monotonic clock.
        self.read_at = float("-inf")

    @abstractmethod
    def key(self, listed_keys: Keys) -> Hashable:
        """
        Return what targets have in common that one request reads.

        :param listed_keys: The keys that each entry of a list has; None for all that there are.
        """

    @abstractmethod
    async def read(self, hook: LearningAsyncHook, targets: Sequence[PollTarget]) -> Any:
        """
        Read it.

        :param hook: The hook.
        :param targets: All targets with this key, for which it is read.
        :raises LearningError: The request failed; its class says what to do next.
        """

    def is_listed(self, listed_keys: Keys) -> bool:
        """
        Whether an entry of a list says all that the trigger needs.

        :param listed_keys: The keys that each entry has; None for all that there are.
        """
        return False

    def forget(self, read_at: float) -> None:
        """
        Note that the state is read again: what was evaluated before may be out of date.

        :param read_at: When the request began, on the monotonic clock.
        """
        self.is_known, self.entry_state, self.read_at = False, None, read_at


class SessionTarget(PollTarget):
    """
    A program session.

    :param session_id: ID of the session.
    :param keys: Which keys of its document are needed.
    """

    def __init__(self, session_id: str, keys: Keys) -> None:
        super().__init__()
        self.session_id: str = session_id.lower()
        self._id = session_id
        self.keys = keys

    def key(self, listed_keys: Keys) -> Hashable:
        """Return the session, and the keys that take requests of their own."""
        further = None if listed_keys is None or self.keys is None else self.keys - listed_keys
        return "session", self.session_id, further

    async def read(self, hook: LearningAsyncHook, targets: Sequence[PollTarget]) -> Any:
        """Read the session."""
        return await hook.get_program_session(self._id, self.keys)

    def is_listed(self, listed_keys: Keys) -> bool:
        """Whether an entry has all keys that are needed."""
        return listed_keys is None or (self.keys is not None and self.keys <= listed_keys)


class CompletionsTarget(PollTarget):
    """
    How many learners have completed a program session.

    :param session_id: ID of the session.
    :param is_enough: Whether counts end the wait.
    """

    def __init__(self, session_id: str, is_enough: Callable[[CompletionCount], bool]) -> None:
        super().__init__()
        self._id = session_id
        self.is_enough = is_enough

    def key(self, listed_keys: Keys) -> Hashable:
        """Return the session."""
        return "completions", self._id.lower()

    async def read(self, hook: LearningAsyncHook, targets: Sequence[PollTarget]) -> Any:
        """Read the counts, once for all waits."""
        waits = [one.is_enough for one in targets if isinstance(one, CompletionsTarget)]

        def count_ended_waits(counts: CompletionCount) -> int:
            return sum(is_enough(counts) for is_enough in waits)

        return await hook.count_completions(self._id, count_ended_waits)


class AnswerTarget(PollTarget):
    """
    The answer of an operation.

    :param key: What identical calls have in common.
    :param read: Calls the operation.
    """

    def __init__(self, key: Hashable, read: Callable[[LearningAsyncHook], Any]) -> None:
        super().__init__()
        self._key = key
        self._read = read

    def key(self, listed_keys: Keys) -> Hashable:
        """Return what identical calls have in common."""
        return self._key

    async def read(self, hook: LearningAsyncHook, targets: Sequence[PollTarget]) -> Any:
        """Call the operation."""
        return await self._read(hook)
