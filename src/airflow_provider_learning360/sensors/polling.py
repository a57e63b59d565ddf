"""The base class of all sensors: modes, deadline, failures in a row, and what a task remembers."""

from __future__ import annotations

import inspect
import logging
import time
from abc import abstractmethod
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, NoReturn

from airflow.providers.common.compat.sdk import (
    AirflowSensorTimeout,
    AirflowSkipException,
    BaseSensorOperator,
    PokeReturnValue,
    conf,
)

from airflow_provider_learning360 import DEFAULT_CONN_ID
from airflow_provider_learning360.api.errors import LearningError, NotFoundError
from airflow_provider_learning360.api.waiting import OnMissing, Wait
from airflow_provider_learning360.argument_checks import require_choice, seconds_of
from airflow_provider_learning360.hooks.limits import max_task_wait, max_triggerer_wait
from airflow_provider_learning360.learning_operator import LearningOperator
from airflow_provider_learning360.mapped_label import send_label
from airflow_provider_learning360.policies.retry import (
    HAS_RETRY_POLICIES,
    cap_wait,
    fail_fast,
    with_retry_policy,
)
from airflow_provider_learning360.sensors.memory import TaskMemory
from airflow_provider_learning360.waiting_log import WaitingLog, gone_text

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_learning360.api.contract import ContractPolicy
    from airflow_provider_learning360.hooks.learning import LearningHook
    from airflow_provider_learning360.triggers.polling import PollEvent, PollingTrigger

# The trigger ends the wait at the deadline. Airflow's own timeout of a deferral only matters if no triggerer runs.
DEFERRAL_MARGIN = timedelta(seconds=60)
# Seconds for the last poll, which Airflow makes when the time is over, and with a timeout of 0.
LAST_POLL_SECONDS = 5.0
# Airflow doubles its interval with each poll. After about 1,000 polls the interval would be too large for a float.
MAX_POLLS_COUNTED = 64
# Python has no dates after the year 9999.
MAX_DEFERRAL = timedelta(days=36500)


