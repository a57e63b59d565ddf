from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_learning360.api import arrays
from airflow_provider_learning360.api.arrays import ArrayReader
from airflow_provider_learning360.api.errors import ContractError
from airflow_provider_learning360.api.list_entries import StreamedObjects, parse_session_list
from airflow_provider_learning360.api.v1 import calls

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_learning360.api.messages import Response

# Texts with many marks, escapes and characters of several bytes.
TEXTS = st.text(max_size=8) | st.text('"\\[]{},: aé€😀\n', max_size=8)
NUMBERS = st.integers() | st.floats(allow_nan=False)
JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)
BLANKS = st.text(" \t\r\n", max_size=3)


def read(chunks: list[bytes], reader: ArrayReader | StreamedObjects | None = None) -> list[Any]:
    reader = reader or ArrayReader()
    items = [item for chunk in chunks for item in reader.feed(chunk)]
    reader.close()
    return items


def cut(body: bytes, places: list[int]) -> list[bytes]:
    ends = sorted({min(place, len(body)) for place in places} | {len(body)})
    return [body[begin:end] for begin, end in zip([0, *ends], ends, strict=False)]


def single_bytes(body: bytes) -> list[bytes]:
    return [body[place : place + 1] for place in range(len(body))]


def outcome(call: Callable[[], list[Any]]) -> str | None:
    """Return the list, or None if it is not one or cannot be read."""
    try:
        value = call()
    except ValueError:
        return None
    return repr(value) if isinstance(value, list) else None


@pytest.mark.slow
@given(
    st.lists(JSON, max_size=5),
    st.none() | st.integers(0, 3),
    st.booleans(),
    BLANKS,
    BLANKS,
    st.lists(st.integers(0, 200), max_size=12),
)
def test_chunk_size_makes_no_difference(
    items: list[Any], indent: int | None, escaped: bool, before: str, after: str, places: list[int]
) -> None:
    body = (before + json.dumps(items, indent=indent, ensure_ascii=escaped) + after).encode()
    expected = repr(json.loads(body))
    assert repr(read([body])) == repr(read(cut(body, places))) == repr(read(single_bytes(body))) == expected


@given(st.lists(JSON, max_size=3).map(lambda items: json.dumps(items, ensure_ascii=False).encode()), st.data())
def test_damaged_array_is_refused_where_json_refuses_it(body: bytes, data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(body)))
    put = data.draw(st.sampled_from([b"", b",", b"]", b"[", b" ", b"1", b'"', b"\\", b"\xff", b"\xe2"]))
    damaged = body[:place] + put + body[place + data.draw(st.integers(0, 2)) :]
    expected = outcome(lambda: json.loads(damaged.decode()))
    assert outcome(lambda: read(single_bytes(damaged))) == expected
    assert outcome(lambda: read(cut(damaged, data.draw(st.lists(st.integers(0, 100), max_size=5))))) == expected


@given(st.lists(JSON, min_size=1, max_size=3).map(lambda items: json.dumps(items).encode()), st.data())
def test_incomplete_array_is_refused(body: bytes, data: st.DataObject) -> None:
    short = body[: data.draw(st.integers(0, len(body) - 1))]
    assert outcome(lambda: read(cut(short, data.draw(st.lists(st.integers(0, 100), max_size=5))))) is None


@pytest.mark.parametrize(
    ("chunks", "complete"),
    [
        ([b"[12", b"3", b",4 ", b"]"], [[], [], [123], [4]]),
        ([b"[1", b".", b"5e", b"+1", b"]"], [[], [], [], [], [15.0]]),
        ([b"[-", b"1,tr", b"ue]"], [[], [-1], [True]]),
        ([b'["a', b'\\"]', b",\\", b"u00", b'e9"', b","], [[], [], [], [], [], ['a"],é']]),
        ([b'["\xe2', b"\x82", b'\xac",'], [[], [], ["€"]]),
        ([b'[{"a":[1,', b'{"b":"}],"}]}', b',{"c":', b"0}]"], [[], [], [{"a": [1, {"b": "}],"}]}], [{"c": 0}]]),
        ([b"[{}, {}", b" \n", b", {", b"}] ", b"\n"], [[{}], [], [{}], [{}], []]),
        ([b"", b" ", b"[", b" ", b"]", b""], [[]] * 6),
    ],
    ids=["number", "fraction", "words", "escapes", "bytes", "nested", "blanks", "empty"],
)
def test_item_is_yielded_as_soon_as_its_mark_arrives(chunks: list[bytes], complete: list[list[Any]]) -> None:
    reader = ArrayReader()
    assert [list(reader.feed(chunk)) for chunk in chunks] == complete


