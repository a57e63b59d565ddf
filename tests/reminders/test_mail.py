"""Mails: sender, recipient, headers, and protection against header injection."""

from __future__ import annotations

from email import message_from_bytes
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import default
from typing import Any

import pytest

from airflow_provider_learning360.api.errors import FixArgumentError
from airflow_provider_learning360.reminders.addresses import UnmailableError, normalize_address
from airflow_provider_learning360.reminders.mail import build_mail, parse_mailbox
from airflow_provider_learning360.reminders.mail_templates import MailText

TEXT = MailText("Rappel : « Sécurité »", "Bonjour Zoé,\n\nà bientôt\n", "<p>Bonjour Zoé,</p>\n")
SENDER = "Académie, Paris <academy@example.com>"


def send(text: MailText = TEXT, **given: Any) -> EmailMessage:
    """Return a mail as it arrives: encoded and parsed."""
    arguments = {"sender": SENDER, "recipient": "zoe@example.org", "key": "reminder/recipient", **given}
    raw = build_mail(text, **arguments).as_bytes()
    assert raw.isascii()
    assert all(len(line) <= 998 for line in raw.split(b"\r\n"))
    read = message_from_bytes(raw, policy=default)
    assert isinstance(read, EmailMessage)
    return read


def test_mail_has_plain_text_and_html() -> None:
    mail = send()

    assert mail.get_content_type() == "multipart/alternative"
    assert [part.get_content_type() for part in mail.iter_parts()] == ["text/plain", "text/html"]
    assert [part.get_content().replace("\r\n", "\n") for part in mail.iter_parts()] == [TEXT.text, TEXT.html]
    assert mail["Subject"] == TEXT.subject
    assert mail["From"].addresses == (Address("Académie, Paris", addr_spec="academy@example.com"),)
    assert mail["Date"].datetime.tzinfo is not None


def test_headers_suppress_replies_but_not_bounces() -> None:
    mail = send()

    assert mail["Auto-Submitted"] == "auto-generated"
    assert "OOF" in mail["X-Auto-Response-Suppress"]
    assert not {"All", "NDR"} & set(mail["X-Auto-Response-Suppress"].split(", "))
    assert "Precedence" not in mail


def test_message_id_depends_on_the_key_only() -> None:
    identity = send()["Message-ID"]

    assert send()["Message-ID"] == identity
    assert send(key="reminder/other")["Message-ID"] != identity
    assert identity.endswith("@example.com>")
    assert "zoe" not in identity
    assert "reminder" not in identity


def test_long_sender_domain_is_not_folded() -> None:
    domain = "mail.department.of.lifelong.learning.university-of-somewhere.example.com"

    raw = build_mail(TEXT, sender=f"a@{domain}", recipient="zoe@example.org", key="one").as_bytes()

    (line,) = (line for line in raw.split(b"\r\n") if b"Message-ID" in line)
    assert line.endswith(f"@{domain}>".encode())


def test_reply_to_is_optional() -> None:
    assert "Reply-To" not in send()
    assert send(reply_to="Tutor <tutor@example.com>")["Reply-To"].addresses[0].addr_spec == "tutor@example.com"


@pytest.mark.parametrize("line_break", ["\r\n", "\n", "\r", "\x0b", "\x85", "\u2028"])
def test_line_breaks_in_names_add_no_header(line_break: str) -> None:
    attack = f"Hello{line_break}Bcc: victim@example.net"

    mail = send(MailText(attack, "text\n", "html\n"), recipient=parse_mailbox("zoe@example.org", attack))

    assert mail["Bcc"] is None
    assert mail["Subject"] == "Hello Bcc: victim@example.net"
    assert [one.addr_spec for one in mail["To"].addresses] == ["zoe@example.org"]
    with pytest.raises(UnmailableError):
        parse_mailbox(f"zoe@example.org{line_break}Bcc: victim@example.net")


def test_names_like_addresses_add_no_recipient() -> None:
    for name in ("boss@example.net", 'Zoé "Boss" <boss@example.net>', "a, b", "x" * 300, "\ud800\x00"):
        mail = send(recipient=parse_mailbox("zoe@example.org", name))
        assert [one.addr_spec for one in mail["To"].addresses] == ["zoe@example.org"]


def test_domain_is_encoded_in_ascii() -> None:
    assert parse_mailbox("zoe@exämple.org").addr_spec == "zoe@xn--exmple-cua.org"


@pytest.mark.parametrize(
    "invalid",
    [
        *("", "zoe", "zoe@", "@example.org", "a b@example.org", "zoë@example.org", "a@example.org, b@example.org"),
        *("a@example.org b@example.org", "a@b@example.org", "<>", "zoe@example..org", "zoe@\x00example.org", "a@ü..de"),
    ],
)
def test_invalid_recipient_is_refused(invalid: str) -> None:
    with pytest.raises(UnmailableError) as caught:
        build_mail(TEXT, sender=SENDER, recipient=invalid, key="one")
    assert not invalid or invalid not in str(caught.value)


@pytest.mark.parametrize("argument", ["sender", "reply_to"])
def test_invalid_sender_is_an_argument_error(argument: str) -> None:
    with pytest.raises(FixArgumentError, match=argument) as caught:
        send(**{argument: "academy at example.com"})
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
def test_domain_follows_idna_2008(written: str, reached: str) -> None:
    if "。" in written:
        assert parse_mailbox(written).addr_spec.endswith(".example.com")
    else:
        assert parse_mailbox(written).addr_spec == reached
    assert normalize_address(written) == normalize_address(parse_mailbox(written).addr_spec)


@pytest.mark.parametrize("invalid", ["a@℀.de", "a@-ä.de", "a@ä..de", "a@" + "ä" * 300 + ".de"])
def test_invalid_domain_is_refused(invalid: str) -> None:
    with pytest.raises(UnmailableError):
        parse_mailbox(invalid)
    assert normalize_address(invalid) == invalid.lower()


def test_subjects_and_names_lose_control_characters() -> None:
    mail = send(
        MailText("a\x1b[31m\u202eb\x07", "t\n", "h\n"), recipient=parse_mailbox("zoe@example.org", "Z\u2066oé\x00")
    )

    assert mail["Subject"] == "a [31mb"
    assert mail["To"].addresses[0].display_name == "Zoé"
