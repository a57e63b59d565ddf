"""The 360Learning connections that a user may use, and a hook for one of them."""

from __future__ import annotations

import logging
import os
import time
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self

from sqlalchemy import select

from airflow.models import Connection
from airflow.providers.common.compat.sdk import AirflowNotFoundException, conf
from airflow.secrets.environment_variables import CONN_ENV_PREFIX, EnvironmentVariablesBackend

from airflow_provider_learning360.api.errors import LearningError, SettingsError
from airflow_provider_learning360.api.settings import EU_HOST, US_HOST, base_url
from airflow_provider_learning360.hooks.learning import LearningHook
from airflow_provider_learning360.ui.access import may_create_connections, permitted_connections, team_argument
from airflow_provider_learning360.ui.failure import ConnectionRefusedByPageError, failure_from_error

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy.orm import Session

    from airflow.api_fastapi.auth.managers.models.base_user import BaseUser

    from airflow_provider_learning360.api.settings import LearningSettings
    from airflow_provider_learning360.ui.responses import (
        ConnectionItem,
        ConnectionList,
        ConnectionSource,
        ConnectionTest,
    )

log = logging.getLogger(__name__)

VENDOR_HOSTS = (EU_HOST, US_HOST)
# The reader waits in front of the page: it shows an error at once instead of retrying.
RETRY_LIMITS = {"retry_attempts": 1, "max_rate_limit_wait": 0.0}
# Upper limits for settings of the connection, in seconds and bytes. `timeout` is the time without a byte.
LIMITS = {
    "timeout": 20.0,
    "max_document_seconds": 30.0,
    "max_list_seconds": 120.0,
    "max_document_bytes": 64 * 2**20,
    "max_list_bytes": 2**30,
    "max_error_bytes": 2**20,
}
# Settings that a stored connection may have on the page. None of them names a file or another host.
ALLOWED_SETTINGS = frozenset({
    "host",  # one of `VENDOR_HOSTS`
    "company_id",
    "api_key",
    "api_version",
    "auth",
    "missing_poll_interval",
    "requests_per_second",
    "retry_budget",
    "trust_env",  # editors of connections do not control the environment of the API server
    "allow_insecure_http",  # `VENDOR_HOSTS` use https
    "connection",  # not a setting, but the name of the connection
    *RETRY_LIMITS,
    *LIMITS,
})  # fmt: skip


@dataclass(frozen=True)
class ConnectionRow:
    """
    A connection in the list.

    :param id: ID of the connection.
    :param host: Address of 360Learning; None if the connection has no valid one.
    :param description: Its description in Airflow.
    :param source: Where Airflow reads it from.
    """

    id: str
    host: str | None
    description: str | None
    source: ConnectionSource

    @classmethod
    def from_connection(cls, conn_id: str, connection: Any, source: ConnectionSource) -> Self:
        """
        Return the row of a connection.

        :param conn_id: ID of the connection.
        :param connection: A connection, or its columns in the database.
        :param source: Where Airflow reads it from.
        """
        try:
            host = base_url(connection.host, connection.schema, connection.port, conn_id)
        except SettingsError:
            host = None  # it may be anything, even a password
        return cls(conn_id, host, connection.description, source)

    def to_item(self, *, may_edit: bool) -> ConnectionItem:
        """
        Return the connection as the page's routes send it.

        :param may_edit: Whether the user may edit it.
        """
        return {
            "id": self.id,
            "host": self.host,
            "description": self.description,
            "source": self.source,
            "may_edit": may_edit,
        }


class PageHook(LearningHook):
    """
    A hook for one connection. Check the user's right to the connection before.

    :param connection_id: ID of the connection.
    :raises AirflowNotFoundException: The connection does not exist, or is of another type.
    """

    def __init__(self, connection_id: str) -> None:
        super().__init__(connection_id)
        # Without the database session of the request: none is held while the page waits for 360Learning.
        team = team_argument(connection_id)
        self._connection = Connection.get_connection_from_secrets(connection_id, **team)
        if self._connection.conn_type != self.conn_type:
            raise AirflowNotFoundException(f"The connection {connection_id!r} is not of type 360Learning.")
        self._is_stored = _environment_connection(connection_id, team) is None

    def get_connection(self, conn_id: str) -> Any:  # type: ignore[override]
        """
        Return the connection of this hook.

        :param conn_id: Not used.
        """
        return self._connection

    @cached_property
    def settings(self) -> LearningSettings:
        """
        The settings of the connection, within the limits of the page.

        :raises SettingsError: The settings are not valid, or not allowed on the page.
        """
        settings = super().settings
        if self._is_stored and not _is_any_host_allowed():
            _require_allowed_settings(settings)
        return _limit_settings(settings)


