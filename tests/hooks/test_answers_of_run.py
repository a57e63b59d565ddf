"""Responses of `run` are within the limits of the connection, and show no key."""

from __future__ import annotations

import gzip
import json
import time
from collections.abc import Callable
from typing import Any

import pytest

from airflow_provider_learning360.api.errors import FixArgumentError, LearningError, TimedOutError, TooLargeError
from airflow_provider_learning360.hooks.learning import LearningHook

KEY = "c4n4ry-of-the-mine"
SESSION = {"_id": "60b8d2956e20ae1a0f8e44f1", "name": "Safety"}


def answer(body: bytes, status: str = "200 OK", **headers: str) -> bytes:
    # `close`, because this server closes each connection: a client must not send on one that is just being closed.
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Connection: close"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


def play(server: Any, *answers: bytes, delay: float = 0) -> None:
    """Let a server send these responses one after the other, each after a delay in seconds."""
    left = list(answers)

    def next_answer(_: bytes) -> bytes:
        time.sleep(delay)
        return left.pop(0) if left else b""

    server.answer = next_answer


@pytest.mark.parametrize("place", ["/zz\x0bb", "/a b", "/caf\xe9", "/caf\xc3\xa9", "/\x01", "/a?b=\x7f\xff", "/%zz"])
def test_any_redirect_target_gives_a_result_or_a_typed_error(
    hook_to: Callable[..., Any], raw_server: Any, place: str
) -> None:
    play(raw_server, answer(b"", "302 Found", Location=place), answer(json.dumps(SESSION).encode()))
    try:
        shown = hook_to(raw_server.url, retry_attempts=1)("get_program_session", SESSION["_id"]).title
    except LearningError as error:
        shown = str(error)
    assert shown.isprintable()


@pytest.mark.parametrize("size", [1, 1000, None, -1])
def test_streamed_response_is_complete(connect: Callable[..., str], raw_server: Any, size: int | None) -> None:
    body = json.dumps([SESSION] * 2000).encode()
    play(raw_server, answer(gzip.compress(body), Content_Encoding="gzip"))
    response = LearningHook(connect(host=raw_server.url)).run("/x", extra_options={"stream": True})
    read = b"".join(iter(lambda: response.raw.read(size), b"")) if size != -1 else response.content
    assert read == body
    assert response.status_code == 200


def test_streamed_response_has_the_limit_of_lists(connect: Callable[..., str], raw_server: Any) -> None:
    bomb = gzip.compress(b"\0" * 10_000_000)
    play(raw_server, *[answer(bomb, Content_Encoding="gzip")] * 2)
    hook = LearningHook(connect(host=raw_server.url, extra={"max_list_bytes": 1_000_000}))
    with pytest.raises(TooLargeError, match="raise max_list_bytes of connection 'here'"):
        _ = hook.run("/x", extra_options={"stream": True}).content
    response = hook.run("/x", extra_options={"stream": True})
    assert len(response.raw.read(1000)) == 1000
    response.close()


@pytest.mark.parametrize("auth", ["headers", "query"])
def test_response_shows_no_key(connect: Callable[..., str], raw_server: Any, auth: str) -> None:
    import requests

    play(raw_server, *[answer(b"{}", f"404 No {KEY}")] * 2)
    hook = LearningHook(connect(host=raw_server.url, password=KEY, extra={"auth": auth}))
    for response in (
        hook.run("/x", extra_options={"check_response": False}),
        hook.get_conn().get(raw_server.url + "/x", timeout=5),
    ):
        with pytest.raises(requests.HTTPError) as caught:
            response.raise_for_status()
        assert KEY not in str(caught.value)
        assert KEY not in f"{response.url} {response.reason}"


@pytest.mark.parametrize(
    "headers",
    [
        {"X-Key": f"{KEY}\n"},
        {"X-Key": f"{KEY}\r\nA: b"},
        {"X-Key": f"{KEY}\0"},
        {"X-Key": 5},
        {"X Key": "a"},
        {"é": "a"},
    ],
    ids=repr,
)
def test_invalid_header_is_an_argument_error(
    connect: Callable[..., str], raw_server: Any, headers: dict[str, Any]
) -> None:
    hook = LearningHook(connect(host=raw_server.url))
    with pytest.raises(FixArgumentError, match="header") as caught:
        hook.run("/x", headers=headers)
    assert KEY not in str(caught.value)


def test_redirects_share_the_time_limit_of_their_attempt(hook_to: Callable[..., Any], raw_server: Any) -> None:
    play(raw_server, *(answer(b"", "302 Found", Location=f"/{number}") for number in range(5)), delay=0.2)
    with pytest.raises(TimedOutError, match="max_document_seconds of connection 'here'"):
        hook_to(raw_server.url, retry_attempts=1, max_document_seconds=0.3)("get_program_session", SESSION["_id"])


def test_deadline_of_the_call_is_named(connect: Callable[..., str], raw_server: Any) -> None:
    play(raw_server, delay=2)
    hook = LearningHook(connect(host=raw_server.url))
    hook.time_limit = 0.2
    with pytest.raises(TimedOutError):
        hook.get_program_session("60b8d2956e20ae1a0f8e44f1")
