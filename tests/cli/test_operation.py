"""`operation`: the documentation of one operation, for people and as data."""

from __future__ import annotations

import json
import shlex
from dataclasses import replace
from typing import Any

import pytest
import yaml

from airflow_provider_learning360.api.catalogue.catalogue import load_operations
from airflow_provider_learning360.api.catalogue.example import example_call
from airflow_provider_learning360.api.catalogue.operation import Operation
from airflow_provider_learning360.cli.__main__ import build_parser
from airflow_provider_learning360.cli.call_arguments import parse_parameters, read_body
from airflow_provider_learning360.cli.operation import document_operation, text_lines
from airflow_provider_learning360.cli.outline import describe_type, outline_schema
from airflow_provider_learning360.cli.snippets import write_command, write_python, write_yaml_step
from case_samples import each_operation

OPERATIONS = load_operations()
ID = {"type": "string", "pattern": "^[a-fA-F0-9]{24}$"}
Command = Any
PYTHON = """
LearningOperationOperator(
    task_id="replace_path_steps",
    operation="replace-path-steps",
    parameters={"pathId": "aaaaaaaaaaaaaaaaaaaaaaaa"},
    body={
        "names": [
            {"first": "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"},
            {"last": "yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy"},
        ],
        "on": True,
    },
    replace=True,
)
"""


def test_people_read_what_an_operation_takes_and_returns(call_command: Command) -> None:
    status, out, err = call_command("operation", "replace-path-session-audience")
    assert (status, err) == (0, "")
    lines = out.splitlines()
    assert lines[0] == "replace-path-session-audience"
    assert lines[1] == OPERATIONS["replace-path-session-audience"].data["text"]
    for line in (
        "request      PUT /api/v2/paths/{pathId}/sessions/{sessionId}/audiences",
        "version      API v2",
        "scope        paths:write; the client of the connection needs it",
        "people       The answer holds data about people. `call` masks it.",
        "confidence   documented by 360Learning",
        "Body (application/json)",
        "        type (required): groups",
        "Answer (200)",
        "  airflow learning360 call replace-path-session-audience \\",
        "    --replace",
        "  LearningOperationOperator(",
        "  steps:",
    ):
        assert [one for one in lines if one.startswith(line)], line
    removed = "everything that is not in the body is removed"
    assert f"It replaces the audience of the session: {removed}. `call` needs --replace." in out
    assert "sessionNotFound" in out
    assert "mode (required): one of dynamic, dynamicEnrollment, dynamicUnenrollment, manual" in out


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("list-users", "  list of objects, each with"),
        ("get-user", "  object"),
        ("get-user-v1", "  object"),
        ("edit-classroom-slot-v1", "  object; the fields are not documented"),
        ("get-user-certificate-pdf", "  file"),
        ("delete-user", "  without content"),
    ],
)
def test_answer_is_described(name: str, line: str) -> None:
    lines = list(text_lines(OPERATIONS[name]))
    (place,) = [number for number, one in enumerate(lines) if one.startswith("Answer (")]
    assert lines[place + 1] == line


def test_fields_that_are_not_documented_are_mentioned() -> None:
    line = "    and fields that are not documented"
    assert line in list(text_lines(OPERATIONS["get-user-v1"]))
    assert line in list(text_lines(OPERATIONS["list-path-sessions-v1"]))
    assert line not in list(text_lines(OPERATIONS["list-program-sessions-v1"]))


@each_operation(OPERATIONS.values())
def test_every_operation_has_documentation(operation: Operation) -> None:
    lines = list(text_lines(operation))
    assert [line for line in lines if "\n" in line] == []
    document = document_operation(operation)
    assert "#/schemas/" not in json.dumps(document)
    assert [one["key"] for one in document["parameters"]] == [key for key, _ in operation.keys]


@pytest.mark.parametrize("output", ["json", "yaml"])
def test_data_is_the_same_in_both_formats(call_command: Command, output: str) -> None:
    status, out, err = call_command("operation", "create-user", "-o", output)
    assert (status, err) == (0, "")
    read = json.loads(out) if output == "json" else yaml.safe_load(out)
    assert read == document_operation(OPERATIONS["create-user"])
    assert "&id" not in out


