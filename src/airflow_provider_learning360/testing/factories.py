"""Documents as 360Learning sends them, for tests. The same calls in the same order return the same documents."""

from __future__ import annotations

import json
from datetime import UTC, datetime, time, timedelta
from itertools import count
from random import Random
from typing import TYPE_CHECKING, Any

from airflow_provider_learning360.simulator.sample_data import (
    FIXED_DAY,
    Document,
    Progress,
    SampleData,
    make_learner_statistics,
    make_people,
    make_statistics,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

_SEED = "factories"
_MIDNIGHT = datetime.combine(FIXED_DAY, time(), UTC)
_numbers = count(1)


def session_document(**fields: Any) -> Document:
    """Return a program session with every documented field, three learners, and an ID of its own.

    :param fields: values to set under the vendor's keys; ``...`` removes a key.
    :returns: a new document, which you may change.
    """
    document: Document = json.loads(json.dumps(SampleData(learners=3).document(0)))
    document["_id"] = f"{int(_MIDNIGHT.timestamp()):08x}{next(_numbers):016x}"
    return _override(document, fields)


def learners(n: int = 3, *, names: bool = False) -> list[Document]:
    """Return learners as a session lists them: ``_id`` and ``mail``. A longer list begins with the shorter ones.

    :param n: how many.
    :param names: whether to add ``firstName`` and ``lastName``, as the users route does.
    """
    people = make_people(n, _SEED)
    return people if names else [{"_id": person["_id"], "mail": person["mail"]} for person in people]


def session_statistics(
    users: Sequence[Document] | None = None, *, finished: int = 1, started: int = 1, **fields: Any
) -> Document:
    """Return the statistics of a session: the first learners have finished, the next have started.

    :param users: the learners, as ``learners`` returns them; default three.
    :param finished: how many have finished.
    :param started: how many more have started.
    :param fields: values to set under the vendor's keys; ``...`` removes a key.
    """
    random = Random(_SEED)
    items = []
    for place, user in enumerate(learners(names=True) if users is None else users):
        progress: Progress = "finished" if place < finished else "started" if place < finished + started else "idle"
        items.append(make_learner_statistics(user, progress, _MIDNIGHT - timedelta(days=7), random))
    return _override(make_statistics("Onboarding: your first week", items), fields)


def _override(document: Document, fields: dict[str, Any]) -> Document:
    return {key: value for key, value in (document | fields).items() if value is not ...}
