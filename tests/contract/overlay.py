"""The known mistakes of the vendor's contract. Each is corrected in memory, after the file was loaded."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

OPERATIONS = ("get", "put", "post", "delete", "patch")


@dataclass(frozen=True)
class Correction:
    """One mistake of the contract.

    :param name: what the correction does, in a few words.
    :param reason: what the contract says, and how it is known to be wrong.
    :param apply: corrects the document in place.
    """

    name: str
    reason: str
    apply: Callable[[dict[str, Any]], None]


def correct(document: dict[str, Any], corrections: Iterable[Correction]) -> dict[str, Any]:
    """Return a copy of the contract with these corrections."""
    corrected = copy.deepcopy(document)
    for correction in corrections:
        correction.apply(corrected)
    return corrected


def _type_filters(document: dict[str, Any]) -> None:
    for item in document["paths"].values():
        for operation in (item[method] for method in OPERATIONS if method in item):
            for parameter in operation.get("parameters", ()):
                if parameter.get("style") == "deepObject":
                    parameter["schema"].setdefault("type", "object")


def _allow_null(document: dict[str, Any]) -> None:
    for schema in _schemas(document):
        if schema.pop("nullable", False) is True:
            branch = dict(schema)
            schema.clear()
            schema["anyOf"] = [branch, {"type": "null"}]


def _allow_expiry_as_a_string(document: dict[str, Any]) -> None:
    life = document["components"]["schemas"]["GenerateTokenResponse"]["properties"]["expires_in"]
    life["type"] = ["number", "string"]


def _accept_overlaps(document: dict[str, Any]) -> None:
    for schema in _schemas(document):
        if "oneOf" in schema:
            schema["anyOf"] = schema.pop("oneOf")


def _open_objects(document: dict[str, Any]) -> None:
    for schema in _schemas(document):
        if schema == {"type": "object"}:
            schema["additionalProperties"] = True


def _let_files_be_bytes(document: dict[str, Any]) -> None:
    for schema in _schemas(document):
        if schema.get("format") == "binary":
            schema.clear()


def _schemas(value: Any) -> Iterator[dict[str, Any]]:
    """Yield every object in a document, the innermost first."""
    for inner in list(value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()):
        yield from _schemas(inner)
    if isinstance(value, dict):
        yield value


CORRECTIONS = (
    Correction(
        "type filters",
        "The schemas of filters name no type, so that no operator of a filter can be read from the query.",
        _type_filters,
    ),
    Correction(
        "allow null",
        "`nullable` has no meaning since OpenAPI 3.1, so that a PATCH cannot clear a field as documented.",
        _allow_null,
    ),
    Correction(
        "allow the life of a token as a string",
        "The type is number, but the vendor's own example holds a string, and that of v1 as well.",
        _allow_expiry_as_a_string,
    ),
    Correction(
        "accept what two alternatives describe",
        "Some alternatives of oneOf overlap, so that valid data is refused. A custom field is a string or a date-time: "
        "a date-time is both. The documentation shows dates.",
        _accept_overlaps,
    ),
    Correction(
        "let objects without properties hold any",
        "An input of a bulk operation is an object of which no property is named, and undocumented ones are refused.",
        _open_objects,
    ),
    Correction(
        "let files be bytes",
        "A file is a string of format binary, as in OpenAPI 3.0. In 3.1 it has no type; openapi-core has bytes.",
        _let_files_be_bytes,
    ),
)
