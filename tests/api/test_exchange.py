from __future__ import annotations

import contextlib
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from airflow_provider_learning360.api.credentials import Credentials, Token
from airflow_provider_learning360.api.errors import (
    ContractError,
    ForbiddenError,
    LearningError,
    NotFoundError,
    RateLimitedError,
    RedirectError,
    TimedOutError,
    UnauthorizedError,
    UnavailableError,
    UnknownOutcomeError,
    UnreachableError,
)
from airflow_provider_learning360.api.exchange import MAX_REDIRECTS, Authorize, CallContext, Read, Send, Sleep, exchange
from airflow_provider_learning360.api.messages import Call, Request, Response
from airflow_provider_learning360.api.retries import MAX_BACKOFF, RetryBudget

HOST = "https://app.360learning.com"
KEY = "canary-6f1e0c"
START = datetime(2026, 3, 1, 8, 0, tzinfo=UTC)
HOUR = 3600.0

Outcome = int | LearningError | tuple[int, dict[str, str]]


def as_text(response: Response) -> str:
    return response.body.decode()


GET = Call(Request("GET", "/x"), as_text)
POST = Call(Request("POST", "/x", body=b"{}"), as_text)


@dataclass
class Transport:
    """Carries out the steps of a call with scripted outcomes; only waiting and sending advance its clock."""

    script: list[Outcome]
    mode: Any = "headers"
    budget: RetryBudget = field(default_factory=RetryBudget)
    jitter: float = 0.0
    seconds_to_send: float = 0.0
    key_hint: str = ""
    tokens: int = 0
    clock: float = 0.0
    sent: list[Request] = field(default_factory=list)
    waits: list[Sleep] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.credentials = Credentials(self.mode, "company", KEY)

    def run(self, call: Call[Any] = GET) -> Any:
        context = CallContext(
            HOST,
            self.credentials,
            "connection 'acme'",
            self.budget,
            monotonic=lambda: self.clock,
            now=lambda: START + timedelta(seconds=self.clock),
            jitter=lambda: self.jitter,
            key_hint=self.key_hint,
        )
        steps, result = exchange(call, context), None
        while True:
            try:
                step = steps.send(result)
            except StopIteration as end:
                return end.value
            result = self.carry_out(step)

    def fails(self, kind: type[LearningError], call: Call[Any] = GET) -> LearningError:
        with pytest.raises(kind) as caught:
            self.run(call)
        assert type(caught.value) is kind
        assert KEY not in str(caught.value)
        return caught.value

    def carry_out(self, step: Any) -> Any:
        match step:
            case Send(request):
                self.sent.append(request)
                self.clock += self.seconds_to_send
                outcome = self.script.pop(0) if len(self.script) > 1 else self.script[0]
                if isinstance(outcome, LearningError):
                    return outcome
                status, headers = outcome if isinstance(outcome, tuple) else (outcome, {})
                return Response(request, status, headers, b"body")
            case Sleep(seconds):
                self.waits.append(step)
                self.clock += seconds
                return None
            case Authorize(refused):
                if not self.credentials.needs_token(refused, self.clock):
                    return False
                self.tokens += 1
                self.credentials.token = Token(f"token-{self.tokens}", HOUR, self.clock)
                return True
            case Read():
                return step.carry_out()
        raise AssertionError(step)

    def hold(self, age: float = 0.0) -> Transport:
        """Start with a token of this age in seconds."""
        self.credentials.token = Token("held", HOUR, self.clock - age)
        return self

    @property
    def shown(self) -> list[str]:
        """The tokens that the server received, in order."""
        return [request.headers["Authorization"].removeprefix("Bearer ") for request in self.sent]


def to(location: str, status: int = 302) -> Outcome:
    return (status, {"location": location})


@pytest.mark.parametrize(
    ("mode", "where"),
    [
        ("headers", lambda request: request.headers["X-apiKey"] == KEY),
        ("query", lambda request: ("apiKey", KEY) in request.query),
        ("oauth2", lambda request: request.headers["Authorization"] == "Bearer token-1"),
    ],
)
def test_call_sends_one_signed_request(mode: str, where: Any) -> None:
    transport = Transport([200], mode)
    assert transport.run() == "body"
    assert len(transport.sent) == 1
    assert where(transport.sent[0])
    assert transport.waits == []


