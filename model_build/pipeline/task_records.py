"""What was done before, with which settings and on what, and so what is still up to date."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from model_build.pipeline.task import PipelineTask
from model_build.util.code_digest import code_digest
from model_build.util.file_digests import MISSING, FileDigests

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
