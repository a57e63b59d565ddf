"""
The library of the page: fetch the pinned packages from the npm registry, and write the files that the page serves.

`python tests/page_library.py`, or `make page-library`. To pin another version, change `PACKAGES`, run it, and copy
the SHA-256 that it prints.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tarfile
import tempfile
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

STATIC = Path(__file__).resolve().parents[1] / "src" / "airflow_provider_learning360" / "ui" / "static"


class Package(NamedTuple):
    """A package of the npm registry."""

    version: str
    licence: str
    copyright: str


class LibraryFile(NamedTuple):
    """A file of a package, and the SHA-256 of what the page serves."""

    package: str
    path: str
    sha256: str


PACKAGES = {
    "preact": Package("11.2.0", "MIT", "2015-present Jason Miller"),
    "htm": Package("3.1.1", "Apache-2.0", "2018 Google Inc."),
}
FILES = {
    "preact.js": LibraryFile(
        "preact", "dist/preact.mjs", "7d62473fee8aa94d7fedfe50d36fbf972cacd31aa5564cc8e89d19600276f4ef"
    ),
    "preact_hooks.js": LibraryFile(
        "preact", "hooks/dist/hooks.mjs", "dd92431c43db41b6d232475f60f54a423f1a760bea1b3c7e2f281ef03f467d01"
    ),
    "preact.LICENSE": LibraryFile(
        "preact", "LICENSE", "1fe6958409c8c257a70c587a18b6f7f412b179b456630790d30b2ec9a8e4b7d4"
    ),
    "htm.js": LibraryFile(
        "htm", "dist/htm.module.js", "0af584ea74785c0058f4b6c386cd2071ae08e488ea380c794619a9c0b35d36fd"
    ),
    "htm.LICENSE": LibraryFile("htm", "LICENSE", "740725f7252e750af735d0028cc534970772f513331e9f68150fede8fb3ce00f"),
}
# A browser finds no module by the name of a package.
IMPORTS = {'from"preact"': 'from"./preact.js"'}
# It would lead to a file that the page does not serve.
SOURCE_MAP = re.compile(r"^//# sourceMappingURL=.*\n?", re.MULTILINE)


def fetch(package: str, folder: Path) -> tarfile.TarFile:
    """Return the archive of a package. npm checks it against the registry."""
    command = ["npm", "pack", "--silent", f"{package}@{PACKAGES[package].version}"]
    name = subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout.strip()
    return tarfile.open(folder / name)


def served(file: LibraryFile, source: str) -> str:
    """Return what the page serves: a header, imports by path, and no source map."""
    if file.path == "LICENSE":
        return source
    version, licence, holder = PACKAGES[file.package]
    for bare, path in IMPORTS.items():
        source = source.replace(bare, path)
    header = (
        f"/*! {file.package} {version}, {file.path}. Copyright (c) {holder}. {licence}: {file.package}.LICENSE */\n"
    )
    return header + SOURCE_MAP.sub("", source).strip() + "\n"


def main() -> int:
    """Write the files; return 1 if one differs from the SHA-256 recorded here."""
    differing = 0
    with tempfile.TemporaryDirectory() as folder:
        archives = {package: fetch(package, Path(folder)) for package in PACKAGES}
        for name, file in FILES.items():
            member = archives[file.package].extractfile(f"package/{file.path}")
            assert member
            content = served(file, member.read().decode("utf-8")).encode("utf-8")
            (STATIC / name).write_bytes(content)
            found = sha256(content).hexdigest()
            differing += found != file.sha256
            print(f"{name}: {found}{'' if found == file.sha256 else ' (differs from the one recorded)'}")
    return int(differing > 0)


if __name__ == "__main__":
    sys.exit(main())
