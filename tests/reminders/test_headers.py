"""Mail headers, read by another implementation than the one that wrote them."""

from __future__ import annotations

import base64
import re
import shutil
import subprocess
from email.headerregistry import Address

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from airflow_provider_learning360.reminders.headers import LINE, HeaderPolicy, address_header, text_header
from airflow_provider_learning360.reminders.mail import LONGEST_NAME, build, mailbox
from airflow_provider_learning360.reminders.messages import LONGEST_SUBJECT, Message, one_line

ENCODED = re.compile(r"=\?([^?]+)\?([bBqQ])\?([^? ]*)\?=")


def decoded(value: str) -> str:
    """What a header says, by RFC 2047: blanks between encoded words are none; each word is whole characters."""
    value = re.sub(r"(\?=)[ \t]+(?==\?)", r"\1", value)

    def word(match: re.Match[str]) -> str:
        charset, encoding, text = match.groups()
        assert encoding in "bB"
        return base64.b64decode(text, validate=True).decode(charset)

    return ENCODED.sub(word, value)


def unfolded(lines: bytes) -> tuple[str, str]:
    """Name and value, by RFC 5322: a line end before a blank is none."""
    name, _, value = re.sub(r"\r\n(?=[ \t])", "", lines.decode("ascii")).partition(":")
    assert "\r" not in value
    assert "\n" not in value
    return name, value.strip(" ")


def name_and_address(value: str) -> tuple[str, str]:
    """The parts of an address header with one address."""
    if not value.endswith(">"):
        return "", value
    phrase, _, address = value[:-1].rpartition(" <")
    if phrase.startswith('"'):
        assert phrase.endswith('"')
        assert re.fullmatch(r'(?:[^"\\]|\\.)*', phrase[1:-1])
        return re.sub(r"\\(.)", r"\1", phrase[1:-1]), address
    # Outside of quotes, only atoms and encoded words may stand.
    assert re.fullmatch(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~ -]*", phrase)
    return decoded(phrase), address


def checked_lines(lines: bytes) -> bytes:
    for number, line in enumerate(lines.split(b"\r\n")):
        assert line.strip()
        assert not number or line.startswith(b" ")
        assert len(line) <= LINE or b"=?" not in line
        assert len(line) <= 998
        assert all(len(word[0]) <= 75 for word in re.finditer(rb"=\?[^ ]*\?=", line))
    return lines


SIGNS = st.sampled_from(' =?_,@()<>"\\.;:éß€😀\u0301\u200dЖ中abcXYZ019') | st.sampled_from(
    ["=?", "?=", "=?utf-8?q?x?="]
)
TEXTS = (st.text(max_size=250) | st.lists(SIGNS, max_size=120).map("".join)).map(one_line)


@settings(max_examples=500, deadline=None)
@given(TEXTS)
@example("=?utf-8?q?x=0D=0ABcc:_evil@example.com?=")
@example("Formation « Sécurité » : rappel, 2ᵉ session — début le 3 mars à 9 h 30, salle Évariste")
@example("a" * 200)
@example(" ".join(["word"] * 40))
def test_a_subject_arrives_as_it_was_written(text: str) -> None:
    name, value = unfolded(checked_lines(text_header("Subject", text).lines))
    assert name == "Subject"
    assert decoded(value) == text


@settings(max_examples=500, deadline=None)
@given(TEXTS)
@example("Doe, John (Sales) @ Paris " * 5)
@example("x" * 77 + ", y")
@example('The "Boss" \\ Co')
@example("=?utf-8?q?x?=")
def test_a_name_arrives_as_it_was_written(text: str) -> None:
    address = Address(text, addr_spec="zoe@example.org")
    name, value = unfolded(checked_lines(address_header("To", address).lines))
    assert name == "To"
    assert name_and_address(value) == (text, "zoe@example.org")


@settings(max_examples=200, deadline=None)
@given(TEXTS, TEXTS, TEXTS)
def test_a_whole_mail_has_these_headers(subject: str, sender: str, recipient: str) -> None:
    mail = build(
        Message(subject, "text\n", "<p>html</p>\n"),
        sender=mailbox("academy@example.com", sender),
        recipient=mailbox("zoe@example.org", recipient),
        key="one",
    )
    head = mail.as_bytes().partition(b"\r\n\r\n")[0]
    headers = dict(unfolded(lines) for lines in re.split(rb"\r\n(?![ \t])", head))
    assert decoded(headers["Subject"]) == subject
    for name, text, address in (("From", sender, "academy@example.com"), ("To", recipient, "zoe@example.org")):
        assert name_and_address(headers[name]) == (text.strip('"')[:LONGEST_NAME].strip(), address)
    assert set(headers) == {
        *("From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted", "X-Auto-Response-Suppress"),
        *("MIME-Version", "Content-Type"),
    }
    assert LONGEST_SUBJECT <= 250


@pytest.mark.skipif(shutil.which("perl") is None, reason="there is no Perl")
def test_perl_reads_the_same() -> None:
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
        lines = text_header("Subject", one_line(subject)).lines
        run = subprocess.run(["perl", "-e", script], input=lines, capture_output=True, check=True)
        assert run.stdout.decode("utf-8").removeprefix("Subject: ") == one_line(subject)


def test_under_this_policy_nothing_is_folded_by_python() -> None:
    policy = HeaderPolicy(linesep="\r\n")
    long = "x" * 100
    assert policy.fold_binary("X-Long", f"{long} {long}") == f"X-Long: {long} {long}\r\n".encode()
    assert policy.fold("Subject", text_header("Subject", "é")) == "Subject: =?utf-8?b?w6k=?=\r\n"
