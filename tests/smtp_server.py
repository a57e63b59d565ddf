"""
A real SMTP server on loopback that keeps what it accepts, and misbehaves where a test wants it to.

In a thread: `with SmtpServer() as server`. In a process of its own: `with SmtpServerProcess(log) as server`, or by hand
`python tests/smtp_server.py --port N --log FILE`, which appends one JSON line for each accepted mail.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import select
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from email.header import decode_header, make_header
from email.parser import BytesHeaderParser
from pathlib import Path
from typing import Any, Literal, NamedTuple, Self

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from ports import free_port

PATIENCE = 60  # seconds until a server that does not start or end fails a test
logging.getLogger("mail.log").setLevel(logging.WARNING)  # it repeats every command
LOGIN, PASSWORD = "mailer", "let-me-send"


class Accepted(NamedTuple):
    """A mail that the server has said yes to, or has kept without saying so."""

    at: float
    sender: str
    recipients: list[str]
    message_id: str
    subject: str
    raw: bytes


@dataclass
class Behaviour:
    """
    What the server does beside accepting mail; may be changed while it runs.

    :param refuse: For addresses of recipients, the code that they are answered with, such as 550.
    :param refuse_data: For addresses of recipients, the code that their mail is answered with once it is there.
    :param refuse_sender: The code that any sender is answered with; 0 for none.
    :param drop: What happens to the mail number `drop_at`: the connection is closed after the mail was kept (the client
        does not learn that it was), or before.
    :param drop_at: Number of the mail, from 1, counted since the server began.
    :param delay: Seconds that every mail takes.
    :param login: Whether clients must log in, as `LOGIN` with `PASSWORD`.
    :param max_connections: How many connections there may be at once; more are refused. 0 for no limit.
    :param max_connections_code: The reply code to those.
    """

    refuse: dict[str, int] = field(default_factory=dict)
    refuse_data: dict[str, int] = field(default_factory=dict)
    refuse_sender: int = 0
    drop: Literal["after", "before"] | None = None
    drop_at: int = 0
    delay: float = 0.0
    login: bool = False
    max_connections: int = 0
    max_connections_code: int = 421


class Handler:
    """What aiosmtpd asks about each mail."""

    def __init__(self, behaviour: Behaviour, keep: Callable[[Accepted], None]) -> None:
        self.behaviour = behaviour
        self.connections = 0
        self.mails = 0
        self.open = 0
        self.most_open = 0
        self._keep = keep

    async def handle_EHLO(
        self, server: SMTP, session: Session, envelope: Envelope, hostname: str, responses: list[str]
    ) -> list[str]:
        session.host_name = hostname
        self.connections += 1
        return responses

    async def handle_MAIL(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if self.behaviour.refuse_sender:
            return f"{self.behaviour.refuse_sender} <{address}> may not send"
        envelope.mail_from = address
        return "250 OK"

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if code := self.behaviour.refuse.get(address):
            return f"{code} <{address}> is not welcome"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        if self.behaviour.delay:
            await asyncio.sleep(self.behaviour.delay)
        if code := self.behaviour.refuse_data.get(envelope.rcpt_tos[0]):
            return f"{code} mail to <{envelope.rcpt_tos[0]}> is not welcome"
        self.mails += 1
        drop = self.behaviour.drop if self.mails == self.behaviour.drop_at else None
        if drop != "before":
            self._keep(accepted(envelope))
        if drop:
            assert server.transport
            server.transport.abort()
        return "250 OK"


def accepted(envelope: Envelope) -> Accepted:
    """Return what an envelope holds."""
    raw = envelope.original_content or b""
    headers = BytesHeaderParser().parsebytes(raw)  # the old way, which is quick
    subject = str(make_header(decode_header(headers["Subject"])))
    return Accepted(
        time.time(), envelope.mail_from or "", list(envelope.rcpt_tos), str(headers["Message-ID"]).strip(), subject, raw
    )


def authenticate(server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: Any) -> AuthResult:
    known = isinstance(data, LoginPassword) and (data.login, data.password) == (LOGIN.encode(), PASSWORD.encode())
    # Not handled: the server then says no by itself.
    return AuthResult(success=known, handled=known)


class _Smtp(SMTP):
    """aiosmtpd, which refuses connections above a limit."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        handler = self.event_handler
        handler.open += 1
        limit = handler.behaviour.max_connections
        if limit and handler.open > limit:
            assert isinstance(transport, asyncio.Transport)
            self.transport = transport
            transport.write(b"%d too many connections\r\n" % handler.behaviour.max_connections_code)
            transport.close()
            return
        handler.most_open = max(handler.most_open, handler.open)
        super().connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        self.event_handler.open -= 1
        if self.session is not None:
            super().connection_lost(error)


