"""A session as a tree, and what is hidden in it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_learning360.api.contract import find_drift
from airflow_provider_learning360.api.documentation import DOCUMENTATION
from airflow_provider_learning360.api.models import ProgramSession
from airflow_provider_learning360.testing.factories import learners, session_document
from airflow_provider_learning360.ui.document import MASK, MAX_DEPTH, MAX_ELEMENTS, MAX_FIELDS, describe_session
from airflow_provider_learning360.ui.responses import Field
from airflow_provider_learning360.ui.text import MAX_CHARACTERS

CONDITIONAL = ["userLimit", "programDurationType", "skills", "validateRegistrations"]


def session(**fields: Any) -> ProgramSession:
    return ProgramSession.model_validate(session_document(**fields))


def shown(*, reveal: Any = False, **fields: Any) -> dict[str, Any]:
    return describe_session(session(**fields), reveal=reveal)


def walk(nodes: list[Field]) -> Iterator[Field]:
    for node in nodes:
        yield node
        yield from walk(node.get("items", []))


def codes_of(field: Field) -> list[str]:
    return [note["code"] for note in field["notes"]]


def by_path(result: dict[str, Any]) -> dict[str, Field]:
    nodes = list(walk(result["fields"]))
    found = {node["path"]: node for node in nodes}
    assert len(found) == len(nodes)
    return found


def sent(result: dict[str, Any]) -> bytes:
    """The response body. Fails for values that are not JSON."""
    return json.dumps(result, allow_nan=False, ensure_ascii=False).encode()


# --- shape ---


def test_documented_fields_come_first_in_order() -> None:
    result = shown(color="red", badge=1, skills=..., lang=...)
    names = [node["name"] for node in result["fields"]]
    assert names == [*ProgramSession.field_names(), "color", "badge"]
    states = {node["name"]: node["state"] for node in result["fields"]}
    assert {name for name, state in states.items() if state == "missing"} == {"skills", "lang"}
    assert {name for name, state in states.items() if state == "unknown"} == {"color", "badge"}


def test_every_field_has_the_documented_shape() -> None:
    nodes = by_path(shown(color={"a": [1]}, lang=...))
    for path, node in nodes.items():
        holds = {"items", "more"} if "items" in node else {"value"}
        holds |= {"count"} if "count" in node else set()
        holds = set() if node["state"] == "missing" else holds
        assert node.keys() == {"name", "path", "type", "state", "documented_as", "meaning", "notes", "people"} | holds
        kind = re.sub(r"\[\d+\]", "[]", path)
        assert node["meaning"] == (DOCUMENTATION[kind].meaning if kind in DOCUMENTATION else None)
        assert isinstance(node.get("value"), str | int | float | None)
    assert nodes["users[2].mail"]["name"] == "mail"
    assert nodes["modules[0].type"]["value"] == "course"
    assert nodes["modules"]["count"] == 3


def test_missing_field_says_whether_that_is_expected() -> None:
    nodes = by_path(shown(**dict.fromkeys([*CONDITIONAL, "lang"], ...)))
    assert [codes_of(nodes[name]) for name in CONDITIONAL] == [["conditional"]] * 4
    assert codes_of(nodes["lang"]) == []
    assert {nodes[name]["state"] for name in [*CONDITIONAL, "lang"]} == {"missing"}


def test_null_is_not_missing() -> None:
    node = by_path(shown(programDuration=None, users=None, endDate=""))
    assert [node[name]["value"] for name in ("programDuration", "users", "endDate")] == [None] * 3
    assert [node[name]["type"] for name in ("programDuration", "users", "endDate")] == [
        "number",
        "list of objects",
        "date",
    ]


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (None, "null"),
        (True, "true/false"),
        (1, "number"),
        (1.5, "number"),
        ("x", "text"),
        ({}, "object"),
        ([], "list"),
        (["x", ""], "list of texts"),
        ([1, 2.5], "list of numbers"),
        ([False], "list of true/false values"),
        ([{}, {}], "list of objects"),
        ([[], ["x"]], "list of lists"),
        ([None], "list of nulls"),
        ([1, "x"], "list"),
    ],
    ids=repr,
)
def test_types_are_words(value: Any, words: str) -> None:
    assert by_path(shown(color=value))["color"]["type"] == words
    assert by_path(shown(customFields=[{"value": value}]))["customFields[0].value"]["type"] == words


def test_unknown_fields_are_those_of_the_drift() -> None:
    result = shown(
        color={"deep": 1},
        users=[{"badge": {"mail": 1}}],
        requirements={"skills": [], "courses": [{"title": "x"}]},
        customFields=[{"label": [1]}],
        modules=[{"title": "x"}],
    )
    unknown = [node for node in walk(result["fields"]) if node["state"] == "unknown"]
    roots = {re.sub(r"\[\d+\]", "[]", node["path"]) for node in unknown} - {
        "color.deep",
        "users[].badge.mail",
        "customFields[].label[]",
    }
    assert sorted(roots) == result["drift"]["unknown"]
    assert all(node["meaning"] is None for node in unknown)


def test_name_that_looks_like_a_path_is_unknown() -> None:
    nodes = shown(**{"modules[].type": 1, "requirements.courses": 2})["fields"][-2:]
    assert [(node["state"], node["meaning"], node["value"]) for node in nodes] == [
        ("unknown", None, 1),
        ("unknown", None, 2),
    ]


def test_new_value_has_a_note() -> None:
    result = shown(modules=[{"type": "course"}, {"type": "quiz"}], programDurationType="day", color="quiz")
    notes = {path: node["notes"] for path, node in by_path(result).items() if node["notes"]}
    assert notes == {
        "modules[1].type": [{"code": "new_value", "values": {"value": "quiz"}}],
        "programDurationType": [{"code": "new_value", "values": {"value": "day"}}],
        "color": [{"code": "may_be_people", "values": {}}],
    }
    assert result["drift"]["new_values"] == ["modules[].type quiz", "programDurationType day"]


@pytest.mark.parametrize("fields", [{}, {"color": 1, "lang": ..., "modules": [{"type": "quiz"}]}], ids=str)
def test_drift_equals_that_of_the_contract(fields: dict[str, Any]) -> None:
    one = session(**fields)
    drift = find_drift(one)
    assert describe_session(one, reveal=False)["drift"] == {
        "unknown": list(drift.unknown),
        "more": 0,
        "missing": list(drift.missing),
        "new_values": list(drift.new_values),
    }


def test_markup_stays_text() -> None:
    markup = "<img src=x onerror=alert(1)>"
    assert by_path(shown(description=markup, name=markup))["description"]["value"] == markup


# --- people ---


@pytest.mark.parametrize(
    "fields",
    [
        {"manager": "Jane Doe"},
        {"attendance": {"jane.doe": True}},
        {"participants": [{"name": "Jane Doe"}]},
        {"modules": [{"type": "course", "teacher": "Jane Doe"}]},
        {"phone": ["+33 6 12 34 56"]},
    ],
    ids=str,
)
def test_undocumented_fields_are_hidden_until_revealed(fields: dict[str, Any]) -> None:
    words = re.compile("jane|doe|33 6", re.IGNORECASE)
    hidden = describe_session(session(**fields), reveal=False)
    assert words.search(sent({"fields": hidden["fields"], "document": hidden["document"]}).decode()) is None
    assert words.search(sent(describe_session(session(**fields), reveal=True)).decode())


def test_revealed_document_equals_the_original() -> None:
    one = session(color={"a": ["ann@example.com", None, {"b c": 1}]}, lang=..., endDate="")
    result = describe_session(one, reveal=True)
    assert result["document"] == one.document()
    hidden = describe_session(one, reveal=False)
    for node, other in zip(walk(result["fields"]), walk(hidden["fields"]), strict=True):
        assert node["people"] == other["people"]
        assert node["type"] == other["type"]
        if not node["people"]:
            assert {**node, "items": 0} == {**other, "items": 0}


def test_masked_people_keep_their_structure() -> None:
    users = [{"_id": "1", "mail": "ann@example.com", "badge": {"level": 3, "won": True, "at": None}}, {"mail": None}]
    result = shown(users=users, author="", tutors=["ann@example.com", "bob.login"])
    assert result["document"]["users"] == [
        {"_id": MASK, "mail": MASK, "badge": {"level": MASK, "won": MASK, "at": None}},
        {"mail": None},
    ]
    assert result["document"]["tutors"] == [MASK, MASK]
    assert result["document"]["author"] == MASK
    nodes = by_path(result)
    assert nodes["users"]["count"] == 2
    assert nodes["users[0].badge.level"]["value"] == MASK
    assert [node["notes"] for node in nodes.values() if node["notes"]] == []


def test_custom_fields_hide_value_and_unknown_parts() -> None:
    custom = [{"customFieldId": "1", "name": "Manager", "value": "Ann Adler", "label": "Ann"}]
    assert shown(customFields=custom)["document"]["customFields"] == [
        {"customFieldId": "1", "name": "Manager", "value": MASK, "label": MASK}
    ]


@pytest.mark.parametrize(
    ("field", "value", "document"),
    [
        ("description", "<p>Ask ann@example.com</p>", MASK),
        ("name", "ann%40example.com", MASK),
        ("groups", ["1", "ann#acme@example.com"], [MASK, MASK]),
        ("color", "ann@example.com", MASK),
        ("color", [3, {"by": "ann@example.com"}], [MASK, {"by": MASK}]),
        ("referents", [{"_id": "1", "firstName": "Ann"}], [{"_id": MASK, "firstName": MASK}]),
        ("progress", {"bob@example.com": 3, "ann@example.com": 5}, {f"{MASK} 1": MASK, f"{MASK} 2": MASK}),
        ("coaches", {"Ann Adler": {"mail": None}}, {f"{MASK} 1": {"mail": None}}),
        ("modules", [{"_id": "1", "by": "ann@example.com"}], [{"_id": "1", "by": MASK}]),
        ("requirements", {"paths": ["1"], "courses": ["ann@example.com"]}, {"paths": ["1"], "courses": [MASK]}),
    ],
    ids=repr,
)
def test_fields_with_mail_addresses_or_people_are_hidden(field: str, value: Any, document: Any) -> None:
    result = shown(**{field: value})
    assert result["document"][field] == document
    assert ["may_be_people"] in [codes_of(node) for node in walk(result["fields"])]
    assert shown(reveal=True, **{field: value})["document"][field] == value


def test_mail_address_is_hidden_in_names_and_types() -> None:
    result = shown(**{"ann@example.com": 1}, modules=[{"type": "ann@example.com", "ann@example.com": 2}])
    assert b"example.com" not in sent({**result, "document": result["document"] | {"author": None}})
    assert result["drift"]["new_values"] == ["modules[].type …@…"]
    (node,) = [node for node in walk(result["fields"]) if "new_value" in codes_of(node)]
    assert codes_of(node) == ["may_be_people", "new_value"]
    assert node["notes"][1]["values"] == {"value": MASK}


def test_mail_address_at_the_end_of_a_long_text_is_found() -> None:
    assert shown(description="x " * MAX_CHARACTERS + "ann@example.com")["document"]["description"] == MASK


# Mails and names that nothing else holds, so that one found is one shown.
NUMBERS = st.integers(0, 10**9)
MAILS = st.builds("qz{}{}zq@example.com".format, NUMBERS, st.sampled_from(["", "#acme", "+x", ".é"]))
NAMES = st.builds("Qz{}zq".format, NUMBERS)
NOISE = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=8,
)
PERSON = st.fixed_dictionaries(
    {"mail": MAILS},
    optional={"_id": NAMES, "firstName": NAMES, "lastName": NAMES, "badge": st.dictionaries(st.text(), NAMES | NOISE)},
)
# What may be found under a name that is not documented, or where nothing is said of what is inside.
ANYTHING = st.recursive(
    PERSON | MAILS | st.builds("Ask {}, or <{}>".format, MAILS, MAILS) | st.dictionaries(MAILS, NOISE, min_size=1),
    lambda inner: st.lists(inner | NOISE, max_size=3) | st.dictionaries(st.text(max_size=9) | MAILS, inner, max_size=3),
    max_leaves=6,
)
SESSIONS = st.fixed_dictionaries(
    {"_id": st.just("1"), "author": MAILS, "tutors": st.lists(MAILS | NAMES), "users": st.lists(PERSON, max_size=4)},
    optional={
        "name": MAILS,
        "description": st.builds("<p>{}</p><a href='mailto:{}'>".format, MAILS, MAILS),
        "groups": st.lists(MAILS),
        "modules": st.lists(st.fixed_dictionaries({"type": MAILS}, optional={"teacher": ANYTHING}), max_size=2),
        "customFields": st.lists(st.fixed_dictionaries({"value": NAMES | ANYTHING}, optional={"label": NAMES})),
        "requirements": st.fixed_dictionaries({"courses": st.lists(ANYTHING, max_size=2)}, optional={"x": ANYTHING}),
        "referents": ANYTHING,
        "x y": NOISE,
    },
)
OURS = re.compile(r"qz\d+[^\s]*zq", re.IGNORECASE)


@pytest.mark.slow
@settings(max_examples=300, deadline=None)
@given(document=SESSIONS, strange=st.dictionaries(MAILS, NOISE, max_size=2))
def test_hidden_document_contains_no_people(document: dict[str, Any], strange: dict[str, Any]) -> None:
    one = ProgramSession.model_validate(document | strange)
    result = describe_session(one, reveal=False)
    assert OURS.findall(sent(result).decode()) == []
    assert OURS.findall(sent(describe_session(one, reveal=True)).decode()) != []


# --- size ---


def test_long_list_is_cut_and_counted() -> None:
    many = session(users=[*learners(20_000)], groups=[str(number) for number in range(MAX_ELEMENTS + 1)])
    result = describe_session(many, reveal=True)
    nodes = by_path(result)
    assert (nodes["users"]["count"], len(nodes["users"]["items"]), nodes["users"]["more"]) == (20_000, 100, 19_900)
    assert result["document"]["users"] == [*many.document()["users"][:100], "… +19900"]
    assert result["document"]["groups"][MAX_ELEMENTS:] == ["… +1"]
    assert len(sent(result)) < 300_000


def test_elements_beyond_the_limit_are_not_read() -> None:
    class Learners(list[Any]):
        """Counts how many are taken out."""

        taken = 0

        def __iter__(self) -> Iterator[Any]:
            for one in super().__iter__():
                Learners.taken += 1
                yield one

    many = Learners(learners(20_000))
    one = session()
    looking = one.model_copy(update={"users": many})
    find_drift(looking)
    before, Learners.taken = Learners.taken, 0
    describe_session(looking, reveal=False)
    assert Learners.taken <= before + MAX_ELEMENTS + 1


def test_unknown_objects_and_fields_are_cut_and_counted() -> None:
    many = {f"k{number}": number for number in range(MAX_ELEMENTS + 20)}
    result = shown(color=many, reveal=True)
    assert by_path(result)["color"]["more"] == 20
    assert result["document"]["color"] == {**{f"k{number}": number for number in range(MAX_ELEMENTS)}, "…": "+20"}
    result = shown(**many)
    assert len(result["fields"]) == len(ProgramSession.field_names()) + MAX_ELEMENTS
    assert result["document"]["…"] == "+20"
    assert len(result["drift"]["unknown"]) == MAX_ELEMENTS
    assert result["drift"]["more"] == 20


def test_drift_is_cut_and_counted() -> None:
    drift = shown(modules=[{"type": f"{number} {'x' * 10_000}"} for number in range(MAX_ELEMENTS + 20)])["drift"]
    assert (len(drift["new_values"]), drift["new_values"][-1]) == (MAX_ELEMENTS + 1, "… +20")
    assert max(map(len, drift["new_values"])) < 1000
    (name,) = shown(**{"k" * 10_000: 1})["drift"]["unknown"]
    assert len(name) < 1000


@pytest.mark.parametrize("reveal", [True, False])
def test_long_text_is_cut_with_a_note(reveal: bool) -> None:
    result = shown(
        reveal=reveal, description="é" * 30_000, color={"k" * 3000: ["z" * (MAX_CHARACTERS + 1), "y" * MAX_CHARACTERS]}
    )
    nodes = by_path(result)
    assert nodes["description"]["value"] == "é" * MAX_CHARACTERS + "…"
    assert nodes["description"]["notes"] == [{"code": "cut", "values": {"shown": 2000, "total": 30000}}]
    (name,) = result["document"]["color"]
    assert len(name) == MAX_CHARACTERS + 1
    texts = ["z" * MAX_CHARACTERS + "…", "y" * MAX_CHARACTERS]
    assert result["document"]["color"][name] == (texts if reveal else [MASK, MASK])


@pytest.mark.parametrize("inside", ["x", "ann@example.com"])
def test_deep_nesting_is_left_out(inside: str) -> None:
    value: Any = inside
    for _ in range(500):
        value = {"k": [value]}
    for reveal, expected in ((True, ("…", ["too_deep"])), (False, (MASK, []))):
        nodes = list(walk([shown(color=value, reveal=reveal)["fields"][-1]]))
        assert len(nodes) == MAX_DEPTH
        assert (nodes[-1]["value"], codes_of(nodes[-1])) == expected


def test_field_limit_keeps_every_top_level_field() -> None:
    wide: Any = 1
    for _ in range(4):
        wide = [wide] * 50
    result = shown(zone=wide, color="red", users=learners(1000))
    nodes = by_path(result)
    assert len(nodes) < MAX_FIELDS + 2 * MAX_ELEMENTS
    assert nodes["color"]["value"] == MASK
    assert nodes["users"]["more"] == 900
    assert any(codes_of(node) == ["too_large"] for node in nodes.values())
    assert len(sent(result)) < 2_000_000


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("NaN", "NaN"),
        ("-1e999", "-Infinity"),
        ("12345678901234567890", "12345678901234567890"),
        ("9007199254740992", 9007199254740992),
        ("-0.5", -0.5),
        ("true", True),
        (r'"\ud83d"', "\ufffd"),
        (r'"\ud83d\ude00"', "😀"),
    ],
)
def test_numbers_beyond_json_or_browsers_become_text(text: str, value: Any) -> None:
    body = f'{{"_id": "1", "color": {text}, "users": [{{"badge": {text}}}]}}'
    result = describe_session(ProgramSession.model_validate(json.loads(body)), reveal=True)
    assert json.loads(sent(result))["document"]["color"] == value
    assert result["document"]["users"] == [{"badge": value}]


def test_lone_surrogate_in_a_name_is_replaced() -> None:
    result = shown(color={"\ud83d": 1}, reveal=True)
    assert json.loads(sent(result))["document"]["color"] == {"\ufffd": 1}
