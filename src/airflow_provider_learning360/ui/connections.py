"""The connections of type 360Learning that a user may use, and a hook that talks through one of them."""

from __future__ import annotations

import logging
import os
import time
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, Self

from sqlalchemy import select

from airflow.models import Connection
from airflow.providers.common.compat.sdk import AirflowNotFoundException, conf
from airflow.secrets.environment_variables import CONN_ENV_PREFIX, EnvironmentVariablesBackend

from airflow_provider_learning360.api.errors import SettingsError
from airflow_provider_learning360.api.settings import EU_HOST, US_HOST, base_url
from airflow_provider_learning360.hooks.learning import LearningHook
from airflow_provider_learning360.ui.access import may_create, permitted, team_of
from airflow_provider_learning360.ui.text import readable_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy.orm import Session

    from airflow.api_fastapi.auth.managers.models.base_user import BaseUser

    from airflow_provider_learning360.api.settings import LearningSettings

log = logging.getLogger(__name__)

VENDOR = (EU_HOST, US_HOST)
# Somebody sits in front of the page: what fails is shown, not tried again for a minute.
PATIENCE = {"retry_attempts": 1, "max_rate_limit_wait": 0.0}
# What a connection may take at most, in bytes and seconds, whatever it allows itself. `timeout`: without any byte.
BOUNDS = {
    "timeout": 20.0,
    "max_document_seconds": 30.0,
    "max_list_seconds": 120.0,
    "max_document_bytes": 64 * 2**20,
    "max_list_bytes": 2**30,
    "max_error_bytes": 2**20,
}
# Settings that a stored connection may have here. None names a file or another host; the page has bounds for the rest.
HARMLESS = frozenset({
    "host",  # one of `VENDOR`
    "company_id",
    "api_key",
    "auth",
    "requests_per_second",
    "retry_budget",
    "trust_env",  # the environment of the API server is nobody's who edits connections
    "allow_insecure_http",  # `VENDOR` is https
    "connection",  # no setting, but the name of the connection
    *PATIENCE,
    *BOUNDS,
})  # fmt: skip

Source = Literal["database", "environment"]


@dataclass(frozen=True)
class Listed:
    """
    A connection, as it is offered.

    :param id: Its ID.
    :param host: Address of 360Learning; None if the connection has none that is valid.
    :param description: What its author wrote of it.
    :param source: Where it is kept.
    """

    id: str
    host: str | None
    description: str | None
    source: Source

    @classmethod
    def of(cls, conn_id: str, connection: Any, source: Source) -> Self:
        """Return it out of a connection, or a row of one."""
        try:
            host = base_url(connection.host, connection.schema, connection.port, conn_id)
        except SettingsError:
            host = None  # it may be anything, also a password
        return cls(conn_id, host, connection.description, source)


class PageHook(LearningHook):
    """
    A hook for one connection that the user has been found to have a right to, and for no other.

    :param connection_id: ID of the connection.
    :raises AirflowNotFoundException: There is none of this ID, or it is of another type.
    """

    def __init__(self, connection_id: str) -> None:
        super().__init__(connection_id)
        # Without the session of a request: nothing of the database is held while 360Learning is waited for.
        team = team_of(connection_id)
        self._connection = Connection.get_connection_from_secrets(connection_id, **team)
        if self._connection.conn_type != self.conn_type:
            raise AirflowNotFoundException(f"The connection {connection_id!r} is not of type 360Learning.")
        self._stored = _in_environment(connection_id, team) is None

    def get_connection(self, conn_id: str) -> Any:  # type: ignore[override]
        """Return the connection that was looked up, whichever is asked for."""
        return self._connection

    @cached_property
    def settings(self) -> LearningSettings:
        """
        The settings of the connection, with little patience.

        :raises SettingsError: They are not usable, or not from this page.
        """
        settings = super().settings
        if self._stored and not _may_go_anywhere():
            _refuse_elsewhere(settings)
        return _bounded(settings)


