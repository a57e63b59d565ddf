"""The body of a response, chunk by chunk: decompressed, counted, and never more of it than is allowed."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Any

from airflow_provider_learning360.api.errors import (
    ContractError,
    LearningError,
    TooLargeError,
    UnreachableError,
)
from airflow_provider_learning360.api.nesting import DeepSearch, find_marks

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from airflow_provider_learning360.api.messages import Limits, Request

# What the hooks ask for, and all that they decompress.
ACCEPTED_ENCODINGS = "gzip, deflate"

CHUNK_SIZE = 64 * 1024  # bytes that one step decompresses at most, so that a decompression bomb is counted in time
# Bytes of the limit that the values of a JSON text use up, by the marks in the text: some 0.4 of the memory that they
# need. An object needs 184 bytes, a list 56 or more, a short text 64, a number up to 32, a place in a list 8. With the
# default limit, one document may hold 500,000 learners of two fields.
WEIGHTS = {b"{": 48, b"[": 26, b",": 18, b'"': 6}
# Objects share the names of their fields. Many names in few bytes and few objects are not shared.
KEY_WEIGHT = 100
SHARED_KEYS_PER_OBJECT = 3
BYTES_PER_SHARED_KEY = 100
# Below this part of the limit, the weight is only estimated, which is quicker: most responses are small.
SMALL_PART = 32
SMALL = 1024 * 1024  # a weight that is always allowed
_ZLIB_HEADER = 2  # bytes that tell deflate in a zlib frame, as HTTP defines it, from raw deflate
_WINDOWS = {"gzip": 16 + zlib.MAX_WBITS, "x-gzip": 16 + zlib.MAX_WBITS, "deflate": zlib.MAX_WBITS}


class BodyReader:
    """
    Decompresses and counts one body as it arrives, within limits.

    :param request: The request, for errors.
    :param status: HTTP status of the response.
    :param headers: Headers of the response, with lower-case names.
    :param limits: How much may be read.
    :raises ContractError: The body has an encoding that was not asked for.
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
        self._deep_search = DeepSearch() if limits.is_weighed else None
        # Whether the body of an error was longer than allowed; the error shows its beginning.
        self.is_cut = False

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """
        Yield the content of the next bytes, decompressed, in chunks of `CHUNK_SIZE` bytes at most.

        :param chunk: The bytes as they arrived; empty at the end.
        :raises TooLargeError: The body of a success is larger than allowed.
        :raises UnreachableError: The body cannot be decompressed.
        """
        for content in self._decompressed(chunk) if self._decompressor else [chunk]:
            if self.is_cut:
                return
            yield self._counted(content)

    @property
    def is_shallow(self) -> bool:
        """Whether it is known that the JSON text of the body is not nested too deeply."""
        return self._deep_search is not None and not self._deep_search.may_be_deep

    def close(self) -> None:
        """
        Check that the body is complete.

        :raises UnreachableError: The compressed body is not complete.
        """
        if self._decompressor and self._bytes and not self._decompressor.eof and not self.is_cut:
            raise self._broken("its compressed body is not complete")

    def _counted(self, content: bytes) -> bytes:
        self._bytes += len(content)
        if self._bytes <= self._max_bytes and not self._is_too_heavy(content):
            return content
        if not self._is_error:
            raise error_from_size(self._request, self._status, self._limits)
        self.is_cut = True
        return content[: max(0, len(content) - (self._bytes - self._max_bytes))]

    def _is_too_heavy(self, content: bytes) -> bool:
        if self._deep_search is None:
            return False
        marks = find_marks(content)
        self._deep_search.add(content, marks)
        is_small = self._bytes <= self._max_bytes // SMALL_PART
        return self._weight.after(content, marks, roughly=is_small) > max(self._max_bytes, SMALL)

    def _decompressed(self, chunk: bytes) -> Iterator[bytes]:
        decompressor = self._decompressor
        while chunk and not self.is_cut:
            try:
                content = decompressor.decompress(chunk, CHUNK_SIZE)
            except zlib.error:
                content, decompressor = b"", None
            if decompressor is None:
                raise self._broken("its compressed body cannot be decompressed")
            if content:
                yield content
            chunk = decompressor.unconsumed_tail
            if decompressor.eof:
                chunk = decompressor.unused_data
                # A gzip body may have several members; zeros after the last are padding.
                if not chunk.strip(b"\0"):
                    return
                decompressor = self._decompressor = decompressor.next_member()

    def _decompressor_for(self, encoding: str) -> Any:
        encoding = encoding.strip().lower()
        if encoding in ("", "identity"):
            return None
        if encoding in _WINDOWS:
            return _Decompressor(encoding)
        if self._is_error:
            return None  # the status says enough
        # The error does not show the encoding, which may echo a secret.
        raise ContractError(
            f"{self._request} returned {self._status} in an encoding that was not asked for. "
            f"Only {ACCEPTED_ENCODINGS} can be read. Check the host and the proxy of {self._limits.connection}.",
            method=self._request.method,
            path=self._request.path,
            status=self._status,
        )

    def _broken(self, problem: str) -> UnreachableError:
        return UnreachableError(
            f"{self._request} returned {self._status}, but {problem}. "
            f"Check the network and the proxy of {self._limits.connection}.",
            method=self._request.method,
            path=self._request.path,
            status=self._status,
        )


class _Weight:
    """Estimates the memory that the values of a JSON text take, without parsing it."""

    def __init__(self) -> None:
        self._weight = 0
        self._bytes = 0
        self._objects = 0
        self._keys = 0
        self._ends_in_quote = False

    def after(self, content: bytes, marks: bytes, *, roughly: bool = False) -> int:
        """Add content, with what `find_marks` returns for it; return the weight of all that was added."""
        objects = marks.count(b"{")
        self._objects += objects
        self._bytes += len(content)
        if roughly:
            commas = marks.count(b",")
            self._weight += objects * WEIGHTS[b"{"] + marks.count(b"[") * WEIGHTS[b"["] + commas * WEIGHTS[b","]
            self._weight += 2 * (objects + commas) * WEIGHTS[b'"']
            return self._weight
        text = content.translate(None, b" \t\r\n")
        self._weight += sum(marks.count(mark) * weight for mark, weight in WEIGHTS.items())
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

    def decompress(self, chunk: bytes, max_length: int) -> bytes:
        if self._may_be_raw:
            chunk = self._start = self._start + chunk
            if len(chunk) < _ZLIB_HEADER:
                return b""
        try:
            content = self._zlib.decompress(chunk, max_length)
        except zlib.error:
            if not self._may_be_raw:
                raise
            self._zlib = zlib.decompressobj(-zlib.MAX_WBITS)
            content = self._zlib.decompress(chunk, max_length)
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
    Build the error for a response that is larger than allowed.

    :param request: The request.
    :param status: HTTP status of the response, or None if it did not come that far.
    :param limits: How much was allowed.
    :returns: The error.
    """
    return TooLargeError(
        f"{request} returned more than {limits.max_bytes:,} bytes, or more values than fit into them. "
        f"The rest was not read. If the response is right, raise {limits.bytes_setting} of {limits.connection}.",
        method=request.method,
        path=request.path,
        status=status,
    )
