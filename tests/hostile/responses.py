"""Build HTTP responses, byte by byte: the parts of the attacks in the catalogue."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

Route = Literal["session", "list", "users", "stats", "token"]

CHUNK_SIZE = 64 * 1024
OTHER_ID = "f" * 24  # the healthy session after the attacked one in a list
SESSION_ID = "60b8d2956e20ae1a0f8e44f1"


@dataclass(frozen=True)
class Bounds:
    """
    The bounds of the attacked client; the size of an attack depends on them.

    :param document: Bytes of one document.
    :param listing: Bytes of a list: sessions, learners, statistics.
    :param error: Bytes of an error or a token.
    :param times: An endless response sends so many times its bound.
    """

    document: int = 64 * 1024 * 1024
    listing: int = 1024 * 1024 * 1024
    error: int = 1024 * 1024
    times: int = 3


@dataclass(frozen=True)
class Request:
    """
    A request, as an attack sees it.

    :param route: What is requested.
    :param session_id: ID of the session in the path.
    :param modified_at: `modifiedAt` of the session.
    :param bounds: Bounds of the client.
    :param echo: Text that the server sends back, such as an encoded API key.
    :param path: Path of the request.
    :param other_url: Another server on this machine.
    """

    route: Route
    session_id: str
    modified_at: str
    bounds: Bounds
    echo: str = ""
    path: str = "/"
    other_url: str = "http://127.0.0.2:9"

    @property
    def limit(self) -> int:
        """Bytes that a successful response of this route may have."""
        sizes = {"session": self.bounds.document, "token": self.bounds.error}
        return sizes.get(self.route, self.bounds.listing)


class Pause(NamedTuple):
    """Send nothing for so many seconds."""

    seconds: float


class Reset(NamedTuple):
    """Reset the connection."""


Step = bytes | Pause | Reset
Responder = Callable[[Request], Iterable[Step]]
Headers = Iterable[tuple[str, str] | bytes]


def head(status: int = 200, reason: str = "OK", headers: Headers = (), **named: object) -> bytes:
    """Return status line and headers; a header in bytes is sent unchanged."""
    lines = [f"HTTP/1.1 {status} {reason}".encode("utf-8", "surrogateescape")]
    lines += [one if isinstance(one, bytes) else ": ".join(one).encode("utf-8", "surrogateescape") for one in headers]
    lines += [f"{name.replace('_', '-')}: {value}".encode() for name, value in named.items()]
    return b"\r\n".join([*lines, b"Connection: close", b"", b""])


def whole(body: bytes, status: int = 200, reason: str = "OK", headers: Headers = ()) -> bytes:
    """Return a response with its whole body."""
    return head(status, reason, headers, Content_Type="application/json", Content_Length=len(body)) + body


def chunk(data: bytes, extension: bytes = b"") -> bytes:
    """Return a chunk of a chunked body; an empty one ends the body."""
    return f"{len(data):x}".encode() + extension + b"\r\n" + data + b"\r\n"


def session(request: Request, raw: Mapping[str, str] = {}, session_id: str | None = None) -> str:
    """Return the JSON of a session; `raw` maps names to JSON, which is sent unchanged."""
    plain = {
        "_id": session_id or request.session_id,
        "name": "Introduction to Accounting",
        "startDate": "2026-09-01T08:00:00.000Z",
        "endDate": "2026-12-01T16:00:00.000Z",
        "modifiedAt": request.modified_at,
        "lang": "en",
        "userLimit": 20,
        "tutors": ["60b8d2956e20ae1a0f8e44a1"],
    }
    return json_object(plain, raw)


def json_object(plain: Mapping[str, object], raw: Mapping[str, str]) -> str:
    """Return the JSON of an object."""
    texts = {json.dumps(name): json.dumps(value) for name, value in plain.items()}
    texts |= {name if name.startswith('"') else json.dumps(name): text for name, text in raw.items()}
    return "{" + ", ".join(f"{name}: {text}" for name, text in texts.items()) + "}"


def healthy_body(request: Request, raw: Mapping[str, str] = {}) -> str:
    """Return the JSON that a healthy platform sends on a route; `raw` replaces fields."""
    learner = {"_id": "60b8d2956e20ae1a0f8e44b1", "mail": "ada@example.com", "firstName": "Ada", "lastName": "Lovelace"}
    match request.route:
        case "session":
            return session(request, raw)
        case "list":
            return f"[{session(request, raw)}, {session(request, session_id=OTHER_ID)}]"
        case "users":
            return f"[{json_object(learner, raw)}, {json_object(learner, {})}]"
        case "stats":
            return json_object({"name": "Accounting", "registered": 2, "completed": 1}, raw)
        case "token":
            return json_object({"access_token": "token-of-the-hostile-server", "expires_in": 3600}, raw)


# --- what the catalogue uses ---


def fields(**raw: str) -> Responder:
    """Send a document with these fields, given as JSON."""
    return named_fields(raw)


def named_fields(raw: Mapping[str, str]) -> Responder:
    """Do the same for names that Python does not allow; a name that begins with a quote is JSON."""
    return lambda request: [whole(healthy_body(request, raw).encode("utf-8", "surrogateescape"))]


def items(*texts: str) -> Responder:
    """Send a list of these JSON items and a healthy session; other routes send the first item."""

    def respond(request: Request) -> Iterator[bytes]:
        filled = [
            one.replace("SESSION_ID", request.session_id).replace("MODIFIED_AT", request.modified_at) for one in texts
        ]
        listed = ", ".join([*filled, session(request, session_id=OTHER_ID)])
        yield whole((f"[{listed}]" if request.route in ("list", "users") else filled[0]).encode())

    return respond


def item(**raw: str) -> Responder:
    """Send a list whose first item has these fields; other routes send that item."""

    def respond(request: Request) -> Iterator[bytes]:
        yield from items(session(request, raw))(request)

    return respond


def error_response(text: str, status: int, reason: str = "Refused", headers: Headers = ()) -> Responder:
    """Send an error with this JSON as its message."""
    return lambda request: [whole(f'{{"message": {text}}}'.encode(), status, reason, headers)]


def raw_response(*steps: Step) -> Responder:
    """Send exactly these bytes."""
    return lambda request: steps


def with_headers(*headers: tuple[str, str] | bytes, status: int = 200) -> Responder:
    """Send a healthy document with more headers."""
    return lambda request: [whole(healthy_body(request).encode(), status, headers=headers)]


def around_long_text(request: Request) -> tuple[bytes, bytes]:
    """Return a healthy body in two parts, between which a text of any length fits."""
    begin, _, end = (
        healthy_body(request, {"description": '"MARK"', "access_token": '"MARK"'}).encode().partition(b"MARK")
    )
    return begin, end.replace(b"MARK", b"")


def around_long_number(request: Request) -> tuple[bytes, bytes]:
    """Return a healthy body in two parts, between which a number of any length fits."""
    begin, _, end = healthy_body(request, {"userLimit": "1"}).encode().partition(b'"userLimit": 1')
    return begin + b'"userLimit": 1', end


def endless(begin: Callable[[Request], tuple[bytes, bytes]], filling: bytes, *, status: int = 200) -> Responder:
    """Send a chunked body of several times its bound."""

    def respond(request: Request) -> Iterator[bytes]:
        limit = request.limit if status < 300 else request.bounds.error
        first, last = begin(request)
        yield head(status, headers=[("Transfer-Encoding", "chunked")])
        yield chunk(first) if first else b""  # an empty chunk would be the end
        block = chunk(filling * (CHUNK_SIZE // len(filling)))
        for _ in range(request.bounds.times * limit // CHUNK_SIZE + 1):
            yield block
        yield (chunk(last) if last else b"") + chunk(b"")

    return respond


def sized(extra: int) -> Responder:
    """Send a document that exceeds its bound by so many bytes."""

    def respond(request: Request) -> Iterator[bytes]:
        first, last = around_long_text(request)
        left = request.limit + extra - len(first) - len(last)
        yield head(Content_Length=request.limit + extra) + first
        while left > 0:
            yield b"A" * min(CHUNK_SIZE, left)
            left -= CHUNK_SIZE
        yield last

    return respond


def huge_item(times: float) -> Responder:
    """Send a list with an item of so many times the bound of a document, and a healthy session."""

    def respond(request: Request) -> Iterator[bytes]:
        first, last = healthy_body(request, {"description": '"MARK"'}).encode().split(b"MARK")
        yield head(headers=[("Transfer-Encoding", "chunked")]) + chunk(first)
        for _ in range(int(times * request.bounds.document) // CHUNK_SIZE):
            yield chunk(b"A" * CHUNK_SIZE)
        yield chunk(last) + chunk(b"")

    return respond


def filled_list(filling: str) -> Responder:
    """Send a list of almost its bound: this filling again and again, and a healthy session."""

    def respond(request: Request) -> Iterator[bytes]:
        yield head(headers=[("Transfer-Encoding", "chunked")]) + chunk(b"[")
        block = filling.encode() * (CHUNK_SIZE // len(filling))
        for _ in range((request.limit - CHUNK_SIZE) // len(block)):
            yield chunk(block)
        yield chunk(session(request, session_id=OTHER_ID).encode() + b"]") + chunk(b"")

    return respond


def filled(begin: str, filling: str, end: str, share: float = 1) -> Responder:
    """Send a document of a share of its bound, with a field that repeats this filling."""

    def respond(request: Request) -> Iterator[bytes]:
        first, last = healthy_body(request, {"filled": f"{begin}MARK{end}"}).encode().split(b"MARK")
        text = filling.encode()
        count = (int(request.limit * share) - len(first) - len(last) - CHUNK_SIZE) // len(text)
        yield head(headers=[("Transfer-Encoding", "chunked")]) + chunk(first)
        block = CHUNK_SIZE // len(text)
        for _ in range(count // block):
            yield chunk(text * block)
        yield chunk(last) + chunk(b"")

    return respond


def bomb(encoding: str, *windows: int, status: int = 200) -> Responder:
    """Send a small body that decompresses to several times its bound; each window compresses it once."""

    def respond(request: Request) -> Iterator[bytes]:
        limit = request.limit if status < 300 else request.bounds.error
        first, last = around_long_text(request)
        packers = [zlib.compressobj(9, wbits=one) for one in windows]

        def packed(data: bytes, end: bool = False) -> bytes:
            for packer in packers:
                data = packer.compress(data) + (packer.flush() if end else b"")
            return data

        yield head(status, headers=[("Transfer-Encoding", "chunked"), ("Content-Encoding", encoding)])
        for block in [first, *([b"A" * CHUNK_SIZE] * (request.bounds.times * limit // CHUNK_SIZE + 1))]:
            if data := packed(block):
                yield chunk(data)
        yield chunk(packed(last, True)) + chunk(b"")

    return respond


def drip(begin: Callable[[Request], bytes], block: bytes) -> Responder:
    """Begin a response, and send a block every 20 ms for ever."""

    def respond(request: Request) -> Iterator[bytes | Pause]:
        yield begin(request)
        while True:
            yield block
            yield Pause(0.02)

    return respond


def flood(begin: Callable[[Request], bytes], block: bytes) -> Responder:
    """Begin a response, and send as much as the client reads; after several times its bound, slowly."""

    def respond(request: Request) -> Iterator[bytes | Pause]:
        yield begin(request)
        many = block * (CHUNK_SIZE // len(block))
        for _ in range(request.bounds.times * request.limit // CHUNK_SIZE + 1):
            yield many
        while True:
            yield block
            yield Pause(0.02)

    return respond


def hang(begin: Callable[[Request], bytes] = lambda request: b"") -> Responder:
    """Begin a response, and send nothing more."""

    def respond(request: Request) -> Iterator[bytes | Pause]:
        yield begin(request)
        while True:
            yield Pause(0.1)

    return respond


def redirect(location: Callable[[Request], str], status: int = 302) -> Responder:
    """Send a redirect; the location may contain any bytes, as surrogate escapes."""
    return lambda request: [whole(b"{}", status, "Found", [("Location", location(request))])]
