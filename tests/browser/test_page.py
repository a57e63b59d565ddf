"""The page in a real browser, against a real API server."""

from __future__ import annotations

import json
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from browser_page import BrowserPage
from simulator_process import SimulatorProcess

NASTY = '<img src=x onerror="document.title=1"> "Sécurité" & <script>alert(1)</script>'
DARK = {"color_scheme": "dark"}
FAILURE = {"code": "not_logged_in", "action": "log_in", "values": {}, "detail": None}
PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True}
SMALL_PHONE = {"viewport": {"width": 360, "height": 740}, "has_touch": True}


@pytest.fixture(scope="module")
def session_id(simulator: SimulatorProcess) -> str:
    """A session whose name contains markup."""
    session_id = simulator.session_ids[0]
    simulator.edit(session_id, name=NASTY, color="#ff8800")
    return session_id


def choose(page: Page, session_id: str) -> None:
    """Search a session by its ID, and select it."""
    page.locator("#session-tab").click()
    results = page.locator("#results").get_by_role("option").or_(page.locator("#results button"))
    page.locator("#search").fill(session_id)
    # Until the search has its answer, the first session is another one.
    expect(results).to_have_count(1)
    results.first.click()


def request(page: Page, session_id: str) -> None:
    choose(page, session_id)
    page.locator("#test-request").click()
    expect(page.locator("#request-summary")).to_contain_text("200")


def people_of(simulator: SimulatorProcess, session_id: str) -> list[str]:
    session: dict[str, Any] = simulator.session(session_id)
    return [session["users"][0]["mail"], session["tutors"][0]]


def shown(place: Page | Locator) -> str:
    return place.locator("main").inner_text() if isinstance(place, Page) else place.inner_text()


def test_reader_gets_from_a_connection_to_a_workflow(
    browser_page: BrowserPage, simulator: SimulatorProcess, session_id: str
) -> None:
    page = browser_page.open()
    expect(page.locator("#connection")).to_have_value("learning360_default")
    page.locator("#test-connection").click()
    expect(page.locator("#connection-result")).to_contain_text("accepted")
    request(page, session_id)
    tree = page.locator("#tree")
    for words in ("startDate", "When the session starts", "color", "unknown"):
        expect(tree).to_contain_text(words, ignore_case=True)
    browser_page.shoot("page-light")
    snippet = page.locator("#snippet")
    for workflow in page.locator("#workflow-tabs").get_by_role("tab").all():
        workflow.click()
        for dialect in page.locator("#dialect-tabs").get_by_role("tab").all():
            dialect.click()
            expect(snippet).to_contain_text(session_id)
            page.locator("#copy").click()
            expect(page.locator("#copy")).to_contain_text("Copied")
            assert page.evaluate("navigator.clipboard.readText()").strip() == snippet.text_content().strip()
    assert browser_page.errors == []


def test_page_shows_a_session_of_api_v2(
    browser_page: BrowserPage, simulator: SimulatorProcess, session_id: str
) -> None:
    page = browser_page.open("#connection=learning360_v2")
    page.locator("#test-connection").click()
    expect(page.locator("#connection-result")).to_contain_text("accepted")
    request(page, simulator.session_ids[1])
    expect(page.locator("#request-summary")).to_contain_text("GET /api/v2/paths/sessions (+")
    tree = page.locator("#tree")
    for words in ("startDate", "pathId", "ID of the path of the session", "All steps of the path"):
        expect(tree).to_contain_text(words)
    expect(page.locator("#drift")).not_to_contain_text("missing")
    assert "not documented" not in shown(page.locator("#drift"))
    people = people_of(simulator, simulator.session_ids[1])
    page.locator("#expand-all").click()
    assert [one for one in people if one in shown(page)] == []
    browser_page.shoot("page-v2")
    assert browser_page.errors == []


def test_page_says_that_the_keys_are_of_another_version(browser_page: BrowserPage) -> None:
    page = browser_page.open("#connection=swapped")
    page.locator("#test-connection").click()
    expect(page.locator("#connection-result")).to_contain_text("looks like a client ID of API v2")
    browser_page.shoot("page-swapped")


