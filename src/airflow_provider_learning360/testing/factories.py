"""Documents as 360Learning sends them, for tests. The same calls in order give the same documents."""

from __future__ import annotations

import json
from datetime import UTC, datetime, time, timedelta
from itertools import count
from random import Random
from typing import TYPE_CHECKING, Any

from airflow_provider_learning360.simulator.catalogue import (
    FIXED_DAY,
    Catalogue,
    Document,
    Progress,
    learner_statistics,
    overview,
    people,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

_SEED = "factories"
_MIDNIGHT = datetime.combine(FIXED_DAY, time(), UTC)
_numbers = count(1)


def session_document(**fields: Any) -> Document:
    """A program session with every documented field, three learners, and an ID that no other has.

    :param fields: values to set under the vendor's keys; ``...`` removes a key.
    :returns: a document of its own: change it as you like.
    """
    document: Document = json.loads(json.dumps(Catalogue(learners=3).document(0)))
    document["_id"] = f"{int(_MIDNIGHT.timestamp()):08x}{next(_numbers):016x}"
    return _overridden(document, fields)


def learners(n: int = 3, *, names: bool = False) -> list[Document]:
    """Learners as a session lists them: ``_id`` and ``mail``. A longer list begins with a shorter one.

    :param n: how many.
    :param names: whether ``firstName`` and ``lastName`` are there too, as in the answer of the users route.
    """
    shown = people(n, _SEED)
    return shown if names else [{"_id": person["_id"], "mail": person["mail"]} for person in shown]


def session_statistics(
    users: Sequence[Document] | None = None, *, finished: int = 1, started: int = 1, **fields: Any
) -> Document:
    """The statistics of a session: the first learners have finished, the next started, the rest not.

    :param users: who is enrolled, as ``learners`` returns them; default three of them.
    :param finished: how many have finished.
    :param started: how many more have started.
    :param fields: values to set under the vendor's keys; ``...`` removes a key.
    """
    random = Random(_SEED)
    items = []
    for place, user in enumerate(learners(names=True) if users is None else users):
        progress: Progress = "finished" if place < finished else "started" if place < finished + started else "idle"
        items.append(learner_statistics(user, progress, _MIDNIGHT - timedelta(days=7), random))
    return _overridden(overview("Onboarding: your first week", items), fields)


def _overridden(document: Document, fields: dict[str, Any]) -> Document:
    return {key: value for key, value in (document | fields).items() if value is not ...}
