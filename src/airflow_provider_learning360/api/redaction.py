"""Hide secrets in texts, in plain and encoded as a URL, HTML, JSON, base64 or hexadecimal digits."""

from __future__ import annotations

import re
import string
from bisect import bisect_right
from functools import lru_cache
from html.entities import html5
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

HIDDEN = "***"
# A shorter secret is hidden as a whole word only: otherwise it would hide parts of ordinary words.
SHORT = 8
EDGE = 4  # characters of base64 before and after the secret that contain some of its bits
MAX_DECODINGS = 6  # how often a text is decoded: a proxy may encode again what the server encoded

# Backslashes are read from the first of them only: starting at each one would take quadratic time.
_ESCAPE = re.compile(
    r"%(?P<url>[0-9a-f]{2})|(?<!\\)\\++(?:u00|x)(?P<code>[0-9a-f]{2})|&#x0*(?P<hex>[0-9a-f]{1,5});?|&#0*(?P<number>[0-9]{1,6});?"
    r"|&(?P<name>[a-z]{2,31};)|\\(?P<char>[\"'/\\])|(?:\\[nrt]|[\s\0\ufffd\xad\u200b-\u200f\u2060\ufeff])+",
    re.IGNORECASE,
)
_LOWER = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)
_BASE64 = frozenset(string.ascii_letters + string.digits + "+/-_=")
_BASE64_LETTERS = string.ascii_uppercase + string.ascii_lowercase + string.digits + "+/"
_STANDARD_BASE64 = str.maketrans("-_", "+/")

Span = tuple[int, int]


class EncodedForms(NamedTuple):
    """
    The forms of a secret to search for, in lower case.

    :param plain: The secret, and the secret with the escapes in it decoded.
    :param base64: The part of its base64 and hexadecimal encodings that does not depend on the text around the secret.
    """

    plain: tuple[str, ...]
    base64: tuple[str, ...]


def hide_secrets(text: str, secrets: Iterable[str]) -> str:
    """
    Replace each secret by `***`, in every known encoding.

    :param text: The text.
    :param secrets: The secrets, not encoded.
    :returns: The text without secrets.
    """
    searched = [secret for secret in dict.fromkeys(secrets) if secret.strip()]
    if not searched or not text:
        return text
    spans = sorted(span for layers in _decodings(text) for secret in searched for span in _find(layers, secret))
    if not spans:
        return text
    parts, position = [], 0
    for start, end in spans:
        if start >= position:
            parts += [text[position:start], HIDDEN]
        position = max(position, end)
    return "".join([*parts, text[position:]])


@lru_cache(maxsize=256)
def encoded_forms(secret: str) -> EncodedForms:
    """
    Return the forms of a secret to search for in a decoded text.

    :param secret: The secret.
    :returns: The forms, without duplicates.
    """
    # Percent-encoding works on bytes: one character beyond ASCII is decoded into several.
    as_bytes = secret.encode("utf-8", "replace").decode("latin-1")
    decoded = [layers[-1].text for form in {secret, as_bytes} for layers in _decodings(form)]
    # In a query, a plus stands for a blank; decoding removes blanks.
    plain = [secret, *decoded, "".join(secret.split()), "+".join(secret.split())]
    encoded = [secret.encode("utf-8", "replace").hex()]
    for form in {secret, _percent_encoded(secret)}:
        once = list(_base64_cores(form))
        encoded += [*once, *(twice for core in once for twice in _base64_cores(core))]
    return EncodedForms(
        tuple(dict.fromkeys(one.translate(_LOWER) for one in plain if one)),
        tuple(dict.fromkeys(one.translate(_LOWER) for one in encoded if len(one) >= SHORT)),
    )


