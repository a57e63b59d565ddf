"""Read a JSON array item by item, from chunks as a network delivers them."""

from __future__ import annotations

import re
from codecs import getincrementaldecoder
from dataclasses import dataclass
from json import JSONDecoder
from typing import TYPE_CHECKING, Any

from airflow_provider_learning360.api import nesting

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_decode = JSONDecoder().raw_decode

# Characters, and values, that one incomplete item may hold. An endless text must not fill the memory; nor must many
# small values, which take much more memory than they have characters.
MAX_ITEM_LENGTH = 4 * 1024 * 1024
MAX_ITEM_VALUES = MAX_ITEM_LENGTH // 12
BROKEN_OFF = "the array is not complete"

# Stands for a byte that is not UTF-8, until its item is known.
_NO_UTF8 = re.compile("[\udc80-\udcff]")
_NO_BLANK = re.compile(r"[^ \n\r\t]")
_IN_STRING = re.compile(r'["\\]')
_NESTED = re.compile(r'["\[\]{}]')
_TOP = re.compile(r'["\[\]{},]')

# From what is expected, and the mark that is found, to what is expected next.
_MARKS = {
    ("array", "["): "item or end",
    ("item or end", "]"): "nothing",
    ("mark", ","): "item",
    ("mark", "]"): "nothing",
}
_PROBLEMS = {"array": "it is not an array", "nothing": "something follows the array"}


@dataclass(frozen=True)
class Unreadable:
    """
    Stands for an item of an array that cannot be read.

    :param problem: What is wrong with the item.
    """

    problem: str


TOO_LONG = Unreadable("it is too long")
NO_JSON = Unreadable("it is not valid JSON")
TOO_DEEP = Unreadable(nesting.TOO_DEEP)


class _TooDeepError(ValueError):
    """An item is nested too deeply to be parsed."""


