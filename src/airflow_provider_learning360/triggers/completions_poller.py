"""The poller of the completions of one asset."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from airflow_provider_learning360.api.errors import FixArgumentError, FixConnectionError, ForbiddenError, LearningError
from airflow_provider_learning360.api.retries import RetryBudget
from airflow_provider_learning360.hooks.shared_hook import HookUser
from airflow_provider_learning360.triggers.outage import Outage
from airflow_provider_learning360.triggers.poll_record import PollRecord
from airflow_provider_learning360.triggers.tracebacks import UnexpectedError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from airflow_provider_learning360.api.completions import Completion, CompletionsBatch, CompletionsWatch
    from airflow_provider_learning360.hooks.learning_async import LearningAsyncHook

log = logging.getLogger(__name__)

# Seconds after which the log says that a poll hangs.
HANG_WARNING = 60.0
# Seconds after which a 403 makes the poller read the connection again: its key may have changed.
FORBIDDEN_RENEWAL = 3600.0


class CompletionsPoller:
    """
    Poll for completions until cancelled.

    Errors of requests are not raised: the poller polls less often, logs the outage once, and continues. What it could
    not read is read by a later poll.

    :param watch: What is watched, and what is known.
    :param learning_conn_id: ID of the Airflow connection.
    :param poll_interval: Seconds between polls.
    """

    def __init__(self, watch: CompletionsWatch, learning_conn_id: str, poll_interval: float) -> None:
        self._watch = watch
        self._learning_conn_id = learning_conn_id
        self._poll_interval = poll_interval
        self.record = PollRecord()
        self._outage = Outage(log, learning_conn_id, "completions")
        self._looked_up_at = time.monotonic()
        self._has_read = False
        self._missing: set[str] = set()

    async def poll(self) -> AsyncGenerator[CompletionsBatch | None]:
        """Yield after each poll what to make an event of, or None."""
        # One attempt a poll: the next poll is the retry, and the outage is logged once.
        async with HookUser(self._learning_conn_id, RetryBudget(attempts=1)) as user:
            while True:
                started = time.monotonic()
                batch, error = await self._poll_in_time(user)
                self._outage.note_poll(error)
                self.record.note_poll(error)
                seconds = self._outage.compute_wait(self._poll_interval, has_read=self._has_read)
                self._outage.log_news(seconds)
                if self._is_stale(error):
                    user.note_refused()
                    user.look_up_again()
                    self._looked_up_at = time.monotonic()
                yield batch
                await asyncio.sleep(max(0.0, started + seconds - time.monotonic()))

    def _is_stale(self, error: LearningError | None) -> bool:
        """Whether to read the connection again before the next poll: it may have been fixed."""
        if isinstance(error, ForbiddenError):
            return time.monotonic() - self._looked_up_at > FORBIDDEN_RENEWAL
        return isinstance(error, FixConnectionError | FixArgumentError)

    async def _poll_in_time(self, user: HookUser) -> tuple[CompletionsBatch | None, LearningError | None]:
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
            self._learning_conn_id,
            HANG_WARNING,
        )

    async def _poll_once(self, user: HookUser) -> tuple[CompletionsBatch | None, LearningError | None]:
        """Read what is new; return it, and the error if not everything could be read."""
        self._has_read = False
        began = time.monotonic()
        sent_at: datetime | None = None
        error: LearningError | None = None
        try:
            async with user.use() as hook:
                sent_at = await self._read(hook)
        except LearningError as failure:
            error = failure
        except Exception as failure:  # noqa: BLE001 - Airflow would restart the watcher at once, and again
            error = UnexpectedError(failure)
        took = timedelta(seconds=time.monotonic() - began)
        return self._watch.close_poll(sent_at, is_complete=error is None, took=took), error

    async def _read(self, hook: LearningAsyncHook) -> datetime | None:
        platform = await hook.get_platform()
        ids = self._watch.session_ids
        # In any order: after errors in a row, a poll stops, and the next one begins with others.
        chosen = None if ids is None else random.sample(sorted(ids), len(ids))
        since = self._watch.since(datetime.now(tz=UTC))
        return await hook.run_plan(platform.read_completions(chosen, since, self._take, self._note_missing))

    def _take(self, page: list[Completion]) -> None:
        self._has_read = True
        self._watch.observe(page)

    def _note_missing(self, session_id: str) -> None:
        if session_id not in self._missing:
            self._missing.add(session_id)
            log.warning(
                "Program session %s, whose completions are watched, does not exist, or you have no access to it. "
                "It has no completions until it exists.",
                session_id,
            )
