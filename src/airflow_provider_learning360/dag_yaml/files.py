"""Files and folders beside the DAGs."""

from __future__ import annotations

import os
import sys
from typing import Literal

from airflow.providers.common.compat.sdk import conf

from airflow_provider_learning360.api.errors import FixArgumentError, redact


def find_beside_dags(path: str, argument: str, kind: Literal["file", "folder"]) -> str:
    """
    Return the absolute path of a file or folder; the same in every process that parses the DAG.

    :param path: An absolute path; or one relative to the DAGs folder, to a DAG bundle, or to the working folder.
    :param argument: Name of the argument, for errors.
    :param kind: `file` or `folder`.
    :raises FixArgumentError: It does not exist.
    """
    dags = conf.get("core", "dags_folder")
    # Airflow adds the folder of a bundle to Python's path before it parses a DAG of the bundle.
    places = [os.path.join(folder, path) for folder in (dags, *sys.path, os.curdir)]
    exists = os.path.isfile if kind == "file" else os.path.isdir
    found = next((one for one in places if path.strip() and exists(one)), None)
    if found is not None:
        return os.path.abspath(found)
    raise FixArgumentError(
        f"{argument}: there is no {kind} {redact(repr(path))}. Give a path that is absolute, or relative to the DAGs "
        f"folder ({dags}), to that of a DAG bundle, or to the working folder."
    )
