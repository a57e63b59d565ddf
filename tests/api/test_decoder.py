"""Whatever bytes arrive, msgpack, PostgreSQL and Airflow's JSON can take the document."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from airflow_provider_learning360.api.changes import Watermark
from airflow_provider_learning360.api.contract import find_drift
from airflow_provider_learning360.api.decoder import decode_json, has_risky_escape
from airflow_provider_learning360.api.errors import ContractError, LearningError
from airflow_provider_learning360.api.models import ProgramSession
from airflow_provider_learning360.api.nesting import MAX_DEPTH
from airflow_provider_learning360.api.sanitizer import Sanitizer, is_unprintable, printable, sanitize
from airflow_provider_learning360.api.v1 import calls

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_learning360.api.messages import Response

ID = "60b8d2956e20ae1a0f8e44f1"

ANY_TEXT = st.text(st.characters(exclude_categories=[]), max_size=8)  # surrogates and NUL included
SURROGATES = st.text(st.sampled_from("\ud83d\ude00\udcff\x00a"), max_size=4)
NUMBERS = st.integers() | st.integers(min_value=2**62, max_value=2**70) | st.floats()
SCALARS = st.none() | st.booleans() | NUMBERS | ANY_TEXT | SURROGATES
VALUES: st.SearchStrategy[Any] = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(ANY_TEXT | SURROGATES, inner, max_size=3),
    max_leaves=6,
)


def assert_storable(value: Any) -> None:
    """Check that every serializer and store takes the value and returns the same."""
    text = json.dumps(value, allow_nan=False)
    assert json.loads(text) == value
    assert "\\u0000" not in text
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(value)) == value
    json.dumps(value, ensure_ascii=False).encode()


@given(VALUES)
@example({"name": "caf\ud83d"})
@example([2**70, -(2**70), math.nan, math.inf, -math.inf, 10**5000])
def test_every_value_becomes_storable(value: Any) -> None:
    assert_storable(sanitize(value))
    assert sanitize(sanitize(value)) == sanitize(value)


@given(VALUES)
def test_sanitizing_in_place_equals_sanitizing_a_copy(value: Any) -> None:
    expected, is_clean = sanitize(value), repr(sanitize(value)) == repr(value)
    one = Sanitizer()
    cleaned = one.sanitize(value)
    assert repr(cleaned) == repr(expected)
    assert one.has_changed is not is_clean
    assert cleaned is value or not isinstance(value, dict | list)


@given(VALUES, st.booleans())
def test_bytes_are_parsed_like_their_values(value: Any, escaped: bool) -> None:
    try:
        body = json.dumps(value, ensure_ascii=escaped).encode()
    except (UnicodeEncodeError, ValueError):
        body = json.dumps(value).encode()
    assert decode_json(body) == sanitize(json.loads(body))
    assert_storable(decode_json(body))


DIGITS = "7" * 5000


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (r'"caf\ud83d"', "caf\ufffd"),
        (r'"\ude00\ud83d"', "\ufffd\ufffd"),
        (r'"\ud83d\ude00"', "😀"),
        (r'"\\ud83d\ude00"', "\\ud83d\ufffd"),
        (r'"a\u0000b"', "a\ufffdb"),
        (str(2**63 - 1), 2**63 - 1),
        (str(2**63), str(2**63)),
        (str(-(2**63)), -(2**63)),
        (str(-(2**63) - 1), str(-(2**63) - 1)),
        ("1e400", "Infinity"),
        ("-1e400", "-Infinity"),
        ("NaN", "NaN"),
        ("-Infinity", "-Infinity"),
        ("1e308", 1e308),
    ],
)
def test_unstorable_value_is_replaced(text: str, value: Any) -> None:
    assert decode_json(text.encode()) == value
    assert decode_json(f'{{"a": [{text}]}}'.encode()) == {"a": [value]}


def test_number_of_many_digits_is_kept_as_a_fingerprint() -> None:
    kept = decode_json(DIGITS.encode())
    assert kept.startswith("integer of 5000 digits, SHA-256 ")
    assert kept == decode_json(DIGITS.encode()) != decode_json(DIGITS[:-1].encode() + b"8")


@pytest.mark.parametrize("opening", ["[", '{"a":'])
@pytest.mark.parametrize("depth", [MAX_DEPTH + 1, 400, 100_000])
def test_deep_nesting_is_refused(opening: str, depth: int) -> None:
    body = opening * depth + "1" + ("]" if opening == "[" else "}") * depth
    with pytest.raises(ValueError, match="nested too deeply"):
        decode_json(body.encode())


def test_usual_nesting_is_accepted() -> None:
    assert decode_json(b"[" * MAX_DEPTH + b"]" * MAX_DEPTH)


# The three calls that read a session: alone, in the list, in the streamed list.


def alone(body: bytes, answer: Callable[..., Response]) -> Any:
    return calls.get_program_session(ID).parse(answer(body)).document()


def in_list(body: bytes, answer: Callable[..., Response]) -> Any:
    (session,) = calls.list_program_sessions().parse(answer(b"[" + body + b"]")).sessions
    return session.document()


def in_stream(body: bytes, answer: Callable[..., Response]) -> Any:
    stream = calls.stream_program_sessions().parse(answer())
    # In small chunks, so that escapes are cut in two.
    body = b"[" + body + b"]"
    (item,) = [item for place in range(len(body)) for item in stream.feed(body[place : place + 1])]
    stream.close()
    return ProgramSession.model_validate(item).document()


@given(
    st.fixed_dictionaries(
        {"_id": st.just(ID)},
        optional={
            "name": ANY_TEXT | SURROGATES,
            "userLimit": NUMBERS,
            "programDuration": NUMBERS,
            "tutors": st.lists(SURROGATES, max_size=2),
            "customFields": st.lists(st.fixed_dictionaries({"value": VALUES}), max_size=2),
            "color": VALUES,
        },
    )
)
@example({"_id": ID, "userLimit": 2**70})
@example({"_id": ID, "userLimit": math.nan, "name": "caf\ud83d"})
def test_same_bytes_are_read_alike_by_every_call(document: dict[str, Any]) -> None:
    from airflow_provider_learning360.api.messages import Request, Response

    def answer(body: bytes = b"") -> Response:
        return Response(Request("GET", "/api/v1/thing"), 200, {}, body)

    body = json.dumps(document).encode()
    first, second, third = alone(body, answer), in_list(body, answer), in_stream(body, answer)
    assert first == second == third == sanitize(json.loads(body))
    assert_storable(first)


def test_drift_names_what_was_replaced(answer: Callable[..., Response]) -> None:
    body = rb'{"_id": "%s", "name": "caf\ud83d", "userLimit": 1%s, "col\u001bor": 1}' % (ID.encode(), b"0" * 30)
    session = calls.get_program_session(ID).parse(answer(body))
    assert find_drift(session).replaced == ("name", "userLimit")
    drift = str(find_drift(session))
    assert "replaced, since Airflow cannot store it: name, userLimit" in drift
    assert r"col\x1bor" in drift
    assert drift.isprintable()


def test_text_in_place_of_a_number_is_still_refused(answer: Callable[..., Response]) -> None:
    for value in ("12", "many", ""):
        with pytest.raises(ContractError, match="userLimit"):
            calls.get_program_session(ID).parse(answer(json.dumps({"_id": ID, "userLimit": value}).encode()))


@pytest.mark.parametrize("number", ["NaN", "Infinity", "1e400", "9" * 30])
def test_not_a_number_equals_itself(number: str, answer: Callable[..., Response]) -> None:
    body = f'{{"_id": "{ID}", "modifiedAt": "2026-03-01T08:00:00Z", "userLimit": {number}}}'.encode()
    one, two = (calls.get_program_session(ID).parse(answer(body)) for _ in range(2))
    assert Watermark.of(one, ["userLimit"]) == Watermark.of(two, ["userLimit"])
    assert_storable(Watermark.of(one, ["userLimit"]).to_dict())


def test_session_other_than_the_requested_one_is_refused(answer: Callable[..., Response]) -> None:
    with pytest.raises(ContractError, match="it has another _id"):
        calls.get_program_session(ID).parse(answer(b'{"_id": "60b8d2956e20ae1a0f8e44f2"}'))


@given(ANY_TEXT | SURROGATES | st.sampled_from(["\x1b[31m", "\u202eevil", "bell\x07", "line\u2028end", "\x85"]))
def test_error_is_printable_and_storable(text: str) -> None:
    error = LearningError(f"It says {text}.", path=text, code=text, retry_after=1e300)
    assert not any(map(is_unprintable, error.message.replace("\n", "")))
    assert_storable(error.to_dict())
    assert_storable(error.with_note(text).to_dict())


@pytest.mark.parametrize("seconds", [1e12, 1e300, math.inf, -1.0, math.nan])
def test_retry_after_can_be_stored(seconds: float) -> None:
    error = LearningError("Wait.", retry_after=seconds)
    assert error.retry_after is None or 0 <= error.retry_after < math.inf
    assert_storable(error.to_dict())


@given(ANY_TEXT)
def test_printable_text_controls_no_terminal(text: str) -> None:
    shown = printable(text)
    assert not set(shown) & set(
        "\x00\x07\x1b\x7f\x85\u2028\u2029\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
    )
    assert printable(shown) == shown
    shown.encode()


@pytest.mark.parametrize("before", ["", "\\n", '\\"' * 19, '\\"' * 20, "\\\\" * 40, "a\\u00e9" * 100])
@pytest.mark.parametrize(
    ("escape", "is_risky"), [("\\ud800", True), ("\\uDFFF", True), ("\\u0000", True), ("\\u0001", False)]
)
def test_risky_escape_is_found_behind_any_other(before: str, escape: str, is_risky: bool) -> None:
    assert has_risky_escape(f'"{before}{escape}"') == is_risky
    assert not has_risky_escape(f'"{before}"')
