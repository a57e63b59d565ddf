"""From an empty page to a workflow that mails: the steps of the guide, in a browser and on a real Airflow."""

from __future__ import annotations

import math
import re
import shutil
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from playwright.sync_api import Browser, FrameLocator, Locator, Page, expect

from browser_page import BrowserPage, require_in_documentation
from local_airflow_process import REPOSITORY, LocalAirflow

SECTION = "## From an empty page to a workflow that mails"
MAIL = re.compile(r"  mail to .*?(\S+@\S+?)>?: (.+)")


@pytest.fixture(scope="module")
def steps() -> list[str]:
    """The steps, in the words of the guide."""
    page = (REPOSITORY / "docs" / "administrators.md").read_text("utf-8")
    section = page.split(f"{SECTION}\n")[1].split("\n## ")[0]
    found = re.findall(r"^\d\. (.+(?:\n   .+)*)$", section, re.MULTILINE)
    assert len(found) == 7
    return found


@pytest.fixture
def dags(tmp_path: Path) -> Path:
    """The DAGs folder: nothing in it has to do with reminders."""
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(REPOSITORY / "dags_examples" / "workflows", tmp_path / "dags" / "workflows", ignore=ignored)
    return tmp_path / "dags"


@pytest.fixture
def airflow(tmp_path: Path, dags: Path) -> Iterator[LocalAirflow]:
    """Step 1, on another port: what `make airflow` starts."""
    with LocalAirflow(tmp_path / "home", dags) as airflow:
        yield airflow


@pytest.fixture
def window(browser: Browser, airflow: LocalAirflow) -> Iterator[BrowserPage]:
    context = browser.new_context(viewport={"width": 1280, "height": 900}, timezone_id="Europe/Paris")
    one = BrowserPage(context, f"http://127.0.0.1:{airflow.port}")
    yield one
    context.close()
    assert one.other_sites == []


def names(step: str) -> list[str]:
    """What a step names of the page: buttons, fields, menus."""
    return re.findall(r"\*(.+?)\*", step)


def codes(step: str) -> list[str]:
    """The files, folders and DAGs that a step names."""
    return re.findall(r"`(.+?)`", step)


def test_empty_page_leads_to_a_workflow_that_mails(
    steps: list[str], airflow: LocalAirflow, dags: Path, window: BrowserPage, tmp_path: Path
) -> None:
    page = window.page
    assert codes(steps[0])[0] == "make airflow"
    page.goto(window.base)
    for entry in names(steps[0])[-1].split(" > "):
        page.get_by_text(entry, exact=True).first.click()
    frame = page.frame_locator("iframe")

    write_policy(frame, steps[1:4])

    (download,) = names(steps[4])
    with page.expect_download() as archive:
        frame.locator("#reminder-files").get_by_role("button", name=download).click()
    archive.value.save_as(tmp_path / "downloaded.zip")
    zipfile.ZipFile(tmp_path / "downloaded.zip").extractall(dags)
    assert codes(steps[4]) == ["dags_examples"]

    planner, delivery = codes(steps[5])
    for dag_id in (planner, delivery):
        airflow.wait_until(lambda dag_id=dag_id: airflow.get(f"dags/{dag_id}"), f"{dag_id} is in the list of DAGs")
    assert airflow.get("importErrors")["import_errors"] == []
    for dag_id in (planner, delivery):
        switch_on(page, names(steps[5])[0], dag_id)

    airflow.wait_until(lambda: MAIL.search(airflow.output), "a mail has arrived")
    airflow.wait_until(lambda: airflow.runs(delivery), "the delivery is in the list of runs")
    run_id = airflow.runs(delivery)[0]["dag_run_id"]
    airflow.wait_until(lambda: airflow.get(f"dags/{delivery}/dagRuns/{run_id}")["state"] == "success", "it ends")
    page.reload()
    for dag_id in (planner, delivery):
        expect(row(page, dag_id).get_by_test_id("toggle-pause")).to_have_attribute("data-state", "checked")
    window.shoot("dags", whole=False)
    require_in_documentation("dags")
    mails = MAIL.findall(airflow.output)
    assert len(mails) == len({*mails})  # nobody gets a mail twice
    assert codes(steps[6])[-1] == "mail to"


def write_policy(frame: FrameLocator, steps: list[str]) -> None:
    """Fill in the form of part 6, so that a reminder is due now."""
    part, button = names(steps[0])
    section = frame.locator("section.step").filter(has=frame.get_by_role("heading", name=part))
    section.get_by_role("button", name=button).click()
    night, *days = names(steps[1])
    section.get_by_label(night).uncheck()
    for day in days:
        section.get_by_label(day).check()
    plan, hours, again = names(steps[2])
    first = section.locator("#plan time").first
    section.get_by_role("button", name=plan).click()
    at = first.get_attribute("datetime") or ""
    left = math.ceil((datetime.fromisoformat(at) - datetime.now(tz=UTC)).total_seconds() / 3600)
    section.get_by_label(hours, exact=True).fill(str(left))
    section.get_by_role("button", name=again).click()
    expect(first).not_to_have_attribute("datetime", at)
    due = datetime.fromisoformat(first.get_attribute("datetime") or "")
    assert due <= datetime.now(tz=UTC)


def switch_on(page: Page, menu: str, dag_id: str) -> None:
    """Switch a DAG on in the list of DAGs."""
    page.get_by_role("link", name=menu, exact=True).first.click()
    row(page, dag_id).get_by_test_id("toggle-pause").click()
    expect(row(page, dag_id).get_by_test_id("toggle-pause")).to_have_attribute("data-state", "checked")


def row(page: Page, dag_id: str) -> Locator:
    """The DAG in the list of DAGs."""
    return page.locator("tr, [data-testid=dag-card]").filter(has=page.get_by_role("link", name=dag_id)).first
