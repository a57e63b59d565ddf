"""Any operation on the page: found, documented, filled in, tested and added to a workflow."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from airflow_provider_learning360.api.catalogue.search import search_operations
from browser_page import BrowserPage
from simulator_process import SimulatorProcess

V2 = "#connection=learning360_v2"
MAX_CLICKS = 7
READ_JSON = 'async (source) => { const { readJson } = await import("./static/json_source.js")'
QUERIES = [
    *(
        "",
        "session",
        "list sessions",
        "sesions",
        "certifcate",
        "groups users",
        "get user",
        "pathId",
        "créer",
        "audience",
    ),
    *("bulk", "webhok", "zzz", "a", "progres session", "list-path-sessions", "add user to group"),
]


class ClickCounter:
    """Clicks like a reader, and counts."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.count = 0

    def click(self, selector: str) -> None:
        self.page.locator(selector).click()
        self.count += 1


def open_operation(page: Page, name: str) -> None:
    """Select an operation by its name, and wait for its documentation."""
    page.locator("#operation").click()
    if name.endswith("-v1"):
        page.locator("#both-versions").check()
    page.locator("#operation").fill(name)
    page.locator(f"#option-{name}").click()
    expect(page.locator(".documentation-main")).to_be_visible()


def require_no_write(simulator: SimulatorProcess) -> None:
    """Nothing but reads and logins has reached 360Learning."""
    sent = [(one["method"], one["path"]) for one in simulator.requests]
    assert [one for one in sent if one[0] != "GET" and not one[1].endswith("/token")] == []


@pytest.mark.parametrize(
    ("fragment", "words", "name", "field"),
    [
        ("", "program sesions", "list-program-sessions-v1", "modifiedAt"),
        (V2, "path sesions", "list-path-sessions", "pathId"),
    ],
)
def test_six_moves_take_few_clicks(browser_page: BrowserPage, fragment: str, words: str, name: str, field: str) -> None:
    page = browser_page.open(fragment)
    reader = ClickCounter(page)
    reader.click("#operation")
    page.keyboard.type(words)
    reader.click(f"#option-{name}")
    expect(page.locator("#documentation")).to_contain_text(name.removesuffix("-v1").split("-")[0], ignore_case=True)
    expect(page.locator("#example-answer")).to_be_visible()
    reader.click("#test-request")
    expect(page.locator("#request-summary")).to_contain_text("200")
    reader.click("#expand-all")
    expect(page.locator("#tree")).to_contain_text(field)
    expect(page.locator("#snippet")).to_contain_text(name)
    assert reader.count <= MAX_CLICKS
    browser_page.shoot("operation")
    assert browser_page.errors == []


def test_search_agrees_with_the_command_line(browser_page: BrowserPage) -> None:
    page = browser_page.open()
    found = page.evaluate(
        """async (queries) => {
          const { buildIndex, searchOperations } = await import("./static/search.js");
          const { operations, topics } = await (await fetch("api/operations")).json();
          const index = buildIndex(operations, topics);
          return queries.map((query) => searchOperations(index, query).map(({ name }) => name));
        }""",
        QUERIES,
    )
    assert found == [[one.name for one in search_operations(query)] for query in QUERIES]
    assert len(found[0]) >= 195


def test_operation_works_with_the_keyboard(browser_page: BrowserPage) -> None:
    page = browser_page.open(V2)
    press_until(page, "#operation")
    page.keyboard.type("list paths")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowUp")
    active = page.locator("#operation").get_attribute("aria-activedescendant")
    expect(page.locator("#operations [aria-selected=true]")).to_have_attribute("id", active or "")
    page.keyboard.press("Enter")
    expect(page.locator("#operation-selected")).to_contain_text("list-paths")
    press_until(page, "#test-request")
    page.keyboard.press("Enter")
    expect(page.locator("#request-summary")).to_contain_text("200")
    press_until(page, "#tree tr[tabindex='0']")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Space")
    expect(page.locator("#tree tr[aria-selected=true]")).to_have_count(1)
    expect(page.locator("#picked .picked-path")).to_have_count(1)
    press_until(page, "#copy")
    page.keyboard.press("Enter")
    expect(page.locator("#copy")).to_contain_text("Copied")


def press_until(page: Page, selector: str) -> None:
    """Press Tab until an element has the focus."""
    for _ in range(300):
        if page.evaluate("(selector) => document.activeElement.matches(selector)", selector):
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"{selector} is never reached")


def test_opened_rows_stay_open(browser_page: BrowserPage) -> None:
    page = browser_page.open(V2)
    open_operation(page, "list-paths")
    page.locator("#test-request").click()
    rows = page.locator("#tree tr[aria-expanded]")
    for at in (1, 0):
        rows.nth(at).locator(".tree-name").click()
    expect(page.locator("#tree tr[aria-level='1'][aria-expanded=true]")).to_have_count(2)


