"""What API v2 lets a client change: a session, and its audience."""

from __future__ import annotations

import pytest

from airflow_provider_learning360.simulator import Simulator

pytestmark = pytest.mark.breaks_contract("wrong bodies get errors")

NOBODY = "0" * 24


@pytest.fixture
def address(simulator, session_id):
    return f"/api/v2/paths/{simulator.session(session_id)['programTemplate']}/sessions/{session_id}"


def test_a_patch_shows_in_both(simulator, v2, address, session_id):
    before = v2.get(address).json()
    body = {
        "name": "Moved",
        "startDate": "2026-06-02T10:00:00.000Z",
        "endDate": "2031-06-02T10:00:00.000Z",
        "userLimit": 7,
        "additionalInformation": "Room 4",
        "registrationRequestValidation": "managers",
    }
    response = v2.patch(address, json=body)
    assert response.status_code == 200
    assert response.json() == before | body | {"modifiedAt": response.json()["modifiedAt"]}
    assert response.json()["modifiedAt"] > before["modifiedAt"]
    session = simulator.session(session_id)
    assert (session["name"], session["userLimit"], session["sessionCustom"]) == ("Moved", 7, "Room 4")


def test_null_clears(simulator, v2, address, session_id):
    body = dict.fromkeys(("endDate", "userLimit", "additionalInformation", "ipFiltering"))
    response = v2.patch(address, json=body)
    assert response.status_code == 200
    assert not body.keys() & response.json().keys()
    session = simulator.session(session_id)
    assert (session["hasUserLimit"], session["sessionCustom"]) == (False, "")


def test_instructors_are_tutors(simulator, v2, address, session_id):
    session = simulator.session(session_id)
    one, other = (user["_id"] for user in session["users"][:2])
    unmailed = v2.get("/api/v2/users", params={"username[eq]": "terminal.seven"}).json()[0]["_id"]
    body = {"mainInstructorId": one, "instructorIds": [other, unmailed]}
    assert v2.patch(address, json=body).json().items() >= body.items()
    assert simulator.session(session_id)["tutors"] == [*(user["mail"] for user in session["users"][:2]), unmailed]
    assert v2.patch(address, json={"mainInstructorId": other}).json()["instructorIds"] == [other, unmailed]


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"names": "x"}, 400, "badRequest"),
        ({"name": ""}, 400, "badRequest"),
        ({"name": None}, 400, "badRequest"),
        ({"startDate": "2026-06-02"}, 400, "badRequest"),
        ({"userLimit": 0}, 400, "badRequest"),
        ({"userLimit": True}, 400, "badRequest"),
        ({"instructorIds": ["x"]}, 400, "badRequest"),
        ([], 400, "badRequest"),
        ({"startDate": "2031-06-02T10:00:00Z", "endDate": "2030-06-02T10:00:00Z"}, 400, "invalidStartOrEndDate"),
        ({"mainInstructorId": NOBODY}, 404, "usersNotFound"),
    ],
)
def test_an_invalid_patch_changes_nothing(simulator, v2, address, session_id, body, status, code):
    before = simulator.session(session_id)
    response = v2.patch(address, json=body)
    assert (response.status_code, response.json()["error"]["code"]) == (status, code)
    assert simulator.session(session_id) == before


def test_a_session_that_has_ended_is_not_patched(simulator, v2, address, session_id):
    simulator.edit(session_id, endDate="2026-01-01T00:00:00.000Z", startDate="2025-01-01T00:00:00.000Z")
    assert v2.patch(address, json={"name": "x"}).json()["error"]["code"] == "sessionEnded"


def test_writing_has_a_scope_of_its_own(connect_v2):
    with Simulator(scopes=["paths:read"]) as simulator, connect_v2(simulator) as client:
        session = simulator.session(simulator.session_ids[0])
        address = f"/api/v2/paths/{session['programTemplate']}/sessions/{session['_id']}"
        assert client.get(address).status_code == 200
        assert client.patch(address, json={"name": "x"}).status_code == 403
        assert client.put(f"{address}/audiences", json={}).status_code == 403


