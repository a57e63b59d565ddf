"""What Airflow and its tools read about the provider."""

from __future__ import annotations

import ast
import importlib
import inspect
import json
import re
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import jsonschema
import pytest

import airflow
from airflow.providers.common.compat.sdk import BaseOperator, BaseSensorOperator

from airflow_provider_learning360 import provider_info
from airflow_provider_learning360.api.settings import connection_fields, form_behaviour
from airflow_provider_learning360.operators.program_session import (
    GetProgramSessionOperator,
    ListProgramSessionsOperator,
)
from airflow_provider_learning360.sensors.program_session import ProgramSessionModifiedSensor
from airflow_provider_learning360.triggers.program_session import ProgramSessionModifiedTrigger

INFO = provider_info.get_provider_info()
TASKS = [GetProgramSessionOperator, ListProgramSessionsOperator, ProgramSessionModifiedSensor]
# Choices of the author, not of a run.
UNTEMPLATED = {"deferrable", "max_failures", "on_missing", "contract", "max_xcom_bytes"}


def test_airflow_accepts_it() -> None:
    schema = json.loads((Path(airflow.__file__).parent / "provider_info.schema.json").read_text())
    jsonschema.validate(INFO, schema)
    # The schema allows other names, and Airflow ignores them.
    assert set(INFO) <= set(schema["properties"])
    for kind in ("hooks", "operators", "sensors", "triggers", "asset-uris"):
        known = set(schema["properties"][kind]["items"]["properties"])
        assert [set(one) - known for one in INFO[kind]] == [set() for _ in INFO[kind]]


def test_it_is_one_plain_literal() -> None:
    tree = ast.parse(Path(provider_info.__file__).read_text())
    (function,) = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
    answer = function.body[-1]
    assert isinstance(answer, ast.Return)
    assert ast.literal_eval(answer.value) == INFO  # type: ignore[arg-type]


def test_it_is_announced() -> None:
    (entry,) = [one for one in entry_points(group="apache_airflow_provider") if "learning360" in one.value]
    assert entry.load()() == INFO
    assert entry.dist is not None
    assert entry.dist.name == INFO["package-name"]


def test_the_form_is_made_of_the_settings() -> None:
    (connection,) = INFO["connection-types"]
    assert connection["conn-fields"] == connection_fields()
    assert connection["ui-field-behaviour"] == form_behaviour()


def test_airflow_shows_texts_without_markup() -> None:
    (connection,) = INFO["connection-types"]
    options = INFO["config"]["learning360"]["options"]
    texts = [*connection["conn-fields"].values(), *options.values()]
    assert [one for one in texts if re.search(r"[`*<>]|\]\(|::", f"{one.get('label')} {one['description']}")] == []


@pytest.mark.parametrize("kind", ["hooks", "operators", "sensors", "triggers"])
def test_all_modules_are_there(kind: str) -> None:
    for entry in INFO[kind]:
        for module in entry["python-modules"]:
            importlib.import_module(module)


def test_importing_the_package_imports_nothing_of_airflow() -> None:
    code = (
        "import sys, airflow_provider_learning360.provider_info, airflow_provider_learning360.testing.plugin;"
        "print([name for name in sys.modules if name.split('.')[0] in ('airflow', 'pydantic', 'requests', 'aiohttp')])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


@pytest.mark.parametrize("task", [*TASKS, ProgramSessionModifiedTrigger])
def test_every_argument_is_annotated_and_documented(task: Any) -> None:
    for name, parameter in own_arguments(task).items():
        assert parameter.annotation is not inspect.Parameter.empty, name
        assert f":param {name}:" in (task.__doc__ or ""), name


@pytest.mark.parametrize("task", TASKS)
def test_every_argument_can_be_written_in_yaml(task: Any) -> None:
    own = own_arguments(task)
    base = set(inspect.signature(BaseOperator.__init__).parameters) | set(
        inspect.signature(BaseSensorOperator.__init__).parameters
    )
    assert not set(own) & base, "clashes with an argument of Airflow's"
    assert set(own) - UNTEMPLATED == set(task.template_fields)
    for name, parameter in own.items():
        if parameter.default is not inspect.Parameter.empty:
            json.dumps(parameter.default)
        assert "Callable" not in str(parameter.annotation), name


def own_arguments(task: Any) -> dict[str, inspect.Parameter]:
    parameters = inspect.signature(inspect.unwrap(task.__init__)).parameters
    return {name: one for name, one in parameters.items() if name not in ("self", "kwargs")}
