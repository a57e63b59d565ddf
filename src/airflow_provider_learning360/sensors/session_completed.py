"""A sensor that waits until enough learners have completed a program session."""

from __future__ import annotations

__all__ = ["SessionCompletedSensor"]

from typing import TYPE_CHECKING, Any

from airflow_provider_learning360.api.completion_target import CompletionCounts, CompletionTarget
from airflow_provider_learning360.api.errors import FixArgumentError, redact
from airflow_provider_learning360.api.waiting import CompletionWait
from airflow_provider_learning360.rendering import is_template
from airflow_provider_learning360.sensors.session_polling import SessionPollingSensor
from airflow_provider_learning360.waiting_log import label

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_learning360.api.models import ProgramSession
    from airflow_provider_learning360.api.platform import CompletionCount
    from airflow_provider_learning360.sensors.memory import TaskMemory
    from airflow_provider_learning360.triggers.session_completed import SessionCompletedTrigger


class SessionCompletedSensor(SessionPollingSensor):
    """
    Wait until enough learners have completed a program session, and push its document to XCom.

    A poll reads counts only, and no person; the document is read once, at the end. Under the XCom key `completions` the
    task pushes how many are enrolled (`learners`), have completed (`completed`) and had to (`needed`). While a session
    has no learners, the wait continues. `poke_interval`, `timeout`, `soft_fail` and `exponential_backoff` mean the same
    in every mode.

    :param session_id: ID of the session, 24 hexadecimal characters; or a document with `_id`.
    :param share: The share of the learners that must have completed, above 0 and up to 1; default 1: all of them.
    :param count: The number of learners that must have completed, instead of `share`: 1 or more. It may be more than
        are enrolled, because learners may still join.
    :param fields: Names of the fields to push; default all that were sent.
    :param exclude: Names of the fields not to push; default none.
    :param learning_conn_id: ID of the Airflow connection; default `learning360_default`.
    :param on_missing: What to do if the session does not exist (any more): `fail` (default), `skip` or `wait`.
    :param max_failures: Failed polls in a row that are allowed; with one more the task fails. Default 10.
    :param contract: What to do if the response differs from the documentation: `ignore`, `warn` (default) or `strict`.
    :param max_xcom_bytes: Size of the document, in bytes, above which the task fails; default no limit.
    :param deferrable: Wait in the triggerer; default Airflow's `[operators] default_deferrable`.
    :returns: The document, with the API's names of fields.

    Source: 360Learning API v1, `GET /api/v1/programs/sessions/{session_id}/stats`; API v2,
        `GET /api/v2/paths/{pathId}/sessions/{sessionId}/user-statuses`; Airflow's `BaseSensorOperator`.
    """

    template_fields: Sequence[str] = ("session_id", "learning_conn_id", "share", "count", "fields", "exclude")

    def __init__(self, *, share: float | None = None, count: int | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.share = share
        self.count = count
        self.check_own_arguments()

    @classmethod
    def check_arguments(cls, given: Mapping[str, Any]) -> None:
        """
        Refuse arguments that cannot work in any run.

        :param given: The arguments that are known when the DAG is parsed.
        :raises FixArgumentError: An argument is not valid.
        """
        super().check_arguments(given)
        share, count = given.get("share"), given.get("count")
        # A template is checked by the run; here, a valid value stands for it.
        CompletionTarget.read(1 if is_template(share) else share, 1 if is_template(count) else count)

    def build_wait(self, memory: TaskMemory) -> CompletionWait:
        """
        Return the wait as it stands.

        :param memory: What the task remembers.
        :raises FixArgumentError: A rendered argument is not valid.
        """
        return CompletionWait(self._read_target(), **self.wait_options(memory))

    def build_trigger(self, wait: Any, **polling_arguments: Any) -> SessionCompletedTrigger:
        """
        Build the trigger that continues the wait.

        :param wait: The wait after the last poll.
        :param polling_arguments: The arguments that all polling triggers take.
        """
        from airflow_provider_learning360.triggers.session_completed import SessionCompletedTrigger

        return SessionCompletedTrigger(share=wait.target.share, count=wait.target.count, **polling_arguments)

    def describe_wait(self) -> str:
        """Return how many learners are to complete the session."""
        return str(self._read_target())

    def describe_state(self, polled: CompletionCount, wait: Any) -> str:
        """
        Return how many learners have completed the session.

        :param polled: The counts as they are now.
        :param wait: The wait after the poll.
        """
        described: str = wait.target.describe_counts(polled)
        return described

    def on_found(self, context: Context, session: ProgramSession, found: CompletionCount, memory: TaskMemory) -> None:
        """
        Push the counts.

        :param context: Airflow's task context.
        :param session: The session as it is now.
        :param found: The counts.
        :param memory: What the task remembers.
        """
        self.log.info("%s: %d of %d learners have completed.", label(session), found.completed, found.learners)
        needed = self._read_target().needed(found.learners)
        counts = CompletionCounts(learners=found.learners, completed=found.completed, needed=needed)
        context["ti"].xcom_push(key="completions", value=counts)

    def _read_target(self) -> CompletionTarget:
        for name in ("share", "count"):
            if (template := self.empty_template(name)) is not None:
                raise FixArgumentError(
                    f"{name}: the template {redact(template)} gave nothing. Check the task or field that it names."
                )
        return CompletionTarget.read(self.share, self.count)
