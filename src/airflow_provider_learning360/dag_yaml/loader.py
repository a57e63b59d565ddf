"""Build the DAGs of YAML files with airflow-blueprint; a broken file stops its own DAG only."""

from __future__ import annotations

__all__ = ["DagFileError", "build_airflow_dags"]

import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow.exceptions import SerializationError
from airflow.providers.common.compat.sdk import DAG

from airflow_provider_learning360.dag_yaml.extras import require_blueprint
from airflow_provider_learning360.dag_yaml.mistakes import check_names, describe_mistake, find_line
from airflow_provider_learning360.yaml_loader import YamlError, check_yaml, read_yaml_file

if TYPE_CHECKING:
    from collections.abc import Iterator, MutableMapping

try:
    from airflow.sdk.definitions._internal.contextmanager import DagContext
except ImportError:  # Airflow 2
    from airflow.models.dag import DagContext  # type: ignore[no-redef]

PATTERN = "*.dag.yaml"


class DagFileError(SerializationError):  # Airflow wraps all other errors during serialization
    """A YAML file cannot become a DAG. The message names the file, the line if known, the step and the field."""


class BrokenDag(DAG):
    """
    Stands for a YAML file that cannot become a DAG: Airflow lists its error under the path of that file.

    An exception in the loader would stop all DAGs of the loader, and an import error under the loader's own path would
    make Airflow 3.3 deactivate them. So the error is raised where Airflow handles one DAG.

    :param dag_id: An unused DAG ID.
    :param path: Path of the YAML file.
    :param error: What is wrong with the file.

    Source: `DagBag.process_file` and `_serialize_dags` of Airflow's DAG processor.
    """

    def __init__(self, dag_id: str, path: Path, error: DagFileError) -> None:
        self._path, self._error = path, error
        super().__init__(dag_id=dag_id, schedule=None, tags=["360learning"])

    @property
    def fileloc(self) -> str:
        return str(self._path)

    @fileloc.setter
    def fileloc(self, loader: str) -> None:
        """Ignore the path of the Python file, which Airflow sets."""

    def validate(self) -> None:
        """Raise the error where DAGs are not serialized: on Airflow 2, on the command line and in tests."""
        if not _is_supervised():
            raise self._error

    def get_serialized_fields(self) -> Any:  # type: ignore[override] # of the class, and called on the DAG
        """Raise the error in the DAG processor of Airflow 3, which then keeps it under the path of this DAG."""
        raise self._error


def build_airflow_dags(module: MutableMapping[str, Any]) -> None:
    """
    Build a DAG from each `*.dag.yaml` in the folder of a Python file and below, as globals of that file.

    A file that cannot become a DAG stops its own DAG only. Airflow lists its error under the path of the YAML file.

    :param module: `globals()` of the file that calls this.
    :raises ImportError: airflow-blueprint is not installed. The text says how to install it.
    :raises DagFileError: The Python file runs as a script, such as `python loader.py`, and a YAML file is broken.

    Source: airflow-blueprint's `Builder`; `build_all_airflow_dags` does the same without naming file and step.
    """
    require_blueprint()
    from blueprint import BlueprintRegistry
    from blueprint.loaders import discover_yaml_files

    loader = Path(module["__file__"])
    registry, files = BlueprintRegistry(template_dirs=[loader.parent], exclude_files={loader}), dict[str, Path]()
    registry.discover(force=True)
    errors: list[DagFileError] = []
    for path in discover_yaml_files(loader.parent, PATTERN):
        try:
            dag = _build_dag(registry, path, loader.parent)
            _require_new_id(dag.dag_id, path, files)
        except DagFileError as error:
            errors.append(error)
            dag = BrokenDag(f"learning360_broken_file_{len(errors)}", path, error)
        module[dag.dag_id] = dag
    if errors and module.get("__name__") == "__main__":
        raise DagFileError("\n".join(map(str, errors)))


def _is_supervised() -> bool:
    """Whether this process is supervised by Airflow 3: a DAG processor that parses a file, or a task runner."""
    return hasattr(sys.modules.get("airflow.sdk.execution_time.task_runner"), "SUPERVISOR_COMMS")


def _require_new_id(dag_id: str, path: Path, files: dict[str, Path]) -> None:
    first = files.setdefault(dag_id, path)
    if first != path:
        raise DagFileError(f"{path.name}: dag_id: {dag_id!r} is already the DAG of {first.name}; choose another ID")


def _build_dag(registry: Any, path: Path, folder: Path) -> Any:
    from blueprint import Builder, DAGConfig
    from blueprint.loaders import render_yaml_template
    from blueprint.vars import resolve

    document, text = dict[str, Any](), ""
    # Like `Builder.build_from_yaml`, which does not return the document that it read.
    try:
        _check_files(path, folder)
        document, text = render_yaml_template(path, context={"profile": None})
        check_yaml(text)
        document, _ = resolve(document, path, search_root=folder)
        config = DAGConfig.model_validate(document)
        check_names(config)
        with _no_registration():
            return Builder(bp_registry=registry).build(config, source_path=path)
    except Exception as error:  # noqa: BLE001 - from YAML, Jinja, pydantic, blueprint, Airflow, or any template
        reason = describe_mistake(error, document)
    # Outside the handler: the chained error may contain more of the file than a list of errors should show.
    raise DagFileError(f"{path.relative_to(folder)}{_line_of(reason, path, text)}: {reason}")


@contextmanager
def _no_registration() -> Iterator[None]:
    """Keep Airflow from registering a DAG at the end of its `with` block, which it does after an error, too."""
    module, DagContext.current_autoregister_module_name = DagContext.current_autoregister_module_name, None
    try:
        yield
    finally:
        DagContext.current_autoregister_module_name = module


def _line_of(reason: str, path: Path, rendered: str) -> str:
    """Return the line of the step and field that a reason names; nothing if Jinja may have moved the lines."""
    if not rendered or len(rendered.splitlines()) != len(path.read_text("utf-8").splitlines()):
        return ""
    line = find_line(reason, rendered)
    return f", line {line}" if line else ""


def _check_files(path: Path, folder: Path) -> None:
    """Refuse files that are too large for blueprint, which reads and expands any file."""
    from blueprint.vars import discover_vars_files

    for file in [path, *discover_vars_files(path.parent, folder)]:
        try:
            # `check_yaml` checks the rendered text later; blueprint reports errors of the syntax.
            check_yaml(read_yaml_file(file), duplicates=False, syntax=False)
        except YamlError as error:
            problem = str(error) if file == path else f"{file.name}: {error}"
        else:
            continue
        raise YamlError(problem)
