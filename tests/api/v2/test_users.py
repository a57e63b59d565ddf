"""Users by ID: as few requests as their number allows, remembered for ten minutes, never mistaken for another."""

from __future__ import annotations

import ast
import json
import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_learning360.api.errors import ContractError, ForbiddenError, UnavailableError
from airflow_provider_learning360.api.v2 import users
from airflow_provider_learning360.api.v2.users import UserDirectory, find_login, find_mail, parse_user
from path_platform import AUTHOR, HOST, USERS, PathPlatform, user, user_id


def find(platform: PathPlatform, numbers: list[int]) -> dict[str, dict[str, str]]:
    """Find users by number, with the directory of the platform."""
    found: dict[str, dict[str, str]] = platform.run(platform.platform._reader.users.find(map(user_id, numbers)))
    return found


def count(wanted: list[int], total: int, page_size: int) -> int:
    """Return how many requests it takes to find these users of a platform with so many."""
    platform = PathPlatform(users=[user(number) for number in range(total)], page_size=page_size)
    found = find(platform, wanted)
    assert {one: found[one].get("mail") for one in found} == {
        user_id(one): f"user{one}@example.com" if one < total else None for one in wanted
    }
    return len(platform.requests)


@pytest.mark.parametrize(
    ("wanted", "total", "page_size", "requests"),
    [
        (0, 1000, 500, 0),
        (1, 10, 500, 1),
        (1, 100_000, 500, 1),
        (2, 10, 500, 1),
        (3, 100_000, 500, 6),
        (20, 500, 500, 1),
        (20, 1200, 500, 3),
        (200, 1200, 500, 3),
        (200, 20_000, 500, 40),
        (64, 5_000, 500, 10),
        (10, 5_000, 500, 10),
        (1000, 20_000, 500, 40),
        (1000, 20_000, 100, 200),
        (50, 20_000, 10, 99),
        (20_000, 20_000, 500, 40),
    ],
)
def test_the_cheaper_of_single_reads_and_pages_is_taken(wanted: int, total: int, page_size: int, requests: int) -> None:
    """Users are spread over the platform, as those of a session are."""
    chosen = [(2 * place + 1) * total // (2 * wanted) for place in range(wanted)]
    found = count(chosen, total, page_size)
    assert found == requests
    require_cheap(found, wanted, -(-total // page_size))


def require_cheap(requests: int, wanted: int, pages: int) -> None:
    """Require the cheaper way if all pages are no more than the users, and else twice its requests at most."""
    if not wanted:
        assert requests == 0
    elif pages <= wanted:
        assert requests <= pages
    else:
        assert requests <= 2 * wanted


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(("wanted", "total", "page_size"), [(30, 20_000, 500), (300, 20_000, 500), (300, 20_000, 100)])
def test_random_users_cost_no_more_than_twice_the_cheaper_way(
    seed: int, wanted: int, total: int, page_size: int
) -> None:
    chosen = random.Random(seed).sample(range(total), wanted)
    require_cheap(count(chosen, total, page_size), wanted, -(-total // page_size))


@given(st.lists(st.integers(0, 99), unique=True, max_size=60), st.integers(1, 30))
def test_users_anywhere_cost_no_more_than_twice_the_cheaper_way(wanted: list[int], page_size: int) -> None:
    require_cheap(count(wanted, 80, page_size), len(wanted), -(-80 // page_size))


@pytest.mark.parametrize(
    ("wanted", "total", "requests"),
    [(64, 5_500, 11), (200, 5_500, 11), (200, 20_000, 40), (10, 5_500, 20), (1, 5_500, 1)],
)
def test_new_users_on_the_last_page_cost_all_pages_before(wanted: int, total: int, requests: int) -> None:
    assert count(list(range(total - wanted, total)), total, 500) == requests


def test_users_are_asked_for_once() -> None:
    platform = PathPlatform()
    find(platform, [1, 2])
    find(platform, [2, 1, 2, 3])
    assert platform.paths == [USERS]


def test_users_are_forgotten_after_ten_minutes() -> None:
    platform = PathPlatform()
    find(platform, [1, 2])
    platform.time = users.MAX_AGE - 1
    find(platform, [1, 2])
    assert len(platform.requests) == 1
    platform.time = users.MAX_AGE
    find(platform, [1])
    assert len(platform.requests) == 2
    assert list(platform.platform._reader.users._users) == [user_id(1)]  # the others are gone from memory too


def test_long_search_finds_everybody_although_another_one_forgets_meanwhile() -> None:
    platform = PathPlatform(users=[user(number) for number in range(10)], page_size=1)
    directory = platform.platform._reader.users
    search = directory.find(map(user_id, range(10)))
    step = next(search)
    while True:
        platform.time += users.MAX_AGE
        platform.run(directory.find([user_id(3)]))
        try:
            step = search.send(platform.respond(step))
        except StopIteration as end:
            found = end.value
            break
    assert {one["mail"] for one in found.values()} == {f"user{number}@example.com" for number in range(10)}


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(users, "MAX_REMEMBERED", 10)
    platform = PathPlatform(users=[user(number, jobTitle="x") for number in range(100)])
    found = find(platform, list(range(50, 100)))
    assert len(found) == 50
    kept = platform.platform._reader.users._users
    assert len(kept) <= 60
    assert {name for one in kept.values() for name in one} == {"_id", "mail", "status"}


@pytest.mark.parametrize("wanted", [[4], [4, 5, 77]])
def test_user_who_does_not_exist_is_as_one_who_was_deleted(wanted: list[int]) -> None:
    platform = PathPlatform(users=[user(5)])
    assert find(platform, wanted)[user_id(4)] == {"_id": user_id(4), "status": "deleted"}


def test_other_user_than_the_requested_one_is_refused() -> None:
    platform = PathPlatform(instead={f"{USERS}/{AUTHOR}": json.dumps(user(2)).encode()})
    with pytest.raises(ContractError, match="it has another _id") as caught:
        find(platform, [1])
    assert "@" not in str(caught.value)


def test_first_error_ends_the_search() -> None:
    platform = PathPlatform(instead={USERS: (503, "down")})
    with pytest.raises(UnavailableError):
        find(platform, [1, 2])
    assert len(platform.requests) == 1


def test_missing_scope_is_named_with_the_keys() -> None:
    platform = PathPlatform(missing_scopes=frozenset({"users:read"}))
    with pytest.raises(ForbiddenError, match=r"lacks the scope users:read, .* author, tutors"):
        platform.run(UserDirectory(HOST, lambda: 0.0).find([AUTHOR], ("author", "tutors")))


@pytest.mark.parametrize(
    ("item", "kept"),
    [
        ({"_id": "a", "mail": "a@example.com", "status": "active"}, {"_id", "mail", "status"}),
        ({"_id": "a", "mail": 5, "status": ["active"], "firstName": None, "lastName": {}}, {"_id"}),
        ({"_id": "a", "mail": "x" * 3_000_000}, {"_id"}),
        ({"_id": "a", "lang": "en", "custom": {"name": "x"}}, {"_id"}),
    ],
)
def test_usual_texts_of_a_user_are_kept(item: dict[str, Any], kept: set[str]) -> None:
    assert (parse_user(item) or {}).keys() == kept


@pytest.mark.parametrize("odd", [None, 5, ["a"], {"a": 1}, "", "..", "a/b", "a?b", "a b", "é", "a" * 65, "a\n"])
def test_user_without_a_usable_id_is_left_out(odd: Any) -> None:
    assert parse_user({"_id": odd}) is None


def test_bad_users_of_a_page_cost_themselves(caplog: pytest.LogCaptureFixture) -> None:
    platform = PathPlatform()
    platform.users[1:1] = [5, None, {"_id": ["x"]}, {"mail": "secret@example.com"}]  # type: ignore[list-item]
    assert find(platform, [1, 2])[user_id(2)]["mail"] == "user2@example.com"
    assert caplog.messages == [f"GET {USERS} returned 4 items that cannot be read. Continuing without."]


@pytest.mark.parametrize(
    ("person", "mail", "login"),
    [
        ({"mail": "a@example.com", "status": "active"}, "a@example.com", "a@example.com"),
        ({"username": "anna", "status": "active"}, None, "anna"),
        ({"mail": "a@example.com", "status": "invited"}, None, "u1"),
        ({"mail": "a@example.com", "username": "anna", "status": "deleted"}, None, "anna"),
        ({"mail": "", "status": "active"}, None, "u1"),
        ({"mail": "a@example.com"}, None, "u1"),
        ({"username": "a@example.com", "status": "active"}, None, "u1"),
    ],
)
def test_only_active_users_with_a_mail_are_written_to(person: dict[str, str], mail: str | None, login: str) -> None:
    person = {"_id": "u1", **person}
    assert find_mail(person) == mail
    assert find_login(person) == login


def test_author_who_is_deleted_is_listed_without_mail() -> None:
    platform = PathPlatform()
    platform.users[0] = user(1, status="deleted")
    assert platform.document()["author"] == AUTHOR


def test_people_are_never_written_to_disk() -> None:
    """The directory has no way to: it imports nothing that could, and nothing holds it but the platform of a hook."""
    tree = ast.parse(Path(users.__file__).read_text())
    imported = {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    allowed = ("__future__", "typing", "collections", "airflow_provider_learning360.api")
    assert [one for one in imported if not one.startswith(allowed)] == []
    assert not [node for node in ast.walk(tree) if isinstance(node, ast.Import)]
