"""The events of an asset, as Airflow lists them for a task."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_learning360.api.errors import redact
from airflow_provider_learning360.api.sanitizer import printable

if TYPE_CHECKING:
    from datetime import datetime


class EventsNotListed(Exception):
    """Airflow could not list the events of an asset; the text says why."""


class AssetEvents:
    """
    The events of an asset.

    :param asset_name: Name of the asset.

    Source: Airflow's `InletEventsAccessors`.
    """

    def __init__(self, asset_name: str) -> None:
        self._asset_name = asset_name
        self.sent = 0
        """How many events Airflow sent, where it can only send all: below Airflow 3.2. Otherwise 0."""

    def list_since(self, after: datetime, until: datetime | None) -> list[Any]:
        """
        Return the events since a time.

        Airflow returns 500 while a run that one of them started is queued (apache/airflow #71360), and released Task
        SDKs refuse the response of a later server (#71862).

        :param after: The time.
        :param until: The time of the last event; None for all.
        :raises EventsNotListed: Airflow could not list them.
        """
        try:
            listed = self._find_accessor()
            if hasattr(listed, "after"):
                listed = listed.after(after.isoformat())
                return list(listed.before(until.isoformat()) if until else listed)
        except Exception as error:
            raise EventsNotListed(f"{type(error).__name__}: {redact(printable(str(error)))[:300]}") from error
        self.sent = len(listed)
        return [event for event in listed if after <= event.timestamp and (until is None or event.timestamp <= until)]

    def _find_accessor(self) -> Any:
        """Return what lists the events; below Airflow 3.2, the list of all of them."""
        from airflow.sdk import Asset
        from airflow.sdk.execution_time.context import InletEventsAccessors

        asset = Asset.ref(name=self._asset_name)
        # The run's context has them for declared inlets only. This way, authors need not repeat the schedule as inlets.
        return InletEventsAccessors([asset])[asset]
