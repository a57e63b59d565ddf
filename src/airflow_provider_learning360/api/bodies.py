"""The body of an answer, piece by piece: decompressed, counted, and never more of it than is allowed."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Any

from airflow_provider_learning360.api.errors import (
    ContractError,
    LearningError,
    TooLargeError,
    UnreachableError,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from airflow_provider_learning360.api.messages import Limits, Request

# What we ask for, and all that we decompress.
ACCEPTED_ENCODINGS = "gzip, deflate"

CHUNK_SIZE = 64 * 1024  # bytes that one step decompresses at most, so that a bomb is counted while it unfolds
# What the values of a JSON text take of the bound, by the marks in it: some 0.4 of the memory that they need. An object
# needs 184 bytes, a list 56 or more, a short text 64, a number up to 32, a place in a list 8. 500,000 learners of two
# fields take what one document may have by default.
WEIGHTS = {b"{": 48, b"[": 26, b",": 18, b'"': 6}
# A name is shared by all objects that have it. Many names in few bytes and few objects are names that nothing shares.
KEY_WEIGHT = 100
SHARED_KEYS_PER_OBJECT = 3
BYTES_PER_SHARED_KEY = 100
# As long as no more than this part of the bound came, it is weighed roughly, which is quicker: most answers are small.
SMALL_PART = 32
SMALL = 1024 * 1024  # weight that is allowed in any case
_ZLIB_HEADER = 2  # bytes that tell deflate inside of zlib, as HTTP wants it, from raw deflate
_WINDOWS = {"gzip": 16 + zlib.MAX_WBITS, "x-gzip": 16 + zlib.MAX_WBITS, "deflate": zlib.MAX_WBITS}


class BodyReader:
    """
    Turns what arrives of one body into its content, within limits.

    :param request: What was asked, for errors.
    :param status: HTTP status of the answer.
    :param headers: Its headers, with lower-case names.
    :param limits: How much of it is allowed.
    :raises ContractError: The body is compressed in a way that was not asked for.
    """

    def __init__(self, request: Request, status: int, headers: Mapping[str, str], limits: Limits) -> None:
        self._request = request
        self._status = status
        self._limits = limits
        self._is_error = not 200 <= status < 300
        self._max_bytes = limits.max_error_bytes if self._is_error else limits.max_bytes
        self._decompressor = self._decompressor_for(headers.get("content-encoding", ""))
        self._bytes = 0
        self._weight = _Weight()
        # An error is read as far as allowed, and told with what was read of it.
        self.is_cut = False

    def feed(self, piece: bytes) -> Iterator[bytes]:
        """
        Yield the content of the next bytes that arrived, in pieces of `CHUNK_SIZE` bytes at most.

        :param piece: The bytes; empty at the end.
        :raises TooLargeError: It is more than is allowed, in the body of a success.
        :raises UnreachableError: It cannot be decompressed.
        """
        for content in self._content(piece) if self._decompressor else [piece]:
            if self.is_cut:
                return
            yield self._counted(content)

    def close(self) -> None:
        """
        Check that nothing of the body is missing.

        :raises UnreachableError: Its compressed content is broken off.
        """
        if self._decompressor and self._bytes and not self._decompressor.eof and not self.is_cut:
            raise self._broken("its compressed body is broken off")

    def _counted(self, content: bytes) -> bytes:
        self._bytes += len(content)
        if self._bytes <= self._max_bytes and not self._is_too_heavy(content):
            return content
        if not self._is_error:
            raise error_from_size(self._request, self._status, self._limits)
        self.is_cut = True
        return content[: max(0, len(content) - (self._bytes - self._max_bytes))]

    def _is_too_heavy(self, content: bytes) -> bool:
        if not self._limits.is_weighed:
            return False
        is_small = self._bytes <= self._max_bytes // SMALL_PART
        return self._weight.after(content, roughly=is_small) > max(self._max_bytes, SMALL)

    def _content(self, piece: bytes) -> Iterator[bytes]:
        decompressor = self._decompressor
        while piece and not self.is_cut:
            try:
                content = decompressor.decompress(piece, CHUNK_SIZE)
            except zlib.error:
                content, decompressor = b"", None
            if decompressor is None:
                raise self._broken("its compressed body cannot be decompressed")
            if content:
                yield content
            piece = decompressor.unconsumed_tail
            if decompressor.eof:
                piece = decompressor.unused_data
                # Several members may follow each other; zeros behind the last are padding.
                if not piece.strip(b"\0"):
                    return
                decompressor = self._decompressor = decompressor.next_member()

    def _decompressor_for(self, encoding: str) -> Any:
        encoding = encoding.strip().lower()
        if encoding in ("", "identity"):
            return None
        if encoding in _WINDOWS:
            return _Decompressor(encoding)
        if self._is_error:
            return None  # its status says enough
        # The encoding is not named: it may echo anything.
        raise ContractError(
            f"{self._request} was answered {self._status} in an encoding that was not asked for. "
            f"Only {ACCEPTED_ENCODINGS} can be read. Check the host and the proxy of {self._limits.connection}.",
            method=self._request.method,
            path=self._request.path,
            status=self._status,
        )

    def _broken(self, problem: str) -> UnreachableError:
        return UnreachableError(
            f"{self._request} was answered {self._status}, but {problem}. "
            f"Check the network and the proxy of {self._limits.connection}.",
            method=self._request.method,
            path=self._request.path,
            status=self._status,
        )


class _Weight:
    """Estimates the memory that a JSON text takes once it is read, without reading it."""

    def __init__(self) -> None:
        self._weight = 0
        self._bytes = 0
        self._objects = 0
        self._keys = 0
        self._ends_in_quote = False

    def after(self, content: bytes, *, roughly: bool = False) -> int:
        """Return the weight of all content up to and with the next."""
        if roughly:
            objects, lists, commas = map(content.count, (b"{", b"[", b","))
            self._weight += objects * WEIGHTS[b"{"] + lists * WEIGHTS[b"["] + commas * WEIGHTS[b","]
            self._weight += 2 * (objects + commas) * WEIGHTS[b'"']
            self._objects += objects
            self._bytes += len(content)
            return self._weight
        text = content.translate(None, b" \t\r\n")
        self._bytes += len(content)
        self._weight += sum(text.count(mark) * weight for mark, weight in WEIGHTS.items())
        self._objects += text.count(b"{")
        self._keys += text.count(b'":') + (self._ends_in_quote and text.startswith(b":"))
        if text:
            self._ends_in_quote = text.endswith(b'"')
        shared = self._objects * SHARED_KEYS_PER_OBJECT + self._bytes // BYTES_PER_SHARED_KEY
        return self._weight + max(0, self._keys - shared) * KEY_WEIGHT


class _Decompressor:
    """A `zlib` decompressor that also takes the raw deflate streams that some servers call `deflate`."""

    def __init__(self, encoding: str) -> None:
        self._encoding = encoding
        self._zlib = zlib.decompressobj(_WINDOWS[encoding])
        self._may_be_raw = encoding == "deflate"
        self._start = b""

    def decompress(self, piece: bytes, max_length: int) -> bytes:
        if self._may_be_raw:
            piece = self._start = self._start + piece
            if len(piece) < _ZLIB_HEADER:
                return b""
        try:
            content = self._zlib.decompress(piece, max_length)
        except zlib.error:
            if not self._may_be_raw:
                raise
            self._zlib = zlib.decompressobj(-zlib.MAX_WBITS)
            content = self._zlib.decompress(piece, max_length)
        self._may_be_raw = False
        return content

    def next_member(self) -> _Decompressor:
        return _Decompressor(self._encoding)

    @property
    def eof(self) -> bool:
        return self._zlib.eof

    @property
    def unused_data(self) -> bytes:
        return self._zlib.unused_data

    @property
    def unconsumed_tail(self) -> bytes:
        return self._zlib.unconsumed_tail


def error_from_size(request: Request, status: int | None, limits: Limits) -> LearningError:
    """
    Return the error for an answer that is larger than allowed.

    :param request: What was asked.
    :param status: HTTP status of the answer, if it came that far.
    :param limits: How much was allowed.
    """
    return TooLargeError(
        f"{request} was answered with more than {limits.max_bytes:,} bytes, or with more values than fit into them. "
        f"Nothing more was read. If the answer is right, raise {limits.bytes_setting} of {limits.connection}.",
        method=request.method,
        path=request.path,
        status=status,
    )
