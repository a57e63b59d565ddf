from __future__ import annotations

import json
import os
import warnings
from datetime import timedelta
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from airflow.exceptions import AirflowProviderDeprecationWarning

from airflow_provider_learning360.api.errors import FixArgumentError
from airflow_provider_learning360.reminders.duration import Duration
from airflow_provider_learning360.reminders.policy import ReminderPolicy

BEFORE: dict[str, Any] = {"name": "before", "anchor": "startDate", "before": {"days": 1}, "audience": "learners"}
OVERDUE: dict[str, Any] = {
    "name": "overdue", "anchor": "endDate", "after": {"days": 1}, "every": {"days": 2}, "at_most": 5,
    "escalate_to_tutors_after": 3, "audience": ["not_completed"],
}  # fmt: skip
MOVED: dict[str, Any] = {"name": "moved", "on": "date_changed", "audience": ["learners", "tutors"]}
DIGEST: dict[str, Any] = {
    **BEFORE,
    "name": "digest",
    "audience": "tutors",
    "to": "ops@example.com",
    "message": "digest",
}
FULL: dict[str, Any] = {
    "name": "full",
    "time_zone": "Europe/Paris",
    "quiet_hours": {"from": "20:00", "to": "08:00"},
    "working_days": ["mon", "tue"],
    "shift": "later",
    "max_lateness": {"hours": 3},
    "when_several_are_due": "all",
    "skip_if_automated_reminders": True,
    "rules": [
        BEFORE,
        OVERDUE,
        {**MOVED, "settle": {"minutes": 5}},
        {**DIGEST, "delivery": "at_most_once", "template": "t"},
    ],
}


