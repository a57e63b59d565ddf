"""
### One run for each changed session

`dispatch_changes` runs when program sessions have changed, and hands each of them on as a partition of an asset.
`react_to_one_session` then runs once for each: the key of its partition is the ID of the session. So each session has a run of
its own, to be looked at, retried and cleared by itself.

Needs Airflow 3.3.
"""

from __future__ import annotations

from typing import Any

from airflow.sdk import Asset, PartitionedAssetTimetable, dag, task
from airflow.sdk.exceptions import AirflowSkipException

from airflow_provider_learning360.assets.program_session import watched_program_sessions
from airflow_provider_learning360.operators.changes import ChangedProgramSessionsOperator
from airflow_provider_learning360.operators.program_session import GetProgramSessionOperator

ALL_SESSIONS = watched_program_sessions(name="all_program_sessions", poll_interval=60)
ONE_SESSION = Asset("changed_program_session")
COMMON: dict[str, Any] = {"catchup": False, "tags": ["360learning", "example"], "doc_md": __doc__}


@dag(schedule=[ALL_SESSIONS], max_active_runs=1, **COMMON)
def dispatch_changes() -> None:
    """Find out which sessions changed, and hand each on by itself."""
    changed = ChangedProgramSessionsOperator(task_id="changed")

    @task(outlets=[ONE_SESSION])
    def dispatch(changes: list[dict[str, Any]], *, outlet_events: Any) -> None:
        """Make a partition of each session."""
        if not changes:
            raise AirflowSkipException("An earlier run has dealt with all of them.")
        outlet_events[ONE_SESSION].add_partitions([change["_id"] for change in changes])

    dispatch(changed.output)  # type: ignore[arg-type]


@dag(schedule=PartitionedAssetTimetable(assets=ONE_SESSION), **COMMON)
def react_to_one_session() -> None:
    """Read the session that this run is about."""
    GetProgramSessionOperator(
        task_id="get_session",
        session_id="{{ dag_run.partition_key }}",
        fields=["_id", "name", "startDate", "endDate", "modifiedAt"],
    )


dispatch_changes()
react_to_one_session()
