"""How many mails are sent per second, over all connections to the mail server."""

from __future__ import annotations

import threading
import time


class MailRateLimiter:
    """
    Limits how many mails are sent per second, over all threads.

    :param rate: Maximum number of mails per second; None for no limit.
    """

    def __init__(self, rate: float | None) -> None:
        self._interval = 1 / rate if rate else 0.0
        self._next = 0.0
        self._lock = threading.Lock()

    def acquire(self, stopping: threading.Event) -> bool:
        """
        Wait until the next mail may be sent.

        :param stopping: Ends the wait early.
        :returns: Whether the mail may be sent; False if the wait ended early.
        """
        with self._lock:
            now = time.monotonic()
            send_at = max(now, self._next)
            self._next = send_at + self._interval
        return not stopping.wait(send_at - now)
