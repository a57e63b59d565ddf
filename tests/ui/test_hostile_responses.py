"""The page responds within its limits, whatever 360Learning sends and whatever the reader types."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterator
from threading import BoundedSemaphore
from typing import Any

import pytest
from fastapi.testclient import TestClient
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_learning360.api.errors import UnavailableError
from airflow_provider_learning360.api.settings import LearningSettings
from airflow_provider_learning360.ui import access, app, connections, session_list, watched_assets
from airflow_provider_learning360.ui.app import SafeResponse
from airflow_provider_learning360.ui.session_list import SessionLists
from airflow_provider_learning360.ui.text import readable_name, readable_text

Login = Callable[[str | None], TestClient]

API = "/learning360/api"
ID = "60b8d2956e20ae1a0f8e44f1"
KEY = "key-5d1f-canary"

# Halves of characters, control characters, and those that turn the direction of writing.
HOSTILE = "ca\ud83d \udc80 \x00 \x1b[31m \x07 \u202eevil\u202c \u2066 \u2028 \ufeff"
TEXTS = st.text(st.characters() | st.sampled_from("\ud83d\udc80\x00\x1b\u202e"), max_size=20)
VALUES = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.integers(2**62, 2**90) | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)


@pytest.fixture
def connection(stored: Callable[..., str], fixed_server: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A stored connection to the server with the fixed response."""
    monkeypatch.setattr(app, "session_lists", SessionLists())
    return stored("hostile", host=fixed_server.url, login="company", password=KEY)


def post(client: TestClient, connection: str, action: str, **body: Any) -> Any:
    headers = {"Content-Type": "application/json"}
    # Escaped, as a browser sends half a character.
    return client.post(f"{API}/connections/{connection}/{action}", content=json.dumps(body), headers=headers)


def read_list(client: TestClient, connection: str, text: str = "") -> dict[str, Any]:
    for _ in range(1000):
        response = post(client, connection, "sessions", text=text)
        assert response.status_code == 200
        if response.json()["complete"]:
            complete: dict[str, Any] = response.json()
            return complete
    raise TimeoutError


def read_document(client: TestClient, connection: str, *, reveal: bool = True) -> dict[str, Any]:
    response = post(client, connection, "request", session_id=ID, reveal=reveal)
    assert response.status_code == 200
    assert len(response.content) < 3_000_000
    document: dict[str, Any] = response.json()
    return document


def steering(text: str) -> list[str]:
    return [one for one in text if one in "\x00\x07\x1b\ufeff\u2028\u202e\u202c\u2066" or "\ud800" <= one <= "\udfff"]


# --- values in a response ---


@given(VALUES)
def test_safe_response_writes_any_value(value: Any) -> None:
    body = SafeResponse({"value": value}).body
    assert json.loads(body, parse_constant=lambda name: pytest.fail(name)).keys() == {"value"}


@pytest.mark.parametrize("value", [HOSTILE, {HOSTILE: [HOSTILE]}, math.nan, -math.inf, 2**70], ids=ascii)
def test_route_responds_with_any_value(login: Login, monkeypatch: pytest.MonkeyPatch, value: Any) -> None:
    monkeypatch.setattr(app, "list_watched_assets", lambda *_: {"value": value})
    response = login("ada").get(f"{API}/watched")
    assert response.status_code == 200
    assert response.json().keys() == {"value"}


