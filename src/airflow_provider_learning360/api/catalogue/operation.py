"""One documented operation of 360Learning: what it takes, what it returns, and whether it may be repeated."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, NotRequired, TypedDict

from airflow_provider_learning360.api.api_version import ApiVersion  # noqa: TC001 - a part of the stored shape

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

# `read` changes nothing. `repeatable` may be sent twice with the same result. `once` may not: twice would do it twice.
Repeat = Literal["read", "repeatable", "once"]
Place = Literal["path", "query"]
# How sure it is that the operation is as described here.
Confidence = Literal["documented", "recorded", "reported"]
# What a write replaces as a whole: what its body lacks is removed.
JsonSchema = dict[str, Any]

ID_PATTERN = "^[a-fA-F0-9]{24}$"
JSON_TYPE = "application/json"
MULTIPART_TYPE = "multipart/form-data"


class ParameterData(TypedDict):
    """A parameter, as a catalogue file has it. `operators` are those of a filter, such as `gte`."""

    name: str
    place: Place
    required: NotRequired[bool]
    operators: NotRequired[list[str]]
    schema: JsonSchema
    text: NotRequired[str]


class BodyData(TypedDict):
    """A body, as a catalogue file has it. `type` is its content type; default JSON."""

    type: NotRequired[str]
    schema: JsonSchema


class AnswerData(TypedDict):
    """A response, as a catalogue file has it. Without a schema, it has no body."""

    status: int
    type: NotRequired[str]
    schema: NotRequired[JsonSchema]


class ExampleData(TypedDict):
    """A call that works, as a catalogue file has it."""

    parameters: NotRequired[dict[str, Any]]
    body: NotRequired[Any]


class OperationData(TypedDict):
    """An operation, as a catalogue file has it."""

    method: str
    path: str
    topic: str
    text: str
    scope: NotRequired[str]
    repeat: Repeat
    replaces: NotRequired[str]
    people: NotRequired[bool]
    usual: NotRequired[bool]
    asynchronous: NotRequired[bool]
    confidence: Confidence
    warning: NotRequired[str]
    counterpart: NotRequired[str]
    page_size: NotRequired[int]
    parameters: NotRequired[list[ParameterData]]
    body: NotRequired[BodyData]
    answer: AnswerData
    errors: NotRequired[dict[str, list[str]]]
    example: NotRequired[ExampleData]
    reference: NotRequired[str]


class CatalogueData(TypedDict):
    """A catalogue file: the operations by name, and the schemas that they share, by name."""

    version: ApiVersion
    operations: dict[str, OperationData]
    schemas: dict[str, JsonSchema]


@dataclass(frozen=True)
class Parameter:
    """
    A parameter of an operation.

    :param name: Its name, without an operator.
    :param place: Where it is sent: in the path, or in the query.
    :param schema: JSON Schema of its value, or of the value of each operator.
    :param required: Whether it must be given; default no.
    :param operators: The operators of a filter: `modifiedAt` with `gte` is given as `modifiedAt[gte]`. Default none:
        the parameter is given by its name.
    :param text: What it means; default nothing.
    """

    name: str
    place: Place
    schema: JsonSchema = field(hash=False)
    required: bool = False
    operators: tuple[str, ...] = ()
    text: str = ""

    @property
    def keys(self) -> tuple[str, ...]:
        """How it is written in `parameters`: its name, or its name with each operator."""
        return tuple(f"{self.name}[{one}]" for one in self.operators) or (self.name,)

    def schema_of(self, key: str) -> JsonSchema:
        """
        Return the JSON Schema of the value of one key.

        :param key: One of `keys`. The operators `in` and `nin` take a list.
        """
        takes_list = key.endswith(("[in]", "[nin]"))
        return {"type": "array", "items": self.schema, "minItems": 1} if takes_list else self.schema


@dataclass(frozen=True)
class Operation:
    """
    One documented operation.

    :param name: Its name, such as `list-path-sessions`. Names of API v1 end with `-v1`.
    :param version: The version of the API that has it.
    :param data: What the catalogue file says of it.
    :param schemas: The schemas to which its own refer.
    """

    name: str
    version: ApiVersion
    data: OperationData = field(repr=False, hash=False)
    schemas: Mapping[str, JsonSchema] = field(repr=False, hash=False, compare=False)

    @property
    def method(self) -> str:
        """HTTP method, in capitals."""
        return self.data["method"]

    @property
    def path(self) -> str:
        """Path from the root of the host, with parameters in braces."""
        return self.data["path"]

    @property
    def repeat(self) -> Repeat:
        """Whether it changes something, and whether it may be sent twice."""
        return self.data["repeat"]

    @property
    def is_read(self) -> bool:
        """Whether it changes nothing."""
        return self.repeat == "read"

    @property
    def is_list(self) -> bool:
        """Whether it returns a list."""
        return self.data["answer"].get("schema", {}).get("type") == "array"

    @property
    def has_pages(self) -> bool:
        """Whether it is a list of which each page may name the next one; a write returns the whole list."""
        return self.is_list and self.method == "GET"

    @property
    def is_asynchronous(self) -> bool:
        """Whether 360Learning does the work later, and returns an operation to be polled."""
        return self.data.get("asynchronous", False)

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """Its parameters, those of the path first."""
        return tuple(
            Parameter(
                one["name"],
                one["place"],
                one["schema"],
                one.get("required", False),
                tuple(one.get("operators", ())),
                one.get("text", ""),
            )
            for one in self.data.get("parameters", ())
        )

    @property
    def keys(self) -> Iterator[tuple[str, Parameter]]:
        """How its parameters are written, each with its parameter."""
        return ((key, one) for one in self.parameters for key in one.keys)

    @property
    def body(self) -> BodyData | None:
        """Its body; None if it takes none."""
        return self.data.get("body")

    def bundle(self, schema: JsonSchema) -> JsonSchema:
        """
        Return a schema of this operation together with the schemas to which it refers, for a validator.

        :param schema: The schema of a parameter, body or answer.
        """
        return {**schema, "schemas": dict(self.schemas)}

    def __str__(self) -> str:
        return f"{self.name} ({self.method} {self.path})"
