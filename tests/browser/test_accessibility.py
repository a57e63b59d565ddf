"""The page has no barrier that axe-core finds: five views and a failure, light and dark, wide and narrow."""

from __future__ import annotations

from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from browser_page import BrowserPage
from simulator_process import SimulatorProcess

WIDE, NARROW = {"width": 1280, "height": 900}, {"width": 390, "height": 844}
# Each value of each setting is used twice, and each pair of width and colours once.
WINDOWS: list[dict[str, Any]] = [
    {"viewport": WIDE, "color_scheme": "light", "locale": "en-GB"},
    {"viewport": WIDE, "color_scheme": "dark", "locale": "fr-FR"},
    {"viewport": NARROW, "color_scheme": "light", "locale": "fr-CA"},
    {"viewport": NARROW, "color_scheme": "dark", "locale": "en-US"},
]
every_window = pytest.mark.parametrize(
    "browser_page",
    WINDOWS,
    indirect=True,
    ids=lambda one: f"{one['viewport']['width']}-{one['color_scheme']}-{one['locale']}",
)


def require_no_barrier(page: Page, view: str) -> None:
    """Fail with what axe-core finds, by rule and element."""
    violations = Axe().run(page).response["violations"]
    found = [
        f"{rule['id']}: {node['target']} {node['failureSummary']}" for rule in violations for node in rule["nodes"]
    ]
    assert found == [], view


@every_window
def test_every_view_is_accessible(browser_page: BrowserPage, simulator: SimulatorProcess) -> None:
    page = browser_page.page
    page.route("**/api/connections", lambda route: route.fulfill(json=NO_CONNECTION))
    page.route("**/api/watched", lambda route: route.fulfill(json={"watched": [], "polls_stored": True}))
    browser_page.open()
    require_no_barrier(page, "start, without a connection")
    page.unroute("**/api/connections")
    page.unroute("**/api/watched")

    page.reload()
    page.wait_for_selector("html[data-ready=true]")
    page.locator("#test-connection").click()
    expect(page.locator("#connection-result .callout")).to_be_visible()
    require_no_barrier(page, "connection tested")

    page.locator("#session-tab").click()
    page.locator("#search").fill("safety")
    expect(page.locator("#results")).to_contain_text("afety")
    require_no_barrier(page, "list of sessions")

    page.locator("#results button").first.click()
    page.locator("#test-request").click()
    expect(page.locator("#request-summary")).to_contain_text("200")
    page.locator("#expand-all").click()
    require_no_barrier(page, "test request, with the tree")

    page.get_by_role("tab", name="JSON").click()
    page.locator("#workflow-tabs").get_by_role("tab").nth(2).click()
    page.locator("#dialect-tabs").get_by_role("tab").nth(1).click()
    expect(page.locator("#needs li")).to_have_count(4)
    expect(page.locator("#watched").get_by_role("link", name="listens")).to_be_visible()
    require_no_barrier(page, "workflow and watched sessions")

    page.locator("#search").fill("60b8d2956e20ae1a0f8e44ff")
    page.locator("#use-id").click()
    page.locator("#test-request").click()
    expect(page.locator("#request-trouble .callout")).to_be_visible()
    require_no_barrier(page, "failed request")


@every_window
def test_every_view_of_operations_and_reminders_is_accessible(browser_page: BrowserPage) -> None:
    page = browser_page.open("#connection=learning360_v2")
    page.locator("#operation").fill("session")
    page.keyboard.press("ArrowDown")
    require_no_barrier(page, "list of operations")

    page.locator("#operation").fill("edit-path-session")
    page.keyboard.press("Enter")
    page.locator("#find-session").click()
    expect(page.locator("#results button").first).to_be_visible()
    page.locator("#body").fill('{"startDate": 5}')
    for summary in page.locator("#documentation summary, #operation-form summary").all():
        if summary.evaluate("one => !one.parentElement.open"):
            summary.click()
    page.locator("#test-request").click()
    expect(page.locator("#body-problems li")).to_have_count(1)
    require_no_barrier(page, "form with problems")

    page.locator("#fill-example").click()
    page.locator("#body").fill('{"startDate": "2027-01-18T08:00:00.000Z"}')
    page.locator("#test-request").click()
    expect(page.locator("#unsent-request")).to_be_visible()
    require_no_barrier(page, "request that is not sent")

    page.locator("#change-operation").click()
    page.locator("#operation").fill("list-path-sessions")
    page.keyboard.press("Enter")
    page.locator("#test-request").click()
    page.locator("#tree .pick-field").first.click()
    expect(page.locator("#picked .picked-expression")).to_be_visible()
    require_no_barrier(page, "picked fields")

    page.locator("#open-reminders").click()
    page.locator("#plan-days").fill("366")
    page.locator("#plan-reminders").click()
    expect(page.locator("#reminder-files")).to_be_visible()
    require_no_barrier(page, "plan of reminders")
    page.locator("#rule-1-name").fill("not a name!")
    page.locator("#plan-reminders").click()
    expect(page.locator("#reminders-trouble .callout")).to_be_visible()
    require_no_barrier(page, "policy with a problem")


def test_a_barrier_is_found(browser_page: BrowserPage) -> None:
    page = browser_page.open()
    page.evaluate("document.querySelector('label').remove()")
    with pytest.raises(AssertionError, match="select-name"):
        require_no_barrier(page, "page without a label")


NO_CONNECTION = {"connections": [], "preselected": None, "may_create": True, "create_url": "connections"}
