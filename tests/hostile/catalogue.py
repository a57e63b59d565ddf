"""
The attacks of the hostile server, one entry each. To add an attack, add an entry: all tests of this folder run it.

The fields of an entry beside name, description and kind:

- `respond`: what the server sends; see `responses.py`.
- `routes`: routes that the attack applies to; default all.
- `bounded_by`: settings of which the error must name one, because the attack exceeds a bound.
- `must_succeed`: whether the call must return a result; otherwise a typed error is right as well.
- `is_error`: whether the response is an error, so that the bound of errors applies.
- `rest_is_read`: whether a list must return the healthy session after the attacked one.
- `watch`: fields that a sensor or an asset must watch to see the attack.
"""

# ruff: noqa: E501 - one attack a line

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import sha256
from typing import Literal

from hostile.responses import (
    SESSION_ID,
    Pause,
    Request,
    Reset,
    Responder,
    Route,
    around_long_number,
    around_long_text,
    bomb,
    chunk,
    drip,
    endless,
    error_response,
    fields,
    filled,
    filled_list,
    flood,
    hang,
    head,
    healthy_body,
    huge_item,
    item,
    items,
    named_fields,
    raw_response,
    redirect,
    sized,
    whole,
    with_headers,
)

Kind = Literal[
    "text",
    "number",
    "nesting",
    "size",
    "time",
    "wait",
    "token",
    "item",
    "date",
    "header",
    "redirect",
    "connection",
    "echo",
]

EVERYWHERE: tuple[Route, ...] = ("session", "list", "users", "stats", "token")
DOCUMENTS: tuple[Route, ...] = ("session", "list", "users", "stats")
SESSIONS: tuple[Route, ...] = ("session", "list")
SIZES = ("max_document_bytes", "max_list_bytes", "max_error_bytes")
TIMES = ("max_document_seconds", "max_list_seconds", "timeout")


@dataclass(frozen=True)
class Attack:
    """A hostile response; the text above explains the fields."""

    name: str
    description: str
    kind: Kind
    respond: Responder = field(repr=False)
    routes: tuple[Route, ...] = EVERYWHERE
    bounded_by: tuple[str, ...] = ()
    must_succeed: bool = False
    is_error: bool = False
    rest_is_read: bool = False
    watch: tuple[str, ...] = ()

    @property
    def session_id(self) -> str:
        """The session ID that selects this attack."""
        return sha256(self.name.encode()).hexdigest()[:24]


def json_head(request: Request) -> bytes:
    """Begin a response with a body of unknown length."""
    return head(headers=[("Transfer-Encoding", "chunked")])


def half_head(request: Request) -> bytes:
    """Begin a response that is still in its headers."""
    return b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


def begun_body(request: Request) -> bytes:
    """Begin a response that is in the middle of its body."""
    return json_head(request) + chunk(around_long_text(request)[0])


def number(text: str, **more: str) -> Responder:
    """Put a number into a known field, an unknown one, and a nested one."""
    return fields(userLimit=text, levelOfTrust=text, customFields=f'[{{"_id": "c1", "value": [{text}]}}]', **more)


def text(value: str) -> Responder:
    """Put a JSON text into a known field, an unknown one, and a nested one."""
    return fields(name=value, firstName=value, motto=value, customFields=f'[{{"name": {value}, "value": {value}}}]')


def after(*lines: bytes) -> Responder:
    """Send these bytes, and a healthy response after them."""
    return lambda request: [*lines, whole(healthy_body(request).encode())]


def cut(request: Request) -> list[bytes]:
    """Send a response up to the middle of its body."""
    return [whole(healthy_body(request).encode())[:-20]]


def reset(request: Request) -> list[bytes | Pause | Reset]:
    """Send a response up to the middle of its body, and reset the connection."""
    return [*cut(request), Pause(0.05), Reset()]


def nested(begin: str, end: str) -> Responder:
    """Nest 100,000 levels in an unknown field."""
    return fields(nested=begin * 100_000 + "1" + end * 100_000)


def wait(retry_after: str, status: int = 429) -> Responder:
    """Request a pause."""
    return error_response('"slow down"', status, headers=[("Retry-After", retry_after)])


def expires(text: str) -> Responder:
    """Give a token with this lifetime."""
    return fields(expires_in=text)


def token(text: str) -> Responder:
    """Give this as the token."""
    return fields(access_token=text)


def echo_header(name: str, status: int = 200) -> Responder:
    """Send the echo as the value of a header, with a healthy body."""
    return lambda request: [whole(healthy_body(request).encode(), status, headers=[(name, request.echo)])]


def echo_body(begin: str, end: str, status: int = 200) -> Responder:
    """Send the echo between two texts."""
    return lambda request: [whole(f"{begin}{request.echo}{end}".encode(), status)]


