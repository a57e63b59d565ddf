"""Mails: who they are from and to, what marks them, and that nobody writes headers but us."""

from __future__ import annotations

from email import message_from_bytes
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import default
from typing import Any

import pytest

from airflow_provider_learning360.api.errors import FixArgumentError
from airflow_provider_learning360.reminders.mail import UnmailableError, build, mailbox, same_address
from airflow_provider_learning360.reminders.messages import Message

MESSAGE = Message("Rappel : « Sécurité »", "Bonjour Zoé,\n\nà bientôt\n", "<p>Bonjour Zoé,</p>\n")
SENDER = "Académie, Paris <academy@example.com>"


def mail_of(message: Message = MESSAGE, **given: Any) -> EmailMessage:
    """Return a mail as its reader has it: after the way over the wire."""
    arguments = {"sender": SENDER, "recipient": "zoe@example.org", "key": "reminder/recipient", **given}
    raw = build(message, **arguments).as_bytes()
    assert raw.isascii()
    assert all(len(line) <= 998 for line in raw.split(b"\r\n"))
    read = message_from_bytes(raw, policy=default)
    assert isinstance(read, EmailMessage)
    return read


def test_both_kinds_of_text() -> None:
    mail = mail_of()

    assert mail.get_content_type() == "multipart/alternative"
    assert [part.get_content_type() for part in mail.iter_parts()] == ["text/plain", "text/html"]
    assert [part.get_content().replace("\r\n", "\n") for part in mail.iter_parts()] == [MESSAGE.text, MESSAGE.html]
    assert mail["Subject"] == MESSAGE.subject
    assert mail["From"].addresses == (Address("Académie, Paris", addr_spec="academy@example.com"),)
    assert mail["Date"].datetime.tzinfo is not None


def test_nobody_answers_it_but_bounces_come() -> None:
    mail = mail_of()

    assert mail["Auto-Submitted"] == "auto-generated"
    assert "OOF" in mail["X-Auto-Response-Suppress"]
    assert not {"All", "NDR"} & set(mail["X-Auto-Response-Suppress"].split(", "))
    assert "Precedence" not in mail


def test_same_key_same_message_id() -> None:
    identity = mail_of()["Message-ID"]

    assert mail_of()["Message-ID"] == identity
    assert mail_of(key="reminder/other")["Message-ID"] != identity
    assert identity.endswith("@example.com>")
    assert "zoe" not in identity
    assert "reminder" not in identity


def test_long_domain_of_the_sender() -> None:
    domain = "mail.department.of.lifelong.learning.university-of-somewhere.example.com"

    raw = build(MESSAGE, sender=f"a@{domain}", recipient="zoe@example.org", key="one").as_bytes()

    (line,) = (line for line in raw.split(b"\r\n") if b"Message-ID" in line)
    assert line.endswith(f"@{domain}>".encode())


def test_reply_to() -> None:
    assert "Reply-To" not in mail_of()
    assert mail_of(reply_to="Tutor <tutor@example.com>")["Reply-To"].addresses[0].addr_spec == "tutor@example.com"


@pytest.mark.parametrize("line_end", ["\r\n", "\n", "\r", "\x0b", "\x85", "\u2028"])
def test_no_header_of_strangers(line_end: str) -> None:
    attack = f"Hello{line_end}Bcc: victim@example.net"

    mail = mail_of(Message(attack, "text\n", "html\n"), recipient=mailbox("zoe@example.org", attack))

    assert mail["Bcc"] is None
    assert mail["Subject"] == "Hello Bcc: victim@example.net"
    assert [one.addr_spec for one in mail["To"].addresses] == ["zoe@example.org"]
    with pytest.raises(UnmailableError):
        mailbox(f"zoe@example.org{line_end}Bcc: victim@example.net")


def test_names_that_look_like_addresses() -> None:
    for name in ("boss@example.net", 'Zoé "Boss" <boss@example.net>', "a, b", "x" * 300, "\ud800\x00"):
        mail = mail_of(recipient=mailbox("zoe@example.org", name))
        assert [one.addr_spec for one in mail["To"].addresses] == ["zoe@example.org"]


def test_domain_beyond_ascii() -> None:
    assert mailbox("zoe@exämple.org").addr_spec == "zoe@xn--exmple-cua.org"


@pytest.mark.parametrize(
    "nobody",
    [
        *("", "zoe", "zoe@", "@example.org", "a b@example.org", "zoë@example.org", "a@example.org, b@example.org"),
        *("a@example.org b@example.org", "a@b@example.org", "<>", "zoe@example..org", "zoe@\x00example.org", "a@ü..de"),
    ],
)
def test_no_mail_address(nobody: str) -> None:
    with pytest.raises(UnmailableError) as caught:
        build(MESSAGE, sender=SENDER, recipient=nobody, key="one")
    assert not nobody or nobody not in str(caught.value)


@pytest.mark.parametrize("argument", ["sender", "reply_to"])
def test_own_addresses_are_the_authors_to_fix(argument: str) -> None:
    with pytest.raises(FixArgumentError, match=argument) as caught:
        mail_of(**{argument: "academy at example.com"})
    assert "academy" not in str(caught.value)


@pytest.mark.parametrize(
    ("written", "reached"),
    [
        ("a@faß.de", "a@xn--fa-hia.de"),
        ("a@βόλος.com", "a@xn--nxasmm1c.com"),
        ("a@EXÄMPLE.org", "a@xn--exmple-cua.org"),
        ("a@नमस्ते。example.com", "a@xn--y1b8cbdkb6a3c.example.com"),
        ("a@FASS.de", "a@FASS.de"),
    ],
)
def test_a_domain_is_written_as_idna_2008_says(written: str, reached: str) -> None:
    if "。" in written:
        assert mailbox(written).addr_spec.endswith(".example.com")
    else:
        assert mailbox(written).addr_spec == reached
    assert same_address(written) == same_address(mailbox(written).addr_spec)


@pytest.mark.parametrize("nobody", ["a@℀.de", "a@-ä.de", "a@ä..de", "a@" + "ä" * 300 + ".de"])
def test_a_domain_that_is_none(nobody: str) -> None:
    with pytest.raises(UnmailableError):
        mailbox(nobody)
    assert same_address(nobody) == nobody.lower()


def test_subjects_and_names_hold_no_sign_that_steers() -> None:
    mail = mail_of(Message("a\x1b[31m\u202eb\x07", "t\n", "h\n"), recipient=mailbox("zoe@example.org", "Z\u2066oé\x00"))

    assert mail["Subject"] == "a [31mb"
    assert mail["To"].addresses[0].display_name == "Zoé"
