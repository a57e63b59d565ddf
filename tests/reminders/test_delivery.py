"""Delivery over a real SMTP server: no duplicates and no losses, except those that `delivery` allows."""

from __future__ import annotations

import json
import logging
import smtplib
import socket
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from email.message import EmailMessage
from functools import partial
from typing import Any
from weakref import WeakSet

import pytest

import smtp_server
from airflow_provider_learning360.api.errors import (
    FixArgumentError,
    FixConnectionError,
    LearningError,
    SettingsError,
    TimedOutError,
    TryAgainError,
    UnreachableError,
)
from airflow_provider_learning360.reminders.delivery import DeliveryResult, deliver
from airflow_provider_learning360.reminders.ledger import TaskDeliveryLedger
from airflow_provider_learning360.reminders.mail import build_mail
from airflow_provider_learning360.reminders.mail_templates import MailText
from airflow_provider_learning360.reminders.reminder import DeliveryGuarantee
from airflow_provider_learning360.reminders.transport import SmtpTransport
from ports import free_port
from smtp_server import LOGIN, PASSWORD, SmtpServer, SmtpServerProcess

TEXT = MailText("Reminder", "It starts soon.\n.\n", "<p>It starts soon.</p>\n")
SENDER = "Academy <academy@example.com>"
REMINDER = "reminder__session__day_before__20260329"
BOTH: tuple[DeliveryGuarantee, ...] = ("at_least_once", "at_most_once")


class Store(dict[str, Any]):
    """A task state store. It survives from try to try."""

    def __init__(self) -> None:
        super().__init__()
        self.reads = 0
        self.forever: set[bool] = set()

    @property
    def states(self) -> dict[str, str]:
        """The recorded states of all recipients."""
        return {key: state for segment in self.values() for key, state in segment.items()}

    def get(self, key: str, default: Any = None) -> Any:  # type: ignore[override]
        self.reads += 1
        return super().get(key, default)

    def set(self, key: str, value: Any, *, forever: bool = False) -> None:
        self.forever.add(forever)
        self[key] = value

    def delete(self, key: str) -> None:
        raise AssertionError("the ledger deletes nothing")


class Killed(BaseException):
    """Stands for the death of the process. Nothing in the delivery may catch it."""


class Dying(Store):
    """A store that kills the process before the n-th entry of a state is written."""

    def __init__(self, state: str, number: int) -> None:
        super().__init__()
        self.state, self.number = state, number

    def set(self, key: str, value: Any, *, forever: bool = False) -> None:
        before = self.states
        self.number -= sum(one == self.state != before.get(name) for name, one in value.items())
        if self.number <= 0:
            self.number = sys.maxsize
            raise Killed
        super().set(key, value, forever=forever)


def address(number: int) -> str:
    return f"learner{number}@example.org"


def mails(count: int, **special: str) -> Iterator[tuple[str, Callable[[], EmailMessage]]]:
    """Yield mails for the recipients `r0`, `r1` and so on; `special` replaces the address of some."""
    for number in range(count):
        key = f"r{number}"
        recipient = special.get(key, address(number))
        yield key, partial(build_mail, TEXT, sender=SENDER, recipient=recipient, key=f"{REMINDER} {key}")


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[SmtpServer]:
    with SmtpServer() as one:
        use(monkeypatch, one.connection)
        yield one


def use(monkeypatch: pytest.MonkeyPatch, connection: dict[str, Any]) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_SMTP_DEFAULT", json.dumps(connection))


def run(
    store: Store,
    delivery: DeliveryGuarantee = "at_least_once",
    who: Iterable[tuple[str, Callable[[], EmailMessage]]] | int = 5,
    **options: Any,
) -> DeliveryResult:
    """Deliver as one try of a task does: only the store is left of the tries before."""
    everybody = mails(who) if isinstance(who, int) else who
    transport = SmtpTransport()
    return deliver(
        REMINDER, everybody, ledger=TaskDeliveryLedger(store), transport=transport, delivery=delivery, **options
    )


@pytest.mark.parametrize("delivery", BOTH)
def test_each_recipient_gets_one_mail(server: SmtpServer, delivery: DeliveryGuarantee) -> None:
    store = Store()

    assert run(store, delivery) == DeliveryResult(sent=5)
    assert server.recipients == [address(number) for number in range(5)]
    assert len({mail.message_id for mail in server.mails}) == 5
    assert server.connections == 1
    assert server.mails[0].raw.replace(b"\r\n", b"\n").count(b"\n.\n") == 1  # a lone dot does not end the mail

    assert run(store, delivery) == DeliveryResult(already=5)
    assert run(store, delivery, 7) == DeliveryResult(already=5, sent=2)
    assert len(server.mails) == 7
    assert store.forever == {True}
    assert store.states == {f"r{number}": "sent" for number in range(7)}


