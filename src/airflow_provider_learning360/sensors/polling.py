"""What sensors have in common that look at one program session from time to time."""

from __future__ import annotations

import time
from abc import abstractmethod
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any, NoReturn, get_args

from airflow.providers.common.compat.sdk import (
    AirflowSensorTimeout,
    AirflowSkipException,
    BaseSensorOperator,
    PokeReturnValue,
    conf,
)

from airflow_provider_learning360 import DEFAULT_CONN_ID
from airflow_provider_learning360.api.endpoints import find_session_id
from airflow_provider_learning360.api.errors import FixArgumentError, LearningError, NotFoundError
from airflow_provider_learning360.api.waiting import OnMissing, Wait
from airflow_provider_learning360.document_options import DocumentOptions
from airflow_provider_learning360.hooks.limits import max_task_wait, max_triggerer_wait
from airflow_provider_learning360.policies.retry import (
    HAS_RETRY_POLICIES,
    at_most,
    failing_fast,
    with_retry_policy,
)
from airflow_provider_learning360.rendering import SafeRendering
from airflow_provider_learning360.sensors.memory import TaskMemory

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_learning360.api.contract import ContractPolicy
    from airflow_provider_learning360.api.models import ProgramSession
    from airflow_provider_learning360.hooks.learning import LearningHook
    from airflow_provider_learning360.triggers.polling import SessionPollingTrigger

# Airflow's own limit on a deferral is for the case that no triggerer runs; otherwise the trigger keeps the time.
GRACE = timedelta(seconds=60)
# Airflow looks once more when the time is over, and once with a timeout of 0: that look has so many seconds.
LAST_LOOK = 5.0
MANY_POKES = 64


# A deferral that ends after the year 9999 is none that Python can write.
LONGEST_DEFERRAL = timedelta(days=36500)


