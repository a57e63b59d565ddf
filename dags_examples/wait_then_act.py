"""
### Wait for a change, then act

Reads a session, waits until one of its dates changes, and starts one reminder job for each tutor.

**Try it:** trigger it. The form asks for the ID of a session, and already holds that of the simulator's example session. When
`wait_for_change` is *deferred*, move the start or the end of the session. Within a minute, the DAG goes on; the new dates are in
the XComs of `remind`.

The wait starts with the session as `get_session` read it (`since`), so that no change between the two tasks is missed. A waiting
task uses no worker slot: the triggerer polls once a minute.
"""

from __future__ import annotations

from typing import Any

from airflow.providers.common.compat.sdk import Param, dag, task

from airflow_provider_learning360.operators.program_session import GetProgramSessionOperator
from airflow_provider_learning360.sensors.program_session import ProgramSessionModifiedSensor

SESSION_ID = Param(
    "60b8d2956e20ae1a0f8e44f1",
    type="string",
    pattern="^[0-9a-fA-F]{24}$",
    title="Session ID",
    description="24 characters of 0-9 and a-f, from the session's address in 360Learning",
)


@dag(schedule=None, catchup=False, tags=["360learning", "example"], doc_md=__doc__, params={"session_id": SESSION_ID})
def wait_then_act() -> None:
    """Fetch a session, wait until its dates change, remind its tutors."""
    session = GetProgramSessionOperator(
        task_id="get_session", session_id="{{ params.session_id }}", exclude=["users", "description"]
    )
    changed = ProgramSessionModifiedSensor(
        task_id="wait_for_change",
        session_id="{{ params.session_id }}",
        since=session.output,
        watch=["startDate", "endDate"],
        exclude=["users", "description"],
        deferrable=True,
        poke_interval=60,
        timeout=7 * 24 * 3600,
    )

    @task
    def tutors_of(document: dict[str, Any]) -> list[str]:
        """Return the tutors' addresses."""
        return document.get("tutors") or []

    @task
    def remind(tutor: str, document: dict[str, Any]) -> str:
        """Replace this with your reminder job: a mail, a room booking, a message."""
        reminder = f"{document['name'].strip()} now starts {document.get('startDate')}, ends {document.get('endDate')}"
        print(f"   reminder job for {tutor}: {reminder}")
        return reminder

    remind.partial(document=changed.output).expand(tutor=tutors_of(changed.output))


wait_then_act()
