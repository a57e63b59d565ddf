"""Deliver the reminders that a test has planned, which kills the process."""

from __future__ import annotations

import json
import os
import sys
from datetime import UTC, datetime
from typing import Any

from airflow.providers.common.compat.sdk import DAG
from airflow.providers.common.compat.version_compat import AIRFLOW_V_3_0_PLUS, AIRFLOW_V_3_3_PLUS

from airflow_provider_learning360.operators.reminders import SendSessionReminderOperator

DAY = {"days": 1}
RULES = [
    {"name": "recorded", "anchor": "startDate", "before": DAY, "audience": "learners"},
    {"name": "claimed", "anchor": "endDate", "before": DAY, "audience": "learners", "delivery": "at_most_once"},
]
POLICY = {"name": "compat", "max_lateness": DAY, "rules": RULES}
CONNECTIONS = 4
START = datetime(2026, 1, 1, tzinfo=UTC)
PLANNED = json.loads(os.environ.get("PLANNED_REMINDERS", "{}"))

DAGS = {}
for rule in ("recorded", "claimed"):
    with DAG(f"deliver_{rule}", schedule=None, start_date=START) as DAGS[rule]:
        SendSessionReminderOperator(
            task_id="send", policy=POLICY, reminder=PLANNED.get(rule), connections=CONNECTIONS, retries=0
        )


def keep_run() -> None:
    """Let `dag.test()` run the same run again, as after a retry; it would delete the run, and its store."""
    from airflow.models import dagrun
    from airflow.utils.session import create_session

    with create_session() as session:
        found = session.query(dagrun.DagRun).filter_by(dag_id=f"deliver_{sys.argv[1]}")
        if not AIRFLOW_V_3_3_PLUS:
            # The variables of the run stay.
            found.delete()
            dagrun.DagRun.generate_run_id = lambda *_, **__: "delivery"
            return
        is_there = found.first() is not None

    def clear(*, dag: Any, session: Any, **_: Any) -> Any:
        run = session.query(dagrun.DagRun).filter_by(dag_id=dag.dag_id).one()
        run.dag, run.state = dag, "running"
        for one in run.task_instances:
            one.state = None
        session.commit()
        return run

    if is_there:
        dagrun.get_or_create_dagrun = clear


if __name__ == "__main__":
    keep_run()
    run = DAGS[sys.argv[1]].test(**{"logical_date" if AIRFLOW_V_3_0_PLUS else "execution_date": START})
    print(run.run_id, run.state)
    sys.exit(run.state != "success")
