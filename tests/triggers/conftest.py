"""A small triggerer for the tests here."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from functools import partial

import pytest

from small_triggerer import Store, Triggerer, remove_waiting_times, running


@pytest.fixture
def store() -> Store:
    return Store()


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests wait for conditions, not for time to pass."""
    remove_waiting_times(monkeypatch)


@pytest.fixture
def triggerer(store: Store) -> Callable[..., AbstractAsyncContextManager[Triggerer]]:
    """A triggerer for as long as a block takes; several in a row share the store."""
    return partial(running, store)
