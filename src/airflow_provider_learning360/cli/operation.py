"""`operation`: the documentation of one operation, and how to call it."""

from __future__ import annotations

import json
from textwrap import indent
from typing import TYPE_CHECKING, TypedDict

from airflow_provider_learning360.api.catalogue.answers import has_other_fields
from airflow_provider_learning360.api.catalogue.catalogue import find_operation
from airflow_provider_learning360.api.catalogue.differences import resolve
from airflow_provider_learning360.api.catalogue.example import example_call
from airflow_provider_learning360.api.catalogue.inlining import inline_schema
from airflow_provider_learning360.api.catalogue.operation import JSON_TYPE
from airflow_provider_learning360.cli.errors import report_argument_errors
from airflow_provider_learning360.cli.outline import INDENT, describe_type, outline_schema
from airflow_provider_learning360.cli.output import write, write_json, write_yaml
from airflow_provider_learning360.cli.snippets import write_command, write_python, write_yaml_step

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Iterator, Sequence

    from airflow_provider_learning360.api.api_version import ApiVersion
    from airflow_provider_learning360.api.catalogue.operation import (
        Confidence,
        ExampleData,
        JsonSchema,
        Operation,
        Parameter,
        Place,
        Repeat,
    )

_REPEAT: dict[Repeat, str] = {
    "read": "It changes nothing.",
    "repeatable": "It changes data. Sent twice, it has the same result, so it is repeated after a failure.",
    "once": "It changes data. It is not repeated after a failure without a response: the work might be done twice.",
}
_CONFIDENCE: dict[Confidence, str] = {
    "documented": "documented by 360Learning",
    "recorded": "seen in recorded traffic or in the code of a public client; 360Learning does not document it",
    "reported": "reported by others; treat it as a guess, and test it first",
}
LABEL = 12  # characters of the first column


class ParameterDocumentation(TypedDict):
    """A parameter as `operation -o json` prints it. `key` is what `-p` takes."""

    key: str
    place: Place
    required: bool
    schema: JsonSchema
    text: str | None


class OperationDocumentation(TypedDict):
    """What `operation -o json` prints. Schemas refer to no other schema."""

    name: str
    version: ApiVersion
    method: str
    path: str
    topic: str
    text: str
    scope: str | None
    repeat: Repeat
    replaces: str | None
    people: bool
    usual: bool
    asynchronous: bool
    confidence: Confidence
    warning: str | None
    counterpart: str | None
    page_size: int | None
    parameters: list[ParameterDocumentation]
    body: JsonSchema | None
    body_type: str | None
    answer: JsonSchema | None
    status: int
    errors: dict[str, list[str]]
    example: ExampleData
    reference: str | None


def operation(args: Namespace) -> None:
    """
    Print the documentation of an operation.

    :param args: `operation` and `output`.
    """
    with report_argument_errors():
        found = find_operation(args.operation)
    if args.output == "json":
        write_json(document_operation(found), indent=2)
    elif args.output == "yaml":
        # Parts that are the same object would become aliases.
        write_yaml(json.loads(json.dumps(document_operation(found))))
    else:
        write("\n".join(text_lines(found)))


def document_operation(operation: Operation) -> OperationDocumentation:
    """
    Return the documentation of an operation as data.

    :param operation: The operation.
    """
    data, body, answer = operation.data, operation.body, operation.data["answer"].get("schema")
    return {
        "name": operation.name,
        "version": operation.version,
        "method": operation.method,
        "path": operation.path,
        "topic": data["topic"],
        "text": data["text"],
        "scope": data.get("scope"),
        "repeat": operation.repeat,
        "replaces": data.get("replaces"),
        "people": data.get("people", False),
        "usual": data.get("usual", False),
        "asynchronous": operation.is_asynchronous,
        "confidence": data["confidence"],
        "warning": data.get("warning"),
        "counterpart": data.get("counterpart"),
        "page_size": data.get("page_size"),
        "parameters": [_document_parameter(operation, key, one) for key, one in operation.keys],
        "body": None if body is None else inline_schema(body["schema"], operation.schemas),
        "body_type": None if body is None else body.get("type", JSON_TYPE),
        "answer": None if answer is None else inline_schema(answer, operation.schemas),
        "status": data["answer"]["status"],
        "errors": data.get("errors", {}),
        "example": example_call(operation),
        "reference": data.get("reference"),
    }


