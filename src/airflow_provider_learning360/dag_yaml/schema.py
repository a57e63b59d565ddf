"""The JSON Schema of DAG files in YAML, with which an editor completes and underlines."""

from __future__ import annotations

import inspect
from importlib.resources import files
from types import NoneType
from typing import TYPE_CHECKING, Any, get_args

from pydantic_core import PydanticUndefined

from airflow_provider_learning360.dag_yaml.mistakes import MAX_NAME_LENGTH, NAME

if TYPE_CHECKING:
    from collections.abc import Mapping

PREFIX = "learning360_"
_NAME = {"type": "string", "pattern": NAME, "maxLength": MAX_NAME_LENGTH}
DRAFT = "http://json-schema.org/draft-07/schema#"  # what editors know best


def shipped_schema() -> str:
    """Return the schema of DAG files, as shipped with this package. It does not need airflow-blueprint."""
    return (files(__package__) / "dag.schema.json").read_text(encoding="utf-8")


def dag_schema() -> dict[str, Any]:
    """
    Build the schema of DAG files from the templates of `blueprints/` and the fields of `dag_yaml/arguments.py`.

    :raises ImportError: airflow-blueprint is not installed.

    Source: JSON Schema draft-07; airflow-blueprint's `DAGConfig` and `StepConfig`.
    """
    from airflow_provider_learning360.dag_yaml.arguments import LearningDagArgs

    forms, dag_args = _step_schemas(), _simplify(LearningDagArgs.get_schema())
    return {
        "$schema": DRAFT,
        "title": "DAG of airflow-blueprint with steps for 360Learning",
        **dag_args,
        "required": ["dag_id", "steps"],
        "properties": {
            "dag_id": {**_NAME, "description": "ID of the DAG, unique in Airflow."},
            **dag_args["properties"],
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
    """Return the schema of a step. Templates of other packages may have any field."""
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
            **_common_fields(),
        },
        "allOf": [
            {
                "if": {"required": ["blueprint"], "properties": {"blueprint": {"const": name}}},
                "then": {"$ref": f"#/definitions/{name}"},
            }
            for name in forms
        ],
    }


def _common_fields() -> dict[str, Any]:
    """Return the schema of the fields that blueprint itself reads, for every template."""
    from airflow.providers.common.compat.sdk import TriggerRule

    return {
        "version": {"type": "integer", "minimum": 1, "description": "Version of the template; default the newest."},
        "depends_on": {
            "type": "array",
            "items": {"type": "string"},
            "description": "Names of the steps that run before this one.",
        },
        "trigger_rule": {
            "type": "string",
            "enum": sorted(rule.value for rule in TriggerRule),
            "description": "How the steps before must end for this one to run; default all_success.",
        },
    }


def _step_schemas() -> dict[str, Any]:
    """Return the schema of a step for each of our templates."""
    from blueprint.registry import BlueprintRegistry

    registry = BlueprintRegistry(template_dirs=[])
    names = [one["name"] for one in registry.list_blueprints() if one["name"].startswith(PREFIX)]
    return {name: _step_schema(name, registry.get(name)) for name in names}


def _step_schema(name: str, template: Any) -> dict[str, Any]:
    schema, version = _simplify(template.get_schema()), template.parse_name_and_version()[1]
    about = inspect.getdoc(template)
    for field, info in template.get_config_type().model_fields.items():
        # Blueprint takes null out of a schema. Leaving the field out means the same only if null is the default.
        if info.default not in (None, PydanticUndefined) and NoneType in get_args(info.annotation):
            schema["properties"][field]["type"] = [schema["properties"][field]["type"], "null"]
    return {
        **schema,
        "description": about,
        "required": ["blueprint", *schema.get("required", ())],
        "properties": {
            "blueprint": {"const": name, "description": about},
            **schema["properties"],
            **_common_fields(),
            "version": {"const": version, "description": "Version of the template; default the newest."},
        },
    }


def _simplify(node: Any) -> Any:
    """Return a schema without titles that repeat a name, and without examples of listed values."""
    if isinstance(node, list):
        return [_simplify(one) for one in node]
    if not isinstance(node, dict):
        return node
    useless = {"title"} if isinstance(node.get("title"), str) else set()
    if "enum" in node.get("items", ()):
        useless.add("examples")
    return {key: _simplify(value) for key, value in node.items() if key not in useless}
