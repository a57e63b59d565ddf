"""Mail templates: both languages, hostile names, and templates of the author."""

from __future__ import annotations

import re
import sys
import tempfile
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from airflow_provider_learning360.api.errors import FixArgumentError
from airflow_provider_learning360.api.models import ProgramSession, SessionStatistics, format_date
from airflow_provider_learning360.api.sanitizer import is_unprintable
from airflow_provider_learning360.reminders.compose import find_template
from airflow_provider_learning360.reminders.language import find_language, parse_base_code
from airflow_provider_learning360.reminders.mail_templates import (
    BUILT_IN_FOLDER,
    MailText,
    build_values,
    check_template,
    check_templates,
    render,
)
from airflow_provider_learning360.reminders.planner import plan
from airflow_provider_learning360.reminders.policy import ReminderPolicy, ReminderRule

PARIS = ZoneInfo("Europe/Paris")
TEMPLATES = ("before_start", "before_end", "date_changed", "overdue", "tutors_digest")
START = datetime(2026, 3, 29, 0, 30, tzinfo=UTC)  # half an hour before Paris changes to summer time
END = datetime(2026, 4, 1, 10, 5, tzinfo=UTC)
LEARNERS = [{"mail": "ada@example.com", "firstName": "Ada", "lastName": "Lovelace"}, {"mail": "nameless@example.com"}]


def values(name: str | None = "Safety", **given: Any) -> dict[str, Any]:
    document = {"_id": "5f8d0d55b54764421b7156c9", "name": name, "startDate": START, "endDate": END}
    session = ProgramSession.model_validate({key: value for key, value in document.items() if key not in given})
    options = {key: value for key, value in given.items() if key not in document}
    return build_values(session, PARIS, **{"rule": "day_before", "first_name": "Zoé", **options})


def everything(name: str | None = "Safety") -> dict[str, Any]:
    statistics = {"registered": 3, "completed": 1, "usersStats": LEARNERS}
    change = {"start": (START - timedelta(days=30), START), "end": (None, END)}
    return values(name, change=change, statistics=SessionStatistics.model_validate(statistics))


def nothing() -> dict[str, Any]:
    return values(None, first_name=None, startDate=None, endDate=None)


@pytest.mark.parametrize("lang", ["en", "fr"])
@pytest.mark.parametrize("template", TEMPLATES)
def test_built_in_template_renders_with_and_without_values(template: str, lang: str) -> None:
    full, bare = render(template, lang, everything()), render(template, lang, nothing())

    for message in (full, bare):
        assert message.subject
        assert "\n" not in message.subject
        assert message.text.startswith("Hello" if lang == "en" else "Bonjour")
        assert f'<html lang="{lang}">' in message.html
        assert "None" not in "".join(message)
        assert "\n\n\n" not in message.text
        # Readers fetch nothing.
        assert not re.search(r"https?:|src=|url\(|<link|<script|@import", message.html)
    assert "Zoé," in full.text
    assert "Zoé," in full.html
    assert "Safety" in full.subject
    assert find_language(lang).unnamed in bare.subject + bare.text


def test_dates_are_written_in_words() -> None:
    english, french = (render("before_start", lang, everything()).text for lang in ("en", "fr"))

    assert "Sunday 29 March 2026 at 01:30 (Paris time)" in english
    assert "Wednesday 1 April 2026 at 12:05 (Paris time)" in english
    assert "dimanche 29 mars 2026 à 1\u00a0h\u00a030 (heure de Paris)" in french
    assert "mercredi 1er avril 2026 à 12\u00a0h\u00a005 (heure de Paris)" in french


