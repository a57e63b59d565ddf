"""The body of a response: decompressed chunk by chunk, and never more of it than allowed."""

from __future__ import annotations

import gzip
import json
import tracemalloc
import zlib
from collections.abc import Callable
from dataclasses import replace
from itertools import count
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_learning360.api.bodies import CHUNK_SIZE, BodyReader
from airflow_provider_learning360.api.errors import ContractError, TooLargeError, UnreachableError
from airflow_provider_learning360.api.messages import DEFAULT_LIMITS, Request
from airflow_provider_learning360.api.models import ProgramSession

LIMITS = replace(DEFAULT_LIMITS["document"], max_bytes=1_000_000, max_error_bytes=1_000, connection="connection 'here'")
ENCODINGS: dict[str, Any] = {
    "": lambda body: body,
    "identity": lambda body: body,
    "gzip": gzip.compress,
    "GZip": gzip.compress,
    "x-gzip": gzip.compress,
    "deflate": zlib.compress,
    "deflate, raw": lambda body: zlib.compress(body)[2:-4],
    "gzip, in members": lambda body: gzip.compress(body[:3]) + gzip.compress(body[3:]),
    "gzip, padded": lambda body: gzip.compress(body) + b"\0" * 50,
}


def reader(encoding: str = "", status: int = 200) -> BodyReader:
    return BodyReader(Request("GET", "/x"), status, {"content-encoding": encoding.partition(",")[0]}, LIMITS)


def read(one: BodyReader, body: bytes, size: int = 1000) -> bytes:
    content = b"".join(chunk for place in range(0, len(body), size) for chunk in one.feed(body[place : place + size]))
    one.close()
    return content


@pytest.mark.parametrize("encoding", ENCODINGS)
@given(body=st.binary(max_size=300), size=st.integers(1, 50))
def test_body_is_decompressed_without_loss(encoding: str, body: bytes, size: int) -> None:
    assert read(reader(encoding), ENCODINGS[encoding](body), size) == body


@pytest.mark.parametrize("encoding", ["", "gzip", "deflate"])
@pytest.mark.parametrize("more", [0, 1])
def test_limit_counts_bytes_after_decompression(encoding: str, more: int) -> None:
    body = ENCODINGS[encoding](b"x" * (LIMITS.max_bytes + more))
    if not more:
        assert len(read(reader(encoding), body)) == LIMITS.max_bytes
        return
    with pytest.raises(TooLargeError, match="raise max_document_bytes of connection 'here'") as caught:
        read(reader(encoding), body)
    assert "more than 1,000,000 bytes" in str(caught.value)
    assert not caught.value.retryable


@pytest.mark.slow
@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_decompression_bomb_stops_at_the_limit_in_small_chunks(encoding: str) -> None:
    bomb = ENCODINGS[encoding](b"\0" * 100_000_000)
    sizes: list[int] = []
    with pytest.raises(TooLargeError):
        sizes.extend(map(len, reader(encoding).feed(bomb)))
    assert max(sizes) <= CHUNK_SIZE
    assert sum(sizes) <= LIMITS.max_bytes


@pytest.mark.parametrize(
    "body", [b"[" + b"0," * 300_000, b"[" + b"[]," * 200_000, b"{" * 200_000], ids=["0", "[]", "{"]
)
def test_many_small_values_are_too_large(body: bytes) -> None:
    with pytest.raises(TooLargeError):
        read(reader(), body)


SMALL_VALUES: dict[str, Callable[[int], str]] = {
    "objects of one key": lambda number: '{"a":1},',
    "objects of one text": lambda number: '{"a":"bc"},',
    "objects of no key": lambda number: "{},",
    "lists of one": lambda number: "[1],",
    "lists of none": lambda number: "[],",
    "lists of lists": lambda number: "[[[]]],",
    "floats": lambda number: "1.5,",
    "integers": lambda number: "999,",
    "texts": lambda number: f'"{number % 90 + 10}",',
    "keys": lambda number: f'"{number}":1.5,',
    "spaced keys": lambda number: f'"{number}" :1.5,',
}


