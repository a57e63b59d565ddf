"""Keys of both versions of the API get a token. Errors say so until the API has accepted the keys once."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from airflow_provider_learning360.api.errors import ForbiddenError, NotFoundError, UnauthorizedError
from airflow_provider_learning360.simulator import Simulator

COMPANY = "5f8d3e2a1b4c6d7e8f9a0b1c"
HINT_V1 = "looks like a client ID of API v2"
HINT_V2 = "looks like a company ID of API v1"
V1_MODES = [{}, {"auth": "query"}, {"auth": "oauth2"}]
REFUSAL = {"do": {"status": 403}}


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    """A simulator whose keys have the shapes of real ones."""
    with Simulator(sessions=1, company_id=COMPANY) as one:
        yield one


@pytest.fixture
def open_with(hook_to: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Open a hook with these keys and this extra."""

    def open_hook(simulator: Simulator, login: str, password: str, **extra: Any) -> Any:
        caller = hook_to(simulator, **extra)
        fields = {"conn_type": "learning360", "host": simulator.url, "login": login, "password": password}
        monkeypatch.setenv("AIRFLOW_CONN_HERE", json.dumps({**fields, "extra": {"retry_attempts": 1, **extra}}))
        return caller

    return open_hook


@pytest.mark.parametrize("extra", V1_MODES, ids=str)
def test_keys_of_v2_are_recognized_on_v1(
    open_with: Callable[..., Any], simulator: Simulator, extra: dict[str, Any]
) -> None:
    caller = open_with(simulator, simulator.client_id, simulator.client_secret, **extra)
    for _ in range(2):  # until a request succeeds
        with pytest.raises(UnauthorizedError, match=HINT_V1):
            caller("get_program_session", simulator.session_ids[0])
    works, message = caller("test_connection")
    assert not works
    assert HINT_V1 in message


def test_keys_of_v1_are_recognized_on_v2(open_with: Callable[..., Any], simulator: Simulator) -> None:
    caller = open_with(simulator, simulator.company_id, simulator.api_key, api_version="v2")
    works, message = caller("test_connection")
    assert not works
    assert HINT_V2 in message
    with pytest.raises(ForbiddenError, match=HINT_V2) as caught:
        caller("get_program_session", simulator.session_ids[0])
    said = str(caught.value)
    assert not caught.value.scope
    assert [word for word in ("lacks", "paths:read", "Grant") if word in said] == []
    assert len(said) < 300


def test_keys_of_an_unknown_shape_may_be_of_v1(open_with: Callable[..., Any]) -> None:
    with Simulator(sessions=1, scopes=["users:read"]) as simulator:
        caller = open_with(simulator, simulator.company_id, simulator.api_key, api_version="v2")
        with pytest.raises(ForbiddenError, match="or these are keys of API v1") as caught:
            caller("get_program_session", simulator.session_ids[0])
        assert caught.value.scope == "paths:read"


@pytest.mark.parametrize("extra", [*V1_MODES, {"api_version": "v2"}], ids=str)
def test_keys_that_have_worked_are_not_suspected(open_with: Callable[..., Any], extra: dict[str, Any]) -> None:
    # The shape alone is suspicious: the keys are right.
    is_v2 = "api_version" in extra
    keys = {"client_id": COMPANY} if is_v2 else {"company_id": "ab" * 16}
    with Simulator(sessions=1, **keys) as simulator:
        keys_of = (COMPANY, simulator.client_secret) if is_v2 else ("ab" * 16, simulator.api_key)
        caller = open_with(simulator, *keys_of, **extra)
        works, message = caller("test_connection")
        assert works
        assert "looks like" not in message
        simulator.play({"when": {"path": "sessions"}, **REFUSAL})
        with pytest.raises(ForbiddenError) as caught:
            caller("get_program_session", simulator.session_ids[0])
        assert "looks like" not in str(caught.value)


def test_missing_session_shows_that_the_keys_work(open_with: Callable[..., Any]) -> None:
    with Simulator(sessions=1, company_id="ab" * 16) as simulator:
        caller = open_with(simulator, "ab" * 16, simulator.api_key)
        with pytest.raises(NotFoundError):
            caller("get_program_session", "0" * 24)
        simulator.play({"when": {"path": "sessions"}, **REFUSAL})
        with pytest.raises(ForbiddenError) as caught:
            caller("get_program_session", simulator.session_ids[0])
        assert "looks like" not in str(caught.value)


def test_usual_keys_are_not_tried_twice(open_with: Callable[..., Any], simulator: Simulator) -> None:
    caller = open_with(simulator, simulator.company_id, simulator.api_key)
    assert caller("test_connection")[0]
    assert [one.path for one in simulator.requests] == ["/api/v2/oauth2/token"]


def test_texts_of_v2_name_client_id_and_secret(open_with: Callable[..., Any], simulator: Simulator) -> None:
    right = open_with(simulator, simulator.client_id, simulator.client_secret, api_version="v2")
    assert "accepted client ID and client secret in" in right("test_connection")[1]
    wrong = open_with(simulator, simulator.client_id, "wrong", api_version="v2")
    works, message = wrong("test_connection")
    assert not works
    assert message.startswith("Wrong client secret")
    assert "Check client ID, client secret and host of connection" in message
    assert "API key" not in message
