"""A deeply nested text is refused before any parser recurses into it."""

from __future__ import annotations

import gc
import json
import sys
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_learning360.api.arrays import NO_JSON, TOO_DEEP, ArrayReader
from airflow_provider_learning360.api.decoder import SafeDecoder, decode_json
from airflow_provider_learning360.api.nesting import (
    MAX_DEPTH,
    DeepSearch,
    find_marks,
    is_text_too_deep,
    may_be_deep,
)

if TYPE_CHECKING:
    from collections.abc import Iterator


def depth_of(value: Any) -> int:
    if isinstance(value, dict):
        return 1 + max(map(depth_of, value.values()), default=0)
    return 1 + max(map(depth_of, value), default=0) if isinstance(value, list) else 0


def nested(depth: int, brackets: tuple[str, str]) -> str:
    return brackets[0] * depth + '"]"' + brackets[1] * depth


PAIRS = [
    ("[", "]"),
    ('{"k":', "}"),
    ('[[], {}, "[[[", {"a": [1]}, ', "]"),
    ('["]",', "]"),
    ('["\\\\", "\\"]", "\\\\\\"]}",', "]"),
]


@pytest.fixture
def most_recursion() -> Iterator[list[int]]:
    """Watch how deep Python's own functions are called while a body is parsed, by a finalizer of each new object."""
    seen = [0]
    threshold = gc.get_threshold()

    def note(phase: str, info: dict[str, int]) -> None:
        # Airflow runs with a limit of 1,000: a parser near it leaves no room for a callback of five calls.
        def call(left: int) -> None:
            if left:
                call(left - 1)

        try:
            call(100)
        except RecursionError:
            seen[0] += 1

    gc.callbacks.append(note)
    gc.set_threshold(20)
    yield seen
    gc.set_threshold(*threshold)
    gc.callbacks.remove(note)


@pytest.mark.parametrize("depth", [MAX_DEPTH + 1, 950, 5000])
@pytest.mark.parametrize("brackets", PAIRS, ids=["list", "object", "mixed", "closed in strings", "escapes"])
def test_parser_never_recurses_into_a_deep_text(
    depth: int, brackets: tuple[str, str], most_recursion: list[int]
) -> None:
    body = nested(depth, brackets).encode()
    with pytest.raises(ValueError, match="nested too deeply"):
        decode_json(body)
    assert list(ArrayReader(SafeDecoder().raw_decode, skip_damaged=True).feed(b"[1," + body + b",2]"))[0::2] == [1, 2]
    assert most_recursion == [0]
    assert sys.getrecursionlimit() >= 1000


@pytest.mark.parametrize("brackets", PAIRS[:2], ids=["list", "object"])
@pytest.mark.parametrize("size", [1, 7, 64, 100_000])
def test_deep_item_of_an_array_is_replaced_wherever_the_chunks_end(brackets: tuple[str, str], size: int) -> None:
    usable = nested(MAX_DEPTH, brackets)
    body = f"[1,{nested(MAX_DEPTH + 1, brackets)},{usable},2]".encode()
    reader = ArrayReader(SafeDecoder().raw_decode, skip_damaged=True)
    items = [item for start in range(0, len(body), size) for item in reader.feed(body[start : start + size])]
    reader.close()
    assert [items[0], items[1], depth_of(items[2]), items[3]] == [1, TOO_DEEP, MAX_DEPTH, 2]


def test_brackets_in_strings_do_not_count() -> None:
    body = b'{"a": "' + b"[{" * 1000 + b'\\"' + b"[" * 1000 + b'"}'
    assert not may_be_deep(body)
    assert decode_json(body)["a"].endswith("[")


@pytest.mark.parametrize("text", ['"' + '\\"' * 200_000, '["' * 200_000, "\\" * 200_000])
def test_damaged_text_is_searched_once(text: str) -> None:
    with pytest.raises(ValueError, match="it is not valid JSON|Expecting|Unterminated|nested"):
        decode_json(text.encode())


def test_levels_of_lists_and_objects_count_alike() -> None:
    levels = MAX_DEPTH // 2
    assert depth_of(decode_json(nested(levels, ('[{"k":', "}]")).encode())) == MAX_DEPTH
    with pytest.raises(ValueError, match="nested too deeply"):
        decode_json(nested(levels + 1, ('[{"k":', "}]")).encode())


@pytest.mark.parametrize("size", [1, 7, 64, 100_000])
def test_item_after_a_damaged_one_is_searched(size: int) -> None:
    body = f'[1,x\\"a" ,{nested(400, PAIRS[3])},2]'.encode()
    reader = ArrayReader(SafeDecoder().raw_decode, skip_damaged=True)
    items = [item for start in range(0, len(body), size) for item in reader.feed(body[start : start + size])]
    assert items == [1, NO_JSON, TOO_DEEP, 2]


JSON_VALUES = st.recursive(
    st.text('[]{}"\\,a', max_size=4) | st.integers(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text('[]{}"\\', max_size=3), inner, max_size=2),
    max_leaves=40,
)


@given(JSON_VALUES, JSON_VALUES, st.integers(0, MAX_DEPTH + 5), st.integers(1, 40))
def test_quick_search_is_exact_for_complete_texts(value: Any, beside: Any, depth: int, size: int) -> None:
    for _ in range(depth):
        value = [beside, value] if depth % 2 else {"a]": beside, "b[": value}
    text = json.dumps(value).encode()
    search = DeepSearch()
    for start in range(0, len(text), size):
        part = text[start : start + size]
        search.add(part, find_marks(part))
        search.add(b"", b"")  # a response may have empty parts
    is_deep = depth_of(value) > MAX_DEPTH
    assert may_be_deep(text) == is_text_too_deep(text.decode()) == is_deep
    assert search.may_be_deep >= is_deep


@given(st.text('[]{}":, \\a', max_size=300), st.integers(0, 120))
def test_quick_search_never_misses_a_deep_text(text: str, depth: int) -> None:
    text = "[" * depth + text
    if is_text_too_deep(text):
        assert may_be_deep(text.encode())
