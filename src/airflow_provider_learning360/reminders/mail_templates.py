"""Mail templates: from a template and its values to subject, plain text and HTML of a mail."""

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
from airflow_provider_learning360.api.progress import select_due_date
from airflow_provider_learning360.api.sanitizer import is_unprintable
from airflow_provider_learning360.reminders.dates import is_set, to_zone
from airflow_provider_learning360.reminders.language import find_language, parse_base_code
from airflow_provider_learning360.reminders.samples import build_samples

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime, tzinfo

    from airflow_provider_learning360.api.models import LearnerStatistics, ProgramSession, SessionStatistics
    from airflow_provider_learning360.reminders.policy import ReminderRule
    from airflow_provider_learning360.reminders.samples import Sample

BUILT_IN_FOLDER = Path(__file__).parent / "templates"
FALLBACK_LANGUAGE = "en"
MAX_SUBJECT_LENGTH = 200  # characters
MAX_NAMES = 50
_SAMPLE_ZONE = ZoneInfo("UTC")

_NAME = re.compile(r"[\w-]+")  # excludes paths
# What a template can raise: Jinja's own errors, and those of its operations on values and files.
_FAILURES = (
    *(TemplateError, ArithmeticError, AttributeError, LookupError, OSError, RuntimeError, TypeError, ValueError),
    *(AssertionError, MemoryError),
)


class MailText(NamedTuple):
    """
    What a mail says.

    :param subject: The subject, on one line.
    :param text: The plain text.
    :param html: The same as HTML.
    """

    subject: str
    text: str
    html: str


def build_values(
    session: ProgramSession,
    zone: tzinfo,
    *,
    rule: str,
    first_name: str | None = None,
    change: Mapping[str, tuple[datetime | None, datetime | None]] | None = None,
    statistics: SessionStatistics | None = None,
    due_date: datetime | None = None,
) -> dict[str, Any]:
    """
    Return what a template may use.

    - `session.name`, `session.start`, `session.end`, `recipient.first_name` and `rule`
    - `due_date`: the due date of the learners whom the reminder is about; None if it is about another date
    - `change.start` and `change.end`: each with `before` and `after`, or None if it did not change
    - `digest.registered`, `digest.completed` and `digest.not_completed`: counts, of the learners with `due_date` if
      there is one
    - `digest.names`: the first 50 learners who have not finished, of the same

    An unknown value is None, and so is a date in the year 1 or 9999, which stands for an open end. For many
    recipients, call it once and replace `recipient` for each: counting the learners is slow.

    :param session: The session.
    :param zone: Zone of the dates.
    :param rule: Name of the rule.
    :param first_name: First name of the recipient; default unknown.
    :param change: For `start` and `end`, if they changed, the date before and the date after; default no change.
    :param statistics: The progress of the learners, for a digest; default unknown.
    :param due_date: The due date that the reminder is about; default none.
    """

    def local(moment: datetime | None) -> datetime | None:
        return to_zone(moment, zone) if moment is not None and is_set(moment) else None

    changed = {name: {"before": local(old), "after": local(new)} for name, (old, new) in (change or {}).items()}
    return {
        "session": {"name": session.name, "start": local(session.start_date), "end": local(session.end_date)},
        "recipient": {"first_name": first_name},
        "rule": rule,
        "due_date": local(due_date),
        "change": {"start": None, "end": None} | changed,
        "digest": _build_digest(session, _select(statistics, due_date)),
    }


def _select(statistics: SessionStatistics | None, due_date: datetime | None) -> SessionStatistics | None:
    return statistics if statistics is None or due_date is None else select_due_date(statistics, due_date)


def _build_digest(session: ProgramSession, statistics: SessionStatistics | None) -> dict[str, Any]:
    if statistics is None:
        registered = None if session.users is None else len(session.users)
        return {"registered": registered, "completed": None, "not_completed": None, "names": []}
    left = statistics.not_completed()
    # Each mail copies the names, so there are no more than it shows.
    names = list(islice(filter(None, map(_join_name, left)), MAX_NAMES))
    return {
        "registered": _to_count(statistics.registered),
        "completed": _to_count(statistics.completed),
        "not_completed": len(left),
        "names": names,
    }


