"""A sensor that waits until a program session is modified."""

from __future__ import annotations

__all__ = ["ProgramSessionModifiedSensor"]

from datetime import datetime
from typing import TYPE_CHECKING, Any

from airflow_provider_learning360.api.changes import Change, Watermark, watermark_since
from airflow_provider_learning360.api.errors import FixArgumentError, redact
from airflow_provider_learning360.api.session_ids import find_session_id
from airflow_provider_learning360.api.waiting import ModificationWait
from airflow_provider_learning360.rendering import is_template
from airflow_provider_learning360.sensors.session_polling import SessionPollingSensor
from airflow_provider_learning360.waiting_log import change_text, label, modified_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_learning360.api.models import ProgramSession
    from airflow_provider_learning360.sensors.memory import TaskMemory
    from airflow_provider_learning360.triggers.polling import PollEvent
    from airflow_provider_learning360.triggers.program_session import ProgramSessionModifiedTrigger


class ProgramSessionModifiedSensor(SessionPollingSensor):
    """
    Wait until a program session of 360Learning is modified, and push its new document to XCom.

    A session is modified when its `modifiedAt` is later than the watermark and, with `watch`, at least one of the
    watched fields differs. Under the XCom key `changes` the task pushes each changed field, with its values `from` and
    `to`. `poke_interval`, `timeout`, `soft_fail` and `exponential_backoff` mean the same in every mode. In mode
    `reschedule`, keep `poke_interval` above a minute, as Airflow advises.

    :param session_id: ID of the session, 24 hexadecimal characters; or a document with `_id`.
    :param since: The watermark: a time (ISO text or datetime), or an earlier document of the session
        (`since=get_session.output`). Default: the session at the first poll of this task in this DAG run.
    :param watch: Fields to watch, as the API writes them: the sensor succeeds when at least one of them changed.
        Default: any modification.
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
        "since",
        "watch",
        "fields",
        "exclude",
    )

    def __init__(
        self,
        *,
        since: str | datetime | dict[str, Any] | None = None,
        watch: list[str] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.since = since
        self.watch = watch
        self.check_own_arguments()

    @classmethod
    def check_arguments(cls, given: Mapping[str, Any]) -> None:
        """
        Refuse arguments that cannot work in any run.

        :param given: The arguments that are known when the DAG is parsed.
        :raises FixArgumentError: An argument is not valid.
        """
        super().check_arguments(given)
        since, watch = given.get("since"), given.get("watch")
        if isinstance(since, str | datetime) and since and not _is_known_later(since):
            watermark_since(since, "", [] if is_template(watch) else watch or [])

    def build_wait(self, memory: TaskMemory) -> ModificationWait:
        """
        Return the wait as it stands.

        :param memory: What the task remembers: its watermark, unless `since` gives one.
        :raises FixArgumentError: A rendered argument is not valid.
        """
        from airflow_provider_learning360.api.fields import require_field_names

        session_id = find_session_id(self.session_id)
        watch = tuple(require_field_names(self.watch, "watch") or ())
        if (template := self.empty_template("since")) is not None:
            raise FixArgumentError(
                f"since: the template {redact(template)} gave nothing. Check the task or field that it names. "
                "To start from the first poll, leave since out, or let the template give an empty text."
            )
        watermark: Watermark | None
        if self._starts_at_first_poll():
            watermark = memory.watermark(session_id, watch)
        else:
            watermark = watermark_since(self.since, session_id, watch)
            known = memory.watermark(session_id, watch)
            if known is not None and known.extends(watermark):
                watermark = known
        return ModificationWait(watermark, watch=watch, **self.wait_options(memory))

    def build_trigger(self, wait: Any, **polling_arguments: Any) -> ProgramSessionModifiedTrigger:
        """
        Build the trigger that continues the wait.

        :param wait: The wait after the last poll.
        :param polling_arguments: The arguments that all polling triggers take.
        """
        from airflow_provider_learning360.triggers.program_session import ProgramSessionModifiedTrigger

        watermark = wait.watermark.to_dict() if wait.watermark else None
        return ProgramSessionModifiedTrigger(watermark=watermark, watch=list(wait.watch), **polling_arguments)

    def describe_wait(self) -> str:
        """Return which fields are to change."""
        from airflow_provider_learning360.api.fields import require_field_names

        return change_text(require_field_names(self.watch, "watch") or ())

    def describe_state(self, polled: ProgramSession, wait: Any) -> str:
        """
        Return when the session was last modified.

        :param polled: The session as it is now.
        :param wait: The wait after the poll.
        """
        return modified_text(polled)

    def on_poll(self, polled: ProgramSession, wait: Any, memory: TaskMemory) -> None:
        """
        Remember the watermark that the first poll set, or added values to.

        :param polled: The session as it is now.
        :param wait: The wait after the poll.
        :param memory: Where to remember it.
        """
        if wait.has_new_watermark:
            memory.keep_watermark(wait.watermark)

    def on_found(self, context: Context, session: ProgramSession, found: Change, memory: TaskMemory) -> None:
        """
        Push what changed.

        :param context: Airflow's task context.
        :param session: The session as it is now.
        :param found: The change.
        :param memory: What the task remembers.
        """
        self.log.info("%s was modified: %s", label(session), found)
        context["ti"].xcom_push(key="changes", value=found.to_dict())

    def on_resume(self, event: PollEvent, memory: TaskMemory) -> None:
        """
        Remember the watermark that the trigger had.

        :param event: The event of the trigger.
        :param memory: Where to remember it.
        """
        if watermark := event.get("watermark"):
            memory.keep_watermark(Watermark.from_dict(watermark))

    def _starts_at_first_poll(self) -> bool:
        # A template may give blanks around nothing.
        return self.since is None or (isinstance(self.since, str) and not self.since.strip())


def _is_known_later(since: str | datetime) -> bool:
    # A document may come as text, and can only be checked with its session.
    return is_template(since) or (isinstance(since, str) and since.lstrip().startswith("{"))
