"""The users of the platform: their mails by ID, read as cheaply as their number allows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_learning360.api.errors import NotFoundError
from airflow_provider_learning360.api.messages import Request
from airflow_provider_learning360.api.v2.calls import USERS, Page, build_path, read_object, read_page
from airflow_provider_learning360.api.v2.links import find_next
from airflow_provider_learning360.api.v2.scopes import needing

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

    from airflow_provider_learning360.api.platform import Plan

User = dict[str, Any]

MAX_AGE = 600.0  # seconds for which people are remembered, in memory only
MAX_REMEMBERED = 50_000  # users beside those that were asked for
# Single requests that are worth one page that finds nobody.
PATIENCE = 32
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
        self._users: dict[str, tuple[float, User]] = {}

    def find(self, ids: Iterable[str], keys: tuple[str, ...] = ()) -> Plan[dict[str, User]]:
        """
        Plan to find users.

        :param ids: Their IDs.
        :param keys: The keys of a document that need them, for the error if they may not be read; default none.
        :returns: The plan of the users by ID; one that does not exist has its `_id` only.
        :raises ForbiddenError: The scope `users:read` is missing.
        """
        wanted = dict.fromkeys(ids)
        now = self._monotonic()
        self._users = {one: found for one, found in self._users.items() if now - found[0] < MAX_AGE}
        missing = {one for one in wanted if one not in self._users}
        yield from needing("users:read", self._read(missing), keys=keys)
        return {one: self._users[one][1] if one in self._users else {"_id": one} for one in wanted}

    def _read(self, missing: set[str]) -> Plan[None]:
        """Plan to read users: page by page as long as that is expected to take fewer requests than one by one."""
        seen: set[Any] = set()
        request: Request | None = Request("GET", USERS) if len(missing) > 1 else None
        pages, wanted = 0, len(missing)
        while request is not None and missing and _are_pages_cheaper(pages, wanted - len(missing), len(missing)):
            page: Page = yield read_page("a list of users", request)
            pages += 1
            self._keep(page.items, missing)
            missing -= self._users.keys()
            request = find_next(page.link, request, seen, self._host)
        if request is None and pages:
            return  # all pages were read: the others do not exist
        for user_id in sorted(missing):
            try:
                user = yield read_object("a user", build_path("users", user_id))
            except NotFoundError:
                user = {"_id": user_id, "status": "deleted"}
            self._keep([{**user, "_id": user_id}], {user_id})

    def _keep(self, users: Collection[User], wanted: Collection[str]) -> None:
        now = self._monotonic()
        for user in users:
            user_id = user.get("_id")
            if isinstance(user_id, str) and (user_id in wanted or len(self._users) < MAX_REMEMBERED):
                self._users[user_id] = (now, {name: user[name] for name in _KEPT if name in user})


def _are_pages_cheaper(pages: int, found: int, missing: int) -> bool:
    """Whether to read one more page: a page that finds one user costs as much as reading that user alone."""
    # Nobody knows how many pages there are. A few that find nothing are a small part of many single requests.
    return pages < max(found, 1 if not pages else 0, (found + missing) / PATIENCE)


def find_mail(user: User) -> str | None:
    """
    Return the address at which a user can be reached, or None.

    :param user: The user.
    """
    mail = user.get("mail")
    return mail if isinstance(mail, str) and user.get("status") == "active" else None


def find_login(user: User) -> str:
    """
    Return what stands for a user in a list of mails: the mail, or what is certainly not one.

    :param user: The user.
    """
    name = user.get("username")
    return find_mail(user) or (name if isinstance(name, str) and "@" not in name else str(user["_id"]))
