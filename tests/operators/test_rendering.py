"""Values of a run are data, however they arrive. Values of an author are templates, and are rendered once."""

from __future__ import annotations

import inspect
import os
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow.providers.common.compat.sdk import DAG, TaskGroup, task, task_group
from airflow.sdk import get_current_context

from airflow_provider_learning360.operators.hidden_value import reveal
from airflow_provider_learning360.operators.program_session import (
    GetProgramSessionOperator,
    ListProgramSessionsOperator,
)
from airflow_provider_learning360.rendering import YAML_FIELDS, is_template
from airflow_provider_learning360.sensors.program_session import ProgramSessionModifiedSensor
from case_samples import one_in
from every_operator import KINDS
from test_examples import results

if TYPE_CHECKING:
    from airflow_provider_learning360.simulator import Simulator

ID = "60b8d2956e20ae1a0f8e44f1"
NAMES = ["{{ conn.learning360_default.password }}", "Cours {# 3", "{% raw %}", "{{ 7*7 }}", "{{ no_such_thing }}"]
DOCUMENT = {"_id": ID, "names": NAMES, "modules": [{"name": name} for name in NAMES], "modifiedAt": "{{ ds }}"}
POLICY = {
    "name": "onboarding",
    "time_zone": "UTC",
    "rules": [
        {
            "name": "start",
            "anchor": "startDate",
            "before": {"days": 1},
            "audience": "tutors",
            "template": "before_start",
        }
    ],
}
NEEDED: dict[str, Any] = {
    "session_id": ID,
    "policy": POLICY,
    "operation": "list-path-sessions",
    "until": {"path": "$[0]", "exists": True},
    "people": ["someone@example.com"],
    "set": {"userLimit": 5},
}
# Arguments that take no other names than their own.
NAMED = {"set", "until", "parameters", "body"}
# Arguments that cannot be combined.
ALONE = {"after", "count"}

pytestmark = pytest.mark.usefixtures("airflow_db")


# Each of these runs a DAG with dozens of tasks: in `make test`, one operator is enough.
IN_MAKE_TEST = (GetProgramSessionOperator,)
every_kind = pytest.mark.parametrize(
    "kind",
    [pytest.param(one, id=one.__name__, marks=[] if one in IN_MAKE_TEST else [pytest.mark.slow]) for one in KINDS],
)


def showing(kind: type) -> Any:
    """Return the operator with an `execute` that only returns its rendered fields."""

    def execute(self: Any, context: Any) -> dict[str, Any]:
        return {name: reveal(getattr(self, name)) for name in self.template_fields}

    return type(kind.__name__, (kind,), {"execute": execute})


def needed(kind: type, *given: str) -> dict[str, Any]:
    """Return the required arguments of an operator."""
    parameters = inspect.signature(kind.__init__).parameters
    found = {name: NEEDED[name] for name in NEEDED if name in parameters}
    if "body" in parameters:  # an operation that reads takes none
        found |= {"operation": "create-tag", "body": {"name": "safety", "isMain": False}}
    return {name: value for name, value in found.items() if name not in given}


def tried(dag: DAG, **arguments: Any) -> Any:
    """Run a DAG without a file, with Airflow's own code."""
    from airflow.dag_processing.bundles.manager import DagBundlesManager
    from airflow.dag_processing.dagbag import DagBag, sync_bag_to_db

    DagBundlesManager().sync_bundles_to_db()
    bag = DagBag(dag_folder=os.devnull)
    bag.bag_dag(dag)
    sync_bag_to_db(bag, "dags-folder", None)
    return dag.test(**arguments)


def shown(run: Any, task_id: str) -> list[dict[str, Any]]:
    assert run.state == "success"
    return results(run, task_id)


@task
def give(values: Any) -> Any:
    """A task that returns data of 360Learning."""
    return get_current_context()["params"][values]


def dag_of(kind: type, **arguments: Any) -> DAG:
    params = {"all": [DOCUMENT, *NAMES], "one": DOCUMENT, "list": [DOCUMENT]}
    return DAG(f"render_{kind.__name__}", schedule=None, params=params, **arguments)


