"""Where the watermarks of an asset are kept: Airflow's asset state store."""

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
from airflow_provider_learning360.triggers.tracebacks import format_frames

if TYPE_CHECKING:
    from collections.abc import Iterable

log = logging.getLogger(__name__)

PAUSE = 5.0  # seconds before the store is asked again


class Cursor:
    """
    The watermarks of one asset, as they are stored.

    :param store: The accessor of this asset.

    Source: Airflow's `asset_state_store` (AIP-103).
    """

    def __init__(self, store: Any) -> None:
        self._store = store
        self._trouble: str | None = None
        self._is_retired = False

    def retire(self) -> None:
        """Write nothing any more: another cursor goes on from what is stored."""
        self._is_retired = True

    async def load(self, session_ids: Iterable[str] | None) -> dict[str, SessionState]:
        """
        Return what is known of the sessions; waits until Airflow can say.

        :param session_ids: IDs of the sessions, or None for all.
        """
        everything = [f"{number:02d}" for number in range(SHARDS)]
        shards = everything if session_ids is None else sorted({shard_of(one) for one in session_ids})
        found: dict[str, SessionState] = {}
        unreadable: list[str] = []
        for shard in shards:
            # To go on without an answer would forget a watermark, and with it a change.
            while (answer := await self._tried(self._read(shard))) is None:  # noqa: ASYNC110
                await asyncio.sleep(PAUSE)
            # Piece by piece: the other triggers get their turn in between.
            known, broken = read_session_states(answer)
            found |= known
            unreadable += broken
        if unreadable:
            log.warning(
                "%d stored watermarks are not readable, such as that of %s: these sessions are watched from now on.",
                len(unreadable),
                unreadable[0],
            )
        return found

    async def save(self, watch: WatchState) -> None:
        """
        Write what a watch has to keep; what cannot be written now stays to be written.

        :param watch: The watch.
        """
        for shard in sorted(watch.dirty_shards):
            # Before it is written: what changes meanwhile is to be written again.
            watch.dirty_shards.discard(shard)
            saved = None
            try:
                saved = await self._tried(self._stored(shard, watch))
            finally:
                if saved is None:
                    watch.dirty_shards.add(shard)

    async def _read(self, shard: str) -> dict[str, Any]:
        # After what an earlier watcher of this asset is just writing.
        async with _one_at_a_time():
            stored: dict[str, Any] = await self._store.aget(_key(shard), {})
            return stored

    async def _stored(self, shard: str, watch: WatchState) -> bool:
        # Another watcher of the same asset may have sessions of its own in this piece.
        async with _one_at_a_time():
            if self._is_retired:
                return True
            others = await self._store.aget(_key(shard), {})
            acknowledged = {session_id: known for session_id, known in others.items() if not watch.wants(session_id)}
            await self._store.aset(_key(shard), {**acknowledged, **watch.shard(shard)})
        return True

    async def _tried(self, attempt: Any) -> Any:
        """Return what the store answers, or None if it does not; the log says so once."""
        try:
            answer = await attempt
        except Exception as error:  # noqa: BLE001 - whatever it is, raising it would end all watchers of the stream
            self._tell(error)
            return None
        self._trouble = None
        return answer

    def _tell(self, error: Exception) -> None:
        """Log a change of state once, not every attempt."""
        before, self._trouble = self._trouble, type(error).__name__
        if self._trouble == before:
            return
        if isinstance(error, AirflowRuntimeError | OSError | EOFError):
            said = error.error.error.value if isinstance(error, AirflowRuntimeError) else self._trouble
            log.warning("Airflow's asset state store does not answer (%s); trying again.", said)
            return
        log.error("Traceback without values:\n%s", format_frames(error))
        log.error(
            "Unexpected %s while using Airflow's asset state store; please report it with the traceback above. "
            "Trying again.",
            self._trouble,
        )


_LOCKS: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock] = WeakKeyDictionary()


def _one_at_a_time() -> asyncio.Lock:
    """Return the lock of this event loop."""
    return _LOCKS.setdefault(asyncio.get_running_loop(), asyncio.Lock())


def _key(shard: str) -> str:
    return f"{SHARD_KEY_PREFIX}{shard}"