def test_unknown_name_is_refused_with_the_nearest_one(call_command: Command) -> None:
    status, out, err = call_command("operation", "creat-user")
    assert (status, out) == (2, "")
    assert err == (
        "Error: operation: 'creat-user' is not an operation of 360Learning; did you mean create-user? "
        "`airflow learning360 operations` lists all.\n"
    )


# --- ready to paste ---


@each_operation(OPERATIONS.values())
def test_command_gives_the_arguments_of_the_example(operation: Operation) -> None:
    words = shlex.split(write_command(operation).replace("\\\n", " "))
    assert words[:2] == ["airflow", "learning360"]
    arguments = build_parser().parse_args(words[2:])
    example = example_call(operation)
    assert arguments.operation == operation.name
    assert parse_parameters(operation, arguments.parameters or ()) == example.get("parameters", {})
    assert read_body(arguments.body) == example.get("body")
    assert arguments.replace == ("replaces" in operation.data)


@each_operation(OPERATIONS.values())
def test_python_gives_the_arguments_of_the_example(operation: Operation) -> None:
    given = eval(write_python(operation), {"LearningOperationOperator": dict})
    assert given == expected_arguments(operation) | {"task_id": operation.name.replace("-", "_")}


@each_operation(OPERATIONS.values())
def test_yaml_gives_the_arguments_of_the_example(operation: Operation) -> None:
    ((name, step),) = yaml.safe_load(write_yaml_step(operation))["steps"].items()
    assert name == operation.name.replace("-", "_")
    assert step == {"blueprint": step["blueprint"], **expected_arguments(operation)}


def expected_arguments(operation: Operation) -> dict[str, Any]:
    arguments = {name: one for name, one in example_call(operation).items() if one}
    return {"operation": operation.name, **arguments, **({"replace": True} if "replaces" in operation.data else {})}


def test_long_python_has_each_part_on_a_line() -> None:
    example = {
        "parameters": {"pathId": "a" * 24},
        "body": {"names": [{"first": "x" * 30}, {"last": "y" * 40}], "on": True},
    }
    operation = OPERATIONS["replace-path-steps"]
    text = write_python(replace(operation, data={**operation.data, "example": example}))  # type: ignore[arg-type]
    assert text == PYTHON.strip()


# --- outline ---


@pytest.mark.parametrize(
    ("schema", "text"),
    [
        (ID, "ID"),
        ({"type": "array", "items": ID, "maxItems": 20}, "list of IDs, at most 20 items"),
        ({"type": ["string", "null"], "format": "date-time"}, "date and time or null"),
        ({"type": "string", "minLength": 1, "maxLength": 80}, "text, not empty, at most 80 characters"),
        ({"type": "string", "enum": ["a", "b"]}, "a or b"),
        ({"type": ["string", "null"], "enum": ["a", "b", None]}, "one of a, b, null"),
        ({"type": "integer", "minimum": 1}, "whole number, at least 1"),
        ({"anyOf": [{"type": "string"}, {"type": "null"}]}, "text or null"),
        ({"type": "string", "format": "binary"}, "file"),
        ({"$ref": "#/schemas/Id"}, "ID"),
    ],
)
def test_type_is_described_in_words(schema: dict[str, Any], text: str) -> None:
    assert describe_type(schema, {"Id": ID}) == text


def test_fields_are_indented_below_their_object() -> None:
    shapes = [{"type": "object", "properties": {name: {"type": "string"}}} for name in ("x", "y")]
    schema = {
        "type": "object",
        "required": ["users"],
        "properties": {
            "users": {"type": "array", "items": {"type": "object", "properties": {"_id": ID}}, "description": "Who."},
            "filter": {"anyOf": shapes},
        },
    }
    assert list(outline_schema(schema, {})) == [
        "users (required): list of objects. Who.",
        "  _id: ID",
        "filter: object",
        "  either",
        "    x: text",
        "  or",
        "    y: text",
    ]