@every_kind
def test_output_of_another_task_is_data(kind: type) -> None:
    fields = list(kind.template_fields)
    with dag_of(kind) as dag:
        one, several = give.override(task_id="one")("one"), give.override(task_id="several")("list")
        for field in fields:
            showing(kind)(task_id=f"output_{field}", **{**needed(kind, field), field: one})
            showing(kind).partial(task_id=f"expand_{field}", **needed(kind, field)).expand(**{field: several})
    run = tried(dag)
    for field in fields:
        assert shown(run, f"output_{field}")[0][field] == DOCUMENT
        assert shown(run, f"expand_{field}")[0][field] == DOCUMENT


@every_kind
def test_expand_kwargs_is_data_and_partial_is_a_template(kind: type) -> None:
    fields = [name for name in kind.template_fields if name not in ALONE | {"learning_conn_id"}]
    assert len(fields) > 0
    conn = {"learning_conn_id": "{{ 'from' + '_author' }}"} if "learning_conn_id" in kind.template_fields else {}
    with dag_of(kind) as dag:
        values = give("all")
        rest = needed(kind, *fields)
        mapped = values.map(lambda one: dict.fromkeys(fields, one))
        showing(kind).partial(task_id="mapped", **rest, **conn).expand_kwargs(mapped)

        @task
        def dictionaries(values: Any) -> Any:
            return [dict.fromkeys(fields, one) for one in values]

        showing(kind).partial(task_id="whole", **rest, **conn).expand_kwargs(dictionaries(values))
    run = tried(dag)
    for task_id in ("mapped", "whole"):
        for value, found in zip([DOCUMENT, *NAMES], shown(run, task_id), strict=True):
            assert {name: found[name] for name in fields} == dict.fromkeys(fields, value)
            assert found.get("learning_conn_id", "from_author") == "from_author"


@every_kind
@pytest.mark.parametrize(("native", "text"), [(True, "{{ 7*7 }}"), (False, "Cours {# 3")], ids=["native", "text"])
def test_authors_template_is_rendered_once_wherever_it_is(kind: type, native: bool, text: str) -> None:
    fields = [name for name in kind.template_fields if name not in ALONE | NAMED]
    pull, word = "{{ dag_run.conf['name'] }}", "{{ 'al' + 'pha' }}"
    with dag_of(kind, render_template_as_native_obj=native) as dag:
        rest = needed(kind, *fields)
        showing(kind)(task_id="plain", **rest, **dict.fromkeys(fields, pull))
        showing(kind)(task_id="nested", **rest, **{name: [{"a": pull}, word] for name in fields})
        showing(kind).partial(task_id="partial", **rest, **dict.fromkeys(fields[1:], word)).expand(
            **{fields[0]: [pull, {"b": pull}, word]}
        )
        showing(kind).partial(task_id="literal", **rest).expand_kwargs(
            [dict.fromkeys(fields, pull), {name: {"c": word} for name in fields}]
        )
    run = tried(dag, run_conf={"name": text})
    assert shown(run, "plain") == [dict.fromkeys(fields, text) | _default(kind)]
    assert shown(run, "nested") == [{name: [{"a": text}, "alpha"] for name in fields} | _default(kind)]
    assert [one[fields[0]] for one in shown(run, "partial")] == [text, {"b": text}, "alpha"]
    assert {one[field] for one in shown(run, "partial") for field in fields[1:]} <= {"alpha"}
    first, second = shown(run, "literal")
    assert (first[fields[0]], second[fields[-1]]) == (text, {"c": "alpha"})


def _default(kind: type) -> dict[str, Any]:
    return {name: needed(kind).get(name) for name in kind.template_fields if name in ALONE | NAMED}


@pytest.mark.parametrize("value", one_in(3, [DOCUMENT, *NAMES]), ids=lambda value: str(value)[:20])
def test_pulled_document_is_data(value: Any) -> None:
    kind = ProgramSessionModifiedSensor
    pull = "{{ ti.xcom_pull('value') }}"
    with DAG("pulled", schedule=None, params={"value": value}, render_template_as_native_obj=True) as dag:
        give.override(task_id="value")("value") >> showing(kind)(task_id="wait", session_id=ID, since=pull)
    assert shown(tried(dag), "wait")[0]["since"] == value


