"""Write requirements*.txt from pyproject.toml: run by scripts/lock, which brings uv.

All that may be installed is resolved at once, for every Python and system, so that no two files
disagree. Each file is a part of that: what its extra adds to the file that it begins with.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
OLDEST_PYTHON = "3.11"
EVERYTHING = "load"
"""The extra that holds all others."""

WITHOUT_HASH = "torch"
"""Which file of PyTorch is right depends on the machine, and pip checks all hashes or none."""


@dataclass(frozen=True, slots=True)
class Lock:
    """One of the files: what its first lines say, whose extra it is and what that adds to."""

    told: str
    extra: str | None = None
    base: str | None = None
    hashes: bool = True


LOCKS = {
    "requirements.txt": Lock("What serves."),
    "requirements-build.txt": Lock(
        "What trains: everything that serves, and these.", "build", "requirements.txt"
    ),
    "requirements-neural.txt": Lock(
        "What trains the engines from embeddings: PyTorch and what it needs. To be installed\n"
        "after requirements-build.txt; without hashes, as PyTorch's file depends on the machine.",
        "neural",
        "requirements-build.txt",
        hashes=False,
    ),
    "requirements-tracking.txt": Lock(
        "What tracks experiments of the pipeline: everything that trains, and these.",
        "tracking",
        "requirements-build.txt",
    ),
    "requirements-mcp.txt": Lock(
        "What answers assistants (MCP): everything that serves, and this.",
        "mcp",
        "requirements.txt",
    ),
    "requirements-s3.txt": Lock(
        "What reads and publishes models in buckets of S3: everything that serves, and this.",
        "s3",
        "requirements.txt",
    ),
    "requirements-hf.txt": Lock(
        "What reads and publishes models at the Hugging Face Hub: everything that serves, and\n"
        "this.",
        "hf",
        "requirements.txt",
    ),
    "requirements-otel.txt": Lock(
        "What sends traces: everything that serves, and these.", "otel", "requirements.txt"
    ),
    "requirements-dev.txt": Lock(
        "What tests and benchmarks: everything that trains, tracks and answers assistants, and\n"
        "these. PyTorch itself comes after it, from requirements-neural.txt.",
        "dev",
        "requirements-tracking.txt",
    ),
    "requirements-load.txt": Lock(
        "What puts load on a server: everything that tests, and these.",
        "load",
        "requirements-dev.txt",
    ),
}


def main(options: list[str]) -> None:
    """Write all files, or none if one cannot be resolved; ``options`` are uv's."""
    locked = "".join(_pins(path.read_text("utf-8")) for path in ROOT.glob("requirements*.txt"))
    everything = compiled(locked, EVERYTHING, "--generate-hashes", *options)
    texts: dict[str, str] = {}
    for name, lock in LOCKS.items():
        texts[name] = _part(lock, everything, texts)
    for name, text in texts.items():
        (ROOT / name).write_text(text, "utf-8")


def compiled(locked: str, extra: str | None, *options: str) -> str:
    """What pyproject.toml and one extra resolve to, at the versions in ``locked`` where it can."""
    command = [sys.executable, "-m", "uv", "pip", "compile", "pyproject.toml", "--quiet"]
    command += ["--universal", "--python-version", OLDEST_PYTHON, "--no-header"]
    command += ["--extra", extra] if extra else []
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "requirements.txt"
        file.write_text(locked, "utf-8")
        done = subprocess.run(
            [*command, "--output-file", str(file), *options],
            cwd=ROOT,
            stdout=subprocess.DEVNULL,
            check=False,
        )
        if done.returncode:
            sys.exit(done.returncode)
        text = file.read_text("utf-8")
    return text.partition("\n# The following packages were excluded")[0]


def names(text: str) -> set[str]:
    """The packages that a file pins."""
    return set(re.findall(r"^([a-z0-9-]+)==", text, re.MULTILINE))


def _part(lock: Lock, everything: str, written: dict[str, str]) -> str:
    options = ["--generate-hashes"] if lock.hashes else []
    left_out = {WITHOUT_HASH} if lock.hashes else set()
    base = lock.base
    while base:
        left_out |= names(written[base])
        base = LOCKS[base].base
    for name in sorted(left_out):
        options += ["--no-emit-package", name]
    head = [f"# {line}" for line in lock.told.splitlines()]
    head.append("# Written by scripts/lock from pyproject.toml.")
    if lock.base and lock.hashes:
        head.append(f"-r {lock.base}")
    return "\n".join([*head, compiled(everything, lock.extra, *options)])


def _pins(text: str) -> str:
    return re.sub(r"^-r .*\n", "", text, flags=re.MULTILINE)


if __name__ == "__main__":
    main(sys.argv[1:])