class ArrayReader:
    """
    Reads one JSON array from chunks; holds one chunk at most, and the item that is not complete yet.

    The work grows with the length of the array, not with the number of chunks.

    :param raw_decode: Reads the value at a position of a text; default that of `json`.
    :param max_item_length: Characters that one item may have; `TOO_LONG` replaces a longer one. Default no limit.
    :param skip_damaged: Whether `NO_JSON` replaces an item that is not valid JSON or UTF-8, as long as the mark after
        it is found. Default False: such an item makes the array unreadable.
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
        self._is_inside_item = False
        self._partial = _PartialItem(max_item_length)
        self._item_end = _ItemEnd()

    def feed(self, chunk: bytes) -> Iterator[Any]:
        """
        Yield the items that became complete, or `Unreadable` in place of one. Exhaust it before the next `feed`.

        :param chunk: The next bytes; they may end anywhere.
        :raises ValueError: It is not a JSON array; `JSONDecodeError` or `UnicodeDecodeError` if it is not JSON at all.
        """
        yield from self._items(self._text_of(chunk))

    def close(self) -> None:
        """
        Check that the array is complete.

        :raises ValueError: It is not complete, or not an array.
        """
        if self._text_of(b"", True):
            raise ValueError(NO_JSON.problem)
        if self._expected == "array":
            raise ValueError(_PROBLEMS["array"])
        if self._is_inside_item and self._partial.is_oversized:
            raise ValueError(BROKEN_OFF)
        if self._expected != "nothing":
            self._read_item(self._partial.text(), 0, may_be_deep=True)  # raises: the item is not complete

    def _items(self, text: str) -> Iterator[Any]:
        position = 0
        if self._is_inside_item:
            end = self._item_end.find(text, 0)
            self._partial.add(text if end is None else text[: end + 1])
            if end is None:
                return
            yield TOO_LONG if self._partial.is_oversized else self._read_partial(text[end])
            self._is_inside_item, self._expected, position = False, "mark", end
        may_be_deep = nesting.may_be_deep(text[position:].encode(errors="surrogateescape"))
        while (begin := self._find_next_item(text, position)) is not None:
            try:
                item, position = self._read_item(text, begin, may_be_deep=may_be_deep)
            except ValueError as error:
                # Not valid, or only not complete: in the middle of an item no parser can tell.
                self._item_end = _ItemEnd()
                end = self._item_end.find(text, begin)
                if end is None:
                    self._hold(text[begin:])
                    return
                item = self._replace(error, may_skip=end > begin and self._may_skip(text[end]))
                position = end
                may_be_deep = True  # the search took quotes of a damaged item for those of strings
            yield item
            self._expected = "mark"

    def _hold(self, text: str) -> None:
        """Keep the beginning of an item until the rest has arrived."""
        self._is_inside_item, self._partial = True, _PartialItem(self._max_item_length)
        self._partial.add(text)

    def _read_partial(self, mark: str) -> Any:
        """Return the item that was held, now that the mark after it has arrived."""
        try:
            return self._read_item(self._partial.text(), 0, may_be_deep=True)[0]
        except ValueError as error:
            return self._replace(error, may_skip=self._may_skip(mark))

    def _replace(self, error: ValueError, *, may_skip: bool) -> Unreadable:
        """Return what replaces an unreadable item; raise the error if the item may not be left out."""
        if isinstance(error, _TooDeepError):
            return TOO_DEEP
        if not may_skip:
            raise error
        return NO_JSON

    def _may_skip(self, mark: str) -> bool:
        """Whether an item before this mark may be left out; any other mark means that the array itself is damaged."""
        return self._skip_damaged and mark in ",]"

    def _read_item(self, text: str, position: int, *, may_be_deep: bool) -> tuple[Any, int]:
        """Return the item that begins there, and the position of the mark after it."""
        begin = position
        if may_be_deep:  # before parsing, as in decoder.py
            end = _ItemEnd().find(text, begin)
            if nesting.is_text_too_deep(text[begin : len(text) if end is None else end]):
                raise _TooDeepError(TOO_DEEP.problem)
        item, position = self._decode(text, position)
        if self._skip_damaged and not text.isascii() and _NO_UTF8.search(text, begin, position):
            item = NO_JSON
        position = _after_blanks(text, position)
        if text[position : position + 1] not in (",", "]"):  # without a mark, "12" may be the first half of "123"
            raise ValueError(BROKEN_OFF)
        return item, position

    def _find_next_item(self, text: str, position: int) -> int | None:
        """Return where the next item begins, or None if this text ends before that."""
        while (position := _after_blanks(text, position)) < len(text):
            expected = _MARKS.get((self._expected, text[position]))
            if expected is None:
                break
            self._expected = expected
            position += 1
        else:
            return None
        if self._expected in _PROBLEMS:
            raise ValueError(_PROBLEMS[self._expected])
        return position


class _PartialItem:
    """The beginning of an item that is not complete yet; it is dropped once it is too long."""

    def __init__(self, max_length: int | None) -> None:
        self._max_length = max_length
        self._texts: list[str] = []
        self._length = 0
        self._values = 0
        self.is_oversized = False

    def add(self, text: str) -> None:
        """Add what follows."""
        if self._max_length is not None:
            self._length += len(text)
            self._values += sum(map(text.count, ",[{"))
            self.is_oversized |= self._length > self._max_length or self._values > MAX_ITEM_VALUES
        if self.is_oversized:
            self._texts.clear()
        else:
            self._texts.append(text)

    def __len__(self) -> int:
        return len(self._texts)

    def text(self) -> str:
        """Return the text, and forget it."""
        text = "".join(self._texts)
        self._texts.clear()
        return text


class _ItemEnd:
    """Finds the mark after an item without reading the item, over as many texts as that takes."""

    def __init__(self) -> None:
        self._depth = 0
        self._in_string = False
        self._skipped = 0  # escaped characters at the beginning of the next text

    def find(self, text: str, position: int) -> int | None:
        """Return the position of the mark, or None if it is not in this text."""
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
