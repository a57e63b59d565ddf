from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jinja2.nativetypes import NativeEnvironment

from airflow_provider_learning360.api import session_ids, token_call
from airflow_provider_learning360.api.credentials import Credentials, Token
from airflow_provider_learning360.api.errors import ContractError, InvalidIdError
from airflow_provider_learning360.api.messages import Request, Response
from airflow_provider_learning360.api.session_uri import build_session_uri
from airflow_provider_learning360.api.v1 import calls

if TYPE_CHECKING:
    from collections.abc import Callable

ID = "60b8d2956e20ae1a0f8e44f1"
SESSIONS = "/api/v1/programs/sessions"
KEY = "canary-6f1e0c"


@pytest.mark.parametrize(
    ("make", "path"),
    [
        (lambda: calls.get_program_session(ID), f"{SESSIONS}/{ID}/"),
        (lambda: calls.list_program_sessions(), SESSIONS),
        (lambda: calls.get_program_session_users(ID), f"{SESSIONS}/{ID}/users"),
        (lambda: calls.get_program_session_stats(ID), f"{SESSIONS}/{ID}/stats"),
    ],
    ids=["session", "sessions", "users", "stats"],
)
def test_call_is_a_signed_get_of_the_documented_path(make: Callable[[], Any], path: str) -> None:
    call = make()
    assert (call.request.method, call.request.path, call.request.query) == ("GET", path, ())
    assert call.signed
    assert call.request.may_repeat


@pytest.mark.parametrize(
    ("make", "body", "read"),
    [
        (lambda: calls.get_program_session(ID), {"_id": ID}, lambda session: session.id == ID),
        (lambda: calls.list_program_sessions(), [{"_id": ID}], lambda listed: listed.sessions[0].id == ID),
        (
            lambda: calls.get_program_session_users(ID),
            [{"mail": "j#a@b"}],
            lambda users: users == [{"mail": "j#a@b"}],
        ),
        (lambda: calls.get_program_session_stats(ID), {"completed": 2}, lambda stats: stats.completed == 2),
    ],
    ids=["session", "sessions", "users", "stats"],
)
def test_response_is_parsed_as_the_requested_type(
    make: Callable[[], Any], body: Any, read: Callable[[Any], bool], answer: Callable[..., Any]
) -> None:
    assert read(make().parse(answer(json.dumps(body).encode())))


@pytest.mark.parametrize("good", [ID, ID.upper(), f" {ID}\n"], ids=repr)
def test_id_has_24_hexadecimal_characters(good: str) -> None:
    assert session_ids.require_session_id(good) == ID


BAD = ["", "  ", "template", ID[:-1], ID + "0", "g" * 24, f"{ID}/users", "٠" * 24, None, 42, b"6" * 24, [ID]]


@pytest.mark.parametrize("bad", BAD, ids=repr)
@pytest.mark.parametrize(
    "use",
    [
        calls.get_program_session,
        calls.get_program_session_users,
        calls.get_program_session_stats,
        session_ids.find_session_id,
    ],
)
def test_invalid_id_is_refused_before_any_request(use: Callable[[Any], Any], bad: Any) -> None:
    with pytest.raises(InvalidIdError) as caught:
        use(bad)
    message = str(caught.value)
    shown = "empty" if bad == "" else repr(bad).strip("'")[:20].strip()
    assert [word for word in (shown, "24 characters", "360Learning") if word not in message] == []


def test_invalid_id_is_shown_short_and_without_mail_addresses() -> None:
    with pytest.raises(InvalidIdError) as caught:
        session_ids.require_session_id("jane@example.com " + "x" * 5000)
    assert len(str(caught.value)) < 1000
    assert "jane" not in str(caught.value)


def test_session_is_given_by_id_or_document() -> None:
    assert session_ids.find_session_id(ID) == session_ids.find_session_id({"_id": ID, "name": "x"}) == ID
    with pytest.raises(InvalidIdError, match="None is not the ID"):
        session_ids.find_session_id({"name": "x"})


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), min_size=1), min_size=1, max_size=3))
def test_parts_of_a_path_survive_percent_encoding(parts: list[str]) -> None:
    path = calls.build_session_path(ID, *parts)
    assert urlsplit(f"https://host{path}")[2:] == (path, "", "")
    assert path.isascii()
    assert [unquote(part) for part in path.split("/")[5:]] == [ID, *parts]


