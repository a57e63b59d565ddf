"""Key and token reach the host of the connection, and are shown nowhere else."""

from __future__ import annotations

import json
import logging
import secrets
import traceback
from itertools import product
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, quote_plus, urlencode

import pytest
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

from airflow_provider_learning360.api.errors import LearningError
from airflow_provider_learning360.hooks.learning import LearningHook
from airflow_provider_learning360.hooks.learning_async import LearningAsyncHook
from case_samples import one_in

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from airflow_provider_learning360.simulator import Simulator

# With characters that a URL encodes.
CANARY = "c4n4ry+KEY/of=&the%mine"
TOKEN = "c4n4ry-TOKEN-of-the-mine"
PIECES = ("c4n4ry", "of-the-mine", "the%25mine", "the%mine")

MODES = ("headers", "query", "oauth2")
LIST = "/api/v1/programs/sessions"
ECHOES = " ".join([CANARY, quote(CANARY, safe=""), "{token}"])
URL = f"https://app.example.com{LIST}?{urlencode({'company': 'demo-company', 'apiKey': CANARY})}"
PAGE = f"<!DOCTYPE html><html><body>No page at {URL} for {{token}}</body></html>"

pytestmark = pytest.mark.learning360_simulator(sessions=1, learners=3, api_key=CANARY)


