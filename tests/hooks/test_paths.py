"""Both hooks on API v2, over real sockets: the same documents, errors and requests, whatever the server sends."""

from __future__ import annotations

import asyncio
import gzip
import json
import time
import tracemalloc
from collections import Counter
from collections.abc import Callable
from itertools import product
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from airflow_provider_learning360.api.errors import (
    ContractError,
    LearningError,
    RateLimitedError,
    RedirectError,
    TimedOutError,
    TooLargeError,
    UnavailableError,
    UnreachableError,
)
from airflow_provider_learning360.api.messages import Request
from case_samples import one_in
from path_platform import ALL_ROUTES, PATH, SESSION_ID, SESSIONS, USERS, PathPlatform, user

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_provider_learning360.simulator import Simulator
    from hooks.conftest import Caller, RawServer

TOKEN_PATH = "/api/v2/oauth2/token"
SECRET_MAIL = "anna.secret@example.com"
V2 = {"api_version": "v2", "requests_per_second": 1000, "retry_attempts": 1}
CALLS: dict[str, Callable[[Any], Any]] = {
    "document": lambda hook: hook("get_program_session", SESSION_ID).document(),
    "learners": lambda hook: list(hook("get_program_session_users", SESSION_ID)),
    "statistics": lambda hook: hook("get_program_session_stats", SESSION_ID).document(),
    "counts": lambda hook: vars(hook("count_completions", SESSION_ID)),
    "list": lambda hook: [one.document() for one in hook("list_program_sessions")],
    "stream": lambda hook: read_stream(hook),
    "test": lambda hook: hook("test_connection")[0],
}


def read_stream(hook: Caller) -> list[dict[str, Any]]:
    async def read() -> list[dict[str, Any]]:
        return [one async for one in hook.hook.stream_program_sessions()]

    return list(hook.hook.stream_program_sessions()) if hook.kind == "sync" else hook._loop.run(read())


class ServedPaths:
    """
    A platform of paths behind a real socket.

    :param server: The server.
    """

    def __init__(self, server: RawServer) -> None:
        self.url = server.url
        self.platform = PathPlatform(host=server.url)
        self.raw: dict[str, Callable[[], bytes]] = {}  # by path: what is sent instead, as bytes
        self.requests: list[tuple[str, str, tuple[tuple[str, str], ...], dict[str, str], bytes]] = []
        server.answer = self._answer

    def _answer(self, received: bytes) -> bytes:
        head, _, body = received.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        method, target, _ = first.split(" ")
        headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines if ": " in line)}
        parts = urlsplit(target)
        query = tuple(parse_qsl(parts.query, keep_blank_values=True))
        self.requests.append((method, parts.path, query, headers, body))
        if parts.path in self.raw:
            return self.raw[parts.path]()
        if parts.path == TOKEN_PATH:
            return response(json.dumps({"access_token": "t0ken-of-the-test", "expires_in": 3600}).encode())
        built = self.platform.build_response(Request(method, parts.path, query))
        return response(built.body, built.status, **built.headers)

    @property
    def paths(self) -> list[str]:
        """Paths of the requests, without those of tokens."""
        return [path for _, path, _, _, _ in self.requests if path != TOKEN_PATH]


def response(body: bytes = b"", status: int = 200, **headers: str) -> bytes:
    """Return the bytes of a response."""
    fields = {"Content-Type": "application/json", "Content-Length": str(len(body)), "Connection": "close", **headers}
    lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return f"HTTP/1.1 {status} Text\r\n{lines}\r\n".encode() + body


@pytest.fixture
def served(raw_server: RawServer) -> ServedPaths:
    return ServedPaths(raw_server)


def outcome_of(hook: Caller, call: str) -> Any:
    """Return what a call returned, or the typed error that it raised; any other exception fails the test."""
    try:
        return CALLS[call](hook)
    except LearningError as error:
        return error


def require_fit(outcome: Any) -> None:
    """Require what logs and stores of Airflow need: one line without people, or numbers and texts that fit."""
    if isinstance(outcome, LearningError):
        assert "\n" not in str(outcome)
        assert len(str(outcome)) < 1000
        assert "anna" not in str(outcome)
        assert "t0ken-of-the-test" not in str(outcome)
        return
    text = json.dumps(outcome, allow_nan=False, ensure_ascii=False)
    text.encode()
    assert "\\u0000" not in text


