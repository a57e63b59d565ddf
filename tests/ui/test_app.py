"""What the page's routes answer, to whom; asked of Airflow's own application, with its own login."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from threading import BoundedSemaphore, Thread
from typing import Any
from urllib.parse import quote

import pytest
from fastapi.testclient import TestClient

from airflow_provider_learning360.simulator import Simulator
from airflow_provider_learning360.ui import access, app
from airflow_provider_learning360.ui.app import STATIC

Login = Callable[[str | None], TestClient]

PAGE = "/learning360/"
API = "/learning360/api"
KEY = "key-5d1f-canary"
GETS = ["static/page.js", "static/page.css", "api/connections", "api/watched"]
POSTS: dict[str, dict[str, Any]] = {
    "test": {},
    "sessions": {"text": ""},
    "request": {"session_id": "60b8d2956e20ae1a0f8e44f1"},
    "workflows": {"session_id": "60b8d2956e20ae1a0f8e44f1"},
}


@pytest.fixture
def connection(stored: Callable[..., str], simulator: Simulator) -> str:
    """A stored connection to the simulator."""
    one = simulator
    return stored(host=one.url, login=one.company_id, password=one.api_key, description="The academy")


def post(client: TestClient, connection: str, action: str, **body: Any) -> Any:
    return client.post(f"{API}/connections/{connection}/{action}", json=POSTS[action] | body)


# --- who may ---


@pytest.mark.parametrize("path", GETS)
def test_nobody_reads_without_a_login(login: Login, path: str) -> None:
    answer = login(None).get(PAGE + path)
    assert answer.status_code == 401
    assert answer.json() == {"error": "You are not logged in to Airflow. Log in, and come back."}


def test_nobody_sees_the_page_without_a_login_and_is_led_to_it(login: Login) -> None:
    answer = login(None).get(PAGE, follow_redirects=False)
    assert answer.status_code == 307
    assert answer.headers["location"] == "../api/v2/auth/login?next=%2Flearning360%2F"
    assert "360Learning" not in answer.text
    login_page = login(None).get(PAGE)
    assert login_page.url.path == "/auth/login"
    assert login_page.url.params["next"] == "/learning360/"


@pytest.mark.parametrize("action", POSTS)
def test_nobody_acts_without_a_login(login: Login, connection: str, action: str) -> None:
    assert post(login(None), connection, action).status_code == 401


def test_a_token_that_is_none(login: Login) -> None:
    client = login(None)
    client.cookies.set("_token", "nonsense")
    assert client.get(PAGE).status_code == 403


@pytest.mark.parametrize("action", POSTS)
def test_a_viewer_uses_no_connection(login: Login, connection: str, simulator: Simulator, action: str) -> None:
    answer = post(login("vera"), connection, action)
    assert answer.status_code == 403
    assert "has no right to this" in answer.json()["error"]
    assert simulator.requests == []


def test_a_viewer_is_offered_no_connection_but_sees_the_page_and_what_is_watched(login: Login, connection: str) -> None:
    client = login("vera")
    assert client.get(PAGE).status_code == client.get(f"{API}/watched").status_code == 200
    assert client.get(f"{API}/connections").json() == {
        "connections": [],
        "may_create": False,
        "create_url": "connections",
    }


@pytest.mark.usefixtures("teams")
@pytest.mark.parametrize("action", POSTS)
def test_a_team_does_not_use_the_connection_of_another(
    login: Login, stored: Callable[..., str], simulator: Simulator, action: str
) -> None:
    one = simulator
    connection = stored("of_blue", host=one.url, login=one.company_id, password=one.api_key, team_name="blue")
    for name, code in (("olga", 403), ("vera", 403), ("otto", 200), ("ada", 200)):
        assert post(login(name), connection, action, session_id=one.session_ids[0]).status_code == code, name


@pytest.mark.usefixtures("teams")
def test_a_team_is_offered_its_own_connections_and_those_of_all(login: Login, stored: Callable[..., str]) -> None:
    stored("of_blue", team_name="blue")
    stored("of_red", team_name="red")
    stored("of_all")

    def offered(name: str) -> list[str]:
        return [one["id"] for one in login(name).get(f"{API}/connections").json()["connections"]]

    assert offered("otto") == ["of_all", "of_blue"]
    assert offered("olga") == ["of_all", "of_red"]
    assert offered("ada") == ["of_all", "of_blue", "of_red"]


@pytest.mark.parametrize("action", POSTS)
def test_a_connection_of_another_type_is_none(
    login: Login, stored: Callable[..., str], simulator: Simulator, action: str
) -> None:
    other = stored("warehouse", "http", host=simulator.url, login="somebody", password=KEY)
    for conn_id in (other, "never_made"):
        answer = post(login("ada"), conn_id, action)
        assert answer.status_code == 404
        assert answer.json() == {"error": "There is no connection of type 360Learning with this ID."}
    assert simulator.requests == []


# --- from where ---


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({"Sec-Fetch-Site": "same-origin"}, 200),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Sec-Fetch-Site": "cross-site", "Origin": "http://airflow.example.com"}, 403),
        ({"Sec-Fetch-Site": "none"}, 403),
        ({"Origin": "http://airflow.example.com"}, 200),
        ({"Origin": "https://evil.example.com"}, 403),
        ({"Origin": "null"}, 403),
        ({}, 403),
    ],
)
@pytest.mark.parametrize("action", ["test", "request"])
def test_another_site_cannot_act(
    login: Login, connection: str, simulator: Simulator, headers: dict[str, str], code: int, action: str
) -> None:
    client = login("ada")
    del client.headers["Sec-Fetch-Site"]
    client.headers.update(headers)
    assert post(client, connection, action, session_id=simulator.session_ids[0]).status_code == code
    assert bool(simulator.requests) is (code == 200)


def test_behind_a_proxy_the_configured_address_counts(
    login: Login, connection: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", "https://airflow.outside.example.com/sub")
    client = login("ada")
    del client.headers["Sec-Fetch-Site"]
    client.headers["Origin"] = "https://airflow.outside.example.com"
    assert post(client, connection, "test").status_code == 200


def test_a_script_with_a_token_needs_no_browser(login: Login, connection: str) -> None:
    token = login("ada").cookies["_token"]
    client = login(None)
    del client.headers["Sec-Fetch-Site"]
    client.headers["Authorization"] = f"Bearer {token}"
    assert post(client, connection, "test").status_code == 200


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded"])
def test_a_form_cannot_act(login: Login, connection: str, kind: str) -> None:
    answer = login("ada").post(f"{API}/connections/{connection}/test", content="{}", headers={"Content-Type": kind})
    assert answer.status_code == 415


@pytest.mark.parametrize("action", POSTS)
def test_actions_are_posts(login: Login, connection: str, action: str) -> None:
    assert login("ada").get(f"{API}/connections/{connection}/{action}").status_code == 405


# --- how ---


@pytest.mark.parametrize("path", ["", *GETS, "nothing/here", "static/..%2Fapp.py", "static/app.py"])
def test_every_answer_is_kept_in_its_place(login: Login, path: str) -> None:
    answer = login("ada").get(PAGE + path)
    assert answer.headers["cache-control"] == ("no-cache" if path.startswith("static/") else "no-store")
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'self'" in policy
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.status_code == (200 if path in ("", *GETS) else 404)


def test_an_error_of_ours_is_kept_in_its_place_too(login: Login, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app, "watched", lambda *_: 1 / 0)
    answer = login("ada").get(f"{API}/watched")
    assert answer.status_code == 500
    assert answer.json() == {"error": "Something went wrong; the log of the API server says what."}
    assert "default-src 'none'" in answer.headers["content-security-policy"]


def test_the_page_is_small_and_asks_nobody_else(login: Login) -> None:
    client = login("ada")
    page = client.get(PAGE)
    assert page.headers["content-type"].startswith("text/html")
    paths = [f"static/{path.name}" for path in STATIC.iterdir() if path.suffix != ".html"]
    assert sum(len(client.get(PAGE + path).content) for path in ["", *paths]) < 150_000
    for path in ("", *paths):
        text = client.get(PAGE + path).text
        assert "<script>" not in text
        assert "style=" not in text
        assert [word for word in ("http://", "https://", "//cdn", "@import") if word in text.replace(
            "http://www.w3.org/2000/svg", "")] == []  # fmt: skip


def test_all_of_the_script_is_asked_for_at_once(login: Login) -> None:
    """Otherwise each module would be asked for only when the one that imports it has arrived."""
    page = login("ada").get(PAGE).text
    assert {path.name for path in STATIC.glob("*.js") if f'"static/{path.name}"' not in page} == set()
    assert {name for name in re.findall(r'"static/([\w.]+)"', page) if not (STATIC / name).is_file()} == set()


# --- connections ---


def test_what_is_told_of_connections(
    login: Login, stored: Callable[..., str], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    stored("academy", host="https://app.us.360learning.com", login="company", password=KEY, description="Ours")
    stored("warehouse", "http", password=KEY)
    monkeypatch.setenv("AIRFLOW_CONN_FROM_OUTSIDE", f"learning360://company:{KEY}@")
    monkeypatch.setenv("AIRFLOW_CONN_BROKEN", f'{{"password": "{KEY}"')
    answer = login("otto").get(f"{API}/connections")
    assert "AIRFLOW_CONN_BROKEN holds no connection that can be read" in caplog.text
    assert KEY not in caplog.text
    assert answer.json()["connections"] == [
        {
            "id": "academy",
            "host": "https://app.us.360learning.com",
            "description": "Ours",
            "source": "database",
            "may_edit": True,
        },
        {
            "id": "from_outside",
            "host": "https://app.360learning.com",
            "description": None,
            "source": "environment",
            "may_edit": True,
        },
    ]
    assert KEY not in answer.text


def test_a_connection_that_works(login: Login, connection: str) -> None:
    answer = post(login("otto"), connection, "test").json()
    assert answer["ok"] is True
    assert "accepted" in answer["message"].lower()
    assert answer["milliseconds"] >= 0


def test_a_connection_that_does_not(login: Login, stored: Callable[..., str], simulator: Simulator) -> None:
    connection = stored(host=simulator.url, login=simulator.company_id, password=KEY)
    answer = post(login("otto"), connection, "test")
    assert answer.json()["ok"] is False
    assert answer.json()["message"].startswith("Wrong API key")
    assert KEY not in answer.text


def test_a_connection_that_is_not_usable(login: Login, stored: Callable[..., str]) -> None:
    connection = stored(host="http://elsewhere.example.com", login="company", password=KEY)
    for action in POSTS:
        answer = post(login("otto"), connection, action)
        assert "clear text" in answer.text, action
        assert KEY not in answer.text


@pytest.mark.parametrize(
    "host", ["https://robot:hunter2@app.360learning.com", "hunter2 @ home", "https://a.example/hunter2"]
)
def test_a_host_that_is_none_is_not_shown(login: Login, stored: Callable[..., str], host: str) -> None:
    stored(host=host, login="company", password=KEY)
    answer = login("otto").get(f"{API}/connections")
    assert answer.json()["connections"][0]["host"] is None
    assert "hunter2" not in answer.text


def test_what_is_listed_is_what_is_used(
    login: Login, stored: Callable[..., str], simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored("Upper", host="https://shown.example.com", login="company", password=KEY)
    stored("web", host="https://shown.example.com", login="company", password=KEY)
    variable = {"conn_type": "learning360", "host": simulator.url, "login": simulator.company_id}
    monkeypatch.setenv("AIRFLOW_CONN_UPPER", json.dumps({**variable, "password": simulator.api_key}))
    monkeypatch.setenv("AIRFLOW_CONN_WEB", "http://somewhere.example.com")
    client = login("otto")
    (listed,) = client.get(f"{API}/connections").json()["connections"]
    assert (listed["id"], listed["host"], listed["source"]) == ("Upper", simulator.url, "environment")
    assert post(client, "Upper", "test").json()["ok"] is True
    assert post(client, "web", "test").status_code == 404


@pytest.mark.parametrize("conn_id", ["a/b", "with.dot", "hash#1"])
def test_ids_of_all_sorts(login: Login, stored: Callable[..., str], simulator: Simulator, conn_id: str) -> None:
    stored(conn_id, host=simulator.url, login=simulator.company_id, password=simulator.api_key)
    assert post(login("otto"), quote(conn_id, safe=""), "test").json()["ok"] is True


def test_a_connection_that_once_had_a_team(login: Login, stored: Callable[..., str], teams: None,
                                           simulator: Simulator, monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    one = simulator
    stored("of_blue", host=one.url, login=one.company_id, password=one.api_key, team_name="blue")
    monkeypatch.setenv("AIRFLOW__CORE__MULTI_TEAM", "False")
    # For a DAG too, there is no such connection now.
    assert post(login("ada"), "of_blue", "test").status_code == 404


VENDOR_ONLY = "does not lead to https://app.360learning.com or https://app.us.360learning.com with TLS verified"


@pytest.mark.parametrize(
    ("fields", "refused"),
    [
        ({"host": "https://elsewhere.example.com"}, True),
        ({"host": "http://127.0.0.1:9"}, True),
        ({"host": "https://app.360learning.com:8443"}, True),
        ({"host": "https://app.360learning.com", "extra": '{"verify": false}'}, True),
        ({"host": "https://app.360learning.com"}, False),
        ({"host": ""}, False),
        ({"host": "app.us.360learning.com"}, False),
    ],
)
def test_who_edits_a_connection_gets_no_key_out_unless_airflow_lets_them(
    login: Login, stored: Callable[..., str], monkeypatch: pytest.MonkeyPatch, fields: dict[str, str], refused: bool
) -> None:
    monkeypatch.setenv("AIRFLOW__CORE__TEST_CONNECTION", "Disabled")
    connection = stored(login="company", password=KEY, **fields)
    # Writing workflows asks nobody anything, but is refused alike.
    answer = post(login("otto"), connection, "workflows")
    assert answer.status_code == (422 if refused else 200)
    assert (VENDOR_ONLY in answer.text) is refused
    if refused:
        for action in ("test", "request"):
            assert VENDOR_ONLY in post(login("otto"), connection, action).text


def test_a_connection_of_the_environment_may_lead_anywhere(
    login: Login, learning360_simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__CORE__TEST_CONNECTION", "Disabled")
    assert post(login("otto"), "learning360_default", "test").json()["ok"] is True


def test_who_waits_holds_no_connection_to_the_database(login: Login, connection: str, simulator: Simulator) -> None:
    from airflow import settings

    simulator.play({"do": {"delay": 3}})
    waiting = [Thread(target=post, args=(login("otto"), connection, "test"), daemon=True) for _ in range(4)]
    for thread in waiting:
        thread.start()
    until(lambda: len(simulator.requests) == 4)
    until(lambda: settings.engine.pool.checkedout() == 0)
    simulator.stop_scenarios()


def test_so_many_wait_and_no_more(login: Login, connection: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access, "_TURNS", BoundedSemaphore(1))
    assert post(login("otto"), connection, "test").json()["ok"] is True
    access._TURNS.acquire()
    answer = post(login("otto"), connection, "test")
    assert answer.status_code == 503
    assert "Try again" in answer.json()["error"]
    access._TURNS.release()
    assert post(login("otto"), connection, "test").json()["ok"] is True


# --- find ---


def until(condition: Callable[[], Any]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def until_complete(client: TestClient, connection: str, text: str) -> dict[str, Any]:
    for _ in range(1000):
        answer: dict[str, Any] = post(client, connection, "sessions", text=text).json()
        if answer["complete"]:
            return answer
    raise TimeoutError


def test_find_a_session_by_name_and_by_id(login: Login, stored: Callable[..., str], simulator: Simulator) -> None:
    connection = stored("finding", host=simulator.url, login=simulator.company_id, password=simulator.api_key)
    first = simulator.session(simulator.session_ids[0])
    for text in (first["name"].strip(), first["_id"]):
        answer = until_complete(login("otto"), connection, text)
        assert first["_id"] in [one["id"] for one in answer["sessions"]]
    # However often is searched, the list is read once.
    assert [one.path for one in simulator.requests] == ["/api/v1/programs/sessions"]


def test_a_list_that_cannot_be_read(login: Login, stored: Callable[..., str], simulator: Simulator) -> None:
    connection = stored("refused", host=simulator.url, login=simulator.company_id, password=KEY)
    answer = until_complete(login("otto"), connection, "")
    assert "401" in answer["error"]
    assert answer["sessions"] == []


# --- test request ---


def test_a_request(login: Login, connection: str, simulator: Simulator) -> None:
    session_id = simulator.session_ids[0]
    answer = post(login("otto"), connection, "request", session_id=session_id).json()
    assert answer["ok"] is True
    assert answer["request"] == f"GET /api/v1/programs/sessions/{session_id}/"
    assert answer["status"] == 200
    assert answer["bytes"] > 100
    assert answer["people"] == {"hidden": True, "may_reveal": True}
    assert answer["document"]["_id"] == session_id
    assert {"name", "path", "type", "state", "meaning"} <= answer["fields"][0].keys()


def people_of(simulator: Simulator, session_id: str) -> list[str]:
    session = simulator.session(session_id)
    return [learner["mail"] for learner in session["users"]] + [*session["tutors"], session["author"]]


def test_people_are_shown_on_demand(login: Login, connection: str, simulator: Simulator) -> None:
    session_id = simulator.session_ids[0]
    masked = post(login("otto"), connection, "request", session_id=session_id).text
    shown = post(login("otto"), connection, "request", session_id=session_id, reveal=True).text
    people = people_of(simulator, session_id)
    assert people
    assert [one for one in people if one in masked] == []
    assert [one for one in people if one not in shown] == []


def test_people_are_shown_only_to_who_may_edit(
    login: Login, connection: str, simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    from airflow.api_fastapi.auth.managers.simple.simple_auth_manager import SimpleAuthManager

    allowed = SimpleAuthManager.is_authorized_connection

    def reading_only(self: Any, *, method: str, **rest: Any) -> bool:
        return method == "GET" and allowed(self, method=method, **rest)

    monkeypatch.setattr(SimpleAuthManager, "is_authorized_connection", reading_only)
    client, session_id = login("otto"), simulator.session_ids[0]
    answer = post(client, connection, "request", session_id=session_id)
    assert answer.json()["people"] == {"hidden": True, "may_reveal": False}
    simulator.forget()
    refused = post(client, connection, "request", session_id=session_id, reveal=True)
    assert refused.status_code == 403
    assert "may edit this connection" in refused.json()["error"]
    assert simulator.requests == []


@pytest.mark.parametrize(
    ("session_id", "do", "status", "action"),
    [
        ("f" * 24, None, 404, "Fix the ID"),
        ("no ID", None, None, "Fix the ID"),
        (None, {"status": 403}, 403, "Fix the connection"),
        (None, {"status": 429, "headers": {"Retry-After": "60"}}, 429, "Wait"),
        (None, {"status": 503}, 503, "Try again"),
        (None, {"drop": True}, None, "Try again"),
        (None, {"html": True}, 200, "Report a change"),
    ],
)
def test_a_request_that_fails_says_what_to_do(
    login: Login, connection: str, simulator: Simulator, session_id: Any, do: Any, status: Any, action: str
) -> None:
    if do:
        simulator.play({"do": do})
    answer = post(login("otto"), connection, "request", session_id=session_id or simulator.session_ids[0])
    assert answer.status_code == 200
    told = answer.json()
    assert (told["ok"], told["status"], told["action"]) == (False, status, action)
    assert told["error"]
    # Somebody waits in front of the page: nothing is tried again and again.
    assert len(simulator.requests) <= 1


def test_the_audit_log_says_who_asked_for_what(login: Login, connection: str, simulator: Simulator) -> None:
    from airflow.models.log import Log
    from airflow.utils.session import create_session

    post(login("otto"), connection, "request", session_id=simulator.session_ids[1], reveal=True)
    with create_session() as session:
        row = session.query(Log).filter(Log.event == "learning360_test_request").order_by(Log.id.desc()).first()
        assert row.owner == "otto"
        assert simulator.session_ids[1] in row.extra
        assert "reveal" in row.extra


@pytest.mark.parametrize("body", [{}, {"session_id": 3}, {"session_id": "x" * 500}, {"session_id": "x", "reveal": "?"}])
def test_what_is_not_understood(login: Login, connection: str, body: dict[str, Any]) -> None:
    answer = login("otto").post(f"{API}/connections/{connection}/request", json=body)
    assert answer.status_code == 422
    assert "does not understand" in answer.json()["error"]


def test_what_is_too_large_is_not_even_logged(login: Login, connection: str) -> None:
    answer = login("otto").post(f"{API}/connections/{connection}/request", json={"session_id": "x" * 20_000})
    assert answer.status_code == 413


# --- workflows ---


def test_workflows(login: Login, connection: str, simulator: Simulator) -> None:
    session_id = simulator.session_ids[0]
    answer = post(login("otto"), connection, "workflows", session_id=session_id).json()
    assert [one["kind"] for one in answer["workflows"]] == ["fetch", "wait", "events", "reminders"]
    for workflow in answer["workflows"]:
        assert [one["language"] for one in workflow["snippets"]] == ["python", "blueprint", "dag_factory"]
        for snippet in workflow["snippets"]:
            assert session_id in snippet["text"]
            assert connection in snippet["text"]


def test_workflows_for_no_session(login: Login, connection: str) -> None:
    answer = post(login("otto"), connection, "workflows", session_id="'; drop table")
    assert answer.status_code == 422
    assert "not the ID of a program session" in answer.json()["error"]
