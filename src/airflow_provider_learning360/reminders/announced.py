"""What the planner remembers from sweep to sweep: which dates of which session were announced."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from airflow_provider_learning360.reminders.policy import ReminderPolicy

log = logging.getLogger(__name__)


class AnnouncedDates:
    """
    The memory of a policy with a rule `on: date_changed`, in an Airflow variable.

    A variable, since Airflow deletes what it keeps for an asset as soon as a typo breaks the DAG file. If it is lost
    all the same, dates are taken as announced: that costs a notice, and never sends a needless one.

    :param policy: The policy.
    :param learning_conn_id: ID of the connection to 360Learning; the same policy may serve several.

    Source: Airflow's `Variable`.
    """

    def __init__(self, policy: ReminderPolicy, learning_conn_id: str) -> None:
        self.name = f"learning360_reminders_{policy.name}_{learning_conn_id}"
        self._is_needed = any(rule.on for rule in policy.rules)
        self._loaded: dict[str, Any] = {}

    def load(self) -> dict[str, Any]:
        """Return what was saved; nothing if it is not readable."""
        if not self._is_needed:
            return {}
        from airflow.providers.common.compat.sdk import Variable

        text = Variable.get(self.name, default=None)
        try:
            loaded = json.loads(text) if text else {}
        except ValueError:
            loaded = None
        if not isinstance(loaded, dict):
            log.warning("Variable %s is not readable: all dates are taken as announced.", self.name)
            loaded = {}
        self._loaded = loaded
        return dict(loaded)

    def save(self, memory: Mapping[str, Any], gone: Collection[str]) -> None:
        """
        Save what is to be remembered, if it is anything else than before.

        :param memory: For each session what was announced; also for those that this sweep did not look at.
        :param gone: IDs of sessions that are no more.
        """
        kept = {session_id: one for session_id, one in memory.items() if session_id not in gone}
        if self._is_needed and kept != self._loaded:
            from airflow.providers.common.compat.sdk import Variable

            Variable.set(self.name, json.dumps(kept))
