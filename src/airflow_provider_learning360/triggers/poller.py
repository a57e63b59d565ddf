"""One poller for all who watch sessions through the same connection at the same pace."""

from __future__ import annotations

import asyncio
import logging
import random
import time
import zlib
from contextlib import aclosing
from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING, Any, Literal, Self

from airflow_provider_learning360.api.endpoints import is_session_id
from airflow_provider_learning360.api.errors import (
    ContractError,
    FixConnectionError,
    ForbiddenError,
    LearningError,
    NotFoundError,
)
from airflow_provider_learning360.api.retries import RetryBudget, compute_watch_wait
from airflow_provider_learning360.hooks.limits import max_triggerer_wait
from airflow_provider_learning360.triggers.subscriptions import PollResult, Subscriptions
from airflow_provider_learning360.triggers.tracebacks import format_frames

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from airflow_provider_learning360.api.models import ProgramSession
    from airflow_provider_learning360.api.watch_state import WatchState
    from airflow_provider_learning360.hooks.learning_async import LearningAsyncHook

log = logging.getLogger(__name__)

PollKind = Literal["auto", "single", "list"]

# Up to so many sessions are asked for one by one; for more, the list of all is one request.
SINGLE_POLL_LIMIT = 10
# A look waits until nobody has joined for this long: after a start of the triggerer, its watchers come one by one.
JOIN_DEBOUNCE = 1.0
# Who joins is looked at before the interval is over, but no sooner after the last look than this.
EARLY_POLL_GAP = 10.0
# Errors in a row after which the rest of the sessions is left for the next look.
MAX_ERRORS_IN_A_ROW = 3
# Seconds after which the log says that a poll hangs.
HANG_WARNING = 60.0
# Seconds after which the connection is read anew although only a 403 calls for it: somebody may have changed its key.
FORBIDDEN_RENEWAL = 3600.0
# Seconds of work after which other triggers get their turn.
TIME_SLICE = 0.005
# How many sessions a line of the log names.
NAMED = 3
# Bytes of marks, one bit a session, that say which unreadable sessions were told. Two sessions seldom share a bit.
MARKS = 128 * 1024


class UnexpectedError(ContractError):
    """
    A mistake in this provider that ended a poll.

    :param error: What was raised.
    """

    def __init__(self, error: Exception) -> None:
        super().__init__(f"Unexpected {type(error).__name__} while polling; please report it with the traceback above.")
        self.kind = type(error).__name__
        self.frames = format_frames(error)


