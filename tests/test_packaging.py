"""What is asked for, what is locked and what is said of both agree."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from app import VERSION
from scripts.locking import EVERYTHING, LOCKS, OLDEST_PYTHON, WITHOUT_HASH

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
EXTRAS: dict[str, list[str]] = PROJECT["optional-dependencies"]
HASH = r"--hash=sha256:[0-9a-f]{64}"
PIN = re.compile(rf"^([a-z0-9-]+==[^\s;]+(?: ; [^\\\n]+?)?)((?: \\\n    {HASH})*)$", re.MULTILINE)


def told(name: str) -> str:
    """A lock without its comments."""
    text = (ROOT / name).read_text("utf-8")
    return re.sub(r"^ *#.*\n", "", text, flags=re.MULTILINE)


def pinned(name: str) -> dict[str, set[str]]:
    """The versions in a lock and in those that it begins with, by package."""
    found: dict[str, set[str]] = {}
    for base in re.findall(r"^-r (.+)$", told(name), re.MULTILINE):
        found |= pinned(base)
    for line, _ in PIN.findall(told(name)):
        requirement = Requirement(line)
        assert requirement.name not in found, "in one file only"
        found[requirement.name] = {each.version for each in requirement.specifier}
    return found


def wanted(extra: str | None) -> list[Requirement]:
    """What the project asks for with an extra, and with those that the extra names."""
    found = [Requirement(line) for line in PROJECT["dependencies"]]
    for line in EXTRAS[extra] if extra else ():
        requirement = Requirement(line)
        if requirement.name == PROJECT["name"]:
            for other in requirement.extras:
                found += wanted(other)
        else:
            found.append(requirement)
    return found


def test_every_extra_has_a_lock() -> None:
    assert {lock.extra for lock in LOCKS.values()} == {None, *EXTRAS}
    assert {path.name for path in ROOT.glob("requirements*.txt")} == set(LOCKS)
    everything = {each.name for each in wanted(EVERYTHING)}
    assert everything == {each.name for extra in EXTRAS for each in wanted(extra)}


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_holds_what_its_extra_asks_for(name: str) -> None:
    lock = LOCKS[name]
    assert lock.extra is None or EXTRAS[lock.extra]
    found = pinned(name)
    if lock.base and not lock.hashes:
        found |= pinned(lock.base)
    for requirement in wanted(lock.extra):
        package = canonicalize_name(requirement.name)
        if package == WITHOUT_HASH and lock.hashes:
            assert package not in found
            continue
        assert package in found, "run scripts/lock"
        for version in found[package]:
            assert version in requirement.specifier, "run scripts/lock"


@pytest.mark.parametrize("name", LOCKS)
def test_every_line_of_a_lock_is_an_exact_version_with_its_hashes(name: str) -> None:
    rest = re.sub(r"^-r (.+)\n", "", told(name), flags=re.MULTILINE)
    assert PIN.sub("", rest).strip() == "", "neither an option, nor an address, nor a range"
    for line, hashes in PIN.findall(rest):
        assert bool(hashes) == LOCKS[name].hashes, line
    text = (ROOT / name).read_text("utf-8")
    assert "://" not in text
    assert not re.search(r"\s/", text), "no place on somebody's machine"


def test_pytorch_is_what_has_no_hash() -> None:
    checked = pinned("requirements-dev.txt")
    free = pinned("requirements-neural.txt")
    assert free.pop(WITHOUT_HASH)
    assert {name: checked[name] for name in free} == free, "the same, with hashes, where tests run"


def test_the_oldest_python_is_the_same_everywhere() -> None:
    assert SpecifierSet(PROJECT["requires-python"]) == SpecifierSet(f">={OLDEST_PYTHON}")
    assert (ROOT / ".python-version").read_text("utf-8").strip() == OLDEST_PYTHON


def test_the_version_is_that_of_the_newest_release() -> None:
    assert PROJECT["dynamic"] == ["version"], "app/__init__.py has it"
    changes = (ROOT / "CHANGELOG.md").read_text("utf-8")
    headings = re.findall(r"^## (.+)$", changes, re.MULTILINE)
    assert headings[0] == "Unreleased"
    version, date = headings[1].split(", ")
    assert version == VERSION
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", date)
