"""`python -m airflow_provider_learning360.cli`: the same commands, for an Airflow that loads none of providers."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from airflow_provider_learning360.cli.definition import get_learning360_cli_commands
from airflow_provider_learning360.cli.version import TEXT

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> None:
    """
    Run one command.

    :param argv: Arguments; default those of the process.
    """
    arguments = build_parser().parse_args(argv)
    arguments.func(arguments)


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of all commands."""
    (group,) = get_learning360_cli_commands()
    parser = argparse.ArgumentParser(prog="python -m airflow_provider_learning360.cli", description=group.help)
    parser.add_argument("--version", action="version", version=TEXT, help="print the version and exit")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for command in group.subcommands:
        sub = commands.add_parser(command.name, help=command.help, description=command.description or command.help)
        for argument in command.args:
            argument.add_to_parser(sub)
        sub.set_defaults(func=command.func)
    return parser


if __name__ == "__main__":
    main()
