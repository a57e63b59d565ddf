"""Which cases of a test that is repeated often `make test` runs; `make test-rest` runs the others."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from airflow_provider_learning360.api.catalogue.catalogue import load_operations
from airflow_provider_learning360.api.catalogue.operation import Operation

OPERATIONS = load_operations()


def one_in(step: int, cases: Iterable[Any]) -> list[Any]:
    """
    Let `make test` run one in `step` cases; a case is a value, or the tuple of several.

    Of a product, each value of each part is in the sample if no length of a part has a divisor in common with `step`.
    """
    return [
        pytest.param(*(one if isinstance(one, tuple) else (one,)), marks=[pytest.mark.slow] if number % step else [])
        for number, one in enumerate(cases)
    ]


def marks_of(operation: Operation) -> list[pytest.MarkDecorator]:
    """Let `make test` run the usual operations."""
    return [] if operation.data.get("usual") else [pytest.mark.slow]


def each_operation(operations: Iterable[Operation]) -> pytest.MarkDecorator:
    """Repeat a test for each of some operations."""
    cases = [pytest.param(one, id=one.name, marks=marks_of(one)) for one in operations]
    return pytest.mark.parametrize("operation", cases)


def each_name(names: Iterable[str]) -> pytest.MarkDecorator:
    """Repeat a test for the name of each of some operations."""
    cases: list[Any] = [pytest.param(one, id=one, marks=marks_of(OPERATIONS[one])) for one in names]
    return pytest.mark.parametrize("name", cases)
