"""A sensor that waits until a program session is modified."""

from __future__ import annotations

import time
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
from airflow_provider_learning360.api.changes import Change, Watermark, watermark_since
from airflow_provider_learning360.api.endpoints import session_id_of
from airflow_provider_learning360.api.errors import FixArgumentError, LearningError, NotFoundError
from airflow_provider_learning360.api.waiting import OnMissing, Wait
from airflow_provider_learning360.policies.retry import HAS_RETRY_POLICIES, failing_fast, with_retry_policy
from airflow_provider_learning360.sensors.memory import HAS_STATE_STORE, TaskMemory
from airflow_provider_learning360.xcom import SessionXCom

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_learning360.api.contract import ContractPolicy
    from airflow_provider_learning360.api.models import ProgramSession
    from airflow_provider_learning360.hooks.learning import LearningHook

# Airflow's own limit on a deferral is for the case that no triggerer runs; otherwise the trigger keeps the time.
GRACE = timedelta(seconds=60)


class ProgramSessionModifiedSensor(BaseSensorOperator):
    """
    Wait until a program session of 360Learning is modified, and push its new document to XCom.

    "Modified" is: its `modifiedAt` is later than the watermark and, with `watch`, one of the watched fields differs.
    Under the XCom key `changes` it pushes from what to what. `poke_interval`, `timeout`, `soft_fail` and
    `exponential_backoff` mean the same in every mode; in mode `reschedule`, keep `poke_interval` above a minute, as
    Airflow advises.

    :param session_id: ID of the session, 24 hexadecimal characters; or a document with `_id`.
    :param learning_conn_id: ID of the Airflow connection; default `learning360_default`.
    :param since: The watermark: a time (ISO text or datetime), or an earlier document of the session
        (`since=get_session.output`). Default: the first look of this task in this DAG run.
    :param watch: Names of the fields that must differ, as the API writes them; default any modification.
    :param on_missing: What to do if there is no such session (any more): `fail` (default), `skip` or `wait`.
    :param max_failures: Looks in a row that may get no answer before the task fails; default 10.
    :param fields: Names of the fields to push; default all that were sent.
    :param exclude: Names of the fields not to push; default none.
    :param contract: What to do if the answer differs from the documentation: `ignore`, `warn` (default) or `strict`.
    :param max_xcom_bytes: Size of the document, in bytes, above which the task fails; default no limit.
    :param deferrable: Wait in the triggerer; default Airflow's `[operators] default_deferrable`.
    :returns: The document, with the API's names of fields.

    Source: 360Learning API v1, `GET /api/v1/programs/sessions/{session_id}/`; Airflow's `BaseSensorOperator`.
    """

    template_fields: Sequence[str] = (
        "session_id",
        "learning_conn_id",
        "since",
        "watch",
        "fields",
        "exclude",
    )
    ui_color = "#e8f3f1"

    def __init__(
        self,
        *,
        session_id: str | dict[str, Any],
        learning_conn_id: str = DEFAULT_CONN_ID,
        since: str | datetime | dict[str, Any] | None = None,
        watch: list[str] | None = None,
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
        self.since = since
        self.watch = watch
        self.on_missing = on_missing
        self.max_failures = max_failures
        self.fields = fields
        self.exclude = exclude
        self.contract = contract
        self.max_xcom_bytes = max_xcom_bytes
        self.deferrable = deferrable
        self._carried: dict[str, Any] = {}
        self._not_before = 0.0
        self._check()

    @cached_property
    def hook(self) -> LearningHook:
        """The hook that the sensor talks through."""
        from airflow_provider_learning360.hooks.learning import LearningHook

        return LearningHook(self.learning_conn_id)

    def execute(self, context: Context) -> Any:
        """Look on the worker; if the session is not modified yet, wait in the chosen mode."""
        with failing_fast():
            if not self.deferrable:
                return super().execute(context)
            deadline = datetime.now(tz=UTC) + timedelta(seconds=self.timeout)
            return self._look_or_defer(context, deadline)

    def execute_complete(self, context: Context, event: dict[str, Any]) -> Any:
        """
        Act on what the trigger saw.

        :param context: Airflow's task context.
        :param event: `look` (again, on the worker), `timeout` or `error`, and the deadline of the wait.
        """
        memory = TaskMemory(context, self._carried)
        memory.failures = 0
        if event.get("watermark"):
            memory.keep_watermark(Watermark.from_dict(event["watermark"]))
        if event["kind"] == "timeout":
            message = (
                f"Sensor has timed out: no modification of {session_id_of(self.session_id)} within {self.timeout:g} s."
            )
            raise AirflowSensorTimeout(message)
        # With soft_fail, an exception of Airflow's would turn a broken sensor into a skipped one.
        with failing_fast(convert=not (HAS_RETRY_POLICIES or self.soft_fail)):
            error = LearningError.from_dict(event["error"]) if event["kind"] == "error" else None
            return self._look_or_defer(context, datetime.fromisoformat(event["deadline"]), error)

    def poke(self, context: Context) -> PokeReturnValue | bool:
        """Look once; true, with the document, if the session was modified."""
        if time.monotonic() < self._not_before:
            return False  # the server asked not to be asked yet, and only the timeout brought us here
        memory = TaskMemory(context, self._carried)
        wait = self._wait(memory)
        outcome = self._outcome()
        known = wait.watermark
        try:
            change = wait.judge(outcome)
        except LearningError as error:
            self._fail(context, error)
        memory.failures = wait.failures
        self._not_before = time.monotonic() + wait.retry_after
        if wait.trouble is not None:
            self.log.warning("No look at the session: %s", wait.trouble)
        elif known is None and wait.watermark is not None and self.since in (None, ""):
            memory.keep_watermark(wait.watermark)
            self.log.info("Waiting for %s to be modified after %s.", outcome.title, wait.watermark.modified_at)  # type: ignore[union-attr]
        return self._found(context, outcome, change, memory) if change else False  # type: ignore[arg-type]

    def _found(self, context: Context, session: ProgramSession, change: Change, memory: TaskMemory) -> PokeReturnValue:
        self.log.info("%s was modified: %s", session.title, change)
        document = self._xcom.of(session, self.log)
        context["ti"].xcom_push(key="changes", value=change.to_dict())
        memory.forget()
        return PokeReturnValue(True, document)

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
        from airflow_provider_learning360.triggers.program_session import ProgramSessionModifiedTrigger

        memory = TaskMemory(context, self._carried)
        wait = self._wait(memory)
        remaining = deadline - datetime.now(tz=UTC)
        self.defer(
            trigger=ProgramSessionModifiedTrigger(
                session_id=session_id_of(self.session_id),
                learning_conn_id=self.learning_conn_id,
                watermark=wait.watermark.to_dict() if wait.watermark else None,
                watch=list(wait.watch),
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
            timeout=max(remaining, timedelta(0)) + GRACE,
        )

    def _wait(self, memory: TaskMemory) -> Wait:
        from airflow_provider_learning360.api.models import checked_fields

        session_id = session_id_of(self.session_id)
        watch = tuple(checked_fields(self.watch, "watch") or ())
        watermark: Watermark | None
        if self.since in (None, ""):
            watermark = memory.watermark(session_id, watch)
        else:
            watermark = watermark_since(self.since, session_id, watch)
        return Wait(
            watermark,
            watch=watch,
            on_missing=self.on_missing,
            max_failures=self.max_failures,
            failures=memory.failures,
        )

    def _outcome(self) -> ProgramSession | LearningError:
        try:
            return self.hook.get_program_session(session_id_of(self.session_id))
        except LearningError as error:
            return error

    def _fail(self, context: Context, error: LearningError) -> NoReturn:
        """Fail the wait, or skip it if that is what the author wants for a session that is gone."""
        TaskMemory(context, self._carried).failures = 0
        if isinstance(error, NotFoundError) and self.on_missing == "skip":
            raise AirflowSkipException(f"There is no such session, and on_missing is 'skip'. {error}")
        raise error

    @property
    def _xcom(self) -> SessionXCom:
        return SessionXCom(self.fields, self.exclude, self.contract, self.max_xcom_bytes)

    def _check(self) -> None:
        """Refuse at construction what cannot work at run time."""
        from airflow_provider_learning360.api.models import checked_fields

        self._xcom.check()
        if "{{" not in str(self.watch):
            checked_fields(self.watch, "watch")
        if isinstance(self.since, str | datetime) and self.since and "{" not in str(self.since):
            watermark_since(self.since, "", [] if "{{" in str(self.watch) else self.watch or [])
        if self.on_missing not in get_args(OnMissing):
            raise FixArgumentError(f"on_missing: {self.on_missing!r} is not one of {', '.join(get_args(OnMissing))}.")
        if self.mode == "reschedule" and not (self.deferrable or HAS_STATE_STORE) and self.since in (None, ""):
            raise FixArgumentError(
                "Below Airflow 3.3 a rescheduled task remembers nothing between its looks, so that a change would be "
                "lost. Give the watermark (since=get_session.output, or a time), or use deferrable=True."
            )

    def _get_next_poke_interval(self, started_at: Any, run_duration: Callable[[], float], poke_count: int) -> float:
        # Airflow's own name for it: also the wait until a reschedule goes through here.
        interval: float = super()._get_next_poke_interval(started_at, run_duration, poke_count)
        left = max(0.0, self.timeout - run_duration())
        return max(interval, min(self._not_before - time.monotonic(), left))