def test_write_is_shown_and_not_sent(browser_page: BrowserPage, simulator: SimulatorProcess) -> None:
    page = browser_page.open(V2)
    open_operation(page, "edit-path-session")
    page.locator("#find-session").click()
    page.locator("#search").fill("safety")
    page.locator("#results").get_by_text("afety").first.click()
    path_id, session_id = (page.locator(f"[id='parameter-{name}']").input_value() for name in ("pathId", "sessionId"))
    assert session_id in simulator.session_ids
    assert len(path_id) == 24
    page.locator("#body").fill('{"startDate": "2027-01-18T08:00:00.000Z"}')
    page.locator("#test-request").click()
    request = page.locator("#unsent-request")
    expect(request).to_contain_text(f"PATCH /api/v2/paths/{path_id}/sessions/{session_id}")
    expect(request).to_contain_text('"startDate": "2027-01-18T08:00:00.000Z"')
    expect(request).to_contain_text("Authorization: Bearer •••")
    expect(page.locator("#unsent .callout")).to_contain_text("Nothing was sent")
    expect(page.locator("#snippet")).to_contain_text("edit-path-session")
    browser_page.shoot("operation-write")
    require_no_write(simulator)
    assert browser_page.errors == []


def test_body_editor_underlines_problems(browser_page: BrowserPage) -> None:
    page = browser_page.open(V2)
    open_operation(page, "edit-path-session")
    page.locator("#fill-example").click()
    body, wrong = page.locator("#body"), page.locator(".editor-lines .wrong")
    body.fill('{"name": "A",\n"endDate": }')
    expect(wrong).to_have_text(['"endDate": }'])
    expect(page.locator("#body-problems")).to_contain_text("Line 2: a value is missing")
    body.fill('{"name": "A",\n"endDate": 5,\n"nmae": "B"}')
    expect(wrong).to_have_count(0)
    page.locator("#test-request").click()
    expect(wrong).to_have_text(['"endDate": 5,', '"nmae": "B"}'])
    expect(page.locator("#body-problems")).to_contain_text("did you mean name?")
    page.locator("#request-trouble").get_by_role("button").click()
    expect(body).to_be_focused()
    body.fill('{"name": "A"}')
    expect(page.locator("#body-problems")).to_be_empty()
    page.locator("#test-request").click()
    expect(page.locator("#unsent-request")).to_be_visible()


@pytest.mark.parametrize(
    "source", ['{"a": [1, -2.5e3, "é\\n\\u0041", true, null, {}], "__proto__": {"b": []}}', '  "text"\n', "[]", "0"]
)
def test_body_editor_reads_json(browser_page: BrowserPage, source: str) -> None:
    read = READ_JSON + "; return JSON.stringify(readJson(source).value); }"
    assert json.loads(browser_page.open().evaluate(read, source)) == json.loads(source)


@pytest.mark.parametrize(
    ("source", "line", "code"),
    [
        ('{"a": 1\n"b": 2}', 2, "comma"),
        ('{"a":\n\n}', 3, "value"),
        ('{"a": 1,\n}', 2, "name"),
        ('{"a" 1}', 1, "colon"),
        ("[1,\n2", 2, "end"),
        ("{}\nx", 2, "character"),
        ('{"a": 1,\n"a": 2}', 2, "duplicate"),
        ("[01]", 1, "comma"),
        ('"\t"', 1, "value"),
    ],
)
def test_body_editor_names_the_line_of_a_mistake(browser_page: BrowserPage, source: str, line: int, code: str) -> None:
    read = READ_JSON + "; return readJson(source).problem; }"
    assert browser_page.open().evaluate(read, source) == {"line": line, "code": code}


def test_missing_value_is_reported_at_its_field(browser_page: BrowserPage) -> None:
    page = browser_page.open(V2)
    open_operation(page, "get-user")
    expect(page.locator("#workflows-hint")).to_contain_text("Fill in the required values first")
    page.locator("#test-request").click()
    field = page.locator("[id='parameter-userId']")
    expect(field).to_have_attribute("aria-invalid", "true")
    expect(page.locator("[id='parameter-userId-problem']")).not_to_be_empty()
    page.locator("#request-trouble").get_by_role("button").click()
    expect(field).to_be_focused()


