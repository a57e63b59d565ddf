"""From a template and values to the words of a mail: subject, plain text and HTML."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from zoneinfo import ZoneInfo

from jinja2 import (
    FileSystemLoader,
    StrictUndefined,
    TemplateError,
    TemplateNotFound,
    TemplateSyntaxError,
    select_autoescape,
)
from jinja2.sandbox import ImmutableSandboxedEnvironment

from airflow_provider_learning360.api.errors import FixArgumentError
from airflow_provider_learning360.api.sanitizer import is_unprintable
from airflow_provider_learning360.reminders.dates import is_set, on_the_clock
from airflow_provider_learning360.reminders.language import base_code, language
from airflow_provider_learning360.reminders.samples import samples_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime, tzinfo

    from airflow_provider_learning360.api.models import LearnerStatistics, ProgramSession, SessionStatistics
    from airflow_provider_learning360.reminders.policy import ReminderRule
    from airflow_provider_learning360.reminders.samples import Sample

OURS = Path(__file__).parent / "templates"
FALLBACK = "en"
LONGEST_SUBJECT = 200  # characters
MOST_NAMES = 50
_SAMPLE_ZONE = ZoneInfo("UTC")

_NAME = re.compile(r"[\w-]+")  # a path is the name of no template
# What a template can raise: Jinja's own errors, and those of what it does with values and files.
_FAILURES = (
    *(TemplateError, ArithmeticError, AttributeError, LookupError, OSError, RuntimeError, TypeError, ValueError),
    *(AssertionError, MemoryError),
)


class Message(NamedTuple):
    """The words of a mail."""

    subject: str
    text: str
    html: str


def values_of(
    session: ProgramSession,
    zone: tzinfo,
    *,
    rule: str,
    first_name: str | None = None,
    change: Mapping[str, tuple[datetime | None, datetime | None]] | None = None,
    statistics: SessionStatistics | None = None,
) -> dict[str, Any]:
    """
    Return what a template may use.

    `session.name`, `session.start`, `session.end`, `recipient.first_name` and `rule`; `change.start` and `change.end`,
    each with `before` and `after`, or nothing if it did not change; `digest.registered`, `digest.completed`,
    `digest.not_completed` (counts) and `digest.names` of the first 50 who have not finished. What is not
    known is None, and so is a date in the year 1 or 9999, which stands for an open end.
    For many recipients call it once, and put in the `recipient` of each: to count the learners takes its time.

    :param session: The session.
    :param zone: Zone in which dates are written.
    :param rule: Name of the rule.
    :param first_name: First name of the recipient; default not known.
    :param change: For `start` and `end`, if they changed, the date before and the date after; default no change.
    :param statistics: How far the learners are, for a digest; default not known.
    """

    def local(moment: datetime | None) -> datetime | None:
        return on_the_clock(moment, zone) if moment is not None and is_set(moment) else None

    changed = {name: {"before": local(old), "after": local(new)} for name, (old, new) in (change or {}).items()}
    return {
        "session": {"name": session.name, "start": local(session.start_date), "end": local(session.end_date)},
        "recipient": {"first_name": first_name},
        "rule": rule,
        "change": {"start": None, "end": None} | changed,
        "digest": _digest(session, statistics),
    }


def _digest(session: ProgramSession, statistics: SessionStatistics | None) -> dict[str, Any]:
    if statistics is None:
        registered = None if session.users is None else len(session.users)
        return {"registered": registered, "completed": None, "not_completed": None, "names": []}
    left = statistics.not_completed()
    # No more than a mail can show: each mail copies them.
    names = list(islice(filter(None, map(_name, left)), MOST_NAMES))
    return {
        "registered": _count(statistics.registered),
        "completed": _count(statistics.completed),
        "not_completed": len(left),
        "names": names,
    }


def _count(number: Any) -> int | None:
    """Return a number to count with; the API's models keep others as text."""
    return number if isinstance(number, int) else None


