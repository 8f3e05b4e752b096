"""Rounds that keep a published model fresh, each with the anime and the lists that came since.

The fans that are measured on are taken out in the first round and never trained on, so that all
rounds are measured alike. A round is over when its page of changes is written; what was interrupted
goes on, as in every pipeline.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from model_build.artifact.config import AnnotateConfig, PublishConfig
from model_build.collect.config import COLLECT_CONFIGS, KitsuOptions
from model_build.data.config import CATALOGUE_FILE, CatalogueConfig, PrepareConfig, SplitConfig
from model_build.evaluate.config import EvaluateConfig
from model_build.pipeline.config import PipelineConfig
from model_build.pipeline.plan import EVALUATION_FILE, MODEL_FOLDER, fill_config
from model_build.pipeline.runner import lock_work_folder, preview_tasks, run_tasks
from model_build.pipeline.task import PipelineTask
from model_build.train.config import TrainConfig
from model_build.util.errors import InputError
from model_build.util.options import Config

ROUNDS_FOLDER = "rounds"
ROUND_FILE, CHANGES_PAGE = "round.json", "changes.html"
PREPARED_FOLDER, PREPARED_BEFORE = "prepared", "prepared-before.json"
"""The lists that models are trained on, and in a round's folder their index when it began."""
TRAINED_FOLDER = "trained"
NEEDED_SECTIONS = ("catalogue", "collect", "train", "evaluate", "publish")
SETTLED_OPTIONS = ("pretrained", "version", "since", "metrics")
KEPT_FILES = {ROUND_FILE, CHANGES_PAGE}


@dataclass(frozen=True, slots=True)
class Round:
    """One refresh; ``collected_before`` and ``collected`` count users or names asked for.

    ``live`` has version, metrics and counts of the model that was live when it began, if one was.
    """

    number: int
    collected_before: int
    collected: int
    live: Mapping[str, Any] | None = None


def find_contradiction(config: PipelineConfig) -> str | None:
    """Return what is wrong with the sections of a file for refreshes, if something is."""
    sections = config.sections()
    for name in NEEDED_SECTIONS:
        if name not in sections:
            return f"[{name}] is missing; a refresh needs {', '.join(NEEDED_SECTIONS)}"
    for name in sections:
        if name not in ("data", *NEEDED_SECTIONS):
            return f"{name}: belongs to a pipeline; a refresh has no such step"
    for name in SETTLED_OPTIONS:
        if config.train is not None and name in config.train.model_fields_set:
            return f"train.{name}: is settled by a refresh itself; remove it"
    collect, evaluate = config.collect, config.evaluate
    if evaluate is not None and evaluate.full_knn is not None:
        return "evaluate.full_knn: is measured by a pipeline alone; remove it"
    if (
        isinstance(collect, KitsuOptions)
        and evaluate is not None
        and not config.data.ratings
        and collect.users <= evaluate.fans
    ):
        return (
            f"collect.users: {collect.users} are too few, as {evaluate.fans} are taken out to "
            "measure on (evaluate.fans); ask for several times as many, or name data.ratings"
        )
    if config.catalogue and not config.catalogue.database and not config.data.catalogue:
        return "catalogue: needs a table to begin with; set catalogue.database or data.catalogue"
    return None


def preview_round(config: PipelineConfig, log: Callable[[str], None], *, full: bool) -> None:
    """Say what the next round would do, or what is left of one, and change nothing."""
    found = _next_round(config)
    log(f"round {found.number}")
    preview_tasks(plan_round(config, found, full=full), config.work, log, force=False)


def run_round(config: PipelineConfig, log: Callable[[str], None], *, full: bool) -> None:
    """Do a round, or what is left of one, and write its page of changes.

    With ``full`` the model is trained on all lists anew, even where sums are kept.

    Raises
    ------
    InputError
        A task cannot be done, or the new model measures worse than the live one and was not
        published; then the round is over, with its page.
    """
    with lock_work_folder(config.work):
        found = _begin_round(config)
    log(f"round {found.number}")
    verdict, refusal = "It was published.", None
    try:
        run_tasks(
            plan_round(config, found, full=full),
            config.work,
            log,
            on_start=lambda: None,
            on_done=lambda *_: None,
            force=False,
        )
    except InputError as error:
        from model_build.artifact.publish import RefusedByGateError

        if not isinstance(error.__cause__, RefusedByGateError):
            raise
        refusal, verdict = error, f"It was not published: {error.__cause__}"
    log(_finish_round(config, found, verdict))
    if refusal is not None:
        raise refusal


