"""Read YAML and JSON that people write: scalars as in YAML 1.2, no duplicate key, and within bounds."""

from __future__ import annotations

import json
import os
import re
import stat
from typing import TYPE_CHECKING, Any, ClassVar

import yaml
from yaml.composer import Composer
from yaml.constructor import SafeConstructor
from yaml.parser import Parser
from yaml.reader import Reader
from yaml.resolver import BaseResolver
from yaml.scanner import Scanner

from airflow_provider_learning360.api.sanitizer import LARGEST_INTEGER, SMALLEST_INTEGER

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from os import PathLike

MAX_BYTES = 1024 * 1024
MAX_NODES = 100_000  # with every alias expanded
MAX_DEPTH = 50
MAX_PROBLEM = 200  # characters of a text of PyYAML, which may repeat a long tag

_UNREADABLE = r"it contains an escape beyond \U0010FFFF, which is no character, or a number with too many digits"

_TAG = "tag:yaml.org,2002:"
_MERGE = f"{_TAG}merge"
# YAML 1.2.2, section 10.3.2: the pattern of a scalar, and the characters that it may begin with.
CORE_SCHEMA = {
    "null": (r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    "bool": (r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    "int": (r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+", list("-+0123456789")),
    "float": (
        r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)",
        list("-+.0123456789"),
    ),
}


class YamlError(ValueError):
    """A text or file cannot be read as YAML. The message says why, without a value of the file."""


def read_yaml_file(path: str | PathLike[str]) -> str:
    """
    Return the text of a file.

    :param path: Path of the file.
    :raises OSError: It cannot be read.
    :raises UnicodeDecodeError: It is not in UTF-8.
    :raises YamlError: It is not a regular file, or longer than `MAX_BYTES`.
    """
    # A pipe would block until somebody writes to it, and a device may have no end.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise YamlError("it is not a regular file, but a folder, a device or a pipe")
        with open(descriptor, "rb", closefd=False) as file:
            content = file.read(MAX_BYTES + 1)
    finally:
        os.close(descriptor)
    _require_length(len(content))
    return content.decode("utf-8")


def load_yaml(text: str) -> Any:
    """
    Return the value of a text in YAML.

    :param text: The text.
    :raises YamlError: It is too large, not valid, or has a duplicate key.
    """
    check_yaml(text)
    try:
        return yaml.load(text, Loader=_CoreLoader)  # noqa: S506 - constructs plain values only
    except yaml.YAMLError as error:
        problem = _problem_of(error)
    except RecursionError:
        problem = f"it is nested more than {MAX_DEPTH} levels deep"
    except YamlError:
        raise
    except (ValueError, OverflowError):
        problem = _UNREADABLE
    raise YamlError(problem)


def load_json_or_yaml(text: str) -> Any:
    """
    Return the value of a text in YAML or JSON. JSON may be indented with tabs, which YAML refuses.

    :param text: The text.
    :raises YamlError: It is too large, not valid, or has a duplicate key.
    """
    if not text.lstrip().startswith(("{", "[")):
        return load_yaml(text)
    try:
        value = json.loads(text, object_pairs_hook=_build_object)
    except YamlError:
        raise
    except (ValueError, RecursionError):
        return load_yaml(text)
    check_yaml(text, duplicates=False, syntax=False)
    return value


def find_key_line(text: str, keys: Sequence[str]) -> int | None:
    """
    Return the line of a key in nested mappings; that of the last key of the path that exists.

    :param text: The text in YAML, already checked.
    :param keys: The path, such as `["steps", "fetch", "session_id"]`.
    :returns: The line, from 1; None if even the first key is missing.
    """
    node, line = yaml.compose(text, Loader=_CoreLoader), None
    for key in keys:
        pairs = node.value if isinstance(node, yaml.MappingNode) else []
        found = next((pair for pair in pairs if pair[0].value == key), None)
        if found is None:
            break
        line, node = found[0].start_mark.line + 1, found[1]
    return line


def check_yaml(text: str, *, duplicates: bool = True, syntax: bool = True) -> None:
    """
    Refuse a text that is too large once its aliases are expanded, before it is loaded.

    :param text: The text.
    :param duplicates: Whether to refuse duplicate keys, of which readers silently drop the first; default True.
    :param syntax: Whether to refuse a text that is not YAML; default True.
    :raises YamlError: It is refused; the message says why, and where.
    """
    _require_length(len(text.encode("utf-8", "surrogatepass")))
    inspection = _Inspection(duplicates)
    try:
        for event in yaml.parse(text, Loader=_CoreLoader):
            inspection.add(event)
        return
    except YamlError:
        raise
    except yaml.YAMLError as error:
        if not syntax:
            return
        problem = _problem_of(error)
    except (ValueError, OverflowError):  # PyYAML converts escapes and numbers of versions without a check
        problem = _UNREADABLE  # other readers that use PyYAML would fail without a reason
    raise YamlError(problem)


def _build_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    built: dict[str, Any] = {}
    for name, value in pairs:
        if name in built:
            raise YamlError(f"duplicate key {name!r} in one object; remove one of them")
        built[name] = value
    return built


def _require_length(size: int) -> None:
    if size > MAX_BYTES:
        raise YamlError(f"it is longer than {MAX_BYTES // 1024 // 1024} MiB")


def _problem_of(error: yaml.YAMLError) -> str:
    if not isinstance(error, yaml.MarkedYAMLError):
        return "it contains characters that YAML does not allow"
    mark, problem = error.problem_mark, str(error.problem)[:MAX_PROBLEM]
    return f"line {mark.line + 1}, column {mark.column + 1}: {problem}" if mark else problem


class _Collection:
    """
    A mapping or sequence that is being inspected.

    :param anchor: Its anchor, if it has one.
    :param is_mapping: Whether keys and values alternate in it.
    """

    def __init__(self, anchor: str | None, is_mapping: bool) -> None:
        self.anchor = anchor
        self.is_mapping = is_mapping
        self.children = 0
        self.nodes = 1
        self.height = 1
        self.lines: dict[str, int] = {}

    @property
    def expects_key(self) -> bool:
        return self.is_mapping and self.children % 2 == 0


class _Inspection:
    """Counts nodes and levels of a document, event by event: without recursion, and with aliases expanded."""

    def __init__(self, duplicates: bool) -> None:
        self._duplicates = duplicates
        self._open: list[_Collection] = []
        self._anchored: dict[str, tuple[int, int, str | None]] = {}  # nodes, height, text of a scalar
        self._incomplete: set[str] = set()

    def add(self, event: yaml.Event) -> None:
        match event:
            case yaml.ScalarEvent():
                if event.anchor:
                    self._anchored[event.anchor] = (1, 0, event.value)
                self._add(1, 0, event.value, event)
            case yaml.AliasEvent():
                if event.anchor in self._incomplete:
                    raise YamlError(f"line {event.start_mark.line + 1}: alias *{event.anchor} refers to itself")
                # An alias without an anchor is an error of the syntax, which the loader reports.
                self._add(*self._anchored.get(event.anchor, (1, 0, None)), event)
            case yaml.CollectionStartEvent():
                if event.anchor:
                    self._incomplete.add(event.anchor)
                self._open.append(_Collection(event.anchor, isinstance(event, yaml.MappingStartEvent)))
                self._require_depth(len(self._open))
            case yaml.CollectionEndEvent():
                closed = self._open.pop()
                if closed.anchor:
                    self._incomplete.discard(closed.anchor)
                    self._anchored[closed.anchor] = (closed.nodes, closed.height, None)
                self._add(closed.nodes, closed.height, None, event)

    def _add(self, nodes: int, height: int, text: str | None, event: yaml.Event) -> None:
        self._require_depth(len(self._open) + height)
        if not self._open:
            return
        parent = self._open[-1]
        if self._duplicates and parent.expects_key and text is not None:
            self._require_new_key(parent, text, event.start_mark.line + 1)
        parent.children += 1
        parent.height = max(parent.height, height + 1)
        parent.nodes += nodes
        # A collection is counted in its parent when it ends.
        if sum(one.nodes for one in self._open) > MAX_NODES:
            raise YamlError(f"it has more than {MAX_NODES:,} nodes once its aliases are expanded")

    def _require_new_key(self, mapping: _Collection, key: str, line: int) -> None:
        if key in mapping.lines:
            raise YamlError(f"duplicate key {key!r}, in lines {mapping.lines[key]} and {line}; remove one of them")
        mapping.lines[key] = line

    def _require_depth(self, depth: int) -> None:
        if depth > MAX_DEPTH:
            raise YamlError(f"it is nested more than {MAX_DEPTH} levels deep")


class _CoreConstructor(SafeConstructor):  # type: ignore[misc] # PyYAML is not typed
    """Makes plain values only. A tag outside of the core schema is an error."""

    yaml_constructors: ClassVar[dict[Any, Any]] = {}  # a class attribute of PyYAML

    def __init__(self) -> None:
        super().__init__()
        self._inspected: set[int] = set()

    def flatten_mapping(self, node: Any) -> None:
        # Once: afterwards, the node contains the merged pairs, too.
        if id(node) not in self._inspected:
            self._inspected.add(id(node))
            self._require_keys([key for key, _ in node.value if key.tag != _MERGE])
        super().flatten_mapping(node)

    def _require_keys(self, keys: list[Any]) -> None:
        """Refuse keys that no dictionary can have, and keys that are equal to it, such as `1` and `0x1`."""
        found: dict[Any, Any] = {}
        for key in keys:
            line = key.start_mark.line + 1
            if not isinstance(key, yaml.ScalarNode):
                raise YamlError(f"line {line}: a key is a list or a mapping; write a text or a number")
            value = self.construct_object(key)
            if value in found:
                lines = f"lines {found[value].start_mark.line + 1} and {line}"
                raise YamlError(
                    f"duplicate key: {found[value].value!r} and {key.value!r} are equal, in {lines}; remove one of them"
                )
            found[value] = key

    def construct_undefined(self, node: Any) -> Any:
        raise yaml.MarkedYAMLError(problem=f"tag {node.tag!r} is not known; remove it", problem_mark=node.start_mark)

    def construct_core(self, node: Any) -> Any:
        kind = node.tag.removeprefix(_TAG)
        text = self.construct_scalar(node)
        if re.fullmatch(CORE_SCHEMA[kind][0], text) is None:
            raise yaml.MarkedYAMLError(problem=f"it is not a valid {kind} of YAML 1.2", problem_mark=node.start_mark)
        value = _VALUES[kind](text)
        if value is _TOO_LARGE:
            problem = "the int has too many digits; the largest has 64 bits"
            raise yaml.MarkedYAMLError(problem=problem, problem_mark=node.start_mark)
        return value

    def construct_list(self, node: Any) -> Iterator[Any]:
        yield from self.construct_yaml_seq(node)

    def construct_dictionary(self, node: Any) -> Iterator[Any]:
        yield from self.construct_yaml_map(node)


_TOO_LARGE = object()


def _int(text: str) -> Any:
    try:
        value = int(text[2:], {"o": 8, "x": 16}[text[1]]) if text[1:2] in ("o", "x") else int(text)
    except ValueError:  # Python reads no decimal integer of more than 4,300 digits
        return _TOO_LARGE
    return value if SMALLEST_INTEGER <= value <= LARGEST_INTEGER else _TOO_LARGE


def _float(text: str) -> float:
    return float(re.sub(r"\.(inf|nan)", r"\1", text.lower()))


_VALUES: dict[str, Any] = {
    "null": lambda _: None,
    "bool": lambda text: text.lower() == "true",
    "int": _int,
    "float": _float,
}


class _CoreResolver(BaseResolver):  # type: ignore[misc] # PyYAML is not typed
    """Finds the type of a plain scalar by the core schema of YAML 1.2, and of `<<` as a key."""

    yaml_implicit_resolvers: ClassVar[dict[Any, Any]] = {}  # a class attribute of PyYAML


class _CoreLoader(Reader, Scanner, Parser, Composer, _CoreConstructor, _CoreResolver):  # type: ignore[misc]
    """PyYAML's loader with a constructor and a resolver for YAML 1.2. PyYAML follows YAML 1.1, where `on` is true."""

    def __init__(self, stream: str) -> None:
        Reader.__init__(self, stream)
        Scanner.__init__(self)
        Parser.__init__(self)
        Composer.__init__(self)
        _CoreConstructor.__init__(self)
        _CoreResolver.__init__(self)


for _kind, (_pattern, _first) in CORE_SCHEMA.items():
    _CoreLoader.add_implicit_resolver(f"{_TAG}{_kind}", re.compile(rf"(?:{_pattern})\Z"), _first)
    _CoreLoader.add_constructor(f"{_TAG}{_kind}", _CoreConstructor.construct_core)
_CoreLoader.add_implicit_resolver(_MERGE, re.compile(r"<<\Z"), ["<"])
_CoreLoader.add_constructor(_MERGE, _CoreConstructor.construct_scalar)  # as a value, `<<` is a text
_CoreLoader.add_constructor(f"{_TAG}str", _CoreConstructor.construct_scalar)
_CoreLoader.add_constructor(f"{_TAG}seq", _CoreConstructor.construct_list)
_CoreLoader.add_constructor(f"{_TAG}map", _CoreConstructor.construct_dictionary)
_CoreLoader.add_constructor(None, _CoreConstructor.construct_undefined)
