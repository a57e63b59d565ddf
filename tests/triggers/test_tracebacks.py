from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest

from airflow_provider_learning360.api.watch_state import WatchState, shard_of
from airflow_provider_learning360.triggers.cursor import Cursor
from airflow_provider_learning360.triggers.tracebacks import MAX_FRAMES, format_frames

SECRET = "hunter2"
ID = "60b8d2956e20ae1a0f8e44f1"


def deep(levels: int, secret: str) -> None:
    if levels:
        deep(levels - 1, secret)
    try:
        raise KeyError(secret)
    except KeyError as error:
        raise ValueError(f"not {secret}") from error


def test_frames_name_file_line_and_function_and_no_value() -> None:
    with pytest.raises(ValueError, match=SECRET) as caught:
        deep(2, SECRET)
    text = format_frames(caught.value)
    assert SECRET not in text
    assert [
        word for word in ["test_tracebacks.py", "in deep", "line ", "ValueError", "KeyError"] if word not in text
    ] == []


def test_long_traceback_and_circle_of_causes_are_cut() -> None:
    with pytest.raises(ValueError, match=SECRET) as caught:
        deep(200, SECRET)
    caught.value.__cause__ = caught.value
    assert len(format_frames(caught.value).splitlines()) <= 6 * (MAX_FRAMES + 2)


class BrokenStore:
    """A store with a mistake in it."""

    def __init__(self) -> None:
        self.error: Exception | None = None

    async def aget(self, key: str, default: Any = None) -> Any:
        if self.error:
            raise self.error
        return default

    async def aset(self, key: str, value: Any) -> None:
        pass


def test_unexpected_error_of_the_store_is_logged_once_with_its_frames(caplog: pytest.LogCaptureFixture) -> None:
    store = BrokenStore()
    cursor, watch = Cursor(store), WatchState([ID])

    async def scenario() -> None:
        for error in (ZeroDivisionError(SECRET), ZeroDivisionError(SECRET), None, ZeroDivisionError(SECRET)):
            store.error = error
            watch.dirty_shards.add(shard_of(ID))
            await cursor.save(watch)
            assert bool(watch.dirty_shards) == (error is not None)

    with caplog.at_level(logging.INFO):
        asyncio.run(scenario())
    assert caplog.text.count("Unexpected ZeroDivisionError") == 2
    assert caplog.text.count("in aget") == 2
    assert SECRET not in caplog.text


def test_cancelled_save_is_repeated_later() -> None:
    store = BrokenStore()
    cursor, watch = Cursor(store), WatchState([ID])
    watch.dirty_shards.add(shard_of(ID))

    async def hang(key: str, default: Any = None) -> Any:
        await asyncio.Event().wait()

    store.aget = hang  # type: ignore[method-assign]

    async def scenario() -> None:
        saving = asyncio.ensure_future(cursor.save(watch))
        await asyncio.sleep(0)
        saving.cancel()
        await asyncio.gather(saving, return_exceptions=True)

    asyncio.run(scenario())
    assert watch.dirty_shards == {shard_of(ID)}
