"""The files of a workflow as a ZIP archive, built in memory."""

from __future__ import annotations

import re
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

import airflow_provider_learning360

if TYPE_CHECKING:
    from airflow_provider_learning360.ui.responses import Snippet

SCHEMA = Path(airflow_provider_learning360.__file__).with_name("dag_yaml") / "dag.schema.json"
# The time of every file: the same workflow gives the same archive.
_TIME = (1980, 1, 1, 0, 0, 0)
# A further file in the comments of a source.
_COMPANION = re.compile(r"\n*^# --- Also save(?: once)? as: (\S+) ---\n((?:#.*(?:\n|\Z))+)", re.MULTILINE)
_COMMENT = re.compile(r"^# ?", re.MULTILINE)
# How to get the schema, which the archive has.
_SCHEMA_COMMENT = re.compile(r"^# Line 1 needs this file, once: .*\n", re.MULTILINE)
# What the page calls the DAGs folder. People unpack the archive in that folder, whatever its name is.
_DAG_FOLDER = "dags/"


def split_files(snippet: Snippet) -> dict[str, str]:
    """
    Return the files of a snippet by path, the main one first: also those in its comments, and the schema.

    :param snippet: The workflow in one dialect.
    """
    main = _SCHEMA_COMMENT.sub("", _COMPANION.sub("", snippet["text"]))
    files = {snippet["file"]: main.rstrip() + "\n"}
    files |= {path: _COMMENT.sub("", text) for path, text in _COMPANION.findall(snippet["text"])}
    if snippet["dialect"] == "blueprint":
        files[f"{snippet['file'].rpartition('/')[0]}/{SCHEMA.name}"] = SCHEMA.read_text(encoding="utf-8")
    return files


def build_archive(files: dict[str, str]) -> bytes:
    """
    Return a ZIP archive, to be unpacked in the DAGs folder.

    :param files: Text of each file, by path.
    """
    content = BytesIO()
    with ZipFile(content, "w", ZIP_DEFLATED) as archive:
        for path, text in files.items():
            archive.writestr(ZipInfo(path.removeprefix(_DAG_FOLDER), _TIME), text.encode(), ZIP_DEFLATED)
    return content.getvalue()