@pytest.mark.parametrize(
    ("zone", "english", "french"),
    [
        (ZoneInfo("UTC"), "10:05 (UTC)", "(UTC)"),
        (ZoneInfo("Etc/GMT+5"), "05:05 (UTC-05:00)", "(UTC-05:00)"),
        (timezone(timedelta(hours=5, minutes=30)), "15:35 (UTC+05:30)", "(UTC+05:30)"),
        (ZoneInfo("America/Argentina/Buenos_Aires"), "07:05 (Buenos Aires time)", "(heure de Buenos Aires)"),
        (ZoneInfo("Africa/Abidjan"), "10:05 (Abidjan time)", "(heure d’Abidjan)"),
        (ZoneInfo("Europe/London"), "11:05 (London time)", "(heure de Londres)"),
    ],
)
def test_zone_is_named_by_its_city(zone: Any, english: str, french: str) -> None:
    assert find_language("en").format_date(END.astimezone(zone)).endswith(english)
    assert find_language("fr").format_date(END.astimezone(zone)).endswith(french)
    assert find_language("de").format_date(END.astimezone(zone)).startswith("Mittwoch, 1. April 2026, ")


@pytest.mark.parametrize(
    ("lang", "base"),
    [("fr", "fr"), ("fr-CA", "fr"), ("FR_ca", "fr"), ("", "en"), (None, "en"), ("../x", "en"), ("klingon", "en")],
)
def test_language_code_loses_its_region(lang: str | None, base: str) -> None:
    assert parse_base_code(lang) == base


def test_other_languages_get_english_templates() -> None:
    assert render("overdue", "de-AT", everything()) == render("overdue", "en", everything())
    assert render("overdue", None, everything()) == render("overdue", "en", everything())


def test_hostile_names_stay_text() -> None:
    name = ' <script>alert("x")</script>\r\nBcc: all@example.com\n\n{{ 7 * 7 }}\u2028\x00\ud800 '

    message = render("before_start", "en", {**everything(name), "recipient": {"first_name": "<b>Zoé\n\nBoss</b>"}})

    said = '<script>alert("x")</script> Bcc: all@example.com {{ 7 * 7 }}'
    assert f"“{said}”" in message.subject
    assert f"“{said}”" in message.text
    assert "Hello <b>Zoé Boss</b>," in message.text
    assert "<script>" not in message.html
    assert "<b>" not in message.html
    assert "".join(message).encode()


def test_subject_is_bounded() -> None:
    assert len(render("overdue", "en", everything("long " * 1000)).subject) <= 200


def test_changed_dates_are_listed() -> None:
    message = render("date_changed", "en", everything())

    assert "Start: Sunday 29 March 2026 at 01:30 (Paris time), instead of Friday 27 February 2026 at" in message.text
    assert "End: Wednesday 1 April 2026 at 12:05 (Paris time)\n" in message.text
    assert "End:" not in render("date_changed", "en", values(change={"start": (START, None)})).text
    assert "Start: not set, instead of" in render("date_changed", "en", values(change={"start": (START, None)})).text


def test_digest_names_people_without_addresses() -> None:
    message = render("tutors_digest", "en", everything())

    assert "Registered: 3\nFinished: 1\nNot finished yet: 2\n- Ada Lovelace\n- and 1 more\n" in message.text
    assert "<li>Ada Lovelace</li>" in message.html
    assert "@" not in "".join(message)


def test_digest_is_bounded() -> None:
    users = [{"mail": f"{number}@example.com", "firstName": f"L{number}"} for number in range(2000)]
    statistics = SessionStatistics.model_validate({"usersStats": users})

    text = render("tutors_digest", "fr", values(statistics=statistics)).text

    assert text.count("\n- ") == 51
    assert "et 1950 de plus" in text


def files(folder: Path, **contents: str) -> str:
    for name, content in contents.items():
        code, _, rest = name.partition("__")
        file = folder / (f"{code}/{rest.replace('__', '.')}" if rest else f"{code}.html")
        file.parent.mkdir(exist_ok=True)
        file.write_text(content)
    return str(folder)