def policy(*rules: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {"name": "test", "rules": list(rules or [BEFORE]), **fields}


def read_error(source: Any) -> str:
    with pytest.raises(FixArgumentError) as caught:
        ReminderPolicy.read(source)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_policy_reads_the_same_from_every_source(tmp_path: Path) -> None:
    expected = ReminderPolicy.read(FULL)
    (tmp_path / "policy.yaml").write_text(yaml.safe_dump(FULL))
    (tmp_path / "policy.json").write_text(json.dumps(FULL, indent="\t"))
    sources = [
        expected, yaml.safe_dump(FULL), json.dumps(FULL), json.dumps(FULL, indent="\t"),
        tmp_path / "policy.yaml", str(tmp_path / "policy.yaml"), str(tmp_path / "policy.json"),
        expected.model_dump(mode="json", by_alias=True, exclude_unset=True),
    ]  # fmt: skip
    for source in sources:
        assert ReminderPolicy.read(source) == expected


def test_defaults_are_as_documented() -> None:
    read = ReminderPolicy.read(policy())
    assert (read.time_zone, read.quiet_hours, len(read.working_days), read.shift) == ("UTC", None, 7, None)
    assert (read.max_lateness, read.when_several_are_due) == (Duration(hours=6), "closest")
    assert not read.skip_if_automated_reminders
    (rule,) = read.rules
    assert (rule.message, rule.delivery, rule.template, rule.to, rule.settle) == (
        "each", "at_least_once", None, (), Duration(minutes=10),
    )  # fmt: skip
    assert rule.audience == ("learners",)


@pytest.mark.parametrize(("once", "delivery"), [("record_after", "at_least_once"), ("claim_before", "at_most_once")])
def test_once_still_works_with_one_warning(once: str, delivery: str) -> None:
    old = f"name: test\nrules:\n  - {{name: x, on: date_changed, audience: learners, once: {once}}}\n"
    with pytest.warns(
        AirflowProviderDeprecationWarning, match=f"`delivery: {delivery}` instead of `once: {once}`"
    ) as seen:
        read = ReminderPolicy.read(old)
    assert len(seen) == 1
    assert read.rules[0].delivery == delivery
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert ReminderPolicy.read(old.replace(f"once: {once}", f"delivery: {delivery}")) == read


def test_timedelta_is_read_as_days_hours_and_minutes() -> None:
    read = ReminderPolicy.read(policy({**BEFORE, "before": timedelta(days=1, hours=2, minutes=3)}))
    assert read.rules[0].before == Duration(days=1, hours=2, minutes=3)
    assert ReminderPolicy.read(policy(max_lateness=timedelta(minutes=90))).max_lateness == Duration(hours=1, minutes=30)


def test_yaml_needs_no_quotes_for_on_and_times() -> None:
    # YAML 1.1 reads `on` as true and 20:00 as 1200.
    text = (
        "name: test\nquiet_hours: {from: 20:00, to: 08:00}\nworking_days: mon\nrules:\n  - {name: moved, on: "
        "date_changed, settle: {minutes: 8}, audience: learners}\n"
    )
    read = ReminderPolicy.read(text)
    assert read.rules[0].on == "date_changed"
    assert read.working_days == ("mon",)
    assert read.quiet_hours
    assert (read.quiet_hours.start.hour, read.quiet_hours.end.hour) == (20, 8)


def test_on_may_have_become_true() -> None:
    other = yaml.safe_load("name: test\nrules:\n  - {name: moved, on: date_changed, audience: learners}\n")
    assert True in other["rules"][0]
    assert ReminderPolicy.read(other).rules[0].on == "date_changed"


@pytest.mark.parametrize(
    ("source", "words"),
    [
        (policy({**BEFORE, "anchor": "stratDate"}), ["rule 'before': anchor: 'stratDate'", "startDate, endDate",
                                                     "did you mean startDate?"]),
        (policy({**BEFORE, "before": {"day": 1}}), ["before.day", "no such field", "did you mean days?"]),
        (policy({**BEFORE, "audience": "learner"}), ["audience: 'learner'", "did you mean learners?", "tutors"]),
        (policy({**BEFORE, "audience": ["learners", 5]}), ["audience: 5 is not one of"]),
        (policy({**BEFORE, "audiance": "learners"}), ["audiance", "did you mean audience?"]),
        (policy({**BEFORE, "before": "2 days"}), ["before: '2 days' is not a duration; write {days: 1}",
                                                 "known are days, hours, minutes"]),
        (policy({**BEFORE, "before": {"days": 1.5}}), ["before.days: 1.5 is not a whole number"]),
        (policy({**BEFORE, "before": {"days": -1}}), ["before.days", "-1 was given"]),
        (policy({**BEFORE, "before": {}}), ["before: must be longer"]),
        (policy({**BEFORE, "after": {"days": 1}}), ["either `before` or `after`"]),
        (policy({"name": "x", "audience": "learners"}), ["rule 'x'", "`anchor`", "`on: date_changed`"]),
        (policy({**BEFORE, "on": "date_changed"}), ["anchor, before: cannot be used with `on: date_changed`"]),
        (policy({**BEFORE, "on": "dates_changed"}), ["'dates_changed'", "did you mean date_changed?"]),
        (policy({**BEFORE, "settle": {"minutes": 1}}), ["settle: only for `on: date_changed`"]),
        (policy({**BEFORE, "every": {"days": 1}}), ["every: only for `after`"]),
        (policy({**BEFORE, "at_most": 3}), ["at_most: only for `every`"]),
        (policy({**OVERDUE, "at_most": None}), ["at_most: is missing", "1 to 50"]),
        (policy({**OVERDUE, "at_most": 51}), ["at_most", "50", "51 was given"]),
        (policy({**OVERDUE, "every": {}}), ["every: must be longer"]),
        (policy({**OVERDUE, "escalate_to_tutors_after": 5}), ["escalate_to_tutors_after", "less than at_most"]),
        (policy({**BEFORE, "audience": []}), ["audience: is missing", "learners, not_completed, late, tutors", "`to`"]),
        (policy({**BEFORE, "message": "digest"}), ["digest is for `audience: tutors`"]),
        (policy({**BEFORE, "message": "digests"}), ["did you mean digest?"]),
        (policy({**BEFORE, "delivery": "never"}), ["delivery: 'never' is not one of at_least_once, at_most_once"]),
        (policy({**BEFORE, "delivery": "at_least"}), ["did you mean at_least_once?"]),
        (policy({**BEFORE, "once": "never"}), ["the field is now `delivery`", "at_most_once` (was claim_before)"]),
        (policy({**BEFORE, "once": ["record_after"]}), ["once: the field is now `delivery`"]),
        (policy({**BEFORE, "once": "record_after", "delivery": "at_least_once"}), ["the field is now `delivery`"]),
        (policy({**BEFORE, "before": timedelta(seconds=90)}), ["a timedelta must be 0 or more, in whole minutes"]),
        (policy({**BEFORE, "before": timedelta(days=-1)}), ["before: a timedelta must be 0 or more"]),
        (policy({**BEFORE, "name": "day before"}), ["name: 'day before'", "letters and digits"]),
        (policy({**BEFORE, "name": "a__b"}), ["name: 'a__b'", "letters and digits"]),
        (policy({**BEFORE, "name": "x" * 33}), ["at most 32"]),
        (policy({**BEFORE, "name": None}, BEFORE), ["rule number 1: name"]),
        (policy(BEFORE, {**OVERDUE, "name": "Before"}), ["two of them have the name 'before'"]),
        (policy(MOVED, {**MOVED, "name": "other", "settle": {"hours": 1}}), ["settle: must be the same"]),
        (policy(5), ["rule number 1: 5 is not a rule", "known are name, anchor"]),
        (policy(time_zone="Europe/Pariss"), ["time_zone: 'Europe/Pariss'", "did you mean Europe/Paris?"]),
        (policy(time_zone="../../etc/passwd"), ["time_zone", "not an IANA time zone"]),
        (policy(time_zone="Europe"), ["time_zone: 'Europe'"]),
        (policy(quiet_hours="20:00-08:00"), ["'20:00-08:00' is not quiet hours", "from", "to"]),
        (policy({**BEFORE, "audience": 5}), ["audience: 5 is not a list"]),
        (policy(working_days={"mon": 1}), ["working_days: {'mon': 1} is not a list"]),
        (policy(rules=5), ["rules: 5 is not a list"]),
        (policy({**BEFORE, "template": 5}), ["template: 5 is not a text; put it in quotes"]),
        (policy({**BEFORE, "name": None}), ["name: None is not a text"]),
        (policy({**BEFORE, "before": {"days": "one"}}), ["before.days: 'one' is not a whole number"]),
        (policy({**BEFORE, "before": {"days": float("nan")}}), ["before.days: nan is not a whole number"]),
        (policy(skip_if_automated_reminders="maybe"), ["'maybe' is neither true nor false"]),
        ("name: p\n? [a]\n: b\n", ["line 2: a key is a list or a mapping"]),
        ("name: !here p\n", ["line 1, column 7: tag '!here' is not known; remove it"]),
        (policy(quiet_hours={"from": 1200, "to": "08:00"}), ["quiet_hours.from: 1200", '"20:00"', "in quotes"]),
        (policy(quiet_hours={"from": "20:00"}), ["quiet_hours.to: it is missing"]),
        (policy(quiet_hours={"from": "08:00", "to": "08:00"}), ["at least one hour"]),
        (policy(quiet_hours={"from": "08:30", "to": "08:00"}), ["at least one hour"]),
        (policy(working_days=["monday"]), ["working_days: 'monday'", "did you mean mon?"]),
        (policy(working_days=[]), ["working_days", "empty"]),
        (policy(max_lateness={}), ["max_lateness: must be 30 minutes or more"]),
        (policy(when_several_are_due="nearest"), ["closest, all"]),
        (policy(rulez=[]), ["rulez", "did you mean rules?"]),
        ({"name": "test", "rules": []}, ["rules: the list is empty"]),
        ({"rules": [BEFORE]}, ["name: it is missing"]),
        ("name: a\nname: b\n", ["neither YAML nor JSON", "duplicate key 'name', in lines 1 and 2"]),
        ('{"name": "a", "name": "b"}', ["duplicate key 'name'"]),
        (policy({**BEFORE, "template": None, "name": None}), ["rule number 1: name"]),
        ("a: [b\n", ["neither YAML nor JSON", "line 2"]),
        ("- a\n- b\n", ["not a policy", "`rules`"]),
        ("a: \x00\n", ["neither YAML nor JSON"]),
        ("nowhere/policy.yaml", ["nowhere/policy.yaml", "No such file"]),
        (Path("/"), ["cannot be read"]),
    ],
    ids=lambda value: value[0][:40] if isinstance(value, list) else "",
)  # fmt: skip
def test_errors_name_the_field_and_what_is_allowed(source: Any, words: list[str]) -> None:
    message = read_error(source)
    assert message.startswith("Reminder policy")
    assert [word for word in words if word not in message] == []


class _Unprintable:
    def __repr__(self) -> str:
        raise OSError("no")


@pytest.mark.parametrize(
    "value",
    [10**5000, -(10**5000), [10**5000], {"x": 10**5000}, _Unprintable(), float("nan")],
    ids=lambda value: type(value).__name__,
)
@pytest.mark.parametrize(
    "place",
    [
        lambda value: policy({**BEFORE, "before": {"days": value}}),
        lambda value: policy({**BEFORE, "before": value}),
        lambda value: policy({**BEFORE, "audience": [value]}),
        lambda value: policy({**BEFORE, "name": value}),
        lambda value: policy({**OVERDUE, "at_most": value}),
        lambda value: policy(working_days=[value]),
        lambda value: policy(quiet_hours={"from": value, "to": "08:00"}),
        lambda value: policy(value),
        lambda value: policy(rulez=value),
        lambda value: {"name": value, "rules": value},
    ],
)  # fmt: skip
def test_any_value_in_any_place_is_a_typed_error(place: Any, value: Any) -> None:
    assert len(read_error(place(value))) < 3000


@pytest.mark.parametrize("days", ["0x" + "f" * 4000, "9" * 400, '"\\U00110000"'])
def test_unreadable_values_are_typed_errors(days: str) -> None:
    assert "neither YAML nor JSON" in read_error(f"name: p\nrules: [{{name: r, before: {{days: {days}}}}}]\n")


def test_error_names_each_problem_once() -> None:
    message = read_error(policy({**BEFORE, "anchor": "stratDate"}))
    assert message == (
        "Reminder policy 'test': rule 'before': anchor: 'stratDate' is not one of startDate, endDate, dueDate; "
        "did you mean startDate?"
    )
    rules = [{**BEFORE, "name": f"rule{place}", "delivery": "x"} for place in range(8)]
    assert read_error(policy(*rules)).endswith("(And 3 more.)")


@pytest.mark.parametrize(
    "to",
    [
        "ann.lee#acme@example.com",
        "ann@lee@example.com",
        "ann lee@example.com",
        ["a@example.com", "nobody"],
        "a,b@c.com",
    ],
)
def test_invalid_address_is_not_shown(to: Any) -> None:
    message = read_error(policy({**BEFORE, "to": to}))
    assert "rule 'before': to: " in message
    assert f"position {2 if isinstance(to, list) else 1}" in message
    assert "example" not in message
    assert "ann" not in message
    misplaced = read_error(policy({**BEFORE, "audience": to}))
    assert "example" not in misplaced
    assert "audience" in misplaced


@pytest.mark.parametrize(
    "source", [None, 5, 1.5, True, b"name: p", [], [FULL], object()], ids=lambda one: type(one).__name__
)
def test_source_of_another_type_is_a_typed_error(source: Any) -> None:
    assert f"type {type(source).__name__} is not a policy. Give a mapping" in read_error(source)


@pytest.mark.parametrize(
    "text", [json.dumps(FULL), json.dumps(FULL, indent="\t"), yaml.safe_dump(FULL)], ids=["json", "tabs", "yaml"]
)
def test_byte_order_mark_is_ignored(text: str, tmp_path: Path) -> None:
    (tmp_path / "policy").write_text(text, "utf-8-sig")
    assert ReminderPolicy.read(tmp_path / "policy") == ReminderPolicy.read(f"\ufeff{text}") == ReminderPolicy.read(FULL)


def test_binary_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "policy.yaml").write_bytes(b"\xff\xfe\x00")
    assert "UTF-8" in read_error(tmp_path / "policy.yaml")


