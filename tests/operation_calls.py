"""Calls of every documented operation, with arguments made from its schemas."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

from airflow_provider_learning360.api.catalogue.calls import OperationCall
from airflow_provider_learning360.api.catalogue.multipart import UploadedFile, find_file_fields, takes_files
from airflow_provider_learning360.simulator.documented import load_documented
from airflow_provider_learning360.simulator.schema_samples import Sampler

if TYPE_CHECKING:
    from airflow_provider_learning360.api.catalogue.operation import Operation
    from airflow_provider_learning360.simulator import Simulator

DAY = date(2026, 6, 1)
USER = "user_email_or_id"
_SELF_ENROLLED = 8  # place of a learner who enrolled without being invited
# Operations with a route of their own look further than their schema.
_BODIES: dict[str, Any] = {
    "edit-path-session": {"name": "Moved to Monday"},
    "edit-program-session-v1": {"name": "Moved to Monday"},
    "replace-path-session-audience": {"mode": "manual", "filters": []},
    "replace-path-session-custom-field-values": {"customValues": []},
}


def make_sampler(operation: Operation) -> Sampler:
    """Return what makes samples of an operation's schemas."""
    documented = next(one for one in load_documented(operation.version) if one.name == operation.name)
    return Sampler(documented, DAY)


def make_parameters(operation: Operation, simulator: Simulator) -> dict[str, Any]:
    """Return the parameters that an operation needs; IDs of sessions, paths and users are those of the simulator."""
    session = simulator.session(simulator.session_ids[0])
    known = dict.fromkeys(("sessionId", "session_id"), session["_id"])
    known |= dict.fromkeys(("pathId", "path_id", "template_id"), session["programTemplate"])
    learners = session["users"]
    known |= {"userId": learners[_SELF_ENROLLED % len(learners)]["_id"], USER: learners[0]["mail"]}
    sampler = make_sampler(operation)
    return {
        one.name: known.get(one.name) or sampler.make(one.schema, one.name, one.name)
        for one in operation.parameters
        if one.required
    }


def make_body(operation: Operation) -> Any:
    """Return a valid body of an operation; None if it takes none."""
    if operation.body is None:
        return None
    body = _BODIES.get(operation.name) or make_sampler(operation).make(operation.body["schema"], operation.name)
    if takes_files(operation):
        body = {name: one for name, one in body.items() if not isinstance(one, list | dict)}
        body |= {name: UploadedFile("file.png", b"\x89PNG") for name in find_file_fields(operation)}
    return body


def build_call(operation: Operation, simulator: Simulator, **options: Any) -> OperationCall:
    """Return a call of an operation that succeeds."""
    return OperationCall.build(operation, make_parameters(operation, simulator), make_body(operation), **options)
