"""Which changes of code count for a command."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from model_build.pipeline.task import JOBS
from model_build.util.code_digest import PROJECT_ROOT, code_digest

FILES = {
    "app/__init__.py": "def create():\n    from app.web import build\n    return build\n",
    "app/web.py": "build = 1\n",
    "app/core/__init__.py": "def load():\n    import app.core.late\n",
    "app/core/late.py": "late = 1\n",
    "app/core/rank.py": "rank = 1\n",
    "model_build/__init__.py": "",
    "model_build/train.py": "from app.core import rank\nimport numpy\nfile = 'numbers.json'\n",
    "model_build/lazy.py": "lazy = 1\n",
    "model_build/command.py": "from model_build.train import fit\n"
    "def run():\n    from model_build import lazy\n    return lazy\n",
    "model_build/other.py": "other = 1\n",
    "app/core/templates/page.html": "<p>\n",
    "model_build/numbers.json": "1\n",
    "model_build/found.json": "1\n",
    "model_build/pages/templates/page.html": "<p>\n",
}


def digest(folder: Path, **changed: str) -> str:
    for name, text in (FILES | changed).items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return code_digest("model_build.command", folder)


@pytest.mark.parametrize(
    ("name", "counts"),
    [
        ("model_build/command.py", True),
        ("model_build/train.py", True),
        ("model_build/lazy.py", True),
        ("app/core/rank.py", True),
        ("app/core/late.py", True),  # of a package that is imported itself
        ("app/__init__.py", True),
        ("app/web.py", False),  # of a function of a package above
        ("model_build/other.py", False),
        ("app/core/templates/page.html", True),
        ("model_build/numbers.json", True),
        ("model_build/found.json", False),  # no module names it
        ("model_build/pages/templates/page.html", False),
    ],
)
def test_what_a_command_runs_counts(tmp_path: Path, name: str, counts: bool) -> None:
    before = digest(tmp_path / "before")
    after = digest(tmp_path / "after", **{name: FILES[name] + "new = 2\n"})
    assert (before != after) == counts


def test_comments_and_formatting_do_not_count(tmp_path: Path) -> None:
    text = (
        '# new\nfrom app.core import (\n    rank,\n)\nimport numpy  # too\nfile = "numbers.json"\n'
    )
    assert digest(tmp_path / "a") == digest(tmp_path / "b", **{"model_build/train.py": text})


def test_the_numbers_that_this_project_ships_count(tmp_path: Path) -> None:
    shutil.copytree(PROJECT_ROOT / "model_build", tmp_path / "model_build")
    read_by = {
        "train/parameters.json": "model_build.train.job",
        "data/age_rating_weights.json": "model_build.collect.catalogue",
        "reporting/tastes.toml": "model_build.reporting.job",
    }
    before = {module: code_digest(module, tmp_path) for module in read_by.values()}
    tune = code_digest("model_build.tuning.tune_job", tmp_path)
    for name, module in read_by.items():
        with (tmp_path / "model_build" / name).open("a") as file:
            file.write("\n")
        assert code_digest(module, tmp_path) != before[module], name
    after = code_digest("model_build.tuning.tune_job", tmp_path)
    assert after != tune, "it trains with the parameters"
    (tmp_path / "model_build/tuning/knn_search.json").write_text("{}")
    assert code_digest("model_build.tuning.tune_job", tmp_path) == after


def test_commands_share_no_more_than_they_import() -> None:
    modules = {job.module for job in JOBS.values()}
    assert len({code_digest(module) for module in modules}) == len(modules) > 5
