from __future__ import annotations

import json
import logging
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_learning360.api.changes import (
    Change,
    Watermark,
    add_unknown,
    carry_over,
    find_change,
    parse_datetime,
    watermark_since,
)
from airflow_provider_learning360.api.errors import ContractError, FixArgumentError
from airflow_provider_learning360.api.models import Coverage, ProgramSession, format_date

ID = "60b8d2956e20ae1a0f8e44f1"
OTHER = "60b8d2956e20ae1a0f8e44f2"
T0 = datetime(2026, 3, 1, 8, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def session(modified_at: datetime | None = T0, **fields: Any) -> ProgramSession:
    moment = {} if modified_at is None else {"modifiedAt": format_date(modified_at)}
    return ProgramSession.model_validate({"_id": ID, **moment, **fields})


MOMENTS = st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))
LISTS = st.lists(st.sampled_from(["ann@example.com", "bob@example.com", "absent"]), max_size=2)
WATCHABLE = st.fixed_dictionaries(
    {},
    optional={
        "name": st.sampled_from([None, "", "absent", "x" * 600, "y" * 600]),
        "lang": st.sampled_from([None, "absent", "en"]),
        "startDate": st.none() | MOMENTS.map(format_date),
        "tutors": st.none() | LISTS,
        "customFields": st.lists(st.fixed_dictionaries({"value": st.none() | st.integers(0, 2)}), max_size=2),
    },
)
WATCH = st.lists(st.sampled_from(["name", "lang", "startDate", "tutors", "customFields"]), unique=True).map(tuple)


@given(MOMENTS, MOMENTS, WATCHABLE, WATCHABLE, WATCH)
def test_change_is_later_and_differs_in_a_watched_field(
    before: datetime, after: datetime, was: dict[str, Any], now: dict[str, Any], watch: tuple[str, ...]
) -> None:
    watermark = Watermark.of(session(before, **was), watch)
    differing = {name for name in watch if (name in was, was.get(name)) != (name in now, now.get(name))}
    change = find_change(session(after, **now), watermark)
    assert (change is not None) == (after > watermark.modified_at and (not watch or bool(differing)))
    if change is not None:
        assert change.session_id == ID
        assert set(change.fields) == {"modifiedAt", *differing}


UNTIMED = Coverage(untimed=frozenset({"lang", "users"}))


@pytest.mark.parametrize(
    ("was", "now", "names"),
    [
        ({"lang": "en", "name": "a"}, {"lang": "fr", "name": "b"}, {"modifiedAt", "lang"}),
        ({"lang": "en", "name": "a"}, {"lang": "en", "name": "b"}, None),
        ({"lang": "en"}, {}, {"modifiedAt", "lang"}),
        ({}, {"lang": "en"}, {"modifiedAt", "lang"}),
        ({}, {"lang": None}, None),
    ],
)
def test_field_that_modified_at_does_not_cover_is_compared_at_the_same_time(
    was: dict[str, Any], now: dict[str, Any], names: set[str] | None
) -> None:
    watermark = Watermark.of(session(**was).with_coverage(UNTIMED), ("lang", "name"))
    change = find_change(session(**now).with_coverage(UNTIMED), Watermark.from_dict(watermark.to_dict()))
    assert (None if change is None else set(change.fields)) == names
    assert change is None or change.is_untimed
    assert find_change(session(T0 - SECOND, **now).with_coverage(UNTIMED), watermark) is None


def test_field_that_the_watermark_does_not_know_is_taken_from_the_first_poll() -> None:
    listed = watermark_since({"_id": ID, "modifiedAt": format_date(T0), "name": "a"}, ID, ("lang", "name"))
    present = session(lang="en", name="a").with_coverage(UNTIMED)
    assert find_change(present, listed) is None
    extended = add_unknown(listed, present)
    assert extended.extends(listed)
    assert not listed.extends(extended)
    assert add_unknown(extended, session(lang="fr").with_coverage(UNTIMED)) is extended
    change = find_change(session(lang="fr", name="a").with_coverage(UNTIMED), extended)
    assert change is not None
    assert change.fields["lang"] == {"from": "en", "to": "fr"}
    later = session(T0 + SECOND, lang="en", name="a").with_coverage(UNTIMED)
    assert add_unknown(listed, later) is listed
    assert find_change(later, listed) is not None


V2 = Coverage(untimed=frozenset({"modules", "lang"}), version="v2")
BOTH_KINDS = ("modules", "tutors", "name", "endDate")


