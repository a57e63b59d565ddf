"""Texts of 360Learning and of people, fit for an answer of the page."""

from __future__ import annotations

import re

from airflow_provider_learning360.api.errors import redact
from airflow_provider_learning360.api.sanitizer import printable, sanitize_text

LONGEST = 2000  # characters of one text
LEFT_OUT = "…"

_LINE_BREAKS = re.compile(r"([\n\r\t]+)")


def cut(text: str, longest: int = LONGEST) -> str:
    """
    Return a text, or its beginning with "…".

    :param text: The text.
    :param longest: Characters to keep; default 2,000.
    """
    return text if len(text) <= longest else text[:longest] + LEFT_OUT


def readable_name(text: str, longest: int = LONGEST) -> str:
    """
    Return a name on one line, without characters that steer a terminal or the direction of writing.

    :param text: The name.
    :param longest: Characters to keep; default 2,000.
    """
    # Cut before and after: escapes are longer than what they stand for.
    return cut(printable(cut(sanitize_text(text[: longest + 1]), longest)), longest)


def redacted_name(text: str, longest: int = LONGEST) -> str:
    """
    Return a name on one line, as `readable_name`, and without mail addresses.

    :param text: The name.
    :param longest: Characters to keep; default 2,000.
    """
    # Cut first: redacting megabytes takes seconds.
    return readable_name(redact(sanitize_text(cut(text))), longest)


def readable_text(text: str, longest: int = LONGEST) -> str:
    """
    Return a text of several lines, without characters that steer a terminal or the direction of writing.

    :param text: The text.
    :param longest: Characters to keep; default 2,000.
    """
    kept = cut(sanitize_text(text[: longest + 1]), longest)
    return cut("".join(one if one[:1] in "\n\r\t" else printable(one) for one in _LINE_BREAKS.split(kept)), longest)
