"""The pages of a list: which next page is followed, and which is refused with one plain sentence."""

from __future__ import annotations

import json
from typing import Any

import pytest

from airflow_provider_learning360.api.errors import ContractError, LearningError, TooLargeError
from airflow_provider_learning360.api.messages import Limits, Request, Response
from airflow_provider_learning360.api.v2 import links
from airflow_provider_learning360.api.v2.links import PagedList
from path_platform import HOST, SESSIONS, USERS, PathPlatform

FIRST = (("modifiedAt[gte]", "2026-01-01T00:00:00.000Z"),)


def advance(link: str, *, body: bytes = b"[]", limits: Limits | None = None) -> Request | None:
    """Read a first page with this `Link` header; return the request of the second."""
    pages = PagedList(SESSIONS, FIRST, host=HOST)
    assert pages.request is not None
    pages.read_page(pages.request, lambda _: None).parse(
        Response(pages.request, 200, {"link": link} if link else {}, body, limits=limits)
    )
    return pages.request


@pytest.mark.parametrize(
    "link",
    [
        f'<{HOST}{SESSIONS}?next=abc&x=%5B1%5D>; rel="next"',
        f"<{HOST}{SESSIONS}?next=abc&x=%5B1%5D>; rel=next",
        f"<{HOST}:443{SESSIONS}?next=abc&x=%5B1%5D>; REL=NEXT",
        f'<{HOST}{SESSIONS}/?next=abc&x=%5B1%5D>;rel="next"',
        f'<{SESSIONS}?next=abc&x=%5B1%5D>; title="more"; rel="last next"',
        '<?next=abc&x=%5B1%5D>; rel="next"',
        f'<{HOST}/other>; rel="prev", <{SESSIONS}?next=abc&x=%5B1%5D>; rel="next", <{HOST}/more>; rel="last"',
        f'<{HOST.upper()}{SESSIONS}?next=abc&x=%5B1%5D>; rel="next"',
        f'<{HOST}/api/v2/paths/%73essions?next=abc&x=%5B1%5D>; rel="next"',
    ],
)
def test_next_page_of_the_same_list_is_followed(link: str) -> None:
    following = advance(link)
    assert following is not None
    assert (following.path, following.query) == (SESSIONS, (("next", "abc"), ("x", "[1]")))


@pytest.mark.parametrize(
    "link",
    [
        "",
        "nothing",
        f'<{HOST}{SESSIONS}?next=abc>; rel="prev"',
        f'<{HOST}{SESSIONS}?next=abc>; rel="nextish"',
        f'<{HOST}{SESSIONS}?next=abc>; title="next"',
    ],
)
def test_list_without_a_next_page_ends(link: str) -> None:
    assert advance(link) is None


@pytest.mark.parametrize(
    ("link", "problem"),
    [
        (f'<https://evil.example.com{SESSIONS}?next=a>; rel="next"', "is on another host"),
        (f'<https://example.360learning.com.evil.com{SESSIONS}?next=a>; rel="next"', "is on another host"),
        (f'<//evil.example.com{SESSIONS}?next=a>; rel="next"', "is on another host"),
        (f'<http://example.360learning.com{SESSIONS}?next=a>; rel="next"', "is on another host"),
        (f'<{HOST}:8443{SESSIONS}?next=a>; rel="next"', "is on another host"),
        (f'<{HOST}@evil.example.com{SESSIONS}?next=a>; rel="next"', "is on another host"),
        ('<javascript:alert(1)>; rel="next"', "is on another host"),
        (f'<{HOST}{USERS}?next=a>; rel="next"', "is on another route"),
        (f'<{HOST}{SESSIONS}/../users?next=a>; rel="next"', "is on another route"),
        (f'<{HOST}/?next=a>; rel="next"', "is on another route"),
        (f'<{HOST}:port{SESSIONS}?next=a>; rel="next"', "is on another host"),
        ('<https://[::1>; rel="next"', "has an address that is not valid"),
        ('<https://[broken]/>; rel="next"', "has an address that is not valid"),
        (f'<{SESSIONS}?{FIRST[0][0]}={FIRST[0][1]}>; rel="next"', "was read before"),
        (f'{HOST}{SESSIONS}?next=a; rel="next"', "has no address"),
        (f'<{HOST}{SESSIONS}?next=a; rel="next"', "has no address"),
        (f'<{HOST}{SESSIONS}?next={"a" * links.MAX_LINK}>; rel="next"', "is too long"),
    ],
)
def test_next_page_elsewhere_is_refused(link: str, problem: str) -> None:
    with pytest.raises(ContractError) as caught:
        advance(link)
    assert f"GET {SESSIONS} names a next page that " in str(caught.value)
    assert problem in str(caught.value)
    assert "next=a" not in str(caught.value)  # the address may repeat a secret
    assert "evil" not in str(caught.value)


