"""Mail a reminder to each recipient who does not have it, over several connections to the mail server."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, field
from math import ceil
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, TypedDict

from airflow_provider_learning360.api.counts import count_of
from airflow_provider_learning360.api.errors import FixArgumentError, LearningError, TryAgainError
from airflow_provider_learning360.reminders import DEFAULT_CONNECTIONS
from airflow_provider_learning360.reminders.connection_thread import ConnectionThread, Ended, Report, SharedWork
from airflow_provider_learning360.reminders.mail_rate import MailRateLimiter
from airflow_provider_learning360.reminders.pending_mails import PendingMails

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from airflow_provider_learning360.reminders.ledger import DeliveryLedger, DeliveryState
    from airflow_provider_learning360.reminders.mail_server import Transport
    from airflow_provider_learning360.reminders.pending_mails import PendingMail
    from airflow_provider_learning360.reminders.reminder import DeliveryGuarantee

log = logging.getLogger(__name__)

# A further connection is opened for each so many mails: a small reminder needs one only.
MAILS_PER_CONNECTION = 10
# One connection sends at least so many mails per second, so a limited rate needs few.
RATE_PER_CONNECTION = 5
# Seconds to wait for entries of other threads before those that came are written.
MAX_GATHERING = 0.02
# Seconds for the threads to end if Airflow ends the task.
MAX_ABANDONING = 5.0
LOG_INTERVAL = 10.0  # seconds


@dataclass
class DeliveryResult:
    """
    What happened to the recipients of a reminder. The next try mails the refused ones again.

    :param sent: Number of mails that the server accepted this time.
    :param already: Number of recipients who had the mail before.
    :param refused: Keys of recipients whom the server refused permanently (5xx). They cause no retry.
    :param failed: Keys of recipients whom the server refused temporarily (4xx). They cause a retry.
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
    mails: Iterable[PendingMail],
    *,
    ledger: DeliveryLedger,
    transport: Transport,
    delivery: DeliveryGuarantee,
    rate: float | None = None,
    batch_size: int = 100,
    connections: int = DEFAULT_CONNECTIONS,
) -> DeliveryResult:
    """
    Mail each recipient who does not have this reminder yet.

    Between a ledger and a mail server, exactly-once delivery is impossible. A crash between the server's acceptance
    and the ledger entry repeats a mail (`at_least_once`). A crash between the claim and the server's acceptance loses
    a mail (`at_most_once`). Each connection to the mail server has at most one such mail at any moment.

    :param reminder_key: Key of the reminder, for log lines and errors.
    :param mails: For each recipient, the key, which contains no address, and a function that builds the mail. Another
        thread calls the function.
    :param ledger: The delivery ledger of this reminder.
    :param transport: Opens connections to the mail server.
    :param delivery: `at_least_once` records a mail after the server accepted it; `at_most_once` claims it before.
    :param rate: Maximum number of mails per second, over all connections; default no limit.
    :param batch_size: Maximum number of mails per connection; default 100.
    :param connections: Maximum number of connections to the mail server at once; default 8.
    :returns: What happened to the recipients.
    :raises TryAgainError: The mail server is unavailable, or a connection broke. The next try mails the others.
    :raises FixConnectionError: The mail server refused the login, or the sender.
    :raises FixArgumentError: `rate`, `batch_size` or `connections` is not above 0.
    """
    check_limits(rate, batch_size, connections)
    work = SharedWork(PendingMails(), SimpleQueue(), transport, MailRateLimiter(rate), delivery, batch_size)
    if rate is not None:
        connections = min(connections, ceil(rate / RATE_PER_CONNECTION))
    try:
        return _Delivery(reminder_key, mails, ledger, work, connections).run()
    except TryAgainError as error:
        failure = error
    # Raised outside the handler: a chained exception may contain addresses.
    raise failure


def check_limits(rate: float | None, batch_size: int, connections: int) -> None:
    """
    Check the limits of a delivery.

    :param rate: Maximum number of mails per second; None for no limit.
    :param batch_size: Maximum number of mails per connection.
    :param connections: Maximum number of connections at once.
    :raises FixArgumentError: One of them is not a number above 0.
    """
    for name, value in (("batch_size", batch_size), ("connections", connections)):
        if type(value) is not int or value < 1:
            raise FixArgumentError(f"{name}={value!r}: it must be a whole number above 0.")
    if rate is not None and (isinstance(rate, bool) or not isinstance(rate, int | float) or not rate > 0):
        raise FixArgumentError(f"rate={rate!r}: it must be a number above 0.")


