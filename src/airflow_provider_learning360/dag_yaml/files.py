"""Files that stand beside DAGs."""

from __future__ import annotations

import os
import sys

from airflow.providers.common.compat.sdk import conf

from airflow_provider_learning360.api.errors import FixArgumentError, redact


def found_beside_dags(path: str, argument: str) -> str:
    """
    Return the absolute path of a file or folder, in whatever process the DAG that names it is parsed.

    :param path: An absolute path; or one relative to the folder of DAGs, to a DAG bundle, or to the working folder.
    :param argument: Name of the argument, for the message.
    :raises FixArgumentError: There is none.
    """
    dags = conf.get("core", "dags_folder")
    # Wherever Airflow parses a DAG of a bundle, the folder of the bundle is on Python's own path.
    places = [os.path.join(folder, path) for folder in (dags, *sys.path, os.curdir)]
    found = next((one for one in places if path.strip() and os.path.exists(one)), None)
    if found is not None:
        return os.path.abspath(found)
    raise FixArgumentError(
        f"{argument}: there is no file {redact(repr(path))}. Give a path that is absolute, or relative to the folder "
        f"of DAGs ({dags}), to that of a DAG bundle, or to the working folder."
    )
