"""The audience of a session: the rule by which API v2 enrols users and groups, read, changed and written as a whole."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from airflow_provider_learning360.api.errors import ContractError, FixArgumentError
from airflow_provider_learning360.api.messages import Call, Request
from airflow_provider_learning360.api.v2 import calls
from airflow_provider_learning360.api.v2.refusals import advising
from airflow_provider_learning360.api.v2.scopes import needing
from airflow_provider_learning360.api.v2.sessions import read_once

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from airflow_provider_learning360.api.platform import Plan

USERS, GROUPS, EXCLUDED = "users", "groups", "excludedLearners"
MAX_IDS = {USERS: 20_000, GROUPS: 5_000, EXCLUDED: 20_000}
_PURPOSE = "who is enrolled"


@dataclass(frozen=True)
class Audience:
    """
    The audience of a session.

    :param mode: Whether groups enrol and unenrol by themselves; kept as it is.
    :param filters: Users, groups, and learners who are excluded; each with `type` and `ids`.
    """

    mode: str
    filters: tuple[Mapping[str, Any], ...] = field(repr=False)

    def ids(self, kind: str) -> frozenset[str]:
        """
        Return the IDs of a filter, in lower case.

        :param kind: The type of the filter.
        """
        return frozenset(one.lower() for item in self.filters if item["type"] == kind for one in item["ids"])

    def change(self, kind: str, added: Collection[str] = (), removed: Collection[str] = ()) -> Audience:
        """
        Return the audience with other IDs in one filter. The order of the IDs that stay is kept.

        :param kind: The type of the filter.
        :param added: IDs to add, in lower case; default none.
        :param removed: IDs to remove, in lower case; default none.
        """
        present = self.ids(kind)
        missing = [one for one in dict.fromkeys(added) if one not in present]
        gone = present.intersection(removed)
        if not missing and not gone:
            return self
        own = [item for item in self.filters if item["type"] == kind]
        ids = [*(one for item in own for one in item["ids"] if one.lower() not in gone), *missing]
        changed = [{**(own[0] if own else {"type": kind}), "ids": ids}] if ids else []
        place = next((number for number, item in enumerate(self.filters) if item["type"] == kind), len(self.filters))
        others = [item for item in self.filters if item["type"] != kind]
        return Audience(self.mode, (*others[:place], *changed, *others[place:]))

    def require_size(self) -> None:
        """
        Check that API v2 takes as many IDs.

        :raises FixArgumentError: There are too many in a filter.
        """
        for kind, limit in MAX_IDS.items():
            if (count := len(self.ids(kind))) > limit:
                raise FixArgumentError(
                    f"The audience would have {count:,} IDs in {kind}, and API v2 takes {limit:,}. "
                    "Nothing was written. Add the people to a group, and the group to the session."
                )

    @property
    def body(self) -> bytes:
        """The body of the request that writes the audience."""
        return json.dumps({"mode": self.mode, "filters": [dict(one) for one in self.filters]}).encode()


def read_audience(path: str) -> Plan[Audience]:
    """
    Plan to read an audience.

    :param path: Its path.
    :returns: The plan of the audience.
    :raises FixArgumentError: The session has none.
    """
    call = calls.read_object("an audience", path)
    document = yield from advising(needing("paths:read", read_once(call), purpose=_PURPOSE))
    return parse_audience(document)


def write_audience(path: str, audience: Audience) -> Plan[None]:
    """
    Plan to write an audience in place of the present one.

    :param path: Its path.
    :param audience: The audience.
    :returns: The plan.
    :raises FixArgumentError: The session does not allow it.
    """
    request = Request("PUT", path, headers={"Content-Type": "application/json"}, body=audience.body)
    call = Call(request, lambda _: None)
    yield from advising(needing("paths:write", read_once(call), purpose=_PURPOSE))


def parse_audience(document: Mapping[str, Any]) -> Audience:
    """
    Parse an audience.

    :param document: The audience, as the API sent it.
    :returns: The audience.
    :raises ContractError: It cannot be read, so that writing it would lose something.
    """
    mode, filters = document.get("mode"), document.get("filters")
    if not isinstance(mode, str) or not isinstance(filters, list) or not all(map(_is_filter, filters)):
        raise ContractError(
            "The audience of the session is not what the API documents, so nothing was written. "
            "The API may have changed: please report it."
        )
    return Audience(mode, tuple(filters))


def _is_filter(item: Any) -> bool:
    if not isinstance(item, dict) or not isinstance(item.get("type"), str):
        return False
    ids = item.get("ids")
    return isinstance(ids, list) and all(map(calls.is_id, ids))