def test_no_connection_is_opened_without_a_pending_mail(server: SmtpServer) -> None:
    store = Store()
    run(store, who=2)
    server.stop()

    assert run(store, who=2) == DeliveryResult(already=2)
    assert run(store, who=0) == DeliveryResult()


def test_recipient_listed_twice_gets_one_mail(server: SmtpServer) -> None:
    assert run(Store(), who=[*mails(3), *mails(3)]) == DeliveryResult(sent=3, already=3)


def test_store_is_read_by_segment_and_not_by_recipient(server: SmtpServer) -> None:
    store = Store()
    run(store)
    assert store.reads <= 3
    before = store.reads
    run(store)
    assert store.reads - before <= 3


@pytest.mark.parametrize("number", [1, 3, 5])
def test_kill_between_acceptance_and_entry_repeats_one_mail_at_most(server: SmtpServer, number: int) -> None:
    for delivery, repeats in (("at_least_once", 1), ("at_most_once", 0)):
        store = Dying("sent", number)
        server.mails.clear()
        with pytest.raises(Killed):
            run(store, delivery)  # type: ignore[arg-type]
        result = run(store, delivery)  # type: ignore[arg-type]

        got = Counter(server.recipients)
        assert set(got) == {address(one) for one in range(5)}
        assert got[address(number - 1)] == 1 + repeats
        assert sum(got.values()) == 5 + repeats
        assert result.already == number - 1
        assert result.unknown == ([] if repeats else [f"r{number - 1}"])
        if repeats:
            identities = Counter(mail.message_id for mail in server.mails)
            assert sorted(identities.values()) == [1, 1, 1, 1, 2]


def test_kill_before_the_claim_loses_no_mail(server: SmtpServer) -> None:
    store = Dying("claimed", 3)
    with pytest.raises(Killed):
        run(store, "at_most_once")
    assert len(server.mails) == 2

    result = run(store, "at_most_once")
    # The claim may be written together with the entry of the mail before, whose outcome is then not known.
    assert (result.sent, result.already + len(result.unknown)) == (3, 2)
    assert Counter(server.recipients) == Counter(address(one) for one in range(5))


@pytest.mark.parametrize("delivery", BOTH)
@pytest.mark.parametrize("drop", ["after", "before"])
def test_connection_dropped_at_the_data_repeats_or_loses_one_mail_at_most(
    server: SmtpServer, delivery: DeliveryGuarantee, drop: Any
) -> None:
    store = Store()
    server.behaviour.drop, server.behaviour.drop_at = drop, 3

    with pytest.raises(UnreachableError, match=f"{REMINDER}: 2 mails sent before") as caught:
        run(store, delivery)
    again = run(store, delivery)

    got = Counter(server.recipients)
    others = {address(one) for one in range(5)} - {address(2)}
    assert all(got[one] == 1 for one in others)
    if delivery == "at_least_once":  # no losses; a mail whose acceptance was not confirmed comes twice
        assert again == DeliveryResult(sent=3, already=2)
        assert got[address(2)] == (2 if drop == "after" else 1)
    else:  # no duplicates; whether this recipient has the mail is unknown
        assert again == DeliveryResult(sent=2, already=2, unknown=["r2"])
        assert got[address(2)] == (1 if drop == "after" else 0)
    assert caught.value.retryable
    assert_no_address(str(caught.value))


