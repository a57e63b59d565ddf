"""What a request would send, for a log: the names of fields, IDs, dates and numbers. Other texts are masked."""

from __future__ import annotations

import json
import re
from datetime import datetime
from typing import TYPE_CHECKING, Any

from airflow_provider_learning360.api.catalogue.arguments import (
    build_query,
    simplify_body,
    simplify_parameters,
    to_json,
)
from airflow_provider_learning360.api.catalogue.differences import resolve
from airflow_provider_learning360.api.catalogue.masking import MASK
from airflow_provider_learning360.api.catalogue.multipart import UploadedFile
from airflow_provider_learning360.api.errors import contains_mail_address, redact

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from airflow_provider_learning360.api.catalogue.operation import JsonSchema, Operation

_ID = re.compile("[a-fA-F0-9]{24}")


def describe_request(operation: Operation, parameters: Mapping[str, Any] | None, body: Any) -> str:
    """
    Describe what a call would send: method, path, query and body. People are masked.

    :param operation: The operation.
    :param parameters: Its parameters, by key; None for none.
    :param body: Its body; None for none.
    """
    given, path, query = simplify_parameters(operation, parameters), operation.path, []
    for key, parameter in operation.keys:
        if key not in given:
            continue
        value = _mask(given[key], set(_enums(parameter.schema, operation.schemas)))
        if parameter.place == "path":
            path = path.replace(f"{{{parameter.name}}}", str(value))
        else:
            query += [f"{name}={one}" for name, one in build_query(key, value)]
    target = f"{operation.method} {path}{'?' if query else ''}{'&'.join(query)}"
    if operation.body is None or body is None:
        return target
    allowed, sent = set(_enums(operation.body["schema"], operation.schemas)), simplify_body(operation, body)
    return f"{target} with the body {json.dumps(_mask(sent, allowed), ensure_ascii=False)}"


def _mask(value: Any, allowed: Collection[str]) -> Any:
    if isinstance(value, UploadedFile):
        return f"a file of {len(value.content):,} bytes"
    value = to_json(value)
    if isinstance(value, dict):
        return {_mask_name(name): _mask(one, allowed) for name, one in value.items()}
    if isinstance(value, list):
        return [_mask(one, allowed) for one in value]
    return value if not isinstance(value, str) or _is_harmless(value, allowed) else MASK


def _mask_name(name: str) -> str:
    return MASK if contains_mail_address(name) else redact(name)


def _is_harmless(text: str, allowed: Collection[str]) -> bool:
    """Whether a text is about nobody: an ID, a date, one of a few allowed values, or empty."""
    return not text or text in allowed or _ID.fullmatch(text) is not None or _is_date(text)


def _is_date(text: str) -> bool:
    try:
        # Python also reads eight digits as a date.
        return "-" in text and bool(datetime.fromisoformat(text))
    except ValueError:
        return False


def _enums(schema: JsonSchema, schemas: Mapping[str, JsonSchema], seen: frozenset[str] = frozenset()) -> Iterator[str]:
    """Yield the allowed values of all fields below a schema."""
    reference = schema.get("$ref", "")
    if reference in seen:
        return
    seen = seen | {reference} if reference else seen
    whole = resolve(schema, schemas)
    yield from (one for one in whole.get("enum", ()) if isinstance(one, str))
    parts = [*whole.get("properties", {}).values(), *whole.get("anyOf", ()), whole.get("items")]
    for part in parts:
        if isinstance(part, dict):
            yield from _enums(part, schemas, seen)
