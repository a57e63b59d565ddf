"""One mail to one recipient, ready for a mail server."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from airflow_provider_learning360.api.errors import FixArgumentError
from airflow_provider_learning360.reminders.messages import one_line

if TYPE_CHECKING:
    from airflow_provider_learning360.reminders.messages import Message

# Bodies in 7 bits, which every server on the way can hand on.
_POLICY = SMTP.clone(cte_type="7bit")

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
        domain = domain if domain.isascii() else domain.encode("idna").decode()
        # Printable, since a line end in an address would be a header of its own.
        if at and address.isprintable():
            return Address(one_line(name or "").strip('"'), addr_spec=f"{local}@{domain}")
    except (ValueError, IndexError, MessageError):
        pass
    raise UnmailableError("it is no mail address")


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
    from_whom = _header("From", _own("sender", sender))
    mail = EmailMessage(policy=_POLICY)
    mail["From"] = from_whom
    mail["To"] = recipient if isinstance(recipient, Address) else mailbox(recipient)
    if reply_to is not None:
        mail["Reply-To"] = _header("Reply-To", _own("reply_to", reply_to))
    mail["Subject"] = _header("Subject", one_line(message.subject))
    mail["Date"] = datetime.now(UTC)
    mail["Message-ID"] = f"<{identity}@{from_whom.addresses[0].domain}>"
    for name, value in _AUTOMATIC.items():
        mail[name] = _header(name, value)
    mail.set_content(message.text)
    mail.make_alternative(boundary=f"={identity}")  # its own would search the text
    mail.add_alternative(message.html, subtype="html")
    return mail


# Most headers are the same for all recipients, and to make them is most of the work.
@lru_cache(maxsize=64)
def _header(name: str, value: str) -> Any:
    return _POLICY.header_factory(name, value)


_parsed = lru_cache(maxsize=8)(mailbox)


def _own(argument: str, value: Address | str) -> str:
    try:
        return str(value if isinstance(value, Address) else _parsed(value))
    except UnmailableError:
        pass
    raise FixArgumentError(f"{argument} is no mail address. Write it as name@example.com or Name <name@example.com>.")
