"""Read the operations and schemas of the vendor's OpenAPI file: names, types, required fields and allowed values."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from airflow_provider_learning360.api.catalogue.operation import JSON_TYPE

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from airflow_provider_learning360.api.catalogue.operation import (
        AnswerData,
        BodyData,
        JsonSchema,
        OperationData,
        ParameterData,
        Repeat,
    )

# Method and path.
Route = tuple[str, str]

METHODS = ("get", "post", "put", "patch", "delete")
TOKEN_PATH = "/api/v2/oauth2/token"  # noqa: S105 - the hook fetches tokens, nobody else has to
REFERENCE = "https://360learning.readme.io/reference"
# What a schema keeps. The vendor's sentences and examples are not taken over.
_KEPT = frozenset({
    "type", "enum", "const", "required", "pattern", "format", "items", "minItems", "maxItems", "minLength", "maxLength",
    "minimum", "maximum", "additionalProperties", "uniqueItems",
})  # fmt: skip
_UNUSED_FORMATS = frozenset({"ObjectId"})  # its pattern says the same, and no validator knows the name
_OPERATOR_ORDER = ("eq", "ne", "in", "nin", "gte", "gt", "lte", "lt")
_SCOPE = re.compile(r"scopes?\**:?\s*`(\w+:\w+)`", re.IGNORECASE)
_PAGE_SIZE = re.compile(r"page size of\s+\**([\d,]+)", re.IGNORECASE)
_REF: Final = "#/components/schemas/"


def read_operations(document: Mapping[str, Any]) -> dict[Route, OperationData]:
    """
    Return the operations of an OpenAPI file that a workflow may use, by method and path.

    Internal and deprecated operations are left out, and that of the token. A file without sentences has no scope and
    no page size: these are then left out, too.

    :param document: The OpenAPI file.
    """
    return {
        (method.upper(), path): _read_operation(method.upper(), path, item[method])
        for path, item in document["paths"].items()
        for method in METHODS
        if method in item and _is_offered(path, item[method])
    }


def read_schemas(document: Mapping[str, Any]) -> dict[str, JsonSchema]:
    """
    Return the schemas of an OpenAPI file, by name, as valid JSON Schema.

    :param document: The OpenAPI file.
    """
    return {name: read_schema(one) for name, one in document["components"]["schemas"].items()}


def read_schema(schema: Mapping[str, Any]) -> JsonSchema:
    """
    Return a schema without sentences, and with the vendor's known mistakes corrected.

    `nullable` means nothing in OpenAPI 3.1, so null becomes a type. `oneOf` becomes `anyOf`: some of its schemas
    overlap, and valid data would match two of them.

    :param schema: A schema of the OpenAPI file.
    """
    if "$ref" in schema:
        return {"$ref": "#/schemas/" + schema["$ref"].removeprefix(_REF)}
    read: JsonSchema = {name: value for name, value in schema.items() if name in _KEPT and name not in ("items",)}
    if read.get("format") in _UNUSED_FORMATS:
        del read["format"]
    if isinstance(schema.get("additionalProperties"), dict):
        read["additionalProperties"] = read_schema(schema["additionalProperties"])
    if "items" in schema:
        read["items"] = read_schema(schema["items"])
    if "properties" in schema:
        read["properties"] = {name: read_schema(one) for name, one in schema["properties"].items()}
    for word in ("oneOf", "anyOf"):
        if word in schema:
            read["anyOf"] = _without_repeats(read_schema(one) for one in schema[word])
    if "allOf" in schema:
        parts = [read_schema(one) for one in schema["allOf"]]
        if len(parts) == 1 and not read:
            read = parts[0]
        else:
            read["allOf"] = parts
    return _allow_null(read) if schema.get("nullable") else read


def page_address(operation_id: str) -> str:
    """
    Return the address of the vendor's page about an operation.

    :param operation_id: `operationId` of the OpenAPI file.
    """
    return f"{REFERENCE}/{re.sub(r'[^a-z0-9_-]', '', operation_id.lower())}"


def _is_offered(path: str, operation: Mapping[str, Any]) -> bool:
    internal = "internal" in operation.get("summary", "").lower() or path.endswith("/generate-from-prompt")
    return not (internal or operation.get("deprecated") or path == TOKEN_PATH)


def _read_operation(method: str, path: str, operation: Mapping[str, Any]) -> OperationData:
    text = operation.get("description", "")
    read: OperationData = {
        "method": method,
        "path": path,
        "topic": (operation.get("tags") or ["Other"])[0],
        "text": "",
        "repeat": _guess_repeat(method),
        "confidence": "documented",
        "answer": _read_answer(method, operation["responses"]),
    }
    if found := _SCOPE.search(text):
        read["scope"] = found[1]
    if found := _PAGE_SIZE.search(text):
        read["page_size"] = int(found[1].replace(",", ""))
    if read["answer"]["status"] == 202:
        read["asynchronous"] = True
    if parameters := [_read_parameter(one) for one in operation.get("parameters", ()) if one["in"] != "header"]:
        read["parameters"] = parameters
    if "requestBody" in operation:
        read["body"] = _read_body(operation["requestBody"])
    if errors := dict(_read_errors(operation["responses"])):
        read["errors"] = errors
    if "operationId" in operation:
        read["reference"] = page_address(operation["operationId"])
    return read


def _guess_repeat(method: str) -> Repeat:
    """Return what HTTP says of a method. A person may know better, and writes that into the catalogue."""
    if method == "GET":
        return "read"
    return "once" if method == "POST" else "repeatable"


def _read_parameter(parameter: Mapping[str, Any]) -> ParameterData:
    schema = parameter["schema"]
    read: ParameterData = {"name": parameter["name"], "place": parameter["in"], "schema": {}}
    if parameter.get("required"):
        read["required"] = True
    if parameter.get("style") == "deepObject":
        operators = schema["properties"]
        read["operators"] = sorted(operators, key=_OPERATOR_ORDER.index)
        value = next(iter(operators.values()))
        # `in` and `nin` take a list of what the other operators take.
        read["schema"] = read_schema(value["items"] if value.get("type") == "array" else value)
    else:
        read["schema"] = read_schema(schema)
    return read


def _read_body(body: Mapping[str, Any]) -> BodyData:
    ((kind, content),) = list(body["content"].items())[:1]
    read: BodyData = {"schema": read_schema(content["schema"])}
    if kind != JSON_TYPE:
        read = {"type": kind, **read}
    return read


def _read_answer(method: str, responses: Mapping[str, Any]) -> AnswerData:
    successes = [(int(code), one) for code, one in responses.items() if code.startswith("2")]
    # Some operations document errors only.
    status, response = successes[0] if successes else (204 if method == "DELETE" else 200, {})
    answer: AnswerData = {"status": status}
    for kind, content in list(response.get("content", {}).items())[:1]:
        if kind != JSON_TYPE:
            answer["type"] = kind
        answer["schema"] = read_schema(content.get("schema", {}))
    return answer


def _read_errors(responses: Mapping[str, Any]) -> Iterator[tuple[str, list[str]]]:
    """Yield the API's own error codes by status. 401, 403 and 429 are the same everywhere."""
    for status, response in responses.items():
        if status[0] in "45" and status not in ("401", "403", "429"):
            contents = list(response.get("content", {}).values())[:1]
            codes = sorted({code for content in contents for code in _find_codes(content.get("schema", {}))})
            if codes:
                yield status, codes


def _find_codes(schema: Mapping[str, Any]) -> Iterator[str]:
    for word in ("oneOf", "anyOf"):
        for one in schema.get(word, ()):
            yield from _find_codes(one)
    error = schema.get("properties", {}).get("error", {})
    yield from error.get("enum", ())
    yield from error.get("properties", {}).get("code", {}).get("enum", ())


def _without_repeats(schemas: Iterator[JsonSchema]) -> list[JsonSchema]:
    kept: list[JsonSchema] = []
    for one in schemas:
        if one not in kept:
            kept.append(one)
    return kept


def _allow_null(schema: JsonSchema) -> JsonSchema:
    if isinstance(schema.get("type"), str):
        allowed = {**schema, "type": [schema["type"], "null"]}
        return {**allowed, "enum": [*schema["enum"], None]} if "enum" in schema else allowed
    return {"anyOf": [*(schema["anyOf"] if set(schema) == {"anyOf"} else [schema]), {"type": "null"}]}
