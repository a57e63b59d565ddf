"""From an Airflow connection to what both hooks need for a call."""

from __future__ import annotations

import json
import logging
import os
import random
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from airflow_provider_learning360 import DEFAULT_CONN_ID, __version__
from airflow_provider_learning360.api.bodies import ACCEPTED_ENCODINGS
from airflow_provider_learning360.api.errors import SettingsError
from airflow_provider_learning360.api.exchange import CallContext
from airflow_provider_learning360.api.settings import LearningSettings
from airflow_provider_learning360.hooks.log_records import guard_logs

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow.providers.common.compat.sdk import Connection

    from airflow_provider_learning360.api.credentials import Credentials
    from airflow_provider_learning360.api.list_entries import StreamedObjects
    from airflow_provider_learning360.api.retries import RetryBudget

# Headers of every request.
USER_AGENT = {
    "User-Agent": f"airflow-provider-learning360/{__version__}",
    "Accept": "application/json",
    "Accept-Encoding": ACCEPTED_ENCODINGS,
}


class ConnectionType:
    """
    What both hooks have in common: what Airflow asks about their type of connection, and how they log retries.

    :param retry_log_level: Level of the log line before a retry; default `logging.WARNING`.
    """

    # A task that polls sets DEBUG: it logs an outage itself, once when it begins and once when it ends.
    retry_log_level = logging.WARNING

    conn_name_attr = "learning_conn_id"
    default_conn_name = DEFAULT_CONN_ID
    conn_type = "learning360"
    hook_name = "360Learning"

    def _close_page(self, page: StreamedObjects) -> None:
        """Check that a page of a list is complete; log which of its entries cannot be read."""
        page.close()
        if warning := page.unreadable.report("warn"):
            self.log.warning("%s", warning)  # type: ignore[attr-defined] # both hooks have one


def check_extra(conn_id: str, connection: Connection) -> None:
    """
    Refuse an extra that is not a JSON object: Airflow would only log it, and use none of its settings.

    :param conn_id: ID of the connection.
    :param connection: The connection.
    :raises SettingsError: Its extra is not a JSON object.
    """
    try:
        usable = not connection.extra or isinstance(json.loads(connection.extra), dict)
    except ValueError:
        usable = False
    if not usable:
        raise SettingsError(
            f'connection {conn_id!r} has an extra that is not a JSON object. Write it like {{"auth": "oauth2"}}.'
        )


def build_settings(conn_id: str, connection: Connection | None, extra: Mapping[str, Any]) -> LearningSettings:
    """
    Read the settings of an Airflow connection.

    :param conn_id: ID of the connection.
    :param connection: The connection, or None if Airflow has none with this ID.
    :param extra: Its extra: settings by name.
    :returns: The settings.
    :raises SettingsError: The connection is missing, incomplete or not valid.
    """
    if connection is None:
        raise _missing_error(conn_id)
    return LearningSettings.from_connection(
        conn_id,
        host=connection.host,
        login=connection.login,
        password=connection.password,
        schema=connection.schema,
        port=connection.port,
        extra=extra,
    )


def _missing_error(conn_id: str) -> SettingsError:
    variable = f"AIRFLOW_CONN_{conn_id.upper()}"
    if os.environ.get(variable):
        # Without the value of the variable, which most likely contains a key.
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
    :returns: The credentials, without a token.
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
    Build the context of a call: where to send it, as whom, and within which limits.

    :param settings: The settings of the connection.
    :param credentials: The credentials in use.
    :param budget: The retry budget of this call; None for that of the connection.
    :param deadline: Reading of the monotonic clock, in seconds, at which the call must end; default none.
    :returns: The context.
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
        key_hint=settings.key_hint,
    )
