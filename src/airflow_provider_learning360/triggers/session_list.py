"""The list of program sessions, read for many waiting sensors at once."""

from __future__ import annotations

import asyncio
import time
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

from airflow_provider_learning360.api.errors import LearningError
from airflow_provider_learning360.api.session_ids import is_session_id
from airflow_provider_learning360.api.waiting import UNCHANGED
from airflow_provider_learning360.triggers.time_slice import TimeSlice

if TYPE_CHECKING:
    from airflow_provider_learning360.api.platform import Keys, Platform, StreamPlan
    from airflow_provider_learning360.hooks.learning_async import LearningAsyncHook
    from airflow_provider_learning360.triggers.poll_target import EntryState
    from airflow_provider_learning360.triggers.waiting_poll import WaitingPoll

# Sessions that no poll has read yet, up to which the complete list is not worth it.
FEW_UNKNOWN = 10
# Entries of a complete list for each session that is waited for, above which single reads cost 360Learning less.
MAX_ENTRIES_PER_SESSION = 100
# Outcomes that are passed on before other triggers may run: each wakes one of them.
DELIVERED_AT_ONCE = 10


class SessionListReader:
    """
    Reads the list again and again, and compares its entries with what was evaluated before.

    :param hook: The hook. Another hook needs another reader, because its platform may be another.
    :param platform: The platform of the hook.
    """

    def __init__(self, hook: LearningAsyncHook, platform: Platform) -> None:
        self.hook = hook
        # Whether most entries lack `modifiedAt`, as on older platforms. Then sessions are read one by one.
        self._lacks_dates = False
        self._entry_count = 0
        self._platform = platform
        self._poll = platform.new_poll()
        self._delivered = 0
        # When the present list began, and the one before it, since which it says what was modified.
        self._began = self._floor = float("-inf")

    @property
    def listed_keys(self) -> Keys:
        """Which keys each entry has; None for all that there are."""
        return self._poll.listed_keys

    def is_worth_reading(self, session_count: int) -> bool:
        """
        Whether one list should replace single reads.

        :param session_count: How many sessions are waited for.
        """
        if session_count <= self._platform.single_poll_limit or self._lacks_dates:
            return False
        # A platform without other lists sends all of its sessions each time.
        is_complete = not self._platform.choice_limit
        return not is_complete or self._entry_count <= MAX_ENTRIES_PER_SESSION * session_count

    async def read(self, hook: LearningAsyncHook, polls: list[WaitingPoll]) -> list[WaitingPoll]:
        """
        Read the list, and pass each entry on to the polls that wait for it.

        :param hook: The hook.
        :param polls: The polls.
        :returns: Those for which the list does not say enough.
        :raises LearningError: The list cannot be read.
        """
        by_id: dict[str, list[WaitingPoll]] = {}
        for one in polls:
            by_id.setdefault(one.target.session_id or "", []).append(one)
        self._began = time.monotonic()
        is_choice = len(by_id) <= self._platform.choice_limit
        plan = self._platform.stream_chosen(sorted(by_id)) if is_choice else await self._plan_poll(hook, by_id)
        unusable = await self._read_entries(hook, by_id, plan)
        left = [one for waiting in by_id.values() for one in waiting]
        if is_choice:
            return left + unusable
        floor, self._floor = self._floor, self._began
        if not self._poll.is_full:
            left = await self._deliver_unchanged(left, floor)
        return left + unusable

    async def _plan_poll(self, hook: LearningAsyncHook, by_id: dict[str, list[WaitingPoll]]) -> StreamPlan:
        """Plan to read what was modified; everything, if many have not read their session yet."""
        # Nothing is asked for here, but some polls expect this step first.
        await hook.run_plan(self._poll.find_outdated({}))
        unknown = [one for one, polls in by_id.items() if not all(_is_known_since(poll, self._floor) for poll in polls)]
        return self._poll.stream(full=len(unknown) > FEW_UNKNOWN)

    async def _read_entries(
        self, hook: LearningAsyncHook, by_id: dict[str, list[WaitingPoll]], plan: StreamPlan
    ) -> list[WaitingPoll]:
        """Read the entries, and remove their sessions from `by_id`; return the polls whose entry cannot be used."""
        unusable: list[WaitingPoll] = []
        entry_count = undated = dated = 0
        time_slice = TimeSlice()
        async with aclosing(hook.stream_plan(plan)) as items:
            async for item in items:
                entry_count += 1
                await time_slice.let_others_run()
                session_id: Any = item.get("_id")
                if not is_session_id(session_id) or (waiting := by_id.pop(session_id.lower(), None)) is None:
                    continue
                if item.get("modifiedAt") is None:
                    undated += 1
                    unusable += waiting
                    continue
                dated += 1
                unusable += await self._deliver(hook, item, waiting)
        self._lacks_dates, self._entry_count = undated > dated, entry_count
        return unusable

    async def _deliver(
        self, hook: LearningAsyncHook, item: dict[str, Any], waiting: list[WaitingPoll]
    ) -> list[WaitingPoll]:
        """Pass an entry on. It is parsed only if somebody has not evaluated it yet."""
        state: EntryState = (item["modifiedAt"], item.get("startDate"), item.get("endDate"))
        session = None
        for one in waiting:
            if one.target.is_known and one.target.entry_state == state:
                one.target.read_at = self._began
                await self._pass_on(one, UNCHANGED)
                continue
            try:
                session = session or self._poll.parse({**item, "_id": item["_id"].lower()})
                session = await hook.complete_program_session(session, frozenset())
            except LearningError:
                return [one for one in waiting if not one.is_over]  # read singly, it gives the error of a single read
            one.target.forget(self._began)
            one.target.entry_state = state
            await self._pass_on(one, session)
        return []

    async def _deliver_unchanged(self, polls: list[WaitingPoll], floor: float) -> list[WaitingPoll]:
        """Pass on that nothing has changed since the last list; return the polls whose state is older than that."""
        for one in polls:
            if _is_known_since(one, floor):
                one.target.read_at = self._began
                await self._pass_on(one, UNCHANGED)
        return [one for one in polls if not one.is_over]

    async def _pass_on(self, one: WaitingPoll, outcome: Any) -> None:
        one.deliver(outcome)
        self._delivered += 1
        if self._delivered % DELIVERED_AT_ONCE == 0:
            await asyncio.sleep(0)


def _is_known_since(one: WaitingPoll, floor: float) -> bool:
    """Whether the state of a poll is known, and lists since a time show each later change of it."""
    # A sensor with a longer interval takes part in some lists only: what the others showed, it has not seen.
    return one.target.is_known and one.target.read_at >= floor