def list_connections(user: BaseUser, session: Session) -> ConnectionList:
    """
    Return the connections that the user may use.

    :param user: The user.
    :param session: Database session.
    """
    rows = {row.id: row for row in _all_connections(session)}
    usable, editable = permitted_connections(rows, user, "GET"), permitted_connections(rows, user, "PUT")
    connections = [row.to_item(may_edit=row.id in editable) for _, row in sorted(rows.items()) if row.id in usable]
    default = LearningHook.default_conn_name
    first = connections[0]["id"] if connections else None
    return {
        "connections": connections,
        "preselected": default if default in usable else first,
        "may_create": may_create_connections(user),
        "create_url": "connections",
    }


def test_connection(hook: PageHook) -> ConnectionTest:
    """
    Test a connection as Airflow's own connection test does: exchange the keys for a token, and use them.

    :param hook: The hook of the connection.
    """
    started, host, failure = time.monotonic(), None, None
    try:
        host = hook.settings.host
        hook.check_keys()
    except LearningError as error:
        failure = failure_from_error(error)
    milliseconds = round((time.monotonic() - started) * 1000)
    return {"ok": failure is None, "host": host, "milliseconds": milliseconds, "failure": failure}


def _is_any_host_allowed() -> bool:
    return str(conf.get("core", "test_connection", fallback="Disabled")).strip().lower() == "enabled"


def _limit_settings(settings: LearningSettings) -> LearningSettings:
    """Return the settings within `LIMITS`; limits for settings that this version does not have are ignored."""
    limited: dict[str, Any] = dict(RETRY_LIMITS)
    for name, limit in LIMITS.items():
        value = getattr(settings, name, None)
        limited[name] = limit if value is None else min(value, limit)
    known = type(settings).model_fields
    return settings.model_copy(update={name: value for name, value in limited.items() if name in known})


def _require_allowed_settings(settings: LearningSettings) -> None:
    """
    Refuse what Airflow refuses too: an editor of the connection could have the hidden key sent to any host.

    Only names and values are compared. Paths are not opened: the result would tell which files exist.

    :param settings: The settings of a connection that is stored in Airflow.
    :raises ConnectionRefusedByPageError: A setting is not in `ALLOWED_SETTINGS`, or the host not in `VENDOR_HOSTS`.
    """
    hosts = ", ".join(VENDOR_HOSTS)
    if settings.host not in VENDOR_HOSTS or settings.verify is False:
        name = "verify" if settings.host in VENDOR_HOSTS else "host"
        raise ConnectionRefusedByPageError("host_not_allowed", setting=name, hosts=hosts)
    names = [name for name in type(settings).model_fields if name not in ALLOWED_SETTINGS and _is_set(settings, name)]
    if names:
        raise ConnectionRefusedByPageError("settings_not_allowed", settings=", ".join(sorted(names)))


def _is_set(settings: LearningSettings, name: str) -> bool:
    default = type(settings).model_fields[name].get_default(call_default_factory=True)
    value = getattr(settings, name)
    return type(value) is not type(default) or bool(value != default)


def _all_connections(session: Session) -> Iterator[ConnectionRow]:
    # Columns and not objects: passwords are not even read.
    columns = (Connection.conn_id, Connection.host, Connection.schema, Connection.port, Connection.description)
    variables = {name.removeprefix(CONN_ENV_PREFIX) for name in os.environ if name.startswith(CONN_ENV_PREFIX)}
    for row in session.execute(select(*columns).where(Connection.conn_type == LearningHook.conn_type)).all():
        variables.discard(row.conn_id.upper())
        yield from _resolve(row.conn_id, row, team_argument(row.conn_id))
    # Airflow's own list of connections does not have these.
    for name in variables:
        yield from _resolve(name.lower(), None, {})


def _resolve(conn_id: str, row: Any, team: dict[str, str]) -> Iterator[ConnectionRow]:
    """Yield the connection that a DAG would get: an environment variable wins over a row of the database."""
    connection = _environment_connection(conn_id, team)
    if connection is None:
        yield from [] if row is None else [ConnectionRow.from_connection(conn_id, row, "database")]
    elif connection.conn_type == LearningHook.conn_type:
        yield ConnectionRow.from_connection(conn_id, connection, "environment")


def _environment_connection(conn_id: str, team: dict[str, str]) -> Connection | None:
    try:
        connection: Connection | None = EnvironmentVariablesBackend().get_connection(conn_id, **team)
    except Exception:  # noqa: BLE001 - whatever the variable contains, the other connections are listed
        # Without its value, and without the exception, which quotes the value.
        log.warning(
            "Cannot read the connection in %s%s; it is left out. Correct or remove the variable.",
            CONN_ENV_PREFIX,
            conn_id.upper(),
        )
        return None
    return connection
