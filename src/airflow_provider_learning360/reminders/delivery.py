"""The loop that mails each recipient of a reminder once."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, field
from email.errors import MessageError
from itertools import chain, islice
from typing import TYPE_CHECKING, Literal, Protocol

from airflow_provider_learning360.api.errors import FixArgumentError, TryAgainError
from airflow_provider_learning360.reminders.mail import UnmailableError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from contextlib import AbstractContextManager
    from email.message import EmailMessage

    from airflow_provider_learning360.reminders.ledger import Ledger

log = logging.getLogger(__name__)

Once = Literal["record_after", "claim_before"]

# What a ledger says of a recipient.
SENT = "sent"
CLAIMED = "claimed"
REFUSED = "refused"


class RefusedError(Exception):
    """
    The mail server does not take one mail; it takes others.

    :param code: The server's reply code.
    """

    def __init__(self, code: int) -> None:
        super().__init__(f"refused with {code}")
        self.code = code


class Line(Protocol):
    """An open connection to a mail server."""

    def offer(self, mail: EmailMessage, content: bytes) -> None:
        """Name sender and recipient; nothing is sent yet. Raises `RefusedError`."""

    def hand_over(self) -> None:
        """Send the mail that was offered; when this returns, the server has accepted it. Raises `RefusedError`."""


class Transport(Protocol):
    """A way to a mail server."""

    def connect(self) -> AbstractContextManager[Line]:
        """Open a connection for as long as a block takes."""


@dataclass
class DeliveryResult:
    """
    What became of the recipients of a reminder.

    :param sent: How many mails the server accepted this time.
    :param already: How many recipients had their mail before.
    :param refused: Keys of recipients whom the server refused for good (5xx).
    :param failed: Keys of recipients whom the server refused for now (4xx); the next try mails them.
    :param unknown: Keys of recipients who were claimed before, and may or may not have their mail.
    :param unmailable: How many recipients have no address that mail could reach.
    """

    sent: int = 0
    already: int = 0
    refused: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    unmailable: int = 0


def deliver(
    reminder_key: str,
    mails: Iterable[tuple[str, Callable[[], EmailMessage]]],
    *,
    ledger: Ledger,
    transport: Transport,
    once: Once,
    rate: float | None = None,
    batch_size: int = 100,
) -> DeliveryResult:
    """
    Mail everybody who does not have this reminder yet.

    There is no exactly once between a ledger and a mail server. With `record_after` a crash between the server's yes
    and the entry repeats one mail; with `claim_before` a crash between the entry and the server's yes loses one.

    :param reminder_key: Key of the reminder, for the log and for errors.
    :param mails: For each recipient the key, which holds no address, and what builds the mail.
    :param ledger: Who has this reminder already.
    :param transport: The way to the mail server.
    :param once: When the ledger is written: `record_after` the server accepted, or `claim_before` it is asked to.
    :param rate: Mails per second at most; default no limit.
    :param batch_size: Mails per connection at most; default 100.
    :returns: What became of the recipients.
    :raises TryAgainError: The mail server is away or went away. What was done is recorded; the next try mails who is
        left.
    :raises FixConnectionError: The mail server refused the login, or the sender.
    :raises FixArgumentError: `rate` or `batch_size` is not above zero.
    """
    if batch_size < 1 or (rate is not None and rate <= 0):
        raise FixArgumentError("rate and batch_size must be above zero.")
    result = DeliveryResult()
    left = _left(mails, ledger, result)
    pace = Pace(rate)
    try:
        for first in left:  # no connection is opened for nobody
            with transport.connect() as line:
                for key, mail in chain([first], islice(left, batch_size - 1)):
                    pace.wait()
                    _mail_one(key, mail, line, ledger, once, result)
            log.info("%s: %d mails sent so far.", reminder_key, result.sent)
    except TryAgainError as error:
        trouble = error
    else:
        return result
    # Outside of the handler: what failed may hold addresses.
    raise trouble.with_note(f"{reminder_key}: {result.sent} mails were sent before; a retry mails who is left.")


def _left(
    mails: Iterable[tuple[str, Callable[[], EmailMessage]]], ledger: Ledger, result: DeliveryResult
) -> Iterator[tuple[str, EmailMessage]]:
    """Yield, one at a time, the mails that are still to be sent; count the others."""
    for key, build in mails:
        state = ledger.seen(key)
        if state == SENT:
            result.already += 1
        elif state == CLAIMED:
            result.unknown.append(key)
        else:
            try:
                mail = build()
            except UnmailableError:
                result.unmailable += 1
            else:
                yield key, mail


def _mail_one(key: str, mail: EmailMessage, line: Line, ledger: Ledger, once: Once, result: DeliveryResult) -> None:
    try:
        content = mail.as_bytes()
    except (MessageError, ValueError):
        result.unmailable += 1  # a name or subject that no header can carry
        return
    try:
        # A claim is made as late as can be: once the server has agreed to this sender and this recipient.
        line.offer(mail, content)
        if once == "claim_before":
            ledger.record(key, CLAIMED)
        line.hand_over()
    except RefusedError as refusal:
        (result.refused if refusal.code >= 500 else result.failed).append(key)
        if ledger.seen(key) == CLAIMED:
            ledger.record(key, REFUSED)  # so that nobody has to wonder whether this mail arrived
        return
    ledger.record(key, SENT)
    result.sent += 1


class Pace:
    """
    Lets mails through no faster than a rate.

    :param rate: Mails per second; None for no limit.
    """

    def __init__(self, rate: float | None) -> None:
        self._interval = 1 / rate if rate else 0.0
        self._next = 0.0

    def wait(self) -> None:
        """Wait for one's turn."""
        now = time.monotonic()
        if now < self._next:
            time.sleep(self._next - now)
        self._next = max(now, self._next) + self._interval
