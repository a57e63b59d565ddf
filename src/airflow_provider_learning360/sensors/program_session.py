"""A sensor that waits until a program session is modified."""

from __future__ import annotations

__all__ = ["ProgramSessionModifiedSensor"]

from datetime import datetime
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import conf

from airflow_provider_learning360 import DEFAULT_CONN_ID
from airflow_provider_learning360.api.changes import Change, Watermark, watermark_since
from airflow_provider_learning360.api.endpoints import find_session_id
from airflow_provider_learning360.api.errors import FixArgumentError, redact
from airflow_provider_learning360.api.waiting import ModificationWait, OnMissing
from airflow_provider_learning360.rendering import is_template
from airflow_provider_learning360.sensors.memory import HAS_STATE_STORE, TaskMemory
from airflow_provider_learning360.sensors.polling import SessionPollingSensor

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_learning360.api.contract import ContractPolicy
    from airflow_provider_learning360.api.models import ProgramSession
    from airflow_provider_learning360.triggers.program_session import ProgramSessionModifiedTrigger


class ProgramSessionModifiedSensor(SessionPollingSensor):
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
        self.since = since
        self.watch = watch
        self._check()

    def build_wait(self, memory: TaskMemory) -> ModificationWait:
        """Return the wait as it stands."""
        from airflow_provider_learning360.api.models import require_field_names

        session_id = find_session_id(self.session_id)
        watch = tuple(require_field_names(self.watch, "watch") or ())
        if (template := self.empty_template("since")) is not None:
            raise FixArgumentError(
                f"since: the template {redact(template)} gave nothing. Check the task or field that it names. "
                "To start from the first look, leave since out, or let the template give an empty text."
            )
        watermark: Watermark | None
        if self._is_first_look_the_watermark():
            watermark = memory.watermark(session_id, watch)
        else:
            watermark = watermark_since(self.since, session_id, watch)
        return ModificationWait(watermark, watch=watch, **self.patience(memory))

    def build_trigger(self, wait: Any, **looking: Any) -> ProgramSessionModifiedTrigger:
        """Return the trigger that goes on with the wait."""
        from airflow_provider_learning360.triggers.program_session import ProgramSessionModifiedTrigger

        watermark = wait.watermark.to_dict() if wait.watermark else None
        return ProgramSessionModifiedTrigger(watermark=watermark, watch=list(wait.watch), **looking)

    def describe_wait(self) -> str:
        """Return what did not come."""
        return f"no modification of {find_session_id(self.session_id)}"

    def on_poll(self, session: ProgramSession, wait: Any, memory: TaskMemory) -> None:
        """Remember the watermark that the first look set."""
        known = memory.watermark(session.id, wait.watch) if self._is_first_look_the_watermark() else wait.watermark
        if known is None:
            memory.keep_watermark(wait.watermark)
            self.log.info("Waiting for %s to be modified after %s.", session.title, wait.watermark.modified_at)

    def on_found(self, context: Context, session: ProgramSession, found: Change, memory: TaskMemory) -> None:
        """Push what changed."""
        self.log.info("%s was modified: %s", session.title, found)
        context["ti"].xcom_push(key="changes", value=found.to_dict())

    def on_resume(self, event: dict[str, Any], memory: TaskMemory) -> None:
        """Remember the watermark that the trigger carried."""
        if event.get("watermark"):
            memory.keep_watermark(Watermark.from_dict(event["watermark"]))

    def _is_first_look_the_watermark(self) -> bool:
        # A template may give blanks around nothing.
        return self.since is None or (isinstance(self.since, str) and not self.since.strip())

    def _is_later_known(self) -> bool:
        # A document may come as text, and can only be checked with its session.
        return is_template(self.since) or (isinstance(self.since, str) and self.since.lstrip().startswith("{"))

    def _check(self) -> None:
        """Refuse at construction what cannot work at run time."""
        from airflow_provider_learning360.api.models import require_field_names

        if not is_template(self.watch):
            require_field_names(self.watch, "watch")
        if isinstance(self.since, str | datetime) and self.since and not self._is_later_known():
            watermark_since(self.since, "", [] if is_template(self.watch) else self.watch or [])
        if self.mode == "reschedule" and not (self.deferrable or HAS_STATE_STORE) and self.since in (None, ""):
            raise FixArgumentError(
                "Below Airflow 3.3 a rescheduled task remembers nothing between its looks, so that a change would be "
                "lost. Give the watermark (since=get_session.output, or a time), or use deferrable=True."
            )
