"""An extra that is not JSON is an error, and never ignored."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable

import pytest

from airflow_provider_learning360.api.errors import SettingsError
from airflow_provider_learning360.hooks.learning import LearningHook
from airflow_provider_learning360.hooks.learning_async import LearningAsyncHook

SESSION_ID = "60b8d2956e20ae1a0f8e44f1"


async def awaited() -> None:
    async with LearningAsyncHook() as hook:
        await hook.get_program_session(SESSION_ID)


def in_async() -> None:
    asyncio.run(awaited())


def in_sync() -> None:
    LearningHook().get_program_session(SESSION_ID)


@pytest.mark.parametrize("extra", ["abc", "[1]", '"text"'])
@pytest.mark.parametrize("read", [in_sync, in_async])
def test_extra_that_is_not_an_object_is_refused(
    read: Callable[[], None], extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = {"conn_type": "learning360", "login": "company", "password": "key", "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_LEARNING360_DEFAULT", json.dumps(connection))
    with pytest.raises(SettingsError, match="extra that is not a JSON object"):
        read()