@pytest.mark.parametrize("delivery", BOTH)
def test_refused_recipients_do_not_stop_the_others(
    server: SmtpServer, delivery: DeliveryGuarantee, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    store = Store()
    server.behaviour.refuse = {address(0): 550, address(2): 450}
    server.behaviour.refuse_data = {address(3): 554, address(4): 451}

    result = run(store, delivery, 6)
    assert result == DeliveryResult(sent=2, refused=["r0", "r3"], failed=["r2", "r4"])
    assert server.recipients == [address(1), address(5)]
    assert_no_address(caplog.text)

    server.behaviour.refuse.clear()
    server.behaviour.refuse_data.clear()
    assert run(store, delivery, 6) == DeliveryResult(sent=4, already=2)
    assert set(Counter(server.recipients).values()) == {1}
    assert_no_address(json.dumps(store))


def test_recipients_without_an_address_are_counted(server: SmtpServer) -> None:
    who = mails(3, r1="first.last at example.org")

    assert run(Store(), who=who) == DeliveryResult(sent=2, unmailable=1)


def test_refused_sender_fails_the_delivery(server: SmtpServer) -> None:
    for code, kind in ((553, FixConnectionError), (451, TryAgainError), (421, TryAgainError)):
        server.behaviour.refuse_sender = code
        with pytest.raises(kind, match=str(code)) as caught:
            run(Store())
        assert_no_address(str(caught.value))
    assert not server.mails


def test_code_421_for_a_recipient_is_retried(server: SmtpServer) -> None:
    store = Store()
    server.behaviour.refuse = {address(2): 421}

    with pytest.raises(TryAgainError):
        run(store)
    server.behaviour.refuse.clear()

    assert run(store) == DeliveryResult(sent=3, already=2)
    assert set(Counter(server.recipients).values()) == {1}


@pytest.mark.parametrize("delivery", BOTH)
def test_unavailable_server_is_retried(server: SmtpServer, delivery: DeliveryGuarantee) -> None:
    store = Store()
    server.stop()
    with pytest.raises(UnreachableError, match="smtp_default"):
        run(store, delivery)
    server.start()

    assert run(store, delivery) == DeliveryResult(sent=5)


def test_slow_server_times_out(server: SmtpServer, monkeypatch: pytest.MonkeyPatch) -> None:
    connection = server.connection
    connection["extra"]["timeout"] = 1
    use(monkeypatch, connection)
    server.behaviour.delay = 3

    with pytest.raises(TimedOutError):
        run(Store())


def test_refused_login_fails_the_delivery(server: SmtpServer, monkeypatch: pytest.MonkeyPatch) -> None:
    server.behaviour.login = True
    use(monkeypatch, {**server.connection, "login": LOGIN, "password": "not-the-one"})
    with pytest.raises(FixConnectionError, match="refused the login") as caught:
        run(Store())
    assert "not-the-one" not in str(caught.value)

    use(monkeypatch, {**server.connection, "login": LOGIN, "password": PASSWORD})
    assert run(Store()) == DeliveryResult(sent=5)
    # Without the required login, the server refuses the sender.
    use(monkeypatch, server.connection)
    with pytest.raises(FixConnectionError, match="530"):
        run(Store())


@pytest.mark.parametrize(
    ("change", "kind", "says"),
    [
        ({"extra": {"disable_ssl": True}}, FixConnectionError, "STARTTLS"),
        ({"extra": {"disable_tls": True}}, FixConnectionError, "disable_ssl"),
        ({"extra": {"disable_ssl": True, "disable_tls": True, "auth_type": "oauth2"}}, SettingsError, "OAuth2"),
        ({"login": LOGIN, "password": PASSWORD}, FixConnectionError, "Login or STARTTLS"),
        ({"host": "mail.invalid"}, UnreachableError, "No connection"),
        (None, SettingsError, "does not exist"),
    ],
)
def test_connection_errors_name_the_cause(
    server: SmtpServer,
    monkeypatch: pytest.MonkeyPatch,
    change: dict[str, Any] | None,
    kind: type[LearningError],
    says: str,
    request: pytest.FixtureRequest,
) -> None:
    if change is None:
        request.getfixturevalue("airflow_db")  # the next place where Airflow searches
        monkeypatch.delenv("AIRFLOW_CONN_SMTP_DEFAULT")
    else:
        use(monkeypatch, {**server.connection, **change})

    with pytest.raises(kind, match=says):
        run(Store())


@contextmanager
def scripted_server(*replies: bytes) -> Iterator[int]:
    """A server that sends one reply for each command, and closes. Yields its port."""

    def talk() -> None:
        with suppress(OSError):
            while True:
                client, _ = listener.accept()
                with client, client.makefile("rb") as commands:
                    for reply in replies:
                        client.sendall(reply)
                        commands.readline()

    with socket.create_server(("127.0.0.1", free_port())) as listener:
        thread = threading.Thread(target=talk)
        thread.start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()


@pytest.mark.parametrize(
    ("replies", "kind", "says"),
    [
        ([], UnreachableError, "closes every connection"),
        ([b"554 not today\r\n"], FixConnectionError, "refused the connection \\(554\\)"),
        ([b"421 too busy\r\n"], TryAgainError, "for now \\(421\\)"),
        ([b"220 hi\r\n", b"250 hello\r\n", b"250 yes\r\n", b"what?\r\n"], UnreachableError, "broke off"),
        ([b"220 hi\r\n", b"250 hello\r\n", b"299 yes?\r\n"], TryAgainError, "refused the sender for now"),
    ],
)
def test_protocol_violations_are_typed_errors(
    monkeypatch: pytest.MonkeyPatch, replies: list[bytes], kind: type[LearningError], says: str
) -> None:
    with scripted_server(*replies) as port:
        use(monkeypatch, smtp_server.connection(port))
        with pytest.raises(kind, match=says):
            run(Store())


def test_missing_smtp_provider_names_the_install_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "airflow.providers.smtp.hooks.smtp", None)

    with pytest.raises(FixArgumentError, match=r'pip install "airflow-provider-learning360\[reminders\]"'):
        run(Store())