@pytest.mark.parametrize(
    ("mail", "encoded"),
    [("j#acme@x.example", "j%23acme%40x.example"), ("a+b c/é@x", "a%2Bb%20c%2F%C3%A9%40x"), ("50%?", "50%25%3F")],
)
def test_mail_address_in_a_path_is_percent_encoded(mail: str, encoded: str) -> None:
    assert calls.build_session_path(ID, "stats", mail) == f"{SESSIONS}/{ID}/stats/{encoded}"


@pytest.mark.parametrize(
    ("host", "session_id", "uri"),
    [
        ("https://app.360learning.com", ID, f"learning360://app.360learning.com/programs/sessions/{ID}"),
        ("https://app.360learning.com", "", "learning360://app.360learning.com/programs/sessions"),
        ("http://localhost:80", ID, f"learning360://localhost:80/programs/sessions/{ID}"),
    ],
)
def test_asset_uri_names_host_and_session(host: str, session_id: str, uri: str) -> None:
    assert build_session_uri(host, session_id) == uri


def test_keys_are_exchanged_for_a_token() -> None:
    call = token_call.get_token(Credentials("oauth2", "company", KEY))
    assert (call.request.method, call.request.path, call.request.query) == ("POST", "/api/v2/oauth2/token", ())
    assert call.request.headers == {"Content-Type": "application/json"}
    assert json.loads(call.request.body) == {
        "client_id": "company",
        "client_secret": KEY,
        "grant_type": "client_credentials",
    }
    assert not call.signed
    assert call.request.may_repeat
    assert KEY not in repr(call)


@pytest.mark.parametrize("expires_in", [3600, "3600", 3600.0, "3600.0"])
def test_token_lifetime_is_a_number_or_a_text(expires_in: object, answer: Callable[..., Any]) -> None:
    body = json.dumps({"token_type": "Bearer", "access_token": KEY, "expires_in": expires_in}).encode()
    token = token_call.get_token(Credentials("oauth2", "company", KEY)).parse(answer(body))
    assert token == Token(KEY, 3600.0)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>log in</html>",
        b"[]",
        b'"token"',
        b"null",
        b'{"error": "x"}',
        b'{"access_token": "canary-6f1e0c", "expires_in": 36',
        b'{"access_token": null, "expires_in": 3600}',
        b'{"access_token": "", "expires_in": 3600}',
        b'{"access_token": {}, "expires_in": 3600}',
        b"[" * 100_000,
    ],
    ids=lambda body: body[:60].decode() if len(body) < 100 else "deep",
)
def test_response_without_a_token_is_an_error_that_shows_nothing_of_it(body: bytes, answer: Callable[..., Any]) -> None:
    with pytest.raises(ContractError) as caught:
        token_call.get_token(Credentials("oauth2", "company", KEY)).parse(answer(body, path="/api/v2/oauth2/token"))
    message = str(caught.value)
    assert [word for word in ("/api/v2/oauth2/token", "200", "token", "host") if word not in message] == []
    assert KEY not in message


@pytest.mark.parametrize(
    "token",
    ["a\r\nb", "a\nb", "a\0b", "a\x7fb", "a b", " ab", "ab ", "\t", "a\u00e9b", "a\u2013b", "a\ud800b", "\u200bab"],
    ids=ascii,
)
def test_token_that_no_header_can_carry_is_refused(token: str, answer: Callable[..., Any]) -> None:
    body = json.dumps({"access_token": f"{KEY}{token}", "expires_in": 3600}).encode()
    with pytest.raises(ContractError) as caught:
        token_call.get_token(Credentials("oauth2", "company", KEY)).parse(answer(body))
    assert KEY not in f"{caught.value!r} {caught.value.__context__!r} {caught.value.__cause__!r}"


@given(st.text())
def test_token_is_accepted_only_if_a_header_can_carry_it(value: str) -> None:
    body = json.dumps({"access_token": value, "expires_in": 3600}).encode()
    response = Response(Request("POST", "/api/v2/oauth2/token"), 200, {}, body)
    try:
        token = token_call.get_token(Credentials("oauth2", "company", KEY)).parse(response)
    except ContractError:
        return
    assert token.value == value
    assert value.isascii()
    assert value.isprintable()
    assert value.split() == [value]


HUGE = "1" + "0" * 400


