"""The documented fields of a program session: what each means, and which are about people."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from airflow_provider_learning360.api.changes import PEOPLE_FIELDS
from airflow_provider_learning360.api.errors import contains_mail_address
from airflow_provider_learning360.api.models import Learner

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class FieldDoc:
    """
    The documentation of one field.

    :param type: Its type in words, such as `date` or `list of texts`; `any` where the documentation gives none.
    :param meaning: What it means, in one sentence.
    :param people: Whether its value names or describes people, or may; default False.
    """

    type: str
    meaning: str
    people: bool = False


# In the order of the models, fields of API v2 last.
# A path leads to an inner field: `users[].mail`, `requirements.courses`.
DOCUMENTATION: Mapping[str, FieldDoc] = MappingProxyType({
    "_id": FieldDoc("text", "ID of the session, the one field that is always sent."),
    "name": FieldDoc("text", "Name of the session; often with spaces or line breaks around it."),
    "author": FieldDoc("text", "Mail address of the author: a login, not always a real address.", people=True),
    "description": FieldDoc("text", "Description of the session as HTML; it can be long, or an empty text."),
    "startDate": FieldDoc("date", "When the session starts, in UTC."),
    "endDate": FieldDoc("date", "When the session ends, in UTC; null or an empty text if no end is set."),
    "modifiedAt": FieldDoc("date", "When the session was last modified, in UTC; which edits count is not documented."),
    "lang": FieldDoc("text", "Language of the session as a code, such as en."),
    "hasUserLimit": FieldDoc("true/false", "Whether the number of learners is limited."),
    "userLimit": FieldDoc("number", "Maximum number of learners; sent only if there is a limit."),
    "programDuration": FieldDoc("number", "Duration of the program, in hours; null if it is not set."),
    "programDurationType": FieldDoc("text", "Unit of the duration: hour; absent if no duration is set."),
    "programTemplate": FieldDoc("text", "ID of the program template of the session."),
    "automatedReminders": FieldDoc("true/false", "Whether 360Learning itself sends reminders to learners."),
    "sessionCustom": FieldDoc("text", "Free text about the session; may be empty."),
    "templateCustom": FieldDoc("text", "Free text about the program template; may be empty."),
    "tutors": FieldDoc("list of texts", "Mails (logins) of the tutors; the author may be absent.", people=True),
    "modules": FieldDoc("list of objects", "The modules that make up the session."),
    "modules[]._id": FieldDoc("text", "ID of the module."),
    "modules[].type": FieldDoc("text", "Kind of the module: course, webinar or classroom."),
    "groups": FieldDoc("list of texts", "IDs of the session's groups."),
    "customFields": FieldDoc("list of objects", "The custom fields of the session, with their values."),
    "customFields[]._id": FieldDoc("text", "ID of the custom field; sent under this name or as customFieldId."),
    "customFields[].customFieldId": FieldDoc("text", "ID of the custom field; sent under this name or as _id."),
    "customFields[].name": FieldDoc("text", "Name of the custom field; it may be missing."),
    "customFields[].value": FieldDoc("any", "Value of the custom field: anything, also about people.", people=True),
    "requirements": FieldDoc("object", "What learners must complete first; the structure is not documented."),
    "requirements.courses": FieldDoc("list", "The courses to complete first, probably as IDs."),
    "requirements.programs": FieldDoc("list", "The programs to complete first, probably as IDs."),
    "requirements.paths": FieldDoc("list", "The paths to complete first, probably as IDs."),
    "users": FieldDoc("list of objects", "The learners; perhaps without those of a group.", people=True),
    "users[]._id": FieldDoc("text", "ID of the learner.", people=True),
    "users[].mail": FieldDoc("text", "Mail address of the learner: a login, not always a real address.", people=True),
    "users[].firstName": FieldDoc("text", "First name of the learner; usually not in a session.", people=True),
    "users[].lastName": FieldDoc("text", "Last name of the learner; usually not in a session.", people=True),
    "users[].status": FieldDoc("text", "Sent by API v2 if the user is not active: deleted or invited.", people=True),
    "skills": FieldDoc("list of texts", "IDs of the session's skills; known only from 360Learning's changelog."),
    "validateRegistrations": FieldDoc("true/false", "Not documented; perhaps whether registrations need approval."),
    # Of API v2 only: fields of the session, and of its path.
    "pathId": FieldDoc("text", "ID of the path of the session; API v2 only."),
    "createdAt": FieldDoc("date", "When the session was created, in UTC; API v2 only."),
    "groupId": FieldDoc("text", "ID of the group that owns the session; API v2 only."),
    "mainInstructorId": FieldDoc("text", "ID of the main instructor, one of the tutors; API v2 only.", people=True),
    "instructorIds": FieldDoc("list of texts", "IDs of the other instructors; API v2 only.", people=True),
    "isAudienceBuilder": FieldDoc("true/false", "Whether rules of an audience choose the learners; API v2 only."),
    "rootSessionId": FieldDoc("text", "ID of the session that contains this one; API v2 only."),
    "additionalInformation": FieldDoc("text", "Free text about the session, the same as sessionCustom; API v2 only."),
    "registrationRequestValidation": FieldDoc("text", "Who approves registrations, or disabled; API v2 only."),
    "registrationRequestSetting": FieldDoc("any", "How registrations are handled; API v2 only, not documented."),
    "automaticReenrollment": FieldDoc("object", "When learners are enrolled again; API v2 only."),
    "ipFiltering": FieldDoc("object", "From which networks the session can be opened; API v2 only."),
    "steps": FieldDoc("list of objects", "All steps of the path, with their settings; API v2 only."),
    "options": FieldDoc("object", "The settings of the path; API v2 only."),
    "authorId": FieldDoc("text", "ID of the author of the path; API v2 only.", people=True),
    "coAuthorIds": FieldDoc("list of texts", "IDs of the co-authors of the path; API v2 only.", people=True),
    "certificateId": FieldDoc("text", "ID of the certificate that the path awards; API v2 only."),
    "coverPicture": FieldDoc("any", "The cover picture of the path, probably as an ID; API v2 only."),
    "defaultLang": FieldDoc("text", "Language that learners see first, as a code such as pt_BR; API v2 only."),
    "sourceLang": FieldDoc("text", "Language in which the path was written, as a code; API v2 only."),
    "estimatedDuration": FieldDoc("object", "Expected duration of the path, with its unit; API v2 only."),
    "estimatedWeeklyCommitment": FieldDoc("object", "Expected time per week for the path; API v2 only."),
    "status": FieldDoc("text", "Whether the path is published or archived; API v2 only."),
    "translations": FieldDoc("list of objects", "The translations of the path; API v2 only.", people=True),
})  # fmt: skip

# Paths that have documented fields of their own: `""` is the session, `users[]` a learner.
PARENTS = frozenset(path.rpartition(".")[0] for path in DOCUMENTATION)

_WITH_PARTS = frozenset(parent.removesuffix("[]") for parent in PARENTS)
# An object with one of these keys is about a person, wherever it stands.
_NAMING = PEOPLE_FIELDS | (Learner.__annotations__.keys() - {"_id"})


def is_about_people(path: str, value: Any) -> bool:
    """
    Whether a field is about people, or may be: by its documentation, or by its value.

    A field that is not documented may be. Any other field is about people if it contains a mail address, or an object
    with a field that names people. A name in a free text cannot be distinguished from other words.

    :param path: The field, as in `DOCUMENTATION`.
    :param value: Its value.
    """
    doc = DOCUMENTATION.get(path)
    if doc is None or doc.people:
        return True
    field = {path.rpartition(".")[2]: value}
    return path not in _WITH_PARTS and (contains_mail_address(path) or _names_people(field))


def _names_people(value: Any) -> bool:
    # Without recursion: the API decides how deep the value is nested.
    left = [value]
    while left:
        match left.pop():
            case str() as text:
                if contains_mail_address(text):
                    return True
            case list() as items:
                left += items
            case dict() as fields:
                if not _NAMING.isdisjoint(fields):
                    return True
                left += [*fields, *fields.values()]
    return False
