"""
`LearningAsyncHook`: the connection to 360Learning for coroutines, over `aiohttp`.

It only fetches bytes; all decisions are in `api/`. It never imports `requests`, which a triggerer does not need.
"""

from __future__ import annotations

__all__ = ["LearningAsyncHook"]

import asyncio
import copy
import time
from contextlib import aclosing
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Self, TypeVar
from urllib.parse import urlencode

from airflow.providers.common.compat.connection import get_async_connection, get_async_extra_dejson
from airflow.providers.common.compat.sdk import BaseHook, mask_secret

from airflow_provider_learning360 import DEFAULT_CONN_ID
from airflow_provider_learning360.api.bodies import BodyReader
from airflow_provider_learning360.api.credentials import COMPANY_KEYS
from airflow_provider_learning360.api.diagnosis import accepted, diagnose
from airflow_provider_learning360.api.error_mapping import error_not_sent
from airflow_provider_learning360.api.errors import LearningError
from airflow_provider_learning360.api.exchange import Authorize, Read, Send, Sleep, Step, exchange
from airflow_provider_learning360.api.list_entries import split_body
from airflow_provider_learning360.api.messages import Call, Limits, Request, Response, join_headers
from airflow_provider_learning360.api.platform import (
    EVERYTHING,
    SESSION_KEYS_ONLY,
    Pause,
    Work,
    advance,
)
from airflow_provider_learning360.api.retries import RetryBudget
from airflow_provider_learning360.api.token_call import get_token
from airflow_provider_learning360.api.versions import build_platform
from airflow_provider_learning360.hooks.client import (
    CHUNK_SIZE,
    AsyncAttempt,
    error_from_aiohttp,
    is_disconnect,
    is_transport_error,
    open_client,
    read_content_async,
)
from airflow_provider_learning360.hooks.connection import (
    USER_AGENT,
    ConnectionType,
    build_call_context,
    build_credentials,
    build_settings,
    check_extra,
)
from airflow_provider_learning360.hooks.lookup import check_conn_id, require_missing_async
from airflow_provider_learning360.hooks.proxies import find_proxy
from airflow_provider_learning360.hooks.rate_limits import acquire, note_retry_after

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable
    from types import TracebackType

    import aiohttp

    from airflow_provider_learning360.api.contract import ContractPolicy
    from airflow_provider_learning360.api.credentials import Credentials, Token
    from airflow_provider_learning360.api.models import Learner, ProgramSession, SessionStatistics
    from airflow_provider_learning360.api.platform import (
        CompletionCount,
        Keys,
        Plan,
        Platform,
        SessionFilter,
        StreamPlan,
    )
    from airflow_provider_learning360.api.settings import LearningSettings

T = TypeVar("T")
ONE_ATTEMPT = RetryBudget(attempts=1)

# Bytes. Parsing a larger body would delay other triggers, so it runs in a thread.
LARGE_BODY = 64 * 1024


