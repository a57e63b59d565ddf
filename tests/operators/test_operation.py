"""The operator that calls any operation: what it refuses when the DAG is parsed, what it reads, and what it pushes."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import tracemalloc
from typing import Any

import pytest

from airflow.providers.common.compat.sdk import DAG

from airflow_provider_learning360.api.errors import ContractError, FixArgumentError, ForbiddenError, NotFoundError
from airflow_provider_learning360.operators.operation import LearningOperationOperator
from airflow_provider_learning360.operators.program_session import ListProgramSessionsOperator
from operation_server import OperationServer, Reply
from simulator_process import SimulatorProcess
from versions import QUICK, VERSIONS, connect, simulated

ID, OTHER = "60b8d2956e20ae1a0f8e44f1", "60b8d2956e20ae1a0f8e44f2"
GROUP = {"_id": ID, "name": "Lyon", "public": False}
BAR = 16_000_000  # bytes


def call(operation: str, context: Any = None, **arguments: Any) -> Any:
    return LearningOperationOperator(task_id="call", operation=operation, **arguments).execute(context or {})


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.INFO)
    monkeypatch.setattr(LearningOperationOperator, "log", logging.getLogger("task"))
    return caplog


def warnings_in(log: pytest.LogCaptureFixture) -> list[str]:
    """Return the warnings of the operator; Airflow warns of calls outside of a task."""
    found = [one.getMessage() for one in log.records if one.levelno == logging.WARNING]
    return [one for one in found if "Task Runner" not in one]


def serve(monkeypatch: pytest.MonkeyPatch, version: str = "v2", **replies: list[Reply]) -> OperationServer:
    """Return a server for routes such as `GET /api/v2/groups`; a connection points at it."""
    server = OperationServer({key.replace("__", " "): value for key, value in replies.items()})
    connect(monkeypatch, server, version, **QUICK)
    return server


PARAMS = r"^params: userId is a parameter of the operation, but `params` are Airflow's own, .* `parameters` instead"
MISTAKES: list[tuple[dict[str, Any], str]] = [
    ({"operation": "list-path-session"}, r"^operation: .*; did you mean list-path-sessions\? `"),
    ({"operation": "no such thing"}, r"^operation: 'no such thing' is not an operation of 360Learning\. `"),
    ({"operation": 5}, r"^operation: 5 is not an operation"),
    ({"operation": "get-group"}, r"^get-group: parameters\.groupId: it is missing\. `airflow"),
    ({"parameters": ["x"]}, r"parameters: \['x'\] is not a mapping"),
    (
        {"parameters": {"modifedAt[gte]": "x"}},
        r"parameters\.modifedAt\[gte\]: .*did you mean modifiedAt\[gte\]\? (`|Also)",
    ),
    ({"parameters": {"modifiedAt": "x"}}, r"parameters\.modifiedAt: it needs an operator; write modifiedAt\[gte\] or"),
    ({"parameters": {"modifiedAt[gte]": "soon"}}, r"parameters\.modifiedAt\[gte\]: 'soon' is not a date and time"),
    ({"parameters": {"sessionId[in]": ["x"]}}, r"parameters\.sessionId\[in\]\.0: 'x' is not an ID: 24 characters"),
    ({"body": {"a": 1}}, r"body: the operation takes no body\."),
    ({"operation": "get-user", "parameters": None, "params": {"userId": ID}}, PARAMS),
    ({"pages": 0}, r"^pages: 0 is neither a whole number"),
    ({"pages": "two"}, r"^pages: 'two' is neither"),
    ({"operation": "get-user", "parameters": {"userId": ID}, "pages": 2}, r"^pages: get-user has no pages"),
    ({"fields": ["nme"]}, r"^fields: 'nme' is not a field of the answer of list-path-sessions; .*did you mean name\?$"),
    ({"fields": []}, r"^fields: no field is named, so nothing would be kept\. Leave it out for all fields\.$"),
    ({"fields": " , "}, r"^fields: no field is named"),
    ({"wait_for": "yes"}, r"^wait_for: 'yes' is neither true nor false\. Write True or False, without quotes\.$"),
    ({"wait_for": "{{ x }}"}, r"^wait_for: '\{\{ x \}\}' is neither true nor false"),
    ({"replace": "no"}, r"^replace: 'no' is neither true nor false"),
    ({"deferrable": "no"}, r"^deferrable: 'no' is neither true nor false"),
    ({"contract": "strong"}, r"^contract: 'strong' is not one of"),
    ({"wait_for": True}, r"^wait_for: list-path-sessions is not a bulk operation"),
    ({"wait_for": "yes"}, r"^wait_for: 'yes' is neither true nor false"),
    ({"fields": []}, r"^fields: no field is named"),
    ({"timeout": "1 h"}, r"^timeout: '1 h' is not a duration"),
    ({"timeout": float("nan")}, r"^timeout: nan is not a time from 0"),
    ({"timeout": 10**400}, r"^timeout: 1000.* is not a time from 0"),
    ({"timeout": {"days": 100_000_000}}, r"^timeout: .* is not a time from 0"),
    ({"poke_interval": -1}, r"^poke_interval: -1 is not a time from 0"),
    ({"wait_for": "false"}, r"^wait_for: 'false' is neither true nor false"),
    ({"replace": "false"}, r"^replace: 'false' is neither true nor false"),
    ({"replace": "{{ true }}"}, r"^replace: .* is neither true nor false"),
    ({"poke_interval": {"minute": 1}}, r"^poke_interval: .* is not a duration"),
    ({"dry_run": "perhaps"}, r"^dry_run: it is neither true nor false"),
    ({"max_xcom_bytes": 0}, r"^max_xcom_bytes: 0"),
    (
        {"operation": "replace-path-tags", "parameters": {"pathId": ID}, "body": {"tagIds": [ID]}},
        r"^replace: replace-path-tags replaces the tags of the path as a whole: .*Write replace=True if",
    ),
]


@pytest.mark.parametrize(("given", "message"), MISTAKES, ids=[message for _, message in MISTAKES])
def test_mistake_is_found_when_the_dag_is_parsed(given: dict[str, Any], message: str) -> None:
    arguments = {"operation": "list-path-sessions", **given}
    with DAG("mistakes", schedule=None):
        with pytest.raises(FixArgumentError, match=message):
            LearningOperationOperator(task_id="one", **arguments)
        if "replace:" not in message:  # without the argument, it is not known yet
            with pytest.raises(FixArgumentError, match=message):
                LearningOperationOperator.partial(task_id="partial", **{"parameters": {}, "body": None, **arguments})
        kwargs = {"parameters": None, "replace": False, **arguments}
        with pytest.raises(FixArgumentError, match=message):
            LearningOperationOperator.partial(task_id="kwargs").expand_kwargs([kwargs])


def test_misspelt_parameters_are_not_the_params_of_airflow() -> None:
    for name in ("param", "parameter", "paramters"):
        with pytest.raises(TypeError, match=f"has no argument '{name}'; use 'parameters'"):
            LearningOperationOperator(task_id="one", operation="list-users", **{name: {}})
    with DAG("with_params", schedule=None, params={"userId": ID}):
        with pytest.raises(FixArgumentError, match=r"^get-user: parameters\.userId: it is missing\."):
            LearningOperationOperator(task_id="one", operation="get-user")
        task = LearningOperationOperator(
            task_id="two", operation="get-user", parameters={"userId": "{{ params.id }}"}, params={"id": ID}
        )
        assert task.params["id"] == ID


def test_mapped_argument_is_checked_with_those_of_partial() -> None:
    with DAG("mapped", schedule=None):
        partial = LearningOperationOperator.partial(task_id="one", operation="get-user")
        with pytest.raises(FixArgumentError, match="'x' is not an ID"):
            partial.expand(parameters=[{"userId": ID}, {"userId": "x"}])
        create = LearningOperationOperator.partial(task_id="two", operation="create-group")
        with pytest.raises(FixArgumentError, match=r"body\.name: it is missing"):
            create.expand(body=[{"parentId": ID, "public": True}])


def test_what_is_not_known_yet_is_left_to_the_run() -> None:
    with DAG("later", schedule=None) as dag:
        found = ListProgramSessionsOperator(task_id="list")
        partial = LearningOperationOperator.partial(task_id="mapped", operation="get-user")
        partial.expand(parameters=found.output.map(lambda one: {"userId": one}))
        LearningOperationOperator(task_id="output", operation="get-user", parameters=found.output)
        LearningOperationOperator(task_id="inside", operation="get-user", parameters={"userId": found.output})
        LearningOperationOperator(task_id="body", operation="create-group", body="{{ params.group }}")
        LearningOperationOperator(task_id="text", operation="list-groups", pages="{{ params.pages }}", fields="{{ f }}")
    assert dag.get_task("output").upstream_task_ids == dag.get_task("inside").upstream_task_ids == {"list"}


def test_rendered_values_are_checked_in_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    with serve(monkeypatch) as server:
        operator = LearningOperationOperator(task_id="one", operation="get-user", parameters={"userId": "{{ x }}"})
        operator.parameters = {"userId": "nobody"}
        with pytest.raises(FixArgumentError, match=r"parameters\.userId: 'nobody' is not an ID"):
            operator.execute({})
        operator.parameters = {"userId": "{{ x }}"}  # what a run gave may look like a template
        with pytest.raises(FixArgumentError, match=r"parameters\.userId: .* is not an ID"):
            operator.execute({})
    assert server.calls == []


@pytest.mark.parametrize(
    ("operation", "version", "message"),
    [
        ("list-path-sessions", "v1", "list-path-sessions is an operation of API v2, and the connection uses API v1"),
        ("list-program-sessions-v1", "v2", "Use list-path-sessions instead, or a connection"),
    ],
)
def test_operation_of_the_other_version_is_refused(
    operation: str, version: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serve(monkeypatch, version) as server, pytest.raises(FixArgumentError, match=message):
        call(operation)
    assert server.seen == []


@pytest.mark.parametrize("version", VERSIONS)
def test_list_of_sessions_through_either_version(
    version: str, monkeypatch: pytest.MonkeyPatch, log: pytest.LogCaptureFixture
) -> None:
    name = "list-program-sessions-v1" if version == "v1" else "list-path-sessions"
    with simulated(monkeypatch, version, sessions=7, learners=2, page_size=3) as simulator:
        items = call(name, fields=["_id"])
        assert sorted(one["_id"] for one in items) == sorted(simulator.session_ids)
        assert all(set(one) == {"_id"} for one in items)
    pages = "1 page." if version == "v1" else "3 pages."
    assert f"{name} returned 200: 7 items, {pages}" in log.text
    assert not [one for one in simulator.session_ids if one in log.text]


def test_pages_limits_how_many_are_read(monkeypatch: pytest.MonkeyPatch, log: pytest.LogCaptureFixture) -> None:
    with simulated(monkeypatch, "v2", sessions=7, learners=1, page_size=3):
        assert len(call("list-path-sessions", pages="2")) == 6
    assert "6 items, 2 pages. There are more pages." in log.text


def test_document_stands_for_its_id(monkeypatch: pytest.MonkeyPatch) -> None:
    with simulated(monkeypatch, "v2", sessions=3, learners=1) as simulator:
        session = {"_id": simulator.session_ids[1], "name": "{{ not rendered }}"}
        (item,) = call("list-path-sessions", parameters={"sessionId[in]": [session]})
        assert item["_id"] == simulator.session_ids[1]
    with simulated(monkeypatch, "v1", sessions=3, learners=1) as simulator:
        session = {"_id": simulator.session_ids[1]}
        assert call("get-program-session-v1", parameters={"session_id": session})["_id"] == session["_id"]


def test_parameters_and_body_are_sent_as_documented(monkeypatch: pytest.MonkeyPatch) -> None:
    replies = [Reply({**GROUP, "name": "Été"}, 201)]
    with serve(monkeypatch, **{"POST__/api/v2/groups": replies}) as server:
        call("create-group", body={"name": "Été", "parentId": ID, "public": False}, contract="ignore")
        with pytest.raises(NotFoundError):
            call("list-users", parameters={"mail[eq]": "a+b@example.com", "status[ne]": "deleted"})
    create, users = [one for one in server.seen if "token" not in one.path]
    assert json.loads(create.body) == {"name": "Été", "parentId": ID, "public": False}
    assert create.headers["content-type"] == "application/json"
    assert create.headers["360-api-version"]
    assert sorted(users.query) == [("mail[eq]", "a+b@example.com"), ("status[ne]", "deleted")]


def test_list_of_texts_is_pushed_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    path = f"/api/v2/users/{ID}/managers"
    link = {"Link": f'<{path}?after=1>; rel="next"'}
    with serve(monkeypatch, **{f"GET__{path}": [Reply([ID], headers=link), Reply([OTHER])]}):
        assert call("list-user-managers", parameters={"userId": ID}) == [ID, OTHER]


def test_write_that_returns_a_list_is_sent_as_a_write(monkeypatch: pytest.MonkeyPatch) -> None:
    path = f"/api/v2/paths/{ID}/tags"
    with serve(monkeypatch, **{f"PUT__{path}": [Reply([OTHER])]}) as server:
        body = _example_body("replace-path-tags")
        assert call("replace-path-tags", parameters={"pathId": ID}, body=body, replace=True) == [OTHER]
    assert server.calls == [f"PUT {path}"]


def _example_body(name: str) -> Any:
    from airflow_provider_learning360.api.catalogue.catalogue import find_operation
    from airflow_provider_learning360.api.catalogue.differences import resolve

    operation = find_operation(name)
    assert operation.body is not None
    schema = resolve(operation.body["schema"], operation.schemas)
    return {field: [OTHER] for field in schema["required"]}


def test_file_is_pushed_as_json(monkeypatch: pytest.MonkeyPatch) -> None:
    from airflow_provider_learning360.api.catalogue.catalogue import find_operation

    operation = find_operation("get-user-certificate-pdf")
    parameters = {one.name: ID for one in operation.parameters}
    path = operation.path
    for name in parameters:
        path = path.replace(f"{{{name}}}", ID)
    pdf = Reply(b"%PDF-1.7 \xff\x00", headers={"Content-Type": "application/pdf; charset=binary"})
    with serve(monkeypatch, **{f"GET__{path}": [pdf]}):
        value = call(operation.name, parameters=parameters)
    assert value == {"contentType": "application/pdf", "size": 11, "base64": "JVBERi0xLjcg/wA="}


def test_drift_is_one_warning_with_names_only(monkeypatch: pytest.MonkeyPatch, log: pytest.LogCaptureFixture) -> None:
    groups = [{**GROUP, "colour": "secret-red"}, {**GROUP, "colour": "secret-blue", "name": 5}]
    with serve(monkeypatch, **{"GET__/api/v2/groups": [Reply(groups)]}):
        assert call("list-groups", fields="name,") == [{"name": "Lyon"}, {"name": 5}]
        with pytest.raises(ContractError, match="unknown: colour"):
            call("list-groups", contract="strict")
        warnings = warnings_in(log)
        call("list-groups", contract="ignore")
    assert len(warnings) == 1
    assert "The answer of list-groups differs from 360Learning's documentation" in warnings[0]
    assert "colour" in warnings[0]
    assert "secret" not in log.text
    assert warnings_in(log) == warnings


def test_unreadable_items_are_left_out(monkeypatch: pytest.MonkeyPatch, log: pytest.LogCaptureFixture) -> None:
    with serve(monkeypatch, **{"GET__/api/v2/groups": [Reply([GROUP, "oops", 5])]}):
        assert len(call("list-groups")) == 1
        with pytest.raises(ContractError, match="The list of list-groups has 2 entries that cannot be read"):
            call("list-groups", contract="strict")
    assert "The first is number 2: it is not an object. Continuing without." in log.text


def test_list_of_which_nothing_can_be_read_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    with serve(monkeypatch, **{"GET__/api/v2/groups": [Reply(["oops"])]}), pytest.raises(ContractError):
        call("list-groups")


def test_size_of_the_answer_is_limited(monkeypatch: pytest.MonkeyPatch, log: pytest.LogCaptureFixture) -> None:
    groups = [{**GROUP, "name": "x" * 1000}] * 1100
    with serve(monkeypatch, **{"GET__/api/v2/groups": [Reply(groups)]}):
        with pytest.raises(FixArgumentError, match="The answer of list-groups has .* more than max_xcom_bytes=1,000"):
            call("list-groups", max_xcom_bytes=1000)
        call("list-groups", contract="ignore")
    assert "The answer of list-groups has 1," in log.text


def test_missing_scope_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    refused = Reply({"error": {"code": "invalid_scope"}}, 403)
    with serve(monkeypatch, **{"GET__/api/v2/groups": [refused]}), pytest.raises(ForbiddenError) as caught:
        call("list-groups")
    assert "groups:read" in str(caught.value)
    assert "list-groups" in str(caught.value)


@pytest.mark.slow
@pytest.mark.parametrize("version", VERSIONS)
def test_long_list_takes_little_memory_beside_its_items(version: str, monkeypatch: pytest.MonkeyPatch) -> None:
    name = "list-program-sessions-v1" if version == "v1" else "list-path-sessions"
    with SimulatorProcess(sessions=10_000, learners=20) as simulator:
        connect(monkeypatch, simulator, version, requests_per_second=1000)
        call(name, fields=["_id"], pages=1)  # what is imported and opened once does not count
        tracemalloc.start()
        try:
            items = call(name, fields=["_id", "name"])
            held, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert len(items) == 10_000
    assert peak - held < BAR


@pytest.mark.slow
def test_catalogue_is_read_when_a_dag_has_an_operation() -> None:
    code = (
        "import sys\n"
        "from airflow_provider_learning360.operators.program_session import GetProgramSessionOperator\n"
        "before = set(sys.modules)\n"
        "from airflow_provider_learning360.operators.operation import LearningOperationOperator\n"
        "print([one for one in set(sys.modules) - before if 'learning360' not in one or 'catalogue' in one])\n"
        "sys.modules.pop('jsonschema', None)\n"
        "LearningOperationOperator(task_id='one', operation='list-path-sessions', parameters={'pathId[eq]': '"
        + ID
        + "'})\n"
        "print('jsonschema' in sys.modules, 'requests' in sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    first, last = done.stdout.splitlines()[-2:]
    assert first == "[]"
    assert last == "True False"
