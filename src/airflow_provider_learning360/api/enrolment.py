"""A change of who is enrolled in a program session: what is wanted, and what it changed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypedDict

from airflow_provider_learning360.api.errors import FixArgumentError, InvalidIdError, redact
from airflow_provider_learning360.api.people import describe_positions
from airflow_provider_learning360.api.session_ids import format_id, is_session_id
from airflow_provider_learning360.api.text_lists import read_items

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_provider_learning360.api.people import Person

# Seconds between two writes: 5 per second are half of what 360Learning allows a company.
WRITE_INTERVAL = 0.2


class EnrolmentDiff(TypedDict):
    """
    What a task changed, as it pushes it: IDs and counts, and never a mail address.

    `unchanged` counts the people and groups that were as wanted already.
    """

    session_id: str
    added: list[str]
    removed: list[str]
    unchanged: int
    groupsAdded: list[str]
    groupsRemoved: list[str]
    dryRun: bool


@dataclass(frozen=True)
class EnrolmentChange:
    """
    What is wanted.

    :param people: Whom to enrol or unenrol.
    :param groups: IDs of groups to add to the session, or to remove from it.
    :param enrols: Whether to enrol; False to unenrol.
    :param dry_run: Whether nothing is written; default False.
    """

    people: tuple[Person, ...]
    groups: tuple[str, ...]
    enrols: bool
    dry_run: bool = False


@dataclass
class EnrolmentResult:
    """
    What a change did.

    :param diff: What it changed.
    :param notes: Sentences for the log, without people; default none.
    """

    diff: EnrolmentDiff
    notes: list[str] = field(default_factory=list)


def read_group_ids(value: Any, argument: str = "groups") -> list[str]:
    """
    Return the IDs of groups, each once.

    :param value: A list of IDs, or of documents with `_id`; or a text with such a list.
    :param argument: Name of the argument, for the error; default `groups`.
    :returns: The IDs, in lower case.
    :raises FixArgumentError: An item is not an ID.
    """
    found: dict[str, None] = {}
    for position, item in enumerate(read_items(value, argument), 1):
        group_id = _read_group_id(item.get("_id") if isinstance(item, dict) else item)
        if group_id is None:
            raise FixArgumentError(
                f"{argument}: {describe_positions([position])}, {redact(repr(item))}, is not the ID of a group. "
                "An ID has 24 characters of 0-9 and a-f. Copy it from the group's address in 360Learning."
            )
        found[group_id] = None
    return list(found)


def _read_group_id(item: Any) -> str | None:
    try:
        text = format_id(item, "groups")
    except InvalidIdError:
        return None
    text = text.strip() if isinstance(text, str) else text
    return text.lower() if is_session_id(text) else None


def build_diff(
    session_id: str, change: EnrolmentChange, people: Sequence[str], groups: Sequence[str], wanted: int
) -> EnrolmentDiff:
    """
    Build what a task pushes.

    :param session_id: ID of the session.
    :param change: What was wanted.
    :param people: IDs of those who changed, or mail addresses where no ID is known; only IDs are kept.
    :param groups: IDs of the groups that changed.
    :param wanted: How many different people were given.
    :returns: The diff.
    """
    ids = [one for one in people if is_session_id(one)]
    return {
        "session_id": session_id,
        "added": ids if change.enrols else [],
        "removed": [] if change.enrols else ids,
        "unchanged": wanted - len(people) + len(change.groups) - len(groups),
        "groupsAdded": list(groups) if change.enrols else [],
        "groupsRemoved": [] if change.enrols else list(groups),
        "dryRun": change.dry_run,
    }
