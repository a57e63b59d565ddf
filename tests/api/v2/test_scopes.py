"""A scope that is missing: the error names it, the keys that need it, and where it is granted."""

from __future__ import annotations

import re

import pytest

from airflow_provider_learning360.api.errors import ForbiddenError
from airflow_provider_learning360.api.platform import choose_keys
from airflow_provider_learning360.api.v2.scopes import NEEDED_FOR
from path_platform import SESSION_ID, SESSIONS, PathPlatform

KEYS = {"users:read": ("author", "tutors", "users"), "customFields:read": ("customFields",)}


def without(*scopes: str) -> PathPlatform:
    return PathPlatform(missing_scopes=frozenset(scopes))


@pytest.mark.parametrize(("scope", "key"), [(scope, key) for scope, keys in KEYS.items() for key in keys])
def test_error_names_scope_and_key(scope: str, key: str) -> None:
    platform = without(scope)
    with pytest.raises(ForbiddenError) as caught:
        platform.document(frozenset({key}))
    assert f"lacks the scope {scope}, which is needed for {key}." in str(caught.value)
    assert "Grant it to the client in 360Learning" in str(caught.value)
    assert (caught.value.scope, caught.value.keys) == (scope, (key,))
    # Callers have different ways without, or none.
    assert "exclude" not in str(caught.value)
    advice = str(caught.value).split("invalid_scope")[1]
    assert len(re.findall(r"\. |\.$", advice.split(". ", 1)[1])) == 2


@pytest.mark.parametrize("scope", KEYS)
def test_error_of_the_whole_document_names_all_keys(scope: str) -> None:
    with pytest.raises(ForbiddenError) as caught:
        without(scope).document()
    assert caught.value.keys == KEYS[scope]  # type: ignore[index]


@pytest.mark.parametrize("scope", KEYS)
def test_document_without_these_keys_lacks_nothing_else(scope: str) -> None:
    keys = KEYS[scope]  # type: ignore[index]
    complete = PathPlatform().document()
    assert without(scope).document(choose_keys(None, keys)) == {
        name: value for name, value in complete.items() if name not in keys
    }


def test_document_without_all_that_needs_a_second_scope() -> None:
    platform = without("users:read", "customFields:read", "pathStats:read")
    excluded = ["author", "tutors", "users", "customFields"]
    assert platform.document(choose_keys(None, excluded))["groups"] == ["g1", "g2"]


def test_session_keys_need_no_scope_but_the_first() -> None:
    assert without("users:read", "customFields:read", "pathStats:read").document(frozenset())["_id"] == SESSION_ID


@pytest.mark.parametrize("call", ["get_statistics", "count_completions"])
def test_progress_names_its_scope(call: str) -> None:
    platform = without("pathStats:read")
    with pytest.raises(ForbiddenError, match=r"lacks the scope pathStats:read, which is needed for progress"):
        platform.run(getattr(platform.platform, call)(SESSION_ID))


@pytest.mark.parametrize("call", ["get_statistics", "get_learners"])
def test_people_name_their_scope_and_no_exclude(call: str) -> None:
    platform = without("users:read")
    with pytest.raises(ForbiddenError, match=r"users:read, which is needed for mail addresses and names") as caught:
        platform.run(getattr(platform.platform, call)(SESSION_ID))
    assert "exclude" not in str(caught.value)


def test_counts_need_no_scope_for_people() -> None:
    platform = without("users:read")
    assert platform.run(platform.platform.count_completions(SESSION_ID)).learners == 3


def test_sessions_name_their_scope_wherever_they_are_read() -> None:
    platform = without("paths:read")
    api = platform.platform
    plans = [api.get_session(SESSION_ID), api.list_sessions(), api.get_learners(SESSION_ID), api.test()]
    for plan in plans:
        with pytest.raises(
            ForbiddenError, match="lacks the scope paths:read, which is needed for all program sessions"
        ):
            platform.run(plan)
    for stream in (api.stream_sessions(), api.new_poll().stream()):
        with pytest.raises(ForbiddenError, match="lacks the scope paths:read"):
            platform.stream(stream)


def test_other_403_is_not_said_to_be_a_scope() -> None:
    platform = PathPlatform(instead={SESSIONS: (403, "ipNotAllowed")})
    with pytest.raises(ForbiddenError) as caught:
        platform.document()
    assert "scope" not in str(caught.value)


@pytest.mark.parametrize("missing", [*NEEDED_FOR, None])
def test_check_lists_each_scope_and_what_is_lost(missing: str | None) -> None:
    platform = without(*([missing] if missing else []))
    checks = platform.run(platform.platform.check_access())
    assert [one.name for one in checks] == list(NEEDED_FOR)
    for one in checks:
        assert one.granted is (one.name != missing)
        assert NEEDED_FOR[one.name] in one.detail
    assert len(platform.requests) == len(NEEDED_FOR)


def test_check_says_what_it_could_not_find_out() -> None:
    platform = PathPlatform(instead={SESSIONS: (503, "down")})
    first, *others = platform.run(platform.platform.check_access())
    assert (first.granted, "returned 503" in first.detail) == (None, True)
    assert all(one.granted for one in others)
