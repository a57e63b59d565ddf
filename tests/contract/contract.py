"""Hold one request, or one response, against the contract. openapi-core does most of it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, lru_cache
from typing import Any
from urllib.parse import parse_qsl

import pytest
from jsonschema.exceptions import ValidationError
from openapi_core import Config, OpenAPI
from openapi_core.datatypes import RequestParameters
from openapi_core.security.factories import SecurityProviderFactory
from openapi_core.templating.media_types.exceptions import MediaTypeNotFound
from openapi_core.templating.paths.exceptions import PathError
from openapi_core.templating.paths.finders import APICallPathFinder
from openapi_core.templating.responses.exceptions import ResponseNotFound
from openapi_core.validation.request.exceptions import MissingRequestBodyError
from openapi_core.validation.schemas.exceptions import InvalidSchemaValue
from werkzeug.datastructures import Headers

from contract.arrays import ITEMS, first_items
from contract.overlay import CORRECTIONS, Correction, correct
from contract.vendor import MISSING, find_contract, load_contract

Pairs = Sequence[tuple[str, str]]
Query = str | Pairs

_HOST = "https://app.360learning.com"
_KEY = re.compile(r"(?P<filter>[^\[\]]+)(?:\[(?P<operator>\w+)\](?P<index>\[\d*\])?)?")
_BEARER = re.compile(r"Bearer \S+")
_PAGE = "next"  # in the address of the next page; the contract declares it nowhere


class _NoSecurity(SecurityProviderFactory):
    """Checks no token: the contract's flows are empty, so that openapi-core can only warn."""

    def create(self, scheme: Any) -> Any:
        return lambda parameters: None


@dataclass
class _Request:
    """A request in the form that openapi-core reads."""

    method: str
    path: str
    parameters: RequestParameters
    content_type: str
    body: bytes | None
    host_url: str = _HOST


@dataclass
class _Response:
    """A response in the form that openapi-core reads."""

    status_code: int
    headers: Mapping[str, str]
    content_type: str
    data: bytes | None


@dataclass
class Contract:
    """
    The contract, compiled.

    :param document: the vendor's document.
    :param corrections: the mistakes to correct.
    :param items: how many items of an array that is a whole body are checked.
    """

    document: dict[str, Any] = field(repr=False)
    corrections: Iterable[Correction] = field(default=CORRECTIONS, repr=False)
    items: int = ITEMS
    _openapi: OpenAPI = field(init=False, repr=False)

    def __post_init__(self) -> None:
        document = correct(self.document, self.corrections)
        # A test checks the document itself. Undocumented properties are refused, although JSON Schema allows them.
        config = Config(
            spec_validator_cls=None,
            additional_properties_default_policy="forbid",
            security_provider_factory=_NoSecurity(),
        )
        self._openapi = OpenAPI.from_dict(document, config=config)
        self._operation = lru_cache(maxsize=None)(self._find_operation)

    def check_request(
        self, method: str, path: str, query: Query = (), headers: Pairs | Mapping[str, str] = (), body: bytes = b""
    ) -> list[str]:
        """
        Return what the contract refuses in a request, without the values: they may be secret.

        :param method: the HTTP method.
        :param path: the path as sent.
        :param query: the query, as sent or as decoded pairs.
        :param headers: the headers, names in lower case.
        :param body: the body as sent.
        """
        headers = dict(headers)
        try:
            operation = self._operation(method.lower(), path)
        except PathError as error:
            return [f"{type(error).__name__}: the contract has no such route"]
        filters = {one["name"]: one["schema"] for one in operation.get("parameters", ()) if one["in"] == "query"}
        folded, problems = _fold(query, filters)
        if operation.get("security") and not _BEARER.fullmatch(headers.get("authorization", "")):
            problems.append("header Authorization: not 'Bearer' and a token")
        parameters = RequestParameters(query=folded, header=Headers(headers))
        request = _Request(method.lower(), path, parameters, headers.get("content-type", ""), body or None)
        return problems + [line for error in self._openapi.iter_request_errors(request) for line in _describe(error)]

    def check_response(
        self, method: str, path: str, status: int, headers: Pairs | Mapping[str, str] = (), body: bytes = b""
    ) -> list[str]:
        """
        Return what the contract refuses in a response, without the values: they may be of people.

        Of an array, the first `items` are checked. A 400 of a list is allowed: the contract declares none, but a
        filter can be wrong. So is a success where the contract declares errors only.

        :param method: the HTTP method of the request.
        :param path: the path of the request, as sent.
        :param status: the HTTP status.
        :param headers: the headers, names in lower case.
        :param body: the body before compression.
        """
        headers = dict(headers)
        try:
            operation = self._operation(method.lower(), path)
        except PathError:
            return []  # the request was refused
        if status == 400 and "400" not in operation["responses"] and _is_list(operation):
            return []
        if status < 300 and not any(one.startswith("2") for one in operation["responses"]):
            return []
        request = _Request(method.lower(), path, RequestParameters(), "", None)
        response = _Response(status, headers, headers.get("content-type", ""), first_items(body, self.items) or None)
        return [line for error in self._openapi.iter_response_errors(request, response) for line in _describe(error)]

    def _find_operation(self, method: str, path: str) -> dict[str, Any]:
        found = APICallPathFinder(self._openapi.spec).find(method, _HOST + path)
        operation: dict[str, Any] = found.operation.read_value()
        return operation


