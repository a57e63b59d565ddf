"""Which asset events a run of a DAG is responsible for, and which it leaves to other runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from datetime import datetime

    from airflow.providers.common.compat.sdk import Context

UNFINISHED = ("queued", "running")


class RunEvents:
    """
    The asset events of a DAG run.

    :param context: Airflow's task context.

    Source: Airflow's `triggering_asset_events`.
    """

    def __init__(self, context: Context) -> None:
        triggering = context.get("triggering_asset_events") or {}
        self.own: dict[str, list[Any]] = {
            asset.name: list(events) for asset, events in triggering.items() if hasattr(asset, "uri")
        }
        dag = context.get("dag")
        self._dag_id, self._run_id = getattr(dag, "dag_id", None), context.get("run_id")
        self._gets_every_event = _gets_every_event(dag)

    @property
    def last(self) -> datetime | None:
        """
        The time of the last event that this run may act on; None if it may act on all.

        A later event gets a run of its own, unless Airflow drops events.
        """
        own = [event.timestamp for events in self.own.values() for event in events]
        return max(own, default=None) if self._gets_every_event else None

    def is_left(self, event: Any) -> bool:
        """
        Whether another run of this DAG, which has not ended yet, acts on an event.

        Events of a run that failed are not left to it: somebody would have to clear it.

        :param event: An event of Airflow, with the runs that it started.
        """
        runs = [run for run in event.created_dagruns if run.dag_id == self._dag_id]
        return all(run.run_id != self._run_id for run in runs) and any(run.state in UNFINISHED for run in runs)


def _gets_every_event(dag: Any) -> bool:
    """Whether Airflow gives each event to a run of the DAG. Versions without this option drop events of a burst."""
    return hasattr(getattr(dag, "timetable", None), "batch_asset_events")
