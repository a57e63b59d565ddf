"""What the delivery of one reminder remembers of each recipient."""

from __future__ import annotations

import logging
from typing import Any, Protocol

from airflow.providers.common.compat.sdk import conf

from airflow_provider_learning360.api.errors import FixArgumentError

log = logging.getLogger(__name__)

BEGUN = "learning360_mails_begun"
ENTRY = "learning360_mail_"


class Ledger(Protocol):
    """Which recipients of one reminder are settled; what is recorded outlives the process."""

    def seen(self, key: str) -> str | None:
        """Return the state that was recorded of a recipient, or None."""

    def record(self, key: str, state: str) -> None:
        """Record the state of a recipient; when this returns, it is stored."""


class TaskLedger:
    """
    The ledger in Airflow's task state store: one entry for each recipient, which never expires.

    It belongs to one task of one DAG run, and with it to one reminder, whose key is the run's ID. It survives retries,
    the death of the worker, a cleared task and a broken DAG file.

    :param task_state_store: The accessor out of the task's context, or None where Airflow has none.
    :raises FixArgumentError: There is no such store: Airflow is older than 3.3.

    Source: Airflow's `task_state_store` (AIP-103).
    """

    def __init__(self, task_state_store: Any) -> None:
        if task_state_store is None:
            raise FixArgumentError(
                "Reminders need the task state store of Airflow 3.3 or later, and the context of this task has none: "
                "without it, a retry could not tell who has the mail already. Upgrade Airflow."
            )
        if conf.getboolean("state_store", "clear_on_success", fallback=False):
            log.warning(
                "[state_store] clear_on_success is on: Airflow forgets who has a mail once the task has succeeded. "
                "Clearing the task would mail all of them again."
            )
        self._store = task_state_store
        # Each question is a request to the API server. Where nothing was ever recorded, none need be asked.
        self._blank = task_state_store.get(BEGUN) is None
        self._recorded: dict[str, str] = {}

    @property
    def has_begun(self) -> bool:
        """Whether anything was recorded by an earlier try."""
        return not self._blank

    def seen(self, key: str) -> str | None:
        """
        Return the state that was recorded of a recipient, or None.

        :param key: Key of the recipient.
        """
        if key in self._recorded or self._blank:
            return self._recorded.get(key)
        state = self._store.get(ENTRY + key)
        return None if state is None else str(state)

    def record(self, key: str, state: str) -> None:
        """
        Record the state of a recipient; when this returns, it is stored.

        :param key: Key of the recipient.
        :param state: The state.
        """
        if self._blank and not self._recorded:
            self._write(BEGUN, "yes")  # before the first entry: a retry that finds none of it asks for no entry
        self._write(ENTRY + key, state)
        self._recorded[key] = state

    def _write(self, key: str, value: str) -> None:
        from airflow.sdk.execution_time.context import NEVER_EXPIRE

        self._store.set(key, value, retention=NEVER_EXPIRE)
