"""
One call from request to result, without a socket.

`exchange` is a generator of steps. A transport carries out each step and sends the result back. Transports decide
nothing. So the one with `requests` and the one with `aiohttp` behave the same.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from airflow_provider_learning360.api.credentials import Credentials, Token, build_redirect
from airflow_provider_learning360.api.error_mapping import error_from_response
from airflow_provider_learning360.api.errors import (
    NO_SCOPE,
    ForbiddenError,
    LearningError,
    NotFoundError,
    RateLimitedError,
    RedirectError,
    UnauthorizedError,
    UnknownOutcomeError,
)
from airflow_provider_learning360.api.messages import DEFAULT_LIMITS, Call, Kind, Limits, Request, Response
from airflow_provider_learning360.api.retries import RetryBudget, compute_wait

if TYPE_CHECKING:
    from datetime import datetime

T = TypeVar("T")

MAX_REDIRECTS = 5


@dataclass(frozen=True)
class Send:
    """
    Step: send the request to the host; the result is its `Response`, or a `LearningError` if none arrived.

    :param request: The request.
    :param limits: How much of the response is read, and for how long.
    :param streamed: Whether the caller reads the body of a success; default False.
    """

    request: Request
    limits: Limits
    streamed: bool = False


@dataclass(frozen=True)
class Sleep:
    """
    Step: wait before a retry; the result is None.

    :param seconds: How long to wait.
    :param reason: The text for the log.
    """

    seconds: float
    reason: str


@dataclass(frozen=True)
class Authorize:
    """
    Step: make sure that the credentials have a usable token; the result is whether it was fetched just now.

    A transport carries it out under a lock, so that concurrent calls share one token call.

    :param refused: The token that the API just refused; default none.
    """

    refused: Token | None = None


@dataclass(frozen=True)
class Read(Generic[T]):
    """
    Step: parse the response; the result is what the call's parser returns, or a `LearningError`.

    An asynchronous transport parses a large body in a thread, also the body of an error.

    :param call: The call.
    :param response: The response.
    :param context: The context of the call.
    """

    call: Call[T]
    response: Response
    context: CallContext

    def carry_out(self) -> T | LearningError:
        """
        Parse the response.

        :returns: The result of the parser, or the error.
        """
        context = self.context
        error = error_from_response(
            self.call.request,
            self.response,
            connection=context.connection,
            secrets=context.credentials.secrets,
            now=context.now(),
            key_names=context.credentials.key_names,
        )
        if error is not None and not self.call.any_status:
            return error
        try:
            return self.call.parse(self.response)
        except LearningError as parse_error:
            return parse_error


Step = Send | Sleep | Authorize | Read[Any]
Steps = Generator[Step, Any, T]


@dataclass(frozen=True)
class CallContext:
    """
    The context of a call: where to send it, as whom, and within which limits.

    :param host: Base URL: scheme, host and port.
    :param credentials: The credentials of the connection.
    :param connection: Name of the connection in errors.
    :param budget: The retry budget.
    :param monotonic: Monotonic clock, in seconds.
    :param now: Wall clock, with its time zone.
    :param jitter: Returns a random number from 0 to 1.
    :param limits: For each kind of call, how much of a response is read; default `DEFAULT_LIMITS`.
    :param deadline: Reading of the monotonic clock, in seconds, at which the call must end; default none.
    :param key_hint: What is probably wrong with the keys, if the API refuses the first request; default nothing.
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
    key_hint: str = ""


def exchange(call: Call[T], context: CallContext) -> Steps[T]:
    """
    Carry out one call: sign, send, follow redirects, renew a token, retry, parse the response.

    :param call: The call.
    :param context: The context of the call.
    :returns: A generator of steps that returns the call's result.
    :raises LearningError: The class of the error says what to do next.
    """
    started = context.monotonic()
    attempt = 0
    while True:
        attempt += 1
        outcome = yield from _attempt(call, context)
        if not isinstance(outcome, LearningError):
            return outcome
        if call.request.is_once:
            outcome = _say_what_was_done(outcome)
        if not (call.request.may_repeat or isinstance(outcome, RateLimitedError)):
            raise outcome
        seconds = compute_wait(outcome, attempt, context.monotonic() - started, context.budget, context.jitter)
        if seconds >= _seconds_left(context):
            raise outcome.with_note(f"Gave up after {attempt} attempts: the time limit of the call is over.")
        yield Sleep(seconds, f"{outcome} Trying again in {seconds:.1f} s ({attempt} of {context.budget.attempts}).")


def _say_what_was_done(error: LearningError) -> LearningError:
    """Return the error of a request that must not be sent twice, with what is known of the request."""
    if isinstance(error, RateLimitedError | UnknownOutcomeError) or error.is_unsent:
        return error
    # After 302 and 303, servers often show elsewhere what they have done.
    if error.status is None or error.status >= 500 or error.status in (302, 303):
        return error.as_unknown_outcome()
    if error.status < 300:
        return error.with_note("The request was carried out; only its answer could not be read.")
    return error


def _attempt(call: Call[T], context: CallContext) -> Steps[T | LearningError]:
    """Send the request once, or twice if the API refuses a token that it accepted before."""
    credentials = context.credentials
    until = context.monotonic() + context.limits[call.kind].max_seconds
    with_token = call.signed and credentials.mode == "oauth2"
    just_fetched = (yield Authorize()) if with_token else True
    used = credentials.token
    response = yield from _follow(call, context, until)
    if isinstance(response, Response) and response.status == 401 and not just_fetched:
        yield Authorize(refused=used)
        response = yield from _follow(call, context, until)
    if isinstance(response, LearningError):
        return response
    result: T | LearningError = yield Read(call, response, context)
    if call.signed and _shows_that_keys_work(response, result):
        credentials.have_worked = True
    # Keys of both versions of the API get a token, so that a token proves nothing.
    if isinstance(result, UnauthorizedError | ForbiddenError) and context.key_hint and not credentials.have_worked:
        return result.with_note(context.key_hint, scope=NO_SCOPE)
    return result


def _shows_that_keys_work(response: Response, result: Any) -> bool:
    if isinstance(result, LearningError):
        return isinstance(result, NotFoundError)
    return response.is_success  # a call may take any status


def _follow(call: Call[Any], context: CallContext, until: float) -> Steps[Response | LearningError]:
    """Send the request and follow its redirects on the same origin, all of it within one time limit."""
    request = call.request
    for _ in range(MAX_REDIRECTS + 1):
        signed = context.credentials.sign(request) if call.signed else request
        outcome: Response | LearningError = yield Send(signed, _limits(call, context, until), call.streamed)
        if isinstance(outcome, LearningError) or outcome.location is None:
            return outcome
        try:
            request = build_redirect(request, outcome, context.host, context.credentials.secrets)
        except RedirectError as error:
            return error
    return RedirectError(
        f"{call.request} was redirected more than {MAX_REDIRECTS} times. Check the host of {context.connection}.",
        method=request.method,
        path=call.request.path,
    )


def _limits(call: Call[Any], context: CallContext, until: float) -> Limits:
    """Return the limits of a request: less time is left after a redirect, and near the deadline of the call."""
    limits = context.limits[call.kind]
    left, left_of_call = until - context.monotonic(), _seconds_left(context)
    if left_of_call < left:
        limits = replace(limits, seconds_setting="")
    return replace(limits, max_seconds=max(0.001, min(left, left_of_call)))


def _seconds_left(context: CallContext) -> float:
    return float("inf") if context.deadline is None else context.deadline - context.monotonic()
