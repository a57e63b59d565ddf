"""The vendor's contract of API v2, which is not part of the repository, and the check of a response against it."""

from __future__ import annotations

import json
import os
import re
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import pytest

FILE = "360learning-v2-core.json"
FOLDER = Path(__file__).parents[1].parent / "shared" / "facts" / "openapi"


@cache
def _load() -> dict[str, Any] | None:
    place = Path(os.environ.get("LEARNING360_CONTRACT") or FOLDER)
    file = place / FILE if place.is_dir() else place
    if not file.is_file():
        return None
    contract = json.loads(file.read_text(encoding="utf-8"))
    # Without a check of formats every value is a text and a date, so it would match both.
    contract["components"]["schemas"]["CustomFieldValueDTO"]["properties"]["value"] = {"type": "string", "minLength": 1}
    _refuse_unknown_keys(contract)
    return contract


def _refuse_unknown_keys(node: Any) -> None:
    if isinstance(node, dict):
        if "properties" in node and node.get("type") == "object":
            node["additionalProperties"] = False
        for value in node.values():
            _refuse_unknown_keys(value)
    elif isinstance(node, list):
        for value in node:
            _refuse_unknown_keys(value)


def require_contract() -> dict[str, Any]:
    """Return the contract; skip the test without it."""
    contract = _load()
    if contract is None:
        pytest.skip(f"no contract: set LEARNING360_CONTRACT to the folder of {FILE}")
    return contract


def find_operation(method: str, path: str) -> dict[str, Any]:
    """Return the operation of a request; a fixed path wins over one with an ID."""
    paths = require_contract()["paths"]
    matching = [one for one in paths if re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", one), path)]
    return paths[min(matching, key=lambda one: one.count("{"))][method.lower()]


def require_valid(method: str, path: str, status: int, body: Any) -> None:
    """Raise an error unless a response is one that the contract declares."""
    operation = find_operation(method, path)
    schema = operation["responses"][str(status)]["content"]["application/json"]["schema"]
    whole = {"$schema": "https://json-schema.org/draft/2020-12/schema", "components": require_contract()["components"]}
    jsonschema.Draft202012Validator(whole | schema, format_checker=jsonschema.FormatChecker()).validate(body)