@pytest.mark.parametrize("place", ["file", "text"])
@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("# " + "x" * 1024 * 1024 + "\n", "longer than 1 MiB"),
        ("a: &a0 [x]\n" + "".join(f"k{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 20)), "100,000"),
        ("a: &a0 {x: y}\n" + "".join(f"k{n}: &a{n} {{<<: [*a{n - 1}, *a{n - 1}]}}\n" for n in range(1, 40)), "100,000"),
        ("a:\n" + "\n".join(" " * n + "- " for n in range(1, 200)), "nested more than 50 levels"),
        ("{" * 5000 + "}" * 5000 + "\n", "nested more than 50 levels"),
        ('{"a": ' + "[" * 500 + "]" * 500 + "}", "nested more than 50 levels"),
        ("a: &a [*a]\n", "refers to itself"),
    ],
)
def test_too_large_source_is_refused_before_it_is_built(text: str, words: str, place: str, tmp_path: Path) -> None:
    (tmp_path / "policy.yaml").write_text(text)
    assert words in read_error(text if place == "text" else tmp_path / "policy.yaml")


def test_special_file_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path, tmp_path / "pipe", Path("/dev/zero"), Path("/dev/null")):
        assert "not a regular file" in read_error(path)
    assert "cannot be read" in read_error("policy\0.yaml")


