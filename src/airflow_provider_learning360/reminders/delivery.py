"""The loop that mails a reminder to each recipient."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, field
from email.errors import MessageError
from itertools import chain, islice
from typing import TYPE_CHECKING, Protocol, TypedDict

from airflow_provider_learning360.api.counts import count_of
from airflow_provider_learning360.api.errors import FixArgumentError, TryAgainError
from airflow_provider_learning360.reminders.addresses import UnmailableError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from contextlib import AbstractContextManager
    from email.message import EmailMessage

    from airflow_provider_learning360.reminders.ledger import DeliveryLedger
    from airflow_provider_learning360.reminders.reminder import DeliveryGuarantee

log = logging.getLogger(__name__)


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

    def connect(self) -> AbstractContextManager[MailConnection]:
        """Open a connection for the duration of a block."""


@dataclass
class DeliveryResult:
    """
    What happened to the recipients of a reminder.

    :param sent: Number of mails that the server accepted this time.
    :param already: Number of recipients who had the mail before.
    :param refused: Keys of recipients whom the server refused permanently (5xx).
    :param failed: Keys of recipients whom the server refused temporarily (4xx); the next try mails them.
    :param unknown: Keys of recipients who were claimed before; whether they got the mail is unknown.
    :param unmailable: Number of recipients without a usable mail address.
    """

    sent: int = 0
    already: int = 0
    refused: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    unmailable: int = 0


class SummaryCounts(TypedDict):
    """Full counts: the lists of a `DeliverySummary` are cut."""

    refused: int
    unknown: int
    unmailable: int


class DeliverySummary(TypedDict):
    """What a delivery pushes to XCom: counts, and hashed keys of those who did not get their mail."""

    reminder: str
    sent: int
    already: int
    refused: list[str]
    unknown: list[str]
    unmailable: list[str]
    counts: SummaryCounts


def deliver(
    reminder_key: str,
    mails: Iterable[tuple[str, Callable[[], EmailMessage]]],
    *,
    ledger: DeliveryLedger,
    transport: Transport,
    delivery: DeliveryGuarantee,
    rate: float | None = None,
    batch_size: int = 100,
) -> DeliveryResult:
    """
    Mail each recipient who does not have this reminder yet.

    Between a ledger and a mail server, exactly-once delivery is impossible. A crash between the server's acceptance
    and the ledger entry repeats one mail (`at_least_once`). A crash between the claim and the server's acceptance
    loses one mail (`at_most_once`).

    :param reminder_key: Key of the reminder, for log lines and errors.
    :param mails: For each recipient, the key, which contains no address, and a function that builds the mail.
    :param ledger: The delivery ledger of this reminder.
    :param transport: Opens connections to the mail server.
    :param delivery: `at_least_once` records a mail after the server accepted it; `at_most_once` claims it before.
    :param rate: Maximum number of mails per second; default no limit.
    :param batch_size: Maximum number of mails per connection; default 100.
    :returns: What happened to the recipients.
    :raises TryAgainError: The mail server is unavailable, or the connection broke. The next try mails the others.
    :raises FixConnectionError: The mail server refused the login, or the sender.
    :raises FixArgumentError: `rate` or `batch_size` is not above 0.
    """
    check_limits(rate, batch_size)
    result = DeliveryResult()
    pending = _build_pending(mails, ledger, result)
    limiter = MailRateLimiter(rate)
    try:
        for first in pending:  # without a pending mail, no connection is opened
            with transport.connect() as connection:
                for key, mail in chain([first], islice(pending, batch_size - 1)):
                    limiter.acquire()
                    _send(key, mail, connection, ledger, delivery, result)
            log.info("%s: %s sent so far.", reminder_key, count_of(result.sent, "mail"))
    except TryAgainError as error:
        failure = error
    else:
        return result
    # Raised outside the handler: a chained exception may contain addresses.
    raise failure.with_note(
        f"{reminder_key}: {count_of(result.sent, 'mail')} sent before the failure. A retry sends the others."
    )


def check_limits(rate: float | None, batch_size: int) -> None:
    """
    Check the limits of a delivery.

    :param rate: Maximum number of mails per second; None for no limit.
    :param batch_size: Maximum number of mails per connection.
    :raises FixArgumentError: One of them is not above 0.
    """
    if batch_size < 1 or (rate is not None and rate <= 0):
        raise FixArgumentError(f"rate={rate}, batch_size={batch_size}: both must be above 0.")


def _build_pending(
    mails: Iterable[tuple[str, Callable[[], EmailMessage]]], ledger: DeliveryLedger, result: DeliveryResult
) -> Iterator[tuple[str, EmailMessage]]:
    """Yield the mails that are still to be sent, one at a time; count the others."""
    for key, build in mails:
        state = ledger.find_state(key)
        if state == "sent":
            result.already += 1
        elif state == "claimed":
            result.unknown.append(key)
        else:
            try:
                mail = build()
            except UnmailableError:
                result.unmailable += 1
            else:
                yield key, mail


def _send(
    key: str,
    mail: EmailMessage,
    connection: MailConnection,
    ledger: DeliveryLedger,
    delivery: DeliveryGuarantee,
    result: DeliveryResult,
) -> None:
    try:
        content = mail.as_bytes()
    except (MessageError, ValueError):
        result.unmailable += 1  # its name or subject does not fit into a header
        return
    try:
        connection.send_envelope(mail, content)
        # The claim comes as late as possible: the server has accepted sender and recipient.
        if delivery == "at_most_once":
            ledger.record(key, "claimed")
        connection.send_data()
    except MailRefusedError as refusal:
        (result.refused if refusal.code >= 500 else result.failed).append(key)
        if ledger.find_state(key) == "claimed":
            ledger.record(key, "refused")  # otherwise the result would list it as `unknown`
        return
    ledger.record(key, "sent")
    result.sent += 1


class MailRateLimiter:
    """
    Limits how many mails are sent per second.

    :param rate: Maximum number of mails per second; None for no limit.
    """

    def __init__(self, rate: float | None) -> None:
        self._interval = 1 / rate if rate else 0.0
        self._next = 0.0

    def acquire(self) -> None:
        """Wait until the next mail may be sent."""
        now = time.monotonic()
        if now < self._next:
            time.sleep(self._next - now)
        self._next = max(now, self._next) + self._interval
