"""The document as a tree, and what of it is hidden."""

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
from airflow_provider_learning360.ui.document import DEPTH, ELEMENTS, HIDDEN, LONGEST, NODES, inspected

Node = dict[str, Any]

CONDITIONAL = ["userLimit", "programDurationType", "skills", "validateRegistrations"]


def session(**fields: Any) -> ProgramSession:
    return ProgramSession.model_validate(session_document(**fields))


def shown(*, reveal: Any = False, **fields: Any) -> dict[str, Any]:
    return inspected(session(**fields), reveal=reveal)


def walk(nodes: list[Node]) -> Iterator[Node]:
    for node in nodes:
        yield node
        yield from walk(node.get("items", []))


def by_path(answer: dict[str, Any]) -> dict[str, Node]:
    nodes = list(walk(answer["fields"]))
    found = {node["path"]: node for node in nodes}
    assert len(found) == len(nodes)
    return found


def sent(answer: dict[str, Any]) -> bytes:
    """What goes over the wire: what is no JSON, or no text, cannot."""
    return json.dumps(answer, allow_nan=False, ensure_ascii=False).encode()


# --- shape ---


def test_the_fields_are_the_documented_ones_in_order_and_then_the_unknown() -> None:
    answer = shown(color="red", badge=1, skills=..., lang=...)
    names = [node["name"] for node in answer["fields"]]
    assert names == [*ProgramSession.field_names(), "color", "badge"]
    states = {node["name"]: node["state"] for node in answer["fields"]}
    assert {name for name, state in states.items() if state == "missing"} == {"skills", "lang"}
    assert {name for name, state in states.items() if state == "unknown"} == {"color", "badge"}


def test_every_node_has_the_shape_that_the_page_reads() -> None:
    nodes = by_path(shown(color={"a": [1]}, lang=...))
    for path, node in nodes.items():
        holds = {"items", "more"} if "items" in node else {"value"}
        holds |= {"count"} if "count" in node else set()
        holds = set() if node["state"] == "missing" else holds
        assert node.keys() == {"name", "path", "type", "state", "meaning", "note", "people"} | holds
        kind = re.sub(r"\[\d+\]", "[]", path)
        assert node["meaning"] == (DOCUMENTATION[kind].meaning if kind in DOCUMENTATION else None)
        assert isinstance(node.get("value"), str | int | float | None)
    assert nodes["users[2].mail"]["name"] == "mail"
    assert nodes["modules[0].type"]["value"] == "course"
    assert nodes["modules"]["count"] == 3


def test_a_field_that_is_missing_says_whether_that_is_expected() -> None:
    nodes = by_path(shown(**dict.fromkeys([*CONDITIONAL, "lang"], ...)))
    assert [nodes[name]["note"] for name in CONDITIONAL] == ["sent only where it applies"] * 4
    assert nodes["lang"]["note"] is None
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


def test_the_tree_is_unknown_where_the_drift_says_so() -> None:
    answer = shown(
        color={"deep": 1},
        users=[{"badge": {"mail": 1}}],
        requirements={"skills": [], "courses": [{"title": "x"}]},
        customFields=[{"label": [1]}],
        modules=[{"title": "x"}],
    )
    unknown = [node for node in walk(answer["fields"]) if node["state"] == "unknown"]
    roots = {re.sub(r"\[\d+\]", "[]", node["path"]) for node in unknown} - {
        "color.deep",
        "users[].badge.mail",
        "customFields[].label[]",
    }
    assert sorted(roots) == answer["drift"]["unknown"]
    assert all(node["meaning"] is None for node in unknown)


def test_a_name_that_looks_like_a_path_is_unknown() -> None:
    nodes = shown(**{"modules[].type": 1, "requirements.courses": 2})["fields"][-2:]
    assert [(node["state"], node["meaning"], node["value"]) for node in nodes] == [
        ("unknown", None, 1),
        ("unknown", None, 2),
    ]


def test_a_new_value_is_noted_where_it_stands() -> None:
    answer = shown(modules=[{"type": "course"}, {"type": "quiz"}], programDurationType="day", color="quiz")
    notes = {path: node["note"] for path, node in by_path(answer).items() if node["note"]}
    assert notes == {
        "modules[1].type": "new value: quiz",
        "programDurationType": "new value: day",
        "color": "may be about people",
    }
    assert answer["drift"]["new_values"] == ["modules[].type quiz", "programDurationType day"]


