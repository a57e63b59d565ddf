"""The body of a request, read and checked against its documented schema."""

from __future__ import annotations

import json
import re
from datetime import date
from email.parser import BytesParser
from email.policy import HTTP
from functools import cache
from typing import TYPE_CHECKING, Any

from airflow_provider_learning360.simulator.documented import load_documented
from airflow_provider_learning360.simulator.filters import read_moment

if TYPE_CHECKING:
    from jsonschema import FormatChecker

    from airflow_provider_learning360.simulator.documented import Documented, Schema, Version
    from airflow_provider_learning360.simulator.request_log import SeenRequest

_MULTIPART = "multipart/form-data"
_FILE = "f" * 24  # in place of the content of a file; where a file may be, the ID of one often may as well
_NAME = re.compile(r"^[^\[\]]+|(?<=\[)[^\[\]]*(?=\])")


def read_body(operation: Documented, seen: SeenRequest) -> Any:
    """Return the body of a request; None for an operation without one.

    :param operation: the operation.
    :param seen: the request.
    :raises ValueError: the body is not valid; the error says why, and holds no value.
    """
    documented = operation.data.get("body")
    if documented is None:
        return None
    if documented.get("type") == _MULTIPART:
        body = _read_parts(operation, documented["schema"], seen)
    else:
        try:
            body = json.loads(seen.body)
        except ValueError:
            raise ValueError("the body is not JSON") from None
    _require_valid(operation, documented["schema"], body)
    return body


def fits(operation: Documented, schema: Schema, value: Any) -> bool:
    """Return whether a value is valid for a schema of an operation.

    :param operation: the operation, which has the schemas to which this one refers.
    :param schema: the schema.
    :param value: the value.
    """
    return next(_find_errors(operation, schema, value), None) is None


def _require_valid(operation: Documented, schema: Schema, body: Any) -> None:
    error = next(_find_errors(operation, schema, body), None)
    if error is not None:
        while error.context:
            error = max(error.context, key=lambda one: len(one.absolute_path))
        # The message of these two names fields only.
        is_named = error.validator in ("required", "additionalProperties")
        reason = error.message if is_named else f"must be {error.validator} {json.dumps(error.validator_value)[:200]}"
        raise ValueError(f"{error.json_path.replace('$', 'body', 1)}: {reason}")


def _find_errors(operation: Documented, schema: Schema, value: Any) -> Any:
    from jsonschema import Draft202012Validator

    root = _close(schema) | {"schemas": _close_schemas(operation.version)}
    return Draft202012Validator(root, format_checker=_build_checker()).iter_errors(value)


@cache
def _close_schemas(version: Version) -> Any:
    return _close(load_documented(version)[0].schemas)


@cache
def _build_checker() -> FormatChecker:
    from jsonschema import FormatChecker

    checker = FormatChecker(formats=())
    checker.checks("date-time")(lambda one: not isinstance(one, str) or ("T" in one and read_moment(one) is not None))
    checker.checks("date", raises=ValueError)(lambda one: not isinstance(one, str) or bool(date.fromisoformat(one)))
    return checker


def _close(value: Any) -> Any:
    """Return a schema that refuses fields that it does not name, as the stateful routes do."""
    if isinstance(value, list):
        return [_close(one) for one in value]
    if not isinstance(value, dict):
        return value
    closed = {name: _close(one) for name, one in value.items()}
    if closed.get("type") == "object" and "properties" in closed:
        closed.setdefault("additionalProperties", False)
    return closed


def _read_parts(operation: Documented, schema: Schema, seen: SeenRequest) -> dict[str, Any]:
    """Return the parts of a multipart body by name, with the types of the schema. The content of files is left out."""
    content_type = seen.headers.get("content-type", "")
    if not content_type.startswith(_MULTIPART):
        raise ValueError(f"the body is not {_MULTIPART}")
    head = f"Content-Type: {content_type}\r\n\r\n".encode("latin-1", "replace")
    message = BytesParser(policy=HTTP).parsebytes(head + seen.body)
    body: dict[str, Any] = {}
    for part in message.iter_parts():
        path = _NAME.findall(str(part.get_param("name", "", "content-disposition")))
        content = part.get_payload(decode=True)
        text = content.decode("utf-8", "replace") if isinstance(content, bytes) else ""
        if path:
            _put(body, path, _FILE if part.get_filename() else text)
    read = _read_fields(operation, schema, body)
    assert isinstance(read, dict)
    return read


def _put(fields: dict[str, Any], path: list[str], text: str) -> None:
    """Put a text where its name says: `options[color]`, `tagIds[0]`, or `tagIds[]` and `tagIds` several times."""
    *outer, last = [name for name in path if name]
    for name in outer:
        fields = fields.setdefault(name, {})
        if not isinstance(fields, dict):
            raise ValueError(f"the body has {outer[0]} as a text and as a list")  # noqa: TRY004 - it becomes a 400
    known = fields.get(last, [])
    listed = [*(known if isinstance(known, list) else [known]), text]
    fields[last] = listed if len(listed) > 1 or not path[-1] else text


def _read_fields(operation: Documented, schema: Schema, value: Any) -> Any:
    """Return texts as what the schema says that they are."""
    resolved = operation.resolve(schema)
    kind = resolved.get("type", "string")
    if isinstance(value, dict) and kind == "array":
        value = list(value.values())
    if isinstance(value, dict):
        properties = resolved.get("properties", {})
        return {name: _read_fields(operation, properties.get(name, {}), one) for name, one in value.items()}
    if kind == "array" and not isinstance(value, list):
        value = [value]
    if isinstance(value, list):
        return [_read_fields(operation, resolved.get("items", {}), one) for one in value]
    return value if kind == "string" else _read_value(value)


def _read_value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text