def test_credentials_in_the_address_are_left_out() -> None:
    following = advance(
        f'<https://user:secret@example.360learning.com{SESSIONS}?next=a&apiKey=k&company=c>; rel="next"'
    )
    assert following is not None
    assert following.query == (("next", "a"),)
    assert "secret" not in repr(following)


@pytest.mark.parametrize("text", ["%00", "%ED%A0%80", "\udcff", "é", "%", "%zz"])
def test_address_of_any_characters_is_a_query_that_can_be_sent(text: str) -> None:
    following = advance(f'<{SESSIONS}?next={text}>; rel="next"')
    assert following is not None
    str(following.query).encode()
    assert "\0" not in str(following.query)


def read_all(link: Any, **limits: int) -> tuple[LearningError, int]:
    platform = PathPlatform(link=link)
    with pytest.raises(LearningError) as caught:
        platform.run(platform.platform.list_sessions())
    return caught.value, len(platform.requests)


def test_loop_is_refused_at_once() -> None:
    error, count = read_all(lambda request: f'<{SESSIONS}?next=same>; rel="next"')
    assert count == 2
    assert "was read before" in str(error)


def test_loop_of_two_pages_is_refused() -> None:
    error, count = read_all(
        lambda request: f'<{SESSIONS}?next={"b" if ("next", "a") in request.query else "a"}>; rel="next"'
    )
    assert count == 3
    assert "was read before" in str(error)


def test_list_that_never_ends_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(links, "MAX_PAGES", 25)
    numbers = iter(range(1000))
    error, count = read_all(lambda request: f'<{SESSIONS}?next={next(numbers)}>; rel="next"')
    assert count == 25
    assert "would be number 26" in str(error)
    assert isinstance(error, ContractError)


def test_stream_that_never_ends_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(links, "MAX_PAGES", 25)
    numbers = iter(range(1000))
    platform = PathPlatform(link=lambda request: f'<{SESSIONS}?next={next(numbers)}>; rel="next"')
    with pytest.raises(ContractError, match="would be number 26"):
        platform.stream(platform.platform.stream_sessions())
    assert len(platform.requests) == 25


def test_users_that_never_end_are_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(links, "MAX_PAGES", 2)
    numbers = iter(range(1000))
    platform = PathPlatform(
        learners=list(range(10, 400)),
        users=[],
        instead={USERS: b"[]"},
        link=lambda request: f'<{request.path}?next={next(numbers)}>; rel="next"' if request.path == USERS else "",
    )
    with pytest.raises(ContractError, match="would be number 3"):
        platform.document()


def test_pages_together_are_within_the_limit_of_one_list() -> None:
    limits = Limits(1000, 1000, 60.0, "max_list_bytes", "max_list_seconds", "the connection")
    pages = PagedList(SESSIONS, host=HOST)

    def read_next() -> None:
        assert pages.request is not None
        headers = {"link": f'<{SESSIONS}?next={pages.page_count}>; rel="next"'}
        response = Response(pages.request, 200, headers, json.dumps("x" * 98).encode(), limits=limits)
        pages.read_page(pages.request, lambda _: None).parse(response)

    for _ in range(10):
        read_next()
    with pytest.raises(TooLargeError, match="raise max_list_bytes of the connection"):
        read_next()


def test_page_size_is_never_assumed() -> None:
    platform = PathPlatform(learners=list(range(10, 33)), users=[], page_size=5)
    assert len(platform.run(platform.platform.get_learners(platform.session["_id"]))) == 23


def test_empty_page_in_the_middle_does_not_end_a_list() -> None:
    platform = PathPlatform(
        instead={SESSIONS: b"[]"},
        link=lambda request: "" if request.query else f'<{SESSIONS}?next=1>; rel="next"',
    )
    platform.run(platform.platform.list_sessions())
    assert len(platform.requests) == 2
