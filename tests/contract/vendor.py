"""The vendor's contract: an OpenAPI document that is not part of this repository."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parent.parent.parent
FILE = "360learning-v2-core.json"
PARTS = ("bulk", "webhook")  # files beside it, for the other routes
MISSING = (
    f"no contract of API v2: requests and responses under /api/v2/ are not checked. "
    f"LEARNING360_CONTRACT names {FILE} or its folder."
)
_REF = "#/components/schemas/"


def find_contract() -> Path | None:
    """Return the file with the contract, if it is on this machine.

    :raises FileNotFoundError: LEARNING360_CONTRACT names a place without it.
    """
    named = os.environ.get("LEARNING360_CONTRACT")
    place = Path(named) if named else REPOSITORY.parent / "shared" / "facts" / "openapi"
    file = place / FILE if place.is_dir() else place
    if file.is_file():
        return file
    if named:
        raise FileNotFoundError(f"LEARNING360_CONTRACT is {named}, but {file} is not a file")
    return None


def load_contract(file: Path) -> dict[str, Any]:
    """Return the contract as the vendor wrote it, with the files beside it that belong to it."""
    document: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    for part in PARTS:
        beside = file.with_name(f"360learning-v2-{part}.json")
        if beside.is_file():
            _add_part(document, part, beside.read_text(encoding="utf-8"))
    return document


def _add_part(document: dict[str, Any], part: str, text: str) -> None:
    """Add the routes of another file, and its schemas under names of their own: some names are in two files."""
    added = json.loads(text.replace(f'"{_REF}', f'"{_REF}{part}.'))
    document["paths"] |= added["paths"]
    schemas = {f"{part}.{name}": schema for name, schema in added["components"]["schemas"].items()}
    document["components"]["schemas"] |= schemas
