"""API v2 shows the same data as v1: one store, two views."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from airflow_provider_learning360.simulator import Simulator
from airflow_provider_learning360.testing import session_document

SESSIONS = "/api/v2/paths/sessions"
PATH_EDITS = {
    "description": ("Other", "description", "Other"),
    "lang": ("es", "defaultLang", "es"),
    "programDuration": (99, "estimatedDuration", {"unit": "hour", "value": 99}),
    "templateCustom": ("Other", "additionalInformation", "Other"),
    "automatedReminders": (False, "options", None),
    "modules": ([{"_id": "a" * 24, "type": "webinar"}], "steps", None),
    "author": ("zoe@example.com", "authorId", None),
}
"""For each key of the path: a new value, and where v2 shows what."""


class View:
    """What v2 shows of a session."""

    def __init__(self, client, session_id):
        self._client = client
        self.session_id = session_id

    def _get(self, address, **filters):
        response = self._client.get(address, params=filters)
        assert response.status_code == 200, response.text
        return response.json()

    @property
    def session(self):
        (session,) = self._get(SESSIONS, **{"sessionId[eq]": self.session_id})
        return session

    @property
    def path(self):
        return self._get(f"/api/v2/paths/{self.session['pathId']}")

    def part(self, tail):
        return self._get(f"/api/v2/paths/{self.session['pathId']}/sessions/{self.session_id}/{tail}")

    @property
    def learners(self):
        filters = {"sessionId[eq]": self.session_id, "status[eq]": "published"}
        return [one["userId"] for one in self._get(f"/api/v2/paths/{self.session['pathId']}/enrollments", **filters)]

    def row(self, user_id):
        (row,) = [row for row in self.part("user-stats") if row["userId"] == user_id]
        return row

    def mail(self, user_id):
        return self._get(f"/api/v2/users/{user_id}").get("mail")


@pytest.fixture
def view(v2, session_id):
    return View(v2, session_id)


def test_sessions_are_the_same_in_both_versions(simulator, v2):
    for one in v2.get(SESSIONS).json():
        v1 = simulator.session(one["_id"])
        assert [one[key] for key in ("name", "startDate", "endDate", "modifiedAt", "pathId")] == [
            v1[key] for key in ("name", "startDate", "endDate", "modifiedAt", "programTemplate")
        ]
        assert one.get("userLimit") == v1.get("userLimit")
        assert one.get("additionalInformation", "") == v1["sessionCustom"]
        view = View(v2, one["_id"])
        assert [view.mail(each) for each in (one["mainInstructorId"], *one["instructorIds"])] == v1["tutors"]
        assert view.part("audiences")["filters"] == [{"type": "groups", "ids": v1["groups"]}]
        assert [field["value"] for field in view.part("custom-fields/values")] == [
            field["value"] for field in v1["customFields"]
        ]
    assert [one["_id"] for one in v2.get(SESSIONS).json()] == simulator.session_ids


def test_a_path_holds_what_its_first_session_has(simulator, v2, session_id, view):
    v1, path = simulator.session(session_id), view.path
    assert path["description"] == v1["description"]
    assert path["defaultLang"] == v1["lang"]
    assert path["estimatedDuration"] == {"unit": "hour", "value": v1["programDuration"]}
    assert path["options"]["automatedReminders"] is v1["automatedReminders"]
    assert "additionalInformation" not in path
    assert view.mail(path["authorId"]) == v1["author"]
    modules = [module for module in v1["modules"] if module["type"] != "webinar"]
    *steps, other = path["steps"]
    assert [{key: step[key] for key in ("_id", "type")} for step in steps] == modules
    assert other["type"] == "path"
    everything = v2.get("/api/v2/paths").json()
    assert len(everything) == 10
    assert path in everything


def test_a_session_of_a_path_has_translations_and_one_of_the_list_has_none(v2, session_id, view):
    path = f"/api/v2/paths/{view.session['pathId']}"
    assert "translations" not in view.session
    expected = view.session | {"translations": []}
    assert v2.get(f"{path}/sessions/{session_id}").json() == expected
    assert expected in v2.get(f"{path}/sessions").json()
    assert v2.get(f"{path}/sessions/{session_id.upper()}").json() == expected


@pytest.mark.parametrize(
    ("fields", "shown"),
    [
        ({"name": "Moved"}, {"name": "Moved"}),
        ({"name": ""}, {"name": ""}),
        ({"endDate": "2031-01-01T00:00:00.000Z"}, {"endDate": "2031-01-01T00:00:00.000Z"}),
        ({"endDate": ...}, {"endDate": None}),
        pytest.param(
            {"startDate": "soon"},
            {"startDate": "soon"},
            marks=pytest.mark.breaks_contract("a session has no valid dates", responses=True),
        ),
        ({"sessionCustom": "Room 4"}, {"additionalInformation": "Room 4"}),
        ({"sessionCustom": ""}, {"additionalInformation": None}),
        ({"hasUserLimit": False}, {"userLimit": None}),
        ({"userLimit": 3}, {"userLimit": 3}),
        ({}, {}),
        ({"registrationRequestValidation": "managers"}, {"registrationRequestValidation": "managers"}),
        ({"isAudienceBuilder": False}, {"isAudienceBuilder": False}),
    ],
    ids=str,
)
def test_an_edit_of_session_keys_shows_in_both(fields, shown, simulator, session_id, view):
    before, path = view.session, view.path
    after = simulator.edit(session_id, **fields)
    assert {key: view.session.get(key) for key in shown} == shown
    assert view.session["modifiedAt"] == after["modifiedAt"] > before["modifiedAt"]
    assert view.path == path


@pytest.mark.parametrize("key", PATH_EDITS)
def test_an_edit_of_a_path_key_shows_in_every_session_of_the_path(key, simulator, v2, session_id, view):
    sibling = next(one for one in simulator.session_ids[1:] if View(v2, one).path["_id"] == view.path["_id"])
    before, path, v1 = view.session, view.path, simulator.session(sibling)
    value, name, shown = PATH_EDITS[key]
    after = simulator.edit(session_id, **{key: value})
    assert after[key] == value
    assert view.session == before
    changed = {one for one in path.keys() | view.path.keys() if view.path.get(one) != path.get(one)}
    assert changed - {"sourceLang"} == {"modifiedAt", name}
    assert shown in (None, view.path[name])
    assert view.path["modifiedAt"] == after["modifiedAt"] > path["modifiedAt"]
    assert View(v2, sibling).path == view.path
    assert simulator.session(sibling) == v1
    found = v2.get("/api/v2/paths", params={"modifiedAt[gte]": after["modifiedAt"][:19] + ".000Z"}).json()
    assert [one["_id"] for one in found] == [path["_id"]]


@pytest.mark.parametrize(
    "fields", [{"users": []}, {"groups": ["a" * 24]}, {"customFields": [{"_id": "b" * 24, "value": "new"}]}], ids=str
)
def test_an_edit_of_people_groups_or_custom_fields_moves_modified_at_on_v1_only(fields, simulator, session_id, view):
    before, path, v1 = view.session, view.path, simulator.session(session_id)
    after = simulator.edit(session_id, **fields)
    assert after["modifiedAt"] > v1["modifiedAt"]
    assert (view.session, view.path) == (before, path)


def test_an_edit_of_both_kinds_moves_both(simulator, session_id, view):
    moment = "2031-01-01T00:00:00.000Z"
    simulator.edit(session_id, name="x", lang="es", modifiedAt=moment)
    assert view.session["modifiedAt"] == view.path["modifiedAt"] == moment
    simulator.edit(session_id, lang="fr")
    assert view.session["modifiedAt"] == moment
    assert view.path["modifiedAt"] == "2031-01-01T00:00:00.001Z"


def test_the_date_of_a_path_always_becomes_later(simulator, v2, session_id, view):
    sibling = next(one for one in simulator.session_ids[1:] if View(v2, one).path["_id"] == view.path["_id"])
    simulator.edit(session_id, lang="es", modifiedAt="2031-01-01T00:00:00.000Z")
    assert simulator.edit(sibling, lang="fr")["modifiedAt"] < "2031"
    assert view.path["modifiedAt"] == "2031-01-01T00:00:00.001Z"


@pytest.mark.breaks_contract("a session has no valid dates", responses=True)
def test_a_date_can_be_removed_from_both(simulator, session_id, view):
    for nothing in (..., None):
        simulator.edit(session_id, modifiedAt=nothing)
        assert "modifiedAt" not in view.session
    assert simulator.edit(session_id, modifiedAt="x")["modifiedAt"] == view.session["modifiedAt"] == "x"


def test_keys_of_v2_are_not_shown_by_v1(simulator, client, path, session_id, view):
    before = client.get(path).json()
    after = simulator.edit(session_id, ipFiltering={"active": False, "authorizedAddresses": []}, groupId="c" * 24)
    assert simulator.session(session_id) == after
    assert client.get(path).json() == before | {"modifiedAt": after["modifiedAt"]}
    assert view.session["groupId"] == "c" * 24


def test_a_session_that_is_put_back_restores_both_views(simulator, session_id, view):
    simulator.edit(session_id, name="x")
    session = view.session
    edited = simulator.edit(session_id, description="y")
    path = view.path
    with Simulator() as fresh, type(view._client)(fresh) as client:
        fresh.edit(session_id, name="x", modifiedAt=session["modifiedAt"])
        fresh.put(session_id, edited)
        restored = View(client, session_id)
        assert (restored.session, restored.path) == (session, path)
    simulator.put(session_id, edited | {"modifiedAt": "2031-01-01T00:00:00.000Z"})
    assert view.session["modifiedAt"] == "2031-01-01T00:00:00.000Z"
    assert view.path == path


def test_a_session_that_is_added_is_in_both(simulator, v2):
    mail = "nobody.yet@example.com"
    new = simulator.add(session_document(programTemplate="d" * 24, tutors=[mail], description="New", lang=...))
    view = View(v2, new)
    assert view.session["name"] == simulator.session(new)["name"]
    assert (view.path["description"], view.path["defaultLang"]) == ("New", "en")
    assert view.mail(view.session["mainInstructorId"]) == mail
    assert [one["_id"] for one in v2.get("/api/v2/users", params={"mail[eq]": mail}).json()] == [
        view.session["mainInstructorId"]
    ]
    assert len(view.learners) == 3
    simulator.delete(new)
    assert v2.get(SESSIONS, params={"sessionId[eq]": new}).json() == []
    assert v2.get(f"/api/v2/paths/{'d' * 24}/sessions").json() == []


def test_a_session_that_is_added_to_a_path_shows_what_the_path_has(simulator, session_id, view, v2):
    template, before = simulator.session(session_id)["programTemplate"], view.path
    added = simulator.add(session_document(programTemplate=template, description="Other"))
    assert simulator.session(added)["description"] == "Other"
    assert View(v2, added).path == view.path == before


def test_sessions_that_are_no_sessions_of_a_path_are_listed_all_the_same(simulator, v2):
    simulator.add({"_id": "e" * 24, "name": "Bare"})
    bare = v2.get(SESSIONS).json()[-1]
    assert bare["name"] == "Bare"
    assert "pathId" not in bare
    assert v2.get("/api/v2/paths/stats").status_code == 200


def test_learners_of_v1_are_enrolled_on_v2(simulator, v2):
    extra = Counter()
    for one in simulator.session_ids:
        listed = [user["_id"] for user in simulator.session(one)["users"]]
        enrolled = View(v2, one).learners
        assert enrolled[: len(listed)] == listed
        for user_id in enrolled[len(listed) :]:
            user = v2.get(f"/api/v2/users/{user_id}").json()
            extra[user["status"], "mail" in user] += 1
    # Two sessions in six have people whom v1 does not list, and who cannot be mailed.
    assert extra == {("active", False): 2, ("invited", True): 2, ("deleted", True): 2}


def test_progress_agrees_with_the_statistics_of_v1(simulator, v2):
    statuses = Counter()
    for one in simulator.session_ids:
        view, statistics = View(v2, one), simulator.statistics(one)
        rows = [row for row in view.part("user-stats") if "unenrolledAt" not in row]
        assert {row["userId"] for row in rows} == set(view.learners)
        assert sum("completedAt" in row for row in rows) == statistics["completed"]
        by_mail = {item["mail"]: item for item in statistics["usersStats"]}
        for row in rows:
            item = by_mail.get(view.mail(row["userId"]), {})
            assert row["progress"] == (item.get("progress") or 0)
            assert row.get("completedAt") == (item.get("endTime") or None)
            assert (row["status"]["type"] == "successful") == ("completedAt" in row)
        counts = view.part("user-statuses")["usersCountByStatus"]
        found = Counter(row["status"]["type"] for row in rows)
        assert {status: count for status, count in counts.items() if count} == found
        statuses += found
    assert statuses.keys() == counts.keys()


def test_former_learners_have_an_unenrolled_row_and_an_archived_enrolment(v2, view):
    gone = {row["userId"]: row["unenrolledAt"] for row in view.part("user-stats") if "unenrolledAt" in row}
    assert len(gone) == 2
    address = f"/api/v2/paths/{view.session['pathId']}/enrollments"
    filters = {"sessionId[eq]": view.session_id, "status[eq]": "archived"}
    assert {one["userId"]: one["archivedAt"] for one in v2.get(address, params=filters).json()} == gone
    users = [v2.get(f"/api/v2/users/{one}").json() for one in gone]
    assert {user["status"] for user in users} == {"deleted"}
    assert all(user["deletedAt"] for user in users)


def test_learners_finish_in_both(simulator, v2, view, session_id):
    floor = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
    learner = next(row for row in view.part("user-stats") if row["status"]["type"] == "notYetStarted")
    before = [row for row in _completions(v2, floor) if row["userId"] == learner["userId"]]
    assert before == []
    simulator.finish(session_id, view.mail(learner["userId"]))
    row = view.row(learner["userId"])
    assert row["status"] == {"type": "successful"}
    assert (row["progress"], row["score"]) == (100, 100)
    assert row["completedAt"] >= floor
    found = [row for row in _completions(v2, floor) if row["userId"] == learner["userId"]]
    assert found == [row | {"pathId": view.session["pathId"], "sessionId": session_id}]


def _completions(client, floor):
    return client.get("/api/v2/paths/stats", params={"completedAt[gte]": floor}).json()


def test_nothing_is_completed_while_nobody_asks(connect_v2):
    now = datetime(2026, 6, 1, 12, tzinfo=UTC)
    with Simulator(sessions=200, clock=lambda: now, token_life=1e9) as simulator, connect_v2(simulator) as client:
        now += timedelta(days=20)
        assert _completions(client, "2026-06-01T12:00:01.000Z") == []
        done = _completions(client, "2026-05-30T00:00:00.000Z")
        assert done
        assert len({row["completedAt"] for row in done}) == len(done)
        first = simulator.session_ids[0]
        mail = simulator.session(first)["users"][-1]["mail"]
        simulator.finish(first, mail)
        assert [row["sessionId"] for row in _completions(client, "2026-06-01T12:00:01.000Z")] == [first]


def test_rows_are_the_same_whether_a_session_or_the_platform_is_asked(simulator, v2):
    everything = v2.get("/api/v2/paths/stats").json()
    for one in simulator.session_ids:
        view = View(v2, one)
        names = {"pathId": view.session["pathId"], "sessionId": one}
        rows = [row | names for row in view.part("user-stats")]
        assert [row for row in everything if row["sessionId"] == one] == rows
    done = [row for row in everything if row.get("completedAt", "") >= "2026"]
    assert _completions(v2, "2026-01-01T00:00:00.000Z") == done


def test_rows_are_filtered_by_learner_and_path(simulator, v2, view):
    user_id = view.learners[0]
    rows = v2.get("/api/v2/paths/stats", params={"userId[eq]": user_id}).json()
    assert len(rows) > 1
    assert {row["userId"] for row in rows} == {user_id}
    path = view.session["pathId"]
    rows = v2.get("/api/v2/paths/stats", params={"pathId[in][0]": path, "userId[ne]": user_id}).json()
    assert {row["pathId"] for row in rows} == {path}
    assert user_id not in {row["userId"] for row in rows}
    gone = v2.get("/api/v2/paths/stats", params={"status[eq]": "archived"}).json()
    assert gone
    assert all("unenrolledAt" in row for row in gone)


def test_learners_come_and_go_in_both(simulator, view, session_id):
    kept, gone, *_ = simulator.session(session_id)["users"]
    enrolled_at = view.row(kept["_id"])["enrolledAt"]
    new = {"_id": "e" * 24, "mail": "new@example.com", "dueDate": "2031-01-01T00:00:00.000Z"}
    unmailed = {"_id": "f" * 24, "username": "terminal.nine"}
    simulator.edit(session_id, users=[kept, new, unmailed, "nonsense"])
    assert view.learners == [kept["_id"], new["_id"], unmailed["_id"]]
    assert view.row(kept["_id"])["enrolledAt"] == enrolled_at
    assert view.row(new["_id"])["enrolledAt"] > enrolled_at
    assert view.row(new["_id"])["dueDate"] == new["dueDate"]
    assert view.row(gone["_id"])["unenrolledAt"] > enrolled_at
    assert view.mail(new["_id"]) == "new@example.com"
    assert view.mail(unmailed["_id"]) is None
    simulator.finish(session_id, unmailed["_id"])
    assert view.row(unmailed["_id"])["status"] == {"type": "successful"}
    simulator.edit(session_id, users=[gone])
    assert "unenrolledAt" not in view.row(gone["_id"])
    assert "unenrolledAt" in view.row(kept["_id"])


def test_learners_keep_the_dates_of_their_coming_and_going(connect_v2):
    now = datetime(2026, 6, 1, tzinfo=UTC)
    with Simulator(clock=lambda: now, token_life=1e9) as simulator, connect_v2(simulator) as client:
        view = View(client, simulator.session_ids[0])
        gone, *kept = simulator.session(view.session_id)["users"]
        new = {"_id": "e" * 24, "mail": "new@example.com"}
        for users in ([*kept, new], [*kept[1:], new]):
            now += timedelta(days=1)
            simulator.edit(view.session_id, users=users)
        assert view.row(new["_id"])["enrolledAt"] == "2026-06-02T00:00:00.000Z"
        assert view.row(gone["_id"])["unenrolledAt"] == "2026-06-02T00:00:00.000Z"
        assert view.row(kept[0]["_id"])["unenrolledAt"] == "2026-06-03T00:00:00.000Z"
        assert view.row(kept[1]["_id"])["enrolledAt"] == view.session["createdAt"]


@pytest.mark.parametrize("users", [None, "nonsense", [None, {"_id": 3}, {"mail": 4}]], ids=str)
def test_strange_learners_are_nobody(users, simulator, session_id, view):
    simulator.edit(session_id, users=users)
    assert view.learners == []


@pytest.mark.parametrize(
    ("start", "days", "statuses"),
    [
        (1, 0, {"sessionNotOpened"}),
        (-7, 0, {"notYetStarted", "onTime", "late", "awaitingCorrection", "toRetake"}),
        (-7, 20, {"notYetStarted", "onTime", "late", "awaitingCorrection", "toRetake"}),
        (-7, 23, {"unsuccessful", "awaitingCorrection", "toRetake"}),
    ],
)
def test_a_status_follows_the_clock(start, days, statuses, connect_v2):
    now = datetime(2026, 6, 1, 12, tzinfo=UTC)
    with Simulator(clock=lambda: now, token_life=1e9) as simulator, connect_v2(simulator) as client:
        view = View(client, simulator.session_ids[0])
        simulator.edit(view.session_id, startDate=(now + timedelta(days=start)).isoformat())
        now += timedelta(days=days)
        rows = [row for row in view.part("user-stats") if not {"unenrolledAt", "completedAt"} & row.keys()]
        assert {row["status"]["type"] for row in rows} == statuses
        reasons = {row["status"]["type"]: row["status"].get("reason") for row in rows}
        expected = {"unsuccessful": "sessionEnded", "toRetake": "mandatoryReplay"}
        assert reasons == {status: expected.get(status) for status in statuses}
        late = [row for row in rows if row["status"]["type"] == "late"]
        assert all(row["dueDate"] <= now.isoformat() for row in late)
        assert late or "late" not in statuses


def test_due_dates_are_the_end_or_earlier_or_missing(simulator, view):
    end = view.session["endDate"]
    due = Counter("none" if one is None else "end" if one == end else "earlier" for one in _due_dates(view))
    assert due.keys() == {"none", "end", "earlier"}
    assert all(one is None or one <= end for one in _due_dates(view))
    simulator.edit(view.session_id, endDate=None)
    assert set(_due_dates(view)) == {None}


def _due_dates(view):
    return [row.get("dueDate") for row in view.part("user-stats") if "unenrolledAt" not in row]


def test_legacy_sessions_have_no_audience(connect_v2):
    with Simulator(legacy=1) as simulator, connect_v2(simulator) as client:
        view = View(client, simulator.session_ids[0])
        assert view.session["isAudienceBuilder"] is False
        assert view.session["modifiedAt"] == view.session["createdAt"]
        address = f"/api/v2/paths/{view.session['pathId']}/sessions/{view.session_id}/audiences"
        response = client.get(address)
        assert (response.status_code, response.json()["error"]["code"]) == (400, "sessionIsNotAudienceBuilder")
        simulator.edit(view.session_id, name="x")
        assert view.session["modifiedAt"] > view.session["createdAt"]


def test_custom_fields_that_appear_have_a_definition(simulator, v2, session_id, view):
    fields = [{"customFieldId": "a" * 24, "name": "Room", "value": "4"}, {"_id": "b" * 24, "value": ""}, "nonsense"]
    simulator.edit(session_id, customFields=fields)
    assert view.part("custom-fields/values") == [{"customFieldId": "a" * 24, "type": "string", "value": "4"}]
    names = {one["_id"]: one["name"] for one in v2.get("/api/v2/custom-fields").json()}
    assert (names["a" * 24], names["b" * 24]) == ("Room", "Custom field bbbbbb")


def test_users_who_are_in_no_session_can_be_added(connect_v2):
    count = {}
    for users in (0, 7):
        with Simulator(users=users) as simulator, connect_v2(simulator) as client:
            count[users] = len(client.get("/api/v2/users").json())
    assert count[7] == count[0] + 7


def test_learners_finish_over_http(simulator, v2, view):
    user_id = next(row["userId"] for row in view.part("user-stats") if row["status"]["type"] == "notYetStarted")
    address = f"/_simulator/sessions/{view.session_id}/finish"
    assert v2.post(address, json={"mail": view.mail(user_id)}).status_code == 200
    assert view.row(user_id)["status"] == {"type": "successful"}
    assert v2.post(address, json={"mail": "nobody@example.com"}).status_code == 404
    assert v2.post(address, json=[]).status_code == 400