def test_author_templates_come_first(tmp_path: Path) -> None:
    directory = files(
        tmp_path,
        en__overdue__txt="Dear {{ recipient.first_name }},\n\n{{ title }} <&> {{ session.end | when }}\n",
        de__overdue__txt="Hallo {{ recipient.first_name }}: {{ session.end | when }}",
        de__overdue__subject__txt="Offen: {{ title }}",
        fr__before_end__subject__txt="Bientôt : {{ title }}",
    )

    english = render("overdue", "en", everything("A<b>"), directory=directory)
    assert english.text.startswith("Dear Zoé,\n\n“A<b>” <&> Wednesday")
    assert english.subject == render("overdue", "en", everything("A<b>")).subject
    # The HTML comes from the author's text, not from the built-in template.
    assert "“A&lt;b&gt;” &lt;&amp;&gt; Wednesday" in english.html
    assert "talk to your tutor" not in english.html
    german = render("overdue", "de-AT", everything(), directory=directory)
    assert german[:2] == ("Offen: “Safety”", "Hallo Zoé: Mittwoch, 1. April 2026, 12:05 (Paris)\n")
    french = render("before_end", "fr", everything(), directory=directory)
    assert french == render("before_end", "fr", everything())._replace(subject="Bientôt : « Safety »")


def test_author_layout_applies_to_built_in_templates(tmp_path: Path) -> None:
    directory = files(tmp_path, layout="<h1>Academy</h1>{% block body %}{% endblock %}")

    assert render("overdue", "fr", everything(), directory=directory).html.startswith("<h1>Academy</h1>")


def test_changed_template_is_read_again(tmp_path: Path) -> None:
    def said(text: str) -> str:
        return render("overdue", "en", everything(), directory=files(tmp_path, en__overdue__txt=text)).text

    assert [said("one"), said("two, longer")] == ["one\n", "two, longer\n"]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("{{ session.title }}", "UndefinedError: 'dict object' has no attribute 'title'"),
        ("{{ secret }}", "UndefinedError: 'secret' is undefined"),
        ("one\n{% if %}", "line 2"),
        ("{{ ''.__class__.__mro__ }}", "SecurityError"),
        ("{{ session.name | when }}", "AttributeError"),
        ("{{ 1 + session.name }}", "TypeError"),
        ("{% include '../../secret.txt' %}", "TemplateNotFound"),
    ],
)
def test_failing_template_names_the_file_and_shows_no_value(tmp_path: Path, content: str, problem: str) -> None:
    directory = files(tmp_path, en__own__txt=content, en__own__subject__txt="Subject")

    with pytest.raises(FixArgumentError) as caught:
        render("own", "fr", everything("Confidential"), directory=directory)

    assert "en/own.txt" in str(caught.value)
    assert problem in str(caught.value)
    assert "Confidential" not in str(caught.value)
    assert caught.value.__cause__ is caught.value.__context__ is None


@pytest.mark.parametrize("template", ["unknown", "../en/overdue", "layout", "overdue.subject", ""])
def test_unknown_template_lists_the_available_ones(template: str) -> None:
    with pytest.raises(FixArgumentError, match="before_start, date_changed, overdue, tutors_digest"):
        render(template, "en", everything())


def test_missing_subject_or_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(FixArgumentError, match=r"own\.subject\.txt"):
        render("own", "en", everything(), directory=files(tmp_path, en__own__txt="text"))
    with pytest.raises(FixArgumentError, match="does not exist"):
        render("overdue", "en", everything(), directory=str(tmp_path / "missing"))


def test_every_language_has_every_file() -> None:
    names = [{file.name for file in (BUILT_IN_FOLDER / code).iterdir()} for code in ("en", "fr")]

    assert names[0] == names[1] == {f"{one}.{kind}" for one in TEMPLATES for kind in ("subject.txt", "txt", "html")}
    assert isinstance(render("overdue", "en", everything()), MailText)


# The check at parse time accepts exactly what renders when a mail is sent.

