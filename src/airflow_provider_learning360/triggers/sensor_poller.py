"""The poller that all deferred sensors of one connection share: one request, or one list, for all who wait for it."""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from airflow_provider_learning360.api.errors import FixConnectionError, ForbiddenError, LearningError
from airflow_provider_learning360.hooks.shared_hook import HookUser
from airflow_provider_learning360.triggers.outage import INTERRUPTED
from airflow_provider_learning360.triggers.session_list import SessionListReader
from airflow_provider_learning360.triggers.waiting_poll import WaitingPoll

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine, Hashable, Iterable

    from airflow_provider_learning360.api.platform import Keys
    from airflow_provider_learning360.triggers.poll_target import PollTarget

# Seconds. Polls that become due within this time of one another begin together.
GATHER_TIME = 0.1
# Single requests at once. A slow one must not delay the others, and the client opens 100 connections at most.
READS_AT_ONCE = 50
# The same for what a list could not show, where the platform may be in trouble.
READS_AFTER_LIST = 5
CANCELLED = RuntimeError(INTERRUPTED)
# Failed requests in a row after which the rest is not tried.
MAX_ERRORS_IN_A_ROW = 3

_POLLERS: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[str, SensorPoller]] = WeakKeyDictionary()


@asynccontextmanager
async def share_poller(learning_conn_id: str) -> AsyncIterator[SensorPoller]:
    """
    Return the poller of a connection in this event loop; its connections are closed when the last trigger has left.

    :param learning_conn_id: ID of the connection.
    """
    pollers = _POLLERS.setdefault(asyncio.get_running_loop(), {})
    poller = pollers.get(learning_conn_id) or pollers.setdefault(learning_conn_id, SensorPoller(learning_conn_id))
    poller.trigger_count += 1
    try:
        yield poller
    finally:
        poller.trigger_count -= 1
        if not poller.trigger_count:
            del pollers[learning_conn_id]
            await poller.close()


class SensorPoller:
    """
    Poll for all deferred sensors of a connection.

    Each trigger asks for its next poll at a time of its own. When the first is due, those that may be polled already
    are served too, if that takes no request more: the same session, or more sessions than are read one by one.

    :param learning_conn_id: ID of the connection.
    """

    def __init__(self, learning_conn_id: str) -> None:
        self.trigger_count = 0
        self._user = HookUser(learning_conn_id)
        self._user.join()
        self._waiting: set[WaitingPoll] = set()
        self._gathering: asyncio.Task[None] | None = None
        self._reads: set[Read] = set()
        self._list: SessionListReader | None = None
        self._list_read: Read | None = None
        self._slots = asyncio.Semaphore(READS_AT_ONCE)

    async def close(self) -> None:
        """End what is still under way, and leave the shared hook."""
        if self._gathering is not None:
            self._gathering.cancel()
        for read in self._reads:
            read.cancel()
        await self._user.leave()

    async def poll(self, target: PollTarget, seconds: float, early: float, joined_at: float) -> Any:
        """
        Return what the next poll of a trigger read.

        :param target: What is polled.
        :param seconds: Seconds until the poll is due.
        :param early: How many seconds earlier it may be, together with others.
        :param joined_at: When the trigger started, on the monotonic clock.
        :raises LearningError: The poll has failed.
        """
        one = WaitingPoll(target, seconds, early, joined_at)
        self._waiting.add(one)
        try:
            await one.sleep(seconds)
            one.is_due = True
            if not (one.is_taken or one.is_over):
                self._gather()
            return await one.wait()
        finally:
            self._waiting.discard(one)
            one.give_up()

    def _gather(self) -> None:
        if self._gathering is None:
            self._gathering = asyncio.ensure_future(self._begin_polls())
            self._gathering.add_done_callback(self._note_gathered)

    def _note_gathered(self, ended: asyncio.Task[None]) -> None:
        self._gathering = None
        error = CANCELLED if ended.cancelled() else ended.exception()
        if error is not None:
            _fail(self._due(), error)
        if self.trigger_count and self._due():  # they became due at the last moment
            self._gather()

    def _due(self) -> list[WaitingPoll]:
        """Return the polls that are due, and for which no request is under way."""
        return [one for one in self._waiting if one.is_due and one.is_free]

    def _ready(self) -> list[WaitingPoll]:
        """Return the polls that are due or may come early, and for which no request is under way."""
        now = asyncio.get_running_loop().time()
        return [one for one in self._waiting if one.is_free and (one.is_due or one.earliest <= now)]

    async def _begin_polls(self) -> None:
        """Begin the polls that are due, after a moment in which others become due."""
        now = asyncio.get_running_loop().time()
        last = max((one.due for one in self._waiting if one.due <= now + GATHER_TIME), default=now)
        if last > now:
            await asyncio.sleep(last - now)
            for one in self._waiting:
                one.is_due = one.is_due or one.due <= last
        try:
            async with self._user.use(await self._find_join_time()) as hook:
                platform = await hook.get_platform()
                platform.forget()
                if self._list is None or self._list.hook is not hook:
                    self._list = SessionListReader(hook, platform)
                self._begin_reads(self._list)
        except LearningError as error:
            self._note_error(error)
            _fail(self._due(), error)

    async def _find_join_time(self) -> float:
        """Return when the newest trigger joined. Those for whom the connection cannot be looked up again fail alone."""
        newest = max((one.joined_at for one in self._ready()), default=0.0)
        try:
            async with self._user.use(newest):
                return newest
        except LearningError as error:
            if not self._user.is_open:
                raise
            _fail((one for one in self._ready() if one.joined_at > self._user.joined_at), error)
            return self._user.joined_at

    def _begin_reads(self, reader: SessionListReader) -> None:
        due, ready = self._due(), self._ready()
        listed = [one for one in ready if one.target.is_listed(reader.listed_keys)]
        sessions = {one.target.session_id for one in listed}
        if reader.is_worth_reading(len(sessions)) and any(one.is_due for one in listed):
            due = [one for one in due if not one.target.is_listed(reader.listed_keys)]
            if self._list_read is None:
                self._list_read = self._start(listed, partial(self._read_list, reader, listed))
            else:
                for one in listed:
                    one.awaits_list = one.is_due
        keys = {one.target.key(reader.listed_keys) for one in due}
        same = [one for one in ready if one.is_free and one.target.key(reader.listed_keys) in keys]
        for group in _group(same, reader.listed_keys):
            self._start(group, partial(self._read_single, group, self._slots))

    def _start(self, polls: list[WaitingPoll], work: Callable[[], Coroutine[Any, Any, None]]) -> Read:
        read = Read(polls, work)
        self._reads.add(read)
        for one in polls:
            one.is_taken = True
            one.note_given_up = read.note_given_up
        read.task.add_done_callback(lambda _: self._note_end(read))
        return read

    def _note_end(self, read: Read) -> None:
        self._reads.discard(read)
        if read is self._list_read:
            self._list_read = None
            for one in self._waiting:
                one.awaits_list = False
            if self._due():
                self._gather()

    async def _read_single(
        self, group: list[WaitingPoll], slots: asyncio.Semaphore, trouble: Trouble | None = None
    ) -> None:
        """Read what one request shows, and pass it on to all who wait for it."""
        async with slots:
            targets = [one.target for one in group if not one.is_over]
            if not targets:  # their triggers have stopped waiting meanwhile
                return
            if trouble is not None and trouble.error is not None and trouble.count >= MAX_ERRORS_IN_A_ROW:
                _fail(group, trouble.error)
                return
            for target in targets:
                target.forget(time.monotonic())
            try:
                async with self._user.use() as hook:
                    value = await targets[0].read(hook, targets)
            except LearningError as error:
                self._note_error(error)
                if trouble is not None:
                    trouble.note(error)
                _fail(group, error)
                return
        if trouble is not None:
            trouble.note(None)
        for one in group:
            one.deliver(value)

    async def _read_list(self, reader: SessionListReader, polls: list[WaitingPoll]) -> None:
        """Read the list for all who wait for one of its sessions; read singly what it does not show."""
        trouble = Trouble()
        try:
            async with self._user.use() as hook:
                # If the settings have changed just now, the reader is that of the hook before.
                left = await reader.read(hook, polls) if hook is reader.hook else polls
        except LearningError as error:
            self._note_error(error)
            if _affects_single_reads(error):
                _fail(polls, error)
                return
            left = [one for one in polls if not one.is_over]
        for one in left:
            # Nothing is gained by reading these early.
            one.is_taken = one.is_due
        slots = asyncio.Semaphore(READS_AFTER_LIST)
        for group in _group((one for one in left if one.is_due and not one.is_over), reader.listed_keys):
            self._start(group, partial(self._read_single, group, slots, trouble))

    def _note_error(self, error: LearningError) -> None:
        if isinstance(error, FixConnectionError) and not isinstance(error, ForbiddenError):
            self._user.note_refused()


