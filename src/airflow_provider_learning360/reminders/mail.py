"""One mail to one recipient, ready for a mail server."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime
from functools import lru_cache
from typing import TYPE_CHECKING

from airflow_provider_learning360.api.errors import FixArgumentError
from airflow_provider_learning360.reminders.addresses import UnmailableError, parse_address
from airflow_provider_learning360.reminders.headers import HeaderPolicy, build_address_header, build_text_header
from airflow_provider_learning360.reminders.mail_templates import to_one_line

if TYPE_CHECKING:
    from airflow_provider_learning360.reminders.mail_templates import MailText

# Bodies in 7 bits, which every server on the way accepts.
_POLICY = HeaderPolicy(linesep="\r\n", cte_type="7bit")
MAX_NAME_LENGTH = 200  # characters

# Marks an automatic mail, so that no automatic reply comes back (RFC 3834; the second is for Exchange). Not `All`,
# which would suppress bounces too: nobody would learn of a dead address. No `Precedence: bulk`: it is in no standard,
# and filters take such mail for advertising.
_AUTOMATIC = {"Auto-Submitted": "auto-generated", "X-Auto-Response-Suppress": "DR, RN, NRN, OOF, AutoReply"}


def parse_mailbox(text: str, name: str | None = None) -> Address:
    """
    Return an address with the name of its owner, as a mail shows them.

    :param text: The address; without `name`, also in the form `Name <address>`.
    :param name: Name of the owner; default none.
    :raises UnmailableError: It is not a mail address.
    """
    address = text
    if name is None and "<" in text:
        name, _, address = text.strip().removesuffix(">").rpartition("<")
    shown = to_one_line(name or "").strip('"')[:MAX_NAME_LENGTH].strip()
    return parse_address(address, shown)


def build_mail(
    text: MailText,
    *,
    sender: Address | str,
    recipient: Address | str,
    key: str,
    reply_to: Address | str | None = None,
) -> EmailMessage:
    """
    Return the mail: plain text and HTML, marked as automatic.

    :param text: Subject, text and HTML.
    :param sender: Who it is from, such as `Academy <academy@example.com>`.
    :param recipient: Who it is to.
    :param key: Unique key of this mail: that of the reminder and that of the recipient. The same key from the same
        domain gives the same Message-ID, by which mail systems and people notice a repeated mail.
    :param reply_to: Where replies go; default to the sender.
    :raises FixArgumentError: `sender` or `reply_to` is not a mail address.
    :raises UnmailableError: `recipient` is not a mail address.

    Source: RFC 5322 (Message-ID), RFC 3834 (automatic mail).
    """
    identity = hashlib.sha256(key.encode()).hexdigest()[:32]
    from_address = require_address("sender", sender)
    mail = EmailMessage(policy=_POLICY)
    mail["From"] = build_address_header("From", from_address)
    to_address = recipient if isinstance(recipient, Address) else parse_mailbox(recipient)
    mail["To"] = build_address_header("To", to_address)
    if reply_to is not None:
        mail["Reply-To"] = build_address_header("Reply-To", require_address("reply_to", reply_to))
    mail["Subject"] = _cached_text_header("Subject", to_one_line(text.subject))
    mail["Date"] = build_text_header("Date", format_datetime(datetime.now(UTC)))
    mail["Message-ID"] = build_text_header("Message-ID", f"<{identity}@{from_address.domain}>")
    for name, value in _AUTOMATIC.items():
        mail[name] = _cached_text_header(name, value)
    mail.set_content(text.text)
    mail.make_alternative(boundary=f"={identity}")  # Python would search the text for a free boundary
    mail.add_alternative(text.html, subtype="html")
    return mail


# Most headers are the same for all recipients.
_cached_text_header = lru_cache(maxsize=64)(build_text_header)
_cached_mailbox = lru_cache(maxsize=8)(parse_mailbox)


def require_address(argument: str, value: Address | str) -> Address:
    """
    Return the address in an argument.

    :param argument: Name of the argument, for the error.
    :param value: Its value, such as `Academy <academy@example.com>`.
    :raises FixArgumentError: It is not a mail address.
    """
    try:
        return value if isinstance(value, Address) else _cached_mailbox(value)
    except UnmailableError:
        pass
    raise FixArgumentError(
        f"{argument}: the value is not a mail address. Write name@example.com or Name <name@example.com>."
    )
