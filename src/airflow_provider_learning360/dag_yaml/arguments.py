"""What a DAG in YAML may say about itself, beside its steps: a class for the DAG folders of those who use it."""

from __future__ import annotations

__all__ = ["LearningDagArgs", "LearningDagArgsConfig"]

from typing import Any

from blueprint import BlueprintDagArgs
from pydantic import Field, field_validator

from airflow_provider_learning360.api.changes import parse_datetime
from airflow_provider_learning360.api.settings import EU_HOST
from airflow_provider_learning360.api.watch_state import OnGone  # noqa: TC001 - pydantic reads it
from airflow_provider_learning360.dag_yaml.forms import (
    CONN_ID,
    FieldNames,
    Form,
    Length,
    Moment,
    Period,
    SessionIds,
)
from airflow_provider_learning360.reminders.recipients import is_mailable

EU = EU_HOST.removeprefix("https://")


class Watch(Form):
    """Which program sessions start the DAG when they are modified."""

    session_ids: SessionIds = Field(None, description="IDs of the program sessions; default all of the platform.")
    name: str | None = Field(
        None,
        min_length=1,
        description="Name of the asset in Airflow; needed unless there is one ID only.",
        examples=["onboardings"],
    )
    fields: FieldNames = Field(
        None, description="Names of the fields of which one must differ; default any modification."
    )
    poll_interval: Length = Field(
        Period(minutes=5), description="Time between two looks.", examples=[{"minutes": 5}, {"seconds": 30}]
    )
    learning_conn_id: str = CONN_ID
    host: str = Field(
        EU, min_length=1, description="Host of the connection; it is part of the asset's URI.", examples=[EU]
    )
    on_missing: OnGone = Field(
        "ignore",
        description="What it means if a session disappears: a line in the log, or an event that starts the DAG.",
        examples=["event"],
    )

    def check(self) -> None:
        """Refuse what cannot be watched."""
        self.asset()

    def asset(self) -> Any:
        """
        Return the asset to schedule a DAG on.

        :raises FixArgumentError: A field makes no sense.
        :raises ImportError: Airflow is older than 3.0.
        """
        from airflow_provider_learning360.assets.program_session import (
            watched_program_session,
            watched_program_sessions,
        )

        how: dict[str, Any] = {
            "name": self.name,
            "watch": self.fields,
            "poll_interval": self.poll_interval.length.total_seconds(),
            "learning_conn_id": self.learning_conn_id,
            "host": self.host,
            "on_missing": self.on_missing,
        }
        if self.session_ids is not None and len(self.session_ids) == 1:
            return watched_program_session(self.session_ids[0], **how)
        return watched_program_sessions(session_ids=self.session_ids, **how)


class LearningDagArgsConfig(Form, title="DAG", json_schema_extra={"not": {"required": ["schedule", "watch"]}}):
    """What a DAG in YAML may say about itself."""

    description: str | None = Field(
        None, description="What the DAG is for; shown in Airflow.", examples=["Tell the tutors when dates change"]
    )
    schedule: str | None = Field(
        None,
        min_length=1,
        description="When the DAG runs: a cron expression or a preset; default only when it is triggered.",
        examples=["*/15 * * * *", "@daily"],
    )
    watch: Watch | None = Field(
        None, description="Run when program sessions are modified; instead of a schedule.", examples=[{"name": "all"}]
    )
    start_date: Moment = Field(None, description="Time before which there is no run; default long ago.")
    tags: list[str] = Field([], description="Words to find the DAG by in Airflow.", examples=[["360learning"]])
    max_active_runs: int | None = Field(
        None, ge=1, description="Runs at a time at most; default 1 with watch, else that of Airflow.", examples=[1]
    )
    owner: str | None = Field(
        None, min_length=1, description="Who owns the DAG; shown in Airflow.", examples=["academy"]
    )
    mail_on_failure: list[str] = Field(
        [], description="Addresses that get a mail for each task that fails.", examples=[["ops@example.com"]]
    )
    smtp_conn_id: str | None = Field(
        None,
        min_length=1,
        description="ID of the connection to the mail server for mail_on_failure; default that of Airflow.",
        examples=["smtp_default"],
    )

    @field_validator("schedule")
    @classmethod
    def _check_schedule(cls, schedule: str | None) -> str | None:
        if schedule not in (None, "@once", "@continuous"):
            from airflow.exceptions import AirflowTimetableInvalid
            from airflow.timetables.interval import CronDataIntervalTimetable

            try:
                CronDataIntervalTimetable(schedule, "UTC").validate()
            except AirflowTimetableInvalid:
                raise ValueError(f"{schedule!r} is no cron expression such as '0 6 * * *', and no preset") from None
        return schedule

    @field_validator("mail_on_failure")
    @classmethod
    def _check_addresses(cls, addresses: list[str]) -> list[str]:
        wrong = [str(place) for place, one in enumerate(addresses, 1) if not is_mailable(one)]
        if wrong:
            raise ValueError(f"no address that mail can be sent to, at position {', '.join(wrong)}")
        return addresses

    def check(self) -> None:
        """Refuse two reasons to run, and mails without a way to send them."""
        if self.schedule is not None and self.watch is not None:
            raise ValueError(f"watch: there is a schedule too, {self.schedule!r}; give one of both")
        if self.mail_on_failure:
            smtp_notifier()


class LearningDagArgs(BlueprintDagArgs[LearningDagArgsConfig]):
    """
    Lets DAGs in YAML have tags, an owner, mails about failures, and a watch on program sessions as their schedule.

    A file `dag_args.py` with these lines, in the folder of the YAML files or above it, makes blueprint use it there:

        from blueprint import BlueprintDagArgs

        from airflow_provider_learning360.dag_yaml.arguments import LearningDagArgs, LearningDagArgsConfig

        class DagArgs(LearningDagArgs, BlueprintDagArgs[LearningDagArgsConfig]):
            pass

    Blueprint finds such a class by the name of its base, so `BlueprintDagArgs[...]` has to stand there. It is not in
    `blueprints/`, where it would be found by itself, and rule over the DAGs of everybody.
    """

    def render(self, config: LearningDagArgsConfig) -> dict[str, Any]:
        """Return the arguments of the DAG."""
        arguments: dict[str, Any] = {
            "description": config.description,
            "schedule": [config.watch.asset()] if config.watch else config.schedule,
            "tags": config.tags,
            "default_args": {},
        }
        if config.start_date is not None:
            arguments["start_date"] = parse_datetime(config.start_date, "start_date")
        # Two runs at once could both find the same change.
        if (most := config.max_active_runs or (1 if config.watch else None)) is not None:
            arguments["max_active_runs"] = most
        if config.owner is not None:
            arguments["default_args"]["owner"] = config.owner
        if config.mail_on_failure:
            notifier = smtp_notifier()(to=config.mail_on_failure, smtp_conn_id=config.smtp_conn_id)
            arguments["default_args"]["on_failure_callback"] = [notifier]
        return arguments


def smtp_notifier() -> Any:
    """
    Return the notifier of Airflow's SMTP provider.

    :raises ImportError: It is not installed; says what to install.
    """
    try:
        from airflow.providers.smtp.notifications.smtp import SmtpNotifier
    except ImportError:
        raise ImportError("mail_on_failure: it needs apache-airflow-providers-smtp; install it") from None
    return SmtpNotifier