def text_lines(operation: Operation) -> Iterator[str]:
    """
    Yield the documentation of an operation for people, line by line.

    :param operation: The operation.
    """
    yield operation.name
    yield operation.data["text"]
    yield ""
    for label, text in _facts(operation):
        yield f"{label:<{LABEL}} {text}"
    for title, lines in _parts(operation):
        if lines:
            yield ""
            yield title
            yield from (indent(line, INDENT) for line in lines)


def _document_parameter(operation: Operation, key: str, parameter: Parameter) -> ParameterDocumentation:
    return {
        "key": key,
        "place": parameter.place,
        "required": parameter.required,
        "schema": inline_schema(parameter.schema_of(key), operation.schemas),
        "text": parameter.text or None,
    }


def _facts(operation: Operation) -> Iterator[tuple[str, str]]:
    data = operation.data
    yield "request", f"{operation.method} {operation.path}"
    yield "topic", data["topic"]
    yield "version", f"API {operation.version}"
    if "scope" in data:
        yield "scope", f"{data['scope']}; the client of the connection needs it"
    yield "repeat", _REPEAT[operation.repeat]
    if "replaces" in data:
        removed = "everything that is not in the body is removed"
        yield "replaces", f"It replaces {data['replaces']}: {removed}. `call` needs --replace."
    if "warning" in data:
        yield "warning", data["warning"]
    if operation.is_asynchronous:
        yield "later", "360Learning does the work later. The answer names a bulk operation, which shows the progress."
    if "page_size" in data:
        yield "pages", f"{data['page_size']} items on a page"
    if data.get("people"):
        yield "people", "The answer holds data about people. `call` masks it."
    yield "confidence", _CONFIDENCE[data["confidence"]]
    if "counterpart" in data:
        yield "counterpart", f"{data['counterpart']}, in API {find_operation(data['counterpart']).version}"
    if "reference" in data:
        yield "reference", data["reference"]


def _parts(operation: Operation) -> Iterator[tuple[str, Sequence[str]]]:
    answer = operation.data["answer"]
    yield "Parameters", _parameter_lines(operation)
    if operation.body is not None:
        kind = operation.body.get("type", JSON_TYPE)
        yield f"Body ({kind})", _schema_lines(operation.body["schema"], operation)
        example = example_call(operation).get("body")
        yield "Example of a body", json.dumps(example, indent=2, ensure_ascii=False).splitlines()
    lines = _schema_lines(answer["schema"], operation) if "schema" in answer else ["without content"]
    yield f"Answer ({answer['status']})", lines
    yield "Errors", [f"{status}  {', '.join(codes)}" for status, codes in operation.data.get("errors", {}).items()]
    yield "Call it", write_command(operation).splitlines()
    yield "Task in Python", write_python(operation).splitlines()
    yield "Step in YAML", write_yaml_step(operation).splitlines()


def _schema_lines(schema: JsonSchema, operation: Operation) -> list[str]:
    fields = list(outline_schema(schema, operation.schemas, 1))
    kind = describe_type(schema, operation.schemas)
    if fields:
        is_list = resolve(schema, operation.schemas).get("type") == "array"
        others = [f"{INDENT}and fields that are not documented"] if has_other_fields(schema, operation) else []
        return [f"{kind}, each with" if is_list else kind, *fields, *others]
    return [f"{kind}; the fields are not documented" if "object" in kind else kind]


def _parameter_lines(operation: Operation) -> list[str]:
    rows: list[tuple[str, str, str]] = []
    for key, parameter in operation.keys:
        kind = describe_type(parameter.schema_of(key), operation.schemas)
        rows.append((f"{key}{' (required)' if parameter.required else ''}", kind, parameter.text))
    width = max((len(key) for key, _, _ in rows), default=0)
    return [f"{key:<{width}}  {kind}{'. ' if text else ''}{text}" for key, kind, text in rows]
