"""How a command fails: one or two lines on standard error, without a traceback."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, NoReturn

from airflow_provider_learning360.api.errors import FixArgumentError, LearningError
from airflow_provider_learning360.cli.output import write

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_provider_learning360.api.catalogue.operation import Operation

INTERRUPTED = 130  # 128 and the number of SIGINT


@contextmanager
def report_errors() -> Iterator[None]:
    """
    Print an error of 360Learning as a sentence.

    :raises SystemExit: With status 1, after an error.
    """
    try:
        yield
    except LearningError as error:
        message = str(error)
    else:
        return
    sys.stdout.flush()
    write(f"Error: {message}", to_stderr=True)
    raise SystemExit(1)


@contextmanager
def report_argument_errors() -> Iterator[None]:
    """
    Print an error about an argument as a sentence; nothing was sent yet.

    :raises SystemExit: With status 2, as argparse does, after an error.
    """
    try:
        yield
    except FixArgumentError as error:
        message = str(error)
    else:
        return
    refuse_usage(message)


@contextmanager
def advise_exclude(*, helps: bool = True) -> Iterator[None]:
    """
    Add to an error in the block: `--exclude` leaves out the fields that could not be read.

    :param helps: Whether it does; default True.
    :raises LearningError: The error, with the advice.
    """
    try:
        yield
    except LearningError as error:
        if not (error.keys and helps):
            raise
        raise error.with_note(f"Or leave out the fields that need this: --exclude {','.join(error.keys)}.") from None


def end_interrupted(problem: str) -> NoReturn:
    """
    End a command that a person interrupted, with the status that shells use for it.

    :param problem: What was interrupted, and what to do.
    :raises SystemExit: With status 130.
    """
    write(problem, to_stderr=True)
    raise SystemExit(INTERRUPTED)


@contextmanager
def report_interrupted_write(operation: Operation) -> Iterator[None]:
    """
    Say of an interrupted write that 360Learning may have it, and how to find out.

    :param operation: The operation; a read says nothing of its own.
    :raises SystemExit: With status 130, if a write was interrupted.
    """
    try:
        yield
    except KeyboardInterrupt:
        if operation.is_read:
            raise
    else:
        return
    from airflow_provider_learning360.api.catalogue.unknown_outcome import say_how_to_find_out

    what = f"{operation.name} may have been carried out: the request may have been sent"
    end_interrupted(f"Interrupted. {what}. {say_how_to_find_out(operation)}")


def refuse_usage(problem: str) -> NoReturn:
    """
    Refuse options that contradict each other, as argparse refuses wrong ones.

    :param problem: What is wrong, and what to do.
    :raises SystemExit: With status 2.
    """
    write(f"Error: {problem}", to_stderr=True)
    raise SystemExit(2)
