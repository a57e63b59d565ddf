"""The variables of this provider in Airflow's database, for the page and the command line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_learning360.memory.variables import PREFIX, build_name, parse_stored

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_provider_learning360.memory.variables import Owner, StoredValue


def find_variables(session: Any, prefix: str = PREFIX) -> list[Any]:
    """
    Return the variables whose names begin with a text.

    :param session: A session of the database.
    :param prefix: The text; default that of all variables of this provider.
    """
    from airflow.models.variable import Variable

    return list(session.query(Variable).filter(Variable.key.startswith(prefix, autoescape=True)).all())


def read_stored(owner: Owner, key_prefix: str, session: Any) -> Iterator[StoredValue]:
    """
    Yield the values of an owner. Those that cannot be read are left out.

    :param owner: The owner.
    :param key_prefix: How their keys begin.
    :param session: A session of the database.
    """
    for variable in find_variables(session, build_name(owner, key_prefix)):
        try:
            yield parse_stored(variable.val)
        except (ValueError, TypeError):
            continue  # somebody may have edited it
