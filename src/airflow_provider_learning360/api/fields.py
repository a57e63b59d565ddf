"""The names of the fields that a session document may have, and the check of names that a user gave."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING

from pydantic.alias_generators import to_camel

from airflow_provider_learning360.api.errors import FixArgumentError
from airflow_provider_learning360.api.input_errors import find_closest
from airflow_provider_learning360.api.models import ProgramSession

if TYPE_CHECKING:
    from collections.abc import Collection

SHOWN = 8  # known names in an error

# Fields that API v2 sends beside those of v1: of the session, and of its path.
SESSION_FIELDS_V2 = (
    "pathId",
    "createdAt",
    "groupId",
    "mainInstructorId",
    "instructorIds",
    "isAudienceBuilder",
    "rootSessionId",
    "additionalInformation",
    "registrationRequestValidation",
    "registrationRequestSetting",
    "automaticReenrollment",
    "ipFiltering",
)
PATH_FIELDS_V2 = (
    "steps",
    "options",
    "authorId",
    "coAuthorIds",
    "certificateId",
    "coverPicture",
    "defaultLang",
    "sourceLang",
    "estimatedDuration",
    "estimatedWeeklyCommitment",
    "status",
    "translations",
)
# API v2 has no counterpart of these.
FIELDS_V1_ONLY = ("requirements", "skills", "validateRegistrations")


def known_fields() -> list[str]:
    """
    Return the names of all fields that a document may have.

    :returns: Those of API v1, then those that only API v2 sends.
    """
    return [*ProgramSession.field_names(), *SESSION_FIELDS_V2, *PATH_FIELDS_V2]


def require_field_names(names: Collection[str] | str | None, argument: str) -> list[str] | None:
    """
    Check the names of fields that a user gave.

    :param names: A list of names, or one text with names separated by commas.
    :param argument: Name of the argument, for the error.
    :returns: The names, or None if there are none.
    :raises FixArgumentError: A name is not the name of a documented field.
    """
    if not names:
        return None
    listed = [str(name).strip() for name in (names.split(",") if isinstance(names, str) else names)]
    known = known_fields()
    unknown = [name for name in listed if name not in known]
    if not unknown:
        return listed
    close = [closest for name in unknown if (closest := find_closest(to_camel(name), known))]
    meant = f" Did you mean {', '.join(dict.fromkeys(close))}?" if close else ""
    raise FixArgumentError(
        f"{argument}: {', '.join(map(repr, unknown))} is not a field of a program session.{meant} "
        f"Known are {', '.join(_find_nearest(unknown, known))} and more: docs/reference/models.md lists all."
    )


def _find_nearest(names: list[str], known: list[str]) -> list[str]:
    """Return some known names: those that are closest to the wrong ones, then the first ones."""
    by_lower = {one.lower(): one for one in known}
    close = [one for name in names for one in get_close_matches(to_camel(name).lower(), by_lower, SHOWN, 0.5)]
    return list(dict.fromkeys([*map(by_lower.__getitem__, close), *known]))[:SHOWN]