def test_words_that_begin_like_other_values_stay_texts() -> None:
    text = f"name: false_start\nrules:\n  - {json.dumps({**BEFORE, 'name': 'x'})}\n".replace('"x"', "true_story")
    read = ReminderPolicy.read(text.replace('"audience"', '"template": nullify, "audience"'))
    assert (read.name, read.rules[0].name, read.rules[0].template) == ("false_start", "true_story", "nullify")


def test_repr_shows_no_fixed_address() -> None:
    assert "ops" not in repr(ReminderPolicy.read(FULL))


def test_rules_are_found_by_name() -> None:
    read = ReminderPolicy.read(FULL)
    assert read.find_rule("moved") is read.rules[2]
    with pytest.raises(FixArgumentError, match="no rule 'moves'; did you mean 'moved'"):
        read.find_rule("moves")
    with pytest.raises(FixArgumentError, match="It has: before, overdue, moved, digest"):
        read.find_rule("x")


def test_json_schema_accepts_valid_policies_and_describes_every_field() -> None:
    schema = json.loads(json.dumps(ReminderPolicy.json_schema()))
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    validator.validate(FULL)
    validator.validate(policy(working_days="mon"))
    for wrong in (policy(colour="blue"), policy({**BEFORE, "audience": "all"}), policy({**BEFORE, "name": "a__b"}),
                  policy(quiet_hours={"from": "8:00", "to": "9:00"}), {"name": "x", "rules": []}):  # fmt: skip
        assert not validator.is_valid(wrong)
    rule = schema["$defs"]["ReminderRule"]["properties"]
    assert all(field.get("description") for field in [*rule.values(), *schema["properties"].values()])
    assert ":param" not in json.dumps(schema)