# fmt: off
NINES = "9" * 5000
TEXT = [
    Attack("surrogate_in_name", "half an emoji in names", "text", text(r'"caf\ud83d"'), rest_is_read=True, watch=("name",)),
    Attack("surrogate_in_field_name", "half an emoji in the name of a field", "text", named_fields({r'"caf\ud83d"': "1"}), rest_is_read=True),
    Attack("surrogate_in_403", "half an emoji in the message of a 403", "text", error_response(r'"caf\ud83d is closed"', 403)),
    Attack("surrogate_in_500", "half an emoji in the message of a 500", "text", error_response(r'"caf\udc00"', 500)),
    Attack("surrogate_in_error_code", "half an emoji in an error object", "text", raw_response(whole(rb'{"error": {"code": "\udfff"}}', 400))),
    Attack("raw_bytes_in_location", "bytes that are no UTF-8 in `Location`, same host", "text", redirect(lambda request: "/caf\udce9\udcff")),
    Attack("raw_bytes_in_far_location", "the same, other host", "text", redirect(lambda request: "http://caf\udce9.example.com/\udcff")),
    Attack("raw_bytes_in_reason", "bytes that are no UTF-8 in the reason phrase", "text", raw_response(whole(b"{}", 403, "caf\udce9"))),
    Attack("nul_in_name", "U+0000 in names", "text", text(r'"a\u0000b"'), rest_is_read=True, watch=("name",)),
    Attack("nul_in_403", "U+0000 in the message of a 403", "text", error_response(r'"a\u0000b"', 403)),
    Attack("escape_codes", "ESC, BEL and CR in names", "text", text(r'"\u001b[2J\u001b]0;owned\u0007\r\nINFO all is well"'), rest_is_read=True, watch=("name",)),
    Attack("escape_codes_in_403", "ESC, BEL, line ends and C1 codes in the message of a 403", "text", error_response(r'"\u001b[31m\u0007\r\nfine\u2028\u009b2J"', 403)),
    Attack("bidi", "bidi overrides in names", "text", text(r'"\u202egpj.exe\u2066\u2069"'), rest_is_read=True, watch=("name",)),
    Attack("bidi_in_403", "bidi overrides and invisible characters in the message of a 403", "text", error_response(r'"\u202egpj\u2066\ufeff\u200e"', 403)),
    Attack("invalid_utf8", "bytes that are no UTF-8 in names", "text", fields(name='"caf\udce9\udcff"', firstName='"\udcff"'), rest_is_read=True),
    Attack("invalid_utf8_in_403", "bytes that are no UTF-8 as an error", "text", raw_response(whole(b"\xff\xfe{}\x80caf\xe9\x00\x1b", 403))),
    Attack("encoded_surrogate", "a surrogate as three bytes of UTF-8 (CESU)", "text", fields(name='"\udced\udca0\udcbd"'), rest_is_read=True),
    Attack("byte_order_mark", "a byte order mark before the JSON", "text", lambda request: [whole(b"\xef\xbb\xbf" + healthy_body(request).encode())]),
    Attack("utf16", "JSON in UTF-16", "text", lambda request: [whole(healthy_body(request).encode("utf-16"))]),
    Attack("long_name", "a name of 100,000 characters", "text", text(f'"{"n" * 100_000}"'), rest_is_read=True, watch=("name",)),
    Attack("template_in_name", "Jinja in names", "text", text('"{{ conn.learning360_default.password }} {# 3"'), rest_is_read=True, watch=("name",)),
]
NUMBERS = [
    Attack("integer_2_70", "2**70", "number", number(str(2**70)), rest_is_read=True, watch=("userLimit",)),
    Attack("integer_minus_2_70", "-2**70", "number", number(str(-(2**70))), rest_is_read=True, watch=("userLimit",)),
    Attack("integer_2_64", "2**64, one more than msgpack takes", "number", number(str(2**64)), rest_is_read=True, watch=("userLimit",)),
    Attack("integer_2_63", "2**63, one more than PostgreSQL takes", "number", number(str(2**63)), rest_is_read=True, watch=("userLimit",)),
    Attack("integer_10_400", "10**400, too large for a float", "number", number(str(10**400)), rest_is_read=True, watch=("userLimit",)),
    Attack("integer_5000_digits", "5,000 digits, more than Python reads", "number", number(NINES), rest_is_read=True, watch=("userLimit",)),
    Attack("nan", "NaN", "number", number("NaN"), rest_is_read=True, watch=("userLimit",)),
    Attack("infinity", "Infinity", "number", number("Infinity"), rest_is_read=True, watch=("userLimit",)),
    Attack("minus_infinity", "-Infinity", "number", number("-Infinity"), rest_is_read=True, watch=("userLimit",)),
    Attack("float_1e400", "1e400", "number", number("1e400"), rest_is_read=True, watch=("userLimit",)),
    Attack("float_tiny", "1e-400", "number", number("1e-400"), rest_is_read=True, watch=("userLimit",)),
    Attack("integers_in_statistics", "2**70 and NaN in known fields of statistics", "number", fields(registered=str(2**70), completed="NaN", attendees=NINES), rest_is_read=True),
    Attack("number_as_name", "2**70 as a name", "number", fields(name=str(2**70), firstName=str(2**70)), rest_is_read=True),
]
NESTING = [
    Attack("deep_arrays", "100,000 arrays in one another", "nesting", nested("[", "]"), rest_is_read=True),
    Attack("deep_objects", "100,000 objects in one another", "nesting", nested('{"a":', "}"), rest_is_read=True),
    Attack("deep_unclosed", "100,000 arrays that never end", "nesting", fields(nested="[" * 100_000)),
    Attack("deep_root", "100,000 arrays as the whole body", "nesting", raw_response(whole(b"[" * 100_000 + b"]" * 100_000))),
    Attack("deep_error", "100,000 arrays as an error", "nesting", raw_response(whole(b'{"error":' * 100_000 + b"1" + b"}" * 100_000, 403)), is_error=True),
    Attack("deep_watched", "900 arrays in a known field", "nesting", fields(customFields='[{"value": ' + "[" * 900 + "]" * 900 + "}]"), rest_is_read=True, watch=("customFields",)),
]
MANY = b'{"_id": "aaaaaaaaaaaaaaaaaaaaaaaa", "name": "one of many", "modifiedAt": "2026-01-01T00:00:00.000Z"}, '
SIZE = [
    Attack("endless_text", "a JSON text that never ends", "size", endless(around_long_text, b"A"), bounded_by=SIZES),
    Attack("endless_items", "a list that never ends", "size", endless(lambda request: (b"[", b"{}]"), MANY), bounded_by=SIZES),
    Attack("endless_digits", "a number that never ends", "size", endless(around_long_number, b"1"), bounded_by=SIZES),
    Attack("endless_blanks", "blanks that never end before the document", "size", endless(lambda request: (b"", healthy_body(request).encode()), b" "), bounded_by=SIZES),
    Attack("endless_blanks_after", "blanks that never end behind the document", "size", endless(lambda request: (healthy_body(request).encode(), b""), b"\n"), bounded_by=SIZES),
    Attack("endless_garbage", "bytes that never end and are no JSON", "size", endless(lambda request: (b"", b""), b"\xff\x00<"),),
    Attack("endless_403", "the message of a 403 never ends", "size", endless(lambda request: (b'{"message": "', b'"}'), b"A", status=403), is_error=True),
    Attack("endless_500", "the page of a 500 never ends", "size", endless(lambda request: (b"<html>", b""), b"<p>", status=500), is_error=True),
    Attack("endless_redirect", "the body of a redirect never ends", "size", endless(lambda request: (b"<html>", b""), b"<p>", status=302), is_error=True),
    Attack("gzip_bomb", "gzip, 1000 bytes out of one", "size", bomb("gzip", 31), bounded_by=SIZES),
    Attack("gzip_bomb_in_403", "the same as an error", "size", bomb("gzip", 31, status=403), is_error=True),
    Attack("gzip_of_gzip", "gzip in gzip, both announced", "size", bomb("gzip, gzip", 31, 31)),
    Attack("gzip_of_gzip_hidden", "gzip in gzip, one announced", "size", bomb("gzip", 31, 31)),
    Attack("deflate_bomb", "deflate, 1000 bytes out of one", "size", bomb("deflate", 15), bounded_by=SIZES),
    Attack("raw_deflate_bomb", "deflate without its frame", "size", bomb("deflate", -15)),
    Attack("broken_gzip", "announced as gzip, but not compressed", "size", with_headers(("Content-Encoding", "gzip"))),
    Attack("brotli", "`Content-Encoding: br` that was not requested", "size", with_headers(("Content-Encoding", "br"))),
    Attack("zstd", "`Content-Encoding: zstd` that was not requested", "size", with_headers(("Content-Encoding", "zstd"))),
    Attack("many_encodings", "1,000 encodings of one body", "size", with_headers(("Content-Encoding", ", ".join(["gzip"] * 1000)))),
    Attack("one_byte_over", "one byte over the bound", "size", sized(1), bounded_by=SIZES),
    Attack("at_the_bound", "just what the bound allows", "size", sized(0), routes=DOCUMENTS, must_succeed=True),
    Attack("many_small_arrays", "empty arrays up to the bound, which unfold to 30 times as much", "size", filled("[", "[],", "0]")),
    Attack("many_small_objects", "empty objects up to the bound", "size", filled("[", "{},", "0]")),
    Attack("many_small_dictionaries", "objects of one key up to the bound", "size", filled("[", '{"a":1},', "0]")),
    Attack("many_beside_surrogate", "half an emoji beside as many objects as the bound takes", "size", filled(r'["\ud800",', '{"a":1},', "0]", 1 / 11)),
    Attack("many_small_sessions", "sessions of an `_id` only up to the bound", "size", filled_list('{"_id":"aaaaaaaaaaaaaaaaaaaaaaaa"},'), ("list",)),
    Attack("many_small_numbers", "numbers up to the bound", "size", filled("[", "1.5,", "0]")),
    Attack("long_content_length", "`Content-Length` of 10**12, and few bytes", "size", lambda request: [head(Content_Length=10**12) + healthy_body(request).encode()]),
    Attack("short_content_length", "`Content-Length` of 20, and more bytes", "size", lambda request: [head(Content_Length=20) + healthy_body(request).encode()]),
    Attack("negative_content_length", "`Content-Length: -1`", "size", lambda request: [head(Content_Length=-1) + healthy_body(request).encode()]),
    Attack("text_content_length", "`Content-Length: many`", "size", lambda request: [head(Content_Length="many") + healthy_body(request).encode()]),
    Attack("huge_content_length", "`Content-Length` of 5,000 digits", "size", lambda request: [head(Content_Length=NINES) + healthy_body(request).encode()]),
    Attack("two_content_lengths", "two lengths that differ", "size", with_headers(("Content-Length", "3"))),
    Attack("length_and_chunks", "a length, and a body without chunks", "size", with_headers(("Transfer-Encoding", "chunked"))),
    Attack("huge_chunk", "a chunk of 2**70 bytes", "size", lambda request: [json_head(request) + b"ffffffffffffffffff\r\n" + healthy_body(request).encode()]),
    Attack("negative_chunk", "a chunk of -5 bytes", "size", lambda request: [json_head(request) + b"-5\r\n" + healthy_body(request).encode()]),
    Attack("text_chunk", "a chunk whose size is a text", "size", lambda request: [json_head(request) + b"many\r\n" + healthy_body(request).encode()]),
]
TIME = [
    Attack("slow_body", "the body comes byte by byte", "time", drip(begun_body, chunk(b"A")), bounded_by=TIMES),
    Attack("slow_blanks", "blanks before the document, byte by byte", "time", drip(json_head, chunk(b" ")), bounded_by=TIMES),
    Attack("slow_403", "the body of a 403 comes byte by byte", "time", drip(lambda request: head(403, headers=[("Transfer-Encoding", "chunked")]), chunk(b"A"))),
    Attack("slow_status_line", "the status line comes byte by byte", "time", drip(lambda request: b"HTTP/1.1 200 ", b"O"), bounded_by=TIMES),
    Attack("slow_header", "a header comes byte by byte", "time", drip(lambda request: half_head(request) + b"X-Slow: ", b"a"), bounded_by=TIMES),
    Attack("slow_headers", "one header after another", "time", drip(half_head, b"X-Slow: a\r\n")),
    Attack("slow_chunk_extension", "a chunk extension that never ends", "time", drip(lambda request: json_head(request) + b"5;a=", b"a"), bounded_by=TIMES),
    Attack("slow_trailers", "trailers that never end", "time", drip(lambda request: json_head(request) + chunk(healthy_body(request).encode()) + b"0\r\n", b"X-Trailer: a\r\n")),
    Attack("slow_gzip", "a gzip body that gives nothing", "time", drip(lambda request: head(headers=[("Transfer-Encoding", "chunked"), ("Content-Encoding", "gzip")]) + chunk(b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03"), chunk(b"\x00\x00\x00\xff\xff")), bounded_by=TIMES),
    Attack("slow_100", "`100 Continue` that never ends", "time", drip(lambda request: b"", b"HTTP/1.1 100 Continue\r\n\r\n"), bounded_by=TIMES),
    Attack("slow_102", "`102 Processing` that never ends", "time", drip(lambda request: b"", b"HTTP/1.1 102 Processing\r\n\r\n")),
    Attack("flood_of_100", "as much `100 Continue` as goes through", "time", flood(lambda request: b"", b"HTTP/1.1 100 Continue\r\n\r\n")),
    Attack("flood_of_103", "as much `103 Early Hints` as goes through", "time", flood(lambda request: b"", b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n")),
    Attack("flood_of_headers", "as many headers as go through", "time", flood(half_head, b"X-Flood: a\r\n")),
    Attack("header_without_end", "a header line that never ends", "time", flood(lambda request: half_head(request) + b"X-Long: ", b"a")),
    Attack("header_name_without_end", "the name of a header never ends", "time", flood(half_head, b"a")),
    Attack("status_without_end", "a status line that never ends", "time", flood(lambda request: b"HTTP/1.1 200 ", b"O")),
    Attack("flood_of_chunk_extension", "a chunk extension that never ends, fast", "time", flood(lambda request: json_head(request) + b"5;a=", b"a")),
    Attack("flood_of_trailers", "trailers that never end, fast", "time", flood(lambda request: json_head(request) + chunk(healthy_body(request).encode()) + b"0\r\n", b"X-Trailer: a\r\n")),
    Attack("hang_after_accept", "the connection is taken, and nothing is said", "time", hang(), bounded_by=TIMES),
    Attack("hang_in_headers", "nothing more inside of the headers", "time", hang(half_head), bounded_by=TIMES),
    Attack("hang_in_body", "nothing more inside of the body", "time", hang(begun_body), bounded_by=TIMES),
    Attack("hang_in_403", "nothing more inside of the body of a 403", "time", hang(lambda request: head(403, Content_Length=500) + b'{"mess')),
    Attack("hang_before_end", "nothing more where only the last chunk is missing", "time", hang(lambda request: json_head(request) + chunk(healthy_body(request).encode()))),
]
WAIT = [
    Attack("wait_1e12", "`Retry-After` of 10**12 seconds", "wait", wait("1000000000000")),
    Attack("wait_1e12_as_float", "`Retry-After: 1e12`", "wait", wait("1e12")),
    Attack("wait_1e300", "`Retry-After: 1e300`", "wait", wait("1e300")),
    Attack("wait_10_400", "`Retry-After` of 400 digits", "wait", wait(str(10**400))),
    Attack("wait_5000_digits", "`Retry-After` of 5,000 digits", "wait", wait(NINES)),
    Attack("wait_1e999", "`Retry-After: 1e999`", "wait", wait("1e999")),
    Attack("wait_minus_1", "`Retry-After: -1`", "wait", wait("-1")),
    Attack("wait_nan", "`Retry-After: NaN`", "wait", wait("NaN")),
    Attack("wait_infinity", "`Retry-After: Infinity`", "wait", wait("Infinity")),
    Attack("wait_text", "`Retry-After: later`", "wait", wait("later")),
    Attack("wait_arabic_digits", "`Retry-After` in digits that are not ASCII", "wait", wait("\u0663\u0660")),
    Attack("wait_twice", "`Retry-After` twice", "wait", error_response('"slow down"', 429, headers=[("Retry-After", "7"), ("Retry-After", "9")])),
    Attack("wait_year_9999", "`Retry-After` in the year 9999", "wait", wait("Fri, 31 Dec 9999 23:59:59 GMT")),
    Attack("wait_year_9999_zone", "the same with a zone that leads beyond it", "wait", wait("Fri, 31 Dec 9999 23:59:59 -1200")),
    Attack("wait_year_1", "`Retry-After` in the year 1", "wait", wait("Mon, 01 Jan 0001 00:00:00 +1400")),
    Attack("wait_503", "`Retry-After` of 10**12 seconds with a 503", "wait", wait("1000000000000", 503)),
    Attack("wait_301", "`Retry-After` of 10**12 seconds with a redirect", "wait", error_response('"moved"', 301, headers=[("Retry-After", "1000000000000"), ("Location", "/elsewhere")])),
    Attack("102_before", "102 and 103 before a healthy response", "wait", after(b"HTTP/1.1 102 Processing\r\n\r\n", b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>\r\n\r\n"), must_succeed=True),
]
TOKEN = [
    *(Attack(f"expires_in_{name}", f"`expires_in` {said}", "token", expires(text), routes=("token",), must_succeed=True) for name, said, text in [
        ("0", "of 0", "0"), ("minus_1", "of -1", "-1"), ("nan", "of NaN", "NaN"), ("infinity", "of Infinity", "Infinity"), ("10_400", "of 10**400", str(10**400)),
        ("1e400", "of 1e400", "1e400"), ("5000_digits", "of 5,000 digits", NINES), ("text", "as a word", '"soon"'), ("nan_text", "of NaN as a text", '"NaN"'), ("null", "of null", "null"),
        ("list", "as a list", "[3600]"), ("true", "of true", "true"), ("tiny", "of 1e-300", "1e-300"),
    ]),
    Attack("no_expires_in", "no `expires_in`", "token", raw_response(whole(b'{"access_token": "token-of-the-hostile-server"}')), routes=("token",), must_succeed=True),
    *(Attack(f"token_{name}", f"a token {said}", "token", token(text), routes=("token",)) for name, said, text in [
        ("crlf", "with a line end", r'"a\r\nX-Evil: b"'), ("lf", "with LF", r'"a\nb"'), ("nul", "with U+0000", r'"a\u0000b"'), ("blank", "that is blank", '"   "'),
        ("empty", "that is empty", '""'), ("null", "of null", "null"), ("number", "that is a number", "12345"), ("list", "that is a list", '["a"]'),
        ("object", "that is an object", '{"a": "b"}'), ("surrogate", "with half an emoji", r'"a\ud83d"'), ("emoji", "with an emoji", '"a\U0001f600"'),
        ("latin_1", "beyond ASCII", '"caf\u00e9"'), ("escape", "with ESC", r'"a\u001b[2J"'), ("long", "of 500,000 characters", f'"{"t" * 500_000}"'),
    ]),
    *(Attack(f"token_response_{name}", f"the token response is {said}", "token", raw_response(whole(text)), routes=("token",)) for name, said, text in [
        ("null", "null", b"null"), ("list", "a list", b"[]"), ("text", "a text", b'"token"'), ("number", "a number", b"5"), ("empty", "empty", b""), ("page", "a page", b"<html>token</html>"),
    ]),
]
ITEM = [
    Attack("item_number", "an item that is a number", "item", items("5"), SESSIONS, rest_is_read=True),
    Attack("item_null", "an item that is null", "item", items("null"), SESSIONS, rest_is_read=True),
    Attack("item_text", "an item that is a text", "item", items('"x"'), SESSIONS, rest_is_read=True),
    Attack("item_list", "an item that is a list", "item", items("[[]]"), SESSIONS, rest_is_read=True),
    Attack("item_wrong_types", "fields of a wrong type", "item", item(name="5", users='"none"', tutors="7", startDate="{}"), SESSIONS, rest_is_read=True),
    Attack("item_wrong_learners", "learners of a wrong type", "item", item(users='[1, null, {"mail": 5}]'), SESSIONS, rest_is_read=True),
    Attack("item_id_path", "an `_id` that is a path", "item", items('{"_id": "../../../etc/passwd", "modifiedAt": "MODIFIED_AT"}'), SESSIONS, rest_is_read=True),
    Attack("item_id_number", "an `_id` that is a number", "item", items('{"_id": 5}'), SESSIONS, rest_is_read=True),
    Attack("item_id_null", "an `_id` of null", "item", items('{"_id": null}'), SESSIONS, rest_is_read=True),
    Attack("item_id_surrogate", "an `_id` with half an emoji", "item", items(r'{"_id": "\ud83d"}'), SESSIONS, rest_is_read=True),
    Attack("item_without_id", "no `_id`", "item", items('{"name": "nobody"}'), SESSIONS, rest_is_read=True),
    Attack("item_empty", "an item without fields", "item", items("{}"), SESSIONS, rest_is_read=True),
    Attack("other_id", "the `_id` of another session", "item", item(_id='"0123456789abcdef01234567"'), SESSIONS, rest_is_read=True),
    Attack("upper_case_id", "an `_id` in capitals", "item", item(_id=f'"{SESSION_ID.upper()}"'), SESSIONS, rest_is_read=True),
    Attack("duplicate_ids", "the same session 1,000 times", "item", items(*['{"_id": "SESSION_ID", "modifiedAt": "MODIFIED_AT"}'] * 1000), SESSIONS, rest_is_read=True),
    Attack("duplicate_keys", "a field twice in one item", "item", items('{"_id": "SESSION_ID", "name": "a", "name": 5, "modifiedAt": "MODIFIED_AT"}'), SESSIONS, rest_is_read=True),
    Attack("many_bad_items", "10,000 numbers as items", "item", items(*["5"] * 10_000), SESSIONS, rest_is_read=True),
    Attack("item_broken", "JSON that breaks inside of an item", "item", items('{"_id": "SESSION_ID", "name": "a" "b"}'), SESSIONS, rest_is_read=True),
    Attack("item_unquoted", "JavaScript inside of an item", "item", items("{_id: 'x', alert(1)}"), SESSIONS, rest_is_read=True),
    Attack("item_huge", "one item of 1.5 times what a document may have", "item", huge_item(1.5), ("list",)),
    Attack("list_is_object", "an object instead of a list", "item", raw_response(whole(b'{"sessions": []}')), ("list", "users")),
    Attack("list_is_text", "a text instead of a list", "item", raw_response(whole(b'"sessions"')), ("list", "users")),
    Attack("list_twice", "two lists in one body", "item", raw_response(whole(b"[][]")), ("list", "users")),
    Attack("list_cut", "a list that is cut off", "item", raw_response(whole(b'[{"_id": "60b8d2956e20ae1a0f8e44f1"}')), ("list", "users")),
    Attack("empty_body", "an empty body", "item", raw_response(whole(b""))),
    Attack("null_body", "null as the document", "item", raw_response(whole(b"null"))),
]
DATE = [
    *(Attack(f"date_{name}", f"a date {said}", "date", item(**dict.fromkeys(("startDate", "endDate"), f'"{date}"')), SESSIONS, rest_is_read=True, watch=("endDate",)) for name, said, date in [
        ("year_9999", "at the end of time", "9999-12-31T23:59:59.999Z"), ("beyond_9999", "whose zone leads beyond the year 9999", "9999-12-31T23:59:59.999-12:00"),
        ("year_1", "at the beginning of time", "0001-01-01T00:00:00.000Z"), ("before_1", "whose zone leads before the year 1", "0001-01-01T00:00:00.000+14:00"),
        ("month_13", "in month 13", "2026-13-01T00:00:00.000Z"), ("leap_second", "in a leap second", "2026-06-30T23:59:60.000Z"), ("word", "that is a word", "tomorrow"),
        ("surrogate", "with half an emoji", r"2026-01-01T00:00:00.000Z\ud83d"), ("year_10000", "in the year 10000", "10000-01-01T00:00:00.000Z"),
    ]),
    Attack("date_number", "dates that are numbers", "date", item(startDate="1e18", endDate=str(2**70)), SESSIONS, rest_is_read=True, watch=("endDate",)),
    Attack("modified_beyond_9999", "`modifiedAt` beyond the year 9999", "date", item(modifiedAt='"9999-12-31T23:59:59.999-12:00"'), SESSIONS, rest_is_read=True),
    Attack("modified_year_9999", "`modifiedAt` at the end of time", "date", item(modifiedAt='"9999-12-31T23:59:59.999Z"'), SESSIONS, rest_is_read=True),
    Attack("modified_before_1", "`modifiedAt` before the year 1", "date", item(modifiedAt='"0001-01-01T00:00:00+14:00"'), SESSIONS, rest_is_read=True),
    Attack("modified_month_13", "`modifiedAt` in month 13", "date", item(modifiedAt='"2026-13-45T99:00:00Z"'), SESSIONS, rest_is_read=True),
    Attack("modified_number", "`modifiedAt` of 2**70", "date", item(modifiedAt=str(2**70)), SESSIONS, rest_is_read=True),
    Attack("modified_nan", "`modifiedAt` of NaN", "date", item(modifiedAt="NaN"), SESSIONS, rest_is_read=True),
    Attack("modified_list", "`modifiedAt` as a list", "date", item(modifiedAt="[]"), SESSIONS, rest_is_read=True),
    Attack("modified_null", "`modifiedAt` of null", "date", item(modifiedAt="null"), SESSIONS, rest_is_read=True),
]
HEADER = [
    Attack("header_without_colon", "a header line without a colon", "header", with_headers(b"this is no header")),
    Attack("header_first_without_colon", "the first header line has no colon", "header", lambda request: [b"HTTP/1.1 200 OK\r\nno header\r\nContent-Length: 2\r\n\r\n{}"]),
    Attack("header_nul", "a header with U+0000", "header", with_headers(b"X-Nul: a\x00b")),
    Attack("header_escape", "a header with ESC", "header", with_headers(b"X-Esc: \x1b[2J\x07")),
    Attack("header_empty_name", "a header without a name", "header", with_headers(b": value")),
    Attack("header_name_bytes", "a header name that is no ASCII", "header", with_headers(b"X-\xff\xe9: a")),
    Attack("header_folded", "a header on two lines", "header", with_headers(b"X-Fold: a\r\n b")),
    Attack("header_bare_lf", "line ends without CR", "header", lambda request: [whole(healthy_body(request).encode()).replace(b"\r\n", b"\n")]),
    Attack("header_bare_cr", "a bare CR inside of a header", "header", with_headers(b"X-Cr: a\rX-Evil: b")),
    Attack("header_charset", "a charset that does not exist", "header", with_headers(("Content-Type", "application/json; charset=klingon"))),
    Attack("header_charset_utf_7", "a charset that means something else", "header", with_headers(("Content-Type", "text/html; charset=utf-7"))),
    Attack("header_cookies", "90 cookies, some of them broken", "header", with_headers(*[("Set-Cookie", f"a{n}=\x01{n}; expires=never; domain=.com") for n in range(90)])),
    Attack("status_garbage", "bytes instead of a status line", "header", raw_response(b"\x00\xff\x1b[2J garbage \r\n\r\n")),
    Attack("status_smtp", "the greeting of a mail server", "header", raw_response(b"220 mail.example.com ESMTP\r\n")),
    Attack("status_tls", "a TLS alert", "header", raw_response(b"\x15\x03\x01\x00\x02\x02\x46")),
    Attack("status_http_09", "HTTP/0.9: a body and nothing else", "header", lambda request: [healthy_body(request).encode()]),
    Attack("status_http_2", "the preface of HTTP/2", "header", raw_response(b"\x00\x00\x12\x04\x00\x00\x00\x00\x00" * 4)),
    Attack("status_http_9", "HTTP/9.9", "header", lambda request: [whole(healthy_body(request).encode()).replace(b"HTTP/1.1", b"HTTP/9.9")]),
    *(Attack(f"status_{name}", f"status {said}", "header", lambda request, said=said: [whole(healthy_body(request).encode()).replace(b" 200 OK", f" {said} x".encode(), 1)]) for name, said in [
        ("99", "99"), ("1000", "1000"), ("0", "0"), ("negative", "-200"), ("word", "okay"), ("float", "2e2"), ("299", "299"), ("600", "600"), ("999", "999"), ("5000_digits", NINES),
    ]),
    Attack("status_without_reason", "a status line without a reason", "header", lambda request: [whole(healthy_body(request).encode()).replace(b" 200 OK", b" 200", 1)], must_succeed=True),
    Attack("status_101", "101 Switching Protocols", "header", raw_response(head(101, "Switching Protocols", Upgrade="websocket"))),
    Attack("status_204", "204 with a body", "header", lambda request: [whole(healthy_body(request).encode(), 204)]),
    Attack("status_304", "304 for what was not conditional", "header", raw_response(head(304))),
    Attack("status_401_negotiate", "401 with odd challenges", "header", error_response('"who?"', 401, headers=[("WWW-Authenticate", 'Basic realm="\udcff"'), ("WWW-Authenticate", "Negotiate")])),
    Attack("status_407", "407, as if we were a proxy", "header", error_response('"proxy"', 407, headers=[("Proxy-Authenticate", "Basic")])),
    Attack("status_421", "421 for a host that is not here", "header", error_response('"host"', 421)),
]
REDIRECT = [
    Attack("redirect_to_itself", "a redirect to the same place", "redirect", redirect(lambda request: request.path)),
    Attack("redirect_grows", "a redirect to a longer place each time", "redirect", redirect(lambda request: f"{request.path}/x")),
    Attack("redirect_elsewhere", "a redirect to another host", "redirect", redirect(lambda request: f"{request.other_url}/api")),
    Attack("redirect_elsewhere_307", "a redirect to another host that keeps the body", "redirect", redirect(lambda request: f"{request.other_url}/api", 307)),
    Attack("redirect_without_scheme", "a redirect to another host without a scheme", "redirect", redirect(lambda request: "//evil.example.com/")),
    Attack("redirect_with_user", "a redirect with a user in it", "redirect", redirect(lambda request: "http://user:secret@evil.example.com/")),
    Attack("redirect_to_script", "a redirect to JavaScript", "redirect", redirect(lambda request: "javascript:alert(1)")),
    Attack("redirect_to_file", "a redirect to a file", "redirect", redirect(lambda request: "file:///etc/passwd")),
    Attack("redirect_to_bad_address", "a redirect to what is no address", "redirect", redirect(lambda request: "http://[::1")),
    Attack("redirect_to_bad_port", "a redirect to port 99999", "redirect", redirect(lambda request: "http://127.0.0.1:99999/")),
    Attack("redirect_to_surrogate", "a redirect to a host with an emoji", "redirect", redirect(lambda request: "http://\U0001f600.example.com/")),
    Attack("redirect_nowhere", "a redirect without `Location`", "redirect", error_response('"moved"', 302)),
    Attack("redirect_empty", "a redirect to nothing", "redirect", redirect(lambda request: "")),
    Attack("redirect_long", "a redirect to a place of 60,000 characters", "redirect", redirect(lambda request: "/" + "x" * 60_000)),
    Attack("redirect_escape", "ESC in a redirect", "redirect", redirect(lambda request: "http://evil.example.com/\x1b[2J\x07")),
    Attack("redirect_twice", "two places at once", "redirect", error_response('"moved"', 302, headers=[("Location", "/a"), ("Location", "http://evil.example.com/")])),
]
CONNECTION = [
    Attack("reset_in_body", "a reset in the middle of the body", "connection", reset),
    Attack("reset_at_once", "a reset instead of a response", "connection", lambda request: [Reset()]),
    Attack("close_at_once", "a close instead of a response", "connection", raw_response()),
    Attack("close_in_headers", "a close inside of the headers", "connection", lambda request: [half_head(request)]),
    Attack("close_in_body", "a close inside of the body", "connection", cut),
    Attack("close_in_chunk", "a close inside of a chunk", "connection", lambda request: [json_head(request) + b"ffff\r\n{"]),
    Attack("close_in_gzip", "a close inside of a gzip body", "connection", raw_response(head(Content_Encoding="gzip") + b"\x1f\x8b\x08\x00\x00\x00")),
    Attack("close_without_notice", "a connection that is said to be kept, and is closed", "connection", lambda request: [whole(healthy_body(request).encode()).replace(b"Connection: close", b"Connection: keep-alive")], must_succeed=True),
    Attack("second_response", "a second response that was not requested", "connection", lambda request: [whole(healthy_body(request).encode()).replace(b"Connection: close", b"Connection: keep-alive"), whole(b'{"message": "late"}', 403)]),
]
ECHO = [
    *(Attack(f"echo_{status}", f"the echo in the message of a {status}", "echo", echo_body('{"message": "', '"}', status)) for status in (400, 401, 403, 404, 429, 500)),
    Attack("echo_code", "the echo as an error code", "echo", echo_body('{"error": {"code": "', '"}}', 400)),
    Attack("echo_page", "the echo in a page", "echo", echo_body("<!DOCTYPE html><p>No page at ", "</p>", 404)),
    Attack("echo_broken_json", "the echo in broken JSON", "echo", echo_body('{"a": ', "")),
    Attack("echo_field_name", "the echo as the name of a field", "echo", lambda request: [whole(healthy_body(request, {request.echo: "[1]"}).encode())]),
    Attack("echo_wrong_type", "the echo where a number belongs", "echo", lambda request: [whole(healthy_body(request, {"userLimit": f'"{request.echo}"', "registered": f'"{request.echo}"', "mail": f'["{request.echo}"]', "expires_in": f'"{request.echo}"'}).encode())]),
    Attack("echo_id", "the echo as an `_id`", "echo", lambda request: [whole(healthy_body(request, {"_id": f'"{request.echo}"'}).encode())]),
    Attack("echo_date", "the echo as a date", "echo", lambda request: [whole(healthy_body(request, {"modifiedAt": f'"{request.echo}"'}).encode())]),
    Attack("echo_location", "the echo in `Location`, same host", "echo", redirect(lambda request: f"/{request.echo}")),
    Attack("echo_far_location", "the echo in `Location`, other host", "echo", redirect(lambda request: f"{request.other_url}/{request.echo}?{request.echo}#{request.echo}")),
    Attack("echo_far_host", "the echo as the host of `Location`", "echo", redirect(lambda request: f"http://{request.echo}.example.com/")),
    Attack("echo_scheme", "the echo as the scheme of `Location`", "echo", redirect(lambda request: f"{request.echo}://a")),
    Attack("echo_reason", "the echo as a reason phrase", "echo", lambda request: [whole(b"{}", 403, request.echo)]),
    Attack("echo_reason_of_200", "the echo as the reason phrase of a success", "echo", lambda request: [whole(healthy_body(request).encode(), 200, request.echo)]),
    Attack("echo_status_line", "the echo as the status line", "echo", lambda request: [request.echo.encode() + b"\r\n\r\n"]),
    Attack("echo_status", "the echo as the status", "echo", lambda request: [f"HTTP/1.1 {request.echo} OK\r\n\r\n".encode()]),
    Attack("echo_version", "the echo as the version of HTTP", "echo", lambda request: [f"HTTP/{request.echo} 200 OK\r\n\r\n".encode()]),
    Attack("echo_header_name", "the echo as the name of a header", "echo", lambda request: [whole(healthy_body(request).encode(), headers=[(request.echo, "a")])]),
    Attack("echo_without_colon", "the echo as a header line without a colon", "echo", lambda request: [whole(healthy_body(request).encode(), headers=[request.echo.encode()])]),
    Attack("echo_header_with_nul", "the echo beside U+0000 in a header", "echo", lambda request: [whole(healthy_body(request).encode(), headers=[b"X-A: \x00" + request.echo.encode()])]),
    *(Attack(f"echo_in_{name.lower().replace('-', '_')}", f"the echo in `{name}`", "echo", echo_header(name)) for name in (
        "Content-Type", "Content-Encoding", "Transfer-Encoding", "Set-Cookie", "Connection", "X-Anything", "Content-Length",
    )),
    Attack("echo_retry_after", "the echo in `Retry-After`", "echo", echo_header("Retry-After", 429)),
    Attack("echo_challenge", "the echo in `WWW-Authenticate`", "echo", echo_header("WWW-Authenticate", 401)),
    Attack("echo_chunk_size", "the echo as the size of a chunk", "echo", lambda request: [json_head(request) + request.echo.encode() + b"\r\n{}\r\n"]),
    Attack("echo_trailer", "the echo as a broken trailer", "echo", lambda request: [json_head(request) + chunk(healthy_body(request).encode()) + b"0\r\n" + request.echo.encode() + b"\r\n\r\n"]),
    Attack("echo_as_token", "the echo as the token", "echo", lambda request: [whole(healthy_body(request, {"access_token": f'"{request.echo}"'}).encode())], routes=("token",)),
    Attack("echo_as_bad_token", "the echo as a token with a line end", "echo", lambda request: [whole(healthy_body(request, {"access_token": f'"{request.echo}\\r\\n{request.echo}"'}).encode())], routes=("token",)),
]
CATALOGUE = (*TEXT, *NUMBERS, *NESTING, *SIZE, *TIME, *WAIT, *TOKEN, *ITEM, *DATE, *HEADER, *REDIRECT, *CONNECTION, *ECHO)
# fmt: on


def attack_named(name: str) -> Attack:
    """Return an attack by its name."""
    return next(one for one in CATALOGUE if one.name == name)
