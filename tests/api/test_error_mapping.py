from __future__ import annotations

import errno
import json
import socket
import subprocess
import sys
from datetime import UTC, datetime
from ssl import SSLCertVerificationError
from typing import Any

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st
from urllib3.exceptions import NewConnectionError, ProtocolError

from airflow_provider_learning360.api.error_mapping import error_code, error_from_response, error_from_transport
from airflow_provider_learning360.api.errors import (
    ContractError,
    FixConnectionError,
    ForbiddenError,
    LearningError,
    NotFoundError,
    RateLimitedError,
    TimedOutError,
    UnauthorizedError,
    UnavailableError,
    UnreachableError,
)
from airflow_provider_learning360.api.messages import Request, Response

NOW = datetime(2026, 3, 1, 8, 0, tzinfo=UTC)
KEY = "canary-6f1e0c"
INCIDENT = "an error occurred: 0123456789abcdef0123456789abcdef"
PAGE = b"<html><body>Bad\n\n   gateway</body></html>"


def mapped(
    status: int, body: Any = b"", path: str = "/api/v1/programs/sessions/1/", method: str = "GET", **headers: str
) -> LearningError:
    request = Request(method, path, (("apiKey", KEY),))
    body = body if isinstance(body, bytes) else json.dumps(body).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    error = error_from_response(
        request, Response(request, status, named, body), connection="connection 'acme'", secrets=(KEY,), now=NOW
    )
    assert error is not None
    assert len(str(error).splitlines()) == 1
    return error


@pytest.mark.parametrize("status", [200, 201, 204, 299])
def test_success_is_not_an_error(status: int) -> None:
    request = Request("GET", "/x")
    answer = Response(request, status, {}, b'{"error": "session_not_found"}')
    assert error_from_response(request, answer, connection="c", secrets=(), now=NOW) is None


@pytest.mark.parametrize(
    ("status", "body", "kind", "code"),
    [
        (404, {"error": "program_session_not_found"}, NotFoundError, "program_session_not_found"),
        (404, {"message": "Not Found", "documentation_url": "http://docs"}, NotFoundError, "Not Found"),
        (404, b"", NotFoundError, None),
        (404, PAGE, NotFoundError, None),
        (400, {"error": "user_not_found"}, NotFoundError, "user_not_found"),
        (400, {"error": "session_not_found"}, NotFoundError, "session_not_found"),
        (400, {"error": {"code": "session_not_found"}}, NotFoundError, "session_not_found"),
        (400, {"error": {"message": "sessionNotFound"}}, NotFoundError, "sessionNotFound"),
        (400, {"error": "bad_request"}, ContractError, "bad_request"),
        (400, {"message": "Request validation failed: x"}, ContractError, "Request validation failed: x"),
        (400, {"error": "invalid_request"}, ContractError, "invalid_request"),
        (400, b"", ContractError, None),
        (401, {"error": "unauthorized"}, UnauthorizedError, "unauthorized"),
        (403, {"error": {"code": "forbidden", "message": "no"}}, ForbiddenError, "forbidden"),
        (409, {"error": "conflict"}, ContractError, "conflict"),
        (304, b"", ContractError, None),
        (101, b"", ContractError, None),
        (418, PAGE, ContractError, None),
        (429, {"error": "rate_limited"}, RateLimitedError, "rate_limited"),
        (500, {"error": INCIDENT}, UnavailableError, INCIDENT),
        (500, {"message": INCIDENT}, UnavailableError, INCIDENT),
        (502, PAGE, UnavailableError, None),
        (503, b"", UnavailableError, None),
        (504, {"error": 504}, UnavailableError, None),
        (501, b"", ContractError, None),
    ],
    ids=str,
)
def test_response_is_mapped_to_its_error(status: int, body: Any, kind: type[LearningError], code: str | None) -> None:
    error = mapped(status, body)
    assert type(error) is kind
    assert (error.method, error.path, error.status) == ("GET", "/api/v1/programs/sessions/1/", status)
    assert error.code == code
    assert f"GET /api/v1/programs/sessions/1/ returned {status}" in str(error)
    assert (code or "") in str(error)


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        (404, b"", ["ID", "'acme'"]),
        (401, b"", ["company ID", "API key", "'acme'"]),
        (403, b"", ["'acme'"]),
        (502, PAGE, ["Bad gateway"]),
        (400, b"plain text", ["plain text", "'acme'"]),
    ],
)
def test_error_says_what_to_do(status: int, body: bytes, words: list[str]) -> None:
    assert [word for word in words if word not in str(mapped(status, body))] == []


