"""Do what is not up to date, one task after the other, and keep a record of each that is done."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from model_build.pipeline.task import PipelineTask
from model_build.util.code_digest import code_digest
from model_build.util.errors import InputError
from model_build.util.file_digests import MISSING, FileDigests
from model_build.util.storage import is_url

STATE_FOLDER = "state"

TaskState = dict[str, Any]


class TaskRecords:
    """The records of a work folder, one a task; they are written when a task has ended well."""

    def __init__(self, work: Path) -> None:
        self._folder = work / STATE_FOLDER
        self._digests = FileDigests(self._folder / "digests.json")

    def stale_reason(self, task: PipelineTask) -> str | None:
        """Why a task is to be done, in a few words; None if it is up to date."""
        record = self._read_record(task)
        if record is None:
            return "not done yet"
        for key, path in task.outputs().items():
            found = self._digests.digest(str(path))
            if found != record["outputs"].get(key):
                return f"{path} is missing" if found == MISSING else f"{path} was changed since"
        return _first_difference(record["facts"], self.task_state(task))

    def is_kept_stale(self, task: PipelineTask, *, force: bool) -> bool:
        """Whether a run is not to go on with what an earlier one kept, which came to its end.

        That was made by other code, or belongs to outputs that were changed since, or ``force``
        says so. A run that was killed has no record, and goes on.
        """
        record = self._read_record(task)
        if record is None:
            return False
        outputs = {key: self._digests.digest(str(path)) for key, path in task.outputs().items()}
        code = self.task_state(task)["code"]
        return force or record["facts"]["code"] != code or record["outputs"] != outputs

    def record_done(self, task: PipelineTask, state: TaskState, seconds: float) -> None:
        """Remember that a task was done; ``state`` is that before it."""
        from app.recommender.atomic_writes import write_text_atomically  # not for reading: numba

        outputs = {key: self._digests.digest(str(path)) for key, path in task.outputs().items()}
        record = {"facts": state, "outputs": outputs, "seconds": seconds}
        write_text_atomically(self._record_path(task), json.dumps(record, indent=1) + "\n")
        self._digests.save()

    def discard(self, task: PipelineTask) -> None:
        """What a task wrote is about to change."""
        self._record_path(task).unlink(missing_ok=True)

    def task_state(self, task: PipelineTask) -> TaskState:
        """All that the result of a task depends on."""
        state: TaskState = {
            "command": task.command_words(),
            "options": task.options(),
            "inputs": {
                key: [self._digests.digest(place) for place in places]
                for key, places in task.inputs().items()
            },
            "code": "" if task.is_external else code_digest(task.job.module),
            "else": None if task.extra_state is None else task.extra_state(),
        }
        as_read: TaskState = json.loads(json.dumps(state))
        return as_read

    def _read_record(self, task: PipelineTask) -> TaskState | None:
        try:
            found: TaskState = json.loads(self._record_path(task).read_text("utf-8"))
            return found if {"facts", "outputs"} <= set(found) else None
        except (OSError, ValueError):
            return None

    def _record_path(self, task: PipelineTask) -> Path:
        return self._folder / f"{task.name}.json"


def _first_difference(before: Mapping[str, Any], now: Mapping[str, Any]) -> str | None:
    """The first thing that differs, as one would say it."""
    if before == now:
        return None
    for key in sorted({*before["options"], *now["options"]}):
        old, new = (facts["options"].get(key, "the default") for facts in (before, now))
        if old != new:
            return f"{key} is {new}, was {old}"
    for key in sorted({*before["inputs"], *now["inputs"]}):
        if before["inputs"].get(key) != now["inputs"].get(key):
            return f"its {key} changed"
    if before["code"] != now["code"]:
        return "its code changed"
    return "what it is made from changed"


FORCED = "as --force says"


def preview_tasks(
    tasks: Sequence[PipelineTask], work: Path, log: Callable[[str], None], *, force: bool
) -> None:
    """Say what would be done and why, and change nothing."""
    records, changing = TaskRecords(work), dict[Path, str]()
    for task in tasks:
        why = FORCED if force else _upstream_reason(task, changing) or records.stale_reason(task)
        if why is None:
            log(f"{task.name}: up to date")
            continue
        changing |= dict.fromkeys(task.outputs().values(), task.name)
        log(f"{task.name}: would run ({why})\n    {task.command_line()}")


def run_tasks(
    tasks: Sequence[PipelineTask],
    work: Path,
    log: Callable[[str], None],
    *,
    on_start: Callable[[], None],
    on_done: Callable[[PipelineTask, float | None], None],
    force: bool,
) -> None:
    """Do those of the tasks that are not up to date.

    ``on_start`` is called before each, ``on_done`` after it, with its seconds if it was done.

    Raises
    ------
    InputError
        The folder is in use or holds something else, or a task cannot be done; what was done before
        it is kept.
    """
    with lock_work_folder(work):
        records = TaskRecords(work)
        for task in tasks:
            why = FORCED if force else records.stale_reason(task)
            if why is None:
                log(f"{task.name}: up to date")
                on_done(task, None)
                continue
            log(f"{task.name}: runs ({why})")
            start = time.perf_counter()
            _check_inputs_exist(task)
            on_start()
            if task.kept and records.is_kept_stale(task, force=force):
                for path in task.kept:
                    _remove(path)
            state = records.task_state(task)
            records.discard(task)
            _execute(task, log, clear=task.clear_output or (force and task.is_external))
            seconds = time.perf_counter() - start
            records.record_done(task, state, seconds)
            on_done(task, seconds)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _check_inputs_exist(task: PipelineTask) -> None:
    for key, places in task.inputs().items():
        for place in places:
            if not is_url(place) and not Path(place).exists():
                raise InputError(f"{task.name}: {place} is not there, which it reads as its {key}.")


def _execute(task: PipelineTask, log: Callable[[str], None], *, clear: bool) -> None:
    # Not for what is up to date: they load numba.
    from app.recommender.artifact import ArtifactError
    from app.recommender.atomic_writes import write_text_atomically

    for path in task.outputs().values():
        if clear:
            shutil.rmtree(path, ignore_errors=True)
        path.parent.mkdir(parents=True, exist_ok=True)
    try:
        if task.precondition is not None:
            task.precondition()
        result = task.run()
        if task.stdout_path is None:
            log(result)
        else:
            write_text_atomically(task.stdout_path, f"{result}\n")
    except (InputError, ArtifactError, OSError) as error:
        raise InputError(f"{task.name}: {error}") from error


def _upstream_reason(task: PipelineTask, changing: dict[Path, str]) -> str | None:
    for place in (Path(place) for places in task.inputs().values() for place in places):
        for path in (place, *place.parents):
            if path in changing:
                return f"{changing[path]} runs before it"
    return None


@contextmanager
def lock_work_folder(work: Path) -> Iterator[None]:
    """The work folder, for one pipeline at a time."""
    state = work / STATE_FOLDER
    if work.exists() and not state.is_dir() and (not work.is_dir() or any(work.iterdir())):
        raise InputError(
            f"{work}: holds something else; set work to a new folder, or to one of a pipeline."
        )
    state.mkdir(parents=True, exist_ok=True)
    try:
        lock = FileLock(state / "lock", timeout=0).acquire()
    except Timeout:
        raise InputError(f"{work}: another pipeline is at work there; wait for its end.") from None
    with lock:
        yield
