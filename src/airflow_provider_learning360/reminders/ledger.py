"""The delivery ledger: what was recorded of each recipient of one reminder."""

from __future__ import annotations

import logging
from typing import Any, Literal, Protocol

from airflow.providers.common.compat.sdk import conf

from airflow_provider_learning360.api.errors import FixArgumentError

log = logging.getLogger(__name__)

# What is recorded of a recipient.
DeliveryState = Literal["sent", "claimed", "refused"]
# Keys in the task state store.
BEGUN_KEY = "learning360_mails_begun"
ENTRY_PREFIX = "learning360_mail_"


class DeliveryLedger(Protocol):
    """The states of the recipients of one reminder. An entry outlives the process."""

    def find_state(self, key: str) -> str | None:
        """Return the recorded state of a recipient, or None."""

    def record(self, key: str, state: DeliveryState) -> None:
        """Record the state of a recipient. It is stored when this returns."""


class TaskDeliveryLedger:
    """
    The ledger in Airflow's task state store: one entry for each recipient, which never expires.

    The store belongs to one task of one DAG run, and so to one reminder. It survives retries, the death of the worker,
    a cleared task and a broken DAG file.

    :param task_state_store: The accessor from the task's context, or None if Airflow has none.
    :raises FixArgumentError: There is no store: Airflow is older than 3.3.

    Source: Airflow's `task_state_store` (AIP-103).
    """

    def __init__(self, task_state_store: Any) -> None:
        if task_state_store is None:
            raise FixArgumentError(
                "The context of this task has no task state store. Reminders need it, so that a retry knows who has "
                "the mail already. Upgrade to Airflow 3.3 or later."
            )
        if conf.getboolean("state_store", "clear_on_success", fallback=False):
            log.warning(
                "[state_store] clear_on_success is on: Airflow deletes the delivery ledger when the task succeeds. "
                "If the task is then cleared, all recipients get the mail again. Turn the setting off."
            )
        self._store = task_state_store
        # Each read is a request to the API server. An empty store needs only this one.
        self._is_empty = task_state_store.get(BEGUN_KEY) is None
        self._recorded: dict[str, str] = {}

    @property
    def has_begun(self) -> bool:
        """Whether an earlier try recorded anything."""
        return not self._is_empty

    def find_state(self, key: str) -> str | None:
        """
        Return the recorded state of a recipient, or None.

        :param key: Key of the recipient.
        """
        if key in self._recorded or self._is_empty:
            return self._recorded.get(key)
        state = self._store.get(ENTRY_PREFIX + key)
        return None if state is None else str(state)

    def record(self, key: str, state: DeliveryState) -> None:
        """
        Record the state of a recipient. It is stored when this returns.

        :param key: Key of the recipient.
        :param state: The state.
        """
        if self._is_empty and not self._recorded:
            self._write(BEGUN_KEY, "yes")  # before the first entry: without it, a retry reads no entry
        self._write(ENTRY_PREFIX + key, state)
        self._recorded[key] = state

    def _write(self, key: str, value: str) -> None:
        from airflow.sdk.execution_time.context import NEVER_EXPIRE

        self._store.set(key, value, retention=NEVER_EXPIRE)