CONTENTS = st.sampled_from(
    [
        *["Words."] * 6,
        "{% include 'part.txt' %}",
        "{% include 'part.txt' ignore missing %}",
        "{% include ['part.txt', 'other.txt'] %}",
        "{% include language ~ '.txt' %}",
        "{% extends 'layout.html' %}",
        "{% if %}",
        "{{ session.nam }}",
        "{{ rule | when }}",
        "{{ rule | unknown }}",
        "{% if false %}{{ oops }}{% endif %}",
        "{{ session.end | when }} {{ digest.names | length }}",
    ]
)
OWN_FILE = st.tuples(
    st.sampled_from(["en", "fr", "de", "DE", "de-AT", ""]),
    st.sampled_from(["own", "overdue"]),
    st.sampled_from(["txt", "subject.txt", "html"]),
).map(lambda parts: f"{parts[0]}/{parts[1]}.{parts[2]}".lstrip("/"))
SHARED_FILE = st.sampled_from(
    ["layout.html", "paragraphs.html", "fr/layout.html", "fr/paragraphs.html", "de/part.txt", "part.txt", "en.txt"]
)
COMPLETE = {"en/own.txt": "Words.", "en/own.subject.txt": "Words."}


@pytest.mark.slow
@settings(max_examples=400, deadline=None)
@given(st.dictionaries(OWN_FILE | SHARED_FILE, CONTENTS, max_size=6), st.sampled_from([{}, COMPLETE]))
@example({"layout.html": "{% if %}"}, COMPLETE)
@example({"paragraphs.html": "{% if %}"}, COMPLETE)
@example({"layout.html": "{% extends 'layout.html' %}"}, COMPLETE)
@example({"en/own.txt": "{% include 'own.txt' %}"}, COMPLETE)
@example({"fr/own.txt": "a", "fr/own.subject.txt": "b", "fr/paragraphs.html": "{{ rule | unknown }}"}, COMPLETE)
def test_template_is_accepted_exactly_if_every_language_renders(
    files_of: dict[str, str], complete: dict[str, str]
) -> None:
    with tempfile.TemporaryDirectory() as directory:
        for path, content in (complete | files_of).items():
            (Path(directory) / path).parent.mkdir(exist_ok=True)
            (Path(directory) / path).write_text(content)
        for template in ("own", "overdue"):

            def fails(lang: str, template: str = template) -> bool:
                try:
                    render(template, lang, everything(), directory=directory)
                    render(template, lang, nothing(), directory=directory)
                except FixArgumentError:
                    return True
                return False

            is_broken = any(fails(lang) for lang in ("en", "fr", "de", "de-AT", "it", "DE", ""))
            try:
                check_template(template, directory)
            except FixArgumentError:
                assert is_broken
            else:
                assert not is_broken


STARTS = {"anchor": "startDate", "before": {"days": 1}, "audience": "learners"}
ENDS = {"anchor": "endDate", "after": {}, "audience": "learners"}
MOVES = {"on": "date_changed", "audience": "learners"}
DIGESTS = {"anchor": "startDate", "before": {"days": 1}, "audience": "tutors", "message": "digest"}


