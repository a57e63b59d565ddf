"""Arguments of a DAG in YAML besides its steps: a class that DAG authors import in their DAGs folder."""

from __future__ import annotations

__all__ = ["LearningDagArgs", "LearningDagArgsConfig"]

from typing import Any, Literal

from pydantic import Field, field_validator

from airflow_provider_learning360.api.changes import parse_datetime
from airflow_provider_learning360.api.settings import EU_HOST
from airflow_provider_learning360.api.watch_state import WatchOnMissing  # noqa: TC001 - pydantic reads it
from airflow_provider_learning360.dag_yaml.extras import import_smtp_notifier, require_blueprint
from airflow_provider_learning360.dag_yaml.forms import (
    CONN_ID,
    FieldNames,
    Form,
    Length,
    Moment,
    Period,
    SessionIds,
)
from airflow_provider_learning360.reminders.addresses import is_mailable

require_blueprint()
from blueprint import BlueprintDagArgs  # noqa: E402 - after the check that names what to install

EU = EU_HOST.removeprefix("https://")


class WatchSettings(Form):
    """The program sessions whose changes, or completions, start the DAG."""

    kind: Literal["changes", "completions"] = Field(
        "changes", description="What starts the DAG: sessions change, or learners complete them.", examples=["changes"]
    )
    session_ids: SessionIds = Field(None, description="IDs of the program sessions; default all sessions.")
    name: str | None = Field(
        None,
        min_length=1,
        description="Name of the asset in Airflow; required unless `session_ids` has exactly one ID.",
        examples=["onboardings"],
    )
    fields: FieldNames = Field(
        None, description="Fields to watch: the DAG starts when at least one of them changed; default any modification."
    )
    poll_interval: Length = Field(
        Period(minutes=5), description="Time between two polls.", examples=[{"minutes": 5}, {"seconds": 30}]
    )
    learning_conn_id: str = CONN_ID
    host: str = Field(
        EU, min_length=1, description="Host of the connection; it is part of the asset's URI.", examples=[EU]
    )
    on_missing: WatchOnMissing = Field(
        "ignore",
        description="If a session disappears: `ignore` logs it, `event` starts the DAG.",
        examples=["event"],
    )
    queue: str | None = Field(
        None,
        min_length=1,
        max_length=256,
        description="The queue of triggers that polls, as `airflow triggerer --queues` names it; needs Airflow 3.4.",
        examples=["learning360"],
    )

    def check(self) -> None:
        """Refuse settings that no asset can have."""
        if self.kind == "completions":
            given = [name for name in ("fields", "on_missing") if name in self.model_fields_set]
            if given:
                raise ValueError(f"{given[0]}: it is about changes; leave it out, or leave out kind: completions")
            if self.name is None:
                raise ValueError("name: an asset that watches completions needs a name of its own")
        self.asset()

    def asset(self) -> Any:
        """
        Return the asset to schedule a DAG on.

        :raises FixArgumentError: A field is not valid.
        :raises ImportError: Airflow is older than 3.0.
        """
        from airflow_provider_learning360.assets.program_session import (
            watched_program_session,
            watched_program_sessions,
        )

        options: dict[str, Any] = {
            "name": self.name,
            "poll_interval": self.poll_interval.length.total_seconds(),
            "learning_conn_id": self.learning_conn_id,
            "host": self.host,
            "queue": self.queue,
        }
        if self.kind == "completions":
            from airflow_provider_learning360.assets.completions import watched_completions

            return watched_completions(session_ids=self.session_ids, **options)
        options |= {"watch": self.fields, "on_missing": self.on_missing}
        if self.session_ids is not None and len(self.session_ids) == 1:
            return watched_program_session(self.session_ids[0], **options)
        return watched_program_sessions(session_ids=self.session_ids, **options)


class LearningDagArgsConfig(Form, title="DAG", json_schema_extra={"not": {"required": ["schedule", "watch"]}}):
    """Arguments of a DAG in YAML."""

    description: str | None = Field(
        None, description="Purpose of the DAG, shown in Airflow.", examples=["Tell the tutors when dates change"]
    )
    schedule: str | None = Field(
        None,
        min_length=1,
        description="When the DAG runs: a cron expression or a preset; default only when somebody triggers it.",
        examples=["*/15 * * * *", "@daily"],
    )
    watch: WatchSettings | None = Field(
        None,
        description="Run when program sessions are modified or completed, instead of a schedule.",
        examples=[{"name": "all"}],
    )
    start_date: Moment = Field(None, description="Earliest time of a run; default long ago.")
    tags: list[str] = Field([], description="Tags of the DAG, to find it in Airflow.", examples=[["360learning"]])
    max_active_runs: int | None = Field(
        None,
        ge=1,
        description="Maximum number of runs at a time; default 1 with watch, else Airflow's.",
        examples=[1],
    )
    owner: str | None = Field(
        None, min_length=1, description="Owner of the DAG, shown in Airflow.", examples=["academy"]
    )
    mail_on_failure: list[str] = Field(
        [], description="Mail addresses that get a mail for each failed task.", examples=[["ops@example.com"]]
    )
    smtp_conn_id: str | None = Field(
        None,
        min_length=1,
        description="ID of the connection to the mail server for mail_on_failure; default Airflow's own.",
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
                raise ValueError(
                    f"{schedule!r} is neither a cron expression such as '0 6 * * *' nor a preset such as @daily"
                ) from None
        return schedule

    @field_validator("mail_on_failure")
    @classmethod
    def _check_addresses(cls, addresses: list[str]) -> list[str]:
        wrong = [str(place) for place, one in enumerate(addresses, 1) if not is_mailable(one)]
        if wrong:
            raise ValueError(f"not a mail address, at position {', '.join(wrong)}")
        return addresses

    def check(self) -> None:
        """Refuse a schedule together with a watch, and mails without the SMTP provider."""
        if self.schedule is not None and self.watch is not None:
            raise ValueError(f"watch: the DAG has a schedule, too: {self.schedule!r}. Give one of them")
        if self.mail_on_failure:
            import_smtp_notifier()


class LearningDagArgs(BlueprintDagArgs[LearningDagArgsConfig]):
    """
    Give DAGs in YAML tags, an owner, mails about failures, and program sessions to watch as their schedule.

    A file `dag_args.py` with these lines, in the folder of the YAML files or above it, makes blueprint use it there:

        from blueprint import BlueprintDagArgs

        from airflow_provider_learning360.dag_yaml.arguments import LearningDagArgs, LearningDagArgsConfig

        class DagArgs(LearningDagArgs, BlueprintDagArgs[LearningDagArgsConfig]):
            pass

    Blueprint finds such a class by the name of its base, so `BlueprintDagArgs[...]` has to stand there. This class is
    not in `blueprints/`: blueprint would find it there, and use it for all DAGs of the Airflow.
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
        # Two runs at a time could find the same change.
        if (limit := config.max_active_runs or (1 if config.watch else None)) is not None:
            arguments["max_active_runs"] = limit
        if config.owner is not None:
            arguments["default_args"]["owner"] = config.owner
        if config.mail_on_failure:
            notifier = import_smtp_notifier()(to=config.mail_on_failure, smtp_conn_id=config.smtp_conn_id)
            arguments["default_args"]["on_failure_callback"] = [notifier]
        return arguments
