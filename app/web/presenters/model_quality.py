"""How good the model is, as measured when it was made: in words, and what its plots show.

The numbers are in the manifest; tables and intervals are in ``measures.json`` beside it, what
``python -m model_build evaluate --json --by-length`` printed. A model without that file, or with
less in it, simply shows less.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from app.recommender import Model
from app.recommender.artifact import EVALUATION_FILE
from app.recommender.regular_files import read_regular
from app.translation import gettext, mark

log = logging.getLogger(__name__)

# Measure -> what it tells, and how it is written.
METRIC_LABELS = {
    "rmse": (mark("How far a predicted score is off, large errors counting more (RMSE)"), "{:.3f}"),
    "mae": (mark("How far a predicted score is off on average"), "{:.3f}"),
    "within_expected_error": (mark("Scores that fall within the ± shown beside them"), "{:.0%}"),
    "ndcg@10": (
        mark("How well the first ten are filled and ordered, 1 at best (NDCG@10)"),
        "{:.3f}",
    ),
    "recall@10": (
        mark("Hidden favourites (8 or more, ten at most) that are among the first ten"),
        "{:.0%}",
    ),
    "new_ndcg@10": (mark("The same, of series new to the fan alone"), "{:.3f}"),
    "coverage": (mark("Different anime that they were recommended, ten each"), "{:,.0f}"),
}

MAX_MEASURES_BYTES = 4 * 1024 * 1024
MIN_BIN_SIZE = 20
"""A bin of fewer scores, or anime, says nothing."""
MIN_SCORE, MAX_SCORE = 1, 10
MAX_PERCENT = 100


@dataclass(frozen=True, slots=True)
class MetricRow:
    """A number in words; ``interval`` is where it would mostly fall with other fans, or empty."""

    label: str
    value: str
    interval: str = ""


@dataclass(frozen=True, slots=True)
class SecondStageResult:
    """What the second stage of ranking is worth, on lists that it had not learned from.

    ``ndcg_before`` is NDCG@10 by the match alone, ``ndcg`` in the order of the second stage.
    """

    list_count: int
    ndcg_before: float
    ndcg: float


FiniteNumber = Annotated[float, Field(allow_inf_nan=False)]


class _LenientModel(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class CalibrationBin(_LenientModel):
    """The mean of what was ``given`` where scores were ``predicted`` alike, of so many pairs."""

    predicted: Annotated[FiniteNumber, Field(ge=MIN_SCORE, le=MAX_SCORE)]
    given: Annotated[FiniteNumber, Field(ge=MIN_SCORE, le=MAX_SCORE)]
    pairs: Annotated[int, Field(ge=0)]


class MatchBin(_LenientModel):
    """Anime with matches between two percentages; ``given`` is None where none was picked."""

    lower: Annotated[int, Field(ge=0, lt=MAX_PERCENT)]
    upper: Annotated[int, Field(gt=0, le=MAX_PERCENT)]
    candidates: Annotated[int, Field(ge=0)]
    picked: Annotated[FiniteNumber, Field(ge=0, le=1)]
    loved: Annotated[FiniteNumber, Field(ge=0, le=1)]
    given: Annotated[FiniteNumber, Field(ge=MIN_SCORE, le=MAX_SCORE)] | None = None


class ListLengthMetrics(_LenientModel):
    """What was measured on lists cut to one length."""

    users: Annotated[int, Field(ge=1)]
    ndcg: Annotated[FiniteNumber, Field(ge=0, le=1, alias="ndcg@10")]
    popularity_ndcg: Annotated[FiniteNumber, Field(ge=0, le=1, alias="popularity_ndcg@10")]
    rmse: FiniteNumber | None = None


def _drop_missing_intervals(value: object) -> object:
    """Without those that could not be computed."""
    if not isinstance(value, Mapping):
        return value
    return {name: pair for name, pair in value.items() if pair and None not in pair}


class _MeasuresFile(_LenientModel):
    """What is read of ``measures.json``."""

    ci: Annotated[
        dict[str, tuple[FiniteNumber, FiniteNumber]], BeforeValidator(_drop_missing_intervals)
    ] = {}
    calibration: tuple[CalibrationBin, ...] = ()
    match_percentile: tuple[MatchBin, ...] = ()
    by_length: dict[Annotated[int, Field(gt=0)], ListLengthMetrics] = {}


@dataclass(frozen=True, slots=True)
class ModelQuality:
    """All that is shown; empty where nothing was measured. Lengths of lists ascend."""

    user_count: int
    metrics: tuple[MetricRow, ...]
    calibration: tuple[CalibrationBin, ...]
    match_bins: tuple[MatchBin, ...]
    by_list_length: tuple[tuple[int, ListLengthMetrics], ...]


def load_model_quality(model: Model) -> ModelQuality:
    """Read what was measured of a model."""
    metrics = model.manifest.metrics
    measures = _read_measures_file(model)
    return ModelQuality(
        user_count=int(metrics.get("users", 0)),
        metrics=tuple(_metric_rows(metrics, measures)),
        calibration=tuple(each for each in measures.calibration if each.pairs >= MIN_BIN_SIZE),
        match_bins=tuple(
            each for each in measures.match_percentile if each.candidates >= MIN_BIN_SIZE
        ),
        by_list_length=tuple(sorted(measures.by_length.items())),
    )


def second_stage_result(model: Model) -> SecondStageResult | None:
    """Return what the second stage of a model was measured to be worth; None where it was not."""
    told = model.manifest.hyperparameters
    names = ("lists", "ndcg_before", "ndcg")
    count, before, after = (told.get(f"rerank_validation_{name}") for name in names)
    if not count or before is None or after is None:
        return None
    return SecondStageResult(int(count), float(before), float(after))


def _read_measures_file(model: Model) -> _MeasuresFile:
    if EVALUATION_FILE not in model.manifest.files:
        return _MeasuresFile()
    try:
        text = read_regular(model.catalogue_path.parent / EVALUATION_FILE, MAX_MEASURES_BYTES)
        return _MeasuresFile.model_validate(json.loads(text))
    except (OSError, ValueError, RecursionError, ValidationError) as error:
        log.warning("%s says nothing that can be shown: %s", EVALUATION_FILE, type(error).__name__)
        return _MeasuresFile()


def _metric_rows(metrics: Mapping[str, float], measures: _MeasuresFile) -> Any:
    for name, (label, shape) in METRIC_LABELS.items():
        if name in metrics:
            ends = [shape.format(end) for end in measures.ci.get(name, ())]
            interval = gettext("%(first)s to %(last)s", first=ends[0], last=ends[1]) if ends else ""
            yield MetricRow(gettext(label), shape.format(metrics[name]), interval)
