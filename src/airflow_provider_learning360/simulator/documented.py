"""The documented operations, read from the catalogue's data files. No code of the client reads them here."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import cache, cached_property
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Literal, NamedTuple
from urllib.parse import unquote

if TYPE_CHECKING:
    from collections.abc import Mapping

Schema = dict[str, Any]
Version = Literal["v1", "v2"]

_PACKAGE = __name__.partition(".")[0]
_PLACEHOLDER = re.compile(r"\{(\w+)\}")
_UNKNOWN_END = "0000"


@dataclass(frozen=True, eq=False)
class Documented:
    """A documented operation.

    :param name: its name in the catalogue.
    :param version: the version of the API that has it.
    :param data: what the data file says of it.
    :param schemas: the schemas to which its own refer, by name.
    """

    name: str
    version: Version
    data: Mapping[str, Any]
    schemas: Mapping[str, Schema]

    @property
    def method(self) -> str:
        """HTTP method."""
        return str(self.data["method"])

    @property
    def path(self) -> str:
        """Path, with names in braces."""
        return str(self.data["path"])

    @property
    def names(self) -> list[str]:
        """Names of the values in its path, in the order of the path."""
        return _PLACEHOLDER.findall(self.path)

    @property
    def status(self) -> int:
        """Status of a success."""
        return int(self.data["answer"]["status"])

    @property
    def answer(self) -> Schema | None:
        """Schema of the answer; None if it has no body."""
        schema: Schema | None = self.data["answer"].get("schema")
        return schema

    @property
    def is_list(self) -> bool:
        """Whether a read of it returns a list, which can have pages."""
        return self.method == "GET" and (self.answer or {}).get("type") == "array"

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """Regular expression of its path."""
        literal = _PLACEHOLDER.split(self.path.rstrip("/"))[::2]
        return re.compile("([^/]+)".join(map(re.escape, literal)) + "/?")

    def parameters(self, place: str) -> list[Mapping[str, Any]]:
        """Return the parameters in the path, or in the query.

        :param place: ``path`` or ``query``.
        """
        return [one for one in self.data.get("parameters", ()) if one["place"] == place]

    def resolve(self, schema: Schema) -> Schema:
        """Return a schema without references, and with the first of its alternatives that is not null."""
        while "$ref" in schema or "anyOf" in schema:
            if "$ref" in schema:
                schema = self.schemas[schema["$ref"].rpartition("/")[2]]
            else:
                first = next(one for one in schema["anyOf"] if one.get("type") != "null")
                schema = {name: value for name, value in schema.items() if name != "anyOf"} | self.resolve(first)
        return schema


class Match(NamedTuple):
    """An operation that a request asks for, with the values in its path, by name."""

    operation: Documented
    values: dict[str, str]


@cache
def load_documented(version: Version) -> tuple[Documented, ...]:
    """Return the documented operations of a version of the API; literal paths before those with names in braces."""
    data = json.loads(files(_PACKAGE).joinpath("api", "catalogue", f"{version}.json").read_text(encoding="utf-8"))
    operations = [Documented(name, version, one, data["schemas"]) for name, one in data["operations"].items()]
    return tuple(sorted(operations, key=lambda one: len(one.names)))


def list_scopes() -> list[str]:
    """Return the scopes of all operations of API v2, sorted."""
    return sorted({one.data["scope"] for one in load_documented("v2")})


def find_documented(version: Version, method: str, path: str) -> Match | None:
    """Return the operation with a method and a path; None if there is none.

    :param version: the version of the API.
    :param method: HTTP method; HEAD finds what GET does.
    :param path: the path as sent.
    """
    wanted = "GET" if method == "HEAD" else method
    for operation in load_documented(version):
        match = operation.pattern.fullmatch(path) if operation.method == wanted else None
        if match:
            found = Match(operation, dict(zip(operation.names, map(unquote, match.groups()), strict=True)))
            if _has_allowed_words(found):
                return found
    return None


def _has_allowed_words(match: Match) -> bool:
    """Return whether the words in a path, such as the role in a group, are those that the operation knows."""
    words = {one["name"]: one["schema"].get("enum") for one in match.operation.parameters("path")}
    return all(words.get(name) is None or value in words[name] for name, value in match.values.items())


def is_malformed(name: str, match: Match) -> bool:
    """Return whether a value in the path of a request is none that the operation allows.

    :param name: name of the value.
    :param match: the operation, and the values.
    """
    patterns = {one["name"]: one["schema"].get("pattern", "") for one in match.operation.parameters("path")}
    return not re.search(patterns.get(name, ""), match.values[name])


def find_unknown(match: Match) -> tuple[int, str] | None:
    """Return status and code for an ID in the path that nothing has; None if everything is known.

    An ID is unknown if it ends with ``0000``, or is malformed. All others are known, because nothing is stored.
    """
    for name, value in match.values.items():
        if is_unknown(value) or is_malformed(name, match):
            return _find_code(match.operation, name)
    return None


def is_unknown(value: object) -> bool:
    """Return whether a value is an ID that nothing has."""
    return isinstance(value, str) and value.endswith(_UNKNOWN_END)


def _find_code(operation: Documented, name: str) -> tuple[int, str] | None:
    """Return the documented code that fits the name of an ID best. API v1 has such codes under 400, too."""
    errors = operation.data.get("errors", {})
    codes = [
        (int(status), code)
        for status in ("404", "400")
        for code in errors.get(status, ())
        if status == "404" or code.lower().replace("_", "").endswith("notfound")
    ]
    what = re.sub(r"_?(or_)?id$", "", name, flags=re.IGNORECASE).replace("_email", "").replace("_", "").lower()
    fitting = [one for one in codes if what.endswith(one[1].lower().replace("_", "").removesuffix("notfound"))]
    return next(iter([*fitting, *codes]), None)
