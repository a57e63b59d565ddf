"""`clean`: delete variables of this provider that are not needed any more."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.version_compat import AIRFLOW_V_3_0_PLUS

from airflow_provider_learning360.api.counts import count_of
from airflow_provider_learning360.cli.errors import refuse_usage
from airflow_provider_learning360.cli.output import logs_on_stderr, write
from airflow_provider_learning360.memory.cleaning import find_verdict
from airflow_provider_learning360.memory.stored_variables import find_variables
from airflow_provider_learning360.memory.variables import parse_stored

if TYPE_CHECKING:
    from argparse import Namespace

    from airflow_provider_learning360.memory.cleaning import Verdict
    from airflow_provider_learning360.memory.variables import AssetOwner, TaskOwner

REASONS: dict[Verdict, str] = {
    "run deleted": "of DAG runs that do not exist any more",
    "asset deleted": "of assets that no DAG refers to any more",
    "old": "of finished tasks, and old",
}


class DatabaseOwners:
    """
    The owners of variables, in Airflow's database.

    :param session: A session of the database.
    """

    def __init__(self, session: Any) -> None:
        self._session = session

    def has_run(self, owner: TaskOwner) -> bool:
        """
        Whether the DAG run still exists.

        :param owner: The task of the run.
        """
        from airflow.models.dagrun import DagRun

        return self._exists(DagRun, dag_id=owner["dag_id"], run_id=owner["run_id"])

    def is_unfinished(self, owner: TaskOwner) -> bool:
        """
        Whether the task may still run without being cleared.

        :param owner: The task.
        """
        from airflow.models.taskinstance import TaskInstance
        from airflow.utils.state import State

        # By name: a later version may tell more of an owner.
        task = {name: owner[name] for name in ("dag_id", "run_id", "task_id", "map_index")}
        found = self._session.query(TaskInstance.state).filter_by(**task).first()
        return found is not None and found[0] not in State.finished

    def has_asset(self, owner: AssetOwner) -> bool:
        """
        Whether a DAG refers to the asset.

        :param owner: The asset.
        """
        if not AIRFLOW_V_3_0_PLUS:
            return False
        from airflow.models.asset import AssetActive

        return self._exists(AssetActive, name=owner["asset"])

    def _exists(self, model: Any, **values: Any) -> bool:
        return self._session.query(model).filter_by(**values).first() is not None


def clean(args: Namespace) -> None:
    """
    Delete the variables that are not needed any more, and print how many.

    :param args: `older_than` (days) and `dry_run`.
    """
    if args.older_than < 1:
        refuse_usage(f"--older-than: {args.older_than} is not a number of days above 0")
    from airflow.utils.session import create_session

    verdicts: Counter[str] = Counter()
    unreadable = []
    with logs_on_stderr(), create_session() as session:
        owners, now = DatabaseOwners(session), datetime.now(tz=UTC)
        for variable in find_variables(session):
            try:
                verdict = find_verdict(parse_stored(variable.val), owners, now, timedelta(days=args.older_than))
            except (ValueError, TypeError, KeyError):
                unreadable.append(variable.key)
                continue
            verdicts[verdict] += 1
            if verdict != "needed" and not args.dry_run:
                session.delete(variable)
    for line in describe(verdicts, unreadable, is_dry=args.dry_run):
        write(line)


def describe(verdicts: Counter[str], unreadable: list[str], *, is_dry: bool) -> list[str]:
    """
    Return what was deleted and kept, as lines.

    :param verdicts: How many variables have which verdict.
    :param unreadable: Names of variables that this provider did not write in this form.
    :param is_dry: Whether nothing was deleted.
    """
    deleted = sum(verdicts.values()) - verdicts["needed"]
    done = "Would delete" if is_dry else "Deleted"
    lines = [f"{done} {count_of(deleted, 'variable')}; {count_of(verdicts['needed'], 'variable')} kept."]
    lines += [f"  {verdicts[name]} {reason}" for name, reason in REASONS.items() if verdicts[name]]
    if unreadable:
        lines.append(
            f"{count_of(len(unreadable), 'variable')} could not be read, such as {min(unreadable)}. Delete them "
            "in Airflow if nothing needs them."
        )
    return lines
