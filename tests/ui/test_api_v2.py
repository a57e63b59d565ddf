"""The page with a connection that uses API v2."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient

from airflow_provider_learning360.api.documentation import DOCUMENTATION
from airflow_provider_learning360.api.errors import ForbiddenError
from airflow_provider_learning360.simulator import Simulator
from airflow_provider_learning360.ui import session_request
from airflow_provider_learning360.ui.failure import failure_from_error

Login = Callable[[str | None], TestClient]
Stored = Callable[..., str]

API = "/learning360/api"
COMPANY = "5f8d3e2a1b4c6d7e8f9a0b1c"


@pytest.fixture
def simulator(request: pytest.FixtureRequest) -> Iterator[Simulator]:
    """A simulator; `parametrize("simulator", [{...}], indirect=True)` configures it."""
    with Simulator(**{"sessions": 5, "learners": 3, "company_id": COMPANY, **getattr(request, "param", {})}) as one:
        yield one


@pytest.fixture
def post(login: Login, stored: Stored, simulator: Simulator) -> Callable[..., Any]:
    """Send an action of the page, with the keys of a version and `api_version`; return the JSON."""
    keys = {
        "v1": (simulator.company_id, simulator.api_key),
        "v2": (simulator.client_id, simulator.client_secret),
    }
    for of_keys, (name, password) in keys.items():
        for version in ("v1", "v2"):
            extra = json.dumps({"api_version": version})
            stored(f"{of_keys}_on_{version}", host=simulator.url, login=name, password=password, extra=extra)

    def send(action: str, connection: str = "v2_on_v2", **body: Any) -> Any:
        return login("otto").post(f"{API}/connections/{connection}/{action}", json=body).json()

    return send


Post = Callable[..., Any]


def walk(fields: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for field in fields:
        yield field
        yield from walk(field.get("items", []))


@pytest.mark.slow
def test_every_field_is_documented(post: Post, simulator: Simulator) -> None:
    result = post("request", session_id=simulator.session_ids[0])
    assert result["ok"]
    assert result["drift"] == {"unknown": [], "more": 0, "missing": [], "new_values": []}
    top = {field["name"]: field for field in result["fields"]}
    assert top["pathId"]["meaning"] == DOCUMENTATION["pathId"].meaning
    assert [name for name, field in top.items() if not field["meaning"]] == []
    assert {field["state"] for field in walk(result["fields"])} == {"documented", "missing"}


@pytest.mark.slow
def test_ids_of_people_are_masked(post: Post, simulator: Simulator) -> None:
    session_id = simulator.session_ids[0]
    session = simulator.session(session_id)
    hidden = post("request", session_id=session_id)
    people = [session["author"], *session["tutors"], *(user["_id"] for user in session["users"])]
    assert [one for one in people if one in json.dumps(hidden)] == []
    assert hidden["document"]["mainInstructorId"] == "•••"
    shown = post("request", session_id=session_id, reveal=True)
    assert shown["document"]["author"] == session["author"]
    assert len(shown["document"]["mainInstructorId"]) == 24


def test_request_names_the_first_and_counts_the_others(post: Post, simulator: Simulator) -> None:
    simulator.forget()
    result = post("request", session_id=simulator.session_ids[0])
    sent = [one for one in simulator.requests if "token" not in one.path]
    assert result["request"] == f"GET /api/v2/paths/sessions (+{len(sent) - 1})"
    assert result["status"] == 200
    assert result["bytes"] > 1000


@pytest.mark.slow
def test_requests_have_one_time_limit(post: Post, simulator: Simulator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session_request, "MAX_SECONDS", 0.5)
    simulator.play({"when": {"path": "/paths/sessions$"}, "do": {"delay": 5}})
    result = post("request", session_id=simulator.session_ids[0])
    assert result["failure"]["code"] == "timed_out"


def test_missing_session_is_not_found(post: Post) -> None:
    result = post("request", session_id="0" * 24)
    assert result["failure"]["code"] == "session_not_found"


@pytest.mark.parametrize("simulator", [{"scopes": ["paths:read"]}], indirect=True)
def test_missing_scope_is_named(post: Post, simulator: Simulator) -> None:
    assert post("test")["ok"]
    assert post("version") == {"version": "v2"}
    failure = post("request", session_id=simulator.session_ids[0])["failure"]
    assert (failure["code"], failure["action"]) == ("scope_missing", "ask")
    assert failure["values"] == {"scope": "customFields:read"}
    assert "needed for customFields" in failure["detail"]
    assert "exclude" not in failure["detail"]  # the page has no such option


@pytest.mark.parametrize("simulator", [{"scopes": []}], indirect=True)
def test_connection_test_uses_the_keys(post: Post) -> None:
    failure = post("test")["failure"]
    assert (failure["code"], failure["values"]) == ("scope_missing", {"scope": "paths:read"})


@pytest.mark.parametrize(
    ("connection", "hint"), [("v1_on_v2", "looks like a company ID"), ("v2_on_v1", "looks like a client ID")]
)
def test_keys_of_another_version_are_recognized(post: Post, connection: str, hint: str) -> None:
    result = post("test", connection)
    assert not result["ok"]
    assert hint in result["failure"]["detail"]
    assert result["failure"]["code"] != "scope_missing"


@pytest.mark.parametrize("simulator", [{"sessions": 25, "page_size": 10}], indirect=True)
def test_list_is_read_page_by_page(post: Post, simulator: Simulator) -> None:
    simulator.forget()
    found = post("sessions", text="")
    for _ in range(500):
        if found["complete"]:
            break
        found = post("sessions", text="")
    assert found["complete"]
    assert (found["read"], found["unreadable"], found["error"]) == (25, 0, None)
    assert len([one for one in simulator.requests if one.path.endswith("/paths/sessions")]) == 3
    session = simulator.session(simulator.session_ids[7])
    (row,) = post("sessions", text=session["_id"])["sessions"]
    assert (row["start"], row["template"]) == (session["startDate"], session["programTemplate"])


def test_scope_comes_before_the_class_of_the_error() -> None:
    assert failure_from_error(ForbiddenError("no", scope="users:read"))["code"] == "scope_missing"
    assert failure_from_error(ForbiddenError("no"))["code"] == "forbidden"
