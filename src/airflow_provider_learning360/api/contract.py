"""Drift: how a session document differs from what 360Learning documents, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

from airflow_provider_learning360.api.errors import ContractError, redact
from airflow_provider_learning360.api.models import (
    DURATION_TYPES,
    MODULE_TYPES,
    CustomField,
    Learner,
    Module,
    ProgramSession,
    Requirements,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

ContractPolicy = Literal["ignore", "warn", "strict"]
POLICIES: tuple[str, ...] = get_args(ContractPolicy)

# Sent only where they apply, or not in the documentation at all: their absence says nothing.
_CONDITIONAL = frozenset({"userLimit", "programDurationType", "skills", "validateRegistrations"})
_PARTS = {"modules": Module, "users": Learner, "customFields": CustomField}


@dataclass(frozen=True)
class Drift:
    """
    What differs from the documentation, as names of fields and never as their content.

    :param unknown: Fields that are not documented, such as `color` or `users[].badge`.
    :param missing: Documented fields that were not sent.
    :param new_values: Values outside a documented enumeration, such as `modules[].type quiz`.
    :param replaced: Fields in which a character or number was replaced that Airflow cannot store.
    """

    unknown: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    new_values: tuple[str, ...] = ()
    replaced: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.unknown or self.missing or self.new_values or self.replaced)

    def __str__(self) -> str:
        groups = (
            ("unknown", self.unknown),
            ("missing", self.missing),
            ("new values", self.new_values),
            ("replaced, since Airflow cannot store it", self.replaced),
        )
        # The names come from the API as well.
        return "; ".join(f"{label}: {', '.join(map(redact, names))}" for label, names in groups if names)

    def __or__(self, other: Drift) -> Drift:
        return Drift(
            _merged(self.unknown, other.unknown),
            _merged(self.missing, other.missing),
            _merged(self.new_values, other.new_values),
            _merged(self.replaced, other.replaced),
        )


def find_drift(session: ProgramSession) -> Drift:
    """Return how a session differs from the documentation."""
    sent = session.sent_fields().keys()
    unknown = list(session.model_extra or {})
    for field, part in _PARTS.items():
        items: Iterable[Mapping[str, Any]] = getattr(session, _ATTRIBUTES[field]) or ()
        unknown += [f"{field}[].{name}" for name in _keys(items) - set(part.__annotations__)]
    unknown += [f"requirements.{name}" for name in set(session.requirements or ()) - set(Requirements.__annotations__)]
    missing = set(ProgramSession.field_names()) - sent - _CONDITIONAL
    types = {module.get("type") for module in session.modules or ()} - MODULE_TYPES - {None}
    new_values = [f"modules[].type {value}" for value in types]
    if session.program_duration_type not in DURATION_TYPES | {None}:
        new_values.append(f"programDurationType {session.program_duration_type}")
    replaced = tuple(sorted(session.sanitized_fields))
    return Drift(tuple(sorted(unknown)), tuple(sorted(missing)), tuple(sorted(new_values)), replaced)


def report_drift(what: str, drift: Drift, policy: ContractPolicy) -> str | None:
    """
    Return the sentence to warn with, or None if nothing is to be said.

    :param what: What was read, to name in the sentence.
    :param drift: How it differs.
    :param policy: `ignore`, `warn` or `strict`.
    :raises ContractError: Something differs and the policy is `strict`.
    """
    if not drift or policy == "ignore":
        return None
    message = f"{what} differs from 360Learning's documentation: {drift}."
    if policy == "strict":
        raise ContractError(f"{message} Report it, or choose contract='warn' to go on.")
    return message


_ATTRIBUTES = {field.alias or name: name for name, field in ProgramSession.model_fields.items()}


def _keys(items: Iterable[Mapping[str, Any]]) -> set[str]:
    # Thousands of learners have a handful of shapes: looking at the shapes is much quicker than at the learners.
    shapes = set(map(tuple, items))
    return {name for shape in shapes for name in shape}


def _merged(one: tuple[str, ...], other: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(sorted({*one, *other}))
