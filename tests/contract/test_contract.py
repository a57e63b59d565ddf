"""The checks themselves, on requests and responses that are right or wrong in one point."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from openapi_spec_validator import validate

from contract.arrays import ITEMS, first_items
from contract.contract import Contract
from contract.overlay import CORRECTIONS, Correction, correct
from contract.vendor import FILE, MISSING, find_contract, load_contract

FILE_OF_THE_VENDOR = find_contract()
pytestmark = pytest.mark.skipif(FILE_OF_THE_VENDOR is None, reason=MISSING)

ID = "60b8d2956e20ae1a0f8e44f1"
DATE = "2026-06-01T08:00:00.000Z"
SESSIONS = "/api/v2/paths/sessions"
SESSION = f"/api/v2/paths/{ID}/sessions/{ID}"
TOKEN = "/api/v2/oauth2/token"
JSON = {"content-type": "application/json; charset=utf-8"}
HEADERS = {"authorization": "Bearer secret-token", "360-api-version": "v2.0"}
KEYS = {"grant_type": "client_credentials", "client_id": "id", "client_secret": "secret-key"}
ITEM = {
    "_id": ID,
    "name": "First aid",
    "pathId": ID,
    "groupId": ID,
    "mainInstructorId": ID,
    "instructorIds": [],
    "isAudienceBuilder": True,
    "registrationRequestValidation": "disabled",
    "startDate": DATE,
    "createdAt": DATE,
    "modifiedAt": DATE,
}


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    assert FILE_OF_THE_VENDOR
    return load_contract(FILE_OF_THE_VENDOR)


@pytest.fixture(scope="module")
def contract(document: dict[str, Any]) -> Contract:
    return Contract(document)


def check_list(contract: Contract, query: str = "", **headers: str) -> list[str]:
    return contract.check_request("GET", SESSIONS, query, {**HEADERS, **headers})


def check_token(contract: Contract, body: dict[str, Any]) -> list[str]:
    return contract.check_request("POST", TOKEN, "", JSON, json.dumps(body).encode())


def check_items(contract: Contract, items: Any, status: int = 200) -> list[str]:
    return contract.check_response("GET", SESSIONS, status, JSON, json.dumps(items).encode())


@pytest.mark.parametrize(
    "query",
    [
        "",
        f"sessionId[eq]={ID}",
        f"sessionId%5Beq%5D={ID}",
        f"modifiedAt[gte]={DATE}&modifiedAt[lt]={DATE}",
        f"sessionId[in][0]={ID}&sessionId[in][1]={ID}",
        f"sessionId%5Bin%5D%5B0%5D={ID}&sessionId%5Bin%5D%5B1%5D={ID}",
        f"sessionId[in][]={ID}&sessionId[in][]={ID}",
        f"sessionId[in]={ID}&sessionId[in]={ID}",
        f"sessionId[in]={ID}",
        "next=abc",
    ],
)
def test_request_passes(contract: Contract, query: str) -> None:
    assert check_list(contract, query) == []


@pytest.mark.parametrize(
    ("query", "problem"),
    [
        (f"modifiedAt[gt]={DATE}", "query modifiedAt[gt]: the contract has no such parameter or operator"),
        (f"modifiedAt={DATE}", "query modifiedAt: the contract has no such parameter or operator"),
        (f"nosuch[eq]={ID}", "query nosuch[eq]: the contract has no such parameter or operator"),
        ("limit=5", "query limit: the contract has no such parameter or operator"),
        ("modifiedAt[gte]=2026-06-01", 'query modifiedAt: $.gte: must be format "date-time"'),
        ("modifiedAt[gte]=2026-13-01T00:00:00Z", 'query modifiedAt: $.gte: must be format "date-time"'),
        ("sessionId[eq]=12", 'query sessionId: $.eq: must be pattern "^[a-fA-F0-9]{24}$"'),
        (f"sessionId[in][]={ID}&sessionId[in][]=12", 'query sessionId: $.in[1]: must be pattern "^[a-fA-F0-9]{24}$"'),
        (f"sessionId[eq]={ID}&sessionId[eq]={ID}", "query sessionId[eq]: takes one value"),
        (f"sessionId[eq][0]={ID}", "query sessionId[eq][0]: takes one value"),
    ],
)
def test_wrong_query_is_found(contract: Contract, query: str, problem: str) -> None:
    assert check_list(contract, query) == [problem]


@pytest.mark.parametrize("name", ["authorization", "360-api-version"])
def test_missing_header_is_found(contract: Contract, name: str) -> None:
    headers = {key: value for key, value in HEADERS.items() if key != name}
    (problem,) = contract.check_request("GET", SESSIONS, "", headers)
    assert problem.lower().startswith(f"header {name}:")


@pytest.mark.parametrize("value", ["Basic secret", "Bearer", "Bearer ", "bearer secret", "secret"])
def test_authorization_is_a_bearer_token(contract: Contract, value: str) -> None:
    assert check_list(contract, authorization=value) == ["header Authorization: not 'Bearer' and a token"]


def test_wrong_version_is_found(contract: Contract) -> None:
    assert check_list(contract, **{"360-api-version": "v2"}) == ['header 360-api-version: $: must be enum ["v2.0"]']


def test_bad_id_in_the_path_is_found(contract: Contract) -> None:
    problems = contract.check_request("GET", "/api/v2/paths/12", "", HEADERS)
    assert problems == ['path pathId: $: must be pattern "^[a-fA-F0-9]{24}$"']


@pytest.mark.parametrize(("method", "path"), [("GET", "/api/v2/nosuch"), ("PUT", SESSIONS), ("GET", SESSIONS + "/")])
def test_unknown_route_is_found(contract: Contract, method: str, path: str) -> None:
    (problem,) = contract.check_request(method, path, "", HEADERS)
    assert problem.endswith("the contract has no such route")
    assert contract.check_response(method, path, 404) == [], "the request is the problem"


def test_token_request_needs_neither_token_nor_version(contract: Contract) -> None:
    assert check_token(contract, KEYS) == []


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (KEYS | {"scope": "paths:read"}, "body: $: Additional properties are not allowed ('scope' was unexpected)"),
        ({**KEYS, "grant_type": "password"}, 'body: $.grant_type: must be enum ["client_credentials"]'),
        ({**KEYS, "client_secret": 5}, 'body: $.client_secret: must be type "string"'),
    ],
)
def test_wrong_token_request_is_found(contract: Contract, body: dict[str, Any], problem: str) -> None:
    assert check_token(contract, body) == [problem]


def test_problems_hold_no_values(contract: Contract) -> None:
    problems = [
        *check_token(contract, {**KEYS, "client_secret": ["secret-key"], "user_id": "secret-user"}),
        *check_list(contract, "sessionId[eq]=secret-id", authorization="secret-token"),
        *check_items(contract, [ITEM | {"name": ["Ann Secret"], "startDate": "secret", "userLimit": "secret"}]),
        *contract.check_request("POST", TOKEN, "", JSON, b"secret"),
        *contract.check_response("GET", SESSIONS, 200, JSON, b"secret"),
    ]
    assert len(problems) == 9
    assert not [problem for problem in problems if "ecret" in problem.replace("client_secret", "")]


def test_right_response_passes(contract: Contract) -> None:
    assert check_items(contract, []) == []
    assert check_items(contract, [ITEM] * 500) == []


@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        ({"name": 5}, 'body: $[1].name: must be type "string"'),
        ({"startDate": "tomorrow"}, 'body: $[1].startDate: must be format "date-time"'),
        ({"instructorIds": ["12"]}, 'body: $[1].instructorIds[0]: must be pattern "^[a-fA-F0-9]{24}$"'),
        ({"color": "red"}, "body: $[1]: Additional properties are not allowed ('color' was unexpected)"),
        ({"pathId": ...}, "body: $[1]: 'pathId' is a required property"),
    ],
    ids=str,
)
def test_wrong_item_of_a_response_is_found(contract: Contract, changed: dict[str, Any], problem: str) -> None:
    item = {key: value for key, value in {**ITEM, **changed}.items() if value is not ...}
    assert check_items(contract, [ITEM, item]) == [problem]


def test_undeclared_status_is_found(contract: Contract) -> None:
    assert check_items(contract, {}, status=500) == ["Unknown response http status: 500"]


def test_list_may_refuse_a_filter(contract: Contract) -> None:
    assert check_items(contract, {"error": {"code": "invalid_filter", "message": ""}}, status=400) == []
    assert contract.check_response("GET", f"/api/v2/users/{ID}", 400, JSON, b"{}") != []


def test_wrong_error_is_found(contract: Contract) -> None:
    assert check_items(contract, {"error": "invalid_token"}, status=401) == []
    assert check_items(contract, {"error": "unauthorized"}, 401) == ['body: $.error: must be enum ["invalid_token"]']


def test_wrong_media_type_is_found(contract: Contract) -> None:
    (problem,) = contract.check_response("GET", SESSIONS, 200, {"content-type": "text/html"}, b"<html>")
    assert "text/html" in problem


@pytest.mark.parametrize(
    ("body", "first"),
    [
        (b"[1, 2,3 ,4]", b"[1,2]"),
        (b'[{"a": [1, 2, 3]}, "\xc3\xa9", 3]', b'[{"a":[1,2,3]},"\xc3\xa9"]'),
        (b"[1, 2]", b"[1, 2]"),
        (b"[]", b"[]"),
        (b"[1, 2", b"[1, 2"),
        (b"[1,,2]", b"[1,,2]"),
        (b'{"a": [1, 2, 3]}', b'{"a": [1, 2, 3]}'),
        (b"", b""),
    ],
    ids=str,
)
def test_first_items_of_an_array(body: bytes, first: bytes) -> None:
    assert first_items(body, 2) == first


def test_only_the_first_items_are_checked(contract: Contract) -> None:
    wrong = {**ITEM, "name": 5}
    assert check_items(contract, [ITEM] * (ITEMS - 1) + [wrong]) != []
    assert check_items(contract, [ITEM] * ITEMS + [wrong]) == []


@pytest.mark.slow
@pytest.mark.slow
def test_corrected_contract_is_valid_openapi(document: dict[str, Any]) -> None:
    validate(correct(document, CORRECTIONS))


# What is right, but refused without the correction of that name.
RIGHT: dict[str, Callable[[Contract], list[str]]] = {
    "type filters": lambda contract: check_list(contract, f"sessionId[eq]={ID}"),
    "accept what two alternatives describe": lambda contract: contract.check_response(
        "GET",
        f"{SESSION}/custom-fields/values",
        200,
        JSON,
        json.dumps([{"customFieldId": ID, "type": "date", "value": DATE}]).encode(),
    ),
    "allow null": lambda contract: contract.check_request("PATCH", SESSION, "", HEADERS | JSON, b'{"endDate": null}'),
    "allow the life of a token as a string": lambda contract: contract.check_response(
        "POST", TOKEN, 200, JSON, b'{"token_type": "Bearer", "access_token": "x", "expires_in": "3600"}'
    ),
    "let objects without properties hold any": lambda contract: contract.check_response(
        "GET",
        f"/api/v2/bulk/operations/{ID}/results",
        200,
        JSON,
        json.dumps([{"input": {"userId": ID}, "status": "success", "resourceId": ID}]).encode(),
    ),
    "let files be bytes": lambda contract: contract.check_response(
        "GET", f"/api/v2/users/{ID}/certificates/{ID}/pdf", 200, {"content-type": "application/pdf"}, b"%PDF-1.4"
    ),
}


@pytest.mark.parametrize("correction", CORRECTIONS, ids=lambda correction: correction.name)
def test_correction_is_still_needed(document: dict[str, Any], contract: Contract, correction: Correction) -> None:
    right = RIGHT[correction.name]
    assert right(contract) == []
    others = [one for one in CORRECTIONS if one is not correction]
    assert right(Contract(document, others)), f"the contract has no mistake any more: remove {correction.name!r}"


def test_contract_is_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / FILE
    monkeypatch.setenv("LEARNING360_CONTRACT", str(tmp_path))
    with pytest.raises(FileNotFoundError, match=FILE):
        find_contract()
    file.write_text("{}")
    assert find_contract() == file
    monkeypatch.setenv("LEARNING360_CONTRACT", str(file))
    assert find_contract() == file