def test_names_with_markup_stay_text(browser_page: BrowserPage, session_id: str) -> None:
    page = browser_page.open()
    page.on("dialog", lambda dialog: pytest.fail(f"a script of a name ran: {dialog.message}"))
    request(page, session_id)
    for place in ("#results", "#session-selected", "#tree"):
        expect(page.locator(place)).to_contain_text("<script>alert(1)</script>")
    assert page.locator("main img, main script").count() == 0
    assert page.title() != "1"
    assert browser_page.errors == []


def test_people_are_masked_until_revealed(
    browser_page: BrowserPage, simulator: SimulatorProcess, session_id: str
) -> None:
    page = browser_page.open()
    request(page, session_id)
    page.locator("#expand-all").click()
    people = people_of(simulator, session_id)
    assert [one for one in people if one in shown(page)] == []
    page.locator("#reveal").click()
    expect(page.locator("#tree")).to_contain_text(people[0])
    page.get_by_role("tab", name="JSON").click()
    expect(page.locator("#json")).to_contain_text(people[1])
    assert json.loads(page.locator("#json").text_content())["_id"] == session_id
    assert browser_page.errors == []


def test_page_works_inside_airflow(browser_page: BrowserPage, session_id: str) -> None:
    page = browser_page.page
    page.goto(browser_page.base)
    page.get_by_role("button", name="Browse").or_(page.get_by_role("link", name="Browse")).first.click()
    page.get_by_text("360Learning", exact=True).first.click()
    frame = page.frame_locator("iframe")
    expect(frame.locator("html[data-ready=true]")).to_be_attached()
    frame.locator("#session-tab").click()
    frame.locator("#search").fill(session_id)
    frame.locator("#results").get_by_text("Sécurité").first.click()
    frame.locator("#test-request").click()
    expect(frame.locator("#request-summary")).to_contain_text("200")
    browser_page.shoot("page-in-airflow", whole=False)
    # Links to Airflow's own pages leave the frame, although its sandbox forbids that.
    frame.locator("#watched").get_by_role("link", name="listens").click()
    page.wait_for_url("**/dags/listens**")
    assert [one for one in browser_page.errors if "learning360" in one] == []


@pytest.mark.parametrize("browser_page", [DARK], indirect=True)
def test_theme_follows_airflow(browser_page: BrowserPage, session_id: str) -> None:
    page = browser_page.open()
    request(page, session_id)
    dark = page.evaluate("getComputedStyle(document.body).backgroundColor")
    browser_page.shoot("page-dark")
    page.evaluate("localStorage.setItem('theme', 'light')")
    page.reload()
    page.wait_for_selector("html[data-ready=true]")
    light = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert brightness(dark) < 64
    assert brightness(light) > 192


def brightness(colour: str) -> float:
    """Mean of the channels of `rgb(1, 2, 3)`."""
    parts = [float(one) for one in colour[colour.index("(") + 1 : -1].split(",")[:3]]
    return sum(parts) / 3


@pytest.mark.parametrize("browser_page", [SMALL_PHONE, PHONE], indirect=True)
def test_page_fits_on_a_phone(browser_page: BrowserPage, session_id: str) -> None:
    page = browser_page.open()
    request(page, session_id)
    page.locator("#expand-all").click()
    browser_page.shoot("page-phone")
    width = page.evaluate("[document.documentElement.scrollWidth, window.innerWidth]")
    assert width[0] <= width[1]


@pytest.mark.parametrize("browser_page", [SMALL_PHONE, PHONE], indirect=True)
def test_operations_and_reminders_fit_on_a_phone(browser_page: BrowserPage) -> None:
    page = browser_page.open("#connection=learning360_v2")
    page.locator("#operation").fill("edit-path-session")
    page.keyboard.press("Enter")
    page.locator("#find-session").click()
    page.locator("#results button").first.click()
    page.locator("#body").fill('{"startDate": 5, "name": "' + "long " * 40 + '"}')
    page.locator("#test-request").click()
    expect(page.locator("#body-problems li")).to_have_count(1)
    page.locator("#open-reminders").click()
    page.locator("#plan-reminders").click()
    expect(page.locator("#reminder-files")).to_be_visible()
    browser_page.shoot("page-phone-operation")
    width = page.evaluate("[document.documentElement.scrollWidth, window.innerWidth]")
    assert width[0] <= width[1]
    page.locator("#body").fill('{"name": "A"}')
    page.locator("#test-request").click()
    expect(page.locator("#unsent-request")).to_be_visible()
    width = page.evaluate("[document.documentElement.scrollWidth, window.innerWidth]")
    assert width[0] <= width[1]


