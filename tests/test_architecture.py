"""Who may import whom, read from the source itself: imports in functions and by name count, too."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MAX_LINES = 500
MAX_ROOMS = 14

ROOMS = {
    "util": {"app.recommender", "app.model_store", "app.private_folders"},
    "data": {"util", "app.recommender", "app.catalogue", "app.age_rating", "app.pictures"},
    "collect": {
        *("util", "data"),
        *("app.recommender", "app.lists", "app.upstream", "app.source_config", "app.settings"),
        "app.pictures",
    },
    "artifact": {
        *("util", "app.recommender", "app.catalogue", "app.model_store", "app.notice"),
        "app.shipped",
    },
    "train": {"util", "data", "artifact", "app.recommender"},
    "engines": {"util", "data", "artifact", "train", "app.recommender"},
    "evaluate": {"util", "data", "train", "engines", "app.recommender", "app.catalogue"},
    "tuning": {"util", "data", "train", "engines", "evaluate", "app.recommender"},
    "reporting": {
        *("util", "data", "collect", "train", "evaluate", "tuning"),
        *("app.recommender", "app.catalogue", "app.facets", "app.age_rating"),
    },
    "tracking": {"util"},
    "interface": {
        *("util", "data", "artifact", "train", "evaluate"),
        *("app.recommender", "app.catalogue", "app.facets", "app.age_rating", "app.schemas"),
    },
    "pipeline": {
        *("util", "data", "collect", "artifact", "train", "engines", "evaluate", "tuning"),
        *("reporting", "tracking", "interface", "app.recommender"),
    },
}
"""What each room of ``model_build`` may import besides itself. `commands` may import them all and
is imported by nobody but `cli`."""
WEB_ROOMS = {
    "views": {
        *("services", "presenters", "requests", "state", "errors", "problems", "request_costs"),
        "addresses",
    },
    "middleware": {"errors", "problems", "request_costs", "addresses"},
    "presenters": {"services", "requests", "problems"},
    "services": {"requests"},
    "requests": set(),
}
"""What each room of ``app.web`` may import of it besides itself; `app.schemas` is open to all."""
KNOWS_FLASK = {"flask", "flask_cors"}
COMMANDS_MAY_USE = {
    *("app.recommender", "app.catalogue", "app.age_rating", "app.facets", "app.model_store"),
    "app.schemas",
}
TRAINING_ONLY = (
    "model_build",
    "polars",
    "pandas",
    "narwhals",
    "scipy",
    "sklearn",
    "surprise",
    "tqdm",
    "optuna",
    "matplotlib",
    "implicit",
    "lightgbm",
    "pyarrow",
    "kagglehub",
    "dask",
    "distributed",
    "torch",
    "mlflow",
    "alembic",
    "wandb",
)
NETWORK = ("flask", "werkzeug", "requests", "urllib", "http", "socket", "google")

NOT_YET: Mapping[str, set[str]] = {"argparse": set(), "rooms": set(), "circles": set()}
"""Modules that break a rule while the house is being built; to be emptied."""


def sources(*folders: str) -> list[Path]:
    found = [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]
    assert found
    return found


def module_name(file: Path) -> str:
    parts = file.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@cache
def modules() -> dict[str, Path]:
    return {module_name(file): file for file in sources("app", "model_build", "benchmarks")}


@cache
def imports(file: Path) -> set[str]:
    """Full names of all that a file imports: at the top, inside a function, or by a string."""
    tree = ast.parse(file.read_text("utf-8"))
    package = file.relative_to(ROOT).parts[:-1]
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            parent = package[: len(package) - node.level + 1] if node.level else ()
            base = ".".join([*parent, *([node.module] if node.module else [])])
            # `from app import web` imports app.web; `from app.web import x` at least app.web.
            names |= {base, *(f"{base}.{alias.name}" for alias in node.names)}
    if any(called(node) in ("import_module", "__import__") for node in ast.walk(tree)):
        names |= set(imported_by_name(tree))
    return names - {"app"}


def called(node: ast.AST) -> str:
    function = node.func if isinstance(node, ast.Call) else None
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


def imported_by_name(tree: ast.AST) -> Iterator[str]:
    """Modules that strings of a file name; one with a gap in it may be any module that fits."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            if node.value.partition(":")[0] in modules():
                yield node.value.partition(":")[0]
        elif isinstance(node, ast.JoinedStr) and isinstance(node.values[0], ast.Constant):
            start = str(node.values[0].value)
            if "." in start:
                yield from (name for name in modules() if name.startswith(start))


def internal_imports(name: str) -> set[str]:
    """The modules of ours that a module imports; a package only where a name of its own is."""
    found = imports(modules()[name])
    packages = {each.rpartition(".")[0] for each in found if each not in modules()}
    ours = (found & modules().keys()) - {name}
    return {each for each in ours if not is_package(each) or each in packages}


def is_package(name: str) -> bool:
    return modules()[name].name == "__init__.py"


def within(name: str, packages: Iterable[str]) -> bool:
    return any(name == package or name.startswith(f"{package}.") for package in packages)


def circles(graph: Mapping[str, set[str]]) -> set[str]:
    """The modules that import themselves by way of others."""
    reach = {name: set(found) for name, found in graph.items()}
    for middle in reach:
        for name in reach:
            if middle in reach[name]:
                reach[name] |= reach[middle]
    return {name for name in reach if name in reach[name]}


def offenders(wrong: Mapping[str, object], rule: str = "") -> dict[str, object]:
    """What breaks a rule, by module; without those that are known to."""
    return {name: why for name, why in wrong.items() if why and name not in NOT_YET.get(rule, ())}


