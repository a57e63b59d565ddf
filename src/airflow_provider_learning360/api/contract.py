"""Drift: how a session document differs from 360Learning's documentation, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

from airflow_provider_learning360.api.errors import ContractError, redact
from airflow_provider_learning360.api.models import (
    DURATION_TYPES,
    MODULE_TYPES,
    Coverage,
    CustomField,
    Learner,
    Module,
    ProgramSession,
    Requirements,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

ContractPolicy = Literal["ignore", "warn", "strict"]
POLICIES: tuple[str, ...] = get_args(ContractPolicy)

# Sent only where they apply, or not documented at all: they may be missing.
_CONDITIONAL = frozenset({"userLimit", "programDurationType", "skills", "validateRegistrations"})
MAX_NAMES = 50  # of each kind of difference that are shown; of many documents, one more is kept
_PARTS = {"modules": Module, "users": Learner, "customFields": CustomField}


@dataclass(frozen=True)
class Drift:
    """
    How a document differs from the documentation: names of fields, never their content.

    :param unknown: Fields that are not documented, such as `color` or `users[].badge`; default none.
    :param missing: Documented fields that were not sent; default none.
    :param new_values: Values outside a documented enumeration, such as `modules[].type quiz`; default none.
    :param replaced: Fields with a character or number that Airflow cannot store, and that was replaced; default none.
    :param other_types: Fields with a value of another type than documented; default none.
    """

    unknown: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    new_values: tuple[str, ...] = ()
    replaced: tuple[str, ...] = ()
    other_types: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.unknown or self.missing or self.new_values or self.replaced or self.other_types)

    def __str__(self) -> str:
        groups = (
            ("unknown", self.unknown),
            ("missing", self.missing),
            ("new values", self.new_values),
            ("other type", self.other_types),
            ("replaced, since Airflow cannot store it", self.replaced),
        )
        # Redacted: the names come from the API.
        return "; ".join(f"{label}: {_list_names(names)}" for label, names in groups if names)

    def __or__(self, other: Drift) -> Drift:
        return Drift(
            _merged(self.unknown, other.unknown),
            _merged(self.missing, other.missing),
            _merged(self.new_values, other.new_values),
            _merged(self.replaced, other.replaced),
            _merged(self.other_types, other.other_types),
        )


def find_drift(session: ProgramSession) -> Drift:
    """
    Compare a session with the documentation.

    :param session: The session.
    :returns: The differences; falsy if there are none.
    """
    sent = session.sent_fields().keys()
    coverage = session.coverage
    unknown = list(session.model_extra or {})
    for field, part in _PARTS.items():
        items: Iterable[Mapping[str, Any]] = getattr(session, _ATTRIBUTES[field]) or ()
        unknown += [f"{field}[].{name}" for name in _keys(items) - set(part.__annotations__)]
    unknown += [f"requirements.{name}" for name in set(session.requirements or ()) - set(Requirements.__annotations__)]
    unknown = [name for name in unknown if name not in coverage.own_fields]
    documented = set(ProgramSession.field_names())
    expected = documented if coverage.expected is None else documented & coverage.expected
    missing = expected - sent - _CONDITIONAL - coverage.optional
    types = {module.get("type") for module in session.modules or ()} - MODULE_TYPES - {None}
    new_values = [f"modules[].type {value}" for value in types]
    if session.program_duration_type not in DURATION_TYPES | {None}:
        new_values.append(f"programDurationType {session.program_duration_type}")
    replaced = tuple(sorted(session.sanitized_fields))
    return Drift(tuple(sorted(unknown)), tuple(sorted(missing)), tuple(sorted(new_values)), replaced)


def report_drift(what: str, drift: Drift, policy: ContractPolicy) -> str | None:
    """
    Return the warning about drift, or None if there is nothing to warn about.

    :param what: What was read, for the warning.
    :param drift: How it differs from the documentation.
    :param policy: `ignore`, `warn` or `strict`.
    :returns: The warning.
    :raises ContractError: There is drift, and the policy is `strict`.
    """
    if not drift or policy == "ignore":
        return None
    message = f"{what} differs from 360Learning's documentation: {drift}."
    if policy == "strict":
        raise ContractError(f"{message} Report it to 360Learning, or set contract='warn' to continue.")
    return message


def report_absent(what: str, coverage: Coverage, fields: Collection[str], policy: ContractPolicy) -> str | None:
    """
    Return the warning about wanted fields that this version of the API does not have, or None if it has all.

    :param what: What was read, for the warning.
    :param coverage: What the API was asked for.
    :param fields: Names of the wanted fields.
    :param policy: `ignore`, `warn` or `strict`.
    :returns: The warning.
    :raises ContractError: There is such a field, and the policy is `strict`.
    """
    names = sorted(coverage.absent.intersection(fields))
    if not names or policy == "ignore":
        return None
    message = f"{what} lacks {', '.join(names)}: API {coverage.version} has no such field."
    if policy == "strict":
        raise ContractError(f"{message} Remove it from `fields`, or set contract='warn' to continue.")
    return message


_ATTRIBUTES = {field.alias or name: name for name, field in ProgramSession.model_fields.items()}


def _keys(items: Iterable[Mapping[str, Any]]) -> set[str]:
    # Thousands of learners have a handful of shapes: comparing the shapes is much quicker than all learners.
    shapes = set(map(tuple, items))
    return {name for shape in shapes for name in shape}


def _list_names(names: tuple[str, ...]) -> str:
    return ", ".join(map(redact, names[:MAX_NAMES])) + (" and more" if len(names) > MAX_NAMES else "")


def _merged(one: tuple[str, ...], other: tuple[str, ...]) -> tuple[str, ...]:
    # The names may be keys of maps, and each document of a long list may have others.
    if not other or len(one) > MAX_NAMES:
        return one
    return tuple(sorted({*one, *other}))[: MAX_NAMES + 1]