@pytest.mark.parametrize(
    ("expires_in", "lifetime"),
    [
        ("", 3600),
        (', "expires_in": null', 3600),
        (', "expires_in": "soon"', 3600),
        (', "expires_in": ""', 3600),
        (', "expires_in": {}', 3600),
        (', "expires_in": [3600]', 3600),
        (', "expires_in": true', 3600),
        (', "expires_in": 0', 3600),
        (', "expires_in": -1', 3600),
        (', "expires_in": NaN', 3600),
        (', "expires_in": "nan"', 3600),
        (', "expires_in": -Infinity', 3600),
        (f', "expires_in": -{HUGE}', 3600),
        (', "expires_in": 1', 60),
        (', "expires_in": 1e-300', 60),
        (', "expires_in": Infinity', 86_400),
        (f', "expires_in": {HUGE}', 86_400),
        (f', "expires_in": "{HUGE}"', 86_400),
        (f', "expires_in": 1{"0" * 10_000}', 86_400),
    ],
    ids=lambda value: str(value)[:30],
)
def test_implausible_lifetime_is_replaced(expires_in: str, lifetime: float, answer: Callable[..., Any]) -> None:
    body = f'{{"access_token": "{KEY}"{expires_in}}}'.encode()
    token = token_call.get_token(Credentials("oauth2", "company", KEY)).parse(answer(body))
    assert token == Token(KEY, lifetime)
    assert token.note
    assert "expires_in" in token.note
    assert KEY not in token.note


@given(st.one_of(st.floats(), st.integers(), st.text(), st.none(), st.booleans(), st.lists(st.integers())))
def test_short_lifetime_does_not_cause_a_token_call_for_every_request(expires_in: Any) -> None:
    body = json.dumps({"access_token": KEY, "expires_in": expires_in}).encode()
    response = Response(Request("POST", "/api/v2/oauth2/token"), 200, {}, body)
    token = token_call.get_token(Credentials("oauth2", "company", KEY)).parse(response)
    assert token.is_fresh(29)
    assert not token.is_fresh(86_400)


def test_token_error_names_its_request(answer: Callable[..., Any]) -> None:
    with pytest.raises(ContractError) as caught:
        token_call.get_token(Credentials("oauth2", "company", KEY)).parse(answer(b"{}", path="/api/v2/oauth2/token"))
    assert (caught.value.path, caught.value.status) == ("/api/v2/oauth2/token", 200)
    assert caught.value.method is not None


@pytest.mark.parametrize("use", [session_ids.require_session_id, lambda one: session_ids.find_session_id({"_id": one})])
def test_id_of_digits_may_arrive_as_a_number(use: Callable[[Any], Any]) -> None:
    for digits in ("1" * 24, "9" * 24, "1" + "0" * 23, "600000000000000000000123"):
        assert use(int(digits)) == digits


NUMBERS = {
    "zero": 0,
    "seven": 7,
    "negative": -(10**23),
    "23 digits": 10**23 - 1,
    "25 digits": 10**24,
    "5001 digits": 10**5000,
    "exponent": 6e23,
    "fraction": 1.5,
    "infinite": float("inf"),
    "nan": float("nan"),
}


@pytest.mark.parametrize("number", NUMBERS.values(), ids=NUMBERS)
def test_number_that_lost_digits_asks_for_quotes(number: Any) -> None:
    with pytest.raises(InvalidIdError, match="arrived as the number") as caught:
        session_ids.require_session_id(number)
    assert "put quotes around the template" in str(caught.value)
    assert len(str(caught.value)) < 500


@given(st.from_regex(r"[0-9]{24}|[0-9]{1,20}e[0-9]{1,3}", fullmatch=True).filter(lambda text: len(text) == 24))
def test_natively_rendered_id_is_the_id_or_an_error(text: str) -> None:
    arrived = NativeEnvironment().from_string("{{ value }}").render(value=text)
    quoted = NativeEnvironment().from_string("'{{ value }}'").render(value=text)
    assert session_ids.require_session_id(quoted) == text
    try:
        assert session_ids.require_session_id(arrived) == text
    except InvalidIdError:
        assert not isinstance(arrived, str)


@pytest.mark.parametrize("value", [True, False])
def test_boolean_is_not_a_number(value: bool) -> None:
    with pytest.raises(InvalidIdError, match=f"{value} is not the ID"):
        session_ids.require_session_id(value)
