"""Limits from Airflow's configuration: an invalid value stops nothing."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from airflow_provider_learning360.hooks import limits
from airflow_provider_learning360.provider_info import get_provider_info

OPTIONS: dict[str, tuple[Callable[[], float], float]] = {
    "max_triggerer_wait": (limits.max_triggerer_wait, 3600.0),
    "max_task_wait": (limits.max_task_wait, 86400.0),
}


@pytest.fixture(autouse=True)
def _not_warned() -> None:
    limits._warn.cache_clear()


@pytest.mark.parametrize("option", OPTIONS)
def test_default_limit_is_the_documented_one(option: str) -> None:
    read, default = OPTIONS[option]
    assert read() == default
    assert float(get_provider_info()["config"]["learning360"]["options"][option]["default"]) == default


@pytest.mark.parametrize("option", OPTIONS)
def test_configuration_sets_the_limit(option: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"AIRFLOW__LEARNING360__{option.upper()}", "7.5")
    assert OPTIONS[option][0]() == 7.5


@pytest.mark.parametrize("option", OPTIONS)
@pytest.mark.parametrize("text", ["", "an hour", "0", "-1", "nan", "inf", "1e999"])
def test_invalid_limit_is_warned_about_once_and_not_used(
    option: str, text: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv(f"AIRFLOW__LEARNING360__{option.upper()}", text)
    read, default = OPTIONS[option]
    assert [read(), read()] == [default, default]
    assert sum(f"[learning360] {option}" in record.getMessage() for record in caplog.records) == 1