class SessionPollingSensor(SafeRendering, BaseSensorOperator):
    """
    Look at a program session until there is what a subclass waits for, and push its document to XCom.

    It looks on the worker first, and waits only if it must. `poke_interval`, `timeout`, `soft_fail` and
    `exponential_backoff` mean the same in every mode.

    :param session_id: ID of the session, 24 hexadecimal characters; or a document with `_id`.
    :param learning_conn_id: ID of the Airflow connection; default `learning360_default`.
    :param on_missing: What to do if there is no such session (any more): `fail` (default), `skip` or `wait`.
    :param max_failures: Looks in a row that may get no answer before the task fails; default 10.
    :param fields: Names of the fields to push; default all that were sent.
    :param exclude: Names of the fields not to push; default none.
    :param contract: What to do if the answer differs from the documentation: `ignore`, `warn` (default) or `strict`.
    :param max_xcom_bytes: Size of the document, in bytes, above which the task fails; default no limit.
    :param deferrable: Wait in the triggerer; default Airflow's `[operators] default_deferrable`.

    Source: Airflow's `BaseSensorOperator`.
    """

    ui_color = "#e8f3f1"

    def __init__(
        self,
        *,
        session_id: str | dict[str, Any],
        learning_conn_id: str = DEFAULT_CONN_ID,
        on_missing: OnMissing = "fail",
        max_failures: int = 10,
        fields: list[str] | None = None,
        exclude: list[str] | None = None,
        contract: ContractPolicy = "warn",
        max_xcom_bytes: int | None = None,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        **kwargs: Any,
    ) -> None:
        super().__init__(**with_retry_policy(kwargs))
        self.session_id = session_id
        self.learning_conn_id = learning_conn_id
        self.on_missing = on_missing
        self.max_failures = max_failures
        self.fields = fields
        self.exclude = exclude
        self.contract = contract
        self.max_xcom_bytes = max_xcom_bytes
        self.deferrable = deferrable
        self._carried: dict[str, Any] = {}
        self._not_before = 0.0
        self._deadline: datetime | None = None
        self._xcom.check()
        if on_missing not in get_args(OnMissing):
            raise FixArgumentError(f"on_missing: {on_missing!r} is not one of {', '.join(get_args(OnMissing))}.")

    @cached_property
    def hook(self) -> LearningHook:
        """The hook that the sensor talks through."""
        from airflow_provider_learning360.hooks.learning import LearningHook

        return LearningHook(self.learning_conn_id)

    @abstractmethod
    def build_wait(self, memory: TaskMemory) -> Wait[Any]:
        """Return the wait as it stands: what is waited for, and how many looks already got no answer."""

    @abstractmethod
    def build_trigger(self, wait: Wait[Any], **looking: Any) -> SessionPollingTrigger:
        """Return the trigger that goes on with the wait."""

    @abstractmethod
    def describe_wait(self) -> str:
        """Return what is waited for, for the message that it did not come."""

    def on_found(self, context: Context, session: ProgramSession, found: Any, memory: TaskMemory) -> None:
        """Do what is to be done when it is there, before the document is pushed."""

    def on_poll(self, session: ProgramSession, wait: Wait[Any], memory: TaskMemory) -> None:
        """Remember what a look saw that did not find it."""

    def execute(self, context: Context) -> Any:
        """Look on the worker; if it is not there yet, wait in the chosen mode."""
        with failing_fast():
            started = self._started(context)
            self._deadline = None if started is None else _after(started, self.timeout)
            if not self.deferrable:
                return super().execute(context)
            return self._look_or_defer(context, self._deadline or _after(datetime.now(tz=UTC), self.timeout))

    def execute_complete(self, context: Context, event: dict[str, Any]) -> Any:
        """
        Act on what the trigger saw.

        :param context: Airflow's task context.
        :param event: `look` (again, on the worker), `timeout` or `error`, and the deadline of the wait.
        """
        memory = TaskMemory(context, self._carried)
        memory.failures = 0
        self.on_resume(event, memory)
        if event["kind"] == "timeout":
            raise AirflowSensorTimeout(f"Sensor has timed out: {self.describe_wait()} within {self.timeout:g} s.")
        # With soft_fail, an exception of Airflow's would turn a broken sensor into a skipped one.
        with failing_fast(convert=not (HAS_RETRY_POLICIES or self.soft_fail)):
            error = LearningError.from_dict(event["error"]) if event["kind"] == "error" else None
            self._deadline = datetime.fromisoformat(event["deadline"])
            return self._look_or_defer(context, self._deadline, error)

    def on_resume(self, event: dict[str, Any], memory: TaskMemory) -> None:
        """Remember what the trigger carried."""

    def poke(self, context: Context) -> PokeReturnValue | bool:
        """Look once; true, with the document, if it is there."""
        if time.monotonic() < self._not_before:
            return False  # the server asked not to be asked yet, and only the timeout brought us here
        memory = TaskMemory(context, self._carried)
        wait = self.build_wait(memory)
        outcome = self._outcome()
        try:
            found = wait.evaluate(outcome)
        except LearningError as error:
            self._fail(context, error)
        memory.failures = wait.failures
        self._not_before = time.monotonic() + self._longest(wait.asked)
        if isinstance(outcome, LearningError):
            self.log.warning("No look at the session: %s", outcome)
            return False
        self.on_poll(outcome, wait, memory)
        if found is None:
            return False
        document = self._xcom.of(outcome, self.log)
        self.on_found(context, outcome, found, memory)
        memory.forget()
        return PokeReturnValue(True, document)

    def patience(self, memory: TaskMemory) -> dict[str, Any]:
        """Return what every wait is told about errors."""
        return {
            "on_missing": self.on_missing,
            "max_failures": self.max_failures,
            "failures": memory.failures,
            "longest_wait": max_task_wait(),
        }

    def _started(self, context: Context) -> datetime | None:
        """Return when the wait began, over all looks of the task; None if Airflow does not say."""
        if self.deferrable or not self.reschedule:
            return datetime.now(tz=UTC)
        first_look = getattr(context["ti"], "get_first_reschedule_date", None)
        if first_look is None:  # Airflow below 3 reads it from its database by itself
            return None
        started = first_look(context)
        return datetime.now(tz=UTC) if started is None else started

    def _time_left(self) -> float | None:
        """Return the seconds that a look may take; None for as long as the hook allows."""
        if self._deadline is None:
            return None
        return max(LAST_LOOK, (self._deadline - datetime.now(tz=UTC)).total_seconds())

    def _longest(self, asked: float) -> float:
        """Return the seconds to wait, of those that the server asked for."""
        limit, option = (
            (max_triggerer_wait(), "max_triggerer_wait") if self.deferrable else (max_task_wait(), "max_task_wait")
        )
        if not asked <= limit:
            self.log.warning(
                "360Learning asked to wait %g s. The wait is %g s, by [learning360] %s.", asked, limit, option
            )
        return at_most(asked, limit)

    def _look_or_defer(self, context: Context, deadline: datetime, error: LearningError | None = None) -> Any:
        """Look, unless the trigger already met an error, and treat errors as Airflow's sensors do when they poke."""
        try:
            found = self._fail(context, error) if error else self.poke(context)
        except LearningError as trouble:
            if self.never_fail:
                raise AirflowSkipException("Skipping due to never_fail is set to True.") from trouble
            if not self.silent_fail:
                raise
            self.log.error("Look failed: %s", trouble)
            found = False
        if isinstance(found, PokeReturnValue):
            return found.xcom_value
        self._defer(context, deadline)
        return None

    def _defer(self, context: Context, deadline: datetime) -> NoReturn:
        wait = self.build_wait(TaskMemory(context, self._carried))
        remaining = deadline - datetime.now(tz=UTC)
        self.defer(
            trigger=self.build_trigger(
                wait,
                session_id=find_session_id(self.session_id),
                learning_conn_id=self.learning_conn_id,
                on_missing=self.on_missing,
                max_failures=self.max_failures,
                failures=wait.failures,
                poke_interval=self.poke_interval,
                exponential_backoff=self.exponential_backoff,
                max_wait=self.max_wait.total_seconds() if isinstance(self.max_wait, timedelta) else self.max_wait,
                silent_fail=self.silent_fail,
                deadline=deadline.isoformat(),
                first_wait=max(0.0, self._not_before - time.monotonic()),
            ),
            method_name="execute_complete",
            timeout=min(max(remaining, timedelta(0)) + GRACE, LONGEST_DEFERRAL),
        )

    def _outcome(self) -> ProgramSession | LearningError:
        self.hook.time_limit = self._time_left()
        try:
            return self.hook.get_program_session(find_session_id(self.session_id))
        except LearningError as error:
            return error

    def _fail(self, context: Context, error: LearningError) -> NoReturn:
        """Fail the wait, or skip it if that is what the author wants for a session that is gone."""
        TaskMemory(context, self._carried).failures = 0
        if isinstance(error, NotFoundError) and self.on_missing == "skip":
            raise AirflowSkipException(f"There is no such session, and on_missing is 'skip'. {error}")
        raise error

    @property
    def _xcom(self) -> DocumentOptions:
        return DocumentOptions(self.fields, self.exclude, self.contract, self.max_xcom_bytes)

    def _get_next_poke_interval(self, started_at: Any, run_duration: Callable[[], float], poke_count: int) -> float:
        # Airflow's own name for it: also the wait until a reschedule goes through here.
        # It doubles its wait with each poke, and beyond 1,000 pokes no float holds that.
        interval: float = super()._get_next_poke_interval(started_at, run_duration, min(poke_count, MANY_POKES))
        left = max(0.0, self.timeout - run_duration())
        return max(min(interval, self.seconds_until_due()), min(self._not_before - time.monotonic(), left))

    def seconds_until_due(self) -> float:
        """Return the seconds until there is something to see at the latest; endless if that is not known."""
        return float("inf")


def _after(start: datetime, seconds: float) -> datetime:
    try:
        return start + timedelta(seconds=seconds)
    except OverflowError:
        return datetime.max.replace(tzinfo=UTC)