class _Delivery:
    """
    The main thread's part of a delivery: it adds mails, writes the ledger, and counts.

    :param reminder_key: Key of the reminder, for log lines and errors.
    :param mails: The mails.
    :param ledger: The ledger.
    :param work: What the threads share.
    :param connections: Maximum number of threads.
    """

    def __init__(
        self,
        reminder_key: str,
        mails: Iterable[PendingMail],
        ledger: DeliveryLedger,
        work: SharedWork,
        connections: int,
    ) -> None:
        self._reminder_key = reminder_key
        self._ledger = ledger
        self._work = work
        self._connections = connections
        self._result = DeliveryResult()
        self._unsent = self._find_unsent(mails)
        self._threads: set[ConnectionThread] = set()
        self._unstored: list[Report | Ended] = []
        self._added = 0
        self._has_connected = False
        self._failure: BaseException | None = None
        self._next_log = time.monotonic() + LOG_INTERVAL

    def run(self) -> DeliveryResult:
        """Mail everybody; raise the first error after the mails that are being sent."""
        try:
            self._add_mails()
            while self._threads:
                self._gather()
                self._store()
                self._add_mails()
                if not self._threads and len(self._work.pending):
                    self._start_thread()  # for the mail of a connection that was refused
                self._log_progress()
        finally:
            self._abandon()
        if isinstance(self._failure, TryAgainError):
            sent = count_of(self._result.sent, "mail")
            raise self._failure.with_note(
                f"{self._reminder_key}: {sent} sent before the failure. A retry sends the others."
            )
        if self._failure is not None:
            raise self._failure
        return self._result

    def _find_unsent(self, mails: Iterable[PendingMail]) -> Iterator[PendingMail]:
        """Yield the mails that are still to be sent; count the others."""
        seen = set()
        for key, build in mails:
            state = None if key in seen else self._ledger.find_state(key)
            if state == "sent" or key in seen:
                self._result.already += 1
            elif state == "claimed":
                self._result.unknown.append(key)
            else:
                seen.add(key)
                yield key, build

    def _add_mails(self) -> None:
        """Add a mail for each thread, so that none waits while the ledger is written; start threads."""
        pending = self._work.pending
        while not self._work.stopping.is_set() and len(pending) < max(len(self._threads), 1):
            mail = next(self._unsent, None)
            if mail is None:
                pending.close()
                return
            pending.add(mail)
            if len(self._threads) < min(self._connections, 1 + self._added // MAILS_PER_CONNECTION):
                self._start_thread()
            self._added += 1

    def _start_thread(self) -> None:
        if self._added == 0:
            self._work.transport.prepare()
        thread = ConnectionThread(self._work)
        self._threads.add(thread)
        thread.start()

    def _gather(self) -> None:
        """Take the next reports: those of as many threads as report soon, so that one write stores them."""
        # At once where `_abandon` finds them: Airflow may end the task at any moment.
        reports = self._unstored
        reports.append(self._work.reports.get())
        until = time.monotonic() + MAX_GATHERING
        while not self._work.reports.empty() or not self._all_wait(reports):
            try:
                reports.append(self._work.reports.get(timeout=max(0.0, until - time.monotonic())))
            except Empty:
                break

    def _all_wait(self, reports: list[Report | Ended]) -> bool:
        """Whether no thread can report more before the ledger is written."""
        if len(self._threads) == 1:
            return True
        last = "claimed" if self._work.delivery == "at_most_once" else "sent"
        waiting = {one.thread for one in reports if isinstance(one, Ended) or one.outcome == last}
        return waiting >= self._threads

    def _store(self) -> None:
        """Write the entries of the reports at once; count them; let their threads go on."""
        reports = [one for one in self._unstored if isinstance(one, Report)]
        entries: dict[str, DeliveryState] = {}
        for report in reports:
            if report.outcome in ("sent", "claimed"):
                entries[report.key] = report.outcome
            elif (entries.get(report.key) or self._ledger.find_state(report.key)) == "claimed":
                entries[report.key] = "refused"  # otherwise the result would list it as `unknown`
        if entries:
            self._ledger.record(entries)
        self._has_connected = self._has_connected or bool(reports)
        for report in reports:
            self._count(report)
            report.stored.set_result(None)
        for one in self._unstored:
            if isinstance(one, Ended):
                self._end_thread(one)
        self._unstored = []

    def _count(self, report: Report) -> None:
        match report.outcome:
            case "sent":
                self._result.sent += 1
            case "unmailable":
                self._result.unmailable += 1
            case "refused":
                self._result.refused.append(report.key)
            case "failed":
                self._result.failed.append(report.key)

    def _end_thread(self, ended: Ended) -> None:
        self._threads.discard(ended.thread)
        if ended.unsent and isinstance(ended.error, LearningError) and self._may_use_fewer_connections():
            self._connections = max(1, len(self._threads))
            self._work.pending.add(ended.unsent)
            log.warning(
                "The mail server refuses a further connection, so the delivery goes on with %s: %s",
                count_of(self._connections, "connection"),
                ended.error,
            )
        elif ended.error is not None:
            self._failure = self._failure or ended.error
            self._stop()

    def _may_use_fewer_connections(self) -> bool:
        """Whether it may be enough to do without a connection: some servers allow few, by any code."""
        return self._has_connected and self._connections > 1 and not self._failure

    def _stop(self) -> None:
        self._work.stopping.set()
        self._work.pending.clear()

    def _abandon(self) -> None:
        """End threads that are left, without another entry: the ledger, or this task, cannot go on."""
        self._stop()
        until = time.monotonic() + MAX_ABANDONING
        while True:
            for one in self._unstored:
                if isinstance(one, Ended):
                    self._threads.discard(one.thread)
                else:
                    one.stored.cancel()
            if not self._threads:
                return
            try:
                self._unstored = [self._work.reports.get(timeout=max(0.0, until - time.monotonic()))]
            except Empty:
                return

    def _log_progress(self) -> None:
        if time.monotonic() > self._next_log:
            self._next_log = time.monotonic() + LOG_INTERVAL
            log.info("%s: %s sent so far.", self._reminder_key, count_of(self._result.sent, "mail"))
