"""
`LearningHook` and `LearningAsyncHook`: the connection to 360Learning.

Both are transports only: what to send, whether to repeat it and what an answer means is decided in `api/`.
"""

from __future__ import annotations

__all__ = ["LearningAsyncHook", "LearningHook"]

import asyncio
import threading
import time
from contextlib import aclosing, closing
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self, TypeVar
from urllib.parse import parse_qsl, urlencode, urlsplit

import requests
from urllib3.exceptions import HTTPError

from airflow.providers.common.compat.connection import get_async_connection, get_async_extra_dejson
from airflow.providers.common.compat.lineage.hook import get_hook_lineage_collector
from airflow.providers.common.compat.sdk import BaseHook, mask_secret
from airflow.providers.http.hooks.http import HttpHook

from airflow_provider_learning360 import DEFAULT_CONN_ID, __version__
from airflow_provider_learning360.api import endpoints
from airflow_provider_learning360.api.bodies import ACCEPTED_ENCODINGS, BodyReader
from airflow_provider_learning360.api.credentials import Credentials, is_same_origin, remove_keys
from airflow_provider_learning360.api.diagnosis import diagnose
from airflow_provider_learning360.api.error_mapping import error_not_sent
from airflow_provider_learning360.api.errors import LearningError
from airflow_provider_learning360.api.exchange import Authorize, Read, Send, Sleep, Step, exchange
from airflow_provider_learning360.api.messages import Call, Kind, Limits, Request, Response, join_headers
from airflow_provider_learning360.api.redaction import hide_secrets
from airflow_provider_learning360.api.retries import RetryBudget
from airflow_provider_learning360.api.settings import LearningSettings, connection_fields, form_behaviour
from airflow_provider_learning360.hooks.client import (
    CHUNK_SIZE,
    Flight,
    check_headers,
    check_options,
    error_from_aiohttp,
    find_ca_bundle,
    find_proxy,
    is_disconnect,
    is_transport_trouble,
    open_client,
    read_content_async,
    tls,
)
from airflow_provider_learning360.hooks.connection import (
    build_call_context,
    build_credentials,
    build_settings,
    check_extra,
)
from airflow_provider_learning360.hooks.deadline import (
    OVERHEAD,
    Attempt,
    LimitedBody,
    enforce_limits,
    error_from_requests,
    limit_sockets,
    read_content,
)
from airflow_provider_learning360.hooks.guards import OneOriginSession
from airflow_provider_learning360.hooks.lookup import check_conn_id, require_missing, require_missing_async
from airflow_provider_learning360.hooks.rate_limits import acquire, note_retry_after

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Generator
    from types import TracebackType

    import aiohttp

    from airflow_provider_learning360.api.contract import ContractPolicy
    from airflow_provider_learning360.api.list_entries import StreamedObjects
    from airflow_provider_learning360.api.models import Learner, ProgramSession, SessionStatistics

T = TypeVar("T")

USER_AGENT = {
    "User-Agent": f"airflow-provider-learning360/{__version__}",
    "Accept": "application/json",
    "Accept-Encoding": ACCEPTED_ENCODINGS,
}
# Reading a larger body takes long enough for other triggers to notice, so that it goes to a thread.
LARGE_BODY = 64 * 1024


