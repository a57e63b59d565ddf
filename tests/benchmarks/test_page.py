"""What the page costs Airflow, and how fast it is for the reader."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import pytest
from playwright.sync_api import Response

from chromium import browser, chromium
from real_airflow import Airflow
from simulator_process import SimulatorProcess

DAGS = Path(__file__).resolve().parents[1] / "browser" / "dags"
START_UP = """
import time
import airflow.api_fastapi.app, airflow.plugins_manager
from importlib.metadata import entry_points
(entry,) = (one for one in entry_points(group="airflow.plugins") if one.name == "learning360")
from fastapi import FastAPI
airflow_itself = FastAPI()
before = time.perf_counter()
plugin = entry.load()()
for one in plugin.fastapi_apps:
    airflow_itself.mount(one["url_prefix"], one["app"])
print(time.perf_counter() - before)
"""


def test_plugin_start_up_time(benchmark: Any, measuring: bool, figure: Callable[..., None]) -> None:
    """The time that the plugin adds to the start of an API server: loading it, and mounting the page."""

    def started() -> float:
        run = subprocess.run([sys.executable, "-c", START_UP], capture_output=True, text=True, check=True)
        return float(run.stdout.splitlines()[-1]) * 1000

    taken = benchmark.pedantic(lambda: [started() for _ in range(5 if measuring else 1)], rounds=1)
    figure("start of the API server through the plugin", f"{median(taken):.1f} ms", "< 50 ms")


def test_page_opening_and_search_time(
    benchmark: Any, measuring: bool, figure: Callable[..., None], tmp_path: Path
) -> None:
    """From opening the page until it is ready, and from a query until the first of 10,000 sessions."""
    if not measuring:
        pytest.skip("tests/browser opens the page; here it is timed")
    if chromium() is None:
        pytest.skip("no browser on this machine")
    with SimulatorProcess(sessions=10_000, learners=60) as simulator:
        airflow = Airflow(tmp_path / "home", {"learning360_default": simulator.connection}, DAGS)
        airflow.command("db", "migrate")
        try:
            airflow.start("api-server")
            airflow.until_alive("api-server")
            times, size, found, again, keys = benchmark.pedantic(_visit, args=(airflow,), rounds=1)
        finally:
            airflow.end()
        lists = [one for one in simulator.requests if one["path"] == "/api/v1/programs/sessions"]
    opened = f"{median(times[1:]) * 1000:.0f} ms, {size / 1000:.0f} kB (the first time: {times[0] * 1000:.0f} ms)"
    figure("page until it can be used, warm API server", opened, "< 1 s, < 250 kB")
    figure("search over all operations, slowest key", f"{max(keys):.0f} ms", "< 50 ms")
    figure("first results among 10,000 sessions", f"{found:.1f} s; then {again * 1000:.0f} ms", "< 2 s")
    figure("requests for the list in that minute", str(len(lists)), "1")


# What each key takes, until the list is laid out.
KEY_TIMES = """
async () => {
  const field = document.querySelector("#operation");
  const times = [];
  for (let end = 1; end <= "add user to group".length; end++) {
    const begun = performance.now();
    field.value = "add user to group".slice(0, end);
    field.dispatchEvent(new Event("input", { bubbles: true }));
    await new Promise((done) => setTimeout(done));
    document.querySelector("#operations").getBoundingClientRect();
    times.push(performance.now() - begun);
  }
  return times;
}
"""


def _visit(airflow: Airflow) -> tuple[list[float], int, float, float, list[float]]:
    """Open the page several times, and search; the first time is also the first one of this API server."""
    times, size, found = [], 0, 0.0
    with browser() as one:
        for visit in range(4):
            page = one.new_context().new_page()
            responses: list[Response] = []
            page.on("response", lambda one, noted=responses: noted.append(one))
            page.goto(f"http://127.0.0.1:{airflow.port}/learning360/")
            page.wait_for_selector("html[data-ready=true]")
            page.locator("#operations [role=option]").first.wait_for()
            times.append(page.evaluate("performance.now()") / 1000)
            if visit == 0:  # nobody has read the list yet
                begun = page.evaluate("performance.now()") / 1000
                page.locator("#session-tab").click()
                page.locator("#search").fill("safety")
                page.locator("#results").get_by_text("afety").first.wait_for()
                found = page.evaluate("performance.now()") / 1000 - begun
                page.locator("#search-state").get_by_text("10,000").first.wait_for()
            started = ("/static/", "/api/operations")
            files = [one for one in responses if any(part in one.url for part in started) or one.url.endswith("0/")]
            size = sum(len(one.body()) for one in files)
        page.locator("#both-versions").check()
        keys = page.evaluate(KEY_TIMES)
        page.locator("#session-tab").click()
        begun = time.perf_counter()
        page.locator("#search").fill("onboarding")
        page.locator("#results").get_by_text("nboarding").first.wait_for()
        return times, size, found, time.perf_counter() - begun, keys
