"""On a real Airflow: no retry sends a write again whose outcome is unknown; a retry waits for the bulk operation."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator

import pytest

from operation_server import OperationServer, Reply
from real_airflow import Airflow

pytestmark = pytest.mark.slow

ID, BULK = "60b8d2956e20ae1a0f8e44f1", "60b8d2956e20ae1a0f8e4400"
CREATE = "POST /api/v2/groups"
SEND = "POST /api/v2/bulk/groups/memberships"
STATUS = f"GET /api/v2/bulk/operations/{BULK}"
ACCEPTED = Reply(b"", 202, {"Location": f"/api/v2/bulk/operations/{BULK}"})
RUNNING, COMPLETED = Reply({"_id": BULK, "status": "running"}), Reply({"_id": BULK, "status": "completed"})
MARKS = "select 1 from task_state_store where key = 'learning360_sent_request'"

DAGS = """
import json, os
from datetime import timedelta

from airflow.sdk import DAG

from airflow_provider_learning360.operators.operation import LearningOperationOperator

# Known to the processes that run the tasks: they import this file.
os.environ["AIRFLOW_CONN_OPERATIONS"] = {connection!r}
retries = {{"retries": 2, "retry_delay": timedelta(seconds=1), "learning_conn_id": "operations"}}

with DAG("write_create", schedule=None):
    LearningOperationOperator(
        task_id="write",
        operation="create-group",
        body={{"name": "Lyon", "parentId": "{id}", "public": False}},
        **retries,
    )

def lose(context, result=None):
    raise OSError("the result cannot be stored")

with DAG("write_lost", schedule=None):
    LearningOperationOperator(
        task_id="write",
        operation="create-group",
        body={{"name": "Lyon", "parentId": "{id}", "public": False}},
        post_execute=lose,
        **retries,
    )

with DAG("write_bulk", schedule=None):
    LearningOperationOperator(
        task_id="write",
        operation="bulk-add-users-to-groups",
        body={body},
        wait_for=True,
        poke_interval=0.5,
        deferrable=False,
        **retries,
    )
"""


@pytest.fixture(scope="module")
def server(airflow: Airflow) -> Iterator[OperationServer]:
    with OperationServer({}) as server:
        connection = {
            "conn_type": "learning360",
            "host": server.url,
            "login": server.client_id,
            "password": server.client_secret,
            "extra": {"api_version": "v2", "retry_attempts": 2, "requests_per_second": 100},
        }
        airflow.put_dag("writes.py", DAGS.format(connection=json.dumps(connection), id=ID, body=BODY))
        yield server


@pytest.fixture(autouse=True)
def forget(server: OperationServer) -> None:
    server.seen.clear()


BODY = f'{{"input": [{{"userId": "{ID}", "groupId": "{ID}", "role": "admin"}}]}}'


def kill_the_task(airflow: Airflow) -> None:
    for process in airflow.wait_until(airflow.task_processes, "the task has a process"):
        os.kill(process, signal.SIGKILL)


def until_ended(airflow: Airflow, run_id: str) -> tuple[str, int]:
    airflow.wait_until(lambda: airflow.state(run_id)[0] in ("success", "failed"), f"{run_id} ends")
    return airflow.state(run_id)


def test_unknown_outcome_fails_the_task_at_once(airflow: Airflow, server: OperationServer) -> None:
    server.replies[CREATE] = [Reply(end="close")]
    assert until_ended(airflow, airflow.trigger("write_create")) == ("failed", 1)
    assert server.calls == [CREATE]
    assert airflow.query(MARKS) == []


def test_retry_after_a_killed_task_does_not_send_again(airflow: Airflow, server: OperationServer) -> None:
    server.replies[CREATE] = [Reply(end="hang"), Reply({"_id": ID}, 201)]
    run_id = airflow.trigger("write_create")
    airflow.wait_until(lambda: CREATE in server.calls, "the request arrives")
    kill_the_task(airflow)
    assert until_ended(airflow, run_id) == ("failed", 2)
    assert server.calls == [CREATE]
    assert airflow.query(MARKS) == []


def test_retry_waits_for_the_bulk_operation(airflow: Airflow, server: OperationServer) -> None:
    server.replies |= {SEND: [ACCEPTED], STATUS: [RUNNING], f"{STATUS}/results": [Reply([])]}
    run_id = airflow.trigger("write_bulk")
    airflow.wait_until(lambda: STATUS in server.calls, "the task waits")
    kill_the_task(airflow)
    airflow.wait_until(lambda: airflow.state(run_id)[1] == 2, "the task is tried again")
    server.replies[STATUS] = [COMPLETED]
    assert until_ended(airflow, run_id) == ("success", 2)
    assert server.calls.count(SEND) == 1
    assert airflow.xcom(run_id, "return_value")["status"] == "completed"
    assert airflow.query(MARKS) == []


def test_retry_after_a_result_that_was_lost_does_not_send_again(airflow: Airflow, server: OperationServer) -> None:
    server.replies[CREATE] = [Reply({"_id": ID}, 201)]
    run_id = airflow.trigger("write_lost")
    assert until_ended(airflow, run_id) == ("failed", 2)
    assert server.calls == [CREATE]
