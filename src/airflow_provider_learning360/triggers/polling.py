"""What triggers have in common that look at one program session from time to time."""

from __future__ import annotations

import asyncio
import random
from abc import abstractmethod
from datetime import UTC, datetime
from importlib import import_module
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.triggers.base import BaseTrigger, TriggerEvent

from airflow_provider_learning360.api.errors import LearningError, TryAgainError
from airflow_provider_learning360.api.retries import compute_poll_wait
from airflow_provider_learning360.hooks.limits import max_triggerer_wait
from airflow_provider_learning360.triggers.tracebacks import format_frames

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from airflow_provider_learning360.api.waiting import OnMissing, Wait
    from airflow_provider_learning360.hooks.learning_async import LearningAsyncHook


# Seconds that the last look, which begins at the deadline, may take. Airflow itself allows for more.
LAST_LOOK = 2.0


class SessionPollingTrigger(BaseTrigger):
    """
    Look at a program session from time to time, and wake the sensor when it should look itself.

    Its arguments and its event hold no secret and no person's data: the document is fetched by the worker.

    :param session_id: ID of the session, 24 hexadecimal characters.
    :param learning_conn_id: ID of the Airflow connection.
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

    # What it takes beside that, by name.
    own_arguments: ClassVar[tuple[str, ...]] = ()

    def __init__(
        self,
        session_id: str,
        learning_conn_id: str,
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
            *self.own_arguments,
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
        """Yield one event: `result`, `timeout` or `error`."""
        yield TriggerEvent({**await self._end(), "deadline": self.deadline})

    async def _end(self) -> dict[str, Any]:
        """Return how the wait ended. Airflow would skip the task for an exception where `soft_fail` is set."""
        try:
            # HTTP libraries take long to import; in a thread, the other triggers do not wait for it.
            hooks = await asyncio.to_thread(import_module, "airflow_provider_learning360.hooks.learning_async")
            async with hooks.LearningAsyncHook(self.learning_conn_id) as hook:
                return await self._watch(hook)
        except LearningError as error:
            return {"kind": "error", "error": error.to_dict()}
        except Exception as error:  # noqa: BLE001 - whatever it is, the worker is to say so
            self.log.error("Traceback without values:\n%s", format_frames(error))
            told = TryAgainError(
                f"Unexpected {type(error).__name__} while waiting for session {self.session_id}; please report it with "
                "the traceback that the triggerer logged."
            )
            return {"kind": "error", "error": told.to_dict()}

    @abstractmethod
    def build_wait(self) -> Wait[Any]:
        """Return the wait at its beginning."""

    def is_over(self, wait: Wait[Any], found: Any) -> bool:
        """
        Whether the worker should look.

        :param wait: The wait after a look.
        :param found: What the look found, or None.
        """
        return found is not None

    def event_payload(self) -> dict[str, Any]:
        """Return what the worker has to know beside that it should look."""
        return {}

    def seconds_until_due(self, wait: Wait[Any]) -> float:
        """
        Return the seconds until there is something to see at the latest; endless if that is not known.

        :param wait: The wait.
        """
        return float("inf")

    async def _watch(self, hook: LearningAsyncHook) -> dict[str, Any]:
        wait = self.build_wait()
        wait.longest_wait = max_triggerer_wait()
        wait.asked, wait.retry_after = self.first_wait, min(self.first_wait, wait.longest_wait)
        self._tell_cap(wait)
        looks = 0
        while True:
            looks += 1
            if not await self._sleep(looks, wait):
                return {"kind": "timeout"}
            had_trouble = wait.trouble is not None
            try:
                outcome = await self._outcome(hook)
                if outcome is None:
                    return {"kind": "timeout"}
                found = wait.evaluate(outcome)
            except LearningError as error:
                if not self.silent_fail:
                    return {"kind": "error", "error": error.to_dict()}
                self.log.error("Look failed: %s", error)
                continue
            if self.is_over(wait, found):
                return {"kind": "look", **self.event_payload()}
            self._tell(had_trouble, wait.trouble)
            self._tell_cap(wait)

    async def _outcome(self, hook: LearningAsyncHook) -> Any:
        """Return the session, or the error of the look; None if the deadline ended it."""
        left = self._left()
        try:
            async with asyncio.timeout(None if left == float("inf") else max(left, LAST_LOOK)) as limit:
                return await hook.get_program_session(self.session_id)
        except LearningError as error:
            return error
        except TimeoutError:
            if not limit.expired():
                raise
            self.log.warning("The deadline of the sensor ended a poll of session %s.", self.session_id)
            return None

    async def _sleep(self, looks: int, wait: Wait[Any]) -> bool:
        """Sleep until the next look; false if the deadline comes before a look is allowed."""
        interval = compute_poll_wait(
            self.poke_interval,
            looks,
            exponential=self.exponential_backoff,
            longest=self.max_wait,
            jitter=random.random,
        )
        left = self._left()
        if left <= 0 or wait.retry_after > left:
            await asyncio.sleep(max(0.0, left))
            return False
        await asyncio.sleep(max(min(interval, left, self.seconds_until_due(wait)), wait.retry_after))
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

    def _tell_cap(self, wait: Wait[Any]) -> None:
        if wait.asked > wait.retry_after:
            self.log.warning(
                "360Learning asked to wait %g s. Polling again in %g s, the longest wait allowed "
                "([learning360] max_triggerer_wait).",
                wait.asked,
                wait.retry_after,
            )
