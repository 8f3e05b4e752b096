"""How good the model is, as measured when it was made: in words, and as plots ready to be drawn.

The numbers are in the manifest; tables and intervals are in ``measures.json`` beside it, what
``python -m model_build evaluate --json --by-length`` printed. A model without that file, or with
less in it, simply shows less.
"""

from __future__ import annotations

import json
import logging
import math
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
PLOT_SIZE = 240
"""Width and height of the area that a plot is drawn in."""
BAR_WIDTH = 24
MAX_PERCENT = 100


@dataclass(frozen=True, slots=True)
class MetricRow:
    """A number in words; ``interval`` is where it would mostly fall with other fans, or empty."""

    label: str
    value: str
    interval: str = ""


@dataclass(frozen=True, slots=True)
class CalibrationPoint:
    """A bin of predicted scores: where its dot is drawn, how large, and its numbers."""

    x: float
    y: float
    radius: float
    predicted: float
    observed: float
    rating_count: int


@dataclass(frozen=True, slots=True)
class MatchBin:
    """Anime with matches between two percentages: place and heights of its bars, and the numbers.

    ``given`` is the mean score of those picked, None where there were none.
    """

    lower: int
    upper: int
    item_count: int
    x: float
    picked_height: float
    loved_height: float
    picked: float
    loved: float
    given: float | None


@dataclass(frozen=True, slots=True)
class ListLengthResult:
    """Lists cut to one length: two bars from the left (heights and places), and the numbers."""

    list_length: int
    user_count: int
    x: float
    model_height: float
    popularity_height: float
    ndcg: float
    popularity_ndcg: float
    rmse: float | None


@dataclass(frozen=True, slots=True)
class ModelQuality:
    """All that is shown; empty where nothing was measured."""

    user_count: int
    metrics: tuple[MetricRow, ...]
    calibration: tuple[CalibrationPoint, ...]
    match_bins: tuple[MatchBin, ...]
    by_list_length: tuple[ListLengthResult, ...]


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


class _CalibrationBin(_LenientModel):
    predicted: Annotated[FiniteNumber, Field(ge=MIN_SCORE, le=MAX_SCORE)]
    given: Annotated[FiniteNumber, Field(ge=MIN_SCORE, le=MAX_SCORE)]
    pairs: Annotated[int, Field(ge=0)]


class _MatchPercentileBin(_LenientModel):
    lower: Annotated[int, Field(ge=0, lt=MAX_PERCENT)]
    upper: Annotated[int, Field(gt=0, le=MAX_PERCENT)]
    candidates: Annotated[int, Field(ge=0)]
    picked: Annotated[FiniteNumber, Field(ge=0, le=1)]
    loved: Annotated[FiniteNumber, Field(ge=0, le=1)]
    given: Annotated[FiniteNumber, Field(ge=MIN_SCORE, le=MAX_SCORE)] | None = None


class _ListLengthMetrics(_LenientModel):
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
    calibration: tuple[_CalibrationBin, ...] = ()
    match_percentile: tuple[_MatchPercentileBin, ...] = ()
    by_length: dict[Annotated[int, Field(gt=0)], _ListLengthMetrics] = {}


def load_model_quality(model: Model) -> ModelQuality:
    """Read what was measured of a model."""
    metrics = model.manifest.metrics
    measures = _read_measures_file(model)
    return ModelQuality(
        user_count=int(metrics.get("users", 0)),
        metrics=tuple(_metric_rows(metrics, measures)),
        calibration=_calibration_points(measures),
        match_bins=_match_bins(measures),
        by_list_length=_list_length_results(measures),
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


def _calibration_points(measures: _MeasuresFile) -> tuple[CalibrationPoint, ...]:
    bins = [each for each in measures.calibration if each.pairs >= MIN_BIN_SIZE]
    most = max((each.pairs for each in bins), default=1)
    return tuple(
        CalibrationPoint(
            x=round(_plot_coordinate(each.predicted), 1),
            y=round(PLOT_SIZE - _plot_coordinate(each.given), 1),
            radius=round(3 + 7 * math.sqrt(each.pairs / most), 1),
            predicted=each.predicted,
            observed=each.given,
            rating_count=each.pairs,
        )
        for each in bins
    )


def _match_bins(measures: _MeasuresFile) -> tuple[MatchBin, ...]:
    return tuple(
        MatchBin(
            lower=each.lower,
            upper=each.upper,
            item_count=each.candidates,
            x=round(PLOT_SIZE * each.lower / MAX_PERCENT, 1),
            picked_height=round(PLOT_SIZE * each.picked, 1),
            loved_height=round(PLOT_SIZE * each.loved, 1),
            picked=each.picked,
            loved=each.loved,
            given=each.given,
        )
        for each in measures.match_percentile
        if each.candidates >= MIN_BIN_SIZE
    )


def _plot_coordinate(score: float) -> float:
    return PLOT_SIZE * (score - MIN_SCORE) / (MAX_SCORE - MIN_SCORE)


def _list_length_results(measures: _MeasuresFile) -> tuple[ListLengthResult, ...]:
    count = len(measures.by_length)
    return tuple(
        ListLengthResult(
            list_length=titles,
            user_count=row.users,
            x=round((place + 0.5) * PLOT_SIZE / count - BAR_WIDTH, 1),
            model_height=round(PLOT_SIZE * row.ndcg, 1),
            popularity_height=round(PLOT_SIZE * row.popularity_ndcg, 1),
            ndcg=row.ndcg,
            popularity_ndcg=row.popularity_ndcg,
            rmse=row.rmse,
        )
        for place, (titles, row) in enumerate(sorted(measures.by_length.items()))
    )