class PollingSensor(LearningOperator, BaseSensorOperator):
    """
    Poll 360Learning until the condition of a subclass is met, and push the result to XCom.

    The worker polls first; the task waits only if the condition is not met yet. `poke_interval`, `timeout`,
    `soft_fail` and `exponential_backoff` mean the same in every mode. Durations are seconds, a `timedelta`, or a
    mapping such as `{"minutes": 5}`.

    A subclass says what it polls (`subject`, `subject_arguments`, `poll`), what it waits for (`build_wait`,
    `build_trigger`, `describe_wait`), and what it pushes (`read_result`, `build_document`).
    It may override what happens at a poll (`on_found`, `on_poll`, `on_resume`, `describe_state`, `seconds_until_due`),
    and the names in the log and in Airflow's UI (`name_polled`, `label_task`).

    :param learning_conn_id: ID of the Airflow connection; default `learning360_default`.
    :param on_missing: What to do if what is polled does not exist (any more): `fail` (default), `skip` or `wait`.
    :param max_failures: Failed polls in a row that are allowed; with one more the task fails. Default 10.
    :param contract: What to do if the response differs from the documentation: `ignore`, `warn` (default) or `strict`.
    :param max_xcom_bytes: Size of what is pushed, in bytes, above which the task fails; default no limit.
    :param deferrable: Wait in the triggerer; default Airflow's `[operators] default_deferrable`.

    Source: Airflow's `BaseSensorOperator`.
    """

    ui_color = "#e8f3f1"

    def __init__(
        self,
        *,
        learning_conn_id: str = DEFAULT_CONN_ID,
        on_missing: OnMissing = "fail",
        max_failures: int = 10,
        contract: ContractPolicy = "warn",
        max_xcom_bytes: int | None = None,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        **kwargs: Any,
    ) -> None:
        # A reschedule would count as a poll of mode="reschedule", and the sensor waits for the end of outages itself.
        super().__init__(**with_retry_policy(_convert_durations(kwargs), max_reschedules=0))
        self.learning_conn_id = learning_conn_id
        self.on_missing = on_missing
        self.max_failures = max_failures
        self.contract = contract
        self.max_xcom_bytes = max_xcom_bytes
        self.deferrable = deferrable
        self._in_process: dict[str, Any] = {}
        self._not_before = 0.0
        self._has_failed = False  # the last poll of this process
        self._deadline: datetime | None = None
        self._current_log: WaitingLog | None = None
        require_choice("on_missing", on_missing, OnMissing)

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Add the inherited arguments to the signature of a subclass, whose code lists only its own."""
        super().__init_subclass__(**kwargs)
        if "__init__" in vars(cls):
            code: Any = vars(cls)["__init__"]
            code.__signature__ = _merge_signatures(inspect.signature(code), inspect.signature(super(cls, cls).__init__))

    @classmethod
    def check_arguments(cls, given: Mapping[str, Any]) -> None:
        """
        Refuse arguments that cannot work in any run.

        :param given: The arguments that are known when the DAG is parsed.
        :raises FixArgumentError: An argument is not valid.
        """
        super().check_arguments(given)
        if "on_missing" in given:
            require_choice("on_missing", given["on_missing"], OnMissing)
        _convert_durations(given)

    @property
    @abstractmethod
    def subject(self) -> str:
        """What is polled, as errors and log lines name it, such as "program session 60b8d2956e20ae1a0f8e44f1"."""

    @abstractmethod
    def subject_arguments(self) -> dict[str, Any]:
        """Return the arguments of the trigger that say what is polled."""

    @abstractmethod
    def poll(self, hook: LearningHook, wait: Wait[Any, Any]) -> Any:
        """
        Send the requests of one poll.

        :param hook: The hook, with the time limit of the poll.
        :param wait: The wait before the poll.
        :returns: What the wait evaluates.
        :raises LearningError: The poll has failed.
        """

    @abstractmethod
    def build_wait(self, memory: TaskMemory) -> Wait[Any, Any]:
        """
        Build the wait from what the task remembers; called before each poll.

        :param memory: What the task remembers: pass `self.wait_options(memory)` on to the wait.
        :returns: The wait; its `evaluate` decides what a poll means.
        :raises FixArgumentError: A rendered argument is not valid.
        """

    @abstractmethod
    def build_trigger(self, wait: Wait[Any, Any], **polling_arguments: Any) -> PollingTrigger:
        """
        Build the trigger that continues the wait in the triggerer.

        :param wait: The wait after the last poll.
        :param polling_arguments: The arguments that all polling triggers take; pass them on.
        """

    @abstractmethod
    def describe_wait(self) -> str:
        """Return what the task waits for. It follows "Waiting for 'Safety' (60b8…): " and "Timed out: "."""

    @abstractmethod
    def build_document(self, context: Context, result: Any) -> Any:
        """
        Build what the task pushes to XCom.

        :param context: Airflow's task context.
        :param result: What `read_result` returned.
        :raises LearningError: It may not be pushed.
        """

    def read_result(self, hook: LearningHook, polled: Any, wait: Wait[Any, Any]) -> Any:
        """
        Read what the task pushes, when the wait is over; default what the poll read.

        :param hook: The hook, with the time limit of the poll.
        :param polled: What the poll read.
        :param wait: The wait after the poll.
        :returns: The result; not None.
        :raises LearningError: It could not be read: the poll has failed.
        """
        return polled

    def name_polled(self, polled: Any, wait: Wait[Any, Any]) -> str:
        """
        Return how a log line names what was polled; default `subject`.

        :param polled: What the poll read.
        :param wait: The wait after the poll.
        """
        return self.subject

    def label_task(self, context: Context, polled: Any, wait: Wait[Any, Any]) -> None:
        """
        Name a mapped task in Airflow's UI while it waits. Does nothing by default.

        :param context: Airflow's task context.
        :param polled: What the poll read.
        :param wait: The wait after the poll.
        """

    def on_found(self, context: Context, result: Any, found: Any, memory: TaskMemory) -> None:
        """
        Act when the wait is over, before the result is pushed to XCom. Does nothing by default.

        :param context: Airflow's task context.
        :param result: What `read_result` returned.
        :param found: What the wait found: the value that `evaluate` returned.
        :param memory: What the task remembers; it is emptied afterwards.
        """

    def on_poll(self, polled: Any, wait: Wait[Any, Any], memory: TaskMemory) -> None:
        """
        Store what a successful poll observed, also if the wait is over. Does nothing by default.

        :param polled: What the poll read.
        :param wait: The wait after the poll.
        :param memory: Where to store it.
        """

    def on_resume(self, event: PollEvent, memory: TaskMemory) -> None:
        """
        Store what the trigger sent, before the worker polls again. Does nothing by default.

        :param event: The event of the trigger.
        :param memory: Where to store it.
        """

    def describe_state(self, polled: Any, wait: Wait[Any, Any]) -> str:
        """
        Return a sentence for the log about the present state; default none.

        :param polled: What the poll read.
        :param wait: The wait after the poll.
        """
        return ""

    def seconds_until_due(self) -> float:
        """Return the seconds until the next poll must happen; infinite (the default) if that is not known."""
        return float("inf")

    def execute(self, context: Context) -> Any:
        """
        Poll on the worker; if the wait is not over, continue in the chosen mode.

        :param context: Airflow's task context.
        :returns: What the task pushes.
        """
        with fail_fast():
            started = self._find_start(context)
            self._deadline = None if started is None else _add_seconds(started, self.timeout)
            if not self.deferrable:
                return super().execute(context)
            return self._poll_or_defer(context, self._deadline or _add_seconds(datetime.now(tz=UTC), self.timeout))

    def execute_complete(self, context: Context, event: PollEvent) -> Any:
        """
        Continue after the trigger ended.

        :param context: Airflow's task context.
        :param event: How the wait ended, and its deadline.
        :returns: What the task pushes.
        :raises AirflowSensorTimeout: The time is over.
        """
        memory = TaskMemory(context, self._in_process)
        if event["kind"] != "poll":  # else the poll of the worker decides: its document may fail each time
            memory.failures = 0
        if last_read := event.get("last_read"):
            memory.keep_last_read(datetime.fromisoformat(last_read), in_store=False)
        self.on_resume(event, memory)
        if event["kind"] == "timeout":
            raise AirflowSensorTimeout(
                f"Sensor has timed out after {self.timeout:g} s. {self._waited_for()} Raise `timeout` if it may take "
                "longer."
            )
        # With soft_fail, Airflow skips a task for an AirflowException. A broken sensor must fail instead.
        with fail_fast(convert=not (HAS_RETRY_POLICIES or self.soft_fail)):
            error = LearningError.from_dict(event["error"]) if event["kind"] == "error" else None
            deadline = event["deadline"]
            end = datetime.fromisoformat(deadline) if deadline else _add_seconds(datetime.now(tz=UTC), self.timeout)
            self._deadline = end
            return self._poll_or_defer(context, end, error)

    def poke(self, context: Context) -> PokeReturnValue | bool:
        """
        Poll once.

        :param context: Airflow's task context.
        :returns: False if the wait continues; true, with what the task pushes, when it is over.
        :raises LearningError: Another poll would not help.
        """
        if time.monotonic() < self._not_before:
            return False  # a `Retry-After` is not over; Airflow polls anyway when the time is over
        memory = TaskMemory(context, self._in_process)
        wait = self.build_wait(memory)
        failures_before = wait.failures
        outcome = self._poll(wait)
        result: Any = None
        self._has_failed = isinstance(outcome, LearningError)
        try:
            found = wait.evaluate(outcome)
            if found is not None:
                result = self._read_result(outcome, wait)
            if isinstance(result, LearningError):
                wait.failures, self._has_failed = failures_before, True  # the poll has failed after all
                outcome, found = result, wait.evaluate(result)
        except LearningError as error:
            self._fail(context, error)
        memory.failures = wait.failures
        self._not_before = time.monotonic() + self._capped_wait(wait.requested_wait)
        if isinstance(outcome, LearningError):
            self._waiting_log.note_error(outcome, wait, failures_before)
            return False
        self._waiting_log.note_read(self.name_polled(outcome, wait), failures_before)
        self.on_poll(outcome, wait, memory)
        if result is None:
            return self._continue(context, outcome, wait, memory)
        return self._finish(context, result, found, memory)

    def wait_options(self, memory: TaskMemory) -> dict[str, Any]:
        """
        Return the arguments of `Wait` that say how errors are treated.

        :param memory: What the task remembers.
        """
        return {
            "on_missing": self.on_missing,
            "max_failures": self.max_failures,
            "failures": memory.failures,
            "longest_wait": max_task_wait(),
        }

    def _continue(self, context: Context, polled: Any, wait: Wait[Any, Any], memory: TaskMemory) -> bool:
        """Handle a poll after which the wait continues."""
        self.label_task(context, polled, wait)
        memory.keep_last_read(datetime.now(tz=UTC), in_store=self.reschedule or self.deferrable)
        state = self.describe_state(polled, wait)
        self._waiting_log.note_wait(self.name_polled(polled, wait), self.describe_wait(), state)
        return False

    def _finish(self, context: Context, result: Any, found: Any, memory: TaskMemory) -> PokeReturnValue:
        """Handle a poll after which the wait is over."""
        document = self.build_document(context, result)
        self.on_found(context, result, found, memory)
        memory.forget()
        return PokeReturnValue(True, document)

    def _find_start(self, context: Context) -> datetime | None:
        """Return when the wait began, over all polls of the task; None if Airflow does not say."""
        if self.deferrable or not self.reschedule:
            return datetime.now(tz=UTC)
        first_poll = getattr(context["ti"], "get_first_reschedule_date", None)
        if first_poll is None:  # Airflow below 3 reads it from its database itself
            return None
        started = first_poll(context)
        return datetime.now(tz=UTC) if started is None else started

    def _time_left(self) -> float | None:
        """Return the seconds that a poll may take; None for as long as the hook allows."""
        if self._deadline is None:
            return None
        return max(LAST_POLL_SECONDS, (self._deadline - datetime.now(tz=UTC)).total_seconds())

    def _capped_wait(self, asked: float) -> float:
        """Return the seconds to wait: what the server asked for, up to the limit."""
        limit, option = (
            (max_triggerer_wait(), "max_triggerer_wait") if self.deferrable else (max_task_wait(), "max_task_wait")
        )
        if not asked <= limit:
            self.log.warning(
                "360Learning asked to wait %g s. Next poll in %g s, the longest wait allowed ([learning360] %s).",
                asked,
                limit,
                option,
            )
        return cap_wait(asked, limit)

    def _poll_or_defer(self, context: Context, deadline: datetime, error: LearningError | None = None) -> Any:
        """Poll, unless the trigger already had an error. Handle errors like Airflow's sensors in mode poke."""
        try:
            found = self._fail(context, error) if error else self.poke(context)
        except LearningError as failure:
            if self.never_fail:
                raise AirflowSkipException("Skipping due to never_fail is set to True.") from failure
            if not self.silent_fail:
                raise
            self.log.error("Poll failed: %s", failure)
            found = False
        if isinstance(found, PokeReturnValue):
            return found.xcom_value
        self._defer(context, deadline)
        return None

    def _defer(self, context: Context, deadline: datetime) -> NoReturn:
        wait = self.build_wait(TaskMemory(context, self._in_process))
        remaining = deadline - datetime.now(tz=UTC)
        first_wait = max(0.0, self._not_before - time.monotonic())
        next_poll = max(min(self.poke_interval, self.seconds_until_due(), remaining.total_seconds()), first_wait)
        self._waiting_log.note_next_poll(next_poll, deadline)
        send_label(context)
        self.defer(
            trigger=self.build_trigger(
                wait,
                **self.subject_arguments(),
                learning_conn_id=self.learning_conn_id,
                on_missing=self.on_missing,
                max_failures=self.max_failures,
                failures=wait.failures,
                poke_interval=self.poke_interval,
                exponential_backoff=self.exponential_backoff,
                max_wait=self.max_wait.total_seconds() if isinstance(self.max_wait, timedelta) else self.max_wait,
                silent_fail=self.silent_fail,
                deadline=deadline.isoformat(),
                first_wait=first_wait,
            ),
            method_name="execute_complete",
            timeout=min(max(remaining, timedelta(0)) + DEFERRAL_MARGIN, MAX_DEFERRAL),
        )

    def _poll(self, wait: Wait[Any, Any]) -> Any:
        """Return what the wait evaluates, or the error of the poll."""
        hook: LearningHook = self.hook
        hook.time_limit = self._time_left()
        hook.retry_log_level = logging.DEBUG
        try:
            hook.platform.forget()
            return self.poll(hook, wait)
        except LearningError as error:
            return error

    def _read_result(self, polled: Any, wait: Wait[Any, Any]) -> Any:
        """Return what is pushed, or the error; a poll reads only what it needs."""
        hook: LearningHook = self.hook
        hook.time_limit = self._time_left()
        try:
            return self.read_result(hook, polled, wait)
        except LearningError as error:
            return error

    def _fail(self, context: Context, error: LearningError) -> NoReturn:
        """Fail the task; skip it if what is polled does not exist and `on_missing` is `skip`."""
        memory = TaskMemory(context, self._in_process)
        memory.failures = 0
        if isinstance(error, NotFoundError):
            if memory.last_read is not None:
                error = error.with_note(gone_text(self.subject, memory.last_read))
            if self.on_missing == "skip":
                raise AirflowSkipException(f"{error} The task is skipped (on_missing is 'skip').")
        raise error

    def _waited_for(self) -> str:
        return f"It waited for {self.subject}: {self.describe_wait()}."

    @property
    def _waiting_log(self) -> WaitingLog:
        if self._current_log is None:
            self._current_log = WaitingLog(self.subject, self.log.info, self.log.warning)
        return self._current_log

    def _get_next_poke_interval(self, started_at: Any, run_duration: Callable[[], float], poke_count: int) -> float:
        # An override: Airflow calls it after each poke that found nothing, also before it reschedules.
        interval: float = super()._get_next_poke_interval(started_at, run_duration, min(poke_count, MAX_POLLS_COUNTED))
        left = max(0.0, self.timeout - run_duration())
        seconds = max(min(interval, self.seconds_until_due()), min(self._not_before - time.monotonic(), left))
        if self._current_log is not None:
            self._current_log.note_next_poll(seconds, self._deadline)
        return seconds


def _convert_durations(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments, with durations in a form that Airflow accepts."""
    given = {name: arguments[name] for name in ("poke_interval", "timeout", "max_wait") if name in arguments}
    mappings = {name: value for name, value in given.items() if isinstance(value, dict)}
    return {**arguments, **{name: seconds_of(value, name) for name, value in mappings.items()}}


def _merge_signatures(own: inspect.Signature, inherited: inspect.Signature) -> inspect.Signature:
    """Return a signature that includes the arguments of the parent class; those without a default come first."""
    parameters = [
        *(one for one in own.parameters.values() if one.kind is not one.VAR_KEYWORD),
        *(one for name, one in inherited.parameters.items() if name not in own.parameters),
        *(one for one in own.parameters.values() if one.kind is one.VAR_KEYWORD),
    ]
    order = {kind: number for number, kind in enumerate(type(parameters[0].kind))}
    parameters.sort(key=lambda one: (order[one.kind], one.kind is one.KEYWORD_ONLY and one.default is not one.empty))
    return own.replace(parameters=parameters)


def _add_seconds(start: datetime, seconds: float) -> datetime:
    try:
        return start + timedelta(seconds=seconds)
    except OverflowError:
        return datetime.max.replace(tzinfo=UTC)
