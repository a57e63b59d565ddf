"""Which variables are not needed any more."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_learning360.cli.clean import DatabaseOwners
from airflow_provider_learning360.memory.cleaning import find_verdict
from airflow_provider_learning360.memory.variables import build_stored, parse_stored

if TYPE_CHECKING:
    from airflow_provider_learning360.memory.variables import AssetOwner, Owner, PolicyOwner, TaskOwner

TASK: TaskOwner = {"dag_id": "remind", "run_id": "r1", "task_id": "send", "map_index": -1}
ASSET: AssetOwner = {"asset": "sessions"}
POLICY: PolicyOwner = {"policy": "academy", "connection": "learning360_default"}
MONTH = timedelta(days=30)


class Owners:
    """An Airflow that has everything, or nothing."""

    def __init__(self, *, run: bool = True, unfinished: bool = False, asset: bool = True) -> None:
        self.run, self.unfinished, self.asset = run, unfinished, asset

    def has_run(self, owner: Any) -> bool:
        return self.run

    def is_unfinished(self, owner: Any) -> bool:
        return self.unfinished

    def has_asset(self, owner: Any) -> bool:
        return self.asset


def verdict(owner: Owner, owners: Owners, *, days: int, forever: bool = False) -> str:
    stored = parse_stored(build_stored(owner, {"a": 1}, forever=forever))
    return find_verdict(stored, owners, datetime.now(tz=UTC) + timedelta(days=days), MONTH)


@pytest.mark.parametrize(
    ("owner", "owners", "days", "forever", "expected"),
    [
        (TASK, Owners(), 1, False, "needed"),
        (TASK, Owners(), 31, False, "old"),
        (TASK, Owners(unfinished=True), 31, False, "needed"),  # a sensor may wait for months
        (TASK, Owners(), 31, True, "needed"),  # who clears the task must not mail everybody again
        (TASK, Owners(run=False), 0, False, "run deleted"),
        (TASK, Owners(run=False), 31, True, "run deleted"),
        (ASSET, Owners(), 31, False, "needed"),
        (ASSET, Owners(asset=False), 1, False, "needed"),  # its DAG file may be broken for a while
        (ASSET, Owners(asset=False), 31, False, "asset deleted"),
        ({**ASSET, "reader": "dag.task"}, Owners(asset=False), 31, True, "asset deleted"),
        (POLICY, Owners(run=False, asset=False), 3650, False, "needed"),  # or notices would be missing
        ({"of": "a later version"}, Owners(run=False, asset=False), 3650, False, "needed"),
    ],
)
def test_variable_is_kept_as_long_as_it_is_needed(
    owner: Owner, owners: Owners, days: int, forever: bool, expected: str
) -> None:
    assert verdict(owner, owners, days=days, forever=forever) == expected


def test_owner_of_a_later_version_does_not_stop_the_clean_up() -> None:
    """It may say more of a task than this version asks Airflow for."""
    asked: list[dict[str, Any]] = []

    class Session:
        def query(self, column: Any) -> Session:
            return self

        def filter_by(self, **values: Any) -> Session:
            asked.append(values)
            return self

        def first(self) -> tuple[str]:
            return ("running",)

    later: Any = {**TASK, "new": 1}
    assert DatabaseOwners(Session()).is_unfinished(later)
    assert asked == [TASK]
