"""The path of a condition: a JSONPath, or a count of what it finds, within limits."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, cast

from jsonpath import JSONPath, JSONPathEnvironment, JSONPathMatch
from jsonpath.exceptions import JSONPathError
from jsonpath.filter import FilterQuery, RootFilterQuery, walk
from jsonpath.selectors import Filter

from airflow_provider_learning360.api.errors import FixArgumentError
from airflow_provider_learning360.api.input_errors import format_value

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_LENGTH = 1000  # characters of a path
MAX_STEPS = 1_000_000  # objects and values of an answer that a path may pass: some seconds of computing
MAX_LEVELS = 100  # of nesting; the decoder of answers allows fewer

# A regular expression can compute for ever on an unlucky text, and nothing could stop it.
_FUNCTIONS = ("length", "count", "value")
_ADDRESS = re.compile(r"[\w.+-](?:@|%40)")
_COUNT = re.compile(r"count\((.*)\)", re.DOTALL)
_TOKENS = re.compile(r"'?TOKEN_([A-Z_]+)'?")
_TOKEN_NAMES = {"EOF": "the end of the path", "RBRACKET": "']'", "LBRACKET": "'['", "RPAREN": "')'", "COMMA": "','"}


class AnswerPath:
    """
    A path into an answer.

    :param text: As a person wrote it: `status`, `$[0].status`, `$[?(@.status == 'late')]`, or `count($[*])`.
    :param argument: Name of the argument, for errors; default `path`.
    :raises FixArgumentError: It is not a JSONPath.

    Source: RFC 9535.
    """

    def __init__(self, text: object, argument: str = "path") -> None:
        if not isinstance(text, str) or not text.strip():
            raise FixArgumentError(f"{argument}: {format_value(text)} is not a JSONPath; write a text such as status.")
        if len(text) > MAX_LENGTH:
            raise FixArgumentError(f"{argument}: it has {len(text):,} characters, more than {MAX_LENGTH:,}.")
        self.text = text.strip()
        self.argument = argument
        counted = _COUNT.fullmatch(self.text)
        self.is_count = counted is not None
        self._query = self._compile(counted[1].strip() if counted else self.text)

    def __str__(self) -> str:
        # Not `format_value`: it would take every @ of a filter for an address.
        return "a path with an address" if _ADDRESS.search(self.text) else " ".join(self.text.split())

    @property
    def segments(self) -> tuple[Any, ...]:
        """The steps of the path, as the library has them."""
        return tuple(self._query.segments)

    def find(self, answer: Any) -> list[Any]:
        """
        Return the values at the path, in order; of a count, only their number.

        :param answer: The answer, or the items of a list.
        :raises FixArgumentError: The path has to search too much of this answer.
        """
        try:
            found = [one.obj for one in self._query.finditer(answer, filter_context={"steps": _Steps(self)})]
        except JSONPathError as error:
            raise FixArgumentError(f"{self.argument}: {_describe(error)} in {self}.") from None
        return [len(found)] if self.is_count else found

    def _compile(self, path: str) -> JSONPath:
        prefix = "" if path.startswith("$") else "$" if path.startswith("[") else "$."
        try:
            query = cast("JSONPath", _ENVIRONMENT.compile(prefix + path))  # strict syntax has no unions
        except (JSONPathError, RecursionError, ArithmeticError, ValueError) as error:  # also of a number such as 1e999
            place = self._find_place(error, path, len(prefix))
            raise FixArgumentError(f"{self.argument}: {self} is not a JSONPath: {_describe(error)}{place}.") from None
        for one in _filter_queries(query):
            if isinstance(one, RootFilterQuery) and not one.path.singular_query():
                raise FixArgumentError(
                    f"{self.argument}: a filter in {self} begins with $ and may find several values. "
                    "Begin it with @, which is the item that the filter tests."
                )
            one.path = _CountedPath(env=one.path.env, segments=one.path.segments)
        return _CountedPath(env=query.env, segments=query.segments)

    def _find_place(self, error: Exception, path: str, prefix: int) -> str:
        """Return where the mistake is, counted in what the person wrote."""
        token: Any = getattr(error, "token", None)
        if token is None:
            return ""
        if not 0 <= token.index < prefix + len(path):
            return ", at its end"
        return f", at character {self.text.index(path) + max(token.index - prefix, 0) + 1}"


class _Steps:
    """The steps that a search may still take."""

    def __init__(self, path: AnswerPath) -> None:
        self._path, self._left = path, MAX_STEPS

    def take(self) -> None:
        self._left -= 1
        if self._left < 0:
            raise FixArgumentError(
                f"{self._path.argument}: {self._path} passes more than {MAX_STEPS:,} values of the answer. "
                "Write a path with fewer wildcards, or ask 360Learning for less with `parameters`."
            )


_NONE: list[JSONPathMatch] = []


class _CountedMatch(JSONPathMatch):
    """
    A match of the library that counts itself.

    It knows neither its place nor its children: circles of objects would stop all threads while Python frees them.
    """

    __slots__ = ()

    def __init__(self, obj: Any, root: Any, filter_context: Any) -> None:
        filter_context["steps"].take()
        self._filter_context, self.obj, self.root = filter_context, obj, root
        self.parent, self.path, self.parts, self.children = None, "", (), _NONE

    def add_child(self, *children: JSONPathMatch) -> None:
        """Keep none."""

    def new_child(self, obj: object, key: int | str) -> JSONPathMatch:
        """
        Return the match of a part of this one.

        :param obj: The part.
        :param key: Its place.
        """
        return _CountedMatch(obj, self.root, self._filter_context)


class _CountedPath(JSONPath):
    """A path of the library whose matches count themselves. It reads no text as JSON."""

    def finditer(self, data: Any, *, filter_context: Any = None) -> Iterator[JSONPathMatch]:
        """
        Yield the matches.

        :param data: What is searched.
        :param filter_context: Holds the steps that may still be taken.
        """
        nodes: Any = [_CountedMatch(data, data, filter_context)]
        for segment in self.segments:
            nodes = segment.resolve(nodes)
        yield from nodes


class _Environment(JSONPathEnvironment):
    max_recursion_depth = MAX_LEVELS

    def setup_function_extensions(self) -> None:
        super().setup_function_extensions()
        self.function_extensions = {name: self.function_extensions[name] for name in _FUNCTIONS}


_ENVIRONMENT = _Environment(strict=True)


def _filter_queries(query: JSONPath) -> Iterator[FilterQuery]:
    """Yield the paths in the filters of a path, also in filters inside of filters."""
    for segment in query.segments:
        for selector in segment.selectors:
            if isinstance(selector, Filter):
                yield from (one for one in walk(selector.expression) if isinstance(one, FilterQuery))


def _describe(error: Exception) -> str:
    """Return what is wrong, without the library's names of tokens. Its own text may fail."""
    text = str(error.args[0]) if error.args else "it cannot be read"
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    if text.startswith("function "):
        return f"{text}; known are {', '.join(_FUNCTIONS)}"
    return _TOKENS.sub(lambda match: _TOKEN_NAMES.get(match[1], match[1].lower().replace("_", " ")), text)
