"""The texts in a script: strings, and what its html templates show a reader."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from html.parser import HTMLParser

# What stands for the expressions of a template.
HOLE = "\0"
TOKEN = re.compile(
    r"/\*.*?\*/|//[^\n]*"
    r"|(?P<string>\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*')"
    # A slash begins a pattern where no value can have ended.
    r"|(?<=[(,=:\[!&|?{};\n>])\s*(?P<pattern>/(?![/*])(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\\n\[])+/[a-z]*)"
    r"|(?P<template>`)|(?P<open>\{)|(?P<close>\})|(?P<other>.)",
    re.DOTALL,
)
READABLE = ("aria-label", "title", "placeholder", "alt", "label")


@dataclass
class Literals:
    """
    The texts of a script.

    :param strings: Strings, and templates that are not html.
    :param shown: Texts of html templates that a reader would see, without the expressions in them.
    """

    strings: list[str] = field(default_factory=list)
    shown: list[str] = field(default_factory=list)


def read_literals(script: str) -> Literals:
    """Return the texts of a script."""
    found = Literals()
    _read_code(script, 0, found)
    return found


def _read_code(script: str, at: int, found: Literals) -> int:
    """Read until the bracket that closes an expression, or to the end; return where that is."""
    depth = 0
    while match := TOKEN.match(script, at):
        at = match.end()
        if match["string"]:
            found.strings.append(match["string"][1:-1])
        elif match["template"]:
            is_html = script.endswith("html", 0, match.start())
            at = _read_template(script, at, found, is_html)
        elif match["open"]:
            depth += 1
        elif match["close"]:
            depth -= 1
            if depth < 0:
                return at
    return len(script)


def _read_template(script: str, at: int, found: Literals, is_html: bool) -> int:
    parts = []
    while script[at] != "`":
        if script.startswith("${", at):
            at = _read_code(script, at + 2, found)
            parts.append(HOLE)
        else:
            step = 2 if script[at] == "\\" else 1
            parts.append(script[at : at + step])
            at += step
    content = "".join(parts)
    if is_html:
        found.shown += _shown_texts(content)
    else:
        found.strings.append(content.replace(HOLE, "${}"))
    return at + 1


def _shown_texts(markup: str) -> list[str]:
    """Return the text nodes, and the attributes that a reader sees or hears."""
    texts: list[str] = []

    class Texts(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            texts.extend(str(value) for name, value in attrs if name in READABLE)

        def handle_data(self, data: str) -> None:
            texts.append(data)

    parser = Texts()
    # A component's tag is an expression, and `<//>` closes it.
    parser.feed(markup.replace(f"<{HOLE}", "<component").replace("<//>", "</component>"))
    parser.close()
    return [text.replace(HOLE, "").strip() for text in texts if text.replace(HOLE, "").strip()]
