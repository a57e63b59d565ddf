"""The IDs of the people that a task acts on: mail addresses are looked up by a filter of the list of users."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_learning360.api.people import require_found
from airflow_provider_learning360.api.v2.calls import USERS
from airflow_provider_learning360.api.v2.scopes import needing
from airflow_provider_learning360.api.v2.users import parse_user

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from airflow_provider_learning360.api.people import Person
    from airflow_provider_learning360.api.platform import Plan
    from airflow_provider_learning360.api.v2.sessions import SessionReader
    from airflow_provider_learning360.api.v2.users import User

# Mail addresses of one request: with usual ones, its address stays below 4 kB, which servers accept.
MAILS_PER_REQUEST = 40


def find_user_ids(
    reader: SessionReader,
    people: Sequence[Person],
    *,
    must_be_present: bool = True,
    known: Collection[str] = frozenset(),
    argument: str = "people",
) -> Plan[list[str]]:
    """
    Plan to find the IDs of people.

    :param reader: Reads the users.
    :param people: The people.
    :param must_be_present: Whether people who are deleted, and IDs of nobody, are errors; default True.
    :param known: IDs that need no look-up, in lower case; default none.
    :param argument: Name of the argument, for errors; default `people`.
    :returns: The plan of the IDs, in lower case and each once, in order.
    :raises FixArgumentError: A person is unknown, or a mail address belongs to several users.
    """
    users = yield from _find_by_mail(reader, [one for one in people if not one.is_id])
    chosen = {lookup: _choose(found, must_be_present) for lookup, found in users.items()}
    ids = [one.lookup for one in people if one.is_id and one.lookup not in known] if must_be_present else []
    absent = {key for key, user in (yield from reader.users.find(ids)).items() if user.get("status") == "deleted"}
    unknown = [one for one in people if one.lookup in absent or not chosen.get(one.lookup, one.is_id)]
    require_found(unknown, len(people), "unknown to the company of the connection", argument)
    shared = [one for one in people if len(chosen.get(one.lookup, ())) > 1]
    require_found(shared, len(people), "named by a mail address that several users have: write their IDs", argument)
    return list(dict.fromkeys(one.lookup if one.is_id else chosen[one.lookup][0] for one in people))


def _choose(users: Iterable[User], must_be_present: bool) -> list[str]:
    """Return the IDs of the users that a mail address stands for; deleted ones only if there are no others."""
    by_id = {user["_id"].lower(): user for user in users}
    present = [key for key, user in by_id.items() if user.get("status") != "deleted"]
    return present if present or must_be_present else list(by_id)[:1]


def _find_by_mail(reader: SessionReader, people: Sequence[Person]) -> Plan[Mapping[str, list[User]]]:
    """Plan to find users by mail address, in lower case; an address of nobody has no users."""
    found: dict[str, list[User]] = {one.lookup: [] for one in people}
    for start in range(0, len(people), MAILS_PER_REQUEST):
        mails = [one.key for one in people[start : start + MAILS_PER_REQUEST]]
        # Whether the filter minds capital letters is not documented.
        written = dict.fromkeys(text for mail in mails for text in (mail, mail.lower()))
        query = tuple((f"mail[in][{number}]", mail) for number, mail in enumerate(written))
        listed = reader.read_list("a list of users", USERS, parse_user, query)
        for user in (yield from needing("users:read", listed, purpose="mail addresses of people")):
            found.get(user.get("mail", "").lower(), []).append(user)
    return found
