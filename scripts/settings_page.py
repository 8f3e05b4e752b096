"""docs/settings.md, made of `app/settings.py`: what is said there under a field is said once."""

from __future__ import annotations

import ast
import inspect
from pathlib import Path

from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings

from app.settings import BUNDLED_MODEL, ROOT, ServerSettings, Settings

PAGE = ROOT / "docs" / "settings.md"

_TOP = """\
# Settings

Every setting is an environment variable. A value that cannot be used stops the start with one line
that names the variable. This page is written by `scripts/write_settings` from `app/settings.py`.
"""


def main() -> None:
    PAGE.write_text(page(), "utf-8")


def page() -> str:
    """The whole page."""
    server = _table(ServerSettings, "")
    app = _table(Settings, "HAKKEN_")
    return f"{_TOP}\n## The server\n\n{server}\n## The application\n\n{app}"


def _table(kind: type[BaseSettings], prefix: str) -> str:
    told = _told(kind)
    rows = "".join(
        f"| `{variable(name, field, prefix)}` | {default(field)} | {told[name]} |\n"
        for name, field in kind.model_fields.items()
    )
    return f"| variable | default | what it is |\n|---|---|---|\n{rows}"


def _told(kind: type[BaseSettings]) -> dict[str, str]:
    """The sentence that stands under each field."""
    body = ast.parse(inspect.getsource(kind)).body[0]
    assert isinstance(body, ast.ClassDef)
    found = {}
    for field, text in zip(body.body, body.body[1:], strict=False):
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
            assert isinstance(text, ast.Expr), f"nothing is said about {field.target.id}"
            assert isinstance(text.value, ast.Constant)
            found[field.target.id] = " ".join(str(text.value.value).split())
    return found


def variable(name: str, field: FieldInfo, prefix: str) -> str:
    """The environment variable of a field."""
    alias = field.validation_alias
    return alias if isinstance(alias, str) else prefix + name.upper()


def default(field: FieldInfo) -> str:
    """A default as it would be written in the environment."""
    value = field.default
    if value in (None, "", ()):
        return ""
    if value == str(BUNDLED_MODEL):
        return "the bundled model"
    if isinstance(value, Path):
        return f"`{value.relative_to(ROOT) if value.is_relative_to(ROOT) else value}`"
    if isinstance(value, bool):
        value = int(value)
    if isinstance(value, float):
        value = f"{value:g}"
    return f"`{str(value).rstrip('/')}`"


if __name__ == "__main__":
    main()