class LearningHook(HttpHook):
    """
    Talk to 360Learning with the credentials of an Airflow connection of type `learning360`.

    `run` reaches any other route of 360Learning with the same authentication, retries and care.

    :param learning_conn_id: ID of the connection; default `learning360_default`.
    :param method: HTTP method that `run` uses; default `GET`.
    :param http_hook_arguments: Further arguments of Airflow's `HttpHook`, such as `adapter` and `tcp_keep_alive`.

    Source: Airflow's `HttpHook`; 360Learning API v1.
    """

    conn_name_attr = "learning_conn_id"
    default_conn_name = DEFAULT_CONN_ID
    conn_type = "learning360"
    hook_name = "360Learning"

    def __init__(
        self, learning_conn_id: str = DEFAULT_CONN_ID, method: str = "GET", **http_hook_arguments: Any
    ) -> None:
        super().__init__(method=method, http_conn_id=learning_conn_id, **http_hook_arguments)
        self.learning_conn_id = learning_conn_id
        # Seconds that the next calls may take in all, waits included; None for as long as the connection allows.
        self.time_limit: float | None = None
        self._token_lock = threading.Lock()

    @cached_property
    def settings(self) -> LearningSettings:
        """
        The settings of the connection.

        :raises SettingsError: The connection is missing, incomplete or not valid.
        :raises TryAgainError: Airflow does not say what the connection is.
        """
        check_conn_id(self.learning_conn_id)
        trouble: Exception | None = None
        connection, extra = None, {}
        try:
            connection = self.get_connection(self.learning_conn_id)
            check_extra(self.learning_conn_id, connection)
            extra = connection.extra_dejson
        except LearningError:
            raise
        except Exception as error:  # noqa: BLE001 - told apart below
            trouble, connection = error, None
        # Outside of the handler: the text of whatever was raised may hold the connection.
        if trouble is not None:
            require_missing(self.learning_conn_id, trouble)
        return build_settings(self.learning_conn_id, connection, extra)

    @cached_property
    def credentials(self) -> Credentials:
        """The credentials of the connection, with the token that is in use."""
        return build_credentials(self.settings)

    def get_program_session(self, session_id: str) -> ProgramSession:
        """
        Return one program session.

        :param session_id: ID of the session: 24 hexadecimal characters.
        :raises LearningError: By what to do next: `FixIdError`, `FixConnectionError`, `RateLimitedError`, ...
        """
        session = self._carry_out(endpoints.get_program_session(session_id))
        self._add_lineage(session.id)
        return session

    def list_program_sessions(self, *, contract: ContractPolicy = "warn") -> list[ProgramSession]:
        """
        Return all program sessions of the company, in one answer of up to several megabytes.

        :param contract: What to do about entries that cannot be read. They are left out, with one warning (`warn`,
            the default, and `ignore`), or are an error (`strict`).
        :raises LearningError: By what to do next.
        """
        listed = self._carry_out(endpoints.list_program_sessions())
        self._add_lineage()
        if warning := listed.unreadable.report(contract):
            self.log.warning("%s", warning)
        return listed.sessions

    def stream_program_sessions(self) -> Generator[dict[str, Any], None, None]:
        """
        Yield each program session of the company as the API sent it, while the list is still on its way.

        The list is never held whole. Trouble before the body begins is repeated as in any other call, trouble inside
        of it is not. Who stops early should call `close`, or use `contextlib.closing`.

        In place of an entry that cannot be read, an empty dictionary is yielded, or one with its `_id` only.

        :raises LearningError: By what to do next; also after some sessions were yielded.

        Source: 360Learning API v1, `GET /api/v1/programs/sessions`.
        """
        stream = self._carry_out(endpoints.stream_program_sessions(), options={"stream": True})
        self._add_lineage()
        with closing(stream.response.content):
            for piece in stream.response.content:
                yield from stream.feed(piece)
        _end_stream(stream, self.log)

    def get_program_session_users(self, session_id: str) -> list[Learner]:
        """
        Return the learners of a program session, with their names.

        :param session_id: ID of the session.
        :raises LearningError: By what to do next.
        """
        return self._carry_out(endpoints.get_program_session_users(session_id))

    def get_program_session_stats(self, session_id: str) -> SessionStatistics:
        """
        Return how far the learners of a program session are.

        :param session_id: ID of the session.
        :raises LearningError: By what to do next.
        """
        return self._carry_out(endpoints.get_program_session_stats(session_id))

    def test_connection(self) -> tuple[bool, str]:
        """Return whether company ID and API key are accepted, and what to do if they are not."""
        started = time.monotonic()
        try:
            settings = self.settings
            self._carry_out(endpoints.get_token(self.credentials), budget=RetryBudget(attempts=1))
        except LearningError as error:
            return False, diagnose(error)
        return True, _accepted(settings, time.monotonic() - started)

    def run(
        self,
        endpoint: str | None = None,
        data: dict[str, Any] | str | None = None,
        headers: dict[str, Any] | None = None,
        extra_options: dict[str, Any] | None = None,
        **request_kwargs: Any,
    ) -> requests.Response:
        r"""
        Send a request to any route of 360Learning and return its answer.

        The answer is read up to `max_document_bytes` of the connection. With `stream`, the caller reads the body,
        within `max_list_bytes` and `max_list_seconds`.

        :param endpoint: Path of the route, such as `/api/v1/users`.
        :param data: Query parameters of a GET, else the body.
        :param headers: Further headers.
        :param extra_options: As in `HttpHook`: `check_response`, `timeout` (seconds), `stream`, `verify`, `cert`,
            `proxies`.
        :param request_kwargs: Passed to `requests.Request`, such as `json=`.
        :raises LearningError: By what to do next; not for the status of the answer if `check_response` is False.
        """
        read = getattr(data, "read", None)
        if read is not None:
            data = read()  # a file is read once, but may have to be sent again
        check_headers(headers or {})
        place = "params" if self.method in ("GET", "HEAD") else "data"
        url = self.settings.host + "/" + (endpoint or "").lstrip("/")
        prepared = requests.Request(self.method, url, headers=headers, **{place: data}, **request_kwargs).prepare()
        parts = urlsplit(prepared.path_url)
        request = Request(
            self.method,
            parts.path,
            tuple(parse_qsl(parts.query, keep_blank_values=True)),
            dict(prepared.headers),
            prepared.body,
        )
        options = dict(extra_options or {})
        any_status = not options.pop("check_response", True)
        kind: Kind = "entries" if options.get("stream") else "document"
        check_options(options)
        check_headers(request.headers)
        return self._carry_out(Call(request, _native, any_status=any_status, kind=kind), options=options)

    def get_conn(
        self, headers: dict[Any, Any] | None = None, extra_options: dict[str, Any] | None = None
    ) -> requests.Session:
        """
        Return a `requests` session that signs what goes to the connection's host, and refuses redirects elsewhere.

        What it reads has no limit: give each request a `timeout`, or use `run`, which keeps to those of the connection.

        :param headers: Headers for all requests of the session.
        :param extra_options: As in `HttpHook`: `stream`, `verify`, `cert`, `proxies`, `trust_env`.
        """
        settings, options = self.settings, extra_options or {}
        self.base_url = settings.host
        session = OneOriginSession(settings.host, self.credentials)
        session.auth = self._sign_prepared
        session.verify = options.get("verify", find_ca_bundle(settings))
        session.cert = options.get("cert", settings.cert)
        session.proxies = options.get("proxies") or {
            scheme: proxy for scheme in ("http", "https") if (proxy := settings.proxy_for(scheme))
        }
        session.stream = options.get("stream", False)
        session.trust_env = options.get("trust_env", settings.trust_env)
        session.headers.update({**USER_AGENT, **(headers or {})})
        self._configure_session_from_mount_adapters(session)
        for adapter in session.adapters.values():
            enforce_limits(adapter)
        return session

    @classmethod
    def get_connection_form_widgets(cls) -> dict[str, Any]:
        """Return the form fields of the extra, for Airflow below 3.2; newer ones read the provider info."""
        from wtforms import StringField

        return {
            name: StringField(field["label"], description=field["description"])
            for name, field in connection_fields().items()
        }

    @classmethod
    def get_ui_field_behaviour(cls) -> dict[str, Any]:
        """Return labels and placeholders of the form, for Airflow below 3.2; newer ones read the provider info."""
        return {name.replace("-", "_"): value for name, value in form_behaviour().items()}

    @cached_property
    def _session(self) -> requests.Session:
        # Once: `requests` would report a wrong file or proxy as a broken network.
        find_proxy(self.settings)
        if find_ca_bundle(self.settings) not in (True, False) or self.settings.cert:
            tls(self.settings)
        return self.get_conn()

    def _carry_out(
        self,
        call: Call[T],
        *,
        budget: RetryBudget | None = None,
        options: dict[str, Any] | None = None,
        deadline: float | None = None,
    ) -> T:
        """Drive a call through its steps. The token call inside of another ends with that one."""
        if deadline is None and self.time_limit is not None:
            deadline = time.monotonic() + self.time_limit
        steps = exchange(call, build_call_context(self.settings, self.credentials, budget, deadline))
        result: Any = None
        while True:
            try:
                step = steps.send(result)
            except StopIteration as end:
                done: T = end.value
                return done
            result = self._step(step, options or {}, deadline)

    def _step(self, step: Step, options: dict[str, Any], deadline: float | None) -> Any:
        match step:
            case Send(request, limits):
                return self._send(request, limits, options)
            case Sleep(seconds, reason):
                self.log.warning("%s", reason)
                return time.sleep(seconds)
            case Authorize(refused):
                return self._authorize(refused, deadline)
            case Read():
                return step.carry_out()

    def _send(self, request: Request, limits: Limits, options: dict[str, Any]) -> Response | LearningError:
        session = self._session
        url = self.settings.host + request.path
        sending: Any = session.merge_environment_settings(
            url,
            # Named too, and a copy: the environment would win over the session's, and is added to what is given here.
            dict(options.get("proxies") or session.proxies),
            options.get("stream"),
            # Always named: otherwise a CA bundle of the environment would win over `verify: false`.
            options.get("verify", session.verify),
            options.get("cert"),
        )
        headers = {**session.headers, **request.headers}
        unsent = requests.Request(request.method, url, headers, params=request.query, data=request.body)
        attempt = Attempt(limits.max_bytes + OVERHEAD, limits.max_seconds)
        try:
            prepared = unsent.prepare()
            with limit_sockets(attempt):
                # Not the session's own `send`: what it hides from its users is read here, and told without secrets.
                native = requests.Session.send(
                    session,
                    prepared,
                    timeout=_within(options.get("timeout", self.settings.timeout), limits.max_seconds),
                    allow_redirects=False,
                    **{**sending, "stream": True},  # the body is read here, within its limits
                )
        # Errors of `requests` are an OSError. UnicodeError and HTTPError: a proxy or host name that cannot be one.
        except (OSError, HTTPError, UnicodeError) as error:
            trouble: Exception = error
        else:
            return self._received(request, native, limits, attempt, streamed=bool(sending["stream"]))
        # Outside of the handler: nothing may drag the transport's exception, with its URL, into a log.
        return error_from_requests(request, trouble, limits, attempt)

    def _received(
        self, request: Request, native: requests.Response, limits: Limits, attempt: Attempt, *, streamed: bool
    ) -> Response | LearningError:
        """Read the body of an answer, unless the caller does; an error is read in any case, since it has to be told."""
        headers = join_headers(native.headers.items())
        response = Response(request, native.status_code, headers, native=native, limits=limits)
        try:
            reader = BodyReader(request, response.status, headers, limits)
            content = read_content(request, native.raw, reader, limits, attempt)
            # Callers of `run` may print them.
            native.url = hide_secrets(native.url or "", self.credentials.secrets)
            native.reason = hide_secrets(native.reason or "", self.credentials.secrets)
            if streamed and response.is_success:
                native.raw = LimitedBody(content)
                return replace(response, content=content)
            body = b"".join(content)
        except LearningError as error:
            native.close()
            return error
        native._content, native._content_consumed = body, True  # type: ignore[attr-defined] # for callers of `run`
        return replace(response, body=body, is_cut=reader.is_cut)

    def _add_lineage(self, session_id: str = "") -> None:
        uri = endpoints.build_session_uri(self.settings.host, session_id)
        get_hook_lineage_collector().add_input_asset(context=self, uri=uri)

    def _authorize(self, refused: Any, deadline: float | None = None) -> bool:
        with self._token_lock:
            if not self.credentials.needs_token(refused, time.monotonic()):
                return False
            token = self._carry_out(endpoints.get_token(self.credentials), deadline=deadline)
            mask_secret(token.value)
            self.credentials.accept_token(token, time.monotonic())
            return True

    def _sign_prepared(self, prepared: requests.PreparedRequest) -> requests.PreparedRequest:
        """Sign a request of somebody who uses `get_conn` directly."""
        url = prepared.url or ""
        if not is_same_origin(url, self.settings.host):
            return prepared
        if self.credentials.mode == "oauth2":
            self._authorize(None)
        unsigned = Request(prepared.method or "GET", "/")
        signed = self.credentials.sign(unsigned)
        prepared.headers.update(signed.headers)
        if signed.query:
            parts = urlsplit(url)
            # A redirect may have kept the keys that were sent.
            kept = remove_keys(tuple(parse_qsl(parts.query, keep_blank_values=True)))
            prepared.prepare_url(parts._replace(query="").geturl(), kept + signed.query)
        return prepared


