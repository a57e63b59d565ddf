"""The catalogue against the vendor's files, where they are on this machine: methods, paths, fields, scopes, pages."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from airflow_provider_learning360.api.catalogue.catalogue import load_operations
from airflow_provider_learning360.api.catalogue.operation import Operation
from contract.vendor import MISSING, find_contract

CONTRACT = find_contract()
FILES = ("360learning-v2-core.json", "360learning-v2-bulk.json", "360learning-v2-webhook.json")
NOT_OFFERED = {("POST", "/api/v2/oauth2/token"), ("POST", "/api/v2/courses/generate-from-prompt")}
EVERYWHERE = {"401", "403", "429"}  # errors of every operation
CONFIDENCE = {
    "documented": "documented",
    "seed, documented": "documented",
    "documented, recorded": "documented",
    "recorded, documented": "documented",
    "recorded": "recorded",
    "a public client's code": "reported",
}


def load(name: str) -> Any:
    """Return a file beside the contract; skip the test if it is not there."""
    if CONTRACT is None or not (file := CONTRACT.with_name(name)).is_file():
        pytest.skip(MISSING)
    return json.loads(file.read_text("utf-8"))


def routes(version: str) -> dict[tuple[str, str], Operation]:
    return {(one.method, one.path): one for one in load_operations().values() if one.version == version}


def facts_by_route(name: str) -> dict[tuple[str, str], Any]:
    return {(one["method"], one["path"]): one for one in load(name)}


def operations_of(document: Mapping[str, Any]) -> Iterator[tuple[tuple[str, str], Any]]:
    for path, item in document["paths"].items():
        for method, operation in item.items():
            if (route := (method.upper(), path)) not in NOT_OFFERED:
                yield route, operation


def shape(schema: Mapping[str, Any], schemas: Mapping[str, Any]) -> Any:
    """Return types, required fields, allowed values and limits of a schema, without words, names and order."""
    if "$ref" in schema:
        return shape(schemas[schema["$ref"].rpartition("/")[2]], schemas)
    if len(schema.get("allOf", ())) == 1 and not schema.keys() - {"allOf", "nullable", "description"}:
        return _or_null(shape(schema["allOf"][0], schemas), schema)
    found: dict[str, Any] = {
        word: schema[word] for word in schema if word.startswith(("min", "max")) or word in ("const", "pattern")
    }
    if "type" in schema:
        found["type"] = sorted([schema["type"]] if isinstance(schema["type"], str) else schema["type"])
    if schema.get("format") not in (None, "ObjectId"):
        found["format"] = schema["format"]
    if "enum" in schema:
        found["enum"] = sorted(map(str, {one for one in schema["enum"] if one is not None}))
    if schema.get("required"):
        found["required"] = sorted(schema["required"])
    if "items" in schema:
        found["items"] = shape(schema["items"], schemas)
    if "properties" in schema:
        found["properties"] = {name: shape(one, schemas) for name, one in schema["properties"].items()}
    if "allOf" in schema:
        found["allOf"] = [shape(one, schemas) for one in schema["allOf"]]
    if options := [*schema.get("oneOf", ()), *schema.get("anyOf", ())]:
        found["anyOf"] = _sort([shape(one, schemas) for one in options])
    return _or_null(found, schema)


def _or_null(found: dict[str, Any], schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return a shape with null, if the vendor says `nullable`; of OpenAPI 3.0, it means nothing in 3.1."""
    if not schema.get("nullable"):
        return found
    if "type" in found and "$ref" not in schema and "allOf" not in schema:
        return {**found, "type": sorted({*found["type"], "null"})}
    options = found["anyOf"] if set(found) == {"anyOf"} else [found]
    return {"anyOf": _sort([*options, {"type": ["null"]}])}


def _sort(options: list[Any]) -> list[Any]:
    return [json.loads(text) for text in sorted({json.dumps(one, sort_keys=True) for one in options})]


def test_v2_has_the_operations_of_the_vendor() -> None:
    facts = facts_by_route("360learning-v2-operations.json")
    assert {route for route, one in facts.items() if not one["deprecated"]} - NOT_OFFERED == set(routes("v2"))


