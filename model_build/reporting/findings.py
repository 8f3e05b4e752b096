"""What a report tells: models with the settings of the reported one, measured on held-out fans.

The reported model itself may have seen every fan, so its error cannot be measured. What is measured
was trained with its settings on the ratings without the fans drawn.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from app.recommender import Listed, Model, Order, Wish
from app.recommender.rank import top
from app.recommender.recommend import score_all
from model_build.evaluation import Fan
from model_build.reporting.charts import Chart
from model_build.training import Hyperparameters
from model_build.tuning.bench import Bench

Floats = npt.NDArray[np.float64]

KS = (1, 3, 5, 10, 20, 40, 80, 200)
SHRINKAGES = (0.0, 10.0, 30.0, 100.0, 300.0, 1000.0, 3000.0)
LENGTHS = (5, 20, 100, 500)
RANKS = (50, 200, 500, 1000, 2500)
MEASURES = ("ndcg@10", "recall@10", "new_ndcg@10")
SHOWN = 10
LOVED = 8.0
"""The score from which the evaluation counts an anime as relevant."""
STEPS = 8
LEAST_IN_BIN = 20
SHARPENED, NEAREST, BASELINE = "sharpened (match)", "KNN (score)", "baselines alone"


@dataclass(frozen=True, slots=True)
class Look:
    """Predicted and given scores of hidden entries (pairs,), and positions shown (fans x 10,)."""

    predicted: Floats
    baseline: Floats
    given: Floats
    shown: npt.NDArray[np.int64]


def settings_of(model: Model) -> Hyperparameters:
    """The settings that a model was trained with, as its manifest tells."""
    known = model.manifest.hyperparameters
    kinds = {"int": int, "float": float}
    found: dict[str, Any] = {
        setting.name: kinds.get(str(setting.type), str)(known[setting.name])
        for setting in fields(Hyperparameters)
        if setting.name in known
    }
    return Hyperparameters(**found)


def charts(
    bench: Bench, settings: Hyperparameters, *, franchises: bool, step: Callable[[], object]
) -> list[Chart]:
    """All charts of the report; ``step`` is called `STEPS` times while they are measured."""
    found = [_by_k(bench, settings)]
    step()
    found.append(_by_shrinkage(bench, settings))
    step()
    knn = bench.model("knn", settings)
    whole = bench.model("taste", settings)
    step()
    models = {Order.MATCH: whole, Order.SCORE: knn, Order.DISCOVER: whole}
    names = [name for name in MEASURES if franchises or name != "new_ndcg@10"]
    measured = {}
    for order, model in models.items():
        of_order = bench.measure(model, order, bench.fans)
        measured[order.value] = [float(of_order[name]) for name in names]
        step()
    found.append(
        Chart(
            "Ranking by order",
            f"Of {len(bench.fans):,} held-out fans: how well the first ten hold what they love "
            "(1 is perfect)."
            + (" For new_ndcg@10 franchises on the list are hidden." if franchises else ""),
            "",
            "",
            names,
            measured,
            bars=True,
        )
    )
    looks = {order: look(model, order, bench.fans) for order, model in models.items()}
    step()
    found.append(_calibration(looks))
    found.append(_popularity(bench, looks))
    found.append(_by_length(bench, models))
    step()
    return found


def look(model: Model, order: Order, fans: Sequence[Fan]) -> Look:
    """What an order predicts of the hidden entries and shows first."""
    predicted, baseline, given, shown = [], [], [], []
    for fan in fans:
        scores = score_all(model, fan.visible, Wish(order=order))
        position = model.find(fan.hidden_id)
        known = position >= 0
        predicted.append(scores.predicted_score[position[known]])
        alone = scores.predicted_score if scores.prediction is None else scores.prediction.baseline
        baseline.append(np.clip(alone[position[known]], 1.0, 10.0))
        given.append(fan.hidden_score[known])
        shown.append(top(scores.sort_key, scores.allowed, SHOWN))
    none = np.empty(0)
    return Look(
        np.concatenate([none, *predicted]),
        np.concatenate([none, *baseline]),
        np.concatenate([none, *given]),
        np.concatenate([np.empty(0, np.int64), *shown]),
    )


def rmse(predicted: Floats, given: Floats) -> float:
    """NaN where there is nothing to compare."""
    return float(np.sqrt(np.mean((predicted - given) ** 2))) if len(given) else float("nan")


def _error(bench: Bench, settings: Hyperparameters) -> float:
    seen = look(bench.model("knn", settings), Order.SCORE, bench.fans)
    return rmse(seen.predicted, seen.given)


def _by_k(bench: Bench, settings: Hyperparameters) -> Chart:
    ks = sorted({*KS, settings.k})
    return Chart(
        "Error by k",
        "RMSE of KNN with baseline by how many neighbours a prediction rests on; the dotted line "
        f"is what the model uses, {settings.k}.",
        "k",
        "RMSE",
        [str(k) for k in ks],
        {"KNN": [_error(bench, replace(settings, k=k)) for k in ks]},
        marked=ks.index(settings.k),
    )


def _by_shrinkage(bench: Bench, settings: Hyperparameters) -> Chart:
    values = sorted({*SHRINKAGES, settings.shrinkage})
    return Chart(
        "Error by shrinkage",
        "RMSE of KNN with baseline by how strongly similarities of few common fans are pulled to "
        f"0; the dotted line is what the model uses, {settings.shrinkage:.4g}.",
        "shrinkage",
        "RMSE",
        [f"{value:.4g}" for value in values],
        {"KNN": [_error(bench, replace(settings, shrinkage=value)) for value in values]},
        marked=values.index(settings.shrinkage),
    )


def _calibration(looks: dict[Order, Look]) -> Chart:
    """Mean given score where predictions round to the same half point."""
    halves = np.arange(2, 21)
    series = {}
    for name, order in ((SHARPENED, Order.MATCH), (NEAREST, Order.SCORE)):
        seen = looks[order]
        half = np.rint(2 * seen.predicted).astype(np.int64)
        count = np.bincount(half, minlength=21)[2:]
        total = np.bincount(half, seen.given, minlength=21)[2:]
        enough = count >= LEAST_IN_BIN
        series[name] = np.where(enough, total / np.maximum(count, 1), np.nan)
    used = np.isfinite(np.array(list(series.values()))).any(axis=0)
    return Chart(
        "Calibration",
        "Mean score that fans gave, where the prediction rounds to the same half point; on the "
        f"dashed line both are equal. Points of fewer than {LEAST_IN_BIN} scores are left out.",
        "predicted score",
        "mean score given",
        [f"{half / 2:g}" for half in halves[used]],
        {name: values[used].tolist() for name, values in series.items()},
        numeric=True,
        digits=2,
    )


def _popularity(bench: Bench, looks: dict[Order, Look]) -> Chart:
    """Shares of what is shown, by popularity; and of what fans love, to compare with."""
    count = np.bincount(bench.training.item, minlength=len(bench.training.anime_ids))
    rank = np.empty(len(count), np.int64)
    rank[np.argsort(-count, kind="stable")] = np.arange(1, len(count) + 1)
    loved = np.concatenate([fan.hidden_id[fan.hidden_score >= LOVED] for fan in bench.fans])
    at = np.searchsorted(bench.training.anime_ids, loved)
    at[at == len(count)] = 0
    wanted = at[bench.training.anime_ids[at] == loved]

    def shares(positions: npt.NDArray[np.int64]) -> list[float]:
        place = np.searchsorted(RANKS, rank[positions])
        of = np.bincount(place, minlength=len(RANKS) + 1)
        return [float(share) for share in 100 * of / max(1, of.sum())]

    ends = [f"{end / 1000:g}k" if end >= 1000 else f"{end}" for end in RANKS]
    names = [f"≤ {end}" for end in ends]
    distinct = {order: len(np.unique(seen.shown)) for order, seen in looks.items()}
    told = ", ".join(f"{order.value} {count:,}" for order, count in distinct.items())
    return Chart(
        "Coverage against popularity",
        "What the first ten are made of, by an anime's rank among those on most lists (a band "
        "begins where the one before it ends), beside what the same fans love. Different anime "
        f"shown: {told}.",
        "popularity rank",
        "share, %",
        [*names, f"> {ends[-1]}"],
        {
            **{order.value: shares(seen.shown) for order, seen in looks.items()},
            "loved by fans": shares(wanted),
        },
        bars=True,
        digits=1,
    )


def _by_length(bench: Bench, models: dict[Order, Model]) -> Chart:
    names: list[str] = []
    series: dict[str, list[float]] = {SHARPENED: [], NEAREST: [], BASELINE: []}
    for length in LENGTHS:
        short = [cut for fan in bench.fans if (cut := _cut(fan, length)) is not None]
        if not short:
            continue
        names.append(f"{length}\n{len(short):,} fans")
        sharp = look(models[Order.MATCH], Order.MATCH, short)
        near = look(models[Order.SCORE], Order.SCORE, short)
        series[SHARPENED].append(rmse(sharp.predicted, sharp.given))
        series[NEAREST].append(rmse(near.predicted, near.given))
        series[BASELINE].append(rmse(near.baseline, near.given))
    return Chart(
        "Error by list length",
        "RMSE when only so many entries are seen of every list that has as many: what newcomers "
        "get. Each length has fans of its own.",
        "entries seen",
        "RMSE",
        names,
        series,
    )


def _cut(fan: Fan, length: int) -> Fan | None:
    """The fan with so many entries of the visible list, drawn by a seed of the list's own."""
    ids = fan.visible.anime_id
    if len(ids) < length:
        return None
    kept = np.sort(np.random.default_rng(int(ids.sum())).permutation(len(ids))[:length])
    listed = Listed(ids[kept], fan.visible.score[kept], fan.visible.status[kept])
    return replace(fan, visible=listed)
