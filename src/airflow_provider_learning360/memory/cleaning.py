"""Which variables of this provider are not needed any more."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Literal, Protocol, cast

if TYPE_CHECKING:
    from datetime import timedelta

    from airflow_provider_learning360.memory.variables import AssetOwner, StoredValue, TaskOwner

# Why a variable is kept, or deleted.
Verdict = Literal["needed", "run deleted", "asset deleted", "old"]


class Owners(Protocol):
    """What Airflow's database knows of the owners of variables."""

    def has_run(self, owner: TaskOwner) -> bool:
        """Whether the DAG run still exists."""

    def is_unfinished(self, owner: TaskOwner) -> bool:
        """Whether the task may still run in this DAG run without being cleared."""

    def has_asset(self, owner: AssetOwner) -> bool:
        """Whether a DAG refers to the asset."""


def find_verdict(stored: StoredValue, owners: Owners, now: datetime, max_age: timedelta) -> Verdict:
    """
    Return whether a variable is needed.

    What belongs to a run is needed until Airflow deletes the run: then nobody can clear the task. Other values of a
    finished task are needed for `max_age`. An asset may be missing for a while, because its DAG file is broken. What
    belongs to a policy, or to an owner that this version does not know, is always needed.

    :param stored: What the variable contains.
    :param owners: What Airflow knows of its owner.
    :param now: The present time.
    :param max_age: How long values of finished tasks and deleted assets are kept.
    """
    is_old = now - datetime.fromisoformat(stored["written"]) > max_age
    if "asset" in stored["owner"]:
        return "asset deleted" if is_old and not owners.has_asset(cast("AssetOwner", stored["owner"])) else "needed"
    if "run_id" not in stored["owner"]:
        return "needed"
    owner = cast("TaskOwner", stored["owner"])
    if not owners.has_run(owner):
        return "run deleted"
    if is_old and not stored.get("forever") and not owners.is_unfinished(owner):
        return "old"
    return "needed"
