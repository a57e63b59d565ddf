"""The form for a reminder policy: its problems, its files, and what it would send."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from airflow_provider_learning360.reminders.policy import ReminderPolicy
from airflow_provider_learning360.simulator import Simulator
from airflow_provider_learning360.ui import reminder_plan

Login = Callable[[str | None], TestClient]

API = "/learning360/api"
POLICY: dict[str, Any] = {
    "name": "onboarding",
    "time_zone": "Europe/Paris",
    "quiet_hours": {"from": "20:00", "to": "08:00"},
    "max_lateness": None,
    "rules": [
        {"name": "before_end", "anchor": "endDate", "before": {"days": 1}, "audience": ["learners", "tutors"]},
        {"name": "moved", "on": "date_changed", "settle": {"minutes": 10}, "audience": ["learners"], "every": None},
    ],
}


@pytest.fixture
def connection(stored: Callable[..., str], simulator: Simulator) -> str:
    """A stored connection to the simulator."""
    return stored(host=simulator.url, login=simulator.company_id, password=simulator.api_key)


def post(client: TestClient, connection: str, **body: Any) -> Any:
    return client.post(f"{API}/connections/{connection}/reminders", json={"policy": POLICY, "days": 60} | body)


def changed(**fields: Any) -> dict[str, Any]:
    return {**POLICY, "rules": [{**POLICY["rules"][0], **fields}]}


def test_plan_has_when_and_how_many_and_no_person(login: Login, connection: str, simulator: Simulator) -> None:
    response = post(login("otto"), connection)
    result = response.json()
    assert (response.status_code, result["problems"], result["failure"]) == (200, [], None)
    assert result["sessions"] == len(simulator.session_ids)
    assert (result["complete"], result["not_planned"]) == (True, ["moved"])
    assert result["plan"]
    assert [one["at"] for one in result["plan"]] == sorted(one["at"] for one in result["plan"])
    for row in result["plan"]:
        session = simulator.session(row["session"])
        assert (row["rule"], row["anchor"], row["anchor_at"]) == ("before_end", "endDate", session["endDate"])
        assert row["due"] <= row["at"] < session["endDate"]
        mails = {user["mail"] for user in session["users"]} | {*session["tutors"]}
        assert row["recipients"] + row["without_address"] == len(mails)
        assert len(row["who"]) == min(row["recipients"], reminder_plan.MAX_SHOWN)
        assert [one for one in mails if one in response.text] == []
    assert {one.method for one in simulator.requests if "oauth2" not in one.path} == {"GET"}


def test_plan_can_be_about_some_sessions(login: Login, connection: str, simulator: Simulator) -> None:
    chosen = simulator.session_ids[:1]
    result = post(login("otto"), connection, sessions=chosen).json()
    assert result["sessions"] == 1
    assert {one["session"] for one in result["plan"]} <= {*chosen}
    assert f'sessions: ["{chosen[0]}"]' in result["files"][0]["text"]
    assert f"GET /api/v1/programs/sessions/{chosen[0]}/" in {f"{one.method} {one.path}" for one in simulator.requests}


@pytest.mark.parametrize(
    ("policy", "place"),
    [
        ({**POLICY, "name": "two words"}, "name"),
        ({**POLICY, "time_zone": "Paris"}, "time_zone"),
        ({**POLICY, "quiet_hours": {"from": "8 pm", "to": "08:00"}}, "quiet_hours.from"),
        ({**POLICY, "rules": []}, "rules"),
        ({**POLICY, "colour": "red"}, "colour"),
        (changed(before="1 day"), "rules.0.before"),
        (changed(before=None), "rules.0"),
        (changed(audience=["everybody"]), "rules.0.audience.0"),
        (changed(to=["nobody"]), "rules.0.to"),
        (changed(anchor="dueDate"), "rules.0.anchor"),  # API v1 has none
        ({}, "name"),
    ],
)
def test_problem_of_a_policy_has_its_place(
    login: Login, connection: str, simulator: Simulator, policy: dict[str, Any], place: str
) -> None:
    result = post(login("otto"), connection, policy=policy).json()
    assert place in [one["place"] for one in result["problems"]]
    assert all(one["text"] for one in result["problems"])
    assert (result["files"], result["plan"], result["complete"]) == ([], [], False)
    assert simulator.requests == []


@pytest.mark.parametrize("approval", [False, True])
def test_files_build_the_dags(
    login: Login, connection: str, approval: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from airflow.dag_processing.dagbag import DagBag

    monkeypatch.setenv("AIRFLOW__CORE__DAGS_FOLDER", str(tmp_path / "dags"))
    for one in post(login("otto"), connection, approval=approval).json()["files"]:
        (tmp_path / one["file"]).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / one["file"]).write_text(one["text"], encoding="utf-8")
    found = DagBag(tmp_path / "dags")
    assert found.import_errors == {}
    plan, deliver = found.dags["plan_onboarding"], found.dags["deliver_onboarding"]
    policy = ReminderPolicy.read({name: one for name, one in POLICY.items() if one is not None} | {
        "rules": [{name: one for name, one in rule.items() if one is not None} for rule in POLICY["rules"]]
    })  # fmt: skip
    assert ReminderPolicy.read(plan.get_task("reminders.plan").policy) == policy
    assert plan.get_task("reminders.plan").delivery_dag_id == "deliver_onboarding"
    assert deliver.get_task("send").upstream_task_ids == ({"ask"} if approval else set())


def test_sessions_that_cannot_be_read_leave_the_files(login: Login, connection: str, simulator: Simulator) -> None:
    simulator.play({"do": {"status": 503}})
    result = post(login("otto"), connection).json()
    assert result["failure"]["code"] == "unavailable"
    assert (result["complete"], bool(result["files"])) == (False, True)


@pytest.mark.parametrize(("name", "value"), [("MAX_SESSIONS", 1), ("MAX_ROWS", 1), ("MAX_SECONDS", -1.0)])
def test_plan_is_limited(
    login: Login, connection: str, monkeypatch: pytest.MonkeyPatch, name: str, value: float
) -> None:
    monkeypatch.setattr(reminder_plan, name, value)
    result = post(login("otto"), connection).json()
    assert result["complete"] is False
    assert len(result["plan"]) <= 1


@pytest.mark.parametrize("body", [{"days": 0}, {"days": 400}, {"sessions": ["x"] * 21}, {"policy": []}])
def test_request_beyond_the_limits_is_refused(
    login: Login, connection: str, simulator: Simulator, body: dict[str, Any]
) -> None:
    response = post(login("otto"), connection, **body)
    assert (response.status_code, response.json()["error"]["code"]) == (422, "unknown_request")
    assert simulator.requests == []


@pytest.mark.parametrize(("user", "code"), [("vera", 403), (None, 401)])
def test_plan_needs_the_right_to_the_connection(login: Login, connection: str, user: str | None, code: int) -> None:
    assert post(login(user), connection).status_code == code


def test_audit_log_has_no_address_of_the_policy(login: Login, connection: str) -> None:
    from airflow.models.log import Log
    from airflow.utils.session import create_session

    post(login("otto"), connection, policy=changed(to=["zoe.canary@example.com"]))
    with create_session() as session:
        row = session.query(Log).filter(Log.event == "learning360_plan_reminders").order_by(Log.id.desc()).first()
        assert row is not None
        assert (row.owner, json.loads(row.extra)["connection_id"]) == ("otto", connection)
        assert "canary" not in row.extra
