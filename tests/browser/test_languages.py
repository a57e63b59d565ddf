"""The page speaks the language of the reader: English or French."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import Page, Route, expect

from browser_page import BrowserPage
from simulator_process import SimulatorProcess

FRENCH = {"locale": "fr-FR", "timezone_id": "Europe/Paris"}
# Everything that is no text of the page: data, code, names.
DATA = (
    "code, pre, option, time, h1, noscript, a[href*='dags/'], [lang=en], .pick, .link, .text, .long, .number, "
    ".preview, #session-selected, #dialect-tabs, #file-tabs, #watched .name, .request-line, .masked"
)
VISIBLE_TEXTS = """
(data) => {
  const texts = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const { parentElement, data: text } = walker.currentNode;
    // The server sends the meaning of a field in English.
    if (parentElement.matches(".tree-meaning > span")) continue;
    if (text.trim() && !parentElement.closest(data)) texts.push(text);
  }
  for (const element of document.querySelectorAll("[aria-label], [placeholder], [title]")) {
    // The panel of a dialect or of a file is labelled with its name.
    if (element.closest(data) || element.closest("tr") || ["dialect", "reminder-file"].includes(element.id)) continue;
    for (const name of ["aria-label", "placeholder", "title"]) texts.push(element.getAttribute(name) ?? "");
  }
  return texts;
}
"""


def walk_through(page: Page, session_id: str) -> None:
    """Have every part of the page show something."""
    page.locator("#test-connection").click()
    page.locator("#session-tab").click()
    page.locator("#search").fill(session_id)
    page.locator("#results button").first.click()
    page.locator("#test-request").click()
    expect(page.locator("#request-summary")).to_contain_text("200")
    page.locator("#expand-all").click()
    page.locator("#workflow-tabs").get_by_role("tab").nth(3).click()
    page.locator("#dialect-tabs").get_by_role("tab").nth(2).click()
    expect(page.locator("#watched").get_by_role("link", name="listens")).to_be_visible()


def walk_through_operations(page: Page) -> None:
    """Have every part of the page show something of an operation, and plan reminders."""
    page.locator("#connection").select_option("learning360_v2")
    page.locator("#operation").click()
    page.locator("#operation").fill("edit-path-session")
    page.keyboard.press("Enter")
    page.locator("#fill-example").click()
    page.locator("#body").fill('{"startDate": "2027-01-18T08:00:00.000Z"}')
    page.locator("#test-request").click()
    expect(page.locator("#unsent-request")).to_be_visible()
    expect(page.locator("#snippet")).to_be_visible()
    page.locator("#open-reminders").click()
    page.locator("#add-rule").click()
    page.locator("#plan-reminders").click()
    expect(page.locator("#plan-summary")).to_be_visible()


@pytest.mark.parametrize("browser_page", [FRENCH], indirect=True)
def test_page_is_french_for_a_french_browser(browser_page: BrowserPage, simulator: SimulatorProcess) -> None:
    session_id = simulator.session_ids[0]
    page = browser_page.open()
    walk_through(page, session_id)
    expect(page.locator("html")).to_have_attribute("lang", "fr-FR")
    for place, words in {
        "#connection-result": "a accepté les identifiants",
        "#task-title": "Que voulez-vous faire",
        "#search-state": "Sessions trouvées\u00a0: 1 sur 60.",
        "#tree": "Adresses e-mail (identifiants) des tuteurs",
        "#people": "Les données personnelles et les champs non documentés sont masqués.",
        "#workflow-text": "Chaque personne reçoit chaque e-mail une seule fois.",
        "#needs": "les deux DAG activés",
        "#watched-title": "Sessions surveillées",
    }.items():
        expect(page.locator(place)).to_contain_text(words)
    expect(page.locator("#results time").first).to_contain_text(re.compile(r"\d+ [a-zéû]+\.? 20\d\d"))
    assert browser_page.errors == []


@pytest.mark.parametrize("browser_page", [FRENCH], indirect=True)
def test_operations_and_reminders_are_french_for_a_french_browser(browser_page: BrowserPage) -> None:
    page = browser_page.open("#connection=learning360_v2")
    walk_through_operations(page)
    for place, words in {
        "#documentation": "Exemple de réponse",
        "#request-summary": "non envoyée",
        "#unsent": "Rien n’a été envoyé.",
        "#workflow-text": "l’étape suivante reçoit sa réponse",
        "#reminder-form": "apprenants qui n’ont pas terminé",
        "#plan-summary": "sessions lues",
    }.items():
        expect(page.locator(place)).to_contain_text(words)
    assert browser_page.errors == []


@pytest.mark.parametrize("browser_page", [FRENCH], indirect=True)
def test_failure_is_french_for_a_french_browser(browser_page: BrowserPage) -> None:
    page = browser_page.open()
    page.locator("#session-tab").click()
    page.locator("#search").fill("60b8d2956e20ae1a0f8e44ff")
    page.locator("#use-id").click()
    page.locator("#test-request").click()
    trouble = page.locator("#request-trouble")
    expect(trouble.locator(".callout-title")).to_have_text("360Learning n’a aucune session avec cet ID.")
    expect(trouble.get_by_role("button")).to_have_text("Choisir une autre session")
    # What the provider logs stays English, says so to screen readers, and is the last thing in the message.
    expect(trouble.locator("[lang=en]")).to_contain_text("404")
    assert trouble.inner_text().splitlines()[0].startswith("360Learning n’a")


@pytest.mark.parametrize(
    ("browser_page", "chosen", "language"),
    [
        ({"locale": "en-US"}, None, "en-US"),
        ({"locale": "fr-CA"}, None, "fr-CA"),
        ({"locale": "de-DE"}, None, "en"),
        ({"locale": "fr-CA"}, "en", "en"),
        ({"locale": "en-US"}, "fr", "fr"),
        ({"locale": "fr-FR"}, "de", "fr-FR"),
    ],
    indirect=["browser_page"],
)
def test_language_is_that_of_airflow_or_the_browser(
    browser_page: BrowserPage, chosen: str | None, language: str
) -> None:
    """Airflow keeps the language that the reader chose there; without one, the browser's languages count."""
    if chosen:
        browser_page.context.add_init_script(f"localStorage.setItem('i18nextLng', '{chosen}')")
    page = browser_page.open()
    expect(page.locator("html")).to_have_attribute("lang", language)
    title = "Choisir une connexion" if language.startswith("fr") else "Choose a connection"
    expect(page.locator("#connection-title")).to_have_text(title)


