"""Mail addresses: which of them can be mailed, and how two spellings compare."""

from __future__ import annotations

import re
from email.errors import MessageError
from email.headerregistry import Address

import idna

# Stricter than Python's parser, which accepts comments, quotes and "#". In 360Learning, "#" marks a login.
# Not email-validator: it refuses internal domains such as `hr@intranet`, and Airflow 2 does not bring it.
_ADDRESS = re.compile(r"[^\s@#,;:<>()\[\]\\\"]{1,64}@[^\s@#,;:<>()\[\]\\\"]+")
_MAX_LENGTH = 254  # characters (RFC 5321)


class UnmailableError(ValueError):
    """The text is not a mail address. The message does not repeat the text."""


def parse_address(address: str, display_name: str = "") -> Address:
    """
    Return an address as Python's `email` package represents it, with its domain in ASCII.

    :param address: The address, such as `ann@example.com`.
    :param display_name: Name to show beside the address; default none.
    :raises UnmailableError: No mail server accepts it. Letters beyond ASCII are refused before the `@`, where few
        servers accept them, and allowed after it.
    """
    local, at, domain = address.strip().rpartition("@")
    try:
        # A line break in an address would begin another header.
        if at and address.isprintable() and len(address) <= _MAX_LENGTH:
            return Address(display_name, addr_spec=f"{local}@{_encode_domain(domain)}")
    except (ValueError, IndexError, MessageError):
        pass
    raise UnmailableError("it is not a mail address")


def is_mailable(address: str | None) -> bool:
    """
    Whether a mail can be sent to an address.

    :param address: The `mail` of a user; sometimes a login such as `first.last#company@example.com`.
    """
    text = address or ""
    if len(text) > _MAX_LENGTH or not text.isprintable() or _ADDRESS.fullmatch(text) is None:
        return False
    try:
        parse_address(text)
    except UnmailableError:
        return False
    return True


def normalize_address(address: str) -> str:
    """
    Return the form that all spellings of an address share: lower case, with its domain in ASCII.

    :param address: The address. A text that is not an address is returned in lower case.
    """
    local, at, domain = address.strip().rpartition("@")
    if at and not domain.isascii() and len(domain) <= _MAX_LENGTH:
        try:
            return f"{local}@{_encode_domain(domain)}".lower()
        except ValueError:
            pass
    return address.lower()


def _encode_domain(domain: str) -> str:
    """Return a domain in ASCII, by IDNA 2008. Python's own codec follows IDNA 2003, where faß.de is fass.de."""
    return domain if domain.isascii() else idna.encode(domain, uts46=True).decode("ascii")