@pytest.mark.parametrize(
    ("status", "body", "kind", "words"),
    [
        (400, {"error": "invalid_request"}, UnauthorizedError, ["company ID"]),
        (401, {"error": "invalid_client"}, UnauthorizedError, ["API key"]),
        (400, {"error": "unsupported_grant_type"}, ContractError, ["unsupported_grant_type"]),
    ],
)
def test_refused_token_call_names_the_connection(
    status: int, body: Any, kind: type[LearningError], words: list[str]
) -> None:
    error = mapped(status, body, path="/api/v2/oauth2/token", method="POST")
    assert type(error) is kind
    assert [word for word in words if word not in str(error)] == []


@pytest.mark.parametrize(
    ("header", "seconds", "words"),
    [
        ({}, None, ["No delay"]),
        ({"retry_after": "soon"}, None, ["No delay"]),
        ({"retry_after": "1.5"}, 1.5, ["1.5 s"]),
        ({"retry_after": "Sun, 01 Mar 2026 08:10:00 GMT"}, 600.0, ["600 s"]),
    ],
)
def test_rate_limit_error_names_its_delay(header: dict[str, str], seconds: float | None, words: list[str]) -> None:
    error = mapped(429, **header)
    assert error.retry_after == seconds
    assert [word for word in words if word not in str(error)] == []


def test_unavailable_error_names_its_delay() -> None:
    error = mapped(503, retry_after="600")
    assert error.retry_after == 600
    assert "600" in str(error)


@pytest.mark.parametrize(
    "body",
    [
        {"error": f"key {KEY} of jane@example.com is unknown"},
        {"message": f"{KEY} jane@example.com"},
        {"errors": [KEY, "jane@example.com"]},
        f"<p>GET /x?apiKey={KEY}&mail=jane@example.com".encode(),
        f"{'x' * 280} {KEY} jane@example.com".encode(),
        b" " * 1990 + KEY.encode(),
        b" " * 1985 + b"jane.doe.the.second@example.com",
    ],
    ids=["error", "message", "object", "page", "cut", "cut key", "cut mail"],
)
@pytest.mark.parametrize("status", [400, 404])
def test_text_of_the_response_is_redacted(status: int, body: Any) -> None:
    stored = json.dumps(mapped(status, body).to_dict(), ensure_ascii=False)
    assert "canary" not in stored
    assert "jane" not in stored


@pytest.mark.parametrize("path", ["/api/v1/users/jane@example.com", "/api/v1/users/jane%40example.com"])
def test_mail_address_in_the_path_is_not_shown(path: str) -> None:
    stored = json.dumps(mapped(404, path=path).to_dict(), ensure_ascii=False)
    assert "/api/v1/users/" in stored
    assert "example.com" not in stored


@given(st.binary(max_size=300), st.sampled_from([400, 401, 404, 429, 500]))
def test_any_body_gives_a_short_error_of_one_line(body: bytes, status: int) -> None:
    assert len(str(mapped(status, body))) < 800


@pytest.mark.parametrize("size", [301, 5000])
def test_long_body_is_cut(size: int) -> None:
    assert len(str(mapped(500, b"x" * size))) < 800
    assert len(str(mapped(500, {"error": "x" * size}))) < 800
    assert len(mapped(500, {"error": "x" * size}).code or "") < 400


def test_huge_message_is_parsed_quickly() -> None:
    # A backtracking search takes many minutes here, a linear one milliseconds.
    code = "from airflow_provider_learning360.api.errors import redact; print(len(redact('x' * 1_000_000)) < 400)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=20, check=True)
    assert run.stdout.strip() == "True"


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", None),
        (b"<html>", None),
        (b"\xff", None),
        (b"[]", None),
        (b'"x"', None),
        (b"{}", None),
        (b'{"error": ""}', None),
        (b'{"error": null, "message": "m"}', "m"),
        (b'{"error": {}, "message": "m"}', "m"),
        (b'{"error": ["x"]}', None),
        (b'{"message": {"x": 1}}', None),
        (b"[" * 100_000, None),
    ],
    ids=lambda value: value.decode("latin-1")[:40] if isinstance(value, bytes) else None,
)
def test_error_code_is_found_in_every_shape(body: bytes, code: str | None) -> None:
    assert error_code(body) == code


