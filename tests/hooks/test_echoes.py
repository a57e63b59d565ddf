"""Servers that echo the key or the token, anywhere in a response and in every encoding: it is shown nowhere."""

from __future__ import annotations

import base64
import gzip
import html
import json
import logging
import traceback
from itertools import product
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest

from airflow_provider_learning360.api.errors import LearningError
from case_samples import one_in

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

KEY = "c4n4ry+KEY/of=&the%mine"
TOKEN = "c4n4ry-TOKEN-of-the-mine.abc"
MODES = ("headers", "query", "oauth2")
TOKEN_ROUTE = b"/oauth2/token"


def base64_of(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


ENCODINGS: dict[str, Callable[[str], str]] = {
    "raw": lambda secret: secret,
    "URL": lambda secret: quote(secret, safe=""),
    "URL, small letters": lambda secret: "".join(f"%{ord(one):02x}" for one in secret),
    "URL, twice": lambda secret: quote(quote(secret, safe=""), safe=""),
    "URL, partly": lambda secret: secret.replace("/", "%2f").replace("T", "%54").replace("K", "%4B"),
    "HTML": lambda secret: html.escape(secret.replace("K", "&#75;")),
    "JSON": lambda secret: "".join(f"\\u{ord(one):04X}" for one in secret),
    "base64": base64_of,
    "base64, pair": lambda secret: base64_of(f"company:{secret}"),
    "base64, URL": lambda secret: base64.urlsafe_b64encode(f"co:{secret}".encode()).decode(),
    "base64, twice": lambda secret: base64_of(base64_of(secret)),
    "hexadecimal": lambda secret: secret.encode().hex().upper(),
}


def answer(status: str, *headers: str, body: str | bytes = "") -> bytes:
    content = body.encode() if isinstance(body, str) else body
    head = "\r\n".join([f"HTTP/1.1 {status}", *headers, f"Content-Length: {len(content)}", "Connection: close"])
    return f"{head}\r\n\r\n".encode() + content


TOKEN_ANSWER = answer("200 OK", body=json.dumps({"access_token": TOKEN, "expires_in": 3600}))

# One attack a line: where the echo is.
ECHOES: dict[str, Callable[[str], bytes]] = {
    "code of an error": lambda echo: answer("400 Bad", body=json.dumps({"error": echo})),
    "message of an error": lambda echo: answer("403 No", body=json.dumps({"message": f"no {echo} here"})),
    "error inside of an error": lambda echo: answer("404 No", body=json.dumps({"error": {"code": echo}})),
    "page of an error": lambda echo: answer("401 No", body=f"<html><a href='/?apiKey={echo}'>{echo}</a></html>"),
    "compressed error": lambda echo: answer("404 No", "Content-Encoding: gzip", body=gzip.compress(echo.encode())),
    "error in UTF-16": lambda echo: answer("400 Bad", body=echo.encode("utf-16")),
    "answer that is no JSON": lambda echo: answer("200 OK", body=f"[{echo}"),
    "answer of another shape": lambda echo: answer("200 OK", body=json.dumps({echo: [echo]})),
    "reason phrase": lambda echo: answer(f"404 {echo}"),
    "status that is none": lambda echo: answer(f"999{echo} OK"),
    "no HTTP at all": lambda echo: f"{echo}\r\n\r\n".encode(),
    "name of a header": lambda echo: answer("404 No", f"{echo}: 1", f"X-{echo}: 1"),
    "value of a header": lambda echo: answer(
        "429 Slow", f"Retry-After: {echo}", f"X-Echo: {echo}", f"Set-Cookie: {echo}"
    ),
    "header without a colon": lambda echo: answer("404 No", f"no colon {echo}", "X-Other: 1"),
    "header that goes on": lambda echo: answer("404 No", "X-Long: 1", f" {echo}", f"\t{echo}"),
    "header with a control character": lambda echo: answer("404 No", f"X-Odd: {echo}\x01\x7f\x00"),
    "length that is none": lambda echo: answer("200 OK", f"Content-Length: {echo}"),
    "encoding that is none": lambda echo: answer(
        "200 OK", f"Content-Encoding: {echo}", "Content-Encoding: gzip", body=echo
    ),
    "chunk that is none": lambda echo: f"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{echo}\r\n".encode(),
    "redirect elsewhere": lambda echo: answer("302 Go", f"Location: http://elsewhere.example/{echo}/?k={echo}#{echo}"),
    "redirect to a host": lambda echo: answer("307 Go", f"Location: http://{echo}.example/"),
    "redirect to a user": lambda echo: answer("302 Go", f"Location: http://{echo}:{echo}@elsewhere.example/"),
    "redirect to a port": lambda echo: answer("302 Go", f"Location: http://127.0.0.1:{echo}/"),
    "redirect to a scheme": lambda echo: answer("302 Go", f"Location: {echo}://x/"),
    "redirect to a path": lambda echo: answer("302 Go", f"Location: /login/{echo}"),
    "redirect to a query": lambda echo: answer("302 Go", f"Location: /login?next={echo}&apiKey={echo}"),
}


@pytest.fixture(autouse=True)
def known_key(raw_server: Any) -> None:
    raw_server.api_key = KEY


@pytest.fixture(autouse=True)
def every_logger() -> Iterator[None]:
    """Set every logger to DEBUG."""
    names = ("", "urllib3", "requests", "aiohttp", "asyncio", "airflow", "airflow_provider_learning360")
    before = {name: logging.getLogger(name).level for name in names}
    for name in names:
        logging.getLogger(name).setLevel(logging.DEBUG)
    yield
    for name, level in before.items():
        logging.getLogger(name).setLevel(level)


def everything_of(error: BaseException) -> str:
    details = repr(error.to_dict()) if isinstance(error, LearningError) else ""
    return "\n".join([repr(error), repr(vars(error)), details, *traceback.format_exception(error)])


def calls(caller: Any, raw_server: Any, make: Callable[[str], bytes], secret: str, *, at_token: bool) -> Iterator[str]:
    """Call once for each encoding, and yield all that the error shows."""
    for name, encode in ENCODINGS.items():
        echo = make(encode(secret))
        raw_server.answer = lambda request, echo=echo: echo if (TOKEN_ROUTE in request) == at_token else TOKEN_ANSWER
        try:
            caller("list_program_sessions")
        except LearningError as error:
            yield f"{name}: {everything_of(error)}"


def assert_clean(text: str, secret: str) -> None:
    shown = {secret, secret.lower(), *(encode(secret) for encode in ENCODINGS.values())}
    assert [line for line in text.splitlines() if any(one in line for one in shown) or "c4n4ry" in line.lower()] == []


@pytest.mark.parametrize(("place", "auth"), one_in(7, product(ECHOES, MODES)))
def test_key_is_shown_nowhere(
    hook_to: Callable[..., Any], raw_server: Any, waits: list[float], logged: Callable[[], str], auth: str, place: str
) -> None:
    caller = hook_to(raw_server, auth=auth, retry_attempts=1)
    shown = list(calls(caller, raw_server, ECHOES[place], KEY, at_token=False))
    assert shown, "the server must have sent the key"
    assert_clean("\n".join([*shown, logged()]), KEY)


@pytest.mark.parametrize("place", one_in(2, ECHOES))
def test_token_is_shown_nowhere(
    hook_to: Callable[..., Any], raw_server: Any, waits: list[float], logged: Callable[[], str], place: str
) -> None:
    caller = hook_to(raw_server, auth="oauth2", retry_attempts=1)
    shown = list(calls(caller, raw_server, ECHOES[place], TOKEN, at_token=False))
    assert shown
    assert_clean("\n".join([*shown, logged()]), TOKEN)


@pytest.mark.parametrize("place", one_in(2, ECHOES))
def test_key_is_shown_nowhere_by_the_token_call(
    hook_to: Callable[..., Any], raw_server: Any, waits: list[float], logged: Callable[[], str], place: str
) -> None:
    caller = hook_to(raw_server, auth="oauth2", retry_attempts=1)
    shown = list(calls(caller, raw_server, ECHOES[place], KEY, at_token=True))
    assert shown
    raw_server.answer = lambda _: ECHOES[place](KEY)
    shown.append(caller("test_connection")[1])
    assert_clean("\n".join([*shown, logged()]), KEY)


@pytest.mark.parametrize("place", ["code of an error", "message of an error", "page of an error", "redirect elsewhere"])
def test_replaced_token_is_shown_nowhere(
    hook_to: Callable[..., Any], raw_server: Any, waits: list[float], logged: Callable[[], str], place: str
) -> None:
    caller = hook_to(raw_server, auth="oauth2", retry_attempts=1)
    given: list[str] = []

    def respond(request: bytes) -> bytes:
        if TOKEN_ROUTE in request:
            given.append(f"{TOKEN}-{len(given)}")
            return answer("200 OK", body=json.dumps({"access_token": given[-1], "expires_in": 3600}))
        if len(given) > 1:
            return ECHOES[place](given[0])
        return answer("401 No") if is_refused else answer("200 OK", body="[]")

    raw_server.answer, is_refused = respond, False
    caller("list_program_sessions")
    is_refused = True
    with pytest.raises(LearningError) as caught:
        caller("list_program_sessions")
    assert len(given) == 2
    assert_clean(everything_of(caught.value) + logged(), TOKEN)


@pytest.mark.slow
@pytest.mark.parametrize("auth", MODES)
@pytest.mark.parametrize("level", one_in(4, [logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR]))
def test_no_logger_shows_a_key_whatever_the_server_sends(
    hook_to: Callable[..., Any],
    raw_server: Any,
    waits: list[float],
    logged: Callable[[], str],
    caplog: pytest.LogCaptureFixture,
    auth: str,
    level: int,
) -> None:
    caller = hook_to(raw_server, auth=auth, retry_attempts=1)
    caplog.set_level(level)
    for make in ECHOES.values():
        list(calls(caller, raw_server, make, KEY, at_token=False))
    log = logged()
    if caller.kind == "sync" and level <= logging.WARNING:
        assert "Failed to parse headers" in log
    assert_clean(log, KEY)


@pytest.mark.parametrize(("place", "auth"), one_in(2, product(ECHOES, MODES)))
def test_session_of_get_conn_shows_no_key(
    connect: Callable[..., str], raw_server: Any, logged: Callable[[], str], auth: str, place: str
) -> None:
    import requests

    from airflow_provider_learning360.hooks.learning import LearningHook

    session = LearningHook(connect(host=raw_server.url, password=KEY, extra={"auth": auth})).get_conn()
    shown = []
    for encode in ENCODINGS.values():
        echo = ECHOES[place](encode(KEY))
        raw_server.answer = lambda request, echo=echo: TOKEN_ANSWER if TOKEN_ROUTE in request else echo
        try:
            session.get(raw_server.url + "/api/v1/x")
        except (requests.RequestException, LearningError) as error:
            shown.append(str(error))
    assert_clean("\n".join([*shown, logged()]), KEY)
