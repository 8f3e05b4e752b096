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
from app.recommender.artifact import MEASURES

log = logging.getLogger(__name__)

# Measure -> what it tells, and how it is written.
TOLD = {
    "rmse": ("How far a predicted score is off, large errors counting more (RMSE)", "{:.3f}"),
    "mae": ("How far a predicted score is off on average", "{:.3f}"),
    "within_expected_error": ("Scores that fall within the ± shown beside them", "{:.0%}"),
    "ndcg@10": (
        "How well the first ten are filled and ordered, 1 at best (NDCG@10)",
        "{:.3f}",
    ),
    "recall@10": (
        "Hidden favourites (8 or more, ten at most) that are among the first ten",
        "{:.0%}",
    ),
    "new_ndcg@10": ("The same as NDCG@10, for series that the fan did not know", "{:.3f}"),
    "coverage": ("Different anime that they were recommended, ten each", "{:,.0f}"),
}

LEAST_PAIRS = 20
"""A bin of fewer scores says nothing."""
LOWEST, HIGHEST = 1, 10
SIZE = 240
"""Width and height of the area that a plot is drawn in."""
BAR = 24


@dataclass(frozen=True, slots=True)
class Measure:
    """A number in words; ``interval`` is where it would mostly fall with other fans, or empty."""

    told: str
    value: str
    interval: str = ""


@dataclass(frozen=True, slots=True)
class Dot:
    """A bin of predicted scores: where its dot is drawn, how large, and its numbers."""

    x: float
    y: float
    radius: float
    predicted: float
    given: float
    pairs: int


@dataclass(frozen=True, slots=True)
class Pair:
    """Lists cut to one length: two bars from the left (heights and places), and the numbers."""

    titles: int
    fans: int
    x: float
    height: float
    other_height: float
    ndcg: float
    popular: float
    rmse: float | None


@dataclass(frozen=True, slots=True)
class Quality:
    """All that is shown; empty where nothing was measured."""

    fans: int
    measures: tuple[Measure, ...]
    dots: tuple[Dot, ...]
    pairs: tuple[Pair, ...]


Number = Annotated[float, Field(allow_inf_nan=False)]


class _Lenient(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class _Bin(_Lenient):
    predicted: Annotated[Number, Field(ge=LOWEST, le=HIGHEST)]
    given: Annotated[Number, Field(ge=LOWEST, le=HIGHEST)]
    pairs: Annotated[int, Field(ge=0)]


class _Length(_Lenient):
    users: Annotated[int, Field(ge=1)]
    ndcg: Annotated[Number, Field(ge=0, le=1, alias="ndcg@10")]
    popular: Annotated[Number, Field(ge=0, le=1, alias="popularity_ndcg@10")]
    rmse: Number | None = None


def _intervals(value: object) -> object:
    """Without those that could not be computed."""
    if not isinstance(value, Mapping):
        return value
    return {name: pair for name, pair in value.items() if pair and None not in pair}


class _Tables(_Lenient):
    """What is read of ``measures.json``."""

    ci: Annotated[dict[str, tuple[Number, Number]], BeforeValidator(_intervals)] = {}
    calibration: tuple[_Bin, ...] = ()
    by_length: dict[Annotated[int, Field(gt=0)], _Length] = {}


def quality_of(model: Model) -> Quality:
    """What was measured of a model."""
    metrics = model.manifest.metrics
    tables = _tables(model)
    return Quality(
        fans=int(metrics.get("users", 0)),
        measures=tuple(_measures(metrics, tables)),
        dots=_dots(tables),
        pairs=_pairs(tables),
    )


def _tables(model: Model) -> _Tables:
    if MEASURES not in model.manifest.files:
        return _Tables()
    try:
        text = (model.catalogue_path.parent / MEASURES).read_text("utf-8")
        return _Tables.model_validate(json.loads(text))
    except (OSError, ValueError, ValidationError) as error:
        log.warning("%s says nothing that can be shown: %s", MEASURES, type(error).__name__)
        return _Tables()


def _measures(metrics: Mapping[str, float], tables: _Tables) -> Any:
    for name, (told, shape) in TOLD.items():
        if name in metrics:
            ends = [shape.format(end) for end in tables.ci.get(name, ())]
            yield Measure(told, shape.format(metrics[name]), " to ".join(ends))


def _dots(tables: _Tables) -> tuple[Dot, ...]:
    bins = [each for each in tables.calibration if each.pairs >= LEAST_PAIRS]
    most = max((each.pairs for each in bins), default=1)
    return tuple(
        Dot(
            x=round(_place(each.predicted), 1),
            y=round(SIZE - _place(each.given), 1),
            radius=round(3 + 7 * math.sqrt(each.pairs / most), 1),
            predicted=each.predicted,
            given=each.given,
            pairs=each.pairs,
        )
        for each in bins
    )


def _place(score: float) -> float:
    return SIZE * (score - LOWEST) / (HIGHEST - LOWEST)


def _pairs(tables: _Tables) -> tuple[Pair, ...]:
    count = len(tables.by_length)
    return tuple(
        Pair(
            titles=titles,
            fans=row.users,
            x=round((place + 0.5) * SIZE / count - BAR, 1),
            height=round(SIZE * row.ndcg, 1),
            other_height=round(SIZE * row.popular, 1),
            ndcg=row.ndcg,
            popular=row.popular,
            rmse=row.rmse,
        )
        for place, (titles, row) in enumerate(sorted(tables.by_length.items()))
    )