@pytest.mark.parametrize("is_back", [False, True])
@pytest.mark.parametrize("moved", [-SECOND, timedelta(0), SECOND])
def test_other_version_of_the_api_is_no_change(moved: timedelta, is_back: bool) -> None:
    was = session(tutors=["ann@example.com"], name="a", endDate=None, modules=[])
    now = session(T0 + moved, tutors=["u1"], name="a").with_coverage(V2)
    before, after = (now, was) if is_back else (was, now)
    mark = carry_over(Watermark.from_dict(Watermark.of(before, BOTH_KINDS).to_dict()), after)
    assert find_change(after, mark) is None
    assert carry_over(mark, after) is mark
    assert mark.version == after.coverage.version
    for name, value in {"tutors": ["u2"], "name": "b", "endDate": format_date(T0)}.items():
        edited = session(T0 + 2 * SECOND, **{**after.document(BOTH_KINDS), name: value}).with_coverage(after.coverage)
        change = find_change(edited, add_unknown(mark, edited))
        assert change is not None
        assert change.fields.keys() == {"modifiedAt", name}


def test_edit_before_the_first_poll_of_another_version_is_a_change_of_what_both_have() -> None:
    watermark = Watermark.of(session(name="a", userLimit=None, modules=[]), ("name", "userLimit", "modules"))
    now = session(T0 + SECOND, name="b", userLimit=30).with_coverage(V2)
    change = find_change(now, carry_over(watermark, now))
    assert change is not None
    assert change.fields.keys() == {"modifiedAt", "name", "userLimit"}


def test_field_that_modified_at_does_not_cover_is_compared_after_the_version_changed() -> None:
    """Also if API v1 said a later `modifiedAt`, because it moves for more."""
    first = session(T0 - SECOND, lang="en").with_coverage(V2)
    mark = carry_over(Watermark.of(session(lang="fr"), ("lang",)), first)
    change = find_change(session(T0 - SECOND, lang="it").with_coverage(V2), mark)
    assert change is not None
    assert change.fields["lang"] == {"from": "en", "to": "it"}


def test_without_watched_fields_a_later_time_counts_in_any_version() -> None:
    watermark = Watermark.of(session())
    for moved, is_change in ((timedelta(0), False), (SECOND, True)):
        now = session(T0 + moved).with_coverage(V2)
        assert carry_over(watermark, now) is watermark
        assert (find_change(now, watermark) is not None) is is_change


@pytest.mark.parametrize(
    ("fields", "version"),
    [({"requirements": None}, "v1"), ({"pathId": "p"}, "v2"), ({"steps": []}, "v2"), ({"lang": "en"}, None)],
)
def test_version_of_an_earlier_document_is_recognised(fields: dict[str, Any], version: str | None) -> None:
    """A document with few fields may not show it. Then its values count: a change must not be lost."""
    mark = watermark_since({"modifiedAt": format_date(T0), "modules": [], **fields}, ID, ("modules",))
    assert Watermark.from_dict(mark.to_dict()).version == mark.version == version
    now = session(modules=[{"_id": "m", "type": "course"}]).with_coverage(V2)
    carried = carry_over(mark, now)
    assert (find_change(now, carried) is None) is (version == "v1")
    assert carried.extends(mark)
    assert (version == "v1") is (carried is not mark)


def test_watermark_of_the_first_version_is_stored_as_before() -> None:
    assert "version" not in Watermark.of(session(), ("name",)).to_dict()
    assert Watermark.of(session().with_coverage(V2), ("name",)).to_dict()["version"] == "v2"


@given(MOMENTS, WATCHABLE, WATCH)
def test_session_is_not_a_change_of_itself(moment: datetime, fields: dict[str, Any], watch: tuple[str, ...]) -> None:
    seen = session(moment, **fields)
    assert find_change(seen, Watermark.of(seen, watch)) is None


@given(MOMENTS, WATCHABLE, WATCH)
def test_watermark_survives_the_database(moment: datetime, fields: dict[str, Any], watch: tuple[str, ...]) -> None:
    watermark = Watermark.of(session(moment, **fields), watch)
    assert Watermark.from_dict(json.loads(json.dumps(watermark.to_dict()))) == watermark


@given(MOMENTS, WATCHABLE, WATCH)
def test_earlier_document_gives_the_watermark_of_its_poll(
    moment: datetime, fields: dict[str, Any], watch: tuple[str, ...]
) -> None:
    seen = session(moment, **fields)
    for since in (seen.document(), json.dumps(seen.document()), " " + json.dumps(seen.document(), indent=1)):
        assert watermark_since(since, ID, watch) == Watermark.of(seen, watch)


@given(WATCHABLE, WATCH)
def test_watermark_stores_and_shows_no_people(fields: dict[str, Any], watch: tuple[str, ...]) -> None:
    watermark = Watermark.of(session(T0, **fields), watch)
    change = find_change(session(T0 + SECOND), watermark)
    assert "example.com" not in json.dumps(watermark.to_dict())
    assert "example.com" not in f"{change} {change and change.to_dict()}"


