"""The operators and sensors of the provider, found through the provider info."""

from __future__ import annotations

import importlib
import inspect
import types

import pytest

from airflow.providers.common.compat.sdk import BaseOperator

from airflow_provider_learning360.provider_info import get_provider_info


def classes_of(module: types.ModuleType) -> list[type[BaseOperator]]:
    """The operators and sensors that a module defines, without abstract ones."""
    return [
        one
        for _, one in inspect.getmembers(module, inspect.isclass)
        if one.__module__ == module.__name__ and issubclass(one, BaseOperator) and not inspect.isabstract(one)
    ]


def announced() -> list[str]:
    """The modules that the provider info lists."""
    info = get_provider_info()
    return [name for kind in ("operators", "sensors") for entry in info[kind] for name in entry["python-modules"]]


KINDS = [one for name in announced() for one in classes_of(importlib.import_module(name))]
every_kind = pytest.mark.parametrize("kind", KINDS, ids=lambda one: one.__name__)
