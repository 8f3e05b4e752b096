"""Compiled templates are kept, and never stand in for others."""

from __future__ import annotations

import sys
from pathlib import Path

import jinja2
import pytest
from flask import Flask
from flask.templating import Environment

from app.web.templates import TemplateCache


def shown(templates: Path, kept: Path, **options: bool) -> str:
    """What a new process would show, with what earlier ones kept."""
    environment = Environment(Flask("x"), loader=jinja2.FileSystemLoader(templates), **options)
    environment.bytecode_cache = TemplateCache(environment, kept)
    return environment.get_template("page.html").render(word="b")


@pytest.fixture
def templates(tmp_path: Path) -> Path:
    folder = tmp_path / "templates"
    folder.mkdir()
    (folder / "page.html").write_text("{% if word %}\n{{ word }}{% endif %}", "utf-8")
    return folder


@pytest.fixture(autouse=True)
def kept_as_python_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", False)


def test_what_was_compiled_is_not_compiled_again(
    templates: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = shown(templates, tmp_path / "kept")
    (file,) = (tmp_path / "kept").iterdir()
    monkeypatch.delattr(jinja2.Environment, "_parse")
    assert shown(templates, tmp_path / "kept") == first == "\nb"
    assert [file] == list((tmp_path / "kept").iterdir())


def test_another_source_and_other_settings_are_compiled(templates: Path, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    assert shown(templates, kept) == "\nb"
    assert shown(templates, kept, trim_blocks=True) == "b"
    assert shown(templates, kept) == "\nb"
    (templates / "page.html").write_text("{{ word }}!", "utf-8")
    assert shown(templates, kept) == "b!"


@pytest.mark.parametrize("content", [b"", b"j2", b"no code", b"\x00" * 500])
def test_what_is_damaged_is_compiled_again(content: bytes, templates: Path, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    shown(templates, kept)
    (file,) = kept.iterdir()
    for damaged in (content, file.read_bytes()[:-20]):
        file.write_bytes(damaged)
        assert shown(templates, kept) == "\nb"


def test_where_nothing_can_or_may_be_written_nothing_is_kept(
    templates: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "kept").write_text("a file")
    assert shown(templates, tmp_path / "kept") == "\nb"
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    assert shown(templates, tmp_path / "other") == "\nb"
    assert not (tmp_path / "other").exists()
