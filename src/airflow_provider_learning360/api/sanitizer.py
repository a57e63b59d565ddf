"""Make texts and numbers of 360Learning safe to store and to show, where a document or an error is created."""

from __future__ import annotations

import hashlib
import math
import re
import unicodedata
from collections.abc import Mapping
from typing import Any

# Limits of msgpack, PostgreSQL and JSON parsers in other languages.
SMALLEST_INTEGER, LARGEST_INTEGER = -(2**63), 2**63 - 1
MAX_DIGITS = 100  # of a number that is kept as text; a longer one is kept as a fingerprint

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
# Joiners connect letters of Persian and Hindi, and parts of emoji.
_JOINERS = frozenset("\u200c\u200d")
_UNPRINTABLE = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
_NUMBER = re.compile(r"NaN|-?Infinity|-?[0-9]{19,}|integer of [0-9]+ digits, SHA-256 [0-9a-f]{16}")


def sanitize(value: Any) -> Any:
    """
    Copy a JSON value into one that every store and encoder of Airflow takes.

    Lone surrogates and NUL become U+FFFD; integers beyond 64 bits, NaN and infinity become texts.

    :param value: The value; lists and mappings are copied with all that is in them.
    :returns: The safe value.
    :raises RecursionError: It is nested too deeply.
    """
    if isinstance(value, str):
        return sanitize_text(value)
    if isinstance(value, bool):
        return value
    if isinstance(value, int):
        return value if SMALLEST_INTEGER <= value <= LARGEST_INTEGER else _integer_text(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else _float_text(value)
    if isinstance(value, Mapping):
        return {sanitize(name): sanitize(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [sanitize(one) for one in value]
    return value


class Sanitizer:
    """Does the same in place; `has_changed` says whether it replaced anything."""

    def __init__(self) -> None:
        self.has_changed = False

    def sanitize(self, value: Any) -> Any:
        """
        Make a value safe in place.

        :param value: The value, as `json` returns it.
        :returns: The same list or dictionary, or the safe text or number.
        :raises RecursionError: It is nested too deeply.
        """
        if isinstance(value, dict):
            self._sanitize_names(value)
            for name, one in value.items():
                value[name] = self.sanitize(one)
        elif isinstance(value, list):
            for index, one in enumerate(value):
                value[index] = self.sanitize(one)
        elif isinstance(value, str):
            if _UNSTORABLE.search(value):
                self.has_changed = True
                return sanitize_text(value)
        elif value is not None and (cleaned := sanitize(value)) is not value:
            self.has_changed = True
            return cleaned
        return value

    def _sanitize_names(self, value: dict[str, Any]) -> None:
        if any(map(_UNSTORABLE.search, value)):
            self.has_changed = True
            items = [(sanitize_text(name), one) for name, one in value.items()]
            value.clear()
            value.update(items)


def sanitize_text(text: str) -> str:
    """
    Replace every lone surrogate and NUL by U+FFFD.

    :param text: The text.
    :returns: The safe text.
    """
    return _UNSTORABLE.sub("\ufffd", text)


def sanitize_integer(digits: str) -> int | str:
    """
    Parse an integer of a JSON text.

    :param digits: Its digits.
    :returns: The integer; a text if it needs more than 64 bits.
    """
    if len(digits) > MAX_DIGITS:
        return _fingerprint(digits)
    number = int(digits)
    return number if SMALLEST_INTEGER <= number <= LARGEST_INTEGER else digits


def is_number_text(value: Any) -> bool:
    """
    Whether a value is a text that replaces a number.

    :param value: The value.
    """
    return isinstance(value, str) and _NUMBER.fullmatch(value) is not None


def printable(text: str) -> str:
    r"""
    Make a text fit for logs and terminals: control characters and bidi overrides become escapes like `\x1b`.

    :param text: The text.
    :returns: The text, on one line.
    """
    if text.isprintable():
        return text
    return "".join(_escaped(one) if is_unprintable(one) else one for one in text)


def is_unprintable(character: str) -> bool:
    """
    Whether a character controls a terminal or the direction of writing, or cannot be stored.

    :param character: The character.
    """
    return unicodedata.category(character) in _UNPRINTABLE and character not in _JOINERS


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")


def _integer_text(number: int) -> str:
    try:
        digits = str(number)
    except ValueError:  # Python writes no integer of more than 4,300 digits
        digits = format(number, "x")
    return digits if len(digits) <= MAX_DIGITS else _fingerprint(digits)


def _fingerprint(digits: str) -> str:
    return f"integer of {len(digits.lstrip('-'))} digits, SHA-256 {hashlib.sha256(digits.encode()).hexdigest()[:16]}"


def _float_text(number: float) -> str:
    if math.isnan(number):
        return "NaN"
    return "Infinity" if number > 0 else "-Infinity"
