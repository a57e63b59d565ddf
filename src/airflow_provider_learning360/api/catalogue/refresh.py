"""Refresh the catalogue of API v2 from a file of the vendor: facts are taken from the file, our own words stay."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import takewhile
from typing import TYPE_CHECKING, Any, Final, cast

from airflow_provider_learning360.api.catalogue.operation import OperationData
from airflow_provider_learning360.api.catalogue.operation_names import ROOT, build_name
from airflow_provider_learning360.api.catalogue.shared_schemas import (
    describe_change,
    find_conflicts,
    find_used,
    keep_descriptions,
    rename_references,
)
from airflow_provider_learning360.api.catalogue.vendor_file import read_operations, read_schemas
from airflow_provider_learning360.api.errors import FixArgumentError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from airflow_provider_learning360.api.catalogue.operation import CatalogueData, JsonSchema, ParameterData
    from airflow_provider_learning360.api.catalogue.vendor_file import Route

# The vendor has a file for each part of the API. The first word of a path says which.
_PARTS: Final = {"bulk": "Bulk", "webhooks": "Webhook", "plugin": "Plugin", "uaa": "User-authorized"}
_CORE: Final = "Core"
_REFRESHED: Final = (_CORE, "Bulk", "Webhook")
# What a person wrote.
_OURS = ("topic", "text", "repeat", "replaces", "people", "usual", "confidence", "warning", "counterpart", "example")
# What only some files of the vendor say.
_IF_GIVEN = ("scope", "page_size", "reference")


@dataclass(frozen=True)
class Refreshed:
    """
    A refreshed catalogue.

    :param data: The catalogue.
    :param changes: What came, went and changed, one line each.
    """

    data: CatalogueData
    changes: list[str]

    @property
    def summary(self) -> str:
        """How much changed, in one line."""
        size = f"{len(self.data['operations'])} operations, {len(self.data['schemas'])} schemas"
        if not self.changes:
            return f"nothing changed: {size}"
        words = [one.partition(":")[0] for one in self.changes]
        counts = ", ".join(f"{words.count(word)} {word}" for word in ("came", "went", "changed"))
        return f"{counts}: {size}"


def refresh_catalogue(data: CatalogueData, document: Mapping[str, Any]) -> Refreshed:
    """
    Return the catalogue with the operations and schemas of a file of the vendor.

    Operations of other parts of the API stay as they are. A schema whose name another part uses for something else
    gets a name of its own.

    :param data: The catalogue of API v2.
    :param document: The OpenAPI file of one part: Core, Bulk or Webhook.
    :returns: The refreshed catalogue.
    :raises FixArgumentError: The file is not of one of these parts.
    """
    part = _find_part(document)
    names, schemas = _read_schemas(data, document, part)
    found = rename_references(read_operations(document), names)
    operations = _merge_operations(data["operations"], found, part)
    used = find_used(list(operations.values()), schemas)
    refreshed: CatalogueData = {
        "version": data["version"],
        "operations": operations,
        "schemas": {name: schemas[name] for name in sorted(used)},
    }
    return Refreshed(refreshed, [*_compare_operations(data, refreshed), *_compare_schemas(data, refreshed)])


def part_of(path: str) -> str:
    """
    Return the part of the API to which a path belongs, such as `Bulk`.

    :param path: Path from the root of the host.
    """
    return _PARTS.get(path.removeprefix(ROOT).partition("/")[0], _CORE)


def _find_part(document: Mapping[str, Any]) -> str:
    paths = list(document.get("paths", ()))
    parts = {part_of(path) if path.startswith(ROOT) else "another API" for path in paths}
    if len(parts) != 1 or not parts <= set(_REFRESHED):
        found = f"it has paths of {' and '.join(sorted(parts))}" if parts else "it has no paths"
        raise FixArgumentError(f"This is no OpenAPI file of API v2, part Core, Bulk or Webhook: {found}.")
    return parts.pop()


def _read_schemas(
    data: CatalogueData, document: Mapping[str, Any], part: str
) -> tuple[dict[str, str], dict[str, JsonSchema]]:
    """Return the new names of schemas of the file, and the schemas of all parts by name."""
    kept = data["schemas"]
    others = [one for one in data["operations"].values() if part_of(one["path"]) != part]
    foreign = {name: kept[name] for name in find_used(others, kept)}
    fresh = read_schemas(document)
    names = {name: f"{part}{name}" for name in find_conflicts(fresh, foreign)}
    schemas = dict(foreign)
    for name, schema in fresh.items():
        new_name = names.get(name, name)
        before = kept.get(new_name, kept.get(name, {}))
        schemas[new_name] = keep_descriptions(before, rename_references(schema, names))
    return names, schemas


def _merge_operations(
    kept: Mapping[str, OperationData], found: Mapping[Route, OperationData], part: str
) -> dict[str, OperationData]:
    waiting = dict(found)
    merged: dict[str, OperationData] = {}
    for name, one in kept.items():
        new = waiting.pop((one["method"], one["path"]), None)
        if new is not None:
            merged[name] = _merge_operation(one, new)
        elif part_of(one["path"]) != part:
            merged[name] = one
    for (method, path), new in waiting.items():
        is_list = new["answer"].get("schema", {}).get("type") == "array"
        merged = _insert(merged, build_name(method, path, is_list, merged.keys() | kept.keys()), new)
    return merged


def _merge_operation(old: OperationData, new: OperationData) -> OperationData:
    ours = {name: value for name, value in old.items() if name in _OURS or (name in _IF_GIVEN and name not in new)}
    merged = cast("OperationData", {**{name: one for name, one in new.items() if name not in _OURS}, **ours})
    if "parameters" in new:
        merged["parameters"] = _merge_parameters(old.get("parameters", []), new["parameters"])
    for name in ("body", "answer"):
        _keep_descriptions_of(name, old, merged)
    return old if merged == old else _sort_fields(merged)


def _keep_descriptions_of(name: str, old: Any, merged: Any) -> None:
    """Keep our descriptions in the schema of a body or an answer."""
    if "schema" in merged.get(name, {}):
        before = old.get(name, {}).get("schema", {})
        merged[name] = {**merged[name], "schema": keep_descriptions(before, merged[name]["schema"])}


def _merge_parameters(old: list[ParameterData], new: list[ParameterData]) -> list[ParameterData]:
    before = {(one["name"], one["place"]): one for one in old}
    return [_merge_parameter(before.get((one["name"], one["place"])), one) for one in new]


def _merge_parameter(old: ParameterData | None, new: ParameterData) -> ParameterData:
    if old is None:
        return new
    merged: ParameterData = {**new, "schema": keep_descriptions(old["schema"], new["schema"])}
    if "text" in old:
        merged["text"] = old["text"]
    return old if merged == old else merged


def _insert(operations: Mapping[str, OperationData], name: str, new: OperationData) -> dict[str, OperationData]:
    """Return the operations with a new one after the nearest, whose topic it shares."""
    nearest = max(operations, key=lambda one: _count_shared_words(operations[one]["path"], new["path"]), default=None)
    if nearest is None or not _count_shared_words(operations[nearest]["path"], new["path"]):
        return {**operations, name: _sort_fields({**new, "topic": new["topic"].capitalize()})}
    topic = operations[nearest]["topic"]
    last = [one for one in operations if operations[one]["topic"] == topic][-1]
    inserted: dict[str, OperationData] = {}
    for one, data in operations.items():
        inserted[one] = data
        if one == last:
            inserted[name] = _sort_fields({**new, "topic": topic})
    return inserted


def _count_shared_words(path: str, other: str) -> int:
    """Return how many words at the beginning of two paths are the same, without the word of the part."""
    if part_of(path) != part_of(other):
        return 0
    pairs = zip(path.removeprefix(ROOT).split("/"), other.removeprefix(ROOT).split("/"), strict=False)
    shared = [one for one, _ in takewhile(lambda pair: pair[0] == pair[1], pairs)]
    return len([one for one in shared if one not in _PARTS])


def _sort_fields(operation: OperationData) -> OperationData:
    order = list(OperationData.__annotations__)
    return cast("OperationData", dict(sorted(operation.items(), key=lambda item: order.index(item[0]))))


def _compare_operations(before: CatalogueData, now: CatalogueData) -> Iterator[str]:
    old, new = before["operations"], now["operations"]
    for name, one in new.items():
        route = f"{one['method']} {one['path']}"
        if name not in old:
            yield f"came: {name} ({route}); write its text, and check its other words"
        elif one != old[name]:
            fields: dict[str, Any] = {**old[name], **one}
            differ = [field for field in fields if old[name].get(field) != one.get(field)]
            yield f"changed: {name} ({route}): {', '.join(differ)}"
    for name, one in old.items():
        if name not in new:
            yield f"went: {name} ({one['method']} {one['path']})"


def _compare_schemas(before: CatalogueData, now: CatalogueData) -> Iterator[str]:
    old, new = before["schemas"], now["schemas"]
    for name, one in new.items():
        if name not in old:
            yield f"came: schema {name}"
        elif one != old[name]:
            yield f"changed: schema {name} {describe_change(old[name], one)}".rstrip()
    for name in sorted(old.keys() - new.keys()):
        yield f"went: schema {name}"
