"""A program session as a tree with the documentation of each field; people's data is in it only if asked for."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

from airflow_provider_learning360.api.contract import find_drift
from airflow_provider_learning360.api.documentation import DOCUMENTATION, PARENTS, is_about_people
from airflow_provider_learning360.api.models import ProgramSession
from airflow_provider_learning360.api.sanitizer import sanitize
from airflow_provider_learning360.ui.text import LEFT_OUT, LONGEST, readable_name, readable_text, redacted_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from airflow_provider_learning360.api.contract import Drift

Node = dict[str, Any]

HIDDEN = "•••"
ELEMENTS = 100  # of one list or object
DEPTH = 8  # levels
NODES = 5000  # of one document
MOST_VALUES = 200_000  # of one field that are searched for people
MOST_CHARACTERS = 2_000_000  # of one field that are searched for people

_WITH_PARTS = frozenset(parent.removesuffix("[]") for parent in PARENTS)
_EXACT = 2**53  # beyond it, a browser rounds numbers
_PLURALS = {"true/false": "true/false values", "null": "nulls"}


def inspected(session: ProgramSession, *, reveal: bool) -> dict[str, Any]:
    """
    Return `fields`, `document` and `drift` of a session, for the page.

    What is left out for its size is counted in `fields`, and marked with "…" in `document`.

    :param session: The session.
    :param reveal: Whether to show what is about people.
    """
    drift = find_drift(session)
    fields, more = _Tree(drift, reveal=reveal).of(session)
    return {
        "fields": fields,
        "document": _object([node for node in fields if node["state"] != "missing"], more),
        # An unknown name, or a new value, may be anything.
        "drift": {
            "unknown": [redacted_name(name) for name in drift.unknown[:ELEMENTS]],
            "more": len(drift.unknown[ELEMENTS:]),
            "missing": list(drift.missing),
            "new_values": [
                *(redacted_name(value) for value in drift.new_values[:ELEMENTS]),
                *_rest(len(drift.new_values[ELEMENTS:])),
            ],
        },
    }


@dataclass(frozen=True)
class _Place:
    """
    Where a value stands.

    :param kind: Its path in the documentation; None where nothing is documented.
    """

    name: str
    path: str
    kind: str | None
    state: str
    people: bool
    depth: int
    note: str | None = None


class _Tree:
    """The nodes of one document, of which there are never too many."""

    def __init__(self, drift: Drift, *, reveal: bool) -> None:
        self._drift = drift
        self._reveal = reveal
        self._left = NODES

    def of(self, session: ProgramSession) -> tuple[list[Node], int]:
        """Return the documented fields, the first of the unknown ones, and how many more of these there are."""
        sent, documented = session.document(), ProgramSession.field_names()
        unknown = [name for name in sent if name not in documented]
        names = documented + unknown[:ELEMENTS]
        root = _Place("", "", "", "documented", people=False, depth=0)
        fields = [
            self._node(self._field(root, number, name, sent[name]), sent[name]) if name in sent else self._missing(name)
            for number, name in enumerate(names)
        ]
        return fields, len(unknown[ELEMENTS:])

    def _missing(self, name: str) -> Node:
        doc = DOCUMENTATION[name]
        note = None if name in self._drift.missing else "sent only where it applies"
        return _described(_Place(name, name, name, "missing", doc.people, 1), doc.type, note)

    def _node(self, place: _Place, value: Any) -> Node:
        self._left -= 1
        doc = DOCUMENTATION.get(place.kind or "")
        kind = _type_of(value) if doc is None or doc.type == "any" else doc.type
        if isinstance(value, dict | list) and place.depth < DEPTH:
            inside = self._inside(place, value)
            cut = inside["more"] and len(inside["items"]) < ELEMENTS
            return _described(place, kind, "the document is too large to show more" if cut else None) | inside
        shown, note = self._shown(place, value)
        if isinstance(value, str) and f"{place.kind} {value}" in self._drift.new_values:
            note = f"new value: {shown}"
        return _described(place, kind, note) | {"value": shown}

    def _inside(self, place: _Place, value: dict[str, Any] | list[Any]) -> Node:
        items: list[Node] = []
        for child, one in islice(self._children(place, value), ELEMENTS):
            if self._left <= 0:
                break
            items.append(self._node(child, one))
        count = {"count": len(value)} if isinstance(value, list) else {}
        return {"items": items, "more": len(value) - len(items), **count}

    def _children(self, place: _Place, value: dict[str, Any] | list[Any]) -> Iterator[tuple[_Place, Any]]:
        if isinstance(value, list):
            kind = None if place.kind is None else f"{place.kind}[]"
            for number, one in enumerate(value):
                path = f"{place.path}[{number}]"
                yield _Place(str(number), path, kind, place.state, place.people, place.depth + 1), one
        else:
            for number, (name, one) in enumerate(value.items()):
                yield self._field(place, number, name, one), one

    def _field(self, parent: _Place, number: int, name: str, value: Any) -> _Place:
        # Where nothing is documented, a field is what the one is that holds it.
        kind, state, people, note = None, parent.state, parent.people, None
        if parent.kind in PARENTS:
            path = f"{parent.kind}.{name}" if parent.kind else name
            # A name may look like a path.
            doc = DOCUMENTATION.get(path) if name.isidentifier() else None
            kind, state = (path, "documented") if doc else (None, "unknown")
            people = _may_be_about_people(path, value)
            expected = parent.people or (doc is not None and doc.people)
            note = "may be about people" if people and not expected else None
        shown = self._name(number, name, people)
        path = f"{parent.path}.{shown}" if parent.path else shown
        return _Place(shown, path, kind, state, people, parent.depth + 1, note)

    def _name(self, number: int, name: str, people: bool) -> str:
        # Among people's data, what is no name of a field is a key of a map: a login, an ID, a name.
        hidden = people and not self._reveal and not name.isidentifier()
        return f"{HIDDEN} {number + 1}" if hidden else readable_name(name)

    def _shown(self, place: _Place, value: Any) -> tuple[str | int | float | None, str | None]:
        """Return the scalar to show for a value, and a note on it."""
        if place.people and not self._reveal and value is not None:
            return HIDDEN, None
        if isinstance(value, str):
            return readable_text(value), _cut_note(value)
        if isinstance(value, dict | list):
            return LEFT_OUT, "nested too deeply to show"
        if value is None or abs(value) <= _EXACT:
            return value, None
        # JSON has no such number (NaN), or the browser none that is exact.
        return str(sanitize(value)), None


def _described(place: _Place, kind: str, note: str | None) -> Node:
    doc = DOCUMENTATION.get(place.kind or "")
    return {
        "name": place.name,
        "path": place.path,
        "type": kind,
        "state": place.state,
        "meaning": doc.meaning if doc else None,
        "note": "; ".join(one for one in (place.note, note) if one) or None,
        "people": place.people,
    }


def _type_of(value: Any) -> str:
    if isinstance(value, list):
        inside = {_type_of(one) if not isinstance(one, list) else "list" for one in value}
        return f"list of {_plural(inside.pop())}" if len(inside) == 1 else "list"
    words = {dict: "object", str: "text", bool: "true/false", int: "number", float: "number", type(None): "null"}
    return words[type(value)]


def _plural(word: str) -> str:
    return _PLURALS.get(word, f"{word}s")


def _cut_note(text: str) -> str | None:
    return f"the first {LONGEST:,} of {len(text):,} characters" if len(text) > LONGEST else None


def _may_be_about_people(path: str, value: Any) -> bool:
    doc = DOCUMENTATION.get(path)
    if doc is None or doc.people or path in _WITH_PARTS:
        return is_about_people(path, value)  # knows without a search
    # What is too large to search is hidden like what is about people.
    return _is_too_large(value) or is_about_people(path, value)


def _is_too_large(value: Any) -> bool:
    """Whether searching a value for people would take seconds."""
    values, characters, left = 0, 0, [value]
    while left and values <= MOST_VALUES and characters <= MOST_CHARACTERS:
        one = left.pop()
        values += 1
        if isinstance(one, str):
            characters += len(one)
        elif isinstance(one, dict | list):
            values += len(one)
            if values <= MOST_VALUES:
                left += [*one, *one.values()] if isinstance(one, dict) else one
    return values > MOST_VALUES or characters > MOST_CHARACTERS


def _value(node: Node) -> Any:
    if "items" not in node:
        return node["value"]
    if "count" not in node:
        return _object(node["items"], node["more"])
    return [_value(item) for item in node["items"]] + _rest(node["more"])


def _rest(more: int) -> list[str]:
    return [f"{LEFT_OUT} {more:,} more"] if more else []


def _object(nodes: Iterable[Node], more: int) -> dict[str, Any]:
    rest = {LEFT_OUT: f"{more:,} more"} if more else {}
    return {node["name"]: _value(node) for node in nodes} | rest