def mark_texts(route: Route) -> None:
    """Send the English dictionary with every text in brackets."""
    source = route.fetch().text()
    marked = re.sub(r'^(  "[^"]+": ")(.*)(",?)$', r"\1⟦\2⟧\3", source, flags=re.MULTILINE)
    route.fulfill(body=marked, content_type="text/javascript")


def unmarked(page: Page) -> list[str]:
    """Words on the page that are no data and come from no dictionary."""
    texts: list[Any] = page.evaluate(VISIBLE_TEXTS, DATA)
    rest = [re.sub(r"⟦[^⟦⟧]*⟧", "", re.sub(r"⟦[^⟦⟧]*⟧", "", text)) for text in texts]
    return [text.strip() for text in rest if re.search(r"[^\W\d]{2}", text)]


def test_every_text_comes_from_the_dictionary(browser_page: BrowserPage, simulator: SimulatorProcess) -> None:
    session_id = simulator.session_ids[0]
    simulator.edit(session_id, color="red", modules=[{"_id": "1", "type": "quiz"}])
    page = browser_page.page
    page.route("**/texts.en.js", mark_texts)
    browser_page.open()
    walk_through(page, session_id)
    assert "⟦Choose a connection⟧" in page.locator("#connection-title").inner_text()
    assert unmarked(page) == []
    page.locator("#any-tab").click()
    walk_through_operations(page)
    assert unmarked(page) == []
    page.locator("#session-tab").click()
    page.locator("#search").fill("no session has such a name")
    expect(page.locator("#results .empty")).to_be_visible()
    page.locator("#search").fill("60b8d2956e20ae1a0f8e44ff")
    page.locator("#use-id").click()
    page.locator("#test-request").click()
    expect(page.locator("#request-trouble .callout")).to_be_visible()
    assert unmarked(page) == []
    page.evaluate("document.querySelector('#search-state').append('Written in the script')")
    assert unmarked(page) == ["Written in the script"]