def _name(learner: LearnerStatistics) -> str:
    return one_line(f"{learner.get('firstName') or ''} {learner.get('lastName') or ''}")


def render(template: str, language: str | None, values: Mapping[str, Any], *, directory: str | None = None) -> Message:
    """
    Return the words of a mail.

    A template is up to three files in a folder named after the language: `<template>.txt`, `<template>.subject.txt` and
    `<template>.html`; without the last, the HTML is made out of the text. A folder of the author comes before ours, the
    language before English.

    :param template: Name of the template, such as `before_start`.
    :param language: Language as a session says it, such as `fr-CA`.
    :param values: What the template may use, as `values_of` returns it.
    :param directory: Folder with the author's templates; default none. A `layout.html` in it is put around ours too.
    :raises FixArgumentError: There is no such template, or it cannot be rendered; it says which file, and why.
    """
    folders = _folders(directory)
    place = _place(template, base_code(language), folders)
    if place is None:
        raise _unknown(template, folders)
    folder, code = place
    return _rendered(folder, code, template, _cleaned(values), folders)


def _place(template: str, code: str, folders: tuple[Path, ...]) -> tuple[Path, str] | None:
    """Return the folder and the language in which a template is found first."""
    for language_code in dict.fromkeys((code, FALLBACK)):
        for folder in folders if _NAME.fullmatch(template) else ():
            if any(_file(folder, language_code, template, kind).is_file() for kind in ("txt", "html")):
                return folder, language_code
    return None


def check_template(template: str, directory: str | None = None, rule: ReminderRule | None = None) -> None:
    """
    Render a template with sample values in every language that a session may have, and refuse one that fails.

    :param template: Its name.
    :param directory: Folder with the author's templates; default none.
    :param rule: The rule that uses it, which decides what a mail always knows; default unknown.
    :raises FixArgumentError: There is no such template in English, a file of it is missing in some language, a file
        cannot be rendered, or there is no such folder.
    """
    folders = _folders(directory)
    places = [_place(template, code, folders) for code in (FALLBACK, *sorted(_codes(folders) - {FALLBACK}))]
    samples = [(one.missing, _sample_values(one, rule)) for one in samples_of(template, rule)]
    for place in dict.fromkeys(places):
        if place is None:
            raise _unknown(template, folders)
        _require_files(*place, template, folders)
        for missing, values in samples:
            _rendered(*place, template, dict(values), folders, f" without {missing}" if missing else "")


def _sample_values(sample: Sample, rule: ReminderRule | None) -> dict[str, Any]:
    values: dict[str, Any] = _cleaned(
        values_of(
            sample.session,
            _SAMPLE_ZONE,
            rule=rule.name if rule else "reminder",
            first_name=sample.first_name,
            change=sample.change,
            statistics=sample.statistics,
        )
    )
    return values


def check_templates(rule: ReminderRule, directory: str | None = None) -> None:
    """
    Refuse a rule whose mails cannot be rendered in every language that a session may have.

    :param rule: The rule.
    :param directory: Folder with the author's templates; default none.
    :raises FixArgumentError: As `check_template` says.
    """
    if rule.template is not None or directory is not None:  # ours alone are complete
        for template in rule.templates:
            check_template(template, directory, rule)


def _codes(folders: tuple[Path, ...]) -> set[str]:
    """Return the languages that have a folder."""
    names = {one.name for folder in folders for one in folder.iterdir() if one.is_dir()}
    return {name for name in names if base_code(name) == name}


def _require_files(folder: Path, code: str, template: str, folders: tuple[Path, ...]) -> None:
    """Refuse a template of which a file is missing; whatever else is wrong shows when it is rendered."""
    for name in (f"{template}.txt", f"{template}.subject.txt"):
        try:
            _environment(code, folders).get_template(name)
        except TemplateNotFound:
            pass
        except _FAILURES:
            continue
        else:
            continue
        raise FixArgumentError(
            f"The mail template {code}/{name} is missing. A language needs all files of a template, or none: then "
            "sessions in that language read English."
        )


