"""Which code a task runs, so that it is run again when that has changed."""

from __future__ import annotations

import ast
import hashlib
from functools import cache
from pathlib import Path

PROJECT_ROOT = Path(__file__).resolve().parents[2]
PROJECT_PACKAGES = ("app", "model_build")


def code_digest(module: str, root: Path = PROJECT_ROOT) -> str:
    """Digest of a module and all of ours that it imports, at the top or inside functions.

    Of what Python makes of them, so comments and formatting do not count, and of the templates
    beside them. A package above a module counts, but what it imports is followed only if it is
    imported itself.
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
            wanted += [(imported, True) for imported in _parse(file)[1]]
            wanted += [(str(parent), False) for parent in _parents(name)]
    lines = [f"{file.relative_to(root)} {_parse(file)[0]}" for file in sorted(counted)]
    for template in sorted({each for file in counted for each in file.parent.glob("templates/*")}):
        digest = hashlib.sha256(template.read_bytes()).hexdigest()
        lines.append(f"{template.relative_to(root)} {digest}")
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


@cache
def _parse(file: Path) -> tuple[str, tuple[str, ...]]:
    """A digest of a file, and the names of all that it imports."""
    tree = ast.parse(file.read_text("utf-8"))
    names: list[str] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return hashlib.sha256(ast.dump(tree).encode()).hexdigest(), tuple(names)


def _parents(module: str) -> list[str]:
    parts = module.split(".")
    return [".".join(parts[:end]) for end in range(1, len(parts))]
