from __future__ import annotations

import json
import pickle
import string
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_learning360.api import errors
from airflow_provider_learning360.api.errors import (
    MAX_EXCERPT,
    ContractError,
    FixArgumentError,
    FixConnectionError,
    FixIdError,
    ForbiddenError,
    InvalidIdError,
    LearningError,
    NotFoundError,
    RateLimitedError,
    RedirectError,
    SettingsError,
    TimedOutError,
    TryAgainError,
    UnauthorizedError,
    UnavailableError,
    UnreachableError,
    redact,
)

KINDS = sorted(
    (kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, LearningError)),
    key=lambda kind: kind.__name__,
)
DETAILS: dict[str, Any] = {"method": "GET", "path": "/x", "status": 429, "code": "too_many", "retry_after": 1.5}

SECRETS = st.text(string.ascii_letters + string.digits + "-_.~+/=%", min_size=8, max_size=40)
WORDS = st.text(string.ascii_letters + string.digits + ".-#+_", min_size=1, max_size=20)
BEFORE = st.sampled_from(["", " ", "<", "'", '"', "mailto:", "(", "{", ",", "=", "\n"])
MAILS = st.builds("{}@{}.example".format, WORDS, st.text(string.ascii_lowercase, min_size=3, max_size=10))


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_error_survives_json_and_pickle(kind: type[LearningError]) -> None:
    error = kind("what happened", **DETAILS)
    crossed = LearningError.from_dict(json.loads(json.dumps(error.to_dict())))
    for copy in (crossed, pickle.loads(pickle.dumps(error)), error.with_note("More.")):
        assert type(copy) is kind
        assert {name: getattr(copy, name) for name in DETAILS} == DETAILS
    assert str(crossed) == str(pickle.loads(pickle.dumps(error))) == crossed.message == "what happened"
    assert str(error.with_note("More.")) == "what happened More."


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_error_needs_only_its_message(kind: type[LearningError]) -> None:
    error = pickle.loads(pickle.dumps(kind("what happened")))
    assert [getattr(error, name) for name in DETAILS] == [None] * len(DETAILS)


def test_scope_survives_json_pickle_and_notes() -> None:
    error = ForbiddenError("no", code="invalid_scope").with_note(
        "It is missing.", scope="users:read", keys=("author", "users")
    )
    crossed = LearningError.from_dict(json.loads(json.dumps(error.to_dict())))
    for copy in (crossed, pickle.loads(pickle.dumps(error)), error.with_note("More.")):
        assert (type(copy), copy.scope, copy.code) == (ForbiddenError, "users:read", "invalid_scope")
        assert copy.keys == ("author", "users")


def test_error_without_a_scope_is_read_by_earlier_versions() -> None:
    assert "scope" not in ForbiddenError("no").to_dict()


def test_error_of_a_newer_version_is_still_an_error() -> None:
    error = LearningError.from_dict({"type": "FromTheFutureError", "message": "what happened", "status": 418})
    assert type(error) is LearningError
    assert (str(error), error.status) == ("what happened", 418)


@pytest.mark.parametrize(
    ("next_action", "kinds"),
    [
        (FixConnectionError, {SettingsError, UnauthorizedError, ForbiddenError, RedirectError}),
        (FixIdError, {InvalidIdError, NotFoundError}),
        (TryAgainError, {UnreachableError, TimedOutError, UnavailableError}),
        (ValueError, {FixArgumentError}),
        (LearningError, set(KINDS) - {LearningError}),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_error_tree_is_ordered_by_the_next_action(next_action: type, kinds: set[type]) -> None:
    assert {kind for kind in KINDS if issubclass(kind, next_action) and kind is not next_action} == kinds


def test_only_passing_errors_are_retryable() -> None:
    passing = {RateLimitedError, TryAgainError, UnreachableError, TimedOutError, UnavailableError}
    assert {kind for kind in KINDS if kind.retryable} == passing
    assert not ContractError.retryable


@given(SECRETS, st.text(max_size=100), st.text(max_size=100))
def test_redacted_text_contains_no_secret(secret: str, before: str, after: str) -> None:
    assert secret not in redact(f"{before}{secret}{after}", (secret,))


@given(MAILS, BEFORE, st.sampled_from(" '\">),};"))
def test_redacted_text_contains_no_mail_address(mail: str, before: str, after: str) -> None:
    shown = redact(f"a learner {before}{mail}{after} is unknown")
    local, _, domain = mail.partition("@")
    assert domain not in shown
    assert f"{local}@" not in shown


@pytest.mark.parametrize("mail", ["jane#acme@example.com", "jane(acme)@example.com", "jane%23acme%40example.com"])
def test_unusual_login_is_a_mail_address_too(mail: str) -> None:
    assert "example.com" not in redact(f"user {mail} not found")


@given(st.text(max_size=2000), st.lists(SECRETS, max_size=2))
def test_redacted_text_is_short_and_on_one_line(text: str, secrets: list[str]) -> None:
    excerpt = redact(text, tuple(secrets))
    assert len(excerpt) <= errors.MAX_EXCERPT + 1
    assert len(excerpt.splitlines()) <= 1


def test_empty_secret_hides_nothing() -> None:
    assert redact("session_not_found", ("",)) == "session_not_found"


@pytest.mark.parametrize("filling", [" ", "x", "a@b.example ", "\n"])
@pytest.mark.parametrize("length", [100, 5_000, 8_000, 8_180, 9_000, 1_000_000])
def test_long_text_shows_no_part_of_a_secret(filling: str, length: int) -> None:
    secret = "c4n4ry-of-the-mine"
    text = filling * (length // len(filling)) + secret + filling * 10
    shown = redact(text, (secret,))
    assert "c4n" not in shown
    assert len(shown) <= MAX_EXCERPT + 1
