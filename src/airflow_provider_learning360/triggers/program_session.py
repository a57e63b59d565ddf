"""A trigger that waits until a program session is modified."""

from __future__ import annotations

__all__ = ["ProgramSessionModifiedTrigger"]

from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_learning360.api.changes import Watermark
from airflow_provider_learning360.api.waiting import ModificationWait, Wait
from airflow_provider_learning360.triggers.session_polling import SessionPollingTrigger
from airflow_provider_learning360.waiting_log import change_text, modified_text

if TYPE_CHECKING:
    from airflow_provider_learning360.api.changes import StoredWatermark
    from airflow_provider_learning360.api.models import ProgramSession


class ProgramSessionModifiedTrigger(SessionPollingTrigger):
    """
    Wake the sensor when a program session was modified.

    :param session_id: ID of the session, 24 hexadecimal characters.
    :param learning_conn_id: ID of the Airflow connection.
    :param watermark: What was last known of the session, as `Watermark.to_dict` writes it; None if nothing.
    :param watch: Fields to watch: the wait ends when at least one of them changed. Default: any modification.
    :param polling_arguments: The other arguments of `SessionPollingTrigger`.

    Source: Airflow's `BaseTrigger`.
    """

    own_arguments: ClassVar[tuple[str, ...]] = ("watermark", "watch")

    def __init__(
        self,
        session_id: str,
        learning_conn_id: str,
        watermark: StoredWatermark | None,
        watch: list[str] | None = None,
        **polling_arguments: Any,
    ) -> None:
        super().__init__(session_id, learning_conn_id, **polling_arguments)
        self.watermark = watermark
        self.watch = watch

    def build_wait(self) -> ModificationWait:
        """Return the wait at its beginning."""
        return ModificationWait(
            Watermark.from_dict(self.watermark) if self.watermark else None,
            watch=tuple(self.watch or ()),
            on_missing=self.on_missing,
            max_failures=self.max_failures,
            failures=self.failures,
        )

    def describe_wait(self, wait: Wait[Any, Any]) -> str:
        """
        Return which fields are to change.

        :param wait: The wait.
        """
        return change_text(self.watch or ())

    def describe_state(self, polled: ProgramSession, wait: Wait[Any, Any]) -> str:
        """
        Return when the session was last modified.

        :param polled: The session as it is now.
        :param wait: The wait after the poll.
        """
        return modified_text(polled)

    def is_over(self, wait: Wait[Any, Any], found: Any) -> bool:
        """
        Whether the session was modified, or gave values that later polls need: then the worker stores the watermark.

        :param wait: The wait after a poll.
        :param found: The change, or None.
        """
        return found is not None or (isinstance(wait, ModificationWait) and wait.has_new_watermark)

    def event_payload(self, wait: Wait[Any, Any]) -> dict[str, Any]:
        """
        Return the watermark.

        :param wait: The wait after the last poll.
        """
        return {"watermark": self.watermark}
