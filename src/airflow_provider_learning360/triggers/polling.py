"""The base class of the triggers behind the sensors: they poll until the worker should."""

from __future__ import annotations

import asyncio
import random
import time
from abc import abstractmethod
from datetime import UTC, datetime
from itertools import count
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NotRequired, TypedDict

from airflow.triggers.base import BaseTrigger, TriggerEvent

from airflow_provider_learning360.api.errors import LearningError, TryAgainError
from airflow_provider_learning360.api.retries import compute_poll_wait
from airflow_provider_learning360.api.waiting import UNCHANGED
from airflow_provider_learning360.hooks.limits import max_triggerer_wait
from airflow_provider_learning360.triggers.tracebacks import format_frames
from airflow_provider_learning360.waiting_log import WaitingLog, one_line

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from airflow_provider_learning360.api.catalogue.operation_wait import StoredFingerprints
    from airflow_provider_learning360.api.changes import StoredWatermark
    from airflow_provider_learning360.api.waiting import OnMissing, Wait
    from airflow_provider_learning360.triggers.poll_target import PollTarget
    from airflow_provider_learning360.triggers.sensor_poller import SensorPoller


# Seconds that the last poll, which begins at the deadline, may take. Airflow itself allows for more.
LAST_POLL_SECONDS = 2.0


class PollEvent(TypedDict):
    """
    How a trigger's wait ended, as Airflow stores it.

    `kind` is `poll` (by the worker), `timeout` or `error`. `deadline` is the ISO time at which the wait ends,
    `error` what `LearningError.to_dict` wrote, and `last_read` the ISO time of the last successful poll. `watermark` is
    the one of the trigger's arguments, and `fingerprints` what the first poll found.
    """

    kind: Literal["poll", "timeout", "error"]
    deadline: str | None
    error: NotRequired[dict[str, Any]]
    last_read: NotRequired[str]
    watermark: NotRequired[StoredWatermark | None]
    fingerprints: NotRequired[StoredFingerprints]