@pytest.mark.parametrize("mode", ["headers", "query", "oauth2"])
def test_unsigned_call_sends_no_credentials(mode: str) -> None:
    transport = Transport([200], mode)
    transport.run(replace(GET, signed=False))
    assert transport.sent == [GET.request]
    assert transport.tokens == 0


@pytest.mark.parametrize("mode", ["headers", "query"])
def test_refused_key_costs_one_request(mode: str) -> None:
    transport = Transport([401], mode)
    transport.fails(UnauthorizedError)
    assert (len(transport.sent), transport.tokens, transport.waits) == (1, 0, [])


def test_refused_token_that_worked_before_is_renewed_once() -> None:
    transport = Transport([401, 200], "oauth2").hold()
    assert transport.run() == "body"
    assert transport.shown == ["held", "token-1"]
    assert transport.tokens == 1


def test_key_whose_tokens_are_refused_costs_two_requests_and_one_token() -> None:
    transport = Transport([401], "oauth2").hold()
    transport.fails(UnauthorizedError)
    assert (len(transport.sent), transport.tokens, transport.waits) == (2, 1, [])


def test_refused_token_that_was_just_fetched_is_not_renewed() -> None:
    transport = Transport([401], "oauth2")
    transport.fails(UnauthorizedError)
    assert (len(transport.sent), transport.tokens) == (1, 1)


@pytest.mark.parametrize(("age", "shown"), [(0.0, "held"), (HOUR - 121, "held"), (HOUR - 119, "token-1")])
def test_token_is_renewed_before_it_expires(age: float, shown: str) -> None:
    transport = Transport([200], "oauth2").hold(age)
    transport.run()
    assert transport.shown == [shown]
    assert transport.tokens == (shown != "held")


def test_token_serves_many_calls() -> None:
    transport = Transport([200], "oauth2")
    for _ in range(3):
        transport.run()
    assert (len(transport.sent), transport.tokens) == (3, 1)


def test_token_that_expires_while_waiting_is_renewed_before_the_retry() -> None:
    transport = Transport([(429, {"retry-after": "50"}), 200], "oauth2").hold(HOUR - 150)
    assert transport.run() == "body"
    assert transport.shown == ["held", "token-1"]


def test_refused_unsigned_call_fetches_no_token() -> None:
    transport = Transport([401], "oauth2").hold()
    transport.fails(UnauthorizedError, replace(GET, signed=False))
    assert (len(transport.sent), transport.tokens) == (1, 0)


def test_403_does_not_renew_the_token() -> None:
    transport = Transport([403], "oauth2").hold()
    transport.fails(ForbiddenError)
    assert (transport.shown, transport.tokens) == (["held"], 0)


@pytest.mark.parametrize("mode", ["headers", "query", "oauth2"])
def test_redirect_on_the_same_origin_is_followed_with_credentials(mode: str) -> None:
    transport = Transport([to("/y?a=1"), 200], mode)
    assert transport.run() == "body"
    first, second = transport.sent
    assert second == transport.credentials.sign(Request("GET", "/y", (("a", "1"),)))
    assert first.path == "/x"


def test_redirect_that_echoes_the_keys_does_not_double_them() -> None:
    transport = Transport([to(f"/y?company=company&apiKey={KEY}"), 200], "query")
    transport.run()
    assert transport.sent[1].query == (("company", "company"), ("apiKey", KEY))


@pytest.mark.parametrize("mode", ["headers", "query", "oauth2"])
@pytest.mark.parametrize(
    "location", ["https://evil.example/y", "http://app.360learning.com/y", "//app.360learning.com:8443/"]
)
def test_redirect_to_another_origin_is_never_followed(mode: str, location: str) -> None:
    transport = Transport([to(location), 200], mode)
    error = transport.fails(RedirectError)
    assert len(transport.sent) == 1
    assert location.rpartition("//")[2].rstrip("/") in str(error)


def test_redirect_loop_ends() -> None:
    transport = Transport([to("/x")])
    error = transport.fails(RedirectError)
    assert len(transport.sent) == MAX_REDIRECTS + 1
    assert [word for word in ("GET /x", str(MAX_REDIRECTS), "'acme'") if word not in str(error)] == []
    assert transport.waits == []


def test_redirects_up_to_the_limit_are_followed() -> None:
    transport = Transport([to("/x")] * MAX_REDIRECTS + [200])
    assert transport.run() == "body"


@pytest.mark.parametrize("status", [301, 302, 303])
def test_redirected_write_does_not_become_a_read(status: int) -> None:
    transport = Transport([to("/y", status), 200])
    transport.fails(RedirectError, POST)
    assert len(transport.sent) == 1


