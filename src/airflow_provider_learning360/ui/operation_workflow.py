"""A workflow that calls one operation, as source that is ready to paste, in each dialect."""

from __future__ import annotations

import re
from string import Template
from typing import TYPE_CHECKING, Any, get_args

from airflow_provider_learning360.api.catalogue.answers import check_fields
from airflow_provider_learning360.api.catalogue.masking import has_people
from airflow_provider_learning360.api.catalogue.options import parse_pages
from airflow_provider_learning360.api.contract import ContractPolicy
from airflow_provider_learning360.api.errors import FixArgumentError
from airflow_provider_learning360.rendering import is_template
from airflow_provider_learning360.ui.failure import ArgumentsRefusedError
from airflow_provider_learning360.ui.literal import quote, write_argument
from airflow_provider_learning360.ui.operation_request import require_valid_arguments
from airflow_provider_learning360.ui.operations import list_options
from airflow_provider_learning360.ui.workflow import DIALECTS, SOURCES, require_conn_id

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from airflow_provider_learning360.api.catalogue.operation import Operation
    from airflow_provider_learning360.ui.responses import (
        Need,
        OperationWorkflows,
        PickedExpressions,
        Snippet,
        WorkflowItem,
    )
    from airflow_provider_learning360.ui.workflow import Dialect

MAX_PICKED = 50

# A field of the answer as the page names it: `name`, `steps[0].title`, or `[3].name` of a list.
_NAME = r"[A-Za-z_]\w*(?:\[\d{1,6}\])*"
_PATH = re.compile(rf"(?:{_NAME}|(?:\[\d{{1,6}}\])+)(?:\.{_NAME})*")
_STEP = re.compile(r"\[(\d+)\]|(\w+)")
_INDENTS = {"python": "        ", "blueprint": "    ", "dag_factory": "      "}

Problem = tuple[str, str]


def build_operation_workflows(
    operation: Operation,
    learning_conn_id: str,
    parameters: Mapping[str, Any],
    body: Any,
    options: Mapping[str, Any],
    picked: list[str],
) -> OperationWorkflows:
    """
    Return a workflow that calls an operation, in every dialect, and expressions for fields of its answer.

    :param operation: The operation.
    :param learning_conn_id: ID of the Airflow connection.
    :param parameters: Its parameters, by key.
    :param body: Its body; None for none.
    :param options: Options of the operator, by name.
    :param picked: Paths of fields of the answer.
    :raises ArgumentsRefusedError: A parameter, the body or an option is not valid.
    :raises ConnectionRefusedByPageError: Airflow does not allow the ID of the connection.
    """
    require_conn_id(learning_conn_id)
    require_valid_arguments(operation, parameters, body)
    problems = [
        *_find_templates("parameters", dict(parameters)),
        *_find_templates("body", body),
        *_find_option_problems(operation, options),
    ]
    if problems:
        raise ArgumentsRefusedError(problems)
    arguments = {"parameters": dict(parameters) or None, "body": body, **options}
    given = {name: value for name, value in arguments.items() if value is not None}
    workflow: WorkflowItem = {
        "kind": "operation",
        "snippets": [_build_snippet(operation, dialect, learning_conn_id, given) for dialect in DIALECTS],
    }
    return {
        "workflows": [workflow],
        "expressions": {path: _build_expressions(operation, path) for path in picked[:MAX_PICKED] if _is_path(path)},
    }


def name_step(operation: Operation) -> str:
    """
    Return the name of the step and of the DAG that call an operation.

    :param operation: The operation.
    """
    return operation.name.replace("-", "_")