@pytest.mark.slow
def test_other_mappings_are_data() -> None:
    kind = showing(GetProgramSessionOperator)
    with DAG("ways", schedule=None, params={"all": NAMES, "one": {"session_id": NAMES[0]}}) as dag:
        names, one = give.override(task_id="names")("all"), give.override(task_id="one")("one")
        # An author's mapping with another task's output in it, and another task's output as the mapping.
        kind.partial(task_id="mixed").expand_kwargs([{"session_id": names}, one, {"session_id": "{{ 1 + 1 }}"}])
        kind.partial(task_id="list").expand(session_id=[one, "{{ 1 + 1 }}"])
        kind.partial(task_id="replaced", session_id="{{ 1 + 1 }}").expand_kwargs(
            names.map(lambda name: {"session_id": name}), strict=False
        )

        @task_group
        def each(name: Any) -> None:
            kind(task_id="grouped", session_id=name, fields=["{{ 'al' + 'pha' }}"])

        each.expand(name=names)
    run = tried(dag)
    assert [found["session_id"] for found in shown(run, "mixed")] == [NAMES, NAMES[0], "2"]
    assert [found["session_id"] for found in shown(run, "list")] == [{"session_id": NAMES[0]}, "2"]
    assert [found["session_id"] for found in shown(run, "replaced")] == NAMES
    grouped = shown(run, "each.grouped")
    assert [found["session_id"] for found in grouped] == NAMES
    assert {tuple(found["fields"]) for found in grouped} == {("alpha",)}


@pytest.mark.slow
def test_default_args_are_templates() -> None:
    kind = showing(GetProgramSessionOperator)
    conn = {"learning_conn_id": "{{ 'al' + 'pha' }}"}
    with DAG("defaults", schedule=None, params={"all": NAMES}, default_args=conn) as dag:
        mapped = give.override(task_id="names")("all").map(lambda name: {"session_id": name})
        kind.partial(task_id="dag").expand_kwargs(mapped)
        with TaskGroup("group", default_args={"learning_conn_id": "{{ 'gam' + 'ma' }}"}):
            kind.partial(task_id="inner").expand_kwargs(mapped)
    run = tried(dag)
    assert {found["learning_conn_id"] for found in shown(run, "dag")} == {"alpha"}
    assert {found["learning_conn_id"] for found in shown(run, "group.inner")} == {"gamma"}
    assert [found["session_id"] for found in shown(run, "dag")] == NAMES


@pytest.mark.parametrize("field", YAML_FIELDS)
def test_yaml_that_airflow_shows_is_not_rendered(field: str) -> None:
    written = "to: '{% for one in steps.late %}{{ one.mail }}{% endfor %}{{ conn.rooms.password }}{{ 7 * 7 }}'"
    with DAG("it"):
        operator = GetProgramSessionOperator(task_id="one", session_id="{{ id }}")
    setattr(operator, field, written)
    operator.template_fields = (*operator.template_fields, field)
    operator.render_template_fields({"id": ID})
    assert (operator.session_id, getattr(operator, field)) == (ID, written)


def test_second_rendering_changes_nothing() -> None:
    with DAG("twice", schedule=None):
        operator = GetProgramSessionOperator(task_id="get", session_id="{{ name }}", fields=["{{ name }}"])
    for _ in range(2):
        operator.render_template_fields({"name": "{{ 7*7 }}"})  # type: ignore[typeddict-unknown-key]
        assert (operator.session_id, operator.fields) == ("{{ 7*7 }}", ["{{ 7*7 }}"])


