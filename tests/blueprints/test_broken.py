"""
What people are told about a broken file, word for word: by `blueprint lint`, and by Airflow where it parses the DAG.
Airflow's message names file and step; what `lint` says is blueprint's to choose, and it names the file only.

Beside each file in `broken/` stand both messages. Its first line lists what they must say: which field, what was given,
what may be. `python tests/blueprints/test_broken.py` writes the messages anew.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest

BROKEN = Path(__file__).resolve().parent / "broken"
CASES = sorted(path.name.removesuffix(".dag.yaml") for path in BROKEN.glob("*.dag.yaml"))
# What depends on another step is seen when the DAG is built: `lint` looks at each step by itself.
NOT_SEEN_BY_LINT = {"unknown_since_step", "since_step_of_another_kind"}

OF_THE_WHOLE_FILE = {"circle", "yaml_syntax"}


def linted(path: Path) -> tuple[int, str]:
    """Exit status and output of `blueprint lint`, in a terminal that is wide."""
    from blueprint import cli
    from click.testing import CliRunner
    from rich.console import Console

    before, cli.console = cli.console, Console(width=1000, no_color=True)
    try:
        os.chdir(path if path.is_dir() else path.parent)
        arguments = [] if path.is_dir() else [path.name]
        result = CliRunner().invoke(cli.cli, ["lint", *arguments, "--template-dir", str(BROKEN)])
    finally:
        cli.console = before
    return result.exit_code, result.output


def parsed(path: Path) -> str:
    """What Airflow shows as the import error of the loader."""
    from airflow_provider_learning360.dag_yaml.loader import DagFileError, build_airflow_dags

    with tempfile.TemporaryDirectory() as folder:
        for one in [BROKEN / "dag_args.py", *(path.iterdir() if path.is_dir() else [path])]:
            shutil.copy(one, folder)
        try:
            build_airflow_dags({"__file__": f"{folder}/loader.py"})
        except DagFileError as error:
            return f"{type(error).__name__}: {error}".replace(folder, "DAGS")
    return "It was built."


def told(path: Path) -> str:
    """Both messages, without what differs from machine to machine."""
    both = f"# blueprint lint\n{linted(path)[1]}\n# Airflow\n{parsed(path)}\n".replace(str(BROKEN), "DAGS")
    return "\n".join(line.rstrip() for line in both.splitlines()) + "\n"


@pytest.fixture(autouse=True)
def _dags_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__CORE__DAGS_FOLDER", str(BROKEN))
    monkeypatch.chdir(BROKEN)


def file_of(case: str) -> Path:
    return BROKEN / f"{case}.dag.yaml"


@pytest.mark.parametrize("case", CASES)
def test_what_people_are_told(case: str) -> None:
    assert told(file_of(case)) == (BROKEN / f"{case}.txt").read_text()


@pytest.mark.parametrize("case", CASES)
def test_it_says_which_field_what_was_given_and_what_may_be(case: str) -> None:
    path = file_of(case)
    status, by_lint = linted(path)
    by_airflow = parsed(path)
    words = path.read_text().splitlines()[0].removeprefix("# must say: ").split(" | ")
    assert not [word for word in words if word not in by_airflow]
    assert path.name in by_airflow
    of_the_dag = case in OF_THE_WHOLE_FILE or "DAG arguments rejected" in by_airflow
    assert of_the_dag or re.search(r"[Ss]tep '\w+'", by_airflow)
    if case in NOT_SEEN_BY_LINT:
        assert status == 0
    else:
        assert status == 1
        assert path.name in by_lint
        assert not [word for word in words if word not in by_lint]
    assert "example.com" not in by_lint + by_airflow


def test_two_dags_with_one_id() -> None:
    assert told(BROKEN / "twice") == (BROKEN / "twice.txt").read_text()


def test_a_person_can_only_be_asked_where_airflow_can(monkeypatch: pytest.MonkeyPatch) -> None:
    from airflow_provider_learning360.blueprints.approval import AskBeforeSendingForm

    monkeypatch.setitem(sys.modules, "airflow.providers.standard.operators.hitl", None)
    with pytest.raises(ValueError, match=r"Airflow 3\.1 or later, and apache-airflow-providers-standard"):
        AskBeforeSendingForm()


def test_mails_need_a_provider(monkeypatch: pytest.MonkeyPatch) -> None:
    from airflow_provider_learning360.dag_yaml.arguments import LearningDagArgsConfig

    monkeypatch.setitem(sys.modules, "airflow.providers.smtp.notifications.smtp", None)
    with pytest.raises(ValueError, match="mail_on_failure\n  it needs apache-airflow-providers-smtp"):
        LearningDagArgsConfig(mail_on_failure=["ops@example.com"])


def test_no_watch_below_airflow_3(monkeypatch: pytest.MonkeyPatch) -> None:
    from airflow_provider_learning360.dag_yaml.arguments import Watch

    def too_old(_: Any) -> None:
        raise ImportError("Watched assets need Airflow 3.0 or later")

    monkeypatch.setattr(Watch, "asset", too_old)
    with pytest.raises(ValueError, match="Watched assets need Airflow 3"):
        Watch(name="all")


if __name__ == "__main__":
    sys.path.insert(0, str(BROKEN.parents[1]))
    import conftest  # noqa: F401 - a home for Airflow

    os.environ["AIRFLOW__CORE__DAGS_FOLDER"] = str(BROKEN)
    for place in [*map(file_of, CASES), BROKEN / "twice"]:
        (BROKEN / f"{place.name.removesuffix('.dag.yaml')}.txt").write_text(told(place))
