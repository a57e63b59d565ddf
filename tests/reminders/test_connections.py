"""Delivery over several connections: a crash repeats or loses at most one mail for each; counted at a mail server."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email.message import EmailMessage
from functools import partial
from itertools import product
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import pytest

from airflow_provider_learning360.api.errors import (
    FixArgumentError,
    FixConnectionError,
    TryAgainError,
    UnreachableError,
)
from airflow_provider_learning360.reminders import delivery as delivery_module
from airflow_provider_learning360.reminders.connection_thread import ConnectionThread
from airflow_provider_learning360.reminders.delivery import DeliveryResult, deliver
from airflow_provider_learning360.reminders.ledger import (
    BEGUN_KEY,
    ENTRY_PREFIX,
    SEGMENT_PREFIX,
    SEGMENT_SIZE,
    TaskDeliveryLedger,
)
from airflow_provider_learning360.reminders.mail import build_mail
from airflow_provider_learning360.reminders.mail_templates import MailText
from airflow_provider_learning360.reminders.reminder import DeliveryGuarantee
from airflow_provider_learning360.reminders.transport import SmtpTransport
from case_samples import one_in
from smtp_server import LOGIN, PASSWORD, Behaviour, SmtpServer, SmtpServerProcess

BOTH: tuple[DeliveryGuarantee, ...] = ("at_least_once", "at_most_once")
TEXT = MailText("Reminder", "It starts soon.\n", "<p>It starts soon.</p>\n")
RECIPIENTS = 60
CONNECTIONS = 4
PATIENCE = 60  # seconds


class Store(dict[str, Any]):
    """A store that survives from try to try, and that only the thread of the task may use."""

    def __init__(self) -> None:
        super().__init__()
        self.owner = threading.current_thread()
        self.reads = self.writes = 0

    @property
    def states(self) -> dict[str, str]:
        """The recorded states of all recipients."""
        return {key: one for name in self if name.startswith(SEGMENT_PREFIX) for key, one in self[name].items()}

    def get(self, key: str, default: Any = None) -> Any:  # type: ignore[override]
        assert threading.current_thread() is self.owner
        self.reads += 1
        return super().get(key, default)

    def set(self, key: str, value: Any, *, forever: bool = False) -> None:
        assert forever
        assert threading.current_thread() is self.owner
        self.writes += 1
        self[key] = json.loads(json.dumps(value))

    def delete(self, key: str) -> None:
        raise AssertionError("the ledger deletes nothing")


class Killed(BaseException):
    """Stands for the death of the process. Nothing in the delivery may catch it."""


class Dying(Store):
    """A store that kills the process before or after its n-th write."""

    def __init__(self, number: int, when: str) -> None:
        super().__init__()
        self.number, self.when = number, when

    def set(self, key: str, value: Any, *, forever: bool = False) -> None:
        self.number -= 1
        if self.number == 0 and self.when == "before":
            raise Killed
        super().set(key, value, forever=forever)
        if self.number == 0:
            raise Killed


def address(number: int) -> str:
    return f"learner{number}@example.org"


def mails(count: int) -> Iterator[tuple[str, Callable[[], EmailMessage]]]:
    for number in range(count):
        key = f"r{number}"
        yield key, partial(build_mail, TEXT, sender="me@example.com", recipient=address(number), key=key)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[SmtpServer]:
    with SmtpServer() as one:
        monkeypatch.setenv("AIRFLOW_CONN_SMTP_DEFAULT", json.dumps(one.connection))
        yield one


def run(store: Store, delivery: DeliveryGuarantee = "at_least_once", count: int = RECIPIENTS, **options: Any) -> Any:
    """Deliver as one try of a task does: only the store is left of the tries before."""
    options = {"connections": CONNECTIONS, **options}
    ledger = TaskDeliveryLedger(store)
    return deliver("reminder", mails(count), ledger=ledger, transport=SmtpTransport(), delivery=delivery, **options)


def assert_promises(delivery: str, got: Counter[str], tries: int = 1, unknown: list[str] | None = None) -> None:
    """Check what each recipient got after some kills, each with at most one mail in doubt for each connection."""
    lost = [one for one in range(RECIPIENTS) if not got[address(one)]]
    repeats = sum(got.values()) - len(got)
    if delivery == "at_least_once":
        assert lost == []
        assert repeats <= CONNECTIONS * tries
    else:
        assert repeats == 0
        assert len(lost) <= CONNECTIONS * tries
        assert {f"r{one}" for one in lost} <= {*(unknown or ())}


@pytest.mark.parametrize("delivery", BOTH)
def test_each_recipient_gets_one_mail_over_several_connections(server: SmtpServer, delivery: DeliveryGuarantee) -> None:
    store = Store()
    assert run(store, delivery) == DeliveryResult(sent=RECIPIENTS)
    assert Counter(server.recipients) == Counter(map(address, range(RECIPIENTS)))
    assert server.most_connections == CONNECTIONS
    assert store.states == {f"r{one}": "sent" for one in range(RECIPIENTS)}
    assert run(store, delivery) == DeliveryResult(already=RECIPIENTS)


@pytest.mark.parametrize("delivery", BOTH)
def test_recipient_listed_twice_gets_one_mail(server: SmtpServer, delivery: DeliveryGuarantee) -> None:
    twice = [one for pair in zip(mails(30), mails(30), strict=True) for one in pair]
    ledger, transport = TaskDeliveryLedger(Store()), SmtpTransport()
    result = deliver("reminder", twice, ledger=ledger, transport=transport, delivery=delivery)
    assert result == DeliveryResult(sent=30, already=30)
    assert Counter(server.recipients) == Counter(map(address, range(30)))


@pytest.mark.parametrize(("delivery", "when"), one_in(3, product(BOTH, ["before", "after"])))
def test_kill_at_any_write_repeats_or_loses_one_mail_for_each_connection(
    server: SmtpServer, delivery: DeliveryGuarantee, when: str
) -> None:
    for number in (1, 2, 5, 12, 14, 17):
        store = Dying(number, when)
        server.mails.clear()
        with pytest.raises(Killed):
            run(store, delivery)
        result = run(store, delivery)
        assert_promises(delivery, Counter(server.recipients), unknown=result.unknown)
        assert result.sent + result.already + len(result.unknown) == RECIPIENTS


@pytest.mark.slow
@pytest.mark.parametrize("delivery", BOTH)
def test_killed_processes_repeat_or_lose_one_mail_for_each_connection(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, delivery: DeliveryGuarantee
) -> None:
    chance, kills = random.Random(360), 3
    with SmtpServerProcess(tmp_path / "mails", Behaviour(delay=0.01)) as server:
        monkeypatch.setenv("AIRFLOW_CONN_SMTP_DEFAULT", json.dumps(server.connection))
        for _ in range(kills):
            kill_after(server, len(server.mails) + chance.randint(8, 15), tmp_path, delivery)
        process = start(tmp_path, delivery)
        output, _ = process.communicate(timeout=PATIENCE)
        assert process.returncode == 0
        got = Counter(one["recipients"][0].replace("r", "learner", 1).replace(".com", ".org") for one in server.mails)
    unknown = json.loads(output.splitlines()[-1])["unknown"]
    assert_promises(delivery, got, kills, unknown)


def start(folder: Path, delivery: str) -> subprocess.Popen[str]:
    script = Path(__file__).with_name("delivery_process.py")
    command = [sys.executable, str(script), str(folder / "store"), delivery, str(RECIPIENTS), str(CONNECTIONS)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)


def kill_after(server: SmtpServerProcess, mails: int, folder: Path, delivery: str) -> None:
    """Start a try, and kill it when the server has so many mails."""
    process = start(folder, delivery)
    until = time.monotonic() + PATIENCE
    while len(server.mails) < mails and process.poll() is None and time.monotonic() < until:
        time.sleep(0.001)
    assert process.poll() is None, "it ended before it could be killed"
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=PATIENCE)


@pytest.mark.parametrize("delivery", BOTH)
@pytest.mark.parametrize("drop", ["after", "before"])
def test_broken_connection_stops_the_others_after_their_mail(
    server: SmtpServer, delivery: DeliveryGuarantee, drop: Any
) -> None:
    store = Store()
    server.behaviour.drop, server.behaviour.drop_at = drop, 45
    with pytest.raises(UnreachableError, match=r"reminder: \d+ mails sent before the failure") as caught:
        run(store, delivery)
    assert "example.org" not in str(caught.value)
    sent = list(store.states.values()).count("sent")
    assert f"{sent} mails sent" in str(caught.value)
    assert sent in (len(server.mails), len(server.mails) - 1)  # what was being sent is recorded
    assert sent < RECIPIENTS

    again = run(store, delivery)
    got = Counter(server.recipients)
    if delivery == "at_least_once":
        assert set(got) == set(map(address, range(RECIPIENTS)))
        assert sum(got.values()) == RECIPIENTS + (drop == "after")
    else:
        assert set(got.values()) == {1}
        assert len(again.unknown) == 1
        assert len(got) == RECIPIENTS - (drop == "before")


def test_unavailable_server_fails_once_with_the_count(server: SmtpServer) -> None:
    server.stop()
    with pytest.raises(UnreachableError, match="0 mails sent before the failure"):
        run(Store())


@pytest.mark.parametrize(("limit", "code"), [(1, 421), (2, 421), (1, 554), (2, 554)])
def test_delivery_goes_on_with_the_connections_that_the_server_allows(
    server: SmtpServer, limit: int, code: int, caplog: pytest.LogCaptureFixture
) -> None:
    server.behaviour.max_connections, server.behaviour.max_connections_code = limit, code
    assert run(Store()) == DeliveryResult(sent=RECIPIENTS)
    assert Counter(server.recipients) == Counter(map(address, range(RECIPIENTS)))
    assert server.most_connections == limit
    assert f"goes on with {limit} connection" in caplog.text


def test_mail_of_a_refused_connection_is_sent_after_all_others() -> None:
    class Slow:
        """A mail server that refuses its second connection when the first has sent all other mails."""

        def __init__(self) -> None:
            self.connections = 0
            self.first_is_done = threading.Event()

        def prepare(self) -> None: ...

        def send_envelope(self, mail: EmailMessage, content: bytes) -> None: ...

        def send_data(self) -> None: ...

        @contextmanager
        def connect(self) -> Iterator[Slow]:
            self.connections += 1
            number = self.connections
            if number == 2:
                assert self.first_is_done.wait(PATIENCE)
                raise TryAgainError("too many connections")
            yield self
            self.first_is_done.set()

    transport, store = Slow(), Store()
    ledger = TaskDeliveryLedger(store)
    result = deliver("x", mails(25), ledger=ledger, transport=transport, delivery="at_most_once", connections=2)
    assert result == DeliveryResult(sent=25)
    assert transport.connections == 3


def test_refused_login_stops_all(server: SmtpServer, monkeypatch: pytest.MonkeyPatch) -> None:
    server.behaviour.login = True
    connection = {**server.connection, "login": LOGIN, "password": PASSWORD}
    monkeypatch.setenv("AIRFLOW_CONN_SMTP_DEFAULT", json.dumps(connection))
    store = Store()
    assert run(store, count=30) == DeliveryResult(sent=30)
    monkeypatch.setenv("AIRFLOW_CONN_SMTP_DEFAULT", json.dumps({**connection, "password": "wrong"}))
    with pytest.raises(FixConnectionError, match="refused the login"):
        run(store)
    assert len(server.mails) == 30


@pytest.mark.parametrize("delivery", BOTH)
def test_refused_recipients_stop_no_other_connection(server: SmtpServer, delivery: DeliveryGuarantee) -> None:
    server.behaviour.refuse = {address(7): 550, address(22): 450}
    server.behaviour.refuse_data = {address(33): 554, address(44): 451}
    store = Store()
    result = run(store, delivery)
    assert (result.sent, sorted(result.refused), sorted(result.failed)) == (56, ["r33", "r7"], ["r22", "r44"])
    server.behaviour.refuse.clear()
    server.behaviour.refuse_data.clear()
    assert run(store, delivery) == DeliveryResult(sent=4, already=56)


def test_rate_counts_over_all_connections(server: SmtpServer) -> None:
    began = time.monotonic()
    run(Store(), rate=50, count=40)
    assert time.monotonic() - began >= 39 / 50


@pytest.mark.slow
def test_limited_rate_opens_few_connections(server: SmtpServer) -> None:
    run(Store(), rate=10, count=25, connections=8)
    assert server.most_connections == 2


def test_small_reminder_opens_one_connection(server: SmtpServer) -> None:
    run(Store(), count=5, connections=8)
    assert server.connections == 1


def test_batch_size_limits_the_mails_of_each_connection(server: SmtpServer) -> None:
    run(Store(), batch_size=5)
    assert server.connections >= RECIPIENTS / 5
    assert server.most_connections <= CONNECTIONS


def test_error_of_a_mail_stops_all_and_is_raised(server: SmtpServer) -> None:
    def fail() -> EmailMessage:
        raise ZeroDivisionError("a template")

    everybody = [*mails(30), ("r30", fail), *mails(RECIPIENTS)]
    store = Store()
    with pytest.raises(ZeroDivisionError):
        deliver(
            "reminder",
            everybody,
            ledger=TaskDeliveryLedger(store),
            transport=SmtpTransport(),
            delivery="at_least_once",
            connections=CONNECTIONS,
        )
    assert Counter(store.states.values()) == {"sent": len(server.mails)}


def test_error_in_the_main_thread_ends_the_other_threads(server: SmtpServer) -> None:
    class TaskEnded(BaseException):
        """Airflow ends a task by an exception in its main thread."""

    def some_mails() -> Iterator[tuple[str, Callable[[], EmailMessage]]]:
        yield from mails(40)
        raise TaskEnded

    with pytest.raises(TaskEnded):
        deliver(
            "reminder",
            some_mails(),
            ledger=TaskDeliveryLedger(Store()),
            transport=SmtpTransport(),
            delivery="at_least_once",
            connections=CONNECTIONS,
        )
    assert not [one for one in threading.enumerate() if one.name == "learning360-mail"]


@pytest.mark.slow
def test_thread_that_hangs_does_not_hold_the_end_of_the_task(
    server: SmtpServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery_module, "MAX_ABANDONING", 0.1)
    server.behaviour.delay = 2
    store = Dying(1, "before")
    with pytest.raises(Killed):
        run(store)
    assert all(one.daemon for one in threading.enumerate() if one.name == "learning360-mail")


def test_entries_are_written_together(server: SmtpServer) -> None:
    class Slow(Store):
        def set(self, key: str, value: Any, *, forever: bool = False) -> None:
            super().set(key, value, forever=forever)
            time.sleep(0.02)

    store = Slow()
    run(store)
    assert store.writes < RECIPIENTS
    alone = Slow()
    run(alone, connections=1)
    assert alone.writes == RECIPIENTS


def test_connections_must_be_above_zero() -> None:
    with pytest.raises(FixArgumentError, match="connections=0"):
        run(Store(), connections=0)


# The ledger.


def record(ledger: TaskDeliveryLedger, numbers: range) -> None:
    ledger.record({f"{one:032x}": "sent" for one in numbers})


def test_segments_are_bounded_and_read_in_bulk() -> None:
    store = Store()
    ledger = TaskDeliveryLedger(store)
    for first in range(0, 1_000, 8):
        record(ledger, range(first, first + 8))
    assert max(len(one) for one in store.values()) == SEGMENT_SIZE
    assert max(len(json.dumps(one)) for one in store.values()) < 16_384
    before = store.reads
    again = TaskDeliveryLedger(store)
    assert all(again.find_state(f"{one:032x}") == "sent" for one in range(1_000))
    assert store.reads - before <= 1_000 / SEGMENT_SIZE + 2


def test_worker_believed_dead_overwrites_no_entry_of_the_next_try() -> None:
    store = Store()
    dead = TaskDeliveryLedger(store)
    record(dead, range(10))
    alive = TaskDeliveryLedger(store)
    record(alive, range(10, 20))
    record(dead, range(20, 20 + SEGMENT_SIZE))
    record(alive, range(600, 700))
    after = TaskDeliveryLedger(store)
    assert all(after.find_state(f"{one:032x}") == "sent" for one in (*range(20 + SEGMENT_SIZE), *range(600, 700)))


def test_last_state_of_a_recipient_counts() -> None:
    store = Store()
    first = TaskDeliveryLedger(store)
    first.record({"a": "claimed", "b": "claimed"})
    first.record({"a": "refused"})
    second = TaskDeliveryLedger(store)
    assert (second.find_state("a"), second.find_state("b")) == ("refused", "claimed")
    second.record({"a": "sent"})
    assert TaskDeliveryLedger(store).find_state("a") == "sent"


@pytest.mark.parametrize("delivery", BOTH)
def test_entries_of_the_version_before_still_count(server: SmtpServer, delivery: DeliveryGuarantee) -> None:
    store = Store()
    store |= {BEGUN_KEY: "yes", f"{ENTRY_PREFIX}r0": "sent", f"{ENTRY_PREFIX}r1": "claimed"}
    store[f"{ENTRY_PREFIX}r2"] = "refused"
    assert TaskDeliveryLedger(store).has_begun
    for sent, already in ((3, 1), (0, 4)):
        assert run(store, delivery, 5) == DeliveryResult(sent=sent, already=already, unknown=["r1"])
    assert Counter(server.recipients) == Counter(map(address, (2, 3, 4)))


def test_new_ledger_has_not_begun() -> None:
    store = Store()
    assert not TaskDeliveryLedger(store).has_begun
    TaskDeliveryLedger(store).record({"a": "claimed"})
    assert TaskDeliveryLedger(store).has_begun


def test_end_of_the_task_leaves_no_thread_behind(server: SmtpServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also if Airflow ends it while the reports of several threads are gathered for one write."""

    class Ending(SimpleQueue[Any]):
        has_ended = False

        def get(self, block: bool = True, timeout: float | None = None) -> Any:
            if timeout is not None and not self.has_ended:
                self.has_ended = True
                raise SystemExit("Airflow ends the task")
            return super().get(block, timeout)

    monkeypatch.setattr(delivery_module, "SimpleQueue", Ending)
    with pytest.raises(SystemExit):
        run(Store())
    left = [one for one in threading.enumerate() if isinstance(one, ConnectionThread)]
    for one in left:
        one.join(PATIENCE)
    assert not any(one.is_alive() for one in left)
