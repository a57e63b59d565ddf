"""The mails that wait for a connection to the mail server."""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from email.message import EmailMessage

    # The key of a recipient, which contains no address, and a function that builds the mail.
    PendingMail = tuple[str, Callable[[], EmailMessage]]


class PendingMails:
    """A few mails, in order: the main thread adds them, the threads of the connections take them."""

    def __init__(self) -> None:
        self._mails: deque[PendingMail] = deque()
        self._changed = threading.Condition()
        self._is_closed = False

    def __len__(self) -> int:
        return len(self._mails)

    def add(self, mail: PendingMail) -> None:
        """
        Add a mail.

        :param mail: The mail.
        """
        with self._changed:
            self._mails.append(mail)
            self._changed.notify()

    def take(self) -> PendingMail | None:
        """Wait for the next mail and remove it; return None if no other will come."""
        with self._changed:
            self._changed.wait_for(lambda: self._mails or self._is_closed)
            return self._mails.popleft() if self._mails else None

    def close(self) -> None:
        """Let the threads end after the mails that are here."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()

    def clear(self) -> None:
        """Remove the mails that nobody has taken, and let the threads end."""
        with self._changed:
            self._mails.clear()
        self.close()