@pytest.mark.parametrize("name", ["author", "tutors", "users"])
def test_people_are_compared_but_not_stored(name: str) -> None:
    def of(mail: str) -> Any:
        return {"author": mail, "tutors": [mail], "users": [{"_id": "1", "mail": mail}]}[name]

    watermark = Watermark.of(session(T0, **{name: of("ann@example.com")}), (name,))
    assert find_change(session(T0 + SECOND, **{name: of("ann@example.com")}), watermark) is None
    change = find_change(session(T0 + SECOND, **{name: of("bob@example.com")}), watermark)
    assert change is not None
    for text in (json.dumps(watermark.to_dict()), str(change), json.dumps(change.to_dict())):
        assert "example" not in text
    assert name in str(change)


def test_change_of_people_shows_their_count() -> None:
    watermark = Watermark.of(session(T0, tutors=["ann@example.com"]), ("tutors",))
    change = find_change(session(T0 + SECOND, tutors=["ann@example.com", "bob@example.com"]), watermark)
    assert "1 entries" in str(change)
    assert "2 entries" in str(change)


def test_mail_address_in_a_text_is_not_logged() -> None:
    watermark = Watermark.of(session(T0, sessionCustom="ask ann@example.com"), ("sessionCustom",))
    change = find_change(session(T0 + SECOND, sessionCustom="ask bob@example.com"), watermark)
    assert "sessionCustom" in str(change)
    assert "example.com" not in str(change)


def test_long_value_is_stored_as_a_fingerprint() -> None:
    watermark = Watermark.of(session(T0, description="<p>" + "x" * 30_000), ("description",))
    assert len(json.dumps(watermark.to_dict())) < 1000
    assert find_change(session(T0 + SECOND, description="<p>" + "x" * 30_000), watermark) is None
    change = find_change(session(T0 + SECOND, description="<p>" + "x" * 29_999 + "y"), watermark)
    assert change is not None
    assert len(str(change)) < 500


@pytest.mark.parametrize(
    ("was", "now"),
    [
        ({}, {"lang": None}),
        ({"lang": None}, {}),
        ({"lang": "en"}, {}),
        ({}, {"lang": "en"}),
        ({"lang": "absent"}, {}),
        ({}, {"lang": "absent"}),
        ({"lang": None}, {"lang": "en"}),
    ],
    ids=str,
)
def test_missing_null_and_value_differ(was: dict[str, Any], now: dict[str, Any]) -> None:
    watermark = Watermark.of(session(T0, **was), ("lang",))
    assert find_change(session(T0 + SECOND, **now), watermark) is not None
    assert find_change(session(T0 + SECOND, **was), watermark) is None


@pytest.mark.parametrize(
    ("later", "changed"), [(timedelta(0), False), (-SECOND, False), (timedelta(milliseconds=1), True)]
)
def test_only_a_later_modified_at_is_a_modification(later: timedelta, changed: bool) -> None:
    assert (find_change(session(T0 + later), Watermark(ID, T0)) is not None) is changed


def test_time_zone_of_a_watermark_does_not_matter() -> None:
    paris = timezone(timedelta(hours=2))
    assert find_change(session(T0), Watermark(ID, T0.astimezone(paris))) is None
    assert find_change(session(T0 + SECOND), Watermark(ID, T0.astimezone(paris))) is not None


def test_change_shows_both_values() -> None:
    watermark = Watermark.of(session(T0, startDate="2026-04-01T08:00:00Z", name="x"), ("startDate", "name"))
    change = find_change(session(T0 + SECOND, startDate="2026-05-01T10:00:00+02:00", name="x"), watermark)
    assert change == Change(
        ID,
        {
            "modifiedAt": {"from": "2026-03-01T08:00:00.000Z", "to": "2026-03-01T08:00:01.000Z"},
            "startDate": {"from": "2026-04-01T08:00:00.000Z", "to": "2026-05-01T08:00:00.000Z"},
        },
    )
    assert change.to_dict() == change.fields
    assert 'startDate: "2026-04-01T08:00:00.000Z" -> "2026-05-01T08:00:00.000Z"' in str(change)
    json.dumps(change.to_dict())


def test_date_in_another_notation_is_not_a_change() -> None:
    watermark = Watermark.of(session(T0, startDate="2026-04-01T08:00:00Z"), ("startDate",))
    assert find_change(session(T0 + SECOND, startDate="2026-04-01T10:00:00.000+02:00"), watermark) is None


def test_missing_modified_at_is_an_error() -> None:
    for use in (lambda: Watermark.of(session(None)), lambda: find_change(session(None), Watermark(ID, T0))):
        with pytest.raises(ContractError, match=f"{ID} has no modifiedAt"):
            use()


