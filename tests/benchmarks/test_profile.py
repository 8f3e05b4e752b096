"""The profile runs on a small model, and its parts add up to what was measured."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from benchmarks.profile import KINDS, SERVER, main


def test_it_shows_a_start_and_each_kind_of_answer(
    tiny_model: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (("OPENBLAS_NUM_THREADS", "1"), ("HAKKEN_MODEL", str(tiny_model))):
        monkeypatch.setenv(name, value)  # and taken back afterwards
    main(["--model", str(tiny_model), "--repeats", "2", "--rows", "6"])
    server, *tables = capsys.readouterr().out.strip().split("\n\n")
    assert re.fullmatch(
        SERVER + r": ready [0-9.]+ s after the command, a POST answered after [0-9.]+ s; "
        r"a worker is resident with [0-9]+ MB",
        server,
    )
    assert [table.partition(":")[0] for table in tables] == list(KINDS.values())
    for table in tables:
        head, _, *rows = table.splitlines()
        total = float(head.split()[-2].replace(",", ""))
        parts = sum(float(row[42:50]) for row in rows)
        assert parts == pytest.approx(total, abs=0.2)
        assert rows[-1].split()[:2] == ["the", "rest"]