def test_error_responds_with_any_text(login: Login, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> None:
        raise UnavailableError(f"{HOSTILE}\n{'x' * 10_000}")

    monkeypatch.setattr(app, "list_watched_assets", fail)
    response = login("ada").get(f"{API}/watched")
    assert response.status_code == 502
    detail = response.json()["error"]["detail"]
    assert steering(detail) == []
    assert len(detail) < 3000


@given(TEXTS, st.integers(0, 30))
def test_texts_have_no_control_characters_and_are_cut(text: str, longest: int) -> None:
    name, several = readable_name(text, longest), readable_text(text, longest)
    assert steering(name) == steering(several) == []
    assert "\n" not in name
    assert max(len(name), len(several)) <= longest + 1
    assert readable_text("<p>\n\tbonjour é 😀</p>\r\n") == "<p>\n\tbonjour é 😀</p>\r\n"


# --- the list ---


def test_bad_entry_is_left_out_and_counted(login: Login, connection: str, fixed_server: Any) -> None:
    good = [{"_id": f"{number:024x}", "name": f"Good {number}"} for number in range(3)]
    bad: list[Any] = [
        {"_id": ID, "startDate": 7},
        {"_id": ID, "name": {"a": 1}},
        {"_id": "no ID"},
        {"_id": [[[]]]},
        {},
    ]
    fixed_server.body = json.dumps([*bad, good[0], *bad, *good[1:]]).encode()
    response = read_list(login("otto"), connection)
    assert [one["name"] for one in response["sessions"]] == ["Good 0", "Good 1", "Good 2"]
    assert (response["read"], response["unreadable"], response["error"]) == (3, 10, None)


def test_list_with_odd_characters_and_dates_is_read(login: Login, connection: str, fixed_server: Any) -> None:
    fixed_server.body = json.dumps([
        {"_id": f"{1:024x}", "name": HOSTILE, "programTemplate": HOSTILE, "userLimit": 2**70},
        {"_id": f"{2:024x}", "name": "open end", "endDate": "9999-12-31T23:59:59.999Z", "startDate": "0001-01-01"},
        {"_id": f"{3:024x}", "name": "late", "startDate": "9999-12-31T23:59:59.999Z", "programDuration": math.nan},
    ]).encode()  # fmt: skip
    response = read_list(login("otto"), connection)
    assert len(response["sessions"]) == 3
    assert [one for session in response["sessions"] for one in steering(json.dumps(session, ensure_ascii=False))] == []


@pytest.mark.parametrize("body", [b"", b"{}", b"<html>", b"[" * 100_000, b'["' + b"x" * 100_000, b"[1" + b"\xff]"])
def test_response_that_is_not_a_list_is_reported(login: Login, connection: str, fixed_server: Any, body: bytes) -> None:
    fixed_server.body = body
    assert read_list(login("otto"), connection)["error"]


def test_search_accepts_any_query(login: Login, connection: str, fixed_server: Any) -> None:
    fixed_server.body = json.dumps([{"_id": ID, "name": "Good"}]).encode()
    client = login("otto")
    for text in ("\x00 \x1b \u202e \u2028", "[", "\\", "%", "good " * 30, "x" * 200):
        assert read_list(client, connection, text)["read"] == 1
    for text in ("x" * 201, "half an emoji \ud83d"):
        response = post(client, connection, "sessions", text=text)
        assert response.status_code == 422
        assert response.json()["error"]["code"] == "unknown_request"


def test_concurrent_searches_are_limited(
    login: Login, connection: str, fixed_server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(access, "_search_slots", BoundedSemaphore(1))
    assert read_list(login("otto"), connection)["read"] == 0
    with access._search_slots:
        response = post(login("otto"), connection, "sessions")
    assert response.status_code == 503
    assert response.json()["error"]["code"] == "too_many_searches"
    assert read_list(login("otto"), connection)["read"] == 0


def test_concurrent_lists_are_limited(
    login: Login, connection: str, fixed_server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session_list, "MAX_READERS", 0)
    response = post(login("otto"), connection, "sessions")
    assert response.status_code == 503
    assert response.json()["error"]["code"] == "too_many_lists"
    assert fixed_server.paths == []


# --- the document ---


@pytest.mark.parametrize("depth", [60, 500, 5000, 200_000])
@pytest.mark.parametrize("brackets", [(b"[", b"]"), (b'{"k":', b"}")], ids=["list", "object"])
def test_deeply_nested_document_gets_a_response(
    login: Login, connection: str, fixed_server: Any, depth: int, brackets: tuple[bytes, bytes]
) -> None:
    inside = brackets[0] * depth + b"1" + brackets[1] * depth
    fixed_server.body = b'{"_id": "%b", "requirements": {"courses": [%b]}, "color": %b}' % (ID.encode(), inside, inside)
    response = read_document(login("otto"), connection)
    assert response["ok"] or response["failure"]


@pytest.mark.parametrize(
    "fields",
    [
        {"color": list(range(500_000))},
        {"groups": ["x"] * 500_000},
        {"requirements": {"courses": [{f"k{number}": number} for number in range(300_000)]}},
        {"modules": [{"type": f"kind {number}"} for number in range(50_000)]},
        {f"k{number}" * 500: number for number in range(1000)},
        {"name": "n" * 3_000_000, "description": "d" * 3_000_000},
        {"color": {"x" * 1_000_000: "y" * 1_000_000}},
    ],
    ids=lambda fields: " ".join(fields)[:12],
)
def test_large_document_gets_a_response(
    login: Login, connection: str, fixed_server: Any, fields: dict[str, Any]
) -> None:
    fixed_server.body = json.dumps({"_id": ID, **fields}).encode()
    response = read_document(login("otto"), connection)
    assert response["ok"] is True
    assert len(response["title"]) < 2100


def test_field_too_large_to_search_is_hidden(login: Login, connection: str, fixed_server: Any) -> None:
    fixed_server.body = json.dumps({"_id": ID, "description": "ann " * 600_000, "groups": ["ann"] * 210_000}).encode()
    hidden = read_document(login("otto"), connection, reveal=False)["document"]
    assert "ann" not in json.dumps(hidden)
    assert "ann" in json.dumps(read_document(login("otto"), connection)["document"])


def test_document_with_odd_characters_gets_a_response(login: Login, connection: str, fixed_server: Any) -> None:
    odd = {"name": HOSTILE, "description": f"<p>\n{HOSTILE}", "color": {HOSTILE: HOSTILE}, HOSTILE: [HOSTILE]}
    fixed_server.body = json.dumps({"_id": ID, "userLimit": 2**70, "programDuration": math.nan, **odd}).encode()
    response = read_document(login("otto"), connection)
    assert response["ok"] or response["failure"]
    assert steering(json.dumps(response, ensure_ascii=False)) == []


# --- size and time ---

HAS_BOUNDS = {"max_document_seconds", "max_list_bytes"} <= LearningSettings.model_fields.keys()
needs_bounds = pytest.mark.skipif(not HAS_BOUNDS, reason="this version has no bounds for an response")


def until(condition: Callable[[], Any]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@needs_bounds
@pytest.mark.parametrize(("action", "asked"), [("test", {}), ("request", {"session_id": ID})])
def test_slow_document_times_out(
    login: Login,
    connection: str,
    fixed_server: Any,
    monkeypatch: pytest.MonkeyPatch,
    action: str,
    asked: dict[str, str],
) -> None:
    monkeypatch.setitem(connections.LIMITS, "max_document_seconds", 1.0)
    fixed_server.drips = True
    fixed_server.body = b'{"_id": '
    response = post(login("otto"), connection, action, **asked)
    assert response.status_code == 200
    assert response.json()["ok"] is False


@needs_bounds
def test_slow_list_times_out_and_its_thread_ends(
    login: Login, connection: str, fixed_server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(connections.LIMITS, "max_list_seconds", 1.0)
    fixed_server.drips = True
    fixed_server.body = b'[{"_id": "%b", "name": "Good"}, ' % ID.encode()
    client = login("otto")
    until(lambda: post(client, connection, "sessions").json()["complete"])
    assert post(client, connection, "sessions").json()["error"]
    assert [one for one in app.session_lists._reading.values() if one.finished is None] == []


@needs_bounds
def test_response_larger_than_the_page_limit_is_refused(
    login: Login, connection: str, fixed_server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(connections.LIMITS, "max_document_bytes", 1000)
    monkeypatch.setitem(connections.LIMITS, "max_list_bytes", 1000)
    fixed_server.body = b'{"_id": "%b", "name": "%b"}' % (ID.encode(), b"x" * 5000)
    assert "max_document_bytes" in read_document(login("otto"), connection)["failure"]["detail"]
    fixed_server.body = b"[%b]" % fixed_server.body
    assert "max_list_bytes" in read_list(login("otto"), connection)["error"]["detail"]


# --- requests ---


def test_body_without_length_is_limited(login: Login, connection: str) -> None:
    taken = []

    def body() -> Iterator[bytes]:
        for _ in range(1000):
            taken.append(1)
            yield b" " * 1000

    headers = {"Content-Type": "application/json"}
    response = login("otto").post(f"{API}/connections/{connection}/request", content=body(), headers=headers)
    assert response.status_code == 413
    assert response.json()["error"]["code"] == "body_too_large"


@pytest.mark.parametrize("body", [b"", b"{", b"[" * 9000, b"\xff", b'{"session_id": "\\ud83d"}', b"null", b"NaN"])
def test_unreadable_body_gets_an_error(login: Login, connection: str, body: bytes) -> None:
    headers = {"Content-Type": "application/json"}
    response = login("otto").post(f"{API}/connections/{connection}/request", content=body, headers=headers)
    assert response.status_code in (200, 400, 422)
    assert response.json().get("error") or response.json()["failure"]


@pytest.mark.parametrize("conn_id", ["a%00b", "%1b", "%E2%80%AE"])
def test_unprintable_connection_id_is_not_looked_up(
    login: Login, monkeypatch: pytest.MonkeyPatch, conn_id: str
) -> None:
    monkeypatch.setattr(app, "PageHook", lambda _: pytest.fail("it was looked up"))
    response = post(login("otto"), conn_id, "test")
    assert response.status_code == 404
    assert response.json()["error"]["code"] == "no_connection"


@pytest.mark.parametrize("stored_text", ["", "{", "[1]", "[" * 100_000, '"{"', "7", None, {"x": 1}, [1]])
def test_foreign_values_in_the_asset_store_are_ignored(stored_text: Any) -> None:
    assert isinstance(watched_assets._decode_stored(stored_text), dict)


# --- unexpected errors ---


def test_unexpected_error_is_logged_once_without_values(
    login: Login, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: Any) -> None:
        try:
            raise KeyError(KEY)
        except KeyError as error:
            raise ValueError(KEY) from error

    monkeypatch.setattr(app, "list_watched_assets", fail)
    response = login("ada").get(f"{API}/watched")
    assert response.status_code == 500
    assert response.json()["error"]["code"] == "internal"
    assert caplog.text.count("Unexpected ValueError while answering GET") == 1
    assert caplog.text.count("in fail") == 2
    assert "KeyError, at" in caplog.text
    assert KEY not in caplog.text
    assert [record for record in caplog.records if record.exc_info] == []


# --- answers of operations ---


@pytest.mark.parametrize(
    "value",
    [
        {HOSTILE: HOSTILE, "name": HOSTILE},
        {"name": math.nan, "a": math.inf, "b": 10**400 // 10**60, "c": 2**62},
        {"name": "x" * 100_000},
        {"name": [[[[[[[[[[["deep"]]]]]]]]]]]},
        {"items": list(range(5000))},
        {str(number): number for number in range(5000)},
        {"a": [{str(number): [number] * 50 for number in range(50)}] * 50},
        {"_id": {"_id": {"_id": None}}, "": "", " ": [None]},
    ],
    ids=lambda one: str(one)[:20],
)
@pytest.mark.parametrize("reveal", [False, True])
@pytest.mark.parametrize("is_list", [False, True])
def test_any_answer_of_an_operation_is_described(
    login: Login, connection: str, fixed_server: Any, value: dict[str, Any], reveal: bool, is_list: bool
) -> None:
    name = "list-program-sessions-v1" if is_list else "get-program-session-v1"
    fixed_server.body = json.dumps([value] * 3 if is_list else value).encode()
    parameters = {} if is_list else {"session_id": ID}
    response = post(login("otto"), connection, "operation", name=name, parameters=parameters, reveal=reveal)
    assert response.status_code == 200
    assert len(response.content) < 5_000_000
    assert steering(response.text) == []
    assert KEY not in response.text
    result = response.json()
    assert result["ok"] or result["failure"]["code"] == "contract"


@pytest.mark.parametrize("body", [b"", b"null", b"5", b"{", b"[", b"[1, null]", b'["a", {}]', b"[" * 100_000, b"\xff"])
@pytest.mark.parametrize("name", ["list-program-sessions-v1", "get-program-session-v1"])
def test_answer_that_is_no_object_is_described(
    login: Login, connection: str, fixed_server: Any, body: bytes, name: str
) -> None:
    fixed_server.body = body
    parameters = {"session_id": ID} if name.startswith("get") else {}
    response = post(login("otto"), connection, "operation", name=name, parameters=parameters)
    assert response.status_code == 200
    result = response.json()
    assert result["ok"] or result["failure"]["code"] in ("contract", "too_large")


@pytest.mark.parametrize("name", ["list-program-sessions-v1", "create-user"])
def test_hostile_arguments_get_a_response(login: Login, connection: str, name: str) -> None:
    for value in (HOSTILE, [HOSTILE], {HOSTILE: HOSTILE}, "{{ 1/0 }}", 10**30):
        for action in ("operation", "operation-workflows", "archive", "reminders"):
            body = {"name": name, "parameters": {HOSTILE: value}, "body": value, "options": {HOSTILE: value},
                    "picked": [HOSTILE], "dialect": "python", "policy": {HOSTILE: value}}  # fmt: skip
            response = post(login("otto"), connection, action, **body, workflow=body)
            assert response.status_code in (200, 404, 422), (action, response.text)
            assert steering(response.text) == []
