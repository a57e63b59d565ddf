"""The body of an answer: decompressed piece by piece, and never more of it than is allowed."""

from __future__ import annotations

import gzip
import zlib
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_learning360.api.bodies import PIECE, BodyReader
from airflow_provider_learning360.api.errors import ContractError, TooLargeError, UnreachableError
from airflow_provider_learning360.api.messages import DEFAULT_LIMITS, Request

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
    content = b"".join(piece for place in range(0, len(body), size) for piece in one.feed(body[place : place + size]))
    one.close()
    return content


@pytest.mark.parametrize("encoding", ENCODINGS)
@given(body=st.binary(max_size=300), size=st.integers(1, 50))
def test_a_body_comes_out_as_it_was_before_it_was_compressed(encoding: str, body: bytes, size: int) -> None:
    assert read(reader(encoding), ENCODINGS[encoding](body), size) == body


@pytest.mark.parametrize("encoding", ["", "gzip", "deflate"])
@pytest.mark.parametrize("more", [0, 1])
def test_the_limit_counts_bytes_after_decompression(encoding: str, more: int) -> None:
    body = ENCODINGS[encoding](b"x" * (LIMITS.max_bytes + more))
    if not more:
        assert len(read(reader(encoding), body)) == LIMITS.max_bytes
        return
    with pytest.raises(TooLargeError, match="raise max_document_bytes of connection 'here'") as caught:
        read(reader(encoding), body)
    assert "more than 1,000,000 bytes" in str(caught.value)
    assert not caught.value.retryable


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_a_bomb_unfolds_in_small_pieces_and_no_further_than_allowed(encoding: str) -> None:
    bomb = ENCODINGS[encoding](b"\0" * 100_000_000)
    sizes: list[int] = []
    with pytest.raises(TooLargeError):
        sizes.extend(map(len, reader(encoding).feed(bomb)))
    assert max(sizes) <= PIECE
    assert sum(sizes) <= LIMITS.max_bytes


@pytest.mark.parametrize(
    "body", [b"[" + b"0," * 300_000, b"[" + b"[]," * 200_000, b"{" * 200_000], ids=["0", "[]", "{"]
)
def test_many_small_values_are_too_much_as_well(body: bytes) -> None:
    with pytest.raises(TooLargeError):
        read(reader(), body)


@pytest.mark.parametrize("encoding", ["", "gzip"])
def test_an_error_is_cut_and_told(encoding: str) -> None:
    one = reader(encoding, status=500)
    assert read(one, ENCODINGS[encoding](b"x" * 1_001)) == b"x" * 1_000
    assert one.is_cut
    assert list(one.feed(b"more")) == []


def test_an_error_within_the_limit_is_not_cut() -> None:
    one = reader(status=500)
    assert read(one, b"x" * 1_000) == b"x" * 1_000
    assert not one.is_cut


@pytest.mark.parametrize("encoding", ["br", "zstd", "gzip\x1b[31m", "what?"])
def test_an_encoding_that_nobody_asked_for_is_an_error(encoding: str) -> None:
    with pytest.raises(ContractError, match="Only gzip, deflate can be read") as caught:
        reader(encoding)
    assert "\x1b" not in str(caught.value)
    assert read(reader(encoding, status=503), b"whatever") == b"whatever"  # the status says enough


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
@given(body=st.binary(min_size=1, max_size=100))
def test_what_cannot_be_decompressed_is_an_error(encoding: str, body: bytes) -> None:
    compressed = ENCODINGS[encoding](b"x" * 1000)
    for broken in (compressed[: len(compressed) // 2], b"\xff" + body, compressed[:12] + body):
        with pytest.raises(UnreachableError, match="its compressed body"):
            read(reader(encoding), broken)
