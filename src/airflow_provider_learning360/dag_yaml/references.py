"""The names that the templates of a step use: earlier steps, the item of the step, and values of Airflow."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator


class Reference(NamedTuple):
    """
    A name in a template, with what follows it.

    :param root: The name, such as `steps`.
    :param parts: The names and numbers after it, up to the first that only a run knows.
    """

    root: str
    parts: tuple[str | int, ...]

    def __str__(self) -> str:
        inner = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in self.parts)
        return f"{self.root}{inner}"


def find_references(value: Any) -> list[Reference]:
    """
    Return the names that the texts of a value use, without those that a template defines itself, as in a loop.

    :param value: A text, or a list or mapping with texts. A text that is no template of Jinja uses none.
    """
    if isinstance(value, str):
        return _parse(value) if "{" in value else []
    values = value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else ()
    return list(dict.fromkeys(found for one in values for found in find_references(one)))


def _parse(text: str) -> list[Reference]:
    from jinja2 import Environment, TemplateError
    from jinja2.meta import find_undeclared_variables

    environment = Environment(autoescape=False, extensions=["jinja2.ext.do"])  # noqa: S701 - nothing is rendered
    try:
        tree = environment.parse(text)
        names = find_undeclared_variables(tree)
    except TemplateError:
        return []  # Airflow reports it
    return [one for one in _walk(tree) if one.root in names]


def _walk(node: Any) -> Iterator[Reference]:
    found = _read_chain(node)
    if found is not None:
        yield found
    # Below a chain, only what stands in brackets is new.
    for child in node.iter_child_nodes(exclude=["node"] if found is not None else None):
        yield from _walk(child)


def _read_chain(node: Any) -> Reference | None:
    from jinja2 import nodes

    parts: list[str | int | None] = []
    while isinstance(node, nodes.Getattr | nodes.Getitem):
        parts.append(node.attr if isinstance(node, nodes.Getattr) else _read_key(node.arg))
        node = node.node
    if not isinstance(node, nodes.Name):
        return None
    parts.reverse()
    known = parts[: parts.index(None)] if None in parts else parts
    return Reference(node.name, tuple(part for part in known if part is not None))


def _read_key(node: Any) -> str | int | None:
    from jinja2.nodes import Impossible

    try:
        key = node.as_const()
    except Impossible:
        return None
    return key if isinstance(key, str | int) else None