class LearningAsyncHook(ConnectionType, BaseHook):
    """
    Send requests to 360Learning from coroutines, with one `aiohttp` client for each hook.

    Nothing in it blocks the event loop.

    Use it as `async with LearningAsyncHook() as hook`, or call `close` at the end. It has the calls of `LearningHook`;
    their signatures are repeated, because Python cannot express "`T`, or a coroutine that returns `T`".

    :param learning_conn_id: ID of the connection; default `learning360_default`.
    :param budget: Retry budget of each call; default that of the connection.

    Source: Airflow's `HttpAsyncHook`; 360Learning API v1.
    """

    def __init__(self, learning_conn_id: str = DEFAULT_CONN_ID, *, budget: RetryBudget | None = None) -> None:
        super().__init__()
        self.learning_conn_id = learning_conn_id
        self.budget = budget
        self._settings: LearningSettings | None = None
        self._credentials: Credentials | None = None
        self._client: aiohttp.ClientSession | None = None
        self._platform: Platform | None = None
        self._token_lock = asyncio.Lock()
        self._opening = asyncio.Lock()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections to 360Learning; the next call opens new ones."""
        client, self._client = self._client, None
        if client is not None:
            await client.close()

    def share(self, budget: RetryBudget | None = None) -> Self:
        """
        Return another hook with the client and the token of this one, which is open and stays responsible for them.

        What the platform remembers of sessions is not shared.

        :param budget: Retry budget of each call; default that of the connection.
        :returns: The other hook. Nobody closes it.
        """
        other = copy.copy(self)
        other.budget, other._platform = budget, None
        return other

    async def get_program_session(self, session_id: str, keys: Keys = None) -> ProgramSession:
        """
        Return one program session.

        :param session_id: ID of the session: 24 hexadecimal characters.
        :param keys: Names of the fields that are needed beside those of the session itself, which may save requests;
            default all.
        :returns: The session.
        :raises LearningError: The request failed; its class says what to do next: `FixIdError`,
            `FixConnectionError`, `RateLimitedError`, ...

        Source: 360Learning API v1, `GET /api/v1/programs/sessions/{session_id}/`; API v2, `GET /api/v2/paths/sessions`.
        """
        return await self.run_plan((await self.get_platform()).get_session(session_id, keys))

    async def complete_program_session(self, session: ProgramSession, keys: Keys = None) -> ProgramSession:
        """
        Return a session of a list, or of an earlier call, with the fields that were left out then.

        :param session: The session.
        :param keys: Names of the fields that are needed; default all.
        :returns: The session with them; the same one if it has them.
        :raises LearningError: The request failed; its class says what to do next.

        Source: 360Learning API v2, `GET /api/v2/paths/{pathId}` and more; API v1 sends all fields at once.
        """
        return await self.run_plan((await self.get_platform()).complete_session(session, keys))

    async def list_program_sessions(
        self,
        *,
        contract: ContractPolicy = "warn",
        where: SessionFilter = EVERYTHING,
        keys: Keys = SESSION_KEYS_ONLY,
    ) -> list[ProgramSession]:
        """
        Return the program sessions of the company.

        All of them are in memory, with all their fields. For a long list use `stream_program_sessions`.

        :param contract: What to do about entries that cannot be read: leave them out, with one warning (`warn`, the
            default, and `ignore`), or fail (`strict`).
        :param where: Which sessions are wanted; the API may send more. Default all.
        :param keys: Names of the fields that are needed beside those of the session itself; default none.
        :returns: The sessions.
        :raises LearningError: The request failed; its class says what to do next.

        Source: 360Learning API v1, `GET /api/v1/programs/sessions`; API v2, `GET /api/v2/paths/sessions`.
        """
        listed = await self.run_plan((await self.get_platform()).list_sessions(where, keys))
        if warning := listed.unreadable.report(contract):
            self.log.warning("%s", warning)
        return listed.sessions

    async def stream_program_sessions(self, where: SessionFilter = EVERYTHING) -> AsyncGenerator[dict[str, Any], None]:
        """
        Yield each program session of the company, while the list is still arriving.

        The list is never held in memory as a whole, and the event loop is not blocked, however long the list is. A call
        that fails before the body begins is retried as usual; a failure inside the body is not. Callers that stop early
        call `aclose`, or use `contextlib.aclosing`, so that the connection is closed at once.

        :param where: Which sessions are wanted; the API may send more. Default all.
        :returns: The sessions as dictionaries, with the names of fields of API v1. An entry that cannot be read yields
            an empty dictionary, or one with its `_id` only.
        :raises LearningError: The request failed; its class says what to do next. Some sessions may have been
            yielded before.

        Source: 360Learning API v1, `GET /api/v1/programs/sessions`; API v2, `GET /api/v2/paths/sessions`.
        """
        platform = await self.get_platform()
        async with aclosing(self.stream_plan(platform.stream_sessions(where))) as sessions:
            async for session in sessions:
                yield session

    async def get_program_session_users(self, session_id: str) -> list[Learner]:
        """
        Return the learners of a program session, with their names.

        :param session_id: ID of the session: 24 hexadecimal characters.
        :returns: The learners.
        :raises LearningError: The request failed; its class says what to do next.

        Source: 360Learning API v1, `GET /api/v1/programs/sessions/{session_id}/users`; API v2,
            `GET /api/v2/paths/{pathId}/enrollments`.
        """
        return await self.run_plan((await self.get_platform()).get_learners(session_id))

    async def get_program_session_stats(
        self, session_id: str, session: ProgramSession | None = None
    ) -> SessionStatistics:
        """
        Return the progress of the learners of a program session.

        :param session_id: ID of the session: 24 hexadecimal characters.
        :param session: The session, if it was read just now, which may save a request; default none.
        :returns: The statistics.
        :raises LearningError: The request failed; its class says what to do next.

        Source: 360Learning API v1, `GET /api/v1/programs/sessions/{session_id}/stats`; API v2,
            `GET /api/v2/paths/{pathId}/sessions/{sessionId}/user-stats`.
        """
        return await self.run_plan((await self.get_platform()).get_statistics(session_id, session=session))

    async def count_completions(
        self, session_id: str, is_enough: Callable[[CompletionCount], int] | None = None
    ) -> CompletionCount:
        """
        Return how many learners of a program session have completed it.

        :param session_id: ID of the session: 24 hexadecimal characters.
        :param is_enough: Returns how many waits the counts end, or whether they end one. Deleted learners never
            complete. They are left out if that ends more waits, and only few learners have not completed. Default:
            they may be counted.
        :returns: The counts.
        :raises LearningError: The request failed; its class says what to do next.

        Source: 360Learning API v1, `GET /api/v1/programs/sessions/{session_id}/stats`; API v2,
            `GET /api/v2/paths/{pathId}/sessions/{sessionId}/user-statuses`.
        """
        return await self.run_plan((await self.get_platform()).count_completions(session_id, is_enough))

    async def run_plan(self, plan: Plan[T], *, budget: RetryBudget | None = None) -> T:
        """
        Carry out a plan of calls.

        :param plan: The plan, such as `(await hook.get_platform()).get_session(...)`.
        :param budget: The retry budget of each call; default that of the hook.
        :returns: The result of the plan.
        :raises LearningError: The request failed; its class says what to do next.
        """
        outcome: Any = None
        while True:
            try:
                step = advance(plan, outcome)
            except StopIteration as end:
                done: T = end.value
                return done
            try:
                if isinstance(step, Work):
                    outcome = await asyncio.to_thread(step.run)
                elif isinstance(step, Pause):
                    await asyncio.sleep(step.seconds)
                    outcome = None
                else:
                    outcome = await self._carry_out(step, budget=budget)
            except LearningError as error:
                outcome = error

    async def stream_plan(self, plan: StreamPlan) -> AsyncGenerator[dict[str, Any], None]:
        """
        Carry out the plan of a list; yield its entries while they arrive.

        :param plan: The plan, such as `(await hook.get_platform()).stream_sessions()`.
        :returns: The entries.
        :raises LearningError: The request failed; its class says what to do next.
        """
        outcome: Any = None
        while True:
            try:
                call = advance(plan, outcome)
            except StopIteration:
                return
            try:
                outcome = await self._carry_out(call)
            except LearningError as error:
                outcome = error
                continue
            async with aclosing(read_chunks_async(outcome.response)) as chunks:
                async for chunk in chunks:
                    for entry in outcome.feed(chunk):
                        yield entry
            self._close_page(outcome)

    async def get_platform(self) -> Platform:
        """
        Return the version of the API that the connection speaks.

        :raises SettingsError: The connection is missing, incomplete or not valid.
        """
        settings, _, _ = await self._open()
        if self._platform is None:
            # It imports the version: tens of milliseconds. Meanwhile, another call may have built one.
            platform = await asyncio.to_thread(build_platform, settings, time.monotonic)
            self._platform = self._platform or platform
        return self._platform

    async def get_settings(self) -> LearningSettings:
        """
        Return the settings of the connection, which is looked up once.

        :raises SettingsError: The connection is missing, incomplete or not valid.
        """
        async with self._opening:
            return await self._find_settings()

    async def test_connection(self) -> tuple[bool, str]:
        """
        Test whether 360Learning accepts the keys of the connection.

        :returns: Whether it does, and a sentence: how long it took, or what to do.
        """
        started = time.monotonic()
        names = COMPANY_KEYS
        try:
            settings, credentials, _ = await self._open()
            names = settings.key_names
            await self._carry_out(get_token(credentials), budget=ONE_ATTEMPT)
            await self.run_plan((await self.get_platform()).test(), budget=ONE_ATTEMPT)
        except LearningError as error:
            return False, diagnose(error, names)
        return True, accepted(settings.host, time.monotonic() - started, names)

    async def _open(self) -> tuple[LearningSettings, Credentials, aiohttp.ClientSession]:
        """Read the connection and open the client, once."""
        async with self._opening:
            settings = await self._find_settings()
            if self._credentials is None:
                self._credentials = build_credentials(settings)
            if self._client is None:
                self._client = await open_client(settings, USER_AGENT)
        return settings, self._credentials, self._client

    async def _find_settings(self) -> LearningSettings:
        if self._settings is None:
            self._settings = await self._read_settings()
        return self._settings

    async def _read_settings(self) -> LearningSettings:
        check_conn_id(self.learning_conn_id)
        failure: Exception | None = None
        connection, extra = None, {}
        try:
            connection = await get_async_connection(self.learning_conn_id, hook=self)
            check_extra(self.learning_conn_id, connection)
            extra = await get_async_extra_dejson(connection)
        except LearningError:
            raise
        except Exception as error:  # noqa: BLE001 - require_missing_async tells them apart
            failure, connection = error, None
        # Outside the handler: the text of the exception may contain the connection.
        if failure is not None:
            await require_missing_async(self.learning_conn_id, failure)
        return build_settings(self.learning_conn_id, connection, extra)

    async def _carry_out(self, call: Call[T], *, budget: RetryBudget | None = None) -> T:
        """Carry out the steps of a call and return its result."""
        settings, credentials, _ = await self._open()
        steps = exchange(call, build_call_context(settings, credentials, budget or self.budget))
        result: Any = None
        while True:
            try:
                step = steps.send(result)
            except StopIteration as end:
                done: T = end.value
                return done
            result = await self._step(step)

    async def _step(self, step: Step) -> Any:
        match step:
            case Send(request, limits, streamed):
                return await self._send_within_rate(request, limits, streamed=streamed)
            case Sleep(seconds, reason):
                self.log.log(self.retry_log_level, "%s", reason)
                return await asyncio.sleep(seconds)
            case Authorize(refused):
                return await self._authorize(refused)
            case Read(_, response) if len(response.body) > LARGE_BODY:
                return await asyncio.to_thread(step.carry_out)
            case Read():
                return step.carry_out()

    async def _send_within_rate(self, request: Request, limits: Limits, *, streamed: bool) -> Response | LearningError:
        """Send within the rate limit that all hooks of this connection share, and after any `Retry-After`."""
        settings, _, _ = await self._open()
        if seconds := await acquire(settings):
            return error_not_sent(request, seconds, connection=settings.connection)
        outcome = await self._send(request, limits, streamed=streamed)
        if isinstance(outcome, Response):
            note_retry_after(settings, outcome)
        return outcome

    async def _send(self, request: Request, limits: Limits, *, streamed: bool) -> Response | LearningError:
        settings, _, _ = await self._open()
        deadline = asyncio.get_running_loop().time() + limits.max_seconds
        while True:
            attempt = AsyncAttempt(deadline, settings.timeout)
            try:
                return await self._send_once(request, limits, attempt, streamed=streamed)
            except LearningError as error:
                return error
            except Exception as error:
                if not is_transport_error(error):
                    raise
                cause: Exception = error
            # The server closed a pooled connection while it was idle: send once more, on a new one.
            if not (attempt.is_reused and request.may_repeat and is_disconnect(cause)):
                # Outside the handler: the transport's exception holds the URL and must not be chained.
                return error_from_aiohttp(request, cause, limits, attempt)

    async def _send_once(self, request: Request, limits: Limits, attempt: AsyncAttempt, *, streamed: bool) -> Response:
        """Send a request and return its response, with its body unless that is streamed."""
        native = await self._request(request, attempt)
        response, reader = _begin_response(request, native, limits)
        content = read_content_async(request, native, reader, limits, attempt)
        if streamed and response.is_success:
            return replace(response, content=content)
        body = b"".join([chunk async for chunk in content])
        return replace(response, body=body, is_cut=reader.is_cut, is_shallow=reader.is_shallow)

    async def _request(self, request: Request, attempt: AsyncAttempt) -> aiohttp.ClientResponse:
        """Send a request and return the response as soon as its headers have arrived."""
        from yarl import URL

        settings, _, client = await self._open()
        query = f"?{urlencode(request.query)}" if request.query else ""
        async with asyncio.timeout_at(attempt.deadline) as attempt.timer:
            return await client.request(
                request.method,
                URL(f"{settings.host}{request.path}{query}", encoded=True),
                headers=request.headers,
                data=request.body,
                allow_redirects=False,
                proxy=find_proxy(settings),
                # Limits what is held in memory if the caller reads slowly.
                read_bufsize=CHUNK_SIZE,
                trace_request_ctx=attempt,
            )

    async def _authorize(self, refused: Token | None) -> bool:
        """Fetch a token if one is needed; return whether one was fetched."""
        _, credentials, _ = await self._open()
        async with self._token_lock:
            if not credentials.needs_token(refused, time.monotonic()):
                return False
            token = await self._carry_out(get_token(credentials))
            # In a thread: masking sends a message to Airflow's supervisor, which would block the loop.
            await asyncio.to_thread(mask_secret, token.value)
            credentials.accept_token(token, time.monotonic())
            return True


async def read_chunks_async(response: Response) -> AsyncGenerator[bytes, None]:
    """Yield the body of a response in chunks, whether it was read already or is still arriving."""
    if response.content is None:
        for chunk in split_body(response.body):
            yield chunk
        return
    async with aclosing(response.content) as content:
        async for chunk in content:
            yield chunk


def _begin_response(request: Request, native: aiohttp.ClientResponse, limits: Limits) -> tuple[Response, BodyReader]:
    """Return the response as soon as its headers have arrived, and a reader for its body."""
    headers = join_headers(native.headers.items())
    response = Response(request, native.status, headers, native=native, limits=limits)
    try:
        return response, BodyReader(request, native.status, headers, limits)
    except LearningError:
        native.close()
        raise
