"""Files that stand beside DAGs."""

from __future__ import annotations

import os
import sys
from typing import Literal

from airflow.providers.common.compat.sdk import conf

from airflow_provider_learning360.api.errors import FixArgumentError, redact


def found_beside_dags(path: str, argument: str, kind: Literal["file", "folder"]) -> str:
    """
    Return the absolute path of a file or folder, in whatever process the DAG that names it is parsed.

    :param path: An absolute path; or one relative to the folder of DAGs, to a DAG bundle, or to the working folder.
    :param argument: Name of the argument, for the message.
    :param kind: What must be there.
    :raises FixArgumentError: There is none.
    """
    dags = conf.get("core", "dags_folder")
    # Wherever Airflow parses a DAG of a bundle, the folder of the bundle is on Python's own path.
    places = [os.path.join(folder, path) for folder in (dags, *sys.path, os.curdir)]
    exists = os.path.isfile if kind == "file" else os.path.isdir
    found = next((one for one in places if path.strip() and exists(one)), None)
    if found is not None:
        return os.path.abspath(found)
    raise FixArgumentError(
        f"{argument}: there is no {kind} {redact(repr(path))}. Give a path that is absolute, or relative to the folder "
        f"of DAGs ({dags}), to that of a DAG bundle, or to the working folder."
    )