def _to_count(number: Any) -> int | None:
    """Return a count; None for a number out of range, which the models keep as text."""
    return number if isinstance(number, int) else None


def _join_name(learner: LearnerStatistics) -> str:
    return to_one_line(f"{learner.get('firstName') or ''} {learner.get('lastName') or ''}")


def render(template: str, language: str | None, values: Mapping[str, Any], *, directory: str | None = None) -> MailText:
    """
    Return the text of a mail.

    A template is up to three files in a folder named after the language: `<template>.txt`, `<template>.subject.txt` and
    `<template>.html`; without the last, the HTML is made from the text. The author's folder comes before the built-in
    one, the language before English.

    :param template: Name of the template, such as `before_start`.
    :param language: The `lang` of a session, such as `fr-CA`.
    :param values: What the template may use, as `build_values` returns it.
    :param directory: Folder with the author's templates; default none. A `layout.html` in it is the layout of the
        built-in templates too.
    :raises FixArgumentError: The template does not exist, or it cannot be rendered; the message names the file and why.
    """
    folders = _find_folders(directory)
    place = _find_place(template, parse_base_code(language), folders)
    if place is None:
        raise _build_unknown_error(template, folders)
    folder, code = place
    return _render(folder, code, template, _clean(values), folders)


def _find_place(template: str, code: str, folders: tuple[Path, ...]) -> tuple[Path, str] | None:
    """Return the first folder and language that have a template."""
    for language_code in dict.fromkeys((code, FALLBACK_LANGUAGE)):
        for folder in folders if _NAME.fullmatch(template) else ():
            if any(_build_path(folder, language_code, template, kind).is_file() for kind in ("txt", "html")):
                return folder, language_code
    return None


def check_template(template: str, directory: str | None = None, rule: ReminderRule | None = None) -> None:
    """
    Render a template with sample values in every language that a session may have.

    :param template: Its name.
    :param directory: Folder with the author's templates; default none.
    :param rule: The rule that uses it; it decides which values are never missing. Default unknown.
    :raises FixArgumentError: The template does not exist in English, lacks a file in some language or cannot be
        rendered, or the folder does not exist.
    """
    folders = _find_folders(directory)
    places = [
        _find_place(template, code, folders)
        for code in (FALLBACK_LANGUAGE, *sorted(_find_codes(folders) - {FALLBACK_LANGUAGE}))
    ]
    samples = [(one.missing, _build_sample_values(one, rule)) for one in build_samples(template, rule)]
    for place in dict.fromkeys(places):
        if place is None:
            raise _build_unknown_error(template, folders)
        _require_files(*place, template, folders)
        for missing, values in samples:
            _render(*place, template, dict(values), folders, f" without {missing}" if missing else "")


def _build_sample_values(sample: Sample, rule: ReminderRule | None) -> dict[str, Any]:
    values: dict[str, Any] = _clean(
        build_values(
            sample.session,
            _SAMPLE_ZONE,
            rule=rule.name if rule else "reminder",
            first_name=sample.first_name,
            change=sample.change,
            statistics=sample.statistics,
            due_date=sample.due_date,
        )
    )
    return values


def check_templates(rule: ReminderRule, directory: str | None = None) -> None:
    """
    Check that the mails of a rule can be rendered in every language that a session may have.

    :param rule: The rule.
    :param directory: Folder with the author's templates; default none.
    :raises FixArgumentError: As for `check_template`.
    """
    if rule.template is not None or directory is not None:  # the built-in ones are complete
        for template in rule.templates:
            check_template(template, directory, rule)


def _find_codes(folders: tuple[Path, ...]) -> set[str]:
    """Return the languages that have a folder."""
    names = {one.name for folder in folders for one in folder.iterdir() if one.is_dir()}
    return {name for name in names if parse_base_code(name) == name}


def _require_files(folder: Path, code: str, template: str, folders: tuple[Path, ...]) -> None:
    """Refuse a template that lacks a file. Any other mistake shows when it is rendered."""
    for name in (f"{template}.txt", f"{template}.subject.txt"):
        try:
            _build_environment(code, folders).get_template(name)
        except TemplateNotFound:
            pass
        except _FAILURES:
            continue
        else:
            continue
        raise FixArgumentError(
            f"The mail template {code}/{name} is missing. Add it. Or remove the other files of this template in "
            f"{code}/: then sessions in that language get the English mail."
        )


