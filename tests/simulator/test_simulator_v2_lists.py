"""Pages and filters of API v2."""

from __future__ import annotations

from datetime import UTC, datetime
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

import pytest

from airflow_provider_learning360.simulator import Simulator

pytestmark = pytest.mark.breaks_contract("wrong filters get errors, and dates may lack a time")

SESSIONS = "/api/v2/paths/sessions"


def _read_all(client, address, **options):
    """Return all items, and the sizes of the pages."""
    items, sizes = [], []
    while address:
        response = client.get(address, **options)
        assert response.status_code == 200
        items += response.json()
        sizes.append(len(response.json()))
        address, options = response.links.get("next", {}).get("url"), {}
    return items, sizes


def _ids(response):
    assert response.status_code == 200, response.text
    return [one["_id"] for one in response.json()]


@pytest.mark.parametrize(
    ("sessions", "sizes"), [(0, [0]), (4, [4]), (5, [5]), (6, [5, 1]), (12, [5, 5, 2]), (15, [5, 5, 5])]
)
def test_a_link_leads_to_the_next_page_only_if_there_is_one(sessions, sizes, connect_v2):
    with Simulator(sessions=sessions, page_size=5) as simulator, connect_v2(simulator) as client:
        items, pages = _read_all(client, SESSIONS)
        assert [one["_id"] for one in items] == simulator.session_ids
        assert pages == sizes


def test_a_link_is_absolute_and_carries_the_filters(connect_v2):
    with Simulator(page_size=2) as simulator, connect_v2(simulator) as client:
        wanted = simulator.session_ids[3:8]
        pairs = [("sessionId[in][]", one) for one in wanted] + [("createdAt[gte]", "2020-01-01")]
        response = client.get(SESSIONS, params=pairs)
        link = response.headers["Link"]
        assert link.endswith('>; rel="next"')
        parts = urlsplit(response.links["next"]["url"])
        assert f"{parts.scheme}://{parts.netloc}{parts.path}" == simulator.url + SESSIONS
        assert parse_qsl(parts.query)[:-1] == pairs
        assert parse_qsl(parts.query)[-1][0] == "next"
        items, sizes = _read_all(client, response.links["next"]["url"])
        assert _ids(response) + [one["_id"] for one in items] == wanted
        assert sizes == [2, 1]


def _invalid(response):
    assert response.status_code == 400
    assert response.json().keys() == {"error"}
    assert response.json()["error"].keys() == {"code", "message"}
    return response.json()["error"]["message"]


def test_a_next_that_was_not_issued_is_invalid(connect_v2):
    with Simulator(page_size=2) as simulator, connect_v2(simulator) as client:
        response = client.get(SESSIONS, params={"createdAt[gte]": "2020-01-01"})
        pairs = dict(parse_qsl(urlsplit(response.links["next"]["url"]).query))
        changed = [
            {"next": pairs["next"]},  # without the filters
            pairs | {"createdAt[gte]": "2021-01-01"},
            *(pairs | {"next": text} for text in ("", "2", "bmV4dA==", pairs["next"][:-4], pairs["next"].swapcase())),
        ]
        for query in changed:
            assert "next" in _invalid(client.get(SESSIONS, params=query))
        assert "next" in _invalid(client.get("/api/v2/users", params={"next": pairs["next"]}))
        assert client.get(SESSIONS, params=pairs).status_code == 200


def test_pages_skip_nothing_when_sessions_are_deleted(connect_v2):
    with Simulator(page_size=4) as simulator, connect_v2(simulator) as client:
        ids = simulator.session_ids
        first = client.get(SESSIONS)
        for one in ids[2:5]:
            simulator.delete(one)
        items, _ = _read_all(client, first.links["next"]["url"])
        assert [one["_id"] for one in items] == ids[5:]


@pytest.mark.parametrize(
    ("address", "sizes"),
    [
        (SESSIONS, [500, 101]),
        ("/api/v2/paths/stats", [2000, 631]),
        ("/api/v2/users", [500, 113]),
        ("/api/v2/paths", [10]),
        ("/api/v2/custom-fields", [4]),
    ],
)
def test_page_sizes_are_those_of_the_vendor(address, sizes, connect_v2):
    with Simulator(sessions=601, learners=1, users=599) as simulator, connect_v2(simulator) as client:
        _, pages = _read_all(client, address)
        assert pages[0] == sizes[0]
        assert len(pages) == len(sizes)


