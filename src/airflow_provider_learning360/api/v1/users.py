"""The users of the company on API v1: found by mail address or ID, as cheaply as their number allows."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from airflow_provider_learning360.api.decoder import decode_json
from airflow_provider_learning360.api.errors import NotFoundError
from airflow_provider_learning360.api.messages import Call, Request
from airflow_provider_learning360.api.session_ids import is_session_id

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from airflow_provider_learning360.api.messages import Response
    from airflow_provider_learning360.api.people import Person
    from airflow_provider_learning360.api.platform import Plan

User = dict[str, str]

USERS = "/api/v1/users"
# More people are looked for in the list of all users, which is one request.
SINGLE_LIMIT = 10


def find_users(people: Iterable[Person]) -> Plan[dict[str, User]]:
    """
    Plan to find users.

    :param people: The people.
    :returns: The plan of those that exist, by mail address or ID in lower case, each with its `_id`.

    Source: 360Learning API v1, `GET /api/v1/users` and `GET /api/v1/users/{user_email_or_id}`.
    """
    wanted = {one.lookup: one.key for one in people}
    if len(wanted) > SINGLE_LIMIT:
        users: list[User] = yield Call(Request("GET", USERS), partial(_parse_list, wanted), kind="list")
        return {key: user for user in users for key in keys_of(user) if key in wanted}
    found = {}
    for lookup, key in wanted.items():
        user = yield from _read_one(key)
        if user is not None:
            found[lookup] = user
    return found


def keys_of(user: Mapping[str, Any]) -> list[str]:
    """
    Return what a user can be named by: ID and mail address, in lower case.

    :param user: The user.
    """
    return [one.lower() for one in (user.get("_id"), user.get("mail")) if isinstance(one, str)]


def _read_one(key: str) -> Plan[User | None]:
    path = f"{USERS}/{quote(key, safe='')}"
    try:
        user: User | None = yield Call(Request("GET", path), _parse_one)
    except NotFoundError:
        return None
    return user


def _parse_one(response: Response) -> User | None:
    from airflow_provider_learning360.api.models import parse_response

    def read() -> User | None:
        value = decode_json(response.body)
        if not isinstance(value, dict) or not is_session_id(value.get("_id")):
            raise ValueError("it has no _id")
        return _keep(value)

    return parse_response("the requested user", response, read)


def _parse_list(wanted: Mapping[str, str], response: Response) -> list[User]:
    from airflow_provider_learning360.api.models import parse_response

    def read() -> list[User]:
        value = decode_json(response.body)
        if not isinstance(value, list):
            raise ValueError("it is not an array")  # noqa: TRY004 - becomes the text of a ContractError
        users = [_keep(one) for one in value if isinstance(one, dict) and is_session_id(one.get("_id"))]
        return [user for user in users if user is not None and any(key in wanted for key in keys_of(user))]

    return parse_response("a list of users", response, read)


def _keep(user: Mapping[str, Any]) -> User | None:
    """Return ID and mail address of a user; None for one who is deleted."""
    if user.get("deleted") is True:
        return None
    return {name: user[name] for name in ("_id", "mail") if isinstance(user.get(name), str)}
