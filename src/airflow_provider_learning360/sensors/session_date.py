"""A sensor that waits until a time before or after a date of a session, and follows the date when it moves."""

from __future__ import annotations

__all__ = ["SessionDateSensor"]

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import conf

from airflow_provider_learning360 import DEFAULT_CONN_ID
from airflow_provider_learning360.api.endpoints import find_session_id
from airflow_provider_learning360.api.errors import FixArgumentError
from airflow_provider_learning360.api.waiting import DateWait, OnMissing
from airflow_provider_learning360.rendering import is_template
from airflow_provider_learning360.sensors.polling import SessionPollingSensor

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_provider_learning360.api.contract import ContractPolicy
    from airflow_provider_learning360.api.models import ProgramSession
    from airflow_provider_learning360.sensors.memory import TaskMemory
    from airflow_provider_learning360.triggers.session_date import SessionDateTrigger


class SessionDateSensor(SessionPollingSensor):
    """
    Wait until a time before or after a date of a program session, wherever that date moves meanwhile.

    It looks every `poke_interval` seconds, and when the time comes: if the date was moved, it goes on waiting. A time
    that is already over ends the wait at once; a date that is not set is waited for. Choose `timeout` (default
    seven days) longer than the wait may take.

    :param session_id: ID of the session, 24 hexadecimal characters; or a document with `_id`.
    :param anchor: The date: `startDate` (default) or `endDate`.
    :param before: How long before it, such as `{"days": 1, "hours": 2}`; days count on the wall clock of `time_zone`.
        Default: at the date.
    :param after: How long after it, instead of `before`.
    :param time_zone: IANA name of the zone, such as `Europe/Paris`; default UTC.
    :param learning_conn_id: ID of the Airflow connection; default `learning360_default`.
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
        "anchor",
        "before",
        "after",
        "time_zone",
        "fields",
        "exclude",
    )

    def __init__(
        self,
        *,
        session_id: str | dict[str, Any],
        anchor: str = "startDate",
        before: dict[str, Any] | None = None,
        after: dict[str, Any] | None = None,
        time_zone: str = "UTC",
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
        super().__init__(
            session_id=session_id,
            learning_conn_id=learning_conn_id,
            on_missing=on_missing,
            max_failures=max_failures,
            fields=fields,
            exclude=exclude,
            contract=contract,
            max_xcom_bytes=max_xcom_bytes,
            deferrable=deferrable,
            **kwargs,
        )
        self.anchor = anchor
        self.before = before
        self.after = after
        self.time_zone = time_zone
        self._check()

    def build_wait(self, memory: TaskMemory) -> DateWait:
        """Return the wait as it stands."""
        from airflow_provider_learning360.reminders.offset import due_of

        wait = DateWait(
            due_of(self.anchor, self.before, self.after, self.time_zone),
            lambda: datetime.now(tz=UTC),
            **self.patience(memory),
        )
        wait.due = self._carried.get("due")
        return wait

    def build_trigger(self, wait: Any, **looking: Any) -> SessionDateTrigger:
        """Return the trigger that goes on with the wait."""
        from airflow_provider_learning360.triggers.session_date import SessionDateTrigger

        return SessionDateTrigger(
            anchor=self.anchor,
            before=self.before,
            after=self.after,
            time_zone=self.time_zone,
            due=wait.due.isoformat() if wait.due else None,
            **looking,
        )

    def describe_wait(self) -> str:
        """Return what did not come."""
        return f"the time of {find_session_id(self.session_id)} did not come"

    def on_poll(self, session: ProgramSession, wait: Any, memory: TaskMemory) -> None:
        """Log when the time is, whenever it is another than before."""
        before, self._carried["due"] = self._carried.get("due"), wait.due
        if wait.due is None:
            self.log.info("%s has no %s yet.", session.title, self.anchor)
        elif before != wait.due:
            self.log.info("%s: the time is %s.", session.title, wait.due.isoformat(timespec="seconds"))

    def seconds_until_due(self) -> float:
        """Return the seconds until the time that was last seen."""
        due = self._carried.get("due")
        left = 0.0 if due is None else (due - datetime.now(tz=UTC)).total_seconds()
        return left if left > 0 else float("inf")

    def _check(self) -> None:
        """Refuse at construction what cannot work at run time; templates are left for later."""
        from airflow_provider_learning360.reminders.offset import due_of

        if self.before and self.after:
            raise FixArgumentError("before, after: give one of them, or neither for the date itself.")
        if not is_template([self.anchor, self.before, self.after, self.time_zone]):
            due_of(self.anchor, self.before, self.after, self.time_zone)
