"""How titles and dates are written for people."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
_JOURS = ("lundi", "mardi", "mercredi", "jeudi", "vendredi", "samedi", "dimanche")
_MOIS = (
    *("janvier", "février", "mars", "avril", "mai", "juin"),
    *("juillet", "août", "septembre", "octobre", "novembre", "décembre"),
)


class Language(NamedTuple):
    """
    What a language needs beside its templates.

    :param code: Its code, such as `en`.
    :param unnamed: What to call a session that has no name.
    :param unset: What to say of a date that is not set.
    :param quotes: What a session's name is put between.
    :param moment: How a date with a time is written.
    """

    code: str
    unnamed: str
    unset: str
    quotes: tuple[str, str]
    moment: Callable[[datetime], str]

    def title(self, name: str | None) -> str:
        """Return how to call a session in a sentence."""
        return name.join(self.quotes) if name else self.unnamed

    def when(self, moment: datetime | None) -> str:
        """Return a date with a time, in words."""
        return self.unset if moment is None else self.moment(moment)


def language(code: str) -> Language:
    """
    Return a language; one that we have no words for writes dates in figures.

    :param code: Its code, such as `fr`.
    """
    return _KNOWN.get(code) or _KNOWN["en"]._replace(code=code, moment=_in_figures)


def base_code(lang: str | None) -> str:
    """
    Return the code of a language without its region, `en` where there is none.

    :param lang: What a session says, such as `fr-CA`.
    """
    base = (lang or "").strip().replace("_", "-").partition("-")[0].lower()
    return base if base.isascii() and base.isalpha() and len(base) <= 3 else "en"


def _english(moment: datetime) -> str:
    place = _place(moment)
    zone = f"{place} time" if place else _offset(moment)
    return f"{_DAYS[moment.weekday()]} {moment.day} {_MONTHS[moment.month - 1]} {moment:%Y at %H:%M} ({zone})"


def _french(moment: datetime) -> str:
    place = _place(moment)
    of = "d’" if place[:1] in "AEIOU" else "de "
    zone = f"heure {of}{place}" if place else _offset(moment)
    day = "1er" if moment.day == 1 else moment.day
    # The blanks around the h are such that no line ends there.
    hour = f"{moment.hour}\u00a0h" + (f"\u00a0{moment:%M}" if moment.minute else "")
    return f"{_JOURS[moment.weekday()]} {day} {_MOIS[moment.month - 1]} {moment.year} à {hour} ({zone})"


def _in_figures(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} ({_place(moment) or _offset(moment)})"


def _place(moment: datetime) -> str:
    """Return the city by which a zone is called, or nothing if it is not called by one."""
    area, _, place = str(getattr(moment.tzinfo, "key", "")).partition("/")
    return "" if area == "Etc" else place.rpartition("/")[2].replace("_", " ")


def _offset(moment: datetime) -> str:
    offset = f"{moment:%z}"
    return "UTC" if offset in ("", "+0000") else f"UTC{offset[:3]}:{offset[3:]}"


_KNOWN = {
    "en": Language("en", "your training session", "not set", ("“", "”"), _english),
    "fr": Language("fr", "votre formation", "non fixée", ("«\u00a0", "\u00a0»"), _french),
}
