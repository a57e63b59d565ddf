"""The people that a task acts on: mail addresses or IDs of users, as an author or an earlier task gave them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from airflow_provider_learning360.api.errors import FixArgumentError, InvalidIdError
from airflow_provider_learning360.api.session_ids import format_id, is_session_id
from airflow_provider_learning360.api.text_lists import read_items

SHOWN = 10  # positions in an error
_MAIL = re.compile(r"[^\s@<>\"]+@[^\s@<>\"]+")


@dataclass(frozen=True)
class Person:
    """
    A person that a task acts on.

    :param key: Mail address, or ID of the user, as it was written; never shown.
    :param position: Position in the list, from 1, for errors.
    """

    key: str = field(repr=False)
    position: int

    @property
    def is_id(self) -> bool:
        """Whether the key is an ID."""
        return is_session_id(self.key)

    @property
    def lookup(self) -> str:
        """The key in lower case, so that two of them can be compared."""
        return self.key.lower()


def read_people(value: Any, argument: str = "people") -> list[Person]:
    """
    Return the people of an argument, each once.

    :param value: A list of mail addresses, IDs, or documents with `userId`, `_id` or `mail`; or a text with one.
    :param argument: Name of the argument, for the error; default `people`.
    :returns: The people, in order.
    :raises FixArgumentError: An item is none of these; names its position, and not the item.
    """
    found: dict[str, Person] = {}
    wrong = []
    for position, item in enumerate(read_items(value, argument), 1):
        key = _find_key(item)
        if key is None:
            wrong.append(position)
        else:
            found.setdefault(key.lower(), Person(key, position))
    if wrong:
        verb = "names" if len(wrong) == 1 else "name"
        raise FixArgumentError(
            f"{argument}: {describe_positions(wrong)} {verb} nobody. Write mail addresses, IDs of 24 characters of 0-9 "
            "and a-f, or documents with userId, _id or mail. One of these must have a value."
        )
    return list(found.values())


def _find_key(item: Any) -> str | None:
    if isinstance(item, Mapping):
        keys = [_find_key(item.get(name)) for name in ("userId", "_id", "mail") if item.get(name)]
        return next((key for key in keys if key is not None), None)
    try:
        text = format_id(item, "people")
    except InvalidIdError:
        return None
    text = text.strip() if isinstance(text, str) else ""
    return text if is_session_id(text) or _MAIL.fullmatch(text) else None


def describe_positions(positions: Iterable[int]) -> str:
    """
    Return which items of a list are meant, such as `items 3 and 17`.

    :param positions: Their positions, from 1.
    """
    listed = sorted(positions)
    shown = [str(one) for one in listed[:SHOWN]]
    if len(listed) > SHOWN:
        return f"items {', '.join(shown)} and {len(listed) - SHOWN} more"
    if len(shown) == 1:
        return f"item {shown[0]}"
    return f"items {', '.join(shown[:-1])} and {shown[-1]}"


def require_found(people: Iterable[Person], total: int, problem: str, argument: str = "people") -> None:
    """
    Refuse people of whom something is not as it must be; nothing has been written yet.

    :param people: Those people.
    :param total: How many people there are.
    :param problem: What is wrong with them, such as `unknown to the company of the connection`.
    :param argument: Name of the argument, for the error; default `people`.
    :raises FixArgumentError: There are such people; names their positions.
    """
    positions = [one.position for one in people]
    if positions:
        raise FixArgumentError(
            f"{argument}: {len(positions)} of {total} people {'is' if len(positions) == 1 else 'are'} {problem} "
            f"({describe_positions(positions)}). Nothing was written. Correct or remove them, then run the task again."
        )
