"""From a configuration to the commands that are to be run, in their order."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from model_build.artifact.pretrained import resolve_model_ref
from model_build.data.dumps.prepared import CATALOGUE_FILE, INDEX_FILE
from model_build.pipeline.command_options import CommandSpec, OptionValue
from model_build.pipeline.config import PipelineConfig
from model_build.pipeline.consistency import check_consistency, check_not_trained_on
from model_build.pipeline.sections import SERVICE_KEY
from model_build.pipeline.task import PipelineTask
from model_build.util.errors import InputError
from model_build.util.storage import is_gcs_url, read_bytes

EVALUATION_FILE = "measures.json"
COMPARISON_FILE = "comparison.json"
REPORT_FILE = "report.html"
MODEL_FOLDER = "model"

HOLDOUT_MODEL_IGNORED = frozenset(
    {"scheduler", "local_cluster", "worker_memory", "keep_sums", "since", "work"}
)
"""Options of train that are about where and how all of the ratings are trained on."""
OUTPUT_OPTIONS = frozenset({"work"})
"""Options with paths that are not read."""


def engine_evaluation_file(engine: str) -> str:
    """Where the measures of a further engine are."""
    return f"measures-{engine}.json"


def plan_tasks(config: PipelineConfig) -> list[PipelineTask]:
    """The tasks of all steps that the configuration has.

    Raises:
        InputError: sections or options are missing or contradict each other.
    """
    tasks = _TaskPlanner(config).tasks
    for task in tasks:
        try:
            task.command.parse_arguments(task.to_argv())
        except InputError as error:
            raise InputError(f"[{task.step}]: {error}.") from None
    return tasks


class _TaskPlanner:
    def __init__(self, config: PipelineConfig) -> None:
        self._config, self._work, self._sections = config, config.work, config.sections
        self.tasks: list[PipelineTask] = []
        check_consistency(config)
        self._add_collect()
        self._add_prepare()
        self._rating_paths = self._find_rating_paths()
        self._catalogue_input = self._find_catalogue_input()
        self._pretrained = "pretrained" in self._sections.get("train", {})
        if "train" in self._sections:
            self._add_model()
        if "evaluate" in self._sections:
            self._add_evaluate()
        self._add_compare_and_report()
        if "publish" in self._sections:
            self._add_task(
                "publish", inputs={"model": [str(self._work / MODEL_FOLDER)]}, is_external=True
            )

    def _add_collect(self) -> None:
        if "collect" in self._sections:
            options = dict(self._sections["collect"])
            words = ("collect", str(options.pop(SERVICE_KEY)))
            self._add_task(
                "collect",
                names=words,
                options=options,
                outputs={"out": self._work / "collected"},
                is_external=True,
            )

    def _add_prepare(self) -> None:
        if "prepare" in self._sections:
            self._add_task("prepare", outputs={"out": self._work / "prepared"})

    def _find_rating_paths(self) -> list[str]:
        if "collect" in self._sections:
            return [str(self._work / "collected" / "ratings.parquet")]
        if "prepare" in self._sections:
            return [str(self._work / "prepared")]
        ratings = self._config.data.ratings
        return [ratings] if isinstance(ratings, str) else ratings or []

    def _find_catalogue_input(self) -> dict[str, list[str]]:
        named = self._config.data.catalogue
        if named is not None:
            return {"catalogue": [named]}
        came = (
            str(Path(self._rating_paths[0]) / CATALOGUE_FILE)
            if len(self._rating_paths) == 1
            else ""
        )
        return {"catalogue": [came]} if came and not is_gcs_url(came) else {}

    def _add_model(self) -> None:
        """Train or fetch a model and add engines; the last to touch it writes work/model."""
        makers = ["train", *self._config.engines]
        if "evaluate" in self._sections and not self._pretrained:
            makers.append("measures")
        place = {name: self._work / "steps" / name for name in makers}
        place[makers[-1]] = self._work / MODEL_FOLDER
        if self._pretrained:
            self._add_fetch(place["train"])
        else:
            self._add_train("train", "train", self._rating_paths, place["train"], frozenset())
        made = place["train"]
        for name in self._config.engines:
            self._add_engine(
                f"engines-{name}", "engines", name, self._rating_paths, made, place[name]
            )
            made = place[name]
        self._final_model = made

    def _add_fetch(self, out: Path) -> None:
        options = dict(self._sections["train"])
        options["from"] = options.pop("pretrained")
        source, version = str(options["from"]), options.get("version")
        self._add_task(
            "train",
            names=("fetch",),
            options=options,
            outputs={"out": out},
            depends_on=lambda: (
                resolve_model_ref(source, None if version is None else str(version)).digest
            ),
        )

    def _add_train(
        self, name: str, step: str, ratings: list[str], out: Path, ignored_options: frozenset[str]
    ) -> None:
        options = {k: v for k, v in self._sections["train"].items() if k not in ignored_options}
        bucket = ratings[0] if is_gcs_url(ratings[0]) else None
        self._add_task(
            step,
            name=name,
            names=("train",),
            options=options,
            inputs={"ratings": ratings, **self._catalogue_input},
            outputs={"out": out},
            depends_on=None if bucket is None else partial(_read_dataset_index, bucket),
        )

    def _add_engine(
        self, name: str, step: str, engine: str, ratings: list[str], model: Path, out: Path
    ) -> None:
        self._add_task(
            step,
            name=name,
            names=("engine", engine),
            options=self._config.engines[engine],
            inputs={"model": [str(model)], "ratings": ratings},
            outputs={"out": out},
        )

    def _add_evaluate(self) -> None:
        """Take fans out, do the same without them, and see what it knows of them."""
        split = self._work / "split"
        self._add_task(
            "evaluate",
            name="split",
            names=("split",),
            inputs={"ratings": self._rating_paths},
            outputs={"out": split},
            clear_output=True,
        )
        rest = [str(split / "ratings.parquet")]
        measured, check = self._final_model, None
        if self._pretrained:
            check = partial(check_not_trained_on, self._final_model, self._rating_paths)
        else:
            measured = self._add_holdout_model(rest)
        inputs = {
            "model": [str(measured)],
            "lists": [str(split / "lists.parquet")],
            "holdout": [str(split / "holdout.parquet")],
            **({} if self._pretrained else {"ratings": rest}),
        }
        self._add_task(
            "evaluate", inputs=inputs, stdout_path=self._work / EVALUATION_FILE, precondition=check
        )
        for engine in self._config.engines:
            self._add_task(
                "evaluate",
                name=f"evaluate-{engine}",
                extra_options={"engine": engine},
                inputs=inputs,
                stdout_path=self._work / engine_evaluation_file(engine),
                precondition=check,
            )
        if not self._pretrained:
            self._add_task(
                "evaluate",
                name="annotate",
                names=("annotate",),
                inputs={
                    "model": [str(self._final_model)],
                    "metrics": [str(self._work / EVALUATION_FILE)],
                },
                outputs={"out": self._work / MODEL_FOLDER},
            )

    def _add_holdout_model(self, ratings: list[str]) -> Path:
        """The same model of the fans that are left."""
        twin = self._work / "twin"
        made = twin / "train"
        self._add_train("train-without-them", "evaluate", ratings, made, HOLDOUT_MODEL_IGNORED)
        for name in self._config.engines:
            self._add_engine(f"{name}-without-them", "evaluate", name, ratings, made, twin / name)
            made = twin / name
        return made

    def _add_compare_and_report(self) -> None:
        ratings = {"ratings": self._rating_paths}
        compared = self._work / COMPARISON_FILE
        if "compare" in self._sections:
            self._add_task(
                "compare", inputs={**ratings, **self._catalogue_input}, stdout_path=compared
            )
        if "report" in self._sections:
            table = {"compare": [str(compared)]} if "compare" in self._sections else {}
            self._add_task(
                "report",
                inputs={**ratings, "model": [str(self._work / MODEL_FOLDER)], **table},
                outputs={"out": self._work / REPORT_FILE},
            )

    def _add_task(
        self,
        step: str,
        *,
        name: str | None = None,
        names: tuple[str, ...] | None = None,
        options: Mapping[str, OptionValue] | None = None,
        extra_options: Mapping[str, OptionValue] | None = None,
        inputs: Mapping[str, list[str]] | None = None,
        outputs: Mapping[str, Path] | None = None,
        stdout_path: Path | None = None,
        depends_on: Callable[[], str] | None = None,
        precondition: Callable[[], None] | None = None,
        is_external: bool = False,
        clear_output: bool = False,
    ) -> None:
        """Add a task; without options those of its section, and ``more``.

        Files that options name are read.
        """
        names = names or (step,)
        of_command = CommandSpec.load(*names).options
        if options is None:
            section = self._sections.get(step, {})
            options = {key: value for key, value in section.items() if key in of_command}
        plain: dict[str, OptionValue] = {
            **(extra_options or {}),
            **({} if stdout_path is None else {"json": True}),
        }
        read = dict(inputs or {})
        for key, value in options.items():
            if of_command[key].is_path and key not in OUTPUT_OPTIONS:
                read[key] = list(map(str, value)) if isinstance(value, list) else [str(value)]
            else:
                plain[key] = value
        may_lack = self._config.data.catalogue is None and "catalogue" in (inputs or {})
        self.tasks.append(
            PipelineTask(
                name or step,
                step,
                names,
                plain,
                read,
                outputs or {},
                stdout_path,
                frozenset({"catalogue"}) if may_lack else frozenset(),
                depends_on,
                precondition,
                is_external,
                clear_output,
            )
        )


def _read_dataset_index(folder: str) -> str:
    return read_bytes(folder, INDEX_FILE).decode("utf-8")
