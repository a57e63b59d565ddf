"""The files of the page, and which of them a reader loads when the page opens."""

from __future__ import annotations

import re

from airflow_provider_learning360.ui.app import STATIC

ENTRIES = {"page.js", "theme.js"}
IMPORT = re.compile(r'(?:from|import) ?"\./([\w.]+)"')


def scripts_at_start() -> set[str]:
    """Names of the scripts that the page loads before it can be used, without the dictionary."""
    found: set[str] = set()
    left = [*ENTRIES]
    while left:
        name = left.pop()
        if name not in found:
            found.add(name)
            left += IMPORT.findall((STATIC / name).read_text("utf-8"))
    return found
