"""How deep a JSON text is nested, found before it is parsed: a parser that recurses to Python's limit does harm."""

from __future__ import annotations

import re

MAX_DEPTH = 50  # levels of nesting; Airflow's serializers stop at a few hundred
TOO_DEEP = "it is nested too deeply"

_ALL_BUT_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
# A string, or a bracket outside strings. The end of a string is optional: a search for it would be quadratic.
_MARKS = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"?|[\[\]{}]', re.DOTALL)


def decode_text(body: bytes) -> str:
    """
    Decode a JSON text that is about to be parsed.

    :param body: The text, in UTF-8.
    :returns: The text.
    :raises ValueError: It is not UTF-8, or it is nested too deeply.
    """
    text = body.decode()
    # Before parsing: near Python's limit of recursion, finalizers of unrelated objects would fail.
    if may_be_deep(body) and is_text_too_deep(text):
        raise ValueError(TOO_DEEP)
    return text


def may_be_deep(text: bytes) -> bool:
    """
    Whether a JSON text, or a part of one, may be nested more than `MAX_DEPTH` levels deep; much quicker than parsing.

    :param text: The text. Brackets inside its strings count too, so only False is certain.
    """
    brackets = text.translate(None, _ALL_BUT_BRACKETS)
    # Each round removes the innermost level. What is left was closed before, or is still open.
    for level in range(MAX_DEPTH + 1):
        rest = brackets.replace(b"{}", b"").replace(b"[]", b"")
        if len(rest) == len(brackets):
            return level + rest.count(b"{") + rest.count(b"[") > MAX_DEPTH
        brackets = rest
    return True


def is_text_too_deep(text: str) -> bool:
    """
    Whether a JSON text is nested more than `MAX_DEPTH` levels deep.

    :param text: The text; it need not be valid.
    """
    depth = 0
    for found in _MARKS.finditer(text):
        mark = found[0]
        if mark in "[{":
            depth += 1
            if depth > MAX_DEPTH:
                return True
        elif mark in "]}":
            depth -= 1
    return False
