"""What the planner remembers from sweep to sweep: which dates of which session were announced."""

from __future__ import annotations

import json
import logging
import re
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

    Two underscores separate policy and connection in its name: the name of a policy has no two in a row, and ends in
    none. A capital letter is written as a dot and the small letter, and a dot as two: some databases take `A` for `a`.

    An earlier version used one underscore: policy `a` with connection `b_c`, and `a_b` with `c`, shared a variable.
    If the new variable does not exist, the old one is read once more. It is never deleted, because it may belong to
    another policy. The trade: where two shared it, each begins with what the last of them saved, so
    one notice may be lost or repeated.

    :param policy: The policy.
    :param learning_conn_id: ID of the connection to 360Learning; the same policy may serve several.

    Source: Airflow's `Variable`.
    """

    def __init__(self, policy: ReminderPolicy, learning_conn_id: str) -> None:
        self.name = f"learning360_announced__{_caseless(policy.name)}__{_caseless(learning_conn_id)}"
        self.old_name = f"learning360_reminders_{policy.name}_{learning_conn_id}"
        self._is_needed = any(rule.on for rule in policy.rules)
        self._loaded: dict[str, Any] | None = None  # None: nothing is stored under the new name

    def load(self) -> dict[str, Any]:
        """Return what was saved; nothing if it is not readable."""
        if not self._is_needed:
            return {}
        from airflow.providers.common.compat.sdk import Variable

        text, name = Variable.get(self.name, default=None), self.name
        is_new = text is None
        if is_new:
            text, name = Variable.get(self.old_name, default=None), self.old_name
        loaded = _mapping(text, name)
        self._loaded = None if is_new else loaded
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


def _caseless(name: str) -> str:
    return re.sub("[A-Z.]", lambda found: f".{found[0].lower()}", name)


def _mapping(text: Any, name: str) -> dict[str, Any]:
    try:
        loaded = json.loads(text) if text else {}
    except (ValueError, TypeError, RecursionError):
        loaded = None
    if isinstance(loaded, dict):
        return loaded
    log.warning("Variable %s is not readable: all dates are taken as announced.", name)
    return {}
