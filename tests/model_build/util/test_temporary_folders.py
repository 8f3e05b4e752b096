"""What a command needs while it runs is its own, and gone however it ends."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from model_build.util.temporary_folders import PREFIX, temporary_folder
from tests.model_build.worlds import ROOT

COMMAND = """
import os, sys, threading
from model_build import cli
from model_build.commands import versions
from model_build.util.temporary_folders import temporary_folder
def run(config):
    with temporary_folder() as folder:
        (folder / "list").write_text("of a fan")
        print(folder, flush=True)
        threading.Event().wait()
versions.run = run
os.umask(0)
sys.exit(cli.main(["versions", "--at", "nowhere"]))
"""


def stopped(number: signal.Signals, folder: Path) -> tuple[int, Path, str]:
    """A command that is ended by a signal: its status, its folder, and what it said."""
    with subprocess.Popen(
        [sys.executable, "-c", COMMAND],
        cwd=ROOT,
        env=os.environ | {"TMPDIR": str(folder)},
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout
        made = Path(process.stdout.readline().strip())
        assert made.is_relative_to(folder)
        assert stat.S_IMODE((folder / made.relative_to(folder).parts[0]).stat().st_mode) == 0o700
        process.send_signal(number)
        _, said = process.communicate(timeout=60)
    return process.returncode, made, said


@pytest.mark.parametrize(
    ("number", "word"), [(signal.SIGTERM, "terminated"), (signal.SIGINT, "interrupted")]
)
def test_a_command_that_is_stopped_clears_up(
    number: signal.Signals, word: str, tmp_path: Path
) -> None:
    status, _, said = stopped(number, tmp_path)
    assert (status, said) == (128 + number, f"model_build versions: {word}\n")
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_one_left_is_cleared_by_the_next(tmp_path: Path) -> None:
    _, left, _ = stopped(signal.SIGKILL, tmp_path)
    assert (left / "list").exists()
    others = tmp_path / "of somebody else"
    others.mkdir()
    (tmp_path / f"{PREFIX}link").symlink_to(others)
    with temporary_folder(tmp_path) as first, temporary_folder(tmp_path) as second:
        assert not left.exists()
        assert first.is_dir()
        assert second.is_dir()
    assert {each.name for each in tmp_path.iterdir()} == {others.name, f"{PREFIX}link"}
