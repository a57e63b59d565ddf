"""What API v2 shows of a session, its path and its users: objects made of v1's, without what is empty."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from airflow_provider_learning360.simulator.people import derive_id
from airflow_provider_learning360.simulator.sample_data import format_date

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_provider_learning360.simulator.enrolments import Period
    from airflow_provider_learning360.simulator.paths import Path
    from airflow_provider_learning360.simulator.people import People
    from airflow_provider_learning360.simulator.sample_data import Document

OWN_KEYS = (
    "createdAt",
    "groupId",
    "isAudienceBuilder",
    "rootSessionId",
    "registrationRequestValidation",
    "automaticReenrollment",
    "ipFiltering",
    "audience",
)
"""Keys that only API v2 shows. A session may have them; v1 leaves them out."""

_OWNER_GROUP = derive_id("owner group")


@dataclass(frozen=True, slots=True)
class PathSession:
    """A session as v2 shows it, made once per edit.

    :param content: the object, without translations.
    :param body: the same as JSON.
    :param values: what filters compare.
    :param period: when it starts and ends.
    """

    content: Document
    body: bytes
    values: dict[str, Any]
    period: Period


def read_creation_date(session_id: str, latest: datetime) -> str:
    """Return when a session was created: its ID starts with the second of it."""
    try:
        created = datetime.fromtimestamp(int(session_id[:8], 16), UTC)
    except (ValueError, OverflowError):
        created = latest
    return format_date(min(created, latest))


def make_session_view(document: Document, modified_at: Any, created_at: str, people: People) -> Document:
    """Return a session as a path session, without translations.

    :param document: the session as v1 has it, with keys of v2 beside them.
    :param modified_at: v2's own; None for none.
    :param created_at: when it was created.
    :param people: all users.
    """
    instructors = _read_instructors(document, people)
    limit = document.get("userLimit") if document.get("hasUserLimit", True) else None
    view: Document = {
        "_id": document["_id"],
        "name": document.get("name"),
        "pathId": document.get("programTemplate"),
        "startDate": document.get("startDate"),
        "endDate": document.get("endDate"),
        "createdAt": created_at,
        "modifiedAt": modified_at,
        "groupId": _OWNER_GROUP,
        "mainInstructorId": instructors[0] if instructors else None,
        "instructorIds": instructors[1:],
        "isAudienceBuilder": "groups" in document,
        "registrationRequestValidation": "disabled",
        "userLimit": limit,
        "additionalInformation": document.get("sessionCustom") or None,
    }
    view |= {key: document[key] for key in OWN_KEYS if key in document and key != "audience"}
    return {key: value for key, value in view.items() if value is not None and (value != "" or key == "name")}


def _read_instructors(document: Document, people: People) -> list[str]:
    tutors = document.get("tutors")
    mails = tutors if isinstance(tutors, list) and tutors else [document.get("author")]
    return [people.id_of(mail) for mail in mails if isinstance(mail, str) and mail]


def make_path_view(path: Path, people: People) -> Document:
    """Return a path as ``/paths/{id}`` has it."""
    keys = path.keys
    author, lang = keys.get("author"), keys.get("lang") or "en"
    view: Document = {
        "_id": path.path_id,
        "name": path.name,
        "authorId": people.id_of(author) if isinstance(author, str) and author else derive_id("nobody"),
        "coAuthorIds": [],
        "groupId": _OWNER_GROUP,
        "createdAt": path.created_at,
        "modifiedAt": path.modified_at,
        "defaultLang": lang,
        "sourceLang": lang,
        "status": path.status,
        "translations": [],
        "options": _make_options(keys),
        "steps": _make_steps(path),
        "description": keys.get("description") or None,
        "additionalInformation": keys.get("templateCustom") or None,
        "estimatedDuration": _make_duration(keys),
    }
    return {key: value for key, value in view.items() if value is not None}


def _make_duration(keys: Document) -> Document | None:
    duration = keys.get("programDuration")
    return {"unit": keys.get("programDurationType") or "hour", "value": duration} if duration else None


def _make_options(keys: Document) -> Document:
    reminders = keys.get("automatedReminders", False)
    false = ("linearProgression", "mandatoryReplay", "displayForum", "displayClassroomMessages")
    return dict.fromkeys(false, False) | {"automatedReminders": reminders, "notificationOnStepCreation": False}


def _make_steps(path: Path) -> Any:
    modules = path.keys.get("modules")
    if not isinstance(modules, list):
        return modules or []
    # Paths have no webinars, and a type of step that programs have not.
    steps = [_make_step(module) for module in modules if not _is_webinar(module)]
    return [*steps, {"_id": derive_id("step", path.path_id), "type": "path", "options": {"optional": True}}]


def _is_webinar(module: Any) -> bool:
    return isinstance(module, dict) and module.get("type") == "webinar"


def _make_step(module: Any) -> Any:
    if not isinstance(module, dict):
        return module
    options: Document = {"optional": False}
    if module.get("type") == "course":
        options |= {"showCorrection": "onCompletion", "showForum": "never"}
    if module.get("type") == "classroom":
        options |= {"autoRegistration": False, "selfRegistration": {"enabled": True}}
    return module | {"options": options}


def make_user_view(person: Document) -> Document:
    """Return a user as ``/users/{id}`` has one. A user may have no mail."""
    view = {"status": "active", "lang": "en"} | person
    return {key: view[key] for key in _USER_KEYS if view.get(key)}


_USER_KEYS = ("_id", "mail", "username", "status", "lang", "firstName", "lastName", "deletedAt")


def make_audience_view(document: Document) -> Document:
    """Return the audience of a session: the rule by which people are enrolled, groups not resolved."""
    groups, stored = document.get("groups"), document.get("audience") or {"mode": "dynamic", "filters": []}
    kept = [one for one in stored["filters"] if one["type"] != "groups"]
    filters = [{"type": "groups", "ids": groups if isinstance(groups, list) else []}, *kept]
    return {"mode": stored["mode"], "filters": filters}


def make_custom_values(document: Document, types: Mapping[str, str]) -> list[Document]:
    """Return the values of a session's custom fields, those without a value left out."""
    return [
        {"customFieldId": field_id, "type": types.get(field_id, "string"), "value": item["value"]}
        for field_id, item in read_custom_fields(document)
        if item.get("value") not in (None, "")
    ]


def read_custom_fields(document: Document) -> list[tuple[str, Document]]:
    """Return the custom fields of a session by ID. Their shape on a session of v1 varies."""
    items = document.get("customFields")
    found = [(_field_id(item), item) for item in items if isinstance(item, dict)] if isinstance(items, list) else []
    return [(field_id, item) for field_id, item in found if isinstance(field_id, str)]


def _field_id(item: Document) -> Any:
    return item.get("customFieldId") or item.get("_id")
