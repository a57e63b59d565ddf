"""The pages of API v2: an opaque ``next`` in a ``Link`` header, only if there is more."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlencode

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from airflow_provider_learning360.simulator.filters import Condition
    from airflow_provider_learning360.simulator.request_log import SeenRequest

Item = TypeVar("Item")
Position = tuple[int, ...]
"""Where an item stands in its collection. Positions rise, and an item keeps its own when others are deleted."""


def read_position(seen: SeenRequest, conditions: Sequence[Condition]) -> Position | None:
    """Return the position after which the page starts; None for the first page.

    :raises ValueError: ``next`` was not issued for this route and these filters.
    """
    given = [value for name, value in seen.query_pairs if name == "next"]
    if not given:
        return None
    try:
        position, digest = json.loads(base64.urlsafe_b64decode(given[0]))
        is_ours = len(given) == 1 and digest == _digest(seen.path, conditions, position)
    except (ValueError, TypeError):
        is_ours = False
    if not is_ours:
        raise ValueError("'next' is unknown; start with the first page")
    return tuple(position)


def _digest(path: str, conditions: Sequence[Condition], position: Any) -> str:
    text = json.dumps([path.rstrip("/"), [_describe(one) for one in conditions], list(position)])
    return hashlib.blake2b(text.encode(), digest_size=8, key=b"next").hexdigest()


def _describe(condition: Condition) -> list[str]:
    operand = condition.operand
    return [condition.name, condition.operator, repr(sorted(operand) if isinstance(operand, frozenset) else operand)]


def take_page(items: Iterable[tuple[Position, Item]], size: int) -> tuple[list[Item], Position | None]:
    """Return the items of a page, and the position of the last one if there are more.

    :param items: the items after the previous page, with their positions.
    :param size: how many a page holds.
    """
    page: list[Item] = []
    last: Position | None = None
    for position, item in items:
        if len(page) == size:
            return page, last
        page.append(item)
        last = position
    return page, None


def next_link(seen: SeenRequest, conditions: Sequence[Condition], position: Position) -> str:
    """Return the ``Link`` header with the absolute URL of the next page, which carries the filters."""
    token = json.dumps([position, _digest(seen.path, conditions, position)]).encode()
    pairs = [(name, value) for name, value in seen.query_pairs if name != "next"]
    query = urlencode([*pairs, ("next", base64.urlsafe_b64encode(token).decode())])
    return f'<http://{seen.headers.get("host", "localhost")}{seen.path}?{query}>; rel="next"'
