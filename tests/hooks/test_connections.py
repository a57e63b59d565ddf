"""Missing, incomplete or invalid connections: one error with advice, and no request."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_learning360.api.errors import LearningError, SettingsError

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_learning360.simulator import Simulator


def build_settings(caller: Any) -> Any:
    if caller.kind == "sync":
        return caller.hook.settings
    return caller._loop.run(caller.hook._open())[0]


def test_eu_address_is_the_default(hook_to: Callable[..., Any]) -> None:
    assert build_settings(hook_to(None)).host == "https://app.360learning.com"


def test_other_address_is_used(hook_to: Callable[..., Any]) -> None:
    assert build_settings(hook_to("app.us.360learning.com")).host == "https://app.us.360learning.com"


@pytest.fixture
def failure(
    request: pytest.FixtureRequest, hook_to: Callable[..., Any], connect: Callable[..., str]
) -> Callable[..., str]:
    """Return the message of the error that a connection leads to."""

    def of(**fields: Any) -> str:
        caller = hook_to("https://127.0.0.1:9")
        if fields:
            connect(**fields)
        else:
            caller = type(caller)("no_such_connection")
        with pytest.raises(SettingsError) as caught:
            caller("list_program_sessions")
        assert str(caught.value).count("\n") == 0
        if not fields:
            caller.close()
        return str(caught.value)

    return of


def test_missing_connection_is_an_error(failure: Callable[..., str]) -> None:
    message = failure()
    assert "'no_such_connection' is not defined" in message
    assert "AIRFLOW_CONN_NO_SUCH_CONNECTION" in message


@pytest.mark.parametrize(
    "value",
    [
        "learning360://company:c4n#4ry@app.us.360learning.com",
        "learning360://company:c4n/4ry@app.us.360learning.com",
        "learning360://company:c4n?4ry@app.us.360learning.com",
        "learning360://company:c4n4ry@http://x://y://z",
        "learning360://company:c4n4ry@[::1",
        "learning360://company:c4n4ry@app.us.360learning.com:port",
        '{"conn_type": "learning360", "password": "c4n4ry"',
        '{"conn_type": "learning360", "passwort": "c4n4ry"}',
        '{"conn_type": "learning360", "login": 5, "password": "c4n4ry"}',
        '{"conn_type": "learning360", "port": "x", "password": "c4n4ry"}',
    ],
)
@pytest.mark.parametrize("conn_id", ["unreadable_here", "Unreadable_Here"])
def test_unreadable_variable_is_an_error(
    hook_to: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, logged: Callable[[], str], value: str, conn_id: str
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_UNREADABLE_HERE", value)
    caller = type(hook_to(None))(conn_id)
    with pytest.raises(SettingsError) as caught:
        caller("list_program_sessions")
    caller.close()
    message = str(caught.value)
    words = [f"'{conn_id}'", "AIRFLOW_CONN_UNREADABLE_HERE is set", "JSON", "conn_type", "percent-encode", "%23", "%2F"]
    assert [word for word in words if word not in message] == []
    assert "not defined" not in message
    assert "valid" not in message  # Airflow refuses valid JSON as well
    shown = f"{caught.value!r} {caught.value.__context__!r} {caught.value.__cause__!r}"
    assert "4ry" not in shown


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"login": ""}, ["company ID", "login"]),
        ({"password": None}, ["API key", "password"]),
        ({"extra": {"colour": "blue"}}, ["colour", "auth", "timeout"]),
        ({"extra": {"auth": "basic"}}, ["auth", "headers", "query", "oauth2"]),
        ({"extra": {"timeout": 0}}, ["timeout"]),
        ({"host": "http://learning.example.com"}, ["clear text", "https://", "allow_insecure_http"]),
        ({"host": "https://app.360learning.com/api/v1"}, ["a path, a query"]),
        ({"host": "ftp://app.360learning.com"}, ["no valid host"]),
    ],
    ids=["company", "key", "unknown extra", "auth", "timeout", "http", "path", "scheme"],
)
def test_unusable_connection_is_an_error(failure: Callable[..., str], fields: dict[str, Any], words: list[str]) -> None:
    message = failure(**fields)
    assert "connection 'here'" in message
    assert not [word for word in words if word not in message]


def test_plain_http_is_used_on_request(hook_to: Callable[..., Any]) -> None:
    assert build_settings(hook_to("http://learning.example.com", allow_insecure_http=True)).host.startswith("http://")


@pytest.mark.parametrize(
    ("break_it", "words"),
    [
        ("key", "Wrong API key, or a key of another company"),
        ("company", "Wrong company ID"),
        ("html", "Wrong host"),
        ("route", "Wrong host"),
        ("redirect", "Wrong host"),
        ("slow", "Time-out"),
        ("busy", "not available now"),
        ("closed", "No network path"),
        ("name", "No network path"),
        ("settings", "unknown settings"),
    ],
)
def test_failed_connection_test_names_the_cause(
    hook_to: Callable[..., Any],
    connect: Callable[..., str],
    learning360_simulator: Simulator,
    closed_port: int,
    break_it: str,
    words: str,
) -> None:
    simulator = learning360_simulator
    caller = hook_to(simulator, timeout=0.2 if break_it == "slow" else 10)
    scenarios: dict[str, dict[str, Any]] = {
        "html": {"html": True},
        "route": {"status": 404},
        "redirect": {"redirect": "http://elsewhere.example/"},
        "slow": {"delay": 5},
        "busy": {"status": 503},
    }
    fields: dict[str, dict[str, Any]] = {
        "key": {"password": "not the key"},
        "company": {"login": "nobody"},
        "closed": {"host": f"http://127.0.0.1:{closed_port}"},
        "name": {"host": "https://nowhere.invalid"},
        "settings": {"extra": {"colour": "blue"}},
    }
    if break_it in scenarios:
        simulator.play({"do": scenarios[break_it]})
    else:
        connect(**{"host": simulator.url, "extra": {"timeout": 10}, **fields[break_it]})
    works, message = caller("test_connection")
    assert not works
    assert words in message
    # A person waits at the form: nothing is retried.
    assert len(simulator.requests) <= 1


@pytest.mark.parametrize("auth", ["headers", "query", "oauth2"])
def test_connection_test_succeeds(hook_to: Callable[..., Any], learning360_simulator: Simulator, auth: str) -> None:
    works, message = hook_to(learning360_simulator, auth=auth)("test_connection")
    assert works, message
    assert learning360_simulator.url in message
    assert len(learning360_simulator.requests) == 1


def test_errors_chain_no_transport_exception(hook_to: Callable[..., Any], closed_port: int) -> None:
    with pytest.raises(LearningError) as caught:
        hook_to(f"http://127.0.0.1:{closed_port}", retry_attempts=1)("list_program_sessions")
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


def test_form_exists_on_older_airflow(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys
    from types import SimpleNamespace

    from airflow_provider_learning360.api.settings import LearningSettings, connection_fields
    from airflow_provider_learning360.hooks.learning import LearningHook

    def field(label: str, description: str) -> SimpleNamespace:
        return SimpleNamespace(label=label, description=description)

    # Only those versions install the form library.
    monkeypatch.setitem(sys.modules, "wtforms", SimpleNamespace(StringField=field))
    widgets = LearningHook.get_connection_form_widgets()
    assert list(widgets) == list(connection_fields())
    assert widgets["timeout"].label == LearningSettings.model_fields["timeout"].title
    assert "30" in widgets["timeout"].description
    behaviour = LearningHook.get_ui_field_behaviour()
    assert set(behaviour) == {"hidden_fields", "relabeling", "placeholders"}
    assert behaviour["relabeling"] == {"login": "Company ID / client ID", "password": "API key / client secret"}
    assert behaviour["hidden_fields"] == ["schema", "port"]


def test_airflow_finds_the_hook_by_the_connection_type(connect: Callable[..., str]) -> None:
    from airflow_provider_learning360.hooks.learning import LearningHook
    from airflow_provider_learning360.provider_info import get_provider_info

    (kind,) = get_provider_info()["connection-types"]
    assert kind["connection-type"] == LearningHook.conn_type == "learning360"
    assert kind["hook-name"] == LearningHook.hook_name
    assert kind["hook-class-name"] == f"{LearningHook.__module__}.{LearningHook.__qualname__}"
