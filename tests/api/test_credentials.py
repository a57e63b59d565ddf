from __future__ import annotations

from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_learning360.api.credentials import Credentials, Token, build_redirect, parse_origin
from airflow_provider_learning360.api.errors import RedirectError
from airflow_provider_learning360.api.messages import Request, Response

HOST = "https://app.360learning.com"
KEY = "canary/6f1e+0c"
MODES = {
    "headers": Credentials("headers", "company", KEY),
    "query": Credentials("query", "company", KEY),
    "oauth2": Credentials("oauth2", "company", KEY, Token(f"token-{KEY}", 3600.0)),
}
EVERY_MODE = pytest.mark.parametrize("credentials", MODES.values(), ids=MODES)


def moved(location: str, status: int = 302, request: Request | None = None) -> Request:
    request = request or Request("GET", "/api/v1/programs/1/")
    return build_redirect(request, Response(request, status, {"location": location}), HOST)


@pytest.mark.parametrize(
    ("mode", "headers", "query"),
    [
        ("headers", {"X-company-id": "company", "X-apiKey": KEY}, ()),
        ("query", {}, (("company", "company"), ("apiKey", KEY))),
        ("oauth2", {"Authorization": f"Bearer token-{KEY}"}, ()),
    ],
)
def test_each_mode_sends_the_keys_in_its_own_place(
    mode: str, headers: dict[str, str], query: tuple[tuple[str, str], ...]
) -> None:
    signed = MODES[mode].sign(Request("GET", "/x", (("a", "1"),), {"Accept": "json"}))
    assert signed.headers == {"Accept": "json", **headers}
    assert signed.query == (("a", "1"), *query)


@EVERY_MODE
def test_signing_twice_equals_signing_once(credentials: Credentials) -> None:
    once = credentials.sign(Request("GET", "/x"))
    assert credentials.sign(once) == once


def test_missing_token_sends_no_credentials() -> None:
    assert Credentials("oauth2", "company", KEY).sign(Request("GET", "/x")) == Request("GET", "/x")


@EVERY_MODE
@pytest.mark.parametrize("show", [str, repr])
def test_repr_of_credentials_and_signed_request_shows_no_key(credentials: Credentials, show: object) -> None:
    signed = credentials.sign(Request("GET", "/x"))
    for thing in (credentials, credentials.token, signed, Response(signed, 200)):
        assert KEY not in show(thing)  # type: ignore[operator]


def test_key_and_token_are_secrets() -> None:
    # In all encodings: see test_redaction.py.
    assert set(MODES["oauth2"].secrets) == {KEY, f"token-{KEY}"}
    assert set(MODES["query"].secrets) == {KEY}


def test_replaced_token_stays_secret() -> None:
    credentials = Credentials("oauth2", "company", KEY)
    for name in ("first", "second"):
        credentials.accept_token(Token(name, 3600.0), 5.0)
    assert credentials.token == Token("second", 3600.0, received_at=5.0)
    assert set(credentials.secrets) == {KEY, "first", "second"}
    assert "first" not in repr(credentials)


def test_strange_lifetime_is_warned_about_once(caplog: pytest.LogCaptureFixture) -> None:
    credentials = Credentials("oauth2", "company", KEY)
    for name in ("first", "second", "third"):
        credentials.accept_token(Token(name, 3600.0, note="something is wrong"), 5.0)
    assert [(one.levelname, one.getMessage()) for one in caplog.records] == [("WARNING", "something is wrong")]


@pytest.mark.parametrize(
    ("lifetime", "age", "fresh"),
    [
        (3600, 0, True),
        (3600, 3479, True),
        (3600, 3480, False),
        (3600, 9999, False),
        (60, 29, True),
        (60, 30, False),
    ],
)
def test_token_is_renewed_before_it_expires(lifetime: float, age: float, fresh: bool) -> None:
    assert Token("t", lifetime, received_at=1000.0).is_fresh(1000.0 + age) is fresh


@given(st.floats(1, 1e6), st.floats(0, 1e6))
def test_token_is_never_used_after_its_expiry_and_always_for_a_while(lifetime: float, age: float) -> None:
    token = Token("t", lifetime)
    assert token.is_fresh(0.0)
    assert not (token.is_fresh(age) and age >= lifetime)


def test_token_is_fetched_if_missing_old_or_refused() -> None:
    old, new = Token("old", 3600), Token("new", 3600, received_at=5000.0)
    credentials = Credentials("oauth2", "company", KEY)
    assert credentials.needs_token(None, 0.0)
    credentials.token = old
    assert not credentials.needs_token(None, 0.0)
    assert credentials.needs_token(None, 5000.0)
    assert credentials.needs_token(old, 0.0)
    credentials.token = new
    assert not credentials.needs_token(old, 5000.0), "somebody else has renewed it meanwhile"


