"""A server on this machine with answers that a test gives it, and requests that it has seen."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal, NamedTuple, Self
from urllib.parse import parse_qsl, urlsplit


class Reply(NamedTuple):
    """
    How the server answers one request.

    :param body: What is sent as JSON; bytes as they are.
    :param status: HTTP status.
    :param headers: More headers.
    :param end: `whole`; `close` reads the request and closes the connection; `hang` sends nothing until the end of the
        test; `cut` sends half of the body.
    """

    body: Any = None
    status: int = 200
    headers: dict[str, str] = {}  # noqa: RUF012 - never changed
    end: Literal["whole", "close", "hang", "cut"] = "whole"

    @property
    def content(self) -> bytes:
        return self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()


class Seen(NamedTuple):
    """A request that the server has seen."""

    method: str
    path: str
    query: list[tuple[str, str]]
    headers: dict[str, str]
    body: bytes


TOKEN = Reply({"access_token": "token-0123456789", "expires_in": 3600})


class OperationServer:
    """
    The server. Use it as a context manager; `versions.connect` points a connection at it.

    :param replies: What each route returns, by method and path; of several replies, one after the other, the last one
        again and again.
    """

    company_id, api_key, client_id, client_secret = "demo-company", "demo-key", "3600" * 8, "demo-secret"

    def __init__(self, replies: dict[str, list[Reply]]) -> None:
        self.replies = {key: list(value) for key, value in replies.items()}
        self.seen: list[Seen] = []
        self.before: Callable[[Seen], None] = lambda seen: None
        self._end = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._build_handler())
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._end.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    @property
    def calls(self) -> list[str]:
        """Methods and paths of the requests, without those for tokens."""
        return [f"{one.method} {one.path}" for one in self.seen if "token" not in one.path]

    def _build_handler(self) -> type[BaseHTTPRequestHandler]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                parts = urlsplit(self.path)
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                headers = {name.lower(): value for name, value in self.headers.items()}
                seen = Seen(self.command, parts.path, parse_qsl(parts.query), headers, body)
                server.seen.append(seen)
                server.before(seen)
                self._reply(server.next_reply(seen))

            do_POST = do_PUT = do_PATCH = do_DELETE = do_GET

            def _reply(self, reply: Reply) -> None:
                if reply.end == "hang":
                    server._end.wait()
                if reply.end in ("hang", "close"):
                    self.close_connection = True
                    self.connection.shutdown(socket.SHUT_RDWR)
                    return
                content = b"" if reply.status == 204 else reply.content
                self.send_response(reply.status)
                for name, value in {"Content-Type": "application/json", **reply.headers}.items():
                    self.send_header(name, value)
                if reply.status != 204:
                    self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content[: len(content) // 2] if reply.end == "cut" else content)
                if reply.end == "cut":
                    self.close_connection = True

            def log_message(self, *_: Any) -> None:
                pass

        return Handler

    def next_reply(self, seen: Seen) -> Reply:
        if seen.path == "/api/v2/oauth2/token":
            return TOKEN
        replies = self.replies.get(f"{seen.method} {seen.path}", [Reply({"error": "notFound"}, 404)])
        return replies.pop(0) if len(replies) > 1 else replies[0]


class Store:
    """The task state store of one task in one run, as Airflow 3.3 has it."""

    def __init__(self) -> None:
        self.rows: dict[str, Any] = {}

    def get(self, key: str) -> Any:
        return self.rows.get(key)

    def set(self, key: str, value: Any) -> None:
        self.rows[key] = json.loads(json.dumps(value))

    def delete(self, key: str) -> None:
        self.rows.pop(key, None)
