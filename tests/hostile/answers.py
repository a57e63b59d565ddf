"""Build HTTP answers, byte by byte: the parts that the attacks of the catalogue are made of."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

Route = Literal["session", "list", "users", "stats", "token"]

CHUNK_SIZE = 64 * 1024
OTHER_ID = "f" * 24  # the healthy session behind the attacked one in a list
SESSION_ID = "60b8d2956e20ae1a0f8e44f1"


@dataclass(frozen=True)
class Bounds:
    """
    The bounds of the client under attack, which size the attacks.

    :param document: Bytes of one document.
    :param listing: Bytes of a list: sessions, learners, statistics.
    :param error: Bytes of an error or a token.
    :param times: How many times its bound an endless answer sends.
    """

    document: int = 64 * 1024 * 1024
    listing: int = 1024 * 1024 * 1024
    error: int = 1024 * 1024
    times: int = 3


@dataclass(frozen=True)
class Asked:
    """
    One request, as an attack sees it.

    :param route: What is asked for.
    :param session_id: ID of the session in the path.
    :param modified_at: `modifiedAt` of the session.
    :param bounds: Bounds of the client.
    :param echo: Text that the server sends back, such as a form of the API key.
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
        """Bytes that a success of this route may have."""
        sizes = {"session": self.bounds.document, "token": self.bounds.error}
        return sizes.get(self.route, self.bounds.listing)


class Pause(NamedTuple):
    """The server sends nothing for so many seconds."""

    seconds: float


class Reset(NamedTuple):
    """The server resets the connection."""


Step = bytes | Pause | Reset
Answer = Callable[[Asked], Iterable[Step]]
Headers = Iterable[tuple[str, str] | bytes]


def head(status: int = 200, reason: str = "OK", headers: Headers = (), **named: object) -> bytes:
    """Return status line and headers; a header given as bytes is sent as it is."""
    lines = [f"HTTP/1.1 {status} {reason}".encode("utf-8", "surrogateescape")]
    lines += [one if isinstance(one, bytes) else ": ".join(one).encode("utf-8", "surrogateescape") for one in headers]
    lines += [f"{name.replace('_', '-')}: {value}".encode() for name, value in named.items()]
    return b"\r\n".join([*lines, b"Connection: close", b"", b""])


def whole(body: bytes, status: int = 200, reason: str = "OK", headers: Headers = ()) -> bytes:
    """Return an answer with its whole body."""
    return head(status, reason, headers, Content_Type="application/json", Content_Length=len(body)) + body


def chunk(data: bytes, extension: bytes = b"") -> bytes:
    """Return a chunk of a chunked body; an empty one ends the body."""
    return f"{len(data):x}".encode() + extension + b"\r\n" + data + b"\r\n"


def session(asked: Asked, raw: Mapping[str, str] = {}, session_id: str | None = None) -> str:
    """Return the JSON text of a session; `raw` maps names to JSON texts, sent as they are."""
    plain = {
        "_id": session_id or asked.session_id,
        "name": "Introduction to Accounting",
        "startDate": "2026-09-01T08:00:00.000Z",
        "endDate": "2026-12-01T16:00:00.000Z",
        "modifiedAt": asked.modified_at,
        "lang": "en",
        "userLimit": 20,
        "tutors": ["60b8d2956e20ae1a0f8e44a1"],
    }
    return json_object(plain, raw)


def json_object(plain: Mapping[str, object], raw: Mapping[str, str]) -> str:
    """Return the JSON text of an object."""
    texts = {json.dumps(name): json.dumps(value) for name, value in plain.items()}
    texts |= {name if name.startswith('"') else json.dumps(name): text for name, text in raw.items()}
    return "{" + ", ".join(f"{name}: {text}" for name, text in texts.items()) + "}"


