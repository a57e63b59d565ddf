"""From the objects of API v2 to a session document with the keys of API v1, and v2's own fields beside them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_learning360.api.fields import PATH_FIELDS_V2, SESSION_FIELDS_V2
from airflow_provider_learning360.api.models import Coverage
from airflow_provider_learning360.api.v2.calls import is_id

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Mapping

# The keys of API v1 that each part of a document gives; the first costs no request beside that of the session.
SESSION_KEYS = frozenset(
    {
        "_id",
        "name",
        "startDate",
        "endDate",
        "hasUserLimit",
        "userLimit",
        "modifiedAt",
        "programTemplate",
        "sessionCustom",
        *SESSION_FIELDS_V2,
    }
)
PATH_KEYS = frozenset(
    {
        "description",
        "lang",
        "programDuration",
        "programDurationType",
        "automatedReminders",
        "templateCustom",
        "modules",
        *PATH_FIELDS_V2,
    }
)
# These hold mail addresses; API v2 sends IDs of users.
MAIL_KEYS = frozenset({"author", "tutors", "users"})
ALL_KEYS = SESSION_KEYS | PATH_KEYS | MAIL_KEYS | {"groups", "customFields"}
# What the calls for further keys need of a session: its path, and its tutors.
KEYS_TO_COMPLETE = frozenset({"_id", "pathId", "mainInstructorId", "instructorIds"})
UNTIMED_KEYS = PATH_KEYS | {"author", "groups", "customFields", "users"}

# The status is that of a user who is invited or deleted.
_OWN_FIELDS = frozenset({*SESSION_FIELDS_V2, *PATH_FIELDS_V2, "users[].status"})
# API v1 has no other types.
_MODULE_TYPES = frozenset({"course", "classroom"})
_PER_HOUR = {"minute": 60, "hour": 1}
_LARGEST_WHOLE = 2**53
# API v1 has them, and v2 has no counterpart.
_ABSENT = frozenset({"requirements", "skills", "validateRegistrations"})
# No drift if absent: an open end, a duration in days, the groups of a session that has no audience.
_OPTIONAL = frozenset({"endDate", "programDuration", "groups"})


def build_coverage(keys: Iterable[str]) -> Coverage:
    """
    Return what a document covers.

    :param keys: The keys that the API was asked for.
    :returns: The coverage.
    """
    return Coverage(_OWN_FIELDS, frozenset(keys), UNTIMED_KEYS, _OPTIONAL, _ABSENT, "v2")


def build_session(item: Mapping[str, Any]) -> dict[str, Any]:
    """
    Build the part of a document that comes from the session itself.

    :param item: The path session, as the API sent it.
    :returns: The keys of API v1, and v2's own.
    """
    document = {**item, "hasUserLimit": item.get("userLimit") is not None}
    document["sessionCustom"] = _text(item, "additionalInformation")
    if "pathId" in item:
        document["programTemplate"] = item["pathId"]
    return document


def build_path_part(path: Mapping[str, Any]) -> dict[str, Any]:
    """
    Build the part of a document that comes from the path of the session.

    :param path: The path, as the API sent it.
    :returns: The keys of API v1, and v2's own.
    """
    part = {name: path[name] for name in PATH_FIELDS_V2 if name in path}
    part["description"] = _text(path, "description")
    part["templateCustom"] = _text(path, "additionalInformation")
    if lang := path.get("defaultLang") or path.get("sourceLang"):
        part["lang"] = lang
    options = path.get("options")
    if isinstance(options, dict) and "automatedReminders" in options:
        part["automatedReminders"] = options["automatedReminders"]
    steps = path.get("steps")
    if isinstance(steps, list):
        objects = [step for step in steps if isinstance(step, dict)]
        part["modules"] = [
            {name: step[name] for name in ("_id", "type") if name in step}
            for step in objects
            if _is_one_of(step.get("type"), _MODULE_TYPES)
        ]
    return {**part, **_duration(path.get("estimatedDuration"))}


def find_groups(audience: Mapping[str, Any]) -> list[str]:
    """
    Return the groups of an audience.

    :param audience: The audience of a session, as the API sent it.
    :returns: Their IDs.
    """
    filters = audience.get("filters")
    groups: list[Any] = []
    for one in filters if isinstance(filters, list) else []:
        ids = one.get("ids") if isinstance(one, dict) and one.get("type") == "groups" else None
        groups += ids if isinstance(ids, list) else []
    return list(dict.fromkeys(group for group in groups if isinstance(group, str)))


def pick_custom_value(item: dict[str, Any]) -> dict[str, Any] | None:
    """
    Return the value of a custom field.

    :param item: The value, as the API sent it.
    :returns: Its `customFieldId` and `value`; None if it has no ID of a field.
    """
    if not is_id(item.get("customFieldId")):
        return None
    return {name: value for name, value in item.items() if name in ("customFieldId", "value")}


def pick_field_name(item: dict[str, Any]) -> tuple[str, str] | None:
    """
    Return ID and name of a custom field.

    :param item: The custom field, as the API sent it.
    :returns: The two; None if one of them is missing.
    """
    field_id, name = item.get("_id"), item.get("name")
    return (field_id, name) if is_id(field_id) and isinstance(name, str) else None


def build_custom_fields(values: Iterable[Mapping[str, Any]], names: Mapping[str, str]) -> list[dict[str, Any]]:
    """
    Build the custom fields of a document.

    :param values: The values of a session, each with the ID of its field.
    :param names: The names of custom fields by ID.
    :returns: Field, name and value of each.
    """
    return [
        {**one, **({"name": names[field_id]} if (field_id := one["customFieldId"]) in names else {})} for one in values
    ]


def _text(item: Mapping[str, Any], name: str) -> Any:
    # API v1 sends an empty text where v2 leaves it out; a template may need one.
    value = item.get(name)
    return "" if value is None else value


def _duration(given: Any) -> dict[str, Any]:
    """Return the duration in hours. Days, weeks and months have no defined number of hours."""
    if not isinstance(given, dict) or not _is_one_of(given.get("unit"), _PER_HOUR):
        return {}
    value = given.get("value")
    if isinstance(value, bool) or not isinstance(value, int | float):
        return {}
    hours = value / _PER_HOUR[given["unit"]]
    # A larger integer fits into no store.
    is_whole = hours == int(hours) and abs(hours) <= _LARGEST_WHOLE
    return {"programDuration": int(hours) if is_whole else hours, "programDurationType": "hour"}


def _is_one_of(value: Any, texts: Container[str]) -> bool:
    # A list cannot be looked for in a set.
    return isinstance(value, str) and value in texts
