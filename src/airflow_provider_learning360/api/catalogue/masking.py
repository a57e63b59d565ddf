"""What of an answer is about people, and the answer without it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_learning360.api.catalogue.differences import describe_child, resolve_for
from airflow_provider_learning360.api.errors import contains_mail_address

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_provider_learning360.api.catalogue.operation import JsonSchema, Operation

MASK = "•••"
MAX_DEPTH = 50  # levels of an answer that are searched; what is deeper is hidden
MAX_SEARCHED_CHARACTERS = 100_000  # of one text; a longer one is hidden

# Fields that name a person, in whichever answer they are.
PERSON_FIELDS = frozenset({"author", "email", "firstName", "lastName", "login", "mail", "phone", "tutors", "username"})
# Fields that are never shown, whoever asks.
SECRET_FIELDS = frozenset({"secret", "password", "apiKey", "clientSecret", "checkInCode"})

_ID = re.compile(r"[0-9a-fA-F]{24}")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?(Z|[+-]\d{2}:?\d{2})?)?")


@dataclass(frozen=True)
class AnswerMask:
    """
    Decides what of an answer is hidden.

    :param has_people: Whether the answers of the operation hold people's data.
    :param reveal: Whether people's data may be shown; default no. Secrets are hidden in any case.
    """

    has_people: bool
    reveal: bool = False

    def hides(self, name: str, schema: JsonSchema | None, value: Any) -> bool:
        """
        Return whether a value is hidden.

        :param name: Name of its field; of an item of a list, that of the list.
        :param schema: Its schema, as `resolve_for` returns it; None if the field is not documented.
        :param value: A text, number or boolean, or null.
        """
        if value is None:
            return False
        if name in SECRET_FIELDS:
            return True
        if self.reveal:
            return False
        if schema is None or name in PERSON_FIELDS:
            return not is_id(value)
        if not isinstance(value, str):
            return False
        if (self.has_people and is_about_people(schema)) or not schema:
            return not _is_harmless(schema, value)
        return len(value) > MAX_SEARCHED_CHARACTERS or contains_mail_address(value)

    def hides_name(self, name: str, *, is_key: bool) -> bool:
        """
        Return whether the name of a field is hidden: of a map it may be a login or a name.

        :param name: The name.
        :param is_key: Whether it is a key of a map, and no name that the API chose.
        """
        if self.reveal or is_id(name):
            return False
        return not name.isidentifier() or (is_key and self.has_people)


def mask_answer(operation: Operation, value: Any) -> Any:
    """
    Return an answer without people's data: every text that is not an ID, a date or an allowed value is masked.

    A text that the catalogue marks as not about people is masked only if it has a mail address. Of an operation
    whose answers hold no people, only fields that are not documented or name a person, and texts with a mail address.

    :param operation: The operation.
    :param value: Its answer, or some of its fields.
    """
    schema = operation.data["answer"].get("schema", {})
    mask = AnswerMask(has_people(operation))
    return _Masking(operation, mask).apply("", schema, value, 0)


def has_people(operation: Operation) -> bool:
    """
    Return whether the answers of an operation hold people's data.

    :param operation: The operation.
    """
    return operation.data.get("people", False)


def is_about_people(schema: JsonSchema) -> bool:
    """
    Return whether a text in an answer that holds people's data may be about people.

    :param schema: Its schema. The keyword `people` with the value false marks texts about something else, such as the
        name of a session.
    """
    return schema.get("people", True) is not False


def is_id(value: Any) -> bool:
    """
    Return whether a value is an ID of 360Learning: 24 characters of 0-9 and a-f.

    :param value: The value.
    """
    return isinstance(value, str) and _ID.fullmatch(value) is not None


def is_id_or_date(text: str) -> bool:
    """
    Return whether a text is an ID or a date, with or without a time.

    :param text: The text.
    """
    return is_id(text) or _DATE.fullmatch(text) is not None


def masked_name(index: int) -> str:
    """
    Return what is shown in place of a name.

    :param index: Its position among the names of the object, from 0.
    """
    return f"{MASK} {index + 1}"


class _Masking:
    """Masks one answer."""

    def __init__(self, operation: Operation, mask: AnswerMask) -> None:
        self._schemas = operation.schemas
        self._mask = mask

    def apply(self, name: str, schema: JsonSchema | None, value: Any, depth: int) -> Any:
        resolved = None if schema is None else resolve_for(schema, self._schemas, value)
        if isinstance(value, dict | list) and value and depth >= MAX_DEPTH:
            return MASK
        if isinstance(value, list):
            items = None if resolved is None else resolved.get("items", {})
            return [self.apply(name, items, one, depth + 1) for one in value]
        if isinstance(value, dict):
            return dict(self._apply_to_fields(resolved, value, depth))
        return MASK if self._mask.hides(name, resolved, value) else value

    def _apply_to_fields(
        self, schema: JsonSchema | None, value: dict[str, Any], depth: int
    ) -> Iterator[tuple[str, Any]]:
        for index, (name, one) in enumerate(value.items()):
            child = describe_child(schema, name)
            shown = masked_name(index) if self._mask.hides_name(name, is_key=child.is_key) else name
            yield shown, self.apply(name, child.schema, one, depth + 1)


def _is_harmless(schema: JsonSchema, text: str) -> bool:
    is_allowed = text in schema.get("enum", ()) or text == schema.get("const")
    return is_allowed or is_id_or_date(text)
