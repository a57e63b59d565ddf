"""Times as the stores of the provider have them."""

from __future__ import annotations

from datetime import datetime


def with_milliseconds(stored: str) -> str:
    """Write a stored time as the simulator does: with milliseconds, also if they are zero."""
    return datetime.fromisoformat(stored).isoformat(timespec="milliseconds").replace("+00:00", "Z")
