"""What of an answer is about people is masked: of every operation, whatever the answer holds."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_learning360.api.catalogue.answers import Answer
from airflow_provider_learning360.api.catalogue.catalogue import load_operations
from airflow_provider_learning360.api.catalogue.differences import resolve
from airflow_provider_learning360.api.catalogue.masking import (
    MASK,
    PERSON_FIELDS,
    has_people,
    is_about_people,
    mask_answer,
)
from airflow_provider_learning360.api.catalogue.operation import JsonSchema, Operation
from airflow_provider_learning360.api.documentation import DOCUMENTATION
from airflow_provider_learning360.ui.answer import describe_answer
from case_samples import each_name

OPERATIONS = load_operations()
READS = [one.name for one in OPERATIONS.values() if one.is_read]
NAME = "Zoe Canary"
MAIL = "zoe.canary@example.com"
TITLE = "Safety training"
ID = "60b8d2956e20ae1a0f8e44f1"
DATE = "2026-03-01T08:00:00.000Z"


def build_answer(schema: JsonSchema, operation: Operation, depth: int = 0) -> Any:
    """An answer with a name in every text that may be any, and a title where texts are not about people."""
    resolved = resolve(schema, operation.schemas)
    if depth > 8:
        return None
    if "anyOf" in resolved:
        return build_answer(resolved["anyOf"][-1], operation, depth + 1)
    if "properties" in resolved:
        known = {name: build_answer(one, operation, depth + 1) for name, one in resolved["properties"].items()}
        return known | {"badge": NAME, NAME: 3, "pay": 4200}
    if "items" in resolved:
        return [build_answer(resolved["items"], operation, depth + 1)] * 2
    if resolved.get("type") == "object":
        return {"mail": MAIL, "note": NAME, "deep": [{NAME: NAME}], "at": DATE, "of": ID}
    if "enum" in resolved or "const" in resolved:
        return resolved.get("enum", [resolved.get("const")])[0]
    kind = resolved.get("type")
    if kind == "string" or (isinstance(kind, list) and "string" in kind):
        free_text = NAME if is_about_people(resolved) else TITLE
        return (
            ID if "24" in resolved.get("pattern", "") else DATE if resolved.get("format") == "date-time" else free_text
        )
    return {"integer": 3, "number": 0.5, "boolean": True}.get(str(kind), NAME)


def answer_of(name: str) -> Any:
    operation = OPERATIONS[name]
    return build_answer(operation.data["answer"]["schema"], operation)


def shown_of(name: str, value: Any, *, reveal: bool = False) -> str:
    described = describe_answer(OPERATIONS[name], Answer(value, 200), reveal=reveal)
    return json.dumps(described, ensure_ascii=False)


@each_name(READS)
def test_fields_without_documentation_and_keys_are_masked(name: str) -> None:
    masked = json.dumps(mask_answer(OPERATIONS[name], answer_of(name)), ensure_ascii=False)
    for text in (masked, shown_of(name, answer_of(name))):
        assert MAIL not in text
        assert "4200" not in text
        assert f'"{NAME}": ' not in text


@each_name(name for name in READS if has_people(OPERATIONS[name]))
def test_every_free_text_is_masked_where_answers_hold_people(name: str) -> None:
    masked = json.dumps(mask_answer(OPERATIONS[name], answer_of(name)), ensure_ascii=False)
    for text in (masked, shown_of(name, answer_of(name))):
        assert "anary" not in text
    if NAME in json.dumps(answer_of(name)):
        assert "anary" in shown_of(name, answer_of(name), reveal=True)


@each_name(READS)
def test_ids_dates_and_allowed_values_stay(name: str) -> None:
    operation = OPERATIONS[name]
    value = answer_of(name)

    def kept(one: Any, masked: Any) -> None:
        if isinstance(one, dict):
            for child, shown in zip(one.values(), masked.values(), strict=True):
                kept(child, shown)
        elif isinstance(one, list):
            for child, shown in zip(one, masked, strict=True):
                kept(child, shown)
        elif one in (ID, DATE) or isinstance(one, bool):
            assert masked == one

    kept(value, mask_answer(operation, value))


def test_personal_field_of_any_answer_is_masked() -> None:
    users = mask_answer(OPERATIONS["list-users"], [{"_id": ID, "mail": MAIL, "phone": "1", "status": "active"}])
    assert users == [{"_id": ID, "mail": MASK, "phone": MASK, "status": "active"}]


def test_value_that_is_not_allowed_is_masked_and_not_reported() -> None:
    from airflow_provider_learning360.api.contract import Drift

    assert mask_answer(OPERATIONS["get-user"], {"_id": ID, "status": NAME})["status"] == MASK
    answer = Answer({"_id": ID, "status": NAME}, 200, drift=Drift(unknown=(NAME,), new_values=(f"status {NAME}",)))
    described = describe_answer(OPERATIONS["get-user"], answer, reveal=False)
    assert described["drift"]["new_values"] == [f"status {MASK}"]
    assert described["drift"]["unknown"] == [MASK]


def test_secret_is_hidden_from_everybody() -> None:
    assert mask_answer(OPERATIONS["get-webhook-secret"], {"secret": "whsec_canary"}) == {"secret": MASK}
    assert "canary" not in shown_of("get-webhook-secret", {"secret": "whsec_canary"}, reveal=True)


def test_text_of_an_answer_without_people_is_shown_unless_it_has_a_mail_address() -> None:
    name = "list-tags"
    assert not has_people(OPERATIONS[name])
    field = "label" if "label" in json.dumps(OPERATIONS[name].schemas["TagDTOWithSource"]) else "name"
    assert mask_answer(OPERATIONS[name], [{field: "Safety"}, {field: f"ask {MAIL}"}]) == [
        {field: "Safety"},
        {field: MASK},
    ]


@pytest.mark.parametrize(
    ("name", "field"),
    [
        ("list-program-sessions-v1", "name"),
        ("get-program-session-stats-v1", "name"),
        ("list-path-sessions-v1", "sessionName"),
        ("get-path-v1", "description"),
        ("list-program-templates-v1", "name"),
    ],
)
def test_text_that_is_not_about_people_is_shown_unless_it_has_a_mail_address(name: str, field: str) -> None:
    def mask(text: str) -> Any:
        items = [{field: text, "tutors": [NAME]}]
        masked = mask_answer(OPERATIONS[name], items if OPERATIONS[name].is_list else items[0])
        assert NAME not in json.dumps(masked)
        return masked[0][field] if isinstance(masked, list) else masked[field]

    assert mask(TITLE) == TITLE
    assert TITLE in shown_of(name, [{field: TITLE}] if OPERATIONS[name].is_list else {field: TITLE})
    assert mask(f"ask {MAIL}") == MASK


def test_session_of_a_call_shows_what_get_session_shows() -> None:
    """`api/documentation.py` says it for `get-session`, and the catalogue for `call`."""
    operation = OPERATIONS["get-program-session-v1"]
    found: dict[str, tuple[str, bool]] = {}

    def collect(schema: JsonSchema, path: str) -> None:
        resolved = resolve(schema, operation.schemas)
        if path and not path.endswith("[]"):
            found[path] = (resolved.get("description", ""), resolved.get("people") is False)
        for name, one in resolved.get("properties", {}).items():
            collect(one, f"{path}.{name}".removeprefix("."))
        if "properties" in resolve(resolved.get("items", {}), operation.schemas):
            collect(resolved["items"], f"{path}[]")

    collect(operation.data["answer"]["schema"], "")
    listed = {path: one for path, one in DOCUMENTATION.items() if "API v2" not in one.meaning}
    assert set(found) == set(listed)
    assert {path for path, (_, is_shown) in found.items() if is_shown and listed[path].people} == set()
    free = {path for path, (_, is_shown) in found.items() if is_shown}
    assert free == {"name", "description", "lang", "sessionCustom", "templateCustom", "customFields[].name"}
    own = {path: text for path, (text, _) in found.items() if not path.startswith("users[]")}
    assert own == {path: listed[path].meaning for path in own}


def test_names_of_fields_that_are_not_documented_are_shown_and_their_texts_masked() -> None:
    masked = mask_answer(OPERATIONS["get-user-v1"], {"_id": ID, "badge": NAME, "deep": {"pay": 4200, NAME: ID}})
    assert masked == {"_id": ID, "badge": MASK, "deep": {"pay": MASK, f"{MASK} 2": ID}}


def test_read_whose_answer_names_people_holds_people() -> None:
    def names(schema: JsonSchema, operation: Operation, depth: int = 0) -> set[str]:
        resolved = resolve(schema, operation.schemas)
        fields = set(resolved.get("properties", ()))
        parts = [*resolved.get("properties", {}).values(), *resolved.get("anyOf", ()), resolved.get("items", {})]
        return fields.union(*(names(one, operation, depth + 1) for one in parts if depth < 6))

    naming = [name for name in READS if not PERSON_FIELDS.isdisjoint(
        names(OPERATIONS[name].data["answer"]["schema"], OPERATIONS[name]))]  # fmt: skip
    assert "list-users" in naming
    assert [name for name in naming if not has_people(OPERATIONS[name])] == []
    assert [name for name in READS if name.endswith("-v1") and not has_people(OPERATIONS[name])] == []


def test_masked_answer_has_the_shape_of_the_answer() -> None:
    value = answer_of("list-users")
    masked = mask_answer(OPERATIONS["list-users"], value)
    assert [len(one) for one in masked] == [len(one) for one in value]


def test_deep_answer_is_masked() -> None:
    value: Any = NAME
    for _ in range(900):
        value = {"deeper": value}
    assert NAME not in json.dumps(mask_answer(OPERATIONS["get-user"], value))
    assert NAME not in shown_of("get-user", value)


VALUES = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.just(NAME) | st.just(MAIL) | st.just(ID),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from([NAME, "_id", "x", ""]), inner),
    max_leaves=12,
)


@settings(max_examples=50)
@given(
    VALUES, st.sampled_from(["list-users", "get-user", "list-users-v1", "get-bulk-operation", "list-webhook-events"])
)
def test_answer_of_any_shape_is_masked(value: Any, name: str) -> None:
    if name != "get-bulk-operation":
        assert "anary" not in json.dumps(mask_answer(OPERATIONS[name], value))
    assert MAIL not in shown_of(name, value)
