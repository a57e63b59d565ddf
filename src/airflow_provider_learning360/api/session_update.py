"""A change of fields of a program session: what is wanted, how it differs, and what the log says of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any, TypedDict

from airflow_provider_learning360.api.counts import count_of
from airflow_provider_learning360.api.errors import FixArgumentError, redact
from airflow_provider_learning360.api.input_errors import did_you_mean, format_value
from airflow_provider_learning360.api.people import read_people
from airflow_provider_learning360.api.session_ids import is_session_id
from airflow_provider_learning360.api.text_lists import read_items

if TYPE_CHECKING:
    from airflow_provider_learning360.api.models import ProgramSession

MAX_TUTORS = 101  # API v2: one main instructor, and up to 100 others
MAX_CUSTOM_FIELDS = 300

# By name, values that can be compared: those of a session, and those that are wanted.
Values = Mapping[str, Any]


class UpdateDiff(TypedDict):
    """
    What a task changed, as it pushes it: names of fields; values of dates and numbers only.

    People and free texts are neither in `before` nor in `after`.
    """

    session_id: str
    changed: list[str]
    before: dict[str, str | int | None]
    after: dict[str, str | int | None]
    dryRun: bool


@dataclass(frozen=True)
class SessionUpdate:
    """
    What is wanted.

    :param values: New values by name of the field, as `read_update` returns them.
    :param dry_run: Whether nothing is written; default False.
    """

    values: Values = field(repr=False)
    dry_run: bool = False


@dataclass
class UpdateResult:
    """
    What an update did.

    :param diff: What it changed.
    :param lines: One line for the log for each field that differs, without people and free texts.
    """

    diff: UpdateDiff
    lines: list[str]


def read_update(value: Any, skip: Callable[[Any], bool] = lambda _: False) -> dict[str, Any]:
    """
    Return the fields to change and their new values, in a form that can be compared.

    :param value: A mapping of names and values, or a text with one as JSON.
    :param skip: Whether a value is not known yet, such as a template; default all are known.
    :returns: The values that are known: times in UTC, tutors as people, custom fields by ID.
    :raises FixArgumentError: A name or a value is not valid.
    """
    if isinstance(value, str):
        value = next(iter(read_items(value, "set")), None)
    if not isinstance(value, Mapping):
        raise FixArgumentError("set: it is not a mapping of names and values; write {startDate: 2026-03-01T08:00:00Z}.")
    for name in value:
        if name not in _READERS:
            meant = f"; use {_OTHER_NAMES[name]}." if name in _OTHER_NAMES else did_you_mean(name, _READERS)
            raise FixArgumentError(
                f"set: {format_value(name)} cannot be changed{meant or '.'} "
                f"Fields that can be are {', '.join(_READERS)}."
            )
    if not value:
        raise FixArgumentError(f"set: it names no field. Fields that can be changed are {', '.join(_READERS)}.")
    wanted = {name: _READERS[name](one, f"set.{name}") for name, one in value.items() if not skip(one)}
    require_order(wanted)
    return wanted


def require_order(values: Values) -> None:
    """
    Refuse a session that would not start before it ends.

    :param values: Its values by name of the field; without both dates, all is well.
    :raises FixArgumentError: It would not.
    """
    start, end = values.get("startDate"), values.get("endDate")
    if start is not None and end is not None and start >= end:
        raise FixArgumentError(
            f"set: startDate {format_time(start)} would not be before endDate {format_time(end)}. Nothing was written. "
            "Correct one of them; to move a session, give both."
        )


def read_session(session: ProgramSession) -> dict[str, Any]:
    """
    Return the values of a session that both versions of the API send, in the same form.

    :param session: The session.
    :returns: The values by name of the field.
    """
    limited = session.has_user_limit is not False
    return {
        "name": (session.name or "").strip(),
        "startDate": _cut(session.start_date),
        "endDate": _cut(session.end_date),
        "userLimit": session.user_limit if limited else None,
        "sessionCustom": session.session_custom or "",
    }


def find_changes(current: Values, wanted: Values) -> list[str]:
    """
    Return the names of the fields that differ.

    :param current: The values of a session.
    :param wanted: The new values.
    """
    return [name for name, value in wanted.items() if not _has_value(current.get(name), value)]


def _has_value(current: Any, wanted: Any) -> bool:
    if isinstance(wanted, Mapping):  # custom fields, of which only some are wanted
        return all((current or {}).get(key) == value for key, value in wanted.items())
    return bool(current == wanted)


def build_result(
    session_id: str, update: SessionUpdate, current: Values, wanted: Values, changed: list[str]
) -> UpdateResult:
    """
    Build what an update did.

    :param session_id: ID of the session.
    :param update: What was wanted.
    :param current: The values of the session before.
    :param wanted: The new values.
    :param changed: Names of the fields that differ.
    :returns: The result and lines for the log.
    """
    shown = [name for name in changed if name in _SHOWN]
    diff: UpdateDiff = {
        "session_id": session_id,
        "changed": changed,
        "before": {name: _show(current.get(name)) for name in shown},
        "after": {name: _show(wanted[name]) for name in shown},
        "dryRun": update.dry_run,
    }
    return UpdateResult(diff, [f"{name}: {_describe(name, current.get(name), wanted[name])}" for name in changed])


def merge_custom_fields(current: Mapping[str, Any], wanted: Mapping[str, str | None]) -> dict[str, str | None]:
    """
    Return all values of the custom fields of a session: writing replaces all of them.

    :param current: The values by ID of the field.
    :param wanted: The new values by ID; None clears one.
    :returns: The values by ID; None for those that are cleared.
    :raises FixArgumentError: There are too many.
    """
    merged = {**current, **wanted}
    if len(merged) > MAX_CUSTOM_FIELDS:
        raise FixArgumentError(
            f"set.customFields: the session would have {len(merged)} values, and 360Learning takes "
            f"{MAX_CUSTOM_FIELDS}. Nothing was written. Clear some of them with null."
        )
    return merged


def _describe(name: str, before: Any, after: Any) -> str:
    if name in _SHOWN:
        return f"{_name(before)} -> {_name(after)}"
    if name == "tutors":
        people = count_of(len(after), "person", "people")
        return f"{len(before or ())} -> {people}, not the same ones or not in the same roles"
    if name == "customFields":
        count = sum(before.get(key) != value for key, value in after.items())
        return count_of(count, "value differs", "values differ")
    return "the text differs"


def _name(value: Any) -> Any:
    return "none" if value is None else _show(value)


def _show(value: Any) -> str | int | None:
    if isinstance(value, datetime):
        return format_time(value)
    return value if isinstance(value, int | str) else None


def format_time(moment: datetime) -> str:
    """
    Write a time as the API does.

    :param moment: The time, with its zone.
    :returns: An ISO text in UTC, with milliseconds.
    """
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _cut(moment: datetime | None) -> datetime | None:
    """Return a time in UTC with the precision of the API, so that two of them can be compared."""
    return None if moment is None else moment.astimezone(UTC).replace(microsecond=moment.microsecond // 1000 * 1000)


def _read_time(value: Any, name: str) -> datetime | None:
    from airflow_provider_learning360.api.changes import parse_datetime

    if isinstance(value, date) and not isinstance(value, datetime):
        value = value.isoformat()
    return _cut(parse_datetime(value, name, warn=False))


def _read_end(value: Any, name: str) -> datetime | None:
    return None if _is_nothing(value) else _read_time(value, name)


def _read_name(value: Any, name: str) -> str:
    if not isinstance(value, str) or not value.strip():
        raise FixArgumentError(f"{name}: {format_value(value)} is not a text with a character in it.")
    return value.strip()


def _read_text(value: Any, name: str) -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        raise FixArgumentError(f"{name}: a value of type {type(value).__name__} is not a text; put it in quotes.")
    return value


def _read_limit(value: Any, name: str) -> int | None:
    if _is_nothing(value):
        return None
    text = "" if isinstance(value, bool) or not isinstance(value, int | str) else str(value).strip()
    if not (text.isascii() and text.isdigit()) or len(text) > 9 or int(text) < 1:
        raise FixArgumentError(
            f"{name}: {redact(repr(value))} is not a number of seats; write a whole number, 1 or more, or null for no "
            "limit."
        )
    return int(text)


def _is_nothing(value: Any) -> bool:
    # What a template gives that was rendered to nothing.
    return value is None or value in ("", "None")


def _read_tutors(value: Any, name: str) -> tuple[Any, ...]:
    people = read_people(value, name)
    if not 1 <= len(people) <= MAX_TUTORS:
        raise FixArgumentError(f"{name}: a session has 1 to {MAX_TUTORS} tutors; {len(people)} were given.")
    return tuple(people)


def _read_custom_fields(value: Any, name: str) -> dict[str, str | None]:
    """Return values by ID of the field, from a mapping or from a list as a document of a session has it."""
    pairs = value.items() if isinstance(value, Mapping) else map(_read_pair, read_items(value, name))
    found = {}
    for key, one in pairs:
        if not is_session_id(key):
            raise FixArgumentError(
                f"{name}: {format_value(key)} is not the ID of a custom field. Write IDs and values, such as "
                "{60b8d2956e20ae1a0f8e44f1: Room 4}; operation list-custom-fields lists the IDs."
            )
        found[key.lower()] = _read_custom_value(one, f"{name}.{key}")
    return found


def _read_pair(item: Any) -> tuple[Any, Any]:
    if not isinstance(item, Mapping):
        return item, None
    return item.get("customFieldId") or item.get("_id"), item.get("value")


def _read_custom_value(value: Any, name: str) -> str | None:
    if isinstance(value, datetime):
        value = value.date()
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, bool) or not isinstance(value, str | int | float | None):
        raise FixArgumentError(f"{name}: a value of type {type(value).__name__} is not a text; put it in quotes.")
    return None if value in (None, "") else str(value)


_READERS: dict[str, Callable[[Any, str], Any]] = {
    "name": _read_name,
    "startDate": _read_time,
    "endDate": _read_end,
    "tutors": _read_tutors,
    "userLimit": _read_limit,
    "sessionCustom": _read_text,
    "customFields": _read_custom_fields,
}
# Names of API v2 for the same, and what API v1 shows of it.
_OTHER_NAMES = {
    "additionalInformation": "sessionCustom",
    "mainInstructorId": "tutors",
    "instructorIds": "tutors",
    "hasUserLimit": "userLimit",
}
# Fields without people and free texts, whose values may be logged and pushed.
_SHOWN = frozenset({"startDate", "endDate", "userLimit"})
