"""What the shell completes: names of operations, topics and parameters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_learning360.api.catalogue.catalogue import load_operations
from airflow_provider_learning360.api.catalogue.differences import resolve
from airflow_provider_learning360.api.catalogue.search import list_topics

if TYPE_CHECKING:
    from argparse import Namespace


def complete_operations(**_: Any) -> list[str]:
    """Return the names of the operations. argcomplete keeps those that begin as the word does."""
    return list(load_operations())


def complete_topics(**_: Any) -> list[str]:
    """Return the topics."""
    return list_topics()


def complete_parameters(prefix: str, parsed_args: Namespace, **others: Any) -> list[str]:
    """
    Return the parameters of the operation, or the allowed values of one.

    :param prefix: What is typed so far, such as `status[eq]=`.
    :param parsed_args: The arguments before it.
    :param others: What else argcomplete knows; unused.
    """
    operation = load_operations().get(parsed_args.operation)
    if operation is None:
        return []
    key, separator, _ = prefix.partition("=")
    schemas = {one: resolve(parameter.schema_of(one), operation.schemas) for one, parameter in operation.keys}
    if not separator:
        return [f"{one}=" for one in schemas]
    schema = schemas.get(key, {})
    values = schema.get("items", schema).get("enum") or (("true", "false") if schema.get("type") == "boolean" else ())
    return [f"{key}={value}" for value in values]