@dataclass
class Poller:
    """
    Look at program sessions from time to time, for ever, for all subscriptions at once.

    It raises nothing for trouble on the way to 360Learning: it slows down, says so once, and goes on. A session that is
    not readable is left out and named once; it slows nothing down.

    :param subscriptions: Who watches what.
    :param learning_conn_id: ID of the Airflow connection.
    :param poll_interval: Seconds between looks.
    :param poll: `single` (one request a session), `list` (one for all) or `auto` (what takes less, counted over the
        sessions that this triggerer watches).
    """

    subscriptions: Subscriptions
    learning_conn_id: str
    poll_interval: float
    poll_kind: PollKind = "auto"
    _poll_count: int = field(default=0, init=False)
    _failures: int = field(default=0, init=False)
    _trouble: LearningError | None = field(default=None, init=False)
    _trouble_since: float = field(default=0.0, init=False)
    _answered: int = field(default=0, init=False)
    _list_is_bare: bool = field(default=False, init=False)
    _bare_told: bool = field(default=False, init=False)
    _last_in_row: dict[str, int] = field(default_factory=dict, init=False)
    # What could not be read in this look.
    _bad: _Unreadable = field(default_factory=lambda: _Unreadable(None), init=False)
    # Which sessions met an error in this look and in the one before.
    _failed: set[str] = field(default_factory=set, init=False)
    _failed_before: set[str] = field(default_factory=set, init=False)
    _opened_at: float = field(default=0.0, init=False)

    async def poll(self) -> AsyncIterator[PollResult]:
        """Yield each look that found something; at most one finding a look and subscription."""
        hook: LearningAsyncHook | None = None
        try:
            await self._until_joined()
            while True:
                started = time.monotonic()
                hook = hook or await self._new_hook()
                hanging = asyncio.get_running_loop().call_later(HANG_WARNING, self._tell_hanging)
                try:
                    error = await self._poll_once(hook)
                finally:
                    hanging.cancel()
                self._tell(error)
                if self._is_stale(error):
                    await hook.close()
                    hook = None
                result = self._harvest()
                if result is not None:
                    yield result
                for subscription in self.subscriptions:
                    await subscription.save()
                await self._sleep(started, self._wait_after(error))
        finally:
            if hook is not None:
                await hook.close()

    async def _new_hook(self) -> LearningAsyncHook:
        # HTTP libraries take long to import; in a thread, the other triggers do not wait for it.
        hooks = await asyncio.to_thread(import_module, "airflow_provider_learning360.hooks.learning_async")
        # One attempt a look: the looks themselves are the repetitions, and say once what is wrong.
        hook: LearningAsyncHook = hooks.LearningAsyncHook(self.learning_conn_id, budget=RetryBudget(attempts=1))
        self._opened_at = time.monotonic()
        return hook

    def _is_stale(self, error: LearningError | None) -> bool:
        """Whether to read the connection anew before the next look: somebody may have mended it."""
        if isinstance(error, ForbiddenError):
            return time.monotonic() - self._opened_at > FORBIDDEN_RENEWAL
        return isinstance(error, FixConnectionError)

    def _tell_hanging(self) -> None:
        log.warning(
            "A poll through connection %r has been waiting for 360Learning for %g s. The time limits of the connection "
            "end it; the next poll follows.",
            self.learning_conn_id,
            HANG_WARNING,
        )

    async def _poll_once(self, hook: LearningAsyncHook) -> LearningError | None:
        """Look at all sessions that somebody watches; return what kept it from seeing some, if anything did."""
        self._poll_count += 1
        self._answered = 0
        bad_before, self._bad = self._bad, _Unreadable(self._bad)
        self._failed_before, self._failed = self._failed, set()
        self.subscriptions.joined.clear()  # whoever joined until now is looked at now
        index = await _Index.of(self.subscriptions)
        by_list = self.poll_kind == "list" or (
            self.poll_kind == "auto"
            and (index.has_everything or (len(index.ids) > SINGLE_POLL_LIMIT and not self._list_is_bare))
        )
        try:
            error = await (self._poll_list(hook, index) if by_list else self._poll_each(hook, index, index.ids))
        except LearningError as trouble:
            error = trouble
        except Exception as trouble:  # noqa: BLE001 - raising it would end all watchers, which Airflow starts again at once
            error = UnexpectedError(trouble)
        index.tell(log)
        if error is None:
            self._tell_bad(bad_before)
        else:
            self._bad = bad_before  # nothing of this look was told
        return error

    async def _poll_list(self, hook: LearningAsyncHook, index: _Index) -> LearningError | None:
        error: LearningError | None = None
        bare: set[str] = set()
        unseen = set(index.ids)
        turn = Turn()
        async with aclosing(hook.stream_program_sessions()) as items:
            async for item in items:
                await turn.give()
                sent_id: Any = item.get("_id")
                if not is_session_id(sent_id):
                    self._bad.unidentified += 1
                    continue
                session_id = sent_id.lower()
                unseen.discard(session_id)
                if not index.watches(session_id):
                    continue
                if item.get("modifiedAt") is None:
                    bare.add(session_id)
                    continue
                if problem := index.observe(session_id, item):
                    self._bad.add(session_id, problem)
                else:
                    self._answered += 1
        # Only a list that came to its end says which sessions are not in it, and only if all in it have an ID.
        if self._bad.unidentified:
            error = await self._poll_each(hook, index, {one for one in unseen if index.is_there(one)})
        else:
            for session_id in unseen:
                index.observe_missing(session_id)
        if bare:
            # If it is all of them, it is the platform, and the list need not be asked again.
            self._list_is_bare = not self._answered
            error = await self._without_dates(hook, index, bare) or error
        return error

    async def _without_dates(self, hook: LearningAsyncHook, index: _Index, bare: set[str]) -> LearningError | None:
        """The list does not say when these were modified: older platforms do not."""
        if self.poll_kind == "list":
            return ContractError(
                f"The list of program sessions does not say when {len(bare)} of the watched ones were modified, such "
                f"as {min(bare)}. Use poll='auto' or 'single' for them."
            )
        if not self._bare_told:
            log.warning(
                "The list of program sessions does not say when they were modified; %d are asked for one by one.",
                len(bare),
            )
        self._bare_told = True
        return await self._poll_each(hook, index, bare)

    async def _poll_each(self, hook: LearningAsyncHook, index: _Index, ids: set[str]) -> LearningError | None:
        """Ask for each session: those last that were in trouble, those first that have waited longest for an answer."""
        first_error: LearningError | None = None
        in_row = 0
        for session_id in sorted(ids, key=lambda one: (one in self._failed_before, self._last_in_row.get(one, 0), one)):
            self._last_in_row[session_id] = self._poll_count
            error = await self._poll_one(hook, index, session_id)
            if error is None:
                in_row = 0
                self._answered += 1
                continue
            in_row += 1
            first_error = first_error or error
            self._failed.add(session_id)
            if _of_the_connection(error):
                return error
            self._bad.add(session_id, error)
            if in_row >= MAX_ERRORS_IN_A_ROW:
                break
        # Where some are answered, the others are in trouble by themselves.
        return None if self._answered and (first_error is None or first_error.retry_after is None) else first_error

    async def _poll_one(self, hook: LearningAsyncHook, index: _Index, session_id: str) -> LearningError | None:
        """Ask for a session; return what kept it from being seen, if anything did."""
        try:
            session = await hook.get_program_session(session_id)
        except NotFoundError:
            index.observe_missing(session_id)
            return None
        except LearningError as error:
            return error
        except Exception as error:  # noqa: BLE001 - one bad session is one bad session
            return UnexpectedError(error)
        if session.id.lower() != session_id:
            return ContractError(
                f"360Learning answered with another session than program session {session_id}. "
                "Report a change of the API."
            )
        return index.observe_session(session_id, session)

    def _wait_after(self, error: LearningError | None) -> float:
        """Return the seconds until the next look: trouble with single sessions does not slow down the others."""
        longest = max_triggerer_wait()
        if error is not None and error.retry_after is not None and error.retry_after > longest:
            log.warning(
                "360Learning asked connection %r to wait %g s. Polling again in %g s, the longest wait allowed "
                "([learning360] max_triggerer_wait).",
                self.learning_conn_id,
                error.retry_after,
                longest,
            )
        if error is not None and self._answered and error.retry_after is None:
            return compute_watch_wait(self.poll_interval, None, 0, random.random)
        return compute_watch_wait(self.poll_interval, error, self._failures, random.random, longest)

    def _harvest(self) -> PollResult | None:
        found = {one: batch for one in self.subscriptions if (batch := one.watch.take_pending()) is not None}
        return PollResult(self._poll_count, found) if found else None

    async def _until_joined(self) -> None:
        await self.subscriptions.joined.wait()
        while (left := self.subscriptions.joined_at + JOIN_DEBOUNCE - time.monotonic()) > 0:  # noqa: ASYNC110 - quiet, not event
            await asyncio.sleep(left)

    async def _sleep(self, started: float, seconds: float) -> None:
        """Sleep until the next look; less if somebody joins, unless there is trouble to wait out."""
        due = started + seconds
        soon = due if self._trouble else min(due, started + EARLY_POLL_GAP)
        try:
            async with asyncio.timeout(max(0.0, due - time.monotonic())):
                await self.subscriptions.joined.wait()
                await asyncio.sleep(max(0.0, soon - time.monotonic()))
                await self._until_joined()
        except TimeoutError:
            pass  # the time of the next look has come by itself

    def _tell(self, error: LearningError | None) -> None:
        """Log a change of state once, not every look."""
        before, self._trouble = self._trouble, error
        if error is None:
            if before is not None:
                log.info(
                    "360Learning answers again through connection %r, after %d s and %d looks; still watching.",
                    self.learning_conn_id,
                    time.monotonic() - self._trouble_since,
                    self._failures,
                )
            self._failures = 0
            return
        self._failures += 1
        if before is None:
            self._trouble_since = time.monotonic()
        if before is None or _state(before) != _state(error):
            if isinstance(error, UnexpectedError):
                log.error("Traceback without values:\n%s", error.frames)
            log.warning("Watching goes on, but a look through connection %r failed: %s", self.learning_conn_id, error)

    def _tell_bad(self, before: _Unreadable) -> None:
        """Log which sessions could not be read when there are new ones among them, not every look."""
        bad = self._bad
        is_news_of_items = bool(bad.unidentified and not before.told_unidentified)
        if bad.new or is_news_of_items:
            reason = bad.reason or "an `_id` has 24 characters of 0-9 and a-f."
            if isinstance(reason, UnexpectedError):
                log.error("Traceback without values:\n%s", reason.frames)
            parts = [_some(bad.first, bad.new)] if bad.new else []
            parts += [f"{bad.unidentified} items of the list without a valid `_id`"] if is_news_of_items else []
            log.warning(
                "Not readable through connection %r: %s. These are left out, all others are watched. Reason: %s",
                self.learning_conn_id,
                ", ".join(parts),
                reason,
            )
        elif before.has_any and not bad.has_any:
            log.info("All program sessions of connection %r are readable again.", self.learning_conn_id)


