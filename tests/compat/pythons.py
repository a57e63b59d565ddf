"""The Pythons of this machine."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

from steps import UV

PATIENCE = 60  # seconds


@cache
def find_python(version: str) -> Path | None:
    """Return a Python of this minor version, such as 3.12, or None if this machine has none."""
    if version == f"{sys.version_info.major}.{sys.version_info.minor}":
        return Path(sys.executable)
    # Nothing is downloaded: a test says what it ran on, and that is what was there.
    command = [UV, "python", "find", "--system", "--no-project", "--no-python-downloads", version]
    done = subprocess.run(
        command, env=_variables(), capture_output=True, text=True, check=False, timeout=PATIENCE, cwd="/"
    )
    return Path(done.stdout.strip()) if done.returncode == 0 else None


@cache
def _variables() -> dict[str, str]:
    """Return the variables of this process; pyenv offers all its Pythons only if they are named."""
    if not shutil.which("pyenv"):
        return dict(os.environ)
    done = subprocess.run(
        ["pyenv", "versions", "--bare"], capture_output=True, text=True, check=False, timeout=PATIENCE
    )
    return {**os.environ, "PYENV_VERSION": ":".join(done.stdout.split())}