def _problem_of(error: Exception) -> str:
    if isinstance(error, RecursionError):
        return "it includes or extends itself without end"
    line = f", line {error.lineno}" if isinstance(error, TemplateSyntaxError) else ""
    # Only what Jinja says itself: other texts may repeat a value.
    said = f": {error.message}" if isinstance(error, TemplateError) else ""
    return f"{type(error).__name__}{line}{said}"


def _unknown(template: str, folders: tuple[Path, ...]) -> FixArgumentError:
    known = sorted({file.name.removesuffix(".txt") for file in _texts(folders)})
    codes = [code for code in sorted(_codes(folders)) if (_place(template, code, folders) or ("", ""))[1] == code]
    if codes:
        return FixArgumentError(
            f"The mail template {template!r} is missing in English: write {FALLBACK}/{template}.txt and "
            f"{FALLBACK}/{template}.subject.txt. Sessions in other languages than {', '.join(codes)} read these."
        )
    return FixArgumentError(f"There is no mail template {template!r}. Known: {', '.join(known)}.")


def one_line(text: str) -> str:
    """Return a text on one line, without control characters, and without those that turn the direction of writing."""
    if not text.isprintable():
        text = "".join(_readable(one) for one in text)
    return " ".join(text.split())


def _readable(character: str) -> str:
    if not is_unprintable(character):
        return character
    # Signs of format take no room; all others part words.
    return "" if unicodedata.category(character) == "Cf" else " "


def _folders(directory: str | None) -> tuple[Path, ...]:
    if directory is None:
        return (OURS,)
    if not Path(directory).is_dir():
        raise FixArgumentError(f"There is no folder {directory} with mail templates.")
    return Path(directory), OURS


def _file(folder: Path, code: str, template: str, kind: str) -> Path:
    return folder / code / f"{template}.{kind}"


def _texts(folders: tuple[Path, ...]) -> Iterator[Path]:
    for folder in folders:
        yield from (file for file in folder.glob("*/*.txt") if not file.name.endswith(".subject.txt"))


def _rendered(
    folder: Path, code: str, template: str, values: dict[str, Any], folders: tuple[Path, ...], case: str = ""
) -> Message:
    environment = _environment(code, folders)
    values["title"] = language(code).title(values.get("session", {}).get("name"))
    values["language"] = code

    def filled(name: str, **more: Any) -> str:
        try:
            return environment.get_template(name).render(values, **more)
        except _FAILURES as error:
            problem = _problem_of(error)
        raise FixArgumentError(f"The mail template {code}/{name} cannot be rendered{case} ({problem}).")

    text = filled(f"{template}.txt").strip() + "\n"
    subject = one_line(filled(f"{template}.subject.txt"))
    own_html = _file(folder, code, template, "html").is_file()
    html = filled(f"{template}.html") if own_html else filled("paragraphs.html", paragraphs=text.split("\n\n"))
    return Message(subject[:LONGEST_SUBJECT], text, html.strip() + "\n")


@lru_cache(maxsize=16)
def _environment(code: str, folders: tuple[Path, ...]) -> ImmutableSandboxedEnvironment:
    environment = ImmutableSandboxedEnvironment(
        # By language first; what is for all languages, such as the layout, is beside the languages' folders.
        loader=FileSystemLoader([folder / code for folder in folders] + list(folders)),
        autoescape=select_autoescape(("html",), default_for_string=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["when"] = language(code).when
    return environment


def _cleaned(value: Any) -> Any:
    """Return values of which every text is on one line: names in them are what strangers typed."""
    if isinstance(value, str):
        return one_line(value)
    if isinstance(value, dict):
        return {name: _cleaned(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_cleaned(one) for one in value]
    return value
