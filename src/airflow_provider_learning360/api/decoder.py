"""The one JSON parser of all documents: from bytes to values that are safe to store."""

from __future__ import annotations

import math
import re
from json import JSONDecoder
from typing import TYPE_CHECKING, Any

from airflow_provider_learning360.api.nesting import decode_text
from airflow_provider_learning360.api.sanitizer import Sanitizer, is_number_text, sanitize_integer

if TYPE_CHECKING:
    from collections.abc import Mapping

# The beginning of escapes that may stand for a lone surrogate or NUL. As raw bytes, neither is valid UTF-8 or JSON.
_ESCAPES = re.compile(r"\\u(?:0000|[dD])")
FEW_BACKSLASHES = 20
MAX_ESCAPE_LENGTH = 6  # characters


class SafeDecoder:
    """
    A JSON decoder that sanitizes what it reads; `has_changed` says whether it replaced anything.

    Most texts cost one search for a backslash. The values are visited only if that search finds something.
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

    def decode(self, body: bytes, *, is_shallow: bool = False) -> Any:
        """
        Parse a JSON text and sanitize its value.

        :param body: The text, in UTF-8.
        :param is_shallow: Whether it is known not to be nested too deeply; default False.
        :returns: The value.
        :raises ValueError: The text is not valid JSON or UTF-8, or is nested too deeply.
        """
        text = decode_text(body, is_shallow=is_shallow)
        return self.finish(self._decode(text), is_risky=has_risky_escape(text))

    def finish(self, value: Any, *, is_risky: bool) -> Any:
        """
        Sanitize a value that `raw_decode` returned.

        :param value: The value.
        :param is_risky: Whether its text may contain lone surrogates or NUL.
        :returns: The value.
        """
        if not is_risky:
            return value
        # In place: a copy would double the memory of a large document.
        sanitizer = Sanitizer()
        cleaned = sanitizer.sanitize(value)
        self.has_changed = self.has_changed or sanitizer.has_changed
        return cleaned

    def was_number(self, value: Any) -> bool:
        """
        Whether a value is the text that replaces an integer, read since the last `start`.

        :param value: The value.
        """
        return isinstance(value, str) and value in self._number_texts

    def start(self) -> None:
        """Forget what was replaced so far."""
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


def decode_json(body: bytes, *, is_shallow: bool = False) -> Any:
    """
    Parse a JSON text and sanitize its value.

    :param body: The text, in UTF-8.
    :param is_shallow: Whether it is known not to be nested too deeply; default False.
    :returns: The value.
    :raises ValueError: The text is not valid JSON or UTF-8, or is nested too deeply.
    """
    return SafeDecoder().decode(body, is_shallow=is_shallow)


def has_risky_escape(text: str) -> bool:
    """
    Whether a JSON text may contain a lone surrogate or NUL.

    :param text: The text.
    """
    position = text.find("\\")
    # A few backslashes are found one by one in less time than a pattern is.
    for _ in range(FEW_BACKSLASHES):
        if position < 0:
            return False
        if _ESCAPES.match(text, position):
            return True
        position = text.find("\\", position + 1)
    return position >= 0 and _ESCAPES.search(text, position) is not None


def sanitized_fields(document: Mapping[str, Any]) -> tuple[str, ...]:
    """
    Return the names of the fields in which something was replaced.

    :param document: A document of which the decoder says that it replaced something.
    :returns: The names.
    """
    return tuple(name for name, value in document.items() if "\ufffd" in name or _holds_replacement(value))


def _holds_replacement(value: Any) -> bool:
    if isinstance(value, str):
        return "\ufffd" in value or is_number_text(value)
    if isinstance(value, dict):
        return any(map(_holds_replacement, value)) or any(map(_holds_replacement, value.values()))
    return isinstance(value, list) and any(map(_holds_replacement, value))
