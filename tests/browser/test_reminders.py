"""The form of reminders on the page: its errors, its plan, its files."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from playwright.sync_api import Page, expect

from browser_page import BrowserPage
from simulator_process import SimulatorProcess


def open_form(browser_page: BrowserPage) -> Page:
    page = browser_page.open()
    page.locator("#open-reminders").click()
    expect(page.locator("#reminder-form")).to_be_visible()
    return page


def test_plan_shows_who_gets_what(browser_page: BrowserPage, simulator: SimulatorProcess) -> None:
    start = datetime.now(tz=UTC) + timedelta(days=5)
    simulator.edit(simulator.session_ids[3], name="Fire drill", startDate=f"{start:%Y-%m-%dT12:00:00.000Z}")
    page = open_form(browser_page)
    page.locator("#approval").check()
    page.locator("#plan-reminders").click()
    plan = page.locator("#plan")
    expect(plan).to_contain_text("Fire drill")
    expect(plan.locator("circle")).to_have_count(plan.locator("tbody tr").count())
    assert "@" not in plan.inner_text()
    files = page.locator("#reminder-files")
    expect(files).to_contain_text("plan_course_reminders")
    files.get_by_role("tab", name="deliver").click()
    expect(page.locator("#reminder-file")).to_contain_text("learning360_ask_before_sending")
    with page.expect_download() as download:
        files.locator("#archive").click()
    assert download.value.suggested_filename.endswith(".zip")
    browser_page.shoot("reminders")
    assert browser_page.errors == []


def test_problem_is_reported_at_its_field(browser_page: BrowserPage) -> None:
    page = open_form(browser_page)
    page.locator("#rule-1-name").fill("not a name!")
    page.locator("#plan-reminders").click()
    expect(page.locator("#rule-1-name")).to_have_attribute("aria-invalid", "true")
    expect(page.locator("#reminders-trouble")).to_contain_text("rules.0.name")
    expect(page.locator("#reminder-files")).to_be_hidden()


def test_rules_are_added_and_removed(browser_page: BrowserPage) -> None:
    page = open_form(browser_page)
    page.locator("#add-rule").click()
    page.locator("#rule-2-when").select_option("date_changed")
    expect(page.locator("#rule-2-days")).to_be_hidden()
    expect(page.locator(".rule")).to_have_count(2)
    page.locator(".rule").nth(1).get_by_role("button").click()
    expect(page.locator(".rule")).to_have_count(1)
