"""The IDs of program sessions: what is one, and where a user gave it."""

from __future__ import annotations

import re
from typing import Any

from airflow_provider_learning360.api.errors import InvalidIdError, redact
from airflow_provider_learning360.api.sanitizer import sanitize

_ID = re.compile(r"[0-9a-fA-F]{24}")
# Integers with as many digits as an ID has characters: 24.
_SMALLEST_ID, _LARGEST_ID = 10**23, 10**24 - 1


def is_session_id(value: Any) -> bool:
    """
    Whether a value of a response is exactly an ID of a program session: a text, without blanks.

    :param value: The value.
    """
    return isinstance(value, str) and _ID.fullmatch(value) is not None


def require_session_id(session_id: Any) -> str:
    """
    Return the ID of a program session in its usual form.

    :param session_id: The ID; blanks around it and capital letters are allowed.
    :returns: The ID: 24 characters of 0-9 and a-f.
    :raises InvalidIdError: It is not an ID; shows the value.
    """
    text = format_id(session_id, "the ID of a program session")
    if isinstance(text, str) and _ID.fullmatch(text.strip()):
        # In lower case, as the API writes IDs, so that two IDs can be compared.
        return text.strip().lower()
    shown = "an empty text" if session_id == "" else redact(repr(session_id))
    raise InvalidIdError(
        f"{shown} is not the ID of a program session. An ID has 24 characters of 0-9 and a-f, "
        "such as 60b8d2956e20ae1a0f8e44f1. Copy it from the session's address in 360Learning."
    )


def format_id(value: Any, what: str) -> Any:
    """
    Return an ID as a text if it arrived as a number: native rendering turns digits into numbers.

    :param value: The ID; anything but a number is returned unchanged.
    :param what: What it is the ID of, for the error.
    :returns: The ID.
    :raises InvalidIdError: The number does not have the digits of an ID.
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        return value
    if isinstance(value, int) and _SMALLEST_ID <= value <= _LARGEST_ID:
        return str(value)
    raise InvalidIdError(
        f"{what}: it arrived as the number {sanitize(value)}, which does not have the 24 characters of an ID. "
        "Native rendering turns digits into numbers; put quotes around the template: \"'{{ params.session_id }}'\". "
        "Or copy the ID from the session's address in 360Learning."
    )


def find_session_id(value: Any) -> str:
    """
    Return the ID of a session.

    :param value: The ID, or a document of the session with its `_id`.
    :returns: The ID: 24 characters of 0-9 and a-f.
    :raises InvalidIdError: It is neither.
    """
    return require_session_id(value.get("_id") if isinstance(value, dict) else value)