class LearningAsyncHook(BaseHook):
    """
    The same for coroutines: one `aiohttp` session for the life of the hook, and nothing that blocks the event loop.

    Use it as `async with LearningAsyncHook() as hook`, or call `close` at the end.

    :param learning_conn_id: ID of the connection; default `learning360_default`.
    :param budget: Patience of each call; default what the connection says.

    Source: Airflow's `HttpAsyncHook`; 360Learning API v1.
    """

    conn_name_attr = LearningHook.conn_name_attr
    default_conn_name = LearningHook.default_conn_name
    conn_type = LearningHook.conn_type
    hook_name = LearningHook.hook_name

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
        """Close the connections to 360Learning."""
        client, self._client = self._client, None
        if client is not None:
            await client.close()

    async def get_program_session(self, session_id: str) -> ProgramSession:
        """
        Return one program session.

        :param session_id: ID of the session: 24 hexadecimal characters.
        :raises LearningError: By what to do next: `FixIdError`, `FixConnectionError`, `RateLimitedError`, ...
        """
        return await self._carry_out(endpoints.get_program_session(session_id))

    async def list_program_sessions(self, *, contract: ContractPolicy = "warn") -> list[ProgramSession]:
        """
        Return all program sessions of the company, in one answer of up to several megabytes.

        :param contract: What to do about entries that cannot be read. They are left out, with one warning (`warn`,
            the default, and `ignore`), or are an error (`strict`).
        :raises LearningError: By what to do next.
        """
        listed = await self._carry_out(endpoints.list_program_sessions())
        if warning := listed.unreadable.report(contract):
            self.log.warning("%s", warning)
        return listed.sessions

    async def stream_program_sessions(self) -> AsyncGenerator[dict[str, Any], None]:
        """
        Yield each program session of the company as the API sent it, while the list is still on its way.

        The list is never held whole, and the event loop is not held up, however long the list is. Trouble before the
        body begins is repeated as in any other call, trouble inside of it is not. Who stops early should call
        `aclose`, or use `contextlib.aclosing`, so that the connection is closed at once.

        In place of an entry that cannot be read, an empty dictionary is yielded, or one with its `_id` only.

        :raises LearningError: By what to do next; also after some sessions were yielded.

        Source: 360Learning API v1, `GET /api/v1/programs/sessions`.
        """
        stream = await self._carry_out(endpoints.stream_program_sessions())
        async with aclosing(stream.response.content) as content:
            async for piece in content:
                for session in stream.feed(piece):
                    yield session
        _end_stream(stream, self.log)

    async def get_program_session_users(self, session_id: str) -> list[Learner]:
        """
        Return the learners of a program session, with their names.

        :param session_id: ID of the session.
        :raises LearningError: By what to do next.
        """
        return await self._carry_out(endpoints.get_program_session_users(session_id))

    async def get_program_session_stats(self, session_id: str) -> SessionStatistics:
        """
        Return how far the learners of a program session are.

        :param session_id: ID of the session.
        :raises LearningError: By what to do next.
        """
        return await self._carry_out(endpoints.get_program_session_stats(session_id))

    async def test_connection(self) -> tuple[bool, str]:
        """Return whether company ID and API key are accepted, and what to do if they are not."""
        started = time.monotonic()
        try:
            settings, credentials, _ = await self._open()
            await self._carry_out(endpoints.get_token(credentials), budget=RetryBudget(attempts=1))
        except LearningError as error:
            return False, diagnose(error)
        return True, _accepted(settings, time.monotonic() - started)

    async def _open(self) -> tuple[LearningSettings, Credentials, aiohttp.ClientSession]:
        """Look the connection up and open the session, once."""
        async with self._opening:
            if self._settings is None:
                check_conn_id(self.learning_conn_id)
                trouble: Exception | None = None
                connection, extra = None, {}
                try:
                    connection = await get_async_connection(self.learning_conn_id, hook=self)
                    check_extra(self.learning_conn_id, connection)
                    extra = await get_async_extra_dejson(connection)
                except LearningError:
                    raise
                except Exception as error:  # noqa: BLE001 - told apart below
                    trouble, connection = error, None
                # Outside of the handler, as above.
                if trouble is not None:
                    await require_missing_async(self.learning_conn_id, trouble)
                self._settings = build_settings(self.learning_conn_id, connection, extra)
            if self._credentials is None:
                self._credentials = build_credentials(self._settings)
            if self._client is None:
                self._client = await open_client(self._settings, USER_AGENT)
        return self._settings, self._credentials, self._client

    async def _carry_out(self, call: Call[T], *, budget: RetryBudget | None = None) -> T:
        """Drive a call through its steps."""
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
                return await self._send_in_turn(request, limits, streamed=streamed)
            case Sleep(seconds, reason):
                self.log.warning("%s", reason)
                return await asyncio.sleep(seconds)
            case Authorize(refused):
                return await self._authorize(refused)
            case Read(_, response) if len(response.body) > LARGE_BODY:
                return await asyncio.to_thread(step.carry_out)
            case Read():
                return step.carry_out()

    async def _send_in_turn(self, request: Request, limits: Limits, *, streamed: bool) -> Response | LearningError:
        """Send within the budget that all hooks of this connection share, and never while the server wants a rest."""
        settings, _, _ = await self._open()
        if paused_for := await acquire(settings):
            return error_not_sent(request, paused_for, connection=settings.connection)
        outcome = await self._send(request, limits, streamed=streamed)
        if isinstance(outcome, Response):
            note_retry_after(settings, outcome)
        return outcome

    async def _send(self, request: Request, limits: Limits, *, streamed: bool) -> Response | LearningError:
        settings, _, _ = await self._open()
        loop = asyncio.get_running_loop()
        deadline = loop.time() + limits.max_seconds
        while True:
            flight = Flight(deadline, settings.timeout)
            try:
                native = await self._request(request, flight)
                response, reader = _begun(request, native, limits)
                content = read_content_async(request, native, reader, limits, flight)
                if streamed and response.is_success:
                    return replace(response, content=content)
                return replace(response, body=b"".join([piece async for piece in content]), is_cut=reader.is_cut)
            except LearningError as error:
                return error
            except Exception as error:
                if not is_transport_trouble(error):
                    raise
                trouble: Exception = error
            # The server closed a connection of the pool while nobody used it: a new one is as good as the first.
            if not (flight.is_reused and request.may_repeat and is_disconnect(trouble)):
                # Outside of the handler, as above.
                return error_from_aiohttp(request, trouble, limits, flight)

    async def _request(self, request: Request, flight: Flight) -> aiohttp.ClientResponse:
        """Send a request and return the answer as soon as its headers are there."""
        from yarl import URL

        settings, _, client = await self._open()
        query = f"?{urlencode(request.query)}" if request.query else ""
        async with asyncio.timeout_at(flight.deadline) as flight.timer:
            return await client.request(
                request.method,
                URL(f"{settings.host}{request.path}{query}", encoded=True),
                headers=request.headers,
                data=request.body,
                allow_redirects=False,
                proxy=find_proxy(settings),
                # Bounds what is held if the reader is slow.
                read_bufsize=CHUNK_SIZE,
                trace_request_ctx=flight,
            )

    async def _authorize(self, refused: Any) -> bool:
        _, credentials, _ = await self._open()
        async with self._token_lock:
            if not credentials.needs_token(refused, time.monotonic()):
                return False
            token = await self._carry_out(endpoints.get_token(credentials))
            # Masking speaks to Airflow's supervisor, which would block the loop.
            await asyncio.to_thread(mask_secret, token.value)
            credentials.accept_token(token, time.monotonic())
            return True


def _accepted(settings: LearningSettings, seconds: float) -> str:
    return f"{settings.host} accepted company ID and API key in {seconds * 1000:.0f} ms."


def _end_stream(stream: StreamedObjects, log: Any) -> None:
    """Check that a list came to its end, and say what of it could not be read."""
    stream.close()
    if stream.unreadable.count:
        log.warning("%s Going on without.", stream.unreadable)


def _begun(request: Request, native: aiohttp.ClientResponse, limits: Limits) -> tuple[Response, BodyReader]:
    """Return an answer of which the headers are there, and what reads its body."""
    headers = join_headers(native.headers.items())
    response = Response(request, native.status, headers, native=native, limits=limits)
    try:
        return response, BodyReader(request, native.status, headers, limits)
    except LearningError:
        native.close()
        raise


def _within(timeout: Any, seconds: float) -> Any:
    """Return a time-out, or times-out, of `requests` that leave an attempt no more time than it has."""
    if isinstance(timeout, tuple):
        return tuple(_within(one, seconds) for one in timeout)
    if isinstance(timeout, int | float):
        return min(timeout, seconds)
    return seconds if timeout is None else timeout


def _native(response: Response) -> requests.Response:
    native: requests.Response = response.native
    return native