def require_valid(method: str, path: str, status: int, body: Any) -> None:
    """Fail the test unless the contract allows this response, all items included; skip it without a contract."""
    headers = {"content-type": "application/json"}
    problems = _whole_contract().check_response(method, path, status, headers, json.dumps(body).encode())
    assert not problems, "\n".join(problems)


@cache
def _whole_contract() -> Contract:
    file = find_contract()
    return Contract(load_contract(file), items=1_000_000) if file else pytest.skip(MISSING)


def _fold(query: Query, filters: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Return the query with each array under one key, and what is wrong in its keys."""
    pairs = parse_qsl(query, keep_blank_values=True) if isinstance(query, str) else query
    folded: dict[str, Any] = {}
    problems = []
    for name, value in pairs:
        key = _KEY.fullmatch(name)
        schema = filters.get(key["filter"]) if key else None
        if key and key["operator"]:
            schema = (schema or {}).get("properties", {}).get(key["operator"])
        if schema is None or ("properties" in schema):
            problems += [] if name == _PAGE else [f"query {name}: the contract has no such parameter or operator"]
        elif schema.get("type") == "array":
            folded.setdefault(f"{key['filter']}[{key['operator']}]", []).append(value)
        elif name in folded or key["index"]:
            problems.append(f"query {name}: takes one value")
        else:
            folded[name] = value
    return folded, problems


def _is_list(operation: Mapping[str, Any]) -> bool:
    content = operation["responses"].get("200", {}).get("content", {})
    return content.get("application/json", {}).get("schema", {}).get("type") == "array"


def _describe(error: BaseException) -> Iterator[str]:
    """Yield a line for each reason of an error, without values."""
    place = " ".join(str(part) for part in (getattr(error, "location", ""), getattr(error, "name", "")) if part)
    cause = error.__cause__ or error
    if isinstance(cause, InvalidSchemaValue):
        for reason in cause.schema_errors:
            yield f"{place or 'body'}: {_describe_value(reason)}"
    elif isinstance(cause, MediaTypeNotFound | ResponseNotFound | MissingRequestBodyError):
        yield str(cause)  # a media type or a status: no secret
    else:
        yield f"{place or 'body'}: {type(cause).__name__}"


def _describe_value(reason: ValidationError) -> str:
    """Return where a value is wrong, and what it must be. The closest alternative stands for all of them."""
    while reason.context:
        reason = max(reason.context, key=lambda one: len(one.absolute_path))
    if reason.validator in ("required", "properties"):  # "properties": one that is not documented; the message names it
        return f"{reason.json_path}: {reason.message}"
    return f"{reason.json_path}: must be {reason.validator} {json.dumps(reason.validator_value)[:200]}"
