"""The first items of a JSON array, without parsing the others."""

from __future__ import annotations

import json

ITEMS = 5  # of an array that is a whole body, the first are checked: thousands would take seconds


def first_items(body: bytes, count: int) -> bytes:
    """Return an array with its first items; any other body as it is, also one that is not JSON."""
    text = body.decode("utf-8", "replace")
    if not text.startswith("["):
        return body
    items, at = [], 1
    try:
        while len(items) < count:
            item, at = json.JSONDecoder().raw_decode(text, _skip_space(text, at))
            items.append(item)
            at = _skip_space(text, at)
            if text[at : at + 1] != ",":
                return body
            at += 1
    except ValueError:
        return body
    return json.dumps(items, ensure_ascii=False, separators=(",", ":")).encode()


def _skip_space(text: str, at: int) -> int:
    while text[at : at + 1] in (" ", "\n", "\r", "\t"):
        at += 1
    return at
