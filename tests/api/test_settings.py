from __future__ import annotations

from typing import Any

import pytest
from jsonschema import Draft7Validator

from airflow_provider_learning360.api.credentials import Credentials
from airflow_provider_learning360.api.errors import SettingsError
from airflow_provider_learning360.api.retries import RetryBudget
from airflow_provider_learning360.api.settings import (
    EU_HOST,
    US_HOST,
    LearningSettings,
    connection_fields,
    extra_settings,
    form_behaviour,
)
from airflow_provider_learning360.provider_info import get_provider_info

KEY = "canary-6f1e0c"


def settings(
    host: str | None = None, schema: str | None = None, port: int | None = None, **extra: Any
) -> LearningSettings:
    return LearningSettings.from_connection(
        "acme", host=host, schema=schema, port=port, login="company", password=KEY, extra=extra
    )


def refused(host: str | None = None, schema: str | None = None, port: int | None = None, **extra: Any) -> str:
    with pytest.raises(SettingsError) as caught:
        settings(host, schema, port, **extra)
    message = str(caught.value)
    assert KEY not in message
    assert "'acme'" in message
    assert len(message.splitlines()) == 1
    return message


def test_company_id_and_key_are_enough() -> None:
    least = settings()
    assert least.host == EU_HOST == "https://app.360learning.com"
    assert least.credentials() == Credentials("headers", "company", KEY)
    assert least.budget == RetryBudget()
    assert (least.verify, least.cert, least.trust_env, least.allow_insecure_http) == (True, None, True, False)
    assert least.proxy_for("https") is None


@pytest.mark.parametrize(
    ("host", "schema", "port", "base_url"),
    [
        (None, None, None, EU_HOST),
        ("  ", None, None, EU_HOST),
        (US_HOST, None, None, US_HOST),
        ("app.us.360learning.com", None, None, US_HOST),
        ("https://app.us.360learning.com/", None, None, US_HOST),
        ("learning.example", "https", 8443, "https://learning.example:8443"),
        ("https://learning.example:9", None, 8443, "https://learning.example:9"),
        ("localhost:8080", "http", None, "http://localhost:8080"),
        ("http://127.0.0.1:8080", None, None, "http://127.0.0.1:8080"),
        ("http://[::1]:8080", None, None, "http://[::1]:8080"),
    ],
)
def test_host_is_accepted_in_any_form(host: str | None, schema: str | None, port: int | None, base_url: str) -> None:
    assert settings(host, schema, port).host == base_url


@pytest.mark.parametrize(
    ("host", "words"),
    [
        ("https://app.360learning.com/api/v1", ["https://app.360learning.com;", "/api/v1"]),
        ("app.360learning.com/api", ["name only"]),
        ("https://app.360learning.com?company=1", ["name only"]),
        ("https://app.360learning.com#x", ["name only"]),
        (f"https://me:{KEY}@app.360learning.com", ["name only"]),
        ("ftp://app.360learning.com", ["no valid host", EU_HOST]),
        ("https://app.360learning.com:http", ["no valid host", EU_HOST]),
        ("https://:443", ["no valid host", EU_HOST]),
        ("https://[::1", ["no valid host", EU_HOST]),
        ("http://app.360learning.com", ["clear text", "app.360learning.com", "https://", "allow_insecure_http"]),
    ],
)
def test_invalid_host_is_refused_with_advice(host: str, words: list[str]) -> None:
    message = refused(host)
    assert [word for word in words if word not in message] == []


def test_plain_http_is_allowed_to_this_machine_or_on_request() -> None:
    assert settings("http://localhost").host == "http://localhost"
    assert settings("http://intranet.example", allow_insecure_http="true").host == "http://intranet.example"
    assert "clear text" in refused("localhost.example", schema="http")


@pytest.mark.parametrize(
    ("login", "password", "words"),
    [
        ("", KEY, ["company ID is missing", "'login'"]),
        ("company", None, ["API key is missing", "'password'"]),
        ("  ", "\n", ["company ID is missing", "API key is missing"]),
    ],
)
def test_missing_credential_has_its_name_in_the_form(login: str, password: str | None, words: list[str]) -> None:
    with pytest.raises(SettingsError) as caught:
        LearningSettings.from_connection("acme", login=login, password=password)
    assert [word for word in ["'acme'", *words] if word not in str(caught.value)] == []


def test_blanks_around_credentials_are_removed() -> None:
    pasted = LearningSettings.from_connection("acme", login=" company\n", password=f" {KEY}\n")
    assert pasted.credentials() == Credentials("headers", "company", KEY)


def test_unknown_extra_is_an_error_that_lists_the_known_ones() -> None:
    message = refused(retrys=KEY, apiKey=KEY)
    assert "apiKey, retrys" in message
    assert [name for name in extra_settings() if name not in message] == []


