"""The two DAGs of dags_examples/reminders.py, with a policy that suits a demo."""

from __future__ import annotations

from typing import Any

from xcom import read_xcom

# Without the ten minutes that the example waits for further changes.
POLICY = {"name": "demo", "rules": [{"name": "moved", "on": "date_changed", "settle": {}, "audience": "tutors"}]}


def plan(session_id: str) -> list[dict[str, Any]]:
    """Run the DAG that plans, and return the due reminders. The first run only stores the dates of the session."""
    from reminders import plan_reminders

    task = plan_reminders.get_task("plan")
    task.policy, task.sessions = POLICY, [session_id]
    run = plan_reminders.test()
    (planned,) = read_xcom(run, "plan") or ([],)
    return list(planned)


def deliver(planned: list[dict[str, Any]]) -> None:
    """Run the DAG that delivers, once for each reminder."""
    from reminders import deliver_reminder

    task = deliver_reminder.get_task("send")
    task.policy = POLICY
    for reminder in planned:
        # Passed to the task: a run of `test()` cannot have the reminder's key as its ID.
        task.reminder = reminder["conf"]
        deliver_reminder.test()
