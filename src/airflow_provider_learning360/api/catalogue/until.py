"""The conditions on an answer that end a wait, such as `{path: status, equals: ended}`."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal, NotRequired, TypedDict, get_args

from airflow_provider_learning360.api.catalogue.arguments import to_json
from airflow_provider_learning360.api.catalogue.json_path import AnswerPath
from airflow_provider_learning360.api.catalogue.path_fields import check_names
from airflow_provider_learning360.api.errors import FixArgumentError
from airflow_provider_learning360.api.input_errors import did_you_mean, end_sentence, format_value

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_learning360.api.catalogue.operation import Operation

Word = Literal["exists", "equals", "not_equals", "at_least", "changed"]
WORDS: tuple[Word, ...] = get_args(Word)
MAX_CONDITIONS = 20
MAX_SHOWN = 80  # characters of a value in the log


class ConditionData(TypedDict):
    """A condition, as a trigger keeps it: a path, and one of the words."""

    path: str
    exists: NotRequired[bool]
    equals: NotRequired[Any]
    not_equals: NotRequired[Any]
    at_least: NotRequired[float | str]
    changed: NotRequired[bool]


class ConditionState(TypedDict):
    """
    How a condition is met by an answer.

    `values` is the number of values at its path; `count` what a count is. `fingerprint` stands for the values if the
    condition is that they change; `is_met` then says nothing yet.
    """

    is_met: bool
    values: int
    count: NotRequired[int]
    fingerprint: NotRequired[str]


@dataclass(frozen=True)
class Condition:
    """
    One condition on an answer. If its path has several values, all of them must meet it.

    :param path: The path.
    :param word: How the values are compared.
    :param expected: What with, as plain JSON.
    :param place: Where it was written, for errors.
    """

    path: AnswerPath
    word: Word
    expected: Any
    place: str

    def check(self, answer: Any) -> ConditionState:
        """
        Return how an answer meets the condition.

        :param answer: The answer, or the items of a list.
        :raises FixArgumentError: The values cannot be compared with what is expected.
        """
        values = self.path.find(answer)
        state = ConditionState(is_met=self._is_met(values), values=len(values))
        if self.path.is_count:
            state["count"] = values[0]
        if self.word == "changed":
            state["fingerprint"] = _fingerprint(values)
        return state

    def to_dict(self) -> ConditionData:
        """Return the condition as it was written, as plain JSON."""
        return {"path": self.path.text, self.word: self.expected}  # type: ignore[misc]

    def __str__(self) -> str:
        shown = format_value(self.expected)
        shown = shown if len(shown) <= MAX_SHOWN else shown[:MAX_SHOWN] + "…"
        path = self.path
        match self.word:
            case "exists":
                return f"{path} {'to exist' if self.expected else 'not to exist'}"
            case "equals":
                return f"{path} to be {shown}"
            case "not_equals":
                return f"{path} not to be {shown}"
            case "at_least":
                return f"{path} to be at least {shown}"
            case "changed":
                return f"{path} to change"

    def describe(self, state: ConditionState) -> str:
        """
        Return what an answer has at the path, without its values.

        :param state: How the answer meets the condition.
        """
        number = state["values"]
        if "count" in state:
            return f"{self.path} is {state['count']}"
        if self.word == "exists":
            return f"{self.path} {'has no value' if self.expected else 'exists'}"
        if not number and self.word != "changed":
            return f"{self.path} has no value"
        if self.word == "changed":
            return f"{self.path} has not changed"
        return f"{self.path} has another value" if number == 1 else f"not all {number} values of {self.path} meet this"

    def _is_met(self, values: list[Any]) -> bool:
        match self.word:
            case "exists":
                return any(one is not None for one in values) is self.expected
            case "equals":
                return bool(values) and all(_is_same(one, self.expected) for one in values)
            case "not_equals":
                return bool(values) and not any(_is_same(one, self.expected) for one in values)
            case "at_least":
                return bool(values) and all(self._is_reached(one) for one in values)
            case "changed":
                return False

    def _is_reached(self, value: Any) -> bool:
        if value is None:
            return False
        number = _parse_number(self.expected)
        if number is not None and isinstance(value, int | float) and not isinstance(value, bool):
            return value >= number
        moment = None if number is not None else _parse_moment(value)
        if moment is None:
            wanted = "date" if number is None else "number"
            raise FixArgumentError(
                f"{self.place}.at_least: a value at {self.path} is not a {wanted}, so it cannot be "
                f"compared. Choose a path to a {wanted}, or count(...) for how many there are."
            )
        limit = _parse_moment(self.expected)
        return limit is not None and moment >= limit


@dataclass(frozen=True)
class Conditions:
    """
    The conditions of a wait; all of them must be met by the same answer.

    :param items: The conditions.
    """

    items: tuple[Condition, ...]

    @classmethod
    def read(cls, until: Any) -> Conditions:
        """
        Read what a person wrote.

        :param until: A condition, or a list of conditions.
        :raises FixArgumentError: It is not valid.
        """
        return cls(tuple(_read_condition(one, place) for place, one in _list_conditions(until)))

    def check(self, answer: Any) -> list[ConditionState]:
        """
        Return how an answer meets each condition.

        :param answer: The answer, or the items of a list.
        :raises FixArgumentError: It cannot be compared.
        """
        return [one.check(answer) for one in self.items]

    def describe(self, states: list[ConditionState]) -> str:
        """
        Return a sentence for the log about the conditions that are not met, without values of the answer.

        :param states: How an answer meets each condition.
        """
        unmet = [one.describe(state) for one, state in zip(self.items, states, strict=True) if not state["is_met"]]
        return f"Now, {', and '.join(unmet)}." if unmet else ""

    def to_list(self) -> list[ConditionData]:
        """Return the conditions as they were written, as plain JSON."""
        return [one.to_dict() for one in self.items]

    def __str__(self) -> str:
        return " and ".join(map(str, self.items))


def check_until(until: Any, skip: Callable[[Any], bool], operation: Operation | None = None) -> None:
    """
    Check conditions before the values of templates are known.

    :param until: A condition, or a list of conditions.
    :param skip: Whether a value is not known yet.
    :param operation: The operation whose answer they are about; default not known.
    :raises FixArgumentError: It is not valid.
    """
    if not isinstance(until, Mapping | list | tuple) and skip(until):
        return
    for place, one in _list_conditions(until):
        if isinstance(one, Mapping):
            word = _find_word(one, place)
            if not skip(one["path"]):
                path = _read_path(one["path"], word, place)
                if operation is not None:
                    check_names(path, operation)
            if not skip(one[word]):
                _CHECKS[word](one[word], f"{place}.{word}")
        elif not skip(one):
            _read_condition(one, place)


def _list_conditions(until: Any) -> list[tuple[str, Any]]:
    """Return each condition with its place."""
    if isinstance(until, Mapping):
        return [("until", until)]
    if not isinstance(until, list | tuple) or not until:
        raise FixArgumentError(
            f"until: {format_value(until)} is not a condition; write one such as "
            "{path: status, equals: ended}, or a list of them."
        )
    if len(until) > MAX_CONDITIONS:
        raise FixArgumentError(f"until: it has {len(until)} conditions, more than {MAX_CONDITIONS}.")
    return [(f"until.{number}", one) for number, one in enumerate(until)]


def _read_condition(condition: Any, place: str) -> Condition:
    if not isinstance(condition, Mapping):
        raise FixArgumentError(
            f"{place}: {format_value(condition)} is not a condition; write one such as {{path: status, equals: ended}}."
        )
    word = _find_word(condition, place)
    path = _read_path(condition["path"], word, place)
    return Condition(path, word, _CHECKS[word](condition[word], f"{place}.{word}"), place)


def _read_path(path: Any, word: Word, place: str) -> AnswerPath:
    read = AnswerPath(path, f"{place}.path")
    if read.is_count and word == "exists":
        raise FixArgumentError(f"{place}: a count always exists. Write at_least: 1 to wait for a first value.")
    return read


def _find_word(condition: Mapping[str, Any], place: str) -> Word:
    """Return the word of a condition."""
    for name in condition:
        if name not in ("path", *WORDS):
            meant = did_you_mean(name, ("path", *WORDS))
            raise FixArgumentError(
                end_sentence(
                    f"{place}: there is no condition {format_value(name)}; known are {', '.join(WORDS)}{meant}"
                )
            )
    if "path" not in condition:
        raise FixArgumentError(f"{place}.path: it is missing. Write which value is compared, such as path: status.")
    given = [word for word in WORDS if word in condition]
    if len(given) != 1:
        found = f"it has {' and '.join(given)}" if given else "it has none"
        raise FixArgumentError(f"{place}: a condition needs exactly one of {', '.join(WORDS)}; {found}.")
    return given[0]


def _read_boolean(value: Any, place: str) -> bool:
    known = {"true": True, "false": False}
    found = value if isinstance(value, bool) else known.get(value.strip().lower()) if isinstance(value, str) else None
    if found is None:
        raise FixArgumentError(f"{place}: {format_value(value)} is neither true nor false.")
    return found


def _read_change(value: Any, place: str) -> bool:
    if not _read_boolean(value, place):
        raise FixArgumentError(f"{place}: false would never end the wait. Write true, or leave the condition out.")
    return True


def _read_value(value: Any, place: str) -> Any:
    try:
        plain = to_json(value)
        json.dumps(plain, allow_nan=False, ensure_ascii=False).encode()
    except (TypeError, ValueError, RecursionError):
        raise FixArgumentError(f"{place}: {format_value(value)} is not a value that JSON can have.") from None
    return plain


def _read_limit(value: Any, place: str) -> float | str:
    plain = to_json(value)
    number = _parse_number(plain)
    if number is not None:
        return number
    if _parse_moment(plain) is None:
        raise FixArgumentError(
            f"{place}: {format_value(value)} is neither a number nor a date; write 3, or a date in UTC such as "
            "2026-03-01T08:00:00Z."
        )
    limit: str = plain
    return limit


_CHECKS: dict[Word, Callable[[Any, str], Any]] = {
    "exists": _read_boolean,
    "equals": _read_value,
    "not_equals": _read_value,
    "at_least": _read_limit,
    "changed": _read_change,
}


def _is_same(value: Any, expected: Any) -> bool:
    if isinstance(expected, str) and not isinstance(value, str):
        expected = _parse_text(expected)  # a template gives texts
    if _is_number(value) and _is_number(expected):
        return bool(value == expected)
    return _to_text(value) == _to_text(expected)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _parse_text(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return {"True": True, "False": False}.get(text, text)


def _parse_number(value: Any) -> float | None:
    """Return a finite number, also one written as text; None for anything else."""
    number = _parse_text(value) if isinstance(value, str) else value
    # Comparing is exact, also of whole numbers that are too large for a float.
    return number if _is_number(number) and (isinstance(number, int) or math.isfinite(number)) else None


def _parse_moment(value: Any) -> datetime | None:
    """Return a date of the API, in UTC if it names no zone; None for anything else."""
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
    return moment if moment is None or moment.tzinfo else moment.replace(tzinfo=UTC)


def _fingerprint(values: list[Any]) -> str:
    """Return what stands for values: they may be about people, and are stored. Their order does not count."""
    return hashlib.sha256("\n".join(sorted(map(_to_text, values))).encode()).hexdigest()


def _to_text(value: Any) -> str:
    return json.dumps(value, sort_keys=True)
