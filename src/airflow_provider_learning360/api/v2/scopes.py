"""The scopes of API v2: what each is for, and what to say if one is missing, which the API itself does not name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from airflow_provider_learning360.api.error_mapping import INVALID_SCOPE
from airflow_provider_learning360.api.errors import ForbiddenError

if TYPE_CHECKING:
    from collections.abc import Generator

T = TypeVar("T")

# What is lost without a scope.
NEEDED_FOR: dict[str, str] = {
    "paths:read": "all program sessions",
    "pathStats:read": "progress, completions, and reminders to those who have not completed",
    "users:read": "mail addresses and names (author, tutors, users), and all reminders to people",
    "customFields:read": "names of custom fields in customFields",
}


def needing(
    scope: str, plan: Generator[Any, Any, T], *, keys: tuple[str, ...] = (), purpose: str = ""
) -> Generator[Any, Any, T]:
    """
    Carry out a part of a plan; if the API refuses it, say which scope is missing, what for, and where it is granted.

    :param scope: The scope that the part needs.
    :param plan: The part.
    :param keys: The keys of a document that need it; default none.
    :param purpose: What needs it; default the keys, or all that this provider needs it for.
    :returns: The same plan.
    :raises ForbiddenError: The scope is missing.
    """
    try:
        return (yield from plan)
    except ForbiddenError as error:
        if error.code != INVALID_SCOPE or error.scope is not None:
            raise
        refused = error
    raise refused.with_note(describe_missing(scope, keys, purpose), scope=scope, keys=keys) from None


def describe_missing(scope: str, keys: tuple[str, ...] = (), purpose: str = "") -> str:
    """
    Say which scope is missing, what it is needed for, and where it is granted.

    :param scope: The scope.
    :param keys: The keys of a document that need it; default none.
    :param purpose: What needs it; default the keys, or all that this provider needs it for.
    :returns: Two sentences.
    """
    purpose = purpose or ", ".join(keys) or NEEDED_FOR[scope]
    return f"The client lacks the scope {scope}, which is needed for {purpose}. {_advise(scope, keys)}"


def describe_loss(scope: str) -> str:
    """
    Say that a scope is not granted, and what is lost without it.

    :param scope: The scope.
    :returns: The end of a sentence that begins with the scope, and what to do.
    """
    return f"is not granted. Lost without it: {NEEDED_FOR[scope]}. {_advise(scope)}"


def _advise(scope: str, keys: tuple[str, ...] = ()) -> str:
    # Nothing works without that scope, so that wrong keys are likely. Their ID may have an unknown shape.
    wrong_keys = ", or these are keys of API v1" if scope == "paths:read" and not keys else ""
    return f"Grant it to the client in 360Learning (Settings > API){wrong_keys}."
