"""The base class of the triggers that poll one program session."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_learning360.triggers.poll_target import SessionTarget
from airflow_provider_learning360.triggers.polling import PollingTrigger
from airflow_provider_learning360.waiting_log import label, session_subject

if TYPE_CHECKING:
    from airflow_provider_learning360.triggers.poll_target import PollTarget


class SessionPollingTrigger(PollingTrigger):
    """
    Poll a program session, and wake the sensor when it should poll itself.

    Its arguments and its event hold no secret and no personal data: the worker reads the document.

    A subclass says what is waited for (`build_wait`, `describe_wait`).

    :param session_id: ID of the session, 24 hexadecimal characters.
    :param learning_conn_id: ID of the Airflow connection.
    :param polling_arguments: The other arguments of `PollingTrigger`.

    Source: Airflow's `BaseTrigger`.
    """

    def __init__(self, session_id: str, learning_conn_id: str, **polling_arguments: Any) -> None:
        super().__init__(learning_conn_id, **polling_arguments)
        self.session_id = session_id

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the class path and the arguments, for the database."""
        path, arguments = super().serialize()
        return path, {"session_id": self.session_id, **arguments}

    @property
    def subject(self) -> str:
        """The session, by its ID."""
        return session_subject(self.session_id)

    def build_target(self, wait: Any) -> PollTarget:
        """
        Return the session.

        :param wait: The wait.
        """
        return SessionTarget(self.session_id, wait.keys)

    def name_polled(self, polled: Any, wait: Any) -> str:
        """
        Return how a log line names the session: with its name, if the poll read it.

        :param polled: What the poll read.
        :param wait: The wait after the poll.
        """
        return label(polled) if wait.polls_session else self.subject