def plan_round(config: PipelineConfig, this: Round, *, full: bool) -> list[PipelineTask]:
    """Return the tasks of a round, in their order."""
    assert config.collect is not None  # find_contradiction
    assert config.train is not None
    work, folder, previous = config.work, *_folders(config.work, this.number)
    tasks: list[PipelineTask] = []

    def add(name: str, task: Config, **more: Any) -> None:
        once_a_round = f"round {this.number}"
        tasks.append(
            PipelineTask(
                name=name, step=name, config=task, extra_state=lambda: once_a_round, **more
            )
        )

    is_first, catalogue = this.number == 1, folder / CATALOGUE_FILE
    table = config.data.catalogue if is_first else previous / CATALOGUE_FILE
    given = {} if table is None else {"catalogue": table}
    filled: Config = fill_config(CatalogueConfig, config.catalogue, out=catalogue, **given)
    add("catalogue", filled, is_external=True)
    new: tuple[str, ...] = ()
    if is_first and config.data.ratings:
        new = config.data.ratings
    elif this.collected > this.collected_before:
        asked: dict[str, Any] = {"out": work / "collected", "skip": this.collected_before}
        asked["users" if isinstance(config.collect, KitsuOptions) else "until"] = this.collected
        kind = COLLECT_CONFIGS[type(config.collect)]
        add("collect", fill_config(kind, config.collect, **asked), is_external=True)
        new = (str(work / "collected" / "ratings.parquet"),)
    split, prepared = work / "split", work / PREPARED_FOLDER
    if is_first:
        taken = fill_config(SplitConfig, config.evaluate, ratings=new, out=split)
        add("split", taken, clear_output=True)
        new = (str(split / "ratings.parquet"),)
    for path in new:
        # Of an anime that is new the first lists count, however few a round brings.
        rules: dict[str, Any] = {"dataset": "lists", "min_anime_entries": 0, "add": not is_first}
        if not is_first:
            # What this round added before it was stopped is not added to, whoever has it differ.
            rules["add_to"] = folder / PREPARED_BEFORE
        task = PrepareConfig(path=Path(path), out=prepared, **rules)
        add("prepare", task, optional_inputs=frozenset({"add_to"}))
    trained, model = folder / TRAINED_FOLDER, folder / MODEL_FOLDER
    files: dict[str, Any] = {"ratings": (str(prepared),), "catalogue": catalogue, "out": trained}
    if config.train.keep_sums and not is_first and not full:
        files["since"] = previous / TRAINED_FOLDER
    add("train", fill_config(TrainConfig, config.train, **files))
    metrics = folder / EVALUATION_FILE
    files = {"lists": split / "lists.parquet", "holdout": split / "holdout.parquet"}
    measured = fill_config(EvaluateConfig, config.evaluate, model=trained, as_json=True, **files)
    add("evaluate", measured, stdout_path=metrics)
    add("annotate", AnnotateConfig(model=trained, metrics=metrics, out=model))
    add("publish", fill_config(PublishConfig, config.publish, model=model), is_external=True)
    return tasks


def _folders(work: Path, number: int) -> tuple[Path, Path]:
    """Return the folder of a round, and that of the one before."""
    return work / ROUNDS_FOLDER / str(number), work / ROUNDS_FOLDER / str(number - 1)


def _next_round(config: PipelineConfig) -> Round:
    """Return the round that is not over, or what the next one is to be."""
    number = 1
    while (_folders(config.work, number)[0] / CHANGES_PAGE).exists():
        number += 1
    begun, before = (folder / ROUND_FILE for folder in _folders(config.work, number))
    if begun.exists():
        return Round(**json.loads(begun.read_text("utf-8")))
    collected = 0 if number == 1 else int(json.loads(before.read_text("utf-8"))["collected"])
    if number == 1 and config.data.ratings:
        return Round(number, 0, 0)
    return Round(number, collected, max(collected, _collected_next(config, collected)))


def _collected_next(config: PipelineConfig, before: int) -> int:
    assert config.collect is not None
    if isinstance(config.collect, KitsuOptions):
        return before + config.collect.users
    from model_build.collect.usernames import read_usernames

    return len(read_usernames(config.collect.usernames))


def _begin_round(config: PipelineConfig) -> Round:
    from app.recommender.atomic_writes import write_text_atomically
    from model_build.artifact.store import open_model_store
    from model_build.artifact.versions import list_versions
    from model_build.data.dumps.prepared import INDEX_FILE

    assert config.publish is not None
    found = _next_round(config)
    file = _folders(config.work, found.number)[0] / ROUND_FILE
    if file.exists():
        return found
    with open_model_store(config.publish.to, "publish.to") as store:
        inventory = list_versions(store)
        live = inventory.find_version(inventory.live_version or "")
    if live is not None and live.manifest is not None:
        keys = {"version", "metrics", "counts"}
        found = Round(**{**asdict(found), "live": live.manifest.model_dump(include=keys)})
    file.parent.mkdir(parents=True, exist_ok=True)
    index = config.work / PREPARED_FOLDER / INDEX_FILE
    if index.exists():
        shutil.copyfile(index, file.with_name(PREPARED_BEFORE))
    write_text_atomically(file, json.dumps(asdict(found), indent=1) + "\n")
    return found


def _finish_round(config: PipelineConfig, this: Round, verdict: str) -> str:
    """Write the page of changes, and let go of what no later round needs."""
    from app.recommender.atomic_writes import write_text_atomically
    from model_build.reporting.changes_page import changes_page

    folder, previous = _folders(config.work, this.number)
    older = previous / MODEL_FOLDER
    page, summary = changes_page(
        this.number, verdict, folder / MODEL_FOLDER, older if older.exists() else None, this.live
    )
    write_text_atomically(folder / CHANGES_PAGE, page)
    for path in previous.iterdir() if previous.exists() else ():
        if path.name not in KEPT_FILES:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    return f"{summary}\nchanges     {folder / CHANGES_PAGE}"
