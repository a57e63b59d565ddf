"""The open hook that all triggers of one connection share: one client, one token, one look-up of the connection."""

from __future__ import annotations

import asyncio
import logging
import sys
import time
from contextlib import asynccontextmanager
from importlib import import_module
from typing import TYPE_CHECKING, Self
from weakref import WeakKeyDictionary

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from types import TracebackType

    from airflow_provider_learning360.api.retries import RetryBudget
    from airflow_provider_learning360.hooks.learning_async import LearningAsyncHook

# Seconds for which a look-up of the connection also counts for those who join later.
LOOKUP_AGE = 60.0

_HOOK_MODULE = "airflow_provider_learning360.hooks.learning_async"
# Event loops never share: a client belongs to the loop in which it was opened.
_SHARED: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[str, SharedHook]] = WeakKeyDictionary()


class OpenHook:
    """
    An open hook, and how many polls use it at the moment.

    :param hook: The hook.
    """

    def __init__(self, hook: LearningAsyncHook) -> None:
        self.hook = hook
        self._use_count = 0
        self._is_replaced = False

    @asynccontextmanager
    async def use(self) -> AsyncIterator[None]:
        """Keep the hook open for the block."""
        self._use_count += 1
        try:
            yield
        finally:
            self._use_count -= 1
            await self._close_if_unused()

    async def replace(self) -> None:
        """Close the hook as soon as no poll uses it."""
        self._is_replaced = True
        await self._close_if_unused()

    async def _close_if_unused(self) -> None:
        if self._is_replaced and not self._use_count:
            await self.hook.close()


class SharedHook:
    """
    The hook of one connection in one event loop. It is closed when the last user has left.

    :param learning_conn_id: ID of the connection.
    """

    def __init__(self, learning_conn_id: str) -> None:
        self.learning_conn_id = learning_conn_id
        self.user_count = 0
        self._open: OpenHook | None = None
        self._looked_up_at = float("-inf")
        self._refused_at = float("-inf")
        self._lookup: asyncio.Task[OpenHook] | None = None
        self._lookup_began = float("-inf")

    @property
    def is_open(self) -> bool:
        """Whether there is an open hook."""
        return self._open is not None

    async def find(self, joined_at: float) -> OpenHook:
        """
        Return the open hook. The connection is looked up again if the last look-up is too old for this user.

        :param joined_at: When the user joined, on the monotonic clock.
        :raises LearningError: The connection cannot be used.
        """
        earliest = max(joined_at - LOOKUP_AGE, self._refused_at if joined_at >= self._refused_at else float("-inf"))
        if self._open is not None and self._looked_up_at >= earliest:
            return self._open
        if self._lookup is None or self._lookup_began < earliest:
            self._lookup_began = time.monotonic()
            self._lookup = asyncio.ensure_future(self._look_up())
            # Nobody may be left who wants to know how it ended.
            self._lookup.add_done_callback(self._forget_lookup)
        # Others wait for the same look-up: a user who gives up must not cancel it.
        return await asyncio.shield(self._lookup)

    def note_refused(self) -> None:
        """Note that 360Learning refused the key, so that those who join from now on look up the connection again."""
        self._refused_at = time.monotonic()

    async def close(self) -> None:
        """Close the hook."""
        if self._lookup is not None:
            self._lookup.cancel()
        if self._open is not None:
            await self._open.replace()

    async def _look_up(self) -> OpenHook:
        if _HOOK_MODULE not in sys.modules:
            # HTTP libraries take long to import; a thread does not hold up the other triggers.
            await asyncio.to_thread(import_module, _HOOK_MODULE)
        from airflow_provider_learning360.hooks.learning_async import LearningAsyncHook

        began = time.monotonic()
        hook = LearningAsyncHook(self.learning_conn_id)
        hook.retry_log_level = logging.DEBUG
        settings = await hook.get_settings()
        before = self._open
        # After a refusal, also with the same settings: with them a new token, and certificates read again.
        was_refused = self._refused_at > self._looked_up_at
        if before is None or was_refused or settings != await before.hook.get_settings():
            await hook.get_platform()
            self._open = found = OpenHook(hook)
            if before is not None:
                await before.replace()
        else:
            found = before
        self._looked_up_at = began
        return found

    def _forget_lookup(self, ended: asyncio.Task[OpenHook]) -> None:
        if self._lookup is ended:
            self._lookup = None
        if not ended.cancelled():
            ended.exception()  # those who waited have raised it


class HookUser:
    """
    One user of a shared hook, with a retry budget of its own. What its hook remembers of sessions is its own, too.

    Use it as `async with HookUser(...) as user`, and each poll in `async with user.use() as hook`.

    :param learning_conn_id: ID of the connection.
    :param budget: Retry budget of each call; default that of the connection.
    """

    def __init__(self, learning_conn_id: str, budget: RetryBudget | None = None) -> None:
        self._learning_conn_id = learning_conn_id
        self._budget = budget
        self.joined_at = time.monotonic()
        self._shared: SharedHook | None = None
        self._open: OpenHook | None = None
        self._hook: LearningAsyncHook | None = None

    async def __aenter__(self) -> Self:
        self.join()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.leave()

    def join(self) -> None:
        """Join those who share the hook."""
        hooks = _SHARED.setdefault(asyncio.get_running_loop(), {})
        self._shared = hooks.setdefault(self._learning_conn_id, SharedHook(self._learning_conn_id))
        self._shared.user_count += 1

    async def leave(self) -> None:
        """Leave them. The last one closes the hook."""
        shared, self._shared = self._shared, None
        if shared is None:
            return
        shared.user_count -= 1
        if not shared.user_count:
            del _SHARED[asyncio.get_running_loop()][self._learning_conn_id]
            await shared.close()

    @property
    def is_open(self) -> bool:
        """Whether there is a hook, with the settings of the last look-up."""
        return self._shared is not None and self._shared.is_open

    @asynccontextmanager
    async def use(self, joined_at: float | None = None) -> AsyncIterator[LearningAsyncHook]:
        """
        Return the hook for one poll: another one than before if the settings of the connection have changed.

        :param joined_at: If the poll is for one who joined later: when that was, on the monotonic clock.
        :raises LearningError: The connection cannot be used.
        """
        if self._shared is None:
            raise RuntimeError("use() was called before join(), or after leave()")
        joined_at = self.joined_at if joined_at is None else max(self.joined_at, joined_at)
        found = await self._shared.find(joined_at)
        self.joined_at = max(self.joined_at, joined_at)
        if self._hook is None or found is not self._open:
            self._open, self._hook = found, found.hook.share(self._budget)
        hook = self._hook
        async with found.use():
            yield hook

    def look_up_again(self) -> None:
        """Treat this user as one who joins now: the connection may have been edited."""
        self.joined_at = time.monotonic()

    def note_refused(self) -> None:
        """Note that 360Learning refused the key, so that those who join from now on look up the connection again."""
        if self._shared is not None:
            self._shared.note_refused()
