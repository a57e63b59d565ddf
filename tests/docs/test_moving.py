"""The page about API v2 says of each key what the code does."""

from __future__ import annotations

import re
from pathlib import Path

from airflow_provider_learning360.api.differences import DIFFERENCES
from airflow_provider_learning360.api.fields import PATH_FIELDS_V2, SESSION_FIELDS_V2
from airflow_provider_learning360.api.models import ProgramSession
from airflow_provider_learning360.api.v2.documents import ALL_KEYS, PATH_KEYS, SESSION_KEYS
from airflow_provider_learning360.api.v2.scopes import NEEDED_FOR

PAGE = (Path(__file__).resolve().parents[2] / "docs/moving-to-v2.md").read_text(encoding="utf-8")
ROWS = {row[0]: row[1:] for row in re.findall(r"^\| `([\w:]+)` \| (.*?) \| (.*?) \|(?: (.*) \|)?$", PAGE, re.MULTILINE)}
SCOPES = dict(re.findall(r"^\| `(\w+:\w+)` \| (.*?) \|$", PAGE, re.MULTILINE))
OWN = {*SESSION_FIELDS_V2, *PATH_FIELDS_V2}


def test_table_has_every_key_of_api_v1() -> None:
    assert set(ProgramSession.field_names()) == set(ROWS)


def test_keys_of_the_session_cost_no_request() -> None:
    free = {key for key, row in ROWS.items() if row[1] == "0"}
    assert free == SESSION_KEYS - OWN


def test_keys_without_a_counterpart_are_absent() -> None:
    absent = {key for key, row in ROWS.items() if row[0] == "nothing"}
    assert absent == set(ProgramSession.field_names()) - ALL_KEYS


def test_keys_of_the_path_are_marked() -> None:
    marked = {key for key, row in ROWS.items() if row[1] in ("1 for each path", "the same")}
    assert marked == PATH_KEYS - OWN


def test_keys_that_differ_are_not_called_exact() -> None:
    assert {key for key, row in ROWS.items() if row[2] == "yes"}.isdisjoint(DIFFERENCES)


def test_scopes_are_those_of_the_code() -> None:
    assert {scope: purpose.replace("`", "") for scope, purpose in SCOPES.items()} == NEEDED_FOR
