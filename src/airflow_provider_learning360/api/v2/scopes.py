"""The scopes of API v2: what each is for, and what to say if one is missing, which the API itself does not name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, TypeVar

from airflow_provider_learning360.api.error_mapping import INVALID_SCOPE
from airflow_provider_learning360.api.errors import ForbiddenError

if TYPE_CHECKING:
    from collections.abc import Generator

T = TypeVar("T")

Scope = Literal["paths:read", "pathStats:read", "users:read", "customFields:read"]

# What is lost without a scope.
NEEDED_FOR: dict[Scope, str] = {
    "paths:read": "all program sessions",
    "pathStats:read": "progress, completions, and reminders to those who have not completed",
    "users:read": "mail addresses and names (author, tutors, users), and all reminders to people",
    "customFields:read": "names of custom fields in customFields",
}


def needing(scope: Scope, plan: Generator[Any, Any, T], *, keys: tuple[str, ...] = ()) -> Generator[Any, Any, T]:
    """
    Carry out a part of a plan; if the API refuses it, say which scope is missing, what for, and where it is granted.

    :param scope: The scope that the part needs.
    :param plan: The part.
    :param keys: The keys of a document that need it; default none.
    :returns: The same plan.
    :raises ForbiddenError: The scope is missing.
    """
    try:
        return (yield from plan)
    except ForbiddenError as error:
        if error.code != INVALID_SCOPE or error.scope is not None:
            raise
        refused = error
    raise refused.with_note(describe_missing(scope, keys), scope=scope, keys=keys) from None


def describe_missing(scope: Scope, keys: tuple[str, ...] = ()) -> str:
    """
    Say which scope is missing, what it is needed for, and where it is granted.

    :param scope: The scope.
    :param keys: The keys of a document that need it; default none.
    :returns: Two sentences.
    """
    purpose = ", ".join(keys) or NEEDED_FOR[scope]
    return f"The client lacks the scope {scope}, which is needed for {purpose}. {_advise(scope, keys)}"


def describe_loss(scope: Scope) -> str:
    """
    Say that a scope is not granted, and what is lost without it.

    :param scope: The scope.
    :returns: The end of a sentence that begins with the scope, and what to do.
    """
    return f"is not granted. Lost without it: {NEEDED_FOR[scope]}. {_advise(scope)}"


def _advise(scope: Scope, keys: tuple[str, ...] = ()) -> str:
    # Nothing works without that scope, so that wrong keys are likely. Their ID may have an unknown shape.
    wrong_keys = ", or these are keys of API v1" if scope == "paths:read" and not keys else ""
    return f"Grant it to the client in 360Learning (Settings > API){wrong_keys}."