@pytest.mark.parametrize(
    ("rule", "content", "missing"),
    [
        # Values that are never missing need no condition; others do.
        (STARTS, "{{ session.start.year }}", None),
        (STARTS, "{{ session.end.year }}", "session.end"),
        (STARTS, "{% if session.end %}{{ session.end.year }}{% endif %}", None),
        (STARTS, "{{ session.end | when }}", None),
        (STARTS, "{% if not session.end %}{{ oops }}{% endif %}", "session.end"),
        (STARTS, "{% if not recipient.first_name and session.name %}{{ oops }}{% endif %}", "recipient.first_name"),
        (STARTS, "{% if session.name %}{{ oops }}{% endif %}", ""),
        (STARTS, "{{ change.start.after }}", ""),
        (STARTS, "{% if change.start %}{{ change.start.after.year }}{% endif %}", None),
        (STARTS, "{% include rule ~ '.txt' %}", None),
        (ENDS, "{{ session.end.year }}", None),
        (ENDS, "{{ session.start.year }}", "session.start"),
        (ENDS, "{{ digest.not_completed + 1 }}", "digest"),
        (ENDS | {"audience": "not_completed"}, "{{ digest.not_completed + 1 }}", None),
        (ENDS | {"audience": "tutors"}, "{{ digest.not_completed + 1 }}", None),
        (ENDS | {"audience": [], "to": "ops@example.com"}, "{{ digest.not_completed + 1 }}", None),
        (DIGESTS, "{{ digest.not_completed + 1 }}", None),
        (DIGESTS, "{{ digest.completed + 1 }}", "digest.completed, digest.names"),
        (DIGESTS, "{{ digest.names[0] }}", "digest.completed, digest.names"),
        (MOVES, "{{ change.start.after | when }}", "change.start"),
        (MOVES, "{% if change.start %}{{ change.start.after | when }}{% endif %}", None),
        (MOVES, "{% if change.end %}{{ change.end.before.year }}{% endif %}", "change.start.before, change.end.before"),
        (MOVES, "{{ (change.start or change.end).before | when }}", None),
    ],
)
def test_template_is_rendered_with_missing_values(tmp_path: Path, rule: Any, content: str, missing: str | None) -> None:
    checked = ReminderRule.model_validate({"name": "mine", "template": "own", **rule})
    directory = files(tmp_path, en__own__txt=content, en__own__subject__txt="Subject", en__mine__txt="Part")

    if missing is None:
        check_templates(checked, directory)
        return
    with pytest.raises(FixArgumentError) as caught:
        check_templates(checked, directory)
    case = f" without {missing}" if missing else ""
    assert str(caught.value).startswith(f"The mail template en/own.txt cannot be rendered{case} (")


@pytest.mark.parametrize("rule", [None, STARTS, ENDS, MOVES, DIGESTS])
@pytest.mark.parametrize("template", TEMPLATES)
def test_built_in_templates_are_accepted(tmp_path: Path, template: str, rule: Any) -> None:
    check_template(template, str(tmp_path), ReminderRule.model_validate({"name": "x", **rule}) if rule else None)


def test_template_that_includes_itself_is_refused(tmp_path: Path) -> None:
    directory = files(tmp_path, en__own__txt="{% include 'own.txt' %}", en__own__subject__txt="Subject")
    with pytest.raises(FixArgumentError, match="includes or extends itself endlessly"):
        check_template("own", directory)


@pytest.mark.parametrize(
    ("names", "problem"),
    [
        (["fr__own__txt", "fr__own__subject__txt"], "'own' is missing in English. Add en/own.txt"),
        (["en__own__txt"], "en/own.subject.txt is missing"),
        (["en__own__html"], "en/own.txt is missing"),
        (["en__own__txt", "en__own__subject__txt", "de__own__txt"], "de/own.subject.txt is missing"),
    ],
)
def test_template_without_all_files_is_refused(tmp_path: Path, names: list[str], problem: str) -> None:
    with pytest.raises(FixArgumentError) as caught:
        check_template("own", files(tmp_path, **dict.fromkeys(names, "Words.")))
    assert problem in str(caught.value)


def test_half_replaced_built_in_template_is_refused(tmp_path: Path) -> None:
    directory = files(tmp_path, de__before_start__txt="Bald.")
    rule = ReminderRule.model_validate(
        {"name": "x", "anchor": "startDate", "before": {"days": 1}, "audience": "learners"}
    )
    with pytest.raises(FixArgumentError, match=r"de/before_start\.subject\.txt is missing"):
        check_templates(rule, directory)
    check_templates(rule)
    files(tmp_path, de__before_start__subject__txt="Bald")
    check_templates(rule, directory)


