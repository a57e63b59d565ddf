"""The commands of `airflow learning360`. Airflow loads this module with each of its commands, so it imports little."""

from __future__ import annotations

import os
import sys
from datetime import date
from functools import wraps
from typing import TYPE_CHECKING, Any

from airflow.cli.cli_config import ARG_OUTPUT, ActionCommand, Arg, GroupCommand, lazy_load_command

from airflow_provider_learning360 import DEFAULT_CONN_ID

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Callable

_HERE = "airflow_provider_learning360.cli"


class CompletedArg(Arg):
    """
    An argument whose values the shell completes, if it completes at all: Airflow uses argcomplete.

    :param completer: Name of the function in `completion.py` that returns the values.
    """

    def __init__(self, *args: Any, completer: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[no-untyped-call] # Airflow's class has no types
        self._completer = lazy_load_command(f"{_HERE}.completion.{completer}")

    def add_to_parser(self, parser: ArgumentParser) -> None:
        """Add this argument to a parser."""
        action: Any = parser.add_argument(*self.flags, **self.kwargs)
        action.completer = self._completer


SESSION_ID = Arg(("session_id",), help="ID of the program session: 24 characters of 0-9 and a-f")
CONN_ID = Arg(
    ("--learning-conn-id",), help=f"ID of the Airflow connection (default: {DEFAULT_CONN_ID})", default=DEFAULT_CONN_ID
)
RAW = Arg(
    ("--raw",),
    help="print the response unchanged and unchecked; several responses become a JSON array; needs --show-people",
    action="store_true",
)
FIELD = Arg(("--field",), help="print only this field, such as startDate")
CONTRACT = Arg(
    ("--contract",),
    help="what to do if the response differs from the documentation: ignore, warn or strict (default: warn)",
    choices=("ignore", "warn", "strict"),
)
SHOW_PEOPLE = Arg(
    ("--show-people",), help="show names and addresses of people; Airflow's audit log records it", action="store_true"
)
SESSION_OUTPUT = Arg(
    ARG_OUTPUT.flags,
    help="output format: json, yaml, table or plain (default: json)",
    metavar="(table, json, yaml, plain)",
    choices=("table", "json", "yaml", "plain"),
)
EXCLUDE = Arg(
    ("--exclude",),
    help="fields to leave out, separated by commas, such as author,users; no requests are sent for them",
    metavar="FIELDS",
)
LIST = (
    Arg(("--name",), help="name pattern with * and ?, case-insensitive, such as 'Onboarding*' (default: any)"),
    Arg(("--starts-after",), help="earliest start, such as 2026-03-01 (in UTC; default: any)"),
    ARG_OUTPUT,
)
SIMULATOR = (
    Arg(("--host",), help="loopback address to listen on (default: 127.0.0.1)", default="127.0.0.1"),
    Arg(("--port",), help="TCP port; 0 for any free one (default: 8360)", type=int, default=8360),
    Arg(("--sessions",), help="number of program sessions (default: 12)", type=int, default=12),
    Arg(("--learners",), help="number of learners in each session (default: 20)", type=int, default=20),
    Arg(
        ("--seed",), help="random seed: the same seed and day give the same data (default: 360)", type=int, default=360
    ),
    Arg(
        ("--today",),
        help="day around which the sessions start and end, such as 2026-06-01 (default: today)",
        type=date.fromisoformat,
    ),
    Arg(("--company-id",), help="company ID to accept (default: demo-company)", default="demo-company"),
    Arg(("--api-key",), help="API key to accept (default: demo-key)", default="demo-key"),
    Arg(
        ("--client-id",),
        help=f"client ID to accept for API v2 (default: {'3600' * 8})",
        default="3600" * 8,
    ),
    Arg(("--client-secret",), help="client secret to accept for API v2 (default: demo-secret)", default="demo-secret"),
    Arg(("--scopes",), help="scopes of API v2 that the client has (default: all)", nargs="*", metavar="SCOPE"),
    Arg(
        ("--page-size",),
        help="items in a page of every list of API v2 (default: as documented for each)",
        type=int,
    ),
    Arg(("--users",), help="number of users who are in no session (default: 0)", type=int, default=0),
    Arg(("--token-life",), help="lifetime of an OAuth2 token in seconds (default: 3600)", type=float, default=3600.0),
    Arg(("--scenario",), help="JSON file with scenarios that are active from the start"),
)
PLAN = (
    Arg(("policy",), help="file with the reminder policy, in YAML or JSON"),
    Arg(("--at",), help="time to plan for, such as 2026-03-01T08:00, in the policy's time zone (default: now)"),
    Arg(("--horizon",), help="days to look ahead (default: 7)", type=int, default=7),
    Arg(("--session",), help="IDs of program sessions (default: all of the company)", nargs="+", metavar="ID"),
    Arg(
        ("--show-addresses",),
        help="show mail addresses in full; Airflow's audit log records it",
        action="store_true",
    ),
    Arg(
        ARG_OUTPUT.flags,
        help="output format: text, json or csv (default: text)",
        metavar="(text, json, csv)",
        choices=("text", "json", "csv"),
        default="text",
    ),
)
COMPARED = (
    Arg(("--v1",), help="ID of the Airflow connection that uses API v1", required=True, metavar="CONN_ID"),
    Arg(("--v2",), help="ID of the Airflow connection that uses API v2", required=True, metavar="CONN_ID"),
)
SEARCH = (
    Arg(("words",), help="words to search for, such as 'learners of a session' (default: all)", nargs="*"),
    CompletedArg(
        ("--topic",), help="topic of the operations, such as Users (default: any)", completer="complete_topics"
    ),
    ARG_OUTPUT,
)
OPERATION = CompletedArg(
    ("operation",),
    help="name of the operation, such as list-path-sessions",
    metavar="NAME",
    completer="complete_operations",
)
DOCUMENTATION_OUTPUT = Arg(
    ARG_OUTPUT.flags,
    help="output format: text, json or yaml; in json and yaml, schemas contain no references (default: text)",
    metavar="(text, json, yaml)",
    choices=("text", "json", "yaml"),
    default="text",
)
CALL = (
    CompletedArg(
        ("-p", "--parameter"),
        help="a parameter, such as pathId=60b8d2956e20ae1a0f8e44f1; for a list, repeat the option, or write JSON",
        metavar="KEY=VALUE",
        dest="parameters",
        action="append",
        completer="complete_parameters",
    ),
    Arg(("--body",), help="body in JSON or YAML: a text, @ and the path of a file, or - for standard input"),
    Arg(("--pages",), help="how many pages of a list to read: a number, or all (default: 1)", default="1"),
    Arg(("--field",), help="print only this field of the object, or of each item of the list"),
    Arg(("--dry-run",), help="print what would be sent, and send nothing", action="store_true"),
    Arg(("--yes",), help="send a write without asking", action="store_true"),
    Arg(("--replace",), help="allow a write to remove everything that is not in its body", action="store_true"),
    SHOW_PEOPLE,
    Arg(
        ARG_OUTPUT.flags,
        help="output format: json, yaml or table (default: json)",
        metavar="(json, yaml, table)",
        choices=("json", "yaml", "table"),
    ),
)
CLEAN = (
    Arg(
        ("--older-than",),
        help="keep values of finished tasks and deleted assets for this many days (default: 30)",
        type=int,
        default=30,
        metavar="DAYS",
    ),
    Arg(("--dry-run",), help="print what would be deleted, and delete nothing", action="store_true"),
)
FILE = Arg(("--output",), help="file to write to (default: standard output)", metavar="FILE")


def get_learning360_cli_commands() -> list[GroupCommand]:
    """Return the commands. Source: `cli` of Airflow's `provider_info.schema.json`."""
    return [
        GroupCommand(
            name="learning360",
            help="Test requests to 360Learning before you schedule DAGs",
            subcommands=(
                ActionCommand(
                    name="get-session",
                    help="Read one program session and print it; data about people is masked",
                    func=_load("program_session.get_session"),
                    args=(SESSION_ID, CONN_ID, RAW, FIELD, EXCLUDE, CONTRACT, SHOW_PEOPLE, SESSION_OUTPUT),
                ),
                ActionCommand(
                    name="list-sessions",
                    help="List the program sessions of the company",
                    func=_load("program_session.list_sessions"),
                    args=(*LIST, CONN_ID),
                ),
                ActionCommand(
                    name="check",
                    help="Check the credentials, the latency, and list what they may read",
                    func=_load("connection.check"),
                    args=(CONN_ID,),
                ),
                ActionCommand(
                    name="compare",
                    help="Compare a program session in API v1 and API v2, key by key; data about people is masked",
                    func=_load("compare.compare"),
                    args=(SESSION_ID, *COMPARED, EXCLUDE, SHOW_PEOPLE, ARG_OUTPUT),
                ),
                ActionCommand(
                    name="operations",
                    help="Search the operations of 360Learning",
                    func=_load("operations.operations"),
                    args=SEARCH,
                ),
                ActionCommand(
                    name="operation",
                    help="Print the documentation of an operation, and how to call it",
                    func=_load("operation.operation"),
                    args=(OPERATION, DOCUMENTATION_OUTPUT),
                ),
                ActionCommand(
                    name="call",
                    help="Call an operation and print its answer; asks before a write; data about people is masked",
                    func=_load("call.call"),
                    args=(OPERATION, *CALL, CONN_ID),
                ),
                ActionCommand(
                    name="simulate",
                    help="Start a simulator of the API on this machine; all documented operations respond",
                    func=_load("simulator.simulate"),
                    args=SIMULATOR,
                ),
                ActionCommand(
                    name="plan-reminders",
                    help="Print which reminders would go out, when and to whom; nothing is sent",
                    func=_load("reminders.plan_reminders"),
                    args=(*PLAN, CONN_ID),
                ),
                ActionCommand(
                    name="reminder-schema",
                    help="Print the JSON Schema of a reminder policy",
                    func=_load("reminders.reminder_schema"),
                    args=(),
                ),
                ActionCommand(
                    name="schema",
                    help="Print the JSON Schema of DAG files in YAML, for editors",
                    func=_load("schema.schema"),
                    args=(FILE,),
                ),
                ActionCommand(
                    name="clean",
                    help="Delete Airflow variables of this provider that are not needed any more (Airflow below 3.3)",
                    func=_load("clean.clean"),
                    args=CLEAN,
                ),
                ActionCommand(
                    name="version",
                    help="Print the version of the provider",
                    func=_load("version.version"),
                    args=(),
                ),
            ),
        )
    ]


def _load(command: str) -> Callable[[Namespace], None]:
    """
    Return a command that ends without a traceback if a person interrupts it.

    It ends quietly if nobody reads its output to the end, as with `| head`.
    """
    function = lazy_load_command(f"{_HERE}.{command}")

    @wraps(function)
    def run(args: Namespace) -> None:
        try:
            function(args)
            sys.stdout.flush()
        except BrokenPipeError:
            # Python flushes once more when it ends, which must not fail either.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise SystemExit(1) from None
        except KeyboardInterrupt:
            from airflow_provider_learning360.cli.errors import end_interrupted

            end_interrupted("Interrupted.")

    return run
