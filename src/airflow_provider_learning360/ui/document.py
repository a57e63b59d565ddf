"""A program session as a tree with the documentation of each field. People's data is hidden unless requested."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

from airflow_provider_learning360.api.catalogue.masking import MASK, masked_name
from airflow_provider_learning360.api.contract import find_drift
from airflow_provider_learning360.api.documentation import DOCUMENTATION, PARENTS, is_about_people
from airflow_provider_learning360.api.models import ProgramSession
from airflow_provider_learning360.ui.field import (
    MAX_DEPTH,
    MAX_ELEMENTS,
    MAX_FIELDS,
    build_note,
    json_of_fields,
    note_rest,
    show_value,
    type_in_words,
)
from airflow_provider_learning360.ui.text import readable_name, redacted_name

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_provider_learning360.api.contract import Drift
    from airflow_provider_learning360.ui.responses import (
        DriftReport,
        Field,
        FieldState,
        Note,
        SessionDescription,
    )

MAX_SEARCHED_VALUES = 200_000  # of one field that is searched for people
MAX_SEARCHED_CHARACTERS = 2_000_000  # of one field that is searched for people

_WITH_DOCUMENTED_PARTS = frozenset(parent.removesuffix("[]") for parent in PARENTS)


def describe_session(session: ProgramSession, *, reveal: bool) -> SessionDescription:
    """
    Return a session for the page.

    What is left out for its size is counted in `fields`, and marked with "…" in `document`.

    :param session: The session.
    :param reveal: Whether to show people's data.
    """
    drift = find_drift(session)
    fields, more = _TreeBuilder(drift, reveal=reveal).build(session)
    return {
        "fields": fields,
        "document": json_of_fields([field for field in fields if field["state"] != "missing"], more),
        "drift": describe_drift(drift),
    }


def describe_drift(drift: Drift) -> DriftReport:
    """
    Return how a document differs from the documentation, without mail addresses.

    :param drift: The differences.
    """
    # Unknown names and new values may contain anything.
    new_values = [redacted_name(value) for value in drift.new_values[:MAX_ELEMENTS]]
    return {
        "unknown": [redacted_name(name) for name in drift.unknown[:MAX_ELEMENTS]],
        "more": len(drift.unknown[MAX_ELEMENTS:]),
        "missing": list(drift.missing),
        "new_values": new_values + note_rest(len(drift.new_values[MAX_ELEMENTS:])),
    }


@dataclass(frozen=True)
class _Position:
    """
    Where a value is.

    :param documented_as: Its path in the documentation; None if it is not documented.
    """

    name: str
    path: str
    documented_as: str | None
    state: FieldState
    people: bool
    depth: int
    notes: tuple[Note, ...] = ()


class _TreeBuilder:
    """Builds the fields of one document, `MAX_FIELDS` at most."""

    def __init__(self, drift: Drift, *, reveal: bool) -> None:
        self._drift = drift
        self._reveal = reveal
        self._left = MAX_FIELDS

    def build(self, session: ProgramSession) -> tuple[list[Field], int]:
        """Return the documented fields, the first unknown ones, and how many unknown ones are left out."""
        sent, documented = session.document(), ProgramSession.field_names()
        unknown = [name for name in sent if name not in documented]
        root = _Position("", "", "", "documented", people=False, depth=0)
        fields = [
            self._build_field(self._position_of(root, index, name, sent[name]), sent[name])
            if name in sent
            else self._build_missing(name)
            for index, name in enumerate(documented + unknown[:MAX_ELEMENTS])
        ]
        return fields, len(unknown[MAX_ELEMENTS:])

    def _build_missing(self, name: str) -> Field:
        doc = DOCUMENTATION[name]
        notes = () if name in self._drift.missing else (build_note("conditional"),)
        return _describe(_Position(name, name, name, "missing", doc.people, 1, notes), doc.type)

    def _build_field(self, position: _Position, value: Any) -> Field:
        self._left -= 1
        doc = DOCUMENTATION.get(position.documented_as or "")
        kind = type_in_words(value) if doc is None or doc.type == "any" else doc.type
        if isinstance(value, dict | list) and position.depth < MAX_DEPTH:
            return self._build_container(position, kind, value)
        shown, note = self._shown_value(position, value)
        if isinstance(value, str) and f"{position.documented_as} {value}" in self._drift.new_values:
            note = build_note("new_value", value=str(shown))
        field = _describe(position, kind, note)
        field["value"] = shown
        return field

    def _build_container(self, position: _Position, kind: str, value: dict[str, Any] | list[Any]) -> Field:
        items: list[Field] = []
        for child, element in islice(self._children(position, value), MAX_ELEMENTS):
            if self._left <= 0:
                break
            items.append(self._build_field(child, element))
        more = len(value) - len(items)
        field = _describe(position, kind, build_note("too_large") if more and len(items) < MAX_ELEMENTS else None)
        field["items"], field["more"] = items, more
        if isinstance(value, list):
            field["count"] = len(value)
        return field

    def _children(self, parent: _Position, value: dict[str, Any] | list[Any]) -> Iterator[tuple[_Position, Any]]:
        if isinstance(value, list):
            documented_as = None if parent.documented_as is None else f"{parent.documented_as}[]"
            for index, element in enumerate(value):
                path = f"{parent.path}[{index}]"
                yield (
                    _Position(str(index), path, documented_as, parent.state, parent.people, parent.depth + 1),
                    element,
                )
        else:
            for index, (name, element) in enumerate(value.items()):
                yield self._position_of(parent, index, name, element), element

    def _position_of(self, parent: _Position, index: int, name: str, value: Any) -> _Position:
        # Inside a value without documentation, state and people are those of the parent.
        documented_as, state, people = None, parent.state, parent.people
        notes: tuple[Note, ...] = ()
        if parent.documented_as in PARENTS:
            path = f"{parent.documented_as}.{name}" if parent.documented_as else name
            # A name may look like a path.
            doc = DOCUMENTATION.get(path) if name.isidentifier() else None
            documented_as, state = (path, "documented") if doc else (None, "unknown")
            people = _may_be_about_people(path, value)
            is_expected = parent.people or (doc is not None and doc.people)
            notes = (build_note("may_be_people"),) if people and not is_expected else ()
        shown = self._shown_name(index, name, people)
        path = f"{parent.path}.{shown}" if parent.path else shown
        return _Position(shown, path, documented_as, state, people, parent.depth + 1, notes)

    def _shown_name(self, index: int, name: str, people: bool) -> str:
        # A name that is not an identifier is the key of a map. In people's data it may be a login, an ID or a name.
        is_hidden = people and not self._reveal and not name.isidentifier()
        return masked_name(index) if is_hidden else readable_name(name)

    def _shown_value(self, position: _Position, value: Any) -> tuple[str | int | float | None, Note | None]:
        """Return what to show for a value that is not opened, and a note on it."""
        if position.people and not self._reveal and value is not None:
            return MASK, None
        return show_value(value)


def _describe(position: _Position, kind: str, note: Note | None = None) -> Field:
    doc = DOCUMENTATION.get(position.documented_as or "")
    return {
        "name": position.name,
        "path": position.path,
        "type": kind,
        "state": position.state,
        "documented_as": position.documented_as if doc else None,
        "meaning": doc.meaning if doc else None,
        "notes": [*position.notes, *([note] if note else [])],
        "people": position.people,
    }


def _may_be_about_people(path: str, value: Any) -> bool:
    doc = DOCUMENTATION.get(path)
    if doc is None or doc.people or path in _WITH_DOCUMENTED_PARTS:
        return is_about_people(path, value)  # no search needed
    # What is too large to search is hidden like people's data.
    return _is_too_large_to_search(value) or is_about_people(path, value)


def _is_too_large_to_search(value: Any) -> bool:
    """Return whether searching a value for people would take seconds."""
    values, characters, left = 0, 0, [value]
    while left and values <= MAX_SEARCHED_VALUES and characters <= MAX_SEARCHED_CHARACTERS:
        one = left.pop()
        values += 1
        if isinstance(one, str):
            characters += len(one)
        elif isinstance(one, dict | list):
            values += len(one)
            if values <= MAX_SEARCHED_VALUES:
                left += [*one, *one.values()] if isinstance(one, dict) else one
    return values > MAX_SEARCHED_VALUES or characters > MAX_SEARCHED_CHARACTERS
