"""Which code a command runs, so that it is run again when that has changed."""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

PROJECT_ROOT = Path(__file__).resolve().parents[2]
PROJECT_PACKAGES = ("app", "model_build")


def code_digest(module: str, root: Path = PROJECT_ROOT) -> str:
    """A digest of a module and all of ours that it imports, at the top or inside functions.

    Of what Python makes of them: comments and formatting do not count. What only stands in a
    function of a package above is not followed, as nobody calls that.
    """
    seen: dict[Path, bool] = {}  # and whether with what its functions import
    wanted = [(module, True)]
    while wanted:
        name, whole = wanted.pop()
        file = _module_file(name, root)
        if file is None or seen.get(file, False) or (file in seen and not whole):
            continue
        seen[file] = whole
        _, at_top, everywhere = _digest_and_imports(file)
        wanted += [(each, True) for each in (everywhere if whole else at_top)]
        wanted += [(parent, False) for parent in _parent_packages(name)]
    text = "\n".join(
        f"{file.relative_to(root)} {_digest_and_imports(file)[0]}" for file in sorted(seen)
    )
    return hashlib.sha256(text.encode()).hexdigest()


def _module_file(module: str, root: Path) -> Path | None:
    """Where a module of ours is; None for others, and for what is no module."""
    if module.partition(".")[0] not in PROJECT_PACKAGES:
        return None
    path = root.joinpath(*module.split("."))
    places = (path.with_suffix(".py"), path / "__init__.py")
    return next((place for place in places if place.is_file()), None)


@cache
def _digest_and_imports(file: Path) -> tuple[str, tuple[str, ...], tuple[str, ...]]:
    """A digest of a file, and what it imports: at its top, and anywhere."""
    tree = ast.parse(file.read_text("utf-8"))
    at_top = [name for node in tree.body for name in _imported_modules(node)]
    everywhere = [name for node in ast.walk(tree) for name in _imported_modules(node)]
    digest = hashlib.sha256(ast.dump(tree).encode()).hexdigest()
    return digest, tuple(at_top), tuple(everywhere)


def _imported_modules(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
        yield node.module
        yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _parent_packages(module: str) -> list[str]:
    parts = module.split(".")
    return [".".join(parts[:end]) for end in range(1, len(parts))]
