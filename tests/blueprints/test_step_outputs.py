"""What earlier steps returned, in the texts of a later step."""

from __future__ import annotations

from datetime import UTC
from typing import Any
from zoneinfo import ZoneInfo

import jinja2
import pytest

from airflow_provider_learning360.step_outputs import (
    StepValue,
    find_part,
    find_step_names,
    flatten,
    format_value,
    resolve_reference,
)

PARIS = ZoneInfo("Europe/Paris")
PEOPLE = [{"mail": "ann@example.com", "age": 3}, {"mail": "ben@example.com"}]


def render(text: str, value: Any, zone: Any = UTC) -> str:
    return jinja2.Environment().from_string(text).render(item=StepValue(value, zone))


@pytest.mark.parametrize(
    ("text", "value", "expected"),
    [
        ("{{ item.name }}", {"name": "Safety"}, "Safety"),
        ("{{ item.name }}", {}, ""),
        ("{{ item.a.b.c }}", {"a": {"b": {"c": 3}}}, "3"),
        ("{{ item.count }}", PEOPLE, "2"),
        ("{{ item.count }}", [PEOPLE, PEOPLE[:1]], "3"),
        ("{{ item.mail }}", PEOPLE, "ann@example.com, ben@example.com"),
        ("{{ item[1].mail }}", PEOPLE, "ben@example.com"),
        ("{{ item[7].mail }}", PEOPLE, ""),
        ("{{ item.count }}", {"count": "own"}, "own"),
        ("{{ item.done }}", {"done": True}, "yes"),
        ("{{ item.items }}", {"items": "a field, not a method"}, "a field, not a method"),
        ("{% for one in item %}{{ one.mail }};{% endfor %}", PEOPLE, "ann@example.com;ben@example.com;"),
        ("{% if item.users %}some{% else %}none{% endif %}", {"users": []}, "none"),
        ("{{ item.text }}", {"text": "two\n lines"}, "two lines"),
        ("{{ item.count > 1 }} {{ item.count <= 1 }} {{ item.count == 2 }}", PEOPLE, "True False True"),
        ("{{ item.state == 'late' }} {{ item.state != 'late' }}", {"state": "late"}, "True False"),
        ("{{ item.state in ['late', 'lost'] }}", {"state": "late"}, "True"),
        ("{{ 'afe' in item.name }} {{ 'b' in item.names }}", {"name": "Safety", "names": ["a", "b"]}, "True True"),
        ("{{ item.days | int + 1 }} {{ item.name | length }}", {"days": "5", "name": "Safety"}, "6 6"),
        ("{{ item.end < '2026-06' }} {{ item.end == item.end }}", {"end": "2026-03-01"}, "True True"),
    ],
)
def test_reference_shows_fields_items_and_counts(text: str, value: Any, expected: str) -> None:
    assert render(text, value) == expected


@pytest.mark.parametrize("value", ["{{ 7 * 7 }}", "{% raw %}", "{{ item.secret }}", "${x}"])
def test_data_is_never_rendered_itself(value: str) -> None:
    assert render("{{ item.name }}", {"name": value, "secret": "s"}) == value


@pytest.mark.parametrize("name", ["__class__", "__init__"])
def test_template_reaches_no_class(name: str) -> None:
    from airflow.sdk.definitions._internal.templater import SandboxedEnvironment

    with pytest.raises(jinja2.exceptions.SecurityError):
        SandboxedEnvironment().from_string("{{ item.NAME.x }}".replace("NAME", name)).render(item=StepValue({}, UTC))


def test_time_is_written_in_the_zone_of_the_step() -> None:
    assert format_value("2026-03-01T08:00:00.000Z", PARIS) == "2026-03-01 09:00 (Europe/Paris)"
    assert format_value("2026-13-41T08:00:00Z", PARIS) == "2026-13-41T08:00:00Z"
    assert format_value("0001-01-01T00:00:00Z", ZoneInfo("America/New_York")) == "0001-01-01T00:00:00Z"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{{ item.people }}", PEOPLE),
        ("  {{item.people}} ", PEOPLE),
        ("{{ item.people[0] }}", PEOPLE[0]),
        ("{{ item.people.mail }}", ["ann@example.com", "ben@example.com"]),
        ("{{ item.nothing }}", None),
        ("{{ item.people }}!", "{{ item.people }}!"),
        ("{{ params.people }}", "{{ params.people }}"),
        ("no template", "no template"),
    ],
)
def test_text_that_is_one_reference_gives_the_value_itself(text: str, expected: Any) -> None:
    assert resolve_reference(text, {"item": StepValue({"people": PEOPLE}, UTC)}) == expected


def test_steps_of_a_value_are_found_in_all_its_texts() -> None:
    value = {
        "to": ["{{ steps.one.mail }}"],
        "text": "{{ steps.two.count }} {{ steps.one }}",
        "n": 3,
        "steps.no": "steps.x",
    }
    assert find_step_names(value) == ["one", "two"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{% for one in steps.late %}{{ one.name }}{% endfor %}", ["late"]),
        ("{%- if steps.late.count -%}x{%- endif -%}", ["late"]),
        ("{{ steps['late'].name }} {{ steps[ \"so-on\" ] }}", ["late", "so-on"]),
        ("{{ params.steps.late }} {{ my_steps.late }} steps.late", []),
    ],
)
def test_steps_are_found_however_a_template_names_them(text: str, expected: list[str]) -> None:
    assert find_step_names(text) == expected


def test_flatten_takes_a_value_and_lists_in_lists() -> None:
    assert flatten([[1, [2]], 3, None]) == [1, 2, 3]
    assert flatten(None) == []
    assert flatten({"a": 1}) == [{"a": 1}]
    assert find_part("text", "x") is None
