"""
One call from request to result, without the socket.

`exchange` is a generator of steps. A transport carries out each step and sends its result back in; that is all a
transport does, so that the one on `requests` and the one on `aiohttp` cannot differ in what they decide.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from airflow_provider_learning360.api.credentials import Credentials, Token, redirected
from airflow_provider_learning360.api.errors import LearningError, RateLimitedError, RedirectError
from airflow_provider_learning360.api.messages import DEFAULT_LIMITS, Call, Kind, Limits, Request, Response
from airflow_provider_learning360.api.refusals import refusal
from airflow_provider_learning360.api.retries import RetryBudget, next_wait

if TYPE_CHECKING:
    from datetime import datetime

T = TypeVar("T")

MAX_REDIRECTS = 5


@dataclass(frozen=True)
class Send:
    """
    Step: send the request to the host; the result is its `Response`, or a `LearningError` if none came.

    :param request: The request.
    :param limits: How much of the answer is read, and for how long.
    :param streamed: Whether the body of a success may stay unread; default False.
    """

    request: Request
    limits: Limits
    streamed: bool = False


@dataclass(frozen=True)
class Wait:
    """Step: wait so many seconds, and let the log say why; the result is None."""

    seconds: float
    reason: str


@dataclass(frozen=True)
class Authorize:
    """
    Step: see that the credentials hold a usable token; the result is whether it was fetched just now.

    A transport carries it out under a lock, so that all who wait for a token cause one token call.

    :param refused: The token that the API just refused, if it did.
    """

    refused: Token | None = None


@dataclass(frozen=True)
class Read(Generic[T]):
    """
    Step: understand the answer; the result is what the call's parser returns, or the `LearningError` of the answer.

    A transport carries it out where it holds up nobody, if the body is large: also the text of an error may be.
    """

    call: Call[T]
    response: Response
    party: Party

    def carry_out(self) -> T | LearningError:
        """Return what the parser makes of the answer, or its error."""
        party = self.party
        error = refusal(
            self.call.request,
            self.response,
            connection=party.connection,
            secrets=party.credentials.secrets,
            now=party.now(),
        )
        if error is not None and not self.call.any_status:
            return error
        try:
            return self.call.parse(self.response)
        except LearningError as trouble:
            return trouble


Step = Send | Wait | Authorize | Read[Any]
Steps = Generator[Step, Any, T]


@dataclass(frozen=True)
class Party:
    """
    The two sides of a call and the patience between them.

    :param host: Base URL: scheme, host and port.
    :param credentials: Who we are.
    :param connection: How to name the connection to the reader of an error.
    :param budget: Patience for repetitions.
    :param monotonic: Monotonic clock, in seconds.
    :param now: Wall clock, with its zone.
    :param jitter: Returns a number from 0 to 1.
    :param limits: For each kind of call, how much of an answer is read.
    :param deadline: Reading of the monotonic clock at which the call must end; default none.
    """

    host: str
    credentials: Credentials
    connection: str
    budget: RetryBudget
    monotonic: Callable[[], float]
    now: Callable[[], datetime]
    jitter: Callable[[], float]
    limits: Mapping[Kind, Limits] = field(default_factory=lambda: DEFAULT_LIMITS)
    deadline: float | None = None


def exchange(call: Call[T], party: Party) -> Steps[T]:
    """
    Carry out one call: sign, send, follow redirects, renew a token, repeat what may pass, read the answer.

    :param call: The call.
    :param party: Where to, as whom, with how much patience.
    :returns: A generator of steps that returns the call's result.
    :raises LearningError: By what the caller should do next.
    """
    started = party.monotonic()
    attempt = 0
    while True:
        attempt += 1
        outcome = yield from _attempt(call, party)
        if not isinstance(outcome, LearningError):
            return outcome
        if not (call.request.may_repeat or isinstance(outcome, RateLimitedError)):
            raise outcome
        seconds = next_wait(outcome, attempt, party.monotonic() - started, party.budget, party.jitter)
        if seconds >= _seconds_left(party):
            raise outcome.with_note(f"Gave up after {attempt} attempts: the time for the call is over.")
        yield Wait(seconds, f"{outcome} Trying again in {seconds:.1f} s ({attempt} of {party.budget.attempts}).")


def _attempt(call: Call[T], party: Party) -> Steps[T | LearningError]:
    """Send the request once, or twice if a token that was held for a while turns out to be refused."""
    credentials = party.credentials
    until = party.monotonic() + party.limits[call.kind].max_seconds
    with_token = call.signed and credentials.mode == "oauth2"
    just_fetched = (yield Authorize()) if with_token else True
    used = credentials.token
    response = yield from _follow(call, party, until)
    if isinstance(response, Response) and response.status == 401 and not just_fetched:
        yield Authorize(refused=used)
        response = yield from _follow(call, party, until)
    if isinstance(response, LearningError):
        return response
    result: T | LearningError = yield Read(call, response, party)
    return result


def _follow(call: Call[Any], party: Party, until: float) -> Steps[Response | LearningError]:
    """Send the request and follow its redirects on the same origin, all of it until one moment of the clock."""
    request = call.request
    for _ in range(MAX_REDIRECTS + 1):
        signed = party.credentials.sign(request) if call.signed else request
        outcome: Response | LearningError = yield Send(signed, _limits(call, party, until), call.streamed)
        if isinstance(outcome, LearningError) or outcome.location is None:
            return outcome
        request = redirected(request, outcome, party.host, party.credentials.secrets)
    return RedirectError(
        f"{call.request} was redirected more than {MAX_REDIRECTS} times. Check the host of {party.connection}.",
        method=request.method,
        path=call.request.path,
    )


def _limits(call: Call[Any], party: Party, until: float) -> Limits:
    """Return how much of the answer is read, and for how long: less after a redirect, and near the end of the call."""
    limits = party.limits[call.kind]
    left, left_of_call = until - party.monotonic(), _seconds_left(party)
    if left_of_call < left:
        limits = replace(limits, seconds_setting="")
    return replace(limits, max_seconds=max(0.001, min(left, left_of_call)))


def _seconds_left(party: Party) -> float:
    return float("inf") if party.deadline is None else party.deadline - party.monotonic()
