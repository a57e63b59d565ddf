"""Writes: what must not be sent twice is sent once, whatever happens; a dry run sends nothing and shows nobody."""

from __future__ import annotations

import asyncio
import json
import logging
from datetime import UTC, datetime
from email import message_from_bytes
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from airflow.providers.common.compat.sdk import DAG, AirflowFailException

from airflow_provider_learning360.api.catalogue.calls import OperationCall
from airflow_provider_learning360.api.catalogue.catalogue import find_operation, load_operations
from airflow_provider_learning360.api.catalogue.unknown_outcome import find_read
from airflow_provider_learning360.api.errors import (
    ContractError,
    FixArgumentError,
    LearningError,
    RateLimitedError,
    UnavailableError,
    UnknownOutcomeError,
    UnreachableError,
)
from airflow_provider_learning360.hooks.learning_async import LearningAsyncHook
from airflow_provider_learning360.operators.operation import LearningOperationOperator
from airflow_provider_learning360.operators.sent_request import KEY
from airflow_provider_learning360.policies.retry import HAS_RETRY_POLICIES, LearningRetryPolicy
from airflow_provider_learning360.uploaded_files import read_files
from operation_server import OperationServer, Reply, Store
from ports import free_port
from versions import VERSIONS, connect, simulated

ID, OTHER = "60b8d2956e20ae1a0f8e44f1", "60b8d2956e20ae1a0f8e44f2"
BODY = {"name": "Lyon", "parentId": ID, "public": False}
GROUP = Reply({"_id": OTHER, "name": "Lyon", "public": False}, 201)
GROUP_ID = {"groupId": ID}
ROUTE = "POST /api/v2/groups"
REPEATABLE = f"PATCH /api/v2/groups/{ID}"
UNKNOWN = {
    "no response in time": Reply(end="hang"),
    "closed": Reply(end="close"),
    "body cut": Reply(GROUP.body, 201, end="cut"),
    **{str(status): Reply({"error": "oops"}, status) for status in (500, 501, 502, 503, 504)},
    **{str(status): Reply(b"", status, {"Location": "/done"}) for status in (302, 303)},
}
each_unknown = pytest.mark.parametrize("reply", UNKNOWN.values(), ids=UNKNOWN)


def create(context: Any = None, **arguments: Any) -> Any:
    operator = LearningOperationOperator(task_id="one", operation="create-group", body=BODY, **arguments)
    return operator.execute({} if context is None else context)


def serve(monkeypatch: pytest.MonkeyPatch, replies: dict[str, list[Reply]], **extra: Any) -> OperationServer:
    server = OperationServer(replies)
    connect(monkeypatch, server, "v2", **{"timeout": 1, "retry_attempts": 3, "requests_per_second": 1000, **extra})
    return server


@pytest.fixture(autouse=True)
def no_backoff(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("airflow_provider_learning360.api.retries.MIN_BACKOFF", 0.01)


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.INFO)
    monkeypatch.setattr(LearningOperationOperator, "log", logging.getLogger("task"))
    return caplog