class _Unreadable:
    """
    The sessions that could not be read in a look, in little memory, however many they are.

    :param before: Those of the look before, which need not be told again.
    """

    def __init__(self, before: _Unreadable | None) -> None:
        self.count = 0
        self.unidentified = 0  # items of the list without a valid ID
        # Of those that are new:
        self.new = 0
        self.first: list[str] = []
        self.reason: LearningError | None = None
        # Which were told since all was well.
        went_on = before is not None and before.has_any
        self._told: bytearray | None = before._told if before is not None and went_on else None
        self._is_shared = True
        self._told_unidentified_before = before.told_unidentified if before is not None and went_on else False

    @property
    def has_any(self) -> bool:
        """Whether anything could not be read."""
        return bool(self.count or self.unidentified)

    @property
    def told_unidentified(self) -> bool:
        """Whether items without a valid ID were told since all was well."""
        return bool(self.unidentified) or self._told_unidentified_before

    def add(self, session_id: str, problem: LearningError) -> None:
        """Take in one more."""
        self.count += 1
        place, bit = divmod(zlib.crc32(session_id.encode()) % (8 * MARKS), 8)
        if self._told is not None and self._told[place] >> bit & 1:
            return
        if self._told is None or self._is_shared:
            self._told, self._is_shared = bytearray(self._told or MARKS), False
        self._told[place] |= 1 << bit
        self.new += 1
        if len(self.first) < NAMED:
            self.first.append(session_id)
        if self.reason is None:
            # With its traceback, it would hold all that was read.
            self.reason = problem.with_traceback(None)


