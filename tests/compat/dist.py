"""
Build wheel and sdist into `dist/`, check both, and run the README's first DAG from each, in a bare environment.

`python tests/compat/dist.py`
"""

from __future__ import annotations

import re
import shutil
import sys
import tempfile
import time
from pathlib import Path
from zipfile import ZipFile

from steps import REPOSITORY, UV, Failed, airflow_variables, step

DIST = REPOSITORY / "dist"
SOURCE = REPOSITORY / "src"
CONSTRAINTS = REPOSITORY / "constraints" / "airflow-3.3.2.txt"
FIRST_DAG = Path(__file__).resolve().parent / "first_dag.py"
KINDS = {"wheel": "*.whl", "sdist": "*.tar.gz"}


def build() -> dict[str, Path]:
    """Return the built files: the sdist from the sources, the wheel from the sdist."""
    shutil.rmtree(DIST, ignore_errors=True)
    step("wheel and sdist: built into dist/", [UV, "build", "--quiet", "--out-dir", DIST], cwd=REPOSITORY)
    (DIST / ".gitignore").unlink(missing_ok=True)  # uv puts it there; an upload would take it along
    found = {}
    for kind, pattern in KINDS.items():
        (found[kind],) = DIST.glob(pattern)
    return found


def check_contents(wheel: Path) -> None:
    """Check that the wheel has each file of the package, such as data, scripts and schemas, and all licences."""
    names = set(ZipFile(wheel).namelist())
    expected = {str(path.relative_to(SOURCE)) for path in SOURCE.rglob("*") if path.suffix != ".pyc" and path.is_file()}
    licences = [REPOSITORY / "LICENSE", *SOURCE.rglob("*.LICENSE")]
    kept = {Path(name).name for name in names if ".dist-info/licenses/" in name}
    missing = sorted(expected - names) + [one.name for one in licences if one.name not in kept]
    print(f"{'wheel: contents':<44} {'FAILED' if missing else 'ok':<7}{len(expected)} files, {len(licences)} licences")
    if missing:
        raise Failed(f"the wheel lacks {', '.join(missing)}")


def readme_dag() -> str:
    """Return the first DAG of the README."""
    block = re.search(
        r"^```python\n(.*?)^```$", (REPOSITORY / "README.md").read_text("utf-8"), re.MULTILINE | re.DOTALL
    )
    assert block, "the README has no DAG"
    return block[1]


def run_first_dag(kind: str, file: Path) -> None:
    """Install a file where nothing else is, and run the README's DAG there, away from the repository."""
    with tempfile.TemporaryDirectory(prefix="learning360-dist-") as folder:
        home = Path(folder).resolve()
        python = home / "venv" / "bin" / "python"
        step(f"{kind}: bare environment", [UV, "venv", "--quiet", "--python", sys.executable, home / "venv"])
        pip = [UV, "pip", "install", "--quiet", "--python", python]
        step(f"{kind}: installed", [*pip, "--constraint", CONSTRAINTS, file], cwd=home)
        (home / "dags").mkdir()
        (home / "dags" / "readme_dag.py").write_text(readme_dag(), "utf-8")
        shutil.copy2(FIRST_DAG, home)
        step(f"{kind}: the README's DAG", [python, FIRST_DAG.name], cwd=home, env=airflow_variables(home))


def main() -> int:
    """Return 1 if anything failed."""
    started = time.monotonic()
    try:
        files = build()
        check_contents(files["wheel"])
        twine = [sys.executable, "-m", "twine", "check", "--strict", *files.values()]
        step("wheel and sdist: twine check --strict", twine)
        for kind, file in files.items():
            run_first_dag(kind, file)
    except Failed as error:
        print(f"FAILED: {error}")
        return 1
    print(f"Done in {time.monotonic() - started:.0f} s: {', '.join(file.name for file in files.values())}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
