"""
`LearningHook`: the connection to 360Learning for tasks, over `requests`.

It decides only how bytes are fetched. What to send, what to repeat and what a response means is decided in `api/`.
"""

from __future__ import annotations

__all__ = ["LearningAsyncHook", "LearningHook"]

import threading
import time
from contextlib import closing
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import parse_qsl, urlsplit

import requests
from urllib3.exceptions import HTTPError

from airflow.providers.common.compat.lineage.hook import get_hook_lineage_collector
from airflow.providers.common.compat.sdk import mask_secret
from airflow.providers.http.hooks.http import HttpHook

from airflow_provider_learning360 import DEFAULT_CONN_ID
from airflow_provider_learning360.api.bodies import BodyReader
from airflow_provider_learning360.api.credentials import COMPANY_KEYS, Credentials, is_same_origin, remove_keys
from airflow_provider_learning360.api.diagnosis import accepted, diagnose
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
    observe_responses,
)
from airflow_provider_learning360.api.redaction import hide_secrets
from airflow_provider_learning360.api.retries import RetryBudget
from airflow_provider_learning360.api.session_uri import build_session_uri
from airflow_provider_learning360.api.settings import LearningSettings, connection_fields, form_behaviour
from airflow_provider_learning360.api.token_call import get_token
from airflow_provider_learning360.api.versions import build_platform
from airflow_provider_learning360.hooks.connection import (
    USER_AGENT,
    ConnectionType,
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
from airflow_provider_learning360.hooks.lookup import check_conn_id, require_missing
from airflow_provider_learning360.hooks.one_origin_session import OneOriginSession
from airflow_provider_learning360.hooks.proxies import find_proxy
from airflow_provider_learning360.hooks.request_options import check_headers, check_options
from airflow_provider_learning360.hooks.tls import build_connection_ssl_context, find_ca_bundle

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from airflow_provider_learning360.api.contract import ContractPolicy
    from airflow_provider_learning360.api.credentials import Token
    from airflow_provider_learning360.api.document_list import DocumentChoice, DocumentList
    from airflow_provider_learning360.api.messages import ChunkReader
    from airflow_provider_learning360.api.models import Learner, ProgramSession, SessionStatistics
    from airflow_provider_learning360.api.platform import (
        CompletionCount,
        Keys,
        Plan,
        Platform,
        SessionFilter,
        StreamPlan,
    )
    from airflow_provider_learning360.hooks.learning_async import LearningAsyncHook

T = TypeVar("T")
ONE_ATTEMPT = RetryBudget(attempts=1)


class LearningHook(ConnectionType, HttpHook):
    """
    Talk to 360Learning with the credentials of an Airflow connection of type `learning360`.

    `run` sends any other request, with the same authentication, retries and limits.

    :param learning_conn_id: ID of the connection; default `learning360_default`.
    :param method: HTTP method that `run` uses; default `GET`.
    :param http_hook_arguments: Further arguments of Airflow's `HttpHook`, such as `adapter` and `tcp_keep_alive`.

    Source: Airflow's `HttpHook`; 360Learning API v1.
    """

    def __init__(
        self, learning_conn_id: str = DEFAULT_CONN_ID, method: str = "GET", **http_hook_arguments: Any
    ) -> None:
        super().__init__(method=method, http_conn_id=learning_conn_id, **http_hook_arguments)
        self.learning_conn_id = learning_conn_id
        # Seconds that each of the next calls may take, with all requests of its plan and waits; None for as long as the
        # connection allows.
        self.time_limit: float | None = None
        # How many calls the last plan took, without token calls and retries.
        self.call_count = 0
        self._token_lock = threading.Lock()

    @cached_property
    def settings(self) -> LearningSettings:
        """
        The settings of the connection.

        :raises SettingsError: The connection is missing, incomplete or not valid.
        :raises TryAgainError: Airflow could not look up the connection.
        """
        check_conn_id(self.learning_conn_id)
        failure: Exception | None = None
        connection, extra = None, {}
        try:
            connection = self.get_connection(self.learning_conn_id)
            check_extra(self.learning_conn_id, connection)
            extra = connection.extra_dejson
        except LearningError:
            raise
        except Exception as error:  # noqa: BLE001 - require_missing tells them apart
            failure, connection = error, None
        # Outside the handler: the text of the exception may contain the connection.
        if failure is not None:
            require_missing(self.learning_conn_id, failure)
        return build_settings(self.learning_conn_id, connection, extra)

    @cached_property
    def credentials(self) -> Credentials:
        """The credentials of the connection, with the token that is in use."""
        return build_credentials(self.settings)

    def get_program_session(self, session_id: str, keys: Keys = None) -> ProgramSession:
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
        session = self.run_plan(self.platform.get_session(session_id, keys))
        self._add_lineage(session.id)
        return session

    def complete_program_session(self, session: ProgramSession, keys: Keys = None) -> ProgramSession:
        """
        Return a session of a list, or of an earlier call, with the fields that were left out then.

        :param session: The session.
        :param keys: Names of the fields that are needed; default all.
        :returns: The session with them; the same one if it has them.
        :raises LearningError: The request failed; its class says what to do next.

        Source: 360Learning API v2, `GET /api/v2/paths/{pathId}` and more; API v1 sends all fields at once.
        """
        return self.run_plan(self.platform.complete_session(session, keys))

    def list_program_sessions(
        self,
        *,
        contract: ContractPolicy = "warn",
        where: SessionFilter = EVERYTHING,
        keys: Keys = SESSION_KEYS_ONLY,
    ) -> list[ProgramSession]:
        """
        Return the program sessions of the company.

        All of them are in memory, with all their fields: 750 MB for 200,000 sessions of 1,250 bytes. For a long list
        use `stream_program_sessions`, or `list_documents`, which keeps the fields that you choose.

        :param contract: What to do about entries that cannot be read: leave them out, with one warning (`warn`, the
            default, and `ignore`), or fail (`strict`).
        :param where: Which sessions are wanted; the API may send more. Default all.
        :param keys: Names of the fields that are needed beside those of the session itself; default none.
        :returns: The sessions.
        :raises LearningError: The request failed; its class says what to do next.

        Source: 360Learning API v1, `GET /api/v1/programs/sessions`; API v2, `GET /api/v2/paths/sessions`.
        """
        listed = self.run_plan(self.platform.list_sessions(where, keys))
        self._add_lineage()
        if warning := listed.unreadable.report(contract):
            self.log.warning("%s", warning)
        return listed.sessions

    def list_documents(
        self, choice: DocumentChoice, *, contract: ContractPolicy = "warn", where: SessionFilter = EVERYTHING
    ) -> DocumentList:
        """
        Return the documents of the program sessions that match; others are dropped while the list arrives.

        :param choice: Which sessions are wanted, and which of their fields.
        :param contract: What to do about entries that cannot be read, as in `list_program_sessions`.
        :param where: Which sessions are wanted; the API may send more. Default all.
        :returns: The documents.
        :raises LearningError: The request failed; its class says what to do next.

        Source: 360Learning API v1, `GET /api/v1/programs/sessions`; API v2, `GET /api/v2/paths/sessions`.
        """
        listed = self.run_plan(self.platform.list_documents(choice, where))
        self._add_lineage()
        if warning := listed.unreadable.report(contract):
            self.log.warning("%s", warning)
        return listed

    def stream_program_sessions(self, where: SessionFilter = EVERYTHING) -> Generator[dict[str, Any], None, None]:
        """
        Yield each program session of the company, while the list is still arriving.

        The list is never held in memory as a whole. A call
        that fails before the body begins is retried as usual; a failure inside the body is not. Callers that stop early
        call `close`, or use `contextlib.closing`.

        :param where: Which sessions are wanted; the API may send more. Default all.
        :returns: The sessions as dictionaries, with the names of fields of API v1. An entry that cannot be read yields
            an empty dictionary, or one with its `_id` only.
        :raises LearningError: The request failed; its class says what to do next. Some sessions may have been
            yielded before.

        Source: 360Learning API v1, `GET /api/v1/programs/sessions`; API v2, `GET /api/v2/paths/sessions`.
        """
        self._add_lineage()
        yield from self.stream_plan(self.platform.stream_sessions(where))

    def get_program_session_users(self, session_id: str) -> list[Learner]:
        """
        Return the learners of a program session, with their names.

        :param session_id: ID of the session: 24 hexadecimal characters.
        :returns: The learners.
        :raises LearningError: The request failed; its class says what to do next.

        Source: 360Learning API v1, `GET /api/v1/programs/sessions/{session_id}/users`; API v2,
            `GET /api/v2/paths/{pathId}/enrollments`.
        """
        return self.run_plan(self.platform.get_learners(session_id))

    def get_program_session_stats(self, session_id: str, session: ProgramSession | None = None) -> SessionStatistics:
        """
        Return the progress of the learners of a program session.

        :param session_id: ID of the session: 24 hexadecimal characters.
        :param session: The session, if it was read just now, which may save a request; default none.
        :returns: The statistics.
        :raises LearningError: The request failed; its class says what to do next.

        Source: 360Learning API v1, `GET /api/v1/programs/sessions/{session_id}/stats`; API v2,
            `GET /api/v2/paths/{pathId}/sessions/{sessionId}/user-stats`.
        """
        return self.run_plan(self.platform.get_statistics(session_id, session=session))

    def count_completions(
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
        return self.run_plan(self.platform.count_completions(session_id, is_enough))

    @cached_property
    def platform(self) -> Platform:
        """
        The version of the API that the connection speaks.

        :raises SettingsError: The connection is missing, incomplete or not valid.
        """
        return build_platform(self.settings, time.monotonic)

    def run_plan(
        self,
        plan: Plan[T],
        *,
        budget: RetryBudget | None = None,
        observe: Callable[[Response], None] | None = None,
    ) -> T:
        """
        Carry out a plan of calls. `call_count` is then how many there were.

        :param plan: The plan, such as `hook.platform.get_session(...)`.
        :param budget: The retry budget of each call; default that of the connection.
        :param observe: Gets each successful response; default none.
        :returns: The result of the plan.
        :raises LearningError: The request failed; its class says what to do next.
        """
        deadline = self._find_deadline()
        outcome: Any = None
        self.call_count = 0
        while True:
            try:
                step = advance(plan, outcome)
            except StopIteration as end:
                done: T = end.value
                return done
            try:
                outcome = self._carry_out_step(step, budget, observe, deadline)
            except LearningError as error:
                outcome = error

    def _carry_out_step(
        self,
        step: Call[Any] | Work | Pause,
        budget: RetryBudget | None,
        observe: Callable[[Response], None] | None,
        deadline: float | None,
    ) -> Any:
        if isinstance(step, Work):
            return step.run()
        if isinstance(step, Pause):
            return time.sleep(step.seconds)
        self.call_count += 1
        call = step if observe is None else observe_responses(step, observe)
        return self._carry_out(call, budget=budget, deadline=deadline)

    def stream_plan(self, plan: StreamPlan) -> Generator[dict[str, Any], None, None]:
        """
        Carry out the plan of a list; yield its entries while they arrive.

        :param plan: The plan, such as `hook.platform.stream_sessions()`.
        :returns: The entries.
        :raises LearningError: The request failed; its class says what to do next.
        """
        deadline = self._find_deadline()
        outcome: Any = None
        while True:
            try:
                call = advance(plan, outcome)
            except StopIteration:
                return
            try:
                outcome = self._carry_out(call, options={"stream": call.streamed}, deadline=deadline)
            except LearningError as error:
                outcome = error
                continue
            with closing(read_chunks(outcome.response)) as chunks:
                for chunk in chunks:
                    yield from outcome.feed(chunk)
            self._close_page(outcome)

    def test_connection(self) -> tuple[bool, str]:
        """
        Test whether 360Learning accepts the keys of the connection.

        :returns: Whether it does, and a sentence: how long it took, or what to do.
        """
        started = time.monotonic()
        names = COMPANY_KEYS
        try:
            names = self.settings.key_names
            self.check_keys()
        except LearningError as error:
            return False, diagnose(error, names)
        return True, accepted(self.settings.host, time.monotonic() - started, names)

    def check_keys(self) -> None:
        """
        Exchange the keys for a token, and send the cheapest request that shows whether they are accepted; once each.

        :raises LearningError: One of the two failed.
        """
        self._carry_out(get_token(self.credentials), budget=ONE_ATTEMPT)
        self.run_plan(self.platform.test(), budget=ONE_ATTEMPT)

    def run(
        self,
        endpoint: str | None = None,
        data: dict[str, Any] | str | None = None,
        headers: dict[str, Any] | None = None,
        extra_options: dict[str, Any] | None = None,
        **request_kwargs: Any,
    ) -> requests.Response:
        r"""
        Send a request to any route of 360Learning and return the response.

        The body is read up to `max_document_bytes` of the connection. With `stream`, the caller reads the body, within
        `max_list_bytes` and `max_list_seconds`.

        :param endpoint: Path of the route, such as `/api/v1/users`; default the root of the host.
        :param data: Query parameters of a GET or HEAD, else the body; default none.
        :param headers: Further headers; default none.
        :param extra_options: As in `HttpHook`: `check_response`, `timeout` (seconds), `stream`, `verify`, `cert`,
            `proxies`; default none.
        :param request_kwargs: Further arguments of `requests.Request`, such as `json=`.
        :returns: The response of `requests`.
        :raises LearningError: The request failed; its class says what to do next. The status of the response is no
            error if `check_response` is False.
        """
        options = dict(extra_options or {})
        any_status = not options.pop("check_response", True)
        request = self._build_request(endpoint, data, headers, request_kwargs)
        check_options(options)
        check_headers(request.headers)
        call = Call(request, _native, any_status=any_status, kind="entries" if options.get("stream") else "document")
        return self._carry_out(call, options=options)

    def get_conn(
        self, headers: dict[Any, Any] | None = None, extra_options: dict[str, Any] | None = None
    ) -> requests.Session:
        """
        Return a `requests` session that signs requests to the connection's host, and refuses redirects elsewhere.

        Its responses have no limits: give each request a `timeout`, or use `run`, which keeps to the limits of the
        connection.

        :param headers: Headers of all requests of the session; default none.
        :param extra_options: As in `HttpHook`: `stream`, `verify`, `cert`, `proxies`, `trust_env`; default those of
            the connection.
        :returns: The session.
        :raises SettingsError: The connection is missing, incomplete or not valid.
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
        """
        Build the form fields of the extra, for Airflow below 3.2; later versions read the provider info.

        :returns: The fields by name.
        """
        from wtforms import StringField

        return {
            name: StringField(field["label"], description=field["description"])
            for name, field in connection_fields().items()
        }

    @classmethod
    def get_ui_field_behaviour(cls) -> dict[str, Any]:
        """
        Build labels and placeholders of the form, for Airflow below 3.2; later versions read the provider info.

        :returns: Hidden fields, labels and placeholders.
        """
        return {name.replace("-", "_"): value for name, value in form_behaviour().items()}

    @cached_property
    def _session(self) -> requests.Session:
        # Checked here, once: `requests` would report a wrong file or proxy as a broken network.
        find_proxy(self.settings)
        if find_ca_bundle(self.settings) not in (True, False) or self.settings.cert:
            build_connection_ssl_context(self.settings)
        return self.get_conn()

    def _carry_out(
        self,
        call: Call[T],
        *,
        budget: RetryBudget | None = None,
        options: dict[str, Any] | None = None,
        deadline: float | None = None,
    ) -> T:
        """Carry out the steps of a call and return its result. A token call has the deadline of the call around it."""
        deadline = self._find_deadline() if deadline is None else deadline
        options = {**(options or {}), "build_reader": call.build_reader}
        steps = exchange(call, build_call_context(self.settings, self.credentials, budget, deadline))
        result: Any = None
        while True:
            try:
                step = steps.send(result)
            except StopIteration as end:
                done: T = end.value
                return done
            result = self._step(step, options, deadline)

    def _find_deadline(self) -> float | None:
        """Return until when a call or plan that begins now may take."""
        return None if self.time_limit is None else time.monotonic() + self.time_limit

    def _step(self, step: Step, options: dict[str, Any], deadline: float | None) -> Any:
        match step:
            case Send(request, limits):
                return self._send(request, limits, options)
            case Sleep(seconds, reason):
                self.log.log(self.retry_log_level, "%s", reason)
                return time.sleep(seconds)
            case Authorize(refused):
                return self._authorize(refused, deadline)
            case Read():
                return step.carry_out()

    def _build_request(
        self,
        endpoint: str | None,
        data: dict[str, Any] | str | None,
        headers: dict[str, Any] | None,
        request_kwargs: dict[str, Any],
    ) -> Request:
        """Return the request that `requests` would make of the arguments of `run`."""
        read = getattr(data, "read", None)
        if read is not None:
            data = read()  # a file can be read once, but the request may be repeated
        check_headers(headers or {})
        place = "params" if self.method in ("GET", "HEAD") else "data"
        url = self.settings.host + "/" + (endpoint or "").lstrip("/")
        prepared = requests.Request(self.method, url, headers=headers, **{place: data}, **request_kwargs).prepare()
        parts = urlsplit(prepared.path_url)
        query = tuple(parse_qsl(parts.query, keep_blank_values=True))
        return Request(self.method, parts.path, query, dict(prepared.headers), prepared.body)

    def _send(self, request: Request, limits: Limits, options: dict[str, Any]) -> Response | LearningError:
        session = self._session
        attempt = Attempt(limits.max_bytes + OVERHEAD, limits.max_seconds)
        settings = self._merge_settings(session, self.settings.host + request.path, options)
        timeout = _within(options.get("timeout", self.settings.timeout), limits.max_seconds)
        try:
            with limit_sockets(attempt):
                native = self._send_native(session, request, settings, timeout)
        # Errors of `requests` are an OSError. UnicodeError and HTTPError: a proxy or host name that is not valid.
        except (OSError, HTTPError, UnicodeError) as error:
            cause: Exception = error
        else:
            return self._read_response(request, native, limits, attempt, settings["stream"], options["build_reader"])
        # Outside the handler: the transport's exception holds the URL and must not be chained.
        return error_from_requests(request, cause, limits, attempt)

    def _send_native(
        self, session: requests.Session, request: Request, settings: dict[str, Any], timeout: Any
    ) -> requests.Response:
        """Send a request and return the response as soon as its headers have arrived."""
        url, headers = self.settings.host + request.path, {**session.headers, **request.headers}
        unsent = requests.Request(request.method, url, headers, params=request.query, data=request.body)
        # Not the session's own `send`, which hides secrets in its results: here they are read first.
        return requests.Session.send(
            session,
            unsent.prepare(),
            timeout=timeout,
            allow_redirects=False,
            **{**settings, "stream": True},  # the body is read later, within its limits
        )

    def _merge_settings(self, session: requests.Session, url: str, options: dict[str, Any]) -> dict[str, Any]:
        """Return proxies, TLS and `stream` of one request: its own, else those of the session."""
        settings: Any = session.merge_environment_settings(
            url,
            # Always given: the environment would win over the session's. A copy, since `requests` adds to it.
            dict(options.get("proxies") or session.proxies),
            options.get("stream"),
            # Always given: a CA bundle of the environment would win over `verify: false`.
            options.get("verify", session.verify),
            options.get("cert"),
        )
        return dict(settings)

    def _read_response(
        self,
        request: Request,
        native: requests.Response,
        limits: Limits,
        attempt: Attempt,
        streamed: bool,
        build_reader: Callable[[Response], ChunkReader] | None,
    ) -> Response | LearningError:
        """Read the body of a response, unless it is a success that the caller streams."""
        headers = join_headers(native.headers.items())
        response = Response(request, native.status_code, headers, native=native, limits=limits)
        try:
            reader = BodyReader(request, response.status, headers, limits)
            content = read_content(request, native.raw, reader, limits, attempt)
            # Callers of `run` may print both.
            native.url = hide_secrets(native.url or "", self.credentials.secrets)
            native.reason = hide_secrets(native.reason or "", self.credentials.secrets)
            if streamed and response.is_success:
                native.raw = LimitedBody(content)
                return replace(response, content=content)
            if build_reader is not None and response.is_success:
                chunk_reader, body = build_reader(response), b""
                for chunk in content:
                    chunk_reader.feed(chunk)
                response = replace(response, reader=chunk_reader)
            else:
                body = b"".join(content)
        except LearningError as error:
            native.close()
            return error
        native._content, native._content_consumed = body, True  # type: ignore[attr-defined] # for callers of `run`
        return replace(response, body=body, is_cut=reader.is_cut, is_shallow=reader.is_shallow)

    def _add_lineage(self, session_id: str = "") -> None:
        uri = build_session_uri(self.settings.host, session_id)
        get_hook_lineage_collector().add_input_asset(context=self, uri=uri)

    def _authorize(self, refused: Token | None, deadline: float | None = None) -> bool:
        """Fetch a token if one is needed; return whether one was fetched."""
        with self._token_lock:
            if not self.credentials.needs_token(refused, time.monotonic()):
                return False
            token = self._carry_out(get_token(self.credentials), deadline=deadline)
            mask_secret(token.value)
            self.credentials.accept_token(token, time.monotonic())
            return True

    def _sign_prepared(self, prepared: requests.PreparedRequest) -> requests.PreparedRequest:
        """Sign a request that is sent through `get_conn`."""
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
            # A redirect may repeat the keys that were sent.
            kept = remove_keys(tuple(parse_qsl(parts.query, keep_blank_values=True)))
            prepared.prepare_url(parts._replace(query="").geturl(), kept + signed.query)
        return prepared


def read_chunks(response: Response) -> Generator[bytes, None, None]:
    """Yield the body of a response in chunks, whether it was read already or is still arriving."""
    if response.content is None:
        yield from split_body(response.body)
        return
    with closing(response.content) as content:
        yield from content


def _within(timeout: Any, seconds: float) -> Any:
    """Return a time-out of `requests`, or a pair of them, of at most so many seconds."""
    if isinstance(timeout, tuple):
        return tuple(_within(one, seconds) for one in timeout)
    if isinstance(timeout, int | float):
        return min(timeout, seconds)
    return seconds if timeout is None else timeout


def _native(response: Response) -> requests.Response:
    native: requests.Response = response.native
    return native


def __getattr__(name: str) -> Any:
    # The async hook under its former address; loaded on demand, since a task does not need it.
    if name == "LearningAsyncHook":
        from airflow_provider_learning360.hooks.learning_async import LearningAsyncHook

        return LearningAsyncHook
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
