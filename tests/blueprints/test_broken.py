"""
The messages about a broken YAML file, word for word: of `blueprint lint`, and of Airflow when it parses the DAG.
Airflow's message names file, line and step; that of `lint` is blueprint's own, and names the file only.

Beside each file in `broken/` stand both messages. Its first line lists what they must contain: the field, its value,
and what is allowed. `python tests/blueprints/test_broken.py` writes the messages again.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
import tempfile
import warnings
from pathlib import Path
from typing import Any

import pytest

BROKEN = Path(__file__).resolve().parent / "broken"
ALONE = BROKEN.parent / "alone"  # without dag_args.py
FILES = {path.name.removesuffix(".dag.yaml"): path for path in sorted(BROKEN.parent.glob("*/*.dag.yaml"))}
# Mistakes that involve another step or the DAG: `lint` checks each step by itself.
NOT_SEEN_BY_LINT = {
    *("unknown_since_step", "since_step_of_another_kind", "since_step_without_fields"),
    *(
        "unknown_sessions_step",
        "sessions_step_without_id",
        "delivers_to_itself",
        "changes_of_nothing",
        "changes_of_completions",
    ),
    *("blank_in_dag_id", "blank_in_step", "step_twice"),
    *("unknown_step_in_a_text", "unknown_field_of_a_step", "unknown_field_of_an_item", "item_without_for_each"),
    *("unknown_column", "filter_after_context", "unknown_name_in_a_text", "negative_number"),
    *("unknown_field_of_an_answer", "unknown_path_of_a_condition", "bad_person", "no_replace"),
}
# Files without a DAG: `lint` reports them in its own words, or with a traceback.
IN_WORDS_OF_LINT = {
    *("latin_1", "no_steps", "empty_steps", "steps_as_list", "empty_step", "step_without_template"),
    "step_with_a_number",
    *("depends_on_as_text", "wrong_trigger_rule", "version_as_text", "dag_id_as_mapping", "address_near_bad_syntax"),
    *("expression_without_context", "unknown_template_of_two", "watch_without_dag_args"),
}
OF_THE_WHOLE_FILE = {
    *("circle", "yaml_syntax", "address_near_bad_syntax", "latin_1", "no_steps", "empty_steps", "steps_as_list"),
    *("dag_id_as_mapping", "blank_in_dag_id", "expression_without_context", "step_twice"),
}
WITHOUT_LINE = {"circle", "latin_1", "no_steps", "expression_without_context"}


def some(remainder: int) -> list[Any]:
    """Let `make test` run each third file. `case_samples` does this too, but a script cannot import it."""
    return [
        pytest.param(one, marks=[pytest.mark.slow] if number % 3 != remainder else [])
        for number, one in enumerate(FILES)
    ]


def run_lint(path: Path) -> tuple[int, str]:
    """Exit status and output of `blueprint lint`, in a wide terminal."""
    from blueprint import cli
    from click.testing import CliRunner
    from rich.console import Console

    before, cli.console = cli.console, Console(width=1000, no_color=True)
    try:
        os.chdir(path if path.is_dir() else path.parent)
        arguments = [] if path.is_dir() else [path.name]
        folder = ALONE if ALONE in path.parents else BROKEN
        with warnings.catch_warnings(action="ignore"):  # of blueprint, which Airflow would print to the output
            result = CliRunner().invoke(cli.cli, ["lint", *arguments, "--template-dir", str(folder)])
    finally:
        cli.console = before
    return result.exit_code, result.output


def parse(path: Path) -> str:
    """The errors of a loader that runs as a script; Airflow shows the same texts as import errors."""
    from airflow_provider_learning360.dag_yaml.loader import DagFileError, build_airflow_dags

    with tempfile.TemporaryDirectory() as folder:
        dag_args = [] if ALONE in path.parents else [BROKEN / "dag_args.py"]
        for one in [*dag_args, *(path.iterdir() if path.is_dir() else [path])]:
            shutil.copy(one, folder)
        try:
            build_airflow_dags({"__file__": f"{folder}/loader.py", "__name__": "__main__"})
        except DagFileError as error:
            return f"{type(error).__name__}: {error}".replace(folder, "DAGS")
    return "It was built."


def messages_of(path: Path) -> str:
    """Both messages, without what depends on the machine or the version of pydantic."""
    both = f"# blueprint lint\n{run_lint(path)[1]}\n# Airflow\n{parse(path)}\n".replace(str(BROKEN), "DAGS")
    lines = [line.rstrip() for line in both.splitlines() if "errors.pydantic.dev" not in line]
    return "\n".join(lines) + "\n"


@pytest.fixture(autouse=True)
def _dags_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__CORE__DAGS_FOLDER", str(BROKEN))
    monkeypatch.chdir(BROKEN)


def path_of_messages(path: Path) -> Path:
    return path.with_name(f"{path.name.removesuffix('.dag.yaml')}.txt")


@pytest.mark.parametrize("case", some(0))
def test_messages_are_word_for_word(case: str) -> None:
    assert messages_of(FILES[case]) == path_of_messages(FILES[case]).read_text()


@pytest.mark.parametrize("case", some(1))
def test_message_names_field_value_and_what_is_allowed(case: str) -> None:
    path = FILES[case]
    status, by_lint = run_lint(path)
    by_airflow = parse(path)
    words = path.read_text("utf-8", "replace").splitlines()[0].removeprefix("# must say: ").split(" | ")
    assert not [word for word in words if word not in by_airflow]
    assert path.name in by_airflow
    assert case in WITHOUT_LINE or re.search(r"\blines? \d+", by_airflow, re.IGNORECASE)
    of_the_dag = case in OF_THE_WHOLE_FILE or "DAG arguments rejected" in by_airflow
    assert of_the_dag or re.search(r"[Ss]tep '[\w ]+'", by_airflow)
    assert "example.com" not in by_airflow
    if case in NOT_SEEN_BY_LINT:
        assert status == 0
    else:
        assert status == 1
    if case not in NOT_SEEN_BY_LINT | IN_WORDS_OF_LINT:
        assert path.name in by_lint
        assert not [word for word in words if word not in by_lint]
        assert "example.com" not in by_lint


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a: ops@example.com,\n  b: o'neil%40example.com", "a: …@…,\n  b: o'…@…"),
        ("the DAG has a schedule, too: '@daily'; or @once", "the DAG has a schedule, too: '@daily'; or @once"),
        ("'ops@example.com'", "'…@…'"),
    ],
)
def test_addresses_are_removed(text: str, shown: str) -> None:
    from airflow_provider_learning360.dag_yaml.mistakes import without_addresses

    assert without_addresses(text) == shown


def test_any_exception_names_the_file(tmp_path: Path) -> None:
    from airflow_provider_learning360.dag_yaml.loader import DagFileError, build_airflow_dags

    (tmp_path / "theirs.py").write_text(
        "from blueprint import BaseModel, Blueprint\n\n\nclass Empty(BaseModel):\n    pass\n\n\n"
        "class Theirs(Blueprint[Empty]):\n    def render(self, config):\n        raise KeyError('ops@example.com')\n"
    )
    (tmp_path / "it.dag.yaml").write_text("dag_id: it\nsteps:\n  one: {blueprint: theirs}\n")
    with pytest.raises(DagFileError, match=r"^it\.dag\.yaml: KeyError: '…@…'$"):
        build_airflow_dags({"__file__": f"{tmp_path}/loader.py", "__name__": "__main__"})


def test_merged_keys_are_not_duplicates() -> None:
    from airflow_provider_learning360.yaml_loader import check_yaml

    check_yaml("a: {b: &one {<<: {x: 1}, x: 2}}\nc: {<<: *one, x: 3}\n")
    with pytest.raises(ValueError, match="duplicate key 'x', in lines 1 and 2; remove one of them"):
        check_yaml("{x: 1,\nx: 2}")


LAUGHS = "dag_id: &a0 [x]\n" + "".join(
    f"k{number}: &a{number} [{', '.join([f'*a{number - 1}'] * 9)}]\n" for number in range(1, 20)
)


WITH_JINJA = LAUGHS.replace("dag_id", "{% if true %}\ndag_id") + "{% endif %}\n"


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        *(
            (name, text, words)
            for name in ("it.dag.yaml", "blueprint.vars.yaml")
            for text, words in (
                ("# " + "x" * 1024 * 1024, "longer than 1 MiB"),
                (LAUGHS, "more than 100,000 nodes"),
                ("dag_id: " + "[" * 3000 + "]" * 3000, "nested more than 50 levels"),
                ("dag_id: &a [*a]", "refers to itself"),
                ('dag_id: "\\U00110000"', "which is no character"),
            )
        ),
        ("it.dag.yaml", WITH_JINJA, "more than 100,000 nodes"),
        ("it.dag.yaml", None, "not a regular file"),
    ],
)
def test_too_large_file_is_refused_before_it_is_loaded(tmp_path: Path, name: str, text: str | None, words: str) -> None:
    from airflow_provider_learning360.dag_yaml.loader import DagFileError, build_airflow_dags

    (tmp_path / "it.dag.yaml").write_text("dag_id: it\nsteps:\n  one: {blueprint: learning360_list_sessions}\n")
    if text is None:
        (tmp_path / name).unlink()
        (tmp_path / name).symlink_to("/dev/zero")
    else:
        (tmp_path / name).write_text(text)
    with pytest.raises(DagFileError, match=rf"^it\.dag\.yaml: .*{words}"):
        build_airflow_dags({"__file__": f"{tmp_path}/loader.py", "__name__": "__main__"})


def test_duplicate_dag_id_is_refused() -> None:
    assert messages_of(BROKEN / "twice") == (BROKEN / "twice.txt").read_text()


def test_asking_a_person_needs_airflow_3_1(monkeypatch: pytest.MonkeyPatch) -> None:
    from airflow_provider_learning360.blueprints.approval import AskBeforeSendingForm

    monkeypatch.setitem(sys.modules, "airflow.providers.standard.operators.hitl", None)
    with pytest.raises(ValueError, match=r"Airflow 3\.1 or later, and apache-airflow-providers-standard"):
        AskBeforeSendingForm()


def test_asking_a_person_needs_a_standard_provider_that_knows_its_time_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    from airflow.providers.standard.operators import hitl

    from airflow_provider_learning360.blueprints.approval import AskBeforeSendingForm

    monkeypatch.setattr(hitl.HITLOperator, "__init__", lambda self, *, subject, **kwargs: None)
    with pytest.raises(ValueError, match=r"apache-airflow-providers-standard 1\.12\.2"):
        AskBeforeSendingForm()


def test_mail_on_failure_needs_the_smtp_provider(monkeypatch: pytest.MonkeyPatch) -> None:
    from airflow_provider_learning360.dag_yaml.arguments import LearningDagArgsConfig

    monkeypatch.setitem(sys.modules, "airflow.providers.smtp.notifications.smtp", None)
    with pytest.raises(ValueError, match=r"mail_on_failure\n  .* is not installed.*\[reminders\]"):
        LearningDagArgsConfig(mail_on_failure=["ops@example.com"])


def test_watch_needs_airflow_3(monkeypatch: pytest.MonkeyPatch) -> None:
    from airflow_provider_learning360.dag_yaml.arguments import WatchSettings

    def too_old(_: Any) -> None:
        raise ImportError("Watched assets need Airflow 3.0 or later")

    monkeypatch.setattr(WatchSettings, "asset", too_old)
    with pytest.raises(ValueError, match="Watched assets need Airflow 3"):
        WatchSettings(name="all")


if __name__ == "__main__":
    sys.path.insert(0, str(BROKEN.parents[1]))
    import conftest  # noqa: F401 - a home for Airflow

    os.environ["AIRFLOW__CORE__DAGS_FOLDER"] = str(BROKEN)
    for place in [*FILES.values(), BROKEN / "twice"]:
        path_of_messages(place).write_text(messages_of(place))
