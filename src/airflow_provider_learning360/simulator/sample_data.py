"""Program sessions, learners and statistics as a company may have them, generated from a seed.

Real sessions have oddities: spaces around names, a duration that is null, an end at the start. The position of a
session decides which oddity it has, so twelve sessions have all of them, whatever the seed. The session at position 0
is complete and plain, and always has the ID that the example DAGs use.

IDs depend on the seed only, dates on the seed and on the day: a simulator that is restarted on another day has the same
sessions, with dates around that day.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from random import Random
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

Document = dict[str, Any]
Progress = Literal["finished", "started", "idle"]

EXAMPLE_SESSION_ID = "60b8d2956e20ae1a0f8e44f1"
"""The ID of the first session: the default of the example DAGs."""

FIXED_DAY = date(2026, 6, 1)
"""The day around which dates are, if they must be the same in every run, as in tests."""

# Days from today to the start and to the end of the first sessions: every rule of a usual reminder policy has a session
# today, and every list has sessions that are over, running and coming.
_CALENDAR = (
    (-7, 21),  # the example session: it is running
    (1, 15),  # starts tomorrow
    (2, 30),  # in two days
    (7, 40),  # in a week
    (-60, -20),  # is over
    (-25, 3),  # ends in three days
    (22, 50),  # starts in three weeks
    (1, 1),  # starts and ends tomorrow
    (-200, -160),  # is over for long
    (-30, -1),  # ended yesterday
    (12, 33),  # starts in less than two weeks
    (-14, 10),  # is running
)
_OLDEST = datetime(2025, 4, 27, tzinfo=UTC)  # when the session after the example session was created

MODERN_FIELDS = (
    "userLimit",
    "lang",
    "modifiedAt",
    "automatedReminders",
    "groups",
    "customFields",
    "requirements",
    "users",
)
"""Fields that sessions from before the middle of 2021 do not have."""

_TOPICS = (
    ("Onboarding: your first week", "Meet your team, your tools and the people who can help."),
    ("Workplace safety", "What to do before, during and after an incident on site."),
    ("Leading your first team", "From colleague to manager: goals, feedback, trust."),
    ("Data protection essentials", "Which personal data we keep, why, and for how long."),
    ("Selling with questions", "Listen first, propose second, and write the follow-up the same day."),
    ("Customer care masterclass", "Difficult calls, clear mails and the art of a good apology."),
    ("Machine operator certificate", "Daily checks, lock-out and the practical exam."),
    ("Writing for everyone", "Short sentences, plain words, useful headings."),
    ("Anti-corruption refresher", "Gifts, invitations and who to ask when in doubt."),
    ("Project management basics", "Scope, plan, risks, and the meeting that is not needed."),
)
_COHORTS = ("spring intake", "Lyon", "Berlin", "night shift", "autumn intake", "remote", "Chicago")
_FIRST_NAMES_TEXT = (
    "Ann Bilal Chloe Diego Elif Farid Greta Hugo Ines Jonas Kenza Liam Maya Nora Oscar Priya Quentin Rosa "
    "Samir Tess Ugo Vera William Zoë"
)
_LAST_NAMES_TEXT = (
    "Adler Bernard Costa Dubois Evans Fischer Garcia Haddad Ito Jensen Kowalski Lambert Moreau Novak Okafor "
    "Petit Rossi Silva Tanaka Unger Vidal Weber Young Zhang Müller"
)
_FIRST_NAMES, _LAST_NAMES = _FIRST_NAMES_TEXT.split(), _LAST_NAMES_TEXT.split()
_PAIRS = len(_FIRST_NAMES) * len(_LAST_NAMES)


def format_date(moment: datetime) -> str:
    """Return a date as 360Learning writes it: in UTC, with milliseconds and ``Z``."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def make_people(count: int, seed: object) -> list[Document]:
    """Return learners as the users route returns them: with ``_id``, ``mail``, ``firstName``, ``lastName``.

    No two have the same address.

    :param count: how many.
    :param seed: the same seed gives the same learners.
    """
    random = Random(f"people {seed}")
    shift = random.randrange(len(_LAST_NAMES))
    return [_make_person(place, shift, f"{random.getrandbits(96):024x}") for place in range(count)]


