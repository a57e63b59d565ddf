"""What to do if API v2 refuses to write: its codes, in the words of this provider."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from airflow_provider_learning360.api.errors import FixArgumentError, LearningError

if TYPE_CHECKING:
    from collections.abc import Generator

T = TypeVar("T")

_GROUP_WAY = (
    "Add the people to a group of the session (operation add-user-to-group), or choose the learners of the session in "
    "360Learning."
)
_ADVICE = {
    "childPathSession": "The session is a part of a session of another path. Change that session instead.",
    "sessionEnded": "The session has ended, and 360Learning does not change it any more. Create a new session.",
    "pathArchived": "The path of the session is archived. Restore the path in 360Learning first.",
    "sessionIsNotAudienceBuilder": (
        f"The session has no audience: it was not made with the Audience Builder. {_GROUP_WAY} Or convert the "
        "session there."
    ),
    "unsupportedAudienceFilter": f"The audience of the session has a filter that API v2 does not support. {_GROUP_WAY}",
    "invalidAudienceBuilderShape": f"360Learning does not accept this audience for the session. {_GROUP_WAY}",
    **dict.fromkeys(
        ("tokenBasedPathAudienceFilter", "tokenBasedPathExcludedLearners", "tokenBasedPathMode"),
        "The path of the session needs tokens, and does not allow this audience. Enrol the people in 360Learning.",
    ),
    "groupsNotFound": "One of the groups does not exist. Check `groups`.",
    "usersNotFound": "One of the people does not exist any more. Check the people.",
    "invalidStartOrEndDate": "The new dates do not fit together. `startDate` must be before `endDate`.",
    "unsupportedEndDateUpdate": "360Learning does not let `endDate` of this session change. Leave it out of `set`.",
    "customFieldNotFound": "One of the custom fields does not exist. Operation list-custom-fields lists their IDs.",
    "unauthorizedValue": "A custom field does not allow this value. Check its allowed values in 360Learning.",
    "wrongTypeValue": "A custom field has another type. Dates are written like 2026-03-01.",
    "multipleValuesForSingleCustomField": "A custom field of the session has two values. Remove one in 360Learning.",
}


def advising(plan: Generator[Any, Any, T]) -> Generator[Any, Any, T]:
    """
    Carry out a part of a plan; if the API refuses it with a known code, say why, and what to do.

    :param plan: The part.
    :returns: The same plan.
    :raises FixArgumentError: The API refused it.
    """
    try:
        return (yield from plan)
    except LearningError as error:
        advice = _ADVICE.get(error.code or "")
        if advice is None:
            raise
        refused = error
    raise FixArgumentError(
        f"{refused.method} {refused.path} returned {refused.status}: {refused.code}. {advice}",
        method=refused.method,
        path=refused.path,
        status=refused.status,
        code=refused.code,
    )
