"""The answer to a call: read while it arrives, made smaller to the wanted fields, and compared with its schema."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypedDict

from airflow_provider_learning360.api.catalogue.differences import find_differences, resolve
from airflow_provider_learning360.api.catalogue.operation import JSON_TYPE
from airflow_provider_learning360.api.contract import Drift
from airflow_provider_learning360.api.decoder import decode_json
from airflow_provider_learning360.api.errors import ContractError, FixArgumentError
from airflow_provider_learning360.api.input_errors import end_sentence, format_value, list_known
from airflow_provider_learning360.api.list_entries import StreamedObjects, UnreadableItems, split_body
from airflow_provider_learning360.api.models import build_contract_error, parse_response
from airflow_provider_learning360.api.sanitizer import sanitize_text

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

    def require_readable(self) -> Answer:
        """
        Check that a list has an item that can be read, if it has items.

        :returns: The answer.
        :raises ContractError: No item can be read.
        """
        if self.unreadable.count and not self.value:
            raise ContractError(f"{self.unreadable} No entry can be read. The API may have changed: please report it.")
        return self


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


def has_other_fields(schema: JsonSchema, operation: Operation) -> bool:
    """
    Return whether an object, or each object of a list, may have fields that its schema does not name.

    :param schema: The schema.
    :param operation: The operation that has it.
    """
    resolved = resolve(schema, operation.schemas)
    if resolved.get("additionalProperties"):
        return True
    parts = [*resolved.get("anyOf", ()), *([resolved["items"]] if "items" in resolved else ())]
    return any(has_other_fields(one, operation) for one in parts)


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
    :raises FixArgumentError: The answer has no such field, or no name is given.
    """
    if fields is not None and not fields:
        raise FixArgumentError(f"{argument}: no field is named, so nothing would be kept. Leave it out for all fields.")
    known = answer_fields(operation)
    is_closed = known and not has_other_fields(item_schema(operation), operation)
    for name in fields or ():
        if is_closed and name not in known:
            raise FixArgumentError(
                end_sentence(
                    f"{argument}: {format_value(name)} is not a field of the answer of {operation.name}; "
                    f"known are {list_known(name, known)}"
                )
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
    :raises ContractError: It is not JSON, but should be.
    """
    answer = Answer(None, response.status, byte_count=len(response.body))
    answer.location = response.headers.get("location") if operation.is_asynchronous else None
    schema = operation.data["answer"].get("schema")
    if schema is None or not response.body.strip():
        return answer
    if operation.data["answer"].get("type", JSON_TYPE) != JSON_TYPE:
        answer.value = _build_file(response)
        return answer
    value = parse_response(f"an answer of {operation.name}", response, lambda: decode_json(response.body))
    if choice.with_drift:
        answer.drift = find_differences(schema, operation.schemas, value)
    answer.value = choice.keep(value)
    return answer


class FileAnswer(TypedDict):
    """An answer that is a file, such as a certificate, as plain JSON. `size` is in bytes."""

    contentType: str
    size: int
    base64: str


def _build_file(response: Response) -> FileAnswer:
    kind = response.headers.get("content-type", "").partition(";")[0].strip()
    return {
        "contentType": sanitize_text(kind) or "application/octet-stream",
        "size": len(response.body),
        "base64": b64encode(response.body).decode(),
    }


def parse_values(operation: Operation, choice: AnswerChoice, response: Response) -> Answer:
    """
    Parse a list, or a page of it, whose items are no objects, such as IDs.

    :param operation: The operation.
    :param choice: What is wanted of the answer.
    :param response: The response.
    :raises ContractError: It is not a list.
    """
    what = f"a list of {operation.name}"
    value = parse_response(what, response, lambda: decode_json(response.body))
    if not isinstance(value, list):
        raise build_contract_error(what, response, "it is not a list")
    schema = operation.data["answer"].get("schema", {})
    drift = find_differences(schema, operation.schemas, value) if choice.with_drift else Drift()
    return Answer(value, response.status, byte_count=len(response.body), drift=drift)


def has_objects(operation: Operation) -> bool:
    """
    Whether the items of a list are objects.

    :param operation: The operation, which returns a list.
    """
    return bool(resolve(item_schema(operation), operation.schemas).get("type", "object") == "object")


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
        self.byte_count = 0
        self._operation, self._choice = operation, choice
        self._schema = item_schema(operation)
        self._stream = StreamedObjects(f"a list of {operation.name}", response)
        self.unreadable = UnreadableItems(what=f"The list of {operation.name}")

    def feed(self, chunk: bytes) -> None:
        """
        Read the items that became complete.

        :param chunk: The next bytes of the body.
        :raises ContractError: The body is not a list.
        """
        self.byte_count += len(chunk)
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
