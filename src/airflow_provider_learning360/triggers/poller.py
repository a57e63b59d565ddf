"""One poller for all watchers of the same connection and poll interval."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from airflow_provider_learning360.api.errors import (
    ContractError,
    FixConnectionError,
    ForbiddenError,
    LearningError,
    NotFoundError,
)
from airflow_provider_learning360.api.retries import RetryBudget
from airflow_provider_learning360.api.session_ids import is_session_id
from airflow_provider_learning360.hooks.shared_hook import HookUser
from airflow_provider_learning360.triggers.backlog import Backlog
from airflow_provider_learning360.triggers.outage import Outage
from airflow_provider_learning360.triggers.poll_record import PollRecord
from airflow_provider_learning360.triggers.subscriptions import PollResult, Subscriptions
from airflow_provider_learning360.triggers.time_slice import TimeSlice
from airflow_provider_learning360.triggers.tracebacks import UnexpectedError
from airflow_provider_learning360.triggers.unreadable import UnreadableSessions
from airflow_provider_learning360.triggers.watch_index import WatchIndex

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable

    from airflow_provider_learning360.api.models import ProgramSession
    from airflow_provider_learning360.api.platform import SessionPoll
    from airflow_provider_learning360.api.watch_state import PollKind
    from airflow_provider_learning360.hooks.learning_async import LearningAsyncHook

    # Reads a session; None if there is none. Beside it, its `modifiedAt` as the list had it.
    ReadOne = Callable[[str], Awaitable[tuple[ProgramSession, Any] | None]]

log = logging.getLogger(__name__)

# Seconds without a new watcher before a poll: after a start of the triggerer, its watchers come one by one.
JOIN_DEBOUNCE = 1.0
# Seconds. A new watcher is polled early, but not sooner after the last poll than this.
EARLY_POLL_GAP = 10.0
# Errors in a row after which the rest of the sessions is left for the next poll.
MAX_ERRORS_IN_A_ROW = 3
# Seconds after which the log says that a poll hangs.
HANG_WARNING = 60.0
# Seconds after which a 403 makes the poller read the connection again: its key may have changed.
FORBIDDEN_RENEWAL = 3600.0


@dataclass
class Poller:
    """
    Poll program sessions until cancelled, for all subscriptions at once.

    Errors of requests are not raised: the poller polls less often, logs the outage once, and continues. An unreadable
    session is left out and logged once. It does not slow down the others.

    :param subscriptions: The watchers.
    :param learning_conn_id: ID of the Airflow connection.
    :param poll_interval: Seconds between polls.
    :param poll_kind: `single` (one request for each session), `list` (one request for all) or `auto` (default: what
        takes fewer requests, counted over the sessions that this triggerer watches).
    """

    subscriptions: Subscriptions
    learning_conn_id: str
    poll_interval: float
    poll_kind: PollKind = "auto"
    _poll_count: int = field(default=0, init=False)
    _result_count: int = field(default=0, init=False)
    _read_count: int = field(default=0, init=False)
    _list_lacks_dates: bool = field(default=False, init=False)  # no entry of the list has `modifiedAt`
    _has_logged_missing_dates: bool = field(default=False, init=False)
    _last_poll_of: dict[str, int] = field(default_factory=dict, init=False)
    # When each session was last read, and when the whole list was: a missing session still existed then.
    _read_at: dict[str, datetime] = field(default_factory=dict, init=False)
    _list_read_at: datetime | None = field(default=None, init=False)
    _has_read_list: bool = field(default=False, init=False)
    # What could not be read in this poll.
    _unreadable: UnreadableSessions = field(default_factory=lambda: UnreadableSessions(None), init=False)
    # Which sessions met an error in this poll and in the one before.
    _failed: set[str] = field(default_factory=set, init=False)
    _failed_before: set[str] = field(default_factory=set, init=False)
    _opened_at: float = field(default=0.0, init=False)
    _hook: LearningAsyncHook | None = field(default=None, init=False)
    # A new hook gets a new one, which lists everything first.
    _session_poll: SessionPoll | None = field(default=None, init=False)
    _backlog: Backlog = field(default_factory=Backlog, init=False)

    def __post_init__(self) -> None:
        self._outage = Outage(log, self.learning_conn_id)
        self._record = PollRecord()

    async def poll(self) -> AsyncGenerator[PollResult]:
        """Yield the results of each poll that found changes: one, or more if they are too many for one event."""
        # One attempt a poll: the next poll is the retry, and the outage is logged once.
        async with HookUser(self.learning_conn_id, RetryBudget(attempts=1)) as user:
            await self._wait_for_watchers()
            while True:
                started = time.monotonic()
                error = await self._poll_in_time(user)
                self._outage.note_poll(error)
                self._record.note_poll(error)
                seconds = self._outage.compute_wait(self.poll_interval, has_read=self._read_count > 0)
                self._outage.log_news(seconds)
                if self._is_stale(error):
                    user.note_refused()
                    user.look_up_again()
                    self._hook = None
                while (result := self._take_result()) is not None:
                    yield result
                for subscription in self.subscriptions:
                    await subscription.save()
                await self._record.save(one.cursor for one in self.subscriptions if one.cursor is not None)
                await self._sleep(started, seconds)

    def _note_hook(self, hook: LearningAsyncHook) -> None:
        """Start again with another hook, or after a refusal: it may speak another version of the API now."""
        if hook is self._hook:
            return
        self._hook, self._session_poll = hook, None
        self._list_lacks_dates = self._has_logged_missing_dates = False
        self._opened_at = time.monotonic()
        for subscription in self.subscriptions:
            subscription.watch.forget_sent()

    def _is_stale(self, error: LearningError | None) -> bool:
        """Whether to read the connection again before the next poll: it may have been fixed."""
        if isinstance(error, ForbiddenError):
            return time.monotonic() - self._opened_at > FORBIDDEN_RENEWAL
        return isinstance(error, FixConnectionError)

    async def _poll_in_time(self, user: HookUser) -> LearningError | None:
        """Poll, and log if that takes very long."""
        hang_warning = asyncio.get_running_loop().call_later(HANG_WARNING, self._log_hanging)
        try:
            return await self._poll_once(user)
        finally:
            hang_warning.cancel()

    def _log_hanging(self) -> None:
        log.warning(
            "A poll through connection %r has been waiting for 360Learning for %g s. The time limits of the connection "
            "end it; the next poll follows.",
            self.learning_conn_id,
            HANG_WARNING,
        )

    async def _poll_once(self, user: HookUser) -> LearningError | None:
        """Poll all watched sessions; return the error, if some could not be read."""
        self._poll_count += 1
        self._read_count = 0
        before, self._unreadable = self._unreadable, UnreadableSessions(self._unreadable)
        self._failed_before, self._failed = self._failed, set()
        self._has_read_list = False
        if self.subscriptions.joined.is_set():
            self._list_read_at = None  # a session of a new watcher may have been missing already
        self.subscriptions.joined.clear()  # this poll includes all watchers that have joined
        index = await WatchIndex.of(self.subscriptions)
        try:
            async with user.use() as hook:
                self._note_hook(hook)
                error = await self._poll_all(hook, index)
        except LearningError as failure:
            error = failure
        except Exception as failure:  # noqa: BLE001 - raising it would end all watchers, which Airflow restarts at once
            error = UnexpectedError(failure)
        index.log_news(log, self._last_read)
        if self._has_read_list:
            self._list_read_at = datetime.now(tz=UTC)
        if error is None:
            self._unreadable.log_changes(before, log, self.learning_conn_id)
        else:
            self._unreadable = before  # nothing of this poll was logged
        return error

    async def _poll_all(self, hook: LearningAsyncHook, index: WatchIndex) -> LearningError | None:
        platform = await hook.get_platform()
        is_many = len(index.ids) > platform.single_poll_limit
        is_list_cheaper = index.has_everything or (is_many and not self._list_lacks_dates)
        if self.poll_kind == "list" or (self.poll_kind == "auto" and is_list_cheaper):
            self._session_poll = self._session_poll or platform.new_poll()
            return await self._poll_list(hook, index, self._session_poll)
        self._backlog.clear()
        platform.forget()
        return await self._poll_each(index, index.ids, self._single_reads(hook, index))

    async def _poll_list(self, hook: LearningAsyncHook, index: WatchIndex, poll: SessionPoll) -> LearningError | None:
        outdated = await hook.run_plan(poll.find_outdated(await index.find_lacking(poll.listed_keys)))
        full = self._backlog.begin(index, outdated)
        undated, not_listed, incomplete = await self._read_list(hook, index, poll, full=full)
        self._backlog.note_listed(index)
        self._has_read_list = poll.is_full
        if poll.is_exact:
            error = await self._find_missing(hook, index, not_listed)
        else:
            error = await self._read_backlog(hook, index, poll, not_listed, incomplete)
        if undated:
            # If no session has a date, the platform never sends dates. Then the list is not read again.
            self._list_lacks_dates = not self._read_count
            error = await self._poll_undated(hook, index, undated) or error
        return error

    async def _find_missing(
        self, hook: LearningAsyncHook, index: WatchIndex, not_listed: set[str]
    ) -> LearningError | None:
        """Report the sessions that an exact list lacks."""
        self._backlog.clear()
        # Only a complete list in which every entry has an ID shows which sessions are missing.
        if self._unreadable.unidentified:
            self._has_read_list = False
            there = {one for one in not_listed if index.is_there(one)}
            return await self._poll_each(index, there, self._single_reads(hook, index))
        for session_id in not_listed:
            index.observe_missing(session_id)
        return None

    async def _read_backlog(
        self,
        hook: LearningAsyncHook,
        index: WatchIndex,
        poll: SessionPoll,
        not_listed: set[str],
        incomplete: dict[str, str],
    ) -> LearningError | None:
        """Read what the list does not show: fields that it lacks, and sessions that it may only have missed."""
        if poll.is_full:
            self._backlog.note_doubtful(one for one in not_listed if index.is_there(one))
        self._read_count += 1  # the list: an error of single sessions is no outage
        error = await self._poll_each(index, set(incomplete), self._completions(hook, index, poll, incomplete))
        if error is not None:
            return error
        ids = self._backlog.take(self._poll_order)
        self._backlog.note_doubtful(ids & self._failed)
        return await self._poll_each(index, ids - self._failed, self._backlog_reads(hook, index, poll))

    async def _read_list(
        self, hook: LearningAsyncHook, index: WatchIndex, poll: SessionPoll, *, full: bool
    ) -> tuple[set[str], set[str], dict[str, str]]:
        """
        Read the list.

        Returns the IDs of watched sessions without `modifiedAt` and of those that it lacks, and the items that lack
        watched fields.
        """
        undated: set[str] = set()
        incomplete: dict[str, str] = {}
        not_listed = set(index.ids)
        time_slice = TimeSlice()
        async with aclosing(hook.stream_plan(poll.stream(full=full))) as items:
            async for item in items:
                await time_slice.let_others_run()
                sent_id: Any = item.get("_id")
                if not is_session_id(sent_id):
                    self._unreadable.unidentified += 1
                    continue
                session_id = sent_id.lower()
                not_listed.discard(session_id)
                if not index.watches(session_id):
                    continue
                if item.get("modifiedAt") is None:
                    undated.add(session_id)
                elif self._observe_item(index, session_id, item, poll):
                    # As text: the garbage collector would hold up the event loop for thousands of objects.
                    incomplete[session_id] = json.dumps(item)
        return undated, not_listed, incomplete

    def _observe_item(self, index: WatchIndex, session_id: str, item: dict[str, Any], poll: SessionPoll) -> bool:
        """Compare an item of the list, if that may find news; return whether it lacks fields for that."""
        problem: LearningError | None = None
        if self._backlog.is_outdated(session_id) or index.may_have_changed(session_id, item["modifiedAt"]):
            if index.lacks(session_id, poll.listed_keys):
                return True
            problem = index.observe(session_id, item, poll.parse)
        if problem is None:
            self._read_count += 1
            self._backlog.note_read(session_id)
        else:
            self._unreadable.add(session_id, problem)
            self._backlog.note_doubtful([session_id])
        return False

    async def _poll_undated(
        self, hook: LearningAsyncHook, index: WatchIndex, undated: set[str]
    ) -> LearningError | None:
        """Poll sessions one by one if the list has no `modifiedAt` for them, as on older platforms."""
        if self.poll_kind == "list":
            return ContractError(
                f"The list of program sessions has no modifiedAt for {len(undated)} watched sessions, such as "
                f"{min(undated)}. Use poll='auto' or 'single' for them."
            )
        if not self._has_logged_missing_dates:
            log.warning(
                "The list of program sessions has no modifiedAt for %d watched sessions. They are read one by one.",
                len(undated),
            )
        self._has_logged_missing_dates = True
        return await self._poll_each(index, undated, self._single_reads(hook, index))

    async def _poll_each(self, index: WatchIndex, ids: set[str], read: ReadOne) -> LearningError | None:
        """Read each session: the one read longest ago first; those that failed at the last poll come last."""
        first_error: LearningError | None = None
        errors_in_a_row = 0
        in_order = sorted(ids, key=self._poll_order)
        for place, session_id in enumerate(in_order, 1):
            self._last_poll_of[session_id] = self._poll_count
            error = await self._poll_one(index, session_id, read)
            if error is None:
                errors_in_a_row = 0
                self._read_count += 1
                continue
            errors_in_a_row += 1
            first_error = first_error or error
            self._failed.add(session_id)
            if _affects_all_sessions(error):
                self._backlog.note_unread(in_order[place - 1 :])
                return error
            self._unreadable.add(session_id, error)
            self._backlog.note_doubtful([session_id])
            if errors_in_a_row >= MAX_ERRORS_IN_A_ROW:
                self._backlog.note_unread(in_order[place:])
                break
        # If some sessions can be read, the errors affect only the others.
        return None if self._read_count and (first_error is None or first_error.retry_after is None) else first_error

    def _poll_order(self, session_id: str) -> tuple[bool, int, str]:
        return session_id in self._failed_before, self._last_poll_of.get(session_id, 0), session_id

    async def _poll_one(self, index: WatchIndex, session_id: str, read: ReadOne) -> LearningError | None:
        """Read a session; return the error, if it could not be read."""
        try:
            found = await read(session_id)
        except LearningError as error:
            return error
        except Exception as error:  # noqa: BLE001 - a bad session must not end the poll of all others
            return UnexpectedError(error)
        self._backlog.note_read(session_id)
        if found is None:
            index.observe_missing(session_id)
            return None
        session, sent = found
        if session.id.lower() != session_id:
            return ContractError(
                f"360Learning sent another session in place of program session {session_id}. "
                "The API may have changed: please report it."
            )
        self._read_at[session_id] = datetime.now(tz=UTC)
        return index.observe_session(session_id, session, sent)

    def _single_reads(self, hook: LearningAsyncHook, index: WatchIndex) -> ReadOne:
        async def read(session_id: str) -> tuple[ProgramSession, Any] | None:
            try:
                return await hook.get_program_session(session_id, index.keys_of(session_id)), None
            except NotFoundError:
                return None

        return read

    def _backlog_reads(self, hook: LearningAsyncHook, index: WatchIndex, poll: SessionPoll) -> ReadOne:
        read_singly = self._single_reads(hook, index)

        async def read(session_id: str) -> tuple[ProgramSession, Any] | None:
            session = await hook.run_plan(poll.complete_listed(session_id, index.keys_of(session_id)))
            if session is not None:
                return session, None
            if (found := await read_singly(session_id)) is not None:
                poll.note_read(found[0])
            return found

        return read

    def _completions(
        self, hook: LearningAsyncHook, index: WatchIndex, poll: SessionPoll, items: dict[str, str]
    ) -> ReadOne:
        async def complete(session_id: str) -> tuple[ProgramSession, Any] | None:
            # Taken out: what was read is not needed any more.
            item = json.loads(items.pop(session_id))
            session = poll.parse({**item, "_id": session_id})
            return await hook.complete_program_session(session, index.keys_of(session_id)), item["modifiedAt"]

        return complete

    def _last_read(self, session_id: str) -> datetime | None:
        """Return when a session was last read; None if that is not known."""
        return self._read_at.get(session_id) or self._list_read_at

    def _take_result(self) -> PollResult | None:
        found = {one: batch for one in self.subscriptions if (batch := one.watch.take_pending()) is not None}
        self._result_count += 1
        return PollResult(self._result_count, found) if found else None

    async def _wait_for_watchers(self) -> None:
        """Wait until there is a watcher, and none has joined for a moment."""
        await self.subscriptions.joined.wait()
        while (left := self.subscriptions.joined_at + JOIN_DEBOUNCE - time.monotonic()) > 0:  # noqa: ASYNC110 - waits for quiet, not for an event
            await asyncio.sleep(left)

    async def _sleep(self, started: float, seconds: float) -> None:
        """Sleep until the next poll; less if a watcher joins, unless an outage has to be waited out."""
        due = started + seconds
        soon = due if self._outage.error else min(due, started + EARLY_POLL_GAP)
        try:
            async with asyncio.timeout(max(0.0, due - time.monotonic())):
                await self.subscriptions.joined.wait()
                await asyncio.sleep(max(0.0, soon - time.monotonic()))
                await self._wait_for_watchers()
        except TimeoutError:
            pass  # it is time for the next poll anyway


def _affects_all_sessions(error: LearningError) -> bool:
    """Whether other sessions would meet the same error; otherwise it may affect only this one."""
    is_about_one = isinstance(error, ContractError | ForbiddenError | NotFoundError)
    affects_one_session = is_about_one or error.status in range(500, 600)
    return not affects_one_session
