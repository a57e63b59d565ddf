"""A mail server on this machine: it accepts every mail and sends none on, so that no mail of a demo reaches anybody."""

from __future__ import annotations

import socket
from email import message_from_bytes, policy
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Callable
    from email.message import EmailMessage


class MailServer:
    """
    An SMTP server on loopback. Use it as a context manager.

    :param on_mail: called with each mail that was accepted, in the server's thread; default nothing.
    """

    def __init__(self, on_mail: Callable[[EmailMessage], None] | None = None) -> None:
        self.mails: list[EmailMessage] = []
        self.port = _free_port()
        self._on_mail = on_mail
        self._controller: Any = None

    def __enter__(self) -> Self:
        from aiosmtpd.controller import Controller

        # Without a name, aiosmtpd asks the network for this machine's, which may take seconds.
        self._controller = Controller(
            self, hostname="127.0.0.1", port=self.port, server_hostname="localhost", ready_timeout=30
        )
        self._controller.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._controller.stop()

    @property
    def connection(self) -> dict[str, Any]:
        """The Airflow connection to it."""
        extra = {"from_email": "Academy <academy@example.com>", "disable_ssl": True, "disable_tls": True}
        return {"conn_type": "smtp", "host": "127.0.0.1", "port": self.port, "extra": extra}

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        """Accept a mail. aiosmtpd calls this."""
        mail: EmailMessage = message_from_bytes(envelope.original_content, policy=policy.default)
        self.mails.append(mail)
        if self._on_mail:
            self._on_mail(mail)
        return "250 OK"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
