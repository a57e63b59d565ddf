"""What a PATCH of a session may change, and how its body is read: JSON or a form."""

from __future__ import annotations

import json
from datetime import datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from airflow_provider_learning360.simulator.sample_data import Document, format_date

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_learning360.simulator.request_log import SeenRequest


def read_changes(seen: SeenRequest, document: Document) -> dict[str, Any]:
    """Return the fields that a PATCH changes, ready for an edit.

    A field that is not documented is an error, so that a client finds its mistake.

    :param seen: the request.
    :param document: the session before the change.
    :raises ValueError: a field is unknown, or its value not valid.
    """
    fields = {}
    for name, value in _read_body(seen).items():
        if name not in _EDITABLE:
            raise ValueError(f"{name} is not one of {', '.join(_EDITABLE)}")
        try:
            fields[name] = _EDITABLE[name](value)
        except (TypeError, ValueError, AttributeError, KeyError):
            raise ValueError(f"{name} has an invalid value") from None
    # Dates have one format, so their texts compare as their times do.
    start, end = (fields.get(name, document.get(name)) for name in ("startDate", "endDate"))
    if {"startDate", "endDate"} & fields.keys() and isinstance(start, str) and isinstance(end, str) and end < start:
        raise ValueError("endDate is before startDate")
    return _to_stored_fields(fields, document)


def _read_body(seen: SeenRequest) -> dict[str, Any]:
    if "application/x-www-form-urlencoded" in seen.headers.get("content-type", ""):
        return _parse_form(seen.body.decode(errors="replace"))
    try:
        body = json.loads(seen.body)
    except ValueError:
        raise ValueError("the body is neither JSON nor a form") from None
    if not isinstance(body, dict):
        raise ValueError("the body is not an object")  # noqa: TRY004 - callers catch one type of error
    return body


def _parse_form(body: str) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    lists: dict[str, list[str]] = {}
    tables: dict[str, dict[str, dict[str, str]]] = {}
    for key, value in parse_qsl(body, keep_blank_values=True):
        name, *inner = key.replace("]", "").split("[")
        if len(inner) > 1:  # customFields[0][_id]=...
            tables.setdefault(name, {}).setdefault(inner[0], {})[inner[1]] = value
        elif inner or name == "tutors":  # tutors[]=..., or the name repeated
            lists.setdefault(name, []).append(value)
        else:
            flat[name] = value
    return flat | lists | {name: list(rows.values()) for name, rows in tables.items()}


def _to_stored_fields(fields: dict[str, Any], document: Document) -> dict[str, Any]:
    fields.pop("email", None)  # changes mails of the program, which the session does not show
    if "userLimit" in fields:
        fields["hasUserLimit"] = fields["userLimit"] is not None
        fields["userLimit"] = ... if fields["userLimit"] is None else fields["userLimit"]
    if "customFields" in fields:
        sent = {item["_id"]: item["value"] for item in fields["customFields"]}
        kept = [dict(item) for item in document.get("customFields") or []]
        for item in kept:
            item["value"] = sent.pop(item.get("_id") or item.get("customFieldId"), item.get("value"))
        fields["customFields"] = kept + [{"_id": key, "value": value} for key, value in sent.items()]
    return fields


def _require_text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _require_texts(value: Any) -> list[str]:
    if not isinstance(value, list):
        raise TypeError
    return [_require_text(item) for item in value]


def _parse_date(value: Any) -> str:
    moment = datetime.fromisoformat(_require_text(value))
    if moment.tzinfo is None:
        raise ValueError
    return format_date(moment)


def _parse_limit(value: Any) -> int | None:
    if value is None or value == "":
        return None
    if isinstance(value, bool | float) or int(value) < 0:
        raise ValueError
    return int(value)


def _require_rows(*names: str) -> Callable[[Any], list[dict[str, Any]]]:
    def rows(value: Any) -> list[dict[str, Any]]:
        if not isinstance(value, list):
            raise TypeError
        return [{name: item[name] for name in names} for item in value]

    return rows


_EDITABLE: dict[str, Callable[[Any], Any]] = {
    "startDate": _parse_date,
    "endDate": _parse_date,
    "tutors": _require_texts,
    "name": _require_text,
    "userLimit": _parse_limit,
    "sessionCustom": _require_text,
    "email": _require_rows("position", "sendingDate"),
    "customFields": _require_rows("_id", "value"),
}