@pytest.mark.slow
@pytest.mark.learning360_simulator(sessions=5, learners=2, extra={"retry_attempts": 1})
def test_sensor_waits_for_sessions_whatever_their_names(
    learning360_simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_CANARY", '{"conn_type": "http", "password": "canary-0123456789"}')
    names = ["{{ conn.canary.password }}", *NAMES[1:]]
    for session_id, name in zip(learning360_simulator.session_ids, names, strict=True):
        learning360_simulator.edit(session_id, name=name)
    with DAG("wait_for_many", schedule=None) as dag:
        listed = ListProgramSessionsOperator(task_id="list", fields=["_id", "name", "modifiedAt"])

        @task
        def edit(_: Any) -> None:
            for session_id in learning360_simulator.session_ids:
                learning360_simulator.edit(session_id, startDate="2031-05-05T08:00:00.000Z")

        wait = ProgramSessionModifiedSensor.partial(task_id="wait", watch=["name"], poke_interval=0.1, timeout=20)
        mapped = wait.expand_kwargs(listed.output.map(lambda one: {"session_id": one, "since": one}))
        renamed = rename.override(task_id="rename")(list(learning360_simulator.session_ids), learning360_simulator.edit)
        edit(listed.output) >> renamed >> mapped
    run = tried(dag)
    assert run.state == "success"
    changes = results(run, "wait", "changes")
    assert [one["name"]["from"] for one in changes] == names
    assert "canary-0123456789" not in str([changes, results(run, "wait")])


@task
def rename(session_ids: list[str], edit: Any) -> None:
    for session_id in session_ids:
        edit(session_id, name="renamed")


@pytest.mark.parametrize(
    ("value", "is_one"),
    [
        ("plain", False),
        ("{ {", False),
        ("{{ ds }}", True),
        ("{% if x %}a{% endif %}", True),
        ("{# a #}", True),
        (["a", "{{ ds }}"], True),
        ({"days": "{{ n }}"}, True),
        ({"{{ key }}": 1}, False),
        (("a", {"b": ["{% c %}"]}), True),
        (None, False),
        (5, False),
        ([], False),
    ],
)
def test_template_is_recognized(value: Any, is_one: bool) -> None:
    assert is_template(value) is is_one


@given(text=st.text(alphabet="{}%# a", max_size=8))
def test_anything_airflow_would_render_is_a_template(text: str) -> None:
    import jinja2

    if not is_template(text):
        assert jinja2.Environment(keep_trailing_newline=True).from_string(text).render() == text


def test_output_of_another_task_is_known_later() -> None:
    with DAG("known", schedule=None):
        get = GetProgramSessionOperator(task_id="get", session_id=ID)
        for output in (get.output, get.output["name"], get.output.map(str), get.output.zip(get.output)):
            assert is_template(output)
            assert is_template([output])
            ProgramSessionModifiedSensor(task_id=f"wait_{id(output)}", session_id=ID, watch=output, fields=output)


@pytest.mark.parametrize("text", ["{% if true %}name{% endif %}", "{# the name #}name", "{{ 'na' + 'me' }}"])
def test_templates_are_checked_in_the_run(text: str) -> None:
    with DAG("kinds", schedule=None):
        sensor = ProgramSessionModifiedSensor(
            task_id="wait", session_id=ID, watch=[text], fields=[text], exclude=[text], since=text
        )
    sensor.render_template_fields({})  # type: ignore[typeddict-item]
    assert (sensor.watch, sensor.fields, sensor.since) == (["name"], ["name"], "name")


def test_every_operator_renders_safely() -> None:
    from airflow_provider_learning360.rendering import SafeRendering

    assert [kind.__name__ for kind in KINDS if not issubclass(kind, SafeRendering)] == []


@pytest.mark.slow
@pytest.mark.learning360_simulator(sessions=2, learners=2, extra={"retry_attempts": 1})
def test_deferred_mapped_sensors_are_named_by_their_sessions(learning360_simulator: Simulator) -> None:
    ids = learning360_simulator.session_ids
    for number, session_id in enumerate(ids):
        learning360_simulator.edit(session_id, name=f"Lyon {number}")
        edit = {"edit": {"session": session_id, "fields": {"startDate": "2031-05-05T08:00:00.000Z"}}}
        learning360_simulator.play({"when": {"path": session_id, "after_requests": 2}, "do": edit})
    with DAG("wait_deferred", schedule=None) as dag:
        wait = ProgramSessionModifiedSensor.partial(task_id="wait", poke_interval=0.1, timeout=60, deferrable=True)
        wait.expand(session_id=list(ids))
    run = tried(dag)
    assert run.state == "success"
    labels = {one.rendered_map_index for one in run.get_task_instances()}
    assert labels == {f"Lyon {number} ({session_id})" for number, session_id in enumerate(ids)}
