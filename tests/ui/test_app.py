"""The routes of the page, in Airflow's own application, with Airflow's own login."""

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
from static_files import scripts_at_start

Login = Callable[[str | None], TestClient]

PAGE = "/learning360/"
API = "/learning360/api"
KEY = "key-5d1f-canary"
GETS = ["static/page.js", "static/page.css", "api/connections", "api/watched"]
POSTS: dict[str, dict[str, Any]] = {
    "test": {},
    "version": {},
    "sessions": {"text": ""},
    "request": {"session_id": "60b8d2956e20ae1a0f8e44f1"},
    "workflows": {"session_id": "60b8d2956e20ae1a0f8e44f1"},
}


@pytest.fixture
def connection(stored: Callable[..., str], simulator: Simulator) -> str:
    """A stored connection to the simulator."""
    one = simulator
    return stored(host=one.url, login=one.company_id, password=one.api_key, description="The academy")


def code_of(response: Any) -> str:
    """What failed, of a response with an error status."""
    body = response.json()
    assert body.keys() == {"error"}
    assert body["error"].keys() == {"code", "action", "values", "detail"}
    return str(body["error"]["code"])


def post(client: TestClient, connection: str, action: str, **body: Any) -> Any:
    return client.post(f"{API}/connections/{connection}/{action}", json=POSTS[action] | body)


# --- rights ---


@pytest.mark.parametrize("path", GETS)
def test_routes_need_a_login(login: Login, path: str) -> None:
    response = login(None).get(PAGE + path)
    assert response.status_code == 401
    assert code_of(response) == "not_logged_in"


def test_page_without_a_login_redirects_to_it(login: Login) -> None:
    response = login(None).get(PAGE, follow_redirects=False)
    assert response.status_code == 307
    assert response.headers["location"] == "../api/v2/auth/login?next=%2Flearning360%2F"
    assert "360Learning" not in response.text
    login_page = login(None).get(PAGE)
    assert login_page.url.path == "/auth/login"
    assert login_page.url.params["next"] == "/learning360/"


@pytest.mark.parametrize("action", POSTS)
def test_actions_need_a_login(login: Login, connection: str, action: str) -> None:
    assert post(login(None), connection, action).status_code == 401


def test_invalid_token_is_refused(login: Login) -> None:
    client = login(None)
    client.cookies.set("_token", "nonsense")
    assert client.get(PAGE).status_code == 403


@pytest.mark.parametrize("action", POSTS)
def test_viewer_may_not_use_a_connection(login: Login, connection: str, simulator: Simulator, action: str) -> None:
    response = post(login("vera"), connection, action)
    assert response.status_code == 403
    assert code_of(response) == "not_permitted"
    assert simulator.requests == []


def test_viewer_sees_the_page_and_watched_assets_but_no_connection(login: Login, connection: str) -> None:
    client = login("vera")
    assert client.get(PAGE).status_code == client.get(f"{API}/watched").status_code == 200
    assert client.get(f"{API}/connections").json() == {
        "connections": [],
        "preselected": None,
        "may_create": False,
        "create_url": "connections",
    }


@pytest.mark.usefixtures("teams")
@pytest.mark.parametrize("action", POSTS)
def test_team_may_not_use_the_connection_of_another_team(
    login: Login, stored: Callable[..., str], simulator: Simulator, action: str
) -> None:
    one = simulator
    connection = stored("of_blue", host=one.url, login=one.company_id, password=one.api_key, team_name="blue")
    for name, code in (("olga", 403), ("vera", 403), ("otto", 200), ("ada", 200)):
        assert post(login(name), connection, action, session_id=one.session_ids[0]).status_code == code, name


@pytest.mark.usefixtures("teams")
def test_team_sees_its_own_and_shared_connections(login: Login, stored: Callable[..., str]) -> None:
    stored("of_blue", team_name="blue")
    stored("of_red", team_name="red")
    stored("of_all")

    def offered(name: str) -> list[str]:
        return [one["id"] for one in login(name).get(f"{API}/connections").json()["connections"]]

    assert offered("otto") == ["of_all", "of_blue"]
    assert offered("olga") == ["of_all", "of_red"]
    assert offered("ada") == ["of_all", "of_blue", "of_red"]


