from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_learning360.api.contract import MAX_NAMES, POLICIES, Drift, find_drift, report_drift
from airflow_provider_learning360.api.errors import ContractError
from airflow_provider_learning360.api.models import ProgramSession
from airflow_provider_learning360.api.v2.documents import ALL_KEYS, build_coverage

FULL: dict[str, Any] = {
    "_id": "60b8d2956e20ae1a0f8e44f1",
    "name": "x",
    "author": "jane@example.com",
    "description": "",
    "startDate": "2021-01-06T08:44:00.000Z",
    "endDate": None,
    "modifiedAt": "2021-07-01T10:00:00.000Z",
    "lang": "en",
    "hasUserLimit": False,
    "programDuration": None,
    "programTemplate": "5f02",
    "automatedReminders": True,
    "sessionCustom": "",
    "templateCustom": "",
    "tutors": [],
    "modules": [{"_id": "1", "type": "course"}, {"type": "webinar"}, {"type": "classroom"}, {"type": None}, {}],
    "groups": [],
    "customFields": [{"customFieldId": "1", "value": "x"}, {"_id": "2", "name": "n"}],
    "requirements": {"courses": [], "programs": [], "paths": []},
    "users": [{"_id": "3", "mail": "ann@example.com", "firstName": "Ann"}],
}


def drift(**differing: Any) -> Drift:
    return find_drift(ProgramSession.model_validate({**FULL, **differing}))


def test_documented_session_does_not_drift() -> None:
    assert drift() == Drift()
    assert not drift()
    assert str(drift()) == ""


@pytest.mark.parametrize(
    "differing",
    [
        {"userLimit": 5},
        {"programDurationType": "hour"},
        {"programDurationType": None},
        {"skills": ["1"]},
        {"users": None},
    ],
    ids=str,
)
def test_conditional_field_that_is_missing_is_not_drift(differing: dict[str, Any]) -> None:
    assert not drift(**differing)


@pytest.mark.parametrize(
    ("differing", "unknown"),
    [
        ({"color": "red", "badge": 1}, ("badge", "color")),
        ({"start_date": "x"}, ("start_date",)),
        ({"users": [{}, {"badge": 1}, {"badge": 2, "age": 3}]}, ("users[].age", "users[].badge")),
        ({"modules": [{"title": "x"}]}, ("modules[].title",)),
        ({"customFields": [{"kind": "x"}]}, ("customFields[].kind",)),
        ({"requirements": {"skills": []}}, ("requirements.skills",)),
    ],
    ids=str,
)
def test_unknown_field_is_drift(differing: dict[str, Any], unknown: tuple[str, ...]) -> None:
    assert drift(**differing) == Drift(unknown=unknown)


def test_missing_documented_field_is_drift() -> None:
    old = {name: value for name, value in FULL.items() if name not in ("modifiedAt", "lang")}
    found = find_drift(ProgramSession.model_validate(old))
    assert found == Drift(missing=("lang", "modifiedAt"))


def test_unknown_field_named_like_an_attribute_does_not_replace_the_documented_one() -> None:
    other = {"start_date" if name == "startDate" else name: value for name, value in FULL.items()}
    found = find_drift(ProgramSession.model_validate(other))
    assert found == Drift(unknown=("start_date",), missing=("startDate",))


@pytest.mark.parametrize(
    ("differing", "new_values"),
    [
        ({"modules": [{"type": "quiz"}, {"type": "quiz"}, {"type": "course"}]}, ("modules[].type quiz",)),
        ({"programDurationType": "day"}, ("programDurationType day",)),
    ],
    ids=str,
)
def test_value_outside_an_enumeration_is_drift(differing: dict[str, Any], new_values: tuple[str, ...]) -> None:
    assert drift(**differing) == Drift(new_values=new_values)


def test_drift_of_many_sessions_is_reported_once() -> None:
    one = Drift(unknown=("b", "a"), missing=("m",))
    other = Drift(unknown=("a", "c"), new_values=("type x",))
    assert one | other == Drift(("a", "b", "c"), ("m",), ("type x",))
    assert str(one | other) == "unknown: a, b, c; missing: m; new values: type x"
    assert (Drift() | other) == other


def test_drift_of_many_documents_is_bounded() -> None:
    drift = Drift()
    for number in range(20_000):
        drift |= Drift(unknown=tuple(f"key{number}-{other}" for other in range(50)))
    assert len(drift.unknown) == MAX_NAMES + 1
    assert str(drift).endswith(" and more")
    assert len(str(Drift(tuple(map(str, range(100_000)))))) < 1000


def test_policy_decides_what_drift_does() -> None:
    assert set(POLICIES) == {"ignore", "warn", "strict"}
    found = Drift(unknown=("color",), missing=("lang",))
    assert report_drift("program session 1", found, "ignore") is None
    warning = report_drift("program session 1", found, "warn")
    assert warning is not None
    with pytest.raises(ContractError) as caught:
        report_drift("program session 1", found, "strict")
    for message in (warning, str(caught.value)):
        assert [word for word in ("program session 1", "color", "lang") if word not in message] == []
    assert "warn" in str(caught.value)
    assert not caught.value.retryable


@pytest.mark.parametrize("policy", POLICIES)
def test_no_drift_is_not_reported(policy: Any) -> None:
    assert report_drift("program session 1", Drift(), policy) is None


def test_drift_names_fields_and_never_people() -> None:
    found = drift(mail="ann@example.com", users=[{"login": "ann@example.com"}])
    assert "login" in str(found)
    assert "ann" not in str(found)


def test_fields_of_one_version_are_drift_in_the_other() -> None:
    differing: dict[str, Any] = {"pathId": "1", "users": [{"_id": "1", "status": "invited"}]}
    assert drift(**differing) == Drift(unknown=("pathId", "users[].status"))
    session = ProgramSession.from_json({**FULL, **differing})
    assert not find_drift(session.with_coverage(build_coverage(ALL_KEYS)))
    # Still drift: a field of a learner that neither version documents.
    session = ProgramSession.from_json({**FULL, "users": [{"_id": "1", "badge": 2}]})
    assert find_drift(session.with_coverage(build_coverage(ALL_KEYS))) == Drift(unknown=("users[].badge",))
