"""The five steps of docs/administrators.md from nothing to a running DAG without Python, as they are written there."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml
from playwright.sync_api import Browser, expect

from browser_page import BrowserPage
from ports import free_port

REPOSITORY = Path(__file__).resolve().parents[2]
# What `make airflow` needs; the rest is in the environment that it runs in.
PARTS = ("Makefile", "pyproject.toml", "constraints", "demo", "dags_examples", "src")
MAX_WAIT = 180  # seconds


@pytest.fixture(scope="module")
def steps() -> list[str]:
    """The five steps, in the page's words."""
    page = (REPOSITORY / "docs" / "administrators.md").read_text("utf-8")
    section = page.split("## Five steps to a workflow")[1].split("\n## ")[0]
    found = re.findall(r"^\d\. (.+)$", section, re.MULTILINE)
    assert len(found) == 5
    return found


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A fresh copy of the repository, with the environment that these tests run in as its own."""
    for part in PARTS:
        place = REPOSITORY / part
        copy = shutil.copytree if place.is_dir() else shutil.copy2
        copy(place, tmp_path / part, **({"ignore": shutil.ignore_patterns("__pycache__")} if place.is_dir() else {}))
    (tmp_path / ".venv").symlink_to(sys.prefix)
    return tmp_path


@pytest.fixture
def address(checkout: Path, steps: list[str]) -> Iterator[str]:
    """Step 1, on another port."""
    (command,) = re.findall(r"`(make \w+)`", steps[0])
    (address,) = re.findall(r"`(http://[\d.:]+)`", steps[0])
    port = free_port()
    environment = {**os.environ, "PORT": str(port), "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "5"}
    for name in [one for one in environment if one.startswith("AIRFLOW__") and "INTERVAL" not in one]:
        del environment[name]
    # The environment is ready; the copy only looks newer.
    process = subprocess.Popen(
        [*command.split(), "--assume-old=.venv/ready"], cwd=checkout, env=environment, start_new_session=True
    )
    try:
        yield address.replace("8080", str(port))
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(60)


def until(condition: Callable[[], Any], what: str) -> Any:
    deadline = time.monotonic() + MAX_WAIT
    while time.monotonic() < deadline:
        try:
            if result := condition():
                return result
        except (requests.ConnectionError, requests.Timeout):  # a busy machine responds late
            pass
        time.sleep(0.5)
    raise TimeoutError(f"This did not happen: {what}")


def test_five_steps_of_the_readme_lead_to_a_green_run(
    steps: list[str], address: str, checkout: Path, browser: Browser
) -> None:
    client = requests.Session()
    client.trust_env = False
    until(lambda: client.get(f"{address}/api/v2/monitor/health", timeout=10).ok, "Airflow answers")
    context = browser.new_context(permissions=["clipboard-read", "clipboard-write"])
    browser_page = BrowserPage(context, address)
    page = browser_page.page

    page.goto(address)
    for entry in re.findall(r"\*(.+?)\*", steps[0])[-1].split(" > "):
        page.get_by_text(entry, exact=True).first.click()
    frame = page.frame_locator("iframe")

    tab, button = re.findall(r"\*(.+?)\*", steps[1])
    frame.get_by_role("tab", name=tab).click()
    (word,) = re.findall(r"`(\w+)`", steps[1])
    frame.locator("#search").fill(word)
    frame.locator("#results").get_by_text(word, exact=False).first.click()
    frame.get_by_role("button", name=button).click()
    expect(frame.locator("#request-summary")).to_contain_text("200")

    _, *choices, button = re.findall(r"\*(.+?)\*", steps[2])
    for choice in choices:
        frame.get_by_role("tab", name=choice).click()
    frame.locator("#dialect").get_by_role("button", name=button).click()
    expect(frame.locator("#copy")).to_contain_text("Copied")
    source = page.evaluate("navigator.clipboard.readText()")

    file, folder = re.findall(r"`(.+?)`", steps[3])
    (checkout / folder / file).write_text(source)

    dag_id = yaml.safe_load(source)["dag_id"]
    dag = f"{address}/api/v2/dags/{dag_id}"
    until(lambda: client.get(dag, timeout=10).ok, f"{dag_id} is in the list of DAGs")
    errors = client.get(f"{address}/api/v2/importErrors", timeout=10).json()
    assert errors["import_errors"] == []
    page.goto(f"{address}/dags/{dag_id}")
    page.get_by_role("button").filter(has_text="Trigger").first.click()
    page.get_by_role("dialog").get_by_role("button").filter(has_text="Trigger").click()
    runs = f"{dag}/dagRuns"

    def ended() -> Any:
        found = client.get(runs, timeout=10).json().get("dag_runs")
        return found and found[0]["state"] in ("success", "failed") and found[0]["state"]

    assert until(ended, "the run ends") == "success"
    context.close()
    assert browser_page.other_sites == []
