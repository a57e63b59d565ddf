"""The HTTP server: sockets, threads, keep-alive, compression."""

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
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING, Any, TextIO
from urllib.parse import parse_qsl

from airflow_provider_learning360.simulator.request_log import SeenRequest, log_line
from airflow_provider_learning360.simulator.responses import JSON, Response

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_CONNECTIONS = 256
MAX_BODY_BYTES = 16 * 1024 * 1024
MIN_COMPRESSED_BYTES = 1024
_NO_GZIP = re.compile(r"gzip\s*;\s*q=0(\.0*)?\s*(,|$)")


def _system_clock() -> datetime:
    return datetime.now(UTC)


def require_loopback(host: str) -> str:
    """Return a host, if it is loopback.

    :raises ValueError: it is not. Everybody knows the simulator's key, so it serves this machine only.
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
    wbufsize = -1  # head and body are sent together
    disable_nagle_algorithm = True
    server: Server

    def do_GET(self) -> None:
        """Respond to a request of any method."""
        body = self._body()
        if body is None:
            return
        path, _, query = self.path.partition("?")
        pairs = parse_qsl(query, keep_blank_values=True)
        seen = SeenRequest(
            method=self.command,
            path=path,
            query=dict(pairs),
            headers={name.lower(): value for name, value in self.headers.items()},
            body=body,
            at=time.monotonic(),
            status=0,
            connection=self.server.connection_number(self.connection),
            query_pairs=tuple(pairs),
        )
        response = self.server.respond(seen)
        self.server.stopping.wait(response.delay)
        self.server.log_request(seen, response, self._send(response))

    do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_GET

    def _body(self) -> bytes | None:
        length = self.headers.get("Content-Length", "0")
        if "Transfer-Encoding" in self.headers or not length.isdecimal() or int(length) > MAX_BODY_BYTES:
            self.send_error(411 if "Transfer-Encoding" in self.headers else 413)
            self.close_connection = True
            return None
        return self.rfile.read(int(length))

    def _send(self, response: Response) -> int:
        """Send a response; return how many bytes of the body were sent."""
        if response.sent_part == "none" or self.server.stopping.is_set():
            self.close_connection = True
            return 0
        headers, body = self._headers_and_body(response)
        self.send_response(response.status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "HEAD":
            return 0
        if response.sent_part == "half":
            self.close_connection = True
            body = body[: len(body) // 2]
        self.wfile.write(body)
        self.wfile.flush()
        return len(body)

    def _headers_and_body(self, response: Response) -> tuple[dict[str, str], bytes]:
        headers = {"Cache-Control": "no-cache, no-store, private"}
        body = response.body
        if response.status not in (204, 304) and not (300 <= response.status < 400):
            headers["Content-Type"] = response.content_type
        if response.content_type == JSON and body:
            headers["ETag"] = f'W/"{len(body):x}-{hashlib.sha1(body, usedforsecurity=False).hexdigest()[:27]}"'
        accepted = self.headers.get("Accept-Encoding", "")
        if "gzip" in accepted and not _NO_GZIP.search(accepted) and len(body) > MIN_COMPRESSED_BYTES:
            body = gzip.compress(body, compresslevel=1, mtime=0)
            headers |= {"Content-Encoding": "gzip", "Vary": "Accept-Encoding"}
        if response.status not in (204, 304):
            headers["Content-Length"] = str(len(body))
        return headers | dict(response.headers), body

    def date_time_string(self, timestamp: float | None = None) -> str:
        """Return the ``Date`` header, by the clock of the simulator."""
        return super().date_time_string(self.server.now().timestamp() if timestamp is None else timestamp)

    def log_message(self, format: str, *args: Any) -> None:
        """Write nothing: the server writes its own line, without secrets."""


class Server(HTTPServer):
    """An HTTP server on loopback, with a daemon thread for each connection and a limit of connections.

    :param host: loopback address.
    :param port: TCP port; 0 for any free one.
    :param respond: returns the response to a request.
    :param log: where to write a line for each request; default nowhere.
    :param now: the clock, for the ``Date`` header.
    """

    request_queue_size = 128

    def __init__(
        self,
        host: str,
        port: int,
        respond: Callable[[SeenRequest], Response],
        log: TextIO | None = None,
        now: Callable[[], datetime] = _system_clock,
    ) -> None:
        self.respond = respond
        self.now = now
        self.stopping = threading.Event()
        self.accepted = 0
        self._log = log
        self._open: dict[Any, tuple[int, threading.Thread]] = {}
        self._lock = threading.Lock()
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        super().__init__((require_loopback(host), port), Handler)
        self._thread = threading.Thread(target=self._accept, name="learning360-simulator", daemon=True)

    def server_bind(self) -> None:
        """Bind without asking the network for this machine's name, which may take seconds."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])

    def start(self) -> None:
        """Start to serve, in a thread."""
        self._thread.start()

    def stop(self) -> None:
        """Stop serving, close every connection, and wait for the threads to end."""
        self.stopping.set()
        with suppress(OSError), socket.create_connection((self.server_name, self.server_port), timeout=5):
            pass  # wakes the thread that waits for connections
        self._thread.join(timeout=5)
        self.server_close()
        with self._lock:
            still_open = dict(self._open)
        for connection in still_open:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)  # a kept-alive connection would be served for ever
        for _, thread in still_open.values():
            thread.join(timeout=5)

    def _accept(self) -> None:
        while not self.stopping.is_set():
            self.handle_request()

    def connection_number(self, connection: Any) -> int:
        """Return the number of a TCP connection, counted from 1."""
        with self._lock:
            return self._open[connection][0]

    def process_request(self, request: Any, client_address: Any) -> None:
        """Start the thread of a connection; close the connection if there are too many."""
        with self._lock:
            self.accepted += 1
            is_full = len(self._open) >= MAX_CONNECTIONS
            thread = threading.Thread(target=self._handle, args=(request, client_address), daemon=True)
            if not is_full:
                self._open[request] = (self.accepted, thread)
        if is_full:
            self.shutdown_request(request)
        else:
            thread.start()

    def _handle(self, request: Any, client_address: Any) -> None:
        try:
            self.finish_request(request, client_address)
        except (ConnectionError, TimeoutError):
            pass  # the client closed the connection
        except Exception:  # noqa: BLE001 - printed, and ends this connection only
            self.handle_error(request, client_address)
        finally:
            with self._lock:
                self._open.pop(request, None)
            self.shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Print an error of the simulator, without the request, which holds secrets."""
        sys.excepthook(*sys.exc_info())

    def log_request(self, seen: SeenRequest, response: Response, size: int) -> None:
        """Write the line of a request."""
        if self._log is not None:
            print(log_line(seen, response.status, size, response.note), file=self._log, flush=True)
