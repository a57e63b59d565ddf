"""The arguments of a call: checked against the operation, and made into a request."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from datetime import date, datetime
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote

from airflow_provider_learning360.api.catalogue.multipart import (
    UploadedFile,
    encode_multipart,
    find_file_fields,
    takes_files,
)
from airflow_provider_learning360.api.catalogue.operation import ID_PATTERN, JSON_TYPE
from airflow_provider_learning360.api.catalogue.text_values import format_moment, parse_texts, write_times
from airflow_provider_learning360.api.errors import FixArgumentError
from airflow_provider_learning360.api.input_errors import end_sentence, format_value, list_known
from airflow_provider_learning360.api.messages import Request

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from airflow_provider_learning360.api.catalogue.operation import JsonSchema, Operation, Parameter

MAX_PROBLEMS = 20  # of one call that are described
MAX_NAMED = 3  # of them that one error names
_LARGEST = 10**300  # of a whole number; Python writes no more than 4,300 digits, and the API takes far fewer
_NOT_JSON = "it holds a value that JSON cannot have, such as NaN or half of a character"


class ArgumentProblem(NamedTuple):
    """
    What is wrong with an argument of a call.

    :param place: Where, such as `parameters.pathId` or `body.filters.0.ids`.
    :param text: What is wrong there.
    """

    place: str
    text: str

    def __str__(self) -> str:
        return f"{self.place}: {self.text}"


def _is_known(_: Any) -> bool:
    return False


def check_arguments(operation: Operation, parameters: Any, body: Any, skip: Callable[[Any], bool] = _is_known) -> None:
    """
    Check the arguments of a call.

    :param operation: The operation.
    :param parameters: Its parameters, by key; None for none.
    :param body: Its body; None for none.
    :param skip: Whether a value is not known yet, such as a template; default all are known.
    :raises FixArgumentError: An argument is not valid. The error names three problems at most.
    """
    problems = find_problems(operation, parameters, body, skip)
    if problems:
        named = " ".join(end_sentence(str(one)) for one in problems[:MAX_NAMED])
        left = len(problems) - MAX_NAMED
        more = f" Also wrong: {left} more." if left > 0 else ""
        raise FixArgumentError(
            f"{operation.name}: {named}{more} `airflow learning360 operation {operation.name}` shows what it takes."
        )


def find_problems(
    operation: Operation, parameters: Any, body: Any, skip: Callable[[Any], bool] = _is_known
) -> list[ArgumentProblem]:
    """
    Return what is wrong with the arguments of a call, in order.

    :param operation: The operation.
    :param parameters: Its parameters, by key; None for none.
    :param body: Its body; None for none.
    :param skip: Whether a value is not known yet, such as a template; default all are known.
    """
    found = [
        *_list_problems("parameters", _check_parameters(operation, parameters, skip)),
        *_list_problems("body", _check_body(operation, body, skip)),
    ]
    return found[:MAX_PROBLEMS]


def _list_problems(place: str, problems: Iterator[ArgumentProblem]) -> list[ArgumentProblem]:
    try:
        return list(islice(problems, MAX_PROBLEMS))
    except RecursionError:
        return [ArgumentProblem(place, "it is nested too deeply")]


def build_request(operation: Operation, parameters: Mapping[str, Any] | None, body: Any) -> Request:
    """
    Build the request of a call.

    :param operation: The operation.
    :param parameters: Its parameters, by key; None for none.
    :param body: Its body; None for none.
    :returns: The request.
    :raises FixArgumentError: An argument is not valid.
    """
    check_arguments(operation, parameters, body)
    given = simplify_parameters(operation, parameters)
    path, query = operation.path, []
    for key, parameter in operation.keys:
        if key not in given:
            continue
        if parameter.place == "path":
            path = path.replace(f"{{{parameter.name}}}", quote(_to_text(given[key]), safe=""))
        else:
            query += list(build_query(key, given[key]))
    kind, content = _encode_body(operation, body)
    headers = {"Content-Type": kind} if kind else {}
    return Request(operation.method, path, tuple(query), headers, content, repeatable=operation.repeat != "once")


def simplify_parameters(operation: Operation, parameters: Mapping[str, Any] | None) -> dict[str, Any]:
    """
    Return the parameters of a call as plain JSON, by key; a document stands for its `_id`.

    :param operation: The operation.
    :param parameters: The parameters, as the author of a DAG wrote them; None for none.
    """
    known = dict(operation.keys)
    return {key: _simplify_parameter(operation, known[key], key, value) for key, value in (parameters or {}).items()}


def simplify_body(operation: Operation, body: Any) -> Any:
    """
    Return a body as it is sent: plain JSON and files, with times as the API writes them.

    :param operation: The operation.
    :param body: The body, as the author of a DAG wrote it; None for none.
    """
    plain = to_json(body)
    if isinstance(body, Mapping) and takes_files(operation):
        plain |= {name: one for name, one in body.items() if isinstance(one, UploadedFile)}
    return plain if operation.body is None else write_times(operation.body["schema"], operation.schemas, plain)


def _simplify_parameter(operation: Operation, parameter: Parameter, key: str, value: Any) -> Any:
    schema, schemas = parameter.schema_of(key), operation.schemas
    # A template gives texts, and so does the command line.
    plain = parse_texts(schema, schemas, _simplify(schema, value))
    # In filters, the API takes milliseconds only as 0.
    return write_times(schema, schemas, plain, whole_seconds=True)


def _simplify(schema: JsonSchema, value: Any) -> Any:
    if schema.get("type") == "array" and isinstance(value, list | tuple | set | frozenset):
        return [_simplify(schema["items"], one) for one in value]
    if schema.get("type") == "string" and isinstance(value, Mapping) and isinstance(value.get("_id"), str):
        return value["_id"]
    return to_json(value)


def _is_file_or_id(value: Any) -> bool:
    return isinstance(value, UploadedFile) or re.fullmatch(ID_PATTERN, str(value)) is not None


def _encode_body(operation: Operation, body: Any) -> tuple[str, bytes | None]:
    """Return the content type and the bytes of a body."""
    if operation.body is None:
        return "", None
    kept = simplify_body(operation, body)
    if not takes_files(operation):
        return JSON_TYPE, json.dumps(kept, ensure_ascii=False).encode()
    # A file field may also take the ID of a picture that is there already.
    unread = [name for name in find_file_fields(operation) if name in kept and not _is_file_or_id(kept[name])]
    if unread:
        raise FixArgumentError(f"{operation.name}: body.{unread[0]}: the file was not read. Pass an UploadedFile.")
    return encode_multipart(kept)


def to_json(value: Any) -> Any:
    """
    Return a value as plain JSON: times in UTC with milliseconds, as the API writes them; tuples and sets as lists.

    :param value: What the author of a DAG wrote.
    """
    if isinstance(value, datetime):
        return format_moment(value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, UploadedFile):
        return value.name
    if isinstance(value, Mapping):
        return {str(name): to_json(one) for name, one in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [to_json(one) for one in value]
    return value


def _check_parameters(operation: Operation, parameters: Any, skip: Callable[[Any], bool]) -> Iterator[ArgumentProblem]:
    if parameters is not None and not isinstance(parameters, Mapping):
        if not skip(parameters):
            yield ArgumentProblem("parameters", f"{format_value(parameters)} is not a mapping of names and values")
        return
    given, known = parameters or {}, dict(operation.keys)
    for key, value in given.items():
        if key not in known:
            yield ArgumentProblem(f"parameters.{key}", _describe_unknown(key, value, operation))
        elif not skip(value):
            yield from _check_value(operation, known[key], key, value, skip)
    for key, parameter in known.items():
        if parameter.required and key not in given:
            yield ArgumentProblem(f"parameters.{key}", "it is missing")


def _describe_unknown(key: Any, value: Any, operation: Operation) -> str:
    keys = [one for one, _ in operation.keys]
    filters = [one for one in keys if one.startswith(f"{key}[")]
    if filters:  # `modifiedAt: ...`, or `modifiedAt: {gte: ...}`
        return f"it needs an operator; write {' or '.join(filters)}"
    if not keys:
        return "there is no such parameter: the operation takes none"
    return f"there is no such parameter; known are {list_known(key, keys)}"


def _check_value(
    operation: Operation, parameter: Parameter, key: str, value: Any, skip: Callable[[Any], bool]
) -> Iterator[ArgumentProblem]:
    from airflow_provider_learning360.api.catalogue.schemas import find_schema_problems

    schema = parameter.schema_of(key)
    value = _simplify_parameter(operation, parameter, key, value)
    place = f"parameters.{key}"
    if not _is_plain(value, skip):
        yield ArgumentProblem(place, _NOT_JSON)
        return
    if parameter.place == "path" and isinstance(value, str) and _leads_elsewhere(value):
        text = f"{format_value(value)} would lead to another path; write the ID or name that is meant"
        yield ArgumentProblem(place, text)
        return
    for problem in find_schema_problems(schema, operation.schemas, value, skip):
        yield ArgumentProblem(".".join(map(str, (place, *problem.path))), problem.text)


def _leads_elsewhere(text: str) -> bool:
    """Whether HTTP libraries, proxies or servers would take a path with this text for another one."""
    return not text.strip() or any(part.strip() in (".", "..") for part in re.split(r"[/\\]", text))


def _check_body(operation: Operation, body: Any, skip: Callable[[Any], bool]) -> Iterator[ArgumentProblem]:
    from airflow_provider_learning360.api.catalogue.schemas import find_schema_problems

    if operation.body is None:
        if body is not None:
            yield ArgumentProblem("body", "the operation takes no body")
        return
    if body is None:
        yield ArgumentProblem("body", "it is missing")
        return
    if not isinstance(body, Mapping | list) and skip(body):
        return
    plain = to_json(body)
    if isinstance(plain, dict):
        # The name of a file need not have the form that the schema has for an ID in its place.
        plain |= {name: "0" * 24 for name in find_file_fields(operation) if isinstance(plain.get(name), str)}
    if not _is_plain(plain, skip):
        yield ArgumentProblem("body", _NOT_JSON)
        return
    for problem in find_schema_problems(operation.body["schema"], operation.schemas, plain, skip):
        yield ArgumentProblem(".".join(map(str, ("body", *problem.path))), problem.text)


def _is_plain(value: Any, skip: Callable[[Any], bool]) -> bool:
    if isinstance(value, dict):
        return all(_is_text(name) and _is_plain(one, skip) for name, one in value.items())
    if isinstance(value, list):
        return all(_is_plain(one, skip) for one in value)
    if isinstance(value, float):
        return math.isfinite(value)
    if isinstance(value, str):
        return _is_text(value)
    if isinstance(value, int):
        return -_LARGEST < value < _LARGEST
    return value is None or skip(value)


def _is_text(value: str) -> bool:
    """Whether a text has whole characters only; half of a pair of UTF-16 cannot be sent."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def build_query(key: str, value: Any) -> Iterator[tuple[str, str]]:
    """
    Yield names and values of a query; the items of a list are numbered, as the vendor's examples do.

    :param key: The parameter.
    :param value: Its value, as plain JSON.
    """
    if isinstance(value, list):
        yield from ((f"{key}[{number}]", _to_text(one)) for number, one in enumerate(value))
    else:
        yield key, _to_text(value)


def _to_text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
