"""From the objects of API v2 to a session document with the keys of API v1, and v2's own fields beside them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_learning360.api.models import PATH_FIELDS_V2, SESSION_FIELDS_V2, Coverage

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

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
UNTIMED_KEYS = PATH_KEYS | {"author", "groups", "customFields", "users"}

# The status is that of a user who is invited or deleted.
_OWN_FIELDS = frozenset({*SESSION_FIELDS_V2, *PATH_FIELDS_V2, "users[].status"})
# API v1 has no other types.
_MODULE_TYPES = frozenset({"course", "classroom"})
_HOURS = {"minute": 1 / 60, "hour": 1}
_ALSO_OPTIONAL = frozenset({"endDate", "programDuration"})


def build_coverage(keys: Iterable[str]) -> Coverage:
    """
    Return what a document covers.

    :param keys: The keys that the API was asked for.
    :returns: The coverage.
    """
    # An open end and a duration in days are no drift: API v2 leaves the one out, and API v1 has no word for the other.
    return Coverage(_OWN_FIELDS, frozenset(keys) - _ALSO_OPTIONAL, UNTIMED_KEYS)


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
            if step.get("type") in _MODULE_TYPES
        ]
    return {**part, **_duration(path.get("estimatedDuration"))}


def find_groups(audience: Mapping[str, Any]) -> list[Any]:
    """
    Return the groups of an audience.

    :param audience: The audience of a session, as the API sent it.
    :returns: Their IDs.
    """
    filters = [one for one in audience.get("filters") or [] if isinstance(one, dict)]
    return [group for one in filters if one.get("type") == "groups" for group in one.get("ids") or []]


def build_custom_fields(values: Iterable[Mapping[str, Any]], names: Mapping[str, Any]) -> list[dict[str, Any]]:
    """
    Build the custom fields of a document.

    :param values: The values of a session, as the API sent them.
    :param names: The names of custom fields by ID.
    :returns: Field, name and value of each.
    """
    return [
        {
            **{name: value for name, value in one.items() if name in ("customFieldId", "value")},
            **({"name": names[one["customFieldId"]]} if one.get("customFieldId") in names else {}),
        }
        for one in values
    ]


def _text(item: Mapping[str, Any], name: str) -> Any:
    # API v1 sends an empty text where v2 leaves it out; a template may need one.
    value = item.get(name)
    return "" if value is None else value


def _duration(given: Any) -> dict[str, Any]:
    """Return the duration in hours. Days, weeks and months have no defined number of hours."""
    if not isinstance(given, dict) or given.get("unit") not in _HOURS:
        return {}
    value = given.get("value")
    if isinstance(value, bool) or not isinstance(value, int | float):
        return {}
    hours = value * _HOURS[given["unit"]]
    return {"programDuration": int(hours) if hours == int(hours) else hours, "programDurationType": "hour"}
