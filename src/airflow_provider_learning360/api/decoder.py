"""From the bytes of an answer to JSON values that are safe to store: the one parser that all documents pass."""

from __future__ import annotations

import math
import re
from json import JSONDecoder
from typing import TYPE_CHECKING, Any

from airflow_provider_learning360.api.sanitizer import (
    MAX_DEPTH,
    Sanitizer,
    is_nested_too_deeply,
    is_number_text,
    sanitize_integer,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

TOO_DEEP = "it is nested too deeply"

# How the escapes begin that may stand for a lone surrogate or NUL. Raw bytes of either are no UTF-8, or no JSON.
_ESCAPES = re.compile(r"\\u(?:0000|[dD])")
MAX_ESCAPE_LENGTH = 6  # characters
_ALL_BUT_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))


class SafeDecoder:
    """
    A JSON decoder that sanitizes what it reads, and knows whether it had to.

    The usual text costs one search for a backslash; the values are walked through only if that finds something.
    """

    def __init__(self) -> None:
        self.has_changed = False
        self._number_texts: set[str] = set()
        decoder = JSONDecoder(
            parse_int=self._integer,
            parse_float=self._float,
            parse_constant=self._constant,
        )
        self._decode = decoder.decode
        self.raw_decode = decoder.raw_decode

    def decode(self, body: bytes) -> Any:
        """
        Return the value that a whole JSON text holds.

        :param body: The text, in UTF-8.
        :raises ValueError: It is no JSON, no UTF-8, or nested too deeply.
        :raises RecursionError: It is nested even more deeply.
        """
        text = body.decode()
        value = self._decode(text)
        return self.finish(value, is_risky=has_risky_escape(text), may_be_deep=may_be_deep(body))

    def finish(self, value: Any, *, is_risky: bool, may_be_deep: bool = True) -> Any:
        """
        Return a value that `raw_decode` gave, sanitized.

        :param value: The value.
        :param is_risky: Whether the text that it was read from may hold lone surrogates or NUL.
        :param may_be_deep: Whether it may be nested too deeply; default True.
        :raises ValueError: It is nested too deeply.
        """
        if may_be_deep and is_nested_too_deeply(value):
            raise ValueError(TOO_DEEP)
        if not is_risky:
            return value
        # The value is ours: a copy would double the memory that a large document takes.
        sanitizer = Sanitizer()
        cleaned = sanitizer.sanitize(value)
        self.has_changed = self.has_changed or sanitizer.has_changed
        return cleaned

    def was_number(self, value: Any) -> bool:
        """Whether a value is the text of an integer that was read since the last `start`."""
        return isinstance(value, str) and value in self._number_texts

    def start(self) -> None:
        """Forget what was changed up to now."""
        self.has_changed = False
        self._number_texts.clear()

    def _integer(self, digits: str) -> int | str:
        number = sanitize_integer(digits)
        if isinstance(number, str):
            self.has_changed = True
            self._number_texts.add(number)
        return number

    def _float(self, text: str) -> float | str:
        number = float(text)
        return number if math.isfinite(number) else self._constant("Infinity" if number > 0 else "-Infinity")

    def _constant(self, name: str) -> str:
        self.has_changed = True
        return name


def decode_json(body: bytes) -> Any:
    """
    Return the sanitized value that a JSON text holds.

    :param body: The text, in UTF-8.
    :raises ValueError: It is no JSON, no UTF-8, or nested too deeply.
    :raises RecursionError: It is nested even more deeply.
    """
    return SafeDecoder().decode(body)


def has_risky_escape(text: str) -> bool:
    """Whether a JSON text may hold a lone surrogate or NUL."""
    return "\\u" in text and _ESCAPES.search(text) is not None


def may_be_deep(text: bytes) -> bool:
    """Whether a JSON text may be nested more than `MAX_DEPTH` levels deep; much quicker than to walk its values."""
    brackets = text.translate(None, _ALL_BUT_BRACKETS)
    for _ in range(MAX_DEPTH):
        left = brackets.replace(b"{}", b"").replace(b"[]", b"")
        if len(left) in (0, len(brackets)):
            return bool(left)
        brackets = left
    return True


def sanitized_fields(document: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the names of the fields in which something was replaced; call it only if the decoder says so."""
    return tuple(name for name, value in document.items() if "\ufffd" in name or _holds_replacement(value))


def _holds_replacement(value: Any) -> bool:
    if isinstance(value, str):
        return "\ufffd" in value or is_number_text(value)
    if isinstance(value, dict):
        return any(map(_holds_replacement, value)) or any(map(_holds_replacement, value.values()))
    return isinstance(value, list) and any(map(_holds_replacement, value))
