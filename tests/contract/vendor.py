"""The vendor's contract: an OpenAPI document that is not part of this repository."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parent.parent.parent
FILE = "360learning-v2-core.json"
MISSING = (
    f"no contract of API v2: requests and responses under /api/v2/ are not checked. "
    f"LEARNING360_CONTRACT names {FILE} or its folder."
)


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
    """Return the contract as the vendor wrote it."""
    document: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return document