def _make_person(place: int, shift: int, identifier: str) -> Document:
    row, column = divmod(place % _PAIRS, len(_FIRST_NAMES))
    first = _FIRST_NAMES[column]
    last = _LAST_NAMES[(row + column + shift) % len(_LAST_NAMES)]
    login = f"{first}.{last}".lower() + (str(place // _PAIRS) if place >= _PAIRS else "")
    # Some logins are not plain mail addresses: they have a hash and the company, a plus, or an accent.
    tail = "#demo" if place % 5 == 3 else "+field" if place % 11 == 7 else ""
    return {"_id": identifier, "mail": f"{login}{tail}@example.com", "firstName": first, "lastName": last}


class SampleData:
    """The sessions and learners of the simulator when it starts.

    :param seed: the same seed gives the same data.
    :param learners: how many learners each session has.
    :param today: the day around which all dates are.
    """

    def __init__(self, seed: int = 360, learners: int = 20, today: date = FIXED_DAY) -> None:
        self._seed = seed
        self._learners = learners
        self._midnight = datetime.combine(today, time(), UTC)
        self.directory = make_people(2 * learners, seed)
        # Sessions share these documents, so that a large company needs little memory. Nobody changes them.
        self._users = [{"_id": person["_id"], "mail": person["mail"]} for person in self.directory]
        self.staff = make_people(8, f"{seed} staff")
        self._staff = [person["mail"] for person in self.staff]
        self.guests = _make_guests(seed)

    def _identifier(self, *parts: object) -> str:
        return f"{Random(f'{self._seed} {parts}').getrandbits(96):024x}"

    def _enrolled(self, position: int, everybody: list[Document]) -> list[Document]:
        first = Random(f"{self._seed} enrolled {position}").randrange(self._learners + 1)
        return everybody[first : first + self._learners]

    def learners(self, position: int) -> list[Document]:
        """Return the learners of the session at a position."""
        return self._enrolled(position, self.directory)

    def guests_of(self, position: int) -> list[Document]:
        """Return who is enrolled in the session at a position on API v2 only: v1 does not list them."""
        if not self._learners:
            return []
        unmailed, invited, deleted, *_ = self.guests
        return {3: [unmailed, invited], 5: [deleted]}.get(position % 6, [])

    def leavers_of(self, position: int) -> list[Document]:
        """Return who has left the session at a position: a learner of other sessions, or nobody."""
        if position % 3 != 1 or not self._learners:
            return []
        enrolled = {person["_id"] for person in self.learners(position)}
        return [next(person for person in self.directory if person["_id"] not in enrolled)]

    def platform_users(self, count: int) -> list[Document]:
        """Return users of the platform who are in no session."""
        return make_people(count, f"{self._seed} platform")

    def custom_field_definitions(self) -> list[Document]:
        """Return the definitions of the custom fields, as API v2 lists them."""
        rows = (
            (self._identifier("custom field", 0), "Cost centre", "contents", "string"),
            (self._identifier("custom field", 1), "Budget code", "contents", "string"),
            (self._identifier("custom field", 2), "Approved on", "contents", "date"),
            (self._identifier("custom field", 3), "Badge number", "users", "string"),
        )
        return [dict(zip(("_id", "name", "targetType", "type"), row, strict=True)) for row in rows]

    def document(self, position: int, *, legacy: bool = False) -> Document:
        """Return the session at a position of the list.

        :param position: 0 for the first; identifiers rise with it.
        :param legacy: leave out the fields that sessions of early 2021 do not have.
        """
        random = Random(f"{self._seed} session {position}")
        topic = (position + self._seed) % len(_TOPICS)
        document: Document = {
            "_id": self._session_id(position, random),
            "author": random.choice(self._staff),
            "name": _name(topic, position),
            "description": _description(topic, position, random),
            **self._dates(position, random),
            **_duration(position, random),
            "programTemplate": self._identifier("template", topic),
            "tutors": random.sample(self._staff, 1 + position % 2),
            "sessionCustom": "" if position % 4 else "Bring your badge",
            "templateCustom": "",
            "modules": self._modules(position, random),
            "skills": [self._identifier("skill", topic)] if position % 3 == 0 else [],
            "validateRegistrations": False,
            "hasUserLimit": position % 3 == 0,
            **self._modern(position, random),
        }
        if legacy:
            document["hasUserLimit"] = False
            document = {key: value for key, value in document.items() if key not in MODERN_FIELDS}
        return document

    def _session_id(self, position: int, random: Random) -> str:
        # An identifier starts with its second of creation, so the list comes out in ascending order.
        created = _OLDEST + timedelta(minutes=50 * position)
        identifier = f"{int(created.timestamp()):08x}{random.getrandbits(64):016x}"
        return identifier if position else EXAMPLE_SESSION_ID

    def _dates(self, position: int, random: Random) -> Document:
        first, last = random.randint(-60, 60), random.randint(14, 45)
        first, last = _CALENDAR[position] if position < len(_CALENDAR) else (first, first + last)
        hour = random.randint(6, 16)
        start, end = (self._midnight + timedelta(days=days, hours=hour) for days in (first, last))
        if position % 2:  # closed by hand: the end is the time of the click
            end += timedelta(seconds=random.randint(1, 59), milliseconds=random.randint(1, 999))
        if position % 11 == 7:
            end = start
        return {"startDate": format_date(start), "endDate": format_date(end)}

    def _modules(self, position: int, random: Random) -> list[Document]:
        types = ("course", "webinar", "classroom")
        count = 3 if position == 0 else random.randint(1, 9)
        modules = [
            {"_id": self._identifier("module", position, place), "type": types[place % 3]} for place in range(count)
        ]
        return [dict(reversed(module.items())) for module in modules] if position % 2 else modules

    def _modern(self, position: int, random: Random) -> Document:
        modified = self._midnight - timedelta(days=random.uniform(1, 30))
        limit = {"userLimit": self._learners + 10} if position % 3 == 0 else {}
        return {
            **limit,
            "lang": random.choice(("en", "fr", "de")),
            "modifiedAt": format_date(modified),
            "automatedReminders": position % 2 == 0,
            "groups": [self._identifier("group", (position + place) % 5) for place in range(1 + position % 3)],
            "customFields": self._custom_fields(position),
            "requirements": {
                "courses": [self._identifier("course", position)] if position % 4 == 0 else [],
                "programs": [],
                "paths": [],
            },
            "users": self._enrolled(position, self._users),
        }

    def _custom_fields(self, position: int) -> list[Document]:
        # Their shape on a session is not documented, so the shapes of two similar routes occur.
        identifier = self._identifier("custom field", position % 2)
        value = f"CC-{100 + position}"
        if position % 2:
            return [{"_id": identifier, "value": value}]
        return [{"customFieldId": identifier, "name": "Cost centre", "value": value}]


def _make_guests(seed: object) -> list[Document]:
    """Return users as API v2 may have them: without a mail, invited, deleted."""
    oddities: tuple[Document, ...] = (
        {"username": "terminal.seven"},
        {"status": "invited"},
        {"status": "deleted"},
        {"username": "terminal.eight", "status": "invited"},
    )
    guests = [
        person | {"mail": f"guest.{person['mail']}"} | oddity
        for person, oddity in zip(make_people(len(oddities), f"{seed} guests"), oddities, strict=True)
    ]
    for guest in guests:
        if "username" in guest:
            del guest["mail"]
    return guests


def _name(topic: int, position: int) -> str:
    name = f"{_TOPICS[topic][0]}, {_COHORTS[position % len(_COHORTS)]}"
    return (name, f"{name}\n", f"  {name} \n\n")[position % 3]


def _description(topic: int, position: int, random: Random) -> str:
    if position % 6 == 5:
        return ""
    title, purpose = _TOPICS[topic]
    week = '<li style="margin: 0;">Week {}: about {} minutes&nbsp;of learning</li>'
    weeks = "".join(week.format(number, random.randint(20, 90)) for number in range(1, random.randint(2, 6)))
    return f"<h1>{title}</h1><p>{purpose}</p>\n<ul>{weeks}</ul>"


def _duration(position: int, random: Random) -> Document:
    if position % 5 == 4:
        return {"programDuration": None}  # without a duration, its type is missing
    hours: float = 1.5 if position % 5 == 2 else random.randint(1, 12)
    return {"programDuration": hours, "programDurationType": "hour"}


_LONGEST_WAIT, _LONGEST_WORK = 3 * 86_400_000, 9 * 86_400_000  # milliseconds until learners begin, and until they end


def _add_share(moment: datetime, wait: int, longest: int, latest: datetime | None) -> datetime:
    """Return a moment some milliseconds later; if that is too late, the same share of the time that there is.

    All of them at the latest moment would look like as many events in that moment.
    """
    later = moment + timedelta(milliseconds=wait)
    return later if latest is None or later <= latest else moment + (latest - moment) * (wait / longest)


def make_learner_statistics(
    person: Document, progress: Progress, start: datetime, random: Random, latest: datetime | None = None
) -> Document:
    """Return an item of ``usersStats``; what the learner has not reached is missing, null or empty.

    :param person: a learner, with or without names.
    :param progress: how far the learner got.
    :param start: when the session starts.
    :param random: the source of scores and times.
    :param latest: the latest time that may occur; default none.
    """
    item: Document = {"mail": person["mail"], "score": 0, "deleted": False}
    item |= {key: person[key] for key in ("firstName", "lastName") if key in person}
    if progress == "idle":
        return item | random.choice(({}, {"startTime": "", "endTime": ""}, {"progress": 0, "startTime": None}))
    begun = _add_share(start, random.randint(1, _LONGEST_WAIT), _LONGEST_WAIT, latest)
    item |= {"startTime": format_date(begun), "totalTimeSpentInSeconds": random.randint(600, 20_000)}
    if progress == "started":
        return item | {"progress": random.randint(1, 99)} | random.choice(({}, {"endTime": None}))
    ended = _add_share(begun, random.randint(3_600_000, _LONGEST_WORK), _LONGEST_WORK, latest)
    return item | {"progress": 100, "score": random.randint(60, 100), "endTime": format_date(ended)}


def make_user_statistics(
    learners: Sequence[Document], start: datetime, identifier: str, now: datetime | None = None
) -> list[Document]:
    """Return the ``usersStats`` of a session: some finished, some started, some idle, and two deleted.

    :param learners: who is enrolled.
    :param start: when the session starts.
    :param identifier: the session's ID; it decides who did what.
    :param now: the time: before the start, nobody has started; default long after it.
    """
    random = Random(f"statistics {identifier}")
    # In every other session all learners have started: with the deleted ones, attendees exceed the registered.
    steps: tuple[Progress, ...] = ("finished", "started")
    if random.random() < 0.5:
        steps = ("finished", "started", "idle")
    former: Progress = "started"
    if now is not None and now < start:
        steps, former = ("idle",), "idle"
    items = [
        make_learner_statistics(person, steps[place % len(steps)], start, random, now)
        for place, person in enumerate(learners)
    ]
    gone = [{"mail": f"former.learner{place}@example.com"} for place in (1, 2)]
    return items + [make_learner_statistics(person, former, start, random, now) | {"deleted": True} for person in gone]


def make_statistics(name: str, items: Iterable[Document]) -> Document:
    """Return the statistics of a session: counters, and the items that they count.

    Deleted users count as attendees, and not as registered.

    :param name: the session's name.
    :param items: an item for each learner.
    """
    items = list(items)
    present = [item for item in items if not item.get("deleted")]
    return {
        "name": name,
        "registered": len(present),
        "attendees": sum(bool(item.get("startTime")) for item in items),
        "completed": sum(bool(item.get("endTime")) for item in present),
        "usersStats": items,
    }
