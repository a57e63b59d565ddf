"""Every documented operation gets an answer from the simulator: through the hook, as documented."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import jsonschema
import pytest

from airflow_provider_learning360.api.catalogue.arguments import build_request
from airflow_provider_learning360.api.catalogue.calls import OperationCall
from airflow_provider_learning360.api.catalogue.catalogue import find_operation, load_operations
from airflow_provider_learning360.api.catalogue.operation import Operation
from airflow_provider_learning360.api.errors import ForbiddenError, LearningError, NotFoundError
from airflow_provider_learning360.api.messages import Request
from airflow_provider_learning360.hooks.learning import LearningHook
from airflow_provider_learning360.simulator import Simulator
from airflow_provider_learning360.simulator.documented import list_scopes, load_documented
from case_samples import each_operation, one_in
from operation_calls import build_call, make_body, make_parameters, make_sampler
from versions import QUICK, connect, simulated

OPERATIONS = load_operations()
ALL_OF_V2 = [one for one in OPERATIONS.values() if one.version == "v2"]
WITH_ID = [one for one in ALL_OF_V2 if any(p.place == "path" and "pattern" in p.schema for p in one.parameters)]
# No bulk operation was started; the answer is an empty object; all values are removed.
WITHOUT_VALUE = (
    "list-bulk-operations",
    "edit-user-certificates-privacy-level",
    "replace-path-session-custom-field-values",
)
# What has to be done before, so that each operation can be tried alone.
AFTER = {
    "unenrol-group-from-program-session-v1": "enrol-group-in-program-session-v1",
    "unenrol-groups-from-path-session-v1": "enrol-groups-in-path-session-v1",
}
UNKNOWN = "f" * 20 + "0000"


@pytest.fixture(scope="module")
def simulators() -> Iterator[dict[str, Simulator]]:
    """A simulator for each version, and one with small pages; each has a connection of the same name."""
    small = {"sessions": 3, "learners": 3, "page_size": 2}
    with pytest.MonkeyPatch.context() as patch, Simulator() as v1, Simulator() as v2, Simulator(**small) as pages:
        simulators = {"v1": v1, "v2": v2, "small_pages": pages}
        for name, simulator in simulators.items():
            connect(patch, simulator, "v1" if name == "v1" else "v2", conn_id=name, **QUICK)
        yield simulators


@pytest.fixture
def v2(monkeypatch: pytest.MonkeyPatch) -> Iterator[Simulator]:
    with simulated(monkeypatch, "v2") as simulator:
        yield simulator


def run(call: OperationCall, conn_id: str = "learning360_default") -> Any:
    hook = LearningHook(conn_id)
    return hook.run_plan(hook.platform.call_operation(call))


def call(name: str, parameters: dict[str, Any] | None = None, body: Any = None, **options: Any) -> Any:
    return run(OperationCall.build(find_operation(name), parameters, body, **options))


def send(operation: Operation, parameters: dict[str, Any], body: Any, conn_id: str = "learning360_default") -> Any:
    """Send a body that the client would refuse."""
    request = build_request(operation, parameters, make_body(operation))
    content = json.dumps(body).encode()
    headers = {"Content-Type": "application/json"}
    return run(
        OperationCall(operation, Request(request.method, request.path, request.query, headers, content)), conn_id
    )


def test_simulator_knows_the_operations_of_the_catalogue() -> None:
    documented = {one.name: one.path for version in ("v1", "v2") for one in load_documented(version)}
    assert documented == {one.name: one.path for one in OPERATIONS.values()}


@each_operation(OPERATIONS.values())
def test_operation_is_answered_as_documented(simulators: dict[str, Simulator], operation: Operation) -> None:
    simulator = simulators[operation.version]
    if operation.name in AFTER:
        run(build_call(OPERATIONS[AFTER[operation.name]], simulator), operation.version)
    seen = len(simulator.requests)
    answer = run(build_call(operation, simulator), operation.version)
    assert answer.status == operation.data["answer"]["status"]
    assert not answer.drift
    if operation.version == "v2" and operation.name not in WITHOUT_VALUE:
        assert bool(answer.value) == ("schema" in operation.data["answer"])
    assert bool(answer.location) == operation.is_asynchronous
    last = simulator.requests[-1]
    assert len(simulator.requests) > seen
    assert (last.method, last.status) == (operation.method, answer.status)


@each_operation([one for one in OPERATIONS.values() if one.version == "v1" and one.is_read])
def test_read_of_v1_has_content(simulators: dict[str, Simulator], operation: Operation) -> None:
    value = run(build_call(operation, simulators["v1"]), "v1").value
    assert value
    assert isinstance(value, list) == operation.is_list
    assert isinstance(value, list | dict)


@each_operation([one for one in ALL_OF_V2 if "schema" in one.data["answer"] and "type" not in one.data["answer"]])
def test_sample_is_valid_by_json_schema(operation: Operation) -> None:
    schema = operation.data["answer"]["schema"]
    for seed in ("a", "b", "c"):
        sample = make_sampler(operation).make(schema, seed)
        assert sample == make_sampler(operation).make(schema, seed)
        jsonschema.validate(sample, operation.bundle(schema), jsonschema.Draft202012Validator)


@each_operation([one for one in ALL_OF_V2 if one.has_pages and not one.name.startswith("list-bulk-operation")])
def test_list_has_pages(simulators: dict[str, Simulator], operation: Operation) -> None:
    whole = run(build_call(operation, simulators["small_pages"]), "small_pages")
    first = run(build_call(operation, simulators["small_pages"], pages=1), "small_pages")
    assert whole.pages == (len(whole.value) + 1) // 2
    assert (first.value, first.has_more) == (whole.value[:2], len(whole.value) > 2)
    assert len({json.dumps(one) for one in whole.value}) == len(whole.value)


@each_operation([one for one in WITH_ID if "404" in one.data.get("errors", {})])
@pytest.mark.breaks_contract("a JSON body where multipart is documented; the answer comes first")
def test_unknown_id_is_404(simulators: dict[str, Simulator], operation: Operation) -> None:
    parameters = make_parameters(operation, simulators["v2"])
    name = next(one.name for one in operation.parameters if one.place == "path" and "pattern" in one.schema)
    request = build_request(operation, parameters | {name: UNKNOWN}, make_body(operation))
    with pytest.raises(NotFoundError) as caught:
        run(OperationCall(operation, request), "v2")
    assert caught.value.code in operation.data["errors"]["404"]


def test_unknown_id_has_the_code_of_its_kind(v2: Simulator) -> None:
    ids = {"classroomId": "a" * 24, "classroomSlotId": UNKNOWN}
    with pytest.raises(NotFoundError, match="classroomSlotNotFound"):
        call("delete-classroom-slot", ids)
    with pytest.raises(NotFoundError, match="classroomNotFound"):
        call("delete-classroom-slot", ids | {"classroomId": UNKNOWN})


def test_unknown_user_of_v1_is_400(monkeypatch: pytest.MonkeyPatch) -> None:
    with simulated(monkeypatch, "v1"), pytest.raises(LearningError) as caught:
        call("get-user-v1", {"user_email_or_id": UNKNOWN})
    assert (caught.value.status, caught.value.code) == (400, "user_not_found")


@pytest.mark.parametrize("scope", one_in(5, list_scopes()))
def test_missing_scope_is_named(monkeypatch: pytest.MonkeyPatch, scope: str) -> None:
    with Simulator(sessions=1, scopes=set(list_scopes()) - {scope}) as simulator:
        connect(monkeypatch, simulator, "v2", **QUICK)
        for operation in ALL_OF_V2:
            if operation.data["scope"] == scope:
                with pytest.raises(ForbiddenError) as caught:
                    run(build_call(operation, simulator))
                assert scope in str(caught.value)


@pytest.mark.breaks_contract("wrong bodies")
@each_operation([one for one in OPERATIONS.values() if one.body is not None and "type" not in one.body])
def test_wrong_body_is_400(simulators: dict[str, Simulator], operation: Operation) -> None:
    parameters = make_parameters(operation, simulators[operation.version])
    with pytest.raises(LearningError) as caught:
        send(operation, parameters, {"nosuch": 1}, operation.version)
    assert caught.value.status == 400


@pytest.mark.breaks_contract("wrong bodies")
@pytest.mark.parametrize(
    ("body", "place"),
    [
        ({}, "'groupId' is a required property"),
        ({"groupId": "a" * 24, "name": 5}, "body.name: must be type"),
        ({"groupId": "x", "name": "Room 5"}, "body.groupId: must be pattern"),
    ],
)
def test_wrong_body_is_described(v2: Simulator, body: dict[str, Any], place: str) -> None:
    with pytest.raises(LearningError, match="badRequest"):
        send(find_operation("create-classroom"), {}, body)
    assert v2.requests[-1].status == 400


def test_read_repeats_the_ids_of_its_path(v2: Simulator) -> None:
    ids = {"classroomId": "a1" * 12}
    assert call("get-classroom", ids).value["_id"] == ids["classroomId"]
    assert {one["classroomId"] for one in call("list-classroom-slots", ids).value} == {ids["classroomId"]}
    assert ids["classroomId"] not in {one["_id"] for one in call("list-classroom-slots", ids).value}


def test_write_repeats_the_fields_of_its_body(v2: Simulator) -> None:
    body = {"name": "Room 5", "groupId": "a1" * 12}
    made = call("create-classroom", body=body).value
    assert made | body == made
    assert made["_id"] != call("create-classroom", body=body).value["_id"]
    edited = call("edit-classroom", {"classroomId": made["_id"]}, {"name": "Room 6"}).value
    assert (edited["_id"], edited["name"]) == (made["_id"], "Room 6")
    values = {"customValues": [{"customFieldId": "b1" * 12, "type": "string", "value": "Lyon"}]}
    stored = call("replace-user-custom-field-values", {"userId": "a1" * 12}, values).value
    assert [one["value"] for one in stored] == ["Lyon"]


@pytest.mark.parametrize(
    ("name", "parameters", "field", "expected"),
    [
        ("list-tags", {"isMain[eq]": True}, "isMain", {True}),
        ("list-courses", {"status[eq]": "archived"}, "status", {"archived"}),
        ("list-courses", {"groupId[eq]": "a1" * 12}, "groupId", {"a1" * 12}),
        ("list-classrooms", {"groupId[in]": ["a1" * 12, "b1" * 12]}, "groupId", {"a1" * 12, "b1" * 12}),
        ("list-skills", {"status[ne]": "archived"}, "status", {"published"}),
        ("list-webhook-subscriptions", {"eventType[nin]": ["user.created"]}, "eventType", None),
    ],
)
def test_items_meet_the_filters(
    v2: Simulator, name: str, parameters: dict[str, Any], field: str, expected: set[Any] | None
) -> None:
    found = {one[field] for one in call(name, parameters).value}
    assert found == expected if expected else "user.created" not in found


def test_items_meet_filters_of_dates(v2: Simulator) -> None:
    first, last = "2030-01-01T00:00:00.000Z", "2020-01-01T00:00:00.000Z"
    assert all(one["createdAt"] >= first for one in call("list-courses", {"createdAt[gte]": first}).value)
    assert all(one["createdAt"] < last for one in call("list-courses", {"createdAt[lt]": last}).value)
    assert call("list-courses", {"createdAt[gte]": first, "createdAt[lt]": last}).value == []


@pytest.mark.breaks_contract("wrong filters")
@pytest.mark.parametrize(
    "query", [("color[eq]", "red"), ("status[gte]", "archived"), ("status[eq]", "lost"), ("next", "abc")]
)
def test_unknown_filter_operator_or_value_is_400(v2: Simulator, query: tuple[str, str]) -> None:
    operation = find_operation("list-courses")
    with pytest.raises(LearningError, match="invalidQuery"):
        run(OperationCall(operation, Request("GET", operation.path, (query,))))


@pytest.mark.slow
def test_bulk_operation_is_carried_out_step_by_step(monkeypatch: pytest.MonkeyPatch) -> None:
    with simulated(monkeypatch, "v2", page_size=2):
        member = {"groupId": "a1" * 12, "role": "learner"}
        body = {"input": [{**member, "userId": one} for one in ("b1" * 12, UNKNOWN, "c1" * 12)]}
        location = call("bulk-add-users-to-groups", body=body).location
        bulk = {"bulkOperationId": location.rpartition("/")[2]}
        assert location == f"/api/v2/bulk/operations/{bulk['bulkOperationId']}"
        with pytest.raises(LearningError, match="bulkOperationNotRun"):
            call("list-bulk-operation-results", bulk)
        states = [call("get-bulk-operation", bulk).value for _ in range(4)]
        results = call("list-bulk-operation-results", bulk)
        listed = call("list-bulk-operations", {"status[eq]": "completed", "type[eq]": "addUsersToGroups"}).value
        none = call("list-bulk-operations", {"status[eq]": "running"}).value
    assert [one["status"] for one in states] == ["pending", "running", "completed", "completed"]
    assert {one["type"] for one in states} == {"addUsersToGroups"}
    assert [one["status"] for one in results.value] == ["success", "error", "success"]
    assert [one["input"] for one in results.value] == body["input"]
    assert results.pages == 2
    assert [one["_id"] for one in listed] == [bulk["bulkOperationId"]]
    assert none == []


@each_operation([one for one in OPERATIONS.values() if one.is_asynchronous])
def test_kind_of_a_bulk_operation_is_documented(simulators: dict[str, Simulator], operation: Operation) -> None:
    location = run(build_call(operation, simulators["v2"]), "v2").location
    bulk = OperationCall.build(find_operation("get-bulk-operation"), {"bulkOperationId": location.rpartition("/")[2]})
    assert not run(bulk, "v2").drift


@pytest.mark.breaks_contract("wrong bodies")
def test_too_many_items_are_invalid_input(v2: Simulator) -> None:
    with pytest.raises(LearningError, match="invalidInput"):
        send(find_operation("bulk-delete-groups"), {}, {"input": [{}]})


def test_certificate_is_a_pdf(v2: Simulator, connect_v2: Any) -> None:
    with connect_v2(v2) as client:
        response = client.get(f"/api/v2/users/{'a1' * 12}/certificates/{'b1' * 12}/pdf")
    assert response.headers["Content-Type"] == "application/pdf"
    assert response.content.startswith(b"%PDF-")
    assert response.content.rstrip().endswith(b"%%EOF")


@pytest.mark.breaks_contract("wrong bodies")
def test_file_must_be_sent_as_multipart(v2: Simulator) -> None:
    operation = find_operation("upload-user-media")
    with pytest.raises(LearningError, match="badRequest"):
        send(operation, {"userId": "a1" * 12}, {})


@pytest.mark.breaks_contract("the contract does not say how lists are named in a form")
def test_lists_and_objects_of_a_form_are_read(v2: Simulator) -> None:
    ids = ["b1" * 12, "c1" * 12]
    body = {"name": "First aid", "authorId": "a1" * 12, "groupId": "a1" * 12, "coAuthorIds": ids}
    options = {"linearProgression": True, "displayForum": False}
    made = call("create-path", body=body | {"options": options}).value
    assert (made["name"], made["coAuthorIds"]) == ("First aid", ids)
    assert made["options"] | options == made["options"]


@pytest.mark.breaks_contract("the contract does not say how lists are named in a form")
@pytest.mark.parametrize("name", ["coAuthorIds", "coAuthorIds[]"])
def test_list_of_a_form_may_repeat_its_name(v2: Simulator, connect_v2: Any, name: str) -> None:
    ids = ["b1" * 12, "c1" * 12]
    fields = [("name", "First aid"), ("authorId", "a1" * 12), ("groupId", "a1" * 12), *((name, one) for one in ids)]
    with connect_v2(v2) as client:
        response = client.post("/api/v2/paths", files=[(key, (None, value)) for key, value in fields])
    assert (response.status_code, response.json()["coAuthorIds"]) == (201, ids)


def test_v1_answers_with_the_sessions_of_the_simulator(monkeypatch: pytest.MonkeyPatch) -> None:
    with simulated(monkeypatch, "v1", sessions=3) as simulator:
        session = simulator.session(simulator.session_ids[0])
        listed = call("list-path-sessions-v1").value
        learner = call("list-user-program-sessions-v1", {"user_email_or_id": session["users"][0]["mail"]}).value
        deleted = call("list-users-v1", {"deleted": True}).value
    assert [one["sessionId"] for one in listed] == simulator.session_ids
    assert session["_id"] in {one["_id"] for one in learner}
    assert {one.get("mail") for one in deleted} >= {"former.learner1@example.com"}


def test_malformed_id_of_v1_is_an_unknown_route(client: Any) -> None:
    response = client.get("/api/v1/programs/templates/template")
    assert (response.status_code, response.json()["message"]) == (404, "Not Found")


@pytest.mark.breaks_contract("a role that is not documented")
def test_unknown_role_is_an_unknown_route(v2: Simulator, connect_v2: Any) -> None:
    with connect_v2(v2) as client:
        response = client.post(f"/api/v2/groups/{'a1' * 12}/owner/{'b1' * 12}")
    assert (response.status_code, response.json()["message"]) == (404, "Not Found")


def test_company_without_sessions_answers_v1(monkeypatch: pytest.MonkeyPatch) -> None:
    with simulated(monkeypatch, "v1", sessions=0), pytest.raises(NotFoundError):
        call("get-path-session-v1", {"session_id": "a1" * 12})
