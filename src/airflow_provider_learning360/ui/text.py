"""Texts of 360Learning and of people, made safe for the page."""

from __future__ import annotations

import re

from airflow_provider_learning360.api.errors import redact
from airflow_provider_learning360.api.sanitizer import printable, sanitize_text

MAX_CHARACTERS = 2000  # of one text
ELLIPSIS = "…"

_LINE_BREAKS = re.compile(r"([\n\r\t]+)")


def truncate(text: str, max_characters: int = MAX_CHARACTERS) -> str:
    """
    Return a text, or its beginning with "…".

    :param text: The text.
    :param max_characters: Characters to keep; default 2,000.
    """
    return text if len(text) <= max_characters else text[:max_characters] + ELLIPSIS


def readable_name(text: str, max_characters: int = MAX_CHARACTERS) -> str:
    """
    Return a name on one line, without control characters and bidirectional overrides.

    :param text: The name.
    :param max_characters: Characters to keep; default 2,000.
    """
    # Truncated before and after: an escape is longer than its character.
    kept = truncate(sanitize_text(text[: max_characters + 1]), max_characters)
    return truncate(printable(kept), max_characters)


def redacted_name(text: str, max_characters: int = MAX_CHARACTERS) -> str:
    """
    Return a name on one line, as `readable_name`, without mail addresses.

    :param text: The name.
    :param max_characters: Characters to keep; default 2,000.
    """
    # Truncated first: redacting megabytes takes seconds.
    return readable_name(redact(sanitize_text(truncate(text))), max_characters)


def readable_text(text: str, max_characters: int = MAX_CHARACTERS) -> str:
    """
    Return a text of several lines, without control characters and bidirectional overrides.

    :param text: The text.
    :param max_characters: Characters to keep; default 2,000.
    """
    kept = truncate(sanitize_text(text[: max_characters + 1]), max_characters)
    parts = (part if part[:1] in "\n\r\t" else printable(part) for part in _LINE_BREAKS.split(kept))
    return truncate("".join(parts), max_characters)
