"""
Mail headers as bytes, the same on every version of Python.

Python's own `email` package folds encoded words and long names wrongly, differently in each version
(python/cpython #80222, #92081, #120930, #144156).

Source: RFC 5322 (folding, quoted strings), RFC 2047 (encoded words).
"""

from __future__ import annotations

import base64
import re
from email.policy import EmailPolicy
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from email.headerregistry import Address

MAX_LINE_LENGTH = 76  # characters of a line that holds encoded words (RFC 2047, section 2)
_OVERHEAD = len("=?utf-8?b??=")
_WORDS = re.compile(r"[!-~]+(?: [!-~]+)*")
_ATOMS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?: [A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
_MAX_QUOTED_LENGTH = 60  # characters


class Header(str):
    """
    The value of a header, with its bytes.

    :param value: The value as people read it.
    :param name: Name of the header.
    :param lines: The header as it is sent, folded, without the last line break.
    :param addresses: The addresses in it.
    """

    name: str
    lines: bytes
    addresses: tuple[Address, ...]

    def __new__(cls, value: str, name: str, lines: str, addresses: tuple[Address, ...] = ()) -> Self:
        header = super().__new__(cls, value)
        header.name = name
        header.lines = lines.encode("ascii")
        header.addresses = addresses
        return header


def build_text_header(name: str, text: str) -> Header:
    """
    Return a header with a text, such as `Subject`.

    :param name: Name of the header.
    :param text: The text, on one line.
    """
    is_plain = _WORDS.fullmatch(text) and "=?" not in text
    return Header(text, name, _fold(f"{name}:", text.split(" ") if is_plain else _encode_words(text, len(name) + 2)))


def build_address_header(name: str, address: Address) -> Header:
    """
    Return a header with one address and the name of its owner, such as `To`.

    :param name: Name of the header.
    :param address: The address, in ASCII, with a name on one line, which may be empty.
    """
    shown, at = address.display_name, address.addr_spec
    words = [*_build_phrase(shown, len(name) + 2), f"<{at}>"] if shown else [at]
    return Header(f"{shown} <{at}>" if shown else at, name, _fold(f"{name}:", words), (address,))


class HeaderPolicy(EmailPolicy):
    """Policy of Python's `email`: a `Header` is sent unchanged, any other header on one line, in ASCII."""

    def header_store_parse(self, name: str, value: Any) -> tuple[str, Any]:
        """Return name and value as they are stored."""
        return (name, value) if isinstance(value, Header) else super().header_store_parse(name, value)

    def header_fetch_parse(self, name: str, value: Any) -> Any:
        """Return the value of a header, unchanged if it is a `Header`."""
        return value if isinstance(value, Header) else super().header_fetch_parse(name, value)

    def fold(self, name: str, value: Any) -> str:
        """Return a header as text, with its line break."""
        return self.fold_binary(name, value).decode("ascii")

    def fold_binary(self, name: str, value: Any) -> bytes:
        """Return a header as it is sent, with its line break."""
        lines = value.lines if isinstance(value, Header) else f"{name}: {value}".encode("ascii")
        return lines + self.linesep.encode("ascii")


def _build_phrase(text: str, used: int) -> list[str]:
    """Return the name of a person as the words of an address header."""
    if "=?" not in text and len(text) <= _MAX_QUOTED_LENGTH:
        if _ATOMS.fullmatch(text):
            return [text]
        if _WORDS.fullmatch(text):
            return ['"' + re.sub(r'(["\\])', r"\\\1", text) + '"']
    return _encode_words(text, used)


def _encode_words(text: str, used: int) -> list[str]:
    """
    Return a text as encoded words of whole characters.

    :param text: The text. Readers drop the spaces between encoded words, so its own spaces are inside them.
    :param used: Number of characters already used in the first line.
    """
    words, chunk, room = [], b"", MAX_LINE_LENGTH - used
    for character in text:
        encoded = character.encode("utf-8", "replace")
        if len(chunk) + len(encoded) > _count_bytes(room):
            words.append(chunk)
            chunk, room = b"", MAX_LINE_LENGTH - 1
        chunk += encoded
    return [f"=?utf-8?b?{base64.b64encode(one).decode('ascii')}?=" for one in [*words, chunk] if one]


def _count_bytes(room: int) -> int:
    """Return how many bytes fit into an encoded word of so many characters."""
    return (room - _OVERHEAD) // 4 * 3


def _fold(start: str, words: list[str]) -> str:
    """Return words on lines, each of at most `MAX_LINE_LENGTH` characters where its words allow it."""
    lines = [start]
    for word in words:
        if len(lines[-1]) + 1 + len(word) > MAX_LINE_LENGTH and lines[-1] != start:
            lines.append("")
        lines[-1] += f" {word}"
    return "\r\n".join(lines)
