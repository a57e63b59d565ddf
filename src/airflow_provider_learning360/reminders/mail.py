"""One mail to one recipient, ready for a mail server."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime
from functools import lru_cache
from typing import TYPE_CHECKING

import idna

from airflow_provider_learning360.api.errors import FixArgumentError
from airflow_provider_learning360.reminders.headers import HeaderPolicy, address_header, text_header
from airflow_provider_learning360.reminders.messages import one_line

if TYPE_CHECKING:
    from airflow_provider_learning360.reminders.messages import Message

# Bodies in 7 bits, which every server on the way can hand on.
_POLICY = HeaderPolicy(linesep="\r\n", cte_type="7bit")
LONGEST_NAME = 200  # characters
_LONGEST = 254  # characters of an address (RFC 5321)

# Who wrote to whom is an automaton, so that no automaton answers (RFC 3834; the second is what Exchange reads). Not
# `All` there: it would hold back bounces too, and nobody would learn that an address is dead. No `Precedence: bulk`:
# it is in no standard, these two say the same, and filters take it for advertising.
_AUTOMATIC = {"Auto-Submitted": "auto-generated", "X-Auto-Response-Suppress": "DR, RN, NRN, OOF, AutoReply"}


class UnmailableError(ValueError):
    """What should be a mail address is none; it does not say what it is instead."""


def mailbox(address: str, name: str | None = None) -> Address:
    """
    Return an address with a name as a mail shows it.

    :param address: The address; without `name`, also in the form `Name <address>`.
    :param name: Name of the person; default none.
    :raises UnmailableError: It is no address that any mail server takes. That includes letters beyond ASCII before the
        `@`, which few servers take; beyond ASCII after it is fine.
    """
    if name is None and "<" in address:
        name, _, address = address.strip().removesuffix(">").rpartition("<")
    local, at, domain = address.strip().rpartition("@")
    try:
        # Printable, since a line end in an address would be a header of its own.
        if at and address.isprintable() and len(address) <= _LONGEST:
            shown = one_line(name or "").strip('"')[:LONGEST_NAME].strip()
            return Address(shown, addr_spec=f"{local}@{_domain(domain)}")
    except (ValueError, IndexError, MessageError):
        pass
    raise UnmailableError("it is no mail address")


def same_address(address: str) -> str:
    """
    Return an address in the form that all its spellings share: in lower case, with its domain as it is looked up.

    :param address: The address; what is none is returned in lower case.
    """
    local, at, domain = address.strip().rpartition("@")
    if at and not domain.isascii() and len(domain) <= _LONGEST:
        try:
            return f"{local}@{_domain(domain)}".lower()
        except ValueError:
            pass
    return address.lower()


def _domain(domain: str) -> str:
    """Return a domain in ASCII, by IDNA 2008: Python's own codec follows IDNA 2003, by which faß.de is fass.de."""
    return domain if domain.isascii() else idna.encode(domain, uts46=True).decode("ascii")


def build(
    message: Message,
    *,
    sender: Address | str,
    recipient: Address | str,
    key: str,
    reply_to: Address | str | None = None,
) -> EmailMessage:
    """
    Return the mail: plain text and HTML, marked as sent by an automaton.

    :param message: Subject, text and HTML.
    :param sender: Who it is from, such as `Academy <academy@example.com>`.
    :param recipient: Who it is to.
    :param key: What this mail is and nobody else's: the reminder's key and the recipient's. The same key from the same
        domain gives the same Message-ID, by which mail systems and people notice a repeat.
    :param reply_to: Where answers go; default to the sender.
    :raises FixArgumentError: `sender` or `reply_to` is no mail address.
    :raises UnmailableError: `recipient` is none.

    Source: RFC 5322 (Message-ID), RFC 3834 (automatic mail).
    """
    identity = hashlib.sha256(key.encode()).hexdigest()[:32]
    from_whom = _own("sender", sender)
    mail = EmailMessage(policy=_POLICY)
    mail["From"] = address_header("From", from_whom)
    mail["To"] = address_header("To", recipient if isinstance(recipient, Address) else mailbox(recipient))
    if reply_to is not None:
        mail["Reply-To"] = address_header("Reply-To", _own("reply_to", reply_to))
    mail["Subject"] = _text_header("Subject", one_line(message.subject))
    mail["Date"] = text_header("Date", format_datetime(datetime.now(UTC)))
    mail["Message-ID"] = text_header("Message-ID", f"<{identity}@{from_whom.domain}>")
    for name, value in _AUTOMATIC.items():
        mail[name] = _text_header(name, value)
    mail.set_content(message.text)
    mail.make_alternative(boundary=f"={identity}")  # its own would search the text
    mail.add_alternative(message.html, subtype="html")
    return mail


# Most headers are the same for all recipients.
_text_header = lru_cache(maxsize=64)(text_header)


_parsed = lru_cache(maxsize=8)(mailbox)


def _own(argument: str, value: Address | str) -> Address:
    try:
        return value if isinstance(value, Address) else _parsed(value)
    except UnmailableError:
        pass
    raise FixArgumentError(f"{argument} is no mail address. Write it as name@example.com or Name <name@example.com>.")
