"""A thread that sends mails over one connection at a time, with at most one mail in doubt."""

from __future__ import annotations

import threading
from concurrent.futures import CancelledError, Future
from dataclasses import dataclass, field
from email.errors import MessageError
from itertools import chain, islice
from typing import TYPE_CHECKING, Literal

from airflow_provider_learning360.reminders.addresses import UnmailableError
from airflow_provider_learning360.reminders.mail_server import MailRefusedError

if TYPE_CHECKING:
    from collections.abc import Callable
    from email.message import EmailMessage
    from queue import SimpleQueue

    from airflow_provider_learning360.reminders.mail_rate import MailRateLimiter
    from airflow_provider_learning360.reminders.mail_server import MailConnection, Transport
    from airflow_provider_learning360.reminders.pending_mails import PendingMail, PendingMails
    from airflow_provider_learning360.reminders.reminder import DeliveryGuarantee

# What happened to a recipient. `sent` and `claimed` must be stored before the thread sends another mail.
Outcome = Literal["claimed", "sent", "refused", "failed", "unmailable", "unsent"]


@dataclass(frozen=True)
class Report:
    """
    What a thread reports of one recipient.

    :param thread: The thread.
    :param key: Key of the recipient.
    :param outcome: What happened.
    :param stored: Done when the ledger entry is stored; cancelled if it never will be.
    """

    thread: ConnectionThread
    key: str
    outcome: Outcome
    stored: Future[None] = field(default_factory=Future)


@dataclass(frozen=True)
class Ended:
    """
    The last report of a thread.

    :param thread: The thread.
    :param error: Why it ended early; None if it did not.
    :param unsent: A mail for which it could not open a connection.
    """

    thread: ConnectionThread
    error: BaseException | None
    unsent: PendingMail | None


@dataclass(frozen=True)
class SharedWork:
    """
    What all threads of a delivery share.

    :param pending: The mails to be sent.
    :param reports: What happened to them; the main thread reads it.
    :param transport: Opens connections to the mail server.
    :param limiter: Limits the mails per second.
    :param delivery: Whether a mail is claimed before it is sent.
    :param batch_size: Maximum number of mails per connection.
    :param stopping: Set when no further mail is to be sent.
    """

    pending: PendingMails
    reports: SimpleQueue[Report | Ended]
    transport: Transport
    limiter: MailRateLimiter
    delivery: DeliveryGuarantee
    batch_size: int
    stopping: threading.Event = field(default_factory=threading.Event)


class ConnectionThread(threading.Thread):
    """
    Sends mails over one connection at a time.

    It does not use Airflow: Airflow's supervisor answers the main thread only. So the main thread writes the ledger
    entries of all threads. Before a thread sends the content of a mail, the entry of its mail before, and the claim,
    are stored, in one write. So at any moment each thread has at most one mail whose outcome the ledger does not know.

    :param work: What all threads of a delivery share.
    """

    def __init__(self, work: SharedWork) -> None:
        super().__init__(name="learning360-mail", daemon=True)  # Airflow must be able to end the task at any time
        self._work = work
        self._unsent: PendingMail | None = None
        self._last: Future[None] | None = None

    def run(self) -> None:
        """Send mails until none is left, or until one cannot be sent."""
        error = None
        try:
            self._send_all()
        except CancelledError:
            pass  # the main thread stores no more entries
        except BaseException as problem:  # noqa: BLE001 - the main thread raises it
            error = problem
        self._work.reports.put(Ended(self, error, self._unsent))

    def _send_all(self) -> None:
        work = self._work
        for first in iter(work.pending.take, None):
            self._unsent = first
            with work.transport.connect() as connection:
                self._unsent = None
                for mail in chain([first], islice(iter(work.pending.take, None), work.batch_size - 1)):
                    self._send(mail, connection)

    def _send(self, pending: PendingMail, connection: MailConnection) -> None:
        key, build = pending
        if not self._work.limiter.acquire(self._work.stopping):
            return
        if self._work.delivery == "at_most_once":
            self._report(key, "claimed")
        if self._send_envelope(key, build, connection):
            try:
                connection.send_data()
            except MailRefusedError as refusal:
                self._report_refusal(key, refusal)
            else:
                self._report(key, "sent")

    def _send_envelope(self, key: str, build: Callable[[], EmailMessage], connection: MailConnection) -> bool:
        """Do all that comes before the content, while the main thread writes; return whether to go on."""
        try:
            built = _build(build)
            if built is None:
                self._report(key, "unmailable")
                return False
            connection.send_envelope(*built)
            self._wait_until_stored()
        except MailRefusedError as refusal:
            self._report_refusal(key, refusal)
            return False
        except BaseException:
            self._report(key, "unsent")
            raise
        return True

    def _report_refusal(self, key: str, refusal: MailRefusedError) -> None:
        self._report(key, "refused" if refusal.code >= 500 else "failed")

    def _report(self, key: str, outcome: Outcome) -> None:
        report = Report(self, key, outcome)
        self._last = report.stored
        self._work.reports.put(report)

    def _wait_until_stored(self) -> None:
        if self._last is not None:  # reports are handled in order, so the last is enough
            self._last.result()


def _build(build: Callable[[], EmailMessage]) -> tuple[EmailMessage, bytes] | None:
    """Return a mail, and the mail as bytes; None if its recipient has no usable address or name."""
    try:
        mail = build()
    except UnmailableError:
        return None
    try:
        return mail, mail.as_bytes()
    except (MessageError, ValueError):
        return None  # its name or subject does not fit into a header