def test_an_audience_is_replaced(simulator, v2, address, session_id):
    session = simulator.session(session_id)
    gone = session["users"][0]["_id"]
    new = next(one["_id"] for one in v2.get("/api/v2/users").json() if one["_id"] not in str(session["users"]))
    filters = [
        {"type": "groups", "ids": ["a" * 24]},
        {"type": "users", "ids": [new]},
        {"type": "excludedLearners", "ids": [gone]},
    ]
    body = {"mode": "manual", "filters": filters}
    response = v2.put(f"{address}/audiences", json=body)
    assert (response.status_code, response.json()) == (200, body)
    assert v2.get(f"{address}/audiences").json() == body
    after = simulator.session(session_id)
    assert after["groups"] == ["a" * 24]
    assert [user["_id"] for user in after["users"]] == [user["_id"] for user in session["users"][1:]] + [new]
    simulator.edit(session_id, groups=["b" * 24])
    assert v2.get(f"{address}/audiences").json()["filters"][0]["ids"] == ["b" * 24]


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({}, 400, "badRequest"),
        ({"mode": "x", "filters": []}, 400, "badRequest"),
        ({"mode": "manual", "filters": [{"type": "teams", "ids": []}]}, 400, "badRequest"),
        ({"mode": "manual", "filters": [{"type": "users", "ids": ["x"]}]}, 400, "badRequest"),
        ({"mode": "manual", "filters": [{"type": "users", "ids": []}] * 2}, 400, "invalidAudienceBuilderShape"),
        ({"mode": "manual", "filters": [{"type": "users", "ids": [NOBODY]}]}, 404, "usersNotFound"),
    ],
)
def test_an_invalid_audience_changes_nothing(simulator, v2, address, session_id, body, status, code):
    before = simulator.session(session_id)
    response = v2.put(f"{address}/audiences", json=body)
    assert (response.status_code, response.json()["error"]["code"]) == (status, code)
    assert simulator.session(session_id) == before


def test_a_legacy_session_takes_no_audience(connect_v2):
    with Simulator(legacy=1) as simulator, connect_v2(simulator) as client:
        session = simulator.session(simulator.session_ids[0])
        address = f"/api/v2/paths/{session['programTemplate']}/sessions/{session['_id']}/audiences"
        response = client.put(address, json={"mode": "manual", "filters": []})
        assert response.json()["error"]["code"] == "sessionIsNotAudienceBuilder"


def test_who_leaves_the_users_of_an_audience_is_unenrolled(simulator, v2, address, session_id):
    session = simulator.session(session_id)
    by_group = [user["_id"] for user in session["users"]]
    new = next(one["_id"] for one in v2.get("/api/v2/users").json() if one["_id"] not in by_group)
    for ids, enrolled in (([new], [*by_group, new]), ([], by_group)):
        v2.put(f"{address}/audiences", json={"mode": "manual", "filters": [{"type": "users", "ids": ids}]})
        assert [user["_id"] for user in simulator.session(session_id)["users"]] == enrolled


def test_values_of_custom_fields_are_replaced(simulator, v2, address, session_id):
    text, other, day, _ = v2.get("/api/v2/custom-fields").json()
    simulator.edit(session_id, customFields=[{"customFieldId": text["_id"], "value": "A"}])
    values = [
        {"customFieldId": other["_id"], "type": "string", "value": "B"},
        {"customFieldId": day["_id"], "type": "date", "value": "2026-03-01"},
    ]
    response = v2.put(f"{address}/custom-fields/values", json={"customValues": values})
    assert (response.status_code, response.json()) == (200, values)
    assert v2.get(f"{address}/custom-fields/values").json() == values
    stored = simulator.session(session_id)["customFields"]
    assert [one["value"] for one in stored] == ["", "B", "2026-03-01"]
    assert stored[0]["customFieldId"] == text["_id"]


def test_invalid_values_of_custom_fields_change_nothing(simulator, v2, address, session_id):
    before = simulator.session(session_id)
    field_id = v2.get("/api/v2/custom-fields").json()[0]["_id"]
    good = {"customFieldId": field_id, "type": "string", "value": "A"}
    for items, status, code in (
        ("x", 400, "badRequest"),
        ([{**good, "value": ""}], 400, "badRequest"),
        ([good, good], 400, "multipleValuesForSingleCustomField"),
        ([{**good, "type": "date"}], 400, "wrongTypeValue"),
        ([{**good, "customFieldId": NOBODY}], 404, "customFieldNotFound"),
    ):
        response = v2.put(f"{address}/custom-fields/values", json={"customValues": items})
        assert (response.status_code, response.json()["error"]["code"]) == (status, code)
    assert simulator.session(session_id) == before


def test_a_self_enrolled_learner_is_unenrolled(simulator, v2, address, session_id):
    listed = v2.get(f"{address.partition('/sessions')[0]}/enrollments", params={"sessionId[eq]": session_id}).json()
    by_self, by_group = (
        next(one["userId"] for one in listed if one["isSelfEnrolled"] is own and one["status"] == "published")
        for own in (True, False)
    )
    for user_id, status in ((by_self, 204), (by_self, 404), (by_group, 400), (NOBODY, 404)):
        assert v2.delete(f"{address}/self-enrollments/{user_id}").status_code == status
    assert by_self not in [user["_id"] for user in simulator.session(session_id)["users"]]
