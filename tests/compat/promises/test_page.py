"""The page inside Airflow 3, as each version mounts it. Airflow 2 loads the plugin but cannot show the page."""

from __future__ import annotations

from typing import Any

import pytest

from airflow import __version__

from airflow_provider_learning360.simulator import Simulator

OLD = __version__.startswith("2.")
API = "/learning360/api"
ACTION = f"{API}/connections/learning360_default"
NAMES = {"get-program-session-v1", "list-path-sessions"}
RULE = {"name": "before_end", "anchor": "endDate", "before": {"days": 1}, "audience": ["learners"]}
POLICY = {"name": "onboarding", "time_zone": "Europe/Paris", "rules": [RULE]}


@pytest.mark.promise("provider found")
def test_airflow_loads_the_plugin() -> None:
    from airflow import plugins_manager

    plugins_manager.get_plugin_info()
    errors: Any = getattr(plugins_manager, "import_errors", None)
    if callable(getattr(plugins_manager, "get_import_errors", None)):
        errors = plugins_manager.get_import_errors()
    assert [one for one in errors or {} if "learning360" in one] == []
    assert "learning360" in [one["name"] for one in plugins_manager.get_plugin_info()]


@pytest.fixture
def client() -> Any:
    """A client of Airflow's application, as each version mounts the page; nobody is logged in."""
    if OLD:
        pytest.skip("Airflow 2 cannot show the page")
    from fastapi.testclient import TestClient

    from airflow.api_fastapi.app import create_app

    return TestClient(create_app(apps="core"), base_url="http://airflow.example.com")


def log_in(client: Any) -> None:
    from airflow.api_fastapi.app import get_auth_manager
    from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser

    token = get_auth_manager().generate_jwt(SimpleAuthManagerUser(username="ada", role="ADMIN"))
    client.headers["Authorization"] = f"Bearer {token}"


def test_page_responds_to_logged_in_users(client: Any, learning360_simulator: Simulator) -> None:
    assert client.get("/learning360/", follow_redirects=False).status_code == 307
    assert client.get(f"{API}/connections").status_code == 401
    log_in(client)
    assert "360Learning" in client.get("/learning360/").text
    offered = client.get(f"{API}/connections").json()["connections"]
    assert [one["id"] for one in offered] == ["learning360_default"]
    assert client.get(f"{API}/watched").status_code == 200
    assert client.post(f"{ACTION}/test", json={}).json()["ok"] is True
    session_id = learning360_simulator.session_ids[0]
    response = client.post(f"{ACTION}/request", json={"session_id": session_id}).json()
    assert response["document"]["_id"] == session_id
    assert client.post(f"{ACTION}/sessions", json={"text": ""}).status_code == 200
    assert client.post(f"{ACTION}/workflows", json={"session_id": session_id}).status_code == 200


def test_page_tries_any_operation(client: Any, learning360_simulator: Simulator) -> None:
    log_in(client)
    session_id = learning360_simulator.session_ids[0]
    read = {"name": "get-program-session-v1", "parameters": {"session_id": session_id}}
    write = {**read, "name": "edit-program-session-v1", "body": {"name": "Moved"}}

    assert {one["name"] for one in client.get(f"{API}/operations").json()["operations"]} >= NAMES
    assert client.get(f"{API}/operations/get-program-session-v1").json()["method"] == "GET"
    assert client.post(f"{ACTION}/operation", json=read).json()["document"]["_id"] == session_id
    assert client.post(f"{ACTION}/operation", json=write).json()["would_send"]["method"] == "PATCH"
    assert {one.method for one in learning360_simulator.requests} == {"GET"}
    (workflow,) = client.post(f"{ACTION}/operation-workflows", json=write).json()["workflows"]
    assert "edit-program-session-v1" in workflow["snippets"][0]["text"]
    archive = client.post(f"{ACTION}/archive", json={"dialect": "blueprint", "workflow": read})
    assert archive.headers["Content-Type"] == "application/zip"
    assert client.post(f"{ACTION}/access", json={}).status_code == 200
    planned = client.post(f"{ACTION}/reminders", json={"policy": POLICY, "days": 60}).json()
    assert (planned["problems"], planned["failure"]) == ([], None)