@pytest.mark.parametrize("name", ["company_id", "api_key", "connection"])
def test_form_fields_are_unknown_in_the_extra(name: str) -> None:
    assert f"unknown settings in its extra: {name}." in refused(**dict[str, Any]({name: "x"}))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("auth", KEY),
        ("timeout", 0),
        ("timeout", KEY),
        ("timeout", "nan"),
        ("retry_attempts", 0),
        ("retry_attempts", 1.5),
        ("retry_budget", -1),
        ("max_rate_limit_wait", -1),
        ("max_rate_limit_wait", KEY),
        ("trust_env", KEY),
        ("verify", [KEY]),
        ("proxies", {"https": [KEY]}),
        ("proxies", [KEY]),
    ],
)
def test_invalid_setting_is_named_without_its_value(name: str, value: Any) -> None:
    assert f"{name}: " in refused(**{name: value})


@pytest.mark.parametrize(
    ("given", "read"),
    [
        ({"auth": "oauth2", "timeout": "2.5"}, {"auth": "oauth2", "timeout": 2.5}),
        ({"verify": "False"}, {"verify": False}),
        ({"verify": True}, {"verify": True}),
        ({"verify": "/etc/ca.pem"}, {"verify": "/etc/ca.pem"}),
        ({"verify_ssl": "no"}, {"verify": False}),
        ({"proxy": "http://proxy.example"}, {"proxies": "http://proxy.example"}),
        ({"trust_env": "false", "cert": "me.pem"}, {"trust_env": False, "cert": "me.pem"}),
        (
            {"timeout": None, "auth": "", "retry_attempts": ""},
            {"timeout": 30.0, "auth": "headers", "retry_attempts": 5},
        ),
    ],
    ids=str,
)
def test_extra_is_read_from_forms_and_uris(given: dict[str, Any], read: dict[str, Any]) -> None:
    values = settings(**given)
    assert {name: getattr(values, name) for name in read} == read


def test_retry_settings_are_the_retry_budget() -> None:
    patient = settings(retry_attempts="7", retry_budget=300, max_rate_limit_wait=0)
    assert patient.budget == RetryBudget(attempts=7, total=300, max_rate_limit_wait=0)


@pytest.mark.parametrize(
    ("proxies", "https", "http"),
    [
        ("http://p.example", "http://p.example", "http://p.example"),
        ({"https": "http://q.example"}, "http://q.example", None),
    ],
)
def test_proxy_serves_all_schemes_or_one(proxies: object, https: str | None, http: str | None) -> None:
    values = settings(proxies=proxies)
    assert (values.proxy_for("https"), values.proxy_for("http")) == (https, http)


@pytest.mark.parametrize("show", [str, repr, lambda it: it.model_dump_json(), lambda it: repr(it.credentials())])
def test_settings_do_not_show_the_key(show: object) -> None:
    assert KEY not in show(settings())  # type: ignore[operator]


def test_form_has_a_field_for_every_setting_of_the_extra() -> None:
    form = connection_fields()
    assert list(form) == extra_settings()
    assert {*form, "host", "company_id", "api_key", "connection"} == set(LearningSettings.model_fields)


def test_provider_info_contains_this_form() -> None:
    (connection_type,) = get_provider_info()["connection-types"]
    assert connection_type["conn-fields"] == connection_fields()
    assert connection_type["ui-field-behaviour"] == form_behaviour()


def test_form_shows_the_default_and_stores_none() -> None:
    form = connection_fields()
    assert all("default" not in field["schema"] and field["label"] and field["description"] for field in form.values())
    assert form["timeout"]["description"].endswith("Default: 30.0.")
    assert form["auth"]["description"].endswith("Default: headers.")
    assert "Default" not in form["cert"]["description"]


def test_form_labels_login_and_password_with_the_vendors_words() -> None:
    assert form_behaviour()["relabeling"] == {"login": "Company ID / client ID", "password": "API key / client secret"}


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("auth", "query", "basic"),
        ("timeout", 0.5, 0),
        ("retry_attempts", 1, 0),
        ("retry_budget", 0, -1),
        ("max_rate_limit_wait", 0, -0.5),
        ("trust_env", False, "x"),
        ("allow_insecure_http", True, "x"),
    ],
)
def test_form_and_parser_agree(name: str, good: Any, bad: Any) -> None:
    field = Draft7Validator(connection_fields()[name]["schema"])
    assert "null" in connection_fields()[name]["schema"]["type"]
    assert field.is_valid(good)
    assert getattr(settings(**{name: good}), name) == good
    assert not field.is_valid(bad)
    assert f"{name}: " in refused(**{name: bad})


