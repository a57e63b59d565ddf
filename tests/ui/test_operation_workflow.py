"""The workflow that calls an operation: built for all operations, with the tools that read it for some."""

from __future__ import annotations

import ast
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from fastapi.testclient import TestClient
from hypothesis import example, given, settings
from hypothesis import strategies as st
from jinja2 import Environment

from airflow_provider_learning360.api.catalogue.catalogue import load_operations
from airflow_provider_learning360.simulator import Simulator
from airflow_provider_learning360.ui.archive import SCHEMA, split_files
from airflow_provider_learning360.ui.failure import ArgumentsRefusedError, ConnectionRefusedByPageError
from airflow_provider_learning360.ui.literal import write_argument
from airflow_provider_learning360.ui.operation_workflow import build_operation_workflows, name_step
from airflow_provider_learning360.ui.operations import build_example_call
from case_samples import each_name

Login = Callable[[str | None], TestClient]

API = "/learning360/api"
ID = "60b8d2956e20ae1a0f8e44f1"
CONN_ID = r"training.#1:(eu)\x"
OPERATIONS = load_operations()
DIALECTS = ["python", "blueprint", "dag_factory"]
NASTY = '''""" ' # coding: latin-1 {x} % $HOME ${HOME} $$ <b> --- : - [a] 한글 \U0001f600''' + "\n\r\u2028\x85\x7f\\ "
TEXTS = st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]))  # what JSON can have
PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.integers(-(2**63), 2**63 - 1)
    | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)


def arguments_of(name: str) -> dict[str, Any]:
    options = {"replace": True} if "replaces" in OPERATIONS[name].data else {}
    return {**build_example_call(OPERATIONS[name]), "options": options}


def build(name: str, **given: Any) -> Any:
    arguments = {"parameters": {}, "body": None, "options": {}, "picked": [], **given}
    return build_operation_workflows(OPERATIONS[name], CONN_ID, **arguments)


def text_of(name: str, dialect: str, **given: Any) -> str:
    (workflow,) = build(name, **given)["workflows"]
    (text,) = [one["text"] for one in workflow["snippets"] if one["dialect"] == dialect]
    return str(text)


def problems_of(name: str, **given: Any) -> dict[str, str]:
    with pytest.raises(ArgumentsRefusedError) as caught:
        build(name, **given)
    return {one["place"]: one["text"] for one in caught.value.problems}


def arguments_in(text: str, dialect: str) -> dict[str, Any]:
    """The arguments of the task that calls the operation, as the tool reads them."""
    if dialect == "python":
        calls = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Call)]
        (call,) = [one for one in calls if getattr(one.func, "id", "") == "LearningOperationOperator"]
        return {str(one.arg): ast.literal_eval(one.value) for one in call.keywords}
    if dialect == "blueprint":
        (step,) = yaml.safe_load(text)["steps"].values()
        return dict(step)
    (dag,) = yaml.safe_load(os.path.expandvars(text)).values()
    return dict(dag["tasks"][0])


@pytest.mark.parametrize("dialect", DIALECTS)
@each_name(OPERATIONS)
def test_snippet_has_the_arguments(name: str, dialect: str) -> None:
    given = arguments_of(name)
    found = arguments_in(text_of(name, dialect, **given), dialect)
    assert (found["operation"], found["learning_conn_id"]) == (name, CONN_ID)
    assert found.get("parameters", {}) == given["parameters"]
    assert found.get("body") == given["body"]
    assert found.get("replace") == given["options"].get("replace")


def test_python_of_every_operation_imports(tmp_path: Path) -> None:
    from airflow.dag_processing.dagbag import DagBag

    for name in OPERATIONS:
        (tmp_path / f"{name}.py").write_text(text_of(name, "python", **arguments_of(name)), encoding="utf-8")
    found = DagBag(tmp_path)
    assert found.import_errors == {}
    assert set(found.dags) == {name_step(one) for one in OPERATIONS.values()}
    for one in OPERATIONS.values():
        task = found.dags[name_step(one)].get_task(name_step(one))
        assert (task.operation, task.learning_conn_id) == (one.name, CONN_ID)