URL = f"https://app.360learning.com/x?apiKey={KEY}"


def transport_error(error: BaseException, *, timed_out: bool = False) -> LearningError:
    mapped_error = error_from_transport(
        Request("GET", "/x", (("apiKey", KEY),)), error, timed_out=timed_out, connection="connection 'acme'"
    )
    assert KEY not in json.dumps(mapped_error.to_dict())
    assert (mapped_error.method, mapped_error.path, mapped_error.status) == ("GET", "/x", None)
    assert [word for word in ("GET /x", "'acme'") if word not in str(mapped_error)] == []
    return mapped_error


def test_time_out_names_its_setting() -> None:
    error = transport_error(TimeoutError(URL), timed_out=True)
    assert type(error) is TimedOutError
    assert "timeout" in str(error)


class TransportError(OSError):
    """Like the exceptions of HTTP clients: a URL in its text, the cause in its arguments, reason or context."""

    reason: BaseException | None = None


REFUSED = ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused")
NO_NAME = socket.gaierror(socket.EAI_NONAME, "Name or service not known")


def wrapped(cause: BaseException, how: str) -> BaseException:
    inner = TransportError(URL, cause) if how == "argument" else TransportError(URL)
    if how == "argument":
        inner.errno = None
    if how == "reason":
        inner.reason = cause
    if how == "cause":
        inner.__cause__ = cause
    if how == "context":
        inner.__context__ = cause
    outer = TransportError(inner)
    cause.__context__ = outer  # a cycle must not cause an endless search
    return outer


@pytest.mark.parametrize("how", ["argument", "reason", "cause", "context"])
@pytest.mark.parametrize(
    ("cause", "words"), [(REFUSED, "Connection refused"), (NO_NAME, "Name or service not known")], ids=["port", "name"]
)
def test_transport_error_has_the_text_of_the_operating_system(cause: OSError, words: str, how: str) -> None:
    error = transport_error(wrapped(cause, how))
    assert type(error) is UnreachableError
    assert [word for word in (words, "network", "host", "proxy") if word not in str(error)] == []


@pytest.mark.parametrize("error", [RuntimeError(URL), OSError(URL), TransportError(), OSError(5, None)], ids=repr)
def test_unknown_transport_error_names_its_type(error: BaseException) -> None:
    mapped_error = transport_error(error)
    assert type(mapped_error) is UnreachableError
    assert type(error).__name__ in str(mapped_error)


def test_untrusted_certificate_is_a_connection_error() -> None:
    cause = SSLCertVerificationError(1, f"certificate verify failed {URL}")
    cause.verify_message = "self-signed certificate"
    error = transport_error(wrapped(cause, "reason"))
    assert type(error) is FixConnectionError
    assert not error.retryable
    assert [word for word in ("certificate", "self-signed", "verify") if word not in str(error)] == []


@pytest.mark.parametrize(
    ("error", "is_unsent"),
    [
        (ProtocolError("Connection aborted.", OSError(errno.EHOSTUNREACH, "No route to host")), False),
        (ProtocolError("Connection aborted.", OSError(errno.ENETUNREACH, "Network is unreachable")), False),
        (ProtocolError("Connection aborted.", ConnectionResetError(errno.ECONNRESET, "reset")), False),
        (NewConnectionError(None, "No route to host"), True),  # type: ignore[arg-type]
        (ConnectionRefusedError(errno.ECONNREFUSED, "refused"), True),
    ],
    ids=["host lost", "network lost", "reset", "never connected", "refused"],
)
def test_write_counts_as_unsent_only_if_no_connection_was_made(error: Exception, is_unsent: bool) -> None:
    wrapped = requests.ConnectionError(error)
    found = error_from_transport(Request("POST", "/x"), wrapped, timed_out=False, connection="it")
    assert found.is_unsent is is_unsent