@pytest.mark.parametrize("values", SMALL_VALUES)
def test_small_values_are_refused_before_they_take_much_memory(values: str) -> None:
    """Memory stays near twice the limit, whatever the values are."""
    limits = replace(LIMITS, max_bytes=4 * 1024 * 1024)
    one = BodyReader(Request("GET", "/x"), 200, {}, limits)
    begin, last = ('{"_id":"x",', '"z":1}') if "keys" in values else ("[", "0]")
    content = b"".join(one.feed(begin.encode()))
    for number in count():
        chunk = "".join(map(SMALL_VALUES[values], range(number * 900, number * 900 + 900)))
        try:
            content += b"".join(one.feed(chunk.encode()))
        except TooLargeError:
            break
    tracemalloc.start()
    try:
        value = json.loads(content + last.encode())
        taken = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert value
    assert taken < 2.9 * limits.max_bytes


def test_half_a_million_learners_are_one_document() -> None:
    learner = '{"_id":"60b8d2956e20ae1a0f8e44b1","mail":"learner.123456@simulator.example"},'
    one = BodyReader(Request("GET", "/x"), 200, {}, DEFAULT_LIMITS["document"])
    chunk = (learner * 1000).encode()
    for _ in range(500):
        assert sum(map(len, one.feed(chunk))) == len(chunk)


def test_200_000_full_sessions_are_one_list() -> None:
    """Only a sample is weighed: the weight is proportional."""
    session = {
        **dict.fromkeys(ProgramSession.field_names(), "Onboarding: your first week"),
        "users": [{"_id": "60b8d2956e20ae1a0f8e44b1", "mail": "ann@example.com"}] * 20,
        "modules": [{"_id": "60b8d2956e20ae1a0f8e44b1", "type": "course"}] * 5,
        "customFields": [{"_id": "60b8d2956e20ae1a0f8e44b1", "name": "Site", "value": "Lyon"}] * 3,
    }
    limits = DEFAULT_LIMITS["list"]
    one = BodyReader(Request("GET", "/x"), 200, {}, replace(limits, max_bytes=limits.max_bytes // 20))
    chunk = json.dumps([session] * 100).encode()
    for _ in range(100):
        assert sum(map(len, one.feed(chunk))) == len(chunk)


@pytest.mark.parametrize("encoding", ["", "gzip"])
def test_long_error_is_cut_and_says_so(encoding: str) -> None:
    one = reader(encoding, status=500)
    assert read(one, ENCODINGS[encoding](b"x" * 1_001)) == b"x" * 1_000
    assert one.is_cut
    assert list(one.feed(b"more")) == []


def test_error_within_the_limit_is_not_cut() -> None:
    one = reader(status=500)
    assert read(one, b"x" * 1_000) == b"x" * 1_000
    assert not one.is_cut


@pytest.mark.parametrize("encoding", ["br", "zstd", "gzip\x1b[31m", "what?"])
def test_encoding_that_was_not_asked_for_is_an_error(encoding: str) -> None:
    with pytest.raises(ContractError, match="Only gzip, deflate can be read") as caught:
        reader(encoding)
    assert "\x1b" not in str(caught.value)
    assert read(reader(encoding, status=503), b"whatever") == b"whatever"  # the status says enough


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
@given(body=st.binary(min_size=1, max_size=100))
def test_body_that_cannot_be_decompressed_is_an_error(encoding: str, body: bytes) -> None:
    compressed = ENCODINGS[encoding](b"x" * 1000)
    for broken in (compressed[: len(compressed) // 2], b"\xff" + body, compressed[:12] + body):
        with pytest.raises(UnreachableError, match="its compressed body"):
            read(reader(encoding), broken)
