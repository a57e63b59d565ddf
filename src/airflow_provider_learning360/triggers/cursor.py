"""The stored watermarks of an asset."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from airflow.sdk.exceptions import AirflowRuntimeError

from airflow_provider_learning360.api.watch_state import (
    SHARD_KEY_PREFIX,
    SHARDS,
    SessionState,
    WatchState,
    read_session_states,
    shard_of,
)
from airflow_provider_learning360.memory.asset_store import AssetVariables
from airflow_provider_learning360.triggers.tracebacks import format_frames

if TYPE_CHECKING:
    from collections.abc import Awaitable, Iterable

    from airflow_provider_learning360.api.watch_state import StoredSessionState
    from airflow_provider_learning360.memory.asset_store import AssetStore

log = logging.getLogger(__name__)

PAUSE = 5.0  # seconds between two attempts to use the store


class AssetState:
    """
    What a watcher stores of one asset, as long as no other watcher continues from it.

    :param store: The store of the asset.

    Source: Airflow's `asset_state_store` (AIP-103); Airflow's `Variable` below Airflow 3.3.
    """

    def __init__(self, store: AssetStore) -> None:
        self._store = store
        self._trouble: str | None = None
        self._is_retired = False

    def retire(self) -> None:
        """Stop writing: another watcher continues from what is stored."""
        self._is_retired = True

    async def write(self, key: str, value: Any) -> bool:
        """
        Store a value that may be lost: one attempt, unless another watcher continues from what is stored.

        :param key: Its key.
        :param value: Plain JSON.
        :returns: Whether it is stored, or need not be.
        """
        # Below Airflow 3.3, a variable for it would be too much.
        if isinstance(self._store, AssetVariables):
            return True
        return self._is_retired or await self._attempt(self._set(key, value)) is not None

    async def _set(self, key: str, value: Any) -> bool:
        await self._store.aset(key, value)
        return True

    async def _attempt(self, call: Awaitable[Any]) -> Any:
        """Return the response of the store, or None if it fails, which is logged once."""
        try:
            response = await call
        except Exception as error:  # noqa: BLE001 - raising any error would end all watchers of the stream
            self._log_failure(error)
            return None
        self._trouble = None
        return response

    def _log_failure(self, error: Exception) -> None:
        """Log a failure when it begins, and not at every attempt."""
        before, self._trouble = self._trouble, type(error).__name__
        if self._trouble == before:
            return
        if isinstance(error, AirflowRuntimeError | OSError | EOFError):
            reason = error.error.error.value if isinstance(error, AirflowRuntimeError) else self._trouble
            log.warning("Airflow cannot read or store the state of watched assets (%s). Trying again.", reason)
            return
        log.error("Traceback without values:\n%s", format_frames(error))
        log.error(
            "Unexpected %s while reading or storing the state of watched assets; please report it with the traceback "
            "above. Trying again.",
            self._trouble,
        )


class Cursor(AssetState):
    """
    The stored watermarks of one asset.

    :param store: The store of the asset.

    Source: Airflow's `asset_state_store` (AIP-103); Airflow's `Variable` below Airflow 3.3.
    """

    async def load(self, session_ids: Iterable[str] | None) -> dict[str, SessionState]:
        """
        Return what is known of sessions; wait until the store responds.

        :param session_ids: IDs of the sessions, or None for all.
        :returns: For each session with a readable watermark what is known of it.
        """
        everything = [f"{number:02d}" for number in range(SHARDS)]
        shards = everything if session_ids is None else sorted({shard_of(one) for one in session_ids})
        found: dict[str, SessionState] = {}
        unreadable: list[str] = []
        for shard in shards:
            # Continuing without a response would lose a watermark, and with it a change.
            while (stored := await self._attempt(self._read(shard))) is None:  # noqa: ASYNC110
                await asyncio.sleep(PAUSE)
            # Shard by shard: the other triggers run in between.
            known, broken = read_session_states(stored)
            found |= known
            unreadable += broken
        if unreadable:
            log.warning(
                "%d stored watermarks are not readable, such as that of %s. These sessions are watched from now on; "
                "their earlier changes are missed.",
                len(unreadable),
                unreadable[0],
            )
        return found

    async def save(self, watch: WatchState) -> None:
        """
        Store the watermarks that changed. Those that cannot be stored now are stored later.

        :param watch: The watch.
        """
        for shard in sorted(watch.dirty_shards):
            # Before the write: a change meanwhile has to be written again.
            watch.dirty_shards.discard(shard)
            saved = None
            try:
                saved = await self._attempt(self._write(shard, watch))
            finally:
                if saved is None:
                    watch.dirty_shards.add(shard)

    async def _read(self, shard: str) -> dict[str, StoredSessionState]:
        # The lock: an earlier watcher of this asset may be writing.
        async with _lock():
            return await self._read_shard(shard)

    async def _write(self, shard: str, watch: WatchState) -> bool:
        # Another watcher of the same asset may have sessions of its own in this shard.
        async with _lock():
            if self._is_retired:
                return True
            stored = await self._read_shard(shard)
            of_others = {session_id: known for session_id, known in stored.items() if not watch.wants(session_id)}
            await self._store.aset(_key(shard), {**of_others, **watch.shard(shard)})
        return True

    async def _read_shard(self, shard: str) -> dict[str, StoredSessionState]:
        stored = await self._store.aget(_key(shard), {})
        return stored if isinstance(stored, dict) else {}  # somebody may have edited it


_LOCKS: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock] = WeakKeyDictionary()


def _lock() -> asyncio.Lock:
    """Return the lock of this event loop."""
    return _LOCKS.setdefault(asyncio.get_running_loop(), asyncio.Lock())


def _key(shard: str) -> str:
    return f"{SHARD_KEY_PREFIX}{shard}"
