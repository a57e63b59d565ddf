"""What DAG authors import in their own tests: documents to feed, and the simulator to talk to.

With the package installed, pytest knows the fixture ``learning360_simulator`` by itself (see ``plugin``).
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow_provider_learning360.simulator import SeenRequest, Simulator
    from airflow_provider_learning360.testing.factories import learners, session_document, session_statistics

__all__ = ["SeenRequest", "Simulator", "learners", "session_document", "session_statistics"]

_HOMES = {
    "SeenRequest": "airflow_provider_learning360.simulator",
    "Simulator": "airflow_provider_learning360.simulator",
}


def __getattr__(name: str) -> Any:
    """Loads a public name when it is first asked for."""
    # pytest imports the plugin below, and this with it, in every project that has the package installed.
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES.get(name, f"{__name__}.factories")), name)
