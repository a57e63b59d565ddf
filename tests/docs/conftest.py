"""The pages of the documentation, read as a reader's tools would read them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
FENCE = re.compile(r"^( *)```([^\n]*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Page:
    """
    A page in Markdown.

    :param path: Where it is.
    """

    path: Path

    @property
    def name(self) -> str:
        return str(self.path.relative_to(REPOSITORY))

    @cached_property
    def text(self) -> str:
        return self.path.read_text(encoding="utf-8")

    def blocks(self, language: str) -> list[str]:
        """Return the fenced blocks in one language, without the indentation of a list around them."""
        return [
            re.sub(rf"^{indentation}", "", content, flags=re.MULTILINE)
            for indentation, info, content in FENCE.findall(self.text)
            if info == language
        ]

    @property
    def languages(self) -> set[str]:
        """What the fenced blocks are, as the first line of each says."""
        return {info for _, info, _ in FENCE.findall(self.text)}

    def commands(self) -> list[str]:
        """Return the lines of the shell blocks, with continued lines joined and without comments."""
        lines = "\n".join(self.blocks("shell")).replace("\\\n", " ").splitlines()
        return [line.split(" #")[0].strip() for line in lines if line.strip() and not line.startswith("#")]

    @property
    def shown(self) -> str:
        """What a reader may type: code in the text, and the commands."""
        return "\n".join([*re.findall(r"`[^`\n]+`", self.prose), *self.commands()])

    @property
    def prose(self) -> str:
        """The page without its fenced blocks."""
        return FENCE.sub("", self.text)

    @property
    def anchors(self) -> set[str]:
        """What a link may point to: the headings, as GitHub names them."""
        headings = re.findall(r"^#+ (.+)$", self.prose, re.MULTILINE)
        return {re.sub(r"[^\w\- ]", "", one).strip().lower().replace(" ", "-") for one in headings}


def read_pages() -> dict[str, Page]:
    paths = [*REPOSITORY.glob("*.md"), *REPOSITORY.glob("docs/**/*.md")]
    found = [Page(path) for path in sorted(paths) if "_build" not in path.parts]
    return {page.name: page for page in found}


@pytest.fixture(scope="session")
def repository() -> Path:
    """The root of the repository."""
    return REPOSITORY


@pytest.fixture(scope="session")
def readme() -> Page:
    """The page that a newcomer reads first."""
    return Page(REPOSITORY / "README.md")


@pytest.fixture(scope="session")
def pages() -> dict[str, Page]:
    """All pages, by their path from the root."""
    return read_pages()
