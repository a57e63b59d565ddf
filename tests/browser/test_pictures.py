"""The pictures of the documentation. They are taken here; copy them to docs/images when the page has changed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from html import escape
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
import yaml
from playwright.sync_api import Browser, FrameLocator, Locator, Page, expect

from airflow_provider_learning360.dag_yaml.mail import build_text
from browser_page import SCREENSHOTS, BrowserPage, require_in_documentation
from simulator_process import SimulatorProcess

STEPS = {
    "step-1-connection": "#connection-title",
    "step-2-session": "#task-title",
    "step-4-request": "#request-title",
    "step-5-workflow": "#workflows-title",
    "step-7-watched": "#watched-title",
}
WORKFLOWS = Path(__file__).resolve().parents[2] / "dags_examples" / "workflows"
LATE = [
    ("Fire drill, Lyon", "Dubois", "Rosa"),
    ("Fire drill, Lyon", "Garcia", "Ugo"),
    ("Workplace safety", "Ito", "William"),
]
README = {"viewport": {"width": 1180, "height": 1000}}
STEP = {"viewport": {"width": 900, "height": 900}}
PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "device_scale_factor": 2}


def fill_in(page: Page | FrameLocator) -> None:
    """Take all steps, with sensible choices."""
    page.locator("#test-connection").click()
    expect(page.locator("#connection-result .callout")).to_be_visible()
    page.locator("#session-tab").click()
    page.locator("#search").fill("safety")
    page.locator("#results").get_by_text("afety").first.click()
    page.locator("#test-request").click()
    expect(page.locator("#request-summary")).to_contain_text("200")
    page.get_by_role("tab", name="Run when it changes").click()
    page.get_by_role("tab", name="Blueprint YAML").click()


def fill_in_operation(page: Page | FrameLocator) -> None:
    """Take all steps with an operation that lists."""
    page.locator("#connection").select_option("learning360_v2")
    page.locator("#operation").fill("list-path-sessions")
    page.locator("#option-list-path-sessions").click()
    page.locator("#test-request").click()
    expect(page.locator("#request-summary")).to_contain_text("200")
    page.locator("#tree .tree-name").first.click()
    page.get_by_role("tab", name="Blueprint YAML").click()
    page.locator("#tree .pick-field").nth(2).click()
    expect(page.locator(".picked-expression")).to_be_visible()


def part(page: Page, title: str) -> Locator:
    """The part of the page that has a title."""
    return page.locator("section.step").filter(has=page.locator(title))


@pytest.mark.parametrize("browser_page", [README], indirect=True)
@pytest.mark.parametrize(
    ("theme", "name", "top"), [("light", "page", "#documentation-title"), ("dark", "page-dark", "#workflows-title")]
)
def test_pictures_of_the_page(
    browser_page: BrowserPage, simulator: SimulatorProcess, theme: str, name: str, top: str
) -> None:
    page = browser_page.page
    page.goto(browser_page.base)
    page.evaluate(f"localStorage.setItem('theme', '{theme}')")
    page.goto(f"{browser_page.base}/plugin/learning360")
    frame = page.frame_locator("iframe")
    fill_in_operation(frame)
    frame.locator(top).evaluate("title => title.closest('section').scrollIntoView()")
    browser_page.shoot(name, whole=False)
    require_in_documentation(name)
    assert [one for one in browser_page.errors if "learning360" in one] == []


@pytest.mark.parametrize("browser_page", [PHONE], indirect=True)
def test_picture_of_the_page_on_a_phone(browser_page: BrowserPage, simulator: SimulatorProcess) -> None:
    page = browser_page.open()
    fill_in(page)
    page.mouse.move(0, 0)
    page.locator("#task-title").evaluate("title => title.closest('section').scrollIntoView()")
    browser_page.shoot("page-mobile", whole=False)
    require_in_documentation("page-mobile")


@pytest.mark.parametrize("browser_page", [STEP], indirect=True)
def test_pictures_of_the_steps(browser_page: BrowserPage, simulator: SimulatorProcess) -> None:
    page = browser_page.open()
    fill_in(page)
    page.mouse.move(0, 0)
    page.evaluate("document.activeElement.blur()")
    for name, title in STEPS.items():
        part(page, title).screenshot(path=SCREENSHOTS / f"{name}.png")
        require_in_documentation(name)


@pytest.mark.parametrize("browser_page", [STEP], indirect=True)
def test_pictures_of_the_form_and_of_reminders(browser_page: BrowserPage, simulator: SimulatorProcess) -> None:
    for days, session_id in enumerate(simulator.session_ids[:6], 2):
        start = datetime.now(tz=UTC) + timedelta(days=2 * days)
        simulator.edit(session_id, startDate=f"{start:%Y-%m-%dT09:00:00.000Z}")
    page = browser_page.open("#connection=learning360_v2")
    page.locator("#operation").fill("edit-path-session")
    page.keyboard.press("Enter")
    page.locator("#find-session").click()
    page.locator("#results button").first.click()
    page.locator("#body").fill('{\n  "startDate": "2027-01-18T08:00:00.000Z",\n  "userLimit": "twelve"\n}')
    page.locator("#test-request").click()
    expect(page.locator("#body-problems li")).to_be_visible()
    page.mouse.move(0, 0)
    part(page, "#documentation-title").screenshot(path=SCREENSHOTS / "step-3-documentation.png")
    page.locator("#open-reminders").click()
    page.locator("#plan-reminders").click()
    expect(page.locator("#plan circle").first).to_be_visible()
    page.locator("#plan").screenshot(path=SCREENSHOTS / "step-6-reminders.png")
    page.locator("#reminder-form").screenshot(path=SCREENSHOTS / "step-6-form.png")
    page.locator("#reminder-files").screenshot(path=SCREENSHOTS / "step-6-files.png")
    for name in ("step-3-documentation", "step-6-reminders", "step-6-form", "step-6-files"):
        require_in_documentation(name)


@pytest.mark.parametrize("browser_page", [STEP], indirect=True)
def test_pictures_of_an_operation(browser_page: BrowserPage) -> None:
    page = browser_page.open("#connection=learning360_v2")
    page.locator("#operation").fill("path sesions")
    expect(page.locator("#operations [role=option]").first).to_be_visible()
    page.mouse.move(0, 0)
    part(page, "#task-title").screenshot(path=SCREENSHOTS / "step-2-search.png")
    fill_in_operation(page)
    page.mouse.move(0, 0)
    part(page, "#request-title").screenshot(path=SCREENSHOTS / "step-4-operation.png")
    part(page, "#workflows-title").screenshot(path=SCREENSHOTS / "step-5-operation.png")
    for name in ("step-2-search", "step-4-operation", "step-5-operation"):
        require_in_documentation(name)


def test_picture_of_a_digest(browser: Browser) -> None:
    step = yaml.safe_load((WORKFLOWS / "late_digest.dag.yaml").read_text("utf-8"))["steps"]["digest"]
    subject = step["subject"].replace("{{ context.steps.late.count }}", str(len(LATE)))
    due = {"dueDate": "2026-03-01T08:00:00.000Z"}
    rows = [dict(zip(("sessionName", "lastName", "firstName"), one, strict=True)) | due for one in LATE]
    mail = build_text(subject, step["text"], rows, step["columns"], ZoneInfo(step["time_zone"]))
    page = browser.new_page(viewport={"width": 640, "height": 300})
    page.set_content(f"<body style='font-family: sans-serif'><b>{escape(mail.subject)}</b>{mail.html}</body>")
    expect(page.locator("tr")).to_have_count(len(LATE) + 1)
    SCREENSHOTS.mkdir(exist_ok=True)
    page.locator("body").screenshot(path=SCREENSHOTS / "mail.png")
    page.close()
    require_in_documentation("mail")
