"""Build the DAGs of YAML files with airflow-blueprint, and say which file is wrong, and which step of it."""

from __future__ import annotations

__all__ = ["DagFileError", "build_airflow_dags"]

from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_provider_learning360.dag_yaml.mistakes import check_names, told
from airflow_provider_learning360.yaml_loader import YamlError, check_yaml, read_yaml_file

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
    from blueprint import BlueprintRegistry
    from blueprint.loaders import discover_yaml_files

    loader = Path(module["__file__"])
    registry, files = BlueprintRegistry(template_dirs=[loader.parent], exclude_files={loader}), dict[str, Path]()
    registry.discover(force=True)
    for path in discover_yaml_files(loader.parent, PATTERN):
        dag = _built(registry, path, loader.parent)
        if dag.dag_id in files:
            raise DagFileError(
                f"{path.name}: dag_id: {dag.dag_id!r} is the DAG of {files[dag.dag_id].name} already; give another."
            )
        module[dag.dag_id], files[dag.dag_id] = dag, path


def _built(registry: Any, path: Path, folder: Path) -> Any:
    from blueprint import Builder, DAGConfig
    from blueprint.loaders import render_yaml_template
    from blueprint.vars import resolve

    document: dict[str, Any] = {}
    # As `Builder.build_from_yaml` does it, which keeps to itself what it read.
    try:
        _check_files(path, folder)
        document, text = render_yaml_template(path, context={"profile": None})
        check_yaml(text)
        document, _ = resolve(document, path, search_root=folder)
        config = DAGConfig.model_validate(document)
        check_names(config)
        return Builder(bp_registry=registry).build(config, source_path=path)
    except Exception as error:  # noqa: BLE001 - of YAML, Jinja, pydantic, blueprint, Airflow, and of anybody's template
        reason = told(error, document)
    # Outside of the handler: what failed may hold more of the file than anybody should read in a list of errors.
    raise DagFileError(f"{path.name}: {reason}")


def _check_files(path: Path, folder: Path) -> None:
    """Refuse files that are too large for blueprint, which reads and expands whatever it is given."""
    from blueprint.vars import discover_vars_files

    for file in [path, *discover_vars_files(path.parent, folder)]:
        try:
            # What Jinja makes of it is checked once it is rendered; blueprint reports errors of the syntax.
            check_yaml(read_yaml_file(file), duplicates=False, syntax=False)
        except YamlError as error:
            problem = str(error) if file == path else f"{file.name}: {error}"
        else:
            continue
        raise YamlError(problem)
