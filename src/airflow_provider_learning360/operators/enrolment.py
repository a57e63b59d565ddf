"""Operators that enrol people and groups in program sessions, and unenrol them."""

from __future__ import annotations

__all__ = ["EnrolLearnersOperator", "UnenrolLearnersOperator"]

from abc import abstractmethod
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import BaseOperator

from airflow_provider_learning360 import DEFAULT_CONN_ID
from airflow_provider_learning360.api.counts import count_of
from airflow_provider_learning360.api.errors import FixArgumentError
from airflow_provider_learning360.api.platform import SESSION_KEYS_ONLY
from airflow_provider_learning360.api.session_ids import find_session_id
from airflow_provider_learning360.dry_run import check_dry_run, render_dry_run
from airflow_provider_learning360.learning_operator import LearningOperator
from airflow_provider_learning360.mapped_label import name_mapped_task
from airflow_provider_learning360.operators.hidden_value import hide_people, reveal
from airflow_provider_learning360.policies.retry import fail_fast, with_retry_policy
from airflow_provider_learning360.rendering import gave_nothing

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_learning360.api.enrolment import EnrolmentChange, EnrolmentDiff, EnrolmentResult
    from airflow_provider_learning360.api.models import ProgramSession


class _EnrolmentOperator(LearningOperator, BaseOperator):
    """Enrol or unenrol people and groups."""

    template_fields: Sequence[str] = ("session_id", "people", "groups", "learning_conn_id")
    ui_color = "#e8f3f1"

    def __init__(
        self,
        *,
        session_id: str | dict[str, Any],
        people: list[Any] | str | None = None,
        groups: list[Any] | str | None = None,
        dry_run: bool | str = False,
        learning_conn_id: str = DEFAULT_CONN_ID,
        **kwargs: Any,
    ) -> None:
        super().__init__(**with_retry_policy(kwargs))
        self.session_id = session_id
        self.people = people
        self.groups = groups
        self._dry_run = dry_run  # Airflow's operators have a method `dry_run`
        self.learning_conn_id = learning_conn_id
        if people is None and groups is None:
            raise FixArgumentError(f"{type(self).__name__} got neither people nor groups. Give at least one of them.")
        self.check_own_arguments()
        check_dry_run(dry_run)

    @classmethod
    def check_arguments(cls, given: Mapping[str, Any]) -> None:
        """
        Refuse arguments that cannot work in any run.

        :param given: The arguments that are known when the DAG is parsed.
        :raises FixArgumentError: An argument is not valid.
        """
        super().check_arguments(given)
        if "dry_run" in given:
            check_dry_run(given["dry_run"])

    @property
    @abstractmethod
    def _enrols(self) -> bool:
        """Whether to enrol."""

    def _do_render_template_fields(self, parent: Any, *args: Any, **more: Any) -> None:
        super()._do_render_template_fields(parent, *args, **more)
        if parent is self and not gave_nothing(self.people):
            self.replace_rendered("people", hide_people(self.people))

    def execute(self, context: Context) -> EnrolmentDiff:
        """
        Read who is enrolled, and write what differs.

        :param context: Airflow's task context.
        :returns: What it changed.
        """
        with fail_fast():
            change = self._read_change(render_dry_run(self, self._dry_run, context))
            session = self.hook.get_program_session(find_session_id(self.session_id), SESSION_KEYS_ONLY)
            name_mapped_task(context, session)
            result = self.hook.run_plan(self.hook.platform.change_enrolment(session, change))
            self._log_result(session, result)
            return result.diff

    def _read_change(self, is_dry: bool) -> EnrolmentChange:
        from airflow_provider_learning360.api.enrolment import EnrolmentChange, read_group_ids
        from airflow_provider_learning360.api.people import read_people

        for name in ("people", "groups"):
            if (template := self.empty_template(name)) is not None:
                raise FixArgumentError(f"{name}: the template {template} gave None. Check the task that it reads.")
        people, groups = read_people(reveal(self.people)), read_group_ids(self.groups)
        return EnrolmentChange(tuple(people), tuple(groups), self._enrols, is_dry)

    def _log_result(self, session: ProgramSession, result: EnrolmentResult) -> None:
        diff = result.diff
        changed, groups = diff["added"] + diff["removed"], diff["groupsAdded"] + diff["groupsRemoved"]
        verb = "enrol" if self._enrols else "unenrol"
        self.log.info(
            "%s: %s %s and %s; %d as wanted already.",
            *(session.title, f"would {verb}" if diff["dryRun"] else f"{verb}led"),
            *(count_of(len(changed), "person", "people"), count_of(len(groups), "group"), diff["unchanged"]),
        )
        if diff["dryRun"]:
            self.log.info("Nothing was written, because of dry_run.")
        for note in result.notes:
            self.log.warning("%s", note)


class EnrolLearnersOperator(_EnrolmentOperator):
    """
    Enrol people and groups in a program session; those who are enrolled already are left as they are.

    All people are looked up first: if one is unknown, the task fails before anything is written. The log and the result
    hold counts and IDs, and no mail address. Airflow shows how many people were given, and not who.

    :param session_id: ID of the session, 24 hexadecimal characters; or a document with `_id`, as
        `ListProgramSessionsOperator` returns it.
    :param people: Mail addresses, IDs of users, or documents with `userId`, `_id` or `mail`, as
        `GetSessionProgressOperator` returns them; a list, or a text with one. Default none.
    :param groups: IDs of groups, or documents with `_id`; a list, or a text with one. Default none.
    :param dry_run: Whether to read and log only, and to write nothing; default False. Takes a template.
    :param learning_conn_id: ID of the Airflow connection; default `learning360_default`.
    :returns: `EnrolmentDiff`: `session_id`, `added`, `removed` (IDs of users), `unchanged` (a count), `groupsAdded`,
        `groupsRemoved` and `dryRun`.

    Source: 360Learning API v1, `PUT /api/v1/programs/sessions/{session_id}/users/{user_email_or_id}`; API v2,
    `PUT /api/v2/paths/{pathId}/sessions/{sessionId}/audiences`.
    """

    @property
    def _enrols(self) -> bool:
        return True


class UnenrolLearnersOperator(_EnrolmentOperator):
    """
    Unenrol people and groups from a program session; those who are not enrolled are left as they are.

    With API v2, people who may come in through a group are excluded from the session until `EnrolLearnersOperator`
    enrols them. The log says how many.

    :param session_id: ID of the session, 24 hexadecimal characters; or a document with `_id`, as
        `ListProgramSessionsOperator` returns it.
    :param people: Mail addresses, IDs of users, or documents with `userId`, `_id` or `mail`; a list, or a text with
        one. Default none.
    :param groups: IDs of groups, or documents with `_id`; a list, or a text with one. Default none.
    :param dry_run: Whether to read and log only, and to write nothing; default False. Takes a template.
    :param learning_conn_id: ID of the Airflow connection; default `learning360_default`.
    :returns: `EnrolmentDiff`: `session_id`, `added`, `removed` (IDs of users), `unchanged` (a count), `groupsAdded`,
        `groupsRemoved` and `dryRun`.

    Source: 360Learning API v1, `DELETE /api/v1/programs/sessions/{session_id}/users/{user_email_or_id}`; API v2,
    `PUT /api/v2/paths/{pathId}/sessions/{sessionId}/audiences`.
    """

    @property
    def _enrols(self) -> bool:
        return False