def normal(asked: Asked, raw: Mapping[str, str] = {}) -> str:
    """Return the JSON text that a healthy platform answers on a route, with some fields sent as given."""
    learner = {"_id": "60b8d2956e20ae1a0f8e44b1", "mail": "ada@example.com", "firstName": "Ada", "lastName": "Lovelace"}
    match asked.route:
        case "session":
            return session(asked, raw)
        case "list":
            return f"[{session(asked, raw)}, {session(asked, session_id=OTHER_ID)}]"
        case "users":
            return f"[{json_object(learner, raw)}, {json_object(learner, {})}]"
        case "stats":
            return json_object({"name": "Accounting", "registered": 2, "completed": 1}, raw)
        case "token":
            return json_object({"access_token": "token-of-the-hostile-server", "expires_in": 3600}, raw)


# --- what the catalogue is written in ---


def fields(**raw: str) -> Answer:
    """Answer a document in which these fields hold these JSON texts."""
    return named_fields(raw)


def named_fields(raw: Mapping[str, str]) -> Answer:
    """The same for names that are no Python names; a name that begins with a quote is JSON too."""
    return lambda asked: [whole(normal(asked, raw).encode("utf-8", "surrogateescape"))]


def items(*texts: str) -> Answer:
    """Answer a list of these JSON texts, with a healthy session behind them; other routes answer the first."""

    def answer(asked: Asked) -> Iterator[bytes]:
        filled = [
            one.replace("SESSION_ID", asked.session_id).replace("MODIFIED_AT", asked.modified_at) for one in texts
        ]
        listed = ", ".join([*filled, session(asked, session_id=OTHER_ID)])
        yield whole((f"[{listed}]" if asked.route in ("list", "users") else filled[0]).encode())

    return answer


def item(**raw: str) -> Answer:
    """Answer a list whose first item has these fields; other routes answer that item."""

    def answer(asked: Asked) -> Iterator[bytes]:
        yield from items(session(asked, raw))(asked)

    return answer


def says(text: str, status: int, reason: str = "Refused", headers: Headers = ()) -> Answer:
    """Answer an error with this JSON text as its message."""
    return lambda asked: [whole(f'{{"message": {text}}}'.encode(), status, reason, headers)]


def sends(*pieces: Step) -> Answer:
    """Answer exactly these bytes."""
    return lambda asked: pieces


def with_headers(*headers: tuple[str, str] | bytes, status: int = 200) -> Answer:
    """Answer a healthy document with further headers."""
    return lambda asked: [whole(normal(asked).encode(), status, headers=headers)]


def beside_long_text(asked: Asked) -> tuple[bytes, bytes]:
    """Return a healthy answer cut in two, where a text can be of any length."""
    begin, _, end = normal(asked, {"description": '"MARK"', "access_token": '"MARK"'}).encode().partition(b"MARK")
    return begin, end.replace(b"MARK", b"")


def beside_long_number(asked: Asked) -> tuple[bytes, bytes]:
    """Return a healthy answer cut in two, where a number can have any length."""
    begin, _, end = normal(asked, {"userLimit": "1"}).encode().partition(b'"userLimit": 1')
    return begin + b'"userLimit": 1', end