# What 360Learning may send instead of a page or object: the bytes, and the class of the error.
BODIES: dict[str, bytes] = {
    "empty": b"",
    "html": b"<html>Maintenance</html>",
    "string": b'"text"',
    "mail": json.dumps({"message": SECRET_MAIL}).encode(),
    "array": b"[1, null, []]",
    "object": b'{"_id": []}',
    "unhashable": b'[{"_id": ["x"], "userId": {"a": 1}, "customFieldId": [[]], "pathId": {}}]',
    "numbers": b'[{"_id": 1e999, "userId": ' + b"9" * 5000 + b', "name": -0.0, "customFieldId": NaN}]',
    "NUL and surrogates": b'[{"_id": "60b8d2956e20ae1a0f8e44f1", "name": "\\u0000\\ud800", "userId": "\\udfff"}]',
    "nested": b'[{"_id": ' + b"[" * 200_000,
    "truncated JSON": b'[{"_id": "60b8d2956e20ae1a',
    "3 MB": json.dumps([{"_id": SESSION_ID, "userId": "x" * 3_000_000, "name": "y" * 3_000_000}]).encode(),
    "Latin-1": b'[{"_id": "60b8d2956e20ae1a0f8e44f1", "name": "\xe9"}]',
}  # fmt: skip


@pytest.mark.parametrize(("route", "body"), one_in(4, product(ALL_ROUTES, BODIES)))
def test_any_body_is_a_result_or_one_typed_error(
    hook_to: Callable[..., Caller], served: ServedPaths, route: str, body: str
) -> None:
    served.platform.instead[route] = BODIES[body]
    hook = hook_to(served, **V2)
    for call in CALLS:
        outcome = outcome_of(hook, call)
        require_fit(outcome)
        assert (
            not isinstance(outcome, LearningError)
            or isinstance(outcome, ContractError)
            or "404" in str(outcome)
            or "found no" in str(outcome)
        )


RESPONSES: dict[str, tuple[Callable[[], bytes], type[LearningError]]] = {
    "no HTTP": (lambda: b"hello\r\n\r\n", UnreachableError),
    "nothing": (lambda: b"", UnreachableError),
    "broken off": (lambda: response(b"[]", **{"Content-Length": "100"}), UnreachableError),
    "not gzip": (lambda: response(b"[]", **{"Content-Encoding": "gzip"}), LearningError),
    "gzip bomb": (
        lambda: response(gzip.compress(b"[" + b" " * 20_000_000), **{"Content-Encoding": "gzip"}),
        TooLargeError,
    ),
    "rate limit without a delay": (lambda: response(b'{"error": "x"}', 429), RateLimitedError),
    "rate limit with a long delay": (lambda: response(b"", 429, **{"Retry-After": "9" * 400}), RateLimitedError),
    "502": (lambda: response(b"<html>Bad gateway</html>", 502), UnavailableError),
    "503 with a mail": (lambda: response(json.dumps({"message": SECRET_MAIL}).encode(), 503), UnavailableError),
    "redirect elsewhere": (lambda: response(b"", 302, Location="https://evil.example.com/"), RedirectError),
    "redirect to itself": (lambda: response(b"", 307, Location=""), RedirectError),
    "304": (lambda: response(b"", 304), ContractError),
    "418": (lambda: response(b"[" * 100_000, 418), ContractError),
    "slow": (lambda: time.sleep(0.6) or response(b"[]"), TimedOutError),  # type: ignore[func-returns-value]
    "link elsewhere": (
        lambda: response(b"[]", Link='<https://evil.example.com/api/v2/paths/sessions?next=1>; rel="next"'),
        LearningError,
    ),
}  # fmt: skip
LIMITS = {
    "max_document_bytes": 1_000_000,
    "max_list_bytes": 1_000_000,
    "max_rate_limit_wait": 0.05,
    "retry_budget": 0.1,
}


