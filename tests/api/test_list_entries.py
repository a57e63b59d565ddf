"""A bad entry of the list costs only itself: every call reads all others."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import product
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_learning360.api import arrays
from airflow_provider_learning360.api.errors import ContractError, TooLargeError
from airflow_provider_learning360.api.list_entries import BYTES_PER_SESSION
from airflow_provider_learning360.api.messages import DEFAULT_LIMITS, Request, Response
from airflow_provider_learning360.api.sanitizer import sanitize
from airflow_provider_learning360.api.v1 import calls
from case_samples import one_in

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def session_id(number: int) -> str:
    return f"{number:024x}"


def deep(levels: int) -> str:
    return "[" * levels + "]" * levels


# Bad entries, and the problem that is named.
BAD = {
    "1": "it is not an object",
    "null": "it is not an object",
    '"text"': "it is not an object",
    "[]": "it is not an object",
    "{}": "its _id is not an ID",
    '{"_id": null}': "its _id is not an ID",
    '{"_id": 5}': "its _id is not an ID",
    '{"_id": "60b8"}': "its _id is not an ID",
    f'{{"_id": "{session_id(7)}\\n"}}': "its _id is not an ID",
    f'{{"_id": " {session_id(7)}"}}': "its _id is not an ID",
    f'{{"_id": {10**23}}}': "its _id is not an ID",
    f'{{"_id": "{session_id(7)}", "name": 5}}': "name: Input should be a valid string",
    f'{{"_id": "{session_id(7)}", "modifiedAt": "yesterday"}}': "modifiedAt: it is not a date",
    f'{{"_id": "{session_id(7)}", "userLimit": "many"}}': "userLimit",
    f'{{"_id": "{session_id(7)}", "users": [1]}}': "users.0",
    f'{{"_id": "{session_id(7)}", "deep": {deep(200)}}}': "it is nested too deeply",
    f'{{"_id": "{session_id(7)}", "deep": {deep(100_000)}}}': "it is nested too deeply",
    f'{{"_id": "{session_id(7)}", "name": "a" "b"}}': "it is not valid JSON",
    f'{{"_id": "{session_id(7)}", "name": "\x01"}}': "it is not valid JSON",
    f'{{"_id": "{session_id(7)}", "name": "\\x"}}': "it is not valid JSON",
    f'{{"_id": "{session_id(7)}", "name": "caf\udce9"}}': "it is not valid JSON",
    f'{{"_id": "{session_id(7)}", "name": "\udced\udca0\udcbd"}}': "it is not valid JSON",
    f'{{"_id": "{session_id(7)}", "\udcff": 1}}': "it is not valid JSON",
    "{_id: 'x', alert(1)}": "it is not valid JSON",
    "nul": "it is not valid JSON",
    "\udcff": "it is not valid JSON",
}
# Entries that are bad for a stream as well, which does not check the fields.
BAD_IN_A_STREAM = [
    entry for entry, problem in BAD.items() if not problem.startswith(("its", "name", "modifiedAt", "user"))
]


def listed(*entries: str) -> bytes:
    return f"[{', '.join(entries)}]".encode("utf-8", "surrogateescape")


def good(number: int) -> str:
    return json.dumps({"_id": session_id(number), "name": f"Session {number}"})


@pytest.mark.parametrize("entry", BAD, ids=lambda entry: entry[:60])
def test_bad_entry_is_left_out_counted_and_named(entry: str, answer: Callable[..., Response]) -> None:
    found = calls.list_program_sessions().parse(answer(listed(good(1), entry, good(2), entry)))
    assert [one.id for one in found.sessions] == [session_id(1), session_id(2)]
    assert found.unreadable.count == 2
    said = found.unreadable.report("warn")
    assert said
    assert said.startswith("The list of program sessions has 2 entries that cannot be read. The first is number 2")
    assert BAD[entry] in said
    assert said.isprintable()
    with pytest.raises(ContractError, match="2 entries that cannot be read"):
        found.unreadable.report("strict")


@pytest.mark.parametrize("entry", BAD, ids=lambda entry: entry[:60])
def test_list_without_a_readable_entry_is_an_error(entry: str, answer: Callable[..., Response]) -> None:
    with pytest.raises(ContractError) as caught:
        calls.list_program_sessions().parse(answer(listed(entry)))
    assert BAD[entry] in str(caught.value)


def test_readable_list_gives_no_warning(answer: Callable[..., Response]) -> None:
    for entries in ([], [good(1)], [good(1), good(2)]):
        found = calls.list_program_sessions().parse(answer(listed(*entries)))
        assert len(found.sessions) == len(entries)
        assert found.unreadable.report("strict") is None


@pytest.mark.parametrize(
    ("entry", "size"), one_in(2, product(BAD_IN_A_STREAM, [1, 7, 1_000_000])), ids=lambda one: str(one)[:60]
)
def test_stream_continues_after_a_bad_entry(entry: str, size: int, answer: Callable[..., Response]) -> None:
    stream = calls.stream_program_sessions().parse(answer())
    items = list(streamed(stream, listed(entry, good(1), entry, good(2)), size))
    assert [one["_id"] for one in items if "name" in one] == [session_id(1), session_id(2)]
    assert len(items) == 4
    assert stream.unreadable.count == 2


@pytest.mark.parametrize("entry", BAD_IN_A_STREAM, ids=lambda entry: entry[:60])
def test_stream_without_a_readable_entry_is_an_error(entry: str, answer: Callable[..., Response]) -> None:
    stream = calls.stream_program_sessions().parse(answer())
    with pytest.raises(ContractError):
        list(streamed(stream, listed(entry, entry), 1_000_000))


@pytest.mark.parametrize("size", [1000, 64 * 1024])
@pytest.mark.parametrize("filling", ["x", "[],", "0,", '{"a":1},'])
def test_too_long_entry_is_left_out_and_not_held_in_memory(
    filling: str, size: int, answer: Callable[..., Response], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(arrays, "MAX_ITEM_VALUES", 10_000)
    monkeypatch.setattr("airflow_provider_learning360.api.list_entries.MAX_ITEM_LENGTH", 100_000)
    inside = filling * (300_000 // len(filling))
    long = f'{{"_id": "{session_id(7)}", "a": ' + (f'"{inside}"}}' if filling == "x" else f"[{inside}0]}}")
    stream = calls.stream_program_sessions().parse(answer())
    items, held = [], 0
    body = listed(good(1), long, good(2))
    for place in range(0, len(body), size):
        items += stream.feed(body[place : place + size])
        held = max(held, sum(map(len, stream._reader._partial._texts)))
    stream.close()
    assert items == [json.loads(good(1)), {}, json.loads(good(2))]
    assert "it is too long" in str(stream.unreadable)
    assert held <= 100_000 + size


VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)


@given(st.lists(VALUES | st.builds(lambda number: json.loads(good(number)), st.integers(0, 99)), max_size=8))
def test_readable_sessions_are_read_whatever_is_between_them(entries: list[Any]) -> None:
    def answer(body: bytes = b"") -> Response:
        return Response(Request("GET", calls.SESSIONS), 200, {}, body)

    readable = [one for one in entries if isinstance(one, dict) and str(one.get("name", "")).startswith("Session ")]
    body = json.dumps(entries).encode()
    try:
        found = calls.list_program_sessions().parse(answer(body)).sessions
    except ContractError:
        found = []
        assert entries
    assert [one.document() for one in found] == readable
    stream = calls.stream_program_sessions().parse(answer())
    try:
        items = list(streamed(stream, body, 3))
    except ContractError:
        items = []
    assert [one for one in items if one in readable] == readable
    assert all(one == sanitize(one) for one in items)


@given(
    st.lists(
        st.sampled_from([b"\xff", b"\xed\xa0\xbd", b"\x01", b"\\x", b"\xe2", b"", b"a, [b]}", "\u00e9".encode()]),
        max_size=9,
    ),
    st.integers(1, 40),
)
def test_invalid_json_costs_its_entry_only(names: list[bytes], size: int) -> None:
    entries = [b'{"_id": "%s", "name": "%s"}' % (session_id(place).encode(), name) for place, name in enumerate(names)]

    def is_json(entry: bytes) -> bool:
        try:
            json.loads(entry.decode())
        except ValueError:
            return False
        return True

    body = b"[" + b", ".join([*entries, good(99).encode()]) + b"]"
    readable = [session_id(place) for place, entry in enumerate(entries) if is_json(entry)] + [session_id(99)]
    request = Request("GET", calls.SESSIONS)
    found = calls.list_program_sessions().parse(Response(request, 200, {}, body))
    assert [one.id for one in found.sessions] == readable
    assert found.unreadable.count == len(names) + 1 - len(readable)
    stream = calls.stream_program_sessions().parse(Response(request, 200))
    assert [one["_id"] for one in streamed(stream, body, size) if one] == readable


@pytest.mark.parametrize("end", [b"}", b"]", b", ]", b"]\xe2", b"] \xff", b',, {"_id": 1}]', b', "'], ids=repr)
def test_damage_between_entries_is_an_error(end: bytes, answer: Callable[..., Response]) -> None:
    body = b"[" + good(1).encode() + end
    for size in (1, 1_000_000):
        stream = calls.stream_program_sessions().parse(answer())
        if end == b"]":
            assert len(list(streamed(stream, body, size))) == 1
            continue
        with pytest.raises(ContractError):
            list(streamed(stream, body, size))


def streamed(stream: Any, body: bytes, size: int) -> Iterator[dict[str, Any]]:
    for place in range(0, len(body), size):
        yield from stream.feed(body[place : place + size])
    stream.close()


@pytest.mark.parametrize("more", [0, 1])
def test_size_limit_counts_parsed_sessions(more: int) -> None:
    limits = replace(DEFAULT_LIMITS["list"], max_bytes=200 * 1024)
    body = listed(*(f'{{"_id": "{session_id(number)}"}}' for number in range(200 + more)))
    response = Response(Request("GET", calls.SESSIONS), 200, {}, body, limits=limits)
    if not more:
        assert len(calls.list_program_sessions().parse(response).sessions) == 200
        return
    with pytest.raises(TooLargeError, match="raise max_list_bytes of the connection"):
        calls.list_program_sessions().parse(response)


def test_default_limit_allows_200_000_sessions() -> None:
    assert DEFAULT_LIMITS["list"].max_bytes // BYTES_PER_SESSION >= 1_000_000
