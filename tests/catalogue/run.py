"""
Refresh the catalogue of API v2: `python tests/catalogue/run.py SPEC`, or `make catalogue SPEC=file.json`.

SPEC is an OpenAPI file of the vendor: that of the Core, the Bulk or the Webhook API. What came, went and changed is
printed, one line each.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from airflow_provider_learning360.api import catalogue
from airflow_provider_learning360.api.catalogue.layout import format_catalogue
from airflow_provider_learning360.api.catalogue.refresh import refresh_catalogue

FILE = Path(catalogue.__file__).with_name("v2.json")
NO_SPEC = "Name an OpenAPI file of 360Learning's Core, Bulk or Webhook API: make catalogue SPEC=file.json"


def main(arguments: list[str], file: Path = FILE) -> str | None:
    """Refresh the file; return what went wrong, if something did."""
    if len(arguments) != 1 or not arguments[0]:
        return NO_SPEC
    try:
        document = json.loads(Path(arguments[0]).read_text(encoding="utf-8"))
        refreshed = refresh_catalogue(json.loads(file.read_text(encoding="utf-8")), document)
    except (OSError, ValueError) as error:
        return f"{arguments[0]}: {error}"
    file.write_text(format_catalogue(refreshed.data), encoding="utf-8")
    print(*refreshed.changes, refreshed.summary, sep="\n")
    return None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
