"""Which code a task runs, so that it is run again when that has changed."""

from __future__ import annotations

import ast
import hashlib
from functools import cache
from pathlib import Path
from typing import NamedTuple

PROJECT_ROOT = Path(__file__).resolve().parents[2]
PROJECT_PACKAGES = ("app", "model_build")
DATA_SUFFIXES = (".json", ".toml")


def code_digest(module: str, root: Path = PROJECT_ROOT) -> str:
    """Digest of a module and all of ours that it imports, at the top or inside functions.

    Of what Python makes of them, so comments and formatting do not count, and of what stands beside
    them: templates, and data files that they name. What none of them names, as
    `tuning/knn_search.json`, is an example or an input like any other, which counts where it is
    given. A package above a module counts, but what it imports is followed only if it is imported
    itself.
    """
    counted: dict[Path, bool] = {}  # and whether followed
    wanted = [(module, True)]
    while wanted:
        name, followed = wanted.pop()
        file = _module_file(name, root)
        if file is None or counted.get(file, False) or (file in counted and not followed):
            continue
        counted[file] = followed
        if followed:
            wanted += [(imported, True) for imported in _parse(file).imports]
            wanted += [(str(parent), False) for parent in _parents(name)]
    lines = [f"{file.relative_to(root)} {_parse(file).digest}" for file in sorted(counted)]
    beside = {each for file in counted for each in file.parent.glob("templates/*")}
    beside |= {file.with_name(name) for file in counted for name in _parse(file).data_files}
    lines += [
        f"{data.relative_to(root)} {hashlib.sha256(data.read_bytes()).hexdigest()}"
        for data in sorted(beside)
    ]
    text = "\n".join(lines)
    return hashlib.sha256(text.encode()).hexdigest()


@cache
def _module_file(module: str, root: Path) -> Path | None:
    """Where a module of ours is; None for others, and for what is no module."""
    if module.partition(".")[0] not in PROJECT_PACKAGES:
        return None
    path = root.joinpath(*module.split("."))
    places = (path.with_suffix(".py"), path / "__init__.py")
    return next((place for place in places if place.is_file()), None)


class _Parsed(NamedTuple):
    """A digest of a file of code, all that it imports, and files beside it that it names."""

    digest: str
    imports: tuple[str, ...]
    data_files: tuple[str, ...]


@cache
def _parse(file: Path) -> _Parsed:
    tree = ast.parse(file.read_text("utf-8"))
    names: list[str] = []
    beside = {path.name for path in file.parent.iterdir() if path.suffix in DATA_SUFFIXES}
    data_files = set[str]()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        elif isinstance(node, ast.Constant) and node.value in beside:
            data_files.add(str(node.value))
    digest = hashlib.sha256(ast.dump(tree).encode()).hexdigest()
    return _Parsed(digest, tuple(names), tuple(data_files))


def _parents(module: str) -> list[str]:
    parts = module.split(".")
    return [".".join(parts[:end]) for end in range(1, len(parts))]