@pytest.mark.parametrize("status", [307, 308])
def test_redirected_write_stays_a_write(status: int) -> None:
    transport = Transport([to("/y", status), 200])
    transport.run(POST)
    assert [(it.method, it.path, it.body) for it in transport.sent] == [("POST", "/x", b"{}"), ("POST", "/y", b"{}")]


def test_error_after_a_redirect_names_the_first_request() -> None:
    assert Transport([to("/y"), 404]).fails(NotFoundError).path == "/x"


PASSING: list[Outcome] = [429, 500, 502, 503, 504, UnreachableError("no route"), TimedOutError("no answer")]


@pytest.mark.parametrize("outcome", PASSING, ids=str)
def test_passing_error_is_retried(outcome: Outcome) -> None:
    transport = Transport([outcome, outcome, 200], jitter=1)
    assert transport.run() == "body"
    # A rate limit without a delay is waited out for a second at least, the others for a second at most.
    assert [wait.seconds for wait in transport.waits] == ([1.5, 3] if outcome == 429 else [1, 2])


@pytest.mark.parametrize("outcome", [400, 401, 403, 404, 409, 418, 304], ids=str)
def test_lasting_error_is_not_retried(outcome: int) -> None:
    transport = Transport([outcome])
    with pytest.raises(LearningError):
        transport.run()
    assert len(transport.sent) == 1
    assert transport.waits == []


@pytest.mark.parametrize(("attempts", "requests"), [(1, 1), (2, 2), (5, 5)])
def test_retry_budget_counts_attempts(attempts: int, requests: int) -> None:
    transport = Transport([503], budget=RetryBudget(attempts=attempts))
    transport.fails(UnavailableError)
    assert (len(transport.sent), len(transport.waits)) == (requests, requests - 1)


def test_retry_budget_counts_the_time_of_requests() -> None:
    transport = Transport([503], budget=RetryBudget(attempts=100, total=100), seconds_to_send=40)
    error = transport.fails(UnavailableError)
    assert len(transport.sent) == 3
    assert "retry_budget" in str(error)


DELAYS = st.floats(0, 200).map(lambda seconds: (429, {"retry-after": str(seconds)}))
BUDGETS = st.builds(RetryBudget, st.integers(1, 8), st.floats(0, 200), st.floats(0, 100))


@given(BUDGETS, st.lists(st.sampled_from([429, 503]) | DELAYS, min_size=1), st.floats(0, 1))
@example(RetryBudget(attempts=7, total=92, max_rate_limit_wait=0), [429], 1.0)
def test_waits_stay_within_the_retry_budget(budget: RetryBudget, script: list[Outcome], jitter: float) -> None:
    transport = Transport(list(script), budget=budget, jitter=jitter)
    with pytest.raises(LearningError):
        transport.run()
    assert 1 <= len(transport.sent) <= budget.attempts
    assert len(transport.sent) == len(transport.waits) + 1
    assert transport.clock <= budget.total
    longest = 1.5 * MAX_BACKOFF if 429 in script else MAX_BACKOFF  # a 429 without a delay waits longer
    assert all(wait.seconds <= max(budget.max_rate_limit_wait + 1, longest) for wait in transport.waits)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("7", 7), ("1.5", 1.5), ("0", 0), ("Sun, 01 Mar 2026 08:00:20 GMT", 20)],
)
@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_is_obeyed(status: int, header: str, seconds: float) -> None:
    transport = Transport([(status, {"retry-after": header}), 200])
    assert transport.run() == "body"
    assert [wait.seconds for wait in transport.waits] == [seconds]


@pytest.mark.parametrize(("status", "kind"), [(429, RateLimitedError), (503, UnavailableError)])
def test_too_long_retry_after_is_an_error_that_names_it(status: int, kind: type[LearningError]) -> None:
    transport = Transport([(status, {"retry-after": "61"})])
    error = transport.fails(kind)
    assert (len(transport.sent), transport.waits) == (1, [])
    assert error.retry_after == 61
    assert [word for word in ("61", "max_rate_limit_wait", "60") if word not in str(error)] == []


@pytest.mark.parametrize("outcome", [outcome for outcome in PASSING if outcome != 429], ids=str)
def test_request_that_must_not_happen_twice_is_not_retried(outcome: Outcome) -> None:
    transport = Transport([outcome])
    with pytest.raises(LearningError):
        transport.run(POST)
    assert len(transport.sent) == 1


