"""The archive of a workflow's files, and the scopes of a connection."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from typing import Any
from zipfile import ZipFile

import pytest
from fastapi.testclient import TestClient

from airflow_provider_learning360.simulator import Simulator

Login = Callable[[str | None], TestClient]

API = "/learning360/api"
ID = "60b8d2956e20ae1a0f8e44f1"
POLICY = {
    "name": "onboarding",
    "rules": [{"name": "before_end", "anchor": "endDate", "before": {"days": 1}, "audience": ["learners"]}],
}
BLUEPRINT = {"loader.py", "dag_args.py", "dag.schema.json"}
WORKFLOWS: list[tuple[dict[str, Any], str, set[str]]] = [
    ({"name": "list-users"}, "python", {"list_users.py"}),
    ({"name": "list-users"}, "dag_factory", {"list_users.yaml", "list_users.py"}),
    ({"name": "list-users"}, "blueprint", {"list_users.dag.yaml", *BLUEPRINT}),
    ({"session_id": ID, "kind": "fetch"}, "python", {f"fetch_{ID}.py"}),
    (
        {"session_id": ID, "kind": "reminders"},
        "blueprint",
        {
            f"plan_reminders_of_{ID}.dag.yaml",
            f"deliver_reminders_of_{ID}.dag.yaml",
            f"plan_reminders_of_{ID}.policy.yaml",
            *BLUEPRINT,
        },
    ),
    (
        {"policy": POLICY, "approval": True},
        "blueprint",
        {"plan_onboarding.dag.yaml", "deliver_onboarding.dag.yaml", "onboarding.policy.yaml", *BLUEPRINT},
    ),
]


@pytest.fixture
def connection(stored: Callable[..., str], simulator: Simulator) -> str:
    """A stored connection to the simulator."""
    return stored(host=simulator.url, login=simulator.company_id, password=simulator.api_key)


def post(client: TestClient, connection: str, workflow: dict[str, Any], dialect: str) -> Any:
    body = {"dialect": dialect, "workflow": workflow}
    return client.post(f"{API}/connections/{connection}/archive", json=body)


@pytest.mark.parametrize(("workflow", "dialect", "expected"), WORKFLOWS)
def test_archive_has_the_files(
    login: Login, connection: str, workflow: dict[str, Any], dialect: str, expected: set[str]
) -> None:
    response = post(login("otto"), connection, workflow, dialect)
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == "application/zip"
    assert response.headers["content-disposition"].startswith('attachment; filename="')
    with ZipFile(BytesIO(response.content)) as archive:
        names = archive.namelist()
        assert {name.rpartition("/")[2] for name in names} == expected
        # Unpacked in the DAGs folder, each file is where the others expect it.
        assert not any(name.startswith(("dags/", "/")) or ".." in name for name in names)
        assert all(archive.read(name) for name in names)
        assert not any(b"Also save" in archive.read(name) or b"Line 1 needs" in archive.read(name) for name in names)


def test_same_workflow_gives_the_same_archive(login: Login, connection: str) -> None:
    first, second = (post(login("otto"), connection, {"name": "list-users"}, "blueprint") for _ in range(2))
    assert first.content == second.content


@pytest.mark.parametrize(
    ("workflow", "dialect", "code"),
    [
        ({"name": "list-everything"}, "python", "no_workflow"),
        ({"name": "list-users"}, "cobol", "no_workflow"),
        ({}, "python", "no_workflow"),
        ({"session_id": ID, "kind": "dance"}, "python", "no_workflow"),
        ({"policy": POLICY}, "python", "no_workflow"),
        ({"policy": {}}, "blueprint", "arguments"),
        ({"session_id": ID, "options": {"fields": ["x"]}}, "python", "arguments"),
        ({"session_id": "../x"}, "python", "invalid_id"),
        ({"name": 3}, "python", "unknown_request"),
    ],
)
def test_archive_of_nothing_is_refused(
    login: Login, connection: str, workflow: dict[str, Any], dialect: str, code: str
) -> None:
    response = post(login("otto"), connection, workflow, dialect)
    assert response.status_code in (404, 422)
    assert response.json()["error"]["code"] == code


@pytest.mark.parametrize("action", ["archive", "access", "operation-workflows"])
@pytest.mark.parametrize(("user", "code"), [("vera", 403), (None, 401)])
def test_actions_need_the_right_to_the_connection(
    login: Login, connection: str, simulator: Simulator, action: str, user: str | None, code: int
) -> None:
    body = {"dialect": "python", "workflow": {}, "name": "list-users"}
    assert login(user).post(f"{API}/connections/{connection}/{action}", json=body).status_code == code
    assert simulator.requests == []


def test_access_names_what_the_keys_may_read(login: Login, connection: str, stored: Callable[..., str],
                                             simulator: Simulator) -> None:  # fmt: skip
    v2 = stored("of_v2", host=simulator.url, login=simulator.client_id, password=simulator.client_secret,
                extra='{"api_version": "v2"}')  # fmt: skip
    for one, expected in ((connection, "sessions"), (v2, "paths:read")):
        response = login("otto").post(f"{API}/connections/{one}/access", json={})
        scopes = response.json()["scopes"]
        assert scopes[0]["name"] == expected
        assert all(scope["granted"] for scope in scopes)
        assert all(scope["detail"] for scope in scopes)
        assert simulator.api_key not in response.text
    assert {one.method for one in simulator.requests if "oauth2" not in one.path} == {"GET"}
