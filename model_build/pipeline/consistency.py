"""What the sections of a configuration must have of each other, and what they must not."""

from __future__ import annotations

from pathlib import Path

from app.recommender.artifact import read_manifest
from model_build.data.dumps.prepared import is_prepared_dataset, open_prepared_dataset
from model_build.data.ratings import ratings_fingerprint, read_ratings
from model_build.pipeline.config import PipelineConfig
from model_build.util.errors import InputError
from model_build.util.storage import is_gcs_url

SECTIONS_NEEDING_RATINGS = ("train", "evaluate", "compare", "report")
SECTIONS_NEEDING_MODEL = ("evaluate", "report", "publish")


def check_consistency(config: PipelineConfig) -> None:
    """Raises InputError if sections are missing or contradict each other."""
    sections = config.sections
    sources: list[str] = [name for name in ("collect", "prepare") if name in sections]
    sources += ["data.ratings"] if config.data.ratings else []
    if len(sources) > 1:
        raise InputError(
            f"{' and '.join(sources)}: ratings come from one of them; leave out others."
        )
    fetched = "pretrained" in sections.get("train", {})
    needed = [
        name
        for name in SECTIONS_NEEDING_RATINGS
        if name in sections and not (name == "train" and fetched)
    ]
    needed += [f"engines.{name}" for name in config.engines]
    if needed and not sources:
        raise InputError(
            f"{needed[0]}: needs ratings; set data.ratings, or collect or prepare some."
        )
    for name in (*SECTIONS_NEEDING_MODEL, *(["engines"] if config.engines else [])):
        if (name in sections or name == "engines") and "train" not in sections:
            raise InputError(f"{name}: needs a model; add [train], with pretrained to fetch one.")
    train = sections.get("train", {})
    if "version" in train and not fetched:
        raise InputError("train.version: goes with train.pretrained, which says where from.")
    besides = sorted(set(train) - {"pretrained", "version"})
    if fetched and besides:
        raise InputError(
            f"train.{besides[0]}: a model that is fetched has its settings; remove it."
        )
    if config.data.ratings and is_gcs_url(config.data.ratings[0]):
        others = [name for name in needed if name != "train"]
        if others:
            raise InputError(f"{others[0]}: cannot read {config.data.ratings[0]}; download it.")


def check_not_trained_on(model: Path, ratings: list[str]) -> None:
    """Raises InputError if the model at hand has learnt from these very ratings."""
    paths = [Path(place) for place in ratings]
    prepared = is_prepared_dataset(paths[0])
    data = (
        open_prepared_dataset(paths[0]).fingerprint()
        if prepared
        else ratings_fingerprint(read_ratings(paths))
    )
    if read_manifest(model).dataset.fingerprint == data:
        raise InputError(
            f"{', '.join(ratings)}: the fetched model was trained on these ratings, so it cannot "
            "be measured on them; leave [evaluate] out, or name others."
        )
