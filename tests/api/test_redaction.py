"""Secrets are hidden in every encoding and combination of encodings; other text is unchanged."""

from __future__ import annotations

import base64
import html
import json
import string
from typing import TYPE_CHECKING
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from airflow_provider_learning360.api.errors import MAX_EXCERPT, redact
from airflow_provider_learning360.api.redaction import HIDDEN, SHORT, encoded_forms, hide_secrets
from case_samples import one_in

if TYPE_CHECKING:
    from collections.abc import Callable

KEY = "c4n4ry+KEY/of=&the%mine\"<'>\\"
PRINTABLE = "".join(one for one in string.printable if one.isprintable())
KEYS = st.text(PRINTABLE, min_size=SHORT, max_size=60).filter(
    # A secret of blanks and escapes only cannot be distinguished from other text.
    lambda key: key == key.strip() and sum(one.isalnum() for one in set(key)) >= 6
)


def in_base64(text: str, around: str = "") -> str:
    return base64.b64encode(f"{around}{text}".encode()).decode()


ENCODINGS: dict[str, Callable[[str], str]] = {
    "raw": lambda key: key,
    "URL": lambda key: quote(key, safe=""),
    "URL, path": quote,
    "URL, query": quote_plus,
    "URL, small letters": lambda key: "".join(f"%{ord(one):02x}" for one in key),
    "URL, twice": lambda key: quote(quote(key, safe=""), safe=""),
    "URL, three times": lambda key: quote(quote(quote(key, safe=""), safe=""), safe=""),
    "URL, some characters": lambda key: "".join(f"%{ord(one):02X}" if n % 2 else one for n, one in enumerate(key)),
    "HTML": html.escape,
    "HTML, twice": lambda key: html.escape(html.escape(key)),
    "HTML, numbers": lambda key: "".join(f"&#{ord(one)};" for one in key),
    "HTML, hexadecimal numbers": lambda key: "".join(f"&#x{ord(one):04X};" for one in key),
    "HTML of URL": lambda key: html.escape(quote(key)),
    "URL of HTML": lambda key: quote(html.escape(key), safe=""),
    "JSON": lambda key: json.dumps(key)[1:-1],
    "JSON, twice": lambda key: json.dumps(json.dumps(key))[3:-3],
    "JSON, all escaped": lambda key: "".join(f"\\u{ord(one):04x}" for one in key),
    "Python": lambda key: "".join(f"\\x{ord(one):02x}" for one in key),
    "hexadecimal": lambda key: key.encode().hex(),
    "hexadecimal, capitals": lambda key: key.encode().hex().upper(),
    "capitals": str.upper,
    "UTF-16 read as UTF-8": lambda key: key.encode("utf-16-le").decode(),
    "lines": lambda key: "\n ".join(key),
    "base64": in_base64,
    "base64, URL": lambda key: base64.urlsafe_b64encode(key.encode()).decode(),
    "base64, pair": lambda key: in_base64(key, "company:"),
    "base64, pair of another length": lambda key: in_base64(key, "company2:"),
    "base64, pair of a third length": lambda key: in_base64(key, "company22:"),
    "base64 of URL": lambda key: in_base64(quote(key, safe="")),
    "base64, twice": lambda key: in_base64(in_base64(key, "company:")),
    "base64 in URL": lambda key: quote(in_base64(key), safe=""),
    "base64, lines": lambda key: base64.encodebytes((key * 4).encode()).decode(),
}


@pytest.mark.parametrize("encode", one_in(3, ENCODINGS.values()), ids=ENCODINGS)
@given(KEYS)
@example(KEY)
@example("50%41 and %2541")
def test_secret_is_hidden_in_every_encoding(encode: Callable[[str], str], key: str) -> None:
    shown = hide_secrets(f"before <{encode(key)}> after", (key,))
    assert HIDDEN in shown
    assert shown.startswith("before <")
    assert shown.endswith("> after")
    left = shown.removeprefix("before <").removesuffix("> after").replace(HIDDEN, "")
    # The text around the key, encoded with it, may stay.
    assert len(left) <= len(encode("")) + 2


@given(st.text(max_size=200), KEYS)
def test_text_without_the_secret_stays_as_it_is(text: str, key: str) -> None:
    # A collision is possible in theory.
    assert hide_secrets(text, (key,)) in (text, text.replace(key, HIDDEN))


@given(st.text(), st.lists(st.text()))
def test_any_text_and_any_secrets_are_accepted(text: str, keys: list[str]) -> None:
    assert isinstance(hide_secrets(text, keys), str)


@pytest.mark.parametrize(
    ("text", "key", "shown"),
    [
        ("a bad apple", "a", "*** bad apple"),
        ("banana", "a", "banana"),
        ("apiKey=ab&next=1", "ab", "apiKey=***&next=1"),
        ("apiKey%3Dab%26next=1", "ab", "apiKey%3D***%26next=1"),
        ("about abacus", "ab", "about abacus"),
        ('{"key": "Demo"}', "demo", '{"key": "***"}'),
        ("democracy of demons", "demo", "democracy of demons"),
        ("the keys of demo-key", "demo-key", "the keys of ***"),
        ("nothing", "", "nothing"),
        ("nothing here", " ", "nothing here"),
    ],
)
def test_short_secret_is_hidden_only_as_a_word(text: str, key: str, shown: str) -> None:
    assert hide_secrets(text, (key,)) == shown


def test_short_secret_is_not_searched_in_base64() -> None:
    assert encoded_forms("ab").base64 == ()


def test_overlapping_secrets_are_hidden() -> None:
    assert hide_secrets("x canary-key-token y", ("canary-key", "key-token")) == "x *** y"


@pytest.mark.parametrize("length", range(MAX_EXCERPT - len(KEY) - 20, MAX_EXCERPT + 5, 7))
def test_secret_is_hidden_before_the_text_is_cut(length: int) -> None:
    key = "c4n4ry-of-the-mine"
    for text in (f"{'x' * length}-{key}", f"{'x ' * length}{key}", f"{'x' * length}{quote(quote(key + '/'))}"):
        assert not [size for size in range(6, len(key)) if redact(text, (key,)).rstrip("…").endswith(key[:size])]


@pytest.mark.parametrize(
    "part", ["x", "%25", "\\", "\\u005c", "\\\\u00", "&amp;", " ", "%c4", "&#x0000000", "\\u0063", "c4n4ry"]
)
def test_long_text_takes_a_few_passes(part: str) -> None:
    text = part * 100_000  # quadratic time would be minutes
    assert len(hide_secrets(text, (KEY, "t" * 2_000))) <= len(text)
