"""One poller for all who watch sessions through the same connection at the same pace."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING, Any, Literal, Self

from airflow.sdk.exceptions import AirflowRuntimeError

from airflow_provider_learning360.api.errors import (
    ContractError,
    FixConnectionError,
    ForbiddenError,
    LearningError,
    NotFoundError,
    TryAgainError,
)
from airflow_provider_learning360.api.retries import RetryBudget, watch_wait
from airflow_provider_learning360.triggers.subscriptions import Look, Subscriptions

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from airflow_provider_learning360.api.models import ProgramSession
    from airflow_provider_learning360.api.watching import Watch
    from airflow_provider_learning360.hooks.learning import LearningAsyncHook

log = logging.getLogger(__name__)

PollKind = Literal["auto", "single", "list"]

# Up to so many sessions are asked for one by one; for more, the list of all is one request.
FEW = 10
# A look waits until nobody has joined for this long: after a start of the triggerer, its watchers come one by one.
SETTLE = 1.0
# Who joins is looked at before the interval is over, but no sooner after the last look than this.
SOON = 10.0
# Errors in a row after which the rest of the sessions is left for the next look.
ENOUGH = 3
# Seconds of work after which other triggers get their turn.
LONG = 0.005


@dataclass
class Poller:
    """
    Look at program sessions from time to time, for ever, for all subscriptions at once.

    It raises nothing for trouble on the way to 360Learning: it slows down, says so once, and goes on.

    :param subscriptions: Who watches what.
    :param learning_conn_id: ID of the Airflow connection.
    :param poll_interval: Seconds between looks.
    :param poll: `single` (one request a session), `list` (one for all) or `auto` (what takes less).
    """

    subscriptions: Subscriptions
    learning_conn_id: str
    poll_interval: float
    poll: PollKind = "auto"
    _looks: int = field(default=0, init=False)
    _failures: int = field(default=0, init=False)
    _trouble: LearningError | None = field(default=None, init=False)
    _trouble_since: float = field(default=0.0, init=False)
    _answered: int = field(default=0, init=False)
    _list_is_bare: bool = field(default=False, init=False)
    _bare_told: bool = field(default=False, init=False)
    _last_in_row: dict[str, int] = field(default_factory=dict, init=False)

    async def looks(self) -> AsyncIterator[Look]:
        """Yield each look that found something; at most one finding a look and subscription."""
        hook: LearningAsyncHook | None = None
        try:
            await self._until_joined()
            while True:
                started = time.monotonic()
                hook = hook or await self._new_hook()
                error = await self._look(hook)
                self._tell(error)
                if isinstance(error, FixConnectionError):
                    # Read anew next time: somebody may have mended the connection.
                    await hook.close()
                    hook = None
                look = self._harvest()
                if look is not None:
                    yield look
                for subscription in self.subscriptions:
                    await subscription.save()
                await self._sleep(started, self._wait_after(error))
        finally:
            if hook is not None:
                await hook.close()

    async def _new_hook(self) -> LearningAsyncHook:
        # HTTP libraries take long to import; in a thread, the other triggers do not wait for it.
        hooks = await asyncio.to_thread(import_module, "airflow_provider_learning360.hooks.learning")
        # One attempt a look: the looks themselves are the repetitions, and say once what is wrong.
        hook: LearningAsyncHook = hooks.LearningAsyncHook(self.learning_conn_id, budget=RetryBudget(attempts=1))
        return hook

    async def _look(self, hook: LearningAsyncHook) -> LearningError | None:
        """Look at all sessions that somebody watches; return what kept it from seeing some, if anything did."""
        self._looks += 1
        self._answered = 0
        self.subscriptions.joined.clear()  # whoever joined until now is looked at now
        index = await _Index.of(self.subscriptions)
        by_list = self.poll == "list" or (
            self.poll == "auto" and (index.has_everything or (len(index.ids) > FEW and not self._list_is_bare))
        )
        try:
            error = await (self._look_at_list(hook, index) if by_list else self._look_at_each(hook, index, index.ids))
        except LearningError as trouble:
            error = trouble
        except AirflowRuntimeError as trouble:
            error = TryAgainError(
                f"Airflow cannot say what connection {self.learning_conn_id!r} is ({trouble.error.error.value})."
            )
        except Exception as trouble:  # noqa: BLE001 - raising it would end all watchers, which Airflow starts again at once
            error = ContractError(f"{type(trouble).__name__}, which nobody foresaw. Report it with this line.")
        index.tell(log)
        return error

    async def _look_at_list(self, hook: LearningAsyncHook, index: _Index) -> LearningError | None:
        error: LearningError | None = None
        bare: set[str] = set()
        unseen = set(index.ids)
        turn = Turn()
        async for item in hook.stream_program_sessions():
            await turn.give()
            session_id = str(item.get("_id", "")).lower()
            unseen.discard(session_id)
            if not index.watches(session_id):
                continue
            if item.get("modifiedAt") is None:
                bare.add(session_id)
                continue
            trouble = index.see(session_id, item)
            error = error or trouble
            self._answered += trouble is None
        # Only a list that came to its end says who is not in it.
        for session_id in unseen:
            index.miss(session_id)
        if bare:
            # If it is all of them, it is the platform, and the list need not be asked again.
            self._list_is_bare = not self._answered
            error = await self._without_dates(hook, index, bare) or error
        return error

    async def _without_dates(self, hook: LearningAsyncHook, index: _Index, bare: set[str]) -> LearningError | None:
        """The list does not say when these were modified: older platforms do not."""
        if self.poll == "list":
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
        return await self._look_at_each(hook, index, bare)

    async def _look_at_each(self, hook: LearningAsyncHook, index: _Index, ids: set[str]) -> LearningError | None:
        """Ask for each session, those first that have waited longest for an answer."""
        first_error: LearningError | None = None
        in_row = 0
        for session_id in sorted(ids, key=lambda one: (self._last_in_row.get(one, 0), one)):
            self._last_in_row[session_id] = self._looks
            try:
                session = await hook.get_program_session(session_id)
                error = index.see_session(session_id, session)
                self._answered += error is None
            except NotFoundError:
                index.miss(session_id)
                error = None
                self._answered += 1
            except LearningError as trouble:
                error = trouble
            in_row = in_row + 1 if error else 0
            first_error = first_error or error
            if error and (_of_the_connection(error) or in_row >= ENOUGH):
                break
        return first_error

    def _wait_after(self, error: LearningError | None) -> float:
        """Return the seconds until the next look: trouble with single sessions does not slow down the others."""
        if error is not None and self._answered and error.retry_after is None:
            return watch_wait(self.poll_interval, None, 0, random.random)
        return watch_wait(self.poll_interval, error, self._failures, random.random)

    def _harvest(self) -> Look | None:
        found = {one: findings for one in self.subscriptions if (findings := one.watch.report()) is not None}
        return Look(self._looks, found) if found else None

    async def _until_joined(self) -> None:
        await self.subscriptions.joined.wait()
        while (left := self.subscriptions.joined_at + SETTLE - time.monotonic()) > 0:  # noqa: ASYNC110 - quiet, not event
            await asyncio.sleep(left)

    async def _sleep(self, started: float, seconds: float) -> None:
        """Sleep until the next look; less if somebody joins, unless there is trouble to wait out."""
        due = started + seconds
        soon = due if self._trouble else min(due, started + SOON)
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
            log.warning("Watching goes on, but a look through connection %r failed: %s", self.learning_conn_id, error)


class _Index:
    """Who watches which session, for one look, and what there is to tell of it."""

    def __init__(self) -> None:
        self._by_id: dict[str, list[Watch]] = {}
        self._of_everything: list[Watch] = []
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

    def _add(self, watch: Watch) -> None:
        if watch.session_ids is None:
            self._of_everything.append(watch)
            self.ids.update(watch.now)
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

    def see(self, session_id: str, item: dict[str, Any]) -> LearningError | None:
        """Show an item of the list to all who watch it, if it may be news; return what is wrong with it."""
        if not any(watch.is_news(session_id, item["modifiedAt"]) for watch in self._watches_of(session_id)):
            return None
        from airflow_provider_learning360.api.list_entries import session_of

        try:
            return self.see_session(session_id, session_of(item), item["modifiedAt"])
        except LearningError as error:
            return error

    def see_session(self, session_id: str, session: ProgramSession, sent: Any = None) -> LearningError | None:
        """Show a session to all who watch it; return what is wrong with it."""
        first = False
        try:
            for watch in self._watches_of(session_id):
                first = watch.see(session, sent) or first
        except LearningError as error:
            return error
        if first:
            self._first_seen.append(session_id)
        return None

    def miss(self, session_id: str) -> None:
        """Tell all who watch a session that there is none of this ID."""
        news = [watch.miss(session_id) for watch in self._watches_of(session_id)]  # all of them are to know
        if any(news):
            self._gone.append(session_id)

    def tell(self, log: logging.Logger) -> None:
        """Log in one line each what was seen for the first time, and what is gone."""
        if self._first_seen:
            log.info("First look at %s: watching from now on, no watermark was stored.", _some(self._first_seen))
        if self._gone:
            log.warning("360Learning does not know %s (any more), or not for this company.", _some(self._gone))

    def _watches_of(self, session_id: str) -> list[Watch]:
        return [*self._by_id.get(session_id, ()), *self._of_everything]


class Turn:
    """Lets the other triggers of the event loop have their turn, after a while of work."""

    def __init__(self) -> None:
        self._since = time.monotonic()

    async def give(self) -> None:
        """Let the others have their turn, if it has been long."""
        if time.monotonic() - self._since > LONG:
            await asyncio.sleep(0)
            self._since = time.monotonic()


def _some(session_ids: list[str]) -> str:
    named = ", ".join(session_ids[:3])
    return f"{len(session_ids)} program session{'s' * (len(session_ids) > 1)} ({named}{', …' * (len(session_ids) > 3)})"


def _of_the_connection(error: LearningError) -> bool:
    """Whether the next request would meet the same error; otherwise it may be this session's alone."""
    alone = isinstance(error, ContractError | ForbiddenError) or error.status in range(500, 600)
    return not alone


def _state(error: LearningError) -> str:
    """Return the kind of trouble, by what there is to do: mend something, or wait."""
    if isinstance(error, FixConnectionError):
        return "refused"
    return "wait" if error.retryable else "contract"
