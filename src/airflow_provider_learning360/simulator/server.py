"""HTTP mechanics: sockets, threads, keep-alive, compression. What is answered is decided elsewhere."""

from __future__ import annotations

import gzip
import hashlib
import ipaddress
import re
import socket
import socketserver
import sys
import threading
import time
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING, Any, TextIO
from urllib.parse import parse_qsl

from airflow_provider_learning360.simulator.answers import JSON, Answer
from airflow_provider_learning360.simulator.traffic import SeenRequest, line

if TYPE_CHECKING:
    from collections.abc import Callable

_MOST_CONNECTIONS = 256
_MOST_BODY = 16 * 1024 * 1024
_WORTH_COMPRESSING = 1024
_NO_GZIP = re.compile(r"gzip\s*;\s*q=0(\.0*)?\s*(,|$)")


def loopback(host: str) -> str:
    """The host, if it is this machine's loopback.

    :raises ValueError: it is not; the simulator has a known key and serves nobody else.
    """
    with suppress(ValueError):
        if host == "localhost" or ipaddress.ip_address(host).is_loopback:
            return host
    raise ValueError(f"the simulator listens on loopback only (127.0.0.1, ::1 or localhost), not on {host!r}")


class Handler(BaseHTTPRequestHandler):
    """One TCP connection."""

    protocol_version = "HTTP/1.1"
    server_version = "360Learning-simulator"
    sys_version = ""
    wbufsize = -1  # head and body leave in one piece
    disable_nagle_algorithm = True
    server: Server

    def do_GET(self) -> None:
        """Answers any method."""
        body = self._body()
        if body is None:
            return
        path, _, query = self.path.partition("?")
        seen = SeenRequest(
            method=self.command,
            path=path,
            query=dict(parse_qsl(query, keep_blank_values=True)),
            headers={name.lower(): value for name, value in self.headers.items()},
            body=body,
            at=time.monotonic(),
            status=0,
            connection=self.server.number(self.connection),
        )
        answer = self.server.respond(seen)
        self.server.stopping.wait(answer.delay)
        self.server.note(seen, answer, self._send(answer))

    do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_GET

    def _body(self) -> bytes | None:
        length = self.headers.get("Content-Length", "0")
        if "Transfer-Encoding" in self.headers or not length.isdecimal() or int(length) > _MOST_BODY:
            self.send_error(411 if "Transfer-Encoding" in self.headers else 413)
            self.close_connection = True
            return None
        return self.rfile.read(int(length))

    def _send(self, answer: Answer) -> int:
        """Sends an answer; returns how many bytes of body went out."""
        if answer.delivery == "none" or self.server.stopping.is_set():
            self.close_connection = True
            return 0
        headers, body = self._dressed(answer)
        self.send_response(answer.status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "HEAD":
            return 0
        if answer.delivery == "half":
            self.close_connection = True
            body = body[: len(body) // 2]
        self.wfile.write(body)
        self.wfile.flush()
        return len(body)

    def _dressed(self, answer: Answer) -> tuple[dict[str, str], bytes]:
        headers = {"Cache-Control": "no-cache, no-store, private"}
        body = answer.body
        if answer.status not in (204, 304) and not (300 <= answer.status < 400):
            headers["Content-Type"] = answer.content_type
        if answer.content_type == JSON and body:
            headers["ETag"] = f'W/"{len(body):x}-{hashlib.sha1(body, usedforsecurity=False).hexdigest()[:27]}"'
        accepted = self.headers.get("Accept-Encoding", "")
        if "gzip" in accepted and not _NO_GZIP.search(accepted) and len(body) > _WORTH_COMPRESSING:
            body = gzip.compress(body, compresslevel=1, mtime=0)
            headers |= {"Content-Encoding": "gzip", "Vary": "Accept-Encoding"}
        if answer.status not in (204, 304):
            headers["Content-Length"] = str(len(body))
        return headers | dict(answer.headers), body

    def log_message(self, format: str, *args: Any) -> None:
        """Stays silent: the server writes its own line, without secrets."""


class Server(HTTPServer):
    """A loopback HTTP server with one bounded daemon thread per connection.

    :param host: loopback address.
    :param port: TCP port; 0 for any free one.
    :param respond: decides the answer to a request.
    :param log: where a line per request goes, if anywhere.
    """

    request_queue_size = 128

    def __init__(
        self, host: str, port: int, respond: Callable[[SeenRequest], Answer], log: TextIO | None = None
    ) -> None:
        self.respond = respond
        self.stopping = threading.Event()
        self.accepted = 0
        self._log = log
        self._open: dict[Any, tuple[int, threading.Thread]] = {}
        self._guard = threading.Lock()
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        super().__init__((loopback(host), port), Handler)
        self._thread = threading.Thread(target=self._accept, name="learning360-simulator", daemon=True)

    def server_bind(self) -> None:
        """Binds without asking the name service for this machine's name, which may take seconds."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])

    def start(self) -> None:
        """Begins to serve, in a thread of its own."""
        self._thread.start()

    def stop(self) -> None:
        """Stops serving, closes every connection and waits for the threads to end."""
        self.stopping.set()
        with suppress(OSError), socket.create_connection((self.server_name, self.server_port), timeout=5):
            pass  # wakes the thread that waits for connections
        self._thread.join(timeout=5)
        self.server_close()
        with self._guard:
            still_open = dict(self._open)
        for connection in still_open:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)  # a kept-alive connection would answer for ever
        for _, thread in still_open.values():
            thread.join(timeout=5)

    def _accept(self) -> None:
        while not self.stopping.is_set():
            self.handle_request()

    def number(self, connection: Any) -> int:
        """The number of a TCP connection, counted from 1."""
        with self._guard:
            return self._open[connection][0]

    def process_request(self, request: Any, client_address: Any) -> None:
        """Gives a connection its number and its thread; refuses it when there are too many."""
        with self._guard:
            self.accepted += 1
            crowded = len(self._open) >= _MOST_CONNECTIONS
            thread = threading.Thread(target=self._handle, args=(request, client_address), daemon=True)
            if not crowded:
                self._open[request] = (self.accepted, thread)
        if crowded:
            self.shutdown_request(request)
        else:
            thread.start()

    def _handle(self, request: Any, client_address: Any) -> None:
        try:
            self.finish_request(request, client_address)
        except (ConnectionError, TimeoutError):
            pass  # the client left, which is its right
        except Exception:  # noqa: BLE001 - shown, and ends this connection alone
            self.handle_error(request, client_address)
        finally:
            with self._guard:
                self._open.pop(request, None)
            self.shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Shows a fault of the simulator itself, without the request, which holds secrets."""
        sys.excepthook(*sys.exc_info())

    def note(self, seen: SeenRequest, answer: Answer, size: int) -> None:
        """Writes the line of one request."""
        if self._log is not None:
            print(line(seen, answer.status, size, answer.note), file=self._log, flush=True)
