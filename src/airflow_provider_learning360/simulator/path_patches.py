"""What API v2 lets a client change of a path session: its fields, its audience, the values of its custom fields."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from airflow_provider_learning360.simulator.filters import read_moment
from airflow_provider_learning360.simulator.path_views import read_custom_fields

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from airflow_provider_learning360.simulator.people import People
    from airflow_provider_learning360.simulator.request_log import SeenRequest
    from airflow_provider_learning360.simulator.sample_data import Document

_DATE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")
_IDENTIFIER = re.compile(r"[0-9a-fA-F]{24}")
_REQUESTS = ("disabled", "instructors", "managers", "adminsAndManagers", "adminsCoachesInstructorsManagers")
_MODES = ("dynamic", "dynamicEnrollment", "dynamicUnenrollment", "manual")
_MAX_VALUES = 300
_MAX_IDS = {"users": 20_000, "groups": 5_000, "excludedLearners": 20_000}


class Refusal(ValueError):
    """A change that is not possible.

    :param status: the status of the response.
    :param code: the vendor's code.
    :param message: the reason.
    """

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code


def read_path_changes(seen: SeenRequest, document: Document, people: People, now: datetime) -> dict[str, Any]:
    """Return the fields that a PATCH changes, ready for an edit: under v1's names where v1 has them.

    :param seen: the request.
    :param document: the session before the change.
    :param people: all users.
    :param now: the time.
    :raises Refusal: the change is not possible.
    """
    body = _read_body(seen)
    for name, value in body.items():
        if name not in _EDITABLE or not _EDITABLE[name](value):
            raise Refusal(400, "badRequest", f"{name} is unknown, or has an invalid value")
    require_running(document, now)
    fields: dict[str, Any] = {
        _V1_NAMES.get(name, name): ... if value is None else value for name, value in body.items()
    }
    _require_order(document | fields)
    main, others = fields.pop("mainInstructorId", None), fields.pop("instructorIds", None)
    if main is not None or others is not None:
        fields["tutors"] = _replace_instructors(document, people, main, others)
    if "userLimit" in fields:
        fields["hasUserLimit"] = fields["userLimit"] is not ...
    if fields.get("sessionCustom") is ...:
        fields["sessionCustom"] = ""
    return fields


def _read_body(seen: SeenRequest) -> dict[str, Any]:
    try:
        body = json.loads(seen.body)
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise Refusal(400, "badRequest", "the body is not a JSON object")
    return body


def require_running(document: Document, now: datetime) -> None:
    """Refuse to change a session that has ended.

    :param document: the session.
    :param now: the time.
    :raises Refusal: it has ended.
    """
    end = read_moment(document.get("endDate"))
    if end is not None and end <= now.timestamp():
        raise Refusal(400, "sessionEnded", "The session has ended.")


def _require_order(document: Document) -> None:
    start, end = read_moment(document.get("startDate")), read_moment(document.get("endDate"))
    if start is not None and end is not None and end < start:
        raise Refusal(400, "invalidStartOrEndDate", "The end is before the start.")


def _replace_instructors(document: Document, people: People, main: str | None, others: list[str] | None) -> list[str]:
    tutors = document.get("tutors") or [document.get("author")]
    main_mail = tutors[0] if main is None else _find_mails(people, [main])[0]
    return [main_mail, *(tutors[1:] if others is None else _find_mails(people, others))]


def _find_mails(people: People, ids: list[str]) -> list[str]:
    """Return mails, which is how v1 names people; the ID of a user who has none."""
    users = [user for user in (people.get(one.lower()) for one in ids) if user]
    if len(users) != len(ids):
        raise Refusal(404, "usersNotFound", "Some users were not found.")
    return [str(user.get("mail", user["_id"])) for user in users]


def read_audience(seen: SeenRequest, document: Document, people: People, now: datetime) -> dict[str, Any]:
    """Return the fields that a PUT of the audience changes: it replaces all filters, and enrols or removes users.

    :param seen: the request.
    :param document: the session before the change.
    :param people: all users.
    :param now: the time.
    :raises Refusal: the audience is not valid.
    """
    body = _read_body(seen)
    if body.keys() != {"mode", "filters"} or body["mode"] not in _MODES or not isinstance(body["filters"], list):
        raise Refusal(400, "badRequest", "an audience has a mode and filters")
    require_running(document, now)
    ids = dict(_read_audience_filter(one) for one in body["filters"])
    if len(ids) != len(body["filters"]):
        raise Refusal(400, "invalidAudienceBuilderShape", "There are two filters of one type.")
    added, removed = ids.get("users", []), set(ids.get("excludedLearners", []))
    _find_mails(people, [*added, *removed])
    fields: dict[str, Any] = {"audience": body, "groups": ids.get("groups", [])}
    users = [user for user in document.get("users") or [] if isinstance(user, dict)]
    # Whom no filter names came in through a group, or by themselves.
    left = _find_users_of(document.get("audience")).difference(added) | removed
    enrolled = [user for user in users if user.get("_id") not in left]
    known = removed | {user.get("_id") for user in enrolled}
    new = [people.get(one) or {} for one in added if one not in known]
    if new or len(enrolled) < len(users):
        fields["users"] = enrolled + [{key: user[key] for key in ("_id", "mail") if key in user} for user in new]
    return fields


def _find_users_of(audience: Any) -> set[str]:
    filters = audience["filters"] if isinstance(audience, dict) else []
    return {one.lower() for item in filters if item["type"] == "users" for one in item["ids"]}


def read_custom_values(
    definitions: Mapping[str, Document], seen: SeenRequest, document: Document, people: People, now: datetime
) -> dict[str, Any]:
    """Return the fields that a PUT of the values of custom fields changes: it replaces all values.

    :param definitions: the custom fields of the company, by ID.
    :param seen: the request.
    :param document: the session before the change.
    :param people: all users.
    :param now: the time.
    :raises Refusal: a value is not valid.
    """
    items = _read_body(seen).get("customValues")
    if not isinstance(items, list) or len(items) > _MAX_VALUES or not all(map(_is_custom_value, items)):
        raise Refusal(400, "badRequest", "customValues has an invalid value")
    values = {one["customFieldId"].lower(): one for one in items}
    if len(values) != len(items):
        raise Refusal(400, "multipleValuesForSingleCustomField", "A field has two values.")
    for field_id, one in values.items():
        if field_id not in definitions:
            raise Refusal(404, "customFieldNotFound", "The custom field was not found.")
        if one["type"] != definitions[field_id]["type"]:
            raise Refusal(400, "wrongTypeValue", "The value has another type than the field.")
    kept = [dict(item) for _, item in read_custom_fields(document)]
    for item, (field_id, _) in zip(kept, read_custom_fields(document), strict=True):
        item["value"] = values.pop(field_id)["value"] if field_id in values else ""
    return {"customFields": kept + [{"_id": key, "value": one["value"]} for key, one in values.items()]}


def _is_custom_value(item: Any) -> bool:
    return (
        isinstance(item, dict)
        and item.keys() == {"customFieldId", "type", "value"}
        and _is_identifier(item["customFieldId"])
        and _is_text(item["value"])
    )


def _read_audience_filter(item: Any) -> tuple[str, list[str]]:
    if not isinstance(item, dict) or item.keys() != {"type", "ids"} or item["type"] not in _MAX_IDS:
        raise Refusal(400, "badRequest", "a filter has a type and ids")
    if not _are_identifiers(item["ids"], _MAX_IDS[item["type"]]):
        raise Refusal(400, "badRequest", "ids has an invalid value")
    return item["type"], [one.lower() for one in item["ids"]]


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value)


def _is_date(value: Any) -> bool:
    return isinstance(value, str) and bool(_DATE.fullmatch(value)) and read_moment(value) is not None


def _is_identifier(value: Any) -> bool:
    return isinstance(value, str) and bool(_IDENTIFIER.fullmatch(value))


def _are_identifiers(value: Any, most: int = 100) -> bool:
    return isinstance(value, list) and len(value) <= most and all(map(_is_identifier, value))


def _is_limit(value: Any) -> bool:
    return value is None or (isinstance(value, int) and not isinstance(value, bool) and value >= 1)


def _is_object(value: Any) -> bool:
    return value is None or isinstance(value, dict)


_V1_NAMES = {"additionalInformation": "sessionCustom"}
_EDITABLE: dict[str, Callable[[Any], bool]] = {
    "name": _is_text,
    "startDate": _is_date,
    "endDate": lambda value: value is None or _is_date(value),
    "userLimit": _is_limit,
    "additionalInformation": lambda value: value is None or _is_text(value),
    "mainInstructorId": _is_identifier,
    "instructorIds": _are_identifiers,
    "groupId": _is_identifier,
    "registrationRequestValidation": lambda value: value in _REQUESTS,
    "automaticReenrollment": _is_object,
    "ipFiltering": _is_object,
}
