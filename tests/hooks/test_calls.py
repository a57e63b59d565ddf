"""The calls of the hooks, with each kind of authentication."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_learning360.api.errors import InvalidIdError, NotFoundError
from airflow_provider_learning360.api.models import ProgramSession, SessionStatistics
from airflow_provider_learning360.api.platform import Pause

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_learning360.simulator import Simulator

pytestmark = pytest.mark.learning360_simulator(sessions=3, learners=5)

SESSIONS = "/api/v1/programs/sessions"
MODES = ("headers", "query", "oauth2")


@pytest.mark.parametrize("auth", MODES)
def test_session_is_read(hook_to: Callable[..., Any], simulator: Simulator, session_id: str, auth: str) -> None:
    session = hook_to(simulator, auth=auth)("get_program_session", session_id)
    assert isinstance(session, ProgramSession)
    assert session.document() == simulator.session(session_id)
    assert simulator.requests[-1].path == f"{SESSIONS}/{session_id}/"


@pytest.mark.parametrize("auth", MODES)
def test_all_sessions_are_read(hook_to: Callable[..., Any], simulator: Simulator, auth: str) -> None:
    sessions = hook_to(simulator, auth=auth)("list_program_sessions")
    assert [one.document() for one in sessions] == [simulator.session(one) for one in simulator.session_ids]


def test_users(hook_to: Callable[..., Any], simulator: Simulator, session_id: str) -> None:
    users = hook_to(simulator)("get_program_session_users", session_id)
    assert [one["_id"] for one in users] == [one["_id"] for one in simulator.session(session_id)["users"]]
    assert set(users[0]) == {"_id", "mail", "firstName", "lastName"}


def test_statistics(hook_to: Callable[..., Any], simulator: Simulator, session_id: str) -> None:
    statistics = hook_to(simulator)("get_program_session_stats", session_id)
    assert isinstance(statistics, SessionStatistics)
    assert statistics.document() == simulator.statistics(session_id)


def test_headers_carry_the_keys(hook_to: Callable[..., Any], simulator: Simulator) -> None:
    hook_to(simulator)("list_program_sessions")
    (seen,) = simulator.requests
    assert (seen.headers["x-company-id"], seen.headers["x-apikey"]) == (simulator.company_id, simulator.api_key)
    assert seen.query == {}
    assert "authorization" not in seen.headers


def test_query_carries_the_keys(hook_to: Callable[..., Any], simulator: Simulator) -> None:
    hook_to(simulator, auth="query")("list_program_sessions")
    (seen,) = simulator.requests
    assert seen.query == {"company": simulator.company_id, "apiKey": simulator.api_key}
    assert not {"x-apikey", "x-company-id", "authorization"} & set(seen.headers)


def test_oauth2_carries_a_token_only(hook_to: Callable[..., Any], simulator: Simulator) -> None:
    hook_to(simulator, auth="oauth2")("list_program_sessions")
    token, seen = simulator.requests
    assert (token.method, token.path) == ("POST", "/api/v2/oauth2/token")
    assert seen.headers["authorization"].startswith("Bearer ")
    assert not {"x-apikey", "x-company-id"} & set(seen.headers)
    assert simulator.api_key not in str(seen)


KEY = "k/e+y &=%?#é\u00fc~"


@pytest.mark.parametrize("auth", MODES[1:])
@pytest.mark.learning360_simulator(company_id="a company & co", api_key=KEY)
def test_keys_may_have_any_characters(hook_to: Callable[..., Any], simulator: Simulator, auth: str) -> None:
    assert len(hook_to(simulator, auth=auth)("list_program_sessions")) == 3


def test_requests_name_the_provider(hook_to: Callable[..., Any], simulator: Simulator) -> None:
    hook_to(simulator)("list_program_sessions")
    (seen,) = simulator.requests
    assert seen.headers["user-agent"].startswith("airflow-provider-learning360/")
    assert seen.headers["accept"] == "application/json"


@pytest.mark.learning360_simulator(sessions=1, learners=200)
def test_compressed_response_is_read(hook_to: Callable[..., Any], simulator: Simulator, session_id: str) -> None:
    assert hook_to(simulator)("get_program_session", session_id).document() == simulator.session(session_id)
    assert "gzip" in simulator.requests[-1].headers["accept-encoding"]


def test_unknown_session(hook_to: Callable[..., Any], simulator: Simulator) -> None:
    with pytest.raises(NotFoundError, match="program_session_not_found"):
        hook_to(simulator)("get_program_session", "0" * 24)


@pytest.mark.parametrize("session_id", ["", "42", "../../users", None])
def test_invalid_id_sends_no_request(hook_to: Callable[..., Any], simulator: Simulator, session_id: Any) -> None:
    with pytest.raises(InvalidIdError):
        hook_to(simulator)("get_program_session", session_id)
    assert not simulator.requests


def test_many_calls_use_one_tcp_connection(hook_to: Callable[..., Any], simulator: Simulator, session_id: str) -> None:
    caller = hook_to(simulator, auth="oauth2")
    for _ in range(4):
        caller("get_program_session", session_id)
        caller("get_program_session_stats", session_id)
    assert len(simulator.requests) == 9
    assert simulator.connections == 1


def test_pause_of_a_plan_is_waited(
    hook_to: Callable[..., Any], simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    def plan() -> Any:
        paused = yield Pause(12.5)
        return paused, waits[:]

    caller = hook_to(simulator)
    monkeypatch.setattr("time.sleep", waits.append)
    monkeypatch.setattr("asyncio.sleep", sleep)
    assert caller("run_plan", plan()) == (None, [12.5])
