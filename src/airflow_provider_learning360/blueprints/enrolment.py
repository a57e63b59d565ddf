"""Blueprint templates that enrol people and groups in a program session, and remove them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from blueprint import Blueprint
from pydantic import AfterValidator, Field

from airflow_provider_learning360.dag_yaml.checked_step import checked_step
from airflow_provider_learning360.dag_yaml.enrolment import EnrolFromFileOperator, UnenrolFromFileOperator
from airflow_provider_learning360.dag_yaml.files import find_beside_dags
from airflow_provider_learning360.dag_yaml.forms import CONN_ID, Form, SessionId, to_validator
from airflow_provider_learning360.dag_yaml.people_file import read_people
from airflow_provider_learning360.dag_yaml.step_references import TextsOrNone, given_arguments
from airflow_provider_learning360.operators.enrolment import EnrolLearnersOperator, UnenrolLearnersOperator

if TYPE_CHECKING:
    from collections.abc import Callable

    from pydantic.config import JsonDict

    from airflow.providers.common.compat.sdk import BaseOperator

_ONE_SOURCE: JsonDict = {
    "anyOf": [{"required": [one]} for one in ("people", "people_file", "groups")],
    "not": {"required": ["people", "people_file"]},
}


class EnrolmentForm(Form):
    """Whom to enrol or remove, and in which session."""

    session_id: SessionId = Field(description="ID of the program session: 24 characters of 0-9 and a-f.")
    people: TextsOrNone = Field(
        None, description="Mail addresses or IDs of people: a list, or what an earlier step returned."
    )
    people_file: Annotated[
        str | None, AfterValidator(to_validator(lambda path, field: find_beside_dags(path, field, "file")))
    ] = Field(
        None,
        description="CSV file with the people: its path, absolute or relative to the DAGs folder.",
        examples=["workflows/new_starters.csv"],
    )
    people_column: str = Field(
        "mail", min_length=1, description="Column of people_file with the mail addresses or IDs.", examples=["mail"]
    )
    groups: list[str] | None = Field(
        None, min_length=1, description="IDs of groups.", examples=[["5e9a1c2d3e4b5a6978801234"]]
    )
    dry_run: bool = Field(False, description="Show what would change, and change nothing.", examples=[True])
    learning_conn_id: str = CONN_ID

    def check(self) -> None:
        """Refuse a step without people, and two lists of them."""
        if self.people is not None and self.people_file is not None:
            raise ValueError("people: give it or people_file, not both")
        if self.people is None and self.people_file is None and self.groups is None:
            raise ValueError("people: nobody is named; give people, people_file or groups")
        if self.people_file is not None:
            read_people(self.people_file, self.people_column)


class EnrolForm(EnrolmentForm, title="learning360_enrol", json_schema_extra=_ONE_SOURCE):
    """Whom to enrol, and in which session."""


class Enrol(Blueprint[EnrolForm]):
    """Enrol people and groups in a program session; whoever is enrolled already is left alone."""

    name = "learning360_enrol"
    version = 1

    @checked_step
    def render(self, config: EnrolForm) -> BaseOperator:
        """Return the task."""
        return _build_task(self.step_id, EnrolLearnersOperator, EnrolFromFileOperator, config)


class UnenrolForm(EnrolmentForm, title="learning360_unenrol", json_schema_extra=_ONE_SOURCE):
    """Whom to remove, and from which session."""


class Unenrol(Blueprint[UnenrolForm]):
    """Remove people and groups from a program session; whoever is not enrolled is left alone."""

    name = "learning360_unenrol"
    version = 1

    @checked_step
    def render(self, config: UnenrolForm) -> BaseOperator:
        """Return the task."""
        return _build_task(self.step_id, UnenrolLearnersOperator, UnenrolFromFileOperator, config)


def _build_task(
    step: str,
    operator: Callable[..., BaseOperator],
    from_file: Callable[..., BaseOperator],
    config: EnrolmentForm,
) -> BaseOperator:
    arguments = given_arguments(config, "people_file", "people_column")
    people = arguments.get("people")
    if people and len(people) == 1:  # what an earlier step returned is a list already
        arguments["people"] = people[0]
    if config.people_file is None:
        task = operator(task_id=step, **arguments)
    else:
        file = {"people_file": config.people_file, "people_column": config.people_column}
        task = from_file(task_id=step, **file, **arguments)
    return task
