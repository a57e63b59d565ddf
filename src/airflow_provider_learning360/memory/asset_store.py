"""The store of a watched asset: what its watcher, and the tasks that read its events, find again later."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Protocol

from airflow_provider_learning360.api.errors import FixArgumentError
from airflow_provider_learning360.memory.task_store import HAS_STATE_STORE

if TYPE_CHECKING:
    from airflow_provider_learning360.memory.variables import AssetOwner

log = logging.getLogger(__name__)


class AssetStore(Protocol):
    """Small values of an asset, as plain JSON, for a trigger; the shape of Airflow's own accessor."""

    async def aget(self, key: str, default: Any = None) -> Any:
        """Return the value of a key, or the default if there is none. A value that could not be read is an error."""

    async def aset(self, key: str, value: Any) -> None:
        """Store a value. It is stored when this returns."""


class AssetVariables:
    """
    The values of an asset in Airflow variables, for a trigger below Airflow 3.3.

    :param asset_name: Name of the asset.

    Source: Airflow's `Variable`.
    """

    def __init__(self, asset_name: str) -> None:
        self._owner: AssetOwner = {"asset": asset_name}

    async def aget(self, key: str, default: Any = None) -> Any:
        """
        Return the value of a key.

        :param key: The key.
        :param default: What to return if there is none, or if somebody edited it; the latter is logged.
        :raises AirflowException: Airflow could not say whether there is one.
        """
        from airflow_provider_learning360.memory.triggerer_variables import read_variable
        from airflow_provider_learning360.memory.variables import build_name, parse_stored

        name = build_name(self._owner, key)
        text = await read_variable(name)
        if text is None:
            return default
        try:
            value = parse_stored(text)["value"]
        except (ValueError, RecursionError):
            value = None
        if value is None:
            # As for a single watermark that is not readable. An error would stop the watcher for good.
            log.warning(
                "Airflow variable %s cannot be read, because it was edited. The watcher of asset %r starts again from "
                "the present state; earlier changes are missed. Do not edit this variable.",
                *(name, self._owner["asset"]),
            )
        return default if value is None else value

    async def aset(self, key: str, value: Any) -> None:
        """
        Store a value.

        :param key: The key.
        :param value: Plain JSON.
        :raises AirflowException: It could not be stored.
        """
        from airflow_provider_learning360.memory.triggerer_variables import write_variable
        from airflow_provider_learning360.memory.variables import DESCRIPTION, build_name, build_stored

        await write_variable(build_name(self._owner, key), build_stored(self._owner, value), DESCRIPTION)


def find_asset_store(trigger: Any, asset_name: str, made_by: str) -> AssetStore | None:
    """
    Return the store of the asset that a trigger watches.

    :param trigger: The trigger, as Airflow runs it.
    :param asset_name: Name of the asset.
    :param made_by: Which function makes such an asset, for the error.
    :returns: Airflow's own store; below Airflow 3.3 one of variables. None if this process cannot store anything; that
        is logged.
    :raises FixArgumentError: The trigger belongs to another asset.
    """
    stores = getattr(trigger, "asset_state_store", None)
    if stores is not None:
        return _find_by_name(stores, asset_name, made_by)
    if not HAS_STATE_STORE and _can_store_variables():
        return AssetVariables(asset_name)
    log.warning(
        "The watermarks of asset %r are kept in memory only: this process cannot store Airflow variables. Changes are "
        "missed while the triggerer is down or restarts. Use a triggerer of Airflow 3.0.6 or later.",
        asset_name,
    )
    return None


def find_reader_store(asset_name: str, reader: str) -> Any:
    """
    Return the store of an asset for a task that reads its events.

    :param asset_name: Name of the asset.
    :param reader: DAG and task that read it, as `dag_id.task_id`.
    :returns: A `Store`: Airflow's own for the asset; below Airflow 3.3 one of variables, for this reader alone.
    """
    if not HAS_STATE_STORE:
        from airflow_provider_learning360.memory.variables import VariableStore

        return VariableStore({"asset": asset_name, "reader": reader})
    from airflow.sdk import Asset
    from airflow.sdk.execution_time.context import AssetStateStoreAccessors

    asset = Asset.ref(name=asset_name)
    # The run's context has them for declared inlets only. This way, authors need not repeat the schedule as inlets.
    return AssetStateStoreAccessors(inlets=[asset])[asset]


def _find_by_name(stores: Any, asset_name: str, made_by: str) -> AssetStore:
    from airflow.sdk import Asset

    try:
        # By name: the short form of the store fails where a trigger has several assets.
        store: AssetStore = stores[Asset.ref(name=asset_name)]
    except KeyError:
        raise FixArgumentError(
            f"asset_name: {asset_name!r} is not the name of the asset of this trigger. Create the asset with {made_by}."
        ) from None
    return store


def _can_store_variables() -> bool:
    from airflow_provider_learning360.memory.triggerer_variables import can_store

    return can_store()