@pytest.mark.parametrize("fields", [{}, {"color": 1, "lang": ..., "modules": [{"type": "quiz"}]}], ids=str)
def test_the_drift_is_the_one_of_the_contract(fields: dict[str, Any]) -> None:
    one = session(**fields)
    drift = find_drift(one)
    assert inspected(one, reveal=False)["drift"] == {
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
def test_what_nobody_documented_is_hidden_until_it_is_asked_for(fields: dict[str, Any]) -> None:
    words = re.compile("jane|doe|33 6", re.IGNORECASE)
    hidden = inspected(session(**fields), reveal=False)
    assert words.search(sent({"fields": hidden["fields"], "document": hidden["document"]}).decode()) is None
    assert words.search(sent(inspected(session(**fields), reveal=True)).decode())


def test_revealed_it_is_the_document() -> None:
    one = session(color={"a": ["ann@example.com", None, {"b c": 1}]}, lang=..., endDate="")
    answer = inspected(one, reveal=True)
    assert answer["document"] == one.document()
    hidden = inspected(one, reveal=False)
    for node, other in zip(walk(answer["fields"]), walk(hidden["fields"]), strict=True):
        assert node["people"] == other["people"]
        assert node["type"] == other["type"]
        if not node["people"]:
            assert {**node, "items": 0} == {**other, "items": 0}


def test_people_keep_their_shape_and_nothing_else() -> None:
    users = [{"_id": "1", "mail": "ann@example.com", "badge": {"level": 3, "won": True, "at": None}}, {"mail": None}]
    answer = shown(users=users, author="", tutors=["ann@example.com", "bob.login"])
    assert answer["document"]["users"] == [
        {"_id": HIDDEN, "mail": HIDDEN, "badge": {"level": HIDDEN, "won": HIDDEN, "at": None}},
        {"mail": None},
    ]
    assert answer["document"]["tutors"] == [HIDDEN, HIDDEN]
    assert answer["document"]["author"] == HIDDEN
    nodes = by_path(answer)
    assert nodes["users"]["count"] == 2
    assert nodes["users[0].badge.level"]["value"] == HIDDEN
    assert [node["note"] for node in nodes.values() if node["note"]] == []


def test_of_custom_fields_the_value_is_hidden_and_what_is_new() -> None:
    custom = [{"customFieldId": "1", "name": "Manager", "value": "Ann Adler", "label": "Ann"}]
    assert shown(customFields=custom)["document"]["customFields"] == [
        {"customFieldId": "1", "name": "Manager", "value": HIDDEN, "label": HIDDEN}
    ]


@pytest.mark.parametrize(
    ("field", "value", "document"),
    [
        ("description", "<p>Ask ann@example.com</p>", HIDDEN),
        ("name", "ann%40example.com", HIDDEN),
        ("groups", ["1", "ann#acme@example.com"], [HIDDEN, HIDDEN]),
        ("color", "ann@example.com", HIDDEN),
        ("color", [3, {"by": "ann@example.com"}], [HIDDEN, {"by": HIDDEN}]),
        ("referents", [{"_id": "1", "firstName": "Ann"}], [{"_id": HIDDEN, "firstName": HIDDEN}]),
        ("progress", {"bob@example.com": 3, "ann@example.com": 5}, {f"{HIDDEN} 1": HIDDEN, f"{HIDDEN} 2": HIDDEN}),
        ("coaches", {"Ann Adler": {"mail": None}}, {f"{HIDDEN} 1": {"mail": None}}),
        ("modules", [{"_id": "1", "by": "ann@example.com"}], [{"_id": "1", "by": HIDDEN}]),
        ("requirements", {"paths": ["1"], "courses": ["ann@example.com"]}, {"paths": ["1"], "courses": [HIDDEN]}),
    ],
    ids=repr,
)
def test_what_holds_a_mail_or_describes_somebody_is_hidden_as_well(field: str, value: Any, document: Any) -> None:
    answer = shown(**{field: value})
    assert answer["document"][field] == document
    assert "may be about people" in [node["note"] for node in walk(answer["fields"])]
    assert shown(reveal=True, **{field: value})["document"][field] == value


def test_an_address_is_hidden_where_it_is_a_name_or_a_type() -> None:
    answer = shown(**{"ann@example.com": 1}, modules=[{"type": "ann@example.com", "ann@example.com": 2}])
    assert b"example.com" not in sent({**answer, "document": answer["document"] | {"author": None}})
    assert answer["drift"]["new_values"] == ["modules[].type …@…"]
    (node,) = [node for node in walk(answer["fields"]) if node["note"] and "new value" in node["note"]]
    assert node["note"] == f"may be about people; new value: {HIDDEN}"


def test_the_end_of_a_long_text_counts_too() -> None:
    assert shown(description="x " * LONGEST + "ann@example.com")["document"]["description"] == HIDDEN


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


@settings(max_examples=300, deadline=None)
@given(document=SESSIONS, strange=st.dictionaries(MAILS, NOISE, max_size=2))
def test_nobody_is_in_what_is_not_revealed(document: dict[str, Any], strange: dict[str, Any]) -> None:
    one = ProgramSession.model_validate(document | strange)
    answer = inspected(one, reveal=False)
    assert OURS.findall(sent(answer).decode()) == []
    assert OURS.findall(sent(inspected(one, reveal=True)).decode()) != []


# --- size ---


def test_a_long_list_is_cut_and_says_so() -> None:
    many = session(users=[*learners(20_000)], groups=[str(number) for number in range(ELEMENTS + 1)])
    answer = inspected(many, reveal=True)
    nodes = by_path(answer)
    assert (nodes["users"]["count"], len(nodes["users"]["items"]), nodes["users"]["more"]) == (20_000, 100, 19_900)
    assert answer["document"]["users"] == [*many.document()["users"][:100], "… 19,900 more"]
    assert answer["document"]["groups"][ELEMENTS:] == ["… 1 more"]
    assert len(sent(answer)) < 300_000


def test_no_more_than_that_is_looked_at() -> None:
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
    inspected(looking, reveal=False)
    assert Learners.taken <= before + ELEMENTS + 1


def test_an_unknown_object_is_cut_and_so_are_unknown_fields() -> None:
    many = {f"k{number}": number for number in range(ELEMENTS + 20)}
    answer = shown(color=many, reveal=True)
    assert by_path(answer)["color"]["more"] == 20
    assert answer["document"]["color"] == {**{f"k{number}": number for number in range(ELEMENTS)}, "…": "20 more"}
    answer = shown(**many)
    assert len(answer["fields"]) == len(ProgramSession.field_names()) + ELEMENTS
    assert answer["document"]["…"] == "20 more"
    assert len(answer["drift"]["unknown"]) == ELEMENTS
    assert answer["drift"]["more"] == 20


def test_the_drift_is_cut() -> None:
    drift = shown(modules=[{"type": f"{number} {'x' * 10_000}"} for number in range(ELEMENTS + 20)])["drift"]
    assert (len(drift["new_values"]), drift["new_values"][-1]) == (ELEMENTS + 1, "… 20 more")
    assert max(map(len, drift["new_values"])) < 1000
    (name,) = shown(**{"k" * 10_000: 1})["drift"]["unknown"]
    assert len(name) < 1000


@pytest.mark.parametrize("reveal", [True, False])
def test_a_long_text_is_cut_and_says_so(reveal: bool) -> None:
    answer = shown(reveal=reveal, description="é" * 30_000, color={"k" * 3000: ["z" * (LONGEST + 1), "y" * LONGEST]})
    nodes = by_path(answer)
    assert nodes["description"]["value"] == "é" * LONGEST + "…"
    assert nodes["description"]["note"] == "the first 2,000 of 30,000 characters"
    (name,) = answer["document"]["color"]
    assert len(name) == LONGEST + 1
    texts = ["z" * LONGEST + "…", "y" * LONGEST]
    assert answer["document"]["color"][name] == (texts if reveal else [HIDDEN, HIDDEN])


@pytest.mark.parametrize("inside", ["x", "ann@example.com"])
def test_what_is_nested_too_deeply_is_left_out(inside: str) -> None:
    value: Any = inside
    for _ in range(500):
        value = {"k": [value]}
    for reveal, expected in ((True, ("…", "nested too deeply to show")), (False, (HIDDEN, None))):
        nodes = list(walk([shown(color=value, reveal=reveal)["fields"][-1]]))
        assert len(nodes) == DEPTH
        assert (nodes[-1]["value"], nodes[-1]["note"]) == expected


def test_the_whole_is_limited_and_every_field_is_still_there() -> None:
    wide: Any = 1
    for _ in range(4):
        wide = [wide] * 50
    answer = shown(zone=wide, color="red", users=learners(1000))
    nodes = by_path(answer)
    assert len(nodes) < NODES + 2 * ELEMENTS
    assert nodes["color"]["value"] == HIDDEN
    assert nodes["users"]["more"] == 900
    assert any(node["note"] == "the document is too large to show more" for node in nodes.values())
    assert len(sent(answer)) < 2_000_000


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
def test_what_the_wire_or_the_browser_cannot_hold_is_text(text: str, value: Any) -> None:
    body = f'{{"_id": "1", "color": {text}, "users": [{{"badge": {text}}}]}}'
    answer = inspected(ProgramSession.model_validate(json.loads(body)), reveal=True)
    assert json.loads(sent(answer))["document"]["color"] == value
    assert answer["document"]["users"] == [{"badge": value}]


def test_half_a_character_in_a_name() -> None:
    answer = shown(color={"\ud83d": 1}, reveal=True)
    assert json.loads(sent(answer))["document"]["color"] == {"\ufffd": 1}
