"""The files of a reminder policy: the policy, the DAG that plans, and the DAG that delivers."""

from __future__ import annotations

from string import Template
from typing import TYPE_CHECKING, Any

from airflow_provider_learning360.api.session_ids import require_session_id
from airflow_provider_learning360.ui.literal import quote, write_argument
from airflow_provider_learning360.ui.workflow import DIALECTS, SOURCES, require_conn_id

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from airflow_provider_learning360.ui.responses import Need, Snippet

# A folder of its own: a blueprint loader builds nothing of a folder with one mistake in it.
FOLDER = "learning360_reminders"

_NEEDS: tuple[Need, ...] = ("reminders_extra", "smtp", "both_dags")
_APPROVAL = "#   ask:\n#     blueprint: learning360_ask_before_sending\n"
_AFTER_APPROVAL = "#     depends_on: [ask]\n"


def build_reminder_workflow(
    policy: Mapping[str, Any], learning_conn_id: str, session_ids: Sequence[str] = (), *, approval: bool = False
) -> Snippet:
    """
    Return the workflow of a policy. Further files are in comments of the first one.

    :param policy: The policy, checked.
    :param learning_conn_id: ID of the Airflow connection.
    :param session_ids: IDs of the sessions; default all of the platform.
    :param approval: Whether somebody approves each reminder first; default no.
    :raises InvalidIdError: The ID of a session is not valid.
    :raises ConnectionRefusedByPageError: Airflow does not allow the ID of the connection.
    """
    require_conn_id(learning_conn_id)
    sessions = [require_session_id(one) for one in session_ids]
    dialect = next(one for one in DIALECTS if one.name == "blueprint")
    name = f"plan_{policy['name']}"
    source = (SOURCES / "policy.blueprint.txt").read_text(encoding="utf-8")
    return {
        "dialect": dialect.name,
        "label": dialect.label,
        "file": dialect.file.format(folder=FOLDER, name=name),
        "text": Template(source).substitute(
            folder=FOLDER,
            name=name,
            delivery_name=f"deliver_{policy['name']}",
            policy=policy["name"],
            conn_id=quote(learning_conn_id),
            sessions=write_argument("sessions", sessions, dialect.name, "    ") if sessions else "",
            approval=_APPROVAL if approval else "",
            after_approval=_AFTER_APPROVAL if approval else "",
            policy_lines="".join(f"# {line}\n" for line in write_policy(policy).splitlines()),
        ),
        "needs": [*dialect.needs, *_NEEDS],
    }


def write_policy(policy: Mapping[str, Any]) -> str:
    """
    Return a policy as YAML.

    :param policy: The policy.
    """
    return "".join(write_argument(name, value, "blueprint", "") for name, value in policy.items())
