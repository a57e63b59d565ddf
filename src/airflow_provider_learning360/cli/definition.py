"""The commands of `airflow learning360`. Airflow loads this module with each of its commands, so it imports little."""

from __future__ import annotations

from datetime import date

from airflow.cli.cli_config import ARG_OUTPUT, ActionCommand, Arg, GroupCommand, lazy_load_command

from airflow_provider_learning360 import DEFAULT_CONN_ID

_HERE = "airflow_provider_learning360.cli"

SESSION_ID = Arg(("session_id",), help="ID of the program session: 24 characters of 0-9 and a-f")
CONN_ID = Arg(
    ("--learning-conn-id",), help=f"ID of the Airflow connection (default: {DEFAULT_CONN_ID})", default=DEFAULT_CONN_ID
)
RAW = Arg(("--raw",), help="print the response unchanged and unchecked; needs --show-people", action="store_true")
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
        help="client ID to accept for API v2 (default: 36003600360036003600360036003600)",
        default="36003600360036003600360036003600",
    ),
    Arg(
        ("--client-secret",),
        help="client secret to accept for API v2 (default: demo-secret)",
        default="demo-secret",
    ),
    Arg(("--scopes",), help="scopes of API v2 that the client has (default: all)", nargs="*", metavar="SCOPE"),
    Arg(
        ("--page-size",),
        help="items in a page of any list of API v2 (default: for each list the vendor's)",
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
                    func=lazy_load_command(f"{_HERE}.program_session.get_session"),
                    args=(SESSION_ID, CONN_ID, RAW, FIELD, CONTRACT, SHOW_PEOPLE, SESSION_OUTPUT),
                ),
                ActionCommand(
                    name="list-sessions",
                    help="List the program sessions of the company",
                    func=lazy_load_command(f"{_HERE}.program_session.list_sessions"),
                    args=(*LIST, CONN_ID),
                ),
                ActionCommand(
                    name="check",
                    help="Check the credentials, the latency, and what the API key may read",
                    func=lazy_load_command(f"{_HERE}.connection.check"),
                    args=(CONN_ID,),
                ),
                ActionCommand(
                    name="simulate",
                    help="Start a simulator of the API on this machine",
                    func=lazy_load_command(f"{_HERE}.simulator.simulate"),
                    args=SIMULATOR,
                ),
                ActionCommand(
                    name="plan-reminders",
                    help="Print which reminders would go out, when and to whom; nothing is sent",
                    func=lazy_load_command(f"{_HERE}.reminders.plan_reminders"),
                    args=(*PLAN, CONN_ID),
                ),
                ActionCommand(
                    name="reminder-schema",
                    help="Print the JSON Schema of a reminder policy",
                    func=lazy_load_command(f"{_HERE}.reminders.reminder_schema"),
                    args=(),
                ),
                ActionCommand(
                    name="schema",
                    help="Print the JSON Schema of DAG files in YAML, for editors",
                    func=lazy_load_command(f"{_HERE}.schema.schema"),
                    args=(FILE,),
                ),
                ActionCommand(
                    name="version",
                    help="Print the version of the provider",
                    func=lazy_load_command(f"{_HERE}.version.version"),
                    args=(),
                ),
            ),
        )
    ]
