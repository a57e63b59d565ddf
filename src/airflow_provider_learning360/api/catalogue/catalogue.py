"""The catalogue: finds an operation by its name. The files are read when an operation is asked for, and once."""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, get_args

from airflow_provider_learning360.api.api_version import ApiVersion
from airflow_provider_learning360.api.catalogue.operation import CatalogueData, Operation
from airflow_provider_learning360.api.errors import FixArgumentError, redact
from airflow_provider_learning360.api.input_errors import did_you_mean, end_sentence

if TYPE_CHECKING:
    from collections.abc import Mapping


@cache
def load_operations() -> Mapping[str, Operation]:
    """Return all operations of both versions of the API, by name, in the order of the files, v2 first."""
    loaded: dict[str, Operation] = {}
    for version in reversed(get_args(ApiVersion)):
        data = read_file(version)
        loaded |= {name: Operation(name, version, one, data["schemas"]) for name, one in data["operations"].items()}
    return loaded


def read_file(version: ApiVersion) -> CatalogueData:
    """
    Return a catalogue file.

    :param version: The version of the API.
    """
    text = files(__package__).joinpath(f"{version}.json").read_text(encoding="utf-8")
    data: CatalogueData = json.loads(text)
    return data


def find_operation(name: object, argument: str = "operation") -> Operation:
    """
    Return the operation with this name.

    :param name: The name, as a person wrote it.
    :param argument: Name of the argument, for the error; default `operation`.
    :raises FixArgumentError: There is none; the error names the nearest one.
    """
    operations = load_operations()
    found = operations.get(name) if isinstance(name, str) else None
    if found is None:
        problem = f"{argument}: {redact(repr(name))} is not an operation of 360Learning{did_you_mean(name, operations)}"
        raise FixArgumentError(f"{end_sentence(problem)} `airflow learning360 operations` lists all.")
    return found
