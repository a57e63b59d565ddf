"""The settings that a connection stored in Airflow may have on the page: it leads to 360Learning only."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from fastapi.testclient import TestClient

from airflow_provider_learning360.api.errors import SettingsError
from airflow_provider_learning360.api.settings import LearningSettings
from airflow_provider_learning360.ui import connections
from airflow_provider_learning360.ui.connections import ALLOWED_SETTINGS, LIMITS, RETRY_LIMITS, PageHook

Login = Callable[[str | None], TestClient]

KEY = "key-5d1f-canary"
BODIES: dict[str, dict[str, Any]] = {
    "test": {},
    "sessions": {"text": ""},
    "request": {"session_id": "60b8d2956e20ae1a0f8e44f1"},
    "workflows": {"session_id": "60b8d2956e20ae1a0f8e44f1"},
}
# Each of these was reviewed: it names no file and no other host, and the limits of the page bound its cost.
REVIEWED = {
    "host",
    "company_id",
    "api_key",
    "api_version",
    "auth",
    "missing_poll_interval",
    "requests_per_second",
    "retry_budget",
    "trust_env",
    "allow_insecure_http",
    "connection",
    *RETRY_LIMITS,
    *LIMITS,
}


@pytest.fixture(autouse=True)
def _airflows_own_test_is_off(_connections_may_use_any_host: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__CORE__TEST_CONNECTION", "Disabled")


def settings(**extra: Any) -> LearningSettings:
    return LearningSettings.from_connection("stored", login="company", password=KEY, extra=extra)


def failure_of(response: Any) -> dict[str, Any]:
    """The failure in an error, or in a result."""
    body = response.json()
    failure: dict[str, Any] = body.get("error") or body["failure"]
    assert failure["code"] == "settings_not_allowed"
    return failure


class Later(LearningSettings):
    """The settings of a later version."""

    max_document_bytes: int | None = None
    max_list_bytes: int = 2**40
    max_list_seconds: float = 5.0
    key_file: str | None = None


# --- allowed settings ---


@pytest.mark.parametrize("name", LearningSettings.model_fields)
def test_every_setting_is_allowed_or_refused(name: str) -> None:
    if name in ALLOWED_SETTINGS:
        assert name in REVIEWED
        return
    with pytest.raises(SettingsError, match=rf"\(settings_not_allowed\): {name}\."):
        connections._require_allowed_settings(settings().model_copy(update={name: "/etc/passwd"}))


def test_new_setting_is_refused_until_it_is_reviewed() -> None:
    later = Later(**settings().model_dump(exclude={"api_key"}), api_key=KEY)
    connections._require_allowed_settings(later)
    with pytest.raises(SettingsError, match=r"\(settings_not_allowed\): key_file\."):
        connections._require_allowed_settings(later.model_copy(update={"key_file": "/etc/passwd"}))


@pytest.mark.parametrize("value", [1, 0, "", "true"])
def test_value_of_another_type_than_the_default_is_refused(value: Any) -> None:
    with pytest.raises(SettingsError, match="verify"):
        connections._require_allowed_settings(settings().model_copy(update={"verify": value}))


def test_limits_apply_to_known_settings() -> None:
    generous = settings(timeout=80_000, retry_attempts=99, max_rate_limit_wait=80_000)
    own = Later.model_fields.keys() & LIMITS.keys() - {"timeout"}
    later = Later(**generous.model_dump(exclude={"api_key", *own}), api_key=KEY)
    bounded = connections._limit_settings(later)
    assert (bounded.timeout, bounded.retry_attempts, bounded.max_rate_limit_wait) == (20.0, 1, 0.0)
    assert (bounded.max_document_bytes, bounded.max_list_bytes, bounded.max_list_seconds) == (2**26, 2**30, 5.0)
    assert bounded.model_dump().keys() == later.model_dump().keys()


def test_settings_stay_within_the_limits_of_the_page(
    stored: Callable[..., str],
) -> None:
    most = {"retry_attempts": 1000, "max_document_bytes": 2**40, "max_list_bytes": 2**40, "max_error_bytes": 2**40}
    known = {name: most.get(name, 80_000) for name in LIMITS if name in LearningSettings.model_fields}
    conn_id = stored(login="company", password=KEY, extra=json.dumps(known))
    bounded = PageHook(conn_id).settings
    assert known
    assert [name for name in known if getattr(bounded, name) > LIMITS[name]] == []


# --- files ---


@pytest.fixture(params=["file", "folder", "fifo", "missing"])
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A path to a file, a folder, a FIFO, or nothing."""
    one = tmp_path / "somewhere.pem"
    match request.param:
        case "file":
            one.write_text("hunter2")
        case "folder":
            one.mkdir()
        case "fifo":
            os.mkfifo(one)
    return one


@pytest.mark.parametrize("name", ["verify", "cert"])
@pytest.mark.parametrize("action", BODIES)
def test_path_is_refused_without_being_opened(
    login: Login, stored: Callable[..., str], monkeypatch: pytest.MonkeyPatch, path: Path, name: str, action: str
) -> None:
    connection = stored(login="company", password=KEY, extra=json.dumps({name: str(path)}))
    client, responses, touched = login("otto"), [], []
    stat = os.stat

    def recording(one: Any, *args: Any, **kwargs: Any) -> Any:
        if str(one) == str(path):
            touched.append("stat")
        return stat(one, *args, **kwargs)

    monkeypatch.setattr(os, "stat", recording)
    monkeypatch.setattr(
        "airflow_provider_learning360.hooks.learning.build_connection_ssl_context", lambda _: touched.append("tls")
    )
    url = f"/learning360/api/connections/{connection}/{action}"
    asking = Thread(target=lambda: responses.append(client.post(url, json=BODIES[action])), daemon=True)
    asking.start()
    asking.join(60)  # a FIFO would hang for ever
    (response,) = responses
    assert failure_of(response)["values"] == {"settings": name}
    assert response.json().get("ok", False) is False
    assert touched == []
    # The response does not depend on what is there.
    assert "somewhere" not in response.text
    assert KEY not in response.text


@pytest.mark.parametrize("proxies", ["http://127.0.0.1:9", {"https": "http://user:hunter2@127.0.0.1:9"}])
@pytest.mark.parametrize("action", BODIES)
def test_proxy_is_refused(login: Login, stored: Callable[..., str], proxies: Any, action: str) -> None:
    connection = stored(login="company", password=KEY, extra=json.dumps({"proxies": proxies}))
    response = login("otto").post(f"/learning360/api/connections/{connection}/{action}", json=BODIES[action])
    assert failure_of(response)["values"] == {"settings": "proxies"}
    assert "hunter2" not in response.text


def test_allowed_settings_are_used(login: Login, stored: Callable[..., str]) -> None:
    extra = {"auth": "oauth2", "timeout": 5, "retry_attempts": 3, "trust_env": False, "verify": "true", "proxies": ""}
    connection = stored(login="company", password=KEY, extra=json.dumps(extra))
    response = login("otto").post(f"/learning360/api/connections/{connection}/workflows", json=BODIES["workflows"])
    assert response.status_code == 200


def test_every_setting_is_used_where_airflow_allows_connection_tests(
    stored: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__CORE__TEST_CONNECTION", "Enabled")
    conn_id = stored(login="company", password=KEY, extra=json.dumps({"proxies": "http://127.0.0.1:9"}))
    assert PageHook(conn_id).settings.proxies == "http://127.0.0.1:9"
