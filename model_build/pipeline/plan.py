"""From a configuration to the commands that are to be run, in their order."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from model_build.dumps.prepared import CATALOGUE, INDEX
from model_build.errors import InputError
from model_build.pipeline.config import Config
from model_build.pipeline.contradictions import refuse_contradictions, refuse_trained_on
from model_build.pipeline.options import Command, Value
from model_build.pipeline.sections import SERVICE
from model_build.pipeline.task import Task
from model_build.pretrained import offered
from model_build.storage import is_bucket, read_bytes

MEASURES = "measures.json"
COMPARISON = "comparison.json"
REPORT = "report.html"
MODEL = "model"

WITHOUT_TWIN = frozenset(
    {"scheduler", "local_cluster", "worker_memory", "keep_sums", "since", "work"}
)
"""Options of train that are about where and how all of the ratings are trained on."""
WRITTEN = frozenset({"work"})
"""Options with paths that are not read."""


def measures_of(engine: str) -> str:
    """Where the measures of a further engine are."""
    return f"measures-{engine}.json"


def plan(config: Config) -> list[Task]:
    """The tasks of all steps that the configuration has.

    Raises:
        InputError: sections or options are missing or contradict each other.
    """
    tasks = _Plan(config).tasks
    for task in tasks:
        try:
            task.command.parse(task.line())
        except InputError as error:
            raise InputError(f"[{task.step}]: {error}.") from None
    return tasks


class _Plan:
    def __init__(self, config: Config) -> None:
        self._config, self._work, self._sections = config, config.work, config.sections
        self.tasks: list[Task] = []
        refuse_contradictions(config)
        self._collect()
        self._prepare()
        self._ratings = self._where_ratings()
        self._facts = self._catalogue()
        self._pretrained = "pretrained" in self._sections.get("train", {})
        if "train" in self._sections:
            self._model()
        if "evaluate" in self._sections:
            self._evaluate()
        self._measure_others()
        if "publish" in self._sections:
            self._add("publish", inputs={"model": [str(self._work / MODEL)]}, elsewhere=True)

    def _collect(self) -> None:
        if "collect" in self._sections:
            options = dict(self._sections["collect"])
            words = ("collect", str(options.pop(SERVICE)))
            self._add(
                "collect",
                words=words,
                options=options,
                outputs={"out": self._work / "collected"},
                elsewhere=True,
            )

    def _prepare(self) -> None:
        if "prepare" in self._sections:
            self._add("prepare", outputs={"out": self._work / "prepared"})

    def _where_ratings(self) -> list[str]:
        if "collect" in self._sections:
            return [str(self._work / "collected" / "ratings.parquet")]
        if "prepare" in self._sections:
            return [str(self._work / "prepared")]
        ratings = self._config.data.ratings
        return [ratings] if isinstance(ratings, str) else ratings or []

    def _catalogue(self) -> dict[str, list[str]]:
        named = self._config.data.catalogue
        if named is not None:
            return {"catalogue": [named]}
        came = str(Path(self._ratings[0]) / CATALOGUE) if len(self._ratings) == 1 else ""
        return {"catalogue": [came]} if came and not is_bucket(came) else {}

    def _model(self) -> None:
        """Train or fetch a model and add engines; the last to touch it writes work/model."""
        makers = ["train", *self._config.engines]
        if "evaluate" in self._sections and not self._pretrained:
            makers.append("measures")
        place = {name: self._work / "steps" / name for name in makers}
        place[makers[-1]] = self._work / MODEL
        if self._pretrained:
            self._fetch(place["train"])
        else:
            self._train("train", "train", self._ratings, place["train"], frozenset())
        made = place["train"]
        for name in self._config.engines:
            self._engine(f"engines-{name}", "engines", name, self._ratings, made, place[name])
            made = place[name]
        self._last = made

    def _fetch(self, place: Path) -> None:
        options = dict(self._sections["train"])
        options["from"] = options.pop("pretrained")
        source, version = str(options["from"]), options.get("version")
        self._add(
            "train",
            words=("fetch",),
            options=options,
            outputs={"out": place},
            depends_on=lambda: offered(source, None if version is None else str(version)).digest,
        )

    def _train(
        self, name: str, step: str, ratings: list[str], place: Path, without: frozenset[str]
    ) -> None:
        options = {k: v for k, v in self._sections["train"].items() if k not in without}
        bucket = ratings[0] if is_bucket(ratings[0]) else None
        self._add(
            step,
            name=name,
            words=("train",),
            options=options,
            inputs={"ratings": ratings, **self._facts},
            outputs={"out": place},
            depends_on=None if bucket is None else partial(_index_of, bucket),
        )

    def _engine(
        self, name: str, step: str, engine: str, ratings: list[str], model: Path, place: Path
    ) -> None:
        self._add(
            step,
            name=name,
            words=("engine", engine),
            options=self._config.engines[engine],
            inputs={"model": [str(model)], "ratings": ratings},
            outputs={"out": place},
        )

    def _evaluate(self) -> None:
        """Take fans out, do the same without them, and see what it knows of them."""
        split = self._work / "split"
        self._add(
            "evaluate",
            name="split",
            words=("split",),
            inputs={"ratings": self._ratings},
            outputs={"out": split},
            anew=True,
        )
        rest = [str(split / "ratings.parquet")]
        measured, check = self._last, None
        if self._pretrained:
            check = partial(refuse_trained_on, self._last, self._ratings)
        else:
            measured = self._twin(rest)
        inputs = {
            "model": [str(measured)],
            "lists": [str(split / "lists.parquet")],
            "holdout": [str(split / "holdout.parquet")],
            **({} if self._pretrained else {"ratings": rest}),
        }
        self._add("evaluate", inputs=inputs, printed=self._work / MEASURES, check=check)
        for engine in self._config.engines:
            self._add(
                "evaluate",
                name=f"evaluate-{engine}",
                more={"engine": engine},
                inputs=inputs,
                printed=self._work / measures_of(engine),
                check=check,
            )
        if not self._pretrained:
            self._add(
                "evaluate",
                name="annotate",
                words=("annotate",),
                inputs={"model": [str(self._last)], "metrics": [str(self._work / MEASURES)]},
                outputs={"out": self._work / MODEL},
            )

    def _twin(self, rest: list[str]) -> Path:
        """The same model of the fans that are left."""
        twin = self._work / "twin"
        made = twin / "train"
        self._train("train-without-them", "evaluate", rest, made, WITHOUT_TWIN)
        for name in self._config.engines:
            self._engine(f"{name}-without-them", "evaluate", name, rest, made, twin / name)
            made = twin / name
        return made

    def _measure_others(self) -> None:
        ratings = {"ratings": self._ratings}
        compared = self._work / COMPARISON
        if "compare" in self._sections:
            self._add(
                "compare",
                inputs={**ratings, **self._facts},
                printed=compared,
            )
        if "report" in self._sections:
            table = {"compare": [str(compared)]} if "compare" in self._sections else {}
            self._add(
                "report",
                inputs={**ratings, "model": [str(self._work / MODEL)], **table},
                outputs={"out": self._work / REPORT},
            )

    def _add(
        self,
        step: str,
        *,
        name: str | None = None,
        words: tuple[str, ...] | None = None,
        options: Mapping[str, Value] | None = None,
        more: Mapping[str, Value] | None = None,
        inputs: Mapping[str, list[str]] | None = None,
        outputs: Mapping[str, Path] | None = None,
        printed: Path | None = None,
        depends_on: Callable[[], str] | None = None,
        check: Callable[[], None] | None = None,
        elsewhere: bool = False,
        anew: bool = False,
    ) -> None:
        """Add a task; without options those of its section, and ``more``.

        Files that options name are read.
        """
        words = words or (step,)
        of_command = Command.of(*words).options
        if options is None:
            section = self._sections.get(step, {})
            options = {key: value for key, value in section.items() if key in of_command}
        plain: dict[str, Value] = {**(more or {}), **({} if printed is None else {"json": True})}
        read = dict(inputs or {})
        for key, value in options.items():
            if of_command[key].is_path and key not in WRITTEN:
                read[key] = list(map(str, value)) if isinstance(value, list) else [str(value)]
            else:
                plain[key] = value
        may_lack = self._config.data.catalogue is None and "catalogue" in (inputs or {})
        self.tasks.append(
            Task(
                name or step,
                step,
                words,
                plain,
                read,
                outputs or {},
                printed,
                frozenset({"catalogue"}) if may_lack else frozenset(),
                depends_on,
                check,
                elsewhere,
                anew,
            )
        )


def _index_of(place: str) -> str:
    return read_bytes(place, INDEX).decode("utf-8")
