"""Read a JSON array item by item, out of pieces as a network delivers them."""

from __future__ import annotations

import re
from codecs import getincrementaldecoder
from json import JSONDecoder
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

_decode = JSONDecoder().raw_decode

_NO_BLANK = re.compile(r"[^ \n\r\t]")
_IN_STRING = re.compile(r'["\\]')
_NESTED = re.compile(r'["\[\]{}]')
_TOP = re.compile(r'["\[\]{},]')

# What is expected next, and the mark that is seen: what is expected then.
_MARKS = {
    ("array", "["): "item or end",
    ("item or end", "]"): "nothing",
    ("mark", ","): "item",
    ("mark", "]"): "nothing",
}
_WRONG = {"array": "it is no array", "nothing": "something follows the array"}


class ArrayReader:
    """
    Reads one JSON array out of pieces of it; holds no more than one piece and the item that is not complete yet.

    The work grows with the length of the array and not with the number of its pieces.
    """

    def __init__(self) -> None:
        self._text_of = getincrementaldecoder("utf-8")().decode
        self._expected = "array"
        self._held: list[str] = []  # an item that is not complete yet, from its beginning on
        self._end = _EndOfItem()

    def feed(self, piece: bytes) -> Iterator[Any]:
        """
        Yield the items that became complete; go through all of them before the next piece is fed.

        :param piece: The next bytes; they may end anywhere.
        :raises ValueError: It is no JSON array; `JSONDecodeError` or `UnicodeDecodeError` if it is not even JSON.
        :raises RecursionError: An item is nested too deeply.
        """
        yield from self._items(self._text_of(piece))

    def close(self) -> None:
        """
        Check that the array is complete.

        :raises ValueError: It is broken off, or never began.
        """
        self._text_of(b"", True)
        if self._expected == "array":
            raise ValueError("it is no array")
        if self._expected != "nothing":
            _item("".join(self._held), 0)  # says why it is no item

    def _items(self, text: str) -> Iterator[Any]:
        if self._held:
            self._held.append(text)
            if self._end.find(text, 0) is None:
                return
            text, self._held = "".join(self._held), []
        begin = self._next_item(text, 0)
        while begin is not None:
            try:
                item, after = _item(text, begin)
            except ValueError:
                # Wrong, or only not complete? In the middle of an item no parser can tell.
                self._end = _EndOfItem()
                if self._end.find(text, begin) is not None:
                    raise
                self._held = [text[begin:]]
                return
            yield item
            self._expected = "mark"
            begin = self._next_item(text, after)

    def _next_item(self, text: str, position: int) -> int | None:
        """Go over marks to where an item begins, if one does."""
        while (position := _after_blanks(text, position)) < len(text):
            expected = _MARKS.get((self._expected, text[position]))
            if expected is None:
                break
            self._expected = expected
            position += 1
        else:
            return None
        if self._expected in _WRONG:
            raise ValueError(_WRONG[self._expected])
        return position


class _EndOfItem:
    """Looks for the mark after an item, through as many texts as it takes, without reading the item."""

    def __init__(self) -> None:
        self._depth = 0
        self._in_string = False
        self._skipped = 0  # characters at the beginning of the next text that are escaped

    def find(self, text: str, position: int) -> int | None:
        """Return where the mark is, or None if it is not in this text."""
        position += self._skipped
        while found := self._pattern().search(text, position):
            position = found.end()
            if found[0] == "\\":
                position += 1
            elif found[0] == '"':
                self._in_string = not self._in_string
            elif found[0] in "[{":
                self._depth += 1
            elif self._depth:
                self._depth -= 1
            else:
                return found.start()
        self._skipped = max(0, position - len(text))
        return None

    def _pattern(self) -> re.Pattern[str]:
        if self._in_string:
            return _IN_STRING
        return _NESTED if self._depth else _TOP


def array_items(text: str) -> Iterator[Any]:
    """
    Yield the items of a JSON array, one by one.

    :param text: The array.
    :raises ValueError: The text is no JSON array, or ends early.
    """
    reader = ArrayReader()
    yield from reader._items(text)
    reader.close()


def _item(text: str, position: int) -> tuple[Any, int]:
    """Return the item that begins there, and where the mark after it is."""
    item, position = _decode(text, position)
    position = _after_blanks(text, position)
    if text[position : position + 1] not in (",", "]"):  # without it, "12" may be the half of "123"
        raise ValueError("the array is broken off")
    return item, position


def _after_blanks(text: str, position: int) -> int:
    found = _NO_BLANK.search(text, position)
    return found.start() if found else len(text)