class _Controller(Controller):
    """aiosmtpd in a thread; whether logins are needed is asked when a client comes."""

    def factory(self) -> SMTP:
        login = self.handler.behaviour.login
        return _Smtp(
            self.handler,
            hostname="localhost",  # asking the network for a name may take seconds
            authenticator=authenticate if login else None,
            auth_required=login,
            auth_require_tls=not login,  # so that it is offered where it is needed
            command_call_limit=1_000_000,
        )


class SmtpServer:
    """
    The server in a thread of this process. Use it as a context manager.

    :param behaviour: What it does beside accepting mail; default nothing.
    :param port: Port; default a free one.
    :param keep: What to do with accepted mails beside keeping them in `mails`.
    """

    def __init__(
        self,
        behaviour: Behaviour | None = None,
        port: int | None = None,
        keep: Callable[[Accepted], None] | None = None,
    ) -> None:
        self.behaviour = behaviour or Behaviour()
        self.port = port or free_port()
        self.mails: list[Accepted] = []
        self._lock = threading.Lock()
        self._handler = Handler(self.behaviour, keep or self._append)
        self._controller: _Controller | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Come up; after `stop` on the same port, with what was kept before."""
        self._controller = _Controller(self._handler, hostname="127.0.0.1", port=self.port)
        self._controller.start()
        self._handler.connections = self._handler.most_open = 0  # the controller has tried it out

    def stop(self) -> None:
        """Go down, if it is up."""
        if self._controller:
            self._controller.stop()
            self._controller = None

    @property
    def connections(self) -> int:
        """How many clients have said EHLO."""
        return self._handler.connections

    @property
    def most_connections(self) -> int:
        """How many connections there were at once, at most."""
        return self._handler.most_open

    @property
    def recipients(self) -> list[str]:
        """Who got a mail, in the order of acceptance, as often as they got one."""
        return [one for mail in self.mails for one in mail.recipients]

    @property
    def connection(self) -> dict[str, Any]:
        """An Airflow connection to it."""
        return connection(self.port)

    def _append(self, mail: Accepted) -> None:
        with self._lock:
            self.mails.append(mail)


class SmtpServerProcess:
    """
    The server in a process of its own. Use it as a context manager.

    :param log: File to which a line is appended for each accepted mail.
    :param behaviour: What it does beside accepting mail; default nothing.
    """

    def __init__(self, log: Path, behaviour: Behaviour | None = None) -> None:
        self.log = log
        self.port = free_port()
        self.behaviour = behaviour or Behaviour()
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Come up; after `stop` on the same port and with the same log."""
        command = [sys.executable, __file__, f"--port={self.port}", f"--log={self.log}"]
        command += [f"--behaviour={json.dumps(asdict(self.behaviour))}"]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout
        ready, _, _ = select.select([self._process.stdout], [], [], PATIENCE)
        if not ready or "ready" not in self._process.stdout.readline():
            self.stop()
            raise RuntimeError("the SMTP server did not start")

    def stop(self) -> None:
        """Go down at once, if it is up."""
        if self._process:
            self._process.kill()
            self._process.communicate(timeout=PATIENCE)
            self._process = None

    @property
    def mails(self) -> list[dict[str, Any]]:
        """What it has accepted: `at`, `sender`, `recipients`, `message_id` and `subject`."""
        if not self.log.exists():
            return []
        return [json.loads(line) for line in self.log.read_text().splitlines()]

    @property
    def connection(self) -> dict[str, Any]:
        """An Airflow connection to it."""
        return connection(self.port)


def connection(port: int) -> dict[str, Any]:
    """Return an Airflow connection to a server on loopback."""
    extra = {"disable_ssl": True, "disable_tls": True, "timeout": 5, "retry_limit": 0}
    return {"conn_type": "smtp", "host": "127.0.0.1", "port": port, "extra": extra}


def main() -> None:
    """Serve until the process is ended."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--log", type=Path, required=True)
    parser.add_argument("--behaviour", type=json.loads, default={}, help="fields of Behaviour, as JSON")
    arguments = parser.parse_args()
    with arguments.log.open("a", encoding="utf-8") as log:

        def keep(mail: Accepted) -> None:
            fields = {name: value for name, value in mail._asdict().items() if name != "raw"}
            print(json.dumps(fields), file=log, flush=True)

        with SmtpServer(Behaviour(**arguments.behaviour), arguments.port, keep):
            print(f"ready on 127.0.0.1:{arguments.port}", flush=True)
            threading.Event().wait()


if __name__ == "__main__":
    main()
