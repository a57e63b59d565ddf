"""Numbers with their noun, such as `1 mail` and `2 mails`."""

from __future__ import annotations


def count_of(number: int, one: str, many: str | None = None) -> str:
    """
    Return a number with its noun.

    :param number: The number.
    :param one: The noun for one, such as `mail`.
    :param many: The noun for any other number; default `one` with `s`.
    """
    return f"{number:,} {one if number == 1 else many or f'{one}s'}"
