"""Scalars follow the core schema of YAML 1.2, compared with a second implementation of it."""

from __future__ import annotations

import math
import string
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from airflow_provider_learning360.yaml_loader import YamlError, check_yaml, find_key_line, load_json_or_yaml, load_yaml

DIGITS, OCTAL = set(string.digits), set("01234567")


def core_value(text: str) -> Any:
    """The value of a plain scalar, character by character (YAML 1.2.2, 10.3.2)."""
    words = {"": None, "~": None, "null": None, "Null": None, "NULL": None}
    words |= {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
    words |= dict.fromkeys([".nan", ".NaN", ".NAN"], math.nan)
    for infinity in (".inf", ".Inf", ".INF"):
        words |= {infinity: math.inf, f"+{infinity}": math.inf, f"-{infinity}": -math.inf}
    if text in words:
        return words[text]
    if text[:2] == "0o" and text[2:] and set(text[2:]) <= OCTAL:
        return sum(int(digit) * 8**place for place, digit in enumerate(reversed(text[2:])))
    if text[:2] == "0x" and text[2:] and set(text[2:]) <= set(string.hexdigits):
        return sum(int(digit, 16) * 16**place for place, digit in enumerate(reversed(text[2:])))
    sign, rest = (text[0], text[1:]) if text[:1] in ("+", "-") else ("", text)
    if rest and set(rest) <= DIGITS:
        return -int(rest) if sign == "-" else int(rest)
    return float(text) if is_float(rest) else text


def is_float(text: str) -> bool:
    mantissa, *exponent = text.replace("E", "e").split("e")
    whole, *fraction = mantissa.split(".")
    if len(exponent) > 1 or len(fraction) > 1 or not set("".join([whole, *fraction])) <= DIGITS:
        return False
    power = "".join(exponent).removeprefix("+") if "+" in text else "".join(exponent).removeprefix("-")
    return bool(whole or "".join(fraction)) and (not exponent or (bool(power) and set(power) <= DIGITS))


WORDS = ["true", "false", "null", "on", "yes", "inf", "nan", "~", "0x", "0o", "0b", "1", "e", "_", ".", "+", "-", ":"]
PLAIN = st.lists(st.sampled_from([*WORDS, *string.ascii_letters, *string.digits]), max_size=6).map("".join) | st.text(
    "0123456789+-.eExoabinfINFtrueTRUEfalsenullNULL_:", max_size=12
)


@given(PLAIN)
@example("true_story")
@example("false_start")
@example("20:00")
@example("2026-01-01")
@example("=")
@example("<<")
def test_plain_scalars_follow_the_core_schema(text: str) -> None:
    # Here, an indicator of YAML does not begin a plain scalar.
    assume(not text.endswith(":") and text not in ("-", "---") and not text.startswith(":"))
    (value,) = load_yaml(f"- {text}\n")
    expected = core_value(text)
    assert type(value) is type(expected)
    assert value == expected or (math.isnan(value) and math.isnan(expected))
    assert load_yaml(f"- '{text}'\n") == [text]


@pytest.mark.parametrize(
    "tag", ["bool", "int", "float", "null", "timestamp", "set", "omap", "binary", "python/name:os"]
)
@pytest.mark.parametrize("value", ["maybe", "'x'", "[a]", "{a: b}", "''"])
def test_wrong_tag_is_refused(tag: str, value: str) -> None:
    if (tag, value) == ("null", "''"):
        return
    with pytest.raises(YamlError, match="line 1, column"):
        load_yaml(f"a: !!{tag} {value}\n")


@given(st.text())
def test_any_text_is_loaded_or_refused(text: str) -> None:
    with suppress(YamlError):
        load_yaml(text)


@pytest.mark.parametrize(
    "digits", ["1" * 5000, "0x" + "f" * 4000, "0o" + "7" * 4000, "-" + "9" * 4000, "!!int " + "1" * 30]
)
@pytest.mark.parametrize("text", ["a: {}\n", "? {}\n: a\n", "[[{}]]\n"])
def test_integer_beyond_64_bits_is_refused(digits: str, text: str) -> None:
    with pytest.raises(YamlError, match=r"line 1, column [0-9]+: the int has too many digits"):
        load_yaml(text.format(digits))


@given(st.integers(-(2**70), 2**70), st.sampled_from(["{}", "{:#x}", "{:#o}"]))
@example(2**63 - 1, "{:#x}")
@example(2**63, "{:#x}")
@example(-(2**63), "{}")
@example(-(2**63) - 1, "{}")
def test_integers_of_64_bits_are_loaded(number: int, written: str) -> None:
    text = written.format(number if written == "{}" else abs(number))
    meant = int(text, 0)
    try:
        assert load_yaml(f"- {text}\n") == [meant]
    except YamlError:
        assert not -(2**63) <= meant < 2**63
    else:
        assert -(2**63) <= meant < 2**63


@given(st.integers(0x110000, 0xFFFFFFFF), st.sampled_from(["a: {}\n", "{}: a\n", "- [{}]\n"]))
@example(0x110000, "a: {}\n")
@example(0xFFFFFFFF, "a: {}\n")
def test_escape_beyond_unicode_is_refused(code: int, text: str) -> None:
    written = text.format(f'"\\U{code:08X}"')
    for read in (load_yaml, check_yaml):
        with pytest.raises(YamlError, match="which is no character"):
            read(written)
    with pytest.raises(YamlError, match="which is no character"):
        check_yaml(written, syntax=False)


def test_version_with_too_many_digits_is_refused() -> None:
    for read in (load_yaml, check_yaml):
        with pytest.raises(YamlError, match="too many digits"):
            read(f"%YAML 1.{'1' * 5000}\n---\na: b\n")


ONES = ["1", "0x1", "0o1", "+1", "01", "1.0", "1e0", "true", "True", "TRUE", "'1'", "'true'"]
OTHERS = ["false", "0", "-0", "~", "null", "NULL", "", "a", "'a'", '"a"']


@given(st.lists(st.sampled_from(ONES + OTHERS), min_size=1, max_size=4))
@example(["1", "0x1"])
@example(["true", "True"])
@example(["~", "null"])
@example(["1", "'1'"])
def test_duplicate_keys_are_refused(keys: list[str]) -> None:
    values = [load_yaml(f"- {key}\n")[0] for key in keys]
    text = "".join(f"? {key}\n: {place}\n" for place, key in enumerate(keys))
    try:
        assert load_yaml(text) == dict(zip(values, range(len(keys)), strict=True))
    except YamlError as error:
        assert "duplicate key" in str(error)  # noqa: PT017
        assert len(set(values)) < len(keys) or len({key.strip("'\"") for key in keys}) < len(keys)
    else:
        assert len(set(values)) == len(keys)


def test_merged_keys_can_be_overridden() -> None:
    text = "a: &a {1: x, 2: y}\nb: &b {<<: *a, 0x1: z}\nc: {<<: [*b, *a], 2: w}\n"
    assert load_yaml(text) == {"a": {1: "x", 2: "y"}, "b": {1: "z", 2: "y"}, "c": {1: "z", 2: "w"}}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: b\n? [x]\n: c\n", "line 2: a key is a list or a mapping"),
        ("{{x: y}: c}\n", "line 1: a key is a list or a mapping"),
        ("a: !mine b\n", "line 1, column 4: tag '!mine' is not known; remove it"),
    ],
)
def test_errors_say_what_to_do(text: str, words: str) -> None:
    with pytest.raises(YamlError) as caught:
        load_yaml(text)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("keys", "line"),
    [
        (["dag_id"], 1),
        (["steps", "two", "fields"], 6),
        (["steps", "two", "missing"], 5),
        (["steps", "missing"], 2),
        (["missing"], None),
        (["dag_id", "deeper"], 1),
    ],
)
def test_line_of_a_key_is_found(keys: list[str], line: int | None) -> None:
    text = "dag_id: it\nsteps:\n  one:\n    blueprint: a\n  two:\n    fields: [name]\n"
    assert find_key_line(text, keys) == line


def test_json_may_be_indented_with_tabs() -> None:
    assert load_json_or_yaml('{\n\t"a": [1, 2]\n}') == {"a": [1, 2]}
    assert load_json_or_yaml("{a: 1}") == load_json_or_yaml("a: 1") == {"a": 1}


@pytest.mark.parametrize("text", ['{"a": 1, "a": 2}', '[{"b": {"a": 1,\t"a": 2}}]', "{a: 1, a: 2}", "a: 1\na: 2"])
def test_duplicate_keys_are_refused_in_json_and_yaml(text: str) -> None:
    with pytest.raises(YamlError, match="duplicate key 'a'"):
        load_json_or_yaml(text)