def _explain_failure(error: Exception) -> str:
    if isinstance(error, RecursionError):
        return "it includes or extends itself endlessly"
    line = f", line {error.lineno}" if isinstance(error, TemplateSyntaxError) else ""
    # Only Jinja's own texts: those of other errors may contain a value.
    text = f": {error.message}" if isinstance(error, TemplateError) else ""
    return f"{type(error).__name__}{line}{text}"


def _build_unknown_error(template: str, folders: tuple[Path, ...]) -> FixArgumentError:
    known = sorted({file.name.removesuffix(".txt") for file in _find_texts(folders)})
    codes = [
        code for code in sorted(_find_codes(folders)) if (_find_place(template, code, folders) or ("", ""))[1] == code
    ]
    if codes:
        return FixArgumentError(
            f"The mail template {template!r} is missing in English. Add {FALLBACK_LANGUAGE}/{template}.txt and "
            f"{FALLBACK_LANGUAGE}/{template}.subject.txt: sessions in languages other than {', '.join(codes)} use them."
        )
    return FixArgumentError(f"The mail template {template!r} does not exist. Available: {', '.join(known)}.")


def to_one_line(text: str) -> str:
    """
    Return a text on one line, without control characters and characters that change the direction of writing.

    :param text: The text.
    """
    if not text.isprintable():
        text = "".join(_replace_unprintable(one) for one in text)
    return " ".join(text.split())


def _replace_unprintable(character: str) -> str:
    if not is_unprintable(character):
        return character
    # Format characters have no width; all others separate words.
    return "" if unicodedata.category(character) == "Cf" else " "


def _find_folders(directory: str | None) -> tuple[Path, ...]:
    if directory is None:
        return (BUILT_IN_FOLDER,)
    if not Path(directory).is_dir():
        raise FixArgumentError(f"The folder {directory} for mail templates does not exist. Check `templates`.")
    return Path(directory), BUILT_IN_FOLDER


def _build_path(folder: Path, code: str, template: str, kind: str) -> Path:
    return folder / code / f"{template}.{kind}"


def _find_texts(folders: tuple[Path, ...]) -> Iterator[Path]:
    for folder in folders:
        yield from (file for file in folder.glob("*/*.txt") if not file.name.endswith(".subject.txt"))


def _render(
    folder: Path, code: str, template: str, values: dict[str, Any], folders: tuple[Path, ...], case: str = ""
) -> MailText:
    environment = _build_environment(code, folders)
    values["title"] = find_language(code).build_title(values.get("session", {}).get("name"))
    values["language"] = code

    def fill(name: str, **more: Any) -> str:
        try:
            return environment.get_template(name).render(values, **more)
        except _FAILURES as error:
            problem = _explain_failure(error)
        raise FixArgumentError(f"The mail template {code}/{name} cannot be rendered{case} ({problem}).")

    text = fill(f"{template}.txt").strip() + "\n"
    subject = to_one_line(fill(f"{template}.subject.txt"))
    own_html = _build_path(folder, code, template, "html").is_file()
    html = fill(f"{template}.html") if own_html else fill("paragraphs.html", paragraphs=text.split("\n\n"))
    return MailText(subject[:MAX_SUBJECT_LENGTH], text, html.strip() + "\n")


@lru_cache(maxsize=16)
def _build_environment(code: str, folders: tuple[Path, ...]) -> ImmutableSandboxedEnvironment:
    environment = ImmutableSandboxedEnvironment(
        # The language first. Files for all languages, such as the layout, are beside the folders of the languages.
        loader=FileSystemLoader([folder / code for folder in folders] + list(folders)),
        autoescape=select_autoescape(("html",), default_for_string=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["when"] = find_language(code).format_date
    return environment


def _clean(value: Any) -> Any:
    """Return values with every text on one line: users of 360Learning typed the names in them."""
    if isinstance(value, str):
        return to_one_line(value)
    if isinstance(value, dict):
        return {name: _clean(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_clean(one) for one in value]
    return value
