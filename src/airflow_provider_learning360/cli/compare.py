"""`compare`: what a DAG gets for one program session from API v1 and from API v2."""

from __future__ import annotations

import json
from collections import Counter
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal, TypedDict

from airflow_provider_learning360.api.differences import DIFFERENCES
from airflow_provider_learning360.api.errors import FixArgumentError, NotFoundError
from airflow_provider_learning360.api.fields import require_field_names
from airflow_provider_learning360.api.models import parse_date
from airflow_provider_learning360.api.platform import choose_keys
from airflow_provider_learning360.cli.errors import advise_exclude, report_errors
from airflow_provider_learning360.cli.output import logs_on_stderr, write, write_json, write_rows, write_yaml
from airflow_provider_learning360.cli.people import MASKED, mask_people, record_request_for_people
from airflow_provider_learning360.cli.progress import show_progress
from airflow_provider_learning360.hooks.learning import LearningHook

if TYPE_CHECKING:
    from argparse import Namespace

    from airflow_provider_learning360.api.api_version import ApiVersion
    from airflow_provider_learning360.api.models import ProgramSession

Result = Literal["same", "different", "only in v1", "only in v2"]
RESULTS: tuple[Result, ...] = ("same", "different", "only in v1", "only in v2")
LONGEST = 40  # characters of a value in a table
CONTEXT = 15  # of them before the first difference
# Their order means nothing.
UNORDERED = frozenset({"customFields", "groups", "skills", "tutors", "users"})


class ComparedKey(TypedDict):
    """A key of the two documents."""

    key: str
    before: Any
    after: Any
    result: Result
    why: str | None


def compare(args: Namespace) -> None:
    """
    Read one program session through both versions of the API, and print its keys side by side.

    :param args: `session_id`, `v1`, `v2`, `exclude`, `output` and `show_people`.
    """
    with report_errors(), advise_exclude():
        excluded = require_field_names(args.exclude, "--exclude")
        with logs_on_stderr(), show_progress("Reading the program session through both versions of the API"):
            if args.show_people:
                record_request_for_people(args)
            hooks = _hook(args.v1, "v1"), _hook(args.v2, "v2")
            before, after = (one.document(exclude=excluded) for one in _read(hooks, args.session_id, excluded))
        shown = (before, after) if args.show_people else (mask_people(before), mask_people(after))
        rows = _compare(before, after, *shown)
        _print(rows, args.output)
        if shown != (before, after):
            write(MASKED, to_stderr=True)


def _hook(conn_id: str, version: ApiVersion) -> LearningHook:
    """Return the hook of a connection, which has to speak a version of the API."""
    hook = LearningHook(conn_id)
    spoken = hook.platform.version
    if spoken != version:
        raise FixArgumentError(
            f"--{version}: connection {conn_id!r} uses API {spoken}. Give a connection that uses API {version}; "
            "The version is `api_version` in the extra of the connection."
        )
    return hook


def _read(
    hooks: tuple[LearningHook, LearningHook], session_id: str, excluded: list[str] | None
) -> list[ProgramSession]:
    """Read the session through both connections, and say of each that does not have it."""
    sessions, missing = [], []
    for hook in hooks:
        try:
            sessions.append(hook.get_program_session(session_id, choose_keys(None, excluded)))
        except NotFoundError:
            where = f"connection {hook.learning_conn_id!r} (API {hook.platform.version})"
            missing.append(f"There is no program session {session_id} behind {where}.")
    if not missing:
        return sessions
    cause = (
        "It may have another ID in that version of the API. Search for its name with list-sessions."
        if len(missing) == 1
        else "Check the ID, and that both connections belong to the company of the session."
    )
    raise NotFoundError("\n".join([*missing, cause]))


def _compare(
    before: dict[str, Any], after: dict[str, Any], shown_before: dict[str, Any], shown_after: dict[str, Any]
) -> list[ComparedKey]:
    """Compare the documents, and show the values of others in which people may be masked."""
    # In the same order: masking may change a name that is no field.
    names = dict(zip(before, shown_before, strict=True)) | dict(zip(after, shown_after, strict=True))
    rows: list[ComparedKey] = []
    for key, name in names.items():
        result = _result(key, before, after)
        rows.append(
            {
                "key": name,
                "before": shown_before.get(name),
                "after": shown_after.get(name),
                "result": result,
                "why": None if result in ("same", "only in v2") else DIFFERENCES.get(key),
            }
        )
    return rows


def _result(key: str, before: dict[str, Any], after: dict[str, Any]) -> Result:
    if key not in after:
        return "only in v1"
    if key not in before:
        return "only in v2"
    is_same = _comparable(before[key], key in UNORDERED) == _comparable(after[key], key in UNORDERED)
    return "same" if is_same else "different"


def _comparable(value: Any, is_unordered: bool = False) -> Any:
    """Return a value that equals another one that means the same."""
    if isinstance(value, list):
        items = [_comparable(one) for one in value]
        return {json.dumps(one, sort_keys=True, default=str) for one in items} if is_unordered else items
    if isinstance(value, dict):
        # Two names of the same ID in a custom field.
        return {"_id" if name == "customFieldId" else name: _comparable(one) for name, one in value.items()}
    return _moment(value) if isinstance(value, str) and value[:4].isdigit() else value


def _moment(text: str) -> datetime | str:
    try:
        parsed = parse_date(text)
    except ValueError:
        return text
    return parsed if isinstance(parsed, datetime) else text


def _print(rows: list[ComparedKey], output: str) -> None:
    if output == "json":
        write_json(rows, indent=2)
    elif output == "yaml":
        write_yaml(rows)
    else:
        write_rows([_short(row) for row in rows], output)
        for row in rows:
            if row["why"]:
                write(f"{row['key']}: {row['why']}", to_stderr=output == "plain")
    counts = Counter(row["result"] for row in rows)
    # Scripts read the other formats.
    write(", ".join(f"{counts[one]} {one}" for one in RESULTS) + ".", to_stderr=output != "table")


def _short(row: ComparedKey) -> dict[str, Any]:
    cells = {"before": row["before"], "after": row["after"]}
    absent = {"only in v1": "after", "only in v2": "before"}.get(row["result"])
    lines = {name: "" if name == absent else _one_line(value) for name, value in cells.items()}
    start = 0
    if row["result"] == "different":
        # What is before the first difference is the same.
        start = max(0, _find_difference(lines["before"], lines["after"]) - CONTEXT)
        if _have_other_lengths(*cells.values()):
            lines, start = {name: f"{len(value)} {row['key']}" for name, value in cells.items()}, 0
    shown = {name: _shorten(line, start) for name, line in lines.items()}
    return {"key": row["key"], **shown, "result": row["result"]}


def _find_difference(one: str, other: str) -> int:
    """Return the position of the first character that differs."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((position for position, (a, b) in pairs if a != b), min(len(one), len(other)))


def _have_other_lengths(before: Any, after: Any) -> bool:
    return isinstance(before, list) and isinstance(after, list) and len(before) != len(after)


def _one_line(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return " ".join(text.split())


def _shorten(line: str, start: int) -> str:
    """Return at most `LONGEST` characters of a line, from the start on if all of it is longer."""
    if len(line) <= LONGEST:
        return line
    shown = line if start == 0 else f"…{line[start:]}"
    return shown if len(shown) <= LONGEST else f"{shown[: LONGEST - 1]}…"