@each_unknown
def test_once_is_sent_once_after_an_unknown_outcome(reply: Reply, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store()
    with serve(monkeypatch, {ROUTE: [reply, GROUP]}) as server:
        with pytest.raises(UnknownOutcomeError) as caught:
            create({"task_state_store": store})
        assert server.calls == [ROUTE]
        text = str(caught.value)
        assert text.startswith("POST /api/v2/groups ")
        assert "The request may or may not have been carried out, so it is not sent again." in text
        assert "Find out with the operation list-groups." in text
        assert text.endswith("To send it again on purpose, clear the task.")
        assert not caught.value.retryable
        assert store.rows == {}  # the error says so: a cleared task sends again
        assert create({"task_state_store": store})["_id"] == OTHER


@each_unknown
def test_once_is_sent_once_from_a_coroutine_too(reply: Reply, monkeypatch: pytest.MonkeyPatch) -> None:
    call = OperationCall.build(find_operation("create-group"), None, BODY)

    async def send() -> None:
        async with LearningAsyncHook() as hook:
            platform = await hook.get_platform()
            await hook.run_plan(platform.call_operation(OperationCall.build(find_operation("list-groups"))))
            await hook.run_plan(platform.call_operation(call))  # on the connection that is open

    with serve(monkeypatch, {ROUTE: [reply, GROUP], "GET /api/v2/groups": [Reply([])]}) as server:
        with pytest.raises(UnknownOutcomeError, match="Find out with the operation list-groups"):
            asyncio.run(send())
        assert server.calls == ["GET /api/v2/groups", ROUTE]


@pytest.mark.parametrize("reply", [Reply(end="close"), Reply({"error": "oops"}, 503)], ids=["closed", "503"])
def test_repeatable_is_sent_again(reply: Reply, monkeypatch: pytest.MonkeyPatch) -> None:
    with serve(monkeypatch, {REPEATABLE: [reply, Reply(GROUP.body)]}) as server:
        operator = LearningOperationOperator(
            task_id="one", operation="edit-group", parameters={"groupId": ID}, body={"name": "Lyon"}
        )
        assert operator.execute({})["name"] == "Lyon"
        assert server.calls == [REPEATABLE, REPEATABLE]


def test_what_proves_that_nothing_was_done_stays_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    refusals = [Reply({"error": "too many"}, 429, {"Retry-After": "0"}), GROUP]
    with serve(monkeypatch, {ROUTE: refusals}) as server:
        assert create()["_id"] == OTHER
        assert server.calls == [ROUTE, ROUTE]
    with (
        serve(monkeypatch, {ROUTE: [Reply({"error": "too many"}, 429)]}, retry_attempts=1),
        pytest.raises(RateLimitedError),
    ):
        create()
    with serve(monkeypatch, {ROUTE: [Reply({"error": {"code": "groupNameTaken"}}, 409)]}), pytest.raises(ContractError):
        create()


@pytest.mark.parametrize("host", ["refused", "unknown name"])
def test_request_that_never_left_may_be_retried(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store()
    with serve(monkeypatch, {}) as server:
        url = f"http://127.0.0.1:{free_port()}" if host == "refused" else "http://no-such-host.invalid"
        connection = {"conn_type": "learning360", "host": server.url, "login": "x", "password": "y"}
        monkeypatch.setenv(
            "AIRFLOW_CONN_LEARNING360_DEFAULT", json.dumps({**connection, "extra": {"api_version": "v2"}})
        )
        operator = LearningOperationOperator(task_id="one", operation="create-group", body=BODY)
        operator.hook.run_plan(operator.hook.platform.call_operation(_list_groups(server)))  # there is a token now
        object.__setattr__(operator.hook.settings, "host", url)
        with pytest.raises(UnreachableError) as caught:
            operator.execute({"task_state_store": store})  # type: ignore[typeddict-item]
    assert caught.value.retryable
    assert store.rows == {}


def _list_groups(server: OperationServer) -> OperationCall:
    server.replies["GET /api/v2/groups"] = [Reply([])]
    return OperationCall.build(find_operation("list-groups"))


def test_documented_refusal_of_a_bulk_operation_may_be_retried(monkeypatch: pytest.MonkeyPatch) -> None:
    name = "bulk-add-skill-reviews"
    operation = find_operation(name)
    assert operation.data["errors"]["503"] == ["bulkAPIDisabled"]
    call = OperationCall(operation, _request_of(operation))
    with serve(monkeypatch, {f"POST {operation.path}": [Reply({"error": {"code": "bulkAPIDisabled"}}, 503)]}):
        hook = LearningOperationOperator(task_id="one", operation="list-groups").hook
        with pytest.raises(UnavailableError, match="bulkAPIDisabled. It was not carried out"):
            hook.run_plan(hook.platform.call_operation(call))


def _request_of(operation: Any) -> Any:
    from airflow_provider_learning360.api.messages import Request

    return Request(operation.method, operation.path, body=b"{}", repeatable=False)


def test_answer_that_cannot_be_read_says_that_the_request_was_carried_out(monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store()
    with serve(monkeypatch, {ROUTE: [Reply(b"<html>", 201)]}) as server, pytest.raises(ContractError) as caught:
        create({"task_state_store": store})
    assert "The request was carried out; only its answer could not be read." in str(caught.value)
    assert not isinstance(caught.value, UnknownOutcomeError)
    assert server.calls == [ROUTE]
    assert store.rows == {}


@pytest.mark.parametrize("limit", [{"contract": "strict"}, {"max_xcom_bytes": 1}])
def test_answer_that_is_refused_says_that_the_write_was_carried_out(
    limit: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = Reply({**GROUP.body, "colour": "red"}, 201)
    with serve(monkeypatch, {ROUTE: [answer]}), pytest.raises(LearningError) as caught:
        create(**limit)
    assert str(caught.value).endswith("create-group was carried out; clearing the task sends it again.")


@pytest.mark.parametrize("version", VERSIONS)
def test_write_through_either_version(version: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with simulated(monkeypatch, version, sessions=2, learners=1) as simulator:
        session_id = simulator.session_ids[0]
        parameters = {"session_id": session_id}
        if version == "v2":
            parameters = {"sessionId": session_id, "pathId": simulator.session(session_id)["programTemplate"]}
        LearningOperationOperator(
            task_id="one",
            operation="edit-program-session-v1" if version == "v1" else "edit-path-session",
            parameters=parameters,
            body={"endDate": datetime(2999, 3, 1, tzinfo=UTC)},
        ).execute({})
        assert simulator.session(session_id)["endDate"] == "2999-03-01T00:00:00.000Z"


def test_dead_worker_leaves_a_mark_that_stops_the_retry(monkeypatch: pytest.MonkeyPatch) -> None:
    class WorkerDied(BaseException):
        pass

    def die(*_: Any) -> None:
        raise WorkerDied

    store = Store()
    context: Any = {"task_state_store": store}
    marks: list[Any] = []
    with serve(monkeypatch, {ROUTE: [GROUP]}) as server:
        server.before = lambda seen: marks.append(store.rows.get(KEY)) if seen.method == "POST" else None
        with monkeypatch.context() as patch:
            patch.setattr("airflow_provider_learning360.hooks.learning.LearningHook._read_response", die)
            operator = LearningOperationOperator(task_id="one", operation="create-group", body=BODY)
            # The token is fetched through the same method.
            operator.hook.credentials.accept_token(_token(), 0.0)
            monkeypatch.setattr(operator.hook.credentials, "needs_token", lambda *_: False)
            with pytest.raises(WorkerDied):
                operator.execute(context)
        assert marks == [{"state": "sending"}]
        assert server.calls == [ROUTE]
        with pytest.raises(UnknownOutcomeError, match="An earlier try of this task began to send create-group"):
            create(context)
        assert server.calls == [ROUTE]
        assert create(context)["_id"] == OTHER  # cleared by somebody who has read the error
        assert server.calls == [ROUTE, ROUTE]
        assert store.rows == {}


def test_retry_after_a_result_that_airflow_could_not_store_does_not_send_again(monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store()
    first_try: Any = {"task_state_store": store, "ti": SimpleNamespace(max_tries=2)}
    cleared: Any = {"task_state_store": store, "ti": SimpleNamespace(max_tries=4)}
    with serve(monkeypatch, {ROUTE: [GROUP]}) as server:
        create(first_try)
        for _ in range(2):  # the retries that Airflow makes, since the result could not be stored
            with pytest.raises(UnknownOutcomeError, match="carried out create-group .* before Airflow had stored"):
                create(first_try)
        assert server.calls == [ROUTE]
        assert "Lyon" not in str(store.rows)
        assert create(cleared)["_id"] == OTHER
        assert server.calls == [ROUTE, ROUTE]


def _token() -> Any:
    from airflow_provider_learning360.api.credentials import Token

    return Token("token-0123456789", 3600.0)


def test_read_remembers_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    class NoStore:
        def get(self, key: str) -> Any:
            raise AssertionError

    with serve(monkeypatch, {"GET /api/v2/groups": [Reply([])]}):
        operator = LearningOperationOperator(task_id="one", operation="list-groups")
        assert operator.execute({"task_state_store": NoStore()}) == []  # type: ignore[typeddict-item]


@pytest.mark.skipif(not HAS_RETRY_POLICIES, reason="Airflow below 3.3 has no retry policies")
def test_policy_of_the_author_does_not_send_again(monkeypatch: pytest.MonkeyPatch) -> None:
    from airflow.sdk.definitions.retry_policy import ExceptionRetryPolicy

    with serve(monkeypatch, {ROUTE: [Reply(end="close")]}):
        with pytest.raises(AirflowFailException, match="^UnknownOutcomeError: POST"):
            create(retry_policy=ExceptionRetryPolicy(rules=[]))
        with pytest.raises(UnknownOutcomeError) as caught:
            create()
    assert LearningRetryPolicy().evaluate(caught.value, 1, 3).action.value == "fail"


def test_error_survives_the_way_between_processes() -> None:
    error = UnknownOutcomeError("x", method="POST", path="/y", status=502)
    copy = LearningError.from_dict(error.to_dict())
    assert (type(copy), copy.status) == (UnknownOutcomeError, 502)


def test_most_writes_name_an_operation_to_look_with() -> None:
    once = [one for one in load_operations().values() if one.repeat == "once"]
    without = [one.name for one in once if find_read(one) is None]
    assert len(without) <= len(once) // 2
    assert find_read(find_operation("create-path-session")) == find_operation("list-sessions-of-path")
    assert find_read(find_operation("bulk-add-skill-reviews")) == find_operation("list-bulk-operations")


def test_replace_must_be_said(monkeypatch: pytest.MonkeyPatch) -> None:
    arguments: dict[str, Any] = {
        "operation": "replace-path-session-audience",
        "parameters": {"pathId": ID, "sessionId": ID},
        "body": {"mode": "manual", "filters": [{"type": "users", "ids": [OTHER]}]},
    }
    with pytest.raises(FixArgumentError, match="^replace: replace-path-session-audience replaces the audience of the"):
        LearningOperationOperator(task_id="one", **arguments)
    route = f"PUT /api/v2/paths/{ID}/sessions/{ID}/audiences"
    with serve(monkeypatch, {route: [Reply({"mode": "manual", "filters": []})]}) as server:
        LearningOperationOperator(task_id="one", replace=True, **arguments).execute({})
    assert server.calls == [route]


USER = {
    "mail": "ada@example.com",
    "firstName": "Ada",
    "lastName": "Lovelace",
    "lang": "fr",
}


def test_dry_run_shows_what_would_be_sent_and_nobody(
    monkeypatch: pytest.MonkeyPatch, log: pytest.LogCaptureFixture
) -> None:
    with serve(monkeypatch, {}) as server:
        assert create(dry_run=True) is None
        LearningOperationOperator(
            task_id="one", operation="list-users", parameters={"mail[eq]": USER["mail"], "status[ne]": "deleted"},
            dry_run=True,
        ).execute({})  # fmt: skip
        LearningOperationOperator(
            task_id="one",
            operation="edit-path-session",
            parameters={"pathId": ID, "sessionId": OTHER},
            body={"startDate": "2026-03-01T08:00:00.000Z", "name": "Ada's session"},
            dry_run=True,
        ).execute({})
    assert server.seen == []
    group = f'{{"name": "•••", "parentId": "{ID}", "public": false}}'
    assert f"Dry run: nothing was sent. create-group would send: POST /api/v2/groups with the body {group}" in log.text
    assert "GET /api/v2/users?mail[eq]=•••&status[ne]=deleted" in log.text
    assert f"/api/v2/paths/{ID}/sessions/{OTHER}" in log.text
    assert '"startDate": "2026-03-01T08:00:00.000Z"' in log.text
    assert not [one for one in ("Lyon", "ada", "Ada") if one in log.text]


def test_path_of_a_dry_run_shows_no_mail_address(
    monkeypatch: pytest.MonkeyPatch, log: pytest.LogCaptureFixture
) -> None:
    server = OperationServer({})
    connect(monkeypatch, server, "v1")
    LearningOperationOperator(
        task_id="one", operation="get-user-v1", parameters={"user_email_or_id": "ada@example.com"}, dry_run=True
    ).execute({})
    assert "would send: GET /api/v1/users/•••" in log.text


@pytest.mark.parametrize(("text", "is_dry"), [("{{ dry }}", True), ("{{ not dry }}", False), ("true", True)])
def test_dry_run_takes_a_template(text: str, is_dry: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    with serve(monkeypatch, {ROUTE: [GROUP]}) as server:
        pushed = create({"dry": True}, dry_run=text)
    assert (pushed is None, server.calls == []) == (is_dry, is_dry)


def test_template_of_a_dry_run_that_gives_no_answer_sends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    with serve(monkeypatch, {ROUTE: [GROUP]}) as server:
        for text in ("{{ secret }}", "{{ missing }}"):
            with pytest.raises(FixArgumentError, match="^dry_run: the template gave neither true nor false") as caught:
                create({"secret": "canary"}, dry_run=text)
            assert "canary" not in str(caught.value)
    assert server.calls == []


@pytest.mark.parametrize(("public", "sent"), [(True, "true"), (False, "false")])
def test_template_of_a_boolean_is_sent_as_a_boolean(public: bool, sent: str, log: pytest.LogCaptureFixture) -> None:
    with DAG("it", schedule=None):
        task = LearningOperationOperator(
            task_id="one",
            operation="create-group",
            body={**BODY, "name": "{{ params.public }}", "public": "{{ params.public }}"},
            dry_run=True,
        )
    task.render_template_fields({"params": {"public": public}})
    task.execute({"params": {"public": public}})
    assert f'"public": {sent}}}' in log.text
    assert task.body["name"] == str(public)  # a text stays one


def test_template_that_gives_no_boolean_is_refused() -> None:
    with DAG("it", schedule=None):
        task = LearningOperationOperator(
            task_id="one", operation="create-group", body={**BODY, "public": "{{ params.public }}"}
        )
    task.render_template_fields({"params": {"public": "perhaps"}})
    with pytest.raises(FixArgumentError, match=r"body\.public: 'perhaps' is not true or false"):
        task.execute({})
    with DAG("it", schedule=None), pytest.raises(FixArgumentError, match=r"body\.public: 'False' is not true or false"):
        LearningOperationOperator(task_id="one", operation="create-group", body={**BODY, "public": "False"})


def test_dry_run_that_another_task_gave_is_data() -> None:
    template = "{{ ti.canary() or 'false' }}"
    with DAG("it"):
        earlier = LearningOperationOperator(task_id="earlier", operation="list-groups")
        for task_id, given in (("text", {"dry_run": earlier.output}), ("kwargs", None)):
            partial = LearningOperationOperator.partial(task_id=task_id, operation="delete-group", parameters=GROUP_ID)
            mapped = partial.expand_kwargs(earlier.output) if given is None else partial.expand(**given)
            task = mapped.unmap({"dry_run": template})
            with pytest.raises(FixArgumentError, match="dry_run: the template gave neither true nor false"):
                task.execute({"ti": SimpleNamespace(map_index=0)})


def test_airflows_own_dry_run_still_works() -> None:
    LearningOperationOperator(task_id="one", operation="list-groups", dry_run=True).dry_run()


def test_file_is_sent(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, log: pytest.LogCaptureFixture) -> None:
    logo = tmp_path / 'lo"go.png'
    logo.write_bytes(b"\x89PNG\r\n--x\r\n")
    arguments: dict[str, Any] = {
        "operation": "upload-group-media",
        "parameters": {"groupId": ID},
        "body": {"authorId": OTHER, "logo": str(logo)},
    }
    operation = find_operation("upload-group-media")
    route = f"{operation.method} {operation.path.replace('{groupId}', ID)}"
    with serve(monkeypatch, {route: [Reply({}, operation.data["answer"]["status"])]}) as server:
        LearningOperationOperator(task_id="dry", dry_run=True, **arguments).execute({})
        assert server.seen == []
        LearningOperationOperator(task_id="one", **arguments).execute({})
    seen = server.seen[-1]
    message = message_from_bytes(b"Content-Type: " + seen.headers["content-type"].encode() + b"\r\n\r\n" + seen.body)
    parts: Any = message.get_payload()
    assert [one.get_param("name", header="content-disposition") for one in parts] == ["authorId", "logo"]
    assert [one.get_payload(decode=True) for one in parts] == [OTHER.encode(), logo.read_bytes()]
    assert parts[1].get_content_type() == "image/png"
    assert parts[1].get_filename() == "lo%22go.png"


def test_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    operation = find_operation("upload-group-media")
    large = tmp_path / "large.png"
    large.write_bytes(b"12345")
    for path, message in (
        (tmp_path / "no.png", "cannot be read on this machine: No such file"),
        (tmp_path, "is not a file"),
        ("list\0", "is not the path of a file"),
        (large, "has 5 bytes, more than 4"),
    ):
        with pytest.raises(FixArgumentError, match=rf"^body\.logo: .*{message}"):
            read_files(operation, {"authorId": ID, "logo": str(path)}, limit=4)
    assert read_files(operation, {"authorId": ID, "logo": OTHER}) == {"authorId": ID, "logo": OTHER}
    with pytest.raises(FixArgumentError, match="the file was not read"):
        OperationCall.build(operation, {"groupId": ID}, {"authorId": ID, "logo": "x.png"})