def test_page_sizes_of_one_path_are_those_of_the_vendor(connect_v2):
    with Simulator(sessions=1, learners=5100) as simulator, connect_v2(simulator) as client:
        session = simulator.session(simulator.session_ids[0])
        for number in range(250):
            simulator.add(session | {"_id": f"{number:024x}", "users": []})
        path = f"/api/v2/paths/{session['programTemplate']}"
        assert _read_all(client, f"{path}/sessions")[1] == [100, 100, 51]
        assert _read_all(client, f"{path}/enrollments")[1] == [5000, 102]
        rows, sizes = _read_all(client, f"{path}/sessions/{session['_id']}/user-stats")
        assert sizes == [2000, 2000, 1102]
        assert len({row["userId"] for row in rows}) == 5102


@pytest.mark.parametrize("safe", ["", "[]"], ids=["encoded", "plain"])
def test_brackets_are_read_in_both_encodings(safe, simulator, v2):
    cut = sorted(simulator.session(one)["modifiedAt"] for one in simulator.session_ids)[6][:19] + ".000Z"
    key = quote("modifiedAt[gte]", safe=safe)
    assert ("%5B" in key) is (not safe)
    found = _ids(v2.get(f"{SESSIONS}?{key}={cut}"))
    assert len(found) == 6
    assert found == [one for one in simulator.session_ids if simulator.session(one)["modifiedAt"] >= cut]


@pytest.mark.parametrize("form", ["sessionId[in][{}]", "sessionId[in][]", "sessionId[in]"])
def test_arrays_are_read_in_three_forms(form, simulator, v2):
    wanted = simulator.session_ids[2:5]
    pairs = [(form.format(place), one.upper()) for place, one in enumerate(wanted)]
    assert _ids(v2.get(f"{SESSIONS}?{urlencode(pairs)}")) == wanted
    excluded = [(name.replace("[in]", "[nin]"), one) for name, one in pairs]
    assert set(_ids(v2.get(f"{SESSIONS}?{urlencode(excluded)}"))) == set(simulator.session_ids) - set(wanted)


def test_sessions_are_filtered(simulator, v2):
    one, *others = simulator.session_ids
    path = simulator.session(one)["programTemplate"]
    of_path = [each for each in simulator.session_ids if simulator.session(each)["programTemplate"] == path]
    assert _ids(v2.get(SESSIONS, params={"sessionId[eq]": one})) == [one]
    assert _ids(v2.get(SESSIONS, params={"sessionId[eq]": "0" * 24})) == []
    assert _ids(v2.get(SESSIONS, params={"sessionId[ne]": one})) == others
    assert _ids(v2.get(SESSIONS, params={"pathId[eq]": path})) == of_path
    assert len(of_path) > 1
    both = {"pathId[eq]": path, "sessionId[ne]": one}
    assert _ids(v2.get(SESSIONS, params=both)) == of_path[1:]


@pytest.mark.parametrize("key", ["startDate", "endDate", "createdAt"])
def test_sessions_are_filtered_by_dates(key, simulator, v2):
    dates = {one["_id"]: one[key] for one in v2.get(SESSIONS).json()}
    cut = sorted(dates.values())[5][:10]
    before = [one for one, moment in dates.items() if moment < cut]
    assert before
    assert _ids(v2.get(SESSIONS, params={f"{key}[lt]": cut})) == before
    after = v2.get(SESSIONS, params={f"{key}[gte]": f"{cut}T00:00:00.000Z"})
    assert _ids(after) == [one for one in dates if one not in before]


def test_a_session_without_an_end_meets_no_filter_of_ends(simulator, v2, session_id):
    simulator.edit(session_id, endDate=None)
    assert "endDate" not in v2.get(SESSIONS, params={"sessionId[eq]": session_id}).json()[0]
    for name in ("endDate[gte]", "endDate[lt]"):
        assert session_id not in _ids(v2.get(SESSIONS, params={name: "2000-01-01"}))


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("name[eq]=x", "unknown query parameter"),
        ("limit=5", "unknown query parameter"),
        ("modifiedAt=2026-01-01", "unknown query parameter"),
        ("modifiedAt[gt]=2026-01-01", "unknown operator"),
        ("modifiedAt[eq]=2026-01-01", "unknown operator"),
        ("modifiedAt[gte][]=2026-01-01", "unknown operator"),
        ("modifiedAt[gte]=", "not a date"),
        ("modifiedAt[gte]=yesterday", "not a date"),
        ("modifiedAt[gte]=2026-13-01", "not a date"),
        ("modifiedAt[gte]=2026-01-01T10:00:00.123Z", "milliseconds set to 0"),
        ("modifiedAt[gte]=2026-01-01T10:00:00.000%2B02:00", "not a date"),
        ("modifiedAt[gte]=2026-01-01&modifiedAt[gte]=2026-01-02", "takes one value"),
        ("sessionId[eq]=12", "not an ID"),
        ("sessionId[in][]=", "not an ID"),
        ("sessionId[in]=" + "0" * 24 + "," + "1" * 24, "not an ID"),
        ("sessionId[in][x]=" + "0" * 24, "unknown query parameter"),
        ("sessionId[]=" + "0" * 24, "unknown query parameter"),
    ],
)
def test_a_query_that_is_not_valid_is_an_error(query, reason, v2):
    assert reason in _invalid(v2.get(f"{SESSIONS}?{query}"))


