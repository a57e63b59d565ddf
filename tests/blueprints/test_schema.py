"""
The schema of DAG files in YAML, which editors read.

`python tests/blueprints/test_schema.py` writes the file of the package again.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

import airflow_provider_learning360
from airflow_provider_learning360.cli.__main__ import main
from airflow_provider_learning360.dag_yaml.schema import dag_schema, shipped_schema

SHIPPED = Path(airflow_provider_learning360.__file__).parent / "dag_yaml" / "dag.schema.json"
REPOSITORY = Path(__file__).resolve().parents[2]
BROKEN = Path(__file__).resolve().parent / "broken"
EXAMPLES = sorted((REPOSITORY / "dags_examples").rglob("*.dag.yaml"))
# What no schema can know: other steps, files, times, addresses, cron, and what Airflow is set to.
NOT_SEEN = {
    "bad_address_of_a_mail",
    "bad_person",
    "filter_after_context",
    "item_without_for_each",
    "negative_number",
    "no_replace",
    "unknown_argument_of_a_notifier",
    "unknown_column",
    "unknown_field_of_a_step",
    "unknown_field_of_an_answer",
    "unknown_field_of_an_item",
    "unknown_name_in_a_text",
    "unknown_parameter",
    "unknown_path_of_a_condition",
    "unknown_step_in_a_text",
    "unknown_word_of_a_condition",
    "bad_address",
    "bad_schedule",
    "bad_start_date",
    "bad_time",
    "bad_sender",
    "changes_of_completions",
    "changes_of_nothing",
    "circle",
    "delivers_to_itself",
    "expression_without_context",
    "fields_of_completions",
    "missing_dependency",
    "no_duration",
    "no_such_mail_template",
    "no_such_policy",
    "poll_interval_too_short",
    "policy_as_text",
    "quotes_in_a_list",
    "quotes_in_an_expression",
    "sessions_step_without_id",
    "since_step_of_another_kind",
    "since_step_without_fields",
    "since_with_watch",
    "step_twice",
    "templates_no_folder",
    "unknown_sessions_step",
    "unknown_since_step",
    "watch_without_a_name",
    "wrong_policy",
}
NO_YAML = {"yaml_syntax.dag.yaml", "address_near_bad_syntax.dag.yaml", "latin_1.dag.yaml"}
BROKEN_FILES = [path for path in sorted(BROKEN.glob("*.dag.yaml")) if path.name not in NO_YAML]


class _AsEditors(yaml.SafeLoader):
    """Reads dates as texts: YAML 1.2, which editors speak, knows none."""

    yaml_implicit_resolvers = {  # noqa: RUF012 - a class attribute of PyYAML
        first: [(tag, pattern) for tag, pattern in resolvers if not tag.endswith(":timestamp")]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


def made() -> str:
    return json.dumps(dag_schema(), indent=2) + "\n"


def problems(text: str) -> list[jsonschema.ValidationError]:
    document = yaml.load(text, Loader=_AsEditors)
    return sorted(jsonschema.Draft7Validator(json.loads(shipped_schema())).iter_errors(document), key=str)


def described(node: Any, path: str = "") -> list[str]:
    """Paths of the properties that say nothing about themselves."""
    silent = []
    for name, field in node.get("properties", {}).items():
        if not field.get("description"):
            silent.append(f"{path}.{name}")
        silent += described(field, f"{path}.{name}")
    return silent


def test_shipped_schema_is_up_to_date() -> None:
    assert SHIPPED.read_text() == made()


def test_schema_is_valid_and_describes_every_field() -> None:
    schema = json.loads(shipped_schema())
    jsonschema.Draft7Validator.check_schema(schema)
    assert described(schema) == []
    for name, form in schema["definitions"].items():
        assert form.get("description") or name == "step"
        assert described(form, name) == []
    assert "$defs" not in shipped_schema()


def test_examples_exist() -> None:
    assert EXAMPLES


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_examples_are_valid(path: Path) -> None:
    assert problems(path.read_text()) == []


@pytest.mark.parametrize("path", BROKEN_FILES, ids=lambda path: path.name)
def test_broken_files_do_not_match_the_schema(path: Path) -> None:
    assert bool(problems(path.read_text())) == (path.name.removesuffix(".dag.yaml") not in NOT_SEEN)


@pytest.mark.parametrize(
    ("step", "place", "word"),
    [
        ({"blueprint": "learning360_get_session"}, ["steps", "it"], "session_id"),
        ({"blueprint": "learning360_get_session", "session_id": "42"}, ["steps", "it", "session_id"], "42"),
        ({"blueprint": "learning360_list_sessions", "colour": 1}, ["steps", "it"], "colour"),
        ({"blueprint": "learning360_list_sessions", "contract": "lax"}, ["steps", "it", "contract"], "lax"),
    ],
)
def test_schema_error_names_the_place(step: dict[str, Any], place: list[str], word: str) -> None:
    (error,) = problems(json.dumps({"dag_id": "it", "steps": {"it": step}}))
    assert list(error.absolute_path) == place
    assert word in error.message


@pytest.mark.parametrize(
    "step",
    [
        {"blueprint": "somebody_elses", "anything": [1, 2], "depends_on": ["other"], "trigger_rule": "all_done"},
        {"blueprint": "learning360_list_sessions", "version": 1},
        {"blueprint": "learning360_deliver_reminders", "policy": "policy.yaml", "rate": None},
        {"blueprint": "learning360_get_session", "session_id": "{{ context.dag_run.conf.id }}"},
        {"blueprint": "learning360_get_session", "session_id": "${session}"},
        {"blueprint": "learning360_wait_for_change", "since_step": "other", "timeout": {"days": 1}},
        {"blueprint": "learning360_wait_for_change", "since_step": "other", "timeout": "P1DT12H"},
    ],
    ids=lambda step: step["blueprint"],
)
def test_valid_steps_match_the_schema(step: dict[str, Any]) -> None:
    assert problems(json.dumps({"dag_id": "it", "vars": {"session": "x"}, "steps": {"it": step}})) == []


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["schema"])
    assert capsys.readouterr().out == made()
    main(["schema", "--output", str(tmp_path / "it.json")])
    assert (tmp_path / "it.json").read_text() == made()
    assert capsys.readouterr().out == ""
    with pytest.raises(SystemExit):
        main(["schema", "--output", str(tmp_path)])
    assert "cannot be written: Is a directory. Give another --output." in capsys.readouterr().err


if __name__ == "__main__":
    sys.path.insert(0, str(REPOSITORY / "tests"))
    import conftest  # noqa: F401 - a home for Airflow

    SHIPPED.write_text(made())
