"""The connections of type 360Learning that a user may use, and a hook that talks through one of them."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

from sqlalchemy import select

from airflow.models import Connection
from airflow.providers.common.compat.sdk import AirflowNotFoundException

from airflow_provider_learning360.api.settings import EU_HOST
from airflow_provider_learning360.hooks.learning import LearningHook
from airflow_provider_learning360.ui.access import may_create, permitted

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from airflow.api_fastapi.auth.managers.models.base_user import BaseUser

    from airflow_provider_learning360.api.settings import LearningSettings

_VARIABLE = "AIRFLOW_CONN_"
# Somebody sits in front of the page: what fails is shown, not tried again for a minute.
_PATIENCE = {"retry_attempts": 1, "max_rate_limit_wait": 0.0}


@dataclass(frozen=True)
class Listed:
    """
    A connection, as it is offered.

    :param id: Its ID.
    :param host: Address of 360Learning.
    :param description: What its author wrote of it.
    :param source: Where it is kept.
    """

    id: str
    host: str
    description: str | None
    source: Literal["database", "environment"]


class PageHook(LearningHook):
    """
    A hook for one connection that the user has been found to have a right to, and for no other.

    :param connection_id: ID of the connection.
    :param session: Database session of the request.
    :raises AirflowNotFoundException: There is none of this ID, or it is of another type.
    """

    def __init__(self, connection_id: str, session: Session) -> None:
        super().__init__(connection_id)
        self._connection = _resolved(connection_id, session)

    def get_connection(self, conn_id: str) -> Any:  # type: ignore[override]
        """Return the connection that was looked up, whichever is asked for."""
        return self._connection

    @cached_property
    def settings(self) -> LearningSettings:
        """The settings of the connection, with little patience."""
        return super().settings.model_copy(update=_PATIENCE)


def listed(user: BaseUser, session: Session) -> dict[str, Any]:
    """
    Return the connections that the user may use, and what else the user may do with them.

    :param user: The user.
    :param session: Database session.
    """
    found = {one.id: one for one in (*_stored(session), *_in_environment())}
    usable, editable = permitted(found, user, "GET"), permitted(found, user, "PUT")
    return {
        "connections": [
            {**vars(one), "may_edit": one.id in editable} for _, one in sorted(found.items()) if one.id in usable
        ],
        "may_create": may_create(user),
        "create_url": "connections",
    }


def tested(hook: LearningHook) -> dict[str, Any]:
    """
    Return what a test of the connection says, as `test_connection` does.

    :param hook: The hook of the connection.
    """
    started = time.monotonic()
    ok, message = hook.test_connection()
    return {"ok": ok, "message": message, "milliseconds": round((time.monotonic() - started) * 1000)}


def _stored(session: Session) -> list[Listed]:
    # Columns and not objects: passwords are not even read.
    columns = (Connection.conn_id, Connection.host, Connection.description)
    rows = session.execute(select(*columns).where(Connection.conn_type == LearningHook.conn_type))
    return [Listed(conn_id, host or EU_HOST, description, "database") for conn_id, host, description in rows]


def _in_environment() -> list[Listed]:
    # Airflow's own list of connections does not have them, but they win over those of the database.
    found = []
    for variable in os.environ:
        conn_id = variable.removeprefix(_VARIABLE).lower()
        if variable.startswith(_VARIABLE) and (connection := _from_environment(conn_id)):
            found.append(Listed(conn_id, connection.host or EU_HOST, connection.description, "environment"))
    return found


def _from_environment(conn_id: str) -> Connection | None:
    from airflow.secrets.environment_variables import EnvironmentVariablesBackend

    try:
        connection = EnvironmentVariablesBackend().get_connection(conn_id)
    except Exception:  # noqa: BLE001 - whatever a variable of somebody else holds, it is none of ours
        return None
    return connection if connection is not None and connection.conn_type == LearningHook.conn_type else None


def _resolved(connection_id: str, session: Session) -> Connection:
    """Return the connection as a DAG of its team would find it: environment first, then other backends, then here."""
    team = session.scalar(select(Connection.team_name).where(Connection.conn_id == connection_id)) if _TEAMS else None
    connection = Connection.get_connection_from_secrets(connection_id, **({"team_name": team} if team else {}))
    if connection.conn_type != LearningHook.conn_type:
        raise AirflowNotFoundException(f"The connection {connection_id!r} is not of type 360Learning.")
    return connection


_TEAMS = hasattr(Connection, "team_name")  # Airflow 3.1
