"""`schema`: the JSON Schema with which an editor checks and completes DAG files in YAML."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from airflow_provider_learning360.api.errors import FixArgumentError
from airflow_provider_learning360.cli.errors import report_errors
from airflow_provider_learning360.dag_yaml.schema import shipped_schema

if TYPE_CHECKING:
    from argparse import Namespace


def schema(args: Namespace) -> None:
    """
    Print the JSON Schema of DAG files in YAML, or write it to a file.

    :param args: `output`, the path of the file; None for standard output.
    """
    if args.output is None:
        print(shipped_schema(), end="")
        return
    with report_errors():
        try:
            Path(args.output).write_text(shipped_schema(), encoding="utf-8")
        except OSError as error:
            raise FixArgumentError(
                f"{args.output} cannot be written: {error.strerror}. Give another --output."
            ) from None
