"""A trigger that waits until a program session is modified."""

from __future__ import annotations

import asyncio
import random
from datetime import UTC, datetime
from importlib import import_module
from typing import TYPE_CHECKING, Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from airflow_provider_learning360.api.changes import Watermark
from airflow_provider_learning360.api.errors import LearningError
from airflow_provider_learning360.api.retries import poll_wait
from airflow_provider_learning360.api.waiting import OnMissing, Wait

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from airflow_provider_learning360.hooks.learning import LearningAsyncHook


class ProgramSessionModifiedTrigger(BaseTrigger):
    """
    Look at a program session from time to time, and wake the sensor when it should look itself.

    Its arguments and its event hold no secret and no person's data: the document is fetched by the worker.

    :param session_id: ID of the session, 24 hexadecimal characters.
    :param learning_conn_id: ID of the Airflow connection.
    :param watermark: What was last known of the session, as `Watermark.to_dict` writes it; None if nothing.
    :param watch: Names of the fields that must differ; empty for any modification.
    :param on_missing: What to do if there is no such session: `fail`, `skip` or `wait`.
    :param max_failures: Looks in a row that may get no answer.
    :param failures: How many already got none.
    :param poke_interval: Seconds between looks; default 60.
    :param exponential_backoff: Whether the waits grow; default False.
    :param max_wait: Longest wait between looks, in seconds, where they grow; default no limit.
    :param silent_fail: Whether to go on after errors that no repetition will help; default False.
    :param deadline: ISO time at which the wait ends; None for never.
    :param first_wait: Seconds before the first look at least, as the server asked for them; default 0.

    Source: Airflow's `BaseTrigger`.
    """

    def __init__(
        self,
        session_id: str,
        learning_conn_id: str,
        watermark: dict[str, Any] | None,
        watch: list[str] | None = None,
        on_missing: OnMissing = "fail",
        max_failures: int = 10,
        failures: int = 0,
        poke_interval: float = 60.0,
        exponential_backoff: bool = False,
        max_wait: float | None = None,
        silent_fail: bool = False,
        deadline: str | None = None,
        first_wait: float = 0.0,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.session_id = session_id
        self.learning_conn_id = learning_conn_id
        self.watermark = watermark
        self.watch = watch
        self.on_missing = on_missing
        self.max_failures = max_failures
        self.failures = failures
        self.poke_interval = poke_interval
        self.exponential_backoff = exponential_backoff
        self.max_wait = max_wait
        self.silent_fail = silent_fail
        self.deadline = deadline
        self.first_wait = first_wait

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the class path and the arguments, for the database."""
        names = (
            "session_id",
            "learning_conn_id",
            "watermark",
            "watch",
            "on_missing",
            "max_failures",
            "failures",
            "poke_interval",
            "exponential_backoff",
            "max_wait",
            "silent_fail",
            "deadline",
            "first_wait",
        )
        return f"{type(self).__module__}.{type(self).__qualname__}", {name: getattr(self, name) for name in names}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Yield one event: `look`, `timeout` or `error`."""
        # HTTP libraries take long to import; in a thread, the other triggers do not wait for it.
        hooks = await asyncio.to_thread(import_module, "airflow_provider_learning360.hooks.learning")
        async with hooks.LearningAsyncHook(self.learning_conn_id) as hook:
            yield TriggerEvent({**await self._watch(hook), "deadline": self.deadline})

    async def _watch(self, hook: LearningAsyncHook) -> dict[str, Any]:
        watermark = Watermark.from_dict(self.watermark) if self.watermark else None
        wait = Wait(
            watermark,
            watch=tuple(self.watch or ()),
            on_missing=self.on_missing,
            max_failures=self.max_failures,
            failures=self.failures,
        )
        wait.retry_after = self.first_wait
        looks = 0
        while True:
            looks += 1
            if not await self._sleep(looks, wait.retry_after):
                return {"kind": "timeout"}
            had_trouble = wait.trouble is not None
            try:
                outcome = await self._outcome(hook)
                change = wait.judge(outcome)
            except LearningError as error:
                if not self.silent_fail:
                    return {"kind": "error", "error": error.to_dict()}
                self.log.error("Look failed: %s", error)
                continue
            if change or (watermark is None and wait.watermark is not None):
                return {"kind": "look", "watermark": self.watermark}
            self._tell(had_trouble, wait.trouble)

    async def _outcome(self, hook: LearningAsyncHook) -> Any:
        try:
            return await hook.get_program_session(self.session_id)
        except LearningError as error:
            return error

    async def _sleep(self, looks: int, retry_after: float) -> bool:
        """Sleep until the next look; false if the deadline comes before a look is allowed."""
        interval = poll_wait(
            self.poke_interval,
            looks,
            exponential=self.exponential_backoff,
            longest=self.max_wait,
            jitter=random.random,
        )
        left = self._left()
        if left <= 0 or retry_after > left:
            await asyncio.sleep(max(0.0, left))
            return False
        await asyncio.sleep(max(min(interval, left), retry_after))
        return True

    def _left(self) -> float:
        if self.deadline is None:
            return float("inf")
        return (datetime.fromisoformat(self.deadline) - datetime.now(tz=UTC)).total_seconds()

    def _tell(self, had_trouble: bool, trouble: LearningError | None) -> None:
        """Log a change of state once, not every look."""
        if trouble is not None and not had_trouble:
            self.log.warning("No look at the session for now: %s", trouble)
        elif trouble is None and had_trouble:
            self.log.info("360Learning answers again; still waiting for %s.", self.session_id)
