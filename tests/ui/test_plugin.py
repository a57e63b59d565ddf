"""How Airflow finds the page."""

from __future__ import annotations

import importlib
import subprocess
import sys
from typing import Any

import pytest

from airflow_provider_learning360.ui import plugin


def test_plugin_is_found_by_airflow() -> None:
    from airflow import plugins_manager

    (info,) = [one for one in plugins_manager.get_plugin_info() if one["name"] == "learning360"]
    assert info["fastapi_apps"] == [
        {"app": "airflow_provider_learning360.ui.plugin.PageApp", "url_prefix": "/learning360", "name": "360Learning"}
    ]
    (view,) = info["external_views"]
    assert (view["name"], view["destination"]) == ("360Learning", "nav")


def test_navigation_entry_is_relative() -> None:
    (view,) = plugin.LearningPlugin.external_views
    (app,) = plugin.LearningPlugin.fastapi_apps
    # Relative, so that the base address of Airflow's own page counts; with a slash, so that no redirect is needed.
    assert view["href"] == f"{app['url_prefix']}/".removeprefix("/")


def test_page_can_be_switched_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__LEARNING360__PAGE", "False")
    without: Any = importlib.reload(plugin).LearningPlugin
    assert (without.fastapi_apps, without.external_views) == ([], [])
    monkeypatch.delenv("AIRFLOW__LEARNING360__PAGE")
    assert importlib.reload(plugin).LearningPlugin.fastapi_apps


def test_plugin_imports_nothing_heavy() -> None:
    code = (
        "import sys, airflow.plugins_manager; before = set(sys.modules)\n"
        "import airflow_provider_learning360.ui.plugin\n"
        "heavy = ('fastapi', 'starlette', 'sqlalchemy', 'requests', 'aiohttp', 'pydantic')\n"
        "print([one for one in set(sys.modules) - before if one.split('.')[0] in heavy\n"
        "       or one.startswith('airflow_provider_learning360.')])"
    )
    loaded = subprocess.check_output([sys.executable, "-c", code], text=True, stderr=subprocess.DEVNULL)
    assert set(eval(loaded.splitlines()[-1])) == {
        "airflow_provider_learning360.ui",
        "airflow_provider_learning360.ui.plugin",
        "airflow_provider_learning360.ui.prefix",
    }
