"""How a command fails: one or two lines on standard error, and exit status 1."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from airflow_provider_learning360.api.errors import LearningError
from airflow_provider_learning360.cli.output import write

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def told_in_one_line() -> Iterator[None]:
    """Turn an error of 360Learning into a line for the person at the terminal. Raises SystemExit(1)."""
    try:
        yield
    except LearningError as error:
        message = str(error)
    else:
        return
    sys.stdout.flush()
    write(f"Error: {message}", to_stderr=True)
    raise SystemExit(1)
