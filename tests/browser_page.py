"""The page in a browser."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Page

# For developers who want to see what a test saw; not committed.
SCREENSHOTS = Path(__file__).resolve().parent.parent / ".screenshots"
IMAGES = Path(__file__).resolve().parent.parent / "docs" / "images"
MAX_BYTES = 120_000


class BrowserPage:
    """
    The page in a browser window, with the errors of the browser.

    :param context: The window of the browser.
    :param base: Address of Airflow.
    """

    def __init__(self, context: BrowserContext, base: str) -> None:
        self.context = context
        self.base = base
        self.page: Page = context.new_page()
        self.errors: list[str] = []
        self.other_sites: list[str] = []
        self.page.on("console", lambda message: self.errors.append(message.text) if message.type == "error" else None)
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("request", lambda request: self._note_request(request.url))

    def _note_request(self, url: str) -> None:
        if not url.startswith((self.base, "data:", "blob:")):
            self.other_sites.append(url)

    def open(self, fragment: str = "") -> Page:
        """Open the page without Airflow around it, and wait until it is ready."""
        self.page.goto(f"{self.base}/learning360/{fragment}")
        self.page.wait_for_selector("html[data-ready=true]")
        return self.page

    def shoot(self, name: str, *, whole: bool = True) -> None:
        """Save a picture of the whole page, or of the visible part."""
        SCREENSHOTS.mkdir(exist_ok=True)
        self.page.screenshot(path=SCREENSHOTS / f"{name}.png", full_page=whole)


def require_in_documentation(name: str) -> None:
    """The documentation has this picture, and it is small: a palette of 256 colours is enough."""
    assert (IMAGES / f"{name}.png").stat().st_size < MAX_BYTES
