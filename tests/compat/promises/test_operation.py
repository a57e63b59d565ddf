"""Any operation: read, shown, written, sent once, waited for, on both versions of the API."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from operation_server import OperationServer, Reply
from versions import VERSIONS, connect

ID = "60b8d2956e20ae1a0f8e44f1"
CREATE, FILL = "POST /api/v2/groups", "POST /api/v2/bulk/groups/memberships"
STATUS = f"GET /api/v2/bulk/operations/{ID}"
AIRFLOW = tuple(int(part) for part in version("apache-airflow").split(".")[:2])
MODES = ("poke", "reschedule", "deferred", "changed", "changed_rescheduled")
# Sessions around the day of the run: ended ones cannot be edited.
SIMULATED = {"today": None, "page_size": 5, "extra": {"requests_per_second": 1000}}

both_versions = pytest.mark.parametrize(
    "api_version",
    [pytest.param(one, marks=pytest.mark.learning360_simulator(api_version=one, **SIMULATED)) for one in VERSIONS],
)


def names_of(simulator: Any) -> dict[str, str]:
    return {"session_id": (first := simulator.session_ids[0]), "path_id": simulator.session(first)["programTemplate"]}


def pulled(run: Any, task_id: str) -> Any:
    return run.get_task_instance(task_id).xcom_pull(task_ids=task_id)


def writes(simulator: Any) -> list[Any]:
    return [json.loads(one.body) for one in simulator.requests if one.method == "PATCH"]


@both_versions
def test_list_is_read_and_object_is_written(api_version: str, learning360_simulator: Any) -> None:
    import call_operations

    given = names_of(learning360_simulator)

    run = getattr(call_operations, f"read_and_write_{api_version}").test(run_conf=given)

    assert run.state == "success"
    assert {one["_id"] for one in pulled(run, "list")} == set(learning360_simulator.session_ids)
    assert pulled(run, "show") is None
    (written,) = writes(learning360_simulator)
    assert written["name"].startswith("Moved to 2")
    assert pulled(run, "read") == {"_id": given["session_id"], **written}
    if api_version == "v2":
        pages = [one for one in learning360_simulator.requests if one.path == "/api/v2/paths/sessions"]
        assert len(pages) == 3


@both_versions
@pytest.mark.parametrize("mode", MODES)
def test_sensor_waits_for_an_answer(api_version: str, mode: str, learning360_simulator: Any) -> None:
    import call_operations

    given = names_of(learning360_simulator)
    session_id = given["session_id"]
    when = {"path": f"/{session_id}", "after_requests": 2}
    learning360_simulator.play({"when": when, "do": {"edit": {"session": session_id, "fields": {"name": "Moved"}}}})

    run = getattr(call_operations, f"wait_{mode}_{api_version}").test(run_conf=given)

    assert run.state == "success"
    assert pulled(run, "wait") == {"_id": session_id, "name": "Moved"}


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[OperationServer]:
    with OperationServer({}) as server:
        connect(monkeypatch, server, "v2", timeout=5, retry_attempts=3, requests_per_second=1000)
        yield server


def test_unknown_outcome_fails_without_a_retry(server: OperationServer) -> None:
    import call_operations

    server.replies[CREATE] = [Reply(end="close"), Reply({"_id": ID}, 201)]

    run = call_operations.create_group.test()

    assert run.state == "failed"
    assert server.calls == [CREATE]


def test_task_waits_for_the_bulk_operation(server: OperationServer) -> None:
    import call_operations

    accepted = Reply(b"", 202, {"Location": f"/api/v2/bulk/operations/{ID}"})
    running, completed = (Reply({"_id": ID, "status": one}) for one in ("running", "completed"))
    server.replies = {FILL: [accepted], STATUS: [running, completed], f"{STATUS}/results": [Reply([])]}

    run = call_operations.fill_groups.test()

    assert run.state == "success"
    assert pulled(run, "fill")["status"] == "completed"
    assert server.calls.count(FILL) == 1


@pytest.mark.skipif(AIRFLOW >= (3, 0), reason="Airflow 3 has no such option")
def test_dry_run_of_airflow_sends_nothing(server: OperationServer) -> None:
    airflow = Path(sys.executable).parent / "airflow"

    done = subprocess.run(
        [airflow, "tasks", "test", "--dry-run", "create_group", "create", "2026-01-01"],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert "Dry run" in done.stdout + done.stderr
    assert server.seen == []
