"""What the hooks retry, how often, and when they give up."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_learning360.api.errors import (
    ContractError,
    ForbiddenError,
    LearningError,
    NotFoundError,
    RateLimitedError,
    TimedOutError,
    UnauthorizedError,
    UnavailableError,
    UnreachableError,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_learning360.simulator import Simulator

pytestmark = pytest.mark.learning360_simulator(sessions=1, learners=3)

TROUBLES: list[Any] = [
    *(pytest.param({"status": status}, UnavailableError, id=str(status)) for status in (500, 502, 503, 504)),
    pytest.param({"status": 429}, RateLimitedError, id="429"),
    pytest.param({"drop": True}, UnreachableError, id="dropped"),
    pytest.param({"truncate": True}, UnreachableError, id="truncated"),
]


@pytest.mark.parametrize(("do", "kind"), TROUBLES)
def test_passing_error_is_retried(
    hook_to: Callable[..., Any], simulator: Simulator, waits: list[float], do: dict[str, Any], kind: type[LearningError]
) -> None:
    simulator.play({"when": {"times": 2}, "do": do})
    assert len(hook_to(simulator)("list_program_sessions")) == 1
    assert len(simulator.requests) == 3
    first, second = waits
    # A rate limit without a delay is waited out for a second at least, the others for a second at most.
    shortest = 1.0 if kind is RateLimitedError else 0.5
    longest = 1.5 if kind is RateLimitedError else 1.0
    assert shortest <= first <= longest
    assert 2 * shortest <= second <= 2 * longest


@pytest.mark.parametrize(("do", "kind"), TROUBLES)
def test_repeated_error_is_raised_after_the_attempts(
    hook_to: Callable[..., Any], simulator: Simulator, waits: list[float], do: dict[str, Any], kind: type[LearningError]
) -> None:
    simulator.play({"do": do})
    with pytest.raises(kind, match="3 attempts") as caught:
        hook_to(simulator, retry_attempts=3)("list_program_sessions")
    assert type(caught.value) is kind
    assert caught.value.path == "/api/v1/programs/sessions"
    assert len(simulator.requests) == 3
    assert len(waits) == 2


@pytest.mark.parametrize(
    ("status", "kind"),
    [(400, ContractError), (401, UnauthorizedError), (403, ForbiddenError), (404, NotFoundError)],
)
def test_refused_request_is_not_retried(
    hook_to: Callable[..., Any], simulator: Simulator, waits: list[float], status: int, kind: type[LearningError]
) -> None:
    simulator.play({"do": {"status": status}})
    with pytest.raises(kind) as caught:
        hook_to(simulator)("list_program_sessions")
    assert caught.value.status == status
    assert len(simulator.requests) == 1
    assert not waits


@pytest.mark.parametrize(
    "headers",
    [
        "Retry-After: 7\r\nRetry-After: 3",
        "Retry-After: 3\r\nretry-after: 7",
        "Retry-After: 3, 7",
        "Retry-After: x\r\nRetry-After: 7",
    ],
)
def test_longest_of_several_retry_after_counts(
    hook_to: Callable[..., Any], raw_server: Any, waits: list[float], headers: str
) -> None:
    def respond(_: bytes) -> bytes:
        if len(raw_server.requests) == 1:
            return f"HTTP/1.1 429 Slow\r\n{headers}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode()
        return b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n[]"

    raw_server.answer = respond
    assert hook_to(raw_server)("list_program_sessions") == []
    (waited,) = waits
    assert 7 <= waited <= 8


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("asked", ["7", "7.25"])
def test_retry_after_wins_over_backoff(
    hook_to: Callable[..., Any], simulator: Simulator, waits: list[float], status: int, asked: str
) -> None:
    simulator.play({"when": {"times": 1}, "do": {"status": status, "headers": {"Retry-After": asked}}})
    hook_to(simulator)("list_program_sessions")
    (waited,) = waits
    assert float(asked) <= waited <= float(asked) + 1


def test_retry_after_may_be_a_date(hook_to: Callable[..., Any], simulator: Simulator, waits: list[float]) -> None:
    moment = format_datetime(datetime.now(tz=UTC) + timedelta(seconds=50), usegmt=True)
    simulator.play({"when": {"times": 1}, "do": {"status": 429, "headers": {"Retry-After": moment}}})
    hook_to(simulator)("list_program_sessions")
    (waited,) = waits
    assert 0 < waited <= 51


def test_too_long_retry_after_is_an_error(
    hook_to: Callable[..., Any], simulator: Simulator, waits: list[float]
) -> None:
    simulator.play({"do": {"status": 429, "headers": {"Retry-After": "30"}}})
    with pytest.raises(RateLimitedError, match="max_rate_limit_wait") as caught:
        hook_to(simulator, max_rate_limit_wait=10)("list_program_sessions")
    assert caught.value.retry_after == 30
    assert "30 s" in str(caught.value)
    assert len(simulator.requests) == 1
    assert not waits


def test_retry_budget_limits_the_time(hook_to: Callable[..., Any], simulator: Simulator, waits: list[float]) -> None:
    simulator.play({"do": {"status": 503}})
    with pytest.raises(UnavailableError, match="retry_budget"):
        hook_to(simulator, retry_budget=0.1)("list_program_sessions")
    assert len(simulator.requests) == 1
    assert not waits


def test_each_wait_is_logged(
    hook_to: Callable[..., Any], simulator: Simulator, waits: list[float], logged: Callable[[], str]
) -> None:
    simulator.play({"when": {"times": 1}, "do": {"status": 503}})
    hook_to(simulator)("list_program_sessions")
    (retry_line,) = [line for line in logged().splitlines() if "Trying again" in line]
    assert "GET /api/v1/programs/sessions" in retry_line
    assert "503" in retry_line
    assert "1 of 5" in retry_line


def test_slow_response_is_retried(hook_to: Callable[..., Any], simulator: Simulator, waits: list[float]) -> None:
    simulator.play({"when": {"times": 1}, "do": {"delay": 5}})
    assert len(hook_to(simulator, timeout=0.5)("list_program_sessions")) == 1
    assert len(simulator.requests) == 2


def test_slow_responses_end_in_a_time_out(
    hook_to: Callable[..., Any], simulator: Simulator, waits: list[float]
) -> None:
    simulator.play({"do": {"delay": 5}})
    with pytest.raises(TimedOutError, match=r"raise `timeout` of connection 'here'"):
        hook_to(simulator, timeout=0.1, retry_attempts=2)("list_program_sessions")
    assert len(simulator.requests) == 2


def test_refused_connection_is_unreachable(hook_to: Callable[..., Any], waits: list[float], closed_port: int) -> None:
    with pytest.raises(UnreachableError, match=r"got no response.*host and proxy of connection 'here'"):
        hook_to(f"http://127.0.0.1:{closed_port}", retry_attempts=3)("list_program_sessions")
    assert len(waits) == 2


@pytest.mark.parametrize(
    ("do", "problem"),
    [
        ({"html": True}, "it is an HTML page"),
        ({"empty": True}, "the body is empty"),
        ({"list": True}, "it is not an object"),
        ({"body_cut": True}, "it is not valid JSON"),
    ],
    ids=["HTML", "empty", "list", "cut"],
)
def test_invalid_success_is_an_error(
    hook_to: Callable[..., Any], simulator: Simulator, session_id: str, do: dict[str, Any], problem: str
) -> None:
    simulator.play({"do": do})
    with pytest.raises(ContractError, match=problem) as caught:
        hook_to(simulator)("get_program_session", session_id)
    assert caught.value.status == 200
    assert len(simulator.requests) == 1


@pytest.mark.parametrize("do", [{"html": True}, {"empty": True}, {"body_cut": True}, {"status": 200, "body": {}}])
@pytest.mark.parametrize(
    ("call", "args"), [("list_program_sessions", 0), ("get_program_session_users", 1), ("get_program_session_stats", 1)]
)
def test_invalid_response_of_other_routes_is_an_error(
    hook_to: Callable[..., Any], simulator: Simulator, session_id: str, do: dict[str, Any], call: str, args: int
) -> None:
    if call == "get_program_session_stats" and "status" in do:
        do = {"status": 200, "body": []}
    simulator.play({"do": do})
    with pytest.raises(ContractError):
        hook_to(simulator)(call, *[session_id][:args])


@pytest.mark.parametrize(
    "body",
    ['{"error": "user_not_found"}', '{"message": "Not Found", "documentation_url": "x"}', "<html>no</html>", ""],
    ids=["code", "message", "page", "nothing"],
)
def test_404_of_any_shape_is_not_found(
    hook_to: Callable[..., Any], simulator: Simulator, session_id: str, body: str
) -> None:
    simulator.play({"do": {"status": 404, "body": body}})
    with pytest.raises(NotFoundError):
        hook_to(simulator)("get_program_session", session_id)
