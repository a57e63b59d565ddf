"""How deep a JSON text is nested, found before it is parsed: a parser that recurses to Python's limit does harm."""

from __future__ import annotations

import re

MAX_DEPTH = 50  # levels of nesting; Airflow's serializers stop at a few hundred
TOO_DEEP = "it is nested too deeply"

_ALL_BUT_MARKS = bytes(set(range(256)) - set(b'[]{},"\\'))
_ALL_BUT_BRACKETS = bytes(set(range(256)) - set(b'[]{}"'))
_SQUARE_BRACKETS = bytes.maketrans(b"{}", b"[]")  # whether a list or an object, it is one level
_ESCAPE = re.compile(rb"\\.", re.DOTALL)
_STRING = re.compile(rb'"[^"]*"|(")[^"]*')
_PART = 64 * 1024  # bytes that are searched at once: few enough for the cache of a processor
# A string, or a bracket outside strings. The end of a string is optional: a search for it would be quadratic.
# Outside strings, where it is not valid, a backslash counts as everywhere else.
_MARKS = re.compile(r'\\.|"[^"\\]*(?:\\.[^"\\]*)*"?|[\[\]{}]', re.DOTALL)


def decode_text(body: bytes, *, is_shallow: bool = False) -> str:
    """
    Decode a JSON text that is about to be parsed.

    :param body: The text, in UTF-8.
    :param is_shallow: Whether a `DeepSearch` found that it is not nested too deeply; default False: not known.
    :returns: The text.
    :raises ValueError: It is not UTF-8, or it is nested too deeply.
    """
    text = body.decode()
    # Before parsing: near Python's limit of recursion, finalizers of unrelated objects would fail.
    if not is_shallow and may_be_deep(body) and is_text_too_deep(text):
        raise ValueError(TOO_DEEP)
    return text


def may_be_deep(text: bytes) -> bool:
    """
    Whether a JSON text may be nested more than `MAX_DEPTH` levels deep; much quicker than parsing.

    :param text: The text, or a part of one that begins outside strings. Levels that are open at its end may count
        twice, so only False is certain.
    """
    search = DeepSearch()
    for start in range(0, len(text), _PART):
        part = text[start : start + _PART]
        search.add(part, find_marks(part))
    return search.may_be_deep


def find_marks(text: bytes) -> bytes:
    """
    Return the brackets, commas, quotes and backslashes of a JSON text, in order.

    :param text: The text.
    """
    return text.translate(None, _ALL_BUT_MARKS)


class DeepSearch:
    """Searches a JSON text for deep nesting, part by part."""

    def __init__(self) -> None:
        # Whether the text may be nested too deeply; only False is certain.
        self.may_be_deep = False
        self._open = b""  # brackets without their partners, and at the end the quote of an incomplete string
        self._is_escaped = False  # whether the last character was a backslash that escapes the next one

    def add(self, part: bytes, marks: bytes) -> None:
        """
        Search the next part.

        :param part: The part.
        :param marks: What `find_marks` returns for it.
        """
        if part and not self.may_be_deep:
            if self._is_escaped or b"\\" in marks:
                marks = self._drop_escapes(part)
            self._open += marks.translate(_SQUARE_BRACKETS, _ALL_BUT_BRACKETS)
            self._drop_strings()
            self._drop_pairs()

    def _drop_pairs(self) -> None:
        """Drop brackets with their partners; each round drops the innermost level."""
        for level in range(MAX_DEPTH + 1):
            rest = self._open.replace(b"[]", b"")
            if len(rest) == len(self._open):
                self._open = rest.lstrip(b"]")
                self.may_be_deep = level + rest.count(b"[") > MAX_DEPTH
                return
            self._open = rest
        self.may_be_deep = True

    def _drop_escapes(self, part: bytes) -> bytes:
        """Return a part without backslashes and the characters that they escape."""
        if self._is_escaped:
            self._is_escaped, part = False, part[1:]
        first, *others = part.split(b"\\")
        if b"" not in others:
            return b"".join([first, *(one[1:] for one in others)])
        # Two backslashes in a row, or one at the end.
        text = _ESCAPE.sub(b"", part)
        self._is_escaped = text.endswith(b"\\")
        return text.removesuffix(b"\\")

    def _drop_strings(self) -> None:
        """Drop strings with all that is in them; of one that is not complete, the quote stays."""
        # Most strings have no brackets: what is left of them is their quotes.
        self._open = self._open.replace(b'""', b"")
        if self._open.find(b'"') not in (-1, len(self._open) - 1):
            self._open = _STRING.sub(rb"\1", self._open)


def is_text_too_deep(text: str) -> bool:
    """
    Whether a JSON text is nested more than `MAX_DEPTH` levels deep.

    :param text: The text; it need not be valid.
    """
    depth = 0
    for found in _MARKS.finditer(text):
        mark = found[0][:1]
        if mark in "[{":
            depth += 1
            if depth > MAX_DEPTH:
                return True
        elif mark in "]}":
            depth -= 1
    return False
