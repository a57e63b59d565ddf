"""Which dates of which session the planner has announced, stored from sweep to sweep."""

from __future__ import annotations

import json
import logging
import re
import zlib
from typing import TYPE_CHECKING, Any

from airflow_provider_learning360.memory.variable_access import read_variable
from airflow_provider_learning360.memory.variables import VariableStore, build_name

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from airflow_provider_learning360.memory.variables import PolicyOwner
    from airflow_provider_learning360.reminders.moves import AnnouncedRecord
    from airflow_provider_learning360.reminders.policy import ReminderPolicy

    Records = dict[str, AnnouncedRecord]

log = logging.getLogger(__name__)

# 10,000 sessions take 20 KB in each shard; 60 KB if all of them were moved.
SHARDS = 64
SHARD_KEY_PREFIX = "learning360_announced_"
# Lists the shards that exist, so that a platform with few sessions does not read 64 of them.
SHARDS_KEY = "learning360_announced_shards"


class AnnouncedDatesStore:
    """
    The announced dates of a policy with a rule `on: date_changed`, in Airflow variables.

    Airflow deletes the state store of an asset when a typo breaks the DAG file, and that of a task with its run. So
    this uses variables on all versions. If they are lost, all dates count as announced: one notice may be missing, and
    none is sent needlessly.

    The list of shards is written last. Until it exists, the variable of an earlier version is read. So a planner that
    is killed in between loses nothing: the next one reads each record as it was, or as the killed one wrote it, and
    both lead to the same notice with the same key.

    Earlier versions used one variable. In its name, two underscores separate policy and connection, `.a` stands for
    `A`, and `..` for a dot. Still earlier, one underscore separated them, so two pairs could share a variable; where
    they did, one notice may be lost or repeated. These variables are never changed.

    :param policy: The policy.
    :param learning_conn_id: ID of the connection to 360Learning; several may use the same policy.

    Source: Airflow's `Variable`.
    """

    def __init__(self, policy: ReminderPolicy, learning_conn_id: str) -> None:
        self.owner: PolicyOwner = {"policy": policy.name, "connection": learning_conn_id}
        self.earlier_names = (
            f"learning360_announced__{_encode(policy.name)}__{_encode(learning_conn_id)}",
            f"learning360_reminders_{policy.name}_{learning_conn_id}",
        )
        self._store = VariableStore(self.owner)
        self._is_needed = any(rule.on for rule in policy.rules)
        self._loaded: dict[str, Records] | None = None  # by shard; None: there is no list of shards

    def load(self) -> Records:
        """
        Return the records by ID of their session; none if they are missing or not readable.

        :raises AirflowException: Airflow could not read a variable.
        """
        if not self._is_needed:
            return {}
        names = self._read(SHARDS_KEY, list)
        if names is None:
            self._loaded = None
            return self._read_earlier()
        self._loaded = {name: self._read(_shard_key(name), dict) or {} for name in names}
        return {session_id: one for shard in self._loaded.values() for session_id, one in shard.items()}

    def save(self, announced: Mapping[str, AnnouncedRecord], deleted: Collection[str]) -> None:
        """
        Store the records, in the shards that changed.

        :param announced: The records of all sessions, by ID; also of those that this sweep did not read.
        :param deleted: IDs of sessions that no longer exist.
        :raises AirflowException: Airflow could not store a variable.
        """
        if not self._is_needed:
            return
        loaded = self._loaded or {}
        shards: dict[str, Records] = {name: {} for name in loaded}
        for session_id, one in announced.items():
            if session_id not in deleted:
                shards.setdefault(_shard_of(session_id), {})[session_id] = one
        for name, shard in shards.items():
            if shard != loaded.get(name):
                self._store.set(_shard_key(name), shard)
        if self._loaded is None or shards.keys() != loaded.keys():
            self._store.set(SHARDS_KEY, sorted(shards))
        self._loaded = shards

    def _read(self, key: str, kind: type) -> Any:
        """Return a value; an empty one if somebody edited it, None if there is none."""
        try:
            value = self._store.get(key)
        except (ValueError, RecursionError):
            value = ()
        if value is None or isinstance(value, kind):
            return value
        _warn(build_name(self.owner, key))
        return kind()

    def _read_earlier(self) -> Records:
        for name in self.earlier_names:
            text = read_variable(name)
            if text is not None:
                return _parse(text, name)
        return {}


def _shard_of(session_id: str) -> str:
    # Not by the last digits, as for watermarks: the list may contain a session whose ID is not an ID.
    return f"{zlib.crc32(session_id.encode(errors='replace')) % SHARDS:02d}"


def _shard_key(name: str) -> str:
    return f"{SHARD_KEY_PREFIX}{name}"


def _encode(name: str) -> str:
    # Some databases treat `A` and `a` alike.
    return re.sub("[A-Z.]", lambda found: f".{found[0].lower()}", name)


def _parse(text: str, name: str) -> Records:
    try:
        loaded = json.loads(text) if text else {}
    except (ValueError, RecursionError):
        loaded = None
    if isinstance(loaded, dict):
        return loaded
    _warn(name)
    return {}


def _warn(name: str) -> None:
    log.warning(
        "Variable %s is not as this provider writes it. Its dates count as announced; changes are found from now on.",
        name,
    )