@pytest.fixture(autouse=True)
def known_token(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the simulator issue the canary as a token."""
    monkeypatch.setattr(secrets, "token_urlsafe", lambda *_: TOKEN)


@pytest.fixture(autouse=True)
def every_logger(logged: Callable[[], str]) -> Iterator[None]:
    """Set the loggers of the transports to DEBUG."""
    names = ("urllib3", "requests", "aiohttp", "asyncio", "airflow", "airflow_provider_learning360")
    before = {name: logging.getLogger(name).level for name in names}
    for name in names:
        logging.getLogger(name).setLevel(logging.DEBUG)
    yield
    for name, level in before.items():
        logging.getLogger(name).setLevel(level)


def everything_of(error: BaseException) -> str:
    """Return all that a log, a debugger or another process could show of an exception."""
    shown: list[str] = []
    waiting: list[BaseException | None] = [error]
    while waiting:
        one = waiting.pop()
        if one is None:
            continue
        shown += [str(one), repr(one), repr(one.args), repr(vars(one)), *traceback.format_exception(one)]
        if isinstance(one, LearningError):
            shown += [repr(one.to_dict()), repr(one.__reduce__())]
        waiting += [one.__cause__, one.__context__]
    return "\n".join(shown)


def assert_clean(text: str) -> None:
    lines = [line for line in text.splitlines() if any(part in line for part in PIECES)]
    assert not lines


SCENARIOS: dict[str, dict[str, Any]] = {
    "success": {"delay": 0},
    "401": {"status": 401},
    "401 that echoes": {"status": 401, "body": {"error": ECHOES}},
    "403 that echoes": {"status": 403, "body": {"message": ECHOES}},
    "404 that echoes": {"status": 404, "body": {"error": {"code": ECHOES}}},
    "429 that echoes": {"status": 429, "body": {"error": ECHOES}, "headers": {"Retry-After": "900"}},
    "500 that echoes": {"status": 500, "body": ECHOES},
    "500 with a page": {"status": 500, "body": PAGE},
    "200 with a page": {"status": 200, "body": PAGE},
    "200 with a list of it": {"status": 200, "body": [ECHOES]},
    "200 with a cut body": {"status": 200, "body": '[{"_id": "' + CANARY},
    "redirect elsewhere": {"redirect": "{other}/login?" + urlencode({"next": URL, "apiKey": CANARY}) + "&t={token}"},
    "redirect to a login": {"redirect": f"http://{quote_plus(CANARY)}:{{token}}@127.0.0.1:9/"},
    "redirect at home": {"redirect": f"{LIST}/?" + urlencode({"apiKey": CANARY, "company": "demo-company"})},
    "redirect that makes no sense": {"redirect": f"http://x:port/?apiKey={quote_plus(CANARY)}"},
    "dropped": {"drop": True},
    "truncated": {"truncate": True},
    "slow": {"delay": 3},
}


def behaviour_of(scenario: str, other: Simulator, auth: str = "headers") -> Any:
    """Return the behaviour of the simulator; it can only echo a token that it issued."""
    text = json.dumps(SCENARIOS[scenario]).replace("{other}", other.url)
    return json.loads(text.replace("{token}", TOKEN if auth == "oauth2" else ""))


@pytest.mark.parametrize(("auth", "scenario"), one_in(5, product(MODES, SCENARIOS)))
def test_no_secret_is_shown(
    hook_to: Callable[..., Any],
    simulator: Simulator,
    other: Simulator,
    waits: list[float],
    logged: Callable[[], str],
    auth: str,
    scenario: str,
) -> None:
    simulator.play({"when": {"path": f"{LIST}$"}, "do": behaviour_of(scenario, other, auth)})
    caller = hook_to(simulator, auth=auth, retry_attempts=2, timeout=0.1 if scenario == "slow" else 10)
    errors: list[BaseException] = []
    for _ in range(2):  # the second time with the token of the first
        try:
            caller("list_program_sessions")
        except LearningError as error:
            errors.append(error)
    assert bool(errors) == (scenario not in ("success", "redirect at home"))
    assert simulator.requests, "the canary has to fly"
    for error in errors:
        assert_clean(everything_of(error))
    assert_clean(logged())
    assert_clean(repr(caller.hook) + str(caller.hook))
    assert other.connections == 0


@pytest.mark.parametrize("scenario", ["401 that echoes", "500 that echoes", "redirect elsewhere", "slow", "dropped"])
def test_no_secret_is_shown_by_the_token_call(
    hook_to: Callable[..., Any],
    simulator: Simulator,
    other: Simulator,
    waits: list[float],
    logged: Callable[[], str],
    scenario: str,
) -> None:
    simulator.play({"when": {"path": "/token"}, "do": behaviour_of(scenario, other)})
    caller = hook_to(simulator, auth="oauth2", retry_attempts=2, timeout=0.1 if scenario == "slow" else 10)
    with pytest.raises(LearningError) as caught:
        caller("list_program_sessions")
    works, message = caller("test_connection")
    assert not works
    assert_clean(everything_of(caught.value) + message + logged())
    assert other.connections == 0


@pytest.mark.parametrize("auth", MODES)
def test_no_secret_is_shown_by_run(
    simulator: Simulator,
    other: Simulator,
    connect: Callable[..., str],
    waits: list[float],
    logged: Callable[[], str],
    auth: str,
) -> None:
    simulator.play({"when": {"path": "/things"}, "do": behaviour_of("500 with a page", other, auth)})
    hook = LearningHook(connect(host=simulator.url, password=CANARY, extra={"auth": auth}), "POST")
    with pytest.raises(LearningError) as caught:
        hook.run("/api/v1/things", json={"a": 1})
    assert_clean(everything_of(caught.value) + logged())


@pytest.mark.parametrize("auth", MODES)
@pytest.mark.parametrize("do", [{"drop": True}, {"delay": 3}, {"redirect": LIST}], ids=["drop", "slow", "circle"])
def test_no_secret_is_shown_by_the_session_of_get_conn(
    simulator: Simulator, connect: Callable[..., str], logged: Callable[[], str], auth: str, do: dict[str, Any]
) -> None:
    import requests

    simulator.play({"when": {"path": LIST}, "do": do})
    hook = LearningHook(connect(host=simulator.url, password=CANARY, extra={"auth": auth}))
    with pytest.raises(requests.RequestException) as caught:
        hook.get_conn().get(simulator.url + LIST, timeout=0.2)
    if auth == "query":
        # In the other two modes, the exception holds the request with its headers, as always in `requests`.
        assert_clean(everything_of(caught.value))
    assert_clean(str(caught.value) + logged())


def test_no_secret_is_shown_if_the_session_cannot_connect(
    connect: Callable[..., str], logged: Callable[[], str], closed_port: int
) -> None:
    import requests

    host = f"http://127.0.0.1:{closed_port}"
    adapter = HTTPAdapter(max_retries=Retry(connect=1, backoff_factor=0))
    hook = LearningHook(connect(host=host, password=CANARY, extra={"auth": "query"}), adapter=adapter)
    with pytest.raises(requests.ConnectionError) as caught:
        hook.get_conn().get(host + LIST)
    assert_clean(everything_of(caught.value) + logged())


def test_no_secret_is_shown_by_a_retrying_adapter(
    simulator: Simulator, connect: Callable[..., str], logged: Callable[[], str]
) -> None:
    simulator.play({"when": {"times": 2}, "do": {"drop": True}})
    adapter = HTTPAdapter(max_retries=Retry(total=3, backoff_factor=0))
    conn_id = connect(host=simulator.url, password=CANARY, extra={"auth": "query"})
    LearningHook(conn_id, adapter=adapter).list_program_sessions()
    log = logged()
    assert "Incremented Retry" in log
    assert_clean(log)


@pytest.mark.parametrize("auth", MODES)
def test_no_secret_is_shown_by_repr(simulator: Simulator, connect: Callable[..., str], auth: str) -> None:
    hook = LearningHook(connect(host=simulator.url, password=CANARY, extra={"auth": auth}))
    hook.list_program_sessions()
    shown = [hook.settings, hook.credentials, hook.settings.model_dump(), hook.settings.model_dump_json()]
    assert_clean("\n".join(f"{one!r} {one}" for one in shown))


@pytest.mark.parametrize("auth", MODES)
def test_no_secret_is_in_a_trigger(simulator: Simulator, connect: Callable[..., str], auth: str) -> None:
    from airflow_provider_learning360.triggers.program_session import ProgramSessionModifiedTrigger

    conn_id = connect(host=simulator.url, password=CANARY, extra={"auth": auth})
    trigger = ProgramSessionModifiedTrigger(simulator.session_ids[0], conn_id, None)
    assert_clean(repr(trigger.serialize()) + repr(trigger))


@pytest.mark.parametrize("auth", MODES)
@pytest.mark.parametrize("extra", [{"unknown": CANARY}, {"timeout": CANARY}, {"auth": CANARY}])
def test_no_secret_is_shown_by_invalid_settings(
    connect: Callable[..., str], logged: Callable[[], str], auth: str, extra: dict[str, Any]
) -> None:
    conn_id = connect(password=CANARY, extra={"auth": auth, **extra})
    with pytest.raises(LearningError) as caught:
        LearningHook(conn_id).list_program_sessions()
    assert_clean(everything_of(caught.value) + logged())


@pytest.mark.parametrize("auth", MODES)
@pytest.mark.parametrize("scenario", ["success", "401 that echoes", "500 with a page", "redirect elsewhere"])
@pytest.mark.parametrize(
    "command", [["check"], ["get-session", "{id}"], ["get-session", "{id}", "--raw", "--show-people"]]
)
def test_no_secret_is_printed(
    simulator: Simulator,
    other: Simulator,
    connect: Callable[..., str],
    logged: Callable[[], str],
    auth: str,
    scenario: str,
    command: list[str],
) -> None:
    from airflow_provider_learning360.cli.__main__ import main

    conn_id = connect(host=simulator.url, password=CANARY, extra={"auth": auth, "retry_attempts": 1})
    simulator.play({"when": {"path": "/programs/"}, "do": behaviour_of(scenario, other, auth)})
    arguments = [one.format(id=simulator.session_ids[0]) for one in command]
    if scenario == "success":
        main([*arguments, "--learning-conn-id", conn_id])
    else:
        with pytest.raises(SystemExit):
            main([*arguments, "--learning-conn-id", conn_id])
    assert_clean(logged())
    assert other.connections == 0


def test_no_secret_is_shown_in_debug_mode_of_the_loop(
    simulator: Simulator, connect: Callable[..., str], logged: Callable[[], str]
) -> None:
    import asyncio

    conn_id = connect(host=simulator.url, password=CANARY, extra={"auth": "query"})

    async def run() -> None:
        asyncio.get_running_loop().slow_callback_duration = 0.0
        async with LearningAsyncHook(conn_id) as hook:
            await hook.list_program_sessions()

    asyncio.run(run(), debug=True)
    assert_clean(logged())
