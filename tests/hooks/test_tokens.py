"""OAuth2: the number of requests and of token calls."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_learning360.api.errors import ContractError, UnauthorizedError, UnavailableError
from airflow_provider_learning360.hooks import learning, learning_async
from airflow_provider_learning360.hooks.connection import build_call_context
from airflow_provider_learning360.hooks.learning import LearningHook
from airflow_provider_learning360.hooks.learning_async import LearningAsyncHook

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_learning360.simulator import Simulator

pytestmark = pytest.mark.learning360_simulator(sessions=1, learners=3)

TOKEN = "/api/v2/oauth2/token"


def counted(simulator: Simulator) -> tuple[int, int]:
    """Return the number of token calls, and of other calls."""
    token_calls = sum(one.path == TOKEN for one in simulator.requests)
    return token_calls, len(simulator.requests) - token_calls


def test_token_is_kept(hook_to: Callable[..., Any], simulator: Simulator) -> None:
    caller = hook_to(simulator, auth="oauth2")
    for _ in range(3):
        caller("list_program_sessions")
    assert counted(simulator) == (1, 3)


def test_call_and_its_token_call_share_a_deadline(
    connect: Callable[..., str], simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    deadlines = []

    def note(*arguments: Any) -> Any:
        deadlines.append(arguments[3])
        return build_call_context(*arguments)

    monkeypatch.setattr(learning, "build_call_context", note)
    conn_id = connect(
        host=simulator.url, login=simulator.company_id, password=simulator.api_key, extra={"auth": "oauth2"}
    )
    hook = LearningHook(conn_id)
    hook.time_limit = 60.0
    hook.list_program_sessions()
    assert counted(simulator) == (1, 1)
    assert len(deadlines) == 2
    assert len(set(deadlines)) == 1
    assert deadlines[0] is not None


@pytest.mark.parametrize("auth", ["headers", "query"])
def test_refused_key_is_sent_once(hook_to: Callable[..., Any], simulator: Simulator, auth: str) -> None:
    simulator.play({"do": {"status": 401}})
    with pytest.raises(UnauthorizedError):
        hook_to(simulator, auth=auth)("list_program_sessions")
    assert counted(simulator) == (0, 1)


def test_refused_fresh_token_is_an_error(hook_to: Callable[..., Any], simulator: Simulator) -> None:
    simulator.play({"when": {"path": "/api/v1/"}, "do": {"status": 401}})
    with pytest.raises(UnauthorizedError):
        hook_to(simulator, auth="oauth2")("list_program_sessions")
    assert counted(simulator) == (1, 1)


def test_refused_token_that_worked_before_is_renewed(hook_to: Callable[..., Any], simulator: Simulator) -> None:
    caller = hook_to(simulator, auth="oauth2")
    caller("list_program_sessions")
    simulator.forget()
    simulator.play({"when": {"path": "/api/v1/"}, "do": {"status": 401}})
    with pytest.raises(UnauthorizedError):
        caller("list_program_sessions")
    assert counted(simulator) == (1, 2)


def test_expired_token_is_renewed_once(hook_to: Callable[..., Any], simulator: Simulator) -> None:
    caller = hook_to(simulator, auth="oauth2")
    caller("list_program_sessions")
    simulator.revoke_tokens()
    simulator.forget()
    assert len(caller("list_program_sessions")) == 1
    assert counted(simulator) == (1, 2)


def test_refused_keys_get_no_token(hook_to: Callable[..., Any], simulator: Simulator) -> None:
    simulator.play({"when": {"path": TOKEN}, "do": {"status": 401, "body": {"error": "invalid_client"}}})
    with pytest.raises(UnauthorizedError, match="invalid_client"):
        hook_to(simulator, auth="oauth2")("list_program_sessions")
    assert counted(simulator) == (1, 0)


def test_unavailable_token_route_is_retried(
    hook_to: Callable[..., Any], simulator: Simulator, waits: list[float]
) -> None:
    simulator.play({"when": {"path": TOKEN}, "do": {"status": 503}})
    with pytest.raises(UnavailableError):
        hook_to(simulator, auth="oauth2", retry_attempts=3)("list_program_sessions")
    # Not three times three: the call does not retry what the token call gave up.
    assert counted(simulator) == (3, 0)


@pytest.mark.learning360_simulator(token_life=100)
def test_token_is_renewed_before_it_expires(
    hook_to: Callable[..., Any], simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    caller = hook_to(simulator, auth="oauth2")
    caller("list_program_sessions")
    credentials = caller.hook.credentials if caller.kind == "sync" else caller.hook._credentials
    monkeypatch.setattr(
        credentials, "token", credentials.token.__class__("old", 100.0, credentials.token.received_at - 51)
    )
    simulator.forget()
    caller("list_program_sessions")
    assert counted(simulator) == (1, 1)


def test_concurrent_calls_share_one_token_call(hook_to: Callable[..., Any], simulator: Simulator) -> None:
    simulator.play({"when": {"path": TOKEN}, "do": {"delay": 0.1}})
    caller = hook_to(simulator, auth="oauth2")
    assert [len(one) for one in caller.many(8, "list_program_sessions")] == [1] * 8
    assert counted(simulator) == (1, 8)


@pytest.mark.slow
def test_concurrent_calls_renew_an_expired_token_once(hook_to: Callable[..., Any], simulator: Simulator) -> None:
    caller = hook_to(simulator, auth="oauth2")
    caller("list_program_sessions")
    simulator.revoke_tokens()
    simulator.forget()
    simulator.play({"when": {"path": TOKEN}, "do": {"delay": 0.1}})
    caller.many(8, "list_program_sessions")
    token_calls, _ = counted(simulator)
    assert token_calls == 1


@pytest.mark.learning360_simulator(expires_in_as=int)
def test_lifetime_may_be_a_number(hook_to: Callable[..., Any], simulator: Simulator) -> None:
    caller = hook_to(simulator, auth="oauth2")
    caller("list_program_sessions")
    caller("list_program_sessions")
    assert counted(simulator) == (1, 2)


LIFETIMES = [
    "",
    ', "expires_in": 0',
    ', "expires_in": -1',
    ', "expires_in": NaN',
    ', "expires_in": 1',
    ', "expires_in": "x"',
]


@pytest.mark.parametrize("expires_in", [*LIFETIMES, f', "expires_in": 1{"0" * 400}', f', "expires_in": "1{"0" * 400}"'])
def test_implausible_lifetime_is_replaced(
    hook_to: Callable[..., Any], raw_server: Any, caplog: pytest.LogCaptureFixture, expires_in: str
) -> None:
    # The second token was fetched after a 401.
    refused: list[str] = []

    def respond(request: bytes) -> bytes:
        status, body = "200 OK", "[]"
        if TOKEN.encode() in request:
            body = f'{{"access_token": "a-token-{len(raw_server.requests)}"{expires_in}}}'
        elif any(one.encode() in request for one in refused):
            status = "401 No"
        return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n{body}".encode()

    raw_server.answer = respond
    caller = hook_to(raw_server, auth="oauth2")
    for _ in range(3):
        caller("list_program_sessions")
    refused.append("a-token-1")
    for _ in range(3):
        caller("list_program_sessions")
    paths = [one.split()[1].decode() for one in raw_server.requests]
    assert paths.count(TOKEN) == 2
    assert len(paths) == 2 + 7
    warnings = [one.getMessage() for one in caplog.records if "expires_in" in one.getMessage()]
    assert len(warnings) == 1
    assert "a-token" not in warnings[0]


@pytest.mark.parametrize("token", ["a\\r\\nX: b", "a\\u0000", "caf\\u00e9", "a b", "\\u2013", " "])
def test_token_that_no_header_can_carry_is_refused(hook_to: Callable[..., Any], raw_server: Any, token: str) -> None:
    body = f'{{"access_token": "{token}", "expires_in": 3600}}'
    raw_server.answer = lambda _: f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()
    with pytest.raises(ContractError, match="no OAuth2 token"):
        hook_to(raw_server, auth="oauth2")("list_program_sessions")
    assert len(raw_server.requests) == 1


def test_token_is_masked_in_task_logs(
    hook_to: Callable[..., Any], simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    masked: list[str] = []
    for module in (learning, learning_async):
        monkeypatch.setattr(module, "mask_secret", masked.append)
    hook_to(simulator, auth="oauth2")("list_program_sessions")
    assert [f"Bearer {one}" for one in masked] == [simulator.requests[-1].headers["authorization"]]


def test_cancelled_token_call_blocks_no_other_call(simulator: Simulator, connect: Callable[..., str]) -> None:
    conn_id = connect(host=simulator.url, extra={"auth": "oauth2"})
    simulator.play({"when": {"path": TOKEN, "times": 1}, "do": {"delay": 5}})

    async def run() -> int:
        async with LearningAsyncHook(conn_id) as hook:
            first = asyncio.ensure_future(hook.list_program_sessions())
            await asyncio.to_thread(simulator.wait_for, lambda one: one.requests)
            first.cancel()
            return len(await hook.list_program_sessions())

    assert asyncio.run(run()) == 1
