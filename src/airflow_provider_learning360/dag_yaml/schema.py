"""One JSON Schema for whole DAG files in YAML: what an editor needs to complete and to underline."""

from __future__ import annotations

import inspect
from importlib.resources import files
from types import NoneType
from typing import TYPE_CHECKING, Any, get_args

from pydantic_core import PydanticUndefined

from airflow_provider_learning360.dag_yaml.mistakes import LONGEST_NAME, NAME

if TYPE_CHECKING:
    from collections.abc import Mapping

PREFIX = "learning360_"
_NAME = {"type": "string", "pattern": NAME, "maxLength": LONGEST_NAME}
DRAFT = "http://json-schema.org/draft-07/schema#"  # what editors know best


def shipped_schema() -> str:
    """Return the schema of DAG files, as it is in this package; nothing has to be installed for it."""
    return (files(__package__) / "dag.schema.json").read_text(encoding="utf-8")


def dag_schema() -> dict[str, Any]:
    """
    Return the schema of DAG files, made of the templates of `blueprints/` and of the fields of `dag_yaml/arguments.py`.

    :raises ImportError: airflow-blueprint is not installed.

    Source: JSON Schema draft-07; airflow-blueprint's `DAGConfig` and `StepConfig`.
    """
    from airflow_provider_learning360.dag_yaml.arguments import LearningDagArgs

    forms, of_dag = _forms(), _plain(LearningDagArgs.get_schema())
    return {
        "$schema": DRAFT,
        "title": "DAG of airflow-blueprint with steps for 360Learning",
        **of_dag,
        "required": ["dag_id", "steps"],
        "properties": {
            "dag_id": {**_NAME, "description": "ID of the DAG, unique in Airflow."},
            **of_dag["properties"],
            "vars": {"type": "object", "description": "Values to use elsewhere in the file, as ${name}."},
            "steps": {
                "type": "object",
                "minProperties": 1,
                "propertyNames": _NAME,
                "description": "The steps of the DAG, by name.",
                "additionalProperties": {"$ref": "#/definitions/step"},
            },
        },
        "definitions": {"step": _step(forms), **forms},
    }


def _step(forms: Mapping[str, Any]) -> dict[str, Any]:
    """Return the schema of a step, whatever its template: of other packages' templates nothing is known."""
    return {
        "type": "object",
        "required": ["blueprint"],
        "properties": {
            "blueprint": {
                "type": "string",
                "description": "The template of the step.",
                "anyOf": [
                    {"enum": list(forms)},
                    {"pattern": f"^(?!{PREFIX})", "patternErrorMessage": f"Known are {', '.join(forms)}."},
                ],
            },
            **_of_any_step(),
        },
        "allOf": [
            {
                "if": {"required": ["blueprint"], "properties": {"blueprint": {"const": name}}},
                "then": {"$ref": f"#/definitions/{name}"},
            }
            for name in forms
        ],
    }


def _of_any_step() -> dict[str, Any]:
    """Return what blueprint itself reads of a step."""
    from airflow.providers.common.compat.sdk import TriggerRule

    return {
        "version": {"type": "integer", "minimum": 1, "description": "Version of the template; default the newest."},
        "depends_on": {
            "type": "array",
            "items": {"type": "string"},
            "description": "Names of the steps that come before this one.",
        },
        "trigger_rule": {
            "type": "string",
            "enum": sorted(rule.value for rule in TriggerRule),
            "description": "Which ends of the steps before let this one begin; default all_success.",
        },
    }


def _forms() -> dict[str, Any]:
    """Return for each of our templates the schema of a step that uses it."""
    from blueprint.registry import BlueprintRegistry

    registry = BlueprintRegistry(template_dirs=[])
    names = [one["name"] for one in registry.list_blueprints() if one["name"].startswith(PREFIX)]
    return {name: _form(name, registry.get(name)) for name in names}


def _form(name: str, template: Any) -> dict[str, Any]:
    schema, version = _plain(template.get_schema()), template.parse_name_and_version()[1]
    about = inspect.getdoc(template)
    for field, how in template.get_config_type().model_fields.items():
        # Blueprint takes null out of a schema. To leave the field out is as good only where null is the default.
        if how.default not in (None, PydanticUndefined) and NoneType in get_args(how.annotation):
            schema["properties"][field]["type"] = [schema["properties"][field]["type"], "null"]
    return {
        **schema,
        "description": about,
        "required": ["blueprint", *schema.get("required", ())],
        "properties": {
            "blueprint": {"const": name, "description": about},
            **schema["properties"],
            **_of_any_step(),
            "version": {"const": version, "description": "Version of the template; default the newest."},
        },
    }


def _plain(node: Any) -> Any:
    """Return a schema without what helps nobody who writes: titles made of names, and examples of what is listed."""
    if isinstance(node, list):
        return [_plain(one) for one in node]
    if not isinstance(node, dict):
        return node
    useless = {"title"} if isinstance(node.get("title"), str) else set()
    if "enum" in node.get("items", ()):
        useless.add("examples")
    return {key: _plain(value) for key, value in node.items() if key not in useless}
