from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_learning360.api.errors import FixArgumentError
from airflow_provider_learning360.api.models import Learner, ProgramSession, SessionStatistics
from airflow_provider_learning360.reminders.addresses import is_mailable, normalize_address, parse_address
from airflow_provider_learning360.reminders.policy import ReminderRule
from airflow_provider_learning360.reminders.recipients import Recipient, build_recipient_key, find_recipients
from airflow_provider_learning360.testing.factories import learners, session_document, session_statistics

ANN: Learner = {"_id": "1", "mail": "Ann@example.com", "firstName": "Ann", "lastName": "Lee"}
BOB: Learner = {"_id": "2", "mail": "bob#acme@example.com", "firstName": "Bob"}
SESSION = ProgramSession.model_validate(
    {
        "_id": "0" * 24,
        "tutors": ["tom@example.com", "ANN@example.com"],
        "users": [{"_id": "9", "mail": "z@example.com"}],
    }
)


def rule(audience: Any, to: Any = ()) -> ReminderRule:
    return ReminderRule.model_validate({"name": "x", "on": "date_changed", "audience": audience, "to": to})


def statistics(*items: dict[str, Any]) -> SessionStatistics:
    return SessionStatistics.model_validate({"usersStats": list(items)})


def test_learners_come_from_the_list_or_from_the_session() -> None:
    found = find_recipients(rule("learners"), SESSION, users=[ANN, BOB])
    assert found.mailable == (Recipient("Ann@example.com", "Ann", "Lee", "1"),)
    assert found.unmailable == (Recipient("bob#acme@example.com", "Bob", None, "2"),)
    assert find_recipients(rule("learners"), SESSION).mailable == (Recipient("z@example.com", user_id="9"),)
    assert find_recipients(rule("learners"), SESSION, users=[]).mailable == ()


def test_not_completed_is_joined_with_the_list() -> None:
    items = [
        {"mail": "aNN@example.com"},
        {"mail": "done@example.com", "progress": 100},
        {"mail": "gone@example.com", "deleted": True},
        {"mail": "new@example.com", "firstName": "New", "endTime": ""},
        {"mail": "left@example.com", "progress": 5},
        {"firstName": "No", "lastName": "Mail"},
        {},
    ]
    names = ("done", "gone", "new", "sparse")
    enrolled: list[Any] = [ANN, *({"mail": f"{name}@example.com"} for name in names)]
    found = find_recipients(rule("not_completed"), SESSION, statistics(*items), enrolled)
    # The statistics still list who has left. Those missing in them have not finished.
    assert found.mailable == (
        Recipient("Ann@example.com", "Ann", "Lee", "1"),
        Recipient("new@example.com", "New"),
        Recipient("sparse@example.com"),
    )
    assert found.unmailable == ()


def test_not_completed_needs_statistics() -> None:
    with pytest.raises(FixArgumentError, match=f"statistics of program session {'0' * 24} are missing"):
        find_recipients(rule("not_completed"), SESSION, None, [ANN])


def test_recipients_are_unique() -> None:
    both = rule(["learners", "tutors"], ["tom@EXAMPLE.com", "ops@example.com"])
    found = find_recipients(both, SESSION, users=[ANN, {"mail": "ann@EXAMPLE.com"}])
    assert [(one.mail, one.role) for one in found.mailable] == [
        ("Ann@example.com", "learner"),
        ("tom@example.com", "tutor"),
        ("ops@example.com", "fixed"),
    ]


def test_escalated_audience_overrides_that_of_the_rule() -> None:
    one = rule("learners")
    assert len(find_recipients(one, SESSION, users=[ANN]).mailable) == 1
    found = find_recipients(one, SESSION, users=[ANN], audience=("learners", "tutors"))
    assert [one.mail for one in found.mailable] == ["Ann@example.com", "tom@example.com"]


def test_factory_logins_are_unmailable() -> None:
    session = ProgramSession.model_validate(session_document())
    everyone: Any = learners(9, names=True)
    done = SessionStatistics.model_validate(session_statistics(everyone, finished=2))
    found = find_recipients(rule(["not_completed", "tutors"]), session, done, everyone)
    assert {one.mail for one in found.mailable + found.unmailable} == {
        *(one["mail"] for one in everyone[2:]),
        *(session.tutors or []),
    }
    assert all("#" in one.mail for one in found.unmailable)
    assert found.unmailable


@pytest.mark.parametrize(
    "address",
    ["ann@example.com", "ann.lee+field@mail.example.co.uk", "o'neil_x-1@exämple.fr", "a@b"],
)
def test_address_is_mailable(address: str) -> None:
    assert is_mailable(address)


@pytest.mark.parametrize(
    "address",
    [
        None, "", "ann", "zoë.müller@example.com", "a..b@example.com", ".a@example.com",
        "ann@", "@example.com", "first.last#company@example.com", "ann@example.com#x", "a@b@c.com",
        "ann lee@example.com", " ann@example.com", "ann@example.com\n", "ann@exa\u00a0mple.com", "ann\x00@example.com",
        "ann\u200b@example.com", "ann@example.com\r\nBcc: x@example.com", "a,b@example.com", "<ann@example.com>",
        '"ann"@example.com', "ann(x)@example.com", "x" * 65 + "@example.com", "ann@" + "x" * 255,
    ],
)  # fmt: skip
def test_login_or_invalid_address_is_not_mailable(address: str | None) -> None:
    assert not is_mailable(address)


def test_recipient_keys_are_keyed_hashes() -> None:
    key = build_recipient_key("Ann@Example.com", "secret")
    assert key == build_recipient_key("ann@example.com", b"secret")
    assert len(key) == 32
    assert set(key) <= set("0123456789abcdef")
    assert (
        len({key, build_recipient_key("ann@example.com", "other"), build_recipient_key("bob@example.com", "secret")})
        == 3
    )
    with pytest.raises(FixArgumentError, match="secret"):
        build_recipient_key("ann@example.com", "")


def test_spellings_of_one_domain_are_one_address() -> None:
    users: list[Any] = [{"mail": one} for one in ("a@faß.de", "A@xn--fa-hia.de", "a@fass.de", "a@FAß.DE")]
    found = find_recipients(rule("learners", "a@XN--FA-HIA.de"), SESSION, users=users)
    assert [one.mail for one in found.mailable] == ["a@faß.de", "a@fass.de"]
    assert (
        build_recipient_key("a@faß.de", "x")
        == build_recipient_key("A@xn--fa-hia.DE", "x")
        != build_recipient_key("a@fass.de", "x")
    )
    done = statistics({"mail": "a@xn--fa-hia.de", "endTime": "2026-03-01T08:00:00.000Z"})
    assert find_recipients(rule("not_completed"), SESSION, done, users[:1]).mailable == ()


ODD = st.text(st.sampled_from("aZ@.-#ßςéİ中。\u200d\u200b\ud800\x00\u0301٠א xn"), max_size=30) | st.text(max_size=80)


@settings(max_examples=500, deadline=None)
@given(ODD, ODD)
def test_any_text_is_an_address_or_refused(local: str, domain: str) -> None:
    for text in (local, f"{local}@{domain}", f"a@{domain}", f"a@{domain}.de"):
        assert len(build_recipient_key(text, "secret")) == 32
        if is_mailable(text):
            written = parse_address(text).addr_spec
            assert written.isascii()
            assert (
                normalize_address(text) == normalize_address(written) == normalize_address(text.upper())
                or not text.isascii()
            )
            assert is_mailable(written)
