"""The answer to a call: read while it arrives, made smaller to the wanted fields, and compared with its schema."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from airflow_provider_learning360.api.catalogue.differences import find_differences, resolve
from airflow_provider_learning360.api.contract import Drift
from airflow_provider_learning360.api.decoder import decode_json
from airflow_provider_learning360.api.errors import FixArgumentError
from airflow_provider_learning360.api.input_errors import did_you_mean, format_value
from airflow_provider_learning360.api.list_entries import StreamedObjects, UnreadableItems, split_body
from airflow_provider_learning360.api.models import parse_response

if TYPE_CHECKING:
    from collections.abc import Collection

    from airflow_provider_learning360.api.catalogue.operation import JsonSchema, Operation
    from airflow_provider_learning360.api.messages import Response


@dataclass
class Answer:
    """
    The answer of 360Learning to a call.

    :param value: The object, or the items of the list; None if it has no body.
    :param status: HTTP status; of a list, that of its last page.
    :param pages: How many pages were read; default 1.
    :param has_more: Whether there are pages that were not read; default False.
    :param byte_count: Bytes of the bodies; default 0.
    :param location: Path of the operation that does the work later; default none.
    :param drift: How the answer differs from its schema; default not at all.
    :param unreadable: The items that were left out, since they cannot be read; default none.
    """

    value: Any
    status: int
    pages: int = 1
    has_more: bool = False
    byte_count: int = 0
    location: str | None = None
    drift: Drift = field(default_factory=Drift)
    unreadable: UnreadableItems = field(default_factory=UnreadableItems)

    def add_page(self, page: Answer) -> None:
        """
        Add the next page of a list.

        :param page: The page.
        """
        self.value += page.value
        self.status = page.status
        self.pages += 1
        self.byte_count += page.byte_count
        self.drift |= page.drift
        self.unreadable.merge(page.unreadable)


@dataclass(frozen=True)
class AnswerChoice:
    """
    What is wanted of an answer.

    :param fields: Names of the fields of the object, or of each item, to keep; None for all.
    :param with_drift: Whether to compare the answer with its schema; default True.
    """

    fields: tuple[str, ...] | None = None
    with_drift: bool = True

    def keep(self, value: Any) -> Any:
        """
        Return an object with the wanted fields only; any other value as it is.

        :param value: The object.
        """
        if self.fields is None or not isinstance(value, dict):
            return value
        return {name: value[name] for name in self.fields if name in value}


def answer_fields(operation: Operation) -> list[str]:
    """
    Return the names of the fields that the answer of an operation has, or each item of its list.

    :param operation: The operation.
    """
    return list(_properties(item_schema(operation), operation))


def item_schema(operation: Operation) -> JsonSchema:
    """
    Return the schema of an answer, or of the items if it is a list.

    :param operation: The operation.
    """
    schema = operation.data["answer"].get("schema", {})
    return schema.get("items", {}) if operation.is_list else schema


def check_fields(operation: Operation, fields: Collection[str] | None, argument: str = "fields") -> None:
    """
    Check names of fields, as far as the answer of the operation is documented.

    :param operation: The operation.
    :param fields: The names; None for all fields.
    :param argument: Name of the argument, for the error; default `fields`.
    :raises FixArgumentError: The answer has no such field.
    """
    known = answer_fields(operation)
    for name in fields or ():
        if known and name not in known:
            raise FixArgumentError(
                f"{argument}: {format_value(name)} is not a field of the answer of {operation.name}; "
                f"known are {', '.join(known)}{did_you_mean(name, known)}"
            )


def _properties(schema: JsonSchema, operation: Operation) -> dict[str, JsonSchema]:
    resolved = resolve(schema, operation.schemas)
    found = dict(resolved.get("properties", {}))
    for one in resolved.get("anyOf", ()):
        found |= _properties(one, operation)
    return found


def parse_answer(operation: Operation, choice: AnswerChoice, response: Response) -> Answer:
    """
    Parse the answer of an operation that is not a list.

    :param operation: The operation.
    :param choice: What is wanted of it.
    :param response: The response.
    :raises ContractError: It is not JSON.
    """
    answer = Answer(None, response.status, byte_count=len(response.body))
    answer.location = response.headers.get("location") if operation.is_asynchronous else None
    schema = operation.data["answer"].get("schema")
    if schema is None or not response.body.strip():
        return answer
    value = parse_response(f"an answer of {operation.name}", response, lambda: decode_json(response.body))
    if choice.with_drift:
        answer.drift = find_differences(schema, operation.schemas, value)
    answer.value = choice.keep(value)
    return answer


class ListReader:
    """
    Reads a list, or a page of it, in chunks. It keeps the wanted fields of each item only.

    :param operation: The operation.
    :param choice: What is wanted of each item.
    :param response: The response.
    """

    def __init__(self, operation: Operation, choice: AnswerChoice, response: Response) -> None:
        self.items: list[Any] = []
        self.drift = Drift()
        self._operation, self._choice = operation, choice
        self._schema = item_schema(operation)
        self._stream = StreamedObjects(f"a list of {operation.name}", response, may_be_unreadable=False)
        self.unreadable = UnreadableItems()

    def feed(self, chunk: bytes) -> None:
        """
        Read the items that became complete.

        :param chunk: The next bytes of the body.
        :raises ContractError: The body is not a list.
        """
        for entry in self._stream.entries(chunk):
            if entry.problem:
                self.unreadable.add(entry.position, entry.item, entry.problem)
                continue
            if self._choice.with_drift:
                self.drift |= find_differences(self._schema, self._operation.schemas, entry.item)
            self.items.append(self._choice.keep(entry.item))

    def read(self, body: bytes) -> ListReader:
        """
        Read a whole body.

        :param body: The body.
        """
        for chunk in split_body(body):
            self.feed(chunk)
        self.close()
        return self

    def close(self) -> None:
        """
        Check that the list is complete.

        :raises ContractError: It is not.
        """
        self._stream.close()