class Read:
    """
    A request, or a list, that is under way. It ends early when nobody waits for it any more.

    :param polls: The polls that wait for it.
    :param work: Reads it, and passes the outcomes on.
    """

    def __init__(self, polls: list[WaitingPoll], work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        self._polls = polls
        self._unserved = len(polls)
        self.task = asyncio.ensure_future(self._run(work))

    def cancel(self) -> None:
        """End it."""
        self.task.cancel()

    def note_given_up(self) -> None:
        """End it if all have stopped waiting. A list that has served somebody is read to its end."""
        self._unserved -= 1
        if not self._unserved:
            self.task.cancel()

    async def _run(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        try:
            await work()
        except asyncio.CancelledError:
            if self.task.cancelling():
                raise
            # An interrupted response also arrives as a CancelledError. The triggers would take it for their own.
            _fail(self._polls, CANCELLED)
        except BaseException as error:  # noqa: BLE001 - each trigger raises it
            _fail(self._polls, error)


class Trouble:
    """Failed requests in a row, which may concern all others that would follow."""

    def __init__(self) -> None:
        self.count = 0
        self.error: LearningError | None = None

    def note(self, error: LearningError | None) -> None:
        """
        Note how a request ended.

        :param error: Its error; None if there was none.
        """
        is_of_one = error is not None and not (error.retryable or isinstance(error, FixConnectionError))
        self.count = 0 if error is None or is_of_one else self.count + 1
        self.error = error


def _fail(polls: Iterable[WaitingPoll], error: BaseException) -> None:
    for one in polls:
        one.fail(error)


def _group(polls: Iterable[WaitingPoll], listed_keys: Keys) -> list[list[WaitingPoll]]:
    """Return the polls that one request serves, together."""
    groups: dict[Hashable, list[WaitingPoll]] = {}
    for one in polls:
        groups.setdefault(one.target.key(listed_keys), []).append(one)
    return list(groups.values())


def _affects_single_reads(error: LearningError) -> bool:
    """Whether a request for one session would meet the error of the list, too."""
    is_refused = isinstance(error, FixConnectionError) and not isinstance(error, ForbiddenError)
    return is_refused or error.retry_after is not None or error.status == 429
