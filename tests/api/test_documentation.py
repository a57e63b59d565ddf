from __future__ import annotations

import types
from dataclasses import FrozenInstanceError
from datetime import datetime
from typing import Annotated, Any, NotRequired, Union, get_args, get_origin, get_type_hints

import pytest

from airflow_provider_learning360.api.changes import PEOPLE_FIELDS
from airflow_provider_learning360.api.contract import find_drift
from airflow_provider_learning360.api.documentation import DOCUMENTATION, PARENTS, is_about_people
from airflow_provider_learning360.api.fields import PATH_FIELDS_V2, SESSION_FIELDS_V2, known_fields
from airflow_provider_learning360.api.models import (
    DURATION_TYPES,
    MODULE_TYPES,
    CustomField,
    Learner,
    Module,
    ProgramSession,
    Requirements,
)

PARTS: dict[str, type] = {
    "modules[]": Module,
    "customFields[]": CustomField,
    "requirements": Requirements,
    "users[]": Learner,
}
SCALARS = {str: "text", bool: "true/false", datetime: "date"}


def in_words(hint: Any) -> str:
    """Return the name in the documentation for a type of the models."""
    if get_origin(hint) in (Annotated, NotRequired):
        return in_words(get_args(hint)[0])
    if get_origin(hint) in (Union, types.UnionType):
        options = set(get_args(hint)) - {type(None)}
        if len(options) > 1:
            options -= {str}  # replaces NaN, infinity and numbers of more than 64 bits
        return "number" if options == {int, float} else in_words(*options)
    if get_origin(hint) is list:
        inside = in_words(*get_args(hint))
        return "list" if inside == "any" else f"list of {inside}s"
    if hint in PARTS.values():
        return "object"
    return "any" if hint is Any else SCALARS[hint]


def fields_of_the_models() -> dict[str, str]:
    hints = get_type_hints(ProgramSession, include_extras=True)
    fields = {field.alias or name: in_words(hints[name]) for name, field in ProgramSession.model_fields.items()}
    for parent, part in PARTS.items():
        hints = get_type_hints(part, include_extras=True)
        fields |= {f"{parent}.{name}": in_words(hint) for name, hint in hints.items()}
    return fields


def test_documentation_covers_exactly_the_fields_of_the_models() -> None:
    own = {*SESSION_FIELDS_V2, *PATH_FIELDS_V2, "users[].status"}
    described = {path: doc.type for path, doc in DOCUMENTATION.items()}
    assert own <= described.keys()
    assert {path: described[path] for path in described.keys() - own} == fields_of_the_models()
    assert {"", *PARTS} == PARENTS


def test_documentation_has_the_order_of_the_models() -> None:
    assert [path for path in DOCUMENTATION if "." not in path] == known_fields()
    for parent, part in PARTS.items():
        names = [path.removeprefix(f"{parent}.") for path in DOCUMENTATION if path.startswith(f"{parent}.")]
        assert [name for name in names if name != "status"] == list(part.__annotations__)


def test_documentation_cannot_be_changed() -> None:
    with pytest.raises(TypeError):
        DOCUMENTATION["name"] = DOCUMENTATION["author"]  # type: ignore[index]
    with pytest.raises(FrozenInstanceError):
        DOCUMENTATION["name"].people = True  # type: ignore[misc]


@pytest.mark.parametrize("path", DOCUMENTATION)
def test_meaning_is_one_short_sentence(path: str) -> None:
    meaning = DOCUMENTATION[path].meaning
    assert meaning[0].isupper() or meaning.startswith("360")
    assert meaning.endswith(".")
    assert ". " not in meaning
    assert 10 < len(meaning) < 100


def test_meaning_is_given_once() -> None:
    assert len({doc.meaning for doc in DOCUMENTATION.values()}) == len(DOCUMENTATION)


def test_enumerations_are_complete() -> None:
    assert [word for word in MODULE_TYPES if word not in DOCUMENTATION["modules[].type"].meaning] == []
    assert [word for word in DURATION_TYPES if word not in DOCUMENTATION["programDurationType"].meaning] == []


def test_fields_about_people_are_those_that_are_never_stored() -> None:
    assert {path.split("[")[0] for path, doc in DOCUMENTATION.items() if doc.people} == PEOPLE_FIELDS


def test_all_fields_of_a_learner_are_about_people() -> None:
    learner = [doc.people for path, doc in DOCUMENTATION.items() if path.split("[")[0] == "users"]
    assert learner == [True] * 6


@pytest.mark.parametrize(
    ("path", "value"),
    [
        # Documented.
        ("author", "x"),
        ("tutors", []),
        ("users", None),
        ("users[].mail", "ann.login"),
        ("customFields[].value", 3),
        # Not documented, inside of people's data.
        ("users[].badge", 1),
        ("customFields[].label", "x"),
        # By their value.
        ("name", "Coaching of ann@example.com"),
        ("description", '<a href="mailto:ann%40example.com">Ann</a>'),
        ("customFields[].name", "ann#acme@example.com"),
        ("groups", ["1", "ann@example.com"]),
        ("requirements.courses", [{"by": "ann@example.com"}]),
        ("color", {"a": [{"b": {"ann@example.com": 1}}]}),
        ("referents", [{"_id": "1"}, {"_id": "2", "firstName": "Ann"}]),
        ("coach", {"mail": "ann.login"}),
        ("sessions", [{"tutors": ["ann.login"]}]),
        ("firstName", "Ann"),
        ("modules[].author", "ann.login"),
        ("ann@example.com", 1),
        ("modules[].ann@example.com", 1),
        # Fields that are not documented may be anything.
        ("modules[].title", "x"),
        ("color", {"shade": ["light", None, 3, True, 1.5]}),
        ("usersCount", 3),
    ],
    ids=repr,
)
def test_field_about_people_is_recognized(path: str, value: Any) -> None:
    assert is_about_people(path, value)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("name", "Onboarding @ Lyon"),
        ("description", "<p>Hi</p>"),
        ("groups", ["1"]),
        ("customFields[]._id", "1"),
        ("customFields[].name", "Cost centre"),
        # Their fields are checked one by one.
        ("customFields", [{"value": "ann@example.com"}]),
        ("modules", [{"title": "ann@example.com"}]),
        ("requirements", {"courses": ["ann@example.com"]}),
    ],
    ids=repr,
)
def test_field_about_something_else_is_recognized(path: str, value: Any) -> None:
    assert not is_about_people(path, value)


def test_deeply_nested_people_are_found() -> None:
    value: Any = "ann@example.com"
    for _ in range(20_000):
        value = [value]
    assert is_about_people("color", value)


def test_documented_fields_are_not_drift() -> None:
    document: dict[str, Any] = dict.fromkeys(ProgramSession.field_names())
    for parent, part in PARTS.items():
        inside = dict.fromkeys(part.__annotations__)
        document[parent.removesuffix("[]")] = [inside] if parent.endswith("[]") else inside
    assert not find_drift(ProgramSession.model_validate({**document, "_id": "1"}))