def test_watermark_fits_its_session_and_fields() -> None:
    watermark = Watermark.of(session(), ["name", "lang"])
    assert watermark.fits(ID, ["name", "lang"])
    assert watermark.fits(ID, ("name", "lang"))
    assert not watermark.fits(ID, ["name"])
    assert not watermark.fits(OTHER, ["name", "lang"])


@pytest.mark.parametrize(
    "since",
    [T0, T0.astimezone(timezone(timedelta(hours=-5))), "2026-03-01T08:00:00Z", " 2026-03-01T09:00+01:00 "],
    ids=str,
)
def test_time_is_a_watermark(since: Any, caplog: pytest.LogCaptureFixture) -> None:
    assert watermark_since(since, ID, ()) == Watermark(ID, T0)
    assert caplog.records == []


@pytest.mark.parametrize("since", [datetime(2026, 3, 1, 8), "2026-03-01T08:00", "20260301T080000"], ids=str)
def test_time_without_a_zone_is_utc_and_logged(since: Any, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        assert watermark_since(since, ID, ()) == Watermark(ID, T0)
    assert [word for word in ("since", "2026-03-01T08:00:00", "UTC") if word not in caplog.text] == []


@pytest.mark.parametrize(
    ("since", "watch", "words"),
    [
        ("yesterday", (), ["'yesterday' is not a time", "2026-"]),
        ("", (), ["is not a time"]),
        ("None", (), ["'None' is not a time"]),
        (None, (), ["is not a time"]),
        (1772352000, (), ["is not a time"]),
        ("['2026-03-01']", (), ["is not a time"]),
        ("{'_id': '1'}", (), ["not a JSON document", "get_session.output"]),
        ('{"_id": "1"', (), ["not a JSON document"]),
        (T0, ("name",), ["earlier values of the watched fields", "get_session.output"]),
        ({}, (), ["no modifiedAt"]),
        ({"_id": ID, "modifiedAt": None}, (), ["no modifiedAt", "`fields`"]),
        ({"_id": ID, "modifiedAt": "yesterday"}, (), ["no modifiedAt"]),
        ({"_id": OTHER, "modifiedAt": "2026-03-01T08:00:00Z"}, (), [OTHER, ID]),
    ],
    ids=str,
)
def test_invalid_since_is_refused_with_advice(since: Any, watch: tuple[str, ...], words: list[str]) -> None:
    with pytest.raises(FixArgumentError) as caught:
        watermark_since(since, ID, watch)
    message = str(caught.value)
    assert [word for word in ["since", *words] if word not in message] == []
    assert len(message.splitlines()) == 1


def test_document_without_id_belongs_to_the_awaited_session() -> None:
    assert watermark_since({"modifiedAt": "2026-03-01T08:00:00Z"}, ID, ()) == Watermark(ID, T0)


def test_invalid_time_is_shown_short_and_without_mail_addresses() -> None:
    with pytest.raises(FixArgumentError) as caught:
        parse_datetime("ann@example.com " + "x" * 5000, "modified_since")
    assert "modified_since" in str(caught.value)
    assert "example.com" not in str(caught.value)
    assert len(str(caught.value)) < 500


STRANGE = st.recursive(
    st.sampled_from([float("nan"), float("inf"), -float("inf"), 2**70, -(2**70), "caf\ud83d", "a\x00b", "x", 1, None]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "b\udc00"]), inner, max_size=2),
    max_leaves=5,
)


@given(STRANGE)
def test_strange_value_equals_itself_and_can_be_stored(value: Any) -> None:
    """Also in a foreign document: NaN never equals itself, and no store takes it."""
    was = ProgramSession.model_construct(id=ID, modified_at=T0)
    now = ProgramSession.model_construct(id=ID, modified_at=T0 + SECOND)
    for one in (was, now):
        object.__setattr__(one, "document", lambda fields: {"strange": value})
    mark = Watermark.of(was, ["strange"])
    assert find_change(now, mark) is None
    stored = json.dumps(mark.to_dict(), allow_nan=False)
    stored.encode()
    assert find_change(now, Watermark.from_dict(json.loads(stored))) is None


@given(STRANGE)
def test_watermark_of_an_earlier_version_is_compared_alike(value: Any) -> None:
    now = ProgramSession.model_construct(id=ID, modified_at=T0 + SECOND)
    object.__setattr__(now, "document", lambda fields: {"strange": value})
    stored = {"session_id": ID, "modified_at": T0.isoformat(), "watched": {"strange": value}, "watch": ["strange"]}
    mark = Watermark.from_dict(json.loads(json.dumps(stored)))  # Python's JSON writes and reads NaN
    assert find_change(now, mark) is None
    json.dumps(mark.to_dict(), allow_nan=False).encode()
