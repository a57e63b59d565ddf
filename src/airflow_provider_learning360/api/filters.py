"""Which program sessions match a pattern of the name, and a window of time."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING
from unicodedata import normalize

if TYPE_CHECKING:
    from datetime import datetime


def matches_pattern(name: str | None, pattern: str | None) -> bool:
    """
    Return whether a name matches a pattern, in any case.

    :param name: The name of a session.
    :param pattern: The pattern, with `*` and `?`; None, or a blank one, matches every name.
    """
    pattern = _normalized(pattern or "")
    # Only * and ? are special: names contain brackets.
    return not pattern or fnmatchcase(_normalized(name or ""), pattern.replace("[", "[[]"))


def is_within(moment: datetime | None, after: datetime | None = None, before: datetime | None = None) -> bool:
    """
    Return whether a date is in a window of time. A missing date is in no window that has an end.

    :param moment: The date.
    :param after: Earliest date, inclusive; default any.
    :param before: The date must be earlier than this; default any.
    """
    if after is None and before is None:
        return True
    return moment is not None and (after is None or moment >= after) and (before is None or moment < before)


def _normalized(text: str) -> str:
    """Return a text without invisible differences: case, blanks, line breaks, and the composition of accents."""
    return normalize("NFC", " ".join(normalize("NFC", text).split()).casefold())
