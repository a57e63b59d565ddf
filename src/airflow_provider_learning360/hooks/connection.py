"""From an Airflow connection to what a call needs."""

from __future__ import annotations

import json
import os
import random
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from airflow_provider_learning360.api.errors import SettingsError
from airflow_provider_learning360.api.exchange import CallContext
from airflow_provider_learning360.api.settings import LearningSettings
from airflow_provider_learning360.hooks.guards import guard_logs

if TYPE_CHECKING:
    from airflow_provider_learning360.api.credentials import Credentials
    from airflow_provider_learning360.api.retries import RetryBudget


def check_extra(conn_id: str, connection: Any) -> None:
    """
    Refuse an extra that Airflow would only complain about and then leave out, with all the settings in it.

    :param conn_id: ID of the connection.
    :param connection: The connection.
    :raises SettingsError: Its extra is no JSON object.
    """
    try:
        usable = not connection.extra or isinstance(json.loads(connection.extra), dict)
    except ValueError:
        usable = False
    if not usable:
        raise SettingsError(
            f'connection {conn_id!r} has an extra that is no JSON object. Write it like {{"auth": "oauth2"}}.'
        )


def build_settings(conn_id: str, connection: Any, extra: dict[str, Any]) -> LearningSettings:
    """
    Return the settings that an Airflow connection holds.

    :param conn_id: ID of the connection.
    :param connection: The connection, or None if there is none.
    :param extra: Its extra.
    :raises SettingsError: It is missing, incomplete or not valid.
    """
    if connection is None:
        raise _missing(conn_id)
    return LearningSettings.from_connection(
        conn_id,
        host=connection.host,
        login=connection.login,
        password=connection.password,
        schema=connection.schema,
        port=connection.port,
        extra=extra,
    )


def _missing(conn_id: str) -> SettingsError:
    variable = f"AIRFLOW_CONN_{conn_id.upper()}"
    if os.environ.get(variable):
        # Without what it holds, which is a key in all likelihood.
        return SettingsError(
            f"connection {conn_id!r} cannot be read: {variable} is set, but Airflow finds no connection in it. "
            'Write it as JSON, like {"conn_type": "learning360", "login": "<company ID>", "password": "<API key>"}, '
            "with fields of a connection only, texts in quotes and the port as a number; "
            "or percent-encode special characters in the URI, such as %23 for # and %2F for /."
        )
    return SettingsError(f"connection {conn_id!r} is not defined. Create one of type 360Learning, or set {variable}.")


def build_credentials(settings: LearningSettings) -> Credentials:
    """
    Return fresh credentials, and keep them out of the logs of HTTP libraries.

    :param settings: The settings of the connection.
    """
    credentials = settings.credentials()
    guard_logs(credentials)
    return credentials


def build_call_context(
    settings: LearningSettings,
    credentials: Credentials,
    budget: RetryBudget | None,
    deadline: float | None = None,
) -> CallContext:
    """
    Return the two sides of a call.

    :param settings: The settings of the connection.
    :param credentials: The credentials in use.
    :param budget: Patience for this call; default that of the connection.
    :param deadline: Reading of the monotonic clock at which the call must end; default none.
    """
    return CallContext(
        host=settings.host,
        credentials=credentials,
        connection=settings.connection,
        budget=budget or settings.budget,
        monotonic=time.monotonic,
        now=lambda: datetime.now(tz=UTC),
        jitter=random.random,
        limits=settings.limits,
        deadline=deadline,
    )