class PollingTrigger(BaseTrigger):
    """
    Poll 360Learning, and wake the sensor when it should poll itself.

    Its event holds no secret and no personal data: the worker reads what it pushes.

    All triggers of a connection share one poller. Interval, errors and deadline are those of each trigger.

    A subclass says what is polled (`subject`, `build_target`) and what is waited for (`build_wait`, `describe_wait`).
    It may say when the wait is over (`is_over`), what the worker has to know (`event_payload`), and what the log says
    (`describe_state`, `name_polled`).

    :param learning_conn_id: ID of the Airflow connection.
    :param on_missing: What to do if what is polled does not exist: `fail` (default), `skip` or `wait`.
    :param max_failures: Failed polls in a row that are allowed; default 10.
    :param failures: Failed polls in a row before the first one; default 0.
    :param poke_interval: Seconds between polls; default 60.
    :param exponential_backoff: Whether the interval grows; default False.
    :param max_wait: Longest interval, in seconds, where it grows; default no limit.
    :param silent_fail: Whether to continue after errors that a retry cannot fix; default False.
    :param deadline: ISO time at which the wait ends; default never.
    :param first_wait: Seconds before the first poll at least, as the server asked for them; default 0.

    Source: Airflow's `BaseTrigger`.
    """

    # Names of the arguments that a subclass takes in addition.
    own_arguments: ClassVar[tuple[str, ...]] = ()
    # Whether `build_wait` takes no time once the class has built one; else it runs in a thread each time.
    builds_quickly: ClassVar[bool] = True
    _has_built: ClassVar[set[type]] = set()

    def __init__(
        self,
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
        self._joined_at = 0.0
        self._name = ""

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the class path and the arguments, for the database."""
        names = (
            *self.own_arguments,
            "learning_conn_id",
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
        """Yield one event, a `PollEvent`."""
        waiting_log = WaitingLog(self.subject, self.log.info, self.log.warning)
        event: dict[str, Any] = {**await self._end(waiting_log), "deadline": self.deadline}
        if waiting_log.last_read is not None:
            event["last_read"] = waiting_log.last_read.isoformat()
        yield TriggerEvent(event)

    @property
    @abstractmethod
    def subject(self) -> str:
        """What is polled, as errors and log lines name it, such as "program session 60b8d2956e20ae1a0f8e44f1"."""

    @abstractmethod
    def build_target(self, wait: Any) -> PollTarget:
        """
        Return what the shared poller reads for this trigger.

        :param wait: The wait.
        """

    async def prepare(self, read: Any, wait: Any) -> Any:
        """
        Return what the wait evaluates; default what was read.

        :param read: What the shared poller read.
        :param wait: The wait before the poll.
        :raises LearningError: The poll has failed.
        """
        return read

    @abstractmethod
    def build_wait(self) -> Wait[Any, Any]:
        """Return the wait at its beginning."""

    @abstractmethod
    def describe_wait(self, wait: Wait[Any, Any]) -> str:
        """
        Return what the task waits for. It follows "Waiting for 'Safety' (60b8…): ".

        :param wait: The wait.
        """

    def name_polled(self, polled: Any, wait: Wait[Any, Any]) -> str:
        """
        Return how a log line names what was polled; default `subject`.

        :param polled: What the poll read.
        :param wait: The wait after the poll.
        """
        return self.subject

    def describe_state(self, polled: Any, wait: Wait[Any, Any]) -> str:
        """
        Return a sentence for the log about the present state; default none.

        :param polled: What the poll read.
        :param wait: The wait after the poll.
        """
        return ""

    def is_over(self, wait: Wait[Any, Any], found: Any) -> bool:
        """
        Whether the worker should poll.

        :param wait: The wait after a poll.
        :param found: What the wait found, or None.
        """
        return found is not None

    def event_payload(self, wait: Wait[Any, Any]) -> dict[str, Any]:
        """
        Return the additional keys of the event, for the worker; default none.

        :param wait: The wait after the last poll.
        """
        return {}

    def seconds_until_due(self, wait: Wait[Any, Any]) -> float:
        """
        Return the seconds until the next poll must happen; infinite (the default) if that is not known.

        :param wait: The wait.
        """
        return float("inf")

    async def _end(self, waiting_log: WaitingLog) -> dict[str, Any]:
        """Return how the wait ended. Never raise: with `soft_fail`, Airflow would skip the task for an exception."""
        # Only triggerers need it, but DAG files and workers import this module.
        from airflow_provider_learning360.triggers.sensor_poller import share_poller

        try:
            self._joined_at = time.monotonic()
            async with share_poller(self.learning_conn_id) as poller:
                return await self._poll_until_over(poller, waiting_log)
        except LearningError as error:
            return {"kind": "error", "error": error.to_dict()}
        except Exception as error:  # noqa: BLE001 - the worker reports it
            self.log.error("Traceback without values:\n%s", format_frames(error))
            unexpected = TryAgainError(
                f"Unexpected {type(error).__name__} while waiting for {self.subject}; please report "
                "it with the traceback in the triggerer's log."
            )
            return {"kind": "error", "error": unexpected.to_dict()}

    async def _poll_until_over(self, poller: SensorPoller, waiting_log: WaitingLog) -> dict[str, Any]:
        wait = await self._begin_wait()
        target = self.build_target(wait)
        for number in count(1):
            self._log_capped_wait(wait)
            interval = self._compute_interval(number)
            left = self._time_left()
            if left <= 0 or wait.retry_after > left:
                await asyncio.sleep(max(0.0, left))
                return {"kind": "timeout"}
            seconds = max(min(interval, left, self.seconds_until_due(wait)), wait.retry_after)
            waiting_log.note_next_poll(seconds, self._deadline())
            # A poll at a certain time, such as the deadline, would have to be repeated if it came early.
            early = min(interval / 2, seconds - wait.retry_after) if seconds == interval else 0.0
            try:
                outcome = await self._poll(poller, target, wait, seconds, early)
                if outcome is None:
                    return {"kind": "timeout"}
                is_over = self._is_over_after(outcome, wait, waiting_log)
                target.is_known = not isinstance(outcome, LearningError) or target.is_known
                if is_over:
                    return {"kind": "poll", **self.event_payload(wait)}
            except LearningError as error:
                if not self.silent_fail:
                    return {"kind": "error", "error": error.to_dict()}
                self.log.error("Could not read %s: %s The wait continues (silent_fail).", self.subject, one_line(error))
        raise AssertionError("unreachable")

    async def _begin_wait(self) -> Wait[Any, Any]:
        """Return the wait before its first poll."""
        kind = type(self)
        if self.builds_quickly and kind in self._has_built:
            wait = self.build_wait()
        else:
            # It may import modules or read the catalogue; a thread does not hold up the other triggers.
            wait = await asyncio.to_thread(self.build_wait)
            self._has_built.add(kind)
        wait.longest_wait = max_triggerer_wait()
        wait.requested_wait, wait.retry_after = self.first_wait, min(self.first_wait, wait.longest_wait)
        return wait

    def _is_over_after(self, outcome: Any, wait: Wait[Any, Any], waiting_log: WaitingLog) -> bool:
        """Whether the wait is over after a poll; logs what has changed."""
        failures_before = wait.failures
        found = wait.evaluate(outcome)
        if isinstance(outcome, LearningError):
            waiting_log.note_error(outcome, wait, failures_before)
            return False
        if outcome is not UNCHANGED:
            self._name = self.name_polled(outcome, wait)
        waiting_log.note_read(self._name, failures_before)
        if self.is_over(wait, found):
            return True
        if outcome is not UNCHANGED:
            waiting_log.note_wait(self._name, self.describe_wait(wait), self.describe_state(outcome, wait))
        return False

    async def _poll(
        self, poller: SensorPoller, target: PollTarget, wait: Wait[Any, Any], seconds: float, early: float
    ) -> Any:
        """Return what the wait evaluates, or the error of the poll; None if the deadline ended it."""
        left = self._time_left()
        try:
            # It ends this wait only: others may wait for the same request.
            async with asyncio.timeout(
                None if left == float("inf") else max(left, seconds + LAST_POLL_SECONDS)
            ) as limit:
                return await self.prepare(await poller.poll(target, seconds, early, self._joined_at), wait)
        except LearningError as error:
            return error
        except TimeoutError:
            if not limit.expired():
                raise
            self.log.warning("The deadline of the sensor ended a poll of %s.", self.subject)
            return None

    def _compute_interval(self, number: int) -> float:
        """Return the seconds until the next poll, if nothing else shortens or lengthens them."""
        return compute_poll_wait(
            self.poke_interval,
            number,
            exponential=self.exponential_backoff,
            longest=self.max_wait,
            jitter=random.random,
        )

    def _time_left(self) -> float:
        deadline = self._deadline()
        return float("inf") if deadline is None else (deadline - datetime.now(tz=UTC)).total_seconds()

    def _deadline(self) -> datetime | None:
        return None if self.deadline is None else datetime.fromisoformat(self.deadline)

    def _log_capped_wait(self, wait: Wait[Any, Any]) -> None:
        if wait.requested_wait > wait.retry_after:
            self.log.warning(
                "360Learning asked to wait %g s. Next poll in %g s, the longest wait allowed "
                "([learning360] max_triggerer_wait).",
                wait.requested_wait,
                wait.retry_after,
            )
