"""The base class of the sensors that poll one program session."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_learning360.api.session_ids import find_session_id
from airflow_provider_learning360.document_options import DocumentOptions
from airflow_provider_learning360.mapped_label import name_mapped_task
from airflow_provider_learning360.sensors.polling import PollingSensor
from airflow_provider_learning360.waiting_log import label, session_subject

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_learning360.api.models import ProgramSession
    from airflow_provider_learning360.hooks.learning import LearningHook


class SessionPollingSensor(PollingSensor):
    """
    Poll a program session until the condition of a subclass is met, and push its document to XCom.

    A subclass says what it waits for (`build_wait`, `build_trigger`, `describe_wait`).
    It may override what happens at a poll (`on_found`, `on_poll`, `on_resume`, `describe_state`, `seconds_until_due`).

    :param session_id: ID of the session, 24 hexadecimal characters; or a document with `_id`.
    :param fields: Names of the fields to push; default all that were sent.
    :param exclude: Names of the fields not to push; default none.

    Source: Airflow's `BaseSensorOperator`.
    """

    def __init__(
        self,
        *,
        session_id: str | dict[str, Any],
        fields: list[str] | None = None,
        exclude: list[str] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.session_id = session_id
        self.fields = fields
        self.exclude = exclude

    @property
    def subject(self) -> str:
        """The session, by its ID."""
        return session_subject(find_session_id(self.session_id))

    def subject_arguments(self) -> dict[str, Any]:
        """Return the ID of the session."""
        return {"session_id": find_session_id(self.session_id)}

    def poll(self, hook: LearningHook, wait: Any) -> Any:
        """
        Read what the wait evaluates.

        :param hook: The hook, with the time limit of the poll.
        :param wait: The wait before the poll.
        """
        return wait.poll(hook, find_session_id(self.session_id))

    def read_result(self, hook: LearningHook, polled: Any, wait: Any) -> ProgramSession:
        """
        Read the session with all fields that are pushed; a poll reads only what it needs.

        :param hook: The hook, with the time limit of the poll.
        :param polled: What the poll read.
        :param wait: The wait after the poll.
        """
        keys = self._document_options.keys
        with self._document_options.advising():
            if wait.polls_session:
                return hook.complete_program_session(polled, keys)
            return hook.get_program_session(find_session_id(self.session_id), keys)

    def build_document(self, context: Context, result: ProgramSession) -> dict[str, Any]:
        """
        Build the document, and name a mapped task by its session.

        :param context: Airflow's task context.
        :param result: The session.
        """
        name_mapped_task(context, result)
        return self._document_options.build_document(result, self.log)

    def name_polled(self, polled: Any, wait: Any) -> str:
        """
        Return how a log line names the session: with its name, if the poll read it.

        :param polled: What the poll read.
        :param wait: The wait after the poll.
        """
        return label(polled) if wait.polls_session else self.subject

    def label_task(self, context: Context, polled: Any, wait: Any) -> None:
        """
        Name a mapped task by its session, if the poll read it.

        :param context: Airflow's task context.
        :param polled: What the poll read.
        :param wait: The wait after the poll.
        """
        if wait.polls_session:
            name_mapped_task(context, polled)

    @property
    def _document_options(self) -> DocumentOptions:
        return DocumentOptions(self.fields, self.exclude, self.contract, self.max_xcom_bytes)
