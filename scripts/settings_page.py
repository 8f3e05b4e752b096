"""docs/settings.md, made of `app/settings.py`: what is said there under a field is said once."""

from __future__ import annotations

import ast
import inspect
from pathlib import Path

from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings

from app.settings import BUNDLED_MODEL_DIR, PROJECT_ROOT, AppSettings, ServerSettings

SETTINGS_PAGE = PROJECT_ROOT / "docs" / "settings.md"

_INTRODUCTION = """\
# Settings

Every setting is an environment variable. A value that cannot be used stops the start with one line
that names the variable. This page is written by `scripts/write_settings` from `app/settings.py`.
"""


def main() -> None:
    SETTINGS_PAGE.write_text(render_page(), "utf-8")


def render_page() -> str:
    """The whole page."""
    server = _render_table(ServerSettings, "")
    app = _render_table(AppSettings, "HAKKEN_")
    return f"{_INTRODUCTION}\n## The server\n\n{server}\n## The application\n\n{app}"


def _render_table(kind: type[BaseSettings], prefix: str) -> str:
    told = _field_docs(kind)
    rows = "".join(
        f"| `{variable_name(name, field, prefix)}` | {format_default(field)} | {told[name]} |\n"
        for name, field in kind.model_fields.items()
    )
    return f"| variable | default | what it is |\n|---|---|---|\n{rows}"


def _field_docs(kind: type[BaseSettings]) -> dict[str, str]:
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


def variable_name(name: str, field: FieldInfo, prefix: str) -> str:
    """The environment variable of a field."""
    alias = field.validation_alias
    return alias if isinstance(alias, str) else prefix + name.upper()


def format_default(field: FieldInfo) -> str:
    """A default as it would be written in the environment."""
    value = field.default
    if value in (None, "", ()):
        return ""
    if value == str(BUNDLED_MODEL_DIR):
        return "the bundled model"
    if isinstance(value, Path):
        return (
            f"`{value.relative_to(PROJECT_ROOT) if value.is_relative_to(PROJECT_ROOT) else value}`"
        )
    if isinstance(value, bool):
        value = int(value)
    if isinstance(value, float):
        value = f"{value:g}"
    return f"`{str(value).rstrip('/')}`"


if __name__ == "__main__":
    main()