def _build_snippet(operation: Operation, dialect: Dialect, conn_id: str, given: Mapping[str, Any]) -> Snippet:
    name, indent = name_step(operation), _INDENTS[dialect.name]
    arguments = {"operation": operation.name, "learning_conn_id": conn_id, **given}
    names = {"name": name, "folder": "learning360"}
    source = (SOURCES / f"operation.{dialect.name}.txt").read_text(encoding="utf-8")
    text = Template(source).substitute(
        names,
        about=operation.data["text"],
        dag_id=quote(name),
        arguments="".join(write_argument(key, value, dialect.name, indent) for key, value in arguments.items()),
        result=_write_result(operation),
    )
    needs: list[Need] = [*dialect.needs]
    if has_people(operation) and "fields" not in given and "fields" in list_options(operation):
        needs.append("people_in_xcom")
    return {
        "dialect": dialect.name,
        "label": dialect.label,
        "file": dialect.file.format(**names),
        "text": text,
        "needs": needs,
    }


def _write_result(operation: Operation) -> str:
    """Return what the example of a next task prints: how much came, and no content, which may be about people."""
    return "len(answer)" if "schema" in operation.data["answer"] else "answer"


def _find_option_problems(operation: Operation, options: Mapping[str, Any]) -> Iterator[Problem]:
    allowed = list_options(operation)
    for name, value in options.items():
        if name not in allowed:
            known = ", ".join(allowed) or "none"
            yield f"options.{name}", f"there is no such option for this operation; known are {known}"
        elif value is not None and (problem := _find_option_problem(operation, name, value)):
            yield f"options.{name}", problem
    if "replace" in allowed and options.get("replace") is not True:
        replaced = operation.data.get("replaces")
        removed = "all that is not in the body is removed; say that it may"
        yield "options.replace", f"the operation replaces {replaced}: {removed}"


def _find_option_problem(operation: Operation, name: str, value: Any) -> str | None:
    match name:
        case "pages":
            return _find_error(name, lambda: parse_pages(value))
        case "contract":
            choices = get_args(ContractPolicy)
            return None if value in choices else f"it is not one of {', '.join(choices)}"
        case "fields":
            return _find_field_problem(operation, value)
    return None if isinstance(value, bool) else "it is neither true nor false"


def _find_field_problem(operation: Operation, fields: Any) -> str | None:
    if not isinstance(fields, list) or not all(isinstance(one, str) for one in fields):
        return "it is not a list of names"
    templates = (text for _, text in _find_templates("", fields))
    return _find_error("fields", lambda: check_fields(operation, fields)) or next(templates, None)


def _find_error(name: str, check: Callable[[], object]) -> str | None:
    try:
        check()
    except FixArgumentError as error:
        return str(error).removeprefix(f"{name}: ")
    return None


def _find_templates(place: str, value: Any) -> Iterator[Problem]:
    """Yield the texts that Airflow would render, and the names that dag-factory would take for a class."""
    if isinstance(value, dict):
        for name, one in value.items():
            if is_template(name) or name.startswith("__"):
                yield place, "a name in it begins with __ or has {{ in it; write this workflow by hand"
            yield from _find_templates(f"{place}.{name}", one)
    elif isinstance(value, list):
        for index, one in enumerate(value):
            yield from _find_templates(f"{place}.{index}", one)
    elif is_template(value):
        yield place, "Airflow would render a text with {{, {% or {# as a template; write it into the file by hand"


def _is_path(path: str) -> bool:
    return _PATH.fullmatch(path) is not None


def _build_expressions(operation: Operation, path: str) -> PickedExpressions:
    """Return how the next task uses a field: a text with a Jinja template, in any field that takes templates."""
    step = name_step(operation)
    rendered = f"ti.xcom_pull(task_ids='{step}')"
    if operation.is_list and not path.startswith("["):
        jinja = f"{{{{ {rendered} | map(attribute='{path.replace('[', '.').replace(']', '')}') | list }}}}"
    else:
        steps = (f"[{index}]" if index else f"['{name}']" for index, name in _STEP.findall(path))
        jinja = f"{{{{ {rendered}{''.join(steps)} }}}}"
    dot = "" if path.startswith("[") else "."
    return {
        "python": jinja,
        "blueprint": f"{{{{ context.steps.{step}{dot}{path} }}}}",
        "dag_factory": jinja,
    }
