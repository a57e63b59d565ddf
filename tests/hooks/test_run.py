"""`LearningHook.run` and `get_conn`: any other route, with the same authentication, retries and limits."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import certifi
import pytest
import requests
from requests.adapters import HTTPAdapter
from urllib3.util import Timeout

from airflow_provider_learning360.api.errors import (
    FixArgumentError,
    LearningError,
    NotFoundError,
    RateLimitedError,
    RedirectError,
    TimedOutError,
    UnauthorizedError,
    UnavailableError,
    UnreachableError,
)
from airflow_provider_learning360.hooks.learning import LearningHook

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_learning360.simulator import Simulator

pytestmark = pytest.mark.learning360_simulator(sessions=2, learners=3)

LIST = "/api/v1/programs/sessions"
MODES = ("headers", "query", "oauth2")


@pytest.fixture
def hook(simulator: Simulator, connect: Callable[..., str]) -> Callable[..., LearningHook]:
    def make(
        method: str = "GET", *, auth: str = "headers", hook: dict[str, Any] | None = None, **extra: Any
    ) -> LearningHook:
        conn_id = connect(host=simulator.url, extra={"auth": auth, **extra})
        return LearningHook(conn_id, method, **(hook or {}))

    return make


@pytest.mark.parametrize("auth", MODES)
@pytest.mark.parametrize("endpoint", [LIST, LIST.lstrip("/")])
def test_get_sends_the_query(hook: Callable[..., LearningHook], simulator: Simulator, auth: str, endpoint: str) -> None:
    answer = hook(auth=auth).run(endpoint, {"page": "1", "q": "a b&c=é"}, {"X-Mine": "yes"})
    assert isinstance(answer, requests.Response)
    assert len(answer.json()) == 2
    seen = simulator.requests[-1]
    assert {name: seen.query[name] for name in ("page", "q")} == {"page": "1", "q": "a b&c=é"}
    assert seen.headers["x-mine"] == "yes"


def test_query_in_the_endpoint_is_sent(hook: Callable[..., LearningHook], simulator: Simulator) -> None:
    hook().run(f"{LIST}?a=1%2B1&empty=", {"b": "2"})
    assert simulator.requests[-1].query == {"a": "1+1", "empty": "", "b": "2"}


@pytest.mark.parametrize(
    "body", [{"json": {"name": "New"}}, {"data": {"name": "New"}}, {"data": json.dumps({"name": "New"})}]
)
def test_patch_sends_the_body(
    hook: Callable[..., LearningHook], simulator: Simulator, session_id: str, body: dict[str, Any]
) -> None:
    headers = {"Content-Type": "application/json"} if isinstance(body.get("data"), str) else None
    assert hook("PATCH").run(f"{LIST}/{session_id}", headers=headers, **body).json() == {}
    assert simulator.session(session_id)["name"] == "New"


def test_post_sends_parameters_and_body(hook: Callable[..., LearningHook], simulator: Simulator) -> None:
    with pytest.raises(NotFoundError):
        hook("POST", auth="query").run("/api/v1/users", json={"mail": "x"}, params={"a": "1"})
    (seen,) = simulator.requests
    assert seen.query == {"a": "1", "company": "demo-company", "apiKey": "demo-key"}
    assert json.loads(seen.body) == {"mail": "x"}


def test_status_is_left_to_the_caller(hook: Callable[..., LearningHook], simulator: Simulator) -> None:
    answer = hook().run("/api/v1/nothing", extra_options={"check_response": False})
    assert answer.status_code == 404
    assert answer.json()["message"] == "Not Found"


def test_stream_is_read_by_the_caller(hook: Callable[..., LearningHook], simulator: Simulator) -> None:
    answer = hook().run(LIST, extra_options={"stream": True})
    assert not answer._content_consumed
    assert len(json.loads(b"".join(answer.iter_content(100)))) == 2


def test_error_of_a_stream_is_read_by_the_hook(hook: Callable[..., LearningHook]) -> None:
    with pytest.raises(NotFoundError, match="Not Found"):
        hook().run("/api/v1/nothing", extra_options={"stream": True})


def test_timeout_of_one_request_is_used(
    hook: Callable[..., LearningHook], simulator: Simulator, waits: list[float]
) -> None:
    simulator.play({"do": {"delay": 5}})
    with pytest.raises(TimedOutError):
        hook(retry_attempts=1).run(LIST, extra_options={"timeout": 0.1})


def test_proxy_of_one_request_is_used(
    hook: Callable[..., LearningHook], simulator: Simulator, other: Simulator
) -> None:
    other.play({"do": {"status": 200, "body": []}})
    assert hook().run(LIST, extra_options={"proxies": {"http": other.url}}).json() == []
    assert not simulator.requests


@pytest.mark.parametrize(
    ("method", "do", "sent"),
    [
        ("GET", {"status": 503}, 3),
        ("PUT", {"drop": True}, 3),
        ("DELETE", {"status": 503}, 3),
        ("POST", {"status": 503}, 1),
        ("PATCH", {"status": 503}, 1),
        ("POST", {"drop": True}, 1),
        # Rate limited: not processed by the server, so that they may be retried.
        ("POST", {"status": 429}, 3),
    ],
)
def test_only_harmless_requests_are_retried(
    hook: Callable[..., LearningHook],
    simulator: Simulator,
    waits: list[float],
    method: str,
    do: dict[str, Any],
    sent: int,
) -> None:
    simulator.play({"do": do})
    with pytest.raises((UnavailableError, UnreachableError, RateLimitedError)):
        hook(method, retry_attempts=3).run("/api/v1/things")
    assert len(simulator.requests) == sent


def test_retry_carries_the_whole_body(
    hook: Callable[..., LearningHook], simulator: Simulator, waits: list[float]
) -> None:
    simulator.play([{"when": {"times": 1}, "do": {"status": 429}}, {"do": {"status": 200}}])
    hook("POST").run("/api/v1/things", io.BytesIO(b"a file"))
    assert [one.body for one in simulator.requests] == [b"a file", b"a file"]


def test_redirected_write_is_not_turned_into_a_read(hook: Callable[..., LearningHook], simulator: Simulator) -> None:
    simulator.play({"when": {"path": "/old"}, "do": {"redirect": LIST}})
    with pytest.raises(RedirectError, match="read"):
        hook("POST").run("/api/v1/old", json={})
    assert len(simulator.requests) == 1


def test_keys_of_the_caller_are_not_sent(hook: Callable[..., LearningHook], simulator: Simulator) -> None:
    hook(auth="query").run(LIST, {"apiKey": "old", "company": "old"})
    assert simulator.requests[-1].query == {"company": "demo-company", "apiKey": "demo-key"}


def test_adapter_of_the_caller_is_used(hook: Callable[..., LearningHook], simulator: Simulator) -> None:
    class Counting(HTTPAdapter):
        sent = 0

        def send(self, *args: Any, **kwargs: Any) -> requests.Response:
            self.sent += 1
            return super().send(*args, **kwargs)

    adapter = Counting()
    hook(hook={"adapter": adapter}).list_program_sessions()
    assert adapter.sent == len(simulator.requests) == 1


class TestGetConn:
    @pytest.mark.parametrize("auth", MODES)
    def test_requests_to_its_host_are_signed(
        self, hook: Callable[..., LearningHook], simulator: Simulator, auth: str
    ) -> None:
        with hook(auth=auth).get_conn({"X-Mine": "yes"}) as session:
            assert len(session.get(simulator.url + LIST, params={"a": "1"}).json()) == 2
        assert simulator.requests[-1].headers["x-mine"] == "yes"
        assert simulator.requests[-1].query["a"] == "1"

    @pytest.mark.parametrize("auth", MODES)
    def test_requests_to_other_hosts_are_not_signed(
        self, hook: Callable[..., LearningHook], simulator: Simulator, other: Simulator, auth: str
    ) -> None:
        assert hook(auth=auth).get_conn().get(other.url + LIST).status_code == 401
        (seen,) = other.requests
        assert "demo-key" not in str(seen)
        assert "authorization" not in seen.headers

    @pytest.mark.parametrize("auth", MODES)
    @pytest.mark.parametrize("place", [LIST, f"{LIST}?company=demo-company&apiKey=demo-key"])
    def test_redirected_request_stays_signed(
        self, hook: Callable[..., LearningHook], simulator: Simulator, auth: str, place: str
    ) -> None:
        simulator.play({"when": {"path": "/old"}, "do": {"redirect": place}})
        assert hook(auth=auth).get_conn().get(f"{simulator.url}/api/v1/old").ok

    @pytest.mark.parametrize("auth", MODES)
    @pytest.mark.parametrize("place", ["{other}/login", "http://here:port/"])
    def test_redirect_to_another_origin_is_refused(
        self, hook: Callable[..., LearningHook], simulator: Simulator, other: Simulator, auth: str, place: str
    ) -> None:
        simulator.play({"when": {"path": LIST}, "do": {"redirect": place.format(other=other.url)}})
        with pytest.raises(RedirectError):
            hook(auth=auth).get_conn().get(simulator.url + LIST)
        assert other.connections == 0

    def test_redirect_is_returned_if_not_followed(
        self, hook: Callable[..., LearningHook], simulator: Simulator, other: Simulator
    ) -> None:
        simulator.play({"do": {"redirect": f"{other.url}/login"}})
        answer = hook().get_conn().get(simulator.url + LIST, allow_redirects=False)
        assert answer.headers["location"] == f"{other.url}/login"

    def test_options_are_used(self, hook: Callable[..., LearningHook]) -> None:
        options = {"verify": False, "cert": "a.pem", "proxies": {"http": "p"}, "stream": True, "trust_env": False}
        session = hook().get_conn(extra_options=options)
        assert {name: getattr(session, name) for name in options} == options

    def test_settings_are_used(self, hook: Callable[..., LearningHook]) -> None:
        session = hook(verify=False, proxies="http://p:1", trust_env=False).get_conn()
        assert (session.verify, session.trust_env) == (False, False)
        assert session.proxies == {"http": "http://p:1", "https": "http://p:1"}

    def test_refused_key_fetches_no_second_token(self, hook: Callable[..., LearningHook], simulator: Simulator) -> None:
        simulator.play({"when": {"path": "/token"}, "do": {"status": 401}})
        with pytest.raises(UnauthorizedError):
            hook(auth="oauth2").get_conn().get(simulator.url + LIST)
        assert len(simulator.requests) == 1


def test_reading_is_recorded_as_lineage(
    hook: Callable[..., LearningHook], simulator: Simulator, session_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from airflow_provider_learning360.hooks import learning

    class Collector:
        uris: list[str]

        def add_input_asset(self, context: object, uri: str) -> None:
            self.uris.append(uri)

    collector = Collector()
    collector.uris = []
    monkeypatch.setattr(learning, "get_hook_lineage_collector", lambda: collector)
    reader = hook()
    reader.get_program_session(session_id)
    reader.list_program_sessions()
    base = f"learning360://{simulator.url.removeprefix('http://')}/programs/sessions"
    assert collector.uris == [f"{base}/{session_id}", base]


def test_errors_are_learning_errors(hook: Callable[..., LearningHook]) -> None:
    with pytest.raises(LearningError):
        hook().run("/api/v1/nothing")


@pytest.mark.parametrize("auth", MODES)
@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_streamed_redirects_use_one_connection(
    hook: Callable[..., LearningHook], simulator: Simulator, auth: str, status: int
) -> None:
    simulator.play({"when": {"path": f"{LIST}$"}, "do": {"redirect": f"{LIST}/", "status": status}})
    caller, before = hook(auth=auth), simulator.connections
    for _ in range(3):
        assert len(caller.run(LIST, extra_options={"stream": True}).json()) == 2
    assert simulator.connections - before == 1


@pytest.mark.parametrize("options", [{"verify": True}, {"verify": False}, {"cert": None}, {"stream": False}])
def test_options_of_one_request_use_the_same_tcp_connection(
    hook: Callable[..., LearningHook], simulator: Simulator, options: dict[str, Any]
) -> None:
    caller, before = hook(), simulator.connections
    for _ in range(3):
        caller.run(LIST, extra_options=options)
    assert simulator.connections - before == 1


@pytest.mark.parametrize("name", ["verify", "cert"])
@pytest.mark.parametrize("path", ["/nowhere.pem", "here.pem", "a\0b", "/dev/null", __file__])
def test_unusable_file_of_one_request_is_an_argument_error(
    hook: Callable[..., LearningHook], simulator: Simulator, waits: list[float], name: str, path: str
) -> None:
    with pytest.raises(FixArgumentError, match=f"^{name} is "):
        hook().run(LIST, extra_options={name: path})
    assert not simulator.requests
    assert not waits


BAD_OPTIONS = {
    "timeout": ["x", -1, 0, float("nan"), float("inf"), 1e300, True, (1,), (1, 2, 3), (1, "x"), (1, -1), [1, 2]],
    "verify": [5, 1.5, {}, ["a"]],
    "cert": [5, True, ("/a",), ("/a", "/b", "/c"), (None, "/b"), (1, 2), {"a": "b"}],
    "proxies": ["http://user:hunter2@p:1", 5, ["http"], {"http": 5}, {1: "http://p:1"}],
}


@pytest.mark.parametrize(("name", "value"), [(name, one) for name, values in BAD_OPTIONS.items() for one in values])
def test_option_of_a_wrong_type_is_named(
    hook: Callable[..., LearningHook], simulator: Simulator, waits: list[float], name: str, value: Any
) -> None:
    with pytest.raises(FixArgumentError, match=f"^{name} of extra_options") as caught:
        hook().run(LIST, extra_options={name: value})
    assert "hunter2" not in str(caught.value)
    assert not simulator.requests
    assert not waits


@pytest.mark.parametrize(
    "options",
    [
        {"timeout": (5, None)},
        {"timeout": (5, 5.0)},
        {"timeout": None},
        {"timeout": Timeout(5)},
        {"verify": None},
        {"verify": Path(certifi.where())},
        {"cert": ""},
        {"cert": None},
        {"proxies": {}},
        {"proxies": None},
        {"proxies": {"https": None}},
    ],
    ids=str,
)
def test_option_of_a_right_type_is_accepted(hook: Callable[..., LearningHook], options: dict[str, Any]) -> None:
    assert hook().run(LIST, extra_options=options).ok


def test_unusable_pair_of_files_is_an_argument_error(hook: Callable[..., LearningHook]) -> None:
    with pytest.raises(FixArgumentError, match="cert is .* the file does not exist"):
        hook().run(LIST, extra_options={"cert": (__file__, "/nowhere.pem")})


def test_header_that_http_cannot_carry_is_refused(
    hook: Callable[..., LearningHook], simulator: Simulator, waits: list[float]
) -> None:
    with pytest.raises(FixArgumentError, match="header 'X-Mine' contains EURO SIGN") as caught:
        hook().run(LIST, headers={"X-Mine": "canary\u20ac"})
    assert "canary" not in f"{caught.value!r} {caught.value.__context__!r}"
    assert not simulator.requests
