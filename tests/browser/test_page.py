"""The page as somebody uses it, in a real browser, against a real API server."""

from __future__ import annotations

import json
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from far_simulator import FarSimulator
from visitor import Visitor

NASTY = '<img src=x onerror="document.title=1"> "Sécurité" & <script>alert(1)</script>'
DARK = {"color_scheme": "dark"}
PHONE = {"viewport": {"width": 360, "height": 740}, "has_touch": True}


@pytest.fixture(scope="module")
def session_id(simulator: FarSimulator) -> str:
    """A session whose name is trouble."""
    session_id = simulator.session_ids[0]
    simulator.edit(session_id, name=NASTY, color="#ff8800")
    return session_id


def choose(page: Page, text: str) -> None:
    """Search, and take the first session that is found."""
    page.locator("#search").fill(text)
    results = page.locator("#results").get_by_role("option").or_(page.locator("#results button"))
    results.first.click()


def request(page: Page, session_id: str) -> None:
    choose(page, session_id)
    page.locator("#test-request").click()
    expect(page.locator("#request-summary")).to_contain_text("200")


def people_of(simulator: FarSimulator, session_id: str) -> list[str]:
    session: dict[str, Any] = simulator.session(session_id)
    return [session["users"][0]["mail"], session["tutors"][0]]


def shown(place: Page | Locator) -> str:
    return place.locator("main").inner_text() if isinstance(place, Page) else place.inner_text()


def test_from_a_connection_to_a_workflow(visitor: Visitor, simulator: FarSimulator, session_id: str) -> None:
    page = visitor.open()
    expect(page.locator("#connection")).to_have_value("learning360_default")
    page.locator("#test-connection").click()
    expect(page.locator("#connection-result")).to_contain_text("accepted")
    request(page, session_id)
    tree = page.locator("#tree")
    for words in ("startDate", "When the session starts", "color", "unknown"):
        expect(tree).to_contain_text(words, ignore_case=True)
    visitor.shoot("page-light")
    snippet = page.locator("#snippet")
    for workflow in page.locator("#workflow-tabs").get_by_role("tab").all():
        workflow.click()
        for language in page.locator("#language-tabs").get_by_role("tab").all():
            language.click()
            expect(snippet).to_contain_text(session_id)
            page.locator("#copy").click()
            expect(page.locator("#copy")).to_contain_text("Copied")
            assert page.evaluate("navigator.clipboard.readText()").strip() == snippet.text_content().strip()
    assert visitor.complaints == []


def test_names_are_text_whatever_is_in_them(visitor: Visitor, session_id: str) -> None:
    page = visitor.open()
    page.on("dialog", lambda dialog: pytest.fail(f"a script of a name ran: {dialog.message}"))
    request(page, session_id)
    for place in ("#results", "#session-chosen", "#tree"):
        expect(page.locator(place)).to_contain_text("<script>alert(1)</script>")
    assert page.locator("main img, main script").count() == 0
    assert page.title() != "1"
    assert visitor.complaints == []


def test_people_are_masked_until_they_are_asked_for(visitor: Visitor, simulator: FarSimulator, session_id: str) -> None:
    page = visitor.open()
    request(page, session_id)
    page.locator("#expand-all").click()
    people = people_of(simulator, session_id)
    assert [one for one in people if one in shown(page)] == []
    page.locator("#reveal").click()
    expect(page.locator("#tree")).to_contain_text(people[0])
    page.get_by_role("tab", name="JSON").click()
    expect(page.locator("#json")).to_contain_text(people[1])
    assert json.loads(page.locator("#json").text_content())["_id"] == session_id
    assert visitor.complaints == []


