"""`operations`: search by words, and what the shell completes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from argparse import Namespace
from itertools import count, takewhile
from pathlib import Path
from typing import Any

import argcomplete
import pytest
import yaml

from airflow_provider_learning360.api.catalogue.catalogue import load_operations
from airflow_provider_learning360.api.catalogue.search import search_operations
from airflow_provider_learning360.cli.__main__ import build_parser
from airflow_provider_learning360.cli.completion import complete_parameters

COLUMNS = ["name", "method", "path", "topic", "text", "scope", "repeat"]
Command = Any


def test_rows_are_those_of_the_search(call_command: Command) -> None:
    status, out, err = call_command("operations", "custom", "feild", "-o", "json")
    rows = json.loads(out)
    assert (status, err) == (0, "")
    assert [row["name"] for row in rows] == [one.name for one in search_operations("custom feild")]
    assert list(rows[0]) == COLUMNS
    assert rows[0] == {
        "name": "list-custom-fields",
        "method": "GET",
        "path": "/api/v2/custom-fields",
        "topic": rows[0]["topic"],
        "text": load_operations()["list-custom-fields"].data["text"],
        "scope": "customFields:read",
        "repeat": "read",
    }


def test_all_operations_are_listed_without_words(call_command: Command) -> None:
    rows = yaml.safe_load(call_command("operations", "-o", "yaml")[1])
    assert len(rows) == len(load_operations()) >= 195


def test_topic_limits_the_rows(call_command: Command) -> None:
    rows = json.loads(call_command("operations", "list", "--topic", "users", "-o", "json")[1])
    assert {row["topic"] for row in rows} == {"Users"}


@pytest.mark.parametrize(("options", "columns"), [((), ["name", "text", "repeat"]), (("-o", "plain"), COLUMNS)])
def test_table_has_the_columns_that_fit(call_command: Command, options: tuple[str, ...], columns: list[str]) -> None:
    status, out, _ = call_command("operations", "webhok", *options)
    assert status == 0
    assert out.splitlines()[0].replace("|", " ").split() == columns
    assert "list-webhook-subscriptions" in out


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["lst", "usrs"], 1, "has the words 'lst usrs'; did you mean list-users? `airflow learning360 operations`"),
        (["qqq", "--topic", "users"], 1, "No operation of the topic Users has the words 'qqq'. `airflow"),
        (["--topic", "usrs"], 2, "--topic: 'usrs' is not a topic"),
        (["--topic", "usrs"], 2, "; did you mean Users?"),
    ],
)
def test_nothing_found_is_an_error_with_the_nearest_one(
    call_command: Command, arguments: list[str], status: int, words: str
) -> None:
    result = call_command("operations", *arguments)
    assert (result[0], result[1]) == (status, "")
    assert result[2].startswith("Error: ")
    assert len(result[2].splitlines()) == 1
    assert words in result[2]


# --- completion ---


def complete(line: str) -> list[str]:
    """Return the command lines that argcomplete offers in place of one that is typed so far."""
    finder = argcomplete.CompletionFinder(build_parser(), always_complete_options=False)
    offered = takewhile(bool, (finder.rl_complete(line, number) for number in count()))
    return [one.replace("\\", "") for one in offered]  # brackets are escaped for the shell


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("operation get-group", ["get-group"]),
        ("call list-tag", ["list-tags"]),
        ("operations --topic Use", ["Users"]),
        ("call list-users -p stat", ["status[eq]=", "status[ne]="]),
        ("call list-users-v1 -p deleted=", ["deleted=true", "deleted=false"]),
        ("call list-users -p qqq=", []),
        ("call no-such-operation -p ", []),
    ],
)
def test_shell_completes(line: str, offered: list[str]) -> None:
    typed = line.rpartition(" ")[0]
    assert [one.removeprefix(typed).strip() for one in complete(line)] == offered


@pytest.mark.parametrize(
    ("prefix", "offered"),
    [
        ("status[eq]=", ["status[eq]=active", "status[eq]=invited", "status[eq]=deleted"]),
        ("mail[in]=", []),
    ],
)
def test_allowed_values_are_completed(prefix: str, offered: list[str]) -> None:
    assert complete_parameters(prefix, Namespace(operation="list-users")) == offered


@pytest.mark.slow
def test_airflow_completes_names(tmp_path: Path) -> None:
    line = "airflow learning360 operation list-webhook-s"
    offered = tmp_path / "offered"
    request = {
        "COMP_LINE": line,
        "COMP_POINT": str(len(line)),
        "_ARGCOMPLETE": "1",
        "_ARGCOMPLETE_IFS": "\n",
        "_ARGCOMPLETE_COMP_WORDBREAKS": "",
        "_ARGCOMPLETE_STDOUT_FILENAME": str(offered),
    }
    command = [sys.executable, "-m", "airflow"]
    subprocess.run(command, env={**os.environ, **request}, capture_output=True, check=False, timeout=60)
    assert offered.read_text().split() == ["list-webhook-subscriptions"]