def test_rate_limited_write_is_retried() -> None:
    transport = Transport([429, 200])
    assert transport.run(POST) == "body"


@pytest.mark.parametrize(
    ("method", "repeatable", "repeated"),
    [
        ("GET", None, True),
        ("HEAD", None, True),
        ("PUT", None, True),
        ("DELETE", None, True),
        ("POST", None, False),
        ("PATCH", None, False),
        ("POST", True, True),
        ("GET", False, False),
    ],
)
def test_repeatable_requests(method: str, repeatable: bool | None, repeated: bool) -> None:
    transport = Transport([502, 200])
    call = Call(Request(method, "/x", repeatable=repeatable), as_text)
    if repeated:
        assert transport.run(call) == "body"
    else:
        transport.fails(UnavailableError if repeatable is None else UnknownOutcomeError, call)
    assert len(transport.sent) == (2 if repeated else 1)


def test_wait_names_error_delay_and_attempt() -> None:
    transport = Transport([503, 200], "query", jitter=1)
    transport.run()
    (wait,) = transport.waits
    assert [word for word in ("GET /x", "503", "1.0 s", "1 of 5") if word not in wait.reason] == []
    assert KEY not in wait.reason
    assert len(wait.reason.splitlines()) == 1


def test_unreadable_response_is_not_requested_again() -> None:
    def unreadable(response: Response) -> Any:
        raise ContractError("not what was asked for")

    transport = Transport([200])
    transport.fails(ContractError, Call(GET.request, unreadable))
    assert len(transport.sent) == 1


@pytest.mark.parametrize("status", [200, 304, 404, 429, 503])
def test_caller_may_accept_any_status(status: int) -> None:
    transport = Transport([status])
    assert transport.run(Call(GET.request, lambda response: response.status, any_status=True)) == status
    assert (len(transport.sent), transport.waits) == (1, [])


def test_caller_that_accepts_any_status_gets_an_error_without_a_response() -> None:
    transport = Transport([UnreachableError("no route")], budget=RetryBudget(attempts=1))
    transport.fails(UnreachableError, replace(GET, any_status=True))


@pytest.mark.parametrize("mode", ["headers", "query", "oauth2"])
@pytest.mark.parametrize("status", [400, 401, 403, 404, 429, 500])
def test_response_that_echoes_the_secrets_is_redacted(mode: str, status: int) -> None:
    transport = Transport([status], mode, RetryBudget(attempts=1))

    def echo(step: Any, carry_out: Any = transport.carry_out) -> Any:
        result = carry_out(step)
        return replace(result, body=f"{KEY} token-1 jane@example.com".encode()) if isinstance(step, Send) else result

    transport.carry_out = echo  # type: ignore[method-assign]
    with pytest.raises(LearningError) as caught:
        transport.run()
    assert [word for word in (KEY, "jane") if word in str(caught.value)] == []
    assert mode != "oauth2" or "token-1" not in str(caught.value)


@pytest.mark.parametrize("mode", ["headers", "query", "oauth2"])
@pytest.mark.parametrize(("status", "kind"), [(401, UnauthorizedError), (403, ForbiddenError)])
def test_hint_is_added_until_a_request_succeeds(mode: str, status: int, kind: type[LearningError]) -> None:
    transport = Transport([status, status, status, 200, status], mode, key_hint="Other keys.")
    assert str(transport.fails(kind)).endswith("Other keys.")
    transport.script[:] = [status]
    assert str(transport.fails(kind)).endswith("Other keys.")
    transport.script[:] = [200]
    transport.run()
    transport.script[:] = [status]
    assert "Other keys." not in str(transport.fails(kind))


@pytest.mark.parametrize(
    ("outcome", "call", "works"),
    [
        (404, GET, True),
        (500, GET, False),
        (400, GET, False),
        (TimedOutError("slow"), GET, False),
        (401, replace(GET, any_status=True), False),
        (200, replace(GET, any_status=True), True),
        (200, replace(GET, signed=False), False),
    ],
)
def test_only_accepted_requests_show_that_keys_work(outcome: Outcome, call: Call[Any], works: bool) -> None:
    transport = Transport([outcome], budget=RetryBudget(attempts=1))
    with contextlib.suppress(LearningError):
        transport.run(call)
    assert transport.credentials.have_worked is works
