"""Do what is not up to date, one task after the other."""

from __future__ import annotations

import io
import json
import shutil
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from pathlib import Path

from filelock import FileLock, Timeout

from app.recommender.artifact import ArtifactError
from model_build.errors import InputError
from model_build.pipeline.records import FOLDER, Records
from model_build.pipeline.task import Task
from model_build.storage import is_bucket
from model_build.whole_file import write_text

Told = Callable[[str], None]


def preview(
    tasks: Sequence[Task], steps: Collection[str], work: Path, say: Told, *, force: bool
) -> None:
    """Say what would be done and why, and change nothing."""
    records, changing = Records(work), dict[Path, str]()
    for task in tasks:
        if task.step not in steps:
            continue
        why = "as --force says" if force else _because_of(task, changing) or records.why(task)
        if why is None:
            say(f"{task.name}: up to date")
            continue
        changing |= dict.fromkeys(task.written().values(), task.name)
        say(f"{task.name}: would run ({why})\n    {task.shown()}")


def run_tasks(
    tasks: Sequence[Task],
    steps: Collection[str],
    work: Path,
    say: Told,
    *,
    starts: Callable[[], None],
    done: Callable[[Task, float | None], None],
    force: bool,
) -> None:
    """Do the tasks of these steps that are not up to date.

    ``starts`` is called before each, ``done`` after it, with its seconds, and with None for one
    that was up to date.

    Raises:
        InputError: the folder is in use or holds something else, or a task cannot be done; what
            was done before it is kept.
    """
    with _owned(work):
        records = Records(work)
        for task in tasks:
            if task.step not in steps:
                continue
            why = "as --force says" if force else records.why(task)
            if why is None:
                say(f"{task.name}: up to date")
                done(task, None)
                continue
            say(f"{task.name}: runs ({why})")
            start = time.perf_counter()
            _refuse_missing(task)
            starts()
            facts = records.facts(task)
            records.forget(task)
            _do(task, clear=task.anew or (force and task.elsewhere))
            seconds = time.perf_counter() - start
            records.done(task, facts, seconds)
            done(task, seconds)


def _refuse_missing(task: Task) -> None:
    for key, places in task.read().items():
        for place in places:
            if not is_bucket(place) and not Path(place).exists():
                raise InputError(f"{task.name}: {place} is not there, which it reads as its {key}.")


def _do(task: Task, *, clear: bool) -> None:
    for path in task.written().values():
        if clear:
            shutil.rmtree(path, ignore_errors=True)
        path.parent.mkdir(parents=True, exist_ok=True)
    printed = io.StringIO()
    try:
        if task.check is not None:
            task.check()
        arguments = task.command.parse(task.line())
        if task.printed is None:
            task.command.run(arguments)
            return
        with redirect_stdout(printed):
            task.command.run(arguments)
        json.loads(printed.getvalue())
        write_text(task.printed, printed.getvalue())
    except (InputError, ArtifactError, OSError) as error:
        raise InputError(f"{task.name}: {error}") from error


def _because_of(task: Task, changing: dict[Path, str]) -> str | None:
    for places in task.inputs.values():
        for place in places:
            for path, name in changing.items():
                if Path(place) == path or path in Path(place).parents:
                    return f"{name} runs before it"
    return None


@contextmanager
def _owned(work: Path) -> Iterator[None]:
    """The work folder, for one pipeline at a time."""
    state = work / FOLDER
    if work.exists() and not state.is_dir() and (not work.is_dir() or any(work.iterdir())):
        raise InputError(
            f"{work}: holds something else; set work to a new folder, or to one of a pipeline."
        )
    state.mkdir(parents=True, exist_ok=True)
    lock = FileLock(state / "lock", timeout=0)
    try:
        lock.acquire()
    except Timeout:
        raise InputError(f"{work}: another pipeline is at work there; wait for its end.") from None
    try:
        yield
    finally:
        lock.release()
