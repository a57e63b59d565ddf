"""
`LearningAsyncHook`: the connection to 360Learning for coroutines, over `aiohttp`.

It only fetches bytes; all decisions are in `api/`. It never imports `requests`, which a triggerer does not need.
"""

from __future__ import annotations

__all__ = ["LearningAsyncHook"]

import asyncio
import time
from contextlib import aclosing
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Self, TypeVar
from urllib.parse import urlencode

from airflow.providers.common.compat.connection import get_async_connection, get_async_extra_dejson
from airflow.providers.common.compat.sdk import BaseHook, mask_secret

from airflow_provider_learning360 import DEFAULT_CONN_ID
from airflow_provider_learning360.api import endpoints
from airflow_provider_learning360.api.bodies import BodyReader
from airflow_provider_learning360.api.diagnosis import accepted, diagnose
from airflow_provider_learning360.api.error_mapping import error_not_sent
from airflow_provider_learning360.api.errors import LearningError
from airflow_provider_learning360.api.exchange import Authorize, Read, Send, Sleep, Step, exchange
from airflow_provider_learning360.api.messages import Call, Limits, Request, Response, join_headers
from airflow_provider_learning360.api.retries import RetryBudget
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
    from collections.abc import AsyncGenerator
    from types import TracebackType

    import aiohttp

    from airflow_provider_learning360.api.contract import ContractPolicy
    from airflow_provider_learning360.api.credentials import Credentials, Token
    from airflow_provider_learning360.api.models import Learner, ProgramSession, SessionStatistics
    from airflow_provider_learning360.api.settings import LearningSettings

T = TypeVar("T")

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

    async def get_program_session(self, session_id: str) -> ProgramSession:
        """
        Return one program session.

        :param session_id: ID of the session: 24 hexadecimal characters.
        :returns: The session.
        :raises LearningError: By what to do next: `FixIdError`, `FixConnectionError`, `RateLimitedError`, ...

        Source: 360Learning API v1, `GET /api/v1/programs/sessions/{session_id}/`.
        """
        return await self._carry_out(endpoints.get_program_session(session_id))

    async def list_program_sessions(self, *, contract: ContractPolicy = "warn") -> list[ProgramSession]:
        """
        Return all program sessions of the company, in one response of up to several megabytes.

        :param contract: What to do about entries that cannot be read: leave them out, with one warning (`warn`, the
            default, and `ignore`), or fail (`strict`).
        :returns: The sessions.
        :raises LearningError: By what to do next.

        Source: 360Learning API v1, `GET /api/v1/programs/sessions`.
        """
        listed = await self._carry_out(endpoints.list_program_sessions())
        if warning := listed.unreadable.report(contract):
            self.log.warning("%s", warning)
        return listed.sessions

    async def stream_program_sessions(self) -> AsyncGenerator[dict[str, Any], None]:
        """
        Yield each program session of the company as the API sent it, while the list is still arriving.

        The list is never held in memory as a whole, and the event loop is not blocked, however long the list is. A call
        that fails before the body begins is retried as usual; a failure inside the body is not. Callers that stop early
        call `aclose`, or use `contextlib.aclosing`, so that the connection is closed at once.

        :returns: The sessions as dictionaries, with the API's names of fields. An entry that cannot be read yields an
            empty dictionary, or one with its `_id` only.
        :raises LearningError: By what to do next; also after some sessions were yielded.

        Source: 360Learning API v1, `GET /api/v1/programs/sessions`.
        """
        stream = await self._carry_out(endpoints.stream_program_sessions())
        async with aclosing(stream.response.content) as content:
            async for chunk in content:
                for session in stream.feed(chunk):
                    yield session
        stream.close()
        if warning := stream.unreadable.report("warn"):
            self.log.warning("%s", warning)

    async def get_program_session_users(self, session_id: str) -> list[Learner]:
        """
        Return the learners of a program session, with their names.

        :param session_id: ID of the session: 24 hexadecimal characters.
        :returns: The learners.
        :raises LearningError: By what to do next.

        Source: 360Learning API v1, `GET /api/v1/programs/sessions/{session_id}/users`.
        """
        return await self._carry_out(endpoints.get_program_session_users(session_id))

    async def get_program_session_stats(self, session_id: str) -> SessionStatistics:
        """
        Return the progress of the learners of a program session.

        :param session_id: ID of the session: 24 hexadecimal characters.
        :returns: The statistics.
        :raises LearningError: By what to do next.

        Source: 360Learning API v1, `GET /api/v1/programs/sessions/{session_id}/stats`.
        """
        return await self._carry_out(endpoints.get_program_session_stats(session_id))

    async def test_connection(self) -> tuple[bool, str]:
        """
        Test whether 360Learning accepts company ID and API key.

        :returns: Whether it does, and a sentence: how long it took, or what to do.
        """
        started = time.monotonic()
        try:
            settings, credentials, _ = await self._open()
            await self._carry_out(endpoints.get_token(credentials), budget=RetryBudget(attempts=1))
        except LearningError as error:
            return False, diagnose(error)
        return True, accepted(settings.host, time.monotonic() - started)

    async def _open(self) -> tuple[LearningSettings, Credentials, aiohttp.ClientSession]:
        """Read the connection and open the client, once."""
        async with self._opening:
            if self._settings is None:
                self._settings = await self._read_settings()
            if self._credentials is None:
                self._credentials = build_credentials(self._settings)
            if self._client is None:
                self._client = await open_client(self._settings, USER_AGENT)
        return self._settings, self._credentials, self._client

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
        return replace(response, body=b"".join([chunk async for chunk in content]), is_cut=reader.is_cut)

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
            token = await self._carry_out(endpoints.get_token(credentials))
            # In a thread: masking sends a message to Airflow's supervisor, which would block the loop.
            await asyncio.to_thread(mask_secret, token.value)
            credentials.accept_token(token, time.monotonic())
            return True


def _begin_response(request: Request, native: aiohttp.ClientResponse, limits: Limits) -> tuple[Response, BodyReader]:
    """Return the response as soon as its headers have arrived, and a reader for its body."""
    headers = join_headers(native.headers.items())
    response = Response(request, native.status, headers, native=native, limits=limits)
    try:
        return response, BodyReader(request, native.status, headers, limits)
    except LearningError:
        native.close()
        raise