@pytest.mark.parametrize("browser_page", [PHONE], indirect=True)
def test_session_name_has_the_width_of_a_phone(browser_page: BrowserPage) -> None:
    name = "Workplace safety for the night shift, autumn intake 2026, all sites in France and Belgium, second group"
    dates = {"start": "2026-03-01T09:00:00.000Z", "end": None, "modified": "2026-03-01T09:00:00.000Z"}
    session = {"id": "60b8d2956e20ae1a0f8e44f1", "name": name, "template": "5f2b7c3a9d1e4c0012ab34cd", **dates}
    counts = {"matches": 1, "read": 1, "unreadable": 0, "complete": True, "age": 1.0, "error": None}
    browser_page.page.route("**/sessions", lambda route: route.fulfill(json={"sessions": [session], **counts}))
    page = browser_page.open()
    page.locator("#session-tab").click()
    button = page.locator("#results button")
    expect(button).to_have_text(name)
    assert button.evaluate("one => one.parentElement.clientWidth / one.closest('#results').clientWidth") > 0.85
    # All of it, and not its beginning with "…".
    assert button.evaluate("one => one.scrollHeight <= one.clientHeight")


@pytest.mark.parametrize("width", [740, 870, 1050, 1100, 1280])
def test_session_name_is_readable_on_every_screen(browser_page: BrowserPage, width: int) -> None:
    page = browser_page.open()
    page.set_viewport_size({"width": width, "height": 900})
    page.locator("#session-tab").click()
    page.locator("#search").fill("safety")
    expect(page.locator("#results")).to_contain_text("autumn")
    button = page.locator("#results").get_by_role("button", name="autumn").first
    assert button.evaluate("one => one.scrollHeight <= one.clientHeight")
    assert page.locator("#results").evaluate("one => one.scrollWidth <= one.clientWidth")


FONT_SIZES = """
() => {
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const small = [];
  while (walker.nextNode()) {
    const { parentElement, data } = walker.currentNode;
    const size = parseFloat(getComputedStyle(parentElement).fontSize);
    if (data.trim() && size < 12) small.push(`${data.trim().slice(0, 30)}: ${size}`);
  }
  return small;
}
"""


@pytest.mark.parametrize("browser_page", [{}, PHONE], indirect=True)
def test_no_text_is_smaller_than_12_pixels(browser_page: BrowserPage, session_id: str) -> None:
    page = browser_page.open()
    page.locator("#test-connection").click()
    request(page, session_id)
    page.locator("#expand-all").click()
    assert page.evaluate(FONT_SIZES) == []
    page.evaluate("document.querySelector('h2').style.fontSize = '11.9px'")
    assert "Choose a connection: 11.9" in page.evaluate(FONT_SIZES)


def test_page_works_with_the_keyboard(browser_page: BrowserPage, session_id: str) -> None:
    page = browser_page.open()
    press_until(page, "#any-tab")
    page.keyboard.press("ArrowRight")
    press_until(page, "#search")
    page.keyboard.type(session_id)
    expect(page.locator("#results")).to_contain_text("Sécurité")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    press_until(page, "#test-request")
    page.keyboard.press("Enter")
    expect(page.locator("#request-summary")).to_contain_text("200")
    press_until(page, "#reveal")
    page.keyboard.press("Space")
    expect(page.locator("#people")).to_be_visible()
    press_until(page, "#copy")
    page.keyboard.press("Enter")
    expect(page.locator("#copy")).to_contain_text("Copied")


