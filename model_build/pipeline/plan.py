"""From a configuration to the commands that are to be run, in their order."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from model_build.artifact.config import AnnotateConfig, FetchConfig, PublishConfig
from model_build.artifact.registries import MLFLOW_SCHEME
from model_build.collect.config import COLLECT_CONFIGS, KitsuOptions
from model_build.data.config import CATALOGUE_FILE, CatalogueConfig, PrepareConfig, SplitConfig
from model_build.engines.config import ENGINE_CONFIGS, AlsEngineOptions
from model_build.evaluate.config import CompareConfig, EvaluateConfig, NeuralConfig
from model_build.interface.config import RecommendConfig, SimilarConfig
from model_build.pipeline.config import PipelineConfig, TrainSection
from model_build.pipeline.task import PipelineTask
from model_build.reporting.config import ReportConfig
from model_build.tracking.trackers import mlflow_uri
from model_build.train.config import TrainConfig
from model_build.tuning.config import IMPLICIT_CONFIGS, IMPLICIT_OPTIONS, TuneConfig
from model_build.tuning.search_spaces import FRANCHISE_METRIC
from model_build.util.options import Config
from model_build.util.storage import is_gcs_url, read_bytes
from model_build.util.temporary_folders import temporary_folder

EVALUATION_FILE = "measures.json"
COMPARISON_FILE = "comparison.json"
REPORT_FILE = "report.html"
INTERACTIONS_FILE = "interactions.parquet"
SETTINGS_FILE = "settings.json"
STRENGTHS_FILE = "strengths.json"
GRID_FOLDER = "grid"
NEURAL_FILE = "neural.json"
MODEL_FOLDER = "model"
HOLDOUT_MODEL_IGNORED = frozenset(
    {"scheduler", "local_cluster", "worker_memory", "keep_sums", "since", "work"}
)
"""Options of train that are about where and how all of the ratings are trained on."""

ConfigT = TypeVar("ConfigT", bound=Config)


def engine_evaluation_file(engine: str) -> str:
    """Where the measures of a further engine are."""
    return f"measures-{engine}.json"


def implicit_file(part: str) -> str:
    """Where the measures of a part of `implicit` are."""
    return f"implicit-{part}.json"


def recommendations_file(step: str) -> str:
    """Where the recommendations of a step are."""
    return f"{step.replace('_', '-')}.json"


def plan_tasks(config: PipelineConfig) -> list[PipelineTask]:
    """The tasks of all steps that the configuration has, in their order."""
    return _TaskPlanner(config).tasks


class _TaskPlanner:
    def __init__(self, config: PipelineConfig) -> None:
        self._config, self._work = config, config.work
        self._model = self._work / MODEL_FOLDER
        self.tasks: list[PipelineTask] = []
        if config.catalogue is not None:
            filled_catalogue = fill_config(
                CatalogueConfig,
                config.catalogue,
                out=self._work / CATALOGUE_FILE,
                **_named_catalogue(config),
            )
            self._add("catalogue", filled_catalogue, is_external=True)
        self._ratings = self._add_ratings()
        # What somebody did, favourites included: Kitsu alone says so.
        collects_interactions = isinstance(config.collect, KitsuOptions)
        self._interactions = (
            self._work / "collected" / INTERACTIONS_FILE
            if collects_interactions
            else config.data.interactions
        )
        self._catalogue = self._find_catalogue()
        self._settings: dict[str, Path] = {}
        if config.tune is not None:
            settings = self._work / SETTINGS_FILE
            files: dict[str, Any] = {"ratings": self._ratings, "out": settings}
            if config.tune.folds is None:
                files["start_over"] = True
            if config.tune.objective == FRANCHISE_METRIC:
                files |= self._catalogue
            filled_tune = fill_config(TuneConfig, config.tune, **files)
            kept = (filled_tune.study_file,)
            self._add("tune", filled_tune, kept=kept, optional_inputs=self._optional)
            self._settings = {"settings": settings}
        self._add_implicit()
        if config.train is not None:
            self._add_models(config.train)
        comparison = self._work / COMPARISON_FILE
        if config.compare is not None:
            files = {"ratings": self._ratings, **self._catalogue}
            filled = fill_config(CompareConfig, config.compare, as_json=True, **files)
            self._add("compare", filled, stdout_path=comparison, optional_inputs=self._optional)
        if config.neural is not None:
            neural = fill_config(NeuralConfig, config.neural, as_json=True, ratings=self._ratings)
            self._add("neural", neural, stdout_path=self._work / NEURAL_FILE)
        if config.report is not None:
            table = {} if config.compare is None else {"compare": comparison}
            files = {"ratings": self._ratings, "model": self._model, **table}
            out = self._work / REPORT_FILE
            self._add("report", fill_config(ReportConfig, config.report, out=out, **files))
        self._add_recommendations()
        if config.publish is not None:
            filled_publish = fill_config(PublishConfig, config.publish, model=self._model)
            self._add("publish", filled_publish, is_external=True)

    def _add_implicit(self) -> None:
        """Measure and tune ALS; what one part finds is an option of those after it."""
        strengths, grid = self._work / STRENGTHS_FILE, self._work / GRID_FOLDER
        for part in IMPLICIT_OPTIONS:  # not in the file's order, but in that of what they find
            section = self._config.implicit.get(part)
            if section is None:
                continue
            files: dict[str, Any] = {"as_json": True}
            if part == "strengths":
                files["out"] = strengths
            elif part == "grid":
                files |= {"table": grid, "start_over": True}
                files |= self._found({"strengths": "strengths"}, section)
            elif part == "compare":
                files |= self._found({"strengths": "learnt", "grid": "table"}, section)
            files |= self._als_data(self._ratings, self._interactions)
            filled = fill_config(IMPLICIT_CONFIGS[type(section)], section, **files)
            out = self._work / implicit_file(part)
            kept = (grid,) if part == "grid" else ()
            self._add("implicit", filled, f"implicit-{part}", stdout_path=out, kept=kept)

    def _als_data(self, ratings: tuple[str, ...], interactions: Path | None) -> dict[str, Any]:
        """What ALS learns from: what fans did where it is known, else the ratings."""
        return {"ratings": ratings} if interactions is None else {"interactions": (interactions,)}

    def _found(self, options: Mapping[str, str], section: Config) -> dict[str, Path]:
        """Of parts of `implicit`, what they found as options that the section does not set."""
        files = {"strengths": STRENGTHS_FILE, "grid": GRID_FOLDER}
        return {
            option: self._work / files[part]
            for part, option in options.items()
            if part in self._config.implicit and option not in section.model_fields_set
        }

    def _add_recommendations(self) -> None:
        """Recommend in each of the ways that the configuration has."""
        kinds: dict[str, type[RecommendConfig] | type[SimilarConfig]] = {
            "by_ratings": RecommendConfig,
            "similar_anime": SimilarConfig,
            "similar_users": SimilarConfig,
        }
        for name, kind in kinds.items():
            section = getattr(self._config, name)
            if section is None:
                continue
            # An engine is always named: `similar` has no default.
            is_chosen = kind is RecommendConfig or "engine" in section.model_fields_set
            engine = {} if is_chosen else {"engine": section.engine}
            filled = fill_config(kind, section, model=self._model, as_json=True, **engine)
            self._add(name, filled, stdout_path=self._work / recommendations_file(name))

    def _add(self, step: str, config: Config, name: str | None = None, **more: Any) -> None:
        self.tasks.append(PipelineTask(name=name or step, step=step, config=config, **more))

    def _add_ratings(self) -> tuple[str, ...]:
        """Collect or prepare ratings, or take those that are named."""
        collect, prepare = self._config.collect, self._config.prepare
        if collect is not None:
            out = self._work / "collected"
            self._add(
                "collect",
                fill_config(COLLECT_CONFIGS[type(collect)], collect, out=out),
                is_external=True,
            )
            return (str(out / "ratings.parquet"),)
        if prepare is not None:
            out = self._work / "prepared"
            self._add("prepare", fill_config(PrepareConfig, prepare, out=out))
            return (str(out),)
        return self._config.data.ratings

    def _find_catalogue(self) -> dict[str, Path]:
        """The catalogue as an option: the one named, or the one that came with the ratings."""
        # The latter may lack; one that is named must be there.
        named = _named_catalogue(self._config)
        if self._config.catalogue is not None:
            named = {"catalogue": self._work / CATALOGUE_FILE}
        self._optional = frozenset() if named else frozenset({"catalogue"})
        if named:
            return named
        if len(self._ratings) != 1 or is_gcs_url(self._ratings[0]):
            return {}
        return {"catalogue": Path(self._ratings[0]) / CATALOGUE_FILE}

    def _add_models(self, train: TrainSection) -> None:
        """Add a model with engines and measures; what touches it last writes work/model."""
        evaluated, fetched = self._config.evaluate is not None, train.pretrained is not None
        makers = ["train", *self._config.engines]
        makers += ["measures"] if evaluated and not fetched else []
        folders = {name: self._work / "steps" / name for name in makers}
        folders[makers[-1]] = self._model
        add_base = self._add_fetched if fetched else self._add_training
        base = add_base(train, folders["train"])
        model = self._add_engines(base, folders)
        if not evaluated:
            return
        split = self._work / "split"
        files = {"ratings": self._ratings, "out": split}
        if self._interactions is not None:
            files["interactions"] = self._interactions
        filled = fill_config(SplitConfig, self._config.evaluate, **files)
        self._add("evaluate", filled, "split", clear_output=True)
        rest = (str(split / "ratings.parquet"),)
        folders = {name: self._work / "twin" / name for name in ("train", *self._config.engines)}
        if fetched:  # it knows all fans of what it was trained on, its engines those of this build
            check = partial(_check_not_trained_on, base, self._ratings)
            self._add_evaluations(split, model=self._add_engines(base, folders, rest), check=check)
            return
        holdout = self._add_engines(
            self._add_training(train, folders["train"], rest), folders, rest
        )
        self._add_evaluations(split, model=holdout, ratings=rest)
        metrics = self._work / EVALUATION_FILE
        self._add(
            "evaluate", AnnotateConfig(model=model, metrics=metrics, out=self._model), "annotate"
        )

    def _add_fetched(self, train: TrainSection, out: Path) -> Path:
        """Fetch a model; its folder."""
        assert train.pretrained is not None
        names = train.model_fields_set & {"version"}
        given: dict[str, Any] = dict.fromkeys(names, train.version)
        if train.pretrained.startswith(MLFLOW_SCHEME) and self._config.mlflow is not None:
            given["mlflow_uri"] = mlflow_uri(self._config.mlflow, self._work)
        fetch = FetchConfig(source=train.pretrained, out=out, **given)
        self._add("train", fetch, extra_state=partial(_published_digest, fetch))
        return out

    def _add_training(
        self, train: TrainSection, out: Path, rest: tuple[str, ...] | None = None
    ) -> Path:
        """Train a model on all ratings, or on the ``rest`` without fans to measure on."""
        ratings = self._ratings if rest is None else rest
        files = {"ratings": ratings, "out": out, **self._catalogue, **self._settings}
        left_out = frozenset[str]() if rest is None else HOLDOUT_MODEL_IGNORED
        self._add(
            "train" if rest is None else "evaluate",
            fill_config(TrainConfig, train, left_out, **files),
            "train" if rest is None else "train-without-them",
            optional_inputs=self._optional,
            extra_state=partial(_dataset_index, ratings[0]) if is_gcs_url(ratings[0]) else None,
        )
        return out

    def _add_engines(
        self, model: Path, folders: Mapping[str, Path], rest: tuple[str, ...] | None = None
    ) -> Path:
        """Add engine after engine to a model, fitted as it was trained; the folder of the last."""
        for name, options in self._config.engines.items():
            ratings = self._ratings if rest is None else rest
            files = {"ratings": ratings, "model": model, "out": folders[name]}
            if isinstance(options, AlsEngineOptions):
                did = self._interactions
                if did is not None and rest is not None:
                    did = self._work / "split" / INTERACTIONS_FILE
                del files["ratings"]
                files |= self._als_data(ratings, did)
                files |= self._found({"strengths": "strengths", "grid": "grid"}, options)
            self._add(
                "engines" if rest is None else "evaluate",
                fill_config(ENGINE_CONFIGS[type(options)], options, **files),
                f"engines-{name}" if rest is None else f"{name}-without-them",
            )
            model = folders[name]
        return model

    def _add_evaluations(self, split: Path, *, check: Any = None, **files: Any) -> None:
        """Measure Hakken's own ranking, and that of each further engine."""
        files |= {"lists": split / "lists.parquet", "holdout": split / "holdout.parquet"}
        for engine in (None, *self._config.engines):
            chosen = {} if engine is None else {"engine": engine}
            self._add(
                "evaluate",
                fill_config(EvaluateConfig, self._config.evaluate, as_json=True, **chosen, **files),
                f"evaluate-{engine}" if engine else "evaluate",
                stdout_path=self._work
                / (engine_evaluation_file(engine) if engine else EVALUATION_FILE),
                precondition=check,
            )


def _named_catalogue(config: PipelineConfig) -> dict[str, Path]:
    return {} if config.data.catalogue is None else {"catalogue": config.data.catalogue}


def fill_config(
    kind: type[ConfigT],
    section: Config | None,
    left_out: frozenset[str] = frozenset(),
    /,
    **files: Any,
) -> ConfigT:
    """Return a command's config: what a section sets of it, and what is of this run."""
    names = kind.model_fields.keys() & (section.model_fields_set if section else set()) - left_out
    return kind(**{**{name: getattr(section, name) for name in names}, **files})


def _check_not_trained_on(model: Path, ratings: tuple[str, ...]) -> None:
    from model_build.evaluate.job import check_not_trained_on

    check_not_trained_on(model, ratings)


def _published_digest(fetch: FetchConfig) -> str:
    from model_build.artifact.pretrained import resolve_model_ref

    with temporary_folder() as cache:
        ref = resolve_model_ref(fetch.source, fetch.version, cache, fetch.mlflow_uri)
    return ref.digest


def _dataset_index(folder: str) -> str:
    from model_build.data.dumps.prepared import INDEX_FILE

    return read_bytes(folder, INDEX_FILE).decode("utf-8")
