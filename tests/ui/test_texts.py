"""The texts of the page: every language has all of them, and no text bypasses the dictionaries."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from typing import get_args

import pytest

from airflow_provider_learning360.api.documentation import DOCUMENTATION
from airflow_provider_learning360.ui import responses
from airflow_provider_learning360.ui.app import STATIC
from airflow_provider_learning360.ui.failure import ACTIONS
from page_library import FILES
from script_literals import read_literals

LANGUAGES = ("en", "fr")
SCRIPTS = {
    path.name: read_literals(path.read_text("utf-8"))
    for path in STATIC.glob("*.js")
    if path.name not in FILES and not re.fullmatch(r"(texts|meanings)\...\.js", path.name)
}
PAGE = (STATIC / "page.html").read_text("utf-8")
KEY = re.compile(r"[a-z]+\.[\w./ \[\]]+")
# "Copied", "Copy it by hand", "the first three words": what a reader would see, and no code.
SENTENCE = re.compile(r"^[A-Z][a-z]+$|[A-Z][a-z’]+ [\w“]|[a-z’]+,? [a-z’]+ [a-z’]+")
# Names of HTTP, of keys and of errors.
CODE = {"Accept", "End", "Enter", "Escape", "Home"}


def read_texts(language: str, kind: str = "texts") -> dict[str, str]:
    """A dictionary of a language: a script with nothing but JSON in it."""
    source = (STATIC / f"{kind}.{language}.js").read_text("utf-8")
    pairs = json.loads(source.removeprefix("export default ").rstrip().removesuffix(";"), object_pairs_hook=list)
    keys = [key for key, _ in pairs]
    assert len(keys) == len(set(keys))
    return dict(pairs)


TEXTS = {language: read_texts(language) for language in LANGUAGES}


def test_languages_have_the_same_texts() -> None:
    assert TEXTS["fr"].keys() == TEXTS["en"].keys()


def test_languages_have_the_same_placeholders() -> None:
    def placeholders(language: str) -> dict[str, set[str]]:
        return {key: set(re.findall(r"\{\w+\}", TEXTS[language][key])) for key in TEXTS["en"]}

    assert placeholders("fr") == placeholders("en")


def test_french_has_the_meaning_of_every_field() -> None:
    """The server sends the documentation of the fields in English."""
    assert read_texts("fr", "meanings").keys() == DOCUMENTATION.keys()


def test_french_punctuation_has_no_breaking_spaces() -> None:
    texts = [*TEXTS["fr"].values(), *read_texts("fr", "meanings").values()]
    assert [text for text in texts if re.search(r" [:;?!»]|« ", text)] == []


def test_plurals_have_both_forms() -> None:
    stems = {key.removesuffix(".one") for key in TEXTS["en"] if key.endswith(".one")}
    assert {f"{stem}.other" for stem in stems} == {key for key in TEXTS["en"] if key.endswith(".other")}


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(
    ("prefix", "codes"),
    [
        ("failure.", get_args(responses.FailureCode)),
        ("advice.", get_args(responses.FailureCode)),
        ("note.", get_args(responses.NoteCode)),
        ("need.", get_args(responses.Need)),
        ("state.", get_args(responses.FieldState)),
        ("type.", {doc.type for doc in DOCUMENTATION.values()}),
        ("action.", set(get_args(responses.Action)) - {"ask", "report"}),  # these have no button
    ],
)
def test_every_code_of_the_server_has_a_text(language: str, prefix: str, codes: set[str]) -> None:
    assert [code for code in codes if prefix + code not in TEXTS[language]] == []


def test_every_failure_has_an_action() -> None:
    assert set(get_args(responses.FailureCode)) == ACTIONS.keys()
    assert set(ACTIONS.values()) == set(get_args(responses.Action))


def test_every_text_is_used() -> None:
    """A key is in a script, or a script builds it from a code that the server sends."""
    built = ("failure.", "advice.", "note.", "need.", "state.", "type.", "workflow.", "action.", "task.", "version.")
    built += ("confidence.", "scope.", "repeat.", "operator.", "input.", "syntax.", "option.", "late.", "day.")
    built += ("date.", "side.", "audience.", "message.", "plan.", "rule.", "kind.")
    named = {literal for script in SCRIPTS.values() for literal in script.strings}
    columns = {f"{group}.{name}" for group in ("session", "field", "watched", "request", "bytes") for name in named}
    stems = {re.sub(r"\.(one|other)$", "", key) for key in TEXTS["en"]}
    assert [key for key in stems if key not in named | columns and not key.startswith(built)] == []


def test_every_key_of_the_scripts_has_a_text() -> None:
    known = {re.sub(r"\.(one|other)$", "", key) for key in TEXTS["en"]}
    groups = {key.partition(".")[0] for key in known}
    for name, script in SCRIPTS.items():
        keys = [literal for literal in script.strings if KEY.fullmatch(literal)]
        assert [key for key in keys if key.partition(".")[0] in groups and key not in known] == [], name


@pytest.mark.parametrize("name", sorted(SCRIPTS))
def test_scripts_have_no_texts_of_their_own(name: str) -> None:
    found = [literal for literal in SCRIPTS[name].strings if SENTENCE.search(literal) and literal not in CODE]
    # Lists of keywords and of class names are no sentences.
    assert [literal for literal in found if "|" not in literal] == []
    assert [text for text in SCRIPTS[name].shown if re.search(r"\w", text)] == []


def test_texts_of_a_script_are_found() -> None:
    script = r"""const a = /"no`text"/; // "no text"
    html`<p title="Seen" class="x y">Read ${b ? html`<${C} label=${text("a.b")}>this<//>` : `no ${"c"}`} {now}</p>`;"""
    found = read_literals(script)
    assert sorted(found.shown) == ["Read  {now}", "Seen", "this"]
    assert sorted(found.strings) == ["a.b", "c", "no ${}"]


def test_page_has_no_texts_of_its_own() -> None:
    class Texts(HTMLParser):
        """Collects what a reader would see."""

        def __init__(self) -> None:
            super().__init__()
            self.found: list[str] = []
            self.inside: list[str] = []

        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            self.inside += [] if tag in ("meta", "link", "input") else [tag]
            self.found += [str(value) for name, value in attrs if name in ("aria-label", "title", "placeholder", "alt")]

        def handle_endtag(self, tag: str) -> None:
            self.inside.pop()

        def handle_data(self, data: str) -> None:
            # Without scripts there are no dictionaries: <noscript> has its text in both languages.
            if not {"noscript", "title"} & set(self.inside):
                self.found += [data.strip()]

    parser = Texts()
    parser.feed(PAGE)
    assert [text for text in parser.found if text and not text.isdigit()] == ["360Learning"]
