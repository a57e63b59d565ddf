"""
### One reminder for one session

Waits until two hours before a session starts, wherever that date moves meanwhile, and then acts. Nothing but a trigger waits.
For many sessions, plan reminders with a policy instead.
"""

from __future__ import annotations

from typing import Any

from airflow.providers.common.compat.sdk import Param, dag, task

from airflow_provider_learning360.sensors.session_date import SessionDateSensor


@dag(
    schedule=None,
    catchup=False,
    params={"session_id": Param("", type="string", minLength=24, maxLength=24, title="Session ID")},
    tags=["360learning", "example"],
    doc_md=__doc__,
)
def one_reminder() -> None:
    """Wait for the time, then act."""
    start = SessionDateSensor(
        task_id="two_hours_before",
        session_id="{{ params.session_id }}",
        before={"hours": 2},
        poke_interval=900,
        timeout=90 * 24 * 3600,
        fields=["_id", "name", "startDate"],
        deferrable=True,
    )

    @task
    def open_the_room(document: dict[str, Any]) -> str:
        """Stand in for what is to be done."""
        return f"{document['name'].strip()} starts {document['startDate']}"

    open_the_room(start.output)  # type: ignore[arg-type]


one_reminder()
