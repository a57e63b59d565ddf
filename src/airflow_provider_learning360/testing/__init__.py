"""What DAG authors import in their own tests: sample documents, and the simulator.

Once the package is installed, pytest has the fixture ``learning360_simulator`` (see ``plugin``).
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow_provider_learning360.simulator import SeenRequest, Simulator
    from airflow_provider_learning360.testing.factories import learners, session_document, session_statistics

__all__ = ["SeenRequest", "Simulator", "learners", "session_document", "session_statistics"]

_MODULES = {
    "SeenRequest": "airflow_provider_learning360.simulator",
    "Simulator": "airflow_provider_learning360.simulator",
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used."""
    # pytest imports the plugin, and this module with it, in every project of an environment: keep it light.
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_MODULES.get(name, f"{__name__}.factories")), name)
