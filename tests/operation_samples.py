"""Tests that are repeated for each operation: `make test` runs the usual operations, `make test-rest` the others."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from airflow_provider_learning360.api.catalogue.catalogue import load_operations
from airflow_provider_learning360.api.catalogue.operation import Operation

OPERATIONS = load_operations()


def marks_of(operation: Operation) -> list[pytest.MarkDecorator]:
    """Return the marks of the test of an operation."""
    return [] if operation.data.get("usual") else [pytest.mark.slow]


def each_operation(operations: Iterable[Operation]) -> pytest.MarkDecorator:
    """Repeat a test for each of some operations."""
    cases = [pytest.param(one, id=one.name, marks=marks_of(one)) for one in operations]
    return pytest.mark.parametrize("operation", cases)


def each_name(names: Iterable[str]) -> pytest.MarkDecorator:
    """Repeat a test for the name of each of some operations."""
    cases: list[Any] = [pytest.param(one, id=one, marks=marks_of(OPERATIONS[one])) for one in names]
    return pytest.mark.parametrize("name", cases)