@pytest.mark.parametrize("item", [b"1 2,", b'{"a" 1},', b'{"a": nul},', b"[1}]", b'"\n",'], ids=repr)
def test_invalid_item_is_refused_where_it_ends(item: bytes) -> None:
    reader = ArrayReader()
    assert list(reader.feed(b"[0, ")) == [0]
    assert list(reader.feed(item[:2])) == []
    with pytest.raises(ValueError, match="."):
        list(reader.feed(item[2:]))


BAD = [
    b"",
    b" \n",
    b"<!DOCTYPE html><p>canary",
    b"\n<HTML><p>canary",
    b'{"_id": "canary"}',
    b"null",
    b'[{"_id": "1"}',
    b'[{"_id": "1"} ',
    b'[{"_id": "1"},',
    b'[{"_id": "canary',
    b'[{"_id": "1"} {"_id": "2"}]',
    b'[{"_id": "1"}}',
    b"[",
    b"[,",
    b'[{"_id": "canary\xff"}]',
    b'[{"_id": "1"}] <p>canary',
    b'[{"_id": "1"}]\xe2',
    b'\xef\xbb\xbf[{"_id": "1"}]',
    b'[{"_id": canary}]',
    b"[" * 100_000,
]


@pytest.mark.parametrize("size", [1, 3, 1_000_000])
@pytest.mark.parametrize("body", BAD, ids=lambda body: repr(body[:40]))
def test_stream_has_the_error_text_of_the_list(body: bytes, size: int, answer: Callable[..., Response]) -> None:
    with pytest.raises(ContractError) as whole:
        parse_session_list(answer(body, path=calls.SESSIONS))
    stream = calls.stream_program_sessions().parse(answer(path=calls.SESSIONS))
    with pytest.raises(ContractError) as caught:
        read([body[begin : begin + size] for begin in range(0, len(body), size)], stream)
    error = caught.value
    assert str(error) == str(whole.value)
    assert (error.method, error.path, error.status) == ("GET", "/api/v1/programs/sessions", 200)
    assert error.__cause__ is error.__context__ is None
    assert "canary" not in str(error)


@pytest.mark.parametrize("item", [b"1", b"null", b'"canary"', b"[]"], ids=repr)
def test_item_that_is_not_an_object_is_left_out(item: bytes, answer: Callable[..., Response]) -> None:
    one, two = {"_id": "60b8d2956e20ae1a0f8e44f1", "a": 1}, {"_id": "60b8d2956e20ae1a0f8e44f2"}
    stream = calls.stream_program_sessions().parse(answer())
    body = b"[" + json.dumps(one).encode() + b", " + item + b", " + json.dumps(two).encode() + b"]"
    assert list(stream.feed(body)) == [one, {}, two]
    stream.close()
    assert str(stream.unreadable).endswith("1 entry that cannot be read. The first is number 2: it is not an object.")


def test_streaming_sends_the_request_of_the_list() -> None:
    streamed, whole = calls.stream_program_sessions(), calls.list_program_sessions()
    assert (streamed.request, streamed.signed, streamed.any_status) == (whole.request, True, False)
    assert (streamed.streamed, whole.streamed) == (True, False)


@pytest.mark.parametrize("size", [7, 4_000])
@pytest.mark.parametrize("count", [1, 200], ids=["one long item", "many items"])
def test_long_item_is_not_parsed_again_for_each_chunk(monkeypatch: pytest.MonkeyPatch, count: int, size: int) -> None:
    body = json.dumps([{"users": [{"mail": f"{number}@x"} for number in range(20_000 // count)]}] * count).encode()
    decoded = 0
    real = arrays._decode

    def counting(text: str, position: int) -> tuple[Any, int]:
        nonlocal decoded
        end = len(text)
        try:
            item, end = real(text, position)
        finally:
            decoded += end - position
            assert decoded <= 2 * len(body)
        return item, end

    monkeypatch.setattr(arrays, "_decode", counting)
    reader = ArrayReader()
    held = 0
    for begin in range(0, len(body), size):
        for _ in reader.feed(body[begin : begin + size]):
            pass
        held = max(held, len(reader._partial) * size)
    reader.close()
    assert held <= len(body) // count + 2 * size
