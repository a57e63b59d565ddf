"""Operator that changes fields of a program session."""

from __future__ import annotations

__all__ = ["UpdateProgramSessionOperator"]

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import BaseOperator

from airflow_provider_learning360 import DEFAULT_CONN_ID
from airflow_provider_learning360.api.platform import SESSION_KEYS_ONLY
from airflow_provider_learning360.api.session_ids import find_session_id
from airflow_provider_learning360.dry_run import check_dry_run, render_dry_run
from airflow_provider_learning360.learning_operator import LearningOperator
from airflow_provider_learning360.mapped_label import name_mapped_task
from airflow_provider_learning360.operators.hidden_value import HiddenValue, hide_people, reveal
from airflow_provider_learning360.policies.retry import fail_fast, with_retry_policy
from airflow_provider_learning360.rendering import is_template

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_learning360.api.models import ProgramSession
    from airflow_provider_learning360.api.session_update import UpdateDiff, UpdateResult


class UpdateProgramSessionOperator(LearningOperator, BaseOperator):
    """
    Change fields of a program session: read it, write only what differs, and read it again.

    The log has the names of the fields that differ, and old and new dates and numbers. It has no people and no texts.

    :param session_id: ID of the session, 24 hexadecimal characters; or a document with `_id`, as
        `ListProgramSessionsOperator` returns it.
    :param set: New values by name of the field: `name`, `startDate`, `endDate`, `tutors`, `userLimit`,
        `sessionCustom` and `customFields`. Dates are datetimes or ISO texts. `tutors` are mail addresses or IDs; with
        API v2 the first one is the main instructor. `customFields` are values by ID. Null clears `endDate` (API v2
        only), `userLimit`, `sessionCustom` and single custom fields.
    :param dry_run: Whether to read and log only, and to write nothing; default False. Takes a template.
    :param learning_conn_id: ID of the Airflow connection; default `learning360_default`.
    :returns: `UpdateDiff`: `session_id`, `changed` (names of fields), `before` and `after` (dates and numbers only) and
        `dryRun`.

    Source: 360Learning API v1, `PATCH /api/v1/programs/sessions/{session_id}`; API v2,
    `PATCH /api/v2/paths/{pathId}/sessions/{sessionId}` and `PUT .../custom-fields/values`.
    """

    template_fields: Sequence[str] = ("session_id", "set", "learning_conn_id")
    ui_color = "#e8f3f1"

    def __init__(
        self,
        *,
        session_id: str | dict[str, Any],
        set: dict[str, Any] | str,
        dry_run: bool | str = False,
        learning_conn_id: str = DEFAULT_CONN_ID,
        **kwargs: Any,
    ) -> None:
        super().__init__(**with_retry_policy(kwargs))
        self.session_id = session_id
        self.set: Any = set
        self.learning_conn_id = learning_conn_id
        self._dry_run = dry_run  # Airflow's operators have a method `dry_run`
        self.check_own_arguments()
        check_dry_run(dry_run)

    @classmethod
    def check_arguments(cls, given: Mapping[str, Any]) -> None:
        """
        Refuse arguments that cannot work in any run.

        :param given: The arguments that are known when the DAG is parsed.
        :raises FixArgumentError: A field cannot be changed, or its value is not valid.
        """
        from airflow_provider_learning360.api.session_update import read_update

        super().check_arguments(given)
        if "dry_run" in given:
            check_dry_run(given["dry_run"])
        wanted = given.get("set", "")
        if isinstance(wanted, Mapping) or ("set" in given and not is_template(wanted)):
            read_update(wanted, is_template)

    def _do_render_template_fields(self, parent: Any, *args: Any, **more: Any) -> None:
        super()._do_render_template_fields(parent, *args, **more)
        if parent is self:
            self.replace_rendered("set", _hide_tutors(self.set))

    def execute(self, context: Context) -> UpdateDiff:
        """
        Read the session, and write what differs.

        :param context: Airflow's task context.
        :returns: What it changed.
        """
        from airflow_provider_learning360.api.session_update import SessionUpdate, read_update

        with fail_fast():
            is_dry = render_dry_run(self, self._dry_run, context)
            update = SessionUpdate(read_update(_reveal_tutors(self.set)), is_dry)
            session = self.hook.get_program_session(find_session_id(self.session_id), SESSION_KEYS_ONLY)
            name_mapped_task(context, session)
            result = self.hook.run_plan(self.hook.platform.update_session(session, update))
            self._log_result(session, result)
            return result.diff

    def _log_result(self, session: ProgramSession, result: UpdateResult) -> None:
        changed, is_dry = result.diff["changed"], result.diff["dryRun"]
        if not changed:
            self.log.info("%s has these values already. Nothing was written.", session.title)
            return
        self.log.info("%s: %s %s.", session.title, "would change" if is_dry else "changed", ", ".join(changed))
        for line in result.lines:
            self.log.info("%s", line)
        if is_dry:
            self.log.info("Nothing was written, because of dry_run.")


def _hide_tutors(wanted: Any) -> Any:
    """Return what Airflow may show of the new values: without people."""
    if isinstance(wanted, Mapping):
        return {name: hide_people(one) if name == "tutors" else one for name, one in wanted.items()}
    return wanted if isinstance(wanted, HiddenValue) else HiddenValue(wanted, "values (not shown)")


def _reveal_tutors(wanted: Any) -> Any:
    wanted = reveal(wanted)
    return {name: reveal(one) for name, one in wanted.items()} if isinstance(wanted, Mapping) else wanted
