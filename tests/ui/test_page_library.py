"""The library of the page is what its authors published, with its licence."""

from __future__ import annotations

import re
from hashlib import sha256

import pytest

from page_library import FILES, IMPORTS, PACKAGES, STATIC


@pytest.mark.parametrize("name", FILES)
def test_file_is_the_recorded_one(name: str) -> None:
    assert sha256((STATIC / name).read_bytes()).hexdigest() == FILES[name].sha256


@pytest.mark.parametrize("name", [name for name in FILES if name.endswith(".js")])
def test_file_names_its_version_and_licence(name: str) -> None:
    header, _, code = (STATIC / name).read_text("utf-8").partition("\n")
    package = PACKAGES[FILES[name].package]
    assert f"{FILES[name].package} {package.version}, " in header
    assert f"{package.licence}: {FILES[name].package}.LICENSE" in header
    assert "sourceMappingURL" not in code
    assert not re.search(r"\beval\(|\bFunction\(", code)
    assert [bare for bare in IMPORTS if bare in code] == []


def test_licences_are_shipped() -> None:
    for name, package in PACKAGES.items():
        assert package.copyright in (STATIC / f"{name}.LICENSE").read_text("utf-8")
