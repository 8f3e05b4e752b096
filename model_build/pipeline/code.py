"""Which code a command runs, so that it is run again when that has changed."""

from __future__ import annotations

import ast
import hashlib
from functools import cache
from importlib.util import find_spec
from pathlib import Path

OURS = ("app", "model_build")


@cache
def code_digest(module: str) -> str:
    """A digest of a module and all of ours that it imports, at the top or inside functions.

    Of what Python makes of them: comments and formatting do not count.
    """
    found: dict[str, str] = {}
    wanted = [module]
    while wanted:
        name = wanted.pop()
        if name not in found and (file := _file(name)) is not None:
            found[name], imported = _read(file)
            wanted += [*imported, *_parents(name)]
    text = "\n".join(f"{name} {found[name]}" for name in sorted(found))
    return hashlib.sha256(text.encode()).hexdigest()


@cache
def _file(module: str) -> Path | None:
    """Where a module of ours is; None for others, and for what is no module."""
    if module.partition(".")[0] not in OURS:
        return None
    try:
        spec = find_spec(module)
    except ModuleNotFoundError:  # a function of a module, say
        return None
    return Path(spec.origin) if spec is not None and spec.origin else None


@cache
def _read(file: Path) -> tuple[str, tuple[str, ...]]:
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