def endless(begin: Callable[[Asked], tuple[bytes, bytes]], filling: bytes, *, status: int = 200) -> Answer:
    """Answer a chunked body that is filled up to several times its bound."""

    def answer(asked: Asked) -> Iterator[bytes]:
        limit = asked.limit if status < 300 else asked.bounds.error
        first, last = begin(asked)
        yield head(status, headers=[("Transfer-Encoding", "chunked")])
        yield chunk(first) if first else b""  # an empty chunk would be the end
        piece = chunk(filling * (CHUNK_SIZE // len(filling)))
        for _ in range(asked.bounds.times * limit // CHUNK_SIZE + 1):
            yield piece
        yield (chunk(last) if last else b"") + chunk(b"")

    return answer


def sized(extra: int) -> Answer:
    """Answer a document that has so many bytes more than its bound."""

    def answer(asked: Asked) -> Iterator[bytes]:
        first, last = beside_long_text(asked)
        left = asked.limit + extra - len(first) - len(last)
        yield head(Content_Length=asked.limit + extra) + first
        while left > 0:
            yield b"A" * min(CHUNK_SIZE, left)
            left -= CHUNK_SIZE
        yield last

    return answer


def huge_item(times: float) -> Answer:
    """Answer a list with an item of so many times the bound of a document, and a healthy session behind it."""

    def answer(asked: Asked) -> Iterator[bytes]:
        first, last = normal(asked, {"description": '"MARK"'}).encode().split(b"MARK")
        yield head(headers=[("Transfer-Encoding", "chunked")]) + chunk(first)
        for _ in range(int(times * asked.bounds.document) // CHUNK_SIZE):
            yield chunk(b"A" * CHUNK_SIZE)
        yield chunk(last) + chunk(b"")

    return answer


def filled_list(filling: str) -> Answer:
    """Answer a list just inside of its bound, of this filling and a healthy session behind it."""

    def answer(asked: Asked) -> Iterator[bytes]:
        yield head(headers=[("Transfer-Encoding", "chunked")]) + chunk(b"[")
        piece = filling.encode() * (CHUNK_SIZE // len(filling))
        for _ in range((asked.limit - CHUNK_SIZE) // len(piece)):
            yield chunk(piece)
        yield chunk(session(asked, session_id=OTHER_ID).encode() + b"]") + chunk(b"")

    return answer


def filled(begin: str, filling: str, end: str, share: float = 1) -> Answer:
    """Answer a document inside of a share of its bound, with a field that holds this filling again and again."""

    def answer(asked: Asked) -> Iterator[bytes]:
        first, last = normal(asked, {"filled": f"{begin}MARK{end}"}).encode().split(b"MARK")
        text = filling.encode()
        count = (int(asked.limit * share) - len(first) - len(last) - CHUNK_SIZE) // len(text)
        yield head(headers=[("Transfer-Encoding", "chunked")]) + chunk(first)
        piece = CHUNK_SIZE // len(text)
        for _ in range(count // piece):
            yield chunk(text * piece)
        yield chunk(last) + chunk(b"")

    return answer


def bomb(encoding: str, *windows: int, status: int = 200) -> Answer:
    """Answer a small body that grows to several times its bound; several windows pack it as often."""

    def answer(asked: Asked) -> Iterator[bytes]:
        limit = asked.limit if status < 300 else asked.bounds.error
        first, last = beside_long_text(asked)
        packers = [zlib.compressobj(9, wbits=one) for one in windows]

        def packed(data: bytes, end: bool = False) -> bytes:
            for packer in packers:
                data = packer.compress(data) + (packer.flush() if end else b"")
            return data

        yield head(status, headers=[("Transfer-Encoding", "chunked"), ("Content-Encoding", encoding)])
        for piece in [first, *([b"A" * CHUNK_SIZE] * (asked.bounds.times * limit // CHUNK_SIZE + 1))]:
            if data := packed(piece):
                yield chunk(data)
        yield chunk(packed(last, True)) + chunk(b"")

    return answer


def drips(begin: Callable[[Asked], bytes], piece: bytes) -> Answer:
    """Begin an answer, and go on for ever with a little every 20 ms."""

    def answer(asked: Asked) -> Iterator[bytes | Pause]:
        yield begin(asked)
        while True:
            yield piece
            yield Pause(0.02)

    return answer


def floods(begin: Callable[[Asked], bytes], piece: bytes) -> Answer:
    """Begin an answer, and go on with as much as the client takes; after several times its bound, slowly."""

    def answer(asked: Asked) -> Iterator[bytes | Pause]:
        yield begin(asked)
        many = piece * (CHUNK_SIZE // len(piece))
        for _ in range(asked.bounds.times * asked.limit // CHUNK_SIZE + 1):
            yield many
        while True:
            yield piece
            yield Pause(0.02)

    return answer


def hangs(begin: Callable[[Asked], bytes] = lambda asked: b"") -> Answer:
    """Begin an answer, and say nothing more."""

    def answer(asked: Asked) -> Iterator[bytes | Pause]:
        yield begin(asked)
        while True:
            yield Pause(0.1)

    return answer


def redirects(location: Callable[[Asked], str], status: int = 302) -> Answer:
    """Answer a redirect; a location may hold any bytes, as surrogate escapes."""
    return lambda asked: [whole(b"{}", status, "Found", [("Location", location(asked))])]
