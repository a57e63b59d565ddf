"""
Mail headers as bytes, the same on every version of Python.

Python's own `email` package folds encoded words and long names wrongly, in each version differently
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

LINE = 76  # characters of a line that holds encoded words (RFC 2047, section 2)
_OVERHEAD = len("=?utf-8?b??=")
_WORDS = re.compile(r"[!-~]+(?: [!-~]+)*")
_ATOMS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?: [A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
_LONGEST_QUOTED = 60  # characters


class Header(str):
    """
    The value of a header, with its bytes.

    :param value: The value as people read it.
    :param name: Name of the header.
    :param lines: The header as it is sent, folded, without the last line end.
    :param addresses: The addresses that it holds.
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


def text_header(name: str, text: str) -> Header:
    """
    Return a header that holds a text, such as `Subject`.

    :param name: Name of the header.
    :param text: The text, on one line.
    """
    is_plain = _WORDS.fullmatch(text) and "=?" not in text
    return Header(text, name, _folded(f"{name}:", text.split(" ") if is_plain else _encoded_words(text, len(name) + 2)))


def address_header(name: str, address: Address) -> Header:
    """
    Return a header that holds one address with the name of its owner, such as `To`.

    :param name: Name of the header.
    :param address: The address, in ASCII; the name of its owner is on one line, and may be empty.
    """
    shown, at = address.display_name, address.addr_spec
    words = [*_phrase(shown, len(name) + 2), f"<{at}>"] if shown else [at]
    return Header(f"{shown} <{at}>" if shown else at, name, _folded(f"{name}:", words), (address,))


class HeaderPolicy(EmailPolicy):
    """A policy of Python's `email` under which a `Header` is sent as it is, and all else on one line, in ASCII."""

    def header_store_parse(self, name: str, value: Any) -> tuple[str, Any]:
        """Return name and value as they are stored."""
        return (name, value) if isinstance(value, Header) else super().header_store_parse(name, value)

    def header_fetch_parse(self, name: str, value: Any) -> Any:
        """Return a value as it is read."""
        return value if isinstance(value, Header) else super().header_fetch_parse(name, value)

    def fold(self, name: str, value: Any) -> str:
        """Return a header as text, with its line end."""
        return self.fold_binary(name, value).decode("ascii")

    def fold_binary(self, name: str, value: Any) -> bytes:
        """Return a header as it is sent, with its line end."""
        lines = value.lines if isinstance(value, Header) else f"{name}: {value}".encode("ascii")
        return lines + self.linesep.encode("ascii")


def _phrase(text: str, used: int) -> list[str]:
    """Return the name of a person as words of an address header."""
    if "=?" not in text and len(text) <= _LONGEST_QUOTED:
        if _ATOMS.fullmatch(text):
            return [text]
        if _WORDS.fullmatch(text):
            return ['"' + re.sub(r'(["\\])', r"\\\1", text) + '"']
    return _encoded_words(text, used)


def _encoded_words(text: str, used: int) -> list[str]:
    """
    Return a text as encoded words, each of whole characters.

    :param text: The text. Blanks between encoded words are not part of it, so all of its own are inside of them.
    :param used: Characters of the first line that are taken.
    """
    words, chunk, room = [], b"", LINE - used
    for character in text:
        encoded = character.encode("utf-8", "replace")
        if len(chunk) + len(encoded) > _bytes_in(room):
            words.append(chunk)
            chunk, room = b"", LINE - 1
        chunk += encoded
    return [f"=?utf-8?b?{base64.b64encode(one).decode('ascii')}?=" for one in [*words, chunk] if one]


def _bytes_in(room: int) -> int:
    return (room - _OVERHEAD) // 4 * 3


def _folded(start: str, words: list[str]) -> str:
    """Return words on lines, each of `LINE` characters at most where its words allow it."""
    lines = [start]
    for word in words:
        if len(lines[-1]) + 1 + len(word) > LINE and lines[-1] != start:
            lines.append("")
        lines[-1] += f" {word}"
    return "\r\n".join(lines)
