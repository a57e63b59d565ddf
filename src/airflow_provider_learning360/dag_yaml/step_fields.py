"""The fields of what a step returns, as far as they are known before a run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_learning360.api.catalogue.answers import answer_fields
from airflow_provider_learning360.api.catalogue.catalogue import find_operation
from airflow_provider_learning360.api.enrolment import EnrolmentDiff
from airflow_provider_learning360.api.models import ProgramSession
from airflow_provider_learning360.api.progress import SessionProgress
from airflow_provider_learning360.api.session_update import UpdateDiff
from airflow_provider_learning360.dag_yaml.mail import MailCounts, MailOperator
from airflow_provider_learning360.dag_yaml.webhook import WebhookAnswer, WebhookOperator
from airflow_provider_learning360.operators.enrolment import EnrolLearnersOperator, UnenrolLearnersOperator
from airflow_provider_learning360.operators.operation import LearningOperationOperator
from airflow_provider_learning360.operators.program_session import (
    GetProgramSessionOperator,
    ListProgramSessionsOperator,
)
from airflow_provider_learning360.operators.progress import GetSessionProgressOperator
from airflow_provider_learning360.operators.session_update import UpdateProgramSessionOperator
from airflow_provider_learning360.rendering import is_template
from airflow_provider_learning360.sensors.operation import LearningOperationSensor
from airflow_provider_learning360.sensors.program_session import ProgramSessionModifiedSensor
from airflow_provider_learning360.sensors.session_completed import SessionCompletedSensor

if TYPE_CHECKING:
    from collections.abc import Collection

_LISTED = ("_id", "name", "startDate", "endDate", "modifiedAt")
_OF_SESSION = (GetProgramSessionOperator, ProgramSessionModifiedSensor, SessionCompletedSensor)
_OF_OPERATION = (LearningOperationOperator, LearningOperationSensor)
_TYPES: tuple[tuple[Any, Any], ...] = (
    (GetSessionProgressOperator, SessionProgress),
    ((EnrolLearnersOperator, UnenrolLearnersOperator), EnrolmentDiff),
    (UpdateProgramSessionOperator, UpdateDiff),
    (MailOperator, MailCounts),
    (WebhookOperator, WebhookAnswer),
)


def find_output_fields(task: Any) -> Collection[str]:
    """
    Return the names of the fields of what a task returns, or of each item of its list.

    :param task: The task, or a mapped one.
    :returns: The names; none if they are not known.
    """
    kind = getattr(task, "operator_class", type(task))
    for types, shape in _TYPES:
        if issubclass(kind, types):
            return list(shape.__annotations__)
    if not issubclass(kind, (ListProgramSessionsOperator, *_OF_SESSION, *_OF_OPERATION)):
        return ()
    fields, exclude = (_argument_of(task, name) or [] for name in ("fields", "exclude"))
    if is_template(fields) or is_template(exclude):
        return ()
    return [name for name in fields or _find_default_fields(task, kind) if name not in exclude]


def _find_default_fields(task: Any, kind: type) -> Collection[str]:
    if issubclass(kind, ListProgramSessionsOperator):
        return _LISTED
    if issubclass(kind, _OF_SESSION):
        return ProgramSession.field_names()
    operation = find_operation(_argument_of(task, "operation"))
    return () if operation.is_asynchronous else answer_fields(operation)


def _argument_of(task: Any, name: str) -> Any:
    mapped = getattr(task, "partial_kwargs", None)
    return getattr(task, name, None) if mapped is None else mapped.get(name)