def test_it_is_one_of_airflows_pages(visitor: Visitor, session_id: str) -> None:
    page = visitor.page
    page.goto(visitor.base)
    page.get_by_role("button", name="Browse").or_(page.get_by_role("link", name="Browse")).first.click()
    page.get_by_text("360Learning", exact=True).first.click()
    frame = page.frame_locator("iframe")
    expect(frame.locator("html[data-ready=true]")).to_be_attached()
    frame.locator("#search").fill(session_id)
    frame.locator("#results").get_by_text("Sécurité").first.click()
    frame.locator("#test-request").click()
    expect(frame.locator("#request-summary")).to_contain_text("200")
    visitor.shoot("page-in-airflow", whole=False)
    # Links to Airflow's own pages leave the frame, which is not allowed to do so by itself.
    frame.locator("#watched").get_by_role("link", name="listens").click()
    page.wait_for_url("**/dags/listens**")
    assert [one for one in visitor.complaints if "learning360" in one] == []


@pytest.mark.parametrize("visitor", [DARK], indirect=True)
def test_it_is_dark_where_airflow_is(visitor: Visitor, session_id: str) -> None:
    page = visitor.open()
    request(page, session_id)
    dark = page.evaluate("getComputedStyle(document.body).backgroundColor")
    visitor.shoot("page-dark")
    page.evaluate("localStorage.setItem('theme', 'light')")
    page.reload()
    page.wait_for_selector("html[data-ready=true]")
    light = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert brightness(dark) < 64
    assert brightness(light) > 192


def brightness(colour: str) -> float:
    """Mean of the parts of `rgb(1, 2, 3)`."""
    parts = [float(one) for one in colour[colour.index("(") + 1 : -1].split(",")[:3]]
    return sum(parts) / 3


@pytest.mark.parametrize("visitor", [PHONE], indirect=True)
def test_it_fits_on_a_phone(visitor: Visitor, session_id: str) -> None:
    page = visitor.open()
    request(page, session_id)
    page.locator("#expand-all").click()
    visitor.shoot("page-phone")
    width = page.evaluate("[document.documentElement.scrollWidth, window.innerWidth]")
    assert width[0] <= width[1]


def test_it_can_be_used_without_a_mouse(visitor: Visitor, session_id: str) -> None:
    page = visitor.open()
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
    """Press Tab until something has the focus, and the focus can be seen."""
    for _ in range(300):
        if page.evaluate(f"document.activeElement.matches('{selector}')"):
            outline = page.evaluate("(s => s.outlineStyle + s.boxShadow)(getComputedStyle(document.activeElement))")
            assert outline != "nonenone"
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"{selector} is never reached")


def test_a_reload_comes_back_to_the_session(visitor: Visitor, session_id: str) -> None:
    page = visitor.open()
    request(page, session_id)
    assert session_id in page.url
    page.reload()
    page.wait_for_selector("html[data-ready=true]")
    expect(page.locator("#session-chosen")).to_contain_text(session_id)
    assert visitor.complaints == []


@pytest.mark.parametrize(
    ("do", "said"),
    [
        ({"status": 401}, "Fix the connection"),
        ({"status": 404}, "Fix the ID"),
        ({"status": 429}, "Wait"),
        ({"status": 503}, "Try again"),
        ({"html": True}, "Report a change"),
    ],
)
def test_trouble_says_what_to_do(
    visitor: Visitor, simulator: FarSimulator, session_id: str, do: dict[str, Any], said: str
) -> None:
    page = visitor.open()
    choose(page, session_id)
    simulator.play({"when": {"path": session_id}, "do": do})
    try:
        page.locator("#test-request").click()
        expect(page.locator("#request-trouble")).to_contain_text(said)
    finally:
        simulator.stop_scenarios()
    page.locator("#test-request").click()
    expect(page.locator("#request-summary")).to_contain_text("200")


def test_no_such_session(visitor: Visitor) -> None:
    page = visitor.open()
    page.locator("#search").fill("no session has such a name")
    expect(page.locator("#search-state")).to_contain_text("No ", ignore_case=True)
    page.locator("#search").fill("f" * 24)
    page.locator("#use-id").click()
    page.locator("#test-request").click()
    expect(page.locator("#request-trouble")).to_contain_text("Fix the ID")


def test_a_login_that_has_ended(visitor: Visitor, session_id: str) -> None:
    page = visitor.open()
    page.route("**/api/connections/*/request", lambda route: route.fulfill(status=401, json={"error": "Log in."}))
    choose(page, session_id)
    page.locator("#test-request").click()
    expect(page.locator("#request-trouble")).to_contain_text("login has ended")


