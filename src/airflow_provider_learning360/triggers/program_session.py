"""A trigger that waits until a program session is modified."""

from __future__ import annotations

__all__ = ["ProgramSessionModifiedTrigger"]

from typing import Any, ClassVar

from airflow_provider_learning360.api.changes import Watermark
from airflow_provider_learning360.api.waiting import ModificationWait, Wait
from airflow_provider_learning360.triggers.polling import SessionPollingTrigger


class ProgramSessionModifiedTrigger(SessionPollingTrigger):
    """
    Wake the sensor when a program session was modified.

    :param session_id: ID of the session, 24 hexadecimal characters.
    :param learning_conn_id: ID of the Airflow connection.
    :param watermark: What was last known of the session, as `Watermark.to_dict` writes it; None if nothing.
    :param watch: Names of the fields that must differ; empty for any modification.
    :param looking: As in `SessionPollingTrigger`: how often, how patiently, until when.

    Source: Airflow's `BaseTrigger`.
    """

    own_arguments: ClassVar[tuple[str, ...]] = ("watermark", "watch")

    def __init__(
        self,
        session_id: str,
        learning_conn_id: str,
        watermark: dict[str, Any] | None,
        watch: list[str] | None = None,
        **looking: Any,
    ) -> None:
        super().__init__(session_id, learning_conn_id, **looking)
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

    def is_over(self, wait: Wait[Any], found: Any) -> bool:
        """Whether the session was modified, or was seen for the first time: then the worker has to remember it."""
        first_seen = self.watermark is None and isinstance(wait, ModificationWait) and wait.watermark is not None
        return found is not None or first_seen

    def event_payload(self) -> dict[str, Any]:
        """Return the watermark."""
        return {"watermark": self.watermark}
