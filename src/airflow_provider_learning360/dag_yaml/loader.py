"""Build the DAGs of YAML files with airflow-blueprint, and say which file is wrong, and which step of it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import MutableMapping

PATTERN = "*.dag.yaml"


class DagFileError(Exception):
    """A YAML file is no DAG; says which file and step, and what airflow-blueprint and its template say."""


def build_airflow_dags(module: MutableMapping[str, Any]) -> None:
    """
    Build a DAG of each `*.dag.yaml` in the folder of a Python file and below, for Airflow to find in that file.

    :param module: `globals()` of the file that calls this.
    :raises DagFileError: A file is no DAG. Airflow shows it as an import error, and none of the others are built.

    Source: airflow-blueprint's `Builder`; `build_all_airflow_dags` does the same without naming file and step.
    """
    from blueprint import BlueprintRegistry, Builder
    from blueprint.loaders import discover_yaml_files

    loader = Path(module["__file__"])
    registry = BlueprintRegistry(template_dirs=[loader.parent], exclude_files={loader})
    registry.discover(force=True)
    builder, files = Builder(bp_registry=registry), dict[str, Path]()
    for path in discover_yaml_files(loader.parent, PATTERN):
        dag = _built(builder, path, loader.parent)
        if dag.dag_id in files:
            raise DagFileError(
                f"{path.name}: dag_id: {dag.dag_id!r} is the DAG of {files[dag.dag_id].name} already; give another."
            )
        module[dag.dag_id], files[dag.dag_id] = dag, path


def _built(builder: Any, path: Path, folder: Path) -> Any:
    from blueprint import BlueprintError
    from pydantic import ValidationError
    from yaml import YAMLError

    try:
        return builder.build_from_yaml(path, search_root=folder)
    except (BlueprintError, ValidationError, YAMLError) as error:
        told, template = str(error), getattr(error, "blueprint_name", None)
    # Outside of the handler: what failed may hold more of the file than anybody should read in a list of errors.
    steps = f" step {', '.join(map(repr, _steps_with(path, template)))}:" if template else ""
    raise DagFileError(f"{path.name}:{steps} {told}")


def _steps_with(path: Path, template: str) -> list[str]:
    """Return the names of the steps that use a template; blueprint does not say which when it has no such template."""
    from blueprint.loaders import render_yaml_template

    steps = render_yaml_template(path, use_airflow_context=True)[0].get("steps", {})
    return [name for name, step in steps.items() if isinstance(step, dict) and step.get("blueprint") == template]