@pytest.mark.parametrize(
    ("address", "filters"),
    [
        (SESSIONS, {"createdAt", "modifiedAt", "startDate", "endDate", "sessionId", "pathId"}),
        ("/api/v2/paths", {"createdAt", "modifiedAt", "status"}),
        ("/api/v2/paths/stats", {"status", "completedAt", "pathId", "userId"}),
        ("/api/v2/paths/PATH/sessions", {"createdAt", "modifiedAt", "startDate", "endDate"}),
        ("/api/v2/paths/PATH/enrollments", {"status", "createdAt", "modifiedAt", "sessionId"}),
        ("/api/v2/paths/PATH/sessions/SESSION/user-stats", {"completedAt", "userId"}),
        ("/api/v2/paths/PATH/sessions/SESSION", set()),
        ("/api/v2/custom-fields", {"name", "targetType", "type"}),
        ("/api/v2/users", {"mail", "username", "status"}),
    ],
)
def test_each_route_names_its_filters(address, filters, simulator, v2, session_id):
    path = simulator.session(session_id)["programTemplate"]
    address = address.replace("PATH", path).replace("SESSION", session_id)
    allowed = _invalid(v2.get(address, params={"nosuch[eq]": "x"})).partition("allowed: ")[2]
    assert set(allowed.split(", ")) == (filters or {"none"})


def test_users_are_filtered(simulator, v2):
    mails = [one["mail"] for one in simulator.session(simulator.session_ids[0])["users"][:3]]
    found = v2.get("/api/v2/users", params=[("mail[in][]", mail) for mail in mails]).json()
    assert {one["mail"] for one in found} == set(mails)
    invited = v2.get("/api/v2/users", params={"status[eq]": "invited"}).json()
    assert invited
    assert {one["status"] for one in invited} == {"invited"}
    others = v2.get("/api/v2/users", params={"status[ne]": "invited"}).json()
    assert {one["status"] for one in others} == {"active", "deleted"}
    assert "not one of" in _invalid(v2.get("/api/v2/users", params={"status[eq]": "archived"}))
    nameless = v2.get("/api/v2/users", params={"username[eq]": "terminal.seven"}).json()
    assert [one.get("mail") for one in nameless] == [None]


def test_custom_fields_are_filtered(v2):
    address = "/api/v2/custom-fields"
    assert len(v2.get(address).json()) == 4
    assert [one["name"] for one in v2.get(address, params={"type[eq]": "date"}).json()] == ["Approved on"]
    assert [one["name"] for one in v2.get(address, params={"targetType[ne]": "contents"}).json()] == ["Badge number"]
    assert len(v2.get(address, params={"name[in][]": ["Cost centre", "x"]}).json()) == 1


def test_the_date_header_follows_the_clock(connect_v2):
    now = datetime(2031, 5, 5, 12, tzinfo=UTC)
    with Simulator(clock=lambda: now, token_life=1e9) as simulator, connect_v2(simulator) as client:
        assert client.get(SESSIONS).headers["Date"] == "Mon, 05 May 2031 12:00:00 GMT"
        now = datetime(2031, 5, 5, 12, 0, 1, 900_000, tzinfo=UTC)
        assert client.get("/api/v1/nothing").headers["Date"] == "Mon, 05 May 2031 12:00:01 GMT"


def test_requests_keep_every_value_of_a_repeated_name(simulator, v2, session_id):
    other = simulator.session_ids[1]
    v2.get(f"{SESSIONS}?sessionId[in]={session_id}&sessionId[in]={other}")
    seen = simulator.requests[-1]
    assert seen.query == {"sessionId[in]": other}
    assert seen.query_pairs == (("sessionId[in]", session_id), ("sessionId[in]", other))
    entry = v2.get("/_simulator/requests").json()[-1]
    assert entry["query_pairs"] == [["sessionId[in]", session_id], ["sessionId[in]", other]]


@pytest.mark.slow
def test_ten_thousand_sessions_are_twenty_pages(connect_v2):
    with Simulator(sessions=10_000, learners=1) as simulator, connect_v2(simulator) as client:
        items, sizes = _read_all(client, SESSIONS)
        assert sizes == [500] * 20
        assert [one["_id"] for one in items] == simulator.session_ids
