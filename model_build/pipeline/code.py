"""Which code a command runs, so that it is run again when that has changed."""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
OURS = ("app", "model_build")


def code_digest(module: str, root: Path = ROOT) -> str:
    """A digest of a module and all of ours that it imports, at the top or inside functions.

    Of what Python makes of them: comments and formatting do not count. What only stands in a
    function of a package above is not followed, as nobody calls that.
    """
    seen: dict[Path, bool] = {}  # and whether with what its functions import
    wanted = [(module, True)]
    while wanted:
        name, whole = wanted.pop()
        file = _file(name, root)
        if file is None or seen.get(file, False) or (file in seen and not whole):
            continue
        seen[file] = whole
        _, at_top, everywhere = _read(file)
        wanted += [(each, True) for each in (everywhere if whole else at_top)]
        wanted += [(parent, False) for parent in _parents(name)]
    text = "\n".join(f"{file.relative_to(root)} {_read(file)[0]}" for file in sorted(seen))
    return hashlib.sha256(text.encode()).hexdigest()


def _file(module: str, root: Path) -> Path | None:
    """Where a module of ours is; None for others, and for what is no module."""
    if module.partition(".")[0] not in OURS:
        return None
    path = root.joinpath(*module.split("."))
    places = (path.with_suffix(".py"), path / "__init__.py")
    return next((place for place in places if place.is_file()), None)


@cache
def _read(file: Path) -> tuple[str, tuple[str, ...], tuple[str, ...]]:
    """A digest of a file, and what it imports: at its top, and anywhere."""
    tree = ast.parse(file.read_text("utf-8"))
    at_top = [name for node in tree.body for name in _imported(node)]
    everywhere = [name for node in ast.walk(tree) for name in _imported(node)]
    digest = hashlib.sha256(ast.dump(tree).encode()).hexdigest()
    return digest, tuple(at_top), tuple(everywhere)


def _imported(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
        yield node.module
        yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _parents(module: str) -> list[str]:
    parts = module.split(".")
    return [".".join(parts[:end]) for end in range(1, len(parts))]
