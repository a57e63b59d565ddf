"""How titles and dates are written in a language."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from airflow_provider_learning360.api.errors import FixArgumentError
from airflow_provider_learning360.reminders import INSTALL_COMMAND

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime


class Language(NamedTuple):
    """
    What a language needs beside its templates.

    :param code: Its code, such as `en`.
    :param unnamed: What to call a session without a name.
    :param unset: What to write for a date that is not set.
    :param quotes: What to put around the name of a session.
    :param format_moment: How to write a date with a time.
    """

    code: str
    unnamed: str
    unset: str
    quotes: tuple[str, str]
    format_moment: Callable[[datetime], str]

    def build_title(self, name: str | None) -> str:
        """
        Return what to call a session in a sentence.

        :param name: Its name, or None.
        """
        return name.join(self.quotes) if name else self.unnamed

    def format_date(self, moment: datetime | None) -> str:
        """
        Return a date with a time, in words.

        :param moment: The date, or None if it is not set.
        """
        return self.unset if moment is None else self.format_moment(moment)


def find_language(code: str) -> Language:
    """
    Return a language. Besides English and French it has no words of its own, but writes dates in the language.

    :param code: Its code, such as `fr`.
    :raises FixArgumentError: Babel, which knows days and months in all languages, is not installed.
    """
    try:
        from babel.localedata import exists
    except ImportError:
        pass
    else:
        if code in _LANGUAGES:
            return _LANGUAGES[code]
        format_moment = partial(_format_in, code) if exists(code) else _format_in_figures
        return _LANGUAGES["en"]._replace(code=code, format_moment=format_moment)
    raise FixArgumentError(f"Babel is not installed. Reminders need it to write dates. Run: {INSTALL_COMMAND}")


def parse_base_code(lang: str | None) -> str:
    """
    Return the code of a language without its region; `en` if there is none.

    :param lang: The `lang` of a session, such as `fr-CA`.
    """
    base = (lang or "").strip().replace("_", "-").partition("-")[0].lower()
    return base if base.isascii() and base.isalpha() and len(base) <= 3 else "en"


def _format_in_english(moment: datetime) -> str:
    from babel.dates import format_datetime

    # A pattern of our own: Babel's changes from version to version.
    words = format_datetime(moment, "EEEE d MMMM y 'at' HH:mm", locale="en")
    city = _find_city(moment, "en")
    return f"{words} ({f'{city} time' if city else _format_offset(moment)})"


def _format_in_french(moment: datetime) -> str:
    from babel.dates import format_datetime

    # No line breaks around the h: the spaces are no-break spaces.
    time = "H'\u00a0h\u00a0'mm" if moment.minute else "H'\u00a0h'"
    day = "'1er'" if moment.day == 1 else "d"
    words = format_datetime(moment, f"EEEE {day} MMMM y 'à' {time}", locale="fr")
    city = _find_city(moment, "fr")
    of = "d’" if city[:1] in "AÀEÉÈIOU" else "de "
    return f"{words} ({f'heure {of}{city}' if city else _format_offset(moment)})"


def _format_in(code: str, moment: datetime) -> str:
    from babel.dates import format_date, format_time

    date, time = format_date(moment, "full", locale=code), format_time(moment, "short", locale=code)
    return f"{date}, {time} ({_find_city(moment, code) or _format_offset(moment)})"


def _format_in_figures(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} ({_find_city(moment, 'en') or _format_offset(moment)})"


def _find_city(moment: datetime, code: str) -> str:
    """Return the city that names a zone, or nothing if no city does."""
    from babel.dates import get_timezone_location

    area, _, place = str(getattr(moment.tzinfo, "key", "")).partition("/")
    if not place or area == "Etc":
        return ""
    city: str = get_timezone_location(moment.tzinfo, locale=code, return_city=True)
    return city.rpartition("/")[2]


def _format_offset(moment: datetime) -> str:
    offset = f"{moment:%z}"
    return "UTC" if offset in ("", "+0000") else f"UTC{offset[:3]}:{offset[3:]}"


_LANGUAGES = {
    "en": Language("en", "your training session", "not set", ("“", "”"), _format_in_english),
    "fr": Language("fr", "votre formation", "non fixée", ("«\u00a0", "\u00a0»"), _format_in_french),
}