def imported(file: Path, roots: set[str], allowed: Iterable[str] = ()) -> set[str]:
    """What a file imports of some packages, but for what is allowed."""
    return {name for name in imports(file) if within(name, roots) and not within(name, allowed)} - {
        "app.VERSION",
        "model_build",
    }


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_imports_only_what_is_below_it(room: str) -> None:
    allowed = {name if name.startswith("app.") else f"model_build.{name}" for name in ROOMS[room]}
    allowed.add(f"model_build.{room}")
    wrong = {
        module_name(file): imported(file, {"app", "model_build"}, allowed)
        for file in sources(f"model_build/{room}")
    }
    assert offenders(wrong, "rooms") == {}


def test_rooms_are_those_that_are_known() -> None:
    rooms = {file.parent.name for file in (ROOT / "model_build").glob("*/__init__.py")}
    assert rooms == {*ROOMS, "commands"}
    assert len(rooms) <= MAX_ROOMS


def test_commands_are_on_top() -> None:
    for file in sources("model_build/commands"):
        assert imported(file, {"app"}, COMMANDS_MAY_USE) == set(), file
    wrong = {
        name: imported(file, {"model_build.commands"})
        for name, file in modules().items()
        if within(name, {"model_build"})
        and not within(name, {"model_build.commands", "model_build.cli"})
    }
    assert offenders(wrong, "rooms") == {}


@pytest.mark.parametrize("room", WEB_ROOMS)
def test_a_room_of_the_web_imports_only_what_is_below_it(room: str) -> None:
    allowed = {f"app.web.{name}" for name in (room, *WEB_ROOMS[room])}
    wrong = {
        module_name(file): imported(file, {"app.web"}, allowed) - {"app.web"}
        for file in sources(f"app/web/{room}")
    }
    assert offenders(wrong) == {}


def test_questions_are_answered_without_flask() -> None:
    quiet = ("app/web/services", "app/web/presenters", "app/web/requests", "app/schemas")
    wrong = {module_name(file): imported(file, KNOWS_FLASK) for file in sources(*quiet)}
    assert offenders(wrong) == {}
    schemas = {module_name(file): imported(file, {"app.web"}) for file in sources("app/schemas")}
    assert offenders(schemas) == {}


def test_nothing_imports_views_but_the_factory() -> None:
    wrong = {
        name: imported(file, {"app.web.views"})
        for name, file in modules().items()
        if not within(name, {"app.web.views"}) and name != "app.web"
    }
    assert offenders(wrong) == {}


def test_a_view_is_short() -> None:
    for file in sources("app/web/views"):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.FunctionDef) and node.decorator_list:
                lines = (node.end_lineno or 0) - node.lineno + 1
                assert lines < 20, (file, node.name, lines)


def test_no_module_has_the_name_of_a_package() -> None:
    # One that a moved checkout left behind could then never be taken for the other.
    for file in sources("app", "model_build"):
        assert not file.with_suffix("").is_dir(), file


def test_no_module_imports_itself_by_way_of_others() -> None:
    graph = {
        name: internal_imports(name) - NOT_YET["circles"]
        for name in modules()
        if name not in NOT_YET["circles"]
    }
    assert circles(graph) == set()


def test_arguments_stay_in_the_commands() -> None:
    wrong = {
        name: imported(file, {"argparse"})
        for name, file in modules().items()
        if within(name, {"model_build"}) and not within(name, {"model_build.commands"})
    }
    del wrong["model_build.cli"]  # which reads the command line
    assert offenders(wrong, "argparse") == {}
    assert "Namespace" not in modules()["model_build.cli"].read_text("utf-8")


def test_the_core_knows_no_web_and_no_network() -> None:
    for file in sources("app/recommender"):
        assert imported(file, {"app", *NETWORK}, {"app.recommender"}) == set(), file


def test_what_serves_needs_nothing_that_trains() -> None:
    for file in sources("app"):
        assert imported(file, {*TRAINING_ONLY}) == set(), file


def test_nothing_that_is_deployed_needs_the_demo() -> None:
    for file in sources("app", "model_build"):
        assert imported(file, {"demo", "tests", "benchmarks", "scripts"}) == set(), file


def test_politeness_knows_no_lists() -> None:
    for file in sources("app/upstream"):
        assert imported(file, {"app"}, {"app.upstream"}) == set(), file


def test_the_reader_of_imports_sees_every_form(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = modules()
    monkeypatch.setattr(sys.modules[__name__], "ROOT", tmp_path)
    monkeypatch.setattr(sys.modules[__name__], "modules", lambda: known)
    file = tmp_path / "app" / "recommender" / "x.py"
    file.parent.mkdir(parents=True)
    file.write_text(
        "import flask.json\nfrom app import web\nfrom ..lists import http\nfrom . import rank\n"
        "def f(name):\n    import polars as pl\n"
        "    importlib.import_module(f'model_build.commands.{name}')\n"
        "    import_module({'a': 'model_build.engines.als:Engine'}[name])\n"
    )
    found = imports(file)
    assert {"flask.json", "app.web", "app.lists", "app.recommender.rank", "polars"} <= found
    assert {"model_build.commands.train", "model_build.engines.als"} <= found
    assert "model_build.cli" not in found
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": {"a"}}) == {"b", "c"}


def test_the_core_is_imported_without_the_training_libraries() -> None:
    code = f"""
import sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {TRAINING_ONLY!r}:
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Absent())
import app, app.schemas.recommendations, app.catalogue, app.recommender
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_a_file_can_be_read_in_one_sitting() -> None:
    for file in sources("app", "benchmarks", "demo", "hakken_mcp", "model_build", "scripts"):
        assert len(file.read_text("utf-8").splitlines()) < MAX_LINES, file
