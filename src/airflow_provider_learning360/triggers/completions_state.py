"""The stored completions of an asset."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

from airflow_provider_learning360.api.completions import CompletionsWatch
from airflow_provider_learning360.triggers import cursor

if TYPE_CHECKING:
    from collections.abc import Iterable

    from airflow_provider_learning360.api.completions import StoredCompletions

log = logging.getLogger(__name__)

KEY = "learning360_completions"


class CompletionsState(cursor.AssetState):
    """
    The stored completions of one asset.

    :param store: The store of the asset.

    Source: Airflow's `asset_state_store` (AIP-103); Airflow's `Variable` below Airflow 3.3.
    """

    async def load(self, session_ids: Iterable[str] | None) -> CompletionsWatch:
        """
        Return the watch as it is stored; wait until the store responds.

        :param session_ids: IDs of the sessions, or None for all.
        :returns: The watch; a new one if nothing readable is stored.
        """
        # Continuing without a response would lose completions.
        while (stored := await self._attempt(self._store.aget(KEY, {}))) is None:  # noqa: ASYNC110
            await asyncio.sleep(cursor.PAUSE)
        try:
            return CompletionsWatch.from_stored(session_ids, stored or None)
        except ValueError as error:
            log.warning(
                "The stored completions are not readable (%s). Completions are watched from now on; earlier ones are "
                "missed.",
                error,
            )
            return CompletionsWatch.from_stored(session_ids, None)

    async def save(self, watch: CompletionsWatch) -> None:
        """
        Store what changed. What cannot be stored now is stored later.

        :param watch: The watch.
        """
        stored = watch.to_stored()
        if not watch.dirty or stored is None:
            return
        # Before the write: a poll meanwhile has to be written again.
        watch.dirty = False
        saved = None
        try:
            saved = await self._attempt(self._write(stored))
        finally:
            if saved is None:
                watch.dirty = True

    async def _write(self, stored: StoredCompletions) -> Any:
        if not self._is_retired:
            await self._store.aset(KEY, stored)
        return True
