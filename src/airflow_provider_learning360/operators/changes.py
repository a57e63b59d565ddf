"""The operator that returns the changes of program sessions that a DAG run is about."""

from __future__ import annotations

__all__ = ["ChangedProgramSessionsOperator"]

from typing import TYPE_CHECKING, Any, Literal

from airflow.providers.common.compat.sdk import BaseOperator, conf

from airflow_provider_learning360.api.errors import FixArgumentError
from airflow_provider_learning360.api.sanitizer import printable
from airflow_provider_learning360.argument_checks import require_choice
from airflow_provider_learning360.learning_operator import CheckedOperator
from airflow_provider_learning360.memory.store import ProcessStore
from airflow_provider_learning360.memory.task_store import find_task_store
from airflow_provider_learning360.operators.asset_events import EventsNotListed
from airflow_provider_learning360.operators.event_ledger import EventLedger, entries_of, unique
from airflow_provider_learning360.operators.run_events import RunEvents
from airflow_provider_learning360.policies.retry import with_retry_policy

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_learning360.api.watch_state import ChangeEntry
    from airflow_provider_learning360.memory.store import Store
    from airflow_provider_learning360.operators.event_ledger import Choice

Kind = Literal["modified", "missing", "any"]

CHOSEN = "learning360_chosen"  # key of what a run has chosen, in the store of the task


class ChangedProgramSessionsOperator(CheckedOperator, BaseOperator):
    """
    Return the changes of program sessions that this DAG run is about, each once, ready for `.expand(session_id=...)`.

    Each is a document: `_id`, `kind` (`modified` or `missing`), `modifiedAt` and `changes`, with values `from` and
    `to`. A change that an earlier run returned is not returned again, also if the triggerer repeats its event after a
    crash. It returns no more changes than Airflow can map over (`[core] max_map_length`); the next run returns the
    others.

    It returns the changes of the run's own events, and of events that no other run of this DAG acts on: events that
    Airflow gave to no run, because the DAG was paused or (Airflow 3.3) they came in a burst, and events of runs that
    failed before they returned them. On Airflow 3.4 and later, events after the run's own are left to their own runs.
    If Airflow cannot list the events of an asset, it returns the changes of the run's own events; a later run returns
    the others. Airflow 3.0 and 3.1 can only list all events of an asset: of one with more than 5,000, one run in 50
    does.

    Let one run of the DAG be active at a time (`max_active_runs=1`): two runs at once may both return the same change.

    :param assets: The watched assets to read, or their names; default those whose events started this run.
    :param kind: Which changes to return: `modified` (default), `missing` (of assets with `on_missing="event"`) or
        `any`.
    :returns: The changes, in the order in which they were detected.

    Source: Airflow's `triggering_asset_events`, `inlet_events` and `asset_state_store`; Airflow's `Variable` below
    Airflow 3.3.
    """

    template_fields: Sequence[str] = ("assets",)
    ui_color = "#e8f3f1"

    def __init__(self, *, assets: list[Any] | str | None = None, kind: Kind = "modified", **kwargs: Any) -> None:
        super().__init__(**with_retry_policy(kwargs))
        self.assets = assets
        self.kind = kind
        self.check_own_arguments()
        require_choice("kind", kind, Kind)

    @classmethod
    def check_arguments(cls, given: Mapping[str, Any]) -> None:
        """Refuse a `kind` that does not exist."""
        super().check_arguments(given)
        if "kind" in given:
            require_choice("kind", given["kind"], Kind)

    def execute(self, context: Context) -> list[ChangeEntry]:
        """
        Choose the changes, record that they were chosen, and return them.

        :param context: Airflow's task context.
        :returns: The changes.
        """
        run = RunEvents(context)
        store = find_task_store(context)
        if isinstance(store, ProcessStore):  # without a task, such as in a test
            entries = unique(entry for events in run.own.values() for event in events for entry in entries_of(event))
        else:
            entries = self._choose(store, run)
        wanted = [entry for entry in entries if self.kind in ("any", entry["kind"])]
        first = ", ".join(entry["_id"] for entry in wanted[:5])
        self.log.info("%d changes to act on: %s%s", len(wanted), first or "none", ", …" * (len(wanted) > 5))
        if run.own and not entries:
            self.log.info(
                "Earlier runs of this DAG have returned the changes of the events that started this run, or these "
                "events have none of program sessions. With `assets`, events of other assets do not count."
            )
        return wanted

    def _choose(self, store: Store, run: RunEvents) -> list[ChangeEntry]:
        """Return what this run chose before, so that a retry or a cleared task acts on the same; else choose."""
        choices: dict[str, Choice] | None = store.get(CHOSEN)
        names = sorted(run.own) if self.assets is None else _names_of(self.assets)
        ledgers = [EventLedger(name, f"{self.dag_id}.{self.task_id}", run) for name in names]
        if choices is None:
            choices = self._choose_from(ledgers)
            # Before the ledgers are written: if the task dies in between, its retry finds its choice here.
            store.set(CHOSEN, choices)
        for ledger in ledgers:
            ledger.record(choices.get(ledger.asset_name) or {"entries": []})
        return unique(entry for choice in choices.values() for entry in choice["entries"])

    def _choose_from(self, ledgers: list[EventLedger]) -> dict[str, Choice]:
        choices: dict[str, Choice] = {}
        left = conf.getint("core", "max_map_length", fallback=1024)
        for ledger in ledgers:
            choices[ledger.asset_name] = self._choose_unread(ledger, left)
            left -= len(choices[ledger.asset_name]["entries"])
        if left == 0:
            self.log.warning("There may be more changes than one run can map over. The next run returns the others.")
        return choices

    def _choose_unread(self, ledger: EventLedger, limit: int) -> Choice:
        try:
            return ledger.choose_unread(limit)
        except EventsNotListed as error:
            choice = ledger.choose_own(limit)
            self.log.warning(
                "Airflow could not list the events of asset %s (%s). This run acts on %d changes of its own events; "
                "a later run reads the other events.",
                *(printable(ledger.asset_name), error, len(choice["entries"])),
            )
            return choice


def _names_of(assets: Any) -> list[str]:
    """Return the names of the assets that a user gave."""
    listed = [assets] if isinstance(assets, str) or hasattr(assets, "uri") else assets
    names = [getattr(asset, "name", asset) for asset in listed]
    if not all(isinstance(name, str) and name for name in names):
        raise FixArgumentError("assets: expected watched assets, or their names.")
    return sorted(set(names))
