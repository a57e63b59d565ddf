"""Why a key of a document differs between API v1 and API v2, or has no counterpart."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_NONE = "API v2 has no counterpart."
_DURATION = "API v2 has more units than hours. A duration in days, weeks or months is in estimatedDuration only."

# A key that is not here is the same in both, as far as known.
DIFFERENCES: Mapping[str, str] = MappingProxyType({
    "author": "In API v2 it is the author of the path. A user without a mail is shown by name or ID.",
    "automatedReminders": "In API v2 it is set for the path, not for the session.",
    "customFields": "API v2 calls the ID of a field customFieldId, and may add the name of the field.",
    "description": "In API v2 it is the description of the path.",
    "endDate": "API v2 leaves it out if the end is open.",
    "groups": "In API v2 they are the groups of the audience. A session without an audience has none.",
    "lang": "In API v2 it is the language of the path. Codes may have a country, such as pt_BR.",
    "modifiedAt": "In API v2 an edit of the path does not move it, as far as known.",
    "modules": "API v2 has no webinars. All steps of the path are in steps.",
    "programDuration": _DURATION,
    "programDurationType": _DURATION,
    "programTemplate": "In API v2 it is the ID of the path.",
    "requirements": _NONE,
    "skills": _NONE,
    "tutors": "API v2 sends IDs. A user without a mail is shown by name or ID.",
    "users": "In API v2 they are all who are enrolled, also by a group or by themselves.",
    "validateRegistrations": _NONE,
})  # fmt: skip