def test_dates_and_lists_become_arguments(browser_page: BrowserPage) -> None:
    page = browser_page.open(V2)
    sent: list[Any] = []
    page.on("request", lambda one: sent.append(one.post_data_json) if one.url.endswith("/operation") else None)
    open_operation(page, "list-path-sessions")
    page.locator("#operation-form summary").first.click()
    page.locator("[id='parameter-modifiedAt[gte]']").fill("2026-03-01T10:30")
    page.locator("[id='parameter-sessionId[in]']").fill("60b8d2956e20ae1a0f8e44f1\n60b8d2956e20ae1a0f8e44f2")
    page.locator("#test-request").click()
    expect(page.locator("#request-summary")).to_contain_text("200")
    local = page.evaluate("new Date('2026-03-01T10:30').toISOString()")
    assert sent[0]["parameters"] == {
        "modifiedAt[gte]": local,
        "sessionId[in]": ["60b8d2956e20ae1a0f8e44f1", "60b8d2956e20ae1a0f8e44f2"],
    }


def test_picked_fields_reach_the_workflow(browser_page: BrowserPage) -> None:
    page = browser_page.open(V2)
    open_operation(page, "list-path-sessions")
    page.locator("#test-request").click()
    page.locator("#tree tr[aria-expanded] .tree-name").first.click()
    row = page.locator("#tree tr", has=page.get_by_text("startDate", exact=True)).first
    row.locator(".pick-field").click()
    for dialect in page.locator("#dialect-tabs").get_by_role("tab").all():
        dialect.click()
        expect(page.locator(".picked-expression")).to_contain_text("startDate")
    page.locator("#picked").get_by_role("button", name="Copy the expression").click()
    assert "startDate" in page.evaluate("navigator.clipboard.readText()")
    page.locator("#limit-fields").check()
    expect(page.locator("#snippet")).to_contain_text("fields")
    page.locator("#picked").get_by_role("button", name="Do not pick").click()
    expect(page.locator("#picked .picked-path")).to_have_count(0)


def test_files_are_downloaded(browser_page: BrowserPage, tmp_path: Path) -> None:
    page = browser_page.open(V2)
    open_operation(page, "list-paths")
    page.get_by_role("tab", name="Blueprint YAML").click()
    with page.expect_download() as download:
        page.locator("#archive").click()
    file = tmp_path / download.value.suggested_filename
    download.value.save_as(file)
    names = zipfile.ZipFile(io.BytesIO(file.read_bytes())).namelist()
    assert len(names) > 1
    assert file.suffix == ".zip"


def test_operation_of_the_other_version_leads_to_its_counterpart(browser_page: BrowserPage) -> None:
    page = browser_page.open(V2)
    open_operation(page, "list-program-sessions-v1")
    page.locator("#test-request").click()
    expect(page.locator("#request-trouble")).to_contain_text("is an operation of API v1")
    page.locator("#counterpart button").click()
    expect(page.locator("#operation-selected")).to_contain_text("list-path-sessions")


def test_reload_restores_the_operation(browser_page: BrowserPage) -> None:
    page = browser_page.open(V2)
    open_operation(page, "list-paths")
    assert "operation=list-paths" in page.url
    page.reload()
    page.wait_for_selector("html[data-ready=true]")
    expect(page.locator("#operation-selected")).to_contain_text("list-paths")
    expect(page.locator(".documentation-main")).to_be_visible()


def test_people_are_masked_in_every_answer(browser_page: BrowserPage, simulator: SimulatorProcess) -> None:
    page = browser_page.open(V2)
    mail = simulator.session(simulator.session_ids[0])["users"][0]["mail"]
    open_operation(page, "list-users")
    page.locator("#test-request").click()
    page.locator("#expand-all").click()
    expect(page.locator("#people")).to_contain_text("hidden")
    answer = page.locator("#request-result")
    assert "@" not in answer.inner_text() + answer.locator("#json").text_content()
    assert mail not in page.locator("main").text_content()
    page.locator("#reveal").click()
    expect(page.locator("#people")).to_contain_text("shown")
    assert mail in page.locator("#json").text_content()


# Airflow's own document follows the links of the frame. Here it notes them instead.
NOTE_LINKS = """
() => document.addEventListener("click", (event) => {
  window.followed = [event.target.href, event.target.target, event.target.rel];
  event.preventDefault();
}, true)
"""


def test_link_to_the_vendor_leaves_airflow_open(browser_page: BrowserPage) -> None:
    page = browser_page.page
    page.goto(f"{browser_page.base}/plugin/learning360")
    frame = page.frame_locator("iframe")
    frame.locator("#connection").select_option("learning360_v2")
    frame.locator("#operation").fill("list-paths")
    frame.locator("#option-list-paths").click()
    page.evaluate(NOTE_LINKS)
    frame.locator(".documentation-main a[target=_blank]").click()
    address, target, rel = page.evaluate("window.followed")
    assert address.startswith("https://360learning.readme.io/")
    assert (target, rel) == ("_blank", "noopener")
