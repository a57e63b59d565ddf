"""Somebody who looks at the page in a browser."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Page

# Kept for who wants to see what the tests saw; not committed.
SCREENSHOTS = Path(__file__).resolve().parent.parent / ".screenshots"


class Visitor:
    """
    Somebody who looks at the page, and what the browser had to complain of.

    :param context: The browser's window.
    :param base: Address of Airflow.
    """

    def __init__(self, context: BrowserContext, base: str) -> None:
        self.context = context
        self.base = base
        self.page: Page = context.new_page()
        self.complaints: list[str] = []
        self.elsewhere: list[str] = []
        self.page.on("console", lambda one: self.complaints.append(one.text) if one.type == "error" else None)
        self.page.on("pageerror", lambda one: self.complaints.append(str(one)))
        self.page.on("request", lambda one: self._noted(one.url))

    def _noted(self, url: str) -> None:
        if not url.startswith((self.base, "data:", "blob:")):
            self.elsewhere.append(url)

    def open(self, fragment: str = "") -> Page:
        """Open the page by itself, and wait until it can be used."""
        self.page.goto(f"{self.base}/learning360/{fragment}")
        self.page.wait_for_selector("html[data-ready=true]")
        return self.page

    def shoot(self, name: str, *, whole: bool = True) -> None:
        """Keep a picture of the whole page, or of what is in the window."""
        SCREENSHOTS.mkdir(exist_ok=True)
        self.page.screenshot(path=SCREENSHOTS / f"{name}.png", full_page=whole)