@pytest.mark.parametrize("name", ["list-users", "create-user", "replace-path-steps", "delete-path-session-v1"])
def test_dag_factory_builds_the_dag(name: str, tmp_path: Path) -> None:
    from dagfactory import load_yaml_dags

    path = tmp_path / "dag.yaml"
    path.write_text(text_of(name, "dag_factory", **arguments_of(name)), encoding="utf-8")
    found: dict[str, Any] = {}
    load_yaml_dags(found, config_filepath=str(path))
    task = found[name_step(OPERATIONS[name])].get_task(name_step(OPERATIONS[name]))
    assert (task.operation, task.body) == (name, arguments_of(name)["body"])


@pytest.mark.skipif("learning360_operation" not in SCHEMA.read_text("utf-8"), reason="there is no such step yet")
@pytest.mark.parametrize("name", ["list-users", "create-user", "replace-path-steps", "delete-path-session-v1"])
def test_blueprint_builds_the_dag(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from airflow.dag_processing.dagbag import DagBag

    monkeypatch.setenv("AIRFLOW__CORE__DAGS_FOLDER", str(tmp_path / "dags"))
    (workflow,) = build(name, **arguments_of(name))["workflows"]
    (snippet,) = [one for one in workflow["snippets"] if one["dialect"] == "blueprint"]
    for path, text in split_files(snippet).items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text, encoding="utf-8")
    jsonschema.validate(yaml.safe_load(snippet["text"]), json.loads(SCHEMA.read_text("utf-8")))
    found = DagBag(tmp_path / "dags")
    assert found.import_errors == {}
    task = found.dags[name_step(OPERATIONS[name])].get_task(name_step(OPERATIONS[name]))
    assert (task.operation, task.body) == (name, arguments_of(name)["body"])


@pytest.mark.parametrize("dialect", DIALECTS)
@settings(deadline=None, max_examples=200)
@given(value=PLAIN)
@example(NASTY)
@example({NASTY: [NASTY, {NASTY: NASTY}], "on": "on", "1": 1e300, "list": [[], {}, [[1]], [{}]], "": ""})
def test_any_value_is_written_as_it_is(dialect: str, value: Any) -> None:
    written = write_argument("body", value, dialect, "    ")  # type: ignore[arg-type]
    if dialect == "python":
        call = ast.parse(f"dict(\n{written})", mode="eval").body
        assert isinstance(call, ast.Call)
        assert ast.literal_eval(call.keywords[0].value) == value
    else:
        text = os.path.expandvars(written) if dialect == "dag_factory" else written
        assert yaml.safe_load(text) == {"body": value}
    assert len(written.splitlines()) == written.count("\n")  # no character is taken for a line break


@pytest.mark.parametrize("dialect", DIALECTS)
def test_text_with_special_characters_stays_in_its_quotes(dialect: str) -> None:
    body = {"mail": "ada@example.com", "firstName": NASTY}
    given = {**arguments_of("create-user"), "body": {**arguments_of("create-user")["body"], **body}}
    found = arguments_in(text_of("create-user", dialect, **given), dialect)
    assert found["body"]["firstName"] == NASTY


@pytest.mark.parametrize("text", ["{{ var.value.secret }}", "{% raw %}", "{# x"])
def test_template_is_refused(text: str) -> None:
    given = arguments_of("create-user")
    given["body"] = {**given["body"], "firstName": text}
    assert list(problems_of("create-user", **given)) == ["body.firstName"]


def test_name_that_dag_factory_takes_for_a_class_is_refused() -> None:
    given = arguments_of("create-program-session-v1")
    (place,) = problems_of("create-program-session-v1", **{**given, "body": {**given["body"], "__type__": "os.system"}})
    assert place.startswith("body")


def test_options_are_written() -> None:
    options = {"fields": ["_id", "status"], "contract": "strict", "pages": 2}
    for dialect in DIALECTS:
        found = arguments_in(text_of("list-users", dialect, options=options), dialect)
        assert {name: found[name] for name in options} == options


