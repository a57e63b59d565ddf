"""Read a JSON array item by item, out of pieces as a network delivers them."""

from __future__ import annotations

import re
from codecs import getincrementaldecoder
from dataclasses import dataclass
from json import JSONDecoder
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_decode = JSONDecoder().raw_decode

# Characters of one item that are held until it is complete, and values in it. A text that never ends must not fill the
# memory, and neither must many small values, which take much more memory than they have characters.
MAX_ITEM_LENGTH = 4 * 1024 * 1024
MAX_ITEM_VALUES = MAX_ITEM_LENGTH // 12
BROKEN_OFF = "the array is broken off"

# How a byte that is no UTF-8 is marked until its item is known.
_NO_UTF8 = re.compile("[\udc80-\udcff]")
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


@dataclass(frozen=True)
class Unreadable:
    """
    Stands for an item of an array that cannot be read, among others that can.

    :param problem: What is wrong with it.
    """

    problem: str


TOO_LONG = Unreadable("it is too long")
NO_JSON = Unreadable("it is no valid JSON")
TOO_DEEP = Unreadable("it is nested too deeply")


class ArrayReader:
    """
    Reads one JSON array out of pieces of it; holds no more than one piece and the item that is not complete yet.

    The work grows with the length of the array and not with the number of its pieces.

    :param raw_decode: Reads the value at a position of a text; default that of `json`.
    :param max_item_length: Characters that one item may have; `TOO_LONG` stands for a longer one. Default no limit.
    :param skip_damaged: Whether `NO_JSON` stands for an item that is no JSON, or no UTF-8, as long as the mark behind
        it can be found; by default, it makes the array unreadable.
    """

    def __init__(
        self,
        raw_decode: Callable[[str, int], tuple[Any, int]] | None = None,
        max_item_length: int | None = None,
        *,
        skip_damaged: bool = False,
    ) -> None:
        self._text_of = getincrementaldecoder("utf-8")("surrogateescape" if skip_damaged else "strict").decode
        self._skip_damaged = skip_damaged
        self._decode = raw_decode or _decode
        self._max_item_length = max_item_length
        self._expected = "array"
        self._is_inside = False  # of an item that is not complete yet
        self._held = _HeldItem(max_item_length)
        self._end = _EndOfItem()

    def feed(self, piece: bytes) -> Iterator[Any]:
        """
        Yield the items that became complete, or `Unreadable`; go through all of them before the next piece is fed.

        :param piece: The next bytes; they may end anywhere.
        :raises ValueError: It is no JSON array; `JSONDecodeError` or `UnicodeDecodeError` if it is not even JSON.
        """
        yield from self._items(self._text_of(piece))

    def close(self) -> None:
        """
        Check that the array is complete.

        :raises ValueError: It is broken off, or never began.
        """
        if self._text_of(b"", True):
            raise ValueError(NO_JSON.problem)
        if self._expected == "array":
            raise ValueError("it is no array")
        if self._is_inside and self._held.is_oversized:
            raise ValueError(BROKEN_OFF)
        if self._expected != "nothing":
            self._item(self._held.text(), 0)  # says why it is no item

    def _items(self, text: str) -> Iterator[Any]:
        position = 0
        if self._is_inside:
            end = self._end.find(text, 0)
            self._held.add(text if end is None else text[: end + 1])
            if end is None:
                return
            yield TOO_LONG if self._held.is_oversized else self._held_value(text[end])
            self._is_inside, self._expected, position = False, "mark", end
        begin = self._next_item(text, position)
        while begin is not None:
            try:
                item, after = self._item(text, begin)
            except (ValueError, RecursionError) as error:
                # Wrong, or only not complete? In the middle of an item no parser can tell.
                self._end = _EndOfItem()
                if (end := self._end.find(text, begin)) is not None:
                    if isinstance(error, ValueError) and not (end > begin and self._may_skip(text[end])):
                        raise
                    yield NO_JSON if isinstance(error, ValueError) else TOO_DEEP
                    self._expected = "mark"
                    begin = self._next_item(text, end)
                    continue
                self._is_inside, self._held = True, _HeldItem(self._max_item_length)
                self._held.add(text[begin:])
                return
            yield item
            self._expected = "mark"
            begin = self._next_item(text, after)

    def _held_value(self, mark: str) -> Any:
        try:
            return self._item(self._held.text(), 0)[0]
        except RecursionError:
            return TOO_DEEP
        except ValueError:
            if not self._may_skip(mark):
                raise
            return NO_JSON

    def _may_skip(self, mark: str) -> bool:
        """Whether an item before this mark may be left out: a mark that ends no item says that the array is damaged."""
        return self._skip_damaged and mark in ",]"

    def _item(self, text: str, position: int) -> tuple[Any, int]:
        """Return the item that begins there, and where the mark after it is."""
        begin = position
        item, position = self._decode(text, position)
        if self._skip_damaged and not text.isascii() and _NO_UTF8.search(text, begin, position):
            item = NO_JSON
        position = _after_blanks(text, position)
        if text[position : position + 1] not in (",", "]"):  # without it, "12" may be the half of "123"
            raise ValueError(BROKEN_OFF)
        return item, position

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


class _HeldItem:
    """The beginning of an item, in pieces; it is dropped once it is too long."""

    def __init__(self, max_length: int | None) -> None:
        self._max_length = max_length
        self._pieces: list[str] = []
        self._length = 0
        self._values = 0
        self.is_oversized = False

    def add(self, piece: str) -> None:
        """Add the next piece."""
        if self._max_length is not None:
            self._length += len(piece)
            self._values += sum(map(piece.count, ",[{"))
            self.is_oversized |= self._length > self._max_length or self._values > MAX_ITEM_VALUES
        if self.is_oversized:
            self._pieces.clear()
        else:
            self._pieces.append(piece)

    def __len__(self) -> int:
        return len(self._pieces)

    def text(self) -> str:
        """Return all pieces, and let them go."""
        text = "".join(self._pieces)
        self._pieces.clear()
        return text


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


def _after_blanks(text: str, position: int) -> int:
    found = _NO_BLANK.search(text, position)
    return found.start() if found else len(text)