@pytest.mark.parametrize("name", RESPONSES)
@pytest.mark.parametrize("route", [SESSIONS, PATH, USERS])
def test_any_response_is_one_typed_error(
    hook_to: Callable[..., Caller], served: ServedPaths, route: str, name: str
) -> None:
    served.raw[route], kind = RESPONSES[name]
    extra = {"timeout": 0.3} if name == "slow" else {}
    outcome = outcome_of(hook_to(served, **V2, **LIMITS, **extra), "document")
    assert isinstance(outcome, kind)
    require_fit(outcome)


@pytest.mark.parametrize("route", one_in(2, ALL_ROUTES))
def test_twins_return_the_same_with_the_same_requests(
    connect: Callable[..., str], served: ServedPaths, route: str
) -> None:
    """For healthy responses, and for each route that fails in one of several ways."""
    from hooks.conftest import AsyncCaller, SyncCaller

    served.platform.page_size = 2
    served.platform.learners = [4, 5, 6, 7]
    served.platform.users = [user(number) for number in range(1, 7)]
    for instead in (None, b"[]", b"<html>", (403, "invalid_scope"), (404, "notFound"), (503, "down")):
        served.platform.instead = {} if instead is None else {route: instead}
        seen = []
        for kind in (SyncCaller, AsyncCaller):
            served.requests.clear()
            hook = kind(connect(host=served.url, extra=V2))
            outcomes = [outcome_of(hook, call) for call in CALLS]
            hook.close()
            texts = [one.to_dict() if isinstance(one, LearningError) else one for one in outcomes]
            seen.append((texts, Counter((path, query) for _, path, query, _, _ in served.requests)))
        assert seen[0] == seen[1]


def test_token_call_has_the_documented_properties_and_no_header_of_the_version(
    hook_to: Callable[..., Caller], served: ServedPaths
) -> None:
    hook_to(served, **V2)("get_program_session", SESSION_ID)
    (method, path, query, headers, body), *others = served.requests
    assert (method, path, query) == ("POST", TOKEN_PATH, ())
    assert json.loads(body) == {
        "client_id": "demo-company",
        "client_secret": "demo-key",
        "grant_type": "client_credentials",
    }
    assert headers["content-type"] == "application/json"
    assert {"360-api-version", "authorization"}.isdisjoint(headers)
    for _, _, _, sent, nothing in others:
        assert (sent["360-api-version"], sent["authorization"]) == ("v2.0", "Bearer t0ken-of-the-test")
        assert nothing == b""
        assert {"x-apikey", "x-company-id"}.isdisjoint(sent)
    assert "demo-key" not in str(others)


def test_token_call_of_v1_keys_has_the_same_properties(hook_to: Callable[..., Caller], served: ServedPaths) -> None:
    served.raw["/api/v1/programs/sessions"] = lambda: response(b"[]")
    hook_to(served, auth="oauth2")("list_program_sessions")
    (_, path, _, _, body), (_, _, _, sent, _) = served.requests
    assert path == TOKEN_PATH
    assert set(json.loads(body)) == {"client_id", "client_secret", "grant_type"}
    assert "360-api-version" not in sent


def test_header_of_the_version_follows_a_redirect(hook_to: Callable[..., Caller], served: ServedPaths) -> None:
    served.raw["/moved"] = lambda: response(json.dumps([served.platform.session]).encode())
    served.raw[SESSIONS] = lambda: response(b"", 307, Location="/moved")
    hook_to(served, **V2)("get_program_session", SESSION_ID, frozenset())
    assert served.paths == [SESSIONS, "/moved"]
    assert [sent["360-api-version"] for _, path, _, sent, _ in served.requests if path != TOKEN_PATH] == ["v2.0"] * 2


def test_run_and_get_conn_send_the_header_of_the_version(connect: Callable[..., str], served: ServedPaths) -> None:
    from airflow_provider_learning360.hooks.learning import LearningHook

    hook = LearningHook(connect(host=served.url, extra=V2))
    hook.run("/api/v2/paths/stats")
    with hook.get_conn() as session:
        session.get(f"{served.url}/api/v2/paths/stats", timeout=5)
    first, second = (sent for _, path, _, sent, _ in served.requests if path != TOKEN_PATH)
    assert first["360-api-version"] == second["360-api-version"] == "v2.0"
    assert first["authorization"] == second["authorization"]