def test_smtplib_exceptions_are_not_chained(server: SmtpServer) -> None:
    server.behaviour.refuse_sender = 550
    with pytest.raises(FixConnectionError) as caught:
        run(Store())

    seen: BaseException | None = caught.value
    while seen is not None:
        assert not isinstance(seen, smtplib.SMTPException)
        seen = seen.__cause__ or seen.__context__


def test_batch_size_limits_mails_per_connection(server: SmtpServer) -> None:
    store = Store()
    run(store, who=3)
    before = server.connections

    assert run(store, who=10, batch_size=3) == DeliveryResult(sent=7, already=3)
    assert server.connections - before == 3


def test_rate_limits_mails_per_second(server: SmtpServer) -> None:
    began, began_at = time.monotonic(), time.time()
    run(Store(), who=6, rate=20, batch_size=4)

    assert time.monotonic() - began >= 5 / 20
    assert len(server.mails) == 6
    # No mail is earlier than its turn; on a busy machine it may be later. The two clocks differ by less than 1 ms here.
    assert [number for number, mail in enumerate(server.mails) if mail.at - began_at < number / 20 - 0.001] == []


@pytest.mark.parametrize("options", [{"rate": 0}, {"rate": -1.0}, {"batch_size": 0}])
def test_limits_must_be_above_zero(options: dict[str, Any]) -> None:
    with pytest.raises(FixArgumentError):
        run(Store(), **options)


def test_clear_on_success_is_warned_of(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    TaskDeliveryLedger(Store())
    assert not caplog.text
    monkeypatch.setenv("AIRFLOW__STATE_STORE__CLEAR_ON_SUCCESS", "True")
    TaskDeliveryLedger(Store())
    assert "clear_on_success" in caplog.text


class NullTransport:
    """A mail server that accepts everything and stores nothing."""

    def prepare(self) -> None: ...

    def connect(self) -> AbstractContextManager[NullTransport]:
        return nullcontext(self)

    def send_envelope(self, mail: EmailMessage, content: bytes) -> None: ...

    def send_data(self) -> None: ...


@pytest.mark.slow
@pytest.mark.parametrize("connections", [1, 8])
def test_few_of_ten_thousand_mails_are_in_memory_at_a_time(connections: int) -> None:
    alive: WeakSet[EmailMessage] = WeakSet()
    most = 0

    def mail() -> EmailMessage:
        nonlocal most
        made = EmailMessage()
        alive.add(made)
        most = max(most, len(alive))
        return made

    everybody = ((f"r{number}", mail) for number in range(10_000))

    result = deliver(
        REMINDER,
        everybody,
        ledger=TaskDeliveryLedger(Store()),
        transport=NullTransport(),
        delivery="at_least_once",
        connections=connections,
    )

    assert result.sent == 10_000
    assert most <= 3 * connections


def test_server_in_another_process_gets_each_mail_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    store = Store()
    with SmtpServerProcess(tmp_path / "mails") as server:
        use(monkeypatch, server.connection)
        assert run(store, who=3) == DeliveryResult(sent=3)
        server.stop()
        with pytest.raises(UnreachableError):
            run(store)
        server.start()
        assert run(store) == DeliveryResult(sent=2, already=3)
        assert [mail["recipients"] for mail in server.mails] == [[address(number)] for number in range(5)]
        assert len({mail["message_id"] for mail in server.mails}) == 5


def assert_no_address(text: str) -> None:
    assert "example.org" not in text
    assert "learner" not in text.replace("learning", "")
