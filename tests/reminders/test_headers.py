"""Mail headers, read by another implementation than the one that writes them."""

from __future__ import annotations

import base64
import re
import shutil
import subprocess
from email.headerregistry import Address

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from airflow_provider_learning360.reminders.headers import (
    MAX_LINE_LENGTH,
    HeaderPolicy,
    build_address_header,
    build_text_header,
)
from airflow_provider_learning360.reminders.mail import MAX_NAME_LENGTH, build_mail, parse_mailbox
from airflow_provider_learning360.reminders.mail_templates import MAX_SUBJECT_LENGTH, MailText, to_one_line

ENCODED = re.compile(r"=\?([^?]+)\?([bBqQ])\?([^? ]*)\?=")


def decode(value: str) -> str:
    """Decode a header by RFC 2047: spaces between encoded words are dropped, each word is whole characters."""
    value = re.sub(r"(\?=)[ \t]+(?==\?)", r"\1", value)

    def word(match: re.Match[str]) -> str:
        charset, encoding, text = match.groups()
        assert encoding in "bB"
        return base64.b64decode(text, validate=True).decode(charset)

    return ENCODED.sub(word, value)


def unfold(lines: bytes) -> tuple[str, str]:
    """Return name and value by RFC 5322: a line break before a space is dropped."""
    name, _, value = re.sub(r"\r\n(?=[ \t])", "", lines.decode("ascii")).partition(":")
    assert "\r" not in value
    assert "\n" not in value
    return name, value.strip(" ")


def split_address(value: str) -> tuple[str, str]:
    """Return name and address of a header with one address."""
    if not value.endswith(">"):
        return "", value
    phrase, _, address = value[:-1].rpartition(" <")
    if phrase.startswith('"'):
        assert phrase.endswith('"')
        assert re.fullmatch(r'(?:[^"\\]|\\.)*', phrase[1:-1])
        return re.sub(r"\\(.)", r"\1", phrase[1:-1]), address
    # Without quotes, only atoms and encoded words are allowed.
    assert re.fullmatch(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~ -]*", phrase)
    return decode(phrase), address


def check_lines(lines: bytes) -> bytes:
    for number, line in enumerate(lines.split(b"\r\n")):
        assert line.strip()
        assert not number or line.startswith(b" ")
        assert len(line) <= MAX_LINE_LENGTH or b"=?" not in line
        assert len(line) <= 998
        assert all(len(word[0]) <= 75 for word in re.finditer(rb"=\?[^ ]*\?=", line))
    return lines


SIGNS = st.sampled_from(' =?_,@()<>"\\.;:éß€😀\u0301\u200dЖ中abcXYZ019') | st.sampled_from(
    ["=?", "?=", "=?utf-8?q?x?="]
)
TEXTS = (st.text(max_size=250) | st.lists(SIGNS, max_size=120).map("".join)).map(to_one_line)


@settings(max_examples=500, deadline=None)
@given(TEXTS)
@example("=?utf-8?q?x=0D=0ABcc:_evil@example.com?=")
@example("Formation « Sécurité » : rappel, 2ᵉ session — début le 3 mars à 9 h 30, salle Évariste")
@example("a" * 200)
@example(" ".join(["word"] * 40))
def test_subject_survives_encoding(text: str) -> None:
    name, value = unfold(check_lines(build_text_header("Subject", text).lines))
    assert name == "Subject"
    assert decode(value) == text


@settings(max_examples=500, deadline=None)
@given(TEXTS)
@example("Doe, John (Sales) @ Paris " * 5)
@example("x" * 77 + ", y")
@example('The "Boss" \\ Co')
@example("=?utf-8?q?x?=")
def test_name_survives_encoding(text: str) -> None:
    address = Address(text, addr_spec="zoe@example.org")
    name, value = unfold(check_lines(build_address_header("To", address).lines))
    assert name == "To"
    assert split_address(value) == (text, "zoe@example.org")


@settings(max_examples=200, deadline=None)
@given(TEXTS, TEXTS, TEXTS)
def test_mail_has_exactly_these_headers(subject: str, sender: str, recipient: str) -> None:
    mail = build_mail(
        MailText(subject, "text\n", "<p>html</p>\n"),
        sender=parse_mailbox("academy@example.com", sender),
        recipient=parse_mailbox("zoe@example.org", recipient),
        key="one",
    )
    head = mail.as_bytes().partition(b"\r\n\r\n")[0]
    headers = dict(unfold(lines) for lines in re.split(rb"\r\n(?![ \t])", head))
    assert decode(headers["Subject"]) == subject
    for name, text, address in (("From", sender, "academy@example.com"), ("To", recipient, "zoe@example.org")):
        assert split_address(headers[name]) == (text.strip('"')[:MAX_NAME_LENGTH].strip(), address)
    assert set(headers) == {
        *("From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted", "X-Auto-Response-Suppress"),
        *("MIME-Version", "Content-Type"),
    }
    assert MAX_SUBJECT_LENGTH <= 250


@pytest.mark.skipif(shutil.which("perl") is None, reason="there is no Perl")
def test_perl_reads_the_same_subject() -> None:
    subjects = [
        *(
            "Rappel : « Sécurité »",
            "é",
            "😀" * 40,
            "a  é",
            "é =?x?= é",
            "日本語" * 30,
            "Ж " * 60 + "end",
            "plain words",
        ),
        *("x" * 90, "naïve, (really) <b>", "ends with é", "é begins", "=?utf-8?q?x?="),
    ]
    script = (
        "use Encode; binmode STDIN; binmode STDOUT; local $/; print encode('UTF-8', decode('MIME-Header', <STDIN>));"
    )
    for subject in subjects:
        lines = build_text_header("Subject", to_one_line(subject)).lines
        run = subprocess.run(["perl", "-e", script], input=lines, capture_output=True, check=True)
        assert run.stdout.decode("utf-8").removeprefix("Subject: ") == to_one_line(subject)


def test_header_policy_disables_folding_by_python() -> None:
    policy = HeaderPolicy(linesep="\r\n")
    long = "x" * 100
    assert policy.fold_binary("X-Long", f"{long} {long}") == f"X-Long: {long} {long}\r\n".encode()
    assert policy.fold("Subject", build_text_header("Subject", "é")) == "Subject: =?utf-8?b?w6k=?=\r\n"
