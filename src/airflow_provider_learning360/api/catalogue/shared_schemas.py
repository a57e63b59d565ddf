"""The schemas that operations share: which are used, which two files use differently, and our descriptions in them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from airflow_provider_learning360.api.catalogue.operation import JsonSchema

_REF: Final = "#/schemas/"


def find_used(value: Any, schemas: Mapping[str, JsonSchema]) -> set[str]:
    """
    Return the names of the schemas to which a value refers, directly or through other schemas.

    :param value: A schema, an operation, or a list of them.
    :param schemas: All schemas, by name.
    """
    used: set[str] = set()
    waiting = list(_find_references(value))
    while waiting:
        name = waiting.pop()
        if name not in used:
            used.add(name)
            waiting += _find_references(schemas[name])
    return used


def find_conflicts(schemas: Mapping[str, JsonSchema], others: Mapping[str, JsonSchema]) -> set[str]:
    """
    Return the names that two files give to different schemas.

    :param schemas: The schemas of one file, by name.
    :param others: The schemas of the other files, by name.
    """
    shared = schemas.keys() & others.keys()
    conflicts = {name for name in shared if keep_descriptions(others[name], schemas[name]) != others[name]}
    # A schema also differs if one to which it refers does.
    while more := {name for name in shared - conflicts if conflicts.intersection(_find_references(schemas[name]))}:
        conflicts |= more
    return conflicts


def rename_references(value: Any, names: Mapping[str, str]) -> Any:
    """
    Return a value with other names for some of the schemas to which it refers.

    :param value: A schema, an operation, or a list of them.
    :param names: The new names, by old name.
    """
    if isinstance(value, list):
        return [rename_references(one, names) for one in value]
    if not isinstance(value, dict):
        return value
    renamed = {key: rename_references(one, names) for key, one in value.items()}
    if isinstance(reference := value.get("$ref"), str):
        name = reference.removeprefix(_REF)
        renamed["$ref"] = _REF + names.get(name, name)
    return renamed


def keep_descriptions(old: JsonSchema, new: JsonSchema) -> JsonSchema:
    """
    Return a schema of the vendor with our descriptions of the same fields.

    :param old: The schema as the catalogue has it.
    :param new: The schema as the vendor's file has it.
    """
    kept = dict(new)
    if "description" in old:
        kept["description"] = old["description"]
    if isinstance(old.get("items"), dict) and isinstance(new.get("items"), dict):
        kept["items"] = keep_descriptions(old["items"], new["items"])
    if "properties" in new:
        fields = old.get("properties", {})
        kept["properties"] = {
            name: keep_descriptions(fields.get(name, {}), one) for name, one in new["properties"].items()
        }
    for word in ("anyOf", "allOf"):
        if len(old.get(word, ())) == len(new.get(word, ())) > 0:
            kept[word] = [keep_descriptions(*pair) for pair in zip(old[word], new[word], strict=True)]
    return old if kept == old else kept  # the old one has the order in which a person wrote it


def describe_change(old: JsonSchema, new: JsonSchema) -> str:
    """
    Return which fields of a schema came, went and changed, such as `+nickname -phone ~lang`.

    :param old: The schema before.
    :param new: The schema now.
    """
    before, now = old.get("properties", {}), new.get("properties", {})
    fields: Iterable[str] = dict.fromkeys([*before, *now])
    marks = {name: "+" if name not in before else "-" if name not in now else "~" for name in fields}
    return " ".join(f"{mark}{name}" for name, mark in marks.items() if before.get(name) != now.get(name))


def _find_references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"].removeprefix(_REF)
        for one in value.values():
            yield from _find_references(one)
    elif isinstance(value, list):
        for one in value:
            yield from _find_references(one)
