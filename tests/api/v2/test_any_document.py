"""Valid objects, any part replaced by any JSON value: a result that every store takes, or one typed error."""

from __future__ import annotations

import copy
import json
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_learning360.api.contract import find_drift
from airflow_provider_learning360.api.errors import ContractError, LearningError, NotFoundError
from case_samples import one_in
from path_platform import SESSION_ID, PathPlatform, user, user_id

# Texts and numbers that broke something, somewhere, once.
LEAVES = (
    st.none()
    | st.booleans()
    | st.sampled_from([0, -1, 2**53 + 1, 2**64, -(10**30), 1e300, -0.0, 10**24 - 1])
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from(["", " ", "..", "\0", "\ud800", "a" * 5000, "hour", "groups", "course", "active", user_id(1)])
    | st.sampled_from(["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00", "2026-02-30", "yesterday"])
    | st.text(max_size=5)
)
VALUES = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["_id", "type", "ids", "unit", "value", "x", "\ud800"]), inner, max_size=3)
    ),
    max_leaves=6,
)
PARTS = ("session", "path", "audience", "values", "fields", "rows", "users", "counts")


def places_in(value: Any, place: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return where in a JSON value something can be replaced."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [place, *(inner for key, one in items for inner in places_in(one, (*place, key)))]


def replace_at(value: Any, place: tuple[Any, ...], new: Any) -> Any:
    """Return a copy of a JSON value with something else in one place."""
    if not place:
        return new
    changed = copy.deepcopy(value)
    inner = changed
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = new
    return changed


def build_platform() -> PathPlatform:
    row = {
        "_id": "5f00000000000000000000e1",
        "userId": user_id(4),
        "progress": 40,
        "status": {"type": "toRetake", "reason": "score"},
        "timeSpent": 60_000,
        "score": 70,
        "enrolledAt": "2026-10-01T08:00:00.000Z",
        "startedAt": "2026-10-02T08:00:00.000Z",
        "dueDate": "2026-12-01T08:00:00.000Z",
        "selfEnrolled": False,
    }
    users = [user(number, firstName="Anna", username=f"anna{number}") for number in range(1, 6)]
    return PathPlatform(rows=[row, row | {"userId": user_id(5)}], users=users)


def require_storable(value: Any) -> None:
    """Require that a value can be sent as msgpack, and stored as JSON by PostgreSQL."""
    msgspec.msgpack.encode(value)
    text = json.dumps(value, allow_nan=False, ensure_ascii=False)
    text.encode()
    assert "\\u0000" not in text


def read_everything(platform: PathPlatform) -> None:
    api = platform.platform
    for plan in (
        lambda: platform.run(api.get_session(SESSION_ID)),
        lambda: platform.run(api.list_sessions(keys=None)).sessions,
        lambda: platform.run(api.get_learners(SESSION_ID)),
        lambda: platform.run(api.get_statistics(SESSION_ID)),
        lambda: platform.run(api.count_completions(SESSION_ID)),
        lambda: platform.stream(api.stream_sessions()),
    ):
        try:
            result = plan()
        except LearningError as error:
            require_plain(error)
            continue
        for one in result if isinstance(result, list) else [result]:
            require_result(one)


def require_plain(error: LearningError) -> None:
    assert isinstance(error, ContractError | NotFoundError)
    assert "\n" not in str(error)
    assert len(str(error)) < 1000
    assert "anna" not in str(error)
    require_storable(error.to_dict())


def require_result(result: Any) -> None:
    if hasattr(result, "sanitized_fields"):
        require_storable(result.document())
    elif isinstance(result, dict):
        require_storable(result)
    if hasattr(result, "coverage"):
        str(find_drift(result)).encode()


@pytest.mark.parametrize("part", one_in(2, PARTS))
@settings(max_examples=150)
@given(data=st.data())
def test_any_value_anywhere_is_a_result_or_one_typed_error(part: str, data: st.DataObject) -> None:
    platform = build_platform()
    place = data.draw(st.sampled_from(places_in(getattr(platform, part))))
    changed = replace_at(getattr(platform, part), place, data.draw(VALUES))
    if part == "users":
        # The list of users is also where single ones are looked for.
        changed = changed if isinstance(changed, list) else [changed]
        platform.find_user = lambda wanted: next(  # type: ignore[method-assign]
            (one for one in changed if isinstance(one, dict) and one.get("_id") == wanted), None
        )
    setattr(platform, part, changed)
    read_everything(platform)


@settings(max_examples=50)
@given(st.lists(VALUES, max_size=4), st.sampled_from(["values", "fields", "rows"]), st.integers(1, 3))
def test_any_items_beside_good_ones_cost_themselves(items: list[Any], part: str, page_size: int) -> None:
    platform = build_platform()
    platform.page_size = page_size
    good = list(getattr(platform, part))
    setattr(platform, part, [*good, *items])
    if part == "rows":
        statistics = platform.run(platform.platform.get_statistics(SESSION_ID))
        assert {user_id(4), user_id(5)} <= {one["userId"] for one in statistics.users_stats}
    else:
        fields = platform.run(platform.platform.get_session(SESSION_ID)).document()["customFields"]
        assert fields[0]["value"] == "Paris"
        assert fields[0]["name"] == "City"