def listed(user: BaseUser, session: Session) -> dict[str, Any]:
    """
    Return the connections that the user may use, and what else the user may do with them.

    :param user: The user.
    :param session: Database session.
    """
    found = {one.id: one for one in _all(session)}
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
    return {"ok": ok, "message": readable_text(message), "milliseconds": round((time.monotonic() - started) * 1000)}


def _may_go_anywhere() -> bool:
    return str(conf.get("core", "test_connection", fallback="Disabled")).strip().lower() == "enabled"


def _bounded(settings: LearningSettings) -> LearningSettings:
    """Return the settings within the bounds of the page; those that this version does not have are left out."""
    within: dict[str, Any] = dict(PATIENCE)
    for name, bound in BOUNDS.items():
        own = getattr(settings, name, None)
        within[name] = bound if own is None else min(own, bound)
    known = type(settings).model_fields
    return settings.model_copy(update={name: value for name, value in within.items() if name in known})


def _refuse_elsewhere(settings: LearningSettings) -> None:
    """
    Refuse what Airflow refuses too: who may edit a connection, and not see its key, could have it sent anywhere.

    Only names and values are compared. A path is not even looked for: that would tell which files there are.

    :param settings: The settings of a connection that is stored in Airflow.
    :raises SettingsError: A setting is not in `HARMLESS`, or the host is not in `VENDOR`; names the setting.
    """
    if settings.host not in VENDOR or settings.verify is False:
        name = "verify" if settings.host in VENDOR else "host"
        raise SettingsError(
            f"{settings.connection} does not lead to {' or '.join(VENDOR)} with TLS verified (setting {name}). For "
            f"other hosts, this page needs {_LIFTED}."
        )
    refused = sorted(name for name in type(settings).model_fields if name not in HARMLESS and _is_set(settings, name))
    if refused:
        raise SettingsError(
            f"{settings.connection} has settings that this page does not use: {', '.join(refused)}. "
            f"Remove them from its extra. To use them, this page needs {_LIFTED}."
        )


_LIFTED = "[core] test_connection = Enabled, or a connection that is set in the environment of the API server"


def _is_set(settings: LearningSettings, name: str) -> bool:
    default = type(settings).model_fields[name].get_default(call_default_factory=True)
    value = getattr(settings, name)
    return type(value) is not type(default) or bool(value != default)


def _all(session: Session) -> Iterator[Listed]:
    # Columns and not objects: passwords are not even read.
    columns = (Connection.conn_id, Connection.host, Connection.schema, Connection.port, Connection.description)
    variables = {name.removeprefix(CONN_ENV_PREFIX) for name in os.environ if name.startswith(CONN_ENV_PREFIX)}
    for row in session.execute(select(*columns).where(Connection.conn_type == LearningHook.conn_type)).all():
        variables.discard(row.conn_id.upper())
        yield from _offered(row.conn_id, row, team_of(row.conn_id))
    # Airflow's own list of connections has none of these.
    for name in variables:
        yield from _offered(name.lower(), None, {})


def _offered(conn_id: str, row: Any, team: dict[str, str]) -> Iterator[Listed]:
    """Yield the connection that a DAG would get: a variable of the environment wins over a row of the database."""
    connection = _in_environment(conn_id, team)
    if connection is None:
        yield from [] if row is None else [Listed.of(conn_id, row, "database")]
    elif connection.conn_type == LearningHook.conn_type:
        yield Listed.of(conn_id, connection, "environment")


def _in_environment(conn_id: str, team: dict[str, str]) -> Connection | None:
    try:
        found: Connection | None = EnvironmentVariablesBackend().get_connection(conn_id, **team)
    except Exception:  # noqa: BLE001 - whatever somebody wrote into it, the other connections are there
        # Without what it holds, and without the exception, which shows that.
        log.warning("%s%s holds no connection that can be read. Mend or remove it.", CONN_ENV_PREFIX, conn_id.upper())
        return None
    return found