@pytest.mark.parametrize(
    ("location", "path", "query"),
    [
        ("/api/v1/programs/sessions/1/", "/api/v1/programs/sessions/1/", ()),
        (f"{HOST}/new?a=1&b=", "/new", (("a", "1"), ("b", ""))),
        ("HTTPS://APP.360learning.com:443/new", "/new", ()),
        ("../sessions", "/api/v1/programs/sessions", ()),
        (HOST, "/", ()),
        ("/a?company=company&apiKey=key&x=1", "/a", (("x", "1"),)),
        ("https://me:you@app.360learning.com/new", "/new", ()),
    ],
)
def test_redirect_on_the_same_origin_is_followed(location: str, path: str, query: tuple[tuple[str, str], ...]) -> None:
    assert moved(location) == Request("GET", path, query)


@pytest.mark.parametrize(
    ("location", "pointed"),
    [
        ("https://evil.example/x", "https://evil.example/x"),
        ("//evil.example/x", "https://evil.example/x"),
        ("http://app.360learning.com/x", "http://app.360learning.com/x"),
        ("https://app.360learning.com:8443/x", "https://app.360learning.com:8443/x"),
        ("https://app.us.360learning.com/", "https://app.us.360learning.com/"),
        ("https://app.360learning.com.evil.example/", "https://app.360learning.com.evil.example/"),
        ("https://app.360learning.com@evil.example/", "https://evil.example/"),
        ("https://app.360learning.com:http/x", "app.360learning.com"),
        ("ftp://app.360learning.com/x", "ftp://"),
        ("mailto:x", "mailto"),
    ],
)
def test_redirect_to_another_origin_is_refused_and_names_its_target(location: str, pointed: str) -> None:
    with pytest.raises(RedirectError) as caught:
        moved(location)
    message = str(caught.value)
    assert [word for word in (pointed, HOST, "host of the connection") if word not in message] == []
    assert (caught.value.method, caught.value.path, caught.value.status) == ("GET", "/api/v1/programs/1/", 302)


@pytest.mark.parametrize(
    "location",
    [
        f"https://sso.example/login?company=c&apiKey={KEY}",
        f"https://sso.example/login#apiKey={KEY}",
        "https://me:canary-secret@sso.example/login",
        "https://sso.example/login?mail=jane@example.com",
        "https://sso.example/users/jane@example.com",
    ],
)
def test_refused_redirect_shows_no_secret_and_no_mail_address(location: str) -> None:
    with pytest.raises(RedirectError) as caught:
        moved(location)
    assert "canary" not in str(caught.value)
    assert "jane" not in str(caught.value)


@pytest.mark.parametrize("shown", [KEY, quote(KEY, safe=""), quote(quote(KEY, safe=""), safe=""), KEY.upper()])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_redirect_to_a_path_with_the_key_is_refused_without_showing_it(shown: str, method: str) -> None:
    request = Request(method, "/old")
    response = Response(request, 302, {"location": f"/new/{shown}/"})
    with pytest.raises(RedirectError) as caught:
        build_redirect(request, response, HOST, (KEY,))
    assert shown not in f"{caught.value} {caught.value.path}"


def test_redirect_to_an_invalid_address_is_refused() -> None:
    with pytest.raises(RedirectError, match="host of the connection"):
        moved("https://[::1/x")


def test_target_of_a_redirect_is_shown_short() -> None:
    with pytest.raises(RedirectError) as caught:
        moved("https://evil.example/" + "x" * 5000)
    assert len(str(caught.value)) < 1000


@pytest.mark.parametrize("method", ["POST", "PATCH", "PUT", "DELETE"])
def test_write_is_redirected_only_as_a_write(method: str) -> None:
    write = Request(method, "/old", body=b"{}")
    for status in (307, 308):
        assert moved("/new", status, write) == Request(method, "/new", body=b"{}")
    for status in (301, 302, 303):
        with pytest.raises(RedirectError, match=r"/old .*/new"):
            moved("/new", status, write)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("https://a.example", "https://a.example:443/x", True),
        ("http://a.example", "http://a.example:80", True),
        ("https://a.example", "https://A.EXAMPLE/", True),
        ("https://a.example", "http://a.example", False),
        ("https://a.example", "https://a.example:80", False),
        ("https://a.example", "https://b.example", False),
    ],
)
def test_origin_is_scheme_host_and_port(one: str, other: str, same: bool) -> None:
    assert (parse_origin(one) == parse_origin(other)) is same