@pytest.mark.parametrize("action", POSTS)
def test_connection_of_another_type_is_not_found(
    login: Login, stored: Callable[..., str], simulator: Simulator, action: str
) -> None:
    other = stored("warehouse", "http", host=simulator.url, login="somebody", password=KEY)
    for conn_id in (other, "never_made"):
        response = post(login("ada"), conn_id, action)
        assert response.status_code == 404
        assert code_of(response) == "no_connection"
    assert simulator.requests == []


# --- origin of a request ---


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
def test_requests_from_other_sites_are_refused(
    login: Login, connection: str, simulator: Simulator, headers: dict[str, str], code: int, action: str
) -> None:
    client = login("ada")
    del client.headers["Sec-Fetch-Site"]
    client.headers.update(headers)
    assert post(client, connection, action, session_id=simulator.session_ids[0]).status_code == code
    assert bool(simulator.requests) is (code == 200)


def test_base_url_counts_as_same_origin_behind_a_proxy(
    login: Login, connection: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", "https://airflow.outside.example.com/sub")
    client = login("ada")
    del client.headers["Sec-Fetch-Site"]
    client.headers["Origin"] = "https://airflow.outside.example.com"
    assert post(client, connection, "test").status_code == 200


def test_script_with_a_token_is_accepted(login: Login, connection: str) -> None:
    token = login("ada").cookies["_token"]
    client = login(None)
    del client.headers["Sec-Fetch-Site"]
    client.headers["Authorization"] = f"Bearer {token}"
    assert post(client, connection, "test").status_code == 200


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded"])
def test_form_is_refused(login: Login, connection: str, kind: str) -> None:
    response = login("ada").post(f"{API}/connections/{connection}/test", content="{}", headers={"Content-Type": kind})
    assert response.status_code == 415


@pytest.mark.parametrize("action", POSTS)
def test_actions_accept_post_only(login: Login, connection: str, action: str) -> None:
    assert login("ada").get(f"{API}/connections/{connection}/{action}").status_code == 405


# --- headers and files ---


@pytest.mark.parametrize("path", ["", *GETS, "nothing/here", "static/..%2Fapp.py", "static/app.py"])
def test_every_response_has_security_headers(login: Login, path: str) -> None:
    response = login("ada").get(PAGE + path)
    assert response.headers["cache-control"] == ("no-cache" if path.startswith("static/") else "no-store")
    policy = response.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'self'" in policy
    assert response.headers["x-content-type-options"] == "nosniff"
    assert response.status_code == (200 if path in ("", *GETS) else 404)


def test_internal_error_has_security_headers(login: Login, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app, "list_watched_assets", lambda *_: 1 / 0)
    response = login("ada").get(f"{API}/watched")
    assert response.status_code == 500
    assert code_of(response) == "internal"
    assert "default-src 'none'" in response.headers["content-security-policy"]


def test_page_is_small_and_loads_nothing_from_elsewhere(login: Login) -> None:
    client = login("ada")
    page = client.get(PAGE)
    assert page.headers["content-type"].startswith("text/html")
    paths = [f"static/{path.name}" for path in STATIC.iterdir() if path.suffix in (".js", ".css")]
    # A reader loads one of the dictionaries, and further scripts when they are needed.
    dictionary = max(STATIC.glob("texts.??.js"), key=lambda path: path.stat().st_size)
    at_start = [f"static/{name}" for name in {*scripts_at_start(), "page.css", dictionary.name}]
    loaded = ["", *at_start, "api/operations", "api/connections", "api/watched"]
    assert sum(len(client.get(PAGE + path).content) for path in loaded) < 220_000
    for path in ("", *paths):
        text = client.get(PAGE + path).text
        assert "<script>" not in text
        assert "style=" not in text
        without_namespaces = re.sub(r"http://www\.w3\.org/\d+/[\w/]+", "", text)
        assert [word for word in ("http://", "https://", "//cdn", "@import") if word in without_namespaces] == []


def test_all_scripts_are_preloaded(login: Login) -> None:
    """Otherwise the browser would load each module only after the module that imports it; others are loaded later."""
    page = login("ada").get(PAGE).text
    assert set(re.findall(r'"static/([\w.]+\.js)"', page)) == scripts_at_start()


# --- connections ---


def test_connections_are_listed_without_keys(
    login: Login, stored: Callable[..., str], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    stored("academy", host="https://app.us.360learning.com", login="company", password=KEY, description="Ours")
    stored("warehouse", "http", password=KEY)
    monkeypatch.setenv("AIRFLOW_CONN_FROM_OUTSIDE", f"learning360://company:{KEY}@")
    monkeypatch.setenv("AIRFLOW_CONN_BROKEN", f'{{"password": "{KEY}"')
    response = login("otto").get(f"{API}/connections")
    assert "Cannot read the connection in AIRFLOW_CONN_BROKEN" in caplog.text
    assert KEY not in caplog.text
    assert response.json()["connections"] == [
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
    assert KEY not in response.text


@pytest.mark.parametrize(
    ("conn_ids", "preselected"),
    [
        ([], None),
        (["zoo", "academy"], "academy"),
        (["academy", "learning360_default", "zoo"], "learning360_default"),
    ],
)
def test_default_connection_is_preselected(
    login: Login, stored: Callable[..., str], conn_ids: list[str], preselected: str | None
) -> None:
    for conn_id in conn_ids:
        stored(conn_id)
    assert login("ada").get(f"{API}/connections").json()["preselected"] == preselected


def test_connection_test_succeeds(login: Login, connection: str, simulator: Simulator) -> None:
    response = post(login("otto"), connection, "test").json()
    assert (response["ok"], response["host"], response["failure"]) == (True, simulator.url, None)
    assert response["milliseconds"] >= 0


def test_connection_test_fails(login: Login, stored: Callable[..., str], simulator: Simulator) -> None:
    connection = stored(host=simulator.url, login=simulator.company_id, password=KEY)
    response = post(login("otto"), connection, "test")
    assert response.json()["ok"] is False
    assert response.json()["failure"]["code"] == "unauthorized"
    assert "401" in response.json()["failure"]["detail"]
    assert KEY not in response.text


def test_unusable_connection_is_refused_by_every_action(login: Login, stored: Callable[..., str]) -> None:
    connection = stored(host="http://elsewhere.example.com", login="company", password=KEY)
    for action in POSTS:
        response = post(login("otto"), connection, action)
        assert "clear text" in response.text, action
        assert KEY not in response.text


@pytest.mark.parametrize(
    "host", ["https://robot:hunter2@app.360learning.com", "hunter2 @ home", "https://a.example/hunter2"]
)
def test_invalid_host_is_not_shown(login: Login, stored: Callable[..., str], host: str) -> None:
    stored(host=host, login="company", password=KEY)
    response = login("otto").get(f"{API}/connections")
    assert response.json()["connections"][0]["host"] is None
    assert "hunter2" not in response.text


def test_listed_connection_is_the_one_that_is_used(
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
def test_connection_ids_with_special_characters_work(
    login: Login, stored: Callable[..., str], simulator: Simulator, conn_id: str
) -> None:
    stored(conn_id, host=simulator.url, login=simulator.company_id, password=simulator.api_key)
    assert post(login("otto"), quote(conn_id, safe=""), "test").json()["ok"] is True


def test_connection_of_a_former_team_is_not_found(login: Login, stored: Callable[..., str], teams: None,
                                           simulator: Simulator, monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    one = simulator
    stored("of_blue", host=one.url, login=one.company_id, password=one.api_key, team_name="blue")
    monkeypatch.setenv("AIRFLOW__CORE__MULTI_TEAM", "False")
    # A DAG does not find this connection either.
    assert post(login("ada"), "of_blue", "test").status_code == 404


VENDOR_ONLY = '"host_not_allowed"'


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
def test_stored_connection_sends_its_key_to_the_vendor_only(
    login: Login, stored: Callable[..., str], monkeypatch: pytest.MonkeyPatch, fields: dict[str, str], refused: bool
) -> None:
    monkeypatch.setenv("AIRFLOW__CORE__TEST_CONNECTION", "Disabled")
    connection = stored(login="company", password=KEY, **fields)
    # Workflows send no request, but are refused as well.
    response = post(login("otto"), connection, "workflows")
    assert response.status_code == (422 if refused else 200)
    assert (VENDOR_ONLY in response.text) is refused
    if refused:
        for action in ("test", "request"):
            assert VENDOR_ONLY in post(login("otto"), connection, action).text


def test_environment_connection_may_use_any_host(
    login: Login, learning360_simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__CORE__TEST_CONNECTION", "Disabled")
    assert post(login("otto"), "learning360_default", "test").json()["ok"] is True


def test_waiting_requests_hold_no_database_connection(login: Login, connection: str, simulator: Simulator) -> None:
    from airflow import settings

    simulator.play({"do": {"delay": 3}})
    waiting = [Thread(target=post, args=(login("otto"), connection, "test"), daemon=True) for _ in range(4)]
    for thread in waiting:
        thread.start()
    until(lambda: len(simulator.requests) == 4)
    until(lambda: settings.engine.pool.checkedout() == 0)
    simulator.stop_scenarios()


def test_waiting_requests_are_limited(login: Login, connection: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access, "_request_slots", BoundedSemaphore(1))
    assert post(login("otto"), connection, "test").json()["ok"] is True
    access._request_slots.acquire()
    response = post(login("otto"), connection, "test")
    assert response.status_code == 503
    assert code_of(response) == "too_many_requests"
    access._request_slots.release()
    assert post(login("otto"), connection, "test").json()["ok"] is True


# --- search ---


def until(condition: Callable[[], Any]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def until_complete(client: TestClient, connection: str, text: str) -> dict[str, Any]:
    for _ in range(1000):
        response: dict[str, Any] = post(client, connection, "sessions", text=text).json()
        if response["complete"]:
            return response
    raise TimeoutError


def test_session_is_found_by_name_and_by_id(login: Login, stored: Callable[..., str], simulator: Simulator) -> None:
    connection = stored("finding", host=simulator.url, login=simulator.company_id, password=simulator.api_key)
    first = simulator.session(simulator.session_ids[0])
    for text in (first["name"].strip(), first["_id"]):
        response = until_complete(login("otto"), connection, text)
        assert first["_id"] in [one["id"] for one in response["sessions"]]
    # However many searches there are, the list is read once.
    assert [one.path for one in simulator.requests] == ["/api/v1/programs/sessions"]


def test_unreadable_list_is_reported(login: Login, stored: Callable[..., str], simulator: Simulator) -> None:
    connection = stored("refused", host=simulator.url, login=simulator.company_id, password=KEY)
    response = until_complete(login("otto"), connection, "")
    assert response["error"]["code"] == "unauthorized"
    assert "401" in response["error"]["detail"]
    assert response["sessions"] == []


# --- test request ---


def test_request_returns_the_document(login: Login, connection: str, simulator: Simulator) -> None:
    session_id = simulator.session_ids[0]
    response = post(login("otto"), connection, "request", session_id=session_id).json()
    assert response["ok"] is True
    assert response["request"] == f"GET /api/v1/programs/sessions/{session_id}/"
    assert response["status"] == 200
    assert response["bytes"] > 100
    assert response["people"] == {"hidden": True, "may_reveal": True}
    assert response["document"]["_id"] == session_id
    assert {"name", "path", "type", "state", "meaning"} <= response["fields"][0].keys()


def people_of(simulator: Simulator, session_id: str) -> list[str]:
    session = simulator.session(session_id)
    return [learner["mail"] for learner in session["users"]] + [*session["tutors"], session["author"]]


def test_people_are_shown_on_request(login: Login, connection: str, simulator: Simulator) -> None:
    session_id = simulator.session_ids[0]
    masked = post(login("otto"), connection, "request", session_id=session_id).text
    shown = post(login("otto"), connection, "request", session_id=session_id, reveal=True).text
    people = people_of(simulator, session_id)
    assert people
    assert [one for one in people if one in masked] == []
    assert [one for one in people if one not in shown] == []


def test_people_are_shown_to_editors_of_the_connection_only(
    login: Login, connection: str, simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    from airflow.api_fastapi.auth.managers.simple.simple_auth_manager import SimpleAuthManager

    allowed = SimpleAuthManager.is_authorized_connection

    def reading_only(self: Any, *, method: str, **rest: Any) -> bool:
        return method == "GET" and allowed(self, method=method, **rest)

    monkeypatch.setattr(SimpleAuthManager, "is_authorized_connection", reading_only)
    client, session_id = login("otto"), simulator.session_ids[0]
    response = post(client, connection, "request", session_id=session_id)
    assert response.json()["people"] == {"hidden": True, "may_reveal": False}
    simulator.forget()
    refused = post(client, connection, "request", session_id=session_id, reveal=True)
    assert refused.status_code == 403
    assert code_of(refused) == "people_not_permitted"
    assert simulator.requests == []


@pytest.mark.parametrize(
    ("session_id", "do", "status", "code", "action"),
    [
        ("f" * 24, None, 404, "session_not_found", "choose_session"),
        ("no ID", None, None, "invalid_id", "choose_session"),
        (None, {"status": 401}, 401, "unauthorized", "fix_connection"),
        (None, {"status": 403}, 403, "forbidden", "ask"),
        (None, {"status": 429}, 429, "rate_limited", "retry"),
        (None, {"status": 429, "headers": {"Retry-After": "60"}}, 429, "rate_limited_seconds", "retry"),
        (None, {"status": 503}, 503, "unavailable", "retry"),
        (None, {"drop": True}, None, "unreachable", "retry"),
        (None, {"html": True}, 200, "contract", "report"),
    ],
)
def test_failed_request_says_what_to_do(
    login: Login, connection: str, simulator: Simulator, session_id: Any, do: Any, status: Any, code: str, action: str
) -> None:
    if do:
        simulator.play({"do": do})
    response = post(login("otto"), connection, "request", session_id=session_id or simulator.session_ids[0])
    assert response.status_code == 200
    result = response.json()
    failure = result["failure"]
    assert (result["ok"], result["status"], failure["code"], failure["action"]) == (False, status, code, action)
    assert failure["detail"]
    # The reader waits in front of the page: nothing is retried.
    assert len(simulator.requests) <= 1


def test_audit_log_has_user_and_session(login: Login, connection: str, simulator: Simulator) -> None:
    from airflow.models.log import Log
    from airflow.utils.session import create_session

    post(login("otto"), connection, "request", session_id=simulator.session_ids[1], reveal=True)
    with create_session() as session:
        row = session.query(Log).filter(Log.event == "learning360_test_request").order_by(Log.id.desc()).first()
        assert row.owner == "otto"
        assert simulator.session_ids[1] in row.extra
        assert "reveal" in row.extra


@pytest.mark.parametrize("body", [{}, {"session_id": 3}, {"session_id": "x" * 500}, {"session_id": "x", "reveal": "?"}])
def test_invalid_body_is_refused(login: Login, connection: str, body: dict[str, Any]) -> None:
    response = login("otto").post(f"{API}/connections/{connection}/request", json=body)
    assert response.status_code == 422
    assert code_of(response) == "unknown_request"


def test_large_body_is_refused(login: Login, connection: str) -> None:
    response = login("otto").post(f"{API}/connections/{connection}/request", json={"session_id": "x" * 20_000})
    assert response.status_code == 413


# --- workflows ---


def test_workflows_are_returned_in_all_dialects(login: Login, connection: str, simulator: Simulator) -> None:
    session_id = simulator.session_ids[0]
    response = post(login("otto"), connection, "workflows", session_id=session_id).json()
    assert [one["kind"] for one in response["workflows"]] == ["fetch", "wait", "events", "reminders"]
    for workflow in response["workflows"]:
        assert [one["dialect"] for one in workflow["snippets"]] == ["python", "blueprint", "dag_factory"]
        for snippet in workflow["snippets"]:
            assert session_id in snippet["text"]
            assert connection in snippet["text"]


def test_workflows_need_a_valid_session_id(login: Login, connection: str) -> None:
    response = post(login("otto"), connection, "workflows", session_id="'; drop table")
    assert response.status_code == 422
    assert code_of(response) == "invalid_id"
