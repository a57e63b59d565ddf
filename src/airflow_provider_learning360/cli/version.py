"""`version`: which version of the provider is installed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_learning360 import __version__

if TYPE_CHECKING:
    from argparse import Namespace

TEXT = f"airflow-provider-learning360 {__version__}"


def version(_: Namespace) -> None:
    """Print the version."""
    print(TEXT)
