"""Find operations by words of people: with typing errors, the usual ones first."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from airflow_provider_learning360.api.catalogue.catalogue import load_operations
from airflow_provider_learning360.api.errors import FixArgumentError
from airflow_provider_learning360.api.input_errors import did_you_mean, find_closest, format_value

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from airflow_provider_learning360.api.catalogue.operation import Operation

# What a word of an operation counts for, by where it stands.
NAME, TOPIC, TEXT, PATH = 4, 2, 1, 1
# How well it fits a word of the query, in tenths: whole numbers add up to the same in every language.
EQUAL, PREFIX, INSIDE, MISTYPED = 10, 9, 6, 5
USUAL = 10
# Letters of a word of the query from which on one typing error is forgiven, and two. Short words are too much alike.
ONE_ERROR, TWO_ERRORS = 4, 8
SHORTEST_PLURAL = 4  # letters

_CAMEL_CASE = re.compile(r"([a-z0-9])([A-Z])")
_WORD = re.compile(r"[^\W_]+")


@dataclass(frozen=True)
class IndexedOperation:
    """
    An operation with its words.

    :param operation: The operation.
    :param words: The words of its name, topic, sentence and path, each with what it counts for.
    :param name: The words of its name, in order.
    """

    operation: Operation
    words: tuple[tuple[frozenset[str], int], ...]
    name: tuple[str, ...]

    def score(self, words: Sequence[str], fits: Sequence[Mapping[str, int]]) -> int:
        """
        Return how well the operation fits a query.

        :param words: The words of the query.
        :param fits: For each word of the query, the words that fit it and how well.
        :returns: The score; 0 if a word of the query fits no word of the operation.
        """
        scores = [sum(weight * _best(place, fit) for place, weight in self.words) for fit in fits]
        return sum(scores) + bool(self.operation.data.get("usual")) * USUAL if all(scores) else 0


def search_operations(words: str, topic: str | None = None) -> list[Operation]:
    """
    Return the operations that have all words of a query, the best first.

    A word fits if it equals a word of the name, the topic, the sentence or the path, begins it or is in it. A word of
    4 letters may have one typing error, a word of 8 letters two. An operation whose name is the query comes first.
    Without words, the usual operations come first, then the others by topic.

    :param words: The query.
    :param topic: Topic of the operations; default any.
    :returns: The operations; of equal ones in the order of the catalogue.
    :raises FixArgumentError: There is no such topic; the error names the nearest one.
    """
    wanted = None if topic is None else find_topic(topic)
    indexed = [one for one in _index() if wanted is None or one.operation.data["topic"] == wanted]
    query = split_words(words)
    if not query:
        return _browse([one.operation for one in indexed])
    fits = [_find_fits(word) for word in query]
    ranked = [(one.name == query, one.score(query, fits), one.operation) for one in indexed]
    ranked.sort(key=lambda one: one[:2], reverse=True)  # stable: equal ones stay in order
    return [operation for _, score, operation in ranked if score]


def list_topics() -> list[str]:
    """Return the topics, in the order of the catalogue."""
    return list(dict.fromkeys(one.data["topic"] for one in load_operations().values()))


def find_topic(topic: str, argument: str = "topic") -> str:
    """
    Return the topic as the catalogue writes it.

    :param topic: The topic; upper and lower case are the same.
    :param argument: Name of the argument, for the error; default `topic`.
    :raises FixArgumentError: There is no such topic; the error names the nearest one.
    """
    topics = {split_words(one): one for one in list_topics()}
    found = topics.get(split_words(topic))
    if found is None:
        known = list(topics.values())
        closest = find_closest(topic.lower(), [one.lower() for one in known])
        question = next((f"; did you mean {one}?" for one in known if one.lower() == closest), ".")
        raise FixArgumentError(
            f"{argument}: {format_value(topic)} is not a topic; known are {', '.join(known)}{question}"
        )
    return found


def suggest_words(words: str) -> str:
    """
    Return a question with the name or topic that was probably meant by a query that finds nothing.

    Operations that change something are not suggested: the words do not say which change is meant.

    :param words: The query.
    :returns: The question, such as `; did you mean list-users?`; empty if nothing is close.
    """
    reads = [name for name, one in load_operations().items() if one.is_read]
    return did_you_mean("-".join(words.lower().split()), [*reads, *(one.lower() for one in list_topics())])


def split_words(text: str) -> tuple[str, ...]:
    """
    Return the words of a text in lower case, without accents and without the `s` of a plural; `pathId` is two words.

    :param text: The text.
    """
    spaced = _CAMEL_CASE.sub(r"\1 \2", text)
    plain = "".join(one for one in unicodedata.normalize("NFKD", spaced) if not unicodedata.combining(one))
    words = _WORD.findall(plain.lower())
    return tuple(one.removesuffix("s") if len(one) >= SHORTEST_PLURAL else one for one in words)


@cache
def _index() -> tuple[IndexedOperation, ...]:
    return tuple(
        IndexedOperation(
            operation,
            (
                (frozenset(split_words(operation.name)), NAME),
                (frozenset(split_words(operation.data["topic"])), TOPIC),
                (frozenset(split_words(operation.data["text"])), TEXT),
                (frozenset(split_words(operation.path)), PATH),
            ),
            split_words(operation.name),
        )
        for operation in load_operations().values()
    )


@cache
def _vocabulary() -> frozenset[str]:
    return frozenset(word for one in _index() for place, _ in one.words for word in place)


def _browse(operations: Sequence[Operation]) -> list[Operation]:
    topics = list_topics()
    return sorted(operations, key=lambda one: -1 if one.data.get("usual") else topics.index(one.data["topic"]))


def _best(place: frozenset[str], fits: Mapping[str, int]) -> int:
    return max((fits[word] for word in place & fits.keys()), default=0)


def _find_fits(wanted: str) -> dict[str, int]:
    """Return the words of operations that fit a word of the query, each with how well."""
    return {word: fit for word in _vocabulary() if (fit := _fit(wanted, word))}


def _fit(wanted: str, word: str) -> int:
    if word == wanted:
        return EQUAL
    if word.startswith(wanted):
        return PREFIX
    if wanted in word:
        return INSIDE
    errors = 2 if len(wanted) >= TWO_ERRORS else 1 if len(wanted) >= ONE_ERROR else 0
    return MISTYPED if errors and _is_mistyped(wanted, word, errors) else 0


def _is_mistyped(wanted: str, word: str, errors: int) -> bool:
    """Whether so many letters at most are missing, added, wrong or swapped."""
    # One error changes two letters at most: most words need no more than this.
    if abs(len(wanted) - len(word)) > errors or len(set(wanted) ^ set(word)) > 2 * errors:
        return False
    return count_errors(wanted, word) <= errors


def count_errors(one: str, other: str) -> int:
    """
    Return how many letters have to be added, removed, replaced or swapped to make one word of another.

    :param one: The one word.
    :param other: The other word.
    """
    before: list[int] = []
    row = list(range(len(other) + 1))
    for i, letter in enumerate(one, 1):
        before, last, row = row, before, [i]
        for j, opposite in enumerate(other, 1):
            cost = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (letter != opposite))
            if i > 1 and j > 1 and letter == other[j - 2] and one[i - 2] == opposite:
                cost = min(cost, last[j - 2] + 1)
            row.append(cost)
    return row[-1]
