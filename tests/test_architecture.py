"""Who may import whom, read from the source itself."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TRAINING_ONLY = (
    "model_build",
    "polars",
    "pandas",
    "scipy",
    "surprise",
    "tqdm",
    "optuna",
    "matplotlib",
    "implicit",
    "pyarrow",
    "kagglehub",
    "dask",
    "distributed",
    "torch",
    "mlflow",
    "alembic",
    "wandb",
)
MODEL_BUILD_MAY_USE = (
    "app.recommender",
    "app.catalogue",
    "app.recommendation_json",
    "app.neighbours_json",
    "app.model_store",
    "app.notice",
)
COLLECTING_MAY_USE = ("app.lists", "app.upstream", "app.source_config", "app.settings")
MOST_LINES = 300


def sources(*folders: str) -> list[Path]:
    found = [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]
    assert found
    return found


def imports(file: Path) -> set[str]:
    """Full names of all that a file imports, at the top or inside a function."""
    module = file.relative_to(ROOT).with_suffix("").parts
    package = module[:-1]
    names: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            parent = package[: len(package) - node.level + 1] if node.level else ()
            base = ".".join([*parent, *([node.module] if node.module else [])])
            # `from app import web` imports app.web; `from app.web import x` at least app.web.
            names |= {base, *(f"{base}.{alias.name}" for alias in node.names)}
    return names - {"app"}


def within(name: str, packages: tuple[str, ...]) -> bool:
    return any(name == package or name.startswith(f"{package}.") for package in packages)


def named(file: Path) -> str:
    return str(file.relative_to(ROOT))


@pytest.mark.parametrize("file", sources("app/recommender"), ids=named)
def test_the_core_knows_no_web_and_no_network(file: Path) -> None:
    foreign = {name for name in imports(file) if within(name, ("app",))}
    assert {name for name in foreign if not within(name, ("app.recommender",))} == set()
    network = ("flask", "werkzeug", "requests", "urllib", "http", "socket", "google")
    assert {name for name in imports(file) if within(name, network)} == set()


@pytest.mark.parametrize("file", sources("app"), ids=named)
def test_what_serves_needs_nothing_that_trains(file: Path) -> None:
    assert {name for name in imports(file) if within(name, TRAINING_ONLY)} == set()


@pytest.mark.parametrize("file", sources("app", "model_build"), ids=named)
def test_nothing_that_is_deployed_needs_the_demo(file: Path) -> None:
    assert {name for name in imports(file) if within(name, ("demo", "tests"))} == set()


@pytest.mark.parametrize("file", sources("app/upstream"), ids=named)
def test_politeness_knows_no_lists(file: Path) -> None:
    of_app = {name for name in imports(file) if within(name, ("app",))}
    assert {name for name in of_app if not within(name, ("app.upstream",))} == set()


@pytest.mark.parametrize("file", sources("model_build"), ids=named)
def test_the_offline_job_uses_only_the_core_and_the_facts(file: Path) -> None:
    of_app = {name for name in imports(file) if within(name, ("app",))}
    collects = "collecting" in file.parts
    allowed = (*MODEL_BUILD_MAY_USE, *(COLLECTING_MAY_USE if collects else ()))
    assert {name for name in of_app if not within(name, allowed)} == set()


def test_the_reader_of_imports_sees_every_form(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.modules[__name__], "ROOT", tmp_path)
    file = tmp_path / "app" / "recommender" / "x.py"
    file.parent.mkdir(parents=True)
    file.write_text(
        "import flask.json\nfrom app import web\nfrom ..lists import http\nfrom . import rank\n"
        "def f():\n    import polars as pl\n"
    )
    assert {"flask.json", "app.web", "app.lists", "app.recommender.rank", "polars"} <= imports(file)


def test_the_core_is_imported_without_the_training_libraries() -> None:
    code = f"""
import sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {TRAINING_ONLY!r}:
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Absent())
import app, app.recommendation_json, app.catalogue, app.recommender
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("file", sources("app", "demo", "model_build"), ids=named)
def test_a_file_can_be_read_in_one_sitting(file: Path) -> None:
    assert len(file.read_text("utf-8").splitlines()) < MOST_LINES
