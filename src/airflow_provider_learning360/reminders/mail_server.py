"""What a delivery needs of a mail server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from email.message import EmailMessage


class MailRefusedError(Exception):
    """
    The mail server refused one mail. It still accepts others.

    :param code: The server's reply code.
    """

    def __init__(self, code: int) -> None:
        super().__init__(f"refused with {code}")
        self.code = code


class MailConnection(Protocol):
    """An open connection to a mail server."""

    def send_envelope(self, mail: EmailMessage, content: bytes) -> None:
        """Name sender and recipient of a mail. Raises `MailRefusedError`."""

    def send_data(self) -> None:
        """Send the mail itself. When this returns, the server has accepted it. Raises `MailRefusedError`."""


class Transport(Protocol):
    """Opens connections to a mail server."""

    def prepare(self) -> None:
        """Read the settings from Airflow. The main thread calls this, before any other thread connects."""

    def connect(self) -> AbstractContextManager[MailConnection]:
        """Open a connection for the duration of a block; in any thread, so without Airflow."""