@pytest.mark.parametrize(
    "rule",
    [
        {"on": "date_changed", "audience": "learners"},
        {"anchor": "startDate", "before": {"days": 1}, "audience": ["learners", "tutors"]},
        {"anchor": "endDate", "before": {"days": 1}, "audience": ["learners", "tutors"]},
        {"anchor": "endDate", "after": {}, "audience": ["not_completed", "tutors"]},
        {"anchor": "startDate", "before": {"days": 1}, "audience": "tutors", "message": "digest"},
        {"anchor": "startDate", "after": {}, "audience": "learners", "template": "own"},
    ],
)
def test_checked_templates_are_the_used_ones(rule: Any) -> None:
    policy = ReminderPolicy.read({"name": "p", "rules": [{"name": "r", **rule}]})
    document = {"_id": "f" * 24, "startDate": format_date(END), "endDate": format_date(END), "modifiedAt": "2026-01-01"}
    announced = {"f" * 24: {"announced": {"startDate": None, "endDate": None}, "change": None}}
    session, used = ProgramSession.model_validate(document), set()
    for now in (END - timedelta(days=1), END, datetime(2026, 1, 1, 0, 10, tzinfo=UTC)):
        for reminder in plan([session], policy, now, announced=announced).due:
            used |= {find_template(reminder, role) for role in ("learner", "tutor", "fixed")}
    assert used
    assert used <= set(policy.rules[0].templates)


# The ends of the calendar, and control characters in names.


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(["en", "fr", "de"]),
    st.sampled_from(TEMPLATES),
    st.lists(
        st.none()
        | st.datetimes(timezones=st.just(UTC))
        | st.sampled_from([datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)]),
        min_size=4,
        max_size=4,
    ),
    st.sampled_from(["UTC", "Pacific/Kiritimati", "Pacific/Pago_Pago", "Europe/Paris", "Etc/GMT+12"]),
)
def test_any_date_is_written_in_any_zone(lang: str, template: str, dates: list[Any], zone: str) -> None:
    start, end, old_start, old_end = dates
    session = ProgramSession.model_validate({"_id": "f" * 24, "startDate": start, "endDate": end})
    change = {"start": (old_start, start), "end": (old_end, end)}
    message = render(template, lang, build_values(session, ZoneInfo(zone), rule="x", change=change))
    assert "9999" not in "".join(message)
    assert "None" not in "".join(message)


def test_open_end_is_not_set() -> None:
    open_end = values(endDate=None) | {"change": None}
    session = ProgramSession.model_validate({"_id": "f" * 24, "endDate": "9999-12-31T23:59:59.999Z"})
    said = build_values(session, PARIS, rule="x", change={"end": (END, session.end_date)})
    assert said["session"]["end"] is None
    assert "End: not set, instead of Wednesday 1 April 2026" in render("date_changed", "en", said).text
    assert open_end["session"]["end"] is None


@settings(max_examples=150, deadline=None)
@given(st.text(st.sampled_from("aé中 \x00\x07\x1b\x9b\r\n\u2028\u202e\u2066\u200d\u200b\ud800\ufeff"), max_size=20))
def test_no_control_character_reaches_a_mail(name: str) -> None:
    statistics = SessionStatistics.model_construct(users_stats=[{"firstName": name, "lastName": name}])
    said = values(name, first_name=name, statistics=statistics)
    for template in TEMPLATES:
        message = render(template, "en", said)
        assert [one for one in "".join(message) if is_unprintable(one) and one != "\n"] == []
        assert "\n" not in message.subject


def test_unknown_language_writes_dates_in_figures() -> None:
    assert find_language("zzz").format_date(END.astimezone(PARIS)) == "2026-04-01 12:05 (Paris)"


def test_missing_babel_names_the_install_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "babel.localedata", None)
    with pytest.raises(FixArgumentError, match=r'Run: pip install "airflow-provider-learning360\[reminders\]"'):
        find_language("en")
