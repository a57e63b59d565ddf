"""The async hook loads no `requests`, which a triggerer does not need."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

CONNECTION = {"conn_type": "learning360", "login": "demo-company", "password": "demo-key", "host": "http://127.0.0.1:1"}

# The first call reads the connection and opens the client. It fails, since the port has no listener.
CALL = """
import asyncio, sys
from airflow_provider_learning360.api.errors import UnreachableError
from airflow_provider_learning360.hooks.learning_async import LearningAsyncHook

async def call():
    async with LearningAsyncHook("learning360_default") as hook:
        try:
            await hook.get_program_session("60b8d2956e20ae1a0f8e44f1")
        except UnreachableError:
            print(sorted({"aiohttp", "requests", "urllib3", "airflow.providers.http.hooks.http"} & set(sys.modules)))

asyncio.run(call())
"""


def last_line_of(code: str) -> str:
    extra = {"retry_attempts": 1, "proxies": "http://127.0.0.1:1"}
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("COV")},
        "AIRFLOW_CONN_LEARNING360_DEFAULT": json.dumps({**CONNECTION, "extra": json.dumps(extra)}),
    }
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    return done.stdout.splitlines()[-1]


def test_async_hook_loads_no_requests() -> None:
    assert last_line_of(CALL) == "['aiohttp']"


@pytest.mark.slow
def test_async_hook_keeps_its_former_address() -> None:
    code = (
        "from airflow_provider_learning360.hooks.learning import LearningAsyncHook\n"
        "from airflow_provider_learning360.hooks import learning_async\n"
        "print(LearningAsyncHook is learning_async.LearningAsyncHook)\n"
    )
    assert last_line_of(code) == "True"


@pytest.mark.slow
def test_sync_hook_loads_no_async_hook() -> None:
    code = (
        "import sys\n"
        "from airflow_provider_learning360.hooks import learning\n"
        "print('airflow_provider_learning360.hooks.learning_async' in sys.modules, hasattr(learning, 'nothing'))\n"
    )
    assert last_line_of(code) == "False False"
