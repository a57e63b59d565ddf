"""What was modified since the last poll: no modification is lost, whatever happens between and during the polls."""

from __future__ import annotations

import json
import random
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_learning360.api.errors import ContractError, UnavailableError
from airflow_provider_learning360.api.messages import Call, Response
from airflow_provider_learning360.api.models import format_date
from airflow_provider_learning360.api.platform import advance
from airflow_provider_learning360.api.v2 import poll as poll_module
from airflow_provider_learning360.api.v2.floor import COMMIT_LAG
from airflow_provider_learning360.api.v2.platform import PlatformV2

START = datetime(2026, 3, 1, 8, 0, tzinfo=UTC)
HOST = "https://app.360learning.com"
PAGE_SIZE = 2
FULL_INTERVAL = 1e6
PATH = f"{1:024x}"


def session_id(number: int) -> str:
    return f"{number:024x}"


class Server:
    """
    A server whose modifications become visible late, and whose clock may jump.

    :param seed: What happens between and during the requests.
    :param count: How many sessions there are.
    """

    def __init__(self, seed: int, count: int = 5) -> None:
        self.random = random.Random(seed)
        self.seconds = 0.0
        self.offset = 0.0
        self.sends_date = True
        # Of each session: when it was modified by the clock of the server, and from when on that is visible.
        self.versions = {session_id(one): [(self.clock(), 0.0)] for one in range(count)}
        self.path_modified = self.clock()
        self.requests: list[dict[str, str]] = []

    def clock(self) -> datetime:
        return START + timedelta(seconds=round(self.seconds + self.offset, 3))

    def edit(self, one: str, lag: float) -> None:
        visible = max(self.seconds + lag, self.versions[one][-1][1])
        self.versions[one].append((self.clock(), visible))

    def visible(self) -> dict[str, int]:
        """Return the number of the version of each session that can be read now."""
        return {
            one: max(number for number, (_, since) in enumerate(versions) if since <= self.seconds)
            for one, versions in self.versions.items()
        }

    def live(self) -> None:
        """Let time pass, and edit some sessions."""
        for _ in range(self.random.randrange(3)):
            self.seconds += self.random.choice([0.0, 0.2, 0.999, 3.0, 15.0])
            if self.random.random() < 0.6:
                lag = self.random.choice([0.0, 0.5, COMMIT_LAG.total_seconds()])
                self.edit(session_id(self.random.randrange(len(self.versions))), lag)

    def respond(self, call: Call[Any]) -> Any:
        """Respond to a request; the list is older than its `Date`."""
        query = dict(call.request.query)
        self.requests.append(query)
        floor = datetime.fromisoformat(query.get("modifiedAt[gte]", "0001-01-01T00:00:00Z"))
        if call.request.path.endswith("/paths"):
            rows = [{"_id": PATH, "modifiedAt": format_date(self.path_modified)}] if self.path_modified >= floor else []
        else:
            after = query.get("next", "")
            found = {one: self.versions[one][number][0] for one, number in self.visible().items() if one > after}
            rows = [
                {"_id": one, "modifiedAt": format_date(stamp), "pathId": PATH}
                for one, stamp in sorted(found.items())
                if stamp >= floor
            ]
        page, rest = rows[:PAGE_SIZE], rows[PAGE_SIZE:]
        self.live()
        headers = {"date": format_datetime(self.clock().replace(microsecond=0), usegmt=True)} if self.sends_date else {}
        if rest:
            others = "&".join(f"{name}={value}" for name, value in query.items() if name != "next")
            headers["link"] = f'<{HOST}{call.request.path}?{others}&next={page[-1]["_id"]}>; rel="next"'
        body = json.dumps(page).encode()
        return call.parse(Response(call.request, 200, headers, body=body))


class Client:
    """One poller, and what it knows."""

    def __init__(self, server: Server, interval: float = FULL_INTERVAL) -> None:
        self.server = server
        self.platform = PlatformV2(HOST, lambda: server.seconds, interval)
        self.poll = self.platform.new_poll()
        self.seen: set[tuple[str, datetime]] = set()
        self.listed: list[str] = []

    def poll_once(self, fails_at: int = 99, **options: Any) -> None:
        """Poll; fail at one of the pages."""
        plan, outcome = self.poll.stream(**options), None
        self.listed = []
        for page in range(100):
            try:
                call = advance(plan, outcome)
            except StopIteration:
                return
            if page == fails_at:
                outcome = UnavailableError("in trouble")
                continue
            outcome = self.server.respond(call)
            for item in outcome.feed(outcome.response.body):
                one, moment = item["_id"], datetime.fromisoformat(item["modifiedAt"])
                self.listed.append(one)
                self.seen.add((one, moment))
        raise AssertionError("the list has no end")

    def find_outdated(self, watched: dict[str, frozenset[str]]) -> set[str]:
        plan, outcome = self.poll.find_outdated(watched), None
        while True:
            try:
                outcome = self.server.respond(advance(plan, outcome))
            except StopIteration as end:
                return end.value  # type: ignore[no-any-return]

    def lost(self, visible: dict[str, int]) -> set[str]:
        """Return the sessions of which this poller has seen neither the given version nor a later one."""
        return {
            one
            for one, number in visible.items()
            if not any((one, stamp) in self.seen for stamp, _ in self.server.versions[one][number:])
        }