def press_until(page: Page, selector: str) -> None:
    """Press Tab until an element has the focus; the focus must be visible."""
    for _ in range(300):
        if page.evaluate(f"document.activeElement.matches('{selector}')"):
            outline = page.evaluate("(s => s.outlineStyle + s.boxShadow)(getComputedStyle(document.activeElement))")
            assert outline != "nonenone"
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"{selector} is never reached")


def test_reload_restores_the_session(browser_page: BrowserPage, session_id: str) -> None:
    page = browser_page.open()
    request(page, session_id)
    assert session_id in page.url
    page.reload()
    page.wait_for_selector("html[data-ready=true]")
    expect(page.locator("#session-selected")).to_contain_text(session_id)
    assert browser_page.errors == []


@pytest.mark.parametrize(
    ("do", "advice"),
    [
        ({"status": 401}, "check the company ID, the API key and the host"),
        ({"status": 404}, "Check the ID"),
        ({"status": 429}, "Wait a minute"),
        ({"status": 503}, "Try again"),
        ({"html": True}, "the API may have changed"),
    ],
)
def test_failed_request_says_what_to_do(
    browser_page: BrowserPage, simulator: SimulatorProcess, session_id: str, do: dict[str, Any], advice: str
) -> None:
    page = browser_page.open()
    choose(page, session_id)
    simulator.play({"when": {"path": session_id}, "do": do})
    try:
        page.locator("#test-request").click()
        trouble = page.locator("#request-trouble")
        # After a rate limit, the request is repeated for up to 25 seconds first.
        expect(trouble).to_contain_text(advice, timeout=120_000)
        # The sentence comes first, and the request below it.
        assert trouble.inner_text().index("What to do") < trouble.inner_text().index("GET /api")
        expect(trouble.locator(".callout-title")).not_to_contain_text("GET")
    finally:
        simulator.stop_scenarios()
    page.locator("#test-request").click()
    expect(page.locator("#request-summary")).to_contain_text("200")


def test_unknown_session_is_reported(browser_page: BrowserPage) -> None:
    page = browser_page.open()
    page.locator("#session-tab").click()
    page.locator("#search").fill("no session has such a name")
    expect(page.locator("#search-state")).to_contain_text("No ", ignore_case=True)
    page.locator("#search").fill("f" * 24)
    page.locator("#use-id").click()
    expect(page.locator("#snippet")).to_contain_text("f" * 24)
    page.locator("#test-request").click()
    expect(page.locator("#request-trouble")).to_contain_text("360Learning has no session with this ID.")


@pytest.mark.parametrize("is_answered", [True, False])
def test_failed_request_withdraws_the_workflows(
    browser_page: BrowserPage, simulator: SimulatorProcess, session_id: str, is_answered: bool
) -> None:
    page = browser_page.open()
    choose(page, session_id)
    expect(page.locator("#workflows")).to_be_visible()
    if is_answered:
        simulator.play({"when": {"path": session_id}, "do": {"status": 404}})
    else:
        page.route("**/api/connections/*/request", lambda route: route.abort())
    try:
        page.locator("#test-request").click()
        expect(page.locator("#workflows-hint")).to_contain_text("no workflow is offered")
        expect(page.locator("#workflows")).to_be_hidden()
    finally:
        simulator.stop_scenarios()
        page.unroute("**/api/connections/*/request")
    page.locator("#test-request").click()
    expect(page.locator("#snippet")).to_contain_text(session_id)
    expect(page.locator("#workflows-hint")).to_be_empty()


@pytest.mark.parametrize(("fragment", "selected"), [("", "learning360_default"), ("#connection=academy", "academy")])
def test_default_connection_is_preselected_unless_the_address_has_another(
    browser_page: BrowserPage, fragment: str, selected: str
) -> None:
    expect(browser_page.open(fragment).locator("#connection")).to_have_value(selected)


def test_expired_login_is_reported(browser_page: BrowserPage, session_id: str) -> None:
    page = browser_page.open()
    page.route("**/api/connections/*/request", lambda route: route.fulfill(status=401, json={"error": FAILURE}))
    choose(page, session_id)
    page.locator("#test-request").click()
    expect(page.locator("#request-trouble")).to_contain_text("login has ended")


