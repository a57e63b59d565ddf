"""
### One reminder for one session

Waits until two hours before a session starts, and then acts. If the session is rescheduled while the task waits, the task
waits for the new date. A waiting task uses no worker slot.

**Try it:** trigger it. The form asks for the ID of a session, and already holds that of the simulator's example session, which
has started: the task acts at once. To see it wait, move the start of the session to tomorrow first.

For reminders of many sessions, use the example `plan_reminders`.
"""

from __future__ import annotations

from typing import Any

from airflow.providers.common.compat.sdk import Param, dag, task

from airflow_provider_learning360.sensors.session_date import SessionDateSensor

SESSION_ID = Param(
    "60b8d2956e20ae1a0f8e44f1",
    type="string",
    pattern="^[0-9a-fA-F]{24}$",
    title="Session ID",
    description="24 characters of 0-9 and a-f, from the session's address in 360Learning",
)


@dag(schedule=None, catchup=False, tags=["360learning", "example"], doc_md=__doc__, params={"session_id": SESSION_ID})
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
        """Replace this with what you need: a mail, a room booking, a message."""
        return f"{document['name'].strip()} starts {document['startDate']}"

    open_the_room(start.output)  # type: ignore[arg-type]


one_reminder()