def test_v2_has_scopes_page_sizes_and_parameters_of_the_vendor() -> None:
    facts = facts_by_route("360learning-v2-operations.json")
    for route, one in routes("v2").items():
        fact = facts[route]
        assert [one.data.get("scope")] == fact["scopes"], one
        assert one.data.get("page_size") == fact["page_size"], one
        assert str(one.data["answer"]["status"]) in (fact["success"] or ["200", "204"]), one
        assert {p.name for p in one.parameters if p.place == "path"} == set(fact["path_parameters"]), one
        assert [p.name for p in one.parameters if p.place == "query"] == fact["query_parameters"], one
        assert one.is_list == (fact["answer"] == "array"), one


def test_v2_has_the_errors_of_the_vendor() -> None:
    facts = facts_by_route("360learning-v2-operations.json")
    for route, one in routes("v2").items():
        errors = {status: sorted(codes) for status, codes in facts[route]["errors"].items() if status not in EVERYWHERE}
        assert one.data.get("errors", {}) == {status: codes for status, codes in errors.items() if codes}, one


def test_sentences_are_our_own() -> None:
    titles = [one["title"] for one in load("360learning-v2-operations.json")]
    titles += [one["title"] for one in load("360learning-v1-operations.json")]
    known = {re.sub(r"\W", "", title).casefold() for title in titles}
    for one in load_operations().values():
        assert re.sub(r"\W", "", one.data["text"]).casefold() not in known, one


@pytest.mark.parametrize("name", FILES)
def test_v2_has_bodies_and_answers_of_the_vendor(name: str) -> None:
    document = load(name)
    schemas, known = document["components"]["schemas"], routes("v2")
    for route, operation in operations_of(document):
        one = known[route]
        body = list(operation.get("requestBody", {}).get("content", {}).items())[:1]
        ours = [(one.body.get("type", "application/json"), shape(one.body["schema"], one.schemas))] if one.body else []
        assert ours == [(kind, shape(content["schema"], schemas)) for kind, content in body], one
        responses = [item for code, item in operation["responses"].items() if code.startswith("2")][:1]
        contents = [content for item in responses for content in list(item.get("content", {}).values())[:1]]
        answer = one.data["answer"]
        ours = [shape(answer["schema"], one.schemas)] if "schema" in answer else []
        assert ours == [shape(content.get("schema", {}), schemas) for content in contents], one


@pytest.mark.parametrize("name", FILES)
def test_v2_has_operators_and_types_of_parameters_of_the_vendor(name: str) -> None:
    document = load(name)
    schemas, known = document["components"]["schemas"], routes("v2")
    for route, operation in operations_of(document):
        one = known[route]
        sent = [parameter for parameter in operation.get("parameters", ()) if parameter["in"] != "header"]
        assert len(one.parameters) == len(sent), one
        for ours, vendor in zip(one.parameters, sent, strict=True):
            assert (ours.name, ours.place) == (vendor["name"], vendor["in"]), one
            assert ours.required == vendor.get("required", False), one
            operators = vendor["schema"]["properties"] if vendor.get("style") == "deepObject" else {}
            assert set(ours.operators) == set(operators), one
            for operator, schema in operators.items():
                taken = shape(ours.schema_of(f"{ours.name}[{operator}]"), one.schemas)
                taken.pop("minItems", None)  # ours: an empty list of a filter is a mistake
                assert taken == shape({"type": "string", **schema} if "enum" in schema else schema, schemas), one
            if not operators:
                assert shape(ours.schema, one.schemas) == shape(vendor["schema"], schemas), one


def test_v1_has_the_operations_that_are_known() -> None:
    facts, known = facts_by_route("360learning-v1-operations.json"), routes("v1")
    assert set(facts) == set(known)
    assert len(known) == 42
    for route, fact in facts.items():
        one = known[route]
        assert one.data["confidence"] == CONFIDENCE[fact["evidence"]], one
        assert [p.name for p in one.parameters if p.place == "query"] == fact["query_parameters"], one
        assert [str(one.data["answer"]["status"])] == fact["success"], one
        assert one.data["answer"].get("schema", {}).get("type", "") == fact["answer"], one
        assert one.data.get("errors", {}) == fact["errors"], one
        properties = list(one.body["schema"]["properties"]) if one.body else None
        assert properties == (fact["body"] and fact["body"]["properties"]), one
