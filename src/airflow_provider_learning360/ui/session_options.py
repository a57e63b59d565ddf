"""Options of the workflows for a session, checked as the operators check them, and as lines of the sources."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

from airflow_provider_learning360 import DEFAULT_CONN_ID
from airflow_provider_learning360.api.errors import FixArgumentError
from airflow_provider_learning360.argument_checks import check_argument
from airflow_provider_learning360.assets.polling import check_polling
from airflow_provider_learning360.ui.failure import ArgumentsRefusedError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from airflow_provider_learning360.ui.responses import DialectName, WorkflowKind

NAMES = ("fields", "exclude", "contract", "watch", "interval")
DATES = ("startDate", "endDate")
# What the step that waits needs of the session as it was before.
NEEDED_TO_WAIT = ("_id", "modifiedAt")
PEOPLE = ("users", "tutors", "author")

_PEOPLE_REASON = "XCom would show people's data"
_MINUTE = 60


@dataclass(frozen=True)
class SessionOptions:
    """
    Options of the workflows for a session.

    :param fields: Names of the fields to push; default those of each workflow.
    :param exclude: Names of the fields to leave out; default people.
    :param contract: What to do if the response differs from the documentation; default the operator's own.
    :param watch: Names of the fields to watch; default the dates.
    :param interval: Seconds between two polls; default that of each workflow.
    """

    fields: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    contract: str = ""
    watch: tuple[str, ...] = field(default=DATES)
    interval: int | None = None

    @classmethod
    def read(cls, options: Mapping[str, Any]) -> Self:
        """
        Read the options that the page sends; an empty one means the default.

        :param options: The options, by name.
        :raises ArgumentsRefusedError: Some are not valid.
        """
        if problems := list(_find_problems(options)):
            raise ArgumentsRefusedError((f"options.{name}", text) for name, text in problems)
        given: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in options.items() if value
        }
        return cls(**given)

    def to_lines(self, kind: WorkflowKind, dialect: DialectName) -> dict[str, str]:
        """
        Return the options as they stand in a source, by the name of their place.

        :param kind: What the workflow does.
        :param dialect: The dialect.
        """
        interval = self.interval or (_MINUTE if kind == "wait" else 5 * _MINUTE)
        return {
            "choice": "".join(_write_lines(self._choose(kind), kind, dialect)),
            "watch": _write_names(self.watch, dialect),
            "interval": _write_duration(interval) if dialect == "blueprint" else str(interval),
        }

    def _choose(self, kind: WorkflowKind) -> Iterator[tuple[str, tuple[str, ...] | str, str]]:
        """Yield the arguments that choose what is pushed, each with the reason for it."""
        fields, exclude, reason = self.fields, self.exclude, ""
        if not fields and not exclude:
            if kind == "events":
                fields = ("_id", "name", *dict.fromkeys((*DATES, *self.watch)))
            else:
                people = PEOPLE if kind == "fetch" else (*PEOPLE, "description")
                exclude = tuple(one for one in people if kind == "fetch" or one not in self.watch)
                reason = _PEOPLE_REASON if kind == "fetch" else ""
        if fields:
            needed = (*NEEDED_TO_WAIT, *self.watch) if kind == "wait" else ()
            yield "fields", tuple(dict.fromkeys((*needed, *fields))), ""
        if exclude:
            yield "exclude", exclude, reason
        if self.contract:
            yield "contract", self.contract, ""


def _find_problems(options: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, value in options.items():
        if name not in NAMES:
            yield name, f"there is no such option; known are {', '.join(NAMES)}"
        elif value and (problem := _find_problem(name, value)):
            yield name, problem
    watched, left_out = options.get("watch") or DATES, options.get("exclude")
    if isinstance(watched, list | tuple) and isinstance(left_out, list):
        needed = [one for one in left_out if one in (*watched, *NEEDED_TO_WAIT)]
        if needed:
            yield "exclude", f"{', '.join(map(str, needed))} is needed to see a change; watch other fields, or keep it"


def _find_problem(name: str, value: Any) -> str | None:
    try:
        if name == "interval":
            if not isinstance(value, int) or isinstance(value, bool):
                return "it is not a whole number of seconds"
            check_polling(DEFAULT_CONN_ID, value)
        elif name != "contract" and not (isinstance(value, list) and all(isinstance(one, str) for one in value)):
            return "it is not a list of names"
        else:
            check_argument(name, value)
    except FixArgumentError as error:
        return str(error).removeprefix(f"{name}: ").removeprefix("poll_interval: ")
    return None


def _write_lines(
    arguments: Iterator[tuple[str, tuple[str, ...] | str, str]], kind: WorkflowKind, dialect: DialectName
) -> Iterator[str]:
    for name, value, reason in arguments:
        written = f'"{value}"' if isinstance(value, str) else _write_names(value, dialect)
        if dialect != "python":
            comment = f" # {reason}" if reason else ""
            yield f"{'    ' if dialect == 'blueprint' else '      '}{name}: {written}{comment}\n"
        elif kind == "wait":  # in a dictionary, which two tasks share
            yield f'    "{name}": {written},\n'
        else:
            comment = f"  # {reason}" if reason else ""
            yield f"        {name}={written},{comment}\n"


def _write_names(names: tuple[str, ...], dialect: DialectName) -> str:
    # Names of documented fields: none needs quotes in YAML.
    return "[" + ", ".join(f'"{name}"' if dialect == "python" else name for name in names) + "]"


def _write_duration(seconds: int) -> str:
    return f"{{minutes: {seconds // _MINUTE}}}" if seconds % _MINUTE == 0 else f"{{seconds: {seconds}}}"
