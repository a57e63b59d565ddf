"""The users of the platform: their mails by ID, read as cheaply as their number allows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_learning360.api.errors import NotFoundError
from airflow_provider_learning360.api.v2.calls import USERS, build_parser, build_path, is_id, read_object
from airflow_provider_learning360.api.v2.links import PagedList
from airflow_provider_learning360.api.v2.scopes import needing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from airflow_provider_learning360.api.platform import Plan

User = dict[str, str]

MAX_AGE = 600.0  # seconds for which people are remembered, in memory only
MAX_REMEMBERED = 50_000  # users beside those that were asked for
MAX_TEXT = 1024  # characters of a name or mail; a longer one is left out
_KEPT = ("_id", "mail", "username", "firstName", "lastName", "status")


class UserDirectory:
    """
    Users that were read, by ID.

    :param host: Base URL of the connection.
    :param monotonic: Monotonic clock, in seconds.
    """

    def __init__(self, host: str, monotonic: Callable[[], float]) -> None:
        self._host = host
        self._monotonic = monotonic
        # Two dictionaries of texts and numbers, not one of pairs: Python's garbage collector visits each pair, which
        # would stop the event loop for a quarter of a second on a large platform.
        self._users: dict[str, User] = {}
        self._read_at: dict[str, float] = {}

    def find(self, ids: Iterable[str], keys: tuple[str, ...] = ()) -> Plan[dict[str, User]]:
        """
        Plan to find users.

        :param ids: Their IDs.
        :param keys: The keys of a document that need them, for the error if they may not be read; default none.
        :returns: The plan of the users by ID; one that does not exist has the status `deleted`.
        :raises ForbiddenError: The scope `users:read` is missing.
        """
        wanted = dict.fromkeys(ids)
        self._forget_old()
        # Of its own: what is remembered may be forgotten while this plan waits for a page.
        found = {one: self._users[one] for one in wanted if one in self._users}
        yield from needing("users:read", self._read(set(wanted) - found.keys(), found), keys=keys)
        return found

    def _read(self, missing: set[str], found: dict[str, User]) -> Plan[None]:
        """Plan to read users: as many pages as users are wanted at most, then the others one by one."""
        # Nobody knows how many pages there are. So this takes twice the requests of the cheaper way at most, and the
        # fewest there are if all pages are no more than the users. One user is never cheaper on a page.
        pages, wanted = PagedList(USERS, host=self._host), len(missing)
        parse = build_parser("a list of users", pages, parse_user)
        while len(missing) > 1 and pages.page_count < wanted and (request := pages.request) is not None:
            page: list[User] = yield pages.read_page(request, parse)
            self._take(page, missing, found)
        if pages.request is None:  # all pages were read: the others do not exist
            self._take([_build_deleted(one) for one in missing], missing, found)
        for user_id in sorted(missing):
            self._take([(yield from _read_one(user_id))], missing, found)

    def _take(self, users: Iterable[User], missing: set[str], found: dict[str, User]) -> None:
        now = self._monotonic()
        for user in users:
            user_id = user["_id"]
            if user_id in missing:
                missing.remove(user_id)
                found[user_id] = user
            elif len(self._users) >= MAX_REMEMBERED:
                continue
            self._users[user_id], self._read_at[user_id] = user, now

    def _forget_old(self) -> None:
        oldest = self._monotonic() - MAX_AGE
        for user_id in [one for one, read_at in self._read_at.items() if read_at <= oldest]:
            del self._users[user_id], self._read_at[user_id]


def parse_user(item: Mapping[str, Any]) -> User | None:
    """
    Return what is kept of a user: texts of a usual length.

    :param item: The user, as the API sent it.
    :returns: The user; None if it has no ID.
    """
    if not is_id(item.get("_id")):
        return None
    return {name: text for name in _KEPT if isinstance(text := item.get(name), str) and len(text) <= MAX_TEXT}


def _build_deleted(user_id: str) -> User:
    return {"_id": user_id, "status": "deleted"}


def _read_one(user_id: str) -> Plan[User]:
    try:
        item = yield read_object("the requested user", build_path("users", user_id), user_id)
    except NotFoundError:
        return _build_deleted(user_id)
    return {**(parse_user(item) or {}), "_id": user_id}


def find_mail(user: User) -> str | None:
    """
    Return the address at which a user can be reached, or None.

    :param user: The user.
    """
    mail = user.get("mail")
    return mail if mail and user.get("status") == "active" else None


def find_login(user: User) -> str:
    """
    Return what stands for a user in a list of mails: the mail, or what is certainly not one.

    :param user: The user.
    """
    name = user.get("username")
    return find_mail(user) or (name if name and "@" not in name else user["_id"])
