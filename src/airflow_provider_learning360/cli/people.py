"""Mask what is about people, unless somebody asks for it; Airflow's audit log records who asked."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from airflow_provider_learning360.api.catalogue.masking import MASK
from airflow_provider_learning360.api.documentation import PARENTS, is_about_people

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Iterator, Sequence

MASKED = "Data about people is masked. --show-people shows it; Airflow's audit log records who asked."
DEPTH = 20  # levels of a masked field; what is deeper is one mask


def mask_people(fields: dict[str, Any], parent: str = "") -> dict[str, Any]:
    """
    Return a document in which everything that is about people, or may be, is masked.

    :param fields: The document, or an object in it.
    :param parent: Path of the object in the documentation; default that of the document.
    """
    masked: dict[str, Any] = {}
    for number, (name, value) in enumerate(fields.items(), 1):
        path = f"{parent}.{name}".removeprefix(".") if name.isidentifier() else ""  # a name may look like a path
        if is_about_people(path, value):
            masked[_mask_name(name, number)] = _mask(value)
        else:
            masked[name] = _mask_inside(value, path)
    return masked


def record_request_for_people(args: Namespace, hidden: Sequence[str] = ()) -> None:
    """
    Write to Airflow's audit log who ran this command, as Airflow does for its own commands.

    :param args: The arguments of the command.
    :param hidden: Parts of the command line that the log must not have, such as a body; default none.
    """
    from airflow.utils.cli import action_cli

    def learning360_show_people(_: Namespace) -> None:
        """Give the entry its name."""

    with _command_line_without(hidden):
        action_cli(check_db=False)(learning360_show_people)(args)


@contextmanager
def _command_line_without(hidden: Sequence[str]) -> Iterator[None]:
    """Let Airflow, which logs `sys.argv`, see it with a mask in place of some parts at the end of arguments."""
    given = sys.argv
    sys.argv = [_hide_end(one, hidden) for one in given]
    try:
        yield
    finally:
        sys.argv = given


def _hide_end(argument: str, hidden: Sequence[str]) -> str:
    found = max((one for one in hidden if argument.endswith(one)), key=len, default="")
    return f"{argument.removesuffix(found)}{found[0] if found[0] == '=' else ''}{MASK}" if found else argument


def _mask_inside(value: Any, path: str) -> Any:
    if isinstance(value, list) and f"{path}[]" in PARENTS:
        return [mask_people(one, f"{path}[]") if isinstance(one, dict) else _mask(one) for one in value]
    if isinstance(value, dict) and path in PARENTS:
        return mask_people(value, path)
    return value


def _mask(value: Any, depth: int = DEPTH) -> Any:
    """Mask every value, and keep the names of fields and the number of items."""
    if value is None:
        return None
    if isinstance(value, list) and depth:
        return [_mask(one, depth - 1) for one in value]
    if isinstance(value, dict) and depth:
        fields = enumerate(value.items(), 1)
        return {_mask_name(name, number): _mask(one, depth - 1) for number, (name, one) in fields}
    return MASK


def _mask_name(name: str, number: int) -> str:
    """Mask a key that cannot be the name of a field: it may be a login, an ID or the name of a person."""
    return name if name.isidentifier() else f"{MASK} {number}"
