"""The page inside Airflow 3, as each version mounts it. Airflow 2 loads the plugin but cannot show the page."""

from __future__ import annotations

from typing import Any

import pytest

from airflow import __version__

from airflow_provider_learning360.simulator import Simulator

OLD = __version__.startswith("2.")


def test_airflow_loads_the_plugin() -> None:
    from airflow import plugins_manager

    plugins_manager.get_plugin_info()
    errors: Any = getattr(plugins_manager, "import_errors", None)
    if callable(getattr(plugins_manager, "get_import_errors", None)):
        errors = plugins_manager.get_import_errors()
    assert [one for one in errors or {} if "learning360" in one] == []
    assert "learning360" in [one["name"] for one in plugins_manager.get_plugin_info()]


@pytest.mark.skipif(OLD, reason="Airflow 2 cannot show the page")
def test_page_responds_to_logged_in_users(learning360_simulator: Simulator) -> None:
    from fastapi.testclient import TestClient

    from airflow.api_fastapi.app import create_app, get_auth_manager
    from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser

    client = TestClient(create_app(apps="core"), base_url="http://airflow.example.com")
    assert client.get("/learning360/", follow_redirects=False).status_code == 307
    assert client.get("/learning360/api/connections").status_code == 401
    token = get_auth_manager().generate_jwt(SimpleAuthManagerUser(username="ada", role="ADMIN"))
    client.headers["Authorization"] = f"Bearer {token}"
    assert "360Learning" in client.get("/learning360/").text
    offered = client.get("/learning360/api/connections").json()["connections"]
    assert [one["id"] for one in offered] == ["learning360_default"]
    assert client.get("/learning360/api/watched").json()["watched"] == []
    action = "/learning360/api/connections/learning360_default/"
    assert client.post(f"{action}test", json={}).json()["ok"] is True
    session_id = learning360_simulator.session_ids[0]
    response = client.post(f"{action}request", json={"session_id": session_id}).json()
    assert response["document"]["_id"] == session_id
    assert client.post(f"{action}sessions", json={"text": ""}).status_code == 200
    assert client.post(f"{action}workflows", json={"session_id": session_id}).status_code == 200