class _Index:
    """Who watches which session, for one look, and what there is to tell of it."""

    def __init__(self) -> None:
        self._by_id: dict[str, list[WatchState]] = {}
        self._of_everything: list[WatchState] = []
        self.ids: set[str] = set()
        self._first_seen: list[str] = []
        self._gone: list[str] = []

    @classmethod
    async def of(cls, subscriptions: Subscriptions) -> Self:
        """Return the index of those who watch now; other triggers get their turn meanwhile."""
        index, turn = cls(), Turn()
        for subscription in subscriptions:
            index._add(subscription.watch)
            await turn.give()
        return index

    def _add(self, watch: WatchState) -> None:
        if watch.session_ids is None:
            self._of_everything.append(watch)
            self.ids.update(watch.observed)
            return
        self.ids |= watch.session_ids
        for session_id in watch.session_ids:
            self._by_id.setdefault(session_id, []).append(watch)

    @property
    def has_everything(self) -> bool:
        """Whether somebody watches all sessions of the platform."""
        return bool(self._of_everything)

    def watches(self, session_id: str) -> bool:
        """Whether anybody watches this session."""
        return self.has_everything or session_id in self._by_id

    def is_there(self, session_id: str) -> bool:
        """Whether the session was there when it was last looked at, or has not been looked at."""
        return any(watch.is_there(session_id) for watch in self._watches_of(session_id))

    def observe(self, session_id: str, item: dict[str, Any]) -> LearningError | None:
        """Show an item of the list to all who watch it, if it may be news; return what is wrong with it."""
        if not any(watch.is_news(session_id, item["modifiedAt"]) for watch in self._watches_of(session_id)):
            return None
        from airflow_provider_learning360.api.list_entries import parse_entry

        try:
            # The ID as it is compared everywhere, whatever letters the API writes it in.
            session = parse_entry({**item, "_id": session_id})
        except LearningError as error:
            return error
        except Exception as error:  # noqa: BLE001 - one bad item is one bad item
            return UnexpectedError(error)
        return self.observe_session(session_id, session, item["modifiedAt"])

    def observe_session(self, session_id: str, session: ProgramSession, sent: Any = None) -> LearningError | None:
        """Show a session to all who watch it; return what is wrong with it."""
        if session.id != session_id:
            session = session.model_copy(update={"id": session_id})
        first = False
        try:
            for watch in self._watches_of(session_id):
                first = watch.observe(session, sent) or first
        except LearningError as error:
            return error
        except Exception as error:  # noqa: BLE001 - one bad session is one bad session
            return UnexpectedError(error)
        if first:
            self._first_seen.append(session_id)
        return None

    def observe_missing(self, session_id: str) -> None:
        """Tell all who watch a session that there is none of this ID."""
        news = [watch.observe_missing(session_id) for watch in self._watches_of(session_id)]  # all of them are to know
        if any(news):
            self._gone.append(session_id)

    def tell(self, log: logging.Logger) -> None:
        """Log in one line each what was seen for the first time, and what is gone."""
        if self._first_seen:
            log.info("First look at %s: watching from now on, no watermark was stored.", _some(self._first_seen))
        if self._gone:
            log.warning("360Learning does not know %s (any more), or not for this company.", _some(self._gone))

    def _watches_of(self, session_id: str) -> list[WatchState]:
        return [*self._by_id.get(session_id, ()), *self._of_everything]


class Turn:
    """Lets the other triggers of the event loop have their turn, after a while of work."""

    def __init__(self) -> None:
        self._since = time.monotonic()

    async def give(self) -> None:
        """Let the others have their turn, if it has been long."""
        if time.monotonic() - self._since > TIME_SLICE:
            await asyncio.sleep(0)
            self._since = time.monotonic()


def _some(session_ids: list[str], count: int | None = None) -> str:
    """Name the first of some sessions, and say how many they are."""
    total = len(session_ids) if count is None else count
    named = ", ".join(session_ids[:NAMED])
    return f"{total} program session{'s' * (total > 1)} ({named}{', …' * (total > NAMED)})"


def _of_the_connection(error: LearningError) -> bool:
    """Whether the next request would meet the same error; otherwise it may be this session's alone."""
    alone = isinstance(error, ContractError | ForbiddenError) or error.status in range(500, 600)
    return not alone


def _state(error: LearningError) -> str:
    """Return the kind of trouble, by what there is to do: mend something, or wait."""
    if isinstance(error, UnexpectedError):
        return error.kind
    if isinstance(error, FixConnectionError):
        return "refused"
    return "wait" if error.retryable else "contract"