class _Layer:
    """A text with its escapes decoded once, and the position of each character in the source."""

    def __init__(self, source: str) -> None:
        self._parts: list[str] = []
        # For each part: where it begins here, and its span in the source.
        self._begins: list[int] = []
        self._sources: list[Span] = []
        self._length = position = 0
        for match in _ESCAPE.finditer(source):
            decoded = _decode(match)
            if decoded is None:
                continue
            self._add(source[position : match.start()], (position, match.start()))
            self._add(decoded, match.span())
            position = match.end()
        self._add(source[position:], (position, len(source)))
        self.text = "".join(self._parts)

    def _add(self, part: str, source: Span) -> None:
        if part:
            self._parts.append(part)
            self._begins.append(self._length)
            self._sources.append(source)
            self._length += len(part)

    def in_source(self, start: int, end: int) -> Span:
        """Return the span of these characters in the source."""
        return self._source_of(start)[0], self._source_of(end - 1)[1]

    def _source_of(self, position: int) -> Span:
        number = bisect_right(self._begins, position) - 1
        start, end = self._sources[number]
        begins = self._begins[number]
        ends = self._begins[number + 1] if number + 1 < len(self._begins) else len(self.text)
        if ends - begins == end - start:
            return start + position - begins, start + position - begins + 1
        return start, end


class _Plain:
    """The first layer: the text as it is."""

    def __init__(self, text: str) -> None:
        self.text = text

    def in_source(self, start: int, end: int) -> Span:
        """Return the same span."""
        return start, end


Layers = list[_Layer | _Plain]


def _decodings(text: str) -> Iterator[Layers]:
    """Yield the layers of the text decoded 0, 1, 2, ... times, until nothing is left to decode."""
    layers: Layers = [_Plain(text)]
    yield layers
    for _ in range(MAX_DECODINGS):
        layer = _Layer(layers[-1].text)
        if layer.text == layers[-1].text:
            return
        layers = [*layers, layer]
        yield layers


def _decode(match: re.Match[str]) -> str | None:
    """Return the character of an escape, an empty text for a blank, or None if it is not an escape."""
    code = match["url"] or match["code"] or match["hex"]
    if code:
        return chr(int(code, 16))
    if match["number"]:
        return chr(int(match["number"]))
    if match["name"]:
        return html5.get(match["name"]) or html5.get(match["name"].lower())
    return match["char"] or ""


def _find(layers: Layers, secret: str) -> Iterator[Span]:
    """Yield the spans in the text of a secret that the last layer contains."""
    forms, text = encoded_forms(secret), layers[-1].text
    lower = text.translate(_LOWER)
    for form in forms.plain:
        for place in _occurrences(lower, form):
            span = _in_text(layers, *place)
            if len(secret) >= SHORT or _is_word(text, place, layers[0].text, span):
                yield span
    if forms.base64:
        standard = lower.translate(_STANDARD_BASE64)
        for form in forms.base64:
            yield from (_in_text(layers, *_with_edges(text, *one)) for one in _occurrences(standard, form))


def _occurrences(text: str, form: str) -> Iterator[Span]:
    start = text.find(form)
    while start >= 0:
        yield start, start + len(form)
        start = text.find(form, start + len(form))


def _is_word(decoded: str, place: Span, text: str, span: Span) -> bool:
    """Whether a span is a whole word, in the decoded text (which has no blanks) or in the text as it is."""
    before = decoded[place[0] - 1 : place[0]].isalnum() and text[span[0] - 1 : span[0]].isalnum()
    after = decoded[place[1] : place[1] + 1].isalnum() and text[span[1] : span[1] + 1].isalnum()
    return not (before or after)


def _with_edges(text: str, start: int, end: int) -> Span:
    """Return the span with the characters around it that contain bits of the secret."""
    first, last = max(0, start - EDGE), min(len(text), end + EDGE)
    while start > first and text[start - 1] in _BASE64:
        start -= 1
    while end < last and text[end] in _BASE64:
        end += 1
    return start, end


def _in_text(layers: Layers, start: int, end: int) -> Span:
    for layer in reversed(layers):
        start, end = layer.in_source(start, end)
    return start, end


def _base64_cores(text: str) -> Iterator[str]:
    """Yield the base64 of a text at each possible offset in a longer one, without the ends that depend on the rest."""
    bits = "".join(f"{one:08b}" for one in text.encode("utf-8", "replace"))
    for skipped in (0, 4, 2):
        inner = bits[skipped:]
        digits = (inner[place : place + 6] for place in range(0, len(inner) - 5, 6))
        yield "".join(_BASE64_LETTERS[int(one, 2)] for one in digits)


def _percent_encoded(text: str) -> str:
    return "".join(
        one
        if (one.isascii() and one.isalnum()) or one in "-._~"
        else "".join(f"%{byte:02X}" for byte in one.encode("utf-8", "replace"))
        for one in text
    )