@pytest.mark.slow
@settings(max_examples=400, deadline=None)
@given(seed=st.integers(0, 2**32), failures=st.lists(st.sampled_from([0, 1, 2, 99, 99, 99]), max_size=12))
def test_complete_poll_knows_all_that_was_visible_when_it_began(seed: int, failures: list[int]) -> None:
    server = Server(seed)
    client = Client(server)
    for fails_at in [*failures, 99]:
        server.live()
        visible = server.visible()
        try:
            client.poll_once(fails_at)
        except UnavailableError:
            continue
        assert client.lost(visible) == set()


@pytest.mark.slow
@settings(max_examples=300, deadline=None)
@given(seed=st.integers(0, 2**32), jumps=st.lists(st.sampled_from([0, 0, -60, -3600, 3600]), max_size=8))
def test_clock_that_jumps_hides_a_modification_for_one_poll_at_most(seed: int, jumps: list[int]) -> None:
    server = Server(seed)
    client = Client(server)
    client.poll_once()
    for jump in [*jumps, 0]:
        server.live()
        server.offset += jump
        server.live()
        server.seconds += server.random.choice([1.0, 300.0])
        visible = server.visible()
        client.poll_once()
        server.seconds += COMMIT_LAG.total_seconds()
        client.poll_once()
        assert client.lost(visible) == set()


def test_bulk_edit_is_listed_again_only_within_the_lag() -> None:
    server = Server(1)
    client = Client(server)
    server.live = lambda: None  # type: ignore[method-assign]
    server.seconds += 100
    client.poll_once()
    for one in server.versions:
        server.edit(one, 0.0)
    client.poll_once()
    assert len(client.listed) == 5
    server.seconds += COMMIT_LAG.total_seconds() - 1
    client.poll_once()
    assert len(client.listed) == 5
    server.seconds += 3
    client.poll_once()  # the floor is that of the poll before
    server.seconds += 1
    client.poll_once()
    assert client.listed == []


def test_failed_poll_and_missing_date_leave_the_floor_where_it_was() -> None:
    server = Server(2)
    server.live = lambda: None  # type: ignore[method-assign]
    client = Client(server)
    client.poll_once()
    server.seconds += 100
    for one in server.versions:
        server.edit(one, 0.0)
    with pytest.raises(UnavailableError):
        client.poll_once(fails_at=2)
    server.seconds += 100
    server.sends_date = False
    client.poll_once()
    server.sends_date = True
    client.poll_once()
    floors = {query.get("modifiedAt[gte]") for query in server.requests[3:]}
    assert floors == {"2026-03-01T07:59:50.000Z"}


def test_without_any_date_every_poll_is_complete() -> None:
    server = Server(3)
    server.sends_date = False
    client = Client(server)
    for _ in range(3):
        client.poll_once()
        assert client.poll.is_full


def test_complete_list_comes_at_its_interval_and_on_demand() -> None:
    server = Server(4)
    server.live = lambda: None  # type: ignore[method-assign]
    client = Client(server, 60.0)
    seen = []
    for seconds, full in ((0, False), (30, False), (31, False), (1, False), (1, True)):
        server.seconds += seconds
        client.poll_once(full=full)
        seen.append(client.poll.is_full)
    assert seen == [True, False, True, False, True]


def test_poll_that_fails_is_complete_the_next_time() -> None:
    client = Client(Server(5))
    with pytest.raises(UnavailableError):
        client.poll_once(fails_at=1)
    client.poll_once()
    assert client.poll.is_full


def test_pages_of_another_host_are_not_followed() -> None:
    server = Server(6)
    client = Client(server)
    client.poll._host = "https://elsewhere.example.com"  # type: ignore[attr-defined]
    with pytest.raises(ContractError, match="another host"):
        client.poll_once()


WATCHED = {session_id(0): frozenset({"description"}), session_id(1): frozenset({"name"})}


def test_modified_path_makes_its_sessions_outdated_once() -> None:
    server = Server(7)
    server.live = lambda: None  # type: ignore[method-assign]
    client = Client(server)
    found = []
    server.seconds += 100
    for modified in (False, False, True, False, False):
        server.seconds += 5
        if modified:
            server.path_modified = server.clock()
        found.append(client.find_outdated(WATCHED))
        client.poll_once()
    # All of them in the first poll, which knows nothing of their paths.
    assert found == [{session_id(0)}, set(), {session_id(0)}, set(), set()]


def test_paths_are_compared_again_when_a_watcher_of_them_comes_back() -> None:
    server = Server(8)
    server.live = lambda: None  # type: ignore[method-assign]
    client = Client(server)
    watched_by_turns = (WATCHED, {}, WATCHED)
    found = []
    for watched in watched_by_turns:
        server.seconds += 100
        found.append(client.find_outdated(watched))
        client.poll_once()
    assert found == [{session_id(0)}, set(), {session_id(0)}]


def test_many_watched_sessions_take_the_list_of_all_paths_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(poll_module, "FEW_SESSIONS", 0)
    server = Server(9)
    client = Client(server)
    client.find_outdated(WATCHED)
    assert server.requests == [{}]
    client.poll_once()
    assert client.platform._reader.paths.find(PATH) is not None


def test_keys_without_a_list_are_read_at_each_poll_and_cost_no_request_here() -> None:
    server = Server(10)
    client = Client(server)
    client.poll_once()
    before = len(server.requests)
    for field in ("author", "groups", "customFields", "users"):
        assert client.find_outdated({session_id(0): frozenset({field})}) == {session_id(0)}
    assert len(server.requests) == before
