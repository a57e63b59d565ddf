"""Whatever the server sends, each call of both hooks ends within its bounds, in a result or in one typed error."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from airflow_provider_learning360.api.errors import RateLimitedError
from airflow_provider_learning360.policies.retry import LearningRetryPolicy
from hostile.calls import HOOKS, ROUTES, assert_printable, bounded, run_call
from hostile.catalogue import CATALOGUE, Attack, attack_named
from hostile.responses import OTHER_ID, SESSION_ID

# Where the route makes no difference, three calls are enough: a document, a stream, a token.
FEW = ("get", "stream", "token")
CALLS = {
    "size": ("get", "list", "stream", "token"),
    **dict.fromkeys(("time", "wait", "header", "redirect", "connection"), FEW),
    "echo": ("get", "token"),
}
# Each of these takes as long as its bound, so that a few are enough.
SLOW_TOKENS = ("slow_body", "slow_header", "slow_100", "hang_after_accept", "hang_in_body")
# The HTTP libraries accept different bytes; what reads their bodies is the same code.
SAME_IN_BOTH_HOOKS = ("text", "number", "nesting", "wait", "token", "item", "date")
TASK_WAIT, TRIGGERER_WAIT = timedelta(days=1), 3600.0
BAD_LIFETIMES = [one for one in CATALOGUE if "expires_in" in one.name and one.name != "expires_in_true"]


def attacks(*kinds: str) -> list[Any]:
    return [pytest.param(one, id=one.name) for one in CATALOGUE if one.kind in kinds]


def attacked_calls() -> list[Any]:
    return [
        pytest.param(attack, call, hook, id=f"{attack.name}-{call}-{hook}", marks=marks_of(number, attack, call, hook))
        for number, attack in enumerate(CATALOGUE)
        for call in CALLS.get(attack.kind, tuple(ROUTES))
        if ROUTES[call] in attack.routes and (call != "token" or attack.kind != "time" or attack.name in SLOW_TOKENS)
        for hook in HOOKS
    ]


def marks_of(number: int, attack: Attack, call: str, hook: str) -> list[pytest.MarkDecorator]:
    """Let `make test` run each attack once only, with one call of one hook; the hooks take turns."""
    first = next(name for name, route in ROUTES.items() if route in attack.routes)
    return [] if call == first and hook == list(HOOKS)[number % len(HOOKS)] else [pytest.mark.slow]


def settings(attack: Attack, call: str) -> dict[str, Any]:
    return {**bounded(attack), "auth": "oauth2" if call == "token" else "headers"}


@pytest.mark.parametrize("hook", HOOKS)
@pytest.mark.parametrize("call", ROUTES)
def test_server_without_an_attack_is_healthy(call: str, hook: str, serve: Any, open_hook: Any) -> None:
    server = serve(CATALOGUE[0], routes=())
    calls = open_hook(hook, server, auth="oauth2" if call == "token" else "headers")
    outcome = run_call(calls, call, server)
    assert outcome.documents
    assert server.count(ROUTES[call]) == 1
    assert call not in ("list", "stream") or outcome.ids == {SESSION_ID, OTHER_ID}


def test_session_id_selects_the_attack(serve: Any, connect: Callable[..., str]) -> None:
    from airflow_provider_learning360.hooks.learning import LearningHook

    attack = attack_named("status_421")
    hook = LearningHook(connect(serve(), timeout=10))
    assert hook.get_program_session(SESSION_ID).id == SESSION_ID
    with pytest.raises(Exception, match="421"):
        hook.get_program_session(attack.session_id)


@pytest.mark.parametrize(("attack", "call", "hook"), attacked_calls())
def test_call_ends_in_a_result_or_in_a_typed_error(
    attack: Attack, call: str, hook: str, serve: Any, open_hook: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    server = serve(attack, routes={ROUTES[call]})
    outcome = run_call(open_hook(hook, server, **settings(attack, call)), call, server)
    assert server.count(ROUTES[call])
    if attack.bounded_by:
        assert outcome.error is not None
        assert any(name in str(outcome.error) for name in attack.bounded_by), outcome.error
    if attack.must_succeed:
        assert outcome.documents, outcome.error
    if attack.rest_is_read and call in ("list", "stream"):
        assert OTHER_ID in outcome.ids, outcome.error
    for record in caplog.records:
        if not record.name.startswith(("urllib3", "aiohttp", "asyncio")):
            assert_printable(record.getMessage().replace("\n", " "))


@pytest.mark.parametrize("attack", attacks(*SAME_IN_BOTH_HOOKS))
def test_both_hooks_have_the_same_outcome(attack: Attack, serve: Any, open_hook: Any) -> None:
    call = next(name for name, route in ROUTES.items() if route in attack.routes)
    server = serve(attack, routes={ROUTES[call]})
    first, second = (run_call(open_hook(hook, server, **settings(attack, call)), call, server) for hook in HOOKS)
    assert type(first.error) is type(second.error)
    waits = [getattr(one.error, "retry_after", None) for one in (first, second)]
    assert waits[0] == waits[1] or waits[0] == pytest.approx(waits[1], abs=60)  # a wait until a date becomes shorter
    assert first.documents == second.documents


@pytest.mark.parametrize("hook", HOOKS)
def test_silently_closed_connection_is_replaced(hook: str, serve: Any, open_hook: Any) -> None:
    attack = attack_named("close_without_notice")
    server = serve(attack)
    calls = open_hook(hook, server, **settings(attack, "get"))
    for _ in range(3):
        assert run_call(calls, "get", server).documents


@pytest.mark.parametrize("hook", HOOKS)
@pytest.mark.parametrize("attack", [pytest.param(one, id=one.name) for one in BAD_LIFETIMES])
def test_invalid_token_lifetime_causes_one_warning(
    attack: Attack, hook: str, serve: Any, open_hook: Any, caplog: pytest.LogCaptureFixture
) -> None:
    server = serve(attack, routes={"token"})
    calls = open_hook(hook, server, **settings(attack, "token"))
    for _ in range(3):
        assert run_call(calls, "token", server).documents
    assert server.count("token") == 1
    warnings = [one for one in caplog.records if one.levelno >= logging.WARNING]
    assert len(warnings) == 1, warnings
    assert "expires_in" in warnings[0].getMessage()


@pytest.mark.parametrize("attack", attacks("wait"))
def test_pause_of_a_connection_is_limited(attack: Attack, serve: Any, open_hook: Any) -> None:
    server = serve(attack)
    calls = open_hook("async", server, **settings(attack, "get"))
    run_call(calls, "get", server)
    error = run_call(calls, "get", server).error
    assert (
        error is None
        or error.retry_after is None
        or 0 <= error.retry_after <= TRIGGERER_WAIT
        or server.count("session") > 1
    )


@pytest.mark.parametrize("hook", HOOKS)
@pytest.mark.parametrize("attack", attacks("wait"))
def test_retry_delay_of_a_task_is_limited(attack: Attack, hook: str, serve: Any, open_hook: Any) -> None:
    server = serve(attack)
    error = run_call(open_hook(hook, server, **settings(attack, "get")), "get", server).error
    if error is None:
        return
    decision = LearningRetryPolicy().evaluate(error, 1, 3)
    assert decision.retry_delay is None or timedelta(0) <= decision.retry_delay <= TASK_WAIT
    assert not isinstance(error, RateLimitedError) or decision.retry_delay is None or decision.reason
