"""Operator that reads how far the learners of a program session are."""

from __future__ import annotations

__all__ = ["GetSessionProgressOperator"]

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import BaseOperator

from airflow_provider_learning360 import DEFAULT_CONN_ID
from airflow_provider_learning360.api.counts import count_of
from airflow_provider_learning360.api.platform import SESSION_KEYS_ONLY
from airflow_provider_learning360.api.session_ids import find_session_id
from airflow_provider_learning360.argument_checks import check_argument
from airflow_provider_learning360.document_options import check_xcom_size
from airflow_provider_learning360.learning_operator import LearningOperator
from airflow_provider_learning360.mapped_label import name_mapped_task
from airflow_provider_learning360.policies.retry import fail_fast, with_retry_policy

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_learning360.api.models import ProgramSession
    from airflow_provider_learning360.api.progress import LearnerProgress, SessionProgress, Who


class GetSessionProgressOperator(LearningOperator, BaseOperator):
    """
    Read how far the learners of a program session are, as small items ready for `.expand(...)`.

    Deleted learners are left out. The items hold names and mail addresses; the log holds counts only.

    :param session_id: ID of the session, 24 hexadecimal characters; or a document with `_id`, as
        `ListProgramSessionsOperator` returns it.
    :param who: Which learners: `not_completed` (default), `completed`, `late`, or `all`. Late is who has not completed
        after the due date; API v1 has none, so there after the `endDate` of the session.
    :param learning_conn_id: ID of the Airflow connection; default `learning360_default`.
    :param max_xcom_bytes: Size of the list, in bytes, above which the task fails; default no limit, and a warning
        above 1 MiB.
    :returns: A list of `SessionProgress`: `userId`, `mail`, `firstName`, `lastName`, `status`, `progress`,
        `completedAt`, `dueDate`, `isCompleted`, `isLate`, `sessionId` and `sessionName`. What is not known is null.

    Source: 360Learning API v1, `GET /api/v1/programs/sessions/{session_id}/stats`; API v2,
    `GET /api/v2/paths/{path_id}/sessions/{session_id}/user-stats`.
    """

    template_fields: Sequence[str] = ("session_id", "who", "learning_conn_id")
    ui_color = "#e8f3f1"

    def __init__(
        self,
        *,
        session_id: str | dict[str, Any],
        who: Who = "not_completed",
        learning_conn_id: str = DEFAULT_CONN_ID,
        max_xcom_bytes: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**with_retry_policy(kwargs))
        self.session_id = session_id
        self.who = who
        self.learning_conn_id = learning_conn_id
        self.max_xcom_bytes = max_xcom_bytes
        self.check_own_arguments()

    def execute(self, context: Context) -> list[SessionProgress]:
        """
        Read the session and its statistics, and return one item for each learner.

        :param context: Airflow's task context.
        :returns: The items.
        """
        from airflow_provider_learning360.api.progress import build_progress, choose_progress
        from airflow_provider_learning360.reminders.addresses import is_mailable

        with fail_fast():
            check_argument("who", self.who)  # a template is known only now
            session = self.hook.get_program_session(find_session_id(self.session_id), SESSION_KEYS_ONLY)
            name_mapped_task(context, session)
            statistics = self.hook.get_program_session_stats(session.id, session)
            items = build_progress(statistics, datetime.now(tz=UTC), session.end_date, is_mailable)
            chosen: list[SessionProgress] = [
                {**one, "sessionId": session.id, "sessionName": session.name}
                for one in choose_progress(items, self.who)
            ]
            self._log_counts(session, items, len(chosen))
            self._check_size(session, chosen)
            return chosen

    def _log_counts(self, session: ProgramSession, items: list[LearnerProgress], chosen: int) -> None:
        completed = sum(one["isCompleted"] for one in items)
        self.log.info(
            "%s: %s, %d completed, %d not completed (%d of them late), %d without a mail address. Returned: %d (%s).",
            *(session.title, count_of(len(items), "learner"), completed, len(items) - completed),
            *(sum(one["isLate"] for one in items), sum(one["mail"] is None for one in items), chosen, self.who),
        )

    def _check_size(self, session: ProgramSession, chosen: list[SessionProgress]) -> None:
        advice = "Push fewer learners with `who`, or use an object-storage XCom backend."
        check_xcom_size(f"The progress in program session {session.id}", chosen, self.max_xcom_bytes, advice, self.log)