@pytest.mark.parametrize("proxies", ["socks5://proxy:1080", "http://proxy:port", {"https": "ftp://proxy"}, "http://"])
def test_invalid_proxy_is_refused(proxies: Any) -> None:
    with pytest.raises(SettingsError, match=r"proxies: .*http://proxy\.example\.com:3128"):
        LearningSettings.from_connection("mine", login="company", password="key", extra={"proxies": proxies})


@pytest.mark.parametrize("field", ["login", "password"])
@pytest.mark.parametrize("key", ["a\nb", "a\0b", "a\x7fb"])
def test_key_that_no_header_can_carry_is_refused_and_not_shown(field: str, key: str) -> None:
    with pytest.raises(SettingsError) as raised:
        LearningSettings.from_connection("here", **{"login": "company", "password": "key", field: key})
    assert "line break" in str(raised.value)
    assert key not in str(raised.value)


def everything_of(error: BaseException | None) -> str:
    return "" if error is None else f"{error!r} {vars(error)} {everything_of(error.__context__ or error.__cause__)}"


@pytest.mark.parametrize("field", ["login", "password"])
@pytest.mark.parametrize("auth", ["headers", "query", "oauth2"])
@pytest.mark.parametrize(
    ("character", "name"),
    [
        ("\u2013", "EN DASH"),
        ("\u20ac", "EURO SIGN"),
        ("\u2019", "RIGHT SINGLE QUOTATION MARK"),
        ("\xa0", "NO-BREAK SPACE"),
        ("\xad", "SOFT HYPHEN"),
        ("\u200b", "ZERO WIDTH SPACE"),
        ("\U0001f511", "KEY"),
    ],
)
def test_key_with_a_typographic_character_is_refused_by_its_name(
    field: str, auth: str, character: str, name: str
) -> None:
    key = f"canary{character}canary"
    with pytest.raises(SettingsError, match=f"{name}.*pasted from a document") as raised:
        LearningSettings.from_connection(
            "here", **{"login": "company", "password": "key", field: key}, extra={"auth": auth}
        )
    assert "canary" not in everything_of(raised.value)
    assert character not in everything_of(raised.value)


@pytest.mark.parametrize("field", ["login", "password"])
def test_latin_1_key_is_allowed_where_all_servers_read_it_alike(field: str) -> None:
    keys = {"login": "company", "password": "key", field: "canary-\u00e9"}
    for auth in ("query", "oauth2"):
        assert LearningSettings.from_connection("here", **keys, extra={"auth": auth}).auth == auth
    with pytest.raises(SettingsError, match=r"auth: .*LATIN SMALL LETTER E WITH ACUTE.*`query` or `oauth2`") as raised:
        LearningSettings.from_connection("here", **keys)
    assert "canary" not in everything_of(raised.value)


@pytest.mark.parametrize("proxy", ["http://me:p\u20acss@proxy.example", "http://me:p%E2%82%ACss@proxy.example"])
def test_proxy_password_beyond_latin_1_is_refused_and_not_shown(proxy: str) -> None:
    assert "Latin-1" in refused(proxies=proxy)
    with pytest.raises(SettingsError) as raised:
        settings(proxies=proxy)
    assert proxy not in everything_of(raised.value)


@pytest.mark.parametrize(
    ("version", "login", "hint"),
    [
        ("v2", "5f8d3e2a1b4c6d7e8f9a0b1c", "company ID of API v1"),
        ("v2", "5F8D3E2A1B4C6D7E8F9A0B1C", "company ID of API v1"),
        ("v1", "ab" * 16, "client ID of API v2"),
        ("v1", "5f8d3e2a1b4c6d7e8f9a0b1c", ""),
        ("v2", "ab" * 16, ""),
        ("v1", "demo-company", ""),
        ("v2", "demo-client", ""),
        ("v2", "5f8d3e2a1b4c6d7e8f9a0b1cff", ""),
    ],
)
def test_keys_of_another_version_are_recognized_by_the_id(version: str, login: str, hint: str) -> None:
    settings = LearningSettings.from_connection("acme", login=login, password=KEY, extra={"api_version": version})
    assert hint in settings.key_hint
    assert bool(hint) == bool(settings.key_hint)


def test_keys_have_the_names_of_the_version() -> None:
    names = {}
    for version in ("v1", "v2"):
        settings = LearningSettings.from_connection("acme", login="x", password=KEY, extra={"api_version": version})
        names[version] = tuple(settings.key_names)
        assert settings.credentials().key_names == settings.key_names
    assert names == {"v1": ("company ID", "API key"), "v2": ("client ID", "client secret")}


def test_missing_keys_have_the_names_of_the_version() -> None:
    with pytest.raises(SettingsError, match=r"the client ID is missing .*\. The client secret is missing"):
        LearningSettings.from_connection("acme", extra={"api_version": "v2"})