def test_the_server_is_away(visitor: Visitor, session_id: str) -> None:
    page = visitor.open()
    choose(page, session_id)
    page.route("**/api/connections/*/request", lambda route: route.abort())
    page.locator("#test-request").click()
    expect(page.locator("#request-trouble").get_by_role("button")).to_be_visible()
    page.unroute("**/api/connections/*/request")
    page.locator("#request-trouble").get_by_role("button").click()
    expect(page.locator("#request-summary")).to_contain_text("200")


def test_what_is_watched(visitor: Visitor) -> None:
    page = visitor.open()
    watched = page.locator("#watched")
    expect(watched).to_contain_text("learning360://app.360learning.com/programs/sessions/60b8d2956e20ae1a0f8e44f1")
    expect(watched.get_by_role("link", name="listens")).to_have_attribute("href", "../dags/listens")


@pytest.mark.parametrize("visitor", [{"viewport": {"width": 1180, "height": 1000}}], indirect=True)
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_pictures_of_the_readme(visitor: Visitor, simulator: FarSimulator, theme: str) -> None:
    """They are taken here, and copied to docs/images when the page has changed."""
    page = visitor.page
    page.goto(visitor.base)
    page.evaluate(f"localStorage.setItem('theme', '{theme}')")
    page.goto(f"{visitor.base}/plugin/learning360")
    frame = page.frame_locator("iframe")
    frame.locator("#search").fill("safety")
    frame.locator("#results").get_by_text("afety").first.click()
    frame.locator("#test-request").click()
    expect(frame.locator("#request-summary")).to_contain_text("200")
    if theme == "dark":
        frame.get_by_role("tab", name="Run when it changes").click()
        frame.get_by_role("tab", name="Blueprint YAML").click()
        frame.locator("#workflows-title").evaluate("one => one.scrollIntoView()")
    else:
        frame.locator("#session-title").evaluate("one => one.scrollIntoView()")
    visitor.shoot(f"readme-{theme}", whole=False)
    assert [one for one in visitor.complaints if "learning360" in one] == []


def test_the_tree_is_opened_and_folded_in_its_own_place(visitor: Visitor, session_id: str) -> None:
    page = visitor.open()
    request(page, session_id)
    height, rows = page.evaluate("document.documentElement.scrollHeight"), page.locator("#tree [role=row]").count()
    page.locator("#expand-all").click()
    assert page.locator("#tree [role=row]").count() > rows
    assert page.evaluate("document.documentElement.scrollHeight") == height
    expect(page.locator("#expand-all")).to_have_text("Fold all")
    page.locator("#expand-all").click()
    assert page.locator("#tree [role=row]").count() == rows


def test_enter_before_the_answer_is_there_is_not_lost(visitor: Visitor, session_id: str) -> None:
    page = visitor.open()
    page.locator("#search").focus()
    page.keyboard.type("safety")
    page.keyboard.press("Enter")
    expect(page.locator("#results button").first).to_be_focused()


def test_a_name_that_is_long_and_odd_still_gives_workflows(visitor: Visitor, simulator: FarSimulator) -> None:
    odd = simulator.session_ids[2]
    simulator.edit(odd, name="x" * 59 + "😀" * 100)
    page = visitor.open(f"#connection=learning360_default&session={odd}")
    page.locator("#search").fill(odd)
    page.locator("#results button").first.click()
    expect(page.locator("#snippet")).to_contain_text(odd)
    expect(page.locator("#workflows-trouble")).to_be_empty()


def test_a_page_that_is_busy_says_so(visitor: Visitor, session_id: str) -> None:
    page = visitor.open()
    choose(page, session_id)
    busy = {"status": 503, "json": {"error": "As many requests as may be are waiting for 360Learning. Try again."}}
    page.route("**/api/connections/*/request", lambda route: route.fulfill(**busy))
    page.locator("#test-request").click()
    expect(page.locator("#request-trouble")).to_contain_text("As many requests as may be")
    expect(page.locator("#request-trouble").get_by_role("button")).to_be_visible()