def test_unreachable_airflow_can_be_retried(browser_page: BrowserPage, session_id: str) -> None:
    page = browser_page.open()
    choose(page, session_id)
    page.route("**/api/connections/*/request", lambda route: route.abort())
    page.locator("#test-request").click()
    expect(page.locator("#request-trouble").get_by_role("button")).to_be_visible()
    page.unroute("**/api/connections/*/request")
    page.locator("#request-trouble").get_by_role("button").click()
    expect(page.locator("#request-summary")).to_contain_text("200")


def test_watched_assets_are_listed(browser_page: BrowserPage) -> None:
    page = browser_page.open()
    watched = page.locator("#watched")
    expect(watched).to_contain_text("learning360://app.360learning.com/programs/sessions/60b8d2956e20ae1a0f8e44f1")
    expect(watched.get_by_role("link", name="listens")).to_have_attribute("href", "../dags/listens")


def test_tree_opens_without_moving_the_page(browser_page: BrowserPage, session_id: str) -> None:
    page = browser_page.open()
    request(page, session_id)
    height, rows = page.evaluate("document.documentElement.scrollHeight"), page.locator("#tree [role=row]").count()
    page.locator("#expand-all").click()
    assert page.locator("#tree [role=row]").count() > rows
    assert page.evaluate("document.documentElement.scrollHeight") == height
    expect(page.locator("#expand-all")).to_have_text("Collapse all")
    page.locator("#expand-all").click()
    assert page.locator("#tree [role=row]").count() == rows


def test_enter_before_the_results_selects_the_first_one(browser_page: BrowserPage, session_id: str) -> None:
    page = browser_page.open()
    page.locator("#session-tab").click()
    page.locator("#search").focus()
    page.keyboard.type("safety")
    page.keyboard.press("Enter")
    expect(page.locator("#results button").first).to_be_focused()


def test_id_that_is_typed_at_once_stays(browser_page: BrowserPage, session_id: str) -> None:
    page = browser_page.open()
    # Within one task of the browser, as fast as anybody could ever type.
    typed = page.evaluate(
        """async (id) => {
            document.getElementById("session-tab").click();
            while (!document.getElementById("search")) await Promise.resolve();
            const field = document.getElementById("search");
            field.value = id;
            field.dispatchEvent(new Event("input", { bubbles: true }));
            await new Promise((resolve) => setTimeout(resolve, 100));
            return field.value;
        }""",
        session_id,
    )
    assert typed == session_id
    expect(page.locator("#results button")).to_have_count(1)


def test_id_that_was_selected_is_cleared_for_the_next_search(browser_page: BrowserPage, session_id: str) -> None:
    page = browser_page.open()
    choose(page, session_id)
    expect(page.locator("#search")).to_have_value(session_id)
    page.locator("#connection").select_option("learning360_v2")
    expect(page.locator("#search")).to_have_value("")


def test_long_odd_name_still_gives_workflows(browser_page: BrowserPage, simulator: SimulatorProcess) -> None:
    odd = simulator.session_ids[2]
    simulator.edit(odd, name="x" * 59 + "😀" * 100)
    page = browser_page.open(f"#connection=learning360_default&session={odd}")
    page.locator("#search").fill(odd)
    page.locator("#results button").first.click()
    expect(page.locator("#snippet")).to_contain_text(odd)
    expect(page.locator("#workflows-trouble")).to_be_empty()


def test_busy_page_is_reported(browser_page: BrowserPage, session_id: str) -> None:
    page = browser_page.open()
    choose(page, session_id)
    failure = {**FAILURE, "code": "too_many_requests", "action": "retry"}
    busy = {"status": 503, "json": {"error": failure}}
    page.route("**/api/connections/*/request", lambda route: route.fulfill(**busy))
    page.locator("#test-request").click()
    expect(page.locator("#request-trouble")).to_contain_text("Too many requests are waiting")
    expect(page.locator("#request-trouble").get_by_role("button")).to_be_visible()
