"""Every operator and sensor can be written in YAML, and documents its arguments."""

from __future__ import annotations

import ast
import importlib
import inspect
import json
import re
import types
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin

import pytest

from airflow.providers.common.compat.sdk import BaseOperator, BaseSensorOperator

import airflow_provider_learning360
from every_operator import KINDS, announced, classes_of, every_kind

PACKAGE = Path(airflow_provider_learning360.__file__).parent
YAML_SCALARS = (str, int, float, bool, type(None), date, datetime, timedelta)

# Arguments that are not set per run, and why.
NOT_TEMPLATED = {
    "batch_size": "a setting of the mail server",
    "connections": "a setting of the mail server",
    "contract": "how strict the author is; checked when the DAG is parsed",
    "deferrable": "where the task waits is decided before it is rendered",
    "delivery_dag_id": "the name of a DAG, which is what other DAGs refer to",
    "dry_run": "Airflow's operators have a method of this name; the operator renders a text itself",
    "kind": "what the DAG is about; checked when it is parsed",
    "max_failures": "how patient the author is",
    "max_xcom_bytes": "a limit of the installation",
    "operation": "what the DAG is about; checked when it is parsed",
    "on_missing": "what the author wants; checked when the DAG is parsed",
    "policy": "Airflow shows rendered fields to all, and addresses may be in it",
    "poke_interval": "how patient the author is",
    "rate": "a setting of the mail server",
    "replace": "what the author wants; checked when the DAG is parsed",
    "timeout": "how patient the author is",
    "wait_for": "what the author wants; checked when the DAG is parsed",
}


def arguments(kind: type) -> dict[str, inspect.Parameter]:
    """Return the operator's own arguments, without those of Airflow's base classes."""
    parameters = inspect.signature(kind.__init__).parameters.values()
    return {one.name: one for one in parameters if one.name != "self" and one.kind is not one.VAR_KEYWORD}


def names_of(module: types.ModuleType) -> dict[str, Any]:
    """Return the names that the annotations of a module use, also those imported for type checkers only."""
    found = {}
    for node in ast.walk(ast.parse(inspect.getsource(module))):
        if isinstance(node, ast.ImportFrom) and node.module and not node.module.startswith("airflow."):
            origin = importlib.import_module(node.module)
            found.update({one.asname or one.name: getattr(origin, one.name, None) for one in node.names})
    return {**found, **vars(module)}


def annotation(kind: type, parameter: inspect.Parameter) -> Any:
    names: dict[str, Any] = {}
    for one in reversed(kind.__mro__):  # what is inherited may be annotated with names of its own module
        if one.__module__.startswith(PACKAGE.name):
            names |= names_of(importlib.import_module(one.__module__))
    return eval(parameter.annotation, names)  # the text is that of our own source


def in_yaml(hint: Any) -> bool:
    """Whether every value of an annotation can be written in YAML; dates and durations as text."""
    if get_origin(hint) in (Union, types.UnionType):
        return all(in_yaml(one) for one in get_args(hint))
    if get_origin(hint) is Literal:
        return all(isinstance(one, YAML_SCALARS) for one in get_args(hint))
    if get_origin(hint) in (list, dict):
        return all(one is Any or in_yaml(one) for one in get_args(hint))
    return hint in YAML_SCALARS or hint is None


def test_provider_info_lists_every_operator() -> None:
    found = set()
    for room in ("operators", "sensors"):
        for path in (PACKAGE / room).glob("*.py"):
            name = f"{PACKAGE.name}.{room}.{path.stem}"
            if path.stem != "__init__" and classes_of(importlib.import_module(name)):
                found.add(name)
    assert found == set(announced())
    assert len(KINDS) >= 7


@every_kind
def test_every_argument_can_be_written_in_yaml(kind: type) -> None:
    missing = [name for name, one in arguments(kind).items() if one.annotation is one.empty]
    assert missing == []
    assert [name for name, one in arguments(kind).items() if not in_yaml(annotation(kind, one))] == []


@every_kind
def test_arguments_are_given_by_name_only(kind: type) -> None:
    assert {one.kind for one in arguments(kind).values()} == {inspect.Parameter.KEYWORD_ONLY}


@every_kind
def test_every_default_is_json(kind: type) -> None:
    defaults = {name: one.default for name, one in arguments(kind).items() if one.default is not one.empty}
    assert json.loads(json.dumps(defaults)) == defaults


@every_kind
def test_arguments_set_per_run_are_templated(kind: type) -> None:
    names = set(arguments(kind))
    assert names - set(kind.template_fields) - set(NOT_TEMPLATED) == set()
    assert set(kind.template_fields) & set(NOT_TEMPLATED) == set()
    assert set(kind.template_fields) <= names


def test_every_exception_is_needed() -> None:
    assert {name for kind in KINDS for name in arguments(kind)} >= set(NOT_TEMPLATED)


@every_kind
def test_no_argument_has_a_name_of_airflows(kind: type) -> None:
    base = BaseSensorOperator if issubclass(kind, BaseSensorOperator) else BaseOperator
    taken = {name for one in base.__mro__ if "__init__" in vars(one) for name in inspect.signature(one).parameters}
    assert {"task_id", "pool", "params"} < taken
    assert set(arguments(kind)) & taken == set()


@every_kind
def test_docstring_documents_the_arguments(kind: type) -> None:
    text = inspect.getdoc(kind) or ""
    assert re.findall(r"^:param (\w+): \S", text, re.MULTILINE) == list(arguments(kind))
    # Palettes show the first line beside the name.
    first, blank = (*text.splitlines(), "", "")[:2]
    assert re.fullmatch(r"[A-Z].*\.", first)
    assert blank == ""


@pytest.mark.parametrize(
    ("hint", "fits"),
    [
        (str | None, True),
        (dict[str, Any] | list[str], True),
        (Literal["a", "b"], True),
        (Iterator, False),
        (str | BaseOperator, False),
        (list[BaseOperator], False),
    ],
    ids=str,
)
def test_yaml_check_knows_yaml(hint: Any, fits: bool) -> None:
    assert in_yaml(hint) is fits