def test_link_that_repeats_a_credential_does_not_reach_the_logs(
    hook_to: Callable[..., Caller], served: ServedPaths, logged: Callable[[], str]
) -> None:
    link = f'<{SESSIONS}?next=1&apiKey=demo-key&again=t0ken-of-the-test>; rel="next"'
    body = json.dumps([served.platform.session]).encode()
    bodies = iter([response(body, Link=link), response(b"[]")])
    served.raw[SESSIONS] = lambda: next(bodies)
    assert len(hook_to(served, **V2)("list_program_sessions")) == 1
    assert "apiKey" not in dict(served.requests[-1][2])
    text = logged()
    assert "t0ken-of-the-test" not in text
    assert "demo-key" not in text


# Requests that each question costs, with the simulator


@pytest.fixture
def paths(simulator: Simulator) -> Simulator:
    simulator.forget()
    return simulator


def requests_of(simulator: Simulator) -> Counter[str]:
    """Return how many requests went to the token, and how many elsewhere."""
    return Counter("token" if one.path == TOKEN_PATH else "other" for one in simulator.requests)


def test_session_with_two_keys_takes_one_request_and_one_token(
    hook_to: Callable[..., Caller], paths: Simulator, session_id: str
) -> None:
    session = hook_to(paths, **V2)("get_program_session", session_id, frozenset({"name", "startDate"}))
    assert session.name
    assert requests_of(paths) == {"token": 1, "other": 1}


@pytest.mark.learning360_simulator(sessions=2, learners=300, users=2000, page_size=100)
def test_whole_document_takes_five_requests_and_the_pages(
    hook_to: Callable[..., Caller], paths: Simulator, session_id: str
) -> None:
    session = hook_to(paths, **V2)("get_program_session", session_id)
    assert len(session.users) == 300
    learner_pages, user_pages = 3, 27
    assert requests_of(paths)["token"] == 1
    assert requests_of(paths)["other"] <= 5 + learner_pages + min(300 + 3, user_pages) + 10


@pytest.fixture(scope="module")
def large_platform() -> Iterator[Simulator]:
    from airflow_provider_learning360.simulator import Simulator

    with Simulator(sessions=10_000, learners=1) as simulator:
        yield simulator


@pytest.mark.slow
def test_list_of_ten_thousand_sessions_takes_twenty_requests(
    hook_to: Callable[..., Caller], large_platform: Simulator
) -> None:
    large_platform.forget()
    assert len(hook_to(large_platform, **V2)("list_program_sessions")) == 10_000
    assert requests_of(large_platform) == {"token": 1, "other": 20}


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["sync", "async"])
def test_stream_of_ten_thousand_sessions_holds_one_page(
    connect: Callable[..., str], large_platform: Simulator, kind: str
) -> None:
    from airflow_provider_learning360.hooks.learning import LearningHook
    from airflow_provider_learning360.hooks.learning_async import LearningAsyncHook

    login, password = large_platform.client_id, large_platform.client_secret
    conn_id = connect(host=large_platform.url, login=login, password=password, extra=V2)

    async def count_async() -> int:
        async with LearningAsyncHook(conn_id) as hook:
            return len([None async for _ in hook.stream_program_sessions()])

    def count() -> int:
        if kind == "async":
            return asyncio.run(count_async())
        return sum(1 for _ in LearningHook(conn_id).stream_program_sessions())

    count()  # loads modules, and lets the simulator write its bodies
    large_platform.forget()
    tracemalloc.start()
    try:
        assert count() == 10_000
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert requests_of(large_platform) == {"token": 1, "other": 20}
    assert peak < 16 * 1024 * 1024


@pytest.mark.slow
def test_time_limit_of_a_hook_ends_a_list_that_never_ends(connect: Callable[..., str], served: ServedPaths) -> None:
    from airflow_provider_learning360.hooks.learning import LearningHook

    numbers = iter(range(10**6))

    def answer_slowly() -> bytes:
        time.sleep(0.05)
        return response(b"[]", Link=f'<{SESSIONS}?next={next(numbers)}>; rel="next"')

    served.raw[SESSIONS] = answer_slowly
    hook = LearningHook(connect(host=served.url, extra=V2))
    for read in (hook.list_program_sessions, lambda: list(hook.stream_program_sessions())):
        hook.time_limit = 1.0
        with pytest.raises(TimedOutError):
            read()  # type: ignore[operator]
