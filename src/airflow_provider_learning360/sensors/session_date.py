"""A sensor that waits until a time before or after a date of a session, also when that date moves."""

from __future__ import annotations

__all__ = ["SessionDateSensor"]

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow_provider_learning360.api.errors import FixArgumentError
from airflow_provider_learning360.api.waiting import DateWait, seconds_until
from airflow_provider_learning360.argument_checks import duration_parts
from airflow_provider_learning360.rendering import is_template
from airflow_provider_learning360.sensors.session_polling import SessionPollingSensor
from airflow_provider_learning360.waiting_log import date_text, due_text, label, shown_time

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_learning360.api.models import ProgramSession
    from airflow_provider_learning360.sensors.memory import TaskMemory
    from airflow_provider_learning360.triggers.session_date import SessionDateTrigger

DEFAULTS: dict[str, Any] = {"anchor": "startDate", "before": None, "after": None, "time_zone": "UTC"}


class SessionDateSensor(SessionPollingSensor):
    """
    Wait until a time before or after a date of a program session. When the session is rescheduled, so is the wait.

    It polls every `poke_interval` seconds, and when the time comes: if the date was moved, the wait continues. A time
    that is already over ends the wait at once. If the date is not set, the sensor waits until it is. Choose a `timeout`
    (default seven days) that is longer than the wait may take.

    :param session_id: ID of the session, 24 hexadecimal characters; or a document with `_id`.
    :param anchor: The date: `startDate` (default) or `endDate`.
    :param before: How long before it, such as `{"days": 1, "hours": 2}`; or a `timedelta`, or seconds. Days count on
        the wall clock of `time_zone`, seconds as they elapse. Default: at the date.
    :param after: How long after it, instead of `before`.
    :param time_zone: IANA name of the zone, such as `Europe/Paris`; default UTC.
    :param fields: Names of the fields to push; default all that were sent.
    :param exclude: Names of the fields not to push; default none.
    :param learning_conn_id: ID of the Airflow connection; default `learning360_default`.
    :param on_missing: What to do if the session does not exist (any more): `fail` (default), `skip` or `wait`.
    :param max_failures: Failed polls in a row that are allowed; with one more the task fails. Default 10.
    :param contract: What to do if the response differs from the documentation: `ignore`, `warn` (default) or `strict`.
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
        anchor: str = "startDate",
        before: dict[str, Any] | timedelta | float | None = None,
        after: dict[str, Any] | timedelta | float | None = None,
        time_zone: str = "UTC",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.anchor = anchor
        self.before = before
        self.after = after
        self.time_zone = time_zone
        self.check_own_arguments()

    @classmethod
    def check_arguments(cls, given: Mapping[str, Any]) -> None:
        """
        Refuse arguments that cannot work in any run.

        :param given: The arguments that are known when the DAG is parsed.
        :raises FixArgumentError: An argument is not valid.
        """
        super().check_arguments(given)
        chosen = {**DEFAULTS, **{name: given[name] for name in DEFAULTS if name in given}}
        if chosen["before"] and chosen["after"]:
            raise FixArgumentError("before, after: both are given. Give one of them, or neither for the date itself.")
        if chosen != DEFAULTS:
            # A template is checked by the run; all else is checked as if it were the default.
            _find_due(**{name: DEFAULTS[name] if is_template(value) else value for name, value in chosen.items()})

    def build_wait(self, memory: TaskMemory) -> DateWait:
        """
        Return the wait as it stands.

        :param memory: What the task remembers.
        :raises FixArgumentError: A rendered argument is not valid.
        """
        find_due = _find_due(self.anchor, self.before, self.after, self.time_zone)
        wait = DateWait(find_due, lambda: datetime.now(tz=UTC), **self.wait_options(memory))
        wait.due = self._in_process.get("due")
        return wait

    def build_trigger(self, wait: Any, **polling_arguments: Any) -> SessionDateTrigger:
        """
        Build the trigger that continues the wait.

        :param wait: The wait after the last poll.
        :param polling_arguments: The arguments that all polling triggers take.
        """
        from airflow_provider_learning360.triggers.session_date import SessionDateTrigger

        return SessionDateTrigger(
            anchor=self.anchor,
            before=_parts(self.before, "before"),
            after=_parts(self.after, "after"),
            time_zone=self.time_zone,
            due=wait.due.isoformat() if wait.due else None,
            **polling_arguments,
        )

    def describe_wait(self) -> str:
        """Return the time that is to come, such as "1 day before startDate"."""
        return date_text(self.anchor, _parts(self.before, "before"), _parts(self.after, "after"))

    def describe_state(self, polled: ProgramSession, wait: Any) -> str:
        """
        Return when the time comes, as the session is now.

        :param polled: The session.
        :param wait: The wait after the poll.
        """
        return due_text(wait.due, self.anchor, self._deadline)

    def on_poll(self, polled: ProgramSession, wait: Any, memory: TaskMemory) -> None:
        """
        Store the time that the sensor waits for.

        :param polled: The session as it is now.
        :param wait: The wait after the poll.
        :param memory: Not used: the date is read again at each poll.
        """
        self._in_process["due"] = wait.due

    def on_found(self, context: Context, session: ProgramSession, found: datetime, memory: TaskMemory) -> None:
        """
        Log that the time has been reached.

        :param context: Airflow's task context.
        :param session: The session as it is now.
        :param found: The time.
        :param memory: What the task remembers.
        """
        self.log.info("%s: the time has come (%s, %s).", label(session), self.describe_wait(), shown_time(found))

    def seconds_until_due(self) -> float:
        """Return the seconds until the time that the last poll found; infinite if there is none."""
        return seconds_until(self._in_process.get("due"), datetime.now(tz=UTC), has_failed=self._has_failed)


def _parts(length: Any, argument: str) -> dict[str, Any] | None:
    return None if length is None else duration_parts(length, argument)


def _find_due(anchor: Any, before: Any, after: Any, time_zone: Any) -> Callable[[ProgramSession], datetime | None]:
    from airflow_provider_learning360.reminders.schedule import SessionSchedule

    return SessionSchedule.read(anchor, _parts(before, "before"), _parts(after, "after"), time_zone).find_due
