"""How errors describe what a person wrote: the value, what is allowed, and what was probably meant."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from airflow_provider_learning360.api.errors import redact

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

# What people write who know other providers of Airflow.
_SYNONYMS = {
    "conn_id": "learning_conn_id",
    "connection": "learning_conn_id",
    "connection_id": "learning_conn_id",
    "http_conn_id": "learning_conn_id",
    "param": "parameters",
    "params": "parameters",
    "interval": "poke_interval",
    "poll_interval": "poke_interval",
    "poke_interval": "poll_interval",
    "program_session_id": "session_id",
}
MAX_LISTED = 8  # known words that an error names
# By the type of pydantic's error.
_TYPES = {
    "string_type": "not a text",
    "string_unicode": "not a text that can be stored",
    "list_type": "not a list; write [one, another]",
    "tuple_type": "not a list",
    "bool_type": "neither true nor false",
    "bool_parsing": "neither true nor false",
    "int_type": "not a whole number",
    "int_parsing": "not a whole number",
    "int_from_float": "not a whole number",
    "finite_number": "not a whole number",
}


def find_closest(given: Any, known: Iterable[str], cutoff: float = 0.6) -> str | None:
    """
    Return the known word that was probably meant.

    :param given: What was written.
    :param known: The known words.
    :param cutoff: How close a word must be, from 0 to 1; default 0.6, as in `difflib`.
    :returns: The word; None if no known word is close.
    """
    if not isinstance(given, str):
        return None
    known = list(known)
    if (synonym := _SYNONYMS.get(given)) in known:
        return synonym
    from difflib import get_close_matches

    return next(iter(get_close_matches(given, known, 1, cutoff)), None)


def did_you_mean(given: Any, known: Iterable[str]) -> str:
    """
    Return a question with the known word that was probably meant, such as `; did you mean startDate?`.

    :param given: What was written.
    :param known: The known words.
    :returns: The question; empty if no known word is close.
    """
    closest = find_closest(given, known)
    return f"; did you mean {closest}?" if closest else ""


def list_known(given: Any, known: Collection[str]) -> str:
    """
    Return the known words, as the end of a sentence; of many, the nearest ones. Also which one was probably meant.

    :param given: What was written.
    :param known: The known words.
    """
    shown = list(known)
    if len(shown) > MAX_LISTED:
        from difflib import get_close_matches

        nearest = get_close_matches(str(given), shown, MAX_LISTED, 0.0)
        shown = [*(one for one in shown if one in nearest), f"and {len(known) - MAX_LISTED} more"]
    return f"{', '.join(shown)}{did_you_mean(given, known)}"


def end_sentence(text: str) -> str:
    """
    Return a text with a full stop, unless it ends as a sentence already.

    :param text: The text.
    """
    return text if text.endswith(("?", ".")) else f"{text}."


def format_value(value: Any) -> str:
    """
    Return a value as an error may show it: without secrets and without mail addresses.

    :param value: The value.
    """
    try:
        text = repr(value)
    except Exception:  # noqa: BLE001 - of any class; Python also writes no integer of more than 4,300 digits
        text = f"a value of type {type(value).__name__}"
    # An address may be in the wrong place.
    return "an address" if "@" in text else redact(text)


def describe_problem(detail: Any, known: Collection[str]) -> str:
    """
    Return an error of pydantic in words that fit a YAML file: what was written, and what is allowed.

    For files that people write. What 360Learning sent, and settings, are described without any value:
    see `problem_of_fields` in `models.py`, and `settings.py`.

    :param detail: An item of `ValidationError.errors()`.
    :param known: Names of the fields that may stand at this place.
    """
    kind, given = detail["type"], detail["input"]
    match kind:
        case "missing":
            return "it is missing"
        case "extra_forbidden":
            return f"there is no such field; known are {', '.join(known)}{did_you_mean(detail['loc'][-1], known)}"
        case "literal_error":
            return describe_choice(given, re.findall(r"'([^']*)'", detail["ctx"]["expected"]))
        case "string_type" if isinstance(given, int | float):
            return f"{format_value(given)} is not a text; put it in quotes"
        case _ if kind in _TYPES:
            return f"{format_value(given)} is {_TYPES[kind]}"
        case _:
            message = detail["msg"]
            return f"{message[:1].lower()}{message[1:]}; {format_value(given)} was given"


def describe_choice(value: Any, allowed: Collection[str]) -> str:
    """
    Return that a value is not one of the allowed words, and which one was probably meant.

    :param value: The value.
    :param allowed: The allowed words.
    """
    return f"{format_value(value)} is not one of {list_known(value, allowed)}"
