"""Operators that enrol and unenrol the people of a file, for steps in YAML."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_learning360.dag_yaml.people_file import read_people
from airflow_provider_learning360.operators.enrolment import EnrolLearnersOperator, UnenrolLearnersOperator

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_learning360.api.enrolment import EnrolmentDiff


class EnrolFromFileOperator(EnrolLearnersOperator):
    """
    Enrol the people of a CSV file in a program session.

    The file is read when the task runs: Airflow stores arguments, and shows them.

    :param people_file: Path of the file.
    :param people_column: Its column with mail addresses or IDs.
    :param arguments: The other arguments of `EnrolLearnersOperator`.
    """

    def __init__(self, *, people_file: str, people_column: str, **arguments: Any) -> None:
        super().__init__(people=[], **arguments)
        self.people_file = people_file
        self.people_column = people_column

    def execute(self, context: Context) -> EnrolmentDiff:
        """
        Read the file, and enrol its people.

        :param context: Airflow's task context.
        """
        self.people = read_people(self.people_file, self.people_column)
        return super().execute(context)


class UnenrolFromFileOperator(UnenrolLearnersOperator):
    """
    Unenrol the people of a CSV file from a program session.

    :param people_file: Path of the file.
    :param people_column: Its column with mail addresses or IDs.
    :param arguments: The other arguments of `UnenrolLearnersOperator`.
    """

    def __init__(self, *, people_file: str, people_column: str, **arguments: Any) -> None:
        super().__init__(people=[], **arguments)
        self.people_file = people_file
        self.people_column = people_column

    def execute(self, context: Context) -> EnrolmentDiff:
        """
        Read the file, and unenrol its people.

        :param context: Airflow's task context.
        """
        self.people = read_people(self.people_file, self.people_column)
        return super().execute(context)
