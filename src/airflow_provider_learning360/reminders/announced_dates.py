"""Which dates of which session the planner has announced, stored from sweep to sweep."""

from __future__ import annotations

import json
import logging
import re
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.version_compat import AIRFLOW_V_3_0_PLUS

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from airflow_provider_learning360.reminders.moves import AnnouncedRecord
    from airflow_provider_learning360.reminders.policy import ReminderPolicy

log = logging.getLogger(__name__)


class AnnouncedDatesStore:
    """
    The announced dates of a policy with a rule `on: date_changed`, in an Airflow variable.

    Airflow deletes the state store of an asset when a typo breaks the DAG file, so this uses a variable. If it is
    lost, all dates count as announced: one notice may be missing, and none is sent needlessly.

    Two underscores separate policy and connection in the name of the variable: the name of a policy contains no two
    in a row, and ends in none. Some databases treat `A` and `a` alike, so `.a` stands for `A`, and `..` for a dot.

    An earlier version used one underscore, so two pairs of policy and connection could share a variable. If the new
    variable does not exist, the old one is read. It is never deleted, because it may belong to another policy. Where
    two shared it, one notice may be lost or repeated.

    :param policy: The policy.
    :param learning_conn_id: ID of the connection to 360Learning; several may use the same policy.

    Source: Airflow's `Variable`.
    """

    def __init__(self, policy: ReminderPolicy, learning_conn_id: str) -> None:
        self.name = f"learning360_announced__{_encode(policy.name)}__{_encode(learning_conn_id)}"
        self.old_name = f"learning360_reminders_{policy.name}_{learning_conn_id}"
        self._is_needed = any(rule.on for rule in policy.rules)
        self._loaded: dict[str, AnnouncedRecord] | None = None  # None: the new variable does not exist

    def load(self) -> dict[str, AnnouncedRecord]:
        """Return the records by ID of their session; none if the variable is missing or not readable."""
        if not self._is_needed:
            return {}
        text, name = _read(self.name), self.name
        is_new = text is None
        if is_new:
            text, name = _read(self.old_name), self.old_name
        loaded = _parse(text, name)
        self._loaded = None if is_new else loaded
        return dict(loaded)

    def save(self, announced: Mapping[str, AnnouncedRecord], deleted: Collection[str]) -> None:
        """
        Store the records, if they changed.

        :param announced: The records of all sessions, by ID; also of those that this sweep did not read.
        :param deleted: IDs of sessions that no longer exist.
        """
        kept = {session_id: one for session_id, one in announced.items() if session_id not in deleted}
        if self._is_needed and kept != self._loaded:
            from airflow.providers.common.compat.sdk import Variable

            Variable.set(self.name, json.dumps(kept))


def _read(name: str) -> Any:
    """Return the text of a variable; None if it does not exist."""
    from airflow.providers.common.compat.sdk import Variable

    default: dict[str, Any] = {"default" if AIRFLOW_V_3_0_PLUS else "default_var": None}
    return Variable.get(name, **default)


def _encode(name: str) -> str:
    return re.sub("[A-Z.]", lambda found: f".{found[0].lower()}", name)


def _parse(text: Any, name: str) -> dict[str, AnnouncedRecord]:
    try:
        loaded = json.loads(text) if text else {}
    except (ValueError, TypeError, RecursionError):
        loaded = None
    if isinstance(loaded, dict):
        return loaded
    log.warning(
        "Variable %s does not contain a JSON object. All dates count as announced; changes are found from now on.", name
    )
    return {}