@pytest.mark.parametrize(
    ("name", "options", "place"),
    [
        ("list-users", {"pages": 0}, "options.pages"),
        ("list-users", {"pages": True}, "options.pages"),
        ("list-users", {"contract": "loud"}, "options.contract"),
        ("list-users", {"fields": ["stauts"]}, "options.fields"),
        ("list-users", {"fields": "status"}, "options.fields"),
        ("list-users", {"dry_run": True}, "options.dry_run"),
        ("list-users", {"task_id": "x"}, "options.task_id"),
        ("create-user", {"dry_run": "yes"}, "options.dry_run"),
        ("replace-path-steps", {}, "options.replace"),
        ("replace-path-steps", {"replace": False}, "options.replace"),
    ],
)
def test_option_that_is_not_valid_is_refused(name: str, options: dict[str, Any], place: str) -> None:
    given = {**arguments_of(name), "options": options}
    assert place in problems_of(name, **given)


def test_people_in_xcom_are_pointed_out() -> None:
    def needs(**options: Any) -> set[str]:
        (workflow,) = build("list-users", options=options)["workflows"]
        return set.union(*(set(one["needs"]) for one in workflow["snippets"]))

    assert "people_in_xcom" in needs()
    assert "people_in_xcom" not in needs(fields=["_id"])


def test_invalid_connection_id_is_refused() -> None:
    with pytest.raises(ConnectionRefusedByPageError):
        build_operation_workflows(OPERATIONS["list-users"], 'a"', {}, None, {}, [])


# --- expressions ---


class TaskInstance:
    """Gives the answer that a step has pushed."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer

    def xcom_pull(self, task_ids: str) -> Any:
        assert task_ids in ("get_path", "list_paths")
        return self.answer


@pytest.mark.parametrize(
    ("name", "path", "answer", "expected"),
    [
        ("get-path", "name", {"name": "A"}, "A"),
        ("get-path", "steps[1].title", {"steps": [{}, {"title": "B"}]}, "B"),
        ("list-paths", "name", [{"name": "A"}, {"name": "B"}], "['A', 'B']"),
        ("list-paths", "author.mail", [{"author": {"mail": "x"}}], "['x']"),
        ("list-paths", "[1].name", [{"name": "A"}, {"name": "B"}], "B"),
    ],
)
@pytest.mark.parametrize("dialect", ["python", "dag_factory"])
def test_expression_gives_the_field(name: str, path: str, answer: Any, expected: str, dialect: str) -> None:
    given = arguments_of(name)
    expression = build(name, **given, picked=[path])["expressions"][path][dialect]
    assert Environment().from_string(expression).render(ti=TaskInstance(answer)) == expected


def test_expression_of_blueprint_names_the_step() -> None:
    given = arguments_of("get-path")
    expressions = build("get-path", **given, picked=["steps[1].title"])["expressions"]
    assert expressions["steps[1].title"]["blueprint"] == "{{ context.steps.get_path.steps[1].title }}"


@pytest.mark.parametrize("path", ["", "a b", "a'b", "••• 1", "a..b", "{{ x }}", ".a", "a[b]", "a\n"])
def test_path_that_is_no_name_has_no_expression(path: str) -> None:
    assert build("get-path", **arguments_of("get-path"), picked=[path])["expressions"] == {}


# --- the route ---


@pytest.fixture
def connection(stored: Callable[..., str], simulator: Simulator) -> str:
    """A stored connection to the simulator."""
    return stored(host=simulator.url, login=simulator.company_id, password=simulator.api_key)


def post(client: TestClient, connection: str, **body: Any) -> Any:
    return client.post(f"{API}/connections/{connection}/operation-workflows", json=body)


def test_route_returns_three_dialects_and_sends_nothing(login: Login, connection: str, simulator: Simulator) -> None:
    result = post(login("otto"), connection, name="list-users", picked=["mail"]).json()
    (workflow,) = result["workflows"]
    assert [one["dialect"] for one in workflow["snippets"]] == DIALECTS
    assert result["expressions"].keys() == {"mail"}
    assert json.dumps(connection) in workflow["snippets"][0]["text"]
    assert simulator.requests == []


def test_route_names_problems(login: Login, connection: str) -> None:
    response = post(login("otto"), connection, name="list-users", options={"pages": 0})
    assert (response.status_code, response.json()["error"]["code"]) == (422, "arguments")
    assert [one["place"] for one in response.json()["problems"]] == ["options.pages"]


@pytest.mark.parametrize(("user", "code"), [("vera", 403), (None, 401)])
def test_route_needs_the_right_to_the_connection(login: Login, connection: str, user: str | None, code: int) -> None:
    assert post(login(user), connection, name="list-users").status_code == code
